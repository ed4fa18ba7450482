// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Registered buffers. The lock of one is taken before its container's.
 *
 * A window is a mapping, with IOVAs of its own. What was unmapped lazily still has its IOVAs in the
 * IOMMU: to map others there would be to flush it at once. So they go through a ring first, which
 * is as long as the kernel lets such windows become many before it flushes them by itself.
 *
 * What a buffer has in the kernel goes with the container's IOMMU, and is made anew in the next.
 */
#include <errno.h>
#include <linux/evfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

#define STALE 64

struct evfio_buffer {
	struct evfio_container *ct;	/* with a reference */
	uint8_t *addr;
	size_t size;
	unsigned int flags;
	unsigned int windows;		/* atomic */

	pthread_mutex_t lock;		/* protects all below */
	unsigned int iommu_generation;	/* the container's, in which it is registered; 0: never */
	uint32_t id;
	struct mapping *stale[STALE];	/* the oldest at next, or none there yet */
	unsigned int next;
};

/* An argument with room for all that evfio_buffer_move() takes. */
struct move {
	struct evfio_iommu_move arg;
	struct evfio_iommu_range ranges[2 * EVFIO_BUFFER_MOVE_MAX];
};

_Static_assert(2 * EVFIO_BUFFER_MOVE_MAX <= EVFIO_IOMMU_RANGES_MAX, "one call takes them all");

static int explain(const struct evfio_buffer *buf, int err)
{
	switch (err) {
	case -ENOENT:
	case -EINVAL:
		return fail(-EINVAL, "the buffer at %p has no such windows", (void *)buf->addr);
	case -ENOSPC:
		return fail(err, "the container's limit of mappings (dma_entry_limit of "
			    "vfio_iommu_type1) is reached, or the windows of the buffer at %p are "
			    "more than 16 times its size", (void *)buf->addr);
	default:
		return fail(err, "cannot move windows of the buffer at %p: %s", (void *)buf->addr,
			    strerror(-err));
	}
}

/* Forgets the IOVAs that are in the ring, which the kernel has flushed. buf->lock is held. */
static void ring_clear(struct evfio_buffer *buf)
{
	unsigned int i;

	for (i = 0; i < STALE; i++) {
		if (buf->stale[i])
			mapping_free(buf->stale[i]);
		buf->stale[i] = NULL;
	}
}

/* Registers it with the IOMMU that the container has now, unless it is. */
static int register_locked(struct evfio_buffer *buf)
{
	struct evfio_iommu_register arg = {
		.argsz = sizeof(arg),
		.flags = buf->flags & EVFIO_DMA_BOTH,
		.vaddr = (uintptr_t)buf->addr,
		.size = buf->size,
	};
	struct evfio_container *ct = buf->ct;
	unsigned int generation;
	bool has_buffers;
	int err;

	pthread_mutex_lock(&ct->lock);
	err = dma_check_iommu(ct);
	generation = ct->iommu_generation;
	has_buffers = ct->has_buffers;
	pthread_mutex_unlock(&ct->lock);
	if (err || generation == buf->iommu_generation)
		return err;
	ring_clear(buf);
	if (has_buffers && ioctl(ct->fd, EVFIO_IOMMU_REGISTER, &arg))
		return dma_explain_map(ct, -errno, buf->addr, buf->size, 0);
	buf->id = arg.id;
	buf->iommu_generation = generation;
	return 0;
}

static int buffer_register(struct evfio_buffer *buf, uint32_t *id)
{
	int err;

	pthread_mutex_lock(&buf->lock);
	err = register_locked(buf);
	*id = buf->id;
	pthread_mutex_unlock(&buf->lock);
	return err;
}

static bool has_buffers(const struct evfio_buffer *buf)
{
	bool ret;

	pthread_mutex_lock(&buf->ct->lock);
	ret = buf->ct->has_buffers;
	pthread_mutex_unlock(&buf->ct->lock);
	return ret;
}

int evfio_buffer_new(struct evfio_container *ct, void *addr, size_t size, unsigned int flags,
		     struct evfio_buffer **out)
{
	struct evfio_buffer *buf;
	uint64_t pages;
	uint32_t id;
	int err;

	err = dma_check_flags(flags & ~EVFIO_BUFFER_LAZY, EVFIO_DMA_BOTH) ?:
	      evfio_dma_page_sizes(ct, &pages);
	if (err)
		return err;
	if (!size || (((uintptr_t)addr | size) & ((pages & -pages) - 1)))
		return fail(-EINVAL, "address %p and size 0x%zx must be multiples of the IOMMU's "
			    "page, 0x%llx", addr, size, (unsigned long long)(pages & -pages));
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return fail(-ENOMEM, "no memory for a buffer");
	buf->ct = ct;
	buf->addr = addr;
	buf->size = size;
	buf->flags = flags;
	pthread_mutex_init(&buf->lock, NULL);
	err = buffer_register(buf, &id);
	if (err) {
		pthread_mutex_destroy(&buf->lock);
		free(buf);
		return err;
	}
	pthread_mutex_lock(&ct->lock);
	ct->refs++;
	pthread_mutex_unlock(&ct->lock);
	*out = buf;
	return 0;
}

static int check_slices(const struct evfio_buffer *buf, const struct evfio_slice *slices,
			unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (slices[i].offset > buf->size || slices[i].size > buf->size - slices[i].offset)
			return fail(-EINVAL, "0x%zx bytes at offset 0x%zx are beyond a buffer of "
				    "0x%zx", slices[i].size, slices[i].offset, buf->size);
	}
	return 0;
}

static void window_count(struct evfio_buffer *buf, struct mapping *mapping)
{
	mapping->windows = &buf->windows;
	__atomic_add_fetch(&buf->windows, 1, __ATOMIC_RELAXED);
}

static void windows_free(struct evfio_dma *const *windows, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (windows[i])
			mapping_free(to_mapping(windows[i]));
	}
}

/* Makes the windows that are to be, not mapped yet; NULL for a slice without a size. */
static int windows_new(struct evfio_buffer *buf, const struct evfio_slice *slices,
		       unsigned int count, struct evfio_dma **out)
{
	struct mapping *mapping;
	unsigned int i;
	int err = 0;

	memset(out, 0, count * sizeof(*out));
	for (i = 0; i < count; i++) {
		if (!slices[i].size)
			continue;
		err = mapping_new(buf->ct, buf->addr + slices[i].offset, slices[i].size, 0, NULL,
				  &mapping);
		if (err)
			break;
		window_count(buf, mapping);
		out[i] = &mapping->pub;
	}
	if (err)
		windows_free(out, i);
	return err;
}

/* Puts those windows of a list that are mapped, or that are not, behind the ranges there are. */
static uint32_t move_fill(struct move *move, const struct evfio_buffer *buf,
			  struct evfio_dma *const *windows, unsigned int count, bool mapped)
{
	struct evfio_iommu_range *ranges = move->ranges + move->arg.nr_unmap;
	uint32_t nr = 0;
	unsigned int i;

	pthread_mutex_lock(&buf->ct->lock);
	for (i = 0; i < count; i++) {
		struct mapping *mapping = to_mapping(windows[i]);

		if (!mapping)
			continue;
		mapping_note_loss(mapping);
		if (mapping->mapped == mapped)
			ranges[nr++] = (struct evfio_iommu_range){
				.iova = mapping->pub.iova,
				.vaddr = (uint64_t)((uint8_t *)mapping->pub.addr - buf->addr),
				.size = mapping->pub.size,
			};
	}
	pthread_mutex_unlock(&buf->ct->lock);
	qsort(ranges, nr, sizeof(ranges[0]), dma_compare_ranges);
	return nr;
}

/* Unmaps the old windows and maps the new ones, by one call. */
static int buffer_move(struct evfio_buffer *buf, uint32_t id, struct evfio_dma *const *old,
		       struct evfio_dma *const *new, unsigned int count)
{
	struct move *move = malloc(sizeof(*move));
	int err = 0;

	if (!move)
		return fail(-ENOMEM, "no memory to move %u windows", count);
	move->arg = (struct evfio_iommu_move){
		.flags = buf->flags & EVFIO_BUFFER_LAZY ? EVFIO_IOMMU_MOVE_LAZY : 0,
		.id = id,
	};
	move->arg.nr_unmap = move_fill(move, buf, old, count, true);
	move->arg.nr_map = move_fill(move, buf, new, count, false);
	move->arg.argsz = (uint32_t)(sizeof(move->arg) + (move->arg.nr_unmap + move->arg.nr_map) *
				     sizeof(move->ranges[0]));
	if (ioctl(buf->ct->fd, EVFIO_IOMMU_MOVE, move))
		err = explain(buf, -errno);
	free(move);
	return err;
}

/* A window that was unmapped lazily: its IOVAs are to be had again later. buf->lock is held. */
static void window_retire(struct evfio_buffer *buf, struct mapping *mapping)
{
	struct mapping **oldest = &buf->stale[buf->next];

	if (*oldest)
		mapping_free(*oldest);
	__atomic_sub_fetch(mapping->windows, 1, __ATOMIC_RELAXED);
	mapping->windows = NULL;
	*oldest = mapping;
	buf->next = (buf->next + 1) % STALE;
}

static int windows_move(struct evfio_buffer *buf, struct evfio_dma **windows,
			const struct evfio_slice *slices, unsigned int count)
{
	struct evfio_dma *new[EVFIO_BUFFER_MOVE_MAX];
	unsigned int i;
	uint32_t id;
	int err;

	err = buffer_register(buf, &id) ?: windows_new(buf, slices, count, new);
	if (err)
		return err;
	err = buffer_move(buf, id, windows, new, count);
	if (err) {
		windows_free(new, count);
		return err;
	}
	pthread_mutex_lock(&buf->lock);
	for (i = 0; i < count; i++) {
		if (windows[i])
			to_mapping(windows[i])->mapped = false;
		if (windows[i] && (buf->flags & EVFIO_BUFFER_LAZY))
			window_retire(buf, to_mapping(windows[i]));
		else if (windows[i])
			mapping_free(to_mapping(windows[i]));
		if (new[i])
			to_mapping(new[i])->mapped = true;
		windows[i] = new[i];
	}
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

/* The same without the kernel's help: all are mapped anew, and then the old ones unmapped. */
static int windows_map_anew(struct evfio_buffer *buf, struct evfio_dma **windows,
			    const struct evfio_slice *slices, unsigned int count)
{
	struct iovec memory[EVFIO_BUFFER_MOVE_MAX];
	struct evfio_dma *new[EVFIO_BUFFER_MOVE_MAX];
	unsigned int i, nr = 0;
	int err = 0;

	for (i = 0; i < count; i++) {
		if (slices[i].size)
			memory[nr++] = (struct iovec){ buf->addr + slices[i].offset,
						       slices[i].size };
	}
	if (nr)
		err = evfio_dma_map_many(buf->ct, memory, nr, buf->flags & EVFIO_DMA_BOTH, new);
	if (err)
		return err;
	err = evfio_dma_free_many(windows, count);
	for (i = 0, nr = 0; i < count; i++) {
		windows[i] = slices[i].size ? new[nr++] : NULL;
		if (windows[i])
			window_count(buf, to_mapping(windows[i]));
	}
	return err;
}

int evfio_buffer_move(struct evfio_buffer *buf, struct evfio_dma **windows,
		      const struct evfio_slice *slices, unsigned int count)
{
	unsigned int i;
	int err;

	if (!count || count > EVFIO_BUFFER_MOVE_MAX)
		return fail(-EINVAL, "1 to %d windows are moved at a time, not %u",
			    EVFIO_BUFFER_MOVE_MAX, count);
	for (i = 0; i < count; i++) {
		if (windows[i] && to_mapping(windows[i])->windows != &buf->windows)
			return fail(-EINVAL, "window %u of %u is none of the buffer at %p", i + 1,
				    count, (void *)buf->addr);
	}
	err = check_slices(buf, slices, count);
	if (err)
		return err;
	return has_buffers(buf) ? windows_move(buf, windows, slices, count) :
				  windows_map_anew(buf, windows, slices, count);
}

int evfio_buffer_flush(struct evfio_buffer *buf)
{
	struct evfio_iommu_move arg = { .argsz = sizeof(arg) };
	struct evfio_container *ct = buf->ct;
	int err = 0;

	if (!(buf->flags & EVFIO_BUFFER_LAZY) || !has_buffers(buf))
		return 0;
	pthread_mutex_lock(&buf->lock);
	pthread_mutex_lock(&ct->lock);
	/* An IOMMU that is gone reaches nothing. */
	if (ct->groups && ct->iommu_generation == buf->iommu_generation &&
	    ioctl(ct->fd, EVFIO_IOMMU_MOVE, &arg))
		err = fail_errno("cannot flush the buffer at %p", (void *)buf->addr);
	pthread_mutex_unlock(&ct->lock);
	if (!err)
		ring_clear(buf);
	pthread_mutex_unlock(&buf->lock);
	return err;
}

int evfio_buffer_free(struct evfio_buffer *buf)
{
	struct evfio_iommu_unregister arg = { .argsz = sizeof(arg) };
	struct evfio_container *ct;
	unsigned int windows;
	int err = 0;

	if (!buf)
		return 0;
	ct = buf->ct;
	windows = __atomic_load_n(&buf->windows, __ATOMIC_RELAXED);
	if (windows)
		return fail(-EBUSY, "the buffer at %p has %u windows: unmap them first",
			    (void *)buf->addr, windows);
	arg.id = buf->id;
	pthread_mutex_lock(&ct->lock);
	if (ct->has_buffers && ct->groups && ct->iommu_generation == buf->iommu_generation &&
	    ioctl(ct->fd, EVFIO_IOMMU_UNREGISTER, &arg))
		err = fail_errno("cannot give the buffer at %p back", (void *)buf->addr);
	pthread_mutex_unlock(&ct->lock);
	ring_clear(buf);
	pthread_mutex_destroy(&buf->lock);
	free(buf);
	evfio_container_put(ct);
	return err;
}
