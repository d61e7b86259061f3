"""What the page of one run tells: its summary, and what it has counted on the way."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from cleanup.api.series import Moment
from cleanup.model import Outcome
from cleanup.pages.report import Told
from cleanup.pages.settings import changed
from cleanup.records.account import fold
from cleanup.records.files import user_name
from cleanup.records.state import State


def told_of_run(state: State, summary: Mapping[str, Any], settings: Mapping[str, Any]) -> Told:
    """What there is to tell at the end of a run. `settings`: as they are recorded."""
    series = state.traffic.timeline.series
    recorder, purpose = state.recorder, state.identity.purpose
    endings = {} if recorder is None else recorder.account.by_agent()
    agents = {agent: cast("dict[str, int]", fold(each, purpose)["counts"]) for agent, each in endings.items()}
    user = state.owner.user or "unknown"
    run = {
        **{key: summary[key] for key in ("run_id", "version", "mode", "exit_code", "base_url", "list", "list_sha256")},
        **{key: summary[key] for key in ("organization", "organization_name", "model", "shard")},
        "time": summary["started_at"],
        "host": platform.node(),
        "os_user": user_name(os.geteuid()),
        "user": user,
        "note": settings["run"]["note"],
    }
    moments = series.moments()
    users = {user: summary["counts"]} if recorder is not None else {}
    return Told(summary, agents, _days(moments), users, moments, series.width, [run], changed(settings))


def _days(moments: Iterable[Moment]) -> dict[str, dict[str, int]]:
    """How many pairs ended in each way on each day, UTC."""
    days: dict[str, Counter[str]] = {}
    for moment in moments:
        day = f"{datetime.fromtimestamp(moment.start, UTC):%F}"
        ended = {outcome.value: moment.amounts[outcome] for outcome in Outcome if moment.amounts[outcome]}
        if ended:
            days.setdefault(day, Counter()).update(ended)
    return dict(days)
