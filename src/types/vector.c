/*-------------------------------------------------------------------------
 *
 * vector.c
 *		vector: float4 elements.  SQL entry points.
 *
 * What the functions do is in the files dense*.c.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

/* Copy elements. */
static void
vector_decode(const NvDense *v, float *out)
{
	memcpy(out, v->data, v->dim * sizeof(float));
}

/* Copy elements into a datum. */
static void
vector_encode(const float *in, int dim, char *datum)
{
	memcpy(datum + sizeof(NvDenseHeader), in, dim * sizeof(float));
}

const NvDenseType nv_vector_type = {
	.kind = NV_ELEMENT_VECTOR,
	.name = "vector",
	.header = sizeof(NvDenseHeader),
	.element = sizeof(float),
	.overflow = INFINITY,
	.decode = vector_decode,
	.encode = vector_encode
};

#define DENSE_FUNCTION(name) vector_##name
#define DENSE_TYPE nv_vector_type
#include "types/dense_sql.h"
