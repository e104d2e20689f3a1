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
#include "am/am_page.h"
#include "nv_testpoint.h"

/* Begin a change of up to MAX_GENERIC_XLOG_PAGES pages. */
void
nv_change_begin(NvChange *change, Relation index, bool logged)
{
	change->state = logged ? GenericXLogStart(index) : NULL;
	change->npages = 0;
}

/* Take a page into the change. */
Page
nv_change_page(NvChange *change, Buffer buffer, bool fresh)
{
	int			i = change->npages++;

	Assert(i < MAX_GENERIC_XLOG_PAGES);
	Assert(nv_may_change(buffer));
	change->buffers[i] = buffer;
	change->pages[i] = change->state == NULL ? BufferGetPage(buffer) :
		GenericXLogRegisterBuffer(change->state, buffer, fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
	return change->pages[i];
}

#ifdef USE_ASSERT_CHECKING
/*
 * Check that a change wrote nothing where its page is not in use, which generic WAL
 * would lose.  What was there before is zero, but for damaged pages.
 */
static void
check_use(Page changed, Buffer buffer)
{
	PageHeader	header = (PageHeader) changed;

	Assert(header->pd_lower <= header->pd_upper && header->pd_upper <= header->pd_special);
	Assert(memcmp(changed + header->pd_lower, BufferGetPage(buffer) + header->pd_lower,
				  header->pd_upper - header->pd_lower) == 0);
}
#endif

/* Make the change, and log it. */
void
nv_change_finish(NvChange *change)
{
	Assert(change->npages > 0);
#ifdef USE_ASSERT_CHECKING
	for (int i = 0; i < change->npages; i++)
		check_use(change->pages[i], change->buffers[i]);
#endif
	if (change->state != NULL)
	{
		GenericXLogFinish(change->state);
		return;
	}
	for (int i = 0; i < change->npages; i++)
		MarkBufferDirty(change->buffers[i]);
}

/* Log blocks as they are, several with each record. */
void
nv_log_blocks(Relation index, ForkNumber fork, BlockNumber first, BlockNumber end)
{
	log_newpage_range(index, fork, first, end, true);
}

/* Log an index that is complete. */
void
nv_log_whole(Relation index, ForkNumber fork)
{
	NV_TEST_POINT("build_written");
	if (RelationNeedsWAL(index) || fork == INIT_FORKNUM)
		nv_log_blocks(index, fork, 0, RelationGetNumberOfBlocksInFork(index, fork));
	NV_TEST_POINT("build_logged");
}
