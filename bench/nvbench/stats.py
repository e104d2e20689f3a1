"""Recall, interpolation and summaries.  Plain Python, so that tests need no packages."""

import math
import statistics


def recall(answers, truth, k):
    """Share of the true k nearest that the answers hold, over all queries.

    answers, truth: a list of ids per query; only the first k of each count,
    and an id counts once however often it was returned.
    """
    if len(answers) != len(truth) or not answers:
        raise ValueError("as many answers as there are queries are needed")
    found = sum(len(set(a[:k]) & set(t[:k])) for a, t in zip(answers, truth))
    return found / sum(min(k, len(t)) for t in truth)


def percentile(values, share):
    """The value below which share (0..1) of the values lie, by linear interpolation."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = math.ceil(position)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median_and_spread(values):
    """Median, least and greatest."""
    return statistics.median(values), min(values), max(values)


def at_recall(curve, target):
    """Queries per second at a recall, from [(recall, qps), ...], or None.

    Between two measured points log(qps) is taken to be linear in recall.
    A curve that starts above the target gives its fastest point (it is at
    least that good); one that never reaches the target gives None.
    """
    points = pareto(curve)
    if not points or points[-1][0] < target:
        return None
    if points[0][0] >= target:
        return points[0][1]
    for (r0, q0), (r1, q1) in zip(points, points[1:]):
        if r0 <= target <= r1:
            share = (target - r0) / (r1 - r0)
            return math.exp(math.log(q0) + share * (math.log(q1) - math.log(q0)))
    return None


def pareto(curve):
    """The points that no other beats in both recall and speed, by rising recall."""
    best = []
    for r, q in sorted(curve, key=lambda p: (-p[0], -p[1])):
        if not best or q > best[-1][1]:
            best.append((r, q))
    return best[::-1]


def ratio(ours, theirs):
    """Median and spread of the ratios of two lists of rounds, pair by pair."""
    pairs = [a / b for a, b in zip(ours, theirs) if a and b]
    return median_and_spread(pairs) if pairs else None
