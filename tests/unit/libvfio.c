// SPDX-License-Identifier: GPL-2.0-only
/*
 * A made-up VFIO: the linker sends the library's calls of open() and ioctl() here. Files are those
 * of the made-up machine; which of VFIO's objects a descriptor stands for is seen by its path. And
 * of malloc(), which may be made to fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/evfio.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

struct fake_vfio fake;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.api_version = VFIO_API_VERSION;
	fake.type1 = true;
	fake.type1v2 = true;
	fake.irq_fd[0] = -1;
	fake.irq_fd[1] = -1;
	fake.config_size = 4096;
	fake.vectors = 4;
	fake.evfio = true;
	fake.msi_parent = true;
	memset(fake.vector_fd, 0xff, sizeof(fake.vector_fd));
}

/* What comes after "dev/vfio/" in the path of fd; NULL for other files. */
static const char *object(int fd)
{
	static char path[1024];
	char link[64];
	ssize_t len;
	char *at;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	at = strstr(path, "/dev/vfio/");
	return at ? at + strlen("/dev/vfio/") : NULL;
}

static int give(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

void *__wrap_malloc(size_t size)
{
	return fake.no_malloc ? NULL : __real_malloc(size);
}

int __wrap_open(const char *path, int flags, ...)
{
	const char *name = strstr(path, "/dev/vfio/");
	va_list args;
	int mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (name) {
		name += strlen("/dev/vfio/");
		errno = strcmp(name, "vfio") ? fake.open_group_errno : fake.open_container_errno;
		if (errno)
			return -1;
	}
	return __real_open(path, flags, mode);
}

/* Its name where files' positions have been given 64 bits. */
int __wrap_open64(const char *path, int flags, ...) __attribute__((alias("__wrap_open")));

/* Registered buffers, by their numbers; those without a size are free. */
static struct evfio_iommu_register buffers[4];

/* The last group takes the IOMMU, all mappings and buffers with it. */
static void leave(void)
{
	if (--fake.groups)
		return;
	fake.iommu_type = 0;
	fake.mappings = 0;
	fake.mapped_bytes = 0;
	memset(buffers, 0, sizeof(buffers));
	fake.buffers = 0;
}

static bool in_container[16];

/* The number of "3" or "noiommu-3", -1 for what is no group. */
static int group_number(const char *name)
{
	if (!strncmp(name, "noiommu-", 8))
		name += 8;
	return name[0] >= '0' && name[0] <= '9' ? atoi(name) : -1;
}

int __wrap_close(int fd)
{
	const char *name = object(fd);

	int group = name ? group_number(name) : -1;

	if (group >= 0 && in_container[group]) {
		in_container[group] = false;
		leave();
	}
	return __real_close(fd);
}

static int get_iommu_info(struct vfio_iommu_type1_info *info)
{
	struct {
		struct vfio_iommu_type1_info info;
		struct {
			struct vfio_info_cap_header header;
			uint32_t avail;
			uint32_t pad;
		} avail;
		struct {
			struct vfio_info_cap_header header;
			uint32_t nr;
			uint32_t reserved;
			struct vfio_iova_range ranges[2];
		} ranges;
	} all = {
		.info = {
			.argsz = sizeof(all),
			.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			.iova_pgsizes = 0x40201000,
			.cap_offset = offsetof(typeof(all), avail),
		},
		.avail = {
			.header = { VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1,
				    offsetof(typeof(all), ranges) },
			.avail = 65535 - fake.mappings,
		},
		.ranges = {
			.header = { VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 },
			.nr = 2,
			.ranges = { { 0, 0x7ffffff }, { 0x8100000, 0xffffffffffff } },
		},
	};
	size_t size = info->argsz;

	if (fake.no_caps) {
		all.info.flags = VFIO_IOMMU_INFO_PGSIZES;
		all.info.argsz = sizeof(all.info);
		all.info.cap_offset = 0;
	} else if (size < sizeof(all)) {
		/* As the kernel: no capabilities, but the size they would need. */
		all.info.cap_offset = 0;
	}
	memcpy(info, &all, size < all.info.argsz ? size : all.info.argsz);
	if (size < sizeof(all))
		info->cap_offset = 0;
	return 0;
}

static int get_region_info(struct vfio_region_info *info)
{
	static const struct {
		uint64_t size, offset;
		uint32_t flags;
	} regions[] = {
		{ 8192, 0, EVFIO_REGION_READ | EVFIO_REGION_WRITE | EVFIO_REGION_MMAP },
		{ 24, 8192, EVFIO_REGION_READ | EVFIO_REGION_WRITE },
		{ 0, 0, 0 },
		{ 64, 12288, EVFIO_REGION_READ },
	};

	if (info->index >= ARRAY_SIZE(regions))
		return give(EINVAL);
	info->size = regions[info->index].size;
	info->offset = regions[info->index].offset;
	info->flags = regions[info->index].flags;
	return 0;
}

/* The first region alone, and another part of the file, so that one can tell. */
static int region_wc(struct evfio_device_region_wc *wc)
{
	if (fake.no_wc)
		return give(ENOTTY);
	if (wc->index || wc->argsz != sizeof(*wc))
		return give(EINVAL);
	wc->offset = 8192;
	return 0;
}

static int get_irq_info(struct vfio_irq_info *info)
{
	if (info->index > 2 + !!fake.msi)
		return give(EINVAL);
	info->count = info->index < 2;
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index == 3) {
		info->count = fake.msi;
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	}
	if (!info->index && !fake.fixed_irq)
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	const uint64_t one = 1;
	int32_t fd;

	if (set->index > 1 || set->start || set->count > 1)
		return give(EINVAL);
	if (set->flags == (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)) {
		if (set->argsz != sizeof(*set) + sizeof(fd))
			return give(EINVAL);
		if (fake.irq_errno)
			return give(fake.irq_errno);
		memcpy(&fd, set->data, sizeof(fd));
		fake.irq_fd[set->index] = fd;
	} else if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)) {
		if (!set->count)
			fake.irq_fd[set->index] = -1;
		else if (write(fake.irq_fd[set->index], &one, sizeof(one)) != sizeof(one))
			return -1;
	} else if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK)) {
		fake.unmask_count++;
	} else if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK)) {
		fake.mask_count++;
	} else {
		return give(EINVAL);
	}
	return 0;
}

static int pci_region_info(struct vfio_region_info *info)
{
	const bool config = info->index == VFIO_PCI_CONFIG_REGION_INDEX;

	if (info->index >= VFIO_PCI_NUM_REGIONS)
		return give(EINVAL);
	info->size = config ? fake.config_size : 0;
	info->offset = config ? 4096 : 0;
	info->flags = config ? EVFIO_REGION_READ | EVFIO_REGION_WRITE : 0;
	return 0;
}

static int pci_irq_info(struct vfio_irq_info *info)
{
	static const uint32_t counts[] = { 1, 4, 4, 1, 1 };

	if (info->index >= VFIO_PCI_NUM_IRQS)
		return give(EINVAL);
	info->count = counts[info->index];
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index == VFIO_PCI_INTX_IRQ_INDEX)
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else if (info->index != VFIO_PCI_MSIX_IRQ_INDEX)
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

/* One kind at a time; the first call decides how many vectors there are, but for MSI-X. */
static int pci_set_irqs(const struct vfio_irq_set *set)
{
	const uint32_t end = set->start + set->count;
	uint32_t i;

	if (set->index > VFIO_PCI_MSIX_IRQ_INDEX || end > 4 || set->start >= 4)
		return give(EINVAL);
	if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK))
		return 0;
	if (set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER) && !set->count) {
		memset(fake.vector_fd, 0xff, sizeof(fake.vector_fd));
		fake.enabled = 0;
		return 0;
	}
	if (set->flags != (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER) ||
	    set->argsz != sizeof(*set) + set->count * sizeof(int32_t))
		return give(EINVAL);
	if (fake.enabled && fake.kind != set->index)
		return give(EINVAL);
	if (end > fake.enabled) {
		if (fake.enabled && set->index != VFIO_PCI_MSIX_IRQ_INDEX)
			return give(EINVAL);
		if (end > fake.vectors)
			return (int)fake.vectors;
		fake.enabled = end;
	}
	fake.kind = set->index;
	for (i = 0; i < set->count; i++)
		memcpy(&fake.vector_fd[set->start + i], set->data + i * sizeof(int32_t),
		       sizeof(int32_t));
	return 0;
}

/* The mappings, of which there are fake.mappings, in no order. */
static struct evfio_iommu_range mapped[2048];
static pthread_mutex_t mapped_lock = PTHREAD_MUTEX_INITIALIZER;

bool fake_mapped(uint64_t iova, const void *memory, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < fake.mappings; i++) {
		if (mapped[i].iova == iova)
			return mapped[i].vaddr == (uintptr_t)memory && mapped[i].size == size;
	}
	return false;
}

static bool overlap(const struct evfio_iommu_range *a, const struct evfio_iommu_range *b)
{
	return a->iova < b->iova + b->size && b->iova < a->iova + a->size;
}

static bool contains(const struct evfio_iommu_range *outer, const struct evfio_iommu_range *inner)
{
	return outer->iova <= inner->iova && inner->iova + inner->size <= outer->iova + outer->size;
}

static int map_range(const struct evfio_iommu_range *range)
{
	const uintptr_t bad = (uintptr_t)fake.no_memory;
	unsigned int i;

	if (fake.map_errno)
		return -fake.map_errno;
	if (!range->size || ((range->iova | range->vaddr | range->size) & 0xfff))
		return -EINVAL;
	for (i = 0; i < fake.mappings; i++) {
		if (overlap(&mapped[i], range))
			return -EEXIST;
	}
	if (fake.mappings == ARRAY_SIZE(mapped))
		return -ENOSPC;
	if (bad && bad >= range->vaddr && bad - range->vaddr < range->size)
		return -EFAULT;
	mapped[fake.mappings++] = *range;
	fake.mapped_bytes += range->size;
	return 0;
}

/* All or none. */
static int map_ranges(const struct evfio_iommu_range *ranges, uint32_t nr, uint32_t flags)
{
	const unsigned int before = fake.mappings;
	int err = 0;
	uint32_t i;

	fake.map_calls++;
	if (!flags || (flags & ~EVFIO_DMA_BOTH) || !fake.iommu_type)
		return -EINVAL;
	for (i = 0; i < nr && !err; i++)
		err = map_range(&ranges[i]);
	while (err && fake.mappings > before)
		fake.mapped_bytes -= mapped[--fake.mappings].size;
	return err;
}

/* As VFIO_TYPE1v2_IOMMU: whole mappings, and a range may have none. */
static int unmap_ranges(const struct evfio_iommu_range *ranges, uint32_t nr, __u64 *size)
{
	unsigned int i;
	uint32_t r;

	fake.unmap_calls++;
	if (!fake.iommu_type)
		return -EINVAL;
	for (r = 0; r < nr; r++) {
		if (!ranges[r].size || ((ranges[r].iova | ranges[r].size) & 0xfff))
			return -EINVAL;
		for (i = 0; i < fake.mappings; i++) {
			if (overlap(&ranges[r], &mapped[i]) && !contains(&ranges[r], &mapped[i]))
				return -EINVAL;
		}
	}
	*size = 0;
	for (r = 0; r < nr; r++) {
		for (i = 0; i < fake.mappings; i++) {
			while (i < fake.mappings && contains(&ranges[r], &mapped[i])) {
				*size += mapped[i].size;
				mapped[i] = mapped[--fake.mappings];
			}
		}
	}
	fake.mapped_bytes -= *size;
	return 0;
}

/* What the kernel wants of the argument before it looks at what is mapped. */
static bool ranges_good(const struct evfio_iommu_ranges *arg)
{
	uint32_t i;

	if (arg->argsz < sizeof(*arg) || !arg->nr || arg->nr > EVFIO_IOMMU_RANGES_MAX || arg->pad ||
	    arg->argsz < sizeof(*arg) + arg->nr * sizeof(arg->ranges[0]))
		return false;
	for (i = 1; i < arg->nr; i++) {
		if (arg->ranges[i].iova < arg->ranges[i - 1].iova + arg->ranges[i - 1].size)
			return false;
	}
	return true;
}

static int buffer_register(struct evfio_iommu_register *arg)
{
	uint32_t id;

	if (arg->argsz < sizeof(*arg) || !arg->flags || (arg->flags & ~EVFIO_DMA_BOTH) || arg->pad)
		return -EINVAL;
	if (fake.map_errno)
		return -fake.map_errno;
	for (id = 0; buffers[id].size; id++) {
		if (id + 1 == ARRAY_SIZE(buffers))
			return -ENOMEM;
	}
	arg->id = id;
	buffers[id] = *arg;
	fake.buffers++;
	return 0;
}

static int buffer_unregister(const struct evfio_iommu_unregister *arg)
{
	unsigned int i;

	if (arg->argsz < sizeof(*arg) || arg->flags)
		return -EINVAL;
	if (arg->id >= ARRAY_SIZE(buffers) || !buffers[arg->id].size)
		return -ENOENT;
	for (i = 0; i < fake.mappings; i++) {
		if (mapped[i].vaddr - buffers[arg->id].vaddr < buffers[arg->id].size)
			return -EBUSY;
	}
	buffers[arg->id].size = 0;
	fake.buffers--;
	return 0;
}

/* New windows first: they must not be where old ones are. */
static int buffer_move(struct evfio_iommu_move *arg)
{
	struct evfio_iommu_range *map = arg->ranges + arg->nr_unmap, range;
	const unsigned int before = fake.mappings;
	const struct evfio_iommu_register *buffer;
	uint32_t i, nr = arg->nr_unmap + arg->nr_map;
	int err = 0;
	__u64 size;

	fake.move_calls++;
	if (arg->argsz < sizeof(*arg) + nr * sizeof(range) || nr > EVFIO_IOMMU_RANGES_MAX ||
	    arg->flags & ~(uint32_t)EVFIO_IOMMU_MOVE_LAZY || arg->pad)
		return -EINVAL;
	fake.stale = arg->flags ? fake.stale + arg->nr_unmap : 0;
	if (arg->nr_map && (arg->id >= ARRAY_SIZE(buffers) || !buffers[arg->id].size))
		return -ENOENT;
	buffer = &buffers[arg->id % ARRAY_SIZE(buffers)];
	for (i = 0; i < arg->nr_map && !err; i++) {
		range = map[i];
		if (range.vaddr >= buffer->size || range.size > buffer->size - range.vaddr ||
		    (i && range.iova < map[i - 1].iova + map[i - 1].size))
			err = -EINVAL;
		range.vaddr += buffer->vaddr;
		err = err ? err : map_range(&range);
	}
	if (!err)
		err = unmap_ranges(arg->ranges, arg->nr_unmap, &size);
	while (err && fake.mappings > before)
		fake.mapped_bytes -= mapped[--fake.mappings].size;
	return err;
}

static int iommu_ioctl(unsigned long request, void *arg)
{
	struct vfio_iommu_type1_dma_unmap *unmap = arg;
	struct vfio_iommu_type1_dma_map *map = arg;
	struct evfio_iommu_ranges *ranges = arg;

	switch (request) {
	case VFIO_IOMMU_MAP_DMA:
		if (map->argsz < sizeof(*map))
			return -EINVAL;
		return map_ranges(&(struct evfio_iommu_range){ map->iova, map->vaddr, map->size },
				  1, map->flags);
	case VFIO_IOMMU_UNMAP_DMA:
		if (unmap->argsz < sizeof(*unmap) || unmap->flags)
			return -EINVAL;
		return unmap_ranges(&(struct evfio_iommu_range){ .iova = unmap->iova,
								 .size = unmap->size },
				    1, &unmap->size);
	}
	if (!fake.evfio)
		return -ENOTTY;
	if (request == EVFIO_IOMMU_REGISTER)
		return buffer_register(arg);
	if (request == EVFIO_IOMMU_UNREGISTER)
		return buffer_unregister(arg);
	if (request == EVFIO_IOMMU_MOVE)
		return buffer_move(arg);
	if (!ranges_good(ranges))
		return -EINVAL;
	if (request == EVFIO_IOMMU_MAP)
		return map_ranges(ranges->ranges, ranges->nr, ranges->flags);
	return ranges->flags ? -EINVAL : unmap_ranges(ranges->ranges, ranges->nr, &ranges->size);
}

static int container_ioctl(unsigned long request, void *arg)
{
	int err;

	switch (request) {
	case VFIO_GET_API_VERSION:
		return fake.api_version;
	case VFIO_CHECK_EXTENSION:
		return ((uintptr_t)arg == EVFIO_EXT_DEVICE_MSI && fake.evfio) ||
		       ((uintptr_t)arg == EVFIO_EXT_IOMMU_RANGES && fake.evfio) ||
		       ((uintptr_t)arg == EVFIO_EXT_IOMMU_BUFFER && fake.evfio) ||
		       ((uintptr_t)arg == VFIO_TYPE1_IOMMU && fake.type1) ||
		       ((uintptr_t)arg == VFIO_TYPE1v2_IOMMU && fake.type1v2);
	case VFIO_SET_IOMMU:
		if (!fake.set_iommu_errno)
			fake.iommu_type = (int)(uintptr_t)arg;
		return give(fake.set_iommu_errno);
	case VFIO_IOMMU_GET_INFO:
		return get_iommu_info(arg);
	case VFIO_IOMMU_MAP_DMA:
	case VFIO_IOMMU_UNMAP_DMA:
	case EVFIO_IOMMU_MAP:
	case EVFIO_IOMMU_UNMAP:
	case EVFIO_IOMMU_REGISTER:
	case EVFIO_IOMMU_UNREGISTER:
	case EVFIO_IOMMU_MOVE:
		pthread_mutex_lock(&mapped_lock);
		err = iommu_ioctl(request, arg);
		pthread_mutex_unlock(&mapped_lock);
		return give(-err);
	}
	return give(ENOTTY);
}

static int open_device(const char *name)
{
	char path[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/vfio/device-%s", tree_dir(), name);
	fd = __real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, 16384))
		return -1;
	return fd;
}

/* "NAME" or "NAME vf_token=UUID" */
static int get_device(const char *arg)
{
	static const char option[] = " vf_token=";
	const char *at = strstr(arg, option);
	const char *token = at ? at + sizeof(option) - 1 : "";
	char name[256];

	if (fake.get_device_errno)
		return give(fake.get_device_errno);
	if (at && !*fake.vf_token)
		return give(EINVAL);
	if (at && fake.idle)
		snprintf(fake.vf_token, sizeof(fake.vf_token), "%s", token);
	if (!fake.idle && strcmp(token, fake.vf_token))
		return give(EACCES);
	snprintf(name, sizeof(name), "%.*s", (int)(at ? at - arg : 255), arg);
	return open_device(name);
}

static int set_token(const struct vfio_device_feature *feature)
{
	const uint8_t *b = feature->data;

	if (!*fake.vf_token)
		return give(ENOTTY);
	if (feature->flags != (VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN) ||
	    feature->argsz != sizeof(*feature) + 16)
		return give(EINVAL);
	snprintf(fake.vf_token, sizeof(fake.vf_token),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
		 b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

static int group_ioctl(int group, unsigned long request, void *arg)
{
	struct vfio_group_status *status = arg;

	switch (request) {
	case VFIO_GROUP_GET_STATUS:
		status->flags = fake.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		if (!fake.set_container_errno) {
			fake.groups++;
			in_container[group] = true;
		}
		return give(fake.set_container_errno);
	case VFIO_GROUP_UNSET_CONTAINER:
		in_container[group] = false;
		leave();
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device(arg);
	}
	return give(ENOTTY);
}

/* Every other page from 2 GiB on. */
static int add_pin(struct evfio_device_pin *pin)
{
	const size_t room = (pin->argsz - sizeof(*pin)) / sizeof(pin->extents[0]);
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t i;

	if (fake.pin_errno)
		return give(fake.pin_errno);
	pin->nr_extents = (uint32_t)(pin->size / page);
	if (pin->nr_extents > room)
		return give(ENOSPC);
	for (i = 0; i < pin->nr_extents; i++)
		pin->extents[i] = (struct evfio_device_extent){ 0x80000000 + 2 * i * page, page };
	pin->id = 7;
	fake.pins++;
	fake.pin_mask = pin->mask;
	return 0;
}

static int drop_pin(const struct evfio_device_unpin *unpin)
{
	if (unpin->id != 7 || !fake.pins)
		return give(ENOENT);
	fake.pins--;
	return 0;
}

static int add_contig(struct evfio_device_contig *contig)
{
	if (fake.pin_errno)
		return give(fake.pin_errno);
	fake.contig = *contig;
	contig->id = 8;
	contig->address = 0x90000000;
	contig->offset = fake.contig_offset;
	fake.contigs++;
	return 0;
}

static int drop_contig(const struct evfio_device_contig_id *arg)
{
	if (arg->id != 8 || !fake.contigs)
		return give(ENOENT);
	fake.contigs--;
	return 0;
}

static int pci_ioctl(unsigned long request, void *arg)
{
	struct vfio_device_info *info = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		info->flags = VFIO_DEVICE_FLAGS_PCI;
		info->num_regions = VFIO_PCI_NUM_REGIONS;
		info->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return pci_region_info(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return pci_irq_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return pci_set_irqs(arg);
	case VFIO_DEVICE_FEATURE:
		return set_token(arg);
	}
	return give(ENOTTY);
}

/* The index of MSI, on or off. */
static int msi_set_irqs(const struct vfio_irq_set *set)
{
	const uint32_t end = set->start + set->count;

	if (set->start >= fake.msi || end > fake.msi || (fake.enabled && end > fake.enabled))
		return give(EINVAL);
	if (set->count) {
		if (!fake.enabled)
			fake.enabled = end;
		memcpy(&fake.vector_fd[set->start], set->data, set->count * sizeof(int32_t));
	} else {
		memset(fake.vector_fd, 0xff, sizeof(fake.vector_fd));
		fake.enabled = 0;
	}
	return 0;
}

static int msi_message(struct evfio_device_msi_message *message)
{
	if (message->vector >= fake.msi || fake.vector_fd[message->vector] < 0)
		return give(EINVAL);
	message->address = 0x8000040;
	message->data = 100 + message->vector;
	return 0;
}

static int add_msi(const struct evfio_device_msi *msi)
{
	if (!fake.evfio || !fake.msi_parent)
		return give(ENOTTY);
	if (!msi->count || msi->count > ARRAY_SIZE(fake.vector_fd))
		return give(EINVAL);
	if (fake.msi)
		return give(EBUSY);
	fake.msi = msi->count;
	return 3;
}

static int device_ioctl(unsigned long request, void *arg)
{
	struct vfio_device_info *info = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		info->flags = VFIO_DEVICE_FLAGS_PLATFORM |
			      (fake.can_reset ? VFIO_DEVICE_FLAGS_RESET : 0);
		info->num_regions = 4;
		info->num_irqs = 3 + !!fake.msi;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return get_irq_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return ((struct vfio_irq_set *)arg)->index == 3 ? msi_set_irqs(arg) : set_irqs(arg);
	case VFIO_DEVICE_RESET:
		fake.resets++;
		return 0;
	case EVFIO_DEVICE_REGION_WC:
		return region_wc(arg);
	case EVFIO_DEVICE_MSI:
		return add_msi(arg);
	case EVFIO_DEVICE_MSI_MESSAGE:
		return msi_message(arg);
	case EVFIO_DEVICE_PIN:
		return add_pin(arg);
	case EVFIO_DEVICE_UNPIN:
		return drop_pin(arg);
	case EVFIO_DEVICE_SYNC:
		fake.synced = *(const struct evfio_device_sync *)arg;
		return give(fake.pin_errno);
	case EVFIO_DEVICE_CONTIG:
		return add_contig(arg);
	case EVFIO_DEVICE_CONTIG_FREE:
		return drop_contig(arg);
	case EVFIO_DEVICE_CONTIG_EXPORT:
		return fake.pin_errno ? give(fake.pin_errno) : __real_open("/dev/null", O_RDWR);
	}
	return give(ENOTTY);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const char *name = object(fd);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!name)
		return __real_ioctl(fd, request, arg);
	if (!strcmp(name, "vfio"))
		return container_ioctl(request, arg);
	if (!strncmp(name, "device-0000:", 12))
		return pci_ioctl(request, arg);
	if (!strncmp(name, "device-", 7))
		return device_ioctl(request, arg);
	return group_ioctl(group_number(name), request, arg);
}
