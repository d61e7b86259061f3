"""Makes the plan from a list and the settings, and refuses bad input before anything is sent; also for `check`."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cleanup.console.meter import Meter
from cleanup.errors import SettingsError
from cleanup.lists.ids import odd_drafts
from cleanup.lists.pair_list import PairList, unpack
from cleanup.model import KnownLimit
from cleanup.plan import Plan, Undone, make_plan
from cleanup.records.files import check_distinct
from cleanup.records.past import Past
from cleanup.settings.definitions import Settings
from cleanup.settings.sources import Loaded
from cleanup.settings.table import all_settings

EMPTY: Final = "the list is empty: there is nothing to discard"
LIMIT_HOLDS: Final = timedelta(days=31)
"""How long a run may begin with a limit that an earlier run found; after that, the limit is searched for again."""
_ANOTHER: Final = "name another ledger (output.ledger, --ledger)"


def check_resume(settings: Settings) -> None:
    """Raise SettingsError if `run.resume` is set without a ledger."""
    if settings.run.resume and settings.output.ledger is None:
        raise SettingsError("run.resume (--resume) needs output.ledger (--ledger): it skips what the ledger settles")


def check_files(loaded: Loaded, list_path: str | None, outputs: Mapping[str, str | None]) -> None:
    """Raise SameFile if an output of a run is one of its inputs, or another output."""
    inputs = {
        "the list": list_path,
        "the settings file": None if loaded.file is None else str(loaded.file),
        "api.key_file": loaded.settings.api.key_file,
    }
    check_distinct(inputs, outputs)


def outputs_of(settings: Settings, *, finds: bool) -> dict[str, str | None]:
    """The files that a run may write, by their keys. `finds`: the run finds its list, and may write that too."""
    files = (setting for setting in all_settings() if setting.section == "output" and setting.flag.is_path)
    return {file.key: getattr(settings.output, file.name) for file in files if finds or file.name != "list"}


def written_whole(settings: Settings, outputs: Mapping[str, str | None]) -> list[str]:
    """The outputs that are replaced as a whole. A dry run does not write those that record discards."""
    others = {"output.ledger", "output.leftover"} if settings.run.dry_run else {"output.ledger"}
    return [path for key, path in outputs.items() if path is not None and key not in others]


def past_of(settings: Settings, pairs: PairList | None, meter: Meter) -> Past | None:
    """Read what the ledger, if any, says about earlier runs, and about the pairs if this run resumes.

    `pairs`: None if they are not known yet. `meter` shows the progress of a long read. Raises SettingsError.
    """
    if settings.output.ledger is None:
        return None
    listed, doubtful = None, set()
    if pairs is not None and settings.run.resume:
        listed, doubtful = pairs.keys, {pairs.keys[place] for place in odd_places(pairs)}
    try:
        return Past(settings.output.ledger, listed, doubtful, meter.show)
    finally:
        meter.clear()


def known_limit(past: Past | None, settings: Settings, now: datetime) -> KnownLimit | None:
    """The limit that `limits.rate: auto` begins with: the last one that was found, unless that was too long ago."""
    if past is None or past.limit is None or past.base_urls != {settings.api.base_url}:
        return None
    try:
        age = now - datetime.fromisoformat(past.limit.found_at)
    except (ValueError, TypeError):
        return None
    return past.limit if timedelta(0) <= age <= LIMIT_HOLDS else None


def odd_places(pairs: PairList) -> list[int]:
    """The places of the pairs whose draft ids look unlike the rest of the list."""
    return odd_drafts(unpack(key)[1] for key in pairs.keys)


def warning_of(pairs: PairList) -> tuple[str, str] | None:
    """A warning about the list and its kind: the list is empty, or draft ids in it may be mistyped."""
    if not pairs:
        return EMPTY, "empty_list"
    odd = odd_places(pairs)
    if not odd:
        return None
    ids, look = ("draft id", "looks") if len(odd) == 1 else ("draft ids", "look")
    return (
        f"{len(odd)} {ids} {look} unlike the rest of the list (24 lower-case hex digits); the first is "
        f"{pairs[odd[0]].draft!r} ({pairs.source(odd[0])}). A mistyped id is never found, even if the intended draft "
        "still exists, so not_found does not settle such a pair"
    ), "odd_ids"


def plan_of(settings: Settings, pairs: PairList, past: Past | None, undone: Undone | None = None) -> Plan:
    """Decide for every pair, by these settings. `undone`: what is known of earlier undos, if this is one."""
    tried = past.tried if past else None
    return make_plan(
        pairs,
        protect=settings.guard.protect,
        settled=past.settled if past else (),
        restored=undone.restored if undone else (),
        tried=undone.tried if undone else tried,
        shard=settings.run.shard,
        limit=settings.limits.per_run,
    )


def check_past(past: Past, settings: Settings, organization: str | None = None) -> None:
    """Raise SettingsError if the ledger belongs to another API or organization, or this run may not resume from it.

    `organization`: the key's organization, once that is known.
    """
    ours = settings.api.base_url
    if others := past.base_urls - {ours}:
        whose = ", ".join(sorted(others))
        what = f"this ledger belongs to runs against {whose}, not {ours}"
        raise SettingsError(f"{past.path}: {what}: pass --base-url {whose}, or {_ANOTHER}")
    if organization and (others := past.organizations - {organization}):
        whose = ", ".join(sorted(others))
        raise SettingsError(f"{past.path}: this ledger belongs to organization {whose}, not {organization}: {_ANOTHER}")
    if not settings.run.resume:
        return
    if past.orphan is not None:
        raise SettingsError(
            f"{past.path}:{past.orphan}: there is no run line before this line, so it is unknown which API it "
            f"belongs to (was the file cut by logrotate?): {_ANOTHER}"
        )
    if lacking := list(_lacking(past.settings, settings.model_dump(mode="json"))):
        raise SettingsError(
            f"{past.path}: the last run of this ledger had guards that this one lacks: pass {' '.join(lacking)}, "
            "or leave out run.resume (--resume)"
        )


def _lacking(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """The flags of guards that the last run had and this one lacks. A different value counts as a decision."""
    for setting in all_settings():
        if setting.section != "guard" and setting.key != "api.organization":
            continue
        earlier, present = (
            section.get(setting.name) if isinstance(section := settings.get(setting.section), dict) else None
            for settings in (before, now)
        )
        if setting.flag.several:
            missing = [value for value in earlier or () if value not in (present or ())]
        else:
            missing = [earlier] if earlier and not present else []
        yield from (f"{setting.flag.name} {shlex.quote(str(value))}" for value in missing)


def check_cap(count: int, settings: Settings) -> None:
    """Raise SettingsError if more pairs would be sent than `limits.max_discards` allows."""
    most = settings.limits.max_discards
    if count > most:
        raise SettingsError(
            f"{count} drafts would be sent, more than limits.max_discards ({most}), so none was sent: "
            f"if that is intended, pass --max-discards {count}"
        )
