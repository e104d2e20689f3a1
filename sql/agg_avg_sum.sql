--
-- avg and sum of vectors: few rows and many, NULLs, parallel plans, windows,
-- overflow, and the steps of avg called directly
--
\pset format unaligned
\pset null NULL
\pset tuples_only on

-- no row, NULLs, one row, a few
SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec), avg(v::sq8vec), sum(v::sq8vec), count(v)
	FROM (SELECT '[1]'::vector AS v WHERE false) AS s;
SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec), count(v)
	FROM (VALUES (NULL::vector), (NULL)) AS s (v);
SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec), count(v)
	FROM (VALUES ('[1.5,-2]'::vector)) AS s (v);
SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec), count(v)
	FROM (VALUES (NULL), ('[1,2,3]'::vector), (NULL), ('[3,6,-3]'), ('[2,1,0]'), (NULL)) AS s (v);
SELECT avg(v), sum(v), pg_typeof(avg(v)), pg_typeof(sum(v))
	FROM (VALUES ('[0,255]'::sq8vec), ('[255,0]')) AS s (v);
SELECT pg_typeof(avg(v)), pg_typeof(sum(v)), pg_typeof(avg(v::halfvec)), pg_typeof(sum(v::halfvec))
	FROM (VALUES ('[1]'::vector)) AS s (v);
SELECT avg(DISTINCT v), sum(DISTINCT v), avg(v) FILTER (WHERE v > '[1]'), sum(v ORDER BY v DESC)
	FROM (VALUES ('[1]'::vector), ('[1]'), ('[4]')) AS s (v);
-- the average is computed in double precision and rounded once
SELECT avg(v), avg(v::halfvec), sum(v), sum(v::halfvec)
	FROM (VALUES ('[0.1]'::vector), ('[0.2]'), ('[0.4]')) AS s (v);
SELECT avg(v) FROM (SELECT '[16777216]'::vector AS v UNION ALL SELECT '[1]'
	FROM generate_series(1, 7)) AS s;

-- dimensions must agree; what does not fit
SELECT test.errors_of(ARRAY[
	$$SELECT avg(v) FROM (VALUES ('[1,2]'::vector), ('[3]')) AS s (v)$$,
		$$SELECT sum(v) FROM (VALUES ('[1,2]'::vector), ('[3]')) AS s (v)$$,
	$$SELECT avg(v) FROM (VALUES ('[1]'::halfvec), ('[3,4]')) AS s (v)$$,
		$$SELECT sum(v) FROM (VALUES ('[1]'::halfvec), ('[3,4]')) AS s (v)$$,
	$$SELECT sum(v) FROM (VALUES ('[3e38]'::vector), ('[3e38]')) AS s (v)$$,
		$$SELECT sum(v) FROM (VALUES ('[65504]'::halfvec), ('[65504]')) AS s (v)$$,
	$$SELECT avg(v) FROM (VALUES ('{1:1}/1'::sparsevec)) AS s (v)$$,
		$$SELECT sum(v) FROM (VALUES ('{1:1}/1'::sparsevec)) AS s (v)$$
]);
SELECT avg(v) FROM (VALUES ('[3e38,1]'::vector), ('[3e38,2]'), ('[3e38,3]')) AS s (v);
SELECT avg(v) FROM (VALUES ('[65504]'::halfvec), ('[65504]'), ('[65504]')) AS s (v);
SELECT sum(v) FROM (VALUES (1, '[3e38]'::vector), (2, '[-3e38]'), (3, '[3e38]')) AS s (n, v);
SELECT vector_dims(avg(v)), vector_dims(sum(v)), avg(v)::real[] = v::real[]
	FROM (SELECT array_fill(1.5, ARRAY[16000])::vector AS v) AS s GROUP BY v;

-- many rows, against the same by SQL
CREATE TABLE av_rows AS
	SELECT i, i % 7 AS g, CASE WHEN i % 11 > 0
		THEN (SELECT array_agg(((i * j * 7 + i + j) % 2001 - 1000) / 8.0 ORDER BY j)
		FROM generate_series(1, 25) AS j)::vector END AS v
	FROM generate_series(1, 5000) AS i;
CREATE VIEW av_expected AS
	SELECT g, array_agg(s::real ORDER BY n)::vector AS sum,
		array_agg(a::real ORDER BY n)::vector AS avg,
		array_agg(a::real ORDER BY n)::halfvec AS half_avg
	FROM (SELECT g, n, sum(x) AS s, avg(x::float8) AS a
		FROM av_rows, unnest(v::real[]) WITH ORDINALITY AS u (x, n)
		GROUP BY GROUPING SETS ((g, n), (n))) AS s GROUP BY g;
SELECT count(*), bool_and(e.sum = r.sum), bool_and(e.avg = r.avg), bool_and(e.half_avg = r.half_avg)
FROM av_expected AS e JOIN (SELECT g, sum(v), avg(v), avg(v::halfvec) AS half_avg FROM av_rows
	GROUP BY ROLLUP (g)) AS r ON e.g IS NOT DISTINCT FROM r.g;
SELECT subvector(avg(v), 1, 3), subvector(sum(v), 1, 3), count(*), count(v) FROM av_rows;
-- sorted and hashed groups
SET enable_hashagg = off;
SELECT count(*), bool_and(e.sum = r.sum AND e.avg = r.avg) FROM av_expected AS e
	JOIN (SELECT g, sum(v), avg(v) FROM av_rows GROUP BY g) AS r USING (g);
RESET enable_hashagg;

-- parallel: the same to the last digit, since these sums are exact
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT test.plan_of('SELECT avg(v), sum(v) FROM av_rows');
CREATE TEMP TABLE av_parallel AS SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg,
	avg(v::sq8vec) AS sq8_avg FROM av_rows;
CREATE TEMP TABLE av_parallel_groups AS SELECT g, avg(v), sum(v) FROM av_rows GROUP BY g;
SELECT avg(v), sum(v) FROM av_rows WHERE i < 0;
SELECT test.error_of($$SELECT sum(v * '[1,2]') FROM av_rows$$);
SET max_parallel_workers_per_gather = 0;
SELECT p.avg = s.avg, p.sum = s.sum, p.half_avg = s.half_avg, p.sq8_avg <-> s.sq8_avg < 1e-4
FROM av_parallel AS p, (SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg,
	avg(v::sq8vec) AS sq8_avg FROM av_rows) AS s;
SELECT count(*), bool_and(p.avg = s.avg AND p.sum = s.sum) FROM av_parallel_groups AS p
	JOIN (SELECT g, avg(v), sum(v) FROM av_rows GROUP BY g) AS s USING (g);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- windows: a running average; a frame that moves
SELECT i, v, avg(v) OVER (ORDER BY i), sum(v) OVER (ORDER BY i),
	avg(v) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW),
	sum(v) OVER (ORDER BY i ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING),
	avg(v::halfvec) OVER (ORDER BY i ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING), avg(v) OVER ()
		FROM (VALUES (1, '[1,10]'::vector), (2, '[3,20]'), (3, NULL), (4, '[5,-6]'),
		(5, '[8,0]')) AS s (i, v);
SELECT count(*), bool_and(w.avg = (SELECT avg(v) FROM av_rows AS r
	WHERE r.i BETWEEN w.i - 20 AND w.i + 5)), bool_and(w.total = (SELECT sum(v) FROM av_rows AS r
	WHERE r.g = w.g AND r.i <= w.i))
FROM (SELECT i, g, avg(v) OVER (ORDER BY i ROWS BETWEEN 20 PRECEDING AND 5 FOLLOWING),
	sum(v) OVER (PARTITION BY g ORDER BY i) AS total FROM av_rows WHERE i < 300) AS w WHERE i < 200;
DROP VIEW av_expected;
DROP TABLE av_rows;

-- the steps of avg: a state is the number of rows and the sum of each element
SELECT vector_accum('{0}', '[1,2]'), vector_accum('{2,3,4}', '[1,2]'),
	vector_accum('[5:7]={2,3,4}'::float8[], '[1,2]'), vector_accum('{5}', '[1,2]'),
	vector_accum('{1,0.1}', '[0.5]'), vector_accum(NULL, '[1]'), vector_accum('{0}', NULL);
SELECT halfvec_accum('{0}', '[1,2]'), halfvec_accum('{2,3,4}', '[0.5,-2]');
SELECT vector_combine('{0}', '{0}'), vector_combine('{0}', '{1,2}'), vector_combine('{1,2}', '{0}'),
	vector_combine('{1,2,3}', '{4,5,6}'), vector_combine('{0,7}', '{1,2,3}'),
	vector_combine(NULL, '{0}'), halfvec_combine('{1,2}', '{2,3}'), vector_combine('{1}', '{2}');
SELECT vector_avg('{0}'), vector_avg('{0,5}'), vector_avg('{4,1,2}'), halfvec_avg('{4,1,2}'),
	vector_avg(NULL), vector_avg('{-2,1}'), halfvec_avg('{3,1}');
-- a state is not changed by a call outside of an aggregate
SELECT vector_accum(s, '[1,1]'), s, vector_accum(s, '[2,2]'), s
	FROM (VALUES ('{1,10,20}'::float8[])) AS t (s);
DO $$
DECLARE
	s float8[] := '{1,10,20}';
	t float8[];
BEGIN
	t := vector_accum(s, '[1,1]');
	RAISE NOTICE '% %', s, t;
END $$;
SELECT test.errors_of(ARRAY[
	$$SELECT vector_accum('{}', '[1]')$$, $$SELECT vector_accum('{{1,2},{3,4}}', '[1]')$$,
		$$SELECT vector_accum('{1,NULL}', '[1]')$$, $$SELECT vector_accum('{NULL}', '[1]')$$,
		$$SELECT vector_accum('{1,2,3}', '[1]')$$, $$SELECT vector_accum('{0,2,3}', '[1]')$$,
	$$SELECT vector_accum('{1,1e308,Infinity}', '[1,1]')$$, $$SELECT halfvec_accum('{}', '[1]')$$,
		$$SELECT halfvec_accum('{1,1}', '[1,2]')$$,
	$$SELECT vector_combine('{}', '{1,2}')$$, $$SELECT vector_combine('{1,2}', '{1,NULL}')$$,
		$$SELECT vector_combine('{1,2}', '{{1,2}}')$$,
		$$SELECT vector_combine('{1,2}', '{1,2,3}')$$,
		$$SELECT vector_combine('{1,1.7e308}', '{1,1.7e308}')$$,
		$$SELECT halfvec_combine('{1,2}', '{}')$$,
	$$SELECT vector_combine(array_fill(1::float8, ARRAY[16002]), '{0}')$$,
		$$SELECT vector_combine('{0}', array_fill(1::float8, ARRAY[16002]))$$,
		$$SELECT halfvec_combine(array_fill(1::float8, ARRAY[16002]), array_fill(1::float8, ARRAY[16002]))$$,
		$$SELECT array_length(vector_combine(array_fill(1::float8, ARRAY[16001]), '{0}'), 1)$$,
	$$SELECT vector_avg('{}')$$, $$SELECT vector_avg('{5}')$$, $$SELECT vector_avg('{1,NULL}')$$,
		$$SELECT vector_avg('{{1,2},{3,4}}')$$, $$SELECT vector_avg('{1,NaN}')$$,
		$$SELECT vector_avg('{NaN,1}')$$, $$SELECT vector_avg('{1,1e300}')$$,
		$$SELECT vector_avg('{1,Infinity}')$$,
	$$SELECT halfvec_avg('{1,70000}')$$, $$SELECT halfvec_avg('{}')$$,
		$$SELECT vector_avg(array_fill(1::float8, ARRAY[16002]))$$
]);
