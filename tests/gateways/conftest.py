"""The job, a real gateway, the simulator: everything on loopback, each a process or thread of its own.

    @EITHER
    def test_it_is_restarted(gateway: Gateway, meanwhile: Meanwhile, job: Runner, …) -> None:
        meanwhile(gateway.stop, 1.5, gateway.start, nth=10)  # from the tenth discard on
        ended = job(…)

Without a mark, the gateway is nginx. A test whose program is not installed is skipped.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.conftest import Runner
from tests.gateways.processes import Gateway, HAProxy, Nginx

EITHER = pytest.mark.parametrize("gateway", [Nginx, HAProxy], indirect=True, ids=lambda made: made.program)
"""With either gateway."""

Step = Callable[[], object] | float
Meanwhile = Callable[..., None]
"""The fixture `meanwhile`."""

_GATEWAY = pytest.StashKey[Gateway]()


@pytest.fixture
def gateway(sim: Simulator, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway before `sim` that hands everything on."""
    kind: type[Gateway] = getattr(request, "param", Nginx)
    if kind.where() is None:
        pytest.skip(f"{kind.program} is not installed: no test of what it does between the job and the API")
    folder = tmp_path / kind.program
    folder.mkdir()
    made = kind(folder, sim.port)
    request.node.stash[_GATEWAY] = made
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def job(job: Runner, gateway: Gateway) -> Runner:
    """Runs `job.py` against `gateway`, with short waits and patience enough for what the tests do."""
    waits = ["--retry-wait", "10ms", "--retry-max-wait", "200ms", "--max-outage", "30s"]
    job.defaults += ["--base-url", gateway.url, *waits]
    return job


@pytest.fixture
def meanwhile(sim: Simulator, gateway: Gateway) -> Iterator[Meanwhile]:
    """Lets something happen from a request on: `meanwhile(gateway.stop, 1.5, gateway.start, nth=10)`.

    The first step is done before the simulator, which has answered that request, answers any other: by then
    it is in force. The others follow in a thread; a number is how many seconds to wait.
    """
    happening: list[Future[None]] = []

    def rest(steps: tuple[Step, ...]) -> None:
        for step in steps:
            if isinstance(step, (int, float)):
                time.sleep(step)
            else:
                step()

    with ThreadPoolExecutor(1) as thread:

        def from_then_on(*steps: Step, endpoint: str = "discard", nth: int = 10) -> None:
            def begin(_world: object) -> None:
                rest(steps[:1])
                happening.append(thread.submit(rest, steps[1:]))

            sim.after(begin, endpoint=endpoint, nth=nth)

        yield from_then_on
    for future in happening:
        future.result()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """When a test fails, show what the gateway said as well."""
    report = yield
    gateway = item.stash.get(_GATEWAY, None)
    if report.failed and gateway is not None:
        report.sections.append((gateway.program, gateway.log[-3000:]))
    return report
