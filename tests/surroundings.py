"""What the tests' own process inherits, made the same everywhere: its environment, umask and signals."""

import locale
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SAME = {"LANG": "C.UTF-8", "HOME": "/nonexistent", "TZ": "UTC"}
KEPT = ("PATH", "TMPDIR", "CI")
FOR_TOOLS = ("PYTEST", "HYPOTHESIS", "COV")
"""What names begin with that the test tools themselves go by."""

SIGNALS = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD,
)  # fmt: skip


def clean_environment(**more: str) -> dict[str, str]:
    """An environment without anything of the machine's own settings, proxies or keys."""
    kept = {name: os.environ[name] for name in ("PATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return kept | SAME | {"PYTHONWARNINGS": "error", "TERM": "dumb"} | more


def keep_paths_short() -> None:
    """Have pytest put its folders into /tmp where TMPDIR is long: a sentence that is too long is cut, path and all."""
    if len(tempfile.gettempdir()) > 60:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/tmp")


@contextmanager
def usual() -> Iterator[None]:
    """Have tests, and the processes that they start, find the same whoever starts the suite."""
    environ = dict(os.environ)
    tools = {name: text for name, text in environ.items() if name in KEPT or name.startswith(FOR_TOOLS)}
    os.environ.clear()
    os.environ.update(SAME | tools)
    time.tzset()
    encoding = locale.setlocale(locale.LC_CTYPE)
    with suppress(locale.Error):  # files are read, and processes listened to, as UTF-8
        locale.setlocale(locale.LC_CTYPE, SAME["LANG"])
    umask = os.umask(0o022)
    # A signal that `nohup` or a background job of a shell has ignored would be ignored by children too. One that has a
    # handler is not: they get the default, while this process goes on ignoring it.
    ignored = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environ)
    locale.setlocale(locale.LC_CTYPE, encoding)
    time.tzset()
