"""`python -m tests.benchmarks`: measure, print, write the figures of `docs/performance.md`."""

import argparse
import sys
import time
from collections.abc import Callable

from tests.benchmarks import drain, memory, processor, start, tables
from tests.benchmarks.processes import ROOT, there_is

PARTS: dict[str, Callable[[bool], str]] = {
    "drain": lambda quick: tables.drained(drain.race(quick=quick)),
    "cpu": lambda quick: tables.cost(processor.cost(quick=quick)),
    "memory": lambda quick: tables.sizes(memory.sizes(quick=quick)),
    "start": lambda quick: tables.started(start.start(quick=quick)),
}


def main() -> int:
    """Measure the parts that are asked for; only all of them, at full length, go into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: does it work, not how fast is it")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    if not there_is("curl"):
        print("(There is no curl here, so it does not take part.)")
    figures = [tables.head()]
    print(figures[0], flush=True)
    for part in parts:
        began = time.monotonic()
        figures.append(PARTS[part](options.quick))
        print(f"\n{figures[-1]}\n({part}: {time.monotonic() - began:.0f} s)", flush=True)
    page = ROOT / "docs" / "performance.md"
    text = tables.placed(page.read_text(encoding="utf-8"), "\n\n".join(figures))
    if parts == list(PARTS) and not options.quick and text is not None:
        page.write_text(text, encoding="utf-8")
        print(f"\nwritten to {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
