"""The simulator as a process of its own: its command line, its lists, and its switches over HTTP."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cleanup.simulator import command
from cleanup.simulator.scenery import populate

CODE = "import sys; from cleanup.simulator.command import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).parents[2]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes, and leave none behind."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", CODE, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Atoms API (simulated) at http://127.0.0.1:")
    return line.split()[4].rstrip(",")


def test_it_serves_what_it_listed_and_ends_cleanly(start: Start, tmp_path: Path) -> None:
    file, ready = tmp_path / "drafts.csv", tmp_path / "ready"
    process = start(
        *("--agents", "2", "--drafts", "10", "--foreign", "1", "--gone", "2", "--failing", "3"),
        *("--write-list", str(file), "--updated-at", "--ready-file", str(ready), "--log"),
    )
    url = _url(process)
    assert ready.read_text() == url + "\n"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    with httpx.Client(headers={"Authorization": "Bearer sk_simulator"}, trust_env=False) as client:
        statuses = [client.delete(f"{url}/agent/{row['agent']}/drafts/{row['draft']}").status_code for row in rows]
        state = client.get(url.replace("/atoms/v1", "/_simulator/state")).json()
    assert sorted(statuses) == [200] * 4 + [403] + [404] * 2 + [500] * 3
    assert (len(state["left"]), len(state["discarded"])) == (4, 4)
    assert state["requests"] == {"total": 10, "by_status": {"200": 4, "403": 1, "404": 2, "500": 3}}
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert len(log.splitlines()) == 10
    assert "sk_simulator" not in log


def test_it_is_switched_over_http_and_ends_on_an_interrupt(start: Start) -> None:
    process = start("--drafts", "1", "--agents", "1", "--key", "sk_mine")
    url = _url(process)
    key = {"Authorization": "Bearer sk_mine"}
    control = url.replace("/atoms/v1", "/_simulator")
    with httpx.Client(headers=key, trust_env=False) as client:
        assert client.post(f"{control}/mode", json={"mode": "branches"}).json()["mode"] == "branches"
        assert client.post(f"{control}/mode", json={"mode": "sideways"}).status_code == 400
        assert client.post(f"{control}/down", json={"kind": "503"}).status_code == 200
        assert client.get(f"{url}/user").status_code == 503
        assert client.post(f"{control}/down", json={"kind": "refuse"}).status_code == 400
        assert client.post(f"{control}/up").status_code == 200
        assert client.get(f"{url}/user").status_code == 200
        client.post(f"{control}/keys", json={"add": "sk_next", "revoke": "sk_mine"})
        assert client.get(f"{url}/user").status_code == 401
        assert client.get(f"{url}/user", headers={"Authorization": "Bearer sk_next"}).status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 0


def test_a_script_from_a_file_and_a_rate_limit(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"user:*": ["500", "ok"]}))
    process = start("--script", str(script), "--rate-limit", "0.01", "--burst", "2", "--latency", "1ms-2ms")
    url = _url(process)
    with httpx.Client(headers={"Authorization": "Bearer sk_simulator"}, trust_env=False) as client:
        assert [client.get(f"{url}/user").status_code for _ in range(3)] == [500, 200, 429]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--latency", "fast"], "duration"),
        (["--latency", "2s-1s"], "lower"),
        (["--faults", "2"], "share"),
        (["--fault-kinds", "oops"], "is not a fault"),
        (["--drafts", "-1"], "whole number"),
        (["--rate-limit", "0"], "above 0"),
        (["--foreign", "50"], "are too few for"),
        (["--agents", "0"], "need agents"),
        (["--write-list", "drafts.xlsx"], "drafts.xlsx"),
        (["--script", "missing.json"], "missing.json"),
        (["--port", "70000"], "65535"),
        (["--unknown"], "--unknown"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert sentence in printed.err


@pytest.mark.parametrize("content", ["{", "[]", '{"oops:ID": ["500"]}', '{"ID": [500]}', '{"ID": ["oops"]}'])
def test_a_bad_script_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(content)
    with pytest.raises(SystemExit):
        command.main(["--script", str(script)])
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_port_in_use_is_named(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    port = _url(start()).split(":")[2].split("/")[0]
    with pytest.raises(SystemExit):
        command.main(["--port", port])
    assert f"port {port}: Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "tsv", "yaml", "yml", "json"])
def test_lists_hold_every_draft(tmp_path: Path, ending: str) -> None:
    from cleanup.simulator.scenery import write_list

    scenery = populate(drafts=6, gone=2, foreign=2, failing=2)
    file = tmp_path / f"drafts.{ending}"
    write_list(file, scenery.listed)
    text = file.read_text()
    assert [text.index(draft.id) > text.index(draft.agent) for draft in scenery.listed] == [True] * 6
    if ending == "json":
        assert json.loads(text) == [{"agent": draft.agent, "draft": draft.id} for draft in scenery.listed]


def test_ages_are_spread_as_asked() -> None:
    scenery = populate(drafts=20, age=(3600.0, 7200.0))
    ages = [(draft.updated_at - scenery.listed[0].updated_at).total_seconds() for draft in scenery.listed]
    assert max(ages) - min(ages) <= 3600
    assert len(set(ages)) == 20


def test_nothing_of_the_package_but_the_simulator_is_imported() -> None:
    code = "import sys, cleanup.simulator.command; print(*(name for name in sys.modules if 'cleanup' in name))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert all(name == "cleanup" or name.startswith("cleanup.simulator") for name in run.stdout.split())
