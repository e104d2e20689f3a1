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

#include "access/parallel.h"
#include "access/xact.h"
#include "cluster/kmeans.h"
#include "nv_edition.h"
#include "nv_workers.h"
#include "port/atomics.h"
#include "storage/barrier.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* A job has so many parts, of no fewer and no more rows than these. */
#define PARTS 16
#define LEAST_PART 128
#define MOST_PART 4096

/* Keys of the shared memory. */
#define KEY_JOB 1
#define KEY_ROWS 2
#define KEY_CENTROIDS 3
#define KEY_CLUSTER 4
#define KEY_DISTANCES 5

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

	MemoryContext context;
	uint32		generation;		/* for which the assigner was made */
	NvAssigner *assigner;
	ParallelContext *pcxt;		/* NULL: the leader is alone */
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

static bool
is_working(int phase)
{
	return phase % 2 == 1;
}

void
nv_team_worker(dsm_segment *segment, shm_toc *toc)
{
	NvTeam		team = {
		.job = shm_toc_lookup(toc, KEY_JOB, false),
		.rows = shm_toc_lookup(toc, KEY_ROWS, false),
		.centroids = shm_toc_lookup(toc, KEY_CENTROIDS, false),
		.cluster = shm_toc_lookup(toc, KEY_CLUSTER, false),
		.distances = shm_toc_lookup(toc, KEY_DISTANCES, false),
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
		take_parts(&team);
		BarrierArriveAndWait(barrier, nv_wait_event());
		working = false;
	}
	BarrierDetach(barrier);
}

/* ---- the leader ---- */

/* Shared memory for the team, and workers; false when they can't be had. */
static bool
start_workers(NvTeam *team, size_t rows, int dims, int k, int nworkers)
{
	double		bytes = 0;
	const struct
	{
		Size		bytes;
		void	  **where;
	}			parts[] = {
		{sizeof(Job), (void **) &team->job},
		{sizeof(float) * dims * rows, (void **) &team->rows},
		{mul_size(sizeof(float) * dims, k), (void **) &team->centroids},
		{sizeof(uint32) * rows, (void **) &team->cluster},
		{sizeof(float) * rows, (void **) &team->distances},
	};
	ParallelContext *pcxt;

	for (int i = 0; i < (int) lengthof(parts); i++)
		bytes += parts[i].bytes;
	nworkers = nv_workers_that_fit(nworkers, bytes);
	if (nworkers == 0)
		return false;

	EnterParallelMode();
	pcxt = CreateParallelContext(nv_edition.library, "nv_team_worker", nworkers);
	for (int i = 0; i < (int) lengthof(parts); i++)
		shm_toc_estimate_chunk(&pcxt->estimator, parts[i].bytes);
	shm_toc_estimate_keys(&pcxt->estimator, lengthof(parts));
	InitializeParallelDSM(pcxt);
	if (pcxt->seg != NULL)
	{
		for (int i = 0; i < (int) lengthof(parts); i++)
		{
			*parts[i].where = shm_toc_allocate(pcxt->toc, parts[i].bytes);
			/* keys are numbered as the parts are */
			shm_toc_insert(pcxt->toc, KEY_JOB + i, *parts[i].where);
		}
		memset(team->job, 0, sizeof(Job));
		BarrierInit(&team->job->barrier, 0);
		pg_atomic_init_u32(&team->job->next, 0);
		/* attached before anyone can wait at the barrier */
		BarrierAttach(&team->job->barrier);
		LaunchParallelWorkers(pcxt);
	}
	if (pcxt->nworkers_launched == 0)
	{
		DestroyParallelContext(pcxt);
		ExitParallelMode();
		return false;
	}
	nv_report_workers(pcxt->nworkers_launched);
	team->pcxt = pcxt;
	return true;
}

NvTeam *
nv_team_start(size_t rows, int dims, int k, int nworkers)
{
	NvTeam	   *team = palloc0(sizeof(NvTeam));

	team->context = CurrentMemoryContext;
	if (!start_workers(team, rows, dims, k, nworkers))
	{
		team->job = palloc0(sizeof(Job));
		pg_atomic_init_u32(&team->job->next, 0);
		team->rows = palloc_extended(sizeof(float) * dims * rows, MCXT_ALLOC_HUGE);
		team->centroids = palloc_extended(mul_size(sizeof(float) * dims, k), MCXT_ALLOC_HUGE);
		team->cluster = palloc_extended(sizeof(uint32) * rows, MCXT_ALLOC_HUGE);
		team->distances = palloc_extended(sizeof(float) * rows, MCXT_ALLOC_HUGE);
	}
	team->job->dims = dims;
	return team;
}

void
nv_team_end(NvTeam *team)
{
	if (team->assigner != NULL)
		nv_assigner_free(team->assigner);
	if (team->pcxt == NULL)
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
		WaitForParallelWorkersToFinish(team->pcxt);
		DestroyParallelContext(team->pcxt);
		ExitParallelMode();
	}
	pfree(team);
}

float *
nv_team_rows(NvTeam *team)
{
	return team->rows;
}

void
nv_team_set_centroids(NvTeam *team, const float *centroids, int k)
{
	memcpy(team->centroids, centroids, sizeof(float) * team->job->dims * k);
	team->job->k = k;
	team->job->generation++;
}

void
nv_team_assign(NvTeam *team, size_t n, uint32 *cluster, float *distances)
{
	Job		   *job = team->job;

	job->n = n;
	pg_atomic_write_u32(&job->next, 0);
	if (team->pcxt != NULL)
		BarrierArriveAndWait(&job->barrier, nv_wait_event());
	take_parts(team);
	if (team->pcxt != NULL)
		BarrierArriveAndWait(&job->barrier, nv_wait_event());
	memcpy(cluster, team->cluster, sizeof(uint32) * n);
	memcpy(distances, team->distances, sizeof(float) * n);
}
