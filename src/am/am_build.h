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

/* Processes beside this one: as many as a btree build of the table would have. */
extern int	nv_build_workers(Relation heap, Relation index);

/*
 * Give the rows of so many blocks of the table, or of all there are, to a
 * callback; always the same blocks.  Rows need not be visible where the
 * snapshot of the build does not decide that.
 */
extern void nv_sample_blocks(Relation heap, Relation index, IndexInfo *info, BlockNumber wanted,
							 IndexBuildCallback callback, void *state);

/* About how many rows of the table are for the index; from a few blocks. */
extern double nv_estimate_rows(Relation heap, Relation index, IndexInfo *info);

#endif							/* NV_AM_BUILD_H */
