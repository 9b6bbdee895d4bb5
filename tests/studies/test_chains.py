"""The study's chains follow their design: the truth lies between bid and ask, ticks, reach, and a stale share."""

import numpy as np
import pytest

from hydra_assets.columns import OPTION_QUOTES
from studies.truths import BUILDERS, FORWARD, moments, truth
from studies.truths.chains import HALF_SPREADS, STRIKES, TICK, Cell, bids_and_asks, design, option_quotes

CELLS = design(tuple(BUILDERS))


def true_price(cell: Cell, strike: np.ndarray) -> np.ndarray:
    call = truth(cell.truth).call(strike)
    return np.where(strike >= FORWARD, call, call - FORWARD + strike)


def test_the_design_has_six_hundred_chains_half_of_them_stale() -> None:
    assert len(CELLS) == len({cell.name for cell in CELLS}) == 600
    assert sum(cell.stale for cell in CELLS) == 300


def test_clean_quotes_hold_the_truth_between_ticks() -> None:
    for cell in CELLS:
        strike, bid, ask = bids_and_asks(cell)
        if cell.stale:
            continue
        price = true_price(cell, strike)
        assert (ask > price).all()
        assert (np.nan_to_num(bid) < price).all()
        for quote in (bid, ask):
            ticks = quote[np.isfinite(quote)] / TICK
            assert ticks == pytest.approx(np.round(ticks), abs=1e-6)
        # A spread is wider than asked for by less than a tick on either side.
        asked = np.maximum(cell.half_spread * price, 0.5 * TICK)
        excess = (ask - bid)[np.isfinite(bid)] - 2 * asked[np.isfinite(bid)]
        assert (excess > -1e-9).all()
        assert (excess < 2 * TICK).all()


def test_strikes_reach_as_far_as_the_design_says() -> None:
    for count, sds in STRIKES.items():
        for name in BUILDERS:
            strike, *_ = bids_and_asks(Cell(name, count, 0.05, False, 0))
            assert len(strike) == count
            reach = np.log(strike / FORWARD) / moments(truth(name)).sd
            assert [reach[0], reach[-1]] == pytest.approx([-sds, sds])


def test_one_quote_in_eight_is_stale_and_the_rest_is_the_clean_chain() -> None:
    moved = total = 0
    for cell in CELLS:
        if cell.stale:
            clean = Cell(cell.truth, cell.strikes, cell.half_spread, False, cell.draw)
            asks, clean_asks = bids_and_asks(cell)[2], bids_and_asks(clean)[2]
            moved += int((asks != clean_asks).sum())
            total += len(asks)
    # A move of less than a tick does not show.
    assert 0.08 < moved / total <= 0.13


def test_a_part_of_the_study_has_the_numbers_of_the_whole() -> None:
    whole = {cell.name: bids_and_asks(cell) for cell in CELLS}
    for cell in design(("heston",), draws=2):
        for part, full in zip(bids_and_asks(cell), whole[cell.name], strict=True):
            np.testing.assert_array_equal(part, full)


def test_chains_are_rows_of_option_quotes() -> None:
    cells = [c for c in CELLS if c.draw == 0 and c.truth in ("bates", "announcement")]
    rows = option_quotes(cells)
    assert dict(rows.drop("rate").schema) == dict(OPTION_QUOTES.schema)
    assert rows.select(OPTION_QUOTES.key).is_unique().all()
    assert rows.select(OPTION_QUOTES.required).null_count().sum_horizontal().item() == 0
    otm = rows["right"] == "C"
    assert (otm == (rows["strike"] >= FORWARD)).all()
    assert rows["market"].n_unique() == len(cells) == 2 * len(STRIKES) * len(HALF_SPREADS) * 2
