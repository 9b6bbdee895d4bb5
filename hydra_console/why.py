"""One decision walked back: from what was held and ordered to the quotes, reports and headlines it was made from.

Each step names the partition that it was read from, as the record of materialisations has it: digest, version of the
Delta table, run. What is computed anew here (sizes, contributions of features) is computed by the code and the model
that decided, and is compared with what was decided.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from hydra_agent.defs.group_watch import Parts
from hydra_assets.columns import (
    CLEAN_QUOTES,
    COT_POSITIONS,
    DENSITY_GATE,
    DIAGNOSIS,
    DIVERGENCE,
    FEATURE_VECTOR,
    FILLS,
    FUTURES_CURVE,
    HEADLINE_SCORES,
    IMPLIED_DENSITY,
    IMPLIED_MOMENTS,
    ORDERS,
    POSITIONS,
    PREDICTIONS,
    RAW_HEADLINES,
    RAW_OPTION_CHAINS,
    SENTIMENT,
    TARGET_POSITIONS,
    DatasetSpec,
)
from hydra_assets.models.trained import TrainedModel
from hydra_assets.state.content import latest_content
from hydra_assets.state.execution_tables import orders, tickets
from hydra_assets.state.tables import promotions
from hydra_console.sizes import sizes_of
from hydra_exec.config import trading_config
from hydra_exec.journal import store
from hydra_exec.journal.frames import told_in

MOST_FEATURES = 8
HEADLINES_SHOWN = 5
Facts = dict[str, Any]


class WhyError(Exception):
    """A decision that cannot be told of; the message is one sentence that says what to do."""


def decision(parts: Parts, market: str, session: date) -> Facts:
    """Walk a market's decision at a session's cutoff back, for JSON: ``steps`` in order, the outcome first.

    Each step has ``name``, ``facts`` and ``partitions``: dataset, sha256, delta_version, run_id and reason of emptiness
    of each partition that it was read from.

    Raises
    ------
    WhyError
        There is no such market or session, or it was not computed yet.
    """
    _check(parts, market, session)
    walk = _Walk(parts, market, session)
    return {
        "market": market,
        "session": session,
        "cutoff": parts.home.calendars[market].cutoff(session),
        "account": trading_config(parts.home.config).account,
        "steps": [
            walk.step("held", (POSITIONS, FILLS), walk.held()),
            walk.step("orders", (ORDERS,), walk.ordered()),
            walk.step("target", (TARGET_POSITIONS, DIAGNOSIS, FUTURES_CURVE), walk.target()),
            walk.step("prediction", (PREDICTIONS, FEATURE_VECTOR), walk.prediction()),
            walk.step("divergence", (DIVERGENCE, SENTIMENT), walk.divergence()),
            walk.step("options", (DENSITY_GATE, IMPLIED_DENSITY, IMPLIED_MOMENTS), walk.options()),
            walk.step("quotes", (RAW_OPTION_CHAINS, CLEAN_QUOTES), walk.quotes()),
            walk.step("report", (COT_POSITIONS,), walk.report()),
            walk.step("headlines", (RAW_HEADLINES, HEADLINE_SCORES), walk.headlines()),
        ],
    }


def _check(parts: Parts, market: str, session: date) -> None:
    home = parts.home
    if market not in home.markets:
        raise WhyError(f"no market {market} in this home; it has {', '.join(home.markets)}")
    calendar = home.calendars[market]
    if session < (first := home.config.first_session(market)):
        raise WhyError(f"the home's history of {market} begins with {first}; ask for a session from then on")
    # Beyond the calendar's end there is no session after a date.
    if session < calendar.sessions[-1].item() and not calendar.is_session(session):
        before, after = calendar.previous_session(session), calendar.next_session(session)
        raise WhyError(f"{market} did not trade on {session}: its sessions around it are {before} and {after}")
    if session > (newest := calendar.latest_finished(home.now())):
        raise WhyError(f"session {session} of {market} is not finished yet; the newest finished one is {newest}")
    known = latest_content(
        parts.database.engine, datasets=[TARGET_POSITIONS.name], markets=[market], first=session, last=session
    )
    if known.is_empty():
        raise WhyError(f"nothing was decided on {market} in {session} yet: bring the home up with `hydra cycle`")


class _Walk:
    """A market's session, read back step by step."""

    def __init__(self, parts: Parts, market: str, session: date) -> None:
        self.parts, self.market, self.session = parts, market, session
        self.config = trading_config(parts.home.config)
        self.content = {
            row["dataset"]: row
            for row in latest_content(parts.database.engine, markets=[market], first=session, last=session).iter_rows(
                named=True
            )
        }

    def step(self, name: str, datasets: Sequence[DatasetSpec], facts: Facts) -> Facts:
        """A step with the record of the partitions that it was read from."""
        names = ("sha256", "delta_version", "run_id", "row_count", "reason")
        found = [
            {"dataset": each.name} | {name: self.content.get(each.name, {}).get(name) for name in names}
            for each in datasets
        ]
        return {"name": name, "facts": facts, "partitions": found}

    def rows(self, dataset: DatasetSpec) -> pl.DataFrame:
        """Rows of the session."""
        return self.parts.lake.lake.read(dataset.name, markets=[self.market], first=self.session, last=self.session)

    def one(self, dataset: DatasetSpec, *names: str) -> Facts:
        """Some columns of the session's only row, None where there is no row."""
        rows = self.rows(dataset).select(names)
        return rows.row(0, named=True) if rows.height else dict.fromkeys(names)

    def held(self) -> Facts:
        """What was held at the cutoff, and what was filled in the session; by decisions of earlier ones."""
        held = self.rows(POSITIONS).select("contract", "position_contracts", "broker_contracts", "position_agrees")
        names = ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee")
        return {"positions": held.to_dicts(), "fills": self.rows(FILLS).select(names).to_dicts()}

    def ordered(self) -> Facts:
        """Orders of the session's partition with the gate's verdict, and what came of each so far."""
        last = store.latest_fills()
        query = (
            sa.select(orders, sa.func.sum(last.c.quantity), sa.func.sum(last.c.quantity * last.c.price))
            .outerjoin(tickets, tickets.c.order_ref == orders.c.order_ref)
            .outerjoin(last, last.c.wire_ref == tickets.c.wire_ref)
            .where(
                orders.c.account == self.config.account,
                orders.c.market == self.market,
                told_in() == self.session,
            )
            .group_by(orders.c.order_ref)
            .order_by(orders.c.order_ref)
        )
        names = ("order_ref", "contract", "side", "quantity", "limit_price", "reference_price", "motive", "algo")
        more = ("gate_code", "status", "reason", "work_session")
        with self.parts.database.engine.connect() as connection:
            found = connection.execute(query).all()
        return {
            "orders": [
                {name: row._mapping[name] for name in (*names, *more)}
                | {"filled": int(row[-2] or 0), "mean_price": float(row[-1]) / int(row[-2]) if row[-2] else None}
                for row in found
            ]
        }

    def target(self) -> Facts:
        """The wanted position, and how its size came about."""
        wanted = self.one(TARGET_POSITIONS, "contract", "target_contracts", "target_reason", "limit_reference")
        names = ("exposure", "response", "cause", "champion_stage", "size_fraction")
        found = wanted | self.one(DIAGNOSIS, *names)
        label = self.one(PREDICTIONS, "model_label", "horizon_sessions")
        specs = list(self.parts.home.markets.values())
        sizes = sizes_of(self.parts.lake.lake, specs, self.market, self.session, self.config.capital, label)
        if sizes is not None and sizes["lots"] is not None and found["exposure"] is not None:
            lots = int(sizes["lots"] * found["exposure"])
            found["agrees"] = wanted["target_reason"] != "ok" or lots == wanted["target_contracts"]
        return found | {"sizing": sizes}

    def prediction(self) -> Facts:
        """The champion's probability, and which features made it, in log-odds, largest first."""
        names = ("probability_up", "probability_lower", "probability_upper", "probability_raw", "base_rate")
        more = ("model_group", "model_version", "model_sha256", "model_label", "horizon_sessions", "thesis_gate")
        found = self.one(PREDICTIONS, *names, *more, "prediction_reason")
        if found["model_sha256"] is None:
            return found | {"contributions": None, "expected_log_odds": None}
        model = self._model(found["model_group"], found["model_sha256"])
        row = self.rows(FEATURE_VECTOR)
        made = model.contributions(row) if row.height else None
        recipe = {"recipe": model.name, "trained_until": model.cutoff, "masked": list(model.masked)}
        if made is None:
            return found | recipe | {"contributions": None, "expected_log_odds": None}
        each = [
            {"feature": name, "value": row[name][0], "contribution": float(share)}
            for name, share in zip(model.recipe.features, made[0, :-1], strict=True)
        ]
        largest = sorted(each, key=lambda one: -abs(one["contribution"]))[:MOST_FEATURES]
        rest = float(made[0, :-1].sum()) - sum(one["contribution"] for one in largest)
        figures = {"contributions": largest, "others": rest, "expected_log_odds": float(made[0, -1])}
        return found | recipe | figures

    def _model(self, group: str, sha256: str) -> TrainedModel:
        """The very model that predicted, checked against its digest."""
        query = sa.select(promotions.c.model_uri).where(
            promotions.c.model_group == group, promotions.c.sha256 == sha256
        )
        with self.parts.database.engine.connect() as connection:
            uri = connection.scalar(query.limit(1))
        if uri is None:
            raise WhyError(f"the model {sha256[:12]} of {group} is on no promotion's record: `hydra doctor` says more")
        return TrainedModel.from_bytes(self.parts.registry.registry.load(uri), sha256)

    def divergence(self) -> Facts:
        """The options' view against the crowd's."""
        names = ("divergence_type", "divergence_direction", "divergence_gap", "divergence_z", "divergence_confidence")
        more = ("options_z", "sentiment_z", "size_factor", "divergence_reason")
        crowd = self.one(SENTIMENT, "sentiment_score", "sentiment_confidence", "sentiment_sources", "sentiment_reason")
        return self.one(DIVERGENCE, *names, *more) | crowd

    def options(self) -> Facts:
        """What the options said: the gate, slices by grade, moments by tenor."""
        slices = self.rows(IMPLIED_DENSITY).drop_nulls("grade")
        names = ("tenor", "grade", "atm_vol", "sd", "skew", "tilt", "slices_usable", "moments_reason")
        moments = self.rows(IMPLIED_MOMENTS).filter(pl.col("tenor").is_in(["30d", "60d", "90d"]))
        return self.one(DENSITY_GATE, "gate_state", "gate_reasons") | {
            "slices_by_grade": dict(slices.group_by("grade").len().sort("grade").iter_rows()),
            "moments": moments.select(names).sort("tenor").to_dicts(),
        }

    def quotes(self) -> Facts:
        """How many quotes there were and were used, and since when the newest of them was known."""
        raw, clean = self.rows(RAW_OPTION_CHAINS), self.rows(CLEAN_QUOTES)
        used = clean.filter(pl.col("quote_reason") == "used").height
        reasons = clean.filter(pl.col("quote_reason") != "used").group_by("quote_reason").len()
        return {
            "records": raw.height,
            "newest_known_at": raw["known_at"].max(),
            "sources": sorted(raw["source"].unique()),
            "quotes": clean.height,
            "used": used,
            "not_used": dict(reasons.sort("len", descending=True).iter_rows()),
        }

    def report(self) -> Facts:
        """The newest report of commitments that was known."""
        names = ["family", "scope", "coverage", "report_date", "report_known_at", "report_age_days", "missing_weeks"]
        rows = self.rows(COT_POSITIONS)
        return {
            "categories": rows.height,
            "reports": rows.select(names).unique(maintain_order=True).sort("family", "scope").to_dicts(),
        }

    def headlines(self) -> Facts:
        """What the headlines came to, and the newest of the session."""
        names = ("headline_score", "headline_confidence", "headline_count", "headline_age_days", "headline_reason")
        rows = self.rows(RAW_HEADLINES).sort("known_at", descending=True)
        newest = rows.select("known_at", "publisher", "title").head(HEADLINES_SHOWN).to_dicts()
        return self.one(HEADLINE_SCORES, *names) | {"in_session": rows.height, "newest": newest}
