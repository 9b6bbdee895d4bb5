"""Social posts of one simulated market: opinions that lean weakly with the traders' positions, and much noise.

An opinion's tone is drawn around the position that traders held the session before, and it names the price of that
session. The rest is what a reader of posts has to see through: reposts and copies of the last session's opinions, posts
that name the commodity and mean dinner, and advertisements full of tags that are always bullish.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
from scipy.special import ndtri

from hydra_assets.markets.expiry import front_contracts
from hydra_assets.markets.sessions import SessionCalendar, calendar_of
from hydra_assets.sources.simulated.curve import to_tick
from hydra_assets.sources.simulated.headlines import SEEN_AFTER, poisson, spoken_name
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.rng import Stream, uniforms

_T = TypeVar("_T")
MOST_PER_SESSION = 6
_DRAWS = 6
_OPENING = time(6, 0)
_AUTHORS = (
    "barnyard_bo",
    "pit_veteran",
    "basis_betty",
    "spreadhead",
    "row_crop_ray",
    "limit_lucy",
    "feedlot_fred",
    "carry_kate",
    "gap_gus",
    "elevator_ed",
    "margin_mae",
    "tickchaser",
)
_ADVERTISERS = ("signals4u", "futures_guru_vip", "millionaire_desk")


class PostKind(StrEnum):
    """What a simulated post is; only opinions say anything."""

    OPINION = "opinion"
    REPOST = "repost"
    COPY = "copy"
    OFF_TOPIC = "off_topic"
    SPAM = "spam"


_NOISE = (PostKind.REPOST, PostKind.COPY, PostKind.OFF_TOPIC, PostKind.SPAM)
_OPINIONS = {
    1: (
        "I stay bullish on {what}, {price} will not last",
        "Supplies are tight and nobody talks about it. {what} from {price} can only rise",
        "Packers tell me demand is strong again. {price} for {what}? Buying more",
        "{what} rally is just beginning if you ask me, {price} was the start",
        "Shortage ahead. {what} under-owned at {price}",
        "Higher highs for {what} again, {price} held and exports are robust",
    ),
    0: (
        "{what} at {price}, nothing to see. Gone fishing",
        "No trade for me in {what} today, {price} again",
        "Waiting for the report before I touch {what}. Settled {price}",
        "Anybody else flat {what}? {price} tells me nothing",
    ),
    -1: (
        "I stay bearish on {what}, {price} is a gift to sellers",
        "Supplies are ample wherever I look. {what} from {price} can only fall",
        "Buyers tell me demand is weak again. {price} for {what}? Selling more",
        "{what} slump is just beginning if you ask me, {price} was the top",
        "Glut ahead. {what} crowded at {price}",
        "Lower lows for {what} again, {price} gave way and exports are sluggish",
    ),
}
_OFF_TOPIC = (
    "Sunday {term} recipe from my grandmother, best I ever had",
    "New restaurant downtown, the {term} is to die for",
    "Football and {term} with the boys tonight",
    "My daughter's wedding had {term} for all 200 guests",
)
_SPAM = (
    "Huge {what} rally coming, join our free signals #{tag} #futures #trading #crypto #forex #money #bullish",
    "We called the {what} surge! Link in bio #{tag} #daytrading #stocks #options #signals #vip #rich",
)


class _Post(NamedTuple):
    published: datetime
    text: str
    author: str
    url: str
    kind: PostKind
    tone: int | None


def post_rows(market: SimulatedMarket, rows: slice) -> pl.DataFrame:
    """Posts of sessions ``rows`` in order: published and first_seen (UTC), text, author, url, kind, tone.

    ``tone`` is an opinion's sign, also of its repost or copy; null for what has none.
    """
    calendar = calendar_of(market.path.spec)
    before = max(rows.start - 1, 0)
    prices = _last_settles(market, slice(before, rows.stop))
    out: list[_Post] = []
    earlier: tuple[_Post, ...] = ()
    for k in range(before, rows.stop):
        found = _session(market, calendar, k, f"{prices[k - before]:g}", earlier)
        # Opinions repeat nothing, so it does not matter that the session before the first has no earlier ones.
        earlier = tuple(post for post in found if post.kind is PostKind.OPINION)
        out += sorted(found) if k >= rows.start else ()
    schema = {
        "published": pl.Datetime("us", "UTC"),
        **dict.fromkeys(("text", "author", "url", "kind"), pl.String()),
        "tone": pl.Int64(),
    }
    return pl.DataFrame(out, schema=schema, orient="row").with_columns(first_seen=pl.col("published") + SEEN_AFTER)


def _session(
    market: SimulatedMarket, calendar: SessionCalendar, k: int, price: str, earlier: tuple[_Post, ...]
) -> list[_Post]:
    """Posts of session k; without ``earlier`` opinions there is nothing to repeat, and no repost or copy."""
    path = market.path
    spec, world = path.spec, path.world
    u = uniforms(path.seed, path.key, int(path.days[k]), Stream.POSTS, 1 + _DRAWS * MOST_PER_SESSION)
    session: date = path.sessions[k].astype("datetime64[D]").item()
    opening = calendar.at_local(session, _OPENING)
    span = (calendar.at_local(session, spec.settlement_published) - SEEN_AFTER - opening).total_seconds()
    what = spoken_name(spec)
    term = spec.headline_terms[-1] if spec.headline_terms else what
    own = math.sqrt(1 - world.post_correlation**2)
    found = []
    for i in range(poisson(float(u[0]), world.posts_per_session, MOST_PER_SESSION)):
        when, sort, lean, phrase, writer, which = u[1 + _DRAWS * i : 1 + _DRAWS * (i + 1)].tolist()
        noise = sort < world.post_noise_share
        kind = _NOISE[int(sort / world.post_noise_share * len(_NOISE))] if noise else PostKind.OPINION
        author = _pick(_AUTHORS, writer)
        tone: int | None = None
        if kind is PostKind.OPINION:
            score = world.post_correlation * float(path.position[max(k - 1, 0)]) + own * float(ndtri(lean))
            tone = int(np.sign(score)) if abs(score) > 0.5 else 0
            text = _pick(_OPINIONS[tone], phrase).format(what=what, price=price)
        elif kind is PostKind.OFF_TOPIC:
            text = _pick(_OFF_TOPIC, phrase).format(term=term)
        elif kind is PostKind.SPAM:
            author = _pick(_ADVERTISERS, writer)
            text = _pick(_SPAM, phrase).format(what=what, tag=what.replace(" ", ""))
        elif earlier:
            first = _pick(earlier, which)
            tone = first.tone
            author = _pick(tuple(name for name in _AUTHORS if name != first.author), writer)
            repeated = f"RT @{first.author}: {first.text}"
            text = repeated if kind is PostKind.REPOST else f"{first.text} https://pic.invalid/{i + 1}"
        else:
            continue
        url = f"https://posts.invalid/{spec.symbol.lower()}/{session:%Y/%m/%d}/{i + 1}"
        published = (opening + timedelta(seconds=int(when * span))).astimezone(UTC)
        found.append(_Post(published, f"{text[0].upper()}{text[1:]}", author, url, kind, tone))
    return found


def _last_settles(market: SimulatedMarket, rows: slice) -> list[float]:
    """Settles, one session earlier, of the front contracts of sessions ``rows``: known when they begin."""
    path = market.path
    months = front_contracts(path.spec, pl.Series(path.sessions[rows]).cast(pl.Date))
    place = {month: i for i, month in enumerate(market.futures.months)}
    last = np.maximum(np.arange(rows.start, rows.stop) - 1, 0)
    price = np.exp(market.curve.log_price[last, [place[month] for month in months.to_list()]])
    return [float(p) for p in to_tick(price, path.spec.tick)]


def _pick(choices: Sequence[_T], u: float) -> _T:
    return choices[int(u * len(choices))]
