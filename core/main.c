// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio.ko: containers, groups and devices, for any bus and any IOMMU.
 */
#include <linux/module.h>

#include "core.h"
#include "pin.h"

static int __init evfio_init(void)
{
	int ret;

	ret = evfio_isolation_init();
	if (ret)
		return ret;
	ret = evfio_group_init();
	if (ret)
		goto isolation;
	ret = evfio_container_init();
	if (ret)
		goto group;
	evfio_noiommu_init();
	return 0;

group:
	evfio_group_exit();
isolation:
	evfio_isolation_exit();
	return ret;
}

static void __exit evfio_exit(void)
{
	evfio_container_exit();
	evfio_group_exit();
	evfio_isolation_exit();
	evfio_pin_exit();
}

module_init(evfio_init);
module_exit(evfio_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the evfio authors");
MODULE_DESCRIPTION("evfio: userspace drivers for any bus and any IOMMU");
MODULE_SOFTDEP("post: vfio_iommu_type1");
