/*-------------------------------------------------------------------------
 *
 * kern_maxima.h
 *		Template of the kernel max_ip, for kern_pairs.h: the greatest inner products
 *		of many vectors with many.
 *
 * The vectors of one side lie in panels, an element of each beside that of the
 * others, so a register holds one element of several of them and no sums have to be
 * added up across lanes.  Of the other side a few rows are taken together; elements
 * of rows are loaded into all lanes.
 *
 * The file that includes kern_pairs.h defines MAXIMA_TRIPLES: so many times three
 * rows are taken together, each with all registers of a panel.  Three rows lie at p,
 * p + stride and p + 2 * stride, which are addresses that x86 can make by itself.
 *
 *-------------------------------------------------------------------------
 */

#define MAXIMA_VECS (NV_MAXIMA / VEC_LANES)
#define MAXIMA_ROWS (3 * MAXIMA_TRIPLES)

/* Terms that are added one after another; then sums of these are: see NV_KERNEL_RELERR. */
#define MAXIMA_BLOCK 64

/* An element of a row that is so many bytes behind another. */
NV_INLINE NV_TARGET vec
row_element(const nv_f32 *p, size_t bytes)
{
	return vset1(*(const nv_f32 *) ((const char *) p + bytes));
}

/* Add the products of n elements of a panel and of 3 * triples rows to their sums. */
NV_INLINE NV_TARGET void
maxima_block(const float *panel, const nv_f32 *rows, size_t stride, size_t n, const int triples,
			 vec sum[MAXIMA_TRIPLES][3][MAXIMA_VECS])
{
	vec			part[MAXIMA_TRIPLES][3][MAXIMA_VECS];
	const nv_f32 *p[MAXIMA_TRIPLES];

	NV_UNROLL
	for (int t = 0; t < triples; t++)
	{
		p[t] = (const nv_f32 *) ((const char *) rows + 3 * t * stride);
		NV_UNROLL
		for (int r = 0; r < 3; r++)
		{
			NV_UNROLL
			for (int v = 0; v < MAXIMA_VECS; v++)
				part[t][r][v] = vzero();
		}
	}
	for (size_t i = 0; i < n; i++)
	{
		vec			x[MAXIMA_VECS];

		NV_UNROLL
		for (int v = 0; v < MAXIMA_VECS; v++)
			x[v] = load_f32(panel + i * NV_MAXIMA + v * VEC_LANES);
		NV_UNROLL
		for (int t = 0; t < triples; t++)
		{
			NV_UNROLL
			for (int r = 0; r < 3; r++)
			{
				vec			y = row_element(p[t], r * stride);

				NV_UNROLL
				for (int v = 0; v < MAXIMA_VECS; v++)
					part[t][r][v] = vfma(y, x[v], part[t][r][v]);
			}
			p[t]++;
		}
	}
	NV_UNROLL
	for (int t = 0; t < triples; t++)
	{
		NV_UNROLL
		for (int r = 0; r < 3; r++)
		{
			NV_UNROLL
			for (int v = 0; v < MAXIMA_VECS; v++)
				sum[t][r][v] = vadd(sum[t][r][v], part[t][r][v]);
		}
	}
}

/* Take the products of a panel and of 3 * triples rows into account, of which nrows count. */
NV_INLINE NV_TARGET void
maxima_tile(const float *panel, const nv_f32 *rows, size_t nrows, size_t stride, size_t dim,
			const int triples, vec best[MAXIMA_VECS], vec *bad)
{
	vec			sum[MAXIMA_TRIPLES][3][MAXIMA_VECS];

	memset(sum, 0, sizeof(sum));
	for (size_t i = 0; i < dim; i += MAXIMA_BLOCK)
		maxima_block(panel + i * NV_MAXIMA, rows + i, stride,
					 dim - i < MAXIMA_BLOCK ? dim - i : MAXIMA_BLOCK, triples, sum);
	for (size_t r = 0; r < nrows; r++)
	{
		for (int v = 0; v < MAXIMA_VECS; v++)
		{
			vec			product = sum[r / 3][r % 3][v];

			best[v] = vmax(best[v], product);
			/* 0, or NaN where it is no finite number */
			*bad = vadd(*bad, vsub(product, product));
		}
	}
}

/* A row among rows. */
NV_INLINE const nv_f32 *
nth_row(const nv_f32 *rows, size_t r, size_t stride)
{
	return (const nv_f32 *) ((const char *) rows + r * stride);
}

/* Kernel: the greatest inner products of a panel of vectors with rows. */
static NV_TARGET float
max_ip(const float *panel, const nv_f32 *rows, size_t nrows, size_t stride, size_t dim,
	   float *best)
{
	vec			most[MAXIMA_VECS];
	vec			bad = vzero();
	size_t		r = 0;

	for (int v = 0; v < MAXIMA_VECS; v++)
		most[v] = load_f32(best + v * VEC_LANES);
	for (; r + MAXIMA_ROWS <= nrows; r += MAXIMA_ROWS)
		maxima_tile(panel, nth_row(rows, r, stride), MAXIMA_ROWS, stride, dim, MAXIMA_TRIPLES,
					most, &bad);
	/* of what is left, the last tile or triple has some once more, which changes nothing */
	if (r + 3 < nrows && nrows >= MAXIMA_ROWS)
	{
		maxima_tile(panel, nth_row(rows, nrows - MAXIMA_ROWS, stride), MAXIMA_ROWS, stride, dim,
					MAXIMA_TRIPLES, most, &bad);
		r = nrows;
	}
	for (; r < nrows && nrows >= 3; r += 3)
		maxima_tile(panel, nth_row(rows, r + 3 <= nrows ? r : nrows - 3, stride), 3, stride, dim,
					1, most, &bad);
	/* fewer than three: each is a triple of itself */
	for (; r < nrows; r++)
		maxima_tile(panel, nth_row(rows, r, stride), 1, 0, dim, 1, most, &bad);
	for (int v = 0; v < MAXIMA_VECS; v++)
		store_f32(best + v * VEC_LANES, most[v]);
	return vsum(bad);
}
