// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_huge - a BAR of many pages is mapped by huge ones where kernel and alignment allow
 */
/* With less memory Linux makes no huge pages. */
/* vm: board=pci memory=1G */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define BAR	VFIO_PCI_BAR2_REGION_INDEX
#define HUGE	(2ul << 20)

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Map the BAR @skew bytes behind a huge page's border, write all of it; the faults it took. */
static long touch(const struct dev *d, size_t size, size_t skew)
{
	uint8_t *space = mmap(NULL, size + 2 * HUGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at = (uint8_t *)(((uintptr_t)space + HUGE - 1) & ~(HUGE - 1)) + skew;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile uint32_t *word;
	long before, taken;
	bool same = true;

	at = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, d->fd,
		  (off_t)BAR << 40);
	ok(at != MAP_FAILED, "mapped %zu bytes behind a border", skew);
	before = faults();
	for (size_t i = 0; i < size; i += page) {
		word = (volatile uint32_t *)(at + i);
		*word = (uint32_t)(i ^ skew);
	}
	taken = faults() - before;
	for (size_t i = 0; i < size; i += page) {
		uint32_t value;

		bar_pread(d, BAR, i, &value, sizeof(value));
		same &= value == (uint32_t)(i ^ skew);
	}
	ok(same, "each word is where it belongs");
	munmap(space, size + 2 * HUGE);
	return taken;
}

int main(int argc, char **argv)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct utsname name;
	struct dev d;
	size_t size;
	long taken;

	tap_start(argc, argv);
	uname(&name);
	pci_open(&d, PCI_MEMORY);
	size = region_size(&d, BAR);
	is(size, 2 * HUGE, "a BAR of two huge pages");
	taken = touch(&d, size, page);
	ok(taken >= (long)(HUGE / page), "askew it takes a fault a page");
	taken = touch(&d, size, 0);
	/* Linux 6.1 cannot, and with larger pages a huge one is larger than the BAR. */
	if (page > 4096 || !strncmp(name.release, "6.1.", 4))
		ok(taken >= (long)(size / page), "a fault a page");
	else
		ok(taken <= 8, "a fault a huge page");
	tap_note("%ld faults", taken);
	dev_close(&d);
	return tap_done();
}
