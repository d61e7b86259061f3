"""How often an operation is attempted, and what it waits for: real sessions, answers made up, a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanup.api.atoms import Atoms
from cleanup.api.key import Key
from cleanup.api.reply import NOT_JSON, Reply, Trouble
from cleanup.api.retry import Caller, Subject, make_jitter
from cleanup.api.session import Session
from cleanup.api.throttle import MEANWHILE
from cleanup.model import StopCause
from cleanup.settings.definitions import Retry
from cleanup.stop import Stop, Stopped
from tests.engine import OK, REFUSED, SERVER_ERROR, TIMEOUT, Engine, scripted

UNAUTHORIZED = Reply(401, {"status": False})
ITEM = Subject("item")


def operate(engine: Engine, *, once: bool = False, subject: Subject = ITEM) -> tuple[Reply, Stop]:
    """Run one operation of an item; its last reply, and what became of the run."""

    async def main(session: Session) -> tuple[Reply, Stop]:
        reply = await session.caller(subject).operate(lambda api: api.user(), once=once)
        await all_places_are_free(session, engine)
        return reply, session.stop

    return engine.run(main)


async def all_places_are_free(session: Session, engine: Engine) -> None:
    """Whatever became of an operation, its slot was released."""
    async with asyncio.timeout(1):
        for _ in range(engine.concurrency):
            await session.throttle._places.acquire()


def elapsed(engine: Engine) -> list[float]:
    """Seconds from one request's answer to the next request."""
    times = [time for time, _ in engine.sent]
    return [after - before - engine.seconds for before, after in pairwise(times)]


@pytest.mark.parametrize(
    ("replies", "attempts"),
    [
        ([OK], 1),
        ([SERVER_ERROR, OK], 2),
        ([Reply(500, NOT_JSON), TIMEOUT, OK], 3),
        ([REFUSED, Reply(503), OK], 3),
        ([Reply(429, retry_after=0.001), OK], 2),
        ([Reply(429), Reply(429), Reply(429), OK], 3),
        ([Reply(599)], 3),
        ([TIMEOUT], 3),
        ([SERVER_ERROR, Reply(404, {})], 2),
        ([Reply(404, NOT_JSON), Reply(401), Reply(403, {}), OK], 3),
        *[([Reply(status, {"status": False})], 1) for status in (201, 302, 400, 403, 404, 408, 409, 418, 423, 600)],
    ],
)
def test_attempts_until_an_answer_is_final(replies: list[Reply], attempts: int) -> None:
    """No answer, 429, 5xx and a gateway's refusals are tried again, up to `retry.attempts`; anything else is final."""
    engine = Engine(scripted(*replies))
    reply, _ = operate(engine)
    assert len(engine.sent) == attempts
    stands = replies[min(attempts, len(replies)) - 1]
    assert (reply.status, reply.trouble) == (stands.status, stands.trouble)


def test_each_further_attempt_is_reported() -> None:
    """With its number, and how long it waits."""
    engine = Engine(scripted(SERVER_ERROR))
    operate(engine)
    assert [fields["attempts"] for fields in engine.logged("draft.retrying")] == [1, 2]


def test_further_attempts_are_counted() -> None:
    """For the summary."""

    async def main(session: Session) -> int:
        await session.caller(ITEM).operate(lambda api: api.user())
        return session.calling.traffic.retries

    assert Engine(scripted(SERVER_ERROR)).run(main) == 2


@pytest.mark.parametrize("reply", [SERVER_ERROR, TIMEOUT, Reply(429, retry_after=0.001)])
def test_what_is_asked_once_is_asked_once(reply: Reply) -> None:
    """`once` leaves any failure as it is."""
    engine = Engine(scripted(reply, OK))
    assert operate(engine, once=True)[0] is reply


def test_waits_double_with_full_jitter() -> None:
    """Each wait lies between none and its bound, which doubles from `retry.wait` to `retry.max_wait`."""
    jitter = make_jitter(Retry(wait=0.5, max_wait=4.0))
    for attempts, bound in enumerate((0.5, 1.0, 2.0, 4.0, 4.0, 4.0), 1):
        waits = [jitter(attempts) for _ in range(200)]
        assert 0 <= min(waits) < 0.2 * bound
        assert 0.8 * bound < max(waits) <= bound


def test_the_jitter_of_very_many_attempts() -> None:
    """Doubling does not overflow."""
    assert make_jitter(Retry(wait=0.5, max_wait=4.0))(10_000) <= 4.0


def test_between_attempts_it_waits_as_the_jitter_says() -> None:
    """After the first up to half a second, after the second up to one."""
    engine = Engine(scripted(SERVER_ERROR))
    operate(engine)
    first, second = elapsed(engine)
    assert first <= 0.5
    assert second <= 1.0


def test_a_503_says_how_long() -> None:
    """Its `Retry-After` takes the place of the back-off."""
    engine = Engine(scripted(Reply(503, retry_after=7.0), OK))
    operate(engine)
    assert elapsed(engine) == [pytest.approx(7.0)]


@pytest.mark.parametrize("page", [Reply(503, NOT_JSON), Reply(503)])
def test_after_a_gateways_page_of_503_it_waits_until_it_is_known_whether_others_are_answered(page: Reply) -> None:
    """So the beginning of an outage costs no more than one attempt, however short the waits are."""
    engine = Engine(scripted(page, page, OK), retry_wait=0.001)
    operate(engine)
    assert all(MEANWHILE <= round(wait, 6) < MEANWHILE + 0.1 for wait in elapsed(engine))
    assert len(elapsed(engine)) == 2


def test_a_503_that_asks_for_too_long_fails_its_item() -> None:
    """Longer than `limits.max_outage` is not waited for, and is no reason to stop the run."""
    engine = Engine(scripted(Reply(503, retry_after=61.0), OK), max_outage=60.0)
    reply, stop = operate(engine)
    assert (reply.status, len(engine.sent), stop.cause) == (503, 1, None)


def test_a_429_waits_for_the_end_of_the_pause() -> None:
    """As everybody does."""
    engine = Engine(scripted(Reply(429, retry_after=7.0), OK))
    operate(engine)
    assert elapsed(engine) == [pytest.approx(7.0)]


def test_a_429_that_asks_for_too_long_stops_the_run() -> None:
    """Its reply is the last one."""
    engine = Engine(scripted(Reply(429, retry_after=61.0), OK), max_outage=60.0)
    reply, stop = operate(engine)
    assert (reply.status, len(engine.sent), stop.causes) == (429, 1, [StopCause.OUTAGE])


def test_attempts_that_fail_while_the_breaker_is_open_do_not_count() -> None:
    """Nobody knows yet whose fault it is: an item has all its attempts after an outage, but for those before."""

    async def main(session: Session) -> Reply:
        throttle = session.throttle
        caller = session.caller(ITEM)
        task = asyncio.create_task(caller.operate(lambda api: api.user()))
        for _ in range(10):
            await asyncio.sleep(0.01)  # its attempt is in flight
            for item in "abc":
                throttle.learn(TIMEOUT, [item], 0.0)
            await asyncio.sleep(60)
            throttle.close_breaker(items_are_bad=False)
        return await task

    engine = Engine(scripted(*[SERVER_ERROR] * 12, OK), attempts=3, retry_wait=0.0)
    assert engine.run(main) is OK
    assert len(engine.sent) == 13


def test_a_refused_key_stops_the_run() -> None:
    """A 401 with the key that there is: no other attempt, and nobody else's either."""
    engine = Engine(scripted(UNAUTHORIZED, OK))
    _, stop = operate(engine)
    assert (len(engine.sent), stop.causes, stop.sentence) == (
        1,
        [StopCause.UNAUTHORIZED],
        "the API refuses the key (401)",
    )


def with_key_file(folder: Path, text: str = "sk_one") -> tuple[Path, Key]:
    """A key in a file."""
    file = folder / "key"
    file.write_text(text)
    return file, Key(str(file), None)


def test_another_key_in_the_file_is_used_and_its_attempt_does_not_count(tmp_path: Path) -> None:
    """Also past `retry.attempts`."""
    file, key = with_key_file(tmp_path)
    file.write_text("sk_another")
    engine = Engine(scripted(UNAUTHORIZED, OK), attempts=1, key=key)
    reply, stop = operate(engine)
    assert (reply, stop.cause, key.authorization) == (OK, None, "Bearer sk_another")


def test_a_key_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """An empty file is not a key yet: it is read again, and what was refused is not sent again meanwhile."""
    file, key = with_key_file(tmp_path)
    file.write_text("")

    def answer(_path: str) -> Reply:
        asyncio.get_running_loop().call_later(0.7, file.write_text, "sk_another")
        return UNAUTHORIZED if key.number == 0 else OK

    engine = Engine(answer, attempts=10, key=key)
    reply, stop = operate(engine)
    assert (reply, stop.cause, len(engine.sent)) == (OK, None, 2)
    assert elapsed(engine)[0] > 0.7


def test_a_key_that_never_comes_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """The file is read as often as there are attempts, and then the run stops."""
    file, key = with_key_file(tmp_path)
    file.unlink()
    engine = Engine(scripted(UNAUTHORIZED), attempts=4, key=key)
    _, stop = operate(engine)
    assert (len(engine.sent), stop.causes) == (1, [StopCause.UNAUTHORIZED])


def stop_after(seconds: float, engine: Engine) -> tuple[Reply | None, list[str]]:
    """The last reply of an operation (None: Stopped was raised) when the run stops after so long; what was sent."""

    async def main(session: Session) -> Reply | None:
        session.throttle._loop.call_later(seconds, session.stop.request, StopCause.SIGNAL, "SIGTERM was received")
        try:
            return await session.caller(ITEM).operate(lambda api: api.user())
        except Stopped:
            return None
        finally:
            await all_places_are_free(session, engine)

    return engine.run(main), engine.paths()


@pytest.mark.parametrize(
    ("seconds", "status", "sent"),
    [(0.0, None, 0), (0.5, None, 0), (1.5, 503, 1), (5.0, 503, 1), (12.5, 503, 1), (13.5, 200, 2)],
)
def test_a_stop_in_the_middle(seconds: float, status: int | None, sent: int) -> None:
    """Before anything was sent: Stopped. After that the last reply counts, and no other attempt begins."""
    engine = Engine(scripted(Reply(503, retry_after=10.0), OK), opening=1.0, seconds=1.0)
    reply, paths = stop_after(seconds, engine)
    assert (None if reply is None else reply.status, len(paths)) == (status, sent)


def cancelled_after(seconds: float, engine: Engine) -> Caller:
    """The caller of an operation that was cancelled after so long."""

    async def main(session: Session) -> Caller:
        caller = session.caller(ITEM)
        task = asyncio.create_task(caller.operate(lambda api: api.user()))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await all_places_are_free(session, engine)
        return caller

    return engine.run(main)


@pytest.mark.parametrize(("seconds", "in_flight"), [(0.5, True), (1.5, True), (5.0, False), (12.5, True)])
def test_a_cancelled_operation_is_not_tried_again(seconds: float, in_flight: bool) -> None:
    """Whether it was sending or waiting; and it is known which."""
    engine = Engine(scripted(Reply(503, retry_after=10.0)), opening=1.0, seconds=1.0)
    assert cancelled_after(seconds, engine).in_flight == in_flight
    assert len(engine.sent) == sum(seconds > time for time in (1.0, 13.0))


def test_a_bug_passes_through() -> None:
    """An exception is no reply: it is not tried again, and the slot is released."""
    calls = []

    async def attempt(_api: Atoms) -> Reply:
        calls.append(1)
        raise ZeroDivisionError

    async def main(session: Session) -> None:
        with pytest.raises(ZeroDivisionError):
            await session.caller(ITEM).operate(attempt)
        await all_places_are_free(session, engine)

    engine = Engine()
    engine.run(main)
    assert len(calls) == 1


def test_the_slot_that_was_handed_over_is_used_first_and_given_back() -> None:
    """Also when nothing is asked for at all."""

    async def main(session: Session) -> None:
        slot = await session.throttle.acquire(1)
        session.caller(ITEM, slot).finish()
        slot = await session.throttle.acquire(1)
        await session.caller(ITEM, slot).operate(lambda api: api.user())
        await all_places_are_free(session, engine)

    engine = Engine(concurrency=1)
    engine.run(main)


def told(
    answer: Callable[[str], Reply], work: Callable[[Caller], Awaitable[object]], *, seconds: float = 1.0
) -> bool | None:
    """What a probe reports within so many seconds, while the breaker is open. None: it reports nothing."""

    async def main(session: Session) -> bool | None:
        for item in "abc":
            session.throttle.learn(TIMEOUT, [item], 0.0)
        witness: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        caller = session.caller(ITEM, witness=witness)

        async def process() -> None:
            await work(caller)
            caller.finish()

        task = asyncio.create_task(process())
        async with asyncio.timeout(seconds):
            heard = await witness
        task.cancel()
        return heard

    return Engine(answer).run(main)


async def ask(caller: Caller) -> object:
    """One decisive operation."""
    return await caller.operate(lambda api: api.user())


async def ask_in_passing(caller: Caller) -> object:
    """One that shows nothing if it is answered."""
    return await caller.operate(lambda api: api.user(), decisive=False)


async def nothing(_caller: Caller) -> object:
    """An item that needs no request."""
    return None


@pytest.mark.parametrize(
    ("reply", "work", "heard"),
    [
        (OK, ask, True),
        (Reply(404, {}), ask, True),
        (Reply(403, {"status": False}), ask, True),
        (Reply(429, retry_after=0.1), ask, True),
        (SERVER_ERROR, ask, False),
        (TIMEOUT, ask, False),
        (Reply(404, NOT_JSON), ask, False),
        (SERVER_ERROR, ask_in_passing, False),
        (OK, ask_in_passing, None),
        (OK, nothing, None),
    ],
)
def test_what_a_witness_says(reply: Reply, work: Callable[[Caller], Awaitable[object]], heard: bool | None) -> None:
    """A decisive answer: yes. None, or a gateway's: no. An item that ends without either: nothing."""
    assert told(scripted(reply), work) is heard


replies = st.builds(
    Reply,
    st.sampled_from([None, 200, 204, 302, 400, 401, 403, 404, 409, 423, 429, 500, 503]),
    st.sampled_from([None, {}, {"status": False}, {"status": True}, NOT_JSON]),
    trouble=st.sampled_from([Trouble.TIMEOUT, Trouble.CONNECTION]),
    retry_after=st.sampled_from([None, 0.0001, 7.0, 90.0]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(replies, min_size=1, max_size=6), st.integers(1, 5))
def test_any_sequence_comes_to_an_end(sequence: list[Reply], attempts: int) -> None:
    """There are never more attempts than allowed, and the last reply is the one that counts."""
    engine = Engine(scripted(*sequence), attempts=attempts)
    reply, _ = operate(engine)
    assert 1 <= len(engine.sent) <= attempts
    assert reply.status == sequence[min(len(engine.sent), len(sequence)) - 1].status
