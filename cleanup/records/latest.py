"""Determines which line of a pair counts. Millions of lines are kept at 36 bytes each, and processed in order of time.

A temporary SQLite table would take four times as long and need a folder to write to; a dictionary of pairs would take
several times the memory.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

_RECORD: Final = struct.Struct("<12sqdII")  # agent, hash of the draft, time, run, what happened
_SHARES: Final = 256

OUTCOMES: Final = ("discarded", "restored", "skipped", "failed", "not_attempted")
"""The outcomes that a ledger line can have."""

End = tuple[str, str | None]
"""Outcome and reason as they are in a ledger. The reason may come from a later version."""

DISCARDED: Final = ("discarded", None)
RESTORED: Final = ("restored", None)
RESTORED_BEFORE: Final = ("skipped", "restored_before")
FOUND_OPEN: Final = ("failed", "not_gone")
_WEIGHTS: Final = {RESTORED: 3, RESTORED_BEFORE: 2, DISCARDED: 1, FOUND_OPEN: 1}

GONE: Final = ("proof", "gone")
NOT_GONE: Final = ("proof", "not_gone")
"""The results of a read-back."""


def said_by(line: dict[str, Any]) -> End:
    """How a pair ended, or what a read-back found. Raises ValueError if the line says neither."""
    if line["type"] == "proof":
        gone = line.get("gone")
        if isinstance(gone, bool):
            return GONE if gone else NOT_GONE
    else:
        outcome, reason = str(line.get("outcome")), line.get("reason")
        if outcome in OUTCOMES and (reason is None or isinstance(reason, str)):
            return outcome, reason
    raise ValueError("a line with an unknown outcome")


def overrides(after: End, before: End) -> bool:
    """Whether a later line of the same pair replaces an earlier one.

    The latest line counts, but a discarded draft stays discarded until a read-back finds it open or it is restored.
    """
    held = 0 if before == FOUND_OPEN else _WEIGHTS.get(before, 0)
    return _WEIGHTS.get(after, 0) >= held


class Latest(NamedTuple):
    """The line that counts for a pair: how it ended, when, and in which run; and the result of its last read-back."""

    agent: bytes
    draft: int
    time: float
    run: int
    end: End
    gone: bool | None


class Lines:
    """Lines of pairs and of read-backs, in any order."""

    def __init__(self) -> None:
        self._shares = [bytearray() for _ in range(_SHARES)]
        self._ends: dict[End, int] = {}

    def add(self, agent: str, draft: str, time: float, run: int, said: End) -> None:
        """Keep a line. `said`: how the pair ended, or `GONE` or `NOT_GONE`."""
        # A 64-bit hash distinguishes the drafts of one agent: with five million, the odds of a collision are one in a
        # million.
        name = hash(draft)
        code = self._ends.setdefault(said, len(self._ends))
        self._shares[name % _SHARES] += _RECORD.pack(bytes.fromhex(agent), name, time, run, code)

    def latest(self, place_of: list[int], progress: Callable[[str], None]) -> Iterator[Latest]:
        """The line that counts for each pair. `place_of`: the number of each run's organization."""
        said = list(self._ends)
        for number, share in enumerate(self._shares):
            ends: dict[tuple[int, bytes, int], tuple[float, int, End]] = {}
            gone: dict[tuple[int, bytes, int], bool] = {}
            for agent, draft, time, run, code in sorted(_RECORD.iter_unpack(share), key=itemgetter(2)):
                key, what = (place_of[run], agent, draft), said[code]
                if what in (GONE, NOT_GONE):
                    gone[key] = what == GONE
                elif key not in ends or overrides(what, ends[key][2]):
                    ends[key] = time, run, what
            for key, (time, run, end) in ends.items():
                yield Latest(key[1], key[2], time, run, end, gone.get(key))
            progress(f"adding up ({number / _SHARES:.0%})")


class Failures:
    """The details of pairs that failed, unless a later line replaces the failure.

    `most`: only this many are kept, as only the first hundred are shown.
    """

    def __init__(self, fields: tuple[str, ...], most: int = 20_000) -> None:
        self._fields, self._most = fields, most
        self._held: dict[tuple[bytes, int], tuple[float, int, dict[str, Any]]] = {}

    def add(self, line: dict[str, Any], time: float, run: int) -> None:
        """Take a line of a pair into account."""
        failed = line["outcome"] == "failed"
        if not failed and not self._held:
            return  # the usual case
        key = bytes.fromhex(line["agent"]), hash(line["draft"])
        held = self._held.get(key)
        if held is not None and held[0] > time:
            return
        if not failed:
            self._held.pop(key, None)
        elif held is not None or len(self._held) < self._most:
            self._held[key] = time, run, {name: line.get(name) for name in self._fields}

    def holds(self, entry: Latest) -> bool:
        """Whether this is the line that is kept for its pair."""
        held = self._held.get((entry.agent, entry.draft))
        return held is not None and held[:2] == (entry.time, entry.run)

    def shown(self, entries: Iterable[Latest], most: int) -> list[dict[str, Any]]:
        """The details of these pairs, in the order in which they were read, at most `most` of them."""
        wanted = {(entry.agent, entry.draft) for entry in entries}
        return [held[2] for key, held in self._held.items() if key in wanted][:most]
