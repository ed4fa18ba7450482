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
 * Return: 0; -1 and errno: EINVAL for @argsz, @flags or @pad, or if the region cannot be mapped this
 * way; ENODEV if the device was taken away.
 */
#define EVFIO_DEVICE_REGION_WC	_IO(EVFIO_TYPE, 2)

#endif
