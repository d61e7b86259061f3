"""Generates `config.example.yaml` and the tables in `docs` from the definitions, and makes the JSON Schema of them.

`python -m cleanup.settings.reference` (`make settings`) writes the former; `cleanup.schemas` writes all schemas.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cleanup.errors import ExitCode
from cleanup.settings.definitions import Settings
from cleanup.settings.table import Setting, all_settings

ROOT: Final = Path(__file__).parents[2]
FIRST: Final = ("api.key_file", "api.organization", "guard.backup", "find.older_than", "output.ledger")
"""What a first schedule needs."""
BELOW: Final = "# " + "-" * 118


def _default_value(setting: Setting) -> Any:
    """A default as the settings file would have it."""
    value: Any = setting.default
    if value is None:
        return "off"
    return Settings().model_dump(mode="json")[setting.section][setting.name]


def default_text(setting: Setting) -> str:
    """A default as a person writes it."""
    value = _default_value(setting)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == []:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def schema() -> str:
    """The JSON Schema of the settings file."""
    document = Settings.model_json_schema()
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    document["title"] = "Settings of the draft cleanup job"
    for setting in all_settings():
        group = document["$defs"][setting.section.title()]
        group["properties"][setting.name]["default"] = _default_value(setting)
    for section, reference in document["properties"].items():
        if section != "pairs":  # a group with every key commented out is null
            document["properties"][section] = {"anyOf": [{"$ref": reference["$ref"]}, {"type": "null"}]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def example() -> str:
    """`config.example.yaml`: every key with its default and its help text, those first that a first schedule needs."""
    first = [setting for setting in all_settings() if setting.key in FIRST]
    rest = [setting for setting in all_settings() if setting.key not in FIRST]
    lines = [
        "# yaml-language-server: $schema=docs/schemas/settings.json",
        "#",
        "# Copy this to config.yaml, and fill in what a first schedule needs. Written by `make settings`; do not edit.",
        "# Durations: 500ms, 10s, 5m, 2h, 7d, or seconds; ages need a unit. `off` disables a setting.",
        "# Paths are relative to this file, `~` is the home folder.",
        *_keys(first),
        "",
        BELOW,
        "# Everything else, with its default: uncomment what you change. A section stands only once in a file, so keys",
        "# of api, guard, find and output go into the sections above.",
        "",
        "# The list: a path (.csv .tsv .yaml .yml .json .jsonl), or the list itself.",
        "# pairs: drafts.csv",
        *(f"# {line}".rstrip() for line in _keys(rest)),
    ]
    return "\n".join(lines) + "\n"


def _keys(settings: Iterable[Setting]) -> Iterator[str]:
    """The lines of these settings, by section."""
    section = ""
    for setting in settings:
        if setting.section != section:
            section = setting.section
            yield from ("", f"{section}:")
        value = default_text(setting)
        yield f"  # {setting.help}."
        yield f"  {setting.name}: {'[]' if value == 'none' else value}"


def settings_table() -> str:
    """The table of settings."""
    rows = [
        "| key | flag | default | meaning |",
        "|---|---|---|---|",
        "| `pairs` | `PAIRS` | none | The list: a path, or the list itself |",
    ]
    for setting in all_settings():
        flag = f"`{setting.flag.name}`" if setting.flag.name else "(none: it is a secret)"
        rows.append(f"| `{setting.key}` | {flag} | `{default_text(setting)}` | {setting.help} |")
    return "\n".join(rows) + "\n"


def exit_code_table() -> str:
    """The table of exit codes."""
    rows = ["| code | meaning | in a CronJob |", "|---|---|---|"]
    for code in ExitCode:
        advice = "" if code is ExitCode.OK else "retry" if code.retry else "fail"
        rows.append(f"| {int(code)} | {code.meaning} | {advice} |")
    return "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """The pages with a table, each with the table replaced between its marks, `<!-- settings -->` and so on."""
    found: dict[Path, str] = {}
    for file, name, table in (
        ("settings.md", "settings", settings_table()),
        ("outcomes.md", "exit codes", exit_code_table()),
    ):
        page = ROOT / "docs" / file
        before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        assert end, f"{page} must have the marks for {name}"
        found[page] = before + start + table + end + after
    return found


def main() -> None:
    """Write what follows from the definitions."""
    (ROOT / "config.example.yaml").write_text(example(), encoding="utf-8")
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
