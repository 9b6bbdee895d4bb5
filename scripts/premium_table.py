"""The early-exercise premium table of options on futures, computed from ``hydra_assets/options/american.py``.

    uv run scripts/premium_table.py            write hydra_assets/options/data/premium_table.npz
    uv run scripts/premium_table.py --check    say how far the file is from what the code gives now

The same code gives the same bytes on the same machine; on another one the last digit of a value may differ.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from hydra_assets.options.black76 import Floats
from hydra_assets.options.premium_table import (
    BOUNDARY_SHAPE,
    FILE,
    SHAPE,
    boundary_column,
    excess_nodes,
    rate_time_nodes,
    root_columns,
    total_vol_nodes,
)

PATH = Path(__file__).resolve().parent.parent / "hydra_assets" / "options" / "data" / FILE
TOLERANCE = 2e-7
"""Of the values, which are kept in single precision and lie between zero and one."""


def compute(*, quiet: bool) -> dict[str, Floats]:
    """Values at all nodes, the roots in single precision, one rate after the other."""
    vols, excess = total_vol_nodes(), excess_nodes()
    root = np.empty(SHAPE, dtype=np.float32)
    for j, rate_time in enumerate(rate_time_nodes(SHAPE[2])):
        root[:, :, j] = root_columns(excess, vols, np.full_like(vols, rate_time))
        if not quiet:
            print(f"\r{j + 1} of {SHAPE[2]} rates", end="", file=sys.stderr, flush=True)
    if not quiet:
        print(file=sys.stderr)
    rates = rate_time_nodes(BOUNDARY_SHAPE[1])
    boundary = np.array([boundary_column(np.full_like(rates, vol), rates) for vol in vols])
    return {"root": root, "boundary": boundary}


def main() -> int:
    """Write the table, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing; exit code 1 when they differ")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--path", type=Path, default=PATH, help="the table's file")
    args = parser.parse_args()
    computed = compute(quiet=args.quiet)
    if args.check:
        with np.load(args.path, allow_pickle=False) as saved:
            worst = max(float(np.abs(saved[name] - values).max()) for name, values in computed.items())
        print(f"largest difference {worst:.1e}, {TOLERANCE:.0e} allowed")
        return int(not worst <= TOLERANCE)
    args.path.parent.mkdir(parents=True, exist_ok=True)
    with args.path.open("wb") as file:
        np.savez(file, **computed)
    print(f"{args.path.name}: {args.path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
