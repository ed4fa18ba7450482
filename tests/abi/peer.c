// SPDX-License-Identifier: GPL-2.0-only
/*
 * peer - registers that are mapped for DMA: another device reads and writes them, for as long as
 * their device is open (pci_peer has the rest)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define PEER		(2 * IOVA)

static size_t page;
static uint32_t *buf;			/* at IOVA */
static volatile uint8_t *hw;		/* EDU1's registers, whoever has them */

/* Whether what @d writes to @iova arrives in EDU1's second register, which reads back inverted. */
static bool pokes(struct dev *d, uint64_t iova, uint32_t value)
{
	volatile uint32_t *live = (volatile uint32_t *)(hw + EDU_REG_LIVE);

	*live = ~value;
	*buf = value;
	edu_load(d, IOVA, sizeof(value));
	edu_store(d, iova + EDU_REG_LIVE, sizeof(value));
	return *live == ~value;
}

/* And whether it reads there what EDU1 has. */
static bool peeks(struct dev *d, uint64_t iova)
{
	*buf = 0;
	edu_load(d, iova + EDU_REG_ID, sizeof(*buf));
	edu_store(d, IOVA, sizeof(*buf));
	return *buf == EDU_ID;
}

static int map(int container, const struct dev *of, uint64_t iova)
{
	return dma_map(container, (void *)of->regs, iova, of->size, RW);
}

static void open_until_closed(int container, struct dev *d)
{
	struct dev of;

	dev_open(&of, EDU1);
	is(map(container, &of, PEER), 0, "registers can be mapped");
	ok(pokes(d, PEER, 1), "a device writes them");
	ok(peeks(d, PEER), "and reads");
	is(xioctl(of.fd, VFIO_DEVICE_RESET, NULL), 0, "RESET of whose they are");
	ok(pokes(d, PEER, 2), "it writes them");
	dev_close(&of);
	ok(!pokes(d, PEER, 3), "closed: it does not");
	ok(!peeks(d, PEER), "nor read");
	dev_open(&of, EDU1);
	ok(!pokes(d, PEER, 4), "opened anew: neither");
	is(dma_unmap(container, PEER, of.size), of.size, "unmapped");
	is(map(container, &of, PEER), 0, "mapped anew");
	ok(pokes(d, PEER, 5), "it writes them");
	is(dma_unmap(container, PEER, of.size), of.size, "unmapped");
	ok(!pokes(d, PEER, 6), "it does not");
	dev_close(&of);
}

/* A device that needs a domain of its own comes later, and goes. */
static void two_domains(int container, struct dev *d)
{
	struct dev of, late;

	dev_open(&of, EDU1);
	is(map(container, &of, PEER), 0, "registers mapped");
	dev_open_in(&late, EDU3, container);
	ok(pokes(&late, PEER, 10), "a device that came later writes them");
	is(map(container, &of, 2 * PEER), 0, "mapped once more");
	ok(pokes(&late, 2 * PEER, 11) && pokes(d, 2 * PEER, 12), "both do so there too");
	is(xioctl(of.fd, VFIO_DEVICE_RESET, NULL), 0, "RESET of whose they are");
	ok(pokes(&late, PEER, 13) && pokes(d, PEER, 14), "both write them");
	is(dma_unmap(container, PEER, of.size), of.size, "unmapped");
	ok(!pokes(&late, PEER, 15) && !pokes(d, PEER, 16), "neither writes them there");
	dev_close(&late);
	ok(pokes(d, 2 * PEER, 17), "the later one is gone: the other still writes them");
	dev_close(&of);
	dev_open_in(&late, EDU3, container);
	ok(!pokes(&late, 2 * PEER, 18) && !pokes(d, 2 * PEER, 19),
	   "closed, then the later one comes again: neither does");
	is(dma_unmap(container, 2 * PEER, EDU_SIZE), EDU_SIZE, "unmapped");
	dev_close(&late);
}

static void revoked(int container, struct dev *d)
{
	struct dev of;

	board_grace(50);
	dev_open(&of, EDU1);
	is(map(container, &of, PEER), 0, "registers mapped");
	is(board_unbind(EDU1), 0, "their device is unbound");
	ok(!pokes(d, PEER, 20), "revoked: not written");
	is(map(container, &of, 2 * PEER), -EFAULT, "they cannot be mapped any more");
	is(board_bind(EDU1, HOST), 0, "a host driver has the device");
	ok(!pokes(d, PEER, 21), "it has it for itself");
	is(dma_unmap(container, PEER, of.size), of.size, "unmapped");
	dev_close(&of);
}

int main(int argc, char **argv)
{
	long pinned = pages_pinned(), avail;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	hw = mem_physical(EDU1_BASE);
	buf = mem_new(page);
	dev_open(&d, EDU0);
	is(dma_map(d.container, buf, IOVA, page, RW), 0, "a device with memory");
	avail = dma_avail(d.container);
	open_until_closed(d.container, &d);
	two_domains(d.container, &d);
	revoked(d.container, &d);
	is(dma_avail(d.container), avail, "no mapping is left");
	dev_close(&d);
	is(pages_pinned(), pinned, "nothing stays pinned");
	return tap_done();
}
