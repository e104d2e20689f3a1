--
-- Distances of sparsevec: every function and operator, agreement with the
-- dense vectors, numbers near the ends of float4, differing dimensions
--
\pset format unaligned
\pset null NULL

-- numbers to check by hand, with every operator and function
SELECT a, b, a <-> b AS l2, a <#> b AS neg_ip, round((a <=> b)::numeric, 6) AS cosine,
	a <+> b AS l1,
	l2_distance(a, b) AS l2_f, sparsevec_l2_squared_distance(a, b) AS l2sq,
		inner_product(a, b) AS ip,
	sparsevec_negative_inner_product(a, b) AS neg_ip_f,
		round(cosine_distance(a, b)::numeric, 6) AS cosine_f, l1_distance(a, b) AS l1_f
FROM (VALUES ('{1:3,2:4}/2'::sparsevec, '{1:4,2:3}/2'::sparsevec), ('{1:3}/2', '{2:4}/2'),
	('{1:1,3:2}/3', '{1:1,3:2}/3'), ('{1:1}/1', '{1:-1}/1'),
	('{1:1,5:2,9:3}/9', '{5:2}/9'), ('{5:2}/9', '{4:1,5:6,6:1}/9'),
		('{1:1,2:1,3:1,4:1}/4', '{2:3,4:3}/4'), ('{1000000000:3}/1000000000', '{1:4}/1000000000'),
	('{1:1}/1', NULL), (NULL, NULL)) AS t (a, b);
-- zero vectors: no cosine
SELECT '{}/2'::sparsevec <-> '{1:3,2:4}/2', '{}/2'::sparsevec <#> '{1:3}/2',
	'{}/2'::sparsevec <=> '{1:3}/2', '{1:3}/2'::sparsevec <=> '{}/2', '{}/2'::sparsevec <=> '{}/2',
	'{}/2'::sparsevec <+> '{1:3,2:-4}/2', '{}/1000000000'::sparsevec <-> '{}/1000000000';

-- against the dense vectors, whose elements make exact sums
CREATE TEMP TABLE ds_values AS
	SELECT i, array_agg(CASE WHEN (i * j + j * j / 3) % 5 < 3 THEN 0
		ELSE ((i * 31 + j * 17) % 81 - 40) / 4.0 END ORDER BY j)::vector AS v
	FROM generate_series(1, 60) AS i, generate_series(1, 100) AS j GROUP BY i;
SELECT count(*), count(*) FILTER (WHERE a.v::sparsevec <-> b.v::sparsevec <> a.v <-> b.v) AS l2,
	count(*) FILTER (WHERE a.v::sparsevec <#> b.v::sparsevec <> a.v <#> b.v) AS ip,
		count(*) FILTER (WHERE a.v::sparsevec <+> b.v::sparsevec <> a.v <+> b.v) AS l1,
	count(*) FILTER (WHERE NOT abs((a.v::sparsevec <=> b.v::sparsevec) - (a.v <=> b.v)) < 1e-12)
		AS cosine,
	count(*) FILTER (WHERE a.v::sparsevec <-> b.v::sparsevec <> b.v::sparsevec <-> a.v::sparsevec
		OR a.v::sparsevec <#> b.v::sparsevec <> b.v::sparsevec <#> a.v::sparsevec
		OR a.v::sparsevec <=> b.v::sparsevec <> b.v::sparsevec <=> a.v::sparsevec
			OR a.v::sparsevec <+> b.v::sparsevec <> b.v::sparsevec <+> a.v::sparsevec)
			AS order_matters,
	count(*) FILTER (WHERE a.i = b.i AND a.v::sparsevec <=> b.v::sparsevec <> 0) AS self
FROM ds_values AS a, ds_values AS b;
-- a dense vector becomes sparse when it meets one
SELECT '{1:3}/2'::sparsevec <-> '[0,4]'::vector, '[0,4]'::halfvec <+> '{1:3}/2'::sparsevec,
	'{1:3}/2'::sparsevec <-> '{2:4}/2', l2_distance('{1:3}/2', '[0,4]'::vector::sparsevec);

-- differing dimensions
SELECT test.errors_of(ARRAY[
	$$SELECT '{1:1}/2'::sparsevec <-> '{1:1}/3'::sparsevec$$,
		$$SELECT '{1:1}/3'::sparsevec <#> '{1:1}/2'::sparsevec$$,
		$$SELECT '{}/1'::sparsevec <=> '{}/1000000000'::sparsevec$$,
	$$SELECT '{1:1}/2'::sparsevec <+> '{1:1}/3'::sparsevec$$,
		$$SELECT sparsevec_l2_squared_distance('{}/1', '{}/2')$$,
		$$SELECT '{1:1}/2'::sparsevec <-> '[1,2,3]'::vector$$,
	$$SELECT '{1:1}/2'::sparsevec <~> '{1:1}/2'::sparsevec$$,
		$$SELECT '{1:1}/2'::sparsevec <-> '[1,2]'::sq8vec$$
]);

-- beyond float4, and below it
SELECT test.sig(a <-> b) AS l2, test.sig(sparsevec_l2_squared_distance(a, b)) AS l2sq,
	test.sig(a <#> b) AS neg_ip, test.sig(a <=> b) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('{1:3e38}/1'::sparsevec, '{1:-3e38}/1'::sparsevec),
	('{1:3e38,2:3e38}/2', '{1:3e38,2:-3e38}/2'), ('{1:3e38}/2', '{2:3e38}/2'),
	('{1:2e19,2:1e19}/2', '{1:1e19,2:2e19}/2'),
	('{1:1e-30}/1', '{}/1'), ('{1:3e-40}/2', '{2:4e-40}/2'), ('{1:1e-45}/1', '{1:1e-45}/1'),
		('{1:1,2:1e-30}/2', '{1:1}/2'), ('{1:1e-25}/2', '{1:1e-25,2:1}/2')) AS t (a, b);
SELECT test.sig(a <-> b), test.sig(a <#> b), test.sig(a <=> b), test.sig(a <+> b)
FROM (SELECT array_fill(3e38, ARRAY[16000])::sparsevec AS a,
	array_fill(-3e38, ARRAY[16000])::sparsevec AS b) AS s;

-- norm
SELECT l2_norm('{1:3,9:-4}/9'::sparsevec), l2_norm('{}/5'::sparsevec),
	test.sig(l2_norm('{1:3e38,2:3e38}/2'::sparsevec)),
	test.sig(l2_norm('{1:1e-45}/2'::sparsevec)), l2_norm(NULL::sparsevec);
SELECT l2_normalize('{1:3,9:-4}/9'::sparsevec), l2_normalize('{}/5'::sparsevec),
	l2_normalize('{2:-7}/3'::sparsevec), l2_normalize('{1:1e-45}/1'::sparsevec),
	l2_normalize('{1:3e38,2:3e38}/2'::sparsevec) <-> '{1:0.70710678,2:0.70710678}/2' < 1e-7,
		l2_normalize(NULL::sparsevec);
-- what becomes 0 by it is left out
SELECT l2_normalize('{1:3e38,2:1e-38,3:-3e38}/4'::sparsevec) <-> '{1:0.70710678,3:-0.70710678}/4' <
	1e-7, length(sparsevec_send(l2_normalize('{1:3e38,2:1e-38,3:-3e38}/4'::sparsevec)));
