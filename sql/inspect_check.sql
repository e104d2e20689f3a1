--
-- nanovec_index_check() compares attributes with those of the table's rows: what raises
-- no alarm.  What does is in test/t/009_index_damage.pl.
--
CREATE ROLE ic_owner;
CREATE TABLE ic_items (id int PRIMARY KEY, v vector(4), a int, t text, g int[], n numeric, pad int)
	WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO ic_items SELECT i, ARRAY[i % 50, sin(i), cos(i), 1]::vector, i % 10, 'text ' || i % 7,
	ARRAY[i % 3, i % 5], i / 3.0, 0 FROM generate_series(1, 1500) AS i;
-- a function that says who calls it: the check does so as the owner, as CREATE INDEX does
CREATE FUNCTION ic_who(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN RETURN current_user || ' ' || $1; END $$;
CREATE INDEX ic_hnsw ON ic_items USING hnsw (v vector_l2_ops, a, t, g, n, (a + 1));
CREATE INDEX ic_ivf ON ic_items USING ivf (v vector_l2_ops, a, t, g, n, (a + 1)) WITH (lists = 5);
CREATE INDEX ic_flat ON ic_items USING ivfflat (v vector_l2_ops, a, t, (a + 1)) WITH (lists = 5) WHERE a > 2;
CREATE FUNCTION ic_problems() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT index || ': ' || problem FROM unnest(ARRAY['ic_hnsw', 'ic_ivf', 'ic_flat']) AS index,
		nanovec_index_check(index) $$;
-- versions in the place of others and elsewhere, dead rows, NULLs
UPDATE ic_items SET pad = pad + 1 WHERE id % 3 = 0;
UPDATE ic_items SET pad = pad + 1 WHERE id % 3 = 0;
UPDATE ic_items SET a = a + 1, t = NULL WHERE id % 7 = 0;
UPDATE ic_items SET g = NULL, n = 'NaN', a = NULL WHERE id % 13 = 0;
DELETE FROM ic_items WHERE id % 11 = 0;
SELECT pg_stat_force_next_flush();
SELECT n_tup_hot_upd > 100 AS hot FROM pg_stat_user_tables WHERE relname = 'ic_items';
SELECT ic_problems();
VACUUM ic_items;
SELECT ic_problems();
INSERT INTO ic_items SELECT 5000 + id, v, a, t, g, -n, 1 FROM ic_items WHERE id % 11 < 3;
-- what this transaction did, and what it then does not do
BEGIN;
UPDATE ic_items SET pad = 7, a = CASE WHEN id % 2 = 0 THEN 100 ELSE a END;
SELECT ic_problems();
ROLLBACK;
SELECT ic_problems();
-- an index of a transaction that changed rows before: versions that it does not know
DROP INDEX ic_flat;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) > 0 AS some FROM ic_items;
UPDATE ic_items SET pad = pad + 5;
CREATE INDEX ic_flat ON ic_items USING ivfflat (v vector_l2_ops, pad) WITH (lists = 5);
SELECT ic_problems();
COMMIT;
SELECT ic_problems();
-- each row's own words are computed as the owner
ALTER TABLE ic_items OWNER TO ic_owner;
CREATE INDEX ic_named ON ic_items USING hnsw (v vector_l2_ops, ic_who(t));
SELECT count(*) AS problems, current_user <> 'ic_owner' AS not_the_owner FROM nanovec_index_check('ic_named');
INSERT INTO ic_items SELECT 9000, v, a, t FROM ic_items WHERE id = 1;
SELECT problem ~ 'has other attributes in the index than in the table' AS differs FROM nanovec_index_check('ic_named');
DROP TABLE ic_items;
DROP FUNCTION ic_problems;
DROP FUNCTION ic_who;
DROP ROLE ic_owner;
