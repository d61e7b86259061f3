"""Files are written whole or not at all; targets are tried, and compared, before anything is sent."""

import errno
import os
import stat
from pathlib import Path

import pytest

from cleanup.errors import OutputError, SameFile
from cleanup.preflight import check_files, outputs_of
from cleanup.records import files
from cleanup.records.files import check_distinct, check_writable, whole_file, why
from cleanup.settings.sources import load


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """Whoever reads meanwhile has the old one; a block that fails leaves it, and nothing beside it."""
    path = tmp_path / "file"
    path.write_text("old")
    with whole_file(str(path)) as stream:
        stream.write("new")
        stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(ZeroDivisionError), whole_file(str(path)) as stream:
        stream.write(str(1 // 0))
    with pytest.raises(OutputError, match="No space left"), whole_file(str(path)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_regular_file_is_written_in_place(tmp_path: Path) -> None:
    """A pipe gets the text and stays a pipe; a link stays a link; a pipe that nobody reads is an error."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="pipe"), whole_file(str(pipe)) as stream:
        stream.write("lost")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(str(pipe)) as stream:
            stream.write("x" * 3000)
        assert os.read(reader, 9000) == b"x" * 3000
    finally:
        os.close(reader)
    (tmp_path / "link").symlink_to("real")
    with whole_file(str(tmp_path / "link")) as stream:
        stream.write("text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_a_lone_surrogate_is_written_as_its_escape(tmp_path: Path) -> None:
    """File names and JSON lists may hold one; the file stays UTF-8."""
    with whole_file(str(tmp_path / "file")) as stream:
        stream.write("a\udcffb\ud800c")
    assert (tmp_path / "file").read_bytes() == b"a\\udcffb\\ud800c"


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder, no folder, a name too long, a place that takes no files; trying leaves nothing behind."""
    good = tmp_path / "file"
    check_writable(str(good))
    for bad in (tmp_path, tmp_path / "missing" / "file", tmp_path / ("x" * 300), Path("/proc/file"), good / "file"):
        with pytest.raises(OutputError):
            check_writable(str(bad))
    assert list(tmp_path.iterdir()) == []


def test_one_file_by_several_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are the same file by what they mean: relative, through links, hard or soft, there or not yet."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.write_text("x")
    os.link(file, tmp_path / "hard")
    (tmp_path / "soft").symlink_to("file")
    (tmp_path / "folder").symlink_to(tmp_path)
    for one, other in (
        ("file", str(file)), ("file", "hard"), ("soft", "file"), ("folder/file", "file"), ("new", "folder/./new")
    ):  # fmt: skip
        with pytest.raises(SameFile, match=r"b and a are the same file"):
            check_distinct({"a": one}, {"b": other})
        with pytest.raises(SameFile):
            check_distinct({}, {"a": one, "b": other})
        check_distinct({"a": one, "b": other}, {"c": "else"})  # two inputs may be
    check_distinct({"a": "file", "none": None}, {"b": "other", "c": None, "d": "/dev/null", "e": "/dev/null"})


@pytest.mark.parametrize("output", ["ledger", "leftover", "summary", "metrics", "page"])
def test_no_output_of_a_run_may_be_its_list_or_another_output(output: str, tmp_path: Path) -> None:
    """Each of the files that a run may write is held against what it reads, and against the others."""
    other = "summary" if output == "ledger" else "ledger"
    for flags, message in (
        ({f"output.{output}": f"{tmp_path}/./drafts.csv"}, "the list"),
        ({f"output.{output}": f"{tmp_path}/one", f"output.{other}": f"{tmp_path}/folder/../one"}, f"output.{other}"),
    ):
        loaded = load(flags, {}, None, tmp_path)
        with pytest.raises(SameFile, match=message):
            check_files(loaded, str(tmp_path / "drafts.csv"), outputs_of(loaded.settings, finds=False))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o077, 0o600), (0, 0o640)])
def test_a_new_file_is_no_business_of_others(tmp_path: Path, umask: int, mode: int) -> None:
    """0640 at most, less if the umask says so; a metrics file has its mode whatever it says."""
    before = os.umask(umask)
    try:
        with (
            whole_file(str(tmp_path / "file")),
            whole_file(str(tmp_path / "metrics"), mode=0o644, whatever_the_umask=True),
        ):
            pass
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "file"), mode_of(tmp_path / "metrics")) == (mode, 0o644)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_an_old_file_keeps_its_mode_and_owner(tmp_path: Path, mode: int) -> None:
    """What somebody has closed stays closed, what somebody has opened stays open, and root takes nothing over."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    owner = 4711 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    with whole_file(str(path), mode=0o644, whatever_the_umask=True) as stream:
        stream.write("new")
    assert (path.read_text(), mode_of(path), path.stat().st_uid) == ("new", mode, owner)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EACCES])
def test_a_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Some network mounts cannot: the file is there all the same."""
    really = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    with whole_file(str(tmp_path / "file")) as stream:
        stream.write("text")
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_file_is_written_where_it_stands(tmp_path: Path, name: str) -> None:
    """What the shell has opened to append to is neither cut to nothing nor written over; nor is it closed."""
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open("a") as log:
        target = name.format(log.fileno())
        if name == "link":
            target = str(tmp_path / "link")
            Path(target).symlink_to(f"/dev/fd/{log.fileno()}")
        check_writable(target)
        with whole_file(target) as stream:
            stream.write("summary\n")
        log.write("after\n")
    assert path.read_text() == "before\nsummary\nafter\n"


def test_an_open_file_that_is_only_read(tmp_path: Path) -> None:
    """Noticed at the start."""
    (tmp_path / "list").write_text("x")
    with (tmp_path / "list").open() as stream, pytest.raises(OutputError, match="only for reading"):
        check_writable(f"/dev/fd/{stream.fileno()}")


@pytest.mark.parametrize(
    ("name", "said"), [("file", "it belongs to root; this run is"), ("new", "its folder belongs to root; this run is")]
)
def test_whose_a_file_is_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """A run as root leaves root's files for cron's user, who has to learn of it."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(files, "user_name", lambda number: "app" if number == 77 else "root")
    monkeypatch.setattr(os, "geteuid", lambda: 77)
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert why(denied, str(tmp_path / name)) == f"Permission denied: {said} user app"


def test_other_reasons_are_reported_as_they_are() -> None:
    """Whose a file is does not matter on a full disk."""
    assert why(OSError(errno.ENOSPC, "No space left on device"), "/") == "No space left on device"
