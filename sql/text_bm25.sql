--
-- BM25: nanovec_bm25(), nanovec_bm25_stats() and the type bm25stats
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
CREATE TABLE tx_docs (id int PRIMARY KEY, body text, tsv tsvector);
INSERT INTO tx_docs (id, body) VALUES
	(1, 'the cat sat on the mat with another cat'), (2, 'dogs and cats'), (3, 'a bird and two dogs'),
	(4, 'birds of a feather flock together'), (5, ''), (6, NULL);
UPDATE tx_docs SET tsv = to_tsvector('english', body);

-- the statistics: documents, their length, and lexemes of more than one of them
SELECT nanovec_bm25_stats(tsv) FROM tx_docs;
SELECT nanovec_bm25_stats('tx_docs', 'tsv'), nanovec_bm25_stats('tx_docs'::regclass, 'tsv'::name);
SELECT nanovec_bm25_stats(tsv) FROM tx_docs WHERE id < 3;
SELECT nanovec_bm25_stats(tsv) FROM tx_docs WHERE id = 0;
SELECT nanovec_bm25_stats(NULL::tsvector), nanovec_bm25_stats(''::tsvector);
SELECT id % 2 AS part, nanovec_bm25_stats(tsv) FROM tx_docs GROUP BY 1 ORDER BY 1;
SELECT id, nanovec_bm25_stats(tsv) OVER (ORDER BY id) FROM tx_docs ORDER BY id;
-- positions make the length; without any, a lexeme counts once
SELECT nanovec_bm25_stats(v) FROM unnest(ARRAY['a:1,2,3 b:7', 'a b', 'c:1']::tsvector[]) AS v;

-- scores
SELECT id, test.sig(nanovec_bm25(tsv, q, s)) FROM tx_docs, to_tsquery('english', 'cat | dog') AS q,
	(SELECT nanovec_bm25_stats(tsv) AS s FROM tx_docs) AS s ORDER BY nanovec_bm25(tsv, q, s) DESC NULLS LAST, id;
SELECT nanovec_bm25(NULL, 'a', '1 1'), nanovec_bm25('a', NULL, '1 1'), nanovec_bm25('a', 'a', NULL),
	nanovec_bm25('a', 'a', '1 1', NULL), nanovec_bm25('a', 'a', '1 1', 1, NULL);
-- as the formula says, on words of many documents and with several settings
CREATE TABLE tx_many (id int PRIMARY KEY, tsv tsvector);
INSERT INTO tx_many SELECT i, (SELECT string_agg(format('w%s:%s', test.noise(i, j) * test.noise(j, i) / 900,
		j), ' ')::tsvector FROM generate_series(1, 1 + test.noise(i, 0) / 10) AS j)
	FROM generate_series(1, 2000) AS i;
CREATE FUNCTION pg_temp.plain_bm25(words text[], k1 float8, b float8)
	RETURNS TABLE (doc int, score float8) LANGUAGE sql AS $$
	WITH entry AS MATERIALIZED (SELECT id, lexeme, cardinality(positions) AS tf FROM tx_many, unnest(tsv)),
		total AS (SELECT count(*) AS n FROM tx_many),
		size AS (SELECT id, sum(tf) AS l FROM entry GROUP BY 1),
		mean AS (SELECT sum(l) / (SELECT n FROM total) AS l FROM size),
		frequency AS (SELECT lexeme, count(*) AS df FROM entry GROUP BY 1)
	SELECT e.id, sum(ln(1 + (n - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * s.l / m.l)))
	FROM unnest(words) AS w JOIN entry AS e ON lexeme = w JOIN frequency USING (lexeme)
		JOIN size AS s ON s.id = e.id, total, mean AS m GROUP BY 1
$$;
CREATE TABLE tx_stats AS SELECT nanovec_bm25_stats('tx_many', 'tsv') AS s;
SELECT words, k1, b, count(*) > 100 AS many, max(abs(score - nanovec_bm25(tsv, q, s, k1, b))) < 1e-12 AS same,
	count(*) FILTER (WHERE tsv @@ q) = count(*) AS matched
FROM (VALUES ('{w1,w2,w3}'::text[], 1.2::float8, 0.75::float8), ('{w0,w0,w50,w7,nowhere}', 0.5, 0),
		('{w10,w20}', 2, 1), ('{w5,w6}', 0, 0.5)) AS v (words, k1, b),
	LATERAL (SELECT array_to_string(words, '|')::tsquery AS q) AS q,
	LATERAL pg_temp.plain_bm25(words, k1, b) JOIN tx_many ON id = doc, tx_stats
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- what matters of a query: its words, each time that they come, whatever connects them, but for NOT
CREATE FUNCTION pg_temp.score(document text, query text) RETURNS text LANGUAGE sql AS $$
	SELECT test.sig(nanovec_bm25(document::tsvector, query::tsquery,
		'10 50 ''cat'':4 ''cats'':2 ''dog'':5 ''nice'':3')) $$;
SET client_min_messages = warning;
SELECT q, pg_temp.score('cat:1,2,3 cats:4 dog:5 nice:6', q) FROM unnest(ARRAY['cat', 'dog', 'cat & dog', 'cat | dog',
	'dog <-> cat', 'cat | cat', 'cat & !dog', '!(cat & dog)', 'cat & !!dog', 'bird', 'bird | cat', '']) AS q;
RESET client_min_messages;
-- a prefix is all words of the document that begin with it
SELECT q, pg_temp.score('cat:1,2,3 cats:4 dog:5 nice:6', q) FROM unnest(ARRAY['cat:*', 'cats', 'cats:*', 'c:*', 'catsy:*',
	'cat:* & dog']) AS q;
-- weights choose positions; without positions, it is D
SELECT q, pg_temp.score('cat:1A,2B,3 dog:5', q), pg_temp.score('cat dog', q)
FROM unnest(ARRAY['cat', 'cat:A', 'cat:AB', 'cat:D', 'cat:ABCD', 'cat:C', 'ca:*B']) AS q;
-- words that statistics do not know are taken to be in one document
SELECT test.sig(nanovec_bm25('new:1', 'new', '10 20')), test.sig(ln(1 + 9.5 / 1.5) / (1 + 1.2 * (0.25 + 0.75 / 2)));
-- statistics of an empty table rank by what the query says
SELECT pg_temp.score('cat:1', 'cat') > '0', test.sig(nanovec_bm25('cat:1,2', 'cat', '0 0')),
	test.sig(nanovec_bm25('cat:1', 'cat', '0 0')), test.sig(nanovec_bm25('', 'cat', '0 0')),
	test.sig(nanovec_bm25('cat:1,2', 'cat', '3 0'));

-- statistics that are stored out of line: plain, compressed, and another value in each row
CREATE TABLE tx_kept (kind text, s bm25stats);
INSERT INTO tx_kept SELECT 'external', s FROM tx_stats;
ALTER TABLE tx_kept ALTER s SET STORAGE extended;
INSERT INTO tx_kept SELECT 'extended', s::text::bm25stats FROM tx_stats;
ALTER TABLE tx_kept ALTER s SET STORAGE external;
INSERT INTO tx_kept SELECT 'half', nanovec_bm25_stats(tsv) FROM tx_many WHERE id <= 1000;
SELECT kind, pg_column_size(s) > 8000 AS large, pg_column_size(s) < octet_length(bm25stats_send(s)) AS compressed
FROM tx_kept ORDER BY kind;
SELECT kind, bool_and(nanovec_bm25(tsv, q, s) = nanovec_bm25(tsv, q, s::text::bm25stats)) AS same, count(*) > 100 AS many
FROM tx_kept, tx_many, unnest(ARRAY['w1 | w3', 'w20:*', 'w2 & w77']::tsquery[]) AS q
WHERE tsv @@ q AND id < 300 GROUP BY kind ORDER BY kind;
SELECT count(DISTINCT s) FROM (SELECT nanovec_bm25(tsv, 'w1', s) AS s FROM tx_kept, tx_many
	WHERE id = (SELECT min(id) FROM tx_many WHERE tsv @@ 'w1')) AS s;

-- text and binary form
SELECT '3 120 ''dog'':3 ''it''''s'':2 ''cat'':2'::bm25stats, ' 0  0 '::bm25stats, E'\t2 5\n''a'':2'::bm25stats,
	'2 5 ''one'':1'::bm25stats;
SELECT bool_and(s::text::bm25stats::text = s::text) FROM tx_kept;
SELECT DISTINCT md5(s::text) = md5(nanovec_bm25_stats(tsv)::text) FROM tx_stats, tx_many GROUP BY s::text;
SELECT bm25stats_send('3 120 ''dog'':3 ''cat'':2');
SELECT test.received('bm25stats', bm25stats_send('3 120 ''dog'':3 ''cat'':2'));
SELECT test.refused('bm25stats', ARRAY['', 'x', '1', '1 ', '-1 2', '1 2 x', '1 2 ''', '1 2 ''a', '1 2 ''a''', '1 2 ''a'':',
	'1 2 ''a'':x', '1 2 ''a'':2', '1 2 ''a'':0', '1 2 '''':1', '0 1', '4294967296 1', '99999999999999999999 1',
	'1 99999999999999999999', '3 9 ''a'':2 ''a'':3', '3 9 ''a'':2''b'':2', '1e3 2', '3 9 ''a'':2,']);
SELECT test.error_of(format('SELECT %L::bm25stats', '3 9 ''' || repeat('x', 3000) || ''':2'));
SELECT test.received('bm25stats', b) FROM unnest(ARRAY['\x', '\x0000000000000001000000000000000100000001',
	'\x00000000000000010000000000000001ffffffff', '\x000000000000000100000000000000017fffffff',
	'\xffffffffffffffff000000000000000100000000', '\x0000000000000001ffffffffffffffff00000000',
	'\x000000000000000500000000000000090000000100000000000000010000000161',
	'\x0000000000000005000000000000000900000001000000000000000200000002610062',
	'\x000000000000000500000000000000090000000100000000000000020000000100',
	'\x00000000000000050000000000000009000000010000000000000002ffffffff61',
	'\x0000000000000005000000000000000900000002000000000000000200000001610000000000000002000000' || '0161',
	'\x000000000000000500000000000000090000000000']::bytea[]) AS b;
-- damaged in the table: an error, whatever is damaged
CREATE TABLE tx_damaged (b bytea);
CREATE CAST (bytea AS bm25stats) WITHOUT FUNCTION;
CREATE CAST (bm25stats AS bytea) WITHOUT FUNCTION;
INSERT INTO tx_damaged SELECT '3 120 ''dog'':3 ''cat'':2'::bm25stats::bytea;
CREATE FUNCTION pg_temp.outcome(b bytea) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(test.error_of(format('SELECT nanovec_bm25(''cat dog'', ''cat | dog | x:*'', %L::bytea::bm25stats),
		%1$L::bytea::bm25stats::text, bm25stats_send(%1$L::bytea::bm25stats)', b)), '\d+ bytes', 'n bytes') $$;
SELECT outcome, count(*) > 5 AS often FROM tx_damaged, generate_series(0, length(b) - 1) AS i,
	unnest(ARRAY[0, 1, 127, 128, 255]) AS byte, pg_temp.outcome(set_byte(b, i, byte)) AS outcome GROUP BY 1 ORDER BY 1;
SELECT pg_temp.outcome(substring(b FROM 1 FOR i)) AS outcome, count(*)
FROM tx_damaged, generate_series(0, length(b)) AS i GROUP BY 1 ORDER BY 1;
DROP CAST (bytea AS bm25stats);
DROP CAST (bm25stats AS bytea);

-- mistakes
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_bm25('a', 'a', '1 1', -1)$$, $$SELECT nanovec_bm25('a', 'a', '1 1', 'NaN')$$,
	$$SELECT nanovec_bm25('a', 'a', '1 1', 'Infinity')$$, $$SELECT nanovec_bm25('a', 'a', '1 1', 1, 1.1)$$,
	$$SELECT nanovec_bm25('a', 'a', '1 1', 1, -0.1)$$, $$SELECT nanovec_bm25('a', 'a', '1 1', 1, 'NaN')$$,
	$$SELECT nanovec_bm25_stats('tx_docs', 'body')$$, $$SELECT nanovec_bm25_stats('tx_docs', 'nowhere')$$,
	$$SELECT nanovec_bm25_stats('tx_nowhere', 'tsv')$$, $$SELECT nanovec_bm25_stats(0::regclass, 'tsv')$$]);
-- what only the aggregate may call; which error it is depends on the minor version
SELECT c FROM unnest(ARRAY['nanovec_bm25_accum(NULL, ''a'')', 'nanovec_bm25_final(NULL)']) AS c
WHERE test.error_of('SELECT ' || c) !~ '^(42883|0A000)';
-- names that need quotes, views, domains over tsvector
CREATE SCHEMA "tx S";
CREATE DOMAIN "tx S".words AS tsvector;
CREATE TABLE "tx S"."My ""docs""" ("the; words" "tx S".words);
INSERT INTO "tx S"."My ""docs""" VALUES ('a b'), ('b c');
CREATE VIEW "tx S".v AS SELECT "the; words" AS w FROM "tx S"."My ""docs""" WHERE 'c' @@ 'c'::tsquery;
SELECT nanovec_bm25_stats('"tx S"."My ""docs"""', 'the; words'), nanovec_bm25_stats('"tx S".v', 'w');
SET client_min_messages = warning;
DROP SCHEMA "tx S" CASCADE;
RESET client_min_messages;

-- with the rights of who asks, and of the rows that they see
CREATE ROLE regress_nv_tx_owner;
CREATE ROLE regress_nv_tx_other;
ALTER TABLE tx_docs OWNER TO regress_nv_tx_owner;
SET ROLE regress_nv_tx_other;
SELECT test.full_error_of($$SELECT nanovec_bm25_stats('tx_docs', 'tsv')$$);
SELECT test.full_error_of($$SELECT nanovec_bm25_stats(tsv) FROM tx_docs$$);
RESET ROLE;
GRANT SELECT (id, body) ON tx_docs TO regress_nv_tx_other;
SET ROLE regress_nv_tx_other;
SELECT test.full_error_of($$SELECT nanovec_bm25_stats('tx_docs', 'tsv')$$);
RESET ROLE;
GRANT SELECT ON tx_docs TO regress_nv_tx_other;
ALTER TABLE tx_docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_rows ON tx_docs USING (id <= 2);
SET ROLE regress_nv_tx_other;
SELECT nanovec_bm25_stats('tx_docs', 'tsv'), nanovec_bm25_stats(tsv) FROM tx_docs;
RESET ROLE;
-- nothing else than the aggregate of the extension is called, whatever the search path says
CREATE SCHEMA tx_hostile;
GRANT USAGE ON SCHEMA tx_hostile TO public;
CREATE FUNCTION tx_hostile.caught(tsvector) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'the hostile one was called'; END $$;
CREATE FUNCTION tx_hostile.nanovec_bm25_stats(tsvector) RETURNS text LANGUAGE sql AS 'SELECT tx_hostile.caught($1)';
CREATE DOMAIN tx_hostile.tsvector AS text;
SET search_path = tx_hostile, pg_catalog, public;
SELECT public.nanovec_bm25_stats('public.tx_docs'::regclass, 'tsv'::pg_catalog.name);
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA tx_hostile CASCADE;
RESET client_min_messages;

-- the index finds the rows, and a statistics table is a plain one
CREATE INDEX tx_many_gin ON tx_many USING gin (tsv);
ANALYZE tx_many;
SET enable_seqscan = off;
SELECT count(*) FROM test.plan_of($$SELECT id FROM tx_many WHERE tsv @@ 'w20 | w30'
	ORDER BY nanovec_bm25(tsv, 'w20 | w30', (SELECT s FROM tx_stats)) DESC LIMIT 10$$) AS line WHERE line LIKE '%tx_many_gin%';
RESET enable_seqscan;
-- a cancelled one ends
SET statement_timeout = '20ms';
SELECT nanovec_bm25_stats(tsv) FROM tx_many, generate_series(1, 1000);
RESET statement_timeout;

DROP TABLE tx_docs, tx_many, tx_stats, tx_kept, tx_damaged;
DROP ROLE regress_nv_tx_owner, regress_nv_tx_other;
