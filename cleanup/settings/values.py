"""The types of settings that no library provides: durations, shares, shards, and "off"."""

import math
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, ValidationInfo, WithJsonSchema

from cleanup.lists.ids import AGENT_PATTERN, is_agent
from cleanup.settings.hidden import Unshown, looks_like_key
from cleanup.settings.paths import path, pattern_of_no_path, resolved
from cleanup.settings.urls import check_base_url, check_gateway_url, check_web_url

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)", re.ASCII)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_LONGEST = 1e9


def parse_duration(value: Any) -> float:
    """Seconds in a duration: `500ms`, `10s`, `5m`, `2h`, `7d`, or a number of seconds."""
    match = _DURATION.fullmatch(str(value).strip())
    if not match:
        raise ValueError("is not a duration: write 500ms, 10s, 5m, 2h, 7d, or seconds as a number")
    seconds = float(match[1]) * _UNITS[match[2] or "s"]
    if not seconds <= _LONGEST:
        raise ValueError(f"must be at most {_LONGEST:.0f} seconds")
    return seconds


def _parse_age(value: Any) -> float:
    """Seconds in an age. Text needs a unit, since a bare `30` may mean days; only the program passes numbers."""
    if isinstance(value, (int, float)):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if not (match and match[2] and float(match[1])):
        raise ValueError("is not an age: write a number above zero with its unit, such as 30d, 12h or 45m")
    return parse_duration(value)


def duration_text(seconds: float) -> str:
    """A duration as a person writes it: the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def is_off(value: Any) -> bool:
    """Whether a value means off: `off`, or `false`, which is how YAML editors read an unquoted `off`."""
    return str(value).strip().lower() in ("off", "false")


def share_text(share: float) -> str:
    """A share as a person writes it: 12.5%."""
    return f"{100 * share:g}%"


def _off_is_none(value: Any) -> Any:
    return None if is_off(value) else value


def _parse_number(text: str) -> float:
    """The number, or nan, which fails every range check, if the text is not a number."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def _parse_rate(value: Any) -> float | Literal["auto"]:
    text = str(value).strip().lower()
    if text == "auto":
        return "auto"
    rate = _parse_number(text)
    if not 0.001 <= rate <= 100_000:
        raise ValueError("must be 0.001 to 100000 requests per second, off, or auto")
    return rate


def _parse_share(value: Any) -> float:
    text = str(value).strip()
    share = _parse_number(text[:-1]) / 100 if text.endswith("%") else _parse_number(text)
    if not 0 < share <= 1:
        raise ValueError("must be a share such as 25%, above 0% and at most 100%")
    return share


def _is_all(value: Any) -> bool:
    return str(value).strip().lower() == "all"


class ShardOf(NamedTuple):
    """Share `number` (from 0) of `of` shares."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def _parse_shard(value: Any) -> ShardOf:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value).strip(), re.ASCII)
    if not match or not int(match[1]) < int(match[2]):
        raise ValueError("must be K/N with K from 0 to N-1, such as 0/4")
    return ShardOf(int(match[1]), int(match[2]))


def _parse_sha256(value: Any) -> str:
    text = str(value).strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII):
        raise ValueError("must be a SHA-256 hash of 64 hex digits, as sha256sum prints it")
    return text


def _one_or_many(value: Any) -> Any:
    if is_off(value):
        return []
    return [value] if isinstance(value, str) else value


def _split(value: Any) -> Any:
    texts = _one_or_many(value)
    if not isinstance(texts, list):
        return texts
    return [word for text in texts for word in _words(text)]


def _lines(value: Any) -> Any:
    """A text has a glob on each of its lines, as an environment variable can hold no list."""
    if not isinstance(value, str) or is_off(value):
        return _one_or_many(value)
    if "," in value:  # taken as one glob, it would match nothing, and protect nothing
        raise ValueError("must have each glob on a line of its own, and `?` for a comma in a name")
    return [line.strip() for line in value.splitlines() if line.strip()] or [value]


def _words(text: Any) -> list[Any]:
    if not isinstance(text, str):
        return [text]
    words = [word for word in re.split(r"[,\s]+", text) if word]
    if not words:
        raise ValueError("must not be empty")
    return words


def _check_agent(value: str) -> str:
    if not is_agent(value):
        shown = "a value that looks like a key" if looks_like_key(value) else repr(value)
        raise ValueError(f"{shown} is not a valid agent id (24 lower-case hex digits)")
    return value


def _check_text(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    if value == "--":
        raise ValueError("must not be `--`, which no flag can hold")
    return value


def _check_pairs(value: Any) -> Any:
    if value == "":
        raise ValueError("must not be empty: give the path of a list, or the list itself")
    return _off_is_none(value)


def _pairs_path(value: Any, info: ValidationInfo[Any]) -> Any:
    if not isinstance(value, str) or value == "-":
        return value
    if looks_like_key(value):
        raise Unshown("must be the path of a list, but this looks like a key")
    return resolved(value, info.context)


def _off_or(schema: dict[str, Any]) -> WithJsonSchema:
    # An editor may read an unquoted `off` as false.
    return WithJsonSchema({"anyOf": [schema, {"enum": ["off", False]}]})


_DURATION_PATTERN = r"\d+(\.\d+)?\s*(ms|s|m|h|d)?$"
_DURATION_SCHEMA = {"type": ["string", "number"], "pattern": "^" + _DURATION_PATTERN, "minimum": 0, "maximum": _LONGEST}
_AGE_SCHEMA = {"type": "string", "pattern": "^(?=.*[1-9])" + _DURATION_PATTERN.replace("?$", "$")}
_POSITIVE_SCHEMA = _DURATION_SCHEMA | {"pattern": "^(?=.*[1-9])" + _DURATION_PATTERN, "exclusiveMinimum": 0}
# An editor takes unquoted digits (the note 4711, an organization's id) for a number.
_TEXT_SCHEMA = {"type": ["string", "number"], "minLength": 1, "not": {"const": "--"}}
_PATH_SCHEMA = _TEXT_SCHEMA | {"not": {"type": "string", "pattern": pattern_of_no_path()}}
_SHARE_SCHEMA = {
    "type": ["string", "number"],
    "pattern": r"^(?=.*[1-9])(100(\.0+)?|\d{1,2}(\.\d+)?)%$",
    "exclusiveMinimum": 0,
    "maximum": 1,
}
_AGENT_SCHEMA = {"type": ["string", "number"], "pattern": AGENT_PATTERN}

Switch = Annotated[bool, WithJsonSchema({"enum": [True, False, "yes", "no", "on", "off", "true", "false"]})]
Seconds = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(duration_text), WithJsonSchema(_DURATION_SCHEMA)
]
PositiveSeconds = Annotated[Seconds, Field(gt=0), WithJsonSchema(_POSITIVE_SCHEMA)]
PositiveSecondsOrOff = Annotated[PositiveSeconds | None, BeforeValidator(_off_is_none), _off_or(_POSITIVE_SCHEMA)]
AgeOrOff = Annotated[
    Annotated[float, BeforeValidator(_parse_age), PlainSerializer(duration_text)] | None,
    BeforeValidator(_off_is_none),
    _off_or(_AGE_SCHEMA),
]
CountOrOff = Annotated[
    Annotated[int, Field(ge=0)] | None, BeforeValidator(_off_is_none), _off_or({"type": "integer", "minimum": 0})
]
Rate = Annotated[
    float | Literal["auto"] | None,
    BeforeValidator(lambda value: None if is_off(value) else _parse_rate(value)),
    _off_or({"anyOf": [{"type": "number", "minimum": 0.001, "maximum": 100_000}, {"enum": ["auto"]}]}),
]
ShareOrOff = Annotated[
    float | None,
    BeforeValidator(lambda value: None if is_off(value) else _parse_share(value)),
    PlainSerializer(lambda share: None if share is None else share_text(share)),
    _off_or(_SHARE_SCHEMA),
]
VerifyShare = Annotated[
    float | None,
    BeforeValidator(lambda value: None if is_off(value) else _parse_share("100%" if _is_all(value) else value)),
    PlainSerializer(lambda share: None if share is None else share_text(share)),
    _off_or({"anyOf": [{"enum": ["all"]}, _SHARE_SCHEMA]}),
]
Shard = Annotated[
    ShardOf | None,
    BeforeValidator(lambda value: None if is_off(value) else _parse_shard(value)),
    PlainSerializer(lambda shard: None if shard is None else str(shard)),
    _off_or({"type": "string", "pattern": r"^\d{1,6}/\d{1,6}$"}),
]
Sha256OrOff = Annotated[
    str | None,
    BeforeValidator(lambda value: None if is_off(value) else _parse_sha256(value)),
    _off_or({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}),
]
Text = Annotated[str, AfterValidator(_check_text)]
TextOrOff = Annotated[Text | None, BeforeValidator(_off_is_none), _off_or(_TEXT_SCHEMA)]
PathOrOff = Annotated[
    Annotated[Text, path("write /dev/stdout for standard output")] | None,
    BeforeValidator(_off_is_none),
    _off_or(_PATH_SCHEMA),
]
FolderOrOff = Annotated[
    Annotated[Text, path("`-` is not a folder")] | None, BeforeValidator(_off_is_none), _off_or(_PATH_SCHEMA)
]
KeyFileOrOff = Annotated[
    Annotated[Text, path("the key is read from a file or the variable SMALLEST_API_KEY", opaque=False)] | None,
    BeforeValidator(_off_is_none),
    _off_or(_PATH_SCHEMA),
]
NoteOrOff = Annotated[
    Annotated[str, Field(max_length=1000), AfterValidator(_check_text)] | None,
    BeforeValidator(_off_is_none),
    _off_or(_TEXT_SCHEMA | {"maxLength": 1000}),
]
BaseUrl = Annotated[
    str,
    AfterValidator(check_base_url),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(https://|http://(localhost|127\.[0-9.]+|\[::1\])([:/]|$))[^\s?#@]*$"}
    ),
]
SecretUrlOrOff = Annotated[
    SecretStr | None,
    BeforeValidator(lambda value: None if is_off(value) else check_web_url(value)),
    _off_or({"type": "string", "pattern": r"^https?://\S+$"}),
]
GatewayUrlOrOff = Annotated[
    SecretStr | None,
    BeforeValidator(lambda value: None if is_off(value) else check_gateway_url(value)),
    _off_or({"type": "string", "pattern": r"^(?!.*/metrics/job)https?://[^\s?#]+$"}),
]
Agent = Annotated[str, AfterValidator(_check_agent)]
Agents = Annotated[
    tuple[Agent, ...],
    BeforeValidator(_split),
    _off_or(
        {
            "anyOf": [
                {"type": "array", "items": _AGENT_SCHEMA},
                {"type": "string", "pattern": r"^[0-9a-f]{24}([,\s]+[0-9a-f]{24})*$"},
            ]
        }
    ),
]
Globs = Annotated[
    tuple[Text, ...],
    BeforeValidator(_lines),
    _off_or({"anyOf": [_TEXT_SCHEMA | {"pattern": "^[^,]*$"}, {"type": "array", "items": _TEXT_SCHEMA}]}),
]
PairsPathOrList = Annotated[
    Any,
    BeforeValidator(_check_pairs),
    AfterValidator(_pairs_path),
    WithJsonSchema({"type": ["string", "array", "object"], "minLength": 1}),
]
