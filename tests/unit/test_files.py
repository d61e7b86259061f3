"""Files are written whole or not at all; targets are tried, and compared, before anything is sent."""

import errno
import os
from pathlib import Path

import pytest

from cleanup.errors import OutputError, SameFile
from cleanup.records.files import check_distinct, check_writable, whole_file


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
