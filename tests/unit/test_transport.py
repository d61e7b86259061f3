"""Whom the environment's proxy is for, and how the key is kept and hidden."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.key import Key
from cleanup.api.proxies import is_excepted, proxy_for
from cleanup.errors import SettingsError

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
    """Whatever stands in NO_PROXY, it is an answer."""
    assert is_excepted(url, no_proxy) in (True, False)


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, API, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, API, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, API, "http://proxy:3128"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}, API, "http://small:1"),
        ({"HTTPS_PROXY": "proxy:3128"}, API, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, API, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://localhost:1/", "http://proxy:3128"),
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
    """The scheme's own variable before the one for all, lower case before upper case."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("written", ["sk_key\n", "\r\nsk_key \r\n", "\ufeffsk_key", "\tsk_key"])
def test_blanks_around_a_key_are_no_part_of_it(tmp_path: Path, written: str) -> None:
    """A file's last line break, or an editor's byte order mark, is not sent."""
    file = tmp_path / "key"
    file.write_text(written, encoding="utf-8", newline="")
    assert Key(str(file), None).authorization == "Bearer sk_key"
    if not written.startswith("\ufeff"):
        assert Key(None, written).authorization == "Bearer sk_key"


QUOTED = ["'sk_key'", '"sk_key"\n', "SMALLEST_API_KEY=sk_key\n", " export SMALLEST_API_KEY = 'sk_key'\r\n"]
AMONG_OTHERS = "# the keys\n#SMALLEST_API_KEY=sk_old\nOTHER_KEY=sk_other\nSMALLEST_API_KEY=sk_key\n\nPORT=80\n"


@pytest.mark.parametrize("written", [*QUOTED, AMONG_OTHERS])
def test_a_key_in_quotes_or_in_a_file_of_variables_is_understood(tmp_path: Path, written: str) -> None:
    """As shells and containers take it; what else such a file sets is nobody's business."""
    file = tmp_path / "key"
    file.write_text(written, encoding="utf-8", newline="")
    assert Key(str(file), None).authorization == "Bearer sk_key"
    assert Key(None, written).authorization == "Bearer sk_key"


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("", "it is empty"),
        ("SMALLEST_API_KEY=\n", "it is empty"),
        ("''", "it is empty"),
        ("sk_a\nsk_b", "it has several lines"),
        ("sk_a sk_b", "it has blanks"),
        ("SMALLEST_API_KEY=sk_a # prod", "it has blanks"),
        ('{"key":"sk_a"}', "it is JSON"),
        ("Bearer sk_a", "it begins with `Bearer`"),
        ("OTHER_API_KEY=sk_a", "it sets variables, but not SMALLEST_API_KEY"),
        ("export OTHER_KEY=sk_a\nB=sk_b", "it sets variables, but not SMALLEST_API_KEY"),
        ("-----BEGIN PRIVATE KEY-----\nsk_a\n", "it is a certificate"),
        ("sk_\u00e4", "characters that are not printable ASCII"),
        ("s" * 5000, "it is too long"),
    ],
)
def test_what_stands_in_place_of_a_key_is_named_for_what_it_is(tmp_path: Path, written: str, kind: str) -> None:
    """And nothing of it is shown."""
    file = tmp_path / "key"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        Key(str(file), None)
    assert f"{file}: this is not an API key: " in str(refused.value)
    assert kind in str(refused.value)
    assert "sk_" not in str(refused.value)


@pytest.mark.parametrize("value", ["sk_a\nb", "sk a", "sk_ä", "sk_\x00", "sk_\x7f", "s" * 5000, "", "  \n"])
def test_what_is_no_key_is_refused_without_being_told(tmp_path: Path, value: str) -> None:
    """The sentence says where the key was looked for and never what was found."""
    file = tmp_path / "key"
    file.write_text(value, encoding="utf-8", newline="")
    for source, name in (((str(file), None), str(file)), ((None, value), "SMALLEST_API_KEY")):
        with pytest.raises(SettingsError) as refused:
            Key(*source)
        assert name in str(refused.value)
        assert not value.strip() or value.strip() not in str(refused.value)


def test_a_file_that_is_no_text_is_no_key(tmp_path: Path) -> None:
    """Undecodable bytes are refused in a sentence."""
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not text"):
        Key(str(file), None)


def test_a_key_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    """Another content is another key; the same content, nonsense, or no file at all is none."""
    file = tmp_path / "key"
    file.write_text("sk_one")
    key = Key(str(file), "sk_variable")
    assert not key.refresh()
    (tmp_path / "next").write_text("sk_two")
    (tmp_path / "next").replace(file)
    assert key.refresh()
    assert (key.number, key.authorization) == (1, "Bearer sk_two")
    assert not key.refresh()
    file.write_text("not a key")
    assert not key.refresh()
    file.unlink()
    assert not key.refresh()
    assert key.authorization == "Bearer sk_two"
    assert key.hide("sk_one and sk_two") == "[key] and [key]"


KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8).filter(
    lambda text: text[0] not in "\"'[{"
)


@given(KEYS, st.text(), st.text())
def test_no_form_of_a_key_is_left(value: str, before: str, after: str) -> None:
    """As it is, as part of a URL, in base64."""
    key = Key(None, value)
    for form in (value, quote(value, safe=""), base64.b64encode(value.encode()).decode()):
        assert form not in key.hide(before + form + after)
