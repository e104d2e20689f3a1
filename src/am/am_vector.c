/*-------------------------------------------------------------------------
 *
 * am_vector.c
 *		How the index methods hold vectors and measure them.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include <float.h>
#include <math.h>

#include "distance/distance.h"
#include "quant/rotation.h"
#include "quant/scalar_code.h"
#include "utils/varbit.h"

/*
 * What rounding may have moved a vector by when it was shifted and rotated,
 * as a part of its norm: some 40 additions of float numbers.
 */
#define ROUNDING_PART 8e-6f

/* Half-precision elements are kept within these magnitudes by a scale. */
#define LEAST_UNSCALED 1e-3f
#define MOST_UNSCALED 60000.0f

static const NvElementType element_types[] = {
	{NV_ELEMENT_VECTOR, "vector", NV_MAX_DIM, &nv_vector_type},
	{NV_ELEMENT_HALFVEC, "halfvec", NV_MAX_DIM, &nv_halfvec_type},
	{NV_ELEMENT_SQ8VEC, "sq8vec", NV_MAX_DIM, &nv_sq8vec_type},
	{NV_ELEMENT_BIT, "bit", 64000, NULL},
	{NV_ELEMENT_SPARSEVEC, "sparsevec", NV_SPARSE_MAX_DIM, NULL},
};

/* Find a type by its number. */
const NvElementType *
nv_element_type(NvElementKind kind)
{
	if (kind < NV_ELEMENT_VECTOR || kind > NV_ELEMENT_SPARSEVEC)
		return NULL;
	return &element_types[kind - NV_ELEMENT_VECTOR];
}

/* Whether a type has an operator class with this metric. */
bool
nv_metric_valid(NvElementKind kind, NvSpaceMetric metric)
{
	switch (kind)
	{
		case NV_ELEMENT_VECTOR:
		case NV_ELEMENT_HALFVEC:
		case NV_ELEMENT_SPARSEVEC:
			return metric >= NV_SPACE_L2 && metric <= NV_SPACE_L1;
		case NV_ELEMENT_SQ8VEC:
			return metric >= NV_SPACE_L2 && metric <= NV_SPACE_COSINE;
		case NV_ELEMENT_BIT:
			return metric == NV_SPACE_HAMMING || metric == NV_SPACE_JACCARD;
	}
	return false;
}

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

static float
step_from_float4(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
				 float *t, float *greatest)
{
	if (part != 1)
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32(query->elements, v->data, space->length, t, greatest);
}

static float
step_from_float2(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
				 float *t, float *greatest)
{
	if (part != 1 || v->scale != 1)
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32_f16(query->elements, v->data, space->length, t, greatest);
}

static float
step_from_sq8(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
			  float *t, float *greatest)
{
	if (unlikely(nv_stored_fine(space, v)))
		return step_from_floats(space, query, v, part, t, greatest);
	return nv_kern.step_f32_u8(query->elements, v->data, space->length, part * v->scale,
							   part * v->offset, t, greatest);
}

static float
step_from_sq16(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
			   float *t, float *greatest)
{
	return nv_kern.step_f32_u16(query->elements, v->data, space->length, part * v->scale,
								part * v->offset, t, greatest);
}

/* ---- bit strings ---- */

static float
hamming_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return (float) nv_kern.hamming(a->data, b->data, a->bytes);
}

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

/* Choose the functions that measure dense vectors of a form. */
static void
init_dense(NvSpace *space)
{
	int			column = space->metric == NV_SPACE_IP ? 1 : space->metric == NV_SPACE_L1 ? 2 : 0;
	const DenseMeasures *row = &dense_measures[space->form][column];

	Assert(space->form < lengthof(dense_measures) && row->from_query != NULL);
	/* behind the elements come zeros, and only where they are rotated */
	Assert(space->length == space->dims ||
		   (space->length > space->dims && space->factors != NULL));
	Assert(space->factors == NULL || space->length % NV_ROTATION_STEP == 0);
	space->scratch = palloc(2 * sizeof(float) * space->length);
	space->from_query = row->from_query;
	space->between = row->between;
	space->step = dense_steps[space->form];
	if (space->mean != NULL)
		space->mean_norm = sqrtf(nv_kern.ip_f32(space->mean, space->mean, space->dims));
}

/* Set up a space, of dense vectors or of others. */
void
nv_space_init(NvSpace *space, NvElementKind kind, NvSpaceMetric metric, NvForm form, int dims,
			  int length, const float *mean, const float *factors)
{
	memset(space, 0, sizeof(*space));
	space->type = nv_element_type(kind);
	Assert(nv_metric_valid(kind, metric));
	Assert(nv_form_is_dense(form) == (space->type->dense != NULL));
	Assert(dims >= 1 && dims <= space->type->max_dims);
	Assert(metric != NV_SPACE_IP || mean == NULL || kind <= NV_ELEMENT_SQ8VEC);
	space->metric = metric;
	space->ip = metric == NV_SPACE_IP;
	space->form = form;
	space->dims = dims;
	space->length = space->type->dense != NULL ? length : 0;
	space->mean = mean;
	space->factors = factors;
	if (space->type->dense != NULL)
	{
		init_dense(space);
		return;
	}
	space->from_query = raw_from_query;
	if (kind == NV_ELEMENT_SPARSEVEC)
		space->between = sparse_between;
	else
		space->between = metric == NV_SPACE_HAMMING ? hamming_between : jaccard_between;
}

/* Count the floats of the mean and of the rotation. */
Size
nv_spec_floats(const NvSpaceSpec *spec)
{
	Size		n = spec->has_mean ? spec->dims : 0;

	return n + NV_ROTATION_ROUNDS * (Size) spec->length;
}

/* Compute the rotation from its seed. */
void
nv_spec_rotation(const NvSpaceSpec *spec, float *floats)
{
	if (spec->length > 0)
		nv_rotation_factors(spec->seed, spec->length, floats + (spec->has_mean ? spec->dims : 0));
}

/* Set up the space that a metapage describes. */
void
nv_spec_init(const NvSpaceSpec *spec, const float *floats, NvSpace *space)
{
	const float *rotation = floats + (spec->has_mean ? spec->dims : 0);

	nv_space_init(space, spec->kind, spec->metric, spec->form, spec->dims,
				  nv_spec_length(spec), spec->has_mean ? floats : NULL,
				  spec->length > 0 ? rotation : NULL);
}

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
		/* written by a CPU that adds in another order, perhaps */
		return v->sum == 0 &&
			fabs(norm2 - v->norm2) <= 4 * NV_KERNEL_RELERR(space->length) * norm2;
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

/* Make room for the elements of a query. */
void
nv_query_alloc(const NvSpace *space, NvQuery *query)
{
	memset(query, 0, sizeof(*query));
	if (space->type->dense != NULL)
		query->elements = palloc0(sizeof(float) * space->length);
}

/* ERROR unless a value has as many dimensions as the space. */
static void
check_dims(const NvSpace *space, int dims)
{
	if (dims != space->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d", space->type->name, dims,
						space->dims)));
}

/*
 * More than a sum of n squares or products loses where they are less than the
 * least normal float; the index and SQL both may.
 */
static inline float
lost_squares(int n)
{
	return 4 * n * FLT_MIN;
}

/* At least the norm of x[length]. */
static float
norm_of(const NvSpace *space, const float *x)
{
	return sqrtf(nv_kern.ip_f32(x, x, space->length) + lost_squares(space->length));
}

/* Make a vector one of unit length; false, and unchanged, if it is zero. */
static bool
normalize(float *x, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) x[i] * x[i];
	if (sum == 0)
		return false;
	sum = 1 / sqrt(sum);
	for (int i = 0; i < n; i++)
		x[i] = (float) (x[i] * sum);
	return true;
}

/* Subtract the mean, and rotate. */
void
nv_space_move(const NvSpace *space, float *x)
{
	if (space->mean != NULL)
	{
		for (int i = 0; i < space->dims; i++)
			x[i] -= space->mean[i];
	}
	if (space->factors != NULL)
		nv_rotate(space->factors, space->length, x);
}

/* nv_query_set() for dense vectors. */
static bool
set_dense(const NvSpace *space, Datum value, NvQuery *query)
{
	NvDense		v = nv_dense_open(value, space->type->dense);
	float	   *x = query->elements;

	check_dims(space, v.dim);
	space->type->dense->decode(&v, x);
	nv_dense_close(&v);
	memset(x + space->dims, 0, sizeof(float) * (space->length - space->dims));

	if (space->metric == NV_SPACE_COSINE && !normalize(x, space->dims))
	{
		query->norm = 0;
		return false;
	}
	nv_space_move(space, x);
	query->norm = norm_of(space, x);
	return true;
}

/* nv_query_set() for bit strings. */
static bool
set_bits(const NvSpace *space, Datum value, NvQuery *query)
{
	VarBit	   *bits = DatumGetVarBitP(value);

	if (VARBITLEN(bits) != space->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different bit lengths %d and %d", VARBITLEN(bits), space->dims)));
	query->raw.data = VARBITS(bits);
	query->raw.bytes = VARBITBYTES(bits);
	return true;
}

/* nv_query_set() for sparse vectors. */
static bool
set_sparse(const NvSpace *space, Datum value, NvQuery *query)
{
	NvSparse	v = nv_sparse_open(value);
	char	   *data;

	check_dims(space, v.dim);
	Assert(v.nnz >= 0 && v.nnz <= NV_SPARSE_MAX_NNZ);
	data = palloc(Max(1, v.nnz * (sizeof(int32) + sizeof(float))));
	memcpy(data, v.indices, v.nnz * sizeof(int32));
	memcpy(data + v.nnz * sizeof(int32), v.values, v.nnz * sizeof(float));
	query->raw.data = data;
	query->raw.bytes = v.nnz * (sizeof(int32) + sizeof(float));
	nv_sparse_close(&v);
	return space->metric != NV_SPACE_COSINE || query->raw.bytes > 0;
}

/* Make a query of a value. */
bool
nv_query_set(const NvSpace *space, Datum value, NvQuery *query)
{
	switch (space->form)
	{
		case NV_FORM_BITS:
			return set_bits(space, value, query);
		case NV_FORM_SPARSE:
			return set_sparse(space, value, query);
		default:
			return set_dense(space, value, query);
	}
}

/* Copy the elements of a query, or decode its bits. */
void
nv_query_floats(const NvSpace *space, const NvQuery *query, float *out)
{
	if (space->type->dense != NULL)
		memcpy(out, query->elements, sizeof(float) * space->length);
	else
		nv_stored_floats(space, &query->raw, out);
}

/* Make a query of zeros. */
void
nv_query_set_zero(const NvSpace *space, NvQuery *query)
{
	query->norm = 0;
	if (space->type->dense != NULL)
	{
		memset(query->elements, 0, sizeof(float) * space->length);
		return;
	}
	query->raw.bytes = space->form == NV_FORM_BITS ? nv_space_max_bytes(space) : 0;
	query->raw.data = palloc0(Max(query->raw.bytes, 1));
}

/* Make a query of a stored vector, which for other types than dense ones is one. */
void
nv_query_set_stored(const NvSpace *space, const NvStored *v, NvQuery *query)
{
	if (space->type->dense == NULL)
	{
		query->raw = *v;
		return;
	}
	nv_stored_floats(space, v, query->elements);
	query->norm = norm_of(space, query->elements);
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

	nv_stored_floats(space, v, x);
	if (space->metric == NV_SPACE_L1)
		return nv_kern.l1_f32(x, query->elements, space->length) * 1.001f;
	error = sqrtf(nv_kern.l2sq_f32(x, query->elements, space->length) +
				  lost_squares(space->length)) * 1.001 + ROUNDING_PART * norm;
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

/* Take what may be wrong off the distance, and the steps of the metric to SQL's. */
double
nv_space_lower_bound(const NvSpace *space, const NvQuery *query, float distance, float error)
{
	double		rounding = 2 * NV_KERNEL_RELERR(space->length);
	double		bound;

	if (nv_space_is_exact(space))
		return distance;
	/* SQL measures sparse vectors in double precision */
	if (space->form == NV_FORM_SPARSE)
		rounding = 1e-6;

	switch (space->metric)
	{
		case NV_SPACE_IP:
			bound = distance - (double) query->norm * error - lost_squares(space->length);
			if (space->form == NV_FORM_SPARSE)
				bound -= rounding * fabs(distance);
			break;
		case NV_SPACE_L1:
			bound = distance * (1 - rounding) - error;
			break;
		case NV_SPACE_COSINE:
			if (space->form == NV_FORM_SPARSE)
			{
				bound = distance - rounding;
				break;
			}
			/* FALLTHROUGH */
		default:
			bound = sqrt(Max(distance, 0)) * (1 - rounding) - error -
				ROUNDING_PART * (query->norm + space->mean_norm) - sqrt(lost_squares(space->length));
			bound = Max(bound, 0);
			if (space->metric == NV_SPACE_COSINE)
				bound = bound * bound / 2 - rounding;
	}
	return isfinite(bound) ? bound : -DBL_MAX;
}

/* Solve nv_space_lower_bound() for the distance. */
void
nv_space_reach(const NvSpace *space, const NvQuery *query, double horizon, NvReach *reach)
{
	/* more than what computing with floats loses here */
	const double margin = 1e-6;
	double		rounding = 2 * NV_KERNEL_RELERR(space->length);
	double		slope = (1 + margin) / (1 - rounding);

	Assert(rounding < 1);
	*reach = (NvReach) {.base = INFINITY};
	if (nv_space_is_exact(space))
		reach->base = (float) horizon;
	else if (space->form == NV_FORM_SPARSE || space->metric == NV_SPACE_L1)
		return;
	else if (space->metric == NV_SPACE_IP)
	{
		reach->base = (float) (horizon + margin * fabs(horizon)) + lost_squares(space->length);
		reach->slope = (float) (query->norm * (1 + margin));
	}
	else
	{
		if (space->metric == NV_SPACE_COSINE)
			horizon = sqrt(2 * Max(horizon + rounding, 0));
		reach->base = (float) ((Max(horizon, 0) + ROUNDING_PART *
								(query->norm + space->mean_norm) +
								sqrt(lost_squares(space->length))) * slope);
		reach->slope = (float) slope;
		reach->squared = true;
	}
}
