"""The job, a real gateway, the simulator: everything on loopback, each a process or thread of its own.

    @pytest.mark.parametrize("gateway", [Nginx, HAProxy], indirect=True)
    def test_it_is_restarted(meanwhile: Meanwhile, job: Runner, …) -> None:
        meanwhile("restarted", nth=8)
        ended = job(…)  # it begins with the eighth discard

A test may name several, far enough apart that each has ended when the next one begins.

Without a mark, the gateway is nginx. A test whose program is not installed is skipped.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.gateways import processes
from tests.gateways.processes import Gateway, Nginx
from tests.runner import Runner

Step = Callable[[], object] | float
"""Something to do, or how many seconds to wait."""

Meanwhile = Callable[..., None]
"""The fixture `meanwhile`."""

_AWAY = 0.6
"""For so long: longer than all attempts at one pair take."""


def name_of(value: object) -> str:
    """A parameter as it appears in a test's name."""
    if isinstance(value, list):
        return " and ".join(value) if len(value) < 4 else f"{value[0]} and {len(value) - 1} more"
    return value.program if isinstance(value, type) and issubclass(value, Gateway) else str(value)


_GATEWAY = pytest.StashKey[Gateway]()


def _answers(rules: str, seconds: float = _AWAY) -> Callable[[Gateway, Simulator], tuple[Step, ...]]:
    return lambda gateway, _: (lambda: gateway.reload(rules), seconds, lambda: gateway.reload(gateway.proxied))


TROUBLES: dict[str, Callable[[Gateway, Simulator], tuple[Step, ...]]] = {
    "reloaded": lambda gateway, _: (gateway.reload, 0.2, gateway.reload, 0.2, gateway.reload),
    "restarted": lambda gateway, _: (gateway.stop, _AWAY, gateway.start),
    "api away": lambda _, sim: (sim.down, _AWAY, sim.up),
    "404 page": _answers(processes.PAGE_404),
    "404 empty": _answers(processes.EMPTY_404),
    "404 json": _answers(processes.JSON_404),
    "no location": _answers(processes.NO_LOCATION),
    "403 empty": _answers(processes.EMPTY_403),
    "401 empty": _answers(processes.EMPTY_401),
}
"""What happens, and what ends it."""
_OWN = {
    "api away": {502, 503},
    "404 page": {404},
    "404 empty": {404},
    "404 json": {404},
    "no location": {404, 405},
    "403 empty": {403},
    "401 empty": {401},
}
"""With what the gateway answers by itself meanwhile, one of these at least."""


@pytest.fixture
def gateway(sim: Simulator, tmp_path: Any, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway before `sim` that hands everything on."""
    kind: type[Gateway] = getattr(request, "param", Nginx)
    if kind.where() is None:
        pytest.skip(f"{kind.program} is not installed: what it does between the job and the API is not tested")
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
    """Runs `job.py` against `gateway`, with short waits, and patience enough for what the tests do."""
    waits = ["--retry-wait", "10ms", "--retry-max-wait", "200ms", "--max-outage", "30s"]
    job.defaults += ["--base-url", gateway.url, *waits]
    return job


@pytest.fixture
def meanwhile(sim: Simulator, gateway: Gateway) -> Iterator[Meanwhile]:
    """Lets one of the troubles begin once the nth request of a kind was answered.

    It is in force before the simulator answers any other; what ends it follows in a thread.
    """
    planned: list[str] = []
    happening: list[Future[None]] = []
    answered: dict[str, set[int]] = {}

    def do(steps: tuple[Step, ...]) -> None:
        for step in steps:
            if isinstance(step, float):
                time.sleep(step)
            else:
                step()

    with ThreadPoolExecutor(1) as thread:

        def begin_after(trouble: str, *, nth: int, endpoint: str = "discard") -> None:
            first, *others = TROUBLES[trouble](gateway, sim)

            def begin(_world: object) -> None:
                before = gateway.statuses
                do((first,))
                happening.append(thread.submit(end, before))

            def end(before: Counter[int]) -> None:
                do(tuple(others))
                answered[trouble] = set(gateway.statuses - before)

            sim.after(begin, endpoint=endpoint, nth=nth)
            planned.append(trouble)

        yield begin_after
    assert len(happening) == len(planned), "it never came to that"
    for future in happening:
        future.result()
    for trouble in {*planned} & {*_OWN}:
        assert answered[trouble] & _OWN[trouble], f"{trouble}: the gateway answered by itself"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """When a test fails, show what the gateway said as well."""
    report = yield
    gateway = item.stash.get(_GATEWAY, None)
    if report.failed and gateway is not None:
        report.sections.append((gateway.program, gateway.log[-3000:]))
    return report
