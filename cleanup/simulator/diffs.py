"""The differences between two configurations, by section, in the API's shapes."""

from collections.abc import Mapping
from typing import Any

Configuration = Mapping[str, Any]
Document = dict[str, Any]

_SECTIONS = {
    "prompt": "workflow_prompt",
    "tools": "workflow_tools",
    "toolRefs": "workflow_tools",
    "workflowGraph": "workflow_graph",
    "modelName": "llm",
    "defaultLanguage": "language",
    "supportedLanguages": "language",
    "languageSwitching": "language",
    "synthesizerVoiceConfig": "voice",
    "synthesizerSpeed": "voice",
    "synthesizerSampleRate": "voice",
}
_OTHERS = "call_handling"


def by_changes(before: Configuration, after: Configuration) -> Document:
    """Return each change with its path: the branch model's shape."""
    then, now = _sections(before), _sections(after)
    names = sorted({*then, *now})
    changed = [name for name in names if then.get(name) != now.get(name)]
    return {
        "unchangedSections": [name for name in names if name not in changed],
        "diffs": [{"section": name, "changes": _changes(then.get(name, {}), now.get(name, {}))} for name in changed],
    }


def by_sections(before: Configuration, after: Configuration) -> Document:
    """Return each section before and after: the first model's shape, as documented."""
    then, now = _sections(before), _sections(after)
    names = sorted({*then, *now})
    sections = {
        name: {"before": then.get(name), "after": now.get(name), "changed": then.get(name) != now.get(name)}
        for name in names
    }
    return {"sections": sections, "hasChanges": any(section["changed"] for section in sections.values())}


def _sections(configuration: Configuration) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for name, value in configuration.items():
        found.setdefault(_SECTIONS.get(name, _OTHERS), {})[name] = value
    return found


def _changes(before: Document, after: Document) -> list[Document]:
    return [
        {"path": name, "oldValue": before.get(name), "newValue": after.get(name)}
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
