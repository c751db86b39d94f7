"""What to ask for: a source's ids and days, in portions that one call may name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from integration.domain.catalogue import Source
from integration.domain.retry import DAY

Version = Literal["v2", "v3"]

PAGE_SIZE = 100
#: Days of one call, both ends included: upstream takes no longer span.
LONGEST_SPAN = 29


@dataclass(frozen=True, slots=True)
class Ask:
    """Some ids (comma-separated, empty for all) over some days (both ends included, None for the newest)."""

    ids: str = ""
    start: date | None = None
    end: date | None = None


def asks(source: Source, ids: Sequence[int] | None, start: date | None, end: date | None) -> list[Ask]:
    """Portions of at most `ids_per_call` ids and 29 days, oldest first; no day is asked for twice.

    Where portions would fill their last pages to the brim they are smaller by one: after a full page an empty one is read.
    """
    if (source.selection == "ids") > (ids is not None):
        raise ValueError(f"{source.key} is asked for by ids")
    if not source.ranged and (start or end):
        raise ValueError(f"{source.key} takes no dates")
    wanted = sorted(set(ids)) if ids is not None else []
    windows = _windows(start, end) if start and end else [(None, None)]
    size = _portion(source, windows[0])
    portions = [",".join(map(str, wanted[at : at + size])) for at in range(0, len(wanted), size)]
    return [Ask(portion, *window) for portion in ([""] if ids is None else portions) for window in windows]


def _portion(source: Source, window: tuple[date | None, date | None]) -> int:
    """How many ids one call names."""
    start, end = window
    rows_each = ((end - start).days + 1) * max(1, DAY // source.cadence) if start and end else 1
    size = source.ids_per_call
    return size - 1 if size > 1 and source.page_param and size * rows_each % PAGE_SIZE == 0 else size


def _windows(start: date, end: date) -> list[tuple[date | None, date | None]]:
    step, days = timedelta(LONGEST_SPAN), (end - start).days + 1
    firsts = (start + step * number for number in range(-(-days // LONGEST_SPAN)))
    return [(first, min(first + step - timedelta(1), end)) for first in firsts]


def calls(source: Source, ids: Sequence[int] | None, start: date, end: date, everyone: int) -> int:
    """How many calls fetching these days takes at most: the pages of each portion, where every subject has every reading.

    `everyone` is how many subjects there are where no ids are named.
    """
    a_day, total = max(1, DAY // source.cadence), 0
    for ask in asks(source, ids, start, end):
        days = (ask.end - ask.start).days + 1 if ask.start and ask.end else 1
        rows = (ask.ids.count(",") + 1 if ask.ids else everyone) * days * a_day
        total += pages(source, rows)
    return total


def pages(source: Source, rows: int) -> int:
    """The calls that reading so many rows takes: a last page that is full is followed by an empty one."""
    return min(source.max_pages or rows + 1, rows // PAGE_SIZE + 1) if source.page_param else 1


def parameters(source: Source, ask: Ask, page: int, version: Version) -> dict[str, str]:
    """The query of one page. Version 3 is said to have renamed the dates; both spellings are sent there."""
    params = {**source.params, **(source.v3_params if version == "v3" else {})}
    if ask.ids:
        params[source.id_param] = ask.ids
    if ask.start and ask.end:
        for start, end in [("startDate", "endDate"), *([("start_date", "end_date")] if version == "v3" else [])]:
            params |= {start: ask.start.isoformat(), end: ask.end.isoformat()}
    if source.page_param:
        params |= {source.page_param: str(PAGE_SIZE), "page": str(page)}
    return params
