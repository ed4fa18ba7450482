// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio doctor: findings are gathered in one JSON document, which is printed as it is or as text.
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"

/* What a finding is added to. */
struct patient {
	struct json_object *devices;
	struct json_object *doc;	/* the board, or the last device */
	struct json_object *remedies;	/* of the last note or obstacle */
};

static void add_arrays(struct json_object *doc)
{
	json_object_object_add(doc, "facts", json_object_new_array());
	json_object_object_add(doc, "obstacles", json_object_new_array());
	json_object_object_add(doc, "notes", json_object_new_array());
}

static struct json_object *new_device(const char *name)
{
	struct json_object *doc;
	struct evfio_sysdev *dev;

	if (evfio_sysdev_find(name, &dev)) {
		doc = json_object_new_object();
		json_object_object_add(doc, "name", json_string(name));
	} else {
		doc = json_sysdev(dev, NULL);
		evfio_sysdev_free(dev);
	}
	add_arrays(doc);
	return doc;
}

static struct json_object *add_finding(struct json_object *doc, const char *kind, const char *text)
{
	struct json_object *finding = json_object_new_object();
	struct json_object *remedies = json_object_new_array();

	json_object_object_add(finding, "text", json_string(text));
	json_object_object_add(finding, "remedies", remedies);
	json_object_array_add(json_object_object_get(doc, kind), finding);
	return remedies;
}

static bool is_ready(struct json_object *doc)
{
	return !json_object_array_length(json_object_object_get(doc, "obstacles"));
}

static void found(void *arg, enum evfio_finding what, const char *text, const char *where)
{
	struct patient *patient = arg;
	struct json_object *remedy;

	switch (what) {
	case EVFIO_DEVICE:
		patient->doc = new_device(text);
		json_object_array_add(patient->devices, patient->doc);
		break;
	case EVFIO_FACT:
		json_object_array_add(json_object_object_get(patient->doc, "facts"),
				      json_string(text));
		break;
	case EVFIO_NOTE:
		patient->remedies = add_finding(patient->doc, "notes", text);
		break;
	case EVFIO_OBSTACLE:
		/* The first is the reason. */
		if (is_ready(patient->doc))
			json_object_object_add(patient->doc, "reason", json_string(text));
		json_object_object_add(patient->doc, "ready", json_object_new_boolean(false));
		patient->remedies = add_finding(patient->doc, "obstacles", text);
		break;
	case EVFIO_REMEDY:
		remedy = json_object_new_object();
		json_object_object_add(remedy, "where", json_string(where));
		json_object_object_add(remedy, "text", json_string(text));
		json_object_array_add(patient->remedies, remedy);
	}
}

static const char *string_of(struct json_object *doc, const char *key)
{
	return json_object_get_string(json_object_object_get(doc, key));
}

static void print_facts(struct json_object *doc, const char *between)
{
	struct json_object *facts = json_object_object_get(doc, "facts");
	size_t i;

	for (i = 0; i < json_object_array_length(facts); i++)
		printf("%s%s", i ? between : "",
		       json_object_get_string(json_object_array_get_idx(facts, i)));
	putchar('\n');
}

static void print_findings(struct json_object *doc, const char *kind, const char *before)
{
	struct json_object *findings = json_object_object_get(doc, kind);
	size_t i, j;

	for (i = 0; i < json_object_array_length(findings); i++) {
		struct json_object *finding = json_object_array_get_idx(findings, i);
		struct json_object *remedies = json_object_object_get(finding, "remedies");

		printf("  %s%s\n", before, string_of(finding, "text"));
		for (j = 0; j < json_object_array_length(remedies); j++) {
			struct json_object *remedy = json_object_array_get_idx(remedies, j);

			printf("    %s: %s\n", string_of(remedy, "where"),
			       string_of(remedy, "text"));
		}
	}
}

/* Whether one has what the other has; what to do about it may name them. */
static bool same_findings(struct json_object *a, struct json_object *b, const char *kind)
{
	struct json_object *left = json_object_object_get(a, kind);
	struct json_object *right = json_object_object_get(b, kind);
	size_t i, n = json_object_array_length(left);

	if (json_object_array_length(right) != n)
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(string_of(json_object_array_get_idx(left, i), "text"),
			   string_of(json_object_array_get_idx(right, i), "text")))
			return false;
	return true;
}

/* How many of the devices after one are as it is. */
static size_t same_as(struct json_object *devices, size_t at)
{
	struct json_object *doc = json_object_array_get_idx(devices, at), *next;
	size_t n;

	for (n = 0; at + n + 1 < json_object_array_length(devices); n++) {
		next = json_object_array_get_idx(devices, at + n + 1);
		if (!json_object_equal(json_object_object_get(doc, "facts"),
				       json_object_object_get(next, "facts")) ||
		    !same_findings(doc, next, "obstacles") || !same_findings(doc, next, "notes"))
			break;
	}
	return n;
}

static const char *name_at(struct json_object *devices, size_t at)
{
	return string_of(json_object_array_get_idx(devices, at), "name");
}

/* Of those that are ready the notes are left out, unless they were asked for. */
static void print_device(struct json_object *doc, bool all)
{
	printf("%s: %s", string_of(doc, "name"), is_ready(doc) ? "ready; " : "");
	print_facts(doc, ", ");
	print_findings(doc, "obstacles", "");
	if (all || !is_ready(doc))
		print_findings(doc, "notes", "note: ");
}

static void print_text(struct json_object *doc, struct json_object *devices, bool all)
{
	const size_t n = json_object_array_length(devices);
	size_t i, same;

	print_facts(doc, "\n");
	print_findings(doc, "obstacles", "");
	print_findings(doc, "notes", "note: ");
	for (i = 0; i < n; i += 1 + same) {
		print_device(json_object_array_get_idx(devices, i), all);
		same = all ? 0 : same_as(devices, i);
		if (same)
			printf("  the same: %s", name_at(devices, i + 1));
		if (same > 1)
			printf(" to %s, %zu devices", name_at(devices, i + same), same);
		if (same)
			putchar('\n');
	}
}

int command_doctor(char **args, const struct options *opts)
{
	struct json_object *doc = json_object_new_object();
	struct patient patient = { .devices = json_object_new_array(), .doc = doc };
	const bool all = args[0];
	int status = STATUS_OK, err;
	size_t i;

	json_object_object_add(doc, "ready", json_object_new_boolean(true));
	json_object_object_add(doc, "reason", NULL);
	add_arrays(doc);
	json_object_object_add(doc, "devices", patient.devices);
	err = evfio_diagnose_board(found, &patient);
	if (!err && !all)
		err = evfio_diagnose(NULL, found, &patient);
	for (; !err && *args; args++)
		err = evfio_diagnose(*args, found, &patient);
	if (err) {
		json_object_put(doc);
		return report();
	}
	for (i = 0; all && i < json_object_array_length(patient.devices); i++) {
		if (!is_ready(json_object_array_get_idx(patient.devices, i)))
			status = STATUS_OBSTACLE;
	}
	if (!is_ready(doc))
		status = STATUS_OBSTACLE;
	if (opts->json) {
		json_print(doc);
		return status;
	}
	print_text(doc, patient.devices, all);
	json_object_put(doc);
	return status;
}
