/*-------------------------------------------------------------------------
 *
 * dense_distance.c
 *		SQL distance functions of vector, halfvec and sq8vec.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "distance/distance.h"
#include "types/detoast.h"

static Datum
dense_distance(FunctionCallInfo fcinfo, const NvDenseType *type, NvMetric metric)
{
	NvDense		a = nv_dense_open(nv_cached_arg(fcinfo, 0), type);
	NvDense		b = nv_dense_open(nv_cached_arg(fcinfo, 1), type);
	double		result;

	nv_check_same_dims(&a, &b);
	result = nv_dense_distance(&a, &b, metric);
	nv_dense_close(&a);
	nv_dense_close(&b);
	PG_RETURN_FLOAT8(result);
}

#define DISTANCE_FUNCTION(type, name, metric) \
	NV_FUNCTION(type##_##name) \
	{ \
		return dense_distance(fcinfo, &nv_##type##_type, metric); \
	}

#define DISTANCE_FUNCTIONS(type) \
	DISTANCE_FUNCTION(type, l2_distance, NV_METRIC_L2) \
	DISTANCE_FUNCTION(type, l2_squared_distance, NV_METRIC_L2_SQUARED) \
	DISTANCE_FUNCTION(type, inner_product, NV_METRIC_IP) \
	DISTANCE_FUNCTION(type, negative_inner_product, NV_METRIC_NEGATIVE_IP) \
	DISTANCE_FUNCTION(type, cosine_distance, NV_METRIC_COSINE) \
	DISTANCE_FUNCTION(type, spherical_distance, NV_METRIC_SPHERICAL) \
	DISTANCE_FUNCTION(type, l1_distance, NV_METRIC_L1)

DISTANCE_FUNCTIONS(vector)
DISTANCE_FUNCTIONS(halfvec)
DISTANCE_FUNCTIONS(sq8vec)
