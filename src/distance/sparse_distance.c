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
 * The sums that every measure follows from, over the union of the indices of
 * a and b, in double precision.
 */
typedef struct SparseSums
{
	double		ab;
	double		l2sq;
	double		l1;
} SparseSums;

static SparseSums
merge(const NvSparse *a, const NvSparse *b)
{
	SparseSums	s = {0, 0, 0};
	int			i = 0,
				j = 0;

	while (i < a->nnz || j < b->nnz)
	{
		/* no index reaches the end mark, not even a corrupt one */
		int64		ai = i < a->nnz ? a->indices[i] : PG_INT64_MAX;
		int64		bi = j < b->nnz ? b->indices[j] : PG_INT64_MAX;
		double		x = ai <= bi ? a->values[i] : 0;
		double		y = bi <= ai ? b->values[j] : 0;

		s.ab += x * y;
		s.l2sq += (x - y) * (x - y);
		s.l1 += fabs(x - y);
		i += ai <= bi;
		j += bi <= ai;
	}
	return s;
}

static double
square(const NvSparse *v)
{
	double		sum = 0;

	for (int i = 0; i < v->nnz; i++)
		sum += (double) v->values[i] * (double) v->values[i];
	return sum;
}

double
nv_sparse_measure(const NvSparse *a, const NvSparse *b, NvMeasure measure)
{
	SparseSums	s = merge(a, b);

	switch (measure)
	{
		case NV_MEASURE_L2SQ:
			return s.l2sq;
		case NV_MEASURE_IP:
			return s.ab;
		case NV_MEASURE_COSINE:
			return nv_cosine_of_sums(s.ab, square(a), square(b));
		case NV_MEASURE_L1:
			return s.l1;
	}
	pg_unreachable();
}

static Datum
sparse_distance(FunctionCallInfo fcinfo, NvMetric metric)
{
	NvSparse	a = nv_sparse_open(nv_cached_arg(fcinfo, 0));
	NvSparse	b = nv_sparse_open(nv_cached_arg(fcinfo, 1));
	double		measure;

	nv_sparse_check_same_dims(&a, &b);
	measure = nv_sparse_measure(&a, &b, nv_metric_measure(metric));
	nv_sparse_close(&a);
	nv_sparse_close(&b);
	PG_RETURN_FLOAT8(nv_finish_distance(measure, metric));
}

NV_FUNCTION(sparsevec_l2_distance)
{
	return sparse_distance(fcinfo, NV_METRIC_L2);
}

NV_FUNCTION(sparsevec_l2_squared_distance)
{
	return sparse_distance(fcinfo, NV_METRIC_L2_SQUARED);
}

NV_FUNCTION(sparsevec_inner_product)
{
	return sparse_distance(fcinfo, NV_METRIC_IP);
}

NV_FUNCTION(sparsevec_negative_inner_product)
{
	return sparse_distance(fcinfo, NV_METRIC_NEGATIVE_IP);
}

NV_FUNCTION(sparsevec_cosine_distance)
{
	return sparse_distance(fcinfo, NV_METRIC_COSINE);
}

NV_FUNCTION(sparsevec_l1_distance)
{
	return sparse_distance(fcinfo, NV_METRIC_L1);
}
