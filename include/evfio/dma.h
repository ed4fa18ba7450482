/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * DMA: memory that the devices of a container can reach.
 *
 * A device uses IOVAs, addresses that mean something to the container's IOMMU only. The library
 * chooses them, inside the ranges that the IOMMU has and below the mask that the driver sets.
 *
 * Threads: as <evfio/evfio.h> says; several may map and unmap in one container at once, and the
 * kernel does it side by side.
 */
#ifndef EVFIO_DMA_H
#define EVFIO_DMA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_container;

/* What the device may do; the values are those of VFIO_DMA_MAP_FLAG_* in <linux/vfio.h>. */
#define EVFIO_DMA_TO_DEVICE	(1U << 0)	/* the device may read */
#define EVFIO_DMA_FROM_DEVICE	(1U << 1)	/* the device may write */
#define EVFIO_DMA_BOTH		(EVFIO_DMA_TO_DEVICE | EVFIO_DMA_FROM_DEVICE)

/* For evfio_dma_alloc(): take hugetlb pages of 2^shift bytes instead of ordinary memory. */
#define EVFIO_DMA_PAGE(shift)	((unsigned int)(shift) << 8)
#define EVFIO_DMA_PAGE_2M	EVFIO_DMA_PAGE(21)
#define EVFIO_DMA_PAGE_1G	EVFIO_DMA_PAGE(30)

/**
 * struct evfio_dma - memory mapped for DMA; read its members, never write them
 * @addr: where the program sees it
 * @iova: where the device sees it
 * @size: how much is mapped, in bytes: what was asked for, rounded up to whole pages
 */
struct evfio_dma {
	void *addr;
	uint64_t iova;
	size_t size;
};

/**
 * struct evfio_iova_range - IOVAs that can be mapped
 * @first: the first
 * @last: the last (not one beyond, since a range may end at 2^64)
 */
struct evfio_iova_range {
	uint64_t first;
	uint64_t last;
};

/**
 * evfio_dma_alloc() - allocate memory and map it
 * @ct: container with at least one open device
 * @size: in bytes, at least 1; rounded up to whole pages
 * @align: the IOVA shall be a multiple of it: a power of two, or 0 for what pages give
 * @flags: EVFIO_DMA_TO_DEVICE or EVFIO_DMA_FROM_DEVICE or both; perhaps EVFIO_DMA_PAGE()
 * @out: where the buffer goes; the caller owns it, until evfio_dma_free(). It holds a reference to
 *	the container.
 *
 * The memory is zero and always present. From 2 MiB up it is placed so that both the CPU's and the
 * IOMMU's large pages fit.
 *
 * Return: 0; -EINVAL: size 0, @align not a power of two, or bad flags; -ENODEV: no device is open
 * in the container; -ENOMEM: no memory, or RLIMIT_MEMLOCK is too small; -ENOSPC: no free IOVA, or
 * the limit on the number of mappings (dma_entry_limit) is reached; or the errno of
 * VFIO_IOMMU_MAP_DMA.
 */
int evfio_dma_alloc(struct evfio_container *ct, size_t size, uint64_t align, unsigned int flags,
		    struct evfio_dma **out);

/**
 * evfio_dma_map() - map memory that the program has
 * @ct: container with at least one open device
 * @addr: where it begins, a multiple of the page size; it stays the caller's, and must not be
 *	unmapped from the program while a device uses it
 * @size: in bytes, a multiple of the page size
 * @flags: EVFIO_DMA_TO_DEVICE or EVFIO_DMA_FROM_DEVICE or both; memory that the program cannot
 *	write can only be mapped TO_DEVICE
 * @out: where the mapping goes; the caller owns it, until evfio_dma_free()
 *
 * It can be a device's memory too: what is mapped of an evfio_region. DMA reaches that while the
 * region's device is open.
 *
 * Return: as evfio_dma_alloc(); -EINVAL also: @addr or @size are not multiples of the page size;
 * -EFAULT: the program has no such memory.
 */
int evfio_dma_map(struct evfio_container *ct, void *addr, size_t size, unsigned int flags,
		  struct evfio_dma **out);

/**
 * evfio_dma_map_at() - map memory that the program has at a given IOVA
 * @ct: container with at least one open device
 * @want: what the mapping shall be: the memory's address and size, as for evfio_dma_map(), and the
 *	IOVA, a multiple of the page size, for which the mask is not looked at; not needed any more
 *	afterwards
 * @flags: as for evfio_dma_map()
 * @out: where the mapping goes; the caller owns it, until evfio_dma_free()
 *
 * Return: as evfio_dma_map(); -ERANGE: the IOMMU cannot map these IOVAs; -EEXIST: one of them is
 * mapped already.
 */
int evfio_dma_map_at(struct evfio_container *ct, const struct evfio_dma *want, unsigned int flags,
		     struct evfio_dma **out);

/**
 * evfio_dma_free() - unmap, and free what evfio_dma_alloc() allocated
 * @dma: buffer or mapping, or NULL for no effect; gone afterwards in any case
 *
 * Stop the device first: DMA to these IOVAs is an IOMMU fault from here on. May also be called
 * after the devices were closed.
 *
 * Return: 0; or the errno of VFIO_IOMMU_UNMAP_DMA, in which case the IOVAs are not used again.
 */
int evfio_dma_free(struct evfio_dma *dma);

/**
 * evfio_dma_map_many() - map many pieces of memory that the program has
 * @ct: container with at least one open device
 * @memory: the pieces: where each begins and its size in bytes, as @addr and @size of
 *	evfio_dma_map(); the array is not needed any more afterwards
 * @count: how many pieces, at least 1
 * @flags: as for evfio_dma_map(), for all of them
 * @out: where the mappings go: @count of them, in the order of @memory; the caller owns each, until
 *	evfio_dma_free() or evfio_dma_free_many()
 *
 * Each piece is a mapping of its own and has IOVAs of its own, which need not follow those of the
 * piece before. With evfio's modules it takes one call of the kernel for each 512 pieces, with the
 * kernel's own VFIO one for each piece.
 *
 * All are mapped, or none, in which case the mappings in @out are NULL.
 *
 * Return: as evfio_dma_map(), of any of the pieces; -EINVAL also: @count is 0.
 */
int evfio_dma_map_many(struct evfio_container *ct, const struct iovec *memory, unsigned int count,
		       unsigned int flags, struct evfio_dma **out);

/**
 * evfio_dma_free_many() - unmap many, and free what evfio_dma_alloc() allocated
 * @dmas: buffers or mappings, each once, in any order; NULL among them has no effect. They must be
 *	of one container: if not, nothing is freed; otherwise all are gone afterwards in any case
 * @count: how many there are in @dmas; 0 for no effect
 *
 * This is evfio_dma_free() of each, with as few calls of the kernel as can be. It takes no memory
 * that it cannot do without.
 *
 * Return: 0; -EINVAL: they are of several containers; -ENOENT: some were not mapped any more, and
 * the IOVAs of all that went to the kernel together with them are not used again; or what
 * evfio_dma_free() returns for one that could not be unmapped: its IOVAs are not used again, the
 * others are unmapped nevertheless.
 */
int evfio_dma_free_many(struct evfio_dma *const *dmas, unsigned int count);

/**
 * evfio_dma_sync_for_device() - hand memory over to the device
 * @dma: buffer or mapping
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * To be called before the device may read what the program wrote, or write what the program will
 * read. If a device of the container is not coherent with the CPU's caches (no "dma-coherent" in
 * its node: struct evfio_sysdev has it), dirty cache lines are written to memory; otherwise, and
 * that is the common case, nothing is done. Buffers handed to such a device should not share cache
 * lines with other data.
 *
 * Return: 0; -EINVAL: the range is not inside @dma; -EOPNOTSUPP: the device is not coherent, and
 * programs cannot maintain caches on this architecture: arm64 lets them, 32-bit Arm does not.
 */
int evfio_dma_sync_for_device(const struct evfio_dma *dma, size_t offset, size_t size);

/**
 * evfio_dma_sync_for_cpu() - take memory over from the device
 * @dma: buffer or mapping
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * To be called before the program reads what the device wrote, after it is known that it did. If a
 * device of the container is not coherent, cache lines that are older than memory are dropped;
 * otherwise nothing is done.
 *
 * Return: as evfio_dma_sync_for_device().
 */
int evfio_dma_sync_for_cpu(const struct evfio_dma *dma, size_t offset, size_t size);

/**
 * evfio_dma_set_mask() - say how many address bits a device has
 * @ct: container
 * @bits: how many bits an address has that the device puts on its bus, 12 to 64; of several devices
 *	the fewest
 *
 * IOVAs chosen from now on are below 2^bits, and so is where a device without an IOMMU is given
 * memory. It holds for all devices of the container. When it was never called, IOVAs may have all
 * 64 bits: one that the device cuts short is a fault of the IOMMU. Without an IOMMU it would be
 * somebody else's memory, and so evfio_pin_memory() and evfio_contig_alloc() fail.
 *
 * Return: 0; -EINVAL: @bits is out of range.
 */
int evfio_dma_set_mask(struct evfio_container *ct, unsigned int bits);

/**
 * evfio_dma_set_guard() - leave IOVAs unmapped behind each mapping
 * @ct: container
 * @size: at least how many, in bytes; 0 when never called
 *
 * DMA beyond the end of a buffer then is an IOMMU fault instead of a change to the next one. It
 * holds for IOVAs chosen from now on, not for those of evfio_dma_map_at().
 */
void evfio_dma_set_guard(struct evfio_container *ct, uint64_t size);

/**
 * evfio_dma_page_sizes() - the sizes of pages that the IOMMU can map
 * @ct: container with at least one open device
 * @sizes: where they go: the sum of the sizes in bytes, each a power of two
 *
 * Return: 0; -ENODEV: no device is open in the container.
 */
int evfio_dma_page_sizes(struct evfio_container *ct, uint64_t *sizes);

/**
 * evfio_dma_ranges() - the IOVAs that the IOMMU can map
 * @ct: container with at least one open device
 * @ranges: where they go, ascending; may be NULL if @max is 0
 * @max: for how many there is room
 *
 * Reserved addresses, such as the window for message-signalled interrupts, are between the ranges.
 * Where the kernel does not tell, 0x10000 to 2^39 - 1 is assumed.
 *
 * Return: how many there are, which may be more than @max; -ENODEV: no device is open in the
 * container.
 */
int evfio_dma_ranges(struct evfio_container *ct, struct evfio_iova_range *ranges,
		     unsigned int max);

/**
 * evfio_dma_available() - how many more mappings the kernel allows
 * @ct: container with at least one open device
 * @count: where the number goes; UINT32_MAX with iommufd, which has no limit of its own
 *
 * Return: 0; -ENODEV: no device is open in the container; -EOPNOTSUPP: the kernel does not tell.
 */
int evfio_dma_available(struct evfio_container *ct, uint32_t *count);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_DMA_H */
