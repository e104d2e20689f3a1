
-- Signatures

CREATE FUNCTION nanovec_lsh(vector, bits int, seed int DEFAULT 0) RETURNS bit
	AS 'MODULE_PATHNAME', 'nanovec_lsh_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION nanovec_lsh(vector, int, int) IS 'a bit for each of some random hyperplanes: on which side of it a vector lies; the Hamming distance of two estimates their angle';

CREATE FUNCTION nanovec_lsh(halfvec, bits int, seed int DEFAULT 0) RETURNS bit
	AS 'MODULE_PATHNAME', 'nanovec_lsh_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION nanovec_lsh(halfvec, int, int) IS 'a bit for each of some random hyperplanes: on which side of it a vector lies';
