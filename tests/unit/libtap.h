/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The unit tests' tools: TAP, a made-up machine, and a made-up VFIO.
 */
#ifndef UNIT_LIBTAP_H
#define UNIT_LIBTAP_H

#include <linux/evfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libtap.c */

/* Prints "ok N - text" or "not ok N - text"; returns cond. */
bool ok(bool cond, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ok() for equal numbers and strings, which are printed if they differ. */
bool is(long long got, long long want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool is_str(const char *got, const char *want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ok() if the library's message contains the text. */
bool message_has(const char *text);

/* Prints the plan; returns the program's exit status. */
int done(void);

/*
 * libtree.c: sysfs, /dev and /proc in a temporary directory, which the library is pointed at. The
 * machine has these devices, as evfio_sysdev_list() should find them:
 *
 *	10000000.edu	group 3, vfio-platform; dma-coherent; reg-names "regs\0aux"
 *	10100000.edu	group 4, no driver
 *	10200000.edu	group 5, vfio-platform; in one isolation set with 10300000.edu
 *	10300000.edu	group 6, syscon
 *	10400000.edu	no group yet, "iommus" in its node, below a dma-coherent bus
 *	9010000.pl031	AMBA, group 7, vfio-amba
 *	0000:00:01.0	PCI, group 8, together with 0000:00:01.1
 *	0000:00:01.1	PCI, group 8, nvme; 1b36:0010, class 010802
 *	0000:00:02.0	PCI, no group yet, "iommu-map" in its bridge's node
 *
 * and 9000000.uart, which has no IOMMU.
 */

/* Makes it all; ends the program if it cannot. */
void tree_new(void);
void tree_free(void);

/* Its directory, which has sys, dev and proc. */
const char *tree_dir(void);

/* Makes a file, a link or a directory, with what is above it; paths begin with "sys/" ... */
void tree_file(const char *path, const char *data, size_t len);
void tree_text(const char *path, const char *text);
void tree_link(const char *path, const char *target);
void tree_remove(const char *path);

/* Reads a file; the text is valid until the next call. */
const char *tree_read(const char *path);

/*
 * libvfio.c: open() and ioctl() of the library (linked with --wrap) on tree_dir()'s dev/vfio. Its
 * IOMMU has pages of 4 KiB and knows what is mapped.
 * Region 0 of a device is a file of 8 KiB that can be mapped, region 1 one of 24 bytes that cannot,
 * region 2 is empty, region 3 can only be read; interrupt 0 is a level one, 1 an edge one, 2 is
 * empty; 3 is for EVFIO_DEVICE_MSI.
 *
 * A PCI device has only a configuration space, which is at byte 4096 of its file in dev/vfio, INTx,
 * and four vectors each of MSI and MSI-X.
 */
struct fake_vfio {
	int api_version;
	bool type1, type1v2;		/* which IOMMU types there are */
	int open_group_errno;		/* what open() of a group gives; 0: it works */
	int open_container_errno;
	int set_container_errno;
	int set_iommu_errno;
	int get_device_errno;
	int map_errno;
	const void *no_memory;		/* cannot be mapped: EFAULT */
	int pin_errno;
	int irq_errno;			/* what giving a wired interrupt its eventfd gives */
	struct evfio_device_sync synced; /* what EVFIO_DEVICE_SYNC was asked last */
	bool not_viable;
	bool no_caps;			/* VFIO_IOMMU_GET_INFO without capabilities */
	bool fixed_irq;			/* interrupt 0 cannot be masked */
	bool can_reset;			/* platform devices have a reset */
	bool no_wc;			/* a VFIO that is not evfio's: no EVFIO_DEVICE_REGION_WC */
	uint32_t config_size;
	uint32_t vectors;		/* how many of MSI or MSI-X can be had */
	bool evfio;			/* what <linux/evfio.h> adds is there */
	bool no_malloc;			/* malloc(), unlike calloc() and realloc(), gives NULL */
	bool msi_parent;		/* platform devices can have MSI */
	char vf_token[64];		/* what a device is opened with; "": it takes no token */
	bool idle;			/* ... a PF: without it as well, or with a new one */
	/* what has happened */
	unsigned int groups;		/* how many are in the container */
	int iommu_type;			/* the container's; 0: none */
	unsigned int mappings;
	uint64_t mapped_bytes;
	unsigned int map_calls;		/* how many ioctls there were */
	unsigned int unmap_calls;
	unsigned int move_calls;
	unsigned int buffers;		/* what EVFIO_IOMMU_REGISTER holds */
	unsigned int stale;		/* windows unmapped lazily since the last flush */
	unsigned int unmask_count, mask_count;
	unsigned int resets;
	int irq_fd[2];			/* eventfds; -1: none */
	uint32_t kind, enabled;		/* PCI: which interrupts are in use, and how many */
	int32_t vector_fd[4];
	uint32_t msi;			/* vectors of EVFIO_DEVICE_MSI */
	unsigned int pins;		/* what EVFIO_DEVICE_PIN holds */
	uint64_t pin_mask;		/* and its mask */
	unsigned int contigs;		/* what EVFIO_DEVICE_CONTIG holds */
	struct evfio_device_contig contig;	/* as it was asked for */
	uint64_t contig_offset;		/* where mmap() is told to find it */
};

extern struct fake_vfio fake;

/* Puts fake to a VFIO that works. */
void fake_reset(void);

/* Whether exactly this is a mapping. */
bool fake_mapped(uint64_t iova, const void *memory, uint64_t size);

/* The linker's names for what it wraps. */
int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
int __real_close(int fd);
void *__real_malloc(size_t size);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_close(int fd);
void *__wrap_malloc(size_t size);

#endif /* UNIT_LIBTAP_H */
