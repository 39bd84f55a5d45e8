"""Runs the virtual GPU's speed example, whose result it checks itself, and holds it against the bars. Called by scripts/bench/vgpu."""

import json
import subprocess
import sys

PROGRAM = "target/release/examples/speed"
INSTRUCTIONS_PER_S = 15e6
SPEEDUP = 1.8
CPU_S = 1.0


def main():
    cases = []
    for checks in ("none", "all"):
        out = subprocess.run([PROGRAM, "--json", "--checks", checks], check=True, capture_output=True, text=True).stdout
        found = json.loads(out)
        rate, speedup, cpu = found["warp_instructions_per_cpu_s"], found["speedup_2"], found["cpu_1_s"]
        for name, ours, unit, bar, ok in (
            ("warp instructions per core", rate / 1e6, "M/s", INSTRUCTIONS_PER_S / 1e6, rate >= INSTRUCTIONS_PER_S),
            ("two cores over one", speedup, "x", SPEEDUP, speedup >= SPEEDUP),
            ("CPU time", cpu, "s", CPU_S, cpu < CPU_S),
        ):
            ratio = bar / ours if unit == "s" else ours / bar
            cases.append({"case": f"sgemm {found['size']}^3, checks {checks}: {name}", "ours": ours, "peer": None, "unit": unit,
                          "ratio": ratio, "bar": bar, "ok": ok})
    if "--json" in sys.argv:
        print(json.dumps(cases, indent=2))
    else:
        for case in cases:
            print(f"{'ok  ' if case['ok'] else 'FAIL'}  {case['ours']:.3f} {case['unit']} (bar {case['bar']})  {case['case']}")
    sys.exit(0 if all(case["ok"] for case in cases) else 1)


main()
