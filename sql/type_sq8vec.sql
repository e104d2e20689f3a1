--
-- sq8vec: quantization, text and binary forms, grids, codes, type modifiers,
-- storage, limits
--
\pset format unaligned
\pset tuples_only on

-- Quantizing: the least element becomes the offset, and 255 steps lead to the
-- greatest.  What it does to numbers that lie on such a grid: nothing.
SELECT l, l::sq8vec, sq8vec_offset(l::sq8vec), sq8vec_scale(l::sq8vec), sq8vec_codes(l::sq8vec)
FROM unnest(ARRAY[
	'[0,255]', '[0,1,2,253,254,255]', '[-100,155,-99.5,0]', '[0,0.4,0.5,0.6,1.5,255]',
		'[0,127.5,63.75]',
	'[5]', '[-0]', '[7,7,7]', '[0,0]', '[-1,1]', '[1,2,3]', '[0.1,0.2,0.3]', '[1e-45,2e-45]',
	'[1e30,-1e30,0]', '[3.4028235e38,-3.4028235e38]', '[1e-40,3e38]'
]) WITH ORDINALITY AS u (l, n) ORDER BY n;
-- an element moves by half a step at most
CREATE TABLE tq_source AS
	SELECT i,
		(SELECT array_agg((((i * 7919 + j * 104729 + j * j * i) % 20011) / 20011.0 - 0.5) * 10 ^
		(i % 5 - 2) + i % 3 ORDER BY j)
			   FROM generate_series(1, 1 + i % 40) AS j)::real[] AS x
	FROM generate_series(1, 1500) AS i;
SELECT count(*), sum((abs(a::float8 - b::float8) > 0.505 * sq8vec_scale(x::sq8vec))::int)
	AS too_far,
	count(*) FILTER (WHERE x[1] <> b AND sq8vec_scale(x::sq8vec) = 0) AS constant_moved
FROM tq_source, unnest(x, x::sq8vec::real[]) AS u (a, b);

-- value to text and back, and to numbers and back: the same bits
SELECT count(*), count(DISTINCT q),
	count(*) FILTER (WHERE sq8vec_send(q::text::sq8vec) <> sq8vec_send(q)) AS text_lost,
	count(*) FILTER (WHERE sq8vec_send(q::vector::sq8vec) <> sq8vec_send(q)) AS vector_lost,
	count(*) FILTER (WHERE sq8vec_send(sq8vec(sq8vec_codes(q), sq8vec_scale(q),
		sq8vec_offset(q))) <> sq8vec_send(q)) AS codes_lost,
	count(*) FILTER (WHERE q::text LIKE '%@%') AS with_grid,
	count(*) FILTER (WHERE translate(q::text, '[]', '{}') <> q::real[]::text) AS differs_from_real
FROM (SELECT x::sq8vec AS q FROM tq_source) AS s;
-- the same for given codes, whose text has the grid behind it
SELECT signed, count(*),
	count(*) FILTER (WHERE sq8vec_send(q::text::sq8vec) <> sq8vec_send(q)) AS text_lost,
	count(*) FILTER (WHERE sq8vec_codes(q) <> codes) AS codes_lost,
	count(*) FILTER (WHERE q::text LIKE '%@(' || sq8vec_scale(q) || ',' || sq8vec_offset(q)
		|| CASE WHEN signed THEN ',128)' ELSE ')' END) AS with_grid,
	count(*) FILTER (WHERE q::real[] <> elements) AS elements_differ
FROM (SELECT signed, codes, sq8vec(codes, scale, ofs) AS q,
		(SELECT array_agg((ofs::float8 + scale::float8 * c)::real ORDER BY n)
			FROM unnest(codes) WITH ORDINALITY AS u (c, n)) AS elements
	  FROM generate_series(1, 500) AS i, unnest(ARRAY[false, true]) AS signed,
		LATERAL (SELECT (array_agg((i * 37 + j * 91) % 200 - CASE WHEN signed THEN 128 ELSE 0 END
			ORDER BY j)
						 || CASE WHEN signed THEN -128 ELSE 0 END)::int2[] AS codes,
				((i % 17 + 1) / 100.0)::real AS scale, ((i % 7 - 3) / 3.0)::real AS ofs
				 FROM generate_series(0, i % 30) AS j) AS c) AS s
GROUP BY signed ORDER BY signed;
DROP TABLE tq_source;

-- text with a grid: elements go to the nearest point of it
SELECT format('%-36s', l), l::sq8vec, sq8vec_codes(l::sq8vec)
FROM unnest(ARRAY[
	'[0,1,2]@(1,0)', '[0,1,255]@(1,0)', '[0.4,0.6,1.5,2.5]@(1,0)', '[-128,0,127]@(1,0,128)',
		'[-0.25,0.25]@(0.25,0,128)',
	'[10,10.5]@(0.5,10)', '[9,10.5]@(0.5,10,128)', '[5,5]@(0,5)', '[255.4]@(1,0)', '[-0.4]@(1,0)',
	'  [ 0 , 1 ]@( 1, 0)  ', '[0]@(1e0,-0)', '[0,3.4028235e38]@(3.4028235e38,0)',
		'[1e-45,3e-45]@(1e-45,0)',
	'[0.1]@(0.1,0)', '[12.7]@(0.1,0,128)', '[5]@(0,5,128)', '[1e6]@(1e-4,1e6)', '[1]@(1e-30,1)'
]) WITH ORDINALITY AS u (l, n) ORDER BY n;

-- text that is not accepted
SELECT test.refused('sq8vec', ARRAY[
	'', ' ', 'x', '1,2', '{1,2}', '[', '[1', '[1,', '[1 2]', '[1}', '[[1]]', '[]', '[ ]', '[,1]',
		'[1,]', '[1]]', '[1]x', '[a]', '[1e]',
	'[NaN]', '[1,-Infinity]', '[1e39]', '[-1e400]',
	'[1]@', '[1]@(', '[1]@1,0', '[1]@()', '[1]@(1', '[1]@(1)', '[1]@(1,', '[1]@(1,0', '[1]@(1,)',
		'[1]@(,0)',
	'[1]@(1,0,', '[1]@(1,0,)', '[1]@(1,0,128', '[1]@(1,0,127)', '[1]@(1,0,0)', '[1]@(1,0,1280)',
		'[1]@(1,0,128,1)',
	'[1] @(1,0)', '[1]@ (1,0)', '[1]@(1 ,0)', '[1]@(1,0)x', '[1]@(1,0) x', '[1]@(1,0)@(1,0)',
		'@(1,0)', '[]@(1,0)',
	'[1]@(a,0)', '[1]@(1,a)', '[1]@(NaN,0)', '[1]@(1,NaN)', '[1]@(inf,0)', '[1]@(1,-inf)',
		'[1]@(1e39,0)', '[1]@(1,-1e39)',
	'[1]@(1e-46,0)', '[1]@(1,1e-400)', '[1]@(-1,0)', '[1]@(-1e-45,2)',
	'[256]@(1,0)', '[255.6]@(1,0)', '[-1]@(1,0)', '[0,-0.6]@(1,0)', '[128]@(1,0,128)',
		'[-129]@(1,0,128)', '[1e30]@(1,0)',
	'[5,6]@(0,5)', '[-5]@(0,5)', '[1e6,1000000.06]@(1e-4,1e6)'
]);
SELECT NULL::sq8vec IS NULL;

-- given codes
SELECT sq8vec('{0,128,255}'::smallint[], 0.5, -64), sq8vec('{-128,0,127}'::smallint[], 0.5, 0),
	sq8vec(ARRAY[1,2]::smallint[], scale => 2, "offset" => 1), sq8vec('{0,0}'::smallint[], 0, 3);
SELECT sq8vec('\x0080ff'::bytea, 0.5, -64), sq8vec('\x0080ff'::bytea, 0.5, 0, true),
	sq8vec('\x0102'::bytea, 2, 1, signed => false);
SELECT sq8vec_codes(sq8vec('\x0080ff'::bytea, 1, 0)),
	sq8vec_codes(sq8vec('\x0080ff'::bytea, 1, 0, true)),
	sq8vec_codes(sq8vec('{0,-1}'::smallint[], 1, 0)),
		sq8vec_codes(sq8vec('{0,1}'::smallint[], 1, 0));
SELECT sq8vec_scale('[1]@(0.1,0)'), sq8vec_offset('[1]@(0.5,-7)'), sq8vec_scale('[4,4]'),
	sq8vec_offset('[4,4]');
SELECT sq8vec(NULL::smallint[], 1, 0) IS NULL AND sq8vec('{1}'::smallint[], NULL, 0) IS NULL
	AND sq8vec('\x01'::bytea, 1, NULL) IS NULL AND sq8vec('\x01'::bytea, 1, 0, NULL) IS NULL;
-- int8 embeddings keep their values to the bit
SELECT bool_and(c = code) AND count(*) = 256 FROM generate_series(-128, 127) AS code,
	LATERAL (SELECT (sq8vec(ARRAY[code, -128]::smallint[], 1, 0)::real[])[1] AS c) AS s;
SELECT test.error_of('SELECT sq8vec(' || c || ')'), c FROM unnest(ARRAY[
	$$'{}'::smallint[], 1, 0$$, $$'{{1,2}}'::smallint[], 1, 0$$, $$'{1,NULL}'::smallint[], 1, 0$$,
	$$'{256}'::smallint[], 1, 0$$, $$'{-129}'::smallint[], 1, 0$$, $$'{-1,128}'::smallint[], 1, 0$$,
		$$'{32767}'::smallint[], 1, 0$$,
	$$'{1}'::smallint[], -1, 0$$, $$'{1}'::smallint[], 'NaN', 0$$,
		$$'{1}'::smallint[], 1, 'Infinity'$$, $$'{1}'::smallint[], 1e300, 0$$,
	$$'{2}'::smallint[], 3e38, 0$$, $$'{-2}'::smallint[], 3e38, 0$$,
		$$'{1}'::smallint[], 3e38, 3e38$$,
	$$'{1}'::smallint[], 0, 5$$, $$'{0,1}'::smallint[], 1e-4, 1e6$$,
		$$'{0,1}'::smallint[], 1e-60, 0$$,
	$$array_fill(1::smallint, ARRAY[16001]), 1, 0$$,
	$$''::bytea, 1, 0$$, $$'\x01'::bytea, -1, 0$$, $$'\x01'::bytea, 'NaN', 0$$,
		$$'\xff'::bytea, 3e38, 0$$, $$'\x00'::bytea, 3e38, 0, true$$,
	$$convert_to(repeat('a', 16001), 'UTF8'), 1, 0$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;

-- type modifiers
SELECT '[0,1,255]'::sq8vec(3), '[0,1,255]'::sq8vec::sq8vec(3), '[0,1,2]@(1,0)'::sq8vec(3);
SELECT format('%-24s ', t) || test.error_of(format('SELECT ''[1,2,3]''::%s', t))
FROM unnest(ARRAY['sq8vec(1)', 'sq8vec(4)', 'sq8vec(16000)', 'sq8vec(3)', 'sq8vec(''3'')',
	'sq8vec(0)', 'sq8vec(-1)', 'sq8vec(16001)', 'sq8vec(2147483647)', 'sq8vec(2147483648)',
		'sq8vec(1,2)', 'sq8vec(3.5)',
	'sq8vec(''a'')', 'sq8vec()']) WITH ORDINALITY AS u (t, n) ORDER BY n;
SELECT test.error_of($$SELECT '[1,2,3]'::sq8vec::sq8vec(2)$$);
SELECT test.error_of($$SELECT '[1,2,3]@(1,0)'::sq8vec(2)$$);
SELECT test.error_of($$SELECT sq8vec('[1,2,3]'::sq8vec, 2, true)$$);

-- in tables
CREATE TABLE tq_typed (id int, free sq8vec, three sq8vec(3), list sq8vec(2)[]);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'tq_typed'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO tq_typed VALUES (1, '[1]', '[0,2,255]', '{"[0,255]","[3,4]@(1,0)"}'),
	(2, '[1,2]', NULL, '{NULL}'), (3, NULL, '[0,0,-0]', '{}');
INSERT INTO tq_typed (id, three) VALUES (4, ARRAY[0,5,255]), (5, '[7,8,262]'::vector),
	(6, '[0,255,4]'::halfvec), (7, sq8vec('{1,2,3}'::smallint[], 1, 0));
SELECT test.error_of(c) FROM unnest(ARRAY[
	$$INSERT INTO tq_typed (three) VALUES ('[1,2]')$$,
	$$INSERT INTO tq_typed (three) VALUES ('[1,2,3,4]@(1,0)')$$,
	$$INSERT INTO tq_typed (three) VALUES ('[1,2]'::vector)$$,
	$$INSERT INTO tq_typed (three) VALUES ('[1,2]'::halfvec)$$,
	$$INSERT INTO tq_typed (three) VALUES (ARRAY[1,2])$$,
	$$INSERT INTO tq_typed (three) VALUES (sq8vec('\x01', 1, 0))$$,
	$$INSERT INTO tq_typed (three) VALUES ('{1:1}/3'::sparsevec)$$,
	$$INSERT INTO tq_typed (list) VALUES ('{"[1,2]","[3]"}')$$,
	$$UPDATE tq_typed SET three = free$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT * FROM tq_typed ORDER BY id;
COPY tq_typed (id, three) FROM STDIN;
8	[1, 2, 3]@(1,0)
\.
COPY (SELECT id, three FROM tq_typed WHERE id > 4 ORDER BY id) TO STDOUT;
DROP TABLE tq_typed;

-- limits
SELECT vector_dims(array_fill(1, ARRAY[16000])::sq8vec),
	vector_dims(('[' || repeat('1,', 15999) || '1]')::sq8vec(16000)),
	vector_dims(sq8vec(convert_to(repeat('a', 16000), 'UTF8'), 1, 0));
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || '1]')::sq8vec$$);
SELECT test.error_of($$SELECT ('[' || repeat('1,', 16000) || '1]@(1,0)')::sq8vec$$);

-- binary form: int16 dim, int16 zero point, float4 scale, float4 offset, a byte a code
SELECT sq8vec_send('[0,1,255]'), sq8vec_send('[-128,-0.5]@(0.5,-64,128)');
SELECT format('%-28s ', d) || test.received(t, b::bytea) FROM (VALUES
	(1, '[0,1,255]', 'sq8vec', '\x00030000 3f800000 00000000 0001ff'),
	(2, '[0,1]@(1,0)', 'sq8vec', '\x00020000 3f800000 00000000 0001'),
	(3, '[-128,127]@(1,0,128)', 'sq8vec', '\x00020080 3f800000 00000000 00ff'),
	(4, 'scale 0', 'sq8vec', '\x00020000 00000000 40400000 0000'),
	(5, 'offset -0', 'sq8vec', '\x00020000 3f800000 80000000 0001'),
	(6, 'for sq8vec(2)', 'sq8vec(2)', '\x00020000 3f800000 00000000 0001'),
	(7, 'for sq8vec(3)', 'sq8vec(3)', '\x00020000 3f800000 00000000 0001'),
	(8, 'nothing', 'sq8vec', '\x'),
	(9, 'half a header', 'sq8vec', '\x00020000 3f800000'),
	(10, 'one code missing', 'sq8vec', '\x00020000 3f800000 00000000 00'),
	(11, 'one code too many', 'sq8vec', '\x00020000 3f800000 00000000 000102'),
	(12, 'dim 0', 'sq8vec', '\x00000000 3f800000 00000000'),
	(13, 'dim -1', 'sq8vec', '\xffff0000 3f800000 00000000'),
	(14, 'dim 16000, no codes', 'sq8vec', '\x3e800000 3f800000 00000000'),
	(15, 'dim 16001', 'sq8vec', '\x3e810000 3f800000 00000000'),
	(16, 'zero point 1', 'sq8vec', '\x00010001 3f800000 00000000 00'),
	(17, 'zero point -128', 'sq8vec', '\x0001ff80 3f800000 00000000 00'),
	(18, 'scale NaN', 'sq8vec', '\x00010000 7fc00000 00000000 00'),
	(19, 'scale infinite', 'sq8vec', '\x00010000 7f800000 00000000 00'),
	(20, 'scale -1', 'sq8vec', '\x00010000 bf800000 00000000 00'),
	(21, 'scale -0', 'sq8vec', '\x00010000 80000000 00000000 00'),
	(22, 'offset NaN', 'sq8vec', '\x00010000 3f800000 7fc00000 00'),
	(23, 'offset infinite', 'sq8vec', '\x00010000 3f800000 ff800000 00'),
	(24, 'element beyond float4', 'sq8vec', '\x00010000 7f7fffff 00000000 02'),
	(25, 'scale 0 with codes', 'sq8vec', '\x00020000 00000000 40400000 0001'),
	(26, 'scale too small', 'sq8vec', '\x00020000 00000001 3f800000 0001')
) AS u (n, d, t, b) ORDER BY n;

-- size: 16 bytes and 1 a dimension; 3 less where a short header will do
CREATE TABLE tq_sizes AS SELECT d, array_fill(0.5, ARRAY[d])::sq8vec AS v
	FROM unnest(ARRAY[1, 3, 114, 115, 1600]) AS d;
SELECT d, pg_column_size(v) AS stored, pg_column_size(array_fill(0.5, ARRAY[d])::sq8vec) AS fresh
	FROM tq_sizes ORDER BY d;
DROP TABLE tq_sizes;

-- values as tables hold them: short header, plain, compressed, out of line
CREATE TABLE tq_held (kind text, short sq8vec, plain sq8vec, packed sq8vec, outside sq8vec);
ALTER TABLE tq_held ALTER plain SET STORAGE plain, ALTER packed SET STORAGE main;
INSERT INTO tq_held
	SELECT k, sq8vec(ARRAY[k, 2]::smallint[], 1, 0),
		sq8vec(array_cat(ARRAY[k], array_fill(1, ARRAY[199]))::smallint[], 1, 0),
		sq8vec(array_cat(ARRAY[k], array_fill(3, ARRAY[3999]))::smallint[], 1, 0),
		sq8vec((SELECT array_agg((i * 37 + k) % 41) FROM generate_series(1, 3000) AS i)::smallint[],
			1, 0)
	FROM generate_series(1, 3) AS k;
SELECT kind, pg_column_size(short), pg_column_size(plain),
	pg_column_size(packed) < 1000 AS compressed,
	pg_column_size(outside) FROM tq_held ORDER BY kind;
SELECT pg_relation_size(reltoastrelid) >= 3 * 3000 AS toasted FROM pg_class
	WHERE oid = 'tq_held'::regclass;
SELECT kind, short, short::text::sq8vec = short AND plain::text::sq8vec = plain
	AND packed::text::sq8vec = packed AS same,
	outside::real[] = (SELECT array_agg((i * 37 + kind::int) % 41)
		FROM generate_series(1, 3000) AS i)::real[] AS same_outside
FROM tq_held ORDER BY kind;
-- every distance between held values and fresh ones
CREATE VIEW tq_all AS
	SELECT kind, 1 AS c, short AS v FROM tq_held UNION ALL SELECT kind, 2, plain FROM tq_held
	UNION ALL SELECT kind, 3, packed FROM tq_held UNION ALL SELECT kind, 4, outside FROM tq_held;
SELECT a.kind, b.kind, c, a.v <-> b.v = fa <-> fb AND a.v <#> b.v = fa <#> fb
	AND a.v <=> b.v = fa <=> fb
	AND a.v <+> b.v = fa <+> fb AND a.v <-> b.v = fa <-> b.v AND a.v <=> b.v = a.v <=> fb
	AND sq8vec_spherical_distance(a.v, b.v) = sq8vec_spherical_distance(fa, fb)
	AND (a.v <=> b.v) = (a.v::vector <=> b.v::vector)
		AND (a.v <#> b.v) = (a.v::vector <#> b.v::vector) AS same,
	a.v <-> b.v AS l2, a.v <+> b.v AS l1
FROM tq_all AS a JOIN tq_all AS b USING (c),
	LATERAL (SELECT (a.v::text || '')::sq8vec AS fa, (b.v::text || '')::sq8vec AS fb) AS fresh
WHERE a.kind < b.kind ORDER BY c, a.kind, b.kind;
DROP VIEW tq_all;
DROP TABLE tq_held;
-- where floats are coarser than the grid, codes are those that the text form gives
SELECT v = v::text::sq8vec, sq8vec_send(v) = sq8vec_send(v::text::sq8vec)
FROM (SELECT ARRAY['1.833816925664644e-36', '1.8337939667906046e-36']::float4[]::sq8vec AS v) AS s;
