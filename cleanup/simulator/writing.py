"""What may be written into a draft's configuration, and how it gets there.

A field is not always named as it is read: `singlePromptConfig.prompt` is read as `prompt`. What is written is merged:
objects deeply, everything else as a whole. Nulls are refused, and unknown fields ignored unless there are no others.
"""

import copy
from collections.abc import Mapping
from typing import Any

Configuration = dict[str, Any]
Types = tuple[type, ...]

_TEXT: Types = (str,)
_FLAG: Types = (bool,)
_NUMBER: Types = (int, float)
_LIST: Types = (list,)
_OBJECT: Types = (dict,)

# Where the vendor's document has two types, one for each model, either is taken.
_ALIKE: dict[str, Types] = {
    "firstMessage": _TEXT,
    "globalPrompt": _TEXT,
    "transcriberType": _TEXT,
    "preCallAPI": _OBJECT,
    "postCallAnalyticsConfig": _OBJECT,
    "callDispositionConfig": (*_TEXT, *_OBJECT),
    "backgroundSound": _TEXT,
    "allowInterruptions": _FLAG,
    "waitForUserToSpeakFirst": _FLAG,
    "muteUserUntilFirstBotResponse": _FLAG,
    "interruptionBackoffTimer": _NUMBER,
    "voiceDetectionConfig": _OBJECT,
    "smartTurnConfig": _OBJECT,
    "voiceMailDetectionConfig": _OBJECT,
    "denoisingConfig": _OBJECT,
    "redactionConfig": _OBJECT,
    "pronunciationDicts": (*_LIST, *_OBJECT),
    "llmIdleTimeoutConfig": _OBJECT,
    "sessionTimeoutConfig": _OBJECT,
    "timezone": (*_OBJECT, *_TEXT),
    "defaultVariables": _OBJECT,
    "globalKnowledgeBaseId": _TEXT,
    "enableStyleGuide": _FLAG,
    "speechFormatting": (*_FLAG, *_OBJECT),
    "playbooks": _OBJECT,
}
"""Fields that are named alike on both sides."""

_RENAMED: dict[str, tuple[str, Types]] = {"slmModel": ("modelName", _TEXT)}

_NESTED: dict[str, dict[str, tuple[str, Types]]] = {
    "singlePromptConfig": {
        "prompt": ("prompt", _TEXT),
        "tools": ("tools", _LIST),
        "toolRefs": ("toolRefs", _LIST),
    },
    "language": {
        "default": ("defaultLanguage", _TEXT),
        "supported": ("supportedLanguages", _LIST),
        "switching": ("languageSwitching", _OBJECT),
    },
    "synthesizer": {
        "voiceConfig": ("synthesizerVoiceConfig", _OBJECT),
        "speed": ("synthesizerSpeed", _NUMBER),
        "consistency": ("synthesizerConsistency", _NUMBER),
        "similarity": ("synthesizerSimilarity", _NUMBER),
        "enhancement": ("synthesizerEnhancement", _NUMBER),
        "sampleRate": ("synthesizerSampleRate", _NUMBER),
    },
}
"""Fields whose parts are read as fields of their own."""

_TOP: dict[str, tuple[str, Types]] = {**{name: (name, types) for name, types in _ALIKE.items()}, **_RENAMED}

READ_NAMES = frozenset(stored for fields in (_TOP, *_NESTED.values()) for stored, _ in fields.values())
"""What can be written, as it is named where it is read."""

_NAMES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


def changes_in(body: object) -> Configuration:
    """Return what a request's body changes, named as it is read. Raises ValueError with the API's reason to refuse."""
    if not isinstance(body, dict):
        raise ValueError("Request body must be a JSON object")
    if not any(name in _TOP or name in _NESTED for name in body):
        raise ValueError("No recognized config fields in request body")
    changes = _taken("", body, _TOP)
    for name, parts in _NESTED.items():
        if name in body:
            _check(name, body[name], _OBJECT)
            changes |= _taken(f"{name}.", body[name], parts)
    return changes


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Configuration:
    """Return the configuration with the changes in it: objects are merged, lists and single values replaced."""
    result = copy.deepcopy(dict(base))
    for name, value in changes.items():
        then = result.get(name)
        if isinstance(then, dict) and isinstance(value, dict):
            result[name] = merged(then, value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def _taken(prefix: str, written: Mapping[str, Any], fields: Mapping[str, tuple[str, Types]]) -> Configuration:
    taken = {}
    for name, value in written.items():
        if name in fields:
            stored, types = fields[name]
            _check(prefix + name, value, types)
            taken[stored] = value
    return taken


def _check(path: str, value: object, types: Types) -> None:
    # By the exact type: to Python, true is a number.
    if type(value) not in types:
        raise ValueError(f"{path}: Expected {_NAMES[types[0]]}, received {_NAMES.get(type(value), 'null')}")
    if null := _null_in(path, value):
        raise ValueError(f"{null}: Expected a value, received null")


def _null_in(path: str, value: object) -> str | None:
    """Return the path of a null anywhere in the value, if there is one."""
    if value is None:
        return path
    if isinstance(value, dict):
        parts = [(f"{path}.{name}", part) for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}.{index}", part) for index, part in enumerate(value)]
    else:
        return None
    return next((found for name, part in parts if (found := _null_in(name, part))), None)
