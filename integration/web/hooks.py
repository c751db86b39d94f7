"""REST hooks: subscribe an address to a trigger in one call, as Zapier and its like do."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g

from integration.service import hooks as rest_hooks
from integration.service.asking import split
from integration.service.wiring import Gradewire
from integration.web import schemas
from integration.web.query import check_known


def hook_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of hooks."""
    api = APIBlueprint("hooks", __name__, url_prefix="/v1/hooks", tag="Hooks")

    @api.post("")
    @api.input(schemas.HookIn)
    @api.output(schemas.HookCreated, status_code=201)
    @api.doc(
        summary="Subscribe an address to a trigger",
        description="The same address, event and filters again is the same hook: it answers 200 with the same id, and without "
        "the secret. With `bundle` each poll comes as one object with its events in it. Hooks end when the key that asked for "
        "them is revoked.",
        responses={200: schemas.HOOK_THERE, **schemas.CONFLICT},
    )
    def create(json_data: dict[str, Any]) -> Any:
        options, scope = json_data["options"], json_data["scope"]
        trigger = gradewire.catalogue.triggers.get(json_data["event"])
        if trigger is not None:
            mixed = split(trigger, json_data["filters"], form=False)
            options, scope = mixed[0] | options, mixed[1] | scope
        what = (json_data["target_url"], json_data["event"], options, scope, json_data["secret"])
        how = {"corrections": json_data["corrections"], "bundle": json_data["bundle"], "key_id": g.owner.key_id}
        hook, fresh = rest_hooks.create_hook(gradewire, g.owner.account_id, *what, **how)
        return hook, 201 if fresh else 200

    @api.get("")
    @api.input(schemas.HookQuery, location="query")
    @api.output(schemas.HookOut(many=True))
    @api.doc(summary="Your hooks")
    def hooks(query_data: dict[str, Any]) -> Any:
        check_known(schemas.HookQuery)
        return rest_hooks.list_hooks(gradewire, g.owner.account_id, **query_data)

    @api.get("/<hook_id>")
    @api.output(schemas.HookOut)
    @api.doc(summary="One hook; 404 once it has ended")
    def hook(hook_id: str) -> Any:
        return rest_hooks.get_hook(gradewire, g.owner.account_id, hook_id)

    @api.delete("/<hook_id>")
    @api.output({}, status_code=204)
    @api.doc(summary="Unsubscribe; also fine where it has ended already")
    def delete(hook_id: str) -> Any:
        rest_hooks.delete_hook(gradewire, g.owner.account_id, hook_id)
        return "", 204

    return api
