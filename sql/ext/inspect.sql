
-- Inspection

CREATE FUNCTION nanovec_simd(OUT kernel text, OUT variant text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 30;
COMMENT ON FUNCTION nanovec_simd() IS 'which variant of each numeric kernel runs on this CPU';

CREATE FUNCTION nanovec_index_check(index regclass, OUT block bigint, OUT problem text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION nanovec_index_check(regclass) IS 'walks a whole index and returns every broken invariant: no rows for a sound one';

CREATE FUNCTION nanovec_index_info(index regclass, OUT property text, OUT value text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;
COMMENT ON FUNCTION nanovec_index_info(regclass) IS 'what an index is made of: format, nodes or lists, bytes';

CREATE FUNCTION nanovec_prewarm(index regclass, part text DEFAULT 'search') RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nanovec_prewarm(regclass, text) IS 'reads what every search needs of an index, or ''all'' of it, into shared buffers, and returns the number of pages';
