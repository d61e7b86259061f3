"""Reads the state of a simulator in another process and switches its behaviour, over HTTP.

- `GET /_simulator/state`
- `POST /_simulator/mode` `{"mode": "branches", "removed": false, "reads_removed": false, "frozen": false}`
- `POST /_simulator/down` `{"kind": "500", "seconds": 5, "share": 1.0}`; `POST /_simulator/up`
- `POST /_simulator/keys` `{"add": "sk_…", "admin": true}` or `{"revoke": "sk_…"}`
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from cleanup.simulator.app import Workspace
from cleanup.simulator.entities import Mode
from cleanup.simulator.world import World


class Switches(Protocol):
    """What can be switched."""

    def down(self, kind: str = ..., *, seconds: float | None = ..., share: float = ...) -> None:
        """Begin an outage."""

    def up(self) -> None:
        """End it."""


def state(workspace: Workspace) -> dict[str, Any]:
    """Return what is left, what was discarded, and how many requests there were."""
    world, journal = workspace.world, workspace.journal
    return {
        "mode": world.mode,
        "left": sorted(world.left()),
        "discarded": [
            {"agent": done.agent, "draft": done.draft, "how": done.how, "key": done.key}
            for done in list(world.discarded.values())
        ],
        "requests": {"total": len(journal.requests), "by_status": journal.by_status()},
        "max_in_flight": journal.max_in_flight,
        "max_per_second": journal.max_per_second(),
    }


class _Actions:
    """What can be posted; the keys of the JSON are the arguments."""

    def __init__(self, world: World, switches: Switches) -> None:
        self.world = world
        self.switches = switches

    def mode(
        self,
        mode: Mode | None = None,
        *,
        removed: bool | None = None,
        reads_removed: bool | None = None,
        frozen: bool | None = None,
    ) -> None:
        world = self.world
        if mode not in (None, "drafts", "branches"):
            raise ValueError("mode must be drafts or branches")
        world.mode = mode or world.mode
        world.removed = world.removed if removed is None else removed
        world.reads_removed = world.reads_removed if reads_removed is None else reads_removed
        world.frozen = world.frozen if frozen is None else frozen

    def down(self, kind: str = "refuse", *, seconds: float | None = None, share: float = 1.0) -> None:
        if kind == "refuse" and seconds is None:
            raise ValueError("refuse needs seconds: nobody could switch it off from here")
        self.switches.down(kind, seconds=seconds, share=share)

    def up(self) -> None:
        self.switches.up()

    def keys(self, *, add: str | None = None, revoke: str | None = None, admin: bool = True) -> None:
        if add is not None:
            self.world.add_key(add, admin=admin)
        if revoke is not None:
            self.world.revoke_key(revoke)


def routes(workspace: Workspace, switches: Switches) -> list[BaseRoute]:
    """Make the routes under `/_simulator/`."""
    actions = _Actions(workspace.world, switches)

    async def show(_request: Request) -> JSONResponse:
        return JSONResponse(state(workspace))

    def post(action: Callable[..., None]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def switch(request: Request) -> JSONResponse:
            try:
                action(**json.loads(await request.body() or b"{}"))
            except (TypeError, ValueError) as problem:
                return JSONResponse({"error": str(problem)}, status_code=400)
            return JSONResponse(state(workspace))

        return switch

    posted = (actions.mode, actions.down, actions.up, actions.keys)
    return [
        Route("/_simulator/state", show, methods=["GET"]),
        *(Route(f"/_simulator/{action.__name__}", post(action), methods=["POST"]) for action in posted),
    ]
