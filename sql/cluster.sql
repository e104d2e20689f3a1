--
-- Clustering: nanovec_kmeans() and nanovec_assign()
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
-- centroids in the order of their first element
CREATE FUNCTION pg_temp.sorted(vector[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(c::text, ' ' ORDER BY c) FROM unnest($1) AS c
$$;

-- three heaps of points around (0,0), (10,0) and (0,10), all of them of the same size
CREATE TABLE points (id int, p vector(2), h halfvec(2), secret vector(2));
INSERT INTO points
	SELECT i, v, v, v
	FROM generate_series(0, 299) AS i,
		LATERAL (SELECT array[(i % 3 = 1)::int * 10 + (i / 3 % 10 - 4.5) / 10,
			(i % 3 = 2)::int * 10 + (i / 30 - 4.5) / 10]::vector AS v) AS s;
SELECT pg_temp.sorted(nanovec_kmeans(array_agg(p), 3)) FROM points;
SELECT pg_temp.sorted(nanovec_kmeans('points', 'p', 3));
SELECT pg_temp.sorted(nanovec_kmeans('points'::regclass, 'h', 3, iterations => 10, seed => 42));
SELECT nanovec_assign(p, centroids) = nanovec_assign(vector '[0,0]', centroids) AS at_origin,
	count(*)
FROM points, (SELECT nanovec_kmeans(array_agg(p), 3) AS centroids FROM points) AS s
GROUP BY 1 ORDER BY 1;

-- the same every time, and another start with another seed
SELECT nanovec_kmeans(array_agg(p ORDER BY id), 7, 0) = nanovec_kmeans(array_agg(p ORDER BY id), 7, 0) AS same,
	nanovec_kmeans(array_agg(p ORDER BY id), 7, 0) = nanovec_kmeans(array_agg(p ORDER BY id), 7, 0, 1) AS seed
FROM points;

-- no more clusters than there are different vectors; NULLs do not count
SELECT pg_temp.sorted(nanovec_kmeans(array['[1,1]', '[1,1]', NULL, '[2,2]', '[1,1]']::vector[], 5));
SELECT nanovec_kmeans(array_fill(vector '[1,2,3]', array[1000]), 100);
SELECT nanovec_kmeans(array['[5]']::vector[], 1000);
SELECT nanovec_kmeans('{}'::vector[], 3) IS NULL AS none, nanovec_kmeans('{NULL}'::vector[], 3) IS NULL AS only_null,
	nanovec_kmeans(NULL::vector[], 3) IS NULL AS no_array;
CREATE TABLE empty (p vector(2));
SELECT nanovec_kmeans('empty', 'p', 3) IS NULL AS empty_table;

-- one far away gets a cluster of its own; lengths over twelve orders of magnitude
SELECT pg_temp.sorted(nanovec_kmeans(array_agg(p) || vector '[1000000,0]', 2)) FROM points;
SELECT count(*) FROM unnest((SELECT nanovec_kmeans(array_agg(array[power(10, i)]::vector), 13)
	FROM generate_series(-6, 6) AS i));
SELECT cardinality(nanovec_kmeans('{"[3e38,3e38]","[-3e38,-3e38]","[1,1]"}'::vector[], 3)) BETWEEN 1 AND 3 AS huge;

-- by direction: lengths don't matter, zero vectors have none
SELECT pg_temp.sorted(nanovec_kmeans('{"[3,0]","[300,0]","[0,2]","[0,0]","[0,50]"}'::vector[], 2, spherical => true));

-- many clusters: none is empty, and they are about as good as can be
CREATE TABLE many AS
	SELECT array[i * 7919 % 10007 / 100.07, i * 104729 % 10009 / 100.09]::vector AS p
	FROM generate_series(1, 5000) AS i;
WITH c AS MATERIALIZED (SELECT nanovec_kmeans('many', 'p', 200) AS centroids),
sizes AS (SELECT nanovec_assign(p, centroids) AS c, count(*) AS n,
		sum((p <-> centroids[nanovec_assign(p, centroids)]) ^ 2) AS inertia
	FROM many, c GROUP BY 1)
SELECT count(*) AS clusters, min(n) > 0 AS filled,
	-- a hexagon of area 10000/200 has 5 * sqrt(3) / 54 * area as the mean square of distances
	sum(inertia) / sum(n) / (5 * sqrt(3) / 54 * 10000 / 200) BETWEEN 0.9 AND 1.15 AS good
FROM sizes;

-- the subscript of the nearest, the first of equals
SELECT nanovec_assign('[1,0]', '{"[5,5]","[1,1]","[1,-1]"}'), nanovec_assign('[1,0]', '[7:9]={"[5,5]",NULL,"[1,1]"}'),
	nanovec_assign('[1,0]', '{}') IS NULL AS none, nanovec_assign('[1,0]', '{NULL}') IS NULL AS only_null;

-- mistakes
SELECT test.error_of($$SELECT nanovec_kmeans('{"[1]"}'::vector[], 0)$$);
SELECT test.error_of($$SELECT nanovec_kmeans('{"[1]"}'::vector[], 100001)$$);
SELECT test.error_of($$SELECT nanovec_kmeans('{"[1]"}'::vector[], 1, -1)$$);
SELECT test.error_of($$SELECT nanovec_kmeans('{"[1]","[1,2]"}'::vector[], 1)$$);
SELECT test.error_of($$SELECT nanovec_assign('[1]', '{"[1,2]"}')$$);
SELECT test.error_of($$SELECT nanovec_kmeans('points', 'nowhere', 1)$$);
SELECT test.error_of($$SELECT nanovec_kmeans('points', 'id', 1)$$);
SELECT test.error_of($$SELECT nanovec_kmeans(0::regclass, 'p', 1)$$);
SET work_mem = 64;
SELECT test.error_of($$SELECT nanovec_kmeans('points', 'p', 3000)$$);
SELECT pg_temp.sorted(nanovec_kmeans('points', 'p', 3));
RESET work_mem;

-- more rows than the sample has room for: at most 10,000, or what fits into memory
CREATE TABLE crowd AS SELECT i, ARRAY[i % 3 * 10, 5]::vector(2) AS p FROM generate_series(1, 30000) AS i;
SELECT pg_temp.sorted(nanovec_kmeans('crowd', 'p', 3));
SET work_mem = 64;
SELECT seed, pg_temp.sorted(nanovec_kmeans('crowd', 'p', 3, seed => seed)) FROM generate_series(1, 5) AS seed;
RESET work_mem;

-- values whose cast to vector is NULL are left out
CREATE TYPE mood AS ENUM ('good', 'none');
CREATE FUNCTION mood_vector(mood) RETURNS vector LANGUAGE sql AS $$
	SELECT CASE WHEN $1 = 'good' THEN '[1,2]'::vector END $$;
CREATE CAST (mood AS vector) WITH FUNCTION mood_vector(mood);
CREATE TABLE moods AS SELECT unnest(ARRAY['good', 'none', 'good', 'none']::mood[]) AS m;
SELECT nanovec_kmeans('moods', 'm', 2);
DROP TABLE moods;
SET client_min_messages = warning;
DROP TYPE mood CASCADE;
RESET client_min_messages;

-- many clusters of few different rows: at once
SET statement_timeout = '30s';
SELECT cardinality(nanovec_kmeans('crowd', 'p', 5000));
RESET statement_timeout;

-- distances that a float has no room for
SELECT nanovec_assign('[1e30]', '{"[3e30]","[-1e30]","[1.1e30]"}'), nanovec_assign('[2e-25]', '{"[9e-25]","[2e-25]"}');
SELECT test.error_of($$SELECT nanovec_assign('[1,1]', ARRAY[ARRAY['[0,0]'], ARRAY['[1,1]']]::vector[])$$);

-- with the rights of who asks
CREATE ROLE nanovec_cluster_guest;
GRANT SELECT (id, p) ON points TO nanovec_cluster_guest;
SET ROLE nanovec_cluster_guest;
SELECT pg_temp.sorted(nanovec_kmeans('points', 'p', 3));
SELECT test.error_of($$SELECT nanovec_kmeans('points', 'secret', 3)$$);
RESET ROLE;

-- a cancelled one ends
SET statement_timeout = '20ms';
SELECT nanovec_kmeans(array_agg(p), 4000, 1000) FROM many;
RESET statement_timeout;

DROP TABLE points, empty, many, crowd;
DROP ROLE nanovec_cluster_guest;
