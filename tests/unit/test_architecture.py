"""The shape of the code: each library in one place, no import cycle, the map true, modules that can be read at once."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import cleanup

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cleanup"
MODULES = sorted(PACKAGE.rglob("*.py"))

HOMES = {
    "httpx": {"cleanup.api.transport"},
    "tenacity": {"cleanup.api.retry"},
    "yaml": {"cleanup.documents"},
    "structlog": {"cleanup.console.log"},
    "jinja2": {"cleanup.pages.page"},
    "rich": {"cleanup.console.progress", "cleanup.console.table"},
    "prometheus_client": {"cleanup.records.metrics"},
    "pydantic": {
        "cleanup.schemas",
        *(f"cleanup.settings.{module}" for module in ("definitions", "flag", "paths", "sources", "values")),
    },
    "pydantic_core": {"cleanup.settings.sources"},
    # pydantic makes no schema of a TypedDict of the standard library before Python 3.12.
    "typing_extensions": {
        "cleanup.schemas",
        "cleanup.api.traffic",
        "cleanup.console.events",
        "cleanup.model",
        *(f"cleanup.records.{module}" for module in ("account", "line_types", "proof", "summary")),
    },
}
"""Which modules may import each library; the simulator has its own."""

PURE = (
    *("plan", "model", "errors", "discard.verdict", "discard.guards", "find.rule"),
    *(
        "api.answers",
        "api.adaptive_pace",
        "api.breaker",
        "api.changes",
        "api.drafts",
        "api.pace",
        "api.reply",
        "api.retry_after",
        "api.trouble",
    ),
    *(
        "records.account",
        "records.forbidden",
        "records.next_step",
        "records.proof",
        "records.rates",
        "lists.ids",
        "console.printable",
    ),
    *("api.series", "pages.figures", "pages.report", "pages.settings", "pages.verdict"),
)
IMPURE = {"asyncio", "time", "os", "io", "socket", "random", "secrets", "pathlib", "subprocess", "threading", "sys"}

LONGEST = 300
"""Lines of a module; about 250 is where one usually wants to be two."""


def name_of(path: Path) -> str:
    """A module's dotted name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> frozenset[str]:
    """Everything that a module imports at run time, at the top or later, as dotted names."""
    return frozenset(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from _imports(child)


def inner(path: Path) -> set[str]:
    """The modules of the package that a module imports."""
    known = {name_of(module) for module in MODULES}
    found = set()
    for name in imports(path):
        while name not in known and "." in name:
            name = name.rpartition(".")[0]
        if name in known:
            found.add(name)
    return found - {"cleanup", name_of(path)}


def test_each_library_is_imported_where_it_belongs_and_no_other_is() -> None:
    """A library that changes, or is changed for another, is met in one place."""
    for path in MODULES:
        module = name_of(path)
        if module.startswith("cleanup.simulator"):
            continue
        for name in imports(path):
            library = name.partition(".")[0]
            if library not in sys.stdlib_module_names and library != "cleanup":
                assert module in HOMES.get(library, set()), f"{module} imports {library}"


def test_there_is_no_import_cycle() -> None:
    """Also none that a late import would hide."""
    graph = {name_of(path): inner(path) for path in MODULES}
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                walk(other, (*way, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_the_simulator_and_the_job_do_not_know_each_other() -> None:
    """A misunderstanding of the API in one cannot hide in the other; only the command line starts it."""
    for path in MODULES:
        module = name_of(path)
        for other in inner(path):
            if module.startswith("cleanup.simulator"):
                assert other.startswith("cleanup.simulator"), f"{module} imports {other}"
            elif other.startswith("cleanup.simulator"):
                assert module == "cleanup.cli.main"


@pytest.mark.parametrize("module", PURE)
def test_what_decides_touches_no_clock_file_or_socket(module: str) -> None:
    """Pure modules import nothing that has to do with the world."""
    path = PACKAGE / (module.replace(".", "/") + ".py")
    assert not {name.partition(".")[0] for name in imports(path)} & IMPURE


def test_every_module_says_what_it_is_and_can_be_read_at_once() -> None:
    """A docstring at the top, and not too many lines."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), path
        assert len(text.splitlines()) <= LONGEST, f"{path} wants to be two"


def test_the_map_names_every_part_of_the_package() -> None:
    """The docstring of the package is the map."""
    # Not what git leaves of a folder that is no more: byte code.
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    for part in parts - {"__init__"}:
        assert f"`{part}`" in (cleanup.__doc__ or ""), part


def test_the_top_level_holds_what_it_should_and_nothing_else() -> None:
    """job.py is a door, not a house."""
    assert len((ROOT / "job.py").read_text().splitlines()) < 40
