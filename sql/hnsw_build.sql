--
-- hnsw: builds that don't fit memory, and builds by several processes
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- clusters, some rows without a vector, some with the vector of another
CREATE TABLE hb_items (id int, v vector(32));
INSERT INTO hb_items SELECT id, (SELECT array_agg(test.noise(-1 - same % 23, j) / 250.0
	+ test.noise(same, j) / 500.0 ORDER BY j)::vector FROM generate_series(1, 32) AS j)
FROM generate_series(1, 4000) AS id, LATERAL (SELECT CASE WHEN id % 10 = 0 THEN 1 + id % 70
	ELSE id END AS same) AS l;
UPDATE hb_items SET v = NULL WHERE id % 100 = 7;
DELETE FROM hb_items WHERE id % 50 = 3;
CREATE TABLE hb_queries AS SELECT id, v FROM hb_items WHERE id % 200 = 11;
CREATE TABLE hb_exact AS SELECT q.id, (SELECT max(d) FROM (SELECT i.v <-> q.v AS d FROM hb_items AS i
	WHERE i.v IS NOT NULL ORDER BY 1 LIMIT 10) AS s) AS farthest FROM hb_queries AS q;

-- How far the 10 nearest are by the index, and how many of them belong there
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION pg_temp.search() RETURNS TABLE (id int, found float8[], hits bigint) LANGUAGE sql AS $$
	SELECT e.id, f.* FROM hb_exact AS e JOIN hb_queries AS q USING (id),
		LATERAL (SELECT array_agg(d), count(*) FILTER (WHERE d <= farthest) FROM
			(SELECT i.id, i.v <-> q.v AS d FROM hb_items AS i ORDER BY i.v <-> q.v LIMIT 10) AS s) AS f
$$;
CREATE FUNCTION pg_temp.judge(OUT rows text, OUT problems bigint, OUT recall text)
	LANGUAGE plpgsql AS $$
BEGIN
	rows := (SELECT value FROM nanovec_index_info('hb_idx') WHERE property = 'rows');
	problems := (SELECT count(*) FROM nanovec_index_check('hb_idx'));
	recall := (SELECT CASE WHEN sum(hits) >= 9.5 * count(*) THEN 'good' ELSE sum(hits)::text END
		FROM pg_temp.search());
END $$;
SELECT count(v) FROM hb_items;

-- one process
SET max_parallel_maintenance_workers = 0;
SET maintenance_work_mem = '64MB';
CREATE INDEX hb_idx ON hb_items USING hnsw (v vector_l2_ops);
SELECT * FROM pg_temp.judge();
CREATE TABLE hb_first AS SELECT * FROM pg_temp.search();
CREATE FUNCTION pg_temp.same_answers() RETURNS boolean LANGUAGE sql AS $$
	SELECT bool_and(f.found = s.found) FROM hb_first AS f JOIN pg_temp.search() AS s USING (id)
$$;
-- again gives the same
REINDEX INDEX hb_idx;
SELECT pg_temp.same_answers();

-- more rows than fit: the rest is inserted, and a NOTICE not shown here says so
SET maintenance_work_mem = '1MB';
REINDEX INDEX hb_idx;
SELECT * FROM pg_temp.judge();
DROP INDEX hb_idx;
CREATE INDEX CONCURRENTLY hb_idx ON hb_items USING hnsw (v vector_l2_ops);
SELECT * FROM pg_temp.judge();
DROP INDEX hb_idx;
CREATE INDEX hb_idx ON hb_items USING hnsw (v vector_l2_ops) WITH (storage = float4, m = 32);
SELECT * FROM pg_temp.judge();

-- several processes
DROP INDEX hb_idx;
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
SET maintenance_work_mem = '200MB';
CREATE INDEX hb_idx ON hb_items USING hnsw (v vector_l2_ops);
SELECT * FROM pg_temp.judge();
-- which make the graph that one makes
SELECT pg_temp.same_answers();
REINDEX INDEX hb_idx;
SELECT * FROM pg_temp.judge();
SELECT pg_temp.same_answers();
DROP INDEX hb_idx;
CREATE INDEX CONCURRENTLY hb_idx ON hb_items USING hnsw (v vector_l2_ops);
SELECT * FROM pg_temp.judge();
REINDEX INDEX CONCURRENTLY hb_idx;
SELECT * FROM pg_temp.judge();
-- also when memory is short, for which they ask 32 MB each
DROP INDEX hb_idx;
ALTER TABLE hb_items SET (parallel_workers = 2);
SET maintenance_work_mem = '1MB';
CREATE INDEX hb_idx ON hb_items USING hnsw (v vector_l2_ops);
SELECT * FROM pg_temp.judge();
SET maintenance_work_mem = '200MB';
-- more processes than pages; no rows; one
CREATE TABLE hb_few (id int, v vector(3)) WITH (parallel_workers = 4);
CREATE INDEX hb_few_idx ON hb_few USING hnsw (v vector_l2_ops);
SELECT count(*) FROM nanovec_index_check('hb_few_idx');
INSERT INTO hb_few VALUES (1, '[1,2,3]'), (2, NULL);
REINDEX INDEX hb_few_idx;
SELECT id FROM hb_few ORDER BY v <-> '[1,2,3]' LIMIT 3;
TRUNCATE hb_few;
INSERT INTO hb_few SELECT i, '[1,2,3]' FROM generate_series(1, 200) AS i;
REINDEX INDEX hb_few_idx;
SET hnsw.iterative_scan = relaxed_order;
SELECT count(DISTINCT id) >= 180 FROM (SELECT id FROM hb_few ORDER BY v <-> '[1,2,3]' LIMIT 999) AS s;
SELECT count(*) FROM nanovec_index_check('hb_few_idx');
RESET hnsw.iterative_scan;

-- after each, changes go on as ever
DELETE FROM hb_items WHERE id % 3 = 0;
VACUUM hb_items;
INSERT INTO hb_items SELECT id + 5000, v FROM hb_items WHERE id % 3 = 1;
SELECT count(*) FROM nanovec_index_check('hb_idx');

-- a vector that can't be indexed ends the build, in whatever process
ALTER TABLE hb_items ADD free vector;
UPDATE hb_items SET free = '[1,2]' WHERE id <> 1001;
UPDATE hb_items SET free = '[1,2,3]' WHERE id = 1001;
CREATE INDEX hb_failed ON hb_items USING hnsw ((free::vector(2)) vector_l2_ops);
SET max_parallel_maintenance_workers = 0;
CREATE INDEX hb_failed ON hb_items USING hnsw ((free::vector(2)) vector_l2_ops);
SELECT to_regclass('hb_failed') IS NULL;

-- an interrupted build leaves nothing behind
SET statement_timeout = '1ms';
CREATE INDEX hb_failed ON hb_items USING hnsw (v vector_cosine_ops);
RESET statement_timeout;
SELECT to_regclass('hb_failed') IS NULL;

-- by the inner product, vectors of one length are linked as by L2, also beside shorter ones;
-- and beside a longer one by the product
CREATE TABLE hb_unit (id int, v vector(256));
SELECT setseed(.5);
INSERT INTO hb_unit SELECT i, l2_normalize(ARRAY(SELECT random() - .5 + (i % 40 = d % 40)::int FROM generate_series(1, 256) AS d)::vector)
	FROM generate_series(1, 2500) AS i;
CREATE INDEX hb_unit_idx ON hb_unit USING hnsw (v vector_ip_ops);
SELECT recall >= 0.97 FROM nanovec_index_recall('hb_unit_idx', queries => 100);
SELECT count(*) FROM nanovec_index_check('hb_unit_idx');
UPDATE hb_unit SET v = v - v WHERE id % 50 = 1;
REINDEX INDEX hb_unit_idx;
SELECT recall >= 0.97 FROM nanovec_index_recall('hb_unit_idx', (SELECT array_agg(v) FROM hb_unit WHERE id % 25 = 3));
CREATE FUNCTION pg_temp.find_longer(longer int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found int;
	problems int;
	recalled bool;
BEGIN
	UPDATE hb_unit SET v = v + v + v WHERE id = longer;
	REINDEX INDEX hb_unit_idx;
	SELECT id INTO found FROM hb_unit ORDER BY v <#> (SELECT v FROM hb_unit WHERE id = longer) LIMIT 1;
	SELECT count(*) INTO problems FROM nanovec_index_check('hb_unit_idx');
	SELECT recall >= 0.97 INTO recalled FROM nanovec_index_recall('hb_unit_idx',
		(SELECT array_agg(v) FROM hb_unit WHERE id % 25 = 3));
	RETURN format('%s %s %s', found = longer, problems, recalled);
END $$;
SELECT pg_temp.find_longer(i * 333) FROM generate_series(2, 7) AS i;
-- the sample does not meet the ten longer ones, nor would neighbors by L2 lead to them
CREATE TABLE hb_long (id int, v vector(16)) WITH (fillfactor = 10);
SELECT setseed(.5);
INSERT INTO hb_long SELECT i, CASE WHEN i BETWEEN 1000 AND 1009 THEN u + u ELSE u END
	FROM (SELECT i, l2_normalize(ARRAY(SELECT random() + random() + random() - 1.5 + 0 * i FROM generate_series(1, 16))::vector) AS u
		FROM generate_series(1, 12000) AS i) AS s;
CREATE INDEX hb_long_idx ON hb_long USING hnsw (v vector_ip_ops);
SELECT recall >= 0.99 FROM nanovec_index_recall('hb_long_idx', (SELECT array_agg(v) FROM hb_long WHERE id % 50 = 3));
-- lengths of several orders of magnitude, with zeros and rows that have the same vector; as codes,
-- of 16 bits and as floats; a thousand rows are one leaf, fewer than a sample have none
CREATE TABLE hb_norms (id int, v vector(64));
SELECT setseed(.5);
INSERT INTO hb_norms SELECT i, CASE WHEN i % 97 = 0 THEN u - u
		ELSE u * array_fill(exp((i % 11)::float8 - 5), ARRAY[64])::vector END
	FROM (SELECT i, ARRAY(SELECT random() + random() + random() - 1.5 + 0 * i + (i % 30 = d % 30)::int
		FROM generate_series(1, 64) AS d)::vector AS u FROM generate_series(1, 5000) AS i) AS s;
INSERT INTO hb_norms SELECT 5000 + i, v FROM hb_norms, generate_series(1, 30) AS i WHERE id IN (10, 11, 12);
CREATE FUNCTION pg_temp.link_norms(storage text, processes int, rows int DEFAULT 9999)
	RETURNS TABLE (recalled bool, problems bigint, answers bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_maintenance_workers', (processes - 1)::text, true);
	EXECUTE format('CREATE INDEX hb_norms_idx ON hb_norms USING hnsw (v vector_ip_ops)
		WITH (storage = %s) WHERE id < %s', storage, rows);
	RETURN QUERY SELECT
		(SELECT recall >= 0.98 FROM nanovec_index_recall('hb_norms_idx',
			(SELECT array_agg(v) FROM hb_norms WHERE id % 25 = 3))),
		(SELECT count(*) FROM nanovec_index_check('hb_norms_idx')),
		(SELECT sum(hashtext(a.found::text)) FROM hb_norms AS q, LATERAL (SELECT array_agg(d) AS found FROM
			(SELECT v <#> q.v AS d FROM hb_norms WHERE id < rows ORDER BY v <#> q.v LIMIT 10) AS s) AS a WHERE q.id % 50 = 7);
	DROP INDEX hb_norms_idx;
END $$;
SELECT storage, processes, recalled, problems, answers = lag(answers) OVER (PARTITION BY storage ORDER BY processes) AS same
	FROM unnest(ARRAY['sq8', 'sq16', 'float4']) AS storage, generate_series(1, 3, 2) AS processes,
		pg_temp.link_norms(storage, processes) ORDER BY storage, processes;
SELECT rows, recalled, problems FROM unnest(ARRAY[2, 3, 60, 900]) AS rows, pg_temp.link_norms('auto', 1, rows) ORDER BY rows;
-- tight clusters: the longest vectors are all of a few, and a way has to lead to the others
CREATE FUNCTION pg_temp.find_clusters(seed float8) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	found float8;
BEGIN
	PERFORM setseed(seed);
	CREATE TABLE hb_centers AS SELECT i, ARRAY(SELECT sqrt(-2 * ln(1 - random())) * cos(6.2831853 * random()) + 0 * i
		FROM generate_series(1, 16))::vector(16) AS c FROM generate_series(0, 19) AS i;
	CREATE TABLE hb_clusters (id int, v vector(16));
	INSERT INTO hb_clusters SELECT j, c + ARRAY(SELECT (random() - .5) * .02 + 0 * j FROM generate_series(1, 16))::vector
		FROM generate_series(1, 4000) AS j JOIN hb_centers ON i = j % 20;
	CREATE INDEX hb_clusters_idx ON hb_clusters USING hnsw (v vector_ip_ops);
	SELECT recall INTO found FROM nanovec_index_recall('hb_clusters_idx', (SELECT array_agg(c) FROM hb_centers));
	DROP TABLE hb_centers, hb_clusters;
	RETURN found;
END $$;
SELECT sum(pg_temp.find_clusters(i / 10.0)) FROM generate_series(1, 8) AS i;
-- products and squares of lengths that are too large for a float
CREATE TABLE hb_huge (id int, v vector(8));
SELECT setseed(.5);
INSERT INTO hb_huge SELECT i, ARRAY(SELECT (random() - .5) * CASE WHEN i % 3 = 0 THEN 1e30 ELSE 1 END FROM generate_series(1, 8))::vector
	FROM generate_series(1, 1500) AS i;
CREATE INDEX hb_huge_idx ON hb_huge USING hnsw (v vector_ip_ops);
SELECT count(*) FROM nanovec_index_check('hb_huge_idx');
SELECT count(*) FROM (SELECT id FROM hb_huge ORDER BY v <#> '[1,2,3,4,5,6,7,8]' LIMIT 1500) AS s;
DROP TABLE hb_items, hb_queries, hb_exact, hb_first, hb_few, hb_unit, hb_long, hb_norms, hb_huge;
