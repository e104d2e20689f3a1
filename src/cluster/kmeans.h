/*-------------------------------------------------------------------------
 *
 * kmeans.h
 *		k-means clustering of float vectors, by squared Euclidean distance.
 *
 * Vectors are rows of an array, x[n][dims].  The same input and options give
 * the same centroids on every run; other kernels round differently, so other
 * CPUs may not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_KMEANS_H
#define NV_KMEANS_H

#include "nv_compat.h"

#include "nv_random.h"

typedef struct NvKmeansOptions
{
	int			k;				/* clusters wanted, at least 1 */
	int			iterations;		/* of Lloyd's algorithm, at most */
	uint64		seed;
	bool		spherical;		/* rows are unit vectors, and so are centroids */
	bool		bits;			/* rows are of 0 and 1, and so are centroids, but at the end */

	/*
	 * What assigns the rows to k centroids in place of nv_assign(), or NULL; arg is
	 * handed to it.
	 */
	void		(*assign) (void *arg, const float *centroids, int k, size_t n, uint32 *cluster,
						   float *distances);
	void	   *arg;
} NvKmeansOptions;

/*
 * Where the next of many rows belongs in a sample that has room for so many, or
 * "room": nowhere.  Each row gets the same chance (Vitter, 1985, algorithm R).
 * *seen counts rows, from 0.
 */
static inline size_t
nv_sample_place(size_t room, uint64 *seen, uint64 *random)
{
	uint64		place = (*seen)++;

	/* not within Min(), which would draw twice */
	if (place >= room)
		place = nv_random(random) % *seen;
	return (size_t) Min(room, place);
}

/*
 * Cluster n > 0 rows.  Writes the centroids to centroids[k][dims] and returns
 * their number: fewer than k if there are fewer different rows, or rows so close
 * to each other that squares of distances vanish in a float.  None of them is
 * empty, unless rows are so far apart that distances overflow.
 *
 * Start: k-means++ (Arthur and Vassilvitskii, SODA 2007), for many clusters
 * within those of a coarser clustering.  Then Lloyd's algorithm, until no row
 * changes its cluster; of bits the centroids are means in the last iteration only.
 *
 * Works in palloc'd memory of the current context, freed at the end:
 * NV_KMEANS_ROW_BYTES a row, 12 * dims bytes a cluster, and copies of at most
 * NV_KMEANS_START_ROWS rows for each.  Can be interrupted.
 */
#define NV_KMEANS_ROW_BYTES 16
#define NV_KMEANS_START_ROWS 64

extern int	nv_kmeans(const float *x, size_t n, int dims, const NvKmeansOptions *options,
					  float *centroids);

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

#endif							/* NV_KMEANS_H */
