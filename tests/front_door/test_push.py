"""The Pushgateway: the metrics of pods that no textfile collector reads, and that no run depends on it."""

import base64
import platform
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.error import URLError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cleanup.simulator import Simulator, World
from tests.conftest import Drafts, aged, wait_until
from tests.monitors import Monitor, listening, tells_no_secret
from tests.runner import Runner

PASSWORD = "pass/w0rd"
Figures = dict[tuple[str, ...], float]


def figures(text: str) -> Figures:
    """Every sample of ours by its name, its mode and the values of its other labels; all are of one task."""
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if sample.name.startswith("draft_cleanup_"):
                assert labels.pop("task") == "nightly"
                assert labels.pop("instance", platform.node()) == platform.node()
                assert labels.pop("job", "draft_cleanup") == "draft_cleanup"
                name = sample.name.removeprefix("draft_cleanup_")
                found[name, labels.pop("mode"), *labels.values()] = sample.value
    return found


@pytest.fixture
def gateway() -> Iterator[Monitor]:
    """A stand-in for a Pushgateway on loopback."""
    with listening() as server:
        yield server


@pytest.fixture
def push(job: Runner, gateway: Monitor) -> Runner:
    """The job with a gateway that wants a password, and with every file that it can write."""
    job.environ["CLEANUP_OUTPUT__PUSH_URL"] = gateway.url.replace("//", "//me:pass%2Fw0rd@") + "/"
    job.defaults += ["--ledger", "ledger.jsonl", "--leftover", "left.csv", "--metrics", "nightly.prom"]
    return job


def group(task: str, mode: str = "discard") -> str:
    """The path of a task's group."""
    return f"/metrics/job/draft_cleanup/instance/{platform.node()}/mode/{mode}/task/{task}"


def test_the_metrics_of_the_file_are_pushed(push: Runner, drafts: Drafts, gateway: Monitor) -> None:
    """In one request, at the end, with user and password; its group says which task of which host it was."""
    ended = push(push.list_of(drafts(2)))
    assert (ended.code, ended.summary["warnings"]) == (0, [])
    (call,) = gateway.calls
    assert (call.method, gateway.heard) == ("PUT", [group("nightly")])
    assert call.headers["Authorization"] == f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"
    pushed, written = figures(call.body), figures((push.folder / "nightly.prom").read_text())
    assert pushed["pairs", "discard", "discarded", ""] == 2
    for moving in ("last_run_timestamp_seconds", "last_success_timestamp_seconds", "duration_seconds"):
        assert pushed.pop((moving, "discard")) == pytest.approx(written.pop((moving, "discard")), abs=10)
    assert pushed == written
    tells_no_secret(ended, PASSWORD, "pass%2Fw0rd")


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("hang", "no answer within 3 s"),
        ("drip", "no answer within 3 s"),
        ("401", "status 401"),
    ],
)
def test_a_gateway_in_trouble_changes_nothing(
    push: Runner, sim: Simulator, drafts: Drafts, gateway: Monitor, manner: str, why: str
) -> None:
    """The run ends as it would have, three seconds later at most; log, summary and metrics say that nobody heard.

    Other trouble it has together with a heartbeat's monitor, see `test_heartbeat`.
    """
    gateway.manner = manner
    process = push.start(push.list_of(drafts(2)))
    if manner in ("hang", "drip"):
        wait_until(lambda: gateway.heard)
        since = time.monotonic()
    ended = push.wait(process)
    if manner in ("hang", "drip"):
        assert time.monotonic() - since < 8, "the three seconds, and the process's end on a busy machine"
    assert (ended.code, ended.counts["discarded"], sim.left()) == (0, 2, set())
    told = f"the metrics could not be pushed: {why}"
    assert [event["message"] for event in ended.of("run.warning")] == [told]
    assert ended.summary["warnings"] == [told]
    written = figures((push.folder / "nightly.prom").read_text())
    assert written["warnings", "discard", "push"] == 1
    assert gateway.heard == [group("nightly")]
    tells_no_secret(ended, PASSWORD, "pass%2Fw0rd")


def test_a_failed_run_does_not_take_away_the_last_success(
    push: Runner, sim: Simulator, drafts: Drafts, gateway: Monitor
) -> None:
    """What a POST does not mention stays in the gateway, so the last success must be all that it does not mention."""
    held = drafts(1)
    sim.faults.script(held[0].id, ["400", "ok"])
    assert push(push.list_of(held)).code == 3
    assert push(push.list_of(held)).code == 0
    assert [call.method for call in gateway.calls] == ["POST", "PUT"]
    names = [{name for name, *_ in figures(call.body)} for call in gateway.calls]
    assert names[1] - names[0] == {"last_success_timestamp_seconds"}


def test_each_task_and_mode_has_its_group(push: Runner, world: World, drafts: Drafts, gateway: Monitor) -> None:
    """Neither lists, shares and sweeps overwrite each other on one host, nor a dry run a real one."""
    drafts(2, updated_at=aged(40))
    push.defaults += ["--metrics", "off"]
    listed = push.list_of(drafts(3), "spring list.csv")
    push(listed, "--dry-run")
    push(listed, "--shard", "1/3")
    push("-", stdin="agent,draft\n")
    rule = ("--older-than", "30d", "--organization", world.organization, "--list", "found.csv", "--max-share", "off")
    push("sweep", *rule)
    push("sweep", *rule, "--yes")
    spring = base64.urlsafe_b64encode(b"spring list").decode()
    assert gateway.heard == [
        group("", "dry-run").removesuffix("/") + f"@base64/{spring}",
        group("", "discard").removesuffix("/") + f"@base64/{base64.urlsafe_b64encode(b'spring list-1-of-3').decode()}",
        group("stdin"),
        group("sweep", "dry-run"),
        group("sweep", "sweep"),
    ]


PUSHGATEWAY = shutil.which("prometheus-pushgateway") or shutil.which("pushgateway")


@pytest.mark.skipif(
    PUSHGATEWAY is None, reason="no Pushgateway on this machine (Debian: apt install prometheus-pushgateway)"
)
def test_a_real_gateway_remembers_what_it_should(push: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The last success survives a failed run, which takes away all else; a dry run stands beside both."""
    held = drafts(2)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    gateway = subprocess.Popen(
        [str(PUSHGATEWAY), f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _read(address) is not None)
        push.environ["CLEANUP_OUTPUT__PUSH_URL"] = f"http://{address}"
        sim.world.take_away(held[0].id)
        assert push(push.list_of(held[:1])).code == 0
        first = figures(_read(address) or "")
        sim.faults.script(held[1].id, ["400"])
        assert push(push.list_of(held[1:])).code == 3
        assert push(push.list_of(held[1:]), "--dry-run").code == 0
        found = figures(_read(address) or "")
    finally:
        gateway.kill()
        gateway.wait()
    success = ("last_success_timestamp_seconds", "discard")
    assert first["warnings", "discard", "none_found"] == 1
    assert ("warnings", "discard", "none_found") not in found
    assert (found[success], found["exit_code", "discard"]) == (first[success], 3)
    assert found["exit_code", "dry-run"] == 0
    assert found["pairs", "dry-run", "would_discard", ""] == 1


def _read(address: str) -> str | None:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            text: str = answer.read().decode()
            return text
    except URLError:
        return None
