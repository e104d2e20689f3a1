/*-------------------------------------------------------------------------
 *
 * hnsw_vacuum.c
 *		Removes dead rows from an hnsw index.
 *
 * Passes over the index, each of which leaves it valid (see README, "Vacuum"):
 *
 *	1. drop dead rows from their nodes; nodes without rows are marked dead
 *	2. link live nodes that cannot be reached through live ones
 *	3. give live nodes other neighbors in place of dead ones
 *	4. free the dead nodes
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* A repair chooses among no more than so many: all, with m up to 22. */
#define MOST_CANDIDATES 2000

typedef struct Vacuum
{
	HnswIndex	ix;
	IndexVacuumInfo *info;
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	BlockNumber first_block;
	BlockNumber nblocks;
	uint32		nslots;
	uint8	   *dead;			/* nodes, one bit a slot */
	uint8	   *more;			/* rests of vectors that were there at the start */
	uint8	   *used;			/* and those of live nodes */
	bool		any_more;
	uint64		ndead;
	uint32		highest;		/* a live node of the highest level seen, or HNSW_NO_SLOT */
	int			highest_level;
	MemoryContext scratch;
} Vacuum;

static bool
is_dead(const Vacuum *v, uint32 slot)
{
	return slot < v->nslots && hnsw_bit(v->dead, slot);
}

static Buffer
read_block_now(Vacuum *v, BlockNumber block, int lock)
{
	Buffer		buffer = nv_read_buffer_ring(v->ix.rel, block, v->info->strategy);

	LockBuffer(buffer, lock);
	return buffer;
}

static Buffer
read_block(Vacuum *v, BlockNumber block, int lock)
{
	NV_VACUUM_DELAY_POINT();
	return read_block_now(v, block, lock);
}

/* A live node that could be the entry point. */
static void
note_live(Vacuum *v, uint32 slot, const HnswNode *node)
{
	if (v->highest != HNSW_NO_SLOT && node->level <= v->highest_level)
		return;
	v->highest = slot;
	v->highest_level = node->level;
}

/* ---- pass 1 ---- */

/* Drop dead rows from a node (an image of it); returns how many. */
static int
drop_rows(Vacuum *v, HnswNode *node)
{
	ItemPointerData *tids = HNSW_TIDS(&v->ix.layout, node);
	int			kept = 0;
	int			dropped;

	for (int i = 0; i < node->ntids; i++)
	{
		if (!nv_row_gone(v->callback, v->callback_state, tids[i]))
			tids[kept++] = tids[i];
	}
	dropped = node->ntids - kept;
	node->ntids = (uint8) kept;
	return dropped;
}

static void
check_page(Vacuum *v, Page page, uint32 first_slot)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind == HNSW_SLOT_NODE)
			hnsw_check_node(&v->ix, first_slot + i, node);
	}
}

/* Whether a page has something to change: on level 0, dead rows; above, dead nodes. */
static bool
page_has_dead(Vacuum *v, Page page, bool upper)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE)
			continue;
		if (upper)
		{
			if (node->level > 0 && is_dead(v, hnsw_base(&v->ix, node)) && !(node->flags & HNSW_DEAD))
				return true;
			continue;
		}
		if (node->level > 0)
			continue;
		if (node->ntids == 0 && !(node->flags & HNSW_DEAD))
			return true;
		for (int t = 0; t < node->ntids; t++)
			if (nv_row_gone(v->callback, v->callback_state, HNSW_TIDS(&v->ix.layout, node)[t]))
				return true;
	}
	return false;
}

/* Change the nodes of a page on level 0, or those above. */
static void
mark_page(Vacuum *v, Page page, bool upper)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		HnswNode   *node = (HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE || (node->level > 0) != upper)
			continue;
		if (upper)
		{
			if (is_dead(v, hnsw_base(&v->ix, node)))
				node->flags |= HNSW_DEAD;
			continue;
		}
		v->stats->tuples_removed += drop_rows(v, node);
		if (node->ntids == 0)
			node->flags |= HNSW_DEAD;
	}
}

/* Remember what a page holds after that. */
static void
note_page(Vacuum *v, Page page, uint32 first_slot, bool upper)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind == HNSW_SLOT_MORE && !upper)
		{
			hnsw_set_bit(v->more, first_slot + i);
			v->any_more = true;
		}
		if (node->kind != HNSW_SLOT_NODE || (node->level > 0) != upper)
			continue;
		if (node->flags & HNSW_DEAD)
		{
			hnsw_set_bit(v->dead, first_slot + i);
			v->ndead++;
			continue;
		}
		note_live(v, first_slot + i, node);
		if (!upper)
			v->stats->num_index_tuples += node->ntids;
	}
}

static void
mark_dead(Vacuum *v, bool upper)
{
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		Buffer		buffer = read_block(v, block, BUFFER_LOCK_EXCLUSIVE);
		uint32		first_slot = hnsw_first_slot(&v->ix.meta, block);
		NvChange	change;

		if (nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS))
		{
			check_page(v, BufferGetPage(buffer), first_slot);
			if (page_has_dead(v, BufferGetPage(buffer), upper))
			{
				nv_change_begin(&change, v->ix.rel, true);
				mark_page(v, nv_change_page(&change, buffer, false), upper);
				nv_change_finish(&change);
			}
			note_page(v, BufferGetPage(buffer), first_slot, upper);
		}
		UnlockReleaseBuffer(buffer);
	}
}

/* Wait until every insert that may have seen the index as it was is done. */
static void
wait_for_inserts(Vacuum *v)
{
	LockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	UnlockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
}

/* Note how large the index is now. */
static void
measure(Vacuum *v)
{
	Size		old = v->nslots / 8 + 1;
	Size		bytes;
	uint8	  **maps[] = {&v->dead, &v->more, &v->used};

	v->nblocks = RelationGetNumberOfBlocks(v->ix.rel);
	v->nslots = v->nblocks > v->first_block ? hnsw_first_slot(&v->ix.meta, v->nblocks) : 0;
	bytes = v->nslots / 8 + 1;
	for (int i = 0; i < (int) lengthof(maps); i++)
	{
		uint8	   *map = palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

		if (*maps[i] != NULL)
		{
			memcpy(map, *maps[i], old);
			pfree(*maps[i]);
		}
		*maps[i] = map;
	}
}

/* Look for live nodes, with the update lock held: no delays. */
static void
find_highest(Vacuum *v)
{
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		Buffer		buffer;
		Page		page;

		CHECK_FOR_INTERRUPTS();
		buffer = read_block_now(v, block, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		for (int i = 0; nv_page_is(page, NV_PAGE_HNSW_SLOTS) && i < v->ix.meta.slots_per_page; i++)
		{
			const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

			if (node->kind == HNSW_SLOT_NODE && !(node->flags & HNSW_DEAD))
				note_live(v, hnsw_first_slot(&v->ix.meta, block) + i, node);
		}
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * Give up a dead entry point for the highest node that was seen alive, or one
 * that is lower than that.  No insert runs meanwhile.  When none was seen, those
 * that ran before have written their nodes, which may be the only ones that live.
 */
static void
replace_entry(Vacuum *v)
{
	uint32		entry;
	int			level;

	LockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	measure(v);
	hnsw_get_entry(&v->ix, &entry, &level);
	if (entry != HNSW_NO_SLOT &&
		(is_dead(v, entry) || (v->highest != HNSW_NO_SLOT && level < v->highest_level)))
	{
		if (v->highest == HNSW_NO_SLOT)
			find_highest(v);
		hnsw_set_entry(&v->ix, v->highest, v->highest_level);
	}
	UnlockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
}

/* ---- pass 3 ---- */

typedef struct Repair
{
	HnswCandidate *candidates;
	int			n;
	int			room;
} Repair;

/* Add a live node to the candidates for a node, once. */
static void
add_candidate(Vacuum *v, Repair *repair, uint32 self_slot, const HnswNodeCopy *self, uint32 slot)
{
	HnswCandidate *candidate;

	CHECK_FOR_INTERRUPTS();
	if (slot == self_slot || is_dead(v, slot) || repair->n == MOST_CANDIDATES)
		return;
	for (int i = 0; i < repair->n; i++)
	{
		if (repair->candidates[i].slot == slot)
			return;
	}
	if (repair->n == repair->room)
	{
		repair->room *= 2;
		repair->candidates = repalloc(repair->candidates,
									  sizeof(HnswCandidate) * repair->room);
	}
	candidate = &repair->candidates[repair->n];
	if (hnsw_load_candidate(&v->ix, slot, self->level, &self->stored, candidate, NULL, NULL) &&
		!candidate->dead)
		repair->n++;
}

/*
 * Replace a node's dead neighbors by neighbors of theirs (as Singh et al.,
 * "FreshDiskANN", 2021, algorithm 4, but that those alive stay, so that what
 * could be reached through them still can).  False when the node changed
 * meanwhile.
 */
static bool
try_repair(Vacuum *v, uint32 slot)
{
	HnswIndex  *ix = &v->ix;
	HnswNodeCopy node;
	Repair		repair = {.room = 128};
	int			kept;
	int			n;

	if (!hnsw_copy_node(ix, slot, &node) || node.dead)
		return true;
	repair.candidates = palloc(sizeof(HnswCandidate) * repair.room);
	for (int i = 0; i < node.nedges; i++)
		add_candidate(v, &repair, slot, &node, node.edges[i]);
	kept = repair.n;
	for (int i = 0; i < node.nedges; i++)
	{
		HnswNodeCopy further;

		if (!is_dead(v, node.edges[i]) || !hnsw_copy_node(ix, node.edges[i], &further) ||
			further.level != node.level)
			continue;
		for (int j = 0; j < further.nedges; j++)
			add_candidate(v, &repair, slot, &node, further.edges[j]);
	}
	n = hnsw_choose_beside(ix, repair.candidates, kept, repair.n, hnsw_max_edges(&ix->meta), true);
	return hnsw_replace_edges(ix, slot, node.version, &node.stored, repair.candidates, n);
}

static void
repair_node(Vacuum *v, uint32 slot)
{
	MemoryContext old = MemoryContextSwitchTo(v->scratch);

	while (!try_repair(v, slot))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(v->scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->scratch);
}

/* Mark the rest of a live node's vector as used. */
static void
use_more(Vacuum *v, uint32 slot)
{
	for (uint32 n = 0; slot != HNSW_NO_SLOT && n <= v->nslots; n++)
	{
		Buffer		buffer;
		const HnswMore *more;

		if (slot < v->nslots)
			hnsw_set_bit(v->used, slot);
		buffer = read_block(v, hnsw_slot_block(&v->ix.meta, slot), BUFFER_LOCK_SHARE);
		more = (const HnswMore *) hnsw_slot_at(&v->ix.meta, BufferGetPage(buffer), slot);
		slot = more->kind == HNSW_SLOT_MORE ? more->next : HNSW_NO_SLOT;
		UnlockReleaseBuffer(buffer);
	}
}

/* Nodes of a page that have dead neighbors; and the rests of their vectors. */
static int
find_broken(Vacuum *v, BlockNumber block, uint32 *broken, uint32 *rests, int *nrests)
{
	Buffer		buffer = read_block(v, block, BUFFER_LOCK_SHARE);
	Page		page = BufferGetPage(buffer);
	uint32		first_slot = hnsw_first_slot(&v->ix.meta, block);
	int			n = 0;

	*nrests = 0;
	for (int i = 0; nv_page_is(page, NV_PAGE_HNSW_SLOTS) && i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE || (node->flags & HNSW_DEAD))
			continue;
		if (node->more != HNSW_NO_SLOT)
			rests[(*nrests)++] = node->more;
		for (int e = 0; e < Min(node->nedges, v->ix.layout.neighbors); e++)
		{
			if (is_dead(v, HNSW_NEIGHBORS(node)[e]))
			{
				broken[n++] = first_slot + i;
				break;
			}
		}
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

static void
repair_all(Vacuum *v)
{
	uint32	   *broken = palloc(sizeof(uint32) * v->ix.meta.slots_per_page);
	uint32	   *rests = palloc(sizeof(uint32) * v->ix.meta.slots_per_page);

	/* pages added since hold nodes that never had dead neighbors */
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		int			nrests;
		int			n = find_broken(v, block, broken, rests, &nrests);

		for (int i = 0; i < nrests; i++)
			use_more(v, rests[i]);
		for (int i = 0; i < n; i++)
			repair_node(v, broken[i]);
	}
	pfree(broken);
	pfree(rests);
}

/* ---- pass 4 ---- */

static bool
is_garbage(const Vacuum *v, const HnswNode *node, uint32 slot, HnswSlotKind kind)
{
	if (node->kind != kind)
		return false;
	if (kind == HNSW_SLOT_NODE)
		return (node->flags & HNSW_DEAD) && hnsw_bit(v->dead, slot);
	return hnsw_bit(v->more, slot) && !hnsw_bit(v->used, slot);
}

/* Free what nothing points to any more, of a kind; true when the page has room then. */
static bool
free_in_page(Vacuum *v, Buffer buffer, uint32 first_slot, HnswSlotKind kind)
{
	const HnswMeta *meta = &v->ix.meta;
	Page		page = BufferGetPage(buffer);
	bool		room = false;
	bool		garbage = false;
	NvChange	change;

	for (int i = 0; i < meta->slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(meta, page, i);

		garbage |= is_garbage(v, node, first_slot + i, kind);
		room |= node->kind == HNSW_SLOT_FREE;
	}
	if (!garbage)
		return room;

	nv_change_begin(&change, v->ix.rel, true);
	page = nv_change_page(&change, buffer, false);
	for (int i = 0; i < meta->slots_per_page; i++)
	{
		HnswNode   *node = (HnswNode *) hnsw_slot_at(meta, page, i);

		if (is_garbage(v, node, first_slot + i, kind))
			node->kind = HNSW_SLOT_FREE;
	}
	nv_change_finish(&change);
	return true;
}

static void
free_all(Vacuum *v, HnswSlotKind kind)
{
	v->stats->pages_free = 0;
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		Buffer		buffer = read_block(v, block, BUFFER_LOCK_EXCLUSIVE);
		bool		room = false;

		if (nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS))
			room = free_in_page(v, buffer, hnsw_first_slot(&v->ix.meta, block), kind);
		UnlockReleaseBuffer(buffer);
		if (room)
		{
			RecordFreeIndexPage(v->ix.rel, block);
			v->stats->pages_free++;
			NV_TEST_POINT("vacuum_page_freed");
		}
	}
}

/* ---- entry points ---- */

static void
begin(Vacuum *v, IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	memset(v, 0, sizeof(*v));
	hnsw_open(&v->ix, info->index);
	v->info = info;
	v->stats = stats;
	v->first_block = 1 + v->ix.meta.mean_pages;
	v->highest = HNSW_NO_SLOT;
	measure(v);
	v->scratch = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum node",
									   ALLOCSET_DEFAULT_SIZES);
}

IndexBulkDeleteResult *
hnsw_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				 IndexBulkDeleteCallback callback, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Vacuum		v;
	uint32		entry;
	int			level;

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	old = MemoryContextSwitchTo(context);
	begin(&v, info, stats);
	v.callback = callback;
	v.callback_state = state;
	stats->num_index_tuples = 0;
	stats->pages_free = 0;

	mark_dead(&v, false);
	NV_TEST_POINT("vacuum_rows_dropped");
	mark_dead(&v, true);
	NV_TEST_POINT("vacuum_marked");
	/* waits for inserts that may have chosen nodes that are dead now */
	replace_entry(&v);
	/* also what a crash left out of reach */
	hnsw_get_entry(&v.ix, &entry, &level);
	hnsw_connect_all(&v.ix, entry, v.dead, v.nslots);
	if (v.ndead > 0)
	{
		repair_all(&v);
		NV_TEST_POINT("vacuum_repaired");
		/* an insert may still be on its way through dead nodes */
		wait_for_inserts(&v);
		NV_TEST_POINT("vacuum_frees");
		/* a scan that still finds a dead node reads the rest of its vector, too */
		free_all(&v, HNSW_SLOT_NODE);
		if (v.any_more)
			free_all(&v, HNSW_SLOT_MORE);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}
