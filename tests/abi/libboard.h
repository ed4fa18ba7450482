/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libboard - the test board as a raw client of <linux/vfio.h> sees it
 *
 * Every call that can fail returns 0 or a value on success and a negative errno otherwise, so that
 * one is() checks both. Those said to bail out end the program: they only prepare a test.
 */
#ifndef LIBBOARD_H
#define LIBBOARD_H

#include <linux/evfio.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The devices, and where the board has them. */
#define EDU0	"10000000.edu"	/* level interrupt, reg-io-width = 4 */
#define EDU1	"10100000.edu"	/* edge interrupt, MSI, a clock and a reset line */
#define EDU2	"10200000.edu"	/* level interrupt, isolation set "pair" */
#define EDU3	"10300000.edu"	/* level interrupt, isolation set "pair", not coherent */
#define RTC	"9010000.pl031"	/* AMBA, level interrupt, no DMA */

/* A built-in driver that takes any device by driver_override and leaves it alone. */
#define HOST	"simple-pm-bus"

#define EDU1_BASE	0x10100000u
#define EDU2_BASE	0x10200000u
#define EDU_SIZE	0x100000u
#define EDU_ID		0x010000edu

/* QEMU docs/specs/edu.rst */
#define EDU_REG_ID		0x00u
#define EDU_REG_LIVE		0x04u	/* reads back inverted */
#define EDU_REG_FACT		0x08u
#define EDU_REG_STATUS		0x20u
#define EDU_REG_IRQ		0x24u
#define EDU_REG_RAISE		0x60u
#define EDU_REG_ACK		0x64u
#define EDU_REG_DMA_SRC		0x80u
#define EDU_REG_DMA_DST		0x88u
#define EDU_REG_DMA_COUNT	0x90u
#define EDU_REG_DMA_CMD		0x98u

#define EDU_STATUS_BUSY		0x01u
#define EDU_STATUS_IRQ		0x80u
#define EDU_DMA_RUN		0x1u
#define EDU_DMA_STORE		0x2u	/* from the device's buffer to memory */
#define EDU_DMA_IRQ		0x4u
#define EDU_IRQ_FACT		0x001u
#define EDU_IRQ_DMA		0x100u
#define EDU_BUFFER		0x40000u
#define EDU_BUFFER_MAX		4080u	/* QEMU ends itself on a transfer of all 4096 bytes */

#define IOVA		0x1000000ull	/* where tests map, below edu's limit of 1 << 28 */
#define RW		(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define RO		VFIO_DMA_MAP_FLAG_READ

/* ---- binding ---- */

/* Unbind @name from what drives it and bind it to @driver: 0, an errno, -ENODEV if that failed. */
int board_bind(const char *name, const char *driver);

/* Bind @name to vfio-platform (vfio-amba for an AMBA device, vfio-pci), or bail out. */
void board_take(const char *name);

/* Unbind @name and leave it without a driver. */
int board_unbind(const char *name);

/* How long a device that is unbound waits for its user, from now on; or bail out. */
void board_grace(unsigned int ms);

/* The driver of @name, or "" when it has none. Overwritten by the next call. */
const char *board_driver(const char *name);

/* The IOMMU group number of a device that is, or was, bound; a negative errno if it has none. */
int board_group(const char *name);

/* "/sys/bus/BUS/devices/NAME/FILE". Overwritten by the next call. */
const char *board_path(const char *name, const char *file);

/* A command for QEMU's monitor; it takes a moment. */
void board_monitor(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- VFIO files ---- */

int container_open(void);
int group_open(const char *name);			/* /dev/vfio/N, or noiommu-N, of @name */
int group_status(int group);				/* VFIO_GROUP_FLAGS_* */
int group_set(int group, int container);
int group_unset(int group);
int container_set_iommu(int container, unsigned long type);
int device_fd(int group, const char *name);
int check_extension(int container, unsigned long what);

/* A device opened the usual way. @container, @group and @fd are -1 when closed. */
struct dev {
	const char *name;
	int container;
	int group;
	int fd;
	volatile uint8_t *regs;		/* region 0, NULL if it is smaller than a page */
	size_t size;
};

/*
 * Bind, open and map @name in a container of its own (type1v2; no-IOMMU, if the device has none),
 * or bail out. Quiets an edu.
 */
void dev_open(struct dev *d, const char *name);

/* The same in a container that exists and has, or has not yet, an IOMMU; @d does not own it. */
void dev_open_in(struct dev *d, const char *name, int container);

/* Unmap and close, device first. */
void dev_close(struct dev *d);

static inline uint32_t dev_read(const struct dev *d, size_t offset)
{
	return *(volatile uint32_t *)(d->regs + offset);
}

static inline void dev_write(const struct dev *d, size_t offset, uint32_t value)
{
	*(volatile uint32_t *)(d->regs + offset) = value;
}

/* ---- edu ---- */

/* Wait for the transfer under way and the factorial to end, and acknowledge every interrupt. */
void edu_quiet(const struct dev *d);

void edu_raise(const struct dev *d, uint32_t bits);
void edu_ack(const struct dev *d);

/* Start a transfer between memory at @iova and the device's buffer; @cmd adds to EDU_DMA_RUN. */
void edu_dma_start(const struct dev *d, uint64_t iova, uint32_t len, uint32_t cmd);

/* The device reads memory into its buffer, or writes its buffer to memory; 0 or -ETIMEDOUT. */
int edu_load(const struct dev *d, uint64_t iova, uint32_t len);
int edu_store(const struct dev *d, uint64_t iova, uint32_t len);

/* ---- interrupts ---- */

int irq_info(int fd, uint32_t index, struct vfio_irq_info *info);

/* VFIO_DEVICE_SET_IRQS for line 0 of @index; @value is the eventfd or the boolean, if any. */
int irq_set(int fd, uint32_t index, uint32_t flags, int32_t value);

int irq_trigger(int fd, uint32_t index, int efd);	/* DATA_EVENTFD TRIGGER; -1 removes */
int irq_mask(int fd, uint32_t index);			/* DATA_NONE MASK */
int irq_unmask(int fd, uint32_t index);			/* DATA_NONE UNMASK */

/* DATA_EVENTFD TRIGGER for vectors @start on. */
int irq_vectors(int fd, uint32_t index, uint32_t start, uint32_t count, const int32_t *efds);

/* DATA_NONE TRIGGER with count 0: everything of @index is taken away. */
int irq_disable(int fd, uint32_t index);

/* How many lines an index has, or bail out. */
uint32_t irq_count(int fd, uint32_t index);

int efd_new(unsigned int initial);

/* Read an eventfd: its count, or 0 when nothing came within @ms. */
uint64_t efd_take(int efd, int ms);
void efd_signal(int efd);

/* Milliseconds in which all that is to come comes, on a loaded machine; in which nothing came. */
#define SOON	10000
#define QUIET	60

/* ---- memory ---- */

/* Anonymous, page-aligned, populated memory, or bail out. */
void *mem_new(size_t size);
void mem_free(void *mem, size_t size);

/* A page of the machine's addresses, whoever has it: where @address is in it; or bail out. */
void *mem_physical(uint64_t address);

/* Fill with a pattern that depends on @seed and on the position. */
void mem_fill(void *mem, size_t size, uint32_t seed);
bool mem_is(const void *mem, size_t size, uint32_t seed);

int dma_map(int container, const void *mem, uint64_t iova, uint64_t size, uint32_t flags);

/* The number of bytes unmapped, or a negative errno. */
int64_t dma_unmap(int container, uint64_t iova, uint64_t size);
int64_t dma_unmap_all(int container);

/* EVFIO_IOMMU_MAP and EVFIO_IOMMU_UNMAP; the latter returns the number of bytes unmapped. */
int dma_map_ranges(int container, const struct evfio_iommu_range *ranges, uint32_t nr,
		   uint32_t flags);
int64_t dma_unmap_ranges(int container, const struct evfio_iommu_range *ranges, uint32_t nr);

/* EVFIO_IOMMU_REGISTER, which returns the number; EVFIO_IOMMU_UNREGISTER and EVFIO_IOMMU_MOVE. */
int dma_register(int container, const void *mem, uint64_t size, uint32_t flags);
int dma_unregister(int container, int id);
int dma_move(int container, int id, uint32_t flags, const struct evfio_iommu_range *unmap,
	     uint32_t nr_unmap, const struct evfio_iommu_range *map, uint32_t nr_map);

/* The argument of both calls that tell of dirty pages; of a shorter one, what there is. */
struct dirty_arg {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
	struct vfio_bitmap bitmap;
};

/* VFIO_IOMMU_DIRTY_PAGES with one of its flags; with GET_BITMAP; UNMAP_DMA with a bitmap. */
int dirty_track(int container, uint32_t flags);
int dirty_get(int container, uint64_t iova, uint64_t size, struct vfio_bitmap bitmap);
int64_t dma_unmap_dirty(int container, uint64_t iova, uint64_t size, struct vfio_bitmap bitmap);

/* UNMAP_DMA of addresses, and perhaps of all: the number of bytes, or a negative errno. */
int64_t dma_drop_vaddr(int container, uint64_t iova, uint64_t size, uint32_t more);

/* VFIO_IOMMU_GET_INFO with room for everything, or NULL. The next call overwrites it. */
const struct vfio_iommu_type1_info *iommu_info(int container);

/* A capability of what iommu_info() returned, or NULL. */
const void *iommu_cap(const struct vfio_iommu_type1_info *info, uint16_t id);

/* Mappings that can still be made, or -1. */
long dma_avail(int container);

/* What mappings take; compared before and after something that must leave nothing behind. */
struct usage {
	long avail;
	long locked;
	long pinned;
	long fdinfo;
};

struct usage usage(int container);

/* Whether both are the same; if not, they are printed. */
bool usage_same(struct usage a, struct usage b);

/* ---- the system ---- */

/* errno as a return value: -errno when @ret is -1. */
long sys(long ret);

/* An ioctl that returns a negative errno. */
int xioctl(int fd, unsigned long request, const void *arg);

/* Write @text to the file: 0 or a negative errno. */
int file_write(const char *path, const char *text);

/* The first line of the file, "" if it cannot be read. The next call overwrites it. */
const char *file_read(const char *path);

/* The number after "key:" or "key" at the start of a line of @path, or -1 if there is none. */
long file_long(const char *path, const char *key);

/* The same of /proc/self/fdinfo/@fd. */
long fdinfo_long(int fd, const char *key);
const char *fdinfo_text(int fd, const char *key);

/* Lines of @path in which @text occurs. */
int file_count(const char *path, const char *text);

/* What the kernel's functions did, where events of kprobes in this directory were asked to tell. */
#define KPROBES "/sys/kernel/debug/tracing/"

/* The number of the first or last line of the trace with @text, -1 without one. */
int traced(const char *text, bool last);

/* Empties a trace, or a list of events. It takes to open it so: to write nothing does not do it. */
void trace_clear(const char *path);

/* Pages that are pinned now, over the whole system. */
long pages_pinned(void);

/* VmLck + VmPin, in kB. */
long locked_kb(void);

/*
 * The same when nothing is to be locked any more: waits for that a little, as what a device had
 * that was unbound may come off later. Then 0.
 */
long unlocked(void);

/* Milliseconds of the monotonic clock. */
long now_ms(void);
void sleep_ms(long ms);

/* Whether reading 4 bytes at @p is answered by SIGBUS. */
bool read_faults(const volatile void *p);

/* Run @fn in a child: its return value (0..255), or -signal. */
int in_child(int (*fn)(void *), void *arg);

/* The same, as user 1000 with no capability. */
int in_child_unprivileged(int (*fn)(void *), void *arg);

/* How a child ended: its exit status, or -signal. */
int child_wait(pid_t pid);

#endif
