// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Which IOVAs of a container are taken, and the lowest that are not.
 *
 * What can be mapped are a few ranges, in an array. What is mapped may be any number: a treap, that
 * is, a search tree by address that is a heap by a random priority, and so about as deep as the
 * logarithm of that number, whatever the order in which they come and go. Each node knows the
 * longest gap below it, so that a search looks only where there is one of the size: all is done in
 * O(log n), but that each gap is looked at which fails for its alignment alone.
 *
 * Ranges are kept by their first and last address, so that nothing overflows at 2^64. A range is
 * taken and given back whole, and neighbours are not merged: what is given back must be exactly
 * what was taken.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * A range that is taken. Of it and all below it: first and last are the lowest and the highest that
 * are taken, gap is how many bytes the longest gap between them has.
 */
struct iova_node {
	struct iova_node *left, *right;
	uint32_t priority;
	struct evfio_iova_range range;
	uint64_t first, last, gap;
};

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* After what is below the node has changed. */
static void node_update(struct iova_node *node)
{
	const struct iova_node *left = node->left, *right = node->right;

	node->first = left ? left->first : node->range.first;
	node->last = right ? right->last : node->range.last;
	node->gap = 0;
	if (left)
		node->gap = max(left->gap, node->range.first - left->last - 1);
	if (right)
		node->gap = max(node->gap, max(right->gap, right->first - node->range.last - 1));
}

/* One tree of two, all of whose left one comes before the right one. */
static struct iova_node *node_merge(struct iova_node *left, struct iova_node *right)
{
	if (!left || !right)
		return left ? left : right;
	if (left->priority > right->priority) {
		left->right = node_merge(left->right, right);
		node_update(left);
		return left;
	}
	right->left = node_merge(left, right->left);
	node_update(right);
	return right;
}

/* Two trees of one: what begins before iova, and the rest. */
static void node_split(struct iova_node *node, uint64_t iova, struct iova_node **left,
		       struct iova_node **right)
{
	if (!node) {
		*left = NULL;
		*right = NULL;
	} else if (node->range.first < iova) {
		node_split(node->right, iova, &node->right, right);
		node_update(node);
		*left = node;
	} else {
		node_split(node->left, iova, left, &node->left);
		node_update(node);
		*right = node;
	}
}

/* The tree without the node that begins at iova, which is in it and becomes *out. */
static struct iova_node *node_remove(struct iova_node *node, uint64_t iova, struct iova_node **out)
{
	if (node->range.first == iova) {
		*out = node;
		return node_merge(node->left, node->right);
	}
	if (iova < node->range.first)
		node->left = node_remove(node->left, iova, out);
	else
		node->right = node_remove(node->right, iova, out);
	node_update(node);
	return node;
}

static void node_destroy(struct iova_node *node)
{
	if (!node)
		return;
	node_destroy(node->left);
	node_destroy(node->right);
	free(node);
}

void iova_init(struct iova_space *space)
{
	memset(space, 0, sizeof(*space));
	space->last = UINT64_MAX;
	space->random = 1;
}

void iova_clear(struct iova_space *space)
{
	node_destroy(space->used);
	space->used = NULL;
}

void iova_destroy(struct iova_space *space)
{
	iova_clear(space);
	free(space->ranges);
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

/* The first that is taken of what ends at or after iova; NULL if there is none. */
static const struct iova_node *used_at_or_after(const struct iova_space *space, uint64_t iova)
{
	const struct iova_node *node = space->used, *found = NULL;

	while (node) {
		if (node->range.last < iova) {
			node = node->right;
		} else {
			found = node;
			node = node->left;
		}
	}
	return found;
}

/* Marsaglia's xorshift: good enough to keep a tree from becoming a list. */
static uint32_t next_random(struct iova_space *space)
{
	space->random ^= space->random << 13;
	space->random ^= space->random >> 17;
	space->random ^= space->random << 5;
	return space->random;
}

static int used_insert(struct iova_space *space, uint64_t first, uint64_t last)
{
	struct iova_node *node = calloc(1, sizeof(*node)), *left, *right;

	if (!node)
		return -ENOMEM;
	node->priority = next_random(space);
	node->range.first = first;
	node->range.last = last;
	node_update(node);
	node_split(space->used, first, &left, &right);
	space->used = node_merge(node_merge(left, node), right);
	return 0;
}

/* What is looked for: size bytes, aligned. */
struct wish {
	uint64_t size, align;
};

/* Finds the lowest place in a gap; false if there is none. */
static bool fits_gap(struct wish wish, uint64_t first, uint64_t last, uint64_t *iova)
{
	uint64_t end;

	if (__builtin_add_overflow(first, wish.align - 1, &first))
		return false;
	first &= ~(wish.align - 1);
	if (__builtin_add_overflow(first, wish.size - 1, &end) || end > last)
		return false;
	*iova = first;
	return true;
}

/* Finds the lowest place from first to last that nothing of the tree is in. */
static bool fits(const struct iova_node *node, struct wish wish, uint64_t first, uint64_t last,
		 uint64_t *iova)
{
	const struct evfio_iova_range *range;

	if (!node)
		return fits_gap(wish, first, last, iova);
	if (node->gap < wish.size && (node->first < first || node->first - first < wish.size) &&
	    (node->last > last || last - node->last < wish.size))
		return false;
	range = &node->range;
	return (range->first > first &&
		fits(node->left, wish, first, min(last, range->first - 1), iova)) ||
	       (range->last < last &&
		fits(node->right, wish, max(first, range->last + 1), last, iova));
}

int iova_alloc(struct iova_space *space, uint64_t size, uint64_t align, uint64_t *iova)
{
	const struct wish wish = { size, align };
	size_t r;

	if (!size || !align || (align & (align - 1)))
		return -EINVAL;
	for (r = 0; r < space->nr_ranges; r++) {
		const struct evfio_iova_range *range = &space->ranges[r];

		if (fits(space->used, wish, max(range->first, IOVA_LOWEST),
			 min(range->last, space->last), iova))
			return used_insert(space, *iova, *iova + (size - 1));
	}
	return -ENOSPC;
}

int iova_reserve(struct iova_space *space, uint64_t iova, uint64_t size)
{
	const struct iova_node *node;
	uint64_t last;
	size_t r;

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
	node = used_at_or_after(space, iova);
	if (node && node->range.first <= last)
		return -EEXIST;
	return used_insert(space, iova, last);
}

int iova_free(struct iova_space *space, uint64_t iova, uint64_t size)
{
	const struct iova_node *node = used_at_or_after(space, iova);
	struct iova_node *out;

	if (!size || !node || node->range.first != iova || node->range.last != iova + (size - 1))
		return -ENOENT;
	space->used = node_remove(space->used, iova, &out);
	free(out);
	return 0;
}
