
-- Questions beyond one search

CREATE FUNCTION nanovec_index_recall(index regclass, queries int DEFAULT 100, k int DEFAULT 10,
		seed bigint DEFAULT 0, OUT recall float8, OUT worst float8, OUT index_p50_ms float8,
		OUT index_p95_ms float8, OUT exact_p50_ms float8, OUT exact_p95_ms float8)
	RETURNS record
	AS 'MODULE_PATHNAME', 'nanovec_index_recall_rows' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION nanovec_index_recall(regclass, int, int, bigint) IS 'how many of the k nearest rows an index finds with the present settings, on average and at worst, and in what time; queries are rows of the table, moved a little, or an array';

CREATE FUNCTION nanovec_index_recall(index regclass, queries anyarray, k int DEFAULT 10,
		OUT recall float8, OUT worst float8, OUT index_p50_ms float8,
		OUT index_p95_ms float8, OUT exact_p50_ms float8, OUT exact_p95_ms float8)
	RETURNS record
	AS 'MODULE_PATHNAME', 'nanovec_index_recall_array' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION nanovec_index_recall(regclass, anyarray, int) IS 'how many of the k nearest rows of some queries an index finds, and in what time';

CREATE FUNCTION nanovec_recall_sweep(index regclass, settings int[], queries int DEFAULT 100,
		k int DEFAULT 10, seed bigint DEFAULT 0, OUT setting int, OUT recall float8,
		OUT worst float8, OUT p50_ms float8, OUT p95_ms float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'nanovec_recall_sweep_rows' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000 ROWS 10;
COMMENT ON FUNCTION nanovec_recall_sweep(regclass, int[], int, int, bigint) IS 'what nanovec_index_recall() tells, for each of some values of ef_search or probes';

CREATE FUNCTION nanovec_recall_sweep(index regclass, settings int[], queries anyarray,
		k int DEFAULT 10, OUT setting int, OUT recall float8,
		OUT worst float8, OUT p50_ms float8, OUT p95_ms float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'nanovec_recall_sweep_array' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000 ROWS 10;
COMMENT ON FUNCTION nanovec_recall_sweep(regclass, int[], anyarray, int) IS 'what nanovec_index_recall() tells of some queries, for each of some values of ef_search or probes';

CREATE FUNCTION nanovec_search(index regclass, queries anyarray, k int,
		radius float8 DEFAULT NULL, OUT query int, OUT tid tid, OUT distance float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION nanovec_search(regclass, anyarray, int, float8) IS 'the k nearest rows to each of many queries, which are counted from 1, as places in the table, with exact distances, nearest first; within a radius, if one is given';

CREATE FUNCTION nanovec_search_groups(index regclass, query anyelement, group_by name, k int,
		OUT tid tid, OUT distance float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 10;
COMMENT ON FUNCTION nanovec_search_groups(regclass, anyelement, name, int) IS 'the k nearest groups of rows that have the same value in a column, such as documents of chunks, each by its nearest row: the place of that in the table, and its exact distance, nearest first';

CREATE FUNCTION nanovec_last_scan(OUT index regclass, OUT strategy text, OUT visited bigint,
		OUT estimated bigint, OUT returned bigint, OUT rounds bigint, OUT filter_passed bigint,
		OUT filter_refused bigint, OUT ended text, OUT ms float8)
	RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nanovec_last_scan() IS 'what the last search of an index in this session did: vectors measured, distances estimated from codes, rows returned, rounds, why it ended, and in what time with what its caller did meanwhile';

CREATE FUNCTION nanovec_index_stats(OUT index regclass, OUT searches bigint, OUT returned bigint,
		OUT visited bigint, OUT estimated bigint, OUT rounds bigint, OUT visited_p50 bigint,
		OUT visited_p95 bigint, OUT ms float8, OUT last_search timestamptz, OUT since timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION nanovec_index_stats() IS 'sums of what searches did, for each index of this database, of all sessions since the server started; half of the searches, and 95 of 100, visited at most so many vectors, up to the next power of two; only where nanovec is in shared_preload_libraries';

CREATE FUNCTION nanovec_index_stats_reset(index regclass DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION nanovec_index_stats_reset(regclass) IS 'begins to count the searches of an index anew, for its owner; without an index, those of all, for superusers';
