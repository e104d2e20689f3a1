/*-------------------------------------------------------------------------
 *
 * am_row.h
 *		What a row of the table brings to an index.
 *
 * PostgreSQL hands the methods arrays of values, one for each column of the index.
 * Which column is which is known here only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ROW_H
#define NV_AM_ROW_H

#include "nv_compat.h"

/* The number of the column with the vector, as catalogs count; attributes come behind it. */
#define NV_VECTOR_COLUMN 1

typedef struct NvRow
{
	Datum		vector;			/* or an array of them: see am_rowvectors.h */
} NvRow;

/* Take a row's values.  Returns false when the row is not for the index: its vector is NULL. */
static inline bool
nv_row_take(NvRow *row, const Datum *values, const bool *isnull)
{
	row->vector = values[NV_VECTOR_COLUMN - 1];
	return !isnull[NV_VECTOR_COLUMN - 1];
}

#endif							/* NV_AM_ROW_H */
