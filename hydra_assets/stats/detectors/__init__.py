"""Has something changed? Causal detectors of whole series; their thresholds follow from a budget of false alarms.

A feature is watched in four steps, each a function of arrays:

>>> import numpy as np
>>> from hydra_assets.stats.detectors.alarms import episodes
>>> from hydra_assets.stats.detectors.cusum import Cusum
>>> from hydra_assets.stats.detectors.reference import Reference
>>> from hydra_assets.stats.detectors.thresholds import BUDGET, Purpose, threshold_for
>>> noise = np.random.default_rng(1).standard_normal((700, 53))
>>> noise[600:, 7] += 2.0
>>> reference = Reference.fit(noise[:504])
>>> track = Cusum().statistics(noise[504:], reference)
>>> threshold = threshold_for(Cusum(), BUDGET[Purpose.FEATURES])
>>> rows, columns = np.nonzero(episodes(track.statistic, threshold.value).onset)
>>> columns.tolist(), bool(0 <= rows[0] - 96 < 30)
([7], True)

``EdgeCusum.statistics(returns)`` and ``CalibrationCusum.statistics(outcomes, predicted)`` need no reference.
"""
