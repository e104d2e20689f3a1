/*-------------------------------------------------------------------------
 *
 * am_build.c
 *		What builds of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_build.h"

#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#define SAMPLE_SEED 1

/* The number of rows is estimated from so many blocks. */
#define ESTIMATE_BLOCKS 100

int
nv_build_workers(Relation heap, Relation index)
{
	if (!IsNormalProcessingMode())
		return 0;
	return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
}

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

static void
count_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	NvRow		row;

	if (nv_row_take(&row, values, isnull))
		++*(double *) arg;
}

double
nv_estimate_rows(Relation heap, Relation index, IndexInfo *info)
{
	BlockNumber total = RelationGetNumberOfBlocks(heap);
	double		n = 0;

	if (total == 0)
		return 0;
	nv_sample_blocks(heap, index, info, ESTIMATE_BLOCKS, count_row, &n);
	return n * total / Min(total, ESTIMATE_BLOCKS);
}
