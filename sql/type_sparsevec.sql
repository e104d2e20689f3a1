--
-- sparsevec: text and binary forms, type modifiers, storage, limits
--
\pset format unaligned
\pset tuples_only on

-- text that is accepted: indices from 1, in any order; elements that are 0 are dropped
SELECT format('%-44s', replace(replace(l, E'\n', '\n'), E'\t', '\t')), l::sparsevec
FROM unnest(ARRAY[
	'{1:1,3:2.5}/4', '{3:2.5,1:1}/4', '{}/1', '{}/1000000000', '{1:7}/1',
	' { 1 : 1 , 3 : 2 } / 4 ', E'\n{\t1:1\n,\t2\t:\n2 }\t/\n2 ', '{+1:+1,2:-2}/+3',
	'{0002:1}/0003', '{1:.5,2:5.,3:-.25}/3', '{1:1e3,2:1E-3,3:-1.5e+2}/3', '{2:0x10}/2',
	'{1:0,2:1}/2', '{1:-0,2:0.0}/2', '{0:0,2:1,99:0,-5:0}/2', '{1:0,1:0,1:3}/1',
	'{1:3.4028235e38,2:1e-45}/2', '{999999999:1,1000000000:2}/1000000000',
		'{16777217:16777217}/16777217'
]) WITH ORDINALITY AS u (l, n) ORDER BY n;
SELECT translate('vfr{v1f:v1r}v/f3v', 'vfr', E'\x0b\x0c\r')::sparsevec;

-- text that is not
SELECT test.refused('sparsevec', ARRAY[
	'', ' ', 'x', '1:1/2', '[1,2]', '(1:1)/2', '/2',
	'{', '{1', '{1:', '{1:1', '{1:1,', '{1:1 2:2}/2', '{1:1;2:2}/2', '{1:1]/2',
	'{,}/2', '{,1:1}/2', '{1:1,}/2', '{1:1,,2:2}/2', '{:1}/2', '{1}/2', '{1:1:1}/2', '{1:}/2',
		'{1 1}/2',
	'{a:1}/2', '{1:a}/2', '{1.5:1}/2', '{1:NULL}/2', '{--1:1}/2', '{1:1a}/2', '{1:1e}/2',
	'{}', '{1:1}', '{1:1}2', '{1:1}:2', '{1:1}/', '{1:1}/ ', '{1:1}/x', '{1:1}/2x', '{1:1}/2 x',
		'{1:1}/2/2', '{1:1}/2.5', '{1:1}}/2', '{1:1}//2',
	'{1:NaN}/2', '{1:-nan}/2', '{1:Infinity}/2', '{1:-inf}/2',
	'{1:1e39}/2', '{1:-1e39}/2', '{1:1e400}/2', '{1:1e-46}/2', '{1:-1e-400}/2',
	'{}/0', '{}/-1', '{1:1}/0', '{}/1000000001', '{}/2147483648', '{}/9223372036854775808',
		'{}/-9223372036854775809',
	'{0:1}/2', '{-1:1}/2', '{3:1}/2', '{1:1,3:1}/2', '{2147483647:1}/2', '{2147483648:1}/2',
		'{2147483649:1}/2', '{4294967297:1}/2',
	'{-2147483648:1}/2', '{9223372036854775808:1}/2', '{-9223372036854775809:1}/2',
		'{1000000001:1}/1000000000',
	'{1:1,1:2}/2', '{2:1,1:1,2:1}/2', '{1:1,2:2,3:3}/2', '{1:1,1:1,5:1}/2'
]);
SELECT NULL::sparsevec IS NULL;
-- the first mistake counts; dimensions come before indices
SELECT test.refused('sparsevec', ARRAY['{1:NaN,x', '{9:1}/0', '{9:1,9:1}/3']);

-- type modifiers
SELECT '{1:1}/3'::sparsevec(3), '{1:1}/3'::sparsevec::sparsevec(3),
	'{}/1000000000'::sparsevec(1000000000);
SELECT format('%-24s ', t) || test.error_of(format('SELECT ''{1:1}/3''::%s', t))
FROM unnest(ARRAY['sparsevec(1)', 'sparsevec(4)', 'sparsevec(16001)', 'sparsevec(1000000000)',
	'sparsevec(''3'')',
	'sparsevec(0)', 'sparsevec(-1)', 'sparsevec(1000000001)', 'sparsevec(2147483647)',
	'sparsevec(2147483648)', 'sparsevec(1,2)', 'sparsevec(3.5)', 'sparsevec(''a'')',
		'sparsevec(NULL)',
	'sparsevec()']) WITH ORDINALITY AS u (t, n) ORDER BY n;
SELECT test.error_of($$SELECT '{1:1}/3'::sparsevec::sparsevec(2)$$);
SELECT test.error_of($$SELECT sparsevec('{1:1}/3'::sparsevec, 2, true)$$);
SELECT test.error_of($$SELECT sparsevec_in('{1:1}/3', 0, 2)$$), sparsevec_in('{1:1}/3', 0, -1);

-- in tables
CREATE TABLE ts_typed (id int, free sparsevec, three sparsevec(3), list sparsevec(2)[]);
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'ts_typed'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO ts_typed VALUES (1, '{}/1', '{1:1,3:3}/3', '{"{1:1}/2","{2:2}/2"}'),
	(2, '{5:1}/9', NULL, '{NULL}'), (3, NULL, '{}/3', '{}');
INSERT INTO ts_typed (id, three) VALUES (4, ARRAY[4,0,6]), (5, '[0,0.5,0]'::vector),
	(6, '[0,-0,8]'::halfvec);
SELECT test.error_of(c) FROM unnest(ARRAY[
	$$INSERT INTO ts_typed (three) VALUES ('{1:1}/2')$$,
	$$INSERT INTO ts_typed (three) VALUES ('{4:1}/4')$$,
	$$INSERT INTO ts_typed (three) VALUES ('{1:1}/2'::sparsevec)$$,
	$$INSERT INTO ts_typed (three) VALUES (ARRAY[1,2])$$,
	$$INSERT INTO ts_typed (three) VALUES ('[1,2]'::vector)$$,
	$$INSERT INTO ts_typed (three) VALUES ('[1,2]'::halfvec)$$,
	$$INSERT INTO ts_typed (list) VALUES ('{"{1:1}/3"}')$$,
	$$UPDATE ts_typed SET three = free$$,
	$$ALTER TABLE ts_typed ALTER free TYPE sparsevec(1)$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT * FROM ts_typed ORDER BY id;
COPY ts_typed (id, three) FROM STDIN;
8	{ 3:1, 1:2 } / 3
\.
COPY (SELECT id, three FROM ts_typed WHERE id > 4 ORDER BY id) TO STDOUT;
DROP TABLE ts_typed;

-- limits: 16000 elements, none of them 0; zeros in the text count while it is read
CREATE FUNCTION pg_temp.listed(n int, value text, dim int) RETURNS text LANGUAGE sql AS $$
	SELECT '{' || string_agg(i || ':' || value, ',') || '}/' || dim FROM generate_series(1, n) AS i
$$;
SELECT pg_temp.listed(16000, '1', 16000)::sparsevec::text = pg_temp.listed(16000, '1', 16000),
	pg_temp.listed(16000, '1', 1000000000)::sparsevec::text = pg_temp.listed(16000, '1',
		1000000000),
	pg_temp.listed(16000, '0', 16000)::sparsevec;
SELECT test.error_of($$SELECT pg_temp.listed(16001, '1', 20000)::sparsevec$$);
SELECT test.error_of($$SELECT pg_temp.listed(16001, '0', 20000)::sparsevec$$);
SELECT test.error_of($$SELECT pg_temp.listed(16000, '1', 15999)::sparsevec$$);
SELECT test.error_of($$SELECT repeat(',', 16000)::sparsevec$$)
	LIKE '22P02: invalid input syntax for type sparsevec: ",,,%';

-- binary form: int32 dim, nnz, 0, then indices from 0, then float4 values
SELECT sparsevec_send('{}/5'), sparsevec_send('{1000000000:-2,1:1}/1000000000');
SELECT format('%-32s ', d) || test.received(t, b::bytea) FROM (VALUES
	(1, '{1:1,5:-2}/5', 'sparsevec',
		'\x00000005 00000002 00000000 00000000 00000004 3f800000 c0000000'),
	(2, '{}/1', 'sparsevec', '\x00000001 00000000 00000000'),
	(3, '{1000000000:1}/1000000000', 'sparsevec', '\x3b9aca00 00000001 00000000 3b9ac9ff 3f800000'),
	(4, 'subnormal', 'sparsevec', '\x00000005 00000001 00000000 00000000 00000001'),
	(5, '{}/5 for sparsevec(5)', 'sparsevec(5)', '\x00000005 00000000 00000000'),
	(6, '{}/5 for sparsevec(4)', 'sparsevec(4)', '\x00000005 00000000 00000000'),
	(7, 'nothing', 'sparsevec', '\x'),
	(8, 'dim alone', 'sparsevec', '\x00000005'),
	(9, 'half a header', 'sparsevec', '\x00000005 00000001 0000'),
	(10, 'header alone', 'sparsevec', '\x00000005 00000001 00000000'),
	(11, 'no values', 'sparsevec', '\x00000005 00000001 00000000 00000000'),
	(12, 'one value missing', 'sparsevec',
		'\x00000005 00000002 00000000 00000000 00000001 3f800000'),
	(13, 'one byte too many', 'sparsevec', '\x00000005 00000000 00000000 00'),
	(14, 'dim 0', 'sparsevec', '\x00000000 00000000 00000000'),
	(15, 'dim -1', 'sparsevec', '\xffffffff 00000000 00000000'),
	(16, 'dim 1000000001', 'sparsevec', '\x3b9aca01 00000000 00000000'),
	(17, 'nnz -1', 'sparsevec', '\x00000005 ffffffff 00000000'),
	(18, 'nnz -2147483648', 'sparsevec', '\x00000005 80000000 00000000'),
	(19, 'nnz above dim', 'sparsevec', '\x00000002 00000003 00000000'),
	(20, 'nnz 16000, no elements', 'sparsevec', '\x00004e20 00003e80 00000000'),
	(21, 'nnz 16001', 'sparsevec', '\x00004e20 00003e81 00000000'),
	(22, 'nnz 2147483647', 'sparsevec', '\x3b9aca00 7fffffff 00000000'),
	(23, 'unused 1', 'sparsevec', '\x00000005 00000000 00000001'),
	(24, 'unused -1', 'sparsevec', '\x00000005 00000000 ffffffff'),
	(25, 'index -1', 'sparsevec', '\x00000005 00000001 00000000 ffffffff 3f800000'),
	(26, 'index as large as dim', 'sparsevec', '\x00000005 00000001 00000000 00000005 3f800000'),
	(27, 'index 2147483647', 'sparsevec', '\x00000005 00000001 00000000 7fffffff 3f800000'),
	(28, 'descending', 'sparsevec',
		'\x00000005 00000002 00000000 00000004 00000000 3f800000 c0000000'),
	(29, 'twice', 'sparsevec', '\x00000005 00000002 00000000 00000004 00000004 3f800000 c0000000'),
	(30, 'value 0', 'sparsevec', '\x00000005 00000001 00000000 00000000 00000000'),
	(31, 'value -0', 'sparsevec', '\x00000005 00000001 00000000 00000000 80000000'),
	(32, 'NaN', 'sparsevec', '\x00000005 00000001 00000000 00000000 7fc00000'),
	(33, 'infinity', 'sparsevec', '\x00000005 00000001 00000000 00000000 7f800000'),
	(34, '-infinity', 'sparsevec', '\x00000005 00000001 00000000 00000000 ff800000')
) AS u (n, d, t, b) ORDER BY n;

-- value to text and back: the same bits
CREATE TABLE ts_bits AS
	SELECT i, ('{' || (SELECT string_agg(format('%s:%s', (j * 99991 + i * 7) % 1000 * 1000 + j,
											((i * 7919 + j * 104729) % 16777216 - 8388608.5)::float8
											* power(2::float8, (i * 31 + j * 57) % 240 - 140)), ','
												ORDER BY j % 3, j)
						FROM generate_series(1, i % 20) AS j) || '}/1000000')::sparsevec AS v
	FROM generate_series(1, 2000) AS i WHERE i % 20 > 0;
SELECT count(*), count(DISTINCT v),
	count(*) FILTER (WHERE sparsevec_send(v::text::sparsevec) <> sparsevec_send(v)),
	count(*) FILTER (WHERE length(sparsevec_send(v)) <> 12 + 8 * (i % 20)),
	-- the text has the indices in order, and the numbers that real prints
	count(*) FILTER (WHERE v::text <> (
		SELECT '{' || string_agg(split_part(e, ':', 1) || ':' || split_part(e, ':', 2)::real, ','
			ORDER BY split_part(e, ':', 1)::int)
			|| '}/1000000'
		FROM regexp_split_to_table(trim('{}' FROM split_part(v::text, '/', 1)), ',') AS e))
FROM ts_bits;
SELECT v FROM ts_bits WHERE i IN (2, 246) ORDER BY i;
DROP TABLE ts_bits;

-- size: 16 bytes and 8 an element; 3 less where a short header will do
CREATE TABLE ts_sizes AS SELECT n, array_fill(0.5, ARRAY[n])::sparsevec AS v
	FROM unnest(ARRAY[1, 2, 14, 15, 200]) AS n
	UNION ALL SELECT 0, '{}/1000000000';
SELECT n, pg_column_size(v) AS stored, pg_column_size(v::text::sparsevec) AS fresh FROM ts_sizes
	ORDER BY n;
DROP TABLE ts_sizes;

-- values as tables hold them: short header, plain, compressed, out of line
CREATE TABLE ts_held (kind text, short sparsevec, plain sparsevec, packed sparsevec,
	outside sparsevec);
-- (main keeps the short ones inside on 32-bit machines, where a TOAST pointer has a smaller place)
ALTER TABLE ts_held ALTER short SET STORAGE main, ALTER plain SET STORAGE plain,
	ALTER packed SET STORAGE main;
INSERT INTO ts_held
	SELECT k, ARRAY[0, k, 0]::sparsevec, array_cat(ARRAY[k], array_fill(1, ARRAY[19]))::sparsevec,
		array_cat(ARRAY[k], array_fill(3, ARRAY[299]))::sparsevec,
		(SELECT array_agg((i * 37 + k) % 41) FROM generate_series(1, 3000) AS i)::sparsevec
	FROM generate_series(1, 3) AS k;
SELECT kind, pg_column_size(short), pg_column_size(plain),
	pg_column_size(packed) < 2000 AS compressed,
	pg_column_size(outside) FROM ts_held ORDER BY kind;
SELECT pg_relation_size(reltoastrelid) >= 3 * 23000 AS toasted FROM pg_class
	WHERE oid = 'ts_held'::regclass;
SELECT kind, short, short::text::sparsevec = short AND plain::text::sparsevec = plain
	AND packed::text::sparsevec = packed AS same,
	outside = (SELECT array_agg((i * 37 + kind::int) % 41)
		FROM generate_series(1, 3000) AS i)::sparsevec AS same_outside
FROM ts_held ORDER BY kind;
-- every distance between held values and fresh ones
CREATE VIEW ts_all AS
	SELECT kind, 1 AS c, short AS v FROM ts_held UNION ALL SELECT kind, 2, plain FROM ts_held
	UNION ALL SELECT kind, 3, packed FROM ts_held UNION ALL SELECT kind, 4, outside FROM ts_held;
SELECT a.kind, b.kind, c, a.v <-> b.v = fa <-> fb AND a.v <#> b.v = fa <#> fb
	AND a.v <=> b.v = fa <=> fb
	AND a.v <+> b.v = fa <+> fb AND a.v <-> b.v = fa <-> b.v AND a.v <=> b.v = a.v <=> fb AS same,
	a.v <-> b.v AS l2, a.v <+> b.v AS l1
FROM ts_all AS a JOIN ts_all AS b USING (c),
	LATERAL (SELECT (a.v::text || '')::sparsevec AS fa, (b.v::text || '')::sparsevec AS fb) AS fresh
WHERE a.kind < b.kind ORDER BY c, a.kind, b.kind;
DROP VIEW ts_all;
DROP TABLE ts_held;
