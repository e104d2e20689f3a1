/*-------------------------------------------------------------------------
 *
 * am_rowvectors.h
 *		The vectors that a row brings to an index: one, or those of an array.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ROWVECTORS_H
#define NV_AM_ROWVECTORS_H

#include "nv_compat.h"

#include "am/am_row.h"
#include "am/am_vector.h"
#include "distance/maxsim.h"

/* So many vectors a row may have in an index. */
#define NV_MOST_ROW_VECTORS 4096

typedef struct NvRowVectors
{
	int			n;
	Datum		single;			/* if the index has one a row */
	bool		many;
	NvVectors	vectors;		/* if it has many */
} NvRowVectors;

/*
 * Take the vectors of a row.  many: the index has an array of them.  Memory of the current
 * context.  ERROR (PROGRAM_LIMIT_EXCEEDED) when there are too many, (DATA_EXCEPTION) when
 * those of an array have other dimensions than the space; errors of nv_vectors_open().
 */
extern void nv_row_vectors(const NvSpace *space, bool many, const NvRow *row, NvRowVectors *v);

/* One of them, as a value of the element type of the space. */
static inline Datum
nv_row_vector(const NvRowVectors *v, int i)
{
	return v->many ? nv_vectors_datum(&v->vectors, i) : v->single;
}

/* How many there are, by the array's header alone, which is all that is fetched of it. */
extern int	nv_count_row_vectors(bool many, const NvRow *row);

#endif							/* NV_AM_ROWVECTORS_H */
