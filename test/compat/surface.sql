-- The SQL objects of nanovec or its alias, a line each, in the form of pgvector-surface.txt.
WITH member AS (
	SELECT d.classid, d.objid
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE e.extname IN ('nanovec', 'vector') AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
), line AS (
	SELECT format('type %s storage=%s typmod=%s binary=%s', format_type(t.oid, NULL), t.typstorage,
				  (t.typmodin <> 0)::text, (t.typsend <> 0)::text) AS text
	FROM pg_type t JOIN member m ON m.objid = t.oid AND m.classid = 'pg_type'::regclass
	WHERE t.typelem = 0
UNION ALL
	SELECT concat(CASE p.prokind WHEN 'a' THEN 'aggregate ' ELSE 'function ' END,
				  p.oid::regprocedure, ' returns ', format_type(p.prorettype, NULL), ' ',
				  CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
				  CASE WHEN p.proisstrict THEN ' strict' END,
				  CASE WHEN p.proparallel = 's' THEN ' parallel-safe' END)
	FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
UNION ALL
	SELECT concat('operator ', o.oid::regoperator, ' -> ', o.oprcode::regproc,
				  ' commutator=' || NULLIF(o.oprcom, 0)::regoper::text,
				  ' negator=' || NULLIF(o.oprnegate, 0)::regoper::text,
				  ' restrict=' || NULLIF(o.oprrest::oid, 0)::regproc::text,
				  ' join=' || NULLIF(o.oprjoin::oid, 0)::regproc::text)
	FROM pg_operator o JOIN member m ON m.objid = o.oid AND m.classid = 'pg_operator'::regclass
UNION ALL
	SELECT concat('cast ', format_type(c.castsource, NULL), ' -> ', format_type(c.casttarget, NULL),
				  CASE c.castcontext WHEN 'i' THEN ' implicit' WHEN 'a' THEN ' assignment' ELSE ' explicit' END)
	FROM pg_cast c JOIN member m ON m.objid = c.oid AND m.classid = 'pg_cast'::regclass
UNION ALL
	SELECT concat('opclass ', a.amname, ' ', c.opcname, ' for ', format_type(c.opcintype, NULL),
				  CASE WHEN c.opcdefault THEN ' default' END, ' order by ',
				  (SELECT string_agg(ao.amopopr::regoperator::text, ', ' ORDER BY ao.amopstrategy)
				   FROM pg_amop ao WHERE ao.amopfamily = c.opcfamily
				   -- not conditions, such as nanovec's spheres, which pgvector does not have
				   AND (ao.amoppurpose = 'o' OR a.amname NOT IN ('hnsw', 'ivfflat'))))
	FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
		JOIN member m ON m.objid = c.oid AND m.classid = 'pg_opclass'::regclass
UNION ALL
	SELECT 'access method ' || a.amname
	FROM pg_am a JOIN member m ON m.objid = a.oid AND m.classid = 'pg_am'::regclass
)
SELECT text FROM line ORDER BY text COLLATE "C";
