// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioeventfd: an eventfd that, when it is signalled, writes a value to a region.
 *
 * The user makes it and takes it away, by VFIO_DEVICE_IOEVENTFD, which is in the tables of buses
 * that have such a thing; the last close takes what is left. evfio_device::lock, held for writing,
 * protects the list.
 *
 * A signal comes with the eventfd's lock held, so nothing sleeps there: if evfio_device::lock is
 * free for reading the value is written at once, else by a work item. So is what comes out of an
 * interrupt handler: a device that raises an interrupt when it is written to would keep the
 * processor in its handlers forever. What comes while the region does not answer is lost.
 */
#include <linux/eventfd.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "core.h"

/* For each device; as many as the kernel's own has. */
#define IOEVENTFDS_MAX	1000

/* @what: its flags are the width in bytes; @index: of the region that its offset is in */
struct ioeventfd {
	struct list_head		node;
	struct evfio_device		*vdev;
	struct vfio_device_ioeventfd	what;
	u32				index;
	struct evfio_irqfd		irqfd;
	struct work_struct		work;
};

static void ioeventfd_work(struct work_struct *work)
{
	struct ioeventfd *io = container_of(work, struct ioeventfd, work);

	evfio_region_access(io->vdev, io->index, evfio_region_offset(io->what.offset),
			    &io->what.data, io->what.flags, true);
}

static void ioeventfd_fire(struct ioeventfd *io)
{
	struct evfio_device *vdev = io->vdev;
	struct evfio_region *region = &vdev->regions[io->index];

	if (in_hardirq() || region->soft || !down_read_trylock(&vdev->lock)) {
		schedule_work(&io->work);
		return;
	}
	evfio_region_move(vdev, region, evfio_region_offset(io->what.offset), &io->what.data,
			  io->what.flags, true);
	up_read(&vdev->lock);
}

static int ioeventfd_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct ioeventfd *io = container_of(wait, struct ioeventfd, irqfd.wait);
	u64 count;

	if (key_to_poll(key) & EPOLLIN) {
		eventfd_ctx_do_read(io->irqfd.ctx, &count);
		ioeventfd_fire(io);
	}
	return 0;
}

static void ioeventfd_free(struct ioeventfd *io)
{
	evfio_irqfd_drop(&io->irqfd);
	cancel_work_sync(&io->work);
	kfree(io);
}

static struct ioeventfd *ioeventfd_find(struct evfio_device *vdev,
					const struct vfio_device_ioeventfd *what)
{
	struct ioeventfd *io;

	lockdep_assert_held_write(&vdev->lock);
	list_for_each_entry(io, &vdev->ioeventfds, node)
		if (io->what.offset == what->offset && io->what.data == what->data &&
		    io->what.flags == what->flags)
			return io;
	return NULL;
}

static int ioeventfd_add(struct evfio_device *vdev, const struct vfio_device_ioeventfd *what,
			 u32 index)
{
	struct evfio_region *region = &vdev->regions[index];
	struct ioeventfd *io;
	int ret;

	if (vdev->num_ioeventfds == IOEVENTFDS_MAX)
		return -ENOSPC;
	if (!region->soft && !evfio_region_io(region))
		return -ENOMEM;
	io = kzalloc(sizeof(*io), GFP_KERNEL_ACCOUNT);
	if (!io)
		return -ENOMEM;
	io->vdev = vdev;
	io->what = *what;
	io->index = index;
	INIT_WORK(&io->work, ioeventfd_work);
	ret = evfio_irqfd_add(&io->irqfd, what->fd, ioeventfd_wake);
	if (ret < 0) {
		kfree(io);
		return ret;
	}
	if (ret)
		ioeventfd_fire(io);
	list_add(&io->node, &vdev->ioeventfds);
	vdev->num_ioeventfds++;
	return 0;
}

/* One write of @width bytes, which is what @region's registers and its hole allow. */
static bool can_write(const struct evfio_region *region, u64 off, u32 width)
{
	return is_power_of_2(width) && width <= region->widest && IS_ALIGNED(off, width) &&
	       off < region->size && width <= region->size - off &&
	       (off + width <= region->hole || off >= region->hole + region->hole_size);
}

/**
 * evfio_ioeventfd() - VFIO_DEVICE_IOEVENTFD, for buses' tables
 * @obj: the device
 * @args: struct vfio_device_ioeventfd
 * @arg: the same, the user's
 *
 * Return: 0; -EINVAL for a width, place or fd that cannot be; -EEXIST if the same value is written
 * there already; -ENODEV if it is to be taken away but is not there, or when revoked; -ENOSPC if
 * there are too many; -ENOMEM; what the eventfd says.
 */
long evfio_ioeventfd(void *obj, union evfio_args *args, unsigned long arg)
{
	const struct vfio_device_ioeventfd *what = &args->ioeventfd;
	unsigned long index = what->offset >> EVFIO_REGION_SHIFT;
	struct ioeventfd *io, *gone = NULL;
	struct evfio_device *vdev = obj;
	long ret;

	if (what->fd < -1 || index >= vdev->num_regions)
		return -EINVAL;
	index = array_index_nospec(index, vdev->num_regions);
	if (!can_write(&vdev->regions[index], evfio_region_offset(what->offset), what->flags))
		return -EINVAL;
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	io = ioeventfd_find(vdev, what);
	if (what->fd >= 0) {
		ret = io ? -EEXIST : ioeventfd_add(vdev, what, index);
	} else if (!io) {
		ret = -ENODEV;
	} else {
		list_del(&io->node);
		vdev->num_ioeventfds--;
		gone = io;
	}
	evfio_device_unlock(vdev);
	/* Its work item may wait for the device's lock. */
	if (gone)
		ioeventfd_free(gone);
	return ret;
}
EXPORT_SYMBOL_GPL(evfio_ioeventfd);

/**
 * evfio_ioeventfd_teardown() - no eventfd writes to the device any more
 * @vdev: the device, being closed: nobody adds or takes away
 */
void evfio_ioeventfd_teardown(struct evfio_device *vdev)
{
	struct ioeventfd *io, *next;

	list_for_each_entry_safe(io, next, &vdev->ioeventfds, node)
		ioeventfd_free(io);
	INIT_LIST_HEAD(&vdev->ioeventfds);
	vdev->num_ioeventfds = 0;
}
