--
-- As users of pgvector do it: sparse vectors
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;

-- {position:value,...}/dimensions, the first position is 1; what is not there is 0
CREATE TABLE sp_items (id bigserial PRIMARY KEY, s sparsevec(6));
INSERT INTO sp_items (s) VALUES ('{1:1,4:2,6:3}/6'), ('{2:5}/6'), ('{}/6'), ('{ 6:1.5 , 1:-1 }/6'),
	(NULL), ('{3:0,4:7}/6');
SELECT * FROM sp_items ORDER BY id;
SELECT s::vector, s::halfvec FROM sp_items ORDER BY id;
SELECT id, s <-> '{4:2}/6', s <#> '{4:2}/6', s <=> '{4:2}/6',
	s <+> '{4:2}/6' FROM sp_items ORDER BY id;
SELECT id FROM sp_items ORDER BY s <-> '{1:1,6:2}/6' LIMIT 3;
SELECT id FROM sp_items WHERE s <-> '{4:2}/6' < 4 ORDER BY id;
SELECT l2_distance('{1:3}/2'::sparsevec, '{2:4}/2'), inner_product('{1:3}/2'::sparsevec, '{1:2}/2'),
	cosine_distance('{1:3}/2'::sparsevec, '{2:4}/2'), l1_distance('{1:3}/2'::sparsevec, '{2:4}/2'),
	l2_norm('{1:3,1000000000:4}/1000000000'::sparsevec), l2_normalize('{5:3,7:4}/8'::sparsevec);
-- of arrays and other vectors
SELECT ARRAY[0, 3, 0]::sparsevec, ARRAY[0.5, 0]::sparsevec, '[0,1,0,2]'::vector::sparsevec,
	'[0,1,0,2]'::halfvec::sparsevec(4);
SELECT s = '{2:5.0}/6', s <> '{2:5}/6', s < '{1:1}/6' FROM sp_items WHERE id = 2;
-- 8 for each that is not 0, and 16
SELECT pg_column_size('{}/1000'::sparsevec), pg_column_size('{1:1,2:2}/1000'::sparsevec),
	pg_column_size('{1:0,5:1}/1000000'::sparsevec);

-- with an index, for each distance
CREATE TABLE sp_words (id int, s sparsevec(100000));
INSERT INTO sp_words SELECT i, format('{%s:1,%s:2,%s:%s}/100000', i, 1000 + i / 10, 2000,
	i % 5 + 1)::sparsevec
FROM generate_series(1, 60) AS i;
CREATE INDEX sp_l2 ON sp_words USING hnsw (s sparsevec_l2_ops);
CREATE INDEX sp_ip ON sp_words USING hnsw (s sparsevec_ip_ops);
CREATE INDEX sp_cosine ON sp_words USING hnsw (s sparsevec_cosine_ops);
CREATE INDEX sp_l1 ON sp_words USING hnsw (s sparsevec_l1_ops);
ANALYZE sp_words;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM sp_words ORDER BY s <-> '{57:1,1005:2,2000:3}/100000' LIMIT 1;
SELECT id, s FROM sp_words ORDER BY s <-> '{57:1,1005:2,2000:3}/100000' LIMIT 1;
SELECT id FROM sp_words ORDER BY s <+> '{57:2,1005:2,2000:3}/100000' LIMIT 1;
SELECT id FROM sp_words ORDER BY s <=> '{57:2,1005:1}/100000' LIMIT 1;
SELECT id, (s <#> '{57:4,1005:2,2000:0.5}/100000') * -1 FROM sp_words
	ORDER BY s <#> '{57:4,1005:2,2000:0.5}/100000' LIMIT 1;
INSERT INTO sp_words VALUES (1000, '{57:3,1005:2,2000:3,100000:1}/100000');
SELECT id FROM sp_words ORDER BY s <-> '{57:3,1005:2,2000:3}/100000' LIMIT 1;
SELECT id FROM sp_words ORDER BY s <=> '{57:3,1005:2,2000:3}/100000' LIMIT 1;
-- of a column of vectors
CREATE TABLE sp_dense AS SELECT i AS id, ARRAY[i % 15, i / 15,
	0]::vector(3) AS v FROM generate_series(1, 150) AS i;
CREATE INDEX sp_cast ON sp_dense USING hnsw ((v::sparsevec(3)) sparsevec_l2_ops);
SELECT test.uses_index('SELECT id FROM sp_dense ORDER BY v::sparsevec(3) <-> ''{1:3}/3'' LIMIT 1');
SELECT id, v FROM sp_dense ORDER BY v::sparsevec(3) <-> '{1:3.1,2:4.2}/3' LIMIT 2;

-- hybrid of both: a dense and a sparse vector of each row, weighed in one distance
SELECT id FROM (VALUES (1, '[1,0]'::vector, '{1:1}/9'::sparsevec), (2, '[0.6,0.8]', '{2:1}/9'), (3,
	'[0,1]', '{2:2}/9'))
	AS v (id, dense, sparse) ORDER BY 0.5 * (dense <=> '[1,0]') + 0.5 * (sparse <=> '{2:1}/9')
		LIMIT 2;

DROP TABLE sp_items, sp_words, sp_dense;
