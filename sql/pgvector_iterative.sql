--
-- As users of pgvector do it: scans of approximate indexes that go on until
-- there are rows enough, and what ends them
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;
SET enable_seqscan = off;

-- on a line; one row of 50 is wanted
CREATE TABLE it_items (id int, wanted boolean, v vector(3));
INSERT INTO it_items SELECT i, i % 50 = 0, ARRAY[i, 0, 1] FROM generate_series(1, 3000) AS i;
ANALYZE it_items;
CREATE INDEX it_hnsw ON it_items USING hnsw (v vector_l2_ops);
CREATE FUNCTION pg_temp.search(k int) RETURNS int[] LANGUAGE sql AS
	'SELECT array(SELECT id FROM it_items WHERE wanted ORDER BY v <-> ''[1001,0,1]'' LIMIT k)';
CREATE FUNCTION pg_temp.found(k int) RETURNS int LANGUAGE sql
	AS 'SELECT cardinality(pg_temp.search(k))';
SELECT test.uses_index('SELECT id FROM it_items WHERE wanted
	ORDER BY v <-> ''[1001,0,1]'' LIMIT 10');

-- not, and in strict order
SET hnsw.iterative_scan = off;
SELECT pg_temp.found(10) < 10;
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.search(10);
SELECT array(SELECT id FROM it_items ORDER BY v <-> '[1000.7,0,1]' LIMIT 100)
	= array(SELECT i FROM generate_series(1, 3000) AS i ORDER BY abs(i - 1000.7) LIMIT 100);
-- in relaxed order: the same rows, put in order where they are used
SET hnsw.iterative_scan = relaxed_order;
WITH found AS MATERIALIZED (
	SELECT id, v <-> '[1001,0,1]' AS distance FROM it_items WHERE wanted ORDER BY distance LIMIT 10
) SELECT * FROM found ORDER BY distance;
WITH found AS MATERIALIZED (
	SELECT id, v <-> '[1001,0,1]' AS distance FROM it_items WHERE wanted ORDER BY distance LIMIT 10
) SELECT array_agg(id ORDER BY distance + 0), count(*) FROM found;
-- within a distance: the filter outside, so that the scan need not go on
WITH nearest AS MATERIALIZED (
	SELECT id, v <-> '[1001,0,1]' AS distance FROM it_items WHERE wanted ORDER BY distance LIMIT 10
) SELECT id, distance FROM nearest WHERE distance < 60 ORDER BY distance;

-- how many rows are visited; what was found before is not limited
SHOW hnsw.max_scan_tuples;
SET hnsw.max_scan_tuples = 1;
SELECT pg_temp.found(10) < 10, pg_temp.found(10) = pg_temp.found(20);
SET hnsw.max_scan_tuples = 3000;
SELECT pg_temp.found(10);
RESET hnsw.max_scan_tuples;
-- how much memory is used, in multiples of work_mem
SHOW hnsw.scan_mem_multiplier;
SET hnsw.scan_mem_multiplier = 2;
SELECT pg_temp.found(10);
SET work_mem = '64kB';
SELECT pg_temp.found(10) <= 10;
RESET work_mem;
RESET hnsw.scan_mem_multiplier;
RESET hnsw.iterative_scan;
DROP INDEX it_hnsw;

-- ivfflat: lists are read until there are enough
CREATE INDEX it_ivfflat ON it_items USING ivfflat (v vector_l2_ops) WITH (lists = 30);
SELECT test.uses_index('SELECT id FROM it_items WHERE wanted
	ORDER BY v <-> ''[1001,0,1]'' LIMIT 10');
SHOW ivfflat.iterative_scan;
SELECT pg_temp.found(30) < 30;
SET ivfflat.iterative_scan = relaxed_order;
SELECT pg_temp.found(30), pg_temp.found(60), pg_temp.found(100);
WITH found AS MATERIALIZED (
	SELECT id, v <-> '[1001,0,1]' AS distance FROM it_items WHERE wanted ORDER BY distance LIMIT 60
) SELECT array_agg(id ORDER BY distance + 0) = array(SELECT i FROM generate_series(50, 3000, 50) AS i
	ORDER BY abs(i - 1001)) FROM found;
-- at most so many lists, but never fewer than probes
SHOW ivfflat.max_probes;
SET ivfflat.max_probes = 3;
SELECT pg_temp.found(60) BETWEEN 1 AND 30;
SET ivfflat.probes = 30;
SELECT pg_temp.found(60);
RESET ivfflat.probes;
SET ivfflat.max_probes = 30;
SELECT pg_temp.found(60);
-- for one transaction
RESET ivfflat.iterative_scan;
BEGIN;
SET LOCAL ivfflat.iterative_scan = relaxed_order;
SET LOCAL ivfflat.max_probes = 100;
SELECT pg_temp.found(60);
COMMIT;
SHOW ivfflat.iterative_scan;
SHOW ivfflat.max_probes;
RESET ivfflat.max_probes;
SELECT test.error_of('SET ivfflat.iterative_scan = strict_order');

-- an empty index
TRUNCATE it_items;
SET ivfflat.iterative_scan = relaxed_order;
SELECT pg_temp.found(5);
DROP INDEX it_ivfflat;
CREATE INDEX it_hnsw ON it_items USING hnsw (v vector_l2_ops);
SET hnsw.iterative_scan = relaxed_order;
SELECT pg_temp.found(5);
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.found(5);

DROP TABLE it_items;
