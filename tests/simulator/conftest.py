"""A small world behind a running simulator, and a client with the demo key."""

from collections.abc import Iterator

import httpx
import pytest

from cleanup.simulator import DEMO_KEY, Agent, Draft, Simulator, World

IMPATIENT = httpx.Timeout(10, read=0.1)
"""Only the answer is hardly waited for."""


@pytest.fixture
def world() -> World:
    return World(seed=1)


@pytest.fixture
def agent(world: World) -> Agent:
    return world.add_agent()


@pytest.fixture
def draft(world: World, agent: Agent) -> Draft:
    return world.open_draft(agent.id)


@pytest.fixture
def simulator(world: World) -> Iterator[Simulator]:
    with Simulator(world) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    # A path begins without a slash, so that it is joined to the base URL's.
    with httpx.Client(base_url=simulator.url, headers=headers, timeout=30, trust_env=False) as made:
        yield made


@pytest.fixture
def path(draft: Draft) -> str:
    """The draft's path on the first model."""
    return f"agent/{draft.agent}/drafts/{draft.id}"


@pytest.fixture
def branch_path(draft: Draft) -> str:
    """The draft's path on the branch model."""
    return f"agent/{draft.agent}/branches/{draft.branch}/draft"
