// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ - makes sequences of VFIO calls out of numbers, runs them, tells what came of each call
 *
 *	differ [--kernel] [--pci] hashes SEED FIRST COUNT
 *							one line a sequence
 *	differ [--kernel] details SEED <FILE		each line of FILE: a sequence's number and
 *							those of the calls left out; all told
 *	differ [--kernel] masked SEED <FILE		the same, as one hash a line
 *
 * It runs in a guest, once on evfio's modules and once on the kernel's (--kernel), which
 * tests/fuzz/differ starts and compares. With --pci it is about the functions of the PCI board
 * (pci.h), otherwise about two platform devices. A sequence depends on SEED and its number alone,
 * never on an answer, and begins with everything closed and the devices quiet, so that it can be
 * run by itself. What has to be different (deliberate.h) is told in the same words by both sides.
 *
 * What is compared: return value or errno, what a call writes back, the counts of eventfds, what a
 * device reaches by DMA, whether a mapping of registers answers, and pages that stay locked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- what a sequence is made of ---- */

#define MAX_OPS		96

/* Descriptors live in numbered slots; a slot that holds none is -1, as user programs have it. */
enum slot {
	C0, C1,			/* containers */
	G0, G1, G2,		/* groups */
	D0, D1, D2, D3,		/* devices */
	T0, T1, T2,		/* eventfds to be signalled by lines */
	A0, A1,			/* eventfds that mask and unmask, never the same as those */
	NONE_FD, NULL_FD, BAD_FD,	/* -1, /dev/null, a number that no file has */
	SLOTS
};

static const char *const slot_name[] = {
	"C0", "C1", "G0", "G1", "G2", "D0", "D1", "D2", "D3", "T0", "T1", "T2", "A0", "A1", "-1",
	"null", "bad",
};

/* How an argument in memory is passed. */
enum place { GOOD, NIL, HOLE, ACROSS, LOCKED, KERNEL, PLACES };

static const char *const place_name[] = { "", " NULL", " hole", " across", " locked", " kernel" };

struct op {
	uint8_t call;
	uint8_t fd;
	uint8_t to;
	uint8_t place;
	uint32_t argsz;
	uint64_t v[6];
};

/*
 * @ret: the result, -errno if it failed
 * @fd: @ret is a descriptor
 * @words, @word: what was written back
 * @edu: which device a device descriptor is of, -1 if it is none
 */
struct answer {
	long ret;
	bool fd;
	unsigned int words;
	uint64_t word[24];
	int edu;
};

struct call {
	const char *name;
	unsigned int weight;
	void (*make)(struct op *op);
	void (*run)(const struct op *op, struct answer *a);
	const char *args;	/* of v[], for people: one letter each */
	unsigned int pci;	/* the weight on the PCI board */
};

static bool pci;		/* this is the PCI board */
static const char *edus[2] = { EDU0, EDU1 };
static const uint64_t edu_base[] = { 0x10000000, 0x10100000 };
static volatile uint8_t *edu_regs[2];	/* through /dev/mem: works whatever VFIO does */
static const char *pci_name(uint64_t n);

static int group_number[2];
static bool kernel_side;
static int fds[SLOTS];
static int8_t edu_of[SLOTS];

/* What is known of an open file, however many descriptors it has: its number is file_of[slot]. */
static struct file {
	bool v2;		/* a container with version 2 of the IOMMU */
	bool tracking;		/* ... of which dirty pages are asked */
	uint64_t position;	/* of a device, if it were to advance */
} files[MAX_OPS + 1];
static unsigned int nr_files;
static uint8_t file_of[SLOTS];

#define POOR_LIMIT	(10 * 4096ull)
static bool poor;	/* this sequence goes without CAP_IPC_LOCK, and may lock that much */

/* ---- random numbers ---- */

static uint64_t rng_state;

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t rnd(void)
{
	rng_state += 0x9e3779b97f4a7c15;
	return mix(rng_state);
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)((rnd() >> 32) * n >> 32);
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

#define PICK(table) ((table)[below(ARRAY_SIZE(table))])

/* ---- memory ---- */

#define PAGE	4096ull
#define ARENA	0x200000000ull		/* small pages with a pattern */
#define ARENA_PAGES 64
#define GAP	(ARENA + ARENA_PAGES * PAGE)	/* nothing there */
#define RDONLY	0x201000000ull		/* readable */
#define RDONLY_PAGES 4
#define SHARED	0x202000000ull		/* a file's */
#define SHARED_PAGES 16
#define HUGE	0x203000000ull		/* one huge page, if the kernel has one */
#define HUGE_SIZE 0x200000ull
#define FRESH	0x204000000ull		/* never touched before the sequence */
#define FRESH_PAGES 4
#define ARGS	0x205000000ull		/* arguments in memory: a page, and a hole behind it */
#define LOCKED_PAGE 0x205010000ull	/* a page that can be read only */
#define REGS	0x206000000ull		/* register mappings: three windows of 2 MiB */
#define REGS_STEP 0x200000ull
#define REGS_SLOTS 3
#define CHECK	0x207000000ull		/* settle()'s own */
#define BITS	0x208000000ull		/* bitmaps of dirty pages: a page, and a hole behind it */
#define BITS_WORDS 8

/* A mapping of registers: @size bytes, 0 if there is none; the first page may have changed. */
static struct window {
	uint64_t size;
	int prot;
	int first_prot;		/* -1: unmapped */
	bool split;		/* the first page is a mapping by itself, as it stays for good */
} windows[REGS_SLOTS];

static bool memory_dirty, buffer_dirty, edge_raised;	/* since the sequence began */

static void *at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

static void region_new(uint64_t where, size_t size, int prot, int flags, int fd)
{
	if (mmap(at(where), size, prot, MAP_FIXED | flags, fd, 0) == MAP_FAILED)
		tap_bail("mmap at 0x%" PRIx64 ": %m", where);
}

static void memory_init(void)
{
	int memfd = memfd_create("shared", MFD_CLOEXEC);

	if (memfd < 0 || ftruncate(memfd, SHARED_PAGES * PAGE))
		tap_bail("memfd: %m");
	region_new(ARENA, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(at(ARENA), ARENA_PAGES * PAGE, MADV_NOHUGEPAGE);
	region_new(RDONLY, RDONLY_PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memset(at(RDONLY), 0x52, RDONLY_PAGES * PAGE);
	mprotect(at(RDONLY), RDONLY_PAGES * PAGE, PROT_READ);
	region_new(SHARED, SHARED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd);
	region_new(HUGE, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(at(HUGE), HUGE_SIZE, MADV_HUGEPAGE);
	memset(at(HUGE), 0x48, HUGE_SIZE);
	region_new(ARGS, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	region_new(LOCKED_PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	region_new(CHECK, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1);
	region_new(BITS, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	close(memfd);
	memory_dirty = true;
}

static void memory_begin(void)
{
	if (memory_dirty) {
		for (unsigned int i = 0; i < ARENA_PAGES * PAGE / 8; i++)
			((uint64_t *)at(ARENA))[i] = i * 0x9e3779b97f4a7c15;
		memset(at(SHARED), 0x53, SHARED_PAGES * PAGE);
	}
	memory_dirty = false;
	region_new(FRESH, FRESH_PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static uint64_t hash_words(uint64_t hash, uint64_t where, size_t size)
{
	const uint64_t *word = at(where);

	for (size_t i = 0; i < size / 8; i++)
		hash = (hash ^ word[i]) * 0x100000001b3;
	return hash;
}

/* ---- arguments in memory ---- */

static void *put(const struct op *op, const void *data, size_t size)
{
	uint8_t *args = at(ARGS);

	switch (op->place) {
	case NIL:
		return NULL;
	case HOLE:
		return args + PAGE;
	case ACROSS:
		memcpy(args + PAGE - 8, data, size < 8 ? size : 8);
		return args + PAGE - 8;
	case LOCKED:
		mprotect(at(LOCKED_PAGE), PAGE, PROT_READ | PROT_WRITE);
		memcpy(at(LOCKED_PAGE), data, size);
		mprotect(at(LOCKED_PAGE), PAGE, PROT_READ);
		return at(LOCKED_PAGE);
	case KERNEL:
		return at(0xffff800000000000);
	default:
		memcpy(args, data, size);
		return args;
	}
}

/* An ioctl whose argument of @size bytes, at most 512, is told back from its second word on. */
static void call_struct(const struct op *op, struct answer *a, unsigned long request,
			const void *data, size_t size, unsigned int words)
{
	const uint32_t *back = at(ARGS);

	a->ret = sys(ioctl(fds[op->fd], request, put(op, data, size)));
	if (op->place != GOOD)
		return;
	a->words = words;
	for (unsigned int i = 0; i < words; i++)
		a->word[i] = back[i];
}

/* ---- the calls ---- */

static void slot_close(unsigned int slot)
{
	if (slot >= NONE_FD)
		return;
	if (fds[slot] >= 0)
		close(fds[slot]);
	fds[slot] = -1;
	edu_of[slot] = -1;
	file_of[slot] = 0;
}

static void slot_fill(unsigned int slot, struct answer *a)
{
	slot_close(slot);
	if (a->ret < 0)
		return;
	a->fd = true;
	fds[slot] = (int)a->ret;
	nr_files++;
	file_of[slot] = (uint8_t)nr_files;
	files[nr_files] = (struct file){ };
}

/* ---- what is likely ---- */

/*
 * The generator's own idea of what is open, so that most calls are made of something that is. No
 * answer ever corrects it.
 *
 * @ready: a container has an IOMMU
 * @edu: of a group or device
 */
static struct likely {
	bool open;
	bool ready;
	uint8_t edu;
	uint8_t container;
} likely[SLOTS];

static struct likely_map {
	uint8_t container;
	uint64_t iova, size;
} maps[16];
static unsigned int nr_maps;
static bool likely_window[REGS_SLOTS];

static bool overlaps(const struct likely_map *m, const struct op *op)
{
	return m->container == op->fd && op->v[0] < m->iova + m->size &&
	       m->iova < op->v[0] + op->v[2];
}

static void maps_forget(unsigned int container, uint64_t iova, uint64_t size)
{
	for (unsigned int i = 0; i < nr_maps; )
		if (maps[i].container == container && maps[i].iova - iova < size)
			maps[i] = maps[--nr_maps];
		else
			i++;
}

/* One of @n slots, which is likely to be open. */
static uint8_t open_slot(unsigned int first, unsigned int n)
{
	unsigned int start = below(n), slot;

	for (unsigned int i = 0; i < n; i++) {
		slot = first + (start + i) % n;
		if (likely[slot].open)
			return (uint8_t)slot;
	}
	return (uint8_t)(first + start);
}

static uint8_t any_slot(void)
{
	return (uint8_t)below(SLOTS);
}

static uint8_t a_container(void)
{
	unsigned int slot = C0 + below(2);

	if (one_in(40))
		return any_slot();
	if (!one_in(10) && !likely[slot].ready)
		slot = C0 + C1 - slot;
	return (uint8_t)slot;
}

static uint8_t a_group(void)
{
	return one_in(40) ? any_slot() : one_in(16) ? (uint8_t)(G0 + below(3)) : open_slot(G0, 3);
}

static uint8_t a_device(void)
{
	return one_in(40) ? any_slot() : one_in(16) ? (uint8_t)(D0 + below(4)) : open_slot(D0, 4);
}

static uint8_t a_place(void)
{
	return one_in(24) ? (uint8_t)below(PLACES) : GOOD;
}

static uint32_t an_argsz(uint32_t right)
{
	const uint32_t sizes[] = { 0, 1, 4, 8, right - 1, right - 4, right + 1, right + 8, 64, 4096,
				   0x7fffffff, 0xffffffff };

	return one_in(12) ? PICK(sizes) : right;
}

static void make_container(struct op *op)
{
	op->fd = a_container();
}

static void make_group(struct op *op)
{
	op->fd = a_group();
}

static void make_device(struct op *op)
{
	op->fd = a_device();
}

static void make_c_open(struct op *op)
{
	op->to = (uint8_t)(C0 + below(2));
	op->v[0] = one_in(16);
}

static void run_c_open(const struct op *op, struct answer *a)
{
	a->ret = sys(open("/dev/vfio/vfio", op->v[0] ? O_RDONLY : O_RDWR));
	slot_fill(op->to, a);
}

static void make_g_open(struct op *op)
{
	op->to = (uint8_t)(G0 + below(3));
	op->v[0] = op->to == G2 ? below(2) : (unsigned int)op->to - G0;
}

static void run_g_open(const struct op *op, struct answer *a)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_number[op->v[0]]);
	a->ret = sys(open(path, O_RDWR));
	slot_fill(op->to, a);
}

static void make_close(struct op *op)
{
	static const uint8_t some[] = { C0, C1, G0, G1, G2, D0, D1, D2, D3, D2, D3, T0, T1, A0,
					A1 };

	op->to = PICK(some);
	if (!likely[op->to].open)
		op->to = PICK(some);
}

static void run_close(const struct op *op, struct answer *a)
{
	a->ret = fds[op->to] >= 0;
	slot_close(op->to);
}

/* Eventfds are not mixed up: one that both fires and unmasks a line would never come to rest. */
static void make_dup(struct op *op)
{
	static const uint8_t pairs[][2] = {
		{ C0, C1 }, { C1, C0 }, { G0, G2 }, { G1, G2 }, { D0, D2 }, { D0, D3 }, { D1, D2 },
		{ D1, D3 }, { D2, D0 }, { D3, D1 }, { T0, T1 }, { T1, T2 }, { A0, A1 }, { G0, C1 },
		{ D0, G2 }, { C0, D3 },
	};
	const uint8_t *pair = PICK(pairs);

	for (unsigned int i = 0; i < 4 && !likely[pair[0]].open; i++)
		pair = PICK(pairs);
	op->fd = pair[0];
	op->to = pair[1];
}

static void run_dup(const struct op *op, struct answer *a)
{
	a->ret = sys(dup(fds[op->fd]));
	slot_fill(op->to, a);
	if (!a->fd)
		return;
	edu_of[op->to] = edu_of[op->fd];
	file_of[op->to] = file_of[op->fd];
}

static void run_api(const struct op *op, struct answer *a)
{
	a->ret = sys(ioctl(fds[op->fd], VFIO_GET_API_VERSION, 0));
}

static void make_check(struct op *op)
{
	static const uint64_t odd[] = { 0x7fffffff, 0xffffffff, 0x100000001, ~0ull };

	op->fd = a_container();
	op->v[0] = one_in(8) ? PICK(odd) : below(14);
}

static void run_check(const struct op *op, struct answer *a)
{
	a->ret = sys(ioctl(fds[op->fd], VFIO_CHECK_EXTENSION, op->v[0]));
}

static void make_set_iommu(struct op *op)
{
	/* Not 6: the kernel has it and evfio has not. */
	static const uint64_t odd[] = { 0, 2, 4, 5, 7, 8, 9, 10, 12345, 0x100000001, ~0ull };

	op->fd = a_container();
	op->v[0] = one_in(8) ? PICK(odd) : one_in(4) ? VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU;
}

static void run_set_iommu(const struct op *op, struct answer *a)
{
	a->ret = sys(ioctl(fds[op->fd], VFIO_SET_IOMMU, op->v[0]));
	if (!a->ret)
		files[file_of[op->fd]].v2 = op->v[0] == VFIO_TYPE1v2_IOMMU;
}

static void make_iommu_info(struct op *op)
{
	static const uint32_t sizes[] = { 0, 4, 8, 15, 16, 17, 20, 23, 24, 25, 32, 40, 60, 80, 96,
					  112, 120, 128, 136, 144, 160 };

	op->fd = a_container();
	op->place = a_place();
	op->argsz = one_in(4) ? PICK(sizes) : 512;
}

static void run_iommu_info(const struct op *op, struct answer *a)
{
	union {
		struct vfio_iommu_type1_info info;
		uint8_t room[512];
	} in = { .info.argsz = op->argsz }, *back = at(ARGS);
	const struct vfio_info_cap_header *cap;
	const uint64_t *wide;
	uint32_t next, argsz;

	a->ret = sys(ioctl(fds[op->fd], VFIO_IOMMU_GET_INFO, put(op, &in, sizeof(in))));
	if (a->ret || op->place != GOOD)
		return;
	argsz = back->info.argsz;
	a->word[0] = argsz;
	a->word[1] = back->info.flags;
	a->word[2] = back->info.iova_pgsizes;
	a->words = 3;
	if (argsz < sizeof(in) || !(back->info.flags & VFIO_IOMMU_INFO_CAPS))
		return;
	for (uint16_t id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	     id <= VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL; id++) {
		for (next = back->info.cap_offset; next; next = cap->next) {
			cap = (const void *)(back->room + next);
			if (cap->id == id)
				break;
		}
		if (!next)
			continue;
		a->word[a->words++] = (uint64_t)cap->id << 32 | cap->version;
		if (id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL) {
			a->word[a->words++] = ((const uint32_t *)cap)[2];
			continue;
		}
		wide = (const uint64_t *)cap;
		if (id == VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION) {
			a->word[a->words++] = ((const uint32_t *)cap)[2];
			a->word[a->words++] = wide[2];
			a->word[a->words++] = wide[3];
			continue;
		}
		for (uint32_t i = 0; i < ((const uint32_t *)cap)[2] * 2 && a->words < 18; i++)
			a->word[a->words++] = wide[2 + i];
	}
}

static uint64_t an_iova(void)
{
	static const uint64_t edges[] = {
		0, PAGE, 0x7fff000, 0x7ffe000, 0x8000000, 0x80ff000, 0x8100000, 0xffffffff000,
		0xfffffffff000, 0x1000000000000, 0x7ffffffffffff000, 0xfffffffffffff000,
		0xffffffffffffe000, 0x1000001, 0x1000800, 0xffffffffffffffff, 0x40000000,
		0x3fe00000, 0x200000, 0x100000000,
	};

	if (one_in(8))
		return PICK(edges);
	return IOVA + below(64) * PAGE;
}

static uint64_t a_size(void)
{
	static const uint64_t edges[] = {
		0, 1, 0x800, PAGE + 1, HUGE_SIZE, HUGE_SIZE + PAGE, 0x7fffffffffffffff,
		0xfffffffffffff000, 0xffffffffffffffff, 0x8000000000000000, 0x100000000,
		ARENA_PAGES * PAGE, 0x1000000000000,
	};

	if (one_in(10))
		return PICK(edges);
	return one_in(2) ? PAGE : (1 + below(one_in(4) ? 40 : 10)) * PAGE;
}

static uint64_t a_vaddr(void)
{
	static const uint64_t edges[] = {
		GAP - PAGE, GAP - 4 * PAGE, GAP, RDONLY, RDONLY, RDONLY + 2 * PAGE, SHARED, SHARED,
		SHARED + 8 * PAGE, HUGE, HUGE, HUGE + PAGE, FRESH, FRESH, FRESH + PAGE, 0, 1,
		ARENA + 1, ARENA + 0x800, 0xffff800000000000, 0xfffffffffffff000, REGS,
		REGS + REGS_STEP, 0xff00000200000000 /* tagged ARENA */, LOCKED_PAGE,
	};

	if (one_in(6))
		return PICK(edges);
	return ARENA + below(one_in(8) ? ARENA_PAGES : ARENA_PAGES / 2) * PAGE;
}

static void make_map(struct op *op)
{
	static const uint64_t flags[] = { 0, 4, 7, 5, 8, 0x80000003, 0xffffffff, 4 };

	op->fd = a_container();
	op->place = a_place();
	op->argsz = an_argsz(sizeof(struct vfio_iommu_type1_dma_map));
	op->v[2] = a_size();
	op->v[1] = one_in(16) ? REGS + below(REGS_SLOTS) * REGS_STEP + below(2) * PAGE : a_vaddr();
	if (op->v[2] == HUGE_SIZE && !one_in(4))
		op->v[1] = HUGE;
	if (pci && op->v[1] >= REGS && op->v[1] < REGS + REGS_STEP * REGS_SLOTS)
		op->v[1] = ARENA;
	op->v[0] = an_iova();
	op->v[3] = one_in(20) ? PICK(flags) : one_in(6) ? 1 : one_in(8) ? 2 : 3;
	if (!one_in(6))
		for (unsigned int i = 0; i < nr_maps; i++)
			if (overlaps(&maps[i], op))
				op->v[0] = maps[i].iova + maps[i].size;
	if (one_in(12))
		op->v[3] = VFIO_DMA_MAP_FLAG_VADDR;
	if (op->v[3] != VFIO_DMA_MAP_FLAG_VADDR)
		return;
	if (nr_maps && !one_in(8)) {
		const struct likely_map *m = &maps[below(nr_maps)];

		op->fd = m->container;
		op->v[0] = m->iova + (one_in(8) ? PAGE : 0);
		op->v[2] = m->size - (one_in(8) ? PAGE : 0);
	}
	if (op->v[0] + op->v[2] < op->v[0] || op->v[1] + op->v[2] < op->v[1]) {
		op->v[1] = ARENA;
		op->v[2] = PAGE;
	}
}

static void run_map(const struct op *op, struct answer *a)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = op->argsz, .flags = (uint32_t)op->v[3], .vaddr = op->v[1],
		.iova = op->v[0], .size = op->v[2],
	};

	call_struct(op, a, VFIO_IOMMU_MAP_DMA, &map, sizeof(map), 8);
}

/* v[3]: bytes a bit, v[4]: bytes of the bitmap, v[5]: where it is. */
static void make_bitmap(struct op *op)
{
	static const uint64_t pgsizes[] = { 0, 1, PAGE / 2, 2 * PAGE, PAGE + 1, HUGE_SIZE,
					    1ull << 63 };
	static const uint64_t rooms[] = { 0, 7, 9, 16, 1 << 28, (1 << 28) + 1, ~0ull };
	static const uint64_t wheres[] = { 0, BITS + PAGE, 0xffff800000000000, LOCKED_PAGE };

	op->v[3] = one_in(16) ? PICK(pgsizes) : PAGE;
	op->v[4] = one_in(10) ? PICK(rooms) : BITS_WORDS * 8;
	op->v[5] = one_in(16) ? PICK(wheres) : BITS;
}

static void bitmap_arg(const struct op *op, struct dirty_arg *arg)
{
	arg->bitmap = (struct vfio_bitmap){ op->v[3], op->v[4], at(op->v[5]) };
	memset(at(BITS), 0, BITS_WORDS * 8);
}

/* What it tells. The kernel's log would tell more the next time, and so is begun anew. */
static void bitmap_back(const struct op *op, struct answer *a, bool told)
{
	const int c = fds[op->fd];

	for (unsigned int i = 0; i < BITS_WORDS && told; i++)
		a->word[a->words++] = ((const uint64_t *)at(BITS))[i];
	if (!told && !(a->ret == -EFAULT && files[file_of[op->fd]].tracking))
		return;
	dirty_track(c, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
	dirty_track(c, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

static void make_unmap(struct op *op)
{
	static const uint64_t flags[] = { VFIO_DMA_UNMAP_FLAG_ALL, VFIO_DMA_UNMAP_FLAG_ALL,
					  VFIO_DMA_UNMAP_FLAG_ALL, 8, 0xffffffff, 0x80000000,
					  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
					  VFIO_DMA_UNMAP_FLAG_VADDR };

	op->fd = a_container();
	op->place = a_place();
	op->argsz = an_argsz(offsetof(struct vfio_iommu_type1_dma_unmap, data));
	op->v[0] = an_iova();
	op->v[1] = a_size();
	if (nr_maps && !one_in(3)) {
		const struct likely_map *m = &maps[below(nr_maps)];

		if (!one_in(10))
			op->fd = m->container;
		op->v[0] = m->iova;
		op->v[1] = m->size + (one_in(4) ? below(12) * PAGE : 0);
		if (one_in(10))
			op->v[0] -= PAGE;
		if (one_in(10))
			op->v[1] -= PAGE;
	}
	if (one_in(24))
		op->v[1] = -op->v[0];
	if (one_in(10))
		op->v[2] = PICK(flags);
	if (op->v[2] == VFIO_DMA_UNMAP_FLAG_ALL && !one_in(3)) {
		op->v[0] = 0;
		op->v[1] = 0;
	}
	if (one_in(6))
		op->v[2] = one_in(4) ? VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP :
				       VFIO_DMA_UNMAP_FLAG_VADDR;
	if (op->v[2] == VFIO_DMA_UNMAP_FLAG_VADDR && one_in(4)) {
		op->v[0] = 0;
		op->v[1] = 0;
		op->v[2] |= VFIO_DMA_UNMAP_FLAG_ALL;
	}
	/* For others the kernel's answers at the end of the world are known. */
	if (op->v[2] && op->v[1] && op->v[0] + op->v[1] <= op->v[0]) {
		op->v[0] = IOVA;
		op->v[1] = PAGE;
	}
	make_bitmap(op);
	/* One that is good in part would unmap in part with the kernel. */
	if (op->v[1] > BITS_WORDS * 64 * PAGE)
		op->v[4] = BITS_WORDS * 8;
	if (one_in(12))
		op->argsz = an_argsz(sizeof(struct dirty_arg));
	else if (op->v[2] == VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		op->argsz = sizeof(struct dirty_arg);
}

static void run_unmap(const struct op *op, struct answer *a)
{
	struct dirty_arg in = { op->argsz, (uint32_t)op->v[2], op->v[0], op->v[1], { 0 } };
	uint64_t rest, done;

	bitmap_arg(op, &in);
	call_struct(op, a, VFIO_IOMMU_UNMAP_DMA, &in, sizeof(in), 6);
	if (op->v[2] == VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP)
		bitmap_back(op, a, !a->ret);
	/*
	 * Of a range that ends at the last address the kernel unmaps nothing. All but its last page
	 * (no mapping is there) is unmapped once more, which has to be nothing with evfio.
	 */
	if (!op->v[0] || op->v[0] + op->v[1] || (a->ret && op->place != LOCKED))
		return;
	rest = (uint64_t)dma_unmap(fds[op->fd], op->v[0], op->v[1] - PAGE);
	if (op->v[1] == PAGE)
		rest = 0;
	if (!a->words)
		return;
	done = a->word[5] << 32 | a->word[4];
	a->word[4] = kernel_side ? rest : done;
	a->word[5] = kernel_side ? done : rest;
}

static void make_dirty(struct op *op)
{
	static const uint64_t flags[] = { VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
					  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
					  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, 0, 3, 8 };

	op->fd = a_container();
	op->place = a_place();
	op->argsz = an_argsz(sizeof(struct dirty_arg));
	op->v[0] = one_in(2) ? VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP : one_in(2) ? flags[0] :
			       PICK(flags);
	op->v[1] = an_iova();
	op->v[2] = a_size();
	if (nr_maps && !one_in(3)) {
		const struct likely_map *m = &maps[below(nr_maps)];

		op->fd = m->container;
		op->v[1] = m->iova - (one_in(2) ? below(12) * PAGE : 0);
		op->v[2] = m->iova + m->size - op->v[1] + (one_in(2) ? below(12) * PAGE : 0);
	}
	if (op->v[1] + op->v[2] < op->v[1]) {
		op->v[1] = IOVA;
		op->v[2] = PAGE;
	}
	make_bitmap(op);
}

static void run_dirty(const struct op *op, struct answer *a)
{
	struct dirty_arg in = { op->argsz, (uint32_t)op->v[0], op->v[1], op->v[2], { 0 } };
	const bool get = op->v[0] == VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;

	bitmap_arg(op, &in);
	call_struct(op, a, VFIO_IOMMU_DIRTY_PAGES, &in, sizeof(in), 0);
	if (get)
		bitmap_back(op, a, !a->ret);
	else if (!a->ret)
		files[file_of[op->fd]].tracking = op->v[0] == VFIO_IOMMU_DIRTY_PAGES_FLAG_START;
}

static void make_unknown(struct op *op)
{
	static const uint64_t numbers[] = {
		_IO(VFIO_TYPE, VFIO_BASE + 24), _IO(VFIO_TYPE, VFIO_BASE + 99), _IO('?', 1), 0,
		0x5401 /* TCGETS */, VFIO_DEVICE_PCI_HOT_RESET, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
		VFIO_DEVICE_GET_INFO, VFIO_GROUP_GET_STATUS, VFIO_GET_API_VERSION,
		VFIO_DEVICE_RESET,
		VFIO_IOMMU_GET_INFO, VFIO_IOMMU_ENABLE, VFIO_IOMMU_DISABLE, VFIO_EEH_PE_OP,
		VFIO_GROUP_UNSET_CONTAINER, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_IOEVENTFD,
		VFIO_DEVICE_QUERY_GFX_PLANE, _IOWR(';', 100 + 4, int), _IOR(';', 100, long),
	};

	op->fd = one_in(3) ? a_container() : one_in(2) ? a_group() : a_device();
	op->place = one_in(2) ? NIL : HOLE;
	op->v[0] = PICK(numbers);
}

/* At no argument. Only devices have a reset, and that has a call of its own. */
static void run_unknown(const struct op *op, struct answer *a)
{
	if (op->v[0] == VFIO_DEVICE_RESET && edu_of[op->fd] >= 0)
		return;
	a->ret = sys(ioctl(fds[op->fd], op->v[0], put(op, "", 1)));
}

static void make_status(struct op *op)
{
	op->fd = a_group();
	op->place = a_place();
	op->argsz = an_argsz(sizeof(struct vfio_group_status));
}

static void run_status(const struct op *op, struct answer *a)
{
	struct vfio_group_status status = { .argsz = op->argsz, .flags = 0xa5a5a5a5 };

	call_struct(op, a, VFIO_GROUP_GET_STATUS, &status, sizeof(status), 2);
}

static void make_set_container(struct op *op)
{
	op->fd = a_group();
	op->place = a_place();
	op->v[0] = a_container();
}

static void run_set_container(const struct op *op, struct answer *a)
{
	call_struct(op, a, VFIO_GROUP_SET_CONTAINER, &fds[op->v[0]], sizeof(int), 0);
}

static void run_unset_container(const struct op *op, struct answer *a)
{
	a->ret = sys(ioctl(fds[op->fd], VFIO_GROUP_UNSET_CONTAINER, 0));
}

static const char *const names[] = {
	EDU0, EDU1, EDU2, "", "nothing", EDU0 "x", "10000000.ed", EDU0 " ", EDU0 "\n",
	EDU1 " vf_token=00000000-0000-0000-0000-000000000000",
};

static void make_get_fd(struct op *op)
{
	op->fd = a_group();
	op->place = a_place();
	op->to = (uint8_t)(D0 + below(4));
	op->v[0] = one_in(12) ? below(ARRAY_SIZE(names)) : likely[op->fd].edu;
}

/* Have an interrupt that is still to come. Leaves the line without a trigger. */
static void forget_edge(int device)
{
	int efd = efd_new(0);

	irq_trigger(device, 0, efd);
	efd_take(efd, 1);
	irq_trigger(device, 0, -1);
	close(efd);
}

/*
 * An edge that came while nobody had the device is the kernel's next user's, and nobody's with
 * evfio: before the first use it is taken away.
 */
static void run_get_fd(const struct op *op, struct answer *a)
{
	const char *name = pci ? pci_name(op->v[0]) : names[op->v[0]];
	const int8_t edu = op->v[0] < 2 || !pci ? (int8_t)op->v[0] : 0;
	bool open = false;

	a->ret = sys(ioctl(fds[op->fd], VFIO_GROUP_GET_DEVICE_FD,
			   put(op, name, strlen(name) + 1)));
	/* The slot stays as it is if the call fails. */
	if (a->ret < 0)
		return;
	for (unsigned int i = D0; i <= D3; i++)
		open |= i != op->to && edu_of[i] == edu;
	slot_fill(op->to, a);
	edu_of[op->to] = edu;
	if (edge_raised && edu == 1 && !open && !pci)
		forget_edge(fds[op->to]);
}

static void make_get_info(struct op *op)
{
	op->fd = a_device();
	op->place = a_place();
	op->argsz = an_argsz(offsetof(struct vfio_device_info, num_irqs) + 4);
}

static void run_get_info(const struct op *op, struct answer *a)
{
	union {
		struct vfio_device_info info;
		uint32_t room[8];
	} in = { .info.argsz = op->argsz };

	call_struct(op, a, VFIO_DEVICE_GET_INFO, &in, sizeof(in), 6);
}

static uint32_t an_index(void)
{
	static const uint32_t odd[] = { 1, 2, 0x7fffffff, 0x80000000, 0xffffffff };

	return one_in(6) ? PICK(odd) : 0;
}

static void make_region_info(struct op *op)
{
	op->fd = a_device();
	op->place = a_place();
	op->argsz = an_argsz(sizeof(struct vfio_region_info));
	op->v[0] = an_index();
}

static void run_region_info(const struct op *op, struct answer *a)
{
	struct vfio_region_info info = { .argsz = op->argsz, .index = (uint32_t)op->v[0],
					 .flags = 0xa5a5a5a5, .cap_offset = 7 };

	call_struct(op, a, VFIO_DEVICE_GET_REGION_INFO, &info, sizeof(info), 8);
}

static void make_irq_info(struct op *op)
{
	op->fd = a_device();
	op->place = a_place();
	op->argsz = an_argsz(sizeof(struct vfio_irq_info));
	op->v[0] = an_index();
}

static void run_irq_info(const struct op *op, struct answer *a)
{
	struct vfio_irq_info info = { .argsz = op->argsz, .index = (uint32_t)op->v[0] };

	call_struct(op, a, VFIO_DEVICE_GET_IRQ_INFO, &info, sizeof(info), 4);
}

#define IRQ_HEAD	((uint32_t)sizeof(struct vfio_irq_set))

/* v: flags, index, start, count, slot of the eventfd, value of the boolean */
static void make_set_irqs(struct op *op)
{
	static const uint32_t odd[] = { 2, 0x40000001, 0x7fffffff, 0x80000000, 0xffffffff };
	static const uint8_t no_eventfd[] = { C0, G0, D0, NULL_FD, BAD_FD };
	const uint32_t none = VFIO_IRQ_SET_DATA_NONE, boolean = VFIO_IRQ_SET_DATA_BOOL;
	const uint32_t eventfd = VFIO_IRQ_SET_DATA_EVENTFD, trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t mask = VFIO_IRQ_SET_ACTION_MASK, unmask = VFIO_IRQ_SET_ACTION_UNMASK;
	uint32_t data = 0, slot = NONE_FD;

	op->fd = a_device();
	op->place = a_place();
	op->v[3] = 1;
	op->v[5] = one_in(3) ? 0 : one_in(4) ? 0xff : 1;
	switch (below(10)) {
	case 0: case 1: case 2:
		op->v[0] = eventfd | trigger;
		slot = one_in(8) ? T0 + below(3) : open_slot(T0, 3);
		break;
	case 3:
		op->v[0] = none | mask;
		break;
	case 4: case 5:
		op->v[0] = none | unmask;
		break;
	case 6:
		op->v[0] = eventfd | (one_in(2) ? mask : unmask);
		slot = one_in(8) ? A0 + below(2) : open_slot(A0, 2);
		break;
	case 7:
		op->v[0] = (one_in(2) ? none : boolean) | trigger;
		break;
	case 8:
		op->v[0] = boolean | (one_in(2) ? mask : unmask);
		break;
	default:
		op->v[0] = none | trigger;
		op->v[3] = 0;
	}
	if (op->v[0] & eventfd && one_in(6))
		slot = one_in(2) ? NONE_FD : PICK(no_eventfd);
	op->v[4] = slot;
	if (one_in(10))
		op->v[0] = below(64);
	if (one_in(40))
		op->v[0] |= 1ull << below(32);
	if (one_in(24))
		op->v[1] = PICK(odd);
	if (one_in(24))
		op->v[1] = 1;
	if (one_in(24))
		op->v[2] = one_in(2) ? 1 : PICK(odd);
	if (one_in(24))
		op->v[3] = one_in(3) ? 0 : PICK(odd);
	if (op->v[0] & eventfd)
		data = 4;
	else if (op->v[0] & boolean)
		data = 1;
	op->argsz = one_in(16) ? an_argsz(IRQ_HEAD) : an_argsz(IRQ_HEAD + data);
	/* A random action must not make a trigger's eventfd a masking one, nor the other way. */
	if (op->v[0] & eventfd) {
		if (op->v[0] & trigger && op->v[4] >= A0 && op->v[4] < NONE_FD)
			op->v[4] = T0;
		if (op->v[0] & (mask | unmask) && op->v[4] >= T0 && op->v[4] < A0)
			op->v[4] = A0;
	}
}

static void run_set_irqs(const struct op *op, struct answer *a)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[128];
	} in = { .set = { .argsz = op->argsz, .flags = (uint32_t)op->v[0],
			  .index = (uint32_t)op->v[1], .start = (uint32_t)op->v[2],
			  .count = (uint32_t)op->v[3] } };

	if (op->v[0] & VFIO_IRQ_SET_DATA_EVENTFD)
		memcpy(in.set.data, &fds[op->v[4]], sizeof(int));
	else
		in.set.data[0] = (uint8_t)op->v[5];
	if (op->place == HOLE) {
		/* Rather the data than the head. */
		memcpy(at(ARGS + PAGE - IRQ_HEAD), &in, IRQ_HEAD);
		a->ret = sys(ioctl(fds[op->fd], VFIO_DEVICE_SET_IRQS, at(ARGS + PAGE - IRQ_HEAD)));
		return;
	}
	call_struct(op, a, VFIO_DEVICE_SET_IRQS, &in, sizeof(in), 0);
}

static void run_reset(const struct op *op, struct answer *a)
{
	a->ret = sys(ioctl(fds[op->fd], VFIO_DEVICE_RESET, 0));
}

static void make_feature(struct op *op)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 7, 10, 0xffff };

	op->fd = a_device();
	op->place = a_place();
	op->argsz = an_argsz(8 + (one_in(2) ? 0 : 16));
	op->v[0] = PICK(numbers) | below(8) << 16;
	if (one_in(8))
		op->v[0] |= 1ull << (19 + below(13));
}

static void run_feature(const struct op *op, struct answer *a)
{
	union {
		struct vfio_device_feature feature;
		uint8_t room[64];
	} in = { .feature = { .argsz = op->argsz, .flags = (uint32_t)op->v[0] } };

	call_struct(op, a, VFIO_DEVICE_FEATURE, &in, sizeof(in), 4);
}

static uint64_t a_position(uint64_t offset)
{
	static const uint64_t odd[] = { 1ull << 40, 2ull << 40, 0xffull << 40, 0x7fffffull << 40,
					1ull << 63, ~0ull, EDU_SIZE, EDU_SIZE + 4, 1ull << 39,
					EDU_SIZE + 1, (1ull << 40) - 1 };

	return one_in(16) ? PICK(odd) : offset;
}

/*
 * Whole 32-bit registers only: edu takes nothing narrower, and the kernel's own module would die of
 * it. Of what can be written: nothing that starts a factorial, which ends when it likes, nor a
 * transfer, which dma is for.
 */
static void make_pread(struct op *op)
{
	static const uint64_t offsets[] = { 0, 4, 0x20, 0x24, 0x60, 0x80, 0x88, 0x98, 0x1000,
					    EDU_SIZE - 4, EDU_SIZE - 16 };

	op->fd = a_device();
	op->place = a_place();
	op->v[0] = a_position(PICK(offsets));
	op->v[1] = one_in(4) ? (1 + below(one_in(8) ? 1024 : 32)) * 4 : one_in(12) ? 0 : 4;
}

static void run_pread(const struct op *op, struct answer *a)
{
	static const uint8_t zeros[256];
	const uint32_t *back = at(ARGS);

	a->ret = sys(pread(fds[op->fd], put(op, zeros, sizeof(zeros)), op->v[1], (off_t)op->v[0]));
	if (op->place != GOOD)
		return;
	a->words = 8;
	for (unsigned int i = 0; i < a->words; i++)
		a->word[i] = back[i];
}

static void make_pwrite(struct op *op)
{
	static const uint64_t offsets[] = { 4, 4, 4, 0x24, 0x28, 0x60, 0x64, 0x1000,
					    EDU_SIZE - 4, EDU_SIZE - 16 };

	op->fd = a_device();
	op->place = a_place();
	op->v[2] = PICK(offsets);
	op->v[0] = a_position(op->v[2]);
	op->v[1] = one_in(12) ? 0 : 4;
	if (op->v[2] >= 0x1000 && one_in(2))
		op->v[1] = (1 + below(100)) * 4;
	op->v[3] = op->v[2] == 0x60 || op->v[2] == 0x64 ? 1u << below(10) : (uint32_t)rnd();
}

static void run_pwrite(const struct op *op, struct answer *a)
{
	uint32_t data[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = (uint32_t)op->v[3] + i;
	if (op->v[0] == 0x60 && edu_of[op->fd] == 1)
		edge_raised = true;
	a->ret = sys(pwrite(fds[op->fd], put(op, data, sizeof(data)), op->v[1], (off_t)op->v[0]));
}

static void run_read(const struct op *op, struct answer *a)
{
	uint32_t data = 0;

	a->ret = sys(read(fds[op->fd], &data, sizeof(data)));
	a->word[0] = data;
	a->words = 1;
	if (a->ret > 0)
		files[file_of[op->fd]].position += (uint64_t)a->ret;
}

/* Of nothing: where the kernel's position stays, evfio's would come to registers that do things. */
static void run_write(const struct op *op, struct answer *a)
{
	a->ret = sys(write(fds[op->fd], "", 0));
}

static void make_poll(struct op *op)
{
	op->fd = one_in(2) ? a_container() : one_in(2) ? a_group() : a_device();
}

static void run_poll(const struct op *op, struct answer *a)
{
	struct pollfd pfd = { .fd = fds[op->fd],
			      .events = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM };

	a->ret = sys(poll(&pfd, 1, 0));
	a->words = 1;
	a->word[0] = (uint64_t)pfd.revents;
}

static void run_lseek(const struct op *op, struct answer *a)
{
	a->ret = sys(lseek(fds[op->fd], 0, SEEK_CUR));
}

/* v: window, offset, length, protection, flags */
static void make_mmap(struct op *op)
{
	static const uint64_t offsets[] = { PAGE, 0x10000, EDU_SIZE - PAGE, EDU_SIZE, 1ull << 40,
					    (1ull << 40) - PAGE, 0xffull << 40, 1ull << 39,
					    1ull << 62 };
	static const uint64_t lengths[] = { 1, 0x800, 2 * PAGE, EDU_SIZE - PAGE, EDU_SIZE,
					    EDU_SIZE, EDU_SIZE + PAGE, REGS_STEP };
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC,
					   PROT_READ | PROT_WRITE | PROT_EXEC };

	op->fd = one_in(24) ? any_slot() : a_device();
	op->v[0] = below(REGS_SLOTS);
	op->v[1] = one_in(3) ? PICK(offsets) : 0;
	op->v[2] = one_in(2) ? PICK(lengths) : PAGE;
	op->v[3] = (uint64_t)(one_in(4) ? PICK(protections) : PROT_READ | PROT_WRITE);
	op->v[4] = one_in(10) ? MAP_PRIVATE : MAP_SHARED;
}

static void regs_unmap(unsigned int window)
{
	if (windows[window].size)
		munmap(at(REGS + window * REGS_STEP), REGS_STEP);
	windows[window].size = 0;
}

static void run_mmap(const struct op *op, struct answer *a)
{
	void *p;

	/* eventfds and /dev/null are not what is being tested */
	regs_unmap((unsigned int)op->v[0]);
	p = mmap(at(REGS + op->v[0] * REGS_STEP), op->v[2], (int)op->v[3],
		 (int)op->v[4] | MAP_FIXED, fds[op->fd], (off_t)op->v[1]);
	a->ret = p == MAP_FAILED ? -errno : 0;
	if (!a->ret)
		windows[op->v[0]] = (struct window){
			(op->v[2] + PAGE - 1) & -PAGE, (int)op->v[3], (int)op->v[3], false,
		};
}

static unsigned int a_window(void)
{
	unsigned int window = below(REGS_SLOTS);

	for (unsigned int i = 0; i < 2 && !likely_window[window]; i++)
		window = (window + 1) % REGS_SLOTS;
	return window;
}

static void make_munmap(struct op *op)
{
	op->v[0] = a_window();
	op->v[1] = one_in(3);
	op->v[2] = one_in(3) ? below(3) : 0;
}

/* All of a window, its first page, or another protection for it. */
static void run_munmap(const struct op *op, struct answer *a)
{
	struct window *window = &windows[op->v[0]];
	void *where = at(REGS + op->v[0] * REGS_STEP);
	int prot = op->v[2] == 1 ? PROT_READ : PROT_READ | PROT_WRITE;

	if (op->v[2]) {
		a->ret = sys(mprotect(where, PAGE, prot));
	} else if (op->v[1]) {
		a->ret = sys(munmap(where, PAGE));
		prot = -1;
	} else {
		regs_unmap((unsigned int)op->v[0]);
		return;
	}
	if (a->ret)
		return;
	window->split |= prot != window->first_prot;
	window->first_prot = prot;
}

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

static void make_touch(struct op *op)
{
	static const uint64_t offsets[] = { 4, 4, 0, 0x24, PAGE, EDU_SIZE - 4, 0x20, PAGE - 4 };

	op->v[0] = a_window();
	op->v[1] = one_in(4) ? PICK(offsets) : one_in(3) ? 0 : 4;
	op->v[2] = one_in(2) && op->v[1] == 4;
	op->v[3] = (uint32_t)rnd();
	op->v[4] = one_in(8) ? 1u << below(4) : 4;
	if (op->v[4] == 8)
		op->v[1] &= -8ull;
}

/*
 * Read, or write the second register, which reads back inverted. edu answers to 4 bytes (to 8, with
 * all ones), and the access that it does not take is the process's fault, not the kernel's.
 */
static void run_touch(const struct op *op, struct answer *a)
{
	volatile void *reg = at(REGS + op->v[0] * REGS_STEP + op->v[1]);
	int sig = sigsetjmp(fault, 1);

	if (sig) {
		a->ret = -1000 - sig;
		return;
	}
	switch (op->v[4] | op->v[2] << 8) {
	case 0x001:
		a->word[0] = *(volatile uint8_t *)reg;
		break;
	case 0x002:
		a->word[0] = *(volatile uint16_t *)reg;
		break;
	case 0x004:
		a->word[0] = *(volatile uint32_t *)reg;
		break;
	case 0x008:
		a->word[0] = *(volatile uint64_t *)reg;
		break;
	case 0x101:
		*(volatile uint8_t *)reg = (uint8_t)op->v[3];
		break;
	case 0x102:
		*(volatile uint16_t *)reg = (uint16_t)op->v[3];
		break;
	default:
		*(volatile uint32_t *)reg = (uint32_t)op->v[3];
	}
	a->words = 1;
}

static void make_eventfd(struct op *op)
{
	op->to = (uint8_t)(T0 + below(5));
	op->v[0] = one_in(4);
}

static void run_eventfd(const struct op *op, struct answer *a)
{
	a->ret = sys(eventfd((unsigned int)op->v[0], EFD_NONBLOCK | EFD_CLOEXEC));
	slot_fill(op->to, a);
}

static void make_signal(struct op *op)
{
	op->fd = one_in(4) ? open_slot(T0, 3) : open_slot(A0, 2);
}

static void run_signal(const struct op *op, struct answer *a)
{
	uint64_t one = 1;

	a->ret = sys(write(fds[op->fd], &one, sizeof(one)));
}

static void make_count(struct op *op)
{
	op->fd = one_in(3) ? open_slot(A0, 2) : open_slot(T0, 3);
}

static void run_count(const struct op *op, struct answer *a)
{
	a->ret = sys(read(fds[op->fd], &a->word[0], 8));
	a->words = 1;
}

/* ---- the device, behind VFIO's back ---- */

static uint32_t reg_read(unsigned int edu, unsigned int reg)
{
	return *(volatile uint32_t *)(edu_regs[edu] + reg);
}

static void reg_write(unsigned int edu, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(edu_regs[edu] + reg) = value;
}

static void make_raise(struct op *op)
{
	op->v[0] = below(2);
	op->v[1] = 1u << below(4);
}

/* Raise an interrupt and let it come. */
static void run_raise(const struct op *op, struct answer *a)
{
	edge_raised |= op->v[0] == 1;
	reg_write((unsigned int)op->v[0], EDU_REG_RAISE, (uint32_t)op->v[1]);
	a->word[0] = reg_read((unsigned int)op->v[0], EDU_REG_IRQ);
	a->words = 1;
}

static void make_ack(struct op *op)
{
	op->v[0] = below(2);
}

static void run_ack(const struct op *op, struct answer *a)
{
	unsigned int edu = (unsigned int)op->v[0];

	a->word[0] = reg_read(edu, EDU_REG_IRQ);
	a->words = 1;
	reg_write(edu, EDU_REG_ACK, (uint32_t)a->word[0]);
}

/* Between memory and a device's buffer. It takes 100 ms, which cost nothing if the guest sleeps. */
static void transfer(unsigned int edu, uint64_t iova, uint32_t len, uint32_t cmd)
{
	struct dev d = { .name = edus[edu], .regs = edu_regs[edu], .size = EDU_SIZE };

	edu_dma_start(&d, iova, len, cmd);
	do
		sleep_ms(101);
	while (dev_read(&d, EDU_REG_DMA_CMD) & EDU_DMA_RUN);
	__sync_synchronize();
}

/* An address that is likely to be mapped; any page of what is. */
static uint64_t a_target(void)
{
	const struct likely_map *m = &maps[below(nr_maps)];

	if (!nr_maps || one_in(8))
		return an_iova();
	return m->iova + below((unsigned int)(m->size / PAGE)) * PAGE;
}

static void make_dma(struct op *op)
{
	static const uint32_t lengths[] = { 4, 64, 512, EDU_BUFFER_MAX, EDU_BUFFER_MAX };

	op->v[0] = below(2);
	op->v[1] = a_target() + below(2) * 0x100;
	op->v[2] = PICK(lengths);
	op->v[3] = one_in(2);
	op->v[4] = a_target();
}

/* The device writes to memory, perhaps what it read first; what then is everywhere. */
static void run_dma(const struct op *op, struct answer *a)
{
	uint64_t hash = 0xcbf29ce484222325;
	const uint64_t wide = (1ull << 48) - 1;		/* no more comes out of an edu */
	unsigned int edu = (unsigned int)op->v[0];

	if (op->v[3]) {
		transfer(edu, op->v[4] & wide, (uint32_t)op->v[2], 0);
		buffer_dirty = true;
	}
	transfer(edu, op->v[1] & wide, (uint32_t)op->v[2], EDU_DMA_STORE);
	memory_dirty = true;
	hash = hash_words(hash, ARENA, ARENA_PAGES * PAGE);
	hash = hash_words(hash, RDONLY, RDONLY_PAGES * PAGE);
	hash = hash_words(hash, SHARED, SHARED_PAGES * PAGE);
	hash = hash_words(hash, FRESH, FRESH_PAGES * PAGE);
	a->word[0] = hash_words(hash, HUGE, 16 * PAGE);
	a->words = 1;
}

static void make_discard(struct op *op)
{
	op->v[0] = ARENA + below(ARENA_PAGES) * PAGE;
	op->v[1] = (1 + below(4)) * PAGE;
}

/* Memory goes away under a mapping, which keeps its pages. */
static void run_discard(const struct op *op, struct answer *a)
{
	a->ret = sys(madvise(at(op->v[0]), op->v[0] + op->v[1] > GAP ? PAGE : op->v[1],
			     MADV_DONTNEED));
	memory_dirty = true;
}

static uint64_t text_hash;
static bool tell;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *c = text; *c; c++)
		text_hash = (text_hash ^ (uint8_t)*c) * 0x100000001b3;
	if (tell)
		fputs(text, stdout);
}

static void edu_settle(unsigned int edu)
{
	struct dev d = { .name = edus[edu], .regs = edu_regs[edu], .size = EDU_SIZE };

	edu_quiet(&d);
	reg_write(edu, EDU_REG_LIVE, 0);
}

#include "pci.h"

/* ---- all of them ---- */

enum call_number {
	C_OPEN, G_OPEN, SET_CONTAINER, UNSET_CONTAINER, SET_IOMMU, GET_FD, EVENTFD, SET_IRQS, MMAP,
	MUNMAP, CLOSE, DUP, MAP_DMA, UNMAP_DMA, PCI_IRQS, PCI_MMAP, CONFIG_WRITE,
	PCI_RAISE, PCI_COUNT, PCI_ACK, FIRST_OTHER
};

static const struct call calls[] = {
	[C_OPEN] = { "open_container", 1, make_c_open, run_c_open, "f", 1 },
	[G_OPEN] = { "open_group", 2, make_g_open, run_g_open, "e", 2 },
	[SET_CONTAINER] = { "set_container", 3, make_set_container, run_set_container, "s", 3 },
	[UNSET_CONTAINER] = { "unset_container", 1, make_group, run_unset_container, "", 1 },
	[SET_IOMMU] = { "set_iommu", 2, make_set_iommu, run_set_iommu, "t", 2 },
	[GET_FD] = { "get_device_fd", 4, make_get_fd, run_get_fd, "n", 4 },
	[EVENTFD] = { "eventfd", 5, make_eventfd, run_eventfd, "c", 2 },
	[SET_IRQS] = { "set_irqs", 40, make_set_irqs, run_set_irqs, "fisncb" },
	[MMAP] = { "mmap", 8, make_mmap, run_mmap, "wolpf" },
	[MUNMAP] = { "munmap", 3, make_munmap, run_munmap, "wpm", 2 },
	[CLOSE] = { "close", 4, make_close, run_close, "", 4 },
	[DUP] = { "dup", 3, make_dup, run_dup, "", 3 },
	[MAP_DMA] = { "map_dma", 44, make_map, run_map, "ivlf", 14 },
	[UNMAP_DMA] = { "unmap_dma", 22, make_unmap, run_unmap, "ilfpba", 7 },
	[PCI_IRQS] = { "set_irqs", 0, make_pci_irqs, run_pci_irqs, "fisncb", 40 },
	[PCI_MMAP] = { "mmap", 0, make_bar_mmap, run_mmap, "wolpf", 6 },
	[CONFIG_WRITE] = { "config_write", 0, make_config_write, run_bytes_write, "oc-v", 24 },
	[PCI_COUNT] = { "count", 0, make_pci_count, run_pci_count, "", 12 },
	[PCI_RAISE] = { "raise", 0, make_pci_raise, run_pci_raise, "eb", 12 },
	[PCI_ACK] = { "ack", 0, make_ack, run_pci_ack, "e", 6 },
	{ "api_version", 1, make_container, run_api, "", 1 },
	{ "check_extension", 3, make_check, run_check, "x", 1 },
	{ "iommu_info", 6, make_iommu_info, run_iommu_info, "", 1 },
	{ "dirty_pages", 8, make_dirty, run_dirty, "filpba", 2 },
	{ "unknown", 2, make_unknown, run_unknown, "n", 2 },
	{ "get_status", 5, make_status, run_status, "", 2 },
	{ "get_info", 4, make_get_info, run_get_info, "", 3 },
	{ "region_info", 5, make_region_info, run_region_info, "i" },
	{ "irq_info", 4, make_irq_info, run_irq_info, "i" },
	{ "reset", 2, make_device, run_reset, "", 3 },
	{ "feature", 1, make_feature, run_feature, "f" },
	{ "pread", 10, make_pread, run_pread, "oc" },
	{ "pwrite", 10, make_pwrite, run_pwrite, "oc-v" },
	{ "read", 3, make_device, run_read, "" },
	{ "write", 1, make_device, run_write, "", 1 },
	{ "poll", 2, make_poll, run_poll, "", 1 },
	{ "lseek", 1, make_poll, run_lseek, "", 1 },
	{ "touch", 12, make_touch, run_touch, "wodvb" },
	{ "signal", 6, make_signal, run_signal, "" },
	{ "count", 16, make_count, run_count, "" },
	{ "raise", 14, make_raise, run_raise, "eb" },
	{ "ack", 8, make_ack, run_ack, "e" },
	{ "dma", 6, make_dma, run_dma, "eilrf" },
	{ "discard", 1, make_discard, run_discard, "vl", 1 },
	{ "region_info", 0, make_pci_region_info, run_pci_region_info, "i", 6 },
	{ "irq_info", 0, make_pci_irq_info, run_irq_info, "i", 5 },
	{ "feature", 0, make_pci_feature, run_pci_feature, "fs", 4 },
	{ "config_read", 0, make_config_read, run_bytes_read, "oc", 24 },
	{ "hardware", 0, make_hardware, run_hardware, "do", 12 },
	{ "bar_read", 0, make_bar_read, run_bytes_read, "oc", 14 },
	{ "bar_write", 0, make_bar_write, run_bytes_write, "oc-v", 10 },
	{ "touch", 0, make_bar_touch, run_bar_touch, "wodvb", 10 },
	{ "dma", 0, make_dma, run_pci_dma, "eilrf", 5 },
	{ "signal", 0, make_signal, run_pci_signal, "", 8 },
	{ "ioeventfd", 0, make_ioeventfd, run_ioeventfd, "wovs", 7 },
	{ "hot_reset_info", 0, make_hot_info, run_hot_info, "", 2 },
	{ "hot_reset", 0, make_hot_reset, run_hot_reset, "nggg", 5 },
};

#include "deliberate.h"

/* ---- sequences ---- */

static struct op ops[MAX_OPS];
static unsigned int nr_ops;

static struct op *add(unsigned int number)
{
	struct op *op = &ops[nr_ops++];

	memset(op, 0, sizeof(*op));
	op->call = (uint8_t)number;
	return op;
}

static void expect_set_iommu(unsigned int container, uint64_t type)
{
	bool has_group = false;

	for (unsigned int slot = G0; slot <= G2; slot++)
		has_group |= likely[slot].open && likely[slot].container == container;
	if (container <= C1 && has_group)
		likely[container].ready |= type == VFIO_TYPE1_IOMMU || type == VFIO_TYPE1v2_IOMMU;
}

/* What a call will have done. */
static void expect(const struct op *op)
{
	struct likely *to = &likely[op->to], *fd = &likely[op->fd];

	if (op->place != GOOD)
		return;
	switch (op->call) {
	case C_OPEN: case CLOSE:
		if (pci && op->to >= D0 && op->to <= D3)
			in_use[to->edu & 1] = NONE_IN_USE;
		maps_forget(op->to, 0, UINT64_MAX);
		*to = (struct likely){ .open = op->call == C_OPEN };
		break;
	case G_OPEN:
		*to = (struct likely){ .open = true, .edu = (uint8_t)op->v[0], .container = SLOTS };
		for (unsigned int slot = G0; slot <= D3; slot++)
			if (slot != op->to && likely[slot].open &&
			    (likely[slot].edu == op->v[0] || one_group()))
				to->open = false;
		break;
	case SET_CONTAINER:
		if (fd->container == SLOTS)
			fd->container = (uint8_t)op->v[0];
		break;
	case UNSET_CONTAINER:
		for (unsigned int slot = D0; slot <= D3; slot++)
			if (likely[slot].open && likely[slot].edu == fd->edu)
				return;
		fd->container = SLOTS;
		break;
	case SET_IOMMU:
		expect_set_iommu(op->fd, op->v[0]);
		break;
	case GET_FD:
		if (fd->open && (fd->edu == op->v[0] || (one_group() && op->v[0] < 2)) &&
		    fd->container <= C1 && likely[fd->container].ready)
			*to = (struct likely){ .open = true, .edu = (uint8_t)op->v[0] };
		break;
	case EVENTFD:
		to->open = true;
		break;
	case DUP:
		*to = *fd;
		break;
	case PCI_IRQS:
		expect_irqs(op);
		break;
	case PCI_MMAP:
		likely_window[op->v[0]] = fd->open && op->fd >= D0 && op->fd <= D3 &&
			op->v[4] == MAP_SHARED;
		break;
	case MMAP:
		likely_window[op->v[0]] = fd->open && op->fd >= D0 && op->fd <= D3 &&
			op->v[4] == MAP_SHARED && op->v[1] + op->v[2] <= EDU_SIZE;
		break;
	case MUNMAP:
		likely_window[op->v[0]] &= op->v[1] || op->v[2];
		break;
	case MAP_DMA:
		if (fd->ready && op->v[3] != VFIO_DMA_MAP_FLAG_VADDR &&
		    nr_maps < ARRAY_SIZE(maps) && op->v[2] && op->v[2] <= HUGE_SIZE &&
		    !((op->v[0] | op->v[1] | op->v[2]) % PAGE))
			maps[nr_maps++] = (struct likely_map){ op->fd, op->v[0], op->v[2] };
		break;
	case UNMAP_DMA:
		if (op->v[2] & VFIO_DMA_UNMAP_FLAG_VADDR)
			break;
		maps_forget(op->fd, op->v[0],
			    op->v[2] == VFIO_DMA_UNMAP_FLAG_ALL ? UINT64_MAX : op->v[1]);
		break;
	}
}

/* Close all of a device and take its group out of the container. */
static void add_unwind(unsigned int edu)
{
	unsigned int group = SLOTS;

	if (nr_ops + 6 > MAX_OPS)
		return;
	for (unsigned int slot = G0; slot <= D3; slot++) {
		if (!likely[slot].open || likely[slot].edu != edu)
			continue;
		if (slot >= D0)
			add(CLOSE)->to = (uint8_t)slot;
		else
			group = slot;
	}
	if (group < SLOTS)
		add(UNSET_CONTAINER)->fd = (uint8_t)group;
}

static void add_command(unsigned int edu, uint64_t value)
{
	struct op *op = add(CONFIG_WRITE);

	op->fd = (uint8_t)(D0 + edu);
	op->v[0] = CONFIG_AT(PCI_COMMAND);
	op->v[1] = 2;
	op->v[3] = value;
}

/* An interrupt from end to end, if there is a trigger. */
static void add_interrupt(unsigned int edu)
{
	const uint32_t commands = PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_MASTER;
	struct op *op;

	if (nr_ops + 5 > MAX_OPS)
		return;
	add_command(edu, commands);
	op = add(PCI_RAISE);
	op->v[0] = edu;
	op->v[1] = 1u << below(4);
	add(PCI_COUNT)->fd = (uint8_t)(T0 + edu);
	add(PCI_ACK)->v[0] = edu;
	op = add(PCI_IRQS);
	op->fd = (uint8_t)(D0 + edu);
	op->v[0] = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
	op->v[3] = 1;
	op->v[4] = NONE_FD;
	op->argsz = IRQ_HEAD;
}

/* A trigger for the first kind of interrupts that it has, and its first BAR. */
static void add_pci_start(unsigned int edu)
{
	const struct function *f = &functions[cast[edu]];
	struct op *op;

	add_command(edu, PCI_COMMAND_MEMORY | PCI_COMMAND_IO |
		    (one_in(3) ? 0 : PCI_COMMAND_MASTER));
	add(EVENTFD)->to = (uint8_t)(T0 + edu);
	op = add(PCI_IRQS);
	op->fd = (uint8_t)(D0 + edu);
	op->v[0] = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	while (op->v[1] < 2 && (!f->vectors[op->v[1]] || one_in(3)))
		op->v[1]++;
	op->v[3] = op->v[1] == VFIO_PCI_MSIX_IRQ_INDEX ? 1 + below(4) : 1;
	op->v[4] = T0 + edu;
	op->argsz = IRQ_HEAD + 4 * (uint32_t)op->v[3];
	if (!one_in(3)) {
		op = add(PCI_MMAP);
		op->fd = (uint8_t)(D0 + edu);
		op->v[0] = edu;
		op->v[2] = PAGE;
		op->v[3] = PROT_READ | PROT_WRITE;
		op->v[4] = MAP_SHARED;
	}
}

/* Open a device as programs do; now and then a step is missing or made with other arguments. */
static void add_chain(unsigned int edu, unsigned int container, bool new_container)
{
	struct op *op;

	if (nr_ops + 12 > MAX_OPS)
		return;
	/* The group may be open already, for its other function. */
	if (one_group() && nr_ops && !one_in(4)) {
		op = add(GET_FD);
		op->fd = (uint8_t)(G0 + 1 - edu);
		op->to = (uint8_t)(D0 + edu);
		op->v[0] = edu;
		return;
	}
	if (new_container && !one_in(40))
		add(C_OPEN)->to = (uint8_t)container;
	if (!one_in(40)) {
		op = add(G_OPEN);
		op->to = (uint8_t)(G0 + edu);
		op->v[0] = edu;
	}
	if (!one_in(40)) {
		op = add(SET_CONTAINER);
		op->fd = (uint8_t)(G0 + edu);
		op->v[0] = container;
	}
	if (new_container && !one_in(40)) {
		op = add(SET_IOMMU);
		op->fd = (uint8_t)container;
		op->v[0] = one_in(4) ? VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU;
	}
	if (!one_in(40)) {
		op = add(GET_FD);
		op->fd = (uint8_t)(G0 + edu);
		op->to = (uint8_t)(D0 + edu);
		op->v[0] = edu;
	}
	if (pci && one_in(2))
		add_pci_start(edu);
	if (pci)
		return;
	if (one_in(2)) {
		add(EVENTFD)->to = (uint8_t)(T0 + edu);
		op = add(SET_IRQS);
		op->fd = (uint8_t)(D0 + edu);
		op->v[0] = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
		op->v[3] = 1;
		op->v[4] = T0 + edu;
		op->argsz = IRQ_HEAD + 4;
	}
	if (one_in(3)) {
		op = add(MMAP);
		op->fd = (uint8_t)(D0 + edu);
		op->v[0] = edu;
		op->v[2] = EDU_SIZE;
		op->v[3] = PROT_READ | PROT_WRITE;
		op->v[4] = MAP_SHARED;
	}
}

static unsigned int weight(unsigned int call)
{
	return pci ? calls[call].pci : calls[call].weight;
}

static void sequence_make(uint64_t seed, unsigned int number)
{
	static unsigned int total;
	unsigned int body, pick, done, i;

	if (!total)
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			total += weight(i);
	rng_state = mix(seed * 0x9e3779b97f4a7c15 + number);
	memset(likely, 0, sizeof(likely));
	memset(likely_window, 0, sizeof(likely_window));
	nr_ops = 0;
	nr_maps = 0;
	if (pci)
		cast_draw();
	poor = one_in(8);
	pick = below(2);
	if (!one_in(50))
		add_chain(pick, C0, true);
	if (one_in(2)) {
		if (one_in(3))
			add_chain(1 - pick, C1, true);
		else
			add_chain(1 - pick, C0, false);
	}
	body = 25 + below(50);
	for (done = 0; body && nr_ops < MAX_OPS; body--) {
		while (done < nr_ops)
			expect(&ops[done++]);
		if (one_in(likely[open_slot(D0, 4)].open ? 60 : 8)) {
			pick = below(2);
			if (one_in(2))
				add_unwind(pick);
			else
				add_chain(pick, one_in(3) ? C1 : C0, !one_in(3));
			continue;
		}
		if (pci && one_in(20)) {
			pick = below(2);
			add_interrupt(in_use[pick] == NONE_IN_USE ? 1 - pick : pick);
			continue;
		}
		pick = below(total);
		for (i = 0; pick >= weight(i); i++)
			pick -= weight(i);
		calls[i].make(add(i));
	}
}

static unsigned long met[ARRAY_SIZE(deliberate)];
static unsigned long tried[ARRAY_SIZE(calls)], succeeded[ARRAY_SIZE(calls)];

static const struct deliberate *find_deliberate(const struct op *op, struct answer *a)
{
	const struct deliberate *d;

	for (d = deliberate; d < deliberate + ARRAY_SIZE(deliberate); d++)
		if (!strcmp(d->call, calls[op->call].name) && d->match(op, a, kernel_side))
			return d;
	return NULL;
}

static const char *result_text(long ret)
{
	static char text[32];

	if (ret <= -1000)
		snprintf(text, sizeof(text), "signal %ld", -ret - 1000);
	else if (ret < 0 && strerrorname_np((int)-ret))
		snprintf(text, sizeof(text), "%s", strerrorname_np((int)-ret));
	else
		snprintf(text, sizeof(text), "%ld", ret);
	return text;
}

static void op_text(unsigned int number, const struct op *op)
{
	const struct call *call = &calls[op->call];

	printf("  %2u %s(%s", number, call->name, slot_name[op->fd]);
	for (unsigned int i = 0; call->args[i]; i++)
		if (call->args[i] == 's')
			printf(", %s", op->v[i] < SLOTS ? slot_name[op->v[i]] : "?");
		else if (call->args[i] != '-')
			printf(", 0x%" PRIx64, op->v[i]);
	if (op->argsz)
		printf(", argsz %u", op->argsz);
	if (op->to)
		printf(" -> %s", slot_name[op->to]);
	printf("%s): ", place_name[op->place]);
}

static void op_run(unsigned int number)
{
	const struct op *op = &ops[number];
	struct answer a = { .edu = edu_of[op->fd] };
	const struct deliberate *d;

	if (tell)
		op_text(number, op);
	calls[op->call].run(op, &a);
	tried[op->call]++;
	succeeded[op->call] += a.ret >= 0;
	d = find_deliberate(op, &a);
	if (d)
		met[d - deliberate]++;
	if (d)
		say("[%s]", d->subject);
	else
		say("%s", a.fd ? "fd" : result_text(a.ret));
	for (unsigned int i = 0; i < a.words; i++)
		say(" %" PRIx64, a.word[i]);
	say("\n");
	if (d && d->resync)
		d->resync(op);
}

static void poverty(bool on)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct rlimit limit = { .rlim_cur = POOR_LIMIT, .rlim_max = RLIM_INFINITY };

	if (!on)
		limit.rlim_cur = RLIM_INFINITY;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || syscall(SYS_capget, &head, data))
		tap_bail("capabilities: %m");
	if (on)
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	else
		data[0].effective |= data[0].permitted & 1u << CAP_IPC_LOCK;
	if (syscall(SYS_capset, &head, data))
		tap_bail("capabilities: %m");
}

/* Let a latched edge go by, and fill a device's buffer with zeros again. */
static void settle(void)
{
	struct dev d;

	for (unsigned int edu = 0; edu < 2; edu++) {
		if (pci) {
			pci_settle(edu);
			continue;
		}
		edu_settle(edu);
		if (!buffer_dirty && !(edge_raised && edu == 1))
			continue;
		dev_open(&d, edus[edu]);
		if (buffer_dirty) {
			if (dma_map(d.container, at(CHECK), IOVA, PAGE, RO))
				tap_bail("settle: cannot map");
			transfer(edu, IOVA, EDU_BUFFER_MAX, 0);
		}
		if (edge_raised && edu == 1)
			forget_edge(d.fd);
		dev_close(&d);
		edu_settle(edu);
	}
	buffer_dirty = false;
	edge_raised = false;
	bars_dirty = false;
	vectors_fired = false;
}

static unsigned long run_calls;

/* Run the sequence that was made, without the calls in @out. */
static void sequence_run(const bool *out)
{
	unsigned int i;
	int c;

	text_hash = 0xcbf29ce484222325;
	memory_begin();
	nr_files = 0;
	for (i = 0; i < SLOTS; i++)
		edu_of[i] = -1;
	if (poor)
		poverty(true);
	for (i = 0; i < nr_ops; i++) {
		if (out && out[i])
			continue;
		op_run(i);
		run_calls++;
	}
	if (poor)
		poverty(false);
	for (i = 0; i < REGS_SLOTS; i++)
		regs_unmap(i);
	for (i = 0; i < NONE_FD; i++)
		slot_close(i);
	/* Everything is closed: so everything is free, and nothing locked. */
	for (i = 0; i < 2; i++) {
		c = group_open(edus[i]);
		if (tell)
			printf("  end group %u: ", i);
		say("%s\n", c < 0 ? result_text(c) : "free");
		if (c >= 0)
			close(c);
	}
	if (pci)
		pci_compare();
	settle();
}

static void setup(void)
{
	struct sigaction act = { .sa_handler = on_fault };

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	if (pci)
		pci_setup();
	for (unsigned int i = 0; i < 2 && !pci; i++) {
		board_take(edus[i]);
		group_number[i] = board_group(edus[i]);
		edu_regs[i] = mem_physical(edu_base[i]);
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		fds[i] = -1;
	fds[NULL_FD] = open("/dev/null", O_RDWR);
	fds[BAD_FD] = 9999;
	memory_init();
	memory_begin();
	buffer_dirty = true;
	edge_raised = true;
	if (!pci)
		settle();
}

/* Pages that stay locked or pinned are told now and then; a leak does not go away. */
static void leaks(const char *when)
{
	long locked = locked_kb(), pinned = pages_pinned();

	if (locked || pinned)
		printf("leak %s: %ld kB locked, %ld pages pinned\n", when, locked, pinned);
}

static void hashes(uint64_t seed, unsigned int first, unsigned int count)
{
	char when[16];

	for (unsigned int i = first; i < first + count; i++) {
		sequence_make(seed, i);
		sequence_run(NULL);
		printf("%u %" PRIx64 "\n", i, text_hash);
		if ((i & 63) != 63)
			continue;
		snprintf(when, sizeof(when), "%u", i);
		leaks(when);
	}
}

/* Lines "NUMBER [CALL...]": that sequence without these calls. */
static void selected(uint64_t seed)
{
	bool out[MAX_OPS];
	char line[1024], *p, *end;
	unsigned int number, i;
	unsigned long n = 0;

	while (fgets(line, sizeof(line), stdin)) {
		number = (unsigned int)strtoul(line, &p, 10);
		sequence_make(seed, number);
		memset(out, 0, sizeof(out));
		for (; i = (unsigned int)strtoul(p, &end, 10), end != p; p = end)
			if (i < MAX_OPS)
				out[i] = true;
		if (tell)
			printf("sequence %u%s\n", number, poor ? ", little memory may be locked" : "");
		sequence_run(out);
		if (tell)
			leaks(line);
		else
			printf("%lu %" PRIx64 "\n", n, text_hash);
		n++;
	}
}

int main(int argc, char **argv)
{
	uint64_t seed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; argc > 1 && !strncmp(argv[1], "--", 2); argc--, argv++) {
		kernel_side |= !strcmp(argv[1], "--kernel");
		pci |= !strcmp(argv[1], "--pci");
	}
	if (argc < 3)
		tap_bail("usage: differ [--kernel] [--pci] "
			 "hashes|details|masked SEED [FIRST COUNT]");
	seed = strtoull(argv[2], NULL, 0);
	setup();
	if (!strcmp(argv[1], "hashes") && argc == 5) {
		hashes(seed, (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	} else {
		tell = !strcmp(argv[1], "details");
		selected(seed);
	}
	leaks("at the end");
	printf("calls %lu\n", run_calls);
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		printf("kind %lu %lu %s\n", tried[i], succeeded[i], calls[i].name);
	for (unsigned int i = 0; i < ARRAY_SIZE(deliberate); i++)
		printf("met %lu %s: %s\n", met[i], deliberate[i].call, deliberate[i].subject);
	return 0;
}
