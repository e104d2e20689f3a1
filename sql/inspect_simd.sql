--
-- nanovec_simd(): every kernel is there and has a variant, whatever the CPU
--
\pset format unaligned
\pset tuples_only on
SELECT kernel FROM nanovec_simd() ORDER BY kernel COLLATE "C";
SELECT count(*) = count(DISTINCT kernel) AS once,
	bool_and(variant IN ('scalar', 'neon', 'avx2', 'avx512', 'avx512_vnni', 'avx512_vpopcntdq'))
	AS known FROM nanovec_simd();
SELECT pg_get_function_result('nanovec_simd'::regproc),
	pg_get_function_arguments('nanovec_simd'::regproc);
-- a set like any other
SELECT count(*) = (SELECT count(*) FROM nanovec_simd()) FROM (SELECT nanovec_simd()) AS s;
SELECT count(*) FROM nanovec_simd() AS a JOIN nanovec_simd() AS b USING (kernel, variant)
	WHERE kernel IN ('l2sq_f32', 'hamming');
SELECT count(*) FROM (SELECT * FROM nanovec_simd() LIMIT 3) AS s;
