// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the host itself lives on: the devices of mounted file systems, and the console.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "internal.h"

/* Disks upon disks upon disks; more is a circle. */
#define MAX_LAYERS 8

static bool carries(const struct evfio_sysdev *dev, const char *path, int layers);

/* Whether the device carries one of those that a directory has links to. */
static bool carries_any(const struct evfio_sysdev *dev, const char *dir, int layers)
{
	char path[PATH_LEN], target[PATH_LEN];
	struct dirent *entry;
	bool found = false;
	DIR *links = NULL;

	if (!sysfs_path(path, sizeof(path), dir, ""))
		links = opendir(path);
	while (links && !found && (entry = readdir(links)))
		found = entry->d_type == DT_LNK && strcmp(entry->d_name, "subsystem") &&
			!sysfs_resolve(dir, entry->d_name, target, sizeof(target)) &&
			carries(dev, target, layers);
	if (links)
		closedir(links);
	return found;
}

/*
 * Whether a device, at its canonical path, is below dev, or made of some that are: of those in its
 * "slaves" (device mapper, RAID), a partition of those of its disk, and a disk of NVMe that may
 * have several controllers of those that its subsystem has links to.
 */
static bool carries(const struct evfio_sysdev *dev, const char *path, int layers)
{
	const size_t len = strlen(dev->syspath);
	char dir[PATH_LEN + 16];
	char *nvme;

	if (!strncmp(path, dev->syspath, len) && path[len] == '/')
		return true;
	if (!layers)
		return false;
	snprintf(dir, sizeof(dir), "%s/slaves", path);
	if (carries_any(dev, dir, layers - 1))
		return true;
	snprintf(dir, sizeof(dir), "%s/../slaves", path);
	if (carries_any(dev, dir, layers - 1))
		return true;
	nvme = strstr(dir, "/nvme-subsystem/");
	if (!nvme)
		return false;
	nvme += strlen("/nvme-subsystem/");
	nvme[strcspn(nvme, "/")] = '\0';
	return carries_any(dev, dir, layers - 1);
}

/* carries() for what a link in sysfs leads to. */
static bool carries_link(const struct evfio_sysdev *dev, const char *link)
{
	char path[PATH_LEN];

	return !sysfs_resolve(link, "", path, sizeof(path)) && carries(dev, path, MAX_LAYERS);
}

static int check_mounts(const struct evfio_sysdev *dev)
{
	char path[PATH_LEN + 32], line[4096], number[32], point[PATH_LEN], source[PATH_LEN];
	struct stat st;
	FILE *file;
	int err = 0;

	snprintf(path, sizeof(path), "%s/self/mountinfo", evfio_roots.proc);
	file = fopen(path, "re");
	while (file && !err && fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, " - ");

		if (sscanf(line, "%*s %*s %20s %*s %1023s", number, point) != 2)
			continue;
		/* Some file systems, such as btrfs, say a number that no device has. */
		if (!strncmp(number, "0:", 2) && rest &&
		    sscanf(rest, " - %*s %1023s", source) == 1 && *source == '/' &&
		    !stat(source, &st) && S_ISBLK(st.st_mode))
			snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev),
				 minor(st.st_rdev));
		snprintf(path, sizeof(path), "/sys/dev/block/%s", number);
		if (carries_link(dev, path))
			err = fail(-EBUSY, "%s has the disk of what is mounted on %s: "
				   "`evfio bind --force %s` takes it all the same", dev->name,
				   point, dev->name);
	}
	if (file)
		fclose(file);
	return err;
}

static int check_console(const struct evfio_sysdev *dev)
{
	char names[256], path[PATH_LEN], *name, *rest;

	if (sysfs_read("/sys/class/tty/console", "active", names, sizeof(names)) < 0)
		return 0;
	for (name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
		snprintf(path, sizeof(path), "/sys/class/tty/%s", name);
		if (carries_link(dev, path))
			return fail(-EBUSY, "%s is the console, %s: `evfio bind --force %s` takes it "
				    "all the same", dev->name, name, dev->name);
	}
	return 0;
}

int evfio_bind_check(const char *name)
{
	struct evfio_sysdev *dev;
	int err;

	err = evfio_sysdev_find(name, &dev);
	if (err)
		return err;
	err = check_mounts(dev);
	if (!err)
		err = check_console(dev);
	evfio_sysdev_free(dev);
	return err;
}
