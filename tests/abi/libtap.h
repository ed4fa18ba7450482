/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libtap - the Test Anything Protocol for one-subject programs
 *
 * A program calls tap_start(), makes its checks with ok() and is(), and ends with
 * `return tap_done();`. Only the process that called tap_start() may check: a child reports to it
 * by its exit status or through memory.
 */
#ifndef LIBTAP_H
#define LIBTAP_H

#include <stdbool.h>

/*
 * Set by the argument --kernel: the program runs on the kernel's own VFIO modules, to record what
 * they answer. Only a check whose outcome evfio makes different on purpose consults it.
 */
extern bool tap_kernel;

/* Begin. How long a program may take is the harness's business. */
void tap_start(int argc, char **argv);

/* Print the plan; 0 when every check passed, else 1: the program's exit status. */
int tap_done(void);

/* One check. is() compares integers and, when they differ, prints both: -22 as "-22 EINVAL". */
#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is(got, want, ...) \
	tap_is((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)

bool tap_ok(bool good, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool tap_is(long long got, long long want, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* A check that cannot be made here, and why. */
void tap_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line for people. */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Stop the whole program: the board is not what the test needs. */
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
