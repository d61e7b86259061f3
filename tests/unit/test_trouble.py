"""Why an attempt brought no answer: the kind of trouble, and a sentence, out of exceptions in any nesting."""

import errno
import ssl

import pytest

from cleanup.api.reply import Trouble
from cleanup.api.trouble import describe, explain


def tls_error(reason: str) -> ssl.SSLError:
    """An error as OpenSSL has it."""
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return error


def behind(*causes: BaseException) -> BaseException:
    """An exception of a library, behind which the others lie, each behind the one before."""
    outermost: BaseException = Exception("all attempts failed")
    error = outermost
    for cause in causes:
        error.__context__ = cause
        error = cause
    return outermost


def said(error: BaseException, *, sent: bool = False, proxy: str | None = None) -> str:
    """The sentence about it."""
    trouble = explain(error, refused_by_proxy=False)
    return describe(error, trouble, 10.0, proxy=proxy, at_proxy=False, sent=sent)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (TimeoutError(), Trouble.TIMEOUT),
        (behind(OSError("all failed"), TimeoutError()), Trouble.TIMEOUT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Trouble.CONNECTION),
        (ValueError("label too long"), Trouble.CONNECTION),
        (behind(tls_error("CERTIFICATE_VERIFY_FAILED")), Trouble.TLS),
        (behind(tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")), Trouble.TLS),
        (tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), Trouble.TLS),
        (tls_error("WRONG_VERSION_NUMBER"), Trouble.TLS),
        (tls_error("RECORD_LAYER_FAILURE"), Trouble.TLS),
        (tls_error("UNEXPECTED_EOF_WHILE_READING"), Trouble.CONNECTION),
        (tls_error("DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), Trouble.CONNECTION),
        (ssl.SSLError("no reason at all"), Trouble.CONNECTION),
    ],
    ids=repr,
)
def test_the_kind_of_trouble(error: BaseException, trouble: Trouble) -> None:
    """TLS is what the same two ends will always come to; a connection that broke may hold next time."""
    assert explain(error, refused_by_proxy=False) is trouble


@pytest.mark.parametrize(("text", "trouble"), [("407 Login", Trouble.PROXY), ("403 Forbidden", Trouble.CONNECTION)])
def test_only_a_proxy_that_wants_a_login_is_hopeless(text: str, trouble: Trouble) -> None:
    """What else a proxy says may be over soon."""
    assert explain(Exception(text), refused_by_proxy=True) is trouble


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (behind(OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")), "connection refused"),
        (behind(OSError("all failed"), OSError(errno.ENETUNREACH, "?")), "network is unreachable"),
        (behind(ExceptionGroup("several", [OSError(1, "?"), OSError(errno.EHOSTUNREACH, "?")])), "no route to host"),
        (behind(OSError(-2, "Name or service not known")), "Name or service not known"),
        (ValueError("label too long"), "label too long"),
        (ValueError(), "ValueError"),
    ],
    ids=repr,
)
def test_what_the_system_said_is_reported(error: BaseException, sentence: str) -> None:
    """Not what a library made of it."""
    assert said(error) == f"no connection: {sentence}"
    assert said(error, sent=True) == f"the connection broke: {sentence}"
    assert said(error, proxy="proxy:1") == f"no connection by way of the proxy proxy:1: {sentence}"


def test_a_timeout_says_what_was_waited_for() -> None:
    """A connection, or an answer."""
    assert said(TimeoutError()) == "no connection within 10 s"
    assert said(TimeoutError(), sent=True) == "no answer within 10 s"


def test_errors_that_lie_behind_each_other_in_a_circle_have_an_end() -> None:
    """Libraries raise again what they caught."""
    one, two = ValueError("one"), ValueError("two")
    one.__context__, two.__context__ = two, one
    assert explain(one, refused_by_proxy=False) is Trouble.CONNECTION
