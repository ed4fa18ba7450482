// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_config - configuration space: the device's, what is made up, what a client may change
 */
/* vm: board=pci */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

struct function {
	const char *name;
	uint8_t caps[5];		/* in their order */
	uint16_t ext_caps[3];
};

static const struct function functions[] = {
	{ PCI_EDU, .caps = { PCI_CAP_ID_MSI } },
	{ PCI_NVME, .caps = { PCI_CAP_ID_MSIX, PCI_CAP_ID_EXP, PCI_CAP_ID_PM } },
	{ PCI_NIC, .caps = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX },
	  .ext_caps = { PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN } },
	{ PCI_FAR, .caps = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX },
	  .ext_caps = { PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN } },
	{ PCI_BRIDGED, .caps = { PCI_CAP_ID_MSI } },
	{ PCI_ROCKER, .caps = { PCI_CAP_ID_MSIX } },
	{ PCI_SRIOV, .caps = { PCI_CAP_ID_MSIX, PCI_CAP_ID_EXP, PCI_CAP_ID_PM },
	  .ext_caps = { PCI_EXT_CAP_ID_ARI, PCI_EXT_CAP_ID_SRIOV } },
};

static uint8_t whole[PCI_CFG_SPACE_EXP_SIZE];

static size_t read_whole(const struct dev *d)
{
	size_t size = region_size(d, VFIO_PCI_CONFIG_REGION_INDEX);

	is(cfg_pread(d, 0, whole, size), size, "%s: all of it in one read", d->name);
	return size;
}

/* Every width at every place aligned to it gives the same bytes, and they are the device's. */
static void every_byte(const struct dev *d)
{
	const size_t size = read_whole(d);
	int wrong[5] = {}, foreign = 0;

	for (size_t width = 1; width <= 4; width *= 2)
		for (uint32_t at = 0; at < size; at += (uint32_t)width) {
			uint32_t value = cfg_read(d, at, width);

			wrong[width] += !!memcmp(whole + at, &value, width);
		}
	for (size_t width = 1; width <= 4; width *= 2)
		is(wrong[width], 0, "%s: the same in units of %zu", d->name, width);
	/* But for INTx, which evfio disables in the device while nobody listens. */
	for (uint32_t at = 0; at < size; at += 4) {
		uint32_t hw = hw_read(d->name, at, 4);

		if (at == PCI_COMMAND)
			hw &= ~(uint32_t)PCI_COMMAND_INTX_DISABLE;
		foreign += !!memcmp(whole + at, &hw, 4);
	}
	is(foreign, 0, "%s: just opened, it is what the device says", d->name);
}

/* Any length at any place; never a byte behind the end. */
static void odd(const struct dev *d)
{
	const size_t size = read_whole(d);
	static const uint64_t past[][2] = {
		{ 0, 1 }, { 4, 4 }, { 256, 1 }, { 1ull << 20, 4 }, { 1ull << 39, 1 },
	};
	int wrong = 0, last = 0;
	uint8_t buf[32];

	for (uint32_t at = 0; at < 0x48; at++)
		for (size_t len = 1; len <= sizeof(buf); len++) {
			memset(buf, 0x5a, sizeof(buf));
			wrong += cfg_pread(d, at, buf, len) != (long)len ||
				 memcmp(buf, whole + at, len) ||
				 (len < sizeof(buf) && buf[len] != 0x5a);
		}
	is(wrong, 0, "%s: any length at any place", d->name);
	is(cfg_pread(d, 3, buf, 0), 0, "%s: no length", d->name);
	is(cfg_pread(d, size + 4, buf, 0), 0, "%s: no length, past the end", d->name);
	is(sys(pread(d->fd, buf, 0, 0xffll << 40)), 0, "%s: no length, nowhere", d->name);
	is(cfg_pread(d, size - 1, buf, 1), 1, "%s: the last byte", d->name);
	for (size_t i = 0; i < COUNT(past); i++) {
		last += cfg_pread(d, size + past[i][0], buf, past[i][1]) != -EFAULT;
		last += cfg_pwrite(d, size + past[i][0], buf, past[i][1]) != -EFAULT;
	}
	is(last, 0, "%s: past the end: EFAULT", d->name);
	is(cfg_pread(d, size - 2, buf, 4), -EFAULT, "%s: across the end: EFAULT", d->name);
	is(cfg_pwrite(d, size - 2, buf, 4), -EFAULT, "%s: written, too", d->name);
}

static void chain(const struct dev *d, const struct function *f)
{
	uint32_t at = cfg_read(d, PCI_CAPABILITY_LIST, 1);
	size_t n = 0, size = region_size(d, VFIO_PCI_CONFIG_REGION_INDEX);

	for (; at && n < COUNT(f->caps); n++) {
		is(cfg_read(d, at, 1), f->caps[n], "%s: capability %zu", d->name, n);
		at = cfg_read(d, at + 1, 1);
	}
	ok(!at && (n == COUNT(f->caps) || !f->caps[n]), "%s: no more than these", d->name);
	if (size <= PCI_CFG_SPACE_SIZE)
		return;
	for (n = 0, at = PCI_CFG_SPACE_SIZE; at && n < COUNT(f->ext_caps); n++) {
		uint32_t header = cfg_read(d, at, 4);

		is(PCI_EXT_CAP_ID(header), f->ext_caps[n], "%s: extended capability %zu",
		   d->name, n);
		at = PCI_EXT_CAP_NEXT(header);
	}
	is(at, 0, "%s: no more than these", d->name);
}

/* What nobody may change: neither ones nor zeros stay, in any width. */
static void read_only(const struct dev *d, const char *what, uint32_t at, size_t len)
{
	const uint8_t ones[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, none[8] = { 0 };
	uint8_t before[8], after[8];
	int changed = 0;

	cfg_pread(d, at, before, len);
	for (size_t width = 1; width <= len; width *= 2) {
		if (cfg_pwrite(d, at, ones, width) != (long)width)
			changed++;
		cfg_pread(d, at, after, len);
		changed += !!memcmp(before, after, len);
		if (cfg_pwrite(d, at, none, width) != (long)width)
			changed++;
		cfg_pread(d, at, after, len);
		changed += !!memcmp(before, after, len);
	}
	is(changed, 0, "%s: %s cannot be changed, and trying is no error", d->name, what);
}

static void header(const struct dev *d, const struct function *f)
{
	read_only(d, "its vendor and device", PCI_VENDOR_ID, 4);
	read_only(d, "its class and revision", PCI_CLASS_REVISION, 4);
	read_only(d, "its header type", PCI_HEADER_TYPE, 1);
	read_only(d, "its subsystem", PCI_SUBSYSTEM_VENDOR_ID, 4);
	read_only(d, "where its capabilities begin", PCI_CAPABILITY_LIST, 1);
	read_only(d, "its interrupt pin", PCI_INTERRUPT_PIN, 1);
	for (size_t n = 0; n < COUNT(f->caps) && f->caps[n]; n++)
		read_only(d, "the head of a capability", cfg_cap(d, f->caps[n]), 2);
	for (size_t n = 0; n < COUNT(f->ext_caps) && f->ext_caps[n]; n++)
		read_only(d, "the head of an extended capability",
			  cfg_ext_cap(d, f->ext_caps[n]), 4);
}

/* Sizing and moving a BAR is the client's own affair: the device's stays where it is. */
static void bar(const struct dev *d, uint32_t index)
{
	const uint32_t at = PCI_BASE_ADDRESS_0 + 4 * index;
	const uint32_t old = cfg_read(d, at, 4), real = hw_read(d->name, at, 4);
	const bool io = old & PCI_BASE_ADDRESS_SPACE_IO;
	const bool wide = !io && old & PCI_BASE_ADDRESS_MEM_TYPE_64;
	const uint32_t flags = old & (io ? 3 : 15);
	const uint64_t size = region_size(d, index);
	uint32_t before = 0, after = 1;

	bar_pread(d, index, 0, &before, sizeof(before));
	cfg_write(d, at, 4, ~0u);
	is(cfg_read(d, at, 4), (uint32_t)~(size - 1) | flags, "%s: BAR %u says its size", d->name,
	   index);
	cfg_write(d, at, 4, 0x7d5a5000);
	is(cfg_read(d, at, 4), (0x7d5a5000 & ~(size - 1)) | flags,
	   "%s: BAR %u takes any address of its alignment", d->name, index);
	cfg_write(d, at + 3, 1, 0x12);
	is(cfg_read(d, at + 3, 1), 0x12, "%s: BAR %u, written by the byte", d->name, index);
	is(hw_read(d->name, at, 4), real, "%s: BAR %u has not moved", d->name, index);
	is(bar_pread(d, index, 0, &after, sizeof(after)), 4, "%s: BAR %u can be read", d->name,
	   index);
	is(after, before, "%s: BAR %u reads the same", d->name, index);
	cfg_write(d, at, 4, old);
	is(cfg_read(d, at, 4), old, "%s: BAR %u is as it was", d->name, index);
	if (!wide)
		return;
	cfg_write(d, at + 4, 4, ~0u);
	is(cfg_read(d, at + 4, 4), ~0u, "%s: BAR %u, the upper half says its size", d->name, index);
	is(hw_read(d->name, at + 4, 4), hw_bar(d->name, index, &(uint64_t){ 0 }) >> 32,
	   "%s: BAR %u has not moved", d->name, index);
}

static void bars(const struct dev *d)
{
	for (uint32_t i = 0; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		if (region_size(d, i))
			bar(d, i);
		else if (!i || !(cfg_read(d, PCI_BASE_ADDRESS_0 + 4 * (i - 1), 4) &
				 PCI_BASE_ADDRESS_MEM_TYPE_64))
			read_only(d, "a BAR that is not there", PCI_BASE_ADDRESS_0 + 4 * i, 4);
	}
	read_only(d, "the CardBus pointer", PCI_CARDBUS_CIS, 4);
	if (!region_size(d, VFIO_PCI_ROM_REGION_INDEX)) {
		read_only(d, "a ROM that is not there", PCI_ROM_ADDRESS, 4);
		return;
	}
	cfg_write(d, PCI_ROM_ADDRESS, 4, ~0u);
	is(cfg_read(d, PCI_ROM_ADDRESS, 4),
	   (uint32_t)~(region_size(d, VFIO_PCI_ROM_REGION_INDEX) - 1) | PCI_ROM_ADDRESS_ENABLE,
	   "%s: the ROM's BAR says its size", d->name);
	ok(!(hw_read(d->name, PCI_ROM_ADDRESS, 4) & PCI_ROM_ADDRESS_ENABLE),
	   "%s: the ROM is not really on", d->name);
}

static void command(const struct dev *d)
{
	uint32_t before = cfg_read(d, PCI_STATUS, 2), value;

	ok(cfg_read(d, PCI_COMMAND, 2) & MEMORY, "%s: just opened, memory is on", d->name);
	ok(!(cfg_read(d, PCI_COMMAND, 2) & MASTER), "%s: and bus mastering is off", d->name);
	cfg_command(d, MASTER, 0);
	ok(hw_read(d->name, PCI_COMMAND, 2) & MASTER, "%s: bus mastering on", d->name);
	cfg_command(d, 0, MASTER);
	ok(!(hw_read(d->name, PCI_COMMAND, 2) & MASTER), "%s: bus mastering off", d->name);
	cfg_write(d, PCI_COMMAND, 1, MEMORY | MASTER);
	is(hw_read(d->name, PCI_COMMAND, 2) & 7, MEMORY | MASTER, "%s: written by the byte",
	   d->name);
	cfg_command(d, 0, MEMORY);
	ok(!(cfg_read(d, PCI_COMMAND, 2) & MEMORY), "%s: memory off", d->name);
	is(bar_pread(d, 0, 0, &value, 4), -EIO, "%s: its registers cannot be read: EIO", d->name);
	is(bar_pwrite(d, 0, 0, &value, 4), -EIO, "%s: nor written: EIO", d->name);
	cfg_command(d, MEMORY, 0);
	is(bar_pread(d, 0, 0, &value, 4), 4, "%s: memory on, they can", d->name);
	cfg_command(d, PCI_COMMAND_INTX_DISABLE, 0);
	ok(cfg_read(d, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE, "%s: INTx disabled", d->name);
	ok(hw_read(d->name, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE, "%s: it really is",
	   d->name);
	cfg_command(d, 0, PCI_COMMAND_INTX_DISABLE);
	ok(!(cfg_read(d, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE), "%s: INTx enabled", d->name);
	cfg_write(d, PCI_COMMAND, 2, 0xffff);
	is(cfg_read(d, PCI_COMMAND, 2) & 0xf800, 0, "%s: reserved bits stay clear", d->name);
	cfg_write(d, PCI_COMMAND, 2, MEMORY);
	is(cfg_read(d, PCI_STATUS, 2), before, "%s: its status is as before", d->name);
}

static void scratch(const struct dev *d)
{
	const uint32_t line = hw_read(d->name, PCI_INTERRUPT_LINE, 1);

	cfg_write(d, PCI_INTERRUPT_LINE, 1, 0xa5);
	is(cfg_read(d, PCI_INTERRUPT_LINE, 1), 0xa5, "%s: the interrupt line is a note", d->name);
	is(hw_read(d->name, PCI_INTERRUPT_LINE, 1), line, "%s: for the client alone", d->name);
	is(cfg_read(d, PCI_INTERRUPT_PIN, 1), irq_count(d->fd, VFIO_PCI_INTX_IRQ_INDEX),
	   "%s: the pin is INTA, if there is one", d->name);
	cfg_write(d, PCI_CACHE_LINE_SIZE, 1, 0x10);
	is(cfg_read(d, PCI_CACHE_LINE_SIZE, 1), 0x10, "%s: the cache line size can be set",
	   d->name);
	cfg_write(d, PCI_CACHE_LINE_SIZE, 1, 0);
}

/* One write over many fields does to each what a write to it alone would. */
static void wide_write(const struct dev *d)
{
	uint8_t before[PCI_STD_HEADER_SIZEOF], after[PCI_STD_HEADER_SIZEOF];
	uint8_t ones[PCI_STD_HEADER_SIZEOF];

	cfg_pread(d, 0, before, sizeof(before));
	memset(ones, 0xff, sizeof(ones));
	ones[PCI_COMMAND] = MEMORY;
	ones[PCI_COMMAND + 1] = 0;
	is(cfg_pwrite(d, 0, ones, sizeof(ones)), sizeof(ones), "%s: the header in one write",
	   d->name);
	cfg_pread(d, 0, after, sizeof(after));
	is(memcmp(before, after, PCI_COMMAND), 0, "%s: its vendor and device stay", d->name);
	is(after[PCI_COMMAND], MEMORY, "%s: its command is what was written", d->name);
	is(memcmp(before + PCI_CLASS_REVISION, after + PCI_CLASS_REVISION, 4), 0,
	   "%s: its class stays", d->name);
	is(after[PCI_BASE_ADDRESS_0 + 3], 0xff, "%s: its BAR has been sized", d->name);
	is(after[PCI_INTERRUPT_LINE], 0xff, "%s: its interrupt line is noted", d->name);
	is(cfg_pwrite(d, 0, before, sizeof(before)), sizeof(before), "%s: and back", d->name);
	cfg_pread(d, 0, after, sizeof(after));
	is(memcmp(before, after, sizeof(before)), 0, "%s: all is as it was", d->name);
}

/* Whether and where the device sends its messages is not for the client to say here. */
static void messages(const struct dev *d)
{
	uint32_t at = cfg_cap(d, PCI_CAP_ID_MSI), flags;
	int32_t efd;

	if (at) {
		efd = efd_new(0);
		flags = cfg_read(d, at + PCI_MSI_FLAGS, 2);
		cfg_write(d, at + PCI_MSI_FLAGS, 2, 0xffff);
		is(hw_read(d->name, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE, 0,
		   "%s: MSI cannot be enabled without a trigger", d->name);
		is(cfg_read(d, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE, 0,
		   "%s: nor seem to be", d->name);
		is(cfg_read(d, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_64BIT,
		   flags & PCI_MSI_FLAGS_64BIT, "%s: its layout stays", d->name);
		cfg_write(d, at + PCI_MSI_FLAGS, 2, flags);
		is(irq_vectors(d->fd, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &efd), 0, "%s: a trigger",
		   d->name);
		ok(hw_read(d->name, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE,
		   "%s: now it is enabled", d->name);
		flags = hw_read(d->name, at + PCI_MSI_ADDRESS_LO, 4);
		cfg_write(d, at + PCI_MSI_ADDRESS_LO, 4, 0xdead0000);
		is(cfg_read(d, at + PCI_MSI_ADDRESS_LO, 4), 0xdead0000,
		   "%s: the message's address is a note", d->name);
		is(hw_read(d->name, at + PCI_MSI_ADDRESS_LO, 4), flags,
		   "%s: for the client alone", d->name);
		is(irq_disable(d->fd, VFIO_PCI_MSI_IRQ_INDEX), 0, "%s: the trigger off", d->name);
		ok(!(hw_read(d->name, at + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE),
		   "%s: and MSI with it", d->name);
		close(efd);
	}
	at = cfg_cap(d, PCI_CAP_ID_MSIX);
	if (at) {
		read_only(d, "MSI-X's flags", at + PCI_MSIX_FLAGS, 2);
		read_only(d, "the place of MSI-X's table", at + PCI_MSIX_TABLE, 8);
		is(hw_read(d->name, at + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE, 0,
		   "%s: MSI-X is not enabled", d->name);
	}
}

static void power(const struct dev *d)
{
	const uint32_t at = cfg_cap(d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	uint32_t value;

	cfg_write(d, at, 2, (cfg_read(d, at, 2) & ~3u) | 3);
	is(cfg_read(d, at, 2) & 3, 3, "%s: goes to D3", d->name);
	is(bar_pread(d, 0, 0, &value, 4), -EIO, "%s: where nobody reads its registers: EIO",
	   d->name);
	cfg_write(d, at, 2, cfg_read(d, at, 2) & ~3u);
	is(cfg_read(d, at, 2) & 3, 0, "%s: comes back to D0", d->name);
	cfg_command(d, MEMORY, 0);
	is(bar_pread(d, 0, 0, &value, 4), 4, "%s: where they can be read", d->name);
}

static void express(const struct dev *d)
{
	const uint32_t at = cfg_cap(d, PCI_CAP_ID_EXP);
	uint32_t control = cfg_read(d, at + PCI_EXP_DEVCTL, 2);

	read_only(d, "PCI Express's capabilities", at + PCI_EXP_DEVCAP, 4);
	cfg_write(d, at + PCI_EXP_DEVCTL, 2, control ^ PCI_EXP_DEVCTL_PAYLOAD);
	is(cfg_read(d, at + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_PAYLOAD,
	   ~control & PCI_EXP_DEVCTL_PAYLOAD, "%s: the payload's size is a note", d->name);
	is(hw_read(d->name, at + PCI_EXP_DEVCTL, 2) & PCI_EXP_DEVCTL_PAYLOAD,
	   control & PCI_EXP_DEVCTL_PAYLOAD, "%s: the real one is the system's", d->name);
	cfg_write(d, at + PCI_EXP_DEVCTL, 2, control);
}

static void fresh(const char *name)
{
	struct dev d;
	uint32_t bar0, line;

	dev_open(&d, name);
	bar0 = cfg_read(&d, PCI_BASE_ADDRESS_0, 4);
	line = cfg_read(&d, PCI_INTERRUPT_LINE, 1);
	cfg_write(&d, PCI_BASE_ADDRESS_0, 4, 0x40000000);
	cfg_write(&d, PCI_INTERRUPT_LINE, 1, 0x5a);
	cfg_command(&d, MASTER | PCI_COMMAND_INTX_DISABLE, 0);
	dev_close(&d);
	is(hw_read(name, PCI_COMMAND, 2) & MASTER, 0, "%s: closed, bus mastering is off", name);
	dev_open(&d, name);
	is(cfg_read(&d, PCI_BASE_ADDRESS_0, 4), bar0, "%s: opened again, its BAR is new", name);
	is(cfg_read(&d, PCI_INTERRUPT_LINE, 1), line, "%s: and its interrupt line", name);
	is(cfg_read(&d, PCI_COMMAND, 2) & (MASTER | PCI_COMMAND_INTX_DISABLE), 0,
	   "%s: and its command", name);
	dev_close(&d);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	for (size_t i = 0; i < COUNT(functions); i++) {
		const struct function *f = &functions[i];
		struct dev d;

		dev_open(&d, f->name);
		every_byte(&d);
		odd(&d);
		chain(&d, f);
		command(&d);
		header(&d, f);
		bars(&d);
		scratch(&d);
		wide_write(&d);
		messages(&d);
		if (f->caps[1]) {
			power(&d);
			express(&d);
		}
		dev_close(&d);
		fresh(f->name);
	}
	return tap_done();
}
