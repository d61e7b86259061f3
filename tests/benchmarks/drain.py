"""How long a list takes compared with the rate limit's floor, how many drafts are left, and how often 429 came."""

import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.processes import KEY, NAMES, Served, discarding, measure, simulator, there_is

FAULTS = 0.02
LATENCY = 0.08


@dataclass(frozen=True, slots=True)
class Plan:
    """A workspace's limit: a token bucket that holds so many, and how its refusals look and what they ask for."""

    name: str
    rate: float
    retry_after: float
    burst: float = 20
    form: str = "header"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The simulator's flags for this limit."""
        return (
            "--rate-limit", f"{self.rate:g}", "--burst", f"{self.burst:g}", "--retry-after", f"{self.retry_after:g}",
            "--retry-after-form", self.form, "--latency", "40ms-120ms", "--faults", f"{FAULTS:.0%}",
        )  # fmt: skip


PRO = Plan("100 a second", 100, 1)
FREE = Plan("10 a second", 10, 5)


@dataclass(frozen=True, slots=True)
class Entry:
    """Who drains how much. `neighbour`: seconds from and to which another client takes half of the limit.

    `found`: the limit that an earlier run of this job has written into its ledger.
    """

    who: str
    plan: Plan
    drafts: int
    concurrency: int = 16
    rate: str = "off"
    neighbour: tuple[float, float] | None = None
    found: float | None = None

    @property
    def name(self) -> str:
        """As the table has it."""
        how = f" --rate {self.rate}" if self.who == "job" else ""
        return NAMES[self.who] + how + (", a neighbour takes half for a while" if self.neighbour else "")


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of it. `floor`: what this client's own needs take at the limit, or at the rate that was set."""

    entry: Entry
    seconds: float
    floor: float
    left: int
    refused: float
    neighbour: float | None

    @property
    def ratio(self) -> float:
        """Times the floor."""
        return self.seconds / self.floor


def race(*, quick: bool) -> list[Drained]:
    """Both plans, everybody. Two at once, since all of them mostly wait; more would be in each other's way."""
    lanes = [list(_lane(PRO, 200 if quick else 1000, 95)), list(_lane(FREE, 60 if quick else 150, 9.5))]
    if not quick:
        lanes += [
            [Entry("job", PRO, 4000, rate="auto"), Entry("job", PRO, 4000, rate="auto", neighbour=(15, 30))],
            [Entry("job", FREE, 600, rate="auto")],
        ]
    with ThreadPoolExecutor(2) as lane:
        return [
            drained
            for lane_of in lane.map(lambda entries: [drain(entry) for entry in entries], lanes)
            for drained in lane_of
        ]


def _lane(plan: Plan, drafts: int, rate: float) -> Iterator[Entry]:
    yield Entry("job", plan, drafts, rate=f"{rate:g}")
    for name in ("httpx", "sdk", "curl"):
        if there_is(name):
            yield Entry(name, plan, drafts)


def drain(entry: Entry) -> Drained:
    """Let one of them drain a workspace of its own."""
    neighbour = None
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with simulator(home, "--drafts", str(entry.drafts), "--agents", "50", *entry.plan.arguments) as served:
            if entry.neighbour is not None:
                neighbour = Neighbour(served, entry.plan.rate / 2, *entry.neighbour)
                neighbour.start()
            if entry.found is not None:
                write_night(home / "ledger.jsonl", served.url, entry.found)
            spent = measure(discarding(entry.who, home, served.url, entry.concurrency, entry.rate), home)
            if neighbour is not None:
                neighbour.join()
    # Every fault costs one more request; the job also asks whose key it is.
    needed = entry.drafts + served.many(500) + (entry.who == "job") + (neighbour.sent if neighbour else 0)
    rate = entry.plan.rate if entry.rate in ("auto", "off") else min(entry.plan.rate, float(entry.rate))
    return Drained(
        entry,
        spent.seconds,
        needed / rate + LATENCY,
        served.seen["left"],
        (served.many(429) + served.many(503) - (neighbour.refused if neighbour else 0)) / served.requests,
        None if neighbour is None else 1 - neighbour.refused / neighbour.sent,
    )


def write_night(ledger: Path, url: str, found: float) -> None:
    """Write the ledger of an earlier run that found a limit."""
    now = datetime.now(UTC).isoformat()
    run = {"type": "run", "run_id": "1", "time": now, "base_url": url, "settings": {}}
    end = {"type": "end", "run_id": "1", "time": now, "exit_code": 0, "counts": {}, "limit": found}
    ledger.write_text(f"{json.dumps(run)}\n{json.dumps(end)}\n")


class Neighbour(threading.Thread):
    """Another client of the same workspace, which sends evenly and takes a refusal as it comes."""

    def __init__(self, served: Served, rate: float, begins: float, ends: float) -> None:
        super().__init__(daemon=True)
        self._url = urlsplit(served.url)
        self._rate, self._begins, self._ends = rate, begins, ends
        self.sent = self.refused = 0

    def run(self) -> None:
        """Send from several connections, since each waits for its answers."""
        lanes = 12
        threads = [threading.Thread(target=self._send, args=(lane, lanes)) for lane in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, lane: int, lanes: int) -> None:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port or 80, timeout=10)
        start = time.monotonic() + self._begins
        for number in range(lane, int((self._ends - self._begins) * self._rate), lanes):
            time.sleep(max(0.0, start + number / self._rate - time.monotonic()))
            connection.request("GET", self._url.path + "/user", headers={"Authorization": f"Bearer {KEY}"})
            answer = connection.getresponse()
            answer.read()
            self.sent += 1
            self.refused += answer.status in (429, 503)
        connection.close()
