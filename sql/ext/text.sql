
-- Text and vectors: BM25, and fusion

CREATE TYPE bm25stats;

CREATE FUNCTION bm25stats_in(cstring) RETURNS bm25stats
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bm25stats_in(cstring) IS 'text input of bm25stats';

CREATE FUNCTION bm25stats_out(bm25stats) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bm25stats_out(bm25stats) IS 'text output of bm25stats';

CREATE FUNCTION bm25stats_recv(internal) RETURNS bm25stats
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bm25stats_recv(internal) IS 'binary input of bm25stats';

CREATE FUNCTION bm25stats_send(bm25stats) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION bm25stats_send(bm25stats) IS 'binary output of bm25stats';

CREATE TYPE bm25stats (
	INPUT = bm25stats_in, OUTPUT = bm25stats_out,
	RECEIVE = bm25stats_recv, SEND = bm25stats_send, STORAGE = external
);
COMMENT ON TYPE bm25stats IS 'what BM25 has to know of documents: their number, their length all together, and in how many of them each lexeme is: 3 120 ''cat'':2';

CREATE FUNCTION nanovec_bm25_accum(internal, tsvector) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_bm25_accum(internal, tsvector) IS 'transition function of nanovec_bm25_stats(tsvector)';

CREATE FUNCTION nanovec_bm25_final(internal) RETURNS bm25stats
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_bm25_final(internal) IS 'final function of nanovec_bm25_stats(tsvector)';

CREATE AGGREGATE nanovec_bm25_stats(tsvector) (
	SFUNC = nanovec_bm25_accum, STYPE = internal, FINALFUNC = nanovec_bm25_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE nanovec_bm25_stats(tsvector) IS 'statistics of documents for nanovec_bm25()';

CREATE FUNCTION nanovec_bm25_stats(relation regclass, column_name name) RETURNS bm25stats
	AS 'MODULE_PATHNAME', 'nanovec_bm25_stats_table' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION nanovec_bm25_stats(regclass, name) IS 'statistics of documents for nanovec_bm25(): of a tsvector column, of the rows that the caller may see';

CREATE FUNCTION nanovec_bm25(document tsvector, query tsquery, stats bm25stats,
		k1 double precision DEFAULT 1.2, b double precision DEFAULT 0.75)
	RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION nanovec_bm25(tsvector, tsquery, bm25stats, double precision, double precision) IS 'BM25 score of a document for a query, 0 or more; the higher the better';

CREATE FUNCTION nanovec_rrf(rank bigint, k int DEFAULT 60) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_rrf(bigint, int) IS 'reciprocal rank fusion: 1 / (k + rank), and 0 for NULL, to be added up over rankings';

CREATE FUNCTION nanovec_fuse(list1 anyarray, list2 anyarray,
		k int DEFAULT 60, weights double precision[] DEFAULT NULL,
		OUT id anyelement, OUT score double precision, OUT place bigint, OUT ranks int[])
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION nanovec_fuse(anyarray, anyarray, int, double precision[]) IS 'one ranking of two lists of keys, each the best first, by reciprocal rank fusion';

CREATE FUNCTION nanovec_fuse(list1 anyarray, list2 anyarray, list3 anyarray,
		k int DEFAULT 60, weights double precision[] DEFAULT NULL,
		OUT id anyelement, OUT score double precision, OUT place bigint, OUT ranks int[])
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION nanovec_fuse(anyarray, anyarray, anyarray, int, double precision[]) IS 'one ranking of three lists of keys, each the best first, by reciprocal rank fusion';

CREATE FUNCTION nanovec_fuse(list1 anyarray, list2 anyarray, list3 anyarray, list4 anyarray,
		k int DEFAULT 60, weights double precision[] DEFAULT NULL,
		OUT id anyelement, OUT score double precision, OUT place bigint, OUT ranks int[])
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION nanovec_fuse(anyarray, anyarray, anyarray, anyarray, int, double precision[]) IS 'one ranking of four lists of keys, each the best first, by reciprocal rank fusion';

CREATE FUNCTION nanovec_minmax(score double precision) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C WINDOW IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_minmax(double precision) IS 'window function: score moved so that the least of the partition is 0, the greatest 1';

CREATE FUNCTION nanovec_zscore(score double precision) RETURNS double precision
	AS 'MODULE_PATHNAME' LANGUAGE C WINDOW IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION nanovec_zscore(double precision) IS 'window function: by how many standard deviations a score is above the mean of the partition';
