"""Rank correlation and winner's regret between two runs of one sweep, per problem. Called by scripts/bench/repeatability."""

import json
import sys
from collections import defaultdict

from cases import case, finish

BAR_CORRELATION = 0.98
BAR_REGRET = 0.03


def ranks(values):
    """Average ranks, ties shared."""
    order = sorted(range(len(values)), key=values.__getitem__)
    out = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for at in order[i : j + 1]:
            out[at] = (i + j) / 2
        i = j + 1
    return out


def spearman(a, b):
    """Spearman's rank correlation."""
    a, b = ranks(a), ranks(b)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    spread = sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b)
    return covariance / spread**0.5


def main():
    path = sys.argv[1]
    times = defaultdict(lambda: defaultdict(dict))
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        if row["status"] == "ok":
            times[row["problem"]][row["experiment_id"]][row["run_id"]] = row["time_s"]
    runs = sorted({run for problem in times.values() for by_run in problem.values() for run in by_run})
    first, second = runs
    cases = []
    for problem, experiments in sorted(times.items()):
        both = [t for t in experiments.values() if first in t and second in t]
        a, b = [t[first] for t in both], [t[second] for t in both]
        correlation = spearman(a, b)
        regret = b[min(range(len(a)), key=a.__getitem__)] / min(b) - 1
        name = f"{problem} ({len(both)} configurations)"
        again = "the same sweep again"
        cases.append(case(f"rank correlation, {name}", correlation, "", BAR_CORRELATION, least=True, peer=again))
        cases.append(case(f"winner's regret, {name}", regret, "fraction", BAR_REGRET, peer=again))
    finish(cases)


main()
