// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The processors' caches, for devices that do not snoop them.
 */
#include <errno.h>

#include "internal.h"

int sync_check(size_t whole, size_t offset, size_t size)
{
	if (offset > whole || size > whole - offset)
		return fail(-EINVAL, "0x%zx bytes at offset 0x%zx are beyond a buffer of 0x%zx",
			    size, offset, whole);
	return 0;
}

#if defined(__aarch64__)
static inline uintptr_t cache_line(void)
{
	uint64_t ctr;

	/* CTR_EL0.DminLine, bits 19 to 16: log2 of the smallest line, in words (Arm ARM, D24). */
	__asm__("mrs %0, ctr_el0" : "=r" (ctr));
	return (uintptr_t)4 << (ctr >> 16 & 15);
}

int cache_sync(const void *addr, size_t size, bool for_cpu)
{
	const uintptr_t line = cache_line(), end = (uintptr_t)addr + size;
	uintptr_t at;

	/* Before a line is dropped, whatever told that the device is done has been read. */
	__asm__ volatile("dsb sy" : : : "memory");
	for (at = (uintptr_t)addr & ~(line - 1); at < end; at += line) {
		/* To invalidate alone is not for programs; what they left alone is clean. */
		if (for_cpu)
			__asm__ volatile("dc civac, %0" : : "r" (at) : "memory");
		else
			__asm__ volatile("dc cvac, %0" : : "r" (at) : "memory");
	}
	__asm__ volatile("dsb sy" : : : "memory");
	return 0;
}
#else
int cache_sync(const void *addr, size_t size, bool for_cpu)
{
	(void)addr;
	(void)size;
	(void)for_cpu;
	return -EOPNOTSUPP;
}
#endif
