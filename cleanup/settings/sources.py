"""Where settings come from: flags over variables over the file over defaults, each value with its origin."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cleanup.documents import Node
from cleanup.errors import SettingsError
from cleanup.settings.definitions import Setting, Settings, all_settings
from cleanup.settings.file import Given, Layer, nearest, read_file

PREFIX = "CLEANUP_"
UNION_KEY = "guard.protect"
SAFETY_KEY = "run.dry_run"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of a run.

    `inline_pairs` is the list itself when it stands in the settings file.
    `unconfirmed`: the run is dry only because nobody said yes to it.
    """

    settings: Settings
    file: Path | None
    inline_pairs: Node | None
    unconfirmed: bool = False

    def record(self) -> dict[str, Any]:
        """The settings for the ledger: without secrets, durations as text."""
        return self.settings.model_dump(mode="json", exclude={"pairs": True, "output": {"heartbeat_url"}})


def load(flags: Mapping[str, Any], environ: Mapping[str, str], config: str | None, home: Path) -> Loaded:
    """Merge all sources. Raises SettingsError with one sentence for each thing that is wrong.

    `flags`: values from the command line by key, None for those not given. `config`: the file named there.
    `home`: the folder in which `config.yaml` is taken if none is named.
    """
    reference = {setting.key: setting for setting in all_settings()}
    problems: list[str] = []
    file = _settings_file(config, environ, home)
    from_flags: Layer = {
        key: Given(value, (reference[key].flag.name or key) if key in reference else "PAIRS")
        for key, value in flags.items()
        if value is not None
    }
    from_environment = _environment(environ, reference, problems)
    from_file, inline = read_file(file, reference, problems) if file else ({}, None)
    layers = [from_flags, from_environment, from_file]
    merged: Mapping[str, Given] = ChainMap(*layers)
    values = _combine(merged, layers)
    nested: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value
    try:
        settings = Settings.model_validate(nested)
    except ValidationError as error:
        problems += [_sentence(detail, layers) for detail in error.errors()]
    if problems:
        raise SettingsError(*problems)
    if "pairs" in from_flags or "pairs" in from_environment:
        inline = None
    return Loaded(settings, file, inline)


def _settings_file(config: str | None, environ: Mapping[str, str], home: Path) -> Path | None:
    named = config or environ.get("CLEANUP_CONFIG")
    if named:
        return Path(named)
    usual = home / "config.yaml"
    return usual if usual.exists() else None


def _combine(merged: Mapping[str, Given], layers: list[Layer]) -> dict[str, Any]:
    """The values by precedence, but protected agents add up and a dry run in any source wins."""
    values = {key: given.value for key, given in merged.items()}
    protected = [layer[UNION_KEY].value for layer in layers if UNION_KEY in layer]
    if protected:
        values[UNION_KEY] = [item for value in protected for item in (value if isinstance(value, list) else [value])]
    dry_runs = [layer[SAFETY_KEY].value for layer in layers if SAFETY_KEY in layer]
    if dry_runs:
        # A value that is neither true nor false is kept, to be refused rather than overruled.
        ranked = sorted(dry_runs, key=lambda value: {"true": 1, "false": 2}.get(_truth(value), 0))
        values[SAFETY_KEY] = ranked[0]
    return values


def _truth(value: Any) -> str:
    text = str(value).strip().lower()
    if text in ("true", "yes", "on", "1", "t", "y"):
        return "true"
    return "false" if text in ("false", "no", "off", "0", "f", "n") else "neither"


def _environment(environ: Mapping[str, str], reference: Mapping[str, Setting], problems: list[str]) -> Layer:
    variables = {setting.variable: setting.key for setting in reference.values()}
    layer: Layer = {}
    for name, value in environ.items():
        if name in variables:
            layer[variables[name]] = Given(value, name)
        elif name == PREFIX + "PAIRS":
            layer["pairs"] = Given(value, name)
        elif name.startswith(PREFIX) and "__" in name:
            problems.append(f"{name}: no such setting{nearest(name, variables)}")
    return layer


_RANGES = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
}


def _sentence(detail: ErrorDetails, layers: list[Layer]) -> str:
    key = ".".join(str(part) for part in detail["loc"][:2])
    given = next((layer[key] for layer in layers if key in layer), None)
    context = detail.get("ctx", {})
    if "error" in context:
        reason = str(context["error"])
    elif detail["type"] in _RANGES:
        reason = _RANGES[detail["type"]].format(**context)
    else:
        reason = detail["msg"]
    shown = "" if key == "output.heartbeat_url" or given is None else f" (given: {_shorten(given.value)})"
    origin = f"{given.origin}: " if given else ""
    return f"{origin}{key} {reason}{shown}"


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:80] + "…"
