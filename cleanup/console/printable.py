"""Pure: any text as a terminal may be given it. What the API says must not move the cursor or reverse a line."""

from typing import Final
from unicodedata import category

_JOINERS: Final = "\u200c\u200d"
"""Persian, Indic scripts and emoji cannot be written without these, and they move nothing."""


def printable(text: str, *, keep: str = "") -> str:
    r"""The text with everything that a terminal would not just show as an escape: `\x1b`, `\u202e`.

    `keep`: what stays all the same, line breaks of our own say.
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
