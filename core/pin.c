// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning: user memory as extents, never as an array of pages.
 *
 * Pages are taken by GUP-fast, a batch at a time, and neighbours are joined at once. Memory is
 * accounted once a range, before the first page is touched. No lock is held or needed: a range
 * belongs to who is pinning it.
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pin.h"

/* Page pointers of a batch: on the stack for small ranges, in a page for others. */
#define FEW	16
#define MANY	(PAGE_SIZE / sizeof(struct page *))

static int extents_append(struct extents **tail, unsigned long pfn, bool coalesce)
{
	struct extents *list = *tail;
	struct extent *last = list->extent + list->nr - 1;

	if (coalesce && list->nr && last->pfn + last->count == pfn) {
		last->count++;
		return 0;
	}
	if (list->nr == list->max) {
		list->next = kzalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
		if (!list->next)
			return -ENOMEM;
		list = list->next;
		list->max = (PAGE_SIZE - sizeof(*list)) / sizeof(list->extent[0]);
		*tail = list;
	}
	list->extent[list->nr++] = (struct extent){ .pfn = pfn, .count = 1 };
	return 0;
}

static int pin_pages(struct pinned *pinned, unsigned long vaddr, bool coalesce)
{
	const unsigned int flags = FOLL_LONGTERM | (pinned->write ? FOLL_WRITE : 0);
	struct extents *tail = &pinned->extents;
	unsigned long left = pinned->pages;
	struct page *few[FEW], **pages = few;
	unsigned long batch = FEW;
	int i, n, ret = 0;

	if (left > FEW) {
		pages = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!pages)
			return -ENOMEM;
		batch = MANY;
	}
	while (left) {
		n = pin_user_pages_fast(vaddr, min(left, batch), flags, pages);
		if (n <= 0) {
			/* GUP-fast has a word of its own for the very last page. */
			ret = n && n != -EOVERFLOW ? n : -EFAULT;
			break;
		}
		for (i = 0; i < n; i++) {
			ret = extents_append(&tail, page_to_pfn(pages[i]), coalesce);
			if (ret)
				break;
		}
		if (ret) {
			for (; i < n; i++)
				unpin_user_page_range_dirty_lock(pages[i], 1, false);
			break;
		}
		left -= n;
		vaddr += (unsigned long)n << PAGE_SHIFT;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}
	if (pages != few)
		kfree(pages);
	return ret;
}

static void unpin_pages(struct pinned *pinned, struct credit *credit)
{
	const struct extents *list = &pinned->extents;
	struct extents *chunk, *next;
	struct extent *e;

	for_each_extent(e, list) {
		unpin_user_page_range_dirty_lock(pfn_to_page(e->pfn), e->count, pinned->write);
		if (time_for_others(credit->extents++))
			cond_resched();
	}
	for (chunk = pinned->extents.next; chunk; chunk = next) {
		next = chunk->next;
		kfree(chunk);
	}
}

/**
 * evfio_pin() - pin memory of the current process
 * @pinned: pages, write and extents.max are set, the rest is zero
 * @vaddr: where it begins, page-aligned
 * @coalesce: join neighbouring pages
 *
 * Return: 0; -ENOMEM if RLIMIT_MEMLOCK would be exceeded or memory is short; -EFAULT if a page is
 * not there or must not be accessed so; -EINTR when killed. On failure nothing is pinned.
 */
int evfio_pin(struct pinned *pinned, unsigned long vaddr, bool coalesce)
{
	struct credit credit = { };
	int ret;

	ret = account_locked_vm(current->mm, pinned->pages, true);
	if (ret)
		return ret;
	ret = pin_pages(pinned, untagged_addr(vaddr), coalesce);
	if (ret) {
		unpin_pages(pinned, &credit);
		account_locked_vm(current->mm, pinned->pages, false);
		return ret;
	}
	mmgrab(current->mm);
	pinned->mm = current->mm;
	return 0;
}
EXPORT_SYMBOL_GPL(evfio_pin);

/**
 * evfio_unpin() - the counterpart of evfio_pin(); also for a range that was never pinned
 * @pinned: as evfio_pin() left it
 * @credit: takes its pages over, for evfio_settle()
 */
void evfio_unpin(struct pinned *pinned, struct credit *credit)
{
	if (!pinned->mm)
		return;
	unpin_pages(pinned, credit);
	if (credit->mm == pinned->mm) {
		mmdrop(pinned->mm);
	} else {
		evfio_settle(credit);
		credit->mm = pinned->mm;
	}
	credit->pages += pinned->pages;
	pinned->mm = NULL;
}
EXPORT_SYMBOL_GPL(evfio_unpin);

/**
 * evfio_settle() - give back what unpinned ranges count for
 * @credit: owes nothing afterwards
 */
void evfio_settle(struct credit *credit)
{
	if (!credit->mm)
		return;
	account_locked_vm(credit->mm, credit->pages, false);
	mmdrop(credit->mm);
	credit->mm = NULL;
	credit->pages = 0;
}
EXPORT_SYMBOL_GPL(evfio_settle);
