/*-------------------------------------------------------------------------
 *
 * sparse_distance.c
 *		SQL distance functions of sparsevec.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <math.h>

#include "distance/double_measure.h"
#include "types/detoast.h"
#include "types/sparse.h"

/*
 * Squared L2 or L1 over the union of the indices of a and b, each difference
 * taken by itself: exact however close a and b are.
 */
static double
measure_union(const NvSparse *a, const NvSparse *b, NvMeasure measure)
{
	double		sum = 0;
	int			i = 0,
				j = 0;

	while (i < a->nnz || j < b->nnz)
	{
		/* no index reaches the end mark, not even a corrupt one */
		int64		ai = i < a->nnz ? a->indices[i] : PG_INT64_MAX;
		int64		bi = j < b->nnz ? b->indices[j] : PG_INT64_MAX;
		double		x = ai <= bi ? a->values[i] : 0;
		double		y = bi <= ai ? b->values[j] : 0;

		sum += measure == NV_MEASURE_L1 ? fabs(x - y) : (x - y) * (x - y);
		i += ai <= bi;
		j += bi <= ai;
	}
	return sum;
}

/*
 * The values of two vectors at the indices that both have.  They are in static
 * arrays, which the next such call overwrites.
 */
typedef struct Match
{
	int			n;
	float	   *x;
	float	   *y;
} Match;

/* Find the indices that both have. */
static Match
match(const NvSparse *a, const NvSparse *b)
{
	static float x[NV_MATCH_ROOM(NV_SPARSE_MAX_NNZ, NV_SPARSE_MAX_NNZ)];
	static float y[NV_MATCH_ROOM(NV_SPARSE_MAX_NNZ, NV_SPARSE_MAX_NNZ)];

	Assert(a->nnz <= NV_SPARSE_MAX_NNZ && b->nnz <= NV_SPARSE_MAX_NNZ);
	return (Match) {
		.n = (int) nv_kern.match_sparse(a->indices, a->values, a->nnz, b->indices, b->values,
										b->nnz, x, y),
		.x = x,
		.y = y
	};
}

/* The sum of the squares of the values. */
static double
square(const NvSparse *v)
{
	return nv_kern.ipd_f32(v->values, v->values, v->nnz);
}

/* The inner product; only where both have a value is there anything to add. */
static double
inner_product(const NvSparse *a, const NvSparse *b)
{
	Match		m = match(a, b);

	return nv_kern.ipd_f32(m.x, m.y, m.n);
}

/* The sum of the magnitudes of the values. */
static double
sum_magnitudes(const NvSparse *v)
{
	double		sum[4] = {0};
	int			i = 0;

	/* independent sums, so that one addition need not wait for the last */
	for (; i + 4 <= v->nnz; i += 4)
	{
		sum[0] += fabsf(v->values[i]);
		sum[1] += fabsf(v->values[i + 1]);
		sum[2] += fabsf(v->values[i + 2]);
		sum[3] += fabsf(v->values[i + 3]);
	}
	for (; i < v->nnz; i++)
		sum[0] += fabsf(v->values[i]);
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Where the result is less than this part of what was added up, too many digits cancelled. */
#define LEAST_PART (1.0 / 256)

/*
 * |a|^2 + |b|^2 - 2 <a, b>: only where both have elements is there anything to
 * multiply.
 */
static double
l2_squared(const NvSparse *a, const NvSparse *b)
{
	double		apart = square(a) + square(b);
	double		sum = apart - 2 * inner_product(a, b);

	return likely(sum >= LEAST_PART * apart) ? sum : measure_union(a, b, NV_MEASURE_L2SQ);
}

/* In the same way: the magnitudes, less what those at the same index have in common. */
static double
taxicab(const NvSparse *a, const NvSparse *b)
{
	double		apart = sum_magnitudes(a) + sum_magnitudes(b);
	double		sum = apart;
	Match		m = match(a, b);

	for (int i = 0; i < m.n; i++)
	{
		double		x = m.x[i];
		double		y = m.y[i];

		sum -= fabs(x) + fabs(y) - fabs(x - y);
	}
	return likely(sum >= LEAST_PART * apart) ? sum : measure_union(a, b, NV_MEASURE_L1);
}

/* Measure two sparse vectors. */
double
nv_sparse_measure(const NvSparse *a, const NvSparse *b, NvMeasure measure)
{
	switch (measure)
	{
		case NV_MEASURE_L2SQ:
			return l2_squared(a, b);
		case NV_MEASURE_IP:
			return inner_product(a, b);
		case NV_MEASURE_COSINE:
			return nv_cosine_of_sums(inner_product(a, b), square(a), square(b));
		case NV_MEASURE_L1:
			return taxicab(a, b);
	}
	pg_unreachable();
}

/* The distance of two sparse vectors. */
static Datum
sparse_distance(FunctionCallInfo fcinfo, NvDistanceKind kind)
{
	NvSparse	a = nv_sparse_open(nv_cached_arg(fcinfo, 0));
	NvSparse	b = nv_sparse_open(nv_cached_arg(fcinfo, 1));
	double		measure;

	nv_sparse_check_same_dims(&a, &b);
	measure = nv_sparse_measure(&a, &b, nv_distance_measure(kind));
	nv_sparse_close(&a);
	nv_sparse_close(&b);
	PG_RETURN_FLOAT8(nv_finish_distance(measure, kind));
}

/* The SQL functions, one for each kind of distance. */
NV_FUNCTION(sparsevec_l2_distance)
{
	return sparse_distance(fcinfo, NV_DISTANCE_L2);
}

NV_FUNCTION(sparsevec_l2_squared_distance)
{
	return sparse_distance(fcinfo, NV_DISTANCE_L2_SQUARED);
}

NV_FUNCTION(sparsevec_inner_product)
{
	return sparse_distance(fcinfo, NV_DISTANCE_IP);
}

NV_FUNCTION(sparsevec_negative_inner_product)
{
	return sparse_distance(fcinfo, NV_DISTANCE_NEGATIVE_IP);
}

NV_FUNCTION(sparsevec_cosine_distance)
{
	return sparse_distance(fcinfo, NV_DISTANCE_COSINE);
}

NV_FUNCTION(sparsevec_l1_distance)
{
	return sparse_distance(fcinfo, NV_DISTANCE_L1);
}
