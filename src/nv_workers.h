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

/* Say how many workers a build has: DEBUG1, in pgvector's words. */
extern void nv_report_workers(int nworkers);

#endif							/* NV_WORKERS_H */
