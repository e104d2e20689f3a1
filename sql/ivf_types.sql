--
-- ivf and ivfflat: every operator class, on data of many kinds; with all lists
-- probed the answer is that of a sequential scan
--
\pset format unaligned
\pset tuples_only on
-- enable_seqscan = off makes what is not scanned by index look worth compiling
SET jit = off;
SET client_min_messages = warning;

-- The operator classes are what the methods expect them to be.
SELECT amname, opcintype::regtype, opcname, opcdefault, amvalidate(o.oid)
FROM pg_opclass AS o JOIN pg_am AS a ON a.oid = opcmethod
WHERE amname LIKE 'ivf%' ORDER BY amname, opcintype::regtype::text, opcname COLLATE "C";

-- Rows of a kind, n of them: element j of row i
CREATE FUNCTION pg_temp.element(kind text, i int, j int) RETURNS float4 IMMUTABLE LANGUAGE sql AS $$
	SELECT CASE kind
		WHEN 'random' THEN test.noise(i, j) / 500.0 - 1
		WHEN 'clusters' THEN test.noise(-1 - i % 9, j) / 100.0 + test.noise(i, j) / 1000.0 - 5
		WHEN 'duplicates' THEN test.noise(i % 5, j) / 500.0 - 1
		WHEN 'equal' THEN 1
		WHEN 'outlier' THEN CASE WHEN i = 7 THEN 30000 ELSE test.noise(i, j) / 500.0 - 1 END
		WHEN 'norms' THEN (test.noise(i, j) / 500.0 - 1) * 10 ^ (i % 7 - 3)
		WHEN 'grid' THEN test.noise(i, j) % 3
		WHEN 'line' THEN i * (j % 3 + 1) / 100.0
		WHEN 'near' THEN 1000 + test.noise(i, j) / 1000.0
		-- what tells rows apart is less than 8 bits hold
		WHEN 'spiky' THEN CASE WHEN j = 1 THEN (i % 2) * 1000 ELSE test.noise(i, j) / 1000.0 END
		-- squares of a third are less than floats can be, of another they are imprecise
		WHEN 'tiny' THEN (test.noise(i, j) / 500.0 - 1) *
			CASE i % 3 WHEN 0 THEN 1e-21 WHEN 1 THEN 3e-19 ELSE 1 END
	END
$$;
CREATE FUNCTION pg_temp.value_of(kind text, i int, dims int) RETURNS vector LANGUAGE sql AS $$
	SELECT array_agg(pg_temp.element(kind, i, j) ORDER BY j)::vector
	FROM generate_series(1, dims) AS j
$$;

CREATE TABLE it_classes (method text, type text, operator text, class text);
INSERT INTO it_classes SELECT amname, opcintype::regtype, oprname, opcname
FROM pg_opclass AS o JOIN pg_am AS a ON a.oid = opcmethod JOIN pg_amop ON amopfamily = opcfamily
	JOIN pg_operator AS p ON p.oid = amopopr
WHERE amname LIKE 'ivf%' AND amoppurpose = 'o';

-- What a query returns, by index and without
CREATE FUNCTION pg_temp.answer(by_index boolean, query text) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	answer float8[];
BEGIN
	PERFORM set_config('enable_indexscan', by_index::text, true),
		set_config('enable_seqscan', (NOT by_index)::text, true),
		set_config('enable_sort', (NOT by_index)::text, true);
	EXECUTE query INTO answer;
	RETURN answer;
END $$;

-- Compare all answers for a kind of data, a number of dimensions and a class;
-- returns how many queries were asked, or what went wrong.
CREATE FUNCTION pg_temp.compare(kind text, dims int, rows int, c it_classes) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	coltype text := CASE WHEN c.type = 'bit' THEN 'bit' ELSE c.type END || format('(%s)', dims);
	make text := CASE WHEN c.type = 'bit' THEN 'binary_quantize(%s)' ELSE '%s' END;
	query text; by_index float8[]; by_table float8[]; asked int := 0;
	lim int;
BEGIN
	EXECUTE format('CREATE TABLE it_items (id int, v %s)', coltype);
	EXECUTE format('INSERT INTO it_items SELECT i, %s FROM generate_series(1, $2) AS i',
		format(make, 'pg_temp.value_of($1, i, $3)')) USING kind, rows * 2 / 3, dims;
	EXECUTE format('CREATE INDEX it_idx ON it_items USING %s (v %s) WITH (lists = %s)', c.method,
		c.class, 1 + rows / 40);
	-- some rows come later, and some are changed
	EXECUTE format('INSERT INTO it_items SELECT i, %s FROM generate_series($2 * 2 / 3 + 1, $2) AS i',
		format(make, 'pg_temp.value_of($1, i, $3)')) USING kind, rows, dims;
	DELETE FROM it_items WHERE id % 13 = 4;
	UPDATE it_items SET id = id + 10000 WHERE id % 17 = 3;
	FOR origin IN 1..12 LOOP
		FOREACH lim IN ARRAY ARRAY[1, 3, 10, rows * 2] LOOP
			query := format('SELECT array_agg(d) FROM (SELECT v %s (SELECT %s) AS d FROM it_items
				%s ORDER BY 1 LIMIT %s) AS s', c.operator,
				format(make, format('pg_temp.value_of(%L, %s, %s)', kind, origin * 7, dims)),
				-- as the index, which has no rows without a distance
				CASE WHEN c.operator = '<=>' THEN 'WHERE vector_norm(v::text::vector) > 0' END, lim);
			by_index := pg_temp.answer(true, query);
			by_table := pg_temp.answer(false, query);
			IF by_index IS DISTINCT FROM by_table THEN
				RETURN format('%s %s, limit %s: %s rows instead of %s, first %s instead of %s', kind,
					origin, lim, cardinality(by_index), cardinality(by_table), by_index[:3],
					by_table[:3]);
			END IF;
			asked := asked + 1;
		END LOOP;
	END LOOP;
	IF EXISTS (SELECT FROM nanovec_index_check('it_idx')) THEN
		RETURN (SELECT string_agg(problem, '; ') FROM nanovec_index_check('it_idx'));
	END IF;
	DROP TABLE it_items;
	RETURN asked;
END $$;
SET ivf.probes = 32768;
SET ivfflat.probes = 32768;
SELECT c.method, c.type, c.operator, string_agg(DISTINCT answer, ' ') AS answers
FROM it_classes AS c, unnest(ARRAY['random', 'clusters', 'duplicates', 'equal', 'outlier', 'norms',
	'grid', 'line', 'near', 'spiky', 'tiny']) AS kind,
	(VALUES (3, 200), (40, 100), (50, 2000)) AS size (dims, rows),
	pg_temp.compare(kind, dims, rows, c) AS answer
-- many rows for what is hard
WHERE rows < 1000 OR kind = 'spiky' AND type = 'vector'
GROUP BY c.method, c.type, c.operator ORDER BY c.method, c.type, c.operator COLLATE "C";
RESET ivf.probes;
RESET ivfflat.probes;

-- With defaults, most of the nearest are found; vectors of many sizes, those
-- longer than a page included
CREATE FUNCTION pg_temp.recall(operator text, filter text DEFAULT 'true') RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
	query text := 'SELECT array_agg(d) FROM (SELECT v %s (SELECT v FROM it_items WHERE id = %s) AS d
		FROM it_items WHERE %s ORDER BY 1 LIMIT 10) AS s';
	by_index float8[]; by_table float8[]; hits float8 := 0; n int := 0;
BEGIN
	FOR origin IN 1..20 LOOP
		by_index := pg_temp.answer(true, format(query, operator, origin, filter));
		by_table := pg_temp.answer(false, format(query, operator, origin, filter));
		IF EXISTS (SELECT FROM unnest(by_index, by_index[2:]) AS u (a, b) WHERE a > b) THEN
			RAISE EXCEPTION 'not in order: %', by_index;
		END IF;
		n := n + cardinality(by_table);
		hits := hits + (SELECT count(*) FROM unnest(by_index) AS d
			WHERE d <= by_table[cardinality(by_table)]);
	END LOOP;
	RETURN hits / n;
END $$;
CREATE FUNCTION pg_temp.try_size(dims int, rows int, method text, options text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	found float8; filtered float8; problems int;
BEGIN
	EXECUTE format('CREATE TABLE it_items (id int, v vector(%s))', dims);
	INSERT INTO it_items SELECT i, pg_temp.value_of('clusters', i, dims)
	FROM generate_series(1, rows) AS i;
	EXECUTE format('CREATE INDEX it_idx ON it_items USING %s (v vector_l2_ops) %s', method, options);
	found := pg_temp.recall('<->');
	filtered := pg_temp.recall('<->', 'id % 20 = 3');
	-- dead rows in the middle of groups, and room for others there
	DELETE FROM it_items WHERE id % 3 = 0;
	EXECUTE 'INSERT INTO it_items SELECT id + $1, v FROM it_items WHERE id % 5 = 0' USING rows;
	problems := count(*) FROM nanovec_index_check('it_idx');
	DROP TABLE it_items;
	RETURN format('%s %s', CASE WHEN found >= 0.95 THEN 'good' ELSE found::text END,
		CASE WHEN filtered >= 0.95 OR method = 'ivfflat' THEN 'good' ELSE filtered::text END)
		|| CASE WHEN problems > 0 THEN ' problems' ELSE '' END;
END $$;
SELECT dims, rows, method, pg_temp.try_size(dims, rows, method, options)
FROM (VALUES (16, 3000, 'ivf', ''), (16, 3000, 'ivf', 'WITH (quantizer = none)'),
	(16, 3000, 'ivfflat', 'WITH (lists = 3)'), (100, 1000, 'ivf', ''),
	(1100, 200, 'ivf', 'WITH (lists = 8)'), (9000, 80, 'ivf', 'WITH (lists = 4)'),
	(2500, 80, 'ivfflat', 'WITH (lists = 2)')) AS s (dims, rows, method, options);
DROP TABLE it_classes CASCADE;
