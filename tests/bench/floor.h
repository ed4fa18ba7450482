/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guest.c and floor.c say to each other, on /dev/floor.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bytes of the caller's, and where the device is to see them; all of them whole pages. */
struct floor_area {
	__u64	iova;
	__u64	vaddr;
	__u64	size;
};

#define FLOOR_MAP	_IOW('f', 0, struct floor_area)
#define FLOOR_UNMAP	_IO('f', 1)	/* all that is mapped */

#endif
