--
-- Who may see what
--
CREATE ROLE regress_nv_owner;
CREATE ROLE regress_nv_reader;
CREATE ROLE regress_nv_column;
CREATE ROLE regress_nv_monitor;
CREATE ROLE regress_nv_other;
GRANT pg_stat_scan_tables TO regress_nv_monitor;
CREATE TABLE se_items (id int, tenant name, v vector(3));
INSERT INTO se_items SELECT i, CASE WHEN i <= 10 THEN 'regress_nv_reader' ELSE 'regress_nv_owner' END,
	ARRAY[i, 1, 0]::vector FROM generate_series(1, 40) AS i;
CREATE INDEX se_hnsw ON se_items USING hnsw (v vector_l2_ops);
CREATE INDEX se_ivf ON se_items USING ivf (v vector_l2_ops) WITH (lists = 2);
CREATE INDEX se_btree ON se_items (id);
ALTER TABLE se_items OWNER TO regress_nv_owner;
GRANT SELECT ON se_items TO regress_nv_reader;
GRANT SELECT (v) ON se_items TO regress_nv_column;

-- a command as each of the roles
CREATE FUNCTION pg_temp.as_roles(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	role text;
BEGIN
	FOREACH role IN ARRAY ARRAY['owner', 'reader', 'column', 'monitor', 'other'] LOOP
		EXECUTE 'SET ROLE regress_nv_' || role;
		RETURN NEXT format('%-8s %s', role, test.full_error_of(command));
		RESET ROLE;
	END LOOP;
END $$;

-- nanovec_index_info() is for readers of the table
SELECT i || ' ' || pg_temp.as_roles(format('SELECT count(*) FROM nanovec_index_info(%L)', i))
FROM unnest(ARRAY['se_hnsw', 'se_ivf']) AS i;
-- nanovec_index_check() makes writers wait
SELECT i || ' ' || pg_temp.as_roles(format('SELECT count(*) FROM nanovec_index_check(%L)', i))
FROM unnest(ARRAY['se_hnsw', 'se_ivf']) AS i;
-- what is no index of nanovec is told to those who could look
SELECT pg_temp.as_roles('SELECT count(*) FROM nanovec_index_info(''se_btree'')');
SELECT pg_temp.as_roles('SELECT count(*) FROM nanovec_index_check(''se_items'')');
-- searching needs what any query needs
SELECT pg_temp.as_roles('SELECT v FROM se_items ORDER BY v <-> ''[1,2,3]'' LIMIT 1');

-- nanovec_kmeans() reads with the rights of who calls it
SELECT pg_temp.as_roles('SELECT nanovec_kmeans(''se_items''::regclass, ''v'', 2)');
SELECT pg_temp.as_roles('SELECT nanovec_kmeans(''se_items'', ''v'', 2)');
REVOKE SELECT ON se_items FROM regress_nv_reader;
GRANT SELECT (id) ON se_items TO regress_nv_reader;
SELECT pg_temp.as_roles('SELECT nanovec_kmeans(''se_items'', ''v'', 2)');
GRANT SELECT ON se_items TO regress_nv_reader;

-- and sees the rows that it may see: 1 to 10 of 1 to 40
ALTER TABLE se_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON se_items USING (tenant = current_user);
SET ROLE regress_nv_reader;
SELECT nanovec_kmeans('se_items', 'v', 1);
SELECT count(*) FROM (SELECT id FROM se_items ORDER BY v <-> '[40,1,0]' LIMIT 20) AS s;
RESET ROLE;
SET ROLE regress_nv_owner;
SELECT nanovec_kmeans('se_items', 'v', 1);
RESET ROLE;
-- the plan of one role is not that of another
CREATE VIEW se_view AS SELECT v FROM se_items;
ALTER VIEW se_view OWNER TO regress_nv_owner;
GRANT SELECT ON se_view TO regress_nv_other;
SELECT pg_temp.as_roles('SELECT nanovec_kmeans(''se_view'', ''v'', 2)');

-- no function runs with the rights of another, and bodies in SQL were parsed
-- when the extension was made, whatever is first in the search path
SELECT p.oid::regprocedure, p.prosecdef
FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
	JOIN pg_extension AS e ON e.oid = d.refobjid AND d.deptype = 'e'
WHERE e.extname = 'nanovec' AND p.prokind <> 'a' AND (p.prosecdef OR
	p.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND p.prosqlbody IS NULL);
CREATE SCHEMA se_hostile;
GRANT USAGE ON SCHEMA se_hostile TO public;
CREATE FUNCTION se_hostile.nanovec_kmeans(relation regclass, column_name name, k int, iterations int,
	seed bigint, spherical boolean) RETURNS vector[] LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'the hostile one was called'; END $$;
SET search_path = se_hostile, public;
SELECT public.nanovec_kmeans('public.se_items'::text, 'v', 1, 10, 0, false);
RESET search_path;

DROP SCHEMA se_hostile CASCADE;
DROP VIEW se_view;
DROP TABLE se_items;
DROP ROLE regress_nv_owner, regress_nv_reader, regress_nv_column, regress_nv_monitor, regress_nv_other;
