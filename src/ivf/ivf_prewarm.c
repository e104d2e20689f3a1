/*-------------------------------------------------------------------------
 *
 * ivf_prewarm.c
 *		Reads the part of an ivf index that searches go through: what is before the
 *		groups, and the codes of these.  Records are read for the best entries only,
 *		unless they are in the place of codes.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"

/* Read the groups of a list, without records of their own; returns how many. */
static int64
read_list(IvfIndex *ix, uint32 list)
{
	BlockNumber block = ivf_read_list(ix, list).first;
	int64		n = 0;

	for (; block != InvalidBlockNumber; n++)
	{
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = ivf_lock_group(ix, block, list, BUFFER_LOCK_SHARE);
		block = ivf_group_of(BufferGetPage(buffer))->next;
		UnlockReleaseBuffer(buffer);
	}
	return n;
}

/* Read all but records. */
int64
ivf_prewarm(Relation rel)
{
	IvfIndex	ix;
	int64		n;

	ivf_open(&ix, rel);
	n = ix.layout.groups;
	for (BlockNumber block = 0; block < ix.layout.groups; block++)
	{
		CHECK_FOR_INTERRUPTS();
		ReleaseBuffer(nv_read_buffer(rel, block));
	}
	for (uint32 list = 0; list < ix.meta.lists; list++)
		n += read_list(&ix, list);
	return n;
}
