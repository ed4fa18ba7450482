// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_wc - prefetchable BARs mapped write-combined
 */
/* vm: board=pci */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/evfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define BAR		VFIO_PCI_BAR2_REGION_INDEX	/* of PCI_MEMORY: prefetchable */
#define TRACING		"/sys/kernel/tracing/"
#define ATTRIBUTES(pte)	((pte) >> 2 & 7)		/* the kernel's numbers of memory types: */
#define NORMAL_NC	2
#define DEVICE_nGnRE	4

static size_t page;

static int region_wc(const struct dev *d, struct evfio_device_region_wc *wc, uint32_t index)
{
	*wc = (struct evfio_device_region_wc){ .argsz = sizeof(*wc), .index = index };
	return xioctl(d->fd, EVFIO_DEVICE_REGION_WC, wc);
}

static void *map(const struct dev *d, size_t size, int flags, uint64_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, d->fd, (off_t)offset);
}

static void asked(void)
{
	struct evfio_device_region_wc wc = { };
	struct dev d, nvme;

	dev_open(&d, PCI_MEMORY);
	is(check_extension(d.container, EVFIO_EXT_REGION_WC), !tap_kernel,
	   "VFIO_CHECK_EXTENSION with an IOMMU");
	is(region_wc(&d, &wc, BAR), tap_kernel ? -ENOTTY : 0, "a prefetchable BAR");
	if (tap_kernel) {
		dev_close(&d);
		return;
	}
	ok(wc.offset != (uint64_t)BAR << 40, "it is elsewhere");
	is(region_wc(&d, &wc, 0), -EINVAL, "one that is not: EINVAL");
	is(region_wc(&d, &wc, 3), -EINVAL, "one that is not there: EINVAL");
	is(region_wc(&d, &wc, VFIO_PCI_CONFIG_REGION_INDEX), -EINVAL, "no BAR: EINVAL");
	is(region_wc(&d, &wc, VFIO_PCI_NUM_REGIONS + BAR), -EINVAL, "what it is itself: EINVAL");
	is(region_wc(&d, &wc, ~0u), -EINVAL, "~0: EINVAL");
	wc = (struct evfio_device_region_wc){ .argsz = sizeof(wc) - 1, .index = BAR };
	is(xioctl(d.fd, EVFIO_DEVICE_REGION_WC, &wc), -EINVAL, "argsz too small: EINVAL");
	wc = (struct evfio_device_region_wc){ .argsz = sizeof(wc), .index = BAR, .flags = 1 };
	is(xioctl(d.fd, EVFIO_DEVICE_REGION_WC, &wc), -EINVAL, "a flag: EINVAL");
	wc = (struct evfio_device_region_wc){ .argsz = sizeof(wc), .index = BAR, .pad = 1 };
	is(xioctl(d.fd, EVFIO_DEVICE_REGION_WC, &wc), -EINVAL, "pad: EINVAL");
	dev_open(&nvme, PCI_NVME);
	is(region_wc(&nvme, &wc, 0), -EINVAL, "registers: EINVAL");
	dev_close(&nvme);
	dev_close(&d);
}

static void mapped(void)
{
	struct evfio_device_region_wc wc;
	volatile uint32_t *combined;
	volatile uint8_t *plain;
	uint32_t value = 0;
	struct dev d;
	size_t size;

	pci_open(&d, PCI_MEMORY);
	is(region_wc(&d, &wc, BAR), 0, "where it is");
	size = region_size(&d, BAR);
	ok(map(&d, page, MAP_PRIVATE, wc.offset) == MAP_FAILED, "not privately");
	ok(map(&d, size + page, MAP_SHARED, wc.offset) == MAP_FAILED, "not beyond its end");
	ok(map(&d, page, MAP_SHARED, wc.offset + size) == MAP_FAILED, "not behind it");
	ok(map(&d, page, MAP_SHARED, wc.offset - ((uint64_t)BAR << 40)) == MAP_FAILED,
	   "no BAR that is not prefetchable");
	ok(map(&d, page, MAP_SHARED, wc.offset + (16ull << 40)) == MAP_FAILED, "nor far behind");
	is(sys(pread(d.fd, &value, 4, (off_t)wc.offset)), -EINVAL, "it is not read()");
	is(sys(pwrite(d.fd, &value, 4, (off_t)wc.offset)), -EINVAL, "nor written()");

	combined = map(&d, size, MAP_SHARED, wc.offset);
	ok(combined != MAP_FAILED, "mapped write-combined");
	is(bar_map(&d, BAR, &plain), 0, "and as it is");
	combined[0] = 0x11223344;
	combined[size / 4 - 1] = 0x55667788;
	combined[page / 4] = 0x99;
	__sync_synchronize();
	is(*(volatile uint32_t *)plain, 0x11223344, "the same memory");
	is(*(volatile uint32_t *)(plain + size - 4), 0x55667788, "to its end");
	is(*(volatile uint32_t *)(plain + page), 0x99, "page for page");
	is(bar_pread(&d, BAR, size - 4, &value, 4), 4, "by pread()");
	is(value, 0x55667788, "the same");

	cfg_command(&d, 0, MEMORY);
	ok(read_faults(combined) && read_faults(plain), "memory off: SIGBUS in both");
	cfg_command(&d, MEMORY, 0);
	ok(!read_faults(combined) && !read_faults(plain), "memory on: neither");
	board_grace(50);
	is(board_unbind(PCI_MEMORY), 0, "unbound");
	ok(read_faults(combined) && read_faults(combined + size / 4 - 1), "revoked: SIGBUS");
	is(region_wc(&d, &wc, BAR), -ENODEV, "REGION_WC: ENODEV");
	munmap((void *)combined, size);
	munmap((void *)plain, size);
	dev_close(&d);
	board_take(PCI_MEMORY);
}

/* The memory type of a page that was mapped while the kernel told, or -1. */
static int told_type(void)
{
	unsigned long long prot;
	char line[512];
	int type = -1;
	FILE *trace = fopen(TRACING "trace", "re");
	const char *at;

	while (trace && fgets(line, sizeof(line), trace)) {
		at = strstr(line, "prot=");
		if (at && sscanf(at, "prot=%llx", &prot) == 1)
			type = (int)ATTRIBUTES(prot);
	}
	if (trace)
		fclose(trace);
	trace_clear(TRACING "trace");
	return type;
}

/* What the kernel's function that maps a page is told. */
static void types(void)
{
	struct evfio_device_region_wc wc;
	volatile uint32_t *one;
	struct dev d;

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (file_write(TRACING "kprobe_events", "p:evfio_wc vmf_insert_pfn_prot prot=%x3") ||
	    file_write(TRACING "events/kprobes/evfio_wc/enable", "1")) {
		tap_skip("this kernel has no probes: what type of memory it is");
		return;
	}
	pci_open(&d, PCI_MEMORY);
	region_wc(&d, &wc, BAR);
	one = map(&d, page, MAP_SHARED, wc.offset);
	ok(!read_faults(one), "a page, write-combined");
	is(told_type(), NORMAL_NC, "is normal memory, not cached");
	munmap((void *)one, page);
	one = map(&d, page, MAP_SHARED, (uint64_t)BAR << 40);
	ok(!read_faults(one), "a page as it is");
	is(told_type(), DEVICE_nGnRE, "is device memory");
	munmap((void *)one, page);
	dev_close(&d);
	file_write(TRACING "events/kprobes/evfio_wc/enable", "0");
}

int main(int argc, char **argv)
{
	int c = container_open();

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	is(check_extension(c, EVFIO_EXT_REGION_WC), !tap_kernel, "VFIO_CHECK_EXTENSION");
	is(check_extension(c, 0xefff), 0, "of what there is not");
	close(c);
	asked();
	if (!tap_kernel) {
		mapped();
		types();
	}
	return tap_done();
}
