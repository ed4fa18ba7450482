// SPDX-License-Identifier: GPL-2.0-only
/*
 * badinput - what a wrong argument gets: an errno, and nothing changed
 *
 * Each section takes one file with a device in use, gives every call arguments that are wrong in
 * one way, and then makes sure that the device is as it was: mapped, triggered, in its container.
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

static size_t page;
static uint8_t *hole;		/* a page that may not be touched, just behind one that may */
static uint8_t *locked;		/* a page that can be read and not written */
static uint8_t *volatile nowhere;	/* NULL, which the compiler would rather not see passed */

struct state {
	struct dev *d;
	int efd;
	long avail;
	int status;
	uint8_t *mem;
};

static void state_begin(struct state *s, struct dev *d)
{
	s->d = d;
	s->efd = efd_new(0);
	s->mem = mem_new(2 * page);
	mem_fill(s->mem, page, 1);
	if (dma_map(d->container, s->mem, IOVA, 2 * page, RW) || irq_trigger(d->fd, 0, s->efd))
		tap_bail("the device cannot be made ready");
	s->avail = dma_avail(d->container);
	s->status = group_status(d->group);
}

/* Everything that was set up is still so, and works. */
static void state_same(struct state *s, const char *section)
{
	is(dma_avail(s->d->container), s->avail, "%s: no mapping has come or gone", section);
	is(group_status(s->d->group), s->status, "%s: the group's status is the same", section);
	memset(s->mem + page, 0, page);
	edu_load(s->d, IOVA, EDU_BUFFER_MAX);
	edu_store(s->d, IOVA + page, EDU_BUFFER_MAX);
	ok(mem_is(s->mem + page, EDU_BUFFER_MAX, 1),
	   "%s: the device reaches what was mapped", section);
	edu_raise(s->d, 1);
	is(efd_take(s->efd, SOON), 1, "%s: its interrupt arrives", section);
	edu_ack(s->d);
	is(irq_unmask(s->d->fd, 0), 0, "%s: and is unmasked", section);
	is(efd_take(s->efd, QUIET), 0, "%s: and comes once", section);
}

static void state_end(struct state *s)
{
	dma_unmap(s->d->container, IOVA, 2 * page);
	irq_trigger(s->d->fd, 0, -1);
	mem_free(s->mem, 2 * page);
	close(s->efd);
}

/*
 * What every call that takes a structure has in common. @good is a correct argument of @size bytes,
 * which begins with argsz, and of which the kernel needs @least.
 */
static void structure(int fd, unsigned long request, const char *name, const void *good,
		      size_t size, size_t least, bool answers)
{
	uint8_t buf[256];
	uint32_t argsz;

	is(xioctl(fd, request, NULL), -EFAULT, "%s at NULL: EFAULT", name);
	is(xioctl(fd, request, hole), -EFAULT, "%s at an address without memory: EFAULT", name);
	is(xioctl(fd, request, (void *)(uintptr_t)0xffff800000000000), -EFAULT,
	   "%s at an address of the kernel: EFAULT", name);
	memcpy(hole - 4, good, 4);
	is(xioctl(fd, request, hole - 4), -EFAULT, "%s across the end of memory: EFAULT", name);
	for (argsz = 0; argsz < least; argsz += (uint32_t)least - 1) {
		memcpy(buf, good, size);
		memcpy(buf, &argsz, sizeof(argsz));
		is(xioctl(fd, request, buf), -EINVAL, "%s with argsz %u: EINVAL", name, argsz);
		if (memcmp(buf + 4, (const uint8_t *)good + 4, size - 4))
			ok(false, "%s with argsz %u leaves the argument alone", name, argsz);
	}
	if (answers) {
		mprotect(locked, page, PROT_READ | PROT_WRITE);
		memcpy(locked, good, size);
		mprotect(locked, page, PROT_READ);
		is(xioctl(fd, request, locked), -EFAULT,
		   "%s with no room for the answer: EFAULT", name);
	}
}

static void container_without_iommu(void)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	uint8_t *mem = mem_new(page);
	int c = container_open(), group;

	is(xioctl(c, VFIO_IOMMU_GET_INFO, &info), -EINVAL,
	   "empty container: IOMMU_GET_INFO: EINVAL");
	is(dma_map(c, mem, IOVA, page, RW), -EINVAL, "empty container: MAP_DMA: EINVAL");
	is(dma_unmap(c, IOVA, page), -EINVAL, "empty container: UNMAP_DMA: EINVAL");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), -EINVAL,
	   "empty container: SET_IOMMU: EINVAL");
	is(xioctl(c, _IO(VFIO_TYPE, VFIO_BASE + 99), NULL), -EINVAL,
	   "empty container: an unknown call: EINVAL");
	is(xioctl(c, _IO('?', 1), NULL), -EINVAL, "empty container: a foreign call: EINVAL");
	is(sys(read(c, &info, 4)), -EINVAL, "container: read: EINVAL");
	is(sys(write(c, &info, 4)), -EINVAL, "container: write: EINVAL");
	ok(mmap(NULL, page, PROT_READ, MAP_SHARED, c, 0) == MAP_FAILED && errno == ENODEV,
	   "container: mmap: ENODEV");

	board_take(EDU0);
	group = group_open(EDU0);
	is(group_set(group, c), 0, "a group joins");
	is(dma_map(c, mem, IOVA, page, RW), -EINVAL, "container without IOMMU: MAP_DMA: EINVAL");
	is(container_set_iommu(c, 0), -ENODEV, "SET_IOMMU 0: ENODEV");
	is(container_set_iommu(c, 12345), -ENODEV, "SET_IOMMU 12345: ENODEV");
	is(container_set_iommu(c, ~0ul), -ENODEV, "SET_IOMMU ~0: ENODEV");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), -ENODEV, "SET_IOMMU no-IOMMU: ENODEV");
	is(container_set_iommu(c, VFIO_SPAPR_TCE_IOMMU), -ENODEV, "SET_IOMMU sPAPR: ENODEV");
	is(container_set_iommu(c, VFIO_UPDATE_VADDR), -ENODEV,
	   "SET_IOMMU with an extension that is no IOMMU: ENODEV");
	is(device_fd(group, EDU0), -EINVAL, "GET_DEVICE_FD without an IOMMU: EINVAL");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), 0, "after all that, SET_IOMMU works");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), -EINVAL, "a second time: EINVAL");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), -EINVAL, "another IOMMU: EINVAL");
	is(container_set_iommu(c, 12345), -EINVAL, "an unknown one: EINVAL");
	close(group);
	close(c);
	mem_free(mem, page);
}

static void no_descriptor_left(struct dev *d)
{
	struct rlimit before, none;
	int next = dup(0);

	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)next;
	close(next);
	setrlimit(RLIMIT_NOFILE, &none);
	is(device_fd(d->group, EDU0), -EMFILE, "GET_DEVICE_FD with no descriptor left: EMFILE");
	setrlimit(RLIMIT_NOFILE, &before);
}

static void group_calls(struct dev *d)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char *name = mem_new(2 * page);
	int other = container_open(), null = open("/dev/null", O_RDWR), ro, fd = -1;

	structure(d->group, VFIO_GROUP_GET_STATUS, "GET_STATUS", &status, sizeof(status),
		  END_OF(struct vfio_group_status, flags), true);
	is(group_open(EDU0), -EBUSY, "a second open of the group: EBUSY");
	is(xioctl(d->group, _IO(VFIO_TYPE, VFIO_BASE + 99), NULL), -ENOTTY,
	   "group: an unknown call: ENOTTY");
	is(xioctl(d->group, VFIO_DEVICE_GET_INFO, &status), -ENOTTY,
	   "group: a device's call: ENOTTY");
	is(sys(read(d->group, &status, 4)), -EINVAL, "group: read: EINVAL");
	is(xioctl(d->group, VFIO_GROUP_SET_CONTAINER, NULL), -EFAULT,
	   "SET_CONTAINER at NULL: EFAULT");
	is(xioctl(d->group, VFIO_GROUP_SET_CONTAINER, hole), -EFAULT,
	   "SET_CONTAINER at an address without memory: EFAULT");
	is(group_set(d->group, other), -EINVAL, "SET_CONTAINER with one set: EINVAL");
	is(group_set(d->group, -1), -EBADF, "SET_CONTAINER -1: EBADF");
	is(group_set(d->group, 1000), -EBADF, "SET_CONTAINER of a closed descriptor: EBADF");
	is(group_unset(d->group), -EBUSY, "UNSET_CONTAINER with a device open: EBUSY");

	is(device_fd(d->group, "nothing"), -ENODEV, "GET_DEVICE_FD of an unknown name: ENODEV");
	is(device_fd(d->group, ""), -ENODEV, "GET_DEVICE_FD of no name: ENODEV");
	is(device_fd(d->group, EDU1), -ENODEV, "GET_DEVICE_FD of another group's device: ENODEV");
	is(device_fd(d->group, EDU0 "x"), -ENODEV, "GET_DEVICE_FD of a longer name: ENODEV");
	is(device_fd(d->group, "10000000.ed"), -ENODEV, "GET_DEVICE_FD of a shorter name: ENODEV");
	is(device_fd(d->group, EDU0 " vf_token=00000000-0000-0000-0000-000000000000"), -ENODEV,
	   "GET_DEVICE_FD with a token, which is PCI's: ENODEV");
	is(device_fd(d->group, NULL), -EFAULT, "GET_DEVICE_FD of NULL: EFAULT");
	is(device_fd(d->group, (char *)hole), -EFAULT, "GET_DEVICE_FD without memory: EFAULT");
	memset(name, 'x', 2 * page);
	is(device_fd(d->group, name), -EINVAL, "GET_DEVICE_FD of a name without an end: EINVAL");
	memset(hole - 8, 'x', 8);
	is(device_fd(d->group, (char *)hole - 8), -EFAULT,
	   "GET_DEVICE_FD of a name that runs out of memory: EFAULT");
	fd = device_fd(d->group, EDU0);
	ok(fd >= 0, "GET_DEVICE_FD a second time is allowed");
	close(fd);
	mem_free(name, 2 * page);
	no_descriptor_left(d);

	/* A group without a container. */
	board_take(EDU1);
	ro = group_open(EDU1);
	is(group_unset(ro), -EINVAL, "UNSET_CONTAINER without one: EINVAL");
	is(device_fd(ro, EDU1), -EINVAL, "GET_DEVICE_FD without a container: EINVAL");
	is(device_fd(ro, "nothing"), -ENODEV, "... of an unknown name: ENODEV");
	is(group_set(ro, null), -EBADFD, "SET_CONTAINER of another kind of file: EBADFD");
	is(group_set(ro, ro), -EBADFD, "SET_CONTAINER of the group itself: EBADFD");
	is(group_set(ro, d->fd), -EBADFD, "SET_CONTAINER of a device: EBADFD");
	is(group_status(ro), VFIO_GROUP_FLAGS_VIABLE, "it is still without a container");
	close(ro);
	close(null);
	close(other);
}

static void device_calls(struct dev *d)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = { .argsz = sizeof(region) };
	struct vfio_irq_info irq = { .argsz = sizeof(irq) };
	const uint32_t indices[] = { 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };

	structure(d->fd, VFIO_DEVICE_GET_INFO, "GET_INFO", &info, sizeof(info),
		  END_OF(struct vfio_device_info, num_irqs), true);
	structure(d->fd, VFIO_DEVICE_GET_REGION_INFO, "GET_REGION_INFO", &region, sizeof(region),
		  END_OF(struct vfio_region_info, offset), true);
	structure(d->fd, VFIO_DEVICE_GET_IRQ_INFO, "GET_IRQ_INFO", &irq, sizeof(irq),
		  END_OF(struct vfio_irq_info, count), true);
	for (size_t i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
		region.index = indices[i];
		is(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &region), -EINVAL,
		   "GET_REGION_INFO of region 0x%x: EINVAL", indices[i]);
		irq.index = indices[i];
		is(xioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &irq), -EINVAL,
		   "GET_IRQ_INFO of interrupt 0x%x: EINVAL", indices[i]);
	}
	is(xioctl(d->fd, VFIO_DEVICE_RESET, NULL), -EINVAL,
	   "RESET of a device that has none: EINVAL");
	is(xioctl(d->fd, _IO(VFIO_TYPE, VFIO_BASE + 99), NULL), -ENOTTY,
	   "device: an unknown call: ENOTTY");
	is(xioctl(d->fd, _IO('?', 1), NULL), -ENOTTY, "device: a foreign call: ENOTTY");
	is(xioctl(d->fd, VFIO_GROUP_GET_STATUS, &info), -ENOTTY, "device: a group's call: ENOTTY");
	is(xioctl(d->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info), -ENOTTY,
	   "device: a PCI device's call: ENOTTY");
	is(xioctl(d->fd, VFIO_DEVICE_PCI_HOT_RESET, &info), -ENOTTY,
	   "device: another of them: ENOTTY");
}

static int feature(int fd, uint32_t argsz, uint32_t flags)
{
	struct {
		struct vfio_device_feature head;
		uint8_t data[64];
	} in = { .head = { .argsz = argsz, .flags = flags } };

	return xioctl(fd, VFIO_DEVICE_FEATURE, &in);
}

static void features(struct dev *d)
{
	const uint32_t get = VFIO_DEVICE_FEATURE_GET, set = VFIO_DEVICE_FEATURE_SET;
	const uint32_t probe = VFIO_DEVICE_FEATURE_PROBE, whole = 72;
	struct vfio_device_feature head = { .argsz = sizeof(head),
					    .flags = get | VFIO_DEVICE_FEATURE_MIGRATION };

	structure(d->fd, VFIO_DEVICE_FEATURE, "FEATURE", &head, sizeof(head), 8, false);
	is(feature(d->fd, whole, get | set), -EINVAL, "FEATURE both to get and to set: EINVAL");
	is(feature(d->fd, whole, get | 1u << 19), -EINVAL, "FEATURE with an unknown flag: EINVAL");
	is(feature(d->fd, whole, get | 1u << 31), -EINVAL, "FEATURE with the last flag: EINVAL");
	is(feature(d->fd, whole, get | 0xffff), -ENOTTY, "FEATURE 0xffff: ENOTTY");
	is(feature(d->fd, whole, probe | get | 0xffff), -ENOTTY, "FEATURE 0xffff, probed: ENOTTY");
	is(feature(d->fd, whole, get | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN), -ENOTTY,
	   "FEATURE VF token: ENOTTY");
	is(feature(d->fd, whole, get | VFIO_DEVICE_FEATURE_MIGRATION), -ENOTTY,
	   "FEATURE migration: ENOTTY");
	is(feature(d->fd, whole, set | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE), -ENOTTY,
	   "FEATURE migration state: ENOTTY");
}

struct shape {
	const char *what;
	uint32_t argsz, flags, index, start, count;
	int err;
};

static void set_irqs(struct dev *d)
{
	enum { H = sizeof(struct vfio_irq_set) };
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE, boolean = VFIO_IRQ_SET_DATA_BOOL;
	const uint32_t eventfd = VFIO_IRQ_SET_DATA_EVENTFD, trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t mask = VFIO_IRQ_SET_ACTION_MASK, unmask = VFIO_IRQ_SET_ACTION_UNMASK;
	const struct shape shapes[] = {
		{ "no action", H, none, 0, 0, 1, ENOTTY },
		{ "two actions", H, none | mask | unmask, 0, 0, 1, ENOTTY },
		{ "all actions", H, none | mask | unmask | trigger, 0, 0, 1, ENOTTY },
		{ "no data type", H, trigger, 0, 0, 1, EINVAL },
		{ "two data types", H + 4, none | boolean | trigger, 0, 0, 1, EINVAL },
		{ "two other data types", H + 4, boolean | eventfd | trigger, 0, 0, 1, EINVAL },
		{ "no flag at all", H, 0, 0, 0, 1, EINVAL },
		{ "an unknown flag", H, none | trigger | 1u << 6, 0, 0, 1, EINVAL },
		{ "the last flag", H, none | trigger | 1u << 31, 0, 0, 1, EINVAL },
		{ "index 1", H, none | trigger, 1, 0, 1, EINVAL },
		{ "index 0xffffffff", H, none | trigger, 0xffffffff, 0, 1, EINVAL },
		{ "start 1", H, none | mask, 0, 1, 1, EINVAL },
		{ "start 0xffffffff", H, none | mask, 0, 0xffffffff, 1, EINVAL },
		{ "start 1, count 0", H, none | mask, 0, 1, 0, EINVAL },
		{ "count 2", H, none | mask, 0, 0, 2, EINVAL },
		{ "count 0xffffffff", H, none | mask, 0, 0, 0xffffffff, EINVAL },
		{ "start and count that wrap", H, none | mask, 0, 0xffffffff, 2, EINVAL },
		{ "count 0 to mask", H, none | mask, 0, 0, 0, EINVAL },
		{ "count 0 to unmask", H, none | unmask, 0, 0, 0, EINVAL },
		{ "count 0 of booleans", H, boolean | trigger, 0, 0, 0, EINVAL },
		{ "count 0 of eventfds", H, eventfd | trigger, 0, 0, 0, EINVAL },
		{ "no room for the boolean", H, boolean | trigger, 0, 0, 1, EINVAL },
		{ "no room for the eventfd", H + 3, eventfd | trigger, 0, 0, 1, EINVAL },
		{ "booleans for count 2", H + 2, boolean | trigger, 0, 0, 2, EINVAL },
		{ "a count whose size wraps", H + 4, eventfd | trigger, 0, 0, 0x40000001, EINVAL },
	};
	struct vfio_irq_set *edge = (void *)(hole - H);
	struct vfio_irq_set head = { .argsz = H, .flags = none | unmask, .count = 1 };
	int null = open("/dev/null", O_RDWR);

	structure(d->fd, VFIO_DEVICE_SET_IRQS, "SET_IRQS", &head, H,
		  END_OF(struct vfio_irq_set, count), false);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		union {
			struct vfio_irq_set set;
			uint8_t room[64];
		} in = { .set = { .argsz = s->argsz, .flags = s->flags, .index = s->index,
				  .start = s->start, .count = s->count } };

		is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -s->err,
		   "SET_IRQS with %s: %s", s->what,
		   s->err == ENOTTY ? "ENOTTY" : "EINVAL");
	}
	*edge = head;
	edge->argsz = H + 4;
	edge->flags = eventfd | mask;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, edge), -EFAULT,
	   "SET_IRQS with no memory for the eventfd: EFAULT");
	is(irq_set(d->fd, 0, eventfd | unmask, 1000), -EBADF,
	   "SET_IRQS UNMASK by a closed descriptor: EBADF");
	is(irq_set(d->fd, 0, eventfd | unmask, null), -EINVAL,
	   "SET_IRQS UNMASK by another kind of file: EINVAL");
	is(irq_set(d->fd, 0, eventfd | mask, 1000), -EBADF,
	   "SET_IRQS MASK by a closed descriptor: EBADF");
	is(irq_set(d->fd, 0, eventfd | mask, null), -EINVAL,
	   "SET_IRQS MASK by another kind of file: EINVAL");
	close(null);
}

/* A trigger that is no eventfd. The kernel drops the old trigger first; evfio keeps it. */
static void bad_trigger(struct state *s)
{
	int null = open("/dev/null", O_RDWR);

	is(irq_trigger(s->d->fd, 0, 1000), -EBADF,
	   "SET_IRQS TRIGGER with a closed descriptor: EBADF");
	is(irq_trigger(s->d->fd, 0, null), -EINVAL,
	   "SET_IRQS TRIGGER with another kind of file: EINVAL");
	if (tap_kernel)
		irq_trigger(s->d->fd, 0, s->efd);
	close(null);
}

static void registers(struct dev *d)
{
	uint32_t value;
	off_t region1 = (off_t)1 << 40;
	struct {
		const char *what;
		size_t size;
		int flags;
		off_t offset;
	} maps[] = {
		{ "private", page, MAP_PRIVATE, 0 },
		{ "of region 1", page, MAP_SHARED, region1 },
		{ "of region 255", page, MAP_SHARED, region1 * 255 },
		{ "of the last thinkable region", page, MAP_SHARED, region1 * 0x7fffff },
		{ "at the end", page, MAP_SHARED, EDU_SIZE },
		{ "across the end", 2 * page, MAP_SHARED, EDU_SIZE - (off_t)page },
		{ "of too much", EDU_SIZE + page, MAP_SHARED, 0 },
		{ "far behind the end", page, MAP_SHARED, region1 - (off_t)page },
		{ "from one region into the next", 2 * page, MAP_SHARED, region1 - (off_t)page },
		{ "at an odd offset", page, MAP_SHARED, 4 },
	};

	is(sys(pread(d->fd, nowhere, 4, EDU_REG_ID)), -EFAULT, "pread to NULL: EFAULT");
	is(sys(pread(d->fd, hole, 4, EDU_REG_ID)), -EFAULT, "pread to no memory: EFAULT");
	is(sys(pread(d->fd, locked, 4, EDU_REG_ID)), -EFAULT, "pread to read-only memory: EFAULT");
	is(sys(pwrite(d->fd, nowhere, 4, EDU_REG_LIVE)), -EFAULT, "pwrite from NULL: EFAULT");
	is(sys(pwrite(d->fd, hole, 4, EDU_REG_LIVE)), -EFAULT, "pwrite from no memory: EFAULT");
	is(sys(pread(d->fd, &value, 4, -4)), -EINVAL, "pread at -4: EINVAL");
	is(sys(pread(d->fd, &value, 4, EDU_SIZE)), -EINVAL, "pread at the end: EINVAL");
	is(sys(pread(d->fd, &value, 4, region1)), -EINVAL, "pread of region 1: EINVAL");
	is(sys(pwrite(d->fd, &value, 4, region1)), -EINVAL, "pwrite of region 1: EINVAL");
	is(sys(pread(d->fd, &value, 4, region1 - 4)), -EINVAL, "pread far behind the end: EINVAL");
	is(sys(pread(d->fd, &value, 4, 0x7ffffffffffffffc)), -EINVAL,
	   "pread at the last offset: EINVAL");
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		void *mem = mmap(NULL, maps[i].size, PROT_READ | PROT_WRITE, maps[i].flags, d->fd,
				 maps[i].offset);

		is(mem == MAP_FAILED ? -errno : 0, -EINVAL, "mmap %s: EINVAL", maps[i].what);
	}
}

struct range {
	const char *what;
	uint32_t flags;
	uint64_t vaddr, iova, size;
	int err;
};

static void map_dma(struct dev *d)
{
	uint8_t *mem = mem_new(2 * page);
	const uint64_t at = (uintptr_t)mem, iova = IOVA + 16 * page, half = page / 2;
	/* The kernel says EINVAL up to 6.12 and EOVERFLOW from 7.2 on, evfio that everywhere. */
	const int wraps = tap_kernel ? EINVAL : EOVERFLOW;
	const struct range ranges[] = {
		{ "no direction", 0, at, iova, page, EINVAL },
		{ "an unknown flag", RW | 8, at, iova, page, EINVAL },
		{ "the last flag", RW | 1u << 31, at, iova, page, EINVAL },
		{ "size 0", RW, at, iova, 0, EINVAL },
		{ "half a page", RW, at, iova, half, EINVAL },
		{ "a page and a half", RW, at, iova, page + half, EINVAL },
		{ "one byte", RW, at, iova, 1, EINVAL },
		{ "an odd IOVA", RW, at, iova + half, page, EINVAL },
		{ "an odd address", RW, at + half, iova, page, EINVAL },
		{ "an IOVA that wraps", RW, at, 0 - page, 2 * page, wraps },
		{ "a size that wraps to the IOVA", RW, at, iova, 0 - page, wraps },
		{ "an address that wraps", RW, 0 - page, iova, 2 * page, wraps },
		{ "the last IOVA", RW, at, 0 - page, page, EINVAL },
	};
	struct vfio_iommu_type1_dma_map good = { .argsz = sizeof(good), .flags = RW, .vaddr = at,
						 .iova = iova, .size = page };

	structure(d->container, VFIO_IOMMU_MAP_DMA, "MAP_DMA", &good, sizeof(good),
		  END_OF(struct vfio_iommu_type1_dma_map, size), false);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct range *r = &ranges[i];

		is(dma_map(d->container, (void *)(uintptr_t)r->vaddr, r->iova, r->size, r->flags),
		   -r->err, "MAP_DMA with %s: %s", r->what,
		   r->err == EINVAL ? "EINVAL" : "EOVERFLOW");
	}
	is(dma_map(d->container, hole, iova, page, RW), -EFAULT, "MAP_DMA without memory: EFAULT");
	is(dma_unmap(d->container, iova, page), 0, "none of these mapped anything");
	mem_free(mem, 2 * page);
}

static void unmap_dma(struct dev *d)
{
	const uint64_t half = page / 2;
	const int wraps = tap_kernel ? EINVAL : EOVERFLOW;
	const uint32_t all = VFIO_DMA_UNMAP_FLAG_ALL, bitmap = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	const struct range ranges[] = {
		{ "size 0", 0, 0, IOVA, 0, EINVAL },
		{ "half a page", 0, 0, IOVA, half, EINVAL },
		{ "an odd IOVA", 0, 0, IOVA + half, page, EINVAL },
		{ "a part of a mapping", 0, 0, IOVA, page, EINVAL },
		{ "the other part", 0, 0, IOVA + page, page, EINVAL },
		{ "a range that wraps", 0, 0, 0 - page, 2 * page, wraps },
		{ "a size that wraps to the IOVA", 0, 0, IOVA, 0 - page, wraps },
		{ "ALL and an IOVA", all, 0, IOVA, 0, EINVAL },
		{ "ALL and a size", all, 0, 0, page, EINVAL },
		{ "an unknown flag", 8, 0, IOVA, 2 * page, EINVAL },
		{ "the last flag", 1u << 31, 0, IOVA, 2 * page, EINVAL },
		{ "ALL and a bitmap", all | bitmap, 0, 0, 0, EINVAL },
		{ "a bitmap and no room for it", bitmap, 0, IOVA, 2 * page, EINVAL },
	};
	struct vfio_iommu_type1_dma_unmap good = { .argsz = sizeof(good), .iova = IOVA,
						   .size = 2 * page };

	structure(d->container, VFIO_IOMMU_UNMAP_DMA, "UNMAP_DMA", &good, sizeof(good),
		  END_OF(struct vfio_iommu_type1_dma_unmap, size), false);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const struct range *r = &ranges[i];
		struct vfio_iommu_type1_dma_unmap in = { .argsz = sizeof(in), .flags = r->flags,
							 .iova = r->iova, .size = r->size };

		is(xioctl(d->container, VFIO_IOMMU_UNMAP_DMA, &in), -r->err,
		   "UNMAP_DMA with %s: %s",
		   r->what, r->err == EINVAL ? "EINVAL" : "EOVERFLOW");
	}
}

static void container_calls(struct dev *d)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	structure(d->container, VFIO_IOMMU_GET_INFO, "IOMMU_GET_INFO", &info, sizeof(info),
		  END_OF(struct vfio_iommu_type1_info, iova_pgsizes), true);
	is(xioctl(d->container, _IO(VFIO_TYPE, VFIO_BASE + 99), NULL), -ENOTTY,
	   "container: an unknown call: ENOTTY");
	is(xioctl(d->container, _IO('?', 1), NULL), -ENOTTY, "container: a foreign call: ENOTTY");
	is(xioctl(d->container, VFIO_IOMMU_ENABLE, NULL), -ENOTTY,
	   "container: sPAPR's call: ENOTTY");
	is(container_set_iommu(d->container, VFIO_TYPE1v2_IOMMU), -EINVAL,
	   "SET_IOMMU again: EINVAL");
}

int main(int argc, char **argv)
{
	struct state s;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	hole = (uint8_t *)mem_new(2 * page) + page;
	/* Not unmapped: the next mapping would take its place. */
	mprotect(hole, page, PROT_NONE);
	locked = mem_new(page);
	mprotect(locked, page, PROT_READ);

	container_without_iommu();
	dev_open(&d, EDU0);
	state_begin(&s, &d);
	group_calls(&d);
	state_same(&s, "group");
	device_calls(&d);
	features(&d);
	state_same(&s, "device");
	set_irqs(&d);
	bad_trigger(&s);
	state_same(&s, "interrupts");
	registers(&d);
	state_same(&s, "registers");
	map_dma(&d);
	unmap_dma(&d);
	container_calls(&d);
	state_same(&s, "container");
	state_end(&s);
	dev_close(&d);
	return tap_done();
}
