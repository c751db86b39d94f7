"""Headers of the receiver's owner beside our own: what may be sent, and what may not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from integration.channels._settings import stripped

MOST_HEADERS, MOST_BYTES = 20, 4 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110, 5.6.2
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
#: The message's own framing and length, the connection, our signature and name, what proxies say of a client, and what clouds
#: ask for at their metadata addresses.
_RESERVED = re.compile(
    r"host|te|upgrade|expect|trailer|keep-alive|connection|transfer-encoding|content-.*|accept-encoding|user-agent|cookie2?"
    r"|set-cookie2?|via|forwarded|x-forwarded-.*|x-real-ip|proxy-.*|http2-settings|webhook-.*|svix-.*"
    r"|metadata(-flavor)?|x-google-metadata-request|x-aws-ec2-metadata-.*"
)


def entered_headers(value: Any) -> Any:
    """Headers as they are entered: an object, or lines of "Name: value"."""
    if isinstance(value, dict):
        return {name: stripped(text) for name, text in value.items()}
    if not isinstance(value, str):
        return value
    lines = [line.partition(":") for line in value.splitlines() if line.strip()]
    if bare := [name for name, colon, _value in lines if not colon]:
        raise ValidationError(f"Write each header as a line like Name: value, not {bare[0][:40]!r}.")
    names = [name.strip().lower() for name, _colon, _value in lines]
    if len(set(names)) < len(names):
        raise ValidationError("Name each header once.")
    return {name.strip(): text.strip() for name, _colon, text in lines}


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValidationError, with the remedy, for headers that must not be sent."""
    if len(headers) > MOST_HEADERS:
        raise ValidationError(f"Enter at most {MOST_HEADERS} headers.")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValidationError("Name each header once.")
    for name, value in headers.items():
        shown = name[:40]
        if not _NAME.fullmatch(name):
            raise ValidationError(f"{shown!r} cannot be the name of a header: use letters, digits and hyphens.")
        # Many servers take an underscore for a hyphen.
        if _RESERVED.fullmatch(name.lower().replace("_", "-")):
            raise ValidationError(f"The header {shown} is not yours to set: choose another name.")
        if not _VALUE.fullmatch(value):
            raise ValidationError(f"The value of {shown} must be printable ASCII, on one line and not empty.")
    if sum(len(name) + len(value) + 4 for name, value in headers.items()) > MOST_BYTES:
        raise ValidationError(f"The headers take more than {MOST_BYTES // 1024} KiB together: shorten them.")


def header_lines(headers: Mapping[str, str]) -> tuple[str, ...]:
    """As a request carries them."""
    return tuple(f"{name}: {value}" for name, value in headers.items())
