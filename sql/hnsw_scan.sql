--
-- hnsw: what scans return, and when they are chosen
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;

-- A grid of 40 by 40: each query below has one nearest row, and exact distances.
CREATE TABLE hs_items (id int, v vector(2), even boolean);
INSERT INTO hs_items SELECT x * 40 + y, ARRAY[x + x * x * 0.002, y + y * y * 0.001]::vector, x % 2 = 0
FROM generate_series(0, 39) AS x, generate_series(0, 39) AS y;
CREATE INDEX hs_idx ON hs_items USING hnsw (v vector_l2_ops);
ANALYZE hs_items;

-- plans
EXPLAIN (COSTS OFF) SELECT id FROM hs_items ORDER BY v <-> '[1,2]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM hs_items WHERE even ORDER BY v <-> '[1,2]' LIMIT 5 OFFSET 3;
SELECT test.plan_of('SELECT id FROM hs_items ORDER BY v <-> (SELECT v FROM hs_items WHERE id = 7) LIMIT 5');
SELECT test.plan_of('SELECT id FROM hs_items ORDER BY id, v <-> ''[1,2]'' LIMIT 5');
-- not without an order, with another one, or the wrong way round
SELECT format('%-60s ', q), test.uses_index('SELECT id FROM hs_items ' || q)
FROM unnest(ARRAY['ORDER BY v <-> ''[1,2]'' LIMIT 1', 'ORDER BY ''[1,2]'' <-> v LIMIT 1',
	'ORDER BY v <-> ''[1,2]'' ASC LIMIT 1', 'ORDER BY v <-> ''[1,2]'' DESC LIMIT 1',
	'ORDER BY v <=> ''[1,2]'' LIMIT 1', 'ORDER BY v <#> ''[1,2]'' LIMIT 1',
	'ORDER BY v <+> ''[1,2]'' LIMIT 1', 'ORDER BY l2_distance(v, ''[1,2]'') LIMIT 1',
	'ORDER BY (v <-> ''[1,2]'') + 1 LIMIT 1', 'ORDER BY v LIMIT 1', '', 'LIMIT 1',
	'WHERE v <-> ''[1,2]'' < 3', 'WHERE v = ''[1,2]''',
	'WHERE v <-> ''[1,2]'' < 3 ORDER BY v <-> ''[1,2]'' LIMIT 1'])
WITH ORDINALITY AS u (q, n) ORDER BY n;
SELECT count(*), sum(id) FROM hs_items;

-- The planner is free: a small table is read, a large LIMIT is sorted, few rows are searched
RESET enable_seqscan;
SELECT test.uses_index('SELECT id FROM hs_items ORDER BY v <-> ''[1,2]''');
SET enable_seqscan = off;

-- results
SELECT id, round((v <-> '[10.3,20.4]')::numeric, 4) FROM hs_items ORDER BY v <-> '[10.3,20.4]' LIMIT 5;
SELECT id, round((v <-> '[10.3,20.4]')::numeric, 4) FROM hs_items ORDER BY v <-> '[10.3,20.4]' LIMIT 3 OFFSET 2;
SELECT count(*) FROM (SELECT id FROM hs_items ORDER BY v <-> '[10,20]' LIMIT 0) AS s;
SELECT count(*) FROM (SELECT id FROM hs_items ORDER BY v <-> '[10,20]' LIMIT 5 OFFSET 1599) AS s;

SELECT k, (test.judge_scan('hs_items', k, 'true')).*
FROM unnest(ARRAY[1, 10, 40, 41, 100, 500]) AS k;
-- what is found too late for its place is left out: nearly all, in order
SELECT rows >= 1500, once, ordered FROM test.judge_scan('hs_items', 2000, 'true');
SELECT c, (test.judge_scan('hs_items', 10, c)).*
FROM unnest(ARRAY['even', 'id % 40 = 3', 'id % 400 = 3',
	'id % 400 = 3 OR id = 1599', 'id < 5', 'false']) AS c;
SET hnsw.ef_search = 1;
SELECT k, (test.judge_scan('hs_items', k, 'true')).rows,
	(test.judge_scan('hs_items', k, 'true')).ordered
FROM unnest(ARRAY[1, 10, 100]) AS k;
SET hnsw.ef_search = 1000;
SELECT k, (test.judge_scan('hs_items', k, 'true')).* FROM unnest(ARRAY[1, 1000]) AS k;
RESET hnsw.ef_search;

-- off: a scan returns no more than it found at first
SET hnsw.iterative_scan = off;
SELECT ef, set_config('hnsw.ef_search', ef::text, false),
	(test.judge_scan('hs_items', k, 'true')).rows <= ef AS few,
	(test.judge_scan('hs_items', k, 'true')).rows >= least(k, ef) AS enough,
	(test.judge_scan('hs_items', k, 'true')).ordered
FROM (VALUES (10, 5), (10, 10), (10, 100), (40, 100)) AS v (ef, k);
RESET hnsw.ef_search;
-- and a filter takes of those
SELECT (test.judge_scan('hs_items', 10, 'id % 400 = 3')).rows < 4;
-- relaxed: all, each once
SET hnsw.iterative_scan = relaxed_order;
SELECT k, j.rows, j.once, j.nearest FROM unnest(ARRAY[10, 100, 1600]) AS k,
	test.judge_scan('hs_items', k, 'true') AS j;
SELECT c, j.rows, j.once, j.nearest FROM unnest(ARRAY['even', 'id % 400 = 3']) AS c,
	test.judge_scan('hs_items', 10, c) AS j;
RESET hnsw.iterative_scan;
-- the other limits
SET hnsw.max_scan_tuples = 1;
SELECT count(*) BETWEEN 1 AND 1599 FROM (SELECT id FROM hs_items ORDER BY v <-> '[1,2]' LIMIT 1600) AS s;
SET hnsw.max_scan_tuples = 200;
SELECT count(*) BETWEEN 200 AND 1599 FROM (SELECT id FROM hs_items ORDER BY v <-> '[1,2]' LIMIT 1600) AS s;
RESET hnsw.max_scan_tuples;
SET hnsw.iterative_scan = relaxed_order;
SET work_mem = '64kB';
SELECT count(*) < 1600 FROM (SELECT id FROM hs_items ORDER BY v <-> '[1,2]' LIMIT 1600) AS s;
SET hnsw.scan_mem_multiplier = 1000;
SELECT count(*) FROM (SELECT id FROM hs_items ORDER BY v <-> '[1,2]' LIMIT 1600) AS s;
RESET hnsw.scan_mem_multiplier;
RESET work_mem;
RESET hnsw.iterative_scan;

-- where the query vector comes from
SELECT id FROM hs_items ORDER BY v <-> (SELECT v FROM hs_items WHERE id = 777) LIMIT 1;
SELECT o.id, n.ids FROM hs_items AS o, LATERAL (SELECT array(SELECT i.id FROM hs_items AS i
	WHERE i.id <> o.id ORDER BY i.v <-> o.v LIMIT 2) AS ids) AS n WHERE o.id IN (0, 823, 1599) ORDER BY 1;
-- a nested loop scans again for each row
SELECT count(*), bool_and(n.id = o.id) FROM hs_items AS o, LATERAL (SELECT id FROM hs_items AS i
	ORDER BY i.v <-> o.v LIMIT 1) AS n WHERE o.id % 50 = 7;
PREPARE hs_search (vector, int) AS SELECT id FROM hs_items ORDER BY v <-> $1 LIMIT $2;
EXECUTE hs_search('[3.1,4.1]', 2);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE hs_search('[3.1,4.1]', 2);
EXECUTE hs_search('[3.1,4.1]', 2);
EXECUTE hs_search('[30.1,4.1]', 1);
EXECUTE hs_search('[1,2,3]', 1);
SELECT test.error_of('EXECUTE hs_search(''[1]'', 1)');
EXECUTE hs_search(NULL, 3) \g /dev/null
RESET plan_cache_mode;
DEALLOCATE hs_search;

-- NULL comes as far from everything as anything
SELECT count(*), count(d) FROM (SELECT v <-> NULL::vector AS d FROM hs_items
	ORDER BY v <-> NULL::vector LIMIT 7) AS s;
SELECT count(*), count(d) FROM (SELECT v <-> (SELECT NULL::vector) AS d FROM hs_items
	ORDER BY v <-> (SELECT NULL::vector) LIMIT 7) AS s;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_items ORDER BY v <-> (SELECT NULL::vector)
	LIMIT 200) AS s;
-- other dimensions
SELECT test.error_of('SELECT id FROM hs_items ORDER BY v <-> ''[1,2,3]'' LIMIT 1');
SELECT test.error_of('SELECT id FROM hs_items ORDER BY v <-> ''[1]'' LIMIT 1');
SELECT test.error_of('INSERT INTO hs_items VALUES (-1, ''[1,2,3]'')');
SELECT count(*) FROM hs_items WHERE id = -1;
-- the largest and smallest queries
SELECT count(*) FROM (SELECT id FROM hs_items ORDER BY v <-> '[1e10,-1e10]' LIMIT 3) AS s;
SELECT id FROM hs_items ORDER BY v <-> '[1e-45,0]' LIMIT 1;

-- cursors go forward, and back if rows are kept
BEGIN;
DECLARE hs_cursor CURSOR FOR SELECT id FROM hs_items ORDER BY v <-> '[10.3,20.4]';
FETCH 2 FROM hs_cursor;
FETCH 2 FROM hs_cursor;
MOVE FORWARD 95 IN hs_cursor;
SELECT count(*) FROM hs_items;
SAVEPOINT s;
FETCH BACKWARD 1 FROM hs_cursor;
ROLLBACK TO s;
DECLARE hs_scroll SCROLL CURSOR FOR SELECT id FROM hs_items ORDER BY v <-> '[10.3,20.4]';
EXPLAIN (COSTS OFF) DECLARE hs_scroll2 SCROLL CURSOR FOR SELECT id FROM hs_items ORDER BY v <-> '[10.3,20.4]';
FETCH 3 FROM hs_scroll;
FETCH BACKWARD 2 FROM hs_scroll;
FETCH 3 FROM hs_scroll;
COMMIT;

-- rows that no index holds: NULL, and for cosine, zero
CREATE TABLE hs_nulls (id int, v vector(2));
CREATE INDEX hs_nulls_l2 ON hs_nulls USING hnsw (v vector_l2_ops);
CREATE INDEX hs_nulls_cosine ON hs_nulls USING hnsw (v vector_cosine_ops);
SELECT id FROM hs_nulls ORDER BY v <-> '[1,2]' LIMIT 3;
SELECT count(*) FROM nanovec_index_check('hs_nulls_l2');
INSERT INTO hs_nulls VALUES (1, NULL), (2, '[0,0]'), (3, NULL);
SELECT id FROM hs_nulls ORDER BY v <-> '[1,2]' LIMIT 3;
SELECT id FROM hs_nulls ORDER BY v <=> '[1,2]' LIMIT 3;
INSERT INTO hs_nulls VALUES (4, '[0,1]'), (5, '[-0,0]');
SELECT id FROM hs_nulls ORDER BY (v <-> '[1,2]') + 0, id LIMIT 9;
SELECT id FROM hs_nulls ORDER BY v <=> '[1,2]' LIMIT 9;
SELECT id FROM hs_nulls ORDER BY v <=> '[0,0]' LIMIT 9;
SELECT id FROM hs_nulls WHERE v IS NULL ORDER BY (v <-> '[1,2]') + 0, id;
REINDEX TABLE hs_nulls;
SELECT id FROM hs_nulls ORDER BY (v <-> '[1,2]') + 0, id LIMIT 9;
SELECT id FROM hs_nulls ORDER BY v <=> '[1,2]' LIMIT 9;
SELECT i, (SELECT value FROM nanovec_index_info(i::regclass) WHERE property = 'rows'),
	(SELECT count(*) FROM nanovec_index_check(i::regclass))
FROM unnest(ARRAY['hs_nulls_l2', 'hs_nulls_cosine']) AS i;

-- many rows with one vector; relaxed, so that all can be counted
SET hnsw.iterative_scan = relaxed_order;
CREATE TABLE hs_same (id int, v vector(3));
CREATE INDEX hs_same_idx ON hs_same USING hnsw (v vector_l2_ops);
INSERT INTO hs_same SELECT i, '[1,1,1]' FROM generate_series(1, 9) AS i;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 100) AS s;
INSERT INTO hs_same SELECT i, '[1,1,1]' FROM generate_series(10, 300) AS i;
INSERT INTO hs_same SELECT i, ARRAY[sin(i), cos(i), i / 100.0]::vector FROM generate_series(301, 600) AS i;
SELECT count(DISTINCT id), count(*) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 1000) AS s;
SELECT count(*) FILTER (WHERE id <= 300) >= 200, count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 300) AS s;
SELECT count(*) FROM nanovec_index_check('hs_same_idx');
DELETE FROM hs_same WHERE id % 2 = 0;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 1000) AS s;
VACUUM hs_same;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 1000) AS s;
SELECT count(*) FROM nanovec_index_check('hs_same_idx');
DELETE FROM hs_same WHERE v = '[1,1,1]';
VACUUM hs_same;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 1000) AS s;
INSERT INTO hs_same SELECT i, '[1,1,1]' FROM generate_series(1, 150) AS i;
SELECT count(*) FILTER (WHERE id <= 150) >= 100, count(DISTINCT id) FROM (SELECT id FROM hs_same
	ORDER BY v <-> '[1,1,1]' LIMIT 150) AS s;
SELECT count(*) FROM nanovec_index_check('hs_same_idx');

-- a search that does not go on gives all rows of the vectors it finds
SET hnsw.iterative_scan = off;
TRUNCATE hs_same;
INSERT INTO hs_same SELECT i, ARRAY[i % 100, i % 10, 1]::vector FROM generate_series(1, 1000) AS i;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_same ORDER BY v <-> '[1,1,1]' LIMIT 200) AS s;
RESET hnsw.iterative_scan;

-- distances that floats have no room for
CREATE TABLE hs_large (id int, v vector(4));
CREATE INDEX ON hs_large USING hnsw (v vector_ip_ops);
INSERT INTO hs_large VALUES (1, '[1e20,1e20,1e20,1e20]');
SELECT id FROM hs_large ORDER BY v <#> '[1e20,1e20,1e20,1e20]' LIMIT 5;
DROP TABLE hs_large;

-- rows at the same distance in order of another one
EXPLAIN (COSTS OFF) SELECT id FROM hs_items ORDER BY v <-> '[1,2]', v <-> '[9,8]' LIMIT 3;
SELECT array_agg(id) FROM (SELECT id FROM hs_items
	ORDER BY v <-> NULL::vector, v <-> '[9,8]' LIMIT 3) AS s;

-- vectors whose squares are less than floats can be, among others
CREATE TABLE hs_tiny (id int, v vector(8));
INSERT INTO hs_tiny SELECT i, (SELECT array_agg((test.noise(i, j) / 500.0 - 1)
	* CASE i % 3 WHEN 0 THEN 1e-21 WHEN 1 THEN 3e-19 ELSE 1 END ORDER BY j)
	FROM generate_series(1, 8) AS j)::vector FROM generate_series(1, 300) AS i;
CREATE INDEX ON hs_tiny USING hnsw (v vector_l2_ops);
CREATE INDEX ON hs_tiny USING hnsw (v vector_ip_ops);
CREATE INDEX ON hs_tiny USING hnsw (v vector_cosine_ops) WITH (storage = float2);
SELECT operator, test.error_of(format('SELECT count(*) FROM generate_series(1, 60) AS q, LATERAL
	(SELECT id FROM hs_tiny ORDER BY v %s (SELECT v FROM hs_tiny WHERE id = q) LIMIT 200) AS s', operator))
FROM unnest(ARRAY['<->', '<#>', '<=>']) AS operator;

-- rows that share a vector longer than its node holds; an assertion watches the locks
CREATE TABLE hs_long (id int, v sparsevec(900));
CREATE INDEX hs_long_idx ON hs_long USING hnsw (v sparsevec_l2_ops);
INSERT INTO hs_long SELECT i, (SELECT array_agg(test.noise(i % 5, j) + 1 ORDER BY j)
	FROM generate_series(1, 900) AS j)::vector::sparsevec FROM generate_series(1, 20) AS i;
SELECT count(DISTINCT id), (SELECT count(*) FROM nanovec_index_check('hs_long_idx'))
FROM (SELECT id FROM hs_long ORDER BY v <-> (SELECT v FROM hs_long WHERE id = 3) LIMIT 20) AS s;
DROP TABLE hs_long;

-- other kinds of index
CREATE INDEX hs_partial ON hs_items USING hnsw (v vector_l1_ops) WHERE even;
EXPLAIN (COSTS OFF) SELECT id FROM hs_items WHERE even ORDER BY v <+> '[3.1,4.1]' LIMIT 2;
SELECT id FROM hs_items WHERE even ORDER BY v <+> '[3.1,4.1]' LIMIT 2;
SELECT test.uses_index('SELECT id FROM hs_items ORDER BY v <+> ''[3.1,4.1]'' LIMIT 2');
CREATE INDEX hs_half ON hs_items USING hnsw ((v::halfvec(2)) halfvec_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM hs_items ORDER BY v::halfvec(2) <-> '[3.1,4.1]' LIMIT 2;
SELECT id FROM hs_items ORDER BY v::halfvec(2) <-> '[3.1,4.1]' LIMIT 2;
CREATE INDEX hs_sub ON hs_items USING hnsw ((subvector(v, 2, 1)::vector(1)) vector_l2_ops);
SELECT test.uses_index($$SELECT id FROM hs_items
	ORDER BY subvector(v, 2, 1)::vector(1) <-> '[9.2]' LIMIT 2$$);
SELECT id % 40 FROM hs_items ORDER BY subvector(v, 2, 1)::vector(1) <-> '[9.2]' LIMIT 2;
CREATE TABLE hs_wide (id int, v vector(40));
INSERT INTO hs_wide SELECT i, (SELECT array_agg(sin(i * 3.7 + j * j) ORDER BY j)
	FROM generate_series(1, 40) AS j)::vector FROM generate_series(1, 300) AS i;
CREATE INDEX hs_binary ON hs_wide USING hnsw ((binary_quantize(v)::bit(40)) bit_hamming_ops);
SELECT test.plan_of($$SELECT id FROM (SELECT * FROM hs_wide
	ORDER BY binary_quantize(v)::bit(40) <~> binary_quantize((SELECT v FROM hs_wide WHERE id = 7)) LIMIT 20) AS s
	ORDER BY v <=> (SELECT v FROM hs_wide WHERE id = 7) LIMIT 1$$);
SELECT id FROM (SELECT * FROM hs_wide
	ORDER BY binary_quantize(v)::bit(40) <~> binary_quantize((SELECT v FROM hs_wide WHERE id = 7)) LIMIT 20) AS s
	ORDER BY v <=> (SELECT v FROM hs_wide WHERE id = 7) LIMIT 1;
SELECT i, (SELECT count(*) FROM nanovec_index_check(i::regclass))
FROM unnest(ARRAY['hs_partial', 'hs_half', 'hs_sub', 'hs_binary']) AS i;
-- rows come and go as the condition says
UPDATE hs_items SET even = NOT even WHERE id IN (164, 124);
SELECT id FROM hs_items WHERE even ORDER BY v <+> '[3.1,4.1]' LIMIT 2;
UPDATE hs_items SET even = NOT even WHERE id IN (164, 124);

-- partitions
CREATE TABLE hs_parts (id int, v vector(2)) PARTITION BY RANGE (id);
CREATE TABLE hs_part1 PARTITION OF hs_parts FOR VALUES FROM (0) TO (800);
CREATE TABLE hs_part2 PARTITION OF hs_parts FOR VALUES FROM (800) TO (1600);
CREATE INDEX ON hs_parts USING hnsw (v vector_l2_ops);
INSERT INTO hs_parts SELECT id, v FROM hs_items;
EXPLAIN (COSTS OFF) SELECT id FROM hs_parts ORDER BY v <-> '[19.6,20.4]' LIMIT 4;
SELECT id FROM hs_parts ORDER BY v <-> '[19.6,20.4]' LIMIT 4;
SELECT id FROM hs_items ORDER BY v <-> '[19.6,20.4]' LIMIT 4;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_parts ORDER BY v <-> '[19.6,20.4]' LIMIT 500) AS s;
SELECT count(*) FROM nanovec_index_check('hs_part1_v_idx');
SELECT count(*) FROM nanovec_index_check('hs_part2_v_idx');
SELECT test.full_error_of('SELECT nanovec_index_info(''hs_parts_v_idx'')');

-- unlogged and temporary tables, concurrent builds, REINDEX, TRUNCATE
SET hnsw.iterative_scan = relaxed_order;
CREATE UNLOGGED TABLE hs_unlogged AS SELECT * FROM hs_items;
CREATE INDEX hs_unlogged_idx ON hs_unlogged USING hnsw (v vector_l2_ops);
CREATE TEMP TABLE hs_temp AS SELECT * FROM hs_items;
CREATE INDEX hs_temp_idx ON hs_temp USING hnsw (v vector_l2_ops);
CREATE TABLE hs_built AS SELECT * FROM hs_items;
CREATE INDEX CONCURRENTLY hs_built_idx ON hs_built USING hnsw (v vector_l2_ops);
\set tables '{hs_unlogged,hs_temp,hs_built}'
SELECT * FROM test.try_tables(:'tables');
INSERT INTO hs_unlogged SELECT id + 2000, v FROM hs_items WHERE id < 100;
INSERT INTO hs_temp SELECT id + 2000, v FROM hs_items WHERE id < 100;
INSERT INTO hs_built SELECT id + 2000, v FROM hs_items WHERE id < 100;
DELETE FROM hs_unlogged WHERE id BETWEEN 300 AND 699;
DELETE FROM hs_temp WHERE id BETWEEN 300 AND 699;
DELETE FROM hs_built WHERE id BETWEEN 300 AND 699;
VACUUM hs_unlogged, hs_temp, hs_built;
SELECT * FROM test.try_tables(:'tables');
REINDEX TABLE hs_unlogged;
REINDEX TABLE hs_temp;
REINDEX TABLE CONCURRENTLY hs_built;
SELECT * FROM test.try_tables(:'tables');
VACUUM FULL hs_built;
ALTER TABLE hs_unlogged SET LOGGED;
SELECT * FROM test.try_tables(:'tables');
TRUNCATE hs_unlogged, hs_temp, hs_built;
SELECT * FROM test.try_tables(:'tables');
INSERT INTO hs_unlogged SELECT * FROM hs_items;
INSERT INTO hs_temp SELECT * FROM hs_items;
INSERT INTO hs_built SELECT * FROM hs_items;
SELECT * FROM test.try_tables(:'tables');

-- what is undone is not found, and vacuum takes it away
BEGIN;
INSERT INTO hs_built SELECT id + 5000, v FROM hs_items;
SAVEPOINT s;
INSERT INTO hs_built SELECT id + 7000, v FROM hs_items;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_built ORDER BY v <-> '[1,2]' LIMIT 9000) AS s;
ROLLBACK TO s;
SELECT count(DISTINCT id) FROM (SELECT id FROM hs_built ORDER BY v <-> '[1,2]' LIMIT 9000) AS s;
ROLLBACK;
SELECT * FROM test.try_table('hs_built');
SELECT value FROM nanovec_index_info('hs_built_idx') WHERE property = 'rows';
VACUUM hs_built;
SELECT * FROM test.try_table('hs_built');
SELECT value FROM nanovec_index_info('hs_built_idx') WHERE property = 'rows';
-- an index made in a transaction that fails, and one made there with rows of its own
BEGIN;
CREATE TABLE hs_undone AS SELECT * FROM hs_items;
CREATE INDEX hs_undone_idx ON hs_undone USING hnsw (v vector_l2_ops);
INSERT INTO hs_undone SELECT id + 2000, v FROM hs_items;
SELECT * FROM test.try_table('hs_undone');
ROLLBACK;
BEGIN;
CREATE TABLE hs_done AS SELECT * FROM hs_items;
CREATE INDEX hs_done_idx ON hs_done USING hnsw (v vector_l2_ops);
SAVEPOINT s;
TRUNCATE hs_done;
INSERT INTO hs_done VALUES (1, '[1,2]');
SELECT count(*) FROM (SELECT id FROM hs_done ORDER BY v <-> '[1,2]' LIMIT 9) AS s;
ROLLBACK TO s;
DELETE FROM hs_done WHERE id < 100;
COMMIT;
SELECT * FROM test.try_table('hs_done');

-- updates: of the vector, and of something else, which leaves the index alone
CREATE TABLE hs_moved (id int PRIMARY KEY, v vector(2), n int) WITH (fillfactor = 50);
INSERT INTO hs_moved SELECT id, v, 0 FROM hs_items WHERE id < 200;
CREATE INDEX hs_moved_idx ON hs_moved USING hnsw (v vector_l2_ops);
UPDATE hs_moved SET n = n + 1;
SELECT value FROM nanovec_index_info('hs_moved_idx') WHERE property = 'rows';
SELECT id, n FROM hs_moved ORDER BY v <-> '[3.1,4.1]' LIMIT 1;
UPDATE hs_moved SET v = '[100,100]' WHERE id = 124;
SELECT id FROM hs_moved ORDER BY v <-> '[100,99]' LIMIT 1;
SELECT id <> 124 FROM hs_moved ORDER BY v <-> '[3.1,4.1]' LIMIT 1;
UPDATE hs_moved SET v = ARRAY[id / 40, -id % 40]::vector;
SELECT count(DISTINCT id), count(*) FROM (SELECT id FROM hs_moved ORDER BY v <-> '[1,2]' LIMIT 999) AS s;
VACUUM hs_moved;
SELECT count(DISTINCT id), count(*) FROM (SELECT id FROM hs_moved ORDER BY v <-> '[1,2]' LIMIT 999) AS s;
SELECT id FROM hs_moved ORDER BY v <-> '[3.1,-4.1]' LIMIT 1;
SELECT count(*) FROM nanovec_index_check('hs_moved_idx');
UPDATE hs_moved SET v = NULL WHERE id % 2 = 0;
SELECT count(DISTINCT id), count(*) FROM (SELECT id FROM hs_moved ORDER BY v <-> '[1,2]' LIMIT 999) AS s;
VACUUM hs_moved;
SELECT value FROM nanovec_index_info('hs_moved_idx') WHERE property = 'rows';

-- however small the search begins, it goes on until it has seen all
CREATE TABLE hs_line (id int, v vector(64));
CREATE INDEX hs_line_idx ON hs_line USING hnsw (v vector_l2_ops);
INSERT INTO hs_line SELECT i, array_fill(i, ARRAY[64])::vector FROM generate_series(1, 100) AS i;
SET hnsw.ef_search = 1;
SET hnsw.iterative_scan = strict_order;
SELECT count(*) FROM (SELECT id FROM hs_line ORDER BY v <-> array_fill(100, ARRAY[64])::vector) AS s;
SET hnsw.iterative_scan = relaxed_order;
SELECT count(*) FROM (SELECT id FROM hs_line ORDER BY v <-> array_fill(100, ARRAY[64])::vector) AS s;
RESET hnsw.iterative_scan;
RESET hnsw.ef_search;

-- a search ends nowhere in a graph of many rows with few different vectors, as they
-- lie in the table, built or inserted, and after vacuum
CREATE FUNCTION pg_temp.least_found(k int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	least bigint := k;
BEGIN
	FOR q IN 0 .. 39 LOOP
		EXECUTE format('SELECT count(*) FROM (SELECT id FROM hs_few ORDER BY v <-> %L LIMIT %s) AS s
			WHERE id %% 40 = %s', ARRAY[q + q * q * 0.001]::vector(1), k, q) INTO n;
		least := least(least, n);
	END LOOP;
	RETURN least;
END $$;
CREATE TABLE hs_few (id int, pad text, v vector(1));
ALTER TABLE hs_few ALTER pad SET STORAGE plain;
INSERT INTO hs_few SELECT x * 40 + y, repeat('x', 32), ARRAY[y + y * y * 0.001]::vector
	FROM generate_series(0, 39) AS x, generate_series(0, 39) AS y;
CREATE INDEX hs_few_idx ON hs_few USING hnsw (v vector_l2_ops);
SELECT pg_temp.least_found(40);
SELECT value FROM nanovec_index_info('hs_few_idx') WHERE property = 'nodes';
TRUNCATE hs_few;
INSERT INTO hs_few SELECT x * 40 + y, repeat('x', 57), ARRAY[y + y * y * 0.001]::vector
	FROM generate_series(0, 39) AS x, generate_series(0, 39) AS y;
SELECT pg_temp.least_found(40);
DELETE FROM hs_few WHERE id / 40 % 2 = 0;
VACUUM hs_few;
SELECT pg_temp.least_found(20);
INSERT INTO hs_few SELECT x * 40 + 7, '', ARRAY[7.049]::vector FROM generate_series(100, 699) AS x;
REINDEX INDEX hs_few_idx;
SET hnsw.ef_search = 100;
SELECT pg_temp.least_found(20);
RESET hnsw.ef_search;
SELECT count(*) FROM nanovec_index_check('hs_few_idx');

-- an index of few rows is read sooner than the rows themselves
SET enable_seqscan = on;
CREATE TABLE hs_kinds (id int, v vector(3), kind int, t text);
INSERT INTO hs_kinds SELECT i, ARRAY[i % 97, i % 89, i % 83]::vector, i % 50, 'test ' || i
	FROM generate_series(1, 10000) AS i;
CREATE INDEX hs_kinds_kind ON hs_kinds (kind);
CREATE INDEX hs_kinds_seven ON hs_kinds USING hnsw (v vector_l2_ops) WHERE kind = 7;
VACUUM ANALYZE hs_kinds;
SELECT test.plan_of(format('SELECT id FROM hs_kinds WHERE kind = %s ORDER BY v <-> ''[1,2,3]'' LIMIT 10', kind))
FROM generate_series(7, 8) AS kind;
DROP TABLE hs_kinds;
SET enable_seqscan = off;

-- EXPLAIN counts searches
SELECT test.searches('SELECT FROM generate_series(1, 4) AS x, LATERAL (SELECT id FROM hs_few
	ORDER BY v <-> ARRAY[x]::vector(1) LIMIT 2) AS s', 4);

DROP TABLE hs_items, hs_tiny, hs_nulls, hs_same, hs_wide, hs_parts, hs_unlogged, hs_temp, hs_built, hs_done, hs_moved, hs_line, hs_few;
