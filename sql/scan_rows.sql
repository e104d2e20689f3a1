--
-- What a scan returns beside vectors and distances: the places of rows, which locks and
-- changes of these rows need
--
\pset format unaligned
SET client_min_messages = warning;
CREATE TABLE sr_items (id int PRIMARY KEY, v vector(40), part int);
INSERT INTO sr_items SELECT i, (SELECT array_agg(test.noise(i, j) ORDER BY j)::vector
	FROM generate_series(1, 40) AS j), i % 2 FROM generate_series(1, 500) AS i;
CREATE TABLE sr_queries AS SELECT i AS n, (SELECT array_agg(test.noise(i, j + 50) ORDER BY j)::vector
	FROM generate_series(1, 40) AS j) AS q FROM generate_series(1, 10) AS i;
SET enable_seqscan = off;
SET enable_sort = off;

-- as many queries as give the places, and the order, that a sort gives
CREATE FUNCTION pg_temp.places(op text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text;
	row record;
	found tid[];
	nearest tid[];
	good int := 0;
BEGIN
	FOR row IN SELECT q FROM sr_queries LOOP
		query := format('SELECT ctid AS tid FROM sr_items WHERE part = 1 ORDER BY v %s %L LIMIT 7', op, row.q);
		IF NOT test.uses_index(query) THEN
			RETURN 'no index';
		END IF;
		EXECUTE format('SELECT array_agg(tid) FROM (%s) AS s', query) INTO found;
		EXECUTE format('SELECT array_agg(tid) FROM (SELECT ctid AS tid FROM sr_items WHERE part = 1
			ORDER BY (v %s %L) + 0 LIMIT 7) AS s', op, row.q) INTO nearest;
		good := good + (found = nearest)::int;
	END LOOP;
	RETURN good;
END $$;
-- lock the nearest rows, and change and delete what a cursor is at
CREATE FUNCTION pg_temp.change(op text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT id FROM sr_items WHERE part = 1 ORDER BY v %s %L', op,
		(SELECT q FROM sr_queries WHERE n = 1));
	locked int[];
	rows refcursor;
	row record;
	right_ones text;
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM (%s LIMIT 3 FOR UPDATE) AS s', query) INTO locked;
	OPEN rows NO SCROLL FOR EXECUTE query;
	FETCH rows INTO row;
	UPDATE sr_items SET part = 2 WHERE CURRENT OF rows;
	FETCH rows INTO row;
	DELETE FROM sr_items WHERE CURRENT OF rows;
	FETCH rows INTO row;
	CLOSE rows;
	RAISE EXCEPTION 'undo' USING DETAIL = (locked[1] = (SELECT id FROM sr_items WHERE part = 2)
		AND locked[2] NOT IN (SELECT id FROM sr_items) AND locked[3] = row.id)::text;
EXCEPTION WHEN raise_exception THEN
	GET STACKED DIAGNOSTICS right_ones = PG_EXCEPTION_DETAIL;
	RETURN right_ones;
END $$;
CREATE FUNCTION pg_temp.try(method text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	row record;
BEGIN
	FOR row IN SELECT * FROM unnest('{l2,ip,cosine}'::text[], '{<->,<#>,<=>}'::text[]) AS t (metric, op) LOOP
		EXECUTE format('CREATE INDEX sr_items_v ON sr_items USING %s (v vector_%s_ops, part)', method, row.metric);
		RETURN NEXT format('%s %s places %s, changed %s', method, row.op, pg_temp.places(row.op), pg_temp.change(row.op));
		DROP INDEX sr_items_v;
	END LOOP;
END $$;
SET hnsw.ef_search = 200;
SET ivf.probes = 1000;
SET ivfflat.probes = 1000;
SELECT pg_temp.try(method) FROM unnest('{hnsw,ivf,ivfflat}'::text[]) AS method;

-- two orders: the executor puts them in order; distances that are all NaN; the same query again
CREATE INDEX sr_items_v ON sr_items USING hnsw (v vector_cosine_ops);
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM sr_items, sr_queries WHERE n = 1
	ORDER BY (v <=> q) + 0, id LIMIT 5) AS s) AS same FROM (SELECT id FROM sr_items
	ORDER BY v <=> (SELECT q FROM sr_queries WHERE n = 1), v <=> (SELECT q FROM sr_queries WHERE n = 2) LIMIT 5) AS s;
SELECT count(DISTINCT id) FROM (SELECT id FROM sr_items ORDER BY v <=> array_fill(0, ARRAY[40])::vector LIMIT 30) AS s;
SELECT count(*), count(DISTINCT id) FROM sr_queries, LATERAL (SELECT id FROM sr_items WHERE id % 3 = n % 3
	ORDER BY v <=> q LIMIT 4) AS s;
-- rows that the scan's snapshot does not see, or no longer
BEGIN;
DECLARE rows CURSOR FOR SELECT id FROM sr_items ORDER BY v <=> (SELECT q FROM sr_queries WHERE n = 1) LIMIT 30;
FETCH 1 FROM rows;
SAVEPOINT before;
INSERT INTO sr_items SELECT 1000 + n, q, 1 FROM sr_queries;
UPDATE sr_items SET part = part + 1 WHERE id <= 500;
DELETE FROM sr_items WHERE id % 2 = 0;
MOVE 14 FROM rows;
ROLLBACK TO before;
MOVE 14 FROM rows;
FETCH 1 FROM rows;
COMMIT;
SELECT id FROM sr_items ORDER BY (v <=> (SELECT q FROM sr_queries WHERE n = 1)) + 0 OFFSET 29 LIMIT 1;
DROP TABLE sr_items, sr_queries;
