// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_info - what PCI functions of several kinds say of their regions and interrupts
 */
/* vm: board=pci */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define R	VFIO_REGION_INFO_FLAG_READ
#define RWF	(R | VFIO_REGION_INFO_FLAG_WRITE)
#define RWM	(RWF | VFIO_REGION_INFO_FLAG_MMAP)
#define MSIX	(RWM | VFIO_REGION_INFO_FLAG_CAPS)	/* the BAR with the vectors' table */
#define EVENT	VFIO_IRQ_INFO_EVENTFD
#define LEVEL	(EVENT | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED)
#define FIXED	(EVENT | VFIO_IRQ_INFO_NORESIZE)

struct want {
	const char *name;
	uint32_t flags[6];		/* of the BARs; 0 where there is none */
	uint64_t rom, config;
	uint32_t intx, msi, msix, err;	/* vectors; 1 for an index that is there */
	bool reset;
};

static const struct want wanted[] = {
	{ PCI_EDU, { RWM }, .config = 256, .intx = 1, .msi = 1 },
	{ PCI_NVME, { MSIX }, .config = 4096, .intx = 1, .msix = 65, .err = 1, .reset = true },
	{ PCI_NIC, { RWM, RWM, RWF, MSIX }, .rom = 0x8000, .config = 4096,
	  .intx = 1, .msi = 1, .msix = 5, .err = 1, .reset = true },
	{ PCI_FAR, { RWM, RWM, RWF, MSIX }, .config = 4096,
	  .intx = 1, .msi = 1, .msix = 5, .err = 1, .reset = true },
	{ PCI_BRIDGED, { RWM }, .config = 256, .intx = 1, .msi = 1, .reset = true },
	{ PCI_TWIN1, { RWM }, .config = 256, .intx = 1, .msi = 1 },
	{ PCI_ROCKER, { RWM, MSIX }, .config = 256, .msix = 4 },
	{ PCI_SRIOV, { MSIX }, .config = 4096, .intx = 1, .msix = 63, .err = 1, .reset = true },
	{ PCI_USB, { MSIX }, .config = 4096, .intx = 1, .msi = 16, .msix = 16, .err = 1 },
};

static void device(const struct want *w, const struct dev *d)
{
	struct {
		struct vfio_device_info info;
		uint32_t room[64];
	} in = { .info.argsz = offsetof(struct vfio_device_info, cap_offset) };

	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &in), 0, "%s: GET_INFO", w->name);
	is(in.info.flags & ~(uint32_t)VFIO_DEVICE_FLAGS_CAPS, VFIO_DEVICE_FLAGS_PCI |
	   (w->reset ? VFIO_DEVICE_FLAGS_RESET : 0), "%s: flags", w->name);
	is(in.info.num_regions, VFIO_PCI_NUM_REGIONS, "%s: nine regions", w->name);
	is(in.info.num_irqs, VFIO_PCI_NUM_IRQS, "%s: five interrupt indices", w->name);
	in.info.argsz--;
	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &in), -EINVAL, "%s: GET_INFO, one byte short",
	   w->name);
}

/* The only capability is about atomic operations, which this board's root complex does not do. */
static void capabilities(const struct want *w, const struct dev *d)
{
	struct {
		struct vfio_device_info info;
		uint32_t room[64];
	} in;

	memset(&in, 0x5a, sizeof(in));
	in.info.argsz = offsetof(struct vfio_device_info, cap_offset) + 4;
	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &in), 0, "%s: GET_INFO, room for cap_offset",
	   w->name);
	ok(!(in.info.flags & VFIO_DEVICE_FLAGS_CAPS), "%s: no capabilities", w->name);
	is(in.info.cap_offset, 0, "%s: cap_offset says so", w->name);
	is(in.info.argsz, offsetof(struct vfio_device_info, cap_offset) + 4, "%s: argsz stays",
	   w->name);
	is(in.room[0], 0x5a5a5a5a, "%s: nothing is written behind it", w->name);
	in.info.cap_offset = 7;
	in.info.argsz = offsetof(struct vfio_device_info, cap_offset);
	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &in), 0, "%s: GET_INFO, no room for it", w->name);
	is(in.info.cap_offset, 7, "%s: it is left alone", w->name);
	in.info.argsz = sizeof(in);
	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &in), 0, "%s: GET_INFO, room for all", w->name);
	is(in.info.cap_offset, 0, "%s: there is nothing", w->name);
}

static void bars(const struct want *w, const struct dev *d)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct vfio_region_info *info;
	uint64_t size;
	uint32_t flags;

	for (uint32_t i = 0; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		hw_bar(w->name, i, &size);
		is(region_info(d, i, &info), 0, "%s: BAR %u: GET_REGION_INFO", w->name, i);
		is(info->index, i, "%s: BAR %u: its index", w->name, i);
		is(info->size, size, "%s: BAR %u: its size", w->name, i);
		is(info->offset, (uint64_t)i << 40, "%s: BAR %u: its offset", w->name, i);
		flags = w->flags[i];
		/* Smaller than a page, it may not have that to itself: not to be mapped. */
		if (size && size < page && !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
			flags &= ~(uint32_t)MSIX | RW;
		is(info->flags, flags, "%s: BAR %u: its flags", w->name, i);
		is(!!region_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE), flags == MSIX,
		   "%s: BAR %u: MSIX_MAPPABLE says that the table may be mapped", w->name, i);
		ok(!region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP),
		   "%s: BAR %u: no part of it is left out", w->name, i);
	}
}

static void others(const struct want *w, const struct dev *d)
{
	const struct vfio_region_info *info;

	is(region_info(d, VFIO_PCI_ROM_REGION_INDEX, &info), 0, "%s: ROM: GET_REGION_INFO",
	   w->name);
	is(info->size, w->rom, "%s: ROM: its size", w->name);
	is(info->flags, w->rom ? R : 0, "%s: ROM: read only, if there is one", w->name);
	is(region_info(d, VFIO_PCI_CONFIG_REGION_INDEX, &info), 0,
	   "%s: config: GET_REGION_INFO", w->name);
	is(info->size, w->config, "%s: config: its size", w->name);
	is(info->flags, RWF, "%s: config: read and written, not mapped", w->name);
	is(info->offset, (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40, "%s: config: its offset",
	   w->name);
	is(region_info(d, VFIO_PCI_VGA_REGION_INDEX, &info), -EINVAL, "%s: VGA: there is none",
	   w->name);
	is(region_info(d, VFIO_PCI_NUM_REGIONS, &info), -EINVAL, "%s: region 9: there is none",
	   w->name);
	is(region_info(d, ~0u, &info), -EINVAL, "%s: region ~0: there is none", w->name);
}

/* An image is read where there is one, and only while memory is on. */
static void rom(const struct want *w, const struct dev *d)
{
	uint16_t signature = 0;

	if (!w->rom)
		return;
	is(bar_pread(d, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, 2), 2, "%s: ROM: read", w->name);
	is(signature, 0xaa55, "%s: ROM: its signature", w->name);
	cfg_command(d, 0, MEMORY);
	is(bar_pread(d, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, 2), -ENOMEM,
	   "%s: ROM: memory off, there is no image: ENOMEM", w->name);
	cfg_command(d, MEMORY, 0);
	is(bar_pread(d, VFIO_PCI_ROM_REGION_INDEX, 0, &signature, 2), 2, "%s: ROM: on again",
	   w->name);
}

/* Whether there is such a reset or not. */
static void hot_reset_of_nothing(const struct want *w, const struct dev *d)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	is(xioctl(d->fd, VFIO_DEVICE_PCI_HOT_RESET, &reset), -EINVAL,
	   "%s: a hot reset without groups: EINVAL", w->name);
}

/* How much room a caller gives, and what he is told of the rest. */
static void argsz(void)
{
	struct {
		struct vfio_region_info info;
		uint32_t guard;
	} in = { .info.argsz = sizeof(in.info), .guard = 0x5a5a5a5a };
	struct dev d;

	dev_open(&d, PCI_NVME);
	is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &in), 0, "a region with capabilities, no room");
	ok(in.info.argsz > sizeof(in.info), "argsz says how much they take");
	ok(in.info.flags & VFIO_REGION_INFO_FLAG_CAPS, "the flag says that there are some");
	is(in.info.cap_offset, 0, "and the offset that they are not here");
	is(in.guard, 0x5a5a5a5a, "nothing is written behind argsz");
	in.info.argsz = offsetof(struct vfio_region_info, offset) + 8 - 1;
	is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &in), -EINVAL, "one byte short: EINVAL");
	dev_close(&d);
}

static void irq(const struct want *w, const struct dev *d, const char *what, uint32_t index,
		uint32_t count, uint32_t flags, uint32_t either)
{
	struct vfio_irq_info info;

	is(irq_info(d->fd, index, &info), 0, "%s: %s: GET_IRQ_INFO", w->name, what);
	is(info.count, count, "%s: %s: vectors", w->name, what);
	is(info.flags & ~either, flags & ~either, "%s: %s: flags", w->name, what);
}

static void irqs(const struct want *w, const struct dev *d)
{
	struct vfio_irq_info info;

	irq(w, d, "INTx", VFIO_PCI_INTX_IRQ_INDEX, w->intx, LEVEL, 0);
	irq(w, d, "MSI", VFIO_PCI_MSI_IRQ_INDEX, w->msi, FIXED, 0);
	/* Whether vectors can be added one by one is the interrupt controller's driver's to say. */
	irq(w, d, "MSI-X", VFIO_PCI_MSIX_IRQ_INDEX, w->msix, FIXED, VFIO_IRQ_INFO_NORESIZE);
	if (w->err)
		irq(w, d, "ERR", VFIO_PCI_ERR_IRQ_INDEX, 1, FIXED, 0);
	else
		is(irq_info(d->fd, VFIO_PCI_ERR_IRQ_INDEX, &info), -EINVAL,
		   "%s: ERR: not without PCI Express", w->name);
	irq(w, d, "REQ", VFIO_PCI_REQ_IRQ_INDEX, 1, FIXED, 0);
	is(irq_info(d->fd, VFIO_PCI_NUM_IRQS, &info), -EINVAL, "%s: interrupt index 5", w->name);
	is(irq_info(d->fd, ~0u, &info), -EINVAL, "%s: interrupt index ~0", w->name);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	ok(!access("/sys/module/vfio_pci", F_OK), "/sys/module/vfio_pci is there");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct dev d;

		dev_open(&d, wanted[i].name);
		device(&wanted[i], &d);
		capabilities(&wanted[i], &d);
		bars(&wanted[i], &d);
		others(&wanted[i], &d);
		irqs(&wanted[i], &d);
		rom(&wanted[i], &d);
		hot_reset_of_nothing(&wanted[i], &d);
		dev_close(&d);
	}
	argsz();
	return tap_done();
}
