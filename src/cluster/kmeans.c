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

#include "miscadmin.h"
#include "simd/simd.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* Rows and centroids that are measured against each other at a time. */
#define ROW_BLOCK 128
#define CENTROID_BLOCK 64

/* More clusters than this start within those of a coarser clustering. */
#define MOST_AT_ONCE 128

/* So many in one of these are not worth the time of k-means++. */
#define MOST_IN_GROUP 512

/*
 * More centroids than this are put into groups, and a row is measured against
 * those of the nearest few.
 */
#define MOST_UNGROUPED 256
#define NEAREST_GROUPS 8

/* Rows that are sorted by group at a time. */
#define GROUPED_ROWS 4096

/* The coarse one needs no more than so many iterations, and so many rows a cluster. */
#define COARSE_ITERATIONS 4
#define COARSE_ROWS 256

/* [0, 1) */
static double
next_uniform(uint64 *state)
{
	return (double) (nv_random(state) >> 11) / 9007199254740992.0;
}

/* ERROR when it is more than a Size of 32 bits can say. */
static void *
alloc_array(size_t n, size_t element)
{
	return palloc_extended(mul_size(Max(n, 1), element), MCXT_ALLOC_HUGE);
}

/* Distances that overflow are large, not infinite. */
static inline float
clamp(float distance)
{
	return distance < FLT_MAX ? distance : FLT_MAX;
}

/* ---- assignment ---- */

/* The nearest of some centroids to at most ROW_BLOCK rows, if nearer than what is there. */
static void
assign_block(const float *x, int n, const float *centroids, int first, int k, int dims,
			 uint32 *cluster, float *distances)
{
	float		block[ROW_BLOCK * CENTROID_BLOCK];

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

/* The nearest of all k centroids to each of n rows; may be interrupted. */
static void
assign_to_all(const float *x, size_t n, const float *centroids, int k, int dims, uint32 *cluster,
			  float *distances)
{
	for (size_t row = 0; row < n; row += ROW_BLOCK)
	{
		int			rows = (int) Min(ROW_BLOCK, n - row);

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

/* ---- the start ---- */

/*
 * k-means++: each centroid is a row, drawn with a probability that grows with
 * the square of its distance from those before.  Returns how many there are.
 */
static int
start_plus_plus(const float *x, size_t n, int dims, int k, uint64 *random, float *centroids)
{
	float	   *nearest = alloc_array(n, sizeof(float));
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

			if (i % ROW_BLOCK == 0)
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

/* Sort rows by cluster: starts[k + 1] of rows[n]. */
static void
group_rows(const uint32 *cluster, size_t n, int k, size_t *starts, size_t *rows)
{
	memset(starts, 0, sizeof(size_t) * (k + 1));
	for (size_t i = 0; i < n; i++)
		starts[cluster[i] + 1]++;
	for (int c = 0; c < k; c++)
		starts[c + 1] += starts[c];
	/* starts[c] moves to the end of c, which is the start of c + 1 */
	for (size_t i = 0; i < n; i++)
		rows[starts[cluster[i]]++] = i;
	memmove(starts + 1, starts, sizeof(size_t) * k);
	starts[0] = 0;
}

/* Some rows of a set, one after the other. */
static float *
gather_rows(const float *x, const size_t *rows, size_t n, int dims)
{
	float	   *out = alloc_array(n * dims, sizeof(float));

	for (size_t i = 0; i < n; i++)
	{
		if (i % ROW_BLOCK == 0)
			CHECK_FOR_INTERRUPTS();
		memcpy(out + i * dims, x + rows[i] * dims, sizeof(float) * dims);
	}
	return out;
}

/*
 * The numbers of some of n rows, in order; each has the same chance (Knuth,
 * volume 2, 3.4.2, algorithm S).
 */
static size_t *
choose_rows(size_t n, size_t wanted, uint64 *random)
{
	size_t	   *rows = alloc_array(wanted, sizeof(size_t));
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

/* A coarse clustering, of a part of the rows that is as good as all. */
static int
cluster_coarsely(const float *x, size_t n, int dims, int k, const NvKmeansOptions *options,
				 uint64 *random, float *centroids)
{
	NvKmeansOptions alone = {.spherical = options->spherical, .bits = options->bits};
	size_t		wanted = Min(n, (size_t) k * COARSE_ROWS);
	size_t	   *rows = choose_rows(n, wanted, random);
	float	   *part;
	int			found;

	part = gather_rows(x, rows, wanted, dims);
	found = start_plus_plus(part, wanted, dims, k, random, centroids);
	found = lloyd(part, wanted, dims, found, &alone, COARSE_ITERATIONS, centroids);
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
	float	   *part = gather_rows(x, rows, wanted, dims);
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

	coarse = alloc_array((size_t) ngroups * dims, sizeof(float));
	cluster = alloc_array(n, sizeof(uint32));
	distances = alloc_array(n, sizeof(float));
	ngroups = cluster_coarsely(x, n, dims, ngroups, options, random, coarse);
	assign_to_all(x, n, coarse, ngroups, dims, cluster, distances);
	starts = alloc_array(ngroups + 1, sizeof(size_t));
	rows = alloc_array(n, sizeof(size_t));
	group_rows(cluster, n, ngroups, starts, rows);
	for (int g = 0; g < ngroups && found < k; g++)
	{
		size_t		size = starts[g + 1] - starts[g];
		float	   *group;
		int			share;

		if (size == 0)
			continue;
		share = Min(k - found, share_of(size, n - starts[g], k - found));
		size = take_some(rows + starts[g], size, (size_t) share * NV_KMEANS_START_ROWS, random);
		group = gather_rows(x, rows + starts[g], size, dims);
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

static void
move_centroids(Lloyd *l)
{
	memset(l->sums, 0, sizeof(double) * l->k * l->dims);
	memset(l->sizes, 0, sizeof(size_t) * l->k);
	for (size_t i = 0; i < l->n; i++)
	{
		const float *row = l->x + i * l->dims;
		double	   *sum = l->sums + (size_t) l->cluster[i] * l->dims;

		if (i % ROW_BLOCK == 0)
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

static void
assign(Lloyd *l)
{
	NvAssigner *a;

	if (l->options->assign != NULL)
	{
		l->options->assign(l->options->arg, l->centroids, l->k, l->n, l->cluster, l->distances);
		return;
	}
	a = nv_assigner_make(l->centroids, l->k, l->dims);
	nv_assign(a, l->x, l->n, l->cluster, l->distances);
	nv_assigner_free(a);
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
		.cluster = alloc_array(n, sizeof(uint32)),
		.distances = alloc_array(n, sizeof(float)),
		.sums = alloc_array((size_t) k * dims, sizeof(double)),
		.sizes = alloc_array(k, sizeof(size_t))
	};
	uint32	   *before = alloc_array(n, sizeof(uint32));

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

/* ---- many centroids ---- */

struct NvAssigner
{
	const float *centroids;
	int			k;
	int			dims;
	int			ngroups;		/* 0: all centroids are measured */
	float	   *groups;			/* ngroups * dims: means of centroids */
	size_t	   *starts;			/* ngroups + 1 */
	size_t	   *members;		/* centroids by group: k of them */
};

static void
make_groups(NvAssigner *a)
{
	static const NvKmeansOptions options = {0};
	uint64		random = 0;
	int			ngroups = 2 * (int) sqrt(a->k);
	uint32	   *group = alloc_array(a->k, sizeof(uint32));
	float	   *distances = alloc_array(a->k, sizeof(float));

	a->groups = alloc_array((size_t) ngroups * a->dims, sizeof(float));
	a->ngroups = cluster_coarsely(a->centroids, a->k, a->dims, ngroups, &options, &random, a->groups);
	a->starts = alloc_array(a->ngroups + 1, sizeof(size_t));
	a->members = alloc_array(a->k, sizeof(size_t));
	assign_to_all(a->centroids, a->k, a->groups, a->ngroups, a->dims, group, distances);
	group_rows(group, a->k, a->ngroups, a->starts, a->members);
	pfree(distances);
	pfree(group);
}

NvAssigner *
nv_assigner_make(const float *centroids, int k, int dims)
{
	NvAssigner *a = palloc0(sizeof(NvAssigner));

	a->centroids = centroids;
	a->k = k;
	a->dims = dims;
	if (k > MOST_UNGROUPED)
		make_groups(a);
	return a;
}

void
nv_assigner_free(NvAssigner *a)
{
	if (a->ngroups > 0)
	{
		pfree(a->members);
		pfree(a->starts);
		pfree(a->groups);
	}
	pfree(a);
}

/* So many groups are looked into for each row. */
static int
groups_of_row(const NvAssigner *a)
{
	return Min(NEAREST_GROUPS, a->ngroups);
}

/* The groups nearest to each row: nearest[n * groups_of_row()]. */
static void
find_groups(const NvAssigner *a, const float *x, size_t n, uint32 *nearest)
{
	float	   *distances = alloc_array((size_t) ROW_BLOCK * a->ngroups, sizeof(float));
	int			each = groups_of_row(a);

	for (size_t row = 0; row < n; row += ROW_BLOCK)
	{
		size_t		rows = Min(ROW_BLOCK, n - row);

		CHECK_FOR_INTERRUPTS();
		nv_kern.l2sq_many(x + row * a->dims, rows, a->groups, a->ngroups, a->dims, distances);
		for (size_t i = 0; i < rows; i++)
		{
			float	   *of_row = distances + i * a->ngroups;

			for (int t = 0; t < each; t++)
			{
				uint32		g = (uint32) nv_kern.argmin(of_row, a->ngroups);

				nearest[(row + i) * each + t] = g;
				of_row[g] = INFINITY;
			}
		}
	}
	pfree(distances);
}

/* Measure rows[n] (numbers) against the centroids of a group. */
static void
assign_in_group(const NvAssigner *a, int g, const float *x, const size_t *rows, size_t n,
				uint32 *cluster, float *distances)
{
	size_t		nmembers = a->starts[g + 1] - a->starts[g];
	const size_t *members = a->members + a->starts[g];
	float	   *centroids = gather_rows(a->centroids, members, nmembers, a->dims);

	for (size_t first = 0; first < n; first += ROW_BLOCK)
	{
		size_t		count = Min(ROW_BLOCK, n - first);
		float	   *gathered = gather_rows(x, rows + first, count, a->dims);
		uint32		found[ROW_BLOCK];
		float		found_distances[ROW_BLOCK];

		assign_to_all(gathered, count, centroids, (int) nmembers, a->dims, found, found_distances);
		for (size_t i = 0; i < count; i++)
		{
			size_t		row = rows[first + i];

			if (found_distances[i] >= distances[row])
				continue;
			distances[row] = found_distances[i];
			cluster[row] = (uint32) members[found[i]];
		}
		pfree(gathered);
	}
	pfree(centroids);
}

/* Assign at most GROUPED_ROWS rows, by way of the groups nearest to each. */
static void
assign_by_groups(const NvAssigner *a, const float *x, size_t n, uint32 *cluster, float *distances)
{
	int			each = groups_of_row(a);
	size_t		npairs = n * each;
	uint32	   *nearest = alloc_array(npairs, sizeof(uint32));
	size_t	   *starts = alloc_array(a->ngroups + 1, sizeof(size_t));
	size_t	   *rows = alloc_array(npairs, sizeof(size_t));

	find_groups(a, x, n, nearest);
	group_rows(nearest, npairs, a->ngroups, starts, rows);
	for (size_t i = 0; i < npairs; i++)
		rows[i] /= each;
	for (size_t i = 0; i < n; i++)
	{
		cluster[i] = 0;
		distances[i] = INFINITY;
	}
	for (int g = 0; g < a->ngroups; g++)
	{
		if (starts[g + 1] > starts[g] && a->starts[g + 1] > a->starts[g])
			assign_in_group(a, g, x, rows + starts[g], starts[g + 1] - starts[g], cluster, distances);
	}
	pfree(rows);
	pfree(starts);
	pfree(nearest);
}

void
nv_assign(NvAssigner *a, const float *x, size_t n, uint32 *cluster, float *distances)
{
	if (a->ngroups == 0)
	{
		assign_to_all(x, n, a->centroids, a->k, a->dims, cluster, distances);
		return;
	}
	for (size_t row = 0; row < n; row += GROUPED_ROWS)
		assign_by_groups(a, x + row * a->dims, Min(GROUPED_ROWS, n - row), cluster + row,
						 distances + row);
}

int
nv_kmeans(const float *x, size_t n, int dims, const NvKmeansOptions *options, float *centroids)
{
	uint64		random = options->seed;
	int			k = start(x, n, dims, (int) Min((size_t) options->k, n), options, &random, centroids);

	return lloyd(x, n, dims, k, options, options->iterations, centroids);
}
