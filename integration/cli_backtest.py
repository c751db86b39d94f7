"""What `gradewire backtest` does and shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from integration.service.backtest import Question, backtest
from integration.service.lacking import Lack
from integration.service.needing import left
from integration.service.wiring import Gradewire
from integration.service.wishing import check_affordable, fetch

#: Events that are shown as rows; --json gives all.
ROWS = 30


def try_out(gradewire: Gradewire, question: Question, console: Console, *, fetching: bool, yes: bool, as_json: bool) -> None:
    """Run the backtest, fetch what is lacking if that is wanted and agreed to, and show what it says."""
    with _bar("Looking back") as progress:
        told, found = backtest(gradewire, question, progress)
    wanted = [lack for lack in found if not lack.why_not]
    if fetching and wanted and _agreed(gradewire, wanted, yes=yes):
        for lack in wanted:
            took = fetch(gradewire, lack)
            click.echo(f"{lack.source.label}: fetched with {_some(took, 'call')}.", err=True)
        with _bar("Looking back") as progress:
            told, _ = backtest(gradewire, question, progress)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(console, told)


def _agreed(gradewire: Gradewire, wanted: Sequence[Lack], *, yes: bool) -> bool:
    check_affordable(gradewire, wanted)
    calls = sum(lack.calls for lack in wanted)
    text = f"Fetching the missing days takes up to {calls:,} of the {left(gradewire):,} calls left this month"
    if yes:
        click.echo(f"{text}.", err=True)
        return True
    return click.confirm(f"{text}. Fetch them?", err=True)


@contextmanager
def _bar(text: str) -> Iterator[Any]:
    """A progress bar where somebody looks at it; `progress(done, of)` moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


# -- tables ----------------------------------------------------------------------------------------------------------


def _show(console: Console, told: Mapping[str, Any]) -> None:
    console.print(
        f"[bold]{told['label']}[/], {told['from']} to {told['to']}: {_some(told['count'], 'event')} of "
        f"{_some(told['subjects'], 'subject')}, "
        f"{told['watched']:,} watched",
        highlight=False,
    )
    _events(console, told)
    if told["alternatives"]:
        columns = {"option": str, "value": _plain, "events": str, "flaps": str, "": str}
        rows = [
            (each["option"], each["value"], each["count"], each["flaps"], "asked" if each["chosen"] else "")
            for each in told["alternatives"]
        ]
        _table(console, columns, rows)
    if any(each["events_count"] for each in told["returns"]["horizons"]):
        _returns(console, told["returns"])
    _words(console, told)


def _events(console: Console, told: Mapping[str, Any]) -> None:
    columns = {"as of": str, "what": str, "1 d": _percent, "7 d": _percent, "30 d": _percent, "event": str}
    rows = [
        (firing["as_of"], event["summary"], *(firing[f"return_{days}d"] for days in (1, 7, 30)), event["id"])
        for event, firing in zip(told["events"][:ROWS], told["firings"], strict=False)
    ]
    if rows:
        _table(console, columns, rows)
    if told["count"] > len(rows):
        console.print(f"The newest {len(rows)}; --json --limit gives more.")


def _returns(console: Console, returns: Mapping[str, Any]) -> None:
    columns = {"after": str, "events": str, "mean": _percent, "above 0": _share, "all days": _percent, "all above 0": _share}
    rows = [
        (
            f"{each['days']} d" + (f", {each['direction']}" if each["direction"] else ""),
            *(each[name] for name in ("events_count", "events_mean", "events_positive", "base_mean", "base_positive")),
        )
        for each in returns["horizons"]
    ]
    _table(console, columns, rows)
    console.print(returns["note"])


def _words(console: Console, told: Mapping[str, Any]) -> None:
    gaps, flaps, missing = told["gaps"], told["flaps"], told["missing"]
    if flaps is not None:
        console.print(f"Flaps: {_some(flaps['count'], 'event')} turned round within {_some(flaps['within_days'], 'day')}.")
    if gaps["count"]:
        console.print(f"Gaps: {gaps['count']:,}, of {_some(gaps['subjects'], 'subject')}, {_some(gaps['days'], 'day')} in all.")
    for part in missing["parts"] if missing else ():
        of = "" if part["subjects"] is None else f" of {_some(part['subjects'], 'subject')}"
        how = part["why_not"] or f"fetching them takes up to {_some(part['calls'], 'call')} (--fetch)"
        console.print(f"Missing: {_some(part['days'], 'day')}{of} of {part['label']}, {part['from']} to {part['to']}: {how}")


def _some(count: float, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _plain(value: float) -> str:
    return f"{value:g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _table(console: Console, columns: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*(spell(value) for spell, value in zip(columns.values(), row, strict=True)))
    console.print(table)
