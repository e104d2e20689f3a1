/*-------------------------------------------------------------------------
 *
 * cluster_rows.h
 *		Rows and centroids: the nearest of a few, and rows by cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_CLUSTER_ROWS_H
#define NV_CLUSTER_ROWS_H

#include "nv_compat.h"

/* So many rows are measured at a time, and go by between looks for interrupts. */
#define NV_ROW_BLOCK 128

/*
 * Room for n elements of a size, palloc'd; at least one.  ERROR when that is more than
 * a Size of 32 bits can say.
 */
extern void *nv_alloc_array(size_t n, size_t element);

/*
 * The nearest of all centroids[k][dims] to each of n rows, x[n][dims]: its number in
 * cluster[n], its squared distance in distances[n].  Can be interrupted.
 */
extern void nv_assign_to_all(const float *x, size_t n, const float *centroids, int k, int dims,
							 uint32 *cluster, float *distances);

/*
 * Sort n rows by cluster[n], each below k: writes their numbers to rows[n], and where
 * those of each cluster begin to starts[k + 1].
 */
extern void nv_group_rows(const uint32 *cluster, size_t n, int k, size_t *starts, size_t *rows);

/* Copies of the rows with these n numbers, one after the other, palloc'd. */
extern float *nv_gather_rows(const float *x, const size_t *rows, size_t n, int dims);

#endif							/* NV_CLUSTER_ROWS_H */
