
-- Metadata: what a collection's schema asks of it

-- One form for the ways to write a schema: {field: {type, required, enum}}
CREATE FUNCTION nanovec.normal_schema(metadata_schema jsonb)
	RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result jsonb := '{}';
	field text;
	rule jsonb;
	kind text;
	wrong text;
BEGIN
	IF jsonb_typeof(metadata_schema) <> 'object' THEN
		RAISE EXCEPTION 'a metadata schema must be a JSON object of fields' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	FOR field, rule IN SELECT * FROM jsonb_each(metadata_schema) LOOP
		IF jsonb_typeof(rule) = 'string' THEN
			rule := jsonb_build_object('type', rule);
		END IF;
		IF jsonb_typeof(rule) <> 'object' THEN
			RAISE EXCEPTION 'the rule for metadata field "%" must be a type or an object', field
				USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"year": {"type": "int", "required": true}}.';
		END IF;
		SELECT k INTO wrong FROM jsonb_object_keys(rule) AS k WHERE k NOT IN ('type', 'required', 'enum') LIMIT 1;
		IF wrong IS NOT NULL THEN
			RAISE EXCEPTION 'unknown rule "%" for metadata field "%"', wrong, field
				USING ERRCODE = 'invalid_parameter_value', HINT = 'There are type, required and enum.';
		END IF;
		kind := CASE rule ->> 'type' WHEN 'integer' THEN 'int' WHEN 'number' THEN 'float' WHEN 'str' THEN 'string'
			WHEN 'text' THEN 'string' WHEN 'boolean' THEN 'bool' ELSE coalesce(rule ->> 'type', 'any') END;
		IF kind NOT IN ('int', 'float', 'string', 'bool', 'array', 'object', 'any') THEN
			RAISE EXCEPTION 'unknown type "%" of metadata field "%"', kind, field
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'There are int, float, string, bool, array, object and any.';
		END IF;
		IF jsonb_typeof(coalesce(rule -> 'required', 'false')) <> 'boolean' THEN
			RAISE EXCEPTION '"required" of metadata field "%" must be true or false', field
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		IF rule ? 'enum' AND jsonb_typeof(rule -> 'enum') <> 'array' THEN
			RAISE EXCEPTION '"enum" of metadata field "%" must be an array', field
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		result := result || jsonb_build_object(field, rule || jsonb_build_object('type', kind));
	END LOOP;
	RETURN result;
END $$;
COMMENT ON FUNCTION nanovec.normal_schema(jsonb) IS 'a metadata schema in full, or an error that says what is wrong with it';

-- The type of a JSON value in the words of schemas
CREATE FUNCTION nanovec.json_kind(value jsonb)
	RETURNS text LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE jsonb_typeof(value) WHEN 'boolean' THEN 'bool'
		WHEN 'number' THEN CASE WHEN (value #>> '{}')::numeric % 1 = 0 THEN 'int' ELSE 'float' END
		ELSE jsonb_typeof(value) END
$$;
COMMENT ON FUNCTION nanovec.json_kind(jsonb) IS 'int, float, string, bool, array, object or null';

-- Called by a constraint of tables whose collection has a schema, so that it
-- holds for INSERT and COPY, too.
CREATE FUNCTION nanovec.check_metadata(metadata jsonb, metadata_schema jsonb)
	RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	field text;
	rule jsonb;
	given jsonb;
	kind text;
BEGIN
	FOR field, rule IN SELECT * FROM jsonb_each(metadata_schema) LOOP
		given := metadata -> field;
		kind := coalesce(nanovec.json_kind(given), 'null');
		IF kind = 'null' THEN
			IF (rule -> 'required') = 'true' THEN
				RAISE EXCEPTION 'metadata field "%" is required', field USING ERRCODE = 'check_violation';
			END IF;
			CONTINUE;
		END IF;
		IF NOT (rule ->> 'type' IN ('any', kind) OR (rule ->> 'type' = 'float' AND kind = 'int')) THEN
			RAISE EXCEPTION 'metadata field "%" must be of type %, not %', field, rule ->> 'type', kind
				USING ERRCODE = 'check_violation';
		END IF;
		IF rule ->> 'type' = 'int' AND (given #>> '{}')::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
			RAISE EXCEPTION 'metadata field "%" must be an integer of 64 bits', field USING ERRCODE = 'check_violation';
		END IF;
		IF rule ->> 'type' = 'float' AND abs((given #>> '{}')::numeric) > 1.79769e308 THEN
			RAISE EXCEPTION 'metadata field "%" must fit into double precision', field USING ERRCODE = 'check_violation';
		END IF;
		IF rule ? 'enum' AND NOT EXISTS (SELECT FROM jsonb_array_elements(rule -> 'enum') AS e WHERE e = given) THEN
			RAISE EXCEPTION 'metadata field "%" must be one of %, not %', field, rule -> 'enum', left(given::text, 100)
				USING ERRCODE = 'check_violation';
		END IF;
	END LOOP;
	RETURN true;
END $$;
COMMENT ON FUNCTION nanovec.check_metadata(jsonb, jsonb) IS 'true, or an error that says how metadata breaks its schema';

-- What old metadata becomes when it is updated: fields are replaced, null removes one.
CREATE FUNCTION nanovec.merge_metadata(old jsonb, new jsonb)
	RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN new IS NULL THEN old ELSE coalesce(
		(SELECT jsonb_object_agg(key, value) FROM jsonb_each(old || new) WHERE value <> 'null'), '{}') END
$$;
COMMENT ON FUNCTION nanovec.merge_metadata(jsonb, jsonb) IS 'old metadata with the fields of new; null removes a field';
