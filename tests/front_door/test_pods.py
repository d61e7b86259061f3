"""The CronJob's pod without Kubernetes: its arguments and variables, and what the Job makes of how it ends."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from cleanup.simulator import DEMO_KEY, Simulator
from tests.as_shipped import CRON
from tests.conftest import wait_until
from tests.runner import Runner

OVERLAY = yaml.safe_load((CRON / "kubernetes" / "list" / "kustomization.yaml").read_text())
LITERALS = dict(
    literal.split("=", 1) for wanted in OVERLAY["configMapGenerator"] for literal in wanted.get("literals", [])
)
JOB = yaml.safe_load((CRON / "kubernetes" / "base" / "cronjob.yaml").read_text())["spec"]["jobTemplate"]["spec"]


def what_follows(code: int) -> str:
    """What Kubernetes does about a pod that ended so."""
    for rule in JOB["podFailurePolicy"]["rules"]:
        if code in rule.get("onExitCodes", {}).get("values", ()):
            return str(rule["action"])
    return "complete" if code == 0 else "retry" if JOB["backoffLimit"] else "FailJob"


@pytest.fixture
def pod(runner: Runner, sim: Simulator) -> Runner:
    """The job with the variables of the list's pod, filled in and no longer only reading; volumes are one folder."""
    (container,) = JOB["template"]["spec"]["containers"]
    variables = LITERALS | {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    for place in ("/data", "/secrets"):
        variables = {name: value.replace(place, str(runner.folder)) for name, value in variables.items()}
    filled_in = {"CLEANUP_RUN__DRY_RUN": "false", "CLEANUP_API__ORGANIZATION": sim.world.organization}
    runner.environ |= variables | filled_in | {"CLEANUP_API__BASE_URL": sim.url}
    runner.environ |= {"CLEANUP_LIMITS__RATE": "off", "CLEANUP_RETRY__WAIT": "1ms", "CLEANUP_RETRY__MAX_WAIT": "10ms"}
    runner.write("api-key", DEMO_KEY)
    (runner.folder / "api-key").chmod(0o440)
    return runner


def test_a_refused_key_is_not_tried_again(pod: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """The Job fails at once, and the pod's last line says why."""
    listed = pod.list_of(drafts(3))
    (pod.folder / "api-key").unlink()  # a Secret's files are replaced, not written to
    pod.write("api-key", "sk_rotated")
    ended = pod(listed)
    assert (ended.code, what_follows(ended.code)) == (77, "FailJob")
    assert ended.events[-1]["event"] == "run.finished"
    assert len(ended.stderr.splitlines()[-1]) <= 2000
    assert sim.requests("discard") == []


def test_an_outage_is_waited_out_by_the_next_pods(
    pod: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """The Job starts another pod, with its back-off, until one gets through."""
    held = drafts(6)
    listed = pod.list_of(held)
    for draft in held:
        sim.faults.script(draft.id, ["503*"])
    ended = pod(listed, env={"CLEANUP_LIMITS__MAX_OUTAGE": "0s"})
    assert (ended.code, what_follows(ended.code)) == (75, "retry")
    assert ended.summary["stopped_by"] == "outage"
    for draft in held:
        sim.faults.script(draft.id, ["ok"])
    again = pod(listed)
    assert (again.code, what_follows(again.code)) == (0, "complete")
    assert again.counts["discarded"] == 6
    assert sim.left() == set()


def test_an_evicted_pod_drains_and_the_next_one_resumes(
    pod: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """SIGTERM: nothing new, all written, 143; the next pod sends only what is left, and no draft is sent twice."""
    listed = pod.list_of(drafts(60))
    process = pod.start(listed, env={"CLEANUP_LIMITS__RATE": "40"})
    wait_until(lambda: len(sim.left()) <= 50)
    process.send_signal(signal.SIGTERM)
    evicted = pod.wait(process)
    left = evicted.counts["not_attempted"]
    assert (evicted.code, what_follows(evicted.code)) == (143, "retry")
    assert evicted.counts["discarded"] + left == 60
    assert left == len(sim.left()) > 0
    again = pod(listed)
    assert (again.code, again.counts["discarded"]) == (0, left)
    assert len(sim.requests("discard")) == 60
    assert [line["exit_code"] for line in again.ledger() if line["type"] == "end"] == [143, 0]


def test_a_key_is_refused_until_the_organization_is_filled_in(
    pod: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """The sentence names what is there, what to put in its place, and the setting."""
    shipped = {name: LITERALS[name] for name in ("CLEANUP_API__ORGANIZATION", "CLEANUP_RUN__DRY_RUN")}
    ended = pod(pod.list_of(drafts(3)), env=shipped)
    assert (ended.code, what_follows(ended.code)) == (77, "FailJob")
    said = f"the key belongs to organization {sim.world.organization}, not to CHANGE-ME (api.organization)"
    assert [said in line for line in ended.stderr.splitlines()][-1:] == [True]
    assert {request.endpoint for request in sim.requests()} == {"user"}


def test_a_long_list_takes_several_nights_and_every_one_succeeds(
    pod: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """With a limit in the overlay's ConfigMap each Job completes, and the next goes on where it ended."""
    assert "CLEANUP_LIMITS__PER_RUN" in LITERALS
    listed = pod.list_of(drafts(10))
    nights = [pod(listed, env={"CLEANUP_LIMITS__PER_RUN": "4"}) for _ in range(3)]
    assert [what_follows(night.code) for night in nights] == ["complete"] * 3
    assert sim.left() == set()
    assert len(sim.requests("discard")) == 10
