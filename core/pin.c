// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning: user memory as extents, never as an array of pages.
 *
 * Pages are taken by GUP-fast, a batch at a time, and neighbours are joined at once; hugetlb pages
 * one by one. Memory is accounted once a call, before the first page is touched. Nothing is locked
 * but the mmap_lock, for a hugetlb page that need not be waited for and for pages that must be
 * moved: a range belongs to who is pinning it. That lock is taken as it is: the tracepoints around
 * mmap_write_lock() and its kin would be half a kilobyte, and VMAs are only looked at.
 *
 * The lock is the process's: it can be held for as long as the process likes, by a page fault in a
 * file system that it serves itself. Who takes a device away from it does not wait for that: what
 * it is owed becomes a debt, paid when the lock is free, and before the process is told that it has
 * locked too much. debts_lock protects them.
 */
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "pin.h"

/* Whether the structures of neighbouring pages are neighbours, and only those. */
#define PAGES_IN_ORDER	(!IS_ENABLED(CONFIG_SPARSEMEM) || IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))

/* Page pointers of a batch: on the stack for small ranges, in a page for others. */
#define FEW	8
#define MANY	(PAGE_SIZE / sizeof(struct page *))

/* Extents for which the first piece of a list has room, and a further one. */
#define FIRST	7
#define FURTHER	((PAGE_SIZE - sizeof(struct extents)) / sizeof(struct extent))

/* A range on the way to being pinned: @last, and before it what is in the list. */
struct pinning {
	struct pinned	*pinned;
	struct extents	*tail;
	struct extent	last;
	bool		coalesce;
};

static int pinning_push(struct pinning *p)
{
	const unsigned int max = p->tail ? FURTHER : min_t(unsigned long, p->pinned->pages, FIRST);
	struct extents *list = p->tail;

	if (!list || list->nr == list->max) {
		list = kmalloc(struct_size(list, extent, max), GFP_KERNEL_ACCOUNT);
		if (!list)
			return -ENOMEM;
		list->next = NULL;
		list->nr = 0;
		list->max = max;
		if (p->tail)
			p->tail->next = list;
		else
			p->pinned->extents = list;
		p->pinned->many = true;
		p->tail = list;
	}
	list->extent[list->nr++] = p->last;
	return 0;
}

static int pinning_add(struct pinning *p, struct extent new)
{
	struct extent *last = &p->last;

	if (p->coalesce && last->count && last->pfn + last->count == new.pfn &&
	    last->hugetlb == new.hugetlb) {
		last->count += new.count;
		return 0;
	}
	if (last->count && pinning_push(p))
		return -ENOMEM;
	*last = new;
	return 0;
}

/*
 * Pin what a hugetlb page has of a range, if it begins in one that is there: once, whatever the
 * size, since such a page is mapped as a whole and never split. That it is one is told by where it
 * is mapped, and true while the lock is held: elsewhere a part of somebody else's could be mapped.
 * Returns how many pages, 0 to pin them one by one.
 */
static long pin_hugetlb(unsigned int flags, struct pinning *p, unsigned long vaddr,
			unsigned long left)
{
	struct extent new = { .hugetlb = true };
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long size;
	struct page *page;

	if (!down_read_trylock(&mm->mmap_lock))
		return 0;
	vma = vma_lookup(mm, vaddr);
	if (vma && is_vm_hugetlb_page(vma) &&
	    evfio_pin_user_pages(vaddr, 1, flags | FOLL_NOFAULT, &page) == 1) {
		size = huge_page_size(hstate_vma(vma)) >> PAGE_SHIFT;
		new.pfn = page_to_pfn(page);
		new.count = min(left, size - (vaddr >> PAGE_SHIFT) % size);
	}
	up_read(&mm->mmap_lock);
	if (new.count && pinning_add(p, new)) {
		unpin_user_page(page);
		return -ENOMEM;
	}
	return new.count;
}

/*
 * The kernel moves what must not stay where it is, of CMA for one. Two who pin the same pages can
 * keep each other from that, which is reported as memory that is short: the process's others are
 * kept away then, and who is on the way already gets time to end. Nothing is waited for with the
 * lock held: what was not there has been brought in.
 */
static noinline int pin_alone(unsigned int flags, unsigned long vaddr, unsigned long nr,
			      struct page **pages)
{
	struct mm_struct *mm = current->mm;
	long delay = 1;
	int n;

	do {
		down_write(&mm->mmap_lock);
		n = evfio_pin_user_pages(vaddr, nr, flags | FOLL_NOFAULT, pages);
		up_write(&mm->mmap_lock);
		/* What is just being moved is not there. */
		if (n <= 0)
			n = pin_user_pages_fast(vaddr, nr, flags, pages);
	} while (n == -ENOMEM && delay < HZ && !schedule_timeout_killable(delay *= 2));
	return n;
}

/* Pin @nr pages, or as many as can be had at a time. Returns how many, at least one. */
static int pin_fast(unsigned int flags, unsigned long vaddr, unsigned long nr, struct page **pages)
{
	int n = pin_user_pages_fast(vaddr, nr, flags, pages);

	if (n == -ENOMEM)
		n = pin_alone(flags, vaddr, nr, pages);
	/* GUP-fast has a word of its own for the very last page. */
	return n > 0 || (n && n != -EOVERFLOW) ? n : -EFAULT;
}

/* The same, and add them to a range. */
static long pin_batch(unsigned int flags, struct pinning *p, unsigned long vaddr,
		      unsigned long nr, struct page **pages)
{
	int i, run, ret = 0, n = pin_fast(flags, vaddr, nr, pages);
	struct extent new = { };

	for (i = 0; i < n; i += run) {
		for (run = 1; p->coalesce && PAGES_IN_ORDER && i + run < n; run++)
			if (pages[i + run] != pages[i + run - 1] + 1)
				break;
		new.pfn = page_to_pfn(pages[i]);
		new.count = run;
		if (pinning_add(p, new)) {
			unpin_user_page_range_dirty_lock(pages[i], run, false);
			ret = -ENOMEM;
		}
	}
	return ret ?: n;
}

static int pin_batches(unsigned int flags, struct pinning *p, unsigned long vaddr)
{
	unsigned long left = p->pinned->pages;
	struct page *few[FEW], **pages = few;
	unsigned long batch = FEW;
	long n, ret = 0;

	if (left > FEW) {
		pages = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!pages)
			return -ENOMEM;
		batch = MANY;
	}
	while (left) {
		n = pages != few && p->coalesce ? pin_hugetlb(flags, p, vaddr, left) : 0;
		if (!n)
			n = pin_batch(flags, p, vaddr, min(left, batch), pages);
		if (n < 0) {
			ret = n;
			break;
		}
		left -= n;
		vaddr += n << PAGE_SHIFT;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}
	if (pages != few)
		kfree(pages);
	if (!ret && p->tail)
		ret = pinning_push(p);
	return ret;
}

static void unpin_extent(const struct extent *e, bool dirty)
{
	unsigned long pfn, next, end = e->pfn + e->count;
	struct page *page;

	if (!e->hugetlb) {
		unpin_user_page_range_dirty_lock(pfn_to_page(e->pfn), e->count, dirty);
		return;
	}
	for (pfn = e->pfn; pfn < end; pfn = next) {
		page = pfn_to_page(pfn);
		next = (pfn | (folio_nr_pages(page_folio(page)) - 1)) + 1;
		unpin_user_page_range_dirty_lock(page, 1, dirty);
	}
}

static void unpin_pages(struct pinned *pinned, struct credit *credit)
{
	struct extents *list, *next;
	struct extent e;

	for_each_extent(e, pinned) {
		unpin_extent(&e, pinned->write);
		if (time_for_others(credit->extents++))
			cond_resched();
	}
	for (list = pinned->many ? pinned->extents : NULL; list; list = next) {
		next = list->next;
		kfree(list);
	}
	pinned->many = false;
}

/* What was pinned until it failed. */
static void pinning_undo(struct pinning *p)
{
	struct pinned last = { .pfn = p->last.pfn, .pages = p->last.count,
			       .hugetlb = p->last.hugetlb };
	struct credit credit = { };

	if (p->tail)
		unpin_pages(p->pinned, &credit);
	if (last.pages)
		unpin_pages(&last, &credit);
}

/* One page, which is the common case: without anything that only more would need. */
static int pin_page(unsigned int flags, struct pinned *pinned, unsigned long vaddr)
{
	struct page *page;
	int n = pin_fast(flags, vaddr, 1, &page);

	if (n < 0)
		return n;
	pinned->pfn = page_to_pfn(page);
	return 0;
}

static int pin_pages(unsigned int flags, struct pinned *pinned, unsigned long vaddr, bool coalesce)
{
	struct pinning p = { .pinned = pinned, .coalesce = coalesce };
	int ret = pin_batches(flags, &p, vaddr);

	if (ret) {
		pinning_undo(&p);
	} else if (!pinned->many) {
		pinned->pfn = p.last.pfn;
		pinned->hugetlb = p.last.hugetlb;
	}
	return ret;
}

static DEFINE_MUTEX(debts_lock);
static LIST_HEAD(debts);
static void debts_collect(struct work_struct *work);
static DECLARE_DELAYED_WORK(debts_work, debts_collect);

struct debt {
	struct list_head	node;
	struct mm_struct	*mm;
	unsigned long		pages;
};

static void debt_forget(struct debt *debt)
{
	list_del(&debt->node);
	mmdrop(debt->mm);
	kfree(debt);
}

static bool try_uncharge(struct mm_struct *mm, unsigned long pages)
{
	if (!down_write_trylock(&mm->mmap_lock))
		return false;
	__account_locked_vm(mm, pages, false, current, true);
	up_write(&mm->mmap_lock);
	return true;
}

/* Pay whoever can be paid: @locked, whose mmap_lock is held, and those who do not hold theirs. */
static void debts_pay(struct mm_struct *locked)
{
	struct debt *debt, *next;

	mutex_lock(&debts_lock);
	list_for_each_entry_safe(debt, next, &debts, node) {
		if (debt->mm == locked)
			__account_locked_vm(locked, debt->pages, false, current, true);
		else if (!try_uncharge(debt->mm, debt->pages))
			continue;
		debt_forget(debt);
	}
	if (!list_empty(&debts))
		schedule_delayed_work(&debts_work, HZ / 10);
	mutex_unlock(&debts_lock);
}

static void debts_collect(struct work_struct *work)
{
	debts_pay(NULL);
}

/* Memory for this is so little that the kernel finds it. */
static void debt_new(struct credit *credit)
{
	struct debt *debt = kmalloc(sizeof(*debt), GFP_KERNEL | __GFP_NOFAIL);

	mmgrab(credit->mm);
	debt->mm = credit->mm;
	debt->pages = credit->pages;
	mutex_lock(&debts_lock);
	list_add_tail(&debt->node, &debts);
	schedule_delayed_work(&debts_work, 0);
	mutex_unlock(&debts_lock);
}

/* Who still holds his lock is not paid. */
void evfio_pin_exit(void)
{
	struct debt *debt, *next;

	cancel_delayed_work_sync(&debts_work);
	list_for_each_entry_safe(debt, next, &debts, node)
		debt_forget(debt);
}

static bool too_much(struct mm_struct *mm, unsigned long pages)
{
	return mm->locked_vm + pages > rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/**
 * evfio_charge() - put memory on a process's account of what it has locked
 * @mm: the process, the current one
 * @pages: how many, perhaps 0
 *
 * As account_locked_vm(), but for its question whether RLIMIT_MEMLOCK may be exceeded: that is only
 * asked when it would be, as it costs more than all else here.
 *
 * Return: 0; -ENOMEM if RLIMIT_MEMLOCK would be exceeded.
 */
int evfio_charge(struct mm_struct *mm, unsigned long pages)
{
	int ret;

	down_write(&mm->mmap_lock);
	if (too_much(mm, pages) && !list_empty(&debts))
		debts_pay(mm);
	ret = __account_locked_vm(mm, pages, true, current,
				  too_much(mm, pages) && capable(CAP_IPC_LOCK));
	up_write(&mm->mmap_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(evfio_charge);

/**
 * evfio_uncharge() - take memory off the account again
 * @mm: the process
 * @pages: how many, perhaps 0
 */
void evfio_uncharge(struct mm_struct *mm, unsigned long pages)
{
	if (!pages)
		return;
	down_write(&mm->mmap_lock);
	__account_locked_vm(mm, pages, false, current, true);
	up_write(&mm->mmap_lock);
}
EXPORT_SYMBOL_GPL(evfio_uncharge);

/**
 * evfio_pin_charged() - pin memory of the current process that is accounted already
 * @pinned: pages and write are set, the rest is zero
 * @vaddr: where it begins, page-aligned
 * @coalesce: join neighbouring pages
 *
 * Return: 0; -ENOMEM if memory is short; -EFAULT if a page is not there or must not be accessed so;
 * -EINTR when killed. On failure nothing is pinned, and accounted still.
 */
int evfio_pin_charged(struct pinned *pinned, unsigned long vaddr, bool coalesce)
{
	const unsigned int flags = FOLL_LONGTERM | (pinned->write ? FOLL_WRITE : 0);
	int ret;

	vaddr = untagged_addr(vaddr);
	ret = pinned->pages == 1 ? pin_page(flags, pinned, vaddr) :
				   pin_pages(flags, pinned, vaddr, coalesce);
	if (ret)
		return ret;
	mmgrab(current->mm);
	pinned->mm = current->mm;
	return 0;
}
EXPORT_SYMBOL_GPL(evfio_pin_charged);

/**
 * evfio_pin() - account and pin memory of the current process
 * @pinned: as for evfio_pin_charged()
 * @vaddr: the same
 * @coalesce: the same
 *
 * Return: as evfio_pin_charged(); -ENOMEM also if RLIMIT_MEMLOCK would be exceeded. On failure
 * nothing is pinned or accounted.
 */
int evfio_pin(struct pinned *pinned, unsigned long vaddr, bool coalesce)
{
	int ret = evfio_charge(current->mm, pinned->pages);

	if (ret)
		return ret;
	ret = evfio_pin_charged(pinned, vaddr, coalesce);
	if (ret)
		evfio_uncharge(current->mm, pinned->pages);
	return ret;
}
EXPORT_SYMBOL_GPL(evfio_pin);

/**
 * evfio_pin_adopt() - let the current process pay for what is pinned
 * @pinned: of whichever process; goes on the current one's account and off the other's
 *
 * Return: 0; -ENOMEM if RLIMIT_MEMLOCK would be exceeded, and all is as it was.
 */
int evfio_pin_adopt(struct pinned *pinned)
{
	struct credit credit = { .mm = pinned->mm, .pages = pinned->pages };
	int ret;

	if (pinned->mm == current->mm)
		return 0;
	ret = evfio_charge(current->mm, pinned->pages);
	if (ret)
		return ret;
	mmgrab(current->mm);
	pinned->mm = current->mm;
	evfio_settle(&credit);
	return 0;
}
EXPORT_SYMBOL_GPL(evfio_pin_adopt);

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
	if (!credit->hurry)
		evfio_uncharge(credit->mm, credit->pages);
	else if (!try_uncharge(credit->mm, credit->pages))
		debt_new(credit);
	mmdrop(credit->mm);
	credit->mm = NULL;
	credit->pages = 0;
}
EXPORT_SYMBOL_GPL(evfio_settle);
