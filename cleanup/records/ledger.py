"""The ledger: JSON Lines with one writer at a time. It is only appended to, and a torn last line is repaired.

A line is written to the file before its pair counts. It is on disk within a second, and at the end of the run.
"""

import errno
import fcntl
import json
import os
import stat
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from cleanup.errors import LedgerLocked, OutputError, SettingsError
from cleanup.records.files import NEW, require_access, require_folder, sync_folder, why
from cleanup.records.past import parse, read

SYNC_SECONDS: Final = 0.5
_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


class Ledger:
    """An open, locked ledger. Use as a context manager."""

    def __init__(self, path: str) -> None:
        """Open, lock and repair the file. Raises LedgerLocked, OutputError, SettingsError (this is not a ledger)."""
        self.path = path
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._trouble: OSError | None = None
        self._rest = b""
        existed = os.path.lexists(path)
        self._file = self._open()
        try:
            self._mend()
            if not existed:
                sync_folder(Path(path).parent)
            self._size = os.fstat(self._file).st_size
        except BaseException:
            os.close(self._file)
            raise
        self._syncer = threading.Thread(target=self._sync_now_and_then, name="ledger-sync", daemon=True)
        self._syncer.start()

    @staticmethod
    def check(path: str) -> None:
        """Refuse what could not be opened as a ledger, without creating or changing it. Raises as opening does."""
        target = Path(path)
        try:
            if not os.path.lexists(target):
                require_folder(target.parent)
                return
            require_access(target, os.R_OK | os.W_OK)
            if not stat.S_ISREG(target.stat().st_mode):
                raise OutputError(f"{path}: the ledger could not be opened: it is not a regular file")
        except OSError as error:
            raise OutputError(f"{path}: the ledger could not be opened: {why(error, path)}") from None
        next(read(path), None)

    def _open(self) -> int:
        """Open and lock the file. Repeat if it was renamed in between, as the lock is on the file, not on the name."""
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, NEW)
                try:
                    if not stat.S_ISREG(os.fstat(file).st_mode):
                        raise OutputError(f"{self.path}: the ledger could not be opened: it is not a regular file")
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if self._is_at_its_path(file):
                        return file
                except BaseException:
                    os.close(file)
                    raise
                os.close(file)
            except BlockingIOError:
                raise LedgerLocked(f"{self.path}: another run is using this ledger: wait until it has ended") from None
            except OSError as error:
                raise OutputError(f"{self.path}: the ledger could not be opened: {why(error, self.path)}") from None

    def _is_at_its_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(file))  # noqa: PTH116
        except FileNotFoundError:
            return False

    def _mend(self) -> None:
        """Repair the last line: cut it off if it is torn, complete it if only its line break is missing."""
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
            if last and parse(last) is not None:
                os.write(self._file, b"\n")
            elif last:
                os.ftruncate(self._file, start + kept)
        except OSError as error:
            raise OutputError(f"{self.path}: the ledger could not be repaired: {error.strerror}") from None

    def _refuse_another_file(self) -> None:
        """Refuse a file that does not begin with a ledger line, whole or torn. Raises SettingsError."""
        first = bytearray()
        while not first or (first.startswith(b"{") and b"\n" not in first):
            more = os.pread(self._file, 1 << 16, len(first))
            if not more:
                break
            first += more
        line, end, _ = bytes(first).partition(b"\n")
        torn = not end and b'{"type": "run"'.startswith(line[:14])
        if not torn and parse(line) is None:
            raise SettingsError(
                f"{self.path}: this is not a ledger: its first line is not a ledger line (output.ledger)"
            )

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line; it is written to the file when this returns. Raises OutputError.

        What could not be written is kept, and written before the next line.
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
            written = os.write(self._file, self._rest)
            self._rest = self._rest[written:]
            self._size += written

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise OutputError(f"{self.path}: the ledger could not be written: {self._trouble.strerror}")

    def _sync(self) -> None:
        os.fsync(self._file)
        self._check_place()

    def _check_place(self) -> None:
        """Raise OSError if the path no longer leads to this file, or the file was truncated: lines would be lost."""
        least = self._size  # read first, as it may grow meanwhile
        if not self._is_at_its_path(self._file):
            raise OSError(errno.ESTALE, "it was renamed, replaced or removed during the run")
        if os.fstat(self._file).st_size < least:
            raise OSError(errno.ESTALE, "another process truncated it during the run")

    def _sync_now_and_then(self) -> None:
        """Sync the file to disk within a second of each write, in a thread, so that the event loop never waits."""
        while not self._closing.wait(SYNC_SECONDS):
            try:
                if self._dirty.is_set():
                    self._dirty.clear()
                    self._sync()
                else:
                    self._check_place()
            except OSError as error:
                self._trouble = error

    def close(self) -> None:
        """Sync everything to disk and release the lock. Raises OutputError."""
        self._closing.set()
        self._syncer.join()
        try:
            if self._rest:
                self._write_rest()
            self._sync()
        except OSError as error:
            self._trouble = error
            with suppress(OutputError, SettingsError):
                self._mend()  # removes an incomplete last line
        os.close(self._file)
        self._raise_trouble()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closing.is_set():
            with suppress(OutputError):
                self.close()
