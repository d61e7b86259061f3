"""The key appears nowhere: a canary goes through every error path, at debug level."""

import base64
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from cleanup.simulator import Simulator, World
from tests.conftest import Drafts, wait_until
from tests.monitors import listening, tells_no_secret
from tests.raw_api import DISCARDED, Cut, RawApi, answer, user
from tests.runner import ROOT, Ended, Runner

CANARY = "sk_canary/7Jq+9=%Zx&2~Wm" + "0aK5tR8u" * 4
AGENT = "a" * 24
FILES = (
    "--ledger",
    "ledger.jsonl",
    "--leftover",
    "left.csv",
    "--metrics",
    "m.prom",
    "--page",
    "page.html",
    "--log-level",
    "debug",
)


def forms(key: str = CANARY) -> set[str]:
    """The key as it may be written, and so much of it that nobody could call it hidden."""
    return {
        key,
        key[:12],
        key[-12:],
        quote(key, safe=""),
        quote_plus(key),
        base64.b64encode(key.encode()).decode(),
        base64.b64encode(f"Bearer {key}".encode()).decode(),
    }


def assert_hidden(ended: Ended, key: str = CANARY, besides: Iterable[str] = ()) -> None:
    """Neither stream and no file that the run wrote holds the key in any form."""
    written = {path.name: path.read_text() for path in ended.folder.iterdir() if path.is_file()}
    for name in besides:
        written.pop(name, None)
    for name, text in {"standard output": ended.stdout, "standard error": ended.stderr, **written}.items():
        for form in forms(key):
            assert form not in text, f"{form} in {name}"


def echoes() -> dict[str, list[bytes]]:
    """Everything that an API, or a proxy before it, may send the key back in."""
    whole = f"Bearer {CANARY}"
    texts = {
        "json": f'{{"status": false, "errors": ["invalid key {CANARY}", "{whole}"]}}',
        "object": f'{{"status": false, "error": {{"key": "{CANARY}"}}, "message": "{CANARY}"}}',
        "html": f"<html>{'x' * 120}{CANARY}{'y' * 500}",
        "cut": f"<html>{'x' * 185}{CANARY}",
        "cut-late": f"<html>{'x' * 280}{CANARY}",
        "excerpt": f"{' ' * 8170}{CANARY}",
        "url": f"<a href='/retry?key={quote(CANARY, safe='')}&again={quote_plus(CANARY)}'>",
        "base64": f"Authorization: {base64.b64encode(CANARY.encode()).decode()}",
    }
    headers = (
        f"X-Request-Id: {'x' * 190}{CANARY}",
        f"Deprecation: {CANARY}",
        f"Sunset: {whole}",
        f"Location: /{CANARY}",
        f"Retry-After: {CANARY}",
        f"Set-Cookie: key={CANARY}",
    )
    found = {
        f"{name}-{status}": [answer(status, text, *headers)]
        for name, text in texts.items()
        for status in (200, 302, 400, 403, 404, 409, 418, 423, 429, 500)
    }
    found |= {
        "garbage": [Cut(f"{CANARY} is not HTTP\r\n\r\n".encode())],
        "header": [Cut(answer(200, "{}", f"X-\x01{CANARY}: {CANARY}"))],
        "chunk": [Cut(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n".encode())],
        "length": [Cut(f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n".encode())],
        "ok": [DISCARDED],
    }
    return found


@pytest.mark.parametrize("style", ["json", "console"])
def test_an_api_that_sends_the_key_back(runner: Runner, style: str) -> None:
    """In bodies, headers, redirects and garbage, whole, cut off, encoded: in no stream, no file, no ping."""
    answers = {"user": [user(organization=f"of {CANARY}")], **echoes()}
    pairs = [(AGENT, name) for name in answers if name != "user"]
    with RawApi(answers).running() as api, listening() as monitor:
        ended = runner(
            runner.list_of(pairs),
            *("--base-url", api.url, "--rate", "off", "--retry-wait", "1ms", "--retry-max-wait", "1ms"),
            *("--attempts", "2", "--model", "drafts", "--log-format", style, *FILES),
            env={
                "SMALLEST_API_KEY": CANARY + "\n",
                "CLEANUP_OUTPUT__HEARTBEAT_URL": monitor.url,
                "CLEANUP_OUTPUT__PUSH_URL": monitor.url,
            },
        )
        assert all(headers["authorization"] == f"Bearer {CANARY}" for _, headers in api.requests)
    assert ended.code == 75
    assert ended.counts["listed"] == len(pairs)
    assert not ended.summary["not_attempted"]
    assert "[key]" in ended.stderr
    assert_hidden(ended)
    assert [call.method for call in monitor.calls] == ["GET", "POST", "POST"]
    for call in monitor.calls:
        assert not [form for form in forms() if form in f"{call}"]
    tells_no_secret(ended)


def test_a_refused_key(job: Runner, world: World, drafts: Drafts) -> None:
    """A 401 that repeats the key, at the start and from a key file."""
    world.echo_key = True
    pairs = job.list_of(drafts(2))
    for env, flags in (({"SMALLEST_API_KEY": CANARY}, ()), ({}, ("--key-file", job.write("key", f"{CANARY}\n")))):
        ended = job(pairs, *FILES, *flags, env=env)
        assert ended.code == 77
        assert_hidden(ended, besides=["key"])


@pytest.mark.parametrize("content", [f"{CANARY}\n{CANARY}\n", f"{CANARY}ä"])
def test_a_malformed_key_is_refused_unseen(job: Runner, sim: Simulator, drafts: Drafts, content: str) -> None:
    """A file or variable that is no key is named, and never quoted."""
    pairs = job.list_of(drafts(2))
    if content.startswith(CANARY + "\n"):
        ended = job(pairs, *FILES, env={"SMALLEST_API_KEY": content})
        assert ended.code == 78
        assert_hidden(ended)
    ended = job(pairs, *FILES, "--key-file", job.write("key", content))
    assert ended.code == 78
    assert sim.requests() == []
    assert_hidden(ended, besides=["key"])


def test_a_key_where_it_does_not_belong(job: Runner, drafts: Drafts) -> None:
    """A key in the settings file or an invented variable is refused by name, not by value."""
    pairs = job.list_of(drafts(2))
    job.write("settings.yaml", f"api:\n  key: {CANARY}\n")
    ended = job(pairs, "-c", "settings.yaml", env={"CLEANUP_API__KEY": CANARY})
    assert ended.code == 78
    assert len(ended.of("settings.invalid")) == 2
    assert_hidden(ended, besides=["settings.yaml"])


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    ("flags", "env"),
    [
        (
            (
                *("drafts.csv", "--key-file", CANARY, "--base-url", f"https://me:{CANARY}@api.example/v1"),
                *("--ledger", CANARY, "--organization", "o", "--rate", CANARY),
            ),
            {"CLEANUP_API__KEY_FILE": CANARY, "CLEANUP_API__BASE_URL": f"https://{CANARY}@api.example"},
        ),
        (
            (
                *(CANARY, "--key-file", CANARY.replace("/", "")),
                *("--base-url", f"https://api.example/v1?key={CANARY}", "--ledger", "ledger.jsonl"),
            ),
            {},
        ),
    ],
    ids=["four flags and two variables", "the list and two flags"],
)
def test_a_key_in_place_of_another_value(
    job: Runner, sim: Simulator, style: str, flags: tuple[str, ...], env: dict[str, str]
) -> None:
    """Each is refused, and shown neither in the log nor in what to do next, nor written anywhere."""
    job.list_of([(AGENT, "d1")])
    for command in ((), ("check",)):
        ended = job(*command, *flags, "--log-format", style, env=env)
        assert ended.code == 78
        refused = [line for line in ended.stderr.splitlines() if "settings.invalid" in line]
        assert len(refused) == sum(CANARY[-12:] in word for word in (*flags, *env.values()))
        assert all("(given: [hidden])" in line for line in refused)
        assert_hidden(ended)
    assert not sim.requests()


@pytest.mark.parametrize(
    "bug",
    [
        ("cleanup.discard.verdict", "of_discard", 75, {"interrupted": 2}),
        ("cleanup.api.owner", "owner_in", 1, {}),
    ],
)
def test_a_bug_is_reported_without_the_key(
    job: Runner, world: World, drafts: Drafts, tmp_path: Path, bug: tuple[str, str, int, dict[str, int]]
) -> None:
    """A traceback shows where, and no values; everything is written, and what was sent is not taken for unsent."""
    module, function, code, reason = bug
    place = tmp_path / "patched"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"import {module} as module\n"
        "from cleanup.api.transport import Transport\n"
        "send = Transport.send\n"
        "async def remember(self, *args, **more):\n"
        "    remember.key = self.key.authorization\n"
        "    return await send(self, *args, **more)\n"
        f"def {function}(*_args, **_more):\n"
        "    raise RuntimeError(f'no idea what to do with {remember.key}')\n"
        "Transport.send = remember\n"
        f"module.{function} = {function}\n"
    )
    pairs = job.list_of(drafts(2))
    world.add_key(CANARY)
    ended = job(pairs, *FILES, env={"SMALLEST_API_KEY": CANARY, "PYTHONPATH": str(place)})
    assert ended.code == code
    (told,) = [entry for entry in ended.of("run.bug") if "traceback" in entry]
    assert f"in {function}" in told["traceback"]
    assert "no idea what to do with Bearer [key]" in told["traceback"]
    assert ended.summary["exit_code"] == code
    assert ended.summary["failed"] == reason
    assert ended.events[-1]["event"] == "run.finished"
    assert_hidden(ended)


def test_the_process_list_does_not_show_it(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Neither the command line nor, for others, anything else of the process: the key comes by environment or file."""
    sim.workspace.latency = (0.2, 0.2)
    sim.world.add_key(CANARY)
    help_text = job("--help").stdout
    job.preloaded = None
    process = job.start(job.list_of(drafts(2)), env={"SMALLEST_API_KEY": CANARY})
    wait_until(sim.requests)
    shown = b"".join(
        Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "comm", "stat")
    ) + os.fsencode(str(process.args))
    ended = job.wait(process)
    assert ended.code == 0
    assert b"job.py" in shown
    assert not any(form.encode() in shown for form in forms())
    assert "--api-key" not in help_text
    assert "--key " not in help_text
