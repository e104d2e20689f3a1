/*-------------------------------------------------------------------------
 *
 * assigner.c
 *		Finds the nearest of many centroids to rows.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/assigner.h"

#include <math.h>

#include "cluster/cluster_rows.h"
#include "cluster/kmeans.h"
#include "miscadmin.h"
#include "simd/simd.h"
#include "utils/memutils.h"

/*
 * More centroids than this are put into groups, and a row is measured against
 * those of the nearest few.
 */
#define MOST_UNGROUPED 256
#define NEAREST_GROUPS 8

/* Rows that are sorted by group at a time. */
#define GROUPED_ROWS 4096

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

/* Put centroids into groups of near ones. */
static void
make_groups(NvAssigner *a)
{
	const NvKmeansOptions options = {.assign = nv_assign_to};
	uint64		random = 0;
	int			ngroups = 2 * (int) sqrt(a->k);
	uint32	   *group = nv_alloc_array(a->k, sizeof(uint32));
	float	   *distances = nv_alloc_array(a->k, sizeof(float));

	a->groups = nv_alloc_array((size_t) ngroups * a->dims, sizeof(float));
	a->ngroups = nv_cluster_coarsely(a->centroids, a->k, a->dims, ngroups, &options, &random,
									 a->groups);
	a->starts = nv_alloc_array(a->ngroups + 1, sizeof(size_t));
	a->members = nv_alloc_array(a->k, sizeof(size_t));
	nv_assign_to_all(a->centroids, a->k, a->groups, a->ngroups, a->dims, group, distances);
	nv_group_rows(group, a->k, a->ngroups, a->starts, a->members);
	pfree(distances);
	pfree(group);
}

/* Make an assigner; a few centroids have no groups. */
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

/* Free an assigner. */
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
	float	   *distances = nv_alloc_array((size_t) NV_ROW_BLOCK * a->ngroups, sizeof(float));
	int			each = groups_of_row(a);

	for (size_t row = 0; row < n; row += NV_ROW_BLOCK)
	{
		size_t		rows = Min(NV_ROW_BLOCK, n - row);

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
	float	   *centroids = nv_gather_rows(a->centroids, members, nmembers, a->dims);

	for (size_t first = 0; first < n; first += NV_ROW_BLOCK)
	{
		size_t		count = Min(NV_ROW_BLOCK, n - first);
		float	   *gathered = nv_gather_rows(x, rows + first, count, a->dims);
		uint32		found[NV_ROW_BLOCK];
		float		found_distances[NV_ROW_BLOCK];

		nv_assign_to_all(gathered, count, centroids, (int) nmembers, a->dims, found, found_distances);
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
assign_by_groups(const NvAssigner *a, const float *x, size_t n, uint32 *cluster,
				 float *distances)
{
	int			each = groups_of_row(a);
	size_t		npairs = n * each;
	uint32	   *nearest = nv_alloc_array(npairs, sizeof(uint32));
	size_t	   *starts = nv_alloc_array(a->ngroups + 1, sizeof(size_t));
	size_t	   *rows = nv_alloc_array(npairs, sizeof(size_t));

	find_groups(a, x, n, nearest);
	nv_group_rows(nearest, npairs, a->ngroups, starts, rows);
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
			assign_in_group(a, g, x, rows + starts[g], starts[g + 1] - starts[g], cluster,
							distances);
	}
	pfree(rows);
	pfree(starts);
	pfree(nearest);
}

/* Assign rows to centroids. */
void
nv_assign(NvAssigner *a, const float *x, size_t n, uint32 *cluster, float *distances)
{
	if (a->ngroups == 0)
	{
		nv_assign_to_all(x, n, a->centroids, a->k, a->dims, cluster, distances);
		return;
	}
	for (size_t row = 0; row < n; row += GROUPED_ROWS)
		assign_by_groups(a, x + row * a->dims, Min(GROUPED_ROWS, n - row), cluster + row,
						 distances + row);
}

/* Make an assigner for these rows alone, for NvKmeansOptions. */
void
nv_assign_to(void *arg, const float *x, size_t n, int dims, const float *centroids, int k,
			 uint32 *cluster, float *distances)
{
	NvAssigner *a = nv_assigner_make(centroids, k, dims);

	nv_assign(a, x, n, cluster, distances);
	nv_assigner_free(a);
}
