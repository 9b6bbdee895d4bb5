"""Assets of what was held, earned and paid: positions, daily P&L, slippage beside its expectation."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl

from hydra_assets.columns import DAILY_PNL, FILLS, FUTURES_CURVE, POSITIONS, SLIPPAGE_RECONCILIATION, DatasetSpec
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import market_session_partitions
from hydra_assets.replay.inputs import CURVE_COLUMNS, market_arrays
from hydra_assets.replay.market import MarketArrays
from hydra_exec.accounting.daily_pnl import daily_pnl
from hydra_exec.accounting.positions import positions
from hydra_exec.accounting.reconciliation import slippage_reconciliation
from hydra_exec.config import trading_config
from hydra_exec.defs.account import WINDOW_DAYS, AccountParts
from hydra_exec.defs.learning import learn_from_fills
from hydra_exec.defs.trading import NO_FILL, executed_until
from hydra_exec.journal.frames import fills_between
from hydra_exec.market_days import sessions_of
from hydra_exec.slippage.learn import SlippageVersion
from hydra_exec.slippage.versions import versions
from hydra_exec.trading_log import broker_word, equities

NO_POSITION = "no_position"
NOT_TRADED = "not_traded"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
Compute = Callable[[MarketRange], pl.DataFrame]
Picture = Callable[[pl.DataFrame], bytes | None]


class Books:
    """The account's fills and settles as the three datasets need them."""

    def __init__(self, home: HomeResource, lake: LakeResource, database: DatabaseResource) -> None:
        self.home, self.lake, self.engine = home, lake, database.engine
        self.config = trading_config(home.config)

    def fills(self, market: str, first: datetime, last: date) -> pl.DataFrame:
        """A market's fills after an instant and up to a session, with the session of each."""
        calendar = self.home.calendars[market]
        until = executed_until(calendar, last)
        root = self.home.markets[market].root
        rows = fills_between(self.engine, self.config.account, market, root, first, until)
        return rows.with_columns(calendar.session_for(rows["executed_at"]).alias("session"))

    def positions(self, part: MarketRange) -> pl.DataFrame:
        """Rows of ``positions``; before the account's first session there are none."""
        root = self.home.markets[part.market].root
        word = {
            session: {c: n for c, n in held.items() if c.startswith(f"{root}-")}
            for session, held in broker_word(self.engine, self.config.account).items()
        }
        wanted = pl.DataFrame({"market": part.market, "session": part.sessions}, schema_overrides={"session": pl.Date})
        return positions(self.fills(part.market, LONG_AGO, part.sessions[-1]), {part.market: word}, wanted)

    def daily_pnl(self, part: MarketRange) -> pl.DataFrame:
        """Rows of ``daily_pnl`` from the account's first session on: its equity counts every market."""
        known = equities(self.engine, self.config.account)
        last = part.sessions[-1]
        if not known or known[0][0] > last:
            return pl.DataFrame(schema=DAILY_PNL.schema)
        first, markets = known[0][0], self.home.markets
        fills = pl.concat([self.fills(market, LONG_AGO, last) for market in markets])
        curve = self.lake.lake.read(FUTURES_CURVE.name, markets=list(markets), first=first, last=last)
        sessions = pl.concat(
            pl.DataFrame({"market": m, "session": days}, schema_overrides={"session": pl.Date})
            for m, calendar in self.home.calendars.items()
            if (days := calendar.between(first, last))
        )
        rows = daily_pnl(
            fills,
            curve.filter(pl.col("settle_age_sessions") == 0),
            sessions,
            {market: spec.multiplier for market, spec in markets.items()},
            self.config.capital,
        )
        return rows.filter((pl.col("market") == part.market) & pl.col("session").is_in(part.sessions))

    def slippage(self, part: MarketRange) -> pl.DataFrame:
        """Rows of ``slippage_reconciliation`` of the fills that are our orders'."""
        calendar = self.home.calendars[part.market]
        before = executed_until(calendar, calendar.previous_session(part.sessions[0]))
        fills = self.fills(part.market, before, part.sessions[-1]).drop_nulls("order_ref")
        if fills.is_empty():
            return pl.DataFrame(schema=SLIPPAGE_RECONCILIATION.schema)
        spec = self.home.markets[part.market]
        start = part.first - timedelta(days=WINDOW_DAYS)
        curve = self.lake.lake.read(
            FUTURES_CURVE.name, markets=[part.market], first=start, last=part.last, columns=list(CURVE_COLUMNS)
        )
        liquidity = liquidity_before(market_arrays(curve, [spec]), spec, versions(self.engine, part.market))
        return slippage_reconciliation(fills, liquidity, {part.market: spec})


def liquidity_before(arrays: MarketArrays, spec: MarketSpec, learned: Sequence[SlippageVersion] = ()) -> pl.DataFrame:
    """Volatility and volume of each session as known at the cutoff before it: ``measure.LIQUIDITY_FACTS``.

    ``impact_y`` is that of the version which held in the session, the market's own before the first.
    """
    days = sessions_of(arrays.days.tolist())
    own = spec.liquidity.impact_y
    held = [next((v.impact_y for v in reversed(learned) if v.effective_after < day), own) for day in days[1:]]
    return pl.DataFrame(
        {
            "market": spec.symbol,
            "session": days[1:],
            "sigma_daily": arrays.sigma_daily[:-1, 0],
            "adv": arrays.adv[:-1, 0],
            "impact_y": held,
        },
        schema_overrides={"session": pl.Date, "impact_y": pl.Float64},
    ).fill_nan(None)


def book_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """Positions, slippage and P&L of a home."""
    partitions = market_session_partitions(home_config, markets)
    made: tuple[tuple[DatasetSpec, Sequence[str], Callable[[Books], Compute], Picture | None, str], ...] = (
        (POSITIONS, (FILLS.name,), lambda books: books.positions, _held_picture, NO_POSITION),
        (
            SLIPPAGE_RECONCILIATION,
            (FILLS.name, FUTURES_CURVE.name),
            lambda books: books.slippage,
            _cost_picture,
            NO_FILL,
        ),
        (DAILY_PNL, (FILLS.name, FUTURES_CURVE.name), lambda books: books.daily_pnl, _equity_picture, NOT_TRADED),
    )
    return [_asset(partitions, *each) for each in made]


def _asset(
    partitions: dg.MultiPartitionsDefinition,
    spec: DatasetSpec,
    deps: Sequence[str],
    choose: Callable[[Books], Compute],
    picture: Picture | None,
    empty: str,
) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.name,
        group_name="trading",
        description=spec.description,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=list(deps),
        kinds={"deltalake", "postgresql"},
    )
    def book(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        compute = choose(Books(home, lake, database))
        made = derive(
            context,
            spec,
            Resources(home, lake, database),
            compute,
            picture,
            lambda part: dict.fromkeys(part.days, empty),
        )
        if spec is SLIPPAGE_RECONCILIATION:
            for version in learn_from_fills(AccountParts(home, lake, database, context.run.run_id)):
                context.log.info(f"slippage: {version}")
        return made

    return book


def _held_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    held = rows.group_by("market", "session").agg(pl.col("position_contracts").sum()).sort("market", "session")
    return lines(held, x="session", y="position_contracts", title="Position", unit="contracts")


def _equity_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415

    earned = rows.sort("market", "session").with_columns(pl.col("net_money").cum_sum().over("market").alias("earned"))
    return lines(earned, x="session", y="earned", title="Earned after fees", unit="money")


def _cost_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_exec.defs.pictures import predicted_and_paid  # noqa: PLC0415

    return predicted_and_paid(rows)
