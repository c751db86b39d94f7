"""Google Sheets: a row for each event, appended as raw values, so that no text is ever taken for a formula.

Many events go in one request, for a service account may write 60 times a minute. Google cannot recognise a repeat: after
an answer that was lost, column A is read and only the missing rows are sent. Columns are only ever added, at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from marshmallow import Schema, ValidationError, fields, post_load, validate

from integration.channels._answers import JSON, http_verdict
from integration.channels._event import Event, change, clean, cut, notes
from integration.channels._settings import private_allowed, stripped, validate_url
from integration.domain.catalogue import Channel
from integration.domain.message import Dead, Delivered, HttpRequest, Limits, Message, Reply, Retry, Verdict
from integration.domain.payload import described

BASE_URL = "https://sheets.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
LIMITS = Limits(characters=1000, per_second=1.0, batch=200, extra={"cell": 50_000, "bytes": 2_000_000})
COLUMNS = (
    "Event ID", "Time (UTC)", "Token", "Symbol", "Trigger", "Summary", "Old Value", "New Value", "Link", "Known At (UTC)", "Note",
)  # fmt: skip
#: What a probe may read: a column of some hundred thousand ids.
_COLUMN_BYTES = 4 * 1024 * 1024

_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_KEY_FIELDS = ("type", "project_id", "private_key_id", "private_key", "client_email", "token_uri")
_KEY_REMEDY = "Paste the whole JSON key file of a Google service account."


# -- settings --------------------------------------------------------------------------------------------------------


def _id_of(value: Any) -> Any:
    """The id, also where the spreadsheet's whole address was pasted."""
    found = re.search(r"/spreadsheets/d/([\w-]+)", value) if isinstance(value, str) else None
    return found[1] if found else stripped(value)


def _key_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else stripped(value)


def _service_account(text: str) -> None:
    try:
        key = json.loads(text)
    except ValueError:
        raise ValidationError(f"This is not JSON. {_KEY_REMEDY}") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise ValidationError(f"This is not the key of a service account. {_KEY_REMEDY}")
    for name in ("client_email", "private_key"):
        if not isinstance(key.get(name), str) or not key[name]:
            raise ValidationError(f"The key has no {name}. {_KEY_REMEDY}")
    if "BEGIN PRIVATE KEY" not in key["private_key"]:
        raise ValidationError(f"The private_key is not a PEM key. {_KEY_REMEDY}")
    # Whoever answers there is given a signed assertion: so only Google's own is taken.
    if key.get("token_uri", TOKEN_URL) != TOKEN_URL and not private_allowed():
        raise ValidationError(f"The token_uri must be {TOKEN_URL}.")


def _base_url(url: str) -> None:
    if url != BASE_URL:
        if not private_allowed():
            raise ValidationError(f"The base_url must be {BASE_URL}. Leave it out.")
        validate_url(url, allow_http=True)


class SheetsConfig(Schema):
    """Which tab of which spreadsheet, and the service account that may edit it."""

    spreadsheet_id = fields.String(
        required=True,
        pre_load=_id_of,
        validate=validate.Regexp(
            r"[\w-]{20,128}\Z", re.ASCII, error="This is not a spreadsheet. Paste its address from the browser, or its id."
        ),
        metadata=described("Spreadsheet", "Its address or id; share it with the service account as an editor"),
    )
    tab = fields.String(
        load_default="Sheet1",
        pre_load=stripped,
        validate=validate.Regexp(
            r"[^\x00-\x1f\ud800-\udfff]{1,100}\Z",
            error="Name the tab as it is at the bottom of the spreadsheet, at most 100 characters.",
        ),
        metadata=described("Tab", "The tab to append to; format columns B and J as date and time once"),
    )
    service_account = fields.String(
        required=True,
        pre_load=_key_text,
        validate=[validate.Length(max=10_000, error=_KEY_REMEDY), _service_account],
        metadata=described("Service Account Key", "The JSON key file of a Google service account", secret=True),
    )
    base_url = fields.String(load_default=BASE_URL, validate=_base_url, metadata=described("Base URL", hidden=True))

    @post_load
    def _keep_what_is_needed(self, config: dict[str, Any], **_: Any) -> dict[str, Any]:
        if "service_account" in config:
            key = {"token_uri": TOKEN_URL, **json.loads(config["service_account"])}
            config["service_account"] = {name: key[name] for name in _KEY_FIELDS if name in key}
        return config


# -- requests --------------------------------------------------------------------------------------------------------


def _range(config: Mapping[str, Any], cells: str) -> str:
    """A range in A1 notation, the tab's name quoted."""
    tab: str = config["tab"].replace("'", "''")
    return f"'{tab}'!{cells}"


def _request(config: Mapping[str, Any], method: str, cells: str, query: str, body: Any = None, **more: Any) -> HttpRequest:
    where = _range(config, cells)
    action = ":append" if method == "POST" else ""
    url = f"{config['base_url']}/v4/spreadsheets/{config['spreadsheet_id']}/values/{quote(where, safe='')}{action}?{query}"
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    return HttpRequest(url, content, method, JSON, fresh=True, auth="google", **more)


_ROW = f"A1:{chr(ord('A') + len(COLUMNS) - 1)}1"


def serial(iso: str) -> float:
    """A time as Sheets counts it: days since 30 December 1899, here of UTC."""
    return (datetime.fromisoformat(iso) - _EPOCH) / timedelta(days=1)


def _cell(value: Any, limit: int = 100) -> str | float | bool:
    if value is None:
        return ""
    return value if isinstance(value, bool | int | float) else cut(clean(value), limit)


def row(message: Message) -> list[str | float | bool]:
    """The cells of an event, in the order of COLUMNS."""
    event: Event = message.event
    old, new = change(event)
    return [
        message.id,
        serial(event["as_of"]),
        *map(_cell, (event["subject_name"], event["subject_symbol"], event["label"].removeprefix("New "))),
        _cell(event["summary"], LIMITS.characters or 0),
        _cell(old),
        _cell(new),
        message.url or "",
        serial(event["known_at"]),
        ", ".join(notes(event)),
    ]


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """One append for all messages. INSERT_ROWS, as OVERWRITE would write over what stands below the table."""
    query = "valueInputOption=RAW&insertDataOption=INSERT_ROWS&includeValuesInResponse=false"
    return _request(config, "POST", _ROW, query, {"majorDimension": "ROWS", "values": [row(m) for m in messages]})


def prepare(config: Mapping[str, Any]) -> HttpRequest:
    """The header row."""
    return _request(config, "PUT", _ROW, "valueInputOption=RAW", {"majorDimension": "ROWS", "values": [COLUMNS]})


def probe(_messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """All of column A: ranges cannot count from the end."""
    return _request(config, "GET", "A:A", "majorDimension=COLUMNS&prettyPrint=false&fields=values", keep=_COLUMN_BYTES)


def absent(reply: Reply, messages: Sequence[Message]) -> list[Message]:
    """Those whose id is not in column A; all of them where the answer cannot be read, for a row twice beats a row lost."""
    try:
        columns = json.loads(reply.head).get("values", []) if reply.status == 200 else []
        there = set(columns[0]) if columns else set()
    except (ValueError, TypeError, AttributeError):
        there = set()
    return [message for message in messages if message.id not in there]


# -- answers ---------------------------------------------------------------------------------------------------------


def _said(reply: Reply) -> str:
    """Google's own message, if the answer has one."""
    try:
        return cut(clean(json.loads(reply.head)["error"]["message"]), 300)
    except (ValueError, TypeError, KeyError):
        return ""


def _written(reply: Reply) -> str | None:
    try:
        return str(json.loads(reply.head)["updates"]["updatedRange"])
    except (ValueError, TypeError, KeyError):
        return None


def verdict(reply: Reply) -> Verdict:
    """403, 404 and a missing tab wait for the spreadsheet's owner; 401 is tried again with a new token."""
    if reply.error == "token":
        return Dead(f"Google refused the service account's key. {reply.detail}".strip(), "destination")
    if reply.status == 200:
        return Delivered(_written(reply))
    said = _said(reply)
    if reply.status == 400 and "unable to parse range" in said.lower():
        return Dead("The spreadsheet has no such tab. Correct the tab's name.", "destination")
    if reply.status == 403 and said and "permission" not in said.lower():
        return Dead(f"Google refused: {said}", "destination")
    return http_verdict(
        reply,
        {
            400: Dead(f"Google did not accept the row. {said}".strip()),
            401: Retry(reason="Google did not accept the access token."),
            403: Dead("Share the spreadsheet with the service account's e-mail address, as an editor.", "destination"),
            404: Dead("There is no such spreadsheet. Correct its address.", "destination"),
            413: Dead("The row is too long."),
        },
    )


def hint(config: Mapping[str, Any]) -> str:
    """The tab, the start of the id, and whom to share the spreadsheet with."""
    host = "" if config["base_url"] == BASE_URL else f" at {urlsplit(config['base_url']).netloc}"
    tab, robot = cut(config["tab"], 40), cut(config["service_account"]["client_email"], 100)
    return f"{tab} in {config['spreadsheet_id'][:6]}…{host}, as {robot}"


CHANNEL = Channel(
    key="sheets",
    label="Google Sheets",
    description="Appends each event as a row to a Google spreadsheet.",
    config=SheetsConfig,
    render=render,
    verdict=verdict,
    hint=hint,
    limits=LIMITS,
    prepare=prepare,
    probe=probe,
    absent=absent,
)
