--
-- hnsw indexes of many vectors a row, by MaxSim
--
\pset format unaligned
SET client_min_messages = warning;
-- a vector near one of some topics; a row has some of a few topics
CREATE FUNCTION pg_temp.topic(t int, seed int) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(((test.noise(t + 5000, j) - 500) + 0.5 * (test.noise(seed, j) - 500)) / 500.0 ORDER BY j)::vector
	FROM generate_series(1, 32) AS j
$$;
CREATE FUNCTION pg_temp.vectors(seed int, n int) RETURNS vector[] LANGUAGE sql AS $$
	SELECT array_agg(pg_temp.topic(test.noise(seed, i) % 60, seed * 31 + i) ORDER BY i) FROM generate_series(1, n) AS i
$$;
CREATE TABLE hm_items (id int PRIMARY KEY, tenant int, e vector(32)[]) WITH (autovacuum_enabled = off);
INSERT INTO hm_items SELECT i, i % 5, pg_temp.vectors(i, 2 + i % 9) FROM generate_series(1, 1200) AS i;
-- what is not in an index
INSERT INTO hm_items VALUES (-1, 0, NULL), (-2, 0, '{}');
CREATE TABLE hm_queries AS SELECT i AS n, pg_temp.vectors(20000 + i, 1 + i % 12) AS q FROM generate_series(1, 30) AS i;

-- of the k nearest rows of each query, the part that comes, whether each comes once and in order
CREATE FUNCTION pg_temp.judge(k int, condition text DEFAULT 'true', OUT recall numeric, OUT sound boolean)
LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	EXECUTE format('CREATE TEMP TABLE found AS SELECT n, f.* FROM hm_queries, LATERAL (SELECT id, e @# q AS d,
		row_number() OVER () AS place FROM hm_items WHERE %s ORDER BY e @# q LIMIT %s) AS f', condition, k);
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_sort = on;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('CREATE TEMP TABLE nearest AS SELECT n, f.* FROM hm_queries, LATERAL (SELECT id, e @# q AS d
		FROM hm_items WHERE (%s) AND (e @# q) IS NOT NULL ORDER BY e @# q LIMIT %s) AS f', condition, k);
	SET LOCAL enable_indexscan = on;
	SELECT (SELECT count(*) FROM (SELECT n, id FROM found INTERSECT SELECT n, id FROM nearest) AS s)
		/ count(*)::numeric INTO recall FROM nearest;
	SELECT count(*) = count(DISTINCT (n, id)) AND bool_and(d >= last IS NOT FALSE) INTO sound
		FROM (SELECT *, lag(d) OVER (PARTITION BY n ORDER BY place) AS last FROM found) AS s;
	DROP TABLE found, nearest;
END $$;
-- definitions
SELECT * FROM test.errors_of(ARRAY[
	'CREATE INDEX ON hm_items USING hnsw (e)',
	'CREATE INDEX ON hm_items USING hnsw (e vector_ip_ops)',
	'CREATE INDEX ON hm_items USING hnsw (e halfvec_maxsim_ops)',
	'CREATE INDEX ON hm_items USING ivf (e vector_maxsim_ops)',
	'CREATE INDEX ON hm_items USING hnsw ((e::vector[]) vector_maxsim_ops)']);
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname LIKE '%maxsim_ops' ORDER BY 1;

-- built on the rows
CREATE INDEX hm_idx ON hm_items USING hnsw (e vector_maxsim_ops);
-- all in one: recall is good, where hundreds of rows are about as near as the nearest, and the index has no problems
CREATE FUNCTION pg_temp.state(OUT good boolean, OUT sound boolean, OUT problems bigint) LANGUAGE sql AS $$
	SELECT bool_and(recall >= 0.9), bool_and(j.sound), (SELECT count(*) FROM nanovec_index_check('hm_idx'))
	FROM unnest('{10,50}'::int[]) AS k, pg_temp.judge(k) AS j
$$;
SET enable_seqscan = off;
SELECT test.plan_of($$SELECT id FROM hm_items ORDER BY e @# '{"[1,2]"}' LIMIT 10$$);
RESET enable_seqscan;
SELECT * FROM pg_temp.state();
SELECT property, value FROM nanovec_index_info('hm_idx') WHERE property IN ('type', 'vectors of rows');
SELECT sum(cardinality(e)) AS vectors FROM hm_items;
SELECT reltuples FROM pg_class WHERE relname = 'hm_idx';
-- with several processes the same
SELECT pg_relation_size('hm_idx') AS bytes \gset
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
ALTER TABLE hm_items SET (parallel_workers = 2);
REINDEX INDEX hm_idx;
SELECT *, pg_relation_size('hm_idx') = :bytes AS same_size FROM pg_temp.state();
-- and where memory ends before the rows do
SET maintenance_work_mem = '1MB';
REINDEX INDEX hm_idx;
SELECT * FROM pg_temp.state();
RESET maintenance_work_mem;
ALTER TABLE hm_items RESET (parallel_workers);

-- made first, and filled by inserts
CREATE TABLE hm_pool AS TABLE hm_items;
TRUNCATE hm_items;
REINDEX INDEX hm_idx;
INSERT INTO hm_items TABLE hm_pool;
SELECT * FROM pg_temp.state();
-- updates, deletes; all vectors of a dead row go
UPDATE hm_items SET e = pg_temp.vectors(id + 3000, 2 + id % 9) WHERE id % 4 = 1;
DELETE FROM hm_items WHERE id % 4 = 2;
SELECT * FROM pg_temp.state();
VACUUM hm_items;
SELECT * FROM pg_temp.state();
SELECT (SELECT value::int FROM nanovec_index_info('hm_idx') WHERE property = 'vectors of rows')
	= (SELECT sum(cardinality(e)) FROM hm_items) AS none_left;
-- an update that changes nothing of the column makes no entries
UPDATE hm_items SET tenant = tenant WHERE id = 3;
SELECT (SELECT value::int FROM nanovec_index_info('hm_idx') WHERE property = 'vectors of rows')
	- (SELECT sum(cardinality(e)) FROM hm_items) AS more_entries;
DELETE FROM hm_items WHERE id > 0;
VACUUM hm_items;
SELECT count(*) FROM nanovec_index_check('hm_idx');
SELECT id FROM hm_items WHERE id > 0 ORDER BY e @# (SELECT q FROM hm_queries WHERE n = 1);
INSERT INTO hm_items SELECT * FROM hm_pool WHERE id > 0;
SELECT * FROM pg_temp.state();

-- a scan goes on until all rows went out, and stops when it may not
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION pg_temp.rows(k text, OUT rows bigint, OUT once boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), count(*) = count(DISTINCT id) FROM (SELECT id FROM hm_items
		ORDER BY e @# (SELECT q FROM hm_queries WHERE n = 7) LIMIT %s) AS s', k) INTO rows, once;
END $$;
SET hnsw.iterative_scan = relaxed_order;
SELECT k, r.* FROM unnest('{10,300,1199,all}'::text[]) WITH ORDINALITY AS u (k, n), pg_temp.rows(k) AS r ORDER BY n;
SET hnsw.iterative_scan = strict_order;
SELECT k, rows >= least AS enough, once FROM (VALUES ('10', 10), ('300', 300), ('all', 1100)) AS u (k, least), pg_temp.rows(k) AS r;
SET hnsw.iterative_scan = off;
SET hnsw.ef_search = 5;
SELECT k, rows BETWEEN 10 AND 300 AS few, once FROM unnest('{10,all}'::text[]) WITH ORDINALITY AS u (k, n), pg_temp.rows(k) AS r ORDER BY n;
RESET hnsw.ef_search;
SET hnsw.iterative_scan = relaxed_order;
SET hnsw.max_scan_tuples = 100;
SELECT rows BETWEEN 100 AND 700 AS some, once FROM pg_temp.rows('all');
RESET hnsw.max_scan_tuples;
-- a condition that the index does not know: rows go on coming
SET hnsw.iterative_scan = strict_order;
SELECT count(*) FROM (SELECT id FROM hm_items WHERE id % 100 = 7 ORDER BY e @# (SELECT q FROM hm_queries WHERE n = 7) LIMIT 10) AS s;
RESET hnsw.iterative_scan;
-- two orders: the second has no index, and counts where the first is equal
SELECT id FROM hm_items ORDER BY e @# (SELECT q FROM hm_queries WHERE n = 3), e @# (SELECT q FROM hm_queries WHERE n = 4) LIMIT 3;
SELECT id FROM (SELECT id, e @# (SELECT q FROM hm_queries WHERE n = 3) AS d FROM hm_items) AS s ORDER BY d LIMIT 3;
-- back to the start
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM hm_items ORDER BY e @# (SELECT q FROM hm_queries WHERE n = 3) LIMIT 20;
MOVE 5 IN c;
MOVE ABSOLUTE 0 IN c;
MOVE 5 IN c;
COMMIT;

-- without a distance: rows in any order, each once
SELECT count(*), count(DISTINCT id), count(d) AS distances FROM (SELECT id, e @# NULL AS d FROM hm_items ORDER BY e @# NULL LIMIT 50) AS s;
SELECT count(*), count(DISTINCT id), count(d) AS distances FROM (SELECT id, e @# '{}' AS d FROM hm_items ORDER BY e @# '{}' LIMIT 50) AS s;
-- queries that do not suit
SELECT * FROM test.errors_of(ARRAY[
	$$SELECT id FROM hm_items ORDER BY e @# '{"[1,2]"}' LIMIT 1$$,
	$$SELECT id FROM hm_items ORDER BY e @# (SELECT array_append(q, NULL) FROM hm_queries LIMIT 1) LIMIT 1$$,
	$$SELECT id FROM hm_items ORDER BY e @# (SELECT q || '[1,2]'::vector FROM hm_queries LIMIT 1) LIMIT 1$$,
	$$SELECT id FROM hm_items ORDER BY e @# (SELECT array_agg(q[1]) FROM hm_queries, generate_series(1, 137)) LIMIT 1$$]);
-- rows that do not suit, in a live index and in a build
SELECT * FROM test.errors_of(ARRAY[
	$$INSERT INTO hm_items SELECT -3, 0, array_append(q, NULL) FROM hm_queries LIMIT 1$$,
	$$INSERT INTO hm_items SELECT -4, 0, array_fill(q[1], '{4097}') FROM hm_queries LIMIT 1$$]);
CREATE TABLE hm_loose (e vector[]);
INSERT INTO hm_loose SELECT ARRAY['[1,2]', '[1,2,3]']::vector[];
SELECT test.error_of('CREATE INDEX ON hm_loose USING hnsw (e vector_maxsim_ops)');
SELECT test.error_of('CREATE INDEX ON hm_loose USING hnsw ((e::vector(2)[]) vector_maxsim_ops)');
TRUNCATE hm_loose;
INSERT INTO hm_loose SELECT array_fill('[1,2]'::vector, '{4097}');
SELECT test.error_of('CREATE INDEX ON hm_loose USING hnsw ((e::vector(2)[]) vector_maxsim_ops)');
TRUNCATE hm_loose;
CREATE INDEX hm_loose_idx ON hm_loose USING hnsw ((e::vector(2)[]) vector_maxsim_ops);
-- as many as there may be, most of them the same: an entry is enough for these
INSERT INTO hm_loose SELECT array_fill('[1,2]'::vector, '{4095}') || '[3,4]'::vector;
INSERT INTO hm_loose SELECT array_fill('[1,2]'::vector, '{20}') FROM generate_series(1, 30);
SELECT property, value FROM nanovec_index_info('hm_loose_idx') WHERE property IN ('vectors of rows', 'nodes');
SELECT count(*), count(DISTINCT ctid) FROM (SELECT ctid FROM hm_loose ORDER BY e::vector(2)[] @# '{"[1,1]","[1,0]"}' LIMIT 100) AS s;
SELECT count(*) FROM nanovec_index_check('hm_loose_idx');
REINDEX INDEX hm_loose_idx;
SELECT property, value FROM nanovec_index_info('hm_loose_idx') WHERE property IN ('vectors of rows', 'nodes');
SELECT count(*), count(DISTINCT ctid) FROM (SELECT ctid FROM hm_loose ORDER BY e::vector(2)[] @# '{"[1,1]","[1,0]"}' LIMIT 100) AS s;
SELECT count(*) FROM nanovec_index_check('hm_loose_idx');
-- a vector of the query that is there twice counts twice
SELECT e::vector(2)[] @# '{"[1,0]","[1,0]"}' AS d FROM hm_loose ORDER BY e::vector(2)[] @# '{"[1,0]","[1,0]"}' LIMIT 2;

-- columns beside it, to filter by
DROP INDEX hm_idx;
CREATE INDEX hm_idx ON hm_items USING hnsw (e vector_maxsim_ops, tenant, id);
SELECT test.plan_of($$SELECT id FROM hm_items WHERE tenant = 3 AND id > 100 ORDER BY e @# '{"[1,2]"}' LIMIT 10$$);
SELECT c, recall >= 0.9 AS good, sound FROM unnest('{tenant = 3,id < 60,tenant IN (1\,2) AND id > 600,true}'::text[]) AS c,
	pg_temp.judge(10, c);
SELECT count(*) FROM nanovec_index_check('hm_idx');
UPDATE hm_items SET tenant = 7 WHERE id % 50 = 0;
VACUUM hm_items;
SELECT c, recall >= 0.9 AS good, sound FROM unnest('{tenant = 7,tenant < 7}'::text[]) AS c, pg_temp.judge(10, c);
SELECT count(*) FROM nanovec_index_check('hm_idx');

-- halves, part of the rows, unlogged
CREATE UNLOGGED TABLE hm_halves (id int, e halfvec(32)[]);
INSERT INTO hm_halves SELECT id, e::halfvec[] FROM hm_items WHERE id > 0;
CREATE INDEX hm_halves_idx ON hm_halves USING hnsw (e halfvec_maxsim_ops) WHERE id % 2 = 0;
WITH found AS MATERIALIZED (SELECT id FROM hm_halves WHERE id % 2 = 0
		ORDER BY e @# (SELECT q::halfvec[] FROM hm_queries WHERE n = 9) LIMIT 20),
	nearest AS MATERIALIZED (SELECT id FROM (SELECT id, e @# (SELECT q::halfvec[] FROM hm_queries WHERE n = 9) AS d
		FROM hm_halves WHERE id % 2 = 0) AS s ORDER BY d LIMIT 20)
SELECT count(*) >= 19 AS good FROM found JOIN nearest USING (id);
SELECT count(*) FROM nanovec_index_check('hm_halves_idx');
DROP TABLE hm_items, hm_pool, hm_queries, hm_loose, hm_halves;
