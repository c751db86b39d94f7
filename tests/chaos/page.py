"""The page of results, docs/crashes.md: written by `make chaos`, read by a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from integration.service.claiming import LEASE_MS
from tests.chaos.cases import Case, Result, matrix

PAGE = Path(__file__).parents[2] / "docs" / "crashes.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_HEAD = f"""# What happens when it breaks

Every delivery that is owed arrives at least once, with the same id each time, whatever breaks. This page is the proof, written
by `make chaos`: real Celery workers, beat, web, Redis and databases; a fault at each point of a delivery's way, while they work
off what two polls have owed to 650 hooks.

- **owed**, **arrived**: pairs of receiver and event. Which events there are is told by a twin that polls the same market
  undisturbed.
- **twice**: pairs that arrived more than once. They carry the same `webhook-id`, by which a receiver knows them.
- **in flight**: deliveries whose lease nobody was left to settle. Only these may arrive twice: no other did in any case.
- **stuck**: deliveries not settled at the end. Leases last {LEASE_MS // 1000} s; the clock of the processes was moved on to
  their end.
- **s**: seconds that the case took, starting and ending the processes included.

The points: *after the claim* (rows are leased, nothing is sent), *while sending* (receivers have the request, their answer is
missing), *after sending* (the answer came, nothing is noted), *before recording* (the outcomes wait to be written), *within the
recording transaction* (written, not committed), *between poll and event* (readings are stored, events are not, nothing is
committed).

| fault | point | database | owed | arrived | twice | in flight | stuck | s |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
"""


class Row(NamedTuple):
    """A line of the table."""

    fault: str
    point: str
    database: str
    owed: int
    arrived: int
    twice: int
    in_flight: int
    stuck: int
    seconds: int


def page(results: Mapping[Case, Result], before: str = "") -> str:
    """The whole page: the last result of each case, of those that did not run again as they were on the page `before`."""
    told = {row[:3]: row for row in (*rows(before), *(_row(case, result) for case, result in results.items()))}
    names = ((case.fault.name, case.point, DATABASES[case.kind]) for case in matrix())
    return _HEAD + "".join(_line(told[name]) for name in names if name in told)


def _row(case: Case, result: Result) -> Row:
    numbers = (result.owed, result.arrived, result.twice, result.in_flight, result.stuck, round(result.seconds))
    return Row(case.fault.name, case.point, DATABASES[case.kind], *numbers)


def _line(row: Row) -> str:
    return f"| {' | '.join((*row[:3], *(f'{number:,}' for number in row[3:])))} |\n"


def rows(text: str) -> list[Row]:
    """The table of a page, read back."""
    lines = text.partition("| --- |")[2].splitlines()[1:]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]
    return [Row(*line[:3], *(int(cell.replace(",", "")) for cell in line[3:])) for line in cells]
