"""Initial worlds, and files with lists of their drafts."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cleanup.simulator.entities import Draft, Mode
from cleanup.simulator.shapes import timestamp
from cleanup.simulator.world import DEMO_KEY, World

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Scenery:
    """A populated world and its drafts in the order of a list; `gone` and `failing` are ids among them."""

    world: World
    listed: Sequence[Draft]
    gone: frozenset[str] = field(default=frozenset())
    failing: frozenset[str] = field(default=frozenset())


def populate(
    *,
    agents: int = 5,
    drafts: int = 40,
    seed: int = 0,
    mode: Mode = "drafts",
    key: str = DEMO_KEY,
    foreign: int = 0,
    gone: int = 0,
    failing: int = 0,
    age: tuple[float, float] = (0.0, 90 * _DAY),
) -> Scenery:
    """Make a world with that many drafts, last edited `age` seconds ago.

    Of the drafts, `foreign` belong to other people (the key is then not an admin's), and `gone` are already
    closed; `failing` are only chosen here, for the caller to make them fail.
    """
    if drafts and not agents:
        raise ValueError("drafts need agents")
    if foreign + gone + failing > drafts:
        raise ValueError(f"{drafts} drafts are too few for {foreign} foreign, {gone} gone and {failing} failing ones")
    world = World(seed=seed, mode=mode, key=key, admin=not foreign)
    chance = random.Random(f"scenery {seed}")
    special = chance.sample(range(drafts), foreign + gone + failing)
    strangers = set(special[:foreign])
    stranger = world.new_id()
    homes = [world.add_agent().id for _ in range(agents)]
    now = datetime.now(UTC)
    listed = [
        world.open_draft(
            chance.choice(homes),
            created_by=stranger if number in strangers else None,
            editor=f"Editor {chance.randint(1, 5)}",
            updated_at=now - timedelta(seconds=chance.uniform(*age)),
        )
        for number in range(drafts)
    ]
    vanished = frozenset(listed[number].id for number in special[foreign : foreign + gone])
    for draft_id in vanished:
        world.take_away(draft_id)
    doomed = frozenset(listed[number].id for number in special[foreign + gone :])
    return Scenery(world, listed, vanished, doomed)


def write_list(path: Path, drafts: Sequence[Draft], *, updated_at: bool = False) -> None:
    """Write the drafts as a list, in the format of the file's extension."""
    rows = [{"agent": draft.agent, "draft": draft.id} for draft in drafts]
    if updated_at:
        for row, draft in zip(rows, drafts, strict=True):
            row["updated_at"] = timestamp(draft.updated_at)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    elif path.suffix in (".yaml", ".yml"):
        lines = ["- {" + ", ".join(f'{name}: "{value}"' for name, value in row.items()) + "}\n" for row in rows]
        path.write_text("".join(lines) or "[]\n", encoding="utf-8")
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file,
                ["agent", "draft", *(["updated_at"] if updated_at else [])],
                delimiter="\t" if path.suffix == ".tsv" else ",",
                lineterminator="\n",
            )
            writer.writeheader()
            writer.writerows(rows)
    else:
        raise ValueError(f"{path.name}: the name of a list must end in .csv, .tsv, .yaml, .yml or .json")
