/*-------------------------------------------------------------------------
 *
 * am_build.c
 *		What builds of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_build.h"

#include "am/am_opclass.h"
#include "am/am_rowvectors.h"

#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#define SAMPLE_SEED 1

/* The number of vectors is estimated from so many blocks. */
#define ESTIMATE_BLOCKS 100

/* Ask the planner, as btree does. */
int
nv_build_workers(Relation heap, Relation index)
{
	if (!IsNormalProcessingMode())
		return 0;
	return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
}

/* Scan some blocks of the table, one at a time. */
void
nv_sample_blocks(Relation heap, Relation index, IndexInfo *info, BlockNumber wanted,
				 IndexBuildCallback callback, void *state)
{
	BlockNumber total = RelationGetNumberOfBlocks(heap);
	BlockSamplerData sampler;

	BlockSampler_Init(&sampler, total, Min(wanted, total), SAMPLE_SEED);
	while (BlockSampler_HasMore(&sampler))
	{
		CHECK_FOR_INTERRUPTS();
		table_index_build_range_scan(heap, index, info, false, !info->ii_Concurrent, false,
									 BlockSampler_Next(&sampler), 1, callback, state, NULL);
	}
}

/* Vectors that were counted. */
typedef struct Count
{
	bool		many;			/* a row */
	double		n;
} Count;

/* Count the vectors of a row that is for the index. */
static void
count_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Count	   *count = arg;
	NvRow		row;

	if (nv_row_take(&row, values, isnull))
		count->n += nv_count_row_vectors(count->many, &row);
}

/* Estimate from the rows of a few blocks. */
double
nv_estimate_vectors(Relation heap, Relation index, IndexInfo *info)
{
	BlockNumber total = RelationGetNumberOfBlocks(heap);
	Count		count = {.many = nv_opclass_many(index)};

	if (total == 0)
		return 0;
	nv_sample_blocks(heap, index, info, ESTIMATE_BLOCKS, count_row, &count);
	return count.n * total / Min(total, ESTIMATE_BLOCKS);
}
