/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Properties of a device's device-tree node, read through its "of_node" in sysfs.
 *
 * @syspath is what evfio_device_syspath() and struct evfio_sysdev have. @prop is a property's name;
 * a path such as "../clock-frequency" or "port/label" reaches nodes near by.
 *
 * Threads: as <evfio/evfio.h> says.
 */
#ifndef EVFIO_DT_H
#define EVFIO_DT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * evfio_dt_has() - whether a property is there
 * @syspath: device
 * @prop: property
 *
 * Return: true if so; false also for a device without a node.
 */
bool evfio_dt_has(const char *syspath, const char *prop);

/**
 * evfio_dt_read() - read a property as it is
 * @syspath: device
 * @prop: property
 * @buf: where the bytes go; may be NULL if @size is 0
 * @size: how many bytes fit
 *
 * Return: the property's length in bytes, which may be more than @size; -ENOENT: no such property;
 * -EFBIG: it is longer than 1 MiB.
 */
int evfio_dt_read(const char *syspath, const char *prop, void *buf, size_t size);

/**
 * evfio_dt_u32() - read one 32-bit cell of a property
 * @syspath: device
 * @prop: property
 * @index: which cell, from 0
 * @value: where it goes, in the host's byte order
 *
 * Return: 0; -ENOENT: no such property; -EOVERFLOW: it has no such cell; -EINVAL: its length is not
 * a multiple of 4.
 */
int evfio_dt_u32(const char *syspath, const char *prop, unsigned int index, uint32_t *value);

/**
 * evfio_dt_string() - read one string of a property
 * @syspath: device
 * @prop: property
 * @index: which string of the list, from 0
 * @buf: where it goes, with its terminating zero
 * @size: how many bytes fit
 *
 * Return: the string's length; -ENOENT: no such property; -EOVERFLOW: the list is shorter; -EINVAL:
 * it is not a list of strings; -ENOSPC: it does not fit.
 */
int evfio_dt_string(const char *syspath, const char *prop, unsigned int index, char *buf,
		    size_t size);

/**
 * evfio_dt_string_index() - find a string in a property that is a list of strings
 * @syspath: device
 * @prop: property, such as "reg-names"
 * @string: what to look for
 *
 * Return: its index, from 0; -ENOENT: no such property, or no such string; -EINVAL: it is not a
 * list of strings.
 */
int evfio_dt_string_index(const char *syspath, const char *prop, const char *string);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_DT_H */
