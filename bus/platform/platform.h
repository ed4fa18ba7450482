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
 */
struct platform_vdev {
	struct evfio_device	vdev;
	int			num_clks;
	struct clk_bulk_data	*clks;
	struct reset_control	*reset;
};

struct platform_vdev *platform_vdev_new(struct device *dev, u32 flags,
					const struct resource *resources, u32 n, int irqs);
int platform_vdev_add_irq(struct evfio_device *vdev, int hwirq);
void platform_configure(struct device *dev);

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
