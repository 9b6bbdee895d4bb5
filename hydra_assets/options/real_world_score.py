"""Did the adjustment help? Every expiry scored with parameters of earlier ones only.

The log score of a density is its log at the outcome (per unit of ln(S_T/F)); the gain is the real-world one less the
risk-neutral one,

    gain = gamma k - ln(int q e^(gamma k) / int q) + ln beta(P(k); a, b),

exactly 0 without an adjustment. Horizons do not overlap, so gains are uncorrelated under equal scores and the standard
error of their mean is sd / sqrt(n) (F. Diebold and R. Mariano, "Comparing predictive accuracy", Journal of Business
and Economic Statistics 13 (1995), at horizon one). Only scores of fitted parameters enter the mean: the zeros of the
first expiries would only make it look precise.
"""

import numpy as np
import polars as pl
from scipy.special import betainc, betaln

from hydra_assets.options.real_world_grid import STEP, last_axis_sum, log_density_at
from hydra_assets.options.recalibration import PIT_FLOOR, FitStatus, fit_expanding, parameters, realised, tilted
from hydra_assets.options.uniformity import TESTS, Uniformity

DENSITY_FLOOR = 1e-12
"""Density per unit of z below which a log score is cut off."""


def score(observations: pl.DataFrame) -> pl.DataFrame:
    """Score the observations of one market, in the order in which they became known.

    Returns
    -------
    ``market``, ``session``, ``expiry``, ``underlying_contract``, ``known_session``, ``expiries`` (that the parameters
    rest on), ``status``, ``pit_risk_neutral``, ``pit_real_world``, ``log_score_risk_neutral``,
    ``log_score_real_world``, ``gain``, and of the fitted ones so far ``scored``, ``mean_gain`` (null before the
    first) and ``mean_gain_se`` (null before the second).
    """
    rows = observations.sort("known_session", "expiry", "underlying_contract")
    fitted = fit_expanding(rows, rows["session"])
    p, past = parameters(fitted), realised(rows)
    neutral, real = tilted(past, np.zeros(len(rows))), tilted(past, p.gamma)
    k = past.unit * past.outcome
    gain = p.gamma * k - real.log_mass - betaln(p.a, p.b)
    gain += (p.a - 1.0) * np.log(real.pit) + (p.b - 1.0) * np.log1p(-real.pit)
    density = np.exp(past.log_density)
    is_fitted = (fitted["status"] == FitStatus.FITTED).to_numpy()
    gain = np.where(is_fitted, gain, 0.0)
    before = log_density_at(density, past.outcome, DENSITY_FLOOR) - np.log(past.unit)
    before -= np.log(STEP * last_axis_sum(density))
    pit = np.where(is_fitted, np.clip(betainc(p.a, p.b, real.pit), PIT_FLOOR, 1.0 - PIT_FLOOR), neutral.pit)
    scored = np.cumsum(is_fitted)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.cumsum(gain) / scored
        # About the first gain: sums of squares about zero would cancel.
        shift = gain[np.argmax(is_fitted)] if is_fitted.any() else 0.0
        first, second = (np.cumsum(np.where(is_fitted, (gain - shift) ** power, 0.0)) for power in (1, 2))
        se = np.sqrt(np.maximum(second - first**2 / scored, 0.0) / (scored - 1) / scored)
    return rows.select("market", "session", "expiry", "underlying_contract", "known_session").with_columns(
        fitted["expiries"],
        fitted["status"],
        pl.Series("pit_risk_neutral", neutral.pit),
        pl.Series("pit_real_world", pit),
        pl.Series("log_score_risk_neutral", before),
        pl.Series("log_score_real_world", before + gain),
        pl.Series("gain", gain),
        pl.Series("scored", scored.astype(np.int64)),
        pl.Series("mean_gain", np.where(scored >= 1, mean, np.nan)).fill_nan(None),
        pl.Series("mean_gain_se", np.where(scored >= 2, se, np.nan)).fill_nan(None),
    )


def uniformity(scored: pl.DataFrame) -> pl.DataFrame:
    """Test the PITs of ``score``: risk-neutral on every expiry, and both densities on those with fitted parameters.

    Returns
    -------
    ``density`` (risk_neutral, real_world), ``sample`` (all, fitted), ``test``, ``expiries``, ``statistic``,
    ``degrees``, ``p_value`` (both null with too few), ``status``.
    """
    fitted = scored.filter(pl.col("status") == FitStatus.FITTED)
    cases = (
        ("risk_neutral", "all", scored["pit_risk_neutral"]),
        ("risk_neutral", "fitted", fitted["pit_risk_neutral"]),
        ("real_world", "fitted", fitted["pit_real_world"]),
    )
    results: list[tuple[str, str, Uniformity]] = [
        (density, sample, test(pits.to_numpy())) for density, sample, pits in cases for test in TESTS
    ]
    return pl.DataFrame(
        [
            (density, sample, str(r.test), r.observations, r.statistic, r.degrees, r.p_value, str(r.status))
            for density, sample, r in results
        ],
        schema={
            "density": pl.String,
            "sample": pl.String,
            "test": pl.String,
            "expiries": pl.Int64,
            "statistic": pl.Float64,
            "degrees": pl.Int64,
            "p_value": pl.Float64,
            "status": pl.String,
        },
        orient="row",
    )
