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
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/wait.h>

#include "compat.h"

struct eventfd_ctx;
struct evfio_device;
struct evfio_group;

/* Region offset in the device fd: index << 40, the interface's constant. */
#define EVFIO_REGION_SHIFT	40

/**
 * struct evfio_region - one window of a device
 * @base: physical address; the core claims [base, base + size) while the device is open
 * @size: bytes; 0 describes an absent region, which has an index all the same
 * @flags: VFIO_REGION_INFO_FLAG_READ | WRITE | MMAP; MMAP only if base and size are page-aligned
 * @width: the one access width in bytes that read() and write() may use; 0 leaves the choice of 1,
 *	2 or 4 to alignment and length, -1 forbids both and leaves the region to mmap
 * @nonposted: writes must not be acknowledged early (device tree: nonposted-mmio)
 * @io: the core's own mapping, made at the first read() or write(), gone at last close
 */
struct evfio_region {
	phys_addr_t	base;
	u64		size;
	u32		flags;
	s8		width;
	bool		nonposted;
	void __iomem	*io;
};

/*
 * An eventfd that, when it is signalled, masks or unmasks a line. @closed: the user's last fd of it
 * has gone; nothing will signal it any more, and another may take its place.
 */
struct evfio_irqfd {
	struct eventfd_ctx	*ctx;
	bool			closed;
	wait_queue_entry_t	wait;
};

/**
 * struct evfio_line - one interrupt line
 * @hwirq: the Linux interrupt number; set by the bus
 * @lock: protects @masked against the handler and the irqfds
 * @masked: held back, by the user or by the handler (automask); kept across a change of trigger
 * @requested: the interrupt is ours, that is, @trigger is set; under evfio_device::irq_lock
 * @automask: level interrupt: the handler masks it, the user unmasks it
 * @trigger: signalled when the line fires; changes only while the handler cannot run
 * @mask, @unmask: eventfds that do what their name says
 */
struct evfio_line {
	int			hwirq;
	spinlock_t		lock;	/* masked */
	bool			masked;
	bool			requested;
	bool			automask;
	struct eventfd_ctx	*trigger;
	struct evfio_irqfd	mask;
	struct evfio_irqfd	unmask;
};

/**
 * struct evfio_irq - one interrupt index: @count lines with the same properties
 * @flags: VFIO_IRQ_INFO_EVENTFD | MASKABLE | AUTOMASKED
 * @count: number of @lines
 * @lines: allocated by the bus together with the index, freed by the core with the device
 */
struct evfio_irq {
	u32			flags;
	u32			count;
	struct evfio_line	*lines;
};

/**
 * struct evfio_bus_ops - what differs from bus to bus
 * @owner: the backend's module, held while a device fd exists
 * @open: power the device up and reset it; called at the first open
 * @close: quiesce it and power it down; called at the last close or at revocation. Returns whether
 *	the device is known to be quiet; if not, its DMA stays blocked until it is unbound
 * @reset: reset it; present if the device has VFIO_DEVICE_FLAGS_RESET
 *
 * All three may sleep, and are never called side by side for one device.
 */
struct evfio_bus_ops {
	struct module	*owner;
	int		(*open)(struct evfio_device *vdev);
	bool		(*close)(struct evfio_device *vdev);
	int		(*reset)(struct evfio_device *vdev);
};

/**
 * struct evfio_device - a device that is bound to a VFIO driver
 * @dev: the device; valid for as long as this object is, though perhaps no longer on its bus
 * @ops: its bus
 * @flags: VFIO_DEVICE_FLAGS_* for VFIO_DEVICE_GET_INFO
 * @num_regions, @regions, @num_irqs, @irqs: what the bus found. The arrays are the bus's to
 *	allocate (kmalloc) and the core's to free
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

	struct kref			kref;
	struct evfio_group		*group;
	struct list_head		node;
	unsigned int			open_count;
	bool				leaving;
	bool				revoked;
	struct rw_semaphore		lock;		/* revoked; the hardware */
	struct mutex			irq_lock;	/* the set-up of irqs */
	wait_queue_head_t		wait;
	struct address_space		*mapping;
};

struct evfio_device *evfio_device_alloc(size_t size, struct device *dev,
					const struct evfio_bus_ops *ops);
void evfio_device_put(struct evfio_device *vdev);
int evfio_device_register(struct evfio_device *vdev);
void evfio_device_unregister(struct evfio_device *vdev);

/* Allocate a bus's device structure, whose first member @member is a struct evfio_device. */
#define evfio_alloc(type, member, dev, ops)						\
	container_of(evfio_device_alloc(sizeof(type) +						\
					BUILD_BUG_ON_ZERO(offsetof(type, member)), dev, ops),	\
		     type, member)

int evfio_irq_init(struct evfio_irq *irq, u32 count);

/**
 * struct evfio_finder - where isolation groups look for their members
 * @node: the core's
 * @find: the bus's device for a device-tree node, with a reference, or NULL
 */
struct evfio_finder {
	struct list_head	node;
	struct device		*(*find)(const struct device_node *np);
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
 * struct evfio_iommu_ops - a backend that maps memory for the groups of one container
 * @owner: the backend's module, held while a container uses it
 * @check: the answer to VFIO_CHECK_EXTENSION, for @iommu or, if that is NULL, in general
 * @name: what fdinfo calls it
 * @open: a new, empty address space for VFIO_SET_IOMMU @type, or an ERR_PTR
 * @release: drop it; no group is attached any more
 * @attach: let the devices of @group, whose DMA is owned by the caller, into it
 * @detach: put them out again; never fails. DMA of the group is blocked when it returns
 * @map: VFIO_IOMMU_MAP_DMA with known flags in @prot
 * @unmap: VFIO_IOMMU_UNMAP_DMA with known flags; sets *@size to the bytes unmapped
 * @info: describe it
 *
 * @map, @unmap and @info may run side by side with each other, and with @attach and @detach.
 */
struct evfio_iommu_ops {
	struct module	*owner;
	int		(*check)(void *iommu, unsigned long extension);
	const char	*(*name)(void *iommu);
	void		*(*open)(unsigned long type);
	void		(*release)(void *iommu);
	int		(*attach)(void *iommu, struct iommu_group *group);
	void		(*detach)(void *iommu, struct iommu_group *group);
	int		(*map)(void *iommu, u64 iova, u64 vaddr, u64 size, u32 prot);
	int		(*unmap)(void *iommu, u64 iova, u64 *size, bool all);
	int		(*info)(void *iommu, struct evfio_iommu_info *info);
};

int evfio_iommu_register(const struct evfio_iommu_ops *ops);
void evfio_iommu_unregister(const struct evfio_iommu_ops *ops);

#endif
