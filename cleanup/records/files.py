"""Atomic writes, and checks of output files before anything is sent."""

import errno
import fcntl
import os
import pwd
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from cleanup.errors import OutputError, SameFile

NEW: Final = 0o640
"""The mode of a new file, which the umask may restrict further: other users must not read the names of drafts."""
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


@contextmanager
def whole_file(
    path: str, *, mode: int = NEW, whatever_the_umask: bool = False, through_links: bool = True
) -> Iterator[TextIO]:
    """Write a file atomically: beside its target, then renamed. If that fails, the old file stays. Raises OutputError.

    A target that is not a regular file (`/dev/stdout`) or cannot be replaced (a mounted file) is written in place; any
    other is on disk when the block ends. The mode and owner of an existing file are kept; `mode` is for a new file.
    `through_links`: a link is followed, not replaced.
    """
    target = Path(path)
    in_place = through_links and _must_be_in_place(target)
    temporary = target if in_place else _beside(target)
    try:
        if in_place:
            descriptor = _open_in_place(path, mode)
        else:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            _keep_manner(descriptor, target, mode if whatever_the_umask else None)
        # A lone surrogate is written as an escape, which in JSON has the same meaning.
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:  # noqa: PTH123
            yield stream
            stream.flush()
            if not in_place:
                os.fsync(stream.fileno())
        if not in_place:
            try:
                temporary.replace(target)
            except OSError as error:
                if error.errno != errno.EBUSY:  # a file that is a mount point cannot be replaced by a rename
                    raise
                shutil.copyfile(temporary, target)
                temporary.unlink()
            sync_folder(target.parent)
    except BaseException as error:
        if not in_place:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path}: could not be written: {why(error, path)}") from error
        raise


def _open_in_place(path: str, mode: int) -> int:
    inherited = _inherited(path)
    if inherited is not None:
        # Opening it again would truncate it, although the shell may have opened it for appending.
        return os.dup(inherited)
    # Without O_NONBLOCK, opening a pipe that nobody reads would block forever; with it, that is an error.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, mode)
    os.set_blocking(descriptor, True)
    return descriptor


def _inherited(path: str) -> int | None:
    """The open file of this process that a name such as /dev/stderr refers to, also through links."""
    for _ in range(40):
        if found := _DESCRIPTOR.fullmatch(path):
            return int(found[1])
        try:
            path = str(Path(path).parent / Path(path).readlink())
        except (OSError, ValueError):
            return None
    return None


def _keep_manner(descriptor: int, target: Path, forced: int | None) -> None:
    """Give a new file the mode and owner of the file that it replaces. `forced`: the mode if there is no such file."""
    try:
        old = target.lstat()
    except FileNotFoundError:
        old = None
    if old is None or not stat.S_ISREG(old.st_mode):
        if forced is not None:
            os.fchmod(descriptor, forced)
        return
    with suppress(OSError):  # only root may change the owner, and not on every file system
        os.fchown(descriptor, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def why(error: OSError, path: str) -> str:
    """Describe an error. If permission was denied, name the owner of the file or its folder."""
    reason = error.strerror or str(error)
    if error.errno not in (errno.EACCES, errno.EPERM):
        return reason
    us = user_name(os.geteuid())
    for what, place in (("it", Path(path)), ("its folder", Path(path).parent)):
        with suppress(OSError):
            owner = user_name(place.stat().st_uid)
            if not os.access(place, os.R_OK | os.W_OK):
                return f"{reason}: {what} belongs to {owner}; this run is user {us}"
    return f"{reason}: this run is user {us}"


def user_name(number: int) -> str:
    """A user's name, or the number if the user has no name, as in many containers."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")


def _must_be_in_place(target: Path) -> bool:
    try:
        return (target.exists() and not target.is_file()) or target.is_symlink()
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Make a rename or a new file in a folder durable, if the system allows it; failure is harmless."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: str, *, trying: bool = True) -> None:
    """Refuse a target that could not be written at the end of the run. Raises OutputError.

    `trying`: create a file beside it, which is the only reliable test. Without it nothing is written.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise OutputError(f"{path}: could not be written: it is a folder")
        if not target.parent.is_dir():
            raise OutputError(f"{path}: could not be written: there is no folder {target.parent}")
        if (inherited := _inherited(path)) is not None:
            if fcntl.fcntl(inherited, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OSError(errno.EBADF, "it is open only for reading")
            return
        if _must_be_in_place(target):
            require_access(target if target.exists() else target.parent, os.W_OK)
            return
        if not trying:
            require_folder(target.parent)
            return
        # The only reliable test: the file system may be read-only or full.
        probe = _beside(target)
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()
    except (OSError, ValueError) as error:
        reason = why(error, path) if isinstance(error, OSError) else error
        raise OutputError(f"{path}: could not be written: {reason}") from None


def require_access(path: Path, mode: int) -> None:
    """Raise OSError if a file or folder does not exist or may not be used in this mode."""
    path.stat()
    if not os.access(path, mode):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def require_folder(path: Path) -> None:
    """Raise OSError if no file can be created in a folder."""
    if not stat.S_ISDIR(path.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    require_access(path, os.W_OK | os.X_OK)


def check_distinct(inputs: Mapping[str, str | None], outputs: Mapping[str, str | None]) -> None:
    """Refuse an output that is an input or another output: one would overwrite the other. Raises SameFile.

    Both map what a file is, in words, to its path or None. Devices and pipes may be shared.
    """
    taken: dict[object, str] = {}
    for place, (what, path) in enumerate([*inputs.items(), *outputs.items()]):
        identity = None if path is None else _identity(path)
        if identity is None:
            continue
        other = taken.setdefault(identity, what)
        if other != what and place >= len(inputs):
            raise SameFile(f"{path}: {what} and {other} are the same file: one would overwrite the other")


def _identity(path: str) -> object:
    """A value that is equal for all names of one file; None for what is not a regular file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return os.path.realpath(path) if "\0" not in path else None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
