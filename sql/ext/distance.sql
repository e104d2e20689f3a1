
-- Distances

CREATE FUNCTION nanovec_distance_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_distance_support(internal) IS 'planner support: what a distance costs';

CREATE FUNCTION l2_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l2_distance(vector, vector) IS 'Euclidean distance';

CREATE FUNCTION inner_product(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION inner_product(vector, vector) IS 'inner product';

CREATE FUNCTION cosine_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION cosine_distance(vector, vector) IS 'cosine distance: 1 - cosine of the angle between';

CREATE FUNCTION l1_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l1_distance(vector, vector) IS 'taxicab distance';

CREATE FUNCTION vector_l2_squared_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'square of the Euclidean distance';

CREATE FUNCTION vector_negative_inner_product(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'implementation of <#> operator';

CREATE FUNCTION vector_spherical_distance(vector, vector) RETURNS double precision
	AS 'MODULE_PATHNAME', 'vector_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between unit vectors, divided by pi';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = vector, PROCEDURE = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (vector, vector) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = vector, PROCEDURE = vector_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (vector, vector) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = vector, PROCEDURE = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (vector, vector) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = vector, RIGHTARG = vector, PROCEDURE = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (vector, vector) IS 'taxicab distance';

CREATE FUNCTION l2_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'inner product';

CREATE FUNCTION cosine_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS 'cosine distance: 1 - cosine of the angle between';

CREATE FUNCTION l1_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'taxicab distance';

CREATE FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'square of the Euclidean distance';

CREATE FUNCTION halfvec_negative_inner_product(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'implementation of <#> operator';

CREATE FUNCTION halfvec_spherical_distance(halfvec, halfvec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'halfvec_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between unit vectors, divided by pi';

CREATE OPERATOR <-> (
	LEFTARG = halfvec, RIGHTARG = halfvec, PROCEDURE = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (halfvec, halfvec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = halfvec, RIGHTARG = halfvec, PROCEDURE = halfvec_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (halfvec, halfvec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = halfvec, RIGHTARG = halfvec, PROCEDURE = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (halfvec, halfvec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = halfvec, RIGHTARG = halfvec, PROCEDURE = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (halfvec, halfvec) IS 'taxicab distance';

CREATE FUNCTION l2_distance(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l2_distance(sq8vec, sq8vec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION inner_product(sq8vec, sq8vec) IS 'inner product';

CREATE FUNCTION cosine_distance(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION cosine_distance(sq8vec, sq8vec) IS 'cosine distance: 1 - cosine of the angle between';

CREATE FUNCTION l1_distance(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION l1_distance(sq8vec, sq8vec) IS 'taxicab distance';

CREATE FUNCTION sq8vec_l2_squared_distance(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION sq8vec_l2_squared_distance(sq8vec, sq8vec) IS 'square of the Euclidean distance';

CREATE FUNCTION sq8vec_negative_inner_product(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION sq8vec_negative_inner_product(sq8vec, sq8vec) IS 'implementation of <#> operator';

CREATE FUNCTION sq8vec_spherical_distance(sq8vec, sq8vec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sq8vec_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	SUPPORT nanovec_distance_support;
COMMENT ON FUNCTION sq8vec_spherical_distance(sq8vec, sq8vec) IS 'angle between unit vectors, divided by pi';

CREATE OPERATOR <-> (
	LEFTARG = sq8vec, RIGHTARG = sq8vec, PROCEDURE = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (sq8vec, sq8vec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = sq8vec, RIGHTARG = sq8vec, PROCEDURE = sq8vec_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (sq8vec, sq8vec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = sq8vec, RIGHTARG = sq8vec, PROCEDURE = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (sq8vec, sq8vec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = sq8vec, RIGHTARG = sq8vec, PROCEDURE = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (sq8vec, sq8vec) IS 'taxicab distance';

CREATE FUNCTION l2_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION l2_distance(sparsevec, sparsevec) IS 'Euclidean distance';

CREATE FUNCTION inner_product(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION inner_product(sparsevec, sparsevec) IS 'inner product';

CREATE FUNCTION cosine_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION cosine_distance(sparsevec, sparsevec) IS 'cosine distance: 1 - cosine of the angle between';

CREATE FUNCTION l1_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION l1_distance(sparsevec, sparsevec) IS 'taxicab distance';

CREATE FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) IS 'square of the Euclidean distance';

CREATE FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) RETURNS double precision
	AS 'MODULE_PATHNAME', 'sparsevec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) IS 'implementation of <#> operator';

CREATE OPERATOR <-> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, PROCEDURE = l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (sparsevec, sparsevec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, PROCEDURE = sparsevec_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (sparsevec, sparsevec) IS 'negative inner product';

CREATE OPERATOR <=> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, PROCEDURE = cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (sparsevec, sparsevec) IS 'cosine distance';

CREATE OPERATOR <+> (
	LEFTARG = sparsevec, RIGHTARG = sparsevec, PROCEDURE = l1_distance,
	COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (sparsevec, sparsevec) IS 'taxicab distance';

CREATE FUNCTION hamming_distance(bit, bit) RETURNS double precision
	AS 'MODULE_PATHNAME', 'hamming_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION hamming_distance(bit, bit) IS 'Hamming distance: number of bits that differ';

CREATE FUNCTION jaccard_distance(bit, bit) RETURNS double precision
	AS 'MODULE_PATHNAME', 'jaccard_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION jaccard_distance(bit, bit) IS 'Jaccard distance: 1 - shared bits / bits of either';

CREATE OPERATOR <~> (
	LEFTARG = bit, RIGHTARG = bit, PROCEDURE = hamming_distance,
	COMMUTATOR = <~>
);
COMMENT ON OPERATOR <~> (bit, bit) IS 'Hamming distance';

CREATE OPERATOR <%> (
	LEFTARG = bit, RIGHTARG = bit, PROCEDURE = jaccard_distance,
	COMMUTATOR = <%>
);
COMMENT ON OPERATOR <%> (bit, bit) IS 'Jaccard distance';

CREATE FUNCTION l2_distance(real[], real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float4_array_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION l2_distance(real[], real[]) IS 'Euclidean distance';

CREATE FUNCTION inner_product(real[], real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float4_array_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION inner_product(real[], real[]) IS 'inner product';

CREATE FUNCTION cosine_distance(real[], real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float4_array_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION cosine_distance(real[], real[]) IS 'cosine distance: 1 - cosine of the angle between';

CREATE FUNCTION l1_distance(real[], real[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float4_array_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION l1_distance(real[], real[]) IS 'taxicab distance';

CREATE FUNCTION l2_distance(double precision[], double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float8_array_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION l2_distance(double precision[], double precision[]) IS 'Euclidean distance, in double precision';

CREATE FUNCTION inner_product(double precision[], double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float8_array_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION inner_product(double precision[], double precision[]) IS 'inner product, in double precision';

CREATE FUNCTION cosine_distance(double precision[], double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float8_array_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION cosine_distance(double precision[], double precision[]) IS 'cosine distance: 1 - cosine of the angle between, in double precision';

CREATE FUNCTION l1_distance(double precision[], double precision[]) RETURNS double precision
	AS 'MODULE_PATHNAME', 'float8_array_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION l1_distance(double precision[], double precision[]) IS 'taxicab distance, in double precision';

