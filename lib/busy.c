// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Who has a file open, as far as /proc lets us see.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static bool process_holds(const char *pid, const char *path)
{
	char dir[PATH_LEN + 32];
	struct dirent *entry;
	bool found = false;
	DIR *fds;

	snprintf(dir, sizeof(dir), "%s/%.16s/fd", evfio_roots.proc, pid);
	fds = opendir(dir);
	if (!fds)
		return false;
	while (!found && (entry = readdir(fds))) {
		char target[PATH_LEN];
		ssize_t len = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		if (len < 0)
			continue;
		target[len] = '\0';
		found = !strcmp(target, path);
	}
	closedir(fds);
	return found;
}

static void process_name(const char *pid, char *buf, size_t size)
{
	char path[PATH_LEN + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%.16s/comm", evfio_roots.proc, pid);
	file = fopen(path, "re");
	if (!file || !fgets(buf, (int)size, file))
		snprintf(buf, size, "?");
	buf[strcspn(buf, "\n")] = '\0';
	if (file)
		fclose(file);
}

void file_holders(const char *path, char *buf, size_t size)
{
	DIR *proc = opendir(evfio_roots.proc);
	struct dirent *entry;
	size_t len = 0;

	buf[0] = '\0';
	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		char name[64];
		int n;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_holds(entry->d_name, path))
			continue;
		process_name(entry->d_name, name, sizeof(name));
		n = snprintf(buf + len, size - len, "%spid %.16s (%s)", len ? ", " : "",
			     entry->d_name, name);
		if (n < 0 || (size_t)n >= size - len)
			break;
		len += (size_t)n;
	}
	closedir(proc);
}
