--
-- nanovec_lsh(): signatures by random hyperplanes
--
\pset format unaligned
\pset tuples_only on
-- always the same, on every machine
SELECT nanovec_lsh('[1,2,3]'::vector, 64);
SELECT nanovec_lsh('[1,2,3]'::halfvec, 64);
SELECT nanovec_lsh('[1,2,3]'::vector, 64, 1);
SELECT nanovec_lsh('[1,2,3]'::vector, 64, -1);
SELECT md5(nanovec_lsh(array_agg(test.noise(i, 1) - 500 ORDER BY i)::vector, 1000, 5)::text)
FROM generate_series(1, 1537) AS i;
-- fewer bits are the first of more
SELECT bool_and(nanovec_lsh('[1,2,3]'::vector, n) = substring(nanovec_lsh('[1,2,3]'::vector, 200)
	FROM 1 FOR n)) FROM generate_series(1, 200) AS n;
-- the length of a vector does not count, down to the smallest and up to the largest
SELECT count(DISTINCT nanovec_lsh(v::vector, 100)) FROM unnest('{"[1,-2]","[2,-4]","[1e38,-2e38]",
	"[1.5e-39,-3e-39]"}'::text[]) AS v;
-- the opposite direction has all other bits
SELECT bit_count(nanovec_lsh('[1,-2,5]'::vector, 500) # nanovec_lsh('[-1,2,-5]'::vector, 500));
-- zeros are above no hyperplane
SELECT nanovec_lsh('[0,0,0]'::vector, 10), nanovec_lsh('[-0]'::halfvec, 1);
-- the part of the bits that differ is the angle / pi: .25, and .5 for each pair of axes
SELECT abs((nanovec_lsh('[1,0]'::vector, 10000) <~> nanovec_lsh('[1,1]'::vector, 10000)) / 10000 - .25) < .02;
SELECT bool_and(abs((nanovec_lsh(a.v, 4000) <~> nanovec_lsh(b.v, 4000)) / 4000 - .5) < .04)
FROM (SELECT i, array_agg((i = j)::int ORDER BY j)::vector AS v FROM generate_series(1, 20) AS i,
	generate_series(1, 20) AS j GROUP BY i) AS a, (SELECT i, array_agg((i = j)::int ORDER BY j)::vector
	AS v FROM generate_series(1, 20) AS i, generate_series(1, 20) AS j GROUP BY i) AS b WHERE a.i < b.i;
-- no direction has more of the hyperplanes: of the axes and of the diagonal, half of the bits
SELECT bool_and(abs(bit_count(nanovec_lsh(v, 10000)) / 10000.0 - .5) < .02) FROM (SELECT
	array_agg((i = j OR i = 0)::int ORDER BY j)::vector AS v FROM generate_series(0, 10) AS i,
	generate_series(1, 10) AS j GROUP BY i) AS s;
-- values of many dimensions, numbers of bits and seeds in one query; hyperplanes that are not kept
SELECT count(DISTINCT nanovec_lsh(array_fill(1::real, ARRAY[d])::vector, b, s)) FROM
	unnest('{1,2,700,16000}'::int[]) AS d, unnest('{100,7000}'::int[]) AS b, unnest('{0,1}'::int[]) AS s;
SELECT nanovec_lsh(v, 6000, 3) = substring(nanovec_lsh(v, 7000, 3) FROM 1 FOR 6000)
FROM (SELECT array_fill(1::real, ARRAY[650])::vector AS v) AS s;

-- an index, and a query that sorts its best again; rows around 20 directions
CREATE TABLE ql_items (id int, v vector(32));
INSERT INTO ql_items SELECT i, (SELECT array_agg(test.noise(i % 20, j) - 500 + test.noise(i, j + 99)
	/ 2 - 250 ORDER BY j)::vector FROM generate_series(1, 32) AS j) FROM generate_series(1, 2000) AS i;
CREATE INDEX ql_idx ON ql_items USING hnsw ((nanovec_lsh(v, 256)::bit(256)) bit_hamming_ops);
SET enable_seqscan = off;
SELECT test.uses_index($$SELECT id FROM ql_items ORDER BY nanovec_lsh(v, 256)::bit(256) <~>
	nanovec_lsh((SELECT v FROM ql_items WHERE id = 1), 256)::bit(256) LIMIT 60$$);
CREATE FUNCTION pg_temp.near(q vector) RETURNS int[] LANGUAGE sql AS $$
	SELECT array_agg(id) FROM (SELECT id FROM
	(SELECT id, v FROM ql_items ORDER BY nanovec_lsh(v, 256)::bit(256) <~> nanovec_lsh(q, 256)::bit(256)
		LIMIT 60) AS near ORDER BY v <=> q LIMIT 10) AS s $$;
SELECT avg((SELECT count(*) FROM unnest(pg_temp.near(q.v)) AS n WHERE n IN (SELECT id FROM ql_items AS e
	ORDER BY (e.v <=> q.v) + 0 LIMIT 10))) >= 9 FROM (SELECT v FROM ql_items WHERE id <= 30) AS q;

-- mistakes
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_lsh('[1,2]'::vector, 0)$$,
	$$SELECT nanovec_lsh('[1,2]'::vector, -5)$$,
	$$SELECT nanovec_lsh('[1,2]'::halfvec, 64001)$$,
	$$SELECT nanovec_lsh('[1,2]', 10)$$,
	$$SELECT nanovec_lsh('{1:1}/2'::sparsevec, 10)$$,
	$$SELECT nanovec_lsh('[1,2]'::vector)$$]);
SELECT nanovec_lsh(NULL::vector, 10) IS NULL, nanovec_lsh('[1]'::vector, NULL) IS NULL,
	length(nanovec_lsh('[1]'::vector, 64000));
DROP TABLE ql_items;
