"""A run that a test follows while it goes on."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import wait_until
from tests.runner import Ended, Runner


@dataclass
class Watched:
    """A run whose log can be read while it goes on."""

    job: Runner
    args: tuple[str, ...]
    popen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log = self.job.folder / "log"
        with self.log.open("wb") as stream:
            self.process = self.job.start(*self.args, **({"stderr": stream} | self.popen))

    def has_logged(self, text: str) -> bool:
        """Whether this stands anywhere in its log."""
        return text in self.log.read_text()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self, number: int) -> float:
        """Send it a signal, and say when it had taken it."""
        self.signal(number)
        wait_until(lambda: self.has_logged("run.stopping"), seconds=5)
        return time.monotonic()

    def end(self, timeout: float = 15) -> Ended:
        """Wait for its end, which is to come before the twenty seconds that what is in flight has."""
        ended = self.job.wait(self.process, timeout)
        ended.stderr = self.log.read_text()
        return ended
