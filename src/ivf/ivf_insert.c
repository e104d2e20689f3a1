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

/* A row is far from a centroid if it is this many times as far as rows were in the build. */
#define FAR_TIMES 2

/* ---- groups ---- */

/* Change a list in the directory: its room, and its first group where there was none. */
static void
set_list(IvfIndex *ix, NvChange *change, Buffer directory, uint32 list, BlockNumber group)
{
	Page		page = nv_change_page(change, directory, false);
	IvfList    *entry = (IvfList *) NV_PAGE_CONTENTS(page) + list % IVF_LISTS_PER_PAGE;

	Assert(group >= ix->layout.groups && group != InvalidBlockNumber);
	if (entry->first == InvalidBlockNumber)
		entry->first = group;
	entry->room = group;
}

/* Lock the page of the directory that has a list, exclusively. */
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

/* Write a part of one of the pages that the build laid out. */
static void
rewrite(IvfIndex *ix, NvPageKind kind, BlockNumber block, uint32 offset, const char *data,
		uint32 bytes)
{
	Buffer		buffer = nv_read_buffer(ix->rel, block);
	NvChange	change;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, kind);
	Assert(offset + bytes <= NV_PAGE_ROOM);
	nv_change_begin(&change, ix->rel, true);
	memcpy(NV_PAGE_CONTENTS(nv_change_page(&change, buffer, false)) + offset, data, bytes);
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
}

/* Write an item of an array that the build laid out; it may be longer than a page. */
static void
rewrite_item(IvfIndex *ix, NvPageKind kind, BlockNumber first, const IvfShape *shape, uint32 i,
			  const char *data)
{
	uint32		page;
	uint32		offset;

	ivf_locate(shape, i, &page, &offset);
	for (uint32 done = 0; done < shape->bytes; done += NV_PAGE_ROOM)
		rewrite(ix, kind, first + page++, offset, data + done,
				Min(shape->bytes - done, NV_PAGE_ROOM));
}

/*
 * Give a list that is to come its centroid, unless another process did.  The code
 * comes first, since a list is found by it; it is there with the centroid's end.
 */
static void
start_list(IvfIndex *ix, uint32 list, const float *centroid)
{
	/* this page is locked for any list, so that there is one process at a time */
	Buffer		directory = lock_directory(ix, ivf_built_lists(&ix->meta));
	float	   *old = palloc(sizeof(float) * ix->length);

	Assert(list >= ivf_built_lists(&ix->meta) && list < ix->meta.lists);
	/* its last float tells that it is there */
	Assert(!ivf_to_come(ix, centroid));
	ivf_read_centroid(ix, list, old);
	if (ivf_to_come(ix, old))
	{
		if (ix->meta.bits > 0)
		{
			char	   *block = palloc(ix->layout.code_block);
			uint32		number = list / NV_FASTSCAN_BLOCK;

			ivf_read_item(ix, NV_PAGE_IVF_CENTROID_CODES, ix->layout.centroid_codes,
						   &ix->layout.centroid_block, number, block);
			ivf_code_centroid(ix, (uint8 *) block, list % NV_FASTSCAN_BLOCK, centroid);
			rewrite_item(ix, NV_PAGE_IVF_CENTROID_CODES, ix->layout.centroid_codes,
						  &ix->layout.centroid_block, number, block);
			NV_TEST_POINT("ivf_centroid_coded");
			pfree(block);
		}
		rewrite_item(ix, NV_PAGE_IVF_CENTROIDS, ix->layout.centroids, &ix->layout.centroid, list,
					  (const char *) centroid);
	}
	UnlockReleaseBuffer(directory);
	pfree(old);
}

/* Change where inserts begin to look for room. */
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

	/* the groups of a list have rising numbers */
	Assert(ivf_group_of(BufferGetPage(last))->next == InvalidBlockNumber);
	Assert(BufferGetBlockNumber(buffer) > BufferGetBlockNumber(last));
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
		ivf_damaged(ix, ix->layout.directory + list / IVF_LISTS_PER_PAGE,
					"says that inserts into a list begin nowhere");
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

/* Copy part of a record into the image of a record page. */
static void
write_part(Page page, uint32 offset, const char *data, uint32 bytes)
{
	char	   *at = NV_PAGE_CONTENTS(page) + offset;

	Assert(offset + bytes <= NV_PAGE_ROOM);
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

/* Add an entry to a group that has its records in its page, which is locked. */
static void
add_inline(IvfIndex *ix, Buffer buffer, const IvfRecord *record, const char *image)
{
	NvChange	change;
	Page		page;
	IvfGroup   *group;
	char	   *place;

	nv_change_begin(&change, ix->rel, true);
	page = nv_change_page(&change, buffer, false);
	group = ivf_group_of(page);
	Assert(group->n < ix->layout.entries);
	place = (char *) ivf_inline_record(ix, group, group->n);
	memcpy(place, record, ix->layout.record.bytes);
	nv_page_use(page, place + ix->layout.record.bytes);
	ivf_write_image(ix, page, group->n++, image);
	nv_change_finish(&change);
}

/* Add an entry to a group that has pages of records; its own page is locked. */
static void
add_apart(IvfIndex *ix, Buffer buffer, const float *centroid, const IvfRecord *record,
		  const char *image)
{
	const IvfGroup *old = ivf_group_of(BufferGetPage(buffer));
	uint32		n = old->n;
	BlockNumber *blocks = palloc(sizeof(BlockNumber) * ix->layout.record.pages);
	Buffer		records = InvalidBuffer;
	uint32		page;
	uint32		offset;
	NvChange	change;
	Page		copy;
	IvfGroup   *group;

	Assert(n < ix->layout.entries);
	ivf_locate(&ix->layout.record, n, &page, &offset);
	Assert(page + ix->layout.record.pages <= ix->layout.record_pages);
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
	copy = nv_change_page(&change, buffer, false);
	group = ivf_group_of(copy);
	if (records != InvalidBuffer)
		write_part(nv_change_page(&change, records, false), offset, (const char *) record,
				   ix->layout.record.bytes);
	memcpy(group->records + page, blocks, sizeof(BlockNumber) * ix->layout.record.pages);
	ivf_code_entry(ix, copy, n, centroid, record);
	ivf_write_image(ix, copy, n, image);
	group->n = n + 1;
	nv_change_finish(&change);
	if (records != InvalidBuffer)
		UnlockReleaseBuffer(records);
	pfree(blocks);
}

/* Add an entry to a list. */
static void
add_entry(IvfIndex *ix, uint32 list, const float *centroid, const IvfRecord *record,
		  const char *image)
{
	BlockNumber room;
	Buffer		buffer = find_room(ix, list, &room);
	BlockNumber block = BufferGetBlockNumber(buffer);

	if (ivf_inline(ix))
		add_inline(ix, buffer, record, image);
	else
		add_apart(ix, buffer, centroid, record, image);
	UnlockReleaseBuffer(buffer);
	/* the groups before are full */
	if (block != room)
	{
		NV_TEST_POINT("ivf_group_began");
		ivf_set_room(ix, list, block);
	}
}

/* ---- rows ---- */

typedef struct IvfInserter
{
	NvInserter	base;
	IvfIndex	ix;
	IvfNearList *near;
	float	   *centroid;
	IvfRecord  *record;
	uint32		spare;			/* lists before are not to come any more */
} IvfInserter;

/* Open an index for inserts. */
static NvInserter *
open_inserter(Relation rel)
{
	IvfInserter *inserter = palloc0(sizeof(IvfInserter));
	IvfIndex   *ix = &inserter->ix;

	ivf_open(ix, rel);
	inserter->spare = ivf_built_lists(&ix->meta);
	inserter->near = palloc(sizeof(IvfNearList) * ix->meta.lists);
	inserter->centroid = palloc(sizeof(float) * ix->length);
	inserter->record = palloc(ix->layout.record.bytes);
	nv_inserter_init(&inserter->base, &ivf_insert_method, &ix->core, ALLOCSET_DEFAULT_INITSIZE);
	return &inserter->base;
}

/* The first list that is to come; their number, when there is none. */
static uint32
next_spare(IvfInserter *inserter)
{
	IvfIndex   *ix = &inserter->ix;

	for (; inserter->spare < ix->meta.lists; inserter->spare++)
	{
		ivf_read_centroid(ix, inserter->spare, ix->floats);
		if (ivf_to_come(ix, ix->floats))
			break;
	}
	return inserter->spare;
}

/*
 * Whether a row, so far from the nearest centroid, should begin the next list to
 * come: rows came from where the index was not made for, or its lists are still
 * few.  The fewer are left, the farther a row must be, beside what the lists
 * spread over, so that rows in order of place do not use them all up at once.
 */
static bool
far_from_lists(IvfInserter *inserter, float distance)
{
	IvfIndex   *ix = &inserter->ix;
	float		used = (float) (inserter->spare - ivf_built_lists(&ix->meta)) / ix->meta.spares;
	float		least = FAR_TIMES * ix->meta.trained_distance;
	float		farthest = 0;
	int			ranked;

	if (distance <= least * least || distance == FLT_MAX)
		return false;
	/* all lists that there are */
	ivf_nearest_lists(ix, &inserter->base.query, (int) ix->meta.lists, INFINITY, true,
					  inserter->near, &ranked);
	for (uint32 i = 0; i < ix->meta.lists; i++)
	{
		if (inserter->near[i].distance < FLT_MAX)
			farthest = Max(farthest, inserter->near[i].distance);
	}
	return distance > used * used * farthest;
}

/* The list for the row in inserter->base.query; its centroid is in inserter->centroid. */
static uint32
choose_list(IvfInserter *inserter)
{
	IvfIndex   *ix = &inserter->ix;

	for (;;)
	{
		uint32		list;
		int			ranked;

		ivf_nearest_lists(ix, &inserter->base.query, 1, INFINITY, true, inserter->near, &ranked);
		list = inserter->near[0].list;
		ivf_read_centroid(ix, list, inserter->centroid);
		if (next_spare(inserter) == ix->meta.lists ||
			!(ivf_to_come(ix, inserter->centroid) ||
			  far_from_lists(inserter, inserter->near[0].distance)))
			return list;
		/* where others were quicker, theirs may be near */
		start_list(ix, inserter->spare,
				   isfinite(inserter->base.query.norm) ? ix->query_floats : ix->zero);
	}
}

/* Insert a row, whose vector is the inserter's query, and whose attributes its image. */
static void
insert_row(NvInserter *base, ItemPointer tid, int ordinal)
{
	IvfInserter *inserter = (IvfInserter *) base;
	IvfIndex   *ix = &inserter->ix;
	uint32		list = choose_list(inserter);

	ivf_write_record(ix, &base->query, inserter->centroid, tid, inserter->record);
	add_entry(ix, list, inserter->centroid, inserter->record, base->image);
}

const NvInsertMethod ivf_insert_method = {
	.open = open_inserter,
	.insert = insert_row
};
