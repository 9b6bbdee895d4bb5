"""Columns from the judged quotes to the densities and flows of the options engine."""

from hydra_assets.columns.column import BOOL, F64, I64, LIST_F64, STR, Column

QUOTE_REASONS = (
    "used",
    "not_a_number",
    "not_positive",
    "near_expiry",
    "no_forward",
    "no_rate",
    "strike_unit",
    "in_the_money",
    "no_price",
    "one_sided",
    "crossed",
    "below_tick",
    "wide",
    "old",
    "out_of_bounds",
    "not_monotone",
    "not_convex",
)
STATISTICS: dict[str, Column] = {
    "mean": Column(F64, "1", "Mean of ln(S_T/F): half the variance below zero for a lognormal, never a signal."),
    "sd": Column(F64, "fraction", "Standard deviation of ln(S_T/F) to the horizon.", minimum=0),
    "skew": Column(F64, "1", "Skewness of ln(S_T/F)."),
    "kurt": Column(F64, "1", "Kurtosis of ln(S_T/F); 3 for a normal. Needs grade B or better.", minimum=1),
    "atm_vol": Column(F64, "fraction a year", "Implied volatility at the forward.", minimum=0),
    "risk_reversal_25": Column(F64, "fraction a year", "25-delta call volatility minus 25-delta put volatility."),
    "butterfly_25": Column(F64, "fraction a year", "Mean of the 25-delta volatilities minus atm_vol."),
    "tilt": Column(F64, "standard deviations", "(ln(median/F) + v/2)/sqrt(v): zero for every lognormal."),
    "tilt_probability": Column(F64, "fraction", "P(S_T > F) in excess of the lognormal of equal variance."),
    "tilt_mode": Column(
        F64, "standard deviations", "(m + v/2)/sqrt(v), m the mode of ln(S_T/F): zero for every lognormal."
    ),
    "tilt_quantiles": Column(
        F64, "1", "Quantile asymmetry (q90 + q10 - 2 q50)/(q90 - q10) of ln(S_T/F), zero for every lognormal."
    ),
}
"""Numbers of one density; each also stands with its standard error and 90 % interval."""


def _with_intervals(statistics: dict[str, Column]) -> dict[str, Column]:
    out = {}
    for name, column in statistics.items():
        out[name] = column
        out[f"{name}_se"] = Column(F64, column.unit, f"Standard error of {name}: quote noise and choice of model.")
        out[f"{name}_lo"] = Column(F64, column.unit, f"Lower end of the 90 % interval of {name}.")
        out[f"{name}_hi"] = Column(F64, column.unit, f"Upper end of the 90 % interval of {name}.")
    return out


OPTION_COLUMNS: dict[str, Column] = {
    # --- quotes ----------------------------------------------------------------------------------------
    "rate": Column(F64, "fraction a year", "Continuously compounded rate that premiums are discounted with."),
    "quote_reason": Column(STR, "code", "Why a quote is not used; `used` where it is.", allowed=QUOTE_REASONS),
    "mid": Column(F64, "price unit", "Middle of bid and ask, or the settlement where there are none."),
    "half_spread": Column(F64, "price unit", "Half of ask minus bid, or the assumed one of a settlement."),
    "log_moneyness": Column(F64, "1", "k = ln(K/F)."),
    "european_price": Column(F64, "price unit", "Undiscounted European price that the mid stands for.", minimum=0),
    "early_exercise_premium": Column(F64, "price unit", "Part of the mid that pays for early exercise."),
    "iv": Column(F64, "fraction a year", "Implied volatility of the mid.", minimum=0),
    "iv_half_spread": Column(F64, "fraction a year", "Half-spread as volatility, floored at 0.003.", minimum=0),
    "total_variance": Column(F64, "variance", "iv squared times the time to expiry.", minimum=0),
    "half_spread_variance": Column(F64, "variance", "Half-spread of total_variance.", minimum=0),
    "iv_status": Column(STR, "code", "Why a quote has no volatility; `ok` where it has."),
    # --- slices ----------------------------------------------------------------------------------------
    "forward": Column(F64, "price unit", "Settle of the slice's own underlying future.", minimum=0),
    "parity_forward": Column(F64, "price unit", "Forward of the tightest call and put pairs; checks `forward`."),
    "parity_pairs": Column(I64, "pairs", "Call and put pairs behind parity_forward.", minimum=0),
    "parity_gap_half_spreads": Column(F64, "half-spreads", "parity_forward minus forward, in the pairs' half-spreads."),
    "quotes_seen": Column(I64, "quotes", "Quotes of the slice.", minimum=0),
    "quotes_used": Column(I64, "quotes", "Quotes that entered the fits.", minimum=0),
    "quotes_rejected": Column(STR, "reason=count,...", "Quotes that did not, by reason code."),
    "synthetic_spread": Column(BOOL, "flag", "A settlement with an assumed half-spread (slice: some of them)."),
    "slice_reason": Column(
        STR,
        "code",
        "Why a slice has no parameters; `ok` where it has.",
        allowed=("ok", "too_few_quotes", "not_fitted", "calendar_arbitrage", "forward_mismatch"),
    ),
    "fit_kind": Column(
        STR,
        "code",
        "Three free models, SSVI with its neighbours' shape, or a level only.",
        allowed=("three_models", "prior", "level"),
    ),
    "strikes_used": Column(I64, "strikes", "Different strikes among the quotes used.", minimum=0),
    "median_half_spread_share": Column(F64, "fraction", "Median half-spread over mid of the quotes used.", minimum=0),
    "grade": Column(STR, "code", "A to E: which numbers the slice can bear.", allowed=("A", "B", "C", "D", "E")),
    "grade_reasons": Column(STR, "code,...", "What keeps the slice from the grade above."),
    "ssvi_theta": Column(F64, "variance", "SSVI: total variance at the forward.", minimum=0),
    "ssvi_rho": Column(F64, "fraction", "SSVI: asymmetry of the smile.", minimum=-1, maximum=1),
    "ssvi_phi": Column(F64, "1", "SSVI: curvature of the smile.", minimum=0),
    "mixture_weight": Column(F64, "fraction", "Mixture: probability of the first lognormal.", minimum=0, maximum=1),
    "mixture_mean_1": Column(F64, "fraction", "Mixture: mean of the first lognormal over F.", minimum=0),
    "mixture_mean_2": Column(F64, "fraction", "Mixture: mean of the second lognormal over F.", minimum=0),
    "mixture_sd_1": Column(F64, "fraction", "Mixture: total volatility of the first lognormal.", minimum=0),
    "mixture_sd_2": Column(F64, "fraction", "Mixture: total volatility of the second.", minimum=0),
    "svi_a": Column(F64, "variance", "Raw SVI: level."),
    "svi_b": Column(F64, "variance", "Raw SVI: slope.", minimum=0),
    "svi_rho": Column(F64, "fraction", "Raw SVI: asymmetry.", minimum=-1, maximum=1),
    "svi_m": Column(F64, "1", "Raw SVI: translation in k."),
    "svi_sigma": Column(F64, "1", "Raw SVI: curvature at the vertex.", minimum=0),
    "weight_ssvi": Column(F64, "fraction", "AICc weight of the SSVI fit.", minimum=0, maximum=1),
    "weight_mixture": Column(F64, "fraction", "AICc weight of the mixture fit.", minimum=0, maximum=1),
    "weight_svi": Column(F64, "fraction", "AICc weight of the raw SVI fit.", minimum=0, maximum=1),
    "rmse_half_spreads": Column(F64, "half-spreads", "Root mean square residual of the average.", minimum=0),
    "largest_residual_half_spreads": Column(F64, "half-spreads", "Largest residual of the average.", minimum=0),
    "down_weighted_share": Column(F64, "fraction", "Quotes that the robust loss holds back.", minimum=0, maximum=1),
    "svi_min_g": Column(F64, "1", "Smallest Durrleman g of the raw SVI fit; below -1e-6 it is dropped."),
    "lee_slope_left": Column(F64, "1", "Asymptotic slope of total variance to the left; at most 2.", minimum=0),
    "lee_slope_right": Column(F64, "1", "Asymptotic slope of total variance to the right; at most 2.", minimum=0),
    "calendar_min_dw": Column(F64, "variance", "Smallest gain of total variance over the expiry before."),
    "arbitrage_evidence": Column(
        STR,
        "code",
        "What freedom from arbitrage rests on: a theorem (SSVI alone), or a grid of 2,001 points.",
        allowed=("theorem", "grid"),
    ),
    "observed_k_min": Column(F64, "1", "Lowest log-moneyness among the quotes used."),
    "observed_k_max": Column(F64, "1", "Highest log-moneyness among the quotes used."),
    # --- densities -------------------------------------------------------------------------------------
    "density_unit": Column(F64, "1", "Root of the at-the-money total variance: z = ln(S_T/F)/density_unit.", minimum=0),
    "density": Column(LIST_F64, "1 per unit of z", "Risk-neutral density at 129 points of z in [-8, 8]."),
    "quantiles": Column(LIST_F64, "price unit", "Quantiles of S_T at 1, 5, 10, 25, 50, 75, 90, 95 and 99 %."),
    "quantiles_se": Column(LIST_F64, "price unit", "Standard errors of the quantiles."),
    "mass_residual": Column(F64, "fraction", "Integral of the density minus one."),
    "martingale_residual": Column(F64, "fraction", "E[S_T]/F minus one: a check, never a signal."),
    "min_density": Column(F64, "1 per unit of z", "Smallest value of the density on 2,001 points to 8 sd."),
    "atm_skew": Column(F64, "fraction a year", "d implied volatility / dk at the forward."),
    "atm_curvature": Column(F64, "fraction a year", "d2 implied volatility / dk2 at the forward."),
    "observed_sd": Column(F64, "fraction", "sd over the quoted strikes only.", minimum=0),
    "observed_skew": Column(F64, "1", "skew over the quoted strikes only."),
    "extrapolated_left": Column(F64, "fraction", "Probability below the lowest quoted strike.", minimum=0, maximum=1),
    "extrapolated_right": Column(F64, "fraction", "Probability above the highest quoted strike.", minimum=0, maximum=1),
    # --- moments ---------------------------------------------------------------------------------------
    "tenor": Column(STR, "name", "`30d`, `60d`, `90d`, or the date of an expiry."),
    "tenor_days": Column(I64, "days", "Days from the session to the horizon.", minimum=0),
    "mixed_underlyings": Column(BOOL, "flag", "The tenor lies between expiries of different futures."),
    "slices_usable": Column(I64, "slices", "Expiries of the session with a density.", minimum=0),
    "moments_reason": Column(
        STR,
        "code",
        "Why a tenor has moments, or none.",
        allowed=("ok", "no_quotes", "no_usable_slice", "not_bracketed"),
    ),
    # --- flows -----------------------------------------------------------------------------------------
    "level": Column(STR, "code", "What a row adds up.", allowed=("strike", "expiry", "market")),
    "basis": Column(STR, "code", "What counts the contracts.", allowed=("open_interest", "volume")),
    "dealer_convention": Column(
        STR,
        "code",
        "Whom the signed figures take to hold what.",
        allowed=("long_calls_short_puts", "short_calls_short_puts"),
    ),
    "gex_unsigned_per_percent": Column(F64, "currency", "Delta gained per 1 % move, calls and puts added.", minimum=0),
    "gex_signed_per_percent": Column(F64, "currency", "The same as the dealers hold it, by the convention."),
    "vanna_unsigned_per_vol_point": Column(F64, "currency", "Delta gained per volatility point, absolute.", minimum=0),
    "vanna_signed_per_vol_point": Column(F64, "currency", "The same as the dealers hold it, by the convention."),
    "charm_unsigned_per_day": Column(F64, "currency", "Delta gained per calendar day, absolute.", minimum=0),
    "charm_signed_per_day": Column(F64, "currency", "The same as the dealers hold it, by the convention."),
    "put_contracts": Column(
        F64, "contracts", "Puts among the contracts.", "open interest: one session late", minimum=0
    ),
    "contracts": Column(
        F64, "contracts", "Contracts behind the figures.", "open interest: one session late", minimum=0
    ),
    "options": Column(I64, "options", "Options of the group.", minimum=0),
    "options_missing": Column(
        I64, "options", "Options that are not in the figures: no volatility or contracts.", minimum=0
    ),
    # --- real world ------------------------------------------------------------------------------------
    "real_world_density": Column(LIST_F64, "1 per unit of z", "Real-world density on the same grid as density."),
    "expected_log_return": Column(F64, "fraction", "Mean of ln(S_T/F) under the real-world density."),
    "expected_log_return_se": Column(F64, "fraction", "Its standard error from the parameters.", minimum=0),
    "expected_return": Column(F64, "fraction", "E[S_T]/F minus one under the real-world density."),
    "expected_return_se": Column(F64, "fraction", "Its standard error from the parameters.", minimum=0),
    "real_world_sd": Column(F64, "fraction", "Standard deviation of ln(S_T/F) under it.", minimum=0),
    "real_world_skew": Column(F64, "1", "Skewness of ln(S_T/F) under it."),
    "probability_above_forward": Column(F64, "fraction", "P(S_T > F) under it.", minimum=0, maximum=1),
    "risk_gamma": Column(F64, "1", "Exponent of the power-utility transform, shrunk to 0."),
    "calibration_a": Column(F64, "1", "First parameter of the beta recalibration, shrunk to 1.", minimum=0),
    "calibration_b": Column(F64, "1", "Second parameter of the beta recalibration, shrunk to 1.", minimum=0),
    "expiries_realised": Column(I64, "expiries", "Expiries known at the session that the fit rests on.", minimum=0),
    "real_world_reason": Column(
        STR, "code", "`ok`, or why it equals the risk-neutral density.", allowed=("ok", "too_few_expiries")
    ),
    # --- gate ------------------------------------------------------------------------------------------
    "gate_state": Column(
        STR, "code", "Whether the session's densities can be believed.", allowed=("green", "red", "absent")
    ),
    "gate_reasons": Column(STR, "rule,...", "Rules that the session breaks; empty where it breaks none."),
} | _with_intervals(STATISTICS)
