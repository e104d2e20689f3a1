#!/usr/bin/env python3
"""The benchmark's arithmetic on toy sets with known answers.  Prints TAP."""

import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "bench"))

from nvbench import stats  # noqa: E402

results = []


def check(name, got, wanted):
    close = got == wanted or (isinstance(wanted, float) and got is not None and
                              math.isclose(got, wanted, rel_tol=1e-9))
    results.append(close)
    print(f"{'ok' if close else 'not ok'} {len(results)} - {name}")
    if not close:
        print(f"# got {got!r}, wanted {wanted!r}")


TRUTH = [[1, 2, 3, 4], [5, 6, 7, 8]]

check("all found", stats.recall([[4, 3, 2, 1], [5, 6, 7, 8]], TRUTH, 4), 1.0)
check("three of four, and one of four", stats.recall([[1, 2, 3, 9], [8, 9, 10, 11]], TRUTH, 4), 0.5)
check("order within k does not matter", stats.recall([[2, 1], [6, 5]], TRUTH, 2), 1.0)
check("only the first k count", stats.recall([[9, 1], [5, 9]], TRUTH, 1), 0.5)
check("an id counts once", stats.recall([[1, 1, 1, 1], [5, 5, 5, 5]], TRUTH, 4), 0.25)
check("too few rows lose recall", stats.recall([[1], []], TRUTH, 4), 0.125)
check("fewer true answers than k", stats.recall([[1, 2], [3]], [[1, 2], [3]], 10), 1.0)

check("median of an odd number", stats.percentile([5, 1, 3], 0.5), 3.0)
check("a percentile between two values", stats.percentile([0, 10], 0.95), 9.5)
check("the greatest", stats.percentile([3, 1, 2], 1.0), 3.0)
check("median and spread", stats.median_and_spread([3, 1, 2]), (2, 1, 3))

CURVE = [(0.80, 1000.0), (0.90, 100.0), (0.99, 10.0)]
check("at a measured recall", stats.at_recall(CURVE, 0.90), 100.0)
check("half way, on a log scale", stats.at_recall(CURVE, 0.85), math.sqrt(1000.0 * 100.0))
check("beyond the curve", stats.at_recall(CURVE, 0.995), None)
check("below the curve: its fastest point", stats.at_recall(CURVE, 0.5), 1000.0)
check("an exact answer stands for any recall", stats.at_recall([(1.0, 7.0)], 0.95), 7.0)
check("a point that another beats in both does not count",
      stats.at_recall(CURVE + [(0.89, 1.0)], 0.85), math.sqrt(1000.0 * 100.0))
check("order of points does not matter", stats.at_recall(CURVE[::-1], 0.85), math.sqrt(1000.0 * 100.0))
check("no points", stats.at_recall([], 0.9), None)
check("ratio, pair by pair", stats.ratio([10.0, 20.0, 90.0], [10.0, 10.0, 10.0]), (2.0, 1.0, 9.0))
check("a round without a value is left out", stats.ratio([None, 20.0], [10.0, 10.0]), (2.0, 2.0, 2.0))

print(f"1..{len(results)}")
sys.exit(0 if all(results) else 1)
