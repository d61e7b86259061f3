"""The answers that some faults give instead of the regular one: other statuses, and what gateways answer."""

import dataclasses
import gzip
import re
from http import HTTPStatus

from cleanup.simulator.endpoints import Answer, as_json, cannot, error, frozen, migration_required, success
from cleanup.simulator.faults import Fault
from cleanup.simulator.limit import RetryAfterForm, retry_after_header, too_many_requests

_FORMS: dict[str, RetryAfterForm] = {
    "retry_after": "header",
    "date": "date",
    "body": "body",
    "rate_limit": "rate_limit",
}
_PAGE = re.compile(r"(?P<sort>html|empty|nginx)(?P<status>\d{3})?")
_HTML = b"<!doctype html><title>Gateway</title><p>This is not the API.</p>"


def substitute_for(fault: Fault, method: str, path: str, proper: Answer | None) -> Answer | None:
    """Return the answer that the fault gives; None for a fault that is not an answer."""
    if fault.status is not None:
        return _status_answer(fault.status, fault.retry_after)
    if page := _PAGE.fullmatch(fault.kind):
        return _page(page["sort"], int(page["status"] or 200))
    answers = {
        "migration": migration_required(),
        "status_false": Answer(200, as_json({"status": False, "errors": ["Draft could not be discarded"]})),
        "redirect": Answer(302, b"", (("Location", path),)),
        "cannot": cannot(method, path),
        "no_route": Answer(404, as_json({"message": "no Route matched with those values"})),
        "gzip": _compressed(proper or success(None)),
    }
    return answers.get(fault.kind)


def _status_answer(status: int, retry_after: tuple[str, str] | None) -> Answer:
    form, value = (_FORMS[retry_after[0]], retry_after[1]) if retry_after else ("none", "0")
    if status == 429:
        return too_many_requests(value, form)
    if status == 204:
        return Answer(204, b"")
    plain = frozen() if status == 423 else error(status)
    return Answer(status, plain.body, retry_after_header(value, form))


def _page(sort: str, status: int) -> Answer:
    if sort == "empty":
        return Answer(status, b"") if status < 300 else Answer(status, b"", content_type="")
    if sort == "html":
        return Answer(status, _HTML, content_type="text/html; charset=utf-8")
    title = f"{status} {HTTPStatus(status).phrase}"
    lines = (
        f"<html>\n<head><title>{title}</title></head>\n<body>",
        f"<center><h1>{title}</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n",
    )
    return Answer(status, "\n".join(lines).replace("\n", "\r\n").encode(), content_type="text/html")


def _compressed(answer: Answer) -> Answer:
    headers = (*answer.headers, ("Content-Encoding", "gzip"))
    return dataclasses.replace(answer, body=gzip.compress(answer.body), headers=headers)
