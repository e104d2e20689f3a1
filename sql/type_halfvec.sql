--
-- halfvec: text and binary forms, rounding, type modifiers, storage, limits
--
\pset format unaligned
\pset tuples_only on

-- text that is accepted
SELECT format('%-40s', replace(replace(l, E'\n', '\n'), E'\t', '\t')), l::halfvec
FROM unnest(ARRAY[
	'[1,2,3]', '  [ 1 , 2,3 ]  ', E'\n[\t1\n,\t2 ]\t', '[7]',
	'[+1,-2,0,-0,+0]', '[.5,5.,-.25,007]', '[1e3,1E3,1e+3,1e-3,-1.5E-2]',
	'[0.1,0.2,0.3]', '[2047,2048,2049,2051,2053]', '[1.0004,1.0005,1.00146484375]',
	'[65504,-65504,65519,-65519.99]', '[0x10,0x1.8p1]',
	'[6.1035e-05,6.0976e-05,6e-8,-6e-8,3e-8,2.98e-8]', '[1e-10,-1e-10,1e-46,1e-400]'
]) WITH ORDINALITY AS u (l, n) ORDER BY n;
SELECT translate('vfr[v1f,r2v]f', 'vfr', E'\x0b\x0c\r')::halfvec;

-- text that is not
SELECT test.refused('halfvec', ARRAY[
	'', ' ', 'x', '1,2', '{1,2}', '(1,2)', ']',
	'[', '[1', '[1,', '[1,2', '[1 2]', '[1;2]', '[1}', '[[1]]', '[1,[2]]',
	'[]', '[ ]', '  [  ]  ', '[]x',
	'[,]', '[,1]', '[1,]', '[1,,2]', '[1, ]',
	'[1]]', '[1]x', '[1] x', '[1],', '[1]@(1,0)',
	'[a]', '[1a]', '[1,NULL]', '["1"]', '[1_000]', '[1e]', '[.]', '[-]', '[--1]', '[1.2.3]',
	'[NaN]', '[1,nan]', '[-NaN]', '[Infinity]', '[-Infinity]', '[inf]', '[1,-INF]',
	'[65520]', '[-65520]', '[1,65536]', '[1e5]', '[-1e5]', '[1e39]', '[1e400]', '[-1e400]'
]);
SELECT NULL::halfvec IS NULL;
SELECT test.refused('halfvec', ARRAY['[1,NaN,x', '[65520,x', '[Infinity']);

-- type modifiers
SELECT '[1,2,3]'::halfvec(3), '[1,2,3]'::halfvec::halfvec(3);
SELECT format('%-24s ', t) || test.error_of(format('SELECT ''[1,2,3]''::%s', t))
FROM unnest(ARRAY['halfvec(1)', 'halfvec(4)', 'halfvec(16000)', 'halfvec(3)', 'halfvec(''3'')',
	'halfvec(0)', 'halfvec(-1)', 'halfvec(16001)', 'halfvec(2147483647)',
	'halfvec(2147483648)', 'halfvec(1,2)', 'halfvec(3.5)', 'halfvec(''a'')', 'halfvec(NULL)',
	'halfvec()']) WITH ORDINALITY AS u (t, n) ORDER BY n;
SELECT test.error_of($$SELECT '[1,2,3]'::halfvec::halfvec(2)$$);
SELECT test.error_of($$SELECT halfvec('[1,2,3]'::halfvec, 2, true)$$);
SELECT test.error_of($$SELECT halfvec_in('[1,2]', 0, 3)$$), halfvec_in('[1,2]', 0, -1);

-- in tables
CREATE TABLE th_typed (id int, free halfvec, three halfvec(3), list halfvec(2)[]);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'th_typed'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO th_typed VALUES (1, '[1]', '[1,2,3]', '{"[1,2]","[3,4]"}'),
	(2, '[1,2]', NULL, '{NULL}'), (3, NULL, '[0,0,-0]', '{}');
INSERT INTO th_typed (id, three) VALUES (4, ARRAY[4,5,6]), (5, ARRAY[0.1,1.5,2.5]),
	(6, '[7,8,9]'::vector);
SELECT test.error_of(c) FROM unnest(ARRAY[
	$$INSERT INTO th_typed (three) VALUES ('[1,2]')$$,
	$$INSERT INTO th_typed (three) VALUES ('[1,2,3,4]')$$,
	$$INSERT INTO th_typed (three) VALUES ('[1,2]'::vector)$$,
	$$INSERT INTO th_typed (three) VALUES (ARRAY[1,2])$$,
	$$INSERT INTO th_typed (three) VALUES (ARRAY[1,2,65520])$$,
	$$INSERT INTO th_typed (three) VALUES ('{1:1}/2'::sparsevec)$$,
	$$INSERT INTO th_typed (list) VALUES ('{"[1,2]","[3]"}')$$,
	$$UPDATE th_typed SET three = free$$,
	$$ALTER TABLE th_typed ALTER free TYPE halfvec(1)$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT * FROM th_typed ORDER BY id;
COPY th_typed (id, three) FROM STDIN;
8	[1, 2, 3]
\.
COPY (SELECT id, three FROM th_typed WHERE id > 4 ORDER BY id) TO STDOUT;
DROP TABLE th_typed;

-- limits
SELECT vector_dims(array_fill(1, ARRAY[16000])::halfvec),
	vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec(16000));
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || '1]')::halfvec$$);
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || 'x]')::halfvec$$);

-- binary form: int16 dim, int16 0, IEEE binary16 each
SELECT halfvec_send('[1,-2,0.5]'), halfvec_send('[-0,65504,6e-8]');
SELECT format('%-24s ', d) || test.received(t, b::bytea) FROM (VALUES
	(1, '[1,-2]', 'halfvec', '\x00020000 3c00c000'),
	(2, 'subnormal, -0', 'halfvec', '\x00020000 0001 8000'),
	(3, '[1,-2] for halfvec(2)', 'halfvec(2)', '\x00020000 3c00c000'),
	(4, '[1,-2] for halfvec(3)', 'halfvec(3)', '\x00020000 3c00c000'),
	(5, 'nothing', 'halfvec', '\x'),
	(6, 'half a header', 'halfvec', '\x0001'),
	(7, 'header alone', 'halfvec', '\x00010000'),
	(8, 'half an element', 'halfvec', '\x00010000 3c'),
	(9, 'one element missing', 'halfvec', '\x00020000 3c00'),
	(10, 'one element too many', 'halfvec', '\x00010000 3c004000'),
	(11, 'dim 0', 'halfvec', '\x00000000'),
	(12, 'dim -1', 'halfvec', '\xffff0000'),
	(13, 'dim 16000, no elements', 'halfvec', '\x3e800000'),
	(14, 'dim 16001', 'halfvec', '\x3e810000'),
	(15, 'unused 1', 'halfvec', '\x00010001 3c00'),
	(16, 'unused -1', 'halfvec', '\x0001ffff 3c00'),
	(17, 'NaN', 'halfvec', '\x00020000 3c007e00'),
	(18, 'signalling NaN', 'halfvec', '\x00010000 fc01'),
	(19, 'infinity', 'halfvec', '\x00010000 7c00'),
	(20, '-infinity', 'halfvec', '\x00020000 3c00fc00')
) AS u (n, d, t, b) ORDER BY n;

-- Every finite half: its bits are right, it becomes text and a vector and
-- comes back.  Code c stands for c * 2^-24 below 1024, and from there on for
-- (1024 + c % 1024) * 2^(c / 1024 - 25).
CREATE TABLE th_halves AS
	SELECT c, CASE WHEN c < 1024 THEN c ELSE 1024 + c % 1024 END::float8
			  * power(2::float8, greatest(c / 1024, 1) - 25) AS x
	FROM generate_series(0, 31743) AS c;
CREATE TABLE th_vectors AS
	SELECT g, array_agg(x ORDER BY c) AS x, array_agg(-x ORDER BY c)::halfvec AS minus,
		array_agg(x ORDER BY c)::halfvec AS plus,
		string_agg(int2send(c::int2), '' ORDER BY c) AS bits,
		string_agg(int2send((c - 32768)::int2), '' ORDER BY c) AS minus_bits
	FROM (SELECT *, c / 1000 AS g FROM th_halves) AS h GROUP BY g;
SELECT count(*),
	count(*) FILTER (WHERE halfvec_send(plus) <> int2send(vector_dims(plus)::int2)
		|| '\x0000'::bytea || bits),
	count(*) FILTER (WHERE halfvec_send(minus) <> int2send(vector_dims(plus)::int2)
		|| '\x0000'::bytea || minus_bits),
	count(*) FILTER (WHERE halfvec_send(plus::text::halfvec) <> halfvec_send(plus)),
	count(*) FILTER (WHERE halfvec_send(minus::text::halfvec) <> halfvec_send(minus)),
	count(*) FILTER (WHERE plus::real[]::float8[] <> x OR plus::vector::real[]::float8[] <> x),
	count(*) FILTER (WHERE halfvec_send(minus::vector::halfvec) <> halfvec_send(minus)),
	count(*) FILTER (WHERE translate(plus::text, '[]', '{}') <> plus::real[]::text)
FROM th_vectors;
SELECT h.c, ARRAY[x]::halfvec FROM th_halves AS h WHERE c IN (0, 1, 1023, 1024, 15360, 15361, 31743)
	ORDER BY c;
-- halfway between two halves goes to the even one, anything else to the nearer
SELECT count(*),
	count(*) FILTER (WHERE halfvec_send(mid::halfvec) <> halfvec_send(even::halfvec)),
	count(*) FILTER (WHERE halfvec_send(below::halfvec) <> halfvec_send(lower::halfvec)),
	count(*) FILTER (WHERE halfvec_send(above::halfvec) <> halfvec_send(upper::halfvec)),
	count(*) FILTER (WHERE halfvec_send(above::vector::halfvec) <> halfvec_send(upper::halfvec))
FROM (SELECT array_agg((a.x + b.x) / 2 ORDER BY a.c)::real[] AS mid,
			 array_agg(CASE a.c % 2 WHEN 0 THEN a.x ELSE b.x END ORDER BY a.c) AS even,
			 array_agg((a.x + b.x) / 2 * (1 - 1e-6) ORDER BY a.c)::real[] AS below,
				array_agg(a.x ORDER BY a.c) AS lower,
			 array_agg((a.x + b.x) / 2 * (1 + 1e-6) ORDER BY a.c)::real[] AS above,
				array_agg(b.x ORDER BY a.c) AS upper
	  FROM th_halves AS a JOIN th_halves AS b ON b.c = a.c + 1 GROUP BY a.c / 1000) AS g;
DROP TABLE th_halves, th_vectors;

-- size: 8 bytes and 2 a dimension; 3 less where a short header will do
CREATE TABLE th_sizes AS SELECT d, array_fill(0.5, ARRAY[d])::halfvec AS v
	FROM unnest(ARRAY[1, 3, 61, 62, 800]) AS d;
SELECT d, pg_column_size(v) AS stored, pg_column_size(array_fill(0.5, ARRAY[d])::halfvec) AS fresh
	FROM th_sizes ORDER BY d;
DROP TABLE th_sizes;

-- values as tables hold them: short header, plain, compressed, out of line
CREATE TABLE th_held (kind text, short halfvec, plain halfvec, packed halfvec, outside halfvec);
ALTER TABLE th_held ALTER plain SET STORAGE plain, ALTER packed SET STORAGE main;
INSERT INTO th_held
	SELECT k, ARRAY[k, 2]::halfvec, array_cat(ARRAY[k], array_fill(0, ARRAY[99]))::halfvec,
		array_cat(ARRAY[k], array_fill(3, ARRAY[1999]))::halfvec,
		(SELECT array_agg((i * 37 + k) % 41) FROM generate_series(1, 3000) AS i)::halfvec
	FROM generate_series(1, 3) AS k;
SELECT kind, pg_column_size(short), pg_column_size(plain),
	pg_column_size(packed) < 1000 AS compressed,
	pg_column_size(outside) FROM th_held ORDER BY kind;
SELECT pg_relation_size(reltoastrelid) >= 3 * 6000 AS toasted FROM pg_class
	WHERE oid = 'th_held'::regclass;
SELECT kind, short, short::text::halfvec = short AND plain::text::halfvec = plain
	AND packed::text::halfvec = packed AS same,
	outside = (SELECT array_agg((i * 37 + kind::int) % 41)
		FROM generate_series(1, 3000) AS i)::halfvec AS same_outside,
	vector_dims(packed), vector_dims(outside)
FROM th_held ORDER BY kind;
-- every distance between held values and fresh ones
CREATE VIEW th_all AS
	SELECT kind, 1 AS c, short AS v FROM th_held UNION ALL SELECT kind, 2, plain FROM th_held
	UNION ALL SELECT kind, 3, packed FROM th_held UNION ALL SELECT kind, 4, outside FROM th_held;
SELECT a.kind, b.kind, c, a.v <-> b.v = fa <-> fb AND a.v <#> b.v = fa <#> fb
	AND a.v <=> b.v = fa <=> fb
	AND a.v <+> b.v = fa <+> fb AND a.v <-> b.v = fa <-> b.v AND a.v <=> b.v = a.v <=> fb
	AND halfvec_spherical_distance(l2_normalize(a.v),
		l2_normalize(b.v)) = halfvec_spherical_distance(l2_normalize(fa), l2_normalize(fb)) AS same,
	a.v <-> b.v AS l2, a.v <+> b.v AS l1
FROM th_all AS a JOIN th_all AS b USING (c),
	LATERAL (SELECT (a.v::text || '')::halfvec AS fa, (b.v::text || '')::halfvec AS fb) AS fresh
WHERE a.kind < b.kind ORDER BY c, a.kind, b.kind;
DROP VIEW th_all;
DROP TABLE th_held;
