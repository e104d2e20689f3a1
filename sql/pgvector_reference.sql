--
-- All types, operators, functions, aggregates, casts and operator classes that
-- users of pgvector know, with
-- results that can be checked by eye
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;

-- each of some expressions with its type and value
CREATE FUNCTION pg_temp.show(expressions text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	expression text; value text; type regtype;
BEGIN
	FOREACH expression IN ARRAY expressions LOOP
		EXECUTE format('SELECT (%s)::text, pg_typeof(%1$s)', expression) INTO value, type;
		RETURN NEXT format('%-60s %-17s %s', expression, type, value);
	END LOOP;
END $$;

-- vector: dimensions, input and output
SELECT pg_temp.show(ARRAY[
	$$'[1,2,3]'::vector$$, $$'[1,2,3]'::vector(3)$$, $$' [ 1 , -2.50 , 3e2 ] '::vector$$,
		$$'[0.1,1e-10,3.4e38]'::vector$$,
	$$NULL::vector$$, $$vector '[-0]'$$, $$vector_dims('[1,2,3]'::vector)$$,
	$$vector_dims(array_fill(1, ARRAY[16000])::vector)$$]);
-- operators and functions
SELECT pg_temp.show(ARRAY[
	$$'[1,2,3]'::vector + '[4,5,6]'$$, $$'[1,2,3]'::vector - '[4,5,7]'$$,
		$$'[1,2,3]'::vector * '[4,5,6]'$$,
	$$'[1,2]'::vector || '[3]'$$,
	$$'[0,0]'::vector <-> '[3,4]'$$, $$'[1,2]'::vector <#> '[3,4]'$$,
		$$'[2,0]'::vector <=> '[0,3]'$$, $$'[1,1]'::vector <=> '[-2,-2]'$$,
	$$'[0,0]'::vector <+> '[3,-4]'$$,
	$$l2_distance('[0,0]'::vector, '[3,4]')$$, $$inner_product('[1,2]'::vector, '[3,4]')$$,
		$$cosine_distance('[2,0]'::vector, '[0,3]')$$,
	$$cosine_distance('[0,0]'::vector, '[0,3]')$$, $$l1_distance('[0,0]'::vector, '[3,-4]')$$,
	$$vector_norm('[3,4]'::vector)$$, $$l2_normalize('[3,4]'::vector)$$,
		$$l2_normalize('[0,0]'::vector)$$,
	$$subvector('[1,2,3,4,5]'::vector, 2, 3)$$, $$binary_quantize('[1,-2,0,4]'::vector)$$,
	$$'[1,2]'::vector = '[1,2]'$$, $$'[1,2]'::vector <> '[1,2]'$$, $$'[1,2]'::vector < '[1,3]'$$,
		$$'[1,2]'::vector <= '[1]'$$,
	$$'[2]'::vector > '[1,3]'$$, $$'[1,2]'::vector >= '[1,2]'$$]);

-- halfvec
SELECT pg_temp.show(ARRAY[
	$$'[1,2,3]'::halfvec$$, $$'[1,2,3]'::halfvec(3)$$, $$'[65504,-65504,0.1]'::halfvec$$,
		$$'[2049,0.00001]'::halfvec$$,
	$$vector_dims('[1,2,3]'::halfvec)$$, $$vector_dims(array_fill(1, ARRAY[16000])::halfvec)$$,
	$$'[1,2,3]'::halfvec + '[4,5,6]'$$, $$'[1,2,3]'::halfvec - '[4,5,7]'$$,
		$$'[1,2,3]'::halfvec * '[4,5,6]'$$,
	$$'[1,2]'::halfvec || '[3]'$$,
	$$'[0,0]'::halfvec <-> '[3,4]'$$, $$'[1,2]'::halfvec <#> '[3,4]'$$,
		$$'[2,0]'::halfvec <=> '[0,3]'$$,
	$$'[0,0]'::halfvec <+> '[3,-4]'$$,
	$$l2_distance('[0,0]'::halfvec, '[3,4]')$$, $$inner_product('[1,2]'::halfvec, '[3,4]')$$,
		$$cosine_distance('[2,0]'::halfvec, '[0,3]')$$,
	$$cosine_distance('[0,0]'::halfvec, '[0,3]')$$, $$l1_distance('[0,0]'::halfvec, '[3,-4]')$$,
	$$l2_norm('[3,4]'::halfvec)$$, $$l2_normalize('[3,4]'::halfvec)$$,
		$$l2_normalize('[0,0]'::halfvec)$$,
	$$subvector('[1,2,3,4,5]'::halfvec, 2, 3)$$, $$binary_quantize('[1,-2,0,4]'::halfvec)$$,
	$$'[1,2]'::halfvec = '[1,2]'$$, $$'[1,2]'::halfvec < '[1,3]'$$, $$'[2]'::halfvec > '[1,3]'$$]);

-- bit
SELECT pg_temp.show(ARRAY[
	$$B'1100' <~> B'1010'$$, $$B'1100' <%> B'1010'$$, $$hamming_distance(B'1100', B'1111')$$,
		$$jaccard_distance(B'1100', B'1111')$$,
	$$jaccard_distance(B'00', B'00')$$, $$hamming_distance('101'::bit(3), '011')$$,
		$$'101'::bit(3) <%> '101'$$,
	$$repeat('10', 32000)::bit(64000) <~> repeat('01', 32000)::bit(64000)$$]);

-- sparsevec
SELECT pg_temp.show(ARRAY[
	$$'{1:1.5,3:-2}/5'::sparsevec$$, $$'{1:1.5,3:-2}/5'::sparsevec(5)$$,
		$$'{3:1,1:2,2:0}/3'::sparsevec$$, $$'{}/1000000000'::sparsevec$$,
	$$'{1:3}/2'::sparsevec <-> '{2:4}/2'$$, $$'{1:1,2:2}/2'::sparsevec <#> '{1:3,2:4}/2'$$,
		$$'{1:2}/2'::sparsevec <=> '{2:3}/2'$$,
	$$'{1:3}/2'::sparsevec <+> '{2:-4}/2'$$,
	$$l2_distance('{1:3}/2'::sparsevec, '{2:4}/2')$$, $$inner_product('{1:1,2:2}/2'::sparsevec,
		'{1:3,2:4}/2')$$,
	$$cosine_distance('{1:2}/2'::sparsevec, '{2:3}/2')$$, $$cosine_distance('{}/2'::sparsevec,
		'{2:3}/2')$$,
	$$l1_distance('{1:3}/2'::sparsevec, '{2:-4}/2')$$, $$l2_norm('{2:3,9:4}/9'::sparsevec)$$,
		$$l2_normalize('{2:3,9:4}/9'::sparsevec)$$,
	$$'{1:1}/2'::sparsevec = '{1:1,2:0}/2'$$, $$'{1:1}/2'::sparsevec < '{1:2}/2'$$,
		$$'{1:1}/2'::sparsevec >= '{2:2}/2'$$]);

-- aggregates
SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec), pg_typeof(avg(v)),
	pg_typeof(sum(v::halfvec))
FROM (VALUES ('[1,2,3]'::vector), ('[3,4,8]'), (NULL)) AS t (v);
SELECT avg(v), sum(v) FROM (VALUES ('[1]'::vector)) AS t (v) WHERE false;
SELECT count(DISTINCT v), array_agg(v ORDER BY v DESC) FROM (VALUES ('[1,2]'::vector), ('[1,3]'),
	('[1,2]')) AS t (v);

-- casts, both ways: with dimensions and without
SELECT pg_temp.show(ARRAY[
	$$ARRAY[1,2,3]::vector$$, $$ARRAY[1.5,2]::vector(2)$$, $$'{1,2}'::real[]::vector$$,
		$$'{1,2}'::float8[]::vector$$, $$'{1,2}'::numeric[]::vector$$,
	$$'[1,2]'::vector::real[]$$, $$'[1.1,2]'::vector::halfvec$$, $$'[0,2]'::vector::sparsevec$$,
	$$ARRAY[1,2,3]::halfvec$$, $$'{1,2}'::real[]::halfvec$$, $$'{1,2}'::float8[]::halfvec(2)$$,
		$$'{1,2}'::numeric[]::halfvec$$,
	$$'[1,2]'::halfvec::real[]$$, $$'[1,2]'::halfvec::vector$$, $$'[0,2]'::halfvec::sparsevec$$,
	$$ARRAY[0,2]::sparsevec$$, $$'{0,2}'::real[]::sparsevec(2)$$, $$'{0,2}'::float8[]::sparsevec$$,
		$$'{0,2}'::numeric[]::sparsevec$$,
	$$'{2:2}/2'::sparsevec::vector$$, $$'{2:2}/2'::sparsevec::halfvec(2)$$,
		$$'[1,2]'::vector::text$$, $$'[1,2]'::text::vector$$]);
-- implicit ones: arrays are not, vectors of other precision are
SELECT pg_temp.show(ARRAY[$$l2_distance('[1,2]'::vector, '[1,3]'::halfvec)$$,
	$$'[1,2]'::halfvec + '[1,3]'::vector$$,
	$$'[1,2]'::vector <-> ARRAY[1,3]::vector$$]);
CREATE TEMP TABLE re_assigned (v vector(2), h halfvec(2), s sparsevec(2), r real[]);
INSERT INTO re_assigned VALUES (ARRAY[1,2], '{1,2}'::float8[], '[1,2]'::vector, '[1,2]'::vector);
INSERT INTO re_assigned VALUES ('[1,2]'::halfvec, '[1,2]'::vector, '[1,2]'::halfvec,
	'[1,2]'::halfvec);
INSERT INTO re_assigned VALUES ('{1:1,2:2}/2'::sparsevec, '{1:1,2:2}/2'::sparsevec, '{1,2}'::real[],
	NULL);
SELECT DISTINCT v, h, s::text FROM re_assigned;

-- order, equality: ORDER BY, DISTINCT, joins, a btree
CREATE TEMP TABLE re_keys (v vector PRIMARY KEY);
INSERT INTO re_keys VALUES ('[2]'), ('[1,2]'), ('[1]'), ('[1,1,9]'), ('[-1,5]');
SELECT array_agg(v ORDER BY v), array_agg(v ORDER BY v DESC) FROM re_keys;
SELECT test.error_of('INSERT INTO re_keys VALUES (''[1.0,2]'')');
SELECT count(*) FROM re_keys AS a JOIN re_keys AS b ON a.v = b.v;
SELECT count(*) FROM (SELECT DISTINCT h FROM (VALUES ('[1]'::halfvec), ('[1.0001]'),
	('[2]')) AS t (h)) AS s;

-- operator classes of the index methods; those that pgvector does not have are left out
SELECT amname, opcname, opcintype::regtype, opcdefault, array(SELECT oprname FROM pg_amop
	JOIN pg_operator AS o ON o.oid = amopopr WHERE amopfamily = opcfamily AND amoppurpose = 'o')
FROM pg_opclass JOIN pg_am AS a ON a.oid = opcmethod WHERE amname IN ('hnsw',
	'ivfflat') AND opcname !~ 'sq8vec'
AND EXISTS (SELECT FROM pg_amop WHERE amopfamily = opcfamily AND amoppurpose = 'o')
ORDER BY amname COLLATE "C", opcname COLLATE "C";
SELECT amname, opcname, opcintype::regtype,
	opcdefault FROM pg_opclass JOIN pg_am AS a ON a.oid = opcmethod
WHERE amname = 'btree' AND opcname ~ '^(vector|halfvec|sparsevec)_ops' ORDER BY opcname COLLATE "C";
-- settings
SELECT name, boot_val, min_val, max_val, enumvals,
	context FROM pg_settings WHERE name ~ '^(hnsw|ivfflat)\.'
ORDER BY name COLLATE "C";

DROP TABLE re_assigned, re_keys;
