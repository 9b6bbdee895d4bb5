"""Bad quotes of every kind through every fit: no exception, no warning, no number that is not finite."""

import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options import mixture, ssvi, svi
from hydra_assets.options.calendar import fit_sequence
from hydra_assets.options.slices import Fit, SliceQuotes
from hydra_assets.options.ssvi import Ssvi

FOULS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300)


def foul_quotes(seed: int) -> SliceQuotes:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 8)), int(rng.choice([1, 2, 5, 10, 14, 25]))
    k = rng.normal(size=(n, m)) * 10.0 ** rng.uniform(-6, 1, (n, 1))
    w = 10.0 ** rng.uniform(-8, 3, (n, 1)) * np.exp(rng.normal(size=(n, m)) * rng.choice([0.0, 0.01, 0.5, 3.0]))
    half_spread = w * 10.0 ** rng.uniform(-8, 2, (n, 1))
    for values in (k, w, half_spread):
        foul = rng.uniform(size=(n, m)) < 0.03
        values[foul] = rng.choice(FOULS, size=foul.sum())
    if rng.uniform() < 0.3:
        k[:] = k[:, :1]
    return SliceQuotes(k, w, half_spread, rng.uniform(size=(n, m)) < 0.9)


def some_prior(n: int, seed: int) -> Ssvi:
    rng = np.random.default_rng(seed)
    return Ssvi(np.exp(rng.normal(size=n)), rng.uniform(-1.0, 1.0, n), np.exp(rng.normal(size=n)))


FITS: dict[str, Callable[[SliceQuotes, Ssvi], Fit[Any]]] = {
    "ssvi": lambda quotes, prior: ssvi.fit_slices(quotes),
    "warm": ssvi.fit_slices,
    "prior": lambda quotes, prior: ssvi.fit_with_prior(quotes, prior, np.full(len(quotes), 4.0)),
    "atm": ssvi.atm_only,
    "svi": lambda quotes, prior: svi.fit(quotes),
    "mixture": lambda quotes, prior: mixture.fit(quotes),
    "calendar": lambda quotes, prior: fit_sequence(quotes, np.arange(len(quotes)), np.zeros(len(quotes), dtype=int)),
}


@pytest.mark.parametrize("name", FITS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_a_fit_is_finite_where_it_stands_and_nan_where_not(name: str, seed: int) -> None:
    quotes = foul_quotes(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = FITS[name](quotes, some_prior(len(quotes), seed))
    finite = np.all([np.isfinite(getattr(found.slices, f.name)) for f in fields(found.slices)], axis=0)
    assert (finite == found.fitted).all()
    assert np.isfinite(found.residual).all()
    assert (found.residual[~found.fitted] == 0.0).all()
