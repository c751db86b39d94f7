"""Reading a request's parameters; what cannot be read is a BadRequest (the vendor's 400)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

LIMIT_DEFAULT, LIMIT_MOST = 50, 100
_Item = TypeVar("_Item")


class BadRequestError(ValueError):
    """A parameter the vendor would answer with 400; the text says which and why."""


@dataclass(frozen=True)
class Query:
    """The parameters of one request to ``version`` (v2 or v3); several names of one parameter may be asked for."""

    version: str
    args: Mapping[str, str]

    def text(self, *names: str) -> str | None:
        """The first parameter given that is not blank."""
        return next((self.args[name].strip() for name in names if self.args.get(name, "").strip()), None)

    def items(self, *names: str) -> list[str]:
        """A comma separated list, blanks trimmed; empty when not given."""
        return [part.strip() for part in (self.text(*names) or "").split(",") if part.strip()]

    def whole(self, name: str, default: int | None = None, low: int = 1, high: int | None = None) -> int:
        """A whole number within bounds."""
        text = self.text(name)
        if text is None and default is not None:
            return default
        if text is None or not text.lstrip("-").isdecimal():
            raise BadRequestError(f"{name} must be a whole number")
        number = int(text)
        if number < low or (high is not None and number > high):
            raise BadRequestError(f"{name} must be {low} or more" + (f" and {high} or less" if high else ""))
        return number

    def minimum(self, name: str) -> float | None:
        """An inclusive minimum; None when not given."""
        text = self.text(name)
        try:
            return None if text is None else float(text)
        except ValueError:
            raise BadRequestError(f"{name} must be a number") from None

    def day(self, *names: str) -> date | None:
        """A date YYYY-MM-DD; None when not given."""
        text = self.text(*names)
        try:
            return None if text is None else date.fromisoformat(text)
        except ValueError:
            raise BadRequestError(f"{names[0]} must be a date YYYY-MM-DD") from None

    @property
    def limit(self) -> int:
        """Rows a page: default 50, most 100."""
        return self.whole("limit", LIMIT_DEFAULT, high=LIMIT_MOST)

    @property
    def page(self) -> int:
        """Page number from 1."""
        return self.whole("page", 1)

    def cut(self, rows: list[_Item], limit: int | None = None) -> list[_Item]:
        """The rows of the page asked for."""
        size = limit or self.limit
        first = (self.page - 1) * size
        return rows[first : first + size]
