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
	bool	   *isnull;			/* NULL: none is */
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

/* The number of elements of an array. */
extern int	nv_array_count(Datum array);

/*
 * The queries of an array, which must have the type of what the index holds: ERROR
 * (DATATYPE_MISMATCH).  ERROR (NULL_VALUE_NOT_ALLOWED) for a NULL, unless they may
 * be.  Memory of the current context; values may point into the array.
 */
extern void nv_queries_of_array(NvQueries *queries, const NvIndexedTable *t, Datum array,
								bool nulls);

/*
 * n queries, or as many as there are rows: rows of the table, drawn at random, and
 * moved a little, so that they are none of the rows.  Vectors are moved in a random
 * direction, by half the distance of a near one with another value; of bit strings one
 * bit in 64 is changed, and of sparse vectors each value by up to a tenth.  ERROR of
 * nv_check_memory().
 */
extern void nv_queries_of_rows(NvQueries *queries, NvIndexedTable *t, NvSearcher *searcher,
							   int n, uint64 seed);

/* nv_table_value(), of which the value is detoasted. */
extern bool nv_table_plain_value(NvIndexedTable *t, Datum *value);

#endif							/* NV_AM_QUERIES_H */
