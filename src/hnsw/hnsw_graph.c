/*-------------------------------------------------------------------------
 *
 * hnsw_graph.c
 *		Search in the graph, and choice of neighbors.
 *
 * A search keeps a pool of the best ef candidates, by estimated distance, and
 * visits the nearest one not visited until there is none.  A visit reads one
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

#include <math.h>

#include "common/hashfn.h"
#include "miscadmin.h"

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
} Seen;

typedef struct PoolEntry
{
	float		key;			/* mean of estimates; exact once visited */
	uint32		seen;			/* index of its Seen */
} PoolEntry;

struct HnswSearch
{
	HnswIndex  *ix;
	const NvQuery *query;
	bool		keep_vectors;
	int			level;

	/* the pool, nearest first; all before cursor are visited */
	PoolEntry  *pool;
	int			ef;
	int			npool;
	int			cursor;
	int			pool_room;

	/* all nodes seen: open addressing, a power of two, at most half full */
	Seen	   *seen;
	uint32		seen_mask;
	uint32		nseen;

	HnswFound  *found;
	int			nfound;
	int			found_room;
	char	   *vectors;		/* copies, one per found, if kept */

	NvCodeTable table;
	uint32		table_serial;	/* of the query that the table was made for */
};

#define FIRST_SEEN 1024
#define FIRST_FOUND 64

HnswSearch *
hnsw_search_begin(HnswIndex *ix, bool keep_vectors)
{
	HnswSearch *s = palloc0(sizeof(HnswSearch));

	s->ix = ix;
	s->keep_vectors = keep_vectors;
	s->seen_mask = FIRST_SEEN - 1;
	s->seen = palloc(sizeof(Seen) * FIRST_SEEN);
	s->found_room = FIRST_FOUND;
	s->found = palloc(sizeof(HnswFound) * FIRST_FOUND);
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

float
hnsw_horizon(const HnswSearch *s)
{
	return s->npool < s->ef ? INFINITY : s->pool[s->npool - 1].key;
}

Size
hnsw_search_memory(HnswSearch *s)
{
	return sizeof(Seen) * ((Size) s->seen_mask + 1) + sizeof(HnswFound) * s->found_room +
		sizeof(PoolEntry) * s->pool_room;
}

/* ---- nodes seen ---- */

static inline uint32
find_seen(const HnswSearch *s, uint32 slot)
{
	uint32		i = murmurhash32(slot) & s->seen_mask;

	while (s->seen[i].slot != slot && s->seen[i].slot != HNSW_NO_SLOT)
		i = (i + 1) & s->seen_mask;
	return i;
}

static pg_noinline void
grow_seen(HnswSearch *s)
{
	Seen	   *old = s->seen;
	uint32		size = s->seen_mask + 1;

	s->seen_mask = size * 2 - 1;
	s->seen = palloc_extended(sizeof(Seen) * 2 * size, MCXT_ALLOC_HUGE);
	memset(s->seen, 0xff, sizeof(Seen) * 2 * size);
	for (uint32 i = 0; i < size; i++)
	{
		if (old[i].slot != HNSW_NO_SLOT)
			s->seen[find_seen(s, old[i].slot)] = old[i];
	}
	/* pool entries point to slots: carry them over before the old is gone */
	for (int i = 0; i < s->npool; i++)
		s->pool[i].seen = find_seen(s, old[s->pool[i].seen].slot);
	pfree(old);
}

/* Make room for n more. */
static inline void
reserve_seen(HnswSearch *s, uint32 n)
{
	while (unlikely((s->nseen + n) * 2 > s->seen_mask))
		grow_seen(s);
}

/* ---- the pool ---- */

/* First entry with a key above this one. */
static inline int
pool_place(const HnswSearch *s, float key)
{
	int			low = 0,
				high = s->npool;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (s->pool[middle].key <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static inline bool
pool_wants(const HnswSearch *s, float key)
{
	return s->npool < s->ef || key < s->pool[s->npool - 1].key;
}

static inline void
pool_insert(HnswSearch *s, float key, uint32 seen)
{
	int			place;

	if (s->npool == s->ef)
	{
		Seen	   *last = &s->seen[s->pool[--s->npool].seen];

		if (last->state == SEEN_POOLED)
			last->state = SEEN_WAITING;
	}
	place = pool_place(s, key);
	memmove(s->pool + place + 1, s->pool + place, sizeof(PoolEntry) * (s->npool - place));
	s->pool[place].key = key;
	s->pool[place].seen = seen;
	s->npool++;
	if (place < s->cursor)
		s->cursor = place;
}

static inline void
pool_remove_at(HnswSearch *s, int place)
{
	s->npool--;
	memmove(s->pool + place, s->pool + place + 1, sizeof(PoolEntry) * (s->npool - place));
	if (place < s->cursor)
		s->cursor--;
}

/* Remove the entry of a node whose key is this. */
static inline void
pool_remove(HnswSearch *s, float key, uint32 seen)
{
	int			place = pool_place(s, key) - 1;

	while (place >= 0 && s->pool[place].seen != seen)
		place--;
	Assert(place >= 0);
	if (place >= 0)
		pool_remove_at(s, place);
}

static void
pool_reset(HnswSearch *s, int ef)
{
	if (ef > s->pool_room)
	{
		if (s->pool != NULL)
			pfree(s->pool);
		s->pool = palloc(sizeof(PoolEntry) * (ef + 1));
		s->pool_room = ef;
	}
	s->ef = ef;
	s->npool = 0;
	s->cursor = 0;
}

static inline float
mean_of(const Seen *e)
{
	return e->sum / e->count;
}

/* Take note of an estimate (or of the distance) of a node.  Room is reserved. */
static inline void
consider(HnswSearch *s, uint32 slot, float estimate)
{
	uint32		i = find_seen(s, slot);
	Seen	   *e = &s->seen[i];

	if (e->slot == HNSW_NO_SLOT)
	{
		e->slot = slot;
		e->sum = estimate;
		e->count = 1;
		e->state = SEEN_WAITING;
		s->nseen++;
	}
	else if (e->state == SEEN_VISITED)
		return;
	else
	{
		if (e->state == SEEN_POOLED)
			pool_remove(s, mean_of(e), i);
		e->state = SEEN_WAITING;
		if (e->count < PG_UINT16_MAX)
		{
			e->sum += estimate;
			e->count++;
		}
		estimate = mean_of(e);
	}
	if (pool_wants(s, estimate))
	{
		pool_insert(s, estimate, i);
		e->state = SEEN_POOLED;
	}
}

/* ---- visits ---- */

static pg_noinline void
grow_found(HnswSearch *s)
{
	char	   *old = s->vectors;
	uint32		bytes = s->ix->max_bytes;

	s->found_room *= 2;
	s->found = repalloc_huge(s->found, sizeof(HnswFound) * s->found_room);
	if (!s->keep_vectors)
		return;
	s->vectors = repalloc_huge(s->vectors, (Size) bytes * s->found_room);
	for (int i = 0; i < s->nfound; i++)
	{
		if (s->ix->memory == NULL || s->ix->assembled != NULL)
			s->found[i].stored.data = s->vectors + ((const char *) s->found[i].stored.data - old);
	}
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
	if (s->keep_vectors && (s->ix->memory == NULL || v->data == s->ix->assembled))
	{
		char	   *copy = s->vectors + (Size) s->nfound * s->ix->max_bytes;

		memcpy(copy, v->data, v->bytes);
		f->stored.data = copy;
	}
	s->nfound++;
}

/* Estimates of the neighbors of a node at this distance from the query. */
static void
estimate_neighbors(const HnswSearch *s, const HnswNode *node, float distance, float *estimates)
{
	const HnswLayout *layout = &s->ix->layout;
	int			groups = s->ix->meta.bits / NV_FASTSCAN_GROUP;
	float		scale = s->table.scale;
	float		bias = s->table.bias;

	for (int start = 0; start < node->nedges; start += NV_FASTSCAN_BLOCK)
	{
		const NvHalfFloat *add = HNSW_ADD(layout, node) + start;
		const NvHalfFloat *factor = HNSW_FACTOR(layout, node) + start;
		const uint8 *codes = HNSW_CODES(layout, node) +
			start / NV_FASTSCAN_BLOCK * NV_CODE_BLOCK_BYTES(s->ix->meta.bits);
		uint16		sums[NV_FASTSCAN_BLOCK];

		nv_kern.fastscan(codes, s->table.entries, groups, sums);
		for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
			estimates[start + i] = distance + nv_half_float(add[i]) -
				nv_half_float(factor[i]) * (scale * (float) sums[i] + bias);
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
		consider(s, neighbors[i], distance);
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
	if (codes)
		estimate_neighbors(s, ref.node, *distance, estimates);
	hnsw_release(&ref);

	reserve_seen(s, n);
	if (!codes)
		measure_neighbors(s, neighbors, n);
	else
	{
		for (int i = 0; i < n; i++)
			consider(s, neighbors[i], estimates[i]);
	}
	return true;
}

/* Visit until all of the pool are visited. */
static void
drain(HnswSearch *s)
{
	for (;;)
	{
		uint32		i;
		uint32		slot;
		float		distance;

		CHECK_FOR_INTERRUPTS();
		while (s->cursor < s->npool &&
			   s->seen[s->pool[s->cursor].seen].state == SEEN_VISITED)
			s->cursor++;
		if (s->cursor >= s->npool)
			break;
		i = s->pool[s->cursor].seen;
		slot = s->seen[i].slot;
		s->seen[i].state = SEEN_VISITED;
		pool_remove_at(s, s->cursor);
		if (visit(s, slot, &distance))
		{
			/* by its true distance from now on; the table may have grown */
			i = find_seen(s, slot);
			if (pool_wants(s, distance))
				pool_insert(s, distance, i);
		}
	}
}

void
hnsw_search_level(HnswSearch *s, const NvQuery *query, uint32 entry, int level, int ef)
{
	HnswIndex  *ix = s->ix;

	s->query = query;
	s->level = level;
	if (ix->meta.bits > 0 && s->table_serial != query->serial)
	{
		nv_code_table(query->elements, ix->meta.bits, &s->table);
		s->table_serial = query->serial;
	}
	pool_reset(s, ef);
	s->nfound = 0;
	s->nseen = 0;
	memset(s->seen, 0xff, sizeof(Seen) * ((Size) s->seen_mask + 1));
	consider(s, entry, 0);
	drain(s);
}

static int
compare_waiting(const void *a, const void *b)
{
	float		x = ((const PoolEntry *) a)->key;
	float		y = ((const PoolEntry *) b)->key;

	return x < y ? -1 : x > y;
}

/* The nearest of what did not fit the pool, or was dropped from it, go in. */
bool
hnsw_search_more(HnswSearch *s, int ef)
{
	PoolEntry  *waiting = palloc_extended(sizeof(PoolEntry) * Max(s->nseen, 1), MCXT_ALLOC_HUGE);
	uint32		n = 0;

	for (uint32 i = 0; i <= s->seen_mask; i++)
	{
		if (s->seen[i].slot != HNSW_NO_SLOT && s->seen[i].state == SEEN_WAITING)
		{
			waiting[n].key = mean_of(&s->seen[i]);
			waiting[n++].seen = i;
		}
	}
	qsort(waiting, n, sizeof(PoolEntry), compare_waiting);
	pool_reset(s, ef);
	n = Min(n, (uint32) ef);
	memcpy(s->pool, waiting, sizeof(PoolEntry) * n);
	for (uint32 i = 0; i < n; i++)
		s->seen[waiting[i].seen].state = SEEN_POOLED;
	s->npool = n;
	pfree(waiting);
	drain(s);
	return n > 0;
}

uint32
hnsw_descend(HnswSearch *s, const NvQuery *query, uint32 entry, int entry_level, int level)
{
	/* two candidates: estimates need a second chance */
	const int	ef = 2;

	for (int l = entry_level; l > level && entry != HNSW_NO_SLOT; l--)
	{
		int			nearest = -1;

		hnsw_search_level(s, query, entry, l, ef);
		for (int i = 0; i < s->nfound; i++)
		{
			if (nearest < 0 || s->found[i].distance < s->found[nearest].distance)
				nearest = i;
		}
		entry = nearest < 0 ? HNSW_NO_SLOT : s->found[nearest].down;
	}
	return entry;
}

/* ---- neighbors ---- */

static int
compare_candidates(const void *a, const void *b)
{
	const HnswCandidate *x = a;
	const HnswCandidate *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* Sorted; drop what comes twice. */
static int
unique_candidates(HnswCandidate *candidates, int n)
{
	int			kept = 0;

	for (int i = 0; i < n; i++)
	{
		int			j = kept;

		/* the same slot has the same distance, so it is close by */
		while (j > 0 && candidates[j - 1].distance == candidates[i].distance &&
			   candidates[j - 1].slot != candidates[i].slot)
			j--;
		if (j == 0 || candidates[j - 1].slot != candidates[i].slot)
			candidates[kept++] = candidates[i];
	}
	return kept;
}

int
hnsw_choose(HnswIndex *ix, HnswCandidate *candidates, int n, int limit, bool fill)
{
	HnswCandidate *refused;
	int			nrefused = 0;
	int			chosen = 0;

	qsort(candidates, n, sizeof(HnswCandidate), compare_candidates);
	n = unique_candidates(candidates, n);
	refused = palloc(sizeof(HnswCandidate) * Max(n, 1));
	for (int i = 0; i < n && chosen < limit; i++)
	{
		HnswCandidate c = candidates[i];
		bool		good = true;

		for (int k = 0; k < chosen && good; k++)
			good = nv_distance_between(&ix->space, &c.stored, &candidates[k].stored) > c.distance;
		if (good)
			candidates[chosen++] = c;
		else
			refused[nrefused++] = c;
	}
	for (int i = 0; fill && i < nrefused && chosen < limit; i++)
		candidates[chosen++] = refused[i];
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

	Assert(n <= hnsw_max_edges(&ix->meta, node->level));
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
