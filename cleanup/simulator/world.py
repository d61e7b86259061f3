"""The state behind the API: agents, branches, drafts and keys. No I/O; the same seed gives the same ids.

Every draft is open on a branch of its own, on either model: an agent with seven drafts has seven branches besides
`main`. So a workspace can move from one model to the other while requests are under way, as real ones do.
"""

import copy
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from cleanup.simulator.entities import Agent, Branch, Discarded, Draft, Key, Mode, PendingPublish

DEMO_KEY = "sk_simulator"

Shapes = Literal["live", "documented"]
"""Which answers to give where the live API differs from the vendor's document."""


class World:
    """A workspace. Plain attributes may be set at any time, even while requests are under way.

    `mode` is the model. `removed` makes the first model's list and writes answer 404, as removed endpoints do, and
    `reads_removed` its read of a single draft, which is kept longer. `frozen` answers 423 to writes on the branch
    model. `headers` are sent with every answer (`Deprecation`, `Sunset`). `echo_key` puts the refused key into the
    text of the 401. `page_limit` is the most agents on a page, whatever the request asks for.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        mode: Mode = "drafts",
        shapes: Shapes = "live",
        key: str = DEMO_KEY,
        admin: bool = True,
    ) -> None:
        self.seed = seed
        self.mode: Mode = mode
        self.shapes: Shapes = shapes
        self.removed = False
        self.reads_removed = False
        self.page_limit = 50
        self.organization_name = "Acme"
        self.frozen = False
        self.echo_key = False
        self.headers: dict[str, str] = {}
        self.agents: dict[str, Agent] = {}
        self.drafts: dict[str, Draft] = {}
        self.discarded: dict[str, Discarded] = {}
        self.gone: dict[str, Draft] = {}
        self.keys: dict[str, Key] = {}
        self._ids = random.Random(seed)
        self._version_ids = random.Random(f"versions {seed}")
        self.organization = self.new_id()
        self.user = self.new_id()
        self.add_key(key, name="demo", user=self.user, admin=admin)

    def new_id(self) -> str:
        """Make an id like those of MongoDB: 24 lower-case hex digits."""
        return _id_from(self._ids)

    def add_key(
        self,
        key: str,
        *,
        name: str | None = None,
        user: str | None = None,
        organization: str | None = None,
        admin: bool = True,
    ) -> Key:
        """Accept `key` from now on; by default it belongs to another user of the same organization."""
        made = Key(
            name=name or f"key {len(self.keys) + 1}",
            user=user or self.new_id(),
            organization=organization or self.organization,
            admin=admin,
        )
        self.keys[key] = made
        return made

    def revoke_key(self, key: str = DEMO_KEY) -> None:
        """Answer 401 to `key` from now on."""
        self.keys.pop(key, None)

    def add_agent(
        self, name: str | None = None, *, agent_id: str | None = None, workflow_type: str = "single_prompt"
    ) -> Agent:
        """Add an agent with its default branch, `main`."""
        now = datetime.now(UTC)
        agent = Agent(
            id=agent_id or self.new_id(),
            name=name or f"Agent {len(self.agents) + 1}",
            created_at=now,
            config=_configuration("As published."),
            created_by=self.user,
            version=_id_from(self._version_ids),
            workflow_type=workflow_type,
        )
        self.agents[agent.id] = agent
        self.add_branch(agent.id, "main")
        return agent

    def release(self, agent_id: str, config: Mapping[str, Any] | None = None) -> str:
        """Publish another version of the agent, by default with the same configuration, and return its id."""
        agent = self.agents[agent_id]
        agent.former[agent.version] = agent.config
        agent.config = copy.deepcopy(dict(agent.config if config is None else config))
        agent.version = _id_from(self._version_ids)
        return agent.version

    def add_branch(self, agent_id: str, name: str | None = None, *, source: str | None = None) -> Branch:
        """Add a branch, by default from the default branch, which is an agent's first."""
        branches = self.agents[agent_id].branches
        branch = Branch(
            id=self.new_id(),
            agent=agent_id,
            name=name or f"branch-{len(branches)}",
            updated_at=datetime.now(UTC),
            is_default=not branches,
            source=source or next(iter(branches), None),
        )
        branches[branch.id] = branch
        return branch

    def open_draft(
        self,
        agent_id: str,
        *,
        branch: str | None = None,
        draft_id: str | None = None,
        name: str | None = None,
        created_by: str | None = None,
        editor: str = "Editor 1",
        updated_at: datetime | None = None,
        config: Mapping[str, Any] | None = None,
        source: str | None = None,
    ) -> Draft:
        """Open a draft on `branch`, by default on a new one, and by default as the demo key's user.

        It comes from the version `source`, by default the published one.
        """
        place = self.agents[agent_id].branches[branch] if branch else self.add_branch(agent_id)
        if place.open_draft is not None:
            raise ValueError(f"branch {place.id} already has an open draft, {place.open_draft}")
        when = updated_at or datetime.now(UTC)
        number = len(self.drafts) + len(self.discarded) + len(self.gone) + 1
        draft = Draft(
            id=draft_id or self.new_id(),
            agent=agent_id,
            branch=place.id,
            name=name or f"Draft {number}",
            created_by=created_by or self.user,
            created_at=when,
            updated_at=when,
            editor=editor,
            config=copy.deepcopy(dict(config)) if config is not None else _configuration(f"Draft {number}."),
            revision_id=self.new_id(),
            source=source or self.agents[agent_id].version,
        )
        self.drafts[draft.id] = draft
        place.open_draft = draft.id
        place.updated_at = when
        return draft

    def edit(self, draft_id: str, *, editor: str = "Editor 2", updated_at: datetime | None = None) -> None:
        """Edit the draft as another user: a new revision, and a new time of the last edit."""
        draft = self.drafts[draft_id]
        draft.updated_at = updated_at or datetime.now(UTC)
        draft.editor = editor
        draft.revision += 1
        draft.revision_id = self.new_id()

    def publish(self, draft_id: str, *, by: str | None = None) -> None:
        """Start to publish the draft. It stays open until the security check has passed."""
        self.drafts[draft_id].pending_publish = PendingPublish("active", by or self.user, datetime.now(UTC))

    def cancel_publish(self, draft_id: str) -> None:
        """Cancel the publish, which stays on record."""
        draft = self.drafts[draft_id]
        if draft.pending_publish is None:
            raise ValueError(f"draft {draft_id} is not being published")
        draft.pending_publish = replace(draft.pending_publish, state="cancelled")

    def take_away(self, draft_id: str) -> None:
        """Close the draft as if somebody else had discarded or published it: it is `gone`."""
        self.gone[draft_id] = self._close(draft_id)

    def replace(self, draft_id: str) -> Draft:
        """Close the draft as somebody else, and open another on its branch."""
        self.take_away(draft_id)
        old = self.gone[draft_id]
        return self.open_draft(old.agent, branch=old.branch)

    def discard(self, draft_id: str, *, key: Key, how: Mode) -> None:
        """Discard the draft for a request, and record it."""
        draft = self._close(draft_id)
        self.discarded[draft_id] = Discarded(draft_id, draft.agent, time.monotonic(), how, key.name)

    def left(self) -> set[str]:
        """Return the ids of the drafts that are still open."""
        return set(self.drafts)

    def drafts_of(self, agent_id: str) -> list[Draft]:
        """Return the agent's open drafts, in the order of its branches."""
        opened = [branch.open_draft for branch in list(self.agents[agent_id].branches.values())]
        return [self.drafts[draft_id] for draft_id in opened if draft_id in self.drafts]

    def find_draft(self, agent_id: str, draft_id: str) -> Draft | None:
        """Return the open draft of that id, if it belongs to this agent."""
        draft = self.drafts.get(draft_id)
        return draft if draft is not None and draft.agent == agent_id else None

    def find_branch(self, agent_id: str, branch_id: str) -> Branch | None:
        """Return the branch of that id, if it belongs to this agent."""
        agent = self.agents.get(agent_id)
        return agent.branches.get(branch_id) if agent is not None else None

    def find_version(self, agent_id: str, version: str) -> dict[str, Any] | None:
        """Return the configuration of a version that is or was published, if it belongs to this agent."""
        agent = self.agents.get(agent_id)
        if agent is None:
            return None
        return agent.config if version == agent.version else agent.former.get(version)

    def find_configuration(self, agent_id: str, reference: str) -> dict[str, Any] | None:
        """Return a revision's configuration, by its id or as `<branchId>:draft`, if it belongs to this agent."""
        published = self.find_version(agent_id, reference)
        if published is not None:
            return published
        for draft in self.drafts_of(agent_id) if agent_id in self.agents else ():
            if reference in (draft.revision_id, f"{draft.branch}:draft"):
                return draft.config
        return None

    def _close(self, draft_id: str) -> Draft:
        draft = self.drafts.pop(draft_id)
        self.agents[draft.agent].branches[draft.branch].open_draft = None
        return draft


def _id_from(source: random.Random) -> str:
    return f"{source.getrandbits(96):024x}"


def _configuration(prompt: str) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "firstMessage": "Hello, how can I help?",
        "modelName": "electron",
        "defaultLanguage": "en",
        "supportedLanguages": ["en", "hi"],
        "synthesizerSampleRate": 24000,
        "tools": [{"type": "end_call", "name": "end_call", "description": "Hangs up.", "enabled": True}],
        "defaultVariables": {"greeting": "Grüß Gott", "retries": 2},
    }
