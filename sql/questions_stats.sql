--
-- nanovec_last_scan(): what the last search did
--
\pset format unaligned
SET client_min_messages = warning;
SELECT nanovec_last_scan() IS NULL AS none;
CREATE TABLE qt_items (id int, a int, b int, v vector(8));
INSERT INTO qt_items SELECT i, i % 1000, i % 7, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 8) AS j) FROM generate_series(1, 5000) AS i;
CREATE INDEX qt_hnsw ON qt_items USING hnsw (v vector_l2_ops, a);
CREATE INDEX qt_ivf ON qt_items USING ivf (v vector_cosine_ops, a) WITH (lists = 20);
ANALYZE qt_items;
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION pg_temp.try(operator text, conditions text, k int) RETURNS TABLE (index regclass, strategy text,
	visited bool, returned bool, rounds bool, passed bool, refused bool, ended text, ms bool) LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	EXECUTE format('SELECT count(*) FROM (SELECT id FROM qt_items %s ORDER BY v %s array_fill(500, ARRAY[8])::vector LIMIT %s) AS s',
		conditions, operator, k) INTO n;
	RETURN QUERY SELECT s.index, s.strategy, s.visited >= s.returned, s.returned BETWEEN n AND 5000, s.rounds > 1,
		s.filter_passed >= n, s.filter_refused > 0, s.ended, s.ms > 0 FROM nanovec_last_scan() AS s;
END $$;
SELECT * FROM pg_temp.try('<->', '', 10);
SELECT * FROM pg_temp.try('<->', '', 2000);
SELECT * FROM pg_temp.try('<->', '', 6000);
SELECT * FROM pg_temp.try('<->', 'WHERE a = 7', 3);
SELECT * FROM pg_temp.try('<->', 'WHERE b = 8', 3);
SELECT * FROM pg_temp.try('<->', 'WHERE v <<->> sphere(array_fill(500, ARRAY[8])::vector, 600)', 1000);
SELECT * FROM pg_temp.try('<=>', '', 10);
SELECT * FROM pg_temp.try('<=>', 'WHERE a < 300', 10);
SELECT * FROM pg_temp.try('<=>', 'WHERE v <<=>> sphere(array_fill(500, ARRAY[8])::vector, 0.05)', 1000);
SET hnsw.max_scan_tuples = 200;
SELECT * FROM pg_temp.try('<->', '', 1000);
SET hnsw.iterative_scan = off;
SELECT * FROM pg_temp.try('<->', '', 1000);
SET ivf.max_probes = 3;
SELECT * FROM pg_temp.try('<=>', '', 5000);
SET ivf.iterative_scan = off;
SELECT * FROM pg_temp.try('<=>', '', 5000);
-- an empty index
TRUNCATE qt_items;
SELECT * FROM pg_temp.try('<->', '', 10);
SELECT * FROM pg_temp.try('<=>', '', 10);
-- counts by index need the library to be preloaded
SELECT * FROM nanovec_index_stats();
SELECT nanovec_index_stats_reset();
DROP TABLE qt_items;
