--
-- Comparison of vector, halfvec, sparsevec and sq8vec: the six operators, btree
-- indexes, sorting, grouping, joins; -0; sparse vectors in the order of the
-- dense ones
--
\pset format unaligned
\pset null NULL
\pset tuples_only on

-- the order: element by element, then by number of dimensions
CREATE TABLE oc_sorted (place int, v text);
INSERT INTO oc_sorted SELECT n, v FROM unnest(ARRAY['[-3,9]', '[-2]', '[-2,-1]', '[-2,0]',
	'[-2,0,-1]', '[0]', '[0,-5]', '[0,0]', '[0,0,0]', '[0,0,7]', '[0,1]', '[1]', '[1,-1]', '[1,1]',
	'[2]', '[9,-9]']) WITH ORDINALITY AS u (v, n);
CREATE FUNCTION pg_temp.wrong_comparisons(t regtype) RETURNS TABLE (pairs bigint,
	wrong bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT count(*), count(*) FILTER (WHERE (a < b, a <= b, a = b, a <> b, a >= b,
			a > b) <> (i < j, i <= j, i = j, i <> j, i >= j, i > j)
			OR %s_cmp(a, b) <> sign(i - j))
		FROM (SELECT x.place AS i, y.place AS j, %s AS a, %s AS b FROM oc_sorted AS x,
			oc_sorted AS y) AS s$q$,
		t, format(CASE t WHEN 'sq8vec'::regtype THEN '(x.v || ''@(1,0,128)'')::sq8vec'
			ELSE 'x.v::vector::%s' END, t),
		format(CASE t WHEN 'sq8vec'::regtype THEN '(y.v || ''@(1,0,128)'')::sq8vec'
			ELSE 'y.v::vector::%s' END, t));
END $$;
SELECT t, w.* FROM unnest('{vector,halfvec,sparsevec,sq8vec}'::regtype[]) WITH ORDINALITY AS u (t,
	n), pg_temp.wrong_comparisons(t) AS w ORDER BY n;
DROP TABLE oc_sorted;
SELECT vector_lt('[1]', '[2]'), vector_le('[1]', '[2]'), vector_eq('[1]', '[2]'),
	vector_ne('[1]', '[2]'), vector_ge('[1]', '[2]'), vector_gt('[1]', '[2]'),
	vector_cmp('[1]', '[2]'), vector_cmp('[1]', NULL);
SELECT halfvec_lt('[2]', '[1]'), halfvec_le('[2]', '[1]'), halfvec_eq('[2]', '[1]'),
	halfvec_ne('[2]', '[1]'), halfvec_ge('[2]', '[1]'), halfvec_gt('[2]', '[1]'),
	halfvec_cmp('[2]', '[1]');
SELECT sparsevec_lt('{}/1', '{}/1'), sparsevec_le('{}/1', '{}/1'), sparsevec_eq('{}/1', '{}/1'),
	sparsevec_ne('{}/1', '{}/1'), sparsevec_ge('{}/1', '{}/1'), sparsevec_gt('{}/1', '{}/1'),
	sparsevec_cmp('{}/1', '{}/1');
SELECT sq8vec_lt('[1]', '[2]'), sq8vec_le('[1]', '[2]'), sq8vec_eq('[1]', '[2]'),
	sq8vec_ne('[1]', '[2]'), sq8vec_ge('[1]', '[2]'), sq8vec_gt('[1]', '[2]'),
	sq8vec_cmp('[1]', '[2]');
-- near things
SELECT '[3.4028235e38]'::vector > '[-3.4028235e38]', '[1e-45]'::vector > '[0]',
	'[-1e-45]'::vector < '[0]', '[1]'::vector < '[1.0000001]', '[6e-8]'::halfvec > '[0]',
	'[65504]'::halfvec > '[65472]';
-- equal on different grids; all types that meet
SELECT '[1,2]@(1,0)'::sq8vec = '[1,2]@(0.5,-1)'::sq8vec, '[1,2]@(1,0)'::sq8vec = '[1,2]'::vector,
	'[1,2]'::vector = '[1,2]'::halfvec, '[1,0]'::vector = '{1:1}/2'::sparsevec,
	'[0.1]'::vector > '[0.1]'::halfvec;

-- -0 is 0
SELECT '[0]'::vector = '[-0]', vector_cmp('[-0,1]', '[0,1]'), '[-0]'::halfvec < '[0]',
	'[0]'::halfvec >= '[-0]', '[-0]'::vector::sparsevec = '{}/1';
CREATE TABLE oc_zero (v vector PRIMARY KEY);
INSERT INTO oc_zero VALUES ('[0]'), ('[1]');
SELECT test.error_of($$INSERT INTO oc_zero VALUES ('[-0]')$$);
SELECT count(*) FROM oc_zero WHERE v = '[-0]';
DROP TABLE oc_zero;

-- Sparse vectors compare as the dense ones do: every pair of generated values
-- of some lengths, many of which agree in their first elements
CREATE TEMP TABLE oc_pairs AS
	SELECT i, (SELECT array_agg((((i * 2654435761) >> (j * 3)) % 3 - 1) * (((i * 40503) >> j) % 2)
		ORDER BY j) FROM generate_series(1, 1 + i::int % 6) AS j)::real[]::vector AS v
	FROM generate_series(1::bigint, 200) AS i;
SELECT count(*), count(*) FILTER (WHERE sparsevec_cmp(a.v::sparsevec,
	b.v::sparsevec) <> vector_cmp(a.v, b.v)) AS sparse,
	count(*) FILTER (WHERE halfvec_cmp(a.v::halfvec, b.v::halfvec) <> vector_cmp(a.v, b.v)) AS half,
	count(*) FILTER (WHERE sq8vec_cmp(a.v::sq8vec, b.v::sq8vec) <> vector_cmp(a.v::sq8vec::vector,
		b.v::sq8vec::vector)) AS sq8,
	count(*) FILTER (WHERE vector_cmp(a.v, b.v) <> CASE WHEN a.v::real[] < b.v::real[]
		THEN -1 WHEN a.v::real[] = b.v::real[] THEN 0 ELSE 1 END) AS array,
	count(DISTINCT vector_cmp(a.v, b.v)) AS outcomes
FROM oc_pairs AS a, oc_pairs AS b;
SELECT array_agg(i ORDER BY v, i) = array_agg(i ORDER BY v::sparsevec, i),
	array_agg(i ORDER BY v, i) = array_agg(i ORDER BY v::real[], i),
	array_agg(i ORDER BY v DESC, i) = array_agg(i ORDER BY v::halfvec DESC, i) FROM oc_pairs;
SELECT '{1000000000:1}/1000000000'::sparsevec > '{999999999:5}/1000000000',
	'{1000000000:-1}/1000000000'::sparsevec < '{}/1000000000', '{}/3'::sparsevec < '{5:-1}/1000',
	'{3:1}/3'::sparsevec > '{5:9}/1000';

-- grouping, distinct, set operations
SELECT v, count(*) FROM oc_pairs WHERE i % 6 < 2 GROUP BY v ORDER BY v;
SELECT (SELECT count(*) FROM (SELECT DISTINCT v FROM oc_pairs) AS s) = (SELECT count(*)
	FROM (SELECT DISTINCT v::real[] FROM oc_pairs) AS s),
	(SELECT count(DISTINCT v) FROM oc_pairs) = (SELECT count(DISTINCT v::sparsevec) FROM oc_pairs),
		(SELECT count(DISTINCT v::halfvec) FROM oc_pairs) = (SELECT count(DISTINCT v)
		FROM oc_pairs);
SELECT v FROM unnest('{"[1]","[2]"}'::vector[]) AS v UNION SELECT v
	FROM unnest('{"[2]","[3]"}'::vector[]) AS v ORDER BY v;
SELECT v FROM unnest('{"[1]","[2]"}'::halfvec[]) AS v EXCEPT SELECT '[2]';
SELECT '[2]'::vector = ANY ('{"[1]","[2]"}'), '[2]'::vector IN ('[1]', '[3]'),
	least('[2]'::vector, '[1,5]'), greatest('[2]'::halfvec, '[1,5]'),
	array_agg(v ORDER BY v DESC NULLS LAST) FROM unnest(ARRAY['[2]', NULL, '[1,5]',
	'[1]']::vector[]) AS v;
SELECT ARRAY['[1]', '[2]']::vector[] < ARRAY['[1]', '[3]']::vector[],
	ROW('{1:1}/1'::sparsevec, 1) = ROW('[1]'::vector::sparsevec, 1),
	ROW('[1,2]'::halfvec) < ROW('[1,3]'::halfvec);

-- btree indexes
CREATE TABLE oc_indexed (i int, v vector(4), h halfvec, s sparsevec, q sq8vec);
INSERT INTO oc_indexed SELECT i, v, v::halfvec, v::sparsevec, v::sq8vec
	FROM (SELECT i, ARRAY[i % 10, i / 10 % 10, i / 100, 1]::vector AS v
	FROM generate_series(0, 999) AS i) AS s;
CREATE INDEX oc_v ON oc_indexed (v);
CREATE INDEX oc_h ON oc_indexed (h DESC);
CREATE UNIQUE INDEX oc_s ON oc_indexed (s);
CREATE INDEX oc_q ON oc_indexed USING btree (q sq8vec_ops);
VACUUM ANALYZE oc_indexed;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT test.plan_of($$SELECT i FROM oc_indexed WHERE v = '[3,2,1,1]'$$);
SELECT test.plan_of($$SELECT v FROM oc_indexed WHERE v BETWEEN '[0,0,1,1]' AND '[0,0,3]'$$);
SELECT test.plan_of($$SELECT h FROM oc_indexed ORDER BY h DESC LIMIT 2$$);
SELECT test.plan_of($$SELECT i FROM oc_indexed WHERE s > '[9,9,8]'::vector$$);
SELECT test.plan_of($$SELECT DISTINCT q FROM oc_indexed$$);
SELECT i FROM oc_indexed WHERE v = '[3,2,1,1]';
SELECT v FROM oc_indexed WHERE v < '[0,0,3]' AND v >= '[0,0,1,1]' ORDER BY v;
SELECT v FROM oc_indexed WHERE v <= '[0,0,1]' OR v > '[9,9,8,1]' ORDER BY v DESC;
SELECT h FROM oc_indexed ORDER BY h DESC LIMIT 2;
SELECT h FROM oc_indexed WHERE h < '[0,0,2]'::vector ORDER BY h;
SELECT s FROM oc_indexed WHERE s > '[9,9,7,1]'::vector ORDER BY s;
SELECT q FROM oc_indexed WHERE q = '[5,5,5,1]' ORDER BY q LIMIT 1;
SELECT min(i), count(*) FROM oc_indexed WHERE v IN ('[1,2,3,1]', '[4,5,6,1]', '[1,2]');
SELECT test.error_of($$INSERT INTO oc_indexed (s) VALUES ('{4:1}/4')$$);
SELECT test.error_of($$CREATE INDEX ON oc_indexed USING hash (v)$$);
RESET enable_seqscan;
RESET enable_bitmapscan;

-- joins on equality: merge join
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT test.plan_of($$SELECT count(*) FROM oc_indexed AS a JOIN oc_indexed AS b ON a.v = b.v$$);
SELECT count(*), sum(a.i), bool_and(a.i = b.i) FROM oc_indexed AS a
	JOIN oc_indexed AS b ON a.v = b.v;
SELECT count(*), bool_and(a.i = b.i) FROM oc_indexed AS a JOIN oc_indexed AS b ON a.h = b.h;
SELECT count(*), bool_and(a.i = b.i) FROM oc_indexed AS a JOIN oc_indexed AS b ON a.s = b.s;
SELECT count(*) FROM oc_indexed AS a FULL JOIN (SELECT v FROM oc_indexed WHERE i < 10
	UNION ALL SELECT '[5]') AS b ON a.v = b.v;
SELECT count(*) = (SELECT sum(n * n) FROM (SELECT count(*) AS n FROM oc_indexed
	GROUP BY q::vector) AS g) FROM oc_indexed AS a JOIN oc_indexed AS b ON a.q = b.q;
RESET enable_hashjoin;
RESET enable_nestloop;
DROP TABLE oc_indexed;
-- an index entry has its limit
CREATE TABLE oc_long (v vector);
CREATE INDEX ON oc_long (v);
INSERT INTO oc_long VALUES (array_fill(1, ARRAY[600])::vector);
SELECT test.error_of($$INSERT INTO oc_long VALUES (array_fill(1, ARRAY[700])::vector)$$)
	LIKE '54000: index row size % exceeds btree version 4 maximum 2704 for index %';
DROP TABLE oc_long;
