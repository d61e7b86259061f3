"""What every definition of a setting has: how it is given on the command line, and the group it belongs to."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Flag:
    """How a setting is given on the command line; no name, no flag. `several`: again and again."""

    name: str | None
    metavar: str | None = None
    is_path: bool = False
    several: bool = False


FILE = {"is_path": True, "metavar": "FILE"}


class Section(BaseModel):
    """A group of settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_min_length=1)
