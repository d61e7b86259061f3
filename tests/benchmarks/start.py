"""How long it takes to start: an empty list, next to Python with httpx and nothing else."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.processes import job, measure, write_list


def start(*, quick: bool) -> dict[str, float]:
    """Seconds, by what is started: medians, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_list(home / "drafts.csv", 0)
        commands = {
            'python -c "import httpx"': [sys.executable, "-c", "import httpx"],
            "job.py, an empty list": job("drafts.csv"),
            "job.py --help": job("--help"),
        }
        found: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(3 if quick else 11):
            for name, command in commands.items():
                found[name].append(measure(command, home).seconds)
    return {name: median(seconds) for name, seconds in found.items()}
