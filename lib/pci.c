// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The configuration space of PCI devices.
 */
#include <errno.h>
#include <linux/pci_regs.h>

#include "internal.h"

/* Most capabilities that can be in either space: a list that is longer goes in a circle. */
#define MAX_CAPS	((PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF)
#define MAX_EXT_CAPS	((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / PCI_CAP_SIZEOF)

/* The configuration space as a region for evfio_region_read(), not mapped. */
static int config(const struct evfio_device *dev, unsigned int width, struct evfio_region *region)
{
	struct evfio_region_info info;
	int err;

	if (!(dev->flags & VFIO_DEVICE_FLAGS_PCI))
		return fail(-EOPNOTSUPP, "%s is not a PCI device", dev->sys->name);
	if (width > 4)
		return fail(-EINVAL, "configuration registers have 1, 2 or 4 bytes, not %u", width);
	err = evfio_region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	if (err)
		return err;
	*region = (struct evfio_region) {
		.size = info.size,
		.offset = info.offset,
		.index = info.index,
		.flags = info.flags,
		.fd = dev->fd,
	};
	return 0;
}

int evfio_pci_read(const struct evfio_device *dev, uint32_t offset, unsigned int width,
		   uint32_t *value)
{
	struct evfio_region region;
	uint64_t wide;
	int err;

	err = config(dev, width, &region);
	if (!err)
		err = evfio_region_read(&region, offset, width, &wide);
	if (!err)
		*value = (uint32_t)wide;
	return err;
}

int evfio_pci_write(struct evfio_device *dev, uint32_t offset, unsigned int width, uint32_t value)
{
	struct evfio_region region;
	int err;

	err = config(dev, width, &region);
	return err ? err : evfio_region_write(&region, offset, width, value);
}

int evfio_pci_find_cap(const struct evfio_device *dev, uint8_t id)
{
	uint32_t status, at, header;
	int rounds, err;

	err = evfio_pci_read(dev, PCI_STATUS, 2, &status);
	if (!err)
		err = evfio_pci_read(dev, PCI_CAPABILITY_LIST, 1, &at);
	if (err)
		return err;
	if (!(status & PCI_STATUS_CAP_LIST))
		at = 0;
	for (rounds = 0; at >= PCI_STD_HEADER_SIZEOF && rounds < MAX_CAPS; rounds++) {
		at &= ~3U;
		err = evfio_pci_read(dev, at, 2, &header);
		if (err)
			return err;
		if ((header & 0xff) == id)
			return (int)at;
		at = header >> 8;
	}
	return fail(-ENOENT, "%s has no capability 0x%02x", dev->sys->name, id);
}

int evfio_pci_find_ext_cap(const struct evfio_device *dev, uint16_t id)
{
	uint32_t at = PCI_CFG_SPACE_SIZE, header;
	int rounds, err;

	for (rounds = 0; at >= PCI_CFG_SPACE_SIZE && rounds < MAX_EXT_CAPS; rounds++) {
		err = evfio_pci_read(dev, at, 4, &header);
		/* The space of a device without PCI Express ends where these begin. */
		if (err == -ERANGE)
			break;
		if (err)
			return err;
		/* No capability at all is told by an empty first one. */
		if (header && PCI_EXT_CAP_ID(header) == id)
			return (int)at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return fail(-ENOENT, "%s has no extended capability 0x%04x", dev->sys->name, id);
}

int evfio_pci_command(struct evfio_device *dev, uint16_t bits, bool on)
{
	uint32_t command;
	int err;

	err = evfio_pci_read(dev, PCI_COMMAND, 2, &command);
	if (err)
		return err;
	command = on ? command | bits : command & ~(uint32_t)bits;
	return evfio_pci_write(dev, PCI_COMMAND, 2, command);
}
