"""Tables and pictures from the results of a run."""

import matplotlib

from . import stats

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend is chosen)

LEVELS = (0.90, 0.95, 0.99)


def select(results, **wanted):
    """The rows of results in which every wanted key has its value."""
    return [r for r in results if all(r.get(k) == v for k, v in wanted.items())]


def names(results, measure):
    """Contenders that have rows of a measure, in order of appearance."""
    return list(dict.fromkeys(r["contender"] for r in results if r["measure"] == measure))


def curve(results, contender, k, round_=None):
    """[(recall, qps)] of one round, or the medians of all."""
    rows = [r for r in select(results, measure="search", contender=contender, k=k)
            if round_ is None or r["round"] == round_]
    points = []
    for value in dict.fromkeys(r["value"] for r in rows):
        same = [r for r in rows if r["value"] == value]
        points.append((stats.median_and_spread([r["recall"] for r in same])[0],
                       stats.median_and_spread([r["qps"] for r in same])[0]))
    return points


def number(x, digits=3):
    """Three digits, no exponent, thousands separated."""
    if x is None:
        return "never"
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.{digits}g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def search_table(results, k):
    rows = []
    for name in names(results, "search"):
        points = [r for r in select(results, measure="search", contender=name, k=k)]
        for value in dict.fromkeys(r["value"] for r in points):
            same = [r for r in points if r["value"] == value]
            middle = {f: stats.median_and_spread([r[f] for r in same])
                      for f in ("recall", "qps", "p50", "p95", "p99") if f in same[0]}
            qps = middle["qps"]
            rows.append([name, value or "", f"{middle['recall'][0]:.4f}",
                         f"{number(qps[0])} ({number(qps[1])} to {number(qps[2])})",
                         *(number(middle[f][0]) if f in middle else "" for f in ("p50", "p95", "p99"))])
    return table(["", "setting", f"recall@{k}", "queries/s (spread)", "p50 us", "p95 us", "p99 us"],
                 rows)


def rounds_at(results, name, k, level):
    """Queries per second at a recall, round by round (a yardstick has one round)."""
    rounds = dict.fromkeys(r["round"] for r in select(results, measure="search", contender=name))
    return [stats.at_recall(curve(results, name, k, r), level) for r in rounds]


def comparison_table(results, k=10):
    """Every contender at equal recall, as a ratio to the first in the list of baselines."""
    contenders = names(results, "search")
    base = next((n for n in ("pgvector hnsw", "pgvector exact", "nanovec exact")
                 if n in contenders), None)
    rows = []
    for name in contenders:
        row = [name]
        for level in LEVELS:
            ours = rounds_at(results, name, k, level)
            theirs = rounds_at(results, base, k, level) if base else []
            if len(ours) == 1:
                ours = ours * len(theirs)
            middle = stats.at_recall(curve(results, name, k), level)
            ratio = stats.ratio(ours, theirs)
            row += [number(middle),
                    "" if ratio is None else f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})"]
        rows.append(row)
    head = [""]
    for level in LEVELS:
        head += [f"queries/s at {level:.2f}", f"ratio to {base}"]
    return table(head, rows)


def exact_table(results):
    """Exact search, each round's nanovec against its pgvector."""
    rows = []
    for kind in ("exact", "parallel", "toasted"):
        ours = [r["p50"] for r in select(results, measure="search", contender=f"nanovec {kind}", k=10)]
        theirs = [r["p50"] for r in select(results, measure="search", contender=f"pgvector {kind}", k=10)]
        if not ours:
            continue
        ratio = stats.ratio(theirs, ours)
        rows.append([kind, number(stats.median_and_spread(ours)[0] / 1000),
                     number(stats.median_and_spread(theirs)[0] / 1000) if theirs else "",
                     f"{ratio[0]:.2f} ({ratio[1]:.2f} to {ratio[2]:.2f})" if ratio else ""])
    return table(["exact search", "nanovec ms", "pgvector ms", "times faster"], rows)


def measure_table(results, measure, columns):
    """One row per contender and case: medians of the named fields."""
    rows = []
    for name in names(results, measure):
        cases = select(results, measure=measure, contender=name)
        for case in dict.fromkeys(r.get("case", "") for r in cases):
            same = [r for r in cases if r.get("case", "") == case]
            rows.append([name, case] + [number(stats.median_and_spread([r[c] for r in same])[0])
                                        for c in columns])
    return table(["", "", *(c.replace("_", " ") for c in columns)], rows) if rows else ""


SECTIONS = (
    ("Concurrent clients", "clients", ("qps", "p50", "p95", "recall")),
    ("Build", "build", ("seconds", "megabytes")),
    ("Inserts with the index in place", "insert",
     ("single_rows_per_second", "single_wal_per_row", "bulk_rows_per_second", "bulk_wal_per_row")),
    ("A tenth deleted, a twentieth updated, vacuumed", "vacuum",
     ("updated_rows_per_second", "vacuum_seconds", "recall", "p50")),
    ("Filtered queries, LIMIT 10 (exact: btree and sort; pgvector: iterative scans)", "filtered", ("rows", "recall", "p50")),
    ("Cold cache", "cold", ("first_query_reads", "reads_per_query")),
)


def markdown(run):
    """The whole report."""
    results = run["results"]
    out = [f"## {run['dataset']['name']}: {run['dataset']['rows']:,} x {run['dataset']['dims']}\n"]
    out.append("\n".join(f"- {key}: {value}" for key, value in run["environment"].items()) + "\n")
    out += ["### At equal recall\n", comparison_table(results)]
    out += ["### Exact search\n", exact_table(results)]
    out += ["### Recall and speed, one client\n", search_table(results, 10)]
    if select(results, measure="search", k=100):
        out += ["", search_table(results, 100)]
    for title, measure, columns in SECTIONS:
        text = measure_table(results, measure, columns)
        if text:
            out += [f"### {title}\n", text]
    return "\n".join(out)


COLOURS = {"nanovec": "tab:blue", "pgvector": "tab:orange", "hnswlib": "tab:gray", "faiss": "tab:olive"}
MARKS = {"exact": "s", "parallel": "D", "toasted": "x", "hnsw": "o", "ivf": "^", "ivfflat": "v"}


def style(name):
    engine, _, kind = name.partition(" ")
    return {"color": COLOURS.get(engine, "black"), "marker": MARKS.get(kind, "o"),
            "linestyle": "--" if engine in ("hnswlib", "faiss") else "-", "label": name}


def draw(run, stem):
    """Pictures: recall against speed, and bars of build time, size and insert rate."""
    results = run["results"]
    title = f"{run['dataset']['name']}, {run['dataset']['rows']:,} x {run['dataset']['dims']}"

    figure, axis = plt.subplots(figsize=(8, 5.5))
    for name in names(results, "search"):
        points = sorted(curve(results, name, 10))
        if points:
            axis.plot([p[0] for p in points], [p[1] for p in points], **style(name))
    axis.set(xlabel="recall@10", ylabel="queries per second, one client", yscale="log",
             title=f"Recall against speed: {title}")
    axis.grid(True, which="both", alpha=0.3)
    axis.legend(fontsize="small")
    save(figure, f"{stem}-recall")

    bars = [("build", "seconds", "build time, s (2 processes)"), ("build", "megabytes", "index size, MB"),
            ("insert", "single_rows_per_second", "single-row inserts per second")]
    figure, axes = plt.subplots(1, len(bars), figsize=(12, 4))
    for axis, (measure, field, label) in zip(axes, bars):
        for name in names(results, measure):
            rows = [r for r in select(results, measure=measure, contender=name)
                    if r.get("case", "") in ("", "processes: 2")]
            if rows:
                axis.bar(name.replace(" ", "\n"), stats.median_and_spread([r[field] for r in rows])[0],
                         color=style(name)["color"])
        axis.set_title(label, fontsize="medium")
        axis.tick_params(labelsize="small")
    figure.suptitle(title)
    save(figure, f"{stem}-build")
    if names(results, "filtered"):
        draw_filtered(results, title, f"{stem}-filtered")


def draw_filtered(results, title, stem):
    """Recall and time against the share of rows that match; clusters beside it, unconnected."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 5))
    for axis, (field, label) in zip(axes, (("recall", "recall@10"), ("p50", "p50, us"))):
        for name in names(results, "filtered"):
            rows = select(results, measure="filtered", contender=name)
            random = [r for r in rows if "cluster" not in r["case"]]
            axis.plot([r["selectivity"] for r in random], [r[field] for r in random], **style(name))
            for r in rows:
                if "cluster" in r["case"]:
                    axis.plot(r["selectivity"] * (0.8 if "own" in r["case"] else 1.25), r[field],
                              **{**style(name), "marker": "<" if "own" in r["case"] else ">",
                                 "linestyle": "", "label": None})
        axis.set(xlabel="share of rows that match (< own cluster, > another)", ylabel=label,
                 xscale="log", yscale="log" if field == "p50" else "linear")
        axis.grid(True, which="both", alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.suptitle(f"Filters: {title}")
    save(figure, stem)


def save(figure, stem):
    figure.tight_layout()
    for suffix in ("png", "svg"):
        figure.savefig(f"{stem}.{suffix}", dpi=120)
    plt.close(figure)
