// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio_iommu_type1: user memory mapped for DMA, through any IOMMU the kernel drives.
 *
 * An instance serves one container. It holds mappings (a range of IOVA over pinned extents) and
 * domains (hardware address spaces, each with the groups attached to it); every mapping is in
 * every domain. Groups share a domain where the hardware allows it and their devices agree about
 * cache coherence. What a user has mapped of a device can be mapped for DMA too: such a mapping has
 * a peer instead of pinned pages, and is in the hardware when the core says so, until it dies. And
 * it can be a window of a registered buffer (buffer.c), whose pages are pinned already.
 *
 * A mapping passes through four states. RESERVED: its range is taken; it is being pinned and
 * programmed. LIVE: the user knows of it. DYING: it is being taken out of the hardware. GONE: it is
 * out, and being unpinned; its range is still taken. A window can be STALE before it is DYING: the
 * user has unmapped it and lets the hardware keep it, until many can be taken out at a time or
 * somebody needs its range. Only the tree and the state are under the lock: pinning, which may wait
 * for a page of the user's for as long as that likes, holds nothing, so neither other ranges nor
 * groups that come or go wait for it. Who needs a range that is in transit waits, and can be
 * killed; and holds nothing while it waits, but takes all it needs at once.
 *
 *	domains_lock	the domains, their groups; held for reading while a mapping is programmed
 *			or taken out of them, until its state or peer::mapped says so. Taken inside
 *			evfio_device::lock for a peer: nothing waits for that while it holds this
 *	lock (inside)	the tree, states and counters; the usable ranges and page sizes, which
 *			change under both
 *
 * An instance dies when its last group has been detached and no map or unmap is in progress.
 */
#define pr_fmt(fmt) "vfio_iommu_type1: " fmt

#include <linux/dma-map-ops.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/overflow.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../../core/evfio.h"
#include "../../core/pin.h"
#include "buffer.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "accept devices whose DMA could forge the interrupts of others");

static bool disable_hugepages;
module_param(disable_hugepages, bool, 0644);
MODULE_PARM_DESC(disable_hugepages, "map memory page by page");

static unsigned int dma_entry_limit = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit, "mappings a container may have");

/* Invalidations of one range each, which together cost a domain about what one of all does. */
#define MANY_FLUSHES	16

/* Structures that are allocated, or freed, together. */
#define BULK		32u

/* Stale windows that are taken out together. */
#define MANY_STALE	64

/*
 * How often over its windows may have a buffer: what their page tables cost is bounded by that, and
 * by what its owner may lock.
 */
#define WINDOWS_MAX	16

enum state { RESERVED, LIVE, STALE, DYING, GONE };

/*
 * @node, @page: its place in the tree, by the number of its first page; mappings never overlap
 * @prot: IOMMU_READ | IOMMU_WRITE, IOMMU_MMIO for a peer
 * @state: enum state
 * @peer: it is part of a struct peer
 * @window: it is one of @buffer; neither of both: it holds memory
 * @adrift: the user has taken back its address, and not given it another yet
 * @next: in the list that somebody is working on, or in that of the stale ones
 * @pinned: pinned::pages is its size from the beginning, whether that is pinned or not; of a
 *	window, pinned::pfn is where it begins in the buffer
 * @buffer: of a window, in the place of pinned::mm
 */
struct mapping {
	struct rb_node	node;
	u64		page : 52;
	u64		prot : 6;
	u64		state : 3;
	u64		peer : 1;
	u64		window : 1;
	u64		adrift : 1;
	struct mapping	*next;
	union {
		struct buffer	*buffer;
		struct pinned	pinned;
	};
};

/* There may be tens of thousands. */
static_assert(sizeof(struct mapping) <= 64);
static struct kmem_cache *mappings;

/* @mapped: it is in every domain. */
struct peer {
	struct evfio_peer	peer;
	struct type1		*iommu;
	bool			mapped;
	struct mapping		mapping;
};

static dma_addr_t mapping_iova(const struct mapping *m)
{
	return (dma_addr_t)m->page << PAGE_SHIFT;
}

static size_t mapping_size(const struct mapping *m)
{
	return (size_t)m->pinned.pages << PAGE_SHIFT;
}

static dma_addr_t mapping_last(const struct mapping *m)
{
	return mapping_iova(m) + (mapping_size(m) - 1);
}

/* Whether it holds its memory. */
static bool mapping_holds(const struct mapping *m)
{
	return !m->peer && !m->window;
}

/* How many pages it holds. */
static unsigned long mapping_pinned(const struct mapping *m)
{
	return mapping_holds(m) ? m->pinned.pages : 0;
}

static struct peer *mapping_peer(struct mapping *m)
{
	return container_of(m, struct peer, mapping);
}

/* Whether it is in every domain, or in none. */
static bool mapping_programmed(struct mapping *m)
{
	return m->state != GONE &&
	       (m->peer ? mapping_peer(m)->mapped : m->state != RESERVED);
}

static void mapping_free(struct mapping *m)
{
	if (m->peer)
		kfree(mapping_peer(m));
	else
		kmem_cache_free(mappings, m);
}

struct attached {
	struct list_head	node;
	struct iommu_group	*group;
};

/* @coherent: its devices snoop the processors' caches, so memory is mapped IOMMU_CACHE. */
struct domain {
	struct list_head	node;
	struct list_head	groups;
	struct iommu_domain	*domain;
	bool			coherent;
	bool			enforced;
};

struct type1 {
	bool			v2;
	bool			tracking;	/* the user asks for dirty pages; no lock */

	struct rw_semaphore	domains_lock;	/* domains, and the groups of each */
	struct list_head	domains;

	struct mutex		lock;	/* all below */
	struct xarray		buffers;
	struct rb_root		mappings;
	struct mapping		*highest;	/* the last in the tree, or NULL */
	wait_queue_head_t	settled;
	struct mapping		*stale;
	unsigned int		nr_stale;
	unsigned int		leaving;	/* how many threads take out what was stale */
	unsigned int		limit;	/* of count, as it was when this was opened */
	unsigned int		count;
	u64			pinned;
	u64			pgsizes;
	unsigned int		nr_ranges;
	struct vfio_iova_range	*ranges;
};

/* The first mapping that overlaps [iova, last]. */
static struct mapping *mapping_first(struct type1 *iommu, dma_addr_t iova, dma_addr_t last)
{
	struct rb_node *node = iommu->mappings.rb_node;
	struct mapping *m, *first = NULL;

	while (node) {
		m = rb_entry(node, struct mapping, node);
		if (mapping_last(m) < iova) {
			node = node->rb_right;
		} else {
			first = m;
			node = node->rb_left;
		}
	}
	return first && mapping_iova(first) <= last ? first : NULL;
}

/* The one after it, if that overlaps [.., last]. */
static struct mapping *mapping_next(struct mapping *m, dma_addr_t last)
{
	struct rb_node *node = rb_next(&m->node);

	m = node ? rb_entry(node, struct mapping, node) : NULL;
	return m && mapping_iova(m) <= last ? m : NULL;
}

#define for_each_mapping(m, iommu, iova, last)					\
	for ((m) = mapping_first(iommu, iova, last); (m); (m) = mapping_next(m, last))

/*
 * Put a mapping into the tree, or return one that it would overlap. Who makes many makes them
 * mostly one after the other: then the place is known.
 */
static struct mapping *mapping_insert(struct type1 *iommu, struct mapping *new)
{
	struct rb_node **link = &iommu->mappings.rb_node, *parent = NULL;
	struct mapping *m = iommu->highest;

	if (!m || mapping_iova(new) > mapping_last(m)) {
		if (m) {
			parent = &m->node;
			link = &parent->rb_right;
		}
		iommu->highest = new;
	}
	while (*link) {
		parent = *link;
		m = rb_entry(parent, struct mapping, node);
		if (mapping_last(new) < mapping_iova(m))
			link = &parent->rb_left;
		else if (mapping_iova(new) > mapping_last(m))
			link = &parent->rb_right;
		else
			return m;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &iommu->mappings);
	return NULL;
}

static void mapping_unlink(struct type1 *iommu, struct mapping *m)
{
	if (iommu->highest == m)
		iommu->highest = rb_entry_safe(rb_prev(&m->node), struct mapping, node);
	rb_erase(&m->node, &iommu->mappings);
}

/* Some mapping has settled. */
static void settled_wake(struct type1 *iommu)
{
	if (wq_has_sleeper(&iommu->settled))
		wake_up_all(&iommu->settled);
}

static bool range_usable(struct type1 *iommu, dma_addr_t iova, dma_addr_t last)
{
	unsigned int i;

	for (i = 0; i < iommu->nr_ranges; i++)
		if (iova >= iommu->ranges[i].start && last <= iommu->ranges[i].end)
			return true;
	return false;
}

/* Take the first @size bytes of a mapping out of one domain. */
static void domain_unmap(struct domain *d, struct mapping *m, size_t size)
{
	WARN_ON_ONCE(size && iommu_unmap(d->domain, mapping_iova(m), size) != size);
}

/* The memory of a mapping from its page @done on, as far as it is in one piece. */
static bool mapping_extent(const struct mapping *m, unsigned long done, struct extent_at *at,
			   struct extent *e)
{
	if (!m->window)
		return extent_next(&m->pinned, at, e);
	if (done == m->pinned.pages)
		return false;
	*e = buffer_extent(m->buffer, m->pinned.pfn + done, m->pinned.pages - done);
	return true;
}

static int domain_map(struct domain *d, struct mapping *m)
{
	int prot = m->prot | (d->coherent && !(m->prot & IOMMU_MMIO) ? IOMMU_CACHE : 0);
	struct extent_at at = { };
	unsigned long done = 0;
	unsigned int n = 0;
	struct extent e;
	int ret;

	while (mapping_extent(m, done, &at, &e)) {
		ret = evfio_domain_map(d->domain, mapping_iova(m) + PFN_PHYS(done),
				       PFN_PHYS(e.pfn), (size_t)e.count << PAGE_SHIFT, prot);
		if (ret) {
			domain_unmap(d, m, PFN_PHYS(done));
			return ret;
		}
		done += e.count;
		if (time_for_others(n++))
			cond_resched();
	}
	return 0;
}

/*
 * Take a list of mappings out of one domain. On return its devices reach none of them. With gaps
 * between them, each would be a flush of its own: many cost more than one of everything.
 */
static void domain_unmap_list(struct domain *d, struct mapping *list, unsigned int nr)
{
	dma_addr_t first = mapping_iova(list), last = 0;
	struct iommu_iotlb_gather gather;
	struct mapping *m;

	iommu_iotlb_gather_init(&gather);
	gather.queued = nr > MANY_FLUSHES && d->domain->ops->flush_iotlb_all;
	for (m = list; m; m = m->next) {
		first = min(first, mapping_iova(m));
		last = max(last, mapping_last(m));
		if (mapping_programmed(m))
			WARN_ON_ONCE(iommu_unmap_fast(d->domain, mapping_iova(m), mapping_size(m),
						      &gather) != mapping_size(m));
		if (time_for_others(nr--))
			cond_resched();
	}
	if (gather.queued) {
		iommu_flush_iotlb_all(d->domain);
		/* A driver that gathers only ranges flushes this one, and frees the tables. */
		iommu_iotlb_gather_add_range(&gather, first, last - first + 1);
	}
	iommu_iotlb_sync(d->domain, &gather);
}

/* Put a mapping into every domain, or into none. */
static int mapping_map(struct type1 *iommu, struct mapping *m)
{
	struct domain *d;
	int ret;

	lockdep_assert_held(&iommu->domains_lock);
	list_for_each_entry(d, &iommu->domains, node) {
		ret = domain_map(d, m);
		if (ret)
			goto unmap;
	}
	return 0;

unmap:
	list_for_each_entry_continue_reverse(d, &iommu->domains, node)
		domain_unmap(d, m, mapping_size(m));
	return ret;
}

/* evfio_peer::set */
static int peer_set(struct evfio_peer *evfio_peer, bool on)
{
	struct peer *peer = container_of(evfio_peer, struct peer, peer);
	struct mapping *m = &peer->mapping;
	struct domain *d;
	int ret = 0;

	down_read(&peer->iommu->domains_lock);
	if (on) {
		m->pinned.pfn = PHYS_PFN(evfio_peer->base);
		ret = mapping_map(peer->iommu, m);
		peer->mapped = !ret;
	} else {
		list_for_each_entry(d, &peer->iommu->domains, node)
			domain_unmap(d, m, mapping_size(m));
		peer->mapped = false;
	}
	up_read(&peer->iommu->domains_lock);
	return ret;
}

/* Map what could not be pinned, for @error, if it is a peer: as another struct in its place. */
static int mapping_add_peer(struct type1 *iommu, struct mapping **mapping, unsigned long vaddr,
			    int error)
{
	struct peer *peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	struct mapping *m;
	int ret;

	if (!peer)
		return -ENOMEM;
	m = &peer->mapping;
	peer->peer.set = peer_set;
	peer->iommu = iommu;
	mutex_lock(&iommu->lock);
	*m = **mapping;
	iommu->pinned -= mapping_pinned(m);
	m->peer = 1;
	m->prot |= IOMMU_MMIO;
	rb_replace_node(&(*mapping)->node, &m->node, &iommu->mappings);
	if (iommu->highest == *mapping)
		iommu->highest = m;
	mutex_unlock(&iommu->lock);
	mapping_free(*mapping);
	*mapping = m;
	ret = evfio_peer_add(&peer->peer, vaddr, mapping_size(m), m->prot & IOMMU_WRITE);
	return ret == -ENOENT ? error : ret;
}

/* Nothing but its owner puts the mapping into the hardware any more, or takes it out. */
static void mapping_drop_peer(struct mapping *m)
{
	if (m->peer && mapping_peer(m)->peer.vdev)
		evfio_peer_remove(&mapping_peer(m)->peer);
}

static void mapping_erase(struct type1 *iommu, struct mapping *m)
{
	lockdep_assert_held(&iommu->lock);
	mapping_unlink(iommu, m);
	iommu->count--;
	iommu->pinned -= mapping_pinned(m);
	if (m->window)
		m->buffer->used -= m->pinned.pages;
}

/* Check an address range: not empty, aligned to the smallest page, no overflow. */
static int range_check(struct type1 *iommu, u64 start, u64 size, u64 *last)
{
	u64 mask = (iommu->pgsizes & -iommu->pgsizes) - 1;

	if (!size || (start | size) & mask || size > SIZE_MAX)
		return -EINVAL;
	if (check_add_overflow(start, size - 1, last))
		return -EOVERFLOW;
	return 0;
}

/* Check a range of addresses in the same way. */
static int vaddr_check(struct type1 *iommu, u64 vaddr, u64 size)
{
	u64 last;
	int ret;

	mutex_lock(&iommu->lock);
	ret = range_check(iommu, vaddr, size, &last);
	mutex_unlock(&iommu->lock);
	return !ret && last != (unsigned long)last ? -EINVAL : ret;
}

/* Whether there is room for one more mapping; -EAGAIN: soon. */
static int mapping_admit(struct type1 *iommu, const struct mapping *m)
{
	const struct buffer *buffer = m->buffer;

	if (iommu->count < iommu->limit &&
	    (!m->window ||
	     buffer->used + m->pinned.pages <= WINDOWS_MAX * (u64)buffer->pinned.pages))
		return 0;
	return iommu->stale || iommu->leaving ? -EAGAIN : -ENOSPC;
}

/* Make a mapping a window of a buffer. */
static int mapping_slice(struct mapping *m, struct buffer *buffer, unsigned long page)
{
	if (page >= buffer->pinned.pages || m->pinned.pages > buffer->pinned.pages - page)
		return -EINVAL;
	m->window = 1;
	m->prot = buffer->prot;
	m->buffer = buffer;
	m->pinned.pfn = page;
	return 0;
}

/*
 * Take the range of a new mapping, of memory or, with @buffer, of that, if it is in order, free and
 * usable; -EAGAIN: soon.
 */
static int mapping_reserve(struct type1 *iommu, struct mapping *m,
			   const struct evfio_iommu_range *range, struct buffer *buffer)
{
	struct mapping *other;
	u64 last, vlast;
	int ret;

	ret = range_check(iommu, range->iova, range->size, &last) ?:
	      range_check(iommu, range->vaddr, range->size, &vlast);
	if (ret)
		return ret;
	if (last != (dma_addr_t)last || vlast != (unsigned long)vlast)
		return -EINVAL;
	ret = buffer ? mapping_slice(m, buffer, range->vaddr >> PAGE_SHIFT) : 0;
	if (ret)
		return ret;
	other = mapping_insert(iommu, m);
	if (other)
		return other->state == LIVE ? -EEXIST : -EAGAIN;
	ret = mapping_admit(iommu, m) ?: range_usable(iommu, range->iova, last) ? 0 : -EINVAL;
	if (ret) {
		mapping_unlink(iommu, m);
		return ret;
	}
	iommu->count++;
	iommu->pinned += mapping_pinned(m);
	if (buffer)
		buffer->used += m->pinned.pages;
	return 0;
}

/* Take all of the ranges for a list of mappings, or none. */
static int mappings_reserve(struct type1 *iommu, struct mapping *list,
			    const struct evfio_iommu_range *ranges, struct buffer *buffer)
{
	struct mapping *m, *taken;
	int ret;

	for (m = list; m; m = m->next) {
		ret = mapping_reserve(iommu, m, ranges++, buffer);
		if (ret)
			goto erase;
	}
	return 0;

erase:
	for (taken = list; taken != m; taken = taken->next)
		mapping_erase(iommu, taken);
	return ret;
}

/* Many at a time, which costs half of what each alone does. */
static noinline void mappings_free_bulk(struct mapping *list)
{
	struct mapping *m, *next;
	void *bulk[BULK];
	unsigned int nr = 0;

	for (m = list; m; m = next) {
		next = m->next;
		if (m->peer) {
			mapping_free(m);
			continue;
		}
		bulk[nr++] = m;
		if (nr == BULK) {
			kmem_cache_free_bulk(mappings, nr, bulk);
			nr = 0;
		}
	}
	if (nr)
		kmem_cache_free_bulk(mappings, nr, bulk);
}

static void mappings_free(struct mapping *list)
{
	if (list && !list->next)
		mapping_free(list);
	else
		mappings_free_bulk(list);
}

/* What the user's flags let devices do. */
static int prot_of(u32 flags)
{
	return (flags & VFIO_DMA_MAP_FLAG_READ ? IOMMU_READ : 0) |
	       (flags & VFIO_DMA_MAP_FLAG_WRITE ? IOMMU_WRITE : 0);
}

static void mapping_init(struct mapping *m, const struct evfio_iommu_range *range, int prot)
{
	*m = (struct mapping){
		.page = range->iova >> PAGE_SHIFT,
		.prot = prot,
		.state = RESERVED,
		.pinned = { .pages = range->size >> PAGE_SHIFT, .write = !!(prot & IOMMU_WRITE) },
	};
}

static noinline int mappings_new_bulk(const struct evfio_iommu_range *ranges, unsigned int nr,
				      int prot, struct mapping **list)
{
	struct mapping **tail = list, *m;
	unsigned int have = 0;
	void *bulk[BULK];

	for (*list = NULL; nr; nr--, tail = &m->next) {
		if (!have) {
			have = min(nr, BULK);
			/* All of them or none. */
			if (!kmem_cache_alloc_bulk(mappings, GFP_KERNEL, have, bulk)) {
				mappings_free(*list);
				return -ENOMEM;
			}
		}
		m = bulk[--have];
		mapping_init(m, ranges++, prot);
		*tail = m;
	}
	return 0;
}

/* A mapping for each of the ranges, as a list. */
static int mappings_new(const struct evfio_iommu_range *ranges, unsigned int nr, int prot,
			struct mapping **list)
{
	if (nr != 1)
		return mappings_new_bulk(ranges, nr, prot, list);
	*list = kmem_cache_alloc(mappings, GFP_KERNEL);
	if (!*list)
		return -ENOMEM;
	mapping_init(*list, ranges, prot);
	return 0;
}

/* Pin the memory of a list of mappings, which is accounted at once; or make peers of them. */
static int mappings_pin(struct type1 *iommu, struct mapping **list,
			const struct evfio_iommu_range *ranges)
{
	unsigned long left = 0;
	struct mapping *m;
	int charged, ret = 0;

	for (m = *list; m; m = m->next)
		left += m->pinned.pages;
	charged = evfio_charge(current->mm, left);
	for (; (m = *list); list = &(*list)->next, ranges++) {
		ret = charged ?: evfio_pin_charged(&m->pinned, ranges->vaddr, !disable_hugepages);
		if (!ret)
			left -= m->pinned.pages;
		else
			ret = mapping_add_peer(iommu, list, ranges->vaddr, ret);
		if (ret)
			break;
	}
	if (!charged)
		evfio_uncharge(current->mm, left);
	return ret;
}

/*
 * Take a list of mappings out of the hardware, as far as they are in it, and give back all they
 * have. Returns how many bytes they were.
 */
static u64 mappings_remove(struct type1 *iommu, struct mapping *list)
{
	struct credit credit = { };
	unsigned int nr = 0;
	struct mapping *m;
	struct domain *d;
	u64 size = 0;

	for (m = list; m; m = m->next) {
		mapping_drop_peer(m);
		nr++;
	}
	down_read(&iommu->domains_lock);
	list_for_each_entry(d, &iommu->domains, node)
		domain_unmap_list(d, list, nr);
	/* Who has only the other lock asks no more than whether it is LIVE. */
	for (m = list; m; m = m->next)
		m->state = GONE;
	up_read(&iommu->domains_lock);

	for (m = list; m; m = m->next)
		if (mapping_holds(m))
			evfio_unpin(&m->pinned, &credit);
	evfio_settle(&credit);

	mutex_lock(&iommu->lock);
	for (m = list; m; m = m->next) {
		size += mapping_size(m);
		mapping_erase(iommu, m);
	}
	mutex_unlock(&iommu->lock);
	mappings_free(list);
	settled_wake(iommu);
	return size;
}

/*
 * Doom what there is in a range, and append it to a list. @at is the first mapping that can be in
 * it, if that is known, and then the first that can be in a range after it.
 */
static int range_doom(struct type1 *iommu, dma_addr_t iova, dma_addr_t last, bool windows,
		      struct mapping **at, struct mapping ***tail)
{
	struct mapping *m = *at;

	if (!m || mapping_last(m) < iova)
		m = mapping_first(iommu, iova, last);
	for (; m && mapping_iova(m) <= last; m = mapping_next(m, (dma_addr_t)U64_MAX)) {
		/* Version 1 stops at a mapping that begins before the range. */
		if (!iommu->v2 && mapping_iova(m) < iova)
			break;
		if (m->state != LIVE)
			return -EAGAIN;
		/* Version 2: all or nothing of each. */
		if (iommu->v2 && (mapping_iova(m) < iova || mapping_last(m) > last))
			return -EINVAL;
		if (windows && !m->window)
			return -EINVAL;
		m->state = DYING;
		**tail = m;
		*tail = &m->next;
	}
	*at = m;
	return 0;
}

static void mappings_settle(struct mapping *list, enum state state)
{
	for (; list; list = list->next)
		list->state = state;
}

/*
 * Doom the mappings in some ranges, or all if there are no ranges, and make them a list; -EAGAIN if
 * some are in transit. On failure all is as it was.
 */
static int mappings_doom(struct type1 *iommu, const struct evfio_iommu_range *ranges,
			 unsigned int nr, bool windows, struct mapping **list)
{
	struct mapping *at = NULL, **tail = list;
	int ret = 0;
	u64 last;

	if (!nr)
		ret = range_doom(iommu, 0, (dma_addr_t)U64_MAX, windows, &at, &tail);
	for (; nr && !ret; nr--, ranges++) {
		ret = range_check(iommu, ranges->iova, ranges->size, &last);
		/* Beyond what an address can be there is nothing. */
		if (!ret && ranges->iova == (dma_addr_t)ranges->iova)
			ret = range_doom(iommu, ranges->iova, min_t(u64, last, (dma_addr_t)U64_MAX),
					 windows, &at, &tail);
	}
	*tail = NULL;
	if (ret)
		mappings_settle(*list, LIVE);
	return ret;
}

/* Take what is stale out of the hardware. */
static noinline void stale_remove(struct type1 *iommu)
{
	struct mapping *list;

	mutex_lock(&iommu->lock);
	list = iommu->stale;
	mappings_settle(list, DYING);
	WRITE_ONCE(iommu->leaving, iommu->leaving + 1);
	/* Who sees none sees that some are leaving. */
	smp_store_release(&iommu->stale, NULL);
	iommu->nr_stale = 0;
	mutex_unlock(&iommu->lock);
	if (list)
		mappings_remove(iommu, list);
	mutex_lock(&iommu->lock);
	WRITE_ONCE(iommu->leaving, iommu->leaving - 1);
	mutex_unlock(&iommu->lock);
	settled_wake(iommu);
}

/* Nothing that was stale is in the hardware after this, whoever takes it out; or we are killed. */
static void stale_drop(struct type1 *iommu)
{
	/* With stale_remove(). */
	if (smp_load_acquire(&iommu->stale))
		stale_remove(iommu);
	if (READ_ONCE(iommu->leaving))
		wait_event_killable(iommu->settled, !READ_ONCE(iommu->leaving));
}

/*
 * Make way for somebody who was told -EAGAIN: take out what is stale, else sleep until some mapping
 * has settled, or until killed. Drops the lock meanwhile.
 */
static noinline int settled_wait(struct type1 *iommu)
{
	bool stale = iommu->stale;
	DEFINE_WAIT(wait);

	lockdep_assert_held(&iommu->lock);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!stale)
		prepare_to_wait(&iommu->settled, &wait, TASK_KILLABLE);
	mutex_unlock(&iommu->lock);
	if (stale)
		stale_remove(iommu);
	else
		schedule();
	mutex_lock(&iommu->lock);
	finish_wait(&iommu->settled, &wait);
	return 0;
}

/* Program a list of mappings, unless pinning it failed, and let the user know of them, or undo. */
static int mappings_finish(struct type1 *iommu, struct mapping *list, int ret)
{
	struct mapping *m, *end;

	down_read(&iommu->domains_lock);
	for (end = list; !ret && end; end = end->next) {
		ret = end->peer ? 0 : mapping_map(iommu, end);
		if (ret)
			break;
	}
	mutex_lock(&iommu->lock);
	for (m = list; m != end; m = m->next)
		m->state = ret ? DYING : LIVE;
	mutex_unlock(&iommu->lock);
	up_read(&iommu->domains_lock);
	if (ret)
		mappings_remove(iommu, list);
	else
		settled_wake(iommu);
	return ret;
}

static int type1_map(void *data, const struct evfio_iommu_range *ranges, unsigned int nr, u32 flags)
{
	struct type1 *iommu = data;
	struct mapping *list;
	int ret;

	ret = mappings_new(ranges, nr, prot_of(flags), &list);
	if (ret)
		return ret;
	mutex_lock(&iommu->lock);
	do {
		ret = mappings_reserve(iommu, list, ranges, NULL);
	} while (ret == -EAGAIN && !(ret = settled_wait(iommu)));
	mutex_unlock(&iommu->lock);
	if (ret) {
		mappings_free(list);
		return ret;
	}
	ret = mappings_pin(iommu, &list, ranges);
	return mappings_finish(iommu, list, ret);
}

/* Doom the mappings in some ranges, or all, when none of them is in transit any more. */
static int mappings_take(struct type1 *iommu, const struct evfio_iommu_range *ranges,
			 unsigned int nr, struct mapping **list)
{
	int ret;

	mutex_lock(&iommu->lock);
	do {
		ret = mappings_doom(iommu, ranges, nr, false, list);
	} while (ret == -EAGAIN && !(ret = settled_wait(iommu)));
	mutex_unlock(&iommu->lock);
	return ret;
}

static int type1_unmap(void *data, const struct evfio_iommu_range *ranges, unsigned int nr,
		       u64 *size)
{
	struct type1 *iommu = data;
	struct mapping *list;
	int ret = mappings_take(iommu, ranges, nr, &list);

	*size = !ret && list ? mappings_remove(iommu, list) : 0;
	return ret;
}

static int type1_buffer_add(void *data, const struct evfio_iommu_register *user, u32 *id)
{
	struct type1 *iommu = data;
	struct credit credit = { };
	struct buffer *buffer;
	int ret;

	ret = vaddr_check(iommu, user->vaddr, user->size);
	if (ret)
		return ret;
	buffer = buffer_new(user->vaddr, user->size >> PAGE_SHIFT, prot_of(user->flags),
			    !disable_hugepages);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	mutex_lock(&iommu->lock);
	ret = xa_alloc(&iommu->buffers, id, buffer, xa_limit_32b, GFP_KERNEL_ACCOUNT);
	if (!ret)
		iommu->pinned += buffer->pinned.pages;
	mutex_unlock(&iommu->lock);
	if (ret) {
		buffer_free(buffer, &credit);
		evfio_settle(&credit);
	}
	return ret;
}

/* Take a buffer without windows out of the table; -EAGAIN if it has some that have yet to go. */
static int buffer_erase(struct type1 *iommu, u32 id, struct buffer **buffer)
{
	struct mapping *m;

	lockdep_assert_held(&iommu->lock);
	*buffer = xa_load(&iommu->buffers, id);
	if (!*buffer)
		return -ENOENT;
	if ((*buffer)->used) {
		for_each_mapping(m, iommu, 0, (dma_addr_t)U64_MAX)
			if (m->window && m->state == LIVE && m->buffer == *buffer)
				return -EBUSY;
		return -EAGAIN;
	}
	xa_erase(&iommu->buffers, id);
	iommu->pinned -= (*buffer)->pinned.pages;
	return 0;
}

static int type1_buffer_remove(void *data, u32 id)
{
	struct type1 *iommu = data;
	struct credit credit = { };
	struct buffer *buffer;
	int ret;

	mutex_lock(&iommu->lock);
	do {
		ret = buffer_erase(iommu, id, &buffer);
	} while (ret == -EAGAIN && !(ret = settled_wait(iommu)));
	mutex_unlock(&iommu->lock);
	if (ret)
		return ret;
	buffer_free(buffer, &credit);
	evfio_settle(&credit);
	return 0;
}

/* Take all that a move needs, or nothing: windows to unmap, the list @gone; ranges for @list. */
static int windows_begin(struct type1 *iommu, const struct evfio_iommu_move *user,
			 const struct evfio_iommu_range *ranges, struct mapping *list,
			 struct mapping **gone)
{
	struct buffer *buffer = NULL;
	int ret = 0;

	lockdep_assert_held(&iommu->lock);
	if (list) {
		buffer = xa_load(&iommu->buffers, user->id);
		if (!buffer)
			return -ENOENT;
	}
	*gone = NULL;
	if (user->nr_unmap)
		ret = mappings_doom(iommu, ranges, user->nr_unmap, true, gone);
	if (ret)
		return ret;
	ret = mappings_reserve(iommu, list, ranges + user->nr_unmap, buffer);
	if (ret)
		mappings_settle(*gone, LIVE);
	return ret;
}

/* Leave unmapped windows in the hardware until they are many. */
static void stale_add(struct type1 *iommu, struct mapping *list)
{
	struct mapping *m, *next;
	bool many;

	mutex_lock(&iommu->lock);
	for (m = list; m; m = next) {
		next = m->next;
		m->state = STALE;
		m->next = iommu->stale;
		iommu->stale = m;
		iommu->nr_stale++;
	}
	many = iommu->nr_stale >= MANY_STALE;
	mutex_unlock(&iommu->lock);
	settled_wake(iommu);
	if (many)
		stale_remove(iommu);
}

static int type1_move(void *data, const struct evfio_iommu_move *user,
		      const struct evfio_iommu_range *ranges)
{
	struct mapping *list, *gone;
	struct type1 *iommu = data;
	int ret;

	ret = mappings_new(ranges + user->nr_unmap, user->nr_map, 0, &list);
	if (ret)
		return ret;
	mutex_lock(&iommu->lock);
	do {
		ret = windows_begin(iommu, user, ranges, list, &gone);
	} while (ret == -EAGAIN && !(ret = settled_wait(iommu)));
	mutex_unlock(&iommu->lock);
	if (ret) {
		mappings_free(list);
		return ret;
	}
	ret = mappings_finish(iommu, list, 0);
	if (ret) {
		mutex_lock(&iommu->lock);
		mappings_settle(gone, LIVE);
		mutex_unlock(&iommu->lock);
		settled_wake(iommu);
		return ret;
	}
	if (user->flags & EVFIO_IOMMU_MOVE_LAZY) {
		stale_add(iommu, gone);
		return 0;
	}
	stale_drop(iommu);
	if (gone)
		mappings_remove(iommu, gone);
	return 0;
}

static int type1_track(void *data, u32 flags)
{
	struct type1 *iommu = data;

	if (!iommu->v2)
		return -EACCES;
	switch (flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		WRITE_ONCE(iommu->tracking, flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
		fallthrough;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * Nobody says which pages a device writes to, and it can reach all that are mapped: so those are
 * dirty, each time anew. What the user does not know of yet, or no more, is not mapped.
 */
static int type1_dirty(void *data, struct evfio_iommu_dirty *dirty)
{
	struct type1 *iommu = data;
	struct mapping *m;
	u64 last;
	int ret;

	dirty->bytes = 0;
	mutex_lock(&iommu->lock);
	ret = range_check(iommu, dirty->iova, dirty->size, &last);
	if (!ret && (!READ_ONCE(iommu->tracking) ||
		     dirty->pgsize != (iommu->pgsizes & -iommu->pgsizes)))
		ret = -EINVAL;
	if (ret)
		goto unlock;
	for_each_mapping(m, iommu, dirty->from, last) {
		if (m->state != LIVE)
			continue;
		if (mapping_iova(m) < dirty->iova || mapping_last(m) > last) {
			ret = -EINVAL;
			break;
		}
		if (!dirty->bytes)
			dirty->found = mapping_iova(m);
		else if (mapping_iova(m) != dirty->found + dirty->bytes)
			break;
		dirty->bytes += mapping_size(m);
	}
unlock:
	mutex_unlock(&iommu->lock);
	return ret;
}

/* Whether a range is all of a mapping, and the only one. */
static bool mapping_is(const struct mapping *m, const struct evfio_iommu_range *range)
{
	return !m->next && mapping_iova(m) == range->iova && mapping_size(m) == range->size;
}

/*
 * What is mapped is pinned, so its address is of no use to anybody here; but a process that takes
 * over gives a new one for each mapping, and pays for that from then on. A window is its buffer's,
 * and so paid for by whoever registered that.
 */
static int type1_vaddr(void *data, const struct evfio_iommu_range *ranges, unsigned int nr,
		       bool set, u64 *size)
{
	struct type1 *iommu = data;
	struct mapping *list, *m;
	int ret;

	*size = 0;
	ret = set ? vaddr_check(iommu, ranges->vaddr, ranges->size) : 0;
	ret = ret ?: mappings_take(iommu, ranges, nr, &list);
	if (ret)
		return ret;
	for (m = list; m; m = m->next)
		if (m->adrift != set)
			ret = -EINVAL;
	if (set && !ret) {
		if (!list)
			return -ENOENT;
		if (!mapping_is(list, ranges))
			ret = -EINVAL;
		else if (mapping_holds(list))
			ret = evfio_pin_adopt(&list->pinned);
	}
	for (m = list; m && !ret; m = m->next) {
		m->adrift = !set;
		*size += mapping_size(m);
	}
	mutex_lock(&iommu->lock);
	mappings_settle(list, LIVE);
	mutex_unlock(&iommu->lock);
	settled_wake(iommu);
	return ret;
}

static int type1_info(void *data, struct evfio_iommu_info *info)
{
	struct type1 *iommu = data;
	int ret = 0;

	mutex_lock(&iommu->lock);
	info->ranges = kmemdup(iommu->ranges, array_size(iommu->nr_ranges, sizeof(*info->ranges)),
			       GFP_KERNEL);
	if (!info->ranges)
		ret = -ENOMEM;
	info->nr_ranges = iommu->nr_ranges;
	info->pgsizes = iommu->pgsizes;
	info->avail = iommu->limit - iommu->count;
	info->mappings = iommu->count;
	info->pinned = iommu->pinned;
	mutex_unlock(&iommu->lock);
	return ret;
}

/* The page sizes and ranges that suit all domains and groups, as they are computed. */
struct usable {
	u64			pgsizes;
	unsigned int		nr;
	struct vfio_iova_range	*ranges;
};

/* Leave [start, end] out of the ranges. There is room for one more. */
static void usable_exclude(struct usable *w, u64 start, u64 end)
{
	struct vfio_iova_range *r;
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		r = &w->ranges[i];
		if (end < r->start || start > r->end)
			continue;
		if (start > r->start && end < r->end) {
			memmove(r + 1, r, (w->nr - i) * sizeof(*r));
			w->nr++;
			r[0].end = start - 1;
			r[1].start = end + 1;
			return;
		}
		if (start > r->start) {
			r->end = start - 1;
		} else if (end < r->end) {
			r->start = end + 1;
		} else {
			memmove(r, r + 1, (w->nr - i - 1) * sizeof(*r));
			w->nr--;
			i--;
		}
	}
}

static void resv_free(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list)
		kfree(region);
}

static int usable_exclude_resv(struct usable *w, struct iommu_group *group)
{
	struct iommu_resv_region *region;
	struct vfio_iova_range *ranges;
	LIST_HEAD(regions);
	unsigned int n = 0;
	int ret;

	ret = iommu_get_group_resv_regions(group, &regions);
	if (ret)
		return ret;
	list_for_each_entry(region, &regions, list)
		n++;
	ranges = krealloc_array(w->ranges, w->nr + n, sizeof(*ranges), GFP_KERNEL);
	if (ranges) {
		w->ranges = ranges;
		list_for_each_entry(region, &regions, list)
			if (region->type != IOMMU_RESV_DIRECT_RELAXABLE)
				usable_exclude(w, region->start,
					       region->start + region->length - 1);
	} else {
		ret = -ENOMEM;
	}
	resv_free(&regions);
	return ret;
}

static int usable_compute(struct type1 *iommu, struct usable *w)
{
	struct iommu_domain_geometry *geometry;
	struct attached *attached;
	struct domain *d;
	int ret;

	*w = (struct usable){ .pgsizes = U64_MAX, .nr = 1 };
	w->ranges = kmalloc(sizeof(*w->ranges), GFP_KERNEL);
	if (!w->ranges)
		return -ENOMEM;
	/* The kernel's functions take no more, though dma_addr_t may have more bits. */
	w->ranges[0] = (struct vfio_iova_range){ 0, ULONG_MAX };

	list_for_each_entry(d, &iommu->domains, node) {
		geometry = &d->domain->geometry;
		w->pgsizes &= d->domain->pgsize_bitmap;
		if (geometry->aperture_start)
			usable_exclude(w, 0, geometry->aperture_start - 1);
		if (geometry->aperture_end < U64_MAX)
			usable_exclude(w, geometry->aperture_end + 1, U64_MAX);
		list_for_each_entry(attached, &d->groups, node) {
			ret = usable_exclude_resv(w, attached->group);
			if (ret) {
				kfree(w->ranges);
				return ret;
			}
		}
	}
	/* The processor's page is the smallest that can be pinned. */
	if (w->pgsizes & ~PAGE_MASK)
		w->pgsizes = (w->pgsizes & PAGE_MASK) | PAGE_SIZE;
	return 0;
}

static void usable_swap(struct type1 *iommu, struct usable *w)
{
	lockdep_assert_held(&iommu->lock);
	swap(iommu->ranges, w->ranges);
	swap(iommu->nr_ranges, w->nr);
	swap(iommu->pgsizes, w->pgsizes);
}

static bool mappings_fit(struct type1 *iommu)
{
	struct mapping *m;

	for_each_mapping(m, iommu, 0, (dma_addr_t)U64_MAX)
		if (!range_usable(iommu, mapping_iova(m), mapping_last(m)) ||
		    (mapping_iova(m) | mapping_size(m)) & ((iommu->pgsizes & -iommu->pgsizes) - 1))
			return false;
	return true;
}

/* Compute anew what can be mapped, after groups have changed; -EINVAL if a mapping cannot stay. */
static int type1_refresh(struct type1 *iommu)
{
	struct usable w;
	int ret;

	lockdep_assert_held_write(&iommu->domains_lock);
	ret = usable_compute(iommu, &w);
	if (ret)
		return ret;
	mutex_lock(&iommu->lock);
	usable_swap(iommu, &w);
	if (!mappings_fit(iommu)) {
		usable_swap(iommu, &w);
		ret = -EINVAL;
	}
	mutex_unlock(&iommu->lock);
	kfree(w.ranges);
	return ret;
}

/* Give a new domain all mappings there are. */
static int type1_replay(struct type1 *iommu, struct domain *d)
{
	struct mapping *m;
	int ret = 0;

	lockdep_assert_held_write(&iommu->domains_lock);
	mutex_lock(&iommu->lock);
	for_each_mapping(m, iommu, 0, (dma_addr_t)U64_MAX) {
		if (mapping_programmed(m))
			ret = domain_map(d, m);
		if (ret)
			break;
	}
	mutex_unlock(&iommu->lock);
	return ret;
}

/* What is to be known of a group's devices, and one of them, with a reference. */
struct traits {
	struct device	*dev;
	bool		coherent;
	bool		msi;
};

static int traits_add(struct device *dev, void *data)
{
	struct traits *traits = data;

	put_device(traits->dev);
	traits->dev = get_device(dev);
	traits->coherent &= dev_is_dma_coherent(dev);
	traits->msi |= !!dev_get_msi_domain(dev);
	return 0;
}

/* Where MSI doorbells are to appear in the domain of a group, if that is for us to say. */
static int domain_msi_window(struct iommu_domain *domain, struct iommu_group *group)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int ret;

	ret = iommu_get_group_resv_regions(group, &regions);
	if (ret)
		return ret;
	list_for_each_entry(region, &regions, list)
		if (region->type == IOMMU_RESV_SW_MSI) {
			ret = iommu_get_msi_cookie(domain, region->start);
			break;
		}
	resv_free(&regions);
	return ret == -ENODEV ? 0 : ret;
}

static void domain_free(struct domain *d)
{
	iommu_domain_free(d->domain);
	kfree(d);
}

static struct domain *domain_new(struct iommu_group *group, const struct traits *traits)
{
	struct domain *d;
	int ret;

	/* A device without MSIs cannot forge any that are kept apart from the others'. */
	if (traits->msi && !evfio_group_isolated_msi(group) && !allow_unsafe_interrupts) {
		dev_err_ratelimited(traits->dev, "could forge other devices' interrupts: vfio_iommu_type1.allow_unsafe_interrupts=1 accepts that\n");
		return ERR_PTR(-EPERM);
	}
	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&d->groups);
	d->coherent = traits->coherent;
	d->domain = evfio_domain_alloc(traits->dev);
	if (IS_ERR(d->domain)) {
		ret = PTR_ERR(d->domain);
		kfree(d);
		return ERR_PTR(ret);
	}
	ret = domain_msi_window(d->domain, group);
	if (ret) {
		domain_free(d);
		return ERR_PTR(ret);
	}
	return d;
}

/* Attach a group to a domain that exists and suits it; NULL if there is none. */
static struct domain *type1_share(struct type1 *iommu, struct domain *like,
				  struct iommu_group *group)
{
	struct domain *d;

	list_for_each_entry(d, &iommu->domains, node)
		if (d->coherent == like->coherent && d->domain->ops == like->domain->ops &&
		    !iommu_attach_group(d->domain, group))
			return d;
	return NULL;
}

/* Make @new, to which a group is to be attached, one of our domains. */
static int type1_add(struct type1 *iommu, struct domain *new, struct iommu_group *group)
{
	const struct iommu_domain_ops *ops = new->domain->ops;
	int ret;

	ret = iommu_attach_group(new->domain, group);
	if (ret)
		return ret;
	new->enforced = ops->enforce_cache_coherency && ops->enforce_cache_coherency(new->domain);
	ret = type1_replay(iommu, new);
	if (ret)
		iommu_detach_group(new->domain, group);
	else
		list_add(&new->node, &iommu->domains);
	return ret;
}

/* Put a group out of its domain, and drop that if it was the last. */
static void type1_remove(struct type1 *iommu, struct domain *d, struct attached *attached)
{
	lockdep_assert_held_write(&iommu->domains_lock);
	iommu_detach_group(d->domain, attached->group);
	list_del(&attached->node);
	kfree(attached);
	if (list_empty(&d->groups)) {
		list_del(&d->node);
		domain_free(d);
	}
}

/* Whether a mapping has no address: the kernel, which might have to pin it, takes no group then. */
static bool type1_adrift(struct type1 *iommu)
{
	struct mapping *m;

	mutex_lock(&iommu->lock);
	for_each_mapping(m, iommu, 0, (dma_addr_t)U64_MAX)
		if (m->adrift && m->state == LIVE)
			break;
	mutex_unlock(&iommu->lock);
	return m;
}

static int type1_attach(void *data, struct iommu_group *group)
{
	struct traits traits = { .coherent = true };
	struct type1 *iommu = data;
	struct attached *attached;
	struct domain *new, *d;
	int ret;

	if (type1_adrift(iommu))
		return -EBUSY;
	iommu_group_for_each_dev(group, &traits, traits_add);
	if (!traits.dev)
		return -ENODEV;
	new = domain_new(group, &traits);
	put_device(traits.dev);
	if (IS_ERR(new))
		return PTR_ERR(new);
	attached = kzalloc(sizeof(*attached), GFP_KERNEL_ACCOUNT);
	if (!attached) {
		domain_free(new);
		return -ENOMEM;
	}
	attached->group = group;

	/* Only what the user knows of may be in its way. */
	stale_drop(iommu);
	down_write(&iommu->domains_lock);
	d = type1_share(iommu, new, group);
	if (d) {
		domain_free(new);
	} else {
		d = new;
		ret = type1_add(iommu, new, group);
		if (ret) {
			domain_free(new);
			kfree(attached);
			goto unlock;
		}
	}
	list_add(&attached->node, &d->groups);
	ret = type1_refresh(iommu);
	if (ret)
		type1_remove(iommu, d, attached);
unlock:
	up_write(&iommu->domains_lock);
	return ret;
}

static void type1_detach(void *data, struct iommu_group *group)
{
	struct attached *attached, *next;
	struct type1 *iommu = data;
	struct domain *d, *next_domain;

	down_write(&iommu->domains_lock);
	list_for_each_entry_safe(d, next_domain, &iommu->domains, node)
		list_for_each_entry_safe(attached, next, &d->groups, node)
			if (attached->group == group) {
				type1_remove(iommu, d, attached);
				goto found;
			}
found:
	/* Without memory for it, what could be mapped before can be mapped still. */
	if (!list_empty(&iommu->domains))
		type1_refresh(iommu);
	up_write(&iommu->domains_lock);
}

static void *type1_open(unsigned long type)
{
	struct type1 *iommu;

	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return ERR_PTR(-EINVAL);
	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL_ACCOUNT);
	if (!iommu)
		return ERR_PTR(-ENOMEM);
	iommu->v2 = type == VFIO_TYPE1v2_IOMMU;
	init_rwsem(&iommu->domains_lock);
	INIT_LIST_HEAD(&iommu->domains);
	mutex_init(&iommu->lock);
	iommu->mappings = RB_ROOT;
	init_waitqueue_head(&iommu->settled);
	xa_init_flags(&iommu->buffers, XA_FLAGS_ALLOC);
	iommu->limit = READ_ONCE(dma_entry_limit);
	return iommu;
}

/* The domains went with their groups: no device reaches what is unpinned now. */
static void type1_release(void *data)
{
	struct credit credit = { .hurry = true };
	struct type1 *iommu = data;
	struct buffer *buffer;
	unsigned long id;
	struct mapping *m;

	while ((m = mapping_first(iommu, 0, (dma_addr_t)U64_MAX))) {
		rb_erase(&m->node, &iommu->mappings);
		mapping_drop_peer(m);
		if (mapping_holds(m))
			evfio_unpin(&m->pinned, &credit);
		mapping_free(m);
	}
	xa_for_each(&iommu->buffers, id, buffer)
		buffer_free(buffer, &credit);
	xa_destroy(&iommu->buffers);
	evfio_settle(&credit);
	kfree(iommu->ranges);
	kfree(iommu);
}

static int type1_check(void *data, unsigned long extension)
{
	struct type1 *iommu = data;
	struct domain *d;
	int ret;

	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
	case EVFIO_EXT_IOMMU_RANGES:
	case EVFIO_EXT_IOMMU_BUFFER:
		return 1;
	case VFIO_UPDATE_VADDR:
		return !!iommu;
	case VFIO_DMA_CC_IOMMU:
		if (!iommu)
			return 0;
		ret = 1;
		down_read(&iommu->domains_lock);
		list_for_each_entry(d, &iommu->domains, node)
			ret &= d->enforced;
		up_read(&iommu->domains_lock);
		return ret;
	default:
		return 0;
	}
}

static const char *type1_name(void *data)
{
	struct type1 *iommu = data;

	return iommu->v2 ? "type1v2" : "type1";
}

static struct evfio_iommu_ops type1_ops = {
	.owner		= THIS_MODULE,
	.check		= type1_check,
	.name		= type1_name,
	.open		= type1_open,
	.release	= type1_release,
	.attach		= type1_attach,
	.detach		= type1_detach,
	.map		= type1_map,
	.unmap		= type1_unmap,
	.buffer_add	= type1_buffer_add,
	.buffer_remove	= type1_buffer_remove,
	.move		= type1_move,
	.track		= type1_track,
	.dirty		= type1_dirty,
	.vaddr		= type1_vaddr,
	.info		= type1_info,
};

static int __init type1_init(void)
{
	mappings = kmem_cache_create("evfio_mapping", sizeof(struct mapping), 0, SLAB_ACCOUNT,
				     NULL);
	if (!mappings)
		return -ENOMEM;		/* the kernel has said so at length */
	evfio_iommu_register(&type1_ops);
	return 0;
}

static void __exit type1_exit(void)
{
	evfio_iommu_unregister(&type1_ops);
	kmem_cache_destroy(mappings);
}

module_init(type1_init);
module_exit(type1_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the evfio authors");
MODULE_DESCRIPTION("evfio: DMA mapping through the IOMMU");
