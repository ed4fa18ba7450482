/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What went wrong, in words.
 *
 * Threads: each has a message of its own.
 */
#ifndef EVFIO_ERROR_H
#define EVFIO_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * evfio_error() - what the last failure in this thread was about
 *
 * Every libevfio function that returns a negative errno leaves a sentence for people here, such as
 * "10000000.edu is not bound to vfio-platform: run `evfio bind 10000000.edu`". It belongs
 * to the call that failed: ask before the next one, which may leave another even if it succeeds.
 *
 * Return: one line without a newline, never NULL: "" before the first failure. It belongs to the
 * library and is valid until the next call of the same thread.
 */
const char *evfio_error(void);

/**
 * evfio_version() - the library's version
 *
 * Return: a constant string such as "0.1.0".
 */
const char *evfio_version(void);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_ERROR_H */
