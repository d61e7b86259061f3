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


def full_configuration(chance: random.Random) -> dict[str, Any]:
    """Return a configuration with every field that can be written, named as it is read; some are empty."""

    def flag() -> bool:
        return chance.random() < 0.5

    def number() -> int:
        return chance.randint(0, 60)

    voice = {"model": "waves_lightning_v3_1", "voiceId": "emily", "gender": "female", "modelId": f"m{number()}"}
    hook = {"isEnabled": flag(), "url": "https://example.com/hook", "headers": {"X-Id": str(number())}, "body": {}}
    tool = {"type": "api_call", "name": "find_order", "enabled": flag(), "body": {"order": ["{{id}}", number()]}}
    book = {"id": "general", "name": "General", "prompt": _sentence(chance), "toolRefs": [], "enabled": True}
    metrics = [{"identifier": "solved", "dispositionMetricType": "BOOLEAN", "choices": []}]
    full: dict[str, Any] = {
        "prompt": "\n".join(_sentence(chance) for _ in range(5)),
        "tools": [tool, {"type": "end_call", "name": "end_call", "enabled": True}],
        "toolRefs": [f"tool_{number()}"],
        "modelName": chance.choice(("electron", "gpt-4o")),
        "defaultLanguage": chance.choice(("en", "hi")),
        "supportedLanguages": chance.sample(("en", "hi", "de"), 2),
        "languageSwitching": {"isEnabled": flag(), "minWordsForDetection": number()},
        "synthesizerVoiceConfig": voice,
        "synthesizerSpeed": chance.choice((0.9, 1, 1.25)),
        "synthesizerConsistency": chance.random(),
        "synthesizerSimilarity": chance.random(),
        "synthesizerEnhancement": number(),
        "synthesizerSampleRate": chance.choice((8000, 24000, 48000)),
        "firstMessage": _sentence(chance),
        "globalPrompt": _sentence(chance),
        "transcriberType": "pulse",
        "preCallAPI": hook,
        "postCallAnalyticsConfig": {"useReasoningModel": flag(), "dispositionMetrics": metrics},
        "callDispositionConfig": _sentence(chance),
        "backgroundSound": chance.choice(("", "office", "cafe")),
        "allowInterruptions": flag(),
        "waitForUserToSpeakFirst": flag(),
        "muteUserUntilFirstBotResponse": flag(),
        "interruptionBackoffTimer": chance.choice((0, 1.5)),
        "voiceDetectionConfig": {"confidence": chance.random(), "minVolume": 0.6},
        "smartTurnConfig": {"isEnabled": flag(), "waitTimeInSecs": number()},
        "voiceMailDetectionConfig": {"enabled": flag(), "endText": "Bye, ä ✓ \u2028."},
        "denoisingConfig": {"isEnabled": flag()},
        "redactionConfig": {"isEnabled": flag()},
        "pronunciationDicts": [{"word": "Grüße", "pronunciation": "grew-suh"}],
        "llmIdleTimeoutConfig": {"chatTimeoutTimeInSecs": number(), "maxRetries": 2},
        "sessionTimeoutConfig": {"timeoutTimeInSecs": 60 * number()},
        "timezone": {"label": "Asia/Kolkata", "offset": 330},
        "defaultVariables": {"greeting": "Grüß Gott", "retries": number(), "nested": {"list": [1, {"a": ""}]}},
        "globalKnowledgeBaseId": f"{chance.getrandbits(96):024x}",
        "enableStyleGuide": flag(),
        "speechFormatting": flag(),
        "playbooks": {"router": {"fallbackPlaybookId": "general"}, "playbooks": [book]},
    }
    return {name: type(value)() if chance.random() < 0.1 else value for name, value in full.items()}


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
