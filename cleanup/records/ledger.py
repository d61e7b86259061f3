"""The ledger: JSON Lines, one writer at a time, appended, mended and read back.

A line has left the process before its pair counts, and is on disk within a second and at the end.
"""

import errno
import fcntl
import json
import os
import stat
import threading
from collections.abc import Collection, Iterable, Iterator, KeysView
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from cleanup.errors import LedgerLocked, OutputError, SettingsError
from cleanup.lists.ids import is_agent, is_draft
from cleanup.lists.pair_list import pack
from cleanup.model import SETTLING
from cleanup.records.files import sync_folder

SYNC_SECONDS: Final = 0.5
_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


class Ledger:
    """An open, locked ledger. Use as a context manager."""

    def __init__(self, path: str) -> None:
        """Open, lock and mend. Raises LedgerLocked, OutputError, SettingsError (this is no ledger)."""
        self.path = path
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._trouble: OSError | None = None
        self._rest = b""
        existed = os.path.lexists(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        except OSError as error:
            raise OutputError(f"{path}: the ledger could not be opened: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise OutputError(f"{path}: the ledger could not be opened: it is no regular file")
            self._lock()
            self._mend()
            if not existed:
                with suppress(OSError):
                    sync_folder(Path(path).parent)
        except BaseException:
            os.close(self._file)
            raise
        self._syncer = threading.Thread(target=self._sync_now_and_then, name="ledger-sync", daemon=True)
        self._syncer.start()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise LedgerLocked(f"{self.path}: another run holds this ledger: let it finish") from None
            raise OutputError(f"{self.path}: the ledger could not be locked: {error.strerror}") from None

    def _mend(self) -> None:
        """Cut off a last line that was torn; end it if only its line break is missing."""
        try:
            size = os.fstat(self._file).st_size
            if not size:
                return
            self._refuse_another_file()
            start = size
            tail = b""
            while start and b"\n" not in tail:
                step = min(start, 1 << 16)
                start -= step
                tail = os.pread(self._file, step, start) + tail
            kept = tail.rfind(b"\n") + 1
            last = tail[kept:]
            if last and _parse(last) is not None:
                os.write(self._file, b"\n")
            elif last:
                os.ftruncate(self._file, start + kept)
        except OSError as error:
            raise OutputError(f"{self.path}: the ledger could not be mended: {error.strerror}") from None

    def _refuse_another_file(self) -> None:
        """A file that does not begin with a line of ours, whole or torn, is some other file, and stays as it is."""
        first = bytearray()
        while not first or (first.startswith(b"{") and b"\n" not in first):
            more = os.pread(self._file, 1 << 16, len(first))
            if not more:
                break
            first += more
        line, end, _ = bytes(first).partition(b"\n")
        torn = not end and b'{"type": "run"'.startswith(line[:14])
        if not torn and _parse(line) is None:
            raise SettingsError(f"{self.path}: this is no ledger: its first line is none of ours (output.ledger)")

    def write(self, line: dict[str, Any]) -> None:
        """Append a line; it has left the process when this returns. Raises OutputError.

        What could not be written is kept, and goes before the next line, if that one can be.
        """
        self._rest += (_encode(line) + "\n").encode("utf-8", "backslashreplace")
        try:
            self._write_rest()
        except OSError as error:
            self._trouble = error
        self._raise_trouble()
        self._dirty.set()

    def _write_rest(self) -> None:
        while self._rest:
            self._rest = self._rest[os.write(self._file, self._rest) :]

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise OutputError(f"{self.path}: the ledger could not be written: {self._trouble.strerror}")

    def _sync(self) -> None:
        os.fsync(self._file)
        if not os.fstat(self._file).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it was removed while the run went on")

    def _sync_now_and_then(self) -> None:
        """In a thread: what was written is on disk within a second, and the event loop never waits for it."""
        while not self._closing.wait(SYNC_SECONDS):
            if self._dirty.is_set():
                self._dirty.clear()
                try:
                    self._sync()
                except OSError as error:
                    self._trouble = error

    def close(self) -> None:
        """Bring everything to disk and let go of the lock. Raises OutputError."""
        self._closing.set()
        self._syncer.join()
        try:
            if self._rest:
                self._write_rest()
            self._sync()
        except OSError as error:
            self._trouble = error
            with suppress(OutputError, SettingsError):
                self._mend()  # half a line helps nobody
        os.close(self._file)
        self._raise_trouble()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closing.is_set():
            with suppress(OutputError):
                self.close()


def read(path: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The lines of a ledger with their numbers; None for one that cannot be read. Raises SettingsError.

    A file whose first line is none of ours is refused: it is some other file.
    """
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            for number, line in enumerate(stream, 1):
                entry = _parse(line)
                if entry is None and number == 1 and line.endswith(b"\n"):
                    raise SettingsError(f"{path}: this is no ledger: its first line is none of ours")
                yield number, entry
    except OSError as error:
        raise SettingsError(f"{path}: the ledger cannot be read: {error.strerror}") from None


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.get("type") not in ("run", "pair", "end"):
        return None
    agent, draft = entry.get("agent"), entry.get("draft")
    named = isinstance(agent, str) and isinstance(draft, str) and is_agent(agent) and is_draft(draft)
    return entry if named or entry["type"] != "pair" else None


class Past:
    """What a ledger says of earlier runs: against what, and which of the listed pairs are settled."""

    def __init__(self, path: str, listed: Iterable[bytes], doubtful: Collection[bytes] = ()) -> None:
        """Read the ledger; only pairs in `listed` are kept. Raises SettingsError.

        `doubtful`: pairs whose ids may be mistyped, so that nothing is settled when they are not found.
        """
        self.path = path
        self._doubtful = doubtful
        self.base_urls: set[str] = set()
        self.organizations: set[str] = set()
        self.unreadable: list[int] = []
        # Whether a pair was discarded (True) or is settled otherwise (False): one table, of the list's own keys,
        # as both list and ledger may have a million rows.
        self._settled: dict[bytes, bool | None] = dict.fromkeys(listed)
        if Path(path).exists():
            for number, entry in read(path):
                self._add(number, entry)
        for key in [key for key, discarded in self._settled.items() if discarded is None]:
            del self._settled[key]

    @property
    def settled(self) -> KeysView[bytes]:
        """The listed pairs that need not be sent again."""
        return self._settled.keys()

    def _add(self, number: int, entry: dict[str, Any] | None) -> None:
        if entry is None:
            self.unreadable.append(number)
        elif entry["type"] == "run":
            self.base_urls.add(str(entry.get("base_url")))
            if entry.get("organization"):
                self.organizations.add(str(entry["organization"]))
        elif entry["type"] == "pair":
            key = pack(entry["agent"], entry["draft"])
            if key in self._settled:
                self._settle(key, entry.get("outcome"), entry.get("reason"))

    def _settle(self, key: bytes, outcome: object, reason: object) -> None:
        """The latest line counts, but what was discarded once stays so."""
        if outcome == "discarded" or self._settled[key]:
            self._settled[key] = True
        else:
            doubtful = reason == "not_found" and key in self._doubtful
            self._settled[key] = False if str(reason or outcome) in SETTLING and not doubtful else None
