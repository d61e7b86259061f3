"""Which API and organization each run worked on. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Place(NamedTuple):
    """An organization, and the base URL of its API."""

    base_url: str | None = None
    organization: str | None = None


def places(runs: Mapping[str, Mapping[str, Any] | None], ledgers: Mapping[str, str]) -> dict[str, Place]:
    """The place of each run, according to its run line. `ledgers`: the file of each run.

    If a run's line or organization is missing, it gets the place of the other runs in its ledger, as a run refuses the
    ledger of another organization. Failing that, it gets the place of all other runs, if they share one.
    """
    told = {run_id: _told(line or {}) for run_id, line in runs.items()}
    everywhere = {place for place in told.values() if place.organization}
    in_ledger: dict[str, set[Place]] = {}
    for run_id, place in told.items():
        if place.organization:
            in_ledger.setdefault(ledgers[run_id], set()).add(place)
    found = {}
    for run_id, place in told.items():
        known = (in_ledger.get(ledgers[run_id], set()), everywhere) if not place.organization else ()
        fitting = [{other for other in some if place.base_url in (None, other.base_url)} for some in known]
        found[run_id] = next((some.copy().pop() for some in fitting if len(some) == 1), place)
    return found


def names_of(found: Mapping[str, Place]) -> dict[Place, str]:
    """A name for each place: the organization, with the URL if the same organization is on several."""
    different = sorted(set(found.values()), key=str)
    organizations = [place.organization for place in different]
    return {
        place: (place.organization or "unknown")
        + (f" at {place.base_url}" if organizations.count(place.organization) > 1 else "")
        for place in different
    }


def _told(line: Mapping[str, Any]) -> Place:
    base_url, organization = line.get("base_url"), line.get("organization")
    return Place(str(base_url) if base_url else None, str(organization) if organization else None)
