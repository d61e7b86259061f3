"""Which proxy the environment names, and for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.proxies import is_excepted, proxy_for, shown

API = "https://api.smallest.ai/atoms/v1"


@pytest.mark.parametrize(
    ("no_proxy", "url", "excepted"),
    [
        ("", API, False),
        ("*", API, True),
        ("api.smallest.ai", API, True),
        ("API.Smallest.AI", API, True),
        ("smallest.ai", API, True),
        (".smallest.ai", API, True),
        ("*.smallest.ai", API, True),
        ("allest.ai", API, False),
        ("smallest.ai.example", API, False),
        ("example.com, smallest.ai", API, True),
        ("example.com smallest.ai", API, True),
        ("api.smallest.ai:443", API, True),
        ("api.smallest.ai:8443", API, False),
        ("https://api.smallest.ai", API, True),
        ("http://api.smallest.ai", API, False),
        ("all://smallest.ai", API, True),
        ("[::1]", "http://[::1]:8080/v1", True),
        ("::1", "http://[::1]:8080/v1", True),
        ("[::1]:8080", "http://[::1]:8080/v1", True),
        ("[::1]:9090", "http://[::1]:8080/v1", False),
        ("0:0:0:0:0:0:0:1", "http://[::1]:8080/v1", True),
        ("127.0.0.1", "http://127.0.0.1:8080/v1", True),
        ("127.0.0.1:80", "http://127.0.0.1/v1", True),
        ("127.0.0.0/8", "http://127.0.0.1:8080/v1", True),
        ("10.0.0.0/8", "http://127.0.0.1:8080/v1", False),
        ("7.0.0.1", "http://127.0.0.1:8080/v1", False),
        ("localhost", "http://localhost:8080/v1", True),
        (", ,", API, False),
        (".", API, False),
    ],
)
def test_whom_no_proxy_names(no_proxy: str, url: str, excepted: bool) -> None:
    """Hosts, domains with all below them, addresses, networks, ports, schemes and the star."""
    assert is_excepted(url, no_proxy) is excepted


@given(st.text(max_size=30), st.sampled_from([API, "http://[::1]:8080/v1", "http://127.0.0.1/"]))
def test_no_no_proxy_is_an_error(no_proxy: str, url: str) -> None:
    """Whatever NO_PROXY contains, the answer is yes or no, never an exception."""
    assert is_excepted(url, no_proxy) in (True, False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, API, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, API, "http://proxy:3128"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}, API, "http://small:1"),
        ({"HTTPS_PROXY": "proxy:3128"}, API, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, API, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://localhost:1/", None),
        ({"HTTPS_PROXY": "http://proxy:3128", "ALL_PROXY": "http://all:1"}, "https://127.0.0.1/", None),
        ({"ALL_PROXY": "http://proxy:3128"}, "https://[::1]:1/", None),
        ({"ALL_PROXY": "http://proxy:3128"}, API, "http://proxy:3128"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://one:1"}, API, "http://one:1"),
        ({"HTTPS_PROXY": ""}, API, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "smallest.ai"}, API, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "*"}, API, None),
    ],
)
def test_which_variable_counts(
    environ: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheme's own variable before the one for all, lower case before upper case; for this machine, none."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize(
    ("proxy", "text"),
    [
        ("http://proxy:3128", "proxy:3128"),
        ("https://proxy", "proxy"),
        ("http://user:pass@proxy:3128", "proxy:3128"),
        ("http://us%40er:p%40ss@[::1]:3128/", "[::1]:3128"),
        ("http://user:p@ss@proxy:3128", "proxy:3128"),
    ],
)
def test_a_proxy_is_shown_without_its_password(proxy: str, text: str) -> None:
    """Host and port say which one it is."""
    assert shown(proxy) == text
