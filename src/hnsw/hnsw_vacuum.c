/*-------------------------------------------------------------------------
 *
 * hnsw_vacuum.c
 *		Removes dead rows from an hnsw index.
 *
 * Passes over the index, each of which leaves it valid (see README, "Vacuum"):
 *
 *	1. drop dead rows from their nodes; nodes without rows are marked dead
 *	2. note the edges of all live nodes
 *	3. link live nodes that cannot be reached through live ones
 *	4. give live nodes other neighbors in place of dead ones
 *	5. free the dead nodes
 *
 * Only the first two read all pages, as long as the notes fit into
 * maintenance_work_mem.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"
#include "hnsw/hnsw_map.h"

#include <math.h>

#include "access/parallel.h"
#include "am/am_custom.h"
#include "am/am_opclass.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* A node with fewer live neighbors than this part of its places gets new ones by a search. */
#define MANY_LIVE 0.625

/* Where a search takes so many times as long to meet enough live nodes, a region has died. */
#define REGION_DIED 4

/* A node above level 0, seen by pass 1. */
typedef struct UpperNode
{
	uint32		slot;
	uint32		base;
	int			level;
} UpperNode;

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
	uint32		entry;			/* the entry point then, one of these; or HNSW_NO_SLOT */
	uint8	   *dead;			/* nodes, one bit a slot */
	uint8	   *room;			/* slots that are free */
	uint8	   *rest;			/* rests of vectors that were there at the start */
	uint8	   *used;			/* and those of live nodes */
	bool		any_rest;
	UpperNode  *upper;
	Size		nupper;
	Size		upper_room;
	uint64		ndead;
	uint32		highest;		/* a live node of the highest level seen, or HNSW_NO_SLOT */
	int			highest_level;
	uint8	   *moved;			/* nodes around which a region died */
	bool		again;			/* these are repaired once more */
	bool		gave_up;		/* edges to live nodes, as it may be */
	HnswSearch *search;			/* its memory is this context's */
	MemoryContext context;
	NvQuery		query;
	MemoryContext scratch;
} Vacuum;

/* Whether a slot holds a node without rows. */
static bool
is_dead(const Vacuum *v, uint32 slot)
{
	return slot < v->nslots && nv_bit(v->dead, slot);
}

/* Read and lock a block. */
static Buffer
read_block_now(Vacuum *v, BlockNumber block, int lock)
{
	Buffer		buffer = nv_read_buffer_ring(v->ix.rel, block, v->info->strategy);

	LockBuffer(buffer, lock);
	return buffer;
}

/* Read and lock a block, as slowly as vacuum is told to be. */
static Buffer
read_block(Vacuum *v, BlockNumber block, int lock)
{
	NV_VACUUM_DELAY_POINT();
	return read_block_now(v, block, lock);
}

/* Take note of a live node, which may become the entry point. */
static void
note_live(Vacuum *v, uint32 slot, int level)
{
	if (v->highest != HNSW_NO_SLOT && level <= v->highest_level)
		return;
	v->highest = slot;
	v->highest_level = level;
}

/* ---- pass 1 ---- */

/* Drop dead rows from a copy of a node.  Returns how many there were. */
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

/* Check the headers of all nodes in a page. */
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

/* Whether a page has something to change: nodes on level 0 with dead rows. */
static bool
page_has_dead(Vacuum *v, Page page)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE || node->level > 0)
			continue;
		if (node->ntids == 0 && !(node->flags & HNSW_DEAD))
			return true;
		for (int t = 0; t < node->ntids; t++)
			if (nv_row_gone(v->callback, v->callback_state, HNSW_TIDS(&v->ix.layout, node)[t]))
				return true;
	}
	return false;
}

/* Change the nodes of a page on level 0. */
static void
mark_page(Vacuum *v, Page page)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		HnswNode   *node = (HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE || node->level > 0)
			continue;
		v->stats->tuples_removed += drop_rows(v, node);
		if (node->ntids == 0)
			node->flags |= HNSW_DEAD;
	}
}

/* Remember that a node has no rows left. */
static void
note_dead(Vacuum *v, uint32 slot)
{
	nv_set_bit(v->dead, slot);
	v->ndead++;
}

/* Remember a node of an upper level. */
static void
note_upper(Vacuum *v, uint32 slot, const HnswNode *node)
{
	if (v->nupper == v->upper_room)
	{
		v->upper_room = Max(2 * v->upper_room, 1024);
		v->upper = v->upper == NULL ? palloc(sizeof(UpperNode) * v->upper_room) :
			repalloc_huge(v->upper, sizeof(UpperNode) * v->upper_room);
	}
	v->upper[v->nupper++] = (UpperNode) {slot, hnsw_base(&v->ix, node), node->level};
}

/* Remember what a page holds now that dead rows are gone from it. */
static void
note_page(Vacuum *v, Page page, uint32 first_slot)
{
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind == HNSW_SLOT_REST)
		{
			nv_set_bit(v->rest, first_slot + i);
			v->any_rest = true;
		}
		if (node->kind != HNSW_SLOT_NODE)
			continue;
		if (node->flags & HNSW_DEAD)
			note_dead(v, first_slot + i);
		else if (node->level > 0)
			note_upper(v, first_slot + i, node);
		else
		{
			note_live(v, first_slot + i, node->level);
			v->stats->num_index_tuples += node->ntids;
		}
	}
}

/* Remove dead rows from a page, which is locked exclusively only if there are any. */
static void
mark_dead(Vacuum *v)
{
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		Buffer		buffer;
		uint32		first_slot = hnsw_first_slot(&v->ix.meta, block);

		if (hnsw_is_map_block(&v->ix.meta, block))
			continue;
		buffer = read_block(v, block, BUFFER_LOCK_SHARE);
		if (nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS))
		{
			check_page(v, BufferGetPage(buffer), first_slot);
			if (page_has_dead(v, BufferGetPage(buffer)))
			{
				NvChange	change;

				LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
				LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
				nv_change_begin(&change, v->ix.rel, true);
				mark_page(v, nv_change_page(&change, buffer, false));
				nv_change_finish(&change);
			}
			note_page(v, BufferGetPage(buffer), first_slot);
		}
		UnlockReleaseBuffer(buffer);
	}
}

/* Mark the nodes above level 0 of vectors that died; the highest of the others is noted. */
static void
mark_upper(Vacuum *v)
{
	for (Size i = 0; i < v->nupper; i++)
	{
		uint32		slot = v->upper[i].slot;
		Buffer		buffer;
		HnswNode   *node;
		NvChange	change;

		if (!is_dead(v, v->upper[i].base))
		{
			note_live(v, slot, v->upper[i].level);
			continue;
		}
		buffer = read_block(v, hnsw_slot_block(&v->ix.meta, slot), BUFFER_LOCK_EXCLUSIVE);
		node = (HnswNode *) hnsw_slot_at(&v->ix.meta, BufferGetPage(buffer), slot);
		/* nobody but vacuum frees a node */
		Assert(node->kind == HNSW_SLOT_NODE && node->level > 0);
		nv_change_begin(&change, v->ix.rel, true);
		node = (HnswNode *) hnsw_slot_at(&v->ix.meta, nv_change_page(&change, buffer, false),
										 slot);
		node->flags |= HNSW_DEAD;
		nv_change_finish(&change);
		UnlockReleaseBuffer(buffer);
		note_dead(v, slot);
	}
}

/* Wait until every insert that may have seen the index as it was is done. */
static void
wait_for_inserts(Vacuum *v)
{
	LockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	UnlockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
}

/* Take note of how large the index is now, and make room in the bitmaps for its slots. */
static void
take_size(Vacuum *v)
{
	Size		old = v->nslots / 8 + 1;
	Size		bytes;
	uint8	  **maps[] = {&v->dead, &v->room, &v->rest, &v->used};

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

/* Look for live nodes.  The update lock is held, so there are no delays. */
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
				note_live(v, hnsw_first_slot(&v->ix.meta, block) + i, node->level);
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
	take_size(v);
	hnsw_get_entry(&v->ix, &entry, &level);
	if (entry != HNSW_NO_SLOT &&
		(is_dead(v, entry) || (v->highest != HNSW_NO_SLOT && level < v->highest_level)))
	{
		if (v->highest == HNSW_NO_SLOT)
			find_highest(v);
		hnsw_set_entry(&v->ix, v->highest, v->highest_level);
	}
	hnsw_get_entry(&v->ix, &v->entry, &level);
	UnlockPage(v->ix.rel, HNSW_UPDATE_LOCK, ExclusiveLock);
}

/* ---- pass 2 ---- */

/* Mark the rest of a live node's vector as used. */
static void
use_rest(Vacuum *v, uint32 slot)
{
	for (uint32 n = 0; slot != HNSW_NO_SLOT && n <= v->nslots; n++)
	{
		Buffer		buffer;
		const HnswRest *rest;

		if (slot < v->nslots)
			nv_set_bit(v->used, slot);
		buffer = read_block(v, hnsw_slot_block(&v->ix.meta, slot), BUFFER_LOCK_SHARE);
		rest = (const HnswRest *) hnsw_slot_at(&v->ix.meta, BufferGetPage(buffer), slot);
		slot = rest->kind == HNSW_SLOT_REST ? rest->next : HNSW_NO_SLOT;
		UnlockReleaseBuffer(buffer);
	}
}

/* Note the live nodes and free slots of a page; and the rests of their vectors. */
static int
survey_page(Vacuum *v, BlockNumber block, uint32 *rests)
{
	Buffer		buffer = read_block(v, block, BUFFER_LOCK_SHARE);
	Page		page = BufferGetPage(buffer);
	uint32		first_slot = hnsw_first_slot(&v->ix.meta, block);
	int			n = 0;

	for (int i = 0; nv_page_is(page, NV_PAGE_HNSW_SLOTS) && i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind == HNSW_SLOT_FREE)
			nv_set_bit(v->room, first_slot + i);
		if (node->kind != HNSW_SLOT_NODE || (node->flags & HNSW_DEAD))
			continue;
		hnsw_check_node(&v->ix, first_slot + i, node);
		hnsw_note(v->ix.notes, first_slot + i, node);
		if (node->rest != HNSW_NO_SLOT)
			rests[n++] = node->rest;
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Take notes on all nodes, in place of those that there are.  Inserts that could still lead
 * to dead ones are done, so they hold.  The rests of vectors are looked at the first time
 * only.
 */
static void
survey(Vacuum *v)
{
	uint32	   *rests = palloc(sizeof(uint32) * v->ix.meta.slots_per_page);
	bool		first = v->ix.notes == NULL;

	if (!first)
		hnsw_notes_end(v->ix.notes);
	v->ix.notes = hnsw_notes_begin(v->nslots, (Size) maintenance_work_mem * 1024);
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		int			n = survey_page(v, block, rests);

		for (int i = 0; first && v->ndead > 0 && i < n; i++)
			use_rest(v, rests[i]);
	}
	pfree(rests);
}

/* ---- pass 4 ---- */

/* So many neighbors of a dead one that led far away may take its place. */
#define FEW_BEYOND 2

/* The candidates for the neighbors of a node. */
typedef struct Repair
{
	uint32		slot;
	HnswNodeCopy node;
	HnswCandidate *candidates;
	int			n;
	int			room;
} Repair;

/* Whether a slot is among the candidates, or no candidate at all. */
static bool
is_settled(const Vacuum *v, const Repair *repair, uint32 slot)
{
	if (slot == repair->slot || is_dead(v, slot))
		return true;
	for (int i = 0; i < repair->n; i++)
	{
		if (repair->candidates[i].slot == slot)
			return true;
	}
	return false;
}

/* Where the next candidate goes; there is room for it. */
static HnswCandidate *
next_candidate(Repair *repair)
{
	if (repair->n == repair->room)
	{
		repair->room *= 2;
		repair->candidates = repalloc_huge(repair->candidates,
										   sizeof(HnswCandidate) * repair->room);
	}
	return &repair->candidates[repair->n];
}

/* Add a live node to the candidates, once. */
static void
add_candidate(Vacuum *v, Repair *repair, uint32 slot)
{
	HnswCandidate *candidate = next_candidate(repair);

	NV_VACUUM_DELAY_POINT();
	if (!is_settled(v, repair, slot) &&
		hnsw_load_candidate(&v->ix, slot, repair->node.level, &repair->node.stored, candidate) &&
		!candidate->dead)
		repair->n++;
}

/*
 * Add live neighbors of dead neighbors, so many of each, of those that are farther
 * from the node than this.
 */
static void
add_beyond_dead(Vacuum *v, Repair *repair, int most, float farther_than)
{
	for (int i = 0; i < repair->node.nedges; i++)
	{
		HnswNodeCopy further;
		int			limit = repair->n + most;

		if (!is_dead(v, repair->node.edges[i]) ||
			!hnsw_copy_node(&v->ix, repair->node.edges[i], &further) ||
			further.level != repair->node.level ||
			!(nv_distance_between(&v->ix.space, &repair->node.stored, &further.stored) >
			  farther_than))
			continue;
		for (int j = 0; j < further.nedges && repair->n < limit; j++)
			add_candidate(v, repair, further.edges[j]);
	}
}

/* The distance of the farthest of the candidates from number "first" on, before "end". */
static float
farthest_from(const Repair *repair, int first, int end)
{
	float		farthest = -INFINITY;

	for (int i = first; i < end; i++)
		farthest = Max(farthest, repair->candidates[i].distance);
	return farthest;
}

/*
 * Of the new neighbors of a repaired node, the nearest of those that are farther than
 * all it kept gets an edge back, if that is worth it: where a whole cluster died, only
 * these lead from one to another.  By the inner product all of them are asked, as for a
 * new node: the long vectors that died were the neighbors of nearly all, and those that
 * take their place are known to few.
 */
static void
offer_way_back(Vacuum *v, const Repair *repair, float farthest_kept, int kept, int n)
{
	HnswCandidate self = {.slot = repair->slot, .stored = repair->node.stored};

	for (int i = kept; i < n; i++)
	{
		if (repair->candidates[i].distance <= farthest_kept)
			continue;
		hnsw_offer_edge(&v->ix, repair->candidates[i].slot, &self);
		if (!v->ix.space.ip)
			return;
	}
}

/* Ask the first n neighbors of a repaired node for an edge back. */
static void
ask_for_edges(Vacuum *v, const Repair *repair, int n)
{
	HnswCandidate self = {.slot = repair->slot, .stored = repair->node.stored};

	for (int i = 0; i < n; i++)
		hnsw_offer_edge(&v->ix, repair->candidates[i].slot, &self);
}

/* Count the nodes that are alive. */
static int
count_live(const Vacuum *v)
{
	int			nfound;
	const HnswFound *found = hnsw_found(v->search, &nfound);
	int			n = 0;

	for (int i = 0; i < nfound; i++)
		n += !found[i].dead;
	return n;
}

/*
 * Where to search for neighbors from: the node, but by the inner product it need
 * not be near those, and a search begins as all do.
 */
static uint32
place_to_search(Vacuum *v, const Repair *repair)
{
	uint32		entry;
	int			level;

	if (!v->ix.space.ip)
		return repair->slot;
	hnsw_get_entry(&v->ix, &entry, &level);
	if (entry != HNSW_NO_SLOT && level > repair->node.level)
		entry = hnsw_descend(v->search, &v->query, entry, level, repair->node.level);
	return entry != HNSW_NO_SLOT && level >= repair->node.level ? entry : repair->slot;
}

/*
 * Add what a search from the node finds, which goes through dead ones, too, however
 * many there are one behind the other.
 */
static void
add_found(Vacuum *v, Repair *repair)
{
	const NvStored *self = &repair->node.stored;
	int			ef = hnsw_level_ef(&v->ix, repair->node.level);
	int			most = HNSW_FAR_SEARCH * ef;
	/* as many live ones to choose from as a new node has */
	const int	wanted = ef;
	MemoryContext old = MemoryContextSwitchTo(v->context);
	const HnswFound *found;
	int			nfound;

	nv_query_set_stored(&v->ix.space, self, &v->query);
	hnsw_search_level(v->search, &v->query, place_to_search(v, repair), repair->node.level, ef);
	while (count_live(v) < wanted && ef < most && hnsw_search_more(v->search, ef *= 2, 0))
		NV_VACUUM_DELAY_POINT();
	MemoryContextSwitchTo(old);
	Assert(repair->slot < v->nslots);
	if (ef >= REGION_DIED * wanted)
		nv_set_bit(v->moved, repair->slot);

	found = hnsw_found(v->search, &nfound);
	for (int i = 0; i < nfound; i++)
	{
		HnswCandidate *c = next_candidate(repair);

		if (found[i].dead || is_settled(v, repair, found[i].slot))
			continue;
		c->slot = found[i].slot;
		c->dead = false;
		c->stored = found[i].stored;
		c->distance = hnsw_edge_distance(&v->ix, self, &found[i].stored);
		repair->n++;
	}
}

/*
 * Put better neighbors in the place of dead ones: neighbors of these (after Singh
 * et al., "FreshDiskANN", 2021, algorithm 4), or where many died, or a whole region,
 * what a search finds, and a few neighbors of those dead ones that were farther.
 * Those alive stay, so that what could be reached through them still can.  But a
 * node that is repaired again chooses and asks as a new one does.
 * False when the node changed meanwhile.
 */
static bool
try_repair(Vacuum *v, uint32 slot)
{
	HnswIndex  *ix = &v->ix;
	int			limit = hnsw_chosen_edges(ix);
	Repair		repair = {.slot = slot, .room = 256};
	/* by the inner product what is left in a list is mostly what nobody asks for */
	bool		anew = v->again || ix->space.ip;
	float		farthest_kept;
	bool		many_live;
	int			kept;
	int			nstrict;
	int			n;

	if (!hnsw_copy_node(ix, slot, &repair.node) || repair.node.dead)
		return true;
	repair.candidates = palloc(sizeof(HnswCandidate) * repair.room);
	for (int i = 0; i < repair.node.nedges; i++)
		add_candidate(v, &repair, repair.node.edges[i]);
	kept = anew ? 0 : repair.n;
	many_live = !anew && kept >= limit * MANY_LIVE && repair.node.level == 0;
	if (many_live)
		add_beyond_dead(v, &repair, HNSW_MAX_SLOTS, -INFINITY);
	if (!many_live || repair.n == kept)
		add_found(v, &repair);
	if (!many_live)
		add_beyond_dead(v, &repair, FEW_BEYOND, farthest_from(&repair, kept, repair.n));
	Assert(kept <= repair.n && repair.n <= repair.room);
	farthest_kept = farthest_from(&repair, 0, kept);
	n = hnsw_choose_beside(ix, &repair.node.stored, repair.candidates, kept, repair.n, slot,
						   limit, true, &nstrict);
	if (!hnsw_replace_edges(ix, slot, repair.node.version, &repair.node.stored,
							repair.candidates, n))
		return false;
	v->gave_up |= anew;
	if (v->again && !ix->space.ip)
		ask_for_edges(v, &repair, Min(nstrict, ix->meta.m));
	else if (kept > 0 || ix->space.ip)
		offer_way_back(v, &repair, farthest_kept, kept, n);
	return true;
}

/* Give a node other neighbors than dead ones, however often it changes meanwhile. */
static void
repair_node(Vacuum *v, uint32 slot)
{
	MemoryContext old = MemoryContextSwitchTo(v->scratch);

	NV_VACUUM_DELAY_POINT();
	while (!try_repair(v, slot))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(v->scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(v->scratch);
}

/* List the nodes of a page that have dead neighbors. */
static int
find_broken(Vacuum *v, BlockNumber block, uint32 *broken)
{
	Buffer		buffer = read_block(v, block, BUFFER_LOCK_SHARE);
	Page		page = BufferGetPage(buffer);
	int			n = 0;

	for (int i = 0; nv_page_is(page, NV_PAGE_HNSW_SLOTS) && i < v->ix.meta.slots_per_page; i++)
	{
		const HnswNode *node = (const HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (node->kind != HNSW_SLOT_NODE || (node->flags & HNSW_DEAD))
			continue;
		for (int e = 0; e < Min(node->nedges, v->ix.layout.neighbors); e++)
		{
			if (is_dead(v, HNSW_NEIGHBORS(node)[e]))
			{
				broken[n++] = hnsw_first_slot(&v->ix.meta, block) + i;
				break;
			}
		}
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Repair once more the nodes around which a region died: some met few live ones, and those
 * that they have as neighbors now do not know them.  By now no live node leads to a dead
 * one, so that searches meet nothing else.
 */
static void
repair_moved(Vacuum *v)
{
	v->again = true;
	for (uint32 slot = 0; slot < v->nslots; slot++)
	{
		if (nv_bit(v->moved, slot))
			repair_node(v, slot);
	}
}

/* Repair all nodes that lead to dead ones. */
static void
repair_all(Vacuum *v)
{
	uint32	   *broken = palloc(sizeof(uint32) * v->ix.meta.slots_per_page);

	v->context = CurrentMemoryContext;
	v->moved = nv_bitmap_alloc(v->nslots);
	v->search = hnsw_search_begin(&v->ix, true);
	nv_query_alloc(&v->ix.space, &v->query);
	/* pages added since hold nodes that never had dead neighbors */
	if (hnsw_notes_complete(v->ix.notes))
	{
		for (uint32 slot = 0; slot < v->nslots; slot++)
		{
			if (hnsw_noted_dead_end(v->ix.notes, slot, v->dead))
				repair_node(v, slot);
		}
	}
	else
	{
		for (BlockNumber block = v->first_block; block < v->nblocks; block++)
		{
			int			n = find_broken(v, block, broken);

			for (int i = 0; i < n; i++)
				repair_node(v, broken[i]);
		}
	}
	repair_moved(v);
	pfree(broken);
}

/* ---- pass 5 ---- */

/* Whether a slot of a kind can be freed. */
static bool
is_garbage(const Vacuum *v, const HnswNode *node, uint32 slot, HnswSlotKind kind)
{
	if (node->kind != kind)
		return false;
	if (kind == HNSW_SLOT_NODE)
		return (node->flags & HNSW_DEAD) && nv_bit(v->dead, slot);
	return nv_bit(v->rest, slot) && !nv_bit(v->used, slot);
}

/* Free the slots of a kind in a page to which nothing points any more. */
static void
free_in_page(Vacuum *v, Buffer buffer, uint32 first_slot, HnswSlotKind kind)
{
	NvChange	change;
	HnswMapChange map;
	Page		page;

	nv_change_begin(&change, v->ix.rel, true);
	page = nv_change_page(&change, buffer, false);
	hnsw_map_begin(&v->ix, &change, first_slot, &map);
	for (int i = 0; i < v->ix.meta.slots_per_page; i++)
	{
		HnswNode   *node = (HnswNode *) hnsw_slot_at(&v->ix.meta, page, i);

		if (!is_garbage(v, node, first_slot + i, kind))
			continue;
		node->kind = HNSW_SLOT_FREE;
		hnsw_map_set(&v->ix, &map, first_slot + i, NULL);
	}
	nv_change_finish(&change);
	hnsw_map_end(&map);
}

/* Whether a block has slots to free, as far as is known; *room: and any free slots then. */
static bool
has_garbage(const Vacuum *v, BlockNumber block, HnswSlotKind kind, bool *room)
{
	uint32		first_slot = hnsw_first_slot(&v->ix.meta, block);
	bool		garbage = false;

	for (uint32 slot = first_slot; slot < first_slot + v->ix.meta.slots_per_page; slot++)
	{
		bool		rest = nv_bit(v->rest, slot) && !nv_bit(v->used, slot);

		garbage |= kind == HNSW_SLOT_NODE ? nv_bit(v->dead, slot) : rest;
		*room |= nv_bit(v->room, slot) || nv_bit(v->dead, slot);
	}
	*room |= garbage;
	return garbage;
}

/* Free all slots of a kind that can be freed. */
static void
free_all(Vacuum *v, HnswSlotKind kind)
{
	v->stats->pages_free = 0;
	for (BlockNumber block = v->first_block; block < v->nblocks; block++)
	{
		bool		room = false;

		if (hnsw_is_map_block(&v->ix.meta, block))
			continue;
		if (has_garbage(v, block, kind, &room))
		{
			Buffer		buffer = read_block(v, block, BUFFER_LOCK_EXCLUSIVE);

			free_in_page(v, buffer, hnsw_first_slot(&v->ix.meta, block), kind);
			UnlockReleaseBuffer(buffer);
		}
		if (room)
		{
			RecordFreeIndexPage(v->ix.rel, block);
			v->stats->pages_free++;
			NV_TEST_POINT("vacuum_page_freed");
		}
	}
}

/* ---- entry points ---- */

/* Prepare for a vacuum. */
static void
begin(Vacuum *v, IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	memset(v, 0, sizeof(*v));
	hnsw_open(&v->ix, info->index);
	v->info = info;
	v->stats = stats;
	v->first_block = hnsw_first_block(&v->ix.meta);
	v->highest = HNSW_NO_SLOT;
	take_size(v);
	v->scratch = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum node",
									   ALLOCSET_DEFAULT_SIZES);
}

/*
 * Whether new neighbors have to be left to the leader: to choose them, a function would be
 * called that parallel workers may not call.
 */
static bool
must_leave(const Vacuum *v)
{
	return IsParallelWorker() && nv_space_is_custom(&v->ix.space) &&
		!nv_custom_parallel_safe(v->ix.rel);
}

/* Link what is out of reach, give nodes others in place of dead ones, and free these. */
static void
mend(Vacuum *v)
{
	int			level;

	survey(v);
	/* also what a crash left out of reach; an entry point that is newer leads to this one */
	hnsw_connect_all(&v->ix, v->entry, v->dead, v->nslots);
	if (v->ndead == 0)
		return;
	repair_all(v);
	/* inserts relied on some of the edges that were given up, or had just made them */
	if (v->gave_up)
	{
		/* in this order: the size has to include it */
		hnsw_get_entry(&v->ix, &v->entry, &level);
		take_size(v);
		survey(v);
	}
	/* a node that took another neighbor may have given up the only way to one */
	hnsw_connect_all(&v->ix, v->entry, v->dead, v->nslots);
	NV_TEST_POINT("vacuum_repaired");
	/* an insert may still be on its way through dead nodes */
	wait_for_inserts(v);
	NV_TEST_POINT("vacuum_frees");
	/* a scan that still finds a dead node reads the rest of its vector, too */
	free_all(v, HNSW_SLOT_NODE);
	if (v->any_rest)
		free_all(v, HNSW_SLOT_REST);
}

/* Remove dead rows: ambulkdelete. */
IndexBulkDeleteResult *
hnsw_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				 IndexBulkDeleteCallback callback, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Vacuum		v;

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	old = MemoryContextSwitchTo(context);
	begin(&v, info, stats);
	v.callback = callback;
	v.callback_state = state;
	stats->num_index_tuples = 0;
	/* rows have many nodes each, which are what is counted */
	stats->estimated_count = v.ix.many;
	stats->pages_free = 0;

	mark_dead(&v);
	NV_TEST_POINT("vacuum_rows_dropped");
	mark_upper(&v);
	NV_TEST_POINT("vacuum_marked");
	/* waits for inserts that may have chosen nodes that are dead now */
	replace_entry(&v);
	/* hnsw_vacuum_finish() sees it there */
	if (must_leave(&v))
		stats->estimated_count = true;
	else
		mend(&v);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}

/* Whether a row is gone, where none is. */
static bool
none_gone(ItemPointer tid, void *state)
{
	return false;
}

/* Finish what a parallel worker began. */
void
hnsw_vacuum_finish(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	/* only a worker leaves it so: see hnsw_bulk_delete() */
	if (stats != NULL && stats->estimated_count && nv_opclass_is_custom(info->index))
		hnsw_bulk_delete(info, stats, none_gone, NULL);
}
