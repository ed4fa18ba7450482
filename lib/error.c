// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The message that goes with a negative errno, one for each thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static _Thread_local char message[1024];

const char *evfio_error(void)
{
	return message;
}

const char *evfio_version(void)
{
	return EVFIO_VERSION;
}

int fail(int err, const char *fmt, ...)
{
	char text[sizeof(message)] = "";
	va_list args;

	/* By way of text, since an argument may be the previous message. */
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memcpy(message, text, sizeof(message));
	return err;
}

int fail_errno(const char *fmt, ...)
{
	int err = errno;
	char text[sizeof(message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fail(-err, "%.800s: %s", text, strerror(err));
}

char *format_size(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	while (bytes && !(bytes % 1024)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, size, "%" PRIu64 " %s", bytes, units[unit]);
	return buf;
}
