/*-------------------------------------------------------------------------
 *
 * hnsw_link.c
 *		Makes the graph of an index build, in memory and in parallel.
 *
 * Nodes are inserted in batches that double (Dobson Manohar et al.,
 * "ParlayANN", PPoPP 2024).  For each batch, all processes
 *
 *	1. search the graph as it stands and choose neighbors for the nodes of the
 *	   batch, writing down their choices only;
 *	2. then apply them: edges are grouped by the node that they start from, the
 *	   reverse ones too, and each node is changed by one process.
 *
 * Nobody changes what another reads, so there are no locks, and the graph
 * does not depend on timing.
 *
 * Afterwards a second pass searches for each node again, in the finished
 * graph, with its old neighbors as further candidates.  Last, nodes that
 * cannot be reached from the entry point are given an edge from one that can.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_build.h"

#include "common/hashfn.h"
#include "hnsw/hnsw_plan.h"
#include "miscadmin.h"
#include "nv_random.h"

/* The same batches, however many processes: at most this part of all nodes. */
#define BATCH_PART 50
#define LEAST_BATCH 1000
#define SECOND_BATCH_PART 2

/* So many vectors are searched for by turns. */
#define LANES 4

#define FIRST_CANDIDATES 256

/* An edge to add; source HNSW_NO_SLOT: the node's own choice, in this row. */
typedef struct HnswPair
{
	uint32		node;
	uint32		source;
	uint32		row;
} HnswPair;

/* One of the searches that a process makes by turns. */
typedef struct Lane
{
	bool		busy;
	bool		known;			/* has neighbors already, of an earlier pass */
	HnswSearch *search;
	NvQuery		query;
	NvStored	self;			/* the vector */
	char	   *copy;			/* of it, where it has to be put together */
	uint32		base;			/* its node on level 0 */
	int			top;			/* its highest level */
	int			level;			/* being searched */
	uint32	   *choice;			/* row of that level */
} Lane;

/* One process's state of linking. */
typedef struct Linker
{
	HnswBuild  *build;
	HnswIndex  *ix;
	Lane		lanes[LANES];
	uint32	   *order;
	uint32	   *choices;
	HnswPair   *pairs;
	int			choice_width;	/* 1 + 2m */
	bool		second;			/* pass */
	HnswCandidate *candidates;
	int			candidates_room;
	char	   *vectors;		/* copies, where vectors are put together */
} Linker;

/* ---- rows with the same vector ---- */

/*
 * Give the rows of a node on level 0 to another with the same vector.  When that has other
 * attributes, or no room, the node stays; returns whether it took them.
 */
static bool
take_rows(HnswIndex *ix, uint32 into, uint32 slot)
{
	HnswNode   *node = hnsw_memory_node(ix, slot);
	HnswNode   *other = hnsw_memory_node(ix, into);
	/* of a row with many vectors, two may be the same as they are stored; they come together */
	bool		there = ix->many && hnsw_node_has_row(ix, other, HNSW_TIDS(&ix->layout, node));

	if ((!there && other->ntids + node->ntids > ix->meta.node_tids) ||
		memcmp(HNSW_IMAGE(&ix->layout, node), HNSW_IMAGE(&ix->layout, other),
			   ix->meta.attribute_bytes) != 0)
		return false;
	Assert(node->ntids == 1);
	if (!there)
		HNSW_TIDS(&ix->layout, other)[other->ntids++] = HNSW_TIDS(&ix->layout, node)[0];
	other->error = Max(other->error, node->error);
	for (int level = node->top_level; level >= 0; level--)
		hnsw_memory_node(ix, slot - level)->flags |= HNSW_DEAD;
	return true;
}

/* The vector of a node; in a buffer of its own, if it has to be put together. */
static NvStored
vector_of(HnswIndex *ix, uint32 slot, char *copy)
{
	HnswRef		ref = {.node = hnsw_memory_node(ix, slot), .buffer = InvalidBuffer};
	NvStored	v = hnsw_stored(ix, &ref);

	if (v.data == ix->assembled)
	{
		memcpy(copy, v.data, v.bytes);
		v.data = copy;
	}
	return v;
}

/* ---- order of insertion ---- */

typedef struct OrderKey
{
	uint64		hash;
	uint64		row;			/* of equal hashes, the first row comes first */
	uint32		slot;			/* on level 0 */
	uint16		level;			/* the highest of the vector */
	uint16		attributes;		/* a hash of them, where rows are to share nodes; or 0 */
} OrderKey;

/* Their order. */
static inline int
compare_keys(const OrderKey *x, const OrderKey *y)
{
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->attributes != y->attributes)
		return x->attributes < y->attributes ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* The row of a node as a number. */
static inline uint64
row_of(const HnswIndex *ix, const HnswNode *node)
{
	const ItemPointerData *tid = HNSW_TIDS(&ix->layout, node);

	return (uint64) ItemPointerGetBlockNumber(tid) << 16 | ItemPointerGetOffsetNumber(tid);
}

/* Millions of them, so the sort can be interrupted. */
#define ST_SORT sort_order
#define ST_ELEMENT_TYPE OrderKey
#define ST_COMPARE(a, b) compare_keys(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* The same for vectors that nv_stored_equal() says are equal, but for 0 and -0. */
static uint64
hash_stored(const NvStored *v)
{
	float		numbers[2] = {v->scale, v->offset};
	uint64		seed;

	StaticAssertStmt(sizeof(numbers) == sizeof(seed), "two floats are a seed");
	memcpy(&seed, numbers, sizeof(seed));
	return hash_bytes_extended((const unsigned char *) v->data, (int) v->bytes, seed);
}

/* Have a node lead to another, and as yet to no other. */
static void
lead_to(HnswIndex *ix, uint32 from, const NvStored *v, uint32 to, const NvStored *other)
{
	HnswCandidate neighbor = {.slot = to, .stored = *other};

	hnsw_set_edges(ix, hnsw_memory_node(ix, from), v, &neighbor, 1);
}

/*
 * Have rows with the same vector share nodes, and if it has several, these lead to
 * each other in a ring.  Later, those of one batch would not see each other.  twins[] are
 * those that share their vector with the first that has it.
 */
static void
merge_duplicates(HnswBuild *build, OrderKey *keys, HnswTwin *twins, uint32 *ntwins)
{
	HnswIndex  *ix = &build->ix;
	uint32		used = pg_atomic_read_u32(&build->shared->memory.used);
	char	   *copy = palloc_extended(ix->max_bytes, MCXT_ALLOC_HUGE);
	char	   *into_copy = palloc_extended(ix->max_bytes, MCXT_ALLOC_HUGE);
	uint32		into = 0;		/* number of its key */
	uint32		first = 0;		/* of the nodes with the same vector */
	uint32		n = 0;

	for (uint32 slot = 0; slot < used; slot++)
	{
		HnswNode   *node = hnsw_memory_node(ix, slot);
		NvStored	v;

		CHECK_FOR_INTERRUPTS();
		if (node->kind != HNSW_SLOT_NODE || node->level > 0)
			continue;
		v = vector_of(ix, slot, copy);
		keys[n].hash = hash_stored(&v);
		keys[n].attributes = (uint16)
			hash_bytes((const unsigned char *) HNSW_IMAGE(&ix->layout, node),
					   ix->meta.attribute_bytes);
		keys[n].row = row_of(ix, node);
		keys[n++].slot = slot;
	}
	sort_order(keys, n);
	for (uint32 i = 1; i < n; i++)
	{
		NvStored	v = vector_of(ix, keys[i].slot, copy);
		NvStored	other = vector_of(ix, keys[into].slot, into_copy);

		CHECK_FOR_INTERRUPTS();
		if (keys[i].hash != keys[into].hash || !nv_stored_equal(&v, &other))
			first = i;
		else if (take_rows(ix, keys[into].slot, keys[i].slot))
			continue;
		else
		{
			lead_to(ix, keys[into].slot, &other, keys[i].slot, &v);
			lead_to(ix, keys[i].slot, &v, keys[first].slot, &v);
			twins[(*ntwins)++] = (HnswTwin) {keys[i].slot, keys[first].slot};
		}
		into = i;
	}
	pfree(copy);
	pfree(into_copy);
}

/* The squares of lengths that are one differ by this part at most, as vectors are stored. */
#define STORED_LENGTHS 0.01

/* The square of the length of a node's vector; -1 where it is none of level 0 that lives. */
static float
length2_of(HnswBuild *build, uint32 slot, char *copy)
{
	const HnswNode *node = hnsw_memory_node(&build->ix, slot);
	NvStored	v;

	if (node->kind != HNSW_SLOT_NODE || node->level > 0 || (node->flags & HNSW_DEAD))
		return -1;
	v = vector_of(&build->ix, slot, copy);
	return nv_stored_norm2(&build->ix.space, &v);
}

/* Whether hardly a vector is shorter than others, so that neighbors by L2 are so by the product. */
static bool
are_of_one_length(HnswBuild *build)
{
	uint32		used = pg_atomic_read_u32(&build->shared->memory.used);
	char	   *copy = palloc_extended(build->ix.max_bytes, MCXT_ALLOC_HUGE);
	float		longest = 0;
	uint32		n = 0;
	uint32		shorter = 0;

	for (uint32 slot = 0; slot < used; slot++)
	{
		CHECK_FOR_INTERRUPTS();
		longest = Max(longest, length2_of(build, slot, copy));
	}
	for (uint32 slot = 0; slot < used; slot++)
	{
		float		length2 = length2_of(build, slot, copy);

		CHECK_FOR_INTERRUPTS();
		n += length2 >= 0;
		shorter += length2 >= 0 && length2 < longest * (1 - STORED_LENGTHS);
	}
	pfree(copy);
	return shorter <= n / HNSW_FEW_SHORTER;
}

/*
 * Nodes of one vector have consecutive slots, the top level first.  Vectors
 * go in the order of a hash of their row's place: a table sorted by topic
 * would not make a good graph, since batches don't see themselves.
 */
static void
make_order(HnswBuild *build)
{
	HnswIndex  *ix = &build->ix;
	HnswBuildShared *shared = build->shared;
	uint32		used = pg_atomic_read_u32(&shared->memory.used);
	OrderKey   *keys = palloc_extended(sizeof(OrderKey) * Max(used, 1), MCXT_ALLOC_HUGE);
	uint32	   *order;
	uint32	   *ranks;
	HnswTwin   *twins = palloc_extended(sizeof(HnswTwin) * Max(used, 1), MCXT_ALLOC_HUGE);
	uint32		ntwins = 0;
	uint32		n = 0;
	uint32		first = 0;
	char	   *copy = palloc_extended(ix->max_bytes, MCXT_ALLOC_HUGE);

	merge_duplicates(build, keys, twins, &ntwins);
	shared->nslots = 0;
	shared->entry = HNSW_NO_SLOT;
	for (uint32 slot = 0; slot < used; slot++)
	{
		HnswNode   *node = hnsw_memory_node(ix, slot);

		CHECK_FOR_INTERRUPTS();
		if (node->kind != HNSW_SLOT_NODE || (node->flags & HNSW_DEAD))
			continue;
		shared->nslots++;
		if (node->level > 0)
			continue;
		keys[n].hash = hnsw_hash_row(HNSW_TIDS(&ix->layout, node), 0);
		if (ix->many)
		{
			/* the vectors of a row are near one another */
			NvStored	v = vector_of(ix, slot, copy);

			keys[n].hash = nv_mix(keys[n].hash ^ hash_stored(&v));
		}
		keys[n].attributes = 0;
		keys[n].row = row_of(ix, node);
		keys[n].slot = slot;
		keys[n].level = node->top_level;
		n++;
	}
	sort_order(keys, n);
	for (uint32 i = 1; i < n; i++)
	{
		if (keys[i].level > keys[first].level)
			first = i;
	}
	if (n > 0)
	{
		OrderKey	top = keys[first];

		/* the entry point goes first */
		memmove(keys + 1, keys, sizeof(OrderKey) * first);
		keys[0] = top;
		shared->entry = top.slot - top.level;
		shared->entry_level = top.level;
	}

	shared->order = hnsw_array_alloc(build, sizeof(uint32) * Max(shared->nslots, 1));
	shared->ranks = hnsw_array_alloc(build, sizeof(uint32) * Max(used, 1));
	order = hnsw_array(build, shared->order);
	ranks = hnsw_array(build, shared->ranks);
	for (uint32 i = 0, place = 0; i < n; i++)
	{
		for (int level = keys[i].level; level >= 0; level--)
		{
			order[place] = keys[i].slot - level;
			ranks[order[place]] = place;
			place++;
		}
	}
	pfree(copy);
	pfree(keys);
	shared->by_parts = n > ntwins && hnsw_parts_fit(build, n - ntwins);
	if (shared->by_parts)
	{
		shared->by_product = ix->space.ip &&
			!(ix->meta.one_length && are_of_one_length(build));
		hnsw_parts_begin(build, twins, ntwins, n - ntwins);
	}
	pfree(twins);
}

/* ---- step 1: choices ---- */

static HnswCandidate *
reserve_candidates(Linker *linker, int n)
{
	if (n > linker->candidates_room)
	{
		linker->candidates_room = 2 * n;
		linker->candidates = repalloc_huge(linker->candidates,
										   sizeof(HnswCandidate) * linker->candidates_room);
		if (linker->vectors != NULL)
			linker->vectors = repalloc_huge(linker->vectors, (Size) linker->ix->max_bytes *
											linker->candidates_room);
	}
	return linker->candidates;
}

/* Make a candidate of a node.  Room for number i is reserved. */
static void
set_candidate(Linker *linker, int i, uint32 slot, const NvStored *self)
{
	HnswRef		ref = {.node = hnsw_memory_node(linker->ix, slot), .buffer = InvalidBuffer};
	HnswCandidate *c = &linker->candidates[i];

	Assert(i < linker->candidates_room && ref.node->kind == HNSW_SLOT_NODE);
	c->slot = slot;
	c->stored = hnsw_stored(linker->ix, &ref);
	if (c->stored.data == linker->ix->assembled)
	{
		char	   *copy = linker->vectors + (Size) i * linker->ix->max_bytes;

		memcpy(copy, c->stored.data, c->stored.bytes);
		c->stored.data = copy;
	}
	c->distance = hnsw_edge_distance(linker->ix, self, &c->stored);
}

/* Choose neighbors on the level of a lane from what its search found. */
static void
choose_level(Linker *linker, Lane *lane)
{
	HnswIndex  *ix = linker->ix;
	uint32		slot = lane->base - lane->level;
	const NvStored *self = &lane->self;
	uint32	   *choice = lane->choice;
	HnswNode   *node = hnsw_memory_node(ix, slot);
	int			nfound;
	HnswFound  *found = hnsw_found(lane->search, &nfound);
	HnswCandidate *c = reserve_candidates(linker, nfound + node->nedges);
	int			n = 0;

	for (int i = 0; i < nfound; i++)
	{
		if (found[i].slot == slot)
			continue;
		c[n].slot = found[i].slot;
		c[n].stored = found[i].stored;
		/* not found[i].distance: what comes twice must have the same to the bit */
		c[n++].distance = hnsw_edge_distance(ix, self, &found[i].stored);
	}
	for (int i = 0; i < node->nedges; i++)
		hnsw_memory_prefetch(ix, HNSW_NEIGHBORS(node)[i]);
	for (int i = 0; i < node->nedges; i++)
		set_candidate(linker, n++, HNSW_NEIGHBORS(node)[i], self);

	n = hnsw_choose(ix, self, c, n, slot, linker->second ? hnsw_chosen_edges(ix) : ix->meta.m,
					linker->second);
	Assert(n < linker->choice_width);
	choice[0] = n;
	for (int i = 0; i < n; i++)
		choice[1 + i] = c[i].slot;
}

/* Begin to search for the nodes of one vector, of which slot is the highest. */
static void
start_vector(Linker *linker, Lane *lane, uint32 slot, uint32 *choice)
{
	HnswBuildShared *shared = linker->build->shared;
	HnswIndex  *ix = linker->ix;
	uint32		entry = slot;

	lane->top = lane->level = hnsw_memory_node(ix, slot)->level;
	lane->base = slot + lane->top;
	lane->choice = choice;
	lane->self = vector_of(ix, lane->base, lane->copy);
	Assert(!lane->busy && lane->top <= HNSW_MAX_LEVEL);
	nv_query_set_stored(&ix->space, &lane->self, &lane->query);
	/* in the second pass it is in the graph: where it is, its neighbors are, if it has any */
	lane->known = linker->second && hnsw_memory_node(ix, lane->base)->nedges > 0;
	if (!lane->known)
		entry = hnsw_descend(lane->search, &lane->query, shared->entry, shared->entry_level,
							 lane->top);
	hnsw_search_start(lane->search, &lane->query, entry, lane->top, ix->meta.ef_construction);
	lane->busy = true;
}

/* The search on one level is done: choose, and begin the next. */
static void
finish_level(Linker *linker, Lane *lane)
{
	uint32		entry = lane->base - lane->level + 1;

	choose_level(linker, lane);
	lane->choice += linker->choice_width;
	if (lane->level-- == 0)
	{
		lane->busy = false;
		return;
	}
	if (!lane->known)
		entry = hnsw_nearest(lane->search)->down;
	hnsw_search_start(lane->search, &lane->query, entry, lane->level,
					  linker->ix->meta.ef_construction);
}

/* Take the next vector of the batch; false when there is none left. */
static bool
next_vector(Linker *linker, Lane *lane, uint32 first, uint32 n)
{
	HnswBuildShared *shared = linker->build->shared;
	uint32		row;

	while ((row = pg_atomic_fetch_add_u32(&shared->next, 1)) < n)
	{
		uint32		slot = linker->order[first + row];
		const HnswNode *node = hnsw_memory_node(linker->ix, slot);

		/* the top node of a vector stands for all of them */
		if (hnsw_memory_node(linker->ix, slot + node->level)->top_level != node->level ||
			(slot == shared->entry && !linker->second))
			continue;
		start_vector(linker, lane, slot, linker->choices + (Size) row * linker->choice_width);
		return true;
	}
	return false;
}

static void
choose_batch(Linker *linker, uint32 first, uint32 n)
{
	int			busy = 0;

	for (int i = 0; i < LANES; i++)
		busy += next_vector(linker, &linker->lanes[i], first, n);
	while (busy > 0)
	{
		for (int i = 0; i < LANES; i++)
		{
			Lane	   *lane = &linker->lanes[i];

			if (!lane->busy || hnsw_search_step(lane->search))
				continue;
			finish_level(linker, lane);
			if (!lane->busy && !next_vector(linker, lane, first, n))
				busy--;
		}
	}
}

/* ---- between the steps: what to change, by node ---- */

static inline int
compare_pairs(const HnswPair *x, const HnswPair *y)
{
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->source < y->source ? -1 : x->source > y->source;
}

#define ST_SORT sort_pairs
#define ST_ELEMENT_TYPE HnswPair
#define ST_COMPARE(a, b) compare_pairs(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
gather_pairs(Linker *linker, uint32 first, uint32 n)
{
	HnswBuildShared *shared = linker->build->shared;
	uint64		npairs = 0;

	for (uint32 row = 0; row < n; row++)
	{
		uint32		slot = linker->order[first + row];
		uint32	   *choice = linker->choices + (Size) row * linker->choice_width;

		CHECK_FOR_INTERRUPTS();
		if (choice[0] == 0)
			continue;
		linker->pairs[npairs++] = (HnswPair) {slot, HNSW_NO_SLOT, row};
		for (uint32 i = 0; i < choice[0]; i++)
			linker->pairs[npairs++] = (HnswPair) {choice[1 + i], slot, 0};
	}
	Assert(npairs <= (uint64) n * linker->choice_width);
	sort_pairs(linker->pairs, npairs);
	shared->npairs = npairs;
	pg_atomic_write_u32(&shared->next, 0);
	pg_atomic_write_u64(&shared->next_group, 0);
}

/* ---- step 2: apply ---- */

static void
change_node(Linker *linker, const HnswPair *pairs, int npairs, char *copy)
{
	HnswIndex  *ix = linker->ix;
	HnswNode   *node = hnsw_memory_node(ix, pairs[0].node);
	NvStored	self = vector_of(ix, pairs[0].node, copy);
	int			limit = hnsw_max_edges(&ix->meta);
	bool		own = pairs[npairs - 1].source == HNSW_NO_SLOT;
	const uint32 *edges = HNSW_NEIGHBORS(node);
	int			nedges = node->nedges;
	HnswCandidate *c;
	int			n = 0;
	int			needed;			/* the first whose vector is */

	if (own)
	{
		const uint32 *choice = linker->choices + (Size) pairs[--npairs].row * linker->choice_width;

		nedges = (int) choice[0];
		edges = choice + 1;
	}
	c = reserve_candidates(linker, nedges + npairs);
	for (int i = 0; i < nedges; i++)
		c[n++].slot = edges[i];
	for (int i = 0; i < npairs; i++)
	{
		bool		known = false;

		for (int j = 0; j < nedges && !known; j++)
			known = edges[j] == pairs[i].source;
		if (!known)
			c[n++].slot = pairs[i].source;
	}
	/* with room for all, edges that the node has already stay as they are */
	needed = n > limit || own ? 0 : nedges;
	for (int i = needed; i < n; i++)
		hnsw_memory_prefetch(ix, c[i].slot);
	for (int i = needed; i < n; i++)
		set_candidate(linker, i, c[i].slot, &self);
	if (n > limit)
		n = hnsw_choose(ix, &self, c, n, pairs[0].node, hnsw_chosen_edges(ix),
						linker->second);
	hnsw_set_edges(ix, node, &self, linker->candidates, n);
}

static void
apply_batch(Linker *linker)
{
	HnswBuildShared *shared = linker->build->shared;
	HnswPair   *pairs = linker->pairs;
	char	   *copy = palloc_extended(linker->ix->max_bytes, MCXT_ALLOC_HUGE);
	const uint64 step = 64;
	uint64		first;

	while ((first = pg_atomic_fetch_add_u64(&shared->next_group, step)) < shared->npairs)
	{
		uint64		end = Min(first + step, shared->npairs);
		uint64		i = first;

		CHECK_FOR_INTERRUPTS();
		/* groups that begin here; one that began before is another's */
		while (i < end && i > 0 && pairs[i].node == pairs[i - 1].node)
			i++;
		while (i < end)
		{
			int			n = 1;

			while (i + n < shared->npairs && pairs[i + n].node == pairs[i].node)
				n++;
			change_node(linker, pairs + i, n, copy);
			i += n;
		}
	}
	pfree(copy);
}

/* ---- passes ---- */

static uint32
batch_size(const Linker *linker, uint32 first, uint32 total)
{
	uint32		n;

	if (linker->second)
		n = total / SECOND_BATCH_PART + 1;
	else
		n = Min(Max(first, 1), Max(total / BATCH_PART, LEAST_BATCH));
	return Min(n, total - first);
}

/* The largest batch, and the nodes of a vector that may complete it. */
static uint32
largest_batch(uint32 total)
{
	uint32		first = Max(total / BATCH_PART, LEAST_BATCH);

	return Max(first, total / SECOND_BATCH_PART + 1) + HNSW_MAX_LEVEL + 1;
}

static void
run_pass(Linker *linker)
{
	HnswBuild  *build = linker->build;
	uint32		total = build->shared->nslots;
	uint32		first = 0;

	while (first < total)
	{
		uint32		n = batch_size(linker, first, total);

		Assert(n > 0 && n <= total - first);
		/* all nodes of a vector go together, level 0 last */
		while (hnsw_memory_node(linker->ix, linker->order[first + n - 1])->level > 0)
			n++;
		if (hnsw_build_wait(build))
			memset(linker->choices, 0, sizeof(uint32) * linker->choice_width * (Size) n);
		hnsw_build_wait(build);
		choose_batch(linker, first, n);
		if (hnsw_build_wait(build))
			gather_pairs(linker, first, n);
		hnsw_build_wait(build);
		apply_batch(linker);
		first += n;
	}
	hnsw_build_wait(build);
}

static void
alloc_shared_arrays(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	Size		width = 1 + build->ix.layout.neighbors;
	Size		batch;

	make_order(build);
	if (shared->by_parts)
		return;
	batch = Min(largest_batch(shared->nslots), shared->nslots + 1);
	shared->choices = hnsw_array_alloc(build, sizeof(uint32) * width * batch);
	shared->pairs = hnsw_array_alloc(build, sizeof(HnswPair) * width * batch);
	pg_atomic_write_u32(&shared->next, 0);
	pg_atomic_write_u64(&shared->next_group, 0);
}

Size
hnsw_link_slot_bytes(const HnswMeta *meta)
{
	Size		width = 1 + 2 * meta->m;

	/* the order and ranks, then what the largest batches need; in their place, what writing does */
	return 2 * sizeof(uint32) +
		Max(sizeof(OrderKey), width * (sizeof(uint32) + sizeof(HnswPair)) / SECOND_BATCH_PART + 1);
}

/* Searches take about so many bytes for each of their candidates, and others beside. */
#define BYTES_PER_EF 2048
#define BYTES_OF_PROCESS (256 * 1024)

Size
hnsw_link_process_bytes(const HnswMeta *meta)
{
	Size		ef = (Size) (meta->ef_construction * HNSW_MOST_WIDENED);
	Size		bytes = BYTES_OF_PROCESS + LANES * ef * BYTES_PER_EF;
	NvSpaceSpec spec = hnsw_spec(meta);
	Size		vector = nv_form_max_bytes(meta->form, meta->dims, nv_spec_length(&spec));

	/* those that have to be put together are kept */
	if (vector > meta->slot_bytes && meta->form != NV_FORM_SPARSE)
		bytes += vector * (LANES * 2 * ef + FIRST_CANDIDATES);
	return bytes;
}

/* Link by searches, in two passes. */
static void
link_by_searches(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	Linker		linker = {.build = build, .ix = &build->ix};

	linker.order = hnsw_array(build, shared->order);
	linker.choices = hnsw_array(build, shared->choices);
	linker.pairs = hnsw_array(build, shared->pairs);
	linker.choice_width = 1 + build->ix.layout.neighbors;
	for (int i = 0; i < LANES; i++)
	{
		Lane	   *lane = &linker.lanes[i];

		lane->search = hnsw_search_begin(&build->ix, true);
		nv_query_alloc(&build->ix.space, &lane->query);
		lane->copy = palloc_extended(build->ix.max_bytes, MCXT_ALLOC_HUGE);
	}
	linker.candidates_room = FIRST_CANDIDATES;
	linker.candidates = palloc(sizeof(HnswCandidate) * linker.candidates_room);
	if (build->ix.assembled != NULL)
		linker.vectors = palloc_extended((Size) build->ix.max_bytes * linker.candidates_room,
										 MCXT_ALLOC_HUGE);

	run_pass(&linker);
	linker.second = true;
	run_pass(&linker);
	hnsw_array_free(build, shared->choices);
	hnsw_array_free(build, shared->pairs);
}

void
hnsw_link(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;

	if (hnsw_build_wait(build))
		alloc_shared_arrays(build);
	hnsw_build_wait(build);
	build->ix.ranks = hnsw_array(build, shared->ranks);
	if (shared->by_parts)
	{
		/* of vectors of one length, what is nearest by the product is nearest by L2 */
		if (build->ix.space.ip && !shared->by_product)
		{
			build->ix.meta.metric = NV_SPACE_L2;
			nv_space_change_metric(&build->ix.space, NV_SPACE_L2);
		}
		hnsw_parts_link(build);
	}
	else
		link_by_searches(build);
	if (hnsw_build_wait(build))
		hnsw_connect_all(&build->ix, shared->entry, NULL, pg_atomic_read_u32(&shared->memory.used));
	hnsw_build_wait(build);
	build->ix.ranks = NULL;
	hnsw_array_free(build, shared->ranks);
}
