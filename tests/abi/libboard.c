// SPDX-License-Identifier: GPL-2.0-only
/*
 * libboard - see libboard.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define VECTORS_MAX	2048

/* ---- the system ---- */

long sys(long ret)
{
	return ret == -1 ? -errno : ret;
}

int xioctl(int fd, unsigned long request, const void *arg)
{
	return (int)sys(ioctl(fd, request, arg));
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	ret = sys(write(fd, text, strlen(text)));
	close(fd);
	return ret < 0 ? (int)ret : 0;
}

const char *file_read(const char *path)
{
	static char line[1024];
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (!file)
		return line;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* The text after "key" and any colon and blanks, of the first line that begins with it. */
static const char *file_text(const char *path, const char *key)
{
	static char line[1024];
	size_t len = strlen(key);
	FILE *file = fopen(path, "re");
	const char *text = NULL;

	if (!file)
		return NULL;
	while (!text && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len) || !strchr(": \t", line[len]))
			continue;
		line[strcspn(line, "\n")] = '\0';
		text = line + len + strspn(line + len, ": \t");
	}
	fclose(file);
	return text;
}

long file_long(const char *path, const char *key)
{
	const char *text = file_text(path, key);
	char *end;
	long value;

	if (!text)
		return -1;
	value = strtol(text, &end, 0);
	return end == text ? -1 : value;
}

static const char *fdinfo_path(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return path;
}

long fdinfo_long(int fd, const char *key)
{
	return file_long(fdinfo_path(fd), key);
}

const char *fdinfo_text(int fd, const char *key)
{
	const char *text = file_text(fdinfo_path(fd), key);

	return text ? text : "";
}

int file_count(const char *path, const char *text)
{
	char line[4096];
	FILE *file = fopen(path, "re");
	int count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (strstr(line, text))
			count++;
	fclose(file);
	return count;
}

int traced(const char *text, bool last)
{
	FILE *file = fopen(KPROBES "trace", "re");
	int number = 0, found = -1;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		number++;
		if (strstr(line, text) && (last || found < 0))
			found = number;
	}
	if (file)
		fclose(file);
	return found;
}

void trace_clear(const char *path)
{
	close(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
}

long pages_pinned(void)
{
	/* The counters are kept per CPU and folded at times; reading this folds them at once. */
	file_read("/proc/sys/vm/stat_refresh");
	return file_long("/proc/vmstat", "nr_foll_pin_acquired") -
	       file_long("/proc/vmstat", "nr_foll_pin_released");
}

long locked_kb(void)
{
	return file_long("/proc/self/status", "VmLck") + file_long("/proc/self/status", "VmPin");
}

long unlocked(void)
{
	for (int i = 0; i < 100 && locked_kb(); i++)
		sleep_ms(20);
	return locked_kb();
}

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/* Threads have one each. */
static __thread sigjmp_buf bus_error;
static __thread volatile bool may_fault;

static void on_bus_error(int sig)
{
	if (may_fault)
		siglongjmp(bus_error, sig);
	signal(sig, SIG_DFL);	/* who did not ask for it meets it again */
}

bool read_faults(const volatile void *p)
{
	const struct sigaction act = { .sa_handler = on_bus_error };
	volatile bool faulted = true;

	sigaction(SIGBUS, &act, NULL);
	may_fault = true;
	if (!sigsetjmp(bus_error, 1)) {
		(void)*(const volatile uint32_t *)p;
		faulted = false;
	}
	may_fault = false;
	return faulted;
}

int child_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		tap_bail("waitpid: %m");
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_child(int (*fn)(void *), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %m");
	if (!pid)
		_exit(fn(arg));
	return child_wait(pid);
}

struct unprivileged {
	int (*fn)(void *arg);
	void *arg;
};

static int run_unprivileged(void *arg)
{
	struct unprivileged *what = arg;

	/* Leaving user 0 for good drops every capability too. */
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		return 255;
	return what->fn(what->arg);
}

int in_child_unprivileged(int (*fn)(void *), void *arg)
{
	struct unprivileged what = { fn, arg };

	return in_child(run_unprivileged, &what);
}

/* ---- binding ---- */

static bool is_amba(const char *name)
{
	return !strcmp(name, RTC);
}

static bool is_pci(const char *name)
{
	return strchr(name, ':');
}

static const char *bus_of(const char *name)
{
	return is_amba(name) ? "amba" : is_pci(name) ? "pci" : "platform";
}

const char *board_path(const char *name, const char *file)
{
	static char path[512];

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/%s", bus_of(name), name, file);
	return path;
}

void board_monitor(const char *fmt, ...)
{
	va_list ap;

	printf("@vm monitor ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

/* The last component of what a link in the device's folder points to, "" without one. */
static const char *board_link(const char *name, const char *file)
{
	static char target[PATH_MAX];
	ssize_t len = readlink(board_path(name, file), target, sizeof(target) - 1);
	const char *slash;

	if (len < 0)
		return "";
	target[len] = '\0';
	slash = strrchr(target, '/');
	return slash ? slash + 1 : target;
}

const char *board_driver(const char *name)
{
	return board_link(name, "driver");
}

int board_group(const char *name)
{
	const char *number = board_link(name, "iommu_group");

	return *number ? atoi(number) : -ENODEV;
}

int board_unbind(const char *name)
{
	if (!*board_driver(name))
		return 0;
	return file_write(board_path(name, "driver/unbind"), name);
}

int board_bind(const char *name, const char *driver)
{
	char probe[64];
	int ret;

	if (!strcmp(board_driver(name), driver))
		return 0;
	ret = file_write(board_path(name, "driver_override"), driver);
	if (ret)
		return ret;
	ret = board_unbind(name);
	if (ret)
		return ret;
	snprintf(probe, sizeof(probe), "/sys/bus/%s/drivers_probe", bus_of(name));
	ret = file_write(probe, name);
	if (ret)
		return ret;
	return strcmp(board_driver(name), driver) ? -ENODEV : 0;
}

void board_take(const char *name)
{
	const char *driver = is_amba(name) ? "vfio-amba" :
			     is_pci(name) ? "vfio-pci" : "vfio-platform";
	int ret = board_bind(name, driver);

	if (ret)
		tap_bail("%s does not bind to %s: %s", name, driver, strerror(-ret));
	if (board_group(name) < 0)
		tap_bail("%s has no IOMMU group", name);
}

void board_grace(unsigned int ms)
{
	static const char *const path = "/sys/module/vfio/parameters/removal_grace_ms";
	char text[16];
	int ret;

	snprintf(text, sizeof(text), "%u", ms);
	ret = file_write(path, text);
	if (ret)
		tap_bail("%s: %s", path, strerror(-ret));
}

/* ---- VFIO files ---- */

int container_open(void)
{
	return (int)sys(open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
}

int group_open(const char *name)
{
	char path[64];
	int number = board_group(name);

	if (number < 0)
		return number;
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	return (int)sys(open(path, O_RDWR | O_CLOEXEC));
}

int group_status(int group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int ret = xioctl(group, VFIO_GROUP_GET_STATUS, &status);

	return ret ? ret : (int)status.flags;
}

int group_set(int group, int container)
{
	return xioctl(group, VFIO_GROUP_SET_CONTAINER, &container);
}

int group_unset(int group)
{
	return xioctl(group, VFIO_GROUP_UNSET_CONTAINER, NULL);
}

int container_set_iommu(int container, unsigned long type)
{
	return (int)sys(ioctl(container, VFIO_SET_IOMMU, type));
}

int device_fd(int group, const char *name)
{
	return xioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
}

int check_extension(int container, unsigned long what)
{
	return (int)sys(ioctl(container, VFIO_CHECK_EXTENSION, what));
}

static int must(int ret, const char *name, const char *what)
{
	if (ret < 0)
		tap_bail("%s: %s: %s", name, what, strerror(-ret));
	return ret;
}

static void open_in(struct dev *d, const char *name, int container, bool owner)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 0 };
	void *regs;
	int ret;

	board_take(name);
	d->name = name;
	d->container = owner ? container : -1;
	d->group = must(group_open(name), name, "group");
	must(group_set(d->group, container), name, "SET_CONTAINER");
	ret = check_extension(container, VFIO_TYPE1v2_IOMMU);
	ret = container_set_iommu(container, ret ? VFIO_TYPE1v2_IOMMU : VFIO_NOIOMMU_IOMMU);
	if (owner || ret != -EINVAL)
		must(ret, name, "SET_IOMMU");
	d->fd = must(device_fd(d->group, name), name, "GET_DEVICE_FD");
	must(xioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), name, "GET_REGION_INFO");
	d->size = info.size;
	d->regs = NULL;
	if (info.flags & VFIO_REGION_INFO_FLAG_MMAP) {
		regs = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
			    (off_t)info.offset);
		if (regs == MAP_FAILED)
			tap_bail("%s: mmap: %m", name);
		d->regs = regs;
	}
	if (strstr(name, ".edu"))
		edu_quiet(d);
}

void dev_open(struct dev *d, const char *name)
{
	open_in(d, name, must(container_open(), name, "container"), true);
}

void dev_open_in(struct dev *d, const char *name, int container)
{
	open_in(d, name, container, false);
}

void dev_close(struct dev *d)
{
	if (d->regs)
		munmap((void *)d->regs, d->size);
	close(d->fd);
	close(d->group);
	if (d->container >= 0)
		close(d->container);
	*d = (struct dev){ .name = d->name, .container = -1, .group = -1, .fd = -1 };
}

/* ---- edu ---- */

static int edu_wait(const struct dev *d, uint32_t offset, uint32_t bit)
{
	long end = now_ms() + SOON;

	while (dev_read(d, offset) & bit) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(2);
	}
	return 0;
}

void edu_quiet(const struct dev *d)
{
	if (dev_read(d, EDU_REG_ID) != EDU_ID)
		tap_bail("%s is no edu: its first register reads 0x%x", d->name,
			 dev_read(d, EDU_REG_ID));
	if (edu_wait(d, EDU_REG_DMA_CMD, EDU_DMA_RUN) ||
	    edu_wait(d, EDU_REG_STATUS, EDU_STATUS_BUSY))
		tap_bail("%s stays busy", d->name);
	dev_write(d, EDU_REG_STATUS, 0);
	edu_ack(d);
}

void edu_raise(const struct dev *d, uint32_t bits)
{
	dev_write(d, EDU_REG_RAISE, bits);
}

void edu_ack(const struct dev *d)
{
	dev_write(d, EDU_REG_ACK, dev_read(d, EDU_REG_IRQ));
}

void edu_dma_start(const struct dev *d, uint64_t iova, uint32_t len, uint32_t cmd)
{
	bool store = cmd & EDU_DMA_STORE;

	if (len > EDU_BUFFER_MAX)
		tap_bail("%u bytes are too many for one edu transfer", len);
	*(volatile uint64_t *)(d->regs + EDU_REG_DMA_SRC) = store ? EDU_BUFFER : iova;
	*(volatile uint64_t *)(d->regs + EDU_REG_DMA_DST) = store ? iova : EDU_BUFFER;
	*(volatile uint64_t *)(d->regs + EDU_REG_DMA_COUNT) = len;
	/* What the CPU wrote to the buffer must be there before the device is told to look. */
	__sync_synchronize();
	*(volatile uint64_t *)(d->regs + EDU_REG_DMA_CMD) = EDU_DMA_RUN | cmd;
}

static int edu_transfer(const struct dev *d, uint64_t iova, uint32_t len, uint32_t cmd)
{
	int ret;

	edu_dma_start(d, iova, len, cmd);
	ret = edu_wait(d, EDU_REG_DMA_CMD, EDU_DMA_RUN);
	__sync_synchronize();
	return ret;
}

int edu_load(const struct dev *d, uint64_t iova, uint32_t len)
{
	return edu_transfer(d, iova, len, 0);
}

int edu_store(const struct dev *d, uint64_t iova, uint32_t len)
{
	return edu_transfer(d, iova, len, EDU_DMA_STORE);
}

/* ---- interrupts ---- */

int irq_info(int fd, uint32_t index, struct vfio_irq_info *info)
{
	*info = (struct vfio_irq_info){ .argsz = sizeof(*info), .index = index };
	return xioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, info);
}

int irq_set(int fd, uint32_t index, uint32_t flags, int32_t value)
{
	union {
		struct vfio_irq_set set;
		uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(value)];
	} arg = {
		.set = { .argsz = sizeof(struct vfio_irq_set), .flags = flags, .index = index,
			 .count = 1 },
	};
	uint8_t flag = (uint8_t)value;

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		memcpy(arg.set.data, &value, sizeof(value));
		arg.set.argsz += sizeof(value);
	} else if (flags & VFIO_IRQ_SET_DATA_BOOL) {
		memcpy(arg.set.data, &flag, sizeof(flag));
		arg.set.argsz += sizeof(flag);
	}
	return xioctl(fd, VFIO_DEVICE_SET_IRQS, &arg);
}

int irq_trigger(int fd, uint32_t index, int efd)
{
	return irq_set(fd, index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, efd);
}

int irq_mask(int fd, uint32_t index)
{
	return irq_set(fd, index, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0);
}

int irq_unmask(int fd, uint32_t index)
{
	return irq_set(fd, index, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0);
}

int irq_vectors(int fd, uint32_t index, uint32_t start, uint32_t count, const int32_t *efds)
{
	static union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + VECTORS_MAX * sizeof(*efds)];
	} arg;

	arg.set = (struct vfio_irq_set){
		.argsz = (uint32_t)(sizeof(arg.set) + count * sizeof(*efds)),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index, .start = start, .count = count,
	};
	if (count > VECTORS_MAX)
		tap_bail("%u vectors are too many", count);
	memcpy(arg.set.data, efds, count * sizeof(*efds));
	return xioctl(fd, VFIO_DEVICE_SET_IRQS, &arg);
}

int irq_disable(int fd, uint32_t index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return xioctl(fd, VFIO_DEVICE_SET_IRQS, &set);
}

uint32_t irq_count(int fd, uint32_t index)
{
	struct vfio_irq_info info;
	int ret = irq_info(fd, index, &info);

	if (ret)
		tap_bail("interrupt index %u: %s", index, strerror(-ret));
	return info.count;
}

int efd_new(unsigned int initial)
{
	int fd = eventfd(initial, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		tap_bail("eventfd: %m");
	return fd;
}

uint64_t efd_take(int efd, int ms)
{
	struct pollfd pfd = { .fd = efd, .events = POLLIN };
	uint64_t count;

	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

void efd_signal(int efd)
{
	uint64_t one = 1;

	if (write(efd, &one, sizeof(one)) != sizeof(one))
		tap_bail("eventfd: %m");
}

/* ---- memory ---- */

void *mem_new(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (mem == MAP_FAILED)
		tap_bail("%zu bytes of memory: %m", size);
	return mem;
}

void *mem_physical(uint64_t address)
{
	const long page = sysconf(_SC_PAGESIZE);
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	uint8_t *p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)(address & -(uint64_t)page));

	if (p == MAP_FAILED)
		tap_bail("/dev/mem at 0x%" PRIx64 ": %m", address);
	close(fd);
	return p + address % (uint64_t)page;
}

void mem_free(void *mem, size_t size)
{
	munmap(mem, size);
}

static uint8_t pattern(size_t i, uint32_t seed)
{
	return (uint8_t)((uint32_t)(i + 1) * 2654435761u >> 24 ^ seed * 97u);
}

void mem_fill(void *mem, size_t size, uint32_t seed)
{
	uint8_t *bytes = mem;

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i, seed);
}

bool mem_is(const void *mem, size_t size, uint32_t seed)
{
	const uint8_t *bytes = mem;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != pattern(i, seed))
			return false;
	return true;
}

int dma_map(int container, const void *mem, uint64_t iova, uint64_t size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (uintptr_t)mem,
		.iova = iova,
		.size = size,
	};

	return xioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

static int64_t unmap(int container, uint32_t flags, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = flags,
		.iova = iova,
		.size = size,
	};
	int ret = xioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap);

	return ret ? ret : (int64_t)unmap.size;
}

int64_t dma_unmap(int container, uint64_t iova, uint64_t size)
{
	return unmap(container, 0, iova, size);
}

int64_t dma_unmap_all(int container)
{
	return unmap(container, VFIO_DMA_UNMAP_FLAG_ALL, 0, 0);
}

int dirty_track(int container, uint32_t flags)
{
	struct dirty_arg arg = { .argsz = sizeof(arg), .flags = flags };

	return xioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg);
}

int dirty_get(int container, uint64_t iova, uint64_t size, struct vfio_bitmap bitmap)
{
	struct dirty_arg arg = { sizeof(arg), VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, iova, size,
				 bitmap };

	return xioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg);
}

int64_t dma_unmap_dirty(int container, uint64_t iova, uint64_t size, struct vfio_bitmap bitmap)
{
	struct dirty_arg arg = { sizeof(arg), VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, iova, size,
				 bitmap };
	int ret = xioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg);

	return ret ? ret : (int64_t)arg.size;
}

int64_t dma_drop_vaddr(int container, uint64_t iova, uint64_t size, uint32_t more)
{
	return unmap(container, VFIO_DMA_UNMAP_FLAG_VADDR | more, iova, size);
}

/* Ranges as the argument of a call; what it returns, or evfio_iommu_ranges::size. */
static int64_t ranges_call(int container, unsigned long request, uint32_t flags,
			   const struct evfio_iommu_range *ranges, uint32_t nr)
{
	const size_t size = sizeof(struct evfio_iommu_ranges) + nr * sizeof(*ranges);
	struct evfio_iommu_ranges *arg = malloc(size);
	int64_t ret;

	*arg = (struct evfio_iommu_ranges){ .argsz = (uint32_t)size, .flags = flags, .nr = nr };
	memcpy(arg->ranges, ranges, nr * sizeof(*ranges));
	ret = xioctl(container, request, arg);
	if (!ret)
		ret = (int64_t)arg->size;
	free(arg);
	return ret;
}

int dma_map_ranges(int container, const struct evfio_iommu_range *ranges, uint32_t nr,
		   uint32_t flags)
{
	return (int)ranges_call(container, EVFIO_IOMMU_MAP, flags, ranges, nr);
}

int64_t dma_unmap_ranges(int container, const struct evfio_iommu_range *ranges, uint32_t nr)
{
	return ranges_call(container, EVFIO_IOMMU_UNMAP, 0, ranges, nr);
}

int dma_register(int container, const void *mem, uint64_t size, uint32_t flags)
{
	struct evfio_iommu_register arg = {
		.argsz = sizeof(arg), .flags = flags, .vaddr = (uintptr_t)mem, .size = size,
	};
	int ret = xioctl(container, EVFIO_IOMMU_REGISTER, &arg);

	return ret ? ret : (int)arg.id;
}

int dma_unregister(int container, int id)
{
	struct evfio_iommu_unregister arg = { .argsz = sizeof(arg), .id = (uint32_t)id };

	return xioctl(container, EVFIO_IOMMU_UNREGISTER, &arg);
}

int dma_move(int container, int id, uint32_t flags, const struct evfio_iommu_range *unmap,
	     uint32_t nr_unmap, const struct evfio_iommu_range *map, uint32_t nr_map)
{
	const size_t size = sizeof(struct evfio_iommu_move) + (nr_unmap + nr_map) * sizeof(*map);
	struct evfio_iommu_move *arg = malloc(size);
	int ret;

	*arg = (struct evfio_iommu_move){
		.argsz = (uint32_t)size, .flags = flags, .id = (uint32_t)id,
		.nr_unmap = nr_unmap, .nr_map = nr_map,
	};
	if (nr_unmap)
		memcpy(arg->ranges, unmap, nr_unmap * sizeof(*unmap));
	if (nr_map)
		memcpy(arg->ranges + nr_unmap, map, nr_map * sizeof(*map));
	ret = xioctl(container, EVFIO_IOMMU_MOVE, arg);
	free(arg);
	return ret;
}

const struct vfio_iommu_type1_info *iommu_info(int container)
{
	static union {
		struct vfio_iommu_type1_info info;
		uint8_t room[4096];
	} buf;

	memset(&buf, 0, sizeof(buf));
	buf.info.argsz = sizeof(buf);
	return ioctl(container, VFIO_IOMMU_GET_INFO, &buf) ? NULL : &buf.info;
}

const void *iommu_cap(const struct vfio_iommu_type1_info *info, uint16_t id)
{
	const struct vfio_info_cap_header *cap;

	if (!info || !(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	for (uint32_t at = info->cap_offset; at; at = cap->next) {
		cap = (const void *)((const uint8_t *)info + at);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

long dma_avail(int container)
{
	const struct vfio_iommu_type1_info_dma_avail *cap =
		iommu_cap(iommu_info(container), VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);

	return cap ? (long)cap->avail : -1;
}

struct usage usage(int container)
{
	return (struct usage){
		.avail = dma_avail(container),
		.locked = locked_kb(),
		.pinned = pages_pinned(),
		.fdinfo = tap_kernel ? 0 : fdinfo_long(container, "pinned"),
	};
}

bool usage_same(struct usage a, struct usage b)
{
	if (a.avail == b.avail && a.locked == b.locked && a.pinned == b.pinned &&
	    a.fdinfo == b.fdinfo)
		return true;
	tap_note("entries %ld, %ld; locked %ld, %ld kB; pinned %ld, %ld; fdinfo %ld, %ld kB",
		 a.avail, b.avail, a.locked, b.locked, a.pinned, b.pinned, a.fdinfo, b.fdinfo);
	return false;
}
