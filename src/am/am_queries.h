/*-------------------------------------------------------------------------
 *
 * am_queries.h
 *		Many queries at once, of functions that search by themselves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_QUERIES_H
#define NV_AM_QUERIES_H

#include "nv_compat.h"

#include "am/am_nearest.h"

#define NV_MOST_QUERIES 10000
#define NV_MOST_NEIGHBORS 10000

typedef struct NvQueries
{
	Datum	   *values;
	bool	   *isnull;			/* or NULL: none is */
	int			n;
} NvQueries;

/* ERROR (INVALID_PARAMETER_VALUE) unless an argument is between 1 and most. */
extern void nv_check_number(const char *name, int value, int most);

/*
 * ERROR (OUT_OF_MEMORY) when a function would take so many bytes, and work_mem is less.
 * fewer says what one could ask for fewer of.
 */
extern void nv_check_memory(double bytes, const char *fewer);

/* An array, palloc'd, of n elements, or 1. */
extern void *nv_palloc_many(Size n, Size element);

/* ERROR (DATATYPE_MISMATCH) unless a query, or what its type is a domain of, is what the index holds. */
extern void nv_check_query_type(const NvIndexedTable *t, Oid type);

/*
 * The queries of an array.  Where rows have many vectors, queries have, too: an array of one
 * dimension is a query, and one of two has a query in each row, with NULLs where it has fewer
 * vectors than others.  Errors of nv_check_query_type(); ERROR (INVALID_PARAMETER_VALUE) for
 * more dimensions, (NULL_VALUE_NOT_ALLOWED) for a query that is NULL, unless they may be.
 * Memory of the current context; values may point into the array.
 */
extern void nv_queries_of_array(NvQueries *queries, const NvIndexedTable *t, Datum array,
								bool nulls);

/*
 * n queries, or as many as there are rows: rows of the table, drawn at random, and
 * moved a little, so that they are none of the rows.  Vectors are moved in a random
 * direction, by half the distance of a near one with another value; of bit strings one
 * bit in 64 is changed, and of sparse vectors each value by up to a tenth.  Of an array
 * up to 32 vectors are taken.  ERROR of nv_check_memory().
 */
extern void nv_queries_of_rows(NvQueries *queries, NvIndexedTable *t, int n, uint64 seed);

/* nv_table_value(), of which the value is detoasted; false also for an empty array. */
extern bool nv_table_plain_value(NvIndexedTable *t, Datum *value);

#endif							/* NV_AM_QUERIES_H */
