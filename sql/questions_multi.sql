--
-- nanovec_search(), nanovec_search_groups() and nanovec_index_recall() where rows have many vectors
--
\pset format unaligned
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.topic(t int, seed int) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(((test.noise(t + 5000, j) - 500) + 0.5 * (test.noise(seed, j) - 500)) / 500.0 ORDER BY j)::vector
	FROM generate_series(1, 16) AS j
$$;
CREATE FUNCTION pg_temp.vectors(seed int, n int) RETURNS vector[] LANGUAGE sql AS $$
	SELECT array_agg(pg_temp.topic(test.noise(seed, i) % 60, seed * 31 + i) ORDER BY i) FROM generate_series(1, n) AS i
$$;
CREATE TABLE qm_items (id int PRIMARY KEY, doc int, e vector(16)[]) WITH (autovacuum_enabled = off);
INSERT INTO qm_items SELECT i, i / 7, pg_temp.vectors(i, 1 + i % 9) FROM generate_series(1, 1000) AS i;
-- what is not in the index
INSERT INTO qm_items VALUES (-1, 0, NULL), (-2, 0, '{}');
CREATE INDEX qm_idx ON qm_items USING hnsw (e vector_maxsim_ops);
-- more of them than run by turns
CREATE TABLE qm_queries AS SELECT i AS n, pg_temp.vectors(20000 + i, 1 + i % 12) AS q FROM generate_series(1, 24) AS i;
-- all in one array, with NULLs behind those that have fewer vectors
CREATE FUNCTION pg_temp.all_queries() RETURNS vector[] LANGUAGE sql AS $$
	SELECT array_agg(q || array_fill(NULL::vector, ARRAY[12 - cardinality(q)]) ORDER BY n) FROM qm_queries
$$;
SELECT array_dims(pg_temp.all_queries());

-- what a LATERAL join finds, and in order
CREATE FUNCTION pg_temp.compare(k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	EXECUTE format('WITH batch AS MATERIALIZED (SELECT row_number() OVER () AS place, * FROM
			nanovec_search(''qm_idx'', pg_temp.all_queries(), %1$s)),
		single AS (SELECT n AS query, s.* FROM qm_queries, LATERAL (SELECT ctid AS tid,
			e @# q AS distance FROM qm_items ORDER BY e @# q LIMIT %1$s) AS s)
		SELECT concat_ws('' '', (SELECT count(*) FROM batch), (SELECT count(*) FROM single), (SELECT count(*) FROM
				(SELECT query, tid, distance FROM batch INTERSECT TABLE single) AS s),
			(SELECT bool_and(place = nth) FROM (SELECT place, row_number() OVER
				(ORDER BY query, distance, tid) AS nth FROM batch) AS s))', k) INTO answer;
	RETURN answer;
END $$;
SELECT k, pg_temp.compare(k) FROM unnest('{1,10,300}'::int[]) AS k;
SET hnsw.iterative_scan = relaxed_order;
SELECT pg_temp.compare(10);
SELECT query, count(*), count(DISTINCT tid) FROM nanovec_search('qm_idx', (SELECT q FROM qm_queries WHERE n = 5), 2000) GROUP BY query;
SET hnsw.iterative_scan = off;
SELECT pg_temp.compare(10);
RESET hnsw.iterative_scan;
-- an array of one dimension is one query
SELECT s.query, count(*), bool_and(s.distance = e @# q) AS exact, min(cardinality(q)) AS vectors FROM qm_queries,
	nanovec_search('qm_idx', q, 5) AS s JOIN qm_items ON ctid = tid WHERE n IN (11, 12) GROUP BY n, s.query ORDER BY n;
-- queries that are NULL or have no vectors are counted; nothing of nothing
SELECT query, count(*) FROM nanovec_search('qm_idx', (SELECT ARRAY[ARRAY[NULL, NULL]::vector[], ARRAY[q[1], NULL], ARRAY[NULL, NULL]::vector[], ARRAY[NULL, q[2]]]
	FROM qm_queries WHERE n = 5), 3) GROUP BY query ORDER BY query;
SELECT * FROM nanovec_search('qm_idx', '{}'::vector[], 2);
SELECT * FROM nanovec_search('qm_idx', ARRAY[NULL]::vector[], 2);
SELECT * FROM nanovec_search('qm_idx', NULL::vector[], 2);
-- a radius is a distance by @#, which is negative; no other rows come
SELECT query, count(*) = (SELECT count(*) FROM qm_items WHERE e @# q <= radius) AS all, bool_and(distance <= radius) AS within
FROM (SELECT n, q, (SELECT e @# q FROM qm_items ORDER BY e @# q OFFSET 4 LIMIT 1) AS radius FROM qm_queries WHERE n IN (3, 9)) AS r,
	nanovec_search('qm_idx', q, 100, radius) GROUP BY n, query, q, radius ORDER BY n;
SELECT count(*) FROM nanovec_search('qm_idx', pg_temp.all_queries(), 5, -1e6);
SELECT count(*) FROM nanovec_search('qm_idx', pg_temp.all_queries(), 5, '-Infinity');
SELECT count(*) FROM nanovec_search('qm_idx', pg_temp.all_queries(), 5, 'Infinity');

-- recall: all of it is told, and makes sense
SELECT recall BETWEEN .9 AND 1 AS recall, worst BETWEEN 0 AND recall AS worst,
	index_p50_ms BETWEEN 0 AND index_p95_ms AS index, exact_p50_ms BETWEEN 0 AND exact_p95_ms AS exact
FROM nanovec_index_recall('qm_idx');
SELECT recall BETWEEN .9 AND 1 AS recall FROM nanovec_index_recall('qm_idx', pg_temp.all_queries());
SELECT recall, worst FROM nanovec_index_recall('qm_idx', (SELECT e FROM qm_items WHERE id = 8), 1);
-- the same queries for a seed; none are the rows
SELECT (SELECT recall FROM nanovec_index_recall('qm_idx', 20, 10, 7)) =
	(SELECT recall FROM nanovec_index_recall('qm_idx', 20, 10, 7)) AS same;
-- what is set counts, and a sweep sets it
SET hnsw.iterative_scan = off;
SET hnsw.ef_search = 1;
SELECT recall < .6 AS little FROM nanovec_index_recall('qm_idx', 20, 20);
RESET hnsw.ef_search;
SELECT array_agg(setting) AS settings, min(recall) < .6 AS least, max(recall) > .95 AS most, bool_and(worst <= recall) AS sound
FROM nanovec_recall_sweep('qm_idx', '{1,40,400}', 30, 20);
RESET hnsw.iterative_scan;
SELECT setting, recall > .95 AS most FROM nanovec_recall_sweep('qm_idx', '{200}', pg_temp.all_queries(), 10);
-- every row as a query; more neighbors than rows; no rows; no vectors
SELECT recall > .95 AS most FROM nanovec_index_recall('qm_idx', 10000, 1);
CREATE TABLE qm_few (id int, e halfvec(2)[]);
CREATE INDEX qm_few_idx ON qm_few USING hnsw (e halfvec_maxsim_ops);
SELECT recall, worst, index_p50_ms, exact_p50_ms FROM nanovec_index_recall('qm_few_idx');
INSERT INTO qm_few VALUES (1, '{}'), (2, NULL);
SELECT recall, worst, index_p50_ms, exact_p50_ms FROM nanovec_index_recall('qm_few_idx');
-- of a long row some vectors are taken; among so few rows of two dimensions, some are found late
SET hnsw.iterative_scan = relaxed_order;
INSERT INTO qm_few SELECT 3, array_agg(ARRAY[cos(i), sin(i)]::real[]::halfvec) FROM generate_series(1, 1000) AS i;
INSERT INTO qm_few VALUES (4, '{"[1,1]","[1,1]"}'), (5, '{"[1,1]"}'), (6, '{"[2,0]"}');
SELECT recall, worst FROM nanovec_index_recall('qm_few_idx');
-- the rows of the query's snapshot: not those that are gone, and the new version of one that changed
DELETE FROM qm_few WHERE id = 3;
UPDATE qm_few SET id = 40 WHERE id = 4;
SELECT id, distance FROM nanovec_search('qm_few_idx', '{"[3,1]","[0,1]"}'::halfvec[], 10) JOIN qm_few ON ctid = tid ORDER BY distance, id;
SELECT recall, worst FROM nanovec_index_recall('qm_few_idx');
RESET hnsw.iterative_scan;

-- the nearest groups
SELECT n, g.place, g.doc = e.doc AND g.distance = e.distance AS nearest FROM qm_queries,
	LATERAL (SELECT row_number() OVER (ORDER BY distance) AS place, doc, distance
		FROM nanovec_search_groups('qm_idx', q, 'doc', 4) AS s JOIN qm_items ON ctid = tid) AS g,
	LATERAL (SELECT row_number() OVER (ORDER BY min(e @# q)) AS place, doc, min(e @# q) AS distance
		FROM qm_items GROUP BY doc) AS e
WHERE n IN (4, 16) AND g.place = e.place ORDER BY n, place;
SELECT count(*) FROM nanovec_search_groups('qm_idx', '{}'::vector[], 'doc', 4);
SELECT count(*) FROM nanovec_search_groups('qm_idx', NULL::vector[], 'doc', 4);

-- a part of the rows, and an expression
CREATE INDEX qm_part ON qm_items USING hnsw ((e::halfvec(16)[]) halfvec_maxsim_ops) WHERE id > 500;
SELECT count(*), min(id) > 500 AS part FROM qm_queries, nanovec_search('qm_part', q::halfvec[], 7) JOIN qm_items ON ctid = tid WHERE n < 5;
SELECT recall > .9 AS recall FROM nanovec_index_recall('qm_part', 30);

-- mistakes
SELECT * FROM test.errors_of(ARRAY[
	$$SELECT nanovec_search('qm_idx', '{"[1,2]"}'::halfvec[], 1)$$,
	$$SELECT nanovec_search('qm_idx', ARRAY[1.5], 1)$$,
	$$SELECT nanovec_search('qm_idx', '{"[1,2]"}'::vector[], 1)$$,
	$$SELECT nanovec_search('qm_idx', '{"[1,2]","[1]"}'::vector[], 1)$$,
	$$SELECT nanovec_search('qm_idx', '{{{"[1,2]"}}}'::vector[], 1)$$,
	$$SELECT nanovec_search('qm_idx', array_fill('[1,2]'::vector, '{4097}'), 1)$$,
	$$SELECT nanovec_search('qm_idx', '{"[1,2]"}'::vector[], 0)$$,
	$$SELECT nanovec_search('qm_idx', '{"[1,2]"}'::vector[], 1, 'NaN')$$,
	$$SELECT nanovec_search_groups('qm_idx', '[1,2]'::vector, 'doc', 1)$$,
	$$SELECT nanovec_search_groups('qm_idx', '{"[1,2]"}'::vector[], 'doc', 1)$$,
	$$SELECT nanovec_index_recall('qm_idx', '{"[1,2]"}'::halfvec[])$$,
	$$SELECT nanovec_index_recall('qm_idx', '{{"[1,2]"},{NULL}}'::vector[])$$,
	$$SELECT nanovec_index_recall('qm_idx', '{"[1,2]"}'::vector[])$$,
	$$SELECT nanovec_index_recall('qm_idx', 10000, 10000)$$,
	$$SELECT nanovec_recall_sweep('qm_idx', '{10,1001}')$$]);
-- it is for those who may read the whole table, and all of its rows
CREATE ROLE regress_nv_column;
GRANT SELECT (e) ON qm_items TO regress_nv_column;
SET ROLE regress_nv_column;
SELECT * FROM test.errors_of(ARRAY[$$SELECT nanovec_search('qm_idx', '{"[1,2]"}'::vector[], 1)$$,
	$$SELECT nanovec_search_groups('qm_idx', '{"[1,2]"}'::vector[], 'doc', 1)$$,
	$$SELECT nanovec_index_recall('qm_idx')$$]);
RESET ROLE;
DROP TABLE qm_items, qm_queries, qm_few;
DROP ROLE regress_nv_column;
