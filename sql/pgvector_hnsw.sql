--
-- As users of pgvector do it: hnsw indexes, for each distance and type, with
-- their options and settings; how they are built
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;
SET client_min_messages = warning;

-- 40 points along a winding line
CREATE TABLE hn_items (id int PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(3), b bit(40));
INSERT INTO hn_items SELECT i, v, v, v, (repeat('1', i) || repeat('0', 40 - i))::bit(40)
FROM generate_series(1, 40) AS i, LATERAL (SELECT format('[%s,%s,%s]', i, i * i % 7,
	i % 3 + 1)::vector AS v) AS l;
ANALYZE hn_items;

-- Makes an index of a class, and asks for what is nearest to row 20: is the index used, which rows
-- come, are they those of an exact search?
CREATE FUNCTION pg_temp.try_class(class text, operator text, OUT used boolean, OUT ids int[],
	OUT exact boolean) LANGUAGE plpgsql AS $$
DECLARE
	col text := CASE WHEN class LIKE 'bit%' THEN 'b' ELSE left(class, 1) END;
	query text := format('SELECT id FROM hn_items ORDER BY %1$I %2$s (SELECT %1$I FROM hn_items
		WHERE id = 20) LIMIT 5', col, operator);
	distances text := format('SELECT array(SELECT %1$I %2$s (SELECT %1$I
		FROM hn_items WHERE id = 20)
		FROM hn_items WHERE id = ANY ($1) ORDER BY 1)', col, operator);
	near int[]; a float8[]; b float8[];
BEGIN
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('SELECT array(%s)', query) INTO near;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_indexscan = on;
	EXECUTE format('CREATE INDEX hn_class ON hn_items USING hnsw (%I %I)', col, class);
	used := EXISTS (SELECT FROM test.plan_of(query) AS line WHERE line LIKE '%using hn_class%');
	EXECUTE format('SELECT array(%s)', query) INTO ids;
	EXECUTE distances INTO a USING ids;
	EXECUTE distances INTO b USING near;
	exact := a = b;
	DROP INDEX hn_class;
END $$;
SELECT c, o, t.used, t.ids[1], t.exact
FROM unnest(ARRAY['vector', 'halfvec', 'sparsevec']) WITH ORDINALITY AS u (type, n),
	(VALUES (1, 'l2', '<->'), (2, 'ip', '<#>'), (3, 'cosine', '<=>'), (4, 'l1', '<+>')) AS d (m,
		name, o),
	format('%s_%s_ops', type, name) AS c, pg_temp.try_class(c, o) AS t ORDER BY n, m;
SELECT c, o, t.used, t.ids[1], t.exact FROM (VALUES ('bit_hamming_ops', '<~>'), ('bit_jaccard_ops',
	'<%>')) AS v (c, o),
	pg_temp.try_class(c, o) AS t ORDER BY c;

-- one index for each distance in use; each serves its own operator only
CREATE INDEX hn_l2 ON hn_items USING hnsw (v vector_l2_ops);
CREATE INDEX hn_ip ON hn_items USING hnsw (v vector_ip_ops);
CREATE INDEX ON hn_items USING hnsw (v vector_cosine_ops);
SELECT o, substring(line from 'using (\S+)')
FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) WITH ORDINALITY AS u (o, n),
	test.plan_of(format('SELECT id FROM hn_items ORDER BY v %s ''[9,3,2]'' LIMIT 3', o)) AS line
WHERE line ~ 'Scan' ORDER BY n;
SELECT id, v <-> '[9,4,1]' FROM hn_items ORDER BY v <-> '[9,4,1]' LIMIT 2;
SELECT id, (v <#> '[0.125,1,0]') * -1 FROM hn_items ORDER BY v <#> '[0.125,1,0]' LIMIT 3;
DROP INDEX hn_l2, hn_ip, hn_items_v_idx;

-- options
CREATE INDEX hn_options ON hn_items USING hnsw (v vector_l2_ops) WITH (m = 16,
	ef_construction = 64);
SELECT reloptions FROM pg_class WHERE relname = 'hn_options';
ALTER INDEX hn_options SET (m = 4, ef_construction = 20);
REINDEX INDEX hn_options;
SELECT reloptions FROM pg_class WHERE relname = 'hn_options';
SELECT id FROM hn_items ORDER BY v <-> '[30,2,1]' LIMIT 3;
ALTER INDEX hn_options RESET (m, ef_construction);
SELECT reloptions FROM pg_class WHERE relname = 'hn_options';

-- how far scans look; for one transaction
SHOW hnsw.ef_search;
SET hnsw.ef_search = 100;
SHOW hnsw.ef_search;
RESET hnsw.ef_search;
BEGIN;
SET LOCAL hnsw.ef_search = 200;
SHOW hnsw.ef_search;
SELECT id FROM hn_items ORDER BY v <-> '[12.1,4,1]' LIMIT 4;
COMMIT;
SHOW hnsw.ef_search;
-- without iterative scans it limits the rows
BEGIN;
SET LOCAL hnsw.iterative_scan = off;
SET LOCAL hnsw.ef_search = 10;
SELECT count(*) BETWEEN 1 AND 10 FROM (SELECT id FROM hn_items ORDER BY v <-> '[12.1,4,1]' LIMIT 30)
	AS s;
SET LOCAL hnsw.ef_search = 60;
SELECT count(*) FROM (SELECT id FROM hn_items ORDER BY v <-> '[12.1,4,1]' LIMIT 30) AS s;
ROLLBACK;
DROP INDEX hn_options;

-- an index may come before the rows; rows change
CREATE TABLE hn_later (id serial, v vector(2));
CREATE INDEX hn_later_idx ON hn_later USING hnsw (v vector_l2_ops);
SELECT id FROM hn_later ORDER BY v <-> '[1,1]' LIMIT 3;
INSERT INTO hn_later (v) SELECT ARRAY[i, i] FROM generate_series(1, 20) AS i;
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[7.2,7.2]' LIMIT 3);
UPDATE hn_later SET v = '[7.1,7.1]' WHERE id = 20;
DELETE FROM hn_later WHERE id IN (7, 8);
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[7.2,7.2]' LIMIT 3);
VACUUM hn_later;
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[7.2,7.2]' LIMIT 3);
BEGIN;
INSERT INTO hn_later (id, v) VALUES (100, '[7.2,7.2]');
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[7.2,7.2]' LIMIT 2);
ROLLBACK;
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[7.2,7.2]' LIMIT 2);
TRUNCATE hn_later;
SELECT count(*) FROM (SELECT id FROM hn_later ORDER BY v <-> '[1,1]' LIMIT 3) AS s;

-- rows without a vector are in no index, nor is the zero vector in one by cosine
INSERT INTO hn_later (id, v) VALUES (1, '[0,0]'), (2, NULL), (3, '[3,4]'), (4, '[4,3]');
SELECT array(SELECT id FROM hn_later ORDER BY v <-> '[1,1.1]' LIMIT 10);
DROP INDEX hn_later_idx;
CREATE INDEX hn_later_idx ON hn_later USING hnsw (v vector_cosine_ops);
SELECT array(SELECT id FROM hn_later ORDER BY v <=> '[1,1.1]' LIMIT 10);
DROP INDEX hn_later_idx;
CREATE INDEX hn_later_idx ON hn_later USING hnsw (v vector_ip_ops);
SELECT array(SELECT id FROM hn_later ORDER BY v <#> '[1,1.1]' LIMIT 10);

-- builds: in less memory than the graph needs, with workers or without, while rows are written
CREATE TABLE hn_many AS SELECT i AS id, ARRAY[i % 40, i / 40, 0, 0, 0, 0, 0, 0]::vector(8) AS v
FROM generate_series(0, 1599) AS i;
CREATE FUNCTION pg_temp.found() RETURNS int[] LANGUAGE sql AS $$
	SELECT array(SELECT id FROM hn_many ORDER BY v <-> '[20.1,30.2,0,0,0,0,0,0]' LIMIT 3)
$$;
SET maintenance_work_mem = '1MB';
CREATE INDEX hn_many_idx ON hn_many USING hnsw (v vector_l2_ops);
SELECT pg_temp.found();
SET maintenance_work_mem = '64MB';
SET max_parallel_maintenance_workers = 0;
REINDEX INDEX hn_many_idx;
SELECT pg_temp.found();
SET max_parallel_maintenance_workers = 7;
SET min_parallel_table_scan_size = 1;
DROP INDEX hn_many_idx;
CREATE INDEX CONCURRENTLY hn_many_idx ON hn_many USING hnsw (v vector_l2_ops);
SELECT pg_temp.found(), indisvalid FROM pg_index WHERE indexrelid = 'hn_many_idx'::regclass;
RESET maintenance_work_mem;
RESET max_parallel_maintenance_workers;

-- progress: a view with a row for each build, and what each phase is called
SELECT phase, round(100.0 * blocks_done / nullif(blocks_total, 0),
	1) AS "%" FROM pg_stat_progress_create_index;
SELECT n, test.phase_name(oid, n, name) FROM pg_am, unnest(ARRAY['initializing', 'loading vectors',
	'linking neighbors', 'writing pages', 'inserting beyond memory', NULL]) WITH ORDINALITY AS u (name, n)
WHERE amname = 'hnsw' ORDER BY n;

-- sizes
SELECT pg_relation_size('hn_many_idx') BETWEEN 100000 AND 3000000,
	pg_size_pretty(pg_relation_size('hn_many_idx')) LIKE '% kB';

DROP TABLE hn_items, hn_later, hn_many;
