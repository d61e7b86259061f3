"""What goes wrong, and when. Faults are written as short texts, and scripted, random, or part of an outage.

A fault is written `KIND[_before|_after][:OPTION][*|xN]`:

- a status (`500`, `404`, `429:retry_after=2`, `503:retry_after=2`, `429:date=2`, `429:body=2`,
  `429:rate_limit=2`: the wait where the API's other 429 has it, under `rateLimit`);
- `migration` the 409 of the branch model; `cannot` the API's own 404 for a missing route;
- `status_false`, `html`, `redirect`; what gateways answer: `html403` an HTML page, `nginx404` nginx's page,
  `empty401` an empty body (each with any status), `no_route` a 404 in JSON;
- `gzip` the regular answer, compressed although the client did not ask for it;
- `lost` closed without an answer; `reset` the same with a TCP reset; `hang` no answer at all;
- `drip` endless headers, a byte at a time (`drip:0.2s` between two); `drip_body` the same with the body;
- `garbage` bytes that are not HTTP; `truncated` less body than announced; `huge` a body of 50 MB;
- `slow:2s` the regular answer, delayed; `ok` the regular answer; `204`.

With `_after` the request is carried out before the fault, with `_before` it is not. Without either, faults that look
like a success (`204`, `drip`, `truncated`, `huge`, `gzip`, `slow`, `ok`) carry it out, and the others do not.
`*` repeats for ever, `x3` three times.
"""

import random
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

PROPER = ("ok", "slow", "drip", "drip_body", "truncated", "huge", "gzip", "204")
REFUSALS = ("migration", "cannot", "no_route", "status_false", "html", "redirect")
IMPROPER = (*REFUSALS, "lost", "reset", "hang", "garbage")
RETRY_AFTER_OPTIONS = ("retry_after", "date", "body", "rate_limit")

_TEXT = re.compile(r"(?P<kind>[a-z]+(?:_body|_false|_route)?\d*|\d{3})(?P<when>_before|_after)?(?::(?P<option>.+?))?")
_PAGE = re.compile(r"(?P<sort>html|empty|nginx|)(?P<status>\d+)")
_REPEAT = re.compile(r"(?P<text>.+?)(?:(?P<forever>\*)|(?<!ngin)x(?P<times>\d+))?")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request. `done`: whether it is carried out."""

    text: str
    kind: str
    done: bool
    seconds: float | None = None
    retry_after: tuple[str, str] | None = None

    @property
    def status(self) -> int | None:
        """The status, for faults that are only a status."""
        return int(self.kind) if self.kind.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault for all requests, or for a share of them, until a time or until it is switched off."""

    fault: Fault
    until: float | None = None
    share: float = 1.0


def duration(text: str) -> float:
    """Seconds, from `500ms`, `10s`, `5m`, `7d` or a number of seconds."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration like 500ms, 10s, 5m or 7d")
    return float(match["number"]) * _SECONDS[match["unit"] or "s"]


def parse(text: str) -> Fault:
    """Read one fault."""
    match = _TEXT.fullmatch(text)
    kind = match["kind"] if match else ""
    if match is None or not _known(kind):
        raise ValueError(
            f"{text!r} is not a fault; known are statuses, html404, empty404, nginx404 and the like, {_names()}"
        )
    done = kind in PROPER if match["when"] is None else match["when"] == "_after"
    option = match["option"]
    if option is None:
        return Fault(text, kind, done)
    name, equals, value = option.partition("=")
    if not equals:
        return Fault(text, kind, done, seconds=duration(option))
    if name not in RETRY_AFTER_OPTIONS:
        raise ValueError(f"{text!r}: {name!r} is not one of {', '.join(RETRY_AFTER_OPTIONS)}")
    if name == "date":
        duration(value)
    return Fault(text, kind, done, retry_after=(name, value))


def _known(kind: str) -> bool:
    if page := _PAGE.fullmatch(kind):
        code = int(page["status"])
        return 200 <= code <= 599 and (page["sort"] != "nginx" or code in {*HTTPStatus})
    return kind in PROPER or kind in IMPROPER


def _names() -> str:
    return ", ".join(sorted({*PROPER, *IMPROPER} - {"204"}))


class Script:
    """A sequence of faults, one for each attempt."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._faults: list[Fault] = []
        self._last: Fault | None = None
        for text in texts:
            match = _REPEAT.fullmatch(text)
            if match is None or self._last is not None:
                raise ValueError(f"{text!r} can never happen: the fault before it repeats for ever")
            fault = parse(match["text"])
            if match["forever"]:
                self._last = fault
            else:
                self._faults += [fault] * int(match["times"] or 1)
        self._faults.reverse()

    def next(self) -> Fault | None:
        """Take the fault for the next attempt; None after the end of the script."""
        return self._faults.pop() if self._faults else self._last


class Faults:
    """Decides what happens to each request."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.outage: Outage | None = None
        self._scripts: dict[tuple[str, str], Script] = {}
        self._share = 0.0
        self._kinds: Sequence[Fault] = ()
        self._only_first = True
        self._attempts: defaultdict[str, int] = defaultdict(int)
        self._chance = random.Random(seed)

    def script(self, subject: str, texts: str | Sequence[str], *, on: str = "discard") -> None:
        """Script the requests to endpoint `on` about `subject`: a draft, an agent, or `*` for any.

        A draft's own script takes precedence over its agent's, and both over the one for any. What makes a draft or a
        branch (`fork`, and a `write` that opens a draft) has no draft yet: its subject is the agent.
        """
        self._scripts[on, subject] = Script([texts] if isinstance(texts, str) else texts)

    def by_share(
        self,
        share: float,
        kinds: Sequence[str] = ("500",),
        *,
        attempts: Literal["first", "every"] = "first",
    ) -> None:
        """Let a share of the discards fail, chosen by seed and draft: only first attempts, or every one."""
        self._kinds = [parse(kind) for kind in kinds]
        self._share = share
        self._only_first = attempts == "first"

    def begin_outage(self, kind: str, *, seconds: float | None = None, share: float = 1.0) -> None:
        """Answer all requests with this fault from now on."""
        until = None if seconds is None else time.monotonic() + seconds
        fault = Fault("refuse", "reset", done=False) if kind == "refuse" else parse(kind)
        self.outage = Outage(fault, until, share)

    def end_outage(self) -> None:
        """Answer as usual again."""
        self.outage = None

    def general(self) -> Fault | None:
        """Return the outage's fault, if there is an outage and it affects this request."""
        outage = self.outage
        if outage is None:
            return None
        if outage.until is not None and time.monotonic() >= outage.until:
            self.outage = None
            return None
        return outage.fault if outage.share >= 1 or self._chance.random() < outage.share else None

    def next(self, endpoint: str, agent: str, draft: str | None) -> Fault | None:
        """Return the fault for the next request of this kind; None for a regular answer."""
        if self._scripts:
            for subject in (draft, agent, "*"):
                script = self._scripts.get((endpoint, subject)) if subject else None
                fault = script.next() if script else None
                if fault is not None:
                    return fault
        return self._by_chance(draft) if self._share and endpoint == "discard" and draft else None

    def _by_chance(self, draft: str) -> Fault | None:
        self._attempts[draft] += 1
        attempt = self._attempts[draft]
        if self._only_first and attempt > 1:
            return None
        chance = random.Random(f"{self.seed}:{draft}:{attempt}")
        return chance.choice(self._kinds) if chance.random() < self._share else None
