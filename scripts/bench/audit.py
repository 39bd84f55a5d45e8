"""Times `tilecast audit` on a store, best of three whole processes. Called by scripts/bench/audit."""

import json
import resource
import subprocess
import sys
import time

from cases import case, finish

PROGRAM = "target/release/tilecast"
SECONDS = 5.0


def run(store):
    """Seconds and findings of one process."""
    start = time.perf_counter()
    done = subprocess.run([PROGRAM, "audit", store, "--json"], capture_output=True)
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 1):
        sys.exit(done.stderr.decode())
    return seconds, json.loads(done.stdout)


def main():
    store = sys.argv[1]
    runs = [run(store) for _ in range(3)]
    seconds, found = min(runs, key=lambda one: one[0])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    ids = sorted({finding["id"] for finding in found["findings"]})
    title = f"audit of {found['rows']} rows ({len(ids)} kinds of findings, peak {peak:.0f} MiB)"
    finish([case(title, seconds, "s", SECONDS)], "findings: " + ", ".join(ids))


main()
