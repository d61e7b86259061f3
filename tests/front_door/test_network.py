"""Proxies, certificates and what an HTTP client carries along: as users expect, and no more."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanup.simulator import Simulator
from tests.certificates import serving
from tests.conftest import Drafts
from tests.raw_api import (
    BASE,
    DISCARDED,
    Cut,
    Hang,
    Proxy,
    RawApi,
    answer,
    demanding_certificates,
    on_loopback,
    user,
    without_tls,
)
from tests.runner import Runner

AGENT = "a" * 24
WANTS_LOGIN = answer(407, "who are you?", "Proxy-Authenticate: Basic")
ABSENT = answer(404, '{"status": false, "errors": ["Draft not found"]}')
NO_DRAFTS = answer(200, '{"status": true, "data": []}')
FAST = ("--rate", "off", "--retry-wait", "1ms", "--retry-max-wait", "10ms")


def closing(raw: bytes) -> bytes:
    """The same answer, after which its connection is closed."""
    return raw.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def test_a_certificate_that_cannot_be_verified_ends_the_run(runner: Runner, certificate: Path) -> None:
    """Nothing is sent over a connection that nobody vouches for, and the sentence says what to do."""
    with RawApi(tls=serving(certificate)).running() as api:
        ended = runner(runner.list_of([(AGENT, f"d{n}") for n in range(5)]), "--base-url", api.url, "--rate", "off")
        assert api.requests == []
    assert ended.code == 78
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", "tls")
    assert ended.summary["not_attempted"] == {"stopped": 5}
    assert "SSL_CERT_FILE" in ended.summary["next"]
    assert ended.summary["requests"] == {"total": 1, "retries": 0, "by_status": {"tls": 1}}


@pytest.mark.unverified
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_ca_of_ones_own(runner: Runner, certificate: Path, tmp_path: Path, variable: str) -> None:
    """Named in the environment, it is trusted, also behind a proxy's tunnel."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(certificate.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
    trusted = {variable: str(folder / "ca.pem" if variable == "SSL_CERT_FILE" else folder)}
    with RawApi(tls=serving(certificate)).running() as api, Proxy().running() as proxy:
        tunnel = {"https_proxy": f"http://{proxy.place}"}
        ended = runner(runner.list_of([(AGENT, "d1")]), "--base-url", api.far_url, *FAST, env=trusted | tunnel)
        assert len(api.requests) == 2
        assert {head.split("\r\n")[0] for head in proxy.heads} == {f"CONNECT api.test:{api.port} HTTP/1.1"}
        # What is said in the tunnel is said to nobody else.
        assert not any("Authorization: Bearer" in head or "/atoms" in head for head in proxy.heads)
    assert ended.code == 0


def test_a_ca_file_that_cannot_be_used_is_named(runner: Runner, tmp_path: Path) -> None:
    """A wrong SSL_CERT_FILE is the user's to mend: a sentence, 78, nothing sent."""
    file = tmp_path / "ca.pem"
    ended = runner(
        *(runner.list_of([(AGENT, "d1")]), "--base-url", "https://localhost:1/v1"), env={"SSL_CERT_FILE": str(file)}
    )
    assert ended.code == 78
    assert f"SSL_CERT_FILE: {file}" in ended.summary["next"]
    assert "Traceback" not in ended.stderr


def test_this_machine_is_never_asked_by_way_of_a_proxy(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whatever the environment says: the key would go there in clear text."""
    with Proxy().running() as proxy:
        environ = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.url)
        ended = job(job.list_of(drafts(5)), env=environ)
        assert proxy.heads == []
    assert (ended.code, sim.left()) == (0, set())


@pytest.mark.parametrize("address", ["socks5://u:secret@127.0.0.1:1", "http://u:secret@127.0.0.1:99999"])
def test_a_proxy_that_cannot_be_used(runner: Runner, address: str) -> None:
    """It is refused in a sentence without its password, and nothing is sent past it."""
    with RawApi().running() as api:
        ended = runner(runner.list_of([(AGENT, "d1")]), "--base-url", api.far_url, env={"https_proxy": address})
        assert api.connections == 0
    assert ended.code == 78
    assert "proxy" in ended.summary["next"]
    assert "secret" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_that_is_none_is_a_setting_to_mend(runner: Runner) -> None:
    """It resembles an address, but is not valid."""
    ended = runner(runner.list_of([(AGENT, "d1")]), "--base-url", "https://1.2.3.999/atoms/v1")
    assert (ended.code, ended.of("run.bug")) == (78, [])
    assert "api.base_url: https://1.2.3.999/atoms/v1: invalid IPv4 address" in ended.summary["next"]


@contextmanager
def unusable(kind: str, certificate: Path, ended_certificate: Path) -> Iterator[bytes | int]:
    """What a proxy's script has for a connection that can never be used."""
    if kind == "expired":
        with RawApi(tls=serving(ended_certificate)).running() as api:
            yield api.port
    elif kind == "login":
        yield WANTS_LOGIN
    else:
        with on_loopback(without_tls if kind == "plain" else demanding_certificates(certificate)) as port:
            yield port


UNUSABLE = {
    "login": "the proxy {} requires a login (407 Whatever)",
    "expired": "the certificate of the server cannot be verified: certificate has expired",
    "demanding": "the server requires a client certificate",
    "plain": "the server does not speak TLS on this port",
}


@pytest.mark.unverified
@pytest.mark.parametrize("before", [0, 3], ids=["at the start", "in the middle"])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_connection_that_can_never_be_used_ends_the_run_at_once(
    runner: Runner, certificate: Path, ended_certificate: Path, tmp_path: Path, kind: str, before: int
) -> None:
    """It is not tried again, and the reason is reported, without the proxy's password."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificate.read_bytes() + ended_certificate.read_bytes())
    with (
        RawApi({"user": [closing(user())]}, otherwise=closing(DISCARDED), tls=serving(certificate)).running() as api,
        unusable(kind, certificate, ended_certificate) as script,
        Proxy([api.port] * before + [script]).running() as proxy,
    ):
        ended = runner(
            runner.list_of([(AGENT, f"d{n}") for n in range(9)]),
            *("--base-url", api.far_url, "--concurrency", "1", "--log-level", "debug", *FAST),
            env={"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(trusted)},
        )
        assert (len(proxy.heads), len(api.requests)) == (before + 1, before)
    assert ended.code == 78
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("stopped" if before else "refused", "tls")
    assert UNUSABLE[kind].format(proxy.place) in ended.of("run.finished")[0]["reason"]
    assert ended.counts["not_attempted"] == (6 if before else 9)
    assert "secret" not in ended.stdout + ended.stderr + (ended.folder / "summary.json").read_text()


def test_a_tunnel_that_is_refused_was_never_sent(runner: Runner) -> None:
    """Behind a proxy that refuses CONNECT for now, nothing has reached the API: tried again, then it has failed."""
    with Proxy([answer(503)] * 9).running() as proxy:
        ended = runner(
            runner.list_of([(AGENT, "d1")]),
            *("--base-url", f"https://api.test:1{BASE}", "--attempts", "2", *FAST),
            env={"HTTPS_PROXY": proxy.url},
        )
    assert ended.summary["failed"] == {"connection": 1}
    assert ended.summary["failures"][0]["message"] == f"no connection: the proxy {proxy.place} refuses: 503 Whatever"
    assert "secret" not in ended.stdout + ended.stderr
    assert ended.code == 75


def test_no_connection_in_time_is_reported_as_such(runner: Runner) -> None:
    """It is not the API that was too slow."""
    with Proxy([Hang(b"")] * 9).running() as proxy:
        ended = runner(
            runner.list_of([(AGENT, "d1")]),
            *("--base-url", f"https://api.test:1{BASE}", "--attempts", "1", "--timeout", "200ms", *FAST),
            env={"HTTPS_PROXY": proxy.url},
        )
    assert ended.summary["failed"] == {"timeout": 1}
    assert ended.summary["failures"][0]["message"] == (f"no connection by way of the proxy {proxy.place} within 0.2 s")


def test_a_draft_is_not_found_when_the_attempt_before_was_never_sent(runner: Runner, certificate: Path) -> None:
    """Nobody has discarded it: it was gone before."""
    answers = {"user": [closing(user())], "d1": [ABSENT], "drafts": [NO_DRAFTS]}
    with (
        RawApi(answers, tls=serving(certificate)).running() as api,
        Proxy([api.port, answer(503)]).running() as proxy,
    ):
        ended = runner(
            *(runner.list_of([(AGENT, "d1")]), "--base-url", api.far_url, *FAST),
            env={"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(certificate)},
        )
        assert (api.asked("d1"), api.asked("drafts")) == (1, 1)
    assert (ended.code, ended.summary["skipped"], ended.summary["requests"]["retries"]) == (0, {"not_found": 1}, 1)


def test_a_draft_is_gone_after_retry_when_the_attempt_before_was_lost(runner: Runner) -> None:
    """It was cut off after its first byte, and may have been carried out."""
    with RawApi({"d1": [Cut(b""), ABSENT], "drafts": [NO_DRAFTS]}).running() as api:
        ended = runner(runner.list_of([(AGENT, "d1")]), "--base-url", api.url, *FAST)
        assert (api.asked("d1"), api.asked("drafts")) == (2, 1)
    assert (ended.code, ended.summary["skipped"]) == (0, {"gone_after_retry": 1})


def test_an_unexpected_response_is_reported_in_its_own_words(runner: Runner) -> None:
    """Where a redirect leads, what a page says, what could not be read."""
    raw = {
        "redirect": answer(302, "", "Location: https://login.test/?next=/atoms"),
        "page": answer(
            200, "<html><head><title>x</title></head><h1>Sign in</h1> to go on</html>", "Content-Type: text/html"
        ),
        "encoded": answer(200, b"\x1f\x8b", "Content-Encoding: gzip, gzip"),
        "refused": answer(200, '{"status": false, "errors": ["not on Sundays"]}'),
    }
    with RawApi({name: [found] for name, found in raw.items()}).running() as api:
        ended = runner(runner.list_of([(AGENT, name) for name in raw]), "--base-url", api.url, *FAST)
        assert all(api.asked(name) == 1 for name in raw)
    assert ended.summary["failed"] == {"unexpected_response": 4}
    assert {failure["draft"]: failure["message"] for failure in ended.summary["failures"]} == {
        "redirect": "it redirects to https://login.test/?next=/atoms",
        "page": "Sign in to go on",
        "encoded": "a body with the encoding gzip, gzip, which was not requested",
        "refused": "not on Sundays",
    }


@pytest.mark.unverified
def test_what_is_carried_along(runner: Runner, tmp_path: Path) -> None:
    """The key, what is accepted and who asks: no cookie that came, no password of a .netrc, no body."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine localhost login robot password secret\ndefault login a password b\n")
    (home / ".netrc").chmod(0o600)
    cookie = "Set-Cookie: session=tasty; Path=/"
    with RawApi(
        {"user": [user().replace(b"\r\n", f"\r\n{cookie}\r\n".encode(), 1)]},
        otherwise=DISCARDED.replace(b"\r\n", f"\r\n{cookie}\r\n".encode(), 1),
    ).running() as api:
        ended = runner(
            runner.list_of([(AGENT, f"d{n}") for n in range(3)]),
            *("--base-url", api.url, "--rate", "off", "--concurrency", "1"),
            env={"HOME": str(home), "NETRC": str(home / ".netrc")},
        )
        assert ended.code == 0
        first, *others = [line for line, _ in api.requests]
        assert first == "GET /atoms/v1/user HTTP/1.1"
        deeds = [f"DELETE /atoms/v1/agent/{AGENT}/drafts/{draft} HTTP/1.1" for draft in ("d0", "d1", "d2")]
        assert sorted(others) == deeds
        for _, headers in api.requests:
            assert set(headers) <= {"host", "authorization", "accept", "accept-encoding", "user-agent", "connection"}
            assert headers["accept-encoding"] == "identity"
            assert headers["authorization"] == f"Bearer {runner.environ['SMALLEST_API_KEY']}"
        assert api.connections == 1, "one connection, used again and again"
