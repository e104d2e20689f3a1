
-- Inspection

CREATE FUNCTION nanovec_simd(OUT kernel text, OUT variant text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 30;
COMMENT ON FUNCTION nanovec_simd() IS 'which variant of each numeric kernel runs on this CPU';
