/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences that are meant: rows of docs/differences.md that the differential tester meets.
 *
 * Each knows one call and what both sides have to answer to it; only then does the answer count as
 * the same, and nothing beyond is excused. The row's subject is printed instead of the answer.
 *
 * Two subjects of that page need more than a look at the answer, since a call leaves state behind
 * that is not the same: differ.c makes it the same again right after the call (see resync()), or
 * does not make the call: VFIO_TYPE1_NESTING_IOMMU, accesses narrower than reg-io-width (the
 * kernel's own module dies of those), an unmask eventfd that an interrupt handler signals.
 */
#ifndef DELIBERATE_H
#define DELIBERATE_H

struct deliberate {
	const char *subject;
	const char *call;	/* the name of a call in differ.c */
	bool (*match)(const struct op *op, const struct answer *a, bool kernel);
	const char *reason;
};

/* The argument can be read. (Whether it can be written comes too late: the call is done then.) */
static bool is_readable(const struct op *op)
{
	return op->place == GOOD || op->place == LOCKED;
}

/* The reset line of 10100000.edu. The kernel's module has no reset for it. */
static bool is_reset(const struct op *op, const struct answer *a, bool kernel)
{
	return a->edu == 1 && a->ret == (kernel ? -EINVAL : 0);
}

static bool is_reset_flag(const struct op *op, const struct answer *a, bool kernel)
{
	const uint32_t flags = VFIO_DEVICE_FLAGS_PLATFORM | (kernel ? 0 : VFIO_DEVICE_FLAGS_RESET);

	return a->edu == 1 && !a->ret && a->words >= 4 && a->word[1] == flags &&
	       a->word[2] == 1 && a->word[3] == 1;
}

/* read() after read(): the kernel's stay at the first register. */
static bool is_position(const struct op *op, const struct answer *a, bool kernel)
{
	return a->ret == 4;
}

static bool is_bad_eventfd(const struct op *op, const struct answer *a, bool kernel)
{
	return false;	/* the answer is the same, see resync() */
}

static bool is_check_gone(const struct op *op, const struct answer *a, bool kernel)
{
	const uint64_t nesting = 6;	/* newer headers have no name for it */

	return op->v[0] == nesting && a->ret == kernel;
}

static bool is_check_not_yet(const struct op *op, const struct answer *a, bool kernel)
{
	return op->v[0] == VFIO_UPDATE_VADDR && (a->ret == 0 || (kernel && a->ret == 1));
}

/* Dirty page tracking: ENOTTY, unless the kernel finds something wrong with the argument first. */
static bool is_dirty(const struct op *op, const struct answer *a, bool kernel)
{
	return has_iommu(op->fd) && (kernel ? a->ret != -ENOTTY : a->ret == -ENOTTY);
}

static bool is_unmap_flag(const struct op *op, const struct answer *a, bool kernel)
{
	return is_readable(op) && op->argsz >= 24 &&
	       (op->v[2] == VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP ||
		op->v[2] == VFIO_DMA_UNMAP_FLAG_VADDR) && has_iommu(op->fd) &&
	       (kernel || a->ret == -EINVAL);
}

/* No mapping waits for a new address, and the kernel says so: there is none, or it has one. */
static bool is_map_vaddr(const struct op *op, const struct answer *a, bool kernel)
{
	return op->v[3] == VFIO_DMA_MAP_FLAG_VADDR && op->argsz >= 32 && is_readable(op) &&
	       a->aligned && !a->wraps && (a->ret == -EINVAL || (kernel && a->ret == -ENOENT)) &&
	       has_iommu(op->fd);
}

/* The kernel takes what is mapped, and does not count it as locked memory. */
static bool is_map_registers(const struct op *op, const struct answer *a, bool kernel)
{
	return a->registers &&
	       (a->ret == -EFAULT || a->ret == (kernel ? 0 : -ENOMEM));
}

/* Where kernels differ evfio answers as the newest; flags or alignment may be wrong as well. */
static bool is_overflow(const struct op *op, const struct answer *a, bool kernel)
{
	return a->wraps && (a->ret == -EINVAL || (!kernel && a->ret == -EOVERFLOW));
}

/* Up to the last address, where the older kernel's end of the range is 0. */
static bool is_last_address(const struct op *op, const struct answer *a, bool kernel)
{
	return op->v[0] && op->v[1] && op->v[0] + op->v[1] == 0 &&
	       (a->ret == 0 || a->ret == -EINVAL);
}

/* Memory is accounted once, before the first page is looked at. */
static bool is_accounted(const struct op *op, const struct answer *a, bool kernel)
{
	return poor && is_readable(op) && (a->ret == -ENOMEM || a->ret == -EFAULT);
}

/* The number of VFIO_DEVICE_FEATURE is, on a container, that of VFIO_IOMMU_DIRTY_PAGES. */
static bool is_dirty_feature(const struct op *op, const struct answer *a, bool kernel)
{
	return is_readable(op) && op->argsz >= 8 && is_dirty(op, a, kernel);
}

static const struct deliberate deliberate[] = {
	{ "RESET", "reset", is_reset, "the device tree's resets are used" },
	{ "RESET", "get_info", is_reset_flag, "the device tree's resets are used" },
	{ "pread, pwrite", "read", is_position, "the position advances" },
	{ "a set trigger replaced by a bad eventfd", "set_irqs", is_bad_eventfd,
	  "a failing call changes nothing" },
	{ "VFIO_TYPE1_NESTING_IOMMU", "check_extension", is_check_gone,
	  "the newest kernel has dropped it" },
	{ "VFIO_UPDATE_VADDR", "check_extension", is_check_not_yet, "not there yet" },
	{ "dirty page tracking", "dirty_pages", is_dirty, "not there yet" },
	{ "dirty page tracking", "unmap_dma", is_unmap_flag, "not there yet" },
	{ "VFIO_UPDATE_VADDR", "map_dma", is_map_vaddr, "not there yet" },
	{ "device memory as DMA target", "map_dma", is_map_registers, "not there yet" },
	{ "the newest kernel: overflow", "map_dma", is_overflow, "EOVERFLOW from 7.2 on" },
	{ "the newest kernel: overflow", "unmap_dma", is_overflow, "EOVERFLOW from 7.2 on" },
	{ "the newest kernel: the last address", "unmap_dma", is_last_address,
	  "6.12 finds nothing there" },
	{ "memory is accounted once", "map_dma", is_accounted, "which of two errors" },
	{ "dirty page tracking", "feature", is_dirty_feature, "not there yet" },
};

#endif
