#!/usr/bin/env python3
"""Discard listed drafts of Atoms agents: `python job.py --help`."""

# Any Python, however old, has to understand this file, or it could not be told what it lacks.
import sys

if __name__ == "__main__":
    lack = ""
    if sys.version_info < (3, 11):  # noqa: UP036
        lack = "this is Python " + sys.version.split()[0] + ", 3.11 or newer is needed: try python3.11 job.py --help"
    else:
        try:
            import fcntl  # noqa: F401
        except ImportError:
            lack = "a POSIX system is needed (Linux, macOS, or WSL on Windows): nowhere else can a ledger be locked"
    if lack:
        sys.stderr.write("job.py: " + lack + "\n")
        sys.exit(2)
    from cleanup.cli.start import start

    start()
