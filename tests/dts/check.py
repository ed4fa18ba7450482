#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Apply the overlays for real boards to the kernel's own device trees, and look at the result; prints TAP.

Each overlay in dts/ that has a line "base: FILE" in a comment is meant for that file of arch/arm64/boot/dts in Debian's
linux-source (tests/vm/fetch dts), and has a line "device: NODE" for each device that it is about, with what it does
not have: "(no clocks, no DMA)".
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("EVFIO_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evfio")
LINUX = CACHE / "devicetree" / "6.12"
points = failures = 0


def point(text, faults):
    """Passes if there are no faults."""
    global points, failures
    points += 1
    failures += bool(faults)
    print(f"{'not ' if faults else ''}ok {points} - {text}")
    for fault in faults:
        print("\n".join(f"# {line}" for line in str(fault).splitlines()))
    sys.stdout.flush()


def tool(*command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout.decode(errors='replace')}")
    return done.stdout


def compile_base(name, result):
    """The kernel's way to a device tree with symbols."""
    source = LINUX / "arch/arm64/boot/dts" / name
    flat = result.with_suffix(".flat")
    tool("cpp", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp", "-I", LINUX / "include",
         "-I", source.parent, "-o", flat, source)
    tool("dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-i", source.parent, "-o", result, flat)


class Tree:
    """Properties of a compiled device tree, as bytes."""

    def __init__(self, file):
        self.nodes = {}
        blob = file.read_bytes()
        at, strings = struct.unpack_from(">II", blob, 8)
        path = []
        while True:
            token, = struct.unpack_from(">I", blob, at)
            at += 4
            if token == 1:
                end = blob.index(b"\0", at)
                path.append(blob[at:end].decode())
                self.nodes["/".join(path) or "/"] = {}
                at = (end + 4) & ~3
            elif token == 2:
                path.pop()
            elif token == 3:
                size, name = struct.unpack_from(">II", blob, at)
                name = blob[strings + name:blob.index(b"\0", strings + name)].decode()
                self.nodes["/".join(path) or "/"][name] = blob[at + 8:at + 8 + size]
                at = (at + 8 + size + 3) & ~3
            elif token == 9:
                return

    def refers(self, node, name):
        """The node whose phandle a property begins with; "" if there is none."""
        phandle = self.nodes[node].get(name, b"")[:4]
        return next((path for path, node in self.nodes.items()
                     if phandle and node.get("phandle") == phandle), "")

    def off(self, node):
        """Whether a node or one above it is disabled."""
        parts = node.split("/")
        return any(self.nodes.get("/".join(parts[:n + 1]) or "/", {}).get("status", b"okay\0")
                   not in (b"okay\0", b"ok\0") for n in range(len(parts)))


def look(base, tree, node, lacks):
    """What a driver needs, and does not have in this tree; what the device lacks, and has."""
    if node not in tree.nodes or node not in base.nodes:
        return [f"no node {node}"]
    has, had = tree.nodes[node], base.nodes[node]
    faults = [f"{name} is not the kernel's" for name in ("compatible", "reg", "interrupts", "clocks", "resets")
              if has.get(name) != had.get(name)]
    absent = [name for word in lacks for name in {"clocks": ("clocks",), "DMA": ("iommus", "memory-region")}[word]]
    faults += [f"no {name}" for name in ("compatible", "reg", "interrupts", "clocks", "reg-names", "interrupt-names",
                                         "reg-io-width") if name not in has and name not in absent]
    faults += [f"{name}, which it lacks" for name in absent if name in has]
    if tree.off(node):
        faults.append("it is disabled")
    for name, wanted in (("iommus", "#iommu-cells"), ("memory-region", "compatible")):
        there = tree.refers(node, name)
        if name in has and (not there or wanted not in tree.nodes[there] or tree.off(there)):
            faults.append(f"{name} refers to {there or 'nothing'}")
    if "iommus" not in has and "memory-region" not in has and "DMA" not in lacks:
        faults.append("neither iommus nor memory-region")
    return faults


def streams(name):
    """{label: stream id} of the kernel's device tree for that board, where its author left them as comments."""
    source = LINUX / "arch/arm64/boot/dts" / name
    chip = source.with_name(f"{source.name.split('-')[0]}.dtsi")
    text = chip.read_text() if chip.exists() else ""
    return dict(re.findall(r"(\w+): \S+ \{[^{}]*?/\* iommus = <&smmu (0x\w+)>", text))


def main():
    tool(ROOT / "tests/vm/fetch", "dts")
    overlays = [(path, path.read_text()) for path in sorted((ROOT / "dts").glob("*/*.dtso"))]
    overlays = [(path, text, re.search(r"base: (\S+)", text)) for path, text in overlays]
    overlays = [(path, text, base[1]) for path, text, base in overlays if base]
    point("there are overlays for real boards", [] if len(overlays) > 4 else ["too few"])
    for path, text, name in overlays:
        label = path.relative_to(ROOT)
        devices = re.findall(r"device: (\S+)(?: \((.*)\))?", text)
        with tempfile.TemporaryDirectory() as tmp:
            base, overlay, merged = (Path(tmp) / n for n in ("base.dtb", "overlay.dtbo", "merged.dtb"))
            try:
                compile_base(name, base)
                tool("dtc", "-@", "-I", "dts", "-O", "dtb", "-o", overlay, path)
                tool("fdtoverlay", "-i", base, "-o", merged, overlay)
            except RuntimeError as error:
                point(f"{label}: applies to the kernel's {name}", [error])
                continue
            point(f"{label}: applies to the kernel's {name}", [])
            before, after = Tree(base), Tree(merged)
            for device, lacks in devices or [("", "")]:
                point(f"{label}: {device} has what a driver needs",
                      look(before, after, device, re.findall(r"no (\w+)", lacks)))
            mine = dict(re.findall(r"&(\w+) \{[^{}]*iommus = <&smmu (0x\w+)>", text))
            if mine:
                theirs = streams(name)
                point(f"{label}: stream ids are the kernel's", [
                    f"{node}: {stream}, not {theirs.get(node)}" for node, stream in mine.items()
                    if theirs.get(node) != stream])
                symbols = after.nodes["/__symbols__"]
                point(f"{label}: all that is on behind the SMMU has one", [
                    node for node in theirs if node not in mine and
                    not after.off(symbols[node].rstrip(b"\0").decode())])
            if "isolation-groups" in text and shutil.which("dt-validate"):
                said = tool("dt-validate", "-s", ROOT / "dts/bindings", "-l", "isolation-groups", merged).decode()
                point(f"{label}: dt-schema: isolation-groups", [said] if said.strip() else [])
    print(f"1..{points}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
