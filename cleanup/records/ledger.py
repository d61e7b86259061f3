"""The ledger: JSON Lines, one writer at a time, appended and mended; `past` reads it back.

A line has left the process before its pair counts, and is on disk within a second and at the end.
"""

import errno
import fcntl
import json
import os
import stat
import threading
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
        """Open, lock and mend. Raises LedgerLocked, OutputError, SettingsError (this is no ledger)."""
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
        """Refuse what could not be opened as a ledger, without making or changing it. Raises as opening does."""
        target = Path(path)
        try:
            if not os.path.lexists(target):
                require_folder(target.parent)
                return
            require_access(target, os.R_OK | os.W_OK)
            if not stat.S_ISREG(target.stat().st_mode):
                raise OutputError(f"{path}: the ledger could not be opened: it is no regular file")
        except OSError as error:
            raise OutputError(f"{path}: the ledger could not be opened: {why(error, path)}") from None
        next(read(path), None)

    def _open(self) -> int:
        """Open and lock the file; once more if it was renamed in between: the lock is the file's, not the name's."""
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, NEW)
                try:
                    if not stat.S_ISREG(os.fstat(file).st_mode):
                        raise OutputError(f"{self.path}: the ledger could not be opened: it is no regular file")
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if self._is_at_its_path(file):
                        return file
                except BaseException:
                    os.close(file)
                    raise
                os.close(file)
            except BlockingIOError:
                raise LedgerLocked(f"{self.path}: another run holds this ledger: let it finish") from None
            except OSError as error:
                raise OutputError(f"{self.path}: the ledger could not be opened: {why(error, self.path)}") from None

    def _is_at_its_path(self, file: int) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(file))  # noqa: PTH116
        except FileNotFoundError:
            return False

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
            if last and parse(last) is not None:
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
        if not torn and parse(line) is None:
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
        """Raise OSError when nobody would find what is written here: whoever comes next sees another ledger."""
        least = self._size  # first: it grows meanwhile
        if not self._is_at_its_path(self._file):
            raise OSError(errno.ESTALE, "it was renamed, replaced or removed while the run went on")
        if os.fstat(self._file).st_size < least:
            raise OSError(errno.ESTALE, "it was cut short by somebody else while the run went on")

    def _sync_now_and_then(self) -> None:
        """In a thread: what was written is on disk within a second, and the event loop never waits for it."""
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
