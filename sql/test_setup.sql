--
-- Functions that many tests use, in a schema of their own.  This runs before
-- all other tests.
--
CREATE SCHEMA test;
-- also for what a test does in another role
GRANT USAGE ON SCHEMA test TO public;

-- how a command fails, in one line: message, detail and hint
CREATE FUNCTION test.full_error_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' ', state || ': ' || message, 'DETAIL: ' || NULLIF(detail, ''),
					 'HINT: ' || NULLIF(hint, ''));
END $$;
-- the same, but only the message of what was not found or unclear, for which
-- details and hints are PostgreSQL's own words
CREATE FUNCTION test.error_of(command text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN e LIKE '42%' THEN regexp_replace(e, ' (DETAIL|HINT): .*', '') ELSE e END
	-- some versions name the schema, too
	FROM replace(test.full_error_of(command), 'public.', '') AS e
$$;
-- each of some commands with its error
CREATE FUNCTION test.errors_of(commands text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT c || E'\n  ' || test.error_of(c) FROM unnest(commands) WITH ORDINALITY AS u (c, n)
		ORDER BY n
$$;

-- each of some literals with its error as input of a type
CREATE FUNCTION test.refused(type text, literals text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%-20s ', l) || test.error_of(format('SELECT %L::%s', l, type))
	FROM unnest(literals) WITH ORDINALITY AS u (l, n) ORDER BY n
$$;
-- what binary input makes of some bytes: the value as text, or the error
CREATE FUNCTION test.received(type text, bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	-- signature, flags, extension, then one tuple with one field
	stream bytea := '\x5047434f50590aff0d0a00 00000000 00000000 0001'::bytea
		|| int4send(length(bytes)) || bytes || '\xffff'::bytea;
	octal text := (SELECT string_agg(format('\%s%s%s', b / 64, b / 8 % 8, b % 8), '' ORDER BY i)
				   FROM (SELECT i, get_byte(stream, i) AS b
						 FROM generate_series(0, length(stream) - 1) AS i) AS byte);
	outcome text;
BEGIN
	EXECUTE format('CREATE TEMP TABLE received (value %s)', type);
	outcome := test.error_of(format('COPY received FROM PROGRAM %L (FORMAT binary)',
									format('printf ''%s''', octal)));
	IF outcome = 'no error' THEN
		SELECT value::text INTO outcome FROM received;
	END IF;
	DROP TABLE received;
	RETURN outcome;
END $$;

-- a number from 0 to 999 that looks random and is always the same
CREATE FUNCTION test.noise(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS
	'SELECT abs(hashint4(a * 1009 + b) % 1000)';
-- a number with five digits, which depend on neither compiler nor order of summation
CREATE FUNCTION test.sig(x double precision) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN x::text ~ '^(NaN|-?Infinity)$' THEN x::text ELSE trim(to_char(x, '9.9999EEEE'))
		END
$$;

-- the plan of a query, as PostgreSQL 15 says it: 17 has other words for the
-- result of an InitPlan, and 18 says what is disabled
CREATE FUNCTION test.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		line := regexp_replace(line, '(InitPlan \d+) \(returns .*\)', '\1');
		line := replace(line, '(InitPlan 1).col1', '$0');
		line := replace(line, '(InitPlan 2).col1', '$1');
		IF line !~ '^ *Disabled: true' THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END $$;
-- Is there an index scan in the plan of a query?
CREATE FUNCTION test.uses_index(query text) RETURNS boolean LANGUAGE sql AS $$
	SELECT EXISTS (SELECT FROM test.plan_of(query) AS line WHERE line LIKE '%Index%Scan using %')
$$;

-- whether EXPLAIN says that a query searches an index so often; versions before 18 don't say
CREATE FUNCTION test.searches(query text, expected int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN current_setting('server_version_num')::int < 180000 OR expected
		= (jsonb_path_query_first(plan::jsonb, 'strict $.**."Index Searches"') #>> '{}')::int;
END $$;

-- In a table with id int and v vector(2), search for k rows: how many come,
-- whether in order and each once, and whether nearly all are among the nearest
-- so many
CREATE FUNCTION test.judge_scan(name text, k int, condition text, OUT rows bigint,
	OUT once boolean, OUT ordered boolean, OUT nearest boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($q$
		WITH found AS MATERIALIZED (SELECT id, v <-> '[17.3,8.8]' AS d FROM %1$I WHERE %2$s
				ORDER BY v <-> '[17.3,8.8]' LIMIT %3$s),
			numbered AS (SELECT id, d, lag(d) OVER () AS last FROM found),
			exact AS MATERIALIZED (SELECT (v <-> '[17.3,8.8]') + 0 AS d FROM %1$I WHERE %2$s
				ORDER BY 1 LIMIT %3$s)
		SELECT count(*), count(DISTINCT id) = count(*), bool_and(d >= last) IS NOT FALSE,
			count(*) FILTER (WHERE d <= (SELECT max(d) FROM exact)) >= 0.97 * count(*)
		FROM numbered$q$, name, condition, k) INTO rows, once, ordered, nearest;
END $$;
-- In such a table, with fewer than 9000 rows and an index <name>_idx: is the
-- index used, which rows come, is it sound?
CREATE FUNCTION test.try_table(name text, OUT used boolean, OUT rows bigint, OUT nearest int,
	OUT problems bigint) LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT id FROM %I ORDER BY v <-> ''[19.2,20.4]'' LIMIT ', name);
BEGIN
	used := test.uses_index(query || '1');
	EXECUTE query || '1' INTO nearest;
	EXECUTE format('SELECT count(DISTINCT id) FROM (%s 9000) AS s', query) INTO rows;
	EXECUTE format('SELECT count(*) FROM nanovec_index_check(%L)', name || '_idx') INTO problems;
END $$;
-- the same for each of some tables
CREATE FUNCTION test.try_tables(names text[]) RETURNS TABLE (name text, used boolean,
	rows bigint, nearest int, problems bigint) LANGUAGE sql AS $$
	SELECT n, t.* FROM unnest(names) WITH ORDINALITY AS u (n, i), test.try_table(n) AS t ORDER BY i
$$;
-- The name of a phase of an index build, or what is expected where PostgreSQL finds names of
-- no method: on 32-bit machines its function takes the number's address for the number.
CREATE FUNCTION test.phase_name(am oid, n bigint, expected text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN pg_indexam_progress_phasename(oid, 1) IS NULL THEN expected
		ELSE pg_indexam_progress_phasename(am, n) END FROM pg_am WHERE amname = 'btree'
$$;
