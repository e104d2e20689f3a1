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

#include "common/hashfn.h"
#include "miscadmin.h"
#include "nv_random.h"
#include "nv_testpoint.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* ---- nodes near an edge ---- */

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
typedef struct Surroundings
{
	HnswIndex  *ix;
	known_hash *nodes;
	int			nested;			/* edges being put back, each because of the one before */
} Surroundings;

/* Other processes give up edges of a node so often at most; a damaged graph could go on for ever. */
#define MOST_NESTED 16

#define FIRST_KNOWN 512

static void
surroundings_begin(Surroundings *around, HnswIndex *ix)
{
	around->ix = ix;
	around->nodes = known_create(CurrentMemoryContext, FIRST_KNOWN, NULL);
	around->nested = 0;
}

/* Read a node's edges, and its vector if that is not known yet. */
static void
read_known(Surroundings *around, KnownNode *known, bool vector)
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

/* Look a node up; valid until the next one is. */
static KnownNode *
know(Surroundings *around, uint32 slot)
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
static void
note_found(Surroundings *around, const HnswFound *found, int level, bool copy)
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

/* Edges of a node are about to change, or have: forget them. */
static void
forget_edges(Surroundings *around, uint32 slot)
{
	KnownNode  *known = known_lookup(around->nodes, slot);

	if (known != NULL)
		known->nedges = -1;
}

/* ---- edges ---- */

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
	Assert(nv_may_change(buffer) && n <= hnsw_max_edges(&ix->meta));
	nv_change_begin(&change, ix->rel, ix->logged);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, nv_change_page(&change, buffer, false), slot);
	hnsw_set_edges(ix, node, self, neighbors, n);
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
	if (ix->notes != NULL)
		hnsw_note_change(ix->notes, slot);
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
look_at_source(Surroundings *around, uint32 slot, Source *source)
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
may_lead_to(Surroundings *around, uint32 from, uint32 to)
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

/* How much a full node has to do for a new neighbor. */
typedef enum Insistence
{
	IF_WORTH_IT,				/* take it if it is not the one to leave out */
	IF_NONE_IS_LOST,			/* give up any whose end has another way to it */
	ALWAYS						/* and if there is none, have the new one lead to it */
} Insistence;

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
find_cover(Surroundings *around, const HnswCandidate *list, int n, int place, int stands,
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

/* The farthest but the new one whose end can be reached in another way, or -1. */
static int
find_dispensable(Surroundings *around, Exchange *x, int n, uint32 new_slot)
{
	for (int i = n - 1; i >= 0; i--)
	{
		if (x->list[i].slot == new_slot)
			continue;
		x->cover = find_cover(around, x->list, n, i, -1, new_slot);
		if (x->cover != HNSW_NO_SLOT)
			return i;
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
find_given_up(Surroundings *around, const Source *source, Exchange *x, int n, uint32 new_slot,
			  Insistence insistence)
{
	int			stands;
	int			i;

	if (insistence == IF_NONE_IS_LOST)
		return find_dispensable(around, x, n, new_slot);
	i = insistence == ALWAYS ? find_next_of_ring(source, x->list, n, new_slot) : -1;
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
	if (insistence == IF_WORTH_IT)
		return -1;
	i = find_dispensable(around, x, n, new_slot);
	return i >= 0 ? i : find_victim(x->list, n, new_slot);
}

/* Plan how a full node takes a new neighbor: which other one it gives up. */
static void
plan_exchange(Surroundings *around, const Source *source, const HnswCandidate *neighbor,
			  Insistence insistence, Exchange *x)
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
	hnsw_sort_candidates(x->list, n, source->slot);
	given_up = find_given_up(around, source, x, n, neighbor->slot, insistence);
	if (given_up < 0)
		return;
	/* nobody has to find a dead one */
	if (!x->list[given_up].dead)
		x->given_up = x->list[given_up];
	x->list[given_up] = x->list[n - 1];
	x->n = n - 1;
}

/* Give a node an edge in place of its last one.  Returns whether it has it. */
static bool
swap_last_edge(Surroundings *around, uint32 from, const HnswCandidate *neighbor)
{
	HnswCandidate list[HNSW_MAX_SLOTS];
	Source		source;

	if (!look_at_source(around, from, &source) || source.nedges == 0)
		return false;
	for (int i = 0; i < source.nedges - 1; i++)
		list[i].slot = source.edges[i];
	list[source.nedges - 1] = *neighbor;
	forget_edges(around, from);
	return hnsw_replace_edges(around->ix, from, source.version, &source.stored, list,
							  source.nedges);
}

static bool add_edge(Surroundings *around, uint32 from, const HnswCandidate *neighbor,
					 Insistence insistence);

/* Have what a full node gives up be found through the new neighbor.  Returns whether it is. */
static bool
pass_on(Surroundings *around, const HnswCandidate *neighbor, const HnswCandidate *given_up)
{
	return add_edge(around, neighbor->slot, given_up, IF_NONE_IS_LOST) ||
		swap_last_edge(around, neighbor->slot, given_up);
}

/* One try; false when the node changed meanwhile. */
static bool
try_add_edge(Surroundings *around, uint32 from, const HnswCandidate *neighbor,
			 Insistence insistence, bool *added)
{
	Exchange	x;
	Source		source;

	*added = false;
	if (!look_at_source(around, from, &source))
		return true;
	if (contains(source.edges, source.nedges, neighbor->slot))
	{
		*added = true;
		return true;
	}
	if (source.nedges < hnsw_max_edges(&around->ix->meta))
	{
		/* the others stay as they are, so that their vectors don't matter */
		for (int i = 0; i < source.nedges; i++)
			x.list[i].slot = source.edges[i];
		x.list[source.nedges] = *neighbor;
		x.n = source.nedges + 1;
		x.given_up.slot = HNSW_NO_SLOT;
	}
	else
	{
		plan_exchange(around, &source, neighbor, insistence, &x);
		if (x.n == 0 || (x.given_up.slot != HNSW_NO_SLOT && x.cover == HNSW_NO_SLOT &&
						 !pass_on(around, neighbor, &x.given_up)))
			return true;
	}
	NV_TEST_POINT("edge_chosen");
	*added = hnsw_replace_edges(around->ix, from, source.version, &source.stored, x.list, x.n);
	forget_edges(around, from);
	/*
	 * The one that was to lead there may have given up the same edge meanwhile,
	 * relying on this one.  Both look after their change, so one of them sees it.
	 */
	if (*added && x.given_up.slot != HNSW_NO_SLOT && x.cover != HNSW_NO_SLOT &&
		!has_edge(around->ix, x.cover, x.given_up.slot) && around->nested < MOST_NESTED)
	{
		around->nested++;
		forget_edges(around, x.cover);
		add_edge(around, from, &x.given_up, ALWAYS);
		around->nested--;
	}
	return *added;
}

static bool
add_edge(Surroundings *around, uint32 from, const HnswCandidate *neighbor, Insistence insistence)
{
	bool		added;

	while (!try_add_edge(around, from, neighbor, insistence, &added))
		CHECK_FOR_INTERRUPTS();
	return added;
}

static bool
add_one_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, Insistence insistence)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw edge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Surroundings around;
	bool		added;

	surroundings_begin(&around, ix);
	added = add_edge(&around, from, neighbor, insistence);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return added;
}

bool
hnsw_add_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, bool force)
{
	return add_one_edge(ix, from, neighbor, force ? ALWAYS : IF_NONE_IS_LOST);
}

bool
hnsw_offer_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor)
{
	return add_one_edge(ix, from, neighbor, IF_WORTH_IT);
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
	Assert(hnsw_slot_block(&ix->meta, *slot) == block);
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
	Assert(room > 0);
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
	Assert(level >= 0 && level <= top_level && top_level <= HNSW_MAX_LEVEL);
	Assert(hnsw_vector_bytes_valid(ix, v->bytes));
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
	uint32		hash;			/* of the place of the row */
	uint32		after;			/* where equally near neighbors are counted from: anywhere */
	int			level;
	int			n[HNSW_MAX_LEVEL + 1];
	HnswCandidate *neighbors[HNSW_MAX_LEVEL + 1];
	int			nstrict[HNSW_MAX_LEVEL + 1];	/* so many, the first, were chosen strictly */
	Surroundings around;
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

/*
 * Search again from any live node, if there is one: on the way, the search passes
 * those at the edge of the dead region.
 */
static void
search_from_elsewhere(HnswIndex *ix, HnswSearch *search, const NvQuery *query, int level)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(ix->rel);
	uint32		start = hnsw_nearest(search) == NULL ? 0 : hnsw_nearest(search)->slot;
	uint32		live = hnsw_find_live(ix, level, start, NULL,
									  hnsw_first_slot(&ix->meta, nblocks));

	if (live != HNSW_NO_SLOT)
		hnsw_search_level(search, query, live, level, ix->meta.ef_construction);
}

/* Keep what a search found for a level, as far as it makes neighbors. */
static void
choose_neighbors(HnswIndex *ix, HnswSearch *search, const NvQuery *query, Placement *place,
				 int level)
{
	int			nfound;
	HnswFound  *found;
	HnswCandidate *c;
	int			n = 0;
	int			ef = ix->meta.ef_construction;

	/* where vacuum is removing a whole region, look beyond it, but not through all of it */
	while (!found_live(search) && ef < HNSW_FAR_SEARCH * ix->meta.ef_construction &&
		   hnsw_search_more(search, ef *= 2, 0))
		CHECK_FOR_INTERRUPTS();
	if (!found_live(search))
		search_from_elsewhere(ix, search, query, level);
	found = hnsw_found(search, &nfound);
	c = palloc_extended(sizeof(HnswCandidate) * Max(nfound, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nfound; i++)
	{
		if (found[i].dead)
			continue;
		c[n].slot = found[i].slot;
		c[n].stored = found[i].stored;
		c[n++].distance = hnsw_edge_distance(ix, &place->stored, &found[i].stored);
	}
	for (int i = 0; i < nfound; i++)
		note_found(&place->around, &found[i], level, level > 0);
	if (nfound > 0)
		place->after = found[place->hash % nfound].slot;
	n = hnsw_choose_beside(ix, &place->stored, c, 0, n, place->after, hnsw_chosen_edges(ix), true,
						   &place->nstrict[level]);
	/* the search's copies are overwritten on the next level */
	for (int i = 0; level > 0 && i < n; i++)
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

/* Rounding that is more than this part of the distances to near neighbors leads searches astray. */
#define MUCH_ROUNDING 0.15
#define NEAREST 3

/*
 * The Euclidean distance (by L1, that) to the third nearest vector of those that
 * a search found, but for those that are the same; infinite if there are not so
 * many.
 */
static double
near_distance(const HnswIndex *ix, HnswSearch *search, const NvQuery *query)
{
	double		nearest[NEAREST];
	int			nfound;
	const HnswFound *found = hnsw_found(search, &nfound);

	for (int k = 0; k < NEAREST; k++)
		nearest[k] = INFINITY;
	for (int i = 0; i < nfound; i++)
	{
		double		distance = found[i].distance;

		if (found[i].dead)
			continue;
		if (ix->space.ip)
			distance = (double) query->norm * query->norm +
				nv_stored_norm2(&ix->space, &found[i].stored) + 2 * distance;
		if (!(distance > 0))
			continue;
		for (int k = 0; k < NEAREST; k++)
		{
			if (distance < nearest[k])
			{
				double		further = nearest[k];

				nearest[k] = distance;
				distance = further;
			}
		}
	}
	return ix->space.metric == NV_SPACE_L1 ? nearest[NEAREST - 1] : sqrt(nearest[NEAREST - 1]);
}

/*
 * Store a vector finely where the usual rounding is too much beside its distances
 * from its neighbors: it is of another place than the rows that the form was
 * chosen for, or where rows are denser.  Returns whether that changed it.
 */
static bool
store_finely(HnswIndex *ix, HnswSearch *search, const NvQuery *query, Placement *place)
{
	if (ix->meta.form != NV_FORM_SQ8 || nv_stored_fine(&ix->space, &place->stored) ||
		place->stored.error <= MUCH_ROUNDING * near_distance(ix, search, query))
		return false;
	nv_query_store_fine(&ix->space, query, (char *) unconstify(void *, place->stored.data),
						&place->stored);
	return true;
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
			hnsw_damaged(ix, above, "has no node below it");
		above = entry;
		hnsw_search_level(search, query, entry, level, hnsw_level_ef(ix, level));
		if (level == 0 && join_duplicate(ix, search, &place->stored, tid))
			return true;
		if (store_finely(ix, search, query, place) && level == 0 &&
			join_duplicate(ix, search, &place->stored, tid))
			return true;
		choose_neighbors(ix, search, query, place, level);
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

/*
 * A new node is to have edges back from so many of its neighbors, as a part of m.
 * Where few vectors are everybody's nearest, as with norms over orders of
 * magnitude, the heuristic chooses no others, and they are full.
 */
#define EDGES_BACK(m) ((m) * 5 / 8)

/* Let the neighbors on one level know the new node; one of them must. */
static void
add_reverse_edges(Placement *place, int level, uint32 slot)
{
	HnswIndex  *ix = place->around.ix;
	HnswCandidate self = {.slot = slot, .stored = place->stored};
	int			n = place->n[level];
	int			added = 0;
	/* by the inner product, one long vector stands for all others */
	int			nasked = ix->space.ip ? n : Min(place->nstrict[level], ix->meta.m);

	for (int i = 0; i < n && (i < nasked || added < EDGES_BACK(ix->meta.m)); i++)
	{
		const HnswCandidate *asked = &place->neighbors[level][i];
		bool		next_of_ring = i == 0 && nv_stored_equal(&asked->stored, &place->stored);

		added += add_edge(&place->around, asked->slot, &self, next_of_ring ? ALWAYS : IF_WORTH_IT);
	}
	if (added == 0 && ix->space.ip)
	{
		uint32		from = hnsw_find_room(ix, level, slot, NULL, hnsw_count_slots(ix));

		added = from != HNSW_NO_SLOT && add_edge(&place->around, from, &self, IF_WORTH_IT);
	}
	for (int i = 0; i < n && added == 0; i++)
		added = add_edge(&place->around, place->neighbors[level][i].slot, &self, ALWAYS);
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
	surroundings_begin(&place->around, ix);
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
		add_reverse_edges(place, level, slots[level]);
	NV_TEST_POINT("insert_linked");
	if (alone || place->level > entry_level)
		hnsw_set_entry(ix, slots[place->level], place->level);
	return true;
}

/* A hash of a row's place. */
uint64
hnsw_hash_row(const ItemPointerData *tid, uint64 salt)
{
	uint64		z = salt + (((uint64) ItemPointerGetBlockNumber(tid) << 16) |
							ItemPointerGetOffsetNumber(tid));

	return nv_mix(z);
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
	Placement	place = {
		.level = hnsw_level_of_row(&ix->meta, tid),
		.hash = (uint32) hnsw_hash_row(tid, 0)
	};
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

#define SCRATCH_BYTES (512 * 1024)

typedef struct HnswInserter
{
	NvInserter	base;
	HnswIndex	ix;
} HnswInserter;

/* Open an index for inserts. */
static NvInserter *
open_inserter(Relation rel)
{
	HnswInserter *inserter = palloc0(sizeof(HnswInserter));

	hnsw_open(&inserter->ix, rel);
	nv_inserter_init(&inserter->base, &hnsw_insert_method, &inserter->ix.core, SCRATCH_BYTES);
	return &inserter->base;
}

/* Insert a row, whose vector is the inserter's query. */
static void
insert_row(NvInserter *base, ItemPointer tid)
{
	HnswInserter *inserter = (HnswInserter *) base;

	hnsw_insert_query(&inserter->ix, &base->query, tid);
}

const NvInsertMethod hnsw_insert_method = {
	.open = open_inserter,
	.insert = insert_row
};
