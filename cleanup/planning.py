"""From a list to a plan by the settings, and what refuses it before anything is sent: for a run and for `check`."""

from cleanup.errors import SettingsError
from cleanup.lists.ids import odd_drafts
from cleanup.lists.pair_list import PairList, unpack
from cleanup.plan import Plan, make_plan
from cleanup.records.ledger import Past
from cleanup.settings.definitions import Settings

EMPTY = "the list is empty: there is nothing to discard"


def check_resume(settings: Settings) -> None:
    """Raise SettingsError when there is no ledger to resume by."""
    if settings.run.resume and settings.output.ledger is None:
        raise SettingsError("run.resume (--resume) needs output.ledger (--ledger): it leaves out what that settles")


def past_of(settings: Settings, pairs: PairList) -> Past | None:
    """What the ledger says of earlier runs, if this one resumes. Raises SettingsError."""
    if not settings.run.resume or settings.output.ledger is None:
        return None
    return Past(settings.output.ledger, pairs.keys, {pairs.keys[place] for place in odd_places(pairs)})


def odd_places(pairs: PairList) -> list[int]:
    """The places of pairs whose draft ids look unlike the rest of the list."""
    return odd_drafts(unpack(key)[1] for key in pairs.keys)


def warning_of(pairs: PairList) -> str | None:
    """What a list makes one warn of: that it is empty, or that draft ids in it may be mistyped."""
    if not pairs:
        return EMPTY
    odd = odd_places(pairs)
    if not odd:
        return None
    ids, look = ("draft id", "looks") if len(odd) == 1 else ("draft ids", "look")
    return (
        f"{len(odd)} {ids} {look} unlike the rest of the list (24 lower-case hex digits); the first is "
        f"{pairs[odd[0]].draft!r} ({pairs.source(odd[0])}). A mistyped id is not found, whatever became of the draft "
        "that was meant: so not_found settles no such pair"
    )


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
