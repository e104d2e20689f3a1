/*-------------------------------------------------------------------------
 *
 * assigner.h
 *		Finds the nearest of many centroids to rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_ASSIGNER_H
#define NV_ASSIGNER_H

#include "nv_compat.h"

/*
 * Finds the nearest of many centroids to rows: with few centroids all are
 * measured; with many, those close to the nearest of some groups of them.  So
 * what is found is the nearest, or now and then one nearly as near.
 */
typedef struct NvAssigner NvAssigner;

/*
 * For k > 0 centroids[k][dims], which stay the caller's and must not change.
 * palloc'd; nv_assigner_free() frees it.
 */
extern NvAssigner *nv_assigner_make(const float *centroids, int k, int dims);
extern void nv_assigner_free(NvAssigner *a);

/*
 * The nearest centroid to each of n rows: its number in cluster[n], its
 * squared distance in distances[n].  Many rows at a time take less time for
 * each.  Can be interrupted.  Beside half a megabyte it needs memory for 128
 * rows and the largest group of centroids, palloc'd and freed.
 */
extern void nv_assign(NvAssigner *a, const float *x, size_t n, uint32 *cluster,
					  float *distances);

/* The same in one, for NvKmeansOptions; arg is not used. */
extern void nv_assign_to(void *arg, const float *x, size_t n, int dims, const float *centroids,
						 int k, uint32 *cluster, float *distances);

#endif							/* NV_ASSIGNER_H */
