--
-- hnsw: many rows with one vector, in the middle of the others, hide none of these
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

CREATE TABLE htw_items (id int PRIMARY KEY, tenant int, v vector(24));

-- Vectors around a place, and the place itself.
CREATE FUNCTION pg_temp.row_of(middle float8, i int) RETURNS vector LANGUAGE sql AS $$
SELECT array_agg(middle + (.2 + (test.noise(i, 0) & 65535) / 65536.0)
	* ((test.noise(i, j) & 65535) / 65536.0 - .5) ORDER BY j)::vector
FROM generate_series(1, 24) AS j
$$;
CREATE FUNCTION pg_temp.fill(middle float8, first int, last int) RETURNS void LANGUAGE sql AS $$
INSERT INTO htw_items SELECT i, i % 50, pg_temp.row_of(middle, i) FROM generate_series(first, last) AS i
$$;
CREATE FUNCTION pg_temp.fill_twins(middle float8, n int) RETURNS void LANGUAGE sql AS $$
INSERT INTO htw_items SELECT 100000 + i, i % 50, array_fill(middle, ARRAY[24])::vector
FROM generate_series(1, n) AS i
$$;

-- Which part of the ten nearest the index finds, for each of 60 queries.
CREATE FUNCTION pg_temp.recall(middle float8, operator text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM htw_items
		ORDER BY v %1$s $1 LIMIT 10) AS s', operator);
	exact float8[];
	near float8[];
	q vector;
	n int := 0;
BEGIN
	FOR q IN SELECT pg_temp.row_of(middle, 200000 + i) FROM generate_series(1, 60) AS i LOOP
		PERFORM set_config('enable_indexscan', 'off', true);
		PERFORM set_config('enable_seqscan', 'on', true);
		EXECUTE query INTO exact USING q;
		PERFORM set_config('enable_indexscan', 'on', true);
		PERFORM set_config('enable_seqscan', 'off', true);
		EXECUTE query INTO near USING q;
		n := n + (SELECT count(*) FROM unnest(near) AS d WHERE d <= exact[10]);
	END LOOP;
	RETURN CASE WHEN n >= 582 THEN 'recall >= .97' ELSE 'recall ' || round(n / 600.0, 3) END;
END $$;

-- The equal rows come last, into an index of the others; before half of the others; or are
-- there when it is built, also with a column that differs, so that each has a node of its own.
CREATE FUNCTION pg_temp.try(middle float8, operator text, class text, n int) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	created text := format('CREATE INDEX htw_index ON htw_items USING hnsw (v %s', class);
BEGIN
	PERFORM pg_temp.fill(middle, 1, 2000);
	EXECUTE created || ')';
	PERFORM pg_temp.fill_twins(middle, n);
	RETURN NEXT class || ', equal rows last: ' || pg_temp.recall(middle, operator);
	TRUNCATE htw_items;
	PERFORM pg_temp.fill_twins(middle, n);
	PERFORM pg_temp.fill(middle, 1, 2000);
	RETURN NEXT class || ', equal rows first: ' || pg_temp.recall(middle, operator);
	DROP INDEX htw_index;
	EXECUTE created || ', tenant)';
	RETURN NEXT class || ', built, with a column: ' || pg_temp.recall(middle, operator);
	RETURN QUERY SELECT problem FROM nanovec_index_check('htw_index');
	DROP INDEX htw_index;
	TRUNCATE htw_items;
END $$;

SELECT * FROM pg_temp.try(0, '<->', 'vector_l2_ops', 600);
SELECT * FROM pg_temp.try(1, '<=>', 'vector_cosine_ops', 600);

-- many that are equal, and a query for just these
SELECT pg_temp.fill_twins(0, 3000), pg_temp.fill(0, 1, 500);
CREATE INDEX htw_index ON htw_items USING hnsw (v vector_l2_ops);
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT v FROM htw_items
	ORDER BY v <-> array_fill(0, ARRAY[24])::vector LIMIT 10) AS s WHERE vector_norm(v) = 0;
-- which does not look at all of them
SELECT visited < 2000 FROM nanovec_last_scan();
DROP TABLE htw_items;
