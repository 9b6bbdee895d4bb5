"""The truths of the accuracy study, all at T = 0.25 and F = 100: one line each."""

from collections.abc import Callable
from functools import cache

from studies.truths.fourier import Heston, Jumps, bates_up_jumps, heston
from studies.truths.mixtures import lognormal, skewed_lognormals, two_lognormals
from studies.truths.truth import FORWARD, YEARS, Floats, Moments, Truth, moments, quantiles

BUILDERS: dict[str, Callable[[str], Truth]] = {
    "lognormal": lambda name: lognormal(name, sd=0.15),
    "mixture": lambda name: skewed_lognormals(name, skew=-0.8, minor_weight=0.25, sds=(0.20, 0.11)),
    "heston": lambda name: heston(name, kurtosis=4.8, volatility=0.30, speed=3.0, correlation=-0.3),
    "bates": lambda name: bates_up_jumps(name, 0.7, Heston(0.0625, 3.0, 0.0625, 0.3, 0.1), Jumps(1.0, 0.25, 0.06)),
    "announcement": lambda name: two_lognormals(name, minor_weight=0.4, minor_mean=0.87, sds=(0.055, 0.05)),
}
"""By name; a builder is called once, when its truth is first asked for."""


@cache
def truth(name: str) -> Truth:
    """One of the truths, or ``name+sd``: that truth at a later expiry, when x has an independent normal of sd added.

    KeyError where there is none of that name.
    """
    base, _, sd = name.partition("+")
    law = BUILDERS[base](name)
    return law.widened(float(sd)) if sd else law


__all__ = ["BUILDERS", "FORWARD", "YEARS", "Floats", "Moments", "Truth", "moments", "quantiles", "truth"]
