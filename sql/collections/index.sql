
-- The index of a collection

-- {type: hnsw | ivf | none} and the options of each, checked
CREATE FUNCTION nanovec.normal_index(index jsonb, metric text)
	RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kind text := coalesce(index ->> 'type', 'hnsw');
	allowed text[];
	key text;
	value jsonb;
BEGIN
	IF jsonb_typeof(index) <> 'object' THEN
		RAISE EXCEPTION 'index options must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For example {"type": "ivf", "n_clusters": 1000}.';
	END IF;
	allowed := CASE kind WHEN 'hnsw' THEN '{type,m,ef_construction,storage,ef_search}'::text[]
		WHEN 'ivf' THEN '{type,n_clusters,quantizer,n_probe}' WHEN 'none' THEN '{type}' END;
	IF allowed IS NULL THEN
		RAISE EXCEPTION 'unknown index type "%"', kind USING ERRCODE = 'invalid_parameter_value',
			HINT = 'There are hnsw, ivf and none.';
	ELSIF kind = 'ivf' AND metric = 'l1' THEN
		RAISE EXCEPTION 'index type ivf has no metric l1' USING ERRCODE = 'invalid_parameter_value', HINT = 'hnsw has.';
	END IF;
	FOR key, value IN SELECT * FROM jsonb_each(index) LOOP
		IF key <> ALL (allowed) THEN
			RAISE EXCEPTION 'unknown option "%" of index type %', key, kind USING ERRCODE = 'invalid_parameter_value',
				HINT = format('There are %s.', array_to_string(allowed, ', '));
		ELSIF key IN ('storage', 'quantizer') AND (jsonb_typeof(value) <> 'string' OR value #>> '{}' !~ '^[a-z0-9]+$') THEN
			RAISE EXCEPTION 'option "%" of an index must be a word', key USING ERRCODE = 'invalid_parameter_value';
		ELSIF key NOT IN ('type', 'storage', 'quantizer') AND nanovec.json_kind(value) <> 'int' THEN
			RAISE EXCEPTION 'option "%" of an index must be an integer', key USING ERRCODE = 'invalid_parameter_value';
		END IF;
	END LOOP;
	RETURN index || jsonb_build_object('type', kind);
END $$;
COMMENT ON FUNCTION nanovec.normal_index(jsonb, text) IS 'index options in full, or an error that says what is wrong with them';

CREATE FUNCTION nanovec.vector_index(relation regclass)
	RETURNS regclass LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
		JOIN pg_am AS a ON a.oid = c.relam
		WHERE i.indrelid = relation AND a.amname IN ('hnsw', 'ivf', 'ivfflat') AND i.indisvalid
		ORDER BY i.indexrelid LIMIT 1
$$;
COMMENT ON FUNCTION nanovec.vector_index(regclass) IS 'the index of a table by which vectors are found, or NULL';

-- Filters are served by the index of vectors itself: by promoted fields, as far as there is
-- room for them, and by what @> finds in the metadata.
CREATE FUNCTION nanovec.filter_columns(c nanovec.collections)
	RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(string_agg(format(', %I', field), '' ORDER BY place), '') || ', metadata'
	FROM (SELECT field, place FROM jsonb_object_keys(c.promoted) WITH ORDINALITY AS p (field, place)
		ORDER BY place LIMIT 7) AS promoted
	HAVING (SELECT pg_indexam_has_property(oid, 'can_multi_col') FROM pg_am WHERE amname = c.index ->> 'type')
$$;
COMMENT ON FUNCTION nanovec.filter_columns(nanovec.collections) IS 'columns that the index of a collection has beside the vectors, in SQL';

CREATE FUNCTION nanovec.create_vector_index(c nanovec.collections)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	options text;
BEGIN
	IF c.index ->> 'type' = 'none' OR c.dimension IS NULL OR c.batches > 0 OR c.loading
		OR nanovec.vector_index(c.relation) IS NOT NULL THEN
		RETURN;
	END IF;
	SELECT string_agg(format('%I = %s', CASE key WHEN 'n_clusters' THEN 'lists' ELSE key END, value), ', ' ORDER BY key)
		INTO options FROM jsonb_each_text(c.index) WHERE key NOT IN ('type', 'ef_search', 'n_probe');
	EXECUTE format('CREATE INDEX ON %s USING %I (embedding %s.%I%s)%s', c.relation, c.index ->> 'type',
		nanovec.vector_schema(), c.type || '_' || c.metric || '_ops', nanovec.filter_columns(c),
		coalesce(' WITH (' || options || ')', ''));
END $$;
COMMENT ON FUNCTION nanovec.create_vector_index(nanovec.collections) IS 'makes the index that a collection is to have, unless it is there';

CREATE FUNCTION nanovec.drop_vector_index(c nanovec.collections)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	WHILE nanovec.vector_index(c.relation) IS NOT NULL LOOP
		EXECUTE format('DROP INDEX %s', nanovec.vector_index(c.relation));
	END LOOP;
END $$;
COMMENT ON FUNCTION nanovec.drop_vector_index(nanovec.collections) IS 'drops the index of a collection';

-- A field of metadata becomes a typed column with an index, which finds rows without
-- vectors, too.
CREATE FUNCTION nanovec.promote(relation regclass, field text, kind text)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	value text := format('(metadata ->> %L)', field);
	json_type text := CASE kind WHEN 'string' THEN 'string' WHEN 'bool' THEN 'boolean' ELSE 'number' END;
BEGIN
	value := CASE kind WHEN 'int' THEN value || '::numeric::int8' WHEN 'float' THEN value || '::float8'
		WHEN 'bool' THEN value || '::bool' ELSE value END;
	EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s GENERATED ALWAYS AS '
		'(CASE WHEN jsonb_typeof(metadata -> %L) = %L THEN %s END) STORED', relation, field,
		CASE kind WHEN 'int' THEN 'int8' WHEN 'float' THEN 'float8' WHEN 'bool' THEN 'bool' ELSE 'text COLLATE "C"' END,
		field, json_type, value);
	EXECUTE format('CREATE INDEX ON %s (%I)', relation, field);
END $$;
COMMENT ON FUNCTION nanovec.promote(regclass, text, text) IS 'gives a metadata field of a table a column and an index';

-- Settings of a search, for the rest of the transaction; returns what they were
CREATE FUNCTION nanovec.search_settings(settings jsonb)
	RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	old jsonb := '{}';
	key text;
	value text;
BEGIN
	FOR key, value IN SELECT * FROM jsonb_each_text(settings) LOOP
		old := old || jsonb_build_object(key, current_setting(key, true));
		IF value IS NULL THEN
			EXECUTE format('RESET %s.%I', split_part(key, '.', 1), split_part(key, '.', 2));
		ELSE
			PERFORM set_config(key, value, true);
		END IF;
	END LOOP;
	RETURN old;
END $$;
COMMENT ON FUNCTION nanovec.search_settings(jsonb) IS 'sets settings for the transaction, and returns what they were';

-- What a collection and a call want set
CREATE FUNCTION nanovec.wanted_settings(c nanovec.collections, options jsonb)
	RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wrong text;
	wanted jsonb := c.index || coalesce(options, '{}');
BEGIN
	SELECT k INTO wrong FROM jsonb_object_keys(options) AS k WHERE k NOT IN ('ef_search', 'n_probe') LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'unknown search option "%"', wrong USING ERRCODE = 'invalid_parameter_value',
			HINT = 'There are ef_search, for hnsw, and n_probe, for ivf.';
	ELSIF nanovec.json_kind(wanted -> 'ef_search') <> 'int' OR nanovec.json_kind(wanted -> 'n_probe') <> 'int' THEN
		RAISE EXCEPTION 'ef_search and n_probe must be integers' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN jsonb_strip_nulls(jsonb_build_object('hnsw.ef_search', wanted -> 'ef_search', 'ivf.probes', wanted -> 'n_probe'));
END $$;
COMMENT ON FUNCTION nanovec.wanted_settings(nanovec.collections, jsonb) IS 'settings of a search in a collection';
