"""docs/recipes.md, done: its commands as they stand there, against the simulator, with stand-ins for other tools."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cleanup import __version__
from cleanup.cli.options import command_of, parse
from cleanup.errors import ExitCode
from cleanup.simulator import DEMO_KEY, Simulator, World
from tests.conftest import Drafts, aged
from tests.runner import JOB, ROOT
from tests.surroundings import clean_environment

PAGE = (ROOT / "docs" / "recipes.md").read_text()


def recipe(title: str) -> dict[str, list[str]]:
    """The blocks of a recipe by language."""
    (text,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    blocks: dict[str, list[str]] = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        blocks.setdefault(language, []).append(block)
    return blocks


@dataclass
class Shell:
    """A shell in a folder of its own, in which `draft-cleanup` is a command, and others can be given stand-ins."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folder of commands."""
        (self.folder / "bin").mkdir()
        self.stand_in("draft-cleanup", f'exec {shlex.quote(sys.executable)} {shlex.quote(str(JOB))} "$@"')
        self.environ["PATH"] = f"{self.folder / 'bin'}:{self.environ['PATH']}"

    def stand_in(self, name: str, script: str) -> None:
        """Make a command."""
        command = self.folder / "bin" / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)

    def __call__(self, script: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a script; the places that it names are in the folder."""
        for place in ("/var/lib/draft-cleanup", "/etc/draft-cleanup"):
            script = script.replace(place, str(self.folder))
        return subprocess.run(
            ["/bin/sh", "-c", script], cwd=self.folder, env=self.environ | environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path, sim: Simulator) -> Shell:
    """A shell with the key and the simulator's address."""
    settings = {
        "CLEANUP_API__BASE_URL": sim.url,
        "CLEANUP_LIMITS__RATE": "off",
        "CLEANUP_RETRY__WAIT": "1ms",
    }
    return Shell(tmp_path, clean_environment(SMALLEST_API_KEY=DEMO_KEY, **settings))


def list_of(drafts: list[Any]) -> str:
    """A list as CSV."""
    return "agent,draft\n" + "".join(f"{draft.agent},{draft.id}\n" for draft in drafts)


def test_quarantine(shell: Shell, sim: Simulator, drafts: Drafts) -> None:
    """Nothing goes on the first night; a week later what was listed then, but for what was edited in between."""
    (script,) = recipe("Quarantine")["sh"]
    held = drafts(4, updated_at=aged(40))
    assert shell(script).returncode == 0
    assert sim.left() == {draft.id for draft in held}
    (listed,) = (shell.folder / "quarantine").iterdir()
    then = datetime.now() - timedelta(days=7, hours=1)
    old = listed.rename(listed.with_name(f"{then:%F}.csv"))
    os.utime(old, (then.timestamp(), then.timestamp()))
    held[0].updated_at = aged(0)
    assert shell(script).returncode == 0
    assert sim.left() == {held[0].id}
    assert [path.name for path in (shell.folder / "done").iterdir()] == [old.name]
    assert [path.name for path in (shell.folder / "quarantine").iterdir()] == [listed.name]


@pytest.fixture
def other() -> Iterator[Simulator]:
    """Another workspace, with a key of its own."""
    with Simulator(World(seed=2, key="sk_other")) as simulator:
        yield simulator


def test_two_workspaces(shell: Shell, sim: Simulator, other: Simulator, drafts: Drafts) -> None:
    """Each line sweeps its own workspace, by its own rule; keys that are mixed up discard nothing (77)."""
    blocks = recipe("Two workspaces in one crontab")
    old, recent = drafts(2, updated_at=aged(100)), drafts(1, updated_at=aged(50))
    theirs = other.world.open_draft(other.world.add_agent().id, updated_at=aged(50))
    lines = [line.split(maxsplit=6)[6] for line in blocks["crontab"][0].splitlines() if "*" in line]
    assert len(lines) == 2
    keys = ((sim, DEMO_KEY), (other, "sk_other"))
    for name, text, (simulator, secret) in zip(("acme", "globex"), blocks["yaml"], keys, strict=True):
        assert f"`/etc/draft-cleanup/{name}.yaml`:" in PAGE
        settings = re.sub(r"organization: \w+", f"organization: {simulator.world.organization}", text)
        (shell.folder / f"{name}.yaml").write_text(settings.replace("/var/lib/draft-cleanup", str(shell.folder)))
        (shell.folder / f"{name}.key").write_text(secret)
        (shell.folder / f"{name}.key").chmod(0o600)
    addresses = (sim.url, other.url)
    mixed = [shell(line, CLEANUP_API__BASE_URL=url) for line, url in zip(lines, reversed(addresses), strict=True)]
    assert [ended.returncode for ended in mixed] == [77, 77]
    assert (sim.left(), other.left()) == ({draft.id for draft in [*old, *recent]}, {theirs.id})
    for line, url in zip(lines, addresses, strict=True):
        ended = shell(line, CLEANUP_API__BASE_URL=url, CLEANUP_FIND__MAX_SHARE="off")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (sim.left(), other.left()) == ({draft.id for draft in recent}, set())


@pytest.mark.parametrize(
    ("tool", "download"), [("aws", "head -c $(($(wc -c < list.csv) - 30)) list.csv; exit 1"), ("curl", "exit 22")]
)
def test_a_list_by_a_pipe(tool: str, download: str, shell: Shell, sim: Simulator, drafts: Drafts) -> None:
    """What arrives whole is discarded; a download that breaks off, or fails, sends nothing."""
    (script,) = (text for text in recipe("A list from S3, or from a URL")["sh"] if text.startswith(tool))
    held = drafts(3)
    (shell.folder / "list.csv").write_text(list_of(held))
    shell.stand_in(tool, download)
    assert shell(script).returncode == 65
    assert sim.requests() == []
    shell.stand_in(tool, "cat list.csv")
    assert shell(script).returncode == 0
    assert sim.left() == set()


def test_picking(shell: Shell, sim: Simulator, world: World, drafts: Drafts) -> None:
    """What was picked is discarded, with the protection of its `updated_at`."""
    fzf = shutil.which("fzf")
    if fzf is None:
        pytest.skip("there is no fzf on this machine")
    by_hand, by_pattern = recipe("Picking with fzf")["sh"]
    held = drafts(4, updated_at=aged(40))
    for draft, name in zip(held, ("spring campaign", "autumn campaign", "a test", "compaign"), strict=True):
        draft.name = name
    shell.stand_in("fzf", f"""test "$1" != --multi || set -- --filter "'autumn"; exec {fzf} "$@" """)
    looked = shell(by_hand)
    assert (looked.returncode, json.loads(looked.stdout.splitlines()[-1])["counts"]["would_discard"]) == (0, 1)
    assert "updated_at" in (shell.folder / "picked.jsonl").read_text()
    assert shell(by_pattern).returncode == 0
    assert sim.left() == {draft.id for draft in held[2:]}


def test_a_step_of_an_argo_workflow() -> None:
    """It repeats after the exit codes that are worth it, and after no other; its flags and mounts are right."""
    (text,) = recipe("A step of an Argo workflow")["yaml"]
    spec = yaml.safe_load(text)["spec"]
    (template,) = (each for each in spec["templates"] if each["name"] == spec["entrypoint"])
    retried = re.fullmatch(r"asInt\(lastRetry\.exitCode\) in \[(.+)\]", template["retryStrategy"]["expression"])
    assert retried is not None
    assert {int(code) for code in retried[1].split(",")} == {int(code) for code in ExitCode if code.retry}
    container = template["container"]
    assert container["image"] == f"draft-cleanup:{__version__}"
    assert f"ENTRYPOINT {json.dumps(container['command'])}" in (ROOT / "Dockerfile").read_text()
    _, flags = parse(*command_of(container["args"]))
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts.values()) == {volume["name"] for volume in spec["volumes"]}
    places = (flags["api.key_file"], flags["output.ledger"], flags["output.summary"])
    assert {str(Path(place).parent) for place in places} == set(mounts)


@pytest.mark.slow
def test_a_host_without_network(shell: Shell, tmp_path: Path) -> None:
    """What was downloaded is all that the installation needs."""
    fetching, installing = recipe("A host without network")["sh"]
    for name in ("cleanup", "pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        origin = ROOT / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, tmp_path / name)
    shell.stand_in("python3", f'exec {shlex.quote(sys.executable)} "$@"')
    fetched = shell(f"set -e\n{fetching}", PYTHONWARNINGS="", PIP_RETRIES="0")
    if fetched.returncode and not list((tmp_path / "wheelhouse").glob("*.whl")):
        pytest.skip("there is no package index on this machine to download from")
    assert fetched.returncode == 0, fetched.stderr
    installed = shell(f"set -e\n{installing}", PYTHONWARNINGS="", PIP_INDEX_URL="https://127.0.0.1:1/", PIP_RETRIES="0")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.splitlines()[-1] == f"atoms-draft-cleanup {__version__}"


def test_an_image_for_several_architectures(shell: Shell) -> None:
    """buildx has these flags, and the Dockerfile what they set; the tag is this version's."""
    (script,) = recipe("An image for several architectures")["sh"]
    shell.stand_in("docker", 'printf "%s\\n" "$@"')
    shell.stand_in("git", 'test "$*" = "rev-parse HEAD" && echo 0123abc')
    words = shell(script).stdout.splitlines()
    assert words[:2] == ["buildx", "build"]
    assert words[-2:] == ["--push", "."]
    options = dict(zip(words[2:-2:2], words[3:-2:2], strict=True))
    assert options == {
        "--platform": "linux/amd64,linux/arm64",
        "--build-arg": "REVISION=0123abc",
        "--tag": f"registry.example/draft-cleanup:{__version__}",
    }
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "\nARG REVISION=" in dockerfile
    assert not re.search("amd64|x86|arm64|aarch64", dockerfile)


def test_every_recipe_has_a_test() -> None:
    """A new one is run too."""
    tested = re.findall(r'recipe\("(.+?)"\)', Path(__file__).read_text())
    assert set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE)) == set(tested)
