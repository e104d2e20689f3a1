--
-- Which plan is taken for the nearest of those that match, by how many match and how many
-- are wanted: the index, or a sequential scan and a sort.  The times of both were measured on a
-- grid, of which docs/design-notes.md tells; cells where both take about as long are left out.
--
SET max_parallel_workers_per_gather = 0;
CREATE TABLE hfp_many (id int, v vector(3), a int);
INSERT INTO hfp_many SELECT i, ARRAY[sin(i), cos(i * 3), sin(i * 7)]::vector, i * 7919 % 10000
	FROM generate_series(1, 20000) AS i;
CREATE TABLE hfp_few AS SELECT * FROM hfp_many LIMIT 1000;
CREATE INDEX hfp_many_v ON hfp_many USING hnsw (v vector_l2_ops, a);
CREATE INDEX hfp_few_v ON hfp_few USING hnsw (v vector_l2_ops, a);
VACUUM ANALYZE hfp_many, hfp_few;
CREATE FUNCTION pg_temp.plan_of(tab text, part float8, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM %I WHERE a < %s ORDER BY v <-> ''[1,0,0]'' LIMIT %s',
		tab, part * 10000, n) INTO plan;
	RETURN CASE WHEN plan ~ 'Index Scan' THEN 'index' WHEN plan ~ 'Seq Scan' THEN 'table' ELSE plan END;
END $$;
SELECT tab, part, n, pg_temp.plan_of(tab, part, n)
FROM (VALUES ('hfp_many'), ('hfp_few')) AS t (tab), unnest(ARRAY[1, .5, .1, .01, .001, .0001]) AS part,
	unnest(ARRAY[1, 10, 100, 1000]) AS n
WHERE CASE WHEN tab = 'hfp_many' THEN (part, n) NOT IN ((.1, 1000), (.01, 100), (.01, 1000))
	ELSE n IN (1, 1000) AND (part, n) <> (1, 1) END
ORDER BY tab, part DESC, n;
-- many match: all of them are better sorted, but a part of them is not
SELECT n, pg_temp.plan_of('hfp_many', .5, n) FROM unnest(ARRAY[100, 3000, 20000]) AS n;
DROP TABLE hfp_many, hfp_few;
