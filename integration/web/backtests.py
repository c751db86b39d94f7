"""Backtests: what a rule would have given, before it is switched on."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g

from integration.service.asking import split, trigger_of
from integration.service.backtest import Question, backtest_for
from integration.service.wiring import Gradewire
from integration.web.backtest_schemas import BacktestIn, BacktestOut


def backtest_routes(gradewire: Gradewire) -> APIBlueprint:
    """The route of backtests."""
    api = APIBlueprint("backtests", __name__, url_prefix="/v1/backtests", tag="Backtests")

    @api.post("")
    @api.input(BacktestIn)
    @api.output(BacktestOut)
    @api.doc(
        summary="Try a rule on the stored past: its events, how calm it is, what came after, what it costs",
        description="The ids are those that live evaluation gives. Nothing is stored, nobody is told. Not advice.",
    )
    def create(json_data: dict[str, Any]) -> Any:
        mixed = split(trigger_of(gradewire, json_data["trigger"]), json_data["filters"])
        question = Question(
            json_data["trigger"],
            mixed[0] | json_data["options"],
            mixed[1] | json_data["scope"],
            *(json_data[name] for name in ("since", "until", "flap_days", "limit")),
        )
        return backtest_for(gradewire, g.owner.account_id, question, fetch=json_data["fetch"])

    return api
