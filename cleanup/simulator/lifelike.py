"""Makes a workspace look like one in use: long prompts, small and large edits, litter, drafts that should stay."""

import copy
import random
from collections.abc import Sequence
from typing import Any, Final

from cleanup.simulator.entities import Draft
from cleanup.simulator.world import World

_TEXT: Final = (
    "ask the caller politely for their name and the number of their order then look it up with the tool before you "
    "answer and if nothing is found say so offer to call back and never promise a refund unless a person confirms it"
)
_KEPT: Final = ("keep-christmas", "keep-summer-sale")
_NAMES: Final = ("Refunds, shorter", "test", "test 2", "New voice", "Untitled draft")


def furnish(world: World, drafts: Sequence[Draft], seed: int = 0) -> None:
    """Rewrite the agents' configurations and the drafts'.

    A third of the drafts change nothing. The others change the prompt, and some the model, the voice or the tools.
    Every tenth has a name that says that it should stay; one is being published.
    """
    chance = random.Random(f"lifelike {seed}")
    for agent in world.agents.values():
        agent.config["prompt"] = "\n".join(_sentence(chance) for _ in range(90))
    for number, draft in enumerate(drafts):
        home = world.agents[draft.agent]
        draft.config = copy.deepcopy(home.config)
        draft.name = chance.choice(_KEPT if number % 10 == 9 else _NAMES) + f" {number + 1}"
        home.branches[draft.branch].name = draft.name.lower().replace(" ", "-")
        if number % 3:
            draft.revision = chance.randint(2, 30)
            _edit(draft.config, chance)
    standing = [draft.id for draft in drafts if draft.id in world.drafts]
    if standing:
        world.publish(standing[-1])


def _edit(config: dict[str, Any], chance: random.Random) -> None:
    sentences = config["prompt"].split("\n")
    for _ in range(chance.randint(1, 6)):
        sentences[chance.randrange(len(sentences))] = _sentence(chance)
    config["prompt"] = "\n".join(sentences)
    if chance.random() < 0.3:
        config["modelName"] = "electron-v2"
    if chance.random() < 0.2:
        config["synthesizerSampleRate"] = 48000
    if chance.random() < 0.2:
        config["tools"] = [*config["tools"], {"type": "api_call", "name": "find_order", "enabled": True}]


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(_TEXT.split(), k=chance.randint(6, 16))).capitalize() + "."
