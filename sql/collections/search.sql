
-- Searching

-- The distance of a metric as collections give it: l2 is the square, ip is 1 minus
-- the product, as in Chroma.  A greater distance of the operator is a greater one of these.
CREATE FUNCTION nanovec.distance_sql(c nanovec.collections, query text)
	RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format(CASE c.metric WHEN 'l2' THEN '(%s) ^ 2' WHEN 'ip' THEN '1 + (%s)' ELSE '%s' END,
		nanovec.order_sql(c, query))
$$;
COMMENT ON FUNCTION nanovec.distance_sql(nanovec.collections, text) IS 'SQL of the distance to a query';

-- What an index sorts by
CREATE FUNCTION nanovec.order_sql(c nanovec.collections, query text)
	RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('embedding OPERATOR(%1$s.%2$s) (%3$s)::%1$s.%4$I', s,
		CASE c.metric WHEN 'l2' THEN '<->' WHEN 'ip' THEN '<#>' WHEN 'cosine' THEN '<=>' ELSE '<+>' END,
		CASE WHEN c.normalized THEN format('%s.l2_normalize(%s)', s, query) ELSE query END, c.type)
	FROM nanovec.vector_schema() AS s
$$;
COMMENT ON FUNCTION nanovec.order_sql(nanovec.collections, text) IS 'SQL of what rows are sorted by';

-- The statement of a search for $1, a vector.  How many rows is part of it where
-- it is known, so that a prepared statement needs to be planned once only; else it is $2.
-- With by_ids, the parameter that comes next has the ids to search among.
CREATE FUNCTION nanovec.search_sql(c nanovec.collections, filter jsonb, document_filter jsonb, include text[],
		k int DEFAULT NULL, by_ids boolean DEFAULT false)
	RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('SELECT id, %s AS distance, %s FROM %s WHERE %s ORDER BY %s LIMIT %s', nanovec.distance_sql(c, '$1'),
		nanovec.result_columns(include), (SELECT format('%I.%I', n.nspname, r.relname) FROM pg_class AS r
			JOIN pg_namespace AS n ON n.oid = r.relnamespace WHERE r.oid = c.relation),
		concat_ws(' AND ', CASE WHEN by_ids THEN format('id = ANY ($%s::pg_catalog.text[])', CASE WHEN k IS NULL THEN 3 ELSE 2 END) END,
			nanovec.condition(c, filter, document_filter)),
		nanovec.order_sql(c, '$1'), coalesce(k::text, '$2'))
$$;
COMMENT ON FUNCTION nanovec.search_sql(nanovec.collections, jsonb, jsonb, text[], int, boolean) IS 'the statement of a search, with parameters: a vector, a number of rows unless it is given, and ids if asked for';

-- The same for clients, which run it themselves
CREATE FUNCTION nanovec.search_statement(collection text, filter jsonb, document_filter jsonb, include text[], k int,
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database', by_ids boolean DEFAULT false)
	RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
BEGIN
	PERFORM nanovec.check_query(c, coalesce(c.dimension, 0), k);
	RETURN nanovec.search_sql(c, filter, document_filter, include, k, by_ids);
END $$;
COMMENT ON FUNCTION nanovec.search_statement(text, jsonb, jsonb, text[], int, text, text, boolean) IS 'the statement of a search by a client, with parameters $1, a vector, and $2, ids, if asked for';

CREATE FUNCTION nanovec.check_query(c nanovec.collections, dimensions int, k int)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF k IS NULL OR k < 1 THEN
		RAISE EXCEPTION 'k must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	ELSIF dimensions IS NULL THEN
		RAISE EXCEPTION 'there is no vector to search for' USING ERRCODE = 'null_value_not_allowed';
	ELSIF dimensions <> c.dimension THEN
		RAISE EXCEPTION 'collection "%" has % dimensions, the query has %', c.name, c.dimension, dimensions
			USING ERRCODE = 'data_exception';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_query(nanovec.collections, int, int) IS 'an error unless a collection can be searched so';

CREATE TYPE nanovec.hit AS (id text, distance float8, document text, metadata jsonb, embedding vector);
COMMENT ON TYPE nanovec.hit IS 'a row that a search found';

-- Searching by index may end before there are k rows where a filter finds few;
-- then the filter's rows are sorted instead, so that none is missing.
CREATE FUNCTION nanovec.search(statement text, embedding vector, k int, ids text[])
	RETURNS nanovec.hit[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	hits nanovec.hit[];
	settings jsonb;
	gather text := format('SELECT array_agg(ROW(s.id, s.distance, s.document, s.metadata, s.embedding)::nanovec.hit) '
		'FROM (%s) AS s', statement);
BEGIN
	EXECUTE gather INTO hits USING embedding, k, ids;
	IF coalesce(cardinality(hits), 0) < k THEN
		settings := nanovec.search_settings('{"enable_indexscan": "off"}');
		EXECUTE gather INTO hits USING embedding, k, ids;
		PERFORM nanovec.search_settings(settings);
	END IF;
	RETURN hits;
END $$;
COMMENT ON FUNCTION nanovec.search(text, vector, int, text[]) IS 'what a statement of search_sql() finds, all of it';

CREATE FUNCTION nanovec.query_batch(collection text, embeddings vector[], k int DEFAULT 10, filter jsonb DEFAULT NULL,
		document_filter jsonb DEFAULT NULL, threshold float8 DEFAULT NULL,
		include text[] DEFAULT '{documents,metadatas}', options jsonb DEFAULT '{}',
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database', ids text[] DEFAULT NULL)
	RETURNS TABLE (query int, id text, distance float8, document text, metadata jsonb, embedding vector)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	statement text := nanovec.search_sql(c, filter, document_filter, include, by_ids => ids IS NOT NULL);
	settings jsonb;
BEGIN
	IF coalesce(cardinality(embeddings), 0) = 0 THEN
		RAISE EXCEPTION 'there is no vector to search for' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	settings := nanovec.search_settings(nanovec.wanted_settings(c, options));
	FOR n IN 1 .. cardinality(embeddings) LOOP
		PERFORM nanovec.check_query(c, cardinality(embeddings[n]::real[]), k);
		RETURN QUERY SELECT n, h.id, h.distance, h.document, h.metadata, h.embedding
			FROM unnest(nanovec.search(statement, embeddings[n], k, ids)) AS h
			WHERE threshold IS NULL OR h.distance <= threshold;
	END LOOP;
	PERFORM nanovec.search_settings(settings);
END $$;
COMMENT ON FUNCTION nanovec.query_batch(text, vector[], int, jsonb, jsonb, float8, text[], jsonb, text, text, text[]) IS 'the k nearest rows to each of some vectors, of those that filters find or ids name, not farther than a threshold';

CREATE FUNCTION nanovec.query(collection text, embedding vector, k int DEFAULT 10, filter jsonb DEFAULT NULL,
		document_filter jsonb DEFAULT NULL, threshold float8 DEFAULT NULL,
		include text[] DEFAULT '{documents,metadatas}', options jsonb DEFAULT '{}',
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database', ids text[] DEFAULT NULL)
	RETURNS TABLE (id text, distance float8, document text, metadata jsonb, found_embedding vector)
	LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT q.id, q.distance, q.document, q.metadata, q.embedding
		FROM nanovec.query_batch(collection, ARRAY[embedding], k, filter, document_filter, threshold, include, options,
			tenant, database, ids) AS q
$$;
COMMENT ON FUNCTION nanovec.query(text, vector, int, jsonb, jsonb, float8, text[], jsonb, text, text, text[]) IS 'the k nearest rows to a vector, of those that filters find or ids name, not farther than a threshold';

-- Reciprocal rank fusion of the nearest rows and of those whose documents match
-- best: a row's score is the sum of weight / (60 + rank) over the lists that it is in.
CREATE FUNCTION nanovec.hybrid_query(collection text, embedding vector, query_text text, k int DEFAULT 10,
		filter jsonb DEFAULT NULL, document_filter jsonb DEFAULT NULL, candidates int DEFAULT 100,
		vector_weight float8 DEFAULT 1, text_weight float8 DEFAULT 1,
		include text[] DEFAULT '{documents,metadatas}', options jsonb DEFAULT '{}',
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS TABLE (id text, score float8, vector_rank bigint, text_rank bigint, document text, metadata jsonb)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
BEGIN
	IF c.text_search IS NULL THEN
		RAISE EXCEPTION 'collection "%" was not made for text search', c.name USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Make it with text_search => ''english'', or another configuration.';
	ELSIF query_text IS NULL THEN
		RAISE EXCEPTION 'there is no text to search for' USING ERRCODE = 'null_value_not_allowed';
	ELSIF candidates IS NULL OR candidates < 1 OR k IS NULL OR k < 1 THEN
		RAISE EXCEPTION 'k and candidates must be at least 1' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	include := nanovec.check_include(include);
	RETURN QUERY EXECUTE format($q$
		WITH v AS (
			SELECT q.id, row_number() OVER (ORDER BY q.distance, q.id) AS rank
			FROM nanovec.query_batch($1, ARRAY[$2], greatest($4, $5), $6, $7, NULL, '{}', $8, $9, $10) AS q
		), t AS (
			SELECT m.id, row_number() OVER (ORDER BY m.score DESC, m.id) AS rank FROM (
				SELECT r.id, ts_rank_cd(to_tsvector(%1$L::regconfig, coalesce(document, '')), query) AS score
				FROM %2$s AS r, websearch_to_tsquery(%1$L::regconfig, $3) AS query
				WHERE to_tsvector(%1$L::regconfig, coalesce(document, '')) @@ query AND %3$s
				ORDER BY score DESC, r.id LIMIT greatest($4, $5)) AS m
		), fused AS (
			SELECT id, coalesce($11 / (60 + v.rank), 0) + coalesce($12 / (60 + t.rank), 0) AS score,
				v.rank AS vector_rank, t.rank AS text_rank
			FROM v FULL JOIN t USING (id) ORDER BY score DESC, id LIMIT $4
		)
		SELECT f.id, f.score, f.vector_rank, f.text_rank, CASE WHEN $13 THEN r.document END,
			CASE WHEN $14 THEN r.metadata END
		FROM fused AS f JOIN %2$s AS r USING (id) ORDER BY f.score DESC, f.id$q$,
		c.text_search, c.relation, nanovec.condition(c, filter, document_filter))
		USING collection, embedding, query_text, k, candidates, filter, document_filter, options, tenant, database,
			vector_weight, text_weight, 'documents' = ANY (include), 'metadatas' = ANY (include);
END $$;
COMMENT ON FUNCTION nanovec.hybrid_query(text, vector, text, int, jsonb, jsonb, int, float8, float8, text[], jsonb, text, text) IS 'the best rows by vector and text together, by reciprocal rank fusion';
