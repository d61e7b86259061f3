"""The table from what is read to what is written: exhaustive, and for configurations made up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.simulator import writing
from cleanup.undo.fields import GRAPH, WRITTEN_AS, differences, to_write
from cleanup.undo.naming import MOST, branch_name, working_name

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
TEXTS = st.text(max_size=8)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
OF_TYPE: dict[type, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(0, 9),
    float: st.floats(0, 1),
    list: st.lists(OBJECTS, max_size=2),
    dict: OBJECTS,
}
TYPES = {stored: types for part in (writing._TOP, *writing._NESTED.values()) for stored, types in part.values()}
CONFIGURATIONS = st.fixed_dictionaries(
    {}, optional={name: st.none() | OF_TYPE[types[0]] for name, types in sorted(TYPES.items())}
)


def bare(value: Any) -> Any:
    """The value without the keys that are null."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if inner is not None}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


@given(CONFIGURATIONS)
def test_what_is_written_is_what_was_read(configuration: dict[str, Any]) -> None:
    """Into an empty draft, by the simulator's own table: nothing is lost, nothing is added."""
    writes = to_write(configuration)
    assert writes.unknown == []
    found = writing.merged({}, writing.changes_in(writes.body)) if writes.body else {}
    lists_with_nulls = [name for name in differences(configuration, found) if None in leaves(configuration)]
    assert differences(configuration, found) == lists_with_nulls
    if None not in leaves(configuration):
        assert found == bare(configuration)


def leaves(value: Any) -> list[Any]:
    """Everything in a value that is no object or list, of lists only: a null in an object is the same as no key."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() if inner is not None for leaf in leaves(inner)]
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]


def test_the_simulator_and_undo_know_the_same_fields() -> None:
    """Each from the vendor's documents; but for names of the voice that undo accepts besides, as they are inferred."""
    besides = {"synthesizer", "synthesizerModel", "synthesizerVoiceId", "synthesizerGender", "synthesizerModelId"}
    assert WRITTEN_AS.keys() - besides == writing.READ_NAMES
    assert GRAPH not in WRITTEN_AS


@pytest.mark.parametrize(
    ("configuration", "unknown"),
    [
        ({"prompt": "x"}, []),
        ({"new": 1, "prompt": "x", "other": {"a": 1}}, ["new", "other"]),
        ({"new": None, "a": "", "b": [], "c": {}}, []),
        ({"new": False, "zero": 0}, ["new", "zero"]),
        ({GRAPH: {"nodes": []}}, [GRAPH]),
    ],
)
def test_a_field_that_cannot_be_written_is_named(configuration: dict[str, Any], unknown: list[str]) -> None:
    """If it has a value: an empty one is lost without a loss."""
    assert to_write(configuration).unknown == unknown


@pytest.mark.parametrize(
    ("wanted", "found", "fields"),
    [
        ({}, {}, []),
        ({"a": None}, {}, []),
        ({}, {"a": None}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": [1]}, {"a": [True]}, ["a"]),
        ({"a": "x"}, {}, ["a (missing)"]),
        ({}, {"a": ""}, ["a (not in the copy)"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c"]),
        ({"a": {"b": 1}}, {"a": {"b": 1, "d": 2}}, ["a.d (not in the copy)"]),
        ({"a": {"b": None}}, {"a": {}}, []),
        ({"a": [{"b": None}]}, {"a": [{}]}, []),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({"a": {}}, {"a": []}, ["a"]),
        ({"z": 1, "a": 1}, {"z": 2, "a": 2}, ["a", "z"]),
    ],
)
def test_differences_are_named_by_their_place(wanted: Any, found: Any, fields: list[str]) -> None:
    """A null is the same as nothing; 1 and 1.0 are one number, true is none."""
    assert differences(wanted, found) == fields


@given(st.text(max_size=150), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True))
def test_names_fit_and_say_what_they_are_for(name: str, draft: str) -> None:
    """1 to 100 characters; two drafts never share one."""
    for made in (working_name(name, draft), branch_name(draft)):
        assert 1 <= len(made) <= MOST
        assert draft[:60] in made
    assert branch_name(draft) != branch_name(f"{draft}x"[-128:] if len(draft) < 128 else f"{draft[:-1]}!")


def test_names_are_those_that_the_documentation_gives() -> None:
    """With the name that the draft had, cut to fit."""
    assert working_name("Spring", "66a1") == "Spring (restored 66a1)"
    assert working_name("", "66a1") == "(restored 66a1)"
    assert working_name("x" * 100, "66a1") == f"{'x' * 84} (restored 66a1)"
    assert branch_name("66a1") == "restored-66a1"
