// SPDX-License-Identifier: GPL-2.0-only
/*
 * libtap - see libtap.h
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "libtap.h"

bool tap_kernel;

static int checks;
static int failures;
static pid_t owner;

void tap_start(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--kernel")) {
			fprintf(stderr, "usage: %s [--kernel]\n", argv[0]);
			exit(2);
		}
		tap_kernel = true;
	}
	/* Line by line, so that a child never inherits half a line. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	owner = getpid();
}

int tap_done(void)
{
	printf("1..%d\n", checks);
	return failures ? 1 : 0;
}

static void result(bool good, const char *fmt, va_list ap)
{
	if (getpid() != owner) {
		fprintf(stderr, "a child made a check\n");
		_exit(2);
	}
	checks++;
	if (!good)
		failures++;
	printf("%sok %d - ", good ? "" : "not ", checks);
	vprintf(fmt, ap);
	putchar('\n');
}

bool tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	result(good, fmt, ap);
	va_end(ap);
	if (!good)
		printf("# at %s:%d\n", file, line);
	return good;
}

/* A number as people read it: small negative ones are errors. */
static const char *number(char *buf, size_t size, long long value)
{
	const char *name = value < 0 && value > -4096 ? strerrorname_np((int)-value) : NULL;

	if (name)
		snprintf(buf, size, "%lld %s", value, name);
	else if (value < 0 || value > 0xffff)
		snprintf(buf, size, "%lld (0x%llx)", value, (unsigned long long)value);
	else
		snprintf(buf, size, "%lld", value);
	return buf;
}

bool tap_is(long long got, long long want, const char *file, int line, const char *fmt, ...)
{
	char a[64], b[64];
	va_list ap;

	va_start(ap, fmt);
	result(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		printf("# got %s, want %s, at %s:%d\n", number(a, sizeof(a), got),
		       number(b, sizeof(b), want), file, line);
	return got == want;
}

void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	checks++;
	printf("ok %d # SKIP ", checks);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

void tap_bail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
	_exit(2);
}
