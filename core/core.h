/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core's own files see of each other.
 *
 * Locks, outermost first:
 *	groups_lock (group.c) > evfio_group::lock > evfio_container::lock > isolation_lock
 *	evfio_group::lock > evfio_device::irq_lock > evfio_device::lock > evfio_line::lock
 *	evfio_device::irq_lock > what KVM takes for an irq bypass > mmap_lock
 *	evfio_device::lock > what evfio_peer::set takes
 *	evfio_container::lock > what evfio_iommu_ops::attach, detach and check take
 *	mmap_lock > evfio_device::lock
 *	an eventfd's lock > evfio_line::lock, and a try for evfio_device::lock (ioeventfd.c)
 * No lock is held across a user copy: a page of the user's may take forever to come, and removing
 * a device must not wait for it. But who holds irq_lock may wait for KVM, which does just that.
 */
#ifndef EVFIO_CORE_CORE_H
#define EVFIO_CORE_CORE_H

#include <linux/cdev.h>
#include <linux/evfio.h>
#include <linux/pm_runtime.h>

#include "evfio.h"
#include "noiommu.h"

/* ioctl.c */

/* The fixed part of an ioctl's argument, for whichever ioctl it is. */
union evfio_args {
	u32				argsz;
	s32				fd;
	struct vfio_group_status	status;
	struct vfio_device_info		device;
	struct vfio_device_feature	feature;
	struct vfio_region_info		region;
	struct vfio_irq_info		irq;
	struct vfio_irq_set		irq_set;
	struct vfio_device_ioeventfd	ioeventfd;
	struct evfio_device_region_wc	region_wc;
	struct evfio_device_pin		pin;
	struct evfio_device_unpin	unpin;
	struct evfio_device_sync	sync;
	struct evfio_device_contig	contig;
	struct evfio_device_contig_id	contig_id;
	struct vfio_iommu_type1_info	iommu;
	struct vfio_iommu_type1_dma_map		map;
	struct vfio_iommu_type1_dma_unmap	unmap;
	struct vfio_iommu_type1_dirty_bitmap	dirty;
	struct evfio_iommu_ranges	ranges;
	struct evfio_iommu_register	reg;
	struct evfio_iommu_unregister	unreg;
	struct evfio_iommu_move		move;
	/* Of all that take away what has a number. */
	struct {
		u32	argsz;
		u32	flags;
		u32	id;
	} undo;
};

static_assert(offsetof(union evfio_args, undo.id) == offsetof(union evfio_args, unpin.id));
static_assert(offsetof(union evfio_args, undo.id) == offsetof(union evfio_args, contig_id.id));
static_assert(offsetof(union evfio_args, undo.id) == offsetof(union evfio_args, unreg.id));

long evfio_ioctl(const struct evfio_ioctl *table, size_t rows, void *obj, unsigned int cmd,
		 unsigned long arg, long unknown);

int evfio_caps_copy(struct evfio_caps *caps, void __user *info, size_t info_size);

/* container.c */

struct evfio_container;

struct evfio_container *evfio_container_get(struct file *file);
void evfio_container_put(struct evfio_container *container);
int evfio_container_attach(struct evfio_container *container, struct evfio_group *group);
void evfio_container_detach(struct evfio_container *container, struct evfio_group *group);
bool evfio_container_has_iommu(struct evfio_container *container);
bool evfio_container_coherent(struct evfio_container *container);
int evfio_container_init(void);
void evfio_container_exit(void);

/* group.c */

struct evfio_set;

/**
 * struct evfio_group - an IOMMU group with at least one device bound to a VFIO driver
 * @dev, @cdev: /dev/vfio/N; @dev's reference count is the group's
 * @iommu_group: what it stands for
 * @set: what must be owned together with it
 * @node: on the list of groups, under groups_lock
 * @container_node: on the container's list, under its lock
 * @lock: protects all below, and opening and closing of the group's devices
 * @devices: evfio_device::node
 * @file: the one open file, NULL if there is none
 * @container: what the group is attached to
 * @open_fds: device fds that are not revoked; each also holds @file
 * @dead: the last device has gone: a file that is still open answers ENODEV
 */
struct evfio_group {
	struct device		dev;
	struct cdev		cdev;
	struct iommu_group	*iommu_group;
	struct evfio_set	*set;
	struct list_head	node;
	struct list_head	container_node;

	struct mutex		lock;	/* all below */
	struct list_head	devices;
	struct file		*file;
	struct evfio_container	*container;
	unsigned int		open_fds;
	bool			dead;
};

int evfio_group_add(struct evfio_device *vdev);
void evfio_group_remove(struct evfio_device *vdev);
int evfio_group_init(void);
bool vfio_file_is_valid(struct file *file);
bool vfio_file_is_group(struct file *file);
void evfio_group_exit(void);

/* isolation.c */

struct evfio_set *evfio_set_get(struct device *dev, struct iommu_group *group);
void evfio_set_put(struct evfio_set *set, struct iommu_group *group);
int evfio_set_claim(struct evfio_set *set, struct evfio_container *container);
void evfio_set_release(struct evfio_set *set);
void evfio_set_quarantine(struct evfio_set *set, struct iommu_group *group);
bool evfio_set_viable(struct evfio_set *set);
ssize_t evfio_set_members(struct evfio_set *set, char *page);
int evfio_isolation_init(void);
void evfio_isolation_exit(void);

/* device.c */

int evfio_device_fd(struct evfio_device *vdev);
int evfio_device_resume(struct evfio_device *vdev);

/*
 * Around what a user's call does with a device that may sleep: 0, and evfio_device_rest() is due,
 * or -EIO if it does not wake up. evfio_device::lock is not held, for waking takes it.
 */
static inline int evfio_device_wake(struct evfio_device *vdev)
{
	return vdev->ops->sleeps ? evfio_device_resume(vdev) : 0;
}

static inline void evfio_device_rest(struct evfio_device *vdev)
{
	if (vdev->ops->sleeps)
		pm_runtime_put(vdev->dev);
}

/* region.c */

/* Where in its region a position of the device fd is. */
static inline u64 evfio_region_offset(u64 pos)
{
	return pos & (BIT_ULL(EVFIO_REGION_SHIFT) - 1);
}

int evfio_regions_claim(struct evfio_device *vdev);
void evfio_regions_release(struct evfio_device *vdev);
void __iomem *evfio_region_io(struct evfio_region *region);
int evfio_region_move(struct evfio_device *vdev, struct evfio_region *region, u64 off, void *buf,
		      size_t count, bool write);
int evfio_region_access(struct evfio_device *vdev, u32 index, u64 off, void *buf, size_t count,
			bool write);
ssize_t evfio_region_rw(struct evfio_device *vdev, char __user *buf, size_t count, loff_t *pos,
			bool write);
int evfio_region_mmap(struct evfio_device *vdev, struct vm_area_struct *vma);
const struct evfio_region *evfio_region_mapped(const struct vm_area_struct *vma,
					       unsigned long vaddr, phys_addr_t *base);

/* peer.c */

void evfio_peers_off(struct evfio_device *vdev);
void evfio_peers_drop(struct evfio_device *vdev);
void evfio_peers_restore(struct evfio_device *vdev);

/* irq.c */

long evfio_irq_set(struct evfio_device *vdev, struct vfio_irq_set *set, void __user *data);
void evfio_irq_drain(struct evfio_device *vdev);
void evfio_irq_teardown(struct evfio_device *vdev);
struct evfio_irq *evfio_irq_find(struct evfio_device *vdev, u32 index);
void evfio_irq_free(struct evfio_device *vdev);
int evfio_irqfd_add(struct evfio_irqfd *irqfd, s32 fd, wait_queue_func_t wake);
void evfio_irqfd_drop(struct evfio_irqfd *irqfd);

/* ioeventfd.c */

void evfio_ioeventfd_teardown(struct evfio_device *vdev);

#endif
