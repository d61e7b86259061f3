"""What goes wrong, and when: faults written as short texts, scripted, by chance or for everybody.

A fault is written `KIND[_before|_after][:OPTION][*|xN]`:

- a status (`500`, `404`, `429:retry_after=2`, `503:retry_after=2`, `429:date=2`, `429:body=2`,
  `429:rate_limit=2`: the wait as the API's other 429 has it, under `rateLimit`);
- `migration` the 409 of the branch model; `cannot` the API's own 404 for a route that is not there;
- `status_false`, `html`, `redirect`; what gateways say: `html403` a page of theirs, `nginx404` nginx's own,
  `empty401` no body at all (each with any status), `no_route` a 404 in JSON;
- `gzip` the proper answer, compressed though nobody asked for that;
- `lost` closed without an answer; `reset` the same with a TCP reset; `hang` no answer at all;
- `drip` headers for ever, a byte at a time (`drip:0.2s` between two); `drip_body` the same with the body;
- `garbage` bytes that are not HTTP; `truncated` less body than announced; `huge` a body of 50 MB;
- `slow:2s` the proper answer, after a while; `ok` the proper answer; `204`.

With `_after` the deed is done before it goes wrong, with `_before` it is not. Without either it is done for
those that answer like a success (`204`, `drip`, `truncated`, `huge`, `gzip`, `slow`, `ok`) and not for the others.
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
    """One way for one request to go. `done`: whether the deed is done."""

    text: str
    kind: str
    done: bool
    seconds: float | None = None
    retry_after: tuple[str, str] | None = None

    @property
    def status(self) -> int | None:
        """The status, for the kinds that are nothing but a status."""
        return int(self.kind) if self.kind.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault for everybody, or for a share of the requests, until a time or until switched off."""

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
            f"{text!r} is no fault; there are statuses, html404, empty404, nginx404 and the like, {_names()}"
        )
    done = kind in PROPER if match["when"] is None else match["when"] == "_after"
    option = match["option"]
    if option is None:
        return Fault(text, kind, done)
    name, equals, value = option.partition("=")
    if not equals:
        return Fault(text, kind, done, seconds=duration(option))
    if name not in RETRY_AFTER_OPTIONS:
        raise ValueError(f"{text!r}: {name!r} is none of {', '.join(RETRY_AFTER_OPTIONS)}")
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
                raise ValueError(f"{text!r} cannot be reached: what comes before it never ends")
            fault = parse(match["text"])
            if match["forever"]:
                self._last = fault
            else:
                self._faults += [fault] * int(match["times"] or 1)
        self._faults.reverse()

    def next(self) -> Fault | None:
        """Take the fault for the next attempt; none once the script is over."""
        return self._faults.pop() if self._faults else self._last


class Faults:
    """Decides for each request how it goes."""

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

        A draft's own script goes before its agent's, and both before the one for any.
        """
        self._scripts[on, subject] = Script([texts] if isinstance(texts, str) else texts)

    def by_share(
        self,
        share: float,
        kinds: Sequence[str] = ("500",),
        *,
        attempts: Literal["first", "every"] = "first",
    ) -> None:
        """Let a share of the discards go wrong, by seed and draft: first attempts, or every one."""
        self._kinds = [parse(kind) for kind in kinds]
        self._share = share
        self._only_first = attempts == "first"

    def begin_outage(self, kind: str, *, seconds: float | None = None, share: float = 1.0) -> None:
        """Answer everybody with this fault from now on."""
        until = None if seconds is None else time.monotonic() + seconds
        fault = Fault("refuse", "reset", done=False) if kind == "refuse" else parse(kind)
        self.outage = Outage(fault, until, share)

    def end_outage(self) -> None:
        """Answer as usual again."""
        self.outage = None

    def general(self) -> Fault | None:
        """Return the outage's fault, if there is an outage and this request has its share of it."""
        outage = self.outage
        if outage is None:
            return None
        if outage.until is not None and time.monotonic() >= outage.until:
            self.outage = None
            return None
        return outage.fault if outage.share >= 1 or self._chance.random() < outage.share else None

    def next(self, endpoint: str, agent: str, draft: str | None) -> Fault | None:
        """How the next request of this kind goes; none: as usual."""
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
