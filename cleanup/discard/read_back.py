"""Reads discarded drafts back by their agent's list, on either model, beside the other work.

One request serves all pairs of an agent that wait to be read back.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from cleanup.api.drafts import BadShape
from cleanup.api.retry import Subject
from cleanup.api.session import Session
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.model import Ending, Pair, Result, StopCause
from cleanup.records.proof import WAITS, Proof
from cleanup.stop import Stopped

GATHERING: Final = 1.0
"""Seconds in which other pairs of the same agent may come to be read back by the same request."""


class Learned(Protocol):
    """Is called with the result of a discard, and whether its draft is gone; None: that could not be read."""

    def __call__(self, result: Result, *, gone: bool | None) -> None: ...  # noqa: D102


class ReadBack:
    """Reads back what `proof` wants, and lets no other pair begin until the first three are known."""

    def __init__(self, session: Session, workspace: Workspace, proof: Proof, learned: Learned) -> None:
        self._session = session
        self._stop = session.stop
        self._workspace = workspace
        self._proof = proof
        self._learned = learned
        self._tasks: set[asyncio.Task[None]] = set()
        self._early = 0
        self._changed, self._closing = asyncio.Event(), asyncio.Event()
        session.stop.listen(self._changed.set)

    async def admit(self) -> None:
        """Wait until another pair may be begun. Raises Stopped."""
        while not self._proof.may_begin:
            self._changed.clear()
            self._stop.check()
            await self._changed.wait()

    def begin(self) -> Callable[[], None]:
        """A pair is begun. Returns what is to be called once it is no longer about to be discarded."""
        self._proof.begin()
        is_over = False

        def over() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._proof.end()
                self._changed.set()

        return over

    async def after(self, result: Result) -> None:
        """A pair has ended. One of the first three discards is read back now, any other later."""
        if result.ending is not Ending.DISCARDED or not self._proof.wants(result.pair):
            return
        is_early = not self._proof.is_settled
        task = asyncio.ensure_future(self._read(result, self._workspace.now(), early=is_early))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if is_early:
            await task

    async def finish(self) -> None:
        """Wait for what is still to be read back: no other pairs will come to be read back with it."""
        self._closing.set()
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _read(self, result: Result, discarded_at: float, *, early: bool) -> None:
        gone = None
        self._early += early
        with suppress(Unanswered, BadShape, Stopped):
            if not early:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), GATHERING)
            gone = await self._is_gone(result.pair, discarded_at)
        self._early -= early
        self._proof.add(gone=gone, early=early)
        self._learned(result, gone=gone)
        if self._proof.is_refuted and not self._early:  # what is being read back of the others counts as well
            sentence = f"the API said that it discarded drafts which are still open {sum(WAITS):.0f} s later"
            self._stop.request(StopCause.PROOF, f"{sentence}: nothing more is sent")

    async def _is_gone(self, pair: Pair, discarded_at: float) -> bool:
        """Whether the draft is not open any more; asked again and again while it is. Raises as `listing` does."""
        caller = self._session.caller(Subject(("proof", pair.index), pair.agent, pair.draft))
        try:
            for wait in WAITS:
                await self._stop.sleep(wait)
                self._stop.check()
                # What another pair of this agent has asked for meanwhile is as good.
                since = max(discarded_at, self._workspace.now() - GATHERING)
                if (await self._workspace.listing(caller, pair.agent, since=since)).get(pair.draft) is None:
                    return True
            return False
        finally:
            caller.finish()
