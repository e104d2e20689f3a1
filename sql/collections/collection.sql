
-- Collections: making, listing, changing and dropping them

-- A name for the table: the collection's own, unless something has it already
CREATE FUNCTION nanovec.table_name(schema name, name text, id uuid)
	RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	short text := name;
BEGIN
	WHILE octet_length(short) > 48 LOOP
		short := left(short, -1);
	END LOOP;
	IF short = name AND to_regclass(format('%I.%I', schema, short)) IS NULL
		AND to_regtype(format('%I.%I', schema, short)) IS NULL THEN
		RETURN short;
	END IF;
	RETURN short || '_' || left(id::text, 8);
END $$;
COMMENT ON FUNCTION nanovec.table_name(name, text, uuid) IS 'a name for the table of a new collection';

CREATE FUNCTION nanovec.check_promoted(metadata_schema jsonb, promote text[])
	RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result jsonb := '{}';
	field text;
	kind text;
BEGIN
	FOREACH field IN ARRAY coalesce(promote, '{}') LOOP
		kind := metadata_schema -> field ->> 'type';
		IF field IS NULL OR field IN ('', 'id', 'embedding', 'document', 'metadata', 'created_at', 'updated_at',
			'tableoid', 'ctid', 'xmin', 'xmax', 'cmin', 'cmax') OR octet_length(field) > 63 THEN
			RAISE EXCEPTION 'metadata field "%" cannot be promoted', field USING ERRCODE = 'invalid_parameter_value',
				HINT = 'A promoted field is a column: its name must differ from those of others, and have 63 bytes at most.';
		ELSIF kind IS NULL OR kind NOT IN ('int', 'float', 'string', 'bool') THEN
			RAISE EXCEPTION 'the type of promoted metadata field "%" must be known', field
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'Give it in the metadata schema: int, float, string or bool.';
		END IF;
		result := result || jsonb_build_object(field, kind);
	END LOOP;
	RETURN result;
END $$;
COMMENT ON FUNCTION nanovec.check_promoted(jsonb, text[]) IS 'promoted fields and their types';

CREATE FUNCTION nanovec.check_name(name text, metric text, type text, dimension int)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF name IS NULL OR name = '' OR length(name) > 512 OR name ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'the name of a collection must have 1 to 512 characters, none of them a control character'
			USING ERRCODE = 'invalid_name';
	ELSIF metric IS NULL OR metric NOT IN ('l2', 'ip', 'cosine', 'l1') THEN
		RAISE EXCEPTION 'unknown metric "%"', metric USING ERRCODE = 'invalid_parameter_value',
			HINT = 'There are l2, ip, cosine and l1.';
	ELSIF type IS NULL OR type NOT IN ('vector', 'halfvec') THEN
		RAISE EXCEPTION 'unknown type of vectors "%"', type USING ERRCODE = 'invalid_parameter_value',
			HINT = 'There are vector and halfvec.';
	ELSIF dimension NOT BETWEEN 1 AND 16000 THEN
		RAISE EXCEPTION 'a collection can have 1 to 16000 dimensions, not %', dimension
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_name(text, text, text, int) IS 'an error unless a collection can be so';

-- Rows are normalized whoever inserts them.
CREATE FUNCTION nanovec.normalize_row()
	RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	EXECUTE format('SELECT %s.l2_normalize($1)', nanovec.vector_schema()) INTO NEW.embedding USING NEW.embedding;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION nanovec.normalize_row() IS 'trigger: gives embeddings the length 1';

-- The table of a collection
CREATE FUNCTION nanovec.create_table(c nanovec.collections, full_name text)
	RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	field text;
	kind text;
BEGIN
	EXECUTE format('CREATE TABLE %s (id text COLLATE "C" PRIMARY KEY CHECK (id <> %L), embedding %s.%I%s NOT NULL, '
		'document text, metadata jsonb NOT NULL DEFAULT %L CHECK (jsonb_typeof(metadata) = %L), '
		'created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now())',
		full_name, '', nanovec.vector_schema(), c.type, '(' || c.dimension || ')', '{}', 'object');
	FOR field, kind IN SELECT * FROM jsonb_each_text(c.promoted) LOOP
		PERFORM nanovec.promote(full_name::regclass, field, kind);
	END LOOP;
	IF c.metadata_schema <> '{}' THEN
		EXECUTE format('ALTER TABLE %s ADD CONSTRAINT metadata_schema CHECK (nanovec.check_metadata(metadata, %L))',
			full_name, c.metadata_schema);
	END IF;
	IF c.normalized THEN
		EXECUTE format('CREATE TRIGGER normalize BEFORE INSERT OR UPDATE OF embedding ON %s '
			'FOR EACH ROW EXECUTE FUNCTION nanovec.normalize_row()', full_name);
	END IF;
	EXECUTE format('CREATE INDEX ON %s USING gin (metadata jsonb_path_ops)', full_name);
	IF c.text_search IS NOT NULL THEN
		EXECUTE format('CREATE INDEX ON %s USING gin (to_tsvector(%L::regconfig, coalesce(document, %L)))',
			full_name, c.text_search, '');
	END IF;
	RETURN full_name::regclass;
END $$;
COMMENT ON FUNCTION nanovec.create_table(nanovec.collections, text) IS 'makes the table of a collection';

CREATE FUNCTION nanovec.create_collection(name text, dimension int DEFAULT NULL, metric text DEFAULT 'cosine',
		index jsonb DEFAULT '{}', metadata_schema jsonb DEFAULT '{}', promote text[] DEFAULT '{}',
		normalized boolean DEFAULT false, type text DEFAULT 'vector', text_search regconfig DEFAULT NULL,
		metadata jsonb DEFAULT '{}', tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database',
		schema name DEFAULT current_schema())
	RETURNS regclass LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	c nanovec.collections;
	t nanovec.tenants;
BEGIN
	PERFORM nanovec.check_name(name, metric, type, dimension);
	SELECT o.* INTO t FROM nanovec.tenants AS o JOIN nanovec.databases AS d ON d.tenant = o.name
		WHERE o.name = tenant AND d.name = database;
	IF t.name IS NULL THEN
		RAISE EXCEPTION 'database "%" of tenant "%" does not exist', database, tenant USING ERRCODE = 'undefined_object',
			HINT = 'Make it with nanovec.create_tenant() and nanovec.create_database().';
	END IF;
	IF jsonb_typeof(metadata) <> 'object' THEN
		RAISE EXCEPTION 'metadata of a collection must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- one whose table was dropped
	DELETE FROM nanovec.collections AS x WHERE (x.tenant, x.database, x.name) = (tenant, database, name)
		AND NOT EXISTS (SELECT FROM pg_class AS r WHERE r.oid = x.relation);

	c.id := gen_random_uuid();
	c.tenant := tenant;
	c.database := database;
	c.name := name;
	c.dimension := dimension;
	c.type := type;
	c.metric := metric;
	c.normalized := coalesce(normalized, false);
	c.index := nanovec.normal_index(coalesce(index, '{}'), metric);
	c.metadata_schema := nanovec.normal_schema(coalesce(metadata_schema, '{}'));
	c.promoted := nanovec.check_promoted(c.metadata_schema, promote);
	c.text_search := text_search::text;
	c.metadata := coalesce(metadata, '{}');
	c.batches := 0;
	c.loading := false;
	c.created_at := now();
	schema := coalesce(t.schema, schema);
	IF schema IS NULL THEN
		RAISE EXCEPTION 'no schema has been selected to create in' USING ERRCODE = 'invalid_schema_name';
	END IF;
	-- two that make the same collection at a time: the second waits, and sees the first
	PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'nanovec', tenant, database, name), 0));
	PERFORM FROM nanovec.collections AS x WHERE (x.tenant, x.database, x.name) = (tenant, database, name);
	IF FOUND THEN
		RAISE EXCEPTION 'collection "%" already exists', name USING ERRCODE = 'duplicate_table';
	END IF;
	c.relation := nanovec.create_table(c, format('%I.%I', schema, nanovec.table_name(schema, name, c.id)));
	PERFORM nanovec.create_vector_index(c);
	BEGIN
		INSERT INTO nanovec.collections SELECT c.*;
	EXCEPTION WHEN unique_violation THEN
		RAISE EXCEPTION 'collection "%" already exists', name USING ERRCODE = 'duplicate_table',
			HINT = 'It belongs to somebody whose tables you may not read.';
	END;
	IF t.owner IS NOT NULL THEN
		EXECUTE format('ALTER TABLE %s OWNER TO %s', c.relation, t.owner);
	END IF;
	RETURN c.relation;
END $$;
COMMENT ON FUNCTION nanovec.create_collection(text, int, text, jsonb, jsonb, text[], boolean, text, regconfig, jsonb, text, text, name)
	IS 'makes a collection and returns its table';

-- What is known of a collection, without reading its rows
CREATE FUNCTION nanovec.list_collections(tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS SETOF nanovec.collections LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.* FROM nanovec.collections AS c JOIN pg_class AS r ON r.oid = c.relation
		WHERE c.tenant = list_collections.tenant AND c.database = list_collections.database
		ORDER BY c.name COLLATE "C"
$$;
COMMENT ON FUNCTION nanovec.list_collections(text, text) IS 'the collections that one may read';

CREATE FUNCTION nanovec.describe_collection(name text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	RETURN to_jsonb(c) || (SELECT jsonb_build_object('relation', format('%I.%I', n.nspname, r.relname),
			'owner', pg_get_userbyid(r.relowner), 'vector_schema', nanovec.vector_schema(),
			'vector_index', (SELECT format('%I.%I', m.nspname, i.relname) FROM pg_class AS i
				JOIN pg_namespace AS m ON m.oid = i.relnamespace WHERE i.oid = nanovec.vector_index(c.relation)))
		FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = c.relation);
END $$;
COMMENT ON FUNCTION nanovec.describe_collection(text, text, text) IS 'what a collection is, and where its rows are';

CREATE FUNCTION nanovec.rename_collection(name text, new_name text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	PERFORM nanovec.check_name(new_name, c.metric, c.type, c.dimension);
	UPDATE nanovec.collections AS x SET name = new_name WHERE x.id = c.id;
	PERFORM nanovec.check_changed(FOUND, c.name);
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'collection "%" already exists', new_name USING ERRCODE = 'duplicate_table';
END $$;
COMMENT ON FUNCTION nanovec.rename_collection(text, text, text, text) IS 'gives a collection another name; its table keeps its own';

CREATE FUNCTION nanovec.set_collection_metadata(name text, metadata jsonb, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	IF jsonb_typeof(set_collection_metadata.metadata) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'metadata of a collection must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	UPDATE nanovec.collections AS x SET metadata = set_collection_metadata.metadata WHERE x.id = c.id;
	PERFORM nanovec.check_changed(FOUND, c.name);
END $$;
COMMENT ON FUNCTION nanovec.set_collection_metadata(text, jsonb, text, text) IS 'replaces the metadata of a collection as a whole';

CREATE FUNCTION nanovec.drop_collection(name text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	EXECUTE format('DROP TABLE %s', c.relation);
	DELETE FROM nanovec.collections AS x WHERE x.id = c.id;
END $$;
COMMENT ON FUNCTION nanovec.drop_collection(text, text, text) IS 'drops a collection with its table';

-- The first row says how many dimensions there are.
CREATE FUNCTION nanovec.set_dimension(name text, dimension int, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(name, tenant, database);
BEGIN
	PERFORM nanovec.check_name(c.name, c.metric, c.type, set_dimension.dimension);
	c := nanovec.find_locked(name, tenant, database, 'ACCESS EXCLUSIVE');
	IF c.dimension IS NOT NULL THEN
		RETURN;
	END IF;
	EXECUTE format('ALTER TABLE %s ALTER embedding TYPE %s.%I(%s)', c.relation, nanovec.vector_schema(), c.type,
		set_dimension.dimension);
	UPDATE nanovec.collections AS x SET dimension = set_dimension.dimension WHERE x.id = c.id RETURNING x.* INTO c;
	PERFORM nanovec.check_changed(FOUND, set_dimension.name);
	PERFORM nanovec.create_vector_index(c);
END $$;
COMMENT ON FUNCTION nanovec.set_dimension(text, int, text, text) IS 'says how many dimensions a collection has, if nobody has yet';
