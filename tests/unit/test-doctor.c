// SPDX-License-Identifier: GPL-2.0-only
/* What is found to stand in the way, and what is said to mend it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

#define BASE "sys/firmware/devicetree/base"

static char said[32768];

/* A line for each: "10000000.edu", "- fact", "? note", "! obstacle", "as root: command". */
static void found(void *arg, enum evfio_finding what, const char *text, const char *where)
{
	static const char *const marks[] = { "", "- ", "? ", "! ", ": " };
	const bool remedy = what == EVFIO_REMEDY;
	const size_t len = strlen(said);

	if (strcmp(arg, "arg") || remedy != !!where)
		ok(false, "%s: its argument, and a place for remedies alone", text);
	snprintf(said + len, sizeof(said) - len, "%s%s%s\n", where ? where : "", marks[what], text);
}

static void diagnose(const char *name)
{
	*said = '\0';
	is(evfio_diagnose(name, found, (void *)"arg"), 0, "diagnose %s", name ? name : "all");
}

static void diagnose_board(void)
{
	*said = '\0';
	is(evfio_diagnose_board(found, (void *)"arg"), 0, "diagnose the board");
}

static void says(const char *text)
{
	if (!ok(strstr(said, text), "it says %.*s", (int)strcspn(text, "\n"), text))
		printf("# it said:\n%s", said);
}

static void says_not(const char *text)
{
	if (!ok(!strstr(said, text), "it does not say %.*s", (int)strcspn(text, "\n"), text))
		printf("# it said:\n%s", said);
}

static void cells(const char *path, const char *prop, const char *bytes, size_t len)
{
	char full[256];

	snprintf(full, sizeof(full), BASE "%s/%s", path, prop);
	tree_file(full, bytes, len);
}

#define CELLS(path, prop, bytes) cells(path, prop, bytes, sizeof(bytes) - 1)

/* What libtree.c has not: an IOMMU, suppliers, and devices that use them. */
static void more_tree(void)
{
	CELLS("/smmu@50000", "phandle", "\0\0\0\1");
	CELLS("/smmu@50000", "#iommu-cells", "\0\0\0\1");
	CELLS("/smmu@50000", "compatible", "vendor,smmu\0arm,smmu-v3\0");
	CELLS("/smmu@50000", "reg", "\0\0\0\0\0\5\0\0\0\0\0\0\0\0\x10\0");
	CELLS("/pcie@40000000", "reg", "\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\x10\0");
	CELLS("/pcie@40000000", "device_type", "pci\0");
	CELLS("/gic", "phandle", "\0\0\0\2");
	CELLS("/gic", "#interrupt-cells", "\0\0\0\3");
	CELLS("/gic", "interrupt-controller", "");
	CELLS("/clocks", "phandle", "\0\0\0\3");
	CELLS("/clocks", "#clock-cells", "\0\0\0\1");
	CELLS("", "interrupt-parent", "\0\0\0\2");
	CELLS("", "#address-cells", "\0\0\0\2");
	CELLS("", "#size-cells", "\0\0\0\2");
	CELLS("/edu@10000000", "interrupts", "\0\0\0\0\0\0\0\5\0\0\0\4\0\0\0\0\0\0\0\6\0\0\0\4");
	CELLS("/edu@10000000", "clocks", "\0\0\0\3\0\0\0\7\0\0\0\0\0\0\0\3\0\0\0\1");
	CELLS("/edu@10000000", "resets", "\0\0\0\3");
	CELLS("/edu@10000000", "msi-parent", "\0\0\0\2");
	CELLS("/edu@10100000", "interrupts-extended", "\0\0\0\2\0\0\0\0\0\0\0\5\0\0\0\4");
	CELLS("/uart@9000000", "reg", "\0\0\0\0\x09\0\0\0\0\0\0\0\0\0\x10\0");
	CELLS("/soc/off@1", "name", "off\0");
	CELLS("/soc/off@1", "status", "disabled\0");
	CELLS("/soc/off@1/part", "name", "part\0");
	CELLS("/chip/part", "name", "part\0");
	CELLS("/soc", "name", "soc\0");
	tree_text("sys/module/vfio/parameters/removal_grace_ms", "3000\n");
	tree_text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n");
	tree_text("sys/module/vfio/initstate", "live\n");
	tree_text("sys/class/iommu/smmu3.0x50000/name", "");
}

static void facts(void)
{
	diagnose("10000000.edu");
	is_str(said, "10000000.edu\n- IOMMU (group 3)\n- coherent\n- 1 region\n- 2 interrupts\n- MSI\n"
	       "- 3 clocks\n- 1 reset\n- no power domain\n", "a device that is ready");
	diagnose("10100000.edu");
	says("- IOMMU (group 4)\n- not coherent\n- no region\n- 1 interrupt\n- no MSI\n- no clock\n");
	is(evfio_diagnose("20000000.edu", found, NULL), -ENOENT, "no such device");
	message_has("no device 20000000.edu");
	is(evfio_diagnose("/edu@20000000", found, NULL), -ENOENT, "nor such a node");
	is(evfio_diagnose("", found, NULL), -EINVAL, "no name");
}

static void board(void)
{
	const struct rlimit some = { 1 << 20, 2 << 20 }, none = { 100, 100 };
	struct utsname kernel;
	char path[512];

	diagnose_board();
	says("- VFIO is evfio's\n- IOMMU: smmu3.0x50000\n");
	says_not("!");
	tree_remove("sys/module/vfio/parameters/removal_grace_ms");
	diagnose_board();
	says("- VFIO is the kernel's own: ");
	tree_remove("sys/module/vfio/initstate");
	diagnose_board();
	says("own, built in (");
	tree_text("sys/module/vfio/parameters/removal_grace_ms", "3000\n");
	tree_remove("dev/vfio/vfio");
	diagnose_board();
	says("! nothing (devtmpfs, udev, mdev) made ");
	says("/vfio/vfio c 10 196\n");
	tree_text("dev/vfio/vfio", "");

	setrlimit(RLIMIT_MEMLOCK, &some);
	diagnose_board();
	says("may lock 1 MiB of memory for DMA\nin the shell: ulimit -S -l $(ulimit -H -l)\n");
	says("? user ");
	setrlimit(RLIMIT_MEMLOCK, &none);
	diagnose_board();
	says("may lock 100 bytes of memory for DMA\nas root: ulimit -l unlimited\nlimits.conf: @vfio");
	says("! user ");
	tree_text("proc/self/status", "CapEff:\t000001ffffffffff\n");
	diagnose_board();
	says("- memory for DMA: no limit\n");

	tree_remove("sys/module/vfio_iommu_type1/parameters/dma_entry_limit");
	tree_remove("sys/module/vfio_iommu_type1/parameters");
	tree_remove("sys/module/vfio_iommu_type1");
	diagnose_board();
	says("! VFIO has no backend for IOMMUs\nas root: modprobe vfio_iommu_type1\n");
	uname(&kernel);
	snprintf(path, sizeof(path), "modules/%s/modules.dep", kernel.release);
	tree_text(path, "kernel/drivers/vfio/vfio.ko.xz:\nupdates/vfio-pci.ko: kernel/vfio.ko.xz\n");
	diagnose_board();
	says("evfio's sources: make modules && make modules_install\n"
	     "kernel option: CONFIG_VFIO_IOMMU_TYPE1=m\n");
	tree_text("sys/module/vfio_iommu_type1/initstate", "live\n");
}

static void drivers(void)
{
	char here[600], away[600];

	snprintf(here, sizeof(here), "%s/sys/bus/platform/drivers/vfio-platform", tree_dir());
	snprintf(away, sizeof(away), "%s/sys/away", tree_dir());
	ok(!rename(here, away), "vfio-platform is not there");
	diagnose("10100000.edu");
	says("! the driver vfio-platform is not there\nin evfio's sources: make");
	ok(!rename(away, here), "but now");
	diagnose("10100000.edu");
	says("! it has no driver\nas root: evfio bind 10100000.edu\n");
	says_not("vfio-platform is");
	diagnose("10300000.edu");
	says("! the host's driver syscon has it\nas root: evfio bind 10300000.edu\n");
	says_not("owned together");
	diagnose("10200000.edu");
	says("! it must be owned together with 10300000.edu, which the host's driver syscon has\n"
	     "as root: evfio bind 10300000.edu\n");
	diagnose("0000:00:01.0");
	says("with 0000:00:01.1, which the host's driver nvme has\nas root: evfio bind 0000:00:01.1\n");
	diagnose("0000:00:01.1");
	says("? it is owned together with 0000:00:01.0\n");
	tree_text("sys/class/tty/console/active", "ttyAMA0\n");
	tree_text("sys/devices/platform/10300000.edu/tty/ttyAMA0/dev", "204:64\n");
	tree_link("sys/class/tty/ttyAMA0", "sys/devices/platform/10300000.edu/tty/ttyAMA0");
	diagnose("10300000.edu");
	says("! 10300000.edu is the console, ttyAMA0\n");
	says_not("--force");

	tree_text("sys/module/vfio_platform/parameters/reset_required", "Y\n");
	diagnose("10100000.edu");
	says("! it cannot be reset, and vfio-platform's reset_required is set\n"
	     "as root: echo 0 >/sys/module/vfio_platform/parameters/reset_required\n"
	     "device tree: &{/edu@10100000} { resets = <&RESET-CONTROLLER LINE>; };\n");
	CELLS("/edu@10100000", "resets", "\0\0\0\3");
	diagnose("10100000.edu");
	says_not("reset_required");

	tree_link("sys/devices/platform/10100000.edu/supplier:platform:clk", "sys/devlink");
	tree_text("sys/devlink/status", "dormant\n");
	tree_link("sys/devlink/supplier", "sys/devices/platform/9000000.uart");
	diagnose("10100000.edu");
	says("! it needs 9000000.uart, which has no driver\n"
	     "as root: modprobe \"$(cat /sys/devices/platform/9000000.uart/modalias)\"\n");
	tree_text("sys/devlink/status", "available\n");
	diagnose("10100000.edu");
	says_not("it needs");
}

static void iommus(void)
{
	diagnose("10400000.edu");
	says("- IOMMU\n");
	says_not("no-IOMMU mode");
	diagnose("9000000.uart");
	says("! no IOMMU serves it; in no-IOMMU mode its user can reach all memory\n"
	     "device tree: &{/uart@9000000} { iommus = <&{/smmu@50000} STREAM>; };\n"
	     "as root: echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode\n");
	tree_remove(BASE "/pcie@40000000/iommu-map");
	diagnose("0000:00:02.0");
	says("device tree: &{/pcie@40000000} { iommu-map = <0x0 &{/smmu@50000} 0x0 0x10000>; };\n");

	CELLS("/smmu@50000", "status", "disabled\0");
	diagnose("10400000.edu");
	says("! its IOMMU, /smmu@50000, is switched off; ");
	says("device tree: &{/smmu@50000} { status = \"okay\"; };\nas root: echo 1 >");
	CELLS("/smmu@50000", "status", "okay\0");
	diagnose("10400000.edu");
	says_not("switched off");
	tree_link("sys/bus/platform/devices/50000.smmu", "sys/devices/platform/50000.smmu");
	tree_link("sys/devices/platform/50000.smmu/of_node", BASE "/smmu@50000");
	tree_link("sys/devices/platform/50000.smmu/subsystem", "sys/bus/platform");
	diagnose("10400000.edu");
	says("! its IOMMU, /smmu@50000, has no driver; ");
	says("kernel option: CONFIG_ARM_SMMU_V3=y\n"
	     "as root: modprobe \"$(cat /sys/devices/platform/50000.smmu/modalias)\"\n");

	tree_text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	diagnose("9000000.uart");
	says("? no IOMMU serves it; ");
	says_not("CAP_SYS_RAWIO");
	tree_text("proc/self/status", "CapEff:\t0000000000000000\n");
	diagnose("9000000.uart");
	says("! without an IOMMU it takes CAP_SYS_RAWIO to open it\n"
	     "as root: setcap cap_sys_rawio+ep DRIVER\n");
	tree_text("sys/kernel/iommu_groups/3/name", "vfio-noiommu\n");
	diagnose("10000000.edu");
	says("- no IOMMU (group 3)\n");
	says("? without an IOMMU its user can reach all memory\n! without an IOMMU it takes CAP");
	tree_remove("sys/kernel/iommu_groups/3/name");
}

static void pci(void)
{
	static const char at[] = "sys/devices/platform/40000000.pcie/pci0000:00/0000:00:02.0";
	unsigned char config[256] = { [0x34] = 0x40, [0x3d] = 1,
		[0x40] = 5, 0x50, 0x06, 0,		/* MSI, 8 vectors */
		[0x50] = 0x11, 0, 0x40, 0 };		/* MSI-X, 65 */
	char path[256];

	snprintf(path, sizeof(path), "%s/config", at);
	tree_file(path, (char *)config, 64);
	snprintf(path, sizeof(path), "%s/resource", at);
	tree_text(path, "0x10000000 0x100fffff 0x40200\n0x0 0x0 0x0\n0x11000000 0x11000fff 0x1\n");
	diagnose("0000:00:02.0");
	says("- 2 BARs\n- INTx\n- MSI and MSI-X are for root to see\n- no reset\n");
	snprintf(path, sizeof(path), "%s/config", at);
	tree_file(path, (char *)config, sizeof(config));
	snprintf(path, sizeof(path), "%s/reset_method", at);
	tree_text(path, "flr bus\n");
	diagnose("0000:00:02.0");
	says("- INTx\n- 8 MSI\n- 65 MSI-X\n- reset: flr bus\n");
	config[0x41] = 0x40;	/* a circle */
	snprintf(path, sizeof(path), "%s/config", at);
	tree_file(path, (char *)config, sizeof(config));
	diagnose("0000:00:02.0");
	says("- 8 MSI\n");

	snprintf(path, sizeof(path), "%s/sriov_totalvfs", at);
	tree_text(path, "7\n");
	snprintf(path, sizeof(path), "%s/sriov_numvfs", at);
	tree_text(path, "1\n");
	snprintf(path, sizeof(path), "%s/virtfn0", at);
	tree_link(path, "sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1");
	diagnose("0000:00:02.0");
	says("! its host driver has made virtual functions\n"
	     "as root: echo 0 >/sys/bus/pci/devices/0000:00:02.0/sriov_numvfs\n");
	snprintf(path, sizeof(path), "%s/driver", at);
	tree_link(path, "sys/bus/pci/drivers/vfio-pci");
	diagnose("0000:00:02.0");
	says("? while a virtual function is open, it is opened with their token only\n");
	tree_link("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/physfn", at);
	diagnose("0000:00:01.1");
	says("? it is opened with the token of 0000:00:02.0 only");
	tree_text("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/class", "0x060400\n");
	diagnose("0000:00:01.1");
	says("! VFIO takes no bridges\n");
	diagnose("0000:00:01.0");
	says("as root: echo 0000:00:01.1 >/sys/bus/pci/drivers/nvme/unbind\n");
}

static void nodes(void)
{
	diagnose("/soc/off@1");
	is_str(said, "/soc/off@1\n! /soc/off@1 is switched off\n"
	       "device tree: &{/soc/off@1} { status = \"okay\"; };\n", "a node that is switched off");
	diagnose("/soc/off@1/part");
	says("! /soc/off@1 is switched off\n");
	diagnose("/chip/part");
	is_str(said, "/chip/part\n! no device was made of it\n"
	       "device tree: &{/chip/part} { compatible = \"VENDOR,DEVICE\"; };\n"
	       "device tree: &{/chip} { compatible = \"simple-bus\"; ranges; };\n", "one on no bus");
}

static void everything(void)
{
	diagnose(NULL);
	says("10000000.edu\n- IOMMU");
	says("9000000.uart\n- no IOMMU");
	says("0000:00:01.0\n- IOMMU");
	says_not("40000000.pcie\n");
	says_not("50000.smmu\n");
	says_not("0000:00:01.1\n");
}

static void nodes_in_dev(void)
{
	char path[600], target[600];

	tree_remove("dev/vfio/7");
	tree_text("sys/class/vfio/7/dev", "238:1\n");
	diagnose("9010000.pl031");
	says("! nothing (devtmpfs, udev, mdev) made ");
	says("/vfio/7 c 238 1\n");
	tree_text("proc/123/fd/4", "");
	snprintf(path, sizeof(path), "%s/proc/123/fd/5", tree_dir());
	snprintf(target, sizeof(target), "%s/dev/vfio/3", tree_dir());
	ok(!symlink(target, path), "a process has it open");
	diagnose("10000000.edu");
	says("! it is in use by pid 123 (edu)\nas root: kill 123\n");
	unlink(path);

	/* Root may all. */
	chmod(tree_dir(), 0755);
	chmod(target, 0);
	snprintf(path, sizeof(path), "%s/dev/vfio/vfio", tree_dir());
	chmod(path, 0);
	if (!geteuid())
		ok(!seteuid(1000), "as somebody else");
	diagnose("10000000.edu");
	says("may not read and write ");
	says("as root: chown ");
	says("udev rule: SUBSYSTEM==\"vfio\", KERNEL==\"[0-9]*\", GROUP=\"vfio\", MODE=\"0660\"\n");
	diagnose_board();
	says("as root: chmod 666 ");
	if (!getuid())
		ok(!seteuid(0), "as root again");
}

static void unloaded(void)
{
	char path[600], gone[600];
	struct utsname kernel;

	tree_remove("sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	diagnose("9000000.uart");
	says("kernel option: CONFIG_EVFIO_NOIOMMU=y\n");
	tree_remove("sys/module/vfio/parameters/removal_grace_ms");
	diagnose("9000000.uart");
	says("kernel option: CONFIG_VFIO_NOIOMMU=y\n");
	diagnose("10100000.edu");
	says("as root: modprobe -r vfio-platform && modprobe vfio-platform reset_required=0\n");

	snprintf(path, sizeof(path), "%s/sys/class/vfio", tree_dir());
	snprintf(gone, sizeof(gone), "%s/sys/class/gone", tree_dir());
	ok(!rename(path, gone), "VFIO is unloaded");
	uname(&kernel);
	snprintf(path, sizeof(path), "modules/%s/modules.dep", kernel.release);
	tree_text(path, "kernel/virtio.ko:\n");
	diagnose_board();
	says("! VFIO is not there: this kernel has no module vfio\n"
	     "in evfio's sources: make modules && make modules_install\n"
	     "kernel option: CONFIG_VFIO_IOMMU_TYPE1=m\nkernel option: CONFIG_VFIO_PLATFORM=m\n");
	tree_remove(path);
	diagnose_board();
	says("! VFIO is not loaded\nas root: modprobe -a vfio_iommu_type1 vfio-platform vfio-pci\n");
	diagnose("9000000.uart");
	says("as root: modprobe vfio enable_unsafe_noiommu_mode=1\n");
}

static void firmware(void)
{
	char path[600], gone[600];

	snprintf(path, sizeof(path), "%s/sys/firmware/devicetree", tree_dir());
	snprintf(gone, sizeof(gone), "%s/sys/firmware/gone", tree_dir());
	ok(!rename(path, gone), "a machine without a device tree");
	tree_text("proc/cpuinfo", "processor : 0\nvendor_id : GenuineIntel\n");
	diagnose("0000:00:02.0");
	says("! no IOMMU serves it; in no-IOMMU mode its user can reach all memory\n"
	     "boot option: intel_iommu=on\n");
	tree_text("proc/cmdline", "quiet amd_iommu=off\n");
	diagnose("0000:00:02.0");
	says("boot option: iommu=on\n");
}

int main(void)
{
	tree_new();
	more_tree();
	facts();
	board();
	drivers();
	iommus();
	nodes_in_dev();
	pci();
	nodes();
	everything();
	unloaded();
	firmware();
	tree_free();
	return done();
}
