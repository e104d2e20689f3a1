--
-- nanovec_search_groups(): the nearest groups of rows
--
\pset format unaligned
SET client_min_messages = warning;
-- 200 documents of 15 chunks; each is near its document
CREATE TABLE qg_chunks (id int PRIMARY KEY, doc int, title text, a point, v vector(16));
INSERT INTO qg_chunks SELECT i, i / 15, 'title ' || i / 15, point(i, i), (SELECT array_agg(test.noise(i / 15, j) + test.noise(i, j + 20) / 3.0
	ORDER BY j)::vector FROM generate_series(1, 16) AS j) FROM generate_series(0, 2999) AS i;
INSERT INTO qg_chunks SELECT -i, NULL, NULL, NULL, (SELECT array_agg(test.noise(i, j + 70) ORDER BY j)::vector
	FROM generate_series(1, 16) AS j) FROM generate_series(1, 30) AS i;
CREATE INDEX qg_hnsw ON qg_chunks USING hnsw (v vector_l2_ops);
CREATE INDEX qg_ivf ON qg_chunks USING ivf (v vector_cosine_ops) WITH (lists = 20);
CREATE TABLE qg_queries AS SELECT i AS n, (SELECT array_agg(test.noise(i, j + 50) ORDER BY j)::vector
	FROM generate_series(1, 16) AS j) AS q FROM generate_series(1, 20) AS i;

-- beside all rows: the groups that are found, their order, and the row of each
CREATE FUNCTION pg_temp.compare(i regclass, operator text, k int, column_name name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('WITH found AS MATERIALIZED (SELECT n, row_number() OVER (PARTITION BY n) AS place, distance, %4$I AS value, id
			FROM qg_queries, nanovec_search_groups(%1$L, q, %4$L, %3$s) AS s JOIN qg_chunks AS c ON c.ctid = s.tid),
		expected AS MATERIALIZED (SELECT n, e.* FROM qg_queries, LATERAL (SELECT * FROM (SELECT DISTINCT ON (%4$I) %4$I AS value, id,
			v %2$s q AS distance FROM qg_chunks ORDER BY %4$I, v %2$s q) AS d ORDER BY distance LIMIT %3$s) AS e)
		SELECT concat_ws('' '', (SELECT count(*) FROM found), (SELECT count(*) FROM expected),
			(SELECT count(*) FROM found AS f JOIN expected AS e ON f.n = e.n AND f.id = e.id
				AND f.value IS NOT DISTINCT FROM e.value AND f.distance = e.distance) >= 0.95 * (SELECT count(*) FROM expected),
			(SELECT bool_and(nth = 1 OR distance >= before) FROM (SELECT row_number() OVER w AS nth, distance,
				lag(distance) OVER w AS before FROM found WINDOW w AS (PARTITION BY n ORDER BY place)) AS s))',
		i, operator, k, column_name) INTO answer;
	RETURN answer;
END $$;
SELECT k, c, pg_temp.compare('qg_hnsw', '<->', k, c) AS hnsw, pg_temp.compare('qg_ivf', '<=>', k, c) AS ivf
FROM unnest('{1,10,100,1000}'::int[]) AS k, unnest('{doc,title,id}'::name[]) AS c WHERE c <> 'id' OR k < 1000 ORDER BY k, c;
-- exact, where all lists are looked into
SET ivf.probes = 100;
SELECT pg_temp.compare('qg_ivf', '<=>', 50, 'doc');
RESET ivf.probes;
-- all groups, if there are fewer; rows without a group are one
SELECT count(*), count(*) FILTER (WHERE doc IS NULL) AS none FROM nanovec_search_groups('qg_hnsw',
	(SELECT q FROM qg_queries LIMIT 1), 'doc', 1000) AS s JOIN qg_chunks AS c ON c.ctid = s.tid;
SELECT count(*) FROM nanovec_search_groups('qg_hnsw', NULL::vector, 'doc', 3);

-- mistakes
SELECT nanovec_search_groups('qg_hnsw', '[1,2]'::vector, 'doc', 3);
SELECT nanovec_search_groups('qg_hnsw', '[1,2]'::halfvec, 'doc', 3);
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'chapter', 3);
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'ctid', 3);
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'a', 3);
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'doc', 0);
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'doc', 1001);
SELECT nanovec_search_groups('qg_chunks_pkey', (SELECT q FROM qg_queries LIMIT 1), 'doc', 3);
CREATE ROLE qg_reader;
GRANT SELECT (id, doc) ON qg_chunks TO qg_reader;
GRANT SELECT ON qg_queries TO qg_reader;
SET ROLE qg_reader;
SELECT nanovec_search_groups('qg_hnsw', (SELECT q FROM qg_queries LIMIT 1), 'doc', 3);
RESET ROLE;
DROP OWNED BY qg_reader;
DROP ROLE qg_reader;
DROP TABLE qg_chunks, qg_queries;
