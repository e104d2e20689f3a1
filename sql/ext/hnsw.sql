
-- The hnsw index method

CREATE FUNCTION hnswhandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION hnswhandler(internal) IS 'hnsw index access method handler';

CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER hnswhandler;
COMMENT ON ACCESS METHOD hnsw IS 'index for nearest neighbors: a graph, fast at high recall';

CREATE FUNCTION nanovec_vector_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_vector_support(internal) IS 'element type of the operator classes for vector';

CREATE FUNCTION hnsw_halfvec_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'nanovec_halfvec_support' LANGUAGE C;
COMMENT ON FUNCTION hnsw_halfvec_support(internal) IS 'element type of the hnsw operator classes for halfvec';

CREATE FUNCTION hnsw_bit_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'nanovec_bit_support' LANGUAGE C;
COMMENT ON FUNCTION hnsw_bit_support(internal) IS 'element type of the hnsw operator classes for bit';

CREATE FUNCTION hnsw_sparsevec_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'nanovec_sparsevec_support' LANGUAGE C;
COMMENT ON FUNCTION hnsw_sparsevec_support(internal) IS 'element type of the hnsw operator classes for sparsevec';

CREATE FUNCTION nanovec_sq8vec_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_sq8vec_support(internal) IS 'element type of the operator classes for sq8vec';

CREATE FUNCTION nanovec_l2_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_l2_metric(internal) IS 'metric of operator classes: Euclidean distance';

CREATE FUNCTION nanovec_ip_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_ip_metric(internal) IS 'metric of operator classes: negative inner product';

CREATE FUNCTION nanovec_cosine_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_cosine_metric(internal) IS 'metric of operator classes: cosine distance';

CREATE FUNCTION nanovec_l1_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_l1_metric(internal) IS 'metric of operator classes: taxicab distance';

CREATE FUNCTION nanovec_hamming_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_hamming_metric(internal) IS 'metric of operator classes: Hamming distance';

CREATE FUNCTION nanovec_jaccard_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_jaccard_metric(internal) IS 'metric of operator classes: Jaccard distance';

CREATE FUNCTION nanovec_custom_metric(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION nanovec_custom_metric(internal) IS 'metric of operator classes of one''s own: the function of operator 1';

CREATE OPERATOR CLASS vector_l2_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING hnsw IS 'Euclidean distance of vector, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING hnsw IS 'Euclidean distance of vector, for ORDER BY ... <->';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING hnsw IS 'negative inner product of vector, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING hnsw IS 'negative inner product of vector, for ORDER BY ... <#>';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING hnsw IS 'cosine distance of vector, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING hnsw IS 'cosine distance of vector, for ORDER BY ... <=>';

CREATE OPERATOR CLASS vector_l1_ops
	FOR TYPE vector USING hnsw AS
	OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l1_metric(internal),
	FUNCTION 2 nanovec_vector_support(internal);
COMMENT ON OPERATOR CLASS vector_l1_ops USING hnsw IS 'taxicab distance of vector, for ORDER BY ... <+>';
COMMENT ON OPERATOR FAMILY vector_l1_ops USING hnsw IS 'taxicab distance of vector, for ORDER BY ... <+>';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING hnsw IS 'Euclidean distance of halfvec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING hnsw IS 'Euclidean distance of halfvec, for ORDER BY ... <->';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING hnsw IS 'negative inner product of halfvec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING hnsw IS 'negative inner product of halfvec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING hnsw IS 'cosine distance of halfvec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING hnsw IS 'cosine distance of halfvec, for ORDER BY ... <=>';

CREATE OPERATOR CLASS halfvec_l1_ops
	FOR TYPE halfvec USING hnsw AS
	OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l1_metric(internal),
	FUNCTION 2 hnsw_halfvec_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING hnsw IS 'taxicab distance of halfvec, for ORDER BY ... <+>';
COMMENT ON OPERATOR FAMILY halfvec_l1_ops USING hnsw IS 'taxicab distance of halfvec, for ORDER BY ... <+>';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_hamming_metric(internal),
	FUNCTION 2 hnsw_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING hnsw IS 'Hamming distance of bit, for ORDER BY ... <~>';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING hnsw IS 'Hamming distance of bit, for ORDER BY ... <~>';

CREATE OPERATOR CLASS bit_jaccard_ops
	FOR TYPE bit USING hnsw AS
	OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_jaccard_metric(internal),
	FUNCTION 2 hnsw_bit_support(internal);
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING hnsw IS 'Jaccard distance of bit, for ORDER BY ... <%>';
COMMENT ON OPERATOR FAMILY bit_jaccard_ops USING hnsw IS 'Jaccard distance of bit, for ORDER BY ... <%>';

CREATE OPERATOR CLASS sparsevec_l2_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l2_ops USING hnsw IS 'Euclidean distance of sparsevec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY sparsevec_l2_ops USING hnsw IS 'Euclidean distance of sparsevec, for ORDER BY ... <->';

CREATE OPERATOR CLASS sparsevec_ip_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING hnsw IS 'negative inner product of sparsevec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY sparsevec_ip_ops USING hnsw IS 'negative inner product of sparsevec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS sparsevec_cosine_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING hnsw IS 'cosine distance of sparsevec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY sparsevec_cosine_ops USING hnsw IS 'cosine distance of sparsevec, for ORDER BY ... <=>';

CREATE OPERATOR CLASS sparsevec_l1_ops
	FOR TYPE sparsevec USING hnsw AS
	OPERATOR 1 <+> (sparsevec, sparsevec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l1_metric(internal),
	FUNCTION 2 hnsw_sparsevec_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l1_ops USING hnsw IS 'taxicab distance of sparsevec, for ORDER BY ... <+>';
COMMENT ON OPERATOR FAMILY sparsevec_l1_ops USING hnsw IS 'taxicab distance of sparsevec, for ORDER BY ... <+>';

CREATE OPERATOR CLASS sq8vec_l2_ops
	FOR TYPE sq8vec USING hnsw AS
	OPERATOR 1 <-> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_l2_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_l2_ops USING hnsw IS 'Euclidean distance of sq8vec, for ORDER BY ... <->';
COMMENT ON OPERATOR FAMILY sq8vec_l2_ops USING hnsw IS 'Euclidean distance of sq8vec, for ORDER BY ... <->';

CREATE OPERATOR CLASS sq8vec_ip_ops
	FOR TYPE sq8vec USING hnsw AS
	OPERATOR 1 <#> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_ip_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_ip_ops USING hnsw IS 'negative inner product of sq8vec, for ORDER BY ... <#>';
COMMENT ON OPERATOR FAMILY sq8vec_ip_ops USING hnsw IS 'negative inner product of sq8vec, for ORDER BY ... <#>';

CREATE OPERATOR CLASS sq8vec_cosine_ops
	FOR TYPE sq8vec USING hnsw AS
	OPERATOR 1 <=> (sq8vec, sq8vec) FOR ORDER BY float_ops,
	FUNCTION 1 nanovec_cosine_metric(internal),
	FUNCTION 2 nanovec_sq8vec_support(internal);
COMMENT ON OPERATOR CLASS sq8vec_cosine_ops USING hnsw IS 'cosine distance of sq8vec, for ORDER BY ... <=>';
COMMENT ON OPERATOR FAMILY sq8vec_cosine_ops USING hnsw IS 'cosine distance of sq8vec, for ORDER BY ... <=>';
