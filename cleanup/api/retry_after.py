"""How long an answer asks the client to wait. Pure; an invalid value is None."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime


def wait_asked_for(status: int, header: str | None, body: object, now: float) -> float | None:
    """The seconds that a 429 or 503 asks for: in `Retry-After` (seconds or a date), else in the body.

    The body has them as `retry_after` or `rateLimit.retryAfterSec`: the API uses both.
    `now`: seconds since the epoch, by the server's clock if it sends a Date, as ours may be wrong.
    """
    if status not in (429, 503):
        return None
    wait = _header_seconds(header, now) if header else None
    if wait is None and isinstance(body, dict):
        wait = _seconds(body.get("retry_after"))
        limit = body.get("rateLimit")
        if wait is None and isinstance(limit, dict):
            wait = _seconds(limit.get("retryAfterSec"))
    return wait or None


def _header_seconds(header: str, now: float) -> float | None:
    wait = _seconds(header)
    if wait is not None:
        return wait
    until = timestamp(header)
    return None if until is None else max(0.0, until - now)


def timestamp(text: str) -> float | None:
    """An HTTP date in seconds since the epoch, or None."""
    try:
        date = parsedate_to_datetime(text)
        # A date with `-0000` is parsed without a zone, but is in UTC.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).strip()
    return float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII) else None
