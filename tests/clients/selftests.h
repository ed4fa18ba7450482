/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read before each source of the kernel's own tests of VFIO: what they lack when built by
 * themselves, and a container of /dev/vfio/vfio where they would take iommufd.
 */
#include <stdlib.h>

extern const char *default_iommu_mode;

static void __attribute__((constructor)) take_container(void)
{
	default_iommu_mode = "vfio_type1v2_iommu";
}

static inline void *calloc_assert(size_t count, size_t size)
{
	void *mem = calloc(count, size);

	if (!mem)
		abort();
	return mem;
}
