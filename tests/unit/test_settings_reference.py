"""What is written from the definitions: the example and the schema say what the program does."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from cleanup.errors import SettingsError
from cleanup.settings.definitions import Settings
from cleanup.settings.reference import BELOW, FIRST, ROOT, default_text, example, pages, schema
from cleanup.settings.sources import load
from cleanup.settings.table import all_settings

A = "0123456701234567012345ab"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema()))


class Modern(yaml.SafeLoader):
    """YAML 1.2, as editors read it: `yes` and `off` are texts, only `true` and `false` are not."""


Modern.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for first, rest in (("t", "rue"), ("f", "alse")):
    Modern.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(f"{first}{rest}$"), [first])


def accepted_by_schema(text: str) -> bool:
    """Whether an editor accepts a settings file, under both versions of YAML that editors use."""
    old, new = (VALIDATOR.is_valid(_with_yes(yaml.load(text, loader) or {})) for loader in (yaml.SafeLoader, Modern))
    assert old == new, f"YAML 1.1 {old}, YAML 1.2 {new}: {text}"
    return old


def _with_yes(document: object) -> object:
    """The key `yes` is true in YAML 1.1; an editor keeps it as it is written."""
    if isinstance(document, dict):
        return {"yes" if key is True else key: _with_yes(value) for key, value in document.items()}
    return document


def accepted_by_program(text: str, folder: Path) -> bool:
    """Whether the program accepts it."""
    path = folder / "config.yaml"
    path.write_text(text)
    try:
        load({}, {}, str(path), folder)
    except SettingsError:
        return False
    return True


def test_the_files_are_what_the_definitions_write() -> None:
    """`make settings` would change nothing."""
    assert (ROOT / "config.example.yaml").read_text() == example()
    for page, text in pages().items():
        assert page.read_text(encoding="utf-8") == text


def test_the_example_has_every_key_with_its_default(tmp_path: Path) -> None:
    """Both halves load, their settings are the defaults, no key is missing, and the schema accepts them."""
    keys = []
    for half in halves():
        (tmp_path / "config.yaml").write_text(half)
        assert load({}, {}, None, tmp_path).settings == load({}, {}, None, tmp_path / "elsewhere").settings
        document = yaml.load(half, yaml.BaseLoader)
        keys += [f"{section}.{name}" for section, group in document.items() for name in group]
        assert all(Settings.model_fields[section].annotation for section in document)
        assert accepted_by_schema(half)
    assert keys[: len(FIRST)] == list(FIRST)
    assert sorted(keys) == sorted(setting.key for setting in all_settings())
    assert "# pairs: " in example()
    assert example().startswith("# yaml-language-server: $schema=docs/schemas/settings.json\n")
    assert accepted_by_schema(example())


def halves() -> tuple[str, str]:
    """The example down to the line, and what stands below it, uncommented."""
    first, _, rest = example().partition(BELOW + "\n")
    _, _, keys = rest.partition("# pairs: drafts.csv\n")
    return first, "".join(line.removeprefix("#").removeprefix(" ") for line in keys.splitlines(keepends=True))


def test_every_key_of_the_example_says_what_it_is_for() -> None:
    """The line above each key is its help, a sentence of some words."""
    lines = "".join(halves()).splitlines()
    for setting in all_settings():
        place = next(number for number, line in enumerate(lines) if line.startswith(f"  {setting.name}:")
                     and lines[number - 1] == f"  # {setting.help}.")  # fmt: skip
        assert len(lines[place - 1].split()) >= 5, setting.key
        assert len(lines[place - 1]) <= 120


def test_the_schema_shows_help_and_default_as_a_person_writes_them() -> None:
    """What an editor shows and completes is what the example has."""
    groups = json.loads(schema())["$defs"]
    for setting in all_settings():
        field = groups[setting.section.title()]["properties"][setting.name]
        assert field["description"] == setting.help
        shown = field["default"]
        if isinstance(shown, bool):
            shown = "yes" if shown else "no"
        assert default_text(setting) == (
            "none" if shown == [] else f"{shown:g}" if isinstance(shown, float) else str(shown)
        )


SAME: list[str] = [
    *(f"{setting.section}:\n  {setting.name}: {text}\n" for setting in all_settings()
      for text in ("off", '"off"', "[[]]", "{a: b}", "-1", "nonsense value", '""')),
    "", "limits:\n", "limits: 5\n", "limits: []\n", "nonsense: 1\n", "limits: {rte: 5}\n", "- 1\n",
    "pairs: l.csv\n", "pairs: []\n", f"pairs: {{'{A}': [d]}}\n", f"pairs: [['{A}', d]]\n", "pairs: ''\n",
    *(f"limits: {{deadline: {text}}}\n" for text in ("500ms", "1.5h", "7d", "90", "0", "0s", "5min", "2000000000")),
    *(f"limits: {{max_outage: {text}}}\n" for text in ("0", "0s", "5m", "2000000000")),
    *(f"api: {{timeout: {text}}}\n" for text in ("10s", "0", "0ms", "3")),
    *(f"{key}: {text}}}\n" for key in ("find: {older_than", "guard: {min_idle")
      for text in ("30d", "1.5 h", "1ms", "30", "0", "0d", "0.0ms", "5min")),
    *(f"output: {{ledger: {text}}}\n"
      for text in ("'no'", "'None'", "'-'", "'--'", "'yes'", "-x", "note.jsonl", "nothing", "sk_x", "./no")),
    *(f"limits: {{rate: {text}}}\n" for text in ("100", "0.5", "auto", "0", "1000000", "fast")),
    *(f"limits: {{concurrency: {text}}}\n" for text in ("1", "256", "0", "257", "1.5", "many")),
    *(f"limits: {{per_run: {text}}}\n" for text in ("0", "7", "1.5", "some")),
    *(f"find: {{max_share: {text}}}\n" for text in ("25%", "12.5%", "100%", "0.25", "0%", "101%", "25", "0")),
    *(f"run: {{yes: {text}}}\n" for text in ("yes", "no", "on", "true", "false", "maybe")),
    *(f"run: {{shard: {text}}}\n" for text in ("0/4", "4", "a/b")),
    *(f"run: {{note: {text}}}\n" for text in ("CHG-1", "4711", "x" * 1001, "'--'")),
    *(f"guard: {{protect: {text}}}\n" for text in (f"'{A}'", f"['{A}']", f"'{A}, {A}'", "[]", "[x]", "x")),
    *(f"find: {{name: {text}}}\n" for text in ("'test *'", "[a, 'b*']", "['a, b']", "'a, b'", "[]", "['']", "'--'")),
    *(f"api: {{base_url: '{text}'}}\n" for text in ("https://x.example/v1", "http://127.0.0.1:80/v1", "http://localhost")),
    *(f"api: {{base_url: '{text}'}}\n" for text in ("http://x.example", "ftp://x", "x", "https://x?q", "https://u@x")),
    *(f"output: {{heartbeat_url: '{text}'}}\n" for text in ("https://hc.example/x", "http://hc.example", "hc.example")),
    *(f"output: {{push_url: '{text}'}}\n" for text in ("https://u:p@gw/x", "http://gw", "gw", "http://gw/metrics/job/x")),
    *(f"output: {{push_url: '{text}'}}\n" for text in ("https://gw?x", "https://gw#x", "off")),
    *(f"output: {{log_format: {text}}}\n" for text in ("json", "auto", "xml")),
]  # fmt: skip


def test_the_schema_accepts_what_the_program_accepts(tmp_path: Path) -> None:
    """And refuses what it refuses: `off`, structures, ranges, unknown keys."""
    assert [text for text in SAME if accepted_by_schema(text) != accepted_by_program(text, tmp_path)] == []


@pytest.mark.parametrize("text", [f"guard: {{protect: [{'1' * 24}]}}\n", f"api: {{organization: {'1' * 24}}}\n"])
def test_an_id_of_digits_alone_needs_no_quotes(text: str, tmp_path: Path) -> None:
    """An editor takes it for a number, the program for what it is."""
    assert accepted_by_program(text, tmp_path)
    assert accepted_by_schema(text)


def test_no_two_settings_share_a_flag_or_a_key() -> None:
    """argparse would end every command with a traceback if two settings had the same flag."""
    flags = [setting.flag.name for setting in all_settings() if setting.flag.name is not None]
    keys = [setting.key for setting in all_settings()]
    assert sorted(set(flags)) == sorted(flags)
    assert sorted(set(keys)) == sorted(keys)
