"""Processor time for each discard, of the whole process: no latency, no limit; the job with ledger and JSON log."""

import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.processes import NAMES, discarding, measure, stand_in, there_is, write_list

IN_FLIGHT = (8, 16, 64, 256)
COMPARED = 64
"""Requests in flight at which the clients are compared: beyond, most of them measure their own queue."""


def cost(*, quick: bool) -> dict[str, dict[int, float]]:
    """Milliseconds for each discard by client and requests in flight: medians, all of them in turn."""
    drafts, rounds = (500, 1) if quick else (2000, 3)
    found: dict[str, dict[int, list[float]]] = {
        name: {flying: [] for flying in IN_FLIGHT} for name in NAMES if there_is(name)
    }
    for _ in range(rounds):
        for flying in IN_FLIGHT:
            for name, costs in found.items():
                costs[flying].append(_once(name, drafts, flying))
    return {name: {flying: median(each) for flying, each in costs.items()} for name, costs in found.items()}


def _once(name: str, drafts: int, flying: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_list(home / "drafts.csv", drafts)
        with stand_in(home) as served:
            spent = measure(discarding(name, home, served.url, flying), home)
        assert served.seen["left"] == 0, f"{name} left {served.seen['left']}: {(home / 'stderr').read_text()[-500:]}"
    return spent.processor / drafts * 1000
