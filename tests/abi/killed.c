// SPDX-License-Identifier: GPL-2.0-only
/*
 * killed - a process killed at any moment leaves nothing behind
 */
/* vm: timeout=180 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define TIMES	200
#define NAMES	3

/* What a thread maps at a time: in some rounds little, in others so much that it takes a while. */
static size_t chunk;

/* In turn, since a device has to finish what its last user made it begin. */
static const char *const names[] = { EDU0, EDU1, EDU2 };

static size_t page;

/* Map and unmap, over and over. */
static void *mapper(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(chunk);

	for (uint64_t i = 0; ; i++) {
		dma_map(d->container, mem, 16 * IOVA + i % 16 * chunk, chunk, RW);
		if (i % 3)
			dma_unmap(d->container, 16 * IOVA + i % 16 * chunk, chunk);
	}
	return NULL;
}

/* Change the interrupt's trigger, mask and unmask, over and over. */
static void *interrupter(void *arg)
{
	struct dev *d = arg;
	int a = efd_new(0), b = efd_new(0), unmask = efd_new(0);

	for (;;) {
		irq_trigger(d->fd, 0, a);
		irq_set(d->fd, 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, unmask);
		edu_raise(d, 1);
		irq_mask(d->fd, 0);
		irq_trigger(d->fd, 0, b);
		efd_signal(unmask);
		edu_ack(d);
		irq_unmask(d->fd, 0);
		irq_trigger(d->fd, 0, -1);
	}
	return NULL;
}

/* Open and close another descriptor of the device, over and over. */
static void *opener(void *arg)
{
	struct dev *d = arg;

	for (;;)
		close(device_fd(d->group, d->name));
	return NULL;
}

/* All of it at once, with DMA under way, until killed. */
static void load(const char *name, int ready)
{
	uint8_t *mem = mem_new(2 * page);
	pthread_t thread;
	struct dev d;

	dev_open(&d, name);
	if (dma_map(d.container, mem, IOVA, 2 * page, RW))
		_exit(1);
	pthread_create(&thread, NULL, mapper, &d);
	pthread_create(&thread, NULL, interrupter, &d);
	pthread_create(&thread, NULL, opener, &d);
	if (write(ready, "", 1) != 1)
		_exit(2);
	for (;;) {
		if (!(dev_read(&d, EDU_REG_DMA_CMD) & EDU_DMA_RUN))
			edu_dma_start(&d, IOVA, 2048, rand() % 2 ? EDU_DMA_STORE : 0);
		dev_write(&d, EDU_REG_LIVE, (uint32_t)rand());
	}
}

/* Pages free on a processor's own lists come and go in MemAvailable; the slab holds still. */
struct memory {
	long available;
	long slab;
};

static struct memory memory(void)
{
	file_write("/proc/sys/vm/drop_caches", "3");
	sleep_ms(200);
	return (struct memory){
		.available = file_long("/proc/meminfo", "MemAvailable"),
		.slab = file_long("/proc/meminfo", "Slab"),
	};
}

/* Who comes after all of them finds the device as if it had never been used. */
static void next_user(const char *name)
{
	uint8_t *mem = mem_new(2 * page);
	int efd = efd_new(0);
	struct dev d;

	dev_open(&d, name);
	is(dma_avail(d.container), 65535, "%s: the next user has a container without mappings",
	   name);
	is(irq_trigger(d.fd, 0, efd), 0, "%s: sets a trigger", name);
	is(efd_take(efd, QUIET), 0, "%s: nothing is left of the old interrupts", name);
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "%s: an interrupt arrives, unmasked", name);
	edu_ack(&d);
	is(dma_map(d.container, mem, IOVA, 2 * page, RW), 0, "%s: memory can be mapped", name);
	mem_fill(mem, page, 1);
	edu_load(&d, IOVA, EDU_BUFFER_MAX);
	edu_store(&d, IOVA + page, EDU_BUFFER_MAX);
	ok(mem_is(mem + page, EDU_BUFFER_MAX, 1), "%s: and DMA works", name);
	dev_close(&d);
	mem_free(mem, 2 * page);
	close(efd);
}

int main(int argc, char **argv)
{
	int killed = 0, opened = 0, ready[2];
	long pinned, started = now_ms();
	struct memory before = { 0 }, after;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < NAMES; i++)
		board_take(names[i]);
	pinned = pages_pinned();

	for (int i = 0; i < TIMES; i++) {
		char byte;
		pid_t pid;
		int group;

		/* By now the kernel has filled its own caches. */
		if (i == TIMES / 2)
			before = memory();

		if (pipe(ready))
			tap_bail("pipe: %m");
		fflush(stdout);
		pid = fork();
		if (!pid) {
			srand((unsigned int)i);
			chunk = i % 4 ? 256 << 10 : 8 << 20;
			load(names[i % NAMES], ready[1]);
		}
		close(ready[1]);
		/* Every tenth is killed while it opens; the others up to 20 ms later. */
		if (i % 10) {
			if (read(ready[0], &byte, 1) != 1)
				tap_note("round %d: the child has not begun", i);
			sleep_ms(i * 7 % 20);
		} else {
			sleep_ms(i % 7);
		}
		kill(pid, SIGKILL);
		if (child_wait(pid) == -SIGKILL)
			killed++;
		close(ready[0]);
		group = group_open(names[i % NAMES]);
		if (group >= 0)
			opened++;
		close(group);
	}
	tap_note("%d rounds in %ld ms", TIMES, now_ms() - started);
	is(killed, TIMES, "%d processes are killed during DMA, interrupts and calls", TIMES);
	is(opened, TIMES, "each time the group can be opened at once");
	is(pages_pinned(), pinned, "no page stays pinned");
	is(file_count("/proc/interrupts", ".edu"), 0, "no interrupt stays requested");
	is(locked_kb(), 0, "nothing is charged to the parent");
	after = memory();
	tap_note("available %ld then %ld kB, slab %ld then %ld kB", before.available,
		 after.available, before.slab, after.slab);
	ok(before.available - after.available < 32768, "no memory is lost");
	ok(after.slab - before.slab < 1024, "nor the kernel's own");

	for (int i = 0; i < NAMES; i++)
		next_user(names[i]);
	return tap_done();
}
