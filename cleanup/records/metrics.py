"""A run's metrics for Prometheus, as a file and for a Pushgateway. The only module that imports prometheus_client."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, pushadd_to_gateway
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from cleanup.records.call import PATIENCE_SECONDS, Call, failure_soon
from cleanup.records.files import whole_file

_JOB: Final = "draft_cleanup"
_PREFIX: Final = "draft_cleanup_"
_BESIDE: Final = ("dry-run", "undo")
"""Modes of runs that are not what a schedule is for."""
_SUCCESS: Final = "last_success_timestamp_seconds"
_METRICS: Final[dict[str, tuple[str, ...]]] = {
    "pairs": ("Pairs of the last run, by outcome and reason.", "outcome", "reason"),
    "listed": ("Pairs listed in the last run.",),
    "requests": ("Requests of the last run, by status.", "status"),
    "warnings": ("Warnings of the last run, by kind.", "kind"),
    "verified": ("Discards of the last run that were read back, by what was found.", "result"),
    "retries": ("Retried attempts of the last run.",),
    "duration_seconds": ("Seconds that the last run took.",),
    "exit_code": ("Exit code of the last run.",),
    "last_run_timestamp_seconds": ("When the last run ended.",),
    _SUCCESS: ("When a run last ended with exit code 0.",),
}
"""Each metric's help text, and its labels besides `task` and `mode`."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run's metrics are made from.

    `task`: which schedule it is, the label `task`. `warnings`: how many of each kind. `finished`: seconds since the
    epoch.
    """

    task: str
    summary: Mapping[str, Any]
    warnings: Mapping[str, int]
    finished: float

    @property
    def mode(self) -> str:
        """The label `mode`: no dry run passes for a run that discards."""
        return str(self.summary["mode"])

    @property
    def succeeded(self) -> bool:
        """Whether the run ended with exit code 0."""
        return bool(self.summary["exit_code"] == 0)


def write_metrics(path: str, figures: Figures) -> None:
    """Write a run's metrics to a file, with what stays true of earlier runs. Raises OutputError."""
    registry = _registry(figures, _still_true(figures, _earlier(path)))
    with whole_file(path, mode=0o644, whatever_the_umask=True) as stream:  # for node_exporter's user
        stream.write(generate_latest(registry).decode())


def push_metrics(url: str, figures: Figures) -> str | None:
    """Push a run's metrics, within a few seconds. Returns what went wrong, without the address, which may be secret.

    A run that ended well replaces all metrics of its group. Any other replaces those that it has itself: that way the
    gateway keeps the time of the last success.
    """
    push = push_to_gateway if figures.succeeded else pushadd_to_gateway
    group = {"task": figures.task, "mode": figures.mode, "instance": platform.node()}

    def request(
        url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        return lambda: Call(url, method, dict(headers), data).send(timeout or PATIENCE_SECONDS)

    registry = _registry(figures, ())
    return failure_soon(lambda: push(url, _JOB, registry, group, PATIENCE_SECONDS, request))


def _registry(figures: Figures, earlier: Iterable[Sample]) -> CollectorRegistry:
    registry = CollectorRegistry()
    gauges = {
        _PREFIX + name: Gauge(_PREFIX + name, text, ["task", "mode", *labels], registry=registry)
        for name, (text, *labels) in _METRICS.items()
    }
    for name, labels, number in _numbers(figures):
        gauges[_PREFIX + name].labels(figures.task, figures.mode, *labels).set(number)
    for sample in earlier:
        with suppress(LookupError, ValueError):  # of another version, which had other metrics or labels
            gauges[sample.name].labels(**sample.labels | {"task": figures.task}).set(sample.value)
    return registry


def _numbers(figures: Figures) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Name, labels and value of each metric. Each has a value, so that pushing it replaces the one of the last run."""
    summary = figures.summary
    requests = summary["requests"]
    for outcome, count in summary["counts"].items():
        reasons = summary.get(outcome)
        if isinstance(reasons, dict) and reasons:
            yield from (("pairs", (outcome, reason), number) for reason, number in reasons.items())
        elif outcome != "listed":
            yield "pairs", (outcome, ""), count
    yield "listed", (), summary["counts"]["listed"]
    yield from (("requests", (status,), number) for status, number in ({"200": 0} | requests["by_status"]).items())
    yield from (("warnings", (kind,), number) for kind, number in {"other": 0, **figures.warnings}.items())
    for result in ("gone", "not_gone", "unknown"):
        yield "verified", (result,), summary["verified"].get(result) or 0
    yield "retries", (), requests["retries"]
    yield "duration_seconds", (), summary["seconds"]
    yield "exit_code", (), summary["exit_code"]
    yield "last_run_timestamp_seconds", (), figures.finished
    if figures.succeeded:
        yield _SUCCESS, (), figures.finished


def _still_true(figures: Figures, earlier: Iterable[Sample]) -> Iterator[Sample]:
    """What a file keeps of earlier runs: the last success if this run failed.

    A dry run, or an undo, keeps also what is there of other modes: the schedule that discards is still watched by it.
    """
    beside = figures.mode in _BESIDE
    for sample in earlier:
        mode = sample.labels.get("mode", "discard")  # version 1.0 had no modes, and no metrics of dry runs
        if mode == figures.mode if beside else mode not in _BESIDE:
            if sample.name == _PREFIX + _SUCCESS and not figures.succeeded:
                yield sample._replace(labels=sample.labels | {"mode": figures.mode})
        elif beside:
            yield sample._replace(labels=sample.labels | {"mode": mode})


def _earlier(path: str) -> list[Sample]:
    if not Path(path).is_file():  # a pipe or a device holds no old metrics, and reading one may block
        return []
    with suppress(OSError, ValueError, LookupError):
        families = text_string_to_metric_families(Path(path).read_text(encoding="utf-8"))
        return [sample for family in families for sample in family.samples]
    return []
