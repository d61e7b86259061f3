"""What no message shows: a value that is a key, or may hold a secret."""

import re
from typing import Final

_KEY: Final = re.compile(r"""(?:^|[\s"'=])sk[_-]\w""", re.IGNORECASE)


class Unshown(ValueError):
    """What is wrong with a value that may be or hold a secret: no message shows it."""


def looks_like_key(text: str) -> bool:
    """Whether a text is, or holds, what looks like an API key. A path may: `./sk_live` does not."""
    return _KEY.search(text) is not None
