// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-amba: AMBA (PrimeCell) devices, a second driver in vfio-platform.ko.
 *
 * They differ from platform devices in having one region and a fixed array of interrupts, in that
 * their bus powers them up for probing and enables runtime PM itself, and in that nobody has looked
 * for their MSI controller.
 */
#include <linux/amba/bus.h>
#include <linux/of_irq.h>
#include <linux/pm_runtime.h>

#include "platform.h"

static int amba_vfio_probe(struct amba_device *device, const struct amba_id *id)
{
	struct platform_vdev *pdev;
	int i, ret;

	pdev = platform_vdev_new(&device->dev, VFIO_DEVICE_FLAGS_AMBA, &device->res, 1,
				 AMBA_NR_IRQS);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	for (i = 0; i < AMBA_NR_IRQS && device->irq[i]; i++) {
		ret = platform_vdev_add_irq(&pdev->vdev, device->irq[i]);
		if (ret)
			goto put;
	}
	of_msi_configure(&device->dev, device->dev.of_node);
	ret = evfio_device_register(&pdev->vdev);
	if (ret)
		goto put;
	amba_set_drvdata(device, pdev);
	pm_runtime_put(&device->dev);
	return 0;

put:
	evfio_device_put(&pdev->vdev);
	return ret;
}

static void amba_vfio_remove(struct amba_device *device)
{
	struct platform_vdev *pdev = amba_get_drvdata(device);

	evfio_device_unregister(&pdev->vdev);
	pm_runtime_get_noresume(&device->dev);
	evfio_device_put(&pdev->vdev);
}

/* Binds by driver_override alone, but the bus wants a table. */
static const struct amba_id amba_ids[] = { { } };

static struct amba_driver amba_driver = {
	.probe			= amba_vfio_probe,
	.remove			= amba_vfio_remove,
	.id_table		= amba_ids,
	.driver_managed_dma	= true,
	.drv			= { .name = "vfio-amba" },
};

static struct evfio_finder amba_finder = {
	.bus		= &amba_bustype,
	.configure	= platform_configure,
};

int __init amba_init(void)
{
	int ret;

	evfio_finder_register(&amba_finder);
	ret = amba_driver_register(&amba_driver);
	if (ret)
		evfio_finder_unregister(&amba_finder);
	return ret;
}

void amba_exit(void)
{
	amba_driver_unregister(&amba_driver);
	evfio_finder_unregister(&amba_finder);
}
