"""What a run says in five places, held against each other and against what the simulator saw."""

import csv
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from cleanup.simulator import Simulator
from tests.runner import Ended

PairKey = tuple[str, str]

FLAGS = ("--ledger", "ledger.jsonl", "--leftover", "leftover.csv")
DISCARDED = {("discarded", None), ("skipped", "gone_after_retry")}


def keys(drafts: Iterable[Any]) -> list[PairKey]:
    """The (agent, draft) of the simulator's drafts."""
    return [(draft.agent, draft.id) for draft in drafts]


def leftover(folder: Path, name: str = "leftover.csv") -> list[dict[str, str]]:
    """The rows of a leftover file."""
    with (folder / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def endings(ended: Ended, ledger: str = "ledger.jsonl") -> dict[PairKey, tuple[str, str | None]]:
    """How each pair of this run ended, by the ledger; a pair with two lines is an error."""
    found: dict[PairKey, tuple[str, str | None]] = {}
    for line in ended.ledger(ledger):
        if line["type"] == "pair" and line["run_id"] == ended.summary["run_id"]:
            key = line["agent"], line["draft"]
            assert key not in found, "a pair ends once"
            found[key] = line["outcome"], line["reason"]
    return found


def reasons(ended: Ended) -> dict[str, str]:
    """How each pair of the ledger ended: its reason, or else its outcome."""
    lines = [line for line in ended.ledger() if line["type"] == "pair"]
    assert len({line["draft"] for line in lines}) == len(lines), "a pair has one line"
    return {line["draft"]: line["reason"] or line["outcome"] for line in lines}


def only_reads(sim: Simulator) -> bool:
    """Whether nothing but GET has reached the simulator, and something has."""
    return {request.method for request in sim.requests()} == {"GET"}


def check_account(ended: Ended, sim: Simulator, listed: Collection[PairKey]) -> None:
    """A run with a ledger, a leftover and a JSON log of all levels: everything agrees. `listed`: without doubles."""
    summary = ended.summary
    counts = summary["counts"]
    assert "Traceback" not in ended.stderr
    assert counts["listed"] == sum(count for name, count in counts.items() if name != "listed")
    assert counts["listed"] == len(listed) + summary["skipped"].get("duplicate", 0)
    for outcome in ("skipped", "failed", "not_attempted"):
        assert sum(summary[outcome].values()) == counts[outcome]
    assert summary["exit_code"] == ended.code

    last = ended.events[-1]
    assert last["event"] == "run.finished"
    assert (last["exit_code"], last["counts"]) == (ended.code, counts)
    assert len(ended.stderr.splitlines()[-1].encode()) <= 2000

    by_ledger = endings(ended)
    tally = Counter(by_ledger.values())
    own = {outcome: {r: n for (o, r), n in tally.items() if o == outcome} for outcome in ("skipped", "failed")}
    assert tally["discarded", None] == counts["discarded"]
    assert own["failed"] == summary["failed"]
    assert own["skipped"] == {r: n for r, n in summary["skipped"].items() if r not in ("duplicate", "settled")}
    begun = [line["type"] for line in ended.ledger() if line["run_id"] == summary["run_id"]]
    if begun:
        assert (begun[0], begun[-1]) == ("run", "end")
        end = ended.ledger()[-1]
        assert (end["exit_code"], end["counts"]) == (ended.code, counts)

    logged = {
        (entry["agent"], entry["draft"]): (entry["event"].removeprefix("draft."), entry["reason"])
        for entry in ended.events
        if entry["event"].startswith("draft.")
        and entry["event"] != "draft.retrying"
        and entry["reason"] not in ("duplicate", "settled")
    }
    assert logged == by_ledger

    rows = leftover(ended.folder)
    failed = {key: ending for key, ending in by_ledger.items() if ending[0] == "failed"}
    still = {(row["agent"], row["draft"]): (row["outcome"], row["reason"]) for row in rows}
    assert len(still) == len(rows)
    assert {key: ending for key, ending in still.items() if ending[0] == "failed"} == failed
    unsent = {key for key, ending in still.items() if ending[0] == "not_attempted"}
    assert Counter(reason for outcome, reason in still.values() if outcome == "not_attempted") == Counter(
        summary["not_attempted"]
    )
    assert set(by_ledger).isdisjoint(unsent)
    assert set(by_ledger) | unsent <= set(listed)

    _check_simulator(ended, sim, by_ledger, unsent)


def _check_simulator(
    ended: Ended, sim: Simulator, by_ledger: dict[PairKey, tuple[str, str | None]], unsent: set[PairKey]
) -> None:
    """What was discarded is gone, what was not attempted was never sent, and nothing went unrecorded."""
    discards = sim.requests("discard")
    left = sim.left()
    for (_, draft), ending in by_ledger.items():
        if ending in DISCARDED:
            assert draft not in left
    sent = {(request.agent, request.draft) for request in discards if request.draft}
    assert unsent.isdisjoint(sent - set(earlier_endings(ended))), "not attempted is never sent"
    gone = {(request.agent, request.draft) for request in discards if request.discarded}
    before = earlier_endings(ended)
    told = {
        key for found in (before, by_ledger) for key, ending in found.items()
        if ending in DISCARDED or ending[0] == "failed"
    }  # fmt: skip
    assert not (gone - told), "what was discarded is on record, or left over as unknown"


def earlier_endings(ended: Ended) -> dict[PairKey, tuple[str, str | None]]:
    """How pairs ended in the runs before, by the same ledger."""
    run_id = ended.summary["run_id"]
    return {
        (line["agent"], line["draft"]): (line["outcome"], line["reason"])
        for line in ended.ledger()
        if line["type"] == "pair" and line["run_id"] != run_id
    }
