--
-- Casts of arrays to vector, halfvec and sq8vec, and back to real[]
-- (arrays to sparsevec are in cast_sparse)
--
\pset format unaligned
\pset tuples_only on

-- values
SELECT '{1,-2,0}'::int[]::vector, '{1.5,-0,1e-45}'::real[]::vector,
	'{0.1,1e-60,3.4028235677973362e38}'::float8[]::vector,
	'{0.1,123456789.123,0}'::numeric[]::vector;
SELECT '{1,-2,0}'::int[]::halfvec, '{1.5,-0,0.1}'::real[]::halfvec,
	'{0.1,1e-60,65519.99}'::float8[]::halfvec, '{0.1,2049,1e-30}'::numeric[]::halfvec;
SELECT '{0,1,255}'::int[]::sq8vec, '{0,0.5,127.5}'::real[]::sq8vec,
	'{0,0.5,127.5}'::float8[]::sq8vec, '{0,0.5,127.5}'::numeric[]::sq8vec;
SELECT '{2147483647,-2147483648,16777217}'::int[]::vector, '{65504,-65519,2049}'::int[]::halfvec;
-- an array counts from wherever it likes
SELECT '[0:1]={1,2}'::int[]::vector, '[-3:-2]={1,2}'::real[]::halfvec,
	'[7:9]={0,1,255}'::float8[]::sq8vec;
-- one that has lost its nulls
SELECT array_remove('{1,NULL,2}'::real[], NULL)::vector, (ARRAY[NULL, 1, 2]::float8[])[2:3]::vector,
	(ARRAY[NULL, 1, 2]::int[])[2:3]::halfvec;
SELECT NULL::int[]::vector IS NULL AND NULL::real[]::halfvec IS NULL
	AND NULL::float8[]::sq8vec IS NULL AND NULL::numeric[]::vector IS NULL;

-- what is refused, for each element type and each target
SELECT format('%-16s %-20s %-10s ', source, value,
	target) || test.error_of(format('SELECT %L::%s::%s', value, source, target))
FROM unnest(ARRAY['int[]', 'real[]', 'float8[]', 'numeric[]']) WITH ORDINALITY AS s (source, n),
	unnest(ARRAY['{}', '{NULL}', '{1,NULL}', '{{1,2}}', '{{1},{2}}', '{{1,NULL}}']) WITH ORDINALITY
		AS v (value, m),
	unnest(ARRAY['vector', 'halfvec', 'sq8vec']) WITH ORDINALITY AS t (target, k)
ORDER BY n, m, k;
SELECT format('%-16s %-20s %-10s ', source, value,
	target) || test.error_of(format('SELECT %L::%s::%s', value, source, target))
FROM unnest(ARRAY['real[]', 'float8[]', 'numeric[]']) WITH ORDINALITY AS s (source, n),
	unnest(ARRAY['{NaN}', '{1,Infinity}', '{-Infinity}', '{70000}', '{1,-65520}', '{1e39}',
		'{-1e40}']) WITH ORDINALITY AS v (value, m),
	unnest(ARRAY['vector', 'halfvec', 'sq8vec']) WITH ORDINALITY AS t (target, k)
WHERE NOT (source = 'real[]' AND value ~ 'e')
ORDER BY n, m, k;
SELECT test.errors_of(ARRAY[
	$$SELECT '{65520}'::int[]::halfvec$$,
	$$SELECT '{-2147483648}'::int[]::halfvec$$,
	$$SELECT '{1e-60}'::numeric[]::vector$$,
	$$SELECT '{1,2}'::bigint[]::vector$$,
	$$SELECT '{1,2}'::smallint[]::vector$$,
	$$SELECT '{a}'::text[]::vector$$,
	$$SELECT array_to_vector('{1,2}'::bigint[], 2, false)$$,
	$$SELECT '{1,2}'::vector$$
]);

-- type modifiers; dimensions before elements
SELECT ARRAY[1,2]::vector(2), ARRAY[1,2]::halfvec(2), ARRAY[0,255]::sq8vec(2),
	array_to_vector(ARRAY[1.5,2], 2, true), array_to_halfvec(ARRAY[1,2], -1, false),
	array_to_sq8vec(ARRAY[0,255], 2, false);
SELECT test.errors_of(ARRAY[
	$$SELECT ARRAY[1,2]::vector(3)$$,
	$$SELECT ARRAY[1,2]::halfvec(1)$$,
	$$SELECT ARRAY[1,2]::sq8vec(3)$$,
	$$SELECT ARRAY['NaN','NaN']::real[]::vector(3)$$,
	$$SELECT '{}'::real[]::vector(3)$$,
	$$SELECT array_to_vector(ARRAY[1,2], 3, false)$$
]);

-- limits
SELECT vector_dims(array_fill(1, ARRAY[16000])::vector),
	vector_dims(array_fill(1.5::float8, ARRAY[16000])::halfvec),
	vector_dims(array_fill(1.5::real, ARRAY[16000])::sq8vec);
SELECT test.errors_of(ARRAY[
	$$SELECT array_fill(1, ARRAY[16001])::vector$$,
	$$SELECT array_fill(1::real, ARRAY[16001])::halfvec$$,
	$$SELECT array_fill(1::float8, ARRAY[16001])::sq8vec$$,
	$$SELECT array_fill(1::numeric, ARRAY[16001])::vector$$,
	$$SELECT array_fill(1::real, ARRAY[100000])::vector(3)$$,
	$$SELECT array_fill('NaN'::real, ARRAY[16001])::vector$$
]);

-- back to an array
SELECT '[1,-2.5,-0]'::vector::real[], '[0.1]'::halfvec::real[], '[0,1,255]'::sq8vec::real[],
	'[1]'::vector(1)::real[];
SELECT array_dims('[7,8,9]'::vector::real[]), ('[7,8,9]'::vector::real[])[2],
	array_length('[1,2]'::halfvec::real[], 1), cardinality('[1,2]'::sq8vec::real[]);
SELECT vector_to_float4('[1,2]', -1, false), halfvec_to_float4('[1,2]', -1, false),
	sq8vec_to_float4('[0,255]', -1, false);
SELECT '[1,2]'::vector::real[]::float8[], '[1,2]'::vector::real[]::numeric[],
	'[1,2]'::vector::real[]::text[];
SELECT test.errors_of(ARRAY[
	$$SELECT '[1]'::vector::int[]$$,
	$$SELECT '[1]'::vector::float8[]$$,
	$$SELECT '[1]'::halfvec::numeric[]$$
]);

-- what happens by itself: vector to real[]; arrays become vectors on assignment
SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext
FROM pg_cast WHERE castsource::regtype::text || ' ' || casttarget::regtype ~ '\[\]'
AND ARRAY[castsource::regtype, casttarget::regtype] && '{vector,halfvec,sq8vec}'::regtype[]
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT unnest('[1,2,3]'::vector::real[]), array_length('[1,2,3]'::vector::real[], 1),
	2 = ANY ('[1,2,3]'::vector::real[]), array_append('[1,2]'::vector::real[], 3);
CREATE TEMP TABLE ca_mixed (v vector(2), h halfvec(2), q sq8vec(2), r real[]);
INSERT INTO ca_mixed VALUES (ARRAY[1,2], ARRAY[1.5,2], ARRAY[0,255]::real[], '[1,2]'::vector),
	(ARRAY[1,2]::float8[], NULL, NULL, '[3,4]'::halfvec), (NULL, NULL, NULL, '[0,255]'::sq8vec);
SELECT * FROM ca_mixed;
SELECT test.error_of($$INSERT INTO ca_mixed (v) VALUES (ARRAY[1,2,3])$$),
	test.error_of($$INSERT INTO ca_mixed (v) VALUES (ARRAY[1,NULL])$$);
-- arrays as PL/pgSQL has them, and stored out of line
DO $$
DECLARE
	a real[] := '{}';
	v vector;
BEGIN
	FOR i IN 1..5 LOOP
		a := a || i::real;
		a[1] := 10 * i;
	END LOOP;
	v := a;
	RAISE NOTICE '% % %', v, v <-> (a::vector), l2_distance(a, v);
END $$;
CREATE TABLE ca_long (a real[]);
ALTER TABLE ca_long ALTER a SET STORAGE external;
INSERT INTO ca_long SELECT array_agg(i % 1000) FROM generate_series(1, 16000) AS i;
SELECT a::vector::real[] = a, a::halfvec::real[] = a, vector_norm(a::vector)::numeric(20, 6),
	(SELECT sqrt(sum(x::float8 * x))::numeric(20, 6) FROM unnest(a) AS x) FROM ca_long;
DROP TABLE ca_long;
