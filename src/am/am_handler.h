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
#include "am/am_method.h"
#include "commands/vacuum.h"
#include "nodes/pathnodes.h"

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
 * Without an order or a sphere there is nothing to search for.  In that case the function
 * sets an infinite cost, disables the path, and returns true.
 */
extern bool nv_cost_without_goal(IndexPath *path, const NvCosts *costs);

/* The conditions of a path. */
typedef struct NvPathConditions
{
	bool		sphere;			/* one is that the vector is in a sphere, */
	bool		elsewhere;		/* and rows come in the order of distances from another vector */
	int			nattributes;	/* so many are on attributes */
	double		share;			/* of all rows that pass these */
} NvPathConditions;

/* Take a path's conditions apart, and estimate their selectivity; at least one row passes. */
extern NvPathConditions nv_path_conditions(PlannerInfo *root, const IndexPath *path);

/*
 * Whether a query asks for more rows than are within the radius of a condition on the distance
 * that it orders by, as WHERE v <-> q < 1 ORDER BY v <-> q LIMIT 100 may.  That condition is a
 * filter, of which the index knows nothing, and PostgreSQL takes one row in three to pass.  A
 * search goes on behind the radius, until it comes to a limit.  Reads some rows of the table
 * for it, as the estimate of a sphere does (am_selectivity.c).
 */
extern bool nv_wants_more_than_within(PlannerInfo *root, const IndexPath *path);

/*
 * Count in the startup cost of such a path the part of all rows that a search reads behind the
 * radius, those of the table included: nothing comes of them.
 */
extern void nv_cost_behind_radius(PlannerInfo *root, const IndexPath *path, double part,
								  const NvCosts *costs);

/* amvacuumcleanup: counts pages, where rows were deleted. */
extern IndexBulkDeleteResult *nv_vacuum_cleanup(IndexVacuumInfo *info,
												IndexBulkDeleteResult *stats);

#endif							/* NV_AM_HANDLER_H */
