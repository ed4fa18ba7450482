// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which cache lines libevfio maintains. A child calls it and is executed step by step: its parent
 * looks at each instruction before, so that none is missed, whatever the emulator thinks of caches.
 * Run by tests/vm/guest/caches.sh as root, with 10000000.edu, which is coherent, and
 * 10300000.edu, which is not, bound to VFIO; with the argument "pin" on a board without an IOMMU.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <evfio/evfio.h>

#include "libtap.h"

#define COHERENT	"10000000.edu"
#define OTHER		"10300000.edu"

#if defined(__aarch64__)

/* Arm ARM, C6.2: the register is in the lowest five bits. */
#define DC_CVAC		0xd50b7a20u
#define DC_CIVAC	0xd50b7e20u
#define DC_ZVA		0xd50b7420u	/* memset()'s: it is a store */
#define DSB_SY		0xd5033f9fu

#define MOST		2048

/* What maintains caches or orders that, in the order in which it was executed. */
static struct {
	uint32_t insn;
	uintptr_t address;
} seen[MOST];
static unsigned int nr;

static size_t page, line;
static struct evfio_dma *dma;
static struct evfio_pin *held;
static uint8_t *memory;
static size_t whole;

static int call(bool for_cpu, size_t offset, size_t size)
{
	if (held)
		return for_cpu ? evfio_pin_sync_for_cpu(held, offset, size) :
				 evfio_pin_sync_for_device(held, offset, size);
	return for_cpu ? evfio_dma_sync_for_cpu(dma, offset, size) :
			 evfio_dma_sync_for_device(dma, offset, size);
}

/* Any DC, IC or AT. */
static bool maintains(uint32_t insn)
{
	return (insn & 0xfff8f000u) == 0xd5087000u && (insn & ~31u) != DC_ZVA;
}

/* Takes down the instruction that @child is about to execute, if it is one of ours. */
static void look(pid_t child)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };
	uint32_t insn;

	if (ptrace(PTRACE_GETREGSET, child, (void *)NT_PRSTATUS, &iov))
		return;
	insn = (uint32_t)ptrace(PTRACE_PEEKTEXT, child, (void *)regs.pc, NULL);
	if ((!maintains(insn) && insn != DSB_SY) || nr == MOST)
		return;
	seen[nr].insn = maintains(insn) ? insn & ~31u : insn;
	/* Register 31 is no register, but zero. */
	seen[nr].address = (insn & 31) < 31 ? regs.regs[insn & 31] : 0;
	nr++;
}

/* What the call returns, having been executed step by step. */
static int trace(bool for_cpu, size_t offset, size_t size)
{
	int status = 0;
	pid_t child;

	nr = 0;
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(-call(for_cpu, offset, size));
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		look(child);
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* Whether it was a barrier, each line of the range once, and a barrier. */
static bool lines_right(bool for_cpu, size_t offset, size_t size)
{
	const uintptr_t first = ((uintptr_t)memory + offset) / line;
	const uintptr_t last = ((uintptr_t)memory + offset + size - 1) / line;
	const uint32_t wanted = for_cpu ? DC_CIVAC : DC_CVAC;
	unsigned int i;

	if (nr != last - first + 3 || seen[0].insn != DSB_SY || seen[nr - 1].insn != DSB_SY)
		return false;
	for (i = 1; i < nr - 1; i++) {
		if (seen[i].insn != wanted || seen[i].address / line != first + i - 1)
			return false;
	}
	return true;
}

static void ranges(bool maintained, const char *what)
{
	const struct {
		size_t offset, size;
	} good[] = {
		{ 0, 1 }, { 0, line - 1 }, { 0, line }, { 0, line + 1 }, { line - 1, 1 },
		{ line - 1, 2 }, { 1, line }, { line, line }, { line / 2, 2 * line },
		{ page - 1, 1 }, { page - 1, 2 }, { page - line, line }, { 5, page }, { 0, page },
		{ 0, whole }, { whole - 1, 1 },
	}, none[] = {
		{ 0, 0 }, { 1, 0 }, { whole, 0 },
	}, bad[] = {
		{ 0, whole + 1 }, { 1, whole }, { whole, 1 }, { whole + 1, 0 }, { SIZE_MAX, 2 },
		{ 1, SIZE_MAX }, { SIZE_MAX, SIZE_MAX },
	};
	size_t i;

	for (i = 0; i < 2 * sizeof(good) / sizeof(good[0]); i++) {
		const size_t offset = good[i / 2].offset, size = good[i / 2].size;

		is(trace(i % 2, offset, size), 0, "%s: %zu bytes at %zu for the %s", what, size,
		   offset, i % 2 ? "CPU" : "device");
		if (maintained)
			ok(lines_right(i % 2, offset, size), "%s: these lines", what);
		else
			is(nr, 0, "%s: no line, no barrier", what);
	}
	for (i = 0; i < 2 * sizeof(none) / sizeof(none[0]); i++) {
		is(trace(i % 2, none[i / 2].offset, 0), 0, "%s: nothing at %zu", what,
		   none[i / 2].offset);
		is(nr, 0, "%s: is no line", what);
	}
	for (i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++)
		is(call(i % 2, bad[i / 2].offset, bad[i / 2].size), -EINVAL,
		   "%s: 0x%zx bytes at 0x%zx", what, bad[i / 2].size, bad[i / 2].offset);
}

/* A mapping is for all devices of its container. */
static void mapping(void)
{
	struct evfio_device *coherent, *other;
	struct evfio_container *ct;

	evfio_container_new(&ct);
	if (evfio_open_in(ct, COHERENT, &coherent) ||
	    evfio_dma_alloc(ct, whole, 0, EVFIO_DMA_BOTH, &dma)) {
		ok(false, "%s and its memory: %s", COHERENT, evfio_error());
		return;
	}
	memory = dma->addr;
	ranges(false, "a coherent device");
	is(evfio_open_in(ct, OTHER, &other), 0, "one that is not comes to it");
	ranges(true, "both");
	evfio_close(other);
	is(trace(false, 0, whole), 0, "it has left");
	is(nr, 0, "no line any more");
	evfio_dma_free(dma);
	evfio_close(coherent);
	evfio_container_put(ct);
}

/* What is pinned is for one. */
static void pinned(const char *name, bool maintained)
{
	struct evfio_device *dev;

	memory = aligned_alloc(page, whole);
	if (evfio_open(name, &dev) ||
	    evfio_dma_set_mask(evfio_device_container(dev), 64) ||
	    evfio_pin_memory(dev, memory, whole, EVFIO_DMA_BOTH, &held)) {
		ok(false, "%s and its memory: %s", name, evfio_error());
		return;
	}
	ranges(maintained, name);
	is(evfio_pin_free(held), 0, "%s: unpinned", name);
	evfio_close(dev);
	free(memory);
}

int main(int argc, char **argv)
{
	uint64_t ctr;

	__asm__("mrs %0, ctr_el0" : "=r" (ctr));
	line = 4u << (ctr >> 16 & 15);
	page = (size_t)sysconf(_SC_PAGESIZE);
	whole = 2 * page;
	if (argc > 1 && !strcmp(argv[1], "pin")) {
		pinned(COHERENT, false);
		pinned(OTHER, true);
	} else {
		mapping();
	}
	return done();
}

#else

/* Programs do nothing to the caches here. */
int main(void)
{
	ok(true, "%s: nothing to be seen", OTHER);
	return done();
}

#endif
