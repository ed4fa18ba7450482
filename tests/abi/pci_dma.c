// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_dma - DMA of PCI functions through the SMMU: what reaches memory, and what does not
 */
/* vm: board=pci */
/* vm: board=pci cmdline="iommu.passthrough=1" */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define LEN	EDU_BUFFER_MAX

static size_t page;

/* Two pages at IOVA: the device copies the first into the second. */
static bool copies(struct dev *d, uint8_t *mem, uint32_t seed)
{
	mem_fill(mem, page, seed);
	memset(mem + page, 0, page);
	return !edu_load(d, IOVA, LEN) && !edu_store(d, IOVA + page, LEN) &&
	       mem_is(mem + page, LEN, seed) && !mem[page + LEN];
}

static void reaches(const char *name)
{
	uint8_t *mem = mem_new(2 * page);
	struct dev d;

	dev_open(&d, name);
	is(dma_map(d.container, mem, IOVA, 2 * page, RW), 0, "%s: map two pages", name);
	edu_quiet(&d);
	ok(!copies(&d, mem, 1), "%s: just opened, it reaches no memory", name);
	cfg_command(&d, MASTER, 0);
	ok(copies(&d, mem, 2), "%s: bus mastering on, it reads and writes", name);
	cfg_command(&d, 0, MASTER);
	ok(!copies(&d, mem, 3), "%s: off, it does not", name);
	ok(mem_is(mem, page, 3) && mem[page] == 0, "%s: and changes nothing", name);
	cfg_command(&d, MASTER, 0);
	ok(copies(&d, mem, 4), "%s: on again, it does", name);
	is(dma_unmap(d.container, IOVA + page, page), -EINVAL, "%s: half of it is not unmapped",
	   name);
	is(dma_unmap(d.container, IOVA, 2 * page), 2 * page, "%s: unmapped", name);
	ok(!copies(&d, mem, 5), "%s: it reaches nothing any more", name);
	ok(mem_is(mem, page, 5) && mem[page] == 0, "%s: and changes nothing", name);
	dev_close(&d);
	mem_free(mem, 2 * page);
}

static void read_only(struct dev *d)
{
	uint8_t *mem = mem_new(2 * page);

	is(dma_map(d->container, mem, IOVA, page, RO), 0, "map a page for reading");
	is(dma_map(d->container, mem + page, IOVA + page, page, RW), 0, "and one for both");
	ok(copies(d, mem, 6), "the first is read");
	mem_fill(mem, page, 7);
	edu_store(d, IOVA, LEN);
	ok(mem_is(mem, page, 7), "but not written");
	is(dma_unmap_all(d->container), 2 * page, "unmap all");
	mem_free(mem, 2 * page);
}

/* The same address in two containers: each device sees its own. */
static void containers(void)
{
	static const char *const names[] = { PCI_EDU, PCI_BRIDGED, PCI_TWIN0 };
	uint8_t *mem[3];
	struct dev d[3];

	for (uint32_t i = 0; i < 3; i++) {
		mem[i] = mem_new(2 * page);
		pci_open(&d[i], names[i]);
		is(dma_map(d[i].container, mem[i], IOVA, 2 * page, RW), 0, "%s: map", names[i]);
		mem_fill(mem[i], page, 20 + i);
	}
	for (uint32_t i = 0; i < 3; i++)
		ok(!edu_load(&d[i], IOVA, LEN) && !edu_store(&d[i], IOVA + page, LEN),
		   "%s copies", names[i]);
	for (uint32_t i = 0; i < 3; i++)
		ok(mem_is(mem[i], page, 20 + i) && mem_is(mem[i] + page, LEN, 20 + i),
		   "%s: its own memory", names[i]);
	for (uint32_t i = 0; i < 3; i++) {
		dev_close(&d[i]);
		mem_free(mem[i], 2 * page);
	}
}

/* Two groups in one container see the same. */
static void together(void)
{
	int container = container_open();
	uint8_t *mem = mem_new(2 * page);
	struct dev a, b;

	dev_open_in(&a, PCI_EDU, container);
	is(dma_map(container, mem, IOVA, 2 * page, RW), 0, "a container with one group: map");
	dev_open_in(&b, PCI_BRIDGED, container);
	cfg_command(&a, MASTER, 0);
	cfg_command(&b, MASTER, 0);
	ok(copies(&a, mem, 30), "a second group joins: the first device copies");
	ok(copies(&b, mem, 31), "and so does the second");
	dev_close(&a);
	ok(copies(&b, mem, 32), "the first is gone, the second still copies");
	dev_close(&b);
	close(container);
	mem_free(mem, 2 * page);
}

/* Both functions of a slot are one group: one container for both, two devices. */
static void twins(void)
{
	uint8_t *mem = mem_new(2 * page);
	struct dev a, b;

	is(board_group(PCI_TWIN0), board_group(PCI_TWIN1), "two functions of a slot, one group");
	pci_open(&a, PCI_TWIN0);
	b = (struct dev){ .name = PCI_TWIN1, .container = a.container, .group = a.group };
	b.fd = device_fd(a.group, PCI_TWIN1);
	ok(b.fd >= 0, "the second function, of the same group's file");
	is(group_open(PCI_TWIN1), -EBUSY, "whose group cannot be opened twice");
	is(bar_map(&b, 0, &b.regs), 0, "its registers");
	edu_quiet(&b);
	is(dma_map(a.container, mem, IOVA, 2 * page, RW), 0, "map");
	ok(copies(&a, mem, 40), "the first function copies");
	ok(!copies(&b, mem, 41), "the second, without bus mastering, does not");
	cfg_command(&b, MASTER, 0);
	ok(copies(&b, mem, 42), "and with it does");
	munmap((void *)b.regs, EDU_SIZE);
	close(b.fd);
	ok(copies(&a, mem, 43), "closed, it leaves the first alone");
	dev_close(&a);
	mem_free(mem, 2 * page);
}

int main(int argc, char **argv)
{
	struct dev d;
	long pinned;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	pinned = pages_pinned();
	reaches(PCI_EDU);
	reaches(PCI_BRIDGED);
	reaches(PCI_TWIN1);
	pci_open(&d, PCI_EDU);
	read_only(&d);
	dev_close(&d);
	containers();
	together();
	twins();
	is(pages_pinned(), pinned, "not a page of the system stays pinned");
	return tap_done();
}
