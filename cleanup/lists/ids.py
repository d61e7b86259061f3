"""Validates agent and draft ids. They become part of the URL of a DELETE, so nothing else may pass."""

import re
from array import array
from collections.abc import Iterable
from typing import Final

AGENT_PATTERN: Final = "^[0-9a-f]{24}$"
DRAFT_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"

_agent = re.compile(AGENT_PATTERN.strip("^$")).fullmatch
_draft = re.compile(DRAFT_PATTERN.strip("^$")).fullmatch
_url = re.compile(r"https?://", re.IGNORECASE).match
_ids_within = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])").findall
_spreadsheet_number = re.compile(r"\d+([.,]\d*)?[eE]\+?\d+").fullmatch


def is_agent(text: str) -> bool:
    """Whether the whole text is an agent's id: 24 lower-case hex digits."""
    return _agent(text) is not None


def is_draft(text: str) -> bool:
    """Whether the whole text is a draft's id: 1 to 128 of `A-Z a-z 0-9 _ -`, not beginning with `_` or `-`."""
    return _draft(text) is not None


def why_not(agent: str, draft: str) -> str | None:
    """What is wrong with a pair, as the end of a sentence, or None."""
    if _agent(agent) is None:
        return _describe("agent", agent, "24 lower-case hex digits")
    if _draft(draft) is None:
        return _describe("draft", draft, "1 to 128 of A-Z a-z 0-9 _ -, beginning with a letter or digit")
    return None


def _describe(what: str, text: str, rule: str) -> str:
    if not text:
        return f"the {what} is missing"
    url = why_url(text)
    if url is not None:
        return url
    shown = repr(text if len(text) <= 60 else text[:60] + "…")
    if _spreadsheet_number(text):
        return f"{what} {shown} is an id that a spreadsheet turned into a number: export the column as text"
    return f"{shown} is not a valid {what} id ({rule})"


def why_url(text: str) -> str | None:
    """What is wrong with the URL of a console page given in place of an id; None if the text is not one."""
    ids = _ids_within(text) if _url(text) else []
    return f"a URL, not an id: {text[:200]} (write only the ids; it contains {' and '.join(ids)})" if ids else None


def odd_drafts(drafts: Iterable[str]) -> list[int]:
    """The positions of draft ids that look unlike the rest: in upper case, cut short, or of another kind.

    Only where the rest is uniform: at least three ids, and three times as many as the odd ones, are 24 lower-case
    hex digits. In a list of other or mixed ids none is odd.
    """
    odd = array("L")  # all of a million ids may be odd
    count = 0
    for draft in drafts:
        if _agent(draft) is None:
            odd.append(count)
        count += 1
    return list(odd) if count - len(odd) >= 3 * max(len(odd), 1) else []
