"""The API key: where it comes from, when it is read again, and how it is kept out of all output."""

import base64
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from cleanup.errors import SettingsError

VARIABLE: Final = "SMALLEST_API_KEY"
_GOOD: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_ASSIGNMENT: Final = re.compile(rf"^[ \t]*(?:export[ \t]+)?{VARIABLE}[ \t]*=(.*)$", re.MULTILINE)
_OTHER_KINDS: Final = (
    (re.compile("-----BEGIN "), "it is a certificate, or a key of another kind (PEM)"),
    (re.compile(r"[\[{]"), "it is JSON: write the key alone"),
    (re.compile(r"Bearer\s", re.IGNORECASE), "it begins with `Bearer`: write the key alone"),
    (re.compile(r"(export\s+)?[A-Z][A-Z0-9]*_[A-Z0-9_]*\s*=."), f"it sets variables, but not {VARIABLE}"),
    (re.compile(r".*\n", re.DOTALL), "it has several lines"),
    (re.compile(r".*\s"), "it contains blanks"),
    (re.compile(r"$"), "it is empty"),
)
"""How a text that is not a key begins, and what it is instead."""


class Key:
    """The key in use. `number` counts the keys read so far, so that a reply can say which one it was sent with.

    `unsettled`: the file was missing, empty or invalid when last read, so it may be in the middle of a rewrite.
    """

    def __init__(self, file: str | None, value: str | None) -> None:
        """Read the key from `file`, else from `value` (the variable). Raises SettingsError if there is no valid key."""
        self._file = Path(file) if file else None
        self._stamp: tuple[int, ...] = ()
        self.unsettled = False
        text = self._read(self._file) if self._file else _key_in(value or "")
        self._values = [_check(text, str(self._file or VARIABLE))]
        self._disguises = _disguises(text)

    @property
    def number(self) -> int:
        """The number of the key in use: 0 for the first that was read."""
        return len(self._values) - 1

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` header."""
        return f"Bearer {self._values[-1]}"

    def read_again(self) -> str | None:
        """Read the file again if it changed. Returns its key if it differs from the one in use."""
        if self._file is None:
            return None
        try:
            if _stamp_of(self._file) == self._stamp and not self.unsettled:
                return None
            text = _check(self._read(self._file), str(self._file))
        except SettingsError:
            self.unsettled = True
            return None
        self.unsettled = False
        self._disguises += _disguises(text)
        return None if text == self._values[-1] else text

    def adopt(self, text: str) -> None:
        """Use this key from now on."""
        self._values.append(text)

    def put_off(self) -> None:
        """Read the file again next time, because it could not be determined whether its new key may be used."""
        self.unsettled = True

    def hide(self, text: str) -> str:
        """Replace every key that was ever read, plain or encoded, in the text."""
        for disguise in self._disguises:
            if disguise in text:
                text = text.replace(disguise, "[key]")
        return text

    def readable_by_others(self) -> bool:
        """Whether the key file can be read by everybody on this machine."""
        try:
            return self._file is not None and bool(self._file.stat().st_mode & 0o004)
        except OSError:
            return False

    def _read(self, file: Path) -> str:
        self._stamp = _stamp_of(file)
        try:
            with file.open("rb") as stream:
                return _key_in(stream.read(1 << 16).decode("utf-8-sig"))
        except OSError as error:
            raise SettingsError(f"{file}: the key file cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{file}: this is not a key file: it is not text in UTF-8") from None


def _stamp_of(file: Path) -> tuple[int, ...]:
    """A value that changes whenever the file is rewritten. Raises SettingsError."""
    try:
        found = file.stat()
    except OSError as error:
        raise SettingsError(f"{file}: the key file cannot be read: {error.strerror}") from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _disguises(key: str) -> list[str]:
    """The forms in which a key may appear in an answer: plain, URL-encoded or in base64; the longest first."""
    coded = base64.b64encode(key.encode()).decode()
    forms = {key, quote(key, safe=""), quote_plus(key), coded, coded.rstrip("=")}
    return sorted(forms, key=len, reverse=True)


def _key_in(text: str) -> str:
    """Extract the key from a text: the bare or quoted key, or a file that sets the variable to it."""
    assigned = _ASSIGNMENT.findall(text)
    return _unquoted(assigned[-1] if assigned else text)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _check(text: str, origin: str) -> str:
    """Return the text if it may be a key. Raises SettingsError, which says what it seems to be without showing it."""
    kind = next((what for beginning, what in _OTHER_KINDS if beginning.match(text)), None)
    if kind is None and not _GOOD.fullmatch(text):
        kind = "it is too long, or has characters that are not printable ASCII"
    if kind is not None:
        raise SettingsError(f"{origin}: this is not an API key: {kind}")
    return text
