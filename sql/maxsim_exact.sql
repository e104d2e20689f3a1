--
-- MaxSim of two arrays of vectors, computed from the values alone
--
\pset format unaligned
SET client_min_messages = warning;
-- worked out by hand: the row [1,2], [3,4]; each vector of the query has its greatest product
SELECT maxsim('{"[1,2]","[3,4]"}'::vector[], '{"[1,0]","[0,1]","[-1,0]"}'::vector[]) AS three_four_minus_one,
	'{"[1,2]","[3,4]"}'::vector[] @# '{"[1,0]","[0,1]","[-1,0]"}'::vector[] AS negative;
SELECT maxsim('{"[1,2]","[3,4]"}'::halfvec[], '{"[1,0]","[0,1]","[-1,0]"}'::halfvec[]),
	'{"[1,2]","[3,4]"}'::halfvec[] @# '{"[1,0]","[0,1]","[-1,0]"}'::halfvec[] AS negative;
-- the two sides are not the same
SELECT ARRAY['[1]']::vector[] @# ARRAY['[1]', '[2]']::vector[] AS one_and_two,
	ARRAY['[1]', '[2]']::vector[] @# ARRAY['[1]']::vector[] AS two;
-- one of each is the operator <#>
SELECT ARRAY['[1,2,3]']::vector[] @# ARRAY['[4,5,6]']::vector[] = '[1,2,3]'::vector <#> '[4,5,6]' AS same;
-- arrays of arrays are lists of their elements
SELECT ARRAY[ARRAY['[1,2]'], ARRAY['[3,4]']]::vector[] @# ARRAY[ARRAY['[1,0]', '[0,1]']]::vector[] AS minus_seven;

-- no vectors have no greatest product
SELECT ('{}'::vector[] @# '{"[1]"}') IS NULL AS row_empty, ('{"[1]"}'::vector[] @# '{}') IS NULL AS query_empty,
	('{}'::halfvec[] @# '{}') IS NULL AS both, (NULL::vector[] @# '{"[1]"}') IS NULL AS null_row,
	('{"[1]"}'::vector[] @# NULL) IS NULL AS null_query;
SELECT * FROM test.errors_of(ARRAY[
	$$SELECT '{"[1,2]","[1]"}'::vector[] @# '{"[1,2]"}'$$,
	$$SELECT '{"[1,2]"}'::vector[] @# '{"[1,2]","[1,2,3]"}'$$,
	$$SELECT '{"[1,2]"}'::halfvec[] @# '{"[1,2,3]"}'$$,
	$$SELECT '{"[1,2]",NULL}'::vector[] @# '{"[1,2]"}'$$,
	$$SELECT '{"[1,2]"}'::halfvec[] @# '{NULL}'$$,
	$$SELECT '{"[1,2]"}'::vector[] @# '{"[1,2]"}'::halfvec[]$$]);

-- where floats overflow or vanish, double precision does not
SELECT maxsim('{"[3e38,3e38]","[1,1]"}', '{"[3e38,-3e38]"}'::vector[]) AS zero,
	maxsim('{"[3e38,0]","[1,1]"}', '{"[3e38,0]"}'::vector[]) AS large,
	maxsim('{"[-3e38,0]","[-3e38,1]"}', '{"[3e38,0]","[0,1]"}'::vector[]) AS negative;
SELECT test.sig(maxsim('{"[1e-25,0]"}', '{"[1e-25,0]"}'::vector[])) AS tiny,
	maxsim('{"[0,0]"}', '{"[1,1]","[0,0]"}'::vector[]) AS zero;

-- any number of vectors on either side, of any dimensions, against single inner products
CREATE FUNCTION pg_temp.vectors(seed int, n int, dims int) RETURNS vector[] LANGUAGE sql AS $$
	SELECT array_agg(v ORDER BY i) FROM (SELECT i, array_agg((test.noise(seed * 7 + i, j) - 500) / 100.0
		ORDER BY j)::vector AS v FROM generate_series(1, n) AS i, generate_series(1, dims) AS j GROUP BY i) AS s
$$;
CREATE FUNCTION pg_temp.by_hand(r vector[], q vector[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum(most) FROM (SELECT max(inner_product(b, a)) AS most FROM unnest(q) WITH ORDINALITY AS u (a, n),
		unnest(r) AS b GROUP BY n) AS s
$$;
SELECT count(*), bool_and(abs(maxsim(r, q) - pg_temp.by_hand(r, q)) <= 1e-5 * abs(pg_temp.by_hand(r, q))) AS vector,
	bool_and(abs(maxsim(r::halfvec[], q::halfvec[]) - pg_temp.by_hand(r::halfvec[]::vector[], q::halfvec[]::vector[]))
		<= 1e-5 * abs(pg_temp.by_hand(r, q))) AS halfvec
FROM unnest('{1,2,3,11,12,13,23,24,25,40}'::int[]) AS nr, unnest('{1,3,15,16,17,33}'::int[]) AS nq,
	unnest('{1,2,63,64,65,130}'::int[]) AS dims,
	LATERAL (SELECT pg_temp.vectors(nr, nr, dims) AS r, pg_temp.vectors(50 + nq, nq, dims) AS q) AS v;
-- a query that differs from row to row; out of line, too
CREATE TABLE me_items (id int, e vector(64)[]);
INSERT INTO me_items SELECT i, pg_temp.vectors(i, i, 64) FROM generate_series(1, 30) AS i;
SELECT bool_and(abs(maxsim(a.e, b.e) - pg_temp.by_hand(a.e, b.e)) <= 1e-5 * abs(pg_temp.by_hand(a.e, b.e))) AS all_pairs
FROM me_items AS a, me_items AS b WHERE a.id % 3 = 0 AND b.id % 2 = 0;
-- the column says how many dimensions; elements must have them
SELECT test.error_of($$INSERT INTO me_items VALUES (0, '{"[1,2]"}')$$);
-- what it costs is known to the planner: more than a single product
CREATE FUNCTION pg_temp.cost_of(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END $$;
SELECT pg_temp.cost_of('SELECT e @# e FROM me_items') > 10 * pg_temp.cost_of('SELECT e[1] <#> e[1] FROM me_items') AS dear;
DROP TABLE me_items;
