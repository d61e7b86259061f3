"""Processes: the job, its rivals and the two servers, started in a clean environment and measured."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEY = "sk_simulator"
RIVALS = {
    "httpx": "httpx, semaphore, tenacity",
    "sdk": "vendor's SDK",
    "aiohttp": "bare aiohttp",
    "curl": "curl --parallel",
}
NAMES = {"job": "this job"} | RIVALS


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process cost: seconds, seconds of processor time, megabytes at its peak."""

    seconds: float
    processor: float
    megabytes: float
    code: int


@dataclass(slots=True)
class Served:
    """A server while it runs, and after its end what it saw."""

    url: str
    seen: dict[str, Any] = field(default_factory=dict)

    def many(self, status: int) -> int:
        """How often a status was answered."""
        return int(self.seen["by_status"].get(str(status), 0))

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return sum(self.seen["by_status"].values())


def environment() -> dict[str, str]:
    """Nothing of the machine's own settings or proxies."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return kept | {"SMALLEST_API_KEY": KEY, "SMALLESTAI_TELEMETRY": "0", "PYTHONPATH": str(ROOT)}


def measure(command: list[str], folder: Path) -> Spent:
    """Run a command to its end; what it prints goes into files beside its list."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def job(*arguments: str) -> list[str]:
    """The job's command line."""
    return [sys.executable, str(ROOT / "job.py"), *arguments]


def discarding(name: str, folder: Path, url: str, concurrency: int, rate: str = "off") -> list[str]:
    """The command by which `name` discards `folder`'s drafts.csv, the job with ledger and log."""
    if name == "job":
        return job(
            "drafts.csv", "--base-url", url, "--rate", rate, "--concurrency", str(concurrency),
            "--max-discards", "10000000", "--log-format", "json",
            "--ledger", "ledger.jsonl", "--summary", "summary.json",
        )  # fmt: skip
    if name == "curl":
        rows = (folder / "drafts.csv").read_text().splitlines()[1:]
        lines = [f'url = "{url}/agent/{agent}/drafts/{draft}"' for agent, draft in (row.split(",") for row in rows)]
        config = ['request = "DELETE"', f'header = "Authorization: Bearer {KEY}"', *lines]
        (folder / "curl").write_text("\n".join(config) + "\n")
        return [
            "curl", "--silent", "--config", "curl", "--fail", "--retry", "5",
            "--parallel", "--parallel-max", str(concurrency),
        ]  # fmt: skip
    return [sys.executable, "-m", "tests.benchmarks.rivals", name, "drafts.csv", url, str(concurrency)]


def there_is(name: str) -> bool:
    """Whether this rival can be had on this machine."""
    return name != "curl" or shutil.which("curl") is not None


def write_list(path: Path, count: int) -> None:
    """Write a list of so many drafts, fifty to an agent."""
    with path.open("w") as stream:
        stream.write("agent,draft\n")
        stream.writelines(f"{number // 50:024x},{number:024x}\n" for number in range(count))


@contextmanager
def stand_in(folder: Path, most: int = 1_000_000) -> Iterator[Served]:
    """Serve the first drafts of `folder`'s list, fast."""
    command = [sys.executable, "-m", "tests.benchmarks.stand_in", str(folder / "drafts.csv"), str(most)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        served = Served(process.stdout.readline().strip())
        try:
            yield served
        finally:
            out, _ = process.communicate()
            served.seen = json.loads(out)


@contextmanager
def simulator(folder: Path, *arguments: str) -> Iterator[Served]:
    """Serve a simulated workspace whose list is written to `folder`'s drafts.csv."""
    command = job("simulate", "--key", KEY, "--write-list", str(folder / "drafts.csv"), *arguments)
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            served = Served(process.stdout.readline().split(" at ")[1].split(",")[0])
            yield served
            with urllib.request.urlopen(served.url.replace("/atoms/v1", "/_simulator/state")) as answer:
                state = json.load(answer)
            served.seen = {"left": len(state["left"]), "by_status": state["requests"]["by_status"]}
        finally:
            process.terminate()
            process.wait()
