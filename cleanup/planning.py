"""From a list to a plan by the settings, and what refuses it before anything is sent: for a run and for `check`."""

from collections.abc import Mapping

from cleanup.errors import SettingsError
from cleanup.lists.pair_list import PairList
from cleanup.plan import Plan, make_plan
from cleanup.records.files import check_distinct
from cleanup.records.ledger import Past
from cleanup.settings.definitions import Settings, all_settings
from cleanup.settings.sources import Loaded

EMPTY = "the list is empty: there is nothing to discard"


def check_resume(settings: Settings) -> None:
    """Raise SettingsError when there is no ledger to resume by."""
    if settings.run.resume and settings.output.ledger is None:
        raise SettingsError("run.resume (--resume) needs output.ledger (--ledger): it leaves out what that settles")


def check_files(loaded: Loaded, list_path: str | None, outputs: Mapping[str, str | None]) -> None:
    """Raise SameFile when an output of a run is one of its inputs, or another output."""
    inputs = {
        "the list": list_path,
        "the settings' file": None if loaded.file is None else str(loaded.file),
        "api.key_file": loaded.settings.api.key_file,
    }
    check_distinct(inputs, outputs)


def outputs_of(settings: Settings, *, finds: bool) -> dict[str, str | None]:
    """The files that a run may write, by their keys; one that finds its list writes that too."""
    files = (setting for setting in all_settings() if setting.section == "output" and setting.flag.is_path)
    return {file.key: getattr(settings.output, file.name) for file in files if finds or file.name != "list"}


def written_whole(settings: Settings, outputs: Mapping[str, str | None]) -> list[str]:
    """Those of the outputs that are written anew, and so by a dry run only if they are no record of discards."""
    others = {"output.ledger", "output.leftover", "output.metrics"} if settings.run.dry_run else {"output.ledger"}
    return [path for key, path in outputs.items() if path is not None and key not in others]


def past_of(settings: Settings, pairs: PairList) -> Past | None:
    """What the ledger says of earlier runs, if this one resumes. Raises SettingsError."""
    if not settings.run.resume or settings.output.ledger is None:
        return None
    return Past(settings.output.ledger, pairs.keys)


def plan_of(settings: Settings, pairs: PairList, past: Past | None) -> Plan:
    """The fate of every pair by these settings."""
    return make_plan(
        pairs,
        protect=settings.guard.protect,
        settled=past.settled if past else (),
        shard=settings.run.shard,
        limit=settings.limits.per_run,
    )


def check_past(past: Past, base_url: str, organization: str | None = None) -> None:
    """Raise SettingsError when the ledger is of runs against another API, or of another organization."""
    others = past.base_urls - {base_url}
    if others:
        raise SettingsError(f"{past.path}: this ledger is of runs against {', '.join(sorted(others))}, not {base_url}")
    others = past.organizations - {organization} if organization else set()
    if others:
        whose = ", ".join(sorted(others))
        raise SettingsError(f"{past.path}: this ledger is of organization {whose}, the key is of {organization}")


def check_cap(count: int, settings: Settings) -> None:
    """Raise SettingsError when more would be sent than may be."""
    most = settings.limits.max_discards
    if count > most:
        raise SettingsError(
            f"{count} drafts would be sent, more than limits.max_discards ({most}), so none is: "
            f"if that many are meant, pass --max-discards {count}"
        )
