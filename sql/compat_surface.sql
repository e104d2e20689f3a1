--
-- Every SQL object of the extension, a line each with what clients may rely on,
-- so that a change of any shows here
--
\pset format unaligned
\pset tuples_only on
CREATE TEMP VIEW cs_members AS
	SELECT classid, objid FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND refobjid = (SELECT oid
		FROM pg_extension WHERE extname = 'nanovec');

SELECT format('type %s: length %s, alignment %s, storage %s, modifiers %s, ',
	format_type(t.oid, NULL),
		typlen, typalign, typstorage, typmodin)
	|| format('input %s, output %s, receive %s, send %s', typinput, typoutput, typreceive, typsend)
FROM pg_type AS t JOIN cs_members ON classid = 'pg_type'::regclass AND objid = t.oid
	WHERE typelem = 0 ORDER BY t.oid::regtype::text COLLATE "C";

SELECT format('function %s(%s) returns %s%s%s%s%s%s', proname, pg_get_function_arguments(p.oid),
	pg_get_function_result(p.oid),
	CASE provolatile WHEN 'i' THEN ', immutable' WHEN 's' THEN ', stable' ELSE ', volatile' END,
	CASE WHEN proisstrict THEN ', strict' END,
		CASE proparallel WHEN 's' THEN ', parallel safe' WHEN 'r' THEN ', parallel restricted'
		ELSE ', parallel unsafe' END,
	', cost ' || procost, ', support ' || nullif(prosupport::oid, 0)::regproc)
FROM pg_proc AS p JOIN cs_members ON classid = 'pg_proc'::regclass AND objid = p.oid
	WHERE prokind IN ('f', 'w') ORDER BY proname COLLATE "C", pg_get_function_arguments(p.oid) COLLATE "C";

SELECT format('aggregate %s(%s): state %s from %s by %s%s%s%s', proname,
	pg_get_function_arguments(p.oid), aggtranstype::regtype, coalesce(agginitval, 'the first row'),
	aggtransfn,
	', combined by ' || nullif(aggcombinefn::oid, 0)::regproc,
		', finished by ' || nullif(aggfinalfn::oid, 0)::regproc,
		CASE proparallel WHEN 's' THEN ', parallel safe' END)
FROM pg_proc AS p JOIN pg_aggregate ON aggfnoid = p.oid
	JOIN cs_members ON classid = 'pg_proc'::regclass AND objid = p.oid ORDER BY proname COLLATE "C",
	pg_get_function_arguments(p.oid) COLLATE "C";

SELECT format('operator %s %s %s returns %s: %s%s%s%s%s%s%s', oprleft::regtype, oprname,
	oprright::regtype, oprresult::regtype, (SELECT proname FROM pg_proc WHERE oid = oprcode),
	(SELECT ', commutator ' || c.oprname FROM pg_operator AS c WHERE c.oid = o.oprcom),
		(SELECT ', negator ' || n.oprname FROM pg_operator AS n WHERE n.oid = o.oprnegate),
	', restrict ' || nullif(oprrest::oid, 0)::regproc,
		', join ' || nullif(oprjoin::oid, 0)::regproc, CASE WHEN oprcanmerge THEN ', merges' END,
		CASE WHEN oprcanhash THEN ', hashes' END)
FROM pg_operator AS o JOIN cs_members ON classid = 'pg_operator'::regclass AND objid = o.oid
	ORDER BY oprname COLLATE "C", oprleft::regtype::text COLLATE "C",
	oprright::regtype::text COLLATE "C";

SELECT format('cast %s as %s, %s, by %s', castsource::regtype, casttarget::regtype,
	CASE castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'on assignment' ELSE 'explicit' END,
	(SELECT proname FROM pg_proc WHERE oid = castfunc))
FROM pg_cast AS c JOIN cs_members ON classid = 'pg_cast'::regclass AND objid = c.oid
	ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

SELECT format('operator class %s for %s using %s%s: operators %s; functions %s', opcname,
	opcintype::regtype, amname, CASE WHEN opcdefault THEN ', default' END,
	(SELECT string_agg(format('%s %s(%s,%s)%s', amopstrategy, oprname, oprleft::regtype,
		oprright::regtype, CASE amoppurpose WHEN 'o' THEN ' for ordering' END), ', '
		ORDER BY amopstrategy, oprleft::regtype::text COLLATE "C",
		oprright::regtype::text COLLATE "C")
	 FROM pg_amop JOIN pg_operator AS o ON o.oid = amopopr WHERE amopfamily = opcfamily),
	(SELECT string_agg(format('%s %s', amprocnum, amproc), ', ' ORDER BY amprocnum) FROM pg_amproc
		WHERE amprocfamily = opcfamily))
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
	JOIN cs_members ON classid = 'pg_opclass'::regclass AND objid = c.oid
	ORDER BY amname COLLATE "C", opcname COLLATE "C";

SELECT format('access method %s, %s', amname, CASE amtype WHEN 'i' THEN 'index' ELSE 'table' END)
	FROM pg_am AS a JOIN cs_members ON classid = 'pg_am'::regclass AND objid = a.oid
	ORDER BY amname COLLATE "C";
-- nothing of another kind
SELECT DISTINCT pg_describe_object(classid, objid, 0) FROM cs_members
WHERE classid NOT IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass,
	'pg_cast'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_am'::regclass);
DROP VIEW cs_members;
