/*-------------------------------------------------------------------------
 *
 * sparse.h
 *		sparsevec: the elements of a long vector that are not 0.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_SPARSE_H
#define NV_SPARSE_H

#include "nv_compat.h"

#include "simd/simd.h"

#define NV_SPARSE_MAX_DIM 1000000000
#define NV_SPARSE_MAX_NNZ 16000

/*
 * A value as it is stored.  Behind this come int32 indices[nnz], ascending and counted from 0,
 * and float4 values[nnz].
 */
typedef struct NvSparseHeader
{
	int32		vl_len_;
	int32		dim;
	int32		nnz;
	int32		unused;
} NvSparseHeader;

/* One value, ready to read; the arrays have any alignment. */
typedef struct NvSparse
{
	int			dim;
	int			nnz;
	const nv_i32 *indices;
	const nv_f32 *values;
	void	   *copy;			/* what detoasting palloc'd, or NULL */
} NvSparse;

/*
 * Open a datum; no copy is made of one stored inline.  nv_sparse_close()
 * frees the copy, if any.  ERROR (DATA_CORRUPTED) when the datum's size does
 * not agree with its header.
 */
extern NvSparse nv_sparse_open(Datum d);
extern void nv_sparse_close(NvSparse *v);

#define NV_GETARG_SPARSE(n) nv_sparse_open(PG_GETARG_DATUM(n))

/* ERROR (DATA_EXCEPTION) when a and b differ in dimensions. */
extern void nv_sparse_check_same_dims(const NvSparse *a, const NvSparse *b);

#endif							/* NV_SPARSE_H */
