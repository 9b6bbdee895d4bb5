"""The feature dictionary: what each feature is, where it comes from, and when it can be known.

It drives the assembly (a column that is not here is not in the vector), the column dictionary, the reference page and
the view ``feature_dictionary`` of ``hydra sql``. A feature is a number; missing stays missing.
"""

from dataclasses import dataclass
from enum import StrEnum


class Group(StrEnum):
    """Features that stand or fall together: the unit of an ablation."""

    OPTIONS = "options"
    FLOWS = "flows"
    CROWD = "crowd"
    SENTIMENT = "sentiment"
    DIVERGENCE = "divergence"
    CURVE = "curve"
    CALENDAR = "calendar"
    CROSS_MARKET = "cross_market"
    QUALITY = "quality"


AT_CUTOFF = "at the session's cutoff"
ACTIVITY = "one session late, as the exchange publishes it"
AFTER_RELEASE = "from the report's release on"
CALENDAR_KNOWN = "always"
SESSION_BEFORE = "at the cutoff, of sessions before this one"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature; ``source`` is the asset that it is computed from."""

    name: str
    group: Group
    unit: str
    known_when: str
    source: str
    description: str


def _options(name: str, unit: str, description: str, source: str = "implied_moments") -> Feature:
    return Feature(name, Group.OPTIONS, unit, AT_CUTOFF, source, description)


def _curve(name: str, unit: str, description: str, known_when: str = AT_CUTOFF) -> Feature:
    return Feature(name, Group.CURVE, unit, known_when, "futures_curve", description)


def _crowd(name: str, unit: str, description: str) -> Feature:
    return Feature(name, Group.CROWD, unit, AFTER_RELEASE, "cot_scores", description)


def _sentiment(name: str, unit: str, description: str, source: str) -> Feature:
    return Feature(name, Group.SENTIMENT, unit, AT_CUTOFF, source, description)


def _gap(name: str, description: str) -> Feature:
    return Feature(name, Group.DIVERGENCE, SD, AT_CUTOFF, "divergence", description)


def _flow(name: str, unit: str, description: str) -> Feature:
    return Feature(name, Group.FLOWS, unit, ACTIVITY, "greeks_flows", description)


def _season(name: str, unit: str, description: str) -> Feature:
    return Feature(name, Group.CALENDAR, unit, CALENDAR_KNOWN, "futures_curve", description)


def _pool(name: str, unit: str, description: str) -> Feature:
    return Feature(name, Group.CROSS_MARKET, unit, SESSION_BEFORE, "cross_market", description)


def _quality(name: str, unit: str, description: str, source: str) -> Feature:
    return Feature(name, Group.QUALITY, unit, AT_CUTOFF, source, description)


SD = "standard deviations"
A_YEAR = "fraction a year"
REAL_WORLD = "real_world_density"

FEATURES: tuple[Feature, ...] = (
    _options("tilt", "1", "Tilt of the 60-day density in excess of the lognormal of equal total variance."),
    _options("tilt_z", SD, "Tilt against its own past.", "divergence"),
    _options("options_z", SD, "The options view against its past.", "divergence"),
    _options("tilt_change_5", "1", "Change of the tilt over five sessions."),
    _options("tilt_mode", "1", "Mode of the 60-day density in excess of the lognormal's."),
    _options("tilt_probability", "fraction", "P(S_T > F) at 60 days in excess of the lognormal's."),
    _options("risk_reversal", "fraction a year", "25-delta call less put volatility at 60 days."),
    _options("implied_skew", "1", "Skewness of ln(S_T/F) at 60 days."),
    _options("implied_skew_change_5", "1", "Change of the skewness over five sessions."),
    _options("implied_kurt", "1", "Kurtosis of ln(S_T/F) at 60 days; grade B or better."),
    _options("atm_vol", A_YEAR, "At-the-money volatility at 60 days."),
    _options("atm_vol_change_5", A_YEAR, "Change of the at-the-money volatility over five sessions."),
    _options("vol_term_slope", A_YEAR, "At-the-money volatility at 90 days less that at 60 days."),
    _options("vol_premium", A_YEAR, "atm_vol less realised_vol_20."),
    _options("variance_premium", "fraction^2 a year", "atm_vol^2 less realised_vol_20^2."),
    _options("real_world_return", A_YEAR, "Real-world expected log return, expiry nearest 60 days.", REAL_WORLD),
    _options("real_world_above_forward", "fraction", "Real-world P(S_T > F) of that expiry.", REAL_WORLD),
    _flow("gamma_balance", "1", "Signed over unsigned gamma exposure by open interest."),
    _flow("vanna_balance", "1", "Signed over unsigned vanna exposure by open interest."),
    _flow("charm_balance", "1", "Signed over unsigned charm exposure by open interest."),
    _flow("put_share", "fraction", "Puts' share of the options' open interest."),
    _flow("put_share_volume", "fraction", "Puts' share of the options' volume."),
    _crowd("crowd_score", "score", "Speculators' net share, ranked among its published weeks."),
    _crowd("crowd_confidence", "fraction", "Trust in the crowd score."),
    _crowd("crowd_score_z", SD, "Speculators' net share against its published weeks."),
    _crowd("crowd_change_z", SD, "Its change over a week against its past; missing across a gap."),
    _crowd("producers_z", SD, "Producers' net share against its past."),
    _sentiment("headline_score", "score", "What the headlines say, fading with age.", "headline_scores"),
    _sentiment("order_flow_score", "score", "Accumulation against liquidation.", "order_flow_scores"),
    _sentiment("sentiment_score", "score", "Composite of all sources.", "sentiment"),
    _sentiment("sentiment_confidence", "fraction", "Trust in the composite.", "sentiment"),
    _gap("sentiment_z", "Sentiment against its past."),
    _gap("divergence_z", "Gap of the two views against its past."),
    _curve("carry", A_YEAR, "Annualised log difference of front and next settle."),
    _curve("slope", A_YEAR, "Slope of the curve over its first year."),
    _curve("momentum_5", "1", "Sum of 5 held log returns over the root of their sum of squares."),
    _curve("momentum_20", "1", "Sum of 20 held log returns over the root of their sum of squares."),
    _curve("momentum_60", "1", "Sum of 60 held log returns over the root of their sum of squares."),
    _curve("realised_vol_20", A_YEAR, "Volatility of the last 20 held returns."),
    _curve("realised_vol_ratio", "1", "realised_vol_20 over that of the last 60 held returns."),
    _curve("volume_ratio", "1", "Log of the listed contracts' volume over its mean of the last 60.", ACTIVITY),
    _curve("open_interest_change_20", "1", "Log change of the contracts' open interest over 20 sessions.", ACTIVITY),
    _season("season_sin", "1", "Sine of the day of the year."),
    _season("season_cos", "1", "Cosine of the day of the year."),
    _season("half_season_sin", "1", "Sine of twice the day of the year."),
    _season("half_season_cos", "1", "Cosine of twice the day of the year."),
    _season("days_to_last_trade", "days", "Calendar days to the held contract's last trade."),
    _season("days_to_delivery", "days", "To first notice where delivery is physical, else to last trade."),
    _pool("pool_momentum", "1", "Mean of the other markets' 20-session momentum."),
    _pool("pool_vol_change", "1", "Mean log ratio of the other markets' 20- to 60-session volatility."),
    _quality("grade_rank", "1", "Grade of the 60-day density: A 4, B 3, C 2, D 1, E 0.", "implied_moments"),
    _quality("slices_usable", "expiries", "Expiries whose smile could be used.", "implied_moments"),
    _quality("report_age_days", "days", "Age of the newest report.", "cot_scores"),
)
"""Every feature, in the order of the vector."""

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


def names_of(group: Group) -> tuple[str, ...]:
    """Names of a group's features, in the order of the vector."""
    return tuple(feature.name for feature in FEATURES if feature.group is group)
