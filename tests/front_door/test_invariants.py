"""Random mixtures of everything: whatever happens, what a run says adds up and agrees with what the API saw."""

import random
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cleanup.simulator import RateLimit, Simulator, World
from tests.accounts import FLAGS, check_account, keys
from tests.conftest import wait_until
from tests.runner import Ended, Runner

FAULTS = (
    "500", "500_after", "503:retry_after=0", "lost", "lost_after", "reset", "truncated", "garbage", "204", "429:body=0",
    "hang", "slow:20ms", "drip",
)  # fmt: skip
ENDS = ("403", "404", "400", "423", "html", "html403", "redirect", "status_false", "empty200", "418", "500*", "429*")


def taken_away(draft: str) -> Callable[[World], None]:
    """Somebody else discards a draft meanwhile, if it is still there."""

    def take(world: World) -> None:
        if draft in world.drafts:
            world.take_away(draft)

    return take


def arrange(chance: random.Random, sim: Simulator) -> list[Any]:
    """A workspace of some size in which much goes wrong, and the list, with doubles and unknown drafts."""
    world = sim.world
    agents = [world.add_agent().id for _ in range(chance.randint(1, 8))]
    held: list[Any] = [world.open_draft(chance.choice(agents)) for _ in range(chance.randint(1, 90))]
    sim.faults.by_share(
        chance.choice((0, 0.1, 0.4)), chance.sample(FAULTS, 4), attempts=chance.choice(("first", "every"))
    )
    for draft in chance.sample(held, chance.randint(0, len(held) // 3)):
        sim.faults.script(draft.id, chance.choice(ENDS))
    for draft in chance.sample(held, len(held) // 10):
        sim.after(taken_away(draft.id), endpoint="discard", nth=chance.randint(1, 30))
    if chance.random() < 0.3:
        sim.after(lambda _world: sim.down(chance.choice(("500", "refuse", "hang")), seconds=0.3),
                  endpoint="discard", nth=chance.randint(1, 40))  # fmt: skip
    if chance.random() < 0.15:
        sim.after(lambda world: world.revoke_key(), endpoint="discard", nth=chance.randint(1, 60))
    if chance.random() < 0.2:
        sim.workspace.limit = RateLimit(300, 20, retry_after=0.02, form="body")
    return held


def flags(chance: random.Random, held: list[Any]) -> list[str]:
    """Settings that cut a run short, or change what it does."""
    some: list[tuple[str, ...]] = [
        ("--deadline", f"{chance.uniform(0.05, 0.6):.3f}"),
        ("--limit", str(chance.randint(1, 60))),
        ("--protect", chance.choice(held).agent),
        ("--max-discards", str(chance.choice((10, 1000)))),
        ("--min-idle", chance.choice(("1ms", "1d"))),
        ("--backup", "kept"),
        ("--attempts", chance.choice(("1", "2"))),
        ("--rate", chance.choice(("200", "auto"))),
    ]
    chosen = chance.sample(some, chance.randint(0, 3))
    always = ("--concurrency", chance.choice(("1", "3", "8", "32")), "--timeout", "150ms", "--max-outage", "2s")
    return [word for flag in (always, *chosen) for word in flag]


def run(chance: random.Random, job: Runner, sim: Simulator, *args: str) -> Ended:
    """Run, sometimes with a signal or two at a random moment."""
    before = len(sim.requests())
    process = job.start(*args)
    if chance.random() < 0.35:
        wanted = chance.randint(1, 60)
        wait_until(lambda: len(sim.requests()) - before >= wanted or process.poll() is not None)
        for _ in range(chance.randint(1, 2)):
            if process.poll() is None:
                process.send_signal(chance.choice((signal.SIGTERM, signal.SIGINT)))
    try:
        return job.wait(process, timeout=40)
    except subprocess.TimeoutExpired:
        raise AssertionError("the run hangs") from None


def mixture(seed: int, make: Callable[[str, Simulator], Runner]) -> None:
    chance = random.Random(seed)
    with Simulator(World(seed=seed)) as sim:
        job = make(f"mixture-{seed}", sim)
        held = arrange(chance, sim)
        unknown = [(sim.world.new_id(), f"unknown-{number}") for number in range(chance.randint(0, 4))]
        rows = keys(held) + unknown
        chance.shuffle(rows)
        listed = job.list_of(rows + chance.sample(rows, chance.randint(0, min(3, len(rows)))))
        ended = run(chance, job, sim, listed, *FLAGS, *flags(chance, held))
        check_account(ended, sim, rows)
        # And once more with what is left over, over the same ledger.
        if ended.counts["not_attempted"] + ended.counts["failed"]:
            rest = [(row.split(",")[0], row.split(",")[1])
                    for row in (job.folder / "leftover.csv").read_text().splitlines()[1:]]  # fmt: skip
            (job.folder / "leftover.csv").rename(job.folder / "rest.csv")
            again = run(chance, job, sim, "rest.csv", *FLAGS, "--resume", "--timeout", "150ms", "--max-outage", "300ms")
            check_account(again, sim, rest)


@pytest.fixture
def make(runner: Runner) -> Callable[[str, Simulator], Runner]:
    """A runner in a folder of its own."""

    def made(name: str, sim: Simulator) -> Runner:
        folder = runner.folder / name
        folder.mkdir()
        fast = ["--base-url", sim.url, "--rate", "off", "--retry-wait", "1ms", "--retry-max-wait", "10ms"]
        return replace(runner, folder=folder, defaults=[*runner.defaults, *fast])

    return made


@pytest.mark.parametrize("seed", range(5))
def test_any_mixture(seed: int, make: Callable[[str, Simulator], Runner]) -> None:
    """Listed = discarded + skipped + failed + not attempted; ledger, summary, leftover, log and exit code agree."""
    mixture(seed, make)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_mixtures(make: Callable[[str, Simulator], Runner]) -> None:
    """The same with many more seeds."""
    for seed in range(100, 300):
        try:
            mixture(seed, make)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
