/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Regions: a device's registers and memories.
 *
 * evfio_read*() and evfio_write*() are ordered like the kernel's readl() and writel():
 *
 * - a write is done after every earlier access to memory: a descriptor is in memory before the
 *   doorbell that points to it rings;
 * - a read is done before every later access to memory: data are read after the status register
 *   that announced them;
 * - accesses to one device stay in order among themselves.
 *
 * A write is posted: reading any register of the device waits for it. Values are in the host's byte
 * order, registers are little-endian.
 *
 * Threads: as <evfio/evfio.h> says; an access is one, but for 64 bits of a 32-bit processor.
 */
#ifndef EVFIO_REGION_H
#define EVFIO_REGION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_device;

/* Flags of regions; the values are those of VFIO_REGION_INFO_FLAG_* in <linux/vfio.h>. */
#define EVFIO_REGION_READ	(1U << 0)
#define EVFIO_REGION_WRITE	(1U << 1)
#define EVFIO_REGION_MMAP	(1U << 2)

/* Of a struct evfio_region alone: it is mapped write-combined. */
#define EVFIO_REGION_WC		(1U << 31)

/**
 * struct evfio_region_info - what a region is
 * @index: its index
 * @flags: EVFIO_REGION_*
 * @size: size in bytes; 0 for an index that the device does not implement
 * @offset: where it begins in the device's file descriptor
 * @name: from "reg-names" in the device's node, or the PCI name (bar0 ... vga); "" if it has none
 */
struct evfio_region_info {
	uint32_t index;
	uint32_t flags;
	uint64_t size;
	uint64_t offset;
	char name[64];
};

/**
 * struct evfio_region - a region that can be accessed; read its members, never write them
 * @base: where it is mapped, or NULL when it can only be reached through the file descriptor (a
 *	region that does not begin or end at a page border, for one)
 * @size: size in bytes
 * @offset: where it begins in @fd
 * @index: its index
 * @flags: EVFIO_REGION_*
 * @fd: the device's file descriptor
 */
struct evfio_region {
	void *base;
	uint64_t size;
	uint64_t offset;
	uint32_t index;
	uint32_t flags;
	int fd;
};

/**
 * evfio_region_info() - describe a region
 * @dev: device
 * @index: region, below evfio_device_regions()
 * @info: where the description goes
 *
 * Return: 0; -EINVAL: no such index; -ENODEV: the device was removed.
 */
int evfio_region_info(const struct evfio_device *dev, uint32_t index,
		      struct evfio_region_info *info);

/**
 * evfio_region_index() - find a region by name
 * @dev: device
 * @name: one of the device's "reg-names", or a PCI name
 *
 * Return: its index; -ENOENT: no region has that name.
 */
int evfio_region_index(const struct evfio_device *dev, const char *name);

/**
 * evfio_region_map() - get access to a region by index
 * @dev: device
 * @index: region, below evfio_device_regions()
 * @out: where the region goes; the caller owns it, until evfio_region_unmap()
 *
 * The region is mapped if it can be, and reached by pread() and pwrite() otherwise; evfio_read32()
 * and its sisters work on both.
 *
 * Return: 0; -EINVAL: no such index; -ENXIO: the region is empty; -ENODEV: the device was removed;
 * -ENOMEM; or the errno of mmap().
 */
int evfio_region_map(const struct evfio_device *dev, uint32_t index, struct evfio_region **out);

/**
 * evfio_region_map_name() - get access to a region by name
 * @dev: device
 * @name: one of the device's "reg-names", or a PCI name
 * @out: where the region goes; the caller owns it, until evfio_region_unmap()
 *
 * Return: as evfio_region_map(); -ENOENT: no region has that name.
 */
int evfio_region_map_name(const struct evfio_device *dev, const char *name,
			  struct evfio_region **out);

/**
 * evfio_region_map_wc() - get access to a region by index, write-combined if it can be
 * @dev: device
 * @index: region, below evfio_device_regions()
 * @out: where the region goes; the caller owns it, until evfio_region_unmap()
 *
 * For memories that are filled rather than registers that act: writes may be joined and delayed
 * until evfio_wmb(), and memcpy() may be used on them. A region that has side effects, or a VFIO
 * that is not evfio's, gives what evfio_region_map() does; @flags of the region tell
 * (EVFIO_REGION_WC). A region is to be mapped in one way at a time.
 *
 * Return: as evfio_region_map().
 */
int evfio_region_map_wc(const struct evfio_device *dev, uint32_t index, struct evfio_region **out);

/**
 * evfio_region_unmap() - give a region back
 * @region: region, or NULL for no effect
 */
void evfio_region_unmap(struct evfio_region *region);

/**
 * evfio_region_read() - read by the file descriptor, whatever the region is
 * @region: region
 * @offset: in bytes from the region's beginning
 * @width: 1, 2, 4 or 8 bytes; @offset is a multiple of it
 * @value: where the value goes
 *
 * Slower than evfio_read32() on a mapped region, but an access the device does not like is an error
 * instead of a signal.
 *
 * Return: 0; -EINVAL: bad width or alignment; -ERANGE: beyond the region; -EACCES: not readable;
 * or the errno of pread(), -EINVAL among them for a width that the device does not have
 * ("reg-io-width").
 */
int evfio_region_read(const struct evfio_region *region, uint64_t offset, unsigned int width,
		      uint64_t *value);

/**
 * evfio_region_write() - write by the file descriptor, whatever the region is
 * @region: region
 * @offset: in bytes from the region's beginning
 * @width: 1, 2, 4 or 8 bytes; @offset is a multiple of it
 * @value: the value
 *
 * Return: as evfio_region_read(); -EACCES: not writable.
 */
int evfio_region_write(const struct evfio_region *region, uint64_t offset, unsigned int width,
		       uint64_t value);

/**
 * evfio_rmb() - have reads before it, of memory or registers, done before accesses after it
 *
 * What evfio_read32() and its sisters do by themselves. Devices are outside the inner shareable
 * domain that CPUs are in, hence "osh" on Arm.
 */
static inline void evfio_rmb(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshld" : : : "memory");
#elif defined(__arm__)
	__asm__ volatile("dsb" : : : "memory");
#elif defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence ir, iorw" : : : "memory");
#else
	__sync_synchronize();
#endif
}

/**
 * evfio_wmb() - have writes before it, of memory or registers, done before writes after it
 *
 * What evfio_write32() and its sisters do by themselves. A region that is mapped write-combined
 * needs it after it was written by other means.
 */
static inline void evfio_wmb(void)
{
#if defined(__aarch64__)
	__asm__ volatile("dmb oshst" : : : "memory");
#elif defined(__arm__)
	__asm__ volatile("dsb st" : : : "memory");
#elif defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("" : : : "memory");
#elif defined(__riscv)
	__asm__ volatile("fence ow, ow" : : : "memory");
#else
	__sync_synchronize();
#endif
}

/* The rest of this header is for the accessors below. */

/*
 * Reads of, and writes to, what is out of range, misaligned, forbidden or not mapped. They are for
 * the accessors alone to call: exported, because those are inline, and not in the manual.
 */
uint64_t evfio_region_slow_read(const struct evfio_region *region, uint64_t offset,
				unsigned int width);
void evfio_region_slow_write(const struct evfio_region *region, uint64_t offset,
			     unsigned int width, uint64_t value);

static inline int evfio_region_fast(const struct evfio_region *region, uint64_t offset,
				    unsigned int width, uint32_t flag)
{
	return region->base && (region->flags & flag) && region->size >= width &&
	       offset <= region->size - width && !(offset & (width - 1));
}

/* Registers are little-endian. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define EVFIO_LE16(value)	__builtin_bswap16(value)
#define EVFIO_LE32(value)	__builtin_bswap32(value)
#define EVFIO_LE64(value)	__builtin_bswap64(value)
#else
#define EVFIO_LE16(value)	(value)
#define EVFIO_LE32(value)	(value)
#define EVFIO_LE64(value)	(value)
#endif

/*
 * One access. On arm64 the instruction is written out: a hypervisor can emulate a plain load or
 * store to a device, but not one that also updates its address register, which a compiler may
 * choose.
 */
#if defined(__aarch64__)
#define EVFIO_LOAD(insn, value, reg) \
	(__extension__({ __asm__ volatile(insn ", [%1]" : "=r" (value) : "r" (reg) : "memory"); }))
#define EVFIO_STORE(insn, value, reg) \
	(__extension__({ __asm__ volatile(insn ", [%1]" : : "rZ" (value), "r" (reg) : "memory"); }))
#else
#define EVFIO_LOAD(insn, value, reg)	((value) = *(volatile __typeof__(value) *)(reg))
#define EVFIO_STORE(insn, value, reg)	(*(volatile __typeof__(value) *)(reg) = (value))
#endif

/**
 * evfio_read8() - read a register
 * @region: region
 * @offset: in bytes from the region's beginning
 *
 * Each is one access of exactly its width; but a 32-bit processor reads 64 bits as two halves, the
 * lower one first. What is beyond the region, or not a multiple of the width, or cannot be read,
 * gives what a bus gives where nobody answers, all ones; evfio_error() then tells which access it
 * was. A mapped register of a device that was removed raises SIGBUS.
 *
 * Return: the value, in the host's byte order.
 */
static inline uint8_t evfio_read8(const struct evfio_region *region, uint64_t offset)
{
	uint8_t value;

	if (!evfio_region_fast(region, offset, 1, EVFIO_REGION_READ))
		return (uint8_t)evfio_region_slow_read(region, offset, 1);
	EVFIO_LOAD("ldrb %w0", value, (char *)region->base + offset);
	evfio_rmb();
	return value;
}

static inline uint16_t evfio_read16(const struct evfio_region *region, uint64_t offset)
{
	uint16_t value;

	if (!evfio_region_fast(region, offset, 2, EVFIO_REGION_READ))
		return (uint16_t)evfio_region_slow_read(region, offset, 2);
	EVFIO_LOAD("ldrh %w0", value, (char *)region->base + offset);
	evfio_rmb();
	return EVFIO_LE16(value);
}

static inline uint32_t evfio_read32(const struct evfio_region *region, uint64_t offset)
{
	uint32_t value;

	if (!evfio_region_fast(region, offset, 4, EVFIO_REGION_READ))
		return (uint32_t)evfio_region_slow_read(region, offset, 4);
	EVFIO_LOAD("ldr %w0", value, (char *)region->base + offset);
	evfio_rmb();
	return EVFIO_LE32(value);
}

static inline uint64_t evfio_read64(const struct evfio_region *region, uint64_t offset)
{
	uint64_t value;

	if (!evfio_region_fast(region, offset, 8, EVFIO_REGION_READ))
		return (uint64_t)evfio_region_slow_read(region, offset, 8);
#if UINTPTR_MAX < UINT64_MAX
	value = evfio_read32(region, offset);
	return value | (uint64_t)evfio_read32(region, offset + 4) << 32;
#else
	EVFIO_LOAD("ldr %x0", value, (char *)region->base + offset);
	evfio_rmb();
	return EVFIO_LE64(value);
#endif
}

/**
 * evfio_write8() - write a register
 * @region: region
 * @offset: in bytes from the region's beginning
 * @value: the value, in the host's byte order
 *
 * Each is one access of exactly its width; but a 32-bit processor writes 64 bits as two halves, the
 * lower one first. Where evfio_read8() and its sisters would give all ones, and to a region that
 * cannot be written, it is lost.
 */
static inline void evfio_write8(const struct evfio_region *region, uint64_t offset,
				uint8_t value)
{
	if (!evfio_region_fast(region, offset, 1, EVFIO_REGION_WRITE)) {
		evfio_region_slow_write(region, offset, 1, value);
		return;
	}
	evfio_wmb();
	EVFIO_STORE("strb %w0", value, (char *)region->base + offset);
}

static inline void evfio_write16(const struct evfio_region *region, uint64_t offset,
				 uint16_t value)
{
	if (!evfio_region_fast(region, offset, 2, EVFIO_REGION_WRITE)) {
		evfio_region_slow_write(region, offset, 2, value);
		return;
	}
	value = EVFIO_LE16(value);
	evfio_wmb();
	EVFIO_STORE("strh %w0", value, (char *)region->base + offset);
}

static inline void evfio_write32(const struct evfio_region *region, uint64_t offset,
				 uint32_t value)
{
	if (!evfio_region_fast(region, offset, 4, EVFIO_REGION_WRITE)) {
		evfio_region_slow_write(region, offset, 4, value);
		return;
	}
	value = EVFIO_LE32(value);
	evfio_wmb();
	EVFIO_STORE("str %w0", value, (char *)region->base + offset);
}

static inline void evfio_write64(const struct evfio_region *region, uint64_t offset,
				 uint64_t value)
{
	if (!evfio_region_fast(region, offset, 8, EVFIO_REGION_WRITE)) {
		evfio_region_slow_write(region, offset, 8, value);
		return;
	}
#if UINTPTR_MAX < UINT64_MAX
	evfio_write32(region, offset, (uint32_t)value);
	evfio_write32(region, offset + 4, (uint32_t)(value >> 32));
#else
	value = EVFIO_LE64(value);
	evfio_wmb();
	EVFIO_STORE("str %x0", value, (char *)region->base + offset);
#endif
}

#undef EVFIO_LOAD
#undef EVFIO_STORE
#undef EVFIO_LE16
#undef EVFIO_LE32
#undef EVFIO_LE64

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_REGION_H */
