"""The sentence at the top of a page: every outcome, one draft or many, in every mode."""

from typing import Any

import pytest

from cleanup.pages.verdict import verdict

DRY = ". Nothing was changed: this was a dry run."


def summary(status: str = "complete", mode: str = "discard", left: str = "stopped", **counts: int) -> dict[str, Any]:
    """A summary with these counts."""
    done = "would_discard" if mode == "dry-run" else "discarded"
    every = {done: 0, "skipped": 0, "failed": 0, "not_attempted": 0} | counts
    return {
        "mode": mode,
        "status": status,
        "stopped_by": "migration_required" if status == "stopped" else None,
        "counts": {"listed": sum(every.values()), **every},
        "not_attempted": {left: every["not_attempted"]} if every["not_attempted"] else {},
    }


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (summary(), "There was no draft to work on."),
        (summary(discarded=1), "The only draft was discarded."),
        (summary(failed=1), "The only draft failed."),
        (summary(discarded=1200), "All 1,200 drafts were discarded."),
        (summary(skipped=3), "All 3 drafts were skipped."),
        (summary(discarded=1, skipped=1), "1 of 2 drafts was discarded and 1 was skipped."),
        (summary(skipped=1, failed=1), "None of 2 drafts were discarded, 1 was skipped and 1 failed."),
        (
            summary(discarded=4, skipped=3, failed=2, not_attempted=5, left="limit"),
            "4 of 14 drafts were discarded, 3 were skipped, 2 failed and 5 were left for a later run.",
        ),
        (
            summary("stopped", discarded=4, not_attempted=5),
            "The run stopped early (migration required): 4 of 9 drafts were discarded and 5 were not attempted.",
        ),
        (summary("refused", not_attempted=9), "The run was refused: no draft was touched."),
        (summary("refused", "sweep"), "The sweep was refused: no draft was touched."),
        (summary("incomplete", "report", discarded=2), "Incomplete: all 2 drafts were discarded."),
        (
            summary("complete", "report", discarded=2, restored=1),
            "2 of 3 drafts were discarded and 1 was restored.",
        ),
        (summary("refused", "dry-run"), "The dry run was refused: no draft was touched."),
        (
            summary(mode="dry-run", would_discard=2, skipped=1, failed=2, not_attempted=1),
            f"2 of 6 drafts would be discarded, 1 would be skipped, 2 could not be checked and 1 was not checked{DRY}",
        ),
    ],
)
def test_the_verdict(told: dict[str, Any], sentence: str) -> None:
    """As a person would say it."""
    assert verdict(told) == sentence
