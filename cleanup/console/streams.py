"""Copes with standard streams that cannot be written or have a limited encoding."""

import os
import sys
from contextlib import suppress
from typing import TextIO


def make_lossless() -> None:
    """Escape what a stream cannot encode: a lone surrogate in a message must not end a run."""
    for stream in (sys.stderr, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def give_up(stream: TextIO) -> None:
    """Drop what a stream could not write: Python would try again at exit, and exit with 120."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
