"""Makes text safe for a terminal: nothing from the API may move the cursor or reverse a line. Pure."""

from typing import Final
from unicodedata import category

_JOINERS: Final = "\u200c\u200d"
"""Persian, Indic scripts and emoji need these, and they do not move the cursor."""


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with an escape (`\x1b`, `\u202e`) for each character that a terminal would not simply show.

    `keep`: characters to leave unescaped, such as our own line breaks.
    """
    if text.isprintable():
        return text
    return "".join(
        character if _can_be_shown(character) or character in keep else _escape(character) for character in text
    )


def _can_be_shown(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
