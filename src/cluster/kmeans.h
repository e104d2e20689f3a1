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
	 * What assigns n rows x, all or a part of them, to k centroids; arg is handed to it.
	 * nv_assign_to() serves where centroids are many; NULL: all are measured.
	 */
	void		(*assign) (void *arg, const float *x, size_t n, int dims, const float *centroids,
						   int k, uint32 *cluster, float *distances);
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
 * A coarse clustering of a part of the rows that is as good as all: centroids[k][dims],
 * with the seed in *random, which moves on.  Returns the number of centroids.  Of the
 * options the kind of rows and what assigns them count.
 */
extern int	nv_cluster_coarsely(const float *x, size_t n, int dims, int k,
								const NvKmeansOptions *options, uint64 *random,
								float *centroids);

#endif							/* NV_KMEANS_H */
