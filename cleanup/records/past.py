"""What a ledger says about earlier runs. Only the lines that matter are parsed: a ledger may have millions of lines."""

import json
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView
from itertools import count
from typing import Any, Final

from cleanup.errors import SettingsError
from cleanup.lists.ids import is_agent, is_draft
from cleanup.lists.pair_list import pack
from cleanup.model import SETTLING, KnownLimit
from cleanup.records.files import why

_RUN: Final = b'{"type": "run"'
_END: Final = b'{"type": "end"'
_PAIR: Final = re.compile(
    rb'\{"type": "(?:pair|proof)", "time": "[^"\\]*", "run_id": "[^"\\]*", '
    rb'"agent": "([0-9a-f]{24})", "draft": "([A-Za-z0-9][A-Za-z0-9_-]{0,127})", '
)
_OFTEN: Final = 1 << 14
_NONE, _DISCARDED, _SETTLED = 0, -1, -2
"""The state of a listed pair: no line, discarded, settled otherwise, or the number of the run that tried it last."""


def read(path: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the lines of a ledger with their numbers; None for one that cannot be read.

    Raises SettingsError, also if the first line is not a ledger line: then it is some other file.
    """
    for number, line in _lines(path):
        yield number, parse(line)


def parse(line: bytes) -> dict[str, Any] | None:
    """Parse one line of a ledger; None if it is torn or not a ledger line."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("type") not in ("run", "pair", "proof", "end"):
        return None
    agent, draft = entry.get("agent"), entry.get("draft")
    named = isinstance(agent, str) and isinstance(draft, str) and is_agent(agent) and is_draft(draft)
    return entry if named or entry["type"] in ("run", "end") else None


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            numbers = count(1)
            for line in stream:
                number = next(numbers)
                if number == 1 and line.endswith(b"\n") and parse(line) is None:
                    raise SettingsError(f"{path}: this is not a ledger: its first line is not a ledger line")
                yield number, line
    except OSError as error:
        raise SettingsError(f"{path}: the ledger cannot be read: {why(error, path)}") from None


def _is_there(path: str) -> bool:
    """Whether there is a ledger to read. Raises SettingsError if that is unknown, or it is not a regular file."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{path}: the ledger cannot be read: {why(error, path)}") from None
    if not stat.S_ISREG(mode):
        raise SettingsError(f"{path}: the ledger cannot be read: it is not a regular file")
    return True


class Past:
    """What a ledger says about earlier runs: the API and organization, the guards, and the state of each listed pair.

    `settings`: those of the last run that discarded. `unreadable`: the numbers of lines that cannot be read. `orphan`:
    the number of the first pair line without a run line before it. `limit`: the rate limit that was found last.
    """

    def __init__(
        self,
        path: str,
        listed: Iterable[bytes] | None,
        doubtful: Collection[bytes] = (),
        progress: Callable[[str], None] = lambda _words: None,
    ) -> None:
        """Read the ledger, and keep the pairs in `listed`; if that is None, only the runs. Raises SettingsError.

        `doubtful`: pairs whose ids may be mistyped, so that not_found does not settle them. `progress` is called now
        and then with a few words on how far the read is.
        """
        self.path = path
        self._doubtful = doubtful
        self.base_urls: set[str] = set()
        self.organizations: set[str] = set()
        self.settings: dict[str, Any] = {}
        self.unreadable: list[int] = []
        self.orphan: int | None = None
        self.limit: KnownLimit | None = None
        self._run = 0
        self._undoing = False
        # One dictionary that shares the list's keys, as both list and ledger may have a million rows.
        self._stands: dict[bytes, int] = dict.fromkeys(listed or (), _NONE)
        if _is_there(path):
            for number, line in _lines(path):
                if line.startswith((_RUN, _END)) or (listed is not None and not self._is_of_no_concern(line)):
                    self._add(number, parse(line))
                if not number % _OFTEN:
                    progress(f"{path}: {number:,} lines")
        self._tried = {key: run for key, run in self._stands.items() if run > _NONE}
        for key in [key for key, stands in self._stands.items() if stands >= _NONE]:
            del self._stands[key]

    @property
    def settled(self) -> KeysView[bytes]:
        """The listed pairs that need not be sent again."""
        return self._stands.keys()

    @property
    def tried(self) -> dict[bytes, int]:
        """The listed pairs that were tried but are not settled, each with the number of the last run that tried it."""
        return self._tried

    def _is_of_no_concern(self, line: bytes) -> bool:
        """Whether this is a complete line of a pair that is not listed, determined without parsing it as JSON."""
        head = _PAIR.match(line)
        return (
            head is not None
            and self._run > 0
            and line.endswith(b"}\n")
            and pack(head[1].decode(), head[2].decode()) not in self._stands
        )

    def _add(self, number: int, entry: dict[str, Any] | None) -> None:
        if entry is None:
            self.unreadable.append(number)
        elif entry["type"] == "run":
            self._add_run(entry)
        elif entry["type"] == "end":
            limit = entry.get("limit")
            if isinstance(limit, (int, float)) and limit > 0:
                self.limit = KnownLimit(float(limit), str(entry.get("time")))
        elif not self._run and self.orphan is None:
            self.orphan = number
        elif entry["type"] == "pair":
            key = pack(entry["agent"], entry["draft"])
            # A recreated draft has a new id, so an undo does not change whether the old one is settled.
            if key in self._stands and not self._undoing:
                self._stand(key, entry.get("outcome"), entry.get("reason"))

    def _add_run(self, entry: dict[str, Any]) -> None:
        self._run += 1
        self._undoing = entry.get("mode") == "undo"
        self.base_urls.add(str(entry.get("base_url")))
        if entry.get("organization"):
            self.organizations.add(str(entry["organization"]))
        settings = entry.get("settings")
        if not self._undoing and isinstance(settings, dict):
            self.settings = settings

    def _stand(self, key: bytes, outcome: object, reason: object) -> None:
        """Update a pair's state. The latest line counts, but a discarded pair stays so unless it was `not_gone`."""
        if outcome == "discarded":
            self._stands[key] = _DISCARDED
        elif reason == "not_gone" or self._stands[key] != _DISCARDED:
            settled = str(reason or outcome) in SETTLING and not (reason == "not_found" and key in self._doubtful)
            self._stands[key] = _SETTLED if settled else max(self._run, 1)
