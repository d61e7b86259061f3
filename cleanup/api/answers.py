"""Parses an HTTP answer into a Reply. Pure; nothing in the answer is trusted."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from cleanup.api.reply import NOT_JSON, Body, Reply
from cleanup.api.retry_after import timestamp, wait_asked_for

_EXCERPT: Final = 8192
"""How many characters of an answer's text are used to make a message."""
_ROUTE_MISSING: Final = re.compile(rb"<pre>\s*Cannot [A-Z]+ /[^<]*</pre>")
_HIDDEN_ELEMENT: Final = re.compile(r"<(script|style|head)\b.*?(</\1>|\Z)|<!--.*?(-->|\Z)", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_TITLE: Final = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `seconds` and `key_number` as in Reply; `unread` says what is wrong with an unreadable body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    key_number: int
    unread: str = ""


def needs_its_body(status: int) -> bool:
    """Whether the meaning of a status depends on the body: then an answer with a truncated body does not count."""
    return 200 <= status < 300 or status in (401, 403, 404, 405, 409)


def read_answer(answer: Answer, hide: Callable[[str], str], now: float) -> Reply:
    """Convert the answer to a Reply, with secrets removed by `hide`. `now`: seconds since the epoch, by our clock."""
    headers = answer.headers
    parsed = NOT_JSON if answer.unread else _parse(answer.body)
    if "date" in headers:
        now = timestamp(headers["date"]) or now
    request_id = headers.get("x-request-id")
    return Reply(
        answer.status,
        parsed,
        retry_after=wait_asked_for(answer.status, headers.get("retry-after"), parsed, now),
        request_id=hide(request_id)[:200] if request_id else None,
        seconds=answer.seconds,
        message=_message(answer, parsed, hide),
        notices=tuple((name, hide(headers[name])[:200]) for name in ("Deprecation", "Sunset") if name in headers),
        route_missing=_says_route_missing(answer),
        key_number=answer.key_number,
    )


def _says_route_missing(answer: Answer) -> bool:
    """Whether this is the API's own page for an unknown path, as recorded live."""
    is_html = answer.headers.get("content-type", "").lower().startswith("text/html")
    return answer.status == 404 and is_html and _ROUTE_MISSING.search(answer.body) is not None


def _message(answer: Answer, parsed: object, hide: Callable[[str], str]) -> str | None:
    if 200 <= answer.status < 300 and isinstance(parsed, dict) and parsed.get("status") is True:
        return None
    if 300 <= answer.status < 400 and "location" in answer.headers:
        return f"it redirects to {hide(answer.headers['location'])}"[:300]
    if isinstance(parsed, dict):
        errors = parsed.get("errors") or parsed.get("error") or parsed.get("message")
        text = "; ".join(str(error) for error in errors) if isinstance(errors, list) else str(errors or "")
    else:
        text = _page_text(answer, hide) if parsed is NOT_JSON else ""
    # Hide keys before truncating: half a key could no longer be recognized.
    start = hide(text)[:_EXCERPT]
    return " ".join("".join(char if char.isprintable() else " " for char in start).split())[:300] or None


def _page_text(answer: Answer, hide: Callable[[str], str]) -> str:
    """The readable text of a body that is not JSON."""
    if answer.unread:
        return answer.unread
    text = hide(answer.body.decode("utf-8", "replace"))[: 8 * _EXCERPT]
    if "<" not in text:
        return text
    title = _TITLE.search(text)
    words = _TAG.sub(" ", _HIDDEN_ELEMENT.sub(" ", text))
    return words if words.strip() or title is None else title[1]


def _parse(body: bytes) -> object:
    if not body.strip():
        return None
    try:
        value = json.loads(body, parse_int=_whole, parse_constant=_refuse)
        return Body.NULL if value is None else value
    except (ValueError, RecursionError):
        return NOT_JSON


def _whole(digits: str) -> int | float:
    """Parse an integer of any length: JSON has no limit, but Python refuses thousands of digits."""
    return int(digits) if len(digits) <= 100 else float(digits)


def _refuse(constant: str) -> NoReturn:
    """Reject NaN and the infinities, which are not JSON."""
    raise ValueError(constant)
