
-- Spheres: conditions that a vector is within a distance of another, for indexes too

CREATE FUNCTION nanovec_sphere_sel(internal, oid, internal, int4) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_sphere_sel(internal, oid, internal, int4) IS 'estimates how many rows of a table are in a sphere';

CREATE FUNCTION nanovec_sphere_joinsel(internal, oid, internal, int2, internal) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_sphere_joinsel(internal, oid, internal, int2, internal) IS 'estimates how many rows of a table are in spheres around those of another';

DO $$
DECLARE
	type text;
	kind record;
	family record;
BEGIN
	FOREACH type IN ARRAY '{vector,halfvec,sparsevec,sq8vec,bit}'::text[]
	LOOP
		EXECUTE format('CREATE TYPE sphere_%s AS (center %s, radius float8)', type, type);
		EXECUTE format('COMMENT ON TYPE sphere_%s IS %L', type,
			'all values of ' || type || ' that are less than a radius away from a center');
		EXECUTE format('CREATE FUNCTION sphere(center %s, radius float8) RETURNS sphere_%s '
			'AS ''MODULE_PATHNAME'', ''nanovec_sphere'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE',
			type, type);
		EXECUTE format('COMMENT ON FUNCTION sphere(%s, float8) IS %L', type,
			'what is less than a radius away from a center, for <<->> and its like');
		FOR kind IN SELECT * FROM (VALUES
			('l2', '<<->>', '<->', 'Euclidean distance'),
			('ip', '<<#>>', '<#>', 'negative inner product'),
			('cosine', '<<=>>', '<=>', 'cosine distance'),
			('l1', '<<+>>', '<+>', 'taxicab distance'),
			('hamming', '<<~>>', '<~>', 'Hamming distance'),
			('jaccard', '<<%>>', '<%>', 'Jaccard distance')
			) AS k (name, inside, distance, meaning)
			WHERE (type = 'bit') = (name IN ('hamming', 'jaccard'))
		LOOP
			EXECUTE format('CREATE FUNCTION nanovec_in_sphere_%1$s(%2$s, sphere_%2$s) RETURNS bool '
				'AS ''MODULE_PATHNAME'', ''nanovec_%2$s_in_sphere_%1$s'' '
				'LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE %3$s', kind.name, type,
				CASE WHEN type IN ('vector', 'halfvec', 'sq8vec') THEN 'SUPPORT nanovec_distance_support' END);
			EXECUTE format('COMMENT ON FUNCTION nanovec_in_sphere_%1$s(%2$s, sphere_%2$s) IS %3$L',
				kind.name, type, 'whether a value is in a sphere by the ' || kind.meaning);
			EXECUTE format('CREATE OPERATOR %1$s (LEFTARG = %2$s, RIGHTARG = sphere_%2$s, '
				'PROCEDURE = nanovec_in_sphere_%3$s, RESTRICT = nanovec_sphere_sel, '
				'JOIN = nanovec_sphere_joinsel)', kind.inside, type, kind.name);
			EXECUTE format('COMMENT ON OPERATOR %1$s (%2$s, sphere_%2$s) IS %3$L',
				kind.inside, type, 'is within the radius, by the ' || kind.meaning);
			-- every class that orders by the distance has it as a condition, too
			FOR family IN
				SELECT f.opfname, m.amname
				FROM pg_amop a JOIN pg_opfamily f ON f.oid = a.amopfamily
					JOIN pg_am m ON m.oid = f.opfmethod
					JOIN pg_namespace n ON n.oid = f.opfnamespace
				WHERE m.amname IN ('hnsw', 'ivf', 'ivfflat') AND a.amopstrategy = 1
					AND a.amopopr = to_regoperator(format('%s(%s,%s)', kind.distance, type, type))
					AND n.nspname = current_schema()
				ORDER BY m.amname, f.opfname
			LOOP
				EXECUTE format('ALTER OPERATOR FAMILY %I USING %I ADD '
					'OPERATOR 2 %s (%s, sphere_%s) FOR SEARCH', family.opfname, family.amname,
					kind.inside, type, type);
			END LOOP;
		END LOOP;
	END LOOP;
END;
$$;
