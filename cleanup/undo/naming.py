"""The names by which a draft that is being restored is found again, however the run that makes it ends. Pure.

The API has no key that makes a request safe to repeat, so each name contains the id of the discarded draft.
"""

from hashlib import sha256
from typing import Final

MOST: Final = 100
"""The most characters of a draft's or branch's name, according to the vendor's OpenAPI document."""


def working_name(name: str, draft: str) -> str:
    """The name of a draft on the older model until it is complete: `<name> (restored <draft id>)`."""
    mark = f"(restored {_short(draft)})"
    return f"{cut(name, MOST - len(mark) - 1).strip()} {mark}".strip()


def branch_name(draft: str) -> str:
    """The name of the branch on which a draft is restored: `restored-<draft id>`."""
    return f"restored-{_short(draft)}"


def cut(name: str, most: int = MOST) -> str:
    """The beginning of a name, counted as the API counts, in UTF-16: most emoji are two."""
    return name.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")


def _short(draft: str) -> str:
    """The id, or if it is too long its beginning and a hash, so that it is still one of a kind."""
    return draft if len(draft) <= 80 else f"{draft[:60]}-{sha256(draft.encode()).hexdigest()[:19]}"
