"""The settings file → values by key, each with its line."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cleanup.documents import DocumentError, Node, tree, yaml_events
from cleanup.errors import SettingsError
from cleanup.settings.table import Setting


class Given(NamedTuple):
    """A value as given, and where it was given: `--rate`, `CLEANUP_LIMITS__RATE`, `config.yaml:12`."""

    value: Any
    origin: str


Layer = dict[str, Given]


def read_file(path: Path, reference: Mapping[str, Setting], problems: list[str]) -> tuple[Layer, Node | None]:
    """Read a settings file: its values, and the list if the file contains it.

    Adds a sentence to `problems` for each unknown key. Raises SettingsError if the file is not a settings file.
    """
    layer: Layer = {}
    sections = {setting.section: None for setting in reference.values()}
    leaves = _leaves(path, _top(path), sections, problems)
    for key, node in leaves.items():
        if key not in reference and key != "pairs":
            known = nearest(key, [*reference, "pairs", *sections])
            problems.append(f"{path}:{node.line}: {key}: no such setting{known}")
        elif node.value is not None:
            layer[key] = Given(_plain(node), f"{path}:{node.line}")
    pairs = leaves.get("pairs")
    return layer, pairs if pairs is not None and isinstance(pairs.value, (list, dict)) else None


def _top(path: Path) -> Node | None:
    try:
        with path.open("rb") as stream:
            return tree(yaml_events(stream))
    except DocumentError as error:
        raise SettingsError(f"{path}:{error.line}: {error.reason}") from None
    except OSError as error:
        raise SettingsError(f"{path}: the settings file cannot be read: {error.strerror}") from None


def _leaves(path: Path, top: Node | None, sections: Collection[str], problems: list[str]) -> dict[str, Node]:
    """The values by dotted key."""
    if top is None or top.value is None:
        return {}
    if not isinstance(top.value, dict):
        raise SettingsError(
            f"{path}:{top.line}: settings must be a mapping: `limits:`, then `  rate: 5` on the next line"
        )
    leaves: dict[str, Node] = {}
    for name, node in top.value.items():
        inner = node.value if name in sections else {"": node}
        if isinstance(inner, dict):
            for key, leaf in inner.items():
                whole = f"{name}.{key}" if key else name
                if whole in leaves:
                    problems.append(f"{path}:{leaf.line}: duplicate key '{whole}'")
                leaves[whole] = leaf
        elif inner is not None:
            problems.append(
                f"{path}:{node.line}: {name} is a group of settings: write `{name}:`, then one setting a line, indented"
            )
    return leaves


def _plain(node: Node) -> Any:
    """A node as plain values."""
    if isinstance(node.value, dict):
        return {key: _plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value


def nearest(name: str, names: Iterable[str]) -> str:
    """The known name that was probably meant, as the end of a sentence; empty if none is close."""
    known = {key.lower(): key for key in names}
    tails = {key.rpartition(".")[2]: key for key in known}
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6) or [
        tails[tail] for tail in difflib.get_close_matches(name.lower().rpartition(".")[2], tails, n=1, cutoff=0.6)
    ]
    return f"; did you mean {known[close[0]]}?" if close else ""
