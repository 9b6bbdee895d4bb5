import numpy as np
import pytest

from hydra_assets.stats.sharpe import sharpe
from hydra_assets.stats.thesis import ThesisReason, thesis_gate

NOISE = np.random.default_rng(30).standard_normal(756)
NOISE = (NOISE - NOISE.mean()) / NOISE.std()


def annual(ratio: float) -> np.ndarray:
    """Three years at an annual Sharpe ratio of exactly this; its error is about 1/sqrt(3) = 0.577."""
    return 0.01 * (NOISE + ratio / np.sqrt(252.0))


@pytest.mark.parametrize(
    ("returns", "green", "reason"),
    [
        (annual(1.5), True, ThesisReason.ABOVE_ZERO),
        (annual(0.5), False, ThesisReason.BAND_INCLUDES_ZERO),
        (annual(0.0) - 1e-9, False, ThesisReason.NOT_POSITIVE),
        (annual(-2.0), False, ThesisReason.NOT_POSITIVE),
        (annual(1.5)[:59], False, ThesisReason.TOO_FEW_SESSIONS),
        (np.zeros(100), False, ThesisReason.CONSTANT_RETURNS),
        (np.append(annual(1.5), np.nan), False, ThesisReason.MISSING_RETURN),
        ([], False, ThesisReason.TOO_FEW_SESSIONS),
    ],
)
def test_reasons(returns, green, reason):
    found = thesis_gate(returns)
    assert (found.green, found.reason) == (green, reason)
    assert (found.sharpe is None) == (len(returns) < 60 or reason in ("missing_return", "constant_returns"))


def test_band_by_hand():
    found, own = thesis_gate(annual(1.5), horizon_sessions=5), sharpe(annual(1.5), 5)
    assert found.sharpe == pytest.approx(1.5)
    assert found.lower == pytest.approx(1.5 - 1.6448536 * own.se)
    assert found.upper == pytest.approx(1.5 + 1.6448536 * own.se)
    assert found.message == f"net Sharpe 1.50 [{found.lower:.2f}, {found.upper:.2f}] over 756 sessions"
