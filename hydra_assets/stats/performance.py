"""Performance figures of one strategy from its daily net returns, costs and positions.

    equity_t = sum_{u <= t} r_u          (money in units of a fixed capital: positions are sized on it, not compounded)
    drawdown_t = max(0, max_{u <= t} equity_u) - equity_t
    Sortino = mean / sqrt(mean(min(r, 0)^2)) sqrt(252)          Calmar = annual return / maximum drawdown
    cost share = sum costs / sum (r + costs)                     turnover = mean |change of position| 252

Sources: F. A. Sortino and R. van der Meer, "Downside risk", Journal of Portfolio Management 17 (1991), with a target of
zero; T. W. Young, "Calmar ratio: a smoother tool", Futures 20 (1991), over the whole span instead of 36 months.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from hydra_assets.stats.returns import MIN_SESSIONS, SESSIONS_PER_YEAR, Floats, ReturnsReason, returns_reason
from hydra_assets.stats.sharpe import Sharpe, sharpe


@dataclass(frozen=True, slots=True)
class Performance:
    """Figures of ``sessions`` returns; None where ``reason`` says why, or where the figure does not exist."""

    reason: ReturnsReason
    sessions: int
    sharpe: Sharpe | None = None
    annual_return: float | None = None
    annual_volatility: float | None = None
    sortino: float | None = None
    """None without a losing session."""
    calmar: float | None = None
    """None without a drawdown."""
    max_drawdown: float | None = None
    """Fraction of capital, positive."""
    hit_rate: float | None = None
    """Share of gains among the sessions with a result."""
    cost_share: float | None = None
    """None where costs are not given or nothing was earned before them."""
    turnover: float | None = None
    """Capital traded per year over capital; None where positions are not given."""

    def metrics(self, prefix: str = "") -> dict[str, float]:
        """Named figures for a record; what does not exist is left out."""
        flat = {name: getattr(self, name) for name in self.__slots__ if name not in {"reason", "sharpe"}}
        if self.sharpe is not None:
            flat |= {"sharpe": self.sharpe.ratio, "sharpe_se": self.sharpe.se, "sharpe_se_lo": self.sharpe.se_lo}
            flat |= {"sharpe_se_mertens": self.sharpe.se_mertens, "sharpe_se_hac": self.sharpe.se_hac}
        return {prefix + name: float(value) for name, value in flat.items() if value is not None}


def performance(
    net_returns: ArrayLike,
    costs: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    horizon_sessions: int = 1,
    minimum: int = MIN_SESSIONS,
) -> Performance:
    """Figures of one strategy.

    Parameters
    ----------
    net_returns : ``[n]``, profit after costs over capital
    costs : ``[n]``, costs that are already taken off, over capital, not negative
    positions : ``[n]`` or ``[n, markets]``, signed notional over capital held at the end of each session
    horizon_sessions : lag of the overlap-robust standard error
    """
    r = np.asarray(net_returns, dtype=np.float64)
    reason = returns_reason(r, max(minimum, horizon_sessions + 1))
    if reason is not ReturnsReason.OK:
        return Performance(reason, r.shape[-1] if r.ndim else 0)
    downside, deepest = float(np.sqrt(np.mean(np.minimum(r, 0.0) ** 2))), max_drawdown(r)
    annual = float(r.mean()) * SESSIONS_PER_YEAR
    decided = r != 0.0
    return Performance(
        reason=reason,
        sessions=len(r),
        sharpe=sharpe(r, horizon_sessions, minimum),
        annual_return=annual,
        annual_volatility=float(r.std() * np.sqrt(SESSIONS_PER_YEAR)),
        sortino=float(r.mean() / downside * np.sqrt(SESSIONS_PER_YEAR)) if downside > 0.0 else None,
        calmar=annual / deepest if deepest > 0.0 else None,
        max_drawdown=deepest,
        hit_rate=float((r[decided] > 0.0).mean()),
        cost_share=None if costs is None else cost_share(r, costs),
        turnover=None if positions is None else turnover(positions),
    )


def performances(net_returns: ArrayLike, horizon_sessions: int = 1) -> tuple[Performance, ...]:
    """Figures of ``[k, n]`` candidates, one after the other; an unusable one does not hide the rest."""
    rows = np.atleast_2d(np.asarray(net_returns, dtype=np.float64))
    return tuple(performance(row, horizon_sessions=horizon_sessions) for row in rows)


def performance_by_regime(
    net_returns: ArrayLike, regimes: ArrayLike, horizon_sessions: int = 1
) -> dict[int, Performance]:
    """Figures over the sessions of each of ``[n]`` filtered regimes, joined end to end; few sessions give a reason.

    The drawdown of a regime is that of its own sessions, as if nothing had lain between them.
    """
    r, labels = np.asarray(net_returns, dtype=np.float64), np.asarray(regimes)
    if r.shape != labels.shape:
        msg = f"{r.shape} returns with {labels.shape} regimes"
        raise ValueError(msg)
    return {
        int(regime): performance(r[labels == regime], horizon_sessions=horizon_sessions) for regime in np.unique(labels)
    }


def max_drawdown(returns: Floats) -> float:
    """Deepest fall of the summed ``[n]`` returns below their highest point so far, which starts at zero."""
    equity = np.cumsum(returns)
    return float((np.maximum(np.maximum.accumulate(equity), 0.0) - equity).max(initial=0.0))


def cost_share(net_returns: ArrayLike, costs: ArrayLike) -> float | None:
    """Costs over profit before costs; None where there was none. ValueError on a missing or negative cost."""
    paid = np.asarray(costs, dtype=np.float64)
    net = np.asarray(net_returns, dtype=np.float64)
    if paid.shape != net.shape or not np.isfinite(paid).all() or (paid < 0.0).any():
        msg = f"{paid.shape} costs of {net.shape} returns: one each, none missing, none negative"
        raise ValueError(msg)
    gross = float((net + paid).sum())
    return float(paid.sum()) / gross if gross > 0.0 else None


def turnover(positions: ArrayLike) -> float:
    """Capital traded per year, from ``[n]`` or ``[n, markets]`` positions over capital; the first is an entry."""
    held = np.asarray(positions, dtype=np.float64)
    held = held[:, None] if held.ndim == 1 else held
    if not len(held) or not np.isfinite(held).all():
        msg = f"{int((~np.isfinite(held)).sum())} of {held.shape} positions missing"
        raise ValueError(msg)
    traded = np.abs(np.diff(held, axis=0, prepend=0.0)).sum()
    return float(traded / len(held) * SESSIONS_PER_YEAR)


class CapacityReason(StrEnum):
    """What bounds the size."""

    OK = "ok"
    BEYOND_CURVE = "beyond_curve"
    """Still profitable at the largest size tried: the capacity is at least that."""
    NO_EDGE = "no_edge"
    """Loses money at the smallest size already."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Largest multiple of today's size at which a year still earns money, and the multiple that earns most."""

    reason: CapacityReason
    break_even: float | None
    best: float | None


def capacity(multiples: ArrayLike, annual_gross: float, annual_costs: ArrayLike) -> Capacity:
    """Capacity from a cost curve.

    Parameters
    ----------
    multiples : ``[m]`` sizes over today's, increasing, positive
    annual_gross : profit of a year before costs over capital, at size 1 (it scales with size)
    annual_costs : ``[m]`` costs of a year over capital at each size (they grow faster: impact goes with its root)

    Break-even lies where net profit crosses zero, interpolated linearly between two sizes.
    """
    size, paid = np.asarray(multiples, dtype=np.float64), np.asarray(annual_costs, dtype=np.float64)
    shaped = size.ndim == 1 and size.shape == paid.shape and len(size) > 0
    if not shaped or not np.isfinite(paid).all() or not (np.diff(size, prepend=0.0) > 0.0).all():
        msg = f"{size.shape} sizes, increasing from above zero, with {paid.shape} costs"
        raise ValueError(msg)
    net = annual_gross * size - paid
    if net[0] <= 0.0:
        return Capacity(CapacityReason.NO_EDGE, None, None)
    best = float(size[net.argmax()])
    losing = np.flatnonzero(net <= 0.0)
    if not len(losing):
        return Capacity(CapacityReason.BEYOND_CURVE, float(size[-1]), best)
    j = losing[0]
    share = net[j - 1] / (net[j - 1] - net[j])
    return Capacity(CapacityReason.OK, float(size[j - 1] + share * (size[j] - size[j - 1])), best)
