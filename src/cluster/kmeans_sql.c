/*-------------------------------------------------------------------------
 *
 * kmeans_sql.c
 *		nanovec_kmeans() and nanovec_assign().
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/kmeans.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "cluster/assigner.h"
#include "distance/distance.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "types/dense.h"
#include "types/detoast.h"
#include "utils/array.h"
#include "utils/arrayaccess.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* How arrays hold vectors: length, by value, alignment. */
#define VECTOR_ELEMENT -1, false, TYPALIGN_INT

#define MOST_CLUSTERS 100000
#define MOST_ITERATIONS 1000

/* Rows of a table that are looked at: so many a cluster, and at least this. */
#define SAMPLE_PER_CLUSTER 256
#define LEAST_SAMPLE 10000

/* Rows that a cursor returns at a time. */
#define FETCH_ROWS 1000

/* Vectors to be clustered; those of a table are a sample of at most room. */
typedef struct Rows
{
	float	   *x;
	size_t		n;
	size_t		room;
	int			dims;			/* 0 before the first */
} Rows;

/* Make options of the arguments, and check these. */
static NvKmeansOptions
get_options(int k, int iterations, int64 seed, bool spherical)
{
	NvKmeansOptions options = {
		.k = k,
		.iterations = iterations,
		.seed = (uint64) seed,
		.spherical = spherical,
		.assign = nv_assign_to
	};

	if (k < 1 || k > MOST_CLUSTERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of clusters must be between 1 and %d", MOST_CLUSTERS)));
	if (iterations < 0 || iterations > MOST_ITERATIONS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("iterations must be between 0 and %d", MOST_ITERATIONS)));
	return options;
}

/* ERROR (DATA_EXCEPTION) unless a row has as many dimensions as those before. */
static void
check_dims(const Rows *rows, int dims)
{
	if (dims != rows->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d", rows->dims, dims)));
}

/* Decode a value into a row.  Returns false for a zero vector, if rows are to be unit vectors. */
static bool
set_row(Rows *rows, size_t place, Datum value, bool spherical)
{
	NvDense		v = nv_dense_open(value, &nv_vector_type);
	float	   *row = rows->x + place * rows->dims;
	double		square = 0;

	check_dims(rows, v.dim);
	v.type->decode(&v, row);
	nv_dense_close(&v);
	if (!spherical)
		return true;
	for (int d = 0; d < rows->dims; d++)
		square += (double) row[d] * row[d];
	if (square == 0)
		return false;
	for (int d = 0; d < rows->dims; d++)
		row[d] = (float) (row[d] / sqrt(square));
	return true;
}

/* The dimensions of a vector. */
static int
dims_of(Datum value)
{
	NvDense		v = nv_dense_open(value, &nv_vector_type);
	int			dims = v.dim;

	nv_dense_close(&v);
	return dims;
}

/* Find the type vector, whatever its schema: the function returns an array of it. */
static Oid
vector_type_of(FunctionCallInfo fcinfo)
{
	return get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
}

/* Cluster rows, and make an array of the centroids; NULL (false) when there are none. */
static bool
cluster_rows(FunctionCallInfo fcinfo, const Rows *rows, const NvKmeansOptions *options,
			 ArrayType **result)
{
	Oid			element = vector_type_of(fcinfo);
	Size		datum_bytes = sizeof(NvDenseHeader) + sizeof(float) * rows->dims;
	float	   *centroids;
	Datum	   *datums;
	int			k;

	if (rows->n == 0)
		return false;
	k = (int) Min((size_t) options->k, rows->n);
	if ((double) k * (double) MAXALIGN(datum_bytes) > (double) MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an array has no room for %d centroids of %d dimensions", k, rows->dims)));
	centroids = palloc_extended(sizeof(float) * k * rows->dims, MCXT_ALLOC_HUGE);
	k = nv_kmeans(rows->x, rows->n, rows->dims, options, centroids);
	datums = palloc(sizeof(Datum) * k);
	for (int c = 0; c < k; c++)
		datums[c] = nv_dense_make(&nv_vector_type, centroids + (size_t) c * rows->dims, rows->dims);
	*result = construct_array(datums, k, element, VECTOR_ELEMENT);
	return true;
}

/* ---- an array ---- */

/* Cluster the vectors of an array. */
NV_FUNCTION(nanovec_kmeans_array)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	bool		spherical = PG_GETARG_BOOL(4);
	NvKmeansOptions options = get_options(PG_GETARG_INT32(1), PG_GETARG_INT32(2),
										  PG_GETARG_INT64(3), spherical);
	Rows		rows = {0};
	Datum	   *datums;
	bool	   *nulls;
	int			n;
	ArrayType  *result;

	deconstruct_array(array, ARR_ELEMTYPE(array), VECTOR_ELEMENT, &datums, &nulls, &n);
	/* all of one size, so that they take no more bytes than the array has */
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (rows.room++ == 0)
			rows.dims = dims_of(datums[i]);
		check_dims(&rows, dims_of(datums[i]));
	}
	rows.x = palloc_extended(sizeof(float) * rows.dims * Max(rows.room, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (set_row(&rows, rows.n, datums[i], spherical))
			rows.n++;
	}
	if (!cluster_rows(fcinfo, &rows, &options, &result))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(result);
}

/* ---- a table ---- */

/* The number of rows that a sample has room for. */
static size_t
sample_room(int k, int dims)
{
	size_t		wanted = Max(LEAST_SAMPLE, (size_t) k * SAMPLE_PER_CLUSTER);
	/* beside the rows, and those that are copied: see nv_kmeans() */
	int64		memory = (int64) work_mem * 1024 - (int64) k * dims * 16;
	int64		fits = memory / (int64) (sizeof(float) * dims + NV_KMEANS_ROW_BYTES);

	fits -= Min(fits / 2, (int64) k * NV_KMEANS_START_ROWS);
	if (fits < k)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("work_mem is too small for %d clusters of %d dimensions", k, dims),
				 errhint("Set work_mem to at least %lld kB.",
						 (long long) ((int64) k * (24 * dims + 2 * NV_KMEANS_ROW_BYTES) / 1024 + 1))));
	return Min(wanted, (size_t) fits);
}

/* Take a row into the sample.  *seen counts them. */
static void
sample_row(Rows *rows, Datum value, const NvKmeansOptions *options, uint64 *seen, uint64 *random)
{
	size_t		place;

	if (rows->dims == 0)
	{
		rows->dims = dims_of(value);
		rows->room = sample_room(options->k, rows->dims);
		/* and one in which to look at a row first */
		rows->x = palloc_extended(sizeof(float) * rows->dims * (rows->room + 1), MCXT_ALLOC_HUGE);
	}
	if (!set_row(rows, rows->room, value, options->spherical))
		return;
	place = nv_sample_place(rows->room, seen, random);
	if (place == rows->room)
		return;
	rows->n = Max(rows->n, place + 1);
	memcpy(rows->x + place * rows->dims, rows->x + rows->room * rows->dims,
		   sizeof(float) * rows->dims);
}

/* A query for the column of a table, as vectors. */
static char *
column_query(Oid table, const char *column, Oid vector)
{
	char	   *name = get_rel_name(table);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	return psprintf("SELECT %s::%s FROM %s WHERE %s IS NOT NULL", quote_identifier(column),
					format_type_extended(vector, -1, FORMAT_TYPE_FORCE_QUALIFY),
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), name),
					quote_identifier(column));
}

/* With the rights of the user; the rows are those of the query's snapshot. */
static void
sample_table(const char *query, const NvKmeansOptions *options, Rows *rows)
{
	MemoryContext context = CurrentMemoryContext;
	uint64		random = options->seed;
	uint64		seen = 0;
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool		null;
			Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null);
			MemoryContext old;

			/* a cast may make one of what is none, or a view change its mind */
			if (null)
				continue;
			old = MemoryContextSwitchTo(context);
			sample_row(rows, value, options, &seen, &random);
			MemoryContextSwitchTo(old);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

/* Cluster the vectors of a column. */
NV_FUNCTION(nanovec_kmeans_table)
{
	NvKmeansOptions options = get_options(PG_GETARG_INT32(2), PG_GETARG_INT32(3),
										  PG_GETARG_INT64(4), PG_GETARG_BOOL(5));
	Oid			vector = vector_type_of(fcinfo);
	Rows		rows = {0};
	ArrayType  *result;

	sample_table(column_query(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), vector), &options,
				 &rows);
	if (!cluster_rows(fcinfo, &rows, &options, &result))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(result);
}

/* ---- the nearest ---- */

/* Find the centroid nearest to a vector. */
NV_FUNCTION(nanovec_assign)
{
	NvDense		v = nv_dense_open(PG_GETARG_DATUM(0), &nv_vector_type);
	AnyArrayType *array = DatumGetAnyArrayP(nv_cached_arg(fcinfo, 1));
	array_iter	it;
	int			n = ArrayGetNItems(AARR_NDIM(array), AARR_DIMS(array));
	int			nearest = -1;
	double		least = 0;

	if (AARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array of centroids must be 1-D")));
	NV_ARRAY_ITER_SETUP(&it, array, VECTOR_ELEMENT);
	for (int i = 0; i < n; i++)
	{
		bool		null;
		Datum		datum = NV_ARRAY_ITER_NEXT(&it, &null, i, VECTOR_ELEMENT);
		NvDense		centroid;
		double		distance;

		if (null)
			continue;
		centroid = nv_dense_open(datum, &nv_vector_type);
		nv_check_same_dims(&v, &centroid);
		distance = nv_dense_distance(&v, &centroid, NV_DISTANCE_L2_SQUARED);
		if (nearest < 0 || distance < least)
		{
			nearest = i;
			least = distance;
		}
		nv_dense_close(&centroid);
	}
	nv_dense_close(&v);
	if (nearest < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(nearest + (AARR_NDIM(array) > 0 ? AARR_LBOUND(array)[0] : 1));
}
