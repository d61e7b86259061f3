"""docs/schemas as tests use them: closed, so that no field goes unnoticed that the types in the code lack."""

import json
from typing import TYPE_CHECKING, Any

import jsonschema

from cleanup.schemas import FOLDER

if TYPE_CHECKING:
    from tests.runner import Ended


def closed(name: str) -> jsonschema.Draft202012Validator:
    """A schema that also refuses fields that it does not name; as written, it lets readers expect new ones."""
    document: Any = json.loads((FOLDER / f"{name}.json").read_text())
    for definition in document["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return jsonschema.Draft202012Validator(document)


SUMMARY, LEDGER, LOG = closed("summary"), closed("ledger"), closed("log")


def check_files(ended: "Ended") -> None:
    """Summary, log and, if there is one, ledger are as the schemas say."""
    SUMMARY.validate(ended.summary)
    for event in ended.events:
        LOG.validate(event)
    if (ended.folder / "ledger.jsonl").exists():
        for line in ended.ledger():
            LEDGER.validate(line)
