"""Warnings at the end of a run that did not keep its rate. Pure."""

import math
from collections.abc import Iterator
from typing import Final

from cleanup.api.traffic import Traffic
from cleanup.settings.definitions import Limits

KEPT: Final = 0.9
"""The share of a rate that counts as keeping it."""
LONG_ENOUGH: Final = 10.0
"""Seconds of sending after which a rate can be judged."""
BUSY: Final = 0.7
"""The share of a processor core above which the process itself limits the rate."""


def rate_warnings(limits: Limits, traffic: Traffic) -> Iterator[tuple[str, str]]:
    """Yield warnings with their kinds: a fixed rate was refused, or this process could not keep it."""
    if not isinstance(limits.rate, (int, float)):
        return
    if traffic.rate is not None and traffic.rate < KEPT * limits.rate:
        yield (
            (
                f"the API refused requests (429, or 503) at limits.rate {limits.rate:g}, so the rate went down to "
                f"{traffic.rate:.1f} a second: the limit is lower, or others use part of it"
            ),
            "rate_refused",
        )
        return
    achieved, times = traffic.achieved(), traffic.percentiles()
    if traffic.seconds < LONG_ENOUGH or times is None or not 0 < achieved < KEPT * limits.rate:
        return
    in_flight = limits.concurrency / max(times["p50"], 0.001)
    if traffic.processor_seconds > BUSY * traffic.seconds:
        yield (
            (
                f"this process sent {achieved:.0f} requests a second instead of limits.rate {limits.rate:g}, as "
                f"its processor core was busy: {math.ceil(limits.rate / achieved)} shares (run.shard) would keep it"
            ),
            "rate_not_kept",
        )
    elif in_flight < KEPT * limits.rate:
        enough = math.ceil(limits.rate * times["p95"])
        yield (
            (
                f"{limits.concurrency} requests in flight (limits.concurrency) of {times['p50']:.2f} s each are "
                f"{in_flight:.0f} a second, less than limits.rate {limits.rate:g}: about {enough} would keep it"
            ),
            "rate_not_kept",
        )
