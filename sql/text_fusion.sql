--
-- One ranking of several: nanovec_rrf(), nanovec_fuse(), nanovec_minmax(), nanovec_zscore(); text
-- and vectors in one query
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
-- by ranks
SELECT nanovec_rrf(1) = 1.0 / 61, nanovec_rrf(1, 0), nanovec_rrf(10, 10), nanovec_rrf(NULL), nanovec_rrf(NULL, 5),
	nanovec_rrf(1, NULL), nanovec_rrf(9223372036854775807) > 0, nanovec_rrf(1, 2147483647) < 1e-9;
SELECT test.errors_of(ARRAY['SELECT nanovec_rrf(0)', 'SELECT nanovec_rrf(-1)', 'SELECT nanovec_rrf(1, -1)',
	'SELECT nanovec_rrf(NULL, -1)']);

-- lists: ids, scores, places, and in which place of each list
CREATE FUNCTION pg_temp.shown(id anyelement, score float8, place bigint, ranks int[]) RETURNS text
	LANGUAGE sql AS $$ SELECT concat_ws(' ', place, id, round(score::numeric, 5), ranks) $$;
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3, 1, 2], ARRAY[2, 3, 9]);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3, 1, 2], ARRAY[2, 3, 9], k => 0);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3, 1, 2], ARRAY[2, 3, 9], weights => '{1,2.5}');
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3, 1, 2], ARRAY[2, 3, 9], 10, '{0,1}');
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3, 1], ARRAY[2, 3], ARRAY[3, 2, 1]);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[3], ARRAY[2], ARRAY[3], ARRAY[4, 2], weights => '{1,1,1,3}');
-- equal scores: the better of the best ranks, then the order of the lists
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[5, 6, 7], ARRAY[8, 7, 6]);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[1, 2, 3, 4], ARRAY[4, 3, 2, 1], k => 1);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[9, 8], ARRAY[7, 6], weights => '{0,0}');
-- what comes again, or is NULL, takes no place: the documents of the nearest chunks
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[1, 1, NULL, 2, 1, 3], ARRAY[NULL, 3, 3]::int[]);
-- lists that are empty or NULL; none at all
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse('{}', ARRAY[4, 5]);
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(ARRAY[4, 5], NULL, weights => '{1,2}');
SELECT count(*) FROM nanovec_fuse('{}'::int[], NULL);
SELECT count(*) FROM nanovec_fuse(NULL::text[], NULL::text[]);
-- keys of any type that can be hashed
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse('{a,B,b}'::text[], '{b,c}');
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse('{1.0,2}'::numeric[], '{2.00,1}');
SELECT pg_temp.shown(id, score, place, ranks) FROM nanovec_fuse(
	'{00000000-0000-0000-0000-000000000001}'::uuid[], '{00000000-0000-0000-0000-000000000001}');
SELECT pg_typeof(id) FROM nanovec_fuse(ARRAY[1]::bigint[], ARRAY[2]::bigint[]) LIMIT 1;
SELECT place, length(id) FROM nanovec_fuse(ARRAY[repeat('x', 5000), 'y'], ARRAY['z', repeat('x', 5000)]);
-- many
SELECT count(*), max(place), min(score) > 0, bool_and(ranks = ARRAY[id, 100001 - id]) FROM nanovec_fuse(
	ARRAY(SELECT generate_series(1, 100000)), ARRAY(SELECT generate_series(100000, 1, -1)));
SELECT test.errors_of(ARRAY['SELECT nanovec_fuse(ARRAY[1], ARRAY[2], k => -1)', 'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], k => NULL)',
	'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1}'')', 'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1,2,3}'')',
	'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1,-1}'')', 'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1,NULL}'')',
	'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1,NaN}'')', 'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{1,Infinity}'')',
	'SELECT nanovec_fuse(ARRAY[1], ARRAY[2], weights => ''{{1},{2}}'')', 'SELECT nanovec_fuse(ARRAY[[1],[2]], ARRAY[2])',
	'SELECT nanovec_fuse(''{}''::point[], ''{}'')', 'SELECT nanovec_fuse(ARRAY[1], ARRAY[''a''::text])']);

-- by scores
CREATE TABLE fu_scores (list int, id int, score float8);
INSERT INTO fu_scores VALUES (1, 1, 10), (1, 2, 4), (1, 3, 8), (1, 4, NULL), (1, 5, 'NaN'), (1, 6, 'Infinity'), (2, 1, 7), (2, 2, 7),
	(3, 1, 1e308), (3, 2, -1e308), (3, 3, 0), (4, 1, NULL), (5, 1, -2), (5, 2, -4);
SELECT list, id, test.sig(nanovec_minmax(score) OVER p), test.sig(nanovec_zscore(score) OVER p)
FROM fu_scores WINDOW p AS (PARTITION BY list) ORDER BY list, id;
SELECT list, count(z), test.sig(round(avg(z)::numeric, 9)::float8), test.sig(stddev_pop(z))
FROM (SELECT list, nanovec_zscore(score) OVER (PARTITION BY list) AS z FROM fu_scores) AS s GROUP BY 1 ORDER BY 1;
-- the frame does not matter, nor the order
SELECT id, test.sig(nanovec_minmax(score) OVER (ORDER BY score ROWS CURRENT ROW)) FROM fu_scores WHERE list = 1 ORDER BY id;
SELECT test.error_of('SELECT nanovec_minmax(1)');

-- text and vectors in one query
CREATE TABLE fu_notes (id int PRIMARY KEY, body text, v vector(3), s sparsevec(8),
	tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED);
INSERT INTO fu_notes VALUES (1, 'The tide comes in at noon', '[1,0,0]', '{1:2,2:1}/8'),
	(2, 'High tide and low tide, and the moon', '[0.9,0.1,0]', '{1:3,3:1}/8'), (3, 'The moon is full', '[0.5,0.5,0]', '{3:2}/8'),
	(4, 'Recipes for bread', '[0,0,1]', '{4:2}/8'), (5, 'Bread rises slowly', '[0,0.1,0.9]', '{4:1,5:1}/8'),
	(6, 'Rivers rise after rain', '[0.6,0,0.3]', '{5:1,6:2,1:0.5}/8'), (7, 'Sailing with the tides', '[0.2,0.9,0]', '{1:1,7:2}/8');
CREATE TABLE fu_stats AS SELECT nanovec_bm25_stats('fu_notes', 'tsv') AS stats;
SELECT id, place, ranks FROM nanovec_fuse(
	ARRAY(SELECT id FROM fu_notes ORDER BY v <=> '[0.9,0.2,0]' LIMIT 4),
	ARRAY(SELECT id FROM fu_notes, fu_stats, to_tsquery('english', 'tide | sail') AS q
		WHERE tsv @@ q ORDER BY nanovec_bm25(tsv, q, stats) DESC, id LIMIT 4)) ORDER BY place;
-- the same in plain SQL
WITH found AS (
	(SELECT id, row_number() OVER (ORDER BY v <=> '[0.9,0.2,0]') AS rank FROM fu_notes ORDER BY v <=> '[0.9,0.2,0]' LIMIT 4)
	UNION ALL
	(SELECT id, row_number() OVER (ORDER BY nanovec_bm25(tsv, q, stats) DESC, id)
	FROM fu_notes, fu_stats, to_tsquery('english', 'tide | sail') AS q WHERE tsv @@ q ORDER BY 2 LIMIT 4)
)
SELECT id, test.sig(sum(nanovec_rrf(rank))) FROM found GROUP BY id ORDER BY sum(nanovec_rrf(rank)) DESC, min(rank), id;
-- by scores
WITH semantic AS (
	SELECT id, nanovec_minmax(-distance) OVER () AS score
	FROM (SELECT id, v <=> '[0.9,0.2,0]' AS distance FROM fu_notes ORDER BY 2 LIMIT 4) AS s
), keyword AS (
	SELECT id, nanovec_minmax(score) OVER () AS score
	FROM (SELECT id, nanovec_bm25(tsv, q, stats) AS score FROM fu_notes, fu_stats, to_tsquery('english', 'tide | sail') AS q
		WHERE tsv @@ q ORDER BY 2 DESC, 1 LIMIT 4) AS s
)
SELECT id, round((0.5 * coalesce(s.score, 0) + 0.5 * coalesce(k.score, 0))::numeric, 6) AS score
FROM semantic AS s FULL JOIN keyword AS k USING (id) ORDER BY 2 DESC, 1;
-- sparse vectors as the text half, and all three
SELECT id, place, ranks FROM nanovec_fuse(
	ARRAY(SELECT id FROM fu_notes ORDER BY v <=> '[0.9,0.2,0]' LIMIT 4),
	ARRAY(SELECT id FROM fu_notes ORDER BY s <#> '{1:1,7:1}/8', id LIMIT 4)) ORDER BY place;
SELECT id, place, ranks FROM nanovec_fuse(
	ARRAY(SELECT id FROM fu_notes ORDER BY v <=> '[0.9,0.2,0]' LIMIT 4),
	ARRAY(SELECT id FROM fu_notes ORDER BY s <#> '{1:1,7:1}/8', id LIMIT 4),
	ARRAY(SELECT id FROM fu_notes, fu_stats, to_tsquery('english', 'tide | sail') AS q
		WHERE tsv @@ q ORDER BY nanovec_bm25(tsv, q, stats) DESC, id LIMIT 4), weights => '{1,1,0.5}') ORDER BY place;

DROP TABLE fu_scores, fu_notes, fu_stats;
