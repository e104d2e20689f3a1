/*-------------------------------------------------------------------------
 *
 * am_stats.h
 *		What searches did: the last one of this session, and those of each index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_STATS_H
#define NV_AM_STATS_H

#include "nv_compat.h"

/* Why a search ended. */
typedef enum NvSearchEnd
{
	NV_END_ENOUGH,				/* nobody asked for more rows */
	NV_END_ALL,					/* there are no more */
	NV_END_RADIUS,				/* all that is within the radius was found */
	NV_END_EFFORT,				/* iterative scans are off */
	NV_END_MOST,				/* hnsw.max_scan_tuples, ivf.max_probes */
	NV_END_MEMORY
} NvSearchEnd;

/* What a search did.  A method fills in all but the index, the end and the time. */
typedef struct NvSearchCounts
{
	Oid			index;
	const char *strategy;		/* a constant: in what order it looked at the index */
	int64		visited;		/* vectors measured */
	int64		estimated;		/* distances estimated from codes */
	int64		returned;		/* rows */
	int64		rounds;			/* how often it went on, and the first time */
	bool		filtered;		/* whether it had conditions on attributes; then, of what it looked at, */
	int64		passed;			/* so many passed */
	int64		refused;		/* and so many did not */
	NvSearchEnd end;
	double		time;			/* ms, from its beginning to its end, with what its caller did meanwhile */
} NvSearchCounts;

/* Remember a search as the last one, and count it for its index, if that is done. */
extern void nv_stats_count(const NvSearchCounts *counts);

/*
 * Get ready to count by index in shared memory, which is done where the library is among
 * shared_preload_libraries; called once, at load.
 */
extern void nv_stats_init(void);

#endif							/* NV_AM_STATS_H */
