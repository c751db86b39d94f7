"""The API's document as a page of its own, made from /openapi.json."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def chapters(spec: Spec) -> list[dict[str, Any]]:
    """Operations by tag, in order: method, path, summary, description, parameters, body fields, answers."""
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in spec["tags"]}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for tag in operation["tags"]:
                found[tag].append(_operation(spec, method, path, operation))
    sent = [_operation(spec, "post", name, operation["post"]) for name, operation in spec["webhooks"].items()]
    return [{"tag": tag, "operations": operations} for tag, operations in {**found, "Sent to webhooks": sent}.items()]


def _operation(spec: Spec, method: str, path: str, operation: Spec) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [
            {"key": entry["name"], "required": entry.get("required", False), **_field(entry.get("schema", {}), entry)}
            for entry in (_resolved(spec, parameter) for parameter in operation.get("parameters", []))
        ],
        "body": _fields(spec, body) if body else [],
        "answers": [(status, _resolved(spec, answer)["description"]) for status, answer in operation["responses"].items()],
    }


def _resolved(spec: Spec, thing: Spec) -> Spec:
    if "$ref" not in thing:
        return thing
    found: Any = spec
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _fields(spec: Spec, schema: Spec) -> list[dict[str, Any]]:
    schema = _resolved(spec, schema)
    required = schema.get("required", [])
    return [{"key": key, "required": key in required, **_field(field, field)} for key, field in schema["properties"].items()]


def _field(schema: Spec, described: Spec) -> dict[str, Any]:
    kinds = schema.get("type", "")
    limits = [f"from {schema['minimum']:g}"] if "minimum" in schema else []
    limits += [f"up to {schema['maximum']:g}"] if "maximum" in schema else []
    choices = schema.get("enum", [])
    return {
        "type": kinds if isinstance(kinds, str) else next((kind for kind in kinds if kind != "null"), ""),
        "help": described.get("description", ""),
        "default": schema.get("default"),
        "limits": ", ".join(map(str, choices)) or " ".join(limits),
    }
