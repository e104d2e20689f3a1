/*-------------------------------------------------------------------------
 *
 * am_wal.c
 *		Changing pages: every change to a live index is one record of
 *		generic WAL.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_wal.h"

#include "access/xloginsert.h"
#include "nv_testpoint.h"

void
nv_change_begin(NvChange *change, Relation index, bool logged)
{
	change->state = logged ? GenericXLogStart(index) : NULL;
	change->npages = 0;
}

Page
nv_change_page(NvChange *change, Buffer buffer, bool fresh)
{
	Assert(change->npages < MAX_GENERIC_XLOG_PAGES);
	change->buffers[change->npages++] = buffer;
	if (change->state != NULL)
		return GenericXLogRegisterBuffer(change->state, buffer,
										 fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
	return BufferGetPage(buffer);
}

void
nv_change_finish(NvChange *change)
{
	if (change->state != NULL)
	{
		GenericXLogFinish(change->state);
		return;
	}
	for (int i = 0; i < change->npages; i++)
		MarkBufferDirty(change->buffers[i]);
}

void
nv_log_whole(Relation index, ForkNumber fork)
{
	NV_TEST_POINT("build_written");
	if (RelationNeedsWAL(index) || fork == INIT_FORKNUM)
		log_newpage_range(index, fork, 0, RelationGetNumberOfBlocksInFork(index, fork), true);
	NV_TEST_POINT("build_logged");
}
