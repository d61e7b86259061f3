"""What is known of a pair while it is processed: the answers so far, and details of the draft."""

from cleanup.api.drafts import Draft
from cleanup.api.reply import Reply
from cleanup.model import Ending, Pair, Result


class Evidence:
    """The attempts, the seconds and the last answer of a pair; `details` are for the record."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.attempts = 0
        self.reply: Reply | None = None
        self.details: dict[str, str] = {}
        self._seconds = 0.0

    def heard(self, reply: Reply) -> Reply:
        """Note an answer, and return it."""
        self.reply = reply
        self._seconds += reply.seconds
        return reply

    def note(self, draft: Draft) -> None:
        """Note the draft's details, as far as they are known."""
        known = (("name", draft.name), ("branch", draft.branch_name), ("editor", draft.editor))
        self.details.update({key: value for key, value in (*known, ("updated_at", draft.updated_at)) if value})

    def result(self, ending: Ending, message: str | None = None) -> Result:
        """The pair's result, with the last answer as evidence."""
        reply = self.reply or Reply(None)
        return Result(
            self.pair,
            ending,
            status=reply.status,
            attempts=self.attempts,
            seconds=round(self._seconds, 4),
            request_id=reply.request_id,
            message=message or reply.message,
            details=self.details,
        )
