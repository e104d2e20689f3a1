-- The registry.  A collection is an ordinary table; a row here says how it is
-- meant.  Nothing in this extension is SECURITY DEFINER: all is done with the
-- rights of whoever calls, and a collection is visible to those who may read
-- its table.

CREATE TABLE nanovec.tenants (
	name text PRIMARY KEY CHECK (name <> '' AND length(name) <= 512),
	-- the role that owns the tables of this tenant's collections; NULL: whoever makes them
	owner regrole,
	-- where its tables are made; NULL: where whoever makes them makes tables
	schema name,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nanovec.tenants IS 'names under which collections are kept apart, and the role that owns their tables';

CREATE TABLE nanovec.databases (
	tenant text NOT NULL REFERENCES nanovec.tenants ON UPDATE CASCADE ON DELETE CASCADE,
	name text NOT NULL CHECK (name <> '' AND length(name) <= 512),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, name)
);
COMMENT ON TABLE nanovec.databases IS 'groups of collections within a tenant';

CREATE TABLE nanovec.collections (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	tenant text NOT NULL,
	database text NOT NULL,
	name text NOT NULL,
	relation regclass NOT NULL UNIQUE,
	-- NULL until the first row comes
	dimension int,
	type text NOT NULL,
	metric text NOT NULL,
	normalized boolean NOT NULL,
	-- type, options of the index, and how to search it
	index jsonb NOT NULL,
	metadata_schema jsonb NOT NULL,
	-- metadata fields that have a column of their own, and its type
	promoted jsonb NOT NULL,
	-- the text search configuration of documents, or NULL
	text_search text,
	metadata jsonb NOT NULL,
	-- how many batches are open, during which there is no index
	batches int NOT NULL DEFAULT 0 CHECK (batches >= 0),
	-- whether a first load is under way, after which there will be an index
	loading boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (tenant, database, name),
	FOREIGN KEY (tenant, database) REFERENCES nanovec.databases ON UPDATE CASCADE ON DELETE RESTRICT
);
COMMENT ON TABLE nanovec.collections IS 'what each collection is, and which table holds its rows';

INSERT INTO nanovec.tenants (name) VALUES ('default_tenant');
INSERT INTO nanovec.databases (tenant, name) VALUES ('default_tenant', 'default_database');

SELECT pg_catalog.pg_extension_config_dump('nanovec.tenants', $$WHERE name <> 'default_tenant'$$);
SELECT pg_catalog.pg_extension_config_dump('nanovec.databases',
	$$WHERE (tenant, name) <> ('default_tenant', 'default_database')$$);
SELECT pg_catalog.pg_extension_config_dump('nanovec.collections', '');

-- A row whose table was dropped stands in nobody's way.
ALTER TABLE nanovec.collections ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON nanovec.collections FOR SELECT
	USING (has_table_privilege(relation, 'SELECT') IS NOT FALSE);
CREATE POLICY made ON nanovec.collections FOR INSERT
	WITH CHECK (pg_has_role((SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE'));
CREATE POLICY changed ON nanovec.collections FOR UPDATE
	USING (pg_has_role((SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE'));
CREATE POLICY dropped ON nanovec.collections FOR DELETE
	USING (pg_has_role((SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE') IS NOT FALSE);

ALTER TABLE nanovec.tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON nanovec.tenants USING (owner IS NULL OR pg_has_role(owner::oid, 'USAGE'))
	WITH CHECK (owner IS NOT NULL AND pg_has_role(owner::oid, 'USAGE'));

ALTER TABLE nanovec.databases ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON nanovec.databases USING (EXISTS (SELECT FROM nanovec.tenants AS t WHERE t.name = tenant));

GRANT USAGE ON SCHEMA nanovec TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON nanovec.tenants, nanovec.databases, nanovec.collections TO PUBLIC;

CREATE FUNCTION nanovec.create_tenant(name text, owner regrole DEFAULT NULL, schema name DEFAULT NULL)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO nanovec.tenants VALUES (create_tenant.name, coalesce(owner, current_user::regrole), schema);
	INSERT INTO nanovec.databases VALUES (create_tenant.name, 'default_database');
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'tenant "%" already exists', create_tenant.name USING ERRCODE = 'duplicate_object';
END $$;
COMMENT ON FUNCTION nanovec.create_tenant(text, regrole, name) IS 'makes a tenant, whose tables belong to a role, and its default database';

CREATE FUNCTION nanovec.drop_tenant(name text)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM nanovec.tenants AS t WHERE t.name = drop_tenant.name AND t.owner IS NOT NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'tenant "%" does not exist', drop_tenant.name USING ERRCODE = 'undefined_object';
	END IF;
EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN	-- which of them depends on the version
	RAISE EXCEPTION 'tenant "%" has collections', drop_tenant.name
		USING ERRCODE = 'dependent_objects_still_exist', HINT = 'Drop them first.';
END $$;
COMMENT ON FUNCTION nanovec.drop_tenant(text) IS 'removes a tenant that has no collections';

CREATE FUNCTION nanovec.create_database(name text, tenant text DEFAULT 'default_tenant')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM FROM nanovec.tenants AS t WHERE t.name = create_database.tenant;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'tenant "%" does not exist', create_database.tenant USING ERRCODE = 'undefined_object';
	END IF;
	INSERT INTO nanovec.databases VALUES (create_database.tenant, create_database.name);
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'database "%" already exists', create_database.name USING ERRCODE = 'duplicate_object';
END $$;
COMMENT ON FUNCTION nanovec.create_database(text, text) IS 'makes a database within a tenant';

CREATE FUNCTION nanovec.drop_database(name text, tenant text DEFAULT 'default_tenant')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM nanovec.databases AS d WHERE d.name = drop_database.name AND d.tenant = drop_database.tenant;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'database "%" does not exist', drop_database.name USING ERRCODE = 'undefined_object';
	END IF;
EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN	-- which of them depends on the version
	RAISE EXCEPTION 'database "%" has collections', drop_database.name
		USING ERRCODE = 'dependent_objects_still_exist', HINT = 'Drop them first.';
END $$;
COMMENT ON FUNCTION nanovec.drop_database(text, text) IS 'removes a database that has no collections';

-- The row of a collection, or an error.
CREATE FUNCTION nanovec.find(name text, tenant text, database text)
	RETURNS nanovec.collections LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_one nanovec.collections;
BEGIN
	SELECT c.* INTO found_one FROM nanovec.collections AS c JOIN pg_class AS r ON r.oid = c.relation
		WHERE (c.tenant, c.database, c.name) = (find.tenant, find.database, find.name);
	IF found_one.id IS NULL THEN
		RAISE EXCEPTION 'collection "%" does not exist', find.name USING ERRCODE = 'undefined_table',
			HINT = 'nanovec.list_collections() shows those that you may read.';
	END IF;
	RETURN found_one;
END $$;
COMMENT ON FUNCTION nanovec.find(text, text, text) IS 'the registry''s row of a collection';

-- Clients that know a collection by its id ask for its name first.
CREATE FUNCTION nanovec.collection_name(id uuid, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	found_name text;
BEGIN
	SELECT c.name INTO found_name FROM nanovec.collections AS c JOIN pg_class AS r ON r.oid = c.relation
		WHERE (c.tenant, c.database, c.id) = (collection_name.tenant, collection_name.database, collection_name.id);
	IF found_name IS NULL THEN
		RAISE EXCEPTION 'collection with id % does not exist', collection_name.id USING ERRCODE = 'undefined_table',
			HINT = 'nanovec.list_collections() shows those that you may read.';
	END IF;
	RETURN found_name;
END $$;
COMMENT ON FUNCTION nanovec.collection_name(uuid, text, text) IS 'the name of a collection, by its id';

-- The same once its table is locked.  It is read again then: what another transaction
-- changed meanwhile must not be written over with what was there before.
CREATE FUNCTION nanovec.find_locked(name text, tenant text, database text, mode text)
	RETURNS nanovec.collections LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	EXECUTE format('LOCK TABLE %s IN %s MODE', c.relation, mode);
	RETURN nanovec.find(name, tenant, database);
END $$;
COMMENT ON FUNCTION nanovec.find_locked(text, text, text, text) IS 'the registry''s row of a collection, whose table is locked';

CREATE FUNCTION nanovec.check_changed(done boolean, name text)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT done THEN
		RAISE EXCEPTION 'must be owner of collection "%"', name USING ERRCODE = 'insufficient_privilege';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_changed(boolean, text) IS 'an error unless the registry''s row of a collection was changed';

-- The schema of nanovec's types and operators, quoted: nanovec can be moved.
CREATE FUNCTION nanovec.vector_schema()
	RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
		WHERE e.extname = 'nanovec'
$$;
COMMENT ON FUNCTION nanovec.vector_schema() IS 'the schema that nanovec is in, quoted';

-- How far an import of a file has come, written with the rows themselves
CREATE TABLE nanovec.imports (
	collection uuid NOT NULL REFERENCES nanovec.collections ON DELETE CASCADE,
	source text NOT NULL,
	rows_read bigint NOT NULL DEFAULT 0,
	rows_bad bigint NOT NULL DEFAULT 0,
	in_batch boolean NOT NULL,
	changed_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (collection, source)
);
COMMENT ON TABLE nanovec.imports IS 'imports that have not come to their end, and where they go on';
ALTER TABLE nanovec.imports ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON nanovec.imports USING (EXISTS (SELECT FROM nanovec.collections AS c WHERE c.id = collection));
GRANT SELECT, INSERT, UPDATE, DELETE ON nanovec.imports TO PUBLIC;
