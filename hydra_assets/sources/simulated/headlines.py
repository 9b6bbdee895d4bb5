"""Headlines of one simulated market: stock phrases whose tone leans weakly with the traders' positions.

A headline appears between the morning and the settlement of its session. Its tone is drawn around the position that
traders held the session before, so that it says less than the reports do, but sooner.
"""

import math
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
from scipy.special import ndtri

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.rng import Stream, uniforms

MOST_PER_SESSION = 4
SEEN_AFTER = timedelta(minutes=5)
"""A headline is first seen so long after its publication, at the latest with the settlement."""
_PUBLISHERS = ("Prairie Wire", "Feedlot Ledger", "Basis & Barn", "Futures Courier")
_OPENING = time(7, 0)
_TONES = {
    1: (
        "{what} rally as demand beats expectations",
        "Tight supplies lift {what} to a strong close",
        "Funds add to bullish bets on {what}",
        "{what} gain on robust export sales",
        "Traders upbeat: {what} surge on supply shortage fears",
    ),
    0: (
        "{what} little changed ahead of government report",
        "{what} mixed in quiet trade",
        "Volume thin as {what} await direction",
        "{what} steady; basis unchanged in most regions",
        "Analysts see balanced outlook for {what}",
    ),
    -1: (
        "{what} slump as demand disappoints",
        "Ample supplies weigh on {what}",
        "Funds cut bullish bets as {what} tumble",
        "{what} fall on weak export sales",
        "Traders gloomy: {what} drop amid glut worries",
    ),
}


def headline_rows(market: SimulatedMarket, rows: slice) -> pl.DataFrame:
    """Headlines of sessions ``rows`` in order: published and first_seen (UTC), title, publisher, url, tone.

    No two titles of a publisher are the same: each ends with its date.
    """
    path = market.path
    spec, world = path.spec, path.world
    calendar = calendar_of(spec)
    what = spoken_name(spec)
    own = math.sqrt(1 - world.headline_correlation**2)
    out: list[tuple[datetime, str, str, str, int]] = []
    for k in range(rows.start, rows.stop):
        u = uniforms(path.seed, path.key, int(path.days[k]), Stream.HEADLINES, 1 + 3 * MOST_PER_SESSION)
        session: date = path.sessions[k].astype("datetime64[D]").item()
        opening = calendar.at_local(session, _OPENING)
        span = (calendar.at_local(session, spec.settlement_published) - SEEN_AFTER - opening).total_seconds()
        found = []
        for i in range(poisson(float(u[0]), world.headlines_per_session, MOST_PER_SESSION)):
            when, lean, phrase = u[1 + 3 * i : 4 + 3 * i].tolist()
            position = float(path.position[max(k - 1, 0)])
            score = world.headline_correlation * position + own * float(ndtri(lean))
            tone = int(np.sign(score)) if abs(score) > 0.5 else 0
            text = _TONES[tone][int(phrase * len(_TONES[tone]))].format(what=what)
            title = f"{text[0].upper()}{text[1:]} ({session:%d %B %Y})"
            url = f"https://news.invalid/{spec.symbol.lower()}/{session:%Y/%m/%d}/{i + 1}"
            published = (opening + timedelta(seconds=int(when * span))).astimezone(UTC)
            found.append((published, title, _PUBLISHERS[i], url, tone))
        out += sorted(found)
    schema = {
        "published": pl.Datetime("us", "UTC"),
        "title": pl.String(),
        "publisher": pl.String(),
        "url": pl.String(),
        "tone": pl.Int64(),
    }
    return pl.DataFrame(out, schema=schema, orient="row").with_columns(first_seen=pl.col("published") + SEEN_AFTER)


def spoken_name(spec: MarketSpec) -> str:
    """What people call the market: its first term in the plural, or its first term, or its name."""
    plural = next((term for term in spec.headline_terms if term.endswith("s")), None)
    return plural or next(iter(spec.headline_terms), spec.name)


def poisson(u: float, mean: float, most: int) -> int:
    """Poisson number by inversion of a uniform number, capped."""
    term = total = math.exp(-mean)
    n = 0
    while u > total and n < most:
        n += 1
        term *= mean / n
        total += term
    return n
