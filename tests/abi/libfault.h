/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libfault - memory that comes when a test lets it
 */
#ifndef LIBFAULT_H
#define LIBFAULT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libtap.h"

/* A userfaultfd for what of @mem is not there yet; a negative errno if there is no such thing. */
static inline int fault_fd(void *mem, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)mem, size },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		tap_bail("userfaultfd: %m");
	return fd;
}

#endif
