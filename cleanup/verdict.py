"""What a reply means for a pair. Pure: the same reply after the same history always means the same."""

from cleanup.api.reply import Reply, Trouble
from cleanup.model import Ending


def of_failure(reply: Reply) -> Ending:
    """The ending when an operation came to this last reply, and it is neither a success nor a skip."""
    if reply.status is None:
        return Ending.TIMEOUT if reply.trouble is Trouble.TIMEOUT else Ending.CONNECTION
    if reply.foreign:
        return Ending.DISOWNED
    if reply.down:
        return Ending.SERVER_ERROR
    match reply.status:
        case 400:
            return Ending.BAD_REQUEST
        case 401:
            return Ending.UNAUTHORIZED
        case 409:
            return Ending.MIGRATION_REQUIRED if reply.asks_for_migration else Ending.CONFLICT
        case 423:
            return Ending.FROZEN
        case 429:
            return Ending.RATE_LIMITED
        case _:
            return Ending.UNEXPECTED_RESPONSE


def of_read(reply: Reply) -> Ending:
    """The ending when a read that the pair needs was answered with no data, and with no 404."""
    return Ending.FORBIDDEN if reply.status == 403 and not reply.foreign else of_failure(reply)


def of_discard(reply: Reply) -> Ending:
    """The ending after the last attempt to discard, unless it is a 404, which needs a second witness."""
    if reply.status == 204 or (reply.ok and not _says_not_discarded(reply.data)):
        return Ending.DISCARDED
    return of_read(reply)


def of_absence(*, maybe_done: bool) -> Ending:
    """The ending of a draft that is not open; `maybe_done`: an attempt may have discarded it without an answer."""
    return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND


def _says_not_discarded(data: object) -> bool:
    return isinstance(data, dict) and data.get("discarded") is False
