"""Google's token endpoint, which verifies the RS256 assertion, and the values part of the Sheets API, RAW as Google does it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from tests.peers.http import Answer, Peer, Request, answer_json

EMAIL = "robot@gradewire-test.iam.gserviceaccount.com"
SPREADSHEET = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_CELL = 50_000
#: Whom google-auth addresses its assertions to, whatever the key file's token_uri.
AUDIENCE = "https://oauth2.googleapis.com/token"

Grid = list[list[Any]]


@cache
def key_pair(number: int) -> tuple[str, str]:
    """(private key, public key) in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public


def _error(status: int, word: str, message: str) -> Answer:
    return answer_json(status, {"error": {"code": status, "message": message, "status": word}})


class GooglePeer(Peer):
    """One spreadsheet with the tab "Events", shared with one service account."""

    def __init__(self) -> None:
        super().__init__()
        self.tabs: dict[str, Grid] = {"Events": []}
        self.shared_with = {EMAIL}
        self.lifetime = 3600
        self.tokens: dict[str, str] = {}

    def service_account(self, number: int = 0) -> dict[str, str]:
        """The key file. The peer knows key 0 only."""
        return {
            "type": "service_account",
            "project_id": "gradewire-test",
            "private_key_id": "k0",
            "private_key": key_pair(number)[0],
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
        }

    def config(self, **changes: Any) -> dict[str, Any]:
        """A destination's settings as a person would enter them."""
        return {
            "spreadsheet_id": SPREADSHEET,
            "tab": "Events",
            "service_account": json.dumps(self.service_account()),
            "base_url": self.url,
            **changes,
        }

    def handle(self, request: Request) -> Answer:
        return self._token(request) if request.path == "/token" else self._sheets(request)

    # -- tokens

    def _token(self, request: Request) -> Answer:
        form = parse_qs(request.body.decode())
        if form.get("grant_type") != [GRANT]:
            return answer_json(400, {"error": "unsupported_grant_type", "error_description": "Invalid grant_type"})
        try:
            claims = jwt.decode(form["assertion"][0], certs=key_pair(0)[1], audience=AUDIENCE)  # type: ignore[no-untyped-call]
        except Exception:
            return answer_json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if "https://www.googleapis.com/auth/spreadsheets" not in claims["scope"].split():
            return answer_json(400, {"error": "invalid_scope", "error_description": "No access to this scope."})
        token = f"ya29.test-{len(self.tokens)}"
        self.tokens[token] = claims["iss"]
        return answer_json(200, {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})

    # -- values

    def _sheets(self, request: Request) -> Answer:
        caller = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if caller is None:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        parts = urlsplit(request.path)
        found = re.fullmatch(r"/v4/spreadsheets/([\w-]+)/values/([^:/]+?)(:append)?", parts.path)
        if found is None or found[1] != SPREADSHEET:
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        if caller not in self.shared_with:
            return _error(403, "PERMISSION_DENIED", "The caller does not have permission")
        cells = unquote(found[2])
        place = re.fullmatch(r"'((?:[^']|'')+)'!([A-Z]+\d*):([A-Z]+\d*)", cells)
        grid = self.tabs.get(place[1].replace("''", "'")) if place else None
        if place is None or grid is None:
            return _error(400, "INVALID_ARGUMENT", f"Unable to parse range: {cells}")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if request.method == "GET":
            return self._read(grid, place, query)
        refusal = _refused(request, query)
        if refusal:
            return refusal
        rows = request.json()["values"]
        return self._append(grid, place, rows, query) if found[3] else self._update(grid, place, rows)

    def _read(self, grid: Grid, place: re.Match[str], query: dict[str, str]) -> Answer:
        if (place[2], place[3], query.get("majorDimension")) != ("A", "A", "COLUMNS"):
            return _error(501, "UNIMPLEMENTED", "This peer reads column A only.")
        return answer_json(200, {"values": [[row[0] for row in grid]]} if grid else {})

    def _append(self, grid: Grid, place: re.Match[str], rows: Grid, query: dict[str, str]) -> Answer:
        if query.get("insertDataOption") != "INSERT_ROWS":
            return _error(400, "INVALID_ARGUMENT", "OVERWRITE would write over the cells below the table.")
        first = len(grid) + 1
        grid.extend(rows)
        last = chr(ord("A") + max(map(len, rows)) - 1)
        written = f"{place[1]}!A{first}:{last}{len(grid)}"
        return answer_json(200, {"spreadsheetId": SPREADSHEET, "updates": {"updatedRange": written, "updatedRows": len(rows)}})

    def _update(self, grid: Grid, place: re.Match[str], rows: Grid) -> Answer:
        if place[2] != "A1":
            return _error(501, "UNIMPLEMENTED", "This peer updates from A1 only.")
        grid[: len(rows)] = rows
        return answer_json(200, {"spreadsheetId": SPREADSHEET, "updatedRange": f"{place[1]}!A1"})


def _refused(request: Request, query: dict[str, str]) -> Answer | None:
    """What Google would not take, or, with USER_ENTERED, would run as a formula."""
    if query.get("valueInputOption") != "RAW":
        return _error(400, "INVALID_ARGUMENT", "Only RAW keeps text from being run as a formula.")
    if len(request.body) > 2_000_000:
        return _error(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.")
    cells = [cell for row in request.json()["values"] for cell in row]
    if not all(isinstance(cell, str | int | float | bool) for cell in cells):
        return _error(400, "INVALID_ARGUMENT", "Invalid values: cells hold text, numbers or booleans.")
    if any(isinstance(cell, str) and len(cell) > MAX_CELL for cell in cells):
        return _error(400, "INVALID_ARGUMENT", "Your input contains more than the maximum of 50000 characters in a single cell.")
    return None
