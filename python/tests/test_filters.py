"""Filters, random and hostile, against an evaluation in plain Python."""

import random
import re

import numpy as np
import pytest

import nanovec

FIELDS = [
    "n",
    "f",
    "s",
    "b",
    "free",
    "tags",
    "it's",
    'qu"ote',
    "$x"[1:],
    "a.b",
    "; DROP TABLE c; --",
]
STRINGS = [
    "", "a", "A", "b", "zebra", "'", "''", '"', "\\", "\\'", "%", "_", "x' OR '1'='1", "'; DROP TABLE c; --",
    "$1", "{}", "null", "true", "1", "\U0001f600", "\u00e9", "e\u0301", "\n", "E'\\x41'", "$$", ")", "(",
]  # fmt: skip
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    5.5,
    0.1,
    1e10,
    -2.25,
    1.0,
    9007199254740993,
    1e300,
    9223372036854775807,
    1e-5,
]
DOCUMENTS = [
    None,
    "",
    "The cat",
    "the cat's %",
    "100% _real_",
    "back\\slash",
    "zwei\nZeilen",
    "'quoted'",
    "cat cat",
]


def scalar(r):
    return r.choice([r.choice(STRINGS), r.choice(NUMBERS), r.random() < 0.5])


def metadata(r):
    row = {}
    for field in FIELDS:
        if r.random() < 0.6:
            row[field] = scalar(r)
    for field, values in (("n", [0, 1, -1, 5, 7, 2**53 + 1]), ("f", [0.1, 1.5, -2, 1e300, 3]),
                          ("s", STRINGS), ("b", [True, False])):  # fmt: skip
        row.pop(field, None)
        if r.random() < 0.8:
            row[field] = r.choice(values)
    if r.random() < 0.5:
        row["tags"] = [scalar(r) for _ in range(r.randrange(3))]
    return row


def condition(r):
    operator = r.choice(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$contains",
                         "$not_contains", "$not", "plain"])  # fmt: skip
    if operator == "plain":
        return scalar(r)
    if operator in ("$in", "$nin"):
        return {operator: [scalar(r) for _ in range(r.choice([0, 1, 3, 40]))]}
    if operator == "$exists":
        return {operator: r.random() < 0.5}
    if operator in ("$gt", "$gte", "$lt", "$lte"):
        return {operator: r.choice([r.choice(STRINGS), r.choice(NUMBERS)])}
    if operator == "$not":
        inner = condition(r)
        return {operator: inner}
    return {operator: scalar(r)} | (condition_again(r) if r.random() < 0.2 else {})


def condition_again(r):
    return {"$lt": r.choice(NUMBERS)}


def random_filter(r, depth=0):
    kind = r.random()
    if depth < 3 and kind < 0.3:
        return {
            r.choice(["$and", "$or"]): [
                random_filter(r, depth + 1) for _ in range(r.randrange(1, 4))
            ]
        }
    if depth < 3 and kind < 0.4:
        return {"$not": random_filter(r, depth + 1)}
    return {r.choice(FIELDS): condition(r) for _ in range(r.choice([1, 1, 2]))}


def kind(v):
    return (
        "b"
        if isinstance(v, bool)
        else "n"
        if isinstance(v, (int, float))
        else "s"
        if isinstance(v, str)
        else "o"
    )


def equal(a, b):
    return kind(a) == kind(b) != "o" and a == b


def holds_one(row, field, op, value):
    there = field in row and row[field] is not None
    have = row.get(field)
    if op == "$eq":
        return there and equal(have, value)
    if op == "$ne":
        return not (there and equal(have, value))
    if op in ("$in", "$nin"):
        return (there and any(equal(have, v) for v in value)) == (op == "$in")
    if op == "$exists":
        return there == value
    if op in ("$contains", "$not_contains"):
        found = there and isinstance(have, list) and any(equal(e, value) for e in have)
        return found == (op == "$contains")
    if op == "$not":
        return not holds_field(row, field, value)
    if not there or kind(have) != kind(value):
        return False
    return {"$gt": have > value, "$gte": have >= value, "$lt": have < value, "$lte": have <= value}[
        op
    ]


def holds_field(row, field, value):
    if not isinstance(value, dict):
        return holds_one(row, field, "$eq", value)
    return all(holds_one(row, field, op, v) for op, v in value.items())


def holds(row, filter_):
    for key, value in filter_.items():
        if key == "$and":
            result = all(holds(row, f) for f in value)
        elif key == "$or":
            result = any(holds(row, f) for f in value)
        elif key == "$not":
            result = not holds(row, value)
        else:
            result = holds_field(row, key, value)
        if not result:
            return False
    return True


def holds_document(document, filter_):
    for key, value in filter_.items():
        if key in ("$and", "$or"):
            result = (all if key == "$and" else any)(holds_document(document, f) for f in value)
        elif key == "$not":
            result = not holds_document(document, value)
        else:
            text = document
            found = text is not None and (
                value in text if key.endswith("contains") else re.search(value, text) is not None
            )
            result = found != key.startswith("$not")
        if not result:
            return False
    return True


def random_document_filter(r, depth=0):
    if depth < 2 and r.random() < 0.3:
        return {r.choice(["$and", "$or"]): [random_document_filter(r, depth + 1) for _ in range(2)]}
    if depth < 2 and r.random() < 0.2:
        return {"$not": random_document_filter(r, depth + 1)}
    operator = r.choice(["$contains", "$not_contains", "$regex", "$not_regex"])
    if operator.endswith("regex"):
        return {operator: r.choice(["cat", "^The", "'s", "c.t", "[0-9]+", "cat$", "^$", "(a|Z)e?"])}
    return {
        operator: r.choice(
            ["cat", "Cat", "'", "%", "_", "\\", "100%", "\n", "t c", "' OR true --", "s %"]
        )
    }


def test_the_evaluation_itself():
    row = {"n": 1, "tags": ["a"], "b": True}
    assert holds(row, {"n": 1.0}) and not holds(row, {"b": 1}) and holds(row, {"x": {"$ne": 1}})
    assert holds(row, {"tags": {"$contains": "a"}}) and not holds(row, {"n": {"$gt": "0"}})


@pytest.mark.parametrize("promoted", [False, True])
def test_random_filters(client, promoted):
    r = random.Random(7 + promoted)
    rows = [metadata(r) for _ in range(400)]
    documents = [r.choice(DOCUMENTS) for _ in rows]
    schema = {"n": "int", "f": "float", "s": "string", "b": "bool"}
    c = client.create_collection(
        "c", 4, schema=schema if promoted else None, promote=list(schema) if promoted else ()
    )
    ids = [f"r{i:03}" for i in range(len(rows))]
    c.add(ids, np.random.default_rng(3).normal(size=(len(rows), 4)), documents, rows)
    found_some = 0
    for n in range(500):
        where = random_filter(r)
        where_document = random_document_filter(r) if n % 4 == 0 else None
        truth = [
            i
            for i, row, document in zip(ids, rows, documents, strict=True)
            if holds(row, where)
            and (where_document is None or holds_document(document, where_document))
        ]
        found_some += 0 < len(truth) < len(rows)
        assert c.get(where=where, where_document=where_document).ids == truth, (
            where,
            where_document,
        )
        if n % 10 == 0:
            result = c.query([1, 2, 3, 4], k=400, where=where, where_document=where_document)
            assert sorted(result.ids[0]) == truth, (where, where_document)
    assert found_some > 200 and c.count() == len(rows)


def test_hostile_filters(client):
    """What is no filter is an error of the caller's, never one of SQL's, and changes nothing."""
    c = client.create_collection("c", 2)
    c.add(["a"], [[1, 2]], ["x"], [{"a": 1}])
    r = random.Random(5)
    pieces = [
        *STRINGS,
        *NUMBERS,
        None,
        True,
        [],
        {},
        "$and",
        "$or",
        "$not",
        "$eq",
        "$in",
        "$gt",
        "$exists",
        "$regex",
    ]

    def anything(depth=0):
        choice = r.random()
        if depth < 4 and choice < 0.4:
            return {str(r.choice(pieces)): anything(depth + 1) for _ in range(r.randrange(3))}
        if depth < 4 and choice < 0.6:
            return [anything(depth + 1) for _ in range(r.randrange(3))]
        return r.choice(pieces)

    refused = 0
    for _ in range(400):
        for key in ("where", "where_document"):
            try:
                c.count(**{key: {str(r.choice(pieces)): anything()}})
            except nanovec.InvalidArgumentError as error:
                refused += 1
                assert error.sqlstate in ("22023", "54001", "2201B"), error
    assert refused > 200 and c.count() == 1
