// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The device tree as a whole, as sysfs shows it: who refers to whom, and how often.
 */
#include <dirent.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BASE	"/sys/firmware/devicetree/base"

/* A property's cells, up to max. Returns how many it has; 0 if it has none. */
static unsigned int read_cells(const char *path, const char *prop, uint32_t *cells,
			       unsigned int max)
{
	unsigned int i, n;
	char *data;
	/* A path begins with a slash, and that of the root is empty. */
	int len = dt_read_in(BASE, *path ? path + 1 : ".", prop, &data);

	if (len < 0)
		return 0;
	n = (unsigned int)len / 4;
	for (i = 0; i < n && i < max; i++) {
		memcpy(&cells[i], data + i * 4UL, sizeof(*cells));
		cells[i] = be32toh(cells[i]);
	}
	free(data);
	return n;
}

bool node_has(const char *path, const char *prop)
{
	char *data;

	if (dt_read_in(BASE, *path ? path + 1 : ".", prop, &data) < 0)
		return false;
	free(data);
	return true;
}

bool node_disabled(const char *path)
{
	char *status;
	bool off;

	if (dt_read_in(BASE, *path ? path + 1 : ".", "status", &status) <= 0)
		return false;
	off = strncmp(status, "ok", 2);
	free(status);
	return off;
}

uint32_t node_u32(const char *path, const char *prop, uint32_t otherwise)
{
	uint32_t cell = otherwise;

	read_cells(path, prop, &cell, 1);
	return cell;
}

bool node_up(char *path)
{
	if (!*path)
		return false;
	*strrchr(path, '/') = '\0';
	return true;
}

/* Adds the node at path, which is changed meanwhile, and those below it, in their order. */
static struct node **add(char *path, struct node **end)
{
	const uint32_t phandle = node_u32(path, "phandle", 0);
	const size_t len = strlen(path);
	char dir[PATH_LEN];
	struct dirent *entry;
	DIR *children = NULL;

	if (phandle)
		*end = calloc(1, sizeof(**end) + len + 1);
	if (*end) {
		(*end)->phandle = phandle;
		strcpy((*end)->path, path);
		end = &(*end)->next;
	}
	if (!sysfs_path(dir, sizeof(dir), BASE, *path ? path + 1 : ""))
		children = opendir(dir);
	while (children && (entry = readdir(children))) {
		if (entry->d_type != DT_DIR || *entry->d_name == '.' ||
		    len + strlen(entry->d_name) + 2 > PATH_LEN)
			continue;
		path[len] = '/';
		strcpy(path + len + 1, entry->d_name);
		end = add(path, end);
		path[len] = '\0';
	}
	if (children)
		closedir(children);
	return end;
}

struct node *nodes_load(void)
{
	struct node *nodes = NULL;
	char path[PATH_LEN] = "";

	add(path, &nodes);
	return nodes;
}

void nodes_free(struct node *nodes)
{
	while (nodes) {
		struct node *next = nodes->next;

		free(nodes);
		nodes = next;
	}
}

static const struct node *find(const struct node *nodes, uint32_t phandle)
{
	while (nodes && nodes->phandle != phandle)
		nodes = nodes->next;
	return nodes;
}

/* More than any property of a device has. */
#define MAX_CELLS	512

const struct node *nodes_refer(const struct node *nodes, const char *path, const char *prop,
			       unsigned int cell)
{
	uint32_t cells[MAX_CELLS];

	return cell < read_cells(path, prop, cells, MAX_CELLS) ? find(nodes, cells[cell]) : NULL;
}

int nodes_count(const struct node *nodes, const char *path, const char *prop, const char *size)
{
	uint32_t cells[MAX_CELLS];
	unsigned int n = read_cells(path, prop, cells, MAX_CELLS), at = 0;
	int count = 0;

	while (at < n && at < MAX_CELLS) {
		const struct node *to = find(nodes, cells[at]);

		/* 0 stands for an entry that is left out, and has no arguments. */
		if (cells[at] && !to)
			break;
		at += 1 + (to ? node_u32(to->path, size, 0) : 0);
		count++;
	}
	return count;
}

int nodes_interrupts(const struct node *nodes, const char *path)
{
	const int extended = nodes_count(nodes, path, "interrupts-extended", "#interrupt-cells");
	const unsigned int cells = read_cells(path, "interrupts", NULL, 0);
	const struct node *parent = NULL;
	char up[PATH_LEN];
	uint32_t size;

	if (extended || !cells)
		return extended;
	strcpy(up, path);
	do
		parent = find(nodes, node_u32(up, "interrupt-parent", 0));
	while (!parent && node_up(up));
	size = parent ? node_u32(parent->path, "#interrupt-cells", 1) : 1;
	return (int)(cells / (size ? size : 1));
}

int node_regions(const char *path)
{
	const unsigned int cells = read_cells(path, "reg", NULL, 0);
	char up[PATH_LEN];
	uint32_t size;

	strcpy(up, path);
	node_up(up);
	size = node_u32(up, "#address-cells", 2) + node_u32(up, "#size-cells", 1);
	return size ? (int)(cells / size) : 0;
}
