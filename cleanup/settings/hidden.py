"""Values that no message may show: keys, and what may contain a secret."""

import re
from typing import Final

_KEY: Final = re.compile(r"""(?:^|[\s"'=])sk[_-]\w""", re.IGNORECASE)


class Unshown(ValueError):
    """What is wrong with a value that may be or contain a secret: messages leave the value out."""


def looks_like_key(text: str) -> bool:
    """Whether a text is or contains something like an API key. `./sk_live`, a path, does not."""
    return _KEY.search(text) is not None
