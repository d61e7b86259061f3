"""What `make release` builds: complete, the same to the byte, with true hashes and a true bill of materials."""

import hashlib
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from cleanup import __version__
from tests.release import ROOT, SUMS, build, git, main

NAME = f"atoms_draft_cleanup-{__version__}"
WHEEL = f"{NAME}-py3-none-any.whl"
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a release is built from a git clone")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of what is here, committed or not."""
    folder = tmp_path_factory.mktemp("release")
    own = shutil.copy(ROOT / git("rev-parse", "--git-path", "index").decode().strip(), folder / "index")
    commit = git("stash", "create", GIT_INDEX_FILE=str(own)).decode().strip()  # git locks its index for this
    return build(folder, commit or "HEAD")


def test_it_is_complete_and_its_hashes_are_true(built: Path) -> None:
    """As `sha256sum --check` reads them."""
    lines = [line.split("  ") for line in (built / SUMS).read_text().splitlines()]
    assert [name for _, name in lines] == [WHEEL, f"{NAME}.cdx.json", f"{NAME}.tar.gz"]
    assert {file.name for file in built.iterdir()} == {name for _, name in lines} | {SUMS}
    for expected, name in lines:
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == expected


def test_the_bill_of_materials_names_what_is_installed(built: Path) -> None:
    """Every package of requirements.txt with its version, as CycloneDX."""
    bill = json.loads((built / f"{NAME}.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", __version__)
    locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert sorted((part["name"], part["version"]) for part in bill["components"]) == sorted(locked)


def test_nothing_in_it_depends_on_who_built_it_and_when(built: Path) -> None:
    """One time, no user, in either archive."""
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        members = archive.getmembers()
    assert len({member.mtime for member in members}) == 1
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert f"{NAME}/cleanup/pages/templates/review.html" in {member.name for member in members}
    assert len({entry.date_time for entry in zipfile.ZipFile(built / WHEEL).infolist()}) == 1


@pytest.mark.slow
def test_two_builds_of_the_last_commit_are_the_same(tmp_path: Path) -> None:
    """`make release` ends with what differs if they are not."""
    main(tmp_path / "dist")
    assert (tmp_path / "dist" / SUMS).exists()
