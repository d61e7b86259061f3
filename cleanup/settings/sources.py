"""Merges the sources of settings: flags win over variables, these over the file, and that over defaults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cleanup.documents import Node
from cleanup.errors import SettingsError
from cleanup.settings.definitions import Settings
from cleanup.settings.file import Given, Layer, nearest, read_file
from cleanup.settings.hidden import Unshown, looks_like_key
from cleanup.settings.paths import resolved
from cleanup.settings.table import Setting, all_settings

PREFIX = "CLEANUP_"


class Refused(SettingsError):
    """Invalid settings, with the log format to report them in, as far as it can be determined."""

    def __init__(self, log_format: str, *problems: str) -> None:
        super().__init__(*problems)
        self.log_format = log_format


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of a run.

    `inline_pairs` is the list itself if the settings file contains it.
    `unconfirmed`: the run is dry only because nobody confirmed it.
    """

    settings: Settings
    file: Path | None
    inline_pairs: Node | None
    unconfirmed: bool = False

    def record(self) -> dict[str, Any]:
        """The settings for the ledger: without secrets, durations as text."""
        return self.settings.model_dump(mode="json", exclude={"pairs": True, "output": {"push_url", "heartbeat_url"}})


def load(flags: Mapping[str, Any], environ: Mapping[str, str], config: str | None, home: Path | None) -> Loaded:
    """Merge all sources. Raises Refused with one sentence for each problem.

    `flags`: values from the command line by key, None for those not given. `config`: the settings file named there.
    `home`: the folder whose `config.yaml` is read if no file is named; None for an installed program, which has none.
    """
    reference = {setting.key: setting for setting in all_settings()}
    problems: list[str] = []
    from_flags: Layer = {
        key: Given(value, (reference[key].flag.name or key) if key in reference else "PAIRS")
        for key, value in flags.items()
        if value is not None
    }
    from_environment = _environment(environ, reference, problems)
    from_file, inline, file = _file(config, environ, home, reference, problems)
    folder = None if file is None else file.parent
    layers: list[tuple[Layer, Path | None]] = [(from_flags, None), (from_environment, None), (from_file, folder)]
    sources = [_validated(layer, folder, problems) for layer, folder in layers]
    if problems:
        raise Refused(_log_format([layer for layer, _ in layers]), *problems)
    settings = _merged(sources)
    return Loaded(settings, file, None if isinstance(settings.pairs, str) else inline)


def _file(
    config: str | None,
    environ: Mapping[str, str],
    home: Path | None,
    reference: Mapping[str, Setting],
    problems: list[str],
) -> tuple[Layer, Node | None, Path | None]:
    """The settings file's values, the list if the file contains it, and the file's path."""
    named = environ.get("CLEANUP_CONFIG") or None if config is None else config
    path = None if home is None else home / "config.yaml"
    if named == "":
        problems.append("--config: the name of the settings file is empty")
        return {}, None, None
    try:
        path = path if named is None else Path(resolved(named))
        if path is None or (named is None and not os.path.lexists(path)):
            return {}, None, None
        return *read_file(path, reference, problems), path
    except SettingsError as error:
        problems += error.problems
    except ValueError as error:
        problems.append(f"{named}: the settings file {error}")
    return {}, None, path


def _log_format(layers: list[Layer]) -> str:
    """The log format from the first source that has a valid one, else `auto`."""
    for layer in layers:
        given = layer.get("output.log_format")
        if given is not None and str(given.value).strip() in ("json", "console", "auto"):
            return str(given.value).strip()
    return "auto"


def _validated(layer: Layer, folder: Path | None, problems: list[str]) -> Settings:
    """Validates one source by itself, so that a bad value is refused even if another source would override it.

    `folder`: what its paths are relative to; None for the working directory.
    """
    nested: dict[str, Any] = {}
    for key, given in layer.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = given.value
    try:
        return Settings.model_validate(nested, context=folder)
    except ValidationError as error:
        problems += [_sentence(detail, layer) for detail in error.errors()]
        return Settings()


def _merged(sources: list[Settings]) -> Settings:
    """The first source that has a value wins, but what is protected adds up, and one dry run makes it a dry run."""
    sections: dict[str, dict[str, Any]] = {name: {} for name in Settings.model_fields if name != "pairs"}
    for source in reversed(sources):
        for name, values in sections.items():
            section = getattr(source, name)
            values.update({key: getattr(section, key) for key in section.model_fields_set})
    for name in ("protect", "keep"):
        protected = (value for source in sources for value in getattr(source.guard, name))
        sections["guard"][name] = tuple(dict.fromkeys(protected))
    sections["run"]["dry_run"] = any(source.run.dry_run for source in sources)
    return Settings.model_construct(
        pairs=next((source.pairs for source in sources if source.pairs is not None), None),
        **{name: type(getattr(sources[0], name)).model_construct(**values) for name, values in sections.items()},
    )


def _environment(environ: Mapping[str, str], reference: Mapping[str, Setting], problems: list[str]) -> Layer:
    variables = {setting.variable: setting.key for setting in reference.values()} | {PREFIX + "PAIRS": "pairs"}
    meant = _names_almost_right(reference)
    layer: Layer = {}
    for name, value in environ.items():
        if name in variables:
            layer[variables[name]] = Given(value, name)
        elif name.startswith(PREFIX) and _bare(name) in meant:
            problems.append(f"{name}: no such setting; did you mean {meant[_bare(name)]}?")
        elif name.startswith(PREFIX) and "__" in name:
            problems.append(f"{name}: no such setting{nearest(name, variables)}")
    return layer


def _names_almost_right(reference: Mapping[str, Setting]) -> dict[str, str]:
    """The variables by their likely misspellings: wrong underscores, no section, the flag's name.

    Only these are refused. CLEANUP_DRY_RUN must not go unnoticed, but Kubernetes sets CLEANUP_PORT for a Service.
    """
    meant: dict[str, str] = {}
    for setting in reference.values():
        for name in (setting.variable, setting.name, setting.flag.name or ""):
            meant.setdefault(_bare(name), setting.variable)
    meant.pop("", None)
    return meant


def _bare(name: str) -> str:
    return name.removeprefix(PREFIX).upper().replace("_", "").replace("-", "")


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
    "int_parsing_size": "must be a smaller number",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
}


def _sentence(detail: ErrorDetails, layer: Layer) -> str:
    key = ".".join(str(part) for part in detail["loc"][:2])
    given = layer.get(key) or layer.get("pairs")
    context = detail.get("ctx", {})
    error = context.get("error")
    if error is not None:
        reason = str(error)
    elif detail["type"] in _RANGES:
        reason = _RANGES[detail["type"]].format(**context)
    else:
        reason = detail["msg"]
    if given is None:
        return f"{key} {reason}"
    shown = "[hidden]" if isinstance(error, Unshown) else _shorten(given.value)
    return f"{given.origin}: {key} {reason} (given: {shown})"


def _shorten(value: Any) -> str:
    text = str(value)
    if looks_like_key(text):
        return "[hidden]"
    return text if len(text) <= 80 else text[:80] + "…"
