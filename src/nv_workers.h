/*-------------------------------------------------------------------------
 *
 * nv_workers.h
 *		What several processes at work together need: names for what they wait
 *		for, and shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_WORKERS_H
#define NV_WORKERS_H

#include "nv_compat.h"

#include "access/parallel.h"

/*
 * What pg_stat_activity shows while one of them waits for the others:
 * "NanovecWorkers", from PostgreSQL 17 on; "Extension" before.
 */
extern uint32 nv_wait_event(void);

/*
 * The tranche of locks among them.  Backends that have loaded the library show
 * it as "NanovecBuild", others as "extension".
 */
extern int	nv_lock_tranche(void);

/* Make its name known; called once, at load. */
extern void nv_workers_init(void);

/*
 * Bytes that dynamic shared memory has room for, as far as can be told; infinite
 * where it cannot.  Others may take them.
 */
extern double nv_shared_room(void);

/* nworkers, or 0, with a NOTICE, if there is no room for so much shared memory. */
extern int	nv_workers_that_fit(int nworkers, double bytes);

/*
 * Workers of this backend, and parts of memory that they share with it.
 *
 * Use: nv_parallel_begin; fill in the parts; nv_parallel_launch; work;
 * nv_parallel_end.  Either of the first two returns false when workers cannot be
 * had; there is nothing to end then.  In between this backend is in parallel mode.
 */
#define NV_PARALLEL_MOST_PARTS 8

typedef struct NvParallel
{
	ParallelContext *context;	/* NULL: there are no workers */
	int			nparts;
	void	   *parts[NV_PARALLEL_MOST_PARTS];
} NvParallel;

/*
 * Get shared memory for parts of so many bytes each, at most
 * NV_PARALLEL_MOST_PARTS.  worker is the name of the function that workers run: it
 * is PGDLLEXPORT, and not called from anywhere else.
 */
extern bool nv_parallel_begin(NvParallel *parallel, const char *worker, int nworkers,
							  const Size *bytes, int nparts);

/* Start the workers.  wait: until each runs; it is an ERROR when one cannot. */
extern bool nv_parallel_launch(NvParallel *parallel, bool wait);

/* Wait for the workers to finish, and free the parts. */
extern void nv_parallel_end(NvParallel *parallel);

/* How many workers run. */
static inline int
nv_parallel_workers(const NvParallel *parallel)
{
	return parallel->context == NULL ? 0 : parallel->context->nworkers_launched;
}

/* In a worker: where a part is, by its number. */
extern void *nv_parallel_part(shm_toc *toc, int part);

#endif							/* NV_WORKERS_H */
