"""What can be said of a reply by itself, for every status there is."""

import pytest

from cleanup.api.reply import MIGRATION_ERROR, NOT_JSON, Reply, Trouble

STATUSES = range(100, 1000)
DONE = {"status": True, "data": None}
REFUSED = {"status": False, "errors": ["no"]}
BODIES: tuple[object, ...] = (None, NOT_JSON, DONE, REFUSED, [], "text", 7, True, {"status": "true"})


def test_a_gateway_answers_in_the_place_of_the_api_where_the_api_would_not_answer_so() -> None:
    """401, 403 and 404 that are empty or a page, a 403 that is not the API's, and a page of 405; nothing else."""
    for status in STATUSES:
        for body in BODIES:
            page_or_empty = body is None or body is NOT_JSON
            expected = {
                401: not isinstance(body, dict),
                403: body is not REFUSED,
                404: page_or_empty,
                405: body is NOT_JSON,
            }.get(status, False)
            assert Reply(status, body).foreign is expected, (status, body)


def test_the_api_s_own_page_for_a_missing_route_is_its_own() -> None:
    """Unless other answers have shown that it is not."""
    reply = Reply(404, NOT_JSON, route_missing=True)
    assert (reply.foreign, reply.not_found) == (False, False)
    assert (reply.disown().foreign, reply.disown().not_found) == (True, False)


def test_what_deserves_another_attempt() -> None:
    """5xx and 429 with any body, and what a gateway answers in the API's place."""
    for status in STATUSES:
        for body in BODIES:
            reply = Reply(status, body)
            assert reply.deserves_retry is (status == 429 or 500 <= status <= 599 or reply.foreign), (status, body)


@pytest.mark.parametrize(
    ("trouble", "again"),
    [(Trouble.TIMEOUT, True), (Trouble.CONNECTION, True), (Trouble.TLS, False), (Trouble.PROXY, False)],
)
def test_no_answer_deserves_another_attempt_unless_it_is_hopeless(trouble: Trouble, again: bool) -> None:
    """TLS that cannot be set up, and a proxy that wants a login, stay as they are."""
    reply = Reply(None, trouble=trouble, sent=False)
    assert (reply.deserves_retry, reply.hopeless, reply.down) == (again, not again, True)


def test_what_may_have_been_carried_out() -> None:
    """A 5xx, or a request that was sent and not answered."""
    assert [status for status in STATUSES if Reply(status).lost] == list(range(500, 600))
    for trouble in Trouble:
        assert Reply(None, trouble=trouble).lost
        assert not Reply(None, trouble=trouble, sent=False).lost


def test_what_is_a_success() -> None:
    """200 with `"status": true`, and nothing that resembles it."""
    found = [(status, body) for status in STATUSES for body in BODIES if Reply(status, body).ok]
    assert found == [(200, DONE)]


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (Reply(200, {"status": True, "data": [1]}), [1]),
        (Reply(200, {"status": False, "data": [1]}), None),
        (Reply(500, {"status": True, "data": [1]}), None),
        (Reply(200, {"status": True}), None),
        (Reply(200, [1]), None),
        (Reply(None, {"status": True, "data": [1]}), None),
    ],
)
def test_data_is_taken_from_a_success_alone(reply: Reply, data: object) -> None:
    """Whatever else comes with data is no answer."""
    assert reply.data == data


def test_the_statuses_that_only_the_api_itself_can_give() -> None:
    """A key is refused, something is not found, a workspace has moved: in JSON only."""
    assert Reply(401, REFUSED).unauthorized
    assert not any(Reply(401, body).unauthorized for body in BODIES if not isinstance(body, dict))
    assert Reply(404, REFUSED).not_found
    assert not any(Reply(404, body).not_found for body in (None, NOT_JSON))
    assert Reply(409, {"error_type": MIGRATION_ERROR}).asks_for_migration
    assert not any(Reply(409, body).asks_for_migration for body in BODIES)


@pytest.mark.parametrize(
    ("reply", "alive"),
    [
        (Reply(200, DONE), True),
        (Reply(429, NOT_JSON), True),
        (Reply(403, REFUSED), True),
        (Reply(403, None), False),
        (Reply(200, NOT_JSON), False),
        (Reply(302), False),
        (Reply(404, REFUSED), False),
        (Reply(503, REFUSED), False),
        (Reply(None, trouble=Trouble.TIMEOUT), False),
    ],
)
def test_which_answer_shows_that_the_api_is_there(reply: Reply, alive: bool) -> None:
    """To the question whose key it is."""
    assert reply.is_alive is alive
