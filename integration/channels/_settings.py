"""What the settings of channels share: which addresses may be entered, and what may be shown of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, TypedDict
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate
from marshmallow.experimental.context import Context

MAX_URL = 2000
_URL = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


HTTP, HTTPS = 80, 443


class Allowance(TypedDict, total=False):
    """What the operator allows: `ports` beside 443, of which 80 stands for plain http too; or anything."""

    allow_private: bool
    ports: Collection[int]


#: A door that loads a channel's settings says here what the operator allows:
#: `with Operator({"allow_private": True}): schema.load(…)`. Without it, nothing private is allowed.
Operator = Context[Allowance]


def private_allowed() -> bool:
    """Whether plain http, other ports and addresses other than the vendor's may be entered."""
    return bool(Operator.get({"allow_private": False}).get("allow_private"))


def ports_allowed() -> frozenset[int]:
    """The ports that addresses may have."""
    return frozenset({HTTPS, *Operator.get({"ports": ()}).get("ports", ())})


def stripped(value: Any) -> Any:
    """Pasted text without the spaces around it; anything else as it is."""
    return value.strip() if isinstance(value, str) else value


def _ascii(address: str) -> None:
    if not address.isascii():
        raise ValidationError("Only addresses in ASCII can be mailed; write the domain as xn--….")


def mail_address(**more: Any) -> fields.Email:
    """A field for one plain e-mail address."""
    return fields.Email(
        pre_load=stripped,
        validate=[
            _ascii,
            validate.Length(max=254, error="An e-mail address has at most 254 characters."),
            validate.Regexp(r"^[^\s,;<>\"]+$", error="Enter one address, like you@example.com."),
        ],
        error_messages={"invalid": "This is not an e-mail address. Enter one like you@example.com."},
        **more,
    )


def validate_url(url: str, *, allow_http: bool, ports: Collection[int] = (HTTPS,)) -> None:
    """Raises ValidationError, with the remedy, for an address that must not be called.

    Asked for: https on one of `ports`, a host, no user name or password, no fragment, at most 2000 characters. Port 80 also
    takes http, `allow_http` that and any port. Where a name leads is checked when the socket opens, and so is the port again.
    """
    if len(url) > MAX_URL:
        raise ValidationError(f"The address is longer than {MAX_URL} characters. Use a shorter one.")
    if not _URL.fullmatch(url) or "\\" in url:
        raise ValidationError("The address has characters that an address cannot have. Percent-encode them.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValidationError("This is not an address. Enter one like https://example.com/hook.") from None
    plain = parts.scheme == "http" and (allow_http or HTTP in ports)
    if parts.scheme != "https" and not plain:
        raise ValidationError("The address must begin with https://.")
    if not _HOST.fullmatch(host):
        raise ValidationError("The address has no valid host name. Enter one like https://example.com/hook.")
    if "@" in parts.netloc:
        raise ValidationError("Remove the user name and password from the address.")
    if "#" in url:
        raise ValidationError("Remove the part from # on: it is never sent.")
    if port is None:
        port = HTTP if plain else HTTPS
    if port not in ports and not allow_http:
        allowed = " and ".join(map(str, sorted(ports)))
        raise ValidationError(f"Only port {allowed} may be called. Remove the port from the address.")


def public_url(url: str) -> None:
    """A marshmallow validator: an address that anyone may enter, and more where the operator allows it."""
    validate_url(url, allow_http=private_allowed(), ports=ports_allowed())


def vendor_url(starts: Sequence[str], remedy: str, ends: str = "") -> Any:
    """A marshmallow validator: an address of a vendor, by how it starts and ends; any, where the operator allows it."""

    def check(url: str) -> None:
        validate_url(url, allow_http=private_allowed(), ports=ports_allowed())
        if not private_allowed() and not (url.startswith(tuple(starts)) and url.endswith(ends)):
            raise ValidationError(remedy)

    return check


def shown_url(url: str) -> str:
    """Scheme and host; the rest of an address may be a secret."""
    parts = urlsplit(url)
    host = parts.netloc if len(parts.netloc) <= 100 else parts.netloc[:99] + "…"
    return f"{parts.scheme}://{host}/…"
