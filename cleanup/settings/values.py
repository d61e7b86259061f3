"""The types of settings that no library has: durations, shares, shards, and "off". Text in, value out."""

import ipaddress
import math
import re
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, WithJsonSchema

from cleanup.lists.ids import AGENT_PATTERN, is_agent

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)", re.ASCII)


def parse_duration(value: Any) -> float:
    """Seconds in a duration: `500ms`, `10s`, `5m`, `2h`, `7d`, or a number of seconds."""
    match = _DURATION.fullmatch(str(value).strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else math.nan
    if not math.isfinite(seconds) or seconds > 1e9:
        raise ValueError("is no duration: write 500ms, 10s, 5m, 2h, 7d, or seconds as a number")
    return seconds


def duration_text(seconds: float) -> str:
    """A duration as a person writes it: the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def _off_is_none(value: Any) -> Any:
    return None if value is False or str(value).strip().lower() == "off" else value


def _parse_rate(value: Any) -> float | Literal["auto"]:
    if str(value).strip().lower() == "auto":
        return "auto"
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if isinstance(value, bool) or not 0.001 <= rate <= 100_000:
        raise ValueError("must be requests a second (0.001 to 100000), off, or auto")
    return rate


def _parse_share(value: Any) -> float:
    text = str(value).strip()
    try:
        share = float(Fraction(text[:-1]) / 100) if text.endswith("%") else float(text)
    except (ValueError, ZeroDivisionError):
        share = math.nan
    if not 0 < share <= 1:
        raise ValueError("must be a share such as 25%, above 0% and at most 100%")
    return share


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


def is_loopback(host: str) -> bool:
    """Whether a host of a URL can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_base_url(value: str) -> str:
    try:
        url = urlsplit(value)
        host, _port = url.hostname, url.port
    except ValueError:
        raise ValueError("is no URL") from None
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise ValueError("must be a plain URL, without user, query or fragment")
    if not re.fullmatch(r"[\x21-\x7e]+", value) or not host or url.scheme not in ("http", "https"):
        raise ValueError("must be a URL beginning with https://")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https: http would show the key to the network (allowed to a loopback address)")
    return value.rstrip("/")


def _check_web_url(given: Any) -> str:
    value = str(given)
    try:
        url = urlsplit(value)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ValueError("must be a URL beginning with https:// or http://")
    return value.rstrip("/")


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _split(value: Any) -> Any:
    return [
        word
        for text in _one_or_many(value)
        for word in (re.split(r"[,\s]+", text) if isinstance(text, str) else [text])
        if word
    ]


def _check_agent(value: str) -> str:
    if not is_agent(value):
        raise ValueError(f"{value!r} is no agent: 24 lower-case hexadecimal digits")
    return value


_DURATION_SCHEMA = {"type": ["string", "number"], "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)?$", "minimum": 0}
_OFF_SCHEMA = {"enum": ["off", False]}

Seconds = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(duration_text), WithJsonSchema(_DURATION_SCHEMA)
]
SecondsOrOff = Annotated[
    Seconds | None,
    BeforeValidator(_off_is_none),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, _OFF_SCHEMA]}),
]
PositiveSecondsOrOff = Annotated[
    Annotated[Seconds, Field(gt=0)] | None,
    BeforeValidator(_off_is_none),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, _OFF_SCHEMA]}),
]
CountOrOff = Annotated[
    Annotated[int, Field(ge=0)] | None,
    BeforeValidator(_off_is_none),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _OFF_SCHEMA]}),
]
Rate = Annotated[
    float | Literal["auto"] | None,
    BeforeValidator(lambda value: None if _off_is_none(value) is None else _parse_rate(value)),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"enum": ["auto", "off", False]}]}),
]
ShareOrOff = Annotated[
    float | None,
    BeforeValidator(lambda value: None if _off_is_none(value) is None else _parse_share(value)),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?%$"}, {"type": "number"}, _OFF_SCHEMA]}),
]
Shard = Annotated[
    ShardOf | None,
    BeforeValidator(lambda value: None if _off_is_none(value) is None else _parse_shard(value)),
    PlainSerializer(lambda shard: None if shard is None else str(shard)),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^\d+/\d+$"}, _OFF_SCHEMA]}),
]
TextOrOff = Annotated[
    str | None,
    BeforeValidator(_off_is_none),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _OFF_SCHEMA]}),
]
NoteOrOff = Annotated[
    Annotated[str, Field(max_length=1000)] | None,
    BeforeValidator(_off_is_none),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 1000}, _OFF_SCHEMA]}),
]
BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
SecretUrlOrOff = Annotated[
    SecretStr | None,
    BeforeValidator(lambda value: None if _off_is_none(value) is None else _check_web_url(value)),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "uri"}, _OFF_SCHEMA]}),
]
Agent = Annotated[str, AfterValidator(_check_agent), WithJsonSchema({"type": "string", "pattern": AGENT_PATTERN})]
Agents = Annotated[
    tuple[Agent, ...],
    BeforeValidator(_split),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": AGENT_PATTERN}}),
]
Globs = Annotated[
    tuple[str, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
