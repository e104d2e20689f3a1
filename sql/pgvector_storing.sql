--
-- As users of pgvector do it: columns of vectors, filled, changed and copied;
-- what they take on disk
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

-- the extension, updated to what is installed
SELECT format('ALTER EXTENSION %I UPDATE', extname) AS command,
	extversion ~ '^\d+\.\d+\.\d+$' AS numbered
FROM pg_extension WHERE extname IN ('nanovec', 'vector') \gset
:command;
SELECT :'numbered';
RESET client_min_messages;

-- a new table, and a column added to one that has rows
CREATE TABLE st_shapes (id bigserial PRIMARY KEY, size vector(3));
INSERT INTO st_shapes (size) VALUES ('[1,1,1]'), ('[2,3.5,-4]'), ('[1e-3,2e3,0]') RETURNING id,
	size;
ALTER TABLE st_shapes ADD COLUMN color halfvec(3), ADD COLUMN flags bit(4),
	ADD COLUMN words sparsevec(6);
SELECT * FROM st_shapes ORDER BY id;
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'st_shapes'::regclass AND attnum > 1 ORDER BY attnum;

-- one row, several, of another query, by a parameter, of an array, by default
INSERT INTO st_shapes (size, color, flags, words)
	VALUES (' [ 7 , 8 , 9 ] ', '[0.5,0.25,1]', '1010', '{1:2.5,6:-1}/6');
INSERT INTO st_shapes (size) SELECT ARRAY[i, i * i, i * i * i] FROM generate_series(2, 3) AS i;
PREPARE st_insert (vector) AS INSERT INTO st_shapes (size) VALUES ($1);
EXECUTE st_insert('[0,0,1]');
EXECUTE st_insert(NULL);
DEALLOCATE st_insert;
ALTER TABLE st_shapes ALTER color SET DEFAULT '[1,1,1]';
INSERT INTO st_shapes DEFAULT VALUES;
SELECT * FROM st_shapes WHERE id > 3 ORDER BY id;

-- upsert: one row is new, one replaces another
INSERT INTO st_shapes (id, size) VALUES (9, '[9,9,9]'), (10, '[10,10,10]')
	ON CONFLICT (id) DO UPDATE SET size = EXCLUDED.size, color = NULL;
INSERT INTO st_shapes (id, size) VALUES (10, '[0,0,0]') ON CONFLICT DO NOTHING;
SELECT id, size, color FROM st_shapes WHERE id >= 9 ORDER BY id;

-- update: a value, an expression, one row by another; delete
UPDATE st_shapes SET size = '[1,2,3]' WHERE id = 1;
UPDATE st_shapes SET size = size + '[1,0,0]', color = size WHERE id = 4;
UPDATE st_shapes AS s SET size = o.size FROM st_shapes AS o WHERE s.id = 8 AND o.id = 1;
SELECT id, size, color FROM st_shapes WHERE id IN (1, 4, 8) ORDER BY id;
DELETE FROM st_shapes WHERE id = 1;
DELETE FROM st_shapes WHERE size = '[1,2,3]' RETURNING id;
DELETE FROM st_shapes WHERE size <-> '[10,10,10]' < 3 RETURNING id;
SELECT array_agg(id ORDER BY id) FROM st_shapes;

-- text is copied as it is written elsewhere
CREATE TABLE st_copies AS TABLE st_shapes WITH NO DATA;
COPY st_copies (id, size, color, flags, words) FROM STDIN;
1	[1,2,3]	[0.5,-1,65504]	1100	{2:1}/6
2	[4, 5, 6]	\N	\N	{}/6
3	\N	[0,0,0]	0000	\N
\.
COPY st_copies (id, size, words) FROM STDIN (FORMAT csv);
4,"[7,8,9]","{1:1,3:3}/6"
5,,
\.
COPY (SELECT * FROM st_copies ORDER BY id) TO STDOUT;
COPY (SELECT id, size, words FROM st_copies WHERE id IN (2, 4) ORDER BY id) TO STDOUT (FORMAT csv);

-- binary: dimensions, a zero and the elements; sparsevec has dimensions,
-- elements, a zero, positions and values
SELECT vector_send('[1,2]'), halfvec_send('[1,2]'), sparsevec_send('{2:1,5:2}/6');
CREATE TABLE st_pairs (v vector(2));
\copy st_pairs FROM PROGRAM 'printf "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\14\0\2\0\0\77\200\0\0\100\0\0\0\377\377"' (FORMAT binary)
TABLE st_pairs;
SELECT test.received('vector(2)', '\x0002000040400000c0000000'), test.received('halfvec',
	'\x000100003800'),
	test.received('sparsevec', '\x000000030000000100000000000000023f000000'),
	test.received('vector(3)', '\x0002000040400000c0000000');
-- out and in again is the same
COPY st_shapes TO PROGRAM 'cat > st_shapes.copy' (FORMAT binary);
TRUNCATE st_copies;
COPY st_copies FROM PROGRAM 'cat st_shapes.copy && rm st_shapes.copy' (FORMAT binary);
SELECT count(*) FROM st_copies;
SELECT count(*) FROM (SELECT id, size, color, flags, words::text FROM st_shapes
	EXCEPT SELECT id, size, color, flags, words::text FROM st_copies) AS s;

-- bytes: 8 and 4 a dimension, 8 and 2 a dimension, 8 and 1 for eight, 16 and 8 for each not 0
SELECT pg_column_size('[1,2,3]'::vector), pg_column_size('[1,2,3]'::halfvec),
	pg_column_size(B'1011000010110000'), pg_column_size('{1:1,9:2}/1000'::sparsevec);
SELECT pg_column_size(array_fill(1, ARRAY[16000])::vector), pg_column_size(array_fill(1,
	ARRAY[16000])::halfvec),
	pg_column_size(B'1'::bit(64000)), pg_column_size(array_fill(1, ARRAY[16000])::sparsevec);

-- large vectors are stored out of line and not compressed, or inline if wanted
CREATE TABLE st_large (id int, v vector(1500));
ALTER TABLE st_large ALTER v SET STORAGE EXTERNAL;
INSERT INTO st_large VALUES (1, array_fill(0.5, ARRAY[1500]));
SELECT pg_relation_size(reltoastrelid) > 0, pg_column_size(v) FROM pg_class, st_large
WHERE oid = 'st_large'::regclass;
ALTER TABLE st_large ALTER v SET STORAGE PLAIN;
TRUNCATE st_large;
INSERT INTO st_large VALUES (1, array_fill(0.5, ARRAY[1500]));
SELECT pg_relation_size(reltoastrelid), pg_column_size(v), v <-> array_fill(1.5,
	ARRAY[1500])::vector FROM pg_class, st_large
WHERE oid = 'st_large'::regclass;
SELECT attstorage FROM pg_attribute WHERE attrelid = 'st_large'::regclass AND attname = 'v';

DROP TABLE st_shapes, st_copies, st_pairs, st_large;
