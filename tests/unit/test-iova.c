// SPDX-License-Identifier: GPL-2.0-only
/* The IOVA allocator, at its borders. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"
#include "libtap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void borders(void)
{
	static const struct evfio_iova_range ranges[] = {
		{ 0x8100000, UINT64_MAX }, { 0, 0x7ffffff }, { 5, 4 },
	};
	struct iova_space space;
	uint64_t iova;

	iova_init(&space);
	is(iova_alloc(&space, 4096, 4096, &iova), -ENOSPC, "nothing without ranges");
	is(iova_set_ranges(&space, ranges, COUNT(ranges)), 0, "ranges, one of them empty");
	is((long long)space.nr_ranges, 2, "two are left");
	is((long long)space.ranges[0].first, 0, "in order");

	is(iova_alloc(&space, 0, 4096, &iova), -EINVAL, "size 0");
	is(iova_alloc(&space, 4096, 0, &iova), -EINVAL, "alignment 0");
	is(iova_alloc(&space, 4096, 3, &iova), -EINVAL, "alignment 3");

	is(iova_alloc(&space, 4096, 4096, &iova), 0, "first");
	is((long long)iova, 0x10000, "address 0 is not handed out");
	is(iova_alloc(&space, 0x8000000 - 0x11000, 4096, &iova), 0, "all the rest of the range");
	is((long long)iova, 0x11000, "right behind");
	is(iova_alloc(&space, 4096, 4096, &iova), 0, "then from the next range");
	is((long long)iova, 0x8100000, "at its beginning");
	is(iova_alloc(&space, 4096, 1 << 21, &iova), 0, "aligned to 2 MiB");
	is((long long)iova, 0x8200000, "at the next multiple");
	is(iova_alloc(&space, 4096, 4096, &iova), 0, "the gap before it is used");
	is((long long)iova, 0x8101000, "first fit");

	is(iova_reserve(&space, UINT64_MAX - 4095, 4096), 0, "the last page of all");
	is(iova_reserve(&space, UINT64_MAX - 4095, 4096), -EEXIST, "only once");
	is(iova_reserve(&space, UINT64_MAX - 4095, 8192), -ERANGE, "beyond 2^64");
	is(iova_reserve(&space, UINT64_MAX - 8191, 8192), -EEXIST, "over its border");
	is(iova_reserve(&space, UINT64_MAX - 8191, 4096), 0, "up to its border");
	is(iova_alloc(&space, 1ULL << 63, 1ULL << 63, &iova), -ENOSPC, "no overflow at 2^63");
	is(iova_alloc(&space, UINT64_MAX, 1, &iova), -ENOSPC, "no overflow by size");
	is(iova_free(&space, UINT64_MAX - 4095, 4096), 0, "the last page is given back");
	is(iova_alloc(&space, 1ULL << 63, 1ULL << 63, &iova), -ENOSPC,
	   "the page before it still is in the way");
	is(iova_free(&space, UINT64_MAX - 8191, 4096), 0, "and that too");
	is(iova_alloc(&space, 1ULL << 63, 1ULL << 63, &iova), 0, "2^63 bytes that end at 2^64");
	ok(iova == 1ULL << 63, "at 2^63");
	iova_destroy(&space);
}

static void reserve(void)
{
	static const struct evfio_iova_range ranges[] = { { 0x1000, 0x8fff }, { 0xa000, 0xffff } };
	struct iova_space space;

	iova_init(&space);
	iova_set_ranges(&space, ranges, COUNT(ranges));
	is(iova_reserve(&space, 0, 0x1000), -ERANGE, "before the first range");
	is(iova_reserve(&space, 0, 0x2000), -ERANGE, "over its beginning");
	is(iova_reserve(&space, 0x8000, 0x2000), -ERANGE, "over its end");
	is(iova_reserve(&space, 0x8000, 0x3000), -ERANGE, "over the hole");
	is(iova_reserve(&space, 0x9000, 0x1000), -ERANGE, "in the hole");
	is(iova_reserve(&space, 0x1000, 0), -EINVAL, "size 0");
	is(iova_reserve(&space, 0x1000, 0x8000), 0, "a whole range");
	is(iova_reserve(&space, 0xc000, 0x1000), 0, "one page");
	is(iova_reserve(&space, 0xb000, 0x2000), -EEXIST, "over its beginning");
	is(iova_reserve(&space, 0xc800, 0x100), -EEXIST, "inside");
	is(iova_reserve(&space, 0xb000, 0x4000), -EEXIST, "around");
	is(iova_reserve(&space, 0xb000, 0x1000), 0, "right before");
	is(iova_reserve(&space, 0xd000, 0x1000), 0, "right behind");
	is(iova_free(&space, 0xb000, 0x2000), -ENOENT, "two at once are not given back");
	is(iova_free(&space, 0xc000, 0x800), -ENOENT, "nor half of one");
	is(iova_free(&space, 0xc800, 0x800), -ENOENT, "nor its other half");
	is(iova_free(&space, 0xc000, 0), -ENOENT, "nor nothing");
	is(iova_free(&space, 0xc000, 0x1000), 0, "one is");
	is(iova_free(&space, 0xc000, 0x1000), -ENOENT, "once");
	is(iova_reserve(&space, 0xc000, 0x1000), 0, "and can be taken again");
	iova_destroy(&space);
}

static void ranges_merge(void)
{
	static const struct evfio_iova_range ranges[] = {
		{ 0x3000, 0x3fff }, { 0x1000, 0x2fff }, { 0x1800, 0x1fff }, { 0x5000, 0x5fff },
		{ 0, 0 },
	};
	struct iova_space space;

	iova_init(&space);
	is(iova_set_ranges(&space, ranges, COUNT(ranges)), 0, "ranges that touch and overlap");
	is((long long)space.nr_ranges, 3, "are merged");
	is((long long)space.ranges[1].first, 0x1000, "from the first");
	is((long long)space.ranges[1].last, 0x3fff, "to the last");
	is(iova_set_ranges(&space, ranges, 1), 0, "fewer ranges replace them");
	is((long long)space.nr_ranges, 1, "all");
	is(iova_set_ranges(&space, NULL, 0), 0, "none is possible as well");
	is((long long)space.nr_ranges, 0, "and none it is");
	iova_destroy(&space);
}

static void mask(void)
{
	static const struct evfio_iova_range all[] = { { 0, UINT64_MAX } };
	struct iova_space space;
	uint64_t iova;

	iova_init(&space);
	iova_set_ranges(&space, all, 1);
	space.last = (1ULL << 28) - 1;
	is(iova_alloc(&space, 1ULL << 28, 4096, &iova), -ENOSPC, "not all 2^28 bytes");
	is(iova_alloc(&space, (1ULL << 28) - 0x10000, 4096, &iova), 0, "all but the first");
	is(iova_alloc(&space, 1, 1, &iova), -ENOSPC, "then none is left below the mask");
	space.last = UINT64_MAX;
	is(iova_alloc(&space, 1, 1, &iova), 0, "but above");
	is((long long)iova, 1 << 28, "right above");
	iova_destroy(&space);
}

/* Random use, checked against a map of every page. */
static void random_use(void)
{
	enum { PAGES = 512, FIRST = 16, ROUNDS = 20000 };
	static const struct evfio_iova_range ranges[] = {
		{ 0, 0xfffff }, { 0x110000, 0x1fffff },
	};
	static uint8_t owner[PAGES];
	struct { uint64_t iova, size; } taken[200] = { 0 };
	struct iova_space space;
	unsigned int bad = 0;
	int i;

	srandom(1);
	iova_init(&space);
	iova_set_ranges(&space, ranges, COUNT(ranges));
	for (i = 0; i < ROUNDS; i++) {
		size_t k = (size_t)random() % COUNT(taken), p, first, fit = PAGES;
		uint64_t size = (1 + (uint64_t)random() % 8) * 4096;
		uint64_t align = 4096ULL << (random() % 4);
		int err;

		if (taken[k].size) {
			bad += iova_free(&space, taken[k].iova, taken[k].size) != 0;
			for (p = 0; p < taken[k].size / 4096; p++)
				owner[taken[k].iova / 4096 + p] = 0;
			taken[k].size = 0;
			continue;
		}
		for (first = FIRST; first < PAGES && fit == PAGES; first++) {
			if (first % (align / 4096))
				continue;
			for (p = first; p < first + size / 4096; p++) {
				if (p >= PAGES || owner[p] || (p >= 0x100 && p < 0x110))
					break;
			}
			if (p == first + size / 4096)
				fit = first;
		}
		err = iova_alloc(&space, size, align, &taken[k].iova);
		if (fit == PAGES) {
			bad += err != -ENOSPC;
			continue;
		}
		bad += err || taken[k].iova != fit * 4096;
		if (err)
			continue;
		taken[k].size = size;
		for (p = 0; p < size / 4096; p++)
			owner[fit + p] = 1;
	}
	is(bad, 0, "%d random calls give what a search page by page gives", ROUNDS);
	iova_destroy(&space);
}

int main(void)
{
	borders();
	reserve();
	ranges_merge();
	mask();
	random_use();
	return done();
}
