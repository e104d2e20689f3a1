
-- Indexes, and what is known of them

CREATE FUNCTION nanovec.change_index(c nanovec.collections)
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE nanovec.collections AS x SET index = c.index, batches = c.batches, loading = c.loading WHERE x.id = c.id;
	PERFORM nanovec.check_changed(FOUND, c.name);
	IF c.batches > 0 OR c.loading THEN
		PERFORM nanovec.drop_vector_index(c);
	ELSE
		PERFORM nanovec.create_vector_index(c);
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.change_index(nanovec.collections) IS 'writes down what index a collection has, and gives it that';

CREATE FUNCTION nanovec.rebuild(collection text, index jsonb DEFAULT NULL, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find_locked(collection, tenant, database, 'SHARE ROW EXCLUSIVE');
BEGIN
	c.index := coalesce(nanovec.normal_index(rebuild.index, c.metric), c.index);
	c.loading := false;
	PERFORM nanovec.drop_vector_index(c);
	PERFORM nanovec.change_index(c);
END $$;
COMMENT ON FUNCTION nanovec.rebuild(text, jsonb, text, text) IS 'builds the index of a collection anew, with other options where given';

CREATE FUNCTION nanovec.set_search_options(collection text, options jsonb, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find_locked(collection, tenant, database, 'SHARE ROW EXCLUSIVE');
BEGIN
	PERFORM nanovec.wanted_settings(c, options);
	UPDATE nanovec.collections AS x SET index = nanovec.normal_index(c.index || options, c.metric) WHERE x.id = c.id;
	PERFORM nanovec.check_changed(FOUND, c.name);
END $$;
COMMENT ON FUNCTION nanovec.set_search_options(text, jsonb, text, text) IS 'what searches of a collection use unless a call says otherwise: ef_search or n_probe; its index stays as it is';

CREATE FUNCTION nanovec.batch_begin(collection text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find_locked(collection, tenant, database, 'ACCESS EXCLUSIVE');
BEGIN
	c.batches := c.batches + 1;
	PERFORM nanovec.change_index(c);
END $$;
COMMENT ON FUNCTION nanovec.batch_begin(text, text, text) IS 'drops the index of a collection until batch_end()';

CREATE FUNCTION nanovec.batch_end(collection text, all_batches boolean DEFAULT false,
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find_locked(collection, tenant, database, 'SHARE ROW EXCLUSIVE');
BEGIN
	IF c.batches = 0 THEN
		RAISE EXCEPTION 'no batch of collection "%" was begun', c.name USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	c.batches := CASE WHEN all_batches THEN 0 ELSE c.batches - 1 END;
	PERFORM nanovec.change_index(c);
END $$;
COMMENT ON FUNCTION nanovec.batch_end(text, boolean, text, text) IS 'builds the index after batch_begin(), when the last of several batches ends; or ends all, those that were left open, too';

-- What servers do when many rows come into a collection that has few: building the index
-- once takes a fraction of the time of so many inserts into it.  It is no batch, since nobody
-- asked for one; so a server that finds a load that another one left open may end it.
CREATE FUNCTION nanovec.load_begin(collection text, rows bigint, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	-- searches wait behind this lock, so that it must not wait for long
	RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	many boolean;
BEGIN
	IF c.loading OR c.batches > 0 OR c.index ->> 'type' = 'none' THEN
		RETURN c.loading;
	END IF;
	-- with more rows than this, inserts take less time than building the index anew
	EXECUTE format('SELECT count(*) > 3 * $1 FROM (SELECT FROM %s LIMIT 3 * $1 + 1) AS r', c.relation)
		INTO many USING rows;
	IF many THEN
		RETURN false;
	END IF;
	c := nanovec.find_locked(collection, tenant, database, 'ACCESS EXCLUSIVE');
	c.loading := true;
	PERFORM nanovec.change_index(c);
	RETURN true;
END $$;
COMMENT ON FUNCTION nanovec.load_begin(text, bigint, text, text) IS 'drops the index of a collection until load_end(), if so many rows are worth it; says whether a load is under way';

CREATE FUNCTION nanovec.load_end(collection text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find_locked(collection, tenant, database, 'SHARE ROW EXCLUSIVE');
BEGIN
	IF c.loading THEN
		c.loading := false;
		PERFORM nanovec.change_index(c);
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.load_end(text, text, text) IS 'builds the index after load_begin(), unless that was done';

CREATE FUNCTION nanovec.stats(collection text, tenant text DEFAULT 'default_tenant',
		database text DEFAULT 'default_database')
	RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	i regclass := nanovec.vector_index(c.relation);
	info jsonb;
BEGIN
	IF i IS NOT NULL THEN
		EXECUTE format('SELECT jsonb_object_agg(property, value) FROM %s.nanovec_index_info($1)', nanovec.vector_schema())
			INTO info USING i;
	END IF;
	RETURN jsonb_build_object('name', c.name, 'rows', nanovec.count(collection, NULL, NULL, tenant, database),
		'dimension', c.dimension, 'metric', c.metric, 'batches', c.batches,
		'loading', c.loading, 'table_bytes', pg_table_size(c.relation), 'index_bytes', pg_indexes_size(c.relation),
		'total_bytes', pg_total_relation_size(c.relation), 'vector_index', CASE WHEN i IS NOT NULL THEN
			jsonb_build_object('name', i::text, 'bytes', pg_relation_size(i), 'definition', pg_get_indexdef(i), 'info', info) END);
END $$;
COMMENT ON FUNCTION nanovec.stats(text, text, text) IS 'rows, sizes and index of a collection';

-- The distances of what a search finds, and of what it should
CREATE FUNCTION nanovec.found_and_nearest(c nanovec.collections, query vector, k int, OUT hits float8[], OUT nearest float8[])
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	statement text := format('SELECT array_agg(distance ORDER BY distance) FROM (%s) AS s',
		nanovec.search_sql(c, NULL, NULL, '{}'));
	old jsonb := nanovec.search_settings('{"enable_seqscan": "off", "enable_sort": "off"}');
BEGIN
	EXECUTE statement INTO hits USING query, k;
	PERFORM nanovec.search_settings(old);
	old := nanovec.search_settings('{"enable_indexscan": "off"}');
	EXECUTE statement INTO nearest USING query, k;
	PERFORM nanovec.search_settings(old);
END $$;
COMMENT ON FUNCTION nanovec.found_and_nearest(nanovec.collections, vector, int) IS 'distances of the rows that a search by index finds, and of the nearest ones';

-- Rows of the collection as queries: what share of the k nearest do searches by
-- its index find?  Compared by distance, since of rows that are equally far any will do.
CREATE FUNCTION nanovec.recall(collection text, queries int DEFAULT 100, k int DEFAULT 10, options jsonb DEFAULT '{}',
		tenant text DEFAULT 'default_tenant', database text DEFAULT 'default_database')
	RETURNS TABLE (recall float8, worst float8, asked bigint)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c nanovec.collections := nanovec.find(collection, tenant, database);
	settings jsonb := nanovec.search_settings(nanovec.wanted_settings(c, options));
BEGIN
	PERFORM nanovec.check_query(c, coalesce(c.dimension, 0), k);
	RETURN QUERY EXECUTE format('WITH asked AS MATERIALIZED (SELECT embedding FROM %s ORDER BY random() LIMIT $1), '
		'shares AS (SELECT (SELECT count(*) FILTER (WHERE d <= s.nearest[cardinality(s.nearest)]) '
		'/ cardinality(s.nearest)::float8 FROM unnest(s.hits) AS d) AS share '
		'FROM asked, nanovec.found_and_nearest($2, asked.embedding::%s.vector, $3) AS s) '
		'SELECT avg(share), min(share), count(*) FROM shares', c.relation, nanovec.vector_schema()) USING queries, c, k;
	PERFORM nanovec.search_settings(settings);
END $$;
COMMENT ON FUNCTION nanovec.recall(text, int, int, jsonb, text, text) IS 'the share of the k nearest rows that searches find, on average and at worst, for rows drawn at random';
