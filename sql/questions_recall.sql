--
-- nanovec_index_recall() and nanovec_recall_sweep()
--
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE qr_items (id int, tenant int, v vector(16));
INSERT INTO qr_items SELECT i, i % 4, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 16) AS j) FROM generate_series(1, 3000) AS i;
INSERT INTO qr_items SELECT -i, 0, NULL FROM generate_series(1, 10) AS i;
CREATE INDEX qr_hnsw ON qr_items USING hnsw (v vector_l2_ops);
CREATE INDEX qr_ivf ON qr_items USING ivf (v vector_l2_ops) WITH (lists = 20);

-- all of it is told, and makes sense
SELECT i, recall BETWEEN .95 AND 1 AS recall, worst BETWEEN 0 AND recall AS worst,
	index_p50_ms BETWEEN 0 AND index_p95_ms AS index, exact_p50_ms BETWEEN 0 AND exact_p95_ms AS exact
FROM unnest('{qr_hnsw,qr_ivf}'::regclass[]) AS i, nanovec_index_recall(i);
-- the same queries for a seed, others for another
SELECT (SELECT recall FROM nanovec_index_recall('qr_hnsw', 20, 10, 7)) =
	(SELECT recall FROM nanovec_index_recall('qr_hnsw', 20, 10, 7)) AS same,
	(SELECT count(DISTINCT recall) > 1 FROM generate_series(1, 20) AS seed,
		nanovec_index_recall('qr_ivf', 3, 10, seed)) AS others;
-- what is set counts
SET ivf.probes = 1;
SELECT recall < .9 AS little FROM nanovec_index_recall('qr_ivf', 50, 20);
SET ivf.probes = 20;
SELECT recall, worst FROM nanovec_index_recall('qr_ivf', 50, 20);
RESET ivf.probes;
-- a sweep does not depend on that: more is better, and all is exact
SELECT array_agg(setting) AS settings, bool_and(recall >= last) AS rises, max(recall) AS most,
	min(recall) < .9 AS least, bool_and(p50_ms <= p95_ms AND worst <= recall) AS sound
FROM (SELECT *, lag(recall, 1, 0) OVER () AS last
	FROM nanovec_recall_sweep('qr_ivf', '{1,5,20}', 50, 20)) AS s;
SELECT array_agg(setting) AS settings, max(recall) > .99 AS most
FROM nanovec_recall_sweep('qr_hnsw', ARRAY[10, 400], k => 10);
SELECT * FROM nanovec_recall_sweep('qr_hnsw', '{}');

-- queries of one's own: a row of the table is found; the nearest of an empty array are unknown
SELECT recall, worst FROM nanovec_index_recall('qr_hnsw', ARRAY(SELECT v FROM qr_items WHERE id < 9
	AND v IS NOT NULL), 1);
SELECT recall, worst, index_p50_ms, exact_p50_ms FROM nanovec_index_recall('qr_hnsw', '{}'::vector[]);
SELECT setting, recall FROM nanovec_recall_sweep('qr_ivf', '{20}', ARRAY(SELECT v FROM qr_items
	WHERE id BETWEEN 1 AND 5), 20);

-- every row as a query, once each; more neighbors than rows; no rows at all
SELECT recall, worst FROM nanovec_recall_sweep('qr_ivf', '{20}', 10000, 1);
CREATE TABLE qr_few (v vector(2));
CREATE INDEX qr_few_idx ON qr_few USING hnsw (v vector_l2_ops);
SELECT recall, worst, index_p50_ms, exact_p50_ms FROM nanovec_index_recall('qr_few_idx');
SELECT setting, recall, worst, p50_ms FROM nanovec_recall_sweep('qr_few_idx', '{40}');
INSERT INTO qr_few VALUES ('[1,1]'), ('[1,1]'), ('[2,3]'), (NULL);
SELECT recall, worst FROM nanovec_index_recall('qr_few_idx');
-- rows that are gone, and versions of rows that are there
DELETE FROM qr_few WHERE v = '[2,3]';
UPDATE qr_few SET v = v + '[1,0]';
SELECT recall, worst FROM nanovec_index_recall('qr_few_idx');

-- all types and metrics
CREATE TABLE qr_types AS SELECT v::halfvec(16) AS h, v::sq8vec(16) AS q, v::sparsevec(16) AS s,
	binary_quantize(v - '[500,500,500,500,500,500,500,500,500,500,500,500,500,500,500,500]')::bit(16)
		AS b FROM qr_items WHERE v IS NOT NULL AND id <= 500;
CREATE INDEX qr_h ON qr_types USING hnsw (h halfvec_cosine_ops);
CREATE INDEX qr_q ON qr_types USING ivf (q sq8vec_ip_ops);
CREATE INDEX qr_s ON qr_types USING hnsw (s sparsevec_l1_ops);
CREATE INDEX qr_b ON qr_types USING hnsw (b bit_hamming_ops);
CREATE INDEX qr_e ON qr_types USING hnsw ((h::vector(8)) vector_l2_ops) WHERE s IS NULL;
CREATE INDEX qr_p ON qr_items USING hnsw ((subvector(v, 1, 8)::vector(8)) vector_l2_ops) WHERE tenant = 2;
SELECT i, recall > .9 AS recall FROM unnest('{qr_h,qr_q,qr_s,qr_b,qr_p}'::regclass[]) AS i,
	nanovec_index_recall(i, 50);
SELECT recall FROM nanovec_index_recall('qr_e');
SELECT recall > .9 AS recall FROM nanovec_index_recall('qr_h', ARRAY(SELECT h FROM qr_types LIMIT 5));

-- mistakes
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_index_recall('qr_items')$$,
	$$SELECT nanovec_index_recall('qr_hnsw', 0)$$,
	$$SELECT nanovec_index_recall('qr_hnsw', 10001)$$,
	$$SELECT nanovec_index_recall('qr_hnsw', 10, 0)$$,
	$$SELECT nanovec_index_recall('qr_hnsw', 10, 10001)$$,
	$$SELECT nanovec_index_recall('qr_hnsw', 10000, 10000)$$,
	$$SET LOCAL work_mem = 64; SELECT nanovec_index_recall('qr_hnsw', 2500, 1)$$,
	$$SELECT nanovec_index_recall('qr_hnsw', ARRAY['[1,2]'::vector])$$,
	$$SELECT nanovec_index_recall('qr_hnsw', ARRAY['[1,2]'::halfvec])$$,
	$$SELECT nanovec_index_recall('qr_hnsw', ARRAY[1.5])$$,
	$$SELECT nanovec_index_recall('qr_hnsw', ARRAY[NULL::vector])$$,
	$$SELECT nanovec_recall_sweep('qr_hnsw', '{0}')$$,
	$$SELECT nanovec_recall_sweep('qr_hnsw', '{10,1001}')$$,
	$$SELECT nanovec_recall_sweep('qr_hnsw', '{10,NULL}')$$,
	$$SELECT nanovec_recall_sweep('qr_ivf', ARRAY[100000])$$,
	$$SELECT nanovec_recall_sweep('qr_items', '{10}')$$]);
SELECT nanovec_index_recall(NULL) IS NULL AS strict;
CREATE INDEX qr_btree ON qr_items (id);
CREATE TABLE qr_parts (v vector(2)) PARTITION BY RANGE (v);
CREATE INDEX qr_parts_idx ON qr_parts USING hnsw (v vector_l2_ops);
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_index_recall('qr_btree')$$,
	$$SELECT nanovec_index_recall('qr_parts_idx')$$]);

-- it is for those who may read the whole table, and all of its rows
CREATE ROLE regress_nv_reader;
CREATE ROLE regress_nv_column;
GRANT SELECT ON qr_items TO regress_nv_reader;
GRANT SELECT (v) ON qr_items TO regress_nv_column;
SET ROLE regress_nv_column;
SELECT test.errors_of(ARRAY[$$SELECT nanovec_index_recall('qr_hnsw')$$,
	$$SELECT nanovec_recall_sweep('qr_hnsw', '{10}')$$]);
SET ROLE regress_nv_reader;
SELECT recall > .9 AS recall FROM nanovec_index_recall('qr_hnsw');
RESET ROLE;
ALTER TABLE qr_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY qr_policy ON qr_items USING (tenant = 1);
SET ROLE regress_nv_reader;
SELECT test.errors_of(ARRAY[$$SELECT nanovec_index_recall('qr_hnsw')$$]);
SET row_security = off;
SELECT test.errors_of(ARRAY[$$SELECT nanovec_index_recall('qr_hnsw')$$]);
RESET row_security;
RESET ROLE;
SELECT recall > .9 AS owner FROM nanovec_index_recall('qr_hnsw');

-- functions of the table's owner run with the owner's rights
CREATE FUNCTION qr_spy(vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
	$$ BEGIN IF current_user <> 'regress_nv_column' THEN RAISE 'runs as %', current_user; END IF;
	RETURN $1; END $$;
CREATE TABLE qr_spied (v vector(2));
ALTER TABLE qr_spied OWNER TO regress_nv_column;
INSERT INTO qr_spied SELECT ARRAY[i, i]::vector FROM generate_series(1, 20) AS i;
GRANT CREATE ON SCHEMA public TO regress_nv_column;
SET ROLE regress_nv_column;
CREATE INDEX qr_spied_idx ON qr_spied USING hnsw ((qr_spy(v)::vector(2)) vector_l2_ops);
RESET ROLE;
SELECT recall FROM nanovec_index_recall('qr_spied_idx', 5, 3);
SELECT current_user <> 'regress_nv_column' AS back;

DROP TABLE qr_items, qr_few, qr_types, qr_parts, qr_spied;
DROP FUNCTION qr_spy;
REVOKE CREATE ON SCHEMA public FROM regress_nv_column;
DROP ROLE regress_nv_reader, regress_nv_column;
