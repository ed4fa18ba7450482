// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Containers, and the groups that are open in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

int evfio_container_new(struct evfio_container **out)
{
	struct evfio_container *ct;
	char path[PATH_LEN + 16];
	int version;

	ct = calloc(1, sizeof(*ct));
	if (!ct)
		return fail(-ENOMEM, "no memory for a container");
	ct->iommufd = iommufd_is_all();
	snprintf(path, sizeof(path), "%s/%s", evfio_roots.dev, ct->iommufd ? "iommu" : "vfio/vfio");
	ct->fd = open(path, O_RDWR | O_CLOEXEC);
	if (ct->fd < 0) {
		int err = -errno;

		free(ct);
		/* The node may be there without its module: that open() gives ENODEV. */
		if (err == -ENOENT || err == -ENODEV)
			return fail(err, "VFIO is not loaded: run `modprobe -a vfio_iommu_type1 "
				    "vfio-platform`, or vfio-pci");
		return fail(err, "cannot open %s: %s", path, strerror(-err));
	}
	version = ioctl(ct->fd, VFIO_GET_API_VERSION);
	if (version != VFIO_API_VERSION) {
		close(ct->fd);
		free(ct);
		return fail(-EPROTO, "the kernel's VFIO has version %d, %d is wanted", version,
			    VFIO_API_VERSION);
	}
	pthread_mutex_init(&ct->lock, NULL);
	ct->refs = 1;
	iova_init(&ct->iova);
	*out = ct;
	return 0;
}

void evfio_container_put(struct evfio_container *ct)
{
	unsigned int refs;

	if (!ct)
		return;
	pthread_mutex_lock(&ct->lock);
	refs = --ct->refs;
	pthread_mutex_unlock(&ct->lock);
	if (refs)
		return;
	/* Every device has a reference, so there are no groups left. */
	close(ct->fd);
	iova_destroy(&ct->iova);
	pthread_mutex_destroy(&ct->lock);
	free(ct);
}

int evfio_container_fd(const struct evfio_container *ct)
{
	return ct->fd;
}

int evfio_container_pinned(const struct evfio_container *ct, uint64_t *kib)
{
	char path[PATH_LEN + 32], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/self/fdinfo/%d", evfio_roots.proc, ct->fd);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "pinned: %" SCNu64 " kB", kib) == 1;
	if (file)
		fclose(file);
	return found ? 0 : fail(-EOPNOTSUPP, "this kernel's VFIO does not tell what is pinned");
}

bool group_node(const struct evfio_sysdev *dev, char *path, size_t size)
{
	snprintf(path, size, "%s/vfio/noiommu-%d", evfio_roots.dev, dev->group);
	if (!access(path, F_OK))
		return true;
	snprintf(path, size, "%s/vfio/%d", evfio_roots.dev, dev->group);
	return false;
}

bool device_node(const struct evfio_sysdev *dev, char *path, size_t size)
{
	if (!iommufd_is_all())
		return group_node(dev, path, size);
	iommufd_node(dev, path, size);
	return false;
}

int group_open(const struct evfio_sysdev *dev, bool *noiommu)
{
	char path[PATH_LEN + 32], holders[256];
	int fd, err;

	*noiommu = group_node(dev, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;

	err = -errno;
	switch (err) {
	case -EBUSY:
		file_holders(path, holders, sizeof(holders));
		return fail(err, "group %d of %s is in use%s%s", dev->group, dev->name,
			    *holders ? " by " : ": somebody has it open", holders);
	case -EACCES:
		return fail(err,
			    "no permission on %s: `chgrp` it to a group you are in, or for good by "
			    "a udev rule: SUBSYSTEM==\"vfio\", GROUP=\"vfio\", MODE=\"0660\"",
			    path);
	case -EPERM:
		return fail(err, "%s has no IOMMU: to open it takes CAP_SYS_RAWIO, or root",
			    dev->name);
	case -ENOENT:
		return fail(err, "%s/vfio/%d is missing: nothing (devtmpfs, udev) creates it",
			    evfio_roots.dev, dev->group);
	default:
		return fail(err, "cannot open %s: %s", path, strerror(-err));
	}
}

/* What to say when a group that is bound as it should be still is not viable. */
static int not_viable(const struct evfio_sysdev *dev)
{
	int err = evfio_sysdev_check(dev);

	if (err)
		return err;
	return fail(-EPERM, "group %d of %s is not viable: another driver or iommufd owns its DMA",
		    dev->group, dev->name);
}

static int set_container(struct evfio_container *ct, const struct evfio_sysdev *dev, int fd)
{
	int err;

	if (!ioctl(fd, VFIO_GROUP_SET_CONTAINER, &ct->fd))
		return 0;
	err = -errno;
	if (err == -EPERM)
		return not_viable(dev);
	if (err == -EBUSY) {
		/* A host driver that came since we looked is named; otherwise it is a container. */
		if (evfio_sysdev_check(dev))
			return -EPERM;
		return fail(err, "group %d of %s must be owned together with devices that are in "
			    "another container", dev->group, dev->name);
	}
	return fail(err, "group %d of %s cannot join the container: %s", dev->group, dev->name,
		    strerror(-err));
}

/* Gives the container its IOMMU. */
static int set_iommu(struct evfio_container *ct, const struct evfio_sysdev *dev)
{
	static const int types[] = { VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU };
	size_t i;

	if (ct->noiommu)
		return ioctl(ct->fd, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) ?
		       fail_errno("%s cannot be used without an IOMMU", dev->name) : 0;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (ioctl(ct->fd, VFIO_CHECK_EXTENSION, types[i]) <= 0)
			continue;
		if (!ioctl(ct->fd, VFIO_SET_IOMMU, types[i]))
			return 0;
		if (errno == EPERM)
			return fail(-EPERM,
				    "the interrupts of %s are not isolated by hardware: if you "
				    "trust it, set allow_unsafe_interrupts=1 of vfio_iommu_type1",
				    dev->name);
		return fail_errno("the IOMMU of %s cannot be set up", dev->name);
	}
	return fail(-ENODEV, "no IOMMU backend is loaded: run `modprobe vfio_iommu_type1`");
}

static struct group *find_group(struct evfio_container *ct, int number)
{
	struct group *group = ct->groups;

	while (group && group->number != number)
		group = group->next;
	return group;
}

/* Opens the group of dev and puts it into the container. */
static int join(struct evfio_container *ct, const struct evfio_sysdev *dev, struct group *group,
		bool *noiommu)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int err;

	group->fd = group_open(dev, noiommu);
	if (group->fd < 0)
		return group->fd;
	if (ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status))
		err = fail_errno("cannot get the status of group %d", dev->group);
	else if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		err = not_viable(dev);
	else if (ct->groups && ct->noiommu != *noiommu)
		err = fail(-EPERM, "%s has %s IOMMU, unlike the container's other devices",
			   dev->name, *noiommu ? "no" : "an");
	else
		err = set_container(ct, dev, group->fd);
	if (err)
		close(group->fd);
	return err;
}

static int add_group(struct evfio_container *ct, const struct evfio_sysdev *dev,
		     struct group **out)
{
	struct group *group = calloc(1, sizeof(*group));
	bool noiommu = false;
	int err = 0;

	if (!group)
		return fail(-ENOMEM, "no memory for group %d", dev->group);
	group->number = dev->group;
	group->fd = -1;
	if (!ct->iommufd)
		err = join(ct, dev, group, &noiommu);
	if (err)
		goto free_group;

	if (!ct->groups) {
		ct->noiommu = noiommu;
		err = ct->iommufd ? iommufd_begin(ct) : set_iommu(ct, dev);
		if (err)
			goto unset;
		/* Mappings of an earlier IOMMU went with it. */
		iova_clear(&ct->iova);
		ct->iommu_generation++;
	}
	/* A further group may bring reserved addresses of its own. With iommufd a device does. */
	err = noiommu || ct->iommufd ? 0 : dma_update_ranges(ct);
	if (err)
		goto unset;
	group->next = ct->groups;
	ct->groups = group;
	*out = group;
	return 0;

unset:
	if (!ct->iommufd) {
		ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER);
		close(group->fd);
	}
free_group:
	free(group);
	return err;
}

static int get_device(const struct group *group, const struct evfio_sysdev *dev,
		      const struct evfio_token *token)
{
	int fd = token_open(group->fd, dev->name, token);

	if (fd >= 0)
		return fd;
	/* The group's file descriptor dies when its last device is unbound. */
	if (errno == ENODEV)
		return fail(-ENODEV, "%s was just unbound from %s", dev->name, dev->vfio_driver);
	return token_explain(-errno, dev, token);
}

int container_open_device(struct evfio_container *ct, const struct evfio_sysdev *dev,
			  const struct evfio_token *token)
{
	struct group *group;
	int err = 0, fd = -1;

	pthread_mutex_lock(&ct->lock);
	group = find_group(ct, dev->group);
	if (!group)
		err = add_group(ct, dev, &group);
	if (err) {
		pthread_mutex_unlock(&ct->lock);
		return err;
	}
	group->devices++;
	ct->refs++;
	if (!dev->coherent)
		__atomic_add_fetch(&ct->incoherent, 1, __ATOMIC_RELAXED);
	if (ct->iommufd) {
		/* Nobody maps before the IOMMU's ranges are known. */
		fd = iommufd_open(ct, dev, token);
		err = fd < 0 ? fd : dma_update_ranges(ct);
	}
	pthread_mutex_unlock(&ct->lock);
	if (!ct->iommufd) {
		fd = get_device(group, dev, token);
		err = fd < 0 ? fd : 0;
	}
	if (err)
		container_close_device(ct, dev, fd);
	return err ?: fd;
}

void container_close_device(struct evfio_container *ct, const struct evfio_sysdev *dev, int fd)
{
	struct group **link, *group;

	if (fd >= 0 && ct->iommufd)
		iommufd_detach(fd);
	if (fd >= 0)
		close(fd);
	pthread_mutex_lock(&ct->lock);
	if (!dev->coherent)
		__atomic_sub_fetch(&ct->incoherent, 1, __ATOMIC_RELAXED);
	group = find_group(ct, dev->group);
	if (group && !--group->devices) {
		for (link = &ct->groups; *link != group; link = &(*link)->next)
			;
		*link = group->next;
		if (ct->iommufd && !ct->groups)
			iommufd_end(ct);
		if (!ct->iommufd)
			close(group->fd);
		free(group);
	}
	pthread_mutex_unlock(&ct->lock);
	evfio_container_put(ct);
}
