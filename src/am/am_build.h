/*-------------------------------------------------------------------------
 *
 * am_build.h
 *		What builds of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_BUILD_H
#define NV_AM_BUILD_H

#include "nv_compat.h"

#include "access/tableam.h"
#include "am/am_row.h"
#include "nodes/execnodes.h"

/* How many workers a build should have: as many as a btree build of the table. */
extern int	nv_build_workers(Relation heap, Relation index);

/*
 * Give the rows of so many blocks of the table, or of all there are, to a
 * callback; always the same blocks.  Rows need not be visible where the
 * snapshot of the build does not decide that.
 */
extern void nv_sample_blocks(Relation heap, Relation index, IndexInfo *info, BlockNumber wanted,
							 IndexBuildCallback callback, void *state);

/* Estimate from a few blocks how many vectors the rows of the table bring to the index. */
extern double nv_estimate_vectors(Relation heap, Relation index, IndexInfo *info);

#endif							/* NV_AM_BUILD_H */
