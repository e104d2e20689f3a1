/*-------------------------------------------------------------------------
 *
 * hnsw_shared.c
 *		What the processes of an index build share: arrays, and a barrier.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_build.h"

#include "nv_workers.h"
#include "utils/memutils.h"

/* Allocate an array: in this process, or in a segment that all of them map. */
HnswArray
hnsw_array_alloc(HnswBuild *build, Size bytes)
{
	if (build->alone)
		return (HnswArray) (uintptr_t) MemoryContextAllocExtended(build->context, bytes,
																  MCXT_ALLOC_HUGE |
																  MCXT_ALLOC_ZERO);
	return hnsw_segment_create(bytes);
}

/* Find an array in this process. */
void *
hnsw_array(HnswBuild *build, HnswArray array)
{
	if (build->alone)
		return (void *) (uintptr_t) array;
	return hnsw_segment_address((dsm_handle) array);
}

/* Be done with an array in this process. */
void
hnsw_array_free(HnswBuild *build, HnswArray array)
{
	if (build->alone)
		pfree((void *) (uintptr_t) array);
	else
		hnsw_segment_detach((dsm_handle) array);
}

/* Wait at the barrier. */
bool
hnsw_build_wait(HnswBuild *build)
{
	return BarrierArriveAndWait(&build->shared->barrier, nv_wait_event());
}
