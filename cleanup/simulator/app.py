"""How a request is handled, and the routes of the API."""

import asyncio
import dataclasses
import json
import random
import sys
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from cleanup.simulator import endpoints, making
from cleanup.simulator.endpoints import Answer, Call
from cleanup.simulator.entities import Key
from cleanup.simulator.faults import Fault, Faults
from cleanup.simulator.journal import Journal, Request
from cleanup.simulator.limit import RateLimit
from cleanup.simulator.substitutes import substitute_for
from cleanup.simulator.wire import Connection, answer_with, misbehave
from cleanup.simulator.world import World

BASE_PATH = "/atoms/v1"

Handler = Callable[[World, Key, Call], Answer]

# Requests for the same thing have the same name on both models, so that a scripted fault works on either.
ENDPOINTS: tuple[tuple[str, str, str, Handler], ...] = (
    ("DELETE", "/agent/{agent}/drafts/{draft}", "discard", endpoints.discard_draft),
    ("DELETE", "/agent/{agent}/branches/{branch}/draft", "discard", endpoints.discard_branch_draft),
    ("POST", "/agent/{agent}/drafts", "fork", making.create_draft),
    ("POST", "/agent/{agent}/branches", "fork", making.create_branch),
    ("PATCH", "/agent/{agent}/drafts/{draft}/config", "write", making.write_draft),
    ("PUT", "/agent/{agent}/branches/{branch}/draft", "write", making.write_branch_draft),
    ("PATCH", "/agent/{agent}/drafts/{draft}", "rename", making.rename_draft),
    ("GET", "/agent/{agent}/drafts/{draft}", "look", endpoints.get_draft),
    ("GET", "/agent/{agent}/drafts/{draft}/diff", "diff", endpoints.diff_draft),
    ("GET", "/agent/{agent}/diff", "diff", endpoints.diff),
    ("GET", "/agent/{agent}/branches/{branch}/draft", "look", endpoints.get_branch_draft),
    ("GET", "/agent/{agent}/branches/{branch}", "branch", endpoints.get_branch),
    ("GET", "/agent/{agent}/branches", "branches", endpoints.list_branches),
    ("GET", "/agent/{agent}/drafts", "drafts", endpoints.list_drafts),
    ("GET", "/agent/{agent}", "backup", endpoints.get_agent),
    ("GET", "/agent", "agents", endpoints.list_agents),
    ("GET", "/user", "user", endpoints.get_user),
    ("GET", "/account/get-account-details", "account", endpoints.get_account),
)
_WRITES = ("POST", "PUT", "PATCH")
ENDPOINT_NAMES = tuple(dict.fromkeys(name for _, _, name, _ in ENDPOINTS))


class Workspace:
    """Everything that handling a request may need."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        *,
        limit: RateLimit | None = None,
        latency: tuple[float, float] = (0.0, 0.0),
        log: bool = False,
    ) -> None:
        self.world = world
        self.faults = faults
        self.journal = Journal()
        self.limit = limit
        self.latency = latency
        self.log = log
        self.errors: list[Exception] = []
        self._chance = random.Random(world.seed)

    async def pause(self) -> None:
        """Wait for as long as the API takes to answer."""
        low, high = self.latency
        if high > 0:
            await asyncio.sleep(self._chance.uniform(low, high))

    def log_line(self, request: Request) -> None:
        """Print a line about the request if `log` is set."""
        if self.log:
            outcome = request.status if request.fault is None else f"{request.status or '-'} ({request.fault})"
            seconds = (request.answered or request.arrived) - request.arrived
            print(f"{request.method} {request.path} {outcome} {seconds * 1000:.0f} ms", file=sys.stderr)


class Endpoint:
    """One endpoint of the API, as an ASGI application."""

    def __init__(self, workspace: Workspace, name: str, handler: Handler | None) -> None:
        self.workspace = workspace
        self.name = name
        self.handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request, answer it, and call the hooks before and after."""
        workspace, connection = self.workspace, scope["state"]["connection"]
        body = await _body(receive) if scope["method"] in _WRITES else None
        call, request = self._arrive(scope, body)
        connection.on_lost = lambda: workspace.journal.end(request)
        try:
            workspace.journal.call_hooks("before", request, workspace.world)
            await self._respond(call, request, scope, receive, send)
            workspace.log_line(request)
            workspace.journal.call_hooks("after", request, workspace.world)
        except asyncio.CancelledError:
            pass  # the simulator is stopping, and has closed the connection
        except Exception as problem:
            workspace.errors.append(problem)
            raise
        finally:
            connection.on_lost = None
            workspace.journal.end(request)

    def _arrive(self, scope: Scope, body: object) -> tuple[Call, Request]:
        parameters = scope["path_params"]
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"))) if scope["query_string"] else {}
        agent, branch = parameters.get("agent", ""), parameters.get("branch") or _compared_branch(query)
        draft: str | None = parameters.get("draft") or query.get("draftId")
        path = scope["raw_path"].decode("latin-1")
        request = self.workspace.journal.begin(scope["method"], path, self.name, agent, branch, draft)
        request.body = body
        self._name_draft(request)
        return Call(request.method, path, agent, draft, branch, query, body), request

    async def _respond(self, call: Call, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        workspace, connection = self.workspace, scope["state"]["connection"]
        fault = workspace.faults.general()
        key_text = _bearer(scope)
        key = workspace.world.keys.get(key_text)
        request.key = key.name if key else None
        refusal = None
        if fault is None:
            if key is None:
                refusal = endpoints.unauthorized(workspace.world, key_text)
            elif workspace.limit is not None and not workspace.limit.allows():
                refusal = workspace.limit.refusal()
        await workspace.pause()
        if refusal is not None:
            await self._send(refusal, request, send)
            return
        self._name_draft(request)
        if fault is None:
            fault = workspace.faults.next(self.name, call.agent, request.draft)
        answer = self._work(key, call, request) if fault is None or fault.done else None
        await self._deliver(fault, answer, request, connection, receive, send)

    def _name_draft(self, request: Request) -> None:
        """Record which draft a request to a branch is about, as far as it is known now."""
        if request.branch:
            branch = self.workspace.world.find_branch(request.agent, request.branch)
            request.draft = branch.open_draft if branch is not None else None

    def _work(self, key: Key | None, call: Call, request: Request) -> Answer:
        """Carry out the request."""
        world = self.workspace.world
        if self.handler is None:
            return endpoints.cannot(request.method, request.path)
        if key is None:
            return endpoints.unauthorized(world, "")
        answer = self.handler(world, key, call)
        request.discarded = answer.discarded
        return answer

    async def _deliver(
        self,
        fault: Fault | None,
        answer: Answer | None,
        request: Request,
        connection: Connection,
        receive: Receive,
        send: Send,
    ) -> None:
        if fault is not None and fault.kind != "ok":
            request.fault = fault.text
            substitute = substitute_for(fault, request.method, request.path, answer)
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds or 1.0)
            elif substitute is None:
                await misbehave(
                    fault, self._stamp(answer or endpoints.success(None), request), connection, receive, send
                )
                return
            elif answer is None or fault.kind != "204" or answer.status < 300:
                answer = substitute
        await self._send(answer or endpoints.success(None), request, send)

    def _stamp(self, answer: Answer, request: Request) -> Answer:
        more = (("x-request-id", request.request_id), *self.workspace.world.headers.items())
        return dataclasses.replace(answer, headers=(*more, *answer.headers))

    async def _send(self, answer: Answer, request: Request, send: Send) -> None:
        # Recorded first: a client that has the answer may look at the record at once.
        self.workspace.journal.end(request, answer.status)
        await answer_with(self._stamp(answer, request), send)


def build_app(workspace: Workspace, more: list[BaseRoute]) -> Router:
    """Build the API's routes, additional ones, and a recorded 404 for everything else."""
    routes: list[BaseRoute] = [
        Route(BASE_PATH + path, Endpoint(workspace, name, handler), methods=[method])
        for method, path, name, handler in ENDPOINTS
    ]
    rest = Route("/{path:path}", Endpoint(workspace, "unknown", None))
    return Router([*routes, *more, rest], redirect_slashes=False)


def _compared_branch(query: dict[str, str]) -> str:
    """The branch whose draft is one side of a comparison, `<branchId>:draft`."""
    sides = (query.get("a", ""), query.get("b", ""))
    return next((side.removesuffix(":draft") for side in sides if side.endswith(":draft")), "")


async def _body(receive: Receive) -> object:
    """Read the request's body as JSON; None if there is none, or it is something else."""
    parts = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    try:
        document: object = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        return None
    return document


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            return str(key) if scheme.lower() == "bearer" else ""
    return ""
