--
-- Collections: indexes, batches, filters that indexes serve, hybrid queries
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nanovec_collections;
RESET client_min_messages;

CREATE FUNCTION pg_temp.some_vector(i int) RETURNS vector LANGUAGE sql AS
	$$ SELECT array_agg(sin(i * j) + (i % 7) ORDER BY j)::vector FROM generate_series(1, 8) AS j $$;
SELECT nanovec.create_collection('many', 8, 'l2', '{"type": "hnsw", "m": 8, "ef_search": 60}',
	'{"n": "int", "lang": "string", "share": "float", "even": "bool"}', '{n,lang,share,even}',
	text_search => 'english');
SELECT nanovec.add('many', array_agg('r' || i), array_agg(pg_temp.some_vector(i)),
	array_agg(format('row %s says %s', i, CASE WHEN i % 100 = 0 THEN 'running dogs' ELSE 'nothing' END)),
	array_agg(jsonb_build_object('n', i, 'lang', CASE i % 3 WHEN 0 THEN 'en' WHEN 1 THEN 'de' ELSE 'fr' END,
		'share', i / 10.0, 'even', i % 2 = 0, 'free', i % 50)))
	FROM generate_series(1, 3000) AS i;
ANALYZE many;

-- the answers are the exact ones, the index or not
SELECT count(*) FROM (
	SELECT q.id FROM nanovec.query('many', pg_temp.some_vector(77), 20) AS q
	INTERSECT
	(SELECT id FROM many ORDER BY (embedding <-> pg_temp.some_vector(77)) + 0 LIMIT 20)) AS s;
SELECT q.id, round(q.distance::numeric, 5) AS distance FROM nanovec.query('many', pg_temp.some_vector(77), 1) AS q;
-- a filter that finds few rows has all of them
SELECT count(*), min(id), max(id) FROM nanovec.query('many', pg_temp.some_vector(77), 50, '{"n": {"$in": [1, 1500, 2999]}}');
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 100, '{"free": 7}');
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 3000);
-- among ids, by index or not; ids that are not there are passed over
SELECT q.id FROM nanovec.query('many', pg_temp.some_vector(77), 5, ids => '{r2999,r77,nobody,r5}') AS q;
SELECT q.id FROM nanovec.query('many', pg_temp.some_vector(77), 5, '{"n": {"$lt": 1000}}', ids => '{r2999,r77,r5}') AS q;
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 5, ids => '{}');
SELECT query, id FROM nanovec.query_batch('many', ARRAY[pg_temp.some_vector(5), pg_temp.some_vector(77)], 1, ids => '{r77,r5}');
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 1000,
	ids => (SELECT array_agg('r' || i) FROM generate_series(1, 3000, 2) AS i));
-- settings of a search stay with it
SHOW hnsw.ef_search;
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 5, options => '{"ef_search": 200}');
SHOW hnsw.ef_search;
SHOW enable_indexscan;

-- what filters become, and which index serves it
CREATE FUNCTION pg_temp.plan(filter jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	condition text := nanovec.condition(nanovec.find('many', 'default_tenant', 'default_database'), filter, NULL);
BEGIN
	RETURN NEXT condition;
	RETURN QUERY SELECT * FROM test.plan_of(format('SELECT id FROM many WHERE %s', condition)) AS line
		WHERE line ~ 'Index Scan';
END $$;
SET enable_seqscan = off;
SELECT pg_temp.plan(f::jsonb) FROM unnest(ARRAY['{"n": 5}', '{"n": {"$gt": 5.5, "$lte": 7}}', '{"lang": {"$gte": "en"}}',
	'{"share": {"$lt": 0.3}}', '{"free": "it''s"}', '{"free": {"$in": [1, 2]}}', '{"n": {"$in": [1, 2]}}',
	'{"$and": [{"n": 5}, {"free": 5}]}', '{"$or": [{"n": 5}, {"free": {"$eq": "a"}}]}']) AS f;
-- which no index does
SELECT nanovec.compile_filter(f::jsonb, '{"n": "int"}') FROM unnest(ARRAY['{}', '{"n": "five"}', '{"n": {"$ne": 5}}',
	'{"n": {"$eq": 5.5}}', '{"a": {"$gt": "x"}}', '{"a": {"$gte": 1}}', '{"a": {"$exists": false}}', '{"a": {"$nin": [1]}}',
	'{"$not": {"a": true}}', '{"a": {"$not": {"$gt": 1}}}', '{"a": {"$contains": "x"}}', '{"a": {"$in": []}}',
	'{"a''b\"": "x'' OR true --"}', '{"a": "back\\slash"}']) AS f;
SELECT nanovec.compile_document_filter(f::jsonb) FROM unnest(ARRAY['{"$contains": "100%_a\\b''"}', '{"$not_contains": "a"}',
	'{"$regex": "^a|b$"}', '{"$and": [{"$contains": "a"}, {"$or": [{"$regex": "b"}, {"$not": {"$contains": "c"}}]}]}']) AS f;
RESET enable_seqscan;

SELECT test.errors_of(array_agg(format('SELECT nanovec.count(''many'', %L)', f))) FROM unnest(ARRAY['3', '[]', '{"$nor": []}',
	'{"$and": {}}', '{"$or": []}', '{"$and": [3]}', '{"$not": 3}', '{"a": {"$like": "x"}}', '{"a": {}}', '{"a": null}', '{"a": [1]}',
	'{"a": {"$gt": true}}', '{"a": {"$in": 3}}', '{"a": {"$in": [null]}}', '{"a": {"$exists": 1}}', '{"a": {"$eq": {"b": 1}}}',
	repeat('{"$not": ', 60) || '{"a": 1}' || repeat('}', 60), repeat('{"a": {"$not": ', 1) || repeat('{"$not": ', 60) || '3' || repeat('}', 62)]) AS f;
SELECT test.errors_of(array_agg(format('SELECT nanovec.count(''many'', document_filter => %L)', f))) FROM unnest(ARRAY['"x"',
	'{"$contains": ""}', '{"$contains": 3}', '{"$eq": "x"}', '{"a": "x"}', '{"$regex": "("}', '{"$and": []}']) AS f;

-- vector and text, fused
SELECT id, vector_rank, text_rank, round(score::numeric, 5) AS score
	FROM nanovec.hybrid_query('many', pg_temp.some_vector(300), 'run dog', 3);
SELECT count(*), count(text_rank), count(vector_rank) FROM nanovec.hybrid_query('many', pg_temp.some_vector(300), '"running dogs"', 60,
	'{"n": {"$lte": 1000}}', vector_weight => 0.01);

-- how searches go, without a new index
SELECT nanovec.vector_index('many') AS before \gset
SELECT nanovec.set_search_options('many', '{"ef_search": 70}');
SELECT nanovec.describe_collection('many') -> 'index', nanovec.vector_index('many') = :'before'::regclass AS same;
SELECT test.errors_of(array_agg(format('SELECT nanovec.set_search_options(''many'', %L)', o))) FROM unnest(ARRAY['{"m": 5}',
	'{"n_probe": 5}', '{"ef_search": "x"}', '[]']) AS o;

-- batches: no index until the last one ends
SELECT nanovec.batch_begin('many'), nanovec.batch_begin('many');
SELECT nanovec.vector_index('many');
SELECT count(*) FROM nanovec.query('many', pg_temp.some_vector(77), 20);
SELECT nanovec.batch_end('many');
SELECT nanovec.vector_index('many');
SELECT nanovec.batch_end('many');
SELECT pg_get_indexdef(nanovec.vector_index('many'));
SELECT nanovec.batch_begin('many');
SELECT nanovec.rebuild('many');
SELECT nanovec.vector_index('many');
SELECT nanovec.batch_end('many', true);
-- loads, which servers begin where rows are many beside those that are there: 3000
SELECT nanovec.load_begin('many', 999), nanovec.vector_index('many') IS NOT NULL AS indexed;
SELECT nanovec.load_begin('many', 1000), nanovec.load_begin('many', 1);
SELECT nanovec.vector_index('many'), nanovec.describe_collection('many') -> 'loading';
SELECT nanovec.load_end('many');
SELECT nanovec.vector_index('many') IS NOT NULL AS indexed, nanovec.describe_collection('many') -> 'loading';
SELECT nanovec.load_end('many');
SELECT nanovec.load_begin('many', 1000), nanovec.rebuild('many');
SELECT nanovec.vector_index('many') IS NOT NULL AS indexed;
-- not within a batch, and a batch within one ends without an index
SELECT nanovec.batch_begin('many'), nanovec.load_begin('many', 1000), nanovec.batch_end('many');
SELECT nanovec.load_begin('many', 1000), nanovec.batch_begin('many'), nanovec.batch_end('many');
SELECT nanovec.vector_index('many');
SELECT nanovec.load_end('many');
SELECT nanovec.vector_index('many') IS NOT NULL AS indexed;
SELECT test.errors_of(ARRAY[$$SELECT nanovec.load_begin('nothing', 1000)$$, $$SELECT nanovec.load_end('nothing')$$]);
-- another index
SELECT nanovec.rebuild('many', '{"type": "ivf", "n_clusters": 20, "n_probe": 5}');
SELECT pg_get_indexdef(nanovec.vector_index('many'));
SELECT s - '{table_bytes,index_bytes,total_bytes,vector_index}'::text[], (s ->> 'total_bytes')::int > 100000,
	s #>> '{vector_index,info,rows}' FROM nanovec.stats('many') AS s;
SELECT recall BETWEEN 0.5 AND 1, worst <= recall, asked FROM nanovec.recall('many', 20);
SELECT recall, worst, asked FROM nanovec.recall('many', 10, options => '{"n_probe": 32768}');
SELECT nanovec.rebuild('many', '{"type": "none"}');
SELECT nanovec.vector_index('many'), nanovec.stats('many') -> 'vector_index';
SELECT recall FROM nanovec.recall('many', 3);
SELECT nanovec.drop_collection('many');
