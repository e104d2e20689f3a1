
-- Clustering

CREATE FUNCTION nanovec_kmeans(vectors vector[], k int, iterations int DEFAULT 25,
		seed bigint DEFAULT 0, spherical boolean DEFAULT false)
	RETURNS vector[]
	AS 'MODULE_PATHNAME', 'nanovec_kmeans_array' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION nanovec_kmeans(vector[], int, int, bigint, boolean) IS 'centroids of at most k clusters of vectors, by k-means; spherical: by direction, for cosine distance';

CREATE FUNCTION nanovec_kmeans(relation regclass, column_name name, k int,
		iterations int DEFAULT 25, seed bigint DEFAULT 0, spherical boolean DEFAULT false)
	RETURNS vector[]
	AS 'MODULE_PATHNAME', 'nanovec_kmeans_table' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION nanovec_kmeans(regclass, name, int, int, bigint, boolean) IS 'centroids of at most k clusters of a column, by k-means on as large a sample as is of use and work_mem holds';

-- so that nanovec_kmeans('items', 'embedding', 20) is not ambiguous
CREATE FUNCTION nanovec_kmeans(relation text, column_name name, k int,
		iterations int DEFAULT 25, seed bigint DEFAULT 0, spherical boolean DEFAULT false)
	RETURNS vector[]
	LANGUAGE sql STABLE STRICT PARALLEL RESTRICTED COST 1000000
	RETURN nanovec_kmeans(relation::regclass, column_name, k, iterations, seed, spherical);
COMMENT ON FUNCTION nanovec_kmeans(text, name, int, int, bigint, boolean) IS 'centroids of at most k clusters of a column, by k-means; in views write ''items''::regclass for the relation, which pg_dump keeps with its schema';

CREATE FUNCTION nanovec_assign(vector, centroids vector[]) RETURNS int
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION nanovec_assign(vector, vector[]) IS 'subscript of the nearest of centroids, by Euclidean distance';
