--
-- As users of pgvector do it: indexes of a part of each vector, whose rows are
-- put in order by the whole
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;

-- a part: from where, how many
SELECT subvector('[1,2,3,4,5]'::vector, 1, 3), subvector('[1,2,3,4,5]'::vector, 4, 2),
	subvector('[1,2,3,4,5]'::halfvec, 2, 1), subvector('[1,2,3,4,5]'::vector, 4, 9),
		subvector('[1,2,3]'::vector, -1, 3);
SELECT test.errors_of(ARRAY['SELECT subvector(''[1,2,3]''::vector, 1, 0)',
	'SELECT subvector(''[1,2,3]''::vector, 4, 1)',
	'SELECT subvector(''[1,2,3]''::halfvec, 1, -1)']);

-- the first three of six say most: the direction of one of 100 rows, and which of ten
CREATE TABLE su_items (id int, v vector(6));
INSERT INTO su_items SELECT i, ARRAY[cos(i / 10 * 0.15), sin(i / 10 * 0.15), 0.5, i % 10 * 0.1, 0,
	0]
FROM generate_series(0, 99) AS i;
CREATE INDEX su_idx ON su_items USING hnsw ((subvector(v, 1, 3)::vector(3)) vector_cosine_ops);
ANALYZE su_items;
EXPLAIN (COSTS OFF) SELECT * FROM su_items
	ORDER BY subvector(v, 1, 3)::vector(3) <=> subvector('[1,0,0.5,0.5,0,0]'::vector, 1,
		3) LIMIT 10;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM su_items
	ORDER BY subvector(v, 1, 3)::vector(3) <=> subvector('[1,0,0.5,0.5,0,0]'::vector, 1,
		3) LIMIT 10) AS s;
-- put in order by all six
SELECT id FROM (
	SELECT * FROM su_items ORDER BY subvector(v, 1,
		3)::vector(3) <=> subvector('[1,0,0.5,0.32,0,0]'::vector, 1, 3) LIMIT 20
) AS s ORDER BY v <=> '[1,0,0.5,0.32,0,0]' LIMIT 3;
-- of halfvec, at half precision, and by ivfflat
CREATE INDEX su_half ON su_items USING hnsw ((subvector(v::halfvec(6), 1,
	2)::halfvec(2)) halfvec_l2_ops);
SELECT test.uses_index('SELECT id FROM su_items
	ORDER BY subvector(v::halfvec(6), 1, 2)::halfvec(2) <-> ''[1,0]'' LIMIT 10');
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM su_items
	ORDER BY subvector(v::halfvec(6), 1, 2)::halfvec(2) <-> '[1,0]' LIMIT 10) AS s;
DROP INDEX su_idx;
SET client_min_messages = warning;
CREATE INDEX su_idx ON su_items USING ivfflat ((subvector(v, 4,
	3)::vector(3)) vector_l2_ops) WITH (lists = 2);
SET ivfflat.probes = 2;
SELECT test.uses_index('SELECT id FROM su_items
	ORDER BY subvector(v, 4, 3)::vector(3) <-> ''[0.3,0,0]'' LIMIT 10');
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM su_items
	ORDER BY subvector(v, 4, 3)::vector(3) <-> '[0.3,0,0]' LIMIT 10) AS s;

DROP TABLE su_items;
