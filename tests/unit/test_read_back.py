"""Reading back, on a clock that jumps: how long a draft is looked for, who waits for whom, and what is recorded."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cleanup.api.drafts import BadShape
from cleanup.api.reply import Reply
from cleanup.discard.read_back import GATHERING, ReadBack
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.model import Ending, Pair, Result, StopCause
from cleanup.records.proof import Proof
from tests.engine import run, session_of

Answer = Callable[[str, float], Any]


class World:
    """Drafts that are gone so many seconds after they were discarded; None: never."""

    def __init__(self, gone_after: float | None = 0.0, trouble: Exception | None = None, share: float = 1.0) -> None:
        self.session = session_of(SimpleNamespace())
        self.gone_after, self.trouble = gone_after, trouble
        self.began = self.session.throttle.now()
        self.asked: list[float] = []
        self.learned: list[tuple[str, bool | None]] = []
        self.proof = Proof(share)
        workspace = SimpleNamespace(now=self.session.throttle.now, listing=self.listing)
        self.read_back = ReadBack(self.session, cast("Workspace", workspace), self.proof, self.learn)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return round(self.session.throttle.now() - self.began, 3)

    async def listing(self, _caller: Any, _agent: str, *, since: float) -> Any:
        """What the list says now."""
        assert since >= self.began
        self.asked.append(self.elapsed)
        if self.trouble is not None:
            raise self.trouble
        gone = self.gone_after is not None and self.elapsed >= self.gone_after
        return SimpleNamespace(get=lambda _draft: None if gone else object())

    def learn(self, result: Result, *, gone: bool | None) -> None:
        """Note what was learned."""
        self.learned.append((result.pair.draft, gone))

    async def discard(self, number: int) -> None:
        """One pair from its beginning to its end."""
        self.read_back.begin(number)
        await self.read_back.after(Result(Pair(number, "a" * 24, f"d{number}", "l:1"), Ending.DISCARDED))
        self.read_back.end(number)


@pytest.mark.parametrize(
    ("gone_after", "asked", "gone"),
    [
        (0.0, [0], True),
        (0.5, [0, 1], True),
        (3.5, [0, 1, 3, 7], True),
        (15.0, [0, 1, 3, 7, 15], True),
        (15.1, [0, 1, 3, 7, 15], False),
        (None, [0, 1, 3, 7, 15], False),
    ],
)
def test_a_draft_is_looked_for_again_and_again_for_fifteen_seconds(
    gone_after: float | None, asked: list[float], gone: bool
) -> None:
    """Lists lag. What is still there after that is not gone."""

    async def main() -> World:
        world = World(gone_after)
        await world.discard(1)
        return world

    world = run(main)
    assert (world.asked, world.learned) == (asked, [("d1", gone)])
    assert world.session.stop.cause is (None if gone else StopCause.PROOF)


@pytest.mark.parametrize("trouble", [Unanswered(Reply(503)), BadShape("no list")])
def test_what_cannot_be_read_is_unknown(trouble: Exception) -> None:
    """It stops nothing, and counts as known for those that wait."""

    async def main() -> World:
        world = World(trouble=trouble)
        for number in range(3):
            await world.discard(number)
        await world.read_back.admit()
        return world

    world = run(main)
    assert [gone for _, gone in world.learned] == [None] * 3
    assert world.session.stop.cause is None


def test_the_fourth_waits_for_the_first_three_and_the_fifth_for_nobody() -> None:
    """Later ones are read back beside the other work, at the latest at its end."""

    async def main() -> tuple[list[float], list[float], World]:
        world = World(gone_after=2.0)
        begun: list[float] = []
        pairs = []
        for number in range(6):
            await world.read_back.admit()
            begun.append(world.elapsed)
            pairs.append(asyncio.ensure_future(world.discard(number)))
            await asyncio.sleep(0)  # it is begun
        await asyncio.gather(*pairs)
        ended = world.elapsed
        await world.read_back.finish()
        return begun, [ended, world.elapsed], world

    begun, (ended, finished), world = run(main)
    assert begun[:3] == [0, 0, 0]
    assert all(at >= 3.0 for at in begun[3:])
    assert ended <= finished < begun[3] + GATHERING, "nothing else comes that they would wait for"
    assert len(world.learned) == 6


def test_one_that_stays_later_on_stops_nothing() -> None:
    """It is a failure of its own."""

    async def main() -> World:
        world = World()
        for number in range(3):
            await world.discard(number)
        world.gone_after = None
        await world.discard(3)
        await world.read_back.finish()
        return world

    world = run(main)
    assert world.learned == [("d0", True), ("d1", True), ("d2", True), ("d3", False)]
    assert world.session.stop.cause is None


def test_all_of_the_first_three_are_heard_before_the_run_stops() -> None:
    """Each of them that stays is recorded as what it is."""

    async def main() -> World:
        world = World(gone_after=None)
        await asyncio.gather(*(world.discard(number) for number in range(3)))
        return world

    world = run(main)
    assert sorted(world.learned) == [("d0", False), ("d1", False), ("d2", False)]
    assert world.session.stop.cause is StopCause.PROOF


def test_a_bug_while_a_later_discard_is_read_back_is_not_lost() -> None:
    """It ends the run as any other bug does."""

    async def main() -> None:
        world = World()
        for number in range(3):
            await world.discard(number)
        world.trouble = ZeroDivisionError()
        await world.discard(3)
        await asyncio.sleep(10 * GATHERING)  # its task has long ended
        await world.read_back.finish()

    with pytest.raises(ZeroDivisionError):
        run(main)
