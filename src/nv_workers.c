/*-------------------------------------------------------------------------
 *
 * nv_workers.c
 *		What several processes at work together need: names for what they wait
 *		for, and shared memory.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_workers.h"

#include <math.h>
#include <sys/statvfs.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "nv_edition.h"
#include "storage/dsm_impl.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/float.h"

/* Where POSIX shared memory is on Linux. */
#define POSIX_DIRECTORY "/dev/shm"

/* What a parallel context takes beside, for messages and settings. */
#define SPARE_BYTES (256 * 1024)

#define MEGABYTE (1024.0 * 1024.0)

uint32
nv_wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = NV_NEW_WAIT_EVENT("NanovecWorkers");
	return event;
}

/* ---- the tranche of locks ---- */

static int	tranche = 0;

/* All processes of the server agree on its number, which the first chooses. */
int
nv_lock_tranche(void)
{
	static const char *const name = "NanovecBuild";
	int		   *shared;
	bool		found;

	if (tranche != 0)
		return tranche;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("nanovec lock tranche", sizeof(int), &found);
	if (!found)
		*shared = NV_NEW_LOCK_TRANCHE(name);
	LWLockRelease(AddinShmemInitLock);
	NV_REGISTER_LOCK_TRANCHE(*shared, name);
	tranche = *shared;
	return tranche;
}

static shmem_startup_hook_type next_startup_hook;

/* There is new shared memory: what the postmaster knows, all backends do. */
static void
at_startup(void)
{
	if (next_startup_hook != NULL)
		next_startup_hook();
	tranche = 0;
	(void) nv_lock_tranche();
}

void
nv_workers_init(void)
{
	if (process_shared_preload_libraries_in_progress)
	{
		next_startup_hook = shmem_startup_hook;
		shmem_startup_hook = at_startup;
	}
	else
		(void) nv_lock_tranche();
}

/* ---- shared memory ---- */

double
nv_shared_room(void)
{
	struct statvfs disk;
	const char *directory;

	if (dynamic_shared_memory_type == DSM_IMPL_POSIX)
		directory = POSIX_DIRECTORY;
	else if (dynamic_shared_memory_type == DSM_IMPL_MMAP)
		directory = PG_DYNSHMEM_DIR;
	else
		return get_float8_infinity();
	if (statvfs(directory, &disk) != 0)
		return get_float8_infinity();
	/* what the server set aside at its start is used first */
	return (double) disk.f_bavail * disk.f_frsize + min_dynamic_shared_memory * MEGABYTE;
}

int
nv_workers_that_fit(int nworkers, double bytes)
{
	double		room;

	if (nworkers == 0)
		return 0;
	room = nv_shared_room();
	bytes += SPARE_BYTES;
	if (bytes <= room)
		return nworkers;
	ereport(NOTICE,
			(errmsg("there is too little shared memory for parallel workers"),
			 errdetail("They would need %.0f MB, and %.0f MB are free. The work goes on in one process.",
					   ceil(bytes / MEGABYTE), floor(room / MEGABYTE)),
			 errhint("Enlarge " POSIX_DIRECTORY ", where PostgreSQL has its dynamic shared memory, "
					 "or increase min_dynamic_shared_memory.")));
	return 0;
}

/* ---- parallel workers ---- */

/* Keys of the shared memory: this, and the number of a part. */
#define KEY_PART UINT64CONST(0x6e76000000000000)

/* Leave parallel mode, with no worker running. */
static void
leave_parallel(NvParallel *parallel)
{
	DestroyParallelContext(parallel->context);
	parallel->context = NULL;
	ExitParallelMode();
}

/* Enter parallel mode, and allocate the parts. */
bool
nv_parallel_begin(NvParallel *parallel, const char *worker, int nworkers, const Size *bytes,
				  int nparts)
{
	ParallelContext *context;

	Assert(nparts <= NV_PARALLEL_MOST_PARTS);
	Assert(nworkers > 0);
	EnterParallelMode();
	context = CreateParallelContext(nv_edition.library, worker, nworkers);
	parallel->context = context;
	parallel->nparts = nparts;
	for (int i = 0; i < nparts; i++)
		shm_toc_estimate_chunk(&context->estimator, bytes[i]);
	shm_toc_estimate_keys(&context->estimator, nparts);
	InitializeParallelDSM(context);
	if (context->seg == NULL)
	{
		leave_parallel(parallel);
		return false;
	}
	for (int i = 0; i < nparts; i++)
	{
		parallel->parts[i] = shm_toc_allocate(context->toc, bytes[i]);
		shm_toc_insert(context->toc, KEY_PART + i, parallel->parts[i]);
	}
	return true;
}

/* Launch workers; without any, leave parallel mode. */
bool
nv_parallel_launch(NvParallel *parallel, bool wait)
{
	ParallelContext *context = parallel->context;

	Assert(IsInParallelMode());
	LaunchParallelWorkers(context);
	if (context->nworkers_launched == 0)
	{
		leave_parallel(parallel);
		return false;
	}
	/* in pgvector's words */
	ereport(DEBUG1,
			(errmsg_internal("using %d parallel workers", context->nworkers_launched)));
	if (wait)
		WaitForParallelWorkersToAttach(context);
	return true;
}

/* Wait for the workers, and leave parallel mode. */
void
nv_parallel_end(NvParallel *parallel)
{
	Assert(parallel->context != NULL);
	WaitForParallelWorkersToFinish(parallel->context);
	leave_parallel(parallel);
}

/* Find a part in the shared memory of a worker. */
void *
nv_parallel_part(shm_toc *toc, int part)
{
	Assert(part >= 0 && part < NV_PARALLEL_MOST_PARTS);
	return shm_toc_lookup(toc, KEY_PART + part, false);
}
