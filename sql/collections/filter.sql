
-- Filters: JSON compiled to SQL.  Each value goes through format(%L) and each
-- column through %I.  A condition is true, false or NULL, and NULL means false;
-- so a negation is IS NOT TRUE.  What is written as plain comparisons can be
-- served by an index: @> by the GIN index of metadata, columns of promoted
-- fields by theirs.

-- A JSON value as a literal of a promoted field's type; NULL if none of that
-- type is equal to it.
CREATE FUNCTION nanovec.promoted_literal(value jsonb, kind text)
	RETURNS text LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN kind = 'int' AND jsonb_typeof(value) = 'number' THEN
			CASE WHEN (value #>> '{}')::numeric % 1 = 0
				AND (value #>> '{}')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
			THEN format('%L::pg_catalog.int8', trunc((value #>> '{}')::numeric)) END
		WHEN kind = 'float' AND jsonb_typeof(value) = 'number' THEN
			CASE WHEN abs((value #>> '{}')::numeric) <= 1.79769e308 AND ((value #>> '{}')::numeric = 0
				OR abs((value #>> '{}')::numeric) > 1e-307) THEN format('%L::pg_catalog.float8', value #>> '{}') END
		WHEN kind = 'string' AND jsonb_typeof(value) = 'string' THEN format('%L::pg_catalog.text', value #>> '{}')
		WHEN kind = 'bool' AND jsonb_typeof(value) = 'boolean' THEN format('%L::pg_catalog.bool', value #>> '{}')
	END
$$;
COMMENT ON FUNCTION nanovec.promoted_literal(jsonb, text) IS 'a JSON value as an SQL literal of a promoted field';

CREATE FUNCTION nanovec.compile_equal(field text, value jsonb, kind text)
	RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN kind IS NULL
		THEN format('metadata @> %L::pg_catalog.jsonb', jsonb_build_object(field, value))
		ELSE coalesce(format('%I = ', field) || nanovec.promoted_literal(value, kind), 'false') END
$$;
COMMENT ON FUNCTION nanovec.compile_equal(text, jsonb, text) IS 'SQL: a field has a value';

-- One of some values.  GIN has no search for an array of keys, but combines
-- conditions; beyond some number they are no longer quicker.
CREATE FUNCTION nanovec.compile_in(field text, list jsonb, kind text)
	RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text;
BEGIN
	IF kind IS NULL AND jsonb_array_length(list) > 32 THEN
		RETURN format('metadata -> %L = ANY (%L::pg_catalog.jsonb[])', field,
			(SELECT array_agg(e) FROM jsonb_array_elements(list) AS e));
	ELSIF kind IS NULL THEN
		SELECT string_agg(nanovec.compile_equal(field, e, NULL), ' OR ') INTO result FROM jsonb_array_elements(list) AS e;
		RETURN coalesce('(' || result || ')', 'false');
	END IF;
	SELECT string_agg(nanovec.promoted_literal(e, kind), ', ') INTO result FROM jsonb_array_elements(list) AS e;
	RETURN coalesce(format('%I IN (', field) || result || ')', 'false');
END $$;
COMMENT ON FUNCTION nanovec.compile_in(text, jsonb, text) IS 'SQL: a field has one of some values';

-- Numbers are compared with numbers, strings with strings, by their characters' numbers.
CREATE FUNCTION nanovec.compile_order(field text, sign text, value jsonb, kind text)
	RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	number numeric;
BEGIN
	IF jsonb_typeof(value) = 'string' THEN
		RETURN CASE WHEN kind IS NULL THEN format('CASE WHEN pg_catalog.jsonb_typeof(metadata -> %1$L) = ''string'' '
				'THEN (metadata ->> %1$L) COLLATE "C" %2$s %3$L ELSE false END', field, sign, value #>> '{}')
			WHEN kind = 'string' THEN format('%I %s %L', field, sign, value #>> '{}')
			ELSE 'false' END;
	ELSIF jsonb_typeof(value) <> 'number' THEN
		RAISE EXCEPTION 'a filter compares field "%" by order with a value that is neither a number nor a string: %',
			field, left(value::text, 100) USING ERRCODE = 'invalid_parameter_value';
	END IF;
	number := (value #>> '{}')::numeric;
	IF kind IS NULL THEN
		RETURN format('CASE WHEN pg_catalog.jsonb_typeof(metadata -> %1$L) = ''number'' '
			'THEN (metadata ->> %1$L)::pg_catalog.numeric %2$s %3$L::pg_catalog.numeric ELSE false END', field, sign, number);
	ELSIF kind = 'int' AND abs(number) < 9e18 THEN
		-- so that the index on an integer column serves it
		RETURN format('%I %s %L::pg_catalog.int8', field, sign,
			CASE WHEN sign IN ('>', '<=') THEN floor(number) ELSE ceil(number) END);
	ELSIF kind = 'float' AND nanovec.promoted_literal(value, kind) IS NOT NULL THEN
		RETURN format('%I %s %s', field, sign, nanovec.promoted_literal(value, kind));
	ELSIF kind IN ('int', 'float') THEN
		RETURN format('%I::pg_catalog.numeric %s %L::pg_catalog.numeric', field, sign, number);
	END IF;
	RETURN 'false';
END $$;
COMMENT ON FUNCTION nanovec.compile_order(text, text, jsonb, text) IS 'SQL: a field is greater or less than a value';

CREATE FUNCTION nanovec.check_scalar(field text, operator text, value jsonb)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF jsonb_typeof(value) NOT IN ('string', 'number', 'boolean') THEN
		RAISE EXCEPTION '% of field "%" takes a string, a number or a boolean, not %', operator, field, left(value::text, 100)
			USING ERRCODE = 'invalid_parameter_value',
				HINT = CASE WHEN value = 'null' THEN 'To ask for fields that are missing, use {"$exists": false}.'
					WHEN jsonb_typeof(value) = 'array' THEN 'To ask for one of several values, use $in.'
					ELSE 'Objects within metadata cannot be compared.' END;
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_scalar(text, text, jsonb) IS 'an error unless a value can be compared in a filter';

-- {operator: value} of a field
CREATE FUNCTION nanovec.compile_operator(field text, operator text, value jsonb, kind text, depth int)
	RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	CASE operator
		WHEN '$eq', '$ne' THEN
			PERFORM nanovec.check_scalar(field, operator, value);
			RETURN CASE WHEN operator = '$eq' THEN nanovec.compile_equal(field, value, kind)
				ELSE '(' || nanovec.compile_equal(field, value, kind) || ') IS NOT TRUE' END;
		WHEN '$in', '$nin' THEN
			IF jsonb_typeof(value) <> 'array' THEN
				RAISE EXCEPTION '% of field "%" takes an array', operator, field USING ERRCODE = 'invalid_parameter_value';
			END IF;
			PERFORM nanovec.check_scalar(field, operator, e) FROM jsonb_array_elements(value) AS e;
			RETURN CASE WHEN operator = '$in' THEN nanovec.compile_in(field, value, kind)
				ELSE '(' || nanovec.compile_in(field, value, kind) || ') IS NOT TRUE' END;
		WHEN '$gt' THEN RETURN nanovec.compile_order(field, '>', value, kind);
		WHEN '$gte' THEN RETURN nanovec.compile_order(field, '>=', value, kind);
		WHEN '$lt' THEN RETURN nanovec.compile_order(field, '<', value, kind);
		WHEN '$lte' THEN RETURN nanovec.compile_order(field, '<=', value, kind);
		WHEN '$exists' THEN
			IF jsonb_typeof(value) <> 'boolean' THEN
				RAISE EXCEPTION '$exists of field "%" takes true or false', field USING ERRCODE = 'invalid_parameter_value';
			END IF;
			RETURN format(CASE WHEN value = 'true' THEN '(metadata -> %L) <> %L' ELSE '((metadata -> %L) <> %L) IS NOT TRUE' END,
				field, 'null');
		WHEN '$contains', '$not_contains' THEN
			PERFORM nanovec.check_scalar(field, operator, value);
			RETURN format(CASE WHEN operator = '$contains' THEN 'metadata @> %L::pg_catalog.jsonb'
				ELSE '(metadata @> %L::pg_catalog.jsonb) IS NOT TRUE' END,
				jsonb_build_object(field, jsonb_build_array(value)));
		WHEN '$not' THEN
			RETURN '(' || nanovec.compile_field(field, value, kind, depth + 1) || ') IS NOT TRUE';
		ELSE
			RAISE EXCEPTION 'unknown operator "%" of field "%" in a filter', operator, field
				USING ERRCODE = 'invalid_parameter_value', HINT = 'There are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, '
					'$exists, $contains, $not_contains and $not.';
	END CASE;
END $$;
COMMENT ON FUNCTION nanovec.compile_operator(text, text, jsonb, text, int) IS 'SQL of one operator on a field';

CREATE FUNCTION nanovec.check_depth(depth int)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF depth > 50 THEN
		RAISE EXCEPTION 'a filter is nested too deeply' USING ERRCODE = 'statement_too_complex', HINT = 'At most 50 levels.';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_depth(int) IS 'an error where filters are nested too deeply';

-- field: value, or field: {operator: value, ...}
CREATE FUNCTION nanovec.compile_field(field text, condition jsonb, kind text, depth int)
	RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text;
BEGIN
	PERFORM nanovec.check_depth(depth);
	IF jsonb_typeof(condition) <> 'object' THEN
		RETURN nanovec.compile_operator(field, '$eq', condition, kind, depth);
	ELSIF condition = '{}' THEN
		RAISE EXCEPTION 'the filter of field "%" has no operator', field USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT string_agg(nanovec.compile_operator(field, key, value, kind, depth), ' AND ' ORDER BY key)
		INTO result FROM jsonb_each(condition);
	RETURN '(' || result || ')';
END $$;
COMMENT ON FUNCTION nanovec.compile_field(text, jsonb, text, int) IS 'SQL of the conditions on a field';

-- The members of $and and $or
CREATE FUNCTION nanovec.check_members(operator text, value jsonb)
	RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF jsonb_typeof(value) <> 'array' OR value = '[]' THEN
		RAISE EXCEPTION '% takes an array of filters, which is not empty', operator
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
END $$;
COMMENT ON FUNCTION nanovec.check_members(text, jsonb) IS 'an error unless a value is a list of filters';

CREATE FUNCTION nanovec.compile_filter(filter jsonb, promoted jsonb DEFAULT '{}', depth int DEFAULT 0)
	RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts text[] := '{}';
	part text;
	key text;
	value jsonb;
BEGIN
	PERFORM nanovec.check_depth(depth);
	IF jsonb_typeof(filter) <> 'object' THEN
		RAISE EXCEPTION 'a filter must be a JSON object, not %', left(filter::text, 100) USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR key, value IN SELECT * FROM jsonb_each(filter) LOOP
		IF key IN ('$and', '$or') THEN
			PERFORM nanovec.check_members(key, value);
			SELECT '(' || string_agg(nanovec.compile_filter(e, promoted, depth + 1),
				CASE key WHEN '$and' THEN ' AND ' ELSE ' OR ' END ORDER BY n) || ')' INTO part
				FROM jsonb_array_elements(value) WITH ORDINALITY AS u (e, n);
		ELSIF key = '$not' THEN
			part := '(' || nanovec.compile_filter(value, promoted, depth + 1) || ') IS NOT TRUE';
		ELSIF key LIKE '$%' THEN
			RAISE EXCEPTION 'unknown operator "%" in a filter', key USING ERRCODE = 'invalid_parameter_value',
				HINT = 'There are $and, $or and $not; other keys are fields of metadata.';
		ELSE
			part := nanovec.compile_field(key, value, promoted ->> key, depth);
		END IF;
		parts := parts || part;
	END LOOP;
	RETURN CASE WHEN parts = '{}' THEN 'true' ELSE '(' || array_to_string(parts, ' AND ') || ')' END;
END $$;
COMMENT ON FUNCTION nanovec.compile_filter(jsonb, jsonb, int) IS 'SQL of a filter on metadata';

CREATE FUNCTION nanovec.compile_document_filter(filter jsonb, depth int DEFAULT 0)
	RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parts text[] := '{}';
	part text;
	key text;
	value jsonb;
BEGIN
	PERFORM nanovec.check_depth(depth);
	IF jsonb_typeof(filter) <> 'object' THEN
		RAISE EXCEPTION 'a document filter must be a JSON object, not %', left(filter::text, 100)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR key, value IN SELECT * FROM jsonb_each(filter) LOOP
		IF key IN ('$and', '$or') THEN
			PERFORM nanovec.check_members(key, value);
			SELECT '(' || string_agg(nanovec.compile_document_filter(e, depth + 1),
				CASE key WHEN '$and' THEN ' AND ' ELSE ' OR ' END ORDER BY n) || ')' INTO part
				FROM jsonb_array_elements(value) WITH ORDINALITY AS u (e, n);
		ELSIF key = '$not' THEN
			part := '(' || nanovec.compile_document_filter(value, depth + 1) || ') IS NOT TRUE';
		ELSIF key IN ('$contains', '$not_contains', '$regex', '$not_regex') THEN
			IF jsonb_typeof(value) <> 'string' OR value = '""' THEN
				RAISE EXCEPTION '% takes a text that is not empty', key USING ERRCODE = 'invalid_parameter_value';
			END IF;
			part := CASE WHEN key LIKE '%regex' THEN format('document ~ %L', value #>> '{}')
				ELSE format('document LIKE %L', '%' || regexp_replace(value #>> '{}', '([\\%_])', '\\\1', 'g') || '%') END;
			IF key LIKE '$not%' THEN
				part := '(' || part || ') IS NOT TRUE';
			END IF;
		ELSE
			RAISE EXCEPTION 'unknown operator "%" in a document filter', key USING ERRCODE = 'invalid_parameter_value',
				HINT = 'There are $contains, $not_contains, $regex, $not_regex, $and, $or and $not.';
		END IF;
		parts := parts || part;
	END LOOP;
	RETURN CASE WHEN parts = '{}' THEN 'true' ELSE '(' || array_to_string(parts, ' AND ') || ')' END;
END $$;
COMMENT ON FUNCTION nanovec.compile_document_filter(jsonb, int) IS 'SQL of a filter on documents';

-- Both filters of a call as one condition
CREATE FUNCTION nanovec.condition(collection nanovec.collections, filter jsonb, document_filter jsonb)
	RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT concat_ws(' AND ', coalesce(nanovec.compile_filter(filter, collection.promoted), 'true'),
		nanovec.compile_document_filter(document_filter))
$$;
COMMENT ON FUNCTION nanovec.condition(nanovec.collections, jsonb, jsonb) IS 'SQL of the filters of a call';
