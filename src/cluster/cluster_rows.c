/*-------------------------------------------------------------------------
 *
 * cluster_rows.c
 *		Rows and centroids: the nearest of a few, and rows by cluster.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/cluster_rows.h"

#include <math.h>

#include "miscadmin.h"
#include "simd/simd.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* So many centroids are measured against a block of rows at a time. */
#define CENTROID_BLOCK 64

/* Allocate an array. */
void *
nv_alloc_array(size_t n, size_t element)
{
	return palloc_extended(mul_size(Max(n, 1), element), MCXT_ALLOC_HUGE);
}

/* The nearest of some centroids to at most NV_ROW_BLOCK rows, if nearer than what is there. */
static void
assign_block(const float *x, int n, const float *centroids, int first, int k, int dims,
			 uint32 *cluster, float *distances)
{
	float		block[NV_ROW_BLOCK * CENTROID_BLOCK];

	nv_kern.l2sq_many(x, n, centroids + (size_t) first * dims, k, dims, block);
	for (int i = 0; i < n; i++)
	{
		const float *row = block + i * k;
		size_t		nearest = nv_kern.argmin(row, k);

		if (row[nearest] < distances[i])
		{
			distances[i] = row[nearest];
			cluster[i] = first + (uint32) nearest;
		}
	}
}

/* Measure all centroids. */
void
nv_assign_to_all(const float *x, size_t n, const float *centroids, int k, int dims,
				 uint32 *cluster, float *distances)
{
	for (size_t row = 0; row < n; row += NV_ROW_BLOCK)
	{
		int			rows = (int) Min(NV_ROW_BLOCK, n - row);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < rows; i++)
		{
			cluster[row + i] = 0;
			distances[row + i] = INFINITY;
		}
		for (int first = 0; first < k; first += CENTROID_BLOCK)
			assign_block(x + row * dims, rows, centroids, first, Min(CENTROID_BLOCK, k - first),
						 dims, cluster + row, distances + row);
	}
}

/* Sort rows by cluster, by counting. */
void
nv_group_rows(const uint32 *cluster, size_t n, int k, size_t *starts, size_t *rows)
{
	memset(starts, 0, sizeof(size_t) * (k + 1));
	for (size_t i = 0; i < n; i++)
	{
		Assert(cluster[i] < (uint32) k);
		starts[cluster[i] + 1]++;
	}
	for (int c = 0; c < k; c++)
		starts[c + 1] += starts[c];
	/* starts[c] moves to the end of c, which is the start of c + 1 */
	for (size_t i = 0; i < n; i++)
		rows[starts[cluster[i]]++] = i;
	memmove(starts + 1, starts, sizeof(size_t) * k);
	starts[0] = 0;
}

/* Copy rows. */
float *
nv_gather_rows(const float *x, const size_t *rows, size_t n, int dims)
{
	float	   *out = nv_alloc_array(n * dims, sizeof(float));

	for (size_t i = 0; i < n; i++)
	{
		if (i % NV_ROW_BLOCK == 0)
			CHECK_FOR_INTERRUPTS();
		memcpy(out + i * dims, x + rows[i] * dims, sizeof(float) * dims);
	}
	return out;
}
