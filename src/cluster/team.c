/*-------------------------------------------------------------------------
 *
 * team.c
 *		Several processes that assign rows to centroids together.
 *
 * All meet at a barrier before a job and after it.  In even phases of the
 * barrier the leader prepares a job, in odd ones all take parts of it.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/team.h"

#include "cluster/assigner.h"
#include "nv_workers.h"
#include "port/atomics.h"
#include "storage/barrier.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* A job has so many parts, of no fewer and no more rows than these. */
#define PARTS 16
#define LEAST_PART 128
#define MOST_PART 4096

/* Parts of the shared memory. */
enum
{
	PART_JOB,
	PART_ROWS,
	PART_CENTROIDS,
	PART_CLUSTER,
	PART_DISTANCES,
	NPARTS
};

typedef struct Job
{
	Barrier		barrier;
	bool		finished;		/* there are no more jobs */
	uint32		generation;		/* of the centroids */
	int			dims;
	int			k;
	size_t		n;				/* rows */
	pg_atomic_uint32 next;		/* part to take */
} Job;

struct NvTeam
{
	Job		   *job;
	float	   *rows;
	float	   *centroids;
	uint32	   *cluster;
	float	   *distances;
	size_t		most_rows;		/* for which there is room */
	int			most_k;

	MemoryContext context;
	uint32		generation;		/* for which the assigner was made */
	NvAssigner *assigner;
	NvParallel	parallel;		/* of no workers: the leader is alone */
};

extern PGDLLEXPORT void nv_team_worker(dsm_segment *segment, shm_toc *toc);

/* ---- work ---- */

/* Rows of a part: the same for the same job, whoever takes it. */
static size_t
part_rows(size_t n)
{
	return Min(MOST_PART, Max(LEAST_PART, n / PARTS));
}

/* Take parts of the job until there are none left. */
static void
take_parts(NvTeam *team)
{
	Job		   *job = team->job;
	size_t		step = part_rows(job->n);

	if (team->assigner == NULL || team->generation != job->generation)
	{
		MemoryContext old = MemoryContextSwitchTo(team->context);

		if (team->assigner != NULL)
			nv_assigner_free(team->assigner);
		team->assigner = nv_assigner_make(team->centroids, job->k, job->dims);
		team->generation = job->generation;
		MemoryContextSwitchTo(old);
	}
	for (;;)
	{
		size_t		row = (size_t) pg_atomic_fetch_add_u32(&job->next, 1) * step;

		if (row >= job->n)
			break;
		nv_assign(team->assigner, team->rows + row * job->dims, Min(step, job->n - row),
				  team->cluster + row, team->distances + row);
	}
}

/* Whether a phase of the barrier is one in which jobs are worked on. */
static bool
is_working(int phase)
{
	return phase % 2 == 1;
}

/* What a worker does until there are no more jobs. */
void
nv_team_worker(dsm_segment *segment, shm_toc *toc)
{
	NvTeam		team = {
		.job = nv_parallel_part(toc, PART_JOB),
		.rows = nv_parallel_part(toc, PART_ROWS),
		.centroids = nv_parallel_part(toc, PART_CENTROIDS),
		.cluster = nv_parallel_part(toc, PART_CLUSTER),
		.distances = nv_parallel_part(toc, PART_DISTANCES),
		.context = CurrentMemoryContext
	};
	Barrier    *barrier = &team.job->barrier;
	bool		working = is_working(BarrierAttach(barrier));

	for (;;)
	{
		if (!working)
			BarrierArriveAndWait(barrier, nv_wait_event());
		if (team.job->finished)
			break;
		Assert(is_working(BarrierPhase(barrier)));
		take_parts(&team);
		BarrierArriveAndWait(barrier, nv_wait_event());
		working = false;
	}
	BarrierDetach(barrier);
}

/* ---- the leader ---- */

/* Have the team use these parts of memory. */
static void
use_parts(NvTeam *team, void *const *parts)
{
	team->job = parts[PART_JOB];
	team->rows = parts[PART_ROWS];
	team->centroids = parts[PART_CENTROIDS];
	team->cluster = parts[PART_CLUSTER];
	team->distances = parts[PART_DISTANCES];
	memset(team->job, 0, sizeof(Job));
	pg_atomic_init_u32(&team->job->next, 0);
}

/* Share the parts with workers; false when these cannot be had. */
static bool
start_workers(NvTeam *team, const Size *bytes, int nworkers)
{
	double		total = 0;

	for (int i = 0; i < NPARTS; i++)
		total += bytes[i];
	nworkers = nv_workers_that_fit(nworkers, total);
	if (nworkers == 0 ||
		!nv_parallel_begin(&team->parallel, "nv_team_worker", nworkers, bytes, NPARTS))
		return false;
	use_parts(team, team->parallel.parts);
	BarrierInit(&team->job->barrier, 0);
	/* attached before anyone can wait at the barrier */
	BarrierAttach(&team->job->barrier);
	return nv_parallel_launch(&team->parallel, false);
}

/* Start a team of this backend and workers, or of this backend alone. */
NvTeam *
nv_team_start(size_t rows, int dims, int k, int nworkers)
{
	NvTeam	   *team = palloc0(sizeof(NvTeam));
	const Size	bytes[NPARTS] = {
		[PART_JOB] = sizeof(Job),
		[PART_ROWS] = sizeof(float) * dims * rows,
		[PART_CENTROIDS] = mul_size(sizeof(float) * dims, k),
		[PART_CLUSTER] = sizeof(uint32) * rows,
		[PART_DISTANCES] = sizeof(float) * rows
	};

	team->context = CurrentMemoryContext;
	if (!start_workers(team, bytes, nworkers))
	{
		void	   *parts[NPARTS];

		for (int i = 0; i < NPARTS; i++)
			parts[i] = palloc_extended(bytes[i], MCXT_ALLOC_HUGE);
		use_parts(team, parts);
	}
	team->job->dims = dims;
	team->most_rows = rows;
	team->most_k = k;
	return team;
}

/* Whether this backend is the whole team. */
static bool
is_alone(const NvTeam *team)
{
	return nv_parallel_workers(&team->parallel) == 0;
}

/* End the team, and free its memory. */
void
nv_team_end(NvTeam *team)
{
	if (team->assigner != NULL)
		nv_assigner_free(team->assigner);
	if (is_alone(team))
	{
		pfree(team->distances);
		pfree(team->cluster);
		pfree(team->centroids);
		pfree(team->rows);
		pfree(team->job);
	}
	else
	{
		team->job->finished = true;
		/* to an odd phase, in which workers see it, those that come late too */
		BarrierArriveAndWait(&team->job->barrier, nv_wait_event());
		BarrierDetach(&team->job->barrier);
		nv_parallel_end(&team->parallel);
	}
	pfree(team);
}

/* Where the leader puts the rows. */
float *
nv_team_rows(NvTeam *team)
{
	return team->rows;
}

/* Give the team centroids: workers make their own assigners of them. */
void
nv_team_set_centroids(NvTeam *team, const float *centroids, int k)
{
	Assert(k > 0 && k <= team->most_k);
	memcpy(team->centroids, centroids, sizeof(float) * team->job->dims * k);
	team->job->k = k;
	team->job->generation++;
}

/* Wait for all of the team; after it, jobs are worked on or are not. */
static void
meet(NvTeam *team, bool working)
{
	if (is_alone(team))
		return;
	BarrierArriveAndWait(&team->job->barrier, nv_wait_event());
	Assert(is_working(BarrierPhase(&team->job->barrier)) == working);
}

/* Assign rows to the centroids, all of the team together. */
void
nv_team_assign(NvTeam *team, size_t n, uint32 *cluster, float *distances)
{
	Job		   *job = team->job;

	Assert(n <= team->most_rows);
	Assert(job->k > 0);
	job->n = n;
	pg_atomic_write_u32(&job->next, 0);
	meet(team, true);
	take_parts(team);
	meet(team, false);
	memcpy(cluster, team->cluster, sizeof(uint32) * n);
	memcpy(distances, team->distances, sizeof(float) * n);
}

/* Assign rows to these centroids: the team's, or a part of them in this backend alone. */
void
nv_team_assign_to(void *arg, const float *x, size_t n, int dims, const float *centroids, int k,
				  uint32 *cluster, float *distances)
{
	NvTeam	   *team = arg;

	if (x != team->rows)
	{
		nv_assign_to(NULL, x, n, dims, centroids, k, cluster, distances);
		return;
	}
	nv_team_set_centroids(team, centroids, k);
	nv_team_assign(team, n, cluster, distances);
}
