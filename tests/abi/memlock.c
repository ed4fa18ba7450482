// SPDX-License-Identifier: GPL-2.0-only
/*
 * memlock - RLIMIT_MEMLOCK holds for what an unprivileged user maps for a device
 *
 * The user is a child process without any capability; what it got from each call is looked at here.
 */
/* vm: timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define PAGES 16		/* the limit */

static size_t page;

/* The answers of a child, in memory that both see. */
static struct {
	long got[64];
	int n;
} *answers;

static void say(long value)
{
	answers->got[answers->n++] = value;
}

/* Open the device as whoever runs this, without touching its binding: 0 or a negative errno. */
static int open_device(int *c, int *group, int *fd)
{
	*c = container_open();
	if (*c < 0)
		return *c;
	*group = group_open(EDU0);
	if (*group < 0)
		return *group;
	if (group_set(*group, *c) || container_set_iommu(*c, VFIO_TYPE1v2_IOMMU))
		return -EIO;
	*fd = device_fd(*group, EDU0);
	return *fd < 0 ? *fd : 0;
}

static void limit(rlim_t bytes)
{
	const struct rlimit both = { bytes, bytes };

	setrlimit(RLIMIT_MEMLOCK, &both);
}

static int denied(void *arg)
{
	(void)arg;
	say(container_open() >= 0);
	say(group_open(EDU0));
	return 0;
}

static int user(void *arg)
{
	uint8_t *mem = mem_new(2 * PAGES * page);
	int c, group, fd;

	(void)arg;
	limit(PAGES * page);
	say(open_device(&c, &group, &fd));
	say(dma_map(c, mem, IOVA, (PAGES + 1) * page, RW));
	say(locked_kb());
	say(dma_map(c, mem, IOVA, PAGES * page, RW));
	say(locked_kb());
	say(dma_map(c, mem + PAGES * page, 2 * IOVA, page, RW));
	say(dma_unmap(c, IOVA, PAGES * page));
	say(locked_kb());

	say(dma_map(c, mem, IOVA, 10 * page, RW));
	say(dma_map(c, mem + 10 * page, IOVA + 10 * page, 7 * page, RW));
	say(dma_map(c, mem + 10 * page, IOVA + 10 * page, 6 * page, RW));
	say(dma_map(c, mem + 16 * page, IOVA + 16 * page, page, RO));
	say(dma_unmap(c, IOVA + 10 * page, 6 * page));
	say(dma_map(c, mem + 16 * page, IOVA + 16 * page, page, RO));
	say(dma_unmap_all(c));

	say(dma_map(c, mem, IOVA, PAGES / 2 * page, RW));
	say(dma_map(c, mem, 2 * IOVA, PAGES / 2 * page, RW));
	say(dma_map(c, mem, 3 * IOVA, page, RW));
	say(dma_unmap_all(c));

	say(mlock(mem, PAGES / 2 * page));
	say(dma_map(c, mem + PAGES * page, IOVA, (PAGES / 2 + 1) * page, RW));
	say(dma_map(c, mem + PAGES * page, IOVA, PAGES / 2 * page, RW));
	munlock(mem, PAGES / 2 * page);

	close(fd);
	close(group);
	close(c);
	say(locked_kb());
	say(open_device(&c, &group, &fd));
	say(dma_map(c, mem, IOVA, PAGES * page, RW));
	close(fd);
	close(c);
	close(group);
	say(locked_kb());
	limit(0);
	say(open_device(&c, &group, &fd));
	say(dma_map(c, mem, IOVA, page, RW));
	return 0;
}

static int next(void)
{
	static int at;

	return (int)answers->got[at++];
}

static void unprivileged(void)
{
	const int kb = (int)page / 1024, all = PAGES * (int)page;
	char path[64];

	board_take(EDU0);
	is(in_child_unprivileged(denied, NULL), 0, "a user without permission");
	is(next(), 1, "may open /dev/vfio/vfio");
	is(next(), -EACCES, "but not the group: EACCES");

	snprintf(path, sizeof(path), "/dev/vfio/%d", board_group(EDU0));
	is(chown(path, 1000, 1000), 0, "root gives the group to the user");
	is(in_child_unprivileged(user, NULL), 0, "the user, allowed to lock %d pages", PAGES);
	is(next(), 0, "opens the device");
	is(next(), -ENOMEM, "maps one page too many at once: ENOMEM");
	is(next(), 0, "... which leaves nothing locked");
	is(next(), 0, "maps exactly as much as is allowed");
	is(next(), PAGES * kb, "... all of which counts");
	is(next(), -ENOMEM, "maps one page more: ENOMEM");
	is(next(), all, "unmaps it");
	is(next(), 0, "... and nothing is locked");

	is(next(), 0, "maps 10 pages");
	is(next(), -ENOMEM, "7 more are too many: ENOMEM");
	is(next(), 0, "6 more are not");
	is(next(), -ENOMEM, "then one page for reading only is too many: ENOMEM");
	is(next(), 6 * (int)page, "6 are unmapped");
	is(next(), 0, "and the one for reading only can be mapped");
	is(next(), 11 * (int)page, "all are unmapped");

	is(next(), 0, "half of the limit is mapped");
	is(next(), 0, "the same memory again, elsewhere");
	is(next(), -ENOMEM, "counts twice: one page more is ENOMEM");
	is(next(), all, "all are unmapped");

	is(next(), 0, "half of the limit is locked by mlock");
	is(next(), -ENOMEM, "which counts too: more than the other half is ENOMEM");
	is(next(), 0, "the other half can be mapped");

	is(next(), 0, "everything is closed with that mapped: nothing stays locked");
	is(next(), 0, "the device opens again");
	is(next(), 0, "and all of the limit can be mapped");
	is(next(), 0, "closed in another order: nothing stays locked");
	is(next(), 0, "with a limit of 0 the device opens");
	is(next(), -ENOMEM, "and not a page can be mapped: ENOMEM");
	is(chown(path, 0, 0), 0, "root takes the group back");
}

/* Memory that a child maps is the child's, also when somebody else unmaps it. */
static int maps_and_leaves(void *arg)
{
	struct dev *d = arg;
	uint8_t *mem = mem_new(4 * page);

	say(dma_map(d->container, mem, IOVA, 4 * page, RW));
	say(locked_kb());
	return 0;
}

static void who_pays(void)
{
	long pinned;
	struct dev d;

	dev_open(&d, EDU0);
	pinned = pages_pinned();
	is(in_child(maps_and_leaves, &d), 0, "a child maps in its parent's container, and ends");
	is(next(), 0, "that works");
	is(next(), 4 * (int)page / 1024, "and the child pays");
	is(locked_kb(), 0, "the parent does not");
	is(pages_pinned() - pinned, 4, "the pages are still pinned");
	is(dma_unmap(d.container, IOVA, 4 * page), 4 * page, "the parent unmaps them");
	is(locked_kb(), 0, "which credits it nothing");
	is(pages_pinned(), pinned, "and nothing is pinned");
	dev_close(&d);
}

/* One unmap takes out what a child and its parent have mapped, in turns: each is given its own. */
static void who_is_paid(void)
{
	uint8_t *mem = mem_new(2 * page);
	struct dev d;

	dev_open(&d, EDU0);
	is(dma_map(d.container, mem, IOVA - page, page, RW), 0, "the parent maps a page");
	is(in_child(maps_and_leaves, &d), 0, "a child maps behind it, and ends");
	is(next(), 0, "that works");
	is(next(), 4 * (int)page / 1024, "and the child pays");
	is(dma_map(d.container, mem + page, IOVA + 4 * page, page, RW), 0,
	   "the parent maps a page behind that");
	is(locked_kb(), 2 * (int)page / 1024, "and pays for two");
	is(dma_unmap_all(d.container), 6 * page, "one unmap for all");
	is(locked_kb(), 0, "gives the parent back what it paid");
	dev_close(&d);
	mem_free(mem, 2 * page);
}

/* Map page by page until no more is allowed, and unmap all of it, again and again. */
static int fills_and_empties(int container, uint64_t iova)
{
	uint8_t *mem = mem_new((PAGES + 1) * page);
	int i, n, ret;

	for (i = 0; i < 100; i++) {
		for (n = 0; n <= PAGES; n++) {
			ret = dma_map(container, mem + n * page, iova + n * page, page, RW);
			if (ret)
				break;
		}
		if (n != PAGES || ret != -ENOMEM || locked_kb() != PAGES * (long)page / 1024)
			return 1;
		if (dma_unmap(container, iova, PAGES * page) != (int64_t)(PAGES * page) ||
		    locked_kb())
			return 2;
	}
	return 0;
}

static int two_fill_and_empty(void *arg)
{
	const struct dev *d = arg;
	int ret, other;
	pid_t pid;

	limit(PAGES * page);
	pid = fork();
	ret = fills_and_empties(d->container, pid ? IOVA : 2 * IOVA);
	if (!pid)
		_exit(ret);
	other = child_wait(pid);
	return ret ? ret : other;
}

/* Who may lock memory without limit may map without limit. */
static void privileged(void)
{
	uint8_t *mem = mem_new(4 * PAGES * page);
	struct rlimit old;
	struct dev d;

	getrlimit(RLIMIT_MEMLOCK, &old);
	dev_open(&d, EDU0);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ page, old.rlim_max });
	is(dma_map(d.container, mem, IOVA, 4 * PAGES * page, RW), 0,
	   "with CAP_IPC_LOCK the limit does not hold");
	is(locked_kb(), 4 * PAGES * page / 1024, "but all of it is accounted");
	dev_close(&d);
	is(locked_kb(), 0, "and given back");
	setrlimit(RLIMIT_MEMLOCK, &old);
	mem_free(mem, 4 * PAGES * page);
}

int main(int argc, char **argv)
{
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	answers = mmap(NULL, sizeof(*answers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (answers == MAP_FAILED)
		tap_bail("shared memory: %m");
	unprivileged();
	who_pays();
	who_is_paid();
	dev_open(&d, EDU0);
	is(in_child_unprivileged(two_fill_and_empty, &d), 0,
	   "two processes in one container, each up to its limit: neither pays for the other");
	dev_close(&d);
	privileged();
	return tap_done();
}
