/*-------------------------------------------------------------------------
 *
 * hnsw_graph.c
 *		Search in the graph, and choice of neighbors.
 *
 * A search keeps a pool of candidates, by estimated distance, and visits the
 * nearest until it is farther than the ef best visited.  A visit reads one
 * node: the exact distance of its vector, and from that, by the codes in the
 * node, estimates for all its neighbors.
 *
 * The estimates of one node from several parents differ.  Taking the smallest
 * would favor nodes with many chances to be underestimated, so each node has
 * one place in the pool, by the mean of its estimates.
 *
 * Without codes a visit reads the neighbors' vectors too, and all distances
 * are exact.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* The state of a node that a search has seen. */
typedef enum SeenState
{
	SEEN_WAITING,				/* not, or no longer, in the pool */
	SEEN_POOLED,
	SEEN_VISITED				/* and perhaps in the pool */
} SeenState;

typedef struct Seen
{
	uint32		slot;			/* HNSW_NO_SLOT: empty */
	float		sum;			/* of estimates */
	uint16		count;
	uint16		state;
	uint32		place;			/* in the pool */
} Seen;

/*
 * The pool is not sorted: a search takes the least of a few hundred keys now
 * and then, and changes them all the time.  When it is full, the best ef stay.
 */
typedef struct Pool
{
	float	   *keys;			/* means of estimates */
	uint32	   *seen;			/* their nodes */
	int			n;
	int			room;
	float		limit;			/* keys not below it stay outside */
} Pool;

/* The ef smallest distances of visited nodes, in order. */
typedef struct Best
{
	float	   *distances;
	int			n;
	int			room;
} Best;

struct HnswSearch
{
	HnswIndex  *ix;
	const NvQuery *query;
	bool		keep_vectors;
	int			level;
	int			ef;
	MemoryContext context;		/* with all of it */
	Size		limit;			/* of its memory; 0: none */
	uint32		next;			/* node to visit, being fetched, or HNSW_NO_SLOT */
	Pool		pool;
	Best		best;

	/* all nodes seen: open addressing, a power of two, at most two thirds full */
	Seen	   *seen;
	uint32		seen_mask;
	int			seen_shift;		/* 32 - log2 of the size */
	uint32		nseen;

	HnswFound  *found;
	int			nfound;
	int			found_room;
	char	   *vectors;		/* copies of live ones, if kept */
	int			nvectors;
	int			vectors_room;

	NvCodeTable table;
	uint32		table_serial;	/* of the query that the table was made for */
};

#define FIRST_SEEN 256
#define SEEN_PER_EF 48
#define FIRST_FOUND 64

HnswSearch *
hnsw_search_begin(HnswIndex *ix, bool keep_vectors)
{
	HnswSearch *s = palloc0(sizeof(HnswSearch));

	s->ix = ix;
	s->context = CurrentMemoryContext;
	s->keep_vectors = keep_vectors;
	s->seen_mask = FIRST_SEEN - 1;
	s->seen_shift = 32 - pg_leftmost_one_pos32(FIRST_SEEN);
	s->seen = palloc(sizeof(Seen) * FIRST_SEEN);
	s->found_room = FIRST_FOUND;
	s->found = palloc(sizeof(HnswFound) * FIRST_FOUND);
	s->vectors_room = FIRST_FOUND;
	if (keep_vectors)
		s->vectors = palloc_extended((Size) ix->max_bytes * FIRST_FOUND, MCXT_ALLOC_HUGE);
	if (ix->meta.bits > 0)
		s->table.entries = palloc(NV_CODE_TABLE_BYTES(ix->meta.bits));
	return s;
}

HnswFound *
hnsw_found(HnswSearch *s, int *n)
{
	*n = s->nfound;
	return s->found;
}

const HnswFound *
hnsw_nearest(const HnswSearch *s)
{
	const HnswFound *nearest = NULL;

	for (int i = 0; i < s->nfound; i++)
	{
		if (nearest == NULL || s->found[i].distance < nearest->distance)
			nearest = &s->found[i];
	}
	return nearest;
}

float
hnsw_horizon(const HnswSearch *s, int n)
{
	Assert(n >= 1 && n <= s->ef);
	return s->best.n < s->ef ? INFINITY : s->best.distances[n - 1];
}

/* Whether so many more bytes are within the limit. */
static bool
fits(const HnswSearch *s, Size more)
{
	return s->limit == 0 || MemoryContextMemAllocated(s->context, false) + more <= s->limit;
}

/* ---- nodes seen ---- */

/* Fibonacci hashing (Knuth, volume 3, 6.4): slots of one page are apart. */
static inline uint32
hash_slot(const HnswSearch *s, uint32 slot)
{
	return (slot * 2654435769u) >> s->seen_shift;
}

/* The entry of a slot, or the empty one where it belongs; i is its hash. */
static inline uint32
find_seen_from(const HnswSearch *s, uint32 slot, uint32 i)
{
	while (s->seen[i].slot != slot && s->seen[i].slot != HNSW_NO_SLOT)
		i = (i + 1) & s->seen_mask;
	return i;
}

static inline uint32
find_seen(const HnswSearch *s, uint32 slot)
{
	return find_seen_from(s, slot, hash_slot(s, slot));
}

/* Hash the slots of neighbors, and have their entries come into the caches. */
static inline void
hash_neighbors(const HnswSearch *s, const uint32 *neighbors, int n, uint32 *hashes)
{
	for (int i = 0; i < n; i++)
		hashes[i] = hash_slot(s, neighbors[i]);
	for (int i = 0; i < n; i++)
		__builtin_prefetch(&s->seen[hashes[i]], 1);
}

static pg_noinline void
grow_seen(HnswSearch *s)
{
	Seen	   *old = s->seen;
	uint32		size = s->seen_mask + 1;

	s->seen_mask = size * 2 - 1;
	s->seen_shift--;
	s->seen = palloc_extended(sizeof(Seen) * 2 * size, MCXT_ALLOC_HUGE);
	memset(s->seen, 0xff, sizeof(Seen) * 2 * size);
	for (uint32 i = 0; i < size; i++)
	{
		if (old[i].slot != HNSW_NO_SLOT)
			s->seen[find_seen(s, old[i].slot)] = old[i];
	}
	/* the pool points to entries: carry that over before the old ones are gone */
	for (int i = 0; i < s->pool.n; i++)
		s->pool.seen[i] = find_seen(s, old[s->pool.seen[i]].slot);
	pfree(old);
}

/* Make room for n more. */
static inline bool
lacks_seen(const HnswSearch *s, uint32 n)
{
	return (s->nseen + n) / 2 > s->seen_mask / 3;
}

static inline void
reserve_seen(HnswSearch *s, uint32 n)
{
	while (unlikely(lacks_seen(s, n)))
		grow_seen(s);
}

/* Whether there is memory for one more visit. */
static inline bool
may_visit(const HnswSearch *s)
{
	Size		more = 0;

	/* what was seen is copied when it grows, what was found is not */
	if (lacks_seen(s, hnsw_max_edges(&s->ix->meta)))
		more += sizeof(Seen) * 2 * ((Size) s->seen_mask + 1);
	if (s->nfound == s->found_room)
		more += sizeof(HnswFound) * s->found_room;
	return more == 0 || fits(s, more);
}

/* ---- the pool ---- */

/* So many more than ef, twice, fit before the pool is cut back. */
#define POOL_ROOM(ef) (2 * (ef) + 64)

static void
pool_reset(HnswSearch *s, int ef)
{
	int			room = POOL_ROOM(ef);

	if (room > s->pool.room)
	{
		if (s->pool.keys != NULL)
		{
			pfree(s->pool.keys);
			pfree(s->pool.seen);
			pfree(s->best.distances);
		}
		s->pool.keys = palloc(sizeof(float) * room);
		s->pool.seen = palloc(sizeof(uint32) * room);
		s->best.distances = palloc(sizeof(float) * room);
		s->pool.room = room;
	}
	s->ef = ef;
	s->pool.n = 0;
	s->pool.limit = INFINITY;
	s->best.n = 0;
}

static inline void
pool_move(HnswSearch *s, int to, int from)
{
	s->pool.keys[to] = s->pool.keys[from];
	s->pool.seen[to] = s->pool.seen[from];
	s->seen[s->pool.seen[to]].place = to;
}

static inline void
pool_swap(HnswSearch *s, int a, int b)
{
	float		key = s->pool.keys[a];
	uint32		seen = s->pool.seen[a];

	pool_move(s, a, b);
	s->pool.keys[b] = key;
	s->pool.seen[b] = seen;
	s->seen[seen].place = b;
}

/* Keep the best ef (Hoare's selection), and let in only what is better. */
static pg_noinline void
pool_cut(HnswSearch *s)
{
	int			low = 0,
				high = s->pool.n - 1;
	int			k = s->ef - 1;
	float	   *keys = s->pool.keys;

	while (low < high)
	{
		float		pivot = keys[(low + high) / 2];
		int			i = low,
					j = high;

		while (i <= j)
		{
			while (keys[i] < pivot)
				i++;
			while (keys[j] > pivot)
				j--;
			if (i <= j)
				pool_swap(s, i++, j--);
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			break;
	}
	for (int i = s->ef; i < s->pool.n; i++)
		s->seen[s->pool.seen[i]].state = SEEN_WAITING;
	s->pool.n = s->ef;
	s->pool.limit = keys[k];
}

static inline void
pool_add(HnswSearch *s, float key, uint32 seen)
{
	if (s->pool.n == s->pool.room)
		pool_cut(s);
	if (!(key < s->pool.limit))
		return;
	s->pool.keys[s->pool.n] = key;
	s->pool.seen[s->pool.n] = seen;
	s->seen[seen].place = s->pool.n++;
	s->seen[seen].state = SEEN_POOLED;
}

static inline void
pool_remove(HnswSearch *s, int place)
{
	s->pool.n--;
	if (place < s->pool.n)
		pool_move(s, place, s->pool.n);
}

/* Take note of the distance of a visited node. */
static inline void
best_add(HnswSearch *s, float distance)
{
	float	   *distances = s->best.distances;
	int			low = 0,
				high = s->best.n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (distances[middle] <= distance)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->ef)
		return;
	if (s->best.n < s->ef)
		s->best.n++;
	memmove(distances + low + 1, distances + low, sizeof(float) * (s->best.n - 1 - low));
	distances[low] = distance;
	if (s->best.n == s->ef)
		s->pool.limit = Min(s->pool.limit, distances[s->ef - 1]);
}

/* Distances that overflow are the largest there is, so that a search goes on. */
static inline float
clamp(float distance)
{
	return likely(distance < FLT_MAX) ? distance : FLT_MAX;
}

static inline float
mean_of(const Seen *e)
{
	return clamp(e->sum / e->count);
}

/* Take note of an estimate (or of the distance) of a node.  Room is reserved. */
static pg_attribute_always_inline void
consider(HnswSearch *s, uint32 slot, uint32 hash, float estimate)
{
	uint32		i = find_seen_from(s, slot, hash);
	Seen	   *e = &s->seen[i];

	estimate = clamp(estimate);
	if (e->slot == HNSW_NO_SLOT)
	{
		e->slot = slot;
		e->sum = estimate;
		e->count = 1;
		e->state = SEEN_WAITING;
		s->nseen++;
	}
	else
	{
		if (e->state == SEEN_VISITED || e->count == PG_UINT16_MAX)
			return;
		e->sum += estimate;
		e->count++;
		estimate = mean_of(e);
		if (e->state == SEEN_POOLED)
		{
			s->pool.keys[e->place] = estimate;
			return;
		}
	}
	if (estimate < s->pool.limit)
		pool_add(s, estimate, i);
}

/* ---- visits ---- */

static pg_noinline void
grow_found(HnswSearch *s)
{
	s->found_room *= 2;
	s->found = repalloc_huge(s->found, sizeof(HnswFound) * s->found_room);
}

/* A copy of a vector that was found. */
static char *
keep_vector(HnswSearch *s, const NvStored *v)
{
	Size		bytes = s->ix->max_bytes;
	char	   *copy;

	if (unlikely(s->nvectors == s->vectors_room))
	{
		uintptr_t	old = (uintptr_t) s->vectors;

		s->vectors_room *= 2;
		s->vectors = repalloc_huge(s->vectors, bytes * s->vectors_room);
		for (int i = 0; i < s->nfound; i++)
		{
			uintptr_t	offset = (uintptr_t) s->found[i].stored.data - old;

			if (offset < bytes * s->nvectors)
				s->found[i].stored.data = s->vectors + offset;
		}
	}
	copy = s->vectors + bytes * s->nvectors++;
	memcpy(copy, v->data, v->bytes);
	return copy;
}

/* Add a node to what was found.  Its page is locked. */
static inline void
add_found(HnswSearch *s, uint32 slot, const HnswNode *node, const NvStored *v, float distance)
{
	HnswFound  *f;

	if (unlikely(s->nfound == s->found_room))
		grow_found(s);
	f = &s->found[s->nfound];
	f->distance = distance;
	f->error = node->error;
	f->slot = slot;
	f->down = node->down;
	f->base = node->base;
	f->dead = (node->flags & HNSW_DEAD) != 0;
	f->ntids = node->ntids;
	memcpy(f->tids, node->tids, sizeof(ItemPointerData) * node->ntids);
	f->stored = *v;
	/* what is in memory stays where it is, unless it was put together */
	if (s->keep_vectors && !f->dead && (s->ix->memory == NULL || v->data == s->ix->assembled))
		f->stored.data = keep_vector(s, v);
	s->nfound++;
}

/* Estimates of the neighbors of a node at this distance from the query. */
static void
estimate_neighbors(const HnswSearch *s, const HnswNode *node, float distance, float *estimates)
{
	const HnswLayout *layout = &s->ix->layout;

	for (int start = 0; start < node->nedges; start += NV_FASTSCAN_BLOCK)
	{
		const NvHalfFloat *add = HNSW_ADD(layout, node) + start;
		const NvHalfFloat *factor = HNSW_FACTOR(layout, node) + start;
		const uint8 *codes = HNSW_CODES(layout, node) +
			start / NV_FASTSCAN_BLOCK * NV_CODE_BLOCK_BYTES(s->ix->meta.bits);

		nv_code_estimate(&s->table, s->ix->meta.bits, codes, add, factor, distance, INFINITY,
						 estimates + start);
	}
}

/*
 * Measure neighbors one by one; without codes.  The node's page is not locked
 * any more: "neighbors" is a copy.
 */
static void
measure_neighbors(HnswSearch *s, const uint32 *neighbors, int n)
{
	for (int i = 0; i < n; i++)
	{
		HnswRef		ref;
		NvStored	v;
		float		distance;

		if (s->seen[find_seen(s, neighbors[i])].slot != HNSW_NO_SLOT)
			continue;
		if (!hnsw_read(s->ix, neighbors[i], &ref))
			continue;
		v = hnsw_stored(s->ix, &ref);
		distance = nv_distance_from_query(&s->ix->space, s->query, &v);
		hnsw_release(&ref);
		consider(s, neighbors[i], hash_slot(s, neighbors[i]), distance);
	}
}

/*
 * Visit a node: returns its distance, or false if there is none of this
 * level any more.
 */
static bool
visit(HnswSearch *s, uint32 slot, float *distance)
{
	HnswIndex  *ix = s->ix;
	bool		codes = ix->meta.bits > 0;
	float		estimates[HNSW_MAX_SLOTS + NV_FASTSCAN_BLOCK];
	uint32		neighbors[HNSW_MAX_SLOTS];
	uint32		hashes[HNSW_MAX_SLOTS];
	int			n;
	HnswRef		ref;
	NvStored	v;

	if (!hnsw_read(ix, slot, &ref))
		return false;
	if (unlikely(ref.node->level != s->level))
	{
		hnsw_release(&ref);
		return false;
	}
	v = hnsw_stored(ix, &ref);
	*distance = nv_distance_from_query(&ix->space, s->query, &v);
	add_found(s, slot, ref.node, &v, *distance);
	n = ref.node->nedges;
	memcpy(neighbors, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * n);
	reserve_seen(s, n);
	if (codes)
	{
		hash_neighbors(s, neighbors, n, hashes);
		estimate_neighbors(s, ref.node, *distance, estimates);
	}
	hnsw_release(&ref);

	if (!codes)
		measure_neighbors(s, neighbors, n);
	else
	{
		for (int i = 0; i < n; i++)
			consider(s, neighbors[i], hashes[i], estimates[i]);
	}
	return true;
}

/*
 * Pick the nearest candidate as the next to visit, and have its node fetched;
 * false when ef visited ones are nearer.
 */
static bool
pick_next(HnswSearch *s)
{
	int			place;
	Seen	   *e;

	s->next = HNSW_NO_SLOT;
	if (s->pool.n == 0)
		return false;
	place = (int) nv_kern.argmin(s->pool.keys, s->pool.n);
	if (s->best.n == s->ef && s->pool.keys[place] > s->best.distances[s->ef - 1])
		return false;
	e = &s->seen[s->pool.seen[place]];
	e->state = SEEN_VISITED;
	s->next = e->slot;
	pool_remove(s, place);
	hnsw_prefetch(s->ix, s->next);
	return true;
}

bool
hnsw_search_step(HnswSearch *s)
{
	float		distance;

	CHECK_FOR_INTERRUPTS();
	if (s->next == HNSW_NO_SLOT || !may_visit(s))
		return false;
	if (visit(s, s->next, &distance))
		best_add(s, clamp(distance));
	return pick_next(s);
}

/* Begin with so many nodes seen in mind; what a larger search left is given back. */
static void
reset_seen(HnswSearch *s, int ef)
{
	uint32		size = FIRST_SEEN;

	while (size < (uint32) ef * SEEN_PER_EF)
		size *= 2;
	if (size != s->seen_mask + 1)
	{
		pfree(s->seen);
		s->seen = palloc_extended(sizeof(Seen) * size, MCXT_ALLOC_HUGE);
		s->seen_mask = size - 1;
		s->seen_shift = 32 - pg_leftmost_one_pos32(size);
	}
	memset(s->seen, 0xff, sizeof(Seen) * size);
	s->nseen = 0;
}

void
hnsw_search_start(HnswSearch *s, const NvQuery *query, uint32 entry, int level, int ef)
{
	HnswIndex  *ix = s->ix;

	s->query = query;
	s->level = level;
	if (ix->meta.bits > 0 && s->table_serial != query->serial)
	{
		nv_code_table(query->elements, ix->meta.bits, &s->table);
		s->table_serial = query->serial;
	}
	s->nfound = s->nvectors = 0;
	s->limit = 0;
	pool_reset(s, ef);
	reset_seen(s, ef);
	consider(s, entry, hash_slot(s, entry), 0);
	pick_next(s);
}

void
hnsw_search_level(HnswSearch *s, const NvQuery *query, uint32 entry, int level, int ef)
{
	hnsw_search_start(s, query, entry, level, ef);
	while (hnsw_search_step(s))
		;
}

/* As if the search had begun with the larger ef: nothing is visited twice. */
bool
hnsw_search_more(HnswSearch *s, int ef, Size limit)
{
	int			nfound = s->nfound;
	bool		any_left = false;

	s->limit = limit;
	if (!fits(s, (2 * sizeof(float) + sizeof(uint32)) * (Size) POOL_ROOM(ef)))
		return false;
	pool_reset(s, ef);
	for (int i = 0; i < s->nfound; i++)
		best_add(s, clamp(s->found[i].distance));
	for (uint32 i = 0; i <= s->seen_mask; i++)
	{
		if (s->seen[i].slot != HNSW_NO_SLOT && s->seen[i].state != SEEN_VISITED)
		{
			s->seen[i].state = SEEN_WAITING;
			pool_add(s, mean_of(&s->seen[i]), i);
			any_left = true;
		}
	}
	pick_next(s);
	while (hnsw_search_step(s))
		;
	/* with a small ef, none of those left may have been near enough yet */
	return s->nfound > nfound || (any_left && may_visit(s));
}

uint32
hnsw_descend(HnswSearch *s, const NvQuery *query, uint32 entry, int entry_level, int level)
{
	/* two candidates: estimates need a second chance */
	const int	ef = 2;

	for (int l = entry_level; l > level && entry != HNSW_NO_SLOT; l--)
	{
		const HnswFound *nearest;

		hnsw_search_level(s, query, entry, l, ef);
		nearest = hnsw_nearest(s);
		entry = nearest == NULL ? HNSW_NO_SLOT : nearest->down;
	}
	return entry;
}

/* ---- neighbors ---- */

static inline bool
is_nearer(const HnswCandidate *a, const HnswCandidate *b)
{
	return a->distance < b->distance || (a->distance == b->distance && a->slot < b->slot);
}

/* By distance.  A shell sort inlines the comparison; n is a hundred or so. */
void
hnsw_sort_candidates(HnswCandidate *candidates, int n)
{
	static const int gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};	/* Ciura, 2001 */

	for (int g = 0; g < (int) lengthof(gaps); g++)
	{
		int			gap = gaps[g];

		for (int i = gap; i < n; i++)
		{
			HnswCandidate c = candidates[i];
			int			j = i;

			for (; j >= gap && is_nearer(&c, &candidates[j - gap]); j -= gap)
				candidates[j] = candidates[j - gap];
			candidates[j] = c;
		}
	}
}

/* Sorted; drop what comes twice. */
static int
unique_candidates(HnswCandidate *candidates, int n)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		/* the same slot has the same distance */
		if (kept == 0 || candidates[kept - 1].slot != candidates[i].slot)
			candidates[kept++] = candidates[i];
	}
	return kept;
}

/*
 * With free places to fill, a candidate may be this much nearer to a chosen one
 * than to the node (Jayaram Subramanya et al., "DiskANN", 2019: alpha).
 * Negative distances, of inner products, have no such ratio.
 */
#define FILL_ALPHA 1.1f

/*
 * Whether a chosen candidate stands for another one.  From one that has the
 * node's own vector everything is as far as from the node: that refuses only
 * what has this vector, too, or else the node would have no other neighbor.
 */
static bool
stands_for(HnswIndex *ix, const HnswCandidate *chosen, const HnswCandidate *c, float alpha)
{
	float		distance = nv_distance_between(&ix->space, &chosen->stored, &c->stored);

	if (alpha * distance > c->distance)
		return false;
	return distance < c->distance || nv_stored_equal(&chosen->stored, &c->stored);
}

/* How much nearer, where places are to be filled. */
static float
fill_alpha(const HnswIndex *ix)
{
	return ix->space.metric == NV_SPACE_IP ? 1 : FILL_ALPHA;
}

/*
 * Which of the candidates before number "place", as the heuristic chooses among
 * them, stands for it; -1 if none does.  left_out: what is known of them, or 0.
 */
static int
find_standing(HnswIndex *ix, const HnswCandidate *candidates, int place, float alpha,
			  int8 *left_out)
{
	for (int i = 0; i < place; i++)
	{
		if (left_out[i] > 0 || candidates[i].dead ||
			!stands_for(ix, &candidates[i], &candidates[place], alpha))
			continue;
		if (left_out[i] == 0)
			left_out[i] = find_standing(ix, candidates, i, alpha, left_out) >= 0 ? 1 : -1;
		if (left_out[i] < 0)
			return i;
	}
	return -1;
}

int
hnsw_find_spare(HnswIndex *ix, const HnswCandidate *candidates, int n, int *stands)
{
	float		alpha = fill_alpha(ix);
	int8		left_out[HNSW_MAX_SLOTS + 1] = {0};

	/* equal vectors have the same distance to the bit */
	for (int i = n - 1; i > 0; i--)
	{
		*stands = i - 1;
		if (candidates[i].distance == candidates[i - 1].distance &&
			nv_stored_equal(&candidates[i].stored, &candidates[i - 1].stored))
			return i;
	}
	for (int i = n - 1; i > 0; i--)
	{
		*stands = find_standing(ix, candidates, i, alpha, left_out);
		if (*stands >= 0)
			return i;
	}
	*stands = -1;
	return n - 1;
}

/* Add candidates to those chosen, as far as they have, or have not, the vector of one of these. */
static int
fill_places(HnswCandidate *candidates, int chosen, int limit, const HnswCandidate *refused,
			const bool *repeats, int nrefused, bool repeated)
{
	for (int i = 0; i < nrefused && chosen < limit; i++)
	{
		if (repeats[i] == repeated)
			candidates[chosen++] = refused[i];
	}
	return chosen;
}

int
hnsw_choose(HnswIndex *ix, HnswCandidate *candidates, int n, int limit, bool fill)
{
	return hnsw_choose_beside(ix, candidates, 0, n, limit, fill);
}

int
hnsw_choose_beside(HnswIndex *ix, HnswCandidate *candidates, int kept, int n, int limit, bool fill)
{
	HnswCandidate *refused;
	bool	   *repeats;
	int			nrefused = 0;
	int			chosen = kept;
	float		alpha = fill ? fill_alpha(ix) : 1;

	hnsw_sort_candidates(candidates + kept, n - kept);
	n = kept + unique_candidates(candidates + kept, n - kept);
	refused = palloc(sizeof(HnswCandidate) * Max(n, 1));
	repeats = palloc(sizeof(bool) * Max(n, 1));
	for (int i = kept; i < n && chosen < limit; i++)
	{
		HnswCandidate c = candidates[i];
		int			k = 0;

		CHECK_FOR_INTERRUPTS();
		while (k < chosen && !stands_for(ix, &candidates[k], &c, alpha))
			k++;
		if (k == chosen)
			candidates[chosen++] = c;
		else
		{
			repeats[nrefused] = nv_stored_equal(&candidates[k].stored, &c.stored);
			refused[nrefused++] = c;
		}
	}
	if (fill)
	{
		chosen = fill_places(candidates, chosen, limit, refused, repeats, nrefused, false);
		chosen = fill_places(candidates, chosen, limit, refused, repeats, nrefused, true);
	}
	pfree(repeats);
	pfree(refused);
	return chosen;
}

/* Write edge number "place" of a node, whose floats are p. */
static void
write_edge(HnswIndex *ix, HnswNode *node, int place, const HnswCandidate *neighbor,
		   const float *p, float *o)
{
	const HnswLayout *layout = &ix->layout;
	int			bits = ix->meta.bits;
	int			block = place / NV_FASTSCAN_BLOCK;

	HNSW_NEIGHBORS(node)[place] = neighbor->slot;
	if (bits == 0)
		return;
	nv_stored_floats(&ix->space, &neighbor->stored, o);
	nv_code_write(p, o, ix->space.length, bits, ix->space.metric == NV_SPACE_IP,
				  HNSW_CODES(layout, node) + block * NV_CODE_BLOCK_BYTES(bits),
				  place % NV_FASTSCAN_BLOCK,
				  HNSW_ADD(layout, node) + place, HNSW_FACTOR(layout, node) + place);
}

void
hnsw_set_edges(HnswIndex *ix, HnswNode *node, const NvStored *self,
			   const HnswCandidate *neighbors, int n)
{
	uint32	   *slots = HNSW_NEIGHBORS(node);
	bool		stays[HNSW_MAX_SLOTS] = {false};	/* by place in the node */
	bool		placed[HNSW_MAX_SLOTS] = {false};	/* by number in neighbors */
	float	   *p = ix->edge_floats;
	float	   *o = p + ix->space.length;
	int			place = 0;

	Assert(n <= hnsw_max_edges(&ix->meta));
	for (int i = 0; i < Min(node->nedges, n); i++)
	{
		for (int j = 0; j < n; j++)
		{
			if (!placed[j] && neighbors[j].slot == slots[i])
			{
				stays[i] = placed[j] = true;
				break;
			}
		}
	}
	if (ix->meta.bits > 0)
		nv_stored_floats(&ix->space, self, p);
	for (int j = 0; j < n; j++)
	{
		if (placed[j])
			continue;
		while (stays[place])
			place++;
		write_edge(ix, node, place++, &neighbors[j], p, o);
	}
	node->nedges = n;
	node->version++;
}
