/*-------------------------------------------------------------------------
 *
 * am_rows.c
 *		The rows that an index leads to, for nanovec_index_check().
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_rows.h"

#include "am/am_nearest.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define REPORT_ROW(report, tid, format) \
	nv_report_problem(report, 0, format, ItemPointerGetBlockNumberNoCheck(tid), \
					  ItemPointerGetOffsetNumberNoCheck(tid))

StaticAssertDecl(sizeof(NvRowEntry) == sizeof(ItemPointerData) + sizeof(uint32),
				 "entries of rows are larger than they should be");

/* Begin a list. */
void
nv_rows_begin(NvRowList *rows, const NvAttributes *attributes)
{
	memset(rows, 0, sizeof(*rows));
	rows->attributes = attributes;
	rows->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

/* Hash an image. */
static void
hash_image(const NvAttributes *attributes, const char *image, uint16 *out)
{
	uint32		hash = 0;

	if (attributes->n > 0)
		hash = hash_bytes((const unsigned char *) image, attributes->image_bytes);
	memcpy(out, &hash, sizeof(hash));
}

/* Add a row to a list of them. */
void
nv_rows_add(NvRowList *rows, const ItemPointerData *tid, const char *image)
{
	if (rows->n == rows->room)
	{
		rows->room = Max(1024, rows->room * 2);
		rows->entries = rows->entries == NULL ? palloc(sizeof(NvRowEntry) * rows->room) :
			repalloc_huge(rows->entries, sizeof(NvRowEntry) * rows->room);
	}
	rows->entries[rows->n].tid = *tid;
	hash_image(rows->attributes, image, rows->entries[rows->n++].image);
}

/* Millions of them, so the sort can be interrupted. */
#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE NvRowEntry
#define ST_COMPARE(a, b) \
	ItemPointerCompare(unconstify(ItemPointer, &(a)->tid), unconstify(ItemPointer, &(b)->tid))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Whether the table has, or had until vacuum came by, a row there. */
static bool
row_exists(Relation heap, const ItemPointerData *tid, Buffer *buffer, BlockNumber nblocks)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
	Page		page;
	bool		exists;

	if (block >= nblocks)
		return false;
	if (!BufferIsValid(*buffer) || BufferGetBlockNumber(*buffer) != block)
	{
		if (BufferIsValid(*buffer))
			ReleaseBuffer(*buffer);
		*buffer = ReadBuffer(heap, block);
	}
	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(*buffer);
	exists = offset >= FirstOffsetNumber && offset <= PageGetMaxOffsetNumber(page) &&
		ItemIdIsUsed(PageGetItemId(page, offset));
	LockBuffer(*buffer, BUFFER_LOCK_UNLOCK);
	return exists;
}

/* Whether a row has the attributes that its entry has, if the snapshot sees it. */
static bool
row_agrees(NvIndexedTable *t, const NvAttributes *attributes, const NvRowEntry *entry)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	char		image[NV_MAX_IMAGE_BYTES];
	uint16		hash[lengthof(entry->image)];
	MemoryContext old;

	if (!nv_table_fetch(t, &entry->tid))
		return true;
	nv_table_values(t, values, isnull);
	old = MemoryContextSwitchTo(t->econtext->ecxt_per_tuple_memory);
	nv_attributes_summarize(attributes, values, isnull, image);
	MemoryContextSwitchTo(old);
	hash_image(attributes, image, hash);
	return memcmp(hash, entry->image, sizeof(hash)) == 0;
}

/* Whether two entries have the same attributes. */
static inline bool
is_same_image(const NvRowEntry *a, const NvRowEntry *b)
{
	return memcmp(a->image, b->image, sizeof(a->image)) == 0;
}

/* Look each row up in the table; returns how many are there, which go to the front. */
static uint64
look_up(NvRowList *rows, Relation heap, NvReport *report)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);
	Buffer		buffer = InvalidBuffer;
	uint64		n = 0;

	for (uint64 i = 0; i < rows->n; i++)
	{
		const ItemPointerData *tid = &rows->entries[i].tid;
		bool		again;

		CHECK_FOR_INTERRUPTS();
		/* not ItemPointerEquals(): damaged ones need not be valid */
		again = i > 0 &&
			ItemPointerCompare(&rows->entries[i].tid, &rows->entries[i - 1].tid) == 0;
		if (again && !rows->repeated)
			REPORT_ROW(report, tid, "row (%u,%u) is in the index twice");
		/* most entries of a row with many vectors say what the one before says */
		if (again && rows->repeated && is_same_image(&rows->entries[i], &rows->entries[i - 1]))
			continue;
		if (row_exists(heap, tid, &buffer, nblocks))
			rows->entries[n++] = rows->entries[i];
		else
			REPORT_ROW(report, tid, "row (%u,%u) is not in the table");
	}
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
	return n;
}

/* Check the attributes of the first n rows. */
static void
check_attributes(const NvRowList *rows, uint64 n, Relation heap, Relation index, NvReport *report)
{
	NvIndexedTable table;

	nv_table_become_owner(&table, heap);
	nv_table_begin(&table, heap, index, rows->snapshot);
	for (uint64 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!row_agrees(&table, rows->attributes, &rows->entries[i]))
			REPORT_ROW(report, &rows->entries[i].tid,
					   "row (%u,%u) has other attributes in the index than in the table");
	}
	nv_table_end(&table);
	nv_table_become_caller(&table);
}

/* Sort the rows, and check each of them. */
void
nv_rows_check(NvRowList *rows, Relation heap, Relation index, NvReport *report)
{
	uint64		n;

	if (rows->n > 0)
		sort_entries(rows->entries, rows->n);
	n = look_up(rows, heap, report);
	if (rows->attributes->n > 0)
		check_attributes(rows, n, heap, index, report);
	UnregisterSnapshot(rows->snapshot);
}
