"""Runs a coroutine in an event loop of its own, which ends with the coroutine, and which no bug can leave hanging."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def run_to_end(main: Coroutine[Any, Any, None], note: Callable[[str], None] = lambda _text: None) -> None:
    """Run a coroutine in a new event loop. `note` is called with what the loop complains about and nobody waits for.

    A bug in a callback of the loop ends the coroutine, and is raised here: a task may be waiting for that callback
    forever. Unlike `asyncio.run`, this does not wait for threads at the end: a name lookup can hang for a minute.
    """
    loop = asyncio.new_event_loop()
    crashes: list[BaseException] = []
    task = loop.create_task(main)

    def complain(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "handle" in context:
            crashes.append(context.get("exception") or RuntimeError(context["message"]))
            task.cancel()
        else:
            note(str(context["message"]))

    loop.set_exception_handler(complain)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        raise crashes[0] if crashes else RuntimeError("cancelled") from None
    finally:
        loop.run_until_complete(_cancel_the_rest())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _cancel_the_rest() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
