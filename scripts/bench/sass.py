"""Compiles programs with NVRTC, disassembles them and judges the main loops. Called by scripts/bench/sass."""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter

# Arithmetic of each family's main loop by element type; what it is fed from; how many of the former one of the latter must serve.
# gemm_regblock: 8×8 elements per thread take 4 reads of 16 bytes per product in f32; f64 takes 8×4 elements and 8-byte halves twice as often.
# gemm_tc: 64×64 per warp are 32 products of 16×8 for 4 + 4 ldmatrix; tf32 and int8 read transposed operands word by word, which no bar covers.
MATH = {"f32": r"FFMA", "f64": r"DFMA", "f16": r"HMMA", "bf16": r"HMMA", "tf32": r"HMMA", "int8": r"IMMA"}
BARS = {("gemm_regblock", "f32"): 12.0, ("gemm_tc", "f16"): 4.0, ("gemm_tc", "bf16"): 4.0}
WIDE = {"gemm_tc", "gemm_wgmma"}  # families whose device reads are all of 16 bytes where leading dimensions allow it


class Nvrtc:
    """The run-time compiler, through its C interface."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)

    def read(self, program, name):
        """One of the results that are asked for by size and content."""
        size = ctypes.c_size_t()
        getattr(self.library, f"nvrtcGet{name}Size")(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        getattr(self.library, f"nvrtcGet{name}")(program, text)
        return text.raw

    def compile(self, program):
        """Machine code and the log; exits with the log where the text does not compile."""
        handle = ctypes.c_void_p()
        self.library.nvrtcCreateProgram(ctypes.byref(handle), program["text"].encode(), b"kernel.cu", 0, None, None)
        options = [f"--gpu-architecture={program['arch']}", "--std=c++17", "--ptxas-options=-v"]
        options += [f"-D{name}={value}" for name, value in program["defines"]]
        listed = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        failed = self.library.nvrtcCompileProgram(handle, len(options), listed)
        log = self.read(handle, "ProgramLog").decode(errors="replace").strip("\0\n")
        if failed:
            sys.exit(f"error: {label(program)} does not compile\n{log}")
        code = self.read(handle, "CUBIN")
        self.library.nvrtcDestroyProgram(ctypes.byref(handle))
        return code, log


def label(program):
    """The case in words."""
    return " ".join(program[key] for key in ("family", "dtype", "layout", "arch"))


def disassemble(code, kernel):
    """(labels at index, instruction, target of a branch) of one kernel, in order."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        tool = os.environ["TILECAST_NVDISASM"]
        text = subprocess.run([tool, "-c", file.name], check=True, capture_output=True, text=True).stdout
    section = re.search(rf"^\.text\.{kernel}:$(.*?)(^\s*\.section|\Z)", text, re.M | re.S)
    labels, instructions = {}, []
    for line in section.group(1).splitlines():
        if found := re.match(r"^\.(L_\w+):", line):
            labels[found.group(1)] = len(instructions)
        elif "@!PT" in line:
            continue  # fillers around barriers, never executed
        elif found := re.match(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)", line):
            target = re.search(r"\.(L_\w+)\)", found.group(2)) if found.group(1).startswith("BRA") else None
            instructions.append((found.group(1), target.group(1) if target else None))
    return labels, instructions


def main_loop(labels, instructions, math):
    """Instructions of the smallest loop that holds the most arithmetic; all of them where there is no loop."""
    best = [name for name, _ in instructions]
    most, size = 0, len(best)
    for end, (_, target) in enumerate(instructions):
        start = labels.get(target, end + 1)
        if start > end:
            continue
        body = [name for name, _ in instructions[start : end + 1]]
        work = sum(bool(re.match(math, name)) for name in body)
        if work > most or (work == most and len(body) < size):
            best, most, size = body, work, len(body)
    return best


def count(names, pattern):
    """How many names begin with the pattern."""
    return sum(bool(re.match(pattern, name)) for name in names)


def judge(program, log, labels, instructions):
    """Cases of one program."""
    family, dtype = program["family"], program["dtype"]
    every = [name for name, _ in instructions]
    math = "HGMMA" if family == "gemm_wgmma" else "FFMA" if dtype == "f16" and family != "gemm_tc" else MATH[dtype]
    loop = main_loop(labels, instructions, math)
    mix = dict(Counter(name.split(".")[0] for name in loop).most_common())
    registers = max(int(found) for found in re.findall(r"Used (\d+) registers", log))
    cases = []

    def add(what, ours, unit, bar, ok, ratio):
        case = f"{what}, {label(program)} ({program['config']})"
        cases.append({"case": case, "ours": ours, "peer": None, "unit": unit, "ratio": ratio, "bar": bar, "ok": ok, "mix": mix, "registers": registers})

    spilled = sum(int(found) for found in re.findall(r"(\d+) bytes spill", log)) + count(every, "LDL|STL")
    add("spilled bytes and accesses of local memory", spilled, "", 0, spilled == 0, 1.0 if spilled == 0 else 0.0)
    arithmetic = count(loop, math)
    add(f"{math} in the main loop", arithmetic, "instructions", 1, arithmetic >= 1, float(arithmetic))
    if bar := BARS.get((family, dtype)):
        served = arithmetic / max(count(loop, "LDSM|LDS"), 1)
        add(f"{math} per read of shared memory", served, "", bar, served >= bar, served / bar)
    if family in WIDE:
        reads = count(loop, r"LDG(STS)?\.")
        share = count(loop, r"LDG(STS)?\.E(\.\w+)*\.128") / max(reads, 1)
        add("share of 16-byte reads of device memory", share, "", 1.0, reads > 0 and share == 1.0, share)
    return cases


def main():
    path, arguments = sys.argv[1], sys.argv[2:]
    wanted = [argument for argument in arguments if argument != "--json"]
    with open(path, encoding="utf-8") as file:
        programs = [program for program in json.load(file) if not wanted or program["family"] in wanted]
    if not programs:
        sys.exit(f"error: no program of {', '.join(wanted)}")
    nvrtc = Nvrtc(os.environ["TILECAST_NVRTC"])
    cases = []
    for program in programs:
        code, log = nvrtc.compile(program)
        found = judge(program, log, *disassemble(code, program["kernel"]))
        cases += found
        if "--json" not in arguments:
            mix = "  ".join(f"{name} {times}" for name, times in list(found[0]["mix"].items())[:14])
            print(f"{label(program)}: {found[0]['registers']} registers; main loop: {mix}")
            for case in found:
                print(f"  {'ok  ' if case['ok'] else 'FAIL'}  {case['ours']:8.2f} {case['unit']} (bar {case['bar']})  {case['case'].split(',')[0]}")
    if "--json" in arguments:
        print(json.dumps(cases, indent=2))
    sys.exit(0 if all(case["ok"] for case in cases) else 1)


main()
