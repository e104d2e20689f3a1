/*-------------------------------------------------------------------------
 *
 * dense_distance.c
 *		SQL distance functions of vector, halfvec and sq8vec.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "access/htup_details.h"
#include "distance/distance.h"
#include "types/detoast.h"

/* Beyond this many bytes the hardware has seen the pattern itself. */
#define MAX_PREFETCH 8192
#define CACHE_LINE 64

/*
 * Ask for the memory just below a value.  Rows fill a heap page from its end,
 * so that the next row of a sequential scan lies there; it arrives while the
 * executor is busy with this one.  Anywhere else it does no harm: a prefetch
 * never faults.  (Inlined by force: gcc takes a function that only prefetches
 * for one without effect, and drops the call.)
 */
static pg_attribute_always_inline void
prefetch_next_row(const NvDense *v)
{
	Size		size = v->type->header + v->dim * v->type->element;
	uintptr_t	next = (uintptr_t) v->data - size - MAXALIGN(SizeofHeapTupleHeader) - CACHE_LINE;

	for (Size i = 0; i <= Min(size, MAX_PREFETCH); i += CACHE_LINE)
		__builtin_prefetch((const void *) (next + i));
}

/* The distance of two values of a dense type. */
static Datum
dense_distance(FunctionCallInfo fcinfo, const NvDenseType *type, NvDistanceKind kind)
{
	NvDense		a = nv_dense_open(nv_cached_arg(fcinfo, 0), type);
	NvDense		b = nv_dense_open(nv_cached_arg(fcinfo, 1), type);
	double		result;

	nv_check_same_dims(&a, &b);
	if (a.copy == NULL)
		prefetch_next_row(&a);
	result = nv_dense_distance(&a, &b, kind);
	nv_dense_close(&a);
	nv_dense_close(&b);
	PG_RETURN_FLOAT8(result);
}

#define DISTANCE_FUNCTION(type, name, kind) \
	NV_FUNCTION(type##_##name) \
	{ \
		return dense_distance(fcinfo, &nv_##type##_type, kind); \
	}

#define DISTANCE_FUNCTIONS(type) \
	DISTANCE_FUNCTION(type, l2_distance, NV_DISTANCE_L2) \
	DISTANCE_FUNCTION(type, l2_squared_distance, NV_DISTANCE_L2_SQUARED) \
	DISTANCE_FUNCTION(type, inner_product, NV_DISTANCE_IP) \
	DISTANCE_FUNCTION(type, negative_inner_product, NV_DISTANCE_NEGATIVE_IP) \
	DISTANCE_FUNCTION(type, cosine_distance, NV_DISTANCE_COSINE) \
	DISTANCE_FUNCTION(type, spherical_distance, NV_DISTANCE_SPHERICAL) \
	DISTANCE_FUNCTION(type, l1_distance, NV_DISTANCE_L1)

DISTANCE_FUNCTIONS(vector)
DISTANCE_FUNCTIONS(halfvec)
DISTANCE_FUNCTIONS(sq8vec)
