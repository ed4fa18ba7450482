// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Regions.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/evfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* <linux/vfio.h>: VFIO_PCI_BAR0_REGION_INDEX and following */
static const char *const pci_names[] = {
	"bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "config", "vga",
};

static void region_name(const struct evfio_device *dev, uint32_t index, char *buf, size_t size)
{
	buf[0] = '\0';
	if (dev->flags & VFIO_DEVICE_FLAGS_PCI) {
		if (index < ARRAY_SIZE(pci_names))
			strcpy(buf, pci_names[index]);
	} else if (evfio_dt_string(dev->sys->syspath, "reg-names", index, buf, size) < 0) {
		buf[0] = '\0';
	}
}

int evfio_region_info(const struct evfio_device *dev, uint32_t index,
		      struct evfio_region_info *info)
{
	struct vfio_region_info vfio = { .argsz = sizeof(vfio), .index = index };

	if (index >= dev->nr_regions)
		return fail(-EINVAL, "%s has no region %" PRIu32 ": it has %" PRIu32,
			    dev->sys->name, index, dev->nr_regions);
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &vfio))
		return fail_errno("cannot get information about region %" PRIu32 " of %s", index,
				  dev->sys->name);
	memset(info, 0, sizeof(*info));
	info->index = index;
	info->flags = vfio.flags & (EVFIO_REGION_READ | EVFIO_REGION_WRITE | EVFIO_REGION_MMAP);
	info->size = vfio.size;
	info->offset = vfio.offset;
	region_name(dev, index, info->name, sizeof(info->name));
	return 0;
}

int evfio_region_index(const struct evfio_device *dev, const char *name)
{
	uint32_t i;

	if (!(dev->flags & VFIO_DEVICE_FLAGS_PCI)) {
		int index = evfio_dt_string_index(dev->sys->syspath, "reg-names", name);

		if (index >= 0 && (uint32_t)index < dev->nr_regions)
			return index;
	} else {
		for (i = 0; i < ARRAY_SIZE(pci_names) && i < dev->nr_regions; i++) {
			if (!strcmp(pci_names[i], name))
				return (int)i;
		}
	}
	return fail(-ENOENT, "%s has no region \"%s\"", dev->sys->name, name);
}

static int region_map(const struct evfio_device *dev, uint32_t index, bool combine,
		      struct evfio_region **out)
{
	struct evfio_device_region_wc wc = { .argsz = sizeof(wc), .index = index };
	struct evfio_region_info info;
	struct evfio_region *region;
	int prot = 0, err;
	void *base;

	err = evfio_region_info(dev, index, &info);
	if (err)
		return err;
	if (!info.size)
		return fail(-ENXIO, "region %" PRIu32 " of %s is empty", index, dev->sys->name);
	region = calloc(1, sizeof(*region));
	if (!region)
		return fail(-ENOMEM, "no memory for a region");
	region->fd = dev->fd;
	region->index = index;
	region->flags = info.flags;
	region->size = info.size;
	region->offset = info.offset;

	if ((info.flags & EVFIO_REGION_MMAP) && info.size <= SIZE_MAX) {
		if (combine && !ioctl(dev->fd, EVFIO_DEVICE_REGION_WC, &wc)) {
			region->flags |= EVFIO_REGION_WC;
			info.offset = wc.offset;
		}
		if (info.flags & EVFIO_REGION_READ)
			prot |= PROT_READ;
		if (info.flags & EVFIO_REGION_WRITE)
			prot |= PROT_WRITE;
		base = mmap(NULL, (size_t)info.size, prot, MAP_SHARED, dev->fd,
			    (off_t)info.offset);
		if (base == MAP_FAILED) {
			err = fail_errno("cannot map region %" PRIu32 " of %s", index,
					 dev->sys->name);
			free(region);
			return err;
		}
		region->base = base;
	}
	*out = region;
	return 0;
}

int evfio_region_map(const struct evfio_device *dev, uint32_t index, struct evfio_region **out)
{
	return region_map(dev, index, false, out);
}

int evfio_region_map_wc(const struct evfio_device *dev, uint32_t index, struct evfio_region **out)
{
	return region_map(dev, index, true, out);
}

int evfio_region_map_name(const struct evfio_device *dev, const char *name,
			  struct evfio_region **out)
{
	int index = evfio_region_index(dev, name);

	return index < 0 ? index : evfio_region_map(dev, (uint32_t)index, out);
}

void evfio_region_unmap(struct evfio_region *region)
{
	if (!region)
		return;
	if (region->base)
		munmap((void *)(uintptr_t)region->base, (size_t)region->size);
	free(region);
}

static int check_access(const struct evfio_region *region, uint64_t offset, unsigned int width,
			uint32_t flag)
{
	if (!width || width > 8 || (width & (width - 1)))
		return fail(-EINVAL, "accesses have 1, 2, 4 or 8 bytes, not %u", width);
	if (offset & (width - 1))
		return fail(-EINVAL, "offset 0x%" PRIx64 " is not a multiple of %u", offset, width);
	if (region->size < width || offset > region->size - width)
		return fail(-ERANGE,
			    "offset 0x%" PRIx64 " is beyond region %" PRIu32 ", of 0x%" PRIx64
			    " bytes", offset, region->index, region->size);
	if (!(region->flags & flag))
		return fail(-EACCES, "region %" PRIu32 " is not %s", region->index,
			    flag == EVFIO_REGION_READ ? "readable" : "writable");
	return 0;
}

/* Leaves a message for an access that gave n, as pread() does. */
static int access_result(ssize_t n, unsigned int width, uint64_t offset)
{
	if (n == (ssize_t)width)
		return 0;
	if (n < 0)
		return fail_errno("%u bytes at offset 0x%" PRIx64, width, offset);
	return fail(-EIO, "only %zd of %u bytes at offset 0x%" PRIx64, n, width, offset);
}

int evfio_region_read(const struct evfio_region *region, uint64_t offset, unsigned int width,
		      uint64_t *value)
{
	uint64_t bytes = 0;
	ssize_t n;
	int err;

	err = check_access(region, offset, width, EVFIO_REGION_READ);
	if (err)
		return err;
	n = pread(region->fd, &bytes, width, (off_t)(region->offset + offset));
	err = access_result(n, width, offset);
	if (err)
		return err;
	/* The bytes are as in the register, little-endian, and the first ones in memory. */
	*value = le64toh(bytes);
	return 0;
}

int evfio_region_write(const struct evfio_region *region, uint64_t offset, unsigned int width,
		       uint64_t value)
{
	uint64_t bytes = htole64(value);
	int err;

	err = check_access(region, offset, width, EVFIO_REGION_WRITE);
	if (err)
		return err;
	return access_result(pwrite(region->fd, &bytes, width, (off_t)(region->offset + offset)),
			     width, offset);
}

uint64_t evfio_region_slow_read(const struct evfio_region *region, uint64_t offset,
				unsigned int width)
{
	uint64_t value;

	return evfio_region_read(region, offset, width, &value) ? UINT64_MAX : value;
}

void evfio_region_slow_write(const struct evfio_region *region, uint64_t offset,
			     unsigned int width, uint64_t value)
{
	/* Lost if it fails, as documented; the message stays. */
	(void)evfio_region_write(region, offset, width, value);
}
