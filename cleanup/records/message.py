"""The message in the last ping: the summary as people read it, then as JSON. Short enough for any monitor."""

import io
import json
from bisect import bisect
from typing import Any, Final

from cleanup.console.table import print_summary

MOST_BYTES: Final = 10_000
_CUT: Final = f"\n(cut here: a message has at most {MOST_BYTES:,} bytes)\n".encode()


def message_of(summary: dict[str, Any]) -> bytes:
    """The summary as a table, and as a line of JSON, in UTF-8.

    If that is too long, failures are left out of the JSON; if it still is, the end is cut off. The message says so.
    """
    table = io.StringIO()
    print_summary(summary, table, colours=False)

    def message(kept: int) -> bytes:
        failures = summary["failures"]
        note = f"(Below are {kept} of these {len(failures)} failures: more do not fit.)\n\n"
        line = json.dumps(summary | {"failures": failures[:kept]})  # in ASCII, as a page may show it
        return f"{table.getvalue().rstrip()}\n\n{note if kept < len(failures) else ''}{line}\n".encode()

    count = len(summary["failures"])
    whole = message(count)
    if len(whole) <= MOST_BYTES:
        return whole
    most = bisect(range(count), MOST_BYTES, key=lambda kept: len(message(kept))) - 1
    longest = message(max(most, 0))
    if len(longest) <= MOST_BYTES:
        return longest
    return longest[: MOST_BYTES - len(_CUT)].decode(errors="ignore").encode() + _CUT
