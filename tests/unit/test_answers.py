"""What came back on the wire → a Reply: bodies, messages, headers, whatever the other end says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.api.answers import Answer, read_answer
from cleanup.api.reply import NOT_JSON, Reply

NOW = 1_800_000_000.0
HTML = {"content-type": "text/html; charset=utf-8"}
ROUTE = b"<!DOCTYPE html>\n<html>\n<body>\n<pre>Cannot DELETE /atoms/v1/agent/a/drafts/d</pre>\n</body>\n</html>\n"


def read(status: int, body: bytes = b"", **headers: str) -> Reply:
    """An answer as a Reply, by whom `SECRET` is a secret."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(Answer(status, named, body, 0.1, 0), lambda text: text.replace("SECRET", "[key]"), NOW)


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b"", None),
        (b" \r\n", None),
        (b'{"status": true}', {"status": True}),
        (b"\xef\xbb\xbf{}", {}),
        (b"<html>", NOT_JSON),
        (b"{} and more", NOT_JSON),
        (b"\xff\xfe", NOT_JSON),
        (b"NaN", NOT_JSON),
        (b'{"a": Infinity}', NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b"7" * 5000, float("inf")),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_is_json_or_it_is_not(body: bytes, parsed: object) -> None:
    """An empty one is None; nothing that is sent makes it an error."""
    assert read(200, body).body == parsed


def test_a_body_that_was_not_read_is_not_json_and_is_named() -> None:
    """Whatever there is of it."""
    reply = read_answer(Answer(500, {}, b"{}", 0.1, 0, "a body that is SECRET"), lambda text: text[:-6], NOW)
    assert (reply.body, reply.message) == (NOT_JSON, "a body that is")


@given(st.integers(100, 999), st.binary(max_size=200), st.dictionaries(st.text(max_size=9), st.text(max_size=30)))
def test_no_answer_is_an_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """And no message is long, or has a line of its own."""
    reply = read_answer(Answer(status, headers, body, 0.1, 0), lambda text: text, NOW)
    assert reply.status == status
    assert reply.message is None or (len(reply.message) <= 300 and reply.message.isprintable())


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, {"status": True, "message": "done"}, None),
        (204, b"", None),
        (200, {"status": False, "errors": ["not now"]}, "not now"),
        (400, {"status": False, "errors": ["one", "two"]}, "one; two"),
        (400, {"error": "no good"}, "no good"),
        (502, {"message": "upstream"}, "upstream"),
        (404, {"errors": []}, None),
        (500, b"", None),
        (500, b"plain\n text", "plain text"),
        (500, [], None),
        (
            200,
            b"<html><head><title>Log in</title><style>p {}</style></head><body><h1>Who</h1> are you?",
            "Who are you?",
        ),
        (403, b"<html><title>Blocked</title></html>", "Blocked"),
        (403, b"<html><head><title>Blocked</title></head><body></body></html>", "Blocked"),
        (200, b"<script>var x = '</p>'</script>Go on <!-- not this --> here", "Go on here"),
        (500, b"a\x00\x1b[31mb\xe2\x80\xaec", "a [31mb c"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_message_is_what_a_person_would_read(status: int, body: Any, message: str | None) -> None:
    """Errors in JSON, the words of a page; nothing for a success."""
    assert read(status, body if isinstance(body, bytes) else json.dumps(body).encode(), **HTML).message == message


def test_a_redirect_says_where_to() -> None:
    """With a body or without; it is not followed."""
    assert read(302, location="https://login.test/?next=SECRET").message == (
        "it redirects to https://login.test/?next=[key]"
    )
    assert read(308, b"<html>moved</html>", location="/v2").message == "it redirects to /v2"


def test_a_message_is_cut_short_after_what_is_secret_was_hidden() -> None:
    """Half a key is no key any more that could be found."""
    body = json.dumps({"message": "x" * 297 + "SECRET"}).encode()
    assert read(400, body).message == "x" * 297 + "[ke"
    assert read(400, b"<p>" + b"y" * 297 + b"SECRET").message == "y" * 297 + "[ke"


@pytest.mark.parametrize("text", [b"<", b"<title>", b"<title", b"<!--", b"<script", b"<script>", b"<pre>", b"<head>"])
def test_a_page_that_is_made_to_take_long_does_not(text: bytes) -> None:
    """64 KiB of the same beginning: read in one pass, where each could be a start of its own."""
    assert len(read(404, text * (65536 // len(text)), **HTML).message or "") <= 300


@pytest.mark.parametrize(
    ("status", "content_type", "body", "missing"),
    [
        (404, "text/html; charset=utf-8", ROUTE, True),
        (404, "Text/HTML", ROUTE, True),
        (404, "application/json", ROUTE, False),
        (200, "text/html", ROUTE, False),
        (405, "text/html", ROUTE, False),
        (404, "text/html", b"<html><h1>404 Not Found</h1><hr>nginx</html>", False),
        (404, "text/html", b"", False),
    ],
)
def test_the_api_s_own_page_for_a_missing_route(status: int, content_type: str, body: bytes, missing: bool) -> None:
    """As recorded live, and no gateway's page."""
    assert read(status, body, content_type=content_type).route_missing is missing


def test_what_headers_say_is_without_secrets_and_not_long() -> None:
    """The request's id, and that the API will change."""
    reply = read(200, b"{}", x_request_id="id-SECRET" + "x" * 999, Deprecation="SECRET", Sunset="y" * 999)
    assert reply.request_id is not None
    assert (reply.request_id[:8], len(reply.request_id)) == ("id-[key]", 200)
    assert reply.notices == (("Deprecation", "[key]"), ("Sunset", "y" * 200))
