"""Generates `config.example.yaml` and the README's tables from the definitions, and makes the JSON Schema of them.

`python -m cleanup.settings.reference` (`make settings`) writes the former; `cleanup.schemas` writes all schemas.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from cleanup.errors import ExitCode
from cleanup.settings.definitions import Settings
from cleanup.settings.table import Setting, all_settings

ROOT: Final = Path(__file__).parents[2]


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
    """`config.example.yaml`: every key with its default and its help text."""
    lines = [
        "# yaml-language-server: $schema=docs/schemas/settings.json",
        "#",
        "# Every setting with its default. Copy to config.yaml and keep only what you change.",
        "# Durations: 500ms, 10s, 5m, 2h, 7d, or seconds; ages need a unit. `off` disables a setting.",
        "# Paths are relative to this file, `~` is the home folder. Written by `make settings`; do not edit.",
        "",
        "# The list: a path (.csv .tsv .yaml .yml .json .jsonl), or the list itself.",
        "# pairs: drafts.csv",
    ]
    section = ""
    for setting in all_settings():
        if setting.section != section:
            section = setting.section
            lines += ["", f"{section}:"]
        value = default_text(setting)
        lines.append(f"  # {setting.help}.")
        lines.append(f"  {setting.name}: {'[]' if value == 'none' else value}")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The README's table of settings."""
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
    """The README's table of exit codes."""
    rows = ["| code | meaning | in a CronJob |", "|---|---|---|"]
    for code in ExitCode:
        advice = "" if code is ExitCode.OK else "retry" if code.retry else "fail"
        rows.append(f"| {int(code)} | {code.meaning} | {advice} |")
    return "\n".join(rows) + "\n"


def with_tables(text: str) -> str:
    """The page with each table replaced between its marks, `<!-- settings -->` and `<!-- /settings -->`."""
    for name, table in (("settings", settings_table()), ("exit codes", exit_code_table())):
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda marks, table=table: marks[1] + table + marks[2], text)  # type: ignore[misc]
        assert count == 1, f"the page must have the marks for {name} exactly once"
    return text


def main() -> None:
    """Write what follows from the definitions."""
    (ROOT / "config.example.yaml").write_text(example(), encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
