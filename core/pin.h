/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A user's memory, pinned and described by extents.
 */
#ifndef EVFIO_CORE_PIN_H
#define EVFIO_CORE_PIN_H

#include <linux/mm_types.h>

/* A physically contiguous run of pages; or of hugetlb pages or parts of such, each pinned once. */
struct extent {
	unsigned long	pfn;
	unsigned long	count : BITS_PER_LONG - 1;
	unsigned long	hugetlb : 1;
};

/* Some extents, in the order of their addresses; further ones in @next. */
struct extents {
	struct extents	*next;
	unsigned int	nr;
	unsigned int	max;
	struct extent	extent[];
};

/* The extent after @e, or the first if that is NULL; @list is where to look. */
static inline struct extent *extent_next(const struct extents **list, const struct extent *e)
{
	const struct extents *in = *list;

	e = e ? e + 1 : in->extent;
	if (e == in->extent + in->nr) {
		in = in->next;
		if (!in)
			return NULL;
		*list = in;
		e = in->extent;
	}
	return (struct extent *)e;
}

/* @list starts as the first struct extents and is used up. */
#define for_each_extent(e, list) \
	for ((e) = extent_next(&(list), NULL); (e); (e) = extent_next(&(list), e))

/**
 * struct pinned - a range of user memory that stays where it is
 * @pages: how many, all accounted to @mm as locked memory
 * @mm: whose memory, NULL before evfio_pin() and after evfio_unpin()
 * @write: whether devices may write to it
 * @extents: where it is; the last member, with room for at least one
 */
struct pinned {
	unsigned long		pages;
	struct mm_struct	*mm;
	bool			write;
	struct extents		extents;
};

/**
 * struct credit - locked memory of one process, to be taken off its account; begins as { }
 * @mm: whose, NULL if there is none yet
 * @pages: how many
 * @extents: how many have been unpinned so far
 */
struct credit {
	struct mm_struct	*mm;
	unsigned long		pages;
	unsigned int		extents;
};

/* True so often that a long loop that lets others run then costs nothing and delays nobody. */
static inline bool time_for_others(unsigned int n)
{
	return n % 64 == 63;
}

int evfio_pin(struct pinned *pinned, unsigned long vaddr, bool coalesce);
void evfio_unpin(struct pinned *pinned, struct credit *credit);
void evfio_settle(struct credit *credit);

#endif
