"""What is known of an agent's drafts: asked once for all that wait, and no 404 taken for gone on one witness."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cleanup.api.reply import NOT_JSON, Reply
from cleanup.api.retry import Caller, Subject
from cleanup.api.session import Session
from cleanup.discard.workspace import KEPT_SECONDS, Unanswered, Workspace
from cleanup.model import StopCause
from cleanup.stop import Stopped
from tests.engine import ok, refusal, session_of

AGENT, OTHER = "a" * 24, "b" * 24
DRAFTS = ok([{"draftId": "d1"}])
BRANCHES = ok({"branches": [{"branch": {"_id": "b1", "name": "main", "openDraftId": "d1"}, "hasOpenDraft": True}]})
MOVED = Reply(409, {"status": False, "error_type": "versioning_v2_migration_required"})
CANNOT = Reply(404, NOT_JSON, route_missing=True)
NO_ROUTE = Reply(404, {"message": "no Route matched"})
PAGE = Reply(404, NOT_JSON)
GONE = refusal(404)
NO_AGENT = refusal(400, "No agent found")
ALIVE = ok({"organizationId": "o"})
DOWN = Reply(500)


class Api:
    """Answers each kind of question the same way again and again, once `open`."""

    def __init__(self, **answers: Reply) -> None:
        self.answers = {"drafts": DRAFTS, "branches": BRANCHES, "agent": ok({}), "user": ALIVE} | answers
        self.asked: Counter[str] = Counter()
        self.open = asyncio.Event()
        self.open.set()

    def __getattr__(self, name: str) -> Any:
        async def ask(*words: Any) -> Reply:
            self.asked[name] += 1
            await self.open.wait()
            return self.answers.get(f"{name}_of_another" if words == (OTHER,) else name) or self.answers[name]

        return ask


class Scene:
    """A workspace, its API, and callers."""

    def __init__(self, api: Api, *, concurrency: int = 8, model: Any = "auto", only_reads: bool = True) -> None:
        self.api = api
        self.session: Session = session_of(api, concurrency=concurrency, attempts=2)
        self.time = 1000.0
        self.moves: list[str] = []
        self.workspace = Workspace(
            self.session.stop, model, self.moves.append, lambda: self.time, only_reads=only_reads
        )

    def caller(self, item: int = 0, **more: Any) -> Caller:
        return self.session.caller(Subject(item, AGENT, f"d{item}"), **more)

    async def find(self, draft: str = "d1", **more: Any) -> Any:
        return await self.workspace.find(self.caller(), AGENT, draft, **more)


def within_seconds(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; what hangs fails."""
    asyncio.run(asyncio.wait_for(work, 10))


async def run_what_can() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_all_that_ask_at_once_have_one_answer() -> None:
    """One request for all pairs of an agent."""

    async def go() -> None:
        scene = Scene(Api())
        found = await asyncio.gather(*(scene.find() for _ in range(20)))
        assert all(found)
        assert scene.api.asked == {"drafts": 1}

    within_seconds(go())


@pytest.mark.parametrize(("later", "asked"), [(KEPT_SECONDS, 1), (KEPT_SECONDS + 1, 2)])
def test_an_answer_is_kept_for_a_minute(later: float, asked: int) -> None:
    """And then asked for again."""

    async def go() -> None:
        scene = Scene(Api())
        await scene.find()
        scene.time += later
        await scene.find()
        assert scene.api.asked == {"drafts": asked}

    within_seconds(go())


@pytest.mark.parametrize(("draft", "asked"), [("d1", 2), ("d2", 1)])
def test_a_list_that_has_the_draft_must_be_newer_than_what_it_is_held_against(draft: str, asked: int) -> None:
    """One that does not have it may be older: ids do not come back."""

    async def go() -> None:
        scene = Scene(Api())
        await scene.find()
        scene.time += 1
        await scene.workspace.verify(scene.caller(), AGENT, draft)
        assert scene.api.asked == {"drafts": asked}

    within_seconds(go())


def test_a_failure_is_one_for_all_that_waited_and_for_nobody_else() -> None:
    """Two attempts for the three that asked together, two more for whoever comes later."""

    async def go() -> None:
        scene = Scene(Api(drafts=refusal(403)))
        together = await asyncio.gather(*(scene.find() for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in together] == [Unanswered] * 3
        assert scene.api.asked["drafts"] == 1
        scene.time += 0.1
        with pytest.raises(Unanswered):
            await scene.find()
        assert scene.api.asked["drafts"] == 2

    within_seconds(go())


def test_whoever_waits_holds_no_slot_that_those_before_need() -> None:
    """With one request in flight at a time, also for one that comes between two that ask."""

    async def go() -> None:
        scene = Scene(Api(), concurrency=1)
        throttle, workspace = scene.session.throttle, scene.workspace
        scene.api.open.clear()

        async def ask(item: int, since: float | None = None) -> None:
            caller = scene.caller(item, slot=None if since else await throttle.acquire(1))
            await workspace.listing(caller, AGENT, since=since)
            caller.finish()

        first = asyncio.create_task(ask(1))
        await run_what_can()
        scene.time += 1
        again = asyncio.create_task(ask(2, since=scene.time))
        between = asyncio.create_task(ask(3))
        await run_what_can()
        scene.api.open.set()
        await asyncio.gather(first, again, between)

    within_seconds(go())


def test_whoever_waits_for_another_is_no_witness() -> None:
    """The other pair may itself be waiting for the end of the outage that the probe is to detect."""

    async def go() -> None:
        scene = Scene(Api())
        scene.api.open.clear()
        first = asyncio.create_task(scene.find())
        await run_what_can()
        witness: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        behind = asyncio.create_task(scene.workspace.find(scene.caller(2, witness=witness), AGENT, "d1"))
        await run_what_can()
        assert witness.done()
        assert witness.result() is None
        scene.api.open.set()
        await asyncio.gather(first, behind)

    within_seconds(go())


@pytest.mark.parametrize("only_reads", [True, False])
def test_a_list_shows_that_reads_work_and_nothing_of_discards(only_reads: bool) -> None:
    """Where discards alone are down, an answered list must not end the outage."""

    async def go() -> None:
        scene = Scene(Api(), only_reads=only_reads)
        witness: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        await scene.workspace.find(scene.caller(1, witness=witness), AGENT, "d1")
        assert witness.done() is only_reads

    within_seconds(go())


def test_a_move_in_the_middle_of_a_look_up() -> None:
    """The list under way may be used once; whoever asks next has the branch."""

    async def go() -> None:
        scene = Scene(Api())
        scene.api.open.clear()
        under_way = asyncio.create_task(scene.find())
        waiting = asyncio.create_task(scene.find())
        await run_what_can()
        scene.workspace.follow()
        scene.api.open.set()
        found, after = await asyncio.gather(under_way, waiting)
        assert (found.branch, after.branch) == ("", "b1")
        assert scene.api.asked == {"drafts": 1, "branches": 1}
        assert len(scene.moves) == 1

    within_seconds(go())


@pytest.mark.parametrize("model", ["drafts", "branches"])
@pytest.mark.parametrize(
    ("answers", "known"),
    [
        ({"listed": GONE, "agent": NO_AGENT}, "unknown"),
        ({"listed": GONE, "agent": GONE}, "unknown"),
        ({"listed": GONE, "agent": GONE, "user": GONE}, "unanswered"),
        ({"listed": GONE, "agent": NO_ROUTE, "user": NO_ROUTE}, "unanswered"),
        ({"listed": GONE, "agent": DOWN}, "unanswered"),
        ({"listed": GONE, "agent": refusal(400, "no")}, "unanswered"),
        ({"listed": PAGE}, "unanswered"),
        ({"listed": Reply(404)}, "unanswered"),
        ({"listed": refusal(403)}, "unanswered"),
        ({"listed": DOWN}, "unanswered"),
        ({"listed": CANNOT, "user": DOWN}, "unanswered"),
    ],
)
def test_what_a_404_to_a_list_comes_to(model: str, answers: dict[str, Reply], known: str) -> None:
    """No agent by a second witness, or no answer; never `no drafts`."""

    async def go() -> None:
        listed = answers["listed"]
        others = {name: reply for name, reply in answers.items() if name != "listed"}
        scene = Scene(Api(drafts=listed, **({"branches": listed} | others)), model=model)
        if known == "unknown":
            assert (await scene.workspace.listing(scene.caller(), AGENT)).drafts is None
        else:
            with pytest.raises(Unanswered):
                await scene.find()
        assert scene.session.stop.cause is None

    within_seconds(go())


AGENTS, NOBODY = ok({"agents": [{"_id": AGENT}, {"_id": OTHER}]}), ok({"agents": []})


@pytest.mark.parametrize(
    ("answers", "comes_to"),
    [
        ({"branches": BRANCHES}, "moved"),
        ({"branches": ok({"branches": []})}, "moved"),
        ({"branches": GONE, "agents": AGENTS, "branches_of_another": BRANCHES}, "moved"),
        ({"branches": CANNOT}, "stopped"),
        ({"branches": GONE, "agents": AGENTS, "branches_of_another": CANNOT}, "stopped"),
        ({"branches": GONE, "agents": NOBODY}, "stopped"),
        ({"branches": DOWN, "agents": AGENTS, "branches_of_another": DOWN}, "unanswered"),
        ({"branches": GONE, "agents": DOWN}, "unanswered"),
        ({"branches": PAGE, "agents": PAGE}, "unanswered"),
    ],
)
def test_an_endpoint_that_is_gone(answers: dict[str, Reply], comes_to: str) -> None:
    """On by branches if there are any; else the run stops, unless it could not be determined."""

    async def go() -> None:
        scene = Scene(Api(**answers))
        error = {"moved": None, "stopped": Stopped, "unanswered": Unanswered}[comes_to]
        gone = scene.workspace.leave_missing_route(scene.caller(), AGENT, replace(CANNOT))
        if error is None:
            await gone
        else:
            with pytest.raises(error):
                await gone
        assert scene.workspace.model == ("branches" if comes_to == "moved" else "drafts")
        causes = [StopCause.MIGRATION_REQUIRED] if comes_to == "stopped" else []
        assert scene.session.stop.causes == causes

    within_seconds(go())


@pytest.mark.parametrize("model", ["auto", "drafts"])
def test_the_409_of_a_workspace_that_has_moved(model: str) -> None:
    """The job follows the move. If the older model was configured, the run ends instead."""

    async def go() -> None:
        scene = Scene(Api(drafts=MOVED), model=model)
        if model == "auto":
            assert (await scene.find()).branch == "b1"
        else:
            with pytest.raises(Unanswered):
                await scene.find()
            assert scene.session.stop.causes == [StopCause.MIGRATION_REQUIRED]

    within_seconds(go())
