-- What the catalogs say of the extension's objects, a line each, without OIDs:
-- to compare an extension that was updated with a new one.
WITH member AS (
	SELECT d.classid, d.objid,
		(SELECT concat(type, ' ', identity) FROM pg_identify_object(d.classid, d.objid, 0)) AS name
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE e.extname IN ('nanovec', 'vector') AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
), line AS (
	SELECT concat(name, ': ', obj_description(objid, classid::regclass::name)) AS text
	FROM member
UNION ALL
	SELECT concat(name, ' ', row(proname, prolang, procost, prorows, provariadic, prosupport::regproc, prokind,
				  prosecdef, proleakproof, proisstrict, proretset, provolatile, proparallel, prosrc, probin,
				  pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)))
	FROM pg_proc p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass
UNION ALL
	SELECT concat(name, ' ', row(aggkind, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn,
				  aggtranstype::regtype, aggtransspace, agginitval, aggfinalmodify))
	FROM pg_aggregate a JOIN member ON objid = a.aggfnoid AND classid = 'pg_proc'::regclass
UNION ALL
	SELECT concat(name, ' ', row(typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typsubscript,
				  typelem::regtype, typarray::regtype, typinput, typoutput, typreceive, typsend, typmodin,
				  typmodout, typanalyze, typalign, typstorage, typcollation))
	FROM pg_type t JOIN member ON objid = t.oid AND classid = 'pg_type'::regclass
UNION ALL
	SELECT concat(name, ' ', row(oprcanmerge, oprcanhash, oprresult::regtype, oprcom::regoperator,
				  oprnegate::regoperator, oprcode, oprrest, oprjoin))
	FROM pg_operator o JOIN member ON objid = o.oid AND classid = 'pg_operator'::regclass
UNION ALL
	SELECT concat(name, ' ', row(castfunc::regprocedure, castcontext, castmethod))
	FROM pg_cast c JOIN member ON objid = c.oid AND classid = 'pg_cast'::regclass
UNION ALL
	SELECT concat(name, ' ', row(amhandler, amtype))
	FROM pg_am a JOIN member ON objid = a.oid AND classid = 'pg_am'::regclass
UNION ALL
	SELECT concat(name, ' ', row(opcintype::regtype, opcdefault, opckeytype::regtype,
				  (SELECT opfname FROM pg_opfamily f WHERE f.oid = opcfamily)))
	FROM pg_opclass c JOIN member ON objid = c.oid AND classid = 'pg_opclass'::regclass
UNION ALL
	SELECT concat(name, ' operator ', row(amoplefttype::regtype, amoprighttype::regtype, amopstrategy,
				  amoppurpose, amopopr::regoperator, (SELECT opfname FROM pg_opfamily f WHERE f.oid = amopsortfamily)))
	FROM pg_amop o JOIN member ON objid = o.amopfamily AND classid = 'pg_opfamily'::regclass
UNION ALL
	SELECT concat(name, ' function ', row(amproclefttype::regtype, amprocrighttype::regtype, amprocnum, amproc))
	FROM pg_amproc p JOIN member ON objid = p.amprocfamily AND classid = 'pg_opfamily'::regclass
)
SELECT text FROM line ORDER BY text COLLATE "C";
