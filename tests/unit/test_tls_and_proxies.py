"""TLS and proxies against real sockets: what goes through, and what is said of what does not."""

from pathlib import Path

import pytest

from cleanup.api.reply import Trouble
from tests.certificates import make_certificate, serving
from tests.raw_api import Cut, Proxy, RawApi, answer, demanding_certificates, on_loopback, without_tls
from tests.wire import GOOD, discards, one_discard

pytestmark = pytest.mark.usefixtures("no_proxies")

GONE = "Server disconnected without sending a response."
LOGIN = answer(407, "who are you?", "Proxy-Authenticate: Basic")


def test_a_ca_of_ones_own_has_to_be_named(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS is verified always; without that CA nothing is sent."""
    with RawApi(tls=serving(certificate)).running() as api:
        reply = one_discard(api.url)
        assert (reply.trouble, reply.sent, reply.hopeless, api.requests) == (Trouble.TLS, False, True, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert [reply.body for reply in discards(api.url, 2)] == [GOOD, GOOD]


def test_an_unknown_ca_is_named_for_what_it_is(certificate: Path) -> None:
    """With what there is to do about it."""
    with RawApi(tls=serving(certificate)).running() as api:
        reply = one_discard(api.url)
    assert reply.message == (
        "the certificate of the server cannot be verified: self-signed certificate; "
        "if the CA is your own, set SSL_CERT_FILE to it"
    )


def test_a_certificate_of_another_host_is_named_for_what_it_is(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the name that was asked for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawApi(tls=serving(certificate)).running() as api:
        reply = one_discard(api.url.replace("localhost", "127.0.0.1"))
    assert (reply.trouble, reply.sent) == (Trouble.TLS, False)
    assert reply.message == (
        "the certificate of the server cannot be verified: IP address mismatch, certificate is not valid for "
        "'127.0.0.1'"
    )


def test_a_certificate_that_has_ended_is_named_for_what_it_is(
    ended_certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CA of one's own would not help, and is not spoken of."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ended_certificate))
    with RawApi(tls=serving(ended_certificate)).running() as api:
        reply = one_discard(api.url)
    assert reply.message == "the certificate of the server cannot be verified: certificate has expired"


def test_a_server_that_demands_a_certificate_can_never_be_used(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so only after the request's first byte."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with on_loopback(demanding_certificates(certificate)) as port:
        reply = one_discard(f"https://localhost:{port}/atoms/v1")
    assert (reply.trouble, reply.sent, reply.hopeless) == (Trouble.TLS, True, True)
    assert reply.message == "the server requires a client certificate, which this program does not support"


def test_a_port_that_speaks_no_tls_can_never_be_used() -> None:
    """The likely mistake is named."""
    with on_loopback(without_tls) as port:
        reply = one_discard(f"https://localhost:{port}/atoms/v1")
    assert (reply.trouble, reply.sent, reply.hopeless) == (Trouble.TLS, False, True)
    assert reply.message == (
        "the server does not speak TLS on this port: should it be http instead of https, or another port?"
    )


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http proxy", "https proxy"])
def test_a_proxy_tunnels_what_is_encrypted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, *, proxy_tls: bool
) -> None:
    """The proxy learns the destination and the client's name, and never sees the key."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = serving(certificate)
    with RawApi(tls=tls).running() as api, Proxy(tls=tls if proxy_tls else None).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert [reply.body for reply in discards(api.far_url, 2)] == [GOOD, GOOD]
        (head,) = proxy.heads
        assert head.startswith(f"CONNECT api.test:{api.port} HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic dXNAZXI6c2VjcmV0" in head
        assert "sk_test" not in head


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3"])
def test_this_machine_is_never_asked_by_way_of_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says: the key would go there in clear text."""
    with RawApi().running() as api, Proxy().running() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        reply = one_discard(api.url.replace("localhost", host))
        assert (reply.status is None, proxy.heads) == (host == "127.1.2.3", [])


@pytest.mark.parametrize(
    ("raw", "trouble", "message"),
    [
        (
            LOGIN,
            Trouble.PROXY,
            "no connection: the proxy {} requires a login (407 Whatever): add it to the proxy's URL",
        ),
        (answer(503), Trouble.CONNECTION, "no connection: the proxy {} refuses: 503 Whatever"),
        (Cut(b""), Trouble.CONNECTION, "no connection by way of the proxy {}: " + GONE),
    ],
)
def test_a_proxy_that_refuses_proves_that_nothing_was_sent(
    raw: bytes, trouble: Trouble, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is not the API's. It is named by host and port, never with its password."""
    with Proxy([raw]).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        reply = one_discard("https://api.test/atoms/v1")
    assert (reply.status, reply.trouble, reply.sent) == (None, trouble, False)
    assert reply.hopeless is (trouble is Trouble.PROXY)
    assert reply.message == message.format(proxy.place)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the API that refuses the connection."""
    with Proxy().running() as proxy:
        pass
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    reply = one_discard("https://api.test/atoms/v1")
    assert (reply.trouble, reply.sent) == (Trouble.CONNECTION, False)
    assert reply.message == f"no connection by way of the proxy {proxy.place}: connection refused"


def test_whose_certificate_it_is_that_cannot_be_verified(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy's own before its tunnel, the server's within it."""
    other = make_certificate(tmp_path, "localhost", "api.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    said: list[str | None] = []
    for api_shows, proxy_shows in ((certificate, other), (other, certificate)):
        with (
            RawApi(tls=serving(api_shows)).running() as api,
            Proxy(tls=serving(proxy_shows)).running() as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            reply = one_discard(api.far_url)
            assert (reply.trouble, reply.sent) == (Trouble.TLS, False)
            said.append((reply.message or "").replace(proxy.place, "PLACE").partition(" cannot be")[0])
    assert said == ["the certificate of the proxy PLACE", "the certificate of the server"]
