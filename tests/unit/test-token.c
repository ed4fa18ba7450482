// SPDX-License-Identifier: GPL-2.0-only
/* Tokens: making, reading and printing them; opening devices with them; what is said of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "libtap.h"

#define PF	"0000:00:01.0"
#define VF	"0000:00:01.1"
#define PLACE	"sys/devices/platform/40000000.pcie/pci0000:00/"
#define TEXT	"01234567-89ab-cdef-0f1e-2d3c4b5a6978"
#define OTHER	"fedcba98-7654-3210-0123-456789abcdef"

static void texts(void)
{
	static const char *const bad[] = {
		"", "0", "token", "01234567-89ab-cdef-0f1e-2d3c4b5a697", TEXT "8", TEXT " ",
		"0123456-789ab-cdef-0f1e-2d3c4b5a6978", "01234567+89ab-cdef-0f1e-2d3c4b5a6978",
		"01234567-89ab-cdef-0f1e-2d3c4b5a697g", "0123456789abcdef0f1e2d3c4b5a69780000",
		" " TEXT, "{01234567-89ab-cdef-0f1e-2d3c4b5a697}", TEXT "\n" TEXT,
		"01234567-89ab-cdef-0f1e-2d3c4b5a-978",
	};
	static const uint8_t bytes[] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78,
	};
	struct evfio_token token, same;
	char text[EVFIO_TOKEN_TEXT];
	size_t i;

	is(evfio_token_parse(TEXT, &token), 0, "a token");
	ok(!memcmp(token.bytes, bytes, sizeof(bytes)), "its bytes in the order of the text");
	evfio_token_print(&token, text);
	is_str(text, TEXT, "printed as it was");
	is(evfio_token_parse("01234567-89AB-CDEF-0F1E-2D3C4B5A6978\r\n", &same), 0,
	   "in capitals, a line");
	ok(!memcmp(&same, &token, sizeof(token)), "is the same");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		is(evfio_token_parse(bad[i], &token), -EINVAL, "no token, number %zu", i);
		ok(!*bad[i] || strlen(bad[i]) < 10 || !strstr(evfio_error(), bad[i]),
		   "the message does not repeat it");
	}
	message_has("`evfio token new`");
}

static void random_ones(void)
{
	struct evfio_token a, b;
	uint8_t ones[16] = { 0 }, zeros[16] = { 0 };
	size_t i, fixed = 0;
	int n;

	is(evfio_token_new(&a), 0, "a new token");
	is(evfio_token_new(&b), 0, "another");
	ok(memcmp(&a, &b, sizeof(a)), "is another");
	for (n = 0; n < 200; n++) {
		evfio_token_new(&a);
		for (i = 0; i < 16; i++) {
			ones[i] |= a.bytes[i];
			zeros[i] |= (uint8_t)~a.bytes[i];
		}
	}
	for (i = 0; i < 16; i++)
		fixed += (size_t)__builtin_popcount((uint8_t)~(ones[i] & zeros[i]));
	is(ones[6] >> 4, 4, "version 4");
	is(ones[8] >> 6, 2, "of RFC 4122");
	is((long long)fixed, 6, "all other bits change");
}

static void refused(const char *name, const struct evfio_token *token, int err, const char *message)
{
	struct evfio_device *dev;

	is(evfio_open_token(NULL, name, token, &dev), err, "%s is refused", name);
	message_has(message);
	ok(!strstr(evfio_error(), TEXT), "the message does not tell the token");
	is(fake.groups, 0, "no group stays in a container");
}

static void opening(void)
{
	struct evfio_container *ct;
	struct evfio_token token, other;
	struct evfio_device *dev, *second;

	evfio_token_parse(TEXT, &token);
	evfio_token_parse(OTHER, &other);

	refused(PF, &token, -EINVAL, PF " takes no token");
	strcpy(fake.vf_token, TEXT);
	refused(PF, NULL, -EACCES, "virtual functions of " PF " are in use: it is opened with their "
		"token only");
	refused(PF, &other, -EACCES, "and this is another");
	is(evfio_open_token(NULL, PF, &token, &dev), 0, "the PF, with its token");
	evfio_close(dev);
	fake.idle = true;
	is(evfio_open_token(NULL, PF, &other, &dev), 0, "with any, while nobody uses its VFs");
	is_str(fake.vf_token, OTHER, "which becomes its token");
	is(evfio_token_set(dev, &token), 0, "set another");
	is_str(fake.vf_token, TEXT, "is its token now");
	*fake.vf_token = '\0';
	is(evfio_token_set(dev, &token), -ENOTTY, "where there is none");
	message_has(PF " has no token");
	evfio_close(dev);

	fake_reset();
	tree_link(PLACE VF "/physfn", PLACE PF);
	strcpy(fake.vf_token, TEXT);
	refused(VF, NULL, -EACCES, VF " is a virtual function of " PF " and opened with its token "
		"only: ask");
	refused(VF, &other, -EACCES, "and this is another");
	fake.get_device_errno = EIO;
	refused(VF, &token, -EIO, "cannot open " VF ": Input/output error");
	fake.get_device_errno = 0;
	is(evfio_open_token(NULL, VF, &token, &dev), 0, "the VF, with its PF's token");
	evfio_close(dev);
	is(evfio_container_new(&ct), 0, "a container");
	is(evfio_open_token(ct, VF, &token, &dev), 0, "the VF in it");
	is(evfio_open_token(ct, PF, &token, &second), 0, "and its PF, of the same group");
	ok(evfio_device_container(dev) == ct && evfio_device_container(second) == ct,
	   "both are in it");
	evfio_close(second);
	evfio_close(dev);
	evfio_container_put(ct);
}

int main(void)
{
	tree_new();
	tree_text("dev/vfio/8", "");
	/* Both of the group are VFIO's here. */
	tree_link(PLACE VF "/driver", "sys/bus/pci/drivers/vfio-pci");
	fake_reset();
	texts();
	random_ones();
	opening();
	tree_free();
	return done();
}
