"""Plans: calls a minute and a month, look-back, withheld newest days, locked endpoints (upstream.md 1.3)."""

from dataclasses import dataclass

from integration.sandbox.settings import SandboxSettings

_ADVANCED = frozenset(
    [
        "investor-grades",
        "fundamental-grade",
        "fundamental-grade-history",
        "technology-grade",
        "technology-grade-history",
        "quantmetrics",
        "hourly-trading-signals",
        "resistance-support",
        "market-metrics",
        "indices",
        "indices-holdings",
        "indices-performance",
        "moonshot-tokens",
        "sentiments",
        "scenario-analysis",
        "price-prediction",
        "correlation",
        "crypto-investors",
    ]
)
_PREMIUM = frozenset({"ai-reports", "tmai"})


@dataclass(frozen=True)
class Plan:
    """Figures of one plan; ``look_back_months`` None means unlimited."""

    name: str
    calls_per_minute: int
    calls_per_month: int
    look_back_months: int | None
    withheld_days: int
    locked: frozenset[str]


PLANS = {
    # tm-grade and its history succeed trader-grades, so the free plan has them too (assumed).
    "free": Plan("free", 20, 5_000, 3, 30, _ADVANCED | _PREMIUM),
    "advanced": Plan("advanced", 60, 20_000, 12, 0, _PREMIUM),
    "premium": Plan("premium", 180, 100_000, 36, 0, frozenset()),
    "vip": Plan("vip", 600, 500_000, None, 0, frozenset()),
}


def plan_of(settings: SandboxSettings) -> Plan:
    """The plan named in the settings with its overrides; ValueError names the plans there are."""
    if settings.plan not in PLANS:
        raise ValueError(f"no plan {settings.plan!r}: choose one of {', '.join(PLANS)}")
    plan = PLANS[settings.plan]

    def chosen(override: int | None, figure: int) -> int:
        return figure if override is None else override

    return Plan(
        name=plan.name,
        calls_per_minute=chosen(settings.calls_per_minute, plan.calls_per_minute),
        calls_per_month=chosen(settings.calls_per_month, plan.calls_per_month),
        look_back_months=plan.look_back_months if settings.look_back_months is None else settings.look_back_months,
        withheld_days=chosen(settings.withheld_days, plan.withheld_days),
        locked=plan.locked if settings.locked is None else settings.locked,
    )
