// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_mmap - BARs mapped, and taken away while the device's memory is off
 */
/* vm: board=pci */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define REGION(index)	((off_t)(index) << 40)

#define NVME_TABLE	0x2000		/* of MSI-X */

static size_t page;

static int map(const struct dev *d, size_t len, int prot, int flags, off_t offset)
{
	void *mem = mmap(NULL, len, prot, flags, d->fd, offset);

	if (mem == MAP_FAILED)
		return -errno;
	munmap(mem, len);
	return 0;
}

static void what_can_be(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct dev d;
	size_t size;

	dev_open(&d, PCI_NIC);
	size = region_size(&d, 0);
	is(map(&d, size, rw, MAP_SHARED, REGION(0)), 0, "a BAR can be mapped");
	is(map(&d, page, rw, MAP_SHARED, REGION(0) + (off_t)(size - page)), 0, "and its last page");
	is(map(&d, page, PROT_READ, MAP_SHARED, REGION(0)), 0, "for reading");
	is(map(&d, size, rw, MAP_PRIVATE, REGION(0)), -EINVAL, "not privately");
	is(map(&d, size + page, rw, MAP_SHARED, REGION(0)), -EINVAL, "not beyond its end");
	is(map(&d, page, rw, MAP_SHARED, REGION(0) + (off_t)size), -EINVAL, "not behind it");
	is(map(&d, page, rw, MAP_SHARED, REGION(0) + (1ll << 39)), -EINVAL, "nor far behind it");
	is(map(&d, page, rw, MAP_SHARED, REGION(VFIO_PCI_BAR2_REGION_INDEX)), -EINVAL,
	   "no I/O ports");
	is(map(&d, page, rw, MAP_SHARED, REGION(VFIO_PCI_BAR4_REGION_INDEX)), -EINVAL,
	   "no BAR that is not there");
	is(map(&d, page, PROT_READ, MAP_SHARED, REGION(VFIO_PCI_ROM_REGION_INDEX)), -EINVAL,
	   "no ROM");
	is(map(&d, page, PROT_READ, MAP_SHARED, REGION(VFIO_PCI_CONFIG_REGION_INDEX)), -EINVAL,
	   "no configuration space");
	is(map(&d, page, PROT_READ, MAP_SHARED, REGION(VFIO_PCI_NUM_REGIONS)), -EINVAL,
	   "no region 9");
	dev_close(&d);
}

/* Each BAR: what it reads through a mapping is what pread() reads. */
static void same(const char *name)
{
	struct dev d;

	dev_open(&d, name);
	for (uint32_t i = 0; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		const struct vfio_region_info *info;
		volatile uint8_t *regs;
		uint32_t value = 0;
		uint64_t at;

		if (region_info(&d, i, &info) || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
			continue;
		/* The network controller's table of MSI-X begins BAR 3. */
		at = i == VFIO_PCI_BAR3_REGION_INDEX ? info->size - 4 : 8;
		is(bar_map(&d, i, &regs), 0, "%s: BAR %u is mapped", name, i);
		is(bar_pread(&d, i, at, &value, 4), 4, "%s: BAR %u is read", name, i);
		is(*(volatile uint32_t *)(regs + at), value, "%s: BAR %u, the same", name, i);
		munmap((void *)regs, region_size(&d, i));
	}
	dev_close(&d);
}

static void memory_off(const char *name)
{
	volatile uint8_t *early, *late;
	struct dev d;
	size_t size;

	dev_open(&d, name);
	size = region_size(&d, 0);
	is(bar_map(&d, 0, &early), 0, "%s: mapped", name);
	ok(!read_faults(early), "%s: reads", name);
	cfg_command(&d, 0, MEMORY);
	ok(read_faults(early), "%s: memory off: SIGBUS", name);
	ok(read_faults(early + size - page), "%s: at the other end, not touched before, too", name);
	is(bar_map(&d, 0, &late), 0, "%s: it can be mapped now", name);
	ok(read_faults(late), "%s: but not read", name);
	cfg_command(&d, MEMORY, 0);
	ok(!read_faults(early), "%s: memory on, the first mapping reads again", name);
	ok(!read_faults(late), "%s: and so does the second", name);
	ok(!read_faults(early + size - page), "%s: to its end", name);
	cfg_write(&d, PCI_COMMAND, 1, 0);
	ok(read_faults(early) && read_faults(late), "%s: off by a byte: SIGBUS in both", name);
	cfg_write(&d, PCI_COMMAND, 1, MEMORY);
	ok(!read_faults(early) && !read_faults(late), "%s: and on", name);
	munmap((void *)early, size);
	munmap((void *)late, size);
	dev_close(&d);
}

static void asleep(void)
{
	struct dev d;
	uint32_t at;

	dev_open(&d, PCI_NVME);
	at = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	ok(!read_faults(d.regs), "in D0 it reads");
	cfg_write(&d, at, 2, cfg_read(&d, at, 2) | 3);
	ok(read_faults(d.regs), "in D3: SIGBUS");
	cfg_write(&d, at, 2, cfg_read(&d, at, 2) & ~3u);
	cfg_command(&d, MEMORY, 0);
	ok(!read_faults(d.regs), "in D0 again it reads");
	dev_close(&d);
}

/* The table of MSI-X: in a mapping like the rest, not by read() and write(). */
static void table(void)
{
	const uint32_t ones = ~0u, none = 0;
	uint32_t value = 0, before[4];
	volatile uint32_t *entry;
	int32_t efd = efd_new(0);
	struct dev d;

	dev_open(&d, PCI_NVME);
	is(irq_vectors(d.fd, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, &efd), 0, "a vector of MSI-X");
	entry = (volatile uint32_t *)(d.regs + NVME_TABLE);
	for (int i = 0; i < 4; i++)
		before[i] = entry[i];
	ok(before[0] && !(before[3] & PCI_MSIX_ENTRY_CTRL_MASKBIT),
	   "its table is mapped: an address, not masked");
	is(bar_pread(&d, 0, NVME_TABLE, &value, 4), 4, "read() of the table is no error");
	is(value, ~0u, "but gives ones");
	is(bar_pwrite(&d, 0, NVME_TABLE, &none, 4), 4, "write() is no error");
	is(bar_pwrite(&d, 0, NVME_TABLE + 8, &ones, 4), 4, "nor elsewhere");
	ok(entry[0] == before[0] && entry[2] == before[2], "but changes nothing");
	is(bar_pread(&d, 0, NVME_TABLE - 4, before, 8), 8, "read() across its beginning");
	ok(before[0] != ~0u && before[1] == ~0u, "gives what comes before it, then ones");
	cfg_command(&d, 0, MEMORY);
	is(bar_pread(&d, 0, NVME_TABLE, &value, 4), 4, "memory off, read() of the table is none");
	is(value, ~0u, "and gives ones");
	is(bar_pwrite(&d, 0, NVME_TABLE, &none, 4), 4, "nor is write()");
	is(bar_pread(&d, 0, NVME_TABLE - 4, before, 8), -EIO, "across its beginning: EIO");
	dev_close(&d);
	close(efd);
}

static void closed(void)
{
	volatile uint8_t *regs;
	struct dev d;

	dev_open(&d, PCI_NVME);
	is(bar_map(&d, 0, &regs), 0, "mapped");
	munmap((void *)d.regs, d.size);
	d.regs = NULL;
	close(d.fd);
	ok(!read_faults(regs), "the file closed, the mapping still reads");
	munmap((void *)regs, d.size);
	d.fd = device_fd(d.group, PCI_NVME);
	ok(d.fd >= 0, "the device can be opened again");
	dev_close(&d);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	what_can_be();
	same(PCI_EDU);
	same(PCI_NVME);
	same(PCI_NIC);
	same(PCI_FAR);
	same(PCI_BRIDGED);
	memory_off(PCI_EDU);
	memory_off(PCI_NVME);
	memory_off(PCI_FAR);
	memory_off(PCI_TWIN1);
	asleep();
	table();
	closed();
	return tap_done();
}
