#!/usr/bin/env python3
"""Discard listed drafts of Atoms agents: `python job.py --help`."""

import gc
import os
import signal
import sys
from types import FrameType


def end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `finally`: as PID 1, Python would ignore SIGTERM without a handler."""
    raise SystemExit(128 + number)


def open_closed_streams() -> None:
    """Give streams that the caller has closed (`2>&-`) a place, or the next file opened, a ledger say, would be it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for good


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, end)
    open_closed_streams()
    from cleanup.commands.main import main

    code = main(sys.argv[1:])
    gc.freeze()  # everything is done: looking through it all for garbage would only make the end take longer
    sys.exit(code)
