/*-------------------------------------------------------------------------
 *
 * kmeans.c
 *		k-means clustering of float vectors, by squared Euclidean distance.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/kmeans.h"

#include <float.h>
#include <math.h>

#include "cluster/cluster_rows.h"
#include "miscadmin.h"
#include "simd/simd.h"
#include "utils/memutils.h"

/* More clusters than this start within those of a coarser clustering. */
#define MOST_AT_ONCE 128

/* So many in one of these are not worth the time of k-means++. */
#define MOST_IN_GROUP 512

/* The coarse one needs no more than so many iterations, and so many rows a cluster. */
#define COARSE_ITERATIONS 4
#define COARSE_ROWS 256

/* A random number in [0, 1). */
static double
next_uniform(uint64 *state)
{
	return (double) (nv_random(state) >> 11) / 9007199254740992.0;
}

/* Distances that overflow are large, not infinite. */
static inline float
clamp(float distance)
{
	return distance < FLT_MAX ? distance : FLT_MAX;
}

/* ---- the start ---- */

/*
 * k-means++: each centroid is a row, drawn with a probability that grows with
 * the square of its distance from those before.  Returns how many there are.
 */
static int
start_plus_plus(const float *x, size_t n, int dims, int k, uint64 *random, float *centroids)
{
	float	   *nearest = nv_alloc_array(n, sizeof(float));
	size_t		chosen = (size_t) (next_uniform(random) * (double) n);
	int			found = 0;

	for (size_t i = 0; i < n; i++)
		nearest[i] = FLT_MAX;
	for (;;)
	{
		const float *centroid = x + chosen * dims;
		double		total = 0;
		double		target;

		memcpy(centroids + (size_t) found++ * dims, centroid, sizeof(float) * dims);
		if (found == k)
			break;
		for (size_t i = 0; i < n; i++)
		{
			float		distance = clamp(nv_kern.l2sq_f32(x + i * dims, centroid, dims));

			if (i % NV_ROW_BLOCK == 0)
				CHECK_FOR_INTERRUPTS();
			nearest[i] = Min(nearest[i], distance);
			total += nearest[i];
		}
		if (total == 0)
			break;
		target = next_uniform(random) * total;
		/* rounding may leave something of target: the last that can be chosen, then */
		for (size_t i = 0; i < n; i++)
		{
			if (nearest[i] == 0)
				continue;
			chosen = i;
			target -= nearest[i];
			if (target < 0)
				break;
		}
	}
	pfree(nearest);
	return found;
}

static int	lloyd(const float *x, size_t n, int dims, int k, const NvKmeansOptions *options,
				  int iterations, float *centroids);

/*
 * The numbers of some of n rows, in order; each has the same chance (Knuth,
 * volume 2, 3.4.2, algorithm S).
 */
static size_t *
choose_rows(size_t n, size_t wanted, uint64 *random)
{
	size_t	   *rows = nv_alloc_array(wanted, sizeof(size_t));
	size_t		left = wanted;

	for (size_t i = 0; left > 0; i++)
	{
		if (next_uniform(random) * (double) (n - i) < (double) left)
			rows[wanted - left--] = i;
	}
	return rows;
}

/* Keep some of n rows, in front, if there are more.  Returns how many they are. */
static size_t
take_some(size_t *rows, size_t n, size_t wanted, uint64 *random)
{
	size_t	   *chosen;

	if (n <= wanted)
		return n;
	chosen = choose_rows(n, wanted, random);
	for (size_t i = 0; i < wanted; i++)
		rows[i] = rows[chosen[i]];
	pfree(chosen);
	return wanted;
}

/* Cluster a part of the rows that is as good as all. */
int
nv_cluster_coarsely(const float *x, size_t n, int dims, int k, const NvKmeansOptions *options,
					uint64 *random, float *centroids)
{
	size_t		wanted = Min(n, (size_t) k * COARSE_ROWS);
	size_t	   *rows = choose_rows(n, wanted, random);
	float	   *part;
	int			found;

	part = nv_gather_rows(x, rows, wanted, dims);
	found = start_plus_plus(part, wanted, dims, k, random, centroids);
	found = lloyd(part, wanted, dims, found, options, COARSE_ITERATIONS, centroids);
	pfree(part);
	pfree(rows);
	return found;
}

/* How many of k clusters a group of rows gets: its share, and at most its rows. */
static int
share_of(size_t rows, size_t rows_left, int k_left)
{
	double		share = (double) k_left * (double) rows / (double) rows_left;

	return (int) Min((double) rows, Max(1, rint(share)));
}

/* Rows to compare. */
typedef struct RowOrder
{
	const float *x;
	int			dims;
} RowOrder;

/* Any order in which equal rows are neighbors. */
static int
compare_rows(const void *a, const void *b, void *arg)
{
	const RowOrder *order = arg;

	return memcmp(order->x + *(const size_t *) a * order->dims,
				  order->x + *(const size_t *) b * order->dims, sizeof(float) * order->dims);
}

/* Any k rows, less what is there twice.  Returns how many they are. */
static int
start_anywhere(const float *x, size_t n, int dims, int k, uint64 *random, float *centroids)
{
	RowOrder	order = {x, dims};
	size_t	   *rows = choose_rows(n, k, random);
	int			found = 0;

	qsort_arg(rows, k, sizeof(size_t), compare_rows, &order);
	for (int c = 0; c < k; c++)
	{
		if (c > 0 && compare_rows(&rows[c - 1], &rows[c], &order) == 0)
			continue;
		memcpy(centroids + (size_t) found++ * dims, x + rows[c] * dims, sizeof(float) * dims);
	}
	pfree(rows);
	return found;
}

/* k-means++ on a part of the rows that is as good as all. */
static int
start_at_once(const float *x, size_t n, int dims, int k, uint64 *random, float *centroids)
{
	size_t		wanted = Min(n, (size_t) k * NV_KMEANS_START_ROWS);
	size_t	   *rows = choose_rows(n, wanted, random);
	float	   *part = nv_gather_rows(x, rows, wanted, dims);
	int			found = start_plus_plus(part, wanted, dims, k, random, centroids);

	pfree(part);
	pfree(rows);
	return found;
}

/* Starting centroids: at most k.  Returns their number. */
static int
start(const float *x, size_t n, int dims, int k, const NvKmeansOptions *options, uint64 *random,
	  float *centroids)
{
	int			ngroups = (int) sqrt(k);
	float	   *coarse;
	uint32	   *cluster;
	float	   *distances;
	size_t	   *starts;
	size_t	   *rows;
	int			found = 0;

	if (k <= MOST_AT_ONCE)
		return start_at_once(x, n, dims, k, random, centroids);

	coarse = nv_alloc_array((size_t) ngroups * dims, sizeof(float));
	cluster = nv_alloc_array(n, sizeof(uint32));
	distances = nv_alloc_array(n, sizeof(float));
	ngroups = nv_cluster_coarsely(x, n, dims, ngroups, options, random, coarse);
	nv_assign_to_all(x, n, coarse, ngroups, dims, cluster, distances);
	starts = nv_alloc_array(ngroups + 1, sizeof(size_t));
	rows = nv_alloc_array(n, sizeof(size_t));
	nv_group_rows(cluster, n, ngroups, starts, rows);
	for (int g = 0; g < ngroups && found < k; g++)
	{
		size_t		size = starts[g + 1] - starts[g];
		float	   *group;
		int			share;

		if (size == 0)
			continue;
		share = Min(k - found, share_of(size, n - starts[g], k - found));
		size = take_some(rows + starts[g], size, (size_t) share * NV_KMEANS_START_ROWS, random);
		group = nv_gather_rows(x, rows + starts[g], size, dims);
		/* one group may have nearly all rows, if there are outliers */
		if (share <= MOST_IN_GROUP)
			share = start_plus_plus(group, size, dims, share, random,
									centroids + (size_t) found * dims);
		else
			share = start_anywhere(group, size, dims, share, random,
								   centroids + (size_t) found * dims);
		found += share;
		pfree(group);
	}
	pfree(rows);
	pfree(starts);
	pfree(distances);
	pfree(cluster);
	pfree(coarse);
	return found;
}

/* ---- Lloyd's algorithm ---- */

typedef struct Lloyd
{
	const float *x;
	size_t		n;
	int			dims;
	int			k;
	bool		spherical;
	bool		bits;
	const NvKmeansOptions *options;
	float	   *centroids;
	uint32	   *cluster;
	float	   *distances;
	double	   *sums;			/* k * dims */
	size_t	   *sizes;
} Lloyd;

/*
 * The mean of its rows becomes a cluster's centroid; of bits, what most of them have:
 * clusters of the same bits but for noise are not divided then.
 */
static void
set_centroid(Lloyd *l, int c)
{
	float	   *centroid = l->centroids + (size_t) c * l->dims;
	const double *sum = l->sums + (size_t) c * l->dims;
	double		divisor = (double) l->sizes[c];

	if (l->spherical)
	{
		double		square = 0;

		for (int d = 0; d < l->dims; d++)
			square += sum[d] * sum[d];
		if (square == 0)
			return;
		divisor = sqrt(square);
	}
	for (int d = 0; d < l->dims; d++)
	{
		double		mean = sum[d] / divisor;

		centroid[d] = (float) (l->bits ? mean > 0.5 : mean);
	}
}

/*
 * Give an empty cluster the row that is farthest from its centroid, if one is
 * at all, and return it.
 */
static bool
refill(Lloyd *l, int c)
{
	size_t		farthest = 0;
	uint32		from;

	for (size_t i = 1; i < l->n; i++)
	{
		if (l->distances[i] > l->distances[farthest])
			farthest = i;
	}
	if (l->distances[farthest] == 0)
		return false;
	from = l->cluster[farthest];
	l->sizes[from]--;
	l->sizes[c] = 1;
	for (int d = 0; d < l->dims; d++)
	{
		float		element = l->x[farthest * l->dims + d];

		l->sums[(size_t) from * l->dims + d] -= element;
		l->sums[(size_t) c * l->dims + d] = element;
	}
	l->cluster[farthest] = c;
	l->distances[farthest] = 0;
	return true;
}

/* Move each centroid to where its rows are now. */
static void
move_centroids(Lloyd *l)
{
	memset(l->sums, 0, sizeof(double) * l->k * l->dims);
	memset(l->sizes, 0, sizeof(size_t) * l->k);
	for (size_t i = 0; i < l->n; i++)
	{
		const float *row = l->x + i * l->dims;
		double	   *sum = l->sums + (size_t) l->cluster[i] * l->dims;

		if (i % NV_ROW_BLOCK == 0)
			CHECK_FOR_INTERRUPTS();
		for (int d = 0; d < l->dims; d++)
			sum[d] += row[d];
		l->sizes[l->cluster[i]]++;
	}
	for (int c = 0; c < l->k; c++)
	{
		CHECK_FOR_INTERRUPTS();
		if (l->sizes[c] == 0 && !refill(l, c))
			break;
	}
	for (int c = 0; c < l->k; c++)
	{
		if (l->sizes[c] > 0)
			set_centroid(l, c);
	}
}

/* Drop centroids that no row is nearest to. */
static void
drop_empty(Lloyd *l)
{
	int			kept = 0;

	memset(l->sizes, 0, sizeof(size_t) * l->k);
	for (size_t i = 0; i < l->n; i++)
		l->sizes[l->cluster[i]]++;
	for (int c = 0; c < l->k; c++)
	{
		if (l->sizes[c] == 0)
			continue;
		memmove(l->centroids + (size_t) kept++ * l->dims, l->centroids + (size_t) c * l->dims,
				sizeof(float) * l->dims);
	}
	l->k = kept;
}

/* Find the nearest centroid to each row. */
static void
assign(Lloyd *l)
{
	const NvKmeansOptions *options = l->options;

	if (options->assign != NULL)
		options->assign(options->arg, l->x, l->n, l->dims, l->centroids, l->k, l->cluster,
						l->distances);
	else
		nv_assign_to_all(l->x, l->n, l->centroids, l->k, l->dims, l->cluster, l->distances);
}

/* Improve k centroids.  Returns how many are left. */
static int
lloyd(const float *x, size_t n, int dims, int k, const NvKmeansOptions *options, int iterations,
	  float *centroids)
{
	Lloyd		l = {
		.x = x, .n = n, .dims = dims, .k = k,
		.spherical = options->spherical,
		.bits = options->bits,
		.options = options,
		.centroids = centroids,
		.cluster = nv_alloc_array(n, sizeof(uint32)),
		.distances = nv_alloc_array(n, sizeof(float)),
		.sums = nv_alloc_array((size_t) k * dims, sizeof(double)),
		.sizes = nv_alloc_array(k, sizeof(size_t))
	};
	uint32	   *before = nv_alloc_array(n, sizeof(uint32));

	assign(&l);
	for (int i = 0; i < iterations; i++)
	{
		memcpy(before, l.cluster, sizeof(uint32) * n);
		move_centroids(&l);
		assign(&l);
		if (memcmp(before, l.cluster, sizeof(uint32) * n) == 0)
			break;
	}
	if (l.bits)
	{
		/* rows that are of no cluster are nearer to what is between */
		l.bits = false;
		move_centroids(&l);
		assign(&l);
	}
	drop_empty(&l);
	pfree(before);
	pfree(l.sizes);
	pfree(l.sums);
	pfree(l.distances);
	pfree(l.cluster);
	return l.k;
}

/* Find starting centroids, and improve them. */
int
nv_kmeans(const float *x, size_t n, int dims, const NvKmeansOptions *options, float *centroids)
{
	uint64		random = options->seed;
	int			k = start(x, n, dims, (int) Min((size_t) options->k, n), options, &random, centroids);

	return lloyd(x, n, dims, k, options, options->iterations, centroids);
}
