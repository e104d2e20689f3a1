--
-- Spheres: rows within a distance
--
\pset format unaligned
SET client_min_messages = warning;
-- each type and distance: inside, on the edge, outside
SELECT v <<->> sphere('[1,2]'::vector, r) AS l2, v <<+>> sphere('[1,2]'::vector, r) AS l1,
	v::halfvec <<->> sphere('[1,2]'::halfvec, r) AS l2h, v::sq8vec <<->> sphere('[1,2]'::sq8vec, r) AS l2q,
	v::sparsevec <<+>> sphere('[1,2]'::vector::sparsevec, r) AS l1s
FROM (VALUES ('[4,6]'::vector)) AS v (v), unnest('{4.9,5,5.1,7.1}'::float8[]) AS r;
SELECT '[1,0]'::vector <<=>> sphere('[0,1]'::vector, r) AS cosine, '[2,0]'::halfvec <<#>> sphere('[3,0]'::halfvec, r - 7) AS ip
FROM unnest('{0.9,1,1.1}'::float8[]) AS r;
SELECT B'1010' <<~>> sphere(B'1001', r) AS hamming, B'1010' <<%>> sphere(B'1001', r / 3) AS jaccard
FROM unnest('{1.9,2,2.1}'::float8[]) AS r;
SELECT '[1,2]'::vector <<->> sphere('[1,2]'::vector, 0) AS zero, '[1,2]'::vector <<->> sphere('[1,2]'::vector, -1) AS negative,
	'[1,2]'::vector <<->> sphere('[1,2]'::vector, 'Infinity') AS infinite,
	'[1,2]'::vector <<->> ROW('[1,2]', 0.5)::sphere_vector AS by_row;
SELECT sphere('[1,2]'::vector, 0.5), (sphere('[1,2]'::vector, 0.5)).radius;
-- NULL is unknown, its fields are mistakes
SELECT sphere(NULL::vector, 1) IS NULL AS center, sphere('[1]'::vector, NULL) IS NULL AS radius,
	('[1]'::vector <<->> NULL::sphere_vector) IS NULL AS sphere, (NULL::vector <<->> sphere('[1]'::vector, 1)) IS NULL AS value;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
SELECT '[1]'::vector <<->> ROW(NULL, 1)::sphere_vector;
\set VERBOSITY default
SELECT '[1]'::vector <<->> ROW('[1]', NULL)::sphere_vector;
SELECT sphere('[1]'::vector, 'NaN');
SELECT '[1]'::vector <<->> ROW('[1]', 'NaN')::sphere_vector;
SELECT '[1,2]'::vector <<->> sphere('[1,2,3]'::vector, 1);
SELECT B'10' <<~>> sphere(B'101', 1);

-- what indexes find, beside what is there
CREATE TABLE qr_items (id int, a int, v vector(8));
INSERT INTO qr_items SELECT i, i % 10, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 8) AS j) FROM generate_series(1, 4000) AS i;
INSERT INTO qr_items SELECT -i, 0, NULL FROM generate_series(1, 10) AS i;
CREATE INDEX qr_hnsw ON qr_items USING hnsw (v vector_l2_ops, a);
CREATE INDEX qr_ivf ON qr_items USING ivf (v vector_cosine_ops, a) WITH (lists = 20);
ANALYZE qr_items;
CREATE FUNCTION pg_temp.use_index(used bool) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('enable_seqscan', CASE WHEN used THEN 'off' ELSE 'on' END, true),
		set_config('enable_sort', CASE WHEN used THEN 'off' ELSE 'on' END, true),
		set_config('enable_indexscan', CASE WHEN used THEN 'on' ELSE 'off' END, true);
$$;
-- rows found, of those that there are, and those that should not be
CREATE FUNCTION pg_temp.compare(condition text, orders text, OUT hits int, OUT expected int, OUT wrong int)
LANGUAGE plpgsql AS $$
DECLARE
	by_index int[];
	by_table int[];
BEGIN
	PERFORM pg_temp.use_index(true);
	EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM qr_items WHERE %s %s) AS i', condition, orders) INTO by_index;
	PERFORM pg_temp.use_index(false);
	EXECUTE format('SELECT array_agg(id) FROM qr_items WHERE %s', condition) INTO by_table;
	expected := coalesce(cardinality(by_table), 0);
	hits := cardinality(ARRAY(SELECT unnest(by_index) INTERSECT SELECT unnest(by_table)));
	wrong := coalesce(cardinality(by_index), 0) - hits;
END $$;
CREATE TABLE qr_queries AS SELECT i AS n, (SELECT array_agg(test.noise(i, j + 50) ORDER BY j)::vector
	FROM generate_series(1, 8) AS j) AS q FROM generate_series(1, 12) AS i;
-- the radius that so many rows are within
CREATE FUNCTION pg_temp.radius(operator text, q vector, rows int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	radius float8;
BEGIN
	PERFORM pg_temp.use_index(false);
	EXECUTE format('SELECT (v %s $1)::float8 FROM qr_items WHERE v IS NOT NULL ORDER BY 1 LIMIT 1 OFFSET $2', operator)
		INTO radius USING q, rows;
	RETURN radius;
END $$;
CREATE FUNCTION pg_temp.try(operator text, orders bool, more text) RETURNS TABLE (rows int, expected bigint, recall bool, wrong bigint)
LANGUAGE sql AS $$
	SELECT rows, sum(c.expected), sum(c.hits) >= 0.97 * sum(c.expected), sum(c.wrong)
	FROM qr_queries, unnest('{0,1,5,50,500,3000}'::int[]) AS rows,
		pg_temp.radius(operator, q, rows) AS radius,
		pg_temp.compare(format('v <%s> sphere(%L::vector, %s) %s', operator, q, radius, more),
			CASE WHEN orders THEN format('ORDER BY v %s %L', operator, q) ELSE '' END) AS c
	GROUP BY rows ORDER BY rows;
$$;
SELECT * FROM pg_temp.try('<->', false, '');
SELECT * FROM pg_temp.try('<->', true, '');
SELECT * FROM pg_temp.try('<->', false, 'AND a IN (1, 2)');
SELECT * FROM pg_temp.try('<->', true, 'AND a = 3');
-- exact, when all lists are looked into
SET ivf.probes = 100;
SELECT o, sum(expected) AS expected, sum(hits) AS hits, sum(wrong) AS wrong
FROM unnest('{false,true}'::bool[]) AS o, qr_queries, unnest('{0,1,5,50,500,3000}'::int[]) AS rows,
	pg_temp.radius('<=>', q, rows) AS radius,
	pg_temp.compare(format('v <<=>> sphere(%L::vector, %s)', q, radius),
		CASE WHEN o THEN format('ORDER BY v <=> %L', q) ELSE '' END)
GROUP BY o;
RESET ivf.probes;
SELECT * FROM pg_temp.try('<=>', false, 'AND a = 3');

-- the radius is the limit, and nothing else
SET work_mem = '64kB';
SET hnsw.iterative_scan = off;
SET hnsw.max_scan_tuples = 1;

SELECT * FROM pg_temp.compare('v <<->> sphere(array_fill(300, ARRAY[8])::vector, ''Infinity'')', '');
SELECT hits > 0.97 * 4000 AS recall, wrong FROM pg_temp.compare('v <<->> sphere(array_fill(300, ARRAY[8])::vector, ''Infinity'')',
	'ORDER BY v <-> array_fill(300, ARRAY[8])::vector');
RESET work_mem;
RESET hnsw.iterative_scan;
RESET hnsw.max_scan_tuples;

-- several spheres, another order, arrays of spheres, NULL
SELECT * FROM pg_temp.compare('v <<->> sphere(array_fill(400, ARRAY[8])::vector, 700) AND v <<->> sphere(array_fill(600, ARRAY[8])::vector, 600)', '');
SELECT * FROM pg_temp.compare('v <<->> sphere(array_fill(400, ARRAY[8])::vector, 700)', 'ORDER BY v <-> array_fill(600, ARRAY[8])::vector');
SELECT * FROM pg_temp.compare('v <<->> ANY (ARRAY[sphere(array_fill(400, ARRAY[8])::vector, 500), sphere(array_fill(600, ARRAY[8])::vector, 500)])',
	'ORDER BY v <-> array_fill(600, ARRAY[8])::vector');
SELECT * FROM pg_temp.compare('v <<->> (SELECT NULL::sphere_vector)', '');
SELECT * FROM pg_temp.compare('v IS NOT NULL AND v <<->> sphere(array_fill(400, ARRAY[8])::vector, 700)', '');
BEGIN;
SELECT pg_temp.use_index(true);
SELECT id FROM qr_items WHERE v <<->> sphere('[1,2]'::vector, 1);
ROLLBACK;

-- plans: an index condition, in a join and with a parameter, too
SET enable_seqscan = off;
SELECT pg_catalog.regexp_replace(line, '''.*''', '...') AS plan FROM test.plan_of('SELECT id FROM qr_items
	WHERE v <<->> sphere(''[500,500,500,500,500,500,500,500]''::vector, 100) AND a = 3
	ORDER BY v <-> ''[500,500,500,500,500,500,500,500]'' LIMIT 5') AS line;
SELECT line AS plan FROM test.plan_of('SELECT count(*) FROM qr_queries, qr_items WHERE v <<->> sphere(q, 100)') AS line;
SET plan_cache_mode = force_generic_plan;
PREPARE p (vector, float8) AS SELECT id FROM qr_items WHERE v <<->> sphere($1, $2);
SELECT line AS plan FROM test.plan_of('EXECUTE p (''[1,2,3,4,5,6,7,8]'', 3)') AS line;
RESET plan_cache_mode;
RESET enable_seqscan;
-- many rows are read from the table
SELECT pg_catalog.regexp_replace(line, '''.*''', '...') AS plan FROM test.plan_of('SELECT id FROM qr_items
	WHERE v <<->> sphere(''[500,500,500,500,500,500,500,500]''::vector, 2000)') AS line;
-- without a sphere or an order there is nothing to search for
SELECT line AS plan FROM test.plan_of('SELECT id FROM qr_items WHERE a = 3') AS line;

-- rows that are estimated, within a factor of three, with many and few rows inside
CREATE FUNCTION pg_temp.estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' -> 'Plan Rows';
END $$;
SELECT radius, estimate BETWEEN rows / 3.0 AND rows * 3.0 AS near
FROM unnest('{500,700,1000,1500}'::int[]) AS radius,
	LATERAL (SELECT count(*)::float8 / 4000 FROM qr_items AS x JOIN qr_items AS y ON (x.v <-> y.v) < radius AND x.id <> y.id WHERE x.id BETWEEN 1 AND 400) AS r (part),
	LATERAL (SELECT part * 10) AS m (per_row), LATERAL (SELECT per_row * 4000) AS n (rows),
	pg_temp.estimate(format('SELECT FROM qr_items AS x, qr_items AS y WHERE y.v <<->> sphere(x.v, %s)', radius)) AS total,
	LATERAL (SELECT total) AS e (estimate);
-- A condition on the distance is a filter. Where it leaves fewer rows than are wanted, the search
-- would go on to its end: sorting is quicker. Also where it is written as a similarity.
CREATE TABLE qr_filtered (id int PRIMARY KEY, v vector(8));
INSERT INTO qr_filtered SELECT i, (SELECT array_agg(sin(i * j) ORDER BY j)::vector
	FROM generate_series(1, 8) AS j) FROM generate_series(1, 8000) AS i;
CREATE FUNCTION pg_temp.way(condition text, lim int) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN bool_or(line LIKE '%Index Scan using qr_filtered_v%') THEN 'index' ELSE 'sort' END
FROM test.plan_of(format('SELECT id FROM qr_filtered WHERE %s ORDER BY v <-> ''[1,0,0,0,0,0,0,0]'' LIMIT %s',
	regexp_replace(condition, '\md\M', '(v <-> ''[1,0,0,0,0,0,0,0]'')'), lim)) AS line
$$;
CREATE FUNCTION pg_temp.ways() RETURNS TABLE (condition text, few text, many text) LANGUAGE sql AS $$
SELECT c, pg_temp.way(c, 5), pg_temp.way(c, 50) FROM unnest('{d < 0.001,d <= 0.001,0.001 > d,1 - d > 0.999,d < 1000,id > 0}'::text[]) AS c
$$;
CREATE INDEX qr_filtered_v ON qr_filtered USING hnsw (v vector_l2_ops);
VACUUM ANALYZE qr_filtered;
SELECT * FROM pg_temp.ways();
-- with nothing to go on for it is as it was
SET hnsw.iterative_scan = off;
SELECT pg_temp.way('d < 0.001', 50);
RESET hnsw.iterative_scan;
DROP INDEX qr_filtered_v;
CREATE INDEX qr_filtered_v ON qr_filtered USING ivf (v vector_l2_ops);
SELECT * FROM pg_temp.ways();
DROP TABLE qr_filtered;
-- what somebody may not read is not sampled
CREATE ROLE qr_reader;
GRANT SELECT (id) ON qr_items TO qr_reader;
SET ROLE qr_reader;
SELECT id FROM qr_items WHERE v <<->> sphere('[1,2,3,4,5,6,7,8]'::vector, 1);
RESET ROLE;
DROP OWNED BY qr_reader;
DROP ROLE qr_reader;

-- after the rows changed
DELETE FROM qr_items WHERE id % 3 = 0;
VACUUM qr_items;
INSERT INTO qr_items SELECT i, i % 10, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 8) AS j) FROM generate_series(4001, 5000) AS i;
SELECT * FROM pg_temp.try('<->', false, '');
SELECT * FROM pg_temp.try('<=>', true, '');
DROP TABLE qr_items, qr_queries;
