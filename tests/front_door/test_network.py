"""Proxies, certificates and what an HTTP client carries along: as users expect, and no more."""

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cleanup.simulator import Simulator
from tests.conftest import Drafts, Runner
from tests.raw_api import DISCARDED, RawApi, answer, user

AGENT = "a" * 24


@dataclass
class Proxy:
    """A proxy on loopback: CONNECT and plain forwarding; `refuse` answers 407 to everything."""

    refuse: bool = False
    port: int = 0
    heads: list[str] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serve in a thread."""
        ready, loop = threading.Event(), asyncio.new_event_loop()

        async def serve() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._stop = asyncio.Event()
            ready.set()
            await self._stop.wait()
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            method, target, _ = head.split("\r\n")[0].split(" ")
            if self.refuse:
                writer.write(answer(407, "who are you?", "Proxy-Authenticate: Basic"))
                await writer.drain()
            else:
                place = target if method == "CONNECT" else target.split("/")[2]
                host, _, port = place.rpartition(":")
                upstream, downstream = await asyncio.open_connection(host, int(port))
                origin = f" http://{place}".encode()
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    downstream.write(head.encode("latin-1").replace(origin, b" "))
                await asyncio.gather(self._pump(reader, downstream, origin), self._pump(upstream, writer, origin))
        writer.close()

    @staticmethod
    async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, origin: bytes) -> None:
        """Pass on what comes, requests with their path alone."""
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data.replace(origin, b" "))
                await target.drain()
        target.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    key, found = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(found)], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + found.read_bytes())
    return both


def tls_api(certificate: Path, **more: Any) -> RawApi:
    """An API that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return RawApi(tls=context, **more)


def test_a_certificate_that_cannot_be_verified_ends_the_run(runner: Runner, certificate: Path) -> None:
    """Nothing is sent over a connection that nobody vouches for, and the sentence says what to do."""
    with tls_api(certificate).running() as api:
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
    with tls_api(certificate).running() as api, Proxy().running() as proxy:
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
    with Proxy(refuse=True).running() as proxy:
        address = f"http://robot:secret@127.0.0.1:{proxy.port}"
        ended = job(job.list_of(drafts(2)), env={"HTTP_PROXY": address})
    assert sim.requests() == []
    assert ended.summary["failed"] == {"unexpected_response": 2}
    assert ended.code == 3
    assert "secret" not in ended.stdout + ended.stderr


def test_a_tunnel_that_is_refused_was_never_sent(runner: Runner, certificate: Path) -> None:
    """Behind a proxy that refuses CONNECT, nothing has reached the API: tried again, then a failed connection."""
    with Proxy(refuse=True).running() as proxy:
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
