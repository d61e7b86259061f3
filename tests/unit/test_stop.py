"""Stopping: the first cause is reported, every listener is called once, and no signal kills the process."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from cleanup.errors import SettingsError
from cleanup.loop import run_to_end
from cleanup.model import StopCause
from cleanup.stop import Stop, Stopped, heed_signals, ignore_signals
from tests.engine import run

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_cause_is_reported_and_all_are_kept() -> None:
    """An exit code may depend on a later one."""

    async def main() -> Stop:
        stop = Stop()
        stop.request(StopCause.DEADLINE, "limits.deadline has passed")
        stop.request(StopCause.OUTAGE, "the API was down")
        return stop

    stop = run(main)
    assert (stop.cause, stop.sentence) == (StopCause.DEADLINE, "limits.deadline has passed")
    assert stop.causes == [StopCause.DEADLINE, StopCause.OUTAGE]


def test_the_error_that_comes_with_a_cause_is_kept() -> None:
    """The run ends with it."""

    async def main() -> Stop:
        stop = Stop()
        stop.request(StopCause.UNAUTHORIZED, "the key is another's", SettingsError("the key is another's"))
        return stop

    assert str(run(main).error) == "the key is another's"


def test_listeners_are_called_once() -> None:
    """Those from before when it stops, others at once."""

    async def main() -> list[str]:
        stop, heard = Stop(), list[str]()
        stop.listen(lambda: heard.append("before"))
        stop.request(StopCause.SIGNAL, "SIGTERM was received")
        stop.request(StopCause.OUTAGE, "the API was down")
        stop.listen(lambda: heard.append("after"))
        return heard

    assert run(main) == ["before", "after"]


def test_a_sleep_ends_when_the_run_is_to_stop() -> None:
    """However long it would have been."""

    async def main() -> float:
        stop, loop = Stop(), asyncio.get_running_loop()
        loop.call_later(3.0, stop.request, StopCause.SIGNAL, "SIGTERM was received")
        began = loop.time()
        await stop.sleep(3600.0)
        await stop.sleep(3600.0)
        return loop.time() - began

    assert run(main) == pytest.approx(3.0)


def test_a_signal_forbids_everything_before_anybody_hears_of_it() -> None:
    """The handler may come in the middle of anything."""

    async def main() -> list[str]:
        stop, heard = Stop(), list[str]()
        stop.listen(lambda: heard.append("told"))
        assert stop.signalled(signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()
        return heard

    assert run(main) == []


def test_only_the_first_signal_is_the_first() -> None:
    """The code that the run ends with is that one's."""

    async def main() -> tuple[bool, bool, int | None]:
        stop = Stop()
        return stop.signalled(signal.SIGINT), stop.signalled(signal.SIGTERM), stop.signal

    assert run(main) == (True, False, signal.SIGINT)


def test_signals_are_heeded_and_then_ignored() -> None:
    """Whoever comes late harms nothing."""
    heard: list[bool] = []

    async def main() -> None:
        with heed_signals(Stop(), heard.append):
            for number in SIGNALS:
                os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)

    run_to_end(main())
    for number in SIGNALS:
        os.kill(os.getpid(), number)
    assert heard == [True, False, False]


def test_a_signal_that_is_to_be_ignored_stays_so() -> None:
    """As nohup has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heard: list[bool] = []

    async def main() -> None:
        with heed_signals(Stop(), heard.append):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.01)

    run_to_end(main())
    assert heard == []


def test_signals_that_are_on_their_way_are_ignored_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    """Python would complain if a handler were gone by the time it is called."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: ignore_signals())
    signal.signal(signal.SIGINT, lambda _number, _frame: ignore_signals())
    for _ in range(200):
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS[:2])
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS[:2])
    assert capfd.readouterr().err == ""


def test_the_end_waits_for_no_thread() -> None:
    """One that resolves a name can hang for a minute."""
    goes_on = threading.Event()

    async def main() -> None:
        task = asyncio.ensure_future(asyncio.to_thread(goes_on.wait))
        await asyncio.sleep(0)
        task.cancel()

    run_to_end(main())
    assert not goes_on.is_set()
    goes_on.set()


def test_what_is_left_over_is_cancelled() -> None:
    """And comes to its `finally`."""
    ends: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("ended")

    async def main() -> None:
        tasks.append(asyncio.ensure_future(forever()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Future[None]] = []
    run_to_end(main())
    assert ends == ["ended"]


def test_a_signal_wakes_a_loop_that_waits_whichever_thread_gets_it() -> None:
    """The system may hand it to any: to one that reads an answer from a terminal, say."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()

    causes: list[StopCause | None] = []

    async def main() -> None:
        stop, loop = Stop(), asyncio.get_running_loop()
        told = asyncio.Event()
        with heed_signals(stop, lambda _first: told.set()):
            # The loop has nothing else to wake up for.
            threading.Timer(0.05, signal.pthread_kill, (other.ident, signal.SIGTERM)).start()
            watchdog = loop.call_later(10, loop.stop)
            await told.wait()
            watchdog.cancel()
        causes.append(stop.cause)

    try:
        run_to_end(main())
    finally:
        over.set()
        other.join()
    assert causes == [StopCause.SIGNAL]
