// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm - every call from many threads at once, on descriptors that others close, while the devices
 * are unbound and bound: no answer is checked, only that the kernel stays sound and nothing is left
 *
 * What the kernel has to complain of is in its log, which fails the run.
 */
/* vm: timeout=240 cmdline="iommu.passthrough=1" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define SECONDS	90		/* at most */
#define THREADS	5
#define SLOTS	4
#define EACH	(sizeof(names) / sizeof(names[0]))

static const char *const names[] = { EDU0, EDU2, EDU3 };

static size_t page;
static uint8_t *mem;

/* Descriptors and mappings that all threads use and replace: races are what is wanted. */
static volatile int containers[SLOTS], groups[SLOTS], devices[SLOTS], eventfds[SLOTS];
static uint8_t *volatile maps[SLOTS];

/* What has been done, in memory that the parent sees; the last three count what succeeded. */
static struct {
	unsigned long calls, opened, mapped, triggered;
} *done;

static void count(unsigned long *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Enough for a test; how long that takes is the machine's business. */
static bool enough(void)
{
	return done->opened > 100 && done->mapped > 40 && done->triggered > 20;
}

static void replace(volatile int *slot, int fd)
{
	int old = __atomic_exchange_n(slot, fd, __ATOMIC_SEQ_CST);

	if (old > 2)
		close(old);
}

static void replace_map(uint8_t *volatile *slot, uint8_t *new)
{
	uint8_t *old = __atomic_exchange_n(slot, new, __ATOMIC_SEQ_CST);

	if (old)
		munmap(old, EDU_SIZE);
}

/* Touch registers that may vanish at any moment: the kernel makes the access, and reports. */
static void touch(const volatile uint8_t *regs)
{
	struct iovec {
		void *base;
		size_t len;
	} local, remote;
	uint32_t value;

	if (!regs)
		return;
	local.base = &value;
	remote.base = (void *)(regs + EDU_REG_ID);
	local.len = sizeof(value);
	remote.len = sizeof(value);
	syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

static void one_call(unsigned int *seed)
{
	const unsigned int what = (unsigned int)rand_r(seed) % 28;
	const unsigned int a = (unsigned int)rand_r(seed) % SLOTS;
	const unsigned int b = (unsigned int)rand_r(seed) % SLOTS;
	const char *name = names[(unsigned int)rand_r(seed) % EACH];
	const uint64_t iova = IOVA + (uint64_t)rand_r(seed) % 16 * page;
	const uint64_t size = (1 + (uint64_t)rand_r(seed) % 16) * page;
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint8_t buf[256];
	void *p;
	int fd;

	switch (what) {
	case 0:
		replace(&containers[a], container_open());
		break;
	case 1:
		replace(&groups[a], group_open(name));
		break;
	case 2:
	case 3:
		group_set(groups[a], containers[b]);
		break;
	case 4:
		group_unset(groups[a]);
		break;
	case 5:
	case 6:
		container_set_iommu(containers[a], rand_r(seed) % 2 ? VFIO_TYPE1v2_IOMMU :
								      VFIO_TYPE1_IOMMU);
		break;
	case 7:
	case 8:
		fd = device_fd(groups[b], name);
		if (fd >= 0)
			count(&done->opened);
		replace(&devices[a], fd);
		break;
	case 9:
		p = mmap(NULL, EDU_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, devices[a], 0);
		replace_map(&maps[b], p == MAP_FAILED ? NULL : p);
		break;
	case 10:
	case 11:
		if (!dma_map(containers[a], mem + iova % (16 * page), iova, size, RW))
			count(&done->mapped);
		dma_map(containers[b], (void *)maps[a], iova, size, RW);
		break;
	case 12:
		dma_unmap(containers[a], iova, size);
		break;
	case 13:
		dma_unmap_all(containers[a]);
		break;
	case 14:
		((struct vfio_iommu_type1_info *)buf)->argsz = sizeof(buf);
		ioctl(containers[a], VFIO_IOMMU_GET_INFO, buf);
		break;
	case 15:
		xioctl(devices[a], VFIO_DEVICE_GET_INFO, &info);
		xioctl(devices[a], VFIO_DEVICE_RESET, NULL);
		break;
	case 16:
		if (!irq_trigger(devices[a], 0, rand_r(seed) % 3 ? eventfds[b] : -1))
			count(&done->triggered);
		break;
	case 17:
		irq_set(devices[a], 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK,
			rand_r(seed) % 3 ? eventfds[b] : -1);
		break;
	case 18:
		irq_mask(devices[a], 0);
		irq_unmask(devices[a], 0);
		irq_set(devices[a], 0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0);
		break;
	case 19:
		replace(&eventfds[a], efd_new(0));
		break;
	case 20:
		pread(devices[a], buf, 4, EDU_REG_ID);
		buf[0] = 1;
		pwrite(devices[a], buf, 4, EDU_REG_RAISE);
		break;
	case 21:
		pread(devices[a], buf, 4, EDU_REG_IRQ);
		pwrite(devices[a], buf, 4, EDU_REG_ACK);
		break;
	case 22:
		touch(maps[a]);
		group_status(groups[a]);
		check_extension(containers[b], VFIO_TYPE1v2_IOMMU);
		break;
	case 23:
	case 24:
	case 25:
	case 26:
		/* All that belongs together, so that there is something to disturb. */
		replace(&containers[a], container_open());
		replace(&devices[a], -1);
		replace(&groups[a], -1);
		replace(&groups[a], group_open(name));
		group_set(groups[a], containers[a]);
		container_set_iommu(containers[a], VFIO_TYPE1v2_IOMMU);
		dma_map(containers[a], mem, IOVA / 2, 16 * page, RW);
		fd = device_fd(groups[a], name);
		if (fd >= 0)
			count(&done->opened);
		replace(&devices[a], fd);
		replace(&eventfds[a], efd_new(0));
		break;
	default:
		/* Close something. */
		replace(rand_r(seed) % 2 ? &devices[a] : &groups[a], -1);
		replace_map(&maps[b], NULL);
	}
	count(&done->calls);
}

static void *caller(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (;;)
		one_call(&seed);
	return NULL;
}

/* Everything in a process of its own, which is killed in the end. */
static void storm(unsigned int seed)
{
	pthread_t thread;

	for (int i = 0; i < SLOTS; i++) {
		containers[i] = -1;
		groups[i] = -1;
		devices[i] = -1;
		eventfds[i] = -1;
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, caller, (void *)(uintptr_t)(seed * THREADS + i + 1));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	long pinned, rounds = 0;
	int efd = efd_new(0);
	pid_t pid;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	if (tap_kernel) {
		tap_skip("the kernel lets whoever unbinds wait for ever");
		return tap_done();
	}
	mem = mem_new(32 * page);
	done = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (done == MAP_FAILED)
		tap_bail("shared memory: %m");
	for (size_t i = 0; i < EACH; i++)
		board_take(names[i]);
	pinned = pages_pinned();
	board_grace(10);

	for (unsigned int seed = 0; seed < 2; seed++) {
		long end = now_ms() + SECONDS * 1000;

		memset(done, 0, sizeof(*done));
		fflush(stdout);
		pid = fork();
		if (!pid)
			storm(seed);
		/* The first storm is undisturbed, in the second one devices come and go. */
		while (!enough() && now_ms() < end) {
			sleep_ms(30);
			if (!seed)
				continue;
			board_unbind(names[rounds % (long)EACH]);
			if (rounds % 4 == 3 && !board_bind(names[rounds % (long)EACH], HOST))
				board_unbind(names[rounds % (long)EACH]);
			board_bind(names[rounds++ % (long)EACH], "vfio-platform");
		}
		kill(pid, SIGKILL);
		is(child_wait(pid), -SIGKILL, "%s: %d threads go on until they are killed",
		   seed ? "with devices that come and go" : "undisturbed", THREADS);
		tap_note("%lu calls, among them: opened %lu, mapped %lu, triggered %lu",
			 done->calls, done->opened, done->mapped, done->triggered);
		ok(enough(), "their calls have opened devices, mapped memory, set triggers");
	}
	ok(rounds > 5, "devices have been unbound and bound again and again");
	is(pages_pinned(), pinned, "no page stays pinned");
	is(file_count("/proc/interrupts", ".edu"), 0, "no interrupt stays requested");
	for (size_t i = 0; i < EACH; i++) {
		dev_open(&d, names[i]);
		is(irq_trigger(d.fd, 0, efd), 0, "%s opens and takes a trigger", names[i]);
		edu_raise(&d, 1);
		is(efd_take(efd, SOON), 1, "%s interrupts", names[i]);
		edu_ack(&d);
		is(dma_map(d.container, mem, IOVA, 2 * page, RW), 0, "%s: a mapping", names[i]);
		mem_fill(mem, page, (uint32_t)i);
		is(edu_load(&d, IOVA, EDU_BUFFER_MAX), 0, "%s reads", names[i]);
		is(edu_store(&d, IOVA + page, EDU_BUFFER_MAX), 0, "%s writes", names[i]);
		ok(mem_is(mem + page, EDU_BUFFER_MAX, (uint32_t)i), "%s: byte for byte", names[i]);
		dev_close(&d);
	}
	return tap_done();
}
