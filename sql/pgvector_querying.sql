--
-- As users of pgvector do it: exact nearest neighbours, distances, averages
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;

-- towns on a map, with distances that can be told by eye
CREATE TABLE qu_towns (id bigserial PRIMARY KEY, region int, place vector(2));
INSERT INTO qu_towns (region, place)
	VALUES (1, '[0,0]'), (1, '[3,4]'), (1, '[6,8]'), (2, '[0,10]'), (2, '[-8,0]'), (2, '[5,-12]'),
		(3, NULL);

-- nearest to a vector, by each distance
SELECT * FROM qu_towns ORDER BY place <-> '[3,3]' LIMIT 3;
SELECT id, place <-> '[0,0]' FROM qu_towns ORDER BY place <-> '[0,0]', id LIMIT 7;
SELECT id, place <#> '[1,0]' FROM qu_towns ORDER BY place <#> '[1,0]' LIMIT 3;
SELECT id, place <=> '[3,4]' FROM qu_towns WHERE id <> 1 ORDER BY place <=> '[3,4]', id LIMIT 3;
SELECT id, place <+> '[1,1]' FROM qu_towns ORDER BY place <+> '[1,1]' LIMIT 3;
-- the same by the functions' names
SELECT id, l2_distance(place, '[0,0]'), inner_product(place, '[1,0]'), cosine_distance(place,
	'[0,2]'),
	l1_distance(place, '[0,0]') FROM qu_towns ORDER BY id;
-- rows without a vector come last, far ones first if wanted
SELECT id FROM qu_towns ORDER BY place <-> '[0,0]' DESC NULLS LAST LIMIT 2;
SELECT id FROM qu_towns ORDER BY place <-> '[0,0]' OFFSET 6;

-- nearest to a row
SELECT id FROM qu_towns WHERE id <> 2 ORDER BY place <-> (SELECT place FROM qu_towns WHERE id = 2)
	LIMIT 2;
SELECT t.id, n.id, n.d FROM qu_towns AS t, LATERAL (SELECT o.id, o.place <-> t.place AS d
	FROM qu_towns AS o WHERE o.id <> t.id ORDER BY d, o.id LIMIT 1) AS n
WHERE t.place IS NOT NULL ORDER BY t.id;

-- within a distance, with and without an order
SELECT array_agg(id ORDER BY id) FROM qu_towns WHERE place <-> '[0,0]' < 10;
SELECT array_agg(id ORDER BY id) FROM qu_towns WHERE place <-> '[0,0]' <= 10;
SELECT id FROM qu_towns WHERE place <-> '[0,0]' BETWEEN 5 AND 10 ORDER BY place <-> '[0,0]' DESC,
	id LIMIT 2;

-- distances in select lists: the inner product is negated, similarity is 1 less the cosine distance
SELECT place <-> '[0,10]' AS distance FROM qu_towns ORDER BY id;
SELECT (place <#> '[2,1]') * -1 AS inner_product,
	-1 * (place <#> '[2,1]') FROM qu_towns ORDER BY id;
SELECT id, 1 - (place <=> '[0,5]') AS cosine_similarity FROM qu_towns ORDER BY 2 DESC NULLS LAST,
	id;
\pset tuples_only off
SELECT id, place <-> '[3,4]' AS distance FROM qu_towns ORDER BY distance LIMIT 1;
\pset tuples_only on

-- averages and sums, of all and by group
SELECT avg(place), sum(place), count(place) FROM qu_towns;
SELECT region, avg(place), sum(place), count(*) FROM qu_towns GROUP BY region ORDER BY region;
SELECT region, avg(place::halfvec),
	sum(place::halfvec) FROM qu_towns GROUP BY region ORDER BY region;
SELECT id, avg(place) OVER (PARTITION BY region ORDER BY id) FROM qu_towns WHERE region < 3
	ORDER BY id;
-- who is nearest to the middle of its region, each region's nearest to a place
SELECT DISTINCT ON (region) region, id FROM qu_towns JOIN (SELECT region, avg(place) AS middle
	FROM qu_towns GROUP BY region) AS m USING (region) WHERE place IS NOT NULL
ORDER BY region, place <-> middle, id;
SELECT region, min(place <-> '[0,1]') FROM qu_towns GROUP BY region ORDER BY region;

-- with vectors of length 1 all orders are the same, and the inner product is the cheapest
ALTER TABLE qu_towns ADD COLUMN direction vector(2);
UPDATE qu_towns SET direction = l2_normalize(place);
SELECT id, direction, round(vector_norm(direction)::numeric, 6) FROM qu_towns ORDER BY id;
SELECT array(SELECT id FROM qu_towns WHERE id > 1 ORDER BY direction <#> '[0.8,0.6]',
	id) AS by_product,
	array(SELECT id FROM qu_towns WHERE id > 1 ORDER BY round((direction <=> '[0.8,0.6]')::numeric,
		6), id) AS by_cosine,
	array(SELECT id FROM qu_towns WHERE id > 1 ORDER BY round((direction <-> '[0.8,0.6]')::numeric,
		6), id) AS by_distance;

-- exact searches in parallel find the same
CREATE TABLE qu_points AS SELECT i AS id, ARRAY[i, i % 10,
	5]::vector(3) AS v FROM generate_series(1, 4000) AS i;
ANALYZE qu_points;
CREATE FUNCTION pg_temp.nearest() RETURNS int[] LANGUAGE sql AS
	'SELECT array(SELECT id FROM qu_points ORDER BY v <-> ''[2000,0,5]'' LIMIT 4)';
SET max_parallel_workers_per_gather = 0;
SELECT pg_temp.nearest();
SET max_parallel_workers_per_gather = 4;
SET min_parallel_table_scan_size = 1;
SET parallel_setup_cost = 1;
SET parallel_tuple_cost = 0;
SELECT pg_temp.nearest();
SELECT count(*) FROM test.plan_of('SELECT id FROM qu_points ORDER BY v <-> ''[2000,0,5]'' LIMIT 4')
	AS line
WHERE line LIKE '%Parallel Seq Scan%';
SELECT avg(v) FROM qu_points;

DROP TABLE qu_towns, qu_points;
