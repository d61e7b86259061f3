"""What monitors call a task: the name that tells one schedule from the others on a host."""

from pathlib import PurePath


def task_of(name: str | None, metrics: str | None, shard: str | None) -> str:
    """The metrics file's name without its ending if there is one, else that of the list, with the share of it.

    `name`: the list's path, or what else a run works through (`sweep`).
    """
    if metrics is not None:
        return _bare(metrics)
    task = "stdin" if name == "-" else _bare(name or "no-list")
    return task if shard is None else f"{task}-{shard.replace('/', '-of-')}"


def _bare(path: str) -> str:
    """Without folder and ending; what cannot be UTF-8 is replaced, because a label has to be."""
    return PurePath(path).stem.encode(errors="replace").decode()
