/*-------------------------------------------------------------------------
 *
 * ivf_check.c
 *		Checks the structure of an ivf index, and tells what it is made of.
 *
 * A group that does not hold together ends the look at its list; the others
 * are checked all the same.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

#include "am/am_bitmap.h"
#include "am/am_rows.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Check
{
	IvfIndex	ix;
	NvReport   *report;
	BlockNumber nblocks;
	uint8	   *owned;			/* blocks that belong to a list, one bit each */
	NvRowList	rows;
	float	   *centroid;
	PGAlignedBlock group;		/* the group's page, a copy */
	char	   *record;
} Check;

/* Whether the index has a block; inserts may have added some since the check began. */
static bool
has_block(Check *check, BlockNumber block)
{
	BlockNumber nblocks;

	if (block < check->nblocks)
		return true;
	nblocks = RelationGetNumberOfBlocks(check->ix.rel);
	if (nblocks > check->nblocks)
	{
		Size		old = nv_bitmap_bytes(check->nblocks);
		Size		bytes = nv_bitmap_bytes(nblocks);

		check->owned = repalloc_huge(check->owned, bytes);
		memset(check->owned + old, 0, bytes - old);
		check->nblocks = nblocks;
	}
	return block < check->nblocks;
}

/* Whether a block is in the index, of a kind, and nobody else's; reports what is wrong. */
static bool
own(Check *check, BlockNumber block, NvPageKind kind, BlockNumber where, char *copy)
{
	Buffer		buffer;
	bool		good;

	CHECK_FOR_INTERRUPTS();
	if (block < check->ix.layout.groups || !has_block(check, block))
	{
		nv_report_problem(check->report, where, "it points to block %u, where no group can be",
						  block);
		return false;
	}
	if (nv_bit(check->owned, block))
	{
		nv_report_problem(check->report, where, "it points to block %u, as something else does",
						  block);
		return false;
	}
	nv_set_bit(check->owned, block);
	buffer = ReadBuffer(check->ix.rel, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	good = nv_page_is(BufferGetPage(buffer), kind);
	if (good)
		memcpy(copy, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	if (!good)
		nv_report_problem(check->report, block, "not a page of %s",
						  kind == NV_PAGE_IVF_GROUP ? "a group" : "records");
	return good;
}

/* ---- groups ---- */

/* Whether all elements of the centroid in check->centroid are finite. */
static bool
centroid_finite(const Check *check)
{
	for (int i = 0; i < check->ix.length; i++)
	{
		if (!isfinite(check->centroid[i]))
			return false;
	}
	return true;
}

/*
 * Whether the code at a place of a block is that of a step.  For the inner
 * product, add is that of the step from a centroid; NULL: from 0.
 */
static bool
code_agrees(const IvfIndex *ix, uint8 *block, uint32 place, const float *step,
			const float *centroid)
{
	bool		ip = ix->space.ip;
	NvHalfFloat add = IVF_ADD(ix, block)[place];

	if (ip && centroid != NULL)
	{
		if (!nv_product_agrees(centroid, step, ix->length, add))
			return false;
		add = 0;
	}
	return nv_code_agrees(ix->zero, step, ix->length, ix->meta.bits, ip, block, (int) place, add,
						  IVF_FACTOR(ix, block)[place]);
}

/* Check the code of entry i of the group in check->group. */
static void
check_code(Check *check, BlockNumber block, uint32 i, const NvStored *v)
{
	IvfIndex   *ix = &check->ix;

	if (ix->meta.bits == 0)
		return;
	nv_stored_floats(&ix->space, v, ix->floats);
	if (!code_agrees(ix, ivf_code_block(ix, ivf_group_of(check->group.data), i),
					 i % NV_FASTSCAN_BLOCK, ix->floats, check->centroid))
		nv_report_problem(check->report, block, "the code of entry %u is not that of its vector", i);
}

/* Check an entry by its record, and remember its row. */
static void
check_entry(Check *check, BlockNumber block, uint32 i, const IvfRecord *record)
{
	NvStored	v = ivf_stored(&check->ix, record);
	const char *image = ivf_image(&check->ix, ivf_group_of(check->group.data), i);

	if (!nv_attributes_valid(&check->ix.attributes, image))
		nv_report_problem(check->report, block, "entry %u has attributes that make no sense", i);
	nv_rows_add(&check->rows, &record->tid, image);
	if (!ItemPointerIsValid(&record->tid))
		nv_report_problem(check->report, block, "entry %u has an invalid row pointer", i);
	if (!isfinite(v.scale) || !isfinite(v.offset) || !isfinite(v.error) ||
		(check->ix.meta.bits > 0 ? !nv_stored_valid(&check->ix.space, &v) : v.error < 0))
		nv_report_problem(check->report, block, "entry %u has a vector that makes no sense", i);
	else
		check_code(check, block, i, &v);
}

/* Check the entries of the group in check->group; false when its records are not there. */
static bool
check_entries(Check *check, BlockNumber block)
{
	const IvfShape *shape = &check->ix.layout.record;
	const IvfGroup *group = ivf_group_of(check->group.data);
	PGAlignedBlock page;
	uint32		n = 0;

	for (; n < group->n && ivf_inline(&check->ix); n++)
		check_entry(check, block, n, ivf_inline_record(&check->ix, group, n));
	while (n < group->n)
	{
		uint32		number;
		uint32		offset;
		uint32		done = 0;

		ivf_locate(shape, n, &number, &offset);
		while (done < shape->bytes)
		{
			uint32		part = Min(shape->bytes - done, NV_PAGE_ROOM - offset);

			if (offset == 0 &&
				!own(check, group->records[number], NV_PAGE_IVF_RECORDS, block, page.data))
				return false;
			memcpy(check->record + done, NV_PAGE_CONTENTS(page.data) + offset, part);
			done += part;
			number++;
			offset = 0;
		}
		check_entry(check, block, n++, (const IvfRecord *) check->record);
	}
	return true;
}

/* Check the group in check->group; false when its list cannot be followed further. */
static bool
check_group(Check *check, BlockNumber block, uint32 list)
{
	const IvfGroup *group = ivf_group_of(check->group.data);

	if (group->list != list)
		nv_report_problem(check->report, block, "the group says list %u and is in list %u",
						  group->list, list);
	else if (group->n > check->ix.layout.entries)
		nv_report_problem(check->report, block, "the group says %u entries, and has room for %u",
						  group->n, check->ix.layout.entries);
	else if (group->next <= block)
		nv_report_problem(check->report, block, "the next group, block %u, comes before it",
						  group->next);
	else
		return check_entries(check, block);
	return false;
}

/* Check the chain of groups of a list, and its entry in the directory. */
static void
check_list(Check *check, uint32 list)
{
	IvfList		entry = ivf_read_list(&check->ix, list);
	BlockNumber where = check->ix.layout.directory + list / IVF_LISTS_PER_PAGE;
	bool		room_seen = entry.first == InvalidBlockNumber;

	ivf_read_centroid(&check->ix, list, check->centroid);
	if (list >= ivf_built_lists(&check->ix.meta) && ivf_to_come(&check->ix, check->centroid))
	{
		if (entry.first != InvalidBlockNumber)
			nv_report_problem(check->report, where, "list %u has entries and no centroid", list);
		return;
	}
	if (!centroid_finite(check))
		nv_report_problem(check->report, check->ix.layout.centroids,
						  "the centroid of list %u makes no sense", list);
	for (BlockNumber block = entry.first; block != InvalidBlockNumber;
		 block = ivf_group_of(check->group.data)->next)
	{
		room_seen |= block == entry.room;
		if (!own(check, block, NV_PAGE_IVF_GROUP, where, check->group.data) ||
			!check_group(check, block, list))
			return;
		where = block;
	}
	if (!room_seen)
		nv_report_problem(check->report, check->ix.layout.directory + list / IVF_LISTS_PER_PAGE,
						  "room of list %u is at block %u, which is not in the list", list,
						  entry.room);
}

/* ---- centroids ---- */

/* Whether the codes of the centroids are theirs. */
static void
check_centroid_codes(Check *check)
{
	IvfIndex   *ix = &check->ix;
	uint8	   *codes = palloc(ix->layout.code_block);

	for (uint32 first = 0; first < ix->meta.lists; first += NV_FASTSCAN_BLOCK)
	{
		uint32		n = Min(NV_FASTSCAN_BLOCK, ix->meta.lists - first);

		ivf_read_item(ix, NV_PAGE_IVF_CENTROID_CODES, ix->layout.centroid_codes,
					   &ix->layout.centroid_block, first / NV_FASTSCAN_BLOCK, codes);
		for (uint32 i = 0; i < n; i++)
		{
			ivf_read_centroid(ix, first + i, check->centroid);
			/* what codes are when a crash kept a list from coming does not matter */
			if (!ivf_to_come(ix, check->centroid) && !code_agrees(ix, codes, i, check->centroid, NULL))
				nv_report_problem(check->report, ix->layout.centroid_codes,
								  "the code of the centroid of list %u is not its own", first + i);
		}
	}
}

/* Check an index: see NvMethod. */
void
ivf_check(Relation heap, Relation rel, NvReport *report)
{
	Check	   *check = palloc0(sizeof(Check));

	ivf_open(&check->ix, rel);
	check->report = report;
	check->nblocks = RelationGetNumberOfBlocks(rel);
	check->owned = nv_bitmap_alloc(check->nblocks);
	check->centroid = palloc(sizeof(float) * check->ix.length);
	check->record = palloc(check->ix.layout.record.bytes);
	if (check->nblocks < check->ix.layout.groups)
	{
		nv_report_problem(report, IVF_META_BLOCK, "the index has %u blocks, and %u before its groups",
						  check->nblocks, check->ix.layout.groups);
		return;
	}
	nv_rows_begin(&check->rows, &check->ix.attributes);
	if (check->ix.meta.bits > 0)
		check_centroid_codes(check);
	for (uint32 list = 0; list < check->ix.meta.lists; list++)
		check_list(check, list);
	nv_rows_check(&check->rows, heap, rel, report);
}

/* ---- information ---- */

/* Entries that are measured for the mean distance from their centroids. */
#define MEASURED_ENTRIES 20000

/* When people are told to REINDEX: so much farther away, so many more rows. */
#define FAR_TIMES 1.2
#define MORE_TIMES 3

typedef struct Census
{
	uint32	   *sizes;			/* entries of each list that there is */
	uint32		lists;			/* so many */
	uint64		rows;
	uint64		groups;
	uint64		records;		/* pages of them */
	double		distance;		/* sum */
	uint64		nmeasured;
} Census;

/* Count what is in a list, as number "place"; measure entries if step > 0, one in so many. */
static void
count_list(IvfIndex *ix, uint32 list, uint32 place, uint64 step, float *centroid, Census *census)
{
	BlockNumber next;

	for (BlockNumber block = ivf_read_list(ix, list).first; block != InvalidBlockNumber;
		 block = next)
	{
		Buffer		records = InvalidBuffer;
		Buffer		buffer;
		const IvfGroup *group;

		CHECK_FOR_INTERRUPTS();
		buffer = ivf_lock_group(ix, block, list, BUFFER_LOCK_SHARE);
		group = ivf_group_of(BufferGetPage(buffer));
		census->groups++;
		census->sizes[place] += group->n;
		for (uint32 i = 0; i < ix->layout.record_pages; i++)
			census->records += group->records[i] != InvalidBlockNumber;
		for (uint32 i = 0; step > 0 && i < group->n; i++)
		{
			NvStored	v;

			if ((census->rows + i) % step != 0)
				continue;
			v = ivf_stored(ix, ivf_read_record(ix, group, i, &records));
			nv_stored_floats(&ix->space, &v, ix->floats);
			/* where there are codes it is the step from the centroid */
			census->distance += sqrt(nv_kern.l2sq_f32(ix->floats,
													  ix->meta.bits > 0 ? ix->zero : centroid,
													  ix->length));
			census->nmeasured++;
		}
		census->rows += group->n;
		ivf_release_page(&records);
		next = group->next;
		UnlockReleaseBuffer(buffer);
	}
}

/* Count everything twice, since the first time tells how many entries to measure. */
static void
take_census(IvfIndex *ix, Census *census)
{
	float	   *centroid = palloc(sizeof(float) * ix->length);
	uint64		step;

	census->sizes = palloc0(sizeof(uint32) * ix->meta.lists);
	for (uint32 list = 0; list < ix->meta.lists; list++)
		count_list(ix, list, list, 0, NULL, census);
	step = census->rows / MEASURED_ENTRIES + 1;
	memset(census->sizes, 0, sizeof(uint32) * ix->meta.lists);
	census->rows = census->groups = census->records = 0;
	for (uint32 list = 0; list < ix->meta.lists; list++)
	{
		ivf_read_centroid(ix, list, centroid);
		if (!ivf_to_come(ix, centroid))
			count_list(ix, list, census->lists++, step, centroid, census);
	}
}

/* For qsort(): ascending. */
static int
compare_sizes(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

/* Sorts the sizes. */
static void
report_lists(NvReport *report, const IvfIndex *ix, Census *census)
{
	uint32		lists = census->lists;
	double		squares = 0;

	if (lists == 0)
		return;
	qsort(census->sizes, lists, sizeof(uint32), compare_sizes);
	for (uint32 i = 0; i < lists; i++)
		squares += (double) census->sizes[i] * census->sizes[i];
	nv_report_property(report, "rows of a list, least", "%u", census->sizes[0]);
	nv_report_property(report, "rows of a list, median", "%u", census->sizes[lists / 2]);
	nv_report_property(report, "rows of a list, most", "%u", census->sizes[lists - 1]);
	/* by how much a search reads more than if all lists were of one size */
	nv_report_property(report, "imbalance of lists", "%.2f",
					   census->rows > 0 ? squares * lists / census->rows / census->rows : 1);
}

/* Tell what the build saw, and whether the rows are still like that. */
static void
report_training(NvReport *report, const IvfIndex *ix, const Census *census)
{
	const IvfMeta *meta = &ix->meta;
	double		distance = census->nmeasured > 0 ? census->distance / census->nmeasured : 0;
	const char *advice = "none";

	nv_report_property(report, "rows when built", "%.0f", meta->trained_rows);
	nv_report_property(report, "rows that centroids were found with", "%u", meta->trained_sample);
	nv_report_property(report, "distance from the centroid when built, mean", "%g",
					   meta->trained_distance);
	nv_report_property(report, "distance from the centroid, mean", "%g", distance);
	if (census->rows > MORE_TIMES * Max(meta->trained_rows, 1))
		advice = "REINDEX: there are many more rows than when the index was built";
	else if (ivf_small_sample(meta))
		advice = "REINDEX with a larger maintenance_work_mem: few rows were used to find the centroids";
	else if (census->nmeasured > 0 && distance > FAR_TIMES * meta->trained_distance)
		advice = "REINDEX: rows are far from the centroids of their lists";
	nv_report_property(report, "advice", "%s", advice);
}

/* Tell what an index is made of: see NvMethod. */
void
ivf_info(Relation rel, NvReport *report)
{
	IvfIndex	ix;
	Census		census;

	memset(&census, 0, sizeof(census));
	ivf_open(&ix, rel);
	take_census(&ix, &census);
	nv_report_property(report, "format version", "%u", ix.meta.version);
	nv_report_property(report, "type", "%s(%d)", ix.space.type->name, ix.meta.dims);
	nv_report_property(report, "storage", "%s", nv_form_name(ix.meta.form));
	nv_report_property(report, "lists", "%u", census.lists);
	nv_report_property(report, "lists to come", "%u", ix.meta.lists - census.lists);
	nv_report_property(report, "probes", "%d", ivf_probes(&ix));
	nv_report_property(report, "bits of a code", "%d", ix.meta.bits);
	nv_report_property(report, "bytes of a vector", "%u", ix.vector_bytes);
	if (ix.attributes.n > 0)
		nv_report_property(report, "bytes of attributes", "%u", ix.meta.attribute_bytes);
	nv_report_property(report, "entries of a group", "%u", ix.layout.entries);
	nv_report_property(report, "pages", "%u", RelationGetNumberOfBlocks(rel));
	nv_report_property(report, "pages of centroids", "%u", ix.layout.groups - ix.layout.centroids);
	nv_report_property(report, "pages of codes", UINT64_FORMAT, census.groups);
	nv_report_property(report, "pages of records", UINT64_FORMAT, census.records);
	nv_report_property(report, "rows", UINT64_FORMAT, census.rows);
	report_lists(report, &ix, &census);
	report_training(report, &ix, &census);
}
