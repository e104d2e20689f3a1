--
-- hnsw: every operator class, against an exact search, before and after changes
--
\pset format unaligned
\pset tuples_only on
-- enable_seqscan = off makes what is not scanned by index look worth compiling
SET jit = off;

-- The operator classes are what the method expects them to be.
SELECT opcintype::regtype, opcname, opcdefault, amvalidate(o.oid)
FROM pg_opclass AS o JOIN pg_am AS a ON a.oid = opcmethod
WHERE amname = 'hnsw' ORDER BY opcintype::regtype::text, opcname COLLATE "C";

-- Rows in clusters, as real data is: a graph that is not held together between
-- them finds nothing in most.
CREATE TABLE ht_items (id int PRIMARY KEY, v vector(24), h halfvec(24), q sq8vec(24), b bit(80),
	s sparsevec(300));
CREATE FUNCTION pg_temp.add_items(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO ht_items
	SELECT id, v, v::halfvec, v::sq8vec, b, s::sparsevec
	FROM generate_series(first, last) AS id,
		LATERAL (SELECT array_agg(test.noise(-1 - id % 17, j) / 250.0
			+ test.noise(id, j) / 500.0 - 3 ORDER BY j)::vector AS v
			FROM generate_series(1, 24) AS j) AS dense,
		LATERAL (SELECT string_agg(((test.noise(-1 - id % 17, j) < 500)
			<> (test.noise(id, j) < 150))::int::text, '' ORDER BY j)::bit(80) AS b
			FROM generate_series(1, 80) AS j) AS bits,
		LATERAL (SELECT format('{%s}/300', string_agg(format('%s:%s',
			j * 12 + (test.noise(-1 - id % 17, j) + test.noise(id, j) / 400) % 12 + 1,
			(test.noise(id, j + 50) - 300) / 500.0 + 0.001), ',' ORDER BY j)) AS s
			FROM generate_series(0, 23) AS j) AS sparse
$$;

-- Which part of the 10 nearest does the index find, for some queries?  Rows as
-- near as the tenth count, whichever they are.
CREATE FUNCTION pg_temp.recall(col text, operator text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT %1$I %2$s (SELECT %1$I FROM ht_queries WHERE id = $1) AS d
		FROM ht_items ORDER BY 1 LIMIT 10', col, operator);
	origin int; found float8[]; nearest float8[]; hits float8 := 0; n int := 0;
BEGIN
	FOR origin IN SELECT id FROM ht_queries LOOP
		PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'on', true);
		EXECUTE format('SELECT array_agg(d ORDER BY d) FROM (%s) AS s', query) INTO nearest USING origin;
		PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'off', true);
		EXECUTE format('SELECT array_agg(d) FROM (%s) AS s', query) INTO found USING origin;
		-- within what rounding to float can do
		IF EXISTS (SELECT FROM unnest(found, found[2:]) AS u (a, b) WHERE a > b + 1e-6 * abs(b)) THEN
			RAISE EXCEPTION 'not in order: %', found;
		END IF;
		hits := hits + (SELECT count(*) FROM unnest(found) AS d WHERE d <= nearest[10] + 1e-9);
		n := n + 10;
	END LOOP;
	RETURN hits / n;
END $$;

CREATE TABLE ht_classes (n serial, col text, operator text, class text);
INSERT INTO ht_classes (col, operator, class) VALUES
	('v', '<->', 'vector_l2_ops'), ('v', '<#>', 'vector_ip_ops'),
	('v', '<=>', 'vector_cosine_ops'), ('v', '<+>', 'vector_l1_ops'),
	('h', '<->', 'halfvec_l2_ops'), ('h', '<#>', 'halfvec_ip_ops'),
	('h', '<=>', 'halfvec_cosine_ops'), ('h', '<+>', 'halfvec_l1_ops'),
	('q', '<->', 'sq8vec_l2_ops'), ('q', '<#>', 'sq8vec_ip_ops'),
	('q', '<=>', 'sq8vec_cosine_ops'),
	('b', '<~>', 'bit_hamming_ops'), ('b', '<%>', 'bit_jaccard_ops'),
	('s', '<->', 'sparsevec_l2_ops'), ('s', '<#>', 'sparsevec_ip_ops'),
	('s', '<=>', 'sparsevec_cosine_ops'), ('s', '<+>', 'sparsevec_l1_ops');
CREATE FUNCTION pg_temp.report(OUT class text, OUT plan text, OUT recall text, OUT sound boolean)
	RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	c record; line text; part float8;
BEGIN
	FOR c IN SELECT * FROM ht_classes ORDER BY n LOOP
		class := c.class;
		part := pg_temp.recall(c.col, c.operator);
		recall := CASE WHEN part >= 0.95 THEN 'good' ELSE part::text END;
		-- settings are still those of the search by index
		plan := NULL;
		FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM ht_items
			ORDER BY %1$I %2$s (SELECT %1$I FROM ht_queries LIMIT 1) LIMIT 10', c.col, c.operator) LOOP
			plan := coalesce(plan, substring(line FROM 'Index Scan using ht_.*'));
		END LOOP;
		EXECUTE format('SELECT count(*) = 0 FROM nanovec_index_check(%L)', 'ht_' || c.class) INTO sound;
		RETURN NEXT;
	END LOOP;
END $$;

-- Half of the queries are rows of the table, half are not.
SELECT pg_temp.add_items(9001, 9006);
CREATE TABLE ht_queries AS SELECT * FROM ht_items;
TRUNCATE ht_items;
SELECT pg_temp.add_items(1, 1000);
INSERT INTO ht_queries SELECT * FROM ht_items WHERE id % 200 = 7;
ALTER TABLE ht_queries ADD PRIMARY KEY (id);
INSERT INTO ht_items (id) VALUES (0), (-1);

-- built
SELECT format('CREATE INDEX ht_%s ON ht_items USING hnsw (%I %1$s)', class, col)
FROM ht_classes ORDER BY n \gexec
SELECT * FROM pg_temp.report();
SELECT class, count(value) FILTER (WHERE property = 'rows' AND value = '1000') AS rows,
	count(value) FILTER (WHERE property = 'type' AND value LIKE split_part(class, '_', 1) || '(%') AS types
FROM ht_classes, nanovec_index_info(('ht_' || class)::regclass) GROUP BY n, class ORDER BY n;

-- with rows that came later, some in new clusters
SELECT pg_temp.add_items(1001, 1250);
SELECT * FROM pg_temp.report();

-- without some of either, and the places of those taken by others
DELETE FROM ht_items WHERE id % 3 = 0 OR id % 17 = 5;
VACUUM ht_items;
SELECT * FROM pg_temp.report();
SELECT pg_temp.add_items(2001, 2200);
SELECT * FROM pg_temp.report();

-- emptied
DELETE FROM ht_items;
VACUUM ht_items;
SELECT class, sound FROM pg_temp.report();
SELECT pg_temp.add_items(1, 50);
SELECT * FROM pg_temp.report();

DROP TABLE ht_items, ht_queries, ht_classes;

-- A domain has the dimensions of its type, also of arrays; one without any has none.
CREATE DOMAIN ht_embedding AS vector(3);
CREATE DOMAIN ht_any AS vector;
CREATE DOMAIN ht_parts AS vector(3)[] CHECK (cardinality(VALUE) > 0);
CREATE TABLE ht_domains (v ht_embedding, w ht_any, parts ht_parts);
INSERT INTO ht_domains SELECT v, v, ARRAY[v] FROM
	(SELECT ARRAY[i, i % 3, 1]::vector AS v FROM generate_series(1, 20) AS i) AS s;
CREATE INDEX ON ht_domains USING hnsw (v vector_l2_ops);
CREATE INDEX ON ht_domains USING ivf (v vector_l2_ops);
CREATE INDEX ON ht_domains USING hnsw (parts vector_maxsim_ops);
SELECT test.full_error_of('CREATE INDEX ON ht_domains USING hnsw (w vector_l2_ops)');
SET enable_seqscan = off;
SELECT v FROM ht_domains ORDER BY v <-> '[3,0,1]' LIMIT 2;
SELECT parts FROM ht_domains ORDER BY parts @# '{"[1,0,0]"}' LIMIT 1;
RESET enable_seqscan;
-- who names the table instead of the index
SELECT test.full_error_of('SELECT nanovec_index_recall(''ht_domains'')');
DROP TABLE ht_domains;
DROP DOMAIN ht_embedding, ht_any, ht_parts;
