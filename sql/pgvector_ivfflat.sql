--
-- As users of pgvector do it: ivfflat indexes, for each distance and type,
-- with their options and settings; how they are built
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;
SET client_min_messages = warning;

-- 100 rows near four places that are far from each other
CREATE TABLE iv_items (id int PRIMARY KEY, v vector(4), h halfvec(4), b bit(64));
INSERT INTO iv_items SELECT i, v, v, b FROM generate_series(0, 99) AS i,
	LATERAL (SELECT array_agg(CASE j WHEN i % 4 THEN 200 WHEN (i + 1) % 4 THEN i / 4 ELSE 0 END
		ORDER BY j)::vector(4) AS v, string_agg(CASE WHEN j = i % 4 THEN repeat('1', 8)
		|| (i / 4)::bit(8)::text ELSE repeat('0', 16) END, '' ORDER BY j)::bit(64) AS b
		FROM generate_series(0, 3) AS j) AS l;
ANALYZE iv_items;
SELECT id, v, b FROM iv_items WHERE id IN (0, 5, 99) ORDER BY id;

-- Makes an index of a class, and asks for what is nearest to row 41: is the index used, what is
-- first, are all as in an exact search?
CREATE FUNCTION pg_temp.try_class(class text, operator text, OUT used boolean, OUT id int,
	OUT exact boolean) LANGUAGE plpgsql AS $$
DECLARE
	col text := left(class, 1);
	query text := format('SELECT id FROM iv_items ORDER BY %1$I %2$s (SELECT %1$I FROM iv_items
		WHERE id = 41) LIMIT 5', col, operator);
	distances text := format('SELECT array(SELECT %1$I %2$s (SELECT %1$I
		FROM iv_items WHERE id = 41)
		FROM iv_items WHERE id = ANY ($1) ORDER BY 1)', col, operator);
	near int[]; found int[]; a float8[]; b float8[];
BEGIN
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('SELECT array(%s)', query) INTO near;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_indexscan = on;
	EXECUTE format('CREATE INDEX iv_class ON iv_items USING ivfflat (%I %I) WITH (lists = 4)', col,
		class);
	used := EXISTS (SELECT FROM test.plan_of(query) AS line WHERE line LIKE '%using iv_class%');
	EXECUTE format('SELECT array(%s)', query) INTO found;
	EXECUTE distances INTO a USING found;
	EXECUTE distances INTO b USING near;
	id := found[1];
	exact := a = b;
	DROP INDEX iv_class;
END $$;
SELECT c, o, t.*
FROM (VALUES (1, 'vector_l2_ops', '<->'), (2, 'vector_ip_ops', '<#>'), (3, 'vector_cosine_ops',
	'<=>'),
	(4, 'halfvec_l2_ops', '<->'), (5, 'halfvec_ip_ops', '<#>'), (6, 'halfvec_cosine_ops', '<=>'),
	(7, 'bit_hamming_ops', '<~>')) AS d (n, c, o), pg_temp.try_class(c, o) AS t ORDER BY n;
-- there are none for the others
SELECT test.errors_of(ARRAY['CREATE INDEX ON iv_items USING ivfflat (v vector_l1_ops)',
	'CREATE INDEX ON iv_items USING ivfflat (b bit_jaccard_ops)',
	'CREATE INDEX ON iv_items USING ivfflat ((v::sparsevec(4)) sparsevec_l2_ops)']);

-- the number of lists
CREATE INDEX iv_lists ON iv_items USING ivfflat (v vector_l2_ops) WITH (lists = 4);
SELECT reloptions FROM pg_class WHERE relname = 'iv_lists';
ALTER INDEX iv_lists SET (lists = 8);
REINDEX INDEX iv_lists;
SELECT reloptions FROM pg_class WHERE relname = 'iv_lists';
ALTER INDEX iv_lists SET (lists = 4);
REINDEX INDEX iv_lists;

-- how many of them a scan reads: with one, those of the nearest group; with all, everything
SHOW ivfflat.probes;
SELECT array(SELECT id FROM iv_items ORDER BY v <-> '[0,200,0,0]' LIMIT 3);
CREATE FUNCTION pg_temp.count_groups(OUT rows bigint, OUT groups bigint) LANGUAGE sql AS $$
	SELECT count(*), count(DISTINCT id % 4) FROM (SELECT id FROM iv_items ORDER BY v
		<-> '[0,200,0,0]'
		LIMIT 200) AS s
$$;
SELECT * FROM pg_temp.count_groups();
SET ivfflat.probes = 2;
SELECT * FROM pg_temp.count_groups();
RESET ivfflat.probes;
BEGIN;
SET LOCAL ivfflat.probes = 10;
SHOW ivfflat.probes;
SELECT * FROM pg_temp.count_groups();
-- then the planner need not use the index
RESET enable_seqscan;
SELECT test.uses_index('SELECT id FROM iv_items ORDER BY v <-> ''[0,200,0,0]'' LIMIT 3');
COMMIT;
SHOW ivfflat.probes;
SET enable_seqscan = off;

-- rows change
INSERT INTO iv_items (id, v) VALUES (1000, '[0,200,0,0.5]');
UPDATE iv_items SET v = '[0,200,0,0.25]' WHERE id = 0;
DELETE FROM iv_items WHERE id = 1;
SELECT array(SELECT id FROM iv_items ORDER BY v <-> '[0,200,0,0]' LIMIT 3);
VACUUM iv_items;
SELECT array(SELECT id FROM iv_items ORDER BY v <-> '[0,200,0,0]' LIMIT 3);

-- rows without a vector are in no index, nor is the zero vector in one by cosine
INSERT INTO iv_items (id, v) VALUES (2000, NULL), (2001, '[0,0,0,0]');
SET ivfflat.probes = 4;
SELECT count(*), count(*) FILTER (WHERE id >= 2000) FROM (SELECT id FROM iv_items
	ORDER BY v <-> '[1,1,1,1]' LIMIT 200) AS s;
DROP INDEX iv_lists;
CREATE INDEX iv_lists ON iv_items USING ivfflat (v vector_cosine_ops) WITH (lists = 4);
SELECT count(*), count(*) FILTER (WHERE id >= 2000) FROM (SELECT id FROM iv_items
	ORDER BY v <=> '[1,1,1,1]' LIMIT 200) AS s;
RESET ivfflat.probes;

-- builds: with workers or without, while rows are written
CREATE TABLE iv_many AS SELECT i AS id, ARRAY[i / 100 * 1000, i % 100, 0]::vector(3) AS v
FROM generate_series(0, 4999) AS i;
CREATE FUNCTION pg_temp.found() RETURNS int[] LANGUAGE sql
	AS 'SELECT array(SELECT id FROM iv_many ORDER BY v <-> ''[7000,50.2,0]'' LIMIT 3)';
SET max_parallel_maintenance_workers = 0;
CREATE INDEX iv_many_idx ON iv_many USING ivfflat (v vector_l2_ops) WITH (lists = 5);
SELECT pg_temp.found();
SET max_parallel_maintenance_workers = 7;
SET min_parallel_table_scan_size = 1;
REINDEX INDEX iv_many_idx;
SELECT pg_temp.found();
DROP INDEX iv_many_idx;
CREATE INDEX CONCURRENTLY iv_many_idx ON iv_many USING ivfflat (v vector_l2_ops) WITH (lists = 5);
SELECT pg_temp.found(), indisvalid FROM pg_index WHERE indexrelid = 'iv_many_idx'::regclass;
RESET max_parallel_maintenance_workers;

-- an index that was made of too few rows finds more after REINDEX, or when it is dropped
CREATE TABLE iv_early (id int, v vector(2));
CREATE INDEX iv_early_idx ON iv_early USING ivfflat (v vector_l2_ops) WITH (lists = 10);
INSERT INTO iv_early SELECT i, ARRAY[i % 10 * 1000, i] FROM generate_series(1, 200) AS i;
REINDEX INDEX iv_early_idx;
SELECT array(SELECT id FROM iv_early ORDER BY v <-> '[3000,42]' LIMIT 5);
DROP INDEX iv_early_idx;
SELECT array(SELECT id FROM iv_early ORDER BY v <-> '[3000,42]' LIMIT 5);

-- progress: a view with a row for each build, and what each phase is called
SELECT phase, round(100.0 * tuples_done / nullif(tuples_total, 0),
	1) AS "%" FROM pg_stat_progress_create_index;
SELECT n, test.phase_name(oid, n, name) FROM pg_am, unnest(ARRAY['initializing', 'sampling table',
	'performing k-means', 'assigning tuples', 'loading tuples', NULL]) WITH ORDINALITY AS u (name, n)
WHERE amname = 'ivfflat' ORDER BY n;

DROP TABLE iv_items, iv_many, iv_early;
