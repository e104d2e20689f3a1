--
-- Nearest neighbours without an index: ORDER BY each operator with LIMIT, for
-- each type, against distances that SQL computes from the elements
--
\pset format unaligned
\pset null NULL
\pset tuples_only on

CREATE TABLE es_items (id int PRIMARY KEY, color text, v vector(24), h halfvec(24), q sq8vec(24),
	s sparsevec(24), b bit(24));
INSERT INTO es_items
	SELECT id, (ARRAY['red', 'green', 'blue'])[1 + id % 3], v, v::halfvec,
		sq8vec(c::int2[], 0.25, 0), v::sparsevec, binary_quantize(v)
	FROM (SELECT id, array_agg(x / 4.0 ORDER BY j)::vector AS v, array_agg(x ORDER BY j) AS c
		  FROM (SELECT id, j, CASE WHEN (id * 7 + j * j) % 5 = 0 THEN 0
			ELSE ((id * 7919 + j * 104729 + id * j * 31) % 101 - 50) END AS x
				FROM generate_series(1, 500) AS id, generate_series(1, 24) AS j) AS e
					GROUP BY id) AS l;
INSERT INTO es_items (id, color) VALUES (501, 'red'), (502, NULL);
-- All distances of every item from item 17 and from item 400: squares of
-- quarters add up exactly, whatever the order.
CREATE TABLE es_expected AS
	SELECT o.id AS origin, i.id, sqrt(sum((x - y) ^ 2)) AS l2, -sum(x::float8 * y) AS ip,
		1 - sum(x::float8 * y) / sqrt(sum(x::float8 * x) * sum(y::float8 * y)) AS cosine,
		sum(abs(x - y)::float8) AS l1,
		sum(((x > 0) <> (y > 0))::int)::float8 AS hamming,
			1 - sum((x > 0 AND y > 0)::int)::float8 / sum((x > 0 OR y > 0)::int) AS jaccard
	FROM es_items AS o, es_items AS i, unnest(o.v::real[], i.v::real[]) AS u (x, y)
		WHERE o.id IN (17, 400) GROUP BY o.id, i.id;
-- Is what ORDER BY column operator LIMIT k finds as near as it should be?
CREATE FUNCTION pg_temp.check_search(col text, op text, metric text,
	extra text DEFAULT 'true') RETURNS TABLE (origin int, found bigint,
	max_error double precision) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH origin IN ARRAY ARRAY[17, 400] LOOP
		RETURN QUERY EXECUTE format($q$
			WITH found AS (
				SELECT row_number() OVER () AS n, id, distance
				FROM (SELECT id, %1$s %2$s (SELECT %1$s FROM es_items WHERE id = %4$s) AS distance
					FROM es_items WHERE %5$s
					  ORDER BY %1$s %2$s (SELECT %1$s FROM es_items WHERE id = %4$s) LIMIT 20)
						AS s),
			nearest AS (
				SELECT row_number() OVER (ORDER BY %3$s) AS n, %3$s AS distance FROM es_expected
					JOIN es_items USING (id) WHERE origin = %4$s AND %5$s ORDER BY %3$s LIMIT 20)
			SELECT %4$s, count(*), max(greatest(abs(found.distance - nearest.distance),
				abs(e.%3$s - nearest.distance)))
			FROM found LEFT JOIN nearest USING (n) LEFT JOIN es_expected AS e ON e.origin = %4$s
				AND e.id = found.id$q$, col, op, metric, origin, extra);
	END LOOP;
END $$;
SELECT col, op, found, origin, CASE WHEN max_error <= 1e-12 THEN 'right' ELSE max_error::text END
FROM unnest(ARRAY['v', 'h', 'q', 's']) WITH ORDINALITY AS c (col, n),
	(VALUES (1, '<->', 'l2'), (2, '<#>', 'ip'), (3, '<=>', 'cosine'), (4, '<+>', 'l1')) AS o (m, op,
	metric), pg_temp.check_search(col, op, metric) ORDER BY n, m, origin;
SELECT op, found, origin, CASE WHEN max_error <= 1e-12 THEN 'right' ELSE max_error::text END
FROM (VALUES (1, '<~>', 'hamming'), (2, '<%>', 'jaccard')) AS o (m, op, metric),
	pg_temp.check_search('b', op, metric) ORDER BY m, origin;
-- with a filter
SELECT col, op, found, origin, CASE WHEN max_error <= 1e-12 THEN 'right' ELSE max_error::text END
FROM (VALUES (1, 'v', '<->', 'l2', $$color = 'green'$$),
	(2, 'h', '<=>', 'cosine', 'id BETWEEN 100 AND 200'), (3, 'q', '<#>', 'ip', 'id % 7 = 3'),
	(4, 's', '<+>', 'l1', $$color <> 'red' AND id > 250$$), (5, 'b', '<~>', 'hamming', 'id < 15'))
	AS o (m, col, op, metric, extra),
	pg_temp.check_search(col, op, metric, extra) ORDER BY m, origin;

-- the ways in which people write it
SELECT id FROM es_items ORDER BY v <-> (SELECT v FROM es_items WHERE id = 17), id LIMIT 5;
SELECT array_agg(id) FROM (SELECT id FROM es_expected WHERE origin = 17
	ORDER BY l2, id LIMIT 5) AS s;
SELECT i.id, i.v <-> o.v = e.l2 FROM es_items AS i, es_items AS o, es_expected AS e
	WHERE o.id = 17 AND e.origin = 17 AND e.id = i.id ORDER BY i.v <-> o.v, i.id LIMIT 3;
SELECT id FROM es_items WHERE id <> 17 AND v <-> (SELECT v FROM es_items WHERE id = 17) < 25
	ORDER BY v <-> (SELECT v FROM es_items WHERE id = 17), id;
SELECT count(*) FROM es_expected WHERE origin = 17 AND id <> 17 AND l2 < 25;
SELECT id FROM es_items WHERE v IS NOT NULL ORDER BY v <-> (SELECT v FROM es_items
	WHERE id = 17) DESC, id LIMIT 3;
SELECT array_agg(id) FROM (SELECT id FROM es_expected WHERE origin = 17
	ORDER BY l2 DESC, id LIMIT 3) AS s;
SELECT id FROM es_items ORDER BY v <-> (SELECT v FROM es_items WHERE id = 17), id OFFSET 3 LIMIT 2;
SELECT o.id, n.id FROM es_items AS o, LATERAL (SELECT id FROM es_items AS i WHERE i.id <> o.id
	ORDER BY i.v <=> o.v, i.id LIMIT 1) AS n WHERE o.id IN (17, 400) ORDER BY o.id;
SELECT DISTINCT ON (origin) origin, id FROM es_expected WHERE id <> origin ORDER BY origin, cosine,
	id;
SELECT id, round((1 - (v <=> (SELECT v FROM es_items WHERE id = 400)))::numeric, 6) AS similarity
	FROM es_items ORDER BY similarity DESC NULLS LAST, id LIMIT 2;
-- NULLs come last, and a NULL query is no query
SELECT id FROM es_items ORDER BY v <-> (SELECT v FROM es_items WHERE id = 17), id OFFSET 500;
SELECT count(*), count(v <-> NULL) FROM es_items;
SELECT count(*) FROM (SELECT id FROM es_items ORDER BY v <-> (SELECT v FROM es_items
	WHERE id = 501) LIMIT 10) AS s;
SELECT test.error_of($$SELECT id FROM es_items ORDER BY v <-> '[1,2,3]' LIMIT 1$$);
-- a prepared statement, planned anew each time and then not
PREPARE nearest (vector, int) AS SELECT array_agg(id)
	FROM (SELECT id FROM es_items WHERE v IS NOT NULL ORDER BY v <-> $1, id LIMIT $2) AS s;
SET plan_cache_mode = force_generic_plan;
SELECT v::text AS origin FROM es_items WHERE id = 400 \gset
EXECUTE nearest (:'origin', 4);
EXECUTE nearest (array_fill(0, ARRAY[24])::vector, 3);
SET plan_cache_mode = force_custom_plan;
EXECUTE nearest (:'origin', 4);
RESET plan_cache_mode;
SELECT array_agg(id) FROM (SELECT id FROM es_expected WHERE origin = 400
	ORDER BY l2, id LIMIT 4) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_items WHERE v IS NOT NULL ORDER BY vector_norm(v),
	id LIMIT 3) AS s;
EXECUTE nearest (NULL, 0);
DEALLOCATE nearest;
-- in PL/pgSQL, and through a cursor
DO $$
DECLARE
	query vector;
	found int[] := '{}';
	row record;
BEGIN
	FOR row IN SELECT v FROM es_items WHERE id IN (17, 400) ORDER BY id LOOP
		query := row.v;
		found := found || ARRAY(SELECT id FROM es_items ORDER BY v <-> query, id LIMIT 3);
	END LOOP;
	RAISE NOTICE '%', found;
END $$;
SELECT array_agg(id) FROM (SELECT id FROM es_expected WHERE origin = 400
	ORDER BY l2, id LIMIT 3) AS s;
BEGIN;
DECLARE es_cursor CURSOR FOR SELECT id FROM es_items
	ORDER BY v <-> (SELECT v FROM es_items WHERE id = 17), id;
FETCH 2 FROM es_cursor;
FETCH 3 FROM es_cursor;
COMMIT;
DROP TABLE es_items, es_expected;

-- Toasted: the query comes from a row that is stored out of line, and so do
-- both sides of a join.  Distances are those of values that are not toasted.
CREATE TABLE es_long (id int, v vector(3000), h halfvec(3000), s sparsevec, b bit(40000), a real[]);
ALTER TABLE es_long ALTER b SET STORAGE external, ALTER a SET STORAGE external;
INSERT INTO es_long
	SELECT id, v, v::halfvec, v::sparsevec, string_agg(binary_quantize(v)::text, '')::bit(40000),
		v::real[]
	FROM (SELECT id, array_agg((id * j + j * j / 7) % 23 - 11 ORDER BY j)::vector AS v
		FROM generate_series(1, 30) AS id, generate_series(1, 3000) AS j GROUP BY id) AS l,
		generate_series(1, 14) AS n GROUP BY id, v;
SELECT pg_column_size(v), pg_column_size(h), pg_column_size(b), pg_column_size(a) FROM es_long
	WHERE id = 1;
CREATE FUNCTION pg_temp.brute(x real[], y real[]) RETURNS bigint LANGUAGE sql
	AS $$ SELECT sum((i - j) ^ 2)::bigint FROM unnest(x, y) AS u (i, j) $$;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY v <-> (SELECT v FROM es_long WHERE id = 11), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY h <-> (SELECT h FROM es_long WHERE id = 11), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY s <-> (SELECT s FROM es_long WHERE id = 11), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY l2_distance(a, (SELECT a FROM es_long WHERE id = 11)), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY pg_temp.brute(a, (SELECT a FROM es_long WHERE id = 11)), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY b <~> (SELECT b FROM es_long WHERE id = 11), id LIMIT 6) AS s;
SELECT array_agg(id) FROM (SELECT id FROM es_long
	ORDER BY length(replace((b # (SELECT b FROM es_long WHERE id = 11))::text, '0', '')),
	id LIMIT 6) AS s;
SELECT count(*), count(*) FILTER (WHERE x.v <-> y.v <> (x.v::text::vector) <-> (y.v::text::vector))
	AS l2, count(*) FILTER (WHERE x.v <=> y.v <> y.v <=> x.v) AS cosine,
	count(*) FILTER (WHERE x.h <#> y.h <> x.v <#> y.v) AS half,
		count(*) FILTER (WHERE x.s <+> y.s <> x.v <+> y.v) AS sparse,
		count(*) FILTER (WHERE l1_distance(x.a, y.a) <> x.v <+> y.v) AS array
FROM es_long AS x, es_long AS y WHERE y.id % 4 = 0 AND x.id % 3 = 0;
-- a row that changes between two calls of one transaction
CREATE FUNCTION pg_temp.distance_from_first() RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT max(v <+> (SELECT v FROM es_long WHERE id = 1)) FROM es_long WHERE id = 2);
END $$;
BEGIN;
SELECT pg_temp.distance_from_first() = (SELECT sum(abs(x - y)) FROM es_long AS i, es_long AS j,
	unnest(i.a, j.a) AS u (x, y) WHERE i.id = 1 AND j.id = 2);
UPDATE es_long SET v = array_fill(0, ARRAY[3000])::vector WHERE id = 1;
SELECT pg_temp.distance_from_first() = (SELECT sum(abs(x)) FROM es_long, unnest(a) AS x
	WHERE id = 2);
ROLLBACK;
SELECT pg_temp.distance_from_first() = (SELECT sum(abs(x - y)) FROM es_long AS i, es_long AS j,
	unnest(i.a, j.a) AS u (x, y) WHERE i.id = 1 AND j.id = 2);
DROP TABLE es_long;

-- A larger table: distances cost enough for the planner to share them out
CREATE TABLE es_large (id int, v vector(384));
INSERT INTO es_large
	WITH piece AS MATERIALIZED (SELECT p, array_agg(((p * 7919 + j * 104729 + p * j * j) % 101 - 50)
		/ 4.0 ORDER BY j)::vector AS v FROM generate_series(0, 99) AS p, generate_series(1, 96) AS j
		GROUP BY p)
	SELECT i, a.v || b.v || c.v || d.v FROM generate_series(1, 20000) AS i
		JOIN piece AS a ON a.p = i % 100 JOIN piece AS b ON b.p = i / 100 % 100
		JOIN piece AS c ON c.p = i / 10 % 100 JOIN piece AS d ON d.p = i % 97;
ANALYZE es_large;
SET max_parallel_workers_per_gather = 2;
SELECT v::text AS origin FROM es_large WHERE id = 12345 \gset
SELECT regexp_replace(line, 'v <-> .*', 'v <-> ...')
	FROM test.plan_of(format('SELECT id FROM es_large ORDER BY v <-> %L LIMIT 5', :'origin'))
	AS line;
CREATE TEMP TABLE es_parallel AS SELECT id, v <-> :'origin' AS distance FROM es_large
	ORDER BY v <-> :'origin', id LIMIT 20;
SET max_parallel_workers_per_gather = 0;
SELECT regexp_replace(line, 'v <-> .*', 'v <-> ...')
	FROM test.plan_of(format('SELECT id FROM es_large ORDER BY v <-> %L LIMIT 5', :'origin'))
	AS line;
CREATE TEMP TABLE es_serial AS SELECT id, v <-> :'origin' AS distance FROM es_large
	ORDER BY v <-> :'origin', id LIMIT 20;
SELECT count(*), min(p.distance), bool_and(p.distance = s.distance) FROM es_parallel AS p
	JOIN es_serial AS s USING (id);
RESET max_parallel_workers_per_gather;
DROP TABLE es_large;
