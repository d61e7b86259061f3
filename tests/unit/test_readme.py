"""The documentation, held against the code."""

import re
from pathlib import Path

import pytest

from cleanup import __version__
from cleanup.cli.options import COMMANDS
from cleanup.model import Ending, Outcome

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "cron/README")]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def test_it_can_be_read_at_once() -> None:
    """What it is, how to try it, the first real run; everything else is a link."""
    assert len(README.splitlines()) < 150


def test_the_table_of_outcomes_has_every_way_in_which_a_pair_can_end_and_no_other() -> None:
    """Every reason has a row in the table of outcomes."""
    page = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
    section = page.split("## Outcomes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?:`(\w+)`)? ?\| (?:`(\w+)`)? ?\|", section, re.MULTILINE)
    outcome, told = "", set()
    for name, reason in rows:
        outcome = name or outcome
        told.add((outcome, reason or None))
    dry = (Outcome.WOULD_DISCARD, Outcome.WOULD_RESTORE)
    ends = {(str(ending.outcome), ending.reason) for ending in Ending if ending.outcome not in dry}
    assert told == ends


def test_every_command_is_in_it() -> None:
    """In the table of commands."""
    for name in COMMANDS:
        assert f"`job.py {name}" in README if name else "`job.py [PAIRS]`" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files of the project, and the tests that promises name."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), name


def test_the_changelog_tells_of_this_version() -> None:
    """Its newest number is the program's."""
    numbers = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert numbers[0] == __version__
