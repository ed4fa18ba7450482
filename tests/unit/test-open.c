// SPDX-License-Identifier: GPL-2.0-only
/* Opening devices, sharing containers, and every way in which that fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

static int open_fds(void)
{
	int fd, count = 0;

	for (fd = 3; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Opening must fail with err and a message, and leave nothing open. */
static void refused(const char *name, int err, const char *message)
{
	struct evfio_device *dev = NULL;
	int before = open_fds();

	is(evfio_open(name, &dev), err, "%s is refused", name);
	message_has(message);
	is(open_fds(), before, "and nothing stays open");
	is(fake.groups, 0, "and no group in a container");
}

static void failures(void)
{
	char link[700], path[600];

	refused("20000000.edu", -ENOENT, "no device 20000000.edu");
	refused("10100000.edu", -ENODEV, "run `evfio bind 10100000.edu`");
	refused("10300000.edu", -ENODEV, "is bound to syscon");

	fake.open_container_errno = ENOENT;
	refused("10000000.edu", -ENOENT, "modprobe -a vfio_iommu_type1 vfio-platform");
	fake.open_container_errno = ENODEV;
	refused("10000000.edu", -ENODEV, "VFIO is not loaded");
	fake.open_container_errno = EACCES;
	refused("10000000.edu", -EACCES, "cannot open");
	fake_reset();
	fake.api_version = 1;
	refused("10000000.edu", -EPROTO, "version 1, 0 is wanted");
	fake_reset();

	fake.open_group_errno = EBUSY;
	refused("10000000.edu", -EBUSY, "group 3 of 10000000.edu is in use: somebody");
	tree_text("proc/123/fd/none", "");
	snprintf(path, sizeof(path), "%s/dev/vfio/3", tree_dir());
	snprintf(link, sizeof(link), "%s/proc/123/fd/4", tree_dir());
	ok(!symlink(path, link), "process 123 has it");
	refused("10000000.edu", -EBUSY, "group 3 of 10000000.edu is in use by pid 123 (edu)");
	fake.open_group_errno = EACCES;
	refused("10000000.edu", -EACCES, "udev rule: SUBSYSTEM==\"vfio\"");
	message_has("/dev/vfio/3");
	fake.open_group_errno = EIO;
	refused("10000000.edu", -EIO, "Input/output error");
	fake_reset();
	tree_remove("dev/vfio/3");
	refused("10000000.edu", -ENOENT, "/dev/vfio/3 is missing");
	tree_text("dev/vfio/noiommu-3", "");
	fake.open_group_errno = EPERM;
	refused("10000000.edu", -EPERM, "takes CAP_SYS_RAWIO");
	fake_reset();
	fake.set_iommu_errno = EPERM;
	refused("10000000.edu", -EPERM, "cannot be used without an IOMMU");
	fake_reset();
	tree_remove("dev/vfio/noiommu-3");
	tree_text("dev/vfio/3", "");

	fake.not_viable = true;
	refused("10200000.edu", -EPERM, "10300000.edu is bound to syscon");
	refused("10000000.edu", -EPERM, "another driver or iommufd");
	fake_reset();
	fake.set_container_errno = EPERM;
	refused("10200000.edu", -EPERM, "10300000.edu is bound to syscon");
	fake.set_container_errno = EBUSY;
	refused("10000000.edu", -EBUSY, "in another container");
	refused("10200000.edu", -EPERM, "10300000.edu is bound to syscon");
	fake.set_container_errno = EINVAL;
	refused("10000000.edu", -EINVAL, "cannot join the container");
	fake_reset();
	fake.type1 = false;
	fake.type1v2 = false;
	refused("10000000.edu", -ENODEV, "modprobe vfio_iommu_type1");
	fake_reset();
	fake.set_iommu_errno = EPERM;
	refused("10000000.edu", -EPERM, "allow_unsafe_interrupts=1");
	fake.set_iommu_errno = EIO;
	refused("10000000.edu", -EIO, "cannot be set up");
	fake_reset();
	fake.get_device_errno = ENODEV;
	refused("10000000.edu", -ENODEV, "just unbound");
	fake.get_device_errno = EINVAL;
	refused("10000000.edu", -EINVAL, "cannot open 10000000.edu");
	fake_reset();
}

static void alone(void)
{
	int before = open_fds();
	struct evfio_device *dev;
	uint64_t kib;

	is(evfio_open("/edu@10000000", &dev), 0, "open by device-tree path");
	is(fake.iommu_type, VFIO_TYPE1v2_IOMMU, "type1 v2 is preferred");
	is_str(evfio_device_name(dev), "10000000.edu", "name");
	is_str(evfio_device_syspath(dev), "/sys/devices/platform/10000000.edu", "syspath");
	is(evfio_device_group(dev), 3, "group");
	is(evfio_device_regions(dev), 4, "regions");
	is(evfio_device_irqs(dev), 3, "interrupts");
	ok(evfio_device_fd(dev) > 2, "file descriptor");
	ok(evfio_container_fd(evfio_device_container(dev)) > 2, "container's file descriptor");
	ok(!evfio_device_removed(dev), "not being removed");
	ok(!evfio_device_can_reset(dev), "no reset");
	is(evfio_device_reset(dev), -EOPNOTSUPP, "and so none is done");
	message_has("has no reset");

	is(evfio_container_pinned(evfio_device_container(dev), &kib), -EOPNOTSUPP,
	   "a kernel that does not tell what is pinned");
	{
		char path[64];

		snprintf(path, sizeof(path), "proc/self/fdinfo/%d",
			 evfio_container_fd(evfio_device_container(dev)));
		tree_text(path, "pos:\t0\niommu:\ttype1v2\nmappings:\t2\npinned:\t8 kB\n");
	}
	is(evfio_container_pinned(evfio_device_container(dev), &kib), 0, "one that tells");
	is((long long)kib, 8, "8 kB");
	evfio_close(dev);
	is(fake.groups, 0, "closing gives the group back");
	is(open_fds(), before, "and all files");
	evfio_close(NULL);
	evfio_container_put(NULL);

	fake_reset();
	fake.type1v2 = false;
	is(evfio_open("10000000.edu", &dev), 0, "open with type1 v1 only");
	is(fake.iommu_type, VFIO_TYPE1_IOMMU, "which it is");
	evfio_close(dev);
	fake_reset();
}

static void shared(void)
{
	struct evfio_device *one, *two, *again;
	struct evfio_container *ct;
	int before = open_fds();
	struct evfio_dma *dma;

	is(evfio_container_new(&ct), 0, "a container");
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma), -ENODEV, "no DMA without a device");
	message_has("no device is open");
	is(evfio_open_in(ct, "10000000.edu", &one), 0, "first device");
	is(evfio_open_in(ct, "9010000.pl031", &two), 0, "second device, of another group");
	is(fake.groups, 2, "two groups are in it");
	ok(evfio_device_container(one) == ct && evfio_device_container(two) == ct,
	   "the same for both");
	is(evfio_open_in(ct, "10000000.edu", &again), 0, "the first device a second time");
	is(fake.groups, 2, "its group is there already");
	is(evfio_open_in(ct, "20000000.edu", &again), -ENOENT, "one that is not there");
	fake.open_group_errno = EBUSY;
	is(evfio_open_in(ct, "10200000.edu", &again), -EBUSY, "one whose group is busy");
	fake.open_group_errno = 0;
	is(fake.groups, 2, "that changes nothing");

	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &dma), 0, "a buffer for both");
	evfio_close(two);
	is(fake.groups, 1, "one group leaves");
	is(fake.mappings, 1, "the buffer stays");
	evfio_close(one);
	is(fake.groups, 1, "the other stays as long as its device is open once more");
	evfio_container_put(ct);
	ok(open_fds() > before, "the container outlives its owner's reference");
	is(evfio_dma_free(dma), 0, "the buffer goes");
	is(fake.mappings, 0, "and is unmapped");
	evfio_close(again);
	is(fake.groups, 0, "the last device takes the group along");
	is(open_fds(), before, "and the container");
}

/* Buffers that are freed after their IOMMU is gone. */
static void outlive(void)
{
	struct evfio_dma *old, *new;
	struct evfio_container *ct;
	struct evfio_device *dev;
	uint64_t iova;

	is(evfio_container_new(&ct), 0, "a container");
	is(evfio_open_in(ct, "9010000.pl031", &dev), 0, "with a device");
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &old), 0, "and a buffer");
	iova = old->iova;
	evfio_close(dev);
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &new), -ENODEV,
	   "none without the device");
	memset(old->addr, 1, old->size);
	is(evfio_open_in(ct, "9010000.pl031", &dev), 0, "the device again");
	is(evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_BOTH, &new), 0, "a buffer for the new IOMMU");
	ok(new->iova == iova, "the IOVA is free there");
	is(evfio_dma_free(old), 0, "the old buffer goes");
	is(fake.mappings, 1, "without unmapping the new one");
	evfio_container_put(ct);
	evfio_close(dev);
	is(evfio_dma_free(new), 0, "a buffer may go last");
}

int main(void)
{
	tree_new();
	fake_reset();
	failures();
	alone();
	shared();
	outlive();
	tree_free();
	return done();
}
