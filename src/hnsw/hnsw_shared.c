/*-------------------------------------------------------------------------
 *
 * hnsw_shared.c
 *		What the processes of an index build share: arrays, a barrier and a lock.
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

/* ---- the update lock ---- */

/* Set it up. */
void
hnsw_build_lock_init(HnswBuildLock *lock)
{
	memset(lock, 0, sizeof(*lock));
	SpinLockInit(&lock->mutex);
	ConditionVariableInit(&lock->released);
}

/* Take it, if nobody has it who would mind. */
static bool
try_lock(HnswBuildLock *lock, bool exclusive, bool *waiting)
{
	bool		taken;

	SpinLockAcquire(&lock->mutex);
	if (exclusive)
	{
		taken = !lock->written && lock->readers == 0;
		lock->written |= taken;
		lock->waiting += (int) !taken - (int) *waiting;
		*waiting = !taken;
	}
	else
	{
		taken = !lock->written && lock->waiting == 0;
		lock->readers += taken;
	}
	SpinLockRelease(&lock->mutex);
	return taken;
}

/* Wait for it. */
void
hnsw_build_lock(HnswBuildLock *lock, bool exclusive)
{
	bool		waiting = false;

	while (!try_lock(lock, exclusive, &waiting))
		ConditionVariableSleep(&lock->released, nv_wait_event());
	ConditionVariableCancelSleep();
}

/* Let others have it. */
void
hnsw_build_unlock(HnswBuildLock *lock, bool exclusive)
{
	SpinLockAcquire(&lock->mutex);
	Assert(exclusive ? lock->written && lock->readers == 0 : !lock->written && lock->readers > 0);
	if (exclusive)
		lock->written = false;
	else
		lock->readers--;
	SpinLockRelease(&lock->mutex);
	ConditionVariableBroadcast(&lock->released);
}
