// SPDX-License-Identifier: GPL-2.0-only
/* A made-up machine in a temporary directory. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

static char root[512];

static void die(const char *what)
{
	perror(what);
	printf("Bail out! cannot make the test's tree\n");
	exit(99);
}

static const char *full(const char *path)
{
	static char buf[4][2048];
	static unsigned int next;
	char *at = buf[next++ % 4];

	snprintf(at, sizeof(buf[0]), "%s/%s", root, path);
	return at;
}

static void make_parents(const char *path)
{
	char buf[2048], *slash;

	snprintf(buf, sizeof(buf), "%s", full(path));
	for (slash = strchr(buf + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(buf, 0755) && errno != EEXIST)
			die(buf);
		*slash = '/';
	}
}

void tree_file(const char *path, const char *data, size_t len)
{
	FILE *file;

	make_parents(path);
	file = fopen(full(path), "we");
	if (!file || fwrite(data, 1, len, file) != len || fclose(file))
		die(path);
}

void tree_text(const char *path, const char *text)
{
	tree_file(path, text, strlen(text));
}

/* target is a path in the tree as well; the link made is relative, as those of sysfs are. */
void tree_link(const char *path, const char *target)
{
	char relative[2048] = "";
	const char *at;

	for (at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
		strcat(relative, "../");
	strcat(relative, target);
	make_parents(path);
	unlink(full(path));
	if (symlink(relative, full(path)))
		die(path);
}

void tree_remove(const char *path)
{
	if (remove(full(path)))
		die(path);
}

const char *tree_read(const char *path)
{
	static char buf[4096];
	FILE *file = fopen(full(path), "re");
	size_t len;

	if (!file)
		return NULL;
	len = fread(buf, 1, sizeof(buf) - 1, file);
	buf[len] = '\0';
	fclose(file);
	return buf;
}

const char *tree_dir(void)
{
	return root;
}

static void device(const char *bus, const char *name, const char *parent, const char *node,
		   int group, const char *driver)
{
	char path[256], from[1024], to[512];

	snprintf(path, sizeof(path), "sys/devices/%s/%s", parent, name);
	snprintf(from, sizeof(from), "%s/driver_override", path);
	tree_text(from, "(null)\n");
	snprintf(from, sizeof(from), "%s/subsystem", path);
	snprintf(to, sizeof(to), "sys/bus/%s", bus);
	tree_link(from, to);
	snprintf(from, sizeof(from), "sys/bus/%s/devices/%s", bus, name);
	tree_link(from, path);
	if (driver) {
		snprintf(from, sizeof(from), "sys/bus/%s/drivers/%s/unbind", bus, driver);
		tree_text(from, "");
		snprintf(from, sizeof(from), "sys/bus/%s/drivers/%s/bind", bus, driver);
		tree_text(from, "");
		snprintf(to, sizeof(to), "sys/bus/%s/drivers/%s", bus, driver);
		snprintf(from, sizeof(from), "%s/driver", path);
		tree_link(from, to);
	}
	if (group >= 0) {
		snprintf(to, sizeof(to), "sys/kernel/iommu_groups/%d", group);
		snprintf(from, sizeof(from), "%s/devices/%s", to, name);
		tree_link(from, path);
		snprintf(from, sizeof(from), "%s/iommu_group", path);
		tree_link(from, to);
	}
	if (node) {
		snprintf(from, sizeof(from), "%s/of_node", path);
		snprintf(to, sizeof(to), "sys/firmware/devicetree/base%s", node);
		tree_link(from, to);
	}
}

static void prop(const char *node, const char *name, const char *data, size_t len)
{
	char path[256];

	snprintf(path, sizeof(path), "sys/firmware/devicetree/base%s/%s", node, name);
	tree_file(path, data, len);
}

#define PROP(node, name, data) prop(node, name, data, sizeof(data) - 1)

void tree_new(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/evfio-unit-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(root))
		die(root);

	PROP("", "compatible", "linux,dummy-virt\0");
	PROP("/edu@10000000", "compatible", "qemu,edu\0");
	PROP("/edu@10000000", "reg", "\0\0\0\0\x10\0\0\0\0\0\0\0\0\x10\0\0");
	PROP("/edu@10000000", "reg-names", "regs\0aux\0");
	PROP("/edu@10000000", "interrupt-names", "done\0");
	PROP("/edu@10000000", "iommus", "\0\0\0\1\0\0\0\x10");
	PROP("/edu@10000000", "dma-coherent", "");
	PROP("/edu@10000000", "broken", "abc");
	PROP("/edu@10000000", "empty", "");
	PROP("/edu@10000000/port", "label", "left\0");
	PROP("/edu@10100000", "iommus", "\0\0\0\1\0\0\0\x18");
	PROP("/edu@10200000", "iommus", "\0\0\0\1\0\0\0\x20");
	PROP("/edu@10300000", "iommus", "\0\0\0\1\0\0\0\x28");
	PROP("/soc", "dma-coherent", "");
	PROP("/soc/edu@10400000", "iommus", "\0\0\0\1\0\0\0\x30");
	PROP("/uart@9000000", "compatible", "arm,pl011\0");
	PROP("/pl031@9010000", "iommus", "\0\0\0\1\0\0\4\0");
	PROP("/pl031@9010000", "dma-coherent", "");
	PROP("/pl031@9010000", "dma-noncoherent", "");
	PROP("/pcie@40000000", "dma-coherent", "");
	PROP("/pcie@40000000", "iommu-map", "\0\0\0\0\0\0\0\1\0\0\0\0\0\1\0\0");

	device("platform", "10000000.edu", "platform", "/edu@10000000", 3, "vfio-platform");
	device("platform", "10100000.edu", "platform", "/edu@10100000", 4, NULL);
	device("platform", "10200000.edu", "platform", "/edu@10200000", 5, "vfio-platform");
	device("platform", "10300000.edu", "platform", "/edu@10300000", 6, "syscon");
	device("platform", "10400000.edu", "platform/soc", "/soc/edu@10400000", -1, NULL);
	device("platform", "9000000.uart", "platform", "/uart@9000000", -1, "pl011");
	device("amba", "9010000.pl031", "platform", "/pl031@9010000", 7, "vfio-amba");
	device("platform", "40000000.pcie", "platform", "/pcie@40000000", -1, "pci-host-generic");
	device("pci", "0000:00:01.0", "platform/40000000.pcie/pci0000:00", NULL, 8, "vfio-pci");
	device("pci", "0000:00:01.1", "platform/40000000.pcie/pci0000:00", NULL, 8, "nvme");

	device("pci", "0000:00:02.0", "platform/40000000.pcie/pci0000:00", NULL, -1, NULL);

	tree_text("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/vendor", "0x1b36\n");
	tree_text("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/device", "0x0010\n");
	tree_text("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/class", "0x010802\n");
	tree_text("sys/bus/platform/drivers_probe", "");
	tree_text("sys/class/vfio/3/members", "/sys/devices/platform/10000000.edu\n");
	tree_text("sys/class/vfio/5/members",
		  "/sys/devices/platform/10200000.edu\n/sys/devices/platform/10300000.edu\n");
	tree_text("sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "65535\n");

	tree_text("dev/vfio/vfio", "");
	tree_text("dev/vfio/3", "");
	tree_text("dev/vfio/5", "");
	tree_text("dev/vfio/7", "");

	tree_text("proc/self/status", "Name:\tx\nVmLck:\t       4 kB\nCapEff:\t0000000000000000\n");
	tree_text("proc/self/comm", "test\n");
	tree_text("proc/1/comm", "init\n");
	tree_text("proc/123/comm", "edu\n");
	snprintf(evfio_roots.dev, sizeof(evfio_roots.dev), "%s/dev", root);
	snprintf(evfio_roots.proc, sizeof(evfio_roots.proc), "%s/proc", root);
	snprintf(evfio_roots.modules, sizeof(evfio_roots.modules), "%s/modules", root);
	if (evfio_sysfs_set_root(full("sys")))
		die("sys");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void tree_free(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
