/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a backend sees of the core.
 *
 * A bus backend describes a device (regions, interrupt indices) and brings the few operations that
 * differ from bus to bus; an IOMMU backend maps memory for the groups of one container. Neither
 * ever sees a user pointer, and neither includes the other.
 */
#ifndef EVFIO_CORE_EVFIO_H
#define EVFIO_CORE_EVFIO_H

#include <linux/device.h>
#include <linux/evfio.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "compat.h"

struct eventfd_ctx;
struct evfio_device;
struct evfio_group;

union evfio_args;

/**
 * struct evfio_ioctl - one row of an object's ioctl table
 * @cmd: its number
 * @size: bytes of the fixed part; 0: the argument is a value or a string, the handler's to read
 * @flags: EVFIO_ARGSZ: the fixed part begins with argsz, which must cover it;
 *	EVFIO_OUT: copied back, also after -ENOSPC; EVFIO_MADE: with the number of what was made;
 *	if the user cannot be told that, the next row's handler takes it away again
 * @handler: does it; @args is the fixed part, @arg the argument as given
 */
struct evfio_ioctl {
	unsigned int	cmd;
	u16		size;
	u16		flags;
	long		(*handler)(void *obj, union evfio_args *args, unsigned long arg);
};

#define EVFIO_ARGSZ	BIT(0)
#define EVFIO_OUT	BIT(1)
#define EVFIO_MADE(type, member)	(EVFIO_OUT | offsetof(type, member) << 8)

void *evfio_tail_get(unsigned long arg, size_t fixed, size_t n, size_t size);
int evfio_tail_put(unsigned long arg, size_t fixed, const void *tail, size_t n, size_t size);

/* A chain of capabilities that is being built behind an info structure. */
struct evfio_caps {
	void	*buf;
	size_t	size;
};

void *evfio_caps_add(struct evfio_caps *caps, u16 id, u16 version, size_t size);

/* Region offset in the device fd: index << 40, the interface's constant. */
#define EVFIO_REGION_SHIFT	40

/**
 * struct evfio_region - one window of a device
 * @base: physical address; the core claims [base, base + size) while the device is open
 * @size: bytes; 0 describes an absent region, which has an index all the same
 * @flags: VFIO_REGION_INFO_FLAG_READ | WRITE | MMAP; MMAP only if base and size are page-aligned
 * @cap: a capability without content that VFIO_DEVICE_GET_REGION_INFO shows, or 0
 * @width: the one access width in bytes that read() and write() may use; 0 leaves the choice to
 *	alignment and length, -1 forbids both and leaves the region to mmap
 * @widest: with @width 0, the widest access in bytes; no ioeventfd may write more at once, so 0
 *	means that none may write here
 * @nonposted: writes must not be acknowledged early (device tree: nonposted-mmio)
 * @hidden: VFIO_DEVICE_GET_REGION_INFO does not know it
 * @soft: not memory: evfio_bus_ops::access reads and writes it
 * @exact: what goes beyond its end is EFAULT, not cut short
 * @off: the device does not answer now: read() and write() are EIO, touching a mapping is SIGBUS,
 *	DMA finds nothing; changed by the bus with evfio_device::lock held for writing
 * @prefetch: reads have no side effects: it can be mapped write-combined as well, at the offset of
 *	region num_regions + index
 * @hole, @hole_size: a part that reads all ones and takes no writes, even while @off
 * @io: the core's own mapping, made at the first read() or write(), gone at last close
 */
struct evfio_region {
	phys_addr_t	base;
	u64		size;
	u32		flags;
	u16		cap;
	s8		width;
	u8		widest;
	bool		nonposted;
	bool		hidden;
	bool		soft;
	bool		exact;
	bool		off;
	bool		prefetch;
	u64		hole;
	u64		hole_size;
	void __iomem	*io;
};

/*
 * An eventfd that, when it is signalled, does something. @closed: the user's last fd of it has
 * gone; nothing will signal it any more, and another may take its place.
 */
struct evfio_irqfd {
	struct eventfd_ctx	*ctx;
	bool			closed;
	wait_queue_entry_t	wait;
};

/**
 * struct evfio_line_ops - a line that the device itself can mask, and so may share
 * @claim: whether the device is raising it; if so it is masked on return
 * @mask: mask it, or unmask it
 *
 * Called with interrupts off.
 */
struct evfio_line_ops {
	bool	(*claim)(struct evfio_device *vdev);
	void	(*mask)(struct evfio_device *vdev, bool mask);
};

/**
 * struct evfio_line - one interrupt line
 * @hwirq: the Linux interrupt number; set by the bus
 * @ops: if the device masks it; otherwise the interrupt controller does
 * @vdev: the device, if there are @ops
 * @lock: protects @masked, @held and @asleep against the handler and the irqfds
 * @masked: held back, by the user or by the handler (automask); kept across a change of trigger
 * @held: masked by the device's own registers: stays so whatever else the user says
 * @asleep: the device, which masks the line, is not asked now: masking is a matter of the flags
 * @requested: the interrupt is ours, that is, @trigger is set; under evfio_device::irq_lock
 * @automask: level interrupt: the handler masks it, the user unmasks it
 * @trigger: signalled when the line fires; changes only while the handler cannot run
 * @bypass: offers the line to KVM; under evfio_device::irq_lock alone
 * @mask, @unmask: eventfds that do what their name says
 */
struct evfio_line {
	int			hwirq;
	const struct evfio_line_ops	*ops;
	struct evfio_device	*vdev;
	spinlock_t		lock;	/* masked, held, asleep */
	bool			masked;
	bool			held;
	bool			asleep;
	bool			requested;
	bool			automask;
	struct eventfd_ctx	*trigger;
	struct irq_bypass_producer	bypass;
	struct evfio_irqfd	mask;
	struct evfio_irqfd	unmask;
};

/**
 * struct evfio_irq - one interrupt index: @count lines with the same properties
 * @flags: VFIO_IRQ_INFO_EVENTFD | MASKABLE | AUTOMASKED | NORESIZE
 * @count: number of @lines
 * @kind: where the interrupts come from:
 *	EVFIO_IRQ_WIRED: they are there, lines[].hwirq;
 *	EVFIO_IRQ_SWITCHED: while the index is in use, from evfio_bus_ops::irq_enable;
 *	EVFIO_IRQ_EVENT: nowhere, evfio_irq_signal() makes them
 * @hidden: VFIO_DEVICE_GET_IRQ_INFO does not know it
 * @unmaskable: the error for masking what is not MASKABLE
 * @enabled: EVFIO_IRQ_SWITCHED: the index is in use; under evfio_device::irq_lock
 * @lines: allocated by the bus together with the index, freed by the core with the device
 */
struct evfio_irq {
	u32			flags;
	u32			count;
	enum {
		EVFIO_IRQ_WIRED,
		EVFIO_IRQ_SWITCHED,
		EVFIO_IRQ_EVENT,
	}			kind;
	bool			hidden;
	bool			enabled;
	int			unmaskable;
	struct evfio_line	*lines;
};

/**
 * struct evfio_bus_ops - what differs from bus to bus
 * @owner: the backend's module, held while a device fd exists
 * @open: power the device up and reset it; called at the first open
 * @close: quiesce it and power it down; called at the last close or at revocation. Returns whether
 *	the device is known to be quiet; if not, its DMA stays blocked until it is unbound
 * @reset: reset it; present if the device has VFIO_DEVICE_FLAGS_RESET
 * @access: read or write a soft region, @off and @count within it, @count at most 64; called with
 *	evfio_device::lock held for writing. The errno is the user's
 * @match: whether VFIO_GROUP_GET_DEVICE_FD's @name means the device, or an errno; without it, the
 *	device's name does
 * @caps: add to the capabilities that VFIO_DEVICE_GET_INFO shows; called as @reset is
 * @irq_enable: switch an index on that has no interrupts yet, with @count of them. A result above
 *	0 is how many there could be. -EINVAL if the device has another index in use
 * @irq_line: the Linux interrupt number of a line of an index that is on, made if need be
 * @irq_disable: switch it off; its lines have been released
 * @irq_begin, @irq_end: around whatever touches interrupts: the device answers between them
 * @nothing: read() and write() of no bytes are 0 wherever they are
 * @sleeps: it may be suspended by runtime PM while it is open, see evfio_device::resting: read(),
 *	write() and ioctls wake it for as long as they last, and so does the last close
 * @requested: the index whose line 0 is signalled when the device is being unbound
 * @ioctls, @num_ioctls: what the bus adds; their object is the struct evfio_device
 * @features, @num_features: the same for VFIO_DEVICE_FEATURE
 *
 * Only @open and @close are always there. All may sleep, and are never called side by side for one
 * device; the irq_ ones come with evfio_device::lock held for writing, and with irq_lock.
 */
struct evfio_bus_ops {
	struct module	*owner;
	int		(*open)(struct evfio_device *vdev);
	bool		(*close)(struct evfio_device *vdev);
	int		(*reset)(struct evfio_device *vdev);
	int		(*access)(struct evfio_device *vdev, u32 index, u64 off, void *buf,
				  size_t count, bool write);
	int		(*match)(struct evfio_device *vdev, const char *name);
	int		(*caps)(struct evfio_device *vdev, struct evfio_caps *caps);
	int		(*irq_enable)(struct evfio_device *vdev, u32 index, u32 count);
	int		(*irq_line)(struct evfio_device *vdev, u32 index, u32 line);
	void		(*irq_disable)(struct evfio_device *vdev, u32 index);
	void		(*irq_begin)(struct evfio_device *vdev);
	void		(*irq_end)(struct evfio_device *vdev);
	bool		nothing;
	bool		sleeps;
	u32		requested;

	const struct evfio_ioctl	*ioctls;
	size_t				num_ioctls;
	const struct evfio_feature	*features;
	size_t				num_features;
};

/**
 * struct evfio_feature - one feature of VFIO_DEVICE_FEATURE
 * @id: VFIO_DEVICE_FEATURE_*
 * @ways: VFIO_DEVICE_FEATURE_GET | SET
 * @size: bytes of its data, at most 64; the user's must be as many at least
 * @handler: gets or sets @data
 * @has: whether the device has it; without it, all of the bus do
 */
struct evfio_feature {
	u16	id;
	u32	ways;
	u32	size;
	int	(*handler)(struct evfio_device *vdev, u32 way, void *data);
	bool	(*has)(struct evfio_device *vdev);
};

/**
 * struct evfio_device - a device that is bound to a VFIO driver
 * @dev: the device; valid for as long as this object is, though perhaps no longer on its bus
 * @ops: its bus
 * @flags: VFIO_DEVICE_FLAGS_* for VFIO_DEVICE_GET_INFO
 * @num_regions, @regions, @num_irqs, @irqs: what the bus found. The arrays are the bus's to
 *	allocate (kmalloc) and the core's to free. evfio_irq_find() says how @num_irqs may change
 * @resting: its user lets it sleep, and touching a mapping is SIGBUS; changed by the bus with @lock
 *	held for writing
 *
 * A bus allocates it as the first member of a structure of its own, fills the fields above, and
 * registers it. The remaining fields are device.c's, which says what protects them.
 */
struct evfio_device {
	struct device			*dev;
	const struct evfio_bus_ops	*ops;
	u32				flags;
	u32				num_regions;
	u32				num_irqs;
	struct evfio_region		*regions;
	struct evfio_irq		*irqs;
	bool				resting;

	struct kref			kref;
	struct evfio_group		*group;
	struct list_head		node;
	unsigned int			open_count;
	bool				leaving;
	unsigned long			deadline;	/* in jiffies, once it is leaving */
	bool				revoked;
	struct rw_semaphore		lock;	/* revoked, peers, ioeventfds; the hardware */
	struct list_head		peers;
	struct mutex			irq_lock;	/* the set-up of irqs, outside lock */
	struct list_head		ioeventfds;
	u32				num_ioeventfds;
	wait_queue_head_t		wait;
	struct address_space		*mapping;
#ifdef CONFIG_EVFIO_NOIOMMU
	struct xarray			pins;
	struct xarray			contigs;
#endif
};

struct evfio_device *evfio_device_alloc(size_t size, struct device *dev,
					const struct evfio_bus_ops *ops);
void evfio_device_put(struct evfio_device *vdev);
int evfio_device_register(struct evfio_device *vdev);
void evfio_device_announce(struct evfio_device *vdev);
void evfio_device_unregister(struct evfio_device *vdev);
int evfio_device_lock(struct evfio_device *vdev);
void evfio_device_unlock(struct evfio_device *vdev);

/* Allocate a bus's device structure, whose first member @member is a struct evfio_device. */
#define evfio_alloc(type, member, dev, ops)						\
	container_of(evfio_device_alloc(sizeof(type) +						\
					BUILD_BUG_ON_ZERO(offsetof(type, member)), dev, ops),	\
		     type, member)

int evfio_irq_init(struct evfio_irq *irq, u32 count);
void evfio_irq_signal(struct evfio_device *vdev, u32 index);
void evfio_line_hold(struct evfio_line *line, bool hold);
void evfio_line_sleep(struct evfio_line *line, bool asleep);
void evfio_regions_zap(struct evfio_device *vdev);
long evfio_ioeventfd(void *obj, union evfio_args *args, unsigned long arg);

struct file **evfio_group_files(const s32 *fds, u32 n);
void evfio_group_files_put(struct file **files, u32 n);
bool evfio_group_files_own(struct file **files, u32 n, struct evfio_device *vdev);

/* The most devices that a bus may want to be owned together. */
#define EVFIO_MATES	8

/**
 * struct evfio_finder - where isolation groups look for their members
 * @node: the core's
 * @bus: which bus
 * @added: the core's
 * @removed: the core's
 * @mates: whether two devices of the bus, or a device and itself, must be owned together though the
 *	IOMMU may tell them apart. May be NULL
 * @configure: put a device without a driver into the IOMMU group in which a driver would find it;
 *	its lock is held
 */
struct evfio_finder {
	struct list_head	node;
	const struct bus_type	*bus;
	struct notifier_block	added;
	struct notifier_block	removed;
	bool			(*mates)(struct device *dev, struct device *other);
	void			(*configure)(struct device *dev);
};

void evfio_finder_register(struct evfio_finder *finder);
void evfio_finder_unregister(struct evfio_finder *finder);

/**
 * struct evfio_iommu_info - an address space, as VFIO_IOMMU_GET_INFO describes it
 * @pgsizes: bit n set: pages of 2^n bytes can be mapped
 * @avail: mappings that can still be made
 * @mappings: mappings that exist
 * @pinned: pages they hold
 * @nr_ranges, @ranges: the usable IOVAs, ascending; the core frees @ranges
 */
struct evfio_iommu_info {
	u64				pgsizes;
	u32				avail;
	u32				mappings;
	u64				pinned;
	u32				nr_ranges;
	struct vfio_iova_range		*ranges;
};

/**
 * struct evfio_iommu_dirty - a look for pages that devices may have written to
 * @iova, @size: where to look; no mapping is in it in part
 * @pgsize: what the user takes for the smallest page
 * @from: where in it to go on, set by the core
 * @found, @bytes: the first of them from there on, and all that follow it without a gap; or none
 */
struct evfio_iommu_dirty {
	u64	iova;
	u64	size;
	u64	pgsize;
	u64	from;
	u64	found;
	u64	bytes;
};

/**
 * struct evfio_iommu_ops - a backend that maps memory for the groups of one container
 * @node: the core's
 * @owner: the backend's module, held while a container uses it
 * @check: the answer to VFIO_CHECK_EXTENSION, for @iommu or, if that is NULL, in general
 * @name: what fdinfo calls it
 * @open: a new, empty address space for VFIO_SET_IOMMU @type, or an ERR_PTR
 * @release: drop it; no group is attached any more
 * @attach: let the devices of @group, whose DMA is owned by the caller, into it
 * @detach: put them out again; never fails. DMA of the group is blocked when it returns
 * @map: VFIO_IOMMU_MAP_DMA of all of @ranges or, on failure, of none, with known flags in @prot;
 *	what cannot be pinned may be a peer
 * @unmap: VFIO_IOMMU_UNMAP_DMA of all of @ranges, of everything if @nr is 0, or, on failure, of
 *	none; sets *@size to the bytes unmapped
 * @buffer_add: EVFIO_IOMMU_REGISTER; sets *@id
 * @buffer_remove: EVFIO_IOMMU_UNREGISTER
 * @move: EVFIO_IOMMU_MOVE; the numbers of ranges are checked
 * @track: VFIO_IOMMU_DIRTY_PAGES: begin or end, as @flags say; of others, whether they make sense
 * @dirty: find dirty pages, once @track has begun
 * @vaddr: VFIO_IOMMU_UNMAP_DMA with VFIO_DMA_UNMAP_FLAG_VADDR, arguments as of @unmap; with @set,
 *	VFIO_IOMMU_MAP_DMA with VFIO_DMA_MAP_FLAG_VADDR of one range, for the current process
 * @info: describe it
 *
 * Ranges are ascending and apart. All from @map on may run side by side with each other, and with
 * @attach and @detach. They and @release may wait for a struct evfio_device's lock; @attach and
 * @detach may not.
 */
struct evfio_iommu_ops {
	struct list_head	node;
	struct module	*owner;
	int		(*check)(void *iommu, unsigned long extension);
	const char	*(*name)(void *iommu);
	void		*(*open)(unsigned long type);
	void		(*release)(void *iommu);
	int		(*attach)(void *iommu, struct iommu_group *group);
	void		(*detach)(void *iommu, struct iommu_group *group);
	int		(*map)(void *iommu, const struct evfio_iommu_range *ranges, unsigned int nr,
			       u32 prot);
	int		(*unmap)(void *iommu, const struct evfio_iommu_range *ranges,
				 unsigned int nr, u64 *size);
	int		(*buffer_add)(void *iommu, const struct evfio_iommu_register *user,
				      u32 *id);
	int		(*buffer_remove)(void *iommu, u32 id);
	int		(*move)(void *iommu, const struct evfio_iommu_move *user,
				const struct evfio_iommu_range *ranges);
	int		(*track)(void *iommu, u32 flags);
	int		(*dirty)(void *iommu, struct evfio_iommu_dirty *dirty);
	int		(*vaddr)(void *iommu, const struct evfio_iommu_range *ranges,
				 unsigned int nr, bool set, u64 *size);
	int		(*info)(void *iommu, struct evfio_iommu_info *info);
};

void evfio_iommu_register(struct evfio_iommu_ops *ops);
void evfio_iommu_unregister(struct evfio_iommu_ops *ops);

/**
 * struct evfio_peer - device memory that an IOMMU backend lets devices' DMA reach
 * @set: put it into the hardware, for all groups there are, or take it out, which never fails;
 *	called with evfio_device::lock of its device held for writing
 * @base: physical address
 * @region: where it is
 * @vdev: whose, kept until evfio_peer_remove()
 * @node: on the device's list
 * @on: it is in the hardware
 *
 * A backend makes it part of a structure of its own, with @set; peer.c sets the rest.
 */
struct evfio_peer {
	int				(*set)(struct evfio_peer *peer, bool on);
	phys_addr_t			base;
	const struct evfio_region	*region;
	struct evfio_device		*vdev;
	struct list_head		node;
	bool				on;
};

int evfio_peer_add(struct evfio_peer *peer, unsigned long vaddr, u64 size, bool write);
void evfio_peer_remove(struct evfio_peer *peer);

#endif
