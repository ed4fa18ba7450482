// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Memory for the DMA of devices without an IOMMU.
 */
#include <errno.h>
#include <linux/evfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* The caller sees pub, whose extents are those of arg: the two structures are alike. */
struct pin {
	struct evfio_pin pub;
	struct evfio_device *dev;
	struct evfio_device_pin arg;
};

static int explain(int err, const struct evfio_device *dev, const void *addr, size_t size,
		   uint64_t mask)
{
	switch (err) {
	case -ENOTTY:
		return fail(err, "the kernel's own VFIO has no memory for devices without an "
			    "IOMMU: load evfio's modules");
	case -ERANGE:
		return fail(err, "%s cannot reach all of the memory at %p: by %d bits of address, "
			    "or by the \"dma-ranges\" above it", dev->sys->name, addr,
			    64 - __builtin_clzll(mask));
	case -EOPNOTSUPP:
		return fail(err, "nothing of the DMA of %s reaches memory directly on this machine",
			    dev->sys->name);
	case -ENOMEM:
	case -EFAULT:
		return dma_explain_map(dev->ct, err, addr, size, 0);
	default:
		return fail(err, "cannot pin memory at %p for %s: %s", addr, dev->sys->name,
			    strerror(-err));
	}
}

int evfio_pin_memory(struct evfio_device *dev, void *addr, size_t size, unsigned int flags,
		     struct evfio_pin **out)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pin *pin = NULL, *bigger;
	size_t room = 1;
	uint64_t mask;
	int err;

	if (!size || size % page || (uintptr_t)addr % page)
		return fail(-EINVAL, "address %p and size 0x%zx must be multiples of the page "
			    "size, 0x%zx", addr, size, page);
	err = dma_check_flags(flags, EVFIO_DMA_BOTH);
	if (err)
		return err;
	if (!dev->ct->noiommu)
		return fail(-ENOTTY, "%s has an IOMMU: evfio_dma_map() is for it", dev->sys->name);
	mask = dma_mask(dev);
	if (!mask)
		return -EINVAL;
	/* The kernel says how many extents there are; the memory may move until it is pinned. */
	for (;;) {
		bigger = realloc(pin, sizeof(*pin) + room * sizeof(pin->arg.extents[0]));
		if (!bigger) {
			free(pin);
			return fail(-ENOMEM, "no memory for %zu extents", room);
		}
		pin = bigger;
		pin->arg = (struct evfio_device_pin){
			.argsz = (uint32_t)(sizeof(pin->arg) + room * sizeof(pin->arg.extents[0])),
			.flags = flags,
			.vaddr = (uintptr_t)addr,
			.size = size,
			.mask = mask,
		};
		if (!ioctl(dev->fd, EVFIO_DEVICE_PIN, &pin->arg))
			break;
		err = -errno;
		if (err != -ENOSPC) {
			free(pin);
			return explain(err, dev, addr, size, mask);
		}
		room = pin->arg.nr_extents;
	}
	pin->dev = dev;
	pin->pub.addr = addr;
	pin->pub.size = size;
	pin->pub.nr_extents = pin->arg.nr_extents;
	pin->pub.extents = (const struct evfio_extent *)pin->arg.extents;
	*out = &pin->pub;
	return 0;
}

uint64_t evfio_pin_address(const struct evfio_pin *pin, size_t offset, size_t *left)
{
	const struct evfio_extent *extent = pin->extents;

	if (offset >= pin->size) {
		if (left)
			*left = 0;
		fail(-EINVAL, "offset 0x%zx is beyond memory of 0x%zx bytes", offset, pin->size);
		return UINT64_MAX;
	}
	for (; offset >= extent->size; extent++)
		offset -= (size_t)extent->size;
	if (left)
		*left = (size_t)extent->size - offset;
	return extent->address + offset;
}

static int sync_range(const struct evfio_pin *pub, size_t offset, size_t size, bool for_cpu)
{
	const struct pin *pin = (const struct pin *)pub;
	struct evfio_device_sync arg = {
		.argsz = sizeof(arg),
		.flags = for_cpu ? EVFIO_SYNC_FOR_CPU : EVFIO_SYNC_FOR_DEVICE,
		.id = pin->arg.id,
		.offset = offset,
		.size = size,
	};
	int err = sync_check(pub->size, offset, size);

	if (err || !size || pin->dev->sys->coherent)
		return err;
	/* The kernel does it where programs cannot. */
	if (cache_sync((const char *)pub->addr + offset, size, for_cpu) &&
	    ioctl(pin->dev->fd, EVFIO_DEVICE_SYNC, &arg))
		return fail_errno("%s is not coherent with the CPU's caches, which cannot be "
				  "maintained for memory at %p", pin->dev->sys->name, pub->addr);
	return 0;
}

int evfio_pin_sync_for_device(const struct evfio_pin *pin, size_t offset, size_t size)
{
	return sync_range(pin, offset, size, false);
}

int evfio_pin_sync_for_cpu(const struct evfio_pin *pin, size_t offset, size_t size)
{
	return sync_range(pin, offset, size, true);
}

int evfio_pin_free(struct evfio_pin *pub)
{
	struct pin *pin = (struct pin *)pub;
	struct evfio_device_unpin arg = { .argsz = sizeof(arg) };
	int err = 0;

	if (!pin)
		return 0;
	arg.id = pin->arg.id;
	if (ioctl(pin->dev->fd, EVFIO_DEVICE_UNPIN, &arg))
		err = fail_errno("cannot unpin memory at %p", pub->addr);
	free(pin);
	return err;
}
