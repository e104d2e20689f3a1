--
-- ivf and ivfflat: index options, limits, settings, inspection functions
--
\pset format unaligned
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

CREATE TABLE io_items (id int, v vector(3), h halfvec(3), q sq8vec(3), b bit(3), s sparsevec(3),
	free vector);
INSERT INTO io_items SELECT i, v, v, v, binary_quantize(v), v, v
FROM generate_series(1, 200) AS i, LATERAL (SELECT format('[%s,%s,%s]', i % 7 - 3, i % 11 - 5,
	i % 13 - 6.5)::vector(3) AS v) AS l;

-- options
SELECT format('%-8s %-40s ', m, o) || test.full_error_of(format('CREATE INDEX ON io_items USING %s
	(v vector_l2_ops) WITH (%s)', m, o))
FROM unnest(ARRAY['ivf', 'ivfflat']) AS m, unnest(ARRAY['lists=0', 'lists=1', 'lists=32768',
	'lists=32769', 'lists=-1', 'lists=x', 'quantizer=sq8', 'quantizer=none', 'quantizer=pq',
	'lists=10,quantizer=none', 'm=16', 'fillfactor=70'])
WITH ORDINALITY AS u (o, n) ORDER BY m, n;
CREATE INDEX io_altered ON io_items USING ivf (v vector_l2_ops);
ALTER INDEX io_altered SET (lists = 5, quantizer = none);
SELECT string_agg(value, ' ' ORDER BY property) FROM nanovec_index_info('io_altered')
WHERE property IN ('lists', 'storage');
REINDEX INDEX io_altered;
SELECT string_agg(value, ' ' ORDER BY property) FROM nanovec_index_info('io_altered')
WHERE property IN ('lists', 'storage');
DROP INDEX io_altered;

-- what can't be indexed
SELECT format('%-46s ', c) || test.full_error_of(
	format('CREATE INDEX ON io_items USING ivf (%s)', c))
FROM unnest(ARRAY['free vector_l2_ops', '(free::vector(3)) vector_l2_ops', 's sparsevec_l2_ops',
	'v vector_l1_ops', 'b bit_jaccard_ops', 'v', 'h', 'b', 'q', 'v halfvec_l2_ops', 'v vector_l2_ops, id',
	'v vector_l2_ops DESC'])
WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT test.full_error_of('CREATE INDEX ON io_items USING ivfflat (q sq8vec_l2_ops)');
SELECT test.full_error_of('CREATE UNIQUE INDEX ON io_items USING ivf (v vector_l2_ops)');
SELECT test.full_error_of('CREATE INDEX ON io_items USING ivf (v vector_l2_ops) INCLUDE (id)');
SELECT test.full_error_of('CLUSTER io_items USING io_items_v_idx');

-- bit strings of one column have one length
CREATE TABLE io_varying (b varbit(3));
SELECT test.full_error_of(format('CREATE INDEX ON io_varying USING %s (b bit_hamming_ops)', m))
FROM unnest(ARRAY['ivf', 'ivfflat']) AS m;
DROP TABLE io_varying;

-- dimensions, up to the most and one more
CREATE FUNCTION pg_temp.index_of(method text, type text, class text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text; found bigint; problems bigint;
BEGIN
	EXECUTE format('CREATE TABLE io_wide (id serial, x %s)', type);
	EXECUTE CASE
		WHEN type LIKE 'bit%' THEN format($q$INSERT INTO io_wide (x)
			SELECT repeat(((i * 37) %% 1000)::bit(10)::text, 6400)::bit(64000)::%s
			FROM generate_series(1, 30) AS i$q$, type)
		ELSE format($q$INSERT INTO io_wide (x)
			SELECT (SELECT array_agg((i * 31 + j * 7) %% 101 + 1 ORDER BY j)
				FROM generate_series(1, %s) AS j)::vector::%s
			FROM generate_series(1, 30) AS i$q$, substring(type from '\((\d+)\)'), type) END;
	outcome := test.full_error_of(format('CREATE INDEX io_wide_idx ON io_wide USING %s (x %s)
		WITH (lists = 3)', method, class));
	IF outcome = 'no error' THEN
		INSERT INTO io_wide (x) SELECT x FROM io_wide;
		SELECT count(*) INTO problems FROM nanovec_index_check('io_wide_idx');
		DELETE FROM io_wide WHERE id > 30;
		SET LOCAL enable_seqscan = off;
		SET LOCAL ivf.probes = 3;
		SET LOCAL ivfflat.probes = 3;
		EXECUTE format('SELECT count(*) FROM io_wide AS o, LATERAL (SELECT id FROM io_wide AS i
			ORDER BY i.x %s o.x LIMIT 1) AS n WHERE n.id = o.id',
			CASE WHEN type LIKE 'bit%' THEN '<~>' ELSE '<->' END) INTO found;
		outcome := format('%s of 30 found, %s problems', found, problems);
	END IF;
	DROP TABLE io_wide;
	RETURN outcome;
END $$;
SELECT format('%-8s %-20s ', m, t) || pg_temp.index_of(m, t, c)
FROM (VALUES (1, 'vector(1)', 'vector_l2_ops'), (2, 'vector(2001)', 'vector_l2_ops'),
	(3, 'vector(16000)', 'vector_l2_ops'), (4, 'halfvec(16000)', 'halfvec_l2_ops'),
	(5, 'bit(64000)', 'bit_hamming_ops'), (6, 'bit(64001)', 'bit_hamming_ops')) AS v (n, t, c),
	unnest(ARRAY['ivf', 'ivfflat']) AS m ORDER BY m, n;

-- settings
SELECT name, setting, vartype, min_val, max_val, enumvals, context FROM pg_settings
WHERE name LIKE 'ivf%' ORDER BY name COLLATE "C";
SELECT format('%-40s ', s) || test.full_error_of('SET ' || s)
FROM unnest(ARRAY['ivf.probes = 0', 'ivf.probes = 32768', 'ivf.probes = 32769', 'ivf.probes = -1',
	'ivf.iterative_scan = off', 'ivf.iterative_scan = relaxed_order', 'ivf.iterative_scan = strict_order',
	'ivf.iterative_scan = x', 'ivf.max_probes = 0', 'ivf.no_such_setting = 1',
	'ivfflat.probes = 0', 'ivfflat.iterative_scan = relaxed_order',
	'ivfflat.iterative_scan = strict_order', 'ivfflat.max_probes = 32768', 'ivfflat.no_such_setting = 1'])
WITH ORDINALITY AS u (s, n) ORDER BY n;
RESET ivf.probes;
RESET ivf.iterative_scan;
RESET ivfflat.iterative_scan;
RESET ivfflat.max_probes;

-- what the inspection functions say
CREATE INDEX io_info ON io_items USING ivf (h halfvec_cosine_ops) WITH (lists = 4);
SELECT property, value FROM nanovec_index_info('io_info') WHERE property IN ('format version', 'type',
	'storage', 'lists', 'probes', 'rows', 'rows when built', 'advice');
SET ivf.probes = 2;
SELECT property, value FROM nanovec_index_info('io_info') WHERE property = 'probes';
RESET ivf.probes;
SELECT property FROM nanovec_index_info('io_info');
SELECT count(*) FROM nanovec_index_check('io_info');

DROP TABLE io_items;
