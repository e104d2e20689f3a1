
-- Many vectors a row

CREATE FUNCTION nanovec_maxsim_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_maxsim_support(internal) IS 'planner support: what MaxSim costs';

CREATE FUNCTION maxsim(vector[], vector[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_maxsim' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_maxsim_support;
COMMENT ON FUNCTION maxsim(vector[], vector[]) IS 'MaxSim: sum, over the vectors of the second array, of the greatest inner product with one of the first';

CREATE FUNCTION vector_negative_maxsim(vector[], vector[]) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_maxsim_support;
COMMENT ON FUNCTION vector_negative_maxsim(vector[], vector[]) IS 'implementation of @# operator';

CREATE FUNCTION maxsim(halfvec[], halfvec[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_maxsim' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_maxsim_support;
COMMENT ON FUNCTION maxsim(halfvec[], halfvec[]) IS 'MaxSim: sum, over the vectors of the second array, of the greatest inner product with one of the first';

CREATE FUNCTION halfvec_negative_maxsim(halfvec[], halfvec[]) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_maxsim_support;
COMMENT ON FUNCTION halfvec_negative_maxsim(halfvec[], halfvec[]) IS 'implementation of @# operator';

CREATE OPERATOR @# (
	LEFTARG = vector[], RIGHTARG = vector[], PROCEDURE = vector_negative_maxsim
);
COMMENT ON OPERATOR @# (vector[], vector[]) IS 'negative MaxSim: the row on the left, the query on the right';

CREATE OPERATOR @# (
	LEFTARG = halfvec[], RIGHTARG = halfvec[], PROCEDURE = halfvec_negative_maxsim
);
COMMENT ON OPERATOR @# (halfvec[], halfvec[]) IS 'negative MaxSim: the row on the left, the query on the right';

CREATE OPERATOR CLASS vector_maxsim_ops
	FOR TYPE vector[] USING hnsw AS
	OPERATOR 1 @# (vector[], vector[]) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_maxsim_ops USING hnsw IS 'negative MaxSim of arrays of vector, for ORDER BY ... @#';
COMMENT ON OPERATOR FAMILY vector_maxsim_ops USING hnsw IS 'negative MaxSim of arrays of vector, for ORDER BY ... @#';

CREATE OPERATOR CLASS halfvec_maxsim_ops
	FOR TYPE halfvec[] USING hnsw AS
	OPERATOR 1 @# (halfvec[], halfvec[]) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_maxsim_ops USING hnsw IS 'negative MaxSim of arrays of halfvec, for ORDER BY ... @#';
COMMENT ON OPERATOR FAMILY halfvec_maxsim_ops USING hnsw IS 'negative MaxSim of arrays of halfvec, for ORDER BY ... @#';
