"""Measure how many runs each way of working needs until its verdicts are right.

    python benchmarks/cost_of_a_verdict.py                 # the tables, and the aim
    python benchmarks/cost_of_a_verdict.py --check         # and fail if the aim is not kept
    python benchmarks/cost_of_a_verdict.py --write         # and put the tables into the pages
    python benchmarks/cost_of_a_verdict.py --record RUNS   # first record the study last run there

Thousands of studies are drawn from the seeds of one recorded study (`benchmarks/data`) and judged in
each way. A verdict is right if it says that the intervention differs from the baseline, in the
direction that all recorded seeds show. Every way but the first keeps the chance of any false alarm in
a study at 0.05. The figure is the number of runs that the whole study has trained, the baseline's
included, when an intervention's verdict is right in 80% of the studies.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # or else files beside this one would pass for others of their name

from benchmarks.verdict_cost.record import read, write
from benchmarks.verdict_cost.tables import Figures, blocks, replace_blocks
from sweep.errors import UserError

DATA = ROOT / "benchmarks" / "data" / "default_study.csv"
PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")
STUDIES = 2000


def main() -> None:
    """Record, measure, print and check, as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the record, a CSV")
    parser.add_argument("--record", type=Path, metavar="RUNS", help="renew the record from here")
    parser.add_argument("--studies", type=int, default=STUDIES, help="drawn for each figure")
    parser.add_argument("--markdown", action="store_true", help="print the text of README.md, too")
    parser.add_argument("--write", action="store_true", help="replace them in the pages")
    parser.add_argument("--check", action="store_true", help="fail when the aim is not kept")
    arguments = parser.parse_args()
    started = time.monotonic()
    if arguments.record:
        print(f"{write(arguments.record, arguments.data)} seeds recorded", file=sys.stderr)
    figures = Figures.measured(read(arguments.data), arguments.studies)
    texts = blocks(figures)
    print(texts["short"] + "\n\n" + texts["full"] if arguments.markdown else texts["full"])
    if arguments.write:
        for page in PAGES:
            replace_blocks(page, texts)
    took = time.monotonic() - started
    print(f"{arguments.studies} studies drawn, {took:.0f} s", file=sys.stderr)
    if arguments.check and not all(promise.kept for promise in figures.promises()):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
