"""Writes a picture of a real run: `python -m tests.screenshot docs/run.svg` (`make screenshot`)."""

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from cleanup.simulator import DEMO_KEY, Faults, Simulator
from cleanup.simulator.scenery import populate, write_list

JOB = Path(__file__).parents[1] / "job.py"
WIDTH = 92
CONFIG = """
api: {{base_url: {url}}}
limits: {{rate: 50}}
retry: {{wait: 20ms}}
output: {{log_format: console}}
"""


def run(folder: str, url: str, *args: str) -> str:
    """What a terminal shows of a run, colours and all."""
    master, terminal = pty.openpty()
    environ = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "COLUMNS": "1000",  # the picture breaks the lines
        "SMALLEST_API_KEY": DEMO_KEY,
    }
    (Path(folder) / "job.py").symlink_to(JOB)
    (Path(folder) / "config.yaml").write_text(CONFIG.format(url=url))
    command = [sys.executable, "job.py", *args]
    # Without the log: a live progress bar is nothing for a still picture.
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=terminal, stderr=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:
        pass  # the other end is closed
    os.close(master)
    process.wait(timeout=60)
    # As on a machine where it is installed.
    text = shown.decode().replace("\r\n", "\n")
    return text.replace(folder, "/srv/cleanup").replace(sys.executable, "/usr/bin/python3")


def main(target: str) -> None:
    """Run the job on a small workspace and write what it shows to `target`."""
    scenery = populate(agents=8, drafts=120, foreign=6, gone=5, failing=2, seed=7)
    faults = Faults(7)
    faults.by_share(0.05, ["500"], attempts="first")
    for draft in scenery.failing:
        faults.script(draft, "500*")
    with tempfile.TemporaryDirectory() as folder, Simulator(scenery.world, faults=faults) as simulator:
        write_list(Path(folder) / "stale.csv", scenery.listed)
        args = ("stale.csv", "--config", "config.yaml", "--ledger", "ledger.jsonl")
        shown = run(folder, simulator.url, *args)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        console = Console(record=True, width=WIDTH, file=nowhere)
        console.print(Text(f"$ python job.py {' '.join(args)}", "bold"))
        console.print(Text.from_ansi(shown.rstrip()))
        # Without the web fonts: the picture asks nobody for anything.
        template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        Path(target).write_text(console.export_svg(title="Draft cleanup", code_format=template), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
