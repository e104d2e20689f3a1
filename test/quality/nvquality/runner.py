"""Runs the grid, or what is asked for of it, and prints what falls short."""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import figures, kinds, report
from .courses import Course, Plan, plans_for
from .figures import Figure, Key
from .grid import Data, Subject, peer_cell, subjects
from .server import Server, ServerError
from .stage import Stage


@dataclass(frozen=True)
class Task:
    """A course that a subject is to go through."""

    subject: Subject
    plan: Plan

    @property
    def cells(self) -> list[str]:
        """The cells that it passes."""
        return [self.subject.cell(way) for way in self.plan.ways]

    @property
    def name(self) -> str:
        """Of what it is, and by which ways."""
        return self.subject.cell("+".join(self.plan.ways))


def matches(cell: str, words: list[str]) -> bool:
    """Does each word (a choice of patterns) match one of the parts of a cell's name?"""
    parts = cell.split()
    return all(any(fnmatch.fnmatchcase(part, pattern)
                   for pattern in word.split(",") for part in parts)
               for word in words)


def tasks_for(words: list[str], quick: bool, methods: set[str], types: set[str]) -> list[Task]:
    """The courses that pass the wanted cells, in the order of the grid."""
    tasks = []
    for subject in subjects():
        if subject.method not in methods or subject.type not in types:
            continue
        if not kinds.available(subject.data.kind) or (quick and not subject.quick):
            continue
        for plan in plans_for(subject):
            task = Task(subject, plan)
            if any(matches(cell, words) for cell in task.cells):
                tasks.append(task)
    return tasks


def by_data(tasks: Iterable[Task]) -> dict[Data, list[Task]]:
    """Tasks on the same rows, together."""
    grouped: dict[Data, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(task.subject.data, []).append(task)
    return grouped


class Progress:
    """Lines about what was done, from any thread."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = total

    def report(self, task: Task, seconds: float, text: str) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            print(f"# {self._done}/{self._total} {task.name}: {text} ({seconds:.1f} s)", flush=True)


Results = dict[Key, float]
Handler = Callable[[list[Stage], Task], str]


def pass_course(stages: list[Stage], task: Task, peer: bool = False) -> Results:
    """Go through a course on each draw of its rows; what was measured, on average."""
    each = []
    for stage in stages:
        course = Course(stage.server, stage, task.subject, peer)
        task.plan.go(course)
        each.append(course.results)
        if len(stages) > 1:
            # a session for each draw would be many at a time
            stage.server.close()
    return {key: statistics.fmean(results[key] for results in each) for key in each[0]}


def go_through(args: argparse.Namespace, tasks: list[Task], handle: Handler) -> list[str]:
    """Hand every task to handle(), --jobs data sets at a time; returns what went wrong."""
    progress = Progress(len(tasks))
    errors: list[str] = []
    number = itertools.count(1)
    stop = threading.Event()

    def one_data_set(data: Data, its_tasks: list[Task]) -> None:
        # others may run at the same time
        stages = [Stage(Server(args.host, args.db, args.user,
                               f"quality_{os.getpid()}_{next(number)}"), data, draw)
                  for draw in range(data.draws)]
        try:
            for stage in stages:
                stage.server.make_schema()
                stage.load()
                if data.draws > 1:
                    stage.server.close()
            for task in its_tasks:
                if stop.is_set():
                    break
                started = time.monotonic()
                try:
                    text = handle(stages, task)
                except ServerError as error:
                    errors.append(f"{task.name}: {error}")
                    text = f"ERROR {error}"
                progress.report(task, time.monotonic() - started, text)
        except ServerError as error:
            errors.append(f"{data.name}: {error}")
        finally:
            for stage in stages:
                stage.server.drop_schema()
                stage.server.close()

    with ThreadPoolExecutor(args.jobs) as pool:
        try:
            for future in [pool.submit(one_data_set, *group) for group in by_data(tasks).items()]:
                future.result()
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return errors


def wanted_tasks(args: argparse.Namespace) -> list[Task]:
    """What the arguments ask for, as far as the server has it."""
    server = Server(args.host, args.db, args.user, "quality")
    types = {row[0] for row in server.rows(
        "SELECT typname FROM pg_type WHERE typname IN"
        " ('vector', 'halfvec', 'sparsevec', 'bit', 'sq8vec')")}
    methods = server.methods()
    server.close()
    return tasks_for(args.cells.split(), args.quick, methods, types)


def compare(args: argparse.Namespace) -> int:
    """Measure nanovec and set it beside the stored figures."""
    words = args.cells.split()
    stored = figures.read_figures(args.figures)
    results: Results = {}

    def handle(stages: list[Stage], task: Task) -> str:
        found = pass_course(stages, task)
        results.update(found)
        short = [v for v in figures.judge(found, stored)
                 if not v.passed and matches(v.cell, words)]
        return f"{len(short)} short" if short else "ok"

    errors = go_through(args, wanted_tasks(args), handle)
    verdicts = [v for v in figures.judge(results, stored) if matches(v.cell, words)]
    if args.save:
        report.save(results, args.save)
    status = report.summarize(verdicts, errors, args.all)
    notes = not_done(args, results, stored)
    if args.tap:
        # whoever reads that counts, too, and prints the notes
        report.write_tap(verdicts, errors, notes, args.tap)
    else:
        for note in notes:
            print(f"NOT RUN: {note}")
        short = sum(not v.passed for v in verdicts)
        print(f"{len(verdicts) - short} passed, {short + len(errors)} failed")
    return status


def not_done(args: argparse.Namespace, results: Results,
             stored: dict[Key, Figure]) -> list[str]:
    """What was wanted but could not be tried, or not be compared."""
    words = args.cells.split()
    absent = {s.data.kind for s in subjects()
              if not kinds.available(s.data.kind) and (s.quick or not args.quick)
              and any(matches(s.cell(way), words) for plan in plans_for(s) for way in plan.ways)}
    alone = [cell for cell, measure in results
             if measure in ("recall10", "bytes") and matches(cell, words)
             and (peer_cell(cell), measure) not in stored]
    notes = [f"{kind}, since its data is not here" for kind in sorted(absent)]
    if alone:
        notes.append(f"the comparison of {len(set(alone))} cells, since pgvector.tsv has no"
                     f" figure for them, such as {alone[0]}: see test/quality/README.md")
    return notes


def is_settled(task: Task, stored: dict[Key, Figure], version: str, repeat: int) -> bool:
    """Were all ways of a course measured often enough?

    Once does where nothing is missed; and each draw is a measurement.
    """
    for cell in task.cells:
        measure = "bytes" if task.subject.sizes_only else "recall10"
        figure = stored.get((peer_cell(cell), measure))
        if figure is None or figure.version != version:
            return False
        if figure.median < 0.999 and len(figure.values) * task.subject.data.draws < repeat:
            return False
    return True


def record(args: argparse.Namespace) -> int:
    """Measure a pgvector, and add to its stored figures what is not settled."""
    version = Server(args.host, args.db, args.user, "quality").description()
    if not version.startswith("vector "):
        print(f"this is no pgvector: {version}")
        return 1
    date = datetime.date.today().isoformat()
    stored = figures.read_figures(args.figures)
    lock = threading.Lock()

    def handle(stages: list[Stage], task: Task) -> str:
        while not is_settled(task, stored, version, args.repeat):
            found = pass_course(stages, task, peer=True)
            with lock:
                for key, value in found.items():
                    before = stored.get(key, Figure((), version, date))
                    stored[key] = before.with_value(value, version, date)
                figures.write_figures(stored, args.figures)
        return " ".join(f"{cell.split()[-1]} {figure.median:.3f}" for cell in task.cells
                        for measure in ("recall10", "bytes")
                        if (figure := stored.get((cell, measure))) and (
                            measure == "recall10" or task.subject.sizes_only))

    tasks = [t for t in wanted_tasks(args) if not is_settled(t, stored, version, args.repeat)]
    errors = go_through(args, tasks, handle)
    for error in errors:
        print(f"ERROR {error}")
    print(f"{len(tasks) - len(errors)} courses recorded, {len(errors)} failed")
    return 1 if errors else 0


def run(args: argparse.Namespace) -> int:
    """What the command line asks for."""
    if args.list:
        for task in wanted_tasks(args):
            for cell in task.cells:
                if matches(cell, args.cells.split()):
                    print(cell)
        return 0
    return record(args) if args.record else compare(args)
