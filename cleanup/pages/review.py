"""What `find` found, as a page to review it: tick what is to go, and save the list."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from cleanup.api.changes import Change
from cleanup.api.drafts import Draft
from cleanup.find.findings import COLUMNS, Findings
from cleanup.find.rule import NEVER, edited_at
from cleanup.lists.rows import time_text
from cleanup.model import Owner
from cleanup.pages.page import page

_MOST: Final = 20_000
"""Characters of one value: a longer one is cut, and the page says so."""


def review_page(findings: Findings, owner: Owner, rule: str, made_at: datetime, command: str) -> str:
    """The page. `rule`: which drafts were looked for, in words. `command`: runs the job but for the list's name."""
    made_at = made_at.replace(microsecond=0)
    oldest_first = sorted(findings.publishing + findings.found, key=lambda draft: edited_at(draft) or NEVER)
    drafts = [_row(draft, findings) for draft in oldest_first]
    data = {"columns": COLUMNS, "drafts": drafts, "command": command, "made": time_text(made_at)}
    return page(
        "review",
        data,
        title="Drafts to review",
        organization=owner.in_words(),
        rule=rule,
        made_at=time_text(made_at),
        found=len(findings.found),
        publishing=len(findings.publishing),
        seen=findings.seen,
        agents=findings.agents,
        unreadable=findings.unreadable,
    )


def _row(draft: Draft, findings: Findings) -> dict[str, Any]:
    changes = findings.changes.get((draft.agent, draft.draft))
    return findings.cells(draft) | {
        "edits": draft.edits,
        "publishing": draft.publishing,
        "changes": None if changes is None else _changes(changes),
    }


def _changes(changes: Iterable[Change]) -> list[dict[str, str | None]]:
    return [
        {
            "section": change.section,
            "path": change.path,
            "before": _as_text(change.before),
            "after": _as_text(change.after),
        }
        for change in changes
    ]


def _as_text(value: object) -> str | None:
    """A value as a person reads it: a text as it is, anything else as JSON with a line for each part."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= _MOST else f"{text[:_MOST]}\n… and {len(text) - _MOST:,} more characters"
