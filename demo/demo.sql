-- Nearest neighbours of Debian packages.  README.md says what the data is.
--
--   psql -X -q -v ON_ERROR_STOP=1 -v data=/path/of/packages.tsv -f demo.sql
--
-- Run it as superuser in an empty database: the server reads the file.

\pset border 1
\pset linestyle unicode
\pset footer off

CREATE EXTENSION nanovec;

CREATE TABLE packages (
	name text PRIMARY KEY,
	section text NOT NULL,
	summary text NOT NULL,
	embedding vector(96) NOT NULL
);
COPY packages FROM :'data';
ANALYZE packages;

SELECT count(*) AS packages, count(DISTINCT section) AS sections,
	pg_size_pretty(pg_table_size('packages')) AS size
FROM packages \gset
\echo
\echo 'Loaded' :packages 'Debian packages of' :sections 'sections into a table of' :size'.'
\echo 'An embedding of 96 numbers, made from its description, says what each is about.'
\echo
\echo 'Packages most like inkscape, by cosine distance.  The query:'
\echo
\set ECHO queries
SELECT name, round((embedding <=> q)::numeric, 3) AS distance, left(summary, 60) AS summary
FROM packages, (SELECT embedding FROM packages WHERE name = 'inkscape') AS inkscape(q)
WHERE name <> 'inkscape'
ORDER BY embedding <=> q LIMIT 8;
\set ECHO none

\echo 'The same question about others, nearest first:'
SELECT asked.name AS "like", string_agg(near.name, ', ' ORDER BY near.distance) AS nearest
FROM unnest(ARRAY['nginx', 'postgresql', 'git', 'gnucash', 'kicad', 'vlc', 'emacs', 'stellarium'])
	WITH ORDINALITY AS asked(name, position)
JOIN packages p ON p.name = asked.name,
LATERAL (
	SELECT name, embedding <=> p.embedding AS distance FROM packages
	WHERE name <> p.name ORDER BY distance LIMIT 6
) AS near
GROUP BY position, asked.name ORDER BY position;

\echo 'Arithmetic.  bison makes parsers in C: take away gcc, add another language, and the nearest'
\echo 'makes parsers in that one.  gedit is to kate as GNOME is to KDE; brasero burns discs in GNOME.'
SELECT format('%s - %s + %s', a.name, b.name, c.name) AS question,
	string_agg(near.name, ', ' ORDER BY near.distance) AS nearest
FROM (VALUES
	(1, 'bison', 'gcc', 'ghc'), (2, 'bison', 'gcc', 'ocaml'), (3, 'bison', 'gcc', 'python3'),
	(4, 'make', 'gcc', 'default-jdk'), (5, 'make', 'gcc', 'ruby'),
	(6, 'brasero', 'gedit', 'kate'), (7, 'xboard', 'gnuchess', 'gnugo')
) AS asked(position, a, b, c)
JOIN packages a ON a.name = asked.a
JOIN packages b ON b.name = asked.b
JOIN packages c ON c.name = asked.c,
LATERAL (
	SELECT name, embedding <=> (a.embedding - b.embedding + c.embedding) AS distance FROM packages
	WHERE name NOT IN (a.name, b.name, c.name) ORDER BY distance LIMIT 2
) AS near
GROUP BY position, a.name, b.name, c.name ORDER BY position;

\echo 'Like both inkscape and texlive: nearest to the average of the two.'
SELECT name, round((embedding <=> middle)::numeric, 3) AS distance, left(summary, 60) AS summary
FROM packages,
	(SELECT avg(embedding) FROM packages WHERE name IN ('inkscape', 'texlive')) AS pair(middle)
WHERE name NOT IN ('inkscape', 'texlive')
ORDER BY embedding <=> middle LIMIT 4;

\echo 'With a filter: the games most like klavaro, a typing tutor in another section.'
SELECT name, round((embedding <=> q)::numeric, 3) AS distance, left(summary, 60) AS summary
FROM packages, (SELECT embedding FROM packages WHERE name = 'klavaro') AS klavaro(q)
WHERE section = 'games'
ORDER BY embedding <=> q LIMIT 4;

\echo 'Odd one out: the farthest from the average of five (L2 distance) stands last.  It plays Go,'
\echo 'the others chess.'
SELECT string_agg(name, ', ' ORDER BY embedding <-> middle) AS "nearest to farthest"
FROM packages,
	(SELECT avg(embedding) FROM packages
	 WHERE name IN ('gnuchess', 'stockfish', 'gnugo', 'phalanx', 'glaurung')) AS five(middle)
WHERE name IN ('gnuchess', 'stockfish', 'gnugo', 'phalanx', 'glaurung');

\echo 'Smaller types: a number takes 16 bits in halfvec and 8 in sq8vec.  The last column is how much'
\echo 'of the ten nearest of each of 100 packages is what vector says.'
WITH stored AS MATERIALIZED (
	SELECT name, embedding AS full32, embedding::halfvec(96) AS half16, embedding::sq8vec AS sq8
	FROM packages
), found AS MATERIALIZED (
	SELECT q.name, answer.*
	FROM (SELECT * FROM stored ORDER BY name <> 'nginx', md5(name) LIMIT 100) AS q,
	LATERAL (VALUES
		('vector', pg_column_size(full32), ARRAY(
			SELECT name FROM stored WHERE name <> q.name ORDER BY full32 <=> q.full32 LIMIT 10)),
		('halfvec', pg_column_size(half16), ARRAY(
			SELECT name FROM stored WHERE name <> q.name ORDER BY half16 <=> q.half16 LIMIT 10)),
		('sq8vec', pg_column_size(sq8), ARRAY(
			SELECT name FROM stored WHERE name <> q.name ORDER BY sq8 <=> q.sq8 LIMIT 10))
	) AS answer(type, bytes, nearest)
)
SELECT found.type, max(found.bytes) AS bytes,
	max(array_to_string(found.nearest[1:5], ', ')) FILTER (WHERE name = 'nginx') AS "like nginx",
	round(avg((SELECT 10.0 * count(*) FROM unnest(found.nearest) AS n WHERE n = ANY (exact.nearest))), 1)
		|| ' %' AS "same as vector"
FROM found JOIN found AS exact USING (name)
WHERE exact.type = 'vector'
GROUP BY found.type ORDER BY bytes DESC;

\echo 'How long it takes.  One exact search over all rows, then one for each game:'
\timing on
SELECT name AS "like blender"
FROM packages
WHERE name <> 'blender'
ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = 'blender') LIMIT 3;
SELECT count(*) AS searches,
	round(100.0 * count(*) FILTER (WHERE near.section = 'games') / count(*), 1) || ' %' AS "nearest is a game too"
FROM packages p, LATERAL (
	SELECT section FROM packages WHERE name <> p.name ORDER BY embedding <=> p.embedding LIMIT 1
) AS near
WHERE p.section = 'games';
\timing off

\echo
\echo 'The plan of the search: every row is compared, so the answer is exact.'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT name
FROM packages
WHERE name <> 'blender'
ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = 'blender') LIMIT 3;

\echo 'An index finds nearly all of the same without comparing every row.  Building it:'
\timing on
CREATE INDEX packages_embedding_idx ON packages USING hnsw (embedding vector_cosine_ops);
\timing off

\echo
\echo 'The same search again, and its plan:'
\timing on
SELECT name AS "like blender"
FROM packages
WHERE name <> 'blender'
ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = 'blender') LIMIT 3;
\timing off
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)
SELECT name
FROM packages
WHERE name <> 'blender'
ORDER BY embedding <=> (SELECT embedding FROM packages WHERE name = 'blender') LIMIT 3;

\echo 'How much of the ten nearest of each of 200 packages it finds, and whether it is sound:'
WITH asked AS MATERIALIZED (
	SELECT name, embedding FROM packages ORDER BY md5(name) LIMIT 200
), answer AS (
	SELECT ARRAY(SELECT p.name FROM packages p ORDER BY p.embedding <=> asked.embedding LIMIT 10) AS found,
		ARRAY(SELECT p.name FROM packages p ORDER BY (p.embedding <=> asked.embedding) + 0 LIMIT 10) AS exact
	FROM asked
)
SELECT round(avg((SELECT 10.0 * count(*) FROM unnest(found) AS f WHERE f = ANY (exact))), 1) || ' %'
		AS "of the ten nearest",
	(SELECT count(*) FROM nanovec_index_check('packages_embedding_idx')) AS "problems found"
FROM answer;

\echo 'That was nanovec: types for vectors, distances between them, an index, and plain SQL for the rest.'
