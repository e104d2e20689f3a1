--
-- hnsw: scans that go on, how far, and with how much memory
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;
SET enable_sort = off;

-- what EXPLAIN counted of a query, at a path in its plan
CREATE FUNCTION pg_temp.counted(path jsonpath, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT json) ' || query INTO plan;
	RETURN jsonb_path_query_first(plan, path)::bigint;
END $$;
-- the rows that a scan reads for a filter that no row passes
CREATE FUNCTION pg_temp.rows_read() RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_temp.counted('$[0].Plan.Plans[0]."Rows Removed by Filter"',
		'SELECT id FROM hd_items WHERE id < 0 ORDER BY v <-> ''[.5,.5,.5,.5,.5,.5,.5,.5]'' LIMIT 10')
$$;
-- how many rows a scan of all returns, each once or not, and whether in order
CREATE FUNCTION pg_temp.whole_scan(tab text, q vector) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	last float8 := '-inf';
	n int := 0;
	late int := 0;
	ids int[] := '{}';
BEGIN
	FOR r IN EXECUTE format('SELECT id, v <-> $1 AS d FROM %I ORDER BY v <-> $1', tab) USING q LOOP
		n := n + 1;
		late := late + (r.d < last)::int;
		last := r.d;
		ids := ids || r.id;
	END LOOP;
	RETURN format('%s rows, %s different ones, %s', n,
		(SELECT count(DISTINCT i) FROM unnest(ids) AS i),
		CASE WHEN late = 0 THEN 'in order' ELSE 'not in order' END);
END $$;

CREATE TABLE hd_items (id int, v vector(8));
INSERT INTO hd_items SELECT i, (SELECT array_agg((hashint8extended(i, d) & 65535) / 65535.0 ORDER BY d)
	FROM generate_series(1, 8) AS d WHERE i = i)::vector
FROM generate_series(1, 6000) AS i;
CREATE INDEX hd_idx ON hd_items USING hnsw (v vector_l2_ops);
ANALYZE hd_items;

-- max_scan_tuples counts the rows of nodes visited, as many as go out
SET hnsw.max_scan_tuples = 1000;
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.rows_read() BETWEEN 850 AND 1150;
SET hnsw.iterative_scan = relaxed_order;
SELECT pg_temp.rows_read() BETWEEN 850 AND 1150;
SET hnsw.max_scan_tuples = 5000;
SELECT pg_temp.rows_read() BETWEEN 4250 AND 5750;
-- less than the first search visits
SET hnsw.max_scan_tuples = 1;
SELECT pg_temp.rows_read() BETWEEN 40 AND 400;
RESET hnsw.max_scan_tuples;

-- as long as they are allowed, and fit, all rows are found: each once
SELECT pg_temp.whole_scan('hd_items', '[.5,.5,.5,.5,.5,.5,.5,.5]') LIKE '6000 rows, 6000 different ones, %';
SET hnsw.ef_search = 1;
SELECT pg_temp.whole_scan('hd_items', '[.1,.5,.9,.5,.5,.5,.5,.5]') LIKE '6000 rows, 6000 different ones, %';
RESET hnsw.ef_search;
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.whole_scan('hd_items', '[.5,.5,.5,.5,.5,.5,.5,.5]') ~ '^(59[5-9].|6000) rows.* in order$';
-- and with little memory many; a fraction of them waits
SET work_mem = '512kB';
SELECT pg_temp.rows_read() >= 5900;
SET hnsw.iterative_scan = relaxed_order;
SELECT pg_temp.rows_read() >= 5900;
SET work_mem = '256kB';
SELECT pg_temp.rows_read() >= 1800;
RESET work_mem;
-- two scans at once, begun anew
SELECT count(*), count(DISTINCT (a, b)) FROM (SELECT a.id AS a, b.id AS b
	FROM (SELECT * FROM hd_items WHERE id <= 3) AS a,
	LATERAL (SELECT c.id FROM hd_items AS c ORDER BY c.v <-> a.v LIMIT 3000) AS b) AS s;
SET hnsw.iterative_scan = strict_order;
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM hd_items ORDER BY v <-> '[0,0,0,0,0,0,0,0]';
DECLARE b CURSOR FOR SELECT id FROM hd_items ORDER BY v <-> '[0,0,0,0,0,0,0,0]';
MOVE 1000 FROM a;
MOVE 1000 FROM b;
FETCH FROM a \gset a_
FETCH FROM b \gset b_
SELECT :a_id = :b_id;
MOVE ALL FROM a;
-- what a failed transaction leaves does not keep others from searching
SAVEPOINT s;
FETCH b;
SELECT 1 / 0;
ROLLBACK;
SELECT count(*) FROM (SELECT id FROM hd_items ORDER BY v <-> '[0,0,0,0,0,0,0,0]' LIMIT 100) AS s;

-- time does not fall as ef_search grows: nor do the pages read for LIMIT 10
CREATE FUNCTION pg_temp.pages(ef int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('hnsw.ef_search', ef::text, false);
	RETURN (SELECT sum(pg_temp.counted('$[0].Plan."Shared Hit Blocks"', format(
		'SELECT id FROM hd_items ORDER BY v <-> %L LIMIT 10', v))) FROM (SELECT v FROM hd_items
		WHERE id % 100 = 7) AS q);
END $$;
SELECT pg_temp.pages(28) > 0;
SELECT pg_temp.pages(10) <= pg_temp.pages(20), pg_temp.pages(20) <= pg_temp.pages(28),
	pg_temp.pages(28) <= pg_temp.pages(40);
RESET hnsw.ef_search;

-- half of the rows equal, some of them deleted: the rest is found, in order
CREATE TABLE hd_same (id int, v vector(8));
INSERT INTO hd_same SELECT id, CASE WHEN id % 2 = 0 THEN '[.5,.5,.5,.5,.5,.5,.5,.5]' ELSE v END FROM hd_items;
CREATE INDEX hd_same_idx ON hd_same USING hnsw (v vector_l2_ops);
DELETE FROM hd_same WHERE id % 2 = 0 AND id % 3 = 0;
SELECT pg_temp.whole_scan('hd_same', '[.5,.5,.5,.5,.5,.5,.5,.5]');
VACUUM hd_same;
SELECT pg_temp.whole_scan('hd_same', '[.5,.5,.5,.5,.5,.5,.5,.5]');
SELECT pg_temp.whole_scan('hd_same', '[0,0,0,0,0,0,0,0]') ~ '^(49[5-9].|5000) rows.* in order$';

-- nodes hold fewer rows than pgvector's: off returns as many
CREATE TABLE hd_few (id int, v vector(2));
INSERT INTO hd_few SELECT i, '[1,2]' FROM generate_series(1, 100) AS i;
CREATE INDEX hd_few_idx ON hd_few USING hnsw (v vector_l2_ops);
SET hnsw.iterative_scan = off;
SET hnsw.ef_search = 1;
SELECT count(*) >= 10 FROM (SELECT id FROM hd_few ORDER BY v <-> '[1,2]') AS s;
SET hnsw.ef_search = 3;
SELECT count(*) >= 30 FROM (SELECT id FROM hd_few ORDER BY v <-> '[1,2]') AS s;
-- nine rows of each vector take two nodes here and one there
TRUNCATE hd_few;
INSERT INTO hd_few SELECT i * 9 + j, ARRAY[i, i % 7]::vector
FROM generate_series(1, 50) AS i, generate_series(0, 8) AS j;
SET hnsw.ef_search = 5;
SELECT count(*) >= 45 FROM (SELECT id FROM hd_few ORDER BY v <-> '[1,2]') AS s;
RESET hnsw.ef_search;
SELECT count(*) >= 360 FROM (SELECT id FROM hd_few ORDER BY v <-> '[1,2]') AS s;

-- where all rows are read and sorted in half of the time, the planner knows
RESET enable_seqscan;
RESET enable_sort;
CREATE TABLE hd_long (id int, v vector(384));
INSERT INTO hd_long SELECT i, (SELECT array_agg(test.noise(i, j)) FROM generate_series(1, 384) AS j)::vector
FROM generate_series(1, 3000) AS i;
CREATE INDEX hd_long_idx ON hd_long USING hnsw (v vector_l2_ops);
ANALYZE hd_long;
CREATE FUNCTION pg_temp.way(rows int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM hd_long ORDER BY v <-> %L LIMIT %s',
		(SELECT v FROM hd_long WHERE id = 7), rows) INTO plan;
	RETURN plan #>> '{0,Plan,Plans,0,Node Type}';
END $$;
SELECT pg_temp.way(20), pg_temp.way(200);

DROP TABLE hd_items, hd_same, hd_few, hd_long;
