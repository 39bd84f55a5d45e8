"""Runs the virtual GPU's speed example, whose result it checks itself, and holds it against the bars. Called by scripts/bench/vgpu."""

import json
import subprocess

from cases import case, finish

PROGRAM = "target/release/examples/speed"
INSTRUCTIONS_M_PER_S = 15.0
SPEEDUP = 1.8
CPU_S = 1.0


def main():
    cases = []
    for checks in ("none", "all"):
        out = subprocess.run([PROGRAM, "--json", "--checks", checks], check=True, capture_output=True, text=True).stdout
        found = json.loads(out)
        name = f"sgemm {found['size']}^3, checks {checks}"
        rate = found["warp_instructions_per_cpu_s"] / 1e6
        cases.append(case(f"{name}: warp instructions per core", rate, "M/s", INSTRUCTIONS_M_PER_S, least=True))
        cases.append(case(f"{name}: two cores over one", found["speedup_2"], "x", SPEEDUP, least=True))
        cases.append(case(f"{name}: CPU time", found["cpu_1_s"], "s", CPU_S))
    finish(cases)


main()
