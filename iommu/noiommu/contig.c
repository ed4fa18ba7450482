// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contiguous buffers: memory of the kernel's for the DMA of a device without an IOMMU.
 *
 * It comes from the DMA API, and so from where a driver in the kernel would get it: the node's
 * memory-region, CMA, or the page allocator. It is asked for with a struct device of the buffer's
 * own, which reaches what the device reaches, but has the caller's mask and outlives the binding.
 *
 * A struct contig is counted. The device has one reference, in evfio_device::contigs, from
 * EVFIO_DEVICE_CONTIG until EVFIO_DEVICE_CONTIG_FREE, until the device is closed or revoked, and
 * quiet, or until it is unbound. Each dma-buf has another. The memory goes with the last.
 *
 * evfio_device::lock is held for writing where one comes, or leaves while the device is in use, and
 * for reading by faults, which so find only what is there. It is not held to allocate: CMA may have
 * to wait for somebody's page.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/of_reserved_mem.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "../../core/core.h"
#include "../../core/pin.h"

/**
 * struct contig - a contiguous buffer
 * @dev: whom the DMA API knows; its own count is not used
 * @kref: the device's reference, and those of dma-bufs
 * @mm: on whose account it is
 * @hurry: whoever has the last reference must not wait for that process
 * @attrs: DMA_ATTR_WRITE_COMBINE or 0
 * @cached: the CPU's caches have it, and the device does not see them
 * @memory: what the DMA API gave: of dma_alloc_pages() if @cached, else of dma_alloc_attrs()
 * @base: where it begins for the device
 * @taken: bytes of it
 * @address: where what the user has begins, aligned as wanted
 * @pfn: the same for the CPU
 * @pages: how many
 */
struct contig {
	struct device		dev;
	struct kref		kref;
	struct mm_struct	*mm;
	bool			hurry;
	bool			cached;
	unsigned long		attrs;
	void			*memory;
	dma_addr_t		base;
	size_t			taken;
	dma_addr_t		address;
	unsigned long		pfn;
	unsigned long		pages;
};

static void contig_release(struct device *dev)
{
	kfree(container_of(dev, struct contig, dev));
}

/* One that reaches what @like does; without memory yet. */
static struct contig *contig_new(struct device *like, u64 mask)
{
	const struct bus_dma_region *map = like->dma_range_map;
	struct contig *contig = kzalloc(sizeof(*contig), GFP_KERNEL_ACCOUNT);
	size_t n = 0;

	if (!contig)
		return NULL;
	device_initialize(&contig->dev);
	contig->dev.release = contig_release;
	contig->dev.coherent_dma_mask = mask;
	contig->dev.dma_mask = &contig->dev.coherent_dma_mask;
	contig->dev.bus_dma_limit = like->bus_dma_limit;
	evfio_dma_coherent_as(&contig->dev, like);
	set_dev_node(&contig->dev, dev_to_node(like));
	kref_init(&contig->kref);
	if (dev_set_name(&contig->dev, "%s", dev_name(like)))
		goto put;
	/* It ends with an empty one; the kernel frees it with the device. */
	while (map && map[n++].size)
		;
	if (n) {
		contig->dev.dma_range_map = kmemdup(map, n * sizeof(*map), GFP_KERNEL);
		if (!contig->dev.dma_range_map)
			goto put;
	}
	/* A node without one, or with one of another kind, is as good: only memory may be short. */
	if (of_reserved_mem_device_init_by_idx(&contig->dev, like->of_node, 0) != -ENOMEM)
		return contig;
put:
	put_device(&contig->dev);
	return NULL;
}

static int contig_alloc(struct contig *contig, size_t size, size_t alignment)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	struct device *dev = &contig->dev;
	u64 last;

	if (contig->cached)
		contig->memory = dma_alloc_pages(dev, contig->taken, &contig->base,
						 DMA_BIDIRECTIONAL, gfp);
	else
		contig->memory = dma_alloc_attrs(dev, contig->taken, &contig->base, gfp,
						 contig->attrs);
	if (!contig->memory)
		return dma_set_coherent_mask(dev, dev->coherent_dma_mask) ? -ERANGE : -ENOMEM;
	contig->address = ALIGN(contig->base, alignment);
	contig->pfn = PHYS_PFN(dma_to_phys(dev, contig->address));
	contig->pages = size >> PAGE_SHIFT;
	last = contig->address + size - 1;
	if (last > min_not_zero(dev->coherent_dma_mask, dev->bus_dma_limit))
		return -ERANGE;
	/* The zeroes are in memory before the device writes there. */
	if (contig->cached)
		dma_sync_single_for_device(dev, contig->address, size, DMA_BIDIRECTIONAL);
	return 0;
}

static void contig_free(struct kref *kref)
{
	struct contig *contig = container_of(kref, struct contig, kref);
	struct credit credit = { .mm = contig->mm, .hurry = contig->hurry };
	struct device *dev = &contig->dev;

	if (!contig->memory)
		;
	else if (contig->cached)
		dma_free_pages(dev, contig->taken, contig->memory, contig->base, DMA_BIDIRECTIONAL);
	else
		dma_free_attrs(dev, contig->taken, contig->memory, contig->base, contig->attrs);
	of_reserved_mem_device_release(dev);
	credit.pages = contig->taken >> PAGE_SHIFT;
	evfio_settle(&credit);
	put_device(dev);
}

static void contig_put(struct contig *contig)
{
	kref_put(&contig->kref, contig_free);
}

/* As the device sees it, so must the CPU. */
static pgprot_t contig_prot(struct contig *contig, pgprot_t prot)
{
	if (contig->cached || dev_is_dma_coherent(&contig->dev))
		return prot;
	return contig->attrs ? pgprot_writecombine(prot) : pgprot_dmacoherent(prot);
}

/* A page of a buffer is found behind the regions, by its number. */
static unsigned long contig_pgoff(struct evfio_device *vdev)
{
	return (2ul * vdev->num_regions) << (EVFIO_REGION_SHIFT - PAGE_SHIFT);
}

/* The one with a page; for as long as the device's lock is held. */
static struct contig *contig_at(struct evfio_device *vdev, unsigned long pfn)
{
	struct contig *contig;
	unsigned long id;

	lockdep_assert_held(&vdev->lock);
	if (vdev->revoked)
		return NULL;
	xa_for_each(&vdev->contigs, id, contig)
		if (pfn - contig->pfn < contig->pages)
			return contig;
	return NULL;
}

static vm_fault_t contig_fault(struct vm_fault *vmf)
{
	struct evfio_device *vdev = vmf->vma->vm_private_data;
	const unsigned long pfn = vmf->pgoff - contig_pgoff(vdev);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	down_read(&vdev->lock);
	if (contig_at(vdev, pfn))
		ret = vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	up_read(&vdev->lock);
	return ret;
}

static const struct vm_operations_struct contig_vm_ops = {
	.fault	= contig_fault,
};

/**
 * evfio_contig_mmap() - mmap() on a device fd behind the regions
 * @vdev: the device; the mapping's file keeps it
 * @vma: the mapping
 *
 * Return: 0; -EINVAL if the mapping is private, or not of a part of one buffer.
 */
int evfio_contig_mmap(struct evfio_device *vdev, struct vm_area_struct *vma)
{
	const unsigned long pfn = vma->vm_pgoff - contig_pgoff(vdev);
	struct contig *contig;
	int ret = -EINVAL;

	down_read(&vdev->lock);
	contig = contig_at(vdev, pfn);
	if (contig && vma->vm_flags & VM_SHARED &&
	    vma_pages(vma) <= contig->pages - (pfn - contig->pfn)) {
		vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
		vma->vm_page_prot = contig_prot(contig, vma->vm_page_prot);
		vma->vm_private_data = vdev;
		vma->vm_ops = &contig_vm_ops;
		ret = 0;
	}
	up_read(&vdev->lock);
	return ret;
}

/**
 * evfio_contig_new() - EVFIO_DEVICE_CONTIG
 * @obj: the device
 * @args: struct evfio_device_contig
 * @arg: the same, the user's
 */
long evfio_contig_new(void *obj, union evfio_args *args, unsigned long arg)
{
	const u32 flags = EVFIO_CONTIG_WC | EVFIO_CONTIG_CACHED;
	struct evfio_device_contig *user = &args->contig;
	const u64 alignment = max_t(u64, user->alignment, PAGE_SIZE);
	struct evfio_device *vdev = obj;
	struct contig *contig;
	u64 taken;
	int ret;

	if (!evfio_noiommu(vdev->group->iommu_group))
		return -ENOTTY;
	if (user->flags & ~flags || user->flags == flags || user->pad || !user->size ||
	    user->size & ~PAGE_MASK || alignment & (alignment - 1))
		return -EINVAL;
	if (get_dma_ops(vdev->dev) || is_swiotlb_force_bounce(vdev->dev))
		return -EOPNOTSUPP;
	/* Where a page's number has 32 bits, mmap() does not get behind eight regions. */
	if (2ull * vdev->num_regions >> (BITS_PER_LONG - EVFIO_REGION_SHIFT + PAGE_SHIFT))
		return -EOPNOTSUPP;
	/* With what it takes to align it. */
	if (check_add_overflow(user->size, alignment - PAGE_SIZE, &taken) ||
	    taken != (size_t)taken)
		return -ENOMEM;
	/* Unbinding takes some of what is copied from the device. */
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	contig = contig_new(vdev->dev, user->mask ?: dma_get_mask(vdev->dev));
	evfio_device_unlock(vdev);
	if (!contig)
		return -ENOMEM;
	contig->taken = taken;
	contig->attrs = user->flags & EVFIO_CONTIG_WC ? DMA_ATTR_WRITE_COMBINE : 0;
	contig->cached = user->flags & EVFIO_CONTIG_CACHED && !dev_is_dma_coherent(&contig->dev);
	ret = evfio_charge(current->mm, taken >> PAGE_SHIFT);
	if (!ret) {
		mmgrab(current->mm);
		contig->mm = current->mm;
		ret = contig_alloc(contig, user->size, alignment);
	}
	ret = ret ?: evfio_device_lock(vdev);
	if (!ret) {
		ret = xa_alloc(&vdev->contigs, &user->id, contig, xa_limit_32b, GFP_KERNEL_ACCOUNT);
		user->address = contig->address;
		user->offset = (u64)(contig_pgoff(vdev) + contig->pfn) << PAGE_SHIFT;
		evfio_device_unlock(vdev);
	}
	if (ret)
		contig_put(contig);
	return ret;
}

/* For calls that name a buffer: lock the device, unless the argument is wrong. */
static int contig_lock(struct evfio_device *vdev, const struct evfio_device_contig_id *user)
{
	if (!evfio_noiommu(vdev->group->iommu_group))
		return -ENOTTY;
	return user->flags ? -EINVAL : evfio_device_lock(vdev);
}

/**
 * evfio_contig_free() - EVFIO_DEVICE_CONTIG_FREE
 * @obj: the device
 * @args: struct evfio_device_contig_id
 * @arg: the same, the user's
 */
long evfio_contig_free(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	struct contig *contig;
	int ret = contig_lock(vdev, &args->contig_id);

	if (ret)
		return ret;
	contig = xa_erase(&vdev->contigs, args->contig_id.id);
	if (contig)
		unmap_mapping_pages(vdev->mapping, contig_pgoff(vdev) + contig->pfn,
				    contig->pages, true);
	evfio_device_unlock(vdev);
	if (!contig)
		return -ENOENT;
	contig_put(contig);
	return 0;
}

/**
 * evfio_contigs_release() - the device lets go of all its buffers
 * @vdev: the device, which does no DMA any more, as far as we can see to it, and is not in use
 */
void evfio_contigs_release(struct evfio_device *vdev)
{
	struct contig *contig;
	unsigned long id;

	xa_for_each(&vdev->contigs, id, contig) {
		contig = xa_erase(&vdev->contigs, id);
		contig->hurry = true;
		contig_put(contig);
	}
}

#ifdef CONFIG_DMA_SHARED_BUFFER

/*
 * Others find it by its pages, which a memory-region need not have; and the cache is looked after
 * as our device needs it, which must do for the other.
 */
static int dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct contig *contig = dmabuf->priv;

	if (!pfn_valid(contig->pfn) || PageReserved(pfn_to_page(contig->pfn)) ||
	    contig->pages > UINT_MAX >> PAGE_SHIFT ||
	    (dev_is_dma_coherent(&contig->dev) && !dev_is_dma_coherent(attach->dev)))
		return -EOPNOTSUPP;
	return 0;
}

static void dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			 enum dma_data_direction dir)
{
	struct contig *contig = attach->dmabuf->priv;

	if (table->nents)
		dma_unmap_sgtable(attach->dev, table, dir,
				  contig->cached ? 0 : DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(table);
	kfree(table);
}

static struct sg_table *dmabuf_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct contig *contig = attach->dmabuf->priv;
	struct sg_table *table = kzalloc(sizeof(*table), GFP_KERNEL);
	int ret;

	if (!table)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(table, 1, GFP_KERNEL);
	if (!ret) {
		sg_set_page(table->sgl, pfn_to_page(contig->pfn), contig->pages << PAGE_SHIFT, 0);
		ret = dma_map_sgtable(attach->dev, table, dir,
				      contig->cached ? 0 : DMA_ATTR_SKIP_CPU_SYNC);
	}
	if (!ret)
		return table;
	table->nents = 0;
	dmabuf_unmap(attach, table, dir);
	return ERR_PTR(ret);
}

static int dmabuf_begin(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct contig *contig = dmabuf->priv;

	if (contig->cached)
		dma_sync_single_for_cpu(&contig->dev, contig->address,
					contig->pages << PAGE_SHIFT, dir);
	return 0;
}

static int dmabuf_end(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct contig *contig = dmabuf->priv;

	if (contig->cached)
		dma_sync_single_for_device(&contig->dev, contig->address,
					   contig->pages << PAGE_SHIFT, dir);
	return 0;
}

static int dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct contig *contig = dmabuf->priv;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_page_prot = contig_prot(contig, vma->vm_page_prot);
	return remap_pfn_range(vma, vma->vm_start, contig->pfn + vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static void dmabuf_release(struct dma_buf *dmabuf)
{
	struct contig *contig = dmabuf->priv;

	contig->hurry = true;
	contig_put(contig);
}

static const struct dma_buf_ops dmabuf_ops = {
	.attach			= dmabuf_attach,
	.map_dma_buf		= dmabuf_map,
	.unmap_dma_buf		= dmabuf_unmap,
	.begin_cpu_access	= dmabuf_begin,
	.end_cpu_access		= dmabuf_end,
	.mmap			= dmabuf_mmap,
	.release		= dmabuf_release,
};

/* Takes the reference over, also on failure. Returns an fd. */
static int contig_export(struct contig *contig)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &dmabuf_ops;
	info.size = contig->pages << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = contig;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		contig_put(contig);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

MODULE_INFO(import_ns, "DMA_BUF");

#else

static int contig_export(struct contig *contig)
{
	contig_put(contig);
	return -EOPNOTSUPP;
}

#endif

/**
 * evfio_contig_export() - EVFIO_DEVICE_CONTIG_EXPORT
 * @obj: the device
 * @args: struct evfio_device_contig_id
 * @arg: the same, the user's
 */
long evfio_contig_export(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	struct contig *contig;
	int ret = contig_lock(vdev, &args->contig_id);

	if (ret)
		return ret;
	contig = xa_load(&vdev->contigs, args->contig_id.id);
	if (contig)
		kref_get(&contig->kref);
	evfio_device_unlock(vdev);
	return contig ? contig_export(contig) : -ENOENT;
}
