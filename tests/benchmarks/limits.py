"""`python -m tests.benchmarks.limits`, or `make bench-limits`: at any limit, how long a list takes against the floor.

Four limits are drained at a time, as all of them mostly wait; those of 1,000 a second one after the other, at the end.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.benchmarks.drain import Drained, Entry, Plan, drain
from tests.benchmarks.processes import ROOT
from tests.benchmarks.tables import placed, rows_as_table

WORK = 40
"""Seconds that the work takes at the limit, unless a row says otherwise."""


def plan(rate: float, burst: float, form: str = "header", retry_after: float | None = None) -> Plan:
    """A limit. At 10 a second its refusals ask for five seconds, else for one."""
    asked = retry_after if retry_after is not None else 5 if rate <= 10 else 1
    kind = {"header": "", "page": ", refused with 503"}.get(form, f", 429 in the form `{form}`")
    asks = f", `Retry-After: {retry_after:g}`" if retry_after is not None else ""
    return Plan(f"{rate:g} a second, a bucket of {burst:g}{kind}{asks}", rate, asked, burst, form)


def auto(where: Plan, *, work: float = WORK, found: float | None = None) -> Entry:
    """The automatic rate, which does not know the limit unless an earlier run `found` it."""
    return Entry("job", where, int(work * where.rate), _in_flight(where.rate), "auto", found=found)


def fixed(where: Plan, rate: float, *, work: float = WORK) -> Entry:
    """A rate that was set."""
    return Entry("job", where, int(work * min(rate, where.rate)), _in_flight(rate), f"{rate:g}")


def _in_flight(rate: float) -> int:
    return int(min(256, max(16, rate / 4)))


def entries() -> tuple[list[Entry], list[Entry]]:
    """What is drained four at a time, the longest first; and what needs the machine for itself."""
    side_by_side = [
        auto(plan(100, 20), work=300),
        auto(plan(100, 20, retry_after=60), work=200),
        replace(auto(plan(100, 20), work=60), neighbour=(20, 40)),
        *(auto(plan(rate, burst)) for rate in (10, 25, 50, 100, 250) for burst in (20, rate)),
        *(auto(plan(rate, 20), found=0.98 * rate) for rate in (10, 25, 100, 250)),
        *(auto(plan(100, 20, form)) for form in ("body", "rate_limit", "page")),
        fixed(plan(10, 20), 9.5),
        fixed(plan(100, 20), 95),
        fixed(plan(100, 20), 200),
        fixed(plan(250, 20), 240),
    ]
    alone = [auto(plan(1000, 20)), auto(plan(1000, 1000)), fixed(plan(1000, 1000), 950, work=20)]
    return side_by_side, alone


def table(found: Iterable[Drained]) -> str:
    """A row for each limit."""
    rows = []
    for one in found:
        entry = one.entry
        how = f"`--rate {entry.rate}`" + (f", an earlier run found {entry.found:g}" if entry.found else "")
        how += ", a neighbour takes half for a third of the time" if entry.neighbour else ""
        served = "" if one.neighbour is None else f"{one.neighbour:.1%}"
        work = f"{entry.drafts:,}"
        rows.append((entry.plan.name, work, how, f"{one.ratio:.2f} ×", f"{one.refused:.2%}", str(one.left), served))
    columns = ("limit", "drafts", "rate", "time / floor", "refused", "left standing", "neighbour served")
    return rows_as_table(columns, rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every limit, print, and write docs/limits.md unless only some were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only limits whose row has this in its first cell")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    side_by_side, alone = ([entry for entry in each if options.only in entry.plan.name] for each in entries())
    with ThreadPoolExecutor(4) as lanes:
        found = list(lanes.map(_drained, side_by_side))
    found += [_drained(entry) for entry in alone]
    print(f"\n{table(found)}\n({time.monotonic() - began:.0f} s)")
    page = ROOT / "docs" / "limits.md"
    text = placed(page.read_text(encoding="utf-8"), table(found))
    if not options.only and text is not None:
        page.write_text(text, encoding="utf-8")
        print(f"written to {page.relative_to(ROOT)}")
    return 0


def _drained(entry: Entry) -> Drained:
    one = drain(entry)
    print(f"{entry.plan.name}, --rate {entry.rate}: {one.ratio:.3f}, {one.refused:.2%} refused", flush=True)
    return one


if __name__ == "__main__":
    sys.exit(main())
