"""Reads from a ledger which drafts were discarded, and what is known of each."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from cleanup.lists.pair_list import PairList, pack, unpack
from cleanup.lists.rows import Row, parse_time
from cleanup.model import Pair
from cleanup.records.latest import DISCARDED, FOUND_OPEN, RESTORED, RESTORED_BEFORE, End, said_by
from cleanup.records.lines import Damage, Line, Progress, Spoilt, read_lines

_GONE: Final = ("skipped", "gone_after_retry")
_DIFFERS: Final = ("failed", "differs")


@dataclass(frozen=True, slots=True)
class Original:
    """A discarded draft. `copies`: where its copy may be.

    `fork`: the draft that an earlier undo made, if any, and did not record as restored. `differs`: as one that differs.
    """

    line: int
    run_id: str
    discarded_at: datetime
    copies: tuple[str, ...]
    name: str = ""
    fork: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a ledger's drafts to restore; empty: all. `names`: globs.

    `since`: those that were discarded at that time or later.
    """

    agents: Collection[str] = ()
    drafts: Collection[str] = ()
    names: Collection[str] = ()
    runs: Collection[str] = ()
    since: datetime | None = None

    def has(self, line: Line, time: datetime) -> bool:
        """Whether the draft of this line, which was discarded at this time, is wanted."""
        return (
            (not self.agents or line["agent"] in self.agents)
            and (not self.drafts or line["draft"] in self.drafts)
            and (not self.names or any(fnmatchcase(str(line.get("name") or ""), glob) for glob in self.names))
            and (not self.runs or line.get("run_id") in self.runs)
            and (self.since is None or time >= self.since)
        )


@dataclass(slots=True)
class Originals:
    """The discarded drafts of a ledger, by pair, in its order.

    `restored`: those that were restored before. `tried`: others that an undo has tried, and the number of the last line
    that says so. `made`: the ids of all drafts that were made by an undo, also by the one that is running.
    """

    by_key: dict[bytes, Original] = field(default_factory=dict)
    restored: set[bytes] = field(default_factory=set)
    tried: dict[bytes, int] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def of(self, pair: Pair) -> Original:
        """What is known of a pair of the list."""
        return self.by_key[pack(pair.agent, pair.draft)]

    def pairs(self, name: str) -> PairList:
        """The list of them. `name`: the ledger's."""
        pairs = PairList(name)
        for key, original in self.by_key.items():
            pairs.add(Row(original.line, *unpack(key)))
        return pairs

    def add(self, line: Line, number: int, wanted: Wanted, copies: Iterable[str]) -> None:
        """Take a pair's line into account. `copies`: where its copy may be. Raises ValueError if it says nothing."""
        said, key = said_by(line), pack(line["agent"], line["draft"])
        new = line.get("new_draft")
        if isinstance(new, str):
            self.made.add(new)
        if said in (DISCARDED, _GONE):
            time = parse_time(str(line.get("time")))
            places = tuple(copies)
            known = said == DISCARDED or any(Path(place).is_file() for place in places)
            if known and wanted.has(line, time) and key not in self.restored and key not in self.by_key:
                name = line.get("name")
                text = name if isinstance(name, str) else ""
                self.by_key[key] = Original(number, str(line.get("run_id")), time, places, text)
        elif key not in self.by_key:
            return
        elif said == FOUND_OPEN:
            del self.by_key[key]
        elif said in (RESTORED, RESTORED_BEFORE):
            self.restored.add(key)
        else:
            self._add_tried(key, number, said, new)

    def _add_tried(self, key: bytes, number: int, said: End, new: object) -> None:
        self.tried[key] = number
        if isinstance(new, str):
            self.by_key[key] = replace(self.by_key[key], fork=new, differs=said == _DIFFERS)


def read_originals(path: str, wanted: Wanted, folder: str | None, progress: Progress) -> tuple[Originals, Damage]:
    """Read which drafts of a ledger may be restored, and which of its lines do not count. Raises SettingsError.

    `folder`: where copies are looked for first.
    """
    found, damage = Originals(), Damage()
    folders: dict[str, str] = {}
    for number, line in read_lines(path, damage, progress):
        run_id = str(line.get("run_id"))
        if line["type"] == "run":
            folders[run_id] = _folder_of(line)
        elif line["type"] == "pair":
            try:
                found.add(line, number, wanted, _copies(line, folder, folders.get(run_id)))
            except ValueError:
                damage.add(path, number, Spoilt.UNKNOWN)
    return found, damage


def _folder_of(run: Line) -> str:
    """The folder with the copies of a run; empty if it kept none."""
    settings = run.get("settings")
    guard = settings.get("guard") if isinstance(settings, dict) else None
    folder = guard.get("backup") if isinstance(guard, dict) else None
    return folder if isinstance(folder, str) else ""


def _copies(line: Line, folder: str | None, of_run: str | None) -> Iterator[str]:
    """Where the copy of a line's draft may be: in the folder that is named now, where it was saved, in its run's."""
    name = f"{line['agent']}/{line['draft']}.json"
    if folder:
        yield str(Path(folder) / name)
    if isinstance(line.get("copy"), str):
        yield line["copy"]
    if of_run:
        yield str(Path(of_run) / name)
