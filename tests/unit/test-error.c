// SPDX-License-Identifier: GPL-2.0-only
/* Messages. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

static void *other_thread(void *arg)
{
	(void)arg;
	is_str(evfio_error(), "", "another thread has no message");
	fail(-EIO, "its own");
	is_str(evfio_error(), "its own", "until it fails itself");
	return NULL;
}

static void basics(void)
{
	char longest[3000];
	pthread_t thread;

	is_str(evfio_error(), "", "no message before a failure");
	is(fail(-EINVAL, "%s %d", "number", 7), -EINVAL, "fail() gives back its errno");
	is_str(evfio_error(), "number 7", "and leaves a message");
	fail(-EINVAL, "more: %s", evfio_error());
	is_str(evfio_error(), "more: number 7", "which may take up the one before");
	errno = ENOENT;
	is(fail_errno("opening %s", "it"), -ENOENT, "fail_errno() takes errno");
	is_str(evfio_error(), "opening it: No such file or directory", "and says what it means");
	pthread_create(&thread, NULL, other_thread, NULL);
	pthread_join(thread, NULL);
	is_str(evfio_error(), "opening it: No such file or directory", "this thread's has stayed");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	fail(-EINVAL, "%s", longest);
	is((long long)strlen(evfio_error()), 1023, "a message that is too long is cut");
	ok(*evfio_version(), "there is a version: %s", evfio_version());
}

static void sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 bytes" }, { 1, "1 bytes" }, { 1023, "1023 bytes" }, { 1024, "1 KiB" },
		{ 1536, "1536 bytes" }, { 65536, "64 KiB" }, { 8 << 20, "8 MiB" },
		{ 1ULL << 60, "1 EiB" }, { 1ULL << 63, "8 EiB" },
	};
	char text[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		is_str(format_size(text, sizeof(text), cases[i].bytes), cases[i].text, "%s",
		       cases[i].text);
}

static void map_errors(void)
{
	const struct rlimit small = { 65536, 65536 };
	struct evfio_container ct = { .fd = -1 };

	setrlimit(RLIMIT_MEMLOCK, &small);
	is(dma_explain_map(&ct, -ENOMEM, NULL, 8 << 20, 0x10000), -ENOMEM, "over the memory limit");
	message_has("needs 8 MiB, 4 KiB are locked already, the limit is 64 KiB");
	message_has("`ulimit -l` or LimitMEMLOCK=");
	dma_explain_map(&ct, -ENOMEM, NULL, 65536 - 4096, 0x10000);
	message_has("no memory to map 60 KiB");
	dma_explain_map(&ct, -ENOMEM, NULL, 65536, 0x10000);
	message_has("the limit is 64 KiB");
	ct.iommufd = true;
	tree_text("proc/self/status", "VmLck:\t4 kB\nVmPin:\t12 kB\nCapEff:\t0000000000000000\n");
	dma_explain_map(&ct, -ENOMEM, NULL, 65536, 0x10000);
	message_has("needs 64 KiB, 12 KiB are locked already");
	ct.iommufd = false;
	tree_text("proc/self/status", "VmLck:\t0 kB\nCapEff:\t000001ffffffffff\n");
	dma_explain_map(&ct, -ENOMEM, NULL, 8 << 20, 0x10000);
	message_has("no memory to map 8 MiB");
	is(dma_explain_map(&ct, -ENOSPC, NULL, 4096, 0x10000), -ENOSPC, "too many mappings");
	message_has("limit of 65535 mappings");
	message_has("dma_entry_limit");
	is(dma_explain_map(&ct, -EFAULT, (void *)0x1000, 4096, 0x10000), -EFAULT, "bad memory");
	message_has("4 KiB at 0x1000 cannot be mapped");
	is(dma_explain_map(&ct, -EEXIST, NULL, 4096, 0x10000), -EEXIST, "mapped already");
	message_has("IOVA 0x10000");
	is(dma_explain_map(&ct, -EINVAL, NULL, 4096, 0x10000), -EINVAL, "anything else");
	message_has("cannot map 4 KiB at IOVA 0x10000: Invalid argument");
}

static void holders(void)
{
	char path[600], text[256], tiny[20];

	snprintf(path, sizeof(path), "%s/dev/vfio/3", tree_dir());
	file_holders(path, text, sizeof(text));
	is_str(text, "", "nobody has it open");
	tree_link("proc/123/fd/4", "dev/vfio/3");
	file_holders(path, text, sizeof(text));
	is_str(text, "", "a relative link is not what the kernel shows");
	tree_remove("proc/123/fd/4");
	{
		char link[700];

		snprintf(link, sizeof(link), "%s/proc/123/fd/4", tree_dir());
		ok(!symlink(path, link), "a process opens it");
		file_holders(path, text, sizeof(text));
		is_str(text, "pid 123 (edu)", "that one is named");
		tree_text("proc/1/fd/none", "");
		snprintf(link, sizeof(link), "%s/proc/1/fd/9", tree_dir());
		ok(!symlink(path, link), "a second one too");
	}
	file_holders(path, text, sizeof(text));
	ok(strstr(text, "pid 123 (edu)") && strstr(text, "pid 1 (init)"), "both are named");
	file_holders(path, tiny, sizeof(tiny));
	ok(strlen(tiny) < sizeof(tiny), "as many as fit");
}

int main(void)
{
	tree_new();
	basics();
	sizes();
	map_errors();
	holders();
	tree_free();
	return done();
}
