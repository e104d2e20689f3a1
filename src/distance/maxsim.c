/*-------------------------------------------------------------------------
 *
 * maxsim.c
 *		MaxSim: how well the vectors of one array match those of another.
 *
 * The vectors of the query are packed into panels, once for all rows; a kernel then
 * finds the greatest product of each with the vectors of a row, a few of these at a
 * time, so that they are in the CPU's nearest cache for all panels.
 *
 *-------------------------------------------------------------------------
 */
#include "distance/maxsim.h"

#include <math.h>

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "simd/simd.h"

/* Rows that are looked at together. */
#define CHUNK 24

/* Below this, products may have vanished. */
#define LEAST_PRODUCT 1e-30

struct NvMaxSim
{
	const NvDenseType *type;
	int			n;				/* vectors of the query */
	int			npanels;
	int			dim;
	float	   *elements;		/* n * dim */
	float	   *panels;
	float	   *best;			/* of each column */
	float	   *chunk;			/* CHUNK * dim: decoded rows, where these are no floats */
};

/* ---- arrays ---- */

/* Open the first vector, which tells how far apart they are, and compare the others with it. */
static void
open_elements(NvVectors *v)
{
	const char *end = (const char *) v->array + VARSIZE(v->array);
	const char *at = ARR_DATA_PTR(v->array);

	v->first = at;
	for (int i = 0; i < v->n; i++)
	{
		const NvDenseHeader *header = (const NvDenseHeader *) at;
		NvDense		element;

		if (end - at < (ptrdiff_t) sizeof(NvDenseHeader) || VARATT_IS_EXTENDED(header) ||
			(Size) (end - at) < VARSIZE(header))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("array of %s has a size that its elements do not have",
							v->type->name)));
		element = nv_dense_open(PointerGetDatum(at), v->type);
		if (i == 0)
		{
			v->dim = element.dim;
			v->stride = INTALIGN(VARSIZE(header));
		}
		else if (element.dim != v->dim)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("different %s dimensions %d and %d", v->type->name, v->dim,
							element.dim),
					 errdetail("All elements of an array must have the same.")));
		at += v->stride;
	}
}

/* Open an array. */
NvVectors
nv_vectors_open(Datum array, const NvDenseType *type)
{
	NvVectors	v = {.type = type};

	Assert(type->open == NULL);
	v.array = DatumGetArrayTypeP(array);
	v.copied = (Pointer) v.array != DatumGetPointer(array);
	v.n = ArrayGetNItems(ARR_NDIM(v.array), ARR_DIMS(v.array));
	if (ARR_HASNULL(v.array) && array_contains_nulls(v.array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array of %s must not contain nulls", type->name)));
	open_elements(&v);
	return v;
}

/* Free what detoasting made. */
void
nv_vectors_close(NvVectors *v)
{
	if (v->copied)
		pfree(v->array);
}

/* Decode vectors, from number "first" on, to out[n * dim]. */
static void
decode(const NvVectors *v, int first, int n, float *out)
{
	for (int i = 0; i < n; i++)
	{
		NvDense		element = nv_dense_open(nv_vectors_datum(v, first + i), v->type);

		v->type->decode(&element, out + (Size) i * v->dim);
	}
}

/* ---- queries ---- */

/* Pack the vectors of a query. */
NvMaxSim *
nv_maxsim_prepare(const NvVectors *query)
{
	NvMaxSim   *m = palloc(sizeof(NvMaxSim));
	Size		panel = (Size) query->dim * NV_MAXIMA;

	Assert(query->n > 0);
	m->type = query->type;
	m->n = query->n;
	m->npanels = (query->n + NV_MAXIMA - 1) / NV_MAXIMA;
	m->dim = query->dim;
	m->elements = palloc_extended(sizeof(float) * query->n * query->dim, MCXT_ALLOC_HUGE);
	decode(query, 0, query->n, m->elements);
	m->panels = palloc_extended(sizeof(float) * panel * m->npanels,
								MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int c = 0; c < m->n; c++)
	{
		float	   *column = m->panels + c / NV_MAXIMA * panel + c % NV_MAXIMA;

		for (int i = 0; i < m->dim; i++)
			column[(Size) i * NV_MAXIMA] = m->elements[(Size) c * m->dim + i];
	}
	m->best = palloc_extended(sizeof(float) * NV_MAXIMA * m->npanels, MCXT_ALLOC_HUGE);
	m->chunk = m->type == &nv_vector_type ? NULL : palloc(sizeof(float) * CHUNK * m->dim);
	return m;
}

/* Free what packing made. */
void
nv_maxsim_free(NvMaxSim *m)
{
	pfree(m->elements);
	pfree(m->panels);
	pfree(m->best);
	if (m->chunk != NULL)
		pfree(m->chunk);
	pfree(m);
}

/* ---- products ---- */

/* The greatest product of one vector of the query, in double precision. */
static double
greatest_in_double(const NvMaxSim *m, int column, const NvVectors *row)
{
	float	   *x = palloc(sizeof(float) * m->dim);
	double		greatest = -INFINITY;

	for (int r = 0; r < row->n; r++)
	{
		double		product;

		decode(row, r, 1, x);
		product = nv_kern.ipd_f32(m->elements + (Size) column * m->dim, x, m->dim);
		greatest = Max(greatest, product);
	}
	pfree(x);
	return greatest;
}

/* The greatest products of all of them, in m->best.  False if one of all products is not finite. */
static bool
greatest_in_float(NvMaxSim *m, const NvVectors *row)
{
	Size		panel = (Size) m->dim * NV_MAXIMA;
	float		overflow = 0;

	for (int i = 0; i < m->npanels * NV_MAXIMA; i++)
		m->best[i] = -INFINITY;
	for (int r = 0; r < row->n; r += CHUNK)
	{
		int			n = Min(CHUNK, row->n - r);
		const nv_f32 *rows = (const nv_f32 *)
			(DatumGetPointer(nv_vectors_datum(row, r)) + m->type->header);
		Size		stride = row->stride;

		CHECK_FOR_INTERRUPTS();
		if (m->chunk != NULL)
		{
			decode(row, r, n, m->chunk);
			rows = m->chunk;
			stride = sizeof(float) * m->dim;
		}
		for (int p = 0; p < m->npanels; p++)
			overflow += nv_kern.max_ip(m->panels + p * panel, rows, n, stride, m->dim,
									   m->best + p * NV_MAXIMA);
	}
	return overflow == 0;
}

/* MaxSim of a row. */
double
nv_maxsim(NvMaxSim *m, const NvVectors *row)
{
	bool		finite;
	double		sum = 0;

	Assert(row->n > 0 && row->type == m->type);
	if (row->dim != m->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d", m->type->name, row->dim, m->dim)));
	finite = greatest_in_float(m, row);
	for (int c = 0; c < m->n; c++)
	{
		double		greatest = m->best[c];

		if (unlikely(!finite || fabs(greatest) < LEAST_PRODUCT))
			greatest = greatest_in_double(m, c, row);
		sum += greatest;
	}
	return sum;
}

/* What it was the sum of. */
const float *
nv_maxsim_products(const NvMaxSim *m)
{
	return m->best;
}

/* ---- SQL functions ---- */

/* What a call of the function keeps for the next: the query, if it is the same. */
typedef struct Prepared
{
	ArrayType  *array;			/* a copy */
	NvMaxSim   *query;
} Prepared;

/* Prepare the query of this call, unless the call before had the same; NULL if it is empty. */
static NvMaxSim *
prepare(FunctionCallInfo fcinfo, Datum array, const NvDenseType *type)
{
	Prepared   *kept = fcinfo->flinfo->fn_extra;
	ArrayType  *query = DatumGetArrayTypeP(array);
	NvMaxSim   *result = NULL;
	MemoryContext old;
	NvVectors	vectors;

	if (kept == NULL)
	{
		kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Prepared));
		fcinfo->flinfo->fn_extra = kept;
	}
	if (kept->array != NULL && VARSIZE(kept->array) == VARSIZE(query) &&
		memcmp(kept->array, query, VARSIZE(query)) == 0)
		result = kept->query;
	else if ((vectors = nv_vectors_open(PointerGetDatum(query), type)).n > 0)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		if (kept->array != NULL)
		{
			pfree(kept->array);
			kept->array = NULL;
			nv_maxsim_free(kept->query);
		}
		result = kept->query = nv_maxsim_prepare(&vectors);
		kept->array = palloc_extended(VARSIZE(query), MCXT_ALLOC_HUGE);
		memcpy(kept->array, query, VARSIZE(query));
		MemoryContextSwitchTo(old);
	}
	if ((Pointer) query != DatumGetPointer(array))
		pfree(query);
	return result;
}

/* MaxSim of two arrays, times a sign.  NULL if one of them is empty: no product is the greatest. */
static Datum
maxsim(FunctionCallInfo fcinfo, const NvDenseType *type, double sign)
{
	NvVectors	row = nv_vectors_open(PG_GETARG_DATUM(0), type);
	NvMaxSim   *query = prepare(fcinfo, PG_GETARG_DATUM(1), type);
	bool		empty = row.n == 0 || query == NULL;
	double		result = empty ? 0 : nv_maxsim(query, &row);

	nv_vectors_close(&row);
	if (empty)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sign * result);
}

NV_FUNCTION(vector_maxsim)
{
	return maxsim(fcinfo, &nv_vector_type, 1);
}

NV_FUNCTION(vector_negative_maxsim)
{
	return maxsim(fcinfo, &nv_vector_type, -1);
}

NV_FUNCTION(halfvec_maxsim)
{
	return maxsim(fcinfo, &nv_halfvec_type, 1);
}

NV_FUNCTION(halfvec_negative_maxsim)
{
	return maxsim(fcinfo, &nv_halfvec_type, -1);
}
