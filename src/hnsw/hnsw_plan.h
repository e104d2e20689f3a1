/*-------------------------------------------------------------------------
 *
 * hnsw_plan.h
 *		What a new hnsw index will be: storage and layout, by a sample of rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_PLAN_H
#define HNSW_PLAN_H

#include "hnsw/hnsw.h"

/*
 * Fill in everything of a new index's metapage but the entry point, from its
 * definition and from a sample of the table, or without one (heap NULL).  The
 * mean that vectors are moved by is palloc'd; NULL when there is none.  The same
 * table gives the same plan.  ERROR when the definition makes no index.
 */
extern void hnsw_plan(Relation heap, Relation rel, IndexInfo *info, HnswMeta *meta, float **mean);

/*
 * By the inner product, vectors of one length are linked as by L2, also when one part in so
 * many is shorter: no query asks for those.
 */
#define HNSW_FEW_SHORTER 16

#endif							/* HNSW_PLAN_H */
