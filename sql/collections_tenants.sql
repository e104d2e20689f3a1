--
-- Collections: tenants and databases; who sees what
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nanovec_collections;
RESET client_min_messages;

CREATE ROLE coll_a;
CREATE ROLE coll_b;
CREATE SCHEMA coll_a AUTHORIZATION coll_a;
CREATE SCHEMA coll_b AUTHORIZATION coll_b;
CREATE SCHEMA coll_shared;
GRANT ALL ON SCHEMA coll_shared TO coll_a, coll_b;

SELECT nanovec.create_tenant('a', 'coll_a', 'coll_a'), nanovec.create_tenant('b', 'coll_b', 'coll_b');
SELECT nanovec.create_database('second', 'a');
-- the same name in three places; the superuser's call makes tables of the tenant's owner
SELECT nanovec.create_collection('docs', 2, tenant => 'a'), nanovec.create_collection('docs', 2, tenant => 'a', database => 'second') IS NOT NULL;
SELECT nanovec.add('docs', '{secret}', '{"[1,2]"}', '{of a}', tenant => 'a');

SET ROLE coll_b;
SELECT nanovec.create_collection('docs', 2, tenant => 'b');
SELECT nanovec.add('docs', '{mine}', '{"[1,2]"}', '{of b}', tenant => 'b');
SELECT id FROM nanovec.query('docs', '[1,2]', tenant => 'b');
-- nothing of a can be seen or touched
SELECT name FROM nanovec.tenants ORDER BY 1;
SELECT tenant, name FROM nanovec.databases ORDER BY 1, 2;
SELECT tenant, name FROM nanovec.collections ORDER BY 1, 2;
SELECT name FROM nanovec.list_collections('a');
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec.query('docs', '[1,2]', tenant => 'a')$$,
	$$SELECT nanovec.get('docs', tenant => 'a')$$,
	$$SELECT nanovec.describe_collection('docs', 'a')$$,
	$$SELECT nanovec.drop_collection('docs', 'a')$$,
	$$SELECT nanovec.create_collection('more', 2, tenant => 'a')$$,
	$$SELECT nanovec.create_database('more', 'a')$$,
	$$SELECT nanovec.create_tenant('c', 'coll_a')$$,
	$$SELECT nanovec.create_tenant('a')$$,
	$$SELECT nanovec.drop_tenant('a')$$,
	$$SELECT * FROM coll_a.docs$$,
	$$INSERT INTO nanovec.tenants VALUES ('d')$$,
	$$INSERT INTO nanovec.databases VALUES ('a', 'x')$$,
	$$INSERT INTO nanovec.collections SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'name', 'fake',
		'relation', 'pg_class'::regclass))).* FROM nanovec.collections AS c$$]);
UPDATE nanovec.collections SET name = 'stolen' WHERE tenant = 'a';
DELETE FROM nanovec.collections WHERE tenant = 'a';
RESET ROLE;
SELECT tenant, database, name FROM nanovec.collections ORDER BY 1, 2, 3;

-- in the default tenant, too, a collection belongs to its maker
SET ROLE coll_a;
SELECT nanovec.create_collection('of_a', 2, schema => 'coll_shared');
SELECT id FROM nanovec.query('docs', '[1,2]', tenant => 'a');
SET ROLE coll_b;
SELECT name FROM nanovec.list_collections();
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec.create_collection('of_a', 2, schema => 'coll_shared')$$,
	$$SELECT nanovec.count('of_a')$$]);
-- until that one grants it
SET ROLE coll_a;
GRANT SELECT ON coll_shared.of_a TO coll_b;
SET ROLE coll_b;
SELECT nanovec.count('of_a');
SELECT test.errors_of(ARRAY[
	$$SELECT nanovec.add('of_a', '{x}', '{"[1,2]"}')$$,
	$$SELECT nanovec.delete('of_a', '{x}')$$,
	$$SELECT nanovec.rename_collection('of_a', 'of_b')$$,
	$$SELECT nanovec.set_collection_metadata('of_a', '{}')$$,
	$$SELECT nanovec.batch_begin('of_a')$$,
	$$SELECT nanovec.rebuild('of_a')$$,
	$$SELECT nanovec.drop_collection('of_a')$$]);
-- row security holds in searches
SET ROLE coll_a;
SELECT nanovec.add('of_a', '{x,y}', '{"[1,2]","[1,3]"}', metadatas => ARRAY['{"for": "coll_b"}', '{"for": "coll_a"}']::jsonb[]);
ALTER TABLE coll_shared.of_a ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON coll_shared.of_a USING (metadata ->> 'for' = current_user);
SET ROLE coll_b;
SELECT id FROM nanovec.query('of_a', '[1,3]');
SELECT nanovec.count('of_a');

RESET ROLE;
SELECT test.errors_of(ARRAY[$$SELECT nanovec.drop_tenant('a')$$, $$SELECT nanovec.drop_database('second', 'a')$$]);
SELECT nanovec.drop_collection('docs', 'a', 'second'), nanovec.drop_collection('docs', 'a'),
	nanovec.drop_collection('docs', 'b'), nanovec.drop_collection('of_a');
SELECT nanovec.drop_database('second', 'a'), nanovec.drop_tenant('a'), nanovec.drop_tenant('b');
SELECT tenant, name FROM nanovec.databases;
DROP SCHEMA coll_a, coll_b, coll_shared;
DROP ROLE coll_a, coll_b;

-- A hostile name is a name.
SELECT nanovec.create_collection(n, 2) IS NOT NULL FROM unnest(ARRAY['a"; DROP TABLE x; --', 'a$1', 'a''b', '%s%I', 'ÄÖ漢']) AS n;
SELECT n, nanovec.add(n, '{a}', '{"[1,2]"}') FROM unnest(ARRAY['a"; DROP TABLE x; --', 'a$1', 'a''b', '%s%I', 'ÄÖ漢']) AS n;
SELECT n, nanovec.count(n), (SELECT id FROM nanovec.query(n, '[1,2]')),
	(SELECT recall FROM nanovec.recall(n, 1)) FROM unnest(ARRAY['a"; DROP TABLE x; --', 'a$1', 'a''b', '%s%I', 'ÄÖ漢']) AS n;
SELECT nanovec.drop_collection(n) FROM unnest(ARRAY['a"; DROP TABLE x; --', 'a$1', 'a''b', '%s%I', 'ÄÖ漢']) AS n;

-- nanovec can be moved
CREATE SCHEMA coll_elsewhere;
SELECT nanovec.create_collection('moved', 2, 'l2', normalized => true);
SELECT nanovec.add('moved', '{a}', '{"[3,4]"}');
ALTER EXTENSION nanovec SET SCHEMA coll_elsewhere;
SELECT nanovec.upsert('moved', '{b}', '{"[4,3]"}'), nanovec.create_collection('other', 2);
SELECT id, round(distance::numeric, 3) AS distance FROM nanovec.query('moved', '[0,1]');
ALTER EXTENSION nanovec SET SCHEMA public;
SELECT nanovec.drop_collection('moved'), nanovec.drop_collection('other');
DROP SCHEMA coll_elsewhere;

-- tables outlive the extension
SELECT nanovec.create_collection('kept', 2);
DROP EXTENSION nanovec_collections;
SELECT count(*) FROM kept;
DROP TABLE kept;
