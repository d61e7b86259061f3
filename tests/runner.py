"""Runs `job.py`, and what a run leaves behind."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from tests.preloaded import Forked, Preloaded, take_terminal

ROOT = Path(__file__).parent.parent
JOB = ROOT / "job.py"
Process = Forked | subprocess.Popen[str]


@dataclass
class Ended:
    """A run that has ended, with all that it left behind."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON log."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The log's entries of one kind."""
        return [entry for entry in self.events if entry["event"] == event]

    @property
    def summary(self) -> dict[str, Any]:
        """The summary file."""
        found: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return found

    @property
    def counts(self) -> dict[str, int]:
        """The summary's counts."""
        counts: dict[str, int] = self.summary["counts"]
        return counts

    def ledger(self, name: str | Path = "ledger.jsonl") -> list[dict[str, Any]]:
        """A ledger's lines."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@dataclass
class Runner:
    """Starts `job.py` in a folder of its own; flags that make tests fast and quiet come first.

    `program`: the words that start it, where that is not job.py.
    """

    folder: Path
    environ: dict[str, str]
    defaults: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)
    program: list[str] = field(default_factory=lambda: [sys.executable, str(JOB)])
    preloaded: Preloaded | None = None

    def command(self, *args: str | Path) -> list[str]:
        """The command of a run."""
        command = [*self.program]
        words = [str(arg) for arg in args]
        if words and words[0] in ("check", "find", "sweep", "undo", "report", "simulate"):
            command.append(words.pop(0))
        if "report" not in command and "simulate" not in command:
            command += self.defaults
        return command + words

    def start(
        self, *args: str | Path, env: dict[str, str] | None = None, terminal: str | None = None, **popen: Any
    ) -> Process:
        """Start a run and return its process. Arguments come after the default flags, so they win.

        `terminal`: the path of the terminal that controls it. `popen`: its streams, and what `subprocess.Popen` takes.
        """
        environ, command = self.environ | (env or {}), self.command(*args)
        process: Process
        if self.preloaded and self.program == [sys.executable, str(JOB)] and self.preloaded.suits(environ, popen):
            process = self.preloaded.start(command[2:], self.folder, environ, terminal, popen)
        else:
            options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
            if terminal is not None:
                options |= {"start_new_session": True, "preexec_fn": lambda: take_terminal(terminal)}
            # As UTF-8, which is how the job reads them, whatever this process would make of them.
            coded = {name: text.encode(errors="surrogateescape") for name, text in environ.items()}
            words = [word.encode(errors="surrogateescape") for word in command]
            process = subprocess.Popen(words, cwd=self.folder, env=coded, text=True, **options)
        self.started.append(process)
        return process

    def wait(self, process: Process, timeout: float = 60) -> Ended:
        """Wait for a started run to end."""
        stdout, stderr = process.communicate(timeout=timeout)
        assert process.returncode is not None
        ended = Ended(process.returncode, stdout or "", stderr or "", self.folder)
        self.ended.append(ended)
        return ended

    def __call__(
        self, *args: str | Path, env: dict[str, str] | None = None, timeout: float = 60, stdin: str | None = None
    ) -> Ended:
        """Run to the end."""
        with NamedTemporaryFile("w+", encoding="utf-8") as typed:
            typed.write(stdin or "")
            typed.seek(0)
            streams: dict[str, Any] = {} if stdin is None else {"stdin": typed}
            return self.wait(self.start(*args, env=env, **streams), timeout)

    def write(self, name: str, content: str | bytes) -> str:
        """Put a file into the run's folder."""
        path = self.folder / os.fsdecode(name.encode())  # as UTF-8, see `start`
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def list_of(self, pairs: Any, name: str = "drafts.csv") -> str:
        """Write a list of drafts (or of (agent, draft) pairs) as CSV."""
        rows = [(pair.agent, pair.id) if hasattr(pair, "id") else pair for pair in pairs]
        return self.write(name, "agent,draft\n" + "".join(f"{agent},{draft}\n" for agent, draft in rows))
