// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for DMA without an IOMMU: pinned, and told by its addresses on the device's bus.
 *
 * A struct pinned belongs to the device it was pinned for, not to the process. It is in
 * evfio_device::pins from EVFIO_DEVICE_PIN until EVFIO_DEVICE_UNPIN, until the device is closed or
 * revoked, and quiet, or until it is unbound; who takes it out unpins it. Users put it in, take it
 * out and have caches maintained for it with evfio_device::lock held, so that there is none of that
 * once the device is revoked.
 */
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "../../core/core.h"
#include "../../core/pin.h"

/* The next extent, if it is one, goes to the user; it is counted also when there is no room. */
static int extent_put(const struct evfio_device_extent *extent, struct evfio_device_pin *user,
		      unsigned long arg)
{
	const size_t at = struct_size(user, extents, user->nr_extents);

	if (!extent->size)
		return 0;
	user->nr_extents++;
	return at + sizeof(*extent) > user->argsz ? 0 :
	       evfio_tail_put(arg, at, extent, 1, sizeof(*extent));
}

/*
 * Where the device finds some pages: those that follow each other there as well, at most @max.
 * Page by page: what the bus does with addresses may change in the middle. -ERANGE if it does not
 * find one. Unbinding takes away what tells that of the bus.
 */
static int bus_run(struct evfio_device *vdev, unsigned long pfn, unsigned long max, u64 mask,
		   struct evfio_device_extent *run)
{
	struct device *dev = vdev->dev;
	dma_addr_t bus;
	u64 limit;
	int ret = evfio_device_lock(vdev);

	if (ret)
		return ret;
	limit = min_not_zero(mask ?: dma_get_mask(dev), dev->bus_dma_limit);
	run->address = phys_to_dma(dev, PFN_PHYS(pfn));
	for (run->size = 0; max--; run->size += PAGE_SIZE) {
		bus = phys_to_dma(dev, PFN_PHYS(pfn++));
		if (bus != run->address + run->size)
			break;
		if (bus > limit || limit - bus < PAGE_SIZE - 1) {
			ret = -ERANGE;
			break;
		}
	}
	evfio_device_unlock(vdev);
	return ret;
}

/* Tell the user where the device finds it; -ERANGE if it cannot. */
static int pinned_tell(struct evfio_device *vdev, const struct pinned *pinned,
		       struct evfio_device_pin *user, unsigned long arg)
{
	struct evfio_device_extent next = { }, run;
	unsigned long at;
	struct extent e;
	int ret;

	user->nr_extents = 0;
	for_each_extent(e, pinned) {
		for (at = 0; at < e.count; at += run.size >> PAGE_SHIFT) {
			ret = bus_run(vdev, e.pfn + at, e.count - at, user->mask, &run);
			if (ret)
				return ret;
			if (next.address + next.size != run.address) {
				ret = extent_put(&next, user, arg);
				if (ret)
					return ret;
				next.address = run.address;
				next.size = 0;
			}
			next.size += run.size;
		}
		cond_resched();
	}
	return extent_put(&next, user, arg) ?:
	       struct_size(user, extents, user->nr_extents) > user->argsz ? -ENOSPC : 0;
}

static void pinned_free(struct pinned *pinned, bool hurry)
{
	struct credit credit = { .hurry = hurry };

	evfio_unpin(pinned, &credit);
	evfio_settle(&credit);
	kfree(pinned);
}

/**
 * evfio_noiommu_pin() - EVFIO_DEVICE_PIN
 * @obj: the device
 * @args: struct evfio_device_pin
 * @arg: the same, the user's
 */
long evfio_noiommu_pin(void *obj, union evfio_args *args, unsigned long arg)
{
	const u32 flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	struct evfio_device_pin *user = &args->pin;
	struct evfio_device *vdev = obj;
	struct pinned *pinned;
	u64 last;
	int ret;

	if (!evfio_noiommu(vdev->group->iommu_group))
		return -ENOTTY;
	if (!user->flags || user->flags & ~flags || !user->size ||
	    (user->vaddr | user->size) & ~PAGE_MASK ||
	    check_add_overflow(user->vaddr, user->size - 1, &last) || last != (unsigned long)last)
		return -EINVAL;
	if (get_dma_ops(vdev->dev) || is_swiotlb_force_bounce(vdev->dev))
		return -EOPNOTSUPP;
	pinned = kzalloc(sizeof(*pinned), GFP_KERNEL_ACCOUNT);
	if (!pinned)
		return -ENOMEM;
	pinned->pages = user->size >> PAGE_SHIFT;
	pinned->write = !!(user->flags & VFIO_DMA_MAP_FLAG_WRITE);
	ret = evfio_pin(pinned, user->vaddr, true) ?: pinned_tell(vdev, pinned, user, arg) ?:
	      evfio_device_lock(vdev);
	if (!ret) {
		ret = xa_alloc(&vdev->pins, &user->id, pinned, xa_limit_32b, GFP_KERNEL_ACCOUNT);
		evfio_device_unlock(vdev);
	}
	if (ret)
		pinned_free(pinned, false);
	return ret;
}

/**
 * evfio_noiommu_unpin() - EVFIO_DEVICE_UNPIN
 * @obj: the device
 * @args: struct evfio_device_unpin
 * @arg: the same, the user's
 */
long evfio_noiommu_unpin(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	struct pinned *pinned;
	int ret;

	if (!evfio_noiommu(vdev->group->iommu_group))
		return -ENOTTY;
	if (args->unpin.flags)
		return -EINVAL;
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	pinned = xa_erase(&vdev->pins, args->unpin.id);
	evfio_device_unlock(vdev);
	if (!pinned)
		return -ENOENT;
	pinned_free(pinned, false);
	return 0;
}

/*
 * Maintain the caches for the bytes from @at to @end. The DMA API does that where memory is mapped,
 * which cleans lines, and unmapped, which may invalidate them: never one that was not cleaned, for
 * what is behind it in memory can be another's of long ago.
 */
static int pinned_sync(struct device *dev, const struct pinned *pinned, u64 at, u64 end,
		       enum dma_data_direction dir)
{
	unsigned int n = 0;
	dma_addr_t bus;
	phys_addr_t phys;
	u64 first = 0;
	struct extent e;
	size_t size;

	for_each_extent(e, pinned) {
		for (; at < end && at - first < PFN_PHYS(e.count); at += size) {
			phys = PFN_PHYS(e.pfn) + (at - first);
			size = min_t(u64, end - at, PAGE_SIZE - offset_in_page(phys));
			bus = phys_to_dma(dev, phys);
			/* Beyond the kernel's mask of the device it would be copied. */
			if (!dma_capable(dev, bus, size, true))
				return -ERANGE;
			bus = dma_map_page(dev, pfn_to_page(PHYS_PFN(phys)),
					   offset_in_page(phys), size, dir);
			if (dma_mapping_error(dev, bus))
				return -ENOMEM;
			dma_unmap_page(dev, bus, size, dir);
			if (!time_for_others(n++))
				continue;
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		first += PFN_PHYS(e.count);
	}
	return 0;
}

/**
 * evfio_noiommu_sync() - EVFIO_DEVICE_SYNC
 * @obj: the device
 * @args: struct evfio_device_sync
 * @arg: the same, the user's
 */
long evfio_noiommu_sync(void *obj, union evfio_args *args, unsigned long arg)
{
	/* The kernel copies where a part of a line is to be invalidated. */
	const u32 line = dma_get_cache_alignment();
	const struct evfio_device_sync *user = &args->sync;
	struct evfio_device *vdev = obj;
	struct pinned *pinned;
	u64 end;
	int ret;

	if (!evfio_noiommu(vdev->group->iommu_group))
		return -ENOTTY;
	if ((user->flags != EVFIO_SYNC_FOR_DEVICE && user->flags != EVFIO_SYNC_FOR_CPU) ||
	    user->pad || !user->size || check_add_overflow(user->offset, user->size, &end))
		return -EINVAL;
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	pinned = xa_load(&vdev->pins, user->id);
	if (!pinned)
		ret = -ENOENT;
	else if (end > (u64)pinned->pages << PAGE_SHIFT)
		ret = -EINVAL;
	else
		ret = pinned_sync(vdev->dev, pinned, round_down(user->offset, line),
				  round_up(end, line), user->flags == EVFIO_SYNC_FOR_CPU ?
				  DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
	evfio_device_unlock(vdev);
	return ret;
}

/**
 * evfio_pins_release() - give back all memory that is pinned for a device, and its buffers
 * @vdev: the device, which does no DMA any more, as far as we can see to it
 */
void evfio_pins_release(struct evfio_device *vdev)
{
	struct pinned *pinned;
	unsigned long id;

	xa_for_each(&vdev->pins, id, pinned) {
		xa_erase(&vdev->pins, id);
		pinned_free(pinned, true);
	}
	evfio_contigs_release(vdev);
}
