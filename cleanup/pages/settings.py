"""Settings as a page shows them: those that are not the defaults. Pure."""

from collections.abc import Mapping
from typing import Any

from cleanup.settings.definitions import Settings


def changed(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings that differ from this version's defaults, by key, with their values in words.

    `settings`: as they are recorded in a ledger, where secrets are left out.
    """
    defaults = _flat(Settings().model_dump(mode="json"))
    return {key: _in_words(value) for key, value in _flat(settings).items() if value != defaults.get(key)}


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    sections = {section: values for section, values in settings.items() if isinstance(values, Mapping)}
    return {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
