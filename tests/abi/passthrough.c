// SPDX-License-Identifier: GPL-2.0-only
/*
 * passthrough - with iommu.passthrough=1 a device that nobody owns reaches all of memory; one that
 * a user owns reaches what is mapped, and that user cannot leave DMA behind that comes later
 */
/* vm: timeout=120 cmdline="iommu.passthrough=1" */
/* vm: timeout=120 cmdline="iommu.passthrough=0" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

/* edu's transfers come about 100 ms after they are asked for. */
#define LATER 400

static size_t page;

static uint64_t physical_address(void *mem)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)mem / page * sizeof(entry))) !=
	    sizeof(entry) || !(entry >> 63))
		tap_bail("pagemap does not tell an address");
	close(fd);
	return (entry & ((1ull << 55) - 1)) * page;
}

/* Whether the default domain of the device's group lets everything pass. */
static bool default_is_identity(const char *name)
{
	return !strcmp(file_read(board_path(name, "iommu_group/type")), "identity");
}

static void mapped(struct dev *d)
{
	uint8_t *mem = mem_new(3 * page);

	mem_fill(mem, page, 1);
	memset(mem + page, 0, page);
	is(dma_map(d->container, mem, IOVA, 2 * page, RW), 0, "a mapping");
	is(edu_load(d, IOVA, EDU_BUFFER_MAX), 0, "the device reads");
	is(edu_store(d, IOVA + page, EDU_BUFFER_MAX), 0, "and writes");
	ok(mem_is(mem + page, EDU_BUFFER_MAX, 1), "byte for byte");
	mem_fill(mem + 2 * page, page, 2);
	is(edu_store(d, IOVA + 2 * page, EDU_BUFFER_MAX), 0,
	   "it tries to write what is not mapped");
	ok(mem_is(mem + 2 * page, page, 2), "nothing reaches it");
	is(edu_store(d, physical_address(mem + 2 * page), EDU_BUFFER_MAX), 0,
	   "it tries the page's physical address");
	ok(mem_is(mem + 2 * page, page, 2), "nothing reaches it");
	is(dma_unmap(d->container, IOVA, 2 * page), 2 * page, "unmap");
	mem_free(mem, 3 * page);
}

static int starts_and_leaves(void *arg)
{
	const uint64_t *target = arg;
	struct dev d;

	dev_open(&d, EDU0);
	edu_dma_start(&d, *target, EDU_BUFFER_MAX, EDU_DMA_STORE);
	return 0;
}

/* DMA that is under way when the last descriptor is closed, to memory that was never mapped. */
static void left_behind(void)
{
	uint8_t *mem = mem_new(page);
	uint64_t target = physical_address(mem);
	struct dev d;
	bool hit;

	mem_fill(mem, page, 3);
	dev_open(&d, EDU0);
	edu_dma_start(&d, target, EDU_BUFFER_MAX, EDU_DMA_STORE);
	dev_close(&d);
	sleep_ms(LATER);
	hit = !mem_is(mem, page, 3);
	if (tap_kernel)
		tap_note("DMA started before the close %s memory",
			 hit ? "reached" : "did not reach");
	else
		ok(!hit, "DMA started before everything is closed does not reach memory");

	mem_fill(mem, page, 4);
	is(in_child(starts_and_leaves, &target), 0, "a process starts DMA and ends");
	sleep_ms(LATER);
	hit = !mem_is(mem, page, 4);
	if (tap_kernel)
		tap_note("DMA started before the exit %s memory",
			 hit ? "reached" : "did not reach");
	else
		ok(!hit, "it does not reach memory either");

	dev_open(&d, EDU0);
	mapped(&d);
	mem_fill(mem, page, 5);
	edu_dma_start(&d, target, EDU_BUFFER_MAX, EDU_DMA_STORE);
	munmap((void *)d.regs, d.size);
	close(d.fd);
	is(group_unset(d.group), 0,
	   "the device is closed with DMA under way, and leaves its container");
	sleep_ms(LATER);
	hit = !mem_is(mem, page, 5);
	if (tap_kernel)
		tap_note("DMA started before UNSET_CONTAINER %s memory",
			 hit ? "reached" : "did not reach");
	else
		ok(!hit, "it does not reach memory");
	close(d.group);
	close(d.container);
	mem_free(mem, page);
}

/* Given back to the host, the group is the host's again. */
static void given_back(void)
{
	is(board_unbind(EDU0), 0, "the device is unbound");
	is(board_bind(EDU0, HOST), 0, "a host driver takes it");
	is(board_unbind(EDU0), 0, "and is unbound");
}

int main(int argc, char **argv)
{
	const char *asked;
	struct dev d;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	board_take(EDU0);
	tap_note("the group's default domain: %s", file_read(board_path(EDU0, "iommu_group/type")));
	asked = strstr(file_read("/proc/cmdline"), "iommu.passthrough=1");
	is(default_is_identity(EDU0), !!asked,
	   "the default domain is as the command line says");
	dev_open(&d, EDU0);
	mapped(&d);
	dev_close(&d);
	left_behind();
	given_back();
	return tap_done();
}
