"""The simulator behind a socket of its own, in a thread or in the foreground.

HTTP is handled by uvicorn's protocol. uvicorn's server is not used: it polls ten times a second whether to stop, and
cannot close its listening socket for a while, which is how an API that is down is simulated.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.server import ServerState

from cleanup.simulator import control
from cleanup.simulator.app import BASE_PATH, Workspace, build_app
from cleanup.simulator.faults import Faults
from cleanup.simulator.journal import Hook, Request
from cleanup.simulator.limit import RateLimit
from cleanup.simulator.listener import HOST, Listener
from cleanup.simulator.wire import Protocol
from cleanup.simulator.world import World

_KEEP_ALIVE = 75


class Simulator:
    """The API on loopback. As a context manager it runs in a thread; `run` runs it in the foreground."""

    def __init__(
        self,
        world: World | None = None,
        *,
        port: int = 0,
        limit: RateLimit | None = None,
        latency: tuple[float, float] | float = 0.0,
        faults: Faults | None = None,
        log: bool = False,
    ) -> None:
        self.world = world or World()
        self.faults = faults or Faults(self.world.seed)
        spread = (latency, latency) if isinstance(latency, (int, float)) else latency
        self.workspace = Workspace(self.world, self.faults, limit=limit, latency=spread, log=log)
        self.journal = self.workspace.journal
        self._state = ServerState()
        self._config = uvicorn.Config(
            build_app(self.workspace, control.routes(self.workspace, self)),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self._listener = Listener(port, lambda loop: Protocol(self._config, self._state, {}, _loop=loop))
        self._up_again: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._switching: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port, once the simulator is listening."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The API's base URL, once the simulator is listening."""
        return f"http://{HOST}:{self.port}{BASE_PATH}"

    def requests(
        self,
        endpoint: str | None = None,
        *,
        agent: str | None = None,
        draft: str | None = None,
        status: int | None = None,
    ) -> list[Request]:
        """Return the requests so far that match, in the order of their arrival."""
        return self.journal.find(endpoint, agent=agent, draft=draft, status=status)

    def left(self) -> set[str]:
        """Return the ids of the drafts that are still open."""
        return self.world.left()

    @property
    def max_in_flight(self) -> int:
        """The most requests that were in flight at once."""
        return self.journal.max_in_flight

    def max_per_second(self, window: float = 1.0) -> int:
        """Return the most requests that arrived within any `window` seconds."""
        return self.journal.max_per_second(window)

    def after(
        self,
        function: Hook,
        *,
        endpoint: str | None = None,
        agent: str | None = None,
        draft: str | None = None,
        nth: int = 1,
    ) -> None:
        """Call `function(world)` once the nth matching request from now on has been answered."""
        self.journal.add_hook(function, when="after", endpoint=endpoint, agent=agent, draft=draft, nth=nth)

    def before(
        self,
        function: Hook,
        *,
        endpoint: str | None = None,
        agent: str | None = None,
        draft: str | None = None,
        nth: int = 1,
    ) -> None:
        """Call `function(world)` when the nth matching request from now on has arrived, before it is carried out."""
        self.journal.add_hook(function, when="before", endpoint=endpoint, agent=agent, draft=draft, nth=nth)

    def down(self, kind: str = "refuse", *, seconds: float | None = None, share: float = 1.0) -> None:
        """Begin an outage, until `up` or for a time: `refuse` connections, or any fault for all requests."""
        self.faults.begin_outage(kind, seconds=seconds, share=share)
        if kind == "refuse":
            self._in_loop(self._refuse(seconds))

    def up(self) -> None:
        """End the outage."""
        self.faults.end_outage()
        if not self._listener.listens:
            self._in_loop(self._listen_again())

    def start(self) -> None:
        """Start in a thread, and return once it is listening."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="simulator", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Close all connections and end the thread."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # it has already ended
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def run(self, when_ready: Callable[[], None]) -> None:
        """Run in the foreground until SIGTERM or SIGINT."""
        asyncio.run(self._serve(None, when_ready))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if problem is None and self.workspace.errors:
            raise self.workspace.errors[0]

    async def _serve(self, ready: Future[None] | None, when_ready: Callable[[], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            self._listener.open()
        except OSError as problem:
            if ready is None:
                raise
            ready.set_exception(problem)
            return
        try:
            if ready is not None:
                ready.set_result(None)
            else:
                for number in (signal.SIGTERM, signal.SIGINT):
                    self._loop.add_signal_handler(number, self._stopping.set)
            if when_ready is not None:
                when_ready()
            await self._stopping.wait()
        finally:
            await self._close()

    async def _refuse(self, seconds: float | None) -> None:
        await self._listener.refuse()
        self._cut()
        self._forget_timer()
        if seconds is not None:
            self._up_again = asyncio.get_running_loop().call_later(seconds, self.up)

    async def _listen_again(self) -> None:
        self._forget_timer()
        self._listener.open()

    async def _close(self) -> None:
        await self._listener.close()
        self._forget_timer()
        self._cut()
        await asyncio.sleep(0)  # lets the connections notice it
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, *self._switching, return_exceptions=True)

    def _cut(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _forget_timer(self) -> None:
        if self._up_again is not None:
            self._up_again.cancel()
            self._up_again = None

    def _in_loop(self, action: Coroutine[Any, Any, None]) -> None:
        """Run the action in the simulator's thread: wait for it, or, if called from there (a hook), schedule it."""
        if self._loop is None:
            action.close()
            raise RuntimeError("the simulator is not running")
        if self._thread is None or self._thread is threading.current_thread():
            task = self._loop.create_task(action)
            self._switching.add(task)
            task.add_done_callback(self._switching.discard)
        else:
            asyncio.run_coroutine_threadsafe(action, self._loop).result()
