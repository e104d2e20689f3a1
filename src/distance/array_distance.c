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

#include <math.h>

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

/* The binary exponent of the greatest magnitude in x[n]; 0 if that has none. */
static int
greatest_exponent(const double *x, int n)
{
	double		greatest = 0;
	int			exponent = 0;

	for (int i = 0; i < n; i++)
		greatest = Max(greatest, fabs(x[i]));
	if (isfinite(greatest))
		frexp(greatest, &exponent);
	return exponent;
}

/* x[n] divided by 2^exponent, palloc'd. */
static double *
scale_down(const double *x, int n, int exponent)
{
	double	   *out = palloc(n * sizeof(double));

	for (int i = 0; i < n; i++)
		out[i] = ldexp(x[i], -exponent);
	return out;
}

/* The distance of numbers whose squares may be out of range, by way of others. */
static pg_noinline double
scaled_float8_distance(const double *x, const double *y, int n, NvMetric metric)
{
	int			ex = greatest_exponent(x, n);
	int			ey = greatest_exponent(y, n);
	double	   *u,
			   *v;
	double		distance;

	if (metric == NV_METRIC_L2)
		ex = ey = Max(ex, ey);
	u = scale_down(x, n, ex);
	v = scale_down(y, n, ey);
	distance = nv_finish_distance(nv_measure_float8(u, v, n, nv_metric_measure(metric)), metric);
	pfree(u);
	pfree(v);

	if (metric == NV_METRIC_L2)
		return ldexp(distance, ex);
	if (metric == NV_METRIC_IP)
		return ldexp(distance, ex + ey);
	return distance;
}

static double
float8_distance(const double *x, const double *y, int n, NvMetric metric)
{
	double		measure = nv_measure_float8(x, y, n, nv_metric_measure(metric));
	bool		squared = metric == NV_METRIC_L2 || metric == NV_METRIC_IP;

	if (isnan(measure) || (squared && !nv_square_is_safe(fabs(measure))))
		return scaled_float8_distance(x, y, n, metric);
	return nv_finish_distance(measure, metric);
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
		result = float8_distance((double *) ARR_DATA_PTR(a), (double *) ARR_DATA_PTR(b),
								 ARR_DIMS(a)[0], metric);

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
