"""What a reply means for a pair. Pure: the same reply after the same history always means the same."""

from cleanup.model import NOT_JSON, Ending, Reply, Trouble

MIGRATION_ERROR = "versioning_v2_migration_required"


def deserves_retry(reply: Reply) -> bool:
    """Whether another attempt makes sense: no answer, 429 or 5xx, by status alone."""
    return (reply.down and reply.trouble is not Trouble.TLS) or reply.status == 429


def asks_for_migration(reply: Reply) -> bool:
    """Whether this is the 409 of a workspace that has moved to the branch model."""
    return reply.status == 409 and isinstance(reply.body, dict) and reply.body.get("error_type") == MIGRATION_ERROR


def says_not_found(reply: Reply) -> bool:
    """Whether this is the API's own 404, and no page of somebody in between."""
    return reply.status == 404 and reply.body is not NOT_JSON


def of_failure(reply: Reply) -> Ending:
    """The ending when an operation came to this last reply, and it is neither a success nor a skip."""
    if reply.status is None:
        return Ending.TIMEOUT if reply.trouble is Trouble.TIMEOUT else Ending.CONNECTION
    if reply.down:
        return Ending.SERVER_ERROR
    match reply.status:
        case 400:
            return Ending.BAD_REQUEST
        case 401:
            return Ending.UNAUTHORIZED
        case 409:
            return Ending.MIGRATION_REQUIRED if asks_for_migration(reply) else Ending.CONFLICT
        case 423:
            return Ending.FROZEN
        case 429:
            return Ending.RATE_LIMITED
        case _:
            return Ending.UNEXPECTED_RESPONSE


def of_read(reply: Reply, *, maybe_done: bool = False) -> Ending:
    """The ending when a read that the pair needs was answered with no data (404 means that it is gone).

    `maybe_done`: an earlier attempt to discard this pair may have been carried out, its answer is unknown.
    """
    if says_not_found(reply):
        return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND
    if reply.status == 403 and reply.body is not NOT_JSON:
        return Ending.FORBIDDEN
    return of_failure(reply)


def of_discard(reply: Reply, *, maybe_done: bool) -> Ending:
    """The ending after the last attempt to discard; `maybe_done` as in `of_read`."""
    if reply.status == 204 or (reply.ok and not _says_not_discarded(reply.data)):
        return Ending.DISCARDED
    return of_read(reply, maybe_done=maybe_done)


def _says_not_discarded(data: object) -> bool:
    return isinstance(data, dict) and data.get("discarded") is False
