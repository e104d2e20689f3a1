/*-------------------------------------------------------------------------
 *
 * am_handler.h
 *		What the handlers of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_HANDLER_H
#define NV_AM_HANDLER_H

#include "nv_compat.h"

#include "access/amapi.h"
#include "am/am_inspect.h"
#include "commands/vacuum.h"
#include "nodes/pathnodes.h"

/*
 * An index method, for code that serves all of them: what it registers when the
 * library is loaded.  Access methods that share a build function, as ivf and
 * ivfflat do, are one method here.
 */
typedef struct NvMethod
{
	ambuild_function build;		/* tells the indexes of the method, too */

	/*
	 * Walk a whole index and report every broken invariant.  The table is locked
	 * against vacuum.
	 */
	void		(*check) (Relation heap, Relation index, NvReport *report);

	/* Tell what an index is made of. */
	void		(*info) (Relation index, NvReport *report);
} NvMethod;

/* The method stays the caller's and must not change. */
extern void nv_method_register(const NvMethod *method);

/* The method of an index; NULL if it is none of ours. */
extern const NvMethod *nv_method_of(Relation index);

/* What a method can do: all but its other functions, palloc'd. */
extern IndexAmRoutine *nv_make_handler(const NvMethod *method);

/* Where amcostestimate writes to. */
typedef struct NvCosts
{
	Cost	   *startup;
	Cost	   *total;
	Selectivity *selectivity;
	double	   *correlation;
	double	   *pages;
} NvCosts;

/*
 * Without an order there is nothing to search for: then an endless cost, the
 * path disabled, and true.
 */
extern bool nv_cost_without_order(IndexPath *path, const NvCosts *costs);

/* amvacuumcleanup: counts pages, where rows were deleted. */
extern IndexBulkDeleteResult *nv_vacuum_cleanup(IndexVacuumInfo *info,
												IndexBulkDeleteResult *stats);

#endif							/* NV_AM_HANDLER_H */
