/*-------------------------------------------------------------------------
 *
 * maxsim.h
 *		MaxSim: how well the vectors of one array match those of another.
 *
 * The sum, over the vectors of the query, of the greatest inner product of each with a
 * vector of the row (Khattab and Zaharia, "ColBERT", 2020).  Arrays are of vector or
 * halfvec; of more than one dimension, they are lists of their elements all the same.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_MAXSIM_H
#define NV_MAXSIM_H

#include "nv_compat.h"

#include "types/dense.h"

/* The vectors of an array, of which all have the same dimensions. */
typedef struct NvVectors
{
	const NvDenseType *type;
	int			n;
	int			dim;			/* 0 if there are none */
	const char *first;			/* the datum of the first */
	Size		stride;			/* bytes from one to the next */
	ArrayType  *array;			/* that they lie in */
	bool		copied;			/* by detoasting, palloc'd */
} NvVectors;

/*
 * Open an array of a dense type.  ERROR (NULL_VALUE_NOT_ALLOWED) when it has a NULL,
 * (DATA_EXCEPTION) when dimensions differ, (DATA_CORRUPTED).
 */
extern NvVectors nv_vectors_open(Datum array, const NvDenseType *type);

/* Free the copy, if opening made one. */
extern void nv_vectors_close(NvVectors *vectors);

/* One of them, as a datum of the element type that points into the array. */
static inline Datum
nv_vectors_datum(const NvVectors *vectors, int i)
{
	Assert(i >= 0 && i < vectors->n);
	return PointerGetDatum(vectors->first + i * vectors->stride);
}

/* A query, prepared to be compared with many rows. */
typedef struct NvMaxSim NvMaxSim;

/* Prepare the vectors of a query, of which there is one at least.  palloc'd, with all it needs. */
extern NvMaxSim *nv_maxsim_prepare(const NvVectors *query);

/* Free it. */
extern void nv_maxsim_free(NvMaxSim *m);

/*
 * MaxSim of a row's vectors, of which there is one at least.  Computed in float, or in
 * double precision where float overflows or loses all digits.  ERROR (DATA_EXCEPTION)
 * when their dimensions are not those of the query.
 */
extern double nv_maxsim(NvMaxSim *m, const NvVectors *row);

/*
 * The greatest product of each vector of the query with those of the row that was last
 * compared, in float; not a finite number where that overflowed.
 */
extern const float *nv_maxsim_products(const NvMaxSim *m);

#endif							/* NV_MAXSIM_H */
