"""The API key: where it comes from, when it is read again, how it is hidden."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.key import Key
from cleanup.errors import SettingsError


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
        ("sk_a sk_b", "it contains blanks"),
        ("SMALLEST_API_KEY=sk_a # prod", "it contains blanks"),
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
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, value: str) -> None:
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
    """Another content is another key, which is used once it is adopted."""
    file = tmp_path / "key"
    file.write_text("sk_one")
    key = Key(str(file), "sk_variable")
    assert key.read_again() is None
    (tmp_path / "next").write_text("sk_two")
    (tmp_path / "next").replace(file)
    assert key.read_again() == "sk_two"
    assert (key.number, key.authorization) == (0, "Bearer sk_one")
    key.adopt("sk_two")
    assert (key.number, key.authorization, key.read_again()) == (1, "Bearer sk_two", None)


@pytest.mark.parametrize("content", ["", "\n", "not a key", None])
def test_a_file_without_a_key_is_about_to_be_written(tmp_path: Path, content: str | None) -> None:
    """Empty, nonsense or gone: the one in use stays, and what comes next is read even with the same time stamp."""
    file = tmp_path / "key"
    file.write_text("sk_one")
    key = Key(str(file), None)
    file.unlink() if content is None else file.write_text(content)
    assert (key.read_again(), key.unsettled, key.authorization) == (None, True, "Bearer sk_one")
    file.write_text("sk_two")
    assert (key.read_again(), key.unsettled) == ("sk_two", False)


def test_a_key_that_was_only_read_is_hidden_too(tmp_path: Path) -> None:
    """It need not be in use."""
    file = tmp_path / "key"
    file.write_text("sk_one")
    key = Key(str(file), None)
    file.write_text("sk_number_two")
    assert key.read_again() == "sk_number_two"
    assert key.hide("sk_one and sk_number_two") == "[key] and [key]"


KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8).filter(
    lambda text: text[0] not in "\"'[{"
)


@given(KEYS, st.text(), st.text())
def test_no_form_of_a_key_is_left(value: str, before: str, after: str) -> None:
    """As it is, as part of a URL, in base64."""
    key = Key(None, value)
    for form in (value, quote(value, safe=""), base64.b64encode(value.encode()).decode()):
        assert form not in key.hide(before + form + after)
