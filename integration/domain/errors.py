"""Every failure that Gradewire names; a docstring is the default message, a door translates each once."""

from __future__ import annotations


class GradewireError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.field = field

    @property
    def message(self) -> str:
        """The text for a person: what is wrong and what to do about it."""
        return str(self.args[0])


class InvalidInput(GradewireError):
    """The input is not valid."""

    code = "invalid_input"


class BadCursor(InvalidInput):
    """The cursor cannot be used: leave it out to begin anew."""

    code = "bad_cursor"

    def __init__(self, message: str = "", *, field: str | None = "cursor") -> None:
        super().__init__(message, field=field)


class Unauthenticated(GradewireError):
    """The API key is missing, unknown or revoked. Send a valid key in the header X-Api-Key."""

    code = "unauthenticated"


class Forbidden(GradewireError):
    """This is not yours to see or to change."""

    code = "forbidden"


class NotFound(GradewireError):
    """There is no such thing."""

    code = "not_found"


class Conflict(GradewireError):
    """This contradicts what is already there."""

    code = "conflict"


class TooMany(GradewireError):
    """A limit is reached. Try again later."""

    code = "too_many"

    def __init__(self, message: str = "", *, retry_after: int, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.retry_after = retry_after


class Misconfigured(GradewireError):
    """A setting is missing or wrong."""

    code = "misconfigured"


class UpstreamError(GradewireError):
    """Token Metrics did not answer as it should."""

    code = "upstream_error"

    def __init__(self, message: str = "", *, field: str | None = None, retry_at: int | None = None) -> None:
        super().__init__(message, field=field)
        self.retry_at = retry_at


class UpstreamRefused(UpstreamError):
    """Token Metrics refused the call: check the API key and what the plan includes."""

    code = "upstream_refused"


class BudgetSpent(UpstreamError):
    """The plan's calls are spent for now."""

    code = "budget_spent"

    retry_at: int

    def __init__(self, message: str = "", *, retry_at: int) -> None:
        super().__init__(message, retry_at=retry_at)
