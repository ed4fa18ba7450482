/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What platform and AMBA devices have in common.
 */
#ifndef EVFIO_BUS_PLATFORM_H
#define EVFIO_BUS_PLATFORM_H

#include <linux/ioport.h>

#include "../../core/evfio.h"

struct clk_bulk_data;
struct reset_control;

/**
 * struct platform_vdev - a platform or AMBA device
 * @vdev: the core's part
 * @num_clks: how many clocks the device tree gives it
 * @clks: they
 * @reset: all its reset lines, or NULL
 * @msi: the last of @vdev's interrupt indices, if the user has asked for it; see msi.c
 */
struct platform_vdev {
	struct evfio_device	vdev;
	int			num_clks;
	struct clk_bulk_data	*clks;
	struct reset_control	*reset;
	struct evfio_irq	*msi;
};

struct platform_vdev *platform_vdev_new(struct device *dev, u32 flags,
					const struct resource *resources, u32 n, int irqs);
int platform_vdev_add_irq(struct evfio_device *vdev, int hwirq);
void platform_configure(struct device *dev);

#ifdef CONFIG_GENERIC_MSI_IRQ
long platform_msi(void *obj, union evfio_args *args, unsigned long arg);
long platform_msi_message(void *obj, union evfio_args *args, unsigned long arg);
int platform_msi_enable(struct evfio_device *vdev, u32 index, u32 count);
int platform_msi_line(struct evfio_device *vdev, u32 index, u32 line);
void platform_msi_disable(struct evfio_device *vdev, u32 index);
void platform_msi_close(struct platform_vdev *pdev);
#else
static inline void platform_msi_close(struct platform_vdev *pdev)
{
}
#endif

#ifdef CONFIG_EVFIO_AMBA
int amba_init(void);
void amba_exit(void);
#else
static inline int amba_init(void)
{
	return 0;
}

static inline void amba_exit(void)
{
}
#endif

#endif
