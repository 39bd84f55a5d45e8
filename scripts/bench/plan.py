"""Times `tilecast plan` on two large specs, best of five whole processes. Called by scripts/bench/plan."""

import json
import subprocess
import tempfile
import time

from cases import case, finish

PROGRAM = "target/release/tilecast"
SECONDS_PER_100K = 1.0
SPECS = {
    "every configuration legal": ("gemm_tiled", f"{{m = {list(range(100, 2100, 10))}, n = 5120, k = 512}}", f"{{ tile = {list(range(1, 501))} }}"),
    "four of five refused": ("gemm_regblock", f"{{m = {list(range(100, 2000, 10))}, n = 512, k = 512}}", "{}"),
}


def best_of(path, runs=5):
    """Fastest of `runs` processes in seconds, and the plan."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        out = subprocess.run([PROGRAM, "plan", path, "--json"], check=True, capture_output=True).stdout
        times.append(time.perf_counter() - start)
    return min(times), json.loads(out)


def main():
    cases = []
    for name, (family, problems, knobs) in SPECS.items():
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as spec:
            spec.write(f'device = "cpu:1t"\n[[sweep]]\nfamily = "{family}"\nproblems = [{problems}]\nknobs = {knobs}\n')
            spec.flush()
            seconds, plan = best_of(spec.name)
        per_100k = seconds * 1e5 / plan["points"]
        looked_at = plan["points"] + plan["skipped"]
        title = f"plan, {name} ({plan['points']} points of {looked_at} configurations)"
        cases.append(case(title, per_100k, "s per 100,000 points", SECONDS_PER_100K))
    finish(cases)


main()
