// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma - memory mapped for a device: what it reaches, and what it does not
 */
/* vm: timeout=120 */
/* vm: timeout=120 cmdline="iommu.passthrough=1" */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/memfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libboard.h"
#include "libfault.h"
#include "libtap.h"

#define KIB		1024ull
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define LEN		EDU_BUFFER_MAX
#define HIGH		0x100000000ull	/* room for many mappings, clear of the doorbell's window */

/* The doorbell's window, which the SMMU driver reserves. */
#define MSI_FIRST	0x8000000ull
#define MSI_LAST	0x80fffffull

static size_t page;

/* The device copies LEN bytes from @from to @to, both device addresses. */
static int copy(struct dev *d, uint64_t from, uint64_t to)
{
	int ret = edu_load(d, from, LEN);

	return ret ? ret : edu_store(d, to, LEN);
}

static void both_ways(struct dev *d)
{
	size_t size = 4 * page;
	uint8_t *mem = mem_new(size);

	mem_fill(mem, size, 1);
	memset(mem + 2 * page, 0, 2 * page);
	is(dma_map(d->container, mem, IOVA, size, RW), 0, "map four pages");
	is(copy(d, IOVA, IOVA + 2 * page), 0, "the device reads them and writes");
	ok(mem_is(mem, 2 * page, 1), "what it read is unchanged");
	ok(!memcmp(mem, mem + 2 * page, LEN), "what it wrote is what it read, byte for byte");
	is(mem[2 * page + LEN], 0, "and not a byte more");

	memset(mem + 2 * page, 0, 2 * page);
	is(copy(d, IOVA + page - 1001, IOVA + 3 * page - 999), 0,
	   "from an odd address to an odd address, each across a page's end");
	ok(!memcmp(mem + page - 1001, mem + 3 * page - 999, LEN), "byte for byte");
	ok(mem[3 * page - 1000] == 0 && mem[3 * page - 999 + LEN] == 0, "and not a byte around it");
	is(dma_unmap(d->container, IOVA, size), size, "unmap returns the size");
	mem_free(mem, size);
}

/* An IOVA range over memory in another order: translation is what makes it whole. */
static void scattered(struct dev *d)
{
	uint8_t *mem = mem_new(3 * page), want[2 * LEN];

	mem_fill(mem, 3 * page, 2);
	is(dma_map(d->container, mem + 2 * page, IOVA, page, RW), 0, "the last page, mapped first");
	is(dma_map(d->container, mem, IOVA + page, page, RW), 0,
	   "the first page, mapped behind it");
	is(dma_map(d->container, mem + page, IOVA + 2 * page, page, RW), 0,
	   "the second page, last");
	memcpy(want, mem + 3 * page - 1000, 1000);
	memcpy(want + 1000, mem, LEN - 1000);
	is(edu_load(d, IOVA + page - 1000, LEN), 0, "the device reads across the two");
	is(edu_store(d, IOVA + 2 * page, LEN), 0, "and writes it to the third");
	ok(!memcmp(mem + page, want, LEN), "it saw them side by side");
	is(dma_unmap(d->container, IOVA, 3 * page), 3 * page, "one unmap for the three");
	mem_free(mem, 3 * page);
}

static void read_only(struct dev *d)
{
	uint8_t *ro = mem_new(page), *rw = mem_new(page);

	mem_fill(ro, page, 3);
	mem_fill(rw, page, 4);
	is(dma_map(d->container, ro, IOVA, page, RO), 0, "map a page for reading only");
	is(dma_map(d->container, rw, IOVA + page, page, RW), 0, "and one for both");
	is(copy(d, IOVA + page, IOVA), 0, "the device tries to write the first");
	ok(mem_is(ro, page, 3), "nothing was written");
	is(copy(d, IOVA, IOVA + page), 0, "the device reads it");
	ok(mem_is(rw, LEN, 3), "that works");
	is(dma_unmap(d->container, IOVA, 2 * page), 2 * page, "unmap both");
	mem_free(ro, page);
	mem_free(rw, page);
}

static void after_unmap(struct dev *d)
{
	uint8_t *mem = mem_new(2 * page);

	mem_fill(mem, 2 * page, 5);
	is(dma_map(d->container, mem, IOVA, page, RW), 0, "map a page");
	is(dma_map(d->container, mem + page, IOVA + page, page, RW), 0, "and another");
	is(edu_load(d, IOVA, LEN), 0, "the device takes what is in the first");
	is(edu_store(d, IOVA, LEN), 0, "it writes the first");
	ok(mem_is(mem, page, 5), "with what was there");
	is(dma_unmap(d->container, IOVA + page, page), page, "unmap the second");
	mem_fill(mem + page, page, 6);
	is(edu_store(d, IOVA + page, LEN), 0, "the device tries to write it");
	ok(mem_is(mem + page, page, 6), "nothing reaches memory that is unmapped");
	is(dma_unmap(d->container, IOVA, page), page, "unmap the first");
	mem_fill(mem, page, 7);
	is(edu_store(d, IOVA, LEN), 0, "the device tries to write where nothing is mapped at all");
	ok(mem_is(mem, page, 7), "nothing reaches memory");
	is(dma_map(d->container, mem, IOVA, page, RW), 0, "map it again");
	is(edu_store(d, IOVA, LEN), 0, "the device writes");
	ok(!mem_is(mem, page, 7), "it arrives");
	is(dma_unmap(d->container, IOVA, page), page, "unmap");
	mem_free(mem, 2 * page);
}

/*
 * Many by one call, with gaps between them: no translation that a device has used outlives it. The
 * other device is not coherent, and so is in a domain of its own.
 */
static void after_unmap_many(struct dev *d)
{
	static const uint64_t used[] = { 0, 30, 63 };
	const uint64_t n = 64, each = sizeof(used) / sizeof(used[0]);
	uint8_t *mem = mem_new(n * page);
	struct dev other, *dev;
	uint64_t i, failed = 0;

	dev_open_in(&other, EDU3, d->container);
	for (i = 0; i < n; i++)
		if (dma_map(d->container, mem + i * page, HIGH + 2 * i * page, page, RW))
			break;
	is(i, n, "map %d pages, with gaps", (int)n);
	for (dev = d; dev; dev = dev == d ? &other : NULL) {
		mem_fill(mem, page, 12);
		memset(mem + page, 0, (n - 1) * page);
		failed += !!edu_load(dev, HIGH, LEN);
		for (i = 0; i < each; i++)
			failed += !!edu_store(dev, HIGH + 2 * used[i] * page, LEN);
		ok(!failed && mem_is(mem + 30 * page, LEN, 12) && mem_is(mem + 63 * page, LEN, 12),
		   "%s writes some of them", dev->name);
	}
	is(dma_unmap(d->container, HIGH, 2 * n * page), n * page, "one unmap for all");
	mem_fill(mem, n * page, 13);
	for (dev = d; dev; dev = dev == d ? &other : NULL) {
		for (i = 0; i < each; i++)
			failed += !!edu_store(dev, HIGH + 2 * used[i] * page, LEN);
		ok(!failed && mem_is(mem, n * page, 13),
		   "%s tries again, and nothing reaches memory", dev->name);
	}
	other.container = -1;
	dev_close(&other);
	mem_free(mem, n * page);
}

static void overlap(struct dev *d)
{
	int c = d->container;
	uint8_t *mem = mem_new(4 * page);
	struct usage before;

	is(dma_map(c, mem, IOVA + page, 2 * page, RW), 0, "map two pages");
	before = usage(c);
	is(dma_map(c, mem, IOVA + page, 2 * page, RW), -EEXIST, "the same again: EEXIST");
	is(dma_map(c, mem, IOVA + page, page, RW), -EEXIST, "the first of them: EEXIST");
	is(dma_map(c, mem, IOVA + 2 * page, page, RW), -EEXIST, "the second of them: EEXIST");
	is(dma_map(c, mem, IOVA, 2 * page, RW), -EEXIST, "across the beginning: EEXIST");
	is(dma_map(c, mem, IOVA + 2 * page, 2 * page, RW), -EEXIST, "across the end: EEXIST");
	is(dma_map(c, mem, IOVA, 4 * page, RW), -EEXIST, "around it: EEXIST");
	ok(usage_same(before, usage(c)), "none of these left anything behind");
	is(dma_map(c, mem, IOVA, page, RW), 0, "just before it there is room");
	is(dma_map(c, mem, IOVA + 3 * page, page, RW), 0, "just behind it too");
	is(dma_unmap(c, IOVA, 4 * page), 4 * page, "unmap the three at once");
	mem_free(mem, 4 * page);
}

static void unmapping(struct dev *d)
{
	int c = d->container;
	uint8_t *mem = mem_new(8 * page);

	is(dma_unmap(c, IOVA, page), 0, "unmap where nothing is: success, 0 bytes");
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "map [0,2)");
	is(dma_map(c, mem, IOVA + 4 * page, 4 * page, RW), 0, "map [4,8)");
	is(dma_unmap(c, IOVA, page), -EINVAL, "unmap [0,1), a part: EINVAL");
	is(dma_unmap(c, IOVA + page, page), -EINVAL, "unmap [1,2), a part: EINVAL");
	is(dma_unmap(c, IOVA + 5 * page, page), -EINVAL, "unmap [5,6), from the middle: EINVAL");
	is(dma_unmap(c, IOVA + page, 3 * page), -EINVAL, "unmap [1,4), cutting the first: EINVAL");
	is(dma_unmap(c, IOVA, 5 * page), -EINVAL, "unmap [0,5), cutting the second: EINVAL");
	is(dma_avail(c), 65533, "none of these unmapped anything");
	is(dma_unmap(c, IOVA + 2 * page, 2 * page), 0, "unmap [2,4), a hole: 0 bytes");
	is(dma_unmap(c, IOVA - page, 12 * page), 6 * page,
	   "unmap around both: the sum of their sizes");
	is(dma_avail(c), 65535, "nothing is mapped");

	is(dma_map(c, mem, IOVA, page, RW), 0, "map a page");
	is(dma_map(c, mem, 0, page, RW), 0, "map device address 0");
	is(dma_map(c, mem, IOVA * 2, 8 * page, RW), 0, "map eight pages");
	is(dma_unmap_all(c), 10 * page, "unmap ALL: the sum of their sizes");
	is(dma_unmap_all(c), 0, "unmap ALL where nothing is: 0 bytes");
	is(dma_map(c, mem, IOVA, page, RW), 0, "map a page");
	is(dma_unmap(c, 0, 1ull << 63), page, "unmap half of all addresses: that page");
	is(dma_avail(c), 65535, "nothing is mapped");
	mem_free(mem, 8 * page);
}

/* Ends by itself, or by the alarm: what stays in transit is waited for as long as one lives. */
static int unmaps_six_pages(void *arg)
{
	const struct dev *d = arg;

	alarm(20);
	return dma_unmap(d->container, IOVA, 8 * page) != (int64_t)(6 * page);
}

/* An unmap that fails at its second mapping leaves the first as it was. */
static void half_way(struct dev *d)
{
	uint8_t *mem = mem_new(6 * page);

	mem_fill(mem, 2 * page, 16);
	is(dma_map(d->container, mem, IOVA, 2 * page, RW), 0, "map [0,2)");
	is(dma_map(d->container, mem + 2 * page, IOVA + 4 * page, 4 * page, RW), 0, "map [4,8)");
	is(dma_unmap(d->container, IOVA, 5 * page), -EINVAL, "unmap [0,5), cutting the second: EINVAL");
	is(copy(d, IOVA, IOVA + 4 * page), 0, "the device copies from the first to the second");
	ok(mem_is(mem + 2 * page, LEN, 16), "byte for byte");
	is(in_child(unmaps_six_pages, d), 0, "both can still be unmapped");
	mem_free(mem, 6 * page);
}

/* Version 1 of the interface: an unmap takes whole mappings, by their first address. */
static void version_1(void)
{
	uint8_t *mem = mem_new(4 * page);
	int c = container_open(), group;

	board_take(EDU0);
	group = group_open(EDU0);
	is(group_set(group, c), 0, "v1: SET_CONTAINER");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), 0, "v1: SET_IOMMU type1");
	if (!tap_kernel)
		ok(!strcmp(fdinfo_text(c, "iommu"), "type1"), "v1: fdinfo says type1");
	is(dma_map(c, mem, IOVA, 4 * page, RW), 0, "v1: map four pages");
	is(dma_unmap(c, IOVA + page, page), 0, "v1: unmap from the middle: success, 0 bytes");
	is(dma_unmap(c, IOVA + 2 * page, 2 * page), 0, "v1: unmap the second half: 0 bytes");
	is(dma_avail(c), 65534, "v1: it is still mapped");
	is(dma_unmap(c, IOVA, page), 4 * page, "v1: unmap the first page: all four go");
	is(dma_avail(c), 65535, "v1: nothing is mapped");
	is(dma_map(c, mem, IOVA, page, RW), 0, "v1: map a page");
	is(dma_map(c, mem, IOVA + page, page, RW), 0, "v1: and the next");
	is(dma_unmap(c, IOVA, 2 * page), 2 * page, "v1: one unmap for both");
	close(group);
	close(c);
	mem_free(mem, 4 * page);
}

static void info(struct dev *d)
{
	union {
		struct vfio_iommu_type1_info info;
		uint8_t room[4096];
	} in;
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	const struct vfio_iommu_type1_info *all;
	size_t least = offsetof(struct vfio_iommu_type1_info, iova_pgsizes) + 8;
	uint32_t whole;
	uint64_t next = 0;
	bool rising = true, msi = false;

	memset(&in, 0x5a, sizeof(in));
	in.info.argsz = (uint32_t)least;
	is(xioctl(d->container, VFIO_IOMMU_GET_INFO, &in), 0, "GET_INFO with the least argsz");
	is(in.info.flags, VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
	   "page sizes and capabilities");
	is(in.info.iova_pgsizes & 0xfff, 0, "no page is below 4 KiB");
	ok(in.info.iova_pgsizes & page, "the CPU's page is a page size");
	ok(in.info.iova_pgsizes & ~page & ~(page - 1), "and there are larger ones");
	ok(in.info.argsz > sizeof(in.info), "argsz says that there is more");
	is(in.room[least], 0x5a, "nothing is written behind what was asked for");
	whole = in.info.argsz;

	memset(&in, 0x5a, sizeof(in));
	in.info.argsz = whole - 1;
	is(xioctl(d->container, VFIO_IOMMU_GET_INFO, &in), 0, "GET_INFO with one byte too few");
	is(in.info.argsz, whole, "argsz again says how much");
	is(in.info.cap_offset, 0, "and there is no capability");

	memset(&in, 0x5a, sizeof(in));
	in.info.argsz = whole;
	is(xioctl(d->container, VFIO_IOMMU_GET_INFO, &in), 0, "GET_INFO with all of argsz");
	ok(in.info.cap_offset >= sizeof(in.info) && in.info.cap_offset < whole,
	   "the capabilities lie inside");
	is(in.room[whole], 0x5a, "nothing is written behind argsz");

	all = iommu_info(d->container);
	ranges = iommu_cap(all, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	ok(ranges && ranges->header.version == 1, "the capability with the IOVA ranges, version 1");
	if (!ranges)
		return;
	ok(ranges->nr_iovas >= 2, "two ranges at least, around the doorbell's window");
	for (uint32_t i = 0; i < ranges->nr_iovas; i++) {
		uint64_t start = ranges->iova_ranges[i].start, end = ranges->iova_ranges[i].end;

		rising = rising && start >= next && end > start;
		next = end + 1;
		msi = msi || (start <= MSI_LAST && end >= MSI_FIRST);
		tap_note("IOVA 0x%llx to 0x%llx", (unsigned long long)start,
			 (unsigned long long)end);
	}
	ok(rising, "they rise and do not touch");
	ok(!msi, "none contains the window 0x8000000 to 0x80fffff");
	is(ranges->iova_ranges[0].start, 0, "the first begins at 0");
	is(ranges->iova_ranges[0].end, MSI_FIRST - 1, "and ends at the window");
	is(ranges->iova_ranges[1].start, MSI_LAST + 1, "the second begins behind it");
	ok(next >= 1ull << 32, "the last ends above 4 GiB");
}

static void reserved(struct dev *d)
{
	int c = d->container;
	uint8_t *mem = mem_new(2 * page);
	struct usage before = usage(c);

	is(dma_map(c, mem, MSI_FIRST, page, RW), -EINVAL, "map into the doorbell's window: EINVAL");
	is(dma_map(c, mem, MSI_LAST + 1 - page, page, RW), -EINVAL, "its last page: EINVAL");
	is(dma_map(c, mem, MSI_FIRST - page, 2 * page, RW), -EINVAL,
	   "across its beginning: EINVAL");
	is(dma_map(c, mem, MSI_LAST + 1 - page, 2 * page, RW), -EINVAL, "across its end: EINVAL");
	is(dma_map(c, mem, 1ull << 60, page, RW), -EINVAL,
	   "above what the SMMU translates: EINVAL");
	is(dma_map(c, mem, (1ull << 63) + (1ull << 62), page, RW), -EINVAL, "far above it: EINVAL");
	ok(usage_same(before, usage(c)), "none of these left anything behind");
	is(dma_map(c, mem, MSI_FIRST - page, page, RW), 0,
	   "the page before the window can be mapped");
	is(dma_map(c, mem, MSI_LAST + 1, page, RW), 0, "the page behind it too");
	is(dma_map(c, mem, 1ull << 40, page, RW), 0, "a page at 1 TiB too");
	is(dma_unmap_all(c), 3 * page, "unmap the three");
	mem_free(mem, 2 * page);
}

static void available(struct dev *d)
{
	int c = d->container;
	uint8_t *mem = mem_new(page);

	is(dma_avail(c), 65535, "65535 mappings can be made");
	is(dma_map(c, mem, IOVA, page, RW), 0, "make one");
	is(dma_avail(c), 65534, "one less");
	is(dma_map(c, mem, IOVA + page, page, RW), 0, "make another");
	is(dma_avail(c), 65533, "one less again");
	if (!tap_kernel) {
		is(fdinfo_long(c, "mappings"), 2, "fdinfo: two mappings");
		is(fdinfo_long(c, "pinned"), 2 * page / KIB, "fdinfo: what they pin, in kB");
	}
	is(dma_unmap(c, IOVA, 2 * page), 2 * page, "unmap both");
	is(dma_avail(c), 65535, "all of them can be made again");
	mem_free(mem, page);
}

#define LIMIT "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"

static void entry_limit(void)
{
	uint8_t *mem = mem_new(page);
	struct dev d;
	uint64_t i;

	is(file_write(LIMIT, "16"), 0, "dma_entry_limit = 16");
	dev_open(&d, EDU0);
	is(dma_avail(d.container), 16, "a new container allows 16 mappings");
	for (i = 0; i < 16; i++)
		if (dma_map(d.container, mem, IOVA + i * page, page, RW))
			break;
	is(i, 16, "16 are made");
	is(dma_avail(d.container), 0, "none is left");
	is(dma_map(d.container, mem, IOVA + 16 * page, page, RW), -ENOSPC, "the 17th: ENOSPC");
	is(dma_map(d.container, mem, IOVA, page, RW), -EEXIST, "what exists is still EEXIST");
	is(dma_unmap(d.container, IOVA + 3 * page, page), page, "one goes");
	is(dma_map(d.container, mem, IOVA + 16 * page, page, RW), 0, "then there is room for one");
	dev_close(&d);
	is(file_write(LIMIT, "65535"), 0, "dma_entry_limit = 65535");
	mem_free(mem, page);
}

static void many(struct dev *d)
{
	int c = d->container;
	uint8_t *mem = mem_new(2 * MIB);
	struct usage before = usage(c);
	uint64_t i, n = GIB / (2 * MIB), pages = 2 * MIB / page;

	mem_fill(mem, page, 8);
	for (i = 0; i < n; i++)
		if (dma_map(c, mem, HIGH + i * 2 * MIB, 2 * MIB, RW))
			break;
	is(i, n, "%d mappings of 2 MiB: 1 GiB", (int)n);
	is(locked_kb() - before.locked, GIB / KIB, "all of it counts as locked");
	is(dma_unmap(c, HIGH, GIB), GIB, "one unmap for all");
	ok(usage_same(before, usage(c)), "nothing is left");

	for (i = 0; i < 5000; i++)
		if (dma_map(c, mem + i % pages * page, HIGH + 2 * i * page, page, RW))
			break;
	is(i, 5000, "5000 mappings of a page, with gaps");
	is(dma_avail(c), before.avail - 5000, "5000 fewer can be made");
	is(edu_load(d, HIGH + 2 * pages * page, LEN), 0, "the device reads one of them");
	memset(mem + page, 0, page);
	is(edu_store(d, HIGH + 2 * (2 * pages + 1) * page, LEN), 0, "and writes another");
	ok(mem_is(mem + page, LEN, 8), "which arrives");
	for (i = 0; i < 5000; i += 2)
		if (dma_unmap(c, HIGH + 2 * i * page, page) != (int64_t)page)
			break;
	is(i, 5000, "every second one is unmapped by itself");
	is(dma_unmap_all(c), 2500 * page, "the rest at once");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, 2 * MIB);
}

/* Memory of one kind: the device reads its first and writes its last page. */
static void kind(struct dev *d, const char *what, uint8_t *mem, size_t size)
{
	struct usage before = usage(d->container);

	mem_fill(mem, page, 9);
	memset(mem + size - page, 0, page);
	is(dma_map(d->container, mem, 0x400000, size, RW), 0, "%s: map", what);
	is(locked_kb() - before.locked, size / KIB, "%s: all of it counts as locked", what);
	is(copy(d, 0x400000, 0x400000 + size - page), 0, "%s: the device copies", what);
	ok(mem_is(mem + size - page, LEN, 9), "%s: byte for byte", what);
	is(dma_unmap(d->container, 0x400000, size), size, "%s: unmap", what);
	ok(usage_same(before, usage(d->container)), "%s: nothing is left", what);
}

static void kinds(struct dev *d)
{
	size_t huge = 2 * MIB, size = 4 * MIB;
	uint8_t *mem, *thp;
	int fd;

	mem = mem_new(size);
	kind(d, "anonymous memory", mem, size);
	mem_free(mem, size);

	mem = mmap(NULL, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	thp = (uint8_t *)(((uintptr_t)mem + huge - 1) & ~(huge - 1));
	madvise(thp, size, MADV_HUGEPAGE);
	memset(thp, 0, size);
	kind(d, "transparent huge pages", thp, size);
	kind(d, "a part of huge pages", thp + 16 * page, size - 32 * page);
	munmap(mem, size + huge);

	file_write("/proc/sys/vm/nr_hugepages", "4");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	if (mem == MAP_FAILED) {
		tap_skip("no 2 MiB page can be had: %s", strerror(errno));
	} else {
		kind(d, "hugetlb pages", mem, size);
		kind(d, "a part of hugetlb pages", mem + page, size - 2 * page);
		munmap(mem, size);
	}
	file_write("/proc/sys/vm/nr_hugepages", "0");

	fd = memfd_create("dma", MFD_CLOEXEC);
	is(ftruncate(fd, (off_t)size), 0, "a memfd");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	kind(d, "a file in memory", mem, size);
	is(pread(fd, mem, LEN, (off_t)(size - page)), LEN, "a file in memory: read");
	ok(mem_is(mem, LEN, 9), "a file in memory: what the device wrote is in the file");
	munmap(mem, size);
	close(fd);
}

static int writes_its_copy(void *mem)
{
	memset(mem, 0xee, page);
	return 0;
}

/* Ordinary memory, two hugetlb pages, ordinary memory: the device sees what the process does. */
static void hugetlb(struct dev *d)
{
	const size_t huge = 2 * MIB, size = 4 * huge;
	const size_t at[] = { page, huge - LEN / 2, huge + 5 * page, 2 * huge - LEN / 2,
			      3 * huge - LEN / 2, size - 3 * page };
	uint8_t *room = mem_new(size + huge), *sink = mem_new(page), want[LEN];
	uint8_t *mem = (uint8_t *)(((uintptr_t)room + huge - 1) & ~(huge - 1));
	struct usage before;
	size_t i, right = 0;

	file_write("/proc/sys/vm/nr_hugepages", "4");
	if (mmap(mem + huge, 2 * huge, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0) == MAP_FAILED) {
		tap_skip("no 2 MiB page can be had: %s", strerror(errno));
		mem_free(sink, page);
		mem_free(room, size + huge);
		return;
	}
	before = usage(d->container);
	is(dma_map(d->container, sink, IOVA, page, RW), 0, "a page to copy to");
	/* The second of them is not there yet. */
	mem[huge] = 1;
	is(dma_map(d->container, mem + page, HIGH, size - 2 * page, RW), 0,
	   "map hugetlb pages, with other memory around them");
	mem_fill(mem, size, 14);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		if (copy(d, HIGH + at[i] - page, IOVA))
			break;
		right += !memcmp(sink, mem + at[i], LEN);
	}
	is(right, sizeof(at) / sizeof(at[0]), "wherever the device reads, it finds what is there");

	is(in_child(writes_its_copy, mem + huge), 0, "a forked child writes its copy");
	mem_fill(mem + huge, page, 15);
	is(copy(d, HIGH + huge - page, IOVA), 0, "the parent writes too, and the device reads");
	ok(mem_is(sink, LEN, 15), "it sees the parent's memory");

	memcpy(want, mem + 2 * huge, LEN);
	munmap(mem + huge, 2 * huge);
	is(copy(d, HIGH + 2 * huge - page, IOVA), 0, "the process unmaps it, the device reads it");
	ok(!memcmp(sink, want, LEN), "what was there is still there");
	is(dma_unmap(d->container, HIGH, size), size - 2 * page, "unmap");
	is(dma_unmap(d->container, IOVA, page), page, "unmap the other");
	ok(usage_same(before, usage(d->container)), "nothing is left");
	file_write("/proc/sys/vm/nr_hugepages", "0");
	is(file_long("/proc/meminfo", "HugePages_Total"), 0, "the hugetlb pages are free");
	mem_free(sink, page);
	munmap(room, size + huge);
}

struct mapper {
	pthread_t thread;
	int container;
	void *mem;
	size_t size;
	int ret;
	volatile bool done;
};

static void *mapper_run(void *arg)
{
	struct mapper *m = arg;

	m->ret = dma_map(m->container, m->mem, HIGH, m->size, RW);
	m->done = true;
	return NULL;
}

/* hugetlb pages that somebody has yet to bring: they are waited for, with nothing locked. */
static void hugetlb_late(struct dev *d)
{
	const size_t huge = 2 * MIB;
	struct mapper m = { .container = d->container, .size = 2 * huge };
	struct usage before = usage(d->container);
	struct pollfd fault = { .events = POLLIN };
	uint8_t *page_in = mem_new(huge);
	struct uffdio_copy bring;
	struct uffd_msg msg;
	int came = 0;

	file_write("/proc/sys/vm/nr_hugepages", "4");
	m.mem = mmap(NULL, m.size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);
	fault.fd = m.mem == MAP_FAILED ? -errno : fault_fd(m.mem, m.size);
	if (fault.fd < 0) {
		tap_skip("no 2 MiB page, or no userfaultfd: %s", strerror(-fault.fd));
		mem_free(page_in, huge);
		return;
	}
	mem_fill(page_in, huge, 17);
	pthread_create(&m.thread, NULL, mapper_run, &m);
	while (!m.done) {
		if (poll(&fault, 1, 10) <= 0 || read(fault.fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		/* Would not return if the waiting thread had the mmap_lock. */
		mem_free(mem_new(page), page);
		bring = (struct uffdio_copy){
			.dst = msg.arg.pagefault.address & ~(huge - 1),
			.src = (uintptr_t)page_in,
			.len = huge,
		};
		came += !ioctl(fault.fd, UFFDIO_COPY, &bring);
	}
	pthread_join(m.thread, NULL);
	if (!came) {
		/* As the kernel's own VFIO; Linux 6.1 does not wait while it pins for long. */
		is(m.ret, -EFAULT, "hugetlb pages that are not there: not waited for: EFAULT");
	} else {
		is(m.ret, 0, "hugetlb pages that are not there: waited for");
		is(came, 2, "both");
		memset(m.mem, 0, page);
		is(copy(d, HIGH + huge, HIGH), 0, "the device copies from the second to the first");
		ok(mem_is(m.mem, LEN, 17), "byte for byte");
		is(dma_unmap(d->container, HIGH, m.size), (int64_t)m.size, "unmap");
	}
	close(fault.fd);
	munmap(m.mem, m.size);
	file_write("/proc/sys/vm/nr_hugepages", "0");
	ok(usage_same(before, usage(d->container)), "nothing is left");
	mem_free(page_in, huge);
}

/* Memory that cannot be had as asked: EFAULT, and nothing of what was pinned on the way stays. */
static void bad_memory(struct dev *d)
{
	int c = d->container;
	size_t size = 4 * MIB;
	uint8_t *mem = mem_new(size);
	struct usage before = usage(c);

	mprotect(mem + size - page, page, PROT_NONE);
	is(dma_map(c, mem, IOVA, size, RW), -EFAULT, "the last page may not be touched: EFAULT");
	is(dma_map(c, mem, IOVA, size, RO), -EFAULT, "nor read: EFAULT");
	ok(usage_same(before, usage(c)), "nothing is left");
	mprotect(mem + size - page, page, PROT_READ);
	is(dma_map(c, mem, IOVA, size, RW), -EFAULT, "the last page may only be read: EFAULT");
	ok(usage_same(before, usage(c)), "nothing is left");
	is(dma_map(c, mem, IOVA, size, RO), 0, "for reading only it can be mapped");
	is(dma_unmap(c, IOVA, size), size, "unmap");
	munmap(mem + size / 2, page);
	is(dma_map(c, mem, IOVA, size, RW), -EFAULT, "a hole in the middle: EFAULT");
	ok(usage_same(before, usage(c)), "nothing is left");
	is(dma_map(c, mem + size / 2, IOVA, page, RW), -EFAULT, "the hole by itself: EFAULT");
	is(dma_map(c, (void *)(uintptr_t)page, IOVA, page, RW), -EFAULT, "a low address: EFAULT");
	is(dma_map(c, (void *)(uintptr_t)(1ull << 60), IOVA, page, RW), -EFAULT,
	   "an address no process has: EFAULT");
	is(dma_map(c, (void *)(uintptr_t)0xffff800000000000, IOVA, page, RW), -EFAULT,
	   "one of the kernel's: EFAULT");
	ok(usage_same(before, usage(c)), "nothing is left");
	is(dma_unmap(c, IOVA, size), 0, "nothing is mapped there");
	is(dma_map(c, mem, IOVA, size / 2, RW), 0, "the half before the hole can be mapped");
	is(dma_unmap(c, IOVA, size / 2), size / 2, "unmap");
	munmap(mem, size);
}

/* Pinned memory stays the device's when the process takes its own view away. */
static void vanished(struct dev *d)
{
	uint8_t *mem = mem_new(page), *back = mem_new(page);

	mem_fill(mem, page, 10);
	is(dma_map(d->container, mem, IOVA, page, RO), 0, "map a page");
	is(dma_map(d->container, back, IOVA + page, page, RW), 0, "and another");
	munmap(mem, page);
	is(copy(d, IOVA, IOVA + page), 0, "the process has unmapped it, the device reads it");
	ok(mem_is(back, LEN, 10), "what was there is still there");
	is(dma_unmap(d->container, IOVA, 2 * page), 2 * page, "unmap");
	mem_free(back, page);
}

/* A fork copies memory on write; what is pinned must stay the parent's. */
static void forked(struct dev *d)
{
	uint8_t *mem = mem_new(2 * page);

	is(dma_map(d->container, mem, IOVA, 2 * page, RW), 0, "map two pages");
	is(in_child(writes_its_copy, mem), 0, "a forked child writes its copy of them");
	mem_fill(mem, page, 11);
	is(copy(d, IOVA, IOVA + page), 0, "the parent writes too, and the device copies");
	ok(mem_is(mem + page, LEN, 11), "it sees the parent's memory");
	is(dma_unmap(d->container, IOVA, 2 * page), 2 * page, "unmap");
	mem_free(mem, 2 * page);
}

/* What the process takes away of what is mapped, and has anew, is not what the device has. */
static void taken_away(struct dev *d)
{
	const size_t size = 4 * page;
	struct usage before = usage(d->container);
	int fd = memfd_create("dma", MFD_CLOEXEC);
	uint8_t *mem, *last;

	is(ftruncate(fd, (off_t)size), 0, "a file of four pages");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	last = mem + 3 * page;
	mem_fill(last, page, 12);
	is(dma_map(d->container, mem, IOVA, size, RW), 0, "map it");
	is(ftruncate(fd, (off_t)page), 0, "it is cut to one");
	is(copy(d, IOVA + 3 * page, IOVA), 0, "the device reads what it was cut off");
	ok(mem_is(mem, LEN, 12), "that is still there");
	is(ftruncate(fd, (off_t)size), 0, "it grows again");
	ok(!last[0] && !memcmp(last, last + 1, page - 1), "by pages of zeros");
	is(copy(d, IOVA, IOVA + 3 * page), 0, "the device writes where it was cut off");
	ok(!last[0] && !memcmp(last, last + 1, page - 1), "not into the new pages");
	is(dma_unmap(d->container, IOVA, size), size, "unmap");
	munmap(mem, size);
	close(fd);

	mem = mem_new(size);
	mem_fill(mem, page, 13);
	is(dma_map(d->container, mem, IOVA, size, RW), 0, "map ordinary memory");
	is(madvise(mem, page, MADV_DONTNEED), 0, "the process throws a page away");
	ok(!mem[0] && !memcmp(mem, mem + 1, page - 1), "and has one of zeros");
	is(copy(d, IOVA, IOVA + page), 0, "the device reads it");
	ok(mem_is(mem + page, LEN, 13), "and finds what was there");
	is(dma_unmap(d->container, IOVA, size), size, "unmap");
	mem_free(mem, size);
	ok(usage_same(before, usage(d->container)), "nothing is left");
}

/* A huge page that is mapped for a device, and then is no huge page any more for the process. */
static void split(struct dev *d)
{
	const size_t huge = 2 * MIB;
	uint8_t *room = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	uint8_t *mem = (uint8_t *)(((uintptr_t)room + huge - 1) & ~(huge - 1));
	struct usage before = usage(d->container);

	madvise(mem, huge, MADV_HUGEPAGE);
	memset(mem, 0, huge);
	is(dma_map(d->container, mem, IOVA, huge, RW), 0, "map a transparent huge page");
	is(mprotect(mem + 7 * page, page, PROT_READ), 0, "a page of it becomes read-only");
	munmap(mem + huge / 2, huge / 4);
	mem_fill(mem + huge - page, page, 16);
	is(copy(d, IOVA + huge - page, IOVA), 0, "a part is unmapped; the device copies");
	ok(mem_is(mem, LEN, 16), "from one end to the other");
	is(dma_unmap(d->container, IOVA, huge), huge, "unmap");
	munmap(room, 2 * huge);
	ok(usage_same(before, usage(d->container)), "nothing is left");
}

#define THREADS	4
#define ROUNDS	200

struct worker {
	pthread_t thread;
	int container;
	uint64_t iova;
	uint8_t *mem;
	int mapped;
	int existed;
	int wrong;
};

static void *map_and_unmap(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int ret = dma_map(w->container, w->mem, w->iova, 4 * page, RW);

		if (ret == -EEXIST) {
			w->existed++;
			continue;
		}
		w->mapped += !ret;
		/* Whoever mapped it is the one who finds it to unmap. */
		if (ret || dma_unmap(w->container, w->iova, 4 * page) != (int64_t)(4 * page))
			w->wrong++;
	}
	return NULL;
}

static void threads(struct dev *d, bool same)
{
	struct worker w[THREADS];
	struct usage before;
	uint8_t *mem = mem_new(THREADS * 4 * page);
	int mapped = 0, wrong = 0, tries = 0;

	before = usage(d->container);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){
			.container = d->container,
			.iova = IOVA + (same ? 0 : i * 4 * page),
			.mem = mem + i * 4 * page,
		};
		pthread_create(&w[i].thread, NULL, map_and_unmap, &w[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		mapped += w[i].mapped;
		wrong += w[i].wrong;
		tries += w[i].mapped + w[i].existed;
	}
	is(wrong, 0, "%s: no map or unmap goes wrong",
	   same ? "threads at one range" : "threads, each at its range");
	if (same)
		is(tries, THREADS * ROUNDS,
		   "threads at one range: one maps, the others get EEXIST");
	else
		is(mapped, THREADS * ROUNDS, "threads, each at its range: every map succeeds");
	mem_free(mem, THREADS * 4 * page);
	ok(usage_same(before, usage(d->container)), "nothing is left of them");
}

int main(int argc, char **argv)
{
	long pinned;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	pinned = pages_pinned();
	dev_open(&d, EDU0);
	both_ways(&d);
	scattered(&d);
	read_only(&d);
	after_unmap(&d);
	after_unmap_many(&d);
	overlap(&d);
	half_way(&d);
	unmapping(&d);
	info(&d);
	reserved(&d);
	available(&d);
	many(&d);
	kinds(&d);
	hugetlb(&d);
	hugetlb_late(&d);
	bad_memory(&d);
	vanished(&d);
	forked(&d);
	taken_away(&d);
	split(&d);
	threads(&d, false);
	threads(&d, true);
	dev_close(&d);
	version_1();
	entry_limit();
	is(pages_pinned(), pinned, "not a page of the system stays pinned");
	return tap_done();
}
