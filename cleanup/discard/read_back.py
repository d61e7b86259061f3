"""Reads discarded drafts back from their agent's list, on either model, while other pairs are processed.

One request serves all pairs of an agent that are waiting to be read back.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cleanup.api.drafts import BadShape
from cleanup.api.retry import Subject
from cleanup.api.session import Session
from cleanup.discard.workspace import Unanswered, Workspace
from cleanup.model import Ending, Pair, Result, StopCause
from cleanup.records.proof import WAITS, Proof
from cleanup.stop import Stopped

GATHERING: Final = 1.0
"""Seconds to wait for other pairs of the same agent, so that one request reads them all back."""
_ITEM: Final = "read-back"
"""What the breaker counts them as, all together: lists that cannot be read do not show that discards are down."""


class ReadBack:
    """Reads back the discards that `proof` selects, and holds other pairs back until the first three are known."""

    def __init__(self, session: Session, workspace: Workspace, proof: Proof, learned: Callable[..., None]) -> None:
        """`learned` is called with a discard's result, and `gone`: True, False, or None if it could not be read."""
        self._session = session
        self._stop = session.stop
        self._workspace = workspace
        self._proof = proof
        self._learned = learned
        self._tasks: set[asyncio.Task[None]] = set()
        self._bug: BaseException | None = None
        self._early = 0
        self._changed, self._closing = asyncio.Event(), asyncio.Event()
        session.stop.listen(self._changed.set)

    async def admit(self) -> None:
        """Wait until another pair may begin. Raises Stopped."""
        while not self._proof.may_begin:
            self._changed.clear()
            self._stop.check()
            await self._changed.wait()

    def begin(self, place: int) -> None:
        """The pair at this place of the list begins."""
        self._proof.begin(place)

    def end(self, place: int) -> None:
        """A pair is not about to be discarded any more."""
        self._proof.end(place)
        self._changed.set()

    async def after(self, result: Result) -> None:
        """Read a discarded pair back if it is selected: at once for the first three discards, else later."""
        if result.ending is not Ending.DISCARDED or not self._proof.wants(result.pair):
            return
        is_early = not self._proof.is_settled
        task = asyncio.ensure_future(self._read(result, self._workspace.now(), early=is_early))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        if is_early:
            await task

    async def finish(self) -> None:
        """Read back what is still waiting, without waiting for other pairs of the same agent."""
        self._closing.set()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._bug is not None:
            raise self._bug

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._bug = self._bug or task.exception()

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
        if self._proof.is_refuted and not self._early:  # the early ones still being read back count as well
            sentence = f"the API said that it discarded drafts which are still open {sum(WAITS):.0f} s later"
            self._stop.request(StopCause.PROOF, f"{sentence}: nothing more is sent")

    async def _is_gone(self, pair: Pair, discarded_at: float) -> bool:
        """Whether the draft is no longer open; repeated a few times while it still is. Raises as `listing` does."""
        caller = self._session.caller(Subject(_ITEM, pair.agent, pair.draft))
        try:
            for wait in WAITS:
                await self._stop.sleep(wait)
                self._stop.check()
                # A list that was requested meanwhile for another pair of this agent will do.
                since = max(discarded_at, self._workspace.now() - GATHERING)
                if (await self._workspace.listing(caller, pair.agent, since=since)).get(pair.draft) is None:
                    return True
            return False
        finally:
            caller.finish()
