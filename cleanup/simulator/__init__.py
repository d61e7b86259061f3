"""A simulated Atoms API on loopback, over real HTTP: to try, demonstrate and test the job.

It imports nothing from the rest of the package, so that both do not share a misunderstanding of the API.

- `entities`   agents, branches, drafts and keys, as records
- `world`      the state of a workspace, and what changes it; no I/O
- `shapes`     the state as JSON; `diffs`: how two configurations differ
- `endpoints`  what each endpoint answers; `making`: those that make drafts and write into them
- `writing`    what may be written into a draft, and how it is merged
- `faults`     what goes wrong, and when: scripts, shares, outages
- `substitutes` the answers that some faults give instead of the regular one
- `wire`       sends an answer or a fault over the connection
- `journal`    the record of every request, and hooks between requests
- `limit`      the rate limit
- `app`        how a request is handled, and the routes
- `control`    state and switches of a running simulator over HTTP (`/_simulator/…`)
- `listener`   the listening socket, which can be closed for a while
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
