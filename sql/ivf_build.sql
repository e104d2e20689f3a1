--
-- ivf: builds by several processes, in little memory, of many lists
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

CREATE TABLE ib_items (id int, v vector(32));
INSERT INTO ib_items SELECT id, (SELECT array_agg(test.noise(-1 - id % 23, j) / 250.0
	+ test.noise(id, j) / 500.0 ORDER BY j)::vector FROM generate_series(1, 32) AS j)
FROM generate_series(1, 6000) AS id;
UPDATE ib_items SET v = NULL WHERE id % 100 = 7;
DELETE FROM ib_items WHERE id % 50 = 3;
CREATE TABLE ib_queries AS SELECT id, v FROM ib_items WHERE id % 200 = 11;
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION pg_temp.search() RETURNS TABLE (id int, found int[]) LANGUAGE sql AS $$
	SELECT q.id, (SELECT array_agg(s.id) FROM (SELECT i.id FROM ib_items AS i
		ORDER BY i.v <-> q.v LIMIT 10) AS s) FROM ib_queries AS q
$$;
-- rows, problems, and how many of the nearest are found
CREATE FUNCTION pg_temp.judge() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s rows, %s problems, recall %s',
		(SELECT value FROM nanovec_index_info('ib_idx') WHERE property = 'rows'),
		(SELECT count(*) FROM nanovec_index_check('ib_idx')),
		(SELECT CASE WHEN avg(cardinality(ARRAY(SELECT unnest(s.found) INTERSECT SELECT unnest(e.found)))) >= 9.5
			THEN 'good' ELSE 'bad' END FROM pg_temp.search() AS s JOIN ib_exact AS e USING (id)))
$$ SET check_function_bodies = off;
SET enable_indexscan = off;
SET enable_sort = on;
CREATE TABLE ib_exact AS SELECT * FROM pg_temp.search();
RESET enable_indexscan;
SET enable_sort = off;

SET max_parallel_maintenance_workers = 0;
CREATE INDEX ib_idx ON ib_items USING ivf (v vector_l2_ops) WITH (lists = 300);
SELECT pg_temp.judge();
CREATE TABLE ib_first AS SELECT * FROM pg_temp.search();
CREATE FUNCTION pg_temp.same_answers() RETURNS boolean LANGUAGE sql AS $$
	SELECT bool_and(f.found = s.found) FROM ib_first AS f JOIN pg_temp.search() AS s USING (id)
$$;
REINDEX INDEX ib_idx;
SELECT pg_temp.same_answers();
-- several processes find the same lists
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
SET maintenance_work_mem = '200MB';
REINDEX INDEX ib_idx;
SELECT pg_temp.same_answers(), pg_temp.judge();
REINDEX INDEX CONCURRENTLY ib_idx;
SELECT pg_temp.judge();
DROP INDEX ib_idx;
CREATE INDEX CONCURRENTLY ib_idx ON ib_items USING ivf (v vector_l2_ops);
SELECT pg_temp.judge();
-- workers that start late, or never
SET max_parallel_workers = 0;
REINDEX INDEX ib_idx;
SELECT pg_temp.judge();
RESET max_parallel_workers;
-- more processes than pages; no rows; one; rows that are all the same
CREATE TABLE ib_few (id int, v vector(3)) WITH (parallel_workers = 4);
CREATE INDEX ib_few_idx ON ib_few USING ivf (v vector_l2_ops);
INSERT INTO ib_few VALUES (1, '[1,2,3]'), (2, NULL);
REINDEX INDEX ib_few_idx;
SELECT id FROM ib_few ORDER BY v <-> '[1,2,3]' LIMIT 3;
INSERT INTO ib_few SELECT i, '[1,2,3]' FROM generate_series(3, 2000) AS i;
REINDEX INDEX ib_few_idx;
SELECT count(DISTINCT id) FROM (SELECT id FROM ib_few ORDER BY v <-> '[1,2,3]' LIMIT 3000) AS s;
SELECT value FROM nanovec_index_info('ib_few_idx') WHERE property = 'lists';
SELECT count(*) FROM nanovec_index_check('ib_few_idx');
-- a partial index whose rows are all in one place, which a look at some pages may not find
CREATE TABLE ib_part (id int, v vector(3), filler text);
ALTER TABLE ib_part ALTER filler SET STORAGE PLAIN;
INSERT INTO ib_part SELECT i, NULL, repeat('x', 7000) FROM generate_series(1, 1500) AS i;
INSERT INTO ib_part SELECT i, ARRAY[test.noise(i, 1), test.noise(i, 2), test.noise(i, 3)]::vector
FROM generate_series(1, 1500) AS i;
CREATE INDEX ib_part_idx ON ib_part USING ivf (v vector_l2_ops) WITH (lists = 50);
SELECT value FROM nanovec_index_info('ib_part_idx') WHERE property = 'lists';
CREATE INDEX ib_part_auto ON ib_part USING ivf (v vector_l2_ops);
SELECT value::int BETWEEN 5 AND 20 FROM nanovec_index_info('ib_part_auto') WHERE property = 'lists';
-- more lists than rows, and than memory has room for
CREATE TABLE ib_wide AS SELECT i AS id, (SELECT array_agg(test.noise(i, j)) FROM generate_series(1, 400) AS j)::vector(400) AS v
FROM generate_series(1, 1000) AS i;
SET maintenance_work_mem = '2MB';
SET client_min_messages = notice;
CREATE INDEX ib_wide_idx ON ib_wide USING ivf (v vector_l2_ops) WITH (lists = 200);
CREATE INDEX ib_wide_idx ON ib_wide USING ivf (v vector_l2_ops) WITH (lists = 100);
SELECT property, value FROM nanovec_index_info('ib_wide_idx') WHERE property IN ('lists', 'advice');
DELETE FROM ib_wide WHERE id > 20;
DROP INDEX ib_wide_idx;
CREATE INDEX ib_wide_idx ON ib_wide USING ivf (v vector_l2_ops) WITH (lists = 32768);
RESET client_min_messages;
RESET maintenance_work_mem;

-- little memory: a smaller sample
ALTER TABLE ib_items SET (parallel_workers = 2);
SET maintenance_work_mem = '1MB';
REINDEX INDEX ib_idx;
SELECT pg_temp.judge();
SET max_parallel_maintenance_workers = 0;
REINDEX INDEX ib_idx;
SELECT pg_temp.judge();

-- a vector that can't be indexed ends the build, with workers and without
ALTER TABLE ib_items ADD free vector;
UPDATE ib_items SET free = '[1,2]' WHERE id <> 1001;
UPDATE ib_items SET free = '[1,2,3]' WHERE id = 1001;
CREATE INDEX ib_failed ON ib_items USING ivf ((free::vector(2)) vector_l2_ops);
SET max_parallel_maintenance_workers = 2;
SET maintenance_work_mem = '200MB';
CREATE INDEX ib_failed ON ib_items USING ivf ((free::vector(2)) vector_l2_ops);
-- an interrupted build leaves nothing behind
SET statement_timeout = '5ms';
CREATE INDEX ib_failed ON ib_items USING ivf (v vector_cosine_ops) WITH (lists = 2000);
RESET statement_timeout;
SELECT to_regclass('ib_failed') IS NULL;
VACUUM ib_items;
SELECT pg_temp.judge();

DROP TABLE ib_items, ib_queries, ib_exact, ib_first, ib_few, ib_part, ib_wide;
