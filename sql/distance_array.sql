--
-- Distances of real[] and double precision[]
--
\pset format unaligned
\pset null NULL

-- numbers to check by hand
SELECT a, b, l2_distance(a::real[], b::real[]) AS l2, inner_product(a::real[], b::real[]) AS ip,
	round(cosine_distance(a::real[], b::real[])::numeric, 6) AS cosine,
	l1_distance(a::real[], b::real[]) AS l1,
	l2_distance(a::float8[], b::float8[]) AS l2_d, inner_product(a::float8[], b::float8[]) AS ip_d,
		round(cosine_distance(a::float8[], b::float8[])::numeric, 6) AS cosine_d,
		l1_distance(a::float8[], b::float8[]) AS l1_d
FROM (VALUES ('{3,4}', '{4,3}'), ('{1,2,3}', '{1,2,3}'), ('{1}', '{-1}'), ('{1,0}', '{0,1}'),
	('{0,0}', '{3,4}'), ('{0}', '{0}'), ('{1,2,3,4}', '{5,4,3,2}'),
	('[0:1]={1,2}', '[5:6]={1,2.5}'), ('{1}', NULL)) AS t (a, b);

-- real[] is measured as a vector is; both agree with sums made by SQL
CREATE TEMP TABLE da_values AS
	SELECT d, array_agg(((i * 37 + d * 11 + i * i) % 61 - 30) / 4.0 ORDER BY i) AS a,
		array_agg(((i * 53 + d * 7 + i * i / 3) % 59 - 29) / 4.0 ORDER BY i) AS b
	FROM generate_series(1, 100) AS d, generate_series(1, 100) AS i WHERE i <= d GROUP BY d;
SELECT count(*), count(*) FILTER (WHERE l2_distance(f, g) <> sqrt(l2sq)
	OR l2_distance(x, y) <> sqrt(l2sq) OR l2_distance(f, g) <> f::vector <-> g::vector) AS l2,
	count(*) FILTER (WHERE inner_product(f, g) <> ip OR inner_product(x, y) <> ip) AS ip,
		count(*) FILTER (WHERE l1_distance(f, g) <> l1 OR l1_distance(x, y) <> l1) AS l1,
	count(*) FILTER (WHERE NOT (abs(cosine_distance(f, g) - (1 - ip / sqrt(ff * gg))) < 1e-12
		AND abs(cosine_distance(x, y) - (1 - ip / sqrt(ff * gg))) < 1e-12)) AS cosine,
	count(*) FILTER (WHERE cosine_distance(f, f) <> 0 OR cosine_distance(x, x) <> 0
		OR l2_distance(y, x) <> l2_distance(x, y)) AS self
FROM (SELECT a::real[] AS f, b::real[] AS g, a::float8[] AS x, b::float8[] AS y
	FROM da_values) AS v,
	LATERAL (SELECT sum((i - j) ^ 2) AS l2sq, sum(i * j) AS ip, sum(abs(i - j)) AS l1,
		sum(i * i) AS ff, sum(j * j) AS gg FROM unnest(x, y) AS u (i, j)) AS s;
DROP TABLE da_values;

-- digits that float4 does not have
SELECT l1_distance('{16777217}'::float8[], '{16777216}'),
	l1_distance('{16777217}'::real[], '{16777216}'),
	l2_distance('{0.1,0.2}'::float8[], '{0.1,0.2000000001}') BETWEEN 0.99e-10 AND 1.01e-10,
	inner_product('{100000001}'::float8[], '{3}'), l2_distance('{1e-9,1}'::float8[], '{0,1}'),
		round(cosine_distance('{1,1e-6}'::float8[], '{1,0}')::numeric, 15);
-- numbers far beyond float4
SELECT test.sig(l2_distance(a, b)) AS l2, test.sig(inner_product(a, b)) AS ip,
	test.sig(cosine_distance(a, b)) AS cosine, test.sig(l1_distance(a, b)) AS l1
FROM (VALUES ('{1e70}'::float8[], '{-1e70}'::float8[]), ('{3e70,0}', '{0,4e70}'),
	('{3e-70,0}', '{0,4e-70}'), ('{1e-60,1}', '{-1e-60,1}'), ('{0,0}', '{1e70,0}'),
	('{1e80}', '{1e80}'), ('{1e-90,0}', '{1e-90,1e-90}'), ('{0}', '{-0}')) AS t (a, b);
SELECT test.sig(l2_distance(a, b)) AS l2, test.sig(inner_product(a, b)) AS ip,
	test.sig(cosine_distance(a, b)) AS cosine, test.sig(l1_distance(a, b)) AS l1
FROM (VALUES ('{3e38}'::real[], '{-3e38}'::real[]), ('{3e38,0}', '{0,3e38}'),
	('{1e-30}', '{3e-30}'), ('{1e-25,0}', '{1e-25,1}')) AS t (a, b);
-- arrays may hold numbers that vectors may not
SELECT l2_distance(a, b) AS l2, inner_product(a, b) AS ip, cosine_distance(a, b) AS cosine,
	l1_distance(a, b) AS l1,
	l2_distance(a::real[], b::real[]) AS l2_r, inner_product(a::real[], b::real[]) AS ip_r,
		cosine_distance(a::real[], b::real[]) AS cosine_r, l1_distance(a::real[], b::real[]) AS l1_r
FROM (VALUES ('{NaN,1}'::float8[], '{1,1}'::float8[]), ('{Infinity,1}', '{1,1}'),
	('{-Infinity}', '{1}'), ('{Infinity}', '{Infinity}'), ('{Infinity}', '{0}'),
	('{Infinity,1}', '{-Infinity,1}')) AS t (a, b);

-- errors
SELECT test.errors_of(ARRAY[
	$$SELECT l2_distance('{1}'::real[], '{1,2}')$$,
		$$SELECT inner_product('{1,2,3}'::real[], '{1,2}')$$,
		$$SELECT cosine_distance('{1}'::float8[], '{1,2}')$$,
		$$SELECT l1_distance('{1,2}'::float8[], '{1}')$$,
	$$SELECT l2_distance('{}'::real[], '{}')$$, $$SELECT l2_distance('{}'::float8[], '{1}')$$,
		$$SELECT l2_distance('{{1,2}}'::real[], '{{1,2}}')$$,
		$$SELECT l1_distance('{1,2}'::float8[], '{{1},{2}}')$$,
	$$SELECT l2_distance('{1,NULL}'::real[], '{1,2}')$$,
		$$SELECT inner_product('{1,2}'::float8[], '{NULL,2}')$$,
		$$SELECT l2_distance('{NULL}'::real[], '{1,2}')$$,
	$$SELECT l2_distance('{1,2}', '{1,2}')$$, $$SELECT '{1,2}'::real[] <-> '{1,2}'::real[]$$,
		$$SELECT l2_distance('{a}'::text[], '{b}')$$
]);
-- a bitmap of nulls with no null in it
SELECT l2_distance((ARRAY[NULL, 3, 4]::real[])[2:3], '{0,0}'),
	l2_distance('{0,0}'::float8[], (ARRAY[NULL, 3, 4]::float8[])[2:3]);
-- which function other types take
SELECT l2_distance('{16777216}'::real[], '{16777217}'::float8[]),
	l2_distance('{1,2}'::real[], '[4,6]'::vector),
	l2_distance('[1,2]'::vector, '{4,6}'::real[]), l2_distance('[1,2]'::vector, ARRAY[4,6]),
		l2_distance(ARRAY[1.5, 2], '{1,2}'::real[]);
SELECT test.errors_of(ARRAY[
	$$SELECT l2_distance('{1,2}'::int[], '{4,6}'::int[])$$,
		$$SELECT l2_distance('{1,2}'::numeric[], '{4,6}'::numeric[])$$,
		$$SELECT l2_distance('{1,2}'::real[], '[1,2]'::halfvec)$$
]);

-- more elements than a vector may have; toasted, and read again and again
CREATE TABLE da_long (id int, f real[], x float8[]);
ALTER TABLE da_long ALTER f SET STORAGE external, ALTER x SET STORAGE external;
INSERT INTO da_long SELECT id, array_agg((i * id) % 17), array_agg((i * id) % 17)
	FROM generate_series(1, 4) AS id, generate_series(1, 20000) AS i GROUP BY id;
SELECT a.id, b.id, l1_distance(a.f, b.f), l1_distance(a.x, b.x),
	l2_distance(a.f, b.f) = l2_distance(a.x, b.x), l1 = l1_distance(a.x, b.x)
FROM da_long AS a, da_long AS b, LATERAL (SELECT sum(abs(i - j)) AS l1
	FROM unnest(a.x, b.x) AS u (i, j)) AS s WHERE a.id < b.id ORDER BY a.id, b.id;
SELECT id, l1_distance(x, (SELECT x FROM da_long WHERE id = 1)) FROM da_long ORDER BY id;
DROP TABLE da_long;
-- as PL/pgSQL keeps them
DO $$
DECLARE
	a float8[] := '{}';
	b real[] := '{}';
BEGIN
	FOR i IN 1..4 LOOP
		a[i] := i;
		b := b || (i + 1)::real;
	END LOOP;
	RAISE NOTICE '% % % %', l2_distance(a, a), l1_distance(a, b), l1_distance(b, b),
		inner_product(b, b);
END $$;
