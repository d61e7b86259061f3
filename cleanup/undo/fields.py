"""Maps a draft's configuration, as the API returns it, to what has to be written to get it again. Pure.

A configuration is read flat (`_resolvedConfig` of `GET /agent/{id}?draftId=`), and written by other names (`PATCH
…/drafts/{draftId}/config`, `PUT …/branches/{branchId}/draft`). Both kinds of names are those of the vendor's OpenAPI
document and Python SDK 5.14, unless a comment says otherwise. What is written is merged: an object key by key, an array
as a whole. So a key that the draft had not, and its source has, cannot be removed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Configuration = Mapping[str, Any]

_RENAMED: Final = {
    "prompt": ("singlePromptConfig", "prompt"),
    "tools": ("singlePromptConfig", "tools"),
    "toolRefs": ("singlePromptConfig", "toolRefs"),
    "modelName": ("slmModel",),
    "defaultLanguage": ("language", "default"),
    "supportedLanguages": ("language", "supported"),
    "languageSwitching": ("language", "switching"),
    "synthesizerSampleRate": ("synthesizer", "sampleRate"),
    # How these are named when they are read is inferred from the one above.
    "synthesizerVoiceConfig": ("synthesizer", "voiceConfig"),
    "synthesizerSpeed": ("synthesizer", "speed"),
    "synthesizerConsistency": ("synthesizer", "consistency"),
    "synthesizerSimilarity": ("synthesizer", "similarity"),
    "synthesizerEnhancement": ("synthesizer", "enhancement"),
    "synthesizerModel": ("synthesizer", "voiceConfig", "model"),
    "synthesizerVoiceId": ("synthesizer", "voiceConfig", "voiceId"),
    "synthesizerGender": ("synthesizer", "voiceConfig", "gender"),
    "synthesizerModelId": ("synthesizer", "voiceConfig", "modelId"),
}
"""Fields that are written in another place than they are read from."""

_SAME: Final = (
    *("firstMessage", "globalPrompt", "globalKnowledgeBaseId", "playbooks", "transcriberType", "synthesizer"),
    *("preCallAPI", "postCallAnalyticsConfig", "callDispositionConfig", "defaultVariables", "timezone"),
    *("allowInterruptions", "waitForUserToSpeakFirst", "muteUserUntilFirstBotResponse", "interruptionBackoffTimer"),
    *("voiceDetectionConfig", "smartTurnConfig", "voiceMailDetectionConfig", "denoisingConfig", "redactionConfig"),
    *("llmIdleTimeoutConfig", "sessionTimeoutConfig", "backgroundSound", "pronunciationDicts"),
    *("enableStyleGuide", "speechFormatting"),
)
"""Fields that are written by the name by which they are read."""

WRITTEN_AS: Final = _RENAMED | {name: (name,) for name in _SAME}
"""Where each field is written: the keys that lead to it in the request's body."""
_DEEPEST: Final = 200
GRAPH: Final = "workflowGraph"
"""A field that there is no documented way to write."""


class Writing(NamedTuple):
    """What to send. `unknown`: the fields with a value that there is no known way to write."""

    body: dict[str, Any]
    unknown: list[str]


def to_write(configuration: Configuration) -> Writing:
    """The body that writes this configuration. Nulls are left out: the API refuses them."""
    body: dict[str, Any] = {}
    for name, value in configuration.items():
        if name in WRITTEN_AS and value is not None:
            *way, last = WRITTEN_AS[name]
            place: Any = body
            for key in way:
                place = place.setdefault(key, {}) if isinstance(place, dict) else None
            if isinstance(place, dict):  # or another field has a single value there: then the comparison names this one
                place[last] = _merged(place.get(last), _without_any_null(value))
    return Writing(
        body, sorted(name for name, value in configuration.items() if name not in WRITTEN_AS and _is_set(value))
    )


def is_too_deep(configuration: Configuration) -> bool:
    """Whether it is nested too deeply for the other functions here."""
    level: list[Any] = [configuration]
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()


def differences(wanted: Configuration, found: Configuration) -> list[str]:
    """The fields in which two configurations differ, in order. A null is the same as nothing."""
    return list(_differences("", _without_nulls(wanted), _without_nulls(found)))


def _differences(path: str, wanted: Any, found: Any) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if key not in wanted:
                yield f"{path}{key} (not in the copy)"
            elif key not in found:
                yield f"{path}{key} (missing)"
            else:
                yield from _differences(f"{path}{key}.", wanted[key], found[key])
    elif not _same(wanted, found):
        yield path.removesuffix(".")


def _same(wanted: Any, found: Any) -> bool:
    """Whether two values are the same. In JSON, 1 and 1.0 are one number, and true is no number."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(value, found[key]) for key, value in wanted.items())
    return bool(wanted == found)


def _without_nulls(value: Any) -> Any:
    """The value without the keys of objects that are null."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _without_any_null(value: Any) -> Any:
    """The value without the nulls in its lists, too: they are refused, so such a list is written without them."""
    if isinstance(value, Mapping):
        return {key: _without_any_null(inner) for key, inner in value.items() if inner is not None}
    return [_without_any_null(inner) for inner in value if inner is not None] if isinstance(value, list) else value


def _merged(before: Any, value: Any) -> Any:
    """Two fields may lead to the same object, as a voice's settings do."""
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _is_set(value: Any) -> bool:
    """Whether a field has a value: an empty one is lost without a loss."""
    return value not in (None, "", [], {})
