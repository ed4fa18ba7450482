// SPDX-License-Identifier: GPL-2.0-only
/*
 * life - who holds what: opening, sharing, passing on and closing of containers, groups and devices
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define LEN EDU_BUFFER_MAX

static size_t page;

/* The device takes @seed's pattern from one page and writes it to the next: 0 when it arrives. */
static int works(struct dev *d, uint8_t *mem, uint64_t iova, uint32_t seed)
{
	mem_fill(mem, page, seed);
	memset(mem + page, 0, page);
	if (edu_load(d, iova, LEN) || edu_store(d, iova + page, LEN))
		return 1;
	return mem_is(mem + page, LEN, seed) ? 0 : 2;
}

/* An interrupt arrives at a new eventfd: 0 when it does. */
static int interrupts(struct dev *d)
{
	int efd = efd_new(0), ret = 1;

	if (!irq_trigger(d->fd, 0, efd)) {
		edu_raise(d, 1);
		ret = efd_take(efd, SOON) == 1 ? 0 : 2;
		edu_ack(d);
		irq_unmask(d->fd, 0);
	}
	close(efd);
	return ret;
}

/* Opened once; EBUSY to everybody else, until the last thing that came of it is closed. */
static void exclusive(void)
{
	struct dev d;
	int group, copy, second;

	board_take(EDU0);
	group = group_open(EDU0);
	ok(group >= 0, "a group opens");
	is(group_open(EDU0), -EBUSY, "a second open: EBUSY");
	copy = dup(group);
	close(group);
	is(group_open(EDU0), -EBUSY, "a copy of the descriptor keeps it busy");
	close(copy);
	group = group_open(EDU0);
	ok(group >= 0, "with the copy closed it opens again");
	close(group);

	dev_open(&d, EDU0);
	ok(fcntl(d.fd, F_GETFD) & FD_CLOEXEC, "a device's descriptor does not survive exec");
	is(group_unset(d.group), -EBUSY, "UNSET_CONTAINER with the device open: EBUSY");
	second = device_fd(d.group, EDU0);
	ok(second >= 0, "a second descriptor of the device");
	close(d.fd);
	is(group_unset(d.group), -EBUSY, "one of them closed: still EBUSY");
	d.fd = second;
	is(interrupts(&d), 0, "the other one works");
	close(d.group);
	is(dev_read(&d, EDU_REG_ID), EDU_ID,
	   "with the group's descriptor closed the mapping works");
	is(interrupts(&d), 0, "and so do interrupts");
	is(group_open(EDU0), -EBUSY, "the device keeps the group busy");
	munmap((void *)d.regs, d.size);
	close(d.fd);
	d.group = group_open(EDU0);
	ok(d.group >= 0, "with the device closed the group opens");
	is(group_status(d.group), VFIO_GROUP_FLAGS_VIABLE, "and is without a container");
	is(group_set(d.group, d.container), 0, "the old container takes it again");
	is(group_unset(d.group), 0, "and lets it go");
	close(d.group);
	close(d.container);
}

/* Whatever is closed first, everything is gone in the end. */
static void orders(void)
{
	static const int order[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	static const char *const what[3] = { "container", "group", "device" };
	uint8_t *mem = mem_new(2 * page);
	long pinned = pages_pinned(), locked = locked_kb();

	for (int i = 0; i < 6; i++) {
		const int *o = order[i];
		struct dev d;
		int fds[3];

		dev_open(&d, EDU0);
		dma_map(d.container, mem, IOVA, 2 * page, RW);
		fds[0] = d.container;
		fds[1] = d.group;
		fds[2] = d.fd;
		close(fds[o[0]]);
		is(works(&d, mem, IOVA, 20 + (uint32_t)i), 0,
		   "%s closed: the device still does DMA",
		   what[o[0]]);
		munmap((void *)d.regs, d.size);
		close(fds[o[1]]);
		close(fds[o[2]]);
		ok(pages_pinned() == pinned && locked_kb() == locked,
		   "closed in the order %s, %s, %s: no page stays pinned or locked", what[o[0]],
		   what[o[1]], what[o[2]]);
	}
	mem_free(mem, 2 * page);
}

static void again(void)
{
	uint8_t *mem = mem_new(2 * page);
	int good = 0;

	for (int i = 0; i < 20; i++) {
		struct dev d;

		dev_open(&d, EDU0);
		if (!dma_map(d.container, mem, IOVA, 2 * page, RW) && !interrupts(&d))
			good++;
		dev_close(&d);
	}
	is(good, 20, "20 times opened, used and closed");
	mem_free(mem, 2 * page);
}

/* A child inherits everything, and goes on alone. */
static void forked(void)
{
	uint8_t *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	int ready[2], group;
	struct dev d;
	char c = 0;
	pid_t pid;

	dev_open(&d, EDU0);
	is(dma_map(d.container, mem, IOVA, 2 * page, RW), 0, "fork: a mapping");
	if (pipe(ready))
		tap_bail("pipe: %m");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ready[1]);
		/* The parent's end is closed when it has closed everything else. */
		if (read(ready[0], &c, 1) != 0)
			_exit(10);
		if (dev_read(&d, EDU_REG_ID) != EDU_ID)
			_exit(11);
		if (works(&d, mem, IOVA, 30))
			_exit(12);
		if (interrupts(&d))
			_exit(13);
		if (dma_unmap(d.container, IOVA, 2 * page) != (int64_t)(2 * page))
			_exit(14);
		if (dma_map(d.container, mem, IOVA, 2 * page, RW) || works(&d, mem, IOVA, 31))
			_exit(15);
		_exit(0);
	}
	close(ready[0]);
	dev_close(&d);
	is(group_open(EDU0), -EBUSY, "fork: the parent has closed all, the child keeps it busy");
	close(ready[1]);
	is(child_wait(pid), 0, "fork: the child reads, interrupts, does DMA, unmaps and maps");
	group = group_open(EDU0);
	ok(group >= 0, "fork: the child has ended, the group opens");
	close(group);
	munmap(mem, 2 * page);
}

static void send_fds(int sock, const int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char byte = 'f';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	if (sendmsg(sock, &msg, 0) != 1)
		tap_bail("sendmsg: %m");
}

static bool receive_fds(int sock, int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return false;
	memcpy(fds, CMSG_DATA(&control.head), n * sizeof(int));
	return true;
}

/* The child was there before the device was opened: all it has is what comes through the socket. */
static int receiver(int sock)
{
	struct dev d = { .name = EDU0 };
	uint8_t *mem = mem_new(2 * page);
	int fds[2];

	if (!receive_fds(sock, fds, 2))
		return 20;
	d.fd = fds[0];
	d.container = fds[1];
	d.regs = mmap(NULL, EDU_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 0);
	if (d.regs == MAP_FAILED || dev_read(&d, EDU_REG_ID) != EDU_ID)
		return 21;
	if (dma_map(d.container, mem, IOVA + 16 * page, 2 * page, RW))
		return 22;
	if (works(&d, mem, IOVA + 16 * page, 40))
		return 23;
	return interrupts(&d) ? 24 : 0;
}

static void passed(void)
{
	int sock[2], fds[2], group;
	struct dev d;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		tap_bail("socketpair: %m");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(sock[0]);
		/* Everything the device needs is given up with the user's identity. */
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(25);
		_exit(receiver(sock[1]));
	}
	close(sock[1]);
	dev_open(&d, EDU0);
	fds[0] = d.fd;
	fds[1] = d.container;
	send_fds(sock[0], fds, 2);
	dev_close(&d);
	is(child_wait(pid), 0,
	   "passed by a socket: an unprivileged process maps, does DMA, interrupts");
	close(sock[0]);
	group = group_open(EDU0);
	ok(group >= 0, "passed by a socket: the receiver has ended, the group opens");
	close(group);
}

/* One process a device, each in a container of its own, both at the same device address. */
static int user(void *arg)
{
	uint8_t *mem = mem_new(2 * page);
	uint32_t seed = (uint32_t)(uintptr_t)arg & 0xff;
	struct dev d;

	dev_open(&d, arg);
	if (dma_map(d.container, mem, IOVA, 2 * page, RW))
		return 1;
	for (uint32_t i = 0; i < 5; i++)
		if (works(&d, mem, IOVA, seed + i) || interrupts(&d))
			return 2;
	dev_close(&d);
	return 0;
}

static void two_processes(void)
{
	pid_t pid[2];

	board_take(EDU0);
	board_take(EDU1);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(user(i ? EDU1 : EDU0));
	}
	is(child_wait(pid[0]), 0, "two processes at once: the first one's DMA and interrupts");
	is(child_wait(pid[1]), 0, "two processes at once: the second one's");
}

/* @name is the other device; it need not be coherent. */
static void two_groups(const char *name)
{
	uint8_t *mem = mem_new(2 * page);
	long pinned = pages_pinned();
	struct dev a, b;
	int c = container_open(), other;

	dev_open_in(&a, EDU0, c);
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "a mapping while one group is in the container");

	/* Elsewhere the second device sees none of it. */
	dev_open(&b, name);
	mem_fill(mem, 2 * page, 50);
	edu_store(&b, IOVA, LEN);
	ok(mem_is(mem, 2 * page, 50), "a device in another container does not reach it");
	dev_close(&b);

	dev_open_in(&b, name, c);
	if (!tap_kernel) {
		char both[32];

		snprintf(both, sizeof(both), "%d %d", board_group(EDU0), board_group(name));
		ok(!strcmp(fdinfo_text(c, "groups"), both), "fdinfo of the container: both groups");
	}
	is(works(&b, mem, IOVA, 51), 0, "in the same container it does, at the same address");
	is(edu_load(&a, IOVA, LEN), 0, "one device reads");
	mem_fill(mem, page, 52);
	is(edu_store(&a, IOVA + page, LEN), 0, "and writes, which the other may read");
	is(edu_load(&b, IOVA + page, LEN), 0, "it does");
	memset(mem, 0, page);
	is(edu_store(&b, IOVA, LEN), 0, "and writes in turn");
	ok(mem_is(mem, LEN, 51), "byte for byte");
	is(dma_avail(c), 65534, "one mapping for both");
	is(pages_pinned() - pinned, 2, "and pinned once");
	is(dma_unmap(c, IOVA, 2 * page), 2 * page, "unmapped once");
	mem_fill(mem, page, 54);
	edu_store(&a, IOVA, LEN);
	edu_store(&b, IOVA, LEN);
	ok(mem_is(mem, page, 54), "neither reaches it any more");
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "and mapped again");
	is(group_unset(a.group), -EBUSY, "neither group may leave with its device open: EBUSY");

	munmap((void *)a.regs, a.size);
	close(a.fd);
	is(group_unset(a.group), 0, "the first group leaves");
	is(works(&b, mem, IOVA, 53), 0, "the mapping stays for the second");
	close(a.group);

	munmap((void *)b.regs, b.size);
	close(b.fd);
	is(group_unset(b.group), 0, "the last group leaves");
	is(pages_pinned(), pinned, "and with it everything that was pinned");
	is(check_extension(c, VFIO_TYPE1v2_IOMMU), 1, "the container answers as an empty one");
	is(dma_map(c, mem, IOVA, page, RW), -EINVAL, "it has no IOMMU: MAP_DMA: EINVAL");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), -EINVAL, "nor can it have one: EINVAL");
	is(group_set(b.group, c), 0, "a group joins again");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), 0, "then it can have one, of another kind");
	is(dma_avail(c), 65535, "with nothing mapped");
	other = container_open();
	is(group_set(b.group, other), -EINVAL, "a group is in one container: EINVAL");
	close(other);
	close(b.group);
	close(c);
	mem_free(mem, 2 * page);
}

/* All groups first, then the IOMMU: another order that clients use. */
static void groups_then_iommu(void)
{
	uint8_t *mem = mem_new(2 * page);
	struct dev d;
	int c = container_open(), group;

	board_take(EDU1);
	group = group_open(EDU1);
	is(group_set(group, c), 0, "a group joins before there is an IOMMU");
	dev_open_in(&d, EDU0, c);
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "SET_IOMMU for both, then a mapping");
	is(works(&d, mem, IOVA, 60), 0, "which the device uses");
	close(group);
	is(works(&d, mem, IOVA, 61), 0, "also when the other group has gone");
	dev_close(&d);
	close(c);
	mem_free(mem, 2 * page);
}

static int remove_module(const char *name)
{
	return (int)sys(syscall(SYS_delete_module, name, O_NONBLOCK));
}

static int insert_module(const char *file, const char *parameters)
{
	static const char *const folders[] = { "/lib/modules", "/bin" };
	char path[128];
	int fd = -1, ret;

	for (size_t i = 0; i < 2 && fd < 0; i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	ret = (int)sys(syscall(SYS_finit_module, fd, parameters, 0));
	close(fd);
	return ret;
}

static void modules(void)
{
	struct dev d;
	int group;

	dev_open(&d, EDU0);
	is(remove_module("vfio_platform"), -EAGAIN,
	   "rmmod vfio-platform with a device open: refused");
	is(remove_module("vfio_iommu_type1"), -EAGAIN, "rmmod vfio_iommu_type1 in use: refused");
	is(remove_module("vfio"), -EAGAIN, "rmmod vfio in use: refused");
	is(interrupts(&d), 0, "the device is none the worse for it");
	dev_close(&d);
	group = group_open(EDU0);
	is(remove_module("vfio"), -EAGAIN, "rmmod vfio with a group open: refused");
	close(group);
	is(remove_module("vfio_platform"), 0, "rmmod vfio-platform with none open");
	is(group_open(EDU0), -ENOENT, "takes the groups away");
	ok(!*board_driver(EDU0), "and unbinds the devices");
	is(insert_module("vfio-platform.ko", tap_kernel ? "reset_required=0" : ""), 0,
	   "insmod vfio-platform");
	dev_open(&d, EDU0);
	is(interrupts(&d), 0, "and the device works again");
	dev_close(&d);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	exclusive();
	orders();
	again();
	forked();
	passed();
	two_processes();
	two_groups(EDU1);
	two_groups(EDU3);
	groups_then_iommu();
	modules();
	return tap_done();
}
