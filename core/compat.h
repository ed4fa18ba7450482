/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ. Each HAVE_* is the result of compiling a probe against the very headers
 * the modules are built for (core/configure), never of a version number: distributions backport.
 */
#ifndef EVFIO_CORE_COMPAT_H
#define EVFIO_CORE_COMPAT_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/irqbypass.h>
#include <linux/irqdomain.h>
#include <linux/mm.h>
#include <linux/msi.h>
#include <linux/platform_device.h>
#ifdef HAVE_INSERT_PMD_PFN_T
#include <linux/pfn_t.h>
#endif

static inline struct iommu_domain *evfio_domain_alloc(struct device *dev)
{
#ifdef HAVE_PAGING_DOMAIN_ALLOC
	return iommu_paging_domain_alloc(dev);
#else
	return iommu_domain_alloc(dev->bus) ?: ERR_PTR(-ENOMEM);
#endif
}

static inline int evfio_domain_map(struct iommu_domain *domain, unsigned long iova,
				   phys_addr_t phys, size_t size, int prot)
{
#ifdef HAVE_IOMMU_MAP_GFP
	return iommu_map(domain, iova, phys, size, prot, GFP_KERNEL_ACCOUNT);
#else
	return iommu_map(domain, iova, phys, size, prot);
#endif
}

#ifndef HAVE_GROUP_ISOLATED_MSI
static inline int evfio_remaps(struct device *dev, void *data)
{
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}
#endif

/* Whether a device's MSIs cannot be forged by its DMA, for all devices of a group. */
static inline bool evfio_group_isolated_msi(struct iommu_group *group)
{
#ifdef HAVE_GROUP_ISOLATED_MSI
	return iommu_group_has_isolated_msi(group);
#else
	return irq_domain_check_msi_remap() || iommu_group_for_each_dev(group, NULL, evfio_remaps);
#endif
}

static inline void evfio_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef HAVE_EVENTFD_SIGNAL_CTX
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* A failure is of no interest: it is as if nobody wanted the interrupt. */
static inline void evfio_bypass_register(struct irq_bypass_producer *producer,
					 struct eventfd_ctx *ctx, int irq)
{
#ifdef HAVE_BYPASS_EVENTFD
	irq_bypass_register_producer(producer, ctx, irq);
#else
	producer->token = ctx;
	producer->irq = irq;
	if (irq_bypass_register_producer(producer))
		producer->token = NULL;
#endif
}

/* One that is not registered is let be. */
static inline void evfio_bypass_unregister(struct irq_bypass_producer *producer)
{
	irq_bypass_unregister_producer(producer);
#ifndef HAVE_BYPASS_EVENTFD
	producer->token = NULL;
#endif
}

/* With the caller's mmap_lock held. */
static inline long evfio_pin_user_pages(unsigned long vaddr, unsigned long nr, unsigned int flags,
					struct page **pages)
{
#ifdef HAVE_PIN_PAGES_VMAS
	return pin_user_pages(vaddr, nr, flags, pages, NULL);
#else
	return pin_user_pages(vaddr, nr, flags, pages);
#endif
}

/* Whether @dev sees the CPU's caches is as it is for @like, where it is not the same for all. */
static inline void evfio_dma_coherent_as(struct device *dev, const struct device *like)
{
#if defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
#ifdef HAVE_DEV_ASSIGN_COHERENT
	dev_assign_dma_coherent(dev, dev_dma_coherent(like));
#else
	dev->dma_coherent = like->dma_coherent;
#endif
#endif
}

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Map device memory by a huge page, if that is what @order means. */
static inline vm_fault_t evfio_insert_pmd(struct vm_fault *vmf, unsigned int order,
					  unsigned long pfn)
{
#ifdef HAVE_INSERT_PMD
	if (order == PMD_SHIFT - PAGE_SHIFT)
#ifdef HAVE_INSERT_PMD_PFN_T
		return vmf_insert_pfn_pmd(vmf, pfn_to_pfn_t(pfn), vmf->flags & FAULT_FLAG_WRITE);
#else
		return vmf_insert_pfn_pmd(vmf, pfn, vmf->flags & FAULT_FLAG_WRITE);
#endif
#endif
	return VM_FAULT_FALLBACK;
}

#ifdef CONFIG_GENERIC_MSI_IRQ
static inline void evfio_msi_free(struct device *dev)
{
#ifdef HAVE_PLATFORM_DEVICE_MSI
	platform_device_msi_free_irqs_all(dev);
#else
	platform_msi_domain_free_irqs(dev);
#endif
}

/* Give a device whose bus knows no MSI so many vectors, all or none. */
static inline int evfio_msi_alloc(struct device *dev, unsigned int count, irq_write_msi_msg_t write)
{
#ifdef HAVE_PLATFORM_DEVICE_MSI
	int ret = platform_device_msi_init_and_alloc_irqs(dev, count, write);

	/* From a domain made for them, which stays when they fail; -ENODEV: there is none. */
	if (ret == -ENODEV)
		return -ENOMEM;
	if (ret)
		evfio_msi_free(dev);
	return ret;
#else
	return platform_msi_domain_alloc_irqs(dev, count, write);
#endif
}
#endif

/*
 * A 32-bit kernel maps nothing of a file beyond 4 GiB, where all regions but the first are, unless
 * the file has unsigned positions.
 */
#if BITS_PER_LONG == 32 && defined(FOP_UNSIGNED_OFFSET)
#define evfio_far_fops	.fop_flags = FOP_UNSIGNED_OFFSET,
#else
#define evfio_far_fops
#endif
#if BITS_PER_LONG == 32 && defined(FMODE_UNSIGNED_OFFSET)
#define evfio_far_fmode	FMODE_UNSIGNED_OFFSET
#else
#define evfio_far_fmode	0
#endif

/* The constness of a class's devnode() argument. */
#ifdef HAVE_DEVNODE_CONST
#define evfio_devnode_dev const struct device
#else
#define evfio_devnode_dev struct device
#endif

/* platform_driver::remove returns nothing, under whichever name. */
#ifdef HAVE_PLATFORM_REMOVE_VOID
#define evfio_platform_remove remove
#else
#define evfio_platform_remove remove_new
#endif

#endif
