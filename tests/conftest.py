"""The front door: `job.py` as a process, in a clean environment, against the simulator on loopback."""

import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.certificates import make_certificate
from tests.preloaded import Preloaded
from tests.runner import JOB, Runner
from tests.surroundings import clean_environment, keep_paths_short, usual

MODES = pytest.mark.parametrize("mode", ["drafts", "branches"])
"""On either model."""
PATIENT = {"gateways", "test_proof.py", "test_pace.py"}
"""Tests that wait more than they compute."""
NOW = datetime.now(UTC)
Drafts = Callable[..., list[Any]]
"""The fixture `drafts`."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for each core (`-n auto`): most tests wait for a process more than they compute."""
    return 3 * (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--slow`: also the tests that take minutes. `--cold`: nothing that makes starts faster."""
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")
    parser.addoption("--cold", action="store_true", help="start each run of job.py as cron does, libraries and all")


def pytest_configure(config: pytest.Config) -> None:
    """Short paths; the same examples on every machine, however slow, and in every run but those with `--slow`."""
    keep_paths_short()
    gc.disable()  # until all tests are collected, which takes a third less time so
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment] # jsonschema parses its grammars for a second, unused
    chance = config.getoption("--slow")
    settings.register_profile(
        "suite", deadline=None, derandomize=not chance, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow unless it was asked for, and spread the tests that wait long over all processes."""
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    patient = [item for item in items if PATIENT.intersection(item.path.parts)]
    others = [item for item in items if item not in patient]
    items[:] = others
    for number, item in enumerate(patient):  # one after another, the last ones would be waited for by all
        items.insert(number * len(others) // len(patient) + number, item)


def pytest_collection_finish() -> None:
    """Collect garbage again, but not among the tests themselves."""
    gc.enable()
    gc.freeze()


def aged(days: float) -> datetime:
    """So long ago."""
    return NOW - timedelta(days=days)


def wait_until(what: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition that some other process or thread brings about; the test fails when it never comes."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


@pytest.fixture(scope="session", autouse=True)
def surroundings() -> Iterator[None]:
    """Nothing depends on who started the suite, and from where."""
    with usual():
        yield


@pytest.fixture(scope="session")
def preloaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Preloaded | None:
    """Starts `job.py` faster, unless `--cold`."""
    return None if request.config.getoption("--cold") else Preloaded(JOB, tmp_path_factory.mktemp("streams"))


@pytest.fixture
def sim(world: World) -> Iterator[Simulator]:
    """A simulator of `world`; a test that needs another one starts it itself."""
    with Simulator(world) as simulator:
        yield simulator


@pytest.fixture
def world() -> World:
    """An empty workspace; the demo key is an admin's."""
    return World(seed=1)


@pytest.fixture
def runner(tmp_path: Path, preloaded: Preloaded | None, request: pytest.FixtureRequest) -> Iterator[Runner]:
    """Runs `job.py` with no simulator; `job` is the one that has one."""
    environ = clean_environment(SMALLEST_API_KEY=DEMO_KEY)
    made = Runner(tmp_path, environ, ["--summary", "summary.json"], preloaded=preloaded)
    if request.node.get_closest_marker("unverified"):
        made.environ["CLEANUP_GUARD__VERIFY"] = "off"
    request.node.stash[_RUNNER] = made
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def job(runner: Runner, sim: Simulator, request: pytest.FixtureRequest) -> Runner:
    """Runs `job.py` against `sim`: no rate limit of its own, tiny waits."""
    request.node.stash[_SIMULATOR] = sim
    runner.defaults += ["--base-url", sim.url, "--rate", "off", "--retry-wait", "1ms", "--retry-max-wait", "10ms"]
    return runner


@pytest.fixture
def drafts(world: World) -> Drafts:
    """Opens drafts: `drafts(20, agents=4)`."""

    def make(count: int, agents: int = 3, **more: Any) -> list[Any]:
        homes = [world.add_agent() for _ in range(agents)]
        return [world.open_draft(homes[number % agents].id, **more) for number in range(count)]

    return make


def script(sim: Simulator, draft: Any, faults: list[str]) -> None:
    """Script the discards of a draft. A single 404 means that it is gone: for an open draft it would be untrue."""
    if faults == ["404"]:
        sim.world.take_away(draft.id)
    else:
        sim.faults.script(draft.id, faults)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and api.test with its key, trusted by nobody who does not name it."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "api.test")


@pytest.fixture(scope="session")
def ended_certificate(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Path:
    """One that is no longer valid, where the other can be made."""
    assert certificate.exists()
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "api.test", ended=True)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA of the machine's own."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def answer(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[..., Any]], None]:
    """Has a path of `sim` answered otherwise: `answer("/agent", lambda world, key, call: …)`."""

    def replace(path: str, handler: Callable[..., Any]) -> None:
        application: Any = sim._config.app
        routes = [route for route in application.routes if getattr(route, "path", "") == "/atoms/v1" + path]
        (reading,) = [route for route in routes if "GET" in route.methods]
        monkeypatch.setattr(reading.app, "handler", handler)

    return replace


_RUNNER = pytest.StashKey[Runner]()
_SIMULATOR = pytest.StashKey[Simulator]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """When a front-door test fails, show what the job said and what the simulator saw."""
    report = yield
    if report.failed:
        runner, simulator = item.stash.get(_RUNNER, None), item.stash.get(_SIMULATOR, None)
        for number, ended in enumerate(runner.ended if runner else [], 1):
            report.sections.append((f"run {number}: exit {ended.code}", (ended.stdout + ended.stderr)[-6000:]))
        if simulator is not None:
            seen = [f"{r.method} {r.path} → {r.status or r.fault}" for r in simulator.requests()][-60:]
            report.sections.append(("the simulator's view", "\n".join([*seen, f"left: {len(simulator.left())}"])))
    return report
