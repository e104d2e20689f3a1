--
-- As users of pgvector do it: vectors of half precision, and indexes of half
-- precision for vectors of full precision
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;

-- stored at half precision: three digits, whole numbers up to 2048
CREATE TABLE ha_items (id bigserial PRIMARY KEY, h halfvec(3));
INSERT INTO ha_items (h) VALUES ('[1,2,3]'), ('[0.1,-0.2,1000]'), ('[2047,2049,65504]'),
	('[6e-8,1e-3,0.333333]');
SELECT * FROM ha_items ORDER BY id;
SELECT id, h <-> '[1,2,0]' FROM ha_items WHERE id = 1;
SELECT array(SELECT id FROM ha_items ORDER BY h <-> '[0,0,900]');
SELECT array(SELECT id FROM ha_items ORDER BY h <#> '[1,0,0]'),
	array(SELECT id FROM ha_items ORDER BY h <=> '[1,2,4]'),
	array(SELECT id FROM ha_items ORDER BY h <+> '[0,0,2]');
SELECT avg(h), sum(h) FROM ha_items WHERE id <= 2;
SELECT h + '[1,1,1]', h - '[1,1,1]', h * '[2,2,2]', h || '[4]' FROM ha_items WHERE id = 1;
-- half the size
SELECT pg_column_size(array_fill(1, ARRAY[1000])::vector), pg_column_size(array_fill(1,
	ARRAY[1000])::halfvec);

-- casts
SELECT '[1.0001,2,3]'::vector::halfvec, '[1.5,2,3]'::halfvec::vector, ARRAY[1, 2]::halfvec,
	ARRAY[0.1]::halfvec::real[], '{2:3}/3'::sparsevec::halfvec, '[0,3,0]'::halfvec::sparsevec;
SELECT '[1,2,3]'::halfvec(3) <-> '[1,2,4]'::vector AS of_both;
ALTER TABLE ha_items ALTER h TYPE vector(3);
SELECT h FROM ha_items WHERE id <> 3 ORDER BY id;

-- an index at half precision: the query's expression is the index's
CREATE TABLE ha_points (id int, v vector(3));
INSERT INTO ha_points SELECT i, ARRAY[i % 40, i / 40, 0.1] FROM generate_series(0, 1199) AS i;
CREATE INDEX ha_l2 ON ha_points USING hnsw ((v::halfvec(3)) halfvec_l2_ops);
ANALYZE ha_points;
EXPLAIN (COSTS OFF) SELECT * FROM ha_points ORDER BY v::halfvec(3) <-> '[7.2,11.1,0.1]' LIMIT 3;
SELECT * FROM ha_points ORDER BY v::halfvec(3) <-> '[7.2,11.1,0.1]' LIMIT 3;
SELECT test.uses_index('SELECT * FROM ha_points ORDER BY v <-> ''[1,2,3]'' LIMIT 3'),
	test.uses_index('SELECT * FROM ha_points ORDER BY v::halfvec <-> ''[1,2,3]'' LIMIT 3');
-- put in order by the full vectors
SELECT id, v <-> '[7.2,11.125,0.1]' < 1 FROM (SELECT * FROM ha_points
	ORDER BY v::halfvec(3) <-> '[7.2,11.125,0.1]' LIMIT 20) AS s ORDER BY v <-> '[7.2,11.125,0.1]'
		LIMIT 3;
-- the parameter is a vector, or text
PREPARE ha_search (vector) AS SELECT id FROM ha_points ORDER BY v::halfvec(3) <-> $1::halfvec(3)
	LIMIT 1;
EXECUTE ha_search('[30.1,20.1,0]');
DEALLOCATE ha_search;
-- the other distances, and ivfflat
CREATE INDEX ha_cosine ON ha_points USING hnsw ((v::halfvec(3)) halfvec_cosine_ops);
CREATE INDEX ha_ip ON ha_points USING hnsw ((v::halfvec(3)) halfvec_ip_ops);
CREATE INDEX ha_l1 ON ha_points USING hnsw ((v::halfvec(3)) halfvec_l1_ops);
SELECT o, substring(string_agg(line, '') from 'using (\w+)'),
	CASE o WHEN '<=>' THEN array(SELECT id FROM ha_points ORDER BY v::halfvec(3) <=> '[0,1,0.1]'
		LIMIT 1)
	WHEN '<#>' THEN array(SELECT id FROM ha_points ORDER BY v::halfvec(3) <#> '[1,1,1]' LIMIT 1)
	ELSE array(SELECT id FROM ha_points ORDER BY v::halfvec(3) <+> '[7.25,11.125,0.1]' LIMIT 3) END
FROM unnest(ARRAY['<=>', '<#>', '<+>']) AS o,
	test.plan_of(format('SELECT * FROM ha_points ORDER BY v::halfvec(3) %s ''[1,2,3]'' LIMIT 3',
		o)) AS line
GROUP BY o ORDER BY o COLLATE "C";
DROP INDEX ha_l2;
SET client_min_messages = warning;
CREATE INDEX ha_ivfflat ON ha_points USING ivfflat ((v::halfvec(3)) halfvec_l2_ops)
	WITH (lists = 3);
SET ivfflat.probes = 3;
EXPLAIN (COSTS OFF) SELECT id FROM ha_points ORDER BY v::halfvec(3) <-> '[7.2,11.125,0.1]' LIMIT 3;
SELECT id FROM ha_points ORDER BY v::halfvec(3) <-> '[7.2,11.125,0.1]' LIMIT 3;

-- more dimensions than an index of full precision takes in pgvector
CREATE TABLE ha_wide (id int, v vector(3072));
INSERT INTO ha_wide SELECT i, array_fill(i % 10, ARRAY[1536])::vector || array_fill(i / 10,
	ARRAY[1536])::vector
FROM generate_series(0, 39) AS i;
CREATE INDEX ha_wide_idx ON ha_wide USING hnsw ((v::halfvec(3072)) halfvec_l2_ops);
SELECT test.uses_index('SELECT id FROM ha_wide
	ORDER BY v::halfvec(3072) <-> (SELECT v::halfvec FROM ha_wide LIMIT 1) LIMIT 1');
SELECT o.id, array(SELECT i.id FROM ha_wide AS i ORDER BY i.v::halfvec(3072) <-> o.v::halfvec(3072)
	LIMIT 1)
FROM ha_wide AS o WHERE id IN (0, 7, 12, 39) ORDER BY id;

DROP TABLE ha_items, ha_points, ha_wide;
