// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Properties of a device's device-tree node.
 *
 * A property's bytes are the file of its name under "of_node"; cells are big-endian, lists of
 * strings are zero-terminated strings one after the other.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* Longest property read: real ones have some hundred bytes. */
#define PROP_MAX (1 << 20)

int dt_read_in(const char *syspath, const char *node, const char *prop, char **out)
{
	char path[PATH_LEN], more[PATH_LEN];
	size_t len = 0, max = 256;
	char *data = NULL;
	struct stat st;
	int fd, err;

	err = snprintf(more, sizeof(more), "%s/%s", node, prop);
	if (err < 0 || (size_t)err >= sizeof(more))
		return fail(-ENAMETOOLONG, "property name is too long");
	err = sysfs_path(path, sizeof(path), syspath, more);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		/* A child node of that name is a directory, and no property. */
		if (fd >= 0)
			close(fd);
		return fail(-ENOENT, "%s has no property \"%s\" in its device-tree node", syspath,
			    prop);
	}

	err = 0;
	for (;;) {
		char *bigger = realloc(data, max);
		ssize_t n;

		if (!bigger) {
			err = fail(-ENOMEM, "no memory for property \"%s\"", prop);
			break;
		}
		data = bigger;
		n = read(fd, data + len, max - len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			err = fail_errno("cannot read property \"%s\" of %s", prop, syspath);
			break;
		}
		if (!n)
			break;
		len += (size_t)n;
		if (len > PROP_MAX) {
			err = fail(-EFBIG, "property \"%s\" of %s is too long", prop, syspath);
			break;
		}
		if (len == max)
			max *= 2;
	}
	close(fd);
	if (err) {
		free(data);
		return err;
	}
	*out = data;
	return (int)len;
}

/* Reads a whole property into memory that the caller frees. Returns its length. */
static int read_all(const char *syspath, const char *prop, char **out)
{
	return dt_read_in(syspath, "of_node", prop, out);
}

bool evfio_dt_has(const char *syspath, const char *prop)
{
	char *data;
	int len = read_all(syspath, prop, &data);

	if (len < 0)
		return false;
	free(data);
	return true;
}

int evfio_dt_read(const char *syspath, const char *prop, void *buf, size_t size)
{
	char *data;
	int len = read_all(syspath, prop, &data);

	if (len < 0)
		return len;
	if (size > (size_t)len)
		size = (size_t)len;
	if (size)
		memcpy(buf, data, size);
	free(data);
	return len;
}

int evfio_dt_u32(const char *syspath, const char *prop, unsigned int index, uint32_t *value)
{
	char *data;
	int len = read_all(syspath, prop, &data);
	uint32_t cell;

	if (len < 0)
		return len;
	if (len % 4) {
		free(data);
		return fail(-EINVAL, "property \"%s\" of %s is not made of 32-bit cells", prop,
			    syspath);
	}
	if (index >= (unsigned int)len / 4) {
		free(data);
		return fail(-EOVERFLOW, "property \"%s\" of %s has only %d cells", prop, syspath,
			    len / 4);
	}
	memcpy(&cell, data + (size_t)index * 4, sizeof(cell));
	free(data);
	*value = be32toh(cell);
	return 0;
}

/* Reads a property of zero-terminated strings; the last one must be terminated as well. */
static int read_strings(const char *syspath, const char *prop, char **data)
{
	int len = read_all(syspath, prop, data);

	if (len < 0)
		return len;
	if (!len || (*data)[len - 1]) {
		free(*data);
		return fail(-EINVAL, "property \"%s\" of %s is not a list of strings", prop,
			    syspath);
	}
	return len;
}

int evfio_dt_string(const char *syspath, const char *prop, unsigned int index, char *buf,
		    size_t size)
{
	const char *string, *end;
	size_t length;
	char *data;
	int len = read_strings(syspath, prop, &data);

	if (len < 0)
		return len;
	end = data + len;
	for (string = data; index && string < end; index--)
		string += strlen(string) + 1;
	if (string == end) {
		free(data);
		return fail(-EOVERFLOW, "property \"%s\" of %s has fewer strings", prop, syspath);
	}
	length = strlen(string);
	if (length >= size) {
		free(data);
		return fail(-ENOSPC, "property \"%s\" of %s has a longer string", prop, syspath);
	}
	memcpy(buf, string, length + 1);
	free(data);
	return (int)length;
}

int evfio_dt_string_index(const char *syspath, const char *prop, const char *string)
{
	const char *at, *end;
	char *data;
	int index = 0;
	int len = read_strings(syspath, prop, &data);

	if (len < 0)
		return len;
	end = data + len;
	for (at = data; at < end && strcmp(at, string); at += strlen(at) + 1)
		index++;
	free(data);
	if (at == end)
		return fail(-ENOENT, "property \"%s\" of %s has no \"%s\"", prop, syspath, string);
	return index;
}
