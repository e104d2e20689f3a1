--
-- vector: text and binary forms, type modifiers, storage, limits
--
\pset format unaligned
\pset tuples_only on

-- text that is accepted
SELECT format('%-40s', replace(replace(l, E'\n', '\n'), E'\t', '\t')), l::vector
FROM unnest(ARRAY[
	'[1,2,3]', '  [ 1 , 2,3 ]  ', E'\n[\t1\n,\t2 ]\t', '[7]',
	'[+1,-2,0,-0,+0]', '[.5,5.,-.25,007]', '[1e3,1E3,1e+3,1e-3,-1.5E-2]',
	'[0.1,0.2,0.30000001]', '[0.333333343267440796]', '[16777216,16777217,16777219]',
	'[123456789,1234567,0.00001,100000]', '[0x10,0x1.8p1]',
	'[3.4028235e38,-3.4028235e38]', '[3.40282356e38]',
	'[1.17549435e-38,1e-45,-1e-45,0.8e-45]', '[1e-46,-1e-46,1e-400]'
]) WITH ORDINALITY AS u (l, n) ORDER BY n;
SELECT translate('vfr[v1f,r2v]f', 'vfr', E'\x0b\x0c\r')::vector;

-- text that is not
SELECT test.refused('vector', ARRAY[
	'', ' ', 'x', '1,2', '{1,2}', '(1,2)', ']',
	'[', '[1', '[1,', '[1,2', '[1 2]', '[1;2]', '[1}', '[[1]]', '[1,[2]]',
	'[]', '[ ]', '  [  ]  ', '[]x',
	'[,]', '[,1]', '[1,]', '[1,,2]', '[1, ]',
	'[1]]', '[1]x', '[1] x', '[1],', '[1]@(1,0)',
	'[a]', '[1a]', '[1,NULL]', '["1"]', '[1_000]', '[1e]', '[.]', '[-]', '[--1]', '[1.2.3]',
	'[NaN]', '[1,nan]', '[-NaN]', '[Infinity]', '[-Infinity]', '[inf]', '[1,-INF]',
	'[1e39]', '[-1e39]', '[1,3.4028236e38]', '[1e400]', '[-1e400]'
]);
SELECT NULL::vector IS NULL;
-- the first mistake counts
SELECT test.refused('vector', ARRAY['[1,NaN,x', '[1e400,x', '[Infinity']);

-- type modifiers
SELECT '[1,2,3]'::vector(3), '[1,2,3]'::vector::vector(3);
SELECT format('%-24s ', t) || test.error_of(format('SELECT ''[1,2,3]''::%s', t))
FROM unnest(ARRAY['vector(1)', 'vector(4)', 'vector(16000)', 'vector(3)', 'vector(''3'')',
	'vector(0)', 'vector(-1)', 'vector(-2147483648)', 'vector(16001)', 'vector(2147483647)',
	'vector(2147483648)', 'vector(1,2)', 'vector(3,3,3)', 'vector(3.5)', 'vector(''a'')',
		'vector(NULL)',
	'vector()']) WITH ORDINALITY AS u (t, n) ORDER BY n;
SELECT test.error_of($$SELECT '[1,2,3]'::vector::vector(2)$$);
SELECT test.error_of($$SELECT vector('[1,2,3]'::vector, 2, true)$$);
SELECT test.error_of($$SELECT vector_in('[1,2]', 0, 3)$$), vector_in('[1,2]', 0, -1);

-- in tables
CREATE TABLE tv_typed (id int, free vector, three vector(3), list vector(2)[]);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'tv_typed'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO tv_typed VALUES (1, '[1]', '[1,2,3]', '{"[1,2]","[3,4]"}'),
	(2, '[1,2]', NULL, '{NULL}'), (3, NULL, '[0,0,-0]', '{}');
INSERT INTO tv_typed (id, three) VALUES (4, ARRAY[4,5,6]), (5, ARRAY[0.5,1.5,2.5]),
	(6, '[7,8,9]'::halfvec);
SELECT test.error_of(c) FROM unnest(ARRAY[
	$$INSERT INTO tv_typed (three) VALUES ('[1,2]')$$,
	$$INSERT INTO tv_typed (three) VALUES ('[1,2,3,4]')$$,
	$$INSERT INTO tv_typed (three) VALUES ('[1,2]'::vector)$$,
	$$INSERT INTO tv_typed (three) VALUES (ARRAY[1,2])$$,
	$$INSERT INTO tv_typed (three) VALUES ('{1:1}/2'::sparsevec)$$,
	$$INSERT INTO tv_typed (list) VALUES ('{"[1,2]","[3]"}')$$,
	$$INSERT INTO tv_typed (list) VALUES (ARRAY['[1,2]'::vector, '[3]'])$$,
	$$UPDATE tv_typed SET three = free$$,
	$$ALTER TABLE tv_typed ALTER free TYPE vector(1)$$,
	$$ALTER TABLE tv_typed ADD bad vector(2) DEFAULT '[1]'$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT * FROM tv_typed ORDER BY id;
COPY tv_typed (id, free, three) TO STDOUT;
COPY tv_typed (id, three) FROM STDIN;
8	[1, 2, 3]
9	\N
\.
SELECT id, three FROM tv_typed WHERE id > 6 ORDER BY id;
ALTER TABLE tv_typed ALTER three TYPE real[];
SELECT id, three FROM tv_typed WHERE id IN (1, 5) ORDER BY id;
DROP TABLE tv_typed;

-- limits
SELECT vector_dims(array_fill(1, ARRAY[16000])::vector),
	vector_dims(('[' || repeat('1,', 15999) || '1]')::vector(16000));
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || '1]')::vector$$);
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || 'x]')::vector$$);
SELECT test.error_of($$SELECT ('[' || repeat('1,', 100000) || '1]')::vector$$);
SELECT test.error_of($$SELECT ('[' || repeat('1,', 15999) || ']')::vector$$)
	LIKE '22P02: invalid input syntax for type vector: "[1,1,%';
SELECT ('[' || repeat('0', 100000) || '1.' || repeat('0', 100000) || ']')::vector;

-- binary form: int16 dim, int16 0, float4 each
SELECT vector_send('[1,-2,0.5]'), vector_send('[-0,3.4028235e38,1e-45]');
SELECT format('%-24s ', d) || test.received(t, b::bytea) FROM (VALUES
	(1, '[1,-2]', 'vector', '\x00020000 3f800000c0000000'),
	(2, 'subnormal, -0', 'vector', '\x00020000 00000001 80000000'),
	(3, '[1,-2] for vector(2)', 'vector(2)', '\x00020000 3f800000c0000000'),
	(4, '[1,-2] for vector(3)', 'vector(3)', '\x00020000 3f800000c0000000'),
	(5, 'nothing', 'vector', '\x'),
	(6, 'half a header', 'vector', '\x0001'),
	(7, 'header alone', 'vector', '\x00010000'),
	(8, 'half an element', 'vector', '\x00010000 3f80'),
	(9, 'one element missing', 'vector', '\x00020000 3f800000'),
	(10, 'one element too many', 'vector', '\x00010000 3f80000040000000'),
	(11, 'dim 0', 'vector', '\x00000000'),
	(12, 'dim -1', 'vector', '\xffff0000'),
	(13, 'dim 16000, no elements', 'vector', '\x3e800000'),
	(14, 'dim 16001', 'vector', '\x3e810000'),
	(15, 'dim 32767', 'vector', '\x7fff0000'),
	(16, 'unused 1', 'vector', '\x00010001 3f800000'),
	(17, 'unused -1', 'vector', '\x0001ffff 3f800000'),
	(18, 'NaN', 'vector', '\x00020000 3f8000007fc00000'),
	(19, 'signalling NaN', 'vector', '\x00010000 ff800001'),
	(20, 'infinity', 'vector', '\x00010000 7f800000'),
	(21, '-infinity', 'vector', '\x00020000 3f800000ff800000')
) AS u (n, d, t, b) ORDER BY n;

-- value to text and back: the same bits, and the numbers that real prints
CREATE TABLE tv_bits AS
	SELECT i, (SELECT array_agg(((i * 7919 + j * 104729) % 16777216 - 8388608)::float8
								* power(2::float8, (i * 31 + j * 57) % 250 - 148) ORDER BY j)
			   FROM generate_series(1, 1 + i % 9) AS j)::vector AS v
	FROM generate_series(1, 2000) AS i;
SELECT count(*), count(DISTINCT v), min(vector_dims(v)), max(vector_dims(v)),
	count(*) FILTER (WHERE vector_send(v::text::vector) <> vector_send(v)),
	count(*) FILTER (WHERE translate(v::text, '[]', '{}') <> v::real[]::text),
	count(*) FILTER (WHERE vector_send(v::real[]::vector) <> vector_send(v))
FROM tv_bits;
SELECT v FROM tv_bits WHERE i IN (2, 251, 1000) ORDER BY i;
DROP TABLE tv_bits;

-- size: 8 bytes and 4 a dimension; 3 less where a short header will do
CREATE TABLE tv_sizes AS SELECT d, array_fill(0.5, ARRAY[d])::vector AS v
	FROM unnest(ARRAY[1, 3, 30, 31, 400]) AS d;
SELECT d, pg_column_size(v) AS stored, pg_column_size(array_fill(0.5, ARRAY[d])::vector) AS fresh
	FROM tv_sizes ORDER BY d;
DROP TABLE tv_sizes;

-- values as tables hold them: short header, plain, compressed, out of line
CREATE TABLE tv_held (kind text, short vector, plain vector, packed vector, outside vector);
ALTER TABLE tv_held ALTER plain SET STORAGE plain, ALTER packed SET STORAGE main;
INSERT INTO tv_held
	SELECT k, ARRAY[k, 2]::vector, array_cat(ARRAY[k], array_fill(0, ARRAY[99]))::vector,
		array_cat(ARRAY[k], array_fill(3, ARRAY[999]))::vector,
		(SELECT array_agg((i * 37 + k) % 41) FROM generate_series(1, 3000) AS i)::vector
	FROM generate_series(1, 3) AS k;
SELECT kind, pg_column_size(short), pg_column_size(plain),
	pg_column_size(packed) < 1000 AS compressed,
	pg_column_size(outside) FROM tv_held ORDER BY kind;
SELECT pg_relation_size(reltoastrelid) >= 3 * 12000 AS toasted FROM pg_class
	WHERE oid = 'tv_held'::regclass;
SELECT kind, short, short::text::vector = short AND plain::text::vector = plain
	AND packed::text::vector = packed AS same,
	outside = (SELECT array_agg((i * 37 + kind::int) % 41)
		FROM generate_series(1, 3000) AS i)::vector AS same_outside,
	vector_dims(packed), vector_dims(outside)
FROM tv_held ORDER BY kind;
-- every distance between held values and fresh ones
CREATE VIEW tv_all AS
	SELECT kind, 1 AS c, short AS v FROM tv_held UNION ALL SELECT kind, 2, plain FROM tv_held
	UNION ALL SELECT kind, 3, packed FROM tv_held UNION ALL SELECT kind, 4, outside FROM tv_held;
SELECT a.kind, b.kind, c, a.v <-> b.v = fa <-> fb AND a.v <#> b.v = fa <#> fb
	AND a.v <=> b.v = fa <=> fb
	AND a.v <+> b.v = fa <+> fb AND a.v <-> b.v = fa <-> b.v AND a.v <=> b.v = a.v <=> fb
	AND vector_spherical_distance(l2_normalize(a.v),
		l2_normalize(b.v)) = vector_spherical_distance(l2_normalize(fa), l2_normalize(fb)) AS same,
	a.v <-> b.v AS l2, a.v <+> b.v AS l1
FROM tv_all AS a JOIN tv_all AS b USING (c),
	LATERAL (SELECT (a.v::text || '')::vector AS fa, (b.v::text || '')::vector AS fb) AS fresh
WHERE a.kind < b.kind ORDER BY c, a.kind, b.kind;
DROP VIEW tv_all;
DROP TABLE tv_held;
