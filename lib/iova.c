// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Which IOVAs of a container are taken: two sorted arrays of ranges, searched first-fit.
 *
 * Ranges are kept by their first and last address, so that nothing overflows at 2^64. A range is
 * taken and given back whole, and neighbours are not merged: what is given back must be exactly
 * what was taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void iova_init(struct iova_space *space)
{
	memset(space, 0, sizeof(*space));
	space->last = UINT64_MAX;
}

void iova_destroy(struct iova_space *space)
{
	free(space->ranges);
	free(space->used);
	memset(space, 0, sizeof(*space));
}

static int compare_ranges(const void *a, const void *b)
{
	const struct evfio_iova_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

int iova_set_ranges(struct iova_space *space, const struct evfio_iova_range *ranges, size_t count)
{
	struct evfio_iova_range *copy = calloc(count ? count : 1, sizeof(*copy));
	size_t i, nr = 0, out = 0;

	if (!copy)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		if (ranges[i].first <= ranges[i].last)
			copy[nr++] = ranges[i];
	}
	qsort(copy, nr, sizeof(*copy), compare_ranges);
	for (i = 0; i < nr; i++) {
		struct evfio_iova_range *prev = out ? &copy[out - 1] : NULL;

		/* first > 0 for all but the first of the sorted ranges that do not overlap */
		if (prev && (copy[i].first <= prev->last || copy[i].first - 1 == prev->last)) {
			if (copy[i].last > prev->last)
				prev->last = copy[i].last;
		} else {
			copy[out++] = copy[i];
		}
	}
	free(space->ranges);
	space->ranges = copy;
	space->nr_ranges = out;
	return 0;
}

/* Index of the first used range that ends at or after iova; nr_used if there is none. */
static size_t used_at_or_after(const struct iova_space *space, uint64_t iova)
{
	size_t low = 0, high = space->nr_used;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (space->used[mid].last < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int used_insert(struct iova_space *space, size_t at, uint64_t first, uint64_t last)
{
	if (space->nr_used == space->max_used) {
		size_t max = space->max_used ? 2 * space->max_used : 16;
		struct evfio_iova_range *used = reallocarray(space->used, max, sizeof(*used));

		if (!used)
			return -ENOMEM;
		space->used = used;
		space->max_used = max;
	}
	memmove(&space->used[at + 1], &space->used[at],
		(space->nr_used - at) * sizeof(*space->used));
	space->used[at].first = first;
	space->used[at].last = last;
	space->nr_used++;
	return 0;
}

/* Rounds *iova up to align; false if that is beyond 2^64. */
static bool align_up(uint64_t *iova, uint64_t align)
{
	if (__builtin_add_overflow(*iova, align - 1, iova))
		return false;
	*iova &= ~(align - 1);
	return true;
}

int iova_alloc(struct iova_space *space, uint64_t size, uint64_t align, uint64_t *iova)
{
	size_t r;

	if (!size || !align || (align & (align - 1)))
		return -EINVAL;

	for (r = 0; r < space->nr_ranges; r++) {
		uint64_t first = space->ranges[r].first;
		uint64_t end = space->ranges[r].last;
		size_t u;

		if (first < IOVA_LOWEST)
			first = IOVA_LOWEST;
		if (end > space->last)
			end = space->last;
		u = used_at_or_after(space, first);
		for (;;) {
			uint64_t last;

			if (!align_up(&first, align) ||
			    __builtin_add_overflow(first, size - 1, &last) || last > end)
				break;
			if (u == space->nr_used || last < space->used[u].first) {
				*iova = first;
				return used_insert(space, u, first, last);
			}
			/* A used range may reach 2^64 - 1 or begin before the gap looked at. */
			if (space->used[u].last == UINT64_MAX)
				break;
			if (space->used[u].last >= first)
				first = space->used[u].last + 1;
			u++;
		}
	}
	return -ENOSPC;
}

int iova_reserve(struct iova_space *space, uint64_t iova, uint64_t size)
{
	uint64_t last;
	size_t r, u;

	if (!size)
		return -EINVAL;
	if (__builtin_add_overflow(iova, size - 1, &last))
		return -ERANGE;
	for (r = 0; r < space->nr_ranges; r++) {
		if (iova >= space->ranges[r].first && last <= space->ranges[r].last)
			break;
	}
	if (r == space->nr_ranges)
		return -ERANGE;
	u = used_at_or_after(space, iova);
	if (u < space->nr_used && space->used[u].first <= last)
		return -EEXIST;
	return used_insert(space, u, iova, last);
}

int iova_free(struct iova_space *space, uint64_t iova, uint64_t size)
{
	size_t u = used_at_or_after(space, iova);

	if (!size || u == space->nr_used || space->used[u].first != iova ||
	    space->used[u].last != iova + (size - 1))
		return -ENOENT;
	space->nr_used--;
	memmove(&space->used[u], &space->used[u + 1],
		(space->nr_used - u) * sizeof(*space->used));
	return 0;
}
