// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * JSON for programs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tool.h"

struct json_object *json_string(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

struct json_object *json_address(uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	return json_string(text);
}

struct json_object *json_sysdev(const struct evfio_sysdev *dev, const char *reason)
{
	struct json_object *doc = json_object_new_object();

	json_object_object_add(doc, "name", json_string(dev->name));
	json_object_object_add(doc, "bus", json_string(dev->bus));
	json_object_object_add(doc, "syspath", json_string(dev->syspath));
	json_object_object_add(doc, "of_path", json_string(dev->of_path));
	json_object_object_add(doc, "driver", json_string(dev->driver));
	json_object_object_add(doc, "group",
			       dev->group < 0 ? NULL : json_object_new_int(dev->group));
	json_object_object_add(doc, "coherent",
			       dev->coherent < 0 ? NULL : json_object_new_boolean(dev->coherent));
	json_object_object_add(doc, "ready", json_object_new_boolean(!reason));
	json_object_object_add(doc, "reason", json_string(reason));
	return doc;
}

int json_print(struct json_object *doc)
{
	puts(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
	return STATUS_OK;
}
