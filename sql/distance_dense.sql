--
-- Distances of vector, halfvec and sq8vec: every function and operator, mixed
-- types, numbers near the ends of their ranges, differing dimensions
--
\pset format unaligned
\pset null NULL

-- numbers to check by hand, with every operator and function
CREATE TEMP TABLE dd_pairs (n int, a text, b text);
INSERT INTO dd_pairs VALUES
	(1, '[3,4]', '[0,0]'), (2, '[1,2,3]', '[1,2,3]'), (3, '[1,0]', '[0,1]'),
		(4, '[1,1]', '[-1,-1]'), (5, '[2,0,0]', '[5,0,0]'),
	(6, '[1,2,3,4]', '[5,4,3,2]'), (7, '[-1.5]', '[2.5]'), (8, '[0,0]', '[0,0]'),
		(9, '[3,4]', '[4,3]'), (10, '[0.6,0.8]', '[0.8,0.6]'), (11, NULL, '[1]');
-- digits that do not depend on the order of summation
CREATE FUNCTION pg_temp.finite(x double precision, digits int) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN x::text ~ '^(NaN|-?Infinity)$' THEN x::text
		ELSE trim_scale(round(x::numeric, digits))::text END
$$;
SELECT n, pg_temp.finite(a <-> b, 6) AS l2, pg_temp.finite(a <#> b, 6) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, pg_temp.finite(a <+> b, 6) AS l1,
	pg_temp.finite(l2_distance(a, b), 6) AS l2_f,
		pg_temp.finite(vector_l2_squared_distance(a, b), 5) AS l2sq,
	pg_temp.finite(inner_product(a, b), 5) AS ip,
		pg_temp.finite(vector_negative_inner_product(a, b), 5) AS neg_ip_f,
	pg_temp.finite(cosine_distance(a, b), 6) AS cosine_f,
		pg_temp.finite(vector_spherical_distance(a, b), 6) AS spherical,
		pg_temp.finite(l1_distance(a, b), 6) AS l1_f
FROM (SELECT n, a::vector AS a, b::vector AS b FROM dd_pairs) AS p ORDER BY n;
SELECT n, pg_temp.finite(a <-> b, 3) AS l2, pg_temp.finite(a <#> b, 3) AS neg_ip,
	pg_temp.finite(a <=> b, 3) AS cosine, pg_temp.finite(a <+> b, 3) AS l1,
	pg_temp.finite(l2_distance(a, b), 3) AS l2_f,
		pg_temp.finite(halfvec_l2_squared_distance(a, b), 3) AS l2sq,
	pg_temp.finite(inner_product(a, b), 3) AS ip,
		pg_temp.finite(halfvec_negative_inner_product(a, b), 3) AS neg_ip_f,
	pg_temp.finite(cosine_distance(a, b), 3) AS cosine_f,
		pg_temp.finite(halfvec_spherical_distance(a, b), 2) AS spherical,
		pg_temp.finite(l1_distance(a, b), 3) AS l1_f
FROM (SELECT n, a::halfvec AS a, b::halfvec AS b FROM dd_pairs) AS p ORDER BY n;
-- on a grid of steps of 0.5, or of 0.1, these are the same numbers
SELECT n, pg_temp.finite(a <-> b, 6) AS l2, pg_temp.finite(a <#> b, 6) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, pg_temp.finite(a <+> b, 6) AS l1,
	pg_temp.finite(l2_distance(a, b), 6) AS l2_f,
		pg_temp.finite(sq8vec_l2_squared_distance(a, b), 6) AS l2sq,
	pg_temp.finite(inner_product(a, b), 6) AS ip,
		pg_temp.finite(sq8vec_negative_inner_product(a, b), 6) AS neg_ip_f,
	pg_temp.finite(cosine_distance(a, b), 6) AS cosine_f,
		pg_temp.finite(sq8vec_spherical_distance(a, b), 6) AS spherical,
		pg_temp.finite(l1_distance(a, b), 6) AS l1_f
FROM (SELECT n, (a || '@(' || s || ',0,128)')::sq8vec AS a,
	(b || '@(' || s || ',0,128)')::sq8vec AS b
	  FROM dd_pairs, LATERAL (SELECT CASE n WHEN 10 THEN 0.1 ELSE 0.5 END AS s) AS s) AS p
		ORDER BY n;
-- any two grids will do
SELECT pg_temp.finite(a <-> b, 6), pg_temp.finite(a <#> b, 6), pg_temp.finite(a <=> b, 6),
	pg_temp.finite(a <+> b, 6)
FROM (VALUES ('[1,2,3]@(1,0)'::sq8vec, '[1,2,3]@(0.5,-1)'::sq8vec),
	('[1,2,3]@(1,0)', '[1,2,3]@(0.25,0,128)'),
	('[10,20]@(10,0)', '[-7,-5]@(1,0,128)'), ('[7,7]', '[4,3]@(1,0)'), ('[7,7]', '[4,3]'),
		('[1e20,2e20]@(1e20,0)', '[1,2]@(1,0)')) AS t (a, b);

-- Against the sums that SQL makes of the elements, for every length up to some
-- more than the widest registers take at once.  The numbers are such that
-- sums of squares are exact in float4, whatever their order.
CREATE TEMP TABLE dd_lengths AS
	SELECT d, s.*, a::halfvec AS ha, b::halfvec AS hb, sq8vec(ca::int2[], 0.25, 0) AS qa,
		sq8vec(cb::int2[], 0.25, 0) AS qb
	FROM generate_series(1, 300) AS d,
		LATERAL (SELECT array_agg((i * 37 + d * 11 + i * i) % 61 - 30 ORDER BY i) AS ca,
			array_agg((i * 53 + d * 7 + i * i / 3) % 59 - 29 ORDER BY i) AS cb
				 FROM generate_series(1, d) AS i) AS c,
		LATERAL (SELECT array_agg(x / 4.0 ORDER BY n)::vector AS a,
			array_agg(y / 4.0 ORDER BY n)::vector AS b,
				 	sum((x - y) ^ 2)::float8 / 16 AS l2sq, sum(x * y)::float8 / 16 AS ip,
					sum(abs(x - y))::float8 / 4 AS l1,
					sum(x * x)::float8 / 16 AS aa, sum(y * y)::float8 / 16 AS bb
				 FROM unnest(ca, cb) WITH ORDINALITY AS u (x, y, n)) AS s;
SELECT count(*),
	count(*) FILTER (WHERE a <-> b <> sqrt(l2sq) OR ha <-> hb <> sqrt(l2sq)
		OR qa <-> qb <> sqrt(l2sq)) AS l2,
	count(*) FILTER (WHERE a <#> b <> -ip OR ha <#> hb <> -ip OR qa <#> qb <> -ip) AS ip,
	count(*) FILTER (WHERE a <+> b <> l1 OR ha <+> hb <> l1 OR qa <+> qb <> l1) AS l1,
	count(*) FILTER (WHERE NOT (abs((a <=> b) - (1 - cos)) < 1e-12
		AND abs((ha <=> hb) - (1 - cos)) < 1e-12 AND abs((qa <=> qb) - (1 - cos)) < 1e-12))
		AS cosine,
	count(*) FILTER (WHERE NOT (qa::vector <-> b = a <-> qb AND a <=> a = 0 AND ha <=> ha = 0
		AND qa <=> qa = 0 AND a <-> a = 0)) AS self
FROM (SELECT *, ip / sqrt(aa * bb) AS cos FROM dd_lengths) AS s;
SELECT bool_and(a <-> b = b <-> a AND a <#> b = b <#> a AND a <=> b = b <=> a AND a <+> b = b <+> a
	AND ha <-> hb = hb <-> ha AND ha <#> hb = hb <#> ha AND ha <=> hb = hb <=> ha
		AND ha <+> hb = hb <+> ha
	AND qa <-> qb = qb <-> qa AND qa <#> qb = qb <#> qa AND qa <=> qb = qb <=> qa
		AND qa <+> qb = qb <+> qa) AS commute
FROM dd_lengths;
DROP TABLE dd_lengths;

-- types that meet: sq8vec becomes vector, vector becomes halfvec
SELECT '[1,2]'::vector <-> '[1,4]'::halfvec, '[1,4]'::halfvec <#> '[1,2]'::vector,
	'[3,4]@(1,0)'::sq8vec <-> '[0,0]'::vector, '[0,0]'::vector <+> '[3,4]@(1,0)'::sq8vec,
	'[0.1]'::vector <-> '[0.1]'::halfvec, l1_distance('[3,4]@(1,0)'::sq8vec, '[0,1]'::vector),
		cosine_distance('[1,1]'::halfvec, '[2,2]'::vector);
SELECT '[1,2]'::vector <-> '[1,4]', '[1,4]' <-> '[1,2]'::halfvec,
	l2_distance('[1,2]'::sq8vec, '[1,2]');

-- differing dimensions
SELECT c, test.error_of('SELECT ' || c) FROM (
	SELECT format(f, t, t) AS c, n, m FROM unnest(ARRAY['vector', 'halfvec',
		'sq8vec']) WITH ORDINALITY AS t (t, n),
		unnest(ARRAY['''[1,2]''::%s <-> ''[1]''::%s', '''[1]''::%s <#> ''[1,2]''::%s',
			'''[1,2,3]''::%s <=> ''[1,2]''::%s', '''[1]''::%s <+> ''[1,2,3]''::%s']) WITH ORDINALITY
			AS f (f, m)) AS s
ORDER BY n, m;
SELECT test.errors_of(ARRAY[
	$$SELECT vector_l2_squared_distance('[1,2]', '[1]')$$,
		$$SELECT vector_spherical_distance('[1,2]', '[1]')$$,
		$$SELECT halfvec_negative_inner_product('[1,2]', '[1]')$$,
	$$SELECT sq8vec_l2_squared_distance('[1,2]', '[1]')$$,
		$$SELECT '[1,2]'::vector <-> '[1]'::halfvec$$, $$SELECT '[1,2]'::sq8vec <-> '[1]'::vector$$,
	$$SELECT '[1]' <-> '[1]'$$, $$SELECT l2_distance('[1]', '[1]')$$,
		$$SELECT '[1]'::halfvec <-> '[1]'::sq8vec$$
]);

-- zero vectors: no cosine
SELECT '[0,0]'::vector <=> '[1,2]', '[1,2]'::vector <=> '[0,-0]', '[0]'::halfvec <=> '[0]',
	'[0,0]'::sq8vec <=> '[1,2]';
SELECT '[0,0]@(1,-100)'::sq8vec <=> '[1,1]@(1,0)', '[0,0,0]@(0.1,0,128)'::sq8vec <=> '[0,0,0]';
-- the last element of this grid is not quite 0
SELECT v, pg_temp.finite(v <=> '[1,1,2]@(1,0)', 6), pg_temp.finite(v::vector <=> '[1,1,2]', 6)
	FROM (SELECT '[0,0,0]@(0.1,-0.7)'::sq8vec AS v) AS s;
SELECT '[0,0]'::vector <-> '[3,4]', '[0,0]'::halfvec <#> '[3,4]', '[0,0]'::sq8vec <+> '[3,4]',
	vector_spherical_distance('[0,0]', '[1,0]');

-- beyond float4: squares and sums that it does not hold
SELECT test.sig(a <-> b) AS l2, test.sig(vector_l2_squared_distance(a, b)) AS l2sq,
	test.sig(a <#> b) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('[3e38]'::vector, '[-3e38]'::vector), ('[3e38,3e38]', '[3e38,-3e38]'),
	('[3e38,-3e38]', '[3e38,3e38]'), ('[3.4028235e38]', '[3.4028235e38]'),
	(array_fill(3e38, ARRAY[100])::vector, array_fill(-3e38, ARRAY[100])::vector),
		('[2e19,1e19]', '[1e19,2e19]'), ('[3e38,1]', '[1,3e38]')) AS t (a, b);
SELECT test.sig(a <-> b) AS l2, test.sig(sq8vec_l2_squared_distance(a, b)) AS l2sq,
	test.sig(a <#> b) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('[3e38]'::sq8vec, '[-3e38]'::sq8vec), ('[3e38,-3e38]', '[-3e38,3e38]'),
	('[3e38,3e38]', '[3e38,3e38]')) AS t (a, b);
SELECT '[65504]'::halfvec <-> '[-65504]', '[65504]'::halfvec <#> '[65504]',
	'[65504]'::halfvec <+> '[-65504]', '[65504,65504]'::halfvec <=> '[65504,65504]',
	test.sig(array_fill(65504, ARRAY[16000])::halfvec <-> array_fill(-65504,
		ARRAY[16000])::halfvec);
-- below it: squares that vanish
SELECT test.sig(a <-> b) AS l2, test.sig(a <#> b) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('[1e-30]'::vector, '[0]'::vector), ('[1e-30]', '[2e-30]'), ('[3e-40,4e-40]', '[0,0]'),
	('[1e-45]', '[1e-45]'), ('[1e-20,1e-20]', '[1e-20,-1e-20]'),
	('[1e-25,0]', '[1e-25,1]'), ('[1e-25,1]', '[0,0]'), ('[1,1e-30]', '[1,0]'),
		('[1e-38,1e38]', '[1e38,-1e-38]')) AS t (a, b);
SELECT test.sig(a <-> b) AS l2, test.sig(a <#> b) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('[6e-8]'::halfvec, '[0]'::halfvec), ('[6e-8]', '[1.2e-7]'), ('[6e-8,0]', '[0,6e-8]'),
	('[6e-8,65504]', '[6e-8,-65504]')) AS t (a, b);
SELECT test.sig(a <-> b) AS l2, test.sig(a <#> b) AS neg_ip,
	pg_temp.finite(a <=> b, 6) AS cosine, test.sig(a <+> b) AS l1
FROM (VALUES ('[1e-30]'::sq8vec, '[0]'::sq8vec),
	('[1e-30,3e-30]@(1e-30,0)', '[2e-30,1e-30]@(1e-30,0)'), ('[1e-30]@(1e-30,0)', '[2]@(1,0)'))
	AS t (a, b);

-- a cosine is never beyond -1 or 1, an angle is a number
SELECT count(*), bool_and(v <=> v = 0), bool_and(v <=> w BETWEEN 0 AND 1e-6),
	bool_and(v <=> minus BETWEEN 2 - 1e-6 AND 2),
	bool_and(v::halfvec <=> w::halfvec BETWEEN 0 AND 1e-5),
		bool_and(v::sq8vec <=> w::sq8vec BETWEEN 0 AND 1e-4),
	bool_and(vector_spherical_distance(l2_normalize(v), l2_normalize(w)) BETWEEN 0 AND 0.001),
	bool_and(halfvec_spherical_distance(l2_normalize(v::halfvec), l2_normalize(w::halfvec))
		BETWEEN 0 AND 0.05)
FROM (SELECT array_agg(x)::vector AS v, array_agg(x * 3)::vector AS w,
	array_agg(-x)::vector AS minus
	  FROM (SELECT i, ((i * 31 + j * 17 + j * j) % 101 / 7.0 + 0.1) AS x
		FROM generate_series(1, 300) AS i, generate_series(1, 50) AS j WHERE j <= i) AS s
		GROUP BY i) AS s;
SELECT vector_spherical_distance('[2]', '[3]'), vector_spherical_distance('[2]', '[-3]'),
	halfvec_spherical_distance('[1,0]', '[0,1]'), sq8vec_spherical_distance('[-2]', '[3]'),
	pg_temp.finite(vector_spherical_distance('[0.5,0]', '[1,0]'), 10);

-- NULL
SELECT NULL::vector <-> '[1]', '[1]'::halfvec <=> NULL, l1_distance(NULL::sq8vec, '[1]'),
	vector_spherical_distance(NULL, NULL);

-- equal vectors have no distance, whatever their grid
SELECT count(*) FROM generate_series(1, 2000) AS i, LATERAL (SELECT array_agg(test.noise(i, j) / 7.0 - 50
	ORDER BY j)::vector::sq8vec AS v FROM generate_series(1, 5) AS j) AS l WHERE v <=> v <> 0 OR v <-> v <> 0;
