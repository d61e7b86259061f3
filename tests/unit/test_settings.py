"""Settings: where they come from, which one wins, and what is said of a wrong one."""

from pathlib import Path
from typing import Any

import pytest

from cleanup.errors import SettingsError
from cleanup.settings.sources import Loaded, Refused, load
from cleanup.settings.table import all_settings

A, B, C = (f"01234567012345670123456{last}" for last in "abc")


class Sources:
    """Loads settings out of flags, variables and a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "c.yaml"

    def load(self, flags: Any = None, environ: Any = None, file: str | bytes | None = None) -> Loaded:
        config = None
        if file is not None:
            self.file.write_bytes(file if isinstance(file, bytes) else file.encode())
            config = str(self.file)
        return load(flags or {}, environ or {}, config, self.folder)

    def value(self, key: str, flags: Any = None, environ: Any = None, file: str | bytes | None = None) -> Any:
        found: Any = self.load(flags, environ, file).settings
        for part in key.split("."):
            found = getattr(found, part)
        return found

    def said(self, flags: Any = None, file: str | None = None) -> list[str]:
        """What is said of them, if anything."""
        try:
            self.load(flags, None, file)
        except SettingsError as error:
            return list(error.problems)
        return []

    def problems(self, flags: Any = None, environ: Any = None, file: str | bytes | None = None) -> list[str]:
        """What is said of them; the file's folder left out."""
        with pytest.raises(SettingsError) as refusal:
            self.load(flags, environ, file)
        return [problem.replace(f"{self.folder}/", "") for problem in refusal.value.problems]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Sources in an empty folder."""
    return Sources(tmp_path)


def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(sources: Sources) -> None:
    """Key by key, and `off` is a value like any other."""
    flag, variable, file = {"limits.rate": "1"}, {"CLEANUP_LIMITS__RATE": "2"}, "limits:\n  rate: 3\n  per_run: 9\n"
    assert sources.value("limits.rate", flag, variable, file) == 1
    assert sources.value("limits.rate", {}, variable, file) == 2
    assert sources.value("limits.rate", {}, {}, file) == 3
    assert sources.value("limits.rate") == 5
    assert sources.value("limits.per_run", flag, variable, file) == 9
    assert sources.value("limits.rate", {"limits.rate": "off"}, variable, file) is None


def test_protected_agents_add_up(sources: Sources) -> None:
    """From every source, each in its own way of writing a list."""
    found = sources.value(
        "guard.protect",
        {"guard.protect": [A]},
        {"CLEANUP_GUARD__PROTECT": f"{B}, {A}"},
        f"guard:\n  protect:\n    - {C}\n",
    )
    assert set(found) == {A, B, C}


def test_kept_names_add_up(sources: Sources) -> None:
    """A glob of any source keeps its drafts, as a source that replaced it would give them away."""
    value = sources.value("guard.keep", {"guard.keep": ["a*"]}, {"CLEANUP_GUARD__KEEP": "b*"}, "guard:\n  keep: c*\n")
    assert value == ("a*", "b*", "c*")


@pytest.mark.parametrize("flag", [None, True])
@pytest.mark.parametrize("variable", [None, "no", "TRUE", "0", "on"])
@pytest.mark.parametrize("file", [None, "off", "yes", '"no"', "true"])
def test_a_dry_run_in_any_source_wins(
    sources: Sources, flag: bool | None, variable: str | None, file: str | None
) -> None:
    """Whatever the others say."""
    found = sources.value(
        "run.dry_run",
        {"run.dry_run": flag},
        {} if variable is None else {"CLEANUP_RUN__DRY_RUN": variable},
        None if file is None else f"run: {{dry_run: {file}}}\n",
    )
    assert found == (bool(flag) or variable in ("TRUE", "on") or file in ("yes", "true"))


def test_the_file_is_named_by_flag_or_variable_or_lies_beside(sources: Sources) -> None:
    """`--config`, else `$CLEANUP_CONFIG`, else `config.yaml` if there is one."""
    for name, rate in (("flag.yaml", 1), ("variable.yaml", 2), ("config.yaml", 3)):
        (sources.folder / name).write_text(f"limits: {{rate: {rate}}}\n")
    flag, variable = str(sources.folder / "flag.yaml"), {"CLEANUP_CONFIG": str(sources.folder / "variable.yaml")}
    assert load({}, variable, flag, sources.folder).settings.limits.rate == 1
    assert load({}, variable, None, sources.folder).settings.limits.rate == 2
    assert load({}, {"CLEANUP_CONFIG": ""}, None, sources.folder).settings.limits.rate == 3
    assert load({}, {}, None, sources.folder / "elsewhere").settings.limits.rate == 5


def test_a_file_that_is_meant_must_be_there(sources: Sources) -> None:
    """Also one whose name came out empty, and a link to nowhere where the usual file would be."""
    (sources.folder / "config.yaml").symlink_to("nowhere")
    for config, environ in (("missing.yaml", {}), ("", {}), (".", {}), (None, {"CLEANUP_CONFIG": "missing.yaml"})):
        with pytest.raises(SettingsError, match="settings file"):
            load({}, environ, config, sources.folder / "elsewhere")
    with pytest.raises(SettingsError, match="the settings file cannot be read"):
        load({}, {}, None, sources.folder)


def test_paths_of_the_file_are_relative_to_it(sources: Sources) -> None:
    """Those of flags and variables stay as they are: relative to the working directory."""
    loaded = sources.load(
        {"output.ledger": "flag.jsonl"},
        {"CLEANUP_OUTPUT__METRICS": "variable.prom"},
        'pairs: l.csv\napi: {key_file: key}\noutput: {summary: sub/s.json, list: /abs/l.csv, leftover: "OFF"}\n',
    )
    settings = loaded.settings
    assert (settings.output.ledger, settings.output.metrics) == ("flag.jsonl", "variable.prom")
    assert (settings.output.list, settings.output.leftover) == ("/abs/l.csv", None)
    assert settings.pairs == str(sources.folder / "l.csv")
    assert settings.api.key_file == str(sources.folder / "key")
    assert settings.output.summary == str(sources.folder / "sub/s.json")
    assert sources.value("pairs", file="pairs: '-'\n") == "-"


def test_a_tilde_is_the_home_folder(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every source, of every path, the list's and the settings file's included; elsewhere it is a character."""
    monkeypatch.setenv("HOME", str(sources.folder))
    file = "pairs: ~/l.csv\napi: {key_file: ~/key}\nguard: {backup: ~}\nrun: {note: ~/note}\n"
    (sources.folder / "home.yaml").write_text(file)
    flags, environ = (
        {"output.ledger": "~/l.jsonl"},
        {"CLEANUP_OUTPUT__METRICS": "~/m.prom", "CLEANUP_GUARD__BACKUP": "~"},
    )
    settings = load(flags, environ, "~/home.yaml", sources.folder).settings
    home = str(sources.folder)
    assert settings.pairs == f"{home}/l.csv"
    assert (settings.api.key_file, settings.output.ledger) == (f"{home}/key", f"{home}/l.jsonl")
    assert (settings.output.metrics, settings.guard.backup) == (f"{home}/m.prom", home)
    assert settings.run.note == "~/note"
    assert load({"pairs": "~/f.csv"}, {}, None, sources.folder).settings.pairs == f"{home}/f.csv"


def test_a_long_name_of_a_key_file_is_not_taken_for_a_key(sources: Sources) -> None:
    """It has no digit, or a folder before it, or an ending; a key has neither."""
    for name in ("the-workspace-cleanup-key-of-production", f"./{'k3y' * 12}", f"{'k3y' * 12}.txt"):
        assert sources.value("api.key_file", {"api.key_file": name}) == name


def test_a_file_of_an_odd_name_is_named_with_its_folder(sources: Sources) -> None:
    """A name that is refused by itself is accepted with `./` before it."""
    for name in ("no", "yes", "-", "~", "sk_live_0123456789"):
        assert sources.value("output.ledger", {"output.ledger": f"./{name}"}) == f"./{name}"


@pytest.mark.parametrize("file", ["", "# nothing\n", "~\n", "limits:\n", "limits:\n  rate:\n", "guard: ~\n"])
def test_nothing_is_no_setting(sources: Sources, file: str) -> None:
    """An empty file, group or key leaves the defaults."""
    assert sources.load(file=file).settings == sources.load().settings


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("hello\n", "c.yaml:1: settings must be a mapping"),
        ("- a\n", "c.yaml:1: settings must be a mapping"),
        ("limits: 5\n", "c.yaml:1: limits is a group of settings"),
        ("limits: [5]\n", "c.yaml:1: limits is a group of settings"),
        ("limits:\n  rate: 5\n  rate: 6\n", "c.yaml:3: duplicate key 'rate'"),
        ("limits: {rate: 5}\nlimits.rate: 6\n", "c.yaml:2: duplicate key 'limits.rate'"),
        ("limits:\n  rate: &a 5\n", "c.yaml:2: an anchor (&)"),
        ("limits:\n  rate: !!int 5\n", "c.yaml:2: a tag (!)"),
        ("limits: {}\n---\nlimits: {}\n", "c.yaml:2: a second document"),
        ("limits: [\n", "c.yaml:2: invalid YAML"),
        ("[" * 100_000, "c.yaml:1: nested deeper than 20"),
        (b"limits:\n  # caf\xe9\n  rate: 5\n", "c.yaml:2: cannot be decoded"),
        (b"limits:\n  rate: 5\x00\n", "c.yaml:2: cannot be decoded, or has a character that YAML forbids"),
    ],
)
def test_a_file_that_is_no_settings_file(sources: Sources, file: str | bytes, problem: str) -> None:
    """It is refused with the line."""
    assert [found[: len(problem)] for found in sources.problems(file=file)] == [problem]


UNKNOWN: list[tuple[Any, Any, str | None, str]] = [
    ({}, {}, "limits:\n  rte: 5\n", "c.yaml:2: limits.rte: no such setting; did you mean limits.rate?"),
    ({}, {}, "rate: 5\n", "c.yaml:1: rate: no such setting; did you mean limits.rate?"),
    ({}, {}, "limit:\n  rate: 5\n", "c.yaml:2: limit: no such setting; did you mean limits?"),
    ({}, {}, "Limits:\n  rate: 5\n", "c.yaml:2: Limits: no such setting; did you mean limits?"),
    ({}, {}, "pears: l.csv\n", "c.yaml:1: pears: no such setting; did you mean pairs?"),
    ({}, {}, "zzzzzz: 5\n", "c.yaml:1: zzzzzz: no such setting"),
    ({}, {"CLEANUP_RUN__YSE": "5"}, None, "CLEANUP_RUN__YSE: no such setting; did you mean CLEANUP_RUN__YES?"),
    ({}, {"CLEANUP_run__yes": "5"}, None, "CLEANUP_run__yes: no such setting; did you mean CLEANUP_RUN__YES?"),
    ({}, {"CLEANUP_API__KEY": "sk_x"}, None, "CLEANUP_API__KEY: no such setting; did you mean CLEANUP_API__KEY_FILE?"),
]


@pytest.mark.parametrize(("flags", "environ", "file", "problem"), UNKNOWN)
def test_an_unknown_name_is_refused_with_the_nearest(
    sources: Sources, flags: Any, environ: Any, file: str | None, problem: str
) -> None:
    """With its place, and never with its value."""
    assert sources.problems(flags, environ, file) == [problem]


def test_variables_of_others_are_none_of_ours(sources: Sources) -> None:
    """Kubernetes describes a Service called cleanup like this; with `__` in it a name is ours, and unknown."""
    others = {"CLEANUP_PORT": "tcp://10.0.0.1:80", "CLEANUP_PORT_80_TCP_ADDR": "10.0.0.1", "CLEANUP_SERVICE_HOST": "x"}
    assert sources.load({}, others | {"cleanup_limits__rate": "1"}).settings == sources.load().settings
    assert sources.problems({}, {"CLEANUP_PORT_80_TCP__X": "1"})[0].startswith("CLEANUP_PORT_80_TCP__X: no such")


ALMOST: list[tuple[str, str]] = [
    *((name, "CLEANUP_RUN__DRY_RUN") for name in ("CLEANUP_RUN_DRY_RUN", "CLEANUP_DRY_RUN", "CLEANUP_DRYRUN")),
    *((name, "CLEANUP_RUN__DRY_RUN") for name in ("CLEANUP__DRY_RUN", "CLEANUP_RUN___DRY_RUN", "CLEANUP_RUN__DRYRUN")),
    ("CLEANUP_LEDGER", "CLEANUP_OUTPUT__LEDGER"),
    ("CLEANUP_MAX_DISCARDS", "CLEANUP_LIMITS__MAX_DISCARDS"),
    ("CLEANUP_LIMIT", "CLEANUP_LIMITS__PER_RUN"),
    ("CLEANUP_HEARTBEAT_URL", "CLEANUP_OUTPUT__HEARTBEAT_URL"),
    ("CLEANUP_PUSH_URL", "CLEANUP_OUTPUT__PUSH_URL"),
]


@pytest.mark.parametrize(("name", "right"), ALMOST)
def test_a_variable_that_is_almost_a_settings_is_refused(sources: Sources, name: str, right: str) -> None:
    """Its underscores or its section are wrong, or it is called as the flag is: ignoring it might discard drafts."""
    assert sources.problems({}, {name: "s3cret"}) == [f"{name}: no such setting; did you mean {right}?"]


SECRETS: list[tuple[str, str]] = [
    *(("api.key_file", text) for text in ("sk_s3cret0123", "sk-s3cret-0123", "Bearer sk_s3cret", f"{'s3cret' * 6}")),
    *(
        ("api.base_url", text)
        for text in ("https://me:s3cret@x.example", "me:s3cret@x", "https://x/?t=s3cret", "http://a:s3/cret@[")
    ),
    ("output.ledger", "sk_s3cret"),
    ("pairs", "sk_s3cret"),
    ("limits.rate", "sk_s3cret"),
    ("guard.protect", "sk_s3cret"),
    ("output.heartbeat_url", "hc.example/s3cret"),
    *(("output.push_url", url) for url in ("me:s3cret@gw", "https://gw/?s3cret", "https://me:s3cret@gw/metrics/job/x")),
]


@pytest.mark.parametrize(("key", "value"), SECRETS)
def test_what_may_be_a_secret_is_not_shown(sources: Sources, key: str, value: str) -> None:
    """Wherever it was pasted, from every source; the key and its place are named all the same."""
    section, _, name = key.rpartition(".")
    said = [
        *sources.problems({key: [value] if key == "guard.protect" else value}),
        *sources.problems({}, {f"CLEANUP_{key}".upper().replace(".", "__"): value}),
        *sources.problems(file=f"{section}:\n  {name}: '{value}'\n" if section else f"{name}: '{value}'\n"),
    ]
    for problem in said:
        assert "s3" not in problem
        assert "cret" not in problem
        assert key in problem
        assert "(given: [hidden])" in problem


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_a_refusal_knows_how_the_log_is_written(sources: Sources, source: str, style: str) -> None:
    """By whichever source says so, though something else is wrong in all of them."""
    wrong = {"limits.rate": "fast"}
    flags: dict[str, str] = wrong | ({"output.log_format": style} if source == "flag" else {})
    environ = {"CLEANUP_OUTPUT__LOG_FORMAT": style} if source == "variable" else {}
    file = f"output: {{log_format: {style if source == 'file' else 'nonsense'}}}\nnonsense: 1\n"
    with pytest.raises(Refused) as refusal:
        sources.load(flags, environ, file)
    assert refusal.value.log_format == style


def test_a_wrong_value_is_refused_also_where_another_source_would_win(sources: Sources) -> None:
    """Each is named with its own place, all in one go."""
    assert sources.problems(
        {"limits.rate": "9", "guard.protect": [A, "zz"]},
        {"CLEANUP_LIMITS__RATE": "fast", "CLEANUP_RUN__DRY_RUN": "maybe", "CLEANUP_X__Y": "1"},
        f"limits:\n  rate: slow\nguard:\n  protect: [{B}, yy]\nrun:\n  dry_run: yes\nzzzzzz: 1\n",
    ) == [
        "CLEANUP_X__Y: no such setting; did you mean CLEANUP_RUN__YES?",
        "c.yaml:7: zzzzzz: no such setting",
        f"--protect: guard.protect 'zz' is not a valid agent id (24 lower-case hex digits) (given: ['{A}', 'zz'])",
        "CLEANUP_LIMITS__RATE: limits.rate must be 0.001 to 100000 requests per second, off, or auto (given: fast)",
        "CLEANUP_RUN__DRY_RUN: run.dry_run must be true or false (given: maybe)",
        "c.yaml:2: limits.rate must be 0.001 to 100000 requests per second, off, or auto (given: slow)",
        f"c.yaml:4: guard.protect 'yy' is not a valid agent id (24 lower-case hex digits) (given: ['{B}', 'yy'])",
    ]


def test_what_is_wrong_beside_a_broken_file_is_named_too(sources: Sources) -> None:
    """A file that cannot be read does not hide a wrong flag."""
    problems = sources.problems({"limits.rate": "x"}, {"CLEANUP_A__B": ""}, "[")
    assert [problem.partition(":")[0] for problem in problems] == ["CLEANUP_A__B", "c.yaml", "--rate"]


DURATION = "is not a duration: write 500ms, 10s, 5m, 2h, 7d, or seconds as a number"
RATE = "must be 0.001 to 100000 requests per second, off, or auto"
SHARE = "must be a share such as 25%, above 0% and at most 100%"
WHOLE = "must be a whole number"
AGE = "is not an age: write a number above zero with its unit, such as 30d, 12h or 45m"
GOOD: list[tuple[str, str, Any]] = [
    *(("limits.deadline", text, seconds) for text, seconds in (("500ms", 0.5), ("10s", 10), ("5m", 300))),
    *(
        ("limits.deadline", text, seconds)
        for text, seconds in (("7d", 604800), ("2h", 7200), ("1.5", 1.5), ("5 m", 300))
    ),
    *(("limits.deadline", text, None) for text in ("off", "OFF", '"off"', "false")),
    *(("limits.rate", text, rate) for text, rate in (("100", 100), ("0.5", 0.5), ("auto", "auto"), ("off", None))),
    *(
        ("find.max_share", text, share)
        for text, share in (("25%", 0.25), ("12.5%", 0.125), ("0.3", 0.3), ("off", None))
    ),
    *(("run.yes", text, True) for text in ("yes", "true", "on", "YES", '"on"')),
    *(("run.yes", text, False) for text in ("no", "false", "off", '"off"')),
    *(("limits.per_run", text, count) for text, count in (("0", 0), ("7", 7), ("off", None))),
    ("limits.max_outage", "0", 0),
    *(("find.older_than", text, seconds) for text, seconds in (("30d", 2592000), ("1.5 h", 5400), ("off", None))),
    ("guard.min_idle", "1ms", 0.001),
    ("run.shard", "0/4", (0, 4)),
    ("run.note", "4711", "4711"),
    ("find.name", "test *", ("test *",)),
    ("find.name", "off", ()),
    ("guard.keep", r'"keep-*\n Draft 1* \n"', ("keep-*", "Draft 1*")),
    ("guard.keep", "['Sales, EU *']", ("Sales, EU *",)),
    ("guard.protect", '"off"', ()),
    ("find.agents", f"[{A}, {B}]", (A, B)),
    ("api.organization", "012345670123456701234567", "012345670123456701234567"),
    ("api.base_url", "https://x.example/v1/", "https://x.example/v1"),
    *(("api.base_url", url, url) for url in ("http://127.0.0.1:5", "http://localhost/v1", "http://[::1]:80")),
]
BAD: list[tuple[str, str, str]] = [
    *((key, "keep-*,Draft 1*", "each glob on a line of its own") for key in ("guard.keep", "find.name", "find.editor")),
    *(("limits.deadline", text, DURATION) for text in ("-5m", "nan", "inf", "1e3", "5min", "1h30m", "''", "\u0665s")),
    ("limits.deadline", "0", "must be more than 0"),
    ("limits.deadline", "99999999999d", "must be at most 1000000000 seconds"),
    ("limits.deadline", "9" * 400, "must be at most 1000000000 seconds"),
    ("api.timeout", "0s", "must be more than 0"),
    ("api.timeout", "off", DURATION),
    ("retry.wait", "-1", DURATION),
    *(
        (key, text, AGE)
        for key in ("find.older_than", "guard.min_idle")
        for text in ("0", "0d", "0.0ms", "30", "-5d", "5min", "[5d]", "''")
    ),
    *(
        ("limits.rate", text, RATE)
        for text in ("0", "-1", "nan", "inf", "1e400", "1_0", "\uff15", "yes", "[5]", "{a: b}")
    ),
    *(("find.max_share", text, SHARE) for text in ("0", "0%", "101%", "25", "-5%", "nan", "1/4%", "1e999999999%")),
    *(("limits.concurrency", text, WHOLE) for text in ("x", "1.5", "nan", "inf", "[1]", "off", "''")),
    ("limits.concurrency", "0", "must be at least 1"),
    ("limits.concurrency", "257", "must be at most 256"),
    ("limits.max_discards", "-1", "must be at least 0"),
    ("limits.max_discards", "9" * 5000, "must be a smaller number"),
    ("limits.per_run", "-1", "must be at least 0"),
    ("retry.attempts", "0", "must be at least 1"),
    *(("run.yes", text, "must be true or false") for text in ("2", "maybe", "[]", "''")),
    *(("run.shard", text, "must be K/N with K from 0 to N-1") for text in ("4/4", "-1/4", "1/0", "a/b", "1")),
    *(("guard.protect", text, "is not a valid agent id") for text in ("[0123]", A.upper(), f"{A}x")),
    ("guard.protect", f"{{{A}: x}}", "must be a list"),
    ("guard.protect", "''", "must not be empty"),
    ("guard.protect", f"[{A}, ' ']", "must not be empty"),
    ("guard.protect", f"[{A}, ~]", "must be text"),
    ("guard.protect", f"[[{A}]]", "must be text"),
    ("find.name", "{a: b}", "must be a list"),
    ("output.ledger", "[a]", "must be text"),
    ("output.ledger", '"a\\0b"', "must not contain a NUL character"),
    ("output.ledger", "''", "must not be empty"),
    *(("output.ledger", text, f"must be a path: write off for none, or ./{text} for") for text in ("no", "NO", "none")),
    *((key, "yes", "must be a path or off") for key in ("output.summary", "guard.backup", "api.key_file")),
    ("output.leftover", "'-'", "write /dev/stdout for standard output"),
    ("guard.backup", "'-'", "`-` is not a folder"),
    ("api.key_file", "'-'", "the key is read from a file"),
    ("output.ledger", "~nobody-of-this-name/l", "begins with an unknown home folder"),
    ("pairs", "''", "must not be empty"),
    ("run.note", "x" * 1001, "must be at most 1000 characters"),
    ("api.model", "v3", "must be 'auto', 'drafts' or 'branches'"),
    ("output.log_level", "loud", "must be 'debug', 'info', 'warning' or 'error'"),
    *(("api.base_url", f"http://{host}", "must be https") for host in ("x.example", "127.0.0.1.x", "0.0.0.0")),
    *(("api.base_url", url, "must be a URL beginning") for url in ("x.example", "ftp://x", "https://", "https://x/ y")),
    *(("api.base_url", url, "must be a plain URL") for url in ("https://u:p@x", "https://x?q=1", "'https://x#f'")),
    ("api.base_url", "https://x:99999", "is not a URL"),
    ("output.heartbeat_url", "ftp://s3cret", "must be a URL beginning with https:// or http://"),
    ("output.push_url", "gw:9091", "must be a URL beginning with https:// or http://"),
    *(
        ("output.push_url", f"http://gw{more}", "must be the Pushgateway's base URL")
        for more in ("?x", "/metrics/job/y")
    ),
]


@pytest.mark.parametrize(("key", "text", "value"), GOOD)
def test_a_value_is_understood(sources: Sources, key: str, text: str, value: Any) -> None:
    """It means the same in the file and as a variable."""
    section, _, name = key.partition(".")
    assert sources.value(key, file=f"{section}:\n  {name}: {text}\n") == value
    if "[" not in text:
        written = text.strip('"').replace(r"\n", "\n")
        assert sources.value(key, environ={f"CLEANUP_{section}__{name}".upper(): written}) == value


@pytest.mark.parametrize("name", ["push_url", "heartbeat_url"])
def test_a_url_may_end_as_a_file_does(sources: Sources, name: str) -> None:
    """A Secret that was made from a file has the end of its line, too."""
    value = sources.value(f"output.{name}", environ={f"CLEANUP_OUTPUT__{name}".upper(): "https://gw.example/x/\n"})
    assert value.get_secret_value() == "https://gw.example/x"


@pytest.mark.parametrize(("key", "text", "problem"), BAD, ids=[f"{key}-{text[:12]}" for key, text, _ in BAD])
def test_a_value_is_refused(sources: Sources, key: str, text: str, problem: str) -> None:
    """With place, key and what it must be; the value is shown, cut short, unless it is a secret."""
    section, _, name = key.partition(".")
    file = f"{section}:\n  {name}: {text}\n" if name else f"\n{section}: {text}\n"
    (found,) = sources.problems(file=file)
    assert found.startswith(f"c.yaml:2: {key} ")
    assert problem in found
    assert len(found) < 300
    assert "s3cret" not in found
    assert "(given: " in found


def test_no_source_and_no_nonsense_ends_in_anything_but_a_sentence(sources: Sources) -> None:
    """Every setting against every odd value, as flag and in the file: understood, or refused by name."""
    odd = [
        "",
        " ",
        "off",
        "nan",
        "-inf",
        "-1",
        "1e999999999",
        "9" * 400,
        "yes",
        "[]",
        "\0",
        "\udcff",
        "\u0665",
        "a\nb",
        "%",
    ]
    for setting in all_settings():
        for text in odd:
            for problem in sources.said({setting.key: [text] if setting.flag.several else text}):
                assert setting.key in problem
                assert "Input should" not in problem
        for structure in ("[]", "{}", "[[]]", "{a: [b]}", "[~]"):
            for problem in sources.said(file=f"{setting.section}: {{{setting.name}: {structure}}}\n"):
                assert setting.key in problem
                assert "Input should" not in problem


def test_the_record_of_settings_has_no_secret(sources: Sources) -> None:
    """What the ledger keeps: durations as people write them, nothing of the heartbeat and the gateway."""
    urls = "heartbeat_url: 'https://hc.example/s3cret', push_url: 'https://me:s3cret@gw.example'"
    record = sources.load(file=f"output: {{{urls}}}\nlimits: {{deadline: 90m}}\n").record()
    assert "s3cret" not in str(record)
    assert not [name for name in record["output"] if name.endswith("_url")]
    assert record["limits"]["deadline"] == "90m"
    assert record["limits"]["rate"] == 5
