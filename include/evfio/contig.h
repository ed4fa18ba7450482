/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Contiguous buffers: memory that is one run of addresses for the device, whatever its size.
 *
 * For devices that take one address for all they read or write: frame buffers, rings, pictures.
 * Without an IOMMU (docs/no-iommu.md) the kernel allocates them, from the memory-region of the
 * device's node or from CMA, and it takes evfio's modules; behind one any memory will do, and
 * evfio_dma_alloc() is what is done.
 *
 * Threads: as <evfio/evfio.h> says; several may allocate for one device at once.
 */
#ifndef EVFIO_CONTIG_H
#define EVFIO_CONTIG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_device;

/* The kinds, as in <linux/evfio.h>; 0 is the usual one. */
#define EVFIO_CONTIG_WC		0x1U	/* write-combined */
#define EVFIO_CONTIG_CACHED	0x2U	/* cached, whatever the device sees of the caches */

/**
 * struct evfio_contig - a contiguous buffer; read its members, never write them
 * @addr: where the program sees it
 * @size: in bytes: what was asked for, rounded up to whole pages
 * @address: where the device sees it: on its bus, or an IOVA
 */
struct evfio_contig {
	void *addr;
	size_t size;
	uint64_t address;
};

/**
 * evfio_contig_alloc() - allocate a contiguous buffer
 * @dev: device, open
 * @size: in bytes, at least 1
 * @align: @address of the buffer shall be a multiple of it: a power of two, or 0 for what pages
 *	give. Without an IOMMU it may take as much memory on top
 * @kind: 0: program and device see the same without more ado; EVFIO_CONTIG_WC: the same, and writes
 *	of the program may be combined if the device does not see its caches; EVFIO_CONTIG_CACHED:
 *	quick to read for the program, which calls evfio_contig_sync_for_device() and
 *	evfio_contig_sync_for_cpu(). On a coherent device they are all one
 * @out: where it goes; the caller owns it, until evfio_contig_free()
 *
 * The memory is zero, and the device reaches it with the address bits that evfio_dma_set_mask() was
 * told. It counts as locked (RLIMIT_MEMLOCK). If the process ends, or closes the
 * device, it is given back after the device has been reset; if it cannot be, after it was unbound
 * from VFIO.
 *
 * Return: 0; -EINVAL: bad @size, @align or @kind, or the device has no IOMMU and
 * evfio_dma_set_mask() was never called; -ENOMEM: no memory in one piece, or RLIMIT_MEMLOCK is too
 * small; -ERANGE: the device has no IOMMU, and there is nothing that it reaches; -ENOTTY: the
 * device has no IOMMU, and VFIO is the kernel's own; -EOPNOTSUPP: nothing of the device's DMA
 * reaches memory directly, or it is behind an IOMMU and not coherent, and @kind is not
 * EVFIO_CONTIG_CACHED; -ENODEV: the device was removed; or, behind an IOMMU, what evfio_dma_alloc()
 * returns.
 */
int evfio_contig_alloc(struct evfio_device *dev, size_t size, uint64_t align, unsigned int kind,
		       struct evfio_contig **out);

/**
 * evfio_contig_sync_for_device() - hand a part of a buffer over to the device
 * @buf: buffer
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * As evfio_dma_sync_for_device(). Nothing is done for a buffer that is not cached.
 *
 * Return: as evfio_dma_sync_for_device().
 */
int evfio_contig_sync_for_device(const struct evfio_contig *buf, size_t offset, size_t size);

/**
 * evfio_contig_sync_for_cpu() - take a part of a buffer over from the device
 * @buf: buffer
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * As evfio_dma_sync_for_cpu(). Nothing is done for a buffer that is not cached.
 *
 * Return: as evfio_dma_sync_for_cpu().
 */
int evfio_contig_sync_for_cpu(const struct evfio_contig *buf, size_t offset, size_t size);

/**
 * evfio_contig_export() - a dma-buf of a buffer, for another driver or process
 * @buf: buffer
 *
 * It holds the memory, also after evfio_contig_free().
 *
 * Return: its file descriptor, the caller's to close; -EOPNOTSUPP: the device has an IOMMU, so that
 * the memory is the program's own, or the kernel has no dma-bufs; or the errno of
 * EVFIO_DEVICE_CONTIG_EXPORT.
 */
int evfio_contig_export(const struct evfio_contig *buf);

/**
 * evfio_contig_free() - give a buffer back
 * @buf: buffer, or NULL for no effect; gone afterwards in any case
 *
 * Stop the device first: without an IOMMU nothing keeps it from writing into what is no longer its
 * buffer. To be called before the device is closed.
 *
 * Return: 0; or the errno of EVFIO_DEVICE_CONTIG_FREE, or of evfio_dma_free().
 */
int evfio_contig_free(struct evfio_contig *buf);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_CONTIG_H */
