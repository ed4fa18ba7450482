// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_vaddr - mappings whose process takes back their addresses, and gives them new ones
 *
 * That is how a process hands over to another, or to itself after exec(), while the device goes on.
 */
/* vm: board=pci timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define N	8
#define VADDR	VFIO_DMA_MAP_FLAG_VADDR
#define LEN	64

static size_t page;

static int64_t drop_all(int c)
{
	return dma_drop_vaddr(c, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
}

static int set(int c, const void *at, uint64_t iova, uint64_t size)
{
	return dma_map(c, at, iova, size, VADDR);
}

static void answers(int c)
{
	uint8_t *mem = mem_new(N * page);
	struct usage before = usage(c);
	const int wraps = tap_kernel ? -EINVAL : -EOVERFLOW;	/* from 7.2 on the kernel too */

	is(check_extension(c, VFIO_UPDATE_VADDR), 1, "new addresses are offered");
	is(set(c, mem, IOVA, page), -ENOENT, "where nothing is mapped: ENOENT");
	is(dma_drop_vaddr(c, IOVA, page, 0), 0, "nothing has no address that could be taken back");
	is(drop_all(c), 0, "nor has everything");
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "a mapping of two pages");
	is(dma_map(c, mem + 2 * page, IOVA + 2 * page, page, RO), 0, "and one behind it");
	is(set(c, mem, IOVA, 2 * page), -EINVAL, "which have their addresses: EINVAL");
	is(dma_drop_vaddr(c, IOVA, page, 0), -EINVAL, "a part of a mapping: EINVAL");
	is(dma_drop_vaddr(c, IOVA + page, 2 * page, 0), -EINVAL, "a part and another: EINVAL");
	is(dma_drop_vaddr(c, IOVA, 0, 0), -EINVAL, "no size: EINVAL");
	is(dma_drop_vaddr(c, IOVA + 1, page, 0), -EINVAL, "an odd IOVA: EINVAL");
	is(dma_drop_vaddr(c, IOVA, page, VFIO_DMA_UNMAP_FLAG_ALL), -EINVAL,
	   "all, and a range: EINVAL");
	is(dma_drop_vaddr(c, IOVA, page, 8), -EINVAL, "an unknown flag: EINVAL");
	is(dma_map(c, mem, IOVA, 2 * page, VADDR | RW), -EINVAL, "a direction: EINVAL");

	is(dma_drop_vaddr(c, IOVA, 2 * page, 0), 2 * page, "an address is taken back");
	is(dma_drop_vaddr(c, IOVA, 2 * page, 0), -EINVAL, "once more: EINVAL");
	is(dma_drop_vaddr(c, IOVA, 3 * page, 0), -EINVAL, "with another: EINVAL");
	is(drop_all(c), -EINVAL, "with all: EINVAL");
	is(set(c, mem, IOVA + 2 * page, page), -EINVAL, "which keep theirs");
	is(dma_map(c, mem, IOVA, 2 * page, RW), -EEXIST, "it is mapped still");
	is(set(c, mem, IOVA, page), -EINVAL, "an address for a part: EINVAL");
	is(set(c, mem, IOVA + page, page), -EINVAL, "for the other part: EINVAL");
	is(set(c, mem, IOVA, 3 * page), -EINVAL, "for both: EINVAL");
	is(set(c, mem, IOVA - page, 3 * page), -EINVAL, "for more: EINVAL");
	is(set(c, mem + 1, IOVA, 2 * page), -EINVAL, "an odd address: EINVAL");
	is(set(c, mem, IOVA + 1, 2 * page), -EINVAL, "at an odd IOVA: EINVAL");
	is(set(c, mem, IOVA, 0), -EINVAL, "no size: EINVAL");
	is(set(c, (void *)(0 - page), IOVA, 2 * page), wraps, "an address that wraps");
	is(set(c, mem, 0 - page, 2 * page), wraps, "an IOVA that wraps");
	is(set(c, NULL, IOVA, 2 * page), 0, "any address will do");
	is(set(c, mem, IOVA, 2 * page), -EINVAL, "once: EINVAL");
	is(drop_all(c), 3 * page, "all are taken back");
	is(set(c, mem, IOVA, 2 * page), 0, "and given one by one");
	is(dma_unmap(c, IOVA + 2 * page, page), page, "what has none is unmapped as ever");
	is(dma_unmap_all(c), 2 * page, "unmap all");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

/* The same pages elsewhere, as after exec(): the device never stops. */
static void moved(struct dev *d)
{
	int fd = memfd_create("moved", MFD_CLOEXEC), c = d->container;
	uint8_t *mem;

	if (ftruncate(fd, (off_t)page))
		tap_bail("memfd: %m");
	mem = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mem_fill(mem, page, 1);
	is(dma_map(c, mem, IOVA, page, RW), 0, "a page of a file");
	is(edu_load(d, IOVA, LEN), 0, "the device reads it");
	is(drop_all(c), page, "its address is taken back");
	munmap(mem, page);
	is(edu_store(d, IOVA + LEN, LEN), 0, "the device writes it");
	mem = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	is(set(c, mem, IOVA, page), 0, "it has a new address");
	ok(mem_is(mem, LEN, 1) && !memcmp(mem, mem + LEN, LEN), "where the device wrote");
	is(dma_unmap_all(c), page, "unmap");
	munmap(mem, page);
	close(fd);
}

static void another_group(struct dev *d)
{
	uint8_t *mem = mem_new(page);
	int group;

	board_take(PCI_BRIDGED);
	group = group_open(PCI_BRIDGED);
	is(dma_map(d->container, mem, IOVA, page, RW), 0, "a mapping");
	is(drop_all(d->container), page, "its address is taken back");
	is(group_set(group, d->container), -EBUSY, "another group meanwhile: EBUSY");
	is(set(d->container, mem, IOVA, page), 0, "a new address");
	is(group_set(group, d->container), 0, "then it may come");
	is(drop_all(d->container), page, "its address is taken back once more");
	is(group_unset(group), 0, "the group may go");
	is(group_set(group, d->container), -EBUSY, "and not come back: EBUSY");
	is(dma_unmap_all(d->container), page, "unmap");
	is(group_set(group, d->container), 0, "then it may");
	close(group);
	mem_free(mem, page);
}

static int takes_over(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(N * page);
	long before = locked_kb();

	if (drop_all(d->container) != (int64_t)(N * page))
		return 1;
	if (set(d->container, mem, IOVA, N * page))
		return 2;
	return locked_kb() != before + (long)(N * page / 1024) ? 3 : 0;
}

/* As a user who may lock less than there is. */
static int cannot_pay(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(N * page);
	const struct rlimit limit = { (N - 1) * page, (N - 1) * page };
	long before = locked_kb();

	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (drop_all(d->container) != (int64_t)(N * page))
		return 1;
	if (set(d->container, mem, IOVA, N * page) != -ENOMEM)
		return 2;
	return locked_kb() != before ? 3 : 0;
}

static int maps_and_leaves(void *arg)
{
	struct dev *d = arg;

	if (dma_map(d->container, mem_new(N * page), IOVA, N * page, RW))
		return 1;
	return drop_all(d->container) != (int64_t)(N * page);
}

static int unmaps(void *arg)
{
	struct dev *d = arg;

	return dma_unmap_all(d->container) != (int64_t)(N * page);
}

static void accounts(struct dev *d)
{
	const long before = locked_kb(), all = (long)(N * page / 1024), pinned = pages_pinned();
	uint8_t *mem = mem_new(N * page);
	int c = d->container;

	is(dma_map(c, mem, IOVA, N * page, RW), 0, "a mapping of %u pages", N);
	is(locked_kb(), before + all, "is paid for");
	is(drop_all(c), N * page, "its address is taken back");
	is(locked_kb(), before + all, "it is still paid for");
	is(set(c, mem, IOVA, N * page), 0, "a new address in the same process");
	is(locked_kb(), before + all, "changes nothing");

	is(in_child_unprivileged(cannot_pay, d), 0, "who may not lock so much: ENOMEM");
	is(locked_kb(), before + all, "the old one pays on");
	is(set(c, mem, IOVA, N * page), 0, "and gives it a new address");
	is(in_child(takes_over, d), 0, "another process takes over, and pays");
	is(locked_kb(), before, "the old one does not any more");
	is(pages_pinned(), pinned + N, "the pages stay pinned");
	is(drop_all(c), N * page, "that process has gone: its address is taken back");
	is(set(c, mem, IOVA, N * page), 0, "a new one");
	is(locked_kb(), before + all, "who gives it pays");
	is(in_child(unmaps, d), 0, "another process unmaps");
	is(locked_kb(), before, "and who paid has it back");
	is(in_child(maps_and_leaves, d), 0, "a process maps, takes the address back, and goes");
	is(set(c, mem, IOVA, N * page), 0, "another gives it a new one");
	is(locked_kb(), before + all, "and pays");
	is(dma_unmap_all(c), N * page, "unmap");
	is(locked_kb(), before, "nothing is locked");
	is(pages_pinned(), pinned, "and nothing pinned");
	mem_free(mem, N * page);
}

static void version_1(void)
{
	uint8_t *mem = mem_new(3 * page);
	int c, group;

	board_take(PCI_EDU);
	c = container_open();
	is(check_extension(c, VFIO_UPDATE_VADDR), 0, "an empty container offers no new addresses");
	group = group_open(PCI_EDU);
	is(group_set(group, c), 0, "a container");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), 0, "of version 1");
	is(check_extension(c, VFIO_UPDATE_VADDR), 1, "offers them");
	is(dma_map(c, mem, IOVA, 2 * page, RW), 0, "a mapping");
	is(dma_drop_vaddr(c, IOVA + page, page, 0), 0, "nothing begins in its second half");
	is(dma_drop_vaddr(c, IOVA, page, 0), 2 * page, "all of it begins in its first");
	is(set(c, mem, IOVA, page), -EINVAL, "an address for the first half: EINVAL");
	is(set(c, mem, IOVA + page, page), tap_kernel ? -EINVAL : -ENOENT,
	   "for the second, in which nothing begins: ENOENT");
	is(set(c, mem, IOVA - page, 2 * page), -EINVAL, "for what is before, and a half: EINVAL");
	is(set(c, mem, IOVA, 2 * page), 0, "for all");
	is(dma_unmap_all(c), 2 * page, "unmap all");
	close(group);
	close(c);
	mem_free(mem, 3 * page);
}

/* What only evfio has: a window costs nothing, so who takes over does not pay for it. */
static void windows(int c)
{
	struct usage before = usage(c);
	uint8_t *mem = mem_new(N * page);
	const struct evfio_iommu_range at = { IOVA, 0, page };
	int group, id = dma_register(c, mem, N * page, RW);

	is(dma_move(c, id, 0, NULL, 0, &at, 1), 0, "a window");
	is(drop_all(c), page, "its address is taken back");
	is(set(c, mem, IOVA, page), 0, "it gets a new one");
	is(locked_kb(), before.locked + (long)(N * page / 1024), "and only its buffer is locked");
	is(drop_all(c), page, "its address is taken back");
	is(dma_move(c, 0, EVFIO_IOMMU_MOVE_LAZY, &at, 1, NULL, 0), 0, "and it is unmapped lazily");
	is(drop_all(c), 0, "so nothing has an address");
	group = group_open(PCI_BRIDGED);
	is(group_set(group, c), 0, "nor is one missing: another group may come");
	close(group);
	is(dma_unregister(c, id), 0, "unregister");
	ok(usage_same(before, usage(c)), "nothing is left");
	mem_free(mem, N * page);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	version_1();
	pci_open(&d, PCI_EDU);
	answers(d.container);
	moved(&d);
	another_group(&d);
	accounts(&d);
	if (!tap_kernel)
		windows(d.container);
	dev_close(&d);
	return tap_done();
}
