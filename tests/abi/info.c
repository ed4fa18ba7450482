// SPDX-License-Identifier: GPL-2.0-only
/*
 * info - what the files under /dev/vfio and the devices behind them say of themselves
 */
/* vm: timeout=120 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

/* ARM PrimeCell PL031 (ARM DDI 0224), registers that an alarm needs. */
#define RTC_DR		0x00
#define RTC_MR		0x04
#define RTC_IMSC	0x10
#define RTC_RIS		0x14
#define RTC_ICR		0x1c

#define TYPE1_PARAMETER "/sys/module/vfio_iommu_type1/parameters/"

static void modules(void)
{
	ok(!access("/sys/module/vfio", F_OK), "/sys/module/vfio is there");
	ok(!access("/sys/module/vfio_platform", F_OK), "/sys/module/vfio_platform is there");
	is(atoi(file_read(TYPE1_PARAMETER "dma_entry_limit")), 65535,
	   "dma_entry_limit is 65535 by default");
	ok(!strcmp(file_read(TYPE1_PARAMETER "disable_hugepages"), "N"),
	   "disable_hugepages is N by default");
	ok(!strcmp(file_read(TYPE1_PARAMETER "allow_unsafe_interrupts"), tap_kernel ? "Y" : "N"),
	   "allow_unsafe_interrupts is N: platform devices need it not");
	if (tap_kernel)
		return;
	ok(!strcmp(file_read("/sys/module/vfio_platform/parameters/reset_required"), "N"),
	   "reset_required is N by default");
	ok(!strcmp(file_read("/sys/module/vfio_platform/parameters/mmap_only"), "N"),
	   "mmap_only is N by default");
	is(atoi(file_read("/sys/module/vfio/parameters/removal_grace_ms")), 3000,
	   "removal_grace_ms is 3000 by default");
}

static void empty_container(void)
{
	struct stat st;
	int fd = container_open();
	int other = container_open();

	ok(fd >= 0 && other >= 0, "/dev/vfio/vfio opens, twice");
	is(stat("/dev/vfio/vfio", &st), 0, "/dev/vfio/vfio can be looked at");
	ok(S_ISCHR(st.st_mode) && major(st.st_rdev) == 10 && minor(st.st_rdev) == 196,
	   "it is character device 10:196");
	is(st.st_mode & 07777, 0666, "everybody may open it");
	is(xioctl(fd, VFIO_GET_API_VERSION, NULL), VFIO_API_VERSION, "the API version is 0");
	is(check_extension(fd, VFIO_TYPE1_IOMMU), 1, "an empty container offers type1");
	is(check_extension(fd, VFIO_TYPE1v2_IOMMU), 1, "... and type1v2");
	is(check_extension(fd, VFIO_UNMAP_ALL), 1, "... and unmapping of everything");
	is(check_extension(fd, VFIO_NOIOMMU_IOMMU), 0, "... no no-IOMMU mode");
	is(check_extension(fd, VFIO_SPAPR_TCE_IOMMU), 0, "... no sPAPR");
	is(check_extension(fd, VFIO_SPAPR_TCE_v2_IOMMU), 0, "... no sPAPR v2");
	is(check_extension(fd, VFIO_DMA_CC_IOMMU), 0, "... no enforced coherency");
	is(check_extension(fd, VFIO_UPDATE_VADDR), 0, "... no updating of addresses");
	is(check_extension(fd, 0), 0, "extension 0 is unknown");
	is(check_extension(fd, 12345), 0, "extension 12345 is unknown");
	is(check_extension(fd, ~0ul), 0, "extension ~0 is unknown");
	if (!tap_kernel) {
		ok(!strcmp(fdinfo_text(fd, "iommu"), "none"),
		   "fdinfo: an empty container has no IOMMU");
		is(fdinfo_long(fd, "mappings"), 0, "fdinfo: ... and no mapping");
	}
	close(other);
	close(fd);
}

static void group(void)
{
	char path[64];
	struct stat st;
	int container, fd;

	board_take(EDU0);
	snprintf(path, sizeof(path), "/dev/vfio/%d", board_group(EDU0));
	is(stat(path, &st), 0, "binding makes /dev/vfio/N");
	ok(S_ISCHR(st.st_mode), "/dev/vfio/N is a character device");
	is(st.st_mode & 07777, 0600, "only root may open it");
	ok(!strcmp(board_driver(EDU0), "vfio-platform"), "the driver link says vfio-platform");

	container = container_open();
	fd = group_open(EDU0);
	ok(fd >= 0, "the group opens");
	is(group_status(fd), VFIO_GROUP_FLAGS_VIABLE, "alone it is viable");
	is(group_set(fd, container), 0, "SET_CONTAINER");
	is(group_status(fd), VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
	   "then it is viable and has a container");
	is(check_extension(container, VFIO_TYPE1v2_IOMMU), 1,
	   "type1v2 is offered before SET_IOMMU");
	is(container_set_iommu(container, VFIO_TYPE1v2_IOMMU), 0, "SET_IOMMU type1v2");
	is(check_extension(container, VFIO_TYPE1v2_IOMMU), 1, "type1v2 is offered after it");
	is(check_extension(container, VFIO_TYPE1_IOMMU), 1, "... and type1");
	is(check_extension(container, VFIO_UNMAP_ALL), 1, "... and unmapping of everything");
	is(check_extension(container, VFIO_NOIOMMU_IOMMU), 0, "... no no-IOMMU mode");
	is(check_extension(container, VFIO_DMA_CC_IOMMU), 0,
	   "SMMUv3 cannot enforce coherency");
	if (!tap_kernel) {
		ok(!strcmp(fdinfo_text(container, "iommu"), "type1v2"), "fdinfo: iommu type1v2");
		is(fdinfo_long(container, "groups"), board_group(EDU0), "fdinfo: the group");
		is(fdinfo_long(fd, "group"), board_group(EDU0), "group fdinfo: its number");
		ok(!strcmp(fdinfo_text(fd, "viable"), "yes"), "group fdinfo: viable");
		ok(!strcmp(fdinfo_text(fd, "container"), "yes"), "group fdinfo: has a container");
		is(fdinfo_long(fd, "devices-open"), 0, "group fdinfo: no device is open");
	}
	is(group_unset(fd), 0, "UNSET_CONTAINER");
	is(group_status(fd), VFIO_GROUP_FLAGS_VIABLE, "then it is without a container again");
	close(fd);
	close(container);
}

/* A raw GET_INFO, so that what lies behind the part that was asked for can be looked at. */
static void device(const char *name, uint32_t flags)
{
	struct {
		struct vfio_device_info info;
		uint32_t guard;
	} in = { .info.argsz = offsetof(struct vfio_device_info, num_irqs) + 4,
		 .info.cap_offset = 0x5a5a5a5a, .guard = 0x5a5a5a5a };
	struct dev d;

	dev_open(&d, name);
	is(xioctl(d.fd, VFIO_DEVICE_GET_INFO, &in), 0, "%s: GET_INFO", name);
	is(in.info.flags, flags, "%s: flags", name);
	is(in.info.num_regions, 1, "%s: one region", name);
	is(in.info.num_irqs, 1, "%s: one interrupt", name);
	ok(in.info.cap_offset == 0x5a5a5a5a && in.guard == 0x5a5a5a5a,
	   "%s: nothing is written behind argsz", name);
	dev_close(&d);
}

static void region(const char *name, uint64_t size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 0, .flags = ~0u };
	const bool mappable = size % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
	const uint32_t flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			       (mappable ? VFIO_REGION_INFO_FLAG_MMAP : 0);
	struct dev d;

	dev_open(&d, name);
	is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0, "%s: GET_REGION_INFO", name);
	is(info.index, 0, "%s: index 0", name);
	is(info.flags, flags, "%s: to be read, written and, if it fills pages, mapped", name);
	is(info.size, size, "%s: size", name);
	is(info.offset, 0, "%s: offset is index << 40", name);
	is(info.argsz, sizeof(info), "%s: argsz stays", name);
	info.index = 1;
	is(xioctl(d.fd, VFIO_DEVICE_GET_REGION_INFO, &info), -EINVAL, "%s: no second region", name);
	dev_close(&d);
}

static void interrupt(const char *name, uint32_t flags)
{
	struct vfio_irq_info info;
	struct dev d;

	dev_open(&d, name);
	is(irq_info(d.fd, 0, &info), 0, "%s: GET_IRQ_INFO", name);
	is(info.flags, flags, "%s: interrupt flags", name);
	is(info.count, 1, "%s: one line", name);
	is(irq_info(d.fd, 1, &info), -EINVAL, "%s: no second interrupt", name);
	dev_close(&d);
}

static void names(void)
{
	char text[64];
	int fd;
	ssize_t len;

	ok(!strcmp(file_read(board_path(EDU0, "of_node/reg-names")), "regs"),
	   "of_node/reg-names is reached through sysfs");
	ok(!strcmp(file_read(board_path(EDU0, "of_node/interrupt-names")), "done"),
	   "of_node/interrupt-names too");
	ok(!access(board_path(EDU0, "of_node/dma-coherent"), F_OK), "%s is coherent", EDU0);
	ok(access(board_path(EDU3, "of_node/dma-coherent"), F_OK), "%s is not", EDU3);
	fd = open(board_path(EDU0, "of_node/compatible"), O_RDONLY);
	len = read(fd, text, sizeof(text));
	close(fd);
	ok(len == sizeof("qemu,edu") && !memcmp(text, "qemu,edu", sizeof("qemu,edu")),
	   "of_node/compatible is qemu,edu");
}

static void device_fdinfo(void)
{
	const char *path;
	struct dev d;

	if (tap_kernel)
		return;
	dev_open(&d, EDU0);
	path = fdinfo_text(d.fd, "vfio-device-syspath");
	ok(!strncmp(path, "/sys/devices/", 13) && strstr(path, "/" EDU0),
	   "device fdinfo: the path in sysfs");
	ok(!access(path, F_OK), "that path exists");
	is(fdinfo_long(d.group, "devices-open"), 1, "group fdinfo: one device is open");
	dev_close(&d);
}

static uint32_t rtc_read(struct dev *d, off_t offset)
{
	uint32_t value = 0;

	return pread(d->fd, &value, 4, offset) == 4 ? value : 0;
}

static void rtc_write(struct dev *d, off_t offset, uint32_t value)
{
	if (pwrite(d->fd, &value, 4, offset) != 4)
		tap_bail("%s: pwrite: %m", d->name);
}

/* The machine's clock, on the AMBA bus: the same interface, and an alarm that is an interrupt. */
static void amba(void)
{
	const uint32_t level = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			       VFIO_IRQ_INFO_AUTOMASKED;
	struct dev d;
	int efd = efd_new(0);

	device(RTC, VFIO_DEVICE_FLAGS_AMBA);
	region(RTC, 0x1000);
	interrupt(RTC, level);
	ok(!strcmp(board_driver(RTC), "vfio-amba"), "%s: the driver link says vfio-amba", RTC);

	dev_open(&d, RTC);
	rtc_write(&d, RTC_IMSC, 0);
	rtc_write(&d, RTC_ICR, 1);
	is(irq_trigger(d.fd, 0, efd), 0, "%s: an eventfd for the alarm", RTC);
	rtc_write(&d, RTC_MR, rtc_read(&d, RTC_DR) + 1);
	rtc_write(&d, RTC_IMSC, 1);
	is(efd_take(efd, SOON), 1, "%s: the alarm arrives", RTC);
	is(rtc_read(&d, RTC_RIS), 1, "%s: the clock says that it was the alarm", RTC);
	rtc_write(&d, RTC_ICR, 1);
	rtc_write(&d, RTC_IMSC, 0);
	is(irq_unmask(d.fd, 0), 0, "%s: unmask", RTC);
	is(efd_take(efd, QUIET), 0, "%s: no second alarm", RTC);
	dev_close(&d);
	close(efd);
	is(board_unbind(RTC), 0, "%s: unbind", RTC);
}

int main(int argc, char **argv)
{
	const uint32_t level = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			       VFIO_IRQ_INFO_AUTOMASKED;

	tap_start(argc, argv);
	modules();
	empty_container();
	group();
	device(EDU0, VFIO_DEVICE_FLAGS_PLATFORM);
	device(EDU1, VFIO_DEVICE_FLAGS_PLATFORM | (tap_kernel ? 0 : VFIO_DEVICE_FLAGS_RESET));
	region(EDU0, EDU_SIZE);
	region(EDU3, EDU_SIZE);
	interrupt(EDU0, level);
	interrupt(EDU1, VFIO_IRQ_INFO_EVENTFD);
	names();
	device_fdinfo();
	amba();
	return tap_done();
}
