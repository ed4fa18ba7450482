// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-platform: platform and AMBA devices, from a device tree or ACPI.
 *
 * A struct platform_vdev lives from probe to remove, or to the last fd if that comes later; what
 * devm gave it at probe (clocks, reset lines) is used only while the device is open, hence bound.
 * The core calls open, close and reset one at a time; there is nothing else to lock.
 */
#include <linux/acpi.h>
#include <linux/clk.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_device.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <linux/reset.h>
#include <linux/slab.h>

#include <linux/evfio.h>

#include "platform.h"

static bool reset_required;
module_param(reset_required, bool, 0644);
MODULE_PARM_DESC(reset_required, "refuse to bind devices that cannot be reset");

static bool mmap_only;
module_param(mmap_only, bool, 0644);
MODULE_PARM_DESC(mmap_only,
		 "no read() and write() of registers: a wrong access is then the user's fault alone");

/* Long enough for any reset line of a device on the same chip. */
#define RESET_US	10

static struct platform_vdev *to_platform(struct evfio_device *vdev)
{
	return container_of(vdev, struct platform_vdev, vdev);
}

static bool has_rst(struct device *dev)
{
#ifdef CONFIG_ACPI
	return ACPI_HANDLE(dev) && acpi_has_method(ACPI_HANDLE(dev), "_RST");
#else
	return false;
#endif
}

static int evaluate_rst(struct device *dev)
{
#ifdef CONFIG_ACPI
	if (ACPI_FAILURE(acpi_evaluate_object(ACPI_HANDLE(dev), "_RST", NULL, NULL)))
		return -EIO;
#endif
	return 0;
}

/* Reset the device, which is powered, and leave it out of reset. */
static int platform_reset(struct evfio_device *vdev)
{
	struct platform_vdev *pdev = to_platform(vdev);
	int ret;

	if (!pdev->reset)
		return has_rst(vdev->dev) ? evaluate_rst(vdev->dev) : 0;
	ret = reset_control_assert(pdev->reset);
	if (ret == -ENOTSUPP)	/* a line that only pulses */
		return reset_control_reset(pdev->reset);
	if (ret)
		return ret;
	udelay(RESET_US);
	return reset_control_deassert(pdev->reset);
}

static int platform_open(struct evfio_device *vdev)
{
	struct platform_vdev *pdev = to_platform(vdev);
	int ret;

	ret = pm_runtime_resume_and_get(vdev->dev);
	if (ret < 0)
		return ret;
	ret = clk_bulk_prepare_enable(pdev->num_clks, pdev->clks);
	if (ret)
		goto suspend;
	ret = platform_reset(vdev);
	if (ret)
		goto disable;
	return 0;

disable:
	clk_bulk_disable_unprepare(pdev->num_clks, pdev->clks);
suspend:
	pm_runtime_put_sync(vdev->dev);
	dev_err_ratelimited(vdev->dev, "cannot be powered up and reset: error %d\n", ret);
	return ret;
}

static bool platform_close(struct evfio_device *vdev)
{
	struct platform_vdev *pdev = to_platform(vdev);
	int ret = -ENODEV;

	platform_msi_close(pdev);
	if (pdev->reset) {
		ret = reset_control_assert(pdev->reset);
		if (ret == -ENOTSUPP)
			ret = reset_control_reset(pdev->reset);
	} else if (has_rst(vdev->dev)) {
		ret = evaluate_rst(vdev->dev);
	}
	clk_bulk_disable_unprepare(pdev->num_clks, pdev->clks);
	pm_runtime_put_sync(vdev->dev);
	return !ret;
}

#ifdef CONFIG_GENERIC_MSI_IRQ
static const struct evfio_ioctl platform_ioctls[] = {
	{ EVFIO_DEVICE_MSI, sizeof(struct evfio_device_msi), EVFIO_ARGSZ, platform_msi },
	{ EVFIO_DEVICE_MSI_MESSAGE, sizeof(struct evfio_device_msi_message),
	  EVFIO_ARGSZ | EVFIO_OUT, platform_msi_message },
};
#endif

static const struct evfio_bus_ops platform_ops = {
	.owner		= THIS_MODULE,
	.open		= platform_open,
	.close		= platform_close,
	.reset		= platform_reset,
#ifdef CONFIG_GENERIC_MSI_IRQ
	.irq_enable	= platform_msi_enable,
	.irq_line	= platform_msi_line,
	.irq_disable	= platform_msi_disable,
	.ioctls		= platform_ioctls,
	.num_ioctls	= ARRAY_SIZE(platform_ioctls),
#endif
};

/* What the device needs to run: clocks and a reset, both perhaps not there yet. */
static int platform_get_supplies(struct platform_vdev *pdev)
{
	struct device *dev = pdev->vdev.dev;
	int ret;

	ret = devm_clk_bulk_get_all(dev, &pdev->clks);
	if (ret < 0)
		return dev_err_probe(dev, ret, "no clocks\n");
	pdev->num_clks = ret;
	pdev->reset = devm_reset_control_array_get_optional_exclusive(dev);
	if (IS_ERR(pdev->reset))
		return dev_err_probe(dev, PTR_ERR(pdev->reset), "no reset lines\n");
	if (pdev->reset || has_rst(dev))
		pdev->vdev.flags |= VFIO_DEVICE_FLAGS_RESET;
	else if (reset_required)
		return dev_err_probe(dev, -ENOENT, "cannot be reset, but reset_required is set\n");
	return 0;
}

static void describe_region(struct evfio_region *region, const struct resource *res, int width)
{
	region->base = res->start;
	region->size = resource_size(res);
	region->flags = VFIO_REGION_INFO_FLAG_READ;
	if (!(res->flags & IORESOURCE_READONLY))
		region->flags |= VFIO_REGION_INFO_FLAG_WRITE;
	if (PAGE_ALIGNED(region->base) && PAGE_ALIGNED(region->size))
		region->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	region->nonposted = res->flags & IORESOURCE_MEM_NONPOSTED;
	/* A 32-bit processor has no access of 8 bytes. */
	region->width = mmap_only || width > (int)sizeof(long) ? -1 : width;
}

/* @resources: an array of @n in which the memory ones become regions. */
static int platform_get_regions(struct evfio_device *vdev, const struct resource *resources, u32 n)
{
	u32 i, width = 0;

	device_property_read_u32(vdev->dev, "reg-io-width", &width);
	if (width && (width > sizeof(u64) || !is_power_of_2(width)))
		return dev_err_probe(vdev->dev, -EINVAL, "reg-io-width is %u, not 1, 2, 4 or 8\n",
				     width);
	vdev->regions = kcalloc(n, sizeof(*vdev->regions), GFP_KERNEL);
	if (!vdev->regions)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (resource_type(&resources[i]) == IORESOURCE_MEM)
			describe_region(&vdev->regions[vdev->num_regions++], &resources[i], width);
	return 0;
}

/**
 * platform_vdev_add_irq() - give a device one more interrupt index, of a single line
 * @vdev: its device; platform_vdev_new() has made room
 * @hwirq: the Linux interrupt number
 */
int platform_vdev_add_irq(struct evfio_device *vdev, int hwirq)
{
	struct evfio_irq *irq = &vdev->irqs[vdev->num_irqs];
	int ret;

	ret = evfio_irq_init(irq, 1);
	if (ret)
		return ret;
	vdev->num_irqs++;
	irq->flags = VFIO_IRQ_INFO_EVENTFD;
	irq->unmaskable = -EINVAL;
	irq->lines->hwirq = hwirq;
	if (irq_get_trigger_type(hwirq) & IRQ_TYPE_LEVEL_MASK) {
		irq->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
		irq->lines->automask = true;
	}
	return 0;
}

/**
 * platform_vdev_new() - make a device, up to its interrupts
 * @dev: the device
 * @flags: VFIO_DEVICE_FLAGS_PLATFORM or AMBA
 * @resources: those that are memory become regions, in their order
 * @n: how many
 * @irqs: how many times platform_vdev_add_irq() may be called
 *
 * Return: the device, to be registered or put, or an ERR_PTR, -EPROBE_DEFER among them.
 */
struct platform_vdev *platform_vdev_new(struct device *dev, u32 flags,
					const struct resource *resources, u32 n, int irqs)
{
	struct platform_vdev *pdev;
	int ret;

	pdev = evfio_alloc(struct platform_vdev, vdev, dev, &platform_ops);
	if (!pdev)
		return ERR_PTR(-ENOMEM);
	pdev->vdev.flags = flags;
	ret = platform_get_supplies(pdev);
	if (!ret)
		ret = platform_get_regions(&pdev->vdev, resources, n);
	if (!ret) {
		/* One more, see msi.c. */
		pdev->vdev.irqs = kcalloc(irqs + 1, sizeof(*pdev->vdev.irqs), GFP_KERNEL);
		ret = pdev->vdev.irqs ? 0 : -ENOMEM;
	}
	if (ret) {
		evfio_device_put(&pdev->vdev);
		return ERR_PTR(ret);
	}
	return pdev;
}

static int platform_probe(struct platform_device *device)
{
	int i, hwirq, ret, irqs = platform_irq_count(device);
	struct platform_vdev *pdev;

	if (irqs < 0)
		return irqs;
	pdev = platform_vdev_new(&device->dev, VFIO_DEVICE_FLAGS_PLATFORM, device->resource,
				 device->num_resources, irqs);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	for (i = 0; i < irqs; i++) {
		hwirq = platform_get_irq(device, i);
		ret = hwirq < 0 ? hwirq : platform_vdev_add_irq(&pdev->vdev, hwirq);
		if (ret)
			goto put;
	}
	pm_runtime_enable(&device->dev);
	ret = evfio_device_register(&pdev->vdev);
	if (ret)
		goto disable_pm;
	platform_set_drvdata(device, pdev);
	return 0;

disable_pm:
	pm_runtime_disable(&device->dev);
put:
	evfio_device_put(&pdev->vdev);
	return ret;
}

static void platform_remove(struct platform_device *device)
{
	struct platform_vdev *pdev = platform_get_drvdata(device);

	evfio_device_unregister(&pdev->vdev);
	pm_runtime_disable(&device->dev);
	evfio_device_put(&pdev->vdev);
}

/* Binds by driver_override alone: there is no table of devices that VFIO would be the driver of. */
static struct platform_driver platform_driver = {
	.probe			= platform_probe,
	.evfio_platform_remove	= platform_remove,
	.driver_managed_dma	= true,
	.driver			= { .name = "vfio-platform" },
};

/**
 * platform_configure() - evfio_finder::configure
 * @dev: the device
 */
void platform_configure(struct device *dev)
{
	of_dma_configure(dev, dev->of_node, true);
}

static struct evfio_finder platform_finder = {
	.bus		= &platform_bus_type,
	.configure	= platform_configure,
};

static int __init platform_init(void)
{
	int ret;

	evfio_finder_register(&platform_finder);
	ret = amba_init();
	if (ret)
		goto finder;
	ret = platform_driver_register(&platform_driver);
	if (ret)
		goto amba;
	return 0;

amba:
	amba_exit();
finder:
	evfio_finder_unregister(&platform_finder);
	return ret;
}

static void __exit platform_exit(void)
{
	platform_driver_unregister(&platform_driver);
	amba_exit();
	evfio_finder_unregister(&platform_finder);
}

module_init(platform_init);
module_exit(platform_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the evfio authors");
MODULE_DESCRIPTION("evfio: platform and AMBA devices");
