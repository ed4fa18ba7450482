// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_sriov_host - virtual functions and host drivers
 *
 *	nvme	a virtual function goes to the kernel's nvme driver and comes back; then that
 *		driver has the physical one
 *	group	functions that share a group: a host driver keeps it from users, users keep it out
 */
/*
 * vm: board=pci stock="nvme uio_pci_generic" args=nvme
 * vm: board=pci stock="nvme uio_pci_generic" args=group
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "libnvme.h"
#include "libtap.h"

#define ZERO	"00000000-0000-0000-0000-000000000000"
#define HOST_DRIVER	"uio_pci_generic"

/* The disk that a host driver has made of a virtual function, or a negative errno. */
static int disk_open(void)
{
	long end = now_ms() + SOON;
	glob_t found;
	int fd;

	while (glob("/dev/nvme*n1", 0, NULL, &found)) {
		if (now_ms() > end)
			return -ENOENT;
		sleep_ms(10);
	}
	fd = (int)sys(open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC));
	globfree(&found);
	return fd;
}

/* A user has a function, reads a block of the disk, and goes. */
static void reads(struct dev *v, uint64_t block, const char *whose)
{
	struct nvme n;

	is(nvme_start(&n, v, v->container, IOVA), 0, "%s: enabled", whose);
	is(nvme_io_start(&n), 0, "%s: has queues", whose);
	is(nvme_read(&n, block), 0, "%s: reads", whose);
	ok(nvme_tells(n.data, block), "%s: the disk", whose);
	nvme_end(&n);
	dev_close(v);
}

static void given_away(void)
{
	uint64_t words[NVME_BLOCK / 8];
	struct nvme pn;
	struct dev d, v;
	int fd;

	is(sriov_set(PCI_SRIOV, 2), 0, "two VFs");
	is(pci_open_as(&d, PCI_SRIOV, " vf_token=" ZERO), 0, "the PF");
	is(nvme_start(&pn, &d, d.container, IOVA), 0, "enabled");
	is(nvme_virtualize(&pn), 0, "has given each VF what it needs");

	is(file_write(board_path(PCI_VF1, "driver_override"), "\n"), 0, "a VF: override cleared");
	is(board_unbind(PCI_VF1), 0, "unbound");
	is(file_write("/sys/bus/pci/drivers/nvme/bind", PCI_VF1), 0, "and given to nvme");
	fd = disk_open();
	ok(fd >= 0, "which makes a disk of it");
	is(pread(fd, words, sizeof(words), 5 * NVME_BLOCK), sizeof(words), "that can be read");
	ok(nvme_tells(words, 5), "byte for byte");
	is(pci_open_as(&v, PCI_VF2, " vf_token=" ZERO), 0, "the other VF is a user's");
	reads(&v, 6, "the other");
	close(fd);

	is(board_bind(PCI_VF1, "vfio-pci"), 0, "the first comes back");
	is(pci_open_as(&v, PCI_VF1, ""), -EACCES, "and needs the token again");
	dev_close(&v);
	is(pci_open_as(&v, PCI_VF1, " vf_token=" ZERO), 0, "with which it opens");
	reads(&v, 8, "the first");
	nvme_end(&pn);
	dev_close(&d);
	is(sriov_set(PCI_SRIOV, 0), 0, "the VFs go");
}

/* Whether the kernel has said it of a device. */
static bool said(const char *name, const char *what)
{
	static char log[1 << 18];
	int len = klogctl(3, log, sizeof(log) - 1);
	const char *line = log;

	log[len < 0 ? 0 : len] = '\0';
	while ((line = strstr(line, name))) {
		const char *at = strstr(line, what), *end = strchr(line, '\n');

		if (at && (!end || at < end))
			return true;
		line++;
	}
	return false;
}

static void hosted(void)
{
	struct dev v;

	is(board_bind(PCI_SRIOV, "nvme"), 0, "the kernel's nvme has the PF");
	is(file_write(board_path(PCI_SRIOV, "sriov_drivers_autoprobe"), "0"), 0,
	   "leaves its VFs alone");
	is(sriov_set(PCI_SRIOV, 1), 0, "and makes one");
	ok(!*file_read(board_path(PCI_VF1, "driver_override")) ||
	   !strcmp(file_read(board_path(PCI_VF1, "driver_override")), "(null)"),
	   "which is not captured");
	is(board_bind(PCI_VF1, "vfio-pci"), 0, "that one is bound");
	is(pci_open_as(&v, PCI_VF1, " vf_token=" ZERO), -EINVAL, "it has no token: EINVAL");
	dev_close(&v);
	is(pci_open_as(&v, PCI_VF1, ""), 0, "and opens without");
	dev_close(&v);
	is(file_write(board_path(PCI_SRIOV, "driver_override"), "vfio-pci"), 0, "now the PF");
	is(board_unbind(PCI_SRIOV), 0, "is unbound, and leaves its VF behind");
	is(file_write("/sys/bus/pci/drivers/vfio-pci/bind", PCI_SRIOV), -EBUSY, "it is refused");
	if (!tap_kernel)
		ok(said(PCI_SRIOV, "has VFs"), "with a message");
	is(pci_open_as(&v, PCI_VF1, ""), 0, "the VF opens as before");
	dev_close(&v);
	is(board_bind(PCI_SRIOV, "nvme"), 0, "nvme takes it back");
	is(sriov_set(PCI_SRIOV, 0), 0, "and its VF away");
	is(board_bind(PCI_SRIOV, "vfio-pci"), 0, "now it is not refused");
}

static void in_a_group(void)
{
	int c = container_open(), group;

	is(sriov_set(PCI_BLIND, 2), 0, "two VFs");
	is(board_bind(PCI_BLIND_VF2, HOST_DRIVER), 0, "a host driver has one");
	group = group_open(PCI_BLIND);
	is(group_status(group), 0, "their group is not viable");
	is(group_set(group, c), -EPERM, "and joins no container");
	is(board_unbind(PCI_BLIND_VF2), 0, "without it");
	is(group_set(group, c), 0, "it does");
	is(container_set_iommu(c, VFIO_TYPE1v2_IOMMU), 0, "and is owned");
	ok(board_bind(PCI_BLIND_VF2, HOST_DRIVER), "now the host driver is kept out");
	is(sriov_set(PCI_BLIND, 0), 0, "the VFs go");
	is(sriov_set(PCI_BLIND, 1), 0, "a new one comes while the group is owned");
	ok(!strcmp(board_driver(PCI_BLIND_VF1), "vfio-pci"), "captured");
	is(pci_fd_as(group, PCI_BLIND_VF1, ""), -EACCES, "not without its token");
	close(pci_fd_as(group, PCI_BLIND, " vf_token=" ZERO));
	close(pci_fd_as(group, PCI_BLIND_VF1, " vf_token=" ZERO));
	is(sriov_set(PCI_BLIND, 0), 0, "and goes");
	close(group);
	close(c);
}

int main(int argc, char **argv)
{
	bool group = false;

	if (argc > 1 && argv[1][0] != '-') {
		group = !strcmp(argv[1], "group");
		argv++;
		argc--;
	}
	tap_start(argc, argv);
	sriov_enable(group ? PCI_BLIND : PCI_SRIOV);
	if (group) {
		in_a_group();
	} else {
		given_away();
		hosted();
	}
	return tap_done();
}
