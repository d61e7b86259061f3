"""Values on the command line that are not settings: times and ids. argparse reports what is wrong with them."""

import argparse
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cleanup.lists.ids import is_agent, is_draft
from cleanup.lists.rows import parse_time
from cleanup.settings.values import parse_duration


def since(text: str) -> datetime:
    """A time, or a duration before now."""
    with suppress(ValueError):
        return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    with suppress(ValueError):
        return parse_time(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a duration nor a time: write 180d, 2026-11-01 or 2026-11-01T06:00:00Z"
    )


def draft_id(text: str) -> str:
    """A draft's id."""
    if not is_draft(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid draft id (1 to 128 of A-Z a-z 0-9 _ -)")
    return text


def agent_id(text: str) -> str:
    """An agent's id."""
    if not is_agent(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid agent id (24 lower-case hex digits)")
    return text
