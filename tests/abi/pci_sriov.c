// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_sriov - a physical function, its virtual ones, and the token that opens them: all the rules
 *
 *	apart	each function has an IOMMU group of its own
 *	shared	they are behind a port that cannot keep them apart, and so share one
 */
/*
 * vm: board=pci args=apart
 * vm: board=pci args=shared
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define ENABLE	"/sys/module/vfio_pci/parameters/enable_sriov"

#define A	"11112222-3333-4444-5555-66667777888a"
#define A_UPPER	"11112222-3333-4444-5555-66667777888A"
#define B	"11112222-3333-4444-5555-66667777888b"
#define C	"c1112222-3333-4444-5555-66667777888a"

static const uint8_t token_a[16] = { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
				     0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x8a };
static const uint8_t token_b[16] = { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
				     0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x8b };

static const char *pf = PCI_SRIOV, *vf1 = PCI_VF1, *vf2 = PCI_VF2;
static bool shared;

/* The group that they share, while one of them is open. */
static struct dev common;
static int users;

static int num_vfs(void)
{
	return atoi(file_read(board_path(pf, "sriov_numvfs")));
}

static bool exists(const char *name)
{
	return !access(board_path(name, "config"), F_OK);
}

/* As pci_open_as(). */
static int open_as(struct dev *d, const char *name, const char *options)
{
	if (!shared || !strcmp(name, PCI_EDU))
		return pci_open_as(d, name, options);
	if (!users++) {
		common.container = container_open();
		common.group = group_open(name);
		if (group_set(common.group, common.container) ||
		    container_set_iommu(common.container, VFIO_TYPE1v2_IOMMU))
			tap_bail("%s: no group", name);
	}
	*d = (struct dev){ .name = name, .container = -1, .group = common.group };
	d->fd = pci_fd_as(d->group, name, options);
	return d->fd < 0 ? d->fd : 0;
}

static void close_as(struct dev *d)
{
	if (d->container >= 0) {
		dev_close(d);
		return;
	}
	close(d->fd);
	if (!--users) {
		close(common.group);
		close(common.container);
	}
}

/* How opening ends. */
static int try(const char *name, const char *options)
{
	struct dev d;
	int ret = open_as(&d, name, options);

	close_as(&d);
	return ret;
}

static int set_vfs(int n)
{
	return sriov_set(pf, n);
}

static int set_token(int fd, const uint8_t *token)
{
	return sriov_feature(fd, VFIO_DEVICE_FEATURE_SET, token, 16);
}

static void parameter(void)
{
	is(file_write(ENABLE, "0"), 0, "enable_sriov off");
	is(set_vfs(1), -ENOENT, "no VF can be made");
	is(file_write(ENABLE, "1"), 0, "enable_sriov on");
	is(set_vfs(3), -ERANGE, "more than there are: ERANGE");
	is(set_vfs(1), 0, "one VF");
	is(num_vfs(), 1, "is there");
	is(set_vfs(2), -EBUSY, "their number cannot be changed");
	is(file_write(ENABLE, "0"), 0, "enable_sriov off");
	is(set_vfs(0), -ENOENT, "then they cannot be taken away either");
	is(file_write(ENABLE, "1"), 0, "enable_sriov on");
	is(set_vfs(0), 0, "now they can");
	is(num_vfs(), 0, "there are none");
	ok(!exists(vf1), "none");
}

static void captured(void)
{
	is(set_vfs(2), 0, "two VFs");
	ok(!strcmp(board_driver(vf1), "vfio-pci"), "the first is captured");
	ok(!strcmp(board_driver(vf2), "vfio-pci"), "so is the second");
	ok(!strcmp(file_read(board_path(vf1, "driver_override")), "vfio-pci"), "by driver_override");
	is(set_vfs(0), 0, "they go");
	is(file_write(board_path(pf, "sriov_drivers_autoprobe"), "0"), 0,
	   "sriov_drivers_autoprobe off");
	is(set_vfs(2), 0, "two VFs");
	ok(!strcmp(board_driver(vf1), "vfio-pci"), "are captured all the same");
	is(file_write(board_path(pf, "sriov_drivers_autoprobe"), "1"), 0, "and on again");
}

static void groups(void)
{
	struct dev d;

	is(board_group(vf1) == board_group(pf), shared, "the PF and a VF share a group");
	is(board_group(vf1) == board_group(vf2), shared, "the VFs share a group");
	is(open_as(&d, pf, ""), 0, "the PF is open");
	is(set_vfs(0), 0, "meanwhile the VFs go");
	is(set_vfs(2), 0, "and come back");
	ok(!strcmp(board_driver(vf1), "vfio-pci"), "captured");
	is(cfg_read(&d, PCI_VENDOR_ID, 2), hw_read(pf, PCI_VENDOR_ID, 2), "the PF works on");
	if (shared)
		is(group_open(vf1), -EBUSY, "the VF's group is open: EBUSY");
	is(set_token(d.fd, token_a), 0, "a token");
	close_as(&d);
}

static uint32_t sriov_cap(const struct dev *d)
{
	return cfg_ext_cap(d, PCI_EXT_CAP_ID_SRIOV);
}

/* What a VF's registers do not tell, its PF's do. */
static void identity(void)
{
	struct vfio_irq_info irq;
	struct dev d, v;
	uint64_t size;
	uint32_t bar;

	is(open_as(&d, pf, ""), 0, "the PF");
	is(open_as(&v, vf1, " vf_token=" A), 0, "and a VF");
	is(hw_read(vf1, PCI_VENDOR_ID, 4), 0xffffffff, "the VF has no IDs of its own");
	is(cfg_read(&v, PCI_VENDOR_ID, 2), cfg_read(&d, PCI_VENDOR_ID, 2), "the PF's vendor");
	is(cfg_read(&v, PCI_DEVICE_ID, 2), cfg_read(&d, sriov_cap(&d) + PCI_SRIOV_VF_DID, 2),
	   "the device that the PF tells");
	is(cfg_read(&v, PCI_COMMAND, 2) & MEMORY, MEMORY, "memory is on");
	is(cfg_read(&v, PCI_INTERRUPT_PIN, 1), 0, "no pin");
	is(irq_info(v.fd, VFIO_PCI_INTX_IRQ_INDEX, &irq), 0, "INTx");
	is(irq.count, 0, "there is none");
	is(irq_info(v.fd, VFIO_PCI_MSIX_IRQ_INDEX, &irq), 0, "MSI-X");
	is(irq.count, 1, "there is one");

	hw_bar(vf1, 0, &size);
	is(region_size(&v, VFIO_PCI_BAR0_REGION_INDEX), size, "BAR 0 as the kernel has it");
	is(hw_read(vf1, PCI_BASE_ADDRESS_0, 4), 0, "which no register of the VF says");
	bar = cfg_read(&d, sriov_cap(&d) + PCI_SRIOV_BAR, 4) & 0xf;
	is(cfg_read(&v, PCI_BASE_ADDRESS_0, 4) & 0xf, bar, "BAR 0: flags as the PF tells");
	cfg_write(&v, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	cfg_write(&v, PCI_BASE_ADDRESS_1, 4, 0xffffffff);
	is(cfg_read(&v, PCI_BASE_ADDRESS_0, 4), (uint32_t)(~(size - 1) | bar), "it can be sized");
	is(cfg_read(&v, PCI_BASE_ADDRESS_1, 4), 0xffffffff, "its upper half too");

	is(bar_pread(&v, 0, 0, &bar, 4), 4, "it can be read");
	cfg_command(&v, 0, MEMORY);
	is(cfg_read(&v, PCI_COMMAND, 2) & MEMORY, 0, "memory is switched off");
	is(bar_pread(&v, 0, 0, &bar, 4), 4, "which says nothing: it can be read");
	cfg_command(&v, MEMORY, 0);
	is(pci_reset(&v), 0, "it can be reset");
	cfg_write(&v, cfg_cap(&v, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	is(cfg_read(&v, PCI_VENDOR_ID, 4), cfg_read(&d, PCI_VENDOR_ID, 4), "by its register, too");
	close_as(&v);
	close_as(&d);
}

/* Both VFs exist; nobody has anything open. */
static void tokens(void)
{
	struct dev d, v;

	is(board_unbind(pf), 0, "a PF");
	board_take(pf);
	is(set_vfs(2), 0, "bound anew");
	is(try(vf1, ""), -EACCES, "a VF without a token: EACCES");
	is(try(vf1, " vf_token=" A), -EACCES, "with another than the random one: EACCES");
	is(try(vf1, " vf_token=00000000-0000-0000-0000-000000000000"), -EACCES,
	   "which is not zero: EACCES");
	is(open_as(&d, pf, ""), 0, "the PF");
	is(sriov_feature(d.fd, VFIO_DEVICE_FEATURE_PROBE, "", 0), 0, "has a token");
	is(sriov_feature(d.fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET, "", 0), 0, "to be set");
	is(sriov_feature(d.fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET, "", 0), -EINVAL,
	   "not to be read: EINVAL");
	is(sriov_feature(d.fd, VFIO_DEVICE_FEATURE_GET, token_a, 16), -EINVAL, "reading it: EINVAL");
	is(sriov_feature(d.fd, VFIO_DEVICE_FEATURE_SET, token_a, 15), -EINVAL, "15 bytes: EINVAL");
	is(sriov_feature(d.fd, 0, token_a, 16), -EINVAL, "neither: EINVAL");
	is(set_token(d.fd, token_a), 0, "it is set");
	close_as(&d);

	is(open_as(&v, vf1, " vf_token=" A), 0, "a VF with the token");
	is(sriov_feature(v.fd, VFIO_DEVICE_FEATURE_PROBE, "", 0), -ENOTTY, "has none of its own: ENOTTY");
	is(set_token(v.fd, token_b), -ENOTTY, "that could be set: ENOTTY");
	close_as(&v);
	is(try(vf2, " vf_token=" A), 0, "so does the other");
	is(try(vf1, " vf_token=" A_UPPER), 0, "in capital letters");
	is(try(vf1, "   vf_token=" A "  "), 0, "among spaces");
	is(try(vf1, " vf_token=" B), -EACCES, "the last digit wrong: EACCES");
	is(try(vf1, " vf_token=" C), -EACCES, "the first digit wrong: EACCES");
	is(try(vf1, " vf_token=" A " vf_token=" A), -EINVAL, "twice: EINVAL");
	is(try(vf1, " vf_token=" A "x"), -EINVAL, "too long: EINVAL");
	is(try(vf1, " vf_token=1111"), -EINVAL, "too short: EINVAL");
	is(try(vf1, " vf_token="), -EINVAL, "empty: EINVAL");
	is(try(vf1, " vf_token=11112222-3333-4444-5555-66667777888g"), -EINVAL, "no UUID: EINVAL");
	is(try(vf1, " vf_tokem=" A), -EINVAL, "another option: EINVAL");
	is(try(vf1, " VF_TOKEN=" A), -EINVAL, "in capital letters: EINVAL");
	is(try(vf1, " \tvf_token=" A), -EINVAL, "a tab: EINVAL");
	is(try(vf1, "\tvf_token=" A), -ENODEV, "a tab first: ENODEV");
	is(try(vf1, "vf_token=" A), -ENODEV, "no space: ENODEV");
	is(try(PCI_EDU, " vf_token=" A), -EINVAL, "a device that has no token: EINVAL");
	is(try(PCI_EDU, "  "), 0, "spaces alone are nothing");
}

/* The token is A, both VFs exist. */
static void awake(void)
{
	uint32_t pm;
	struct dev d;

	is(open_as(&d, pf, ""), 0, "the PF is open");
	pm = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	cfg_write(&d, pm, 2, 3);
	is(hw_read(pf, pm, 2) & 3, 0, "it has VFs, and stays in D0");
	is(set_vfs(0), 0, "the VFs go");
	cfg_write(&d, pm, 2, 3);
	is(hw_read(pf, pm, 2) & 3, 3, "now it may go to D3");
	is(set_vfs(2), 0, "the VFs come back");
	is(hw_read(pf, pm, 2) & 3, 0, "for which it is woken");
	close_as(&d);
}

static void again(void)
{
	struct dev d, v;

	is(open_as(&v, vf1, " vf_token=" A), 0, "a VF is open");
	is(try(pf, ""), -EACCES, "the PF without the token: EACCES");
	is(try(pf, " vf_token=" B), -EACCES, "with another: EACCES");
	is(open_as(&d, pf, " vf_token=" A), 0, "with it: open");
	is(pci_fd_as(d.group, pf, ""), -EACCES, "a second descriptor of it needs it as well");
	is(set_token(d.fd, token_b), 0, "it is changed");
	is(cfg_read(&v, PCI_VENDOR_ID, 4), cfg_read(&d, PCI_VENDOR_ID, 4), "the open VF works on");
	is(pci_fd_as(v.group, vf1, " vf_token=" A), -EACCES,
	   "a second descriptor of it needs the new one");
	is(pci_fd_as(v.group, vf1, ""), -EACCES, "or any: EACCES");
	close(pci_fd_as(v.group, vf1, " vf_token=" B));
	is(try(vf2, " vf_token=" A), -EACCES, "so does the other VF");
	is(try(vf2, " vf_token=" B), 0, "which opens with it");
	close_as(&d);
	is(try(pf, " vf_token=" A), -EACCES, "the PF with the old one, while a VF is open: EACCES");
	close_as(&v);

	is(open_as(&d, pf, ""), 0, "with no VF open the PF opens without");
	is(try(vf1, " vf_token=" B), 0, "and has kept its token");
	close_as(&d);
	is(open_as(&d, pf, " vf_token=" A), 0, "with another");
	is(try(vf1, " vf_token=" B), -EACCES, "it has that one from now on");
	is(try(vf1, " vf_token=" A), 0, "that one");
	close_as(&d);
	is(set_vfs(0), 0, "the VFs go");
	is(set_vfs(2), 0, "and come back");
	is(try(vf1, " vf_token=" A), 0, "the token is still the same");
	is(board_unbind(pf), 0, "the PF is unbound");
	ok(!exists(vf1) && !exists(vf2), "and takes its VFs along");
	board_take(pf);
	is(set_vfs(2), 0, "bound again, with VFs again");
	is(try(vf1, " vf_token=" A), -EACCES, "its token is a new one");
}

/* Making VFs takes 100 ms at least. Who closes the PF meanwhile must not undo it. */
static void closed_meanwhile(void)
{
	struct dev d;
	int go[2];
	pid_t pid;

	is(set_vfs(0), 0, "the VFs go");
	if (pipe(go))
		tap_bail("pipe: %m");
	fflush(stdout);
	pid = fork();
	if (!pid)	/* without a descriptor of the PF */
		_exit(read(go[0], go, 1) != 1 || set_vfs(2));
	is(open_as(&d, pf, ""), 0, "the PF is open");
	cfg_write(&d, PCI_CACHE_LINE_SIZE, 1, 4);
	is(hw_read(pf, PCI_CACHE_LINE_SIZE, 1), 4, "its user changes a register");
	is(write(go[1], "", 1), 1, "VFs are being made");
	usleep(50000);
	close_as(&d);
	is(try(pf, ""), -EAGAIN, "closed, it does not open meanwhile");
	is(child_wait(pid), 0, "then they are there");
	is(hw_read(pf, PCI_CACHE_LINE_SIZE, 1), 0, "and it is as it was");
	is(try(pf, ""), 0, "and opens again");
	close(go[0]);
	close(go[1]);
	is(try(vf1, ""), -EACCES, "a VF answers");
}

int main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] != '-') {
		shared = !strcmp(argv[1], "shared");
		argv++;
		argc--;
	}
	tap_start(argc, argv);
	if (shared) {
		pf = PCI_BLIND;
		vf1 = PCI_BLIND_VF1;
		vf2 = PCI_BLIND_VF2;
	}
	sriov_enable(pf);
	parameter();
	captured();
	groups();
	identity();
	tokens();
	awake();
	again();
	closed_meanwhile();
	is(set_vfs(0), 0, "the VFs go");
	is(file_write(ENABLE, "0"), 0, "enable_sriov off");
	return tap_done();
}
