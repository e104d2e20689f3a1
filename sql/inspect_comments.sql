--
-- Every object of the extension that can have a COMMENT has one.  (Casts and
-- what belongs to an access method need none.)
--
\pset format unaligned
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'nanovec')
AND classid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass,
	'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_am'::regclass)
AND obj_description(objid, (SELECT relname FROM pg_class WHERE pg_class.oid = classid)) IS NULL
-- the array types, which come with their elements' types
AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type
	WHERE pg_type.oid = objid AND typelem <> 0 AND typlen = -1 AND typname ~ '^_'))
ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C";
-- the extension itself too; and no comment is empty or ends like a sentence
SELECT obj_description(oid, 'pg_extension') <> '' AS has_comment FROM pg_extension
	WHERE extname = 'nanovec';
SELECT pg_describe_object(d.classid, d.objid, 0) AS odd_comment, description
FROM pg_depend AS d JOIN pg_description AS c ON (c.classoid, c.objoid, c.objsubid) = (d.classid,
	d.objid, 0)
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid
	FROM pg_extension WHERE extname = 'nanovec')
AND (trim(description) <> description OR description = '' OR description ~ '\.$');
-- the queries above do see the objects
SELECT count(DISTINCT classid) >= 5 AS kinds, count(*) > 200 AS objects
FROM pg_depend AS d JOIN pg_description AS c ON (c.classoid, c.objoid, c.objsubid) = (d.classid,
	d.objid, 0)
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid
	FROM pg_extension WHERE extname = 'nanovec');
