"""Builds a release from the last commit: wheel, source archive, SBOM and their hashes; twice, as it has to be the same.

`make release` writes it into `dist/`.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SUMS: Final = "SHA256SUMS"


def main(target: Path) -> None:
    """Build twice in different folders, compare, and put the result into `target`. Ends the process if they differ."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (build(Path(folder) / name, "HEAD") for name in ("first", "again"))
        sums, others = ((built / SUMS).read_text() for built in (first, second))
        if sums != others:
            sys.exit(f"two builds of the same commit differ, so it cannot be released:\n{sums}\n{others}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(first, target)
    print(sums, end="")


def build(folder: Path, commit: str) -> Path:
    """Build everything once. Returns the folder with the files."""
    source, built = folder / "source", folder / "built"
    epoch = git("log", "-1", "--format=%ct", commit).decode().strip()
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit))) as archive:
        archive.extractall(source, filter="data")
    environ = os.environ | {"SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"}

    def run(*words: str) -> None:
        command = [sys.executable, *words]
        ended = subprocess.run(command, cwd=source, env=environ, umask=0o022, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"{' '.join(words)}:\n{ended.stdout}{ended.stderr}")

    run("-m", "build", "--no-isolation", "--outdir", str(built))
    (archived,) = built.glob("*.tar.gz")
    _repack(archived, int(epoch))
    name = archived.name.removesuffix(".tar.gz")
    bill = built / f"{name}.cdx.json"
    words = (
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
        "--short-PURLs",
        "--no-validate",
        "-o",
        str(bill),
    )
    run("-m", "cyclonedx_py", "requirements", *words, "requirements.txt")
    _name_version(bill, name.rpartition("-")[2])
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(built.iterdir())]
    (built / SUMS).write_text("".join(lines))
    return built


def git(*words: str, **environ: str) -> bytes:
    """What git says, with these variables."""
    return subprocess.run(["git", *words], cwd=ROOT, env=os.environ | environ, check=True, capture_output=True).stdout


def _repack(archive: Path, epoch: int) -> None:
    """Pack a source archive anew, without what depends on who built it, and when."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
        member.mode = 0o755 if member.isdir() else 0o644
        member.pax_headers = {}
        return member

    packed = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            new.addfile(anonymous(member), old.extractfile(member) if member.isfile() else None)
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


def _name_version(bill: Path, version: str) -> None:
    """Enter the version, which pyproject.toml leaves to the package."""
    document = json.loads(bill.read_text())
    document["metadata"]["component"]["version"] = version
    bill.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
