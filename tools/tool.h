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
	STATUS_OBSTACLE = 3,
};

/* The options of the command line; a command gets only those that it takes. */
struct options {
	unsigned int given;	/* which are there */
	bool force;
	bool json;
	const char *names;	/* description of registers; NULL: none */
	unsigned int width;	/* of accesses; 0: the device's */
	uint64_t count;		/* of interrupts; 0: no limit, and so is the next */
	int timeout_ms;
};

/* Each command gets the words after its name, as many as it takes, and returns an exit status. */
int command_list(char **args, const struct options *opts);
int command_info(char **args, const struct options *opts);
int command_doctor(char **args, const struct options *opts);
int command_bench(char **args, const struct options *opts);
int command_dma_test(char **args, const struct options *opts);
int command_irq_watch(char **args, const struct options *opts);
int command_regs(char **args, const struct options *opts);
int command_sriov_list(char **args, const struct options *opts);
int command_sriov_create(char **args, const struct options *opts);
int command_sriov_remove(char **args, const struct options *opts);
int command_token_new(char **args, const struct options *opts);

/* Whether standard output is read by somebody, for whom there are tables and colours. */
bool on_terminal(void);

/* Writes "evfio: " and the library's message to stderr; returns STATUS_FAILED. */
int report(void);

/* Writes "evfio: " and a message of its own; returns STATUS_FAILED. */
int failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says what is wrong with the command line, "evfio: WHAT WORD: ..."; returns STATUS_USAGE. */
int bad_usage(const char *what, const char *word);

/* A number in decimal, or in hexadecimal after 0x; returns what follows it, NULL if it is none. */
const char *parse_number(const char *text, uint64_t *value);

/* The index that a number is, or that a function of the library finds for a name. */
int index_of(const struct evfio_device *dev, const char *name,
	     int (*find)(const struct evfio_device *dev, const char *name));

/* CLOCK_MONOTONIC */
int64_t now_ns(void);

/*
 * regs.c: registers as words name them, "REGISTER" or "REGISTER", "=VALUE". Each returns a status.
 * regs_new() needs no device. regs_open() looks for all of them in an open one, which is not to be
 * closed before regs_free(); regs_run() reads, prints and writes in their order. regs_free() is due
 * whatever regs_new() returned.
 */
struct regs;
int regs_new(char **words, const struct options *opts, struct regs **out);
int regs_open(struct regs *regs, const struct evfio_device *dev);
int regs_run(struct regs *regs, bool json);
void regs_free(struct regs *regs);

/* A string, or null for NULL. */
struct json_object *json_string(const char *text);

/* Addresses are strings, "0x10": readers of JSON tend to keep numbers in 53 bits. */
struct json_object *json_address(uint64_t address);

/* What list and info alike say of a device. reason is NULL when it can be opened. */
struct json_object *json_sysdev(const struct evfio_sysdev *dev, const char *reason);

/* info.c: what is known of the IOMMU, added to a document, and printed from there. */
void json_iommu(struct json_object *doc, struct evfio_container *ct);
void print_iommu(struct json_object *doc);

/* " 4 KiB" */
void print_size(uint64_t size);

/* Prints a document and frees it; returns an exit status. */
int json_print(struct json_object *doc);

#endif /* EVFIO_TOOL_H */
