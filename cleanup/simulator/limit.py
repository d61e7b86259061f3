"""The rate limit: a token bucket for the whole workspace, and its refusals in the forms that APIs give them.

One form is not the API's own: `page`, a gateway's page of 503, as nginx answers beyond its `limit_req`.
"""

import time
from email.utils import formatdate
from typing import Literal

from cleanup.simulator.endpoints import Answer, as_json

RetryAfterForm = Literal["header", "date", "body", "rate_limit", "none", "page"]


class RateLimit:
    """Allows `rate` requests per second, `burst` at once. Beyond that, a 429 asks to wait `retry_after` seconds."""

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        *,
        retry_after: float = 1,
        form: RetryAfterForm = "header",
    ) -> None:
        self.rate = rate
        self.burst = max(1.0, rate if burst is None else burst)
        self.retry_after = retry_after
        self.form: RetryAfterForm = form
        self._tokens = self.burst
        self._filled = time.monotonic()

    def allows(self) -> bool:
        """Take a token, if there is one."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def refusal(self) -> Answer:
        """Make the answer to a request beyond the limit."""
        if self.form == "page":
            return Answer(503, b"<html><h1>503 Service Temporarily Unavailable</h1></html>", content_type="text/html")
        return too_many_requests(f"{self.retry_after:g}", self.form)


def too_many_requests(retry_after: str, form: RetryAfterForm) -> Answer:
    """Make a 429. A text for a header or the body is sent unchanged, so that nonsense can be sent too."""
    if form == "rate_limit":
        limit = {"routeClass": "default", "limit": 100, "retryAfterSec": _number(retry_after)}
        return Answer(429, as_json({"message": "Too many requests", "rateLimit": limit}))
    body: dict[str, object] = {"status": False, "error": "Rate limit exceeded", "code": "RATE_LIMIT_EXCEEDED"}
    if form == "body":
        body["retry_after"] = _number(retry_after)
    return Answer(429, as_json(body), retry_after_header(retry_after, form))


def retry_after_header(retry_after: str, form: RetryAfterForm) -> tuple[tuple[str, str], ...]:
    """Return the `Retry-After` header in that form; nothing for a form without one."""
    if form == "header":
        return (("Retry-After", retry_after),)
    if form == "date":
        return (("Retry-After", formatdate(time.time() + float(retry_after), usegmt=True)),)
    return ()


def _number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
