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

/* How many elements both arrays have.  ERROR (DATA_EXCEPTION) if not as many, or none. */
static int
shared_dim(ArrayType *a, ArrayType *b)
{
	int			dim = nv_array_dim(a);
	int			other = nv_array_dim(b);

	if (dim != other)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different array dimensions %d and %d", dim, other)));
	if (dim == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must have at least 1 dimension")));
	return dim;
}

/* Look at an array of float4 as a vector, without a copy. */
static NvDense
array_as_vector(ArrayType *array, int dim)
{
	NvDense		v = {
		.type = &nv_vector_type,
		.dim = dim,
		.data = ARR_DATA_PTR(array)
	};

	return v;
}

/* The distance of two arrays, whose elements are float4 or float8. */
static Datum
array_distance(FunctionCallInfo fcinfo, Oid element, NvDistanceKind kind)
{
	Datum		arg[2] = {nv_cached_arg(fcinfo, 0), nv_cached_arg(fcinfo, 1)};
	ArrayType  *a = DatumGetArrayTypeP(arg[0]);
	ArrayType  *b = DatumGetArrayTypeP(arg[1]);
	int			dim = shared_dim(a, b);
	double		result;

	if (element == FLOAT4OID)
	{
		NvDense		x = array_as_vector(a, dim);
		NvDense		y = array_as_vector(b, dim);

		result = nv_dense_distance(&x, &y, kind);
	}
	else
		result = nv_finish_distance(nv_measure_float8((double *) ARR_DATA_PTR(a),
													  (double *) ARR_DATA_PTR(b),
													  dim,
													  nv_distance_measure(kind)),
									kind);

	if ((Pointer) a != DatumGetPointer(arg[0]))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(arg[1]))
		pfree(b);
	PG_RETURN_FLOAT8(result);
}

#define ARRAY_DISTANCE_FUNCTION(name, kind) \
	NV_FUNCTION(float4_array_##name) \
	{ \
		return array_distance(fcinfo, FLOAT4OID, kind); \
	} \
\
	NV_FUNCTION(float8_array_##name) \
	{ \
		return array_distance(fcinfo, FLOAT8OID, kind); \
	}

ARRAY_DISTANCE_FUNCTION(l2_distance, NV_DISTANCE_L2)
ARRAY_DISTANCE_FUNCTION(inner_product, NV_DISTANCE_IP)
ARRAY_DISTANCE_FUNCTION(cosine_distance, NV_DISTANCE_COSINE)
ARRAY_DISTANCE_FUNCTION(l1_distance, NV_DISTANCE_L1)
