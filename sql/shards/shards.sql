-- Shards: partitions that are tables of other servers.  All of it runs with the rights of
-- the caller, and no function takes or shows a password.

CREATE FUNCTION nanovec_add_shard(parent regclass, shard name, host text DEFAULT NULL,
	port int DEFAULT NULL, dbname text DEFAULT pg_catalog.current_database(),
	modulus int DEFAULT NULL, remainder int DEFAULT NULL, keys text[] DEFAULT NULL,
	remote_schema text DEFAULT NULL, remote_table text DEFAULT NULL) RETURNS regclass
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- Operators of nanovec are sent to the shard.  It plans for the first rows, not for a
	-- tenth of the table, as it would for a cursor.  A LIMIT is worth sending, whatever a
	-- version of postgres_fdw holds a row to cost.  Shards are asked, and committed, at once,
	-- and one that does not answer is given up after some seconds.  Few rows at a time:
	-- each brings its vector as text, and a LIMIT on all shards is not sent to each; more
	-- than the usual ten, so that they come with the news that there are no more.
	wanted jsonb := jsonb_strip_nulls(jsonb_build_object('host', host, 'port', port::text,
		'dbname', dbname, 'extensions', 'nanovec', 'options', '-c cursor_tuple_fraction=0',
		'fdw_tuple_cost', '1', 'async_capable', 'true', 'parallel_commit', 'true',
		'fetch_size', '20', 'batch_size', '100', 'connect_timeout', '5'));
	relation record;
	partition_name text;
	bound text := 'DEFAULT';
	option record;
	there oid;
BEGIN
	SELECT nspname AS schema, relname AS name, relkind AS kind INTO STRICT relation
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
	WHERE c.oid = parent;
	IF relation.kind <> 'p' THEN
		RAISE EXCEPTION '"%" is not a partitioned table', parent
			USING ERRCODE = 'wrong_object_type', HINT = 'Create it with PARTITION BY HASH or LIST.';
	END IF;
	IF (modulus IS NULL) <> (remainder IS NULL) OR (modulus IS NOT NULL AND keys IS NOT NULL) THEN
		RAISE EXCEPTION 'the rows of a shard are given by modulus and remainder, or by keys'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF modulus IS NOT NULL THEN
		bound := format('FOR VALUES WITH (MODULUS %s, REMAINDER %s)', modulus, remainder);
	ELSIF keys IS NOT NULL THEN
		bound := format('FOR VALUES IN (%s)',
			(SELECT string_agg(quote_nullable(k), ', ') FROM unnest(keys) AS k));
	END IF;

	-- the server: made, or given the options that it lacks
	EXECUTE format('CREATE SERVER IF NOT EXISTS %I FOREIGN DATA WRAPPER postgres_fdw', shard);
	FOR option IN
		SELECT key, value, present.option_value AS old
		FROM jsonb_each_text(wanted)
		LEFT JOIN (SELECT o.* FROM pg_foreign_server AS s,
				pg_options_to_table(s.srvoptions) AS o
			WHERE s.srvname = shard) AS present ON present.option_name = key
	LOOP
		IF option.old IS NULL THEN
			EXECUTE format('ALTER SERVER %I OPTIONS (ADD %I %L)', shard, option.key, option.value);
		ELSIF option.old <> option.value AND option.key IN ('host', 'port', 'dbname') THEN
			EXECUTE format('ALTER SERVER %I OPTIONS (SET %I %L)', shard, option.key, option.value);
		END IF;
	END LOOP;
	EXECUTE format('CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER %I', shard);

	-- the partition
	partition_name := format('%I.%I', relation.schema, relation.name || '_' || shard);
	there := to_regclass(partition_name);
	IF there IS NULL THEN
		EXECUTE format('CREATE FOREIGN TABLE %s PARTITION OF %s %s SERVER %I'
			' OPTIONS (schema_name %L, table_name %L)',
			partition_name, parent, bound, shard, coalesce(remote_schema, relation.schema),
			coalesce(remote_table, relation.name));
	ELSIF NOT EXISTS (SELECT FROM pg_foreign_table AS t
			JOIN pg_foreign_server AS s ON s.oid = ftserver
			JOIN pg_inherits AS i ON inhrelid = ftrelid
			WHERE ftrelid = there AND srvname = shard AND inhparent = parent) THEN
		RAISE EXCEPTION 'relation "%" exists, and is no partition of "%" on the server "%"',
			partition_name, parent, shard USING ERRCODE = 'duplicate_table';
	END IF;
	RETURN to_regclass(partition_name);
END $$;
COMMENT ON FUNCTION nanovec_add_shard(regclass, name, text, int, text, int, int, text[], text, text) IS 'make a table of another server a partition; again with the same arguments does no harm';

CREATE FUNCTION nanovec_shards(parent regclass) RETURNS TABLE (shard regclass, server name,
	host text, port text, dbname text, version text, problem text)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	own_version text := (SELECT extversion FROM pg_extension WHERE extname = 'nanovec');
BEGIN
	FOR shard, server, host, port, dbname IN
		SELECT p.relid, s.srvname, o.host, o.port, o.dbname
		FROM pg_partition_tree(parent) AS p
			JOIN pg_foreign_table AS t ON t.ftrelid = p.relid
			JOIN pg_foreign_server AS s ON s.oid = t.ftserver,
			LATERAL (SELECT max(option_value) FILTER (WHERE option_name = 'host') AS host,
				max(option_value) FILTER (WHERE option_name = 'port') AS port,
				max(option_value) FILTER (WHERE option_name = 'dbname') AS dbname
				FROM pg_options_to_table(s.srvoptions)) AS o
		ORDER BY s.srvname, p.relid::text
	LOOP
		version := NULL;
		problem := NULL;
		BEGIN
			EXECUTE format('CREATE FOREIGN TABLE pg_temp.nanovec_shard_extensions
				(extname name, extversion text) SERVER %I OPTIONS (schema_name ''pg_catalog'', table_name ''pg_extension'')', server);
			SELECT extversion INTO version FROM pg_temp.nanovec_shard_extensions WHERE extname = 'nanovec';
			DROP FOREIGN TABLE pg_temp.nanovec_shard_extensions;
			EXECUTE format('SELECT FROM %s LIMIT 1', shard);
			problem := CASE WHEN version IS NULL THEN 'the extension nanovec is not installed'
				WHEN version <> own_version THEN
					format('nanovec is of version %s, here of %s', version, own_version) END;
		EXCEPTION WHEN OTHERS THEN
			problem := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION nanovec_shards(regclass) IS 'the shards of a table, and what is wrong with them';

CREATE FUNCTION nanovec_ask_shards(of_table anyelement, embedding name, operator text,
	query anycompatiblenonarray, k int, condition text DEFAULT 'true', partial boolean DEFAULT false)
	RETURNS SETOF anyelement
	-- a condition on the partition key leaves out the shards that have none of it
	SET constraint_exclusion = on
	LANGUAGE plpgsql AS $$
DECLARE
	parent regclass := (SELECT typrelid FROM pg_catalog.pg_type
		WHERE oid = pg_catalog.pg_typeof(of_table));
	columns text;
	type text;
	statement text;
	leaves regclass[];
	down regclass[];
	message text;
BEGIN
	IF operator !~ '^[-+*/<>=~!@#%^&|`?]+$' THEN
		RAISE EXCEPTION '"%" is not an operator', operator USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF k IS NULL OR k < 0 THEN
		RAISE EXCEPTION 'the number of rows must not be negative' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT pg_catalog.array_agg(relid) INTO leaves FROM pg_catalog.pg_partition_tree(parent) WHERE isleaf;
	IF leaves IS NULL THEN
		RAISE EXCEPTION 'a row of a table tells which table: NULL::items' USING ERRCODE = 'wrong_object_type';
	END IF;
	SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' ORDER BY attnum) INTO columns
	FROM pg_catalog.pg_attribute WHERE attrelid = parent AND attnum > 0 AND NOT attisdropped;
	SELECT pg_catalog.format_type(atttypid, NULL) INTO type
	FROM pg_catalog.pg_attribute WHERE attrelid = parent AND attname = embedding AND attnum > 0;
	IF type IS NULL THEN
		RAISE EXCEPTION 'column "%" of "%" does not exist', embedding, parent USING ERRCODE = 'undefined_column';
	END IF;

	LOOP
		-- + 0: an order by the distance itself would merge the shards' answers, and ask one
		-- after another
		SELECT pg_catalog.format('SELECT %s FROM (%s) AS s ORDER BY nanovec_distance_ + 0 LIMIT %s',
			columns, pg_catalog.string_agg(pg_catalog.format('(SELECT %s, %I %s $1::%s AS nanovec_distance_'
				' FROM %s WHERE %s ORDER BY %2$I %3$s $1::%4$s LIMIT %7$s)',
				columns, embedding, operator, type, leaf, condition, k), ' UNION ALL '), k)
		INTO statement FROM pg_catalog.unnest(leaves) AS leaf;
		IF NOT partial THEN
			-- no block that catches errors, which would be a savepoint on each shard
			RETURN QUERY EXECUTE statement USING query;
			RETURN;
		END IF;
		BEGIN
			RETURN QUERY EXECUTE statement USING query;
			RETURN;
		EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection OR connection_failure THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
			SELECT pg_catalog.array_agg(s.shard) INTO down FROM @extschema@.nanovec_shards(parent) AS s
			WHERE s.shard = ANY (leaves) AND s.version IS NULL;
			IF down IS NULL THEN
				RAISE;
			END IF;
			RAISE WARNING 'the answer is partial: %', message
				USING DETAIL = pg_catalog.format('Left out: %s.', pg_catalog.array_to_string(down, ', '));
			SELECT pg_catalog.array_agg(leaf) INTO leaves
			FROM pg_catalog.unnest(leaves) AS leaf WHERE leaf <> ALL (down);
			IF leaves IS NULL THEN
				RETURN;
			END IF;
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION nanovec_ask_shards(anyelement, name, text, anycompatiblenonarray, int, text, boolean) IS 'the nearest rows of a partitioned table, its shards asked at once; partial: without the shards that are down';
