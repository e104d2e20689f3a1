
-- The ivf index method, and ivfflat, which is the same with vectors in full

CREATE FUNCTION ivfhandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION ivfhandler(internal) IS 'ivf index access method handler';

CREATE ACCESS METHOD ivf TYPE INDEX HANDLER ivfhandler;
COMMENT ON ACCESS METHOD ivf IS 'index for nearest neighbors: lists, small and quick to build';

CREATE FUNCTION ivfflathandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION ivfflathandler(internal) IS 'ivfflat index access method handler';

CREATE ACCESS METHOD ivfflat TYPE INDEX HANDLER ivfflathandler;
COMMENT ON ACCESS METHOD ivfflat IS 'index for nearest neighbors: lists of vectors in full';

CREATE FUNCTION ivfflat_halfvec_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'nanovec_halfvec_support' LANGUAGE C;
COMMENT ON FUNCTION ivfflat_halfvec_support(internal) IS 'element type of the ivf and ivfflat operator classes for halfvec';

CREATE FUNCTION ivfflat_bit_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'nanovec_bit_support' LANGUAGE C;
COMMENT ON FUNCTION ivfflat_bit_support(internal) IS 'element type of the ivf and ivfflat operator classes for bit';

CREATE OPERATOR CLASS vector_l2_ops
	DEFAULT FOR TYPE vector USING ivf AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivf IS 'Euclidean distance of vector, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING ivf IS 'Euclidean distance of vector, for ORDER BY ... <->';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING ivf AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivf IS 'negative inner product of vector, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING ivf IS 'negative inner product of vector, for ORDER BY ... <#>';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING ivf AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivf IS 'cosine distance of vector, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING ivf IS 'cosine distance of vector, for ORDER BY ... <=>';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING ivf AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ivf IS 'Euclidean distance of halfvec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING ivf IS 'Euclidean distance of halfvec, for ORDER BY ... <->';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING ivf AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ivf IS 'negative inner product of halfvec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING ivf IS 'negative inner product of halfvec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING ivf AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ivf IS 'cosine distance of halfvec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING ivf IS 'cosine distance of halfvec, for ORDER BY ... <=>';

CREATE OPERATOR CLASS sq8vec_l2_ops
	FOR TYPE sq8vec USING ivf AS
	OPERATOR 1 <-> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_l2_ops USING ivf IS 'Euclidean distance of sq8vec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY sq8vec_l2_ops USING ivf IS 'Euclidean distance of sq8vec, for ORDER BY ... <->';

CREATE OPERATOR CLASS sq8vec_ip_ops
	FOR TYPE sq8vec USING ivf AS
	OPERATOR 1 <#> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_ip_ops USING ivf IS 'negative inner product of sq8vec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY sq8vec_ip_ops USING ivf IS 'negative inner product of sq8vec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS sq8vec_cosine_ops
	FOR TYPE sq8vec USING ivf AS
	OPERATOR 1 <=> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_cosine_ops USING ivf IS 'cosine distance of sq8vec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY sq8vec_cosine_ops USING ivf IS 'cosine distance of sq8vec, for ORDER BY ... <=>';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING ivf AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_hamming_metric(internal),
	FUNCTION 2 ivfflat_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING ivf IS 'Hamming distance of bit, for ORDER BY ... <~>';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING ivf IS 'Hamming distance of bit, for ORDER BY ... <~>';

CREATE OPERATOR CLASS vector_l2_ops
	DEFAULT FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivfflat IS 'Euclidean distance of vector, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING ivfflat IS 'Euclidean distance of vector, for ORDER BY ... <->';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivfflat IS 'negative inner product of vector, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING ivfflat IS 'negative inner product of vector, for ORDER BY ... <#>';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING ivfflat AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivfflat IS 'cosine distance of vector, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING ivfflat IS 'cosine distance of vector, for ORDER BY ... <=>';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ivfflat IS 'Euclidean distance of halfvec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING ivfflat IS 'Euclidean distance of halfvec, for ORDER BY ... <->';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ivfflat IS 'negative inner product of halfvec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING ivfflat IS 'negative inner product of halfvec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING ivfflat AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 ivfflat_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ivfflat IS 'cosine distance of halfvec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING ivfflat IS 'cosine distance of halfvec, for ORDER BY ... <=>';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING ivfflat AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_hamming_metric(internal),
	FUNCTION 2 ivfflat_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING ivfflat IS 'Hamming distance of bit, for ORDER BY ... <~>';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING ivfflat IS 'Hamming distance of bit, for ORDER BY ... <~>';
