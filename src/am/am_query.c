/*-------------------------------------------------------------------------
 *
 * am_query.c
 *		Queries: vectors to measure from, as floats.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include <math.h>

#include "am/am_rounding.h"
#include "quant/rotation.h"
#include "utils/varbit.h"

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

/* At least the norm of x[length]. */
static float
norm_of(const NvSpace *space, const float *x)
{
	return sqrtf(nv_kern.ip_f32(x, x, space->length) + nv_lost_squares(space->length));
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
	query->none = false;
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
	query->none = true;
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
	query->none = false;
	if (space->type->dense == NULL)
	{
		query->raw = *v;
		return;
	}
	nv_stored_floats(space, v, query->elements);
	query->norm = norm_of(space, query->elements);
}
