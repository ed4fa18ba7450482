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

/**
 * struct pinned - a range of user memory that stays where it is
 * @mm: whose memory, NULL before evfio_pin() and after evfio_unpin()
 * @pages: how many, all accounted to @mm as locked memory
 * @write: whether devices may write to it
 * @many: it has several extents, @extents; else one, at @pfn
 * @hugetlb: extent::hugetlb of the only one
 */
struct pinned {
	struct mm_struct	*mm;
	unsigned long		pages : BITS_PER_LONG - 3;
	unsigned long		write : 1;
	unsigned long		many : 1;
	unsigned long		hugetlb : 1;
	union {
		unsigned long	pfn;
		struct extents	*extents;
	};
};

/* How far one has come. */
struct extent_at {
	const struct extents	*list;
	unsigned int		i;
};

static inline bool extent_next(const struct pinned *pinned, struct extent_at *at, struct extent *e)
{
	if (!pinned->many) {
		e->pfn = pinned->pfn;
		e->count = pinned->pages;
		e->hugetlb = pinned->hugetlb;
		return !at->i++;
	}
	if (!at->list)
		at->list = pinned->extents;
	if (at->i == at->list->nr) {
		at->list = at->list->next;
		at->i = 0;
		if (!at->list)
			return false;
	}
	*e = at->list->extent[at->i++];
	return true;
}

/* @e is a copy of each. */
#define for_each_extent(e, pinned) \
	for (struct extent_at at_ = { }; extent_next(pinned, &at_, &(e)); )

/**
 * struct credit - locked memory of one process, to be taken off its account; begins as { }
 * @mm: whose, NULL if there is none yet
 * @pages: how many
 * @extents: how many have been unpinned so far
 * @hurry: somebody else waits, who must not wait for that process
 */
struct credit {
	struct mm_struct	*mm;
	unsigned long		pages;
	unsigned int		extents;
	bool			hurry;
};

/* True so often that a long loop that lets others run then costs nothing and delays nobody. */
static inline bool time_for_others(unsigned int n)
{
	return n % 64 == 63;
}

int evfio_charge(struct mm_struct *mm, unsigned long pages);
void evfio_uncharge(struct mm_struct *mm, unsigned long pages);
int evfio_pin(struct pinned *pinned, unsigned long vaddr, bool coalesce);
int evfio_pin_charged(struct pinned *pinned, unsigned long vaddr, bool coalesce);
int evfio_pin_adopt(struct pinned *pinned);
void evfio_unpin(struct pinned *pinned, struct credit *credit);
void evfio_settle(struct credit *credit);
void evfio_pin_exit(void);

#endif
