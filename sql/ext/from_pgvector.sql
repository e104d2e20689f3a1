-- From pgvector 0.8 to nanovec under pgvector's name.  Objects of pgvector keep
-- their OIDs, so that columns, views and indexes keep them; from_pgvector.awk
-- makes the rest of this script from the install script.

-- The operator classes of hnsw and ivfflat get other support functions.  They
-- can't be made anew, since indexes need them, and ALTER OPERATOR FAMILY drops
-- nothing that an operator class requires: hence by hand.
DELETE FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_amproc'::regclass AND objid IN (
	SELECT p.oid FROM pg_catalog.pg_amproc p
	JOIN pg_catalog.pg_opfamily f ON f.oid = p.amprocfamily
	JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod
	JOIN pg_catalog.pg_depend m ON m.classid = 'pg_catalog.pg_opfamily'::regclass AND m.objid = f.oid
	JOIN pg_catalog.pg_extension e ON e.oid = m.refobjid AND m.deptype = 'e'
	WHERE e.extname = 'vector' AND a.amname IN ('hnsw', 'ivfflat'));

-- those of which nothing is known any more
DELETE FROM pg_catalog.pg_amproc p USING pg_catalog.pg_opfamily f, pg_catalog.pg_am a
	WHERE f.oid = p.amprocfamily AND a.oid = f.opfmethod AND a.amname IN ('hnsw', 'ivfflat')
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_amproc'::regclass AND d.objid = p.oid);

-- merge joins; ALTER OPERATOR can say it from PostgreSQL 17 on
UPDATE pg_catalog.pg_operator SET oprcanmerge = true
	WHERE oid IN ('= (vector, vector)'::regoperator, '= (halfvec, halfvec)'::regoperator,
		'= (sparsevec, sparsevec)'::regoperator);
