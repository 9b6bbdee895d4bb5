"""Trading killed with -9 at random instants, and what is found afterwards.

``uv run python -m studies.trade_kills --kills 10000`` takes an account at the simulated broker through three sessions,
once undisturbed and then, again and again from nothing, in a process that is killed at a random instant of its work;
another process takes it up. Orders, fills and positions must be those of the undisturbed life, no name may have been
sent twice, and the chain of the fills must be whole. The last line is a row of ``docs/studies/trade_kills.md``.
"""

import argparse
import tempfile
from pathlib import Path

from tests.support.postgres import TestServer
from tests.support.trade_kills import Kill, run_kills


def main() -> None:
    """Print each problem as it comes, and the table's row in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    done: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        server = TestServer(Path(folder))
        try:
            with server.database() as url:
                for kill in run_kills(url, asked.kills, asked.seed):
                    done.append(kill)
                    for problem in kill.problems:
                        print(f"kill {len(done)} at line {kill.lines}: {problem}", flush=True)
        finally:
            server.stop()
    midway = sum(0 < kill.lines < kill.of for kill in done)
    bad = sum(bool(kill.problems) for kill in done)
    print(f"| {asked.seed} | {len(done)} | {midway} | {len({kill.lines for kill in done})} | {bad} |")


if __name__ == "__main__":
    main()
