"""How long a list takes against the floor that a rate limit sets, what is left standing, and how often 429 was said."""

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.processes import KEY, NAMES, Served, discarding, measure, simulator, there_is

FAULTS = 0.02
LATENCY = 0.08


@dataclass(frozen=True, slots=True)
class Plan:
    """A workspace's limit: a token bucket that holds 20, and what its 429s ask for."""

    name: str
    rate: float
    retry_after: float

    @property
    def arguments(self) -> tuple[str, ...]:
        """How the simulator is told."""
        return (
            "--rate-limit", f"{self.rate:g}", "--burst", "20", "--retry-after", f"{self.retry_after:g}",
            "--latency", "40ms-120ms", "--faults", f"{FAULTS:.0%}",
        )  # fmt: skip


PRO = Plan("100 a second", 100, 1)
FREE = Plan("10 a second", 10, 5)


@dataclass(frozen=True, slots=True)
class Entry:
    """Who drains how much. `neighbour`: seconds from and to which another client takes half of the limit."""

    who: str
    plan: Plan
    drafts: int
    concurrency: int = 16
    rate: str = "off"
    neighbour: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """As the table has it."""
        how = f" --rate {self.rate}" if self.who == "job" else ""
        return NAMES[self.who] + how + (", a neighbour takes half for a while" if self.neighbour else "")


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of it. `floor`: what this client's own needs take at the limit, or at the rate it was told."""

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
            spent = measure(discarding(entry.who, home, served.url, entry.concurrency, entry.rate), home)
            if neighbour is not None:
                neighbour.join()
    # Every fault costs one more request; the job also asks whose key it is.
    needed = entry.drafts + served.many(500) + (entry.who == "job") + (neighbour.sent if neighbour else 0)
    rate = entry.plan.rate if entry.rate in ("auto", "off") else float(entry.rate)
    return Drained(
        entry,
        spent.seconds,
        needed / rate + LATENCY,
        served.seen["left"],
        (served.many(429) - (neighbour.refused if neighbour else 0)) / served.requests,
        None if neighbour is None else 1 - neighbour.refused / neighbour.sent,
    )


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
            self.refused += answer.status == 429
        connection.close()
