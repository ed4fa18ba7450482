/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What the files of the evfio command share.
 */
#ifndef EVFIO_TOOL_H
#define EVFIO_TOOL_H

#include <json.h>
#include <stdbool.h>
#include <stdint.h>

#include <evfio/evfio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses, as evfio(1) has them. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

/* The options of the command line; a command gets only those that it takes. */
struct options {
	bool force;
	bool json;
};

/* Each command gets the words after its name, as many as it takes, and returns an exit status. */
int command_list(char **args, const struct options *opts);
int command_info(char **args, const struct options *opts);
int command_sriov_list(char **args, const struct options *opts);
int command_sriov_create(char **args, const struct options *opts);
int command_sriov_remove(char **args, const struct options *opts);
int command_token_new(char **args, const struct options *opts);

/* Writes "evfio: " and the library's message to stderr; returns STATUS_FAILED. */
int report(void);

/* Says what is wrong with the command line, "evfio: WHAT WORD: ..."; returns STATUS_USAGE. */
int bad_usage(const char *what, const char *word);

/* A string, or null for NULL. */
struct json_object *json_string(const char *text);

/* What list and info alike say of a device. reason is NULL when it can be opened. */
struct json_object *json_sysdev(const struct evfio_sysdev *dev, const char *reason);

/* Prints a document and frees it; returns an exit status. */
int json_print(struct json_object *doc);

#endif /* EVFIO_TOOL_H */
