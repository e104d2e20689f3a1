#!/usr/bin/env python3
"""How good are text, vectors, and both?  On documentation, whose headings are the questions.

    hybrid.py --host DIRECTORY NAME=DIRECTORY_OF_HTML...

Needs a database named hybrid with the extension; see run.sh.  For each set it prints nDCG@10
of each kind of search, as a table in Markdown, and compares BM25 scores with bm25s's.
"""

import argparse
import math
import sys

import bm25s
import numpy as np
import psycopg

import corpus
import embed
import splade

K = 10
CANDIDATES = 100

# Each answers one question with ids, the best first.  %(q)s is the title, %(v)s its
# embedding, %(s)s its sparse vector.
ANY_WORD = "replace(plainto_tsquery('english', %(q)s)::text, '&', '|')::tsquery"
BY_TEXT = f"""SELECT id, nanovec_bm25(tsv, q, stats) AS score
    FROM documents, statistics, (SELECT {ANY_WORD} AS q) AS query
    WHERE tsv @@ q ORDER BY score DESC, id LIMIT {CANDIDATES}"""
BY_TS_RANK = f"""SELECT id, ts_rank_cd(tsv, q) AS score
    FROM documents, (SELECT {ANY_WORD} AS q) AS query
    WHERE tsv @@ q ORDER BY score DESC, id LIMIT {CANDIDATES}"""
BY_VECTOR = f"""SELECT id, 1 - (embedding <=> %(v)s::vector) AS score
    FROM documents ORDER BY embedding <=> %(v)s::vector, id LIMIT {CANDIDATES}"""
BY_SPARSE = f"""SELECT id, -(sparse <#> %(s)s::sparsevec) AS score
    FROM documents ORDER BY sparse <#> %(s)s::sparsevec, id LIMIT {CANDIDATES}"""


def ids(search):
    return f"ARRAY(SELECT id FROM ({search}) AS s ORDER BY score DESC, id)"


def fused(*searches, options=""):
    return f"""SELECT id FROM nanovec_fuse({', '.join(map(ids, searches))}{options})
        ORDER BY place LIMIT {K}"""


def by_scores(function):
    """What a list does not have counts as its least score."""
    def scaled(search):
        return f"SELECT id, {function}(score) OVER () AS score FROM ({search}) AS s"
    return f"""WITH t AS ({scaled(BY_TEXT)}), v AS ({scaled(BY_VECTOR)})
        SELECT id FROM t FULL JOIN v USING (id)
        ORDER BY coalesce(t.score, (SELECT min(score) FROM t), 0)
            + coalesce(v.score, (SELECT min(score) FROM v), 0) DESC, id LIMIT {K}"""


SEARCHES = [
    ("text: `ts_rank_cd`", BY_TS_RANK),
    ("text: BM25", BY_TEXT),
    ("vectors", BY_VECTOR),
    ("sparse vectors", BY_SPARSE),
    ("BM25 and vectors, `nanovec_fuse`", fused(BY_TEXT, BY_VECTOR)),
    ("the same, `k => 10`", fused(BY_TEXT, BY_VECTOR, options=", k => 10")),
    ("BM25 and vectors, `nanovec_minmax`", by_scores("nanovec_minmax")),
    ("BM25 and vectors, `nanovec_zscore`", by_scores("nanovec_zscore")),
    ("sparse vectors and vectors, `nanovec_fuse`", fused(BY_SPARSE, BY_VECTOR)),
    ("all three, `nanovec_fuse`", fused(BY_TEXT, BY_SPARSE, BY_VECTOR)),
]


def load(connection, sections, vectors, sparse):
    connection.execute("DROP TABLE IF EXISTS documents, statistics")
    connection.execute("""CREATE TABLE documents (id int PRIMARY KEY, body text,
        tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED,
        embedding vector(384), sparse sparsevec(30522))""")
    with connection.cursor() as cursor, cursor.copy(
            "COPY documents (id, body, embedding, sparse) FROM STDIN") as copy:
        for i, (_, text) in enumerate(sections):
            copy.write_row((i, text, str(vectors[i].tolist()), sparse[i]))
    connection.execute("CREATE INDEX ON documents USING gin (tsv)")
    connection.execute("CREATE TABLE statistics AS "
                       "SELECT nanovec_bm25_stats('documents', 'tsv') AS stats")
    connection.execute("ANALYZE documents")


def gain(found, wanted):
    """nDCG with one relevant document: 1 / log2(1 + rank), and 0 if it is not found."""
    return 1 / math.log2(found.index(wanted) + 2) if wanted in found[:K] else 0.0


def measure(connection, questions):
    """[questions][searches] of nDCG@10; questions are (id of the answer, parameters)."""
    gains = np.zeros((len(questions), len(SEARCHES)))
    for i, (answer, parameters) in enumerate(questions):
        for j, (_, search) in enumerate(SEARCHES):
            found = [row[0] for row in connection.execute(search, parameters).fetchall()]
            gains[i, j] = gain(found, answer)
    return gains


def compare_scores(connection, titles):
    """The greatest difference from bm25s's scores, and how many scores were compared."""
    documents = connection.execute("""
        SELECT id, coalesce((SELECT array_agg(lexeme) FROM unnest(tsv) AS e, unnest(positions)), '{}')
        FROM documents ORDER BY id""").fetchall()
    peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
    peer.index([words for _, words in documents], show_progress=False)
    worst, count = 0.0, 0
    for title in titles:
        words = connection.execute("SELECT array_agg(lexeme) FROM unnest("
                                   f"to_tsvector('simple', {ANY_WORD}::text))",
                                   {"q": title}).fetchone()[0]
        words = [w for w in words or [] if w in peer.vocab_dict]
        if not words:
            continue
        theirs = peer.get_scores(words)
        query = " | ".join("'" + w.replace("'", "''") + "'" for w in words)
        ours = connection.execute("""SELECT nanovec_bm25(tsv, %s::tsquery, stats)
            FROM documents, statistics ORDER BY id""", (query,)).fetchall()
        worst = max(worst, float(np.abs(np.array(ours)[:, 0] - theirs).max()))
        count += len(ours)
    return worst, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--cache", help="directory that keeps embeddings")
    parser.add_argument("--questions", type=int, default=400, help="of each set, spread over it")
    parser.add_argument("--no-sparse", action="store_true", help="without sparse vectors")
    parser.add_argument("sets", nargs="+", metavar="NAME=DIRECTORY")
    options = parser.parse_args()
    connection = psycopg.connect(host=options.host, user="postgres", dbname="hybrid",
                                 autocommit=True)
    if options.no_sparse:
        SEARCHES[:] = [search for search in SEARCHES if "sparse <#>" not in search[1]]
        encode = {}.get
    else:
        encode = splade.Splade().encode
    columns, good = [], True
    for name, directory in (value.split("=", 1) for value in options.sets):
        sections = corpus.read(directory)
        titles, texts = zip(*sections)
        vectors, questions = embed.kept(options.cache, name, texts), embed.kept(
            options.cache, name + "-titles", titles)
        load(connection, sections, vectors, [encode(text) for text in texts])
        asked = sorted({i * len(titles) // options.questions for i in range(options.questions)})
        gains = measure(connection, [
            (i, {"q": titles[i], "v": str(questions[i].tolist()), "s": encode(titles[i])})
            for i in asked])
        columns.append((f"{name}, {len(titles):,} documents", len(asked), gains))
        worst, count = compare_scores(connection, [titles[i] for i in asked[:100]])
        print(f"{name}: BM25 differs from bm25s by at most {worst:.1e} in {count:,} scores",
              flush=True)
        good &= worst < 1e-6
    print()
    print("| nDCG@10 | " + " | ".join(f"{name}, {n} questions" for name, n, _ in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for j, (label, _) in enumerate(SEARCHES):
        cells = []
        for _, n, gains in columns:
            # two standard errors of the mean
            cells.append(f"{gains[:, j].mean():.3f} ± {2 * gains[:, j].std() / math.sqrt(n):.3f}")
        print(f"| {label} | " + " | ".join(cells) + " |")
    labels = [label for label, _ in SEARCHES]
    text, vector = labels.index("text: BM25"), labels.index("vectors")
    both = labels.index("BM25 and vectors, `nanovec_fuse`")
    print()
    for name, n, gains in columns:
        for other in (text, vector):
            more = gains[:, both] - gains[:, other]
            print(f"{name}: both - {labels[other]}: {more.mean():+.3f} "
                  f"± {2 * more.std() / math.sqrt(n):.3f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
