--
-- ivf: what scans return, and when they are chosen; changes of all kinds
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;
SET client_min_messages = warning;

-- A grid of 60 by 60: each query below has one nearest row, and exact distances.
CREATE TABLE is_items (id int, v vector(2), even boolean);
INSERT INTO is_items SELECT x * 60 + y, ARRAY[x + x * x * 0.002, y + y * y * 0.001]::vector, x % 2 = 0
FROM generate_series(0, 59) AS x, generate_series(0, 59) AS y;
CREATE INDEX is_idx ON is_items USING ivf (v vector_l2_ops);
ANALYZE is_items;

-- plans
EXPLAIN (COSTS OFF) SELECT id FROM is_items ORDER BY v <-> '[1,2]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM is_items WHERE even ORDER BY v <-> '[1,2]' LIMIT 5 OFFSET 3;
SELECT test.plan_of('SELECT id FROM is_items ORDER BY v <-> (SELECT v FROM is_items WHERE id = 7) LIMIT 5');
SELECT format('%-60s ', q), test.uses_index('SELECT id FROM is_items ' || q)
FROM unnest(ARRAY['ORDER BY v <-> ''[1,2]'' LIMIT 1', 'ORDER BY ''[1,2]'' <-> v LIMIT 1',
	'ORDER BY v <-> ''[1,2]'' DESC LIMIT 1', 'ORDER BY v <=> ''[1,2]'' LIMIT 1',
	'ORDER BY v LIMIT 1', '', 'LIMIT 1', 'WHERE v <-> ''[1,2]'' < 3',
	'WHERE v <-> ''[1,2]'' < 3 ORDER BY v <-> ''[1,2]'' LIMIT 1'])
WITH ORDINALITY AS u (q, n) ORDER BY n;
-- the planner is free: few rows are searched, all are sorted
RESET enable_seqscan;
SELECT test.uses_index('SELECT id FROM is_items ORDER BY v <-> ''[1,2]'' LIMIT 5'),
	test.uses_index('SELECT id FROM is_items ORDER BY v <-> ''[1,2]''');
SET enable_seqscan = off;

SELECT k, (test.judge_scan('is_items', k, 'true')).* FROM unnest(ARRAY[1, 10, 100, 500, 2000]) AS k;
SELECT c, (test.judge_scan('is_items', 10, c)).*
FROM unnest(ARRAY['even', 'id % 40 = 3', 'id % 400 = 3',
	'id % 400 = 3 OR id = 3599', 'id < 5', 'false']) AS c;
SET ivf.probes = 1;
SELECT k, (test.judge_scan('is_items', k, 'true')).rows,
	(test.judge_scan('is_items', k, 'true')).ordered
FROM unnest(ARRAY[1, 10, 100]) AS k;
-- no more lists than these
SET ivf.max_probes = 1;
SELECT rows < 400, once, ordered FROM test.judge_scan('is_items', 1000, 'true');
SET ivf.max_probes = 3;
SELECT rows BETWEEN 100 AND 1000, once, ordered FROM test.judge_scan('is_items', 1500, 'true');
RESET ivf.max_probes;
SET ivf.iterative_scan = off;
SELECT rows < 400, once, ordered FROM test.judge_scan('is_items', 1000, 'true');
SET ivf.iterative_scan = relaxed_order;
SELECT rows, once FROM test.judge_scan('is_items', 5000, 'true');
SET work_mem = '64kB';
SELECT rows, once FROM test.judge_scan('is_items', 5000, 'true');
RESET work_mem;
RESET ivf.iterative_scan;
-- all lists: everything, in order
SET ivf.probes = 32768;
SELECT k, (test.judge_scan('is_items', k, 'true')).* FROM unnest(ARRAY[1, 10, 1000, 5000]) AS k;
SET work_mem = '64kB';
SELECT k, (test.judge_scan('is_items', k, 'true')).* FROM unnest(ARRAY[5000]) AS k;
RESET work_mem;
RESET ivf.probes;

-- In relaxed order each list is looked into once, although more lists follow those
-- that were chosen by codes of their centroids.
CREATE TABLE is_many (id int, v vector(48));
INSERT INTO is_many SELECT i, (SELECT array_agg(test.noise(i, j) ORDER BY j)
	FROM generate_series(1, 48) AS j)::vector FROM generate_series(1, 3000) AS i;
CREATE INDEX is_many_idx ON is_many USING ivf (v vector_l2_ops) WITH (lists = 200);
SET ivf.iterative_scan = relaxed_order;
SELECT filter, lim, string_agg(DISTINCT found, ' ')
FROM (VALUES (1, 9999), (20, 100), (100, 20)) AS f (filter, lim), generate_series(1, 30) AS origin, LATERAL (SELECT count(*) || '/' || count(DISTINCT id) AS found
	FROM (SELECT id FROM is_many WHERE id % filter = 0
		ORDER BY v <-> (SELECT v FROM is_many WHERE id = origin) LIMIT lim) AS s) AS c
GROUP BY filter, lim ORDER BY filter;
RESET ivf.iterative_scan;
DROP TABLE is_many;

-- where the query vector comes from
SELECT id FROM is_items ORDER BY v <-> (SELECT v FROM is_items WHERE id = 777) LIMIT 1;
SELECT o.id, n.ids FROM is_items AS o, LATERAL (SELECT array(SELECT i.id FROM is_items AS i
	WHERE i.id <> o.id ORDER BY i.v <-> o.v LIMIT 2) AS ids) AS n WHERE o.id IN (0, 823, 1599) ORDER BY 1;
SELECT count(*), bool_and(n.id = o.id) FROM is_items AS o, LATERAL (SELECT id FROM is_items AS i
	ORDER BY i.v <-> o.v LIMIT 1) AS n WHERE o.id % 50 = 7;
PREPARE is_search (vector, int) AS SELECT id FROM is_items ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE is_search('[3.1,4.1]', 2);
EXECUTE is_search('[30.1,4.1]', 1);
SELECT test.error_of('EXECUTE is_search(''[1]'', 1)');
RESET plan_cache_mode;
DEALLOCATE is_search;
SELECT count(*), count(d) FROM (SELECT v <-> NULL::vector AS d FROM is_items
	ORDER BY v <-> NULL::vector LIMIT 7) AS s;
SELECT count(DISTINCT id) FROM (SELECT id FROM is_items ORDER BY v <-> (SELECT NULL::vector)
	LIMIT 4000) AS s;
SELECT test.error_of('SELECT id FROM is_items ORDER BY v <-> ''[1,2,3]'' LIMIT 1');
SELECT test.error_of('INSERT INTO is_items VALUES (-1, ''[1,2,3]'')');
SELECT count(*) FROM (SELECT id FROM is_items ORDER BY v <-> '[1e30,-1e30]' LIMIT 3) AS s;
-- rows at the same distance in order of another one
SELECT test.plan_of('SELECT id FROM is_items ORDER BY v <-> ''[1,2]'', v <-> ''[9,9]'' LIMIT 9');
SELECT array_agg(id) FROM (SELECT id FROM is_items
	ORDER BY v <-> NULL::vector, v <-> '[9,8]' LIMIT 3) AS s;
BEGIN;
DECLARE is_cursor CURSOR FOR SELECT id FROM is_items ORDER BY v <-> '[10.3,20.4]';
FETCH 2 FROM is_cursor;
MOVE FORWARD 95 IN is_cursor;
DECLARE is_scroll SCROLL CURSOR FOR SELECT id FROM is_items ORDER BY v <-> '[10.3,20.4]';
FETCH 3 FROM is_scroll;
FETCH BACKWARD 2 FROM is_scroll;
COMMIT;

-- an index that was built empty: everything is in one list
CREATE TABLE is_late (id int, v vector(2));
CREATE INDEX is_late_l2 ON is_late USING ivf (v vector_l2_ops);
CREATE INDEX is_late_cosine ON is_late USING ivf (v vector_cosine_ops) WITH (lists = 10);
SELECT id FROM is_late ORDER BY v <-> '[1,2]' LIMIT 3;
INSERT INTO is_late VALUES (1, NULL), (2, '[0,0]'), (3, NULL), (4, '[0,1]'), (5, '[-0,0]');
SELECT id FROM is_late ORDER BY (v <-> '[1,2]') + 0, id LIMIT 9;
SELECT id FROM is_late ORDER BY v <=> '[1,2]' LIMIT 9;
SELECT id FROM is_late ORDER BY v <=> '[0,0]' LIMIT 9;
INSERT INTO is_late SELECT id, v FROM is_items;
SELECT id FROM is_late ORDER BY v <-> '[17.3,8.8]' LIMIT 1;
SELECT i, (SELECT count(*) FROM nanovec_index_check(i::regclass)), p.value
FROM unnest(ARRAY['is_late_l2', 'is_late_cosine']) AS i, nanovec_index_info(i::regclass) AS p
WHERE property IN ('lists', 'rows', 'advice');
REINDEX TABLE is_late;
SELECT i, (SELECT count(*) FROM nanovec_index_check(i::regclass)), p.value
FROM unnest(ARRAY['is_late_l2', 'is_late_cosine']) AS i, nanovec_index_info(i::regclass) AS p
WHERE property IN ('lists', 'rows', 'advice');
SELECT id FROM is_late ORDER BY v <-> '[17.3,8.8]' LIMIT 1;
-- rows that are nothing like those it was built with
INSERT INTO is_late SELECT id, v + '[1000,1000]' FROM is_items WHERE id < 1500;
SELECT value FROM nanovec_index_info('is_late_l2') WHERE property = 'advice';
-- fewer rows than lists
CREATE TABLE is_few AS SELECT * FROM is_items WHERE id < 7;
CREATE INDEX is_few_idx ON is_few USING ivf (v vector_l2_ops) WITH (lists = 1000);
SELECT value::int <= 7 FROM nanovec_index_info('is_few_idx') WHERE property = 'lists';
SELECT id FROM is_few ORDER BY v <-> '[0,2.2]' LIMIT 2;

-- other kinds of index
CREATE INDEX is_partial ON is_items USING ivf (v vector_ip_ops) WHERE even;
SELECT id FROM is_items WHERE even ORDER BY v <#> '[3.1,4.1]' LIMIT 2;
CREATE INDEX is_half ON is_items USING ivf ((v::halfvec(2)) halfvec_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM is_items ORDER BY v::halfvec(2) <-> '[3.1,4.1]' LIMIT 2;
SELECT id FROM is_items ORDER BY v::halfvec(2) <-> '[3.1,4.1]' LIMIT 2;
CREATE TABLE is_wide (id int, v vector(40));
INSERT INTO is_wide SELECT i, (SELECT array_agg(sin(i * 3.7 + j * j) ORDER BY j)
	FROM generate_series(1, 40) AS j)::vector FROM generate_series(1, 300) AS i;
CREATE INDEX is_binary ON is_wide USING ivf ((binary_quantize(v)::bit(40)) bit_hamming_ops);
SELECT id FROM (SELECT * FROM is_wide
	ORDER BY binary_quantize(v)::bit(40) <~> binary_quantize((SELECT v FROM is_wide WHERE id = 7)) LIMIT 20) AS s
	ORDER BY v <=> (SELECT v FROM is_wide WHERE id = 7) LIMIT 1;
SELECT i, (SELECT count(*) FROM nanovec_index_check(i::regclass))
FROM unnest(ARRAY['is_partial', 'is_half', 'is_binary']) AS i;

-- partitions
CREATE TABLE is_parts (id int, v vector(2)) PARTITION BY RANGE (id);
CREATE TABLE is_part1 PARTITION OF is_parts FOR VALUES FROM (0) TO (1800);
CREATE TABLE is_part2 PARTITION OF is_parts FOR VALUES FROM (1800) TO (3600);
INSERT INTO is_parts SELECT id, v FROM is_items;
CREATE INDEX ON is_parts USING ivf (v vector_l2_ops);
SELECT id FROM is_parts ORDER BY v <-> '[30.6,20.4]' LIMIT 4;
SELECT id FROM is_items ORDER BY v <-> '[30.6,20.4]' LIMIT 4;

-- unlogged and temporary tables, concurrent builds, REINDEX, TRUNCATE, vacuum
SET ivf.probes = 100;
CREATE UNLOGGED TABLE is_unlogged AS SELECT * FROM is_items;
CREATE INDEX is_unlogged_idx ON is_unlogged USING ivf (v vector_l2_ops);
CREATE TEMP TABLE is_temp AS SELECT * FROM is_items;
CREATE INDEX is_temp_idx ON is_temp USING ivf (v vector_l2_ops);
CREATE TABLE is_built AS SELECT * FROM is_items;
CREATE INDEX CONCURRENTLY is_built_idx ON is_built USING ivf (v vector_l2_ops);
\set tables '{is_unlogged,is_temp,is_built}'
SELECT * FROM test.try_tables(:'tables');
INSERT INTO is_unlogged SELECT id + 4000, v FROM is_items WHERE id < 100;
INSERT INTO is_temp SELECT id + 4000, v FROM is_items WHERE id < 100;
INSERT INTO is_built SELECT id + 4000, v FROM is_items WHERE id < 100;
DELETE FROM is_unlogged WHERE id BETWEEN 300 AND 699;
DELETE FROM is_temp WHERE id BETWEEN 300 AND 699;
DELETE FROM is_built WHERE id BETWEEN 300 AND 699;
VACUUM is_unlogged, is_temp, is_built;
SELECT * FROM test.try_tables(:'tables');
SELECT value FROM nanovec_index_info('is_built_idx') WHERE property = 'rows';
-- what vacuum freed is used again
SELECT pg_relation_size('is_built_idx') AS size \gset
INSERT INTO is_built SELECT id, v FROM is_items WHERE id BETWEEN 300 AND 699;
SELECT pg_relation_size('is_built_idx') = :size;
REINDEX TABLE is_unlogged;
REINDEX TABLE is_temp;
REINDEX TABLE CONCURRENTLY is_built;
ALTER TABLE is_unlogged SET LOGGED;
SELECT * FROM test.try_tables(:'tables');
TRUNCATE is_unlogged, is_temp, is_built;
INSERT INTO is_unlogged SELECT * FROM is_items;
INSERT INTO is_temp SELECT * FROM is_items;
INSERT INTO is_built SELECT * FROM is_items;
SELECT * FROM test.try_tables(:'tables');
-- inserts find the room that vacuum made, and do not look for it each time
CREATE TABLE is_long (id int, v vector(3));
INSERT INTO is_long SELECT i, ARRAY[i % 7, i % 11, i % 13]::vector FROM generate_series(1, 20000) AS i;
CREATE INDEX is_long_idx ON is_long USING ivf (v vector_l2_ops) WITH (lists = 1);
DELETE FROM is_long WHERE id = 1;
VACUUM is_long;
INSERT INTO is_long SELECT i, '[1,2,3]' FROM generate_series(20001, 20002) AS i;
CREATE FUNCTION pg_temp.pages_of(command text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || command INTO plan;
	RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint;
END $$;
SELECT pg_temp.pages_of('INSERT INTO is_long SELECT i, ''[1,2,3]'' FROM generate_series(30001, 30100) AS i') < 2000;
DROP TABLE is_long;
-- vacuum leaves alone what it knows of the rows of a partial index
SELECT relname, reltuples FROM pg_class WHERE relname = 'is_partial';
VACUUM is_items;
SELECT relname, reltuples FROM pg_class WHERE relname = 'is_partial';
-- all rows go, and others come
DELETE FROM is_built;
VACUUM is_built;
SELECT count(*) FROM (SELECT id FROM is_built ORDER BY v <-> '[1,2]' LIMIT 10) AS s;
INSERT INTO is_built SELECT * FROM is_items;
SELECT * FROM test.try_table('is_built');

-- what is undone is not found, and vacuum takes it away
BEGIN;
INSERT INTO is_built SELECT id + 5000, v FROM is_items;
ROLLBACK;
SELECT * FROM test.try_table('is_built');
SELECT value FROM nanovec_index_info('is_built_idx') WHERE property = 'rows';
VACUUM is_built;
SELECT * FROM test.try_table('is_built');
SELECT value FROM nanovec_index_info('is_built_idx') WHERE property = 'rows';
UPDATE is_built SET v = ARRAY[id / 60, -id % 60]::vector;
SELECT count(DISTINCT id), count(*) FROM (SELECT id FROM is_built ORDER BY v <-> '[1,2]' LIMIT 9999) AS s;
SELECT id FROM is_built ORDER BY v <-> '[3.1,-4.1]' LIMIT 1;

-- an index of few rows is read sooner than the rows themselves
SET enable_seqscan = on;
CREATE TABLE is_kinds (id int, v vector(3), kind int, t text);
INSERT INTO is_kinds SELECT i, ARRAY[i % 97, i % 89, i % 83]::vector, i % 50, 'test ' || i
	FROM generate_series(1, 10000) AS i;
CREATE INDEX is_kinds_kind ON is_kinds (kind);
CREATE INDEX is_kinds_seven ON is_kinds USING ivfflat (v vector_l2_ops) WITH (lists = 5) WHERE kind = 7;
VACUUM ANALYZE is_kinds;
SELECT test.plan_of(format('SELECT id FROM is_kinds WHERE kind = %s ORDER BY v <-> ''[1,2,3]'' LIMIT 10', kind))
FROM generate_series(7, 8) AS kind;
DROP TABLE is_kinds;
SET enable_seqscan = off;

-- EXPLAIN counts searches
SELECT test.searches('SELECT FROM generate_series(1, 4) AS x, LATERAL (SELECT id FROM is_built
	ORDER BY v <-> ARRAY[x, 1]::vector(2) LIMIT 2) AS s', 4);

DROP TABLE is_items, is_late, is_few, is_wide, is_parts, is_unlogged, is_temp, is_built;
