
-- Rows of collections

CREATE FUNCTION nanovec.check_ids(ids text[])
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	twice text;
BEGIN
	IF coalesce(cardinality(ids), 0) = 0 THEN
		RAISE EXCEPTION 'no ids were given' USING ERRCODE = 'invalid_parameter_value';
	ELSIF array_ndims(ids) <> 1 THEN
		RAISE EXCEPTION 'ids must be an array of one dimension' USING ERRCODE = 'array_subscript_error';
	ELSIF array_position(ids, NULL) IS NOT NULL OR array_position(ids, '') IS NOT NULL THEN
		RAISE EXCEPTION 'an id must be a text that is not empty' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT u INTO twice FROM unnest(ids) AS u GROUP BY u HAVING count(*) > 1 ORDER BY u COLLATE "C" LIMIT 1;
	IF twice IS NOT NULL THEN
		RAISE EXCEPTION 'id "%" was given twice', left(twice, 100) USING ERRCODE = 'cardinality_violation';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_ids(text[]) IS 'an error unless ids are texts, each once';

CREATE FUNCTION nanovec.check_batch(c nanovec.collections, ids text[], embeddings vector[], documents text[],
		metadatas jsonb[], dimensions int)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	what text;
	size int;
	wrong int;
BEGIN
	PERFORM nanovec.check_ids(ids);
	FOR what, size IN VALUES ('embeddings', cardinality(embeddings)), ('documents', cardinality(documents)),
			('metadatas', cardinality(metadatas)) LOOP
		IF size <> cardinality(ids) THEN
			RAISE EXCEPTION '% ids, but % %', cardinality(ids), size, what USING ERRCODE = 'array_subscript_error';
		END IF;
	END LOOP;
	SELECT n INTO wrong FROM unnest(metadatas) WITH ORDINALITY AS u (m, n) WHERE jsonb_typeof(m) <> 'object' ORDER BY n LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'the metadata of id "%" is not a JSON object', left(ids[wrong], 100)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT n INTO wrong FROM unnest(embeddings) WITH ORDINALITY AS u (e, n)
		WHERE e IS NOT NULL AND cardinality(e::real[]) <> dimensions ORDER BY n LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'collection "%" has % dimensions, the embedding of id "%" has %', c.name, dimensions,
			left(ids[wrong], 100), cardinality(embeddings[wrong]::real[]) USING ERRCODE = 'data_exception';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_batch(nanovec.collections, text[], vector[], text[], jsonb[], int) IS 'an error unless rows fit each other and a collection';

-- Check rows for add and upsert; the dimensions that they have become the collection's.
CREATE FUNCTION nanovec.prepare_batch(c nanovec.collections, ids text[], embeddings vector[], documents text[],
		metadatas jsonb[])
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	missing int;
BEGIN
	PERFORM nanovec.check_ids(ids);
	IF embeddings IS NULL THEN
		RAISE EXCEPTION 'no embeddings were given' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT n INTO missing FROM unnest(embeddings) WITH ORDINALITY AS u (e, n) WHERE e IS NULL ORDER BY n LIMIT 1;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'the embedding of id "%" is NULL', left(ids[missing], 100) USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM nanovec.check_batch(c, ids, embeddings, documents, metadatas,
		coalesce(c.dimension, cardinality(embeddings[1]::real[])));
	IF c.dimension IS NULL THEN
		PERFORM nanovec.set_dimension(c.name, cardinality(embeddings[1]::real[]), c.tenant, c.database);
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.prepare_batch(nanovec.collections, text[], vector[], text[], jsonb[]) IS 'checks new rows, and gives a collection their dimensions';

CREATE FUNCTION nanovec.add(collection text, ids text[], embeddings vector[], documents text[] DEFAULT NULL,
		metadatas jsonb[] DEFAULT NULL, tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	added bigint;
BEGIN
	PERFORM nanovec.prepare_batch(c, ids, embeddings, documents, metadatas);
	EXECUTE format('INSERT INTO %s (id, embedding, document, metadata) '
		'SELECT i, e, d, nanovec.merge_metadata(%L, m) FROM unnest($1, $2, $3, $4) AS u (i, e, d, m) '
		'ON CONFLICT (id) DO NOTHING', c.relation, '{}')
		USING ids, embeddings, documents, metadatas;
	GET DIAGNOSTICS added = ROW_COUNT;
	RETURN added;
END $$;
COMMENT ON FUNCTION nanovec.add(text, text[], vector[], text[], jsonb[], text, text) IS 'adds rows; those with ids that are there already stay as they are; returns how many were added';

CREATE FUNCTION nanovec.upsert(collection text, ids text[], embeddings vector[], documents text[] DEFAULT NULL,
		metadatas jsonb[] DEFAULT NULL, tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	changed bigint;
BEGIN
	PERFORM nanovec.prepare_batch(c, ids, embeddings, documents, metadatas);
	EXECUTE format('INSERT INTO %s AS t (id, embedding, document, metadata) '
		'SELECT i, e, d, coalesce(m, %L) FROM unnest($1, $2, $3, $4) AS u (i, e, d, m) '
		'ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, '
		'document = coalesce(excluded.document, t.document), '
		'metadata = nanovec.merge_metadata(t.metadata, excluded.metadata), updated_at = now()', c.relation, '{}')
		USING ids, embeddings, documents, (SELECT array_agg(nanovec.merge_metadata('{}', m) ORDER BY n)
			FROM unnest(metadatas) WITH ORDINALITY AS u (m, n));
	GET DIAGNOSTICS changed = ROW_COUNT;
	RETURN changed;
END $$;
COMMENT ON FUNCTION nanovec.upsert(text, text[], vector[], text[], jsonb[], text, text) IS 'adds rows, or updates those with ids that are there already';

CREATE FUNCTION nanovec.update(collection text, ids text[], embeddings vector[] DEFAULT NULL,
		documents text[] DEFAULT NULL, metadatas jsonb[] DEFAULT NULL, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	updated bigint;
BEGIN
	PERFORM nanovec.check_batch(c, ids, embeddings, documents, metadatas, c.dimension);
	EXECUTE format('UPDATE %s AS t SET embedding = coalesce(u.e::%s.%I, t.embedding), document = coalesce(u.d, t.document), '
		'metadata = nanovec.merge_metadata(t.metadata, u.m), updated_at = now() '
		'FROM unnest($1, $2, $3, $4) AS u (i, e, d, m) WHERE t.id = u.i', c.relation, nanovec.vector_schema(), c.type)
		USING ids, embeddings, documents, metadatas;
	GET DIAGNOSTICS updated = ROW_COUNT;
	RETURN updated;
END $$;
COMMENT ON FUNCTION nanovec.update(text, text[], vector[], text[], jsonb[], text, text) IS 'changes what is not NULL of rows that are there; metadata is merged; returns how many were there';

CREATE FUNCTION nanovec.delete(collection text, ids text[] DEFAULT NULL, filter jsonb DEFAULT NULL,
		document_filter jsonb DEFAULT NULL, tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	deleted bigint;
BEGIN
	IF ids IS NULL AND NULLIF(filter, '{}') IS NULL AND NULLIF(document_filter, '{}') IS NULL THEN
		RAISE EXCEPTION 'nothing says which rows to delete' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give ids, a filter or a document filter.';
	END IF;
	EXECUTE format('DELETE FROM %s WHERE ($1 IS NULL OR id = ANY ($1)) AND %s', c.relation,
		nanovec.condition(c, filter, document_filter)) USING ids;
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END $$;
COMMENT ON FUNCTION nanovec.delete(text, text[], jsonb, jsonb, text, text) IS 'deletes rows by ids, by filters, or by both; returns how many';

-- What a result contains; other columns are NULL.
CREATE FUNCTION nanovec.check_include(include text[])
	RETURNS text[] LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wrong text;
BEGIN
	SELECT i INTO wrong FROM unnest(include) AS i WHERE i NOT IN ('documents', 'metadatas', 'embeddings', 'distances') LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'unknown item "%" to include', wrong USING ERRCODE = 'invalid_parameter_value',
			HINT = 'There are documents, metadatas, embeddings and distances.';
	END IF;
	RETURN coalesce(include, '{}');
END $$;
COMMENT ON FUNCTION nanovec.check_include(text[]) IS 'what a result is to contain, or an error';

-- The columns document, metadata, embedding of a result, as far as included
CREATE FUNCTION nanovec.result_columns(include text[])
	RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%s, %s, %s',
		CASE WHEN 'documents' = ANY (i) THEN 'document' ELSE 'NULL::pg_catalog.text AS document' END,
		CASE WHEN 'metadatas' = ANY (i) THEN 'metadata' ELSE 'NULL::pg_catalog.jsonb AS metadata' END,
		CASE WHEN 'embeddings' = ANY (i) THEN 'embedding::' ELSE 'NULL::' END || s || '.vector AS embedding')
	FROM nanovec.check_include(include) AS i, nanovec.vector_schema() AS s
$$;
COMMENT ON FUNCTION nanovec.result_columns(text[]) IS 'SQL of the columns of a result';

CREATE FUNCTION nanovec.get(collection text, ids text[] DEFAULT NULL, filter jsonb DEFAULT NULL,
		document_filter jsonb DEFAULT NULL, max_rows bigint DEFAULT NULL, skip bigint DEFAULT 0,
		include text[] DEFAULT '{documents,metadatas}', tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS TABLE (id text, document text, metadata jsonb, embedding vector)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
BEGIN
	RETURN QUERY EXECUTE format('SELECT id, %s FROM %s WHERE ($1 IS NULL OR id = ANY ($1)) AND %s '
		'ORDER BY id LIMIT $2 OFFSET $3', nanovec.result_columns(include), c.relation,
		nanovec.condition(c, filter, document_filter)) USING ids, max_rows, skip;
END $$;
COMMENT ON FUNCTION nanovec.get(text, text[], jsonb, jsonb, bigint, bigint, text[], text, text) IS 'rows by ids and filters, in order of id';

CREATE FUNCTION nanovec.peek(collection text, max_rows bigint DEFAULT 10, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS TABLE (id text, document text, metadata jsonb, embedding vector)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT * FROM nanovec.get(collection, max_rows => max_rows, include => '{documents,metadatas,embeddings}',
		tenant => tenant, database => database)
$$;
COMMENT ON FUNCTION nanovec.peek(text, bigint, text, text) IS 'some rows of a collection';

CREATE FUNCTION nanovec.count(collection text, filter jsonb DEFAULT NULL, document_filter jsonb DEFAULT NULL,
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	result bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %s WHERE %s', c.relation, nanovec.condition(c, filter, document_filter))
		INTO result;
	RETURN result;
END $$;
COMMENT ON FUNCTION nanovec.count(text, jsonb, jsonb, text, text) IS 'how many rows a collection has, or filters find';
