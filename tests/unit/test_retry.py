"""How often an operation is attempted, and what it waits for: scripted replies, real turns, waits of no time."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cleanup.api.gate import Gate, Subject, Turn
from cleanup.api.outage import Outage
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.key import Key
from cleanup.api.pace import NoPace
from cleanup.api.retry import Caller, History, jitter
from cleanup.model import NOT_JSON, Reply, StopCause, Trouble
from cleanup.settings.definitions import Limits, Retry, Settings
from cleanup.stop import Stop

OK = Reply(200, {"status": True})
TIMEOUT = Reply(None, trouble=Trouble.TIMEOUT)
REFUSED = Reply(None, trouble=Trouble.CONNECTION, sent=False)


class Scene:
    """A caller, and what it did: the attempts, the waits in between, the events, why it stopped."""

    def __init__(self, attempts: int = 3, patience: float = 60.0, key: Key | None = None) -> None:
        self.key = key or Key(None, "sk_test_key")
        self.waits: list[float] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.settings = Retry(attempts=attempts, wait=0.5, max_wait=4.0)
        self.patience = patience
        self.stop: Stop | None = None
        self.made = 0

    def run(self, replies: Sequence[Reply], *, once: bool = False, key: object = 1) -> History:
        """Run one operation that is answered with these replies, the last one again and again."""

        async def operate() -> History:
            self.stop = stop = Stop()

            def tell(event: str, **fields: Any) -> None:
                self.events.append((event, fields))

            gate = Gate(4, NoPace(), Outage(self.patience, lambda _number: 0.0), stop, tell)

            async def sleep(seconds: float) -> None:
                self.waits.append(seconds)

            settings = Settings(retry=self.settings, limits=Limits(max_outage=self.patience))
            gate.sleep = sleep  # type: ignore[method-assign]
            caller = Caller(settings, gate, self.key, stop, tell)

            async def attempt(_turn: Turn) -> Reply:
                self.made += 1
                return replies[min(self.made, len(replies)) - 1]

            history = await caller.operate(Subject(key), attempt, once=once)
            assert caller.retries == history.attempts - 1
            return history

        return asyncio.run(operate())


@pytest.mark.parametrize(
    ("replies", "attempts"),
    [
        ([OK], 1),
        ([Reply(500), OK], 2),
        ([Reply(500, NOT_JSON), TIMEOUT, OK], 3),
        ([REFUSED, Reply(503), OK], 3),
        ([Reply(429, retry_after=0.001), OK], 2),
        ([Reply(599)], 3),
        ([TIMEOUT], 3),
        ([Reply(500), Reply(404)], 2),
        *[([Reply(status)], 1) for status in (201, 302, 400, 403, 404, 408, 409, 418, 423, 600)],
    ],
)
def test_attempts_until_an_answer_stands(replies: list[Reply], attempts: int) -> None:
    """No answer, 429 and 5xx are tried again, up to `retry.attempts`; anything else stands."""
    scene = Scene()
    history = scene.run(replies)
    assert history.attempts == history.counted == attempts == scene.made
    assert history.reply is replies[min(attempts, len(replies)) - 1]
    retrying = [fields for event, fields in scene.events if event == "draft.retrying"]
    assert [fields["attempts"] for fields in retrying] == list(range(1, attempts))


def test_what_is_asked_once_is_asked_once() -> None:
    """`once` leaves any failure as it is."""
    for reply in (Reply(500), TIMEOUT, Reply(429, retry_after=0.001)):
        assert Scene().run([reply, OK], once=True, key=None).reply is reply


def test_waits_double_with_full_jitter() -> None:
    """Each wait lies between none and its bound, which doubles from `retry.wait` to `retry.max_wait`."""
    bounds = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0)
    seen: list[list[float]] = [[] for _ in bounds]
    for _ in range(40):
        scene = Scene(attempts=7)
        scene.run([TIMEOUT])
        for waits, wait in zip(seen, scene.waits, strict=True):
            waits.append(wait)
    for bound, waits in zip(bounds, seen, strict=True):
        assert 0 <= min(waits) < 0.4 * bound
        assert 0.6 * bound < max(waits) <= bound


def test_a_503_says_how_long() -> None:
    """Its `Retry-After` takes the place of the back-off, unless it is longer than anybody waits: then it stands."""
    scene = Scene()
    assert scene.run([Reply(503, retry_after=7.0), OK]).reply is OK
    assert scene.waits == [7.0]
    scene = Scene(patience=60.0)
    history = scene.run([Reply(503, retry_after=61.0), OK])
    assert (history.attempts, scene.waits) == (1, [])
    assert scene.stop is not None
    assert scene.stop.cause is None


def test_a_429_waits_with_everybody() -> None:
    """Its wait is the gate's, not its own; too long a one stops the run."""
    scene = Scene()
    assert scene.run([Reply(429, retry_after=0.02), OK]).reply is OK
    assert scene.waits == [0.0]
    assert ("rate.paused", {"seconds": 0.02}) in scene.events
    scene = Scene(patience=60.0)
    history = scene.run([Reply(429, retry_after=61.0), OK])
    assert history.attempts == 1
    assert scene.stop is not None
    assert scene.stop.causes == [StopCause.OUTAGE]


def test_a_refused_key_stops_the_run() -> None:
    """A 401 with the key that there is: no other attempt, and nobody else's either."""
    scene = Scene()
    history = scene.run([Reply(401), OK])
    assert history.attempts == 1
    assert scene.stop is not None
    assert scene.stop.causes == [StopCause.UNAUTHORIZED]


def test_a_key_that_changed_is_tried(tmp_path: Path) -> None:
    """A 401 to a key that is no longer the one in use is tried again, also past `retry.attempts`."""
    file = tmp_path / "key"
    file.write_text("sk_one")
    key = Key(str(file), None)
    file.write_text("sk_other")
    scene = Scene(attempts=1, key=key)
    history = scene.run([Reply(401, key_number=0), Reply(200, key_number=1)])
    assert (history.attempts, history.reply) == (2, Reply(200, key_number=1))
    assert scene.stop is not None
    assert scene.stop.cause is None


replies = st.builds(
    Reply,
    st.sampled_from([None, 200, 204, 302, 400, 401, 403, 404, 409, 423, 429, 500, 503]),
    trouble=st.sampled_from([Trouble.TIMEOUT, Trouble.CONNECTION]),
    retry_after=st.sampled_from([None, 0.0001, 90.0]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(replies, min_size=1, max_size=6), st.integers(1, 5))
def test_any_sequence_comes_to_an_end(sequence: list[Reply], attempts: int) -> None:
    """Never more attempts than may be, and the last reply is the one that stands."""
    scene = Scene(attempts=attempts)
    history = scene.run(sequence)
    assert 1 <= history.attempts <= attempts
    assert history.attempts == scene.made
    assert history.reply is sequence[min(scene.made, len(sequence)) - 1]
    assert jitter(scene.settings)(1) <= 0.5
