"""Reads the lines of ledgers, plain or gzipped; fast enough for millions of lines."""

import gzip
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any, Final

from cleanup.errors import SettingsError
from cleanup.lists.ids import is_agent, is_draft

Line = dict[str, Any]
Progress = Callable[[str], None]
"""Called repeatedly during a long read, with a few words on how far it is."""
MOST_NAMED: Final = 1000
_OFTEN: Final = 1 << 14
_decode = json.JSONDecoder().raw_decode


def silent(_words: str) -> None:
    """Show no progress."""


class Spoilt(StrEnum):
    """Why a line does not count."""

    DAMAGED = "this line cannot be read: it is damaged, or not a ledger line"
    UNKNOWN = "this line has an unknown outcome, or a time that cannot be read"
    ENDS_EARLY = "the file ends early here, or is damaged: the rest cannot be unpacked"
    TORN = "the last line is torn, as after a kill or a power cut; the next run removes it"


@dataclass(slots=True)
class Damage:
    """The lines that do not count: the first ones are named, the others counted."""

    named: list[str] = field(default_factory=list)
    more: int = 0
    torn: int = 0

    def __bool__(self) -> bool:
        """Whether more is wrong than the torn lines that a kill leaves behind."""
        return len(self.named) + self.more > self.torn

    def add(self, path: str, number: int, why: Spoilt) -> None:
        """Add a line that does not count."""
        self.torn += why is Spoilt.TORN
        if len(self.named) < MOST_NAMED:
            self.named.append(f"{path}:{number}: {why}")
        else:
            self.more += 1

    @property
    def sentences(self) -> list[str]:
        """A sentence for each line, and one for all that are too many to name."""
        return [*self.named, f"… and {self.more} more lines that cannot be read"] if self.more else self.named


def read_lines(path: str, damage: Damage, progress: Progress) -> Iterator[tuple[int, Line]]:
    """Yield the lines of a ledger with their numbers; those that cannot be read go to `damage`. Raises SettingsError.

    An unreadable last line without a line break is torn, not damaged: the next run repairs it. In a file whose name
    ends in `.gz` it is damaged, as no run writes to such a file.
    """
    packed = path.endswith(".gz")
    number = 0
    try:
        with open(path, "rb") as raw, gzip.open(raw) if packed else raw as stream:  # noqa: PTH123
            size = _size(raw)
            for number, line in enumerate(stream, 1):
                entry = _parse(line)
                if entry is not None:
                    yield number, entry
                elif line.endswith(b"\n") or packed:
                    if number == 1:
                        raise SettingsError(f"{path}: this is not a ledger: its first line is not a ledger line")
                    damage.add(path, number, Spoilt.DAMAGED)
                else:
                    damage.add(path, number, Spoilt.TORN)
                if not number % _OFTEN:
                    progress(f"{path}: {number:,} lines" + (f" ({raw.tell() / size:.0%})" if size else ""))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if not number:
            raise SettingsError(f"{path}: this is not a ledger: it cannot be unpacked ({error})") from None
        damage.add(path, number + 1, Spoilt.ENDS_EARLY)
    except OSError as error:
        raise SettingsError(f"{path}: the ledger cannot be read: {error.strerror}") from None


def _size(raw: IO[bytes]) -> int:
    """The size of a file in bytes; 0 for a pipe."""
    found = os.fstat(raw.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _parse(line: bytes) -> Line | None:
    """Parse a line; None if it is not a ledger line."""
    try:
        text = line.decode()
        entry, end = _decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or text[end:].strip():
        return None
    kind = entry.get("type")
    if kind in ("pair", "proof"):
        agent, draft = entry.get("agent"), entry.get("draft")
        named = isinstance(agent, str) and isinstance(draft, str) and is_agent(agent) and is_draft(draft)
        return entry if named else None
    return entry if kind in ("run", "end") else None
