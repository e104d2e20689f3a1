/*-------------------------------------------------------------------------
 *
 * hnsw_reach.c
 *		Finds nodes that cannot be reached from the entry point, or have no
 *		way on, and links them.
 *
 * The choice of neighbors may drop the only edge to a node, and repairs may
 * find no neighbor for one.  Builds and vacuum end with a walk over the graph
 * that mends this.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* Nodes to expand are kept on a stack of bounded size; what it can't hold is found by a sweep. */
#define STACK_ROOM 65536

/* How often nodes out of reach are looked for. */
#define MAX_ROUNDS 10

typedef struct Walk
{
	HnswIndex  *ix;
	uint8	   *reached;
	uint8	   *expanded;
	uint8	   *ends;			/* reached, but without neighbors */
	uint32		nslots;
	uint32	   *stack;
	uint32		depth;
	bool		overflow;
} Walk;

static void
reach(Walk *walk, uint32 slot)
{
	if (slot >= walk->nslots || hnsw_bit(walk->reached, slot))
		return;
	hnsw_set_bit(walk->reached, slot);
	if (walk->depth < STACK_ROOM)
		walk->stack[walk->depth++] = slot;
	else
		walk->overflow = true;
}

/* Reach the neighbors of a node. */
static void
expand(Walk *walk, uint32 slot)
{
	uint32		neighbors[HNSW_MAX_SLOTS];
	int			n;
	HnswRef		ref;

	CHECK_FOR_INTERRUPTS();
	if (hnsw_bit(walk->expanded, slot))
		return;
	hnsw_set_bit(walk->expanded, slot);
	if (!hnsw_read(walk->ix, slot, &ref))
		return;
	n = ref.node->nedges;
	memcpy(neighbors, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * n);
	hnsw_release(&ref);
	if (n == 0)
		hnsw_set_bit(walk->ends, slot);
	for (int i = 0; i < n; i++)
		reach(walk, neighbors[i]);
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
		entry = ref.node->down;
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
			if (hnsw_bit(walk->reached, slot))
				expand(walk, slot);
			while (walk->depth > STACK_ROOM / 2)
				expand(walk, walk->stack[--walk->depth]);
		}
	}
}

static void
walk_begin(Walk *walk, HnswIndex *ix, uint8 *reached, uint32 nslots)
{
	memset(walk, 0, sizeof(*walk));
	walk->ix = ix;
	walk->reached = reached;
	walk->nslots = nslots;
	walk->expanded = palloc_extended(nslots / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	walk->ends = palloc_extended(nslots / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	walk->stack = palloc(sizeof(uint32) * STACK_ROOM);
}

static void
walk_end(Walk *walk)
{
	pfree(walk->expanded);
	pfree(walk->ends);
	pfree(walk->stack);
}

void
hnsw_mark_reachable(HnswIndex *ix, uint32 entry, uint8 *reached, uint32 nslots)
{
	Walk		walk;

	walk_begin(&walk, ix, reached, nslots);
	reach_entry(&walk, entry);
	walk_on(&walk);
	walk_end(&walk);
}

static int
compare_found(const void *a, const void *b)
{
	float		x = ((const HnswFound *) a)->distance;
	float		y = ((const HnswFound *) b)->distance;

	return x < y ? -1 : x > y;
}

/* The node of the entry point's vector on a level, or HNSW_NO_SLOT. */
static uint32
entry_on_level(HnswIndex *ix, uint32 entry, int level)
{
	HnswRef		ref;

	while (entry != HNSW_NO_SLOT && hnsw_read(ix, entry, &ref))
	{
		uint32		down = ref.node->down;
		bool		there = ref.node->level == level;

		hnsw_release(&ref);
		if (there)
			return entry;
		entry = down;
	}
	return HNSW_NO_SLOT;
}

/*
 * The live nodes near a node on its level, nearest first, their number in *n.
 * The search begins at the entry point's own node on the level, so that it
 * finds only nodes that can be reached.
 */
static HnswFound *
nodes_near(HnswIndex *ix, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot,
		   const HnswNodeCopy *node, int *n)
{
	HnswFound  *found = NULL;
	int			nfound = 0;

	*n = 0;
	nv_query_set_stored(&ix->space, &node->stored, query);
	entry = entry_on_level(ix, entry, node->level);
	if (entry != HNSW_NO_SLOT)
	{
		hnsw_search_level(search, query, entry, node->level, ix->meta.ef_construction);
		found = hnsw_found(search, &nfound);
		qsort(found, nfound, sizeof(HnswFound), compare_found);
	}
	for (int i = 0; i < nfound; i++)
	{
		if (found[i].slot != slot && !found[i].dead)
			found[(*n)++] = found[i];
	}
	return found;
}

/* Link a node from the nearest one that takes it.  Returns whether one did. */
static bool
connect_node(HnswIndex *ix, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot)
{
	HnswCandidate self = {.slot = slot};
	HnswFound  *near;
	int			n;
	HnswNodeCopy node;
	bool		linked = false;

	if (!hnsw_copy_node(ix, slot, &node))
		return false;
	self.stored = node.stored;
	near = nodes_near(ix, search, query, entry, slot, &node, &n);
	for (int i = 0; i < n && !linked; i++)
		linked = hnsw_add_edge(ix, near[i].slot, &self, false);
	for (int i = 0; i < n && !linked; i++)
		linked = hnsw_add_edge(ix, near[i].slot, &self, true);
	pfree(unconstify(void *, node.stored.data));
	return linked;
}

/* Link a node that leads nowhere to the nearest one: a search that comes there has to get on. */
static void
lead_on(HnswIndex *ix, HnswSearch *search, NvQuery *query, uint32 entry, uint32 slot)
{
	HnswFound  *near;
	int			n;
	HnswNodeCopy node;
	HnswNodeCopy other;
	bool		linked = false;

	if (!hnsw_copy_node(ix, slot, &node))
		return;
	near = nodes_near(ix, search, query, entry, slot, &node, &n);
	for (int i = 0; i < n && !linked; i++)
	{
		HnswCandidate neighbor = {.slot = near[i].slot};

		if (!hnsw_copy_node(ix, neighbor.slot, &other))
			continue;
		neighbor.stored = other.stored;
		linked = hnsw_add_edge(ix, slot, &neighbor, false);
		pfree(unconstify(void *, other.stored.data));
	}
	pfree(unconstify(void *, node.stored.data));
}

static bool
is_live(HnswIndex *ix, uint32 slot, int *level)
{
	HnswRef		ref;
	bool		live;

	if (!hnsw_read(ix, slot, &ref))
		return false;
	live = (ref.node->flags & HNSW_DEAD) == 0;
	*level = ref.node->level;
	hnsw_release(&ref);
	return live;
}

/* One round; returns how many nodes were out of reach. */
static uint32
connect_round(HnswIndex *ix, uint32 entry, int entry_level, uint32 nslots)
{
	uint8	   *reached = palloc_extended(nslots / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	HnswSearch *search = hnsw_search_begin(ix, false);
	NvQuery		query;
	Walk		walk;
	uint32		lost = 0;

	walk_begin(&walk, ix, reached, nslots);
	reach_entry(&walk, entry);
	walk_on(&walk);
	nv_query_alloc(&ix->space, &query);
	for (uint32 slot = 0; slot < nslots; slot++)
	{
		int			level;

		CHECK_FOR_INTERRUPTS();
		if (hnsw_bit(reached, slot) || !is_live(ix, slot, &level) || level > entry_level)
			continue;
		lost++;
		if (connect_node(ix, search, &query, entry, slot))
		{
			reach(&walk, slot);
			walk_on(&walk);
		}
	}
	for (uint32 slot = 0; slot < nslots; slot++)
	{
		CHECK_FOR_INTERRUPTS();
		if (hnsw_bit(walk.ends, slot))
			lead_on(ix, search, &query, entry, slot);
	}
	return lost;
}

void
hnsw_connect_all(HnswIndex *ix, uint32 entry, uint32 nslots)
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
		lost = connect_round(ix, entry, entry_level, nslots);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
