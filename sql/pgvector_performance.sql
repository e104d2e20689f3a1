--
-- As users of pgvector do it: loading, indexes of tables in use, plans,
-- vacuum, and what can be watched
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- settings are ordinary settings
SELECT current_setting('shared_buffers') <> '', current_setting('config_file') <> '';

-- bulk loading, the index after
CREATE TABLE pe_items (id int, v vector(3));
COPY (SELECT i, ARRAY[i % 50, i / 50, 1]::vector(3) FROM generate_series(0, 1999) AS i)
	TO PROGRAM 'cat > pe_items.copy' (FORMAT binary);
COPY pe_items FROM PROGRAM 'cat pe_items.copy && rm pe_items.copy' (FORMAT binary, FREEZE false);
SELECT count(*) FROM pe_items;
ALTER TABLE pe_items ADD PRIMARY KEY (id);
CREATE INDEX CONCURRENTLY pe_hnsw ON pe_items USING hnsw (v vector_l2_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS pe_hnsw ON pe_items USING hnsw (v vector_l2_ops);
ANALYZE pe_items;

-- EXPLAIN ANALYZE: an index returns what is asked for, an exact search sorts all rows
CREATE FUNCTION pg_temp.explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		-- whole rows from PostgreSQL 18 on, which also counts searches of an index
		IF line !~ 'Index Searches|Sort Method|Memory' THEN
			RETURN NEXT regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1');
		END IF;
	END LOOP;
END $$;
SET enable_seqscan = off;
SELECT pg_temp.explain('SELECT * FROM pe_items ORDER BY v <-> ''[20.2,11.1,1]'' LIMIT 5');
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SELECT pg_temp.explain('SELECT * FROM pe_items ORDER BY v <-> ''[20.2,11.1,1]'' LIMIT 5');
COMMIT;

-- recall: what an approximate search finds of an exact one
CREATE FUNCTION pg_temp.nearest() RETURNS int[] LANGUAGE sql AS
	'SELECT array(SELECT id FROM pe_items ORDER BY v <-> ''[20.2,11.1,1]'' LIMIT 8)';
CREATE TEMP TABLE pe_found AS SELECT pg_temp.nearest() AS ids;
BEGIN;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SELECT count(*) FILTER (WHERE id = ANY (ids)), count(*) FROM pe_found,
	unnest(pg_temp.nearest()) AS id;
COMMIT;

-- more lists, fewer rows to look at
CREATE INDEX pe_ivfflat ON pe_items USING ivfflat (v vector_l2_ops) WITH (lists = 100);
DROP INDEX pe_hnsw;
SELECT id FROM pe_items ORDER BY v <-> '[20,11,1]' LIMIT 1;
SELECT count(*) < 200 FROM (SELECT id FROM pe_items ORDER BY v <-> '[20,11,1]' LIMIT 2000) AS s;
DROP INDEX pe_ivfflat;

-- vacuum, after a new index was made beside the old one
CREATE INDEX pe_hnsw ON pe_items USING hnsw (v vector_l2_ops);
DELETE FROM pe_items WHERE id % 50 BETWEEN 18 AND 22;
REINDEX INDEX CONCURRENTLY pe_hnsw;
VACUUM pe_items;
SELECT indexrelid::regclass, indisvalid,
	indisready FROM pg_index WHERE indrelid = 'pe_items'::regclass ORDER BY 1;
SELECT id FROM pe_items ORDER BY v <-> '[20.2,11.1,1]' LIMIT 3;
INSERT INTO pe_items VALUES (-1, '[30.2,11.1,1]');
SELECT id FROM pe_items ORDER BY v <-> '[30.2,11.1,1]' LIMIT 1;
VACUUM (FULL, ANALYZE) pe_items;
SELECT id FROM pe_items ORDER BY v <-> '[30.2,11.1,1]' LIMIT 1;
REINDEX TABLE CONCURRENTLY pe_items;
SELECT id FROM pe_items ORDER BY v <-> '[30.2,11.1,1]' LIMIT 1;

-- sizes, and how often an index is used
SELECT pg_relation_size('pe_hnsw') > 0, pg_size_pretty(pg_relation_size('pe_hnsw')) ~ '^\d+ [kM]B$',
	pg_table_size('pe_items') > 0, pg_indexes_size('pe_items') > pg_relation_size('pe_hnsw');
SELECT indexrelname FROM pg_stat_user_indexes WHERE relname = 'pe_items' ORDER BY 1;
SELECT count(*) FROM pg_stat_progress_create_index;
SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'pe_items'::regclass;

DROP TABLE pe_items;
