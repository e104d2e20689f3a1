/*-------------------------------------------------------------------------
 *
 * hnsw_nearest.c
 *		The nearest vectors of each, as an index build finds them leaf by leaf.
 *
 * The distances of all pairs in a leaf come from matrix products of 8-bit codes
 * (nv_kern.panel_dots), or, of vectors that are stored in another form, from
 * nv_kern.l2sq_many and ip_many.  The distance of a pair is the same to the bit in every leaf
 * and in both directions, so what is met again is found in the list.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_nearest.h"

#include <float.h>
#include <math.h>

#include "hnsw/hnsw_build.h"

/* So many of a leaf, or a few more, are looked at for a list: others come in other rounds. */
#define LEAF_NEAREST 32
#define LEAF_SLACK 8

/* So many are sorted by comparing each with each: more are found only among equal distances. */
#define MOST_RANKED 64

/* Bisections for a bound that lets in about so many. */
#define MOST_BISECTIONS 24

struct HnswMatrix
{
	HnswIndex  *ix;
	bool		codes;			/* vectors are of 8-bit codes; else floats */
	int			width;			/* codes or floats of a vector */
	int			ncolumns;
	int			padded;			/* to whole panels */
	uint8	   *panels;
	int8	   *rows;
	int32	   *dots;
	NvPanelColumns columns;
	float	   *numbers;		/* of columns: four for each */
	float	   *column_floats;
	float	   *row_floats;
	float	   *distances;		/* NV_PANEL_ROWS rows of "padded" */
	float	   *products;		/* the same, negative inner products */
	float	   *lengths;		/* of columns, where there are products; and the greatest */
	float		longest;
	uint32	   *found;			/* columns */
	uint64	   *keys;			/* and behind them, room for sentinels */
};

#define ST_SORT sort_keys
#define ST_ELEMENT_TYPE uint64
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---- distances ---- */

/* Whether vectors are dense, whole, and measured by squares or products. */
bool
hnsw_matrix_serves(const HnswMeta *meta)
{
	NvSpaceSpec spec = hnsw_spec(meta);
	HnswLayout	layout;

	if (!nv_form_is_dense(meta->form) ||
		(meta->metric != NV_SPACE_L2 && meta->metric != NV_SPACE_COSINE &&
		 meta->metric != NV_SPACE_IP))
		return false;
	hnsw_layout(meta, &layout);
	return nv_form_max_bytes(meta->form, meta->dims, nv_spec_length(&spec)) <=
		layout.vector_room;
}

/* Codes or floats of a vector, with what fills up the last four of codes. */
static int
matrix_width(const HnswMeta *meta)
{
	NvSpaceSpec spec = hnsw_spec(meta);
	int			length = nv_spec_length(&spec);

	return meta->form == NV_FORM_SQ8 ? (int) TYPEALIGN(4, length) : length;
}

/* Bytes of the arrays of a matrix. */
Size
hnsw_matrix_bytes(const HnswMeta *meta)
{
	Size		vector = matrix_width(meta) * (meta->form == NV_FORM_SQ8 ? 1 : sizeof(float));

	return sizeof(HnswMatrix) + vector * (HNSW_LEAF + NV_PANEL_ROWS) +
		HNSW_LEAF * (NV_PANEL_ROWS * (sizeof(int32) + 2 * sizeof(float)) + 5 * sizeof(float) +
					 sizeof(uint32) + sizeof(uint64)) + HNSW_LIST * sizeof(uint64);
}

/* Allocate a matrix. */
HnswMatrix *
hnsw_matrix_create(HnswIndex *ix)
{
	HnswMatrix *m = palloc0(sizeof(HnswMatrix));

	m->ix = ix;
	m->codes = ix->meta.form == NV_FORM_SQ8;
	m->width = matrix_width(&ix->meta);
	if (m->codes)
	{
		m->panels = palloc0((Size) HNSW_LEAF * m->width);
		m->rows = palloc0((Size) NV_PANEL_ROWS * m->width);
		m->dots = palloc(sizeof(int32) * HNSW_LEAF * NV_PANEL_ROWS);
		m->numbers = palloc(4 * sizeof(float) * HNSW_LEAF);
		m->columns = (NvPanelColumns) {m->numbers, m->numbers + HNSW_LEAF,
		m->numbers + 2 * HNSW_LEAF, m->numbers + 3 * HNSW_LEAF};
	}
	else
	{
		m->column_floats = palloc0(sizeof(float) * HNSW_LEAF * m->width);
		m->row_floats = palloc0(sizeof(float) * NV_PANEL_ROWS * m->width);
	}
	m->distances = palloc(sizeof(float) * HNSW_LEAF * NV_PANEL_ROWS);
	m->products = palloc(sizeof(float) * HNSW_LEAF * NV_PANEL_ROWS);
	m->lengths = palloc(sizeof(float) * HNSW_LEAF);
	m->found = palloc(sizeof(uint32) * HNSW_LEAF);
	m->keys = palloc(sizeof(uint64) * (HNSW_LEAF + HNSW_LIST));
	return m;
}

/* The vector of a node, which lies in it. */
static NvStored
stored_of(HnswMatrix *m, uint32 slot)
{
	HnswRef		ref = {.node = hnsw_memory_node(m->ix, slot), .buffer = InvalidBuffer};

	return hnsw_stored(m->ix, &ref);
}

/* Compute what distances take beside the products of codes: see NvPanelVector. */
void
hnsw_fill_panel_vector(HnswIndex *ix, HnswNode *node)
{
	double		n = ix->space.length;
	double		scale = node->scale;
	double		offset = node->offset + 128 * scale;
	double		sum = node->sum - 128 * n;
	double		square = (double) node->square - 256 * (double) node->sum + 16384 * n;

	*hnsw_panel_vector(ix, node) = (NvPanelVector) {
		.scale = node->scale,
		.offset = (float) offset,
		.tilt = (float) (scale * sum + n * offset / 2),
		.norm2 = (float) (n * offset * offset + 2 * offset * scale * sum + scale * scale * square),
		.sum = (int32) sum
	};
}

/* Subtract 128 from codes: eight of them change one bit each at once. */
static void
less_128(int8 *row, const void *codes, uint32 n)
{
	const uint8 *from = codes;
	uint32		i = 0;

	for (; i + sizeof(uint64) <= n; i += sizeof(uint64))
	{
		uint64		eight;

		memcpy(&eight, from + i, sizeof(eight));
		eight ^= UINT64CONST(0x8080808080808080);
		memcpy(row + i, &eight, sizeof(eight));
	}
	for (; i < n; i++)
		row[i] = (int8) (from[i] ^ 0x80);
}

/* Put the codes of a vector into its column of a panel, four by four. */
static void
pack_codes(uint8 *panel, int column, const uint8 *codes, int n)
{
	uint8	   *to = panel + 4 * column;
	int			i = 0;

	for (; i + 4 <= n; i += 4, to += 4 * NV_PANEL)
		memcpy(to, codes + i, 4);
	if (i < n)
	{
		memset(to, 0, 4);
		memcpy(to, codes + i, n - i);
	}
}

/* Have vectors come into the caches. */
static void
prefetch_vectors(const HnswMatrix *m, const uint32 *slots, int n)
{
	for (int i = 0; i < n; i++)
		hnsw_leaf_prefetch(m->ix, slots[i]);
}

/* Take columns of codes. */
static void
set_code_columns(HnswMatrix *m, const uint32 *slots, int n)
{
	float	   *number = m->numbers;

	for (int c = 0; c < m->padded; c++, number++)
	{
		NvPanelVector p = {.norm2 = INFINITY};
		const HnswNode *node;

		if (c < n)
		{
			if (c % NV_PANEL_ROWS == 0)
				prefetch_vectors(m, slots + c, Min(2 * NV_PANEL_ROWS, n - c));
			node = hnsw_memory_node(m->ix, slots[c]);
			p = *hnsw_panel_vector(m->ix, node);
			pack_codes(m->panels + (Size) (c / NV_PANEL) * NV_PANEL * m->width, c % NV_PANEL,
					   (const uint8 *) HNSW_VECTOR(&m->ix->layout, node), m->ix->space.length);
		}
		/* what is in a column that nobody took does not matter: it is infinitely far */
		number[0] = p.scale;
		number[HNSW_LEAF] = p.offset;
		number[2 * HNSW_LEAF] = p.tilt;
		number[3 * HNSW_LEAF] = p.norm2;
	}
}

/* Take n vectors as columns. */
void
hnsw_matrix_columns(HnswMatrix *m, const uint32 *slots, int n)
{
	Assert(n > 0 && n <= HNSW_LEAF);
	m->ncolumns = n;
	m->padded = (int) TYPEALIGN(NV_PANEL, n);
	if (m->codes)
	{
		set_code_columns(m, slots, n);
		return;
	}
	for (int c = 0; c < n; c++)
	{
		NvStored	v = stored_of(m, slots[c]);

		nv_stored_floats(&m->ix->space, &v, m->column_floats + (Size) c * m->width);
	}
	/* only whole tiles give the same to the bit in both directions */
	memset(m->column_floats + (Size) n * m->width, 0,
		   sizeof(float) * m->width * (m->padded - n));
}

/* Rows to be measured: up to NV_PANEL_ROWS nodes. */
typedef struct Rows
{
	int			n;
	NvPanelVector vectors[NV_PANEL_ROWS];	/* of codes */
	const float *floats;		/* or NV_PANEL_ROWS vectors, of which any may follow n */
} Rows;

/* Take rows. */
static void
take_rows(HnswMatrix *m, const uint32 *slots, int n, Rows *rows)
{
	Assert(n > 0 && n <= NV_PANEL_ROWS);
	rows->n = n;
	for (int r = 0; r < n; r++)
	{
		const HnswNode *node = hnsw_memory_node(m->ix, slots[r]);

		if (m->codes)
		{
			rows->vectors[r] = *hnsw_panel_vector(m->ix, node);
			less_128(m->rows + (Size) r * m->width, HNSW_VECTOR(&m->ix->layout, node),
					 m->ix->space.length);
		}
		else
		{
			NvStored	v = stored_of(m, slots[r]);

			nv_stored_floats(&m->ix->space, &v, m->row_floats + (Size) r * m->width);
		}
	}
	rows->floats = m->row_floats;
	if (m->codes)
		nv_kern.panel_dots(m->rows, m->width, m->panels, m->padded / NV_PANEL, m->dots);
}

/* Take columns from one on as rows. */
static void
take_columns(HnswMatrix *m, const uint32 *slots, int first, int n, Rows *rows)
{
	if (m->codes)
	{
		take_rows(m, slots + first, n, rows);
		return;
	}
	/* columns are padded to whole panels */
	Assert(first + NV_PANEL_ROWS <= m->padded);
	rows->n = n;
	rows->floats = m->column_floats + (Size) first * m->width;
}

/* The columns that nobody took are infinitely far from all rows. */
static void
end_rows(const HnswMatrix *m, const Rows *rows, float *distances)
{
	for (int r = 0; r < rows->n; r++)
	{
		for (int c = m->ncolumns; c < m->padded; c++)
			distances[(Size) r * m->padded + c] = INFINITY;
	}
}

/* The distances of rows from the columns, row by row. */
static void
measure_rows(HnswMatrix *m, const Rows *rows)
{
	if (m->codes)
	{
		for (int r = 0; r < rows->n; r++)
			nv_kern.panel_l2sq(m->dots + (Size) r * m->padded, &rows->vectors[r], &m->columns,
							   m->padded, m->distances + (Size) r * m->padded);
		return;
	}
	nv_kern.l2sq_many(rows->floats, NV_PANEL_ROWS, m->column_floats, m->padded, m->width,
					  m->distances);
	end_rows(m, rows, m->distances);
}

/* And their negative inner products. */
static void
multiply_rows(HnswMatrix *m, const Rows *rows)
{
	if (m->codes)
	{
		for (int r = 0; r < rows->n; r++)
			nv_kern.panel_ip(m->dots + (Size) r * m->padded, &rows->vectors[r], &m->columns,
							 m->padded, m->products + (Size) r * m->padded);
	}
	else
		nv_kern.ip_many(rows->floats, NV_PANEL_ROWS, m->column_floats, m->padded, m->width,
						m->products);
	for (Size i = 0; i < (Size) rows->n * m->padded; i++)
		m->products[i] = -m->products[i];
	end_rows(m, rows, m->products);
}

/* Find the nearest column of each node. */
void
hnsw_matrix_assign(HnswMatrix *m, const uint32 *slots, int n, uint16 *nearest)
{
	for (int i = 0; i < n; i += NV_PANEL_ROWS)
	{
		Rows		rows;

		if (i + NV_PANEL_ROWS < n)
			prefetch_vectors(m, slots + i + NV_PANEL_ROWS,
							 Min(NV_PANEL_ROWS, n - i - NV_PANEL_ROWS));
		take_rows(m, slots + i, Min(NV_PANEL_ROWS, n - i), &rows);
		measure_rows(m, &rows);
		for (int r = 0; r < rows.n; r++)
			nearest[i + r] = (uint16) nv_kern.argmin(m->distances + (Size) r * m->padded,
													 m->padded);
	}
}

/* ---- lists ---- */

/*
 * A bound that at least k distances are not above, and few more, unless they are equal.
 * None is below "least", and more than that are not above hi; guess is what was found for
 * another vector of the leaf.
 */
static float
find_bound(const float *x, int n, int k, float least, float hi, float guess)
{
	float		lo = least;

	if (guess > lo && guess < hi)
	{
		if ((int) nv_kern.count_upto(x, n, guess) >= k)
			hi = guess;
		else
		{
			float		next = least + (guess - least) * 2;

			lo = guess;
			while (next < hi && (int) nv_kern.count_upto(x, n, next) < k)
			{
				lo = next;
				next = least + (next - least) * 2;
			}
			hi = Min(hi, next);
		}
	}
	for (int i = 0; i < MOST_BISECTIONS; i++)
	{
		float		middle = lo + (hi - lo) / 2;
		int			count;

		if (!(middle > lo && middle < hi))
			break;
		count = (int) nv_kern.count_upto(x, n, middle);
		if (count < k)
			lo = middle;
		else
			hi = middle;
		if (count >= k && count <= k + LEAF_SLACK)
			break;
	}
	return hi;
}

/* Sort n keys, of which no two are equal. */
static void
sort_found(HnswMatrix *m, int n)
{
	uint32		rank[MOST_RANKED];
	uint64		keys[MOST_RANKED];

	if (n > MOST_RANKED)
	{
		sort_keys(m->keys, n);
		return;
	}
	memcpy(keys, m->keys, sizeof(uint64) * n);
	nv_kern.rank_u64(keys, n, rank);
	for (int i = 0; i < n; i++)
		m->keys[rank[i]] = keys[i];
}

/* Merge n ascending keys into a list.  Returns how many are new in its head. */
static int
merge_keys(uint64 *list, uint8 *count, uint64 *keys, int n)
{
	uint64		old[2 * HNSW_LIST];
	const uint64 *x = old;
	const uint64 *y = keys;
	int			head = 0;
	int			kept = 0;

	Assert(*count <= HNSW_LIST);
	memcpy(old, list, sizeof(uint64) * *count);
	memset(old + *count, 0xff, sizeof(uint64) * (2 * HNSW_LIST - *count));
	memset(keys + n, 0xff, sizeof(uint64) * HNSW_LIST);
	/* without branches, which nobody could predict; both end in keys greater than any */
	for (int i = 0; i < HNSW_LIST; i++)
	{
		uint64		a = *x;
		uint64		b = *y;

		list[i] = Min(a, b);
		kept += list[i] != PG_UINT64_MAX;
		head += i < HNSW_LIST_HEAD && b < a;
		x += a <= b;
		y += b <= a;
	}
	*count = (uint8) kept;
	return head;
}

/*
 * Note in the list of a vector what is near in a row of distances, where its own column
 * is infinitely far.  range: all distances lie between -range and range; 0 where they are
 * not negative, and may be as large as floats are.  guess is a part of it, if it is not 0.
 */
static int
join_row(HnswMatrix *m, const HnswLists *lists, uint32 own, const float *x, const uint32 *numbers,
		 float range, float *guess)
{
	uint64	   *list = lists->keys + (Size) own * HNSW_LIST;
	uint8	   *count = lists->counts + own;
	int			nearest = Min(LEAF_NEAREST, m->ncolumns - 1);
	float		unit = range > 0 ? range : 1;
	float		bound = range > 0 ? range : FLT_MAX;
	bool		cut;
	int			n;

	if (*count == HNSW_LIST)
		bound = hnsw_float_at((uint32) (list[HNSW_LIST - 1] >> 32));
	n = (int) nv_kern.count_upto(x, m->padded, bound);
	if (n == 0)
		return 0;
	cut = n > nearest + LEAF_SLACK;
	if (cut)
	{
		bound = find_bound(x, m->padded, nearest, -range, bound, *guess * unit);
		*guess = bound / unit;
	}
	n = (int) nv_kern.find_upto(x, m->padded, bound, m->found);
	for (int i = 0; i < n; i++)
		m->keys[i] = (uint64) hnsw_float_place(x[m->found[i]]) << 32 |
			(numbers[m->found[i]] - own);
	sort_found(m, n);
	/* however many the bound has let in, it is the same nearest ones */
	return merge_keys(list, count, m->keys, cut ? Min(n, nearest) : n);
}

/* Have the lists of some vectors come into the caches. */
static void
prefetch_lists(const HnswLists *lists, const uint32 *numbers, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *list = (const char *) (lists->keys + (Size) numbers[i] * HNSW_LIST);

		__builtin_prefetch(lists->counts + numbers[i], 1);
		for (Size b = 0; b < sizeof(uint64) * HNSW_LIST; b += NV_PREFETCH_STEP)
			__builtin_prefetch(list + b, 1);
	}
}

/* Measure how long columns are. */
static void
measure_lengths(HnswMatrix *m, const uint32 *slots)
{
	m->longest = 0;
	for (int c = 0; c < m->ncolumns; c++)
	{
		NvStored	v = stored_of(m, slots[c]);

		m->lengths[c] = sqrtf(nv_stored_norm2(&m->ix->space, &v));
		m->longest = Max(m->longest, m->lengths[c]);
	}
}

/* Products may be greater than those of the lengths by what is rounded. */
#define ROUNDED 1.001F

/* A finite bound of the products of a column with others, unless these are infinite. */
static float
range_of(const HnswMatrix *m, int c)
{
	double		range = (double) m->lengths[c] * m->longest * ROUNDED;

	/* squares of lengths may overflow; then what is infinitely far stays out all the same */
	return range < FLT_MAX ? (float) range : FLT_MAX;
}

/* Measure the vectors of a leaf against each other. */
uint64
hnsw_join_leaf(HnswMatrix *m, const HnswLists lists[HNSW_MEASURES], const uint32 *numbers,
			   const uint32 *slots, int n)
{
	const HnswLists *near = &lists[HNSW_BY_DISTANCE];
	const HnswLists *best = &lists[HNSW_BY_PRODUCT];
	uint64		head[HNSW_MEASURES] = {0};
	float		guess[HNSW_MEASURES] = {FLT_MAX, 1};

	if (n < 2)
		return 0;
	hnsw_matrix_columns(m, slots, n);
	if (best->keys != NULL)
		measure_lengths(m, slots);
	for (int i = 0; i < n; i += NV_PANEL_ROWS)
	{
		Rows		rows;

		if (near->keys != NULL)
			prefetch_lists(near, numbers + i, Min(NV_PANEL_ROWS, n - i));
		if (best->keys != NULL)
			prefetch_lists(best, numbers + i, Min(NV_PANEL_ROWS, n - i));
		take_columns(m, slots, i, Min(NV_PANEL_ROWS, n - i), &rows);
		if (near->keys != NULL)
			measure_rows(m, &rows);
		if (best->keys != NULL)
			multiply_rows(m, &rows);
		for (int r = 0; r < rows.n; r++)
		{
			float	   *x = m->distances + (Size) r * m->padded;
			float	   *y = m->products + (Size) r * m->padded;

			x[i + r] = y[i + r] = INFINITY;
			if (near->keys != NULL)
				head[HNSW_BY_DISTANCE] += join_row(m, near, numbers[i + r], x, numbers, 0,
												   &guess[HNSW_BY_DISTANCE]);
			if (best->keys != NULL)
				head[HNSW_BY_PRODUCT] += join_row(m, best, numbers[i + r], y, numbers,
												  range_of(m, i + r),
												  &guess[HNSW_BY_PRODUCT]);
		}
	}
	return head[near->keys != NULL ? HNSW_BY_DISTANCE : HNSW_BY_PRODUCT];
}
