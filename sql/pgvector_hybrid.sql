--
-- As users of pgvector do it: nearest neighbours and full-text search, and
-- their results made one
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET enable_seqscan = off;

CREATE TABLE hy_notes (id bigserial PRIMARY KEY, content text, v vector(3),
	textsearch tsvector GENERATED ALWAYS AS (to_tsvector('english', content)) STORED);
INSERT INTO hy_notes (content, v) VALUES
	('The tide comes in at noon', '[1,0,0]'), ('High tide and low tide, and the moon',
		'[0.9,0.1,0]'),
	('The moon is full', '[0.5,0.5,0]'), ('Recipes for bread', '[0,0,1]'), ('Bread rises slowly',
		'[0,0.1,0.9]'),
	('Rivers rise after rain', '[0.6,0,0.3]'), ('Sailing with the tides', '[0.2,0.9,0]'), ('Boats',
		NULL);
CREATE INDEX hy_v ON hy_notes USING hnsw (v vector_cosine_ops);
CREATE INDEX hy_text ON hy_notes USING gin (textsearch);

-- each by itself
SELECT id, content FROM hy_notes, plainto_tsquery('english', 'tide') AS query
	WHERE textsearch @@ query ORDER BY ts_rank_cd(textsearch, query) DESC, id LIMIT 5;
SELECT id FROM hy_notes ORDER BY v <=> '[1,0.01,0]' LIMIT 3;
SELECT test.uses_index('SELECT id FROM hy_notes ORDER BY v <=> ''[1,0,0]'' LIMIT 3');
-- nearest of those with a word
SELECT id, content FROM hy_notes WHERE textsearch @@ to_tsquery('english', 'rise')
	ORDER BY v <=> '[1,0,0]' LIMIT 2;

-- reciprocal rank fusion: 1 / (60 + rank) of each search, added
WITH semantic AS (
	SELECT id, rank() OVER (ORDER BY v <=> '[0.9,0.12,0]') AS rank FROM hy_notes
		WHERE v IS NOT NULL ORDER BY v <=> '[0.9,0.12,0]' LIMIT 4
), keyword AS (
	SELECT id, rank() OVER (ORDER BY ts_rank_cd(textsearch, query) DESC, id)
	FROM hy_notes, plainto_tsquery('english', 'tide') AS query WHERE textsearch @@ query
	ORDER BY ts_rank_cd(textsearch, query) DESC, id LIMIT 4
)
SELECT coalesce(semantic.id, keyword.id) AS id, semantic.rank, keyword.rank,
	round(coalesce(1.0 / (60 + semantic.rank), 0) + coalesce(1.0 / (60 + keyword.rank), 0),
		5) AS score
FROM semantic FULL JOIN keyword ON semantic.id = keyword.id ORDER BY score DESC, id LIMIT 5;
-- the same of two distances, each by its index
CREATE INDEX hy_l2 ON hy_notes USING hnsw (v vector_l2_ops);
WITH found AS (
	(SELECT id, row_number() OVER (ORDER BY v <=> '[0,0.2,2]') AS place FROM hy_notes ORDER BY v
		<=> '[0,0.2,2]' LIMIT 3)
	UNION ALL
	(SELECT id, row_number() OVER (ORDER BY v <-> '[0,0.2,2]') FROM hy_notes ORDER BY v
		<-> '[0,0.2,2]' LIMIT 3)
)
SELECT id, round(sum(1.0 / (60 + place)), 5) AS score FROM found GROUP BY id ORDER BY score DESC,
	id LIMIT 2;

DROP TABLE hy_notes;
