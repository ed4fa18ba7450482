// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_peer - a BAR that is mapped for DMA: another function, or the same, reads and writes it, for
 * as long as the device lets it
 */
/* vm: board=pci timeout=180 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define LEN		EDU_BUFFER_MAX
#define PEER		(2 * IOVA)	/* where a BAR is mapped */
#define STAYS		(16 * IOVA)
#define BAR		VFIO_PCI_BAR2_REGION_INDEX	/* of PCI_MEMORY */
#define BAR_SIZE	(4u << 20)

#define NVME_AQA	0x24		/* registers that keep what is written */
#define NIC_RDLEN	0x02808

static size_t page;
static uint8_t *buf;		/* at IOVA for each edu: two pages */
static volatile uint8_t *bar;	/* all of PCI_MEMORY's, when open */

/* A device that does DMA, in a container of its own. */
static void edu_open(struct dev *d, const char *name)
{
	pci_open(d, name);
	is(dma_map(d->container, buf, IOVA, 2 * page, RW), 0, "%s has memory", name);
}

static void memory_open(struct dev *d)
{
	pci_open(d, PCI_MEMORY);
	if (bar_map(d, BAR, &bar))
		tap_bail("BAR 2 of %s: %m", d->name);
}

static void memory_close(struct dev *d)
{
	munmap((void *)bar, BAR_SIZE);
	dev_close(d);
}

/* Device memory wants words. */
static void bar_fill(uint64_t at, uint32_t seed)
{
	uint32_t words[LEN / 4];

	mem_fill(words, LEN, seed);
	for (unsigned int i = 0; i < LEN / 4; i++)
		((volatile uint32_t *)(bar + at))[i] = words[i];
}

static bool bar_is(uint64_t at, uint32_t seed)
{
	uint32_t words[LEN / 4];

	for (unsigned int i = 0; i < LEN / 4; i++)
		words[i] = ((volatile uint32_t *)(bar + at))[i];
	return mem_is(words, LEN, seed);
}

/* @d writes to @iova. */
static void store(struct dev *d, uint64_t iova, uint32_t seed)
{
	mem_fill(buf, LEN, seed);
	edu_load(d, IOVA, LEN);
	edu_store(d, iova, LEN);
}

/* What @d writes to @iova arrives at @at of the BAR, */
static bool writes(struct dev *d, uint64_t iova, uint64_t at, uint32_t seed)
{
	bar_fill(at, ~seed);
	store(d, iova, seed);
	return bar_is(at, seed);
}

/* and what is there it reads. */
static bool reads(struct dev *d, uint64_t iova, uint64_t at, uint32_t seed)
{
	bar_fill(at, seed);
	memset(buf, 0, LEN);
	edu_load(d, iova, LEN);
	edu_store(d, IOVA, LEN);
	return mem_is(buf, LEN, seed);
}

/* @d writes one register. */
static void poke(struct dev *d, uint64_t iova, uint32_t value)
{
	memcpy(buf, &value, sizeof(value));
	edu_load(d, IOVA, sizeof(value));
	edu_store(d, iova, sizeof(value));
}

/* Past VFIO, as its hardware reads it: memory on although the user, and so VFIO, has it off. */
static void hw_memory_on(const char *name)
{
	uint16_t command = (uint16_t)(hw_read(name, PCI_COMMAND, 2) | MEMORY);
	int fd = open(board_path(name, "config"), O_RDWR | O_CLOEXEC);

	if (pwrite(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
		tap_bail("%s: config: %m", name);
	close(fd);
}

static void both_ways(void)
{
	long pinned, locked, avail;
	struct dev d, mem;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	pinned = pages_pinned();
	locked = locked_kb();
	avail = dma_avail(d.container);
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "a BAR can be mapped");
	is(pages_pinned(), pinned, "nothing is pinned for it");
	is(locked_kb(), locked, "nor locked");
	if (!tap_kernel)
		is(fdinfo_long(d.container, "pinned"), 2 * (long)page / 1024,
		   "fdinfo has memory alone");
	is(dma_avail(d.container), avail - 1, "it is a mapping");
	ok(writes(&d, PEER, 0, 1), "a device writes to it");
	ok(reads(&d, PEER, 0, 2), "and reads");
	ok(writes(&d, PEER + BAR_SIZE - page, BAR_SIZE - page, 3), "to its end");
	is(dma_map(d.container, (void *)bar, PEER + page, page, RW), -EEXIST,
	   "another mapping there: EEXIST");
	is(dma_unmap(d.container, PEER + page, page), -EINVAL, "a part is not unmapped");
	is(dma_map(d.container, (void *)(bar + 2 * page), PEER + BAR_SIZE, page, RO), 0,
	   "a page of it once more, for reading");
	ok(reads(&d, PEER + BAR_SIZE, 2 * page, 4), "it is read");
	ok(!writes(&d, PEER + BAR_SIZE, 2 * page, 5), "not written");
	is(dma_unmap(d.container, PEER, BAR_SIZE), BAR_SIZE, "unmapped");
	ok(!writes(&d, PEER, 0, 6), "it is not written any more");
	ok(reads(&d, PEER + BAR_SIZE, 2 * page, 7), "the other one is still there");
	is(dma_unmap_all(d.container), 3 * page, "unmap all");
	is(dma_avail(d.container), avail + 1, "no mapping is left");
	dev_close(&d);
	memory_close(&mem);
}

/* A device that reaches itself: its second register reads back inverted. */
static void itself(void)
{
	struct dev d;

	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)d.regs, PEER, d.size, RW), 0, "a device's own registers");
	poke(&d, PEER + EDU_REG_LIVE, 0x12345678);
	is(dev_read(&d, EDU_REG_LIVE), ~0x12345678u, "it writes one");
	dev_close(&d);
}

static void memory_off(void)
{
	struct dev d, mem;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "mapped");
	ok(writes(&d, PEER, 0, 10), "reached");
	bar_fill(0, 11);
	cfg_command(&mem, 0, MEMORY);
	hw_memory_on(mem.name);
	store(&d, PEER, 12);
	is(dma_map(d.container, (void *)bar, 2 * PEER, page, RW), -EFAULT,
	   "memory off: it cannot be mapped");
	cfg_command(&mem, MEMORY, 0);
	ok(bar_is(0, tap_kernel ? 12 : 11), "memory off: not reached");
	ok(writes(&d, PEER, 0, 13), "on again: reached");
	cfg_command(&mem, 0, MEMORY);
	is(dma_unmap(d.container, PEER, BAR_SIZE), BAR_SIZE, "unmapped while it is off");
	cfg_command(&mem, MEMORY, 0);
	ok(!writes(&d, PEER, 0, 14), "on again: not reached any more");
	dev_close(&d);
	memory_close(&mem);
}

/* What a register holds after @d has tried to write it. */
static uint32_t poked(struct dev *d, const struct dev *of, uint32_t reg, uint32_t value)
{
	poke(d, PEER + reg, value);
	return dev_read(of, reg);
}

static void asleep_and_reset(void)
{
	struct dev d, nvme;
	uint32_t at, value;

	pci_open(&nvme, PCI_NVME);
	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)nvme.regs, PEER, nvme.size, RW), 0, "registers mapped");
	is(poked(&d, &nvme, NVME_AQA, 0x10001), 0x10001, "one is written");
	is(pci_reset(&nvme), 0, "RESET");
	is(poked(&d, &nvme, NVME_AQA, 0x20002), 0x20002, "it is written");
	at = cfg_cap(&nvme, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
	cfg_write(&nvme, at, 2, cfg_read(&nvme, at, 2) | PCI_EXP_DEVCTL_BCR_FLR);
	is(poked(&d, &nvme, NVME_AQA, 0x30003), 0x30003, "a function-level reset: it is written");
	at = cfg_cap(&nvme, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	value = cfg_read(&nvme, at, 2);
	cfg_write(&nvme, at, 2, value | 3);
	poke(&d, PEER + NVME_AQA, 0x40004);
	cfg_write(&nvme, at, 2, value);
	is(dev_read(&nvme, NVME_AQA), tap_kernel ? 0x40004 : 0x30003, "in D3: not written");
	is(poked(&d, &nvme, NVME_AQA, 0x50005), 0x50005, "in D0 again: written");
	dev_close(&d);
	dev_close(&nvme);
}

static void hot_reset(void)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} in = { .reset = { .argsz = sizeof(in), .count = 1 } };
	struct dev d, nic;

	pci_open(&nic, PCI_FAR);
	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)nic.regs, PEER, nic.size, RW), 0, "registers mapped");
	is(poked(&d, &nic, NIC_RDLEN, 0x1000), 0x1000, "one is written");
	in.group = nic.group;
	is(xioctl(nic.fd, VFIO_DEVICE_PCI_HOT_RESET, &in), 0, "HOT_RESET");
	is(dev_read(&nic, NIC_RDLEN), 0, "clears it");
	is(poked(&d, &nic, NIC_RDLEN, 0x2000), 0x2000, "it is written again");
	dev_close(&d);
	dev_close(&nic);
}

/* The device closed: its memory, which nothing erases, is out of reach, for good. */
static void closed(void)
{
	struct dev d, mem;
	int second;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	second = device_fd(mem.group, mem.name);
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "mapped");
	munmap((void *)bar, BAR_SIZE);
	munmap((void *)mem.regs, mem.size);
	mem.regs = NULL;
	close(mem.fd);
	mem.fd = second;
	store(&d, PEER, 20);
	if (bar_map(&mem, BAR, &bar))
		tap_bail("BAR 2: %m");
	ok(bar_is(0, 20), "a user's mapping gone, one of two descriptors closed: reached");
	munmap((void *)bar, BAR_SIZE);
	close(mem.fd);
	hw_memory_on(mem.name);
	store(&d, PEER, 21);
	mem.fd = device_fd(mem.group, mem.name);
	cfg_command(&mem, MEMORY, 0);
	if (bar_map(&mem, BAR, &bar))
		tap_bail("BAR 2: %m");
	ok(bar_is(0, tap_kernel ? 21 : 20), "the device closed: not reached");
	is(writes(&d, PEER, 0, 22), tap_kernel, "opened anew: neither");
	is(dma_map(d.container, (void *)bar, 2 * PEER, BAR_SIZE, RW), 0, "mapped anew");
	ok(writes(&d, 2 * PEER, 0, 23), "reached");
	is(dma_unmap(d.container, PEER, BAR_SIZE), BAR_SIZE, "the old mapping can be unmapped");
	ok(writes(&d, 2 * PEER, 0, 24), "the new one stays");
	dev_close(&d);
	memory_close(&mem);
}

static void revoked(void)
{
	struct dev d, mem;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "mapped");
	ok(writes(&d, PEER, 0, 30), "reached");
	is(board_unbind(mem.name), 0, "the device is unbound");
	hw_memory_on(mem.name);
	store(&d, PEER, 31);
	is(dma_map(d.container, (void *)bar, 2 * PEER, page, RW), -EFAULT,
	   "revoked: it cannot be mapped");
	memory_close(&mem);
	memory_open(&mem);
	ok(bar_is(0, 30), "revoked: not reached");
	ok(!writes(&d, PEER, 0, 32), "bound and opened anew: neither");
	is(dma_unmap_all(d.container), 2 * page + BAR_SIZE, "unmap all");
	dev_close(&d);
	memory_close(&mem);
}

/* The container whose mapping it is goes first, or last, or is the device's own. */
static void containers(void)
{
	struct dev d, other, mem;
	int container;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	edu_open(&other, PCI_BRIDGED);
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "mapped in one container");
	is(dma_map(other.container, (void *)bar, PEER, page, RW), 0, "and a page in another");
	ok(writes(&d, PEER, 0, 40) && writes(&other, PEER, 0, 41), "reached from both");
	dev_close(&d);
	ok(writes(&other, PEER, 0, 42), "one container is gone: reached from the other");
	cfg_command(&mem, 0, MEMORY);
	cfg_command(&mem, MEMORY, 0);
	ok(writes(&other, PEER, 0, 43), "memory off and on: reached");
	memory_close(&mem);
	dev_close(&other);

	container = container_open();
	dev_open_in(&mem, PCI_MEMORY, container);
	cfg_command(&mem, MEMORY | MASTER, 0);
	if (bar_map(&mem, BAR, &bar))
		tap_bail("BAR 2: %m");
	is(dma_map(container, (void *)bar, PEER, BAR_SIZE, RW), 0, "mapped in its own container");
	is(dma_map(container, buf, IOVA, 2 * page, RW), 0, "with memory");
	dev_open_in(&d, PCI_EDU, container);
	cfg_command(&d, MEMORY | MASTER, 0);
	edu_quiet(&d);
	ok(writes(&d, PEER, 0, 44), "which another device joins: reached");
	close(container);
	memory_close(&mem);
	dev_close(&d);
}

/* What the kernel takes, since it looks at pages, one by one. */
static void refused(const struct dev *d, const void *at, size_t size, uint32_t flags,
		    const char *what)
{
	is(dma_map(d->container, at, PEER, size, flags), tap_kernel ? 0 : -EFAULT, "%s: EFAULT",
	   what);
	is(dma_unmap(d->container, PEER, size), tap_kernel ? size : 0, "%s: nothing is left", what);
}

/* What cannot be mapped, or not so; nothing of it may be left. */
static void misuse(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	long pinned, avail;
	struct dev d, mem;
	uint64_t size;
	uint8_t *at;
	int dev_mem;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	pinned = pages_pinned();
	avail = dma_avail(d.container);
	at = mmap(NULL, 8 * page, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(at + 2 * page, 4 * page, rw, MAP_SHARED | MAP_FIXED, mem.fd, (off_t)BAR << 40);
	refused(&d, at, 4 * page, RW, "memory, then a BAR");
	refused(&d, at + 4 * page, 4 * page, RW, "a BAR, then memory");
	refused(&d, at + 2 * page, 5 * page, RW, "a page too much");
	mprotect(at + 4 * page, 2 * page, PROT_READ);
	refused(&d, at + 2 * page, 4 * page, RO, "two mappings of a BAR");
	is(dma_map(d.container, at + 4 * page, PEER, page, RW), -EFAULT,
	   "to be written, mapped for reading: EFAULT");
	is(dma_map(d.container, at + 4 * page, PEER, page, VFIO_DMA_MAP_FLAG_WRITE), -EFAULT,
	   "or not even to be read: EFAULT");
	mprotect(at + 5 * page, page, PROT_NONE);
	refused(&d, at + 5 * page, page, RO, "to be read, mapped for nothing");
	munmap(at + 3 * page, page);
	is(dma_map(d.container, at + 3 * page, PEER, page, RW), -EFAULT,
	   "not mapped any more: EFAULT");
	dev_mem = open("/dev/mem", O_RDWR | O_CLOEXEC);
	mmap(at, page, rw, MAP_SHARED | MAP_FIXED, dev_mem, (off_t)hw_bar(PCI_NVME, 0, &size));
	close(dev_mem);
	refused(&d, at, page, RW, "a device's memory, but not VFIO's");
	is(dma_map(d.container, at + 4 * page, PEER, page, RO), 0, "mapped for reading: so it is");
	ok(reads(&d, PEER, 2 * page, 50), "and read");
	is(dma_unmap(d.container, PEER, page), page, "unmapped");
	is(dma_map(d.container, at + 2 * page + 1, PEER, page, RW), -EINVAL,
	   "not aligned: EINVAL");
	is(pages_pinned(), pinned, "nothing stays pinned");
	is(dma_avail(d.container), avail, "nor mapped");
	munmap(at, 8 * page);
	dev_close(&d);
	memory_close(&mem);
}

/* Nothing is locked, so whoever may lock nothing can do it too. */
static int maps_it(void *container)
{
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 });
	return -dma_map(*(int *)container, (void *)bar, PEER, BAR_SIZE, RW);
}

static void unprivileged(void)
{
	struct dev d, mem;

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	is(in_child_unprivileged(maps_it, &d.container), 0, "mapped by whoever may lock nothing");
	ok(writes(&d, PEER, 0, 60), "reached");
	dev_close(&d);
	memory_close(&mem);
}

/* ---- at the same time ---- */

static atomic_bool stop;
static atomic_int wrong;

/* Maps and unmaps the BAR: there or not, but whole. Another may have the place. */
static void *mapper(void *arg)
{
	const struct dev *d = arg;

	for (uint64_t iova = PEER; !atomic_load(&stop); iova ^= 2 * BAR_SIZE) {
		int ret = dma_map(d->container, (void *)bar, iova, BAR_SIZE, RW);

		/* The kernel's EINVAL: taken away as it looked. */
		if (ret && ret != -EFAULT && ret != -EEXIST && !(tap_kernel && ret == -EINVAL))
			atomic_store(&wrong, ret);
		else if (!ret && dma_unmap(d->container, iova, BAR_SIZE) != BAR_SIZE)
			atomic_store(&wrong, 1);
	}
	return NULL;
}

static void *switcher(void *arg)
{
	while (!atomic_load(&stop)) {
		cfg_command(arg, 0, MEMORY);
		cfg_command(arg, MEMORY, 0);
	}
	return NULL;
}

/* Groups come to a container and go. */
static void *joiner(void *arg)
{
	const struct dev *d = arg;

	while (!atomic_load(&stop)) {
		int group = group_open(PCI_BRIDGED);

		if (group_set(group, d->container))
			atomic_store(&wrong, 2);
		close(group);
	}
	return NULL;
}

static void *closer(void *arg)
{
	dev_close(arg);
	return NULL;
}

static void at_once(void)
{
	struct dev d, mem;
	const struct {
		void *(*run)(void *arg);
		struct dev *with;
	} jobs[] = { { mapper, &d }, { mapper, &d }, { switcher, &mem }, { joiner, &d } };
	pthread_t thread[4];

	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	is(dma_map(d.container, (void *)bar, STAYS, BAR_SIZE, RW), 0, "one that stays");
	atomic_store(&stop, false);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, jobs[i].run, jobs[i].with))
			tap_bail("no thread");
	sleep_ms(3000);
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	is(atomic_load(&wrong), 0, "mapped, unmapped, switched and joined at once");
	is(dma_unmap(d.container, PEER, 4 * BAR_SIZE), 0, "none of them is left");
	ok(writes(&d, STAYS, 0, 70), "the one that stays is reached");

	/* The one that maps and the one that is mapped go at once. */
	for (int i = 0; i < 20; i++) {
		pthread_t other;

		dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW);
		munmap((void *)bar, BAR_SIZE);
		pthread_create(&other, NULL, closer, &d);
		dev_close(&mem);
		pthread_join(other, NULL);
		memory_open(&mem);
		pci_open(&d, PCI_EDU);
	}
	is(dma_map(d.container, (void *)bar, PEER, BAR_SIZE, RW), 0, "after closing both at once");
	dev_close(&d);
	memory_close(&mem);
}

/* Unbound while somebody maps it all the time. */
static void unbound_at_once(void)
{
	pthread_t thread;
	struct dev d, mem;

	edu_open(&d, PCI_EDU);
	for (int i = 0; i < 5; i++) {
		memory_open(&mem);
		atomic_store(&stop, false);
		pthread_create(&thread, NULL, mapper, &d);
		sleep_ms(50);
		is(board_unbind(mem.name), 0, "unbound while it is being mapped");
		sleep_ms(20);
		is(dma_map(d.container, (void *)bar, STAYS, page, RW), -EFAULT,
		   "it cannot be mapped any more");
		atomic_store(&stop, true);
		pthread_join(thread, NULL);
		memory_close(&mem);
	}
	is(atomic_load(&wrong), 0, "no answer was wrong");
	is(dma_unmap_all(d.container), 2 * page, "nothing of it is left");
	dev_close(&d);
}

/* ---- without memory ---- */

/* Memory on, while the @n-th allocation or user copy fails; whether one has. */
static bool memory_on_failing(const struct dev *d, int fd, int n)
{
	const off_t at = ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + PCI_COMMAND;
	uint16_t command = (uint16_t)cfg_read(d, PCI_COMMAND, 2) | MEMORY;
	char text[16];
	bool failed;

	snprintf(text, sizeof(text), "%d", n);
	(void)!pwrite(fd, text, strlen(text), 0);
	(void)!pwrite(d->fd, &command, sizeof(command), at);
	failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';
	(void)!pwrite(fd, "0", 1, 0);
	return failed;
}

/* Its page tables are made anew when it comes back: without memory for them it stays away. */
static void without_memory(void)
{
	static const char *const settings[][2] = {
		{ "fail_page_alloc/ignore-gfp-wait", "N" }, { "fail_page_alloc/min-order", "0" },
		{ "failslab/verbose", "0" }, { "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	const size_t size = 2u << 20;
	char path[64];
	struct dev d, mem;
	int lost = 0;

	if (fd < 0) {
		tap_skip("this kernel cannot make an allocation fail");
		return;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		is(file_write(path, settings[i][1]), 0, "%s = %s", path, settings[i][1]);
	}
	memory_open(&mem);
	edu_open(&d, PCI_EDU);
	for (int n = 1; n < 50; n++) {
		bool failed;

		is(dma_map(d.container, (void *)(bar + page), PEER, size, RW), 0, "mapped");
		cfg_command(&mem, 0, MEMORY);
		failed = memory_on_failing(&mem, fd, n);
		cfg_command(&mem, MEMORY, 0);
		if (!writes(&d, PEER, page, (uint32_t)n)) {
			ok(failed, "out of reach, for an allocation failed");
			cfg_command(&mem, 0, MEMORY);
			cfg_command(&mem, MEMORY, 0);
			ok(!writes(&d, PEER, page, (uint32_t)n), "and stays so");
			lost++;
		}
		is(dma_unmap(d.container, PEER, size), size, "it can be unmapped");
		if (!failed)
			break;
	}
	ok(lost, "without memory for it a mapping does not come back");
	is(dma_map(d.container, (void *)(bar + page), PEER, size, RW), 0, "mapped anew");
	ok(writes(&d, PEER, page, 80), "it is reached");
	dev_close(&d);
	memory_close(&mem);
	close(fd);
}

int main(int argc, char **argv)
{
	long pinned;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	pinned = pages_pinned();
	buf = mem_new(2 * page);
	both_ways();
	itself();
	memory_off();
	asleep_and_reset();
	hot_reset();
	closed();
	containers();
	misuse();
	unprivileged();
	at_once();
	if (!tap_kernel) {	/* which would wait for ever */
		board_grace(50);
		revoked();
		unbound_at_once();
		without_memory();
	}
	is(pages_pinned(), pinned, "not a page of the system stays pinned");
	return tap_done();
}
