--
-- The graph after inserts, deletes and vacuum is as good as one that is built
-- on the rows that are left.  Distances of bit strings are exact in the index,
-- so that recall is that of the graph alone.
--
SET enable_seqscan = off;
CREATE TABLE hv_pool AS
	SELECT i AS id, ('x' || substr(md5('row' || i), 1, 16))::bit(64) AS v
	FROM generate_series(1, 8000) AS i;
CREATE TABLE hv_queries AS
	SELECT i AS id, ('x' || substr(md5('query' || i), 1, 16))::bit(64) AS v
	FROM generate_series(1, 400) AS i;
CREATE TABLE hv_items (id int, v bit(64)) WITH (autovacuum_enabled = off);

-- of the ten nearest, the part that the index finds; rows as far as the tenth count
CREATE FUNCTION pg_temp.recall() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	result numeric;
BEGIN
	CREATE TEMP TABLE found AS
		SELECT q.id, (SELECT array_agg(d) FROM (SELECT i.v <~> q.v AS d FROM hv_items i
												ORDER BY i.v <~> q.v LIMIT 10) AS s) AS distances
		FROM hv_queries q;
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_seqscan = on;
	CREATE TEMP TABLE tenth AS
		SELECT q.id, (SELECT max(d) FROM (SELECT i.v <~> q.v AS d FROM hv_items i
										  ORDER BY i.v <~> q.v LIMIT 10) AS s) AS distance
		FROM hv_queries q;
	SET LOCAL enable_indexscan = on;
	SET LOCAL enable_seqscan = off;
	SELECT avg((SELECT count(*) FROM unnest(distances) AS d WHERE d <= distance)) / 10
		INTO result FROM found JOIN tenth USING (id);
	DROP TABLE found, tenth;
	RETURN result;
END $$;
-- what is lacking to a fresh index, and to be let pass
CREATE FUNCTION pg_temp.lacking(way text, allowed numeric) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	now numeric := pg_temp.recall();
	fresh numeric;
BEGIN
	REINDEX INDEX hv_idx;
	fresh := pg_temp.recall();
	RETURN CASE WHEN fresh - now <= allowed THEN way || ': as good as fresh'
		ELSE format('%s: recall %s, fresh %s', way, now, fresh) END;
END $$;

CREATE INDEX hv_idx ON hv_items USING hnsw (v bit_hamming_ops);
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id <= 4000;
SELECT pg_temp.lacking('inserted', 0.01);

TRUNCATE hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool;
REINDEX INDEX hv_idx;
DELETE FROM hv_items WHERE id % 2 = 0;
VACUUM hv_items;
SELECT count(*) FROM nanovec_index_check('hv_idx');
SELECT pg_temp.lacking('half deleted', 0.005);

-- all rows replaced by others, a quarter at a time
TRUNCATE hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id <= 4000;
REINDEX INDEX hv_idx;
DELETE FROM hv_items WHERE id % 4 = 0;
VACUUM hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id > 4000 AND id % 4 = 0;
DELETE FROM hv_items WHERE id <= 4000 AND id % 4 = 1;
VACUUM hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id > 4000 AND id % 4 = 1;
DELETE FROM hv_items WHERE id <= 4000 AND id % 4 = 2;
VACUUM hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id > 4000 AND id % 4 = 2;
DELETE FROM hv_items WHERE id <= 4000 AND id % 4 = 3;
VACUUM hv_items;
INSERT INTO hv_items SELECT * FROM hv_pool WHERE id > 4000 AND id % 4 = 3;
SELECT count(*) FROM nanovec_index_check('hv_idx');
SELECT pg_temp.lacking('replaced', 0.01);
DROP TABLE hv_pool, hv_queries, hv_items;

-- inner products: the long vectors lead to each other, however many short ones
-- nothing else leads to
CREATE TABLE hv_long (id int, v vector(8));
CREATE INDEX hv_long_idx ON hv_long USING hnsw (v vector_ip_ops);
INSERT INTO hv_long SELECT i, (SELECT array_agg(abs(sin(i * (j + 0.37)) * cos(i * i * 0.13 * j)))
							   FROM generate_series(1, 8) AS j)::vector
	FROM generate_series(1, 4000) AS i;
SELECT count(*) FROM nanovec_index_check('hv_long_idx');
DROP TABLE hv_long;

-- where few rows died, vacuum looks at each page twice and at little beside
CREATE TABLE hv_wide (id int, v vector(512)) WITH (autovacuum_enabled = off);
INSERT INTO hv_wide SELECT i, (SELECT array_agg(sin(i * 0.7 * j)) FROM generate_series(1, 512) AS j)::vector
	FROM generate_series(1, 3000) AS i;
CREATE INDEX hv_wide_idx ON hv_wide USING hnsw (v vector_l2_ops);
DELETE FROM hv_wide WHERE id = 77;
CREATE FUNCTION pg_temp.accesses() RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_stat_get_blocks_fetched('hv_wide_idx'::regclass)
$$;
SELECT pg_stat_force_next_flush();
SELECT pg_temp.accesses() AS before \gset
VACUUM (INDEX_CLEANUP on) hv_wide;
SELECT pg_stat_force_next_flush();
SELECT pg_temp.accesses() - :before < 4.5 * pg_relation_size('hv_wide_idx') / 8192 AS few;
SELECT count(*) FROM nanovec_index_check('hv_wide_idx');
DROP TABLE hv_wide;
