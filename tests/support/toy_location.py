"""A code location of two datasets, for tests of what runs jobs."""

import os

import dagster as dg

PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "market": dg.StaticPartitionsDefinition(["SIM_HE", "SIM_ZO", "SIM_LE"]),
        "session": dg.TimeWindowPartitionsDefinition(start="2025-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * 1-5"),
    }
)
SEEN: dict[str, list[str]] = {}


@dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
def first(context: dg.AssetExecutionContext) -> None:
    SEEN["first"] = list(context.partition_keys)


@dg.asset(partitions_def=PARTITIONS, deps=[first], backfill_policy=dg.BackfillPolicy.single_run())
def second(context: dg.AssetExecutionContext) -> None:
    SEEN["second"] = list(context.partition_keys)
    if os.environ.get("TOY_FAILS"):
        try:
            {}["innermost"]
        except KeyError as error:
            raise RuntimeError("outer") from error


@dg.asset_check(asset=first)
def plausible() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description="three rows look odd")


defs = dg.Definitions(
    assets=[first, second],
    asset_checks=[plausible],
    jobs=[dg.define_asset_job("toy_job", [first, second])],
)


def cycle_runs(markets: tuple[str, ...], first: object, last: object) -> list[tuple[str, dict[str, str]]]:
    return [("toy_job", {"toy/range": f"{markets[0]} {first} {last}"})]
