/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of libevfio share; not installed.
 */
#ifndef EVFIO_INTERNAL_H
#define EVFIO_INTERNAL_H

#include <linux/vfio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <evfio/evfio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Longest path the library builds. */
#define PATH_LEN 1024

/* error.c */

/*
 * Leaves a message for evfio_error() and returns err, which is a negative errno, so that a failure
 * is one line: return fail(-ENOENT, "...").
 */
int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* fail() for -errno, with ": " and its description appended. */
int fail_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "4 KiB", "8 MiB": in the largest unit that divides bytes. Returns buf. */
char *format_size(char *buf, size_t size, uint64_t bytes);

/* sysfs.c */

/*
 * Where the library finds the world. The unit tests point all of it at a made-up tree;
 * evfio_sysfs_set_root() changes sysfs alone.
 */
struct evfio_roots {
	char sysfs[PATH_LEN];
	char dev[PATH_LEN];
	char proc[PATH_LEN];
	char modules[PATH_LEN];		/* /lib/modules, with a directory for each release */
};

extern struct evfio_roots evfio_roots;

/* A bus that VFIO has a driver for. */
struct bus {
	const char *name;
	const char *vfio_driver;
};

const struct bus *bus_find(const char *name);

/* Whether a driver leaves DMA ownership of its device's group to a VFIO user. */
bool driver_allows_vfio(const char *driver);

/* Writes the file-system path for "/sys/..." to buf; -ENAMETOOLONG if it does not fit. */
int sysfs_path(char *buf, size_t size, const char *syspath, const char *more);

/* Follows all links of syspath/more; writes "/sys/..." to buf. Returns a negative errno. */
int sysfs_resolve(const char *syspath, const char *more, char *buf, size_t size);

/* Base name of what the link syspath/name points to; -ENOENT if there is no such link. */
int sysfs_link(const char *syspath, const char *name, char *buf, size_t size);

/* One line of the file syspath/name, without its newline. Returns its length. */
int sysfs_read(const char *syspath, const char *name, char *buf, size_t size);

/* Writes value to the file syspath/name. Leaves no message. */
int sysfs_write(const char *syspath, const char *name, const char *value);

bool sysfs_exists(const char *syspath, const char *name);

/*
 * Path in the device tree ("" for the root) of the node of a device, or of the next device above
 * that has one; false if there is none.
 */
bool node_of_device(const char *syspath, char *path, size_t size);

/* All devices of the buses that VFIO has a driver for. As evfio_sysdev_list(). */
int sysdev_list_all(struct evfio_sysdev **out);

/* dt.c */

/* Reads syspath/node/prop into memory that the caller frees. Its length; or a negative errno. */
int dt_read_in(const char *syspath, const char *node, const char *prop, char **out);

/*
 * nodes.c: the device tree as a whole. Nodes are given by their paths in it, "" for the root. What
 * a tree does not say, or says wrongly, counts as 0.
 */

/* A node that others refer to. */
struct node {
	struct node *next;
	uint32_t phandle;
	char path[];
};

/* All of them, in the tree's order, none if there is no device tree; NULL also without memory. */
struct node *nodes_load(void);
void nodes_free(struct node *nodes);

/* The node that a cell of a property refers to: of the first entry, or of another; NULL if none. */
const struct node *nodes_refer(const struct node *nodes, const char *path, const char *prop,
			       unsigned int cell);

/* How many entries, each a phandle and its arguments, a property has: "clocks", "#clock-cells". */
int nodes_count(const struct node *nodes, const char *path, const char *prop, const char *cells);

int nodes_interrupts(const struct node *nodes, const char *path);
int node_regions(const char *path);

/* Whether a node has a property; is switched off; and the first cell of a property. */
bool node_has(const char *path, const char *prop);
bool node_disabled(const char *path);
uint32_t node_u32(const char *path, const char *prop, uint32_t otherwise);

/* Makes the path that of the node above; false for the root. */
bool node_up(char *path);

/* iova.c: which IOVAs of a container are taken. Not locked: its owner does that. */

struct iova_space {
	struct evfio_iova_range *ranges;	/* what can be mapped: ascending, disjoint */
	size_t nr_ranges;
	struct iova_node *used;			/* what is mapped: disjoint */
	uint64_t last;				/* mask: the last IOVA to hand out */
	uint32_t random;			/* what the tree's priorities come from */
};

/* Lowest IOVA handed out: devices tend to read address 0 as "no buffer". */
#define IOVA_LOWEST 0x10000ULL

void iova_init(struct iova_space *space);
void iova_destroy(struct iova_space *space);

/* Gives back all that is taken. */
void iova_clear(struct iova_space *space);

/*
 * Sets what can be mapped; copies, sorts and merges. What is used stays used. Ranges that end
 * before they begin are left out. -ENOMEM.
 */
int iova_set_ranges(struct iova_space *space, const struct evfio_iova_range *ranges, size_t count);

/*
 * Takes the lowest free IOVAs, size bytes and aligned to align (a power of two). -ENOSPC, -ENOMEM,
 * -EINVAL.
 */
int iova_alloc(struct iova_space *space, uint64_t size, uint64_t align, uint64_t *iova);

/* Takes given IOVAs. -ERANGE: outside the ranges; -EEXIST: taken; -ENOMEM, -EINVAL. */
int iova_reserve(struct iova_space *space, uint64_t iova, uint64_t size);

/* Gives back what iova_alloc() or iova_reserve() took; -ENOENT if they took no such thing. */
int iova_free(struct iova_space *space, uint64_t iova, uint64_t size);

/* bind.c */

/* Waits for /dev/vfio/N of a device that was just bound. -ETIMEDOUT, with a message. */
int wait_for_node(const struct evfio_sysdev *dev);

/* container.c */

/* The path of dev's group's node, /dev/vfio/N or, and then true, /dev/vfio/noiommu-N. */
bool group_node(const struct evfio_sysdev *dev, char *path, size_t size);

/* Opens it; says which it was. Returns its file descriptor, or a negative errno with a message. */
int group_open(const struct evfio_sysdev *dev, bool *noiommu);

/* The path of what dev's user opens: that, or the device's own node where there are no groups. */
bool device_node(const struct evfio_sysdev *dev, char *path, size_t size);

/* A group that is in use in a container. Protected by the container's lock. */
struct group {
	struct group *next;
	int number;
	int fd;				/* -1 with iommufd, which opens devices */
	unsigned int devices;
};

/*
 * Lives until the last reference is dropped: one for evfio_container_new(), one for each open
 * device and one for each DMA buffer.
 */
struct evfio_container {
	pthread_mutex_t lock;		/* protects all below but fd, which never changes */
	int fd;
	unsigned int refs;
	struct group *groups;
	bool noiommu;			/* its groups have no IOMMU */
	bool iommufd;			/* fd is of /dev/iommu; never changes */
	uint32_t ioas;			/* iommufd's address space, while there are groups */
	/*
	 * Counts how often the container has got an IOMMU, which is lost with the last group. A
	 * buffer that was mapped in an earlier one has nothing left to unmap.
	 */
	unsigned int iommu_generation;
	struct iova_space iova;
	uint64_t mask;			/* as evfio_dma_set_mask() was told; 0 before */
	uint64_t guard;			/* as evfio_dma_set_guard() was told */
	uint64_t page_sizes;
	bool takes_many;		/* it has EVFIO_IOMMU_MAP and EVFIO_IOMMU_UNMAP */
	bool has_buffers;		/* it has EVFIO_IOMMU_REGISTER and the like */
	/* How many open devices are not cache-coherent. Written under the lock, read without. */
	unsigned int incoherent;
};

/*
 * Opens dev in the container, with its group, of which it counts as a device. Returns its file
 * descriptor. On failure it leaves everything as it was, and a message.
 */
int container_open_device(struct evfio_container *ct, const struct evfio_sysdev *dev,
			  const struct evfio_token *token);

/* The same backwards; gives the group back with its last device. */
void container_close_device(struct evfio_container *ct, const struct evfio_sysdev *dev, int fd);

/* iommufd.c */

/* Whether iommufd is all that this kernel offers: it has no containers of VFIO's. */
bool iommufd_is_all(void);

/* The path of dev's own node; if it has none false, and the path of where it should be. */
bool iommufd_node(const struct evfio_sysdev *dev, char *path, size_t size);

/* Gives the container an address space, and takes it away again. */
int iommufd_begin(struct evfio_container *ct);
void iommufd_end(struct evfio_container *ct);

/* Opens dev in the container, and attaches it to that. Its file descriptor, or a negative errno. */
int iommufd_open(struct evfio_container *ct, const struct evfio_sysdev *dev,
		 const struct evfio_token *token);

/* To be done before it is closed: who still has a region mapped keeps the device attached. */
void iommufd_detach(int fd);

/* dma.c */

/* Whether this process has a capability, by its number in capabilities(7). */
bool has_capability(unsigned int number);

/* Asks the kernel about the container's IOMMU. ct->lock is held. */
int dma_update_ranges(struct evfio_container *ct);

/* A mapping; the caller sees pub. */
struct mapping {
	struct evfio_dma pub;
	struct evfio_container *ct;	/* with a reference */
	unsigned int iommu_generation;	/* the container's, when this was mapped */
	bool mapped;			/* in the IOMMU; its IOVAs cannot be given back */
	uint64_t guard;			/* bytes of IOVAs behind it, which are taken as well */
	void *memory;			/* from mmap(), to be freed; NULL: the caller's own */
	unsigned int *windows;		/* of the buffer that it is a window of, or NULL */
};

static inline struct mapping *to_mapping(struct evfio_dma *dma)
{
	return (struct mapping *)dma;
}

/*
 * Makes what stands for a mapping of size bytes at addr, and takes its IOVAs: at *fixed, if that is
 * given. It is not mapped yet.
 */
int mapping_new(struct evfio_container *ct, void *addr, size_t size, uint64_t align,
		const uint64_t *fixed, struct mapping **out);

/* Undoes mapping_new(), and frees the memory. What could not be unmapped keeps its IOVAs. */
void mapping_free(struct mapping *mapping);

/* What was mapped in an IOMMU that the container has lost is mapped no more. ct->lock is held. */
void mapping_note_loss(struct mapping *mapping);

/* Whether there are mappings in the container at all; if not, a message. ct->lock is held. */
int dma_check_iommu(const struct evfio_container *ct);

int dma_check_flags(unsigned int flags, unsigned int allowed);

/* What evfio_dma_set_mask() said, for a device that no IOMMU stops; 0 and a message if nothing. */
uint64_t dma_mask(const struct evfio_device *dev);

/* For qsort(): struct evfio_iommu_range by IOVA. */
int dma_compare_ranges(const void *a, const void *b);

/*
 * From the answer to VFIO_IOMMU_GET_INFO, size bytes long: finds a capability, at least min bytes
 * long. NULL if there is none, or the chain leads outside the answer.
 */
const void *dma_find_cap(const struct vfio_iommu_type1_info *info, size_t size, uint16_t id,
			 size_t min);

/* Cleans, or cleans and invalidates, the caches for a part of whole bytes; with its checks. */
int dma_sync(bool incoherent, const void *addr, size_t whole, size_t offset, size_t size,
	     bool for_device);

/* Why MAP_DMA gave err, a negative errno: leaves a message and returns the errno for the caller. */
int dma_explain_map(const struct evfio_container *ct, int err, const void *addr, uint64_t size,
		    uint64_t iova);

/* cache.c */

/* Whether a buffer of whole bytes has the range: 0, or -EINVAL and a message. */
int sync_check(size_t whole, size_t offset, size_t size);

/*
 * Hands memory to a device that does not snoop caches, or takes it over: 0, or -EOPNOTSUPP, without
 * a message, where programs cannot do that.
 */
int cache_sync(const void *addr, size_t size, bool for_cpu);

/* token.c */

/* VFIO_GROUP_GET_DEVICE_FD, with a token unless that is NULL; as ioctl(), without a message. */
int token_open(int group_fd, const char *name, const struct evfio_token *token);

/* Why it gave err, a negative errno: leaves a message and returns err. */
int token_explain(int err, const struct evfio_sysdev *dev, bool given);

/* device.c */

#define NO_MSI UINT32_MAX

struct evfio_device {
	struct evfio_container *ct;
	struct evfio_sysdev *sys;
	int fd;
	uint32_t flags;
	uint32_t nr_regions;
	uint32_t nr_irqs;
	uint32_t msi;			/* evfio_device_msi()'s index, NO_MSI before */
	pthread_mutex_t irq_lock;	/* protects irqs_open */
	uint32_t *irqs_open;		/* of each index: how many of its interrupts are open */
};

/* busy.c */

/*
 * Writes "pid 12 (edu), pid 13 (edu)" for the processes that have path open to buf, "" if none is
 * found or seen.
 */
void file_holders(const char *path, char *buf, size_t size);

#endif /* EVFIO_INTERNAL_H */
