"""When a request leaves that has to wait for a connection first: that is when it counts, where it arrives."""

from typing import Any, Protocol


class Departures(Protocol):
    """Told when requests leave that have to wait for a connection first."""

    def held_up(self) -> None:
        """The request that was let through just now has not left yet."""

    def left(self) -> None:
        """One that was held up leaves now, or never will."""


class Departure:
    """Follows one request through httpcore, as its `trace`, until its first bytes are written."""

    def __init__(self, departures: Departures) -> None:
        self._departures: Departures | None = departures
        departures.held_up()

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        """The connection is open, and so is a proxy's tunnel, when the request itself is written."""
        if event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            self.now()

    def now(self) -> None:
        """It leaves; told once."""
        departures, self._departures = self._departures, None
        if departures is not None:
            departures.left()
