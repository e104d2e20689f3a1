--
-- ivf and ivfflat with columns beside the vectors: with all lists probed, the rows that
-- match a condition come as from a sequential scan; with fewer, as many as are asked for
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;
SET client_min_messages = warning;

CREATE TYPE if_color AS ENUM ('red', 'green', 'blue');
CREATE DOMAIN if_small AS int4 CHECK (VALUE < 1000);
CREATE TABLE if_items (id int, v vector(64), w vector(6), flag boolean, i2 int2, i4 int4, i8 int8,
	f4 float4, f8 float8, n numeric, d date, ts timestamp, tz timestamptz, u uuid, t text,
	vc varchar(20), color if_color, small if_small, ints int[], texts text[], uuids uuid[],
	doc jsonb);
-- each value is NULL for one row in 13, and few values are frequent; extremes are there
CREATE FUNCTION pg_temp.fill(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO if_items
	SELECT i, (SELECT array_agg(test.noise(i, j) / 100.0 + test.noise(-i % 7, j) / 50.0)
			FROM generate_series(1, 64) AS j)::vector,
		(SELECT array_agg(test.noise(i, j)) FROM generate_series(1, 6) AS j)::vector,
		x[1] < 300, x[2] % 7 - 3, x[3] % 50 - 20,
		CASE WHEN x[4] < 10 THEN 9223372036854775807 WHEN x[4] < 20 THEN -9223372036854775808
			ELSE x[4] % 40 * 10000000000 END,
		CASE x[5] % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 'Infinity'
			ELSE x[5] % 20 / 4.0 END::float4,
		CASE x[6] % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE (x[6] % 30 - 15) / 10.0 END::float8,
		CASE x[7] % 9 WHEN 0 THEN 1e300 WHEN 1 THEN 10::numeric ^ -200 * x[7]
			ELSE x[7] % 30 / 7.0 END,
		CASE x[8] % 9 WHEN 0 THEN 'infinity' ELSE date '2024-01-01' + x[8] % 100 END,
		CASE x[9] % 9 WHEN 0 THEN '-infinity' ELSE timestamp '2024-01-01' + x[9] % 100 * interval '7 h' END,
		timestamptz '2024-01-01 00:00+00' + x[10] % 100 * interval '1 day',
		md5((x[11] % 40)::text)::uuid, 'text ' || x[12] % 30, 'word ' || x[13] % 30,
		(enum_range(NULL::if_color))[1 + x[14] % 3], x[15] % 100,
		ARRAY(SELECT test.noise(i, j + 50) % 60 FROM generate_series(1, x[16] % 25) AS j),
		ARRAY(SELECT 'tag ' || test.noise(i, j + 80) % 60 FROM generate_series(1, x[17] % 6) AS j),
		ARRAY(SELECT md5((test.noise(i, j + 90) % 20)::text)::uuid FROM generate_series(1, x[18] % 4) AS j),
		jsonb_build_object('kind', x[19] % 5, 'tags', jsonb_build_array(x[20] % 4, 'a' || x[20] % 3))
	FROM generate_series(first, last) AS i,
		LATERAL (SELECT array_agg(CASE WHEN test.noise(i, 200 + k) % 13 > 0
			THEN test.noise(i, 100 + k) END) AS x FROM generate_series(1, 20) AS k) AS s
$$;
SELECT pg_temp.fill(1, 1500);
-- one row in 13 has none
UPDATE if_items SET v = NULL WHERE id % 13 = 5;

-- Codes, records without them in the pages of groups, and in pages of their own; an index
-- made first and filled by inserts
CREATE INDEX if_codes ON if_items USING ivf (v vector_l2_ops, i4, flag, ints, t, ts, color, n) WITH (lists = 20);
CREATE INDEX if_inline ON if_items USING ivfflat (w vector_cosine_ops, i8, f4, d, vc, uuids, i2, doc, small) WITH (lists = 12);
CREATE TABLE if_later (LIKE if_items);
CREATE INDEX if_inserted ON if_later USING ivf (v vector_ip_ops, u, texts, tz, f8, i4, d);
INSERT INTO if_later SELECT * FROM if_items;
ALTER TABLE if_later ADD long vector(2500);
UPDATE if_later SET long = array_fill(0.5::float4, ARRAY[2436])::vector || v WHERE id <= 400;
CREATE INDEX if_long ON if_later USING ivf (long vector_l2_ops, i4, texts, t) WITH (quantizer = none, lists = 5);
ANALYZE if_items, if_later;

-- conditions are the index's
SELECT test.plan_of('SELECT id FROM if_items WHERE i4 = 7 AND flag >= true AND id > 3
	ORDER BY v <-> (SELECT v FROM if_items WHERE id = 1) LIMIT 5');
SELECT test.plan_of('SELECT id FROM if_items WHERE i4 BETWEEN 3 AND 9 AND ints && ''{1,2}'' AND t IS NULL
	ORDER BY v <-> (SELECT v FROM if_items WHERE id = 1) LIMIT 5');

-- For each of some conditions on a table, whether the k nearest of the rows that match come
-- as from a sequential scan, and how many match
CREATE FUNCTION pg_temp.compare(name text, col text, operator text, k int, conditions text[])
RETURNS TABLE (condition text, matches bigint, used boolean, same boolean) LANGUAGE plpgsql AS $$
DECLARE
	query text;
	found float8[];
	exact float8[];
BEGIN
	FOREACH condition IN ARRAY conditions LOOP
		same := true;
		EXECUTE format('SELECT count(*) FROM %I WHERE (%s) AND %I IS NOT NULL', name, condition, col)
			INTO matches;
		FOR q IN 1 .. 3 LOOP
			query := format('SELECT %1$s %3$s (SELECT %1$s FROM %2$I WHERE id = %6$s) FROM %2$I
				WHERE %4$s ORDER BY %1$s %3$s (SELECT %1$s FROM %2$I WHERE id = %6$s) LIMIT %5$s',
				col, name, operator, condition, k, q);
			used := test.uses_index(query);
			EXECUTE format('SELECT ARRAY(%s)', query) INTO found;
			EXECUTE format('SELECT ARRAY(SELECT (%1$s %3$s (SELECT %1$s FROM %2$I WHERE id = %6$s)) FROM %2$I
				WHERE (%4$s) AND %1$s IS NOT NULL
				ORDER BY (%1$s %3$s (SELECT %1$s FROM %2$I WHERE id = %6$s)) + 0 LIMIT %5$s)',
				col, name, operator, condition, k, q) INTO exact;
			same := same AND found = exact;
		END LOOP;
		RETURN NEXT;
	END LOOP;
END $$;
SET ivf.probes = 32768;
SET ivfflat.probes = 32768;
SELECT * FROM pg_temp.compare('if_items', 'v', '<->', 12, ARRAY['true', 'i4 = 7', 'i4 = 7::int8', 'i4 < -19',
	'i4 <= 0::int2', 'i4 > 28', 'i4 >= 3000000000', 'i4 <> 3', 'i4 IN (1, 2, NULL)', 'i4 = ANY (''{}'')',
	'i4 NOT IN (1, 2)', 'i4 = NULL', 'i4 IS NULL', 'i4 IS NOT NULL AND flag IS NULL', 'flag', 'NOT flag',
	'i4 BETWEEN 3 AND 5 AND NOT flag', 'i4 > 5 AND i4 < 5', 'v IS NULL', 'v IS NOT NULL AND t = ''text 3''',
	'ints && ''{1,2,3}''', 'ints @> ''{1,2}''', 'ints @> ''{}''', 'ints <@ ''{1,2,3,4,5,6}''', 'ints = ''{}''',
	'ints && ''{}''', 'ints IS NULL', 't = ''text 7''', 't <> ''text 7''', 't < ''text 2''',
	't IN (''text 1'', ''text 2'')', 't LIKE ''text 2%''', 'ts < ''2024-01-03''', 'ts = ''-infinity''',
	'ts >= date ''2024-01-10''', 'color = ''red''', 'color <> ''blue'' AND i4 = 3', 'color > ''red''',
	'n = 1e300', 'n > 3 AND n < 3.2', 'n >= 30 / 7.0', 'i4 = 7 OR flag', 'id = 77', 'id % 50 = 3 AND flag']);
SELECT * FROM pg_temp.compare('if_items', 'w', '<=>', 12, ARRAY['i8 = 9223372036854775807', 'i8 < 0::int2',
	'i8 = 7', 'i8 BETWEEN 10000000000 AND 30000000000', 'f4 = ''NaN''', 'f4 = 0', 'f4 = 0.25::float8',
	'f4 > 4', 'f4 <= ''-0''', 'd = ''infinity''', 'd > ''2024-03-01''', 'd <= timestamp ''2024-01-02 12:00''',
	'vc = ''word 3''', 'vc IS NULL', 'uuids @> ARRAY[md5(''7'')::uuid]', 'uuids = ''{}''', 'i2 = 3', 'i2 < 100000',
	'doc @> ''{"kind": 3}''', 'doc @> ''{"tags": [2]}''', 'doc @> ''{}''', 'small = 3', 'small >= 98 AND i2 <> 0',
	'i8 = 20000000000 AND f4 IS NOT NULL AND i2 > 0']);
SELECT * FROM pg_temp.compare('if_later', 'v', '<#>', 12, ARRAY['u = md5(''7'')::uuid', 'u < ''20000000-0000-0000-0000-000000000000''',
	'texts @> ''{tag 3}''', 'texts && ''{tag 3,tag 4,none}''', 'tz > ''2024-03-30 00:00+00''', 'tz IS NULL',
	'f8 = ''-Infinity''', 'f8 > 1.3::float4', 'i4 = 4', 'd < timestamp ''2024-01-03''']);
SELECT * FROM pg_temp.compare('if_later', 'long', '<->', 12, ARRAY['i4 = 4', 'texts && ''{tag 3,tag 4}''', 't IS NULL', 'true']);
RESET ivf.probes;
RESET ivfflat.probes;

-- no plan but that of the index
SET enable_sort = off;

-- with the lists that searches look into by default, as many rows as there are; they match,
-- and are in order
CREATE FUNCTION pg_temp.judge(name text, col text, operator text, k int, conditions text[])
RETURNS TABLE (condition text, enough boolean, matching boolean, once boolean, ordered boolean, near boolean)
LANGUAGE plpgsql AS $$
BEGIN
	FOREACH condition IN ARRAY conditions LOOP
		EXECUTE format('WITH found AS MATERIALIZED (SELECT *, %2$I %3$s (SELECT %2$I FROM %1$I WHERE id = 1) AS x
				FROM %1$I WHERE %4$s ORDER BY %2$I %3$s (SELECT %2$I FROM %1$I WHERE id = 1) LIMIT %5$s),
			numbered AS (SELECT *, (%4$s) AS good, lag(x) OVER () AS last FROM found),
			exact AS MATERIALIZED (SELECT (%2$I %3$s (SELECT %2$I FROM %1$I WHERE id = 1)) + 0 AS x FROM %1$I
				WHERE (%4$s) AND %2$I IS NOT NULL ORDER BY 1 LIMIT %5$s)
			SELECT count(*) = (SELECT count(*) FROM exact), bool_and(good) IS NOT FALSE,
				count(DISTINCT id) = count(*), bool_and(x >= last) IS NOT FALSE,
				count(*) FILTER (WHERE x <= (SELECT max(x) FROM exact)) >= 0.8 * count(*) FROM numbered',
			name, col, operator, condition, k)
			INTO enough, matching, once, ordered, near;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT k, j.* FROM unnest(ARRAY[1, 10, 100, 2000]) AS k, pg_temp.judge('if_items', 'v', '<->', k,
	ARRAY['i4 = 7', 'flag', 'ints && ''{1,2}''', 'color = ''red'' AND n > 3', 'i4 IS NULL AND flag IS NULL']) AS j;
SET ivf.probes = 1;
SELECT k, enough, matching, once, ordered FROM unnest(ARRAY[1, 100, 2000]) AS k, pg_temp.judge('if_items', 'v', '<->', k,
	ARRAY['i4 = 7', 'flag = false AND i4 > 20', 'i4 IS NULL AND flag IS NULL']) AS j;
-- every other order of results
SET ivf.iterative_scan = relaxed_order;
SELECT k, enough, matching, once FROM unnest(ARRAY[1, 100, 2000]) AS k, pg_temp.judge('if_items', 'v', '<->', k,
	ARRAY['i4 = 7', 'flag', 'i4 IS NULL AND flag IS NULL']) AS j;
SET ivf.max_probes = 2;
SELECT matching, once FROM pg_temp.judge('if_items', 'v', '<->', 2000, ARRAY['flag']);
RESET ivf.max_probes;
SET ivf.iterative_scan = off;
SELECT k, enough, matching, once, ordered FROM unnest(ARRAY[1, 10]) AS k, pg_temp.judge('if_items', 'v', '<->', k,
	ARRAY['i4 = 7', 'flag', 'i4 IS NULL AND flag IS NULL']) AS j;
RESET ivf.iterative_scan;
RESET ivf.probes;
-- ivfflat looks into one list and does not go on, but for what matches
SELECT k, j.* FROM unnest(ARRAY[1, 10]) AS k, pg_temp.judge('if_items', 'w', '<=>', k,
	ARRAY['i8 = 70000000000', 'small < 50', 'f4 = ''NaN''']) AS j;
RESET enable_sort;

-- a vector that is NULL, prepared statements, and values from an outer row
SELECT count(*), bool_and(i4 = 7) FROM (SELECT i4 FROM if_items WHERE i4 = 7 ORDER BY v <-> NULL LIMIT 5) AS s;
SET plan_cache_mode = force_generic_plan;
PREPARE if_query (int, text) AS SELECT count(*), bool_and(i4 = $1), bool_and(t = $2) FROM (SELECT i4, t FROM if_items
	WHERE i4 = $1 AND t = $2 ORDER BY v <-> (SELECT v FROM if_items WHERE id = 1) LIMIT 3) AS s;
EXECUTE if_query (7, 'text 3');
EXECUTE if_query (7, NULL);
EXECUTE if_query (NULL, 'text 3');
RESET plan_cache_mode;
SELECT x, count(*), bool_and(i4 = x) FROM generate_series(5, 8) AS x, LATERAL (SELECT i4 FROM if_items WHERE i4 = x
	ORDER BY v <-> (SELECT v FROM if_items WHERE id = 1) LIMIT 3) AS s GROUP BY x ORDER BY x;

-- changes: entries move with their attributes, and the places of dead ones are used again
DELETE FROM if_items WHERE id % 3 = 0;
DELETE FROM if_later WHERE id % 3 = 1;
VACUUM if_items, if_later;
UPDATE if_items SET i4 = i4 + 1, i8 = ~i8, ints = ints || 99 WHERE id % 5 = 0;
UPDATE if_later SET i4 = NULL, texts = '{new}' WHERE id % 5 = 0;
UPDATE if_later SET u = NULL WHERE id % 11 = 2;
VACUUM if_items, if_later;
SELECT pg_temp.fill(1501, 1800);
SET ivf.probes = 32768;
SET ivfflat.probes = 32768;
SELECT * FROM pg_temp.compare('if_items', 'v', '<->', 12, ARRAY['i4 = 7', 'i4 > 20 AND flag', 'ints @> ''{99}''',
	'ints && ''{1,2}''', 't = ''text 3''', 'color = ''blue''', 'n > 4']);
SELECT * FROM pg_temp.compare('if_items', 'w', '<=>', 12, ARRAY['i8 < 0', 'f4 = ''NaN''', 'doc @> ''{"kind": 3}''']);
SELECT * FROM pg_temp.compare('if_later', 'v', '<#>', 12, ARRAY['texts = ''{new}''', 'i4 IS NULL', 'u = md5(''7'')::uuid']);
SELECT * FROM pg_temp.compare('if_later', 'long', '<->', 12, ARRAY['texts = ''{new}''', 'i4 IS NULL', 'i4 = 4']);
RESET ivf.probes;
RESET ivfflat.probes;
SELECT i, nanovec_index_check(i) FROM unnest(ARRAY['if_codes', 'if_inline', 'if_inserted', 'if_long']) AS i;
-- what was updated in the index is what a build makes of the rows
SELECT i, property, value FROM unnest(ARRAY['if_codes', 'if_inline', 'if_inserted', 'if_long']) AS i,
	nanovec_index_info(i) WHERE property IN ('bytes of attributes', 'entries of a group') ORDER BY 1, 2;
REINDEX TABLE if_items;
SELECT i, nanovec_index_check(i) FROM unnest(ARRAY['if_codes', 'if_inline']) AS i;

-- as many attributes as there may be, all of them sets, beside long codes and short
CREATE TABLE if_sets (id int, v vector(1200), s vector(3), a int[]);
INSERT INTO if_sets SELECT i, array_fill((i % 10)::float4, ARRAY[1100])::vector || array_fill(i::float4, ARRAY[100])::vector,
	ARRAY[i, i % 7, 1], ARRAY[i % 5, i % 7] FROM generate_series(1, 200) AS i;
CREATE INDEX if_sets_v ON if_sets USING ivf (v vector_l2_ops, a, (a || 1), (a || 2), (a || 3), (a || 4), (a || 5), (a || 6), (a || 7)) WITH (lists = 2);
CREATE INDEX if_sets_s ON if_sets USING ivf (s vector_l2_ops, a, (a || 1), (a || 2), (a || 3), (a || 4), (a || 5), (a || 6), (a || 7)) WITH (lists = 2);
INSERT INTO if_sets SELECT 200 + id, v, s, a FROM if_sets;
DELETE FROM if_sets WHERE id % 4 = 1;
VACUUM if_sets;
SELECT i, nanovec_index_check(i) FROM unnest(ARRAY['if_sets_v', 'if_sets_s']) AS i;
SELECT property, value FROM nanovec_index_info('if_sets_v') WHERE property ~ 'attributes|group|records' ORDER BY 1;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM if_sets WHERE a @> '{1}' AND (a || 7) && '{6}'
	ORDER BY v <-> (SELECT v FROM if_sets WHERE id = 6) LIMIT 6) AS s;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM if_sets WHERE a @> '{1}' AND (a || 7) && '{6}'
	ORDER BY s <-> '[6,6,1]' LIMIT 6) AS s;

-- what an index cannot be
SELECT test.errors_of(ARRAY['CREATE INDEX ON if_items USING ivf (i4, v vector_l2_ops)',
	'CREATE INDEX ON if_items USING ivf (v vector_l2_ops, w vector_l2_ops)',
	'CREATE INDEX ON if_items USING ivf (v vector_l2_ops, (ROW(i4, i8)))',
	'CREATE INDEX ON if_items USING ivfflat (v vector_l2_ops, i4 DESC)',
	'CREATE INDEX ON if_items USING ivf (v vector_l2_ops, i2, i4, i8, f4, f8, n, d, ts, tz)']);
-- unlogged, partial, partitioned
CREATE UNLOGGED TABLE if_unlogged (id int, v vector(3), a int);
CREATE INDEX if_unlogged_idx ON if_unlogged USING ivf (v vector_l2_ops, a) WHERE id > 10;
INSERT INTO if_unlogged SELECT i, ARRAY[i, 1, 2], i % 3 FROM generate_series(1, 100) AS i;
SELECT array_agg(id) FROM (SELECT id FROM if_unlogged WHERE id > 10 AND a = 1 ORDER BY v <-> '[20,1,2]' LIMIT 3) AS s;
CREATE TABLE if_parts (id int, v vector(3), a int) PARTITION BY RANGE (id);
CREATE TABLE if_parts_1 PARTITION OF if_parts FOR VALUES FROM (0) TO (50);
CREATE TABLE if_parts_2 PARTITION OF if_parts FOR VALUES FROM (50) TO (101);
INSERT INTO if_parts SELECT * FROM if_unlogged;
CREATE INDEX ON if_parts USING ivfflat (v vector_l2_ops, a) WITH (lists = 2);
SELECT array_agg(id) FROM (SELECT id FROM if_parts WHERE a = 1 ORDER BY v <-> '[48,1,2]' LIMIT 4) AS s;
DROP TABLE if_items, if_later, if_sets, if_unlogged, if_parts;
DROP DOMAIN if_small;
DROP TYPE if_color;
