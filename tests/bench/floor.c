// SPDX-License-Identifier: GPL-2.0-only
/*
 * floor - what mapping memory for DMA costs at least: pinning, telling the IOMMU, nothing else
 *
 * /dev/floor is for one process that does one thing at a time, and has one IOMMU domain, to which
 * the platform device floor.dev is attached. It checks, accounts and keeps in order nothing at all,
 * and lets whoever opens it do DMA to whatever that has: it is there to be measured.
 */
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of_device.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "floor.h"

#define BATCH	(PAGE_SIZE / sizeof(struct page *))
#define RUNS	(1u << 17)
#define AREAS	(1u << 16)

static char *dev;
module_param(dev, charp, 0444);

static struct iommu_domain *domain;
static struct iommu_group *group;
static struct page **pages;
static struct run {
	unsigned long pfn, count;
} *runs;
static struct floor_area *areas;
static unsigned int nr_runs, nr_areas;

static int run_map(const struct run *run, unsigned long iova)
{
	if (nr_runs == RUNS)
		return -ENOSPC;
	runs[nr_runs++] = *run;
	return evfio_domain_map(domain, iova, PFN_PHYS(run->pfn), run->count << PAGE_SHIFT,
				IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE);
}

/* After a failure what there is stays as it is: the benchmark ends. */
static long area_map(const struct floor_area *area)
{
	unsigned long vaddr = area->vaddr, iova = area->iova, left = area->size >> PAGE_SHIFT, pfn;
	struct run run = { };
	int i, n, ret;

	if (nr_areas == AREAS)
		return -ENOSPC;
	areas[nr_areas++] = *area;
	for (; left; left -= n, vaddr += (unsigned long)n << PAGE_SHIFT) {
		n = pin_user_pages_fast(vaddr, min(left, BATCH), FOLL_LONGTERM | FOLL_WRITE, pages);
		if (n <= 0)
			return -EFAULT;
		for (i = 0; i < n; i++) {
			pfn = page_to_pfn(pages[i]);
			if (run.count && pfn == run.pfn + run.count) {
				run.count++;
				continue;
			}
			if (run.count) {
				ret = run_map(&run, iova);
				if (ret)
					return ret;
				iova += run.count << PAGE_SHIFT;
			}
			run = (struct run){ pfn, 1 };
		}
	}
	return run_map(&run, iova);
}

/* A flush of everything, where each of many would be one of its own. */
static long all_unmap(void)
{
	struct iommu_iotlb_gather gather;
	unsigned int i;

	iommu_iotlb_gather_init(&gather);
	gather.queued = nr_areas > 1;
	for (i = 0; i < nr_areas; i++)
		iommu_unmap_fast(domain, areas[i].iova, areas[i].size, &gather);
	if (gather.queued)
		iommu_flush_iotlb_all(domain);
	iommu_iotlb_sync(domain, &gather);
	for (i = 0; i < nr_runs; i++)
		unpin_user_page_range_dirty_lock(pfn_to_page(runs[i].pfn), runs[i].count, true);
	nr_runs = 0;
	nr_areas = 0;
	return 0;
}

static long floor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct floor_area area;

	switch (cmd) {
	case FLOOR_MAP:
		if (copy_from_user(&area, (void __user *)arg, sizeof(area)))
			return -EFAULT;
		return area_map(&area);
	case FLOOR_UNMAP:
		return all_unmap();
	default:
		return -ENOTTY;
	}
}

static const struct file_operations floor_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= floor_ioctl,
};

static struct miscdevice floor_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "floor",
	.fops	= &floor_fops,
};

/* For good: the guest ends with its benchmark. */
static int __init floor_init(void)
{
	struct device *found = dev ? bus_find_device_by_name(&platform_bus_type, NULL, dev) : NULL;
	int ret;

	if (!found)
		return -ENODEV;
	/* As the bus does for a driver to come: some kernels make the group only then. */
	ret = of_dma_configure(found, found->of_node, true);
	if (ret)
		return ret;
	group = iommu_group_get(found);
	if (!group)
		return -ENODEV;
	pages = (struct page **)__get_free_page(GFP_KERNEL);
	runs = vmalloc(array_size(RUNS, sizeof(*runs)));
	areas = vmalloc(array_size(AREAS, sizeof(*areas)));
	if (!pages || !runs || !areas)
		return -ENOMEM;
	domain = evfio_domain_alloc(found);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	ret = iommu_attach_group(domain, group);
	return ret ?: misc_register(&floor_dev);
}
module_init(floor_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("evfio: the least that mapping for DMA can cost");
