/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EVFIO_SMMU_BUFFER_H
#define EVFIO_SMMU_BUFFER_H

#include "../../core/pin.h"

/**
 * struct buffer - user memory that is pinned once and mapped in windows
 * @pinned: all of it
 * @used: how many pages its windows have; who owns the buffer keeps count
 * @nr, @runs: where @pinned's extents begin, ascending: in pages from its beginning, and in memory;
 *	one more has its end
 * @prot: what devices may do with it: IOMMU_READ | IOMMU_WRITE
 */
struct buffer {
	struct pinned	pinned;
	unsigned long	used;
	int		prot;
	unsigned long	nr;
	struct run {
		unsigned long	page;
		unsigned long	pfn;
	} *runs;
};

struct buffer *buffer_new(unsigned long vaddr, unsigned long pages, int prot, bool coalesce);
void buffer_free(struct buffer *buffer, struct credit *credit);
struct extent buffer_extent(const struct buffer *buffer, unsigned long page, unsigned long max);

#endif
