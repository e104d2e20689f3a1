/*-------------------------------------------------------------------------
 *
 * am_measure.c
 *		How the vectors of a space are measured: a function for each form and metric.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include "am/am_custom.h"
#include "distance/distance.h"

/* ---- float4 ---- */

static float
l2_from_float4(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return nv_kern.l2sq_f32(query->elements, v->data, space->length);
}

static float
ip_from_float4(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return -nv_kern.ip_f32(query->elements, v->data, space->length);
}

static float
l1_from_float4(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return nv_kern.l1_f32(query->elements, v->data, space->length);
}

static float
l2_between_float4(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return nv_kern.l2sq_f32(a->data, b->data, space->length);
}

static float
ip_between_float4(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return -nv_kern.ip_f32(a->data, b->data, space->length);
}

static float
l1_between_float4(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return nv_kern.l1_f32(a->data, b->data, space->length);
}

/* ---- float2, with a scale that is nearly always 1 ---- */

#define FLOAT2_MEASURES(name, sign, kernel) \
static float \
name##_from_float2(const NvSpace *space, const NvQuery *query, const NvStored *v) \
{ \
	if (likely(v->scale == 1)) \
		return sign nv_kern.kernel##_f32_f16(query->elements, v->data, space->length); \
	nv_stored_floats(space, v, space->scratch); \
	return sign nv_kern.kernel##_f32(query->elements, space->scratch, space->length); \
} \
\
static float \
name##_between_float2(const NvSpace *space, const NvStored *a, const NvStored *b) \
{ \
	float	   *x = space->scratch; \
	float	   *y = space->scratch + space->length; \
\
	if (likely(a->scale == 1 && b->scale == 1)) \
		return sign nv_kern.kernel##_f16(a->data, b->data, space->length); \
	nv_stored_floats(space, a, x); \
	nv_stored_floats(space, b, y); \
	return sign nv_kern.kernel##_f32(x, y, space->length); \
}

FLOAT2_MEASURES(l2, +, l2sq)
FLOAT2_MEASURES(ip, -, ip)
FLOAT2_MEASURES(l1, +, l1)

/* ---- sq8, where fine vectors are measured as floats ---- */

#define SQ8_MEASURE_FROM(name, sign) \
static float \
name##_from_sq8(const NvSpace *space, const NvQuery *query, const NvStored *v) \
{ \
	if (likely(!nv_stored_fine(space, v))) \
		return sign nv_kern.name##_f32_u8(query->elements, v->data, space->length, v->scale, \
										  v->offset); \
	nv_stored_floats(space, v, space->scratch); \
	return sign nv_kern.name##_f32(query->elements, space->scratch, space->length); \
}

#define l2_f32_u8 l2sq_f32_u8
#define l2_f32 l2sq_f32
SQ8_MEASURE_FROM(l2, +)
SQ8_MEASURE_FROM(ip, -)
SQ8_MEASURE_FROM(l1, +)
#undef l2_f32_u8
#undef l2_f32

/* Two vectors as floats, of which one is fine at least. */
static void
both_floats(const NvSpace *space, const NvStored *a, const NvStored *b, const float **x,
			const float **y)
{
	nv_stored_floats(space, a, space->scratch);
	nv_stored_floats(space, b, space->scratch + space->length);
	*x = space->scratch;
	*y = space->scratch + space->length;
}

/* Whether one of two vectors of sq8 is fine. */
static inline bool
any_fine(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return unlikely(nv_stored_fine(space, a) || nv_stored_fine(space, b));
}

/* ---- sq16 ---- */

static float
l2_from_sq16(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return nv_kern.l2sq_f32_u16(query->elements, v->data, space->length, v->scale, v->offset);
}

static float
ip_from_sq16(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return -nv_kern.ip_f32_u16(query->elements, v->data, space->length, v->scale, v->offset);
}

static float
l1_from_sq16(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return nv_kern.l1_f32_u16(query->elements, v->data, space->length, v->scale, v->offset);
}

static float
l2_between_sq16(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return nv_kern.l2sq_u16(a->data, b->data, space->length, a->scale, a->offset, b->scale,
							b->offset);
}

static float
ip_between_sq16(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return -nv_kern.ip_u16(a->data, b->data, space->length, a->scale, a->offset, b->scale,
						   b->offset);
}

static float
l1_between_sq16(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return nv_kern.l1_u16(a->data, b->data, space->length, a->scale, a->offset, b->scale,
						  b->offset);
}

/* ---- sq8, between ---- */

/* Sum of the squares of (a.offset - b.offset) + a.scale * c - b.scale * d. */
static float
l2_between_sq8(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	double		apart = (double) a->offset - b->offset;
	double		sa = a->scale,
				sb = b->scale;
	double		ab;
	const float *x,
			   *y;

	if (any_fine(space, a, b))
	{
		both_floats(space, a, b, &x, &y);
		return nv_kern.l2sq_f32(x, y, space->length);
	}
	ab = nv_kern.dot_u8(a->data, b->data, space->length);
	return (float) Max(0, sa * sa * a->square + sb * sb * b->square - 2 * sa * sb * ab +
					   space->length * apart * apart + 2 * apart * (sa * a->sum - sb * b->sum));
}

/* Sum of the products of a.offset + a.scale * c and b.offset + b.scale * d, negated. */
static float
ip_between_sq8(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	double		oa = a->offset,
				ob = b->offset,
				sa = a->scale,
				sb = b->scale;
	double		ab;
	const float *x,
			   *y;

	if (any_fine(space, a, b))
	{
		both_floats(space, a, b, &x, &y);
		return -nv_kern.ip_f32(x, y, space->length);
	}
	ab = nv_kern.dot_u8(a->data, b->data, space->length);
	return -(float) (space->length * oa * ob + oa * sb * b->sum + ob * sa * a->sum + sa * sb * ab);
}

/* Sum of the magnitudes of the differences of these. */
static float
l1_between_sq8(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	const float *x,
			   *y;

	if (any_fine(space, a, b))
	{
		both_floats(space, a, b, &x, &y);
		return nv_kern.l1_f32(x, y, space->length);
	}
	return nv_kern.l1_u8(a->data, b->data, space->length, a->scale, b->scale,
						 a->offset - b->offset);
}

/* ---- steps ---- */

/* Where a part of a vector has to be computed first. */
static float
step_from_floats(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
				 float *t, float *greatest)
{
	float	   *x = space->scratch;

	nv_stored_floats(space, v, x);
	if (part != 1)
	{
		for (int i = 0; i < space->length; i++)
			x[i] *= part;
	}
	return nv_kern.step_f32(query->elements, x, space->length, t, greatest);
}

/* The step from a vector of float4. */
static float
step_from_float4(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
				 float *t, float *greatest)
{
	if (part != 1)
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32(query->elements, v->data, space->length, t, greatest);
}

/* The step from a vector of halves. */
static float
step_from_float2(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
				 float *t, float *greatest)
{
	if (part != 1 || v->scale != 1)
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32_f16(query->elements, v->data, space->length, t, greatest);
}

/* The step from a vector of 8-bit codes. */
static float
step_from_sq8(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
			  float *t, float *greatest)
{
	if (unlikely(nv_stored_fine(space, v)))
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32_u8(query->elements, v->data, space->length, part * v->scale,
							   part * v->offset, t, greatest);
}

/* The step from a vector of 16-bit codes. */
static float
step_from_sq16(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
			   float *t, float *greatest)
{
	return nv_kern.step_f32_u16(query->elements, v->data, space->length, part * v->scale,
								part * v->offset, t, greatest);
}

/* ---- bit strings ---- */

/* The number of bits that differ. */
static float
hamming_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return (float) nv_kern.hamming(a->data, b->data, a->bytes);
}

/* The part of the bits of either that the two do not share. */
static float
jaccard_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	NvBitCounts count;

	nv_kern.jaccard(a->data, b->data, a->bytes, &count);
	return count.both == 0 ? 1 : (float) (1 - (double) count.both / (double) count.either);
}

/* ---- sparse ---- */

/* A stored sparse vector, ready to read. */
static NvSparse
sparse_of(const NvSpace *space, const NvStored *v)
{
	int			nnz = (int) (v->bytes / (sizeof(int32) + sizeof(float)));
	NvSparse	s = {
		.dim = space->dims,
		.nnz = nnz,
		.indices = v->data,
		.values = (const nv_f32 *) ((const char *) v->data + nnz * sizeof(int32))
	};

	return s;
}

/* Distance of two sparse vectors, by any of their metrics. */
static float
sparse_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	NvSparse	x = sparse_of(space, a);
	NvSparse	y = sparse_of(space, b);

	switch (space->metric)
	{
		case NV_SPACE_IP:
			return -(float) nv_sparse_measure(&x, &y, NV_MEASURE_IP);
		case NV_SPACE_COSINE:
			return 1 - (float) nv_sparse_measure(&x, &y, NV_MEASURE_COSINE);
		case NV_SPACE_L1:
			return (float) nv_sparse_measure(&x, &y, NV_MEASURE_L1);
		default:
			return (float) nv_sparse_measure(&x, &y, NV_MEASURE_L2SQ);
	}
}

/* Where a query is a stored vector like others. */
static float
raw_from_query(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return space->between(space, &query->raw, v);
}

/* Forms and measures of dense spaces: L2 (and cosine), inner product, L1. */
typedef struct DenseMeasures
{
	float		(*from_query) (const NvSpace *space, const NvQuery *query, const NvStored *v);
	float		(*between) (const NvSpace *space, const NvStored *a, const NvStored *b);
} DenseMeasures;

static float (*const dense_steps[]) (const NvSpace *space, const NvQuery *query,
									 const NvStored *v, float part, float *t,
									 float *greatest) = {
	[NV_FORM_FLOAT4] = step_from_float4,
	[NV_FORM_FLOAT2] = step_from_float2,
	[NV_FORM_SQ8] = step_from_sq8,
	[NV_FORM_SQ16] = step_from_sq16,
};

static const DenseMeasures dense_measures[][3] = {
	[NV_FORM_FLOAT4] = {{l2_from_float4, l2_between_float4},
	{ip_from_float4, ip_between_float4}, {l1_from_float4, l1_between_float4}},
	[NV_FORM_FLOAT2] = {{l2_from_float2, l2_between_float2},
	{ip_from_float2, ip_between_float2}, {l1_from_float2, l1_between_float2}},
	[NV_FORM_SQ8] = {{l2_from_sq8, l2_between_sq8},
	{ip_from_sq8, ip_between_sq8}, {l1_from_sq8, l1_between_sq8}},
	[NV_FORM_SQ16] = {{l2_from_sq16, l2_between_sq16},
	{ip_from_sq16, ip_between_sq16}, {l1_from_sq16, l1_between_sq16}},
};

/* Choose the functions that measure vectors of a form by a metric. */
void
nv_space_choose_measures(NvSpace *space)
{
	if (nv_space_is_custom(space))
	{
		space->from_query = nv_custom_from_query;
		space->between = nv_custom_between;
		return;
	}
	if (space->type->dense != NULL)
	{
		int			column = space->ip ? 1 : space->metric == NV_SPACE_L1 ? 2 : 0;
		const DenseMeasures *row = &dense_measures[space->form][column];

		Assert(space->form < lengthof(dense_measures) && row->from_query != NULL);
		space->from_query = row->from_query;
		space->between = row->between;
		space->step = dense_steps[space->form];
		return;
	}
	space->from_query = raw_from_query;
	if (space->type->kind == NV_ELEMENT_SPARSEVEC)
		space->between = sparse_between;
	else
		space->between = space->metric == NV_SPACE_HAMMING ? hamming_between : jaccard_between;
}
