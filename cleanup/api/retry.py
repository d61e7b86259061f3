"""Which reply deserves another attempt, and when. The only module that imports tenacity."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, wait_random_exponential

from cleanup import verdict
from cleanup.api.gate import Gate, Subject, Tell, Turn
from cleanup.api.key import Key
from cleanup.model import Reply, StopCause
from cleanup.settings.definitions import Retry, Settings
from cleanup.stop import Stop, Stopped

Attempt = Callable[[Turn], Awaitable[Reply]]


@dataclass(eq=False, slots=True)
class History:
    """What came of an operation so far. `reply` is the last answer, None when nothing was ever sent."""

    attempts: int = 0
    counted: int = 0
    reply: Reply | None = None


class Caller:
    """Runs operations: attempts at one thing, each in its turn, until an answer stands or patience ends."""

    def __init__(self, settings: Settings, gate: Gate, key: Key, stop: Stop, tell: Tell) -> None:
        self._attempts = settings.retry.attempts
        self._backoff = _waits(settings.retry)
        self._patience = settings.limits.max_outage  # also the longest wait that a 503 may ask for
        self._gate = gate
        self._key = key
        self._stop = stop
        self._tell = tell
        self.retries = 0

    async def operate(self, subject: Subject, attempt: Attempt, *, units: int = 1, once: bool = False) -> History:
        """Attempt until an answer needs no retry. `units`: how many requests an attempt may send.

        `once`: no retries, whatever comes. Never raises but on cancellation: when the run stops, the last
        answer stands.
        """
        history = History()

        async def one_attempt() -> Reply:
            turn = await self._gate.turn(subject, units)
            history.attempts += 1
            self.retries += history.attempts > 1
            try:
                reply = await attempt(turn)
                history.counted += not turn.probe
                history.reply = reply
                # Before the turn ends: what this answer says holds for whoever is next.
                seconds = backoff(self._backoff, history.attempts) if reply.status in (401, 429) else 0.0
                self._gate.heard(turn, reply, seconds)
                if reply.status == 401 and self._again(reply) and not self._has_another_key(reply):
                    self._gate.hold_back(seconds)
            except asyncio.CancelledError:
                subject.cut_off = True
                raise
            finally:
                self._gate.release(turn)
            return reply

        def give_up(state: RetryCallState) -> bool:
            reply = state.outcome.result() if state.outcome else None
            asked = reply.retry_after if reply and reply.status == 503 else None
            exhausted = (once or history.counted >= self._attempts) and not self._has_another_key(reply)
            return exhausted or bool(self._stop.cause) or (asked or 0.0) > self._patience

        def wait(state: RetryCallState) -> float:
            reply = state.outcome.result() if state.outcome else None
            if reply is None or reply.status in (401, 429):
                return 0.0  # another key, or the pause that everybody keeps
            return self._backoff(state) if reply.retry_after is None else float(reply.retry_after)

        def retrying(state: RetryCallState) -> None:
            reply = history.reply
            wait = round(state.next_action.sleep, 4) if state.next_action else 0.0
            self._tell("draft.retrying", subject=subject, reply=reply, attempts=history.attempts, wait=wait)

        with suppress(Stopped):
            reply = await one_attempt()
            if self._again(reply):  # only now: what tenacity does around an attempt takes as long as it
                loop = AsyncRetrying(
                    sleep=self._gate.sleep,
                    stop=give_up,
                    wait=wait,
                    retry=retry_if_result(self._again),
                    before_sleep=retrying,
                    retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
                )
                await _go_on(loop, reply, one_attempt)
        if history.reply is not None and history.reply.status == 401 and not self._stop.cause:
            self._stop.request(StopCause.UNAUTHORIZED, "the API refuses the key (401)")
        return history

    def _again(self, reply: Reply) -> bool:
        return verdict.deserves_retry(reply) or (reply.status == 401 and self._may_get_another_key(reply))

    def _may_get_another_key(self, reply: Reply) -> bool:
        """Whether the key has changed since it was used for this reply, or its file is about to be written anew."""
        return reply.key_number < self._key.number or self._key.refresh() or self._key.unsettled

    def _has_another_key(self, reply: Reply | None) -> bool:
        return reply is not None and reply.status == 401 and reply.key_number < self._key.number


async def _go_on(loop: AsyncRetrying, first: Reply, attempt: Callable[[], Awaitable[Reply]]) -> None:
    """Let `loop` take over after an attempt that was made without it."""
    made = [first]

    async def next_attempt() -> Reply:
        return made.pop() if made else await attempt()

    await loop(next_attempt)


def backoff(wait: wait_random_exponential, attempt: int) -> float:
    """The jittered seconds after attempt n, from 1, outside an operation."""
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = attempt
    return wait(state)


def jitter(settings: Retry) -> Callable[[int], float]:
    """Seconds before probe n, from 1: the same jitter as between attempts."""
    waits = _waits(settings)
    return lambda number: backoff(waits, number)


def _waits(settings: Retry) -> wait_random_exponential:
    return wait_random_exponential(multiplier=settings.wait, max=settings.max_wait)
