"""The record of every request, and hooks that are called between requests."""

import bisect
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cleanup.simulator.world import World

Hook = Callable[[World], object]


@dataclass(slots=True)
class Request:
    """One request. Times are of the monotonic clock; `key` is the key's name, never the key.

    `answered` is when the answer was sent, or when the connection ended without one. In that case `status` is None,
    and `fault` says what happened. `in_flight` includes this request. `discarded` is a draft's id. `body` is what the
    request's JSON says; None if it has none.
    """

    number: int
    arrived: float
    method: str
    path: str
    endpoint: str
    agent: str
    branch: str
    draft: str | None
    in_flight: int
    key: str | None = None
    answered: float | None = None
    status: int | None = None
    fault: str | None = None
    discarded: str | None = None
    body: object = None

    @property
    def request_id(self) -> str:
        """The `x-request-id` of the answer."""
        return f"sim-{self.number:08d}"


@dataclass(slots=True)
class _Hook:
    function: Hook
    when: Literal["before", "after"]
    endpoint: str | None
    agent: str | None
    draft: str | None
    countdown: int

    def matches(self, request: Request) -> bool:
        return (
            self.endpoint in (None, request.endpoint)
            and self.agent in (None, request.agent)
            and self.draft in (None, request.draft)
        )


class Journal:
    """All requests in the order of their arrival."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._hooks: list[_Hook] = []

    def begin(self, method: str, path: str, endpoint: str, agent: str, branch: str, draft: str | None) -> Request:
        """Record the arrival of a request."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        number = len(self.requests) + 1
        request = Request(number, time.monotonic(), method, path, endpoint, agent, branch, draft, self.in_flight)
        self.requests.append(request)
        return request

    def end(self, request: Request, status: int | None = None) -> None:
        """Record the answer, or, without a status, that there is none. Only the first call counts."""
        if request.answered is None:
            request.answered = time.monotonic()
            request.status = status
            self.in_flight -= 1

    def add_hook(
        self,
        function: Hook,
        *,
        when: Literal["before", "after"],
        endpoint: str | None,
        agent: str | None,
        draft: str | None,
        nth: int,
    ) -> None:
        """Call the function at the nth request that matches from now on."""
        self._hooks.append(_Hook(function, when, endpoint, agent, draft, nth))

    def call_hooks(self, when: Literal["before", "after"], request: Request, world: World) -> None:
        """Call the hooks that are due."""
        if not self._hooks:
            return
        for hook in [hook for hook in self._hooks if hook.when == when and hook.matches(request)]:
            hook.countdown -= 1
            if hook.countdown == 0:
                self._hooks.remove(hook)
                hook.function(world)

    def find(
        self,
        endpoint: str | None = None,
        *,
        agent: str | None = None,
        draft: str | None = None,
        status: int | None = None,
    ) -> list[Request]:
        """Return the requests that match."""
        return [
            request
            for request in list(self.requests)
            if endpoint in (None, request.endpoint)
            and agent in (None, request.agent)
            and draft in (None, request.draft)
            and status in (None, request.status)
        ]

    def by_status(self) -> dict[str, int]:
        """Count the requests by status, or by fault if there was no status; or as under way."""
        return dict(Counter(_outcome(request) for request in list(self.requests)))

    def max_per_second(self, window: float = 1.0) -> int:
        """Return the most requests that arrived within any `window` seconds."""
        times = [request.arrived for request in list(self.requests)]
        return max(
            (bisect.bisect_left(times, start + window) - index for index, start in enumerate(times)),
            default=0,
        )


def _outcome(request: Request) -> str:
    if request.status is not None:
        return str(request.status)
    return request.fault or ("no answer" if request.answered is not None else "under way")
