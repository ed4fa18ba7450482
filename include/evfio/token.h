/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The secret between the user of a physical function (PF) of SR-IOV and those of its virtual
 * functions (VFs): a token, which is a UUID.
 *
 * VFIO opens a VF, the PF of which it has as well, only for who knows the PF's token; while VFs are
 * in use the PF too. docs/sriov.md says what that protects, and what it does not. The library
 * prints no token unless it is asked to, and leaves none in a message.
 *
 * Threads: as <evfio/evfio.h> says.
 */
#ifndef EVFIO_TOKEN_H
#define EVFIO_TOKEN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_container;
struct evfio_device;

/**
 * struct evfio_token - a token
 * @bytes: those of the UUID, in the order in which they are printed
 */
struct evfio_token {
	uint8_t bytes[16];
};

/* Bytes of a token as text, the last 0 among them. */
#define EVFIO_TOKEN_TEXT 37

/**
 * evfio_token_new() - make a token that nobody can guess
 * @token: where it goes: a random UUID (RFC 4122, version 4), from getrandom()
 *
 * Return: 0; or the errno of getrandom().
 */
int evfio_token_new(struct evfio_token *token);

/**
 * evfio_token_parse() - read a token from text
 * @text: "01234567-89ab-cdef-0123-456789abcdef", in upper or lower case; a line's end may follow
 * @token: where it goes
 *
 * Any UUID will do, not only those that evfio_token_new() makes.
 *
 * Return: 0; -EINVAL: that is no UUID, which the message does not repeat.
 */
int evfio_token_parse(const char *text, struct evfio_token *token);

/**
 * evfio_token_print() - write a token as text, in lower case
 * @token: token
 * @text: where it goes
 */
void evfio_token_print(const struct evfio_token *token, char text[EVFIO_TOKEN_TEXT]);

/**
 * evfio_token_set() - replace the token of a PF
 * @pf: the PF, opened by this process
 * @token: what VFs are opened with from now on
 *
 * VFs that are open stay open. Until its first user sets one, a PF's token is random, and nobody
 * knows it. It stays when the PF is closed, and goes when the PF is unbound from VFIO.
 *
 * Return: 0; -ENOTTY: @pf has no token, since it is no PF; or the errno of VFIO_DEVICE_FEATURE.
 */
int evfio_token_set(struct evfio_device *pf, const struct evfio_token *token);

/**
 * evfio_open_token() - open a VF with its PF's token, or a PF
 * @ct: container that may hold other devices, as for evfio_open_in(); NULL: one of its own, as for
 *	evfio_open()
 * @name: as for evfio_open()
 * @token: the token. For a PF of which no VF is in use this one is set, whatever was set before;
 *	NULL leaves it and is what evfio_open() and evfio_open_in() do
 * @out: where the device goes; the caller owns it, until evfio_close()
 *
 * Return: as evfio_open(); -EACCES also: the device needs a token, and this is not it; -EINVAL
 * also: it takes none, being no PF, nor a VF of one that VFIO has.
 */
int evfio_open_token(struct evfio_container *ct, const char *name, const struct evfio_token *token,
		     struct evfio_device **out);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_TOKEN_H */
