"""Which text is an agent or a draft. An id becomes part of a DELETE's URL, so nothing else may pass."""

import re
from typing import Final

AGENT_PATTERN: Final = "^[0-9a-f]{24}$"
DRAFT_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"

_agent = re.compile(AGENT_PATTERN.strip("^$")).fullmatch
_draft = re.compile(DRAFT_PATTERN.strip("^$")).fullmatch
_spreadsheet_number = re.compile(r"\d+([.,]\d*)?[eE]\+?\d+").fullmatch


def is_agent(text: str) -> bool:
    """Whether the whole text is an agent's id: 24 lower-case hexadecimal digits."""
    return _agent(text) is not None


def is_draft(text: str) -> bool:
    """Whether the whole text is a draft's id: 1 to 128 of `A-Z a-z 0-9 _ -`, no `_` or `-` in front."""
    return _draft(text) is not None


def why_not(agent: str, draft: str) -> str | None:
    """What is wrong with a pair, as the end of a sentence, or None."""
    if _agent(agent) is None:
        return _describe("agent", agent, "24 lower-case hexadecimal digits")
    if _draft(draft) is None:
        return _describe("draft", draft, "1 to 128 of A-Z a-z 0-9 _ -, beginning with a letter or digit")
    return None


def _describe(what: str, text: str, rule: str) -> str:
    if not text:
        return f"the {what} is missing"
    shown = repr(text if len(text) <= 60 else text[:60] + "…")
    if _spreadsheet_number(text):
        return f"{what} {shown} is an id that a spreadsheet turned into a number: export the column as text"
    return f"{what} {shown} is no id: {rule}"
