--
-- nanovec_search(): many queries at once
--
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE qs_items (id int, tenant int, v vector(16));
INSERT INTO qs_items SELECT i, i % 4, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 16) AS j) FROM generate_series(1, 3000) AS i;
INSERT INTO qs_items SELECT -i, 0, NULL FROM generate_series(1, 10) AS i;
CREATE INDEX qs_hnsw ON qs_items USING hnsw (v vector_l2_ops);
CREATE INDEX qs_ivf ON qs_items USING ivf (v vector_cosine_ops) WITH (lists = 20);
-- more than run by turns
CREATE TABLE qs_queries AS SELECT i AS n, (SELECT array_agg(test.noise(i, j + 50) ORDER BY j)::vector
	FROM generate_series(1, 16) AS j) AS q FROM generate_series(1, 21) AS i;

-- what a LATERAL join finds, and in order
SET enable_seqscan = off;
SET enable_sort = off;
SELECT test.uses_index('SELECT v FROM qs_items ORDER BY v <-> ''[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]'' LIMIT 3');
CREATE FUNCTION pg_temp.compare(i regclass, operator text, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('WITH batch AS MATERIALIZED (SELECT row_number() OVER () AS place, * FROM
			nanovec_search(%1$L, ARRAY(SELECT q FROM qs_queries ORDER BY n), %3$s)),
		single AS (SELECT n AS query, s.* FROM qs_queries, LATERAL (SELECT ctid AS tid,
			v %2$s q AS distance FROM qs_items ORDER BY v %2$s q LIMIT %3$s) AS s)
		SELECT concat_ws('' '', (SELECT count(*) FROM batch), (SELECT count(*) FROM
				(SELECT query, tid, distance FROM batch INTERSECT TABLE single) AS s),
			(SELECT bool_and(place = nth) FROM (SELECT place, row_number() OVER
				(ORDER BY query, distance, tid) AS nth FROM batch) AS s))', i, operator, k) INTO answer;
	RETURN answer;
END $$;
SELECT i, k, pg_temp.compare(i, o, k) FROM unnest('{qs_hnsw,qs_ivf}'::regclass[], '{<->,<=>}'::text[]) AS u (i, o),
	unnest('{1,10,500}'::int[]) AS k ORDER BY i::text, k;
-- joined to the table
SELECT n.query, array_agg(i.id ORDER BY n.distance) = (SELECT array_agg(id) FROM (SELECT id FROM qs_items,
	qs_queries WHERE qs_queries.n = query ORDER BY (v <-> q) + 0 LIMIT 3) AS s) AS nearest
FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries WHERE n <= 3 ORDER BY n), 3) AS n
	JOIN qs_items AS i ON i.ctid = n.tid GROUP BY n.query ORDER BY n.query;
-- settings count
SET ivf.probes = 1;
SET ivf.iterative_scan = off;
SELECT count(*) < 21 * 3000 AS few FROM nanovec_search('qs_ivf', ARRAY(SELECT q FROM qs_queries), 3000);
RESET ivf.probes;
RESET ivf.iterative_scan;

-- within a radius: all of those rows, if all lists are looked into, and none of others
SET ivf.probes = 100;
SELECT i, count(*) AS rows, bool_and(distance <= radius) AS within
FROM unnest('{qs_hnsw,qs_ivf}'::regclass[], '{1000,0.15}'::float8[]) AS u (i, radius),
	nanovec_search(i, ARRAY(SELECT q FROM qs_queries), 3000, radius) GROUP BY i ORDER BY i::text;
SELECT count(*) FILTER (WHERE (v <-> q) <= 1000) AS l2, count(*) FILTER (WHERE (v <=> q) <= 0.15) AS cosine
FROM qs_items, qs_queries;
RESET ivf.probes;
SELECT query, count(*) FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries WHERE n < 3), 5, 2000)
GROUP BY query ORDER BY query;
SELECT count(*) FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 5, 0);
SELECT count(*) FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 5, -1);
SELECT count(*) FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 5, 'Infinity');

-- NULLs have no neighbors, and are counted; nothing of nothing
SELECT query, count(*) FROM nanovec_search('qs_hnsw', ARRAY[NULL, '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]',
	NULL, NULL, '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17]', NULL]::vector[], 2) GROUP BY query ORDER BY query;
SELECT * FROM nanovec_search('qs_hnsw', '{}'::vector[], 2);
SELECT * FROM nanovec_search(NULL, '{}'::vector[], 2);
SELECT * FROM nanovec_search('qs_hnsw', NULL::vector[], 2);
SELECT * FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), NULL);
CREATE TABLE qs_few (id int, v vector(2));
CREATE INDEX qs_few_idx ON qs_few USING hnsw (v vector_l2_ops);
SELECT * FROM nanovec_search('qs_few_idx', ARRAY['[1,1]']::vector[], 2);
-- the rows of the query's snapshot: not those that are gone, and the new version of one that changed
INSERT INTO qs_few VALUES (1, '[1,1]'), (2, '[2,2]'), (3, '[3,3]'), (4, NULL);
DELETE FROM qs_few WHERE id = 1;
UPDATE qs_few SET id = 20 WHERE id = 2;
SELECT id, distance FROM nanovec_search('qs_few_idx', ARRAY['[1,1]']::vector[], 5) AS n
	JOIN qs_few ON ctid = tid ORDER BY distance;
-- cosine has no distance for zeros
CREATE INDEX qs_few_cosine ON qs_few USING hnsw (v vector_cosine_ops);
SELECT count(*) FROM nanovec_search('qs_few_cosine', ARRAY['[0,0]', '[1,0]']::vector[], 5);

-- among some rows, as docs/questions.md says: a condition for each query, and a radius
CREATE INDEX qs_filtered ON qs_items USING hnsw (v vector_l2_ops, tenant, id);
CREATE VIEW qs_among AS SELECT n, s.* FROM qs_queries CROSS JOIN LATERAL (SELECT id, v <-> q AS distance FROM qs_items
	WHERE tenant = n % 5 AND id < 1500 ORDER BY v <-> q LIMIT 10) AS s;
CREATE VIEW qs_within AS SELECT n, s.* FROM qs_queries LEFT JOIN LATERAL (SELECT id, v <-> q AS distance FROM qs_items
	WHERE v <<->> sphere(q, 1200) AND tenant = n % 5 ORDER BY v <-> q LIMIT 10) AS s ON true;
SELECT test.plan_of('TABLE qs_among');
SELECT test.plan_of('TABLE qs_within');
CREATE TABLE qs_found AS SELECT 'among' AS kind, * FROM qs_among UNION ALL SELECT 'within', * FROM qs_within;
RESET enable_seqscan;
RESET enable_sort;
SET enable_indexscan = off;
CREATE TABLE qs_right AS SELECT 'among' AS kind, * FROM qs_among UNION ALL SELECT 'within', * FROM qs_within;
RESET enable_indexscan;
SELECT kind, count(DISTINCT n) AS queries, count(id), (SELECT count(*) FROM (SELECT n, id FROM qs_found AS f WHERE f.kind = r.kind
	INTERSECT SELECT n, id FROM qs_right AS x WHERE x.kind = r.kind) AS s) >= 0.97 * count(*) AS found
FROM qs_right AS r GROUP BY kind ORDER BY kind;
DROP VIEW qs_among, qs_within;
DROP TABLE qs_found, qs_right;
DROP INDEX qs_filtered;

-- other types
CREATE TABLE qs_types AS SELECT id, v::halfvec(16) AS h, v::sq8vec(16) AS q, v::sparsevec(16) AS s,
	nanovec_lsh(v, 64)::bit(64) AS b FROM qs_items WHERE id BETWEEN 1 AND 500;
CREATE INDEX qs_h ON qs_types USING ivf (h halfvec_ip_ops);
CREATE INDEX qs_q ON qs_types USING hnsw (q sq8vec_l2_ops);
CREATE INDEX qs_s ON qs_types USING hnsw (s sparsevec_l1_ops);
CREATE INDEX qs_b ON qs_types USING hnsw (b bit_jaccard_ops);
CREATE INDEX qs_p ON qs_types USING hnsw ((h::vector(16)) vector_l2_ops) WHERE id > 250;
SELECT count(*) FROM nanovec_search('qs_h', ARRAY(SELECT h FROM qs_types LIMIT 10), 10, 0);
SELECT sum(distance) FROM nanovec_search('qs_q', ARRAY(SELECT q FROM qs_types), 1);
SELECT sum(distance) FROM nanovec_search('qs_s', ARRAY(SELECT s FROM qs_types), 1);
SELECT sum(distance) FROM nanovec_search('qs_b', ARRAY(SELECT b FROM qs_types), 1);
SELECT min(id) > 250 AS part FROM nanovec_search('qs_p', ARRAY(SELECT h::vector FROM qs_types), 1)
	JOIN qs_types ON ctid = tid;

-- mistakes
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec_search('qs_items', '{}'::vector[], 1)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::halfvec[], 1)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}', 1)$$,
	$$SELECT nanovec_search('qs_hnsw', '[1,2]'::vector, 1)$$,
	$$SELECT nanovec_search('qs_hnsw', ARRAY['[1,2]']::vector[], 1)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::vector[], 0)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::vector[], -1)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::vector[], 1000001)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::vector[], 1000000)$$,
	$$SELECT nanovec_search('qs_hnsw', '{}'::vector[], 1, 'NaN')$$]);
-- the error is clear also after some searches
SELECT test.error_of($$SELECT nanovec_search('qs_hnsw', array_append(ARRAY(SELECT q FROM qs_queries),
	'[1,2]'), 1)$$);

-- it is for those who may read the whole table, and all of its rows
CREATE ROLE regress_nv_reader;
CREATE ROLE regress_nv_column;
GRANT SELECT ON qs_items, qs_queries TO regress_nv_reader;
GRANT SELECT (v) ON qs_items TO regress_nv_column;
GRANT SELECT ON qs_queries TO regress_nv_column;
SET ROLE regress_nv_column;
SELECT test.error_of($$SELECT nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 1)$$);
SET ROLE regress_nv_reader;
SELECT count(*) FROM nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 1);
RESET ROLE;
ALTER TABLE qs_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY qs_policy ON qs_items USING (tenant = 1);
SET ROLE regress_nv_reader;
SELECT test.full_error_of($$SELECT nanovec_search('qs_hnsw', ARRAY(SELECT q FROM qs_queries), 1)$$);
-- the way that the hint says
SELECT count(*), count(DISTINCT tenant) AS tenants FROM qs_queries, LATERAL (SELECT tenant FROM qs_items
	ORDER BY v <-> q LIMIT 3) AS s;
RESET ROLE;

DROP TABLE qs_items, qs_queries, qs_few, qs_types;
DROP ROLE regress_nv_reader, regress_nv_column;
