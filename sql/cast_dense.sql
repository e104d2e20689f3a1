--
-- Casts between vector, halfvec and sq8vec: values, ranges, type modifiers,
-- and where they happen by themselves
--
\pset format unaligned
\pset tuples_only on

-- values
SELECT '[1,-2,0.5]'::vector::halfvec, '[1,-2,0.5]'::halfvec::vector, '[0,1,255]'::vector::sq8vec,
	'[0,1,255]'::sq8vec::vector,
	'[0,1,255]'::halfvec::sq8vec, '[0,1,255]'::sq8vec::halfvec, '[1,2]@(0.5,0)'::sq8vec::vector,
		'[1,2]@(0.5,0)'::sq8vec::halfvec;
SELECT '[0.1,-0,1e-45]'::vector::halfvec, '[0.1]'::halfvec::vector,
	'[0.1,0.15,0.3]'::vector::sq8vec, '[0.1]'::sq8vec::halfvec;
SELECT CAST('[1]'::vector AS halfvec), halfvec '[1]'::vector, NULL::vector::halfvec IS NULL
	AND NULL::halfvec::vector IS NULL
	AND NULL::vector::sq8vec IS NULL AND NULL::sq8vec::vector IS NULL
		AND NULL::sq8vec::halfvec IS NULL;
-- there and back
SELECT bool_and(v::halfvec::vector = v), bool_and(v::halfvec::sq8vec::vector = v),
	bool_and(v::sq8vec::halfvec::vector = v),
	bool_and(vector_dims(v::halfvec) = d AND vector_dims(v::sq8vec) = d), count(*)
FROM (SELECT d, ARRAY(SELECT (i * 31 % 256) / 4.0 - 20
	FROM generate_series(0, 255) AS i LIMIT d)::vector AS v
	  FROM unnest(ARRAY[1, 256]) AS d) AS s;

-- ranges
SELECT '[65504,-65504,65519.99]'::vector::halfvec;
SELECT '[65504,65519]@(1,65264)'::sq8vec, '[65504,65519]@(1,65264)'::sq8vec::halfvec;
SELECT test.errors_of(ARRAY[
	$$SELECT '[1,65520]'::vector::halfvec$$,
	$$SELECT '[-65520]'::vector::halfvec$$,
	$$SELECT '[3e38]'::vector::halfvec$$,
	$$SELECT '[0.1,123456.789]'::vector::halfvec$$,
	$$SELECT '[0,70000]'::sq8vec::halfvec$$,
	$$SELECT '[-1e38,1]'::sq8vec::halfvec$$
]);

-- type modifiers
SELECT '[1,2]'::vector::halfvec(2), '[1,2]'::vector(2)::halfvec, '[1,2]'::halfvec::vector(2),
	'[0,255]'::vector::sq8vec(2)::halfvec(2)::vector(2);
SELECT test.errors_of(ARRAY[
	$$SELECT '[1,2]'::vector::halfvec(3)$$,
	$$SELECT '[1,2]'::halfvec::vector(3)$$,
	$$SELECT '[1,2]'::vector::sq8vec(3)$$,
	$$SELECT '[1,2]'::sq8vec::vector(1)$$,
	$$SELECT '[1,2]'::halfvec::sq8vec(16000)$$,
	$$SELECT '[1,2]'::sq8vec::halfvec(1)$$,
	$$SELECT '[1,2]'::vector(2)::vector(3)$$,
	$$SELECT vector_to_halfvec('[1,2]', 3, false)$$,
	$$SELECT halfvec_to_vector('[1,2]', 1, true)$$
]);

-- Which happen by themselves: vector to halfvec and sq8vec to vector.  The
-- others take an assignment or an explicit cast.
SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext
FROM pg_cast WHERE castsource IN ('vector'::regtype, 'halfvec'::regtype, 'sq8vec'::regtype)
AND casttarget IN ('vector'::regtype, 'halfvec'::regtype, 'sq8vec'::regtype)
ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
SELECT '[1,2]'::vector <-> '[1,4]'::halfvec, '[1,2]'::halfvec <-> '[1,4]'::vector,
	pg_typeof('[1]'::vector + '[1]'::halfvec);
SELECT '[0,255]'::sq8vec <-> '[0,251]'::vector, '[0,251]'::vector <-> '[0,255]'::sq8vec,
	'[0,255]'::sq8vec + '[1,1]'::vector,
	pg_typeof('[0,255]'::sq8vec + '[0,255]'::sq8vec);
SELECT vector_norm('[0,255]'::sq8vec), l2_normalize('[0,255]'::sq8vec),
	vector_dims('[0,255]'::sq8vec), subvector('[0,1,255]'::sq8vec, 2, 2),
	binary_quantize('[-1,0,254]'::sq8vec), '[0,255]'::sq8vec || '[1]'::vector;
SELECT '[1,2]'::vector = '[1,2]'::halfvec, '[1,2]'::vector < '[1,3]'::halfvec,
	'[0,255]'::sq8vec = '[0,255]'::vector;
CREATE TEMP TABLE cd_mixed (v vector, h halfvec, q sq8vec);
SELECT test.errors_of(ARRAY[
	$$SELECT q <-> h FROM cd_mixed$$,
	$$SELECT h <=> q FROM cd_mixed$$,
	$$SELECT l2_norm(v) FROM cd_mixed$$,
	$$SELECT halfvec_to_vector(v, -1, false) FROM cd_mixed$$,
	$$SELECT vector_norm(h) FROM cd_mixed$$,
	$$SELECT sq8vec_codes(v) FROM cd_mixed$$
]);

-- assignments cast all ways
INSERT INTO cd_mixed VALUES ('[0,1,255]'::halfvec, '[0,1,255]'::sq8vec, '[0,1,255]'::vector),
	('[0,1,255]'::sq8vec, '[0,1,255]'::vector, '[0,1,255]'::halfvec);
SELECT * FROM cd_mixed;
UPDATE cd_mixed SET v = h, h = q, q = v;
SELECT * FROM cd_mixed;
SELECT test.error_of($$INSERT INTO cd_mixed (h) SELECT '[70000]'::vector$$);
-- a column that changes its type, one that is computed, a domain
ALTER TABLE cd_mixed ALTER v TYPE halfvec(3), ALTER h TYPE vector,
	ADD g halfvec(3) GENERATED ALWAYS AS (q::halfvec) STORED;
SELECT v, h, g, pg_typeof(v), pg_typeof(h) FROM cd_mixed LIMIT 1;
SELECT test.error_of($$ALTER TABLE cd_mixed ALTER h TYPE sq8vec(2)$$);
CREATE DOMAIN pg_temp.unit AS vector(2) CHECK (abs(vector_norm(VALUE) - 1) < 1e-6);
SELECT '[0,-1]'::pg_temp.unit <-> '[0,1]'::halfvec::vector::pg_temp.unit,
	test.error_of($$SELECT '[1,1]'::pg_temp.unit$$);
-- long values
SELECT v::halfvec::vector = v, v::sq8vec::vector <-> v < 0.5 * sqrt(16000),
	vector_dims(v::sq8vec::halfvec)
FROM (SELECT array_agg(i % 300)::vector AS v FROM generate_series(1, 16000) AS i) AS s;
