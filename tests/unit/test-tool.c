// SPDX-License-Identifier: GPL-2.0-only
/* The evfio command, run on the made-up tree. EVFIO_TOOL is how to call it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "libtap.h"

static char output[16384];

/* Runs the command with arguments; gives its exit status and leaves what it printed in output. */
static int run(const char *args, const char *filter)
{
	const char *tool = getenv("EVFIO_TOOL");
	char command[2048];
	size_t len;
	FILE *pipe;

	snprintf(command, sizeof(command), "%s --sysfs %s/sys %s 2>&1 %s", tool ? tool : "evfio",
		 tree_dir(), args, filter);
	pipe = popen(command, "r");
	if (!pipe)
		return -1;
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

static void prints(const char *args, int status, const char *text)
{
	is(run(args, ""), status, "evfio %s: exit status %d", args, status);
	if (!ok(strstr(output, text), "it prints \"%s\"", text))
		printf("# it printed: %s\n", output);
}

/* The JSON that the command prints, as Python reads it, must make the expression true. */
static void json(const char *args, const char *expression)
{
	char filter[1024];

	snprintf(filter, sizeof(filter),
		 "| /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin); "
		 "sys.exit(0 if %s else 1)'", expression);
	if (!is(run(args, filter), 0, "evfio %s: %s", args, expression))
		printf("# %s\n", output);
}

/* The same on a terminal of the kind that is given. */
static void terminal(const char *kind, const char *args, const char *text)
{
	static const char spawn[] = "import os, pty, sys; "
		"sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
	const char *tool = getenv("EVFIO_TOOL");
	char wrapped[1024];

	snprintf(wrapped, sizeof(wrapped), "env %s /usr/bin/python3 -c '%s' %s", kind, spawn,
		 tool ? tool : "evfio");
	setenv("EVFIO_TOOL", wrapped, 1);
	prints(args, 0, text);
	if (tool)
		setenv("EVFIO_TOOL", tool, 1);
	else
		unsetenv("EVFIO_TOOL");
}

/* 0000:00:01.0 becomes a PF, 0000:00:01.1 its VF. */
static void sriov(void)
{
	static const char place[] = "sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.";
	char path[128], target[128];

	prints("sriov list", 0, "");
	ok(!*output, "no device has SR-IOV: no line");
	terminal("TERM=linux", "sriov list", "no device has SR-IOV");
	json("sriov list --json", "d == []");
	prints("sriov create 0000:00:01.0 2", 1, "evfio: 0000:00:01.0 has no SR-IOV");
	snprintf(path, sizeof(path), "%s0/sriov_totalvfs", place);
	tree_text(path, "7\n");
	snprintf(path, sizeof(path), "%s0/sriov_numvfs", place);
	tree_text(path, "1\n");
	snprintf(path, sizeof(path), "%s0/virtfn0", place);
	snprintf(target, sizeof(target), "%s1", place);
	tree_link(path, target);

	prints("sriov list", 0, "0000:00:01.0\t1 of 7\t8\tvfio-pci");
	ok(strstr(output, "vfio-pci\n0000:00:01.1\t-\t8\tnvme\n"), "and its VF");
	terminal("TERM=linux", "sriov list", "0000:00:01.0    1 of 7      8      vfio-pci");
	ok(strstr(output, "FUNCTION        VFS         GROUP  DRIVER"), "with a heading");
	json("sriov list --json", "[p[\"name\"] for p in d] == [\"0000:00:01.0\"] and "
	     "d[0][\"total_vfs\"] == 7");
	json("sriov list --json", "[v[\"name\"] for v in d[0][\"vfs\"]] == "
	     "[\"0000:00:01.1\"] and \"nvme\" in d[0][\"vfs\"][0][\"reason\"]");
	prints("sriov create 0000:00:01.0 1", 0, "0000:00:01.1: bound to nvme, group 8");
	prints("sriov create 0000:00:01.0 9", 1, "can have 1 to 7 virtual functions, not 9");
	prints("sriov create 0000:00:01.0 2", 1, "`evfio sriov remove 0000:00:01.0` first");
	prints("sriov remove 0000:00:01.0", 1, "0000:00:01.1 is bound to nvme");
	prints("sriov remove 0000:00:01.0 --force", 0, "");
	prints("sriov list", 0, "0000:00:01.0\t0 of 7");

	prints("sriov", 2, "usage: evfio sriov list");
	ok(strstr(output, "\n              evfio sriov create DEVICE N\n"), "and what else there is");
	prints("sriov frobnicate", 2, "usage: evfio sriov list");
	prints("sriov list more", 2, "usage: evfio sriov list");
	prints("sriov create 0000:00:01.0", 2, "evfio sriov create DEVICE N");
	prints("sriov create 0000:00:01.0 two", 2, "not a number of virtual functions: two");
	prints("sriov create 0000:00:01.0 -- -1", 2, "not a number of virtual functions: -1");
	prints("sriov create 0000:00:01.0 70000", 2, "not a number of virtual functions: 70000");
	prints("sriov remove", 2, "evfio sriov remove DEVICE");
	prints("sriov remove --json 0000:00:01.0", 2, "--json is not for sriov remove");
	prints("sriov create --force 0000:00:01.0 1", 2, "--force is not for sriov create");
	prints("unbind --force 0000:00:01.0", 2, "--force is not for unbind");

	is(run("token new", "| grep -cE '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
	       "[0-9a-f]{12}$'"), 0, "a new token");
	prints("token", 2, "usage: evfio token new");
	prints("token old", 2, "usage: evfio token new");
	prints("token new more", 2, "usage: evfio token new");
	prints("token new --json", 2, "--json is not for token");
}

/* A description of registers that has one line, and what is said of it. */
static void names(const char *line, const char *text)
{
	char path[1024], args[1200], message[1200];

	snprintf(path, sizeof(path), "%s/edu.regs", tree_dir());
	snprintf(args, sizeof(args), "# QEMU's edu\nid 0 4 r\n\n%s\n", line);
	tree_text("edu.regs", args);
	snprintf(args, sizeof(args), "regs --names %s 20000000.edu", path);
	snprintf(message, sizeof(message), *text ? "evfio: %s:4: %s" : "no device", path, text);
	prints(args, 1, message);
}

/* What is said of words before a device is opened: there is no 20000000.edu. */
static void regs(void)
{
	static const char line[] = "a line is NAME [REGION+]OFFSET WIDTH [ACCESS]";
	static const char name[] = "a name has up to 31 characters, no +, : or =, and begins with "
				   "no digit";
	static const char offset[] = "an offset is a number, or a region, + and a number";
	static const char width[] = "a width is 1, 2, 4 or 8 bytes";
	char args[1200];

	names("liveness regs+0x04 4\nack 100 8 w # all\n\tcount\tbar0+8 2 rw\n", "");
	names("liveness", line);
	names("liveness 4", line);
	names("liveness 4 4 rw now", line);
	names("liveness 4 3", width);
	names("liveness 4 16", width);
	names("liveness 4 four", width);
	names("liveness 4 4 ro", "an access is r, w or rw");
	names("4 4 4", name);
	names("live+ness 4 4", name);
	names("x2345678901234567890123456789012 4 4", name);
	names("liveness 0x 4", offset);
	names("liveness -4 4", offset);
	names("liveness 0x10000000000000000 4", offset);
	names("liveness regs 4", offset);
	names("liveness regs+4:8 4", offset);
	names("id 4 4", "there is a register of that name already");
	prints("regs --names /no/such/file 20000000.edu", 1,
	       "/no/such/file: No such file or directory");

	names("ack 0x64 4 w", "");
	snprintf(args, sizeof(args), "regs --names %s/edu.regs 20000000.edu ack", tree_dir());
	prints(args, 1, "edu.regs:4: ack cannot be read");
	snprintf(args, sizeof(args), "regs 20000000.edu ack =1 id =2 --names %s/edu.regs",
		 tree_dir());
	prints(args, 1, "edu.regs:2: id cannot be written");

	prints("regs", 2, "usage: evfio regs DEVICE");
	prints("regs 20000000.edu", 1, "no device 20000000.edu");
	prints("regs 20000000.edu regs+0x4 regs+0x4:16 =5", 2, "one register is written at a time");
	prints("regs 20000000.edu regs =5", 2, "one register is written at a time");
	prints("regs 20000000.edu =5", 2, "no register: =5");
	prints("regs 20000000.edu +4=8", 2, "=VALUE is a word of its own, not the end of +4=8");
	prints("regs 20000000.edu regs+4x", 2, "no register: regs+4x");
	prints("regs 20000000.edu regs+4:0", 2, "no register: regs+4:0");
	prints("regs 20000000.edu regs+4 =", 2, "no value: =");
	prints("regs 20000000.edu regs+4 =5x", 2, "no value: =5x");
	prints("regs --width 3 20000000.edu", 2, "not a width of 1, 2, 4 or 8 bytes: 3");
	prints("info --width 4 20000000.edu", 2, "--width is not for info");

	prints("irq watch 20000000.edu", 1, "no device 20000000.edu");
	prints("irq watch 20000000.edu done regs+4 =1", 1, "no device 20000000.edu");
	prints("irq watch 20000000.edu done regs+4", 2, "there is no =VALUE for regs+4");
	prints("irq watch 20000000.edu --count 0", 2, "not a number of interrupts: 0");
	prints("irq watch 20000000.edu --timeout never", 2, "not 0.001 to 1000000 seconds: never");
	prints("irq watch 20000000.edu --timeout 0", 2, "not 0.001 to 1000000 seconds: 0");
	prints("dma test 20000000.edu", 1, "no device 20000000.edu");
	prints("bench 20000000.edu", 1, "no device 20000000.edu");
	prints("bench", 2, "usage: evfio bench DEVICE");
	prints("dma test --count 1 20000000.edu", 2, "--count is not for dma test");
}

/* The made-up tree has no /dev and no /proc for a command: what the board says of those differs. */
static void doctor(void)
{
	is(run("doctor 10300000.edu", ""), 3, "evfio doctor of what the host has: exit status 3");
	ok(!strncmp(output, "VFIO is the kernel's own", 24), "it begins with the board");
	ok(strstr(output, "\n10300000.edu: IOMMU (group 6), not coherent, no region, "), "what it has");
	ok(strstr(output, "\n  the host's driver syscon has it\n"
		  "    as root: evfio bind 10300000.edu\n"), "what mends it");
	run("doctor", "");
	ok(strstr(output, "\n9010000.pl031: ready; IOMMU (group 7), "), "of all: what is ready");
	ok(!strstr(output, "\n  note: it is opened with"), "without notes");
	tree_link("sys/devices/platform/9010000.pl031/physfn",
		  "sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.0");
	run("doctor 9010000.pl031 10000000.edu", "");
	ok(strstr(output, "\n  note: it is opened with the token of 0000:00:01.0 only"),
	   "of one: with notes");
	ok(strstr(output, "\n10000000.edu: ready; "), "and another");
	prints("doctor 20000000.edu", 1, "no device 20000000.edu");
	prints("doctor --force", 2, "--force is not for doctor");
	json("doctor --json 10300000.edu 10000000.edu", "[(x[\"name\"], x[\"ready\"]) "
	     "for x in d[\"devices\"]] == [(\"10300000.edu\", False), (\"10000000.edu\", True)]");
	json("doctor --json 10300000.edu", "d[\"devices\"][0][\"obstacles\"] == "
	     "[{\"text\": d[\"devices\"][0][\"reason\"], \"remedies\": [{\"where\": "
	     "\"as root\", \"text\": \"evfio bind 10300000.edu\"}]}]");
	json("doctor --json", "\"facts\" in d and d[\"notes\"] is not None and "
	     "d[\"ready\"] == (not d[\"obstacles\"])");
}

int main(void)
{
	tree_new();
	prints("--help", 0, "usage: evfio");
	prints("--version", 0, "evfio ");
	prints("", 2, "usage: evfio");
	prints("frobnicate", 2, "no command frobnicate: see `evfio --help`");
	prints("--frobnicate", 2, "unrecognized option");
	prints("list more", 2, "usage: evfio list");
	prints("info", 2, "usage: evfio info DEVICE");
	prints("info 10000000.edu 10100000.edu", 2, "usage: evfio info DEVICE");
	prints("bind", 2, "usage: evfio bind DEVICE...");
	prints("unbind", 2, "usage: evfio unbind DEVICE...");
	prints("reset", 2, "usage: evfio reset DEVICE");
	prints("reset --json 10000000.edu", 2, "--json is not for reset");
	prints("reset 20000000.edu", 1, "no device 20000000.edu");
	prints("bind --json 10000000.edu", 2, "--json is not for bind");

	prints("list", 0, "10000000.edu\tplatform\t3\tvfio-platform\tready");
	ok(!strstr(output, "DEVICE") && !strstr(output, "\033"), "neither heading nor colours");
	terminal("NO_COLOR= TERM=linux", "list",
		 "10000000.edu   platform  3      vfio-platform  \033[32mready\033[m");
	ok(strstr(output, "DEVICE         BUS       GROUP  DRIVER         STATE"), "a heading");
	terminal("TERM=dumb", "list", "vfio-platform  ready");
	terminal("NO_COLOR=1 TERM=linux", "list", "vfio-platform  ready");
	prints("list", 0, "group 5 is not viable: 10300000.edu is bound to syscon");
	prints("list", 0, "used by the host");
	ok(strstr(output, "\tnvme\tused by the host\n10400000.edu"),
	   "what has no group comes last");
	prints("list", 0, "no driver");
	prints("--sysfs /no/such/tree list", 1, "No such file or directory");
	json("list --json", "len(d) == 9");
	json("--json list", "[x[\"name\"] for x in d if x[\"ready\"]] == "
	     "[\"10000000.edu\", \"9010000.pl031\"]");
	json("list --json", "d[1][\"driver\"] is None and d[1][\"group\"] == 4");
	json("list --json", "d[4][\"group\"] is None");
	json("list --json", "d[4][\"of_path\"] == \"/soc/edu@10400000\"");
	json("list --json", "\"syscon\" in d[2][\"reason\"] and d[0][\"reason\"] is None");
	json("list --json", "d[0][\"coherent\"] is True and d[3][\"coherent\"] is False");

	prints("info 10200000.edu", 0, "10300000.edu (syscon)");
	prints("info /edu@10000000", 0, "qemu,edu");
	prints("info 0000:00:01.1", 0, "pci          1b36:0010 class 010802");
	json("info --json 0000:00:01.1", "d[\"pci_id\"] == \"1b36:0010\" and "
	     "d[\"pci_class\"] == \"010802\"");
	json("info --json 10000000.edu", "\"pci_id\" not in d");
	prints("info 20000000.edu", 1, "no device 20000000.edu");
	json("info --json 10200000.edu", "[m[\"driver\"] for m in d[\"members\"]] == "
	     "[\"vfio-platform\", \"syscon\"]");
	json("info --json 10000000.edu", "d[\"compatible\"] == \"qemu,edu\"");

	doctor();
	tree_text("sys/class/tty/console/active", "ttyAMA0\n");
	tree_text("sys/devices/platform/10300000.edu/tty/ttyAMA0/dev", "204:64\n");
	tree_link("sys/class/tty/ttyAMA0", "sys/devices/platform/10300000.edu/tty/ttyAMA0");
	prints("bind 10300000.edu", 1, "evfio: 10300000.edu is the console, ttyAMA0");
	ok(!*tree_read("sys/bus/platform/drivers/syscon/unbind"), "which is left alone");
	prints("bind --force 20000000.edu 10300000.edu", 1, "no device 20000000.edu");
	ok(strstr(output, "did not take 10300000.edu"), "the second device was tried all the same");
	prints("unbind 10300000.edu", 1, "not bound to VFIO but to syscon");
	regs();
	sriov();
	tree_free();
	return done();
}
