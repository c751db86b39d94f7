"""From the catalogue to OpenAPI: the parameters and answers of each trigger's feed, and what is said once for all routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from integration.domain.catalogue import Trigger
from integration.domain.payload import described

DEFAULT_LIMIT, MOST = 100, 1_000
#: Parameters of a feed that are no options.
WINDOW: dict[str, fields.Field[Any]] = {
    "limit": fields.Integer(
        load_default=DEFAULT_LIMIT, validate=validate.Range(1, MOST), metadata=described("Limit", "How many events at most")
    ),
    "since": fields.String(
        metadata=described(
            "Since", "Only events known since this time: ISO 8601 or milliseconds since 1970", example="2024-01-31"
        )
    ),
    "after_id": fields.String(metadata=described("After", "Only events that came after the event with this id")),
    "before_id": fields.String(metadata=described("Before", "Only events that came before the event with this id")),
    "bundle": fields.Boolean(
        metadata=described("Bundle", "What a poll brought as one object with its events in it, as a hook with bundle sends it")
    ),
    "envelope": fields.Boolean(
        metadata=described("Envelope", "Answer {data, next_cursor} instead of a bare array, for tools that want an object")
    ),
}
#: Who is watched, by what a trigger is about. At most one may be given.
SCOPES: dict[str, dict[str, fields.Field[Any]]] = {
    "token": {
        "tokens": fields.String(
            metadata=described(
                "Tokens", "Ids, symbols or names, comma separated; none means any", list="tokens", example="BTC,ETH"
            )
        ),
        "category": fields.String(metadata=described("Category", "Tokens of a category", list="categories")),
        "exchange": fields.String(metadata=described("Exchange", "Tokens traded at an exchange", list="exchanges")),
        "top": fields.Integer(validate=validate.Range(1, 1000), metadata=described("Top", "The top N tokens by market cap")),
    },
    "index": {
        "indices": fields.String(
            metadata=described("Indices", "Ids or names, comma separated; none means any", list="indices", example="1")
        )
    },
    "market": {},
}


def scope_schema(trigger: Trigger) -> type[Schema]:
    """What a scope may say for a trigger."""
    return Schema.from_dict(dict(SCOPES[trigger.subject]), name=f"{_camel(trigger.key)}Scope")


def feed_query(trigger: Trigger) -> type[Schema]:
    """The query of a trigger's feed: its window, its scope, its options. TypeError where two of them share a name."""
    options = trigger.options().fields
    taken = (WINDOW.keys() | SCOPES[trigger.subject].keys()) & options.keys()
    if taken:
        raise TypeError(f"{trigger.key}: these names belong to every feed: {', '.join(sorted(taken))}")
    parts = {**WINDOW, **SCOPES[trigger.subject], **options}
    return Schema.from_dict(dict(parts), name=f"{_camel(trigger.key)}Query")


def _camel(key: str) -> str:
    return "".join(part.capitalize() for part in key.split("_"))


def finish(
    spec: dict[str, Any],
    *,
    triggers: Iterable[str],
    channels: Iterable[str],
    error: Mapping[str, Any],
    said: Mapping[int, str],
) -> dict[str, Any]:
    """The document with what holds for every route: how to authenticate, the errors each may answer, the keys there are.

    `said` is what each error status means; `error` the schema of their body.
    """
    answers = {str(status): _response(text, error, status) for status, text in said.items()}
    spec["security"] = [{"ApiKey": []}, {"Bearer": []}]
    spec.setdefault("components", {})["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "gw_live_…"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
    spec["components"]["responses"] = {f"Error{status}": answer for status, answer in answers.items()}
    spec["paths"] = dict(sorted(spec["paths"].items()))
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            wanted = {"400", "401", "422", "429"} | ({"404"} if "{" in path else set())
            if "requestBody" in operation:
                operation["requestBody"]["required"] = not _all_have_defaults(spec, operation["requestBody"])
                wanted |= {"413", "415"}
            wanted |= {status for status in operation["responses"] if status in answers}
            operation["responses"] |= {s: {"$ref": f"#/components/responses/Error{s}"} for s in sorted(wanted)}
    schemas = spec["components"]["schemas"]
    for schema, field in (
        ("HookIn", "event"),
        ("SubscriptionIn", "trigger"),
        ("BacktestIn", "trigger"),
        ("WatchIn", "trigger"),
        ("LinkIn", "trigger"),
    ):
        schemas[schema]["properties"][field]["enum"] = list(triggers)
    schemas["DestinationIn"]["properties"]["channel"]["enum"] = list(channels)
    return spec


def _all_have_defaults(spec: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether a body may be left out, as nothing in it must be said."""
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return all(field.get("default") is not None for field in spec["components"]["schemas"][name]["properties"].values())


def _response(text: str, error: Mapping[str, Any], status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": text, "content": {"application/json": {"schema": dict(error)}}}
    if status == 429:
        seconds = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait", "required": True}
        answer["headers"] = {"Retry-After": seconds}
    return answer
