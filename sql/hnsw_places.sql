-- rows of another place than those that an index was made for
\set ECHO queries
\pset format unaligned
\pset tuples_only on
SET enable_seqscan = off;
CREATE TABLE hp_items (id int PRIMARY KEY, v vector(96));
-- numbers between 0 and 1, moved to a place
CREATE FUNCTION pg_temp.row_of(i int, place float8) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(place + sin(i * 12.9898 + j * 78.233) * 43758.5453 - floor(sin(i * 12.9898 + j * 78.233) * 43758.5453))::vector
	FROM generate_series(1, 96) AS j $$;
INSERT INTO hp_items SELECT i, pg_temp.row_of(i, 0) FROM generate_series(1, 1500) AS i;
CREATE INDEX hp_items_idx ON hp_items USING hnsw (v vector_l2_ops) WITH (storage = sq8);
CREATE FUNCTION pg_temp.itself(first int, last int) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	hits int := 0;
	q record;
BEGIN
	FOR q IN SELECT * FROM hp_items WHERE id BETWEEN first AND last AND id % 15 = 0 LOOP
		hits := hits + (q.id = (SELECT id FROM hp_items AS i ORDER BY i.v <-> q.v LIMIT 1))::int;
	END LOOP;
	RETURN round(hits / ((last - first + 1) / 15.0), 2);
END $$;
SELECT pg_temp.itself(1, 1500) > 0.95;
SELECT value FROM nanovec_index_info('hp_items_idx') WHERE property IN ('advice', 'vectors stored finely') ORDER BY property;
INSERT INTO hp_items SELECT i, pg_temp.row_of(i, 2000) FROM generate_series(1501, 3000) AS i;
SELECT pg_temp.itself(1, 1500) > 0.95, pg_temp.itself(1501, 3000) > 0.95;
SELECT property, CASE WHEN property = 'advice' THEN value ELSE (value::int > 1400)::text END
FROM nanovec_index_info('hp_items_idx') WHERE property IN ('advice', 'vectors stored finely') ORDER BY property;
SELECT * FROM nanovec_index_check('hp_items_idx');
-- the others go, and vacuum keeps what these have in slots of their own
DELETE FROM hp_items WHERE id <= 1500;
VACUUM hp_items;
SELECT pg_temp.itself(1501, 3000) > 0.95;
SELECT * FROM nanovec_index_check('hp_items_idx');
DELETE FROM hp_items WHERE id % 2 = 0;
VACUUM hp_items;
SELECT pg_temp.itself(1501, 3000) > 0.45;
SELECT * FROM nanovec_index_check('hp_items_idx');
REINDEX INDEX hp_items_idx;
SELECT value FROM nanovec_index_info('hp_items_idx') WHERE property IN ('advice', 'vectors stored finely') ORDER BY property;
-- by the inner product, few long vectors are everybody's neighbors, and yet all are found
CREATE TABLE hp_long (id int, v vector(3));
CREATE INDEX hp_long_idx ON hp_long USING hnsw (v vector_ip_ops);
INSERT INTO hp_long SELECT i, ARRAY[1 + i % 17, 1 + i % 23, 1 + i % 29]::vector FROM generate_series(1, 4000) AS i;
SELECT count(*) FILTER (WHERE exact = found) >= 38 FROM (SELECT
	(SELECT array_agg(d) FROM (SELECT -(v <#> q) AS d FROM hp_long ORDER BY 1 DESC LIMIT 10) AS s) AS exact,
	(SELECT array_agg(d) FROM (SELECT -(v <#> q) AS d FROM hp_long ORDER BY v <#> q LIMIT 10) AS s) AS found
	FROM (SELECT ARRAY[1 + i % 3, 1 + i % 5, 1 + i % 7]::vector AS q FROM generate_series(1, 40) AS i) AS s) AS s;
-- with few neighbors each, and yet no insert takes the last way to another node
CREATE TABLE hp_few (id int, v vector(16));
CREATE INDEX hp_few_idx ON hp_few USING hnsw (v vector_ip_ops) WITH (m = 4, ef_construction = 16);
SELECT setseed(.1);
INSERT INTO hp_few SELECT i, ARRAY(SELECT (random() + random() + random() - 1.5) * exp(6 * length)
		FROM generate_series(1, 16 + 0 * i))::vector
	FROM (SELECT i, random() + random() + random() - 1.5 AS length FROM generate_series(1, 4000) AS i) AS s;
SELECT count(*) FROM nanovec_index_check('hp_few_idx');
DROP TABLE hp_items, hp_long, hp_few;
