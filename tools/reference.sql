-- Prints the reference part of README.md, from the COMMENTs of the extension:
-- the types, operators and functions that users call.
WITH member AS (
	SELECT d.classid, d.objid
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE e.extname = 'nanovec' AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
),
type_line AS (
	SELECT format('| `%s` | %s |', format_type(t.oid, NULL), obj_description(t.oid, 'pg_type')) AS text,
		   format_type(t.oid, NULL) AS name
	FROM pg_type t JOIN member m ON m.objid = t.oid AND m.classid = 'pg_type'::regclass
	WHERE t.typelem = 0
),
operator_line AS (
	SELECT format('| `%s` | %s | %s |', replace(o.oprname, '|', '\|'),
				  string_agg(format_type(o.oprleft, NULL), ', ' ORDER BY format_type(o.oprleft, NULL)),
				  obj_description(min(o.oid::int)::oid, 'pg_operator')) AS text,
		   o.oprname AS name
	FROM pg_operator o JOIN member m ON m.objid = o.oid AND m.classid = 'pg_operator'::regclass
	GROUP BY o.oprname
),
-- what implements types, casts, operators, aggregates and the planner is not called by users
function_line AS (
	SELECT format('| `%s` | %s | %s | %s |', p.proname,
				  string_agg(DISTINCT format('(%s)', pg_get_function_arguments(p.oid)), '<br>'),
				  pg_get_function_result(p.oid), min(obj_description(p.oid, 'pg_proc'))) AS text,
		   p.proname AS name
	FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
	WHERE obj_description(p.oid, 'pg_proc') NOT LIKE 'implementation of %'
	AND p.prorettype <> 'internal'::regtype
	AND NOT EXISTS (SELECT FROM pg_type t
					WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin))
	AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = p.oid)
	AND NOT EXISTS (SELECT FROM pg_aggregate a
					WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn))
	AND NOT EXISTS (SELECT FROM pg_amproc s WHERE s.amproc = p.oid)
	GROUP BY p.proname, pg_get_function_result(p.oid)
)
SELECT E'### Types\n\n| type | |\n|---|---|'
UNION ALL (SELECT text FROM type_line ORDER BY name COLLATE "C")
UNION ALL
SELECT E'\n### Operators\n\n| operator | of two | |\n|---|---|---|'
UNION ALL (SELECT text FROM operator_line ORDER BY name COLLATE "C")
UNION ALL
SELECT E'\n### Functions\n\n| function | arguments | result | |\n|---|---|---|---|'
UNION ALL (SELECT text FROM function_line ORDER BY name COLLATE "C", text COLLATE "C");
