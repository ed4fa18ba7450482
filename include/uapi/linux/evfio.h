/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What evfio adds to <linux/vfio.h>.
 *
 * Each addition is an ioctl of a type of its own and has a number for VFIO_CHECK_EXTENSION: a
 * container of evfio's answers 1, any other 0. None of them changes what <linux/vfio.h> says for a
 * program that does not call it.
 *
 * As there, a structure begins with argsz, its size as the caller knows it: less than what is
 * described here is EINVAL. Flags that are not described must be 0.
 */
#ifndef _UAPI_LINUX_EVFIO_H
#define _UAPI_LINUX_EVFIO_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EVFIO_TYPE	0xef

/*
 * MSI for platform and AMBA devices, whose node in the device tree names an MSI controller
 * (msi-parent).
 *
 * The device gets one more interrupt index. As of PCI's MSI, its vectors exist from the first
 * VFIO_DEVICE_SET_IRQS that gives one a trigger, which also decides how many there are (up to the
 * last one that it names; ENOMEM or ENOSPC if they cannot be had), until the index is switched off
 * or the device is closed.
 *
 * An MSI is a write of 32 bits by the device. Where in its registers a device keeps what to write,
 * and where to, is known to its driver alone: so the kernel tells, and the driver programs.
 */
#define EVFIO_EXT_DEVICE_MSI	0xef00

#define EVFIO_DEVICE_MSI_MAX	2048

/**
 * struct evfio_device_msi - argument of EVFIO_DEVICE_MSI
 * @argsz: size of the structure
 * @flags: 0
 * @count: how many vectors the index is to have, 1 to EVFIO_DEVICE_MSI_MAX
 */
struct evfio_device_msi {
	__u32	argsz;
	__u32	flags;
	__u32	count;
};

/*
 * EVFIO_DEVICE_MSI - on a device's fd: give it an index for MSI
 *
 * It comes after all others, is counted by VFIO_DEVICE_GET_INFO and described by
 * VFIO_DEVICE_GET_IRQ_INFO (EVENTFD, NORESIZE; it cannot be masked), for all fds of the device,
 * until the last of them is closed.
 *
 * Return: the index; -1 and errno: EINVAL for @argsz, @flags or @count, ENOTTY if the device has no
 * MSI controller, EBUSY if it has such an index already, ENOMEM, ENODEV if it was taken away.
 */
#define EVFIO_DEVICE_MSI		_IO(EVFIO_TYPE, 0)

/**
 * struct evfio_device_msi_message - argument of EVFIO_DEVICE_MSI_MESSAGE
 * @argsz: size of the structure
 * @flags: 0
 * @vector: of the MSI index, from 0
 * @data: out: what the device must write: 32 bits, little-endian
 * @address: out: where to, as an address of its own (an IOVA, from a range that mappings never use)
 */
struct evfio_device_msi_message {
	__u32		argsz;
	__u32		flags;
	__u32		vector;
	__u32		data;
	__aligned_u64	address;
};

/*
 * EVFIO_DEVICE_MSI_MESSAGE - on a device's fd: what the device must write for a vector to fire
 *
 * The answer holds until the vector's trigger is taken away; replacing one eventfd by another does
 * not change it, nor does VFIO_DEVICE_RESET, after which the device has to be told again.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, or a @vector that has no trigger now, ENODEV
 * if the device was taken away.
 */
#define EVFIO_DEVICE_MSI_MESSAGE	_IO(EVFIO_TYPE, 1)

/*
 * Regions that can be mapped write-combined: those whose reads have no side effects (prefetchable
 * BARs). Writes may be joined and delayed until a barrier, reads be done ahead, and any address and
 * width will do. To map a region both ways at a time is to lose the order between them.
 */
#define EVFIO_EXT_REGION_WC	0xef02

/**
 * struct evfio_device_region_wc - argument of EVFIO_DEVICE_REGION_WC
 * @argsz: size of the structure
 * @flags: 0
 * @index: region, as in VFIO_DEVICE_GET_REGION_INFO
 * @pad: 0
 * @offset: out: where in the device's fd mmap() finds the region, write-combined
 */
struct evfio_device_region_wc {
	__u32		argsz;
	__u32		flags;
	__u32		index;
	__u32		pad;
	__aligned_u64	offset;
};

/*
 * EVFIO_DEVICE_REGION_WC - on a device's fd: where a region can be mapped write-combined
 *
 * The size is that of the region; read() and write() find nothing there.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags or @pad, or if the region cannot be mapped
 * this way; ENODEV if the device was taken away.
 */
#define EVFIO_DEVICE_REGION_WC	_IO(EVFIO_TYPE, 2)

/*
 * DMA of devices without an IOMMU: memory of the caller's that is held where it is, and its
 * addresses on the device's bus. Without an IOMMU there are no other device addresses; and mlock()
 * does not keep the kernel from moving a page.
 *
 * Nothing keeps the device from other addresses. What is held is given back by EVFIO_DEVICE_UNPIN,
 * or when the last fd of the device has been closed, or the device was taken away, and it has been
 * reset after that. If the kernel cannot reset it (no VFIO_DEVICE_FLAGS_RESET) nor keep it from
 * doing DMA, as it can any PCI device, then not before it is unbound from VFIO.
 *
 * Offered (VFIO_CHECK_EXTENSION) by a container that is empty or in no-IOMMU mode.
 */
#define EVFIO_EXT_DEVICE_PIN	0xef03

/**
 * struct evfio_device_extent - a run of addresses on a device's bus
 * @address: the first
 * @size: in bytes
 */
struct evfio_device_extent {
	__aligned_u64	address;
	__aligned_u64	size;
};

/**
 * struct evfio_device_pin - argument of EVFIO_DEVICE_PIN
 * @argsz: size of the structure and of as many @extents as there is room for
 * @flags: VFIO_DMA_MAP_FLAG_READ if the device is to read it, VFIO_DMA_MAP_FLAG_WRITE if it is to
 *	write, or both
 * @vaddr: the caller's address of it, a multiple of the page size
 * @size: in bytes, a multiple of the page size
 * @mask: the highest address that the device can put on its bus; 0: what the kernel takes for it,
 *	which is 32 bits unless firmware says otherwise. What firmware says of the bus holds in any
 *	case (dma-ranges)
 * @id: out: for EVFIO_DEVICE_UNPIN
 * @nr_extents: out: how many extents it has
 * @extents: out: where the device finds it, in the order of the caller's addresses
 */
struct evfio_device_pin {
	__u32	argsz;
	__u32	flags;
	__aligned_u64	vaddr;
	__aligned_u64	size;
	__aligned_u64	mask;
	__u32	id;
	__u32	nr_extents;
	struct evfio_device_extent	extents[];
};

/*
 * EVFIO_DEVICE_PIN - on a device's fd: hold memory for DMA, and tell where the device finds it
 *
 * It counts as locked (RLIMIT_MEMLOCK). Nothing is copied behind the caller's back: memory that the
 * device cannot reach is an error.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, or @vaddr and @size; ENOSPC if @extents is
 * too short (@nr_extents says what it takes); ERANGE if the device cannot reach all of it;
 * EOPNOTSUPP if the platform puts something between memory and the device; ENOTTY if the device has
 * an IOMMU; ENOMEM if RLIMIT_MEMLOCK would be exceeded, or without memory; EFAULT if there is no
 * such memory, or not to be accessed so; EINTR when killed; ENODEV if the device was taken away.
 */
#define EVFIO_DEVICE_PIN	_IO(EVFIO_TYPE, 3)

/**
 * struct evfio_device_unpin - argument of EVFIO_DEVICE_UNPIN
 * @argsz: size of the structure
 * @flags: 0
 * @id: which, as EVFIO_DEVICE_PIN told
 */
struct evfio_device_unpin {
	__u32	argsz;
	__u32	flags;
	__u32	id;
};

/*
 * EVFIO_DEVICE_UNPIN - on a device's fd: give memory back, which the device does not use any more
 *
 * Return: 0; -1 and errno: EINVAL for @argsz or @flags, ENOENT if there is no such @id, ENOTTY if
 * the device has an IOMMU, ENODEV if it was taken away.
 */
#define EVFIO_DEVICE_UNPIN	_IO(EVFIO_TYPE, 4)

/*
 * Many ranges mapped, or unmapped, by one call: with one look at the account of locked memory, and
 * one flush of the IOMMU's TLBs.
 */
#define EVFIO_EXT_IOMMU_RANGES	0xef05

#define EVFIO_IOMMU_RANGES_MAX	512

/**
 * struct evfio_iommu_range - a range to be mapped or unmapped
 * @iova: where devices see it
 * @vaddr: where the caller does; not looked at by EVFIO_IOMMU_UNMAP
 * @size: in bytes
 */
struct evfio_iommu_range {
	__aligned_u64	iova;
	__aligned_u64	vaddr;
	__aligned_u64	size;
};

/**
 * struct evfio_iommu_ranges - argument of EVFIO_IOMMU_MAP and EVFIO_IOMMU_UNMAP
 * @argsz: size of the structure and its @ranges
 * @flags: EVFIO_IOMMU_MAP: VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE or both; else 0
 * @nr: how many ranges, 1 to EVFIO_IOMMU_RANGES_MAX
 * @pad: 0
 * @size: out: how many bytes EVFIO_IOMMU_UNMAP has unmapped
 * @ranges: in ascending order of their IOVAs, none overlapping another
 */
struct evfio_iommu_ranges {
	__u32	argsz;
	__u32	flags;
	__u32	nr;
	__u32	pad;
	__aligned_u64	size;
	struct evfio_iommu_range	ranges[];
};

/*
 * EVFIO_IOMMU_MAP - on a container's fd: VFIO_IOMMU_MAP_DMA of several ranges
 *
 * All are mapped, or none; in the latter case devices may have reached some of them meanwhile. Each
 * is a mapping of its own.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @nr, @pad, or @ranges that are not in order;
 * or what VFIO_IOMMU_MAP_DMA would say of one of them.
 */
#define EVFIO_IOMMU_MAP		_IO(EVFIO_TYPE, 5)

/*
 * EVFIO_IOMMU_UNMAP - on a container's fd: VFIO_IOMMU_UNMAP_DMA of several ranges
 *
 * All are unmapped, or none. No device reaches any of them when it returns.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @nr, @pad, or @ranges that are not in order;
 * or what VFIO_IOMMU_UNMAP_DMA would say of one of them.
 */
#define EVFIO_IOMMU_UNMAP	_IO(EVFIO_TYPE, 6)

/*
 * Registered buffers: memory that is pinned and accounted once, and then mapped in windows, whose
 * making, moving and unmapping costs no pinning: for drivers that map anew for each transfer.
 *
 * A window is a mapping of its own: it counts as one, and VFIO_IOMMU_UNMAP_DMA takes it away as any
 * other. Together the windows of a buffer may be 16 times its size.
 */
#define EVFIO_EXT_IOMMU_BUFFER	0xef07

/**
 * struct evfio_iommu_register - argument of EVFIO_IOMMU_REGISTER
 * @argsz: size of the structure
 * @flags: VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE or both: what devices may do with it
 * @vaddr: the caller's address of it, a multiple of the smallest page of the IOMMU's
 * @size: in bytes, a multiple of that
 * @id: out: for EVFIO_IOMMU_MOVE and EVFIO_IOMMU_UNREGISTER
 * @pad: 0
 */
struct evfio_iommu_register {
	__u32	argsz;
	__u32	flags;
	__aligned_u64	vaddr;
	__aligned_u64	size;
	__u32	id;
	__u32	pad;
};

/*
 * EVFIO_IOMMU_REGISTER - on a container's fd: make memory a buffer
 *
 * It stays one until EVFIO_IOMMU_UNREGISTER, or until the container loses its IOMMU with its last
 * group. No device reaches it but through windows.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @pad, or @vaddr and @size; ENOMEM if
 * RLIMIT_MEMLOCK would be exceeded, or without memory; EFAULT if there is no such memory, or not to
 * be accessed so; EINTR when killed.
 */
#define EVFIO_IOMMU_REGISTER	_IO(EVFIO_TYPE, 7)

/**
 * struct evfio_iommu_unregister - argument of EVFIO_IOMMU_UNREGISTER
 * @argsz: size of the structure
 * @flags: 0
 * @id: which buffer
 */
struct evfio_iommu_unregister {
	__u32	argsz;
	__u32	flags;
	__u32	id;
};

/*
 * EVFIO_IOMMU_UNREGISTER - on a container's fd: give a buffer's memory back
 *
 * No device reaches any of it when it returns.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz or @flags, ENOENT if there is no such buffer, EBUSY if
 * it has windows.
 */
#define EVFIO_IOMMU_UNREGISTER	_IO(EVFIO_TYPE, 8)

/*
 * EVFIO_IOMMU_MOVE_LAZY: devices may reach what is unmapped for a while: until the next
 * EVFIO_IOMMU_MOVE without it, EVFIO_IOMMU_UNREGISTER, or whatever needs its IOVAs. So that many
 * windows are one flush of the IOMMU's TLBs.
 */
#define EVFIO_IOMMU_MOVE_LAZY	0x1

/**
 * struct evfio_iommu_move - argument of EVFIO_IOMMU_MOVE
 * @argsz: size of the structure and its @ranges
 * @flags: EVFIO_IOMMU_MOVE_LAZY or 0
 * @id: which buffer is mapped; not looked at without @nr_map
 * @nr_unmap: how many of the @ranges, the first ones, are unmapped
 * @nr_map: how many, the others, are mapped; together at most EVFIO_IOMMU_RANGES_MAX
 * @pad: 0
 * @ranges: where windows are, of any buffer; then where they are to be, and in @vaddr from which
 *	byte of the buffer on. Both in ascending order of their IOVAs, none overlapping another
 */
struct evfio_iommu_move {
	__u32	argsz;
	__u32	flags;
	__u32	id;
	__u32	nr_unmap;
	__u32	nr_map;
	__u32	pad;
	struct evfio_iommu_range	ranges[];
};

/*
 * EVFIO_IOMMU_MOVE - on a container's fd: unmap windows, and map others
 *
 * All of it is done, or nothing; in the latter case devices may have reached some of the new ones
 * meanwhile. They are mapped before the others are unmapped, so they cannot overlap those (EEXIST).
 * With neither it takes out of devices' reach what was unmapped lazily.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @nr_unmap, @nr_map, @pad, @ranges that are
 * not in order, beyond the buffer, or in which there are mappings that are not windows; ENOENT if
 * there is no such buffer; ENOSPC if its windows were more than 16 times its size; or what
 * VFIO_IOMMU_MAP_DMA or VFIO_IOMMU_UNMAP_DMA would say of one of them.
 */
#define EVFIO_IOMMU_MOVE	_IO(EVFIO_TYPE, 9)

/*
 * Cache maintenance for devices without an IOMMU that do not snoop the processors' caches, where
 * programs cannot do it themselves. (On arm64 they can.) For a device that is coherent it has no
 * effect. Offered as EVFIO_EXT_DEVICE_PIN is.
 */
#define EVFIO_EXT_DEVICE_SYNC	0xef0d

#define EVFIO_SYNC_FOR_DEVICE	0x1	/* what was written is in memory: before the device reads */
#define EVFIO_SYNC_FOR_CPU	0x2	/* and reads find memory: after the device has written */

/**
 * struct evfio_device_sync - argument of EVFIO_DEVICE_SYNC
 * @argsz: size of the structure
 * @flags: EVFIO_SYNC_FOR_DEVICE or EVFIO_SYNC_FOR_CPU
 * @id: which memory, as EVFIO_DEVICE_PIN told
 * @pad: 0
 * @offset: from which byte of it on
 * @size: in bytes, not 0
 */
struct evfio_device_sync {
	__u32	argsz;
	__u32	flags;
	__u32	id;
	__u32	pad;
	__aligned_u64	offset;
	__aligned_u64	size;
};

/*
 * EVFIO_DEVICE_SYNC - on a device's fd: maintain the caches for a part of what is held for it
 *
 * Lines that have been written are never dropped: before a line is invalidated it is cleaned.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @pad, or a range that is not inside; ENOENT
 * if there is no such @id; ENOTTY if the device has an IOMMU; ERANGE if some of it is beyond the
 * kernel's mask of the device (see EVFIO_DEVICE_PIN's @mask); ENOMEM; EINTR when killed; ENODEV if
 * the device was taken away.
 */
#define EVFIO_DEVICE_SYNC	_IO(EVFIO_TYPE, 13)

/*
 * Contiguous buffers: memory that the kernel allocates for the DMA of a device without an IOMMU, of
 * any size, in one piece: from the memory-region of the device's node, the first if it has several,
 * from CMA, or from wherever the kernel has it. It is zero.
 *
 * A buffer belongs to the device, not to the process: it lasts until EVFIO_DEVICE_CONTIG_FREE, or
 * until the last fd of the device is closed or the device is taken away, once the device is quiet;
 * if it cannot be quieted, until it is unbound from VFIO. Its memory lasts until then, and until
 * all dma-bufs of it are gone.
 *
 * Offered (VFIO_CHECK_EXTENSION) by a container that is empty or in no-IOMMU mode.
 */
#define EVFIO_EXT_DEVICE_CONTIG	0xef0a

#define EVFIO_CONTIG_WC		0x1U	/* write-combined */
#define EVFIO_CONTIG_CACHED	0x2U	/* cached, whatever the device sees of the caches */

/**
 * struct evfio_device_contig - argument of EVFIO_DEVICE_CONTIG
 * @argsz: size of the structure
 * @flags: 0: the program and the device see the same memory without more ado: it is cached if the
 *	device is coherent with the CPU's caches, and not if it is not. EVFIO_CONTIG_WC: in the
 *	latter case it is write-combined, which on arm64 is the same. EVFIO_CONTIG_CACHED: it is
 *	cached in any case, and the program cleans and invalidates the caches; not from a
 *	memory-region that the kernel does not use otherwise, unless the device is coherent
 * @size: in bytes, a multiple of the page size
 * @alignment: of @address, a power of two; 0: a page. It may take as much memory on top
 * @mask: the highest address that the device can put on its bus; 0: what the kernel takes for it,
 *	which is 32 bits unless firmware says otherwise. What firmware says of the bus holds in any
 *	case (dma-ranges)
 * @address: out: where the device finds it
 * @offset: out: where in the device's fd mmap() finds it, shared; a part of it can be mapped too
 * @id: out: for EVFIO_DEVICE_CONTIG_FREE and EVFIO_DEVICE_CONTIG_EXPORT
 * @pad: 0
 */
struct evfio_device_contig {
	__u32		argsz;
	__u32		flags;
	__aligned_u64	size;
	__aligned_u64	alignment;
	__aligned_u64	mask;
	__aligned_u64	address;
	__aligned_u64	offset;
	__u32		id;
	__u32		pad;
};

/*
 * EVFIO_DEVICE_CONTIG - on a device's fd: allocate a contiguous buffer
 *
 * It counts as locked (RLIMIT_MEMLOCK) with what it takes to align it.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags, @size, @alignment or @pad; ERANGE if the
 * device cannot reach such memory; EOPNOTSUPP if the platform puts something between memory and the
 * device, or for a device of eight regions or more of a 32-bit kernel, where mmap() gets no
 * further; ENOTTY if the device has an IOMMU; ENOMEM if RLIMIT_MEMLOCK would be exceeded, or
 * without memory in one piece; ENODEV if the device was taken away.
 */
#define EVFIO_DEVICE_CONTIG	_IO(EVFIO_TYPE, 10)

/**
 * struct evfio_device_contig_id - argument of the calls for a contiguous buffer that there is
 * @argsz: size of the structure
 * @flags: 0
 * @id: which, as EVFIO_DEVICE_CONTIG told
 */
struct evfio_device_contig_id {
	__u32	argsz;
	__u32	flags;
	__u32	id;
};

/*
 * EVFIO_DEVICE_CONTIG_FREE - on a device's fd: give a buffer back, which the device does not use
 * any more
 *
 * Touching a mapping of it at @offset is SIGBUS from then on; not one of a dma-buf.
 *
 * Return: 0; -1 and errno: EINVAL for @argsz or @flags, ENOENT if there is no such @id, ENOTTY if
 * the device has an IOMMU, ENODEV if it was taken away.
 */
#define EVFIO_DEVICE_CONTIG_FREE	_IO(EVFIO_TYPE, 11)

/*
 * EVFIO_DEVICE_CONTIG_EXPORT - on a device's fd: a dma-buf of a buffer
 *
 * It holds the memory, and keeps nothing else: the buffer can be freed, the device closed and
 * unbound. It can be mapped, shared, as the buffer is; DMA_BUF_IOCTL_SYNC cleans and invalidates
 * the caches for one that is EVFIO_CONTIG_CACHED. Drivers of other devices import it, but for
 * memory of a memory-region that the kernel does not use otherwise, for 4 GiB and more, and for
 * devices that are not coherent when this one is (EOPNOTSUPP).
 *
 * Return: its fd (O_CLOEXEC); -1 and errno: EINVAL for @argsz or @flags, ENOENT if there is no such
 * @id, ENOTTY if the device has an IOMMU, EOPNOTSUPP if the kernel has no dma-bufs, EMFILE, ENOMEM,
 * ENODEV if the device was taken away.
 */
#define EVFIO_DEVICE_CONTIG_EXPORT	_IO(EVFIO_TYPE, 12)

#endif
