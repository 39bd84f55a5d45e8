"""What every bench says: a list of cases, each with a figure of ours and a bar, as lines or as JSON."""

import json
import sys


def case(name, ours, unit, bar, least=False, peer=None):
    """One case; the bar is the most that `ours` may be, or the least. `ratio` is at least 1 where it is met."""
    ratio = ours / bar if least else bar / max(ours, 1e-9)
    ok = ours >= bar if least else ours <= bar
    return {"case": name, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, "bar": bar, "ok": ok}


def finish(cases, *notes):
    """Prints the cases, with `--json` as JSON and without the notes; exits with 1 where a bar is missed."""
    if "--json" in sys.argv:
        print(json.dumps(cases, indent=2))
    else:
        for one in cases:
            print(f"{'ok  ' if one['ok'] else 'FAIL'}  {one['ours']:.4g} {one['unit']} (bar {one['bar']})  {one['case']}")
        for note in notes:
            print(note)
    sys.exit(0 if all(one["ok"] for one in cases) else 1)
