--
-- Collections: making them, rows in and out, dropping them
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nanovec_collections;
RESET client_min_messages;

SELECT nanovec.create_collection('articles', 3, metadata => '{"of": "a test"}');
-- an ordinary table with ordinary indexes
SELECT column_name, data_type, udt_name, is_nullable FROM information_schema.columns
	WHERE table_name = 'articles' ORDER BY ordinal_position;
SELECT indexdef FROM pg_indexes WHERE tablename = 'articles' ORDER BY indexname;

SELECT nanovec.add('articles', '{a,b,c}', '{"[1,0,0]","[0,1,0]","[0.6,0.8,0]"}',
	'{the first,the second,NULL}', ARRAY['{"year": 2001}', '{"year": 2002, "tag": null}', NULL]::jsonb[]);
-- an id that is there stays as it is
SELECT nanovec.add('articles', '{c,d}', '{"[9,9,9]","[0,0,1]"}', '{changed,the fourth}');
SELECT * FROM nanovec.get('articles', include => '{documents,metadatas,embeddings}');
SELECT * FROM nanovec.get('articles', '{d,a,nobody}');
SELECT id FROM nanovec.get('articles', max_rows => 2, skip => 1);
SELECT id, round(distance::numeric, 5) AS distance, document, metadata, found_embedding
	FROM nanovec.query('articles', '[1,0,0]', 3);
SELECT query, id, round(distance::numeric, 5) AS distance, embedding FROM nanovec.query_batch('articles', '{"[1,0,0]","[0,0,2]"}', 2,
	include => '{embeddings}');
SELECT id FROM nanovec.query('articles', '[1,0,0]', 10, '{"year": {"$gte": 2002}}');
SELECT id FROM nanovec.query('articles', '[1,0,0]', 10, document_filter => '{"$contains": "second"}');
SELECT id FROM nanovec.query('articles', '[1,0,0]', 10, threshold => 0.5);
SELECT nanovec.count('articles'), nanovec.count('articles', '{"year": 2001}');

-- update leaves alone what is not given, and rows that are not there; metadata is merged
SELECT nanovec.update('articles', '{a,nobody}', metadatas => ARRAY['{"lang": "en"}', NULL]::jsonb[]);
SELECT nanovec.update('articles', '{b}', '{"[0,2,0]"}', '{again}', ARRAY['{"year": null}'::jsonb]);
SELECT nanovec.upsert('articles', '{a,e}', '{"[2,0,0]","[1,1,1]"}', '{NULL,the fifth}',
	ARRAY['{"year": 2010}', '{"year": 5}']::jsonb[]);
SELECT * FROM nanovec.peek('articles');
SELECT nanovec.delete('articles', '{a,nobody}'), nanovec.delete('articles', filter => '{"year": {"$lt": 10}}'),
	nanovec.delete('articles', document_filter => '{"$contains": "fourth"}');
SELECT id FROM articles ORDER BY id;

-- listing, renaming
SELECT nanovec.create_collection('another one, with "quotes" and '' and a long name that no table can have', 2) IS NOT NULL AS made;
SELECT name, dimension, metric, metadata FROM nanovec.list_collections();
SELECT nanovec.rename_collection('articles', 'papers');
SELECT nanovec.set_collection_metadata('papers', '{"new": true}');
SELECT d - '{id,created_at,relation,vector_schema,vector_index,owner}'::text[], d ->> 'relation', d ->> 'vector_index'
	FROM nanovec.describe_collection('papers') AS d;
-- by its id, which stays when the name changes
SELECT nanovec.collection_name(id) FROM nanovec.collections WHERE name = 'papers';
SELECT test.error_of($$SELECT nanovec.collection_name('00000000-0000-0000-0000-000000000000')$$);
SELECT test.error_of($$SELECT nanovec.collection_name(id, 'default_tenant', 'other') FROM nanovec.collections WHERE name = 'papers'$$)
	~ '42P01' AS not_in_another_database;
SELECT nanovec.drop_collection('papers'),
	nanovec.drop_collection('another one, with "quotes" and '' and a long name that no table can have');
SELECT name FROM nanovec.list_collections();
SELECT to_regclass('articles');

-- the table of a collection that somebody dropped is in nobody's way
SELECT nanovec.create_collection('gone', 2);
DROP TABLE gone;
SELECT name FROM nanovec.list_collections();
SELECT nanovec.create_collection('gone', 3);
-- nor is another table of its name
SELECT nanovec.drop_collection('gone');
CREATE TABLE gone (i int);
SELECT nanovec.create_collection('gone', 3)::text ~ '^gone_[0-9a-f]{8}$';
SELECT nanovec.drop_collection('gone');
DROP TABLE gone;

-- the first row says how many dimensions there are
SELECT nanovec.create_collection('later');
SELECT count(*) FROM nanovec.query('later', '[1,2]');
SELECT nanovec.add('later', '{x}', '{"[3,4]"}');
SELECT dimension FROM nanovec.list_collections();
SELECT id, round(distance::numeric, 5) AS distance, embedding FROM nanovec.query_batch('later', '{"[3,4]"}', include => '{embeddings}');
SELECT nanovec.drop_collection('later');

-- distances, as Chroma has them
SELECT nanovec.create_collection(m, 2, m) FROM unnest('{l2,ip,cosine,l1}'::text[]) AS m;
SELECT m, nanovec.add(m, '{x,y}', '{"[3,4]","[1,0]"}') FROM unnest('{l2,ip,cosine,l1}'::text[]) AS m;
SELECT m, q.id, round(q.distance::numeric, 4) AS distance FROM unnest('{l2,ip,cosine,l1}'::text[]) AS m, nanovec.query(m, '[1,1]') AS q;
SELECT nanovec.drop_collection(m) FROM unnest('{l2,ip,cosine,l1}'::text[]) AS m;

-- normalized, whoever inserts; half precision
SELECT nanovec.create_collection('unit', 2, 'l2', normalized => true, type => 'halfvec');
SELECT nanovec.add('unit', '{x}', '{"[3,4]"}');
INSERT INTO unit (id, embedding) VALUES ('y', '[0,5]');
SELECT id, embedding FROM unit ORDER BY id;
SELECT id, round(distance::numeric, 3) FROM nanovec.query('unit', '[0,99]');
SELECT nanovec.drop_collection('unit');

-- errors
SELECT nanovec.create_collection('errors', 3, metadata_schema => '{"year": {"type": "int", "required": true},
	"lang": {"type": "string", "enum": ["en", "de"]}, "score": "float", "ok": "bool"}', promote => '{year,lang,score,ok}');
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec.create_collection('errors', 3)$$,
	$$SELECT nanovec.create_collection('', 3)$$,
	$$SELECT nanovec.create_collection(E'a\nb', 3)$$,
	$$SELECT nanovec.create_collection('x', 0)$$,
	$$SELECT nanovec.create_collection('x', 16001)$$,
	$$SELECT nanovec.create_collection('x', 3, 'manhattan')$$,
	$$SELECT nanovec.create_collection('x', 3, type => 'text')$$,
	$$SELECT nanovec.create_collection('x', 3, index => '{"type": "lsh"}')$$,
	$$SELECT nanovec.create_collection('x', 3, index => '{"type": "hnsw", "lists": 3}')$$,
	$$SELECT nanovec.create_collection('x', 3, index => '{"m": "16) --"}')$$,
	$$SELECT nanovec.create_collection('x', 3, index => '{"storage": "a, b"}')$$,
	$$SELECT nanovec.create_collection('x', 3, 'l1', index => '{"type": "ivf"}')$$,
	$$SELECT nanovec.create_collection('x', 3, index => '{"m": 100000}')$$,
	$$SELECT nanovec.create_collection('x', 3, metadata_schema => '[]')$$,
	$$SELECT nanovec.create_collection('x', 3, metadata_schema => '{"a": "date"}')$$,
	$$SELECT nanovec.create_collection('x', 3, metadata_schema => '{"a": {"typ": "int"}}')$$,
	$$SELECT nanovec.create_collection('x', 3, promote => '{a}')$$,
	$$SELECT nanovec.create_collection('x', 3, metadata_schema => '{"id": "int"}', promote => '{id}')$$,
	$$SELECT nanovec.create_collection('x', 3, tenant => 'nobody')$$,
	$$SELECT nanovec.create_collection('x', 3, metadata => '3')$$,
	$$SELECT nanovec.add('nobody', '{a}', '{"[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{}', '{}')$$,
	$$SELECT nanovec.add('errors', NULL, '{}')$$,
	$$SELECT nanovec.add('errors', '{a,b,a}', '{"[1,2,3]","[1,2,3]","[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{a,NULL}', '{"[1,2,3]","[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{a,""}', '{"[1,2,3]","[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{a,b}', '{"[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', '{x,y}')$$,
	$$SELECT nanovec.add('errors', '{a,b}', '{"[1,2,3]",NULL}')$$,
	$$SELECT nanovec.add('errors', '{a}', NULL)$$,
	$$SELECT nanovec.add('errors', '{a,b}', '{"[1,2,3]","[1,2]"}')$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}')$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['{"year": "2001"}'::jsonb])$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['{"year": 2001.5}'::jsonb])$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['{"year": 1, "lang": "fr"}'::jsonb])$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['{"year": 1, "ok": 1}'::jsonb])$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['{"year": 1e30}'::jsonb])$$,
	$$SELECT nanovec.add('errors', '{a}', '{"[1,2,3]"}', metadatas => ARRAY['[]'::jsonb])$$,
	$$INSERT INTO errors VALUES ('a', '[1,2,3]')$$,
	$$SELECT nanovec.update('errors', '{a}', '{"[1,2]"}')$$,
	$$SELECT nanovec.delete('errors')$$,
	$$SELECT nanovec.delete('errors', filter => '{}')$$,
	$$SELECT nanovec.query('errors', '[1,2]')$$,
	$$SELECT nanovec.query('errors', NULL)$$,
	$$SELECT nanovec.query('errors', '[1,2,3]', 0)$$,
	$$SELECT nanovec.query('errors', '[1,2,3]', include => '{everything}')$$,
	$$SELECT nanovec.query('errors', '[1,2,3]', options => '{"ef": 3}')$$,
	$$SELECT nanovec.query('errors', '[1,2,3]', options => '{"ef_search": "3"}')$$,
	$$SELECT nanovec.query_batch('errors', '{}')$$,
	$$SELECT nanovec.hybrid_query('errors', '[1,2,3]', 'text')$$,
	$$SELECT nanovec.rename_collection('errors', '')$$,
	$$SELECT nanovec.batch_end('errors')$$,
	$$SELECT nanovec.drop_collection('nobody')$$,
	$$SELECT nanovec.create_database('default_database')$$,
	$$SELECT nanovec.drop_tenant('nobody')$$]);
SELECT nanovec.count('errors');
SELECT nanovec.drop_collection('errors');
