// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * DMA mappings.
 *
 * The container's lock is held to choose IOVAs, never while the kernel maps or unmaps, so that
 * threads do that side by side. An IOVA is taken before it is mapped and given back after it was
 * unmapped: nobody else can get it meanwhile.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/evfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

/* <linux/mman.h>; the C library's headers may be older than the kernel. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

#define LARGE_PAGE (2ULL << 20)

/* EVFIO_DMA_PAGE(): the shift is in bits 8 to 13. */
#define PAGE_SHIFT_OF(flags) (((flags) >> 8) & 63)
#define ALLOC_FLAGS (EVFIO_DMA_BOTH | EVFIO_DMA_PAGE(63))

/* The kernel's answer to VFIO_IOMMU_GET_INFO, in memory that the caller frees. */
static int get_info(struct evfio_container *ct, struct vfio_iommu_type1_info **out, size_t *size)
{
	struct vfio_iommu_type1_info *info = NULL;
	size_t argsz = sizeof(*info);

	/* The kernel says how much it would have written; this may change with each group. */
	for (;;) {
		struct vfio_iommu_type1_info *bigger = realloc(info, argsz);
		int err;

		if (!bigger) {
			free(info);
			return fail(-ENOMEM, "no memory to describe the IOMMU");
		}
		info = bigger;
		memset(info, 0, argsz);
		info->argsz = (uint32_t)argsz;
		if (ioctl(ct->fd, VFIO_IOMMU_GET_INFO, info)) {
			err = fail_errno("cannot get information about the IOMMU");
			free(info);
			return err;
		}
		if (info->argsz <= argsz)
			break;
		argsz = info->argsz;
	}
	*out = info;
	*size = argsz;
	return 0;
}

const void *dma_find_cap(const struct vfio_iommu_type1_info *info, size_t size, uint16_t id,
			 size_t min)
{
	size_t offset;

	if (!(info->flags & VFIO_IOMMU_INFO_CAPS) ||
	    size < offsetof(struct vfio_iommu_type1_info, cap_offset) + sizeof(info->cap_offset))
		return NULL;
	offset = info->cap_offset;
	while (offset && offset <= size - sizeof(struct vfio_info_cap_header) && !(offset % 4)) {
		const struct vfio_info_cap_header *cap =
			(const void *)((const uint8_t *)info + offset);

		if (cap->id == id)
			return size - offset >= min ? cap : NULL;
		/* Only forward, so that a loop ends. */
		if (cap->next <= offset)
			break;
		offset = cap->next;
	}
	return NULL;
}

int dma_update_ranges(struct evfio_container *ct)
{
	static const struct evfio_iova_range unknown = { 0x10000, (1ULL << 39) - 1 };
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info *info;
	struct evfio_iova_range *ranges = NULL;
	size_t size, i, nr = 0;
	int err;

	err = get_info(ct, &info, &size);
	if (err)
		return err;
	ct->page_sizes = info->flags & VFIO_IOMMU_INFO_PGSIZES ? info->iova_pgsizes : 0;
	if (!ct->page_sizes)
		ct->page_sizes = (uint64_t)sysconf(_SC_PAGESIZE);
	ct->takes_many = ioctl(ct->fd, VFIO_CHECK_EXTENSION, EVFIO_EXT_IOMMU_RANGES) > 0;
	ct->has_buffers = ioctl(ct->fd, VFIO_CHECK_EXTENSION, EVFIO_EXT_IOMMU_BUFFER) > 0;

	cap = dma_find_cap(info, size, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, sizeof(*cap));
	if (cap) {
		nr = (size - (size_t)((const uint8_t *)cap->iova_ranges - (const uint8_t *)info)) /
		     sizeof(cap->iova_ranges[0]);
		if (nr > cap->nr_iovas)
			nr = cap->nr_iovas;
		ranges = calloc(nr ? nr : 1, sizeof(*ranges));
		for (i = 0; ranges && i < nr; i++) {
			ranges[i].first = cap->iova_ranges[i].start;
			ranges[i].last = cap->iova_ranges[i].end;
		}
		err = ranges ? iova_set_ranges(&ct->iova, ranges, nr) : -ENOMEM;
		free(ranges);
	} else {
		err = iova_set_ranges(&ct->iova, &unknown, 1);
	}
	free(info);
	return err ? fail(err, "no memory for the IOMMU's address ranges") : 0;
}

bool has_capability(unsigned int number)
{
	char path[PATH_LEN + 32], line[128];
	uint64_t caps = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/self/status", evfio_roots.proc);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	}
	if (file)
		fclose(file);
	return caps >> number & 1;
}

/*
 * How much memory this process has locked, in bytes. DMA memory is among it: VFIO counts it as
 * locked, iommufd as pinned.
 */
static uint64_t locked_bytes(const struct evfio_container *ct)
{
	const char *name = ct->iommufd ? "VmPin:" : "VmLck:";
	char path[PATH_LEN + 32], line[128];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/self/status", evfio_roots.proc);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, strlen(name))) {
			kib = strtoull(line + strlen(name), NULL, 10);
			break;
		}
	}
	if (file)
		fclose(file);
	return kib * 1024;
}

/* what is size, and perhaps more, in words. */
static int explain_no_memory(const struct evfio_container *ct, uint64_t size, const char *what)
{
	uint64_t locked = locked_bytes(ct);
	char has[32], limit[32];
	struct rlimit rlimit;

	if (!getrlimit(RLIMIT_MEMLOCK, &rlimit) && rlimit.rlim_cur != RLIM_INFINITY &&
	    size + locked > rlimit.rlim_cur && !has_capability(CAP_IPC_LOCK))
		return fail(-ENOMEM, "DMA memory is locked: this needs %s, %s are locked already, "
			    "the limit is %s: raise it with `ulimit -l` or LimitMEMLOCK=",
			    what, format_size(has, sizeof(has), locked),
			    format_size(limit, sizeof(limit), rlimit.rlim_cur));
	return fail(-ENOMEM, "no memory to map %s for DMA", what);
}

/* by is "", or says what reached it. */
static int explain_limit(const char *by)
{
	char limit[32];

	if (sysfs_read("/sys/module/vfio_iommu_type1/parameters", "dma_entry_limit", limit,
		       sizeof(limit)) < 0)
		strcpy(limit, "?");
	return fail(-ENOSPC, "the container's limit of %s mappings is reached%s: map fewer and "
		    "larger pieces, or raise dma_entry_limit of vfio_iommu_type1", limit, by);
}

int dma_explain_map(const struct evfio_container *ct, int err, const void *addr, uint64_t size,
		    uint64_t iova)
{
	char text[32];

	format_size(text, sizeof(text), size);
	switch (err) {
	case -ENOMEM:
		return explain_no_memory(ct, size, text);
	case -ENOSPC:
		return explain_limit("");
	case -EFAULT:
		return fail(err, "%s at %p cannot be mapped: it is not all memory of this program, "
			    "or cannot be written while the device should", text, addr);
	case -EEXIST:
		return fail(err, "IOVA 0x%" PRIx64 " is mapped already", iova);
	default:
		return fail(err, "cannot map %s at IOVA 0x%" PRIx64 ": %s", text, iova,
			    strerror(-err));
	}
}

/* "64 KiB in 16 pieces". Returns buf. */
static char *format_pieces(char *buf, size_t len, uint64_t size, unsigned int count)
{
	char text[32];

	snprintf(buf, len, "%s in %u pieces", format_size(text, sizeof(text), size), count);
	return buf;
}

/* The same for a list of mappings: the kernel does not say which of them it was. */
static int explain_map_list(const struct evfio_container *ct, int err,
			    struct evfio_dma *const *dmas, unsigned int count)
{
	char what[64], by[80];
	uint64_t size = 0;
	unsigned int i;

	if (count == 1)
		return dma_explain_map(ct, err, dmas[0]->addr, dmas[0]->size, dmas[0]->iova);
	for (i = 0; i < count; i++)
		size += dmas[i]->size;
	format_pieces(what, sizeof(what), size, count);
	switch (err) {
	case -ENOMEM:
		return explain_no_memory(ct, size, what);
	case -ENOSPC:
		snprintf(by, sizeof(by), " by %s", what);
		return explain_limit(by);
	case -EFAULT:
		return fail(err, "%s cannot be mapped: one is not all memory of this program, or "
			    "cannot be written while the device should", what);
	case -EEXIST:
		return fail(err, "cannot map %s: one of the IOVAs is mapped already", what);
	default:
		return fail(err, "cannot map %s: %s", what, strerror(-err));
	}
}

static uint64_t granule(const struct evfio_container *ct)
{
	return ct->page_sizes & -ct->page_sizes;
}

/* The largest page of the IOMMU that both size and address let it use. */
static uint64_t best_align(const struct evfio_container *ct, const void *addr, uint64_t size)
{
	uint64_t best = granule(ct), page;

	for (page = best; page && page <= size; page <<= 1) {
		if ((ct->page_sizes & page) && !((uintptr_t)addr & (page - 1)))
			best = page;
	}
	return best;
}

static int explain_no_iova(const struct evfio_container *ct, uint64_t size, uint64_t align)
{
	char need[32], aligned[32];
	unsigned int bits = 64 - (unsigned int)(ct->iova.last == UINT64_MAX ? 0 :
						__builtin_clzll(ct->iova.last));

	return fail(-ENOSPC, "no %s of free IOVAs, aligned to %s, below 2^%u",
		    format_size(need, sizeof(need), size),
		    format_size(aligned, sizeof(aligned), align), bits);
}

/* For size bytes and the container's guard. ct->lock is held. */
static int choose_iova(struct evfio_container *ct, const void *addr, uint64_t size, uint64_t align,
		       uint64_t *iova)
{
	uint64_t best = best_align(ct, addr, size), all;
	int err = -ENOSPC;

	if (align < granule(ct))
		align = granule(ct);
	if (!__builtin_add_overflow(size, ct->guard, &all)) {
		/* Large pages are a wish, the caller's alignment is a demand. */
		err = iova_alloc(&ct->iova, all, best > align ? best : align, iova);
		if (err == -ENOSPC && best > align)
			err = iova_alloc(&ct->iova, all, align, iova);
	}
	if (err == -ENOSPC)
		return explain_no_iova(ct, size, align);
	return err ? fail(err, "no memory to note an IOVA") : 0;
}

/* ct->lock is held. */
static int take_iova(struct evfio_container *ct, uint64_t size, uint64_t iova)
{
	char text[32];
	int err = iova_reserve(&ct->iova, iova, size);

	switch (err) {
	case 0:
		return 0;
	case -ERANGE:
		return fail(err, "IOVA 0x%" PRIx64 " and the %s from there are outside what the "
			    "IOMMU can map: `evfio info` shows its ranges",
			    iova, format_size(text, sizeof(text), size));
	case -EEXIST:
		return fail(err, "IOVA 0x%" PRIx64 ", or part of the %s from there, is mapped "
			    "already", iova, format_size(text, sizeof(text), size));
	default:
		return fail(err, "no memory to note an IOVA");
	}
}

int dma_check_iommu(const struct evfio_container *ct)
{
	if (!ct->groups)
		return fail(-ENODEV, "no device is open in the container, so it has no IOMMU yet");
	if (ct->noiommu)
		return fail(-EOPNOTSUPP, "the container's devices have no IOMMU, so nothing can be "
			    "mapped: evfio_pin_memory() and evfio_contig_alloc() have memory for "
			    "them");
	return 0;
}

int mapping_new(struct evfio_container *ct, void *addr, size_t size, uint64_t align,
		const uint64_t *fixed, struct mapping **out)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	uint64_t iova = fixed ? *fixed : 0;
	uint64_t mask;
	int err;

	if (!mapping)
		return fail(-ENOMEM, "no memory for a mapping");

	pthread_mutex_lock(&ct->lock);
	mask = granule(ct) - 1;
	err = dma_check_iommu(ct);
	if (!err && (!size || (size & mask) || ((uintptr_t)addr & mask) || (iova & mask)))
		err = fail(-EINVAL, "address %p, size 0x%zx and IOVA 0x%" PRIx64 " must be "
			   "multiples of the IOMMU's page, 0x%" PRIx64, addr, size, iova, mask + 1);
	if (!err)
		err = fixed ? take_iova(ct, size, iova) :
			      choose_iova(ct, addr, size, align, &iova);
	if (!err)
		ct->refs++;
	mapping->guard = fixed ? 0 : ct->guard;
	mapping->iommu_generation = ct->iommu_generation;
	pthread_mutex_unlock(&ct->lock);
	if (err) {
		free(mapping);
		return err;
	}
	mapping->pub.addr = addr;
	mapping->pub.iova = iova;
	mapping->pub.size = size;
	mapping->ct = ct;
	*out = mapping;
	return 0;
}

void mapping_free(struct mapping *mapping)
{
	struct evfio_container *ct = mapping->ct;

	pthread_mutex_lock(&ct->lock);
	if (!mapping->mapped && mapping->iommu_generation == ct->iommu_generation)
		iova_free(&ct->iova, mapping->pub.iova, mapping->pub.size + mapping->guard);
	pthread_mutex_unlock(&ct->lock);
	if (mapping->memory)
		munmap(mapping->memory, mapping->pub.size);
	if (mapping->windows)
		__atomic_sub_fetch(mapping->windows, 1, __ATOMIC_RELAXED);
	evfio_container_put(ct);
	free(mapping);
}

void mapping_note_loss(struct mapping *mapping)
{
	const struct evfio_container *ct = mapping->ct;

	if (!ct->groups || ct->iommu_generation != mapping->iommu_generation)
		mapping->mapped = false;
}

/*
 * Room for what goes to the kernel by one call, of count mappings; to be freed. NULL when each is
 * to go by itself: it is one only, the kernel takes no more, or there is no memory.
 */
static struct evfio_iommu_ranges *batch_new(struct evfio_container *ct, unsigned int count)
{
	const unsigned int nr = count < EVFIO_IOMMU_RANGES_MAX ? count : EVFIO_IOMMU_RANGES_MAX;
	struct evfio_iommu_ranges *batch;
	bool takes_many;

	if (count < 2)
		return NULL;
	pthread_mutex_lock(&ct->lock);
	takes_many = ct->takes_many;
	pthread_mutex_unlock(&ct->lock);
	return takes_many ? malloc(sizeof(*batch) + nr * sizeof(batch->ranges[0])) : NULL;
}

int dma_compare_ranges(const void *a, const void *b)
{
	const struct evfio_iommu_range *x = a, *y = b;

	return (x->iova > y->iova) - (x->iova < y->iova);
}

/*
 * Puts those of a list that are mapped, or those that are not, into the batch: from the list's
 * beginning, as many as one call may have. Returns how much of the list that was.
 */
static unsigned int batch_fill(struct evfio_iommu_ranges *batch, struct evfio_container *ct,
			       struct evfio_dma *const *dmas, unsigned int count, bool mapped)
{
	unsigned int i;

	memset(batch, 0, sizeof(*batch));
	pthread_mutex_lock(&ct->lock);
	for (i = 0; i < count && batch->nr < EVFIO_IOMMU_RANGES_MAX; i++) {
		struct mapping *mapping = to_mapping(dmas[i]);

		if (!mapping)
			continue;
		mapping_note_loss(mapping);
		if (mapping->mapped == mapped)
			batch->ranges[batch->nr++] = (struct evfio_iommu_range){
				.iova = mapping->pub.iova,
				.vaddr = (uintptr_t)mapping->pub.addr,
				.size = mapping->pub.size,
			};
	}
	pthread_mutex_unlock(&ct->lock);
	batch->argsz = (uint32_t)(sizeof(*batch) + batch->nr * sizeof(batch->ranges[0]));
	qsort(batch->ranges, batch->nr, sizeof(batch->ranges[0]), dma_compare_ranges);
	return i;
}

static void set_mapped(struct evfio_dma *const *dmas, unsigned int count, bool mapped)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (dmas[i])
			to_mapping(dmas[i])->mapped = mapped;
	}
}

/*
 * Maps the first of a list; with a batch, as many as go by one call. Returns how many, or a
 * negative errno, without a message, and then none of them is mapped.
 */
static int map_run(struct evfio_container *ct, struct evfio_dma *const *dmas, unsigned int count,
		   unsigned int flags, struct evfio_iommu_ranges *batch)
{
	struct vfio_iommu_type1_dma_map one = {
		.argsz = sizeof(one),
		.flags = flags,
		.vaddr = (uintptr_t)dmas[0]->addr,
		.iova = dmas[0]->iova,
		.size = dmas[0]->size,
	};
	unsigned int run = 1;
	int ret;

	if (batch && count > 1) {
		run = batch_fill(batch, ct, dmas, count, false);
		batch->flags = flags;
		ret = ioctl(ct->fd, EVFIO_IOMMU_MAP, batch);
	} else {
		ret = ioctl(ct->fd, VFIO_IOMMU_MAP_DMA, &one);
	}
	if (ret)
		return -errno;
	set_mapped(dmas, run, true);
	return (int)run;
}

static int unmap_one(struct mapping *mapping)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = mapping->pub.iova,
		.size = mapping->pub.size,
	};
	struct evfio_container *ct = mapping->ct;

	pthread_mutex_lock(&ct->lock);
	mapping_note_loss(mapping);
	pthread_mutex_unlock(&ct->lock);
	if (!mapping->mapped)
		return 0;

	if (ioctl(ct->fd, VFIO_IOMMU_UNMAP_DMA, &arg))
		return fail_errno("cannot unmap IOVA 0x%" PRIx64, mapping->pub.iova);
	if (arg.size != mapping->pub.size)
		return fail(-ENOENT, "IOVA 0x%" PRIx64 " was not mapped any more",
			    mapping->pub.iova);
	mapping->mapped = false;
	return 0;
}

/* Notes what the kernel unmapped by one call, which says no more than how much it was in all. */
static int batch_unmapped(const struct evfio_iommu_ranges *batch, struct evfio_dma *const *dmas,
			  unsigned int count)
{
	char all[64], was[32];
	uint64_t size = 0;
	unsigned int i;

	for (i = 0; i < batch->nr; i++)
		size += batch->ranges[i].size;
	if (batch->size != size)
		return fail(-ENOENT, "of %s, only %s were still mapped",
			    format_pieces(all, sizeof(all), size, batch->nr),
			    format_size(was, sizeof(was), batch->size));
	set_mapped(dmas, count, false);
	return 0;
}

/* Unmaps a list, of which entries may be NULL, as far as it can. Returns the last error. */
static int unmap_list(struct evfio_container *ct, struct evfio_dma *const *dmas,
		      unsigned int count, struct evfio_iommu_ranges *batch)
{
	unsigned int i, run;
	int ret = 0, err;

	for (; count; dmas += run, count -= run) {
		run = batch ? batch_fill(batch, ct, dmas, count, true) : count;
		if (batch && batch->nr > 1 && !ioctl(ct->fd, EVFIO_IOMMU_UNMAP, batch)) {
			err = batch_unmapped(batch, dmas, run);
			if (err)
				ret = err;
			continue;
		}
		/* Together, one that cannot be unmapped keeps the others from it as well. */
		for (i = 0; i < run; i++) {
			err = dmas[i] ? unmap_one(to_mapping(dmas[i])) : 0;
			if (err)
				ret = err;
		}
	}
	return ret;
}

/* Maps all of a list, or none. */
static int map_list(struct evfio_container *ct, struct evfio_dma *const *dmas, unsigned int count,
		    unsigned int flags)
{
	struct evfio_iommu_ranges *batch = batch_new(ct, count);
	unsigned int done = 0;
	int run = 0;

	while (done < count) {
		run = map_run(ct, dmas + done, count - done, flags, batch);
		if (run < 0)
			break;
		done += (unsigned int)run;
	}
	if (run < 0) {
		unmap_list(ct, dmas, done, batch);
		/* Only now, since what it says of locked memory shall hold afterwards. */
		explain_map_list(ct, run, dmas, count);
	}
	free(batch);
	return run < 0 ? run : 0;
}

/* Maps size bytes at addr; at *fixed, if that is given. */
static int map(struct evfio_container *ct, void *addr, size_t size, uint64_t align,
	       const uint64_t *fixed, unsigned int flags, struct mapping **out)
{
	struct mapping *mapping;
	struct evfio_dma *dma;
	int err;

	err = mapping_new(ct, addr, size, align, fixed, &mapping);
	if (err)
		return err;
	dma = &mapping->pub;
	err = map_list(ct, &dma, 1, flags);
	if (err)
		mapping_free(mapping);
	else
		*out = mapping;
	return err;
}

int dma_check_flags(unsigned int flags, unsigned int allowed)
{
	if (!(flags & EVFIO_DMA_BOTH) || (flags & ~allowed))
		return fail(-EINVAL, "0x%x are no flags for DMA: EVFIO_DMA_TO_DEVICE or "
			    "EVFIO_DMA_FROM_DEVICE or both are wanted", flags);
	return 0;
}

/* Makes all pages present, so that the kernel has only to take hold of them. */
static int populate(void *memory, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile uint8_t *at = memory;
	size_t i;

	if (!madvise(memory, size, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Linux before 5.14 */
	for (i = 0; i < size; i += page)
		at[i] = 0;
	return 0;
}

/* From a large page's size up, the memory begins at a border of one. */
static int alloc_pages(size_t size, void **out)
{
	size_t spare = size >= LARGE_PAGE ? LARGE_PAGE : 0;
	uint8_t *memory, *start;
	int err;

	if (size + spare < size)
		return -ENOMEM;
	memory = mmap(NULL, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		return -errno;
	start = memory;
	if (spare) {
		size_t head = (size_t)(-(uintptr_t)memory & (LARGE_PAGE - 1));

		start = memory + head;
		if (head)
			munmap(memory, head);
		munmap(start + size, spare - head);
		/* A wish: kernels without transparent huge pages say EINVAL. */
		(void)madvise(start, size, MADV_HUGEPAGE);
	}
	err = populate(start, size);
	if (err)
		munmap(start, size);
	else
		*out = start;
	return err;
}

static int alloc_huge(size_t size, unsigned int shift, void **out)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE |
			    (int)(shift << MAP_HUGE_SHIFT), -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*out = memory;
	return 0;
}

int evfio_dma_alloc(struct evfio_container *ct, size_t size, uint64_t align, unsigned int flags,
		    struct evfio_dma **out)
{
	unsigned int shift = PAGE_SHIFT_OF(flags);
	char need[32], page_text[32];
	struct mapping *mapping;
	void *memory = NULL;
	uint64_t page;
	int err;

	err = dma_check_flags(flags, ALLOC_FLAGS);
	if (err)
		return err;
	if (align & (align - 1))
		return fail(-EINVAL, "alignment 0x%" PRIx64 " is not a power of two", align);

	pthread_mutex_lock(&ct->lock);
	err = dma_check_iommu(ct);
	page = shift ? 1ULL << shift : (uint64_t)sysconf(_SC_PAGESIZE);
	if (!err && page < granule(ct))
		page = granule(ct);
	pthread_mutex_unlock(&ct->lock);
	if (err)
		return err;

	if (!size || size > SIZE_MAX - (page - 1))
		return fail(-EINVAL, "cannot allocate 0x%zx bytes", size);
	size = (size_t)((size + page - 1) & ~(page - 1));
	err = shift ? alloc_huge(size, shift, &memory) : alloc_pages(size, &memory);
	if (err && shift)
		return fail(err, "no %s in huge pages of %s: reserve some in "
			    "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages",
			    format_size(need, sizeof(need), size),
			    format_size(page_text, sizeof(page_text), page), page / 1024);
	if (err)
		return fail(err, "cannot allocate %s: %s", format_size(need, sizeof(need), size),
			    strerror(-err));

	err = map(ct, memory, size, align, NULL, flags & EVFIO_DMA_BOTH, &mapping);
	if (err) {
		munmap(memory, size);
		return err;
	}
	mapping->memory = memory;
	*out = &mapping->pub;
	return 0;
}

int evfio_dma_map(struct evfio_container *ct, void *addr, size_t size, unsigned int flags,
		  struct evfio_dma **out)
{
	struct mapping *mapping;
	int err;

	err = dma_check_flags(flags, EVFIO_DMA_BOTH);
	if (!err)
		err = map(ct, addr, size, 0, NULL, flags, &mapping);
	if (!err)
		*out = &mapping->pub;
	return err;
}

int evfio_dma_map_at(struct evfio_container *ct, const struct evfio_dma *want, unsigned int flags,
		     struct evfio_dma **out)
{
	struct mapping *mapping;
	int err;

	err = dma_check_flags(flags, EVFIO_DMA_BOTH);
	if (!err)
		err = map(ct, want->addr, want->size, 0, &want->iova, flags, &mapping);
	if (!err)
		*out = &mapping->pub;
	return err;
}

int evfio_dma_map_many(struct evfio_container *ct, const struct iovec *memory, unsigned int count,
		       unsigned int flags, struct evfio_dma **out)
{
	unsigned int made = 0;
	int err;

	if (!count)
		return fail(-EINVAL, "no pieces of memory to map");
	memset(out, 0, count * sizeof(*out));
	err = dma_check_flags(flags, EVFIO_DMA_BOTH);
	while (!err && made < count) {
		struct mapping *mapping;

		err = mapping_new(ct, memory[made].iov_base, memory[made].iov_len, 0, NULL,
				  &mapping);
		if (err)
			fail(err, "piece %u of %u: %s", made + 1, count, evfio_error());
		else
			out[made++] = &mapping->pub;
	}
	if (!err)
		err = map_list(ct, out, count, flags);
	while (err && made) {
		mapping_free(to_mapping(out[--made]));
		out[made] = NULL;
	}
	return err;
}

int evfio_dma_free_many(struct evfio_dma *const *dmas, unsigned int count)
{
	struct evfio_container *ct = NULL;
	struct evfio_iommu_ranges *batch;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		if (!dmas[i])
			continue;
		if (ct && to_mapping(dmas[i])->ct != ct)
			return fail(-EINVAL, "%u mappings, not all of one container, cannot be "
				    "freed together", count);
		ct = to_mapping(dmas[i])->ct;
	}
	if (!ct)
		return 0;
	batch = batch_new(ct, count);
	err = unmap_list(ct, dmas, count, batch);
	free(batch);
	/* The last of them may be what holds the container. */
	for (i = 0; i < count; i++) {
		if (dmas[i])
			mapping_free(to_mapping(dmas[i]));
	}
	return err;
}

int evfio_dma_free(struct evfio_dma *dma)
{
	return evfio_dma_free_many(&dma, 1);
}

int dma_sync(bool incoherent, const void *addr, size_t whole, size_t offset, size_t size,
	     bool for_device)
{
	int err = sync_check(whole, offset, size);

	if (err || !size || !incoherent)
		return err;
	if (cache_sync((const char *)addr + offset, size, !for_device))
		return fail(-EOPNOTSUPP, "a device that is not coherent with the CPU's caches "
			    "needs cache maintenance, which programs cannot do on this "
			    "architecture");
	return 0;
}

static int sync_mapping(const struct evfio_dma *dma, size_t offset, size_t size, bool for_device)
{
	const struct evfio_container *ct = ((const struct mapping *)dma)->ct;

	return dma_sync(__atomic_load_n(&ct->incoherent, __ATOMIC_RELAXED), dma->addr, dma->size,
			offset, size, for_device);
}

int evfio_dma_sync_for_device(const struct evfio_dma *dma, size_t offset, size_t size)
{
	return sync_mapping(dma, offset, size, true);
}

int evfio_dma_sync_for_cpu(const struct evfio_dma *dma, size_t offset, size_t size)
{
	return sync_mapping(dma, offset, size, false);
}

int evfio_dma_set_mask(struct evfio_container *ct, unsigned int bits)
{
	if (bits < 12 || bits > 64)
		return fail(-EINVAL, "a DMA mask has 12 to 64 bits, not %u", bits);
	pthread_mutex_lock(&ct->lock);
	ct->mask = UINT64_MAX >> (64 - bits);
	ct->iova.last = ct->mask;
	pthread_mutex_unlock(&ct->lock);
	return 0;
}

uint64_t dma_mask(const struct evfio_device *dev)
{
	uint64_t mask;

	pthread_mutex_lock(&dev->ct->lock);
	mask = dev->ct->mask;
	pthread_mutex_unlock(&dev->ct->lock);
	if (!mask)
		fail(-EINVAL, "how many address bits has %s? No IOMMU stops it: say so by "
		     "evfio_dma_set_mask()", dev->sys->name);
	return mask;
}

void evfio_dma_set_guard(struct evfio_container *ct, uint64_t size)
{
	pthread_mutex_lock(&ct->lock);
	ct->guard = size;
	pthread_mutex_unlock(&ct->lock);
}

int evfio_dma_page_sizes(struct evfio_container *ct, uint64_t *sizes)
{
	int err;

	pthread_mutex_lock(&ct->lock);
	err = dma_check_iommu(ct);
	if (!err)
		*sizes = ct->page_sizes;
	pthread_mutex_unlock(&ct->lock);
	return err;
}

int evfio_dma_ranges(struct evfio_container *ct, struct evfio_iova_range *ranges,
		     unsigned int max)
{
	size_t n;
	int ret;

	pthread_mutex_lock(&ct->lock);
	ret = dma_check_iommu(ct) ?: (int)ct->iova.nr_ranges;
	if (ret > 0) {
		n = ct->iova.nr_ranges < max ? ct->iova.nr_ranges : max;
		if (n)
			memcpy(ranges, ct->iova.ranges, n * sizeof(*ranges));
	}
	pthread_mutex_unlock(&ct->lock);
	return ret;
}

int evfio_dma_available(struct evfio_container *ct, uint32_t *count)
{
	const struct vfio_iommu_type1_info_dma_avail *cap;
	struct vfio_iommu_type1_info *info;
	size_t size;
	int err;

	pthread_mutex_lock(&ct->lock);
	err = dma_check_iommu(ct) ?: get_info(ct, &info, &size);
	pthread_mutex_unlock(&ct->lock);
	if (err)
		return err;
	cap = dma_find_cap(info, size, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, sizeof(*cap));
	if (cap)
		*count = cap->avail;
	else
		err = fail(-EOPNOTSUPP, "this kernel does not tell how many mappings are left");
	free(info);
	return err;
}
