/*-------------------------------------------------------------------------
 *
 * halfvec.c
 *		halfvec: IEEE 754 binary16 elements.  SQL entry points.
 *
 * What the functions do is in the files dense*.c.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "simd/simd.h"

/* Convert elements to floats. */
static void
halfvec_decode(const NvDense *v, float *out)
{
	nv_kern.f16_to_f32(v->data, out, v->dim);
}

/* Round elements to half precision. */
static void
halfvec_encode(const float *in, int dim, char *datum)
{
	nv_kern.f32_to_f16(in, (nv_f16 *) (datum + sizeof(NvDenseHeader)), dim);
}

const NvDenseType nv_halfvec_type = {
	.kind = NV_ELEMENT_HALFVEC,
	.name = "halfvec",
	.header = sizeof(NvDenseHeader),
	.element = sizeof(nv_f16),
	.overflow = 65520,			/* the least that rounds to infinity */
	.decode = halfvec_decode,
	.encode = halfvec_encode
};

#define DENSE_FUNCTION(name) halfvec_##name
#define DENSE_TYPE nv_halfvec_type
#include "types/dense_sql.h"

/* Both casts are in this file, so that vector.c needs no other type. */
NV_FUNCTION(vector_to_halfvec)
{
	return nv_dense_convert(fcinfo, &nv_vector_type, &nv_halfvec_type);
}

NV_FUNCTION(halfvec_to_vector)
{
	return nv_dense_convert(fcinfo, &nv_halfvec_type, &nv_vector_type);
}
