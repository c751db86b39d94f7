"""Access tokens of Google service accounts, kept until shortly before they expire."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from google.auth import exceptions
from google.auth.transport import DEFAULT_RETRYABLE_STATUS_CODES
from google.oauth2.service_account import Credentials

from integration.domain.errors import GradewireError
from integration.domain.message import HttpRequest, Reply
from integration.wire.http import Transport

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
#: A token is renewed this long before it expires.
EARLY_S = 300
#: What a call for a token may take; an answer is a few hundred bytes.
TOTAL_MS = 10_000
_KEEP = 16 * 1024
_NO_TOKEN = "Google's token service answered with something that is no token."  # noqa: S105 (a sentence)


class TokenRefused(GradewireError):
    """Google gave no access token for the service account."""

    code = "token_refused"

    def __init__(self, message: str = "", *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable

    @property
    def reply(self) -> Reply:
        """The refusal as the reply of an attempt: "token" where the key is at fault, "failed" where Google is."""
        return Reply(0, error="failed" if self.retryable else "token", detail=self.message)


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer as google-auth wants it."""

    status: int
    data: bytes
    headers: Mapping[str, str]


class GoogleTokens:
    """Tokens by service account; for all threads. `clock` is in seconds, UTC.

    `connect` makes a transport for one call: the address check stands where its sockets open, whatever the key's token_uri.
    """

    def __init__(self, connect: Callable[[], Transport[Any]], clock: Callable[[], float] = time.time) -> None:
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def token_for(self, service_account: Mapping[str, Any]) -> str:
        """A bearer token for Google Sheets, good for at least a few minutes. Raises TokenRefused."""
        identity = _identity(service_account)
        with self._lock:
            token, expiry = self._tokens.get(identity, ("", 0.0))
            if self._clock() >= expiry - EARLY_S:
                token, expiry = self._fetched(service_account)
                self._tokens[identity] = token, expiry
        return token

    def forget(self, service_account: Mapping[str, Any]) -> None:
        """Ask anew next time: for a token that Google no longer takes (401)."""
        with self._lock:
            self._tokens.pop(_identity(service_account), None)

    def _fetched(self, service_account: Mapping[str, Any]) -> tuple[str, float]:
        try:
            credentials = Credentials.from_service_account_info(service_account, scopes=[SCOPE])  # type: ignore[no-untyped-call]
        except (ValueError, exceptions.GoogleAuthError) as error:
            raise TokenRefused("The service account's key cannot be read. Paste the whole key file.", retryable=False) from error
        try:
            credentials.refresh(self._post)
        except exceptions.TransportError as error:
            raise TokenRefused("Google's token service did not answer.", retryable=True) from error
        except exceptions.GoogleAuthError as error:
            raise TokenRefused(_told(error), retryable=error.retryable) from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise TokenRefused(_NO_TOKEN, retryable=True) from error
        if credentials.expiry is None:
            raise TokenRefused(_NO_TOKEN, retryable=True)
        return credentials.token, credentials.expiry.replace(tzinfo=UTC).timestamp()

    def _post(self, url: str, method: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        """One call. A busy answer is raised here, for google-auth would sleep and ask again."""
        lines = tuple(f"{name}: {value}" for name, value in headers.items())
        with closing(self._connect()) as transport:
            reply = transport.send(HttpRequest(url, body, method, lines, keep=_KEEP))
        if reply.error == "refused":
            raise TokenRefused(f"The key's token_uri is not called: {reply.detail}.", retryable=False)
        if reply.error or reply.status in DEFAULT_RETRYABLE_STATUS_CODES:
            raise exceptions.TransportError(reply.error or f"HTTP {reply.status}")  # type: ignore[no-untyped-call]
        return _Answer(reply.status, reply.head, {})


def _identity(service_account: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(service_account, sort_keys=True).encode()).hexdigest()


def _told(error: exceptions.GoogleAuthError) -> str:
    """Google's own words, which hold no secret: "invalid_grant: Invalid JWT Signature."."""
    return str(error.args[0])[:300] if error.args else ""
