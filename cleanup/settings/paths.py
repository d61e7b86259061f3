"""Paths in settings: what they are relative to, and what is refused: `-`, `no`, a pasted key."""

import re
from pathlib import Path
from typing import Any, Final

from pydantic import AfterValidator, ValidationInfo

from cleanup.settings.hidden import Unshown, looks_like_key

_OPAQUE: Final = re.compile(r"(?=.*\d)[A-Za-z0-9_=+-]{32,}")
_MEANS_OFF: Final = ("no", "none", "null")
_MEANS_ON: Final = ("yes", "true", "on")


def resolved(text: str, folder: Path | None = None) -> str:
    """The path for a text: `~` is the home folder, and a relative path starts at `folder`."""
    if text.startswith("~"):
        try:
            text = str(Path(text).expanduser())
        except (RuntimeError, ValueError):
            raise ValueError(
                "begins with an unknown home folder: write the full path, or ./~ for a file of that name"
            ) from None
    return text if folder is None else str(folder / text)


def path(dash: str, *, opaque: bool = True) -> AfterValidator:
    """Validates a text as a path, relative to the folder in the validation context.

    `dash`: why a `-` is refused. `opaque`: whether a name may be a long run of letters and digits, as keys are.
    """

    def understand(text: str, info: ValidationInfo[Any]) -> str:
        if looks_like_key(text) or (not opaque and _OPAQUE.fullmatch(text)):
            raise Unshown("must be a path, but this looks like a key: put the key into a file and give its path")
        if text == "-":
            raise ValueError(f"must be a path: {dash}")
        if text.lower() in _MEANS_OFF:
            raise ValueError(f"must be a path: write off for none, or ./{text} for a file of that name")
        if text.lower() in _MEANS_ON:
            raise ValueError(f"must be a path or off (write ./{text} for a file of that name)")
        return resolved(text, info.context)

    return AfterValidator(understand)


def pattern_of_no_path() -> str:
    """What `path` refuses, as a regular expression for the schema."""
    words = ("".join(f"[{letter}{letter.upper()}]" for letter in word) for word in (*_MEANS_OFF, *_MEANS_ON))
    return f"^([sS][kK][_-]|(--?|{'|'.join(words)})$)"
