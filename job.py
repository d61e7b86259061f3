#!/usr/bin/env python3
"""Discard listed drafts of Atoms agents: `python job.py --help`."""

import signal
import sys
from types import FrameType


def end(number: int, _frame: FrameType | None) -> None:
    """Leave by way of every `finally`: as PID 1, Python would ignore SIGTERM without a handler."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    from cleanup.commands.main import main

    sys.exit(main(sys.argv[1:]))
