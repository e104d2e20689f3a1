--
-- As users of pgvector do it: binary vectors, and vectors made binary for
-- small indexes, whose rows are put in order by the vectors themselves
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;

-- binary vectors
CREATE TABLE bi_items (id bigserial PRIMARY KEY, b bit(8));
INSERT INTO bi_items (b) VALUES ('00000000'), ('11111111'), ('11110000'), ('10101010'), (NULL),
	('11110001');
SELECT id, b <~> '11110000', b <%> '11110000', hamming_distance(b, '11111111'), jaccard_distance(b,
	B'00000000')
FROM bi_items ORDER BY id;
SELECT id FROM bi_items ORDER BY b <~> '11110000', id LIMIT 3;
SELECT id FROM bi_items ORDER BY b <%> '10101000', id LIMIT 3;
-- by what PostgreSQL itself has since version 14
SELECT id, length(replace((b # B'11110000')::text, '0',
	'')) FROM bi_items WHERE b IS NOT NULL ORDER BY 2, 1 LIMIT 3;
SELECT o.id, n.id FROM bi_items AS o, LATERAL (SELECT id FROM bi_items AS i WHERE i.id <> o.id
	ORDER BY i.b <~> o.b, id LIMIT 1) AS n WHERE o.b IS NOT NULL ORDER BY o.id;

-- with an index, of either kind
CREATE TABLE bi_many AS SELECT i AS id, (repeat('1', i) || repeat('0', 100 - i))::bit(100) AS b
FROM generate_series(1, 100) AS i;
CREATE INDEX bi_hamming ON bi_many USING hnsw (b bit_hamming_ops);
CREATE INDEX bi_jaccard ON bi_many USING hnsw (b bit_jaccard_ops);
ANALYZE bi_many;
EXPLAIN (COSTS OFF) SELECT id FROM bi_many ORDER BY b <~> (repeat('1', 33) || repeat('0',
	67))::bit(100) LIMIT 1;
SELECT id, b <~> (repeat('1', 33) || repeat('0', 67))::bit(100) FROM bi_many
ORDER BY b <~> (repeat('1', 33) || repeat('0', 67))::bit(100) LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM bi_many ORDER BY b <%> (repeat('1', 50) || repeat('0',
	50))::bit(100) LIMIT 2;
SELECT id, b <%> (repeat('1', 50) || repeat('0', 50))::bit(100) FROM bi_many
ORDER BY b <%> (repeat('1', 50) || repeat('0', 50))::bit(100) LIMIT 2;
DROP INDEX bi_hamming, bi_jaccard;
SET client_min_messages = warning;
CREATE INDEX bi_ivfflat ON bi_many USING ivfflat (b bit_hamming_ops) WITH (lists = 2);
SET ivfflat.probes = 2;
EXPLAIN (COSTS OFF) SELECT id FROM bi_many ORDER BY b <~> (repeat('1', 33) || repeat('0',
	67))::bit(100) LIMIT 1;
SELECT id FROM bi_many ORDER BY b <~> (repeat('1', 33) || repeat('0', 67))::bit(100) LIMIT 1;

-- vectors made binary: what is above 0
SELECT binary_quantize('[0,0.1,-0.2,-0.3,0.4]'::vector),
	binary_quantize('[0,0.1,-0.2,-0.3,0.4]'::halfvec),
	pg_typeof(binary_quantize('[1]'::vector)), length(binary_quantize(array_fill(1,
		ARRAY[16000])::vector));
-- 200 different patterns of 10 signs; row i + 1000 has the signs of row i and other sizes
CREATE TABLE bi_vectors (id int, v vector(10));
INSERT INTO bi_vectors SELECT i + 1000 * g,
	(SELECT array_agg((2 * (i >> j & 1) - 1) * (1 + g * j) ORDER BY j)
	FROM generate_series(0, 9) AS j) FROM generate_series(0, 199) AS i, generate_series(0, 1) AS g;
SELECT id, v, binary_quantize(v) FROM bi_vectors WHERE id IN (5, 1005) ORDER BY id;
CREATE INDEX bi_quantized ON bi_vectors USING hnsw ((binary_quantize(v)::bit(10)) bit_hamming_ops);
ANALYZE bi_vectors;
EXPLAIN (COSTS OFF) SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v)::bit(10)
		<~> binary_quantize('[1,-1,1,-1,-1,-1,-1,-1,-1,-1]'::vector) LIMIT 2;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v)::bit(10)
		<~> binary_quantize('[1,-1,1,-1,-1,-1,-1,-1,-1,-1]'::vector) LIMIT 2) AS s;
-- more of them, put in order by the vectors
SELECT id, v FROM (
	SELECT * FROM bi_vectors ORDER BY binary_quantize(v)::bit(10)
		<~> binary_quantize('[1,-2,3,-4,-5,-6,-7,-8,-9,-10]'::vector)
	LIMIT 20
) AS s ORDER BY v <=> '[1,-2,3,-4,-5,-6,-7,-8,-9,-10]' LIMIT 2;
SELECT id FROM (
	SELECT * FROM bi_vectors ORDER BY binary_quantize(v)::bit(10)
		<~> binary_quantize('[1,-1,1,-1,-1,-1,-1,-1,-1,-1]'::vector)
	LIMIT 20
) AS s ORDER BY v <-> '[1,-1,1,-1,-1,-1,-1,-1,-1,-1]', id LIMIT 1;
-- of halfvec, and by ivfflat
DROP INDEX bi_quantized;
CREATE INDEX bi_quantized ON bi_vectors
	USING hnsw ((binary_quantize(v::halfvec(10))::bit(10)) bit_hamming_ops);
SELECT test.uses_index('SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v::halfvec(10))::bit(10) <~> B''1010000000'' LIMIT 2');
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v::halfvec(10))::bit(10) <~> '1010000000' LIMIT 2) AS s;
DROP INDEX bi_quantized;
CREATE INDEX bi_quantized ON bi_vectors
	USING ivfflat ((binary_quantize(v)::bit(10)) bit_hamming_ops) WITH (lists = 2);
SELECT test.uses_index('SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v)::bit(10) <~> B''1010000000'' LIMIT 2');
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM bi_vectors
	ORDER BY binary_quantize(v)::bit(10) <~> '1010000000' LIMIT 2) AS s;

-- the most dimensions
CREATE TABLE bi_wide (id int, b bit(64000));
INSERT INTO bi_wide SELECT i, (repeat('1', i * 1000) || repeat('0',
	64000 - i * 1000))::bit(64000) FROM generate_series(0, 30) AS i;
CREATE INDEX ON bi_wide USING hnsw (b bit_hamming_ops);
SELECT id, b <~> repeat('1', 20400)::bit(64000) FROM bi_wide ORDER BY b <~> repeat('1',
	20400)::bit(64000) LIMIT 3;

DROP TABLE bi_items, bi_many, bi_vectors, bi_wide;
