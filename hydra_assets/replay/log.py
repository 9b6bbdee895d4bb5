"""One log out of the breakers of all blocks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breaker_arrays import BlockBreakers, Machines
from hydra_assets.replay.result import ACCOUNT, BreakerLog

Whole = NDArray[np.int64]


def breaker_log(breakers: Sequence[BlockBreakers | None], blocks: Sequence[slice]) -> BreakerLog:
    """Put the moves of all machines in the log's order."""
    columns: list[list[Whole]] = [[] for _ in range(6)]
    for block_breakers, block in zip(breakers, blocks, strict=True):
        if block_breakers is None:
            continue
        for machines, is_account in ((block_breakers.accounts, True), (block_breakers.markets, False)):
            for column, values in zip(columns, _of(machines, block, is_account), strict=True):
                column.append(values)
    whole = [np.concatenate(column) if column else np.zeros(0, dtype=np.int64) for column in columns]
    order = np.lexsort((whole[2], whole[1], whole[0]))
    candidate, session, market, before, after, reason = (column[order] for column in whole)
    return BreakerLog(
        candidate=candidate,
        session=session,
        market=market,
        before=before.astype(np.int8),
        after=after.astype(np.int8),
        reason=reason.astype(np.int8),
    )


def _of(machines: Machines, block: slice, is_account: bool) -> tuple[Whole, ...]:
    moves = machines.moves
    width = block.stop - block.start
    sizes = [move.cell.size for move in moves]

    def each(values: list[int]) -> Whole:
        return np.repeat(np.array(values, dtype=np.int64), sizes)

    cell = np.concatenate([move.cell for move in moves] or [np.zeros(0, dtype=np.int64)])
    return (
        block.start + (cell if is_account else cell % width),
        each([move.session for move in moves]),
        np.full(cell.size, ACCOUNT, dtype=np.int64) if is_account else cell // width,
        each([int(move.before) for move in moves]),
        each([int(move.after) for move in moves]),
        np.concatenate([move.reason for move in moves] or [np.zeros(0, dtype=np.int8)]).astype(np.int64),
    )
