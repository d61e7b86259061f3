"""Where the program begins, however it is started: `python job.py`, `python -m cleanup`, or `draft-cleanup`."""

# Any Python, even Python 2, has to be able to run this up to the message that says what is missing.
import sys


def main():
    # type: () -> None
    """Run the program, unless this Python or this system cannot."""
    lack = ""
    if sys.version_info < (3, 11):  # noqa: UP036 - then this is a clone: no installer accepts such a Python
        version = sys.version.split()[0]
        lack = "job.py: this is Python " + version + ", 3.11 or newer is required: try python3.11 job.py --help"
    else:
        try:
            import fcntl  # noqa: F401
        except ImportError:
            from cleanup.cli import program

            lack = program.name() + ": a POSIX system is required (Linux, macOS, or WSL on Windows): others cannot"
            lack += " lock the ledger"
    if lack:
        sys.stderr.write(lack + "\n")
        sys.exit(2)
    from cleanup.cli.start import start

    start()


if __name__ == "__main__":
    main()
