"""The Atoms API on loopback, over real HTTP: to try the job on, to demonstrate it, and to test against.

It imports nothing from the rest of the package, so that a misunderstanding there cannot hide here.

- `entities`   agents, branches, drafts, keys, as records
- `world`      the state that they make up, and what happens to it; no I/O
- `shapes`     how the state looks as JSON; `diffs`: how two configurations differ
- `endpoints`  what each endpoint answers
- `faults`     what goes wrong, and when: scripts, shares, outages
- `substitutes` the answers that come in place of the proper one
- `wire`       how an answer or a fault is put on the connection
- `journal`    the record of every request, and hooks between requests
- `limit`      the rate limit
- `app`        the course of one request, and the routes
- `control`    looking and switching over HTTP (`/_simulator/…`)
- `listener`   the listening socket, which can be shut for a while
- `server`     `Simulator`: the above behind a socket, in a thread or in the foreground
- `scenery`    a world to begin with, and lists of its drafts; `lifelike` makes it look like one in use
- `command`    the command line

    world = World(seed=1)
    agent = world.add_agent()
    draft = world.open_draft(agent.id)
    with Simulator(world) as simulator:
        simulator.faults.script(draft.id, ["500", "ok"])
        ...  # requests to simulator.url, with the key DEMO_KEY
    assert draft.id in world.discarded
"""

from cleanup.simulator.endpoints import Answer
from cleanup.simulator.entities import Agent, Branch, Discarded, Draft, Key, Mode, PendingPublish
from cleanup.simulator.faults import Faults
from cleanup.simulator.journal import Request
from cleanup.simulator.limit import RateLimit
from cleanup.simulator.server import Simulator
from cleanup.simulator.world import DEMO_KEY, Shapes, World

__all__ = [
    "DEMO_KEY",
    "Agent",
    "Answer",
    "Branch",
    "Discarded",
    "Draft",
    "Faults",
    "Key",
    "Mode",
    "PendingPublish",
    "RateLimit",
    "Request",
    "Shapes",
    "Simulator",
    "World",
]
