"""How long the embedded PostgreSQL takes to come up: the first time, and later.

``python benchmarks/first_start.py [--rounds 7]`` prints the median and the slowest, with the load average. Aims: the first
start under 5 s, later ones under 1 s.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from heller import embedded


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    first, later = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as parent:
            for seconds in (first, later):
                before = time.monotonic()
                server = embedded.start(Path(parent) / "postgres")
                seconds.append(time.monotonic() - before)
                server.stop()
    for name, seconds in (("first start", first), ("later start", later)):
        print(
            f"{name}: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s, load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
