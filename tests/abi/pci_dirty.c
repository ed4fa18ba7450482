// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_dirty - VFIO_IOMMU_DIRTY_PAGES, and UNMAP_DMA with a bitmap: all that is mapped is dirty
 */
/* vm: board=pci timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libfault.h"
#include "libpci.h"
#include "libtap.h"

#define START	VFIO_IOMMU_DIRTY_PAGES_FLAG_START
#define STOP	VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
#define GET	VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP
#define BITMAP	VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP

#define N	200			/* pages of a range that a bitmap is about */
#define WORDS	4
#define ROOM	(WORDS * 8)
#define OLD	0xa5a5a5a5a5a5a5a5ull	/* what was in it */
#define LONGEST	(1ull << 28)

static size_t page;
static uint8_t *mem;

struct get {
	uint32_t argsz;
	uint32_t flags;
	struct vfio_iommu_type1_dirty_bitmap_get get;
};

struct unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
	struct vfio_bitmap bitmap;
};

static int get_with(int c, uint64_t iova, uint64_t size, uint64_t pgsize, void *bits, uint64_t room)
{
	return dirty_get(c, iova, size, (struct vfio_bitmap){ pgsize, room, bits });
}

static int get(int c, uint64_t iova, uint64_t size, void *bits)
{
	return get_with(c, iova, size, page, bits, ROOM);
}

static int64_t unmap_with(int c, uint64_t iova, uint64_t size, uint64_t pgsize, void *bits,
			  uint64_t room)
{
	return dma_unmap_dirty(c, iova, size, (struct vfio_bitmap){ pgsize, room, bits });
}

static int map(int c, unsigned int at, unsigned int pages)
{
	return dma_map(c, mem, IOVA + at * page, pages * page, RW);
}

/* What a bitmap of N pages that was all @old is to be, with these mappings: { at, pages }. */
static void expect(uint64_t *bits, uint64_t old, const unsigned int (*maps)[2], unsigned int nr)
{
	memset(bits, (int)(old & 0xff), ROOM);
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int bit = maps[i][0]; bit < maps[i][0] + maps[i][1]; bit++) {
			if (!(bit % 64))
				bits[bit / 64] = 0;
			bits[bit / 64] |= 1ull << bit % 64;
		}
}

static bool same(const uint64_t *got, const uint64_t *want)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (got[i] != want[i])
			tap_note("word %u: 0x%016llx, not 0x%016llx", i, (long long)got[i],
				 (long long)want[i]);
	return !memcmp(got, want, ROOM);
}

static void capability(int c)
{
	const struct vfio_iommu_type1_info_cap_migration *cap =
		iommu_cap(iommu_info(c), VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);

	ok(cap, "GET_INFO has the capability for migration");
	if (!cap)
		return;
	is(cap->header.version, 1, "version 1");
	is(cap->flags, 0, "without flags");
	is(cap->pgsize_bitmap, page, "a bit is a page");
	is(cap->max_dirty_bitmap_size, LONGEST, "a bitmap may be 256 MiB long");
}

static void bitmaps(int c)
{
	static const unsigned int maps[][2] = {
		{ 2, 3 }, { 5, 1 }, { 7, 1 }, { 60, 70 }, { 199, 1 },
	}, whole[][2] = { { 0, 3 }, { 3, 1 } }, rest[][2] = { { 71, 1 } };
	const unsigned int nr = sizeof(maps) / sizeof(maps[0]);
	uint64_t bits[WORDS], want[WORDS];

	memset(bits, 0, ROOM);
	is(get(c, IOVA, N * page, bits), -EINVAL, "a bitmap before START: EINVAL");
	is(map(c, maps[0][0], maps[0][1]), 0, "a mapping");
	is(dirty_track(c, START), 0, "START");
	is(dirty_track(c, START), 0, "START once more");
	for (unsigned int i = 1; i < nr; i++)
		is(map(c, maps[i][0], maps[i][1]), 0, "another of %u pages", maps[i][1]);

	expect(want, 0, maps, nr);
	is(get(c, IOVA, N * page, bits), 0, "a bitmap of %u pages", N);
	ok(same(bits, want), "all that is mapped is dirty, and nothing else");
	memset(bits, 0, ROOM);
	is(get(c, IOVA, N * page, bits), 0, "another");
	is(memcmp(bits, want, ROOM) != 0, tap_kernel,
	   "where it is still dirty, and nothing else is");

	is(dirty_track(c, STOP) | dirty_track(c, START), 0, "from the beginning");
	memset(bits, OLD & 0xff, ROOM);
	expect(want, OLD, maps, nr);
	is(get(c, IOVA, N * page, bits), 0, "a bitmap that was not clear");
	ok(same(bits, want), "keeps that where no mapping has the first bit of a word");

	is(dirty_track(c, STOP) | dirty_track(c, START), 0, "from the beginning");
	memset(bits, 0, ROOM);
	expect(want, 0, whole, 2);
	is(get(c, IOVA + 2 * page, 4 * page, bits), 0, "a bitmap that begins and ends with a mapping");
	ok(same(bits, want), "bit 0 is its first page");
	is(get(c, IOVA + 3 * page, 4 * page, bits), -EINVAL, "one that begins within: EINVAL");
	is(get(c, IOVA + 2 * page, 60 * page, bits), -EINVAL, "one that ends within: EINVAL");
	is(get(c, IOVA + 61 * page, page, bits), -EINVAL, "one that is within: EINVAL");
	memset(bits, OLD & 0xff, ROOM);
	expect(want, OLD, NULL, 0);
	is(get(c, IOVA + 8 * page, 52 * page, bits), 0, "one of nothing");
	ok(same(bits, want), "is not touched");

	is(dma_unmap(c, IOVA + 60 * page, 70 * page), 70 * page, "the largest is unmapped");
	memset(bits, 0, ROOM);
	expect(want, 0, rest, 1);
	is(get(c, IOVA + 128 * page, 72 * page, bits), 0, "what was unmapped");
	ok(same(bits, want), "is not dirty");
	is(dirty_track(c, STOP), 0, "STOP");
	is(dirty_track(c, STOP), 0, "STOP once more");
	is(get(c, IOVA, N * page, bits), -EINVAL, "then there is no bitmap: EINVAL");
	is(dma_unmap_all(c), 6 * page, "unmap all");
}

static void unmapping(int c)
{
	static const unsigned int maps[][2] = { { 1, 2 }, { 64, 1 } };
	uint8_t *hole = (uint8_t *)mem_new(2 * page) + page;
	uint64_t bits[WORDS] = { 0 }, want[WORDS];
	struct unmap in = { sizeof(in), BITMAP, IOVA, N * page, { page, ROOM, (void *)bits } };

	mprotect(hole, page, PROT_NONE);
	is(map(c, 1, 2) | map(c, 64, 1), 0, "two mappings");
	is(unmap_with(c, IOVA, N * page, page, bits, ROOM), -EINVAL,
	   "UNMAP_DMA with a bitmap before START: EINVAL");
	is(dirty_track(c, START), 0, "START");
	is(unmap_with(c, IOVA, N * page, 2 * page, bits, ROOM), -EINVAL, "bits of two pages: EINVAL");
	is(unmap_with(c, IOVA, N * page, 0, bits, ROOM), -EINVAL, "of none: EINVAL");
	is(unmap_with(c, IOVA, N * page, page, bits, ROOM - 1), -EINVAL, "too little room: EINVAL");
	is(unmap_with(c, IOVA, 2 * page, page, bits, ROOM), -EINVAL, "a part of one: EINVAL");
	is(unmap_with(c, IOVA, N * page, page, NULL, ROOM), -EFAULT, "no room at all: EFAULT");
	in.argsz--;
	is(xioctl(c, VFIO_IOMMU_UNMAP_DMA, &in), -EINVAL, "a byte too short: EINVAL");
	in.argsz++;
	for (uint32_t flag = VFIO_DMA_UNMAP_FLAG_ALL; flag; flag <<= 1) {
		in.flags = BITMAP | flag;
		in.iova = flag == VFIO_DMA_UNMAP_FLAG_ALL ? 0 : IOVA;
		in.size = flag == VFIO_DMA_UNMAP_FLAG_ALL ? 0 : N * page;
		if (xioctl(c, VFIO_IOMMU_UNMAP_DMA, &in) != -EINVAL)
			break;
		if (flag == 1u << 31)
			in.flags = 0;
	}
	is(in.flags, 0, "with any other flag: EINVAL");
	expect(want, 0, NULL, 0);
	ok(same(bits, want), "none of these told anything");
	expect(want, 0, maps, 2);
	is(dirty_track(c, STOP) | dirty_track(c, START), 0, "from the beginning");
	is(unmap_with(c, IOVA, N * page, page, bits, ROOM), 3 * page, "nor unmapped anything");
	ok(same(bits, want), "what is unmapped is dirty");
	is(unmap_with(c, IOVA, N * page, page, bits, ROOM), 0, "what is not mapped is nothing");
	is(map(c, 0, 1) | map(c, 64, 1), 0, "two mappings");
	is(unmap_with(c, IOVA, 65 * page, page, hole - 8, 16), -EFAULT,
	   "no room for the second: EFAULT");
	is(dma_unmap_all(c), tap_kernel ? page : 2 * page, "both are there still");
	is(dirty_track(c, STOP), 0, "STOP");
	mem_free(hole - page, 2 * page);
}

static void bad_input(int c)
{
	/* The kernel says EINVAL up to 6.12. */
	const int wraps = tap_kernel ? -EINVAL : -EOVERFLOW, at_last = tap_kernel ? -EINVAL : 0;
	uint8_t *hole = (uint8_t *)mem_new(2 * page) + page;
	uint8_t *kernel = (uint8_t *)0xffff800000000000;
	const struct {
		const char *what;
		uint64_t iova, size, pgsize;
		void *bits;
		uint64_t room;
		int ret;
	} bad[] = {
		{ "an odd IOVA", IOVA + 1, page, page, hole, 8, -EINVAL },
		{ "an odd size", IOVA, page + 1, page, hole, 8, -EINVAL },
		{ "no size", IOVA, 0, page, hole, 8, -EINVAL },
		{ "less than a page", IOVA, page - 1, page, hole, 8, -EINVAL },
		{ "bits of no pages", IOVA, page, 0, hole, 1 << 20, -EINVAL },
		{ "bits of a byte", IOVA, page, 1, hole, 1 << 20, -EINVAL },
		{ "bits of half a page", IOVA, page, page / 2, hole, 8, -EINVAL },
		{ "bits of two pages", IOVA, 2 * page, 2 * page, hole, 8, -EINVAL },
		{ "bits of a page and a half", IOVA, 3 * page, page + page / 2, hole, 8, -EINVAL },
		{ "bits of 2 MiB", IOVA, 0x200000, 0x200000, hole, 8, -EINVAL },
		{ "bits of half the world", IOVA, 1ull << 63, 1ull << 63, hole, 8, -EINVAL },
		{ "no room", IOVA, page, page, hole, 0, -EINVAL },
		{ "less than a word", IOVA, page, page, hole, 7, -EINVAL },
		{ "less than two words", IOVA, 65 * page, page, hole, 15, -EINVAL },
		{ "more than is allowed", IOVA, page, page, hole, LONGEST + 1, -EINVAL },
		{ "all room there is", IOVA, page, page, hole, ~0ull, -EINVAL },
		{ "all IOVAs there are", 0, 0 - page, page, hole, LONGEST, -EINVAL },
		{ "a range that wraps", 0 - page, 2 * page, page, hole, 8, wraps },
		{ "a range up to the last address", 0 - page, page, page, hole, 8, at_last },
		{ "the kernel's memory", IOVA, page, page, kernel, 8, -EINVAL },
		{ "no memory", IOVA, 64 * page, page, hole, 8, -EFAULT },
		{ "no memory to add to", IOVA - page, 66 * page, page, hole, 16, -EFAULT },
		{ "memory up to a hole", IOVA, 65 * page, page, hole - 8, 16, -EFAULT },
		{ "a word before a hole", IOVA, 64 * page, page, hole - 8, 8, 0 },
	};
	struct get in = { .argsz = sizeof(in), .flags = GET,
			  .get = { IOVA, 65 * page, { page, 16, (void *)mem } } };
	uint32_t flags;

	mprotect(hole, page, PROT_NONE);
	is(dirty_track(c, START), 0, "START");
	is(map(c, 0, 64) | map(c, 64, 1), 0, "two mappings");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is(get_with(c, bad[i].iova, bad[i].size, bad[i].pgsize, bad[i].bits, bad[i].room),
		   bad[i].ret, "a bitmap with %s", bad[i].what);
	is(xioctl(c, VFIO_IOMMU_DIRTY_PAGES, NULL), -EFAULT, "no argument: EFAULT");
	is(xioctl(c, VFIO_IOMMU_DIRTY_PAGES, memcpy(hole - 8, &in, 8)), -EFAULT,
	   "half of one: EFAULT");
	in.argsz--;
	is(xioctl(c, VFIO_IOMMU_DIRTY_PAGES, &in), -EINVAL, "one that is a byte too short: EINVAL");
	in.argsz = 7;
	in.flags = START;
	is(xioctl(c, VFIO_IOMMU_DIRTY_PAGES, &in), -EINVAL, "START in 7 bytes: EINVAL");
	in.argsz = 8;
	is(xioctl(c, VFIO_IOMMU_DIRTY_PAGES, &in), 0, "START in 8 bytes");
	for (flags = 0; flags < 64; flags++)
		if (flags != START && flags != STOP && flags != GET &&
		    dirty_track(c, flags) != -EINVAL)
			break;
	is(flags, 64, "anything but one of the three flags: EINVAL");
	is(dirty_track(c, START | 1u << 31), -EINVAL, "START and the last flag: EINVAL");
	is(dirty_track(c, STOP), 0, "STOP");
	is(dma_unmap_all(c), 65 * page, "unmap all");
	mem_free(hole - page, 2 * page);
}

/* Two pages, 8 TiB from each other, and as many bits as there can be: two words are told. */
static void longest(int c)
{
	const uint64_t pages = LONGEST * 8, last = (pages - 1) * page;
	uint64_t *bits = mmap(NULL, LONGEST, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	is(dma_map(c, mem, IOVA, page, RW) | dma_map(c, mem, IOVA + last, page, RW), 0,
	   "two mappings, far apart");
	is(dirty_track(c, START), 0, "START");
	is(get_with(c, IOVA, pages * page, page, bits, LONGEST), 0, "the longest bitmap");
	ok(bits[0] == 1 && bits[pages / 64 - 1] == 1ull << 63, "has the first bit and the last");
	is(get_with(c, IOVA, (pages + 1) * page, page, bits, LONGEST), -EINVAL,
	   "one page more: EINVAL");
	is(dirty_track(c, STOP), 0, "STOP");
	is(dma_unmap_all(c), 2 * page, "unmap all");
	munmap(bits, LONGEST);
}

static void version_1(void)
{
	struct dev d = { .name = PCI_EDU };
	uint64_t bits[WORDS] = { 0 };

	board_take(PCI_EDU);
	d.container = container_open();
	d.group = group_open(PCI_EDU);
	is(group_set(d.group, d.container), 0, "a container");
	is(container_set_iommu(d.container, VFIO_TYPE1_IOMMU), 0, "of version 1");
	is(dirty_track(d.container, START), -EACCES, "START: EACCES");
	is(dirty_track(d.container, STOP), -EACCES, "STOP: EACCES");
	is(dirty_track(d.container, 0), -EACCES, "anything: EACCES");
	is(xioctl(d.container, VFIO_IOMMU_DIRTY_PAGES, NULL), tap_kernel ? -EACCES : -EFAULT,
	   "nothing: EFAULT");
	is(get(d.container, IOVA, page, bits), -EACCES, "a bitmap: EACCES");
	is(map(d.container, 0, 1), 0, "a mapping");
	is(unmap_with(d.container, IOVA, page, page, bits, ROOM), -EINVAL,
	   "UNMAP_DMA with a bitmap: EINVAL");
	is(dma_unmap_all(d.container), page, "unmaps nothing");
	close(d.group);
	close(d.container);
}

/* What only evfio has: windows. One that is unmapped is no more the user's to ask for. */
static void windows(int c)
{
	const struct evfio_iommu_range at = { IOVA, page, 2 * page };
	uint64_t bits[WORDS] = { 0 };
	int id = dma_register(c, mem, 4 * page, RW);

	ok(id >= 0, "a registered buffer");
	is(dirty_track(c, START), 0, "START");
	is(get(c, IOVA, N * page, bits), 0, "a bitmap");
	is(bits[0], 0, "a buffer itself is nowhere");
	is(dma_move(c, id, 0, NULL, 0, &at, 1), 0, "a window of it");
	is(get(c, IOVA, N * page, bits), 0, "a bitmap");
	is(bits[0], 3, "has that");
	is(get(c, IOVA, page, bits), -EINVAL, "which is one thing: EINVAL for a part");
	is(dma_move(c, 0, EVFIO_IOMMU_MOVE_LAZY, &at, 1, NULL, 0), 0, "it is unmapped lazily");
	bits[0] = 0;
	is(get(c, IOVA, page, bits), 0, "a bitmap");
	is(bits[0], 0, "does not have it any more");
	is(dma_move(c, id, 0, NULL, 0, &at, 1), 0, "another window");
	is(unmap_with(c, IOVA, N * page, page, bits, ROOM), 2 * page, "unmapped with a bitmap");
	is(bits[0], 3, "it is dirty");
	is(dma_unregister(c, id) | dirty_track(c, STOP), 0, "unregister, STOP");
}

static void *get_slowly(void *arg)
{
	void **args = arg;

	return (void *)(intptr_t)get(*(int *)args[0], IOVA, N * page, args[1]);
}

/* The bitmap's page does not come; meanwhile nobody else waits. */
static void slow_bitmap(int c)
{
	uint8_t *bits = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	void *args[] = { &c, bits }, *ret;
	struct uffdio_zeropage zero;
	struct uffd_msg msg;
	pthread_t thread;
	int fd;

	fd = fault_fd(bits, page);
	if (fd < 0) {
		tap_skip("no userfaultfd");
		return;
	}
	is(dirty_track(c, START) | map(c, 0, 1), 0, "START, a mapping");
	if (pthread_create(&thread, NULL, get_slowly, args))
		tap_bail("no thread");
	while (read(fd, &msg, sizeof(msg)) != sizeof(msg))
		sleep_ms(1);
	is(map(c, 1, 1), 0, "while a bitmap's page does not come, one can map");
	is(dma_unmap(c, IOVA, page), page, "and unmap");
	is(dirty_track(c, STOP), 0, "and stop");
	zero = (struct uffdio_zeropage){ .range = { (uintptr_t)bits, page } };
	is(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0, "the page comes");
	pthread_join(thread, &ret);
	is((intptr_t)ret, -EINVAL, "the bitmap is of no use any more: EINVAL");
	is(dma_unmap_all(c), page, "unmap all");
	close(fd);
	munmap(bits, page);
}

int main(int argc, char **argv)
{
	struct usage before;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	mem = mem_new(N * page);
	version_1();
	pci_open(&d, PCI_EDU);
	before = usage(d.container);
	capability(d.container);
	bitmaps(d.container);
	unmapping(d.container);
	bad_input(d.container);
	longest(d.container);
	if (!tap_kernel) {
		windows(d.container);
		slow_bitmap(d.container);
	}
	ok(usage_same(before, usage(d.container)), "nothing is left");
	dev_close(&d);
	return tap_done();
}
