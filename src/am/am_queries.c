/*-------------------------------------------------------------------------
 *
 * am_queries.c
 *		Many queries at once, of functions that search by themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_queries.h"

#include <math.h>

#include "am/am_rowvectors.h"
#include "am/am_search.h"
#include "cluster/kmeans.h"
#include "miscadmin.h"
#include "nv_random.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/varbit.h"

/* Of so many near rows, the first with another value tells how far a query is moved. */
#define NEAR_ROWS 8

/* Of an array of more vectors, so many are drawn. */
#define QUERY_VECTORS 32

/* One bit in so many is changed. */
#define BITS_PER_CHANGE 64

/* ---- arguments ---- */

/* Check a number that the user gave. */
void
nv_check_number(const char *name, int value, int most)
{
	if (value < 1 || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, most)));
}

/* Compare with work_mem. */
void
nv_check_memory(double bytes, const char *fewer)
{
	if (bytes > (double) work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("work_mem is too small for so many answers"),
				 errhint("Ask for fewer %s, or set work_mem to at least %.0f kB.", fewer,
						 ceil(bytes / 1024))));
}

/* Allocate an array. */
void *
nv_palloc_many(Size n, Size element)
{
	return palloc_extended(Max(n, 1) * element, MCXT_ALLOC_HUGE);
}

/* ERROR unless a query has the type of what the index holds. */
void
nv_check_query_type(const NvIndexedTable *t, Oid type)
{
	if (getBaseType(type) != t->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("index \"%s\" holds values of type %s, not %s",
						RelationGetRelationName(t->index), format_type_be(t->type),
						format_type_be(type)),
				 errhint("Cast each query to %s.", format_type_be(t->type))));
}

/* ERROR for a NULL that may not be. */
static void
check_null(bool isnull, bool nulls)
{
	if (isnull && !nulls)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array of queries must not contain nulls")));
}

/*
 * Make n queries of vectors, of which there are many for each, one after another.  Where
 * they are NULL, a query has fewer; where all are, it is NULL itself.
 */
static void
gather_queries(NvQueries *queries, int n, Oid type, const Datum *vectors, const bool *isnull,
			   int nvectors)
{
	int			each = n > 0 ? nvectors / n : 0;
	Datum	   *some = nv_palloc_many(each, sizeof(Datum));

	queries->values = nv_palloc_many(n, sizeof(Datum));
	queries->isnull = nv_palloc_many(n, sizeof(bool));
	queries->n = n;
	for (int q = 0; q < n; q++)
	{
		int			nsome = 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = q * each; i < (q + 1) * each; i++)
		{
			if (!isnull[i])
				some[nsome++] = vectors[i];
		}
		queries->isnull[q] = nsome == 0;
		queries->values[q] = nsome == 0 ? (Datum) 0 :
			PointerGetDatum(construct_array(some, nsome, type, -1, false, TYPALIGN_INT));
	}
	pfree(some);
}

/* How many queries there are in an array of vectors, which all belong to one if it has one dimension. */
static int
count_queries(const ArrayType *a)
{
	if (ARR_NDIM(a) > 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array of queries has %d dimensions", ARR_NDIM(a)),
				 errhint("The vectors of one query are an array of one dimension, "
						 "those of several queries one of two.")));
	return ARR_NDIM(a) == 2 ? ARR_DIMS(a)[0] : ARR_NDIM(a);
}

/* Take the queries of an array. */
void
nv_queries_of_array(NvQueries *queries, const NvIndexedTable *t, Datum array, bool nulls)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	Oid			type = ARR_ELEMTYPE(a);
	int16		length;
	bool		by_value;
	char		alignment;
	Datum	   *values;
	bool	   *isnull;
	int			n;

	nv_check_query_type(t, t->many ? get_array_type(getBaseType(type)) : type);
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	deconstruct_array(a, type, length, by_value, alignment, &values, &isnull, &n);
	if (t->many)
		gather_queries(queries, count_queries(a), type, values, isnull, n);
	else
		*queries = (NvQueries) {values, isnull, n};
	for (int q = 0; q < queries->n; q++)
		check_null(queries->isnull[q], nulls);
}

/* ---- rows as queries ---- */

/* Whether a row's value has a distance from queries: an empty array has none.  Memory of one row. */
static bool
has_vectors(NvIndexedTable *t, Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(t->econtext->ecxt_per_tuple_memory);
	NvRow		row = {value};
	bool		result = nv_count_row_vectors(t->many, &row) > 0;

	MemoryContextSwitchTo(old);
	return result;
}

/* Detoast a row's value once, for many distances. */
bool
nv_table_plain_value(NvIndexedTable *t, Datum *value)
{
	MemoryContext old;

	if (!nv_table_value(t, value) || !has_vectors(t, *value))
		return false;
	old = MemoryContextSwitchTo(t->econtext->ecxt_per_tuple_memory);
	*value = PointerGetDatum(PG_DETOAST_DATUM(*value));
	MemoryContextSwitchTo(old);
	return true;
}

/* Draw n rows, or all there are; always the same for a seed and a table. */
static int
draw_rows(NvIndexedTable *t, int n, uint64 *random, ItemPointerData *tids)
{
	TableScanDesc scan = table_beginscan_strat(t->heap, t->snapshot, 0, NULL, true, false);
	uint64		seen = 0;
	Datum		value;

	while (table_scan_getnextslot(scan, ForwardScanDirection, t->slot))
	{
		size_t		place;

		CHECK_FOR_INTERRUPTS();
		nv_table_next_row(t);
		if (!nv_table_value(t, &value) || !has_vectors(t, value))
			continue;
		place = nv_sample_place(n, &seen, random);
		if (place < (size_t) n)
			tids[place] = t->slot->tts_tid;
	}
	table_endscan(scan);
	return (int) Min((uint64) n, seen);
}

/* The value of a row that was there when this snapshot's query began; in memory of one row. */
static bool
fetch_value(NvIndexedTable *t, ItemPointer tid, Datum *value)
{
	nv_table_next_row(t);
	return table_tuple_fetch_row_version(t->heap, tid, t->snapshot, t->slot) &&
		nv_table_plain_value(t, value);
}

/* A random number from -1 to 1. */
static float
random_float(uint64 *random)
{
	return (float) ((double) (nv_random(random) >> 11) / (UINT64CONST(1) << 52) - 1);
}

/*
 * The least square of the Euclidean distance of a vector from one of a row's that is not the
 * same; 0 if there is none.
 */
static double
least_square(const NvRowVectors *v, const NvDenseType *type, const float *x, int dims)
{
	double		least = 0;

	for (int i = 0; i < v->n; i++)
	{
		NvDense		element = nv_dense_open(nv_row_vector(v, i), type);
		float	   *y = nv_dense_floats(&element);
		double		square = 0;

		for (int d = 0; d < dims; d++)
			square += ((double) x[d] - y[d]) * ((double) x[d] - y[d]);
		if (square > 0 && (least == 0 || square < least))
			least = square;
		pfree(y);
	}
	return least;
}

/* The Euclidean distance of a vector from a near row that is not the same. */
static double
near_distance(NvIndexedTable *t, NvSearcher *searcher, Datum query, const float *x, int dims)
{
	const NvSpace *space = &searcher->core->space;
	double		square = 0;
	ItemPointerData tid;
	double		bound;

	nv_search_begin(searcher, query, false, NULL, 0);
	for (int i = 0; i < NEAR_ROWS && square == 0 && nv_search_next(searcher, &tid, &bound); i++)
	{
		NvRow		row;
		NvRowVectors vectors;

		if (!nv_table_fetch(t, &tid) || !nv_table_plain_value(t, &row.vector))
			continue;
		nv_row_vectors(space, t->many, &row, &vectors);
		square = least_square(&vectors, space->type->dense, x, dims);
	}
	table_index_fetch_reset(t->fetch);
	return sqrt(square);
}

/* Move a vector in a random direction. */
static Datum
move_dense(NvIndexedTable *t, NvSearcher *searcher, Datum value, uint64 *random)
{
	const NvDenseType *type = searcher->core->space.type->dense;
	NvDense		v = nv_dense_open(value, type);
	int			dims = v.dim;
	float	   *x = nv_dense_floats(&v);
	float	   *step = palloc(sizeof(float) * dims);
	double		length = near_distance(t, searcher, value, x, dims) / 2;
	double		square = 0;
	Datum		moved;

	for (int d = 0; d < dims; d++)
	{
		step[d] = random_float(random);
		square += (double) step[d] * step[d];
	}
	for (int d = 0; d < dims && square > 0; d++)
	{
		float		to = (float) (x[d] + length / sqrt(square) * step[d]);

		if (isfinite(to) && fabsf(to) < type->overflow)
			x[d] = to;
	}
	moved = nv_dense_make(type, x, dims);
	pfree(x);
	pfree(step);
	return moved;
}

/* Change some bits of a copy of a bit string. */
static void
move_bits(VarBit *bits, uint64 *random)
{
	uint64		n = (uint64) VARBITLEN(bits);

	for (uint64 i = 0; n > 0 && i < (n + BITS_PER_CHANGE - 1) / BITS_PER_CHANGE; i++)
	{
		uint64		bit = nv_random(random) % n;

		VARBITS(bits)[bit / BITS_PER_BYTE] ^= (uint8) (HIGHBIT >> bit % BITS_PER_BYTE);
	}
}

/* Change the values of a copy of a sparse vector. */
static void
move_sparse(NvSparseHeader *sparse, uint64 *random)
{
	int32	   *indices = (int32 *) (sparse + 1);
	float	   *values = (float *) (indices + sparse->nnz);

	for (int i = 0; i < sparse->nnz; i++)
	{
		float		to = values[i] * (1 + random_float(random) / 10);

		if (isfinite(to) && to != 0)
			values[i] = to;
	}
}

/* Move some of the vectors of an array, or all, if they are not too many. */
static Datum
move_array(NvIndexedTable *t, NvSearcher *searcher, Datum array, uint64 *random)
{
	NvRow		row = {array};
	NvRowVectors v;
	int			chosen[QUERY_VECTORS];
	Datum		moved[QUERY_VECTORS];
	uint64		seen = 0;
	int			n;

	nv_row_vectors(&searcher->core->space, true, &row, &v);
	n = Min(v.n, QUERY_VECTORS);
	for (int i = 0; i < v.n; i++)
	{
		size_t		place = nv_sample_place(n, &seen, random);

		if (place < (size_t) n)
			chosen[place] = i;
	}
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		moved[i] = move_dense(t, searcher, nv_row_vector(&v, chosen[i]), random);
	}
	return PointerGetDatum(construct_array(moved, n, ARR_ELEMTYPE(v.vectors.array), -1, false,
										   TYPALIGN_INT));
}

/* A query from a row's value, in the current context. */
static Datum
move_value(NvIndexedTable *t, NvSearcher *searcher, Datum value, uint64 *random)
{
	Datum		copy = datumCopy(value, false, -1);

	if (t->many)
		return move_array(t, searcher, copy, random);
	switch (searcher->core->space.type->kind)
	{
		case NV_ELEMENT_BIT:
			move_bits((VarBit *) DatumGetPointer(copy), random);
			return copy;
		case NV_ELEMENT_SPARSEVEC:
			move_sparse((NvSparseHeader *) DatumGetPointer(copy), random);
			return copy;
		default:
			return move_dense(t, searcher, copy, random);
	}
}

/* Draw rows, and make queries of them. */
void
nv_queries_of_rows(NvQueries *queries, NvIndexedTable *t, int n, uint64 seed)
{
	NvSearcher *searcher = nv_searcher_open(t->index);
	uint64		random = seed;
	ItemPointerData *tids = palloc(sizeof(ItemPointerData) * n);
	int			ndrawn = draw_rows(t, n, &random, tids);
	double		bytes = 0;

	queries->values = palloc(sizeof(Datum) * Max(ndrawn, 1));
	queries->isnull = NULL;
	queries->n = 0;
	for (int i = 0; i < ndrawn; i++)
	{
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		if (!fetch_value(t, &tids[i], &value))
			continue;
		bytes += (double) VARSIZE_ANY(DatumGetPointer(value));
		nv_check_memory(bytes, "queries");
		queries->values[queries->n++] = move_value(t, searcher, value, &random);
	}
	nv_searcher_end(searcher);
	pfree(tids);
}
