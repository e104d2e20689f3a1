--
-- Mistakes that are made with pgvector: messages and SQLSTATEs that its
-- clients know
--
\pset format unaligned
\pset null NULL
\pset tuples_only on
SET jit = off;
SET client_min_messages = warning;

CREATE TABLE mi_items (id int, v vector(3), h halfvec(3), s sparsevec(3), b bit(3), free vector,
	words text,
	a real[]);
INSERT INTO mi_items VALUES (1, '[1,2,3]', '[1,2,3]', '{1:1}/3', '101', '[1,2,3]', '[1,2,3]',
	'{1,2,3}'),
	(2, '[4,5,6]', '[4,5,6]', '{2:1}/3', '111', '[1,2]', 'none', '{1,2}');

-- other dimensions than the column's
SELECT test.errors_of(ARRAY['INSERT INTO mi_items (v) VALUES (''[1,2]'')',
	'INSERT INTO mi_items (v) VALUES (''[1,2,3,4]'')',
	'INSERT INTO mi_items (h) VALUES (''[1,2]'')', 'INSERT INTO mi_items (s) VALUES (''{1:1}/4'')',
	'INSERT INTO mi_items (b) VALUES (''10'')', 'INSERT INTO mi_items (v) VALUES (ARRAY[1,2])',
	'INSERT INTO mi_items (h) VALUES (ARRAY[1,2])', 'INSERT INTO mi_items (s) VALUES (ARRAY[1,2])',
	'INSERT INTO mi_items (v) SELECT h FROM (SELECT ''[1]''::halfvec AS h) AS s',
	'UPDATE mi_items SET v = free', 'UPDATE mi_items SET h = ''[1]''',
		'UPDATE mi_items SET s = free',
	'ALTER TABLE mi_items ALTER free TYPE vector(3)', 'ALTER TABLE mi_items ALTER v TYPE vector(2)',
	'SELECT ''[1,2,3]''::vector(2)', 'SELECT ''[1,2,3]''::halfvec(2)',
		'SELECT ''{}/3''::sparsevec(2)',
	'SELECT ARRAY[1,2,3]::vector(2)', 'SELECT words::vector(2) FROM mi_items WHERE id = 1',
	'COPY mi_items (v) FROM PROGRAM ''echo [1,2]''']);
-- of two vectors
SELECT test.errors_of(array_agg(format('SELECT %s(%L::%s, %L)', f, l, t, r) ORDER BY n, m))
FROM (VALUES (1, 'vector', '[1,2]', '[3]'), (2, 'halfvec', '[1,2]', '[3]'), (3, 'sparsevec',
	'{1:1}/2', '{1:1}/3')) AS t (n, t, l, r),
	(VALUES (1, 'l2_distance'), (2, 'inner_product'), (3, 'cosine_distance'), (4,
		'l1_distance')) AS f (m, f);
SELECT test.errors_of(ARRAY['SELECT ''[1,2]''::vector <-> ''[3]''',
	'SELECT ''[1,2]''::vector <#> ''[3]''',
	'SELECT ''[1,2]''::vector <=> ''[3]''', 'SELECT ''[1,2]''::vector <+> ''[3]''',
		'SELECT ''[1,2]''::vector + ''[3]''',
	'SELECT ''[1,2]''::vector - ''[3]''', 'SELECT ''[1,2]''::vector * ''[3]''',
		'SELECT ''[1,2]''::halfvec + ''[3]''',
	'SELECT ''[1,2]''::halfvec - ''[3]''', 'SELECT ''[1,2]''::halfvec * ''[3]''',
		'SELECT B''10'' <~> B''1''',
	'SELECT B''10'' <%> B''1''', 'SELECT id FROM mi_items ORDER BY v <-> ''[1,2]''',
	'SELECT id FROM mi_items ORDER BY b <~> ''1''', 'SELECT avg(free) FROM mi_items',
		'SELECT sum(free) FROM mi_items',
	'SELECT avg(free::halfvec) FROM mi_items', 'SELECT sum(free::halfvec) FROM mi_items']);

-- what is no vector
SELECT test.refused('vector', ARRAY['', '1,2,3', '[1,2', '[1,2,3]]', '[1,2,3] 4', '{1,2,3}',
	'(1,2,3)', '[]', '[ ]', '[1,,2]', '[1,2,]',
	'[1 2]', '[a,b]', '[1,null]', '[1,"2"]', '[[1,2]]', '[1;2]', 'hello', '[NaN,1]', '[1,Infinity]',
		'[1,-inf]', '[1e39]', '[1e400]']);
SELECT test.refused('halfvec', ARRAY['', '1,2,3', '[1,2', '[1,2,3] 4', '[]', '[1,,2]', '[1,2,]',
	'[a,b]', '[NaN]', '[Infinity]',
	'[65520]', '[-1e6]']);
SELECT test.refused('sparsevec', ARRAY['', '[1,2,3]', '{1:1}', '{1:1}/', '{1:1}/0', '{}/0', '{}/-1',
	'{1:1/2', '{1}/2', '{1:}/2', '{:1}/2',
	'{0:1}/2', '{3:1}/2', '{-1:1}/2', '{1:1,1:2}/2', '{1:1,}/2', '{1:NaN}/2', '{1:inf}/2',
		'{1:1e39}/2', '{a:1}/2', '{1:a}/2',
	'{1:1}/2 3', '{}/1000000001', '{1:1}/x']);
SELECT test.errors_of(ARRAY['SELECT ARRAY[1,NULL]::vector', 'SELECT ARRAY[[1,2],[3,4]]::vector',
	'SELECT ''{}''::real[]::vector',
	'SELECT ARRAY[1,''NaN'']::real[]::vector', 'SELECT ARRAY[''Infinity'']::float8[]::vector',
		'SELECT ARRAY[1e39]::float8[]::vector',
	'SELECT ARRAY[1,NULL]::halfvec', 'SELECT ARRAY[[1,2],[3,4]]::halfvec',
		'SELECT ''{}''::real[]::halfvec', 'SELECT ARRAY[''NaN'']::real[]::halfvec',
	'SELECT ARRAY[1e6]::real[]::halfvec', 'SELECT ''[1e6]''::vector::halfvec',
	'SELECT ARRAY[1,NULL]::sparsevec', 'SELECT ARRAY[[1,2],[3,4]]::sparsevec',
		'SELECT ''{}''::real[]::sparsevec', 'SELECT ARRAY[''NaN'']::real[]::sparsevec',
	'SELECT words::vector FROM mi_items WHERE id = 2', 'SELECT ARRAY[''a'']::vector',
		'SELECT 1::vector', 'SELECT ''{"a":1}''::jsonb::vector',
	'INSERT INTO mi_items (v) VALUES (1)', 'INSERT INTO mi_items (v) SELECT words FROM mi_items',
		'SELECT B''1''::vector',
	'INSERT INTO mi_items (b) SELECT v FROM mi_items']);

-- too many dimensions, or too few
SELECT test.errors_of(ARRAY['SELECT array_fill(1, ARRAY[16001])::vector',
	'SELECT array_fill(1, ARRAY[16001])::halfvec',
	'SELECT (''['' || repeat(''1,'', 16000) || ''1]'')::vector',
		'SELECT (''['' || repeat(''1,'', 16000) || ''1]'')::halfvec',
	'SELECT array_fill(1, ARRAY[16000])::vector || ''[1]''',
		'SELECT array_fill(1, ARRAY[16000])::halfvec || ''[1]''',
	'SELECT ''{1:1}/16001''::sparsevec::vector', 'SELECT ''{1:1}/16001''::sparsevec::halfvec',
	'SELECT (''{'' || repeat(''1:1,'', 16000) || ''1:1}/20000'')::sparsevec',
	'CREATE TABLE mi_new (v vector(0))', 'CREATE TABLE mi_new (v vector(-1))',
		'CREATE TABLE mi_new (v vector(16001))', 'CREATE TABLE mi_new (v vector(3,3))',
	'CREATE TABLE mi_new (v vector(x))', 'CREATE TABLE mi_new (v vector('''')) ',
	'CREATE TABLE mi_new (v halfvec(0))', 'CREATE TABLE mi_new (v halfvec(16001))',
		'CREATE TABLE mi_new (v halfvec(3,3))',
	'CREATE TABLE mi_new (v sparsevec(0))', 'CREATE TABLE mi_new (v sparsevec(1000000001))',
		'CREATE TABLE mi_new (v sparsevec(3,3))',
	'CREATE TABLE mi_new (v bit(0))',
	'SELECT subvector(''[1,2,3]''::vector, 4, 1)', 'SELECT subvector(''[1,2,3]''::halfvec, 1, 0)']);

-- numbers that get too large or too small
SELECT test.errors_of(ARRAY['SELECT ''[3e38]''::vector + ''[3e38]''',
	'SELECT ''[-3e38]''::vector - ''[3e38]''', 'SELECT ''[1e30]''::vector * ''[1e30]''',
	'SELECT ''[1e-30]''::vector * ''[1e-30]''', 'SELECT ''[65504]''::halfvec + ''[65504]''',
		'SELECT ''[-65504]''::halfvec - ''[65504]''',
	'SELECT ''[1000]''::halfvec * ''[1000]''', 'SELECT ''[1e-7]''::halfvec * ''[1e-7]''',
		'SELECT sum(v) FROM (VALUES (''[3e38]''::vector), (''[3e38]'')) AS t (v)',
	'SELECT sum(v) FROM (VALUES (''[65504]''::halfvec), (''[65504]'')) AS t (v)']);

-- no such operator or function, or more than one
SELECT test.errors_of(ARRAY['SELECT v <-> b FROM mi_items', 'SELECT b <-> b FROM mi_items',
	'SELECT v <~> v FROM mi_items', 'SELECT v / v FROM mi_items',
	'SELECT s + s FROM mi_items', 'SELECT v * 2 FROM mi_items', 'SELECT id <-> 1 FROM mi_items',
		'SELECT words <-> words FROM mi_items',
	'SELECT ''[1]'' <-> ''[2]''', 'SELECT l2_distance(''[1]'', ''[2]'')',
		'SELECT binary_quantize(''[1]'')', 'SELECT vector_dims(''[1]'')',
		'SELECT vector_dims(s) FROM mi_items',
	'SELECT binary_quantize(s) FROM mi_items', 'SELECT subvector(s, 1, 2) FROM mi_items',
		'SELECT avg(s) FROM mi_items', 'SELECT sum(s) FROM mi_items',
	'SELECT avg(b) FROM mi_items', 'SELECT max(v) FROM mi_items', 'SELECT v ~~ ''x'' FROM mi_items',
		'SELECT hamming_distance(v, v) FROM mi_items']);

-- columns that can't be indexed
SELECT test.errors_of(array_agg(format('CREATE INDEX ON mi_items USING %s (%s)', m, c) ORDER BY n,
	m))
FROM unnest(ARRAY['hnsw', 'ivfflat']) AS m, unnest(ARRAY['v', 'h', 's', 'b', 'id',
	'words vector_l2_ops', 'a vector_l2_ops', 'v halfvec_l2_ops',
	'h vector_l2_ops', 'v bit_hamming_ops', 'v vector_hamming_ops', 'v l2_ops',
		'v vector_l2_ops, id', 'v vector_l2_ops, h halfvec_l2_ops', 'v vector_l2_ops DESC',
	'v vector_l2_ops NULLS FIRST', 'no_such_column vector_l2_ops',
		'subvector(v, 1, 2) vector_l2_ops',
		'binary_quantize(v) bit_hamming_ops']) WITH ORDINALITY AS u (c, n)
WHERE m = 'hnsw' OR c <> 'v';
SELECT test.errors_of(ARRAY['CREATE INDEX ON mi_items USING ivfflat (v vector_l1_ops)',
	'CREATE INDEX ON mi_items USING ivfflat (b bit_jaccard_ops)',
	'CREATE INDEX ON mi_items USING ivfflat (s sparsevec_l2_ops)',
		'CREATE UNIQUE INDEX ON mi_items USING hnsw (v vector_l2_ops)',
	'CREATE UNIQUE INDEX ON mi_items USING ivfflat (v vector_l2_ops)',
		'CREATE INDEX ON mi_items USING hnsw (v vector_l2_ops) INCLUDE (id)',
	'CREATE INDEX ON mi_items USING ivfflat (v vector_l2_ops) INCLUDE (id)',
		'CREATE INDEX ON mi_items USING gist (v)', 'CREATE INDEX ON mi_items USING hash (v)',
	'CREATE INDEX ON mi_items USING gin (v)',
		'CREATE INDEX ON mi_items USING hsnw (v vector_l2_ops)',
		'CREATE INDEX ON mi_items USING diskann (v vector_cosine_ops)']);
-- without dimensions, and with a cast that says how many, where rows of others do not fit
SELECT array_agg(split_part(test.error_of(format('CREATE INDEX ON mi_items USING %s (%s)', m, c)),
	' HINT', 1) ORDER BY n, m)
FROM unnest(ARRAY['hnsw', 'ivfflat']) AS m, unnest(ARRAY['free vector_l2_ops',
	'(free::halfvec) halfvec_l2_ops']) WITH ORDINALITY AS u (c, n);
SELECT test.errors_of(ARRAY['CREATE INDEX ON mi_items USING hnsw ((free::vector(3)) vector_l2_ops)',
	'CREATE INDEX ON mi_items USING ivfflat ((free::vector(3)) vector_l2_ops) WITH (lists = 1)']);
SELECT test.errors_of(ARRAY[
	'CREATE TABLE mi_bits (b bit(64001)); CREATE INDEX ON mi_bits USING hnsw (b bit_hamming_ops)',
	'CREATE TABLE mi_bits (b bit(64001)); CREATE INDEX ON mi_bits USING ivfflat (b bit_hamming_ops)']);
-- more dimensions than pgvector's indexes take are no mistake here
SELECT test.errors_of(array_agg(format(
	'CREATE TABLE mi_wide (v %s(%s)); CREATE INDEX ON mi_wide USING %s (v %1$s_l2_ops); DROP TABLE mi_wide',
	t, d, m) ORDER BY t, d, m))
FROM (VALUES ('vector', 2000), ('vector', 2001), ('halfvec', 4000), ('halfvec', 4001)) AS v (t, d),
	unnest(ARRAY['hnsw', 'ivfflat']) AS m;

-- options and settings
SELECT test.errors_of(array_agg(
	format('CREATE INDEX ON mi_items USING hnsw (v vector_l2_ops) WITH (%s)', o) ORDER BY n))
FROM unnest(ARRAY['m = 1', 'm = 101', 'm = x', 'ef_construction = 3', 'ef_construction = 1001',
	'm = 16, ef_construction = 31', 'm = 40', 'ef_construction = 20',
	'lists = 10', 'M = 16.5', 'm = 16, m = 16']) WITH ORDINALITY AS u (o, n);
SELECT test.errors_of(array_agg(
	format('CREATE INDEX ON mi_items USING ivfflat (v vector_l2_ops) WITH (%s)', o) ORDER BY n))
FROM unnest(ARRAY['lists = 0', 'lists = -1', 'lists = 32769', 'lists = x', 'm = 16',
	'probes = 10']) WITH ORDINALITY AS u (o, n);
SELECT test.errors_of(array_agg('SET ' || s ORDER BY n))
FROM unnest(ARRAY['hnsw.ef_search = 0', 'hnsw.ef_search = 1001', 'hnsw.ef_search = x',
	'hnsw.iterative_scan = on', 'hnsw.iterative_scan = strict',
	'hnsw.max_scan_tuples = 0', 'hnsw.scan_mem_multiplier = 0.5', 'hnsw.scan_mem_multiplier = 1001',
		'ivfflat.probes = 0', 'ivfflat.probes = 32769',
	'ivfflat.iterative_scan = strict_order', 'ivfflat.iterative_scan = on',
		'ivfflat.max_probes = 0', 'ivfflat.max_probes = 32769']) WITH ORDINALITY AS u (s, n);

-- searches by an index with other dimensions
CREATE INDEX mi_hnsw ON mi_items USING hnsw (v vector_l2_ops);
CREATE INDEX mi_hnsw_half ON mi_items USING hnsw (h halfvec_cosine_ops);
CREATE INDEX mi_hnsw_sparse ON mi_items USING hnsw (s sparsevec_ip_ops);
CREATE INDEX mi_hnsw_bit ON mi_items USING hnsw (b bit_hamming_ops);
CREATE INDEX mi_ivfflat ON mi_items USING ivfflat (v vector_cosine_ops) WITH (lists = 1);
SET enable_seqscan = off;
SELECT test.uses_index(q), test.error_of(q)
	FROM unnest(ARRAY['SELECT id FROM mi_items ORDER BY v <-> ''[1,2]'' LIMIT 1',
	'SELECT id FROM mi_items ORDER BY h <=> ''[1,2,3,4]'' LIMIT 1',
		'SELECT id FROM mi_items ORDER BY s <#> ''{1:1}/2'' LIMIT 1',
	'SELECT id FROM mi_items ORDER BY b <~> B''1'' LIMIT 1',
		'SELECT id FROM mi_items ORDER BY v <=> ''[1,2]'' LIMIT 1',
	'SELECT id FROM mi_items ORDER BY v <-> (SELECT free FROM mi_items WHERE id = 2) LIMIT 1'])
WITH ORDINALITY AS u (q, n) ORDER BY n;
SELECT test.error_of('SELECT id FROM mi_items ORDER BY v <-> ''x'' LIMIT 1');
-- nor does CLUSTER follow such an index, nor a constraint use it
SELECT test.errors_of(ARRAY['CLUSTER mi_items USING mi_hnsw',
	'ALTER TABLE mi_items ADD PRIMARY KEY USING INDEX mi_hnsw',
	'ALTER TABLE mi_items ADD EXCLUDE USING hnsw (v vector_l2_ops WITH <->)']);
SELECT count(*) FROM mi_items;

DROP TABLE mi_items;
