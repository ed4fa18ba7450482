// SPDX-License-Identifier: GPL-2.0-only
/*
 * noiommu - no-IOMMU mode: devices that no IOMMU serves, for who has CAP_SYS_RAWIO
 *
 * On the boards without an SMMU, and on the one where some devices have one and some do not.
 */
/* vm: iommu=no oracle=yes params="vfio-platform.reset_required=0" timeout=120 */
/* vm: iommu=no board=pci bind=no kvm=yes timeout=120 */
/* vm: overlay="odd" oracle=yes params="vfio-platform.reset_required=0" timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#ifndef __arm__		/* where there is no KVM any more */
#include <linux/kvm.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define PARAMETER	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define TAINT_USER	(1 << 6)
#define BARE		"10409000.bare"	/* tests/vm/odd.dtso */

/* What the board has: a device without an IOMMU, perhaps another, perhaps one with an IOMMU. */
static const char *name, *other, *real, *driver;

static bool on_board(const char *device)
{
	return !access(board_path(device, ""), F_OK);
}

static bool tainted(void)
{
	return atol(file_read("/proc/sys/kernel/tainted")) & TAINT_USER;
}

/* Lines of the kernel's log that name the device and speak of the taint. */
static int messages(const char *device)
{
	static char log[1 << 20];
	int count = 0, n = klogctl(3 /* read all */, log, sizeof(log) - 1);

	log[n < 0 ? 0 : n] = '\0';
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		count += strstr(line, device) && strstr(line, "taint");
	return count;
}

/* As board_bind(), but with the driver's errno. */
static int bind(const char *device)
{
	char path[64];
	int ret = file_write(board_path(device, "driver_override"), driver);

	snprintf(path, sizeof(path), "/sys/bus/%s/drivers/%s/bind",
		 strchr(device, ':') ? "pci" : "platform", driver);
	return ret ? ret : file_write(path, device);
}

static const char *node(const char *device)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", board_group(device));
	return path;
}

static int iommu_groups(void)
{
	int count = 0;

	for (int i = 0; i < 256; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d", i);
		count += !access(path, F_OK);
	}
	return count;
}

static void off(void)
{
	int c = container_open();
	struct stat st;

	is(stat(PARAMETER, &st), 0, "there is a parameter");
	is(st.st_mode & 0777, 0644, "which root may write");
	ok(!strcmp(file_read(PARAMETER), "N"), "it is off");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 0, "no-IOMMU mode is not offered");
	is(bind(name), -EINVAL, "%s is not bound: EINVAL", name);
	is(board_group(name), -ENODEV, "and has no group");
	ok(!tainted(), "nothing is tainted");
	close(c);
}

static void bound(void)
{
	int c = container_open(), groups = iommu_groups();
	char path[64];
	struct stat st;

	is(file_write(PARAMETER, "1"), 0, "the parameter is set");
	ok(*file_read(PARAMETER) == 'Y', "and reads Y");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 1, "no-IOMMU mode is offered");
	is(check_extension(c, VFIO_TYPE1v2_IOMMU), 1, "and type1v2 is as well");
	close(c);

	ok(!tainted(), "still nothing is tainted");
	is(bind(name), 0, "%s is bound", name);
	ok(tainted(), "now the kernel is tainted");
	is(messages(name), 1, "with one message that names the device");
	is(iommu_groups(), groups + 1, "it has an IOMMU group");
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/name", board_group(name));
	ok(!strcmp(file_read(path), "vfio-noiommu"), "the name of which says what it is");
	is(stat(node(name), &st), 0, "and a node");
	ok(S_ISCHR(st.st_mode) && (st.st_mode & 0777) == 0600, "which root may open");
	snprintf(path, sizeof(path), "/dev/vfio/%d", board_group(name));
	ok(access(path, F_OK), "it has no node as for a device with an IOMMU");

	is(board_unbind(name), 0, "unbound");
	is(board_group(name), -ENODEV, "it has no group");
	is(iommu_groups(), groups, "there is none any more");
	if (strcmp(driver, "vfio-pci")) {
		is(board_bind(name, HOST), 0, "a host driver can have it");
		is(board_unbind(name), 0, "and gives it back");
	}
	for (int i = 0; i < 20; i++)
		if (bind(name) || board_unbind(name))
			tap_bail("%s: bound and unbound %d times, no more", name, i);
	is(iommu_groups(), groups, "bound and unbound 20 times: no group stays");
	is(bind(name), 0, "bound again");
	is(messages(name), 22, "each time with a message");
}

static int open_node(void *arg)
{
	return open(arg, O_RDWR) < 0 ? errno : 0;
}

/* Of a process without privileges that was given descriptors. */
struct given {
	int container;
	int group;
	const char *device;
};

static int try_set_container(void *arg)
{
	const struct given *given = arg;

	return -group_set(given->group, given->container);
}

static int try_set_iommu(void *arg)
{
	const struct given *given = arg;

	return -container_set_iommu(given->container, VFIO_NOIOMMU_IOMMU);
}

static int try_device_fd(void *arg)
{
	const struct given *given = arg;
	int fd = device_fd(given->group, given->device);

	return fd < 0 ? -fd : 0;
}

static void privileges(void)
{
	struct given given = { .container = container_open(), .device = name };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s", node(name));
	is(in_child_unprivileged(open_node, path), EACCES, "not root: the node says EACCES");
	chmod(path, 0666);
	is(in_child_unprivileged(open_node, path), EPERM, "whatever its mode is: EPERM");
	given.group = group_open(name);
	ok(given.group >= 0, "root opens it");
	is(group_open(name), -EBUSY, "but not twice");
	is(in_child_unprivileged(open_node, path), EPERM, "not root: EPERM comes first");
	chmod(path, 0600);

	is(in_child_unprivileged(try_set_container, &given), EPERM,
	   "who is given the group's descriptor: SET_CONTAINER: EPERM");
	is(group_set(given.group, given.container), 0, "root: SET_CONTAINER");
	is(in_child_unprivileged(try_device_fd, &given), EINVAL,
	   "without SET_IOMMU, GET_DEVICE_FD: EINVAL");
	is(in_child_unprivileged(try_set_iommu, &given), EPERM, "not root: SET_IOMMU: EPERM");
	is(container_set_iommu(given.container, VFIO_NOIOMMU_IOMMU), 0, "root: SET_IOMMU");
	is(in_child_unprivileged(try_device_fd, &given), EPERM, "not root: GET_DEVICE_FD: EPERM");
	given.device = "nonsense";
	is(in_child_unprivileged(try_device_fd, &given), ENODEV, "another's name: ENODEV");
	fd = device_fd(given.group, name);
	ok(fd >= 0, "root: GET_DEVICE_FD");
	close(fd);
	close(given.group);
	close(given.container);
}

static void empty_ioctls(int c)
{
	static const struct {
		unsigned long number;
		const char *name;
	} calls[] = {
		{ VFIO_IOMMU_MAP_DMA, "MAP_DMA" },
		{ VFIO_IOMMU_UNMAP_DMA, "UNMAP_DMA" },
		{ VFIO_IOMMU_GET_INFO, "GET_INFO" },
		{ VFIO_IOMMU_DIRTY_PAGES, "DIRTY_PAGES" },
		{ _IO(VFIO_TYPE, VFIO_BASE + 99), "no call at all" },
	};
	void *mem = mem_new(1 << 16);

	is(dma_map(c, mem, IOVA, 1 << 16, RW), -ENOTTY, "MAP_DMA: ENOTTY");
	is(dma_unmap(c, IOVA, 1 << 16), -ENOTTY, "UNMAP_DMA: ENOTTY");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		is(xioctl(c, calls[i].number, NULL), -ENOTTY, "%s, argument NULL: ENOTTY",
		   calls[i].name);
	mem_free(mem, 1 << 16);
}

static void container(void)
{
	int c = container_open(), group = group_open(name), second, fd;
	char text[32];

	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "the group is viable");
	is(group_set(group, group), -EBADFD, "a file that is no container");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), -EINVAL, "SET_IOMMU of nothing: EINVAL");
	is(group_set(group, c), 0, "SET_CONTAINER");
	is(group_set(group, c), -EINVAL, "again: EINVAL");
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
	   "the group has a container");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 1, "which offers no-IOMMU mode");
	is(check_extension(c, VFIO_TYPE1_IOMMU), 0, "... not type1");
	is(check_extension(c, VFIO_TYPE1v2_IOMMU), 0, "... nor type1v2");
	is(check_extension(c, VFIO_UNMAP_ALL), 0, "... nor what goes with it");
	is(xioctl(c, VFIO_IOMMU_MAP_DMA, NULL), -EINVAL, "MAP_DMA before SET_IOMMU: EINVAL");
	is(container_set_iommu(c, VFIO_TYPE1_IOMMU), -ENODEV, "SET_IOMMU type1: ENODEV");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), -ENODEV, "... type1v2: ENODEV");
	file_write(PARAMETER, "0");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), -ENODEV,
	   "... no-IOMMU, the parameter off: ENODEV");
	file_write(PARAMETER, "1");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), 0, "... no-IOMMU");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), -EINVAL, "again: EINVAL");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 1, "no-IOMMU mode is still offered");
	is(check_extension(c, VFIO_TYPE1v2_IOMMU), 0, "... type1v2 still not");
	file_write(PARAMETER, "0");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 0, "the parameter off: it is not");
	is(group_open(name), -EBUSY, "but what is bound stays");
	file_write(PARAMETER, "1");
	empty_ioctls(c);
	if (!tap_kernel) {
		snprintf(text, sizeof(text), "noiommu-%d", board_group(name));
		ok(!strcmp(fdinfo_text(c, "iommu"), "noiommu"), "fdinfo: the kind of IOMMU");
		ok(!strcmp(fdinfo_text(c, "groups"), text), "fdinfo: the group");
		is(fdinfo_long(c, "pinned"), 0, "fdinfo: nothing is pinned");
	}

	if (other) {
		is(bind(other), 0, "%s, another such device, is bound", other);
		ok(board_group(other) != board_group(name), "in a group of its own");
		second = group_open(other);
		is(group_set(second, c), 0, "which joins the same container");
		fd = device_fd(second, other);
		ok(fd >= 0, "the device opens");
		close(fd);
		close(second);
		is(board_unbind(other), 0, "%s is unbound", other);
	}
	fd = device_fd(group, name);
	ok(fd >= 0, "%s opens", name);
	is(group_unset(group), -EBUSY, "UNSET_CONTAINER while it is open: EBUSY");
	close(fd);
	is(group_unset(group), 0, "closed: UNSET_CONTAINER");
	is(xioctl(c, VFIO_IOMMU_MAP_DMA, NULL), -EINVAL, "the container has no IOMMU any more");
	is(check_extension(c, VFIO_TYPE1v2_IOMMU), 1, "and offers all kinds");
	close(group);
	close(c);
}

/* Real groups and others do not meet. */
static void mixed(void)
{
	int c = container_open(), group, second;

	board_take(real);
	second = group_open(real);
	group = group_open(name);
	is(group_set(group, c), 0, "a container has a group without an IOMMU");
	is(group_set(second, c), -EPERM, "one with an IOMMU is not let in: EPERM");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), 0, "SET_IOMMU");
	is(group_set(second, c), -EPERM, "nor then");
	is(group_unset(group), 0, "the group leaves");
	is(group_set(second, c), 0, "then the other joins");
	is(group_set(group, c), -EPERM, "and the first is not let in: EPERM");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 0, "no-IOMMU mode is not offered there");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), -ENODEV, "SET_IOMMU no-IOMMU: ENODEV");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), 0, "type1v2 it is");
	is(group_set(group, c), -EPERM, "the first is not let in");
	is(check_extension(c, VFIO_NOIOMMU_IOMMU), 0, "no-IOMMU mode is not offered");
	close(second);
	is(group_set(group, c), 0, "until the container is empty");
	close(group);
	close(c);
}

/* Registers and interrupts are what they always are. */
static void works(void)
{
	int efd = efd_new(0);
	struct dev d;

	if (strcmp(driver, "vfio-pci"))
		dev_open(&d, name);
	else
		pci_open(&d, name);
	dev_write(&d, EDU_REG_LIVE, 0x12345678);
	is(dev_read(&d, EDU_REG_LIVE), (uint32_t)~0x12345678, "%s: its registers are mapped", name);
	is(irq_trigger(d.fd, 0, efd), 0, "its interrupt");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "arrives");
	edu_ack(&d);
	dev_close(&d);
	close(efd);
}

/* The kernel waits for the user, for ever. */
static void revoked(void)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int c = container_open(), group = group_open(name), fd;

	group_set(group, c);
	container_set_iommu(c, VFIO_NOIOMMU_IOMMU);
	fd = device_fd(group, name);
	board_grace(100);
	is(board_unbind(name), 0, "unbound while it is open");
	is(xioctl(fd, VFIO_DEVICE_GET_INFO, &info), -ENODEV, "its descriptor: ENODEV");
	is(group_status(group), -ENODEV, "the group's: ENODEV");
	is(board_group(name), -ENODEV, "it has no group");
	is(bind(name), 0, "it is bound again");
	close(fd);
	close(group);
	group = group_open(name);
	ok(group >= 0, "and opens");
	close(group);
	close(c);
}

/* Where there is no IOMMU, an isolation set is what forms a group. */
static void set(void)
{
	char members[64];
	int c = container_open(), group, a, b;

	is(bind(EDU2), 0, "%s, of a set of two, is bound", EDU2);
	group = group_open(EDU2);
	is(group_status(group), 0, "the other has no driver, but a stream id: not viable");
	close(group);
	is(board_bind(EDU3, HOST), 0, "a host driver takes %s, the other", EDU3);
	group = group_open(EDU2);
	is(group_status(group), 0, "the group is not viable");
	is(group_set(group, c), -EPERM, "SET_CONTAINER: EPERM");
	close(group);
	is(board_unbind(EDU3), 0, "which gives it back");
	is(bind(EDU3), 0, "it is bound to VFIO");
	is(board_group(EDU3), board_group(EDU2), "in the same group");
	snprintf(members, sizeof(members), "/sys/class/vfio/noiommu-%d/members",
		 board_group(EDU2));
	is(file_count(members, "edu"), 2, "which has two members");
	group = group_open(EDU2);
	is(group_status(group), VFIO_GROUP_FLAGS_VIABLE, "and is viable");
	is(group_set(group, c), 0, "SET_CONTAINER");
	is(container_set_iommu(c, VFIO_NOIOMMU_IOMMU), 0, "SET_IOMMU");
	a = device_fd(group, EDU2);
	b = device_fd(group, EDU3);
	ok(a >= 0 && b >= 0, "both devices open");
	close(a);
	is(board_unbind(EDU2), 0, "the first is unbound");
	is(device_fd(group, EDU2), -ENODEV, "and not there any more");
	close(b);
	b = device_fd(group, EDU3);
	ok(b >= 0, "the second is still there");
	is(bind(EDU2), 0, "the first comes back");
	is(board_group(EDU2), board_group(EDU3), "into the group");
	is(board_unbind(EDU2), 0, "and goes");
	close(b);
	close(group);
	close(c);
	is(board_unbind(EDU3), 0, "the second goes as well");
	is(bind(EDU3), 0, "comes back");
	ok(!access(node(EDU3), F_OK), "in a group");
	is(board_unbind(EDU3), 0, "and goes");
}

/* What has no IOMMU cannot be given to a guest. */
static void virtual_machine(void)
{
#ifdef KVM_CREATE_VM
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_VFIO };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), group = group_open(name), vm;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = KVM_DEV_VFIO_GROUP_ADD,
		.addr = (uintptr_t)&group,
	};

	if (kvm < 0) {
		tap_skip("a machine without KVM");
	} else {
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		is(xioctl(vm, KVM_CREATE_DEVICE, &device), 0, "a virtual machine that takes devices");
		is(xioctl((int)device.fd, KVM_SET_DEVICE_ATTR, &attr), tap_kernel ? 0 : -EINVAL,
		   "but not %s: EINVAL", name);
		close((int)device.fd);
		close(vm);
	}
	close(kvm);
	close(group);
#else
	tap_skip("an architecture without KVM");
#endif
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	if (access(PARAMETER, F_OK)) {
		tap_skip("VFIO without no-IOMMU mode");
		return tap_done();
	}
	/* The kernel's own refuses platform devices that have an IOMMU otherwise. */
	if (tap_kernel)
		file_write("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "1");
	if (on_board(PCI_EDU)) {
		name = PCI_EDU;
		other = PCI_MEMORY;
	} else if (on_board(BARE)) {
		name = BARE;
		real = EDU0;
	} else {
		name = EDU0;
		other = EDU1;
	}
	driver = strchr(name, ':') ? "vfio-pci" : "vfio-platform";
	off();
	bound();
	privileges();
	container();
	if (real)
		mixed();
	else
		works();
	virtual_machine();
	if (!tap_kernel)
		revoked();
	if (!tap_kernel && other && !strcmp(driver, "vfio-platform"))
		set();
	return tap_done();
}
