/*-------------------------------------------------------------------------
 *
 * array_distance.c
 *		SQL distance functions of real[] and double precision[].
 *
 * For embeddings that are stored as arrays.  real[] is measured as a vector
 * would be, double precision[] in full double precision.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "catalog/pg_type.h"
#include "distance/double_measure.h"
#include "types/detoast.h"
#include "utils/array.h"

static void
check_arrays(const ArrayType *a, const ArrayType *b)
{
	if (ARR_NDIM(a) != 1 || ARR_NDIM(b) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if ((ARR_HASNULL(a) && array_contains_nulls(unconstify(ArrayType *, a))) ||
		(ARR_HASNULL(b) && array_contains_nulls(unconstify(ArrayType *, b))))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));
	if (ARR_DIMS(a)[0] != ARR_DIMS(b)[0])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different array dimensions %d and %d",
						ARR_DIMS(a)[0], ARR_DIMS(b)[0])));
}

static NvDense
array_as_vector(ArrayType *array)
{
	NvDense		v = {
		.type = &nv_vector_type,
		.dim = ARR_DIMS(array)[0],
		.data = ARR_DATA_PTR(array)
	};

	return v;
}

static Datum
array_distance(FunctionCallInfo fcinfo, Oid element, NvMetric metric)
{
	Datum		arg[2] = {nv_cached_arg(fcinfo, 0), nv_cached_arg(fcinfo, 1)};
	ArrayType  *a = DatumGetArrayTypeP(arg[0]);
	ArrayType  *b = DatumGetArrayTypeP(arg[1]);
	double		result;

	check_arrays(a, b);
	if (element == FLOAT4OID)
	{
		NvDense		x = array_as_vector(a);
		NvDense		y = array_as_vector(b);

		result = nv_dense_distance(&x, &y, metric);
	}
	else
		result = nv_finish_distance(nv_measure_float8((double *) ARR_DATA_PTR(a),
													  (double *) ARR_DATA_PTR(b),
													  ARR_DIMS(a)[0],
													  nv_metric_measure(metric)),
									metric);

	if ((Pointer) a != DatumGetPointer(arg[0]))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(arg[1]))
		pfree(b);
	PG_RETURN_FLOAT8(result);
}

#define ARRAY_DISTANCE_FUNCTION(name, metric) \
	NV_FUNCTION(float4_array_##name) \
	{ \
		return array_distance(fcinfo, FLOAT4OID, metric); \
	} \
\
	NV_FUNCTION(float8_array_##name) \
	{ \
		return array_distance(fcinfo, FLOAT8OID, metric); \
	}

ARRAY_DISTANCE_FUNCTION(l2_distance, NV_METRIC_L2)
ARRAY_DISTANCE_FUNCTION(inner_product, NV_METRIC_IP)
ARRAY_DISTANCE_FUNCTION(cosine_distance, NV_METRIC_COSINE)
ARRAY_DISTANCE_FUNCTION(l1_distance, NV_METRIC_L1)
