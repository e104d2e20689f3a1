--
-- bit: Hamming and Jaccard distance, lengths, long and toasted bit strings
--
\pset format unaligned
\pset tuples_only on

SELECT a, b, a <~> b AS hamming, hamming_distance(a, b), a <%> b AS jaccard, jaccard_distance(a, b)
FROM (VALUES (B'0', B'0'), (B'0', B'1'), (B'1', B'1'),
	(B'1010', B'1010'), (B'1010', B'0101'), (B'1100', B'1010'), (B'1110', B'1000'),
		(B'0000', B'0000'), (B'0000', B'0010'),
	(B'11111111', B'11111110'), (B'111111111', B'111111110'),
		(B'1010101010101010101', B'1111111111111111111'),
	(X'ff00ff00', X'0ff00ff0'), (B'', B''), (B'1', NULL), (NULL, B'1')) AS t (a, b);
-- both ways round; varbit too
SELECT bool_and(a <~> b = b <~> a AND a <%> b = b <%> a AND a::varbit <~> b::varbit = a <~> b
	AND a <%> b::varbit = a <%> b)
FROM (VALUES (B'1100', B'1010'), (B'0000', B'0010'), (B'', B'')) AS t (a, b);
SELECT '101'::bit(3) <~> '111'::bit(3), '101'::bit varying(5) <~> '111', B'101' <~> '111',
	'1'::bit(4) <~> '0001', 5::bit(8) <~> 6::bit(8);

-- lengths must agree
SELECT c, test.error_of('SELECT ' || c) FROM unnest(ARRAY[
	$$B'1' <~> B'10'$$, $$B'10' <%> B'1'$$, $$hamming_distance(B'', B'1')$$,
		$$jaccard_distance(B'101', B'')$$,
	$$B'11111111' <~> B'1111111'$$, $$'101'::varbit <~> '10'::varbit$$,
		$$repeat('1', 100000)::varbit <~> repeat('1', 99999)::varbit$$,
	$$'1' <~> '1'$$, $$B'1' <-> B'1'$$
]) WITH ORDINALITY AS u (c, n) ORDER BY n;

-- every length up to some bytes more than the widest registers, against sums
-- over the bits
CREATE TABLE tb_lengths AS
	SELECT n, (SELECT string_agg(((i * 7 + i * i / 5 + n) % 3 / 2)::text, '' ORDER BY i)
		FROM generate_series(1, n) AS i)::varbit AS a,
			(SELECT string_agg(((i * 5 + i * i / 3 + n) % 4 / 2)::text, '' ORDER BY i)
				FROM generate_series(1, n) AS i)::varbit AS b
	FROM generate_series(1, 600) AS n WHERE n < 150 OR n > 500;
SELECT count(*), sum(a <~> b), min(a <%> b) > 0, max(a <%> b),
	count(*) FILTER (WHERE a <~> b <> differ),
		count(*) FILTER (WHERE a <%> b <> 1 - "both"::float8 / nullif("either", 0)),
	count(*) FILTER (WHERE a <~> a <> 0 OR (ones > 0 AND a <%> a <> 0)),
		count(*) FILTER (WHERE a <~> ~a <> n OR a <%> ~a <> 1)
FROM tb_lengths, LATERAL (
	SELECT count(*) FILTER (WHERE x <> y) AS differ,
		count(*) FILTER (WHERE x = 1 AND y = 1) AS "both",
		count(*) FILTER (WHERE x = 1 OR y = 1) AS "either", sum(x) AS ones
	FROM (SELECT get_bit(a, i) AS x, get_bit(b, i) AS y
		FROM generate_series(0, n - 1) AS i) AS bits) AS s;
DROP TABLE tb_lengths;

-- in tables: short headers, compressed, out of line
CREATE TABLE tb_held (id int, fixed bit(9), short varbit, packed bit varying, outside bit(20000));
ALTER TABLE tb_held ALTER outside SET STORAGE external;
INSERT INTO tb_held
	SELECT id, (id * 37)::bit(9), id::bit(4), repeat('0', 50000 - id)::varbit || repeat('1',
		id)::varbit,
		(SELECT string_agg((id * i % 7 % 2)::text, '' ORDER BY i)
			FROM generate_series(1, 20000) AS i)::bit(20000)
	FROM generate_series(1, 3) AS id;
SELECT id, pg_column_size(fixed), pg_column_size(short),
	pg_column_size(packed) < 1000 AS compressed, pg_column_size(outside)
FROM tb_held ORDER BY id;
SELECT a.id, b.id, a.fixed <~> b.fixed, a.short <~> b.short, a.short <%> b.short,
	a.packed <~> b.packed, a.packed <%> b.packed,
	a.outside <~> b.outside, round((a.outside <%> b.outside)::numeric, 9)
FROM tb_held AS a, tb_held AS b WHERE a.id < b.id ORDER BY a.id, b.id;
SELECT a.id, b.id, a.outside <~> b.outside = a.outside::text::bit(20000) <~>
	b.outside::text::bit(20000),
	a.outside <~> b.outside = (SELECT count(*)
		FROM regexp_split_to_table((a.outside # b.outside)::text, '') AS bit WHERE bit = '1')
FROM tb_held AS a, tb_held AS b WHERE a.id < b.id ORDER BY a.id, b.id;
SELECT test.error_of($$INSERT INTO tb_held (fixed) VALUES (B'1')$$);
SELECT test.error_of($$SELECT fixed <~> short FROM tb_held WHERE id = 1$$);
DROP TABLE tb_held;

-- what binary_quantize makes fits
SELECT binary_quantize('[1,-1,0.5,0,-0]'::vector) <~> binary_quantize('[1,1,-1,1,1]'::halfvec),
	binary_quantize('[1,2,-1]'::vector)::bit(3) <%> B'110';
