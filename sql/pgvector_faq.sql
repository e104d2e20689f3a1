--
-- What users of pgvector often ask for: vectors of different dimensions in one
-- column, more precision, more dimensions; why an index is not used
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- different dimensions in one column, each with an index of its own
CREATE TABLE fa_models (model int, item int, v vector, PRIMARY KEY (model, item));
INSERT INTO fa_models SELECT 1, i, ARRAY[i, i % 7, 1] FROM generate_series(1, 100) AS i;
INSERT INTO fa_models SELECT 2, i, ARRAY[i % 10, i / 10] FROM generate_series(1, 99) AS i;
SELECT model, vector_dims(v), count(*) FROM fa_models GROUP BY 1, 2 ORDER BY 1;
SELECT item FROM fa_models WHERE model = 2 ORDER BY v <-> '[3,4.1]' LIMIT 2;
SELECT test.error_of('SELECT item FROM fa_models ORDER BY v <-> ''[3,4]'' LIMIT 2');
SELECT test.error_of('CREATE INDEX ON fa_models USING hnsw (v vector_l2_ops)');
SELECT test.error_of('CREATE INDEX ON fa_models USING hnsw ((v::vector(3)) vector_l2_ops)');
CREATE INDEX fa_one ON fa_models USING hnsw ((v::vector(3)) vector_l2_ops) WHERE (model = 1);
CREATE INDEX fa_two ON fa_models USING ivfflat ((v::vector(2)) vector_l2_ops) WITH (lists = 1)
	WHERE (model = 2);
ANALYZE fa_models;
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT item FROM fa_models WHERE model = 1 ORDER BY v::vector(3)
	<-> '[50.2,1,1]' LIMIT 2;
SELECT item FROM fa_models WHERE model = 1 ORDER BY v::vector(3) <-> '[50.2,1,1]' LIMIT 2;
EXPLAIN (COSTS OFF) SELECT item FROM fa_models WHERE model = 2 ORDER BY v::vector(2) <-> '[3,4.1]'
	LIMIT 2;
SELECT item FROM fa_models WHERE model = 2 ORDER BY v::vector(2) <-> '[3,4.1]' LIMIT 2;
SELECT test.error_of('INSERT INTO fa_models VALUES (1, 101, ''[1,2]'')');

-- more precision: arrays, checked that they are vectors of so many dimensions, indexed with less
CREATE TABLE fa_precise (id bigserial PRIMARY KEY, d double precision[], n numeric[]);
INSERT INTO fa_precise (d, n) VALUES ('{1,2,3}', '{1.00000000001,2,3}'), ('{4,5,6.0000000001}',
	'{4,5,6}');
ALTER TABLE fa_precise ADD CONSTRAINT fa_dims CHECK (vector_dims(d::vector) = 3),
	ADD CHECK (vector_dims(n::vector) = 3);
SELECT test.errors_of(ARRAY['INSERT INTO fa_precise (d) VALUES (''{1,2}'')',
	'INSERT INTO fa_precise (d) VALUES (''{1,2,NULL}'')',
	'INSERT INTO fa_precise (d) VALUES (''{1,2,1e300}'')',
		'INSERT INTO fa_precise (d) VALUES (''{1,2,NaN}'')',
	'INSERT INTO fa_precise (d) VALUES (''{{1},{2},{3}}'')',
		'INSERT INTO fa_precise (d) VALUES (''{}'')',
	'INSERT INTO fa_precise (n) VALUES (''{1,2,3,4}'')']);
INSERT INTO fa_precise (d) SELECT ARRAY[i, 0.1, 0.2] FROM generate_series(10, 60) AS i;
CREATE INDEX fa_cast ON fa_precise USING hnsw ((d::vector(3)) vector_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM fa_precise ORDER BY d::vector(3) <-> '[3,5,5]' LIMIT 2;
SELECT id, d FROM fa_precise ORDER BY d::vector(3) <-> '[3,5,5]' LIMIT 2;
SELECT d::vector, n::vector, d::halfvec, (d::vector)::real[] FROM fa_precise WHERE id = 2;

-- more dimensions: at half precision, as bits
CREATE TABLE fa_wide (id int, v vector(4000));
INSERT INTO fa_wide SELECT i, array_fill(i - 20.5, ARRAY[100 * i]) || array_fill(i - 30.5,
	ARRAY[4000 - 100 * i])
FROM generate_series(1, 39) AS i;
CREATE INDEX fa_half ON fa_wide USING hnsw ((v::halfvec(4000)) halfvec_l2_ops);
CREATE INDEX fa_bits ON fa_wide USING hnsw ((binary_quantize(v)::bit(4000)) bit_hamming_ops);
SELECT o.id, array(SELECT i.id FROM fa_wide AS i ORDER BY i.v::halfvec(4000) <-> o.v::halfvec(4000)
	LIMIT 1),
	array(SELECT i.id FROM fa_wide AS i ORDER BY binary_quantize(i.v)::bit(4000)
		<~> binary_quantize(o.v) LIMIT 1)
FROM fa_wide AS o WHERE o.id IN (21, 25, 29) ORDER BY o.id;

-- why is an index not used? ORDER BY an operator, ascending, with LIMIT
CREATE TABLE fa_items AS SELECT i AS id, ARRAY[i, 100 - i,
	5]::vector(3) AS v FROM generate_series(1, 90) AS i;
CREATE INDEX fa_items_idx ON fa_items USING hnsw (v vector_cosine_ops);
ANALYZE fa_items;
SELECT format('%-55s', q), test.uses_index('SELECT * FROM fa_items ORDER BY ' || q)
FROM unnest(ARRAY['v <=> ''[3,1,2]'' LIMIT 5', '1 - (v <=> ''[3,1,2]'') DESC LIMIT 5',
	'v <=> ''[3,1,2]'' DESC LIMIT 5',
	'cosine_distance(v, ''[3,1,2]'') LIMIT 5', 'v <-> ''[3,1,2]'' LIMIT 5', 'id LIMIT 5'])
WITH ORDINALITY AS u (q, n) ORDER BY n;
-- a small table is read whole, unless that is discouraged
RESET enable_seqscan;
SELECT test.uses_index('SELECT * FROM fa_items ORDER BY v <=> ''[3,1,2]'' LIMIT 5');
BEGIN;
SET LOCAL enable_seqscan = off;
SELECT test.uses_index('SELECT * FROM fa_items ORDER BY v <=> ''[3,1,2]'' LIMIT 5');
COMMIT;

-- why is a scan not parallel? it is cheap, or vectors are out of line
CREATE TABLE fa_inline (id int, v vector(400));
ALTER TABLE fa_inline ALTER COLUMN v SET STORAGE PLAIN;
INSERT INTO fa_inline SELECT i, array_fill(i, ARRAY[400]) FROM generate_series(1, 2000) AS i;
ANALYZE fa_inline;
BEGIN;
SET LOCAL min_parallel_table_scan_size = 1;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SELECT count(*) FROM test.plan_of('SELECT id FROM fa_inline
	ORDER BY v <-> array_fill(7, ARRAY[400])::vector LIMIT 2') AS line
WHERE line LIKE '%Parallel Seq Scan%';
SELECT array(SELECT id FROM fa_inline ORDER BY v <-> array_fill(7.2, ARRAY[400])::vector LIMIT 2);
COMMIT;

-- why are there fewer rows with an index? NULL, zero vectors, what a scan looks at
RESET enable_sort;
INSERT INTO fa_items VALUES (101, NULL), (102, '[0,0,0]');
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT * FROM fa_items ORDER BY v <=> '[3,1,2]' LIMIT 100) AS s
	WHERE id > 100;
SET enable_indexscan = off;
RESET enable_seqscan;
SELECT count(*) FROM (SELECT * FROM fa_items ORDER BY v <=> '[3,1,2]' LIMIT 100) AS s
	WHERE id > 100;
SET enable_seqscan = off;
RESET enable_indexscan;
SET hnsw.iterative_scan = off;
SET hnsw.ef_search = 100;
SELECT count(*) FROM (SELECT * FROM fa_items ORDER BY v <=> '[3,1,2]' LIMIT 50) AS s;

-- how large is an index?
SELECT pg_size_pretty(pg_relation_size('fa_items_idx')) ~ '^\d+ kB$';

DROP TABLE fa_models, fa_precise, fa_wide, fa_items, fa_inline;
