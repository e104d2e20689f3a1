"""What is printed, and written, of the results."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from .figures import Key, Verdict


def summarize(verdicts: list[Verdict], errors: list[str], everything: bool) -> int:
    """Print a table, of what falls short or of everything; returns 0 if all is well."""
    failed = [v for v in verdicts if not v.passed]
    shown = verdicts if everything else failed
    if shown:
        print(f"\n{'cell':<48}{'measure':<11}{'nanovec':>9}{'pgvector':>10}{'bar':>10}")
    for v in shown:
        peer = "" if v.peer is None else f"{v.peer:.4g}"
        mark = "" if v.passed else "  short"
        print(f"{v.cell:<48}{v.measure:<11}{v.value:>9.4g}{peer:>10}"
              f"{'>=' if v.at_least else '<=':>4}{v.bar:>6.4g}{mark}")
    for error in errors:
        print(f"ERROR {error}")
    print()
    return 0 if verdicts and not failed and not errors else 1


def write_tap(verdicts: list[Verdict], errors: list[str], notes: list[str],
              file: pathlib.Path) -> None:
    """The same for a harness that counts."""
    lines = [f"{'ok' if v.passed else 'not ok'} {i} - {v.cell}: {v.measure}"
             for i, v in enumerate(verdicts, 1)]
    lines += [f"not ok {i} - {error.splitlines()[0]}"
              for i, error in enumerate(errors, len(verdicts) + 1)]
    lines += [f"1..{len(lines)}"]
    lines += [f"# NOT RUN: {'; '.join(notes)}"] if notes else []
    file.write_text("\n".join(lines) + "\n")


def save(results: Mapping[Key, float], file: pathlib.Path) -> None:
    """Write all values, also those without a bar."""
    file.write_text("".join(f"{cell}\t{measure}\t{value:.5g}\n"
                            for (cell, measure), value in sorted(results.items())))
