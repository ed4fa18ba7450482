// SPDX-License-Identifier: GPL-2.0-only
/* Reading device-tree properties. */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "libtap.h"

#define EDU "/sys/devices/platform/10000000.edu"

int main(void)
{
	static char big[(1 << 20) + 4];
	char buf[16];
	uint32_t cell;

	tree_new();
	ok(evfio_dt_has(EDU, "compatible"), "a property is there");
	ok(evfio_dt_has(EDU, "dma-coherent"), "one without a value as well");
	ok(!evfio_dt_has(EDU, "no-such"), "one that is not");
	ok(!evfio_dt_has(EDU, "port"), "a child node is no property");
	ok(evfio_dt_has(EDU, "port/label"), "a child's property is");
	ok(evfio_dt_has(EDU, "../soc/dma-coherent"), "a neighbour's too");
	ok(!evfio_dt_has("/sys/devices/platform/none", "compatible"), "no such device");
	ok(!evfio_dt_has("/etc", "passwd"), "what is not in sysfs");
	ok(!evfio_dt_has("/sysfs", "passwd"), "nor what only looks like it");

	memset(buf, 'x', sizeof(buf));
	is(evfio_dt_read(EDU, "compatible", buf, 4), 9, "the length of a property");
	ok(!memcmp(buf, "qemuxx", 6), "as much of it as fits");
	is(evfio_dt_read(EDU, "compatible", NULL, 0), 9, "the length alone");
	is(evfio_dt_read(EDU, "empty", buf, sizeof(buf)), 0, "nothing");
	is(evfio_dt_read(EDU, "no-such", buf, sizeof(buf)), -ENOENT, "no such property");
	message_has("no property \"no-such\"");
	tree_file("sys/firmware/devicetree/base/edu@10000000/big", big, sizeof(big));
	is(evfio_dt_read(EDU, "big", buf, sizeof(buf)), -EFBIG, "one of more than 1 MiB");
	tree_file("sys/firmware/devicetree/base/edu@10000000/big", big, 1 << 20);
	is(evfio_dt_read(EDU, "big", buf, sizeof(buf)), 1 << 20, "one of 1 MiB");
	memset(big, 'a', 2000);
	big[2000] = '\0';
	is(evfio_dt_read(EDU, big, buf, sizeof(buf)), -ENAMETOOLONG, "a name of 2000 letters");

	is(evfio_dt_u32(EDU, "reg", 1, &cell), 0, "a cell");
	is(cell, 0x10000000, "big-endian");
	is(evfio_dt_u32(EDU, "reg", 3, &cell), 0, "the last cell");
	is(cell, 0x100000, "its value");
	is(evfio_dt_u32(EDU, "reg", 4, &cell), -EOVERFLOW, "one cell more than there are");
	is(evfio_dt_u32(EDU, "reg", UINT32_MAX, &cell), -EOVERFLOW, "many more");
	is(evfio_dt_u32(EDU, "broken", 0, &cell), -EINVAL, "3 bytes are no cells");
	is(evfio_dt_u32(EDU, "empty", 0, &cell), -EOVERFLOW, "no bytes are no cell");
	is(evfio_dt_u32(EDU, "no-such", 0, &cell), -ENOENT, "no such property");

	is(evfio_dt_string(EDU, "reg-names", 0, buf, sizeof(buf)), 4, "a string");
	is_str(buf, "regs", "what it is");
	is(evfio_dt_string(EDU, "reg-names", 1, buf, sizeof(buf)), 3, "the next");
	is_str(buf, "aux", "what that is");
	is(evfio_dt_string(EDU, "reg-names", 2, buf, sizeof(buf)), -EOVERFLOW, "beyond the last");
	is(evfio_dt_string(EDU, "reg-names", 0, buf, 5), 4, "just enough room");
	is(evfio_dt_string(EDU, "reg-names", 0, buf, 4), -ENOSPC, "no room for the zero");
	is(evfio_dt_string(EDU, "broken", 0, buf, sizeof(buf)), -EINVAL, "not terminated");
	is(evfio_dt_string(EDU, "empty", 0, buf, sizeof(buf)), -EINVAL, "no string at all");
	is(evfio_dt_string_index(EDU, "reg-names", "aux"), 1, "a string is found");
	is(evfio_dt_string_index(EDU, "reg-names", "re"), -ENOENT, "its beginning is not");
	is(evfio_dt_string_index(EDU, "reg-names", ""), -ENOENT, "nor the empty one");
	is(evfio_dt_string_index(EDU, "no-names", "aux"), -ENOENT, "no such property");
	is(evfio_dt_string_index(EDU, "broken", "abc"), -EINVAL, "not a list of strings");
	tree_free();
	return done();
}
