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

#endif
