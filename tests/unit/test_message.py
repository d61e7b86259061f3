"""The message of the last ping, however long its parts are."""

import json
from typing import Any

from cleanup.records.message import MOST_BYTES, message_of

FAILURE = {"source": "drafts.csv:2", "draft": "d1", "reason": "bad_request", "status": 400, "message": "no"}
SUMMARY: dict[str, Any] = {
    "mode": "discard",
    "status": "complete",
    "stopped_by": None,
    "exit_code": 3,
    "meaning": "finished, but some pairs failed for good",
    "seconds": 1.0,
    "counts": {"listed": 1, "discarded": 0, "skipped": 0, "failed": 1, "not_attempted": 0},
    "requests": {"total": 1, "retries": 0},
    "failures": [FAILURE],
    "warnings": [],
}


def test_a_short_message_is_whole() -> None:
    """The table, an empty line, and the summary as one line of JSON."""
    table, line = message_of(SUMMARY).decode().rstrip().split("\n\n")
    assert "exit 3" in table
    assert json.loads(line) == SUMMARY


def test_failures_are_left_out_before_anything_else_is() -> None:
    """As many as needed, and no more: the rest of the summary can still be read by a machine."""
    for count in range(60, 80):
        message = message_of(SUMMARY | {"failures": [FAILURE] * count})
        kept = json.loads(message.splitlines()[-1])["failures"]
        assert len(message) <= MOST_BYTES
        if len(kept) < count:
            assert f"Below are {len(kept)} of these {count} failures".encode() in message
            assert len(message) + 2 * len(json.dumps(FAILURE)) > MOST_BYTES


def test_what_is_too_long_without_failures_is_cut() -> None:
    """In the middle of a character too, and with a last sentence that says so."""
    for length in (9_000, 9_001, 9_002, 9_003):
        message = message_of(SUMMARY | {"warnings": ["x" * (length % 4) + "ä" * length]})
        assert len(message) <= MOST_BYTES
        assert message.decode().endswith("\n(cut here: a message has at most 10,000 bytes)\n")
        assert message.decode().count("\ufffd") == 0


def test_what_is_no_text_is_shown_as_escapes() -> None:
    """Control characters and lone surrogates, as the API may send them, make no message that a monitor refuses."""
    message = message_of(SUMMARY | {"failures": [FAILURE | {"message": "\x1b[2J \ud800 \u202e"}]}).decode()
    assert message.replace("\n", "").isprintable()
