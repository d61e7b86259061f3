"""The Prometheus text file, for node_exporter's textfile collector. The only module that imports prometheus_client."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cleanup.records.files import whole_file

_PREFIX = "draft_cleanup_"


def write_metrics(
    path: str, summary: dict[str, Any], finished: float, warnings: Mapping[str, int] | None = None
) -> None:
    """Write a run's metrics. After a failed run, the last success is taken from the old file. Raises OutputError.

    Each metric has the label `task`, the file's name without its extension: node_exporter refuses a folder in which two
    files have the same series. `finished`: seconds since the epoch. `warnings`: how many of each kind.
    """
    registry = CollectorRegistry()
    task = Path(path).stem.encode(errors="replace").decode()

    def gauge(name: str, text: str, *labels: str) -> Callable[..., Gauge]:
        return partial(Gauge(_PREFIX + name, text, ["task", *labels], registry=registry).labels, task)

    pairs = gauge("pairs", "Pairs of the last run, by outcome and reason.", "outcome", "reason")
    for outcome, count in summary["counts"].items():
        reasons = summary.get(outcome)
        if isinstance(reasons, dict) and reasons:
            for reason, number in reasons.items():
                pairs(outcome, reason).set(number)
        elif outcome != "listed":
            pairs(outcome, "").set(count)
    gauge("listed", "Pairs listed in the last run.")().set(summary["counts"]["listed"])
    requests = gauge("requests", "Requests of the last run, by status.", "status")
    for status, number in summary["requests"]["by_status"].items():
        requests(status).set(number)
    warned = gauge("warnings", "Warnings of the last run, by kind.", "kind")
    for kind, number in (warnings or {}).items():
        warned(kind).set(number)
    verified = gauge("verified", "Discards of the last run that were read back, by what was found.", "result")
    for result in ("gone", "not_gone", "unknown"):
        verified(result).set(summary["verified"].get(result) or 0)
    gauge("retries", "Retried attempts of the last run.")().set(summary["requests"]["retries"])
    gauge("duration_seconds", "Seconds that the last run took.")().set(summary["seconds"])
    gauge("exit_code", "Exit code of the last run.")().set(summary["exit_code"])
    gauge("last_run_timestamp_seconds", "When the last run ended.")().set(finished)
    success = finished if summary["exit_code"] == 0 else _last_success(path)
    if success is not None:
        gauge("last_success_timestamp_seconds", "When a run last ended with exit code 0.")().set(success)
    with whole_file(path, mode=0o644, whatever_the_umask=True) as stream:  # for node_exporter's user
        stream.write(generate_latest(registry).decode())


def _last_success(path: str) -> float | None:
    if not Path(path).is_file():  # a pipe or a device holds no old metrics, and reading one may block
        return None
    with suppress(OSError, ValueError, LookupError):
        for family in text_string_to_metric_families(Path(path).read_text(encoding="utf-8")):
            if family.name == _PREFIX + "last_success_timestamp_seconds":
                return float(family.samples[0].value)
    return None
