--
-- As users of pgvector do it: nearest neighbours WHERE something holds, with
-- ordinary, partial and partitioned indexes
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- on a line, one after the other: 20 kinds in turn, and ten shelves
CREATE TABLE fi_items (id int PRIMARY KEY, kind int, shelf int, v vector(3));
INSERT INTO fi_items SELECT i, i % 20, i / 200, ARRAY[i, 1, 0] FROM generate_series(1, 1999) AS i;
ANALYZE fi_items;

-- few rows: an index of the column they are chosen by, and all of those are sorted
CREATE INDEX fi_kind ON fi_items (kind);
CREATE INDEX fi_both ON fi_items (shelf, kind);
SET enable_seqscan = off;
SELECT count(*) FROM test.plan_of('SELECT id FROM fi_items WHERE shelf = 3 AND kind = 7
	ORDER BY v <-> ''[650,1,0]'' LIMIT 3') AS line WHERE line ~ '(Sort$|Index Scan .*fi_both)';
SELECT id FROM fi_items WHERE shelf = 3 AND kind = 7 ORDER BY v <-> '[651,1,0]' LIMIT 3;
SELECT id FROM fi_items WHERE kind = 7 ORDER BY v <-> '[1000,1,0]' LIMIT 3;
SELECT id FROM fi_items WHERE kind IN (6, 7) AND shelf > 8 ORDER BY v <-> '[1000,1,0]' LIMIT 3;
DROP INDEX fi_kind, fi_both;

-- many rows: an approximate index, of which the filter leaves some
CREATE INDEX fi_v ON fi_items USING hnsw (v vector_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM fi_items WHERE kind < 10 ORDER BY v <-> '[650,1,0]' LIMIT 3;
CREATE FUNCTION pg_temp.search(kinds int, k int) RETURNS int[] LANGUAGE sql AS $$
	SELECT array(SELECT id FROM fi_items WHERE kind < kinds ORDER BY v <-> '[1000.2,1,0]' LIMIT k)
$$;
SELECT pg_temp.search(10, 3);
-- of the 40 nearest two are of one kind, unless more are looked at
SET hnsw.iterative_scan = off;
SELECT cardinality(pg_temp.search(1, 10)) < 10;
SET hnsw.ef_search = 200;
SELECT pg_temp.search(1, 9);
RESET hnsw.ef_search;
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.search(1, 9);
RESET hnsw.iterative_scan;
-- within a distance
SELECT id FROM fi_items WHERE v <-> '[1000.2,1,0]' < 1.5 ORDER BY v <-> '[1000.2,1,0]' LIMIT 5;
DROP INDEX fi_v;
CREATE INDEX fi_v ON fi_items USING ivfflat (v vector_l2_ops) WITH (lists = 10);
SET ivfflat.probes = 3;
SELECT pg_temp.search(10, 3);
SET ivfflat.probes = 10;
SELECT pg_temp.search(1, 9);
RESET ivfflat.probes;
DROP INDEX fi_v;

-- a few kinds: a partial index for each
CREATE INDEX fi_seven ON fi_items USING hnsw (v vector_l2_ops) WHERE (kind = 7);
CREATE INDEX fi_eight ON fi_items USING ivfflat (v vector_l2_ops) WITH (lists = 2) WHERE (kind = 8);
SELECT k, substring(string_agg(line, '') from 'using (\w+)')
FROM generate_series(7, 9) AS k, LATERAL test.plan_of(format(
	'SELECT id FROM fi_items WHERE kind = %s ORDER BY v <-> ''[500,1,0]'' LIMIT 3', k)) AS line
GROUP BY k ORDER BY k;
SELECT id FROM fi_items WHERE kind = 7 ORDER BY v <-> '[500,1,0]' LIMIT 3;
SELECT id FROM fi_items WHERE kind = 8 ORDER BY v <-> '[500.5,1,0]' LIMIT 3;
UPDATE fi_items SET kind = 7 WHERE id = 500;
SELECT id FROM fi_items WHERE kind = 7 ORDER BY v <-> '[500,1,0]' LIMIT 3;

-- many kinds: partitions; an index of the parent is one for each
CREATE TABLE fi_parts (v vector(3), id int, kind int) PARTITION BY LIST (kind);
SELECT format('CREATE TABLE fi_part_%s PARTITION OF fi_parts FOR VALUES IN (%1$s)',
	k) FROM generate_series(0, 3) AS k \gexec
CREATE TABLE fi_part_rest PARTITION OF fi_parts DEFAULT;
INSERT INTO fi_parts (id, kind, v) SELECT id, id % 20, v FROM fi_items WHERE id <= 400;
CREATE INDEX fi_parts_idx ON fi_parts USING hnsw (v vector_l2_ops);
SELECT relid, isleaf FROM pg_partition_tree('fi_parts_idx') ORDER BY relid::text COLLATE "C";
EXPLAIN (COSTS OFF) SELECT id FROM fi_parts WHERE kind = 2 ORDER BY v <-> '[200,1,0]' LIMIT 3;
SELECT id FROM fi_parts WHERE kind = 2 ORDER BY v <-> '[200,1,0]' LIMIT 3;
-- of all, merged in order
SELECT count(*) FROM test.plan_of('SELECT id FROM fi_parts ORDER BY v <-> ''[200.3,1,0]'' LIMIT 7')
	AS line
WHERE line ~ 'Index Scan using fi_part_';
SELECT id FROM fi_parts ORDER BY v <-> '[200.3,1,0]' LIMIT 7;
-- by hash, when the index was made before some partition
CREATE TABLE fi_hashed (id int, v vector(3)) PARTITION BY HASH (id);
CREATE TABLE fi_hashed_0 PARTITION OF fi_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE INDEX ON fi_hashed USING ivfflat (v vector_ip_ops) WITH (lists = 1);
CREATE TABLE fi_hashed_1 PARTITION OF fi_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO fi_hashed SELECT id, v FROM fi_items WHERE id <= 100;
SELECT array(SELECT id FROM fi_hashed ORDER BY v <#> '[1,0,0]' LIMIT 3);
-- a partition that has an index comes and goes
CREATE TABLE fi_new (v vector(3), id int, kind int CHECK (kind = 1000));
INSERT INTO fi_new VALUES ('[200.25,1,0]', 1000, 1000);
CREATE INDEX fi_new_idx ON fi_new USING hnsw (v vector_l2_ops);
ALTER TABLE fi_parts ATTACH PARTITION fi_new FOR VALUES IN (1000);
SELECT array(SELECT id FROM fi_parts ORDER BY v <-> '[200.3,1,0]' LIMIT 2);
ALTER TABLE fi_parts DETACH PARTITION fi_new;
SELECT array(SELECT id FROM fi_parts ORDER BY v <-> '[200.3,1,0]' LIMIT 2);

DROP TABLE fi_items, fi_parts, fi_hashed, fi_new;
