"""A whole fetch of a source: every page of it or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import orjson
import requests

from integration.domain.catalogue import Batch, Source, SubjectRow
from integration.domain.errors import BudgetSpent, UpstreamError
from integration.domain.retry import SECOND
from integration.sources._columns import Page
from integration.tokenmetrics.asks import PAGE_SIZE, Ask, Version, asks, parameters
from integration.tokenmetrics.caller import PATIENCE, Answer, Budget, Caller, KeepSpoilt, RecordCall, forget

#: More pages than any source has: what never ends is given up.
MOST_PAGES = 2_000
CHAT = "tmai"

Row = Mapping[str, Any]
Pages = dict[tuple[Ask, int], Answer]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Readings and names of one fetch, and the upstream calls that it took."""

    batch: Batch
    names: list[SubjectRow]
    calls: int


class TokenMetrics:
    """The API at `base_url` (without the version). Keep one for the life of a process: see `fetch`.

    `now` gives epoch milliseconds, `sleep` takes seconds. Waits up to `patience` milliseconds (for a retry, or for the
    next minute's calls) are slept through; longer ones raise. What could not be read goes to `keep_spoilt`.
    """

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        version: Version,
        key: str,
        budget: Budget,
        record_call: RecordCall,
        now: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
        patience: int = PATIENCE,
        keep_spoilt: KeepSpoilt = forget,
    ) -> None:
        url = f"{base_url.rstrip('/')}/{version}"
        self._chat = f"{base_url.rstrip('/')}/v2/{CHAT}"  # version 3 is not known to have it
        self._caller = Caller(session, url, key, budget, record_call, now, sleep, patience, keep_spoilt)
        self._version = version
        self._staged: dict[str, tuple[int, Pages]] = {}

    def fetch(
        self,
        source: Source,
        *,
        slot: int,
        ids: Sequence[int] | None = None,
        start: date | None = None,
        end: date | None = None,
        poll_id: int | None = None,
    ) -> Fetched:
        """Everything of a source, or of some ids and days, both ends included.

        Without dates, sources that take them are asked for the slot's day and the one before, since data may lag.
        `slot` (epoch ms) dates undated rows; rows dated far after it are refused. Any page that fails fails all:
        UpstreamError, UpstreamRefused, or BudgetSpent with the time to come back. Pages read before a BudgetSpent are
        kept, so that the next fetch for the same slot goes on where this one stopped, however small the plan.
        """
        if source.ranged:
            end = end or datetime.fromtimestamp(slot / SECOND, UTC).date()
            start = start or end - timedelta(1)
        staged_for, pages = self._staged.pop(source.key, (slot, {}))
        if staged_for != slot:
            pages = {}
        known = set(pages)
        try:
            answers = [(ask, self._read(source, ask, pages, poll_id)) for ask in asks(source, ids, start, end)]
        except BudgetSpent:
            self._staged[source.key] = (slot, pages)
            raise
        rows = [row for _, found in answers for row in found]
        groups = [(ask.ids, found) for ask, found in answers] if source.selection == "ids" else [("", rows)]
        calls = sum(answer.calls for key, answer in pages.items() if key not in known)
        try:
            batch = _joined(source, [source.rows(source, found, slot, asked) for asked, found in groups])
            return Fetched(batch, source.names(rows) if source.names else [], calls)
        except UpstreamError as refused:
            page, error = _refused(source, slot, pages, refused)
            self._caller.spoilt(source.path, error.message, orjson.dumps(page), poll_id)
            raise

    def ask(self, question: str) -> str:
        """Token Metrics AI's answer to a question, for one call of the plan; raises what a poll would raise."""
        return self._caller.ask(self._chat, question)

    def check(self) -> None:
        """One call that every plan may make; raises what a poll would raise for the key, the plan or the network."""
        self._caller.call("tokens", {"limit": "1", "page": "1"}, limit=None)

    def server_time(self) -> int | None:
        """What the upstream's clock says (epoch ms), from the Date header of its front page; None where it does not say.

        No key is sent: it is no call of the plan.
        """
        try:
            response = self._caller.session.head(self._caller.url.rpartition("/")[0], timeout=5, allow_redirects=False)
            return int(parsedate_to_datetime(response.headers["Date"]).timestamp() * SECOND)
        except (requests.RequestException, KeyError, ValueError):
            return None

    def _read(self, source: Source, ask: Ask, pages: Pages, poll_id: int | None) -> list[Row]:
        """All rows of one ask: pages until a short one.

        A page that shows nothing new is an answer to another question than ours; but where a source is asked for by
        id, and checks itself that its rows are all, it is upstream's way to ignore paging.
        """
        limit = PAGE_SIZE if source.page_param else None
        rows: list[Row] = []
        seen: set[tuple[str, str]] = set()
        for number in range(1, MOST_PAGES + 1):
            if (ask, number) not in pages:
                params = parameters(source, ask, number, self._version)
                pages[ask, number] = self._caller.call(source.path, params, limit=limit, poll_id=poll_id)
            found = pages[ask, number].rows
            keys = _keys(source, found)
            if found and keys <= seen:
                if source.selection == "ids":
                    return rows
                raise UpstreamError(f"{source.path}: page {number} has nothing that earlier pages had not: paging does not end")
            rows += found
            seen |= keys
            if len(found) != limit or number == source.max_pages:
                return rows
        raise UpstreamError(f"{source.path}: more than {MOST_PAGES} pages")


def _refused(source: Source, slot: int, pages: Pages, refused: UpstreamError) -> tuple[list[Row], UpstreamError]:
    """The page whose rows a source refuses, and why; the first one where each by itself would do."""
    for (ask, _), answer in pages.items():
        try:
            source.rows(source, answer.rows, slot, ask.ids)
            if source.names:
                source.names(answer.rows)
        except UpstreamError as error:
            return list(answer.rows), error
    return [row for answer in list(pages.values())[:1] for row in answer.rows], refused


def _keys(source: Source, rows: Sequence[Row]) -> set[tuple[str, str]]:
    page = Page(rows)
    return set(zip(map(str, page.column(source.id_field)), map(str, page.column(source.date_field)), strict=True))


def _joined(source: Source, batches: Sequence[Batch]) -> Batch:
    return Batch(
        [subject for batch in batches for subject in batch.subjects],
        np.concatenate([np.empty(0, dtype=np.int64), *(batch.as_of for batch in batches)]),
        np.concatenate([np.empty((0, len(source.metrics))), *(batch.values for batch in batches)]),
        [text for batch in batches for text in batch.texts],
        sum(batch.rows or 0 for batch in batches) or None,
    )
