"""An Indexed Job without Kubernetes: processes that share one list, one of which is killed and comes back."""

import json
import time
from collections.abc import Callable
from typing import Any

from cleanup.simulator import Simulator
from tests.conftest import Runner

PODS = 3
PAIRS = 1500
RATE = 150


def test_shares_are_disjoint_and_complete_though_one_is_killed(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Every draft goes, none is sent by two shares, the rates add up to no more than the workspace's.

    A pod that is killed without warning goes on with --resume: all that it may send twice was in flight then.
    """
    held = drafts(PAIRS, agents=40)
    listed = job.list_of(held)

    def start(pod: int) -> Any:
        flags = ("--shard", f"{pod}/{PODS}", "--ledger", f"ledger-{pod}.jsonl", "--summary", f"summary-{pod}.json")
        return job.start(listed, *flags, "--resume", "--rate", str(RATE), "--log-level", "warning")

    pods = [start(pod) for pod in range(PODS)]
    killed = job.folder / "ledger-1.jsonl"
    deadline = time.monotonic() + 60
    while not (killed.exists() and killed.read_bytes().count(b"\n") > 100) and time.monotonic() < deadline:
        time.sleep(0.01)
    pods[1].kill()
    assert job.wait(pods[1]).code == -9
    pods[1] = start(1)
    assert [job.wait(pod).code for pod in pods] == [0] * PODS

    summaries = [json.loads((job.folder / f"summary-{pod}.json").read_text()) for pod in range(PODS)]
    assert [summary["shard"] for summary in summaries] == [f"{pod}/{PODS}" for pod in range(PODS)]
    assert sum(summary["counts"]["listed"] for summary in summaries) == PAIRS
    ledgers = [job.ended[-1].ledger(f"ledger-{pod}.jsonl") for pod in range(PODS)]
    shares = [{(line["agent"], line["draft"]) for line in ledger if line["type"] == "pair"} for ledger in ledgers]
    assert sum(map(len, shares)) == PAIRS
    assert set.union(*shares) == {(draft.agent, draft.id) for draft in held}

    assert sim.left() == set()
    discards = sim.requests("discard")
    twice = {request.draft for request in discards if request.status == 404}
    assert twice <= {draft for _, draft in shares[1]}
    assert len(twice) == len(discards) - PAIRS <= 8  # limits.concurrency
    # Each keeps its own rate as requests leave; on a busy machine some of three processes arrive late, together.
    assert sim.max_per_second() <= PODS * RATE * 1.05

    report = job("report", *(f"ledger-{pod}.jsonl" for pod in range(PODS)), "--format", "json")
    assert report.code == 0
    added = json.loads(report.stdout)
    # A draft whose answer was cut off with the process is found to be gone by the next one.
    assert added["counts"] == {
        "listed": PAIRS, "discarded": PAIRS - len(twice), "skipped": len(twice), "failed": 0, "not_attempted": 0
    }  # fmt: skip
    assert added["runs"] == PODS + 1
