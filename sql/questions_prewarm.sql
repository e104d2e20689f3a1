--
-- nanovec_prewarm()
--
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE qp_items (id int, v vector(64));
INSERT INTO qp_items SELECT i, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 64) AS j) FROM generate_series(1, 3000) AS i;
CREATE INDEX qp_hnsw ON qp_items USING hnsw (v vector_l2_ops);
CREATE INDEX qp_ivf ON qp_items USING ivf (v vector_l2_ops) WITH (lists = 10);
CREATE INDEX qp_inline ON qp_items USING ivf ((subvector(v, 1, 8)::vector(8)) vector_l2_ops);
CREATE TABLE qp_long (v vector(4000));
INSERT INTO qp_long SELECT (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 4000) AS j) FROM generate_series(1, 40) AS i;
CREATE INDEX qp_long_idx ON qp_long USING hnsw (v vector_l2_ops) WITH (m = 2, storage = float4);
CREATE FUNCTION pg_temp.pages(i regclass) RETURNS bigint LANGUAGE sql AS
	$$ SELECT pg_relation_size(i) / current_setting('block_size')::int $$;

-- of hnsw a small part, of ivf all but the records, where they have pages of their own; and all
SELECT i, nanovec_prewarm(i) > 1 AS some, nanovec_prewarm(i) < pg_temp.pages(i) / 4 AS few,
	nanovec_prewarm(i, 'search') < pg_temp.pages(i) / 2 AS half,
	nanovec_prewarm(i) = pg_temp.pages(i) AS whole, nanovec_prewarm(i, 'all') = pg_temp.pages(i) AS all
FROM unnest('{qp_hnsw,qp_ivf,qp_inline}'::regclass[]) AS i;
-- nodes of an upper level, and as many pages as their vectors take
SELECT nanovec_prewarm('qp_long_idx') > 10 AS some,
	nanovec_prewarm('qp_long_idx') < pg_temp.pages('qp_long_idx') AS few;

-- an empty index, one without a level above 0, and one that lost its nodes
CREATE TABLE qp_few (v vector(2));
CREATE INDEX qp_few_hnsw ON qp_few USING hnsw (v vector_l2_ops);
CREATE INDEX qp_few_ivf ON qp_few USING ivf (v vector_l2_ops);
SELECT nanovec_prewarm('qp_few_hnsw') AS hnsw, nanovec_prewarm('qp_few_ivf') > 0 AS ivf;
INSERT INTO qp_few VALUES ('[1,2]');
SELECT nanovec_prewarm('qp_few_hnsw') AS hnsw, nanovec_prewarm('qp_few_ivf') > 0 AS ivf;
DELETE FROM qp_items WHERE id % 3 > 0;
VACUUM qp_items;
SELECT i, nanovec_prewarm(i) > 1 AS some, nanovec_prewarm(i) < pg_temp.pages(i) / 2 AS few
FROM unnest('{qp_hnsw,qp_ivf}'::regclass[]) AS i;

-- mistakes
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_prewarm('qp_items')$$,
	$$SELECT nanovec_prewarm('qp_hnsw', 'buffer')$$,
	$$SELECT nanovec_prewarm('qp_hnsw', '')$$,
	$$SELECT nanovec_prewarm('nowhere')$$]);
SELECT nanovec_prewarm(NULL) IS NULL AS strict, nanovec_prewarm('qp_hnsw', NULL) IS NULL AS both;

-- it is for those who may read the table
CREATE ROLE regress_nv_reader;
CREATE ROLE regress_nv_other;
GRANT SELECT ON qp_items TO regress_nv_reader;
SET ROLE regress_nv_reader;
SELECT nanovec_prewarm('qp_hnsw') > 1 AS reader;
SET ROLE regress_nv_other;
SELECT test.errors_of(ARRAY[$$SELECT nanovec_prewarm('qp_hnsw')$$]);
RESET ROLE;

DROP TABLE qp_items, qp_few, qp_long;
DROP ROLE regress_nv_reader, regress_nv_other;
