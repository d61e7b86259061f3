"""Explains why an attempt got no answer, and whether a retry can help. Pure."""

import errno
import ssl
from collections.abc import Iterator
from typing import Final

from cleanup.api.reply import Trouble

_PERMANENT: Final = (
    *("CERTIFICATE_VERIFY_FAILED", "CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "UNKNOWN_CA", "BAD_CERTIFICATE"),
    *("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "RECORD_LAYER_FAILURE"),
)
"""How OpenSSL's reasons end that a retry cannot change."""

_UNKNOWN_CA: Final = (18, 19, 20, 21)
"""OpenSSL's codes for a certificate that is self-signed or whose issuer is unknown."""

_SYSTEM_SAYS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
}
"""Used instead of asyncio's own messages for these errors, which do not say what happened."""


def explain(error: BaseException | None, *, refused_by_proxy: bool) -> Trouble:
    """The kind of trouble behind an error."""
    if refused_by_proxy and str(error).startswith("407"):
        return Trouble.PROXY
    if _permanent_reason(error) is not None:
        return Trouble.TLS
    timed_out = any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in _causes(error))
    return Trouble.TIMEOUT if timed_out else Trouble.CONNECTION


def describe(
    error: BaseException | None, trouble: Trouble, seconds: float, *, proxy: str | None, at_proxy: bool, sent: bool
) -> str:
    """Describe what happened. `proxy`: its host and port. `at_proxy`: it happened before the tunnel was set up."""
    far_end = f"the proxy {proxy}" if at_proxy else "the server"
    by_way = f" by way of the proxy {proxy}" if proxy is not None else ""
    text = _innermost(error)
    match trouble:
        case Trouble.TIMEOUT:
            return f"no answer within {seconds:g} s" if sent else f"no connection{by_way} within {seconds:g} s"
        case Trouble.TLS:
            return _tls_sentence(error, far_end)
        case Trouble.PROXY:
            return f"no connection: the proxy {proxy} requires a login ({text}): add it to the proxy's URL"
        case _ if text[:3].isdigit() and proxy is not None and not sent:
            return f"no connection: the proxy {proxy} refuses: {text}"
        case _ if not sent:
            return f"no connection{by_way}: {text}"
        case _:
            return f"the connection{by_way} broke: {text}"


def _tls_sentence(error: BaseException | None, far_end: str) -> str:
    reason = _permanent_reason(error) or ""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            advice = "; if the CA is your own, set SSL_CERT_FILE to it" if cause.verify_code in _UNKNOWN_CA else ""
            return f"the certificate of {far_end} cannot be verified: {cause.verify_message.rstrip('.')}{advice}"
    if reason.endswith(("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")):
        return f"{far_end} does not speak TLS on this port: should it be http instead of https, or another port?"
    if reason.endswith("CERTIFICATE_REQUIRED"):
        return f"{far_end} requires a client certificate, which this program does not support"
    return f"no TLS connection to {far_end} is possible: {reason.lower().replace('_', ' ')}"


def _permanent_reason(error: BaseException | None) -> str | None:
    """OpenSSL's reason, if it is one that a retry cannot change."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "reason", None) or ""
            if reason.endswith(_PERMANENT):
                return reason
    return None


def _innermost(error: BaseException | None) -> str:
    """The text of the system error at the root of an error, else of the error itself."""
    texts = [_text(cause) for cause in _causes(error) if isinstance(cause, OSError) and cause.errno]
    return texts[-1] if texts else _text(error)


def _text(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.errno:
        return _SYSTEM_SAYS.get(error.errno) or error.strerror or str(error)
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its chain of causes; of an exception group, the last exception."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        several = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        error = several[-1] if several else error.__cause__ or error.__context__
