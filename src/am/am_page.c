/*-------------------------------------------------------------------------
 *
 * am_page.c
 *		What all pages of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_page.h"

#include "common/hashfn.h"
#include "storage/lmgr.h"

/*
 * Where this backend last found a page.  Looking a page up in the shared
 * table takes a quarter of a search; a remembered buffer is checked instead.
 * Pages that share an entry only lose the short cut.
 */
#define HINTS 65536

static Buffer hints[HINTS];

void
nv_page_init(Page page, NvPageKind kind)
{
	NvPageTail *tail;

	PageInit(page, BLCKSZ, sizeof(NvPageTail));
	((PageHeader) page)->pd_lower = ((PageHeader) page)->pd_upper;
	tail = (NvPageTail *) PageGetSpecialPointer(page);
	tail->kind = kind;
	tail->magic = NV_PAGE_MAGIC;
}

void
nv_page_wrong(Relation index, Buffer buffer, NvPageKind kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged: block %u is no page of kind %d",
					RelationGetRelationName(index), BufferGetBlockNumber(buffer), kind),
			 errhint("Rebuild it with REINDEX.")));
}

Buffer
nv_read_buffer(Relation index, BlockNumber block)
{
	uint32		hash = murmurhash32(block ^ (uint32) NV_REL_NUMBER(index) * 0x9e3779b9);
	Buffer	   *hint = &hints[hash % HINTS];

	if (*hint != InvalidBuffer &&
		ReadRecentBuffer(NV_REL_LOCATOR(index), MAIN_FORKNUM, block, *hint))
		return *hint;
	*hint = ReadBuffer(index, block);
	return *hint;
}

Buffer
nv_extend(Relation index)
{
	Buffer		buffer;
	bool		lock = !RELATION_IS_LOCAL(index);

	if (lock)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBuffer(index, P_NEW);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (lock)
		UnlockRelationForExtension(index, ExclusiveLock);
	return buffer;
}
