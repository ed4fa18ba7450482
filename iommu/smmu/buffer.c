// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered buffers: user memory that is pinned and accounted once, and then mapped in windows,
 * which costs no pinning.
 *
 * A buffer belongs to the address space that it was registered with, and dies when that gives it
 * back, which takes that it has no windows, or dies itself. Only the count of what windows have
 * ever changes of it.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "buffer.h"

static int buffer_runs(struct buffer *buffer)
{
	struct extent e;
	struct run *run;

	for_each_extent(e, &buffer->pinned)
		buffer->nr++;
	run = kvmalloc_array(buffer->nr + 1, sizeof(*run), GFP_KERNEL_ACCOUNT);
	if (!run)
		return -ENOMEM;
	buffer->runs = run;
	run->page = 0;
	for_each_extent(e, &buffer->pinned) {
		run->pfn = e.pfn;
		run[1].page = run->page + e.count;
		run++;
	}
	return 0;
}

/**
 * buffer_new() - pin and account memory of the current process
 * @vaddr: where it begins, page-aligned
 * @pages: how many
 * @prot: IOMMU_READ | IOMMU_WRITE
 * @coalesce: windows may be mapped by more than a page at a time
 *
 * Return: the buffer, or an ERR_PTR as of evfio_pin().
 */
struct buffer *buffer_new(unsigned long vaddr, unsigned long pages, int prot, bool coalesce)
{
	struct buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	struct credit credit = { };
	int ret;

	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->prot = prot;
	buffer->pinned.pages = pages;
	buffer->pinned.write = prot & IOMMU_WRITE;
	ret = evfio_pin(&buffer->pinned, vaddr, coalesce) ?: buffer_runs(buffer);
	if (!ret)
		return buffer;
	buffer_free(buffer, &credit);
	evfio_settle(&credit);
	return ERR_PTR(ret);
}

/**
 * buffer_free() - give a buffer's memory back
 * @buffer: no window of it is left
 * @credit: as for evfio_unpin()
 */
void buffer_free(struct buffer *buffer, struct credit *credit)
{
	evfio_unpin(&buffer->pinned, credit);
	kvfree(buffer->runs);
	kfree(buffer);
}

/**
 * buffer_extent() - where in memory a page of a buffer is, and those after it
 * @buffer: the buffer
 * @page: from its beginning, and within it
 * @max: how many are of interest
 */
struct extent buffer_extent(const struct buffer *buffer, unsigned long page, unsigned long max)
{
	unsigned long low = 0, high = buffer->nr, mid;
	const struct run *run = buffer->runs;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (run[mid].page <= page)
			low = mid;
		else
			high = mid;
	}
	return (struct extent){
		.pfn = run[low].pfn + (page - run[low].page),
		.count = min(max, run[low + 1].page - page),
	};
}
