// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region: a window of device memory, read and written through the fd or mapped.
 *
 * The bus describes it (struct evfio_region); it lives and dies with its device. While the device
 * is open the core claims the memory, so that nothing else in the kernel, nor /dev/mem, uses it.
 * Mappings are made page by page on fault, and so can be taken away at any time: who touches the
 * hardware, here or in a fault, holds evfio_device::lock for reading and has seen that the device
 * is not revoked.
 */
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "core.h"

/* What read() and write() move between two user copies. */
#define CHUNK	64

static bool is_memory(const struct evfio_region *region)
{
	return region->size && !region->soft;
}

/* Take back the claim to the first @n regions, which nobody reads or writes any more. */
static void regions_release(struct evfio_device *vdev, u32 n)
{
	struct evfio_region *region;

	while (n--) {
		region = &vdev->regions[n];
		if (!is_memory(region))
			continue;
		if (region->io)
			iounmap(region->io);
		region->io = NULL;
		release_mem_region(region->base, region->size);
	}
}

/**
 * evfio_regions_claim() - claim a device's memory
 * @vdev: the device, being opened
 *
 * Return: 0, or -EBUSY and a message if somebody else in the kernel has a part of it.
 */
int evfio_regions_claim(struct evfio_device *vdev)
{
	struct evfio_region *region;
	u32 i;

	for (i = 0; i < vdev->num_regions; i++) {
		region = &vdev->regions[i];
		if (!is_memory(region))
			continue;
		if (!request_mem_region(region->base, region->size, dev_name(vdev->dev))) {
			dev_err_ratelimited(vdev->dev,
					    "region %u at %pa is in use: see /proc/iomem\n",
					    i, &region->base);
			regions_release(vdev, i);
			return -EBUSY;
		}
	}
	return 0;
}

/**
 * evfio_regions_release() - the counterpart of evfio_regions_claim()
 * @vdev: the device, closed; nobody reads or writes it any more
 */
void evfio_regions_release(struct evfio_device *vdev)
{
	regions_release(vdev, vdev->num_regions);
}

/**
 * evfio_regions_zap() - take all mappings of a device away, the user's and DMA's
 * @vdev: the device; its lock is held for writing, so that no fault comes between
 *
 * Touching one faults again; for DMA, evfio_peers_restore() brings them back.
 */
void evfio_regions_zap(struct evfio_device *vdev)
{
	lockdep_assert_held_write(&vdev->lock);
	if (vdev->mapping)
		unmap_mapping_range(vdev->mapping, 0, 0, true);
	evfio_peers_off(vdev);
}
EXPORT_SYMBOL_GPL(evfio_regions_zap);

/**
 * evfio_region_io() - the core's mapping of a region
 * @region: not soft, of a device that is open
 *
 * Two first readers may both make one: the second gives way.
 *
 * Return: it, or NULL without memory.
 */
void __iomem *evfio_region_io(struct evfio_region *region)
{
	void __iomem *io = READ_ONCE(region->io), *other;

	if (io)
		return io;
	/* More than a 32-bit kernel has addresses for. */
	if (region->size > SIZE_MAX)
		return NULL;
	io = region->nonposted ? ioremap_np(region->base, region->size) :
				 ioremap(region->base, region->size);
	if (!io)
		return NULL;
	other = cmpxchg(&region->io, NULL, io);
	if (!other)
		return io;
	iounmap(io);
	return other;
}

static void access_read(void __iomem *io, void *buf, unsigned int width)
{
	switch (width) {
	case 8:
		*(u64 *)buf = readq(io);
		break;
	case 4:
		*(u32 *)buf = readl(io);
		break;
	case 2:
		*(u16 *)buf = readw(io);
		break;
	default:
		*(u8 *)buf = readb(io);
	}
}

static void access_write(void __iomem *io, const void *buf, unsigned int width)
{
	switch (width) {
	case 8:
		writeq(*(u64 *)buf, io);
		break;
	case 4:
		writel(*(u32 *)buf, io);
		break;
	case 2:
		writew(*(u16 *)buf, io);
		break;
	default:
		writeb(*(u8 *)buf, io);
	}
}

/* The widest access that the region allows at @off, for @left more bytes. */
static unsigned int access_width(const struct evfio_region *region, u64 off, size_t left)
{
	if (region->width)
		return region->width;
	if (region->widest == 8 && left >= 8 && IS_ALIGNED(off, 8))
		return 8;
	if (left >= 4 && IS_ALIGNED(off, 4))
		return 4;
	return left >= 2 && IS_ALIGNED(off, 2) ? 2 : 1;
}

/* How many of the @left bytes from @off on come before the hole. */
static size_t outside_hole(const struct evfio_region *region, u64 off, size_t left)
{
	if (off < region->hole)
		return min_t(u64, left, region->hole - off);
	return off < region->hole + region->hole_size ? 0 : left;
}

/**
 * evfio_region_move() - read or write registers
 * @vdev: the device, its lock held for reading at least
 * @region: not soft
 * @off: where
 * @buf: at most CHUNK bytes
 * @count: how many
 * @write: which
 *
 * Does not sleep if evfio_region_io() has been called.
 *
 * Return: 0, -ENODEV when revoked, -EIO if the region does not answer, or -ENOMEM.
 */
int evfio_region_move(struct evfio_device *vdev, struct evfio_region *region, u64 off, void *buf,
		      size_t count, bool write)
{
	void __iomem *io;
	unsigned int width;
	size_t done, left;

	lockdep_assert_held(&vdev->lock);
	if (vdev->revoked)
		return -ENODEV;
	io = evfio_region_io(region);
	if (!io)
		return -ENOMEM;
	for (done = 0; done < count; done += width) {
		left = outside_hole(region, off + done, count - done);
		if (!left) {
			width = 1;
			if (!write)
				*(u8 *)(buf + done) = 0xff;
			continue;
		}
		if (region->off)
			return -EIO;
		width = access_width(region, off + done, left);
		if (write)
			access_write(io + off + done, buf + done, width);
		else
			access_read(io + off + done, buf + done, width);
	}
	return 0;
}

/**
 * evfio_region_access() - the same for any region, which takes the lock
 * @vdev: the device
 * @index: the region
 * @off: where
 * @buf: at most CHUNK bytes
 * @count: how many
 * @write: which
 *
 * Return: as evfio_region_move(), or what the bus says.
 */
int evfio_region_access(struct evfio_device *vdev, u32 index, u64 off, void *buf, size_t count,
			bool write)
{
	struct evfio_region *region = &vdev->regions[index];
	int ret;

	if (!region->soft) {
		down_read(&vdev->lock);
		ret = evfio_region_move(vdev, region, off, buf, count, write);
		up_read(&vdev->lock);
		return ret;
	}
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	ret = vdev->ops->access(vdev, index, off, buf, count, write);
	evfio_device_unlock(vdev);
	return ret;
}

static ssize_t region_rw(struct evfio_device *vdev, u32 index, char __user *buf, size_t count,
			 loff_t *pos, bool write)
{
	struct evfio_region *region = &vdev->regions[index];
	u64 off = evfio_region_offset(*pos);
	u8 data[CHUNK] __aligned(8);
	size_t done, n;
	int ret;

	if (!(region->flags & (write ? VFIO_REGION_INFO_FLAG_WRITE : VFIO_REGION_INFO_FLAG_READ)))
		return -EINVAL;
	if (region->exact && (off > region->size || count > region->size - off))
		return -EFAULT;
	if (region->width < 0 || off >= region->size)
		return -EINVAL;
	count = min_t(u64, count, region->size - off);
	if (region->width && !IS_ALIGNED(off | count, region->width))
		return -EINVAL;

	for (done = 0; done < count; done += n) {
		if (done) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
		n = min_t(size_t, count - done, CHUNK - (off + done) % CHUNK);
		if (write && copy_from_user(data, buf + done, n))
			return -EFAULT;
		ret = evfio_region_access(vdev, index, off + done, data, n, write);
		if (ret)
			return ret;
		if (!write && copy_to_user(buf + done, data, n))
			return -EFAULT;
	}
	*pos += done;
	return done;
}

/**
 * evfio_region_rw() - read() or write() on a device fd
 * @vdev: the device
 * @buf: the user's buffer
 * @count: bytes wanted; cut off at the region's end
 * @pos: region index << EVFIO_REGION_SHIFT | offset; advanced by what was done
 * @write: which
 *
 * Return: bytes done; -EINVAL beyond the region, for a region that cannot be read or written, or
 * for a position or length its access width does not divide; -EFAULT; -EIO if the device does not
 * answer; -ENODEV when revoked.
 */
ssize_t evfio_region_rw(struct evfio_device *vdev, char __user *buf, size_t count, loff_t *pos,
			bool write)
{
	unsigned long index = *pos >> EVFIO_REGION_SHIFT;
	ssize_t ret;

	if (READ_ONCE(vdev->revoked))
		return -ENODEV;
	if (!count && vdev->ops->nothing)
		return 0;
	if (index >= vdev->num_regions)
		return -EINVAL;
	ret = evfio_device_wake(vdev);
	if (ret)
		return ret;
	ret = region_rw(vdev, array_index_nospec(index, vdev->num_regions), buf, count, pos, write);
	evfio_device_rest(vdev);
	return ret;
}

/* The region and the page frame behind page @pgoff of a device fd, which can be mapped. */
static struct evfio_region *region_page(struct evfio_device *vdev, pgoff_t pgoff,
					unsigned long *pfn)
{
	const unsigned int shift = EVFIO_REGION_SHIFT - PAGE_SHIFT;
	struct evfio_region *region = &vdev->regions[(pgoff >> shift) % vdev->num_regions];

	*pfn = PHYS_PFN(region->base) + (pgoff & (BIT(shift) - 1));
	return region;
}

/* Map 2^@order pages around the one that was touched, if that is how they lie. */
static vm_fault_t region_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct evfio_device *vdev = vma->vm_private_data;
	const unsigned long start = ALIGN_DOWN(vmf->address, PAGE_SIZE << order);
	unsigned long pfn;
	struct evfio_region *region = region_page(vdev, vmf->pgoff, &pfn);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	pfn -= PHYS_PFN(ALIGN_DOWN(vmf->address, PAGE_SIZE) - start);
	if (start < vma->vm_start || vma->vm_end - start < PAGE_SIZE << order ||
	    !IS_ALIGNED(pfn, BIT(order)))
		return VM_FAULT_FALLBACK;
	down_read(&vdev->lock);
	if (!vdev->revoked && !vdev->resting && !region->off)
		ret = order ? evfio_insert_pmd(vmf, order, pfn) : vmf_insert_pfn(vma, start, pfn);
	up_read(&vdev->lock);
	return ret;
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	return region_huge_fault(vmf, 0);
}

static const struct vm_operations_struct region_vm_ops = {
	.fault		= region_fault,
#ifdef HAVE_INSERT_PMD
	.huge_fault	= region_huge_fault,
#endif
};

/**
 * evfio_region_mapped() - the region that a mapping is of
 * @vma: any mapping, its mmap_lock held
 * @vaddr: an address in it, page-aligned
 * @base: where to say what is there
 *
 * Return: the region, or NULL if it is not a region that is mapped.
 */
const struct evfio_region *evfio_region_mapped(const struct vm_area_struct *vma,
					       unsigned long vaddr, phys_addr_t *base)
{
	const struct evfio_region *region;
	unsigned long pfn;

	if (vma->vm_ops != &region_vm_ops)
		return NULL;
	region = region_page(vma->vm_private_data, vma->vm_pgoff + PHYS_PFN(vaddr - vma->vm_start),
			     &pfn);
	*base = PFN_PHYS(pfn);
	return region;
}

/**
 * evfio_region_mmap() - mmap() on a device fd
 * @vdev: the device; the mapping's file keeps it
 * @vma: the mapping
 *
 * Behind the regions, each a second time write-combined, are contiguous buffers.
 *
 * Return: 0; -EINVAL if the mapping is private, beyond the region, or of a region that cannot be
 * mapped this way; -ENODEV when revoked.
 */
int evfio_region_mmap(struct evfio_device *vdev, struct vm_area_struct *vma)
{
	const unsigned int shift = EVFIO_REGION_SHIFT - PAGE_SHIFT;
	unsigned long index = vma->vm_pgoff >> shift;
	u64 start = (u64)(vma->vm_pgoff & (BIT(shift) - 1)) << PAGE_SHIFT;
	const bool combine = index >= vdev->num_regions;
	const u32 needed = VFIO_REGION_INFO_FLAG_MMAP |
			   (vma->vm_flags & VM_READ ? VFIO_REGION_INFO_FLAG_READ : 0) |
			   (vma->vm_flags & VM_WRITE ? VFIO_REGION_INFO_FLAG_WRITE : 0);
	struct evfio_region *region;

	if (READ_ONCE(vdev->revoked))
		return -ENODEV;
	if (index >= 2ul * vdev->num_regions)
		return evfio_contig_mmap(vdev, vma);
	if (combine)
		index -= vdev->num_regions;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	region = &vdev->regions[array_index_nospec(index, vdev->num_regions)];
	if (needed & ~region->flags || (combine && !region->prefetch))
		return -EINVAL;
	/* A mappable region that is smaller than a page has its page to itself. */
	if (start >= region->size || vma->vm_end - vma->vm_start > PAGE_ALIGN(region->size) - start)
		return -EINVAL;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (combine)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	else if (region->nonposted)
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	else
		vma->vm_page_prot = pgprot_device(vma->vm_page_prot);
	vma->vm_private_data = vdev;
	vma->vm_ops = &region_vm_ops;
	return 0;
}
