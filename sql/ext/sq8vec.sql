
-- Functions of sq8vec

CREATE FUNCTION sq8vec(codes smallint[], scale double precision, "offset" double precision) RETURNS sq8vec
	AS 'MODULE_PATHNAME', 'sq8vec_from_codes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sq8vec(smallint[], double precision, double precision) IS 'sq8vec of given codes (0..255, or -128..127): element i is offset + scale * codes[i]';

CREATE FUNCTION sq8vec(codes bytea, scale double precision, "offset" double precision, signed boolean DEFAULT false) RETURNS sq8vec
	AS 'MODULE_PATHNAME', 'sq8vec_from_bytes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sq8vec(bytea, double precision, double precision, boolean) IS 'sq8vec of given codes, a byte each (two''s complement if signed): element i is offset + scale * code i';

CREATE FUNCTION sq8vec_codes(sq8vec) RETURNS smallint[]
	AS 'MODULE_PATHNAME', 'sq8vec_codes' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sq8vec_codes(sq8vec) IS 'codes of an sq8vec, as they were given';

CREATE FUNCTION sq8vec_scale(sq8vec) RETURNS real
	AS 'MODULE_PATHNAME', 'sq8vec_scale' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sq8vec_scale(sq8vec) IS 'scale of an sq8vec';

CREATE FUNCTION sq8vec_offset(sq8vec) RETURNS real
	AS 'MODULE_PATHNAME', 'sq8vec_offset' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sq8vec_offset(sq8vec) IS 'offset of an sq8vec';

