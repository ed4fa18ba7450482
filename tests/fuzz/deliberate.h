/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences that are meant, of those in docs/differences.md that the differential tester
 * meets.
 *
 * Each row knows one call, and the one answer that each side has to give to exactly these arguments
 * in exactly this state; only then is the subject told instead of the result. What was written back
 * is told and compared all the same, after a match has checked and levelled what has to differ in
 * it. A call that is meant to leave a different state is followed by @resync on both sides.
 *
 * What is not made at all: VFIO_SET_IOMMU of VFIO_TYPE1_NESTING_IOMMU, accesses narrower than
 * reg-io-width (the kernel's own module dies of those), an unmask eventfd that an interrupt
 * handler signals.
 */
#ifndef DELIBERATE_H
#define DELIBERATE_H

struct deliberate {
	const char *subject;	/* as it stands in docs/differences.md */
	const char *call;	/* the name of a call in differ.c */
	bool (*match)(const struct op *op, struct answer *a, bool kernel);
	void (*resync)(const struct op *op);
};

/* ---- arguments ---- */

static bool has_iommu(unsigned int slot)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	/* On a device the number means another ioctl. */
	return edu_of[slot] < 0 && !xioctl(fds[slot], VFIO_IOMMU_GET_INFO, &info);
}

/* The argument can be read. (Whether it can be written comes too late: the call is done then.) */
static bool is_readable(const struct op *op)
{
	return op->place == GOOD || op->place == LOCKED;
}

static bool is_aligned(uint64_t value)
{
	return !(value % PAGE);
}

static bool wraps(uint64_t start, uint64_t size)
{
	return start + size - 1 < start;
}

/* Whether MAP_DMA and UNMAP_DMA come as far as looking at addresses, if the flags are in order; */
static bool is_map(const struct op *op)
{
	return is_readable(op) && op->argsz >= 32 && op->v[2] && is_aligned(op->v[2]) &&
	       has_iommu(op->fd);
}

static bool is_unmap(const struct op *op)
{
	return is_readable(op) && op->argsz >= 24 && op->v[1] && is_aligned(op->v[1]) &&
	       has_iommu(op->fd);
}

static bool may_read_or_write(const struct op *op)
{
	return op->v[3] >= 1 && op->v[3] <= 3;
}

/* ... and as far as the memory. */
static bool is_map_of_memory(const struct op *op)
{
	return may_read_or_write(op) && is_aligned(op->v[0] | op->v[1]) &&
	       !wraps(op->v[0], op->v[2]) && !wraps(op->v[1], op->v[2]) && is_map(op);
}

/* ---- memory ---- */

/* How many pages can be pinned from @vaddr on. */
static uint64_t good_pages(uint64_t vaddr, bool write)
{
	static const struct {
		uint64_t start, pages;
		bool write;
	} areas[] = {
		{ ARENA, ARENA_PAGES, true }, { RDONLY, RDONLY_PAGES, false },
		{ SHARED, SHARED_PAGES, true }, { HUGE, HUGE_SIZE / PAGE, true },
		{ FRESH, FRESH_PAGES, true }, { ARGS, 1, true }, { LOCKED_PAGE, 1, false },
	};
	const uint64_t address = vaddr << 8 >> 8;	/* without its tag */

	for (unsigned int i = 0; i < ARRAY_SIZE(areas); i++)
		if (address - areas[i].start < areas[i].pages * PAGE)
			return write && !areas[i].write ? 0 :
				areas[i].pages - (address - areas[i].start) / PAGE;
	return 0;
}

/* The window that [vaddr, vaddr + size) is in, or NULL. */
static const struct window *window_of(uint64_t vaddr, uint64_t size)
{
	const uint64_t offset = (vaddr - REGS) % REGS_STEP;
	const struct window *w;

	if (vaddr < REGS || vaddr >= REGS + REGS_STEP * REGS_SLOTS)
		return NULL;
	w = &windows[(vaddr - REGS) / REGS_STEP];
	return size > w->size || offset > w->size - size ? NULL : w;
}

/* All of [vaddr, vaddr + size) is registers that the process has mapped, for writing if need be. */
static bool are_registers(uint64_t vaddr, uint64_t size, bool write)
{
	const uint64_t offset = (vaddr - REGS) % REGS_STEP;
	const struct window *w = window_of(vaddr, size);

	if (!w)
		return false;
	if (!offset && (w->first_prot < 0 || (write && !(w->first_prot & PROT_WRITE))))
		return false;
	return !write || w->prot & PROT_WRITE || (!offset && size == PAGE);
}

/* [vaddr, vaddr + size) is in one mapping of registers, which may or may not be accessed. */
static bool is_one_window(uint64_t vaddr, uint64_t size)
{
	const uint64_t offset = (vaddr - REGS) % REGS_STEP;
	const struct window *w = window_of(vaddr, size);

	return w && (offset || (size == PAGE ? w->first_prot >= 0 : !w->split));
}

/* How many pages can be locked now. */
static uint64_t room(void)
{
	const uint64_t locked = (uint64_t)locked_kb() * 1024;

	return !poor ? UINT64_MAX : locked < POOR_LIMIT ? (POOR_LIMIT - locked) / PAGE : 0;
}

/* ---- what differs ---- */

/* The reset line of 10100000.edu. The kernel's module has no reset for it. */
static bool is_reset(const struct op *op, struct answer *a, bool kernel)
{
	return !pci && a->edu == 1 && a->ret == (kernel ? -EINVAL : 0);
}

static bool is_reset_flag(const struct op *op, struct answer *a, bool kernel)
{
	const uint32_t flags = VFIO_DEVICE_FLAGS_PLATFORM | (kernel ? 0 : VFIO_DEVICE_FLAGS_RESET);

	if (pci || a->edu != 1 || a->ret || a->words < 2 || a->word[1] != flags)
		return false;
	a->word[1] = 0;
	return true;
}

/* read() after read(): the kernel's stay at the first register. */
static bool is_position(const struct op *op, struct answer *a, bool kernel)
{
	const uint64_t position = files[file_of[op->fd]].position - 4;

	if (a->ret != 4 || a->edu < 0 ||
	    a->word[0] != (kernel ? EDU_ID : *(volatile uint32_t *)(edu_regs[a->edu] + position)))
		return false;
	a->word[0] = 0;
	return true;
}

/*
 * It begins in the hole of the MSI-X table, which the kernel fills first, and goes on behind it;
 * evfio reads up to 64 bytes before it copies them.
 */
static bool is_hole_first(const struct op *op, struct answer *a, bool kernel)
{
	const struct hardware *hw = a->edu < 0 ? NULL : &hardware[cast[a->edu]];
	const uint64_t chunk = 64 - op->v[0] % 64, first = op->v[1] < chunk ? op->v[1] : chunk;
	uint16_t command, power = 0;

	if (!hw || op->place == GOOD || op->v[0] - hw->table >= hw->table_size ||
	    op->v[0] - hw->table + first <= hw->table_size ||
	    pread(fds[op->fd], &command, 2, CONFIG_AT(PCI_COMMAND)) != 2 ||
	    (hw->pm && pread(fds[op->fd], &power, 2, CONFIG_AT(hw->pm + PCI_PM_CTRL)) != 2))
		return false;
	return (!(command & PCI_COMMAND_MEMORY) || (power & PCI_PM_CTRL_STATE_MASK) == 3) &&
	       a->ret == (kernel ? -EFAULT : -EIO);
}

/* Put in the place of a trigger, if there is one. */
static bool is_bad_eventfd(const struct op *op, struct answer *a, bool kernel)
{
	const uint32_t trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;

	/* Of PCI's, those that can be more than one. */
	if (pci ? op->v[1] != VFIO_PCI_MSI_IRQ_INDEX && op->v[1] != VFIO_PCI_MSIX_IRQ_INDEX :
	    op->v[1] || op->v[2] || op->v[3] != 1)
		return false;
	return a->edu >= 0 && op->v[0] == trigger && op->v[3] && op->v[3] <= 8 &&
	       op->argsz >= IRQ_HEAD + 4 * op->v[3] && is_readable(op) && fds[op->v[4]] >= 0 &&
	       a->ret == (op->v[4] == BAD_FD ? -EBADF : -EINVAL);
}

static void drop_trigger(const struct op *op)
{
	static const int32_t none = -1;

	irq_vectors(fds[op->fd], (uint32_t)op->v[1], (uint32_t)op->v[2], 1, &none);
}

static bool is_check_nesting(const struct op *op, struct answer *a, bool kernel)
{
	const uint64_t nesting = 6;	/* newer headers have no name for it */

	return op->v[0] == nesting && a->ret == kernel;
}

/* An argument without flags, or none, which is told before version 1 is. */
static bool is_dirty_v1(const struct op *op, struct answer *a, bool kernel)
{
	const bool flags = is_readable(op) || op->place == ACROSS;

	return (!flags || op->argsz < 8) && !files[file_of[op->fd]].v2 && has_iommu(op->fd) &&
	       a->ret == (kernel ? -EACCES : flags ? -EINVAL : -EFAULT);
}

/* Neither says what is mapped, and where. */
static bool is_vaddr_v1(const struct op *op, struct answer *a, bool kernel)
{
	return op->v[3] == VFIO_DMA_MAP_FLAG_VADDR && !files[file_of[op->fd]].v2 && is_map(op) &&
	       (a->ret == -EINVAL || a->ret == -ENOENT);
}

/*
 * Neither counts it as locked memory. The kernel takes it page by page, and what can be written but
 * not read only if it was touched before; evfio if it is one mapping.
 */
static bool is_map_registers(const struct op *op, struct answer *a, bool kernel)
{
	const bool write = op->v[3] & VFIO_DMA_MAP_FLAG_WRITE;
	const struct window *w;
	bool first, readable;

	if (!are_registers(op->v[1], op->v[2], write) || !is_map_of_memory(op))
		return false;
	w = &windows[(op->v[1] - REGS) / REGS_STEP];
	first = !((op->v[1] - REGS) % REGS_STEP);
	readable = write || (first ? w->first_prot : w->prot) & PROT_READ;
	if (kernel)
		return !a->ret || (!readable && a->ret == -EFAULT);
	if (first && op->v[2] > PAGE && w->split)
		return a->ret == (op->v[2] / PAGE > room() ? -ENOMEM : -EFAULT);
	return a->ret == (readable ? 0 : -EFAULT);
}

static void unmap_registers(const struct op *op)
{
	dma_unmap(fds[op->fd], op->v[0], op->v[2]);
}

static bool is_map_overflow(const struct op *op, struct answer *a, bool kernel)
{
	return a->ret == (kernel ? -EINVAL : -EOVERFLOW) && may_read_or_write(op) &&
	       is_aligned(op->v[0]) &&
	       (wraps(op->v[0], op->v[2]) || (is_aligned(op->v[1]) && wraps(op->v[1], op->v[2]))) &&
	       is_map(op);
}

static bool is_unmap_overflow(const struct op *op, struct answer *a, bool kernel)
{
	return a->ret == (kernel ? -EINVAL : -EOVERFLOW) && !op->v[2] && is_aligned(op->v[0]) &&
	       wraps(op->v[0], op->v[1]) && is_unmap(op);
}

/* What was unmapped is levelled by run_unmap(), and told. */
static bool is_last_address(const struct op *op, struct answer *a, bool kernel)
{
	return !op->v[2] && op->v[0] && op->v[0] + op->v[1] == 0 && !a->ret && a->words &&
	       a->word[4];
}

/*
 * Too much memory, of which the kernel meets a bad page before there is too much. Registers are no
 * memory, whether they can be mapped or not.
 */
static bool is_accounted(const struct op *op, struct answer *a, bool kernel)
{
	uint64_t limit;

	if (!poor || a->ret != (kernel ? -EFAULT : -ENOMEM) || is_one_window(op->v[1], op->v[2]))
		return false;
	limit = room();
	return op->v[2] / PAGE > limit && is_map_of_memory(op) &&
	       good_pages(op->v[1], op->v[3] & VFIO_DMA_MAP_FLAG_WRITE) <= limit;
}

/* The kernel has no eventfd that masks INTx; this one is none. */
static bool is_mask_eventfd(const struct op *op, struct answer *a, bool kernel)
{
	return pci && a->edu >= 0 &&
	       op->v[0] == (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK) &&
	       op->v[1] == VFIO_PCI_INTX_IRQ_INDEX && op->v[4] == NONE_FD &&
	       a->ret == (kernel ? -ENOTTY : 0);
}

static const struct deliberate deliberate[] = {
	{ "RESET", "reset", is_reset, NULL },
	{ "RESET", "get_info", is_reset_flag, NULL },
	{ "`pread`, `pwrite` of vfio-platform", "read", is_position, NULL },
	{ "a set trigger replaced by a bad eventfd", "set_irqs", is_bad_eventfd, drop_trigger },
	{ "`VFIO_TYPE1_NESTING_IOMMU`", "check_extension", is_check_nesting, NULL },
	{ "`VFIO_IOMMU_DIRTY_PAGES` of version 1", "dirty_pages", is_dirty_v1, NULL },
	/* The number of VFIO_DEVICE_FEATURE is, on a container, that of VFIO_IOMMU_DIRTY_PAGES. */
	{ "`VFIO_IOMMU_DIRTY_PAGES` of version 1", "feature", is_dirty_v1, NULL },
	{ "MAP_DMA of an address for the rear part of a mapping, version 1", "map_dma", is_vaddr_v1,
	  NULL },
	/* What becomes of it is no call's answer: it does not stay. */
	{ "device memory as target of DMA", "map_dma", is_map_registers, unmap_registers },
	{ "a range that wraps", "map_dma", is_map_overflow, NULL },
	{ "a range that wraps", "unmap_dma", is_unmap_overflow, NULL },
	{ "an eventfd that masks INTx", "set_irqs", is_mask_eventfd, NULL },
	{ "a range that ends at the last address", "unmap_dma", is_last_address, NULL },
	{ "RLIMIT_MEMLOCK", "map_dma", is_accounted, NULL },
	{ "a read of the hole, and of registers behind it that do not answer, to no memory",
	  "bar_read", is_hole_first, NULL },
};

#endif
