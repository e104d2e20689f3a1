/*-------------------------------------------------------------------------
 *
 * am_stored.c
 *		How vectors are stored: encoding, decoding, and what is known of a stored one.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include <float.h>
#include <math.h>

#include "am/am_rounding.h"
#include "quant/scalar_code.h"

/* Half-precision elements are kept within these magnitudes by a scale. */
#define LEAST_UNSCALED 1e-3f
#define MOST_UNSCALED 60000.0f

/* Bytes of a vector of a form, which for sparse ones is the most that there can be. */
uint32
nv_form_max_bytes(NvForm form, int dims, int length)
{
	switch (form)
	{
		case NV_FORM_FLOAT4:
			return length * sizeof(float);
		case NV_FORM_FLOAT2:
			return length * sizeof(nv_f16);
		case NV_FORM_SQ16:
			return length * sizeof(nv_u16);
		case NV_FORM_SQ8:
			return length;
		case NV_FORM_BITS:
			return (dims + BITS_PER_BYTE - 1) / BITS_PER_BYTE;
		case NV_FORM_SPARSE:
			return NV_SPARSE_MAX_NNZ * (sizeof(int32) + sizeof(float));
	}
	pg_unreachable();
}

/* The same for a space. */
uint32
nv_space_max_bytes(const NvSpace *space)
{
	return nv_form_max_bytes(space->form, space->dims, space->length);
}

/* The elements of a fine vector. */
static void
decode_fine(const NvSpace *space, const NvStored *v, float *out)
{
	const uint8 *high = v->data;
	const uint8 *low = high + space->length;

	for (int i = 0; i < space->length; i++)
		out[i] = v->offset + v->scale * (float) (high[i] << 8 | low[i]);
}

/* Decode a stored vector. */
void
nv_stored_floats(const NvSpace *space, const NvStored *v, float *out)
{
	const uint8 *bits = v->data;

	switch (space->form)
	{
		case NV_FORM_FLOAT4:
			memcpy(out, v->data, space->length * sizeof(float));
			break;
		case NV_FORM_FLOAT2:
			nv_kern.f16_to_f32(v->data, out, space->length);
			if (v->scale != 1)
			{
				for (int i = 0; i < space->length; i++)
					out[i] *= v->scale;
			}
			break;
		case NV_FORM_SQ16:
			nv_kern.decode_u16(v->data, space->length, v->scale, v->offset, out);
			break;
		case NV_FORM_BITS:
			for (int i = 0; i < space->dims; i++)
				out[i] = (bits[i / BITS_PER_BYTE] >> (BITS_PER_BYTE - 1 - i % BITS_PER_BYTE)) & 1;
			break;
		default:
			Assert(space->form == NV_FORM_SQ8);
			if (nv_stored_fine(space, v))
				decode_fine(space, v, out);
			else
				nv_kern.decode_u8(v->data, space->length, v->scale, v->offset, out);
	}
}

/* A power of two by which elements of such a magnitude fit half precision. */
static float
float2_scale(float most)
{
	int			exponent;

	if (most == 0 || (most >= LEAST_UNSCALED && most <= MOST_UNSCALED))
		return 1;
	frexpf(most, &exponent);
	/* the scale itself must neither vanish nor overflow */
	return ldexpf(1, Max(exponent, FLT_MIN_EXP));
}

/* Store elements as halves, of which the scale keeps all in range. */
static void
store_float2(const NvSpace *space, const float *x, char *data, NvStored *v)
{
	float		most = 0;

	for (int i = 0; i < space->length; i++)
		most = Max(most, fabsf(x[i]));
	v->scale = float2_scale(most);
	if (v->scale != 1)
	{
		for (int i = 0; i < space->length; i++)
			space->scratch[i] = x[i] / v->scale;
		x = space->scratch;
	}
	nv_kern.f32_to_f16(x, (nv_f16 *) data, space->length);
}

/* Store elements as codes of 16 bits. */
static void
store_sq16(const NvSpace *space, const float *x, char *data, NvStored *v)
{
	nv_scalar_encode16(x, space->length, (nv_u16 *) data, &v->scale, &v->offset);
}

/* Store elements as codes of 8 bits, with the sums over these. */
static void
store_sq8(const NvSpace *space, const float *x, uint8 *data, NvStored *v)
{
	NvCodeSums	sums;

	nv_scalar_encode(x, space->length, data, &v->scale, &v->offset);
	nv_kern.sums_u8(data, data, space->length, &sums);
	v->sum = sums.a;
	v->square = sums.aa;
}

/* The distance of a stored vector from its original, and what rounding adds. */
static float
stored_error(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	float	   *x = space->scratch;
	float		norm = query->norm + space->mean_norm;
	double		error;

	/* a function of the user's is given the value itself */
	if (nv_space_is_custom(space))
		return 0;
	nv_stored_floats(space, v, x);
	if (space->metric == NV_SPACE_L1)
		return nv_kern.l1_f32(x, query->elements, space->length) * 1.001f;
	error = sqrtf(nv_kern.l2sq_f32(x, query->elements, space->length) +
				  nv_lost_squares(space->length)) * 1.001 + NV_ROUNDING_PART * norm;
	if (space->metric == NV_SPACE_IP)
		error += 2 * NV_KERNEL_RELERR(space->length) * norm;
	return (float) error;
}

/* The square of the norm of a vector as it is stored. */
static float
norm2_of(const NvSpace *space, const NvStored *v)
{
	nv_stored_floats(space, v, space->scratch);
	return nv_kern.ip_f32(space->scratch, space->scratch, space->length);
}

/* Store a query in the form of its space. */
void
nv_query_store(const NvSpace *space, const NvQuery *query, char *data, NvStored *v)
{
	v->data = data;
	v->scale = 1;
	v->offset = 0;
	v->error = 0;
	v->sum = 0;
	v->square = 0;
	if (space->type->dense == NULL)
	{
		v->bytes = query->raw.bytes;
		Assert(v->bytes <= nv_space_max_bytes(space));
		memcpy(data, query->raw.data, v->bytes);
		return;
	}
	v->bytes = nv_space_max_bytes(space);
	if (space->form == NV_FORM_FLOAT4)
		memcpy(data, query->elements, v->bytes);
	else if (space->form == NV_FORM_FLOAT2)
		store_float2(space, query->elements, data, v);
	else if (space->form == NV_FORM_SQ16)
		store_sq16(space, query->elements, data, v);
	else
		store_sq8(space, query->elements, (uint8 *) data, v);
	v->error = stored_error(space, query, v);
	if (space->ip && space->form != NV_FORM_SQ8)
		v->norm2 = norm2_of(space, v);
}

/* Store a query as codes of 16 bits, the upper halves first. */
void
nv_query_store_fine(const NvSpace *space, const NvQuery *query, char *data, NvStored *v)
{
	nv_u16	   *codes = (nv_u16 *) space->scratch;
	uint8	   *high = (uint8 *) data;
	uint8	   *low = high + space->length;

	Assert(space->form == NV_FORM_SQ8);
	memset(v, 0, sizeof(*v));
	v->data = data;
	v->bytes = 2 * space->length;
	nv_scalar_encode16(query->elements, space->length, codes, &v->scale, &v->offset);
	for (int i = 0; i < space->length; i++)
	{
		high[i] = (uint8) (codes[i] >> 8);
		low[i] = (uint8) codes[i];
	}
	v->error = stored_error(space, query, v);
	if (space->ip)
		v->norm2 = norm2_of(space, v);
}

/* Compute again what a stored vector says of its data. */
bool
nv_stored_valid(const NvSpace *space, const NvStored *v)
{
	NvCodeSums	sums = {0};

	if (!(v->error >= 0))
		return false;
	if (space->form == NV_FORM_SQ8 && !nv_stored_fine(space, v))
		nv_kern.sums_u8(v->data, v->data, space->length, &sums);
	else if (space->ip && space->type->dense != NULL)
	{
		float		norm2;

		nv_stored_floats(space, v, space->scratch);
		norm2 = nv_kern.ip_f32(space->scratch, space->scratch, space->length);
		/* written by a CPU that adds in another order, perhaps; both may be infinite */
		return v->sum == 0 && (norm2 == v->norm2 ||
							   fabs(norm2 - v->norm2) <= 4 * NV_KERNEL_RELERR(space->length) * norm2);
	}
	return v->sum == sums.a && v->square == sums.aa;
}

/* Take the norm from the vector, or from the sums over its codes; of sparse ones nothing is kept. */
float
nv_stored_norm2(const NvSpace *space, const NvStored *v)
{
	double		offset = v->offset,
				scale = v->scale;

	Assert(space->ip);
	if (space->type->dense == NULL)
		return -nv_distance_between(space, v, v);
	if (space->form != NV_FORM_SQ8 || nv_stored_fine(space, v))
		return v->norm2;
	return (float) Max(0, space->length * offset * offset + 2 * offset * scale * v->sum +
					   scale * scale * v->square);
}

/* Copy a vector and its data. */
NvStored
nv_stored_copy(const NvStored *v)
{
	NvStored	copy = *v;
	char	   *data = palloc_extended(Max(v->bytes, 1), MCXT_ALLOC_HUGE);

	memcpy(data, v->data, v->bytes);
	copy.data = data;
	return copy;
}
