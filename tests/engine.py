"""The engine's middle without a network: real sessions, answers made up on the spot, and a clock that jumps."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from cleanup.api.adaptive_pace import AdaptivePace
from cleanup.api.atoms import Atoms
from cleanup.api.key import Key
from cleanup.api.pace import Pace
from cleanup.api.renewal import Renewal
from cleanup.api.reply import Reply, Trouble
from cleanup.api.retry import Calling, make_jitter
from cleanup.api.session import Session
from cleanup.api.throttle import Slot, Throttle
from cleanup.api.transport import BeforeWrite, Transport
from cleanup.settings.definitions import Retry
from cleanup.stop import Stop

T = TypeVar("T")

OK = Reply(200, {"status": True, "data": None})
TIMEOUT = Reply(None, trouble=Trouble.TIMEOUT)
REFUSED = Reply(None, trouble=Trouble.CONNECTION, sent=False)
SERVER_ERROR = Reply(500, {"status": False})


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: where it would have to, the clock is put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits, and for nothing that could come")
        if not found and timeout is not None:
            self.now += max(0.0, timeout)
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour passes in no time."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds of the clock that jumps."""
        return self._clock.now


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine in a loop whose clock jumps; fails when everybody waits for nothing."""

    async def go() -> T:
        return await main()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(go())


@dataclass
class Engine:
    """A session whose requests are answered by `answer`, each after so many seconds of a clock that jumps.

    `sent`: the time and the path of each request that was written; `events`: what was logged.
    """

    answer: Callable[[str], Reply] = lambda _path: OK
    seconds: float = 0.05
    opening: float = 0.0
    attempts: int = 3
    retry_wait: float = 0.5
    retry_max_wait: float = 4.0
    max_outage: float = 60.0
    concurrency: int = 4
    pace: Pace = field(default_factory=Pace)
    key: Key = field(default_factory=lambda: Key(None, "sk_test_key"))
    sent: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def run(self, main: Callable[[Session], Awaitable[T]]) -> T:
        """Run this with a session."""

        async def go() -> T:
            return await main(self.session())

        return run(go)

    def session(self) -> Session:
        """A session in the running loop."""
        stop = Stop()
        jitter = make_jitter(Retry(wait=self.retry_wait, max_wait=self.retry_max_wait))
        throttle = Throttle(self.concurrency, self.pace, stop, self.log, self.max_outage)

        def atoms(slot: Slot) -> Atoms:
            return Atoms(cast("Transport", self), slot.before_write, lambda _: None)

        renewal = Renewal(self.key, None, stop, self.attempts, jitter)
        calling = Calling(self.attempts, self.max_outage, jitter, atoms, throttle, renewal, stop, self.log)
        return Session(
            "https://api/", self.concurrency, self.max_outage, self.key, calling, throttle, self.pace, stop, self.log
        )

    def log(self, event: str, **fields: Any) -> None:
        """Note an event."""
        self.events.append((event, fields))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The events of one name."""
        return [fields for name, fields in self.events if name == event]

    def paths(self) -> list[str]:
        """The last part of each path, in the order in which they were sent."""
        return [path.rpartition("/")[2] for _, path in self.sent]

    async def send(
        self,
        method: str,
        path: str,
        *,
        most: int,
        before_write: BeforeWrite,
        candidate: str | None = None,
        document: object = None,
    ) -> Reply:
        """Stand in for Transport."""
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        try:
            used = self.key.number
            if self.opening:
                await asyncio.sleep(self.opening)
            await before_write()
            self.sent.append((asyncio.get_running_loop().time(), path))
            await asyncio.sleep(self.seconds)
            reply = self.answer(path)
            return Reply(reply.status, **_fields(reply), key_number=used) if reply.status == 401 else reply
        finally:
            self.in_flight -= 1


def _fields(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in ("body", "retry_after", "message")}


def scripted(*replies: Reply) -> Callable[[str], Reply]:
    """Answers one after the other, the last one again and again."""
    left = list(replies)
    return lambda _path: left.pop(0) if len(left) > 1 else left[0]


def session_of(api: Any, *, concurrency: int = 8, attempts: int = 3) -> Session:
    """A session whose requests are calls of `api`'s methods; no waits, no limit. Needs a running loop."""
    stop, key, pace, max_outage = Stop(), Key(None, "sk_test"), Pace(), 300.0

    def log(_event: str, **_fields: Any) -> None:
        pass

    def jitter(_attempts: int) -> float:
        return 0.0

    throttle = Throttle(concurrency, pace, stop, log, max_outage)
    renewal = Renewal(key, None, stop, attempts, jitter)
    calling = Calling(attempts, max_outage, jitter, lambda _slot: cast("Atoms", api), throttle, renewal, stop, log)
    return Session("http://localhost", concurrency, max_outage, key, calling, throttle, pace, stop, log)


def ok(data: object) -> Reply:
    """The API's 200."""
    return Reply(200, {"status": True, "data": data})


def refusal(status: int, text: str = "no") -> Reply:
    """An error as the API gives them."""
    return Reply(status, {"status": False, "errors": [text]})


def steady(rate: float) -> Pace:
    """The pace of a fixed rate."""
    return AdaptivePace(lambda *_, **__: None, most=rate)
