#!/usr/bin/env python3
"""Recall of nanovec's indexes beside pgvector's on many kinds of data.

    quality.py --host DIRECTORY --db NAME [--cells "WORD ..."] [--quick]
    quality.py --host DIRECTORY --db NAME --record [--cells "WORD ..."]

A cell is named "METHOD TYPE METRIC KIND DIMS WAY", as in "hnsw vector l2 offset 64
inserted".  Each of --cells' words is to match one of these; "l2,cosine" is either,
and * is anything.  --record measures a real pgvector and stores its figures.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

from nvquality import figures, runner
from nvquality.server import ServerError


def main() -> int:
    """Run what the arguments ask for; 0 if no cell falls short."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True, help="directory of the server's socket, or host")
    parser.add_argument("--db", required=True, help="database with nanovec, or with pgvector")
    parser.add_argument("--user", default="postgres")
    parser.add_argument("--cells", default="", metavar="WORDS", help="which cells; default: all")
    parser.add_argument("--quick", action="store_true", help="the part that make check runs")
    parser.add_argument("--list", action="store_true", help="list the cells and do no more")
    parser.add_argument("--all", action="store_true", help="print cells that pass, too")
    parser.add_argument("--jobs", type=int, default=1, help="data sets at a time (1)")
    parser.add_argument("--tap", metavar="FILE", type=pathlib.Path,
                        help="write results there as TAP")
    parser.add_argument("--save", metavar="FILE", type=pathlib.Path, help="write every value there")
    parser.add_argument("--figures", metavar="FILE", type=pathlib.Path, default=figures.FILE,
                        help="pgvector's figures (pgvector.tsv)")
    parser.add_argument("--record", action="store_true",
                        help="measure pgvector, store its figures")
    parser.add_argument("--repeat", type=int, default=3,
                        help="with --record: how often to measure what misses rows (3)")
    try:
        return runner.run(parser.parse_args())
    except ServerError as error:
        print(f"ERROR {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
