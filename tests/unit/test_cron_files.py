"""What is in `cron/` for a host: crontab, systemd units, alert rules; in step with the program, harmless as shipped."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from cleanup.api.session import DRAIN_SECONDS
from cleanup.errors import ExitCode
from cleanup.records.call import PATIENCE_SECONDS
from cleanup.records.metrics import Figures, write_metrics
from cleanup.settings.table import all_settings
from cleanup.settings.values import parse_duration
from tests.as_shipped import CRON, FOR_GOOD, crontab, files_of, loaded_from, minute_of_day


def test_the_crontab_needs_nothing_from_its_surroundings() -> None:
    """A shell, a path, a locale; absolute paths; and nothing that cron itself would cut or take for a line break."""
    variables, lines = crontab()
    assert (CRON / "crontab").read_bytes().endswith(b"\n")
    assert set(variables) >= {"SHELL", "PATH", "LANG", "MAILTO"}
    assert variables["LANG"].endswith("UTF-8")
    for line in lines:
        assert line.user == "draft-cleanup"
        assert len(line.command) < 990  # Debian's cron cuts a command at 1,000
        assert "%" not in line.command
        words = shlex.split(line.command)
        assert words[:1] == ["cd"]
        assert all(words[place].startswith("/") for place in (1, 3, 4))
        assert words[-4:-1] == ["|", "tee", "-a"]
        assert words[-1].startswith("/")
    earlier, later = sorted(minute_of_day(line.schedule) for line in lines)
    assert earlier + parse_duration(variables["CLEANUP_LIMITS__DEADLINE"]) / 60 < later


@pytest.mark.parametrize("number", [0, 1], ids=["list", "sweep"])
def test_a_line_of_the_crontab_only_reads_until_one_value_is_changed(number: int, tmp_path: Path) -> None:
    """Its flags and variables load: quiet, with the key from a file; --yes where there is nobody to ask."""
    variables, lines = crontab()
    words = shlex.split(lines[number].command)
    argv = words[5 : words.index("2>&1")]
    assert loaded_from(argv, variables, tmp_path).settings.run.dry_run
    settings = loaded_from(argv, variables | {"CLEANUP_RUN__DRY_RUN": "false"}, tmp_path).settings
    assert not settings.run.dry_run
    assert settings.output.quiet
    assert Path(settings.api.key_file or "").is_absolute()
    assert (settings.run.yes, settings.run.resume) == ((False, True), (True, False))[number]
    other = shlex.split(lines[1 - number].command)
    others = files_of(loaded_from(other[5 : other.index("2>&1")], variables, tmp_path).settings)
    assert set(files_of(settings)) & set(others) == {settings.guard.backup}


def unit(name: str) -> dict[str, list[str]]:
    """The values of each key of a systemd unit."""
    found: dict[str, list[str]] = {}
    for line in (CRON / "systemd" / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_service_is_in_step_with_the_program(tmp_path: Path) -> None:
    """Settings load, it only reads as shipped, exit codes are retried alike, and there is time to end well."""
    service = unit("draft-cleanup.service")
    variables = dict(value.replace("%S", "/var/lib").split("=", 1) for value in service["Environment"])
    argv = shlex.split(service["ExecStart"][0].replace("${CREDENTIALS_DIRECTORY}", "/run/keys"))[2:]
    settings = loaded_from(argv, variables, tmp_path).settings
    assert settings.run.dry_run
    assert settings.run.yes
    assert {int(code) for code in service["RestartPreventExitStatus"][0].split()} == FOR_GOOD
    assert parse_duration(service["TimeoutStopSec"][0]) > DRAIN_SECONDS + 2 * PATIENCE_SECONDS + 10
    assert settings.limits.deadline is not None
    assert parse_duration(service["TimeoutStartSec"][0]) > settings.limits.deadline + DRAIN_SECONDS
    state = f"/var/lib/{service['StateDirectory'][0]}/"
    assert all(path.startswith(state) for path in files_of(settings))
    assert settings.api.key_file == f"/run/keys/{service['LoadCredential'][0].split(':')[0]}"
    assert unit("draft-cleanup.timer")["Persistent"] == ["yes"] or unit("draft-cleanup.timer")["Persistent"] == ["true"]


SINCE = {"LoadCredential": 247, "ProtectProc": 247, "ProtectClock": 245, "ProtectKernelLogs": 244, "Restart": 244}
"""The systemd that first knew a key of ours (Restart: of a oneshot service); all others are older than 244."""


def test_the_page_names_the_oldest_systemd_that_will_do() -> None:
    """By the keys of the service; `%d`, which only 250 knows, is not among its specifiers."""
    service = unit("draft-cleanup.service")
    assert not [value for values in service.values() for value in values if "%d" in value]
    needed = max(version for key, version in SINCE.items() if key in service)
    assert re.findall(r"systemd (\d+) or newer", (CRON / "README.md").read_text()) == [str(needed)]
    assert f"systemd {needed} or newer" in (CRON / "systemd" / "draft-cleanup.service").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    """Its own check of service and timer, with an interpreter that is there."""
    for name in ("draft-cleanup.service", "draft-cleanup.timer"):
        text = (CRON / "systemd" / name).read_text().replace("/opt/draft-cleanup/.venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text.replace("file:///opt/draft-cleanup/cron/README.md", "https://example.com"))
    units = sorted(map(str, tmp_path.iterdir()))
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


# ---- the operations page


def test_the_operations_page_knows_every_exit_code_and_file() -> None:
    """The page says what to check after each code. Links lead somewhere; settings and commands that it names exist."""
    page = (CRON / "README.md").read_text()
    codes = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE) for code in row.split(", ")}
    assert codes == {int(code) for code in ExitCode if code is not ExitCode.OK} | {137}
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (CRON / link).exists(), link
    reference = all_settings()
    assert set(re.findall(r"CLEANUP_\w+__\w+", page)) <= {setting.variable for setting in reference}
    sections = {setting.section for setting in reference}
    dotted = {name for name in re.findall(r"`(\w+\.\w+)`", page) if name.split(".")[0] in sections} - {"run.finished"}
    assert dotted
    assert dotted <= {setting.key for setting in reference}


# ---- alerts


def rules() -> Iterator[dict[str, Any]]:
    """Every alert."""
    for group in yaml.safe_load((CRON / "alerts.yaml").read_text())["groups"]:
        assert set(group) == {"name", "rules"}
        yield from group["rules"]


def test_alerts_ask_for_figures_that_there_are(tmp_path: Path) -> None:
    """Each name and label in a rule is in the metrics file that the program writes."""
    path = tmp_path / "nightly.prom"
    counts = {"listed": 1, "discarded": 0, "skipped": 0, "failed": 1, "not_attempted": 0}
    requests = {"total": 1, "retries": 0, "by_status": {"500": 1}}
    verified = {"checked": 0, "gone": 0, "not_gone": 0, "unknown": 0}
    summary = {"counts": counts, "failed": {"server_error": 1}, "requests": requests, "verified": verified}
    summary |= {"seconds": 1.0, "exit_code": 0, "mode": "discard"}
    write_metrics(str(path), Figures("nightly", summary, {}, 1.0))
    names = set(re.findall(r"^(draft_cleanup_\w+)\{", path.read_text(), re.MULTILINE))
    assert len(names) == 10
    alerts = list(rules())
    assert len({rule["alert"] for rule in alerts}) == len(alerts) >= 6
    for rule in alerts:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"]
        asked = set(re.findall(r"\b(?:draft_cleanup|kube_(?:job|cronjob))_\w+", rule["expr"]))
        assert asked
        assert {name for name in asked if name.startswith("draft_cleanup")} <= names


def test_no_alert_takes_a_dry_run_for_a_run_that_discards() -> None:
    """Each says which of the two it is about; those about dry runs end with the first run that discards."""
    real, dry = 'mode!~"dry-run|undo"', 'mode="dry-run"'
    for rule in rules():
        first, *others = re.findall(r"draft_cleanup_\w+(\{[^}]*\})?", rule["expr"]) or [None]
        if first is not None:
            assert (real in first) != (dry in first)
        if first is not None and dry in first:
            assert "DryRun" in rule["alert"] or rule["alert"] == "DraftCleanupOnlyLooks"
            assert "unless on (instance, task)" in rule["expr"]
            assert [real in other for other in others] == [True]


PROMTOOL: Final = shutil.which("promtool")
NIGHT: Final = """\
rule_files: [alerts.yaml]
tests:
  - interval: 1h
    input_series:
      # A list: its last real run was long ago, and dry runs go on.
      - series: 'draft_cleanup_last_run_timestamp_seconds{instance="a", task="list", mode="discard"}'
        values: '0x80'
      - series: 'draft_cleanup_last_success_timestamp_seconds{instance="a", task="list", mode="discard"}'
        values: '0x80'
      - series: 'draft_cleanup_last_run_timestamp_seconds{instance="a", task="list", mode="dry-run"}'
        values: '0+3600x80'
      - series: 'draft_cleanup_last_success_timestamp_seconds{instance="a", task="list", mode="dry-run"}'
        values: '0+3600x80'
      - series: 'draft_cleanup_exit_code{instance="a", task="list", mode="dry-run"}'
        values: '78x80'
      # A sweep that has only looked, and no longer does; its last dry run failed.
      - series: 'draft_cleanup_last_run_timestamp_seconds{instance="a", task="sweep", mode="dry-run"}'
        values: '0x80'
      - series: 'draft_cleanup_exit_code{instance="a", task="sweep", mode="dry-run"}'
        values: '77x80'
    promql_expr_test:
      - expr: 'count by (alertname, task) (ALERTS{alertstate="firing"})'
        eval_time: 60h
        exp_samples:
          - {labels: '{alertname="DraftCleanupNoSuccess", task="list"}', value: 1}
          - {labels: '{alertname="DraftCleanupDryRunMissing", task="sweep"}', value: 1}
          - {labels: '{alertname="DraftCleanupDryRunFailed", task="sweep"}', value: 1}
"""


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine (Debian: apt install prometheus)")
def test_prometheus_raises_the_alerts_that_are_meant(tmp_path: Path) -> None:
    """Its own check of the rules; and dry runs neither hide that real ones stopped nor raise their alarms."""
    (tmp_path / "alerts.yaml").write_text((CRON / "alerts.yaml").read_text())
    (tmp_path / "night.yaml").write_text(NIGHT)
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", "night.yaml"]):
        said = subprocess.run([str(PROMTOOL), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


def longest_night() -> float:
    """Hours from the moment that a host's run is due to its end, at the latest."""
    service, timer = unit("draft-cleanup.service"), unit("draft-cleanup.timer")
    deadlines = [dict(value.split("=", 1) for value in service["Environment"])["CLEANUP_LIMITS__DEADLINE"]]
    deadlines.append(crontab()[0]["CLEANUP_LIMITS__DEADLINE"])
    delay = parse_duration(timer["RandomizedDelaySec"][0].removesuffix("in"))
    return (max(map(parse_duration, deadlines)) + delay + DRAIN_SECONDS) / 3600


def test_an_alert_about_two_nights_knows_how_long_a_night_may_be() -> None:
    """What the second run mends raises no alarm while it is still at it; and no alarm waits for a third."""
    base = yaml.safe_load((CRON / "kubernetes" / "base" / "cronjob.yaml").read_text())["spec"]
    in_a_cluster = (base["startingDeadlineSeconds"] + base["jobTemplate"]["spec"]["activeDeadlineSeconds"]) / 3600
    windows = {parse_duration(rule["for"]) / 3600 for rule in rules() if "for" in rule} - {7 * 24, 21 * 24}
    assert all(24 + longest_night() < hours < 48 for hours in windows), windows
    thresholds = {int(hours) for rule in rules() for hours in re.findall(r"> (\d+) \* 3600", rule["expr"])}
    assert all(48 + max(longest_night(), in_a_cluster) < hours < 72 for hours in thresholds), thresholds
    assert windows
    assert thresholds


def test_a_warning_raises_an_alert_whatever_its_kind() -> None:
    """Kinds that a successful run may have are named one by one. Every other kind has a rule too, and none has two."""
    asked = [re.findall(r'draft_cleanup_warnings\{.*, kind(!?[=~]+)"(.*)"\} > 0', rule["expr"]) for rule in rules()]
    conditions = [found[0] for found in asked if found]
    apart = {kind for operator, kind in conditions if operator == "="}
    assert apart == {"none_found", "deprecation", "limited_nothing_done"}
    ((operator, others),) = [condition for condition in conditions if condition[0] != "="]
    assert (operator, set(others.split("|"))) == ("!~", apart)


@pytest.mark.parametrize("kind", ["none_found", "deprecation"])
def test_a_warning_that_one_run_alone_gives_is_reported_at_once(kind: str) -> None:
    """The next run may not repeat the warning, because pairs that were not found are `settled` by then."""
    (rule,) = [rule for rule in rules() if f'kind="{kind}"' in rule["expr"]]
    assert "for" not in rule
