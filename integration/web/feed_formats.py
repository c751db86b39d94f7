"""A feed's events as other tools read them: CSV for spreadsheets, JSON Feed 1.1 and Atom (RFC 4287) for readers."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree as Xml

from marshmallow import Schema, fields

from integration.domain.catalogue import Trigger
from integration.domain.payload import EventPayload

Event = Mapping[str, Any]
#: The first columns of every table; those of the trigger follow, and what is new comes last.
FIRST = (
    "id", "as_of", "known_at", "subject_name", "subject_symbol", "subject_id", "summary", "trigger", "label", "is_sample",
    "sandbox", "restated",
)  # fmt: skip
#: With these a spreadsheet takes a text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: What no XML document may hold (XML 1.0, production 2): with one of these a whole feed could not be read.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATOM = "http://www.w3.org/2005/Atom"


class Channel(NamedTuple):
    """What a feed is called; the address of the page with an event, up to its id, None where there is no public one."""

    title: str
    identity: str
    description: str
    page: str | None


def columns(payload: type[Schema]) -> list[str]:
    """The columns of a trigger's table: what is one value, always in the same order."""
    flat = (name for name, field in payload().fields.items() if not isinstance(field, fields.List | fields.Dict | fields.Nested))
    return [*FIRST, *(name for name in flat if name not in FIRST and name not in EventPayload().fields)]


def as_csv(trigger: Trigger, events: Sequence[Event]) -> str:
    """A line of names, then a line for each event (RFC 4180). No cell is a formula; numbers are as they are."""
    names, out = columns(trigger.payload), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([[cell(event.get(name)) for name in names] for event in events])
    return out.getvalue()


def cell(value: Any) -> str:
    """One value as a spreadsheet may have it.

    >>> cell("=1+1"), cell(-0.5), cell(None), cell(True)
    ("'=1+1", '-0.5', '', 'true')
    """
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_json_feed(channel: Channel, events: Sequence[Event]) -> str:
    """JSON Feed 1.1; each event is whole under `_gradewire`."""
    items = [
        {
            "id": event["id"],
            **({"url": channel.page + event["id"]} if channel.page else {}),
            "title": event["summary"],
            "content_text": text_of(event),
            "date_published": event["known_at"],
            "tags": [event["trigger"], *filter(None, [event["subject_symbol"]])],
            "_gradewire": event,
        }
        for event in events
    ]
    head = {"version": "https://jsonfeed.org/version/1.1", "title": channel.title, "description": channel.description}
    return json.dumps({**head, "items": items}, ensure_ascii=False, separators=(",", ":"))


def as_atom(channel: Channel, events: Sequence[Event], updated: str) -> str:
    """Atom. `updated` is when a feed without events was made."""
    feed = Xml.Element("feed", xmlns=_ATOM)
    newest = max((event["known_at"] for event in events), default=updated)
    for name, text in (("id", f"urn:gradewire:{channel.identity}"), ("title", channel.title), ("updated", newest)):
        _add(feed, name, text)
    _add(feed, "subtitle", channel.description)
    _add(Xml.SubElement(feed, "author"), "name", "Gradewire")
    for event in events:
        entry = Xml.SubElement(feed, "entry")
        told = (("id", f"urn:gradewire:{event['id']}"), ("title", event["summary"]), ("updated", event["known_at"]))
        for name, text in told:
            _add(entry, name, text)
        _add(entry, "content", text_of(event))
        Xml.SubElement(entry, "category", term=event["trigger"])
        if channel.page:
            Xml.SubElement(entry, "link", href=channel.page + event["id"])
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(feed, encoding="unicode")


def _add(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = _NOT_XML.sub("", text)


def text_of(event: Event) -> str:
    """The sentence, and what a reader must know before acting on it."""
    marks = (("sandbox", "sandbox data"), ("is_sample", "made-up sample"), ("restated", "corrected data"))
    notes = ", ".join(text for key, text in marks if event.get(key))
    return f"{event['summary']} ({notes})" if notes else str(event["summary"])
