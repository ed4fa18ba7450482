// SPDX-License-Identifier: GPL-2.0-only
/*
 * revoke - unbinding a device that is in use: its users are told, then it is taken from them, and
 * whoever unbinds never waits longer than the grace time
 */
/* vm: timeout=240 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libfault.h"
#include "libtap.h"

#define TIMES	200
#define NAMES	3
#define SLACK	5000		/* ms beyond the grace time, all of them a loaded machine's */

/* In turn, since a device has to finish what its last user made it begin. */
static const char *const names[] = { EDU0, EDU1, EDU2 };

static size_t page;

/* A thread that unbinds, since the process that uses the device is this one. */
struct unbinder {
	pthread_t thread;
	const char *name;
	int ret;
	long ms;
};

static void *unbinder_run(void *arg)
{
	struct unbinder *u = arg;
	long start = now_ms();

	u->ret = board_unbind(u->name);
	u->ms = now_ms() - start;
	return NULL;
}

static void unbinder_start(struct unbinder *u, const char *name)
{
	u->name = name;
	if (pthread_create(&u->thread, NULL, unbinder_run, u))
		tap_bail("no thread");
}

static void unbinder_end(struct unbinder *u)
{
	pthread_join(u->thread, NULL);
}

static short events(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLPRI };

	return poll(&pfd, 1, ms) > 0 ? pfd.revents : 0;
}

static int interrupts(struct dev *d)
{
	int efd = efd_new(0), ret = -1;

	if (!irq_trigger(d->fd, 0, efd)) {
		edu_raise(d, 1);
		ret = (int)efd_take(efd, SOON);
		edu_ack(d);
		irq_unmask(d->fd, 0);
	}
	close(efd);
	return ret;
}

/* Every call on what is left of the device. */
static void dead(struct dev *d, const char *when)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = { .argsz = sizeof(region) };
	struct vfio_irq_info irq;
	struct vfio_device_feature feature = { .argsz = sizeof(feature) };
	uint32_t value;
	void *mem;

	is(xioctl(d->fd, VFIO_DEVICE_GET_INFO, &info), -ENODEV, "%s: GET_INFO: ENODEV", when);
	is(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &region), -ENODEV,
	   "%s: GET_REGION_INFO: ENODEV", when);
	is(irq_info(d->fd, 0, &irq), -ENODEV, "%s: GET_IRQ_INFO: ENODEV", when);
	is(irq_unmask(d->fd, 0), -ENODEV, "%s: SET_IRQS: ENODEV", when);
	is(irq_trigger(d->fd, 0, -1), -ENODEV, "%s: SET_IRQS TRIGGER: ENODEV", when);
	is(xioctl(d->fd, VFIO_DEVICE_RESET, NULL), -ENODEV, "%s: RESET: ENODEV", when);
	is(xioctl(d->fd, VFIO_DEVICE_FEATURE, &feature), -ENODEV, "%s: FEATURE: ENODEV", when);
	is(xioctl(d->fd, _IO(VFIO_TYPE, VFIO_BASE + 99), NULL), -ENODEV,
	   "%s: an unknown call: ENODEV", when);
	is(sys(pread(d->fd, &value, 4, EDU_REG_ID)), -ENODEV, "%s: pread: ENODEV", when);
	is(sys(pwrite(d->fd, &value, 4, EDU_REG_LIVE)), -ENODEV, "%s: pwrite: ENODEV", when);
	mem = mmap(NULL, page, PROT_READ, MAP_SHARED, d->fd, 0);
	is(mem == MAP_FAILED ? -errno : 0, -ENODEV, "%s: mmap: ENODEV", when);
	ok(read_faults(d->regs), "%s: reading the old mapping: SIGBUS", when);
	is(group_status(d->group), -ENODEV, "%s: group: GET_STATUS: ENODEV", when);
	is(device_fd(d->group, d->name), -ENODEV, "%s: group: GET_DEVICE_FD: ENODEV", when);
	is(group_set(d->group, d->container), -ENODEV, "%s: group: SET_CONTAINER: ENODEV", when);
	is(group_unset(d->group), -ENODEV, "%s: group: UNSET_CONTAINER: ENODEV", when);
}

static void taken_away(void)
{
	const int ms = 2000;
	uint8_t *mem = mem_new(2 * page);
	long start, pinned = pages_pinned();
	struct unbinder u;
	struct dev d, new;
	int efd = efd_new(0), second;

	board_grace(ms);
	dev_open(&d, EDU0);
	second = device_fd(d.group, EDU0);
	is(dma_map(d.container, mem, IOVA, 2 * page, RW), 0, "a user with a mapping");
	is(irq_trigger(d.fd, 0, efd), 0, "and a trigger");
	is(events(d.fd, QUIET), 0, "nothing to tell yet");
	start = now_ms();
	unbinder_start(&u, EDU0);
	ok(events(d.fd, SOON) & POLLPRI, "unbound: the user is told by POLLPRI");
	ok(now_ms() - start < ms, "before the grace time is over");
	ok(events(second, 0) & POLLPRI, "on each descriptor of the device");
	is(dev_read(&d, EDU_REG_ID), EDU_ID, "meanwhile the registers answer");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "and the interrupt arrives");
	edu_ack(&d);
	unbinder_end(&u);
	is(u.ret, 0, "unbinding succeeds");
	ok(u.ms >= ms && u.ms <= ms + SLACK, "after the grace time, at once (%ld ms)", u.ms);
	is(events(d.fd, 0), POLLPRI | POLLERR | POLLHUP, "poll: POLLPRI, POLLERR and POLLHUP");
	is(events(second, 0), POLLPRI | POLLERR | POLLHUP, "on each descriptor");
	dead(&d, "revoked");
	is(pages_pinned(), pinned, "revoked: nothing stays pinned");
	is(locked_kb(), 0, "revoked: nothing stays locked");
	is(dma_map(d.container, mem, IOVA, page, RW), -EINVAL,
	   "revoked: the container is an empty one");
	is(file_count("/proc/interrupts", EDU0), 0, "revoked: the interrupt is free");

	is(board_bind(EDU0, HOST), 0,
	   "a host driver takes the device, with the old descriptors open");
	is(board_unbind(EDU0), 0, "and is unbound");
	dev_open(&new, EDU0);
	is(interrupts(&new), 1, "bound again and opened anew: the device works");
	is(dma_map(new.container, mem, IOVA, 2 * page, RW), 0, "memory is mapped");
	mem_fill(mem, page, 1);
	is(edu_load(&new, IOVA, EDU_BUFFER_MAX), 0, "the device reads");
	is(edu_store(&new, IOVA + page, EDU_BUFFER_MAX), 0, "and writes");
	ok(mem_is(mem + page, EDU_BUFFER_MAX, 1), "byte for byte");
	is(efd_take(efd, 0), 0, "the old trigger has heard nothing of the new interrupts");
	dead(&d, "still revoked");
	is(group_open(EDU0), -EBUSY, "the group is the new user's");
	close(second);
	dev_close(&d);
	is(dev_read(&new, EDU_REG_ID), EDU_ID,
	   "the old descriptors are closed, the new user goes on");
	is(interrupts(&new), 1, "and has interrupts");
	is(dma_avail(new.container), 65534, "and its mapping");
	dev_close(&new);
	close(efd);
	mem_free(mem, 2 * page);
}

static void heeded(void)
{
	struct unbinder u;
	struct dev d;

	board_grace(20000);
	dev_open(&d, EDU0);
	unbinder_start(&u, EDU0);
	ok(events(d.fd, SOON) & POLLPRI, "a user who is told");
	dev_close(&d);
	unbinder_end(&u);
	is(u.ret, 0, "and closes: unbinding succeeds");
	ok(u.ms < 10000, "long before the grace time is over (%ld ms)", u.ms);
	dev_open(&d, EDU0);
	is(events(d.fd, 0), 0, "the next user has nothing to heed");
	dev_close(&d);

	/* Not open at all, or only the group. */
	unbinder_start(&u, EDU0);
	unbinder_end(&u);
	ok(!u.ret && u.ms < 10000, "a device that is not open is unbound at once (%ld ms)", u.ms);
	board_take(EDU0);
	d.group = group_open(EDU0);
	unbinder_start(&u, EDU0);
	unbinder_end(&u);
	ok(!u.ret && u.ms < 10000, "so is one whose group is open (%ld ms)", u.ms);
	is(group_status(d.group), -ENODEV, "whose descriptor is dead then");
	close(d.group);
}

/* One of two devices in a container goes; the other must not notice. */
static void neighbour(void)
{
	uint8_t *mem = mem_new(2 * page);
	int c = container_open();
	struct unbinder u;
	struct dev a, b;

	board_grace(50);
	dev_open_in(&a, EDU0, c);
	dev_open_in(&b, EDU1, c);
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "two devices in a container: a mapping");
	unbinder_start(&u, EDU0);
	unbinder_end(&u);
	is(u.ret, 0, "one of them is unbound");
	ok(read_faults(a.regs), "its registers are gone");
	is(events(b.fd, 0), 0, "the other has nothing to heed");
	is(interrupts(&b), 1, "its interrupts arrive");
	is(dma_avail(c), 65534, "the mapping stays");
	mem_fill(mem, page, 2);
	is(edu_load(&b, IOVA, EDU_BUFFER_MAX), 0, "it reads");
	is(edu_store(&b, IOVA + page, EDU_BUFFER_MAX), 0, "and writes");
	ok(mem_is(mem + page, EDU_BUFFER_MAX, 2), "byte for byte");
	dev_close(&a);
	dev_close(&b);
	close(c);
	mem_free(mem, 2 * page);
}

/* ---- calls that wait for user memory which does not come ---- */

struct stuck {
	pthread_t thread;
	struct dev *d;
	void *mem;
	int (*call)(struct dev *d, void *mem);
	int ret;
	volatile bool done;
};

static void *stuck_run(void *arg)
{
	struct stuck *s = arg;

	s->ret = s->call(s->d, s->mem);
	s->done = true;
	return NULL;
}

static int call_map(struct dev *d, void *mem)
{
	return dma_map(d->container, mem, IOVA, 4 * page, RW);
}

static int call_pread(struct dev *d, void *mem)
{
	return (int)sys(pread(d->fd, mem, 4, EDU_REG_ID));
}

static int call_pwrite(struct dev *d, void *mem)
{
	return (int)sys(pwrite(d->fd, mem, 4, EDU_REG_LIVE));
}

static int call_info(struct dev *d, void *mem)
{
	return xioctl(d->fd, VFIO_DEVICE_GET_INFO, mem);
}

static int call_set_irqs(struct dev *d, void *mem)
{
	struct vfio_irq_set *set = (void *)((uint8_t *)mem - sizeof(*set));

	/* The head lies in memory, the eventfd behind it does not. */
	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + 4,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.count = 1,
	};
	return xioctl(d->fd, VFIO_DEVICE_SET_IRQS, set);
}

static int call_set_container(struct dev *d, void *mem)
{
	return xioctl(d->group, VFIO_GROUP_SET_CONTAINER, mem);
}

static int call_device_fd(struct dev *d, void *mem)
{
	return device_fd(d->group, mem);
}

static void stuck(const char *what, int (*call)(struct dev *, void *))
{
	const int ms = 100;
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint8_t *mem = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	long pinned = pages_pinned();
	struct pollfd fault;
	struct unbinder u;
	struct stuck s;
	struct dev d;

	dev_open(&d, EDU0);
	mem[4 * page - 1] = 0;
	fault.fd = fault_fd(mem + 4 * page, 4 * page);
	fault.events = POLLIN;
	if (fault.fd < 0) {
		tap_skip("%s: no userfaultfd: %s", what, strerror(-fault.fd));
		dev_close(&d);
		return;
	}
	s = (struct stuck){ .d = &d, .mem = mem + 4 * page, .call = call };
	pthread_create(&s.thread, NULL, stuck_run, &s);
	while (poll(&fault, 1, 10) == 0 && !s.done)
		;
	if (s.done)
		/* Linux 6.1 does not wait while it pins memory for long: EFAULT at once. */
		is(s.ret, -EFAULT, "%s does not wait for memory that does not come: EFAULT", what);
	else
		ok(fault.revents & POLLIN, "%s waits for memory that does not come", what);
	unbinder_start(&u, EDU0);
	unbinder_end(&u);
	ok(!u.ret && u.ms <= ms + SLACK, "%s: unbinding does not wait for it (%ld ms)", what, u.ms);
	/* Closing lets the fault through: the memory comes, empty. */
	close(fault.fd);
	pthread_join(s.thread, NULL);
	/* Whether it did its work before the device went is its luck. It must leave nothing. */
	tap_note("%s then returns %d", what, s.ret);
	is(pages_pinned(), pinned, "%s: it returns, and nothing stays pinned", what);
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &info), -ENODEV, "%s: the device is gone", what);
	dev_close(&d);
	munmap(mem, 8 * page);
}

/* ---- under load ---- */

static void on_bus_error(int sig)
{
	(void)sig;
	/* The registers are gone: the orderly end of this process. */
	_exit(0);
}

static void *mapper(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(64 * page);

	for (uint64_t i = 0; ; i++) {
		dma_map(d->container, mem, (16 + i % 8) * IOVA, 64 * page, RW);
		dma_unmap(d->container, (16 + i % 8) * IOVA, 64 * page);
	}
	return NULL;
}

static void *caller(void *arg)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct dev *d = arg;
	int efd = efd_new(0);
	uint32_t value;

	for (;;) {
		irq_trigger(d->fd, 0, efd);
		xioctl(d->fd, VFIO_DEVICE_GET_INFO, &info);
		pread(d->fd, &value, 4, EDU_REG_ID);
		irq_unmask(d->fd, 0);
		close(device_fd(d->group, d->name));
		irq_trigger(d->fd, 0, -1);
	}
	return NULL;
}

static void load(const char *name, int ready)
{
	uint8_t *mem = mem_new(2 * page);
	pthread_t thread;
	struct dev d;

	dev_open(&d, name);
	if (dma_map(d.container, mem, IOVA, 2 * page, RW))
		_exit(1);
	signal(SIGBUS, on_bus_error);
	pthread_create(&thread, NULL, mapper, &d);
	pthread_create(&thread, NULL, caller, &d);
	if (write(ready, "", 1) != 1)
		_exit(2);
	for (;;) {
		edu_raise(&d, 1);
		if (!(dev_read(&d, EDU_REG_DMA_CMD) & EDU_DMA_RUN))
			edu_dma_start(&d, IOVA, 2048, EDU_DMA_STORE);
		edu_ack(&d);
	}
}

static void under_load(void)
{
	const int ms = 20;
	int unbound = 0, ended = 0, bound = 0;
	long pinned, slowest = 0, started;
	struct dev d;

	board_grace(ms);
	for (int i = 0; i < NAMES; i++)
		board_take(names[i]);
	pinned = pages_pinned();
	started = now_ms();
	for (int i = 0; i < TIMES; i++) {
		int ready[2];
		long start;
		char byte;
		pid_t pid;

		if (pipe(ready))
			tap_bail("pipe: %m");
		fflush(stdout);
		pid = fork();
		if (!pid)
			load(names[i % NAMES], ready[1]);
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			tap_note("round %d: the child has not begun", i);
		close(ready[0]);
		sleep_ms(i * 7 % 20);
		start = now_ms();
		if (!board_unbind(names[i % NAMES]))
			unbound++;
		if (now_ms() - start > slowest)
			slowest = now_ms() - start;
		if (!child_wait(pid))
			ended++;
		if (!board_bind(names[i % NAMES], "vfio-platform"))
			bound++;
	}
	tap_note("%d rounds in %ld ms", TIMES, now_ms() - started);
	is(unbound, TIMES, "unbound %d times under DMA, interrupts and calls", TIMES);
	ok(slowest <= ms + SLACK, "never later than the grace time allows (%ld ms)", slowest);
	is(ended, TIMES, "each time the user ends by SIGBUS");
	is(bound, TIMES, "each time it binds again");
	is(pages_pinned(), pinned, "no page stays pinned");
	is(file_count("/proc/interrupts", ".edu"), 0, "no interrupt stays requested");
	for (int i = 0; i < NAMES; i++) {
		dev_open(&d, names[i]);
		is(interrupts(&d), 1, "%s: the next user has interrupts", names[i]);
		is(dma_avail(d.container), 65535, "%s: and a container without mappings", names[i]);
		dev_close(&d);
	}
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (tap_kernel) {
		tap_skip("the kernel waits for the user for ever");
		return tap_done();
	}
	taken_away();
	heeded();
	neighbour();
	board_grace(100);
	stuck("MAP_DMA", call_map);
	stuck("pread", call_pread);
	stuck("pwrite", call_pwrite);
	stuck("GET_INFO", call_info);
	stuck("SET_IRQS", call_set_irqs);
	stuck("SET_CONTAINER", call_set_container);
	stuck("GET_DEVICE_FD", call_device_fd);
	under_load();
	board_grace(3000);
	return tap_done();
}
