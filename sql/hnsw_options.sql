--
-- hnsw: index options, limits, settings, inspection functions, permissions
--
\pset format unaligned
\pset tuples_only on
SET jit = off;

CREATE TABLE ho_items (id int, v vector(3), h halfvec(3), q sq8vec(3), b bit(3), s sparsevec(3),
	free vector, loose halfvec, varying bit varying);
INSERT INTO ho_items SELECT i, v, v, v, binary_quantize(v), v, v, v
FROM generate_series(1, 200) AS i, LATERAL (SELECT format('[%s,%s,%s]', i % 7 - 3, i % 11 - 5,
	i % 13 - 6.5)::vector(3) AS v) AS l;

-- options
SELECT format('%-40s ', o) || test.full_error_of(format('CREATE INDEX ON ho_items USING hnsw
	(v vector_l2_ops) WITH (%s)', o))
FROM unnest(ARRAY['m=2', 'm=100,ef_construction=200', 'm=1', 'm=101', 'm=-1', 'm=''x''',
	'ef_construction=4,m=2', 'ef_construction=1000', 'ef_construction=3', 'ef_construction=1001',
	'm=16,ef_construction=32', 'm=16,ef_construction=31', 'm=100', 'ef_construction=30',
	'storage=auto', 'storage=float4', 'storage=float2', 'storage=sq8', 'storage=FLOAT4',
	'storage=float8', 'storage=''''', 'storage=bits', 'fillfactor=70', 'lists=10'])
WITH ORDINALITY AS u (o, n) ORDER BY n;
SELECT format('%-20s ', c) || test.full_error_of(format('CREATE INDEX ON ho_items USING hnsw
	(%s) WITH (storage = %s)', c, o))
FROM unnest(ARRAY['b bit_hamming_ops', 's sparsevec_l2_ops', 'q sq8vec_l2_ops']) WITH ORDINALITY AS u (c, n),
	unnest(ARRAY['auto', 'float4']) AS o ORDER BY n, o;

-- options are checked again when they are changed, and when the index is rebuilt
CREATE INDEX ho_altered ON ho_items USING hnsw (v vector_l2_ops);
SELECT format('%-30s ', c) || test.full_error_of('ALTER INDEX ho_altered ' || c)
FROM unnest(ARRAY['SET (m = 101)', 'SET (storage = x)', 'SET (m = 50)', 'RESET (m)',
	'SET (m = 8, storage = float4)']) WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT string_agg(value, ' ' ORDER BY property) FROM nanovec_index_info('ho_altered')
WHERE property IN ('m', 'ef_construction', 'storage');
REINDEX INDEX ho_altered;
SELECT string_agg(value, ' ' ORDER BY property) FROM nanovec_index_info('ho_altered')
WHERE property IN ('m', 'ef_construction', 'storage');
ALTER INDEX ho_altered SET (m = 50);
SELECT test.full_error_of('REINDEX INDEX ho_altered');
SELECT count(*) FROM nanovec_index_check('ho_altered');
DROP INDEX ho_altered;

-- a column that loses its dimensions keeps its index as it is, and they stay
CREATE TABLE ho_loose (v vector(3));
INSERT INTO ho_loose SELECT v FROM ho_items;
CREATE INDEX ho_loose_hnsw ON ho_loose USING hnsw (v vector_l2_ops);
CREATE INDEX ho_loose_ivf ON ho_loose USING ivf (v vector_ip_ops) WITH (lists = 2);
ALTER TABLE ho_loose ALTER v TYPE vector;
INSERT INTO ho_loose VALUES ('[9,8,7]');
SET enable_seqscan = off;
SELECT v FROM ho_loose ORDER BY v <-> '[9,9,9]' LIMIT 1;
SELECT v FROM ho_loose ORDER BY v <#> '[9,9,9]' LIMIT 1;
RESET enable_seqscan;
SELECT test.full_error_of('INSERT INTO ho_loose VALUES (''[9,8,7,6]'')');
SELECT count(*) FROM nanovec_index_check('ho_loose_hnsw');
DROP TABLE ho_loose;

-- what can't be indexed
SELECT format('%-46s ', c) || test.full_error_of(
	format('CREATE INDEX ON ho_items USING hnsw (%s)', c))
FROM unnest(ARRAY['free vector_l2_ops', 'loose halfvec_l2_ops', 'varying bit_hamming_ops',
	'(free::vector(3)) vector_l2_ops', '(loose::halfvec(3)) halfvec_l2_ops',
	'(varying::bit(3)) bit_hamming_ops', 'varying bit_jaccard_ops', '(b::varbit(3)) bit_hamming_ops',
	'(s::vector) vector_l2_ops', 'v', 'h', 'b', 's', 'q', 'id', 'v halfvec_l2_ops', 'b vector_l2_ops',
	'v vector_hamming_ops', 'v vector_l2_ops DESC', 'v vector_l2_ops NULLS FIRST',
	'v vector_l2_ops, id', 'v vector_l2_ops, h halfvec_l2_ops'])
WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT test.full_error_of('CREATE UNIQUE INDEX ON ho_items USING hnsw (v vector_l2_ops)');
SELECT test.full_error_of('CREATE INDEX ON ho_items USING hnsw (v vector_l2_ops) INCLUDE (id)');
-- PostgreSQL 17 says where the operator is
SELECT replace(test.full_error_of('ALTER TABLE ho_items ADD EXCLUDE USING hnsw (v vector_l2_ops WITH =)'), 'public.', '');
SELECT test.full_error_of('CLUSTER ho_items USING ho_items_v_idx');
-- nothing half made is left behind
SELECT count(*) FROM pg_index WHERE indrelid = 'ho_items'::regclass AND NOT indisvalid;

-- dimensions, up to the most and one more
CREATE FUNCTION pg_temp.index_of(type text, class text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text; found bigint; problems bigint;
BEGIN
	outcome := test.full_error_of(format('CREATE TABLE ho_wide (id serial, x %s)', type));
	IF outcome <> 'no error' THEN
		RETURN 'table: ' || outcome;
	END IF;
	outcome := test.full_error_of(
		format('CREATE INDEX ho_wide_idx ON ho_wide USING hnsw (x %s)', class));
	IF outcome = 'no error' THEN
		EXECUTE CASE
			WHEN type LIKE 'bit%' THEN format($q$INSERT INTO ho_wide (x)
				SELECT repeat(((i * 37) %% 1000)::bit(10)::text, 6400)::bit(64000)::%s
				FROM generate_series(1, 30) AS i$q$, type)
			WHEN type LIKE 'sparsevec%' THEN format($q$INSERT INTO ho_wide (x)
				SELECT ('{' || (SELECT string_agg(i * 7 + j || ':' || i + j, ',' ORDER BY j)
					FROM generate_series(1, 700) AS j) || '}/' || %s)::%s
				FROM generate_series(1, 30) AS i$q$, substring(type from '\d+'), type)
			ELSE format($q$INSERT INTO ho_wide (x)
				SELECT (SELECT array_agg((i * 31 + j * 7) %% 101 + 1 ORDER BY j)
					FROM generate_series(1, %s) AS j)::vector::%s
				FROM generate_series(1, 30) AS i$q$, substring(type from '\((\d+)\)'), type) END;
		-- what was inserted, what is built again of it
		SELECT count(*) INTO problems FROM nanovec_index_check('ho_wide_idx');
		REINDEX INDEX ho_wide_idx;
		SELECT count(*) + problems INTO problems FROM nanovec_index_check('ho_wide_idx');
		-- and what is inserted beside it
		INSERT INTO ho_wide (x) SELECT x FROM ho_wide;
		SELECT count(*) + problems INTO problems FROM nanovec_index_check('ho_wide_idx');
		DELETE FROM ho_wide WHERE id > 30;
		SET LOCAL enable_seqscan = off;
		EXECUTE format('SELECT count(*) FROM ho_wide AS o, LATERAL (SELECT id FROM ho_wide AS i
			ORDER BY i.x %s o.x LIMIT 1) AS n WHERE n.id = o.id',
			CASE WHEN type LIKE 'bit%' THEN '<~>' ELSE '<->' END) INTO found;
		outcome := format('%s of 30 found, %s problems', found, problems);
	END IF;
	DROP TABLE ho_wide;
	RETURN outcome;
END $$;
SELECT format('%-20s ', t) || pg_temp.index_of(t, c)
FROM (VALUES (1, 'vector(1)', 'vector_l2_ops'), (2, 'vector(2000)', 'vector_l2_ops'),
	(3, 'vector(2001)', 'vector_l2_ops'), (4, 'vector(16000)', 'vector_l2_ops'),
	(5, 'vector(16001)', 'vector_l2_ops'), (6, 'halfvec(16000)', 'halfvec_l2_ops'),
	(7, 'sq8vec(16000)', 'sq8vec_l2_ops'), (8, 'bit(64)', 'bit_hamming_ops'),
	(9, 'bit(64000)', 'bit_hamming_ops'), (10, 'bit(64001)', 'bit_hamming_ops'),
	(11, 'sparsevec(1000000000)', 'sparsevec_l2_ops')) AS v (n, t, c) ORDER BY n;
-- bit(1) has two values
CREATE TABLE ho_bit (x bit(1));
INSERT INTO ho_bit SELECT (i % 2)::bit(1) FROM generate_series(1, 30) AS i;
CREATE INDEX ho_bit_idx ON ho_bit USING hnsw (x bit_hamming_ops);
INSERT INTO ho_bit SELECT (i % 2)::bit(1) FROM generate_series(1, 30) AS i;
SELECT count(*) FROM nanovec_index_check('ho_bit_idx');
-- lossless or not, each storage finds the same rows
CREATE TABLE ho_wide (id int, v vector(1000));
INSERT INTO ho_wide SELECT i, (SELECT array_agg(sin(i * 0.7 + j * (i % 10)) ORDER BY j)
	FROM generate_series(1, 1000) AS j)::vector FROM generate_series(1, 300) AS i;
CREATE TABLE ho_nearest AS SELECT o.id, n.id AS nearest FROM ho_wide AS o, LATERAL (SELECT id
	FROM ho_wide AS i ORDER BY i.v <-> o.v, id LIMIT 5) AS n WHERE o.id % 30 = 1;
CREATE FUNCTION pg_temp.try_storage(storage text, OUT used text, OUT sound boolean,
	OUT good boolean, OUT bytes int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE INDEX ho_storage ON ho_wide USING hnsw (v vector_l2_ops)
		WITH (storage = %s)', storage);
	INSERT INTO ho_wide SELECT id + 1000, v FROM ho_wide WHERE id <= 10;
	DELETE FROM ho_wide WHERE id > 1000;
	sound := NOT EXISTS (SELECT FROM nanovec_index_check('ho_storage'));
	SET LOCAL enable_seqscan = off;
	good := (SELECT avg((ho_nearest.nearest = ANY (near))::int) >= 0.95 FROM ho_nearest,
		LATERAL (SELECT array(SELECT i.id FROM ho_wide AS i
			ORDER BY i.v <-> (SELECT v FROM ho_wide AS o WHERE o.id = ho_nearest.id LIMIT 1)
			LIMIT 5)) AS l (near));
	SELECT value INTO used FROM nanovec_index_info('ho_storage') WHERE property = 'storage';
	SELECT value INTO bytes FROM nanovec_index_info('ho_storage') WHERE property = 'bytes of a vector';
	DROP INDEX ho_storage;
END $$;
SELECT s, t.* FROM unnest(ARRAY['float4', 'float2', 'sq16', 'sq8']) WITH ORDINALITY AS u (s, n),
	pg_temp.try_storage(s) AS t ORDER BY n;
-- auto is one of them
SELECT used IN ('float4', 'sq16', 'sq8'), sound, good FROM pg_temp.try_storage('auto');

-- settings
SELECT name, setting, vartype, min_val, max_val, enumvals, context FROM pg_settings
WHERE name LIKE 'hnsw.%' ORDER BY name COLLATE "C";
SELECT format('%-36s ', s) || test.full_error_of('SET hnsw.' || s)
FROM unnest(ARRAY['ef_search = 1', 'ef_search = 1000', 'ef_search = 0', 'ef_search = 1001',
	'ef_search = -1', 'ef_search = x', 'iterative_scan = off', 'iterative_scan = relaxed_order',
	'iterative_scan = strict_order', 'iterative_scan = on', 'iterative_scan = x',
	'iterative_scan = ''''', 'max_scan_tuples = 1', 'max_scan_tuples = 2147483647',
	'max_scan_tuples = 0', 'max_scan_tuples = 2147483648', 'scan_mem_multiplier = 1',
	'scan_mem_multiplier = 2.5', 'scan_mem_multiplier = 1000', 'scan_mem_multiplier = 0.9',
	'scan_mem_multiplier = 1001', 'scan_mem_multiplier = NaN', 'no_such_setting = 1'])
WITH ORDINALITY AS u (s, n) ORDER BY n;
RESET hnsw.ef_search;
RESET hnsw.iterative_scan;
RESET hnsw.max_scan_tuples;
RESET hnsw.scan_mem_multiplier;

-- what the inspection functions say
CREATE INDEX ho_info ON ho_items USING hnsw (h halfvec_cosine_ops) WITH (m = 8, ef_construction = 40);
SELECT property, value FROM nanovec_index_info('ho_info') WHERE property IN ('format version', 'type',
	'm', 'ef_construction', 'rows', 'dead nodes', 'slots with the rest of a vector');
SELECT property, value FROM nanovec_index_info('ho_info') WHERE property = 'nodes'
	AND value::int NOT BETWEEN (SELECT count(DISTINCT l2_normalize(h)::text) FROM ho_items)
		AND (SELECT count(DISTINCT h::text) FROM ho_items);
SELECT property FROM nanovec_index_info('ho_info') WHERE property NOT LIKE 'nodes on level %';
CREATE TABLE ho_none (h halfvec(3));
CREATE INDEX ho_empty ON ho_none USING hnsw (h halfvec_l2_ops);
-- without codes, a halfvec is kept as it is
SELECT property, value FROM nanovec_index_info('ho_empty') WHERE property IN ('storage', 'rows',
	'nodes', 'entry point');
SELECT count(*) FROM nanovec_index_check('ho_empty');
SELECT count(*) FROM nanovec_index_check(NULL);

-- on something else
CREATE INDEX ho_btree ON ho_items (id);
CREATE VIEW ho_view AS SELECT 1;
CREATE SEQUENCE ho_sequence;
CREATE TABLE ho_parent (id int, v vector(3)) PARTITION BY RANGE (id);
CREATE INDEX ho_parent_idx ON ho_parent USING hnsw (v vector_l2_ops);
SELECT format('%-14s ', o) || test.full_error_of(format('SELECT * FROM nanovec_index_%s(%L)', f, o))
FROM unnest(ARRAY['check', 'info']) AS f, unnest(ARRAY['ho_items', 'ho_btree', 'ho_view',
	'ho_sequence', 'ho_parent', 'ho_parent_idx', 'no_such_index'])
WITH ORDINALITY AS u (o, n) ORDER BY f, n;
SELECT format('%-6s ', f) || regexp_replace(test.full_error_of(format(
	'SELECT * FROM nanovec_index_%s(4294967295)', f)), '\d{8,}', 'N')
FROM unnest(ARRAY['check', 'info']) AS f;

DROP VIEW ho_view;
DROP SEQUENCE ho_sequence;
DROP TABLE ho_items, ho_bit, ho_wide, ho_nearest, ho_none, ho_parent;
