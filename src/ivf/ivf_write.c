/*-------------------------------------------------------------------------
 *
 * ivf_write.c
 *		Writes the pages of an ivf index that is built.
 *
 * Nothing is logged here: the index is logged as a whole at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf_build.h"

#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

/* Write an array of items into pages of a kind, at the end of a fork. */
static void
append_array(Relation rel, ForkNumber fork, NvPageKind kind, const IvfShape *shape,
			  const char *items, uint32 n)
{
	if (shape->per_page > 0)
	{
		for (uint32 i = 0; i < n; i += shape->per_page)
		{
			CHECK_FOR_INTERRUPTS();
			nv_append_page(rel, fork, kind, items + (Size) i * shape->bytes,
						   Min(shape->per_page, n - i) * shape->bytes);
		}
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 done = 0; done < shape->bytes; done += NV_PAGE_ROOM)
			nv_append_page(rel, fork, kind, items + (Size) i * shape->bytes + done,
						   Min(NV_PAGE_ROOM, shape->bytes - done));
	}
}

/* Codes of the centroids, relative to 0. */
static void
append_centroid_codes(IvfIndex *ix, ForkNumber fork, const float *centroids)
{
	uint32		nblocks = (ix->meta.lists + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK;
	Size		bytes = ix->layout.code_block;
	char	   *blocks = palloc_extended(bytes * nblocks, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < ix->meta.lists; i++)
	{
		uint8	   *block = (uint8 *) blocks + i / NV_FASTSCAN_BLOCK * bytes;

		ivf_code_centroid(ix, block, i % NV_FASTSCAN_BLOCK, centroids + (Size) i * ix->length);
	}
	append_array(ix->rel, fork, NV_PAGE_IVF_CENTROID_CODES, &ix->layout.centroid_block, blocks,
				  nblocks);
	pfree(blocks);
}

/* Write everything that comes before the groups.  The lists are empty as yet. */
void
ivf_write_head(IvfIndex *ix, ForkNumber fork, const float *mean, const float *centroids)
{
	IvfList    *lists = palloc(sizeof(IvfList) * ix->meta.lists);
	IvfShape	shape = {.bytes = sizeof(IvfList), .per_page = IVF_LISTS_PER_PAGE, .pages = 1};

	Assert((mean != NULL) == (ix->meta.has_mean != 0));
	for (uint32 i = 0; i < ix->meta.lists; i++)
		lists[i].first = lists[i].room = InvalidBlockNumber;
	nv_append_page(ix->rel, fork, NV_PAGE_IVF_META, &ix->meta, sizeof(IvfMeta));
	if (mean != NULL)
		nv_append_mean(ix->rel, fork, mean, ix->meta.dims);
	append_array(ix->rel, fork, NV_PAGE_IVF_DIRECTORY, &shape, (const char *) lists,
				  ix->meta.lists);
	append_array(ix->rel, fork, NV_PAGE_IVF_CENTROIDS, &ix->layout.centroid,
				  (const char *) centroids, ix->meta.lists);
	if (ix->meta.bits > 0)
		append_centroid_codes(ix, fork, centroids);
	/* everything is where the layout says */
	Assert(RelationGetNumberOfBlocksInFork(ix->rel, fork) == ix->layout.groups);
	pfree(lists);
}

/* The group being written: its records wait until they are all there. */
typedef struct GroupWriter
{
	uint32		list;
	uint32		n;
	char	   *records;
	char	   *images;			/* of their attributes */
	Buffer		last;			/* group of this list before, locked, or InvalidBuffer */
} GroupWriter;

/* Write the record pages of a group, and their numbers into it. */
static void
write_records(IvfBuild *build, const GroupWriter *w, IvfGroup *group)
{
	const IvfShape *shape = &build->ix.layout.record;
	uint32		step = Max(shape->per_page, 1);
	uint32		page = 0;

	for (uint32 i = 0; i < w->n; i += step)
	{
		Size		bytes = (Size) Min(step, w->n - i) * shape->bytes;

		for (Size done = 0; done < bytes; done += NV_PAGE_ROOM)
		{
			Size		part = Min(NV_PAGE_ROOM, bytes - done);
			Buffer		buffer = nv_extend(build->rel);
			Page		p = BufferGetPage(buffer);

			nv_page_init(p, NV_PAGE_IVF_RECORDS);
			memcpy(NV_PAGE_CONTENTS(p), w->records + (Size) i * shape->bytes + done, part);
			nv_page_use_none(p);
			nv_page_use(p, NV_PAGE_CONTENTS(p) + part);
			Assert(page < build->ix.layout.record_pages);
			group->records[page++] = BufferGetBlockNumber(buffer);
			MarkBufferDirty(buffer);
			UnlockReleaseBuffer(buffer);
		}
	}
}

/* Say in the directory where a list begins, or where it has room. */
static void
update_list(IvfBuild *build, uint32 list, BlockNumber group)
{
	Buffer		buffer = ReadBuffer(build->rel, build->ix.layout.directory +
									list / IVF_LISTS_PER_PAGE);
	IvfList    *entry;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	entry = (IvfList *) NV_PAGE_CONTENTS(BufferGetPage(buffer)) + list % IVF_LISTS_PER_PAGE;
	if (entry->first == InvalidBlockNumber)
		entry->first = group;
	entry->room = group;
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/* Write the group that is complete, and link it to the one before. */
static void
write_group(IvfBuild *build, GroupWriter *w)
{
	IvfIndex   *ix = &build->ix;
	const float *centroid = build->centroids + (Size) w->list * build->length;
	Buffer		buffer = nv_extend(build->rel);
	Page		page = BufferGetPage(buffer);
	IvfGroup   *group = ivf_group_of(page);

	Assert(w->n > 0 && w->n <= ix->layout.entries);
	Assert(w->last == InvalidBuffer ||
		   BufferGetBlockNumber(buffer) > BufferGetBlockNumber(w->last));
	ivf_init_group(ix, page, w->list);
	if (ivf_inline(ix))
	{
		Size		bytes = (Size) w->n * ix->layout.record.bytes;

		memcpy(ivf_inline_record(ix, group, 0), w->records, bytes);
		nv_page_use(page, (const char *) ivf_inline_record(ix, group, 0) + bytes);
	}
	else
		write_records(build, w, group);
	for (uint32 i = 0; i < w->n; i++)
	{
		ivf_code_entry(ix, page, i, centroid,
					   (const IvfRecord *) (w->records + (Size) i * ix->layout.record.bytes));
		ivf_write_image(ix, page, i, w->images + (Size) i * ix->meta.attribute_bytes);
	}
	group->n = w->n;
	MarkBufferDirty(buffer);
	if (w->last != InvalidBuffer)
	{
		ivf_group_of(BufferGetPage(w->last))->next = BufferGetBlockNumber(buffer);
		MarkBufferDirty(w->last);
		UnlockReleaseBuffer(w->last);
	}
	update_list(build, w->list, BufferGetBlockNumber(buffer));
	w->last = buffer;
	w->n = 0;
}

/* The list is complete: write what waits. */
static void
end_list(IvfBuild *build, GroupWriter *w)
{
	if (w->n > 0)
		write_group(build, w);
	if (w->last != InvalidBuffer)
		UnlockReleaseBuffer(w->last);
	w->last = InvalidBuffer;
}

/* Write the groups of all lists, as their rows come out of the sort. */
void
ivf_write_groups(IvfBuild *build)
{
	Size		bytes = build->ix.layout.record.bytes;
	Size		image_bytes = build->meta.attribute_bytes;
	GroupWriter w = {
		.records = palloc_extended(bytes * build->ix.layout.entries, MCXT_ALLOC_HUGE),
		.images = palloc(image_bytes * build->ix.layout.entries),
		.last = InvalidBuffer
	};
	int64		done = 0;

	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, (int64) build->ntuples);
	tuplesort_performsort(build->sort);
	while (tuplesort_gettupleslot(build->sort, true, false, build->slot, NULL))
	{
		bool		isnull;
		uint32		list = (uint32) DatumGetInt32(slot_getattr(build->slot, 1, &isnull));
		bytea	   *sorted = DatumGetByteaPP(slot_getattr(build->slot, 2, &isnull));

		CHECK_FOR_INTERRUPTS();
		Assert(list >= w.list && list < build->meta.lists);
		if (list != w.list)
			end_list(build, &w);
		w.list = list;
		Assert(VARSIZE_ANY_EXHDR(sorted) == ivf_sorted_bytes(&build->ix));
		memcpy(w.records + w.n * bytes, VARDATA_ANY(sorted), bytes);
		memcpy(w.images + w.n++ * image_bytes, VARDATA_ANY(sorted) + bytes, image_bytes);
		if (w.n == build->ix.layout.entries)
			write_group(build, &w);
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, ++done);
	}
	end_list(build, &w);
	tuplesort_end(build->sort);
	ExecDropSingleTupleTableSlot(build->slot);
}

/* Complete the metapage with what is known only at the end. */
void
ivf_finish_meta(IvfBuild *build)
{
	Buffer		buffer = ReadBuffer(build->rel, IVF_META_BLOCK);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	((IvfMeta *) NV_PAGE_CONTENTS(BufferGetPage(buffer)))->trained_distance =
		(float) (build->distance_sum / Max(build->ntuples, 1));
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}
