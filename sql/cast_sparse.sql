--
-- Casts of sparsevec from and to vector, halfvec and arrays
--
\pset format unaligned
\pset tuples_only on

-- values; an element that is 0, or -0, is left out
SELECT '[0,1.5,0,-2]'::vector::sparsevec, '[0,-0,0]'::vector::sparsevec,
	'[1e-45]'::vector::sparsevec, '[1,2,3]'::halfvec::sparsevec, '[0,6e-8]'::halfvec::sparsevec;
SELECT '{2:1.5,4:-2}/4'::sparsevec::vector, '{}/3'::sparsevec::vector,
	'{1:1e-45}/1'::sparsevec::vector, '{3:0.1}/3'::sparsevec::halfvec, '{}/1'::sparsevec::halfvec;
SELECT '{1:1e-8,2:1}/3'::sparsevec::halfvec, '{1:1e-8,2:1}/3'::sparsevec::halfvec::sparsevec;
SELECT NULL::vector::sparsevec IS NULL AND NULL::sparsevec::vector IS NULL
	AND NULL::halfvec::sparsevec IS NULL AND NULL::sparsevec::halfvec IS NULL;
-- there and back
SELECT count(*), bool_and(v::sparsevec::vector = v), bool_and(v::sparsevec::halfvec = v::halfvec),
	bool_and(v::halfvec::sparsevec = v::sparsevec),
	bool_and(v::real[]::sparsevec = v::sparsevec),
	bool_and(length(sparsevec_send(v::sparsevec)) = 12 + 8 * (SELECT count(*)
		FROM unnest(v::real[]) AS x WHERE x <> 0))
FROM (SELECT (SELECT array_agg(CASE WHEN (i * j + j * j) % 7 < 4 THEN 0
	ELSE (i * 31 + j * 17) % 101 - 50 END) FROM generate_series(1, i) AS j)::vector AS v
	  FROM generate_series(1, 200) AS i) AS s;

-- limits: 16000 elements that are not 0, 16000 dimensions of a dense vector
SELECT vector_dims('{1:1,16000:2}/16000'::sparsevec::vector),
	vector_dims('{1:1,16000:2}/16000'::sparsevec::halfvec),
	array_fill(1, ARRAY[16000])::vector::sparsevec::vector = array_fill(1, ARRAY[16000])::vector,
	array_fill(0, ARRAY[20000])::sparsevec, array_cat(ARRAY[1],
		array_fill(0, ARRAY[100000]))::sparsevec;
SELECT length(sparsevec_send(array_cat(array_fill(0, ARRAY[5000]),
	array_fill(1, ARRAY[16000]))::sparsevec));
SELECT test.errors_of(ARRAY[
	$$SELECT '{1:1}/16001'::sparsevec::vector$$,
	$$SELECT '{1:1}/16001'::sparsevec::halfvec$$,
	$$SELECT '{}/1000000000'::sparsevec::vector$$,
	$$SELECT '{1:1}/16001'::sparsevec::vector(3)$$,
	$$SELECT array_fill(1, ARRAY[16001])::sparsevec$$,
	$$SELECT array_fill(0.5::float8, ARRAY[20000])::sparsevec$$
]);

-- ranges
SELECT '{1:65504,2:-65519}/2'::sparsevec::halfvec;
SELECT test.errors_of(ARRAY[
	$$SELECT '{1:65520}/1'::sparsevec::halfvec$$,
	$$SELECT '{1:1,3:-1e30}/3'::sparsevec::halfvec$$
]);

-- type modifiers
SELECT '[1,0]'::vector::sparsevec(2), '{1:1}/2'::sparsevec::vector(2),
	'[1,0]'::halfvec::sparsevec(2), '{1:1}/2'::sparsevec::halfvec(2), ARRAY[1,0]::sparsevec(2);
SELECT test.errors_of(ARRAY[
	$$SELECT '[1,0]'::vector::sparsevec(3)$$,
	$$SELECT '[1,0]'::halfvec::sparsevec(1)$$,
	$$SELECT '{1:1}/2'::sparsevec::vector(3)$$,
	$$SELECT '{1:1}/2'::sparsevec::halfvec(1)$$,
	$$SELECT ARRAY[1,0]::sparsevec(3)$$,
	$$SELECT '{1:1}/2'::sparsevec::sparsevec(3)$$
]);

-- what happens by itself: dense to sparse; the other way takes an assignment
SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext
FROM pg_cast WHERE 'sparsevec'::regtype IN (castsource, casttarget)
	ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT '[3,0]'::vector <-> '{2:4}/2'::sparsevec, '{2:4}/2'::sparsevec <-> '[3,0]'::halfvec,
	'[3,0]'::vector = '{1:3}/2'::sparsevec,
	l2_distance('{2:4}/2'::sparsevec, '[3,0]'::vector),
		'[1,2]'::halfvec <=> '{1:1,2:2}/2'::sparsevec;
SELECT test.errors_of(ARRAY[
	$$SELECT vector_norm('{1:1}/1'::sparsevec)$$,
	$$SELECT vector_dims('{1:1}/1'::sparsevec)$$,
	$$SELECT '{1:1}/1'::sparsevec::sq8vec$$,
	$$SELECT '[1]'::sq8vec::sparsevec$$,
	$$SELECT '{1:1}/1'::sparsevec::real[]$$,
	$$SELECT '{1:1}/1'::sparsevec + '{1:1}/1'::sparsevec$$
]);
CREATE TEMP TABLE cs_mixed (s sparsevec, v vector, h halfvec);
INSERT INTO cs_mixed VALUES ('[1,0]'::vector, '{1:1}/2'::sparsevec, '{1:1}/2'::sparsevec),
	('[1,0]'::halfvec, NULL, NULL), (ARRAY[0,1]::real[], NULL, NULL);
SELECT * FROM cs_mixed;

-- arrays
SELECT '{1,0,3}'::int[]::sparsevec, '{0.5,0}'::real[]::sparsevec,
	'{0.1,1e-60,-0}'::float8[]::sparsevec, '{0.1,0,1e-30}'::numeric[]::sparsevec,
	'[5:7]={1,0,2}'::int[]::sparsevec;
SELECT test.errors_of(ARRAY[
	$$SELECT '{}'::int[]::sparsevec$$,
	$$SELECT '{{1,2}}'::real[]::sparsevec$$,
	$$SELECT '{{1,2},{3,4}}'::numeric[]::sparsevec$$,
	$$SELECT '{1,NULL}'::float8[]::sparsevec$$,
	$$SELECT '{NaN}'::float8[]::sparsevec$$,
	$$SELECT '{NaN}'::numeric[]::sparsevec$$,
	$$SELECT '{0,-Infinity}'::real[]::sparsevec$$,
	$$SELECT '{1e39}'::float8[]::sparsevec$$,
	$$SELECT '{1e39}'::numeric[]::sparsevec$$,
	$$SELECT '{1e-60}'::numeric[]::sparsevec$$,
	$$SELECT '{1,2}'::bigint[]::sparsevec$$
]);
