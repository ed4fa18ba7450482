#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check the documentation against what it is about; prints TAP.

	tests/docs/check.py [CHECK...]		all of them, or some of: names messages interface tutorial commands

names		what README.md and docs/ name is there: make's targets and variables, subcommands and options of
		evfio, parameters of modules, functions of the library, files
messages	docs/troubleshooting.md has each message of the modules and of the library, and no other; docs/porting.md
		quotes evfio doctor
interface	docs/interface.md has each ioctl and feature that the modules answer, and no other, and names tests that there are
tutorial	docs/tutorial.md is done, on the board: a fenced block whose first line names a file becomes that file,
		or is added to it; one in sh is run here; one in console on the board, where each line that begins with
		"# " is a command and those that follow are what it prints ("..." is any number of lines); and
		docs/demo.svg shows what its first command does
commands	the console blocks of the other pages are done likewise, those of a page in order and in one guest; "pci" or
		"noiommu" after the word console is the board: the PCI one, or one without its SMMU; with A=B the device A of
		somebody's board is B of ours. Modules are loaded there
		already, so what modprobe names has to be. What is in sh (make's lanes, and what is for the reader's machine
		or board) and in text (it takes hardware, or programs, that the board lacks) is only checked by "names"
"""

import difflib
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import render

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
points = failures = 0


def point(text, faults):
    """Passes if there are no faults."""
    global points, failures
    points += 1
    failures += bool(faults)
    print(f"{'not ' if faults else ''}ok {points} - {text}")
    for fault in faults:
        for line in str(fault).splitlines():
            print(f"# {line}")
    sys.stdout.flush()


def blocks(text):
    """The fenced blocks of a document: each with its language, the file it names or "", and its lines."""
    for match in re.finditer(r"^( *)```(\w+) ?(\S*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield match[2], match[3], [line.removeprefix(match[1]) for line in match[4].splitlines()]


def code(document):
    """What of a document is code, without comments at the ends of lines: spans, indented and fenced lines."""
    text = document.read_text()
    fenced = [line for _, _, lines in blocks(text) for line in lines]
    text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^(?: {4}|\t) *(?![-*] )(\S.*)", text, re.MULTILINE)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", text)]
    return [re.sub(r"\s+# .*", "", re.sub(r"^[$#] ", "", line)) for line in [*spans, *indented, *fenced]]


# ---------------------------------------------------------------------------------------------- names

@functools.lru_cache(None)
def sources(*patterns):
    return "\n".join(p.read_text() for pattern in patterns for p in sorted(ROOT.glob(pattern)) if p.is_file())


def targets():
    database = subprocess.run(["make", "-pnrR", "help"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    return set(re.findall(r"^([\w.%-]+):(?!=)", database, re.MULTILINE))


def wrong_make(line, known):
    """What a command "make WORD..." names that is not there."""
    build = sources("Makefile", "*/*.mk", "tests/*/*.mk", "tests/*/run", "tests/vm/*", "tests/fuzz/*", "tests/lint",
                    "tests/kernel/*", "tests/unit/run", ".ci/run")
    for words in re.findall(r"(?:^|&& |; )\s*(?:\w+=\S* )*make((?: [^\s;&|]+)+)", line):
        for word in words.split():
            name, is_variable, _ = word.partition("=")
            if is_variable:
                if not re.search(rf"\$[({{]{name}\b|foreach \w+,[\w ]*\b{name}\b|environ.*\"{name}\"", build):
                    yield f"make {word}: nothing looks at {name}"
            elif re.fullmatch(r"[a-z][\w.-]*", word) and word not in known and \
                    not (ROOT / "configs" / word).exists():
                yield f"make {word}: no such target"


def wrong_evfio(line, commands, options):
    for first, rest in re.findall(r"(?:^|[;|&(]\s*)evfio ([\w-]+)([^;|&`\"]*)", line):
        if first.startswith("--"):
            continue
        second = rest.split()[0] if rest.split() else ""
        if first not in commands and f"{first} {second}" not in commands:
            yield f"evfio {first} {second}: no such command"
        for option in re.findall(r"--([\w-]+)", rest):
            if option not in options:
                yield f"evfio {first} --{option}: no such option"


def check_names():
    known = targets()
    tool = sources("tools/evfio.c")
    commands = set(re.findall(r'^\t\{ "([a-z ]+)", "', tool, re.MULTILINE))
    options = set(re.findall(r'^\t\{ "([a-z]+)", (?:required|no)_argument', tool, re.MULTILINE))
    modules = {"vfio": ["core/*.c", "iommu/noiommu/*.c"], "vfio_iommu_type1": ["iommu/smmu/*.c"],
               "vfio_platform": ["bus/platform/*.c"], "vfio_pci": ["bus/pci/*.c"]}
    functions = sources("include/evfio/*.h", "core/*.[ch]", "bus/*/*.[ch]", "iommu/*/*.[ch]", "lib/*.[ch]")
    places = "|".join(sorted(p.name for p in ROOT.iterdir() if p.is_dir() and p.name not in ("build", ".git")))
    assert "check" in known and "irq watch" in commands and "timeout" in options
    for document in DOCUMENTS:
        lines = code(document)
        name = document.relative_to(ROOT)
        made = {file for _, file, _ in blocks(document.read_text())}
        point(f"{name}: make's targets and variables", [
            fault for line in lines for fault in wrong_make(line, known)])
        point(f"{name}: commands of evfio", [
            fault for line in lines for fault in wrong_evfio(line, commands, options)])
        point(f"{name}: parameters of modules", [
            f"{module}.{parameter}" for line in lines
            for module, parameter in re.findall(r"(?<![-\w/])(vfio|vfio_\w+)\.([a-z]\w+)", line)
            if parameter != "ko" and not re.search(rf"module_param\w*\((?:\w+, )?{parameter}\b",
                                                   sources(*modules.get(module, [])))])
        point(f"{name}: functions", [
            f"{function}()" for line in lines for function in re.findall(r"\b(evfio_\w+)\(\)", line)
            if not re.search(rf"\b{function}\b", functions)])
        point(f"{name}: files", [
            path for line in lines
            for path in re.findall(rf"(?<![\w/.$-])((?:{places})/[\w./*,-]*[\w*/])", line)
            if path not in made and not path.startswith(("lib/udev/", "lib/modules/")) and
            not any(ROOT.glob(path.rstrip("/")))])


# ------------------------------------------------------------------------------------------- messages

PIECE = r'(?:"(?:[^"\\]|\\.)*"|PRI[diuxX]\w+)'
CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j|t)?(?:\0|pOF|pa|[a-zA-Z])")
# What is printed of a message of the library in another one's place is no message of its own.
NOTHING = {"", "…", "…: …"}


def spoken(pieces):
    """A format string as a reader sees it, what varies as an ellipsis."""
    text = "".join(piece[1:-1] if piece[0] == '"' else "\0" for piece in re.findall(PIECE, pieces))
    return CONVERSION.sub("…", text.replace(r"\n", "").replace(r"\"", '"')).replace("……", "…")


def messages(calls, *patterns):
    """{message: where} of the calls in these sources."""
    found = {}
    for source in (p for pattern in patterns for p in sorted(ROOT.glob(pattern))):
        text = source.read_text()
        for match in re.finditer(rf"\b(?:{calls})\(([^;\"]*?)({PIECE}(?:\s*{PIECE})*)", text):
            line = text.count("\n", 0, match.start()) + 1
            found.setdefault(spoken(match[2]), f"{source.relative_to(ROOT)}:{line}")
    return {message: where for message, where in found.items() if message not in NOTHING}


def check_messages():
    document = (ROOT / "docs" / "troubleshooting.md").read_text()
    for title, said in (
            ("Messages of the modules", messages(r"(?:pr|dev)_(?:err|warn|notice|info|crit|alert|emerg)\w*",
                                         "core/*.c", "bus/*/*.c", "iommu/*/*.c")),
            ("Messages of the library", messages("fail|fail_errno", "lib/*.c"))):
        part = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
        told = [match[2] for match in re.finditer(r"^- (`+) ?(.+?) ?\1$", part[1] if part else "", re.MULTILINE)]
        assert len(said) > 10
        point(f"docs/troubleshooting.md, {title}: each has an entry", [
            f"{where}: {message}" for message, where in said.items() if message not in told])
        point(f"docs/troubleshooting.md, {title}: no other has", [
            message for message in told if message not in said])
        point(f"docs/troubleshooting.md, {title}: each once", [
            message for message in set(told) if told.count(message) > 1])
    check_doctor()


def check_doctor():
    """Whether docs/porting.md has the words of evfio doctor."""
    said = messages("say", "lib/doctor.c")
    rows = re.findall(r"^\| `([^`]+)`(?:, of a node)? \| .* \| .* \|$", (ROOT / "docs" / "porting.md").read_text(),
                      re.MULTILINE)
    point("docs/porting.md: evfio doctor says such", ["no row"] if len(rows) < 5 else [
        row for row in rows if not any(row.replace("...", "…") in message for message in said)])


# ------------------------------------------------------------------------------------------ interface

def check_interface():
    known = set(re.findall(r"^\t\{ (E?VFIO_\w+), ", sources("core/*.c", "bus/*/*.c", "iommu/*/*.c"), re.MULTILINE))
    rows = re.findall(r"^\| `(E?VFIO_\w+)` \|.*\| ([\w, ]+) \|$", (ROOT / "docs" / "interface.md").read_text(), re.MULTILINE)
    told = [name for name, _ in rows]
    assert len(known) > 30
    point("docs/interface.md has each ioctl of the modules", sorted(known - set(told)))
    point("docs/interface.md has no other", sorted(set(told) - known))
    point("docs/interface.md has each once", [name for name in set(told) if told.count(name) > 1])
    point("docs/interface.md names tests that there are", [
        f"{name}: {test}" for name, tests in rows for test in tests.split(", ")
        if not (ROOT / "tests" / "abi" / f"{test}.c").exists()])


# ------------------------------------------------------------------------------------------- tutorial

def agrees(wanted, got):
    """Whether lines are as wanted, in which "..." is any number of them, or within one any text."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
                      for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got))


def session(lines):
    """The commands of a console block, each with the lines that it shall print."""
    steps = []
    for line in lines:
        if line.startswith("# "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def check_picture(said):
    """Whether docs/demo.svg is what `make demo` says, but for the date and number of a node in /dev."""
    def steady(lines):
        return [re.sub(r"\d+", "N", re.sub(r" [A-Z]\w\w +\d+ [\d:]+ ", " ", line)) if line.startswith("crw") else line
                for line in lines if line]
    drawn = steady(render.written((ROOT / "docs" / "demo.svg").read_text()))
    shown = steady(render.shown(said))
    point("docs/demo.svg: what make demo shows", list(difflib.unified_diff(drawn, shown, "drawn", "shown", n=0, lineterm="")))


def check_tutorial():
    tutorial = ROOT / "docs" / "tutorial.md"
    started, steps, begun = "", [], set()
    # As a reader's shell has it, not as our caller's make has.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("BUILD", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "KERNEL")}
    work = ROOT / "build" / "sd"
    for language, file, lines in blocks(tutorial.read_text()):
        if file:
            path = ROOT / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a" if file in begun else "w") as out:
                out.write("".join(f"{line}\n" for line in lines))
            begun.add(file)
        elif language == "console":
            steps += session(lines)
        elif language == "sh" and lines[-1].endswith("--shell"):
            started = lines[-1]
        elif language == "sh":
            done = subprocess.run(["sh", "-e", "-c", "\n".join(lines)], cwd=ROOT, text=True, env=environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
            point(f"docs/tutorial.md: {lines[0]}", [done.stdout] if done.returncode else [])
            if done.returncode:
                return
            if lines == ["make demo"]:
                check_picture(done.stdout)
    assert started and len(steps) > 5 and len(begun) > 1
    carry_out("docs/tutorial.md", started.replace("--shell", ""), work, steps, environment)


def carry_out(name, start, work, steps, environment, before=""):
    """Does the steps in the guest that a command line starts, and has a point for each."""
    work.mkdir(parents=True, exist_ok=True)
    script = work / "session"
    script.write_text(before + "".join(f"echo '@step'\n{command} 2>&1\n" for command, _ in steps))
    done = subprocess.run(f"{start} --file {script} -- sh /bin/session", shell=True, cwd=ROOT,
                          text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    parts = [part.splitlines() for part in re.split("^@step\n", done.stdout, flags=re.MULTILINE)]
    point(f"{name}: the board starts, and has a clean log", [] if done.returncode == 0 else
          [done.stdout, done.stderr])
    for number, (command, wanted) in enumerate(steps, 1):
        got = parts[number] if number < len(parts) else ["(nothing: it did not come that far)"]
        point(f"{name}: {command}", [] if agrees(wanted, got) else
              [*(f"wanted: {line}" for line in wanted), *(f"got:    {line}" for line in got)])


# ------------------------------------------------------------------------------------------- commands

BOARDS = {"": "", "pci": "--board pci --stock nvme", "noiommu": "--noiommu"}
# The users of docs/sriov.md; and modules, which the board has loaded.
BEFORE = """mkdir -p /etc
printf '%s:x:%s:%s::/:/bin/sh\\n' root 0 0 pf 1000 1000 vf 2000 2000 >/etc/passwd
mkdir -m 711 /run/pf
chown pf /run/pf
modprobe() {
	for module in "$@"; do
		case $module in
		-*) ;;
		*) ls -d "/sys/module/$(echo "$module" | tr - _)" >/dev/null || return ;;
		esac
	done
}
"""


def as_ours(board, lines):
    """A console block as it is done: with a device of our board in the place of another's."""
    theirs, equals, ours = board.partition("=")
    return ("", [line.replace(theirs, ours) for line in lines]) if equals else (board, lines)


def check_commands():
    environment = {name: value for name, value in os.environ.items() if name not in ("BUILD", "KERNEL")}
    ran = 0
    for document in DOCUMENTS:
        name = document.relative_to(ROOT)
        if name.name == "tutorial.md":
            continue
        bare = re.sub(r"^( *)```.*?^\1```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        kinds = [language for language, _, _ in blocks(document.read_text())]
        point(f"{name}: each command is in a fenced block (not run: {kinds.count('sh')} in sh, "
              f"{kinds.count('text')} in text)", re.findall(
            r"^ {4,}((?:[#$] |make |apt |modprobe |evfio |groupadd |tests/|\.ci/).*)", bare, re.MULTILINE))
        consoles = [as_ours(board, lines) for language, board, lines in blocks(document.read_text()) if language == "console"]
        boards = {board for board, _ in consoles}
        point(f"{name}: its console blocks are for one board", boards if len(boards) > 1 or boards - set(BOARDS) else [])
        if len(boards) != 1 or boards - set(BOARDS):
            continue
        # What is left running has written the whole of its first piece before the next command comes.
        steps = [(re.sub(r">(\S+) &$", r">\1 & while ! [ -s \1 ]; do sleep 1; done; sleep 1", command), wanted)
                 for _, lines in consoles for command, wanted in session(lines)]
        carry_out(name, f"tests/vm/run {BOARDS[boards.pop()]}", ROOT / "build" / "docs", steps, environment, BEFORE)
        ran += len(steps)
    assert ran > 10


CHECKS = {"names": check_names, "messages": check_messages, "interface": check_interface,
          "tutorial": check_tutorial, "commands": check_commands}

if __name__ == "__main__":
    for check in sys.argv[1:] or CHECKS:
        CHECKS[check]()
    print(f"1..{points}")
    sys.exit(failures > 0)
