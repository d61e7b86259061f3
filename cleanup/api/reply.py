"""What one attempt brought back, and what can be said of it by itself. Pure."""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Final, Self

from cleanup.model import Ending

MIGRATION_ERROR: Final = "versioning_v2_migration_required"


class Trouble(StrEnum):
    """Why an attempt brought no answer."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    PROXY = "proxy"


class Body(Enum):
    """Bodies that are not a JSON value."""

    NOT_JSON = "not JSON"
    NULL = "null"


NOT_JSON: Final = Body.NOT_JSON
"""The body of an answer that is not JSON (HTML, say). An empty body is None."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, or the trouble that came instead of one.

    `sent` is False only when no byte of the request was written. `retry_after` is in seconds, None when absent or
    nonsense. `route_missing`: the API's own page for a path that it does not know, `Cannot DELETE /atoms/v1/…`.
    `disowned`: other answers have shown that this one was not the API's own. `key_number` tells which of the keys
    read so far was used.
    """

    status: int | None
    body: object = None
    trouble: Trouble | None = None
    sent: bool = True
    retry_after: float | None = None
    request_id: str | None = None
    seconds: float = 0.0
    message: str | None = None
    notices: tuple[tuple[str, str], ...] = field(default=())
    route_missing: bool = False
    disowned: bool = False
    key_number: int = 0

    @property
    def foreign(self) -> bool:
        """Whether a gateway or proxy gave this 401, 403, 404 or 405 in the API's place.

        The API's own have a JSON body, the 403 one with `"status": false`; a route that is being reloaded answers
        with an empty body or a page, nginx without a location with a page of 405 to whatever is no GET.
        """
        if self.disowned:
            return True
        match self.status:
            case 401:
                return not isinstance(self.body, dict)
            case 403:
                return not (isinstance(self.body, dict) and self.body.get("status") is False)
            case 404:
                return (self.body is None or self.body is NOT_JSON) and not self.route_missing
            case 405:
                return self.body is NOT_JSON
            case _:
                return False

    @property
    def down(self) -> bool:
        """Whether this speaks for an API that is down: no answer, a 5xx, or a gateway's answer in its place."""
        return self.status is None or 500 <= self.status < 600 or self.foreign

    @property
    def hopeless(self) -> bool:
        """Whether no further attempt can do better: TLS that cannot be set up, a proxy that wants a login."""
        return self.trouble in (Trouble.TLS, Trouble.PROXY)

    @property
    def deserves_retry(self) -> bool:
        """Whether another attempt makes sense."""
        return (self.down and not self.hopeless) or self.status == 429

    @property
    def lost(self) -> bool:
        """Whether the request may have been carried out although no answer says so."""
        return self.sent and (self.status is None or 500 <= self.status < 600)

    @property
    def ok(self) -> bool:
        """Whether the API says that it did what was asked: 200 with `"status": true`."""
        return self.status == 200 and isinstance(self.body, dict) and self.body.get("status") is True

    @property
    def data(self) -> object:
        """The `data` of an answer with `"status": true`, else None."""
        return self.body.get("data") if self.ok and isinstance(self.body, dict) else None

    @property
    def unauthorized(self) -> bool:
        """Whether the API refuses the key."""
        return self.status == 401 and not self.foreign

    @property
    def not_found(self) -> bool:
        """Whether this is a 404 in JSON, as the API answers for an agent or a draft that it does not have."""
        return self.status == 404 and not self.foreign and not self.route_missing

    @property
    def asks_for_migration(self) -> bool:
        """Whether this is the 409 of a workspace that has moved to the branch model."""
        return self.status == 409 and isinstance(self.body, dict) and self.body.get("error_type") == MIGRATION_ERROR

    @property
    def is_alive(self) -> bool:
        """Whether this answer to `GET /user` shows that the API is there."""
        return self.ok or self.status == 429 or (self.status == 403 and not self.foreign)

    @property
    def failure(self) -> Ending:
        """How a pair ends by the last reply to an operation that it needs, if that is no success and no skip."""
        if self.status is None:
            return Ending.TIMEOUT if self.trouble is Trouble.TIMEOUT else Ending.CONNECTION
        if self.foreign:
            return Ending.DISOWNED
        if self.down:
            return Ending.SERVER_ERROR
        match self.status:
            case 400:
                return Ending.BAD_REQUEST
            case 401:
                return Ending.UNAUTHORIZED
            case 409:
                return Ending.MIGRATION_REQUIRED if self.asks_for_migration else Ending.CONFLICT
            case 423:
                return Ending.FROZEN
            case 429:
                return Ending.RATE_LIMITED
            case _:
                return Ending.UNEXPECTED_RESPONSE

    def disown(self) -> Self:
        """The same answer, known not to be the API's own."""
        return replace(self, disowned=True)

    def disown_missing_route(self) -> Self:
        """The same answer; by branches there is nowhere else to go on, so a page for a missing route is disowned."""
        return self.disown() if self.route_missing else self
