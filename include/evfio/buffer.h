/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Registered buffers: memory that is pinned once, and then mapped in windows, for drivers that map
 * anew for each transfer. A device reaches what is in a window, while it is one.
 *
 * With evfio's modules a call of evfio_buffer_move() is one call of the kernel and pins nothing;
 * with the kernel's own VFIO windows are mapped and unmapped as evfio_dma_map_many() and
 * evfio_dma_free_many() do it, and pinned each time.
 *
 * Threads: as <evfio/evfio.h> says; several may move windows of one buffer at once, but one window
 * is moved or freed by one thread at a time.
 */
#ifndef EVFIO_BUFFER_H
#define EVFIO_BUFFER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_buffer;
struct evfio_container;
struct evfio_dma;

/*
 * For evfio_buffer_new(): devices may reach what was unmapped for a while, until
 * evfio_buffer_flush() at the latest. So the IOMMU need not be told each time.
 */
#define EVFIO_BUFFER_LAZY	(1U << 16)

/* How many windows evfio_buffer_move() takes at a time. */
#define EVFIO_BUFFER_MOVE_MAX	256

/**
 * struct evfio_slice - a part of a buffer
 * @offset: where it begins, in bytes from the buffer's beginning, a multiple of the page size
 * @size: in bytes, a multiple of the page size
 */
struct evfio_slice {
	size_t offset;
	size_t size;
};

/**
 * evfio_buffer_new() - register memory that the program has
 * @ct: container with at least one open device
 * @addr: where it begins, a multiple of the page size; it stays the caller's, and must not be
 *	unmapped from the program before evfio_buffer_free()
 * @size: in bytes, a multiple of the page size
 * @flags: EVFIO_DMA_TO_DEVICE or EVFIO_DMA_FROM_DEVICE or both; perhaps EVFIO_BUFFER_LAZY
 * @out: where the buffer goes; the caller owns it, until evfio_buffer_free(). It holds a reference
 *	to the container
 *
 * All of it counts as locked memory. Where the container loses its IOMMU, since its last device is
 * closed, the buffer loses its windows; it can be used again when a device is open again.
 *
 * Return: 0; -EINVAL: bad @addr, @size or @flags; -ENODEV: no device is open in the container;
 * -ENOMEM: no memory, or RLIMIT_MEMLOCK is too small; -EFAULT: the program has no such memory, or
 * cannot write what the device should; -EOPNOTSUPP: the container's devices have no IOMMU.
 */
int evfio_buffer_new(struct evfio_container *ct, void *addr, size_t size, unsigned int flags,
		     struct evfio_buffer **out);

/**
 * evfio_buffer_move() - map, move and unmap windows
 * @buf: the buffer
 * @windows: @count windows of this buffer; NULL where there is none yet. On success each is the one
 *	that shows the slice: other than before, at other IOVAs; NULL if the slice has no size
 * @slices: what they shall show; @size 0: nothing
 * @count: how many, 1 to EVFIO_BUFFER_MOVE_MAX
 *
 * All of it is done, or nothing. The device must be done with the windows that there were: it
 * reaches them no more, or with EVFIO_BUFFER_LAZY not for long. A window may also be given to
 * evfio_dma_free(), which is never lazy, and to evfio_dma_sync_for_device() and its like.
 *
 * Return: 0; -EINVAL: bad @count, or a slice that is not aligned or beyond the buffer, or what is
 * no window of it; -ENOSPC: no free IOVA, the limit on the number of mappings (dma_entry_limit) is
 * reached, or the windows together would be more than 16 times the buffer; or as
 * evfio_buffer_new().
 */
int evfio_buffer_move(struct evfio_buffer *buf, struct evfio_dma **windows,
		      const struct evfio_slice *slices, unsigned int count);

/**
 * evfio_buffer_flush() - have what was unmapped out of devices' reach
 * @buf: a buffer with EVFIO_BUFFER_LAZY; for others there is nothing to do
 *
 * Return: 0; or the errno of EVFIO_IOMMU_MOVE.
 */
int evfio_buffer_flush(struct evfio_buffer *buf);

/**
 * evfio_buffer_free() - give a buffer back
 * @buf: it, or NULL for no effect
 *
 * No device reaches it any more; the memory is the program's.
 *
 * Return: 0; -EBUSY: it has windows, in which case nothing happens; or the errno of
 * EVFIO_IOMMU_UNREGISTER, which then keeps the memory pinned.
 */
int evfio_buffer_free(struct evfio_buffer *buf);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_BUFFER_H */
