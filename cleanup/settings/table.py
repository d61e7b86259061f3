"""Every setting as a row: its key with all that follows from its definition."""

from dataclasses import dataclass

from cleanup.settings.definitions import Settings
from cleanup.settings.flag import Flag, Section


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the reference: a key with all that follows from its definition."""

    key: str
    section: str
    name: str
    flag: Flag
    help: str
    default: object
    is_switch: bool

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "CLEANUP_" + self.key.upper().replace(".", "__")


def all_settings() -> list[Setting]:
    """Every setting but `pairs`, in the order of their definition."""
    rows = []
    for section, field in Settings.model_fields.items():
        if section == "pairs":
            continue
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, Section)
        for name, leaf in model.model_fields.items():
            flag = next(m for m in leaf.metadata if isinstance(m, Flag))
            is_switch = leaf.annotation is bool
            rows.append(
                Setting(f"{section}.{name}", section, name, flag, leaf.description or "", leaf.default, is_switch)
            )
    return rows
