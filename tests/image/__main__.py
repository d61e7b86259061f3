"""Build the image and run the job in it as a pod would: its user, a read-only root, PID 1, SIGTERM.

    sudo .venv/bin/python -m tests.image [FOLDER]

For a Debian machine without an image registry: needs buildah and debootstrap, no daemon. The base that the
Dockerfile names is stood in for by Debian's own Python unless it is in FOLDER's store (`buildah pull`) already.
Everything stays in FOLDER (about 1 GB; /var/tmp/draft-cleanup-image) and makes the next time quicker.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cleanup import __version__
from cleanup.simulator import DEMO_KEY, Simulator, World

ROOT = Path(__file__).parents[2]
DRAFTS = 200
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
MOUNTS = ("data", "list", "secrets")

# In namespaces of its own: a root that nobody can write to, the mounts of a pod, and the job as process 1.
POD = """
set -e
root=$1; pod=$2; user=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind "$pod/data" "$root/data"
for name in list secrets; do
  mount --bind "$pod/$name" "$root/$name"
  mount -o remount,bind,ro "$root/$name"
done
mount -t proc proc "$root/proc"
exec /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --groups=${user#*:} --userspec="$user" "$root" "$@"
"""


@dataclass
class Image:
    """The built image, its file system mounted at `root`."""

    root: Path
    entry: list[str]
    user: str
    environ: dict[str, str]
    size: int

    def start(self, pod: Path, *args: str, entry: list[str] | None = None) -> "subprocess.Popen[str]":
        """Start the job, or `entry`, with the pod's folders mounted."""
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", POD, "pod"]
        words = [str(self.root), str(pod), self.user, *(entry or self.entry), *args]
        return subprocess.Popen(
            command + words, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def main() -> None:
    """Build, inspect, run, and say what came of it; an AssertionError says what did not."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "/var/tmp/draft-cleanup-image").resolve()
    folder.mkdir(parents=True, exist_ok=True)

    def buildah(*words: str) -> str:
        store = ["--storage-driver", "vfs", "--root", str(folder / "store"), "--runroot", str(folder / "run")]
        return run("buildah", *store, *words).strip()

    stand_in(buildah, folder)
    image = build(buildah)
    print(f"built: {image.size / 1e6:.0f} MB on a base of {base_size(buildah) / 1e6:.0f} MB, as {image.user}")
    look(image)
    print("looked at: no pip, no simulator, nothing its user may change, bytecode for every module")
    print(runs(image, folder))


def run(*command: str) -> str:
    """A command's standard output; what it says on standard error is shown if it fails."""
    ended = subprocess.run(command, text=True, capture_output=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.stdout


def base_name() -> str:
    """The base that the Dockerfile names."""
    (name,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return str(name)


def stand_in(buildah: Callable[..., str], folder: Path) -> None:
    """Tag Debian with its own Python as the base, `python` and pip in /usr/local as there, if there is none yet."""
    if base_name() in buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        return
    tree = folder / "base"
    shutil.rmtree(tree, ignore_errors=True)
    run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", str(tree))
    run("chroot", str(tree), "python3", "-m", "venv", "--copies", "/usr/local")
    run("chroot", str(tree), "apt-get", "clean")
    for name in (tree / "usr/local/bin").glob("[Aa]ctivate*"):
        name.unlink()
    if Path(AUTHORITIES).exists():  # behind a proxy that has a certificate of its own, pip must know it as well
        shutil.copyfile(AUTHORITIES, tree / AUTHORITIES.lstrip("/"))
        (tree / "etc/pip.conf").write_text(f"[global]\ncert = {AUTHORITIES}\n")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(tree), "/")
    buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
    buildah("commit", "--quiet", "--rm", container, base_name())


def base_size(buildah: Callable[..., str]) -> int:
    """Bytes of the base."""
    return size_of(buildah("images", "--json", base_name()))


def size_of(listed: str) -> int:
    """Bytes of the only image in a listing."""
    (image,) = json.loads(listed)
    number, unit = image["size"].split()
    return int(float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def build(buildah: Callable[..., str]) -> Image:
    """Build the Dockerfile, and mount what it made."""
    name = f"draft-cleanup:{__version__}"
    buildah("build", "--isolation", "chroot", "--pull-never", "--tag", name, str(ROOT))
    config = json.loads(buildah("inspect", "--type", "image", name))["OCIv1"]["config"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    for container in buildah("containers", "--quiet").split():
        buildah("rm", container)
    root = Path(buildah("mount", buildah("from", "--pull-never", name)))
    for mount in MOUNTS:
        (root / mount).mkdir(exist_ok=True)
    environ = dict(entry.split("=", 1) for entry in config["Env"])
    return Image(root, config["Entrypoint"], config["User"], environ, size_of(buildah("images", "--json", name)))


def look(image: Image) -> None:
    """What is in the image, and whose it is."""
    app = image.root / "app"
    assert sorted(path.name for path in app.iterdir()) == ["__pycache__", "cleanup", "job.py", "site-packages"]
    assert not (app / "cleanup/simulator").exists()
    assert not list(image.root.glob("usr/local/lib/python3*/site-packages/pip"))
    for path in app.rglob("*"):
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), path
        assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o022, path
        assert stat.S_ISLNK(found.st_mode) or found.st_mode & 0o004, path
        if path.suffix == ".py":
            assert list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc")), f"{path} is not compiled"


def runs(image: Image, folder: Path) -> str:
    """A run that is asked to end, the next pod's run that goes on, and what neither may do."""
    pod = folder / "pod"
    shutil.rmtree(pod, ignore_errors=True)
    for mount in MOUNTS:
        (pod / mount).mkdir(parents=True)
    user, group = map(int, image.user.split(":"))
    os.chown(pod / "data", user, group)
    (pod / "secrets/api-key").write_text(DEMO_KEY + "\n")
    (pod / "secrets/api-key").chmod(0o440)  # as kubelet leaves a Secret of mode 0400 with an fsGroup
    os.chown(pod / "secrets/api-key", 0, group)
    world = World(seed=1)
    held = [world.open_draft(world.add_agent().id) for _ in range(DRAFTS)]
    rows = [f"{draft.agent},{draft.id}\n" for draft in held]
    (pod / "list/drafts.csv").write_text("agent,draft\n" + "".join(rows))

    spoil = "import os; assert os.getpid() == 1; open('/app/spoilt', 'w')"
    _, said = image.start(pod, "-c", spoil, entry=["python"]).communicate(timeout=60)
    assert "Read-only file system" in said, said

    with Simulator(world, latency=0.05) as simulator:
        args = ["/list/drafts.csv", "--base-url", simulator.url, "--key-file=/secrets/api-key", "--rate=50", "--resume"]
        args += ["--ledger=/data/ledger.jsonl", "--leftover=/data/leftover.csv", "--summary=/data/summary.json"]
        process = image.start(pod, *args)
        wait_until(lambda: len(simulator.left()) <= DRAFTS - 30, "the run is under way")
        job = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{job}/status").read_text().splitlines())
        assert status["NSpid"].split()[-1] == "1"
        assert status["Uid"].split() == [str(user)] * 4
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        began = time.monotonic()
        os.kill(job, signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        seconds = time.monotonic() - began
        assert process.returncode == 143, said
        assert json.loads(said.splitlines()[-1])["event"] == "run.finished"
        assert "warning" not in {
            json.loads(line).get("level") for line in said.splitlines() if "run.stopping" not in line
        }
        gone = DRAFTS - len(simulator.left())
        summary = json.loads((pod / "data/summary.json").read_text())
        assert summary["counts"]["discarded"] == gone
        assert summary["counts"]["not_attempted"] == DRAFTS - gone
        assert len((pod / "data/leftover.csv").read_text().splitlines()) == 1 + DRAFTS - gone

        ended = image.start(pod, *args)
        _, said = ended.communicate(timeout=60)
        assert ended.returncode == 0, said
        assert not simulator.left()
        assert len(simulator.requests("discard")) == DRAFTS
    lines = [json.loads(line) for line in (pod / "data/ledger.jsonl").read_text().splitlines()]
    assert sum(line["type"] == "pair" for line in lines) == DRAFTS
    assert [line["exit_code"] for line in lines if line["type"] == "end"] == [143, 0]
    return (
        f"ran: as process 1 of user {user} without capabilities, on a read-only root; SIGTERM after {gone} of {DRAFTS} "
        f"drafts: drained and exit 143 in {seconds:.1f} s, files complete; the next pod did the rest, none twice"
    )


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that comes within a minute."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


if __name__ == "__main__":
    main()
