
-- Attributes: the columns of an index beside its vectors, by which searches are filtered.
-- All index methods have the same operator classes, which are the default ones of their types.

CREATE FUNCTION nanovec_attribute_integer(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_integer(internal) IS 'how indexes summarize whole numbers and booleans';

CREATE FUNCTION nanovec_attribute_float(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_float(internal) IS 'how indexes summarize float4 and float8';

CREATE FUNCTION nanovec_attribute_numeric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_numeric(internal) IS 'how indexes summarize numeric';

CREATE FUNCTION nanovec_attribute_time(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_time(internal) IS 'how indexes summarize dates and timestamps';

CREATE FUNCTION nanovec_attribute_uuid(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_uuid(internal) IS 'how indexes summarize uuid';

CREATE FUNCTION nanovec_attribute_hash(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_hash(internal) IS 'how indexes summarize types that are compared by a hash';

CREATE FUNCTION nanovec_attribute_array(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_array(internal) IS 'how indexes summarize arrays, by hashes of their elements';

CREATE FUNCTION nanovec_attribute_jsonb(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_attribute_jsonb(internal) IS 'how indexes summarize jsonb, by hashes of its scalars and the keys that lead to them';

DO $$
DECLARE
	method text;
	class record;
	operators text;
BEGIN
	FOR method IN SELECT amname FROM pg_am WHERE amname IN ('hnsw', 'ivf', 'ivfflat') ORDER BY 1
	LOOP
		-- types of a family can be compared with one another
		FOR class IN SELECT * FROM (VALUES
			('bool', 'bool_ops', 'bool', 'integer', 'order', '{bool}'::text[]),
			('int2', 'int2_ops', 'integer', 'integer', 'order', '{int2,int4,int8}'),
			('int4', 'int4_ops', 'integer', 'integer', 'order', '{int2,int4,int8}'),
			('int8', 'int8_ops', 'integer', 'integer', 'order', '{int2,int4,int8}'),
			('float4', 'float4_ops', 'float', 'float', 'order', '{float4,float8}'),
			('float8', 'float8_ops', 'float', 'float', 'order', '{float4,float8}'),
			('numeric', 'numeric_ops', 'numeric', 'numeric', 'order', '{numeric}'),
			('date', 'date_ops', 'datetime', 'time', 'order', '{date,timestamp}'),
			('timestamp', 'timestamp_ops', 'datetime', 'time', 'order', '{date,timestamp}'),
			('timestamptz', 'timestamptz_ops', 'timestamptz', 'time', 'order', '{timestamptz}'),
			('uuid', 'uuid_ops', 'uuid', 'uuid', 'order', '{uuid}'),
			('text', 'text_ops', 'text', 'hash', 'equality', '{text}'),
			('anyenum', 'enum_ops', 'enum', 'hash', 'equality', '{anyenum}'),
			('anyarray', 'array_ops', 'array', 'array', 'set', '{anyarray}'),
			('jsonb', 'jsonb_ops', 'jsonb', 'jsonb', 'containment', '{jsonb}')
			) AS c (type, name, family, support, kind, others)
		LOOP
			SELECT string_agg(format('OPERATOR %s %s (%s, %s)', strategy, sign, class.type, other),
				', ') INTO operators
			FROM unnest(class.others) AS other, (VALUES
				(11, '<', 'order'), (12, '<=', 'order'), (13, '=', 'order'), (14, '>=', 'order'),
				(15, '>', 'order'), (16, '<>', 'order'),
				(13, '=', 'equality'), (16, '<>', 'equality'),
				(21, '&&', 'set'), (22, '@>', 'set'), (23, '<@', 'set'), (24, '=', 'set'),
				(22, '@>', 'containment')
				) AS o (strategy, sign, kind)
			WHERE o.kind = class.kind;
			IF NOT EXISTS (SELECT FROM pg_opfamily AS f JOIN pg_am AS a ON a.oid = opfmethod
				WHERE amname = method AND opfname = 'attribute_' || class.family || '_ops'
				AND opfnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))
			THEN
				EXECUTE format('CREATE OPERATOR FAMILY attribute_%s_ops USING %s', class.family,
					method);
				EXECUTE format('COMMENT ON OPERATOR FAMILY attribute_%s_ops USING %s IS %L',
					class.family, method, 'conditions on a column beside the vectors');
			END IF;
			EXECUTE format('CREATE OPERATOR CLASS %s DEFAULT FOR TYPE %s USING %s '
				'FAMILY attribute_%s_ops AS %s, FUNCTION 3 nanovec_attribute_%s(internal)',
				class.name, class.type, method, class.family, operators, class.support);
			EXECUTE format('COMMENT ON OPERATOR CLASS %s USING %s IS %L', class.name, method,
				'conditions on a ' || class.type || ' column beside the vectors');
		END LOOP;
	END LOOP;
END;
$$;
