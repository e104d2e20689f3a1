/*-------------------------------------------------------------------------
 *
 * hnsw_check.c
 *		Checks the structure of an hnsw index, and tells what it is made of.
 *
 * Everything read here may be damaged: nothing is followed before it was
 * checked, and checking goes on after each problem.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"
#include "hnsw/hnsw_map.h"

#include "am/am_custom.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

/* What is known of each slot after the first look. */
typedef struct SlotInfo
{
	uint8		kind;			/* HnswSlotKind */
	uint8		level;
	uint8		flags;
	uint8		top_level;
	bool		good;			/* its header makes sense */
} SlotInfo;

typedef struct Check
{
	HnswIndex	ix;
	NvReport   *report;
	BlockNumber first_block;
	BlockNumber nblocks;
	uint32		nslots;
	SlotInfo   *slots;
	uint8	   *owned;			/* rests of vectors that a node has */
	NvRowList	rows;
	PGAlignedBlock page;		/* the page being looked at, a copy */
	MemoryContext scratch;
} Check;

#define PROBLEM(check, slot, ...) \
	nv_report_problem((check)->report, hnsw_slot_block(&(check)->ix.meta, slot), __VA_ARGS__)

/* Copy a page into check->page.  Returns false, after a report, if it is no slot page. */
static bool
load_page(Check *check, BlockNumber block, bool report)
{
	Buffer		buffer = ReadBuffer(check->ix.rel, block);
	bool		good;

	CHECK_FOR_INTERRUPTS();
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (hnsw_is_map_block(&check->ix.meta, block))
	{
		if (report && !PageIsNew(BufferGetPage(buffer)) &&
			!nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_MAP))
			nv_report_problem(check->report, block, "not a page of the map of attributes");
		UnlockReleaseBuffer(buffer);
		return false;
	}
	good = nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS);
	if (good)
		memcpy(check->page.data, BufferGetPage(buffer), BLCKSZ);
	/* a crash right after the file grew leaves a page of zeros */
	else if (report && !PageIsNew(BufferGetPage(buffer)))
		nv_report_problem(check->report, block, "not a page of slots");
	UnlockReleaseBuffer(buffer);
	return good;
}

/* ---- first look: headers ---- */

/* Remember the rows of a node. */
static void
add_tids(Check *check, uint32 slot, const HnswNode *node)
{
	const ItemPointerData *tids = HNSW_TIDS(&check->ix.layout, node);

	for (int i = 0; i < node->ntids; i++)
	{
		nv_rows_add(&check->rows, &tids[i]);
		if (!ItemPointerIsValid(&tids[i]))
			PROBLEM(check, slot, "node %u has an invalid row pointer", slot);
		for (int j = 0; check->ix.many && j < i; j++)
		{
			if (memcmp(&tids[j], &tids[i], sizeof(*tids)) == 0)
				PROBLEM(check, slot, "node %u has row (%u,%u) twice", slot,
						ItemPointerGetBlockNumberNoCheck(&tids[i]),
						ItemPointerGetOffsetNumberNoCheck(&tids[i]));
		}
	}
}

/* Check the header of a slot, and note what it is. */
static void
check_header(Check *check, uint32 slot, const HnswNode *node)
{
	SlotInfo   *info = &check->slots[slot];
	const HnswMeta *meta = &check->ix.meta;

	info->kind = node->kind;
	info->good = true;
	if (node->kind == HNSW_SLOT_FREE || node->kind == HNSW_SLOT_REST)
		return;
	info->good = false;
	if (node->kind != HNSW_SLOT_NODE)
		PROBLEM(check, slot, "slot %u is of unknown kind %d", slot, node->kind);
	else if (node->level > HNSW_MAX_LEVEL)
		PROBLEM(check, slot, "node %u has level %d", slot, node->level);
	else if (node->top_level > (node->level == 0 ? HNSW_MAX_LEVEL : 0))
		PROBLEM(check, slot, "node %u on level %d has top level %d", slot, node->level,
				node->top_level);
	else if (node->nedges > hnsw_max_edges(meta))
		PROBLEM(check, slot, "node %u on level %d has %d neighbors", slot, node->level,
				node->nedges);
	else if (node->ntids > check->ix.meta.node_tids || (node->level > 0 && node->ntids > 0))
		PROBLEM(check, slot, "node %u on level %d has %d rows", slot, node->level, node->ntids);
	else if (!hnsw_vector_bytes_valid(&check->ix, node->vector_bytes))
		PROBLEM(check, slot, "node %u has a vector of %u bytes", slot, node->vector_bytes);
	else if (node->level == 0 && node->ntids == 0 && !(node->flags & HNSW_DEAD))
		PROBLEM(check, slot, "node %u has no rows and is not marked dead", slot);
	else
	{
		info->good = true;
		info->level = node->level;
		info->top_level = (uint8) node->top_level;
		info->flags = node->flags;
		add_tids(check, slot, node);
	}
}

/* Check the headers of all slots. */
static void
look_at_headers(Check *check)
{
	for (BlockNumber block = check->first_block; block < check->nblocks; block++)
	{
		uint32		first = hnsw_first_slot(&check->ix.meta, block);

		if (!load_page(check, block, true))
			continue;
		for (int i = 0; i < check->ix.meta.slots_per_page; i++)
			check_header(check, first + i, (const HnswNode *)
						 hnsw_slot_at(&check->ix.meta, check->page.data, i));
	}
}

/* ---- second look: what nodes point to ---- */

/* Whether a slot holds a good node of a level. */
static bool
is_node(const Check *check, uint32 slot, int level)
{
	return slot < check->nslots && check->slots[slot].kind == HNSW_SLOT_NODE &&
		check->slots[slot].good && check->slots[slot].level == level;
}

/* Check the edges of a node against the nodes that they lead to. */
static void
check_edges(Check *check, uint32 slot, const HnswNode *node)
{
	const uint32 *neighbors = HNSW_NEIGHBORS(node);

	for (int i = 0; i < node->nedges; i++)
	{
		if (neighbors[i] == slot)
			PROBLEM(check, slot, "node %u is its own neighbor", slot);
		else if (!is_node(check, neighbors[i], node->level))
			PROBLEM(check, slot, "node %u has neighbor %u, which is no node of level %d", slot,
					neighbors[i], node->level);
		for (int j = 0; j < i; j++)
		{
			if (neighbors[j] == neighbors[i])
				PROBLEM(check, slot, "node %u has neighbor %u twice", slot, neighbors[i]);
		}
	}
}

/* Check that a node and those of the same vector on other levels know of each other. */
static void
check_levels(Check *check, uint32 slot, const HnswNode *node)
{
	uint32		down = hnsw_down(&check->ix, node);
	uint32		base = hnsw_base(&check->ix, node);

	if (node->level == 0)
		return;
	if (!is_node(check, down, node->level - 1))
		PROBLEM(check, slot, "node %u has no node below it", slot);
	if (!is_node(check, base, 0))
		PROBLEM(check, slot, "node %u has no node on level 0", slot);
	if (node->level == 1 && down != base)
		PROBLEM(check, slot, "node %u has two nodes on level 0", slot);
	if (is_node(check, base, 0) && check->slots[base].top_level < node->level)
		PROBLEM(check, slot, "node %u is on level %d, above the top level of node %u", slot,
				node->level, base);
}

/* Follow the rest of a vector; false when it can't be read. */
static bool
check_rest(Check *check, uint32 slot, const HnswNode *node)
{
	uint32		room = check->ix.meta.slot_bytes - offsetof(HnswRest, data);
	int64		left = (int64) node->vector_bytes - check->ix.layout.vector_room;
	uint32		rest = node->rest;

	for (; left > 0; left -= room)
	{
		Buffer		buffer;

		if (rest >= check->nslots || check->slots[rest].kind != HNSW_SLOT_REST)
		{
			PROBLEM(check, slot, "the vector of node %u is incomplete", slot);
			return false;
		}
		if (nv_bit(check->owned, rest))
			PROBLEM(check, slot, "the vector of node %u shares slot %u with another", slot, rest);
		nv_set_bit(check->owned, rest);
		buffer = ReadBuffer(check->ix.rel, hnsw_slot_block(&check->ix.meta, rest));
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		rest = ((const HnswRest *) hnsw_slot_at(&check->ix.meta, BufferGetPage(buffer),
												rest))->next;
		UnlockReleaseBuffer(buffer);
	}
	if (rest != HNSW_NO_SLOT)
		PROBLEM(check, slot, "the vector of node %u does not end", slot);
	return rest == HNSW_NO_SLOT;
}

/* Check what a node says of its vector, and that the vector is the same on all levels. */
static void
check_vector(Check *check, uint32 slot, const HnswNodeCopy *self, const HnswNode *node)
{
	HnswNodeCopy base;
	uint32		base_slot = hnsw_base(&check->ix, node);

	if (!nv_stored_valid(&check->ix.space, &self->stored))
		PROBLEM(check, slot, "the vector of node %u does not have the sums it should", slot);
	if (node->level > 0 && is_node(check, base_slot, 0) &&
		hnsw_copy_node(&check->ix, base_slot, &base) &&
		!nv_stored_equal(&self->stored, &base.stored))
		PROBLEM(check, slot, "node %u has another vector than node %u", slot, base_slot);
}

/* Whether the code of edge number i is that of the step from p to o, as far as it can be told. */
static bool
edge_agrees(const HnswIndex *ix, const HnswNode *node, int i, const float *p, const float *o)
{
	const HnswLayout *layout = &ix->layout;
	int			bits = ix->meta.bits;
	const uint8 *block = HNSW_CODES(layout, node) +
		i / NV_FASTSCAN_BLOCK * NV_CODE_BLOCK_BYTES(bits);
	const char *add = HNSW_ADD(layout, node) + i * layout->add_bytes;
	const char *factor = HNSW_FACTOR(layout, node) + i * layout->factor_bytes;

	if (ix->short_factors == NULL)
		return nv_code_agrees(p, o, ix->space.length, bits, ix->space.ip, block,
							  i % NV_FASTSCAN_BLOCK, *(const NvHalfFloat *) add,
							  *(const NvHalfFloat *) factor);
	return nv_short_code_agrees(ix->short_factors, p, o, ix->space.length, bits, block,
								i % NV_FASTSCAN_BLOCK, *(const uint8 *) add,
								layout->factor_bytes > 0 ? (const int8 *) factor : NULL);
}

/* Compare the codes with those of the vectors. */
static void
check_codes(Check *check, uint32 slot, const HnswNodeCopy *self, const HnswNode *node)
{
	HnswIndex  *ix = &check->ix;
	int			length = ix->space.length;
	int			bits = ix->meta.bits;
	float	   *p = ix->edge_floats;
	float	   *o = p + length;

	if (bits == 0)
		return;
	nv_stored_floats(&ix->space, &self->stored, p);
	for (int i = 0; i < node->nedges; i++)
	{
		uint32		to = HNSW_NEIGHBORS(node)[i];
		HnswNodeCopy neighbor;

		if (!is_node(check, to, node->level) || !hnsw_copy_node(ix, to, &neighbor))
			continue;
		nv_stored_floats(&ix->space, &neighbor.stored, o);
		if (!edge_agrees(ix, node, i, p, o))
			PROBLEM(check, slot, "node %u has a wrong code for neighbor %u", slot, to);
	}
}

/*
 * Check the attributes of a node against the map.  Dead nodes have their entries until
 * they are freed.
 */
static void
check_attributes(Check *check, uint32 slot, const HnswNode *node)
{
	const char *image = HNSW_IMAGE(&check->ix.layout, node);

	if (check->ix.attributes.n == 0)
		return;
	if (node->level == 0 && !nv_attributes_valid(&check->ix.attributes, image))
		PROBLEM(check, slot, "node %u has attributes that make no sense", slot);
	else if (!hnsw_map_agrees(&check->ix, slot, node->level == 0 ? image : NULL))
		PROBLEM(check, slot, "the map has other attributes than node %u", slot);
}

/* Check every node beside others, which needs their pages too. */
static void
look_at_nodes(Check *check)
{
	for (BlockNumber block = check->first_block; block < check->nblocks; block++)
	{
		uint32		first = hnsw_first_slot(&check->ix.meta, block);

		if (!load_page(check, block, false))
			continue;
		for (int i = 0; i < check->ix.meta.slots_per_page; i++)
		{
			const HnswNode *node = (const HnswNode *)
				hnsw_slot_at(&check->ix.meta, check->page.data, i);
			HnswNodeCopy self;
			MemoryContext old;
			/* vacuum may have ended while it freed what dead nodes point to */
			bool		dead = (node->flags & HNSW_DEAD) != 0;

			if (node->kind != HNSW_SLOT_NODE || !check->slots[first + i].good)
				continue;
			old = MemoryContextSwitchTo(check->scratch);
			check_attributes(check, first + i, node);
			if (!dead)
			{
				check_edges(check, first + i, node);
				check_levels(check, first + i, node);
			}
			if (check_rest(check, first + i, node) && !dead &&
				hnsw_copy_node(&check->ix, first + i, &self))
			{
				check_vector(check, first + i, &self, node);
				check_codes(check, first + i, &self, node);
			}
			MemoryContextSwitchTo(old);
			MemoryContextReset(check->scratch);
		}
	}
}

/* ---- the graph as a whole ---- */

/* Check the entry point. */
static void
check_entry(Check *check)
{
	uint32		entry;
	int			level;

	hnsw_get_entry(&check->ix, &entry, &level);
	if (entry != HNSW_NO_SLOT && !is_node(check, entry, level))
		nv_report_problem(check->report, HNSW_META_BLOCK,
						  "the entry point %u is no node of level %d", entry, level);
}

/*
 * Live nodes that searches cannot come to.  An insert that was cut off leaves
 * such nodes too, for vacuum to free: even the only ones, so that there is no
 * entry point, or some above it.
 */
static void
check_reachable(Check *check)
{
	uint8	   *reached = nv_bitmap_alloc(check->nslots);
	uint32		entry;
	int			level;

	/* a walk through damaged nodes would end in an error */
	for (uint32 slot = 0; slot < check->nslots; slot++)
	{
		if (!check->slots[slot].good)
			return;
	}
	hnsw_get_entry(&check->ix, &entry, &level);
	if (entry != HNSW_NO_SLOT)
		hnsw_mark_reachable(&check->ix, entry, reached, check->nslots);
	for (uint32 slot = 0; slot < check->nslots; slot++)
	{
		const SlotInfo *info = &check->slots[slot];

		if (info->kind == HNSW_SLOT_NODE && !(info->flags & HNSW_DEAD) &&
			!nv_bit(reached, slot))
			PROBLEM(check, slot, "node %u on level %d cannot be reached from the entry point",
					slot, info->level);
	}
	pfree(reached);
}

/* Check an index: see NvMethod. */
void
hnsw_check(Relation heap, Relation rel, NvReport *report)
{
	Check	   *check = palloc0(sizeof(Check));

	/* before the page is locked, since it looks into catalogs, which others may have locked */
	hnsw_open(&check->ix, rel);
	/* inserts wait, so that what is seen fits together */
	LockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	check->report = report;
	check->rows.repeated = check->ix.many;
	check->first_block = hnsw_first_block(&check->ix.meta);
	check->nblocks = RelationGetNumberOfBlocks(rel);
	check->nslots = check->nblocks > check->first_block ?
		hnsw_first_slot(&check->ix.meta, check->nblocks) : 0;
	check->slots = palloc_extended(mul_size(sizeof(SlotInfo), add_size(check->nslots, 1)),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	/* slots of pages that can't be read count as free */
	for (uint32 i = 0; i < check->nslots; i++)
		check->slots[i].good = true;
	check->owned = nv_bitmap_alloc(check->nslots);
	check->scratch = AllocSetContextCreate(CurrentMemoryContext, "hnsw check node",
										   ALLOCSET_DEFAULT_SIZES);
	look_at_headers(check);
	look_at_nodes(check);
	check_entry(check);
	check_reachable(check);
	UnlockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	nv_rows_check(&check->rows, heap, report);
}

/* ---- information ---- */

/* REINDEX is advised when more than one in so many vectors is stored finely, */
#define FINE_PART 10

/* or when the index could be planned by as many rows as it has vectors. */
#define ENOUGH_NODES 1000

typedef struct Census
{
	uint64		nodes[HNSW_MAX_LEVEL + 1];
	uint64		degrees[HNSW_MAX_SLOTS + 1];
	uint64		edges;			/* on level 0 */
	uint64		rows;
	uint64		dead;
	uint64		rest;
	uint64		free;
	uint64		fine;			/* of level 0: vectors that are stored in more bytes */
} Census;

/* Count what is in a slot. */
static void
count_slot(const HnswIndex *ix, const HnswNode *node, Census *census)
{
	if (node->kind == HNSW_SLOT_FREE)
		census->free++;
	else if (node->kind == HNSW_SLOT_REST)
		census->rest++;
	if (node->kind != HNSW_SLOT_NODE || node->level > HNSW_MAX_LEVEL ||
		node->nedges > ix->layout.neighbors)
		return;
	census->nodes[node->level]++;
	census->dead += node->flags & HNSW_DEAD;
	if (node->level > 0)
		return;
	census->degrees[node->nedges]++;
	census->edges += node->nedges;
	census->rows += node->ntids;
	census->fine += node->vector_bytes > ix->vector_bytes;
}

/* Tell how many nodes have how many neighbors. */
static void
report_degrees(NvReport *report, const HnswIndex *ix, const Census *census)
{
	StringInfoData text;
	int			step = Max(1, ix->layout.neighbors / 8);

	initStringInfo(&text);
	for (int start = 0; start <= ix->layout.neighbors; start += step)
	{
		uint64		n = 0;
		int			end = Min(start + step - 1, ix->layout.neighbors);

		for (int i = start; i <= end; i++)
			n += census->degrees[i];
		appendStringInfo(&text, "%s%d-%d: " UINT64_FORMAT, start == 0 ? "" : ", ", start, end, n);
	}
	nv_report_property(report, "neighbors histogram", "%s", text.data);
}

/* Tell what the metapage says. */
static void
report_layout(NvReport *report, HnswIndex *ix)
{
	const HnswMeta *meta = &ix->meta;

	nv_report_property(report, "format version", "%u", meta->version);
	nv_report_property(report, "type", "%s(%d)%s", ix->space.type->name, meta->dims,
					   ix->many ? "[]" : "");
	nv_report_property(report, "storage", "%s", nv_form_name(meta->form));
	if (nv_space_is_custom(&ix->space))
		nv_report_property(report, "distance function", "%s",
						   format_procedure(ix->space.custom->function.fn_oid));
	nv_report_property(report, "m", "%d", meta->m);
	nv_report_property(report, "ef_construction", "%d", meta->ef_construction);
	nv_report_property(report, "bits of a neighbor's code", "%d", meta->bits);
	nv_report_property(report, "nodes to a page", "%d", meta->slots_per_page);
	nv_report_property(report, "bytes of a node", "%u", meta->slot_bytes);
	nv_report_property(report, "bytes of a node's codes", "%u",
					   ix->layout.vector - ix->layout.add);
	nv_report_property(report, "bytes of a vector", "%u", ix->vector_bytes);
	if (ix->attributes.n > 0)
	{
		nv_report_property(report, "attributes", "%d", ix->attributes.n);
		nv_report_property(report, "bytes of a row's attributes", "%u",
						   ix->attributes.image_bytes);
		nv_report_property(report, "slots to a page of the map", "%u", hnsw_group_slots(meta));
		nv_report_property(report, "ranges of attributes", "%s", hnsw_map_learned(ix) ?
						   "learned" : "not yet learned: VACUUM does, with 1,000 rows or more");
	}
}

/* What is worth doing, if anything is. */
static void
report_advice(NvReport *report, const HnswIndex *ix, const Census *census)
{
	const HnswMeta *meta = &ix->meta;
	const char *advice = "none";

	if (census->fine > census->nodes[0] / FINE_PART)
		advice = "REINDEX: many vectors are of another place than the rows "
			"that the index was made for, and take more room";
	else if (meta->sampled == 0 && meta->form == NV_FORM_SQ16 && census->nodes[0] >= ENOUGH_NODES)
		advice = "REINDEX: the index was made for a table of few rows; "
			"made for those that there are, it is smaller or faster";
	nv_report_property(report, "rows that storage was chosen by", "%u", meta->sampled);
	if (meta->form == NV_FORM_SQ8)
		nv_report_property(report, "vectors stored finely", UINT64_FORMAT, census->fine);
	nv_report_property(report, "advice", "%s", advice);
}

/* Tell what an index is made of: see NvMethod. */
void
hnsw_info(Relation rel, NvReport *report)
{
	HnswIndex	ix;
	Census		census;
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	uint32		entry;
	int			level;

	memset(&census, 0, sizeof(census));
	hnsw_open(&ix, rel);
	for (BlockNumber block = hnsw_first_block(&ix.meta); block < nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(rel, block);

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		for (int i = 0; nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS) &&
			 i < ix.meta.slots_per_page; i++)
			count_slot(&ix, (const HnswNode *) hnsw_slot_at(&ix.meta, BufferGetPage(buffer), i),
					   &census);
		UnlockReleaseBuffer(buffer);
	}
	hnsw_get_entry(&ix, &entry, &level);

	report_layout(report, &ix);
	nv_report_property(report, "pages", "%u", nblocks);
	nv_report_property(report, ix.many ? "vectors of rows" : "rows", UINT64_FORMAT, census.rows);
	nv_report_property(report, "nodes", UINT64_FORMAT, census.nodes[0]);
	for (int i = 1; i <= HNSW_MAX_LEVEL && census.nodes[i] > 0; i++)
		nv_report_property(report, psprintf("nodes on level %d", i), UINT64_FORMAT,
						   census.nodes[i]);
	nv_report_property(report, "dead nodes", UINT64_FORMAT, census.dead);
	nv_report_property(report, "slots with the rest of a vector", UINT64_FORMAT, census.rest);
	nv_report_property(report, "free slots", UINT64_FORMAT, census.free);
	nv_report_property(report, "neighbors, mean", "%.1f",
					   census.nodes[0] > 0 ? (double) census.edges / census.nodes[0] : 0);
	report_degrees(report, &ix, &census);
	report_advice(report, &ix, &census);
	if (entry == HNSW_NO_SLOT)
		nv_report_property(report, "entry point", "none");
	else
		nv_report_property(report, "entry point", "node %u on level %d", entry, level);
}
