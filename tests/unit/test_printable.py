"""What a terminal is given to show: letters of any script, and everything else as an escape."""

import pytest

from cleanup.console.printable import printable


@pytest.mark.parametrize(
    "text",
    ["Frühling 2026", "名前\u3000草稿", "non\u00a0breaking", "\u0645\u06cc\u200c\u062e\u0648", "👩‍🚀 launch", "a\\b"],
)
def test_what_can_be_shown_stays(text: str) -> None:
    """Any script, any kind of blank, and the joiners without which some scripts cannot be written."""
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\rd\0\x07\x7f", "a\\nb\\tc\\rd\\x00\\x07\\x7f"),
        ("\x80\x9b31m\x9f", "\\x80\\x9b31m\\x9f"),
        ("\u202a\u202e\u2066\u2069", "\\u202a\\u202e\\u2066\\u2069"),
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
        ("\u2028\u2029\ufeff\U000e0041", "\\u2028\\u2029\\ufeff\\U000e0041"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_could_mislead_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Control characters, those of C1 too, whatever reverses the direction of writing, and halves of characters."""
    assert printable(text) == shown


def test_line_breaks_of_our_own_stay() -> None:
    """A text of several lines keeps the line breaks that the caller wants to keep."""
    assert printable("a\n\x1bb\n", keep="\n") == "a\n\\x1bb\n"
