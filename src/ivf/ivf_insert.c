/*-------------------------------------------------------------------------
 *
 * ivf_insert.c
 *		Inserts into an ivf index.  See README for the order of steps and
 *		locks.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

#include "miscadmin.h"
#include "nv_testpoint.h"
#include "utils/memutils.h"

/* ---- groups ---- */

/* Change a list in the directory: its room, and its first group where there was none. */
static void
set_list(IvfIndex *ix, NvChange *change, Buffer directory, uint32 list, BlockNumber group)
{
	Page		page = nv_change_page(change, directory, false);
	IvfList    *entry = (IvfList *) NV_PAGE_CONTENTS(page) + list % IVF_LISTS_PER_PAGE;

	if (entry->first == InvalidBlockNumber)
		entry->first = group;
	entry->room = group;
}

static Buffer
lock_directory(IvfIndex *ix, uint32 list)
{
	Buffer		buffer = nv_read_buffer(ix->rel, ix->layout.directory + list / IVF_LISTS_PER_PAGE);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_DIRECTORY);
	return buffer;
}

/* Make the first group of a list, unless another process did. */
static void
begin_list(IvfIndex *ix, uint32 list)
{
	Buffer		directory = lock_directory(ix, list);
	const IvfList *entry = (const IvfList *) NV_PAGE_CONTENTS(BufferGetPage(directory)) +
		list % IVF_LISTS_PER_PAGE;

	if (entry->first == InvalidBlockNumber)
	{
		Buffer		group = nv_extend(ix->rel);
		NvChange	change;

		nv_change_begin(&change, ix->rel, true);
		ivf_init_group(ix, nv_change_page(&change, group, true), list);
		set_list(ix, &change, directory, list, BufferGetBlockNumber(group));
		nv_change_finish(&change);
		NV_TEST_POINT("ivf_group_added");
		UnlockReleaseBuffer(group);
	}
	UnlockReleaseBuffer(directory);
}

void
ivf_set_room(IvfIndex *ix, uint32 list, BlockNumber group)
{
	Buffer		directory = lock_directory(ix, list);
	NvChange	change;

	nv_change_begin(&change, ix->rel, true);
	set_list(ix, &change, directory, list, group);
	nv_change_finish(&change);
	UnlockReleaseBuffer(directory);
}

/* Link a new group to the last one of a list, which is locked; returns it, locked. */
static Buffer
append_group(IvfIndex *ix, Buffer last, uint32 list)
{
	Buffer		buffer = nv_extend(ix->rel);
	NvChange	change;

	nv_change_begin(&change, ix->rel, true);
	ivf_init_group(ix, nv_change_page(&change, buffer, true), list);
	ivf_group_of(nv_change_page(&change, last, false))->next =
		BufferGetBlockNumber(buffer);
	nv_change_finish(&change);
	NV_TEST_POINT("ivf_group_added");
	return buffer;
}

/*
 * The group of a list that has room, exclusively locked; in *room the one that
 * the directory says.
 */
static Buffer
find_room(IvfIndex *ix, uint32 list, BlockNumber *room)
{
	IvfList		entry = ivf_read_list(ix, list);
	Buffer		buffer;

	if (entry.first == InvalidBlockNumber)
	{
		begin_list(ix, list);
		entry = ivf_read_list(ix, list);
	}
	if (entry.room == InvalidBlockNumber)
		ivf_damaged(ix, ix->layout.directory + list / IVF_LISTS_PER_PAGE, "a list without room");
	*room = entry.room;
	buffer = ivf_lock_group(ix, entry.room, list, BUFFER_LOCK_EXCLUSIVE);
	while (ivf_group_of(BufferGetPage(buffer))->n == ix->layout.entries)
	{
		BlockNumber next = ivf_group_of(BufferGetPage(buffer))->next;
		Buffer		previous = buffer;

		if (next == InvalidBlockNumber)
		{
			buffer = append_group(ix, previous, list);
			UnlockReleaseBuffer(previous);
			continue;
		}
		/* groups stay where they are; with a lock held nothing would be interrupted */
		UnlockReleaseBuffer(previous);
		CHECK_FOR_INTERRUPTS();
		buffer = ivf_lock_group(ix, next, list, BUFFER_LOCK_EXCLUSIVE);
	}
	return buffer;
}

/* ---- records ---- */

/* Copy part of a record into a record page; an image of it. */
static void
write_part(Page page, uint32 offset, const char *data, uint32 bytes)
{
	char	   *at = NV_PAGE_CONTENTS(page) + offset;

	memcpy(at, data, bytes);
	nv_page_use(page, at + bytes);
}

/*
 * Write one page's part of a record where nobody looks yet, in a change of its
 * own.  *block is the page, or InvalidBlockNumber: a new one.
 */
static void
write_unseen(IvfIndex *ix, BlockNumber *block, const char *data, uint32 bytes)
{
	bool		fresh = *block == InvalidBlockNumber;
	Buffer		buffer;
	Page		page;
	NvChange	change;

	if (fresh)
	{
		buffer = nv_extend(ix->rel);
		*block = BufferGetBlockNumber(buffer);
	}
	else
	{
		buffer = ivf_lock_records(ix, *block, BUFFER_LOCK_EXCLUSIVE);
	}
	nv_change_begin(&change, ix->rel, true);
	page = nv_change_page(&change, buffer, fresh);
	if (fresh)
	{
		nv_page_init(page, NV_PAGE_IVF_RECORDS);
		nv_page_use_none(page);
	}
	write_part(page, 0, data, bytes);
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
}

/*
 * Write the pages of a record that come before its group knows it: all of a
 * long one, or a page's first.  blocks[] are those of the group, and then of
 * the new pages.
 */
static void
write_pages(IvfIndex *ix, const IvfRecord *record, BlockNumber *blocks)
{
	uint32		left = ix->layout.record.bytes;
	const char *data = (const char *) record;

	for (uint32 i = 0; left > 0; i++)
	{
		uint32		bytes = Min(left, NV_PAGE_ROOM);

		write_unseen(ix, &blocks[i], data, bytes);
		data += bytes;
		left -= bytes;
	}
}

/* Add an entry to a list; record is complete, stored its vector. */
static void
add_entry(IvfIndex *ix, uint32 list, const float *centroid, const IvfRecord *record,
		  const NvStored *stored)
{
	BlockNumber room;
	Buffer		buffer = find_room(ix, list, &room);
	BlockNumber block = BufferGetBlockNumber(buffer);
	const IvfGroup *old = ivf_group_of(BufferGetPage(buffer));
	uint32		n = old->n;
	BlockNumber *blocks = palloc(sizeof(BlockNumber) * ix->layout.record.pages);
	Buffer		records = InvalidBuffer;
	uint32		page;
	uint32		offset;
	NvChange	change;
	Page		image;
	IvfGroup   *group;

	ivf_locate(&ix->layout.record, n, &page, &offset);
	memcpy(blocks, old->records + page, sizeof(BlockNumber) * ix->layout.record.pages);
	if (offset == 0)
	{
		write_pages(ix, record, blocks);
		NV_TEST_POINT("ivf_records_written");
	}
	else
	{
		records = ivf_lock_records(ix, blocks[0], BUFFER_LOCK_EXCLUSIVE);
	}

	nv_change_begin(&change, ix->rel, true);
	image = nv_change_page(&change, buffer, false);
	group = ivf_group_of(image);
	if (records != InvalidBuffer)
		write_part(nv_change_page(&change, records, false), offset, (const char *) record,
				   ix->layout.record.bytes);
	memcpy(group->records + page, blocks, sizeof(BlockNumber) * ix->layout.record.pages);
	ivf_code_entry(ix, image, n, centroid, stored);
	group->n = n + 1;
	nv_change_finish(&change);
	if (records != InvalidBuffer)
		UnlockReleaseBuffer(records);
	UnlockReleaseBuffer(buffer);
	pfree(blocks);
	/* the groups before are full */
	if (block != room)
	{
		NV_TEST_POINT("ivf_group_began");
		ivf_set_room(ix, list, block);
	}
}

/* ---- rows ---- */

/* What aminsert keeps from row to row of a statement. */
typedef struct InsertState
{
	IvfIndex	ix;
	NvQuery		query;
	NvCodeTable table;
	IvfNearList *near;
	float	   *centroid;
	IvfRecord  *record;
	char	   *stored;
	MemoryContext scratch;
} InsertState;

static InsertState *
begin_inserts(Relation rel, IndexInfo *info)
{
	MemoryContext old = MemoryContextSwitchTo(info->ii_Context);
	InsertState *state = palloc0(sizeof(InsertState));

	ivf_open(&state->ix, rel);
	nv_query_alloc(&state->ix.space, &state->query);
	if (state->ix.meta.bits > 0)
		state->table.entries = palloc(NV_CODE_TABLE_BYTES(state->ix.meta.bits));
	state->near = palloc(sizeof(IvfNearList) * state->ix.meta.lists);
	state->centroid = palloc(sizeof(float) * state->ix.length);
	state->record = palloc(state->ix.layout.record.bytes);
	state->stored = palloc(state->ix.max_bytes);
	state->scratch = AllocSetContextCreate(info->ii_Context, "ivf insert",
										   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	info->ii_AmCache = state;
	return state;
}

static void
insert_row(InsertState *state, ItemPointer tid)
{
	IvfIndex   *ix = &state->ix;
	NvStored	stored;
	uint32		list;

	nv_query_store(&ix->space, &state->query, state->stored, &stored);
	ivf_fill_record(ix, state->record, &stored, tid);
	if (ix->meta.bits > 0)
		nv_code_table(state->query.elements, ix->meta.bits, &state->table);
	ivf_nearest_lists(ix, &state->query, &state->table, 1, INFINITY, true, state->near);
	list = state->near[0].list;
	ivf_read_centroid(ix, list, state->centroid);
	add_entry(ix, list, state->centroid, state->record, &stored);
}

bool
ivf_insert(Relation rel, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
		   IndexUniqueCheck unique, bool unchanged, IndexInfo *info)
{
	InsertState *state = info->ii_AmCache;
	MemoryContext old;

	if (isnull[0])
		return false;
	if (state == NULL)
		state = begin_inserts(rel, info);
	state->ix.rel = rel;

	old = MemoryContextSwitchTo(state->scratch);
	if (nv_query_set(&state->ix.space, values[0], &state->query))
		insert_row(state, tid);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	return false;
}
