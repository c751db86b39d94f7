"""One call of the API: paid for before it is made, tried again where that may help, recorded whatever came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import requests

from integration.domain.errors import BudgetSpent, UpstreamError, UpstreamRefused
from integration.domain.retry import MINUTE, SECOND
from integration.tokenmetrics.envelope import Garbled, answer_of, refusal, rows_of

TIMEOUT_S = (5, 30)
#: An answer to a question takes longer, and who asks waits half a minute at most.
CHAT_TIMEOUT_S = (5, 25)
Part = TypeVar("Part")
TRIES = 3
TRIES_GARBLED = 2
#: The longest wait in milliseconds that is slept through; a longer one is raised, with the time to come back.
PATIENCE = 20 * SECOND


class Budget(Protocol):
    """What the plan still allows."""

    def take(self, now: int) -> None:
        """Take one call, at an epoch millisecond; BudgetSpent says when there will be more."""


class RecordCall(Protocol):
    """Keeps what became of a call; status 0 means that no answer came."""

    def __call__(
        self, *, at: int, endpoint: str, status: int, duration_ms: int, rows: int, error: str | None, poll_id: int | None
    ) -> None:
        """Times are milliseconds."""


class KeepSpoilt(Protocol):
    """Keeps an answer aside that could not be read."""

    def __call__(self, *, at: int, endpoint: str, error: str, body: bytes, poll_id: int | None) -> None:
        """`at` is epoch milliseconds. The key is never in the body."""


def forget(**_: Any) -> None:
    """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one page and the calls it took."""

    rows: list[dict[str, Any]]
    calls: int


class _Again(Exception):
    """A failure after which another try may succeed: `pause` × tries made, or `wish`, in milliseconds."""

    def __init__(self, error: UpstreamError, pause: int, wish: int | None = None, tries: int = TRIES) -> None:
        self.error, self.pause, self.wish, self.tries = error, pause, wish, tries


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls one version of the API with one key. `now` is epoch milliseconds; `sleep` takes seconds."""

    session: requests.Session
    url: str
    key: str
    budget: Budget
    record_call: RecordCall
    now: Callable[[], int]
    sleep: Callable[[float], None]
    patience: int = PATIENCE
    keep_spoilt: KeepSpoilt = forget

    def call(self, path: str, params: Mapping[str, str], *, limit: int | None, poll_id: int | None = None) -> Answer:
        """GET a page. Every try is a call of the plan.

        429, 5xx and lost connections are tried three times, garbled answers twice. Raises UpstreamRefused (401, 402,
        403), BudgetSpent (the plan's calls are spent, by our count or by a 429) and UpstreamError (all else).
        """
        for tried in range(1, TRIES + 1):
            self._pay()
            try:
                return Answer(self._send(path, partial(self._get, path, params), partial(rows_of, limit=limit), poll_id), tried)
            except _Again as again:
                wait = again.pause * tried if again.wish is None else again.wish
                if tried >= again.tries or wait > self.patience:
                    raise self._final(again) from None
            self.sleep(wait / SECOND)
        raise AssertionError("unreachable")

    def ask(self, url: str, question: str) -> str:
        """POST a question to Token Metrics AI; its answer. It is one call of the plan, tried once: somebody waits for it.

        Raises as `call` does.
        """
        self.budget.take(self.now())
        body = {"messages": [{"user": question}]}
        headers, path = self._headers(), url.rpartition("/")[2]

        def send() -> requests.Response:
            return self.session.post(url, json=body, headers=headers, timeout=CHAT_TIMEOUT_S, allow_redirects=False)

        try:
            return str(self._send(path, send, answer_of, None)[0])
        except _Again as again:
            raise self._final(again) from None

    def _pay(self) -> None:
        """Take a call from the budget, waiting for the next minute where that is soon."""
        for waited in (False, True):
            now = self.now()
            try:
                return self.budget.take(now)
            except BudgetSpent as spent:
                if waited or spent.retry_at - now > self.patience:
                    raise
                self.sleep((spent.retry_at - now) / SECOND)
        raise AssertionError("unreachable")

    def _final(self, again: _Again) -> UpstreamError:
        error = again.error
        if isinstance(error, BudgetSpent):
            error.retry_at = self.now() + (MINUTE if again.wish is None else again.wish)
        elif again.wish is not None:
            error.retry_at = self.now() + again.wish
        return error

    def _get(self, path: str, params: Mapping[str, str]) -> requests.Response:
        url, headers = f"{self.url}/{path}", self._headers()
        return self.session.get(url, params=params, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)

    def _send(
        self, path: str, send: Callable[[], requests.Response], read: Callable[[bytes], list[Part]], poll_id: int | None
    ) -> list[Part]:
        at, status, rows, error = self.now(), 0, 0, None
        try:
            response = send()
            status = response.status_code
            found = self._parts(path, response, read, poll_id)
            rows = len(found)
            return found
        except requests.RequestException as failure:
            lost = _lost(path, failure)
            error = lost.error.message
            raise lost from None
        except _Again as again:
            error = again.error.message
            raise
        except UpstreamError as refused:
            error = refused.message
            raise
        finally:
            duration = self.now() - at
            self.record_call(at=at, endpoint=path, status=status, duration_ms=duration, rows=rows, error=error, poll_id=poll_id)

    def _headers(self) -> dict[str, str]:
        return {"x-api-key": self.key, "accept": "application/json", "User-Agent": "Gradewire"}

    def spoilt(self, path: str, error: str, body: bytes, poll_id: int | None) -> None:
        """Keep an answer aside. Whatever it echoes of the key is cut out."""
        clean = body.replace(self.key.encode(), b"...") if self.key else body
        self.keep_spoilt(at=self.now(), endpoint=path, error=self._safe(error), body=clean, poll_id=poll_id)

    def _parts(
        self, path: str, response: requests.Response, read: Callable[[bytes], list[Part]], poll_id: int | None
    ) -> list[Part]:
        status = response.status_code
        if status == 200:
            try:
                return read(response.content)
            except Garbled as garbled:
                self.spoilt(path, garbled.message, response.content, poll_id)
                raise _Again(UpstreamError(f"{path}: {garbled.message}"), SECOND, tries=TRIES_GARBLED) from None
            except UpstreamError as failed:
                raise UpstreamError(f"{path}: {self._safe(failed.message)}") from None
        text = f"{path} answered {status}: {self._safe(refusal(response.content))}".removesuffix(": ")
        if status == 429:
            raise _Again(BudgetSpent(text, retry_at=0), 2 * SECOND, self._wish(response))
        if status >= 500:
            raise _Again(UpstreamError(text), SECOND, self._wish(response))
        if status in (401, 402, 403):
            raise UpstreamRefused(f"{text}. Check the API key and what the plan includes.")
        raise UpstreamError(text)

    def _safe(self, text: str) -> str:
        return text.replace(self.key, "…") if self.key else text

    def _wish(self, response: requests.Response) -> int | None:
        """Milliseconds that upstream asks us to wait: Retry-After (seconds or a date) or X-RateLimit-Reset (epoch seconds)."""
        now = self.now()
        after = response.headers.get("Retry-After", "").strip()
        reset = response.headers.get("X-RateLimit-Reset", "").strip()
        try:
            if after:
                until = now + float(after) * SECOND if after.isdigit() else parsedate_to_datetime(after).timestamp() * SECOND
            elif reset:
                until = float(reset) * SECOND
            else:
                return None
            return max(0, int(until) - now)
        except (ValueError, OverflowError):
            return None


def _lost(path: str, failure: requests.RequestException) -> _Again:
    # the exception's own text holds the URL and addresses: not for logs
    if isinstance(failure, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return _Again(UpstreamError(f"{path}: the answer was cut off"), SECOND, tries=TRIES_GARBLED)
    what = "no answer in time" if isinstance(failure, requests.Timeout) else "no connection"
    return _Again(UpstreamError(f"{path}: {what}"), SECOND)
