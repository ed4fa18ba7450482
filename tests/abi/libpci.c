// SPDX-License-Identifier: GPL-2.0-only
/*
 * libpci - see libpci.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define EDU_IDS		0x11e81234u

/* QEMU docs/specs/rocker.rst: the vector whose number is written here fires. */
#define ROCKER_TEST_IRQ	0x20

/* ---- regions ---- */

int region_info(const struct dev *d, uint32_t index, const struct vfio_region_info **info)
{
	static union {
		struct vfio_region_info info;
		uint8_t room[4096];
	} buf;

	memset(&buf, 0, sizeof(buf));
	buf.info.argsz = sizeof(buf);
	buf.info.index = index;
	*info = &buf.info;
	return xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &buf);
}

const void *region_cap(const struct vfio_region_info *info, uint16_t id)
{
	const struct vfio_info_cap_header *cap;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return NULL;
	for (uint32_t at = info->cap_offset; at; at = cap->next) {
		cap = (const void *)((const uint8_t *)info + at);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

static const struct vfio_region_info *region(const struct dev *d, uint32_t index)
{
	const struct vfio_region_info *info;
	int ret = region_info(d, index, &info);

	if (ret)
		tap_bail("%s: region %u: %s", d->name, index, strerror(-ret));
	return info;
}

uint64_t region_size(const struct dev *d, uint32_t index)
{
	return region(d, index)->size;
}

long bar_pread(const struct dev *d, uint32_t index, uint64_t at, void *buf, size_t len)
{
	return sys(pread(d->fd, buf, len, (off_t)(region(d, index)->offset + at)));
}

long bar_pwrite(const struct dev *d, uint32_t index, uint64_t at, const void *buf, size_t len)
{
	return sys(pwrite(d->fd, buf, len, (off_t)(region(d, index)->offset + at)));
}

int bar_map(const struct dev *d, uint32_t index, volatile uint8_t **regs)
{
	const struct vfio_region_info *info = region(d, index);
	void *mem = mmap(NULL, info->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
			 (off_t)info->offset);

	*regs = mem;
	return mem == MAP_FAILED ? -errno : 0;
}

uint64_t hw_bar(const char *name, uint32_t index, uint64_t *size)
{
	unsigned long long first = 0, last = 0;
	FILE *file = fopen(board_path(name, "resource"), "re");

	if (!file)
		tap_bail("%s: resource: %m", name);
	for (uint32_t i = 0; i <= index; i++)
		if (fscanf(file, "%llx %llx %*x", &first, &last) != 2)
			tap_bail("%s has no resource %u", name, index);
	fclose(file);
	*size = last ? last - first + 1 : 0;
	return first;
}

/* ---- configuration space ---- */

long cfg_pread(const struct dev *d, uint64_t at, void *buf, size_t len)
{
	return bar_pread(d, VFIO_PCI_CONFIG_REGION_INDEX, at, buf, len);
}

long cfg_pwrite(const struct dev *d, uint64_t at, const void *buf, size_t len)
{
	return bar_pwrite(d, VFIO_PCI_CONFIG_REGION_INDEX, at, buf, len);
}

uint32_t cfg_read(const struct dev *d, uint32_t at, size_t width)
{
	uint32_t value = 0;
	long ret = cfg_pread(d, at, &value, width);

	if (ret != (long)width)
		tap_bail("%s: reading config 0x%x gives %ld", d->name, at, ret);
	return value;
}

void cfg_write(const struct dev *d, uint32_t at, size_t width, uint32_t value)
{
	long ret = cfg_pwrite(d, at, &value, width);

	if (ret != (long)width)
		tap_bail("%s: writing config 0x%x gives %ld", d->name, at, ret);
}

void cfg_command(const struct dev *d, uint16_t on, uint16_t off)
{
	cfg_write(d, PCI_COMMAND, 2, (cfg_read(d, PCI_COMMAND, 2) | on) & ~(uint32_t)off);
}

uint32_t cfg_cap(const struct dev *d, uint8_t id)
{
	uint32_t at;

	if (!(cfg_read(d, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	for (at = cfg_read(d, PCI_CAPABILITY_LIST, 1); at; at = cfg_read(d, at + 1, 1))
		if (cfg_read(d, at, 1) == id)
			break;
	return at;
}

uint32_t cfg_ext_cap(const struct dev *d, uint16_t id)
{
	uint32_t at = PCI_CFG_SPACE_SIZE, header;

	if (region_size(d, VFIO_PCI_CONFIG_REGION_INDEX) <= at)
		return 0;
	do {
		header = cfg_read(d, at, 4);
		if (header && PCI_EXT_CAP_ID(header) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	} while (at);
	return 0;
}

uint32_t hw_read(const char *name, uint32_t at, size_t width)
{
	uint32_t value = 0;
	int fd = open(board_path(name, "config"), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &value, width, at) != (ssize_t)width)
		tap_bail("%s: config: %m", name);
	close(fd);
	return value;
}

void hw_write(const char *name, uint32_t at, size_t width, uint32_t value)
{
	int fd = open(board_path(name, "config"), O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, &value, width, at) != (ssize_t)width)
		tap_bail("%s: config: %m", name);
	close(fd);
}

/* ---- interrupts ---- */

/* By the region: with large pages its BAR is not alone in one, and so cannot be mapped. */
void rocker_fire(const struct dev *d, uint32_t vector)
{
	bar_pwrite(d, VFIO_PCI_BAR0_REGION_INDEX, ROCKER_TEST_IRQ, &vector, sizeof(vector));
}

/* ---- the whole ---- */

void pci_open(struct dev *d, const char *name)
{
	dev_open(d, name);
	cfg_command(d, MEMORY | MASTER, 0);
	if (cfg_read(d, PCI_VENDOR_ID, 4) == EDU_IDS)
		edu_quiet(d);
}

int pci_fd_as(int group, const char *name, const char *options)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s", name, options);
	return device_fd(group, text);
}

int pci_open_as(struct dev *d, const char *name, const char *options)
{
	volatile uint8_t *regs;

	*d = (struct dev){ .name = name, .container = container_open(), .group = group_open(name) };
	if (d->group < 0 || group_set(d->group, d->container) ||
	    container_set_iommu(d->container, VFIO_TYPE1v2_IOMMU))
		tap_bail("%s: no group", name);
	d->fd = pci_fd_as(d->group, name, options);
	if (d->fd < 0)
		return d->fd;
	if (!bar_map(d, VFIO_PCI_BAR0_REGION_INDEX, &regs)) {
		d->regs = regs;
		d->size = region_size(d, VFIO_PCI_BAR0_REGION_INDEX);
	}
	return 0;
}

/* ---- virtual functions ---- */

void sriov_enable(const char *pf)
{
	board_take(pf);
	if (file_write(board_path(pf, "reset_method"), "\n") ||
	    file_write("/sys/module/vfio_pci/parameters/enable_sriov", "1"))
		tap_bail("%s: cannot have virtual functions", pf);
}

int sriov_set(const char *pf, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return file_write(board_path(pf, "sriov_numvfs"), text);
}

int sriov_feature(int fd, uint32_t flags, const void *token, size_t size)
{
	union {
		struct vfio_device_feature feature;
		uint8_t room[sizeof(struct vfio_device_feature) + 16];
	} arg = { .feature = {
		.argsz = sizeof(struct vfio_device_feature) + (uint32_t)size,
		.flags = flags | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
	} };

	memcpy(arg.feature.data, token, size);
	return xioctl(fd, VFIO_DEVICE_FEATURE, &arg);
}

int pci_reset(const struct dev *d)
{
	return xioctl(d->fd, VFIO_DEVICE_RESET, NULL);
}
