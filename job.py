#!/usr/bin/env python3
"""Discard listed drafts of Atoms agents: `python job.py --help`."""

# Even an old Python has to be able to parse this file, so that it can print what is missing.
import sys

if __name__ == "__main__":
    lack = ""
    if sys.version_info < (3, 11):  # noqa: UP036
        lack = "this is Python " + sys.version.split()[0] + ", 3.11 or newer is required: try python3.11 job.py --help"
    else:
        try:
            import fcntl  # noqa: F401
        except ImportError:
            lack = "a POSIX system is required (Linux, macOS, or WSL on Windows): others cannot lock the ledger"
    if lack:
        sys.stderr.write("job.py: " + lack + "\n")
        sys.exit(2)
    from cleanup.cli.start import start

    start()
