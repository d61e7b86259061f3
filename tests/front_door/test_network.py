"""Proxies, certificates and what an HTTP client carries along: as users expect, and no more."""

import subprocess
from pathlib import Path

import pytest

from cleanup.simulator import Simulator
from tests.conftest import Drafts, Runner
from tests.raw_api import DISCARDED, Proxy, RawApi, answer, serving, user

AGENT = "a" * 24
REFUSAL = answer(407, "who are you?", "Proxy-Authenticate: Basic")


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


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_ca_of_ones_own(runner: Runner, certificate: Path, tmp_path: Path, variable: str) -> None:
    """Named in the environment, it is trusted, also behind a proxy's tunnel."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(certificate.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
    trusted = {variable: str(folder / "ca.pem" if variable == "SSL_CERT_FILE" else folder)}
    with RawApi(tls=serving(certificate)).running() as api, Proxy().running() as proxy:
        tunnel = {"https_proxy": f"http://127.0.0.1:{proxy.port}"}
        ended = runner(runner.list_of([(AGENT, "d1")]), "--base-url", api.url, "--rate", "off", env=trusted | tunnel)
        assert len(api.requests) == 2
        assert {head.split("\r\n")[0] for head in proxy.heads} == {f"CONNECT localhost:{api.port} HTTP/1.1"}
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


def test_a_plain_proxy_gets_every_request(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """HTTP_PROXY forwards, with its own credentials and nothing else about it in any output."""
    with Proxy().running() as proxy:
        address = f"http://robot:pass%21word@127.0.0.1:{proxy.port}"
        ended = job(
            job.list_of(drafts(5)), *("--log-level", "debug", "--ledger", "ledger.jsonl"), env={"HTTP_PROXY": address}
        )
        assert ended.code == 0
        assert sim.left() == set()
        assert proxy.heads
        assert all("proxy-authorization: basic" in head.lower() for head in proxy.heads)
    everything = ended.stdout + ended.stderr + "".join(path.read_text() for path in job.folder.iterdir())
    assert "pass" not in everything
    assert "robot" not in everything


def test_no_proxy(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whom NO_PROXY names is called directly; `[::1]` in it hurts nobody."""
    environ = {"ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": f"[::1],127.0.0.1:{sim.port}"}
    ended = job(job.list_of(drafts(1)), env=environ)
    assert ended.code == 0


@pytest.mark.parametrize("address", ["socks5://u:secret@127.0.0.1:1", "http://u:secret@127.0.0.1:99999"])
def test_a_proxy_that_cannot_be_used(job: Runner, sim: Simulator, drafts: Drafts, address: str) -> None:
    """It is refused in a sentence without its password, and nothing is sent past it."""
    ended = job(job.list_of(drafts(1)), env={"http_proxy": address})
    assert ended.code == 78
    assert sim.requests() == []
    assert "proxy" in ended.summary["next"]
    assert "secret" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_proxy_that_refuses(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A 407 is not the API's answer; its password is not told either."""
    with Proxy(REFUSAL).running() as proxy:
        address = f"http://robot:secret@127.0.0.1:{proxy.port}"
        ended = job(job.list_of(drafts(2)), env={"HTTP_PROXY": address})
    assert sim.requests() == []
    assert ended.summary["failed"] == {"unexpected_response": 2}
    assert ended.code == 3
    assert "secret" not in ended.stdout + ended.stderr


def test_a_tunnel_that_is_refused_was_never_sent(runner: Runner, certificate: Path) -> None:
    """Behind a proxy that refuses CONNECT, nothing has reached the API: tried again, then a failed connection."""
    with Proxy(REFUSAL).running() as proxy:
        ended = runner(
            runner.list_of([(AGENT, "d1")]),
            *("--base-url", "https://localhost:1/v1", "--retry-wait", "1ms", "--attempts", "2", "--rate", "off"),
            env={"HTTPS_PROXY": f"http://robot:secret@127.0.0.1:{proxy.port}"},
        )
    assert ended.summary["failed"] == {"connection": 1}
    assert "407" in ended.summary["failures"][0]["message"]
    assert "secret" not in ended.stdout + ended.stderr
    assert ended.code == 75


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
            assert set(headers) <= {"host", "authorization", "accept", "user-agent", "connection"}
            assert headers["authorization"] == f"Bearer {runner.environ['SMALLEST_API_KEY']}"
        assert api.connections == 1, "one connection, used again and again"
