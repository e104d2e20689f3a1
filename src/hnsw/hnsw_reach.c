/*-------------------------------------------------------------------------
 *
 * hnsw_reach.c
 *		Finds nodes that cannot be reached from the entry point, or have no
 *		way on, and links them.
 *
 * The choice of neighbors may drop the only edge to a node, and dead nodes may
 * have been the only way to others.  Builds end with a walk over the graph that
 * mends this, and vacuum does it before it takes edges to dead nodes away.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "commands/vacuum.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Nodes to expand are kept on a stack of bounded size; what it can't hold is found by a sweep. */
#define STACK_ROOM 65536

/* So many nodes are asked for an edge before one must give another up for it. */
#define TRIED_GENTLY 8

/* How often nodes out of reach are looked for. */
#define MAX_ROUNDS 10

/* A walk through the graph. */
typedef struct Walk
{
	HnswIndex  *ix;
	const uint8 *dead;			/* nodes that are no way to others, or NULL */
	uint8	   *reached;
	uint8	   *expanded;
	uint8	   *ends;			/* reached, but without neighbors that are alive */
	uint32		nslots;
	uint32	   *stack;
	uint32		depth;
	bool		overflow;
} Walk;

/* Whether a node is one that the walk does not go through. */
static bool
is_dead(const Walk *walk, uint32 slot)
{
	return walk->dead != NULL && slot < walk->nslots && nv_bit(walk->dead, slot);
}

/* Mark a node as reached, and have it expanded later. */
static void
reach(Walk *walk, uint32 slot)
{
	if (slot >= walk->nslots || nv_bit(walk->reached, slot) || is_dead(walk, slot))
		return;
	nv_set_bit(walk->reached, slot);
	Assert(walk->depth <= STACK_ROOM);
	if (walk->depth < STACK_ROOM)
		walk->stack[walk->depth++] = slot;
	else
		walk->overflow = true;
}

/* List the neighbors of a node, from a note if there is one; returns how many, -1: no node. */
static int
neighbors_of(HnswIndex *ix, uint32 slot, uint32 *neighbors)
{
	const HnswNoted *noted = hnsw_notes_cover(ix->notes, slot) ? hnsw_noted(ix->notes, slot) : NULL;
	HnswRef		ref;
	int			n;

	if (noted != NULL && !noted->stale)
	{
		memcpy(neighbors, noted->edges, sizeof(uint32) * noted->nedges);
		return noted->nedges;
	}
	if (!hnsw_read(ix, slot, &ref))
		return -1;
	n = ref.node->nedges;
	Assert(n <= HNSW_MAX_SLOTS);
	memcpy(neighbors, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * n);
	hnsw_release(&ref);
	return n;
}

/* Reach the neighbors of a node. */
static void
expand(Walk *walk, uint32 slot)
{
	uint32		neighbors[HNSW_MAX_SLOTS];
	bool		leads_on = false;
	int			n;

	Assert(slot < walk->nslots && nv_bit(walk->reached, slot));
	NV_VACUUM_DELAY_POINT();
	if (nv_bit(walk->expanded, slot))
		return;
	nv_set_bit(walk->expanded, slot);
	n = neighbors_of(walk->ix, slot, neighbors);
	if (n < 0)
		return;
	for (int i = 0; i < n; i++)
	{
		leads_on |= !is_dead(walk, neighbors[i]);
		reach(walk, neighbors[i]);
	}
	if (!leads_on)
		nv_set_bit(walk->ends, slot);
}

/*
 * Reach the entry point, and its vector on all lower levels.  Other ways down
 * don't count: a search takes only the one that is nearest to its query.
 */
static void
reach_entry(Walk *walk, uint32 entry)
{
	HnswRef		ref;

	for (int i = 0; i <= HNSW_MAX_LEVEL && entry != HNSW_NO_SLOT; i++)
	{
		reach(walk, entry);
		if (!hnsw_read(walk->ix, entry, &ref))
			return;
		entry = hnsw_down(walk->ix, ref.node);
		hnsw_release(&ref);
	}
}

/* Expand until nothing new is reached. */
static void
walk_on(Walk *walk)
{
	for (;;)
	{
		while (walk->depth > 0)
			expand(walk, walk->stack[--walk->depth]);
		if (!walk->overflow)
			break;
		walk->overflow = false;
		for (uint32 slot = 0; slot < walk->nslots; slot++)
		{
			if (nv_bit(walk->reached, slot))
				expand(walk, slot);
			while (walk->depth > STACK_ROOM / 2)
				expand(walk, walk->stack[--walk->depth]);
		}
	}
}

/* Begin a walk.  reached is the caller's, and may have nodes that are reached already. */
static void
walk_begin(Walk *walk, HnswIndex *ix, const uint8 *dead, uint8 *reached, uint32 nslots)
{
	memset(walk, 0, sizeof(*walk));
	walk->ix = ix;
	walk->dead = dead;
	walk->reached = reached;
	walk->nslots = nslots;
	walk->expanded = nv_bitmap_alloc(nslots);
	walk->ends = nv_bitmap_alloc(nslots);
	walk->stack = palloc(sizeof(uint32) * STACK_ROOM);
}

/* Free what walk_begin() allocated. */
static void
walk_end(Walk *walk)
{
	pfree(walk->expanded);
	pfree(walk->ends);
	pfree(walk->stack);
}

/* Walk from the entry point, through all nodes. */
void
hnsw_mark_reachable(HnswIndex *ix, uint32 entry, uint8 *reached, uint32 nslots)
{
	Walk		walk;

	walk_begin(&walk, ix, NULL, reached, nslots);
	reach_entry(&walk, entry);
	walk_on(&walk);
	walk_end(&walk);
}

/* The order of what was found, nearest first, for qsort(). */
static int
compare_found(const void *a, const void *b)
{
	float		x = ((const HnswFound *) a)->distance;
	float		y = ((const HnswFound *) b)->distance;

	return x < y ? -1 : x > y;
}

/* Find the node of the entry point's vector on a level; HNSW_NO_SLOT if there is none. */
static uint32
entry_on_level(HnswIndex *ix, uint32 entry, int level)
{
	HnswRef		ref;

	for (int i = 0; i <= HNSW_MAX_LEVEL && entry != HNSW_NO_SLOT && hnsw_read(ix, entry, &ref); i++)
	{
		uint32		down = hnsw_down(ix, ref.node);
		bool		there = ref.node->level == level;

		hnsw_release(&ref);
		if (there)
			return entry;
		entry = down;
	}
	return HNSW_NO_SLOT;
}

/*
 * Those of what a search found that can be reached through live nodes, but for
 * the one looked for, nearest first, in a new array; their number in *n.
 */
static uint32 *
reached_of(const Walk *walk, HnswSearch *search, uint32 self, int *n)
{
	int			nfound;
	HnswFound  *found = hnsw_found(search, &nfound);
	HnswFound  *sorted = palloc_extended(sizeof(HnswFound) * Max(nfound, 1), MCXT_ALLOC_HUGE);
	uint32	   *slots = palloc_extended(sizeof(uint32) * Max(nfound, 1), MCXT_ALLOC_HUGE);

	*n = 0;
	for (int i = 0; i < nfound; i++)
	{
		if (found[i].slot != self && !found[i].dead && found[i].slot < walk->nslots &&
			nv_bit(walk->reached, found[i].slot))
			sorted[(*n)++] = found[i];
	}
	qsort(sorted, *n, sizeof(HnswFound), compare_found);
	for (int i = 0; i < *n; i++)
		slots[i] = sorted[i].slot;
	pfree(sorted);
	return slots;
}

/*
 * The nodes near a node on its level that can be reached through live ones,
 * nearest first, in a new array; their number in *n.  Where a whole region
 * died, they are beyond it.
 */
static uint32 *
nodes_near(const Walk *walk, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot,
		   const HnswNodeCopy *node, int *n)
{
	HnswIndex  *ix = walk->ix;
	int			ef = ix->meta.ef_construction;
	uint32	   *near;

	*n = 0;
	nv_query_set_stored(&ix->space, &node->stored, query);
	entry = entry_on_level(ix, entry, node->level);
	if (entry == HNSW_NO_SLOT)
		return palloc(sizeof(uint32));
	hnsw_search_level(search, query, entry, node->level, ef);
	while (near = reached_of(walk, search, slot, n), *n == 0 &&
		   ef < HNSW_FAR_SEARCH * ix->meta.ef_construction && hnsw_search_more(search, ef *= 2, 0))
	{
		CHECK_FOR_INTERRUPTS();
		pfree(near);
	}
	if (*n == 0)
	{
		pfree(near);
		near = palloc(sizeof(uint32));
		near[0] = hnsw_find_live(ix, node->level, slot, walk->reached, walk->nslots);
		*n = near[0] != HNSW_NO_SLOT;
	}
	return near;
}

/* Add an edge to a node from any that is reached and has a free place.  Returns whether one did. */
static bool
connect_anywhere(const Walk *walk, const HnswCandidate *node, int level)
{
	uint32		from = hnsw_find_room(walk->ix, level, node->slot, walk->reached, walk->nslots);

	return from != HNSW_NO_SLOT && hnsw_add_edge(walk->ix, from, node, false);
}

/* Add an edge to a node from the nearest one that takes it.  Returns whether one did. */
static bool
connect_node(const Walk *walk, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot)
{
	HnswIndex  *ix = walk->ix;
	HnswCandidate self = {.slot = slot};
	uint32	   *near;
	int			n;
	HnswNodeCopy node;
	bool		linked = false;

	if (!hnsw_copy_node(ix, slot, &node))
		return false;
	self.stored = node.stored;
	linked = ix->space.ip && connect_anywhere(walk, &self, node.level);
	if (!linked)
	{
		near = nodes_near(walk, search, query, entry, slot, &node, &n);
		for (int i = 0; i < Min(n, TRIED_GENTLY) && !linked; i++)
			linked = hnsw_add_edge(ix, near[i], &self, false);
		linked = linked || connect_anywhere(walk, &self, node.level);
		for (int i = 0; i < n && !linked; i++)
			linked = hnsw_add_edge(ix, near[i], &self, true);
		pfree(near);
	}
	pfree(unconstify(void *, node.stored.data));
	return linked;
}

/*
 * Link a node that leads to no live one to the nearest: a search that comes there
 * has to get on.  It may be full of dead neighbors, one of which then goes.
 */
static void
lead_on(const Walk *walk, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot)
{
	HnswIndex  *ix = walk->ix;
	uint32	   *near;
	int			n;
	HnswNodeCopy node;
	bool		linked = false;

	if (!hnsw_copy_node(ix, slot, &node))
		return;
	near = nodes_near(walk, search, query, entry, slot, &node, &n);
	for (int i = 0; i < n && !linked; i++)
	{
		HnswCandidate neighbor = {.slot = near[i]};
		HnswNodeCopy other;

		if (!hnsw_copy_node(ix, neighbor.slot, &other))
			continue;
		neighbor.stored = other.stored;
		linked = hnsw_add_edge(ix, slot, &neighbor, true);
		pfree(unconstify(void *, other.stored.data));
	}
	pfree(near);
	pfree(unconstify(void *, node.stored.data));
}

/* Whether a slot holds a live node; returns its level. */
static bool
is_live(HnswIndex *ix, uint32 slot, int *level)
{
	HnswRef		ref;
	bool		live;

	if (hnsw_notes_cover(ix->notes, slot))
	{
		const HnswNoted *noted = hnsw_noted(ix->notes, slot);

		*level = noted == NULL ? -1 : noted->level;
		return noted != NULL;
	}
	if (!hnsw_read(ix, slot, &ref))
		return false;
	live = (ref.node->flags & HNSW_DEAD) == 0;
	*level = ref.node->level;
	hnsw_release(&ref);
	return live;
}

/* Connect what one walk does not reach.  Returns how many nodes that were. */
static uint32
connect_round(HnswIndex *ix, uint32 entry, int entry_level, const uint8 *dead, uint32 nslots)
{
	uint8	   *reached = nv_bitmap_alloc(nslots);
	HnswSearch *search = hnsw_search_begin(ix, false);
	NvQuery		query;
	Walk		walk;
	uint32		lost = 0;

	walk_begin(&walk, ix, dead, reached, nslots);
	reach_entry(&walk, entry);
	walk_on(&walk);
	nv_query_alloc(&ix->space, &query);
	for (uint32 slot = 0; slot < nslots; slot++)
	{
		int			level;

		NV_VACUUM_DELAY_POINT();
		if (nv_bit(reached, slot) || !is_live(ix, slot, &level) || level > entry_level)
			continue;
		lost++;
		if (connect_node(&walk, search, &query, entry, slot))
		{
			reach(&walk, slot);
			walk_on(&walk);
		}
	}
	for (uint32 slot = 0; slot < nslots; slot++)
	{
		NV_VACUUM_DELAY_POINT();
		if (nv_bit(walk.ends, slot))
			lead_on(&walk, search, &query, entry, slot);
	}
	return lost;
}

/* Connect nodes in rounds, until all are reached. */
void
hnsw_connect_all(HnswIndex *ix, uint32 entry, const uint8 *dead, uint32 nslots)
{
	MemoryContext context;
	MemoryContext old;
	int			entry_level;
	uint32		lost = 1;

	if (entry == HNSW_NO_SLOT || !is_live(ix, entry, &entry_level))
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "hnsw connect",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	/* an edge that had to make room may have been the only one to its end */
	for (int round = 0; round < MAX_ROUNDS && lost > 0; round++)
	{
		lost = connect_round(ix, entry, entry_level, dead, nslots);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
