"""The result of one attempt, and its classification. Pure."""

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import Final, Self

from cleanup.model import Ending

MIGRATION_ERROR: Final = "versioning_v2_migration_required"


class Trouble(StrEnum):
    """Why an attempt got no answer."""

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

    `sent` is False only if no byte of the request was written. `retry_after` is in seconds, None if absent or invalid.
    `route_missing`: this is the API's own page for an unknown path, `Cannot DELETE /atoms/v1/…`. `disowned`: other
    answers have shown that this one did not come from the API. `key_number`: which of the keys read so far was used.
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
        """Whether a gateway or proxy, and not the API, gave this 401, 403, 404 or 405.

        The API's own answers have a JSON body, its 403 with `"status": false`. A route that is being reloaded answers
        with an empty body or a page; nginx without a matching location answers 405 with a page to all but GET.
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
        """Whether this indicates that the API is down: no answer, a 5xx, or an answer from a gateway."""
        return self.status is None or 500 <= self.status < 600 or self.foreign

    @property
    def is_page_of_503(self) -> bool:
        """Whether a gateway says 503: its backends are gone, or the request is beyond its limit (nginx `limit_req`)."""
        return self.status == 503 and (self.body is None or self.body is NOT_JSON)

    @property
    def hopeless(self) -> bool:
        """Whether retrying is useless: TLS cannot be set up, or the proxy requires a login."""
        return self.trouble in (Trouble.TLS, Trouble.PROXY)

    @property
    def deserves_retry(self) -> bool:
        """Whether another attempt makes sense."""
        return (self.down and not self.hopeless) or self.status == 429

    @property
    def lost(self) -> bool:
        """Whether the request may have been carried out, although no answer confirms it."""
        return self.sent and (self.status is None or 500 <= self.status < 600)

    @property
    def ok(self) -> bool:
        """Whether the API says that it did what was asked: 200 with `"status": true`."""
        return self.status == 200 and isinstance(self.body, dict) and self.body.get("status") is True

    @property
    def written(self) -> dict[str, object] | None:
        """The `data` of an answer that says that something was made or changed: 200 or 201 with `"status": true`."""
        if self.status not in (200, 201) or not isinstance(self.body, dict) or self.body.get("status") is not True:
            return None
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def data(self) -> object:
        """The `data` of an answer with `"status": true`, else None."""
        return self.body.get("data") if self.ok and isinstance(self.body, dict) else None

    @property
    def error_type(self) -> str:
        """The API's name for an error, empty if it has none."""
        found = self.body.get("error_type") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def unauthorized(self) -> bool:
        """Whether the API refuses the key."""
        return self.status == 401 and not self.foreign

    @property
    def not_found(self) -> bool:
        """Whether this is a 404 in JSON, the API's answer for an agent or a draft that does not exist."""
        return self.status == 404 and not self.foreign and not self.route_missing

    @property
    def asks_for_migration(self) -> bool:
        """Whether this is the 409 of a workspace that has moved to the branch model."""
        return self.status == 409 and self.error_type == MIGRATION_ERROR

    @property
    def is_alive(self) -> bool:
        """Whether this answer to `GET /user` shows that the API is up."""
        return self.ok or self.status == 429 or (self.status == 403 and not self.foreign)

    @property
    def failure(self) -> Ending:
        """How a pair ends if an operation that it needs ended with this reply, which is neither success nor skip."""
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
        """The same answer, marked as not coming from the API."""
        return replace(self, disowned=True)

    def disown_missing_route(self) -> Self:
        """The same answer, disowned if the route is missing: on the branch model there is no other to try."""
        return self.disown() if self.route_missing else self
