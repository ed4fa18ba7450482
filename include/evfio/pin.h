/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * DMA without an IOMMU: memory that stays where it is, and where the device finds it.
 *
 * For devices that are bound in no-IOMMU mode (docs/no-iommu.md), on evfio's modules. Such a device
 * sees the addresses of its bus, and all of them: it is for its driver to give it no others.
 *
 * Threads: as <evfio/evfio.h> says; several may pin memory for one device at once.
 */
#ifndef EVFIO_PIN_H
#define EVFIO_PIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_device;

/**
 * struct evfio_extent - a run of addresses on a device's bus
 * @address: the first
 * @size: in bytes
 */
struct evfio_extent {
	uint64_t address;
	uint64_t size;
};

/**
 * struct evfio_pin - memory that is held for DMA; read its members, never write them
 * @addr: where the program sees it
 * @size: in bytes
 * @extents: where the device sees it, in the order of @addr; they add up to @size
 * @nr_extents: how many; 1 if it is contiguous
 */
struct evfio_pin {
	void *addr;
	size_t size;
	const struct evfio_extent *extents;
	unsigned int nr_extents;
};

/**
 * evfio_pin_memory() - hold memory where it is
 * @dev: device without an IOMMU, open
 * @addr: where it begins, a multiple of the page size; it stays the caller's, and must not be
 *	unmapped from the program while the device uses it
 * @size: in bytes, a multiple of the page size
 * @flags: EVFIO_DMA_TO_DEVICE or EVFIO_DMA_FROM_DEVICE or both, of <evfio/dma.h>; memory that the
 *	program cannot write can only be pinned TO_DEVICE
 * @out: where it goes; the caller owns it, until evfio_pin_free()
 *
 * The device reaches all of it with the address bits that evfio_dma_set_mask() was told. Ordinary
 * memory has an extent for almost every page; a huge page (hugetlbfs) is one extent.
 *
 * If the process ends, or closes the device, the memory is given back after the device has been
 * reset; if it cannot be, after it was unbound from VFIO.
 *
 * Return: 0; -EINVAL: bad @addr, @size or @flags, or evfio_dma_set_mask() was never called;
 * -ENOTTY: the device has an IOMMU, or VFIO is the kernel's own; -ERANGE: the device cannot reach
 * all of it; -EOPNOTSUPP: nothing of the device's DMA reaches memory directly; -ENOMEM: no memory,
 * or RLIMIT_MEMLOCK is too small; -EFAULT: the program has no such memory; -ENODEV: the device was
 * removed.
 */
int evfio_pin_memory(struct evfio_device *dev, void *addr, size_t size, unsigned int flags,
		     struct evfio_pin **out);

/**
 * evfio_pin_address() - where the device finds a byte
 * @pin: memory that is held
 * @offset: of the byte from its beginning
 * @left: where it goes how many bytes follow at consecutive addresses, the byte among them; may be
 *	NULL
 *
 * Return: the address on the device's bus; beyond the end of the memory all ones, and then nothing
 * is left.
 */
uint64_t evfio_pin_address(const struct evfio_pin *pin, size_t offset, size_t *left);

/**
 * evfio_pin_sync_for_device() - hand memory over to the device
 * @pin: memory that is held
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * As evfio_dma_sync_for_device() of <evfio/dma.h>: nothing is done if the device is coherent with
 * the CPU's caches. Where programs cannot maintain those (on arm64 they can), the kernel does it.
 *
 * Return: 0; -EINVAL: the range is not inside @pin; or the errno of EVFIO_DEVICE_SYNC.
 */
int evfio_pin_sync_for_device(const struct evfio_pin *pin, size_t offset, size_t size);

/**
 * evfio_pin_sync_for_cpu() - take memory over from the device
 * @pin: memory that is held
 * @offset: in bytes from its beginning
 * @size: in bytes
 *
 * As evfio_dma_sync_for_cpu().
 *
 * Return: as evfio_pin_sync_for_device().
 */
int evfio_pin_sync_for_cpu(const struct evfio_pin *pin, size_t offset, size_t size);

/**
 * evfio_pin_free() - let memory go
 * @pin: memory that is held, or NULL for no effect; gone afterwards in any case
 *
 * Stop the device first: nothing keeps it from writing into what is no longer held. To be called
 * before the device is closed.
 *
 * Return: 0; or the errno of EVFIO_DEVICE_UNPIN.
 */
int evfio_pin_free(struct evfio_pin *pin);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_PIN_H */
