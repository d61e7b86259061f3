"""URLs in settings: which are accepted."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from cleanup.settings.hidden import Unshown


def is_loopback(host: str) -> bool:
    """Whether a URL's host is certainly this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(value: str) -> str:
    """The API's base URL, without a trailing slash. Raises ValueError."""
    if set("@?#").intersection(value):
        raise Unshown("must be a plain URL, without user, query or fragment")
    try:
        url = urlsplit(value)
        host, _port = url.hostname, url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if not re.fullmatch(r"[\x21-\x7e]+", value) or not host or url.scheme not in ("http", "https"):
        raise ValueError("must be a URL beginning with https://")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https: http would expose the key (http is allowed to a loopback address only)")
    return value.rstrip("/")


def check_web_url(given: Any) -> str:
    """A monitor's URL, without a trailing slash; it may be a secret. Raises ValueError."""
    value = str(given).strip()  # a Secret that was made from a file ends as the file does
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise Unshown("must be a URL beginning with https:// or http://")
    return value.rstrip("/")


def check_gateway_url(given: Any) -> str:
    """A Pushgateway's base URL, without a trailing slash; it may hold a user and a password. Raises ValueError."""
    value = check_web_url(given)
    if set("?#").intersection(value) or "/metrics/job" in value:
        raise Unshown("must be the Pushgateway's base URL: the job adds /metrics/job/… to it")
    return value
