// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Containers of a kernel that has no /dev/vfio/vfio but iommufd.
 *
 * There a device has a node of its own, /dev/vfio/devices/vfioN, which is bound to the container's
 * /dev/iommu and attached to an address space there. iommufd takes type1's ioctls as well, and has
 * them mean the address space that it was told of: so mapping is the same as with groups.
 *
 * The address space lives as long as devices are open in the container. All here is called with the
 * container's lock held.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/* <linux/iommufd.h>, and of <linux/vfio.h> what headers of Linux 6.1 have not. */
struct destroy {
	uint32_t size;
	uint32_t id;
};

struct ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t id;		/* out */
};

struct vfio_ioas {
	uint32_t size;
	uint32_t id;
	uint16_t op;
	uint16_t reserved;
};

struct bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t id;		/* out */
	uint64_t token;		/* address of its 16 bytes; since Linux 6.17 */
};

struct attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t ioas;
};

struct detach {
	uint32_t argsz;
	uint32_t flags;
};

#define DESTROY		_IO(';', 0x80)
#define IOAS_ALLOC	_IO(';', 0x81)
#define VFIO_IOAS	_IO(';', 0x88)
#define VFIO_IOAS_SET	1
#define VFIO_IOAS_CLEAR	2
#define BIND		_IO(VFIO_TYPE, VFIO_BASE + 18)
#define BIND_NO_TOKEN	offsetof(struct bind, token)
#define BIND_TOKEN	(1 << 0)
#define ATTACH		_IO(VFIO_TYPE, VFIO_BASE + 19)
#define DETACH		_IO(VFIO_TYPE, VFIO_BASE + 20)

bool iommufd_is_all(void)
{
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/vfio/vfio", evfio_roots.dev);
	if (!access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "%s/iommu", evfio_roots.dev);
	return !access(path, F_OK);
}

bool iommufd_node(const struct evfio_sysdev *dev, char *path, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir = NULL;

	if (!sysfs_path(path, size, dev->syspath, "vfio-dev"))
		dir = opendir(path);
	snprintf(path, size, "%s/vfio/devices", evfio_roots.dev);
	while (dir && !found && (entry = readdir(dir))) {
		found = !strncmp(entry->d_name, "vfio", 4);
		if (found)
			snprintf(path, size, "%s/vfio/devices/%s", evfio_roots.dev, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

int iommufd_begin(struct evfio_container *ct)
{
	struct ioas_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_ioas set = { .size = sizeof(set), .op = VFIO_IOAS_SET };
	int err;

	if (ioctl(ct->fd, IOAS_ALLOC, &alloc))
		return fail_errno("iommufd gives no address space");
	ct->ioas = alloc.id;
	set.id = alloc.id;
	if (!ioctl(ct->fd, VFIO_IOAS, &set) && !ioctl(ct->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return 0;
	err = fail_errno("iommufd cannot stand in for VFIO's container");
	iommufd_end(ct);
	return err;
}

void iommufd_end(struct evfio_container *ct)
{
	struct vfio_ioas clear = { .size = sizeof(clear), .op = VFIO_IOAS_CLEAR };
	struct destroy destroy = { .size = sizeof(destroy), .id = ct->ioas };

	ioctl(ct->fd, VFIO_IOAS, &clear);
	ioctl(ct->fd, DESTROY, &destroy);
}

/* Nobody here has the node open any more. */
static int explain_bind(int err, const struct evfio_sysdev *dev, const char *path, bool token)
{
	char holders[256];

	file_holders(path, holders, sizeof(holders));
	if (*holders)
		return fail(-EBUSY, "device %s is in use by %s", dev->name, holders);
	if ((err == -EPERM || err == -EBUSY) && evfio_sysdev_check(dev))
		return -EPERM;
	if (err == -EPERM)
		return fail(err, "iommufd refuses %s: another program has a device of its group %d, "
			    "or its interrupts are not isolated by hardware: if you trust it, set "
			    "allow_unsafe_interrupts=1 of iommufd", dev->name, dev->group);
	return token_explain(err, dev, token);
}

int iommufd_open(struct evfio_container *ct, const struct evfio_sysdev *dev,
		 const struct evfio_token *token)
{
	struct bind bind = {
		.argsz = token ? sizeof(bind) : BIND_NO_TOKEN,
		.flags = token ? BIND_TOKEN : 0,
		.iommufd = ct->fd,
		.token = (uintptr_t)token,
	};
	struct attach attach = { .argsz = sizeof(attach), .ioas = ct->ioas };
	char path[PATH_LEN + 64];
	int fd, err;

	if (!iommufd_node(dev, path, sizeof(path)))
		return fail(-ENOENT, "%s has no node of its own in %s, and there is no "
			    "%s/vfio/vfio: the kernel's VFIO has neither VFIO_DEVICE_CDEV nor "
			    "VFIO_CONTAINER", dev->name, path, evfio_roots.dev);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		if (err == -EACCES)
			return fail(err, "no permission on %s: `chgrp` it to a group you are in, or "
				    "for good by a udev rule: SUBSYSTEM==\"vfio-dev\", "
				    "GROUP=\"vfio\", MODE=\"0660\"", path);
		return fail(err, "cannot open %s: %s", path, strerror(-err));
	}
	if (ioctl(fd, BIND, &bind)) {
		err = -errno;
		close(fd);
		return explain_bind(err, dev, path, token);
	}
	if (ioctl(fd, ATTACH, &attach)) {
		err = fail_errno("device %s cannot join the container", dev->name);
		close(fd);
		return err;
	}
	return fd;
}

void iommufd_detach(int fd)
{
	struct detach detach = { .argsz = sizeof(detach) };

	ioctl(fd, DETACH, &detach);
}
