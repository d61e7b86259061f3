"""Writes pictures of a real run and of a real page: `make screenshot`."""

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from cleanup.simulator import DEMO_KEY, Faults, Simulator
from cleanup.simulator.lifelike import furnish
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


def review(target: str) -> None:
    """Write a picture of the review page, with one draft's changes opened."""
    scenery = populate(agents=6, drafts=40, seed=3)
    furnish(scenery.world, scenery.listed, 3)
    with tempfile.TemporaryDirectory() as folder, Simulator(scenery.world) as simulator:
        words = ["find", "--base-url", simulator.url, "--rate", "off", "--older-than", "30d", "--keep", "keep-*"]
        environ = {"PATH": os.environ["PATH"], "SMALLEST_API_KEY": DEMO_KEY}
        command = [sys.executable, str(JOB), *words, "--review", "review.html", "-o", "stale.csv"]
        subprocess.run(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL, check=True)
        with browser_page(Path(folder) / "review.html") as page:
            page.locator("tbody tr button").first.click()
            page.screenshot(path=target)


def report(target: str) -> None:
    """Write a picture of the page of a run that has seen an outage."""
    scenery = populate(agents=8, drafts=300, foreign=6, gone=5, failing=3, seed=7)
    faults = Faults(7)
    faults.by_share(0.05, ["500"], attempts="first")
    for draft in scenery.failing:
        faults.script(draft, "400*")
    with tempfile.TemporaryDirectory() as folder, Simulator(scenery.world, faults=faults) as simulator:
        write_list(Path(folder) / "stale.csv", scenery.listed)
        simulator.after(lambda _world: simulator.down("500", seconds=1.5), endpoint="discard", nth=170)
        words = ["stale.csv", "--base-url", simulator.url, "--rate", "50", "--retry-wait", "100ms"]
        environ = {"PATH": os.environ["PATH"], "SMALLEST_API_KEY": DEMO_KEY}
        command = [sys.executable, str(JOB), *words, "--ledger", "ledger.jsonl", "--page", "run.html"]
        subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with browser_page(Path(folder) / "run.html") as page:
            page.set_viewport_size({"width": 1080, "height": 1000})
            page.screenshot(path=target)


@contextmanager
def browser_page(file: Path) -> Iterator[Page]:
    """A page in Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 760})
        page.goto(file.as_uri())
        yield page
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
    review(sys.argv[2])
    report(sys.argv[3])
