// SPDX-License-Identifier: GPL-2.0-only
/* TAP output. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <evfio/error.h>

#include "libtap.h"

static unsigned int count, failed;

static bool result(bool cond, const char *fmt, va_list args)
{
	printf("%sok %u - ", cond ? "" : "not ", ++count);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	failed += !cond;
	return cond;
}

bool ok(bool cond, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(cond, fmt, args);
	va_end(args);
	return cond;
}

bool is(long long got, long long want, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(got == want, fmt, args);
	va_end(args);
	if (got != want)
		printf("# got %lld (0x%llx), want %lld (0x%llx); the library says: %s\n", got, got,
		       want, want, evfio_error());
	return got == want;
}

bool is_str(const char *got, const char *want, const char *fmt, ...)
{
	bool equal = got && want ? !strcmp(got, want) : got == want;
	va_list args;

	va_start(args, fmt);
	result(equal, fmt, args);
	va_end(args);
	if (!equal)
		printf("# got \"%s\", want \"%s\"\n", got ? got : "(null)",
		       want ? want : "(null)");
	return equal;
}

bool message_has(const char *text)
{
	bool has = strstr(evfio_error(), text);

	ok(has, "the message has \"%s\"", text);
	if (!has)
		printf("# it is \"%s\"\n", evfio_error());
	return has;
}

int done(void)
{
	printf("1..%u\n", count);
	return failed != 0;
}
