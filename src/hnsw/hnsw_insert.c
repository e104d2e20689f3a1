/*-------------------------------------------------------------------------
 *
 * hnsw_insert.c
 *		Inserts vectors into the graph on pages, and changes edges.
 *
 * See README for the order of steps and locks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

#include "miscadmin.h"
#include "nv_testpoint.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* ---- edges ---- */

/* Copy a node that is not about to be freed; false when there is none. */
static bool
copy_live(HnswIndex *ix, uint32 slot, HnswNodeCopy *copy)
{
	return hnsw_copy_node(ix, slot, copy) && !copy->dead;
}

bool
hnsw_load_candidate(HnswIndex *ix, uint32 slot, int level, const NvStored *self,
					HnswCandidate *candidate, uint32 *edges, int *nedges)
{
	HnswNodeCopy copy;

	if (!hnsw_copy_node(ix, slot, &copy) || copy.level != level)
		return false;
	candidate->dead = copy.dead;
	candidate->slot = slot;
	candidate->stored = copy.stored;
	candidate->distance = nv_distance_between(&ix->space, self, &copy.stored);
	if (edges != NULL)
	{
		memcpy(edges, copy.edges, sizeof(uint32) * copy.nedges);
		*nedges = copy.nedges;
	}
	return true;
}

bool
hnsw_replace_edges(HnswIndex *ix, uint32 slot, uint32 version, const NvStored *self,
				   const HnswCandidate *neighbors, int n)
{
	Buffer		buffer;
	HnswNode   *node;
	NvChange	change;

	if (ix->memory != NULL)
	{
		HnswRef		ref;

		hnsw_read(ix, slot, &ref);
		hnsw_set_edges(ix, unconstify(HnswNode *, ref.node), self, neighbors, n);
		return true;
	}

	buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
	if (node->kind != HNSW_SLOT_NODE || node->version != version || (node->flags & HNSW_DEAD))
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	nv_change_begin(&change, ix->rel, ix->logged);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, nv_change_page(&change, buffer, false), slot);
	hnsw_set_edges(ix, node, self, neighbors, n);
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
	return true;
}

static bool
contains(const uint32 *slots, int n, uint32 slot)
{
	for (int i = 0; i < n; i++)
	{
		if (slots[i] == slot)
			return true;
	}
	return false;
}

/* Where a neighbor of a full node leads. */
typedef struct Neighbor
{
	uint32		slot;
	int			nedges;			/* 0 for dead ones, which nothing relies on */
	uint32	   *edges;			/* [2m] */
} Neighbor;

/* What a full node does for a new neighbor. */
typedef struct Exchange
{
	HnswCandidate list[HNSW_MAX_SLOTS + 1];
	int			n;				/* neighbors then; 0: the new one has to stay away */
	HnswCandidate given_up;		/* a live one; slot: HNSW_NO_SLOT if none */
	uint32		cover;			/* neighbor with an edge to that, or HNSW_NO_SLOT if none */
} Exchange;

/*
 * Which of n candidates a full node gives up, or -1 for none: the last in the
 * order of the heuristic that another one, *cover, has as a neighbor, so that it
 * can still be reached.  neighbors are the same n in another order.
 */
static int
find_dispensable(const HnswCandidate *candidates, int n, const Neighbor *neighbors, uint32 *cover)
{
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = 0; k < n; k++)
		{
			if (neighbors[k].slot != candidates[i].slot &&
				contains(neighbors[k].edges, neighbors[k].nedges, candidates[i].slot))
			{
				*cover = neighbors[k].slot;
				return i;
			}
		}
	}
	return -1;
}

/* Which one is given up where none can be reached in another way: the last that lives. */
static int
find_victim(const HnswCandidate *candidates, int n, uint32 new_slot)
{
	int			i = n - 1;

	while (i > 0 && (candidates[i].slot == new_slot || candidates[i].dead))
		i--;
	return candidates[i].slot == new_slot ? n - 1 : i;
}

/*
 * Plan how a full node takes a new neighbor: which other one it gives up.  With
 * force, that may be one that can be reached in no other way.  Dead neighbors
 * stay: they may be the only way to others until vacuum has seen to that.
 */
static void
plan_exchange(HnswIndex *ix, const HnswNodeCopy *node, const HnswCandidate *neighbor, bool force,
			  Exchange *x)
{
	Neighbor	neighbors[HNSW_MAX_SLOTS + 1];
	int			limit = hnsw_max_edges(&ix->meta);
	int			n = 0;
	int			given_up;

	x->n = 0;
	x->given_up.slot = x->cover = HNSW_NO_SLOT;
	for (int i = -1; i < node->nedges; i++)
	{
		Neighbor   *next = &neighbors[n];

		next->slot = i < 0 ? neighbor->slot : node->edges[i];
		next->edges = palloc(sizeof(uint32) * HNSW_MAX_SLOTS);
		if (!hnsw_load_candidate(ix, next->slot, node->level, &node->stored, &x->list[n],
								 next->edges, &next->nedges))
			continue;
		if (x->list[n].dead)
			next->nedges = 0;
		n++;
	}
	if (n == 0 || neighbors[0].slot != neighbor->slot || x->list[0].dead)
		return;
	if (n > limit)
		n = hnsw_choose(ix, x->list, n, n, true);
	x->n = n;
	/* some may have been freed: a crash left edges to them */
	if (n <= limit)
		return;

	given_up = find_dispensable(x->list, n, neighbors, &x->cover);
	if (given_up < 0 || x->list[given_up].slot == neighbor->slot)
	{
		x->n = 0;
		x->cover = HNSW_NO_SLOT;
		if (!force)
			return;
		given_up = find_victim(x->list, n, neighbor->slot);
	}
	/* nobody has to find a dead one */
	if (!x->list[given_up].dead)
		x->given_up = x->list[given_up];
	x->list[given_up] = x->list[n - 1];
	x->n = n - 1;
}

/* Give a node an edge in place of its last one.  Returns whether it has it. */
static bool
swap_last_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor)
{
	HnswCandidate list[HNSW_MAX_SLOTS];
	HnswNodeCopy node;

	if (!copy_live(ix, from, &node) || node.nedges == 0)
		return false;
	for (int i = 0; i < node.nedges - 1; i++)
		list[i].slot = node.edges[i];
	list[node.nedges - 1] = *neighbor;
	return hnsw_replace_edges(ix, from, node.version, &node.stored, list, node.nedges);
}

/* Whether a node has an edge, and can be relied on. */
static bool
has_edge(HnswIndex *ix, uint32 from, uint32 to)
{
	HnswNodeCopy node;

	return copy_live(ix, from, &node) && contains(node.edges, node.nedges, to);
}

/* Have what a full node gives up be found through the new neighbor.  Returns whether it is. */
static bool
pass_on(HnswIndex *ix, const HnswCandidate *neighbor, const HnswCandidate *given_up)
{
	return hnsw_add_edge(ix, neighbor->slot, given_up, false) ||
		swap_last_edge(ix, neighbor->slot, given_up);
}

/* One try; false when the node changed meanwhile. */
static bool
try_add_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, bool force, bool *added)
{
	Exchange	x;
	HnswNodeCopy node;

	*added = false;
	if (!copy_live(ix, from, &node))
		return true;
	if (contains(node.edges, node.nedges, neighbor->slot))
	{
		*added = true;
		return true;
	}
	if (node.nedges < hnsw_max_edges(&ix->meta))
	{
		/* the others stay as they are, so that their vectors don't matter */
		for (int i = 0; i < node.nedges; i++)
			x.list[i].slot = node.edges[i];
		x.list[node.nedges] = *neighbor;
		x.n = node.nedges + 1;
		x.given_up.slot = HNSW_NO_SLOT;
	}
	else
	{
		plan_exchange(ix, &node, neighbor, force, &x);
		if (x.n == 0 || (x.given_up.slot != HNSW_NO_SLOT && x.cover == HNSW_NO_SLOT &&
						 !pass_on(ix, neighbor, &x.given_up)))
			return true;
	}
	NV_TEST_POINT("edge_chosen");
	*added = hnsw_replace_edges(ix, from, node.version, &node.stored, x.list, x.n);
	/*
	 * The one that was to lead there may have given up the same edge meanwhile,
	 * relying on this one.  Both look after their change, so one of them sees it.
	 */
	if (*added && x.given_up.slot != HNSW_NO_SLOT && x.cover != HNSW_NO_SLOT &&
		!has_edge(ix, x.cover, x.given_up.slot))
		hnsw_add_edge(ix, from, &x.given_up, true);
	return *added;
}

bool
hnsw_add_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, bool force)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw edge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		added;

	while (!try_add_edge(ix, from, neighbor, force, &added))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return added;
}

/* ---- slots ---- */

/* Number of a free slot in a page, or -1; *others: there are more. */
static int
find_free(const HnswMeta *meta, Page page, bool *others)
{
	int			found = -1;

	*others = false;
	for (int i = 0; i < meta->slots_per_page; i++)
	{
		if (*hnsw_slot_at(meta, page, i) != HNSW_SLOT_FREE)
			continue;
		if (found >= 0)
		{
			*others = true;
			break;
		}
		found = i;
	}
	return found;
}

/*
 * Look for a free slot in a block; its buffer, exclusively locked, or invalid.
 * *others: there are more.
 */
static Buffer
try_block(HnswIndex *ix, BlockNumber block, uint32 *slot, bool *others)
{
	Buffer		buffer = nv_read_buffer(ix->rel, block);
	int			place = -1;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	/* a page of zeros, which a crash left, is not used again */
	if (nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS))
		place = find_free(&ix->meta, BufferGetPage(buffer), others);
	if (place < 0)
	{
		UnlockReleaseBuffer(buffer);
		return InvalidBuffer;
	}
	*slot = hnsw_first_slot(&ix->meta, block) + place;
	return buffer;
}

/*
 * Find a free slot: in the page used last, in one that vacuum left room in,
 * in the last one, or in a new one.  Returns its buffer, exclusively locked;
 * *fresh says that the page is new.
 */
static Buffer
take_slot(HnswIndex *ix, uint32 *slot, bool *fresh)
{
	BlockNumber first = 1 + ix->meta.mean_pages;
	BlockNumber block = RelationGetTargetBlock(ix->rel);
	Buffer		buffer;
	bool		others;

	*fresh = false;
	if (block != InvalidBlockNumber)
	{
		buffer = try_block(ix, block, slot, &others);
		if (buffer != InvalidBuffer)
			return buffer;
	}
	else
	{
		block = RelationGetNumberOfBlocks(ix->rel) - 1;
		if (block >= first && (buffer = try_block(ix, block, slot, &others)) != InvalidBuffer)
			goto found;
	}
	while ((block = GetFreeIndexPage(ix->rel)) != InvalidBlockNumber)
	{
		CHECK_FOR_INTERRUPTS();
		if (block < first || block >= RelationGetNumberOfBlocks(ix->rel))
			continue;
		buffer = try_block(ix, block, slot, &others);
		if (buffer == InvalidBuffer)
			continue;
		if (others)
			RecordFreeIndexPage(ix->rel, block);
		goto found;
	}
	buffer = nv_extend(ix->rel);
	block = BufferGetBlockNumber(buffer);
	if ((uint64) (block - first + 1) * ix->meta.slots_per_page > HNSW_NO_SLOT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" is full", RelationGetRelationName(ix->rel)),
				 errhint("Partition the table.")));
	*slot = hnsw_first_slot(&ix->meta, block);
	*fresh = true;
found:
	RelationSetTargetBlock(ix->rel, block);
	return buffer;
}

/* Begin to write a slot: returns it, zeroed, in the page to be changed. */
static char *
begin_slot(HnswIndex *ix, NvChange *change, Buffer *buffer, uint32 *slot)
{
	bool		fresh;
	Page		page;
	char	   *at;

	*buffer = take_slot(ix, slot, &fresh);
	nv_change_begin(change, ix->rel, ix->logged);
	page = nv_change_page(change, *buffer, fresh);
	if (fresh)
	{
		nv_page_init(page, NV_PAGE_HNSW_SLOTS);
		nv_page_use_none(page);
	}
	at = hnsw_slot_at(&ix->meta, page, *slot);
	memset(at, 0, ix->meta.slot_bytes);
	nv_page_use(page, at + ix->meta.slot_bytes);
	return at;
}

/* Write what of a vector its node does not hold, the end first. */
static uint32
write_more(HnswIndex *ix, const NvStored *v)
{
	uint32		room = ix->meta.slot_bytes - offsetof(HnswMore, data);
	uint32		next = HNSW_NO_SLOT;
	uint32		rest;

	if (v->bytes <= ix->layout.vector_room)
		return next;
	rest = v->bytes - ix->layout.vector_room;
	for (int64 start = (rest - 1) / room * (int64) room; start >= 0; start -= room)
	{
		NvChange	change;
		Buffer		buffer;
		uint32		slot;
		HnswMore   *more = (HnswMore *) begin_slot(ix, &change, &buffer, &slot);

		more->kind = HNSW_SLOT_MORE;
		more->next = next;
		memcpy(more->data, (const char *) v->data + ix->layout.vector_room + start,
			   Min(room, rest - start));
		nv_change_finish(&change);
		UnlockReleaseBuffer(buffer);
		next = slot;
	}
	return next;
}

void
hnsw_fill_node(HnswIndex *ix, HnswNode *node, const NvStored *v, int level, int top_level,
			   const ItemPointerData *tid)
{
	node->kind = HNSW_SLOT_NODE;
	node->level = (uint8) level;
	node->top_level = level == 0 ? (uint16) top_level : 0;
	node->more = HNSW_NO_SLOT;
	node->vector_bytes = v->bytes;
	node->scale = v->scale;
	node->offset = v->offset;
	node->error = v->error;
	node->sum = v->sum;
	node->square = v->square;
	if (level == 0)
	{
		node->ntids = 1;
		HNSW_TIDS(&ix->layout, node)[0] = *tid;
	}
	else
		*HNSW_BELOW(&ix->layout, node) = (HnswBelow) {HNSW_NO_SLOT, HNSW_NO_SLOT};
	memcpy(HNSW_VECTOR(&ix->layout, node), v->data, Min(v->bytes, ix->layout.vector_room));
}

/* ---- inserting ---- */

/* What an insert decided before it writes. */
typedef struct Placement
{
	NvStored	stored;
	int			level;
	int			n[HNSW_MAX_LEVEL + 1];
	HnswCandidate *neighbors[HNSW_MAX_LEVEL + 1];	/* nearest first */
} Placement;

static uint32
write_node(HnswIndex *ix, const Placement *place, int level, uint32 down, uint32 base,
		   ItemPointer tid)
{
	uint32		more = write_more(ix, &place->stored);
	NvChange	change;
	Buffer		buffer;
	uint32		slot;
	HnswNode   *node;

	if (more != HNSW_NO_SLOT)
		NV_TEST_POINT("insert_more_written");
	node = (HnswNode *) begin_slot(ix, &change, &buffer, &slot);
	hnsw_fill_node(ix, node, &place->stored, level, place->level, tid);
	if (level > 0)
		*HNSW_BELOW(&ix->layout, node) = (HnswBelow) {down, base};
	node->more = more;
	hnsw_set_edges(ix, node, &place->stored, place->neighbors[level], place->n[level]);
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
	return slot;
}

static bool
found_live(HnswSearch *search)
{
	int			nfound;
	const HnswFound *found = hnsw_found(search, &nfound);

	for (int i = 0; i < nfound; i++)
	{
		if (!found[i].dead)
			return true;
	}
	return false;
}

/* Keep what a search found for a level, as far as it makes neighbors. */
static void
choose_neighbors(HnswIndex *ix, HnswSearch *search, Placement *place, int level)
{
	int			nfound;
	HnswFound  *found;
	HnswCandidate *c;
	int			n = 0;
	int			ef = ix->meta.ef_construction;

	/* where vacuum is removing a whole region, look beyond it */
	while (!found_live(search) && hnsw_search_more(search, ef *= 2, 0))
		CHECK_FOR_INTERRUPTS();
	found = hnsw_found(search, &nfound);
	c = palloc_extended(sizeof(HnswCandidate) * Max(nfound, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nfound; i++)
	{
		if (found[i].dead)
			continue;
		c[n].slot = found[i].slot;
		c[n].stored = found[i].stored;
		c[n++].distance = nv_distance_between(&ix->space, &place->stored, &found[i].stored);
	}
	n = hnsw_choose(ix, c, n, ix->meta.m, false);
	/* the search's copies are overwritten on the next level */
	for (int i = 0; i < n; i++)
		c[i].stored = nv_stored_copy(&c[i].stored);
	place->neighbors[level] = c;
	place->n[level] = n;
}

/*
 * Add a row to a node that was found to have the same vector, if it is still
 * alive and has room.  Vacuum frees no node while an insert is under way, so the
 * vector is the same as it was.  The rest of a long one must not be read here:
 * two inserts could wait for each other's pages.
 */
static bool
add_tid(HnswIndex *ix, uint32 slot, const NvStored *v, ItemPointer tid)
{
	Buffer		buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	HnswNode   *node;
	NvChange	change;
	bool		added = false;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
	if (node->kind == HNSW_SLOT_NODE && (node->flags & HNSW_DEAD) == 0 && node->level == 0 &&
		node->ntids < ix->meta.node_tids)
	{
		nv_change_begin(&change, ix->rel, ix->logged);
		node = (HnswNode *) hnsw_slot_at(&ix->meta, nv_change_page(&change, buffer, false), slot);
		HNSW_TIDS(&ix->layout, node)[node->ntids++] = *tid;
		node->error = Max(node->error, v->error);
		nv_change_finish(&change);
		added = true;
	}
	UnlockReleaseBuffer(buffer);
	return added;
}

static bool
join_duplicate(HnswIndex *ix, HnswSearch *search, const NvStored *v, ItemPointer tid)
{
	int			nfound;
	HnswFound  *found = hnsw_found(search, &nfound);

	for (int i = 0; i < nfound; i++)
	{
		if (!found[i].dead && found[i].ntids < ix->meta.node_tids &&
			nv_stored_equal(&found[i].stored, v) && add_tid(ix, found[i].slot, v, tid))
			return true;
	}
	return false;
}

/* Search all levels; true when a node with the same vector took the row. */
static bool
find_place(HnswIndex *ix, const NvQuery *query, uint32 entry, int entry_level, Placement *place,
		   ItemPointer tid)
{
	HnswSearch *search = hnsw_search_begin(ix, true);
	uint32		above = entry;

	entry = hnsw_descend(search, query, entry, entry_level, Min(place->level, entry_level));
	for (int level = Min(place->level, entry_level); level >= 0; level--)
	{
		const HnswFound *nearest;

		if (entry == HNSW_NO_SLOT)
			hnsw_damaged(ix, above, "no way down from here");
		above = entry;
		hnsw_search_level(search, query, entry, level, ix->meta.ef_construction);
		if (level == 0 && join_duplicate(ix, search, &place->stored, tid))
			return true;
		choose_neighbors(ix, search, place, level);
		nearest = hnsw_nearest(search);
		entry = nearest == NULL ? HNSW_NO_SLOT : nearest->down;
	}
	return false;
}

void
hnsw_set_entry(HnswIndex *ix, uint32 slot, int level)
{
	Buffer		buffer = nv_read_buffer(ix->rel, HNSW_META_BLOCK);
	NvChange	change;
	HnswMeta   *meta;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_META);
	nv_change_begin(&change, ix->rel, ix->logged);
	meta = (HnswMeta *) NV_PAGE_CONTENTS(nv_change_page(&change, buffer, false));
	meta->entry = slot;
	meta->entry_level = (uint16) level;
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
}

/* Let the neighbors on one level know the new node; one of them must. */
static void
add_reverse_edges(HnswIndex *ix, const Placement *place, int level, uint32 slot)
{
	HnswCandidate self = {.slot = slot, .stored = place->stored};
	bool		added = false;

	for (int i = 0; i < place->n[level]; i++)
		added |= hnsw_add_edge(ix, place->neighbors[level][i].slot, &self, false);
	for (int i = 0; i < place->n[level] && !added; i++)
		added = hnsw_add_edge(ix, place->neighbors[level][i].slot, &self, true);
}

/*
 * Insert, with the update lock held: exclusively, if the entry point may
 * change.  False, and nothing is done, when it must change and may not: all
 * nodes that there are wait for vacuum to free them.
 */
static bool
insert_locked(HnswIndex *ix, NvQuery *query, Placement *place, ItemPointer tid, uint32 entry,
			  int entry_level, bool exclusive)
{
	uint32		slots[HNSW_MAX_LEVEL + 1];
	bool		alone = entry == HNSW_NO_SLOT;

	/* what a first try found may be gone */
	memset(place->n, 0, sizeof(place->n));
	if (entry != HNSW_NO_SLOT && find_place(ix, query, entry, entry_level, place, tid))
		return true;
	NV_TEST_POINT("insert_placed");
	alone |= place->n[0] == 0;
	if (alone && !exclusive)
		return false;
	for (int level = 0; level <= place->level; level++)
	{
		slots[level] = write_node(ix, place, level, level == 0 ? HNSW_NO_SLOT : slots[level - 1],
								  level == 0 ? HNSW_NO_SLOT : slots[0], tid);
		if (level < place->level)
			NV_TEST_POINT("insert_level_written");
	}
	NV_TEST_POINT("insert_written");
	for (int level = 0; level <= place->level; level++)
		add_reverse_edges(ix, place, level, slots[level]);
	NV_TEST_POINT("insert_linked");
	if (alone || place->level > entry_level)
		hnsw_set_entry(ix, slots[place->level], place->level);
	return true;
}

/* A hash of a row's place: the finalizer of splitmix64. */
uint64
hnsw_hash_row(const ItemPointerData *tid, uint64 salt)
{
	uint64		z = salt + (((uint64) ItemPointerGetBlockNumber(tid) << 16) |
							ItemPointerGetOffsetNumber(tid));

	z = (z ^ (z >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int
hnsw_level_of_row(const HnswMeta *meta, const ItemPointerData *tid)
{
	/* (0, 1] from the upper 53 bits */
	double		uniform = ((double) (hnsw_hash_row(tid, 1) >> 11) + 1) / 9007199254740992.0;

	return Min((int) (-log(uniform) / log(hnsw_level_ratio(meta))), HNSW_MAX_LEVEL);
}

static void
lock_update(HnswIndex *ix, bool exclusive)
{
	if (ix->build_lock != NULL)
		LWLockAcquire(ix->build_lock, exclusive ? LW_EXCLUSIVE : LW_SHARED);
	else
		LockPage(ix->rel, HNSW_UPDATE_LOCK, exclusive ? ExclusiveLock : ShareLock);
}

static void
unlock_update(HnswIndex *ix, bool exclusive)
{
	if (ix->build_lock != NULL)
		LWLockRelease(ix->build_lock);
	else
		UnlockPage(ix->rel, HNSW_UPDATE_LOCK, exclusive ? ExclusiveLock : ShareLock);
}

void
hnsw_insert_query(HnswIndex *ix, NvQuery *query, ItemPointer tid)
{
	Placement	place = {.level = hnsw_level_of_row(&ix->meta, tid)};
	char	   *data = palloc_extended(ix->max_bytes, MCXT_ALLOC_HUGE);
	bool		done = false;

	nv_query_store(&ix->space, query, data, &place.stored);
	for (bool exclusive = false; !done; exclusive = true)
	{
		uint32		entry;
		int			entry_level;

		/* the entry point changes under the exclusive lock only */
		lock_update(ix, exclusive);
		hnsw_get_entry(ix, &entry, &entry_level);
		if (exclusive || (entry != HNSW_NO_SLOT && place.level <= entry_level))
			done = insert_locked(ix, query, &place, tid, entry, entry_level, exclusive);
		unlock_update(ix, exclusive);
	}
}

/* What aminsert keeps from row to row of a statement. */
typedef struct InsertState
{
	HnswIndex	ix;
	NvQuery		query;
	MemoryContext scratch;
} InsertState;

static InsertState *
begin_inserts(Relation rel, IndexInfo *info)
{
	MemoryContext old = MemoryContextSwitchTo(info->ii_Context);
	InsertState *state = palloc0(sizeof(InsertState));

	hnsw_open(&state->ix, rel);
	nv_query_alloc(&state->ix.space, &state->query);
	state->scratch = AllocSetContextCreate(info->ii_Context, "hnsw insert",
										   ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	info->ii_AmCache = state;
	return state;
}

bool
hnsw_insert(Relation rel, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
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
		hnsw_insert_query(&state->ix, &state->query, tid);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	return false;
}
