"""Whose turn it is: the one place where requests wait, for a free slot, the pace, a pause, or an outage's end."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from cleanup.api.outage import Outage
from cleanup.api.pace import Pace
from cleanup.model import Reply, StopCause, Trouble
from cleanup.stop import Stop, Stopped

Tell = Callable[..., None]
"""Told of an event: its name, then its fields."""


@dataclass(eq=False, slots=True)
class Subject:
    """What a request is about, a pair mostly; a key of None is for what says nothing about pairs.

    `agent` and `draft`: as the log names it. `fresh` until its first turn; a `spare` is there to probe with.

    `cut_off`: a request was in flight when the run was cut short.
    """

    key: Hashable
    agent: str | None = None
    draft: str | None = None
    fresh: bool = False
    spare: bool = False
    cut_off: bool = False


@dataclass(eq=False, slots=True)
class Turn:
    """Leave to send now. A probe does not count as one of its operation's attempts."""

    subject: Subject
    probe: bool
    units_left: int
    _gate: "Gate"

    def next_leaves(self) -> None:
        """The next request of this turn leaves now. Raises Stopped: it must not any more."""
        self._gate.next_leaves()
        self.units_left -= 1


@dataclass(eq=False, slots=True)
class _Waiter:
    subject: Subject
    units: int
    granted: "asyncio.Future[Turn]"


class Gate:
    """Lets requests through one by one; `turn` waits, `release` ends a turn, `heard` learns from the answer."""

    def __init__(self, concurrency: int, pace: Pace, outage: Outage, stop: Stop, tell: Tell) -> None:
        self._concurrency = concurrency
        self._pace = pace
        self._outage = outage
        self._stop = stop
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._begun: deque[_Waiter] = deque()
        self._fresh: deque[_Waiter] = deque()
        self._in_flight = 0
        self._probing = False
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._room: asyncio.Future[None] | None = None
        self.deadline: float | None = None
        stop.listen(self._turn_everybody_away)

    def now(self) -> float:
        """Seconds of the clock that everything here goes by."""
        return self._loop.time()

    async def turn(self, subject: Subject, units: int = 1) -> Turn:
        """Wait until a request may leave, or `units` right after each other. Raises Stopped."""
        self._stop.check()
        waiter = _Waiter(subject, units, self._loop.create_future())
        queue = self._fresh if subject.fresh else self._begun
        if subject.spare:
            queue.appendleft(waiter)
        else:
            queue.append(waiter)
        self._pump()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            if waiter.granted.done() and not waiter.granted.cancelled() and not waiter.granted.exception():
                self.release(waiter.granted.result())
            elif waiter in queue:
                queue.remove(waiter)
                self._make_room()
            raise

    def release(self, turn: Turn) -> None:
        """The turn is over; what is left of it is never sent.

        The next one begins only when whoever had this turn has drawn all conclusions: after a 401, say, none does.
        """
        for _ in range(turn.units_left):
            self._pace.give_back()
        self._in_flight -= 1
        if turn.probe:
            self._probing = False
        self._loop.call_soon(self._pump)

    def next_leaves(self) -> None:
        """A further request of a turn leaves now. Raises Stopped."""
        if self._stop.cause:
            raise Stopped
        self._pace.leave(self.now())

    def held_up(self) -> None:
        """A request that was let through just now waits for its connection: it does not count until it has left."""
        self._pace.hold_up()

    def left(self) -> None:
        """One that was held up leaves now."""
        self._pace.leave(self.now())

    def heard(self, turn: Turn, reply: Reply, backoff: float) -> None:
        """Learn from an answer, or from none. `backoff`: the seconds to pause on a 429 that names none."""
        now = self.now()
        if not reply.down:  # an error is no permission to go faster
            self._pace.answered(now, refused=reply.status == 429)
        if reply.trouble is Trouble.TLS:
            self._stop.request(StopCause.TLS, reply.message or "the server's certificate cannot be verified")
        elif reply.down and turn.subject.key is None:
            pass  # no pair, no evidence
        elif reply.down:
            if self._outage.failed(turn.subject.key, now, probe=turn.probe, reached=reply.sent):
                self._tell("outage.began", message=reply.message, status=reply.status)
        else:
            began = self._outage.began
            if reply.status == 429:
                self._outage.held_off(now)
            else:
                self._outage.answered()
            if began is not None:
                self._tell("outage.ended", seconds=round(now - began, 3))
            if reply.status == 429:
                self._pause(now, backoff if reply.retry_after is None else reply.retry_after)

    def hold_back(self, seconds: float) -> None:
        """Nothing leaves for so many seconds."""
        self._paused_until = max(self._paused_until, self.now() + seconds)

    def _pause(self, now: float, seconds: float) -> None:
        if self.deadline is not None and now + seconds > self.deadline:
            self._stop.request(
                StopCause.DEADLINE, f"the API asks to be left alone for {seconds:.0f} s, past limits.deadline"
            )
            return
        if self._outage.over_patience(now, seconds):
            self._stop.request(
                StopCause.OUTAGE,
                f"the API asks to be left alone for {seconds:.0f} s, longer than limits.max_outage",
            )
            return
        if now + seconds > self._paused_until + 0.05:
            if now >= self._paused_until:
                self._tell("rate.paused", seconds=round(seconds, 3))
            self._paused_until = now + seconds

    async def room(self) -> bool:
        """Wait until another pair may be begun; True when it should be a spare. Raises Stopped."""
        self._stop.check()
        while not self._wants_another():
            self._room = self._loop.create_future()
            await self._room
            self._stop.check()
        return self._outage.holding

    def _wants_another(self) -> bool:
        if self._outage.holding:
            return not self._probing and not any(waiter.subject.spare for waiter in self._fresh)
        return not self._fresh

    def no_more(self) -> None:
        """No other pair will be begun."""
        began = self._outage.began
        if self._outage.all_tried() and began is not None:
            self._tell("outage.ended", seconds=round(self.now() - began, 3))
            self._pump()

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts; cut short when the run stops."""
        if seconds > 0 and not self._stop.cause:
            try:
                async with asyncio.timeout(seconds):
                    await self._stop.event.wait()
            except TimeoutError:
                pass

    def _pump(self) -> None:
        """Let through whoever may go now, and look again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._outage.holding and self.now() >= self._outage.gives_up_at and not self._stop.cause:
            self._stop.request(StopCause.OUTAGE, "the API was down for longer than limits.max_outage")
            return
        while self._in_flight < self._concurrency and not self._stop.cause:
            now = self.now()
            queue = self._next_queue()
            if queue is None:
                break
            if queue[0].granted.done():  # cancelled while it waited
                queue.popleft()
                continue
            ready = max(self._pace.ready_at(now, queue[0].units), self._paused_until)
            if self._outage.holding:
                ready = min(max(ready, self._outage.next_probe), self._outage.gives_up_at)
            if ready > now:
                self._timer = self._loop.call_at(ready, self._pump)
                break
            self._grant(queue.popleft(), now)
        if self._outage.holding and self._timer is None and not self._stop.cause:
            self._timer = self._loop.call_at(self._outage.gives_up_at, self._pump)
        self._make_room()

    def _next_queue(self) -> deque[_Waiter] | None:
        """Begun pairs before fresh ones, but while an outage is suspected or probed, fresh ones first."""
        if self._outage.holding and self._probing:
            return None
        queues = (self._begun, self._fresh)
        if self._outage.holding or self._outage.suspected:
            queues = (self._fresh, self._begun)
        return queues[0] or queues[1] or None

    def _grant(self, waiter: _Waiter, now: float) -> None:
        self._pace.take(now, waiter.units)
        self._in_flight += 1
        probe = self._outage.holding
        self._probing = self._probing or probe
        waiter.subject.fresh = waiter.subject.spare = False
        waiter.granted.set_result(Turn(waiter.subject, probe, waiter.units - 1, self))

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done() and (self._stop.cause or self._wants_another()):
            self._room.set_result(None)

    def _turn_everybody_away(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for queue in (self._fresh, self._begun):
            while queue:
                waiter = queue.popleft()
                if not waiter.granted.done():
                    waiter.granted.set_exception(Stopped())
        self._make_room()
