"""Maps the last reply to a pair's ending. Pure."""

from cleanup.api.reply import Reply
from cleanup.model import Ending


def of_read(reply: Reply) -> Ending:
    """The ending if a read that the pair needs returned no data, and no 404."""
    return Ending.FORBIDDEN if reply.status == 403 and not reply.foreign else reply.failure


def of_discard(reply: Reply) -> Ending:
    """The ending after the last discard request, unless it got a 404, which the agent's list must confirm."""
    if reply.status == 204 or (reply.ok and not _says_not_discarded(reply.data)):
        return Ending.DISCARDED
    return of_read(reply)


def of_absence(*, maybe_done: bool) -> Ending:
    """The ending of a draft that is not open; `maybe_done`: an attempt may have discarded it without an answer."""
    return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND


def _says_not_discarded(data: object) -> bool:
    return isinstance(data, dict) and data.get("discarded") is False
