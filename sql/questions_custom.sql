--
-- Distances of one's own: operator classes of hnsw with a function of the user's
--
SET client_min_messages = warning;
CREATE SCHEMA qd;
SET search_path = qd, public;
CREATE FUNCTION weighted_l2(a vector, b vector) RETURNS double precision
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN (SELECT (a * '[1,2,5]'::vector) <-> (b * '[1,2,5]'::vector));
CREATE OPERATOR <-|> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = weighted_l2,
	COMMUTATOR = <-|>);
CREATE OPERATOR CLASS weighted_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-|> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
-- degrees of latitude and longitude; kilometers
CREATE FUNCTION haversine(a vector, b vector) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	p real[] := a;
	q real[] := b;
BEGIN
	RETURN 12742 * asin(least(1, sqrt(sin(radians(q[1] - p[1]) / 2) ^ 2
		+ cos(radians(p[1])) * cos(radians(q[1])) * sin(radians(q[2] - p[2]) / 2) ^ 2)));
END $$;
CREATE OPERATOR <-@> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = haversine,
	COMMUTATOR = <-@>);
CREATE OPERATOR CLASS haversine_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-@> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
SELECT opcname, amvalidate(oid) FROM pg_opclass
	WHERE opcname IN ('weighted_ops', 'haversine_ops') ORDER BY 1;

-- which part of the ten nearest of some rows' neighbors the index finds, and whether in order
CREATE FUNCTION pg_temp.recall(tab text, op text, queries text, OUT used boolean,
	OUT ordered boolean, OUT recall numeric) LANGUAGE plpgsql AS $$
DECLARE
	q text;
	found float8[];
	exact float8[];
	hits int := 0;
	n int := 0;
	query text;
BEGIN
	used := true;
	ordered := true;
	FOR q IN EXECUTE queries LOOP
		query := format('SELECT v %s %L AS d FROM %I ORDER BY v %1$s %2$L LIMIT 10', op, q, tab);
		SET LOCAL enable_seqscan = off;
		used := used AND test.uses_index(query);
		EXECUTE format('SELECT array_agg(d) FROM (%s) AS s', query) INTO found;
		SET LOCAL enable_seqscan = on;
		SET LOCAL enable_indexscan = off;
		EXECUTE format('SELECT array_agg(d) FROM (%s) AS s', query) INTO exact;
		SET LOCAL enable_indexscan = on;
		ordered := ordered AND found = ARRAY(SELECT unnest(found) ORDER BY 1);
		hits := hits + (SELECT count(*) FROM unnest(found) AS d WHERE d <= exact[cardinality(exact)]);
		n := n + cardinality(exact);
	END LOOP;
	recall := round(hits / n::numeric, 2);
END $$;

CREATE TABLE weighted (id int PRIMARY KEY, v vector(3), part int);
INSERT INTO weighted SELECT i, ARRAY[test.noise(i, 1), test.noise(i, 2), test.noise(i, 3)]::vector,
	i % 10 FROM generate_series(1, 300) AS i;
CREATE TABLE places (id int PRIMARY KEY, v vector(2));
-- some towns, and all of the globe, with the poles and both sides of the date line
INSERT INTO places SELECT i, CASE WHEN i % 2 = 0 THEN
		ARRAY[(i % 14 - 7) * 12 + test.noise(i, 1) / 5000.0, i % 26 * 14 - 180 + test.noise(i, 2) / 5000.0]
	ELSE ARRAY[test.noise(i, 1) * 0.18 - 90, test.noise(i, 2) * 0.36 - 180] END::vector
	FROM generate_series(1, 900) AS i;
CREATE INDEX weighted_idx ON weighted USING hnsw (v weighted_ops, part);
CREATE INDEX places_idx ON places USING hnsw (v haversine_ops);
\set queries '''SELECT ARRAY[test.noise(i, 7), test.noise(i, 8), test.noise(i, 9)]::vector FROM generate_series(1, 20) AS i'''
\set spots '''SELECT ARRAY[test.noise(i, 7) * .18 - 90, test.noise(i, 8) * .36 - 180]::vector FROM generate_series(1, 17) AS i UNION ALL SELECT unnest(ARRAY[''''[89.9,10]'''', ''''[-60,180]'''', ''''[12,-180]'''']::vector[])'''
SELECT * FROM pg_temp.recall('weighted', '<-|>', :queries);
SELECT * FROM pg_temp.recall('places', '<-@>', :spots);
SELECT recall >= 0.99 AS recall FROM nanovec_index_recall('places_idx', ARRAY(SELECT v FROM places LIMIT 20));
SELECT problem FROM nanovec_index_check('weighted_idx') UNION ALL SELECT problem FROM nanovec_index_check('places_idx');
SELECT property, value FROM nanovec_index_info('places_idx')
	WHERE property IN ('type', 'storage', 'distance function', 'rows', 'bits of a neighbor''s code', 'advice');
-- what else an index is asked
SET enable_seqscan = off;
SELECT count(*) = 30 AS all, bool_and(part = 3) AS part FROM (SELECT part FROM weighted WHERE part = 3
	ORDER BY v <-|> '[500,500,500]' LIMIT 200) AS s;
SELECT n.query, p.id, n.distance = p.v <-@> '[48.2,16.4]' AS same FROM nanovec_search('places_idx',
	ARRAY['[48.2,16.4]']::vector[], 3) AS n JOIN places AS p ON p.ctid = n.tid
	EXCEPT SELECT 1, id, true FROM (SELECT id FROM places ORDER BY (v <-@> '[48.2,16.4]') + 0 LIMIT 3) AS s;
-- NULL is near to nothing, and no function is called for it
SELECT count(*) FROM (SELECT id FROM places ORDER BY v <-@> NULL LIMIT 20) AS s;
-- the other way round
SELECT test.uses_index($$SELECT id FROM places ORDER BY '[48.2,16.4]' <-@> v LIMIT 3$$);
-- within a radius
CREATE FUNCTION haversine_within(a vector, area sphere_vector) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
	'BEGIN RETURN a OPERATOR(qd.<-@>) area.center < area.radius; END';
CREATE OPERATOR <<-@>> (LEFTARG = vector, RIGHTARG = sphere_vector, FUNCTION = haversine_within,
	RESTRICT = nanovec_sphere_sel, JOIN = nanovec_sphere_joinsel);
ALTER OPERATOR FAMILY haversine_ops USING hnsw ADD OPERATOR 2 <<-@>> (vector, sphere_vector);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'haversine_ops';
SELECT test.uses_index($$SELECT id FROM places WHERE v <<-@>> sphere('[48.2,16.4]'::vector, 2000)$$);
SELECT count(*) > 10 AS some, count(*) = (SELECT count(*) FROM places WHERE (v <-@> '[48.2,16.4]') + 0 < 2000) AS all
	FROM places WHERE v <<-@>> sphere('[48.2,16.4]'::vector, 2000);
RESET enable_seqscan;

-- rows come and go
INSERT INTO weighted SELECT i, ARRAY[test.noise(i, 1), test.noise(i, 2), test.noise(i, 3)]::vector,
	i % 10 FROM generate_series(301, 400) AS i;
INSERT INTO places SELECT i + 900, v FROM places AS p (i, v) WHERE i % 7 = 0;
UPDATE weighted SET v = v + '[3,1,2]' WHERE id % 3 = 0;
DELETE FROM weighted WHERE id % 5 < 2;
DELETE FROM places WHERE id % 4 = 0;
SELECT * FROM pg_temp.recall('weighted', '<-|>', :queries);
SELECT * FROM pg_temp.recall('places', '<-@>', :spots);
VACUUM weighted, places;
SELECT * FROM pg_temp.recall('weighted', '<-|>', :queries);
SELECT * FROM pg_temp.recall('places', '<-@>', :spots);
SELECT problem FROM nanovec_index_check('weighted_idx') UNION ALL SELECT problem FROM nanovec_index_check('places_idx');
SELECT property, value FROM nanovec_index_info('weighted_idx') WHERE property = 'dead nodes';
-- an index made before its rows
CREATE TABLE places_later (id int, v vector(2));
CREATE INDEX places_later_idx ON places_later USING hnsw (v haversine_ops);
INSERT INTO places_later SELECT * FROM places;
SELECT * FROM pg_temp.recall('places_later', '<-@>', :spots);
-- a build that goes on beyond memory
DROP INDEX places_later_idx;
SET maintenance_work_mem = '1MB';
CREATE INDEX places_later_idx ON places_later USING hnsw (v haversine_ops)
	WITH (m = 40, ef_construction = 80);
RESET maintenance_work_mem;
SELECT * FROM pg_temp.recall('places_later', '<-@>', :spots);
DROP TABLE places_later;
CREATE UNLOGGED TABLE unlogged (v vector(2));
CREATE INDEX ON unlogged USING hnsw (v haversine_ops);
INSERT INTO unlogged VALUES ('[1,2]'), ('[1,3]'), (NULL);
SELECT v FROM unlogged ORDER BY v <-@> '[1,2.9]' LIMIT 1;
DROP TABLE unlogged;

-- other types, and vectors that are longer than a page
CREATE FUNCTION half_distance(halfvec, halfvec) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS 'BEGIN RETURN 2 * ($1 OPERATOR(public.<->) $2); END';
CREATE OPERATOR <-|> (LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = half_distance);
CREATE OPERATOR CLASS half_ops FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-|> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
CREATE OPERATOR <-|> (LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l1_distance);
CREATE OPERATOR CLASS sparse_ops FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <-|> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 hnsw_sparsevec_support(internal);
-- bits that differ count more on the left
CREATE FUNCTION bit_distance(a bit, b bit) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
	'BEGIN RETURN sqrt((a # b)::bit(16)::int / 3.0); END';
CREATE OPERATOR <-|> (LEFTARG = bit, RIGHTARG = bit, FUNCTION = bit_distance);
CREATE OPERATOR CLASS bits_ops FOR TYPE bit USING hnsw AS
	OPERATOR 1 <-|> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 hnsw_bit_support(internal);

CREATE FUNCTION pg_temp.many(n int, type text, dims int, tab text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I (id int, v %s(%s))', tab, type, dims);
	EXECUTE format('INSERT INTO %I SELECT i, CASE WHEN %L = ''bit'' THEN (i * 7919 %% 65536)::bit(16)::text
		ELSE (SELECT array_agg(test.noise(i, j) / 10.0 ORDER BY j)::vector FROM generate_series(1, %s) AS j)::%4$s::text
		END::%s FROM generate_series(1, %s) AS i', tab, type, CASE WHEN type = 'bit' THEN 1 ELSE dims END,
		CASE WHEN type = 'bit' THEN 'vector' ELSE type END,
		CASE WHEN type = 'bit' THEN 'bit(16)' ELSE type END, n);
	EXECUTE format('CREATE INDEX %I ON %I USING hnsw (v %s)', tab || '_idx', tab,
		CASE type WHEN 'halfvec' THEN 'half_ops' WHEN 'bit' THEN 'bits_ops' WHEN 'vector' THEN 'long_ops'
		ELSE 'sparse_ops' END);
	EXECUTE format('INSERT INTO %I SELECT -id, v FROM %1$I WHERE id %% 9 = 0', tab);
	EXECUTE format('DELETE FROM %I WHERE id %% 5 = 0', tab);
END $$;
-- a vector of 3000 elements goes on in other slots
CREATE OPERATOR <-#> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = l2_distance);
CREATE OPERATOR CLASS long_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
SELECT pg_temp.many(300, 'halfvec', 3, 'halves'), pg_temp.many(300, 'sparsevec', 4, 'sparse'),
	pg_temp.many(300, 'bit', 16, 'bits'), pg_temp.many(60, 'vector', 3000, 'long');
VACUUM halves, sparse, bits, long;
SELECT t, (pg_temp.recall(t, o, format('SELECT v FROM %I WHERE id %% 37 = 1', t))).*,
	(SELECT count(*) FROM nanovec_index_check((t || '_idx')::regclass)) AS problems
FROM unnest('{halves,sparse,bits,long}'::text[], '{<-|>,<-|>,<-|>,<-#>}'::text[]) WITH ORDINALITY AS u (t, o, n)
ORDER BY n;

-- mistakes
CREATE FUNCTION pg_temp.try_distance(body text, kind text DEFAULT 'IMMUTABLE', tab text DEFAULT 'weighted',
	language text DEFAULT 'plpgsql') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('CREATE FUNCTION qd.tried(a vector, b vector) RETURNS double precision LANGUAGE %s %s AS %L',
		language, kind, body);
	CREATE OPERATOR qd.<-!> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = qd.tried);
	CREATE OPERATOR CLASS qd.tried_ops FOR TYPE vector USING hnsw AS
		OPERATOR 1 qd.<-!> (vector, vector) FOR ORDER BY float_ops,
		FUNCTION 1 nanovec_custom_metric(internal),
		FUNCTION 2 nanovec_vector_support(internal);
	answer := test.full_error_of(format('CREATE INDEX ON %I USING hnsw (v tried_ops)', tab));
	DROP OPERATOR qd.<-!> (vector, vector) CASCADE;
	DROP FUNCTION qd.tried;
	-- from version 17 on a build has no search_path, and messages name schemas
	RETURN regexp_replace(answer, '\m(qd|public)\.', '', 'g');
END $$;
SELECT pg_temp.try_distance('BEGIN RETURN 1; END', 'STABLE');
SELECT pg_temp.try_distance('BEGIN RETURN 1; END', 'VOLATILE', 'long');
SELECT pg_temp.try_distance('SELECT $1 OPERATOR(public.<->) $2', 'IMMUTABLE', language => 'sql');
SELECT pg_temp.try_distance('SELECT (SELECT $1 OPERATOR(public.<->) $2)', 'IMMUTABLE', language => 'sql');
SELECT pg_temp.try_distance('BEGIN RETURN NULL; END');
SELECT pg_temp.try_distance('BEGIN RETURN ''NaN''::float8; END');
SELECT pg_temp.try_distance('BEGIN RETURN -0.5; END');
SELECT regexp_replace(pg_temp.try_distance('BEGIN RETURN abs((a::real[])[1] - 2 * (b::real[])[1]); END'),
	' is \d+, and in the other order \d+', ' is N, and in the other order M');
-- rounding does not count
SELECT pg_temp.try_distance('BEGIN RETURN abs((a::real[])[1] - (b::real[])[1]) * (1 + 1e-9 * (a::real[])[1]); END');
-- out of the range of a float
SELECT pg_temp.try_distance('BEGIN RETURN abs((a::real[])[1] - (b::real[])[1]) * 1e300; END');
CREATE FUNCTION pg_temp.class_of(name text, type text, method text, metric text, support text, orderby text)
	RETURNS text LANGUAGE sql AS $$
	SELECT format('CREATE OPERATOR CLASS %s FOR TYPE %s USING %s AS %s FUNCTION 1 %s(internal), FUNCTION 2 %s(internal)',
		name, type, method, orderby, metric, support) $$;
DO $$ BEGIN
	EXECUTE pg_temp.class_of('none_ops', 'vector', 'hnsw', 'nanovec_custom_metric', 'nanovec_vector_support', '');
	EXECUTE pg_temp.class_of('ivf_ops', 'vector', 'ivf', 'nanovec_custom_metric', 'nanovec_vector_support',
		'OPERATOR 1 <-|> (vector, vector) FOR ORDER BY float_ops,');
	EXECUTE pg_temp.class_of('sq8_ops', 'sq8vec', 'hnsw', 'nanovec_custom_metric', 'nanovec_sq8vec_support',
		'OPERATOR 1 <-> (sq8vec, sq8vec) FOR ORDER BY float_ops,');
	EXECUTE pg_temp.class_of('other_ops', 'halfvec', 'hnsw', 'nanovec_custom_metric', 'nanovec_vector_support',
		'OPERATOR 1 <-|> (halfvec, halfvec) FOR ORDER BY float_ops,');
	EXECUTE pg_temp.class_of('many_ops', 'vector[]', 'hnsw', 'nanovec_custom_metric', 'nanovec_vector_support',
		'OPERATOR 1 @# (vector[], vector[]) FOR ORDER BY float_ops,');
END $$;
CREATE TABLE wrong (v vector(3), q sq8vec(3), h halfvec(3), m vector(3)[]);
SELECT test.full_error_of(c) FROM unnest(ARRAY['CREATE INDEX ON wrong USING hnsw (v none_ops)',
	'CREATE INDEX ON wrong USING ivf (v ivf_ops)', 'CREATE INDEX ON wrong USING hnsw (q sq8_ops)',
	'CREATE INDEX ON wrong USING hnsw (h other_ops)', 'CREATE INDEX ON wrong USING hnsw (m many_ops)',
	'CREATE INDEX ON wrong USING hnsw (v weighted_ops) WITH (storage = sq8)',
	'CREATE INDEX ON wrong USING hnsw (v weighted_ops) WITH (storage = float4)']) WITH ORDINALITY AS u (c, n) ORDER BY n;
-- amvalidate tells, too
SET client_min_messages = info;
ALTER FUNCTION weighted_l2 STABLE;
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname IN ('none_ops', 'sq8_ops', 'other_ops', 'many_ops',
	'weighted_ops') ORDER BY 1;
ALTER FUNCTION weighted_l2 IMMUTABLE;
CREATE OR REPLACE FUNCTION weighted_l2(a vector, b vector) RETURNS double precision
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN (a * '[1,2,5]'::vector) <-> (b * '[1,2,5]'::vector);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'weighted_ops';
SET client_min_messages = warning;
-- what is found out later: the index is as it was
CREATE FUNCTION moody(a vector, b vector) RETURNS double precision
	LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF 13 IN ((a::real[])[1], (b::real[])[1]) THEN
		RAISE 'not 13';
	ELSIF 14 IN ((a::real[])[1], (b::real[])[1]) THEN
		RETURN CASE WHEN a = b THEN 0 ELSE 'NaN'::float8 END;
	END IF;
	RETURN abs((a::real[])[1] - (b::real[])[1]);
END $$;
CREATE OPERATOR <-?> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = moody);
CREATE OPERATOR CLASS moody_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-?> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
CREATE TABLE moods (v vector(1));
INSERT INTO moods SELECT ARRAY[i]::vector FROM generate_series(100, 300) AS i;
CREATE INDEX moods_idx ON moods USING hnsw (v moody_ops);
SET enable_seqscan = off;
SELECT test.full_error_of(c) FROM unnest(ARRAY['INSERT INTO moods VALUES (''[13]'')', 'INSERT INTO moods VALUES (''[14]'')',
	'SELECT v FROM moods ORDER BY v <-?> ''[13]'' LIMIT 1', 'SELECT v FROM moods ORDER BY v <-?> ''[14]'' LIMIT 1'])
	WITH ORDINALITY AS u (c, n) ORDER BY n;
SELECT v FROM moods ORDER BY v <-?> '[120]' LIMIT 3;
-- a row that the check of some rows does not see
DROP INDEX moods_idx;
INSERT INTO moods VALUES ('[13]');
SELECT test.full_error_of('CREATE INDEX moods_idx ON moods USING hnsw (v moody_ops)');
TRUNCATE moods;
INSERT INTO moods SELECT ARRAY[i]::vector FROM generate_series(100, 300) AS i;
CREATE INDEX moods_idx ON moods USING hnsw (v moody_ops);
SELECT * FROM nanovec_index_check('moods_idx');

-- a build and vacuum call the function as the table's owner
CREATE ROLE qd_owner;
GRANT CREATE, USAGE ON SCHEMA qd TO qd_owner;
CREATE FUNCTION who(a vector, b vector) RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_user <> 'qd_owner' THEN
		RAISE 'called as %', CASE WHEN current_user = session_user THEN 'caller' ELSE current_user END;
	END IF;
	RETURN abs((a::real[])[1] - (b::real[])[1]);
END $$;
CREATE OPERATOR <-?-> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = who);
CREATE OPERATOR CLASS who_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-?-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
CREATE TABLE owned (id int, v vector(1));
ALTER TABLE owned OWNER TO qd_owner;
INSERT INTO owned SELECT i, ARRAY[i]::vector FROM generate_series(1, 200) AS i;
CREATE INDEX owned_idx ON owned USING hnsw (v who_ops);
REINDEX INDEX owned_idx;
DELETE FROM owned WHERE id % 3 = 0;
VACUUM owned;
SELECT count(*) FROM nanovec_search('owned_idx', '{[100]}'::vector[], 5);
-- but whoever searches or inserts
SELECT test.full_error_of(c) FROM unnest(ARRAY['INSERT INTO owned VALUES (0, ''[7]'')',
	'SELECT id FROM owned ORDER BY v <-?-> ''[7]'' LIMIT 1']) WITH ORDINALITY AS u (c, n) ORDER BY n;
SET ROLE qd_owner;
INSERT INTO owned VALUES (0, '[7]');
SELECT id, v FROM owned ORDER BY v <-?-> '[7]' LIMIT 3;
RESET ROLE;

-- a function may search the index that it is called for, and can be cancelled anywhere
CREATE FUNCTION curious(a vector, b vector) RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_setting('qd.curious', true) = 'sleep' THEN
		PERFORM pg_sleep(5);
	ELSIF current_setting('qd.curious', true) = 'search' THEN
		PERFORM set_config('qd.curious', 'found', true);
		PERFORM id FROM qd.curiosities ORDER BY v OPERATOR(qd.<-??>) b LIMIT 1;
		PERFORM set_config('qd.curious', 'search', true);
	END IF;
	RETURN abs((a::real[])[1] - (b::real[])[1]);
END $$;
CREATE OPERATOR <-??> (LEFTARG = vector, RIGHTARG = vector, FUNCTION = curious);
CREATE OPERATOR CLASS curious_ops FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-??> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_custom_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
CREATE TABLE curiosities (id int, v vector(1));
INSERT INTO curiosities SELECT i, ARRAY[i]::vector FROM generate_series(1, 300) AS i;
CREATE INDEX curiosities_idx ON curiosities USING hnsw (v curious_ops);
BEGIN;
SET LOCAL qd.curious = 'search';
SELECT id FROM curiosities ORDER BY v <-??> '[7.4]' LIMIT 3;
INSERT INTO curiosities VALUES (1000, '[50.5]');
SELECT id FROM curiosities ORDER BY v <-??> '[50.6]' LIMIT 2;
ROLLBACK;
SET qd.curious = 'sleep';
SET statement_timeout = '150ms';
CREATE FUNCTION pg_temp.stopped(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	EXECUTE command;
	RETURN 'not stopped';
EXCEPTION WHEN query_canceled THEN
	-- an interrupt that is held off would wait for the end of the sleep
	RETURN CASE WHEN clock_timestamp() - start < interval '4 s' THEN 'at once' ELSE 'late' END;
END $$;
SELECT pg_temp.stopped('SELECT id FROM curiosities ORDER BY v <-??> ''[7.4]'' LIMIT 3');
SELECT pg_temp.stopped('INSERT INTO curiosities VALUES (1001, ''[50.7]'')');
SELECT pg_temp.stopped('REINDEX INDEX curiosities_idx');
RESET statement_timeout;
RESET qd.curious;
SELECT * FROM nanovec_index_check('curiosities_idx');

RESET client_min_messages;
SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA qd CASCADE;
DROP ROLE qd_owner;
