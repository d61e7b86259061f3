"""kill -9 at random moments, and bytes missing at the ledger's end as after a power cut: a resume does the rest."""

import json
import os
import random
import time
from dataclasses import dataclass
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.accounts import PairKey, keys
from tests.conftest import Drafts
from tests.runner import Runner

FAULTS = ("500", "500_after", "lost", "lost_after", "reset", "truncated", "503:retry_after=0", "429:retry_after=0")


@dataclass
class Kills:
    """What was done to the runs."""

    job: Runner
    sim: Simulator
    chance: random.Random
    listed: str
    kills: int = 0
    cuts: int = 0
    torn: int = 0

    @property
    def ledger(self) -> bytes:
        path = self.job.folder / "ledger.jsonl"
        return path.read_bytes() if path.exists() else b""

    def discarded(self) -> set[PairKey]:
        lines = [json.loads(line) for line in self.ledger.splitlines(keepends=True) if line.endswith(b"}\n")]
        return {(line["agent"], line["draft"]) for line in lines if line.get("outcome") == "discarded"}

    def run(self) -> int | None:
        """One run that is killed somewhere, or comes to its end first; what was on record before is not sent again."""
        settled = self.discarded()
        before = len(self.sim.requests())
        process = self.job.start(self.listed, "--ledger", "ledger.jsonl", "--resume", "--log-level", "error")
        end, wanted = time.monotonic() + 30, self.chance.randint(1, 25)
        if self.chance.random() < 0.1:  # while it starts, or reads, or mends
            end, wanted = time.monotonic() + self.chance.uniform(0.0, 0.6), 10**6
        while process.poll() is None and time.monotonic() < end:
            if len(self.sim.requests("discard")) - before > wanted:
                break
            time.sleep(self.chance.uniform(0.0001, 0.003))
        killed = process.poll() is None
        process.kill()
        ended = self.job.wait(process)
        assert "Traceback" not in ended.stderr
        self.kills += killed
        sent = {(r.agent, r.draft) for r in self.sim.requests()[before:] if r.endpoint == "discard"}
        assert not sent & settled, "what was on record as discarded was sent again"
        if killed:
            self.cut()
        return None if killed else ended.code

    def cut(self) -> None:
        """Sometimes the last bytes never came to the disk."""
        whole = self.ledger
        self.torn += bool(whole) and not whole.endswith(b"\n")
        if whole and self.chance.random() < 0.5:
            self.cuts += 1
            os.truncate(self.job.folder / "ledger.jsonl", max(0, len(whole) - self.chance.randint(1, 400)))


def kill_until_done(job: Runner, sim: Simulator, drafts: Drafts, kills: int) -> Kills:
    """So many kills in a row, of runs over a list that grows when one came to its end, and then a run to the end."""
    held: list[Any] = drafts(300, agents=20)
    done = Kills(job, sim, random.Random(20260901), job.list_of(held))
    sim.faults.by_share(0.3, FAULTS, attempts="every")
    job.defaults += ["--max-discards", "10000"]
    while done.kills < kills:
        if done.run() == 0:
            held += drafts(300, agents=20)
            job.list_of(held)
    codes = [job(done.listed, "--ledger", "ledger.jsonl", "--resume").code]
    while codes[-1] == 75 and len(codes) < 5:  # some pairs had five faults in a row
        codes.append(job(done.listed, "--ledger", "ledger.jsonl", "--resume").code)
    assert codes[-1] == 0

    assert sim.left() == set()
    report = job("report", "ledger.jsonl", "--format", "json")
    assert report.code == 0
    summary = json.loads(report.stdout)
    counts = summary["counts"]
    assert counts["listed"] == len(held) == counts["discarded"] + counts["skipped"]
    assert set(summary["skipped"]) <= {"not_found", "gone_after_retry"}
    assert summary["warnings"] == [], "no line is torn or foreign"
    settled = {(line["agent"], line["draft"]) for line in job.ended[-1].ledger() if line["type"] == "pair"}
    assert settled == set(keys(held))
    return done


def test_a_few_kills(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whenever it is killed, the runs after it finish the list: one outcome for each pair, nothing left, none twice."""
    done = kill_until_done(job, sim, drafts, kills=6)
    assert done.kills == 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_kills(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The same with a hundred kills in a row."""
    done = kill_until_done(job, sim, drafts, kills=105)
    print(f"{done.kills} kills, {done.cuts} cuts, {done.torn} torn by the kill, {len(sim.requests())} requests")
    assert done.kills >= 100
