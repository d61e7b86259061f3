"""Files written whole or not at all, and checked before anything is sent."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cleanup.errors import OutputError


@contextmanager
def whole_file(path: str, *, durable: bool = True, mode: int = 0o666, through_links: bool = True) -> Iterator[TextIO]:
    """Write a file beside its place and rename it there at the end. Raises OutputError; then the old one stays.

    A target that is no regular file (`/dev/stdout`) or cannot be renamed over (a mounted file) is written in
    place. `durable`: it is on disk when the block ends. `through_links`: a link is followed, not replaced.
    """
    target = Path(path)
    in_place = through_links and _must_be_in_place(target)
    temporary = target if in_place else target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if in_place else os.O_EXCL)
        descriptor = os.open(temporary, flags, mode)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123
            yield stream
            stream.flush()
            if durable and not in_place:
                os.fsync(stream.fileno())
        if not in_place:
            try:
                temporary.replace(target)
            except OSError as error:
                if error.errno != errno.EBUSY:  # a file mounted by itself cannot be renamed over
                    raise
                shutil.copyfile(temporary, target)
                temporary.unlink()
            if durable:
                sync_folder(target.parent)
    except OSError as error:
        if not in_place:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: could not be written: {error.strerror or error}") from error
    except BaseException:
        if not in_place:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise


def _must_be_in_place(target: Path) -> bool:
    try:
        return (target.exists() and not target.is_file()) or target.is_symlink()
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_writable(path: str) -> None:
    """Refuse a target that cannot be written at the end of the run. Raises OutputError."""
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{path}: could not be written: it is a folder")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: could not be written: there is no folder {target.parent}")
    place = target if _must_be_in_place(target) else target.parent
    if not os.access(place, os.W_OK):
        raise OutputError(f"{path}: could not be written: permission denied")
