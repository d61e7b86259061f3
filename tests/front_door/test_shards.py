"""An Indexed Job without Kubernetes: processes that share one list, one of which is killed and comes back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from cleanup.simulator import Simulator
from tests.accounts import keys
from tests.as_shipped import CRON
from tests.conftest import wait_until
from tests.runner import Runner

RATE = 100
MANIFEST = yaml.safe_load((CRON / "kubernetes" / "indexed" / "job.yaml").read_text())["spec"]
PODS = MANIFEST["completions"]


def arguments(index: int) -> list[str]:
    """What the manifest passes to the pod of an index; its volumes are the test's folder."""
    (container,) = MANIFEST["template"]["spec"]["containers"]
    words = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["args"]]
    return [word.replace("/list/", "").replace("/data/", "") for word in words]


@pytest.mark.parametrize("pairs", [900, pytest.param(5000, marks=pytest.mark.slow)])
def test_shares_are_disjoint_and_complete_though_one_is_killed(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]], pairs: int
) -> None:
    """Every draft goes, none is sent by two shares, the rates add up to no more than the workspace's.

    A pod that is killed without warning goes on with --resume: all that it may send twice was in flight then.
    """
    held = drafts(pairs, agents=40)
    job.list_of(held)

    def start(pod: int) -> Any:
        more = ("--resume", "--rate", str(RATE), "--max-discards", str(pairs), "--log-level", "warning")
        return job.start(*arguments(pod), *more)

    pods = [start(pod) for pod in range(PODS)]
    killed = job.folder / "ledger-1.jsonl"
    wait_until(lambda: killed.exists() and killed.read_bytes().count(b"\n") > 50, seconds=60)
    pods[1].kill()
    assert job.wait(pods[1]).code == -9
    pods[1] = start(1)
    assert [job.wait(pod).code for pod in pods] == [0] * PODS

    summaries = [json.loads((job.folder / f"summary-{pod}.json").read_text()) for pod in range(PODS)]
    assert [summary["shard"] for summary in summaries] == [f"{pod}/{PODS}" for pod in range(PODS)]
    assert sum(summary["counts"]["listed"] for summary in summaries) == pairs
    ledgers = [job.ended[-1].ledger(f"ledger-{pod}.jsonl") for pod in range(PODS)]
    shares = [{(line["agent"], line["draft"]) for line in ledger if line["type"] == "pair"} for ledger in ledgers]
    assert sum(map(len, shares)) == pairs
    assert set.union(*shares) == set(keys(held))

    assert sim.left() == set()
    discards = sim.requests("discard")
    twice = {request.draft for request in discards if request.status == 404}
    assert twice <= {draft for _, draft in shares[1]}
    assert len(twice) == len(discards) - pairs <= 8  # limits.concurrency
    # Each keeps its own rate as requests are written; on a busy machine those of three processes arrive late, together.
    assert sim.max_per_second(window=2.0) <= 2 * PODS * RATE * 1.05

    report = job("report", *(f"ledger-{pod}.jsonl" for pod in range(PODS)), "--format", "json")
    assert report.code == 0
    added = json.loads(report.stdout)
    # A draft whose answer was cut off with the process is found to be gone by the next one.
    assert added["counts"] == {
        "listed": pairs, "discarded": pairs - len(twice), "skipped": len(twice), "failed": 0, "not_attempted": 0
    }  # fmt: skip
    assert added["runs"] == PODS + 1
