--
-- ivf: the same recall on any data, however the rows came in; sizes
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- A row of data of some kind; numbers that look like random ones.
CREATE FUNCTION pg_temp.x(i int, j int) RETURNS float8 IMMUTABLE LANGUAGE sql AS
$$ SELECT (test.noise(i, j) & 65535) / 65536.0 $$;
CREATE FUNCTION pg_temp.row_of(kind text, i int) RETURNS vector LANGUAGE sql AS $$
SELECT array_agg(CASE kind
	WHEN 'offset' THEN 100 + pg_temp.x(i, j)
	WHEN 'elsewhere' THEN 50 - pg_temp.x(i, j)
	WHEN 'clusters' THEN pg_temp.x(i % 20, j) + pg_temp.x(i, j) / 100
	WHEN 'norms' THEN (pg_temp.x(i, j) - .5) * 10 ^ (6 * pg_temp.x(i, 0))
	WHEN 'town' THEN 48.85 + j + pg_temp.x(i, j) / 10 END ORDER BY j)::vector
FROM generate_series(1, CASE WHEN kind = 'town' THEN 2 ELSE 64 END) AS j
$$;

-- Rows of those that an exact search finds, of ten for each of some queries, and how many it finds
-- with all lists.
CREATE FUNCTION pg_temp.found(kind text, operator text, method text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT array_agg(d) FROM (SELECT v %1$s $1 AS d FROM ir_items
		ORDER BY v %1$s $1 LIMIT 10) AS s', operator);
	exact float8[];
	near float8[];
	whole float8[];
	q vector;
	nsome int := 0;
	nevery int := 0;
BEGIN
	FOR q IN SELECT pg_temp.row_of(kind, 100000 + i) FROM generate_series(1, 50) AS i LOOP
		PERFORM set_config('enable_indexscan', 'off', true);
		PERFORM set_config('enable_seqscan', 'on', true);
		EXECUTE query INTO exact USING q;
		PERFORM set_config('enable_indexscan', 'on', true);
		PERFORM set_config('enable_seqscan', 'off', true);
		PERFORM set_config(method || '.probes', '32768', true);
		EXECUTE query INTO whole USING q;
		PERFORM set_config(method || '.probes', CASE method WHEN 'ivf' THEN '0' ELSE '30' END, true);
		EXECUTE query INTO near USING q;
		nsome := nsome + (SELECT count(*) FROM unnest(near) AS d WHERE d <= exact[10]);
		nevery := nevery + (SELECT count(*) FROM unnest(whole) AS d WHERE d <= exact[10]);
	END LOOP;
	RETURN format('%s %s', CASE WHEN nsome >= 475 THEN 'recall >= .95' ELSE 'recall ' || round(nsome / 500.0, 2) END,
		CASE nevery WHEN 500 THEN 'exact' ELSE nevery::text END);
END $$;

CREATE FUNCTION pg_temp.fill(kind text, first int, last int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ir_items SELECT i, pg_temp.row_of(kind, i) FROM generate_series(first, last) AS i;
END $$;

-- An index on the rows, and one made before there are any.
CREATE FUNCTION pg_temp.try(kind text, operator text, class text, method text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	make text := format('CREATE INDEX ir_idx ON ir_items USING %s (v vector_%s_ops) WITH (lists = 40)', method, class);
	built text; inserted text;
BEGIN
	EXECUTE format('CREATE TABLE ir_items (id int, v vector(%s))',
		vector_dims(pg_temp.row_of(kind, 1)));
	PERFORM pg_temp.fill(kind, 1, 2000);
	EXECUTE make;
	built := pg_temp.found(kind, operator, method);
	DROP INDEX ir_idx;
	TRUNCATE ir_items;
	EXECUTE make;
	PERFORM pg_temp.fill(kind, 1, 2000);
	inserted := pg_temp.found(kind, operator, method);
	RETURN format('built %s; inserted %s; problems %s', built, inserted,
		(SELECT count(*) FROM nanovec_index_check('ir_idx')));
END $$;
SELECT 'offset l2 ivf', pg_temp.try('offset', '<->', 'l2', 'ivf');
DROP TABLE ir_items;
SELECT 'offset ip ivf', pg_temp.try('offset', '<#>', 'ip', 'ivf');
DROP TABLE ir_items;
SELECT 'offset ip ivfflat', pg_temp.try('offset', '<#>', 'ip', 'ivfflat');
DROP TABLE ir_items;
SELECT 'clusters l2 ivf', pg_temp.try('clusters', '<->', 'l2', 'ivf');
DROP TABLE ir_items;
SELECT 'clusters cosine ivf', pg_temp.try('clusters', '<=>', 'cosine', 'ivf');
DROP TABLE ir_items;
SELECT 'norms l2 ivf', pg_temp.try('norms', '<->', 'l2', 'ivf');
DROP TABLE ir_items;
SELECT 'norms ip ivf', pg_temp.try('norms', '<#>', 'ip', 'ivf');
DROP TABLE ir_items;
SELECT 'norms ip ivfflat', pg_temp.try('norms', '<#>', 'ip', 'ivfflat');
DROP TABLE ir_items;
SELECT 'town l2 ivf', pg_temp.try('town', '<->', 'l2', 'ivf');
DROP TABLE ir_items;

-- all rows replaced by others from far away
CREATE TABLE ir_items (id int, v vector(64));
SELECT pg_temp.fill('elsewhere', 1, 2000);
CREATE INDEX ir_idx ON ir_items USING ivf (v vector_l2_ops) WITH (lists = 40);
CREATE INDEX ir_flat ON ir_items USING ivfflat (v vector_ip_ops) WITH (lists = 40);
DELETE FROM ir_items;
VACUUM ir_items;
SELECT pg_temp.fill('clusters', 1, 2000);
SELECT pg_temp.found('clusters', '<->', 'ivf'),
	pg_temp.found('clusters', '<#>', 'ivfflat');
SELECT property, value FROM nanovec_index_info('ir_idx')
WHERE property IN ('lists to come', 'advice');
SELECT count(*) FROM nanovec_index_check('ir_idx');
SELECT count(*) FROM nanovec_index_check('ir_flat');
DROP TABLE ir_items;

-- vectors of one length have the same lists by the inner product as by the cosine
CREATE TABLE ir_ip AS SELECT i AS id, (ARRAY(
	SELECT pg_temp.x(i, j) - .0076 + (pg_temp.x(i % 60, j) - .0076) * (i % 3) FROM generate_series(1, 64) AS j))::vector AS v
FROM generate_series(1, 2000) AS i;
ALTER TABLE ir_ip ALTER v TYPE vector(64) USING l2_normalize(v);
CREATE TABLE ir_cosine AS TABLE ir_ip;
ALTER TABLE ir_cosine ALTER v TYPE vector(64);
CREATE INDEX ON ir_ip USING ivfflat (v vector_ip_ops) WITH (lists = 40);
CREATE INDEX ON ir_cosine USING ivfflat (v vector_cosine_ops) WITH (lists = 40);
SET enable_seqscan = off;
SET enable_sort = off;
SELECT sum((SELECT count(*) FROM (SELECT id FROM ir_ip ORDER BY v <#> q.v LIMIT 10) AS a
	JOIN (SELECT id FROM ir_cosine ORDER BY v <=> q.v LIMIT 10) AS b USING (id))) >= 490
FROM ir_ip AS q WHERE q.id % 40 = 7;
RESET enable_seqscan;
RESET enable_sort;
DROP TABLE ir_ip, ir_cosine;

-- bytes of a row: no more than pgvector takes, where it has them (lists = 100)
CREATE TABLE ir_items (id int, v vector(3));
INSERT INTO ir_items SELECT i, ARRAY[pg_temp.x(i, 1), pg_temp.x(i, 2), pg_temp.x(i, 3)]::vector
FROM generate_series(1, 20000) AS i;
CREATE INDEX ir_flat ON ir_items USING ivfflat (v vector_l2_ops);
CREATE INDEX ir_idx ON ir_items USING ivf (v vector_l2_ops);
CREATE INDEX ir_half ON ir_items USING ivfflat ((v::halfvec(3)) halfvec_cosine_ops);
SELECT i, pg_relation_size(i::regclass) / 20000 <= most, c.n
FROM (VALUES ('ir_flat', 45), ('ir_idx', 40), ('ir_half', 45)) AS s (i, most),
	LATERAL (SELECT count(*) AS n FROM nanovec_index_check(i::regclass)) AS c;
DROP TABLE ir_items;
