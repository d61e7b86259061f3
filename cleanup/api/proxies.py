"""Determines the proxy for the API from the environment. Pure, except that it reads the environment as urllib does."""

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies

from cleanup.settings.urls import is_loopback

_PORTS = {"http": 80, "https": 443}


def proxy_for(base_url: str) -> str | None:
    """The URL of the proxy for `base_url`: HTTPS_PROXY, else ALL_PROXY, unless NO_PROXY names the host.

    Loopback addresses are never proxied. As http is allowed only to them, the key never reaches a proxy in clear text.
    """
    url = urlsplit(base_url)
    if is_loopback(url.hostname or ""):
        return None
    proxies = getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address or is_excepted(base_url, proxies.get("no", "")):
        return None
    return address if "://" in address else f"http://{address}"


def shown(proxy: str) -> str:
    """A proxy's host and port, without its password."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def is_excepted(base_url: str, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host: `*`, a domain (with subdomains), an address or a network, maybe with a port."""
    url = urlsplit(base_url)
    port = url.port or _PORTS.get(url.scheme)
    for entry in re.split(r"[,\s]+", no_proxy.lower()):
        scheme, separator, rest = entry.rpartition("://")
        name, number = _split(rest)
        if (
            (not separator or scheme in ("all", url.scheme))
            and number in ("", str(port))
            and _names(name, url.hostname or "")
        ):
            return True
    return False


def _split(entry: str) -> tuple[str, str]:
    """The host and port of an entry. An IPv6 address may come without brackets."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = entry.partition(":")
    return (host, port) if ":" not in port else (f"{host}{colon}{port}", "")


def _names(name: str, host: str) -> bool:
    if name == "*":
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        domain = name.removeprefix("*").lstrip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
