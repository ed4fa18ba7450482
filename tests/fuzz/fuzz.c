// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz - make the modules' life hard; the kernel's log tells whether they minded
 *
 *	fuzz storm BOARD SEED SECONDS	processes with threads that make random calls on shared
 *					fds while they are killed, devices raise interrupts, do
 *					DMA and are unbound, and allocations fail
 *	fuzz fail-nth BOARD [NAME]	each call again and again, its first, second, ...
 *					allocation or user copy failing, until it needs no more:
 *					after a failure all must be as before, so that it works
 *
 * Runs on a kernel with fault injection and all the checks there are (tests/kernel/). The board's
 * devices have to be hit with care: an edu that is told to move more than its buffer holds ends
 * QEMU itself. So only the first process, which is never killed, starts transfers, and where there
 * is no IOMMU none before the storm is over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/evfio.h>
#include <linux/kcov.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096ul

static const char *const edus[] = { EDU0, EDU1, EDU2, EDU3 };
#define EDUS ARRAY_SIZE(edus)

/* ---- failing on purpose ---- */

/* The function @name of the kernel: where it begins and the next one does. */
static void function_range(const char *name, uint64_t *begin, uint64_t *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256], symbol[128];
	uint64_t address;

	*begin = 0;
	*end = UINT64_MAX;
	while (file && fgets(line, sizeof(line), file)) {	/* the kernel's own are sorted */
		if (sscanf(line, "%lx %*c %127s", &address, symbol) != 2)
			continue;
		if (!strcmp(symbol, name))
			*begin = address;
		if (*begin && address > *begin && address < *end)
			*end = address;
	}
	if (!file || !*begin)
		tap_bail("/proc/kallsyms: no %s", name);
	fclose(file);
}

/* Tell all kinds of fault: @what is one of the files there, @value an address. */
static void injection_set(const char *what, uint64_t value)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	char path[128], text[32];

	snprintf(text, sizeof(text), "0x%lx", value);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kinds[i], what);
		if (file_write(path, text))
			tap_bail("%s: this kernel cannot spare functions", path);
	}
}

/*
 * Giving a group back to its default domain must not fail, and the kernel says so with a warning if
 * the driver of the IOMMU needs memory for it and gets none. So nothing fails in there.
 */
static void injection_spare(void)
{
	uint64_t release, detach, end, ignored;

	function_range("__iommu_release_dma_ownership", &release, &ignored);
	function_range("iommu_detach_group", &detach, &end);
	if (release > detach || detach - release > 0x1000)
		tap_bail("no iommu_detach_group close behind the release of groups");
	injection_set("reject-start", release);
	injection_set("reject-end", end);
}

/* From now on only what this function of the kernel's does, and what it calls, fails. */
static void injection_only(const char *name)
{
	static char now[64];
	uint64_t begin, end;

	if (!strcmp(name, now))
		return;
	snprintf(now, sizeof(now), "%s", name);
	function_range(name, &begin, &end);
	injection_set("require-start", begin);
	injection_set("require-end", end);
}

/* Only what a module's own initialization does, not what loading it takes. */
static void injection_in_init(void)
{
	injection_only("do_one_initcall");
}

static void injection_init(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" }, { "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" }, { "fail_page_alloc/min-order", "0" },
		{ "failslab/verbose", "0" }, { "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		if (file_write(path, settings[i][1]))
			tap_bail("%s: this kernel injects no faults", path);
	}
	injection_spare();
}

/* Of this thread: the @n-th allocation from now on fails, none for 0. */
static int fail_fd(void)
{
	static __thread int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return fd;
}

static void fail_nth(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* The last failure may be that of switching it off, which it thereby is. */
	if (pwrite(fd, text, (size_t)len, 0) != len && n)
		tap_bail("fail-nth: %m");
}

/* Stop failing; whether it has failed. */
static bool failed_nth(int fd)
{
	char left[16] = "";
	bool failed;

	/* If this is what fails, the call has not. */
	failed = pread(fd, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0;
	fail_nth(fd, 0);
	return failed;
}

/* ---- fail-nth: every allocation of every call ---- */

/* Pages, none beside its neighbour: their extents need pages of their own. */
#define SCATTERED	1200

static struct dev dev;
static int container, group, spare, efd[3];
static uint8_t *memory, *scattered, *huge;
static int buffer;
static char text[8192];
static unsigned int wrong;

/* 0 or more, or -errno; anything else about a step is a bug of this program. */
typedef long step_call(void);

static long ok_or_bail(long ret, const char *what)
{
	if (ret < 0)
		tap_bail("%s: %s", what, strerror((int)-ret));
	return ret;
}

static long nothing(void)
{
	return 0;
}

static long open_container(void)
{
	container = container_open();
	return container;
}

static long close_container(void)
{
	return sys(close(container));
}

static long open_group(void)
{
	group = group_open(EDU0);
	return group;
}

static long close_group(void)
{
	return sys(close(group));
}

static long have_group(void)
{
	return ok_or_bail(open_container(), "container") | ok_or_bail(open_group(), "group");
}

static long drop_group(void)
{
	return close_group() | close_container();
}

static long join(void)
{
	return group_set(group, container);
}

static long have_joined(void)
{
	have_group();
	return ok_or_bail(join(), "SET_CONTAINER");
}

static long leave(void)
{
	return group_unset(group);
}

static long set_v1(void)
{
	return container_set_iommu(container, VFIO_TYPE1_IOMMU);
}

static long set_v2(void)
{
	return container_set_iommu(container, VFIO_TYPE1v2_IOMMU);
}

static long have_iommu(void)
{
	have_joined();
	return ok_or_bail(set_v2(), "SET_IOMMU");
}

static long get_fd(void)
{
	dev.fd = device_fd(group, EDU0);
	return dev.fd;
}

static long drop_fd(void)
{
	return sys(close(dev.fd)) | drop_group();
}

static long have_open(void)
{
	dev_open(&dev, EDU0);
	return 0;
}

static long drop_open(void)
{
	dev_close(&dev);
	return 0;
}

static long have_reset(void)
{
	dev_open(&dev, EDU1);
	return 0;
}

static long get_second_fd(void)
{
	spare = device_fd(dev.group, EDU0);
	return spare;
}

static long drop_second_fd(void)
{
	close(spare);
	return drop_open();
}

static long check(void)
{
	return check_extension(dev.container, VFIO_DMA_CC_IOMMU);
}

static long info(void)
{
	struct vfio_iommu_type1_info *in = (void *)text;

	in->argsz = sizeof(text);
	return xioctl(dev.container, VFIO_IOMMU_GET_INFO, in);
}

static long map_page(void)
{
	return dma_map(dev.container, memory, IOVA, PAGE, RW);
}

static long map_scattered(void)
{
	return dma_map(dev.container, scattered, IOVA, SCATTERED * PAGE, RW);
}

#define HUGE_PAGE	(2l << 20)

/* Two huge pages and the first again: somewhere there two are no neighbours. */
static uint8_t *huge_new(void)
{
	const int prot = PROT_READ | PROT_WRITE, fd = memfd_create("huge", MFD_HUGETLB);
	uint8_t *area = mmap(NULL, 4 * HUGE_PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *at = area + HUGE_PAGE - (uintptr_t)area % HUGE_PAGE;

	file_write("/proc/sys/vm/nr_hugepages", "2");
	if (area == MAP_FAILED || ftruncate(fd, 2 * HUGE_PAGE))
		tap_bail("huge pages: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		if (mmap(at + i * HUGE_PAGE, HUGE_PAGE, prot, MAP_SHARED | MAP_FIXED, fd,
			 i % 2 * HUGE_PAGE) == MAP_FAILED)
			tap_bail("huge pages: %s", strerror(errno));
	close(fd);
	memset(at, 0, 3 * HUGE_PAGE);
	return at;
}

static long map_huge(void)
{
	return dma_map(dev.container, huge, IOVA, 3 * HUGE_PAGE, RW);
}

static long map_high(void)
{
	return dma_map(dev.container, memory, 0xffffffff000, PAGE, RO);
}

/* What the core takes for a peer. */
static long map_peer(void)
{
	return dma_map(dev.container, (void *)dev.regs, IOVA, EDU_SIZE, RW);
}

static long have_peer(void)
{
	have_open();
	return ok_or_bail(map_peer(), "MAP_DMA");
}

static long unmap_peer(void)
{
	return dma_unmap(dev.container, IOVA, EDU_SIZE) < 0 ? -errno : 0;
}

static long have_page(void)
{
	have_open();
	return ok_or_bail(map_page(), "MAP_DMA");
}

static long have_scattered(void)
{
	have_open();
	return ok_or_bail(map_scattered(), "MAP_DMA") | ok_or_bail(map_high(), "MAP_DMA");
}

static long unmap_page(void)
{
	return dma_unmap(dev.container, IOVA, PAGE) < 0 ? -errno : 0;
}

static long unmap_all(void)
{
	return dma_unmap_all(dev.container) < 0 ? -errno : 0;
}

/* A page, registers, and pages that are no neighbours. */
static uint32_t mixed_ranges(struct evfio_iommu_range *ranges)
{
	ranges[0] = (struct evfio_iommu_range){ IOVA, (uintptr_t)memory, PAGE };
	ranges[1] = (struct evfio_iommu_range){ 2 * IOVA, (uintptr_t)dev.regs, EDU_SIZE };
	ranges[2] = (struct evfio_iommu_range){ 3 * IOVA, (uintptr_t)scattered, 12 * PAGE };
	return 3;
}

static long map_ranges(void)
{
	struct evfio_iommu_range ranges[3];
	uint32_t nr = mixed_ranges(ranges);

	return dma_map_ranges(dev.container, ranges, nr, RW);
}

static long have_ranges(void)
{
	have_open();
	return ok_or_bail(map_ranges(), "EVFIO_IOMMU_MAP");
}

static long unmap_ranges(void)
{
	struct evfio_iommu_range ranges[3];
	uint32_t nr = mixed_ranges(ranges);
	int64_t ret = dma_unmap_ranges(dev.container, ranges, nr);

	return ret < 0 ? ret : 0;
}

static uint64_t bits[SCATTERED / 64 + 1];

static long have_tracked(void)
{
	have_scattered();
	return ok_or_bail(dirty_track(dev.container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START),
			  "DIRTY_PAGES");
}

static long start_tracking(void)
{
	return dirty_track(dev.container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
}

static const struct vfio_bitmap bitmap = { PAGE, sizeof(bits), (void *)bits };

static long get_dirty(void)
{
	return dirty_get(dev.container, IOVA, SCATTERED * PAGE, bitmap);
}

static long unmap_dirty(void)
{
	int64_t ret = dma_unmap_dirty(dev.container, IOVA, SCATTERED * PAGE, bitmap);

	return ret < 0 ? ret : 0;
}

static long set_vaddr(void)
{
	return dma_map(dev.container, scattered, IOVA, SCATTERED * PAGE, VFIO_DMA_MAP_FLAG_VADDR);
}

/* If only the answer fails it is done, and has to be undone before it is tried again. */
static long drop_vaddr(void)
{
	int64_t ret = dma_drop_vaddr(dev.container, IOVA, SCATTERED * PAGE, 0);

	if (ret == -EFAULT)
		set_vaddr();
	return ret < 0 ? ret : 0;
}

static long have_adrift(void)
{
	have_scattered();
	return ok_or_bail(drop_vaddr(), "UNMAP_DMA of addresses");
}

static long register_scattered(void)
{
	buffer = dma_register(dev.container, scattered, SCATTERED * PAGE, RW);
	return buffer < 0 ? buffer : 0;
}

static long have_buffer(void)
{
	have_open();
	return ok_or_bail(register_scattered(), "EVFIO_IOMMU_REGISTER");
}

/* Of one run, and of more. */
static const struct evfio_iommu_range windows_of[] = {
	{ IOVA, 3 * PAGE, PAGE }, { 2 * IOVA, PAGE, 12 * PAGE },
};

static long map_windows(void)
{
	return dma_move(dev.container, buffer, 0, NULL, 0, windows_of, ARRAY_SIZE(windows_of));
}

static long have_windows(void)
{
	have_buffer();
	return ok_or_bail(map_windows(), "EVFIO_IOMMU_MOVE");
}

static long move_windows(void)
{
	const struct evfio_iommu_range to = { 4 * IOVA, 20 * PAGE, 20 * PAGE };

	return dma_move(dev.container, buffer, 0, windows_of, ARRAY_SIZE(windows_of), &to, 1);
}

static long move_lazily(void)
{
	const struct evfio_iommu_range to = { 4 * IOVA, 20 * PAGE, 20 * PAGE };

	return dma_move(dev.container, buffer, EVFIO_IOMMU_MOVE_LAZY, windows_of,
			ARRAY_SIZE(windows_of), &to, 1);
}

static long have_stale(void)
{
	have_windows();
	return ok_or_bail(dma_move(dev.container, 0, EVFIO_IOMMU_MOVE_LAZY, windows_of,
				   ARRAY_SIZE(windows_of), NULL, 0), "EVFIO_IOMMU_MOVE");
}

static long unregister(void)
{
	return dma_unregister(dev.container, buffer);
}

/* A second group comes to mappings that exist. */
static long have_mapped_and_second(void)
{
	have_scattered();
	board_take(EDU3);
	group = (int)ok_or_bail(group_open(EDU3), "group");
	return 0;
}

static long join_second(void)
{
	return group_set(group, dev.container);
}

static long have_second(void)
{
	have_mapped_and_second();
	return ok_or_bail(join_second(), "SET_CONTAINER");
}

static long drop_second(void)
{
	close(group);
	return drop_open();
}

static long status(void)
{
	return group_status(dev.group);
}

static long device_info(void)
{
	struct vfio_device_info in = { .argsz = sizeof(in) };

	return xioctl(dev.fd, VFIO_DEVICE_GET_INFO, &in);
}

static long first_region_info(void)
{
	struct vfio_region_info in = { .argsz = sizeof(in) };

	return xioctl(dev.fd, VFIO_DEVICE_GET_REGION_INFO, &in);
}

static long interrupt_info(void)
{
	struct vfio_irq_info in;

	return irq_info(dev.fd, 0, &in);
}

static long trigger(void)
{
	return irq_trigger(dev.fd, 0, efd[0]);
}

static long have_trigger(void)
{
	have_open();
	return ok_or_bail(trigger(), "SET_IRQS");
}

static long another_trigger(void)
{
	long ret = irq_trigger(dev.fd, 0, efd[1]);

	/* When it cannot be had the old one stays. */
	if (ret) {
		edu_raise(&dev, 1);
		if (efd_take(efd[0], 1000) != 1) {
			printf("WRONG: a change of trigger failed and lost the old one\n");
			wrong++;
		}
		edu_ack(&dev);
		irq_unmask(dev.fd, 0);
	}
	return ret;
}

static long no_trigger(void)
{
	return irq_trigger(dev.fd, 0, -1);
}

static long fire(void)
{
	return irq_set(dev.fd, 0, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 1);
}

static long mask(void)
{
	return irq_mask(dev.fd, 0);
}

static long unmask(void)
{
	return irq_unmask(dev.fd, 0);
}

static long mask_by_eventfd(void)
{
	return irq_set(dev.fd, 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, efd[2]);
}

static long unmask_by_eventfd(void)
{
	return irq_set(dev.fd, 0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, efd[2]);
}

/*
 * That memory fails is tried before MSI vectors are there and after: the kernel warns when it has
 * none for their files in /proc/irq, or to give them back.
 */
static long msi(void)
{
	struct evfio_device_msi in = { .argsz = sizeof(in), .count = 4 };

	return xioctl(dev.fd, EVFIO_DEVICE_MSI, &in);
}

static long have_msi(void)
{
	have_reset();
	return ok_or_bail(msi(), "DEVICE_MSI");
}

static long have_msi_trigger(void)
{
	have_msi();
	return ok_or_bail(irq_trigger(dev.fd, 1, efd[0]), "SET_IRQS");
}

static long message(void)
{
	struct evfio_device_msi_message in = { .argsz = sizeof(in) };

	return xioctl(dev.fd, EVFIO_DEVICE_MSI_MESSAGE, &in);
}

static long reset(void)
{
	return xioctl(dev.fd, VFIO_DEVICE_RESET, NULL);
}

static long feature(void)
{
	struct vfio_device_feature in = { .argsz = sizeof(in), .flags = VFIO_DEVICE_FEATURE_GET };
	long ret = xioctl(dev.fd, VFIO_DEVICE_FEATURE, &in);

	return ret == -ENOTTY ? 0 : ret;
}

static long read_registers(void)
{
	uint32_t data[64];

	return sys(pread(dev.fd, data, sizeof(data), 0));
}

static long write_register(void)
{
	uint32_t data[4] = { 0 };

	return sys(pwrite(dev.fd, data, sizeof(data), 0x1000));
}

static void *second_map;

static long map_registers(void)
{
	second_map = mmap(NULL, EDU_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev.fd, 0);
	return second_map == MAP_FAILED ? -errno : 0;
}

static long drop_registers(void)
{
	munmap(second_map, EDU_SIZE);
	return drop_open();
}

static long have_registers(void)
{
	have_open();
	return ok_or_bail(map_registers(), "mmap");
}

/* The fault that fails is made again. */
static long touch(void)
{
	return *(volatile uint32_t *)((uint8_t *)second_map + 0x2000) != 0xffffffff ? -EIO : 0;
}

static long read_fdinfo(int fd)
{
	char path[64];
	long ret;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY);
	if (file < 0)
		return -errno;
	ret = sys(read(file, text, sizeof(text)));
	close(file);
	return ret;
}

static long fdinfo(void)
{
	long ret = read_fdinfo(dev.container);

	if (ret >= 0)
		ret = read_fdinfo(dev.group);
	return ret < 0 ? ret : read_fdinfo(dev.fd);
}

static long members(void)
{
	char path[64];
	long ret;
	int file;

	snprintf(path, sizeof(path), "/sys/class/vfio/%d/members", board_group(EDU0));
	file = open(path, O_RDONLY);
	if (file < 0)
		return -errno;
	ret = sys(read(file, text, sizeof(text)));
	close(file);
	return ret;
}

/* Without a driver, and @driver's as soon as it is probed. */
static long have_unbound(const char *name, const char *driver)
{
	int ret = board_unbind(name);

	if (!ret)
		ret = file_write(board_path(name, "driver_override"), driver);
	return ok_or_bail(ret, "unbind");
}

static long probe(const char *drivers_probe, const char *name)
{
	int ret = file_write(drivers_probe, name);

	/* A probe that fails does not fail the write. */
	return ret ? ret : *board_driver(name) ? 0 : -ENODEV;
}

static long have_none(void)
{
	return have_unbound(EDU0, "vfio-platform");
}

static long bind(void)
{
	return probe("/sys/bus/platform/drivers_probe", EDU0);
}

static long unbind(void)
{
	return board_unbind(EDU0);
}

static long have_bound(void)
{
	board_take(EDU0);
	return 0;
}

static bool loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

static void unload(const char *module)
{
	if (loaded(module) && syscall(SYS_delete_module, module, O_NONBLOCK))
		tap_bail("%s cannot be unloaded: %m", module);
}

static long load(const char *module, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	long ret = loaded(module) ? 0 : sys(syscall(SYS_finit_module, fd, "", 0));

	close(fd);
	return ret;
}

static long load_core(void)
{
	return load("vfio", "/lib/modules/vfio.ko");
}

static long load_platform(void)
{
	return load("vfio_platform", "/lib/modules/vfio-platform.ko");
}

static long have_no_core(void)
{
	unload("vfio_platform");
	unload("vfio_pci");
	unload("vfio_iommu_type1");
	unload("vfio");
	injection_in_init();
	return 0;
}

static long have_no_platform(void)
{
	unload("vfio_platform");
	injection_in_init();
	return ok_or_bail(load_core(), "vfio");
}

static long have_no_rtc(void)
{
	return have_unbound(RTC, "vfio-amba");
}

static long bind_rtc(void)
{
	return probe("/sys/bus/amba/drivers_probe", RTC);
}

/* Two domains: what is mapped into the first must leave it when the second refuses. */
static long have_two_domains(void)
{
	have_open();
	board_take(EDU3);
	group = (int)ok_or_bail(group_open(EDU3), "group");
	return ok_or_bail(join_second(), "SET_CONTAINER");
}

/* Two groups of which the second may be refused. */
static long have_two_joined(void)
{
	have_joined();
	board_take(EDU3);
	spare = (int)ok_or_bail(group_open(EDU3), "group");
	return ok_or_bail(group_set(spare, container), "SET_CONTAINER");
}

static long drop_two(void)
{
	close(spare);
	return drop_group();
}

static long version(void)
{
	return xioctl(dev.container, VFIO_GET_API_VERSION, NULL);
}

static long check_none(void)
{
	return check_extension(container, VFIO_TYPE1_IOMMU);
}

static long wait_events(void)
{
	struct pollfd pfd = { .fd = dev.fd, .events = POLLPRI };

	return sys(poll(&pfd, 1, 0));
}

static long get_fd_of_clocked(void)
{
	dev.fd = device_fd(group, EDU1);
	return dev.fd;
}

static long have_clocked(void)
{
	ok_or_bail(open_container(), "container");
	group = (int)ok_or_bail(group_open(EDU1), "group");
	return ok_or_bail(join(), "SET_CONTAINER") | ok_or_bail(set_v2(), "SET_IOMMU");
}

struct step {
	const char *name;
	step_call *before, *call, *after;
	bool once;	/* cannot be made again, whatever it answered */
};

static const struct step platform_steps[] = {
	{ "open container", nothing, open_container, close_container, false },
	{ "open group", nothing, open_group, close_group, false },
	{ "SET_CONTAINER", have_group, join, drop_group, false },
	{ "UNSET_CONTAINER", have_joined, leave, drop_group, false },
	{ "SET_IOMMU type1", have_joined, set_v1, drop_group, false },
	{ "SET_IOMMU type1v2", have_joined, set_v2, drop_group, false },
	{ "SET_IOMMU with two groups", have_two_joined, set_v2, drop_two, false },
	{ "GET_API_VERSION", have_open, version, drop_open, false },
	{ "CHECK_EXTENSION without IOMMU", have_group, check_none, drop_group, false },
	{ "GET_DEVICE_FD", have_iommu, get_fd, drop_fd, false },
	{ "GET_DEVICE_FD with a clock", have_clocked, get_fd_of_clocked, drop_fd, false },
	{ "GET_DEVICE_FD again", have_open, get_second_fd, drop_second_fd, false },
	{ "CHECK_EXTENSION", have_open, check, drop_open, false },
	{ "IOMMU_GET_INFO", have_page, info, drop_open, false },
	{ "MAP_DMA a page", have_open, map_page, drop_open, false },
	{ "MAP_DMA scattered pages", have_open, map_scattered, drop_open, false },
	{ "MAP_DMA huge pages", have_open, map_huge, drop_open, false },
	{ "MAP_DMA far away", have_open, map_high, drop_open, false },
	{ "MAP_DMA into two domains", have_two_domains, map_scattered, drop_second, false },
	{ "MAP_DMA registers", have_open, map_peer, drop_open, false },
	{ "MAP_DMA registers, two domains", have_two_domains, map_peer, drop_second, false },
	{ "EVFIO_IOMMU_MAP", have_open, map_ranges, drop_open, false },
	{ "EVFIO_IOMMU_MAP, two domains", have_two_domains, map_ranges, drop_second, false },
	{ "EVFIO_IOMMU_UNMAP", have_ranges, unmap_ranges, drop_open, false },
	{ "EVFIO_IOMMU_REGISTER", have_open, register_scattered, drop_open, false },
	{ "EVFIO_IOMMU_REGISTER, another", have_buffer, register_scattered, drop_open, false },
	{ "EVFIO_IOMMU_MOVE, new windows", have_buffer, map_windows, drop_open, false },
	{ "EVFIO_IOMMU_MOVE", have_windows, move_windows, drop_open, false },
	{ "EVFIO_IOMMU_MOVE, lazily", have_windows, move_lazily, drop_open, false },
	{ "EVFIO_IOMMU_UNREGISTER", have_stale, unregister, drop_open, false },
	{ "DIRTY_PAGES START", have_scattered, start_tracking, drop_open, false },
	{ "DIRTY_PAGES GET_BITMAP", have_tracked, get_dirty, drop_open, false },
	{ "UNMAP_DMA with a bitmap", have_tracked, unmap_dirty, drop_open, false },
	{ "UNMAP_DMA of addresses", have_scattered, drop_vaddr, drop_open, false },
	{ "MAP_DMA of an address", have_adrift, set_vaddr, drop_open, false },
	{ "UNMAP_DMA a page", have_page, unmap_page, drop_open, false },
	{ "UNMAP_DMA registers", have_peer, unmap_peer, drop_open, false },
	{ "UNMAP_DMA all", have_scattered, unmap_all, drop_open, false },
	{ "SET_CONTAINER with mappings", have_mapped_and_second, join_second, drop_second, false },
	{ "UNSET_CONTAINER with mappings", have_second, leave, drop_second, false },
	{ "GET_STATUS", have_open, status, drop_open, false },
	{ "GET_INFO", have_open, device_info, drop_open, false },
	{ "GET_REGION_INFO", have_open, first_region_info, drop_open, false },
	{ "GET_IRQ_INFO", have_open, interrupt_info, drop_open, false },
	{ "SET_IRQS trigger", have_open, trigger, drop_open, false },
	{ "SET_IRQS another trigger", have_trigger, another_trigger, drop_open, false },
	{ "SET_IRQS no trigger", have_trigger, no_trigger, drop_open, false },
	{ "SET_IRQS fire", have_trigger, fire, drop_open, false },
	{ "SET_IRQS mask", have_trigger, mask, drop_open, false },
	{ "SET_IRQS unmask", have_trigger, unmask, drop_open, false },
	{ "SET_IRQS mask by eventfd", have_trigger, mask_by_eventfd, drop_open, false },
	{ "SET_IRQS unmask by eventfd", have_trigger, unmask_by_eventfd, drop_open, false },
	{ "DEVICE_MSI", have_reset, msi, drop_open, false },
	{ "DEVICE_MSI_MESSAGE", have_msi_trigger, message, drop_open, false },
	{ "RESET", have_reset, reset, drop_open, false },
	{ "FEATURE", have_open, feature, drop_open, false },
	{ "pread", have_open, read_registers, drop_open, false },
	{ "pwrite", have_open, write_register, drop_open, false },
	{ "mmap", have_open, map_registers, drop_registers, false },
	{ "touch a mapping", have_registers, touch, drop_registers, false },
	{ "poll", have_open, wait_events, drop_open, false },
	{ "fdinfo", have_page, fdinfo, drop_open, false },
	{ "members", have_open, members, drop_open, false },
	{ "close device, group, container", have_trigger, drop_open, nothing, true },
	{ "close all with mappings", have_scattered, drop_open, nothing, true },
	{ "close a device with a reset", have_reset, drop_open, nothing, true },
	{ "bind", have_none, bind, nothing, false },
	{ "bind an AMBA device", have_no_rtc, bind_rtc, nothing, false },
	{ "unbind", have_bound, unbind, have_bound, true },
	/* The last ones: after them nothing else fails. */
	{ "load vfio", have_no_core, load_core, nothing, false },
	/* Not type1, which makes a cache: where that fails the kernel complains, and leaks. */
	{ "load vfio-platform", have_no_platform, load_platform, nothing, false },
};

#include "fail_noiommu.h"
#include "fail_pci.h"

static const struct board {
	const char *name;
	const struct step *steps;
	size_t num_steps;
} boards[] = {
	{ "platform", platform_steps, ARRAY_SIZE(platform_steps) },
	{ "pci", pci_steps, ARRAY_SIZE(pci_steps) },
	{ "noiommu", noiommu_steps, ARRAY_SIZE(noiommu_steps) },
};

enum { PLATFORM, PCI, NOIOMMU };

static const struct board *board_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(boards); i++)
		if (!strcmp(boards[i].name, name))
			return &boards[i];
	tap_bail("%s: no such board", name);
}

static int fail_all(const struct board *board, const char *only)
{
	const struct step *steps = board->steps;
	unsigned int injected = 0, calls = 0, n, refused;
	int fd = fail_fd();
	long ret;

	injection_init();
	memory = mem_new(4 * PAGE);
	scattered = mmap(NULL, SCATTERED * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(scattered, SCATTERED * PAGE, MADV_NOHUGEPAGE);
	for (unsigned int step = 7, i = 0, p = 0; i < SCATTERED; i++, p = (p + step) % SCATTERED)
		scattered[(i * 7 + i * 7 / SCATTERED) % SCATTERED * PAGE] = (uint8_t)p;
	huge = huge_new();
	for (size_t i = 0; i < ARRAY_SIZE(efd); i++)
		efd[i] = efd_new(0);
	if (board == &boards[NOIOMMU])
		ok_or_bail(file_write(NOIOMMU_PARAMETER, "1"), NOIOMMU_PARAMETER);
	for (size_t i = 0; board != &boards[PCI] && i < 2; i++)
		board_take(edus[i]);

	for (size_t i = 0; i < board->num_steps; i++) {
		if (only && strcmp(only, steps[i].name))
			continue;
		refused = 0;
		for (n = 1; n < 2000; n++) {
			steps[i].before();
			fail_nth(fd, n);
			ret = steps[i].call();
			if (!failed_nth(fd)) {
				if (ret < 0) {
					printf("WRONG: %s: without a failure it answers %s\n",
					       steps[i].name, strerror((int)-ret));
					wrong++;
				}
				steps[i].after();
				break;
			}
			injected++;
			/* What a page fault or a probe needed may have failed and been got over. */
			if (ret < 0 && !steps[i].once) {
				refused++;
				ret = steps[i].call();
				if (ret < 0) {
					printf("WRONG: %s: after allocation %u failed it answers %s\n",
					       steps[i].name, n, strerror((int)-ret));
					wrong++;
				}
			}
			steps[i].after();
			if (locked_kb()) {
				printf("WRONG: %s: after allocation %u failed %ld kB stay locked\n",
				       steps[i].name, n, locked_kb());
				wrong++;
				break;
			}
		}
		calls++;
		printf("fail-nth: %-32s %3u allocations and copies failed, %u calls refused\n",
		       steps[i].name, n - 1, refused);
	}
	if (pages_pinned()) {
		printf("WRONG: %ld pages stay pinned\n", pages_pinned());
		wrong++;
	}
	printf("fail-nth: %u calls, %u failures injected, %u wrong\n", calls, injected, wrong);
	return wrong != 0;
}

/* ---- storm ---- */

#define THREADS		3
#define PROCESSES	3
#define FDS		24
#define WINDOWS		4

/* What all processes share. */
struct shared {
	atomic_ulong calls, good, opens, maps, unmaps, resets, injected, kills, exits, unbinds;
	atomic_ulong transfers, places, seeds;
	atomic_bool stop;
	atomic_uchar seen[1 << 16];	/* places in the modules, by a hash of their address */
	atomic_ulong seed[1 << 12];	/* random states from which a call reached a new one */
};

static struct shared *shared;
static volatile uint8_t *edu_regs[EDUS];
static bool bare;	/* the board has no IOMMU */

/* Of one process; its threads use and overwrite them as they like. */
static atomic_int fds[FDS], adrift;
static unsigned int home;	/* the device that this process mostly uses */
static bool fails;		/* its threads fail an allocation or a copy now and then */
static bool sends;		/* it uses MSI, for which the kernel needs all memory it asks for */
static uint8_t *arena;
static void *_Atomic windows[WINDOWS];
#define ARENA_PAGES 1024u

static __thread uint64_t rng;
static __thread sigjmp_buf fault;
static __thread volatile sig_atomic_t touching;

static uint64_t rnd(void)
{
	uint64_t z = rng += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)((rnd() >> 32) * n >> 32);
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

static void on_fault(int sig)
{
	if (touching)
		siglongjmp(fault, sig);
	_exit(100 + sig);
}

/*
 * The slots for fds, by what they mostly hold. Most calls are made on the first container and on
 * the process's own device, so that they find something to work on.
 */
enum { CONTAINERS = 0, GROUPS = 4, DEVICES = 10, EVENTFDS = 18 };

static unsigned int an_edu(void)
{
	if (one_in(16))
		return below(EDUS);
	return home < 2 ? home : 2 + below(2);	/* two that go together */
}

static int fd_in(unsigned int slot)
{
	return atomic_load(&fds[one_in(64) ? below(FDS) : slot]);
}

static int a_container(void)
{
	return fd_in(CONTAINERS + (one_in(16) ? below(4) : 0));
}

static int a_group(void)
{
	return fd_in(GROUPS + an_edu());
}

static int a_device(void)
{
	return fd_in(DEVICES + an_edu() + (one_in(4) ? EDUS : 0));
}

static int an_eventfd(void)
{
	return fd_in(EVENTFDS + below(FDS - EVENTFDS));
}

static void keep(unsigned int slot, int fd)
{
	int old;

	if (fd < 0)
		return;
	if (slot >= DEVICES && slot < EVENTFDS)
		atomic_fetch_add(&shared->opens, 1);
	old = atomic_exchange(&fds[slot], fd);
	if (old > 2)
		close(old);
}

/* Count what a call answered, and pass it on. */
static long did(long ret)
{
	atomic_fetch_add(&shared->calls, 1);
	if (ret >= 0)
		atomic_fetch_add(&shared->good, 1);
	return ret;
}

/* A window stays where it is for good: another thread may be touching it. */
static void blank_windows(void)
{
	for (size_t i = 0; i < WINDOWS; i++)
		if (atomic_load(&windows[i]))
			mmap(atomic_load(&windows[i]), EDU_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

/* From nothing, or from whatever is left of it, to an open device. */
static void chain(unsigned int edu)
{
	unsigned long type = bare ? VFIO_NOIOMMU_IOMMU :
			     one_in(4) ? VFIO_TYPE1_IOMMU : VFIO_TYPE1v2_IOMMU;
	unsigned int c = CONTAINERS + (one_in(16) ? below(4) : 0), g = GROUPS + edu;
	int fd;

	if (atomic_load(&fds[c]) < 0)
		keep(c, (int)did(container_open()));
	fd = (int)did(group_open(edus[edu]));
	if (fd < 0 && atomic_load(&fds[g]) < 0)
		blank_windows();	/* perhaps they keep it */
	keep(g, fd);
	if (atomic_load(&fds[g]) < 0)
		return;
	did(group_set(atomic_load(&fds[g]), atomic_load(&fds[c])));
	did(container_set_iommu(atomic_load(&fds[c]), type));
	keep(DEVICES + edu, (int)did(device_fd(atomic_load(&fds[g]), edus[edu])));
}

/* What is lost, by whichever thread's doing, is sought again; in vain, the next process may. */
static void stay_afloat(void)
{
	struct vfio_device_info in = { .argsz = sizeof(in) };
	unsigned int edu = an_edu();

	if (!xioctl(atomic_load(&fds[DEVICES + edu]), VFIO_DEVICE_GET_INFO, &in) &&
	    check_extension(atomic_load(&fds[CONTAINERS]),
			    bare ? VFIO_NOIOMMU_IOMMU : VFIO_DMA_CC_IOMMU) > 0) {
		atomic_store(&adrift, 0);
		return;
	}
	chain(edu);
	sleep_ms(1);
	if (atomic_fetch_add(&adrift, 1) > 100)
		_exit(0);
}

static void touch_window(void)
{
	uint8_t *p = atomic_load(&windows[below(WINDOWS)]);
	unsigned int what = below(3);

	if (!p)
		return;
	if (!sigsetjmp(fault, 1)) {
		touching = 1;
		if (what)
			(void)*(volatile uint32_t *)(p + 4 * below(16));
		else
			*(volatile uint32_t *)(p + EDU_REG_LIVE) = (uint32_t)rnd();
	}
	touching = 0;
}

static void map_window(int fd, off_t offset)
{
	unsigned int which = below(WINDOWS);
	void *p = atomic_load(&windows[which]);

	p = mmap(p, EDU_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | (p ? MAP_FIXED : 0), fd, offset);
	did(p == MAP_FAILED ? -1 : 0);
	if (p != MAP_FAILED)
		atomic_store(&windows[which], p);
}

/* Mostly in one of some wide places, where only a mapping with the same start is in the way. */
#define PLACES		48u
#define PLACE_PAGES	1024u
#define PLACES_BASE	0x100000000ull

static uint64_t an_iova(void)
{
	return one_in(8) ? IOVA + below(256) * PAGE :
			   PLACES_BASE + below(PLACES) * PLACE_PAGES * PAGE;
}

static void random_unmap(uint64_t iova)
{
	uint64_t pages = one_in(4) ? below(4 * PLACE_PAGES) : PLACE_PAGES;
	int64_t size;

	if (one_in(32))
		size = did(dma_unmap_all(a_container()));
	else
		size = did(dma_unmap(a_container(), iova, pages * PAGE));
	if (size > 0)
		atomic_fetch_add(&shared->unmaps, 1);
}

static void random_map(void)
{
	unsigned int pages = 1 + (one_in(6) ? below(600) : below(12));
	uint8_t *from = arena + below(ARENA_PAGES - pages) * PAGE;
	void *window = atomic_load(&windows[below(WINDOWS)]);
	uint64_t iova = an_iova();
	long ret;

	/* Not the first page: a transfer that writes there starts another. */
	if (one_in(16) && window)
		from = (uint8_t *)window + (1 + below(16)) * PAGE;
	ret = did(dma_map(a_container(), from, iova, pages * PAGE, 1 + below(3)));
	if (!ret)
		atomic_fetch_add(&shared->maps, 1);
	else if (ret == -EEXIST)
		random_unmap(iova);
}

/* Ascending, but for a few, and with more or less of a gap between them. */
static void make_ranges(struct evfio_iommu_range *ranges, uint32_t nr)
{
	uint64_t iova = an_iova();

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t pages = 1 + (one_in(8) ? below(200) : below(3));
		void *window = atomic_load(&windows[below(WINDOWS)]);

		ranges[i] = (struct evfio_iommu_range){
			.iova = iova,
			.vaddr = (uintptr_t)arena + below(ARENA_PAGES - (uint32_t)pages) * PAGE,
			.size = pages * PAGE,
		};
		if (one_in(16) && window)
			ranges[i].vaddr = (uintptr_t)window + (1 + below(16)) * PAGE;
		iova += (pages + (one_in(2) ? 0 : below(2 * PLACE_PAGES))) * PAGE;
		if (one_in(200))
			iova = an_iova();
	}
}

static void random_ranges(void)
{
	struct evfio_iommu_range ranges[24];
	uint32_t nr = 1 + below(ARRAY_SIZE(ranges));
	int64_t ret;

	make_ranges(ranges, nr);
	if (one_in(2)) {
		ret = did(dma_map_ranges(a_container(), ranges, nr, 1 + below(3)));
		if (!ret)
			atomic_fetch_add(&shared->maps, nr);
		if (ret != -EEXIST)
			return;
	}
	if (did(dma_unmap_ranges(a_container(), ranges, nr)) > 0)
		atomic_fetch_add(&shared->unmaps, 1);
}

/* Buffers have small numbers, of which some are in use; IOVAs have often been used before. */
static void random_windows(void)
{
	struct evfio_iommu_range ranges[24];
	uint32_t nr = 1 + below(ARRAY_SIZE(ranges)), nr_unmap = one_in(3) ? 0 : below(nr + 1);
	const uint32_t pages = 1 + below(200);
	const int id = (int)below(4);

	switch (below(8)) {
	case 0:
		did(dma_register(a_container(), arena + below(ARENA_PAGES - pages) * PAGE,
				 pages * PAGE, 1 + below(3)));
		break;
	case 1:
		did(dma_unregister(a_container(), id));
		break;
	default:
		make_ranges(ranges, nr_unmap);
		make_ranges(ranges + nr_unmap, nr - nr_unmap);
		for (uint32_t i = nr_unmap; i < nr; i++)
			ranges[i].vaddr = below(200) * PAGE;
		if (!did(dma_move(a_container(), id, below(2), ranges, nr_unmap, ranges + nr_unmap,
				  nr - nr_unmap)))
			atomic_fetch_add(&shared->maps, nr - nr_unmap);
	}
}

/* Bitmaps, some of them of what another thread changes, and addresses. */
static void random_dirty(void)
{
	const uint64_t iova = an_iova(), pages = 1 + below(one_in(2) ? 12 : 4 * PLACE_PAGES);
	uint64_t words[4 * PLACE_PAGES / 64] = { 0 };
	const struct vfio_bitmap bitmap = {
		PAGE, below(32) * 8 + sizeof(words) - 31 * 8, (void *)words,
	};
	const int c = a_container();

	switch (below(8)) {
	case 0:
		did(dirty_track(c, 1u << below(3)));
		break;
	case 1: case 2: case 3:
		did(dirty_get(c, iova, pages * PAGE, bitmap));
		break;
	case 4:
		did(dma_unmap_dirty(c, iova, pages * PAGE, bitmap));
		break;
	case 5:
		did(dma_drop_vaddr(c, iova, pages * PAGE, 0));
		break;
	case 6:
		did(dma_drop_vaddr(c, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
		break;
	default:
		did(dma_map(c, arena, iova, pages * PAGE, VFIO_DMA_MAP_FLAG_VADDR));
	}
}

/* What is mapped is swapped out, thrown away, made read-only, replaced, or made huge. */
static void random_memory(void)
{
	unsigned int pages = 1 + below(64);
	uint8_t *at = arena + below(ARENA_PAGES - pages) * PAGE;
	static const int advice[] = { MADV_DONTNEED, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE };

	switch (below(4)) {
	case 0:
		mprotect(at, pages * PAGE, one_in(2) ? PROT_READ : PROT_READ | PROT_WRITE);
		break;
	case 1:
		mmap(at, pages * PAGE, PROT_READ | PROT_WRITE,
		     (one_in(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	default:
		madvise(at, pages * PAGE, advice[below(ARRAY_SIZE(advice))]);
	}
}

static void random_irqs(void)
{
	static const uint32_t data[] = { VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL,
					 VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_EVENTFD };
	static const uint32_t action[] = { VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK,
					   VFIO_IRQ_SET_ACTION_TRIGGER };
	uint32_t flags = data[below(4)] | action[below(3)];
	int value = (int)below(2);

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		value = one_in(5) ? -1 : an_eventfd();
	did(irq_set(a_device(), one_in(8), flags, value));
}

static void random_msi(void)
{
	struct evfio_device_msi add = { .argsz = sizeof(add), .count = 1 + below(64) };
	struct evfio_device_msi_message tell = { .argsz = sizeof(tell), .vector = below(4) };

	if (one_in(2))
		did(xioctl(a_device(), EVFIO_DEVICE_MSI, &add));
	else
		did(xioctl(a_device(), EVFIO_DEVICE_MSI_MESSAGE, &tell));
}

/* Where a process's devices had contiguous buffers. */
static atomic_ullong offsets[4];

/*
 * Without an IOMMU: memory held for a device, and contiguous buffers, which are as large as a
 * window, or larger; by small numbers, of which some are in use. dma-bufs take the place of
 * eventfds.
 */
static void random_held(void)
{
	static const uint32_t kinds[] = { 0, 0, EVFIO_CONTIG_WC, EVFIO_CONTIG_CACHED };
	static __thread struct evfio_device_contig told;
	static __thread union held pinned;
	const uint32_t pages = 1 + (one_in(6) ? below(600) : below(12)), id = below(8);
	const uint64_t mask = one_in(8) ? below(2) ? 0xffffffff : 0x40000000 + below(64) * PAGE : 0;
	const uint8_t *from = arena + below(ARENA_PAGES - pages) * PAGE;
	const int fd = a_device();

	switch (below(10)) {
	case 0 ... 2:
		if (one_in(16) && atomic_load(&windows[0]))
			from = atomic_load(&windows[0]);
		if (!did(pin(fd, from, pages * PAGE, mask, &pinned)))
			atomic_fetch_add(&shared->maps, 1);
		break;
	case 3 ... 4:
		if (!did(unpin(fd, id)))
			atomic_fetch_add(&shared->unmaps, 1);
		break;
	case 5:
		did(sync_caches(fd, id, 1 + below(2), below(4 * PAGE), 1 + below(8 * PAGE)));
		break;
	case 6:
		if (did(contig_new(fd, EDU_SIZE + (one_in(4) ? pages * PAGE : 0),
				   one_in(4) ? PAGE << below(10) : 0, kinds[below(4)], mask,
				   &told)))
			break;
		atomic_fetch_add(&shared->maps, 1);
		atomic_store(&offsets[below(4)], told.offset);
		map_window(fd, (off_t)told.offset);
		break;
	case 7:
		map_window(fd, (off_t)atomic_load(&offsets[below(4)]));
		break;
	case 8:
		if (!did(contig_by_id(fd, EVFIO_DEVICE_CONTIG_FREE, id)))
			atomic_fetch_add(&shared->unmaps, 1);
		break;
	default:
		keep(EVENTFDS + below(FDS - EVENTFDS),
		     (int)did(contig_by_id(fd, EVFIO_DEVICE_CONTIG_EXPORT, id)));
		map_window(an_eventfd(), 0);
	}
}

static void random_rw(void)
{
	static const off_t offsets[] = { 0, 4, 0x20, 0x24, 0x1000, EDU_SIZE - 4, 1ll << 40, 2 };
	uint32_t buf[80];
	off_t offset = offsets[below(ARRAY_SIZE(offsets))];

	if (one_in(2))
		did(pread(a_device(), buf, below(80) * 4, offset));
	else if (offset == EDU_REG_LIVE || offset >= 0x1000)
		did(pwrite(a_device(), &offset, 4, offset));
}

static void random_poke(void)
{
	uint8_t junk[256];
	static const unsigned long requests[] = {
		VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO,
		VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_FEATURE, VFIO_GROUP_GET_STATUS,
		VFIO_GROUP_SET_CONTAINER, VFIO_IOMMU_GET_INFO, VFIO_IOMMU_UNMAP_DMA,
		VFIO_CHECK_EXTENSION, VFIO_GROUP_GET_DEVICE_FD, VFIO_IOMMU_MAP_DMA,
		EVFIO_IOMMU_MAP, EVFIO_IOMMU_UNMAP, EVFIO_IOMMU_REGISTER,
		EVFIO_IOMMU_UNREGISTER, EVFIO_IOMMU_MOVE, VFIO_IOMMU_DIRTY_PAGES,
		EVFIO_DEVICE_PIN, EVFIO_DEVICE_UNPIN, EVFIO_DEVICE_SYNC, EVFIO_DEVICE_CONTIG,
		EVFIO_DEVICE_CONTIG_FREE, EVFIO_DEVICE_CONTIG_EXPORT,
	};

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = one_in(2) ? 0 : (uint8_t)rnd();
	memset(junk, 0, 4);
	junk[0] = (uint8_t)(8 + below(60));	/* argsz */
	did(ioctl(atomic_load(&fds[below(FDS)]), requests[below(ARRAY_SIZE(requests))], junk));
}

static void random_fdinfo(void)
{
	char line[256];
	int fd;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", atomic_load(&fds[below(FDS)]));
	fd = open(line, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	did(read(fd, line, sizeof(line)));
	close(fd);
}

/* Calls that put an end to what others work on; so they are rare. */
static void random_end(void)
{
	unsigned int edu = an_edu();

	switch (below(8)) {
	case 0:
		keep(below(4), (int)did(container_open()));
		break;
	case 1:
		did(group_unset(a_group()));
		break;
	case 2:
		did(group_set(a_group(), a_container()));
		break;
	case 3:
		did(container_set_iommu(a_container(), 1 + 2 * below(2)));
		break;
	case 4:
		blank_windows();
		break;
	case 5:
		keep(DEVICES + edu, (int)did(device_fd(a_group(), edus[edu])));
		break;
	default:
		close(atomic_exchange(&fds[below(FDS)], -1));
	}
}

static void random_call(void)
{
	struct vfio_irq_info irq;
	struct pollfd pfd;
	uint64_t count = 1;
	unsigned int edu;

	switch (below(51)) {
	case 0 ... 10:
		if (bare)
			random_held();
		else
			random_map();
		break;
	case 11 ... 16:
		random_unmap(an_iova());
		break;
	case 17 ... 21:
		random_irqs();
		break;
	case 22:
		keep(EVENTFDS + below(FDS - EVENTFDS), eventfd(below(2), EFD_NONBLOCK));
		break;
	case 23:
		did(write(an_eventfd(), &count, 8));
		break;
	case 24:
		did(read(an_eventfd(), &count, 8));
		break;
	case 25 ... 26:
		random_rw();
		break;
	case 27:
		map_window(a_device(), 0);
		break;
	case 28 ... 29:
		touch_window();
		break;
	case 30:
		if (!did(xioctl(a_device(), VFIO_DEVICE_RESET, NULL)))
			atomic_fetch_add(&shared->resets, 1);
		break;
	case 31:
		random_poke();
		break;
	case 32:
		edu = an_edu();
		keep(DEVICES + EDUS + edu, (int)did(device_fd(a_group(), edus[edu])));
		break;
	case 33:
		did(irq_info(a_device(), below(2), &irq));
		did(group_status(a_group()));
		break;
	case 34:
		did(iommu_info(a_container()) ? 0 : -1);
		break;
	case 35:
		random_fdinfo();
		break;
	case 36:
		pfd = (struct pollfd){ .fd = a_device(), .events = POLLIN | POLLPRI };
		did(poll(&pfd, 1, (int)below(2)));
		break;
	case 37:
		if (sends)
			random_msi();
		break;
	case 38:
		if (one_in(8))
			random_end();
		break;
	case 39 ... 41:
		random_ranges();
		break;
	case 42 ... 45:
		random_windows();
		break;
	case 46 ... 48:
		random_dirty();
		break;
	default:
		random_memory();
	}
}

#define KCOV_WORDS	(1u << 14)

/* What this thread's calls run of the modules from now on, NULL if the kernel does not tell. */
static uint64_t *trace_start(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	uint64_t *trace = NULL;

	if (!ioctl(fd, KCOV_INIT_TRACE, (unsigned long)KCOV_WORDS))
		trace = mmap(NULL, KCOV_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (trace == MAP_FAILED || (trace && ioctl(fd, KCOV_ENABLE, (unsigned long)KCOV_TRACE_PC)))
		trace = NULL;
	return trace;	/* the descriptor stays, lest tracing ends */
}

/* A call that came to a new place is worth repeating, on whatever it finds then. */
static void trace_look(uint64_t *trace, uint64_t state)
{
	uint64_t count = __atomic_exchange_n(&trace[0], 0, __ATOMIC_RELAXED);
	bool new = false;

	for (uint64_t i = 1; i <= count && i < KCOV_WORDS; i++) {
		uint64_t hash = trace[i] * 0x9e3779b97f4a7c15 >> 48;

		if (!atomic_exchange(&shared->seen[hash], 1)) {
			atomic_fetch_add(&shared->places, 1);
			new = true;
		}
	}
	if (new)
		atomic_store(&shared->seed[atomic_fetch_add(&shared->seeds, 1) %
					   ARRAY_SIZE(shared->seed)], state);
}

/* One of the states that are worth repeating, sometimes; else the thread's own. */
static uint64_t next_state(void)
{
	uint64_t n = atomic_load(&shared->seeds);

	if (n > ARRAY_SIZE(shared->seed))
		n = ARRAY_SIZE(shared->seed);
	return n && one_in(4) ? atomic_load(&shared->seed[below((unsigned int)n)]) : rng;
}

static void *thread_main(void *arg)
{
	uint64_t *trace, mine, state;
	int fail;

	rng = (uint64_t)(uintptr_t)arg;
	fail = fail_fd();
	trace = trace_start();	/* this must not fail: the kernel would complain */
	if (fails)
		file_write("/proc/thread-self/make-it-fail", "1");
	while (!atomic_load(&shared->stop)) {
		bool inject = fail >= 0 && !sends && one_in(6);

		if (one_in(8))
			stay_afloat();
		/* Another thread may have closed our file, and opened something in its place. */
		if (inject) {
			char n = (char)('1' + below(9));

			inject = pwrite(fail, &n, 1, 0) == 1;
		}
		state = next_state();
		mine = rng;
		rng = state;
		random_call();
		if (trace)
			trace_look(trace, state);
		if (state != mine)
			rng = mine;
		if (inject) {
			(void)!pwrite(fail, "0", 1, 0);
			atomic_fetch_add(&shared->injected, 1);
		}
	}
	return NULL;
}

/*
 * A process: threads over one set of fds. Some have a child that shares the files behind them, and
 * lives on for a moment when the process is killed.
 */
static void process_main(uint64_t seed, unsigned int its_home)
{
	struct itimerval child_life = { .it_value.tv_usec = 1 };
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	pthread_t thread;

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	rng = seed;
	home = its_home;
	for (int i = 0; i < FDS; i++)
		atomic_store(&fds[i], -1);
	arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	fails = one_in(2);
	sends = !fails && one_in(2);
	chain(home);
	if (one_in(2) && !fork()) {
		child_life.it_value.tv_usec += below(300000);
		setitimer(ITIMER_REAL, &child_life, NULL);
		rng = rnd() + 1;
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	for (unsigned int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, thread_main, (void *)(uintptr_t)rnd());
	thread_main((void *)(uintptr_t)rnd());
	_exit(0);
}

static void *hardware_main(void *arg)
{
	rng = (uint64_t)(uintptr_t)arg;
	while (!atomic_load(&shared->stop)) {
		unsigned int edu = below(EDUS);
		struct dev d = { .name = edus[edu], .regs = edu_regs[edu], .size = EDU_SIZE };

		if (!bare && one_in(3)) {
			uint64_t iova = an_iova();

			if (one_in(2))
				edu_store(&d, iova, EDU_BUFFER_MAX);
			else
				edu_load(&d, iova, EDU_BUFFER_MAX);
			atomic_fetch_add(&shared->transfers, 1);
		} else {
			edu_raise(&d, 1u << below(8));
			sleep_ms(below(3));
			edu_ack(&d);
		}
		sleep_ms(1);
	}
	return NULL;
}

static void *admin_main(void *arg)
{
	static const unsigned int graces[] = { 0, 1, 20, 100 };
	int edu, ret;

	rng = (uint64_t)(uintptr_t)arg;
	while (!atomic_load(&shared->stop)) {
		sleep_ms(20 + below(1500));
		edu = (int)below(EDUS);
		if (one_in(4))
			board_grace(graces[below(ARRAY_SIZE(graces))]);
		/*
		 * Nothing is made to fail here: devtmpfs leaves an old node in place when it has no
		 * memory to find its name, and that is then in the next one's way.
		 */
		ret = board_unbind(edus[edu]);
		sleep_ms(below(20));
		if (!ret && one_in(4))
			board_bind(edus[edu], HOST);
		/* Others may hold its set; then it stays as it is for now. */
		board_bind(edus[edu], "vfio-platform");
		atomic_fetch_add(&shared->unbinds, 1);
	}
	return NULL;
}

/* Whether the group's node in /dev is the one that sysfs tells of. */
static bool own_node(const char *name)
{
	char path[64], number[32];
	struct stat node;

	snprintf(path, sizeof(path), "/dev/vfio/%s%d", bare ? "noiommu-" : "", board_group(name));
	if (stat(path, &node))
		tap_bail("%s: %m", path);
	snprintf(number, sizeof(number), "%u:%u", major(node.st_rdev), minor(node.st_rdev));
	snprintf(path, sizeof(path), "/sys/class/vfio/%s%d/dev", bare ? "noiommu-" : "",
		 board_group(name));
	if (!strcmp(file_read(path), number))
		return true;
	printf("WRONG: %s: the node is %s, the group %s\n", name, number, file_read(path));
	return false;
}

/* Two pages for a device: where it finds them; whether it can. */
static bool give_pages(const struct dev *d, const uint8_t *mem, uint64_t *first, uint64_t *second)
{
	*first = IOVA;
	*second = IOVA + PAGE;
	if (!bare)
		return !dma_map(d->container, mem, IOVA, 2 * PAGE, RW);
	if (pin(d->fd, mem, 2 * PAGE, 0, &held))
		return false;
	*first = held.arg.extents[0].address;
	*second = held.arg.nr_extents > 1 ? held.arg.extents[1].address : *first + PAGE;
	return true;
}

/* When all is over each device does what it should: it is open to the next user, and does DMA. */
static int all_well(void)
{
	uint8_t *mem = mem_new(2 * PAGE);
	uint64_t first, second;
	struct dev d;
	int lost = 0;

	for (size_t i = 0; i < EDUS; i++)
		board_take(edus[i]);
	for (size_t i = 0; i < EDUS; i++) {
		lost += !own_node(edus[i]);
		dev_open(&d, edus[i]);
		mem_fill(mem, PAGE, (uint32_t)i);
		memset(mem + PAGE, 0, PAGE);
		if (!give_pages(&d, mem, &first, &second) ||
		    edu_load(&d, first, EDU_BUFFER_MAX) ||
		    edu_store(&d, second, EDU_BUFFER_MAX) ||
		    memcmp(mem, mem + PAGE, EDU_BUFFER_MAX)) {
			printf("WRONG: after the storm %s does no DMA\n", edus[i]);
			lost++;
		}
		dev_close(&d);
	}
	mem_free(mem, 2 * PAGE);
	return lost;
}

/* Some in a hundred allocations, of those who are made to fail. */
static void injection_by_chance(void)
{
	static const char *const settings[][2] = {
		{ "failslab/task-filter", "Y" }, { "failslab/times", "-1" },
		{ "failslab/probability", "2" },
		{ "fail_page_alloc/task-filter", "Y" }, { "fail_page_alloc/times", "-1" },
		{ "fail_page_alloc/probability", "2" },
		{ "fail_usercopy/task-filter", "Y" }, { "fail_usercopy/times", "-1" },
		{ "fail_usercopy/probability", "1" },
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", settings[i][0]);
		if (file_write(path, settings[i][1]))
			tap_bail("%s: this kernel injects no faults by chance", path);
	}
}

static int storm(uint64_t seed, int seconds)
{
	long end = now_ms() + 1000l * seconds;
	pid_t pids[PROCESSES] = { 0 };
	pthread_t hardware, admin;
	long deadline[PROCESSES] = { 0 };
	int status, lost = 0;

	injection_init();
	injection_by_chance();
	if (bare)
		ok_or_bail(file_write(NOIOMMU_PARAMETER, "1"), NOIOMMU_PARAMETER);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	for (size_t i = 0; i < EDUS; i++) {
		board_take(edus[i]);
		edu_regs[i] = mem_physical(0x10000000 + i * 0x100000);
	}
	board_grace(20);
	rng = seed * 0x9e3779b97f4a7c15 + 1;
	pthread_create(&hardware, NULL, hardware_main, (void *)(uintptr_t)rnd());
	pthread_create(&admin, NULL, admin_main, (void *)(uintptr_t)rnd());
	while (now_ms() < end) {
		for (unsigned int i = 0; i < PROCESSES; i++) {
			if (!pids[i]) {
				uint64_t its = rnd();

				pids[i] = fork();
				if (!pids[i])
					process_main(its, i);
				deadline[i] = now_ms() + 50 + below(one_in(4) ? 500 : 8000);
			} else if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				pids[i] = 0;
				atomic_fetch_add(&shared->exits, 1);
			} else if (now_ms() > deadline[i]) {
				kill(pids[i], SIGKILL);
				atomic_fetch_add(&shared->kills, 1);
				deadline[i] = now_ms() + 100000;
			}
		}
		sleep_ms(10);
	}
	atomic_store(&shared->stop, true);
	for (int i = 0; i < PROCESSES; i++) {
		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGKILL);
		for (end = now_ms() + 60000; waitpid(pids[i], &status, WNOHANG) != pids[i];) {
			if (now_ms() > end) {
				printf("WRONG: process %d does not die\n", pids[i]);
				file_write("/proc/sysrq-trigger", "w");
				lost++;
				break;
			}
			sleep_ms(10);
		}
	}
	pthread_join(hardware, NULL);
	pthread_join(admin, NULL);
	board_grace(3000);
	/* Some devices cannot be kept from doing DMA before. */
	for (size_t i = 0; bare && i < EDUS; i++)
		board_unbind(edus[i]);
	/* Their children end a moment later. */
	for (end = now_ms() + 20000; pages_pinned() && now_ms() < end;)
		sleep_ms(50);
	if (pages_pinned()) {
		printf("WRONG: %ld pages stay pinned\n", pages_pinned());
		lost++;
	}
	sleep_ms(2000);
	lost += all_well();
	printf("storm: seed %lu, %d s: %lu calls, %lu of them answered (%lu opened a device, ",
	       seed, seconds, shared->calls, shared->good, shared->opens);
	printf("%lu mapped, %lu unmapped, %lu reset), %lu with failures, ",
	       shared->maps, shared->unmaps, shared->resets, shared->injected);
	printf("%lu kills, %lu exits, %lu unbinds, %lu transfers; %lu places reached\n",
	       shared->kills, shared->exits, shared->unbinds, shared->transfers, shared->places);
	return lost != 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 3 && !strcmp(argv[1], "fail-nth"))
		return fail_all(board_named(argv[2]), argv[3]);
	if (argc == 5 && !strcmp(argv[1], "storm")) {
		bare = board_named(argv[2]) == &boards[NOIOMMU];
		return storm(strtoull(argv[3], NULL, 0), atoi(argv[4]));
	}
	fprintf(stderr, "usage: fuzz storm BOARD SEED SECONDS | fuzz fail-nth BOARD [NAME]\n");
	return 2;
}
