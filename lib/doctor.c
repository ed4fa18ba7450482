// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What stands in the way of drivers in user space, and what mends it.
 *
 * Obstacles are said in the order in which they are to be mended: what a device needs to be bound,
 * then to be bound, then to be opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "internal.h"

/* PCI Code and ID Assignment, 1.6: bridges' base class. */
#define PCI_BASE_CLASS_BRIDGE	0x06

/* Where remedies are for, as <evfio/doctor.h> has it. */
#define ROOT	"as root"
#define SHELL	"in the shell"
#define TREE	"device tree"
#define OPTION	"kernel option"
#define BOOT	"boot option"
#define SOURCES	"in evfio's sources"
#define INSTALL	"make modules && make modules_install"

#define VFIO	"/sys/module/vfio/parameters"
#define NOIOMMU	"enable_unsafe_noiommu_mode"

/* The board, as far as more than one question is about it, and who is told what is found. */
struct doctor {
	struct evfio_sysdev *all;
	struct node *nodes;
	const struct node *iommu;	/* the device tree's first; NULL: none */
	bool loaded;
	bool evfio;			/* VFIO is evfio's, not the kernel's own */
	bool noiommu;			/* devices without an IOMMU are accepted */
	evfio_found *found;
	void *arg;
};

__attribute__((format(printf, 3, 4)))
static void say(const struct doctor *d, enum evfio_finding what, const char *fmt, ...)
{
	char text[PATH_LEN * 2];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	d->found(d->arg, what, text, NULL);
}

/* What mends that which was said last. */
__attribute__((format(printf, 3, 4)))
static void mend(const struct doctor *d, const char *where, const char *fmt, ...)
{
	char text[PATH_LEN * 4];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	d->found(d->arg, EVFIO_REMEDY, text, where);
}

/* "2 regions", "1 region", "no region" */
static void say_count(const struct doctor *d, int count, const char *what)
{
	if (count)
		say(d, EVFIO_FACT, "%d %s%s", count, what, count == 1 ? "" : "s");
	else
		say(d, EVFIO_FACT, "no %s", what);
}

static bool is_on(const char *dir, const char *parameter)
{
	char text[16];

	return sysfs_read(dir, parameter, text, sizeof(text)) > 0 && *text == 'Y';
}

static bool has_vfio(const struct evfio_sysdev *dev)
{
	return dev->driver && strstr(dev->driver, "vfio");
}

static bool is_pci(const struct evfio_sysdev *dev)
{
	return !strcmp(dev->bus, "pci");
}

static bool is_bridge(const struct evfio_sysdev *dev)
{
	return dev->pci_class >> 16 == PCI_BASE_CLASS_BRIDGE;
}

/* The device of a node; NULL if there is none. */
static const struct evfio_sysdev *device_of(const struct doctor *d, const char *path)
{
	const struct evfio_sysdev *dev = d->all;

	while (dev && (!dev->of_path || strcmp(dev->of_path, path)))
		dev = dev->next;
	return dev;
}

/* Modules */

struct module {
	const char *name;
	const char *option;
};

static const struct module modules[] = {
	{ "vfio_iommu_type1", "CONFIG_VFIO_IOMMU_TYPE1" },
	{ "vfio-platform", "CONFIG_VFIO_PLATFORM" },
	{ "vfio-pci", "CONFIG_VFIO_PCI" },
};

/* Whether modprobe will find a module; true if there is no list that would tell. */
static bool is_installed(const char *module)
{
	char path[PATH_LEN + 96], line[4096], name[64];
	struct utsname kernel;
	bool found = false;
	FILE *file;

	uname(&kernel);
	snprintf(path, sizeof(path), "%s/%s/modules.dep", evfio_roots.modules, kernel.release);
	snprintf(name, sizeof(name), "/%s.ko", module);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, name) || !strncmp(line, name + 1, strlen(name) - 1);
	}
	fclose(file);
	return found;
}

/* How to load modules: those of them that there are. */
static void mend_modules(const struct doctor *d, const struct module *first, size_t count)
{
	char names[128] = "";
	size_t i;

	for (i = 0; i < count; i++) {
		if (is_installed(first[i].name))
			strcat(strcat(names, " "), first[i].name);
	}
	if (*names) {
		mend(d, ROOT, "modprobe%s%s", count > 1 ? " -a" : "", names);
		return;
	}
	mend(d, SOURCES, INSTALL);
	for (i = 0; i < count; i++)
		mend(d, OPTION, "%s=m", first[i].option);
}

/* The board */

static void check_vfio(const struct doctor *d)
{
	const bool iommufd = iommufd_is_all();
	char path[PATH_LEN + 16];

	if (!d->loaded) {
		say(d, EVFIO_OBSTACLE, "VFIO is not %s", is_installed("vfio") ?
		    "loaded" : "there: this kernel has no module vfio");
		mend_modules(d, modules, ARRAY_SIZE(modules));
		return;
	}
	if (!iommufd && (d->iommu || !d->nodes) &&
	    !sysfs_exists("/sys/module/vfio_iommu_type1", "")) {
		say(d, EVFIO_OBSTACLE, "VFIO has no backend for IOMMUs");
		mend_modules(d, modules, 1);
	}
	snprintf(path, sizeof(path), "%s/%s", evfio_roots.dev, iommufd ? "iommu" : "vfio/vfio");
	if (access(path, F_OK)) {
		say(d, EVFIO_OBSTACLE, "nothing (devtmpfs, udev, mdev) made %s", path);
		mend(d, ROOT, "mkdir -p %s/vfio && mknod -m 666 %s c 10 196", evfio_roots.dev,
		     path);
	} else if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS)) {
		say(d, EVFIO_OBSTACLE, "user %u may not read and write %s", geteuid(), path);
		mend(d, ROOT, "chmod 666 %s", path);
	}
}

static void say_vfio(const struct doctor *d)
{
	if (d->loaded && d->evfio)
		say(d, EVFIO_FACT, "VFIO is evfio's");
	else if (d->loaded)
		say(d, EVFIO_FACT, "VFIO is the kernel's own%s: no clocks, reset lines or MSI of "
		    "platform devices; unbinding waits for who has the device open",
		    sysfs_exists("/sys/module/vfio", "initstate") ? "" :
		    ", built in (evfio's modules cannot replace it)");
	if (d->noiommu)
		say(d, EVFIO_FACT, "no-IOMMU mode is on");
}

static void say_iommus(const struct doctor *d)
{
	char path[PATH_LEN], names[512] = "";
	struct dirent *entry;
	DIR *dir = NULL;

	if (!sysfs_path(path, sizeof(path), "/sys/class/iommu", ""))
		dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		const size_t len = strlen(names);

		if (*entry->d_name != '.')
			snprintf(names + len, sizeof(names) - len, " %s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	say(d, EVFIO_FACT, "IOMMU:%s", *names ? names : " none at work");
}

static void check_memlock(const struct doctor *d)
{
	const long page = sysconf(_SC_PAGESIZE);
	struct rlimit limit;
	char size[32];

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    has_capability(CAP_IPC_LOCK)) {
		say(d, EVFIO_FACT, "memory for DMA: no limit");
		return;
	}
	say(d, limit.rlim_cur < (rlim_t)page ? EVFIO_OBSTACLE : EVFIO_NOTE,
	    "user %u may lock %s of memory for DMA", geteuid(),
	    format_size(size, sizeof(size), limit.rlim_cur));
	if (limit.rlim_max > limit.rlim_cur) {
		mend(d, SHELL, "ulimit -S -l $(ulimit -H -l)");
	} else {
		/* In the shell, or its parent, that becomes the user. */
		mend(d, ROOT, "ulimit -l unlimited");
		mend(d, "limits.conf", "@vfio - memlock unlimited");
	}
}

static void diagnose_board(const struct doctor *d)
{
	say_vfio(d);
	say_iommus(d);
	check_vfio(d);
	check_memlock(d);
}

/* What a device has */

static void say_pci(const struct doctor *d, const struct evfio_sysdev *dev)
{
	unsigned char config[256] = { 0 }, at;
	char path[PATH_LEN], text[128];
	int steps, bars = 0;
	size_t len = 0;
	FILE *file = NULL;

	if (!sysfs_path(path, sizeof(path), dev->syspath, "resource"))
		file = fopen(path, "re");
	for (steps = 0; steps < PCI_STD_NUM_BARS; steps++)
		bars += file && fgets(text, sizeof(text), file) && strtoull(text, NULL, 16);
	if (file)
		fclose(file);
	say_count(d, bars, "BAR");
	file = sysfs_path(path, sizeof(path), dev->syspath, "config") ? NULL : fopen(path, "re");
	if (file) {
		setbuf(file, NULL);	/* no more than that is read of the device */
		len = fread(config, 1, sizeof(config), file);
		fclose(file);
	}
	say(d, EVFIO_FACT, "%s", config[PCI_INTERRUPT_PIN] ? "INTx" : "no INTx");
	/* Capabilities are root's to read. */
	if (len < sizeof(config))
		say(d, EVFIO_FACT, "MSI and MSI-X are for root to see");
	at = config[PCI_CAPABILITY_LIST] & 0xfc;
	for (steps = 0; at >= PCI_STD_HEADER_SIZEOF && steps < 48; steps++) {
		const int control = config[at + PCI_MSI_FLAGS] |
				    config[at + PCI_MSI_FLAGS + 1] << 8;

		if (config[at] == PCI_CAP_ID_MSI)
			say(d, EVFIO_FACT, "%d MSI", 1 << (control & PCI_MSI_FLAGS_QMASK) / 2);
		if (config[at] == PCI_CAP_ID_MSIX)
			say(d, EVFIO_FACT, "%d MSI-X", (control & PCI_MSIX_FLAGS_QSIZE) + 1);
		at = config[at + PCI_CAP_LIST_NEXT] & 0xfc;
	}
	if (sysfs_read(dev->syspath, "reset_method", text, sizeof(text)) > 0)
		say(d, EVFIO_FACT, "reset: %s", text);
	else
		say(d, EVFIO_FACT, sysfs_exists(dev->syspath, "reset") ? "reset" : "no reset");
}

static void say_node(const struct doctor *d, const struct evfio_sysdev *dev)
{
	const char *path = dev->of_path;

	say_count(d, node_regions(path), "region");
	say_count(d, nodes_interrupts(d->nodes, path), "interrupt");
	say(d, EVFIO_FACT, node_has(path, "msi-parent") && (d->evfio || !d->loaded) ?
	    "MSI" : "no MSI");
	say_count(d, nodes_count(d->nodes, path, "clocks", "#clock-cells"), "clock");
	say_count(d, nodes_count(d->nodes, path, "resets", "#reset-cells"), "reset");
	say_count(d, nodes_count(d->nodes, path, "power-domains", "#power-domain-cells"),
		  "power domain");
}

/* Whether its group is one that VFIO made, in no-IOMMU mode. */
static bool in_noiommu(const struct evfio_sysdev *dev)
{
	char dir[64], name[32];

	snprintf(dir, sizeof(dir), "/sys/kernel/iommu_groups/%d", dev->group);
	return dev->group >= 0 && sysfs_read(dir, "name", name, sizeof(name)) > 0 &&
	       !strcmp(name, "vfio-noiommu");
}

static void say_facts(const struct doctor *d, const struct evfio_sysdev *dev)
{
	if (in_noiommu(dev))
		say(d, EVFIO_FACT, "no IOMMU (group %d)", dev->group);
	else if (dev->group >= 0)
		say(d, EVFIO_FACT, "IOMMU (group %d)", dev->group);
	else
		say(d, EVFIO_FACT, dev->has_iommu ? "IOMMU" : "no IOMMU");
	if (dev->coherent >= 0)
		say(d, EVFIO_FACT, dev->coherent ? "coherent" : "not coherent");
	if (is_pci(dev))
		say_pci(d, dev);
	else if (dev->of_path)
		say_node(d, dev);
}

/* What stands in its way */

/* Loads the driver of a device, if it is a module. */
static void mend_driver(const struct doctor *d, const char *syspath)
{
	mend(d, ROOT, "modprobe \"$(cat %s/modalias)\"", syspath);
}

/* The kernel option that an IOMMU's driver is behind, by what its "compatible" begins with. */
static void mend_iommu_driver(const struct doctor *d, const struct evfio_sysdev *iommu)
{
	static const char *const drivers[][2] = {
		{ "arm,smmu-v3", "ARM_SMMU_V3" }, { "arm,smmu-v", "ARM_SMMU" },
		{ "arm,mmu-", "ARM_SMMU" }, { "rockchip,", "ROCKCHIP_IOMMU" },
		{ "mediatek,", "MTK_IOMMU" }, { "renesas,ipmmu", "IPMMU_VMSA" },
		{ "allwinner,", "SUN50I_IOMMU" }, { "samsung,", "EXYNOS_IOMMU" },
		{ "qcom,msm-iommu", "QCOM_IOMMU" }, { "apple,", "APPLE_DART" },
		{ "ti,omap", "OMAP_IOMMU" }, { "riscv,iommu", "RISCV_IOMMU" },
	};
	char compatible[128];
	unsigned int i;
	size_t n;

	for (i = 0; evfio_dt_string(iommu->syspath, "compatible", i, compatible,
				    sizeof(compatible)) >= 0; i++) {
		for (n = 0; n < ARRAY_SIZE(drivers); n++) {
			if (strncmp(compatible, drivers[n][0], strlen(drivers[n][0])))
				continue;
			mend(d, OPTION, "CONFIG_%s=y", drivers[n][1]);
			break;
		}
	}
	mend_driver(d, iommu->syspath);
}

/* Whether a file of procfs has a word in its first lines. */
static bool proc_has(const char *name, const char *word)
{
	char path[PATH_LEN + 16], line[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", evfio_roots.proc, name);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, word);
	if (file)
		fclose(file);
	return found;
}

/* What brings an IOMMU to a device; node: its own in the device tree, or its host bridge's. */
static void mend_iommus(const struct doctor *d, const struct evfio_sysdev *dev, const char *node)
{
	static const char *const streams[] = { "", " STREAM", " STREAM MASK" };
	uint32_t cells;

	if (!d->nodes && proc_has("cmdline", "iommu=off"))
		mend(d, BOOT, "iommu=on");
	else if (!d->nodes && proc_has("cpuinfo", "GenuineIntel"))
		mend(d, BOOT, "intel_iommu=on");
	if (!d->iommu || !(is_pci(dev) ? *node : !!dev->of_path))
		return;
	if (is_pci(dev)) {
		mend(d, TREE, "&{%s} { iommu-map = <0x0 &{%s} 0x0 0x10000>; };", node,
		     d->iommu->path);
		return;
	}
	cells = node_u32(d->iommu->path, "#iommu-cells", 1);
	mend(d, TREE, "&{%s} { iommus = <&{%s}%s>; };", node, d->iommu->path,
	     streams[cells < 2 ? cells : 2]);
}

/* Without an IOMMU there is no-IOMMU mode, if VFIO has it. */
static void mend_noiommu(const struct doctor *d)
{
	if (d->noiommu)
		return;
	if (!d->loaded)
		mend(d, ROOT, "modprobe vfio " NOIOMMU "=1");
	else if (sysfs_exists(VFIO, NOIOMMU))
		mend(d, ROOT, "echo 1 >" VFIO "/" NOIOMMU);
	else
		mend(d, OPTION, d->evfio ? "CONFIG_EVFIO_NOIOMMU=y" : "CONFIG_VFIO_NOIOMMU=y");
}

#define NO_BOUNDS "; in no-IOMMU mode its user can reach all memory"

/* Returns whether one serves it, or will. */
static bool check_iommu(const struct doctor *d, const struct evfio_sysdev *dev)
{
	const enum evfio_finding what = d->noiommu ? EVFIO_NOTE : EVFIO_OBSTACLE;
	const struct evfio_sysdev *driven = NULL;
	const struct node *iommu = NULL;
	char node[PATH_LEN] = "";
	bool off;

	if (dev->group >= 0)
		return !in_noiommu(dev);
	if (node_of_device(dev->syspath, node, sizeof(node)) && dev->has_iommu)
		iommu = node_has(node, "iommus") ? nodes_refer(d->nodes, node, "iommus", 0) :
						   nodes_refer(d->nodes, node, "iommu-map", 1);
	if (iommu)
		driven = device_of(d, iommu->path);
	off = iommu && node_disabled(iommu->path);
	/* Its group comes when its first driver does. */
	if (dev->has_iommu && !off && (!driven || driven->driver))
		return true;
	if (!iommu) {
		say(d, what, "no IOMMU serves it" NO_BOUNDS);
		mend_iommus(d, dev, node);
	} else if (off) {
		say(d, what, "its IOMMU, %s, is switched off" NO_BOUNDS, iommu->path);
		mend(d, TREE, "&{%s} { status = \"okay\"; };", iommu->path);
	} else {
		say(d, what, "its IOMMU, %s, has no driver" NO_BOUNDS, iommu->path);
		mend_iommu_driver(d, driven);
	}
	mend_noiommu(d);
	return false;
}

static void check_noiommu(const struct doctor *d, const struct evfio_sysdev *dev)
{
	if (in_noiommu(dev))
		say(d, EVFIO_NOTE, "without an IOMMU its user can reach all memory");
	else if (!d->noiommu)
		return;
	if (has_capability(CAP_SYS_RAWIO))
		return;
	say(d, EVFIO_OBSTACLE, "without an IOMMU it takes CAP_SYS_RAWIO to open it");
	mend(d, ROOT, "setcap cap_sys_rawio+ep DRIVER");
}

static void check_reset(const struct doctor *d, const struct evfio_sysdev *dev)
{
	static const char parameters[] = "/sys/module/vfio_platform/parameters";
	/* The kernel's own knows modules that reset, but no reset lines. */
	const bool lines = d->evfio && dev->of_path && node_has(dev->of_path, "resets");

	if (is_pci(dev) || lines || !is_on(parameters, "reset_required") ||
	    sysfs_exists(dev->syspath, "firmware_node"))
		return;
	say(d, EVFIO_OBSTACLE, "it cannot be reset, and vfio-platform's reset_required is set");
	if (d->evfio)
		mend(d, ROOT, "echo 0 >%s/reset_required", parameters);
	else
		mend(d, ROOT,
		     "modprobe -r vfio-platform && modprobe vfio-platform reset_required=0");
	if (d->evfio && dev->of_path)
		mend(d, TREE, "&{%s} { resets = <&RESET-CONTROLLER LINE>; };", dev->of_path);
}

/* The kernel itself keeps a device from all drivers while one that it depends on has none. */
static void check_suppliers(const struct doctor *d, const struct evfio_sysdev *dev)
{
	char path[PATH_LEN], link[PATH_LEN], supplier[PATH_LEN], status[32];
	struct dirent *entry;
	DIR *dir = NULL;

	if (!sysfs_path(path, sizeof(path), dev->syspath, ""))
		dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "supplier:", 9) ||
		    sysfs_resolve(dev->syspath, entry->d_name, link, sizeof(link)) ||
		    sysfs_read(link, "status", status, sizeof(status)) < 0 ||
		    strcmp(status, "dormant") ||
		    sysfs_resolve(link, "supplier", supplier, sizeof(supplier)))
			continue;
		say(d, EVFIO_OBSTACLE, "it needs %s, which has no driver",
		    strrchr(supplier, '/') + 1);
		mend_driver(d, supplier);
	}
	if (dir)
		closedir(dir);
}

static void check_vfs(const struct doctor *d, const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *vfs;

	if (evfio_sriov_vfs(dev, &vfs) < 0 || !vfs)
		return;
	if (has_vfio(dev)) {
		say(d, EVFIO_NOTE, "while a virtual function is open, it is opened with their token "
		    "only");
	} else {
		say(d, EVFIO_OBSTACLE, "its host driver has made virtual functions");
		mend(d, ROOT, "echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs", dev->name);
	}
	evfio_sysdev_free(vfs);
}

static void check_pf(const struct doctor *d, const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *pf;
	char path[PATH_LEN];

	if (sysfs_resolve(dev->syspath, "physfn", path, sizeof(path)) ||
	    evfio_sysdev_find(path, &pf))
		return;
	if (has_vfio(pf))
		say(d, EVFIO_NOTE, "it is opened with the token of %s only: ask the user of that",
		    pf->name);
	evfio_sysdev_free(pf);
}

/* Before that nothing can be bound. */
static void check_bus_driver(const struct doctor *d, const struct evfio_sysdev *dev)
{
	const struct module *module = &modules[is_pci(dev) ? 2 : 1];
	char driver[128];

	snprintf(driver, sizeof(driver), "/sys/bus/%s/drivers/%s", dev->bus, dev->vfio_driver);
	if (sysfs_exists(driver, "") || (!d->loaded && is_installed(module->name)))
		return;
	say(d, EVFIO_OBSTACLE, "the driver %s is not %s", dev->vfio_driver,
	    is_installed(module->name) ? "loaded" : "there");
	mend_modules(d, module, 1);
}

static void check_driver(const struct doctor *d, const struct evfio_sysdev *dev)
{
	if (has_vfio(dev))
		return;
	if (dev->driver && evfio_bind_check(dev->syspath)) {
		const char *why = evfio_error(), *command = strstr(why, ": `");

		/* That message ends in how to take it by force, which is no remedy. */
		say(d, EVFIO_OBSTACLE, "%.*s", (int)(command ? command - why : 0), why);
		return;
	}
	if (dev->driver)
		say(d, EVFIO_OBSTACLE, "the host's driver %s has it", dev->driver);
	else
		say(d, EVFIO_OBSTACLE, "it has no driver");
	mend(d, ROOT, "evfio bind %s", dev->name);
}

static void check_mates(const struct doctor *d, const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *members, *mate;

	if (dev->group < 0 || evfio_group_members(dev->group, &members))
		return;
	for (mate = members; mate; mate = mate->next) {
		if (!strcmp(mate->syspath, dev->syspath))
			continue;
		if (!mate->driver || driver_allows_vfio(mate->driver)) {
			say(d, EVFIO_NOTE, "it is owned together with %s", mate->name);
			continue;
		}
		say(d, EVFIO_OBSTACLE, "it must be owned together with %s, which the host's driver "
		    "%s has", mate->name, mate->driver);
		if (is_bridge(mate))
			mend(d, ROOT, "echo %s >/sys/bus/pci/drivers/%s/unbind", mate->name,
			     mate->driver);
		else
			mend(d, ROOT, "evfio bind %s", mate->name);
	}
	evfio_sysdev_free(members);
}

static void check_node(const struct doctor *d, const struct evfio_sysdev *dev)
{
	char path[PATH_LEN + 64], class[320], number[32], holders[256];
	const bool iommufd = iommufd_is_all();
	bool noiommu;

	if (dev->group < 0 || !has_vfio(dev))
		return;
	noiommu = device_node(dev, path, sizeof(path));
	if (iommufd)
		snprintf(class, sizeof(class), "/sys/class/vfio-dev%s", strrchr(path, '/'));
	else
		snprintf(class, sizeof(class), "/sys/class/vfio/%s%d",
			 in_noiommu(dev) ? "noiommu-" : "", dev->group);
	if (access(path, F_OK)) {
		if (sysfs_read(class, "dev", number, sizeof(number)) < 0)
			return;
		number[strcspn(number, ":")] = ' ';
		snprintf(path, sizeof(path), "%s/vfio%s%s", evfio_roots.dev,
			 iommufd ? "/devices" : "", strrchr(class, '/'));
		say(d, EVFIO_OBSTACLE, "nothing (devtmpfs, udev, mdev) made %s", path);
		mend(d, ROOT, "mknod -m 600 %s c %s", path, number);
		return;
	}
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS)) {
		say(d, EVFIO_OBSTACLE, "user %u may not read and write %s", geteuid(), path);
		mend(d, ROOT, "chown %u %s", geteuid(), path);
		if (!noiommu)
			mend(d, "udev rule", "SUBSYSTEM==\"%s\", KERNEL==\"%s[0-9]*\", "
			     "GROUP=\"vfio\", MODE=\"0660\"", iommufd ? "vfio-dev" : "vfio",
			     iommufd ? "vfio" : "");
	}
	file_holders(path, holders, sizeof(holders));
	if (*holders) {
		say(d, EVFIO_OBSTACLE, "it is in use by %s", holders);
		mend(d, ROOT, "kill %d", atoi(holders + strlen("pid ")));
	}
}

static void diagnose_device(const struct doctor *d, const struct evfio_sysdev *dev)
{
	say(d, EVFIO_DEVICE, "%s", dev->name);
	say_facts(d, dev);
	if (is_bridge(dev)) {
		say(d, EVFIO_OBSTACLE, "VFIO takes no bridges");
		return;
	}
	if (!check_iommu(d, dev))
		check_noiommu(d, dev);
	if (!has_vfio(dev)) {
		check_bus_driver(d, dev);
		check_reset(d, dev);
		check_suppliers(d, dev);
	}
	check_vfs(d, dev);
	check_driver(d, dev);
	check_mates(d, dev);
	check_node(d, dev);
	check_pf(d, dev);
}

/* A node that is no device. */
static void diagnose_node(const struct doctor *d, const char *path)
{
	char up[PATH_LEN];

	say(d, EVFIO_DEVICE, "%s", path);
	strcpy(up, path);
	do {
		if (!node_disabled(up))
			continue;
		say(d, EVFIO_OBSTACLE, "%s is switched off", up);
		mend(d, TREE, "&{%s} { status = \"okay\"; };", up);
		return;
	} while (node_up(up));
	say(d, EVFIO_OBSTACLE, "no device was made of it");
	if (!node_has(path, "compatible"))
		mend(d, TREE, "&{%s} { compatible = \"VENDOR,DEVICE\"; };", path);
	strcpy(up, path);
	if (node_up(up) && *up && !device_of(d, up))
		mend(d, TREE, "&{%s} { compatible = \"simple-bus\"; ranges; };", up);
}

static bool is_candidate(const struct evfio_sysdev *dev)
{
	char type[16];

	if (is_pci(dev))
		return !is_bridge(dev);
	if (dev->has_iommu || !dev->of_path)
		return dev->has_iommu;
	return node_has(dev->of_path, "reg") && !node_has(dev->of_path, "interrupt-controller") &&
	       !node_has(dev->of_path, "#iommu-cells") &&
	       (evfio_dt_string(dev->syspath, "device_type", 0, type, sizeof(type)) < 0 ||
		strcmp(type, "pci"));
}

static int begin(struct doctor *d, evfio_found *found, void *arg)
{
	*d = (struct doctor) {
		.found = found,
		.arg = arg,
		.nodes = nodes_load(),
		.loaded = sysfs_exists("/sys/class/vfio", ""),
		.evfio = sysfs_exists(VFIO, "removal_grace_ms"),
		.noiommu = is_on(VFIO, NOIOMMU),
	};
	d->iommu = d->nodes;
	while (d->iommu && !node_has(d->iommu->path, "#iommu-cells"))
		d->iommu = d->iommu->next;
	return sysdev_list_all(&d->all);
}

static int end(struct doctor *d, int err)
{
	evfio_sysdev_free(d->all);
	nodes_free(d->nodes);
	return err;
}

int evfio_diagnose_board(evfio_found *found, void *arg)
{
	struct doctor d;
	int err = begin(&d, found, arg);

	if (!err)
		diagnose_board(&d);
	return end(&d, err);
}

static int diagnose_named(const struct doctor *d, const char *name)
{
	struct evfio_sysdev *dev;
	int err = evfio_sysdev_find(name, &dev);

	if (!err) {
		diagnose_device(d, dev);
		evfio_sysdev_free(dev);
	} else if (err == -ENOENT && *name == '/' && node_has(name, "name")) {
		diagnose_node(d, name);
		err = 0;
	}
	return err;
}

int evfio_diagnose(const char *name, evfio_found *found, void *arg)
{
	const struct evfio_sysdev *dev;
	struct doctor d;
	int err = begin(&d, found, arg);

	if (!err && name)
		err = diagnose_named(&d, name);
	for (dev = d.all; !err && !name && dev; dev = dev->next) {
		if (is_candidate(dev))
			diagnose_device(&d, dev);
	}
	return end(&d, err);
}
