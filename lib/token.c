// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The token that physical and virtual functions share. Copies of it are wiped when they were used.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "internal.h"

/* Where the text of a UUID has its hyphens. */
static bool is_hyphen(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

int evfio_token_new(struct evfio_token *token)
{
	/* So few bytes come at once, or not at all. */
	if (getrandom(token->bytes, sizeof(token->bytes), 0) != (ssize_t)sizeof(token->bytes))
		return fail_errno("no random numbers for a token");
	token->bytes[6] = 0x40 | (token->bytes[6] & 0x0f);	/* version 4: random */
	token->bytes[8] = 0x80 | (token->bytes[8] & 0x3f);	/* the variant of RFC 4122 */
	return 0;
}

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

int evfio_token_parse(const char *text, struct evfio_token *token)
{
	size_t at, byte = 0;

	for (at = 0; at < EVFIO_TOKEN_TEXT - 1; at++) {
		if (is_hyphen(at) ? text[at] != '-' : !isxdigit((unsigned char)text[at]))
			break;
		if (is_hyphen(at))
			continue;
		/* Digits come in pairs, and no hyphen is between those of one. */
		if (byte % 2)
			token->bytes[byte / 2] |= (uint8_t)digit(text[at]);
		else
			token->bytes[byte / 2] = (uint8_t)(digit(text[at]) << 4);
		byte++;
	}
	if (at < EVFIO_TOKEN_TEXT - 1 || text[at + strspn(text + at, "\r\n")])
		return fail(-EINVAL, "a token is a UUID of 36 characters, as `evfio token new` "
			    "prints them: this is none");
	return 0;
}

void evfio_token_print(const struct evfio_token *token, char text[EVFIO_TOKEN_TEXT])
{
	size_t byte, at = 0;

	for (byte = 0; byte < sizeof(token->bytes); byte++) {
		if (is_hyphen(at))
			text[at++] = '-';
		snprintf(text + at, 3, "%02x", token->bytes[byte]);
		at += 2;
	}
}

int evfio_token_set(struct evfio_device *pf, const struct evfio_token *token)
{
	struct {
		struct vfio_device_feature feature;
		struct evfio_token token;
	} set = {
		.feature = {
			.argsz = sizeof(set),
			.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
		},
		.token = *token,
	};
	int err = ioctl(pf->fd, VFIO_DEVICE_FEATURE, &set) ? -errno : 0;

	explicit_bzero(&set, sizeof(set));
	if (err == -ENOTTY)
		return fail(err, "%s has no token: it is no physical function of SR-IOV, or its "
			    "driver was built without that", pf->sys->name);
	return err ? fail(err, "cannot set the token of %s: %s", pf->sys->name, strerror(-err)) : 0;
}

int token_open(int group_fd, const char *name, const struct evfio_token *token)
{
	char option[PATH_LEN + 64], text[EVFIO_TOKEN_TEXT];
	int fd;

	if (!token)
		return ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, name);
	evfio_token_print(token, text);
	snprintf(option, sizeof(option), "%s vf_token=%s", name, text);
	fd = ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, option);
	explicit_bzero(option, sizeof(option));
	explicit_bzero(text, sizeof(text));
	return fd;
}

int token_explain(int err, const struct evfio_sysdev *dev, bool given)
{
	char pf[64];

	if (err == -EINVAL && given)
		return fail(err, "%s takes no token: it is neither a physical function of SR-IOV "
			    "nor a virtual one whose physical function VFIO has", dev->name);
	if (err != -EACCES)
		return fail(err, "cannot open %s: %s", dev->name, strerror(-err));
	if (sysfs_link(dev->syspath, "physfn", pf, sizeof(pf)))
		return fail(err, "virtual functions of %s are in use: it is opened with their "
			    "token only%s", dev->name, given ? ", and this is another" : "");
	return fail(err, "%s is a virtual function of %s and opened with its token only%s",
		    dev->name, pf, given ? ", and this is another" :
		    ": ask the user of the physical function for it");
}
