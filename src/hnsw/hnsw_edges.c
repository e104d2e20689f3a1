/*-------------------------------------------------------------------------
 *
 * hnsw_edges.c
 *		Adds edges to nodes of the graph, and takes others away for them.
 *
 * See README for the order of steps and locks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "utils/memutils.h"

/* ---- nodes near an edge ---- */

/* Whether a slot is among others. */
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

/*
 * A node that changes of edges have looked at.  Its vector stays the same as long
 * as it lives.  Edges may have changed since: who relies on one looks again.
 */
typedef struct KnownNode
{
	uint32		slot;			/* key */
	char		status;			/* of simplehash */
	bool		found;			/* there is such a node */
	bool		dead;
	int			level;
	NvStored	stored;
	int			nedges;			/* -1: not read yet */
	uint32	   *edges;
} KnownNode;

#define SH_PREFIX known
#define SH_ELEMENT_TYPE KnownNode
#define SH_KEY_TYPE uint32
#define SH_KEY slot
#define SH_HASH_KEY(table, key) murmurhash32(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * What one insert knows of nodes around its place: the neighbors whose edges it
 * changes have most of their neighbors in common.
 */
struct HnswSurroundings
{
	HnswIndex  *ix;
	known_hash *nodes;
	uint32		fresh;			/* a node that no edge leads to yet, or HNSW_NO_SLOT */
	int			nrelied;		/* on so many edges of that others will rely */
	uint32		relied[HNSW_MAX_SLOTS];	/* where they lead to */
	int			nested;			/* edges being put back, each because of the one before */
};

/* An edge is put back so often at most; in a damaged graph there might be no end of it. */
#define MOST_NESTED 16

#define FIRST_KNOWN 512

/* Begin to know nodes. */
HnswSurroundings *
hnsw_surroundings_begin(HnswIndex *ix)
{
	HnswSurroundings *around = palloc(sizeof(HnswSurroundings));

	around->ix = ix;
	around->nodes = known_create(CurrentMemoryContext, FIRST_KNOWN, NULL);
	around->fresh = HNSW_NO_SLOT;
	around->nrelied = 0;
	around->nested = 0;
	return around;
}

/* Read a node's edges, and its vector if that is not known yet. */
static void
read_known(HnswSurroundings *around, KnownNode *known, bool vector)
{
	HnswRef		ref;

	Assert(vector || known->stored.data != NULL || !known->found);
	known->found = hnsw_read(around->ix, known->slot, &ref);
	known->nedges = 0;
	if (!known->found)
		return;
	known->dead = (ref.node->flags & HNSW_DEAD) != 0;
	known->level = ref.node->level;
	known->nedges = ref.node->nedges;
	if (known->edges == NULL)
		known->edges = palloc(sizeof(uint32) * hnsw_max_edges(&around->ix->meta));
	memcpy(known->edges, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * known->nedges);
	if (vector)
	{
		NvStored	v = hnsw_stored(around->ix, &ref);

		known->stored = nv_stored_copy(&v);
	}
	hnsw_release(&ref);
}

/* Look a node up.  The result is valid until another node is looked up. */
static KnownNode *
know(HnswSurroundings *around, uint32 slot)
{
	bool		there;
	KnownNode  *known = known_insert(around->nodes, slot, &there);

	if (!there)
	{
		known->edges = NULL;
		read_known(around, known, true);
	}
	return known;
}

/* Remember what a search found; its vector is copied if the search goes on elsewhere. */
void
hnsw_note_found(HnswSurroundings *around, const HnswFound *found, int level, bool copy)
{
	bool		there;
	KnownNode  *known = known_insert(around->nodes, found->slot, &there);

	if (there)
		return;
	known->found = true;
	known->dead = found->dead;
	known->level = level;
	known->stored = copy ? nv_stored_copy(&found->stored) : found->stored;
	known->nedges = -1;
	known->edges = NULL;
}

/* Forget the edges of a node, which are about to change or have changed. */
static void
forget_edges(HnswSurroundings *around, uint32 slot)
{
	KnownNode  *known = known_lookup(around->nodes, slot);

	if (known != NULL)
		known->nedges = -1;
}

/* Take a node's edges for those that it is about to get. */
static void
expect_edges(HnswSurroundings *around, uint32 slot, const HnswCandidate *list, int n)
{
	KnownNode  *known = know(around, slot);

	Assert(n <= hnsw_max_edges(&around->ix->meta));
	if (known->edges == NULL)
		known->edges = palloc(sizeof(uint32) * hnsw_max_edges(&around->ix->meta));
	for (int i = 0; i < n; i++)
		known->edges[i] = list[i].slot;
	known->nedges = n;
}

/* Whether others will rely on an edge of a node that none leads to yet. */
static bool
is_relied_on(const HnswSurroundings *around, uint32 from, uint32 to)
{
	return from == around->fresh && contains(around->relied, around->nrelied, to);
}

/* ---- edges ---- */

/* Make a candidate of a node. */
bool
hnsw_load_candidate(HnswIndex *ix, uint32 slot, int level, const NvStored *self,
					HnswCandidate *candidate)
{
	HnswNodeCopy copy;

	if (!hnsw_copy_node(ix, slot, &copy) || copy.level != level)
		return false;
	candidate->dead = copy.dead;
	candidate->slot = slot;
	candidate->stored = copy.stored;
	candidate->distance = hnsw_edge_distance(ix, self, &copy.stored);
	return true;
}

/* Replace the edges of a node, unless it has changed. */
bool
hnsw_replace_edges(HnswIndex *ix, uint32 slot, uint32 version, const NvStored *self,
				   const HnswCandidate *neighbors, int n)
{
	HnswNodeChange change;
	HnswNode   *node = ix->store->change_begin(ix, slot, version, &change);

	Assert(n <= hnsw_max_edges(&ix->meta));
	if (node == NULL)
		return false;
	Assert(node->kind == HNSW_SLOT_NODE && (node->flags & HNSW_DEAD) == 0);
	hnsw_set_edges(ix, node, self, neighbors, n);
	ix->store->change_finish(&change);
	if (ix->notes != NULL)
		hnsw_note_change(ix->notes, slot);
	return true;
}

/* A node whose edges are to change, as it is now, without its vector. */
typedef struct Source
{
	uint32		slot;
	uint32		version;
	int			level;
	NvStored	stored;			/* the known one */
	int			nedges;
	uint32		edges[HNSW_MAX_SLOTS];
} Source;

/* Look at a node that is not about to be freed; false when there is none. */
static bool
look_at_source(HnswSurroundings *around, uint32 slot, Source *source)
{
	KnownNode  *known = know(around, slot);
	HnswRef		ref;
	bool		live;

	if (!known->found || known->dead)
		return false;
	source->slot = slot;
	source->stored = known->stored;
	if (!hnsw_read(around->ix, slot, &ref))
		return false;
	live = (ref.node->flags & HNSW_DEAD) == 0;
	source->version = ref.node->version;
	source->level = ref.node->level;
	source->nedges = ref.node->nedges;
	memcpy(source->edges, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * source->nedges);
	hnsw_release(&ref);
	return live;
}

/* Whether a node lives and has an edge, as far as is known. */
static bool
may_lead_to(HnswSurroundings *around, uint32 from, uint32 to)
{
	KnownNode  *known = know(around, from);

	if (known->nedges < 0)
		read_known(around, known, false);
	return known->found && !known->dead && contains(known->edges, known->nedges, to);
}

/* Whether a node has an edge, and can be relied on. */
static bool
has_edge(HnswIndex *ix, uint32 from, uint32 to)
{
	HnswRef		ref;
	bool		has;

	if (!hnsw_read(ix, from, &ref))
		return false;
	has = (ref.node->flags & HNSW_DEAD) == 0 &&
		contains(HNSW_NEIGHBORS(ref.node), ref.node->nedges, to);
	hnsw_release(&ref);
	return has;
}

/* What a full node does for a new neighbor. */
typedef struct Exchange
{
	HnswCandidate list[HNSW_MAX_SLOTS + 1];
	int			n;				/* neighbors then; 0: the new one has to stay away */
	HnswCandidate given_up;		/* a live one; slot: HNSW_NO_SLOT if none */
	uint32		cover;			/* neighbor with an edge to that, or HNSW_NO_SLOT if none */
} Exchange;

/*
 * A live one among n candidates, other than number "place", that has an edge to
 * this, so that it can still be reached; HNSW_NO_SLOT if there is none.  The
 * first asked are the one that stands for it and the new neighbor.
 */
static uint32
find_cover(HnswSurroundings *around, const HnswCandidate *list, int n, int place, int stands,
		   uint32 new_slot)
{
	uint32		slot = list[place].slot;

	if (stands >= 0 && may_lead_to(around, list[stands].slot, slot))
		return list[stands].slot;
	if (slot != new_slot && may_lead_to(around, new_slot, slot))
		return new_slot;
	for (int i = 0; i < n; i++)
	{
		if (i != place && !list[i].dead && may_lead_to(around, list[i].slot, slot))
			return list[i].slot;
	}
	return HNSW_NO_SLOT;
}

/* Find the farthest one, but not the new one, that can be reached in another way; -1: none. */
static int
find_dispensable(HnswSurroundings *around, uint32 source, Exchange *x, int n, uint32 new_slot)
{
	for (int i = n - 1; i >= 0; i--)
	{
		if (x->list[i].slot == new_slot || is_relied_on(around, source, x->list[i].slot))
			continue;
		x->cover = find_cover(around, x->list, n, i, -1, new_slot);
		if (x->cover != HNSW_NO_SLOT)
			return i;
	}
	return -1;
}

/* Find which one is given up where none can be reached in another way: the last that lives. */
static int
find_victim(const HnswCandidate *candidates, int n, uint32 new_slot)
{
	int			i = n - 1;

	while (i > 0 && (candidates[i].slot == new_slot || candidates[i].dead))
		i--;
	return candidates[i].slot == new_slot ? n - 1 : i;
}

/*
 * Nodes of one vector lead to each other in a ring.  Where a new one is to go in
 * between a node and the next: that, or -1.
 */
static int
find_next_of_ring(const Source *source, const HnswCandidate *list, int n, uint32 new_slot)
{
	int			next = -1;
	bool		new_too = false;

	for (int i = 0; i < n; i++)
	{
		if (!nv_stored_equal(&list[i].stored, &source->stored))
			continue;
		if (list[i].slot == new_slot)
			new_too = true;
		else if (next < 0 && !list[i].dead)
			next = i;
	}
	return new_too ? next : -1;
}

/*
 * Which of n candidates a full node gives up, or -1: the new one has to stay
 * away.  Sorted, nearest first.
 */
static int
find_given_up(HnswSurroundings *around, const Source *source, Exchange *x, int n, uint32 new_slot,
			  HnswInsistence insistence)
{
	int			stands;
	int			i;

	if (insistence == HNSW_IF_NONE_IS_LOST)
		return find_dispensable(around, source->slot, x, n, new_slot);
	i = insistence == HNSW_ALWAYS ? find_next_of_ring(source, x->list, n, new_slot) : -1;
	if (i >= 0)
	{
		x->cover = find_cover(around, x->list, n, i, -1, new_slot);
		return i;
	}
	i = hnsw_find_spare(around->ix, &source->stored, x->list, n, &stands);
	if (x->list[i].slot != new_slot)
	{
		x->cover = find_cover(around, x->list, n, i, stands, new_slot);
		/* nobody looks after a dead one, which may be the only way to others */
		if (x->cover != HNSW_NO_SLOT || !x->list[i].dead)
			return i;
	}
	if (insistence == HNSW_IF_WORTH_IT)
		return -1;
	i = find_dispensable(around, source->slot, x, n, new_slot);
	return i >= 0 ? i : find_victim(x->list, n, new_slot);
}

/* Plan how a full node takes a new neighbor: which other one it gives up. */
static void
plan_exchange(HnswSurroundings *around, const Source *source, const HnswCandidate *neighbor,
			  HnswInsistence insistence, Exchange *x)
{
	HnswIndex  *ix = around->ix;
	int			n = 0;
	int			given_up;

	x->n = 0;
	x->given_up.slot = x->cover = HNSW_NO_SLOT;
	for (int i = -1; i < source->nedges; i++)
	{
		const KnownNode *known = know(around, i < 0 ? neighbor->slot : source->edges[i]);
		HnswCandidate *c = &x->list[n];

		/* a damaged node may be its own neighbor */
		if (!known->found || known->level != source->level || known->slot == source->slot)
			continue;
		c->slot = known->slot;
		c->dead = known->dead;
		c->stored = known->stored;
		c->distance = hnsw_edge_distance(ix, &source->stored, &known->stored);
		n++;
	}
	if (n == 0 || x->list[0].slot != neighbor->slot || x->list[0].dead)
		return;
	/* some may have been freed: a crash left edges to them */
	if (n <= hnsw_max_edges(&ix->meta))
	{
		x->n = n;
		return;
	}
	Assert(n == hnsw_max_edges(&ix->meta) + 1);
	hnsw_sort_candidates(ix, x->list, n, source->slot);
	given_up = find_given_up(around, source, x, n, neighbor->slot, insistence);
	if (given_up < 0)
		return;
	/* nobody has to find a dead one */
	if (!x->list[given_up].dead)
		x->given_up = x->list[given_up];
	x->list[given_up] = x->list[n - 1];
	x->n = n - 1;
}

/*
 * Give a node an edge in place of the last one that nobody will rely on.  Returns whether it
 * has it.
 */
static bool
swap_last_edge(HnswSurroundings *around, uint32 from, const HnswCandidate *neighbor)
{
	HnswCandidate list[HNSW_MAX_SLOTS];
	Source		source;
	int			last;

	if (!look_at_source(around, from, &source))
		return false;
	last = source.nedges - 1;
	while (last >= 0 && is_relied_on(around, from, source.edges[last]))
		last--;
	if (last < 0)
		return false;
	for (int i = 0; i < source.nedges; i++)
		list[i].slot = source.edges[i];
	list[last] = *neighbor;
	forget_edges(around, from);
	return hnsw_replace_edges(around->ix, from, source.version, &source.stored, list,
							  source.nedges);
}

/*
 * Have what a full node gives up be found through the new neighbor.  To be sure of that, the
 * new one may lose an edge for it, if none leads there yet.  Returns whether it can be found.
 */
static bool
pass_on(HnswSurroundings *around, const HnswCandidate *neighbor, const HnswCandidate *given_up,
		HnswInsistence insistence)
{
	if (hnsw_add_edge_near(around, neighbor->slot, given_up, HNSW_IF_NONE_IS_LOST))
		return true;
	return (insistence == HNSW_ALWAYS || neighbor->slot == around->fresh) &&
		swap_last_edge(around, neighbor->slot, given_up);
}

/* What a node is to do for a new neighbor. */
typedef struct EdgePlan
{
	Source		source;
	Exchange	x;
	bool		done;			/* it has the edge already */
} EdgePlan;

/* Plan how a node takes a new neighbor.  Returns false when it does not. */
static bool
plan_edge(HnswSurroundings *around, uint32 from, const HnswCandidate *neighbor,
		  HnswInsistence insistence, EdgePlan *plan)
{
	Source	   *source = &plan->source;
	Exchange   *x = &plan->x;

	if (!look_at_source(around, from, source))
		return false;
	plan->done = contains(source->edges, source->nedges, neighbor->slot);
	if (plan->done)
		return true;
	if (source->nedges < hnsw_max_edges(&around->ix->meta))
	{
		/* the others stay as they are, so that their vectors don't matter */
		for (int i = 0; i < source->nedges; i++)
			x->list[i].slot = source->edges[i];
		x->list[source->nedges] = *neighbor;
		x->n = source->nedges + 1;
		x->given_up.slot = HNSW_NO_SLOT;
		return true;
	}
	plan_exchange(around, source, neighbor, insistence, x);
	if (x->n == 0)
		return false;
	if (x->given_up.slot == HNSW_NO_SLOT || x->cover != HNSW_NO_SLOT)
		return true;
	if (!pass_on(around, neighbor, &x->given_up, insistence))
		return false;
	x->cover = neighbor->slot;
	return true;
}

/* Have a node that may be out of reach found again: from here, or from any that has room. */
static void
put_back(HnswSurroundings *around, const Source *source, const HnswCandidate *lost)
{
	HnswIndex  *ix = around->ix;
	uint32		from;

	if (hnsw_add_edge_near(around, source->slot, lost, HNSW_IF_NONE_IS_LOST))
		return;
	from = hnsw_find_room(ix, source->level, lost->slot, NULL, hnsw_count_slots(ix));
	if (from == HNSW_NO_SLOT || !hnsw_add_edge_near(around, from, lost, HNSW_IF_NONE_IS_LOST))
		hnsw_add_edge_near(around, source->slot, lost, HNSW_ALWAYS);
}

/* Carry out a plan.  Returns false when the node changed meanwhile. */
static bool
carry_out(HnswSurroundings *around, const EdgePlan *plan)
{
	const Source *source = &plan->source;
	const Exchange *x = &plan->x;
	bool		changed;

	if (plan->done)
		return true;
	NV_TEST_POINT("edge_chosen");
	changed = hnsw_replace_edges(around->ix, source->slot, source->version, &source->stored,
								 x->list, x->n);
	forget_edges(around, source->slot);
	/*
	 * The one that was to lead there may have given up the same edge meanwhile,
	 * relying on this one.  Both look after their change, so one of them sees it.
	 */
	if (changed && x->given_up.slot != HNSW_NO_SLOT && x->cover != HNSW_NO_SLOT &&
		!has_edge(around->ix, x->cover, x->given_up.slot) && around->nested < MOST_NESTED)
	{
		around->nested++;
		forget_edges(around, x->cover);
		put_back(around, source, &x->given_up);
		around->nested--;
	}
	return changed;
}

/* Add an edge, trying again as often as the node changes meanwhile. */
bool
hnsw_add_edge_near(HnswSurroundings *around, uint32 from, const HnswCandidate *neighbor,
				   HnswInsistence insistence)
{
	EdgePlan	plan;

	while (plan_edge(around, from, neighbor, insistence, &plan))
	{
		if (carry_out(around, &plan))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/*
 * All plans are made before the first is carried out: while no edge leads to the new node,
 * nobody relies on its own, so that they may be given up for those of others.
 */
int
hnsw_ask_for_edges(HnswSurroundings *around, const HnswCandidate *new, const HnswCandidate *asked,
				   int n, int all_of, int enough)
{
	EdgePlan   *plans = palloc(sizeof(EdgePlan) * Max(n, 1));
	int			nplans = 0;
	int			added = 0;

	around->fresh = new->slot;
	around->nrelied = 0;
	for (int i = 0; i < n && (i < all_of || nplans < enough); i++)
	{
		EdgePlan   *plan = &plans[nplans];
		bool		next_of_ring = i == 0 && nv_stored_equal(&asked[i].stored, &new->stored);

		if (!plan_edge(around, asked[i].slot, new, next_of_ring ? HNSW_ALWAYS : HNSW_IF_WORTH_IT,
					   plan))
			continue;
		nplans++;
		if (plan->done)
			continue;
		expect_edges(around, asked[i].slot, plan->x.list, plan->x.n);
		if (plan->x.given_up.slot != HNSW_NO_SLOT && plan->x.cover == new->slot &&
			!is_relied_on(around, new->slot, plan->x.given_up.slot))
			around->relied[around->nrelied++] = plan->x.given_up.slot;
	}
	around->fresh = HNSW_NO_SLOT;
	for (int i = 0; i < nplans; i++)
		added += carry_out(around, &plans[i]) ||
			hnsw_add_edge_near(around, plans[i].source.slot, new, HNSW_IF_WORTH_IT);
	pfree(plans);
	return added;
}

/* Add an edge with nothing known of the nodes around. */
static bool
add_one_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, HnswInsistence insistence)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw edge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		added = hnsw_add_edge_near(hnsw_surroundings_begin(ix), from, neighbor, insistence);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return added;
}

/* Add an edge, with force if need be. */
bool
hnsw_add_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, bool force)
{
	return add_one_edge(ix, from, neighbor, force ? HNSW_ALWAYS : HNSW_IF_NONE_IS_LOST);
}

/* Add an edge if it is worth it. */
bool
hnsw_offer_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor)
{
	return add_one_edge(ix, from, neighbor, HNSW_IF_WORTH_IT);
}
