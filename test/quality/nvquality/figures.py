"""pgvector's figures, and what nanovec's have to be beside them."""

from __future__ import annotations

import pathlib
import statistics
from dataclasses import dataclass

from .grid import peer_cell

FILE = pathlib.Path(__file__).resolve().parents[1] / "pgvector.tsv"
COLUMNS = ("cell", "measure", "values", "version", "date")

Key = tuple[str, str]


@dataclass(frozen=True)
class Figure:
    """What was measured of pgvector, each time on a new index: its levels are drawn at random."""

    values: tuple[float, ...]
    version: str
    date: str

    @property
    def median(self) -> float:
        """What others are compared with."""
        return statistics.median(self.values)

    def with_value(self, value: float, version: str, date: str) -> Figure:
        """With another measurement; those of another version do not stay."""
        kept = self.values if version == self.version else ()
        return Figure((*kept, value), version, date)


@dataclass(frozen=True)
class Verdict:
    """A value beside its bar."""

    cell: str
    measure: str
    value: float
    peer: float | None
    bar: float
    at_least: bool

    @property
    def passed(self) -> bool:
        """Is the value on the right side?"""
        # an average of shares may be off by rounding
        return self.value >= self.bar - 1e-9 if self.at_least else self.value <= self.bar + 1e-9


def read_figures(file: pathlib.Path) -> dict[Key, Figure]:
    """The stored figures."""
    figures: dict[Key, Figure] = {}
    if file.exists():
        for line in file.read_text().splitlines()[1:]:
            cell, measure, values, version, date = line.split("\t")
            figures[cell, measure] = Figure(tuple(map(float, values.split())), version, date)
    return figures


def write_figures(figures: dict[Key, Figure], file: pathlib.Path) -> None:
    """Store figures, sorted, so that a change of few is a change of few lines."""
    lines = ["\t".join(COLUMNS)]
    for (cell, measure), f in sorted(figures.items()):
        values = " ".join(f"{v:.5g}" for v in f.values)
        lines.append("\t".join((cell, measure, values, f.version, f.date)))
    file.write_text("\n".join(lines) + "\n")


def judge(results: dict[Key, float], figures: dict[Key, Figure]) -> list[Verdict]:
    """Set each value beside its bar; those without a bar are left out."""
    verdicts = []
    for (cell, measure), value in results.items():
        figure = figures.get((peer_cell(cell), measure))
        peer = figure.median if figure else None
        way = cell.split()[-1]
        if measure.startswith("recall") or measure == "self":
            if peer is not None:
                verdicts.append(Verdict(cell, measure, value, peer, peer - 0.01, True))
        elif measure == "fresh":
            # the graph that a vacuum leaves is as good as a new one
            aged = results[cell, "aged"]
            verdicts.append(Verdict(cell, measure, aged, value, value - 0.005, True))
        elif measure == "bytes" and cell.startswith("hnsw"):
            if peer is not None:
                bar = peer * (1.1 if way.startswith("built") else 1.35)
                verdicts.append(Verdict(cell, measure, value, peer, bar, False))
        elif measure == "deep_time":
            verdicts.append(Verdict(cell, measure, value, peer, 12.0, False))
        elif measure == "reach" and peer is not None:
            # a strict order has no place for what is found late
            verdicts.append(Verdict(cell, measure, value, peer, peer - 0.01, True))
    return verdicts
