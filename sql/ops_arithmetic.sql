--
-- Arithmetic, concatenation and pieces of vector and halfvec: + - * ||,
-- subvector, l2_normalize, binary_quantize, vector_dims, norms
--
\pset format unaligned
\pset null NULL

SELECT a, b, a + b AS plus, a - b AS minus, b - a AS minus_reversed, a * b AS times,
	a || b AS concat
FROM (VALUES ('[1,2,3]'::vector, '[10,20,30]'::vector), ('[0.5,-0.25]', '[-0.5,4]'),
	('[0,-0,0]', '[-0,-0,1]'), ('[16777216]', '[1]'), ('[3e38]', '[-0.5]'), ('[1e-45]', '[1]'),
	('[1]', NULL)) AS t (a, b);
SELECT a, b, a + b AS plus, a - b AS minus, b - a AS minus_reversed, a * b AS times,
	a || b AS concat
FROM (VALUES ('[1,2,3]'::halfvec, '[10,20,30]'::halfvec), ('[0.5,-0.25]', '[-0.5,4]'),
	('[0,-0,0]', '[-0,-0,1]'), ('[2048]', '[1]'), ('[2048]', '[3]'), ('[65504]', '[-1]'),
	('[6e-8]', '[1]'), ('[1]', NULL)) AS t (a, b);
SELECT '[1,2]'::vector + '[0.5,0.5]'::halfvec, '[0,255]'::sq8vec - '[1,1]'::vector,
	'[1,2]'::vector || '[3]', '[0,255]'::sq8vec || '[0,255]'::sq8vec;
SELECT '[1]'::vector || '[2,3]' || '[4]', vector_dims('[1,2]'::vector || '[3]'),
	vector_add('[1]', '[2]'), halfvec_sub('[1]', '[2]'), vector_mul('[3]', '[2]'),
	halfvec_concat('[1]', '[2]');

-- what does not fit
SELECT test.errors_of(ARRAY[
	$$SELECT '[1,2]'::vector + '[1]'::vector$$, $$SELECT '[1]'::vector - '[1,2]'::vector$$,
		$$SELECT '[1,2,3]'::vector * '[1]'::vector$$, $$SELECT '[1,2]'::halfvec + '[1]'::halfvec$$,
	$$SELECT '[1,2]'::halfvec - '[1]'::halfvec$$, $$SELECT '[1,2]'::halfvec * '[1]'::halfvec$$,
	$$SELECT '[3e38]'::vector + '[3e38]'::vector$$,
		$$SELECT '[1,-3e38]'::vector - '[1,3e38]'::vector$$,
		$$SELECT '[1e20]'::vector * '[-1e20]'::vector$$,
	$$SELECT '[1e-30]'::vector * '[1e-30]'::vector$$,
		$$SELECT '[1,-1e-45]'::vector * '[1,0.1]'::vector$$,
	$$SELECT '[65504]'::halfvec + '[16]'::halfvec$$,
		$$SELECT '[-65504]'::halfvec - '[65504]'::halfvec$$,
		$$SELECT '[256]'::halfvec * '[256]'::halfvec$$,
	$$SELECT '[1e-4]'::halfvec * '[1e-4]'::halfvec$$,
		$$SELECT '[6e-8]'::halfvec * '[-0.5]'::halfvec$$,
	$$SELECT array_fill(1, ARRAY[10000])::vector || array_fill(1, ARRAY[6001])::vector$$,
		$$SELECT array_fill(1, ARRAY[16000])::halfvec || '[1]'::halfvec$$,
	$$SELECT -'[1]'::vector$$, $$SELECT '[1]'::vector * 2$$,
		$$SELECT '[1]'::vector / '[1]'::vector$$, $$SELECT '[1]'::vector + ARRAY[1]$$,
		$$SELECT '{1:1}/1'::sparsevec + '[1]'::vector$$
]);
-- near what does not fit
SELECT '[3.4e38]'::vector + '[2e35]', '[1.8446742e19]'::vector * '[-1.8446742e19]',
	'[1e-45]'::vector * '[0.6]', '[0,1e-30]'::vector * '[1e-30,0]', '[1e-38]'::vector - '[1e-38]',
	'[65504]'::halfvec + '[15]'::halfvec, '[255.875]'::halfvec * '[256]',
		'[6e-8]'::halfvec * '[0.51]', '[6e-8]'::halfvec - '[6e-8]';
SELECT vector_dims(array_fill(1, ARRAY[10000])::vector || array_fill(1, ARRAY[6000])::vector),
	vector_dims(array_fill(1, ARRAY[15999])::halfvec || '[1]');

-- against the same by SQL, for many lengths
SELECT count(*), count(*) FILTER (WHERE (a + b)::real[] <> plus) AS plus,
	count(*) FILTER (WHERE (a - b)::real[] <> minus) AS minus,
	count(*) FILTER (WHERE (a * b)::real[] <> times) AS times,
	count(*) FILTER (WHERE (a || b)::real[] <> x || y) AS concat,
		count(*) FILTER (WHERE a + b <> b + a OR a * b <> b * a) AS commute,
	count(*) FILTER (WHERE (a::halfvec + b::halfvec)::real[] <> plus
		OR (a::halfvec - b::halfvec)::real[] <> minus OR (a::halfvec * b::halfvec)::real[] <> times
		OR (a::halfvec || b::halfvec)::real[] <> x || y) AS half
FROM (SELECT x::vector AS a, y::vector AS b, * FROM (
		SELECT i, array_agg(x ORDER BY j) AS x, array_agg(y ORDER BY j) AS y,
			array_agg(x + y ORDER BY j) AS plus, array_agg(x - y ORDER BY j) AS minus,
			array_agg(x * y ORDER BY j) AS times
		FROM (SELECT i, j, (((i * 7 + j * 13) % 41 - 20) / 4.0)::real AS x,
			(((i * 11 + j * 5) % 31 - 15) / 2.0)::real AS y FROM generate_series(1, 70) AS i,
			generate_series(1, 70) AS j WHERE j <= i) AS e
		GROUP BY i) AS l) AS s;

-- subvector: count elements from the start-th, as far as they exist
CREATE FUNCTION pg_temp.piece(start int, count int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN subvector('[1,2,3,4,5]'::vector, start, count)::text || ' '
		|| subvector('[1,2,3,4,5]'::halfvec, start, count)::text;
EXCEPTION WHEN OTHERS THEN
	RETURN test.error_of(format($q$SELECT subvector('[1,2,3,4,5]'::vector, %s, %s)$q$, start,
		count));
END $$;
SELECT start, count, pg_temp.piece(start, count)
FROM unnest(ARRAY[-2147483648, -2147483647, -5, -1, 0, 1, 2, 5, 6, 7, 2147483646, 2147483647])
	AS start, unnest(ARRAY[-2147483648, -1, 0, 1, 2, 5, 6, 7, 2147483647]) AS count
WHERE start IN (0, 1, 2, 5) OR count IN (-2147483648, 0, 1, 7, 2147483647) ORDER BY start, count;
SELECT subvector('[1,2,3]'::vector, NULL, 1), subvector('[0,1,255]'::sq8vec, 2, 5),
	subvector(subvector('[1,2,3,4]'::vector, 2, 3), 2, 1), subvector('[7]'::halfvec, 1, 1),
	vector_dims(subvector(array_fill(1, ARRAY[16000])::vector, 8001, 16000));
SELECT test.error_of($$SELECT subvector('[1]'::halfvec, 2, 1)$$);
-- all pieces of one vector, against array slices
SELECT count(*), count(*) FILTER (WHERE subvector(v, s, c)::real[] <> (v::real[])[s:s + c - 1])
	FROM (SELECT '[1,2,3,4,5,6,7,8]'::vector AS v) AS x, generate_series(-3, 8) AS s,
	generate_series(1, 12) AS c WHERE s + c > 1;

-- norms
SELECT vector_norm('[3,4]'), vector_norm('[0,-0]'), vector_norm('[-7]'), l2_norm('[3,4]'::halfvec),
	l2_norm('[65504]'::halfvec), vector_norm('[3,4]@(1,0)'::sq8vec), vector_norm(NULL);
SELECT to_char(vector_norm('[3e38,3e38]'), '9.9999EEEE'),
	to_char(vector_norm('[1e-30,1e-30]'), '9.9999EEEE'),
	to_char(vector_norm('[1e-45]'), '9.9999EEEE'),
	to_char(l2_norm('[6e-8]'::halfvec), '9.9999EEEE');
-- divided by the norm
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[-5]'::vector), l2_normalize('[0,0]'::vector),
	l2_normalize('[-0]'::vector), l2_normalize('[1e-45]'::vector),
	l2_normalize('[3.4028235e38]'::vector), l2_normalize('[2,0,-0]'::vector),
	l2_normalize(NULL::vector);
SELECT l2_normalize('[3,4]'::halfvec), l2_normalize('[-5]'::halfvec),
	l2_normalize('[0,0]'::halfvec), l2_normalize('[-0]'::halfvec), l2_normalize('[6e-8]'::halfvec),
	l2_normalize('[65504]'::halfvec), l2_normalize('[0,255]'::sq8vec);
SELECT l2_normalize('[1e-30,1e-30]'::vector) <-> '[0.70710678,0.70710678]' < 1e-6,
	l2_normalize('[3e38,-3e38]'::vector) <-> '[0.70710678,-0.70710678]' < 1e-6,
	l2_normalize('[3e38,1e-10]'::vector),
	l2_normalize('[65504,65504]'::halfvec) <-> '[0.70710678,0.70710678]' < 1e-3,
		l2_normalize('[65504,1e-3]'::halfvec),
		abs(vector_norm(l2_normalize(array_fill(0.3, ARRAY[16000])::vector)) - 1) < 1e-6;

-- a bit for each element: is it above 0?
SELECT binary_quantize('[1,0,-1,-0,1e-45,-1e-45]'::vector),
	binary_quantize('[1,0,-1,-0,6e-8,-6e-8]'::halfvec), binary_quantize('[5]'::vector),
	binary_quantize('[-5]'::halfvec), binary_quantize('[0,255,-3]'::sq8vec),
	binary_quantize(NULL::vector);
SELECT count(*), count(*) FILTER (WHERE binary_quantize(v)::text <> bits
	OR length(binary_quantize(v)) <> i OR binary_quantize(v::halfvec)::text <> bits)
FROM (SELECT i, array_agg((i * j + j * j) % 7 - 3 ORDER BY j)::vector AS v,
	string_agg(CASE WHEN (i * j + j * j) % 7 > 3 THEN '1' ELSE '0' END, '' ORDER BY j) AS bits
	  FROM generate_series(1, 70) AS i, generate_series(1, 70) AS j WHERE j <= i GROUP BY i) AS s;
SELECT bit_count(binary_quantize(array_fill(1, ARRAY[16000])::vector)),
	length(binary_quantize(array_fill(-1, ARRAY[15999])::halfvec));
SELECT vector_dims('[1]'::vector), vector_dims('[1,2]'::halfvec), vector_dims('[1,2,3]'::sq8vec),
	vector_dims(NULL::vector);
