"""From the catalogue to OpenAPI's `webhooks`: every body that receivers get, with the headers around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integration.domain.catalogue import Trigger
from integration.domain.payload import SCHEMA

Spec = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
_PLAIN, _ANY, _DIGEST, _BUNDLE = (_SCHEMAS + name for name in ("AnyEvent", "Event", "Digest", "Bundle"))

_HEADERS = {
    "webhook-id": ("The event's id, the same on every attempt: ignore one that you have seen", {"type": "string"}),
    "webhook-timestamp": (
        "When this attempt was signed, in seconds since 1970: refuse one more than 5 minutes off",
        {"type": "string", "pattern": "^[0-9]+$"},
    ),
    "webhook-signature": (
        "Signatures of `id.timestamp.body`, with a space between them: `v1,` and HMAC-SHA256 by your secret, in base64; beside "
        "it `v1a,` and ed25519, if you ask for that. While a secret is rotated the old one signs too: one that holds is enough",
        {"type": "string", "pattern": "^v1,[A-Za-z0-9+/]+=*( v1a?,[A-Za-z0-9+/]+=*)*$"},
    ),
}
_WAIT = {"Retry-After": {"description": "Seconds, or an HTTP date", "schema": {"type": "string"}}}
_RESPONSES = {
    "2XX": {"description": "Taken; answer within 15 seconds."},
    "410": {"description": "No more of these: the subscription ends."},
    "429": {"description": "Later: the next attempt waits as long as asked, up to 24 hours.", "headers": _WAIT},
    "503": {"description": "Later, as with 429.", "headers": _WAIT},
    "default": {"description": "Tried again, ten times in all within four days. Redirects are not followed."},
}


def add_webhooks(spec: Spec, triggers: Mapping[str, Trigger]) -> Spec:
    """The document with what is sent to webhooks: each trigger's event, a digest of several, and the test event.

    Events may get more keys, so their schemas, as a receiver sees them, allow for keys that are not there yet.
    """
    refs = {key: _event_of(spec, key) for key in triggers}
    for name in _reachable(spec, [*refs.values(), _PLAIN]):
        spec["components"]["schemas"][name].pop("additionalProperties", None)
    spec["components"]["schemas"] |= _own_schemas(refs)
    for key, ref in refs.items():
        _answer(spec, key)["schema"] = _feed_forms(ref)
    spec["components"]["parameters"] = {name: _header(name) for name in _HEADERS}
    spec["webhooks"] = {
        **{key: _sent(trigger.label, trigger.description, refs[key], trigger.sample) for key, trigger in triggers.items()},
        "digest": _sent("Several events in one", "Sent in the place of many, or of those that waited too long.", _DIGEST),
        "bundle": _sent("What a poll brought", "In the place of each event, where a bundle is asked for.", _BUNDLE),
        "test": _sent(
            "Test event",
            "Sent on request: a trigger's sample under an id of its own, with `is_sample` true.",
            _PLAIN,
        ),
    }
    return spec


def _event_of(spec: Spec, key: str) -> str:
    """Where a trigger's event is described: its feed is an array of them."""
    return str(_answer(spec, key)["schema"]["items"]["$ref"])


def _answer(spec: Spec, key: str) -> Spec:
    """What a trigger's feed answers."""
    answer: Spec = spec["paths"][f"/v1/triggers/{key}"]["get"]["responses"]["200"]["content"]["application/json"]
    return answer


def _feed_forms(ref: str) -> Spec:
    """A feed's array: of events, or of bundles where these are asked for; either of them in an envelope."""
    arrays: Spec = {"anyOf": [{"type": "array", "items": {"$ref": each}} for each in (ref, _BUNDLE)]}
    fields = {"data": arrays, "next_cursor": {"type": ["string", "null"], "description": "Send it as after_id to go on"}}
    return {"anyOf": [*arrays["anyOf"], {"type": "object", "properties": fields, "required": list(fields)}]}


def _reachable(spec: Spec, refs: list[str]) -> set[str]:
    """The names of the schemas that these lead to."""
    found: set[str] = set()
    while refs:
        name = refs.pop().removeprefix(_SCHEMAS)
        if name not in found:
            found.add(name)
            refs += _refs(spec["components"]["schemas"][name])
    return found


def _refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "$ref")
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _refs(value)


def _own_schemas(refs: Mapping[str, str]) -> Spec:
    """An event of any trigger, told apart by its key; and the digest."""
    fields = {
        "schema": {"type": "integer", "const": SCHEMA, "description": "Schema Version"},
        "id": {"type": "string", "pattern": "^dig_", "description": "Made from the ids of its events"},
        "type": {"type": "string", "const": "digest", "description": "Events have none"},
        "delayed": {"type": "boolean", "description": "True where the events are older than is usual"},
        "count": {"type": "integer", "minimum": 1, "description": "How many events it holds"},
        "summary": {"type": "string", "description": "One sentence, ready to post"},
        "events": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": _SCHEMAS + "Event"},
            "description": "As they are sent alone",
        },
    }
    return {
        "Bundle": _bundle(),
        "Event": {
            "anyOf": [{"$ref": ref} for ref in dict.fromkeys(refs.values())],
            "discriminator": {"propertyName": "trigger", "mapping": dict(refs)},
        },
        "Digest": {"type": "object", "properties": fields, "required": list(fields)},
    }


def _bundle() -> Spec:
    """What a poll brought of a rule, as one."""
    texts = {
        "trigger": "Trigger Key",
        "label": "Trigger",
        "as_of": "The newest of its events'",
        "known_at": "When Gradewire learnt of them",
        "summary": "One sentence, ready to post",
        "names": "Whom it is about, comma separated",
        "symbols": "Their symbols, comma separated",
        "first_name": "Whom the first event is about",
        "first_symbol": "Its symbol",
        "first_summary": "What it says",
        "discord_text": "A line for each event, ready to post in Discord",
    }
    fields: Spec = {
        "schema": {"type": "integer", "const": SCHEMA, "description": "Schema Version"},
        "id": {"type": "string", "pattern": "^bnd_", "description": "Made from the ids of its events"},
        "type": {"type": "string", "const": "bundle", "description": "Events have none"},
        **{key: {"type": "string", "description": text} for key, text in texts.items()},
        "is_sample": {"type": "boolean", "description": "Is Sample"},
        "sandbox": {"type": "boolean", "description": "Is Sandbox Data"},
        "count": {"type": "integer", "minimum": 1, "description": "How many events it holds"},
        "events": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": _SCHEMAS + "Event"},
            "description": "Line items: the events, as they are sent alone",
        },
    }
    return {"type": "object", "properties": fields, "required": list(fields)}


def _header(name: str) -> Spec:
    text, schema = _HEADERS[name]
    return {"in": "header", "name": name, "required": True, "description": text, "schema": schema}


def _sent(summary: str, description: str, ref: str, example: Mapping[str, Any] | None = None) -> Spec:
    content: Spec = {"schema": {"$ref": ref}}
    if example is not None:
        content["example"] = dict(example)
    return {
        "post": {
            "summary": summary,
            "description": description,
            "security": [],
            "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _HEADERS],
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": _RESPONSES,
        }
    }
