/*-------------------------------------------------------------------------
 *
 * hnsw_search.c
 *		Searches the graph.
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

#include "am/am_bitmap.h"
#include "am/am_heap.h"
#include "am/am_select.h"
#include "hnsw/hnsw_map.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* The state of a node that a search has seen. */
typedef enum SeenState
{
	SEEN_OUTSIDE,				/* not in the pool, or no longer; it may be in the frontier */
	SEEN_POOLED,
	SEEN_VISITED,
	SEEN_GONE					/* visited, and there was no such node any more */
} SeenState;

typedef struct Seen
{
	uint32		slot;			/* HNSW_NO_SLOT: empty */
	float		sum;			/* of estimates; of a visited node, the distance */
	uint16		count;
	uint16		state;
	uint32		place;			/* in the pool or the frontier */
} Seen;

/*
 * The pool is not sorted: a search takes the least of a few hundred keys now
 * and then, and changes them all the time.  When it is full, the best stay.
 */
typedef struct Pool
{
	float	   *keys;			/* means of estimates */
	uint32	   *seen;			/* their nodes */
	int			n;
	int			room;
	float		limit;			/* keys not below it stay outside */
} Pool;

/* The smallest distances of visited nodes, in order: ef of them, or what that may become. */
typedef struct Best
{
	float	   *distances;
	int			n;
	int			room;
} Best;

/*
 * What takes the place of pool and best in a search that goes on: heaps, so that
 * a step takes hardly longer the farther it got, and going on forgets nothing.
 */
typedef struct Candidate
{
	float		key;			/* mean of estimates */
	uint32		seen;			/* its node */
} Candidate;

typedef struct Candidates
{
	Candidate  *heap;			/* nearest first */
	uint32		n;
	uint32		room;
} Candidates;

/*
 * With a filter, nodes that do not pass are bridges: visited for their neighbors' sake,
 * and no more.
 */
enum
{
	MATCHES,
	BRIDGES,
	NHEAPS
};

typedef struct Frontier
{
	Candidates	candidates[NHEAPS]; /* all nodes seen but not visited */
	float	   *near;			/* the ef smallest distances of visited nodes, farthest first */
	float	   *far;			/* those of the others, nearest first */
	uint32		nnear;
	uint32		nfar;
	uint32		near_room;
	uint32		far_room;
} Frontier;

/*
 * What tells a vector from most others.  Of those visited on level 0 a search remembers some,
 * each where its distance says, so that it sees when most of what is near is one vector.
 */
#define NLOOKS 64
#define LOOK_BYTES 1024

typedef struct Look
{
	float		distance;
	uint64		hash;			/* of its bytes, of the first of a long one */
} Look;

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
	bool		going_on;		/* by frontier, and not by pool and best */
	bool		stopped;		/* by the visitor */
	int			kept;			/* candidates and distances: what ef may become */
	Frontier	frontier;
	uint32		nvisited;
	uint64		nneighbors;		/* of these, whose distances were estimated, or measured */
	uint32		ntwins;			/* visited nodes that had the vector of another one */
	Look		looks[NLOOKS];	/* of vectors visited, by their distances */
	float		expected;		/* estimate of the node to visit */
	double		errors;			/* sum of squares, of estimates of visited nodes */

	/* all nodes seen: open addressing, a power of two, at most two thirds full */
	Seen	   *seen;
	uint32		seen_room;		/* entries that the memory has room for */
	uint32		seen_mask;
	int			seen_shift;		/* 32 - log2 of the size */
	uint32		nseen;

	/* when it has left the graph */
	uint8	   *visited;		/* a bit for each slot */
	uint32		nslots;
	uint32		next_slot;		/* to be read, if it was not visited */

	/* on level 0 */
	const NvFilter *filter;		/* or NULL */
	const HnswPassing *passing;
	uint64		ntested;		/* neighbors of visited nodes, */
	uint64		npassed;		/* and those of them that may pass */
	uint32		nbridges;		/* visited since the last match */
	uint32		nmatches;		/* visited nodes that pass, */
	uint32		nrefused;		/* and that the map let pass, but their images do not */

	HnswVisitor visitor;		/* takes what is found on level 0; or NULL */
	void	   *visitor_arg;
	HnswFound  *found;
	int			nfound;
	int			found_room;
	char	   *vectors;		/* copies of live ones, if kept */
	int			nvectors;
	int			vectors_room;

	NvCodeTable table;			/* of the step from the node that is visited */
	float	   *step;			/* the step itself */
	bool		descending;		/* to another level, from the nearest node of this one */
	MemoryContextCallback end;	/* of the context */
};

#define FIRST_SEEN 256
#define SEEN_PER_EF 64
#define FIRST_FOUND 64

/*
 * A session keeps one table of nodes seen, for one search at a time: giving it
 * back after every query and asking for it again took a tenth of the query.
 */
#define KEPT_SEEN 16384

static Seen *kept_seen;
static HnswSearch *kept_seen_user;

/* Whether a search uses the table that the session keeps. */
static bool
uses_kept(const HnswSearch *s)
{
	return s->seen == kept_seen;
}

/* The memory of a search is about to be freed: the table that it used is free again. */
static void
seen_end(void *search)
{
	if (kept_seen_user == search)
		kept_seen_user = NULL;
}

/* Begin with the table that the session keeps, or with a small one. */
static void
seen_begin(HnswSearch *s)
{
	if (kept_seen == NULL)
		kept_seen = MemoryContextAlloc(TopMemoryContext, sizeof(Seen) * KEPT_SEEN);
	s->seen_room = FIRST_SEEN;
	if (kept_seen_user == NULL)
	{
		kept_seen_user = s;
		s->seen = kept_seen;
		s->seen_room = KEPT_SEEN;
	}
	else
		s->seen = palloc(sizeof(Seen) * FIRST_SEEN);
	s->end.func = seen_end;
	s->end.arg = s;
	MemoryContextRegisterResetCallback(s->context, &s->end);
}

/* A search that needs a larger one gives it back, rather than having both. */
static void
seen_free(HnswSearch *s)
{
	if (uses_kept(s))
	{
		kept_seen = NULL;
		kept_seen_user = NULL;
	}
	pfree(s->seen);
}

/* Make the table an empty one of a size, for which it has room. */
static void
seen_clear(HnswSearch *s, uint32 size)
{
	s->seen_mask = size - 1;
	s->seen_shift = 32 - pg_leftmost_one_pos32(size);
	memset(s->seen, 0xff, sizeof(Seen) * size);
}

/* Prepare searches. */
HnswSearch *
hnsw_search_begin(HnswIndex *ix, bool keep_vectors)
{
	HnswSearch *s = palloc0(sizeof(HnswSearch));

	s->ix = ix;
	s->context = CurrentMemoryContext;
	s->keep_vectors = keep_vectors;
	seen_begin(s);
	s->found_room = FIRST_FOUND;
	s->found = palloc(sizeof(HnswFound) * FIRST_FOUND);
	s->vectors_room = FIRST_FOUND;
	if (keep_vectors)
		s->vectors = palloc_extended((Size) ix->max_bytes * FIRST_FOUND, MCXT_ALLOC_HUGE);
	if (ix->meta.bits > 0)
	{
		s->table.entries = palloc(NV_CODE_TABLE_BYTES(ix->meta.bits));
		s->step = palloc0(sizeof(float) * TYPEALIGN(NV_CODE_ROOM, ix->space.length));
	}
	return s;
}

/* What was found. */
HnswFound *
hnsw_found(HnswSearch *s, int *n)
{
	*n = s->nfound;
	return s->found;
}

/* The nearest of what was found. */
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

/* The distance of the last of the ef nearest. */
float
hnsw_search_radius(const HnswSearch *s)
{
	if (s->going_on)
		return s->frontier.nnear < (uint32) s->ef ? INFINITY : s->frontier.near[0];
	return s->best.n < s->ef ? INFINITY : s->best.distances[s->ef - 1];
}

/* Whether nothing is left to visit. */
bool
hnsw_search_ran_out(const HnswSearch *s)
{
	return s->next == HNSW_NO_SLOT && !s->stopped && isinf(hnsw_search_radius(s));
}

/* What ef is now. */
int
hnsw_search_ef(const HnswSearch *s)
{
	return s->ef;
}

/*
 * Nodes with the vector of another one do not count, when they are more than one part in so
 * many of the ef that was wanted.  It becomes so many times as large at most.
 */
#define TWINS_PART 8
#define MOST_TWINS 16

/* What ef should be, for as many nodes beside twins as were wanted. */
int
hnsw_ef_beside_twins(const HnswSearch *s, int wanted)
{
	int			lacking = wanted - s->ef + (int) s->ntwins;
	int			most = wanted * MOST_TWINS;

	Assert(wanted > 0 && wanted <= s->ef);
	if (lacking <= wanted / TWINS_PART || hnsw_search_ran_out(s))
		return s->ef;
	return Max(Min(s->ef + Max(lacking, s->ef / 2), most), s->ef);
}

/* How many nodes were visited. */
uint32
hnsw_nvisited(const HnswSearch *s)
{
	return s->nvisited;
}

/* Tell what the search did. */
void
hnsw_search_count(const HnswSearch *s, NvSearchCounts *counts)
{
	counts->visited = s->nvisited;
	/* without codes neighbors are measured */
	if (s->ix->meta.bits > 0)
		counts->estimated = (int64) s->nneighbors;
	else
		counts->visited += (int64) s->nneighbors;
	counts->passed = s->nmatches;
	counts->refused = s->nvisited - s->nmatches;
}

/* Have visited nodes handed to a function. */
void
hnsw_search_visitor(HnswSearch *s, HnswVisitor visitor, void *arg)
{
	s->visitor = visitor;
	s->visitor_arg = arg;
}

/* Have only nodes that pass a filter count. */
void
hnsw_search_filter(HnswSearch *s, const NvFilter *filter, const HnswPassing *passing)
{
	s->filter = filter;
	s->passing = passing;
}

/* Which part of the neighbors of visited nodes may pass. */
double
hnsw_search_passed(const HnswSearch *s)
{
	return (double) s->npassed / Max(s->ntested, 1);
}

/* Which part of the nodes that may pass does. */
double
hnsw_search_matched(const HnswSearch *s)
{
	return (double) (s->nmatches + 1) / (s->nmatches + s->nrefused + 1);
}

/* Bytes that the search takes, with its part of the table that the session keeps. */
Size
hnsw_search_memory(const HnswSearch *s)
{
	return MemoryContextMemAllocated(s->context, false) +
		(uses_kept(s) ? sizeof(Seen) * ((Size) s->seen_mask + 1) : 0);
}

/* Whether so many more bytes are within the limit. */
static bool
fits(const HnswSearch *s, Size more)
{
	return s->limit == 0 || hnsw_search_memory(s) + more <= s->limit;
}

/* Whether nodes have to pass a filter to count. */
static inline bool
is_filtered(const HnswSearch *s)
{
	return s->filter != NULL && s->level == 0;
}

/* ---- nodes seen ---- */

/* Fibonacci hashing (Knuth, volume 3, 6.4): slots of one page are apart. */
static inline uint32
hash_slot(const HnswSearch *s, uint32 slot)
{
	return (slot * 2654435769u) >> s->seen_shift;
}

/* Find the entry of a slot, or the empty one where it belongs, from its hash i on. */
static inline uint32
find_seen_from(const HnswSearch *s, uint32 slot, uint32 i)
{
	while (s->seen[i].slot != slot && s->seen[i].slot != HNSW_NO_SLOT)
		i = (i + 1) & s->seen_mask;
	return i;
}

/* Find the entry of a slot, or the empty one where it belongs. */
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

/* Double the table, in the room that it has or in new memory. */
static pg_noinline void
grow_seen(HnswSearch *s)
{
	HnswSearch	old = *s;
	uint32		size = s->seen_mask + 1;

	if (2 * size <= s->seen_room)
	{
		old.seen = palloc(sizeof(Seen) * size);
		memcpy(old.seen, s->seen, sizeof(Seen) * size);
	}
	else
	{
		s->seen = palloc_extended(sizeof(Seen) * 2 * size, MCXT_ALLOC_HUGE);
		s->seen_room = 2 * size;
	}
	seen_clear(s, 2 * size);
	for (uint32 i = 0; i < size; i++)
	{
		if (old.seen[i].slot != HNSW_NO_SLOT)
			s->seen[find_seen(s, old.seen[i].slot)] = old.seen[i];
	}
	/* the pool points to entries: carry that over before the old ones are gone */
	for (int i = 0; i < s->pool.n; i++)
		s->pool.seen[i] = find_seen(s, old.seen[s->pool.seen[i]].slot);
	for (int h = 0; h < NHEAPS; h++)
	{
		Candidates *candidates = &s->frontier.candidates[h];

		for (uint32 i = 0; i < candidates->n; i++)
			candidates->heap[i].seen = find_seen(s, old.seen[candidates->heap[i].seen].slot);
	}
	seen_free(&old);
}

/* Whether n more entries are so many that the table should grow. */
static inline bool
lacks_seen(const HnswSearch *s, uint32 n)
{
	return (s->nseen + n) / 2 > s->seen_mask / 3;
}

/* Whether n more entries are so many that the table must grow, however short memory is. */
static inline bool
crowds_seen(const HnswSearch *s, uint32 n)
{
	return s->nseen + n > s->seen_mask / 8 * 7;
}

/* Bytes of the table when it has grown; until it has, the old one or its copy is there too. */
static inline Size
larger_seen_bytes(const HnswSearch *s)
{
	return sizeof(Seen) * 2 * ((Size) s->seen_mask + 1);
}

/* A distance that overflows becomes the largest that there is, so that a search goes on. */
static inline float
clamp(float distance)
{
	return likely(distance < FLT_MAX) ? distance : FLT_MAX;
}

/* The mean of the estimates of a node. */
static inline float
mean_of(const Seen *e)
{
	return clamp(e->sum / e->count);
}

/* ---- the frontier ---- */

/* The order of the frontier. */
static inline bool
is_before(const Candidate *a, const Candidate *b)
{
	return a->key < b->key;
}

/* Move a candidate in the frontier, and tell its node where it is. */
static inline void
put_candidate(void *search, Candidate *candidates, Size i, Candidate c)
{
	candidates[i] = c;
	((HnswSearch *) search)->seen[c.seen].place = (uint32) i;
}

/* The order of distances, nearest first. */
static inline bool
is_less(const float *a, const float *b)
{
	return *a < *b;
}

/* The order of distances, farthest first. */
static inline bool
is_more(const float *a, const float *b)
{
	return *a > *b;
}

NV_DEFINE_HEAP(candidates, Candidate, is_before, put_candidate)
NV_DEFINE_HEAP(near, float, is_more, NV_HEAP_PUT)
NV_DEFINE_HEAP(far, float, is_less, NV_HEAP_PUT)
NV_DEFINE_SELECT(select_least, float, is_less)

/* How much room an array for n has: as much as before if that is enough, or a quarter more. */
static inline uint32
room_for(uint32 room, uint32 n)
{
	return n <= room ? room : Max(n, room + room / 4);
}

/* Bytes that room for n more candidates takes in addition. */
static inline Size
candidates_growth(const Candidates *c, uint32 n)
{
	return sizeof(Candidate) * (room_for(c->room, c->n + n) - c->room);
}

/* Bytes that room for n more candidates, and for so many distances, takes in addition. */
static inline Size
frontier_growth(const HnswSearch *s, uint32 n, uint32 nnear, uint32 nfar)
{
	const Frontier *f = &s->frontier;

	return candidates_growth(&f->candidates[MATCHES], n) +
		(is_filtered(s) ? candidates_growth(&f->candidates[BRIDGES], n) : 0) +
		sizeof(float) * (room_for(f->near_room, nnear) - f->near_room +
						 room_for(f->far_room, nfar) - f->far_room);
}

/* Allocate an array, or make it larger. */
static void *
enlarge(void *array, Size bytes)
{
	return array == NULL ? palloc_extended(bytes, MCXT_ALLOC_HUGE) : repalloc_huge(array, bytes);
}

/* Make room for n more candidates. */
static void
reserve_candidates(Candidates *c, uint32 n)
{
	if (c->n + n <= c->room)
		return;
	c->room = room_for(c->room, c->n + n);
	c->heap = enlarge(c->heap, sizeof(Candidate) * c->room);
}

/* Make room for n more candidates, and for so many distances. */
static void
reserve_frontier(HnswSearch *s, uint32 n, uint32 nnear, uint32 nfar)
{
	Frontier   *f = &s->frontier;

	reserve_candidates(&f->candidates[MATCHES], n);
	if (is_filtered(s))
		reserve_candidates(&f->candidates[BRIDGES], n);
	if (nnear > f->near_room)
	{
		f->near_room = room_for(f->near_room, nnear);
		f->near = enlarge(f->near, sizeof(float) * f->near_room);
	}
	if (nfar > f->far_room)
	{
		f->far_room = room_for(f->far_room, nfar);
		f->far = enlarge(f->far, sizeof(float) * f->far_room);
	}
}

/* The heap that a node belongs to. */
static inline Candidates *
candidates_of(HnswSearch *s, uint32 slot)
{
	return &s->frontier.candidates[is_filtered(s) && !hnsw_may_pass(s->passing, slot) ?
								   BRIDGES : MATCHES];
}

/*
 * Take note of the mean of a node's estimates, of which there was none if it is
 * new.  One that became farther is moved when its turn comes.
 */
static pg_noinline void
frontier_note(HnswSearch *s, uint32 seen, float key, bool is_new)
{
	Candidates *candidates = candidates_of(s, s->seen[seen].slot);
	uint32		place = is_new ? candidates->n++ : s->seen[seen].place;
	Candidate	c = {key, seen};

	Assert(candidates->n <= candidates->room && place < candidates->n);
	if (!is_new && key >= candidates->heap[place].key)
		return;
	candidates->heap[place] = c;
	candidates_up(s, candidates->heap, place);
}

/* Take note of the distance of a visited node.  Room is reserved. */
static void
frontier_visited(HnswSearch *s, float distance)
{
	Frontier   *f = &s->frontier;

	if (f->nnear < (uint32) s->ef)
	{
		f->near[f->nnear] = distance;
		near_up(NULL, f->near, f->nnear++);
		return;
	}
	if (distance < f->near[0])
	{
		float		farthest = f->near[0];

		f->near[0] = distance;
		near_down(NULL, f->near, f->nnear, 0);
		distance = farthest;
	}
	f->far[f->nfar] = distance;
	far_up(NULL, f->far, f->nfar++);
}

/* Count the ef nearest visited among the near ones, of a larger ef.  Room is reserved. */
static void
frontier_widen(HnswSearch *s, int ef)
{
	Frontier   *f = &s->frontier;

	s->ef = ef;
	while (f->nnear < (uint32) ef && f->nfar > 0)
	{
		f->near[f->nnear] = f->far[0];
		near_up(NULL, f->near, f->nnear++);
		f->far[0] = f->far[--f->nfar];
		if (f->nfar > 0)
			far_down(NULL, f->far, f->nfar, 0);
	}
}

/* Have the nearest candidate come first, and return its estimate; infinite if there is none. */
static float
settle(HnswSearch *s, Candidates *c)
{
	Candidate  *first = c->heap;

	while (c->n > 0 && mean_of(&s->seen[first->seen]) > first->key)
	{
		first->key = mean_of(&s->seen[first->seen]);
		candidates_down(s, first, c->n, 0);
	}
	return c->n > 0 ? first->key : INFINITY;
}

/*
 * For each match so many bridges are visited at most: more, the fewer neighbors pass, up
 * to a number where looking at all matches is quicker.
 */
#define BRIDGES_PART 0.2
#define MOST_BRIDGES 64

/*
 * Whether a bridge is the next to visit.  Matches have precedence, but a bridge may be
 * nearer, and be the way to others; where no match is known it is the only way.
 */
static bool
takes_bridge(const HnswSearch *s, float match, float bridge)
{
	double		most = BRIDGES_PART * (s->ntested + 1) / (s->npassed + 1);

	return bridge < match &&
		(isinf(match) || s->nbridges < Max(1, Min(rint(most), MOST_BRIDGES)));
}

/* Take out the nearest candidate; NULL when ef visited nodes are nearer. */
static Seen *
frontier_take(HnswSearch *s)
{
	Frontier   *f = &s->frontier;
	Candidates *c = &f->candidates[MATCHES];
	float		nearest = settle(s, c);
	float		bridge = is_filtered(s) ? settle(s, &f->candidates[BRIDGES]) : INFINITY;
	Seen	   *e;

	if (f->nnear == (uint32) s->ef && !(nearest <= f->near[0]))
		return NULL;
	if (takes_bridge(s, nearest, bridge))
	{
		c = &f->candidates[BRIDGES];
		s->nbridges++;
	}
	else
		s->nbridges = 0;
	if (c->n == 0)
		return NULL;
	e = &s->seen[c->heap[0].seen];
	c->heap[0] = c->heap[--c->n];
	if (c->n > 0)
		candidates_down(s, c->heap, c->n, 0);
	return e;
}

/* Make room for n more neighbors. */
static inline void
reserve(HnswSearch *s, uint32 n)
{
	while (unlikely(lacks_seen(s, n)) && (crowds_seen(s, n) || fits(s, larger_seen_bytes(s))))
		grow_seen(s);
	if (s->going_on)
		reserve_frontier(s, n, s->frontier.nnear + 1, s->frontier.nfar + 1);
}

/* Whether there is memory for one more visit. */
static inline bool
may_visit(const HnswSearch *s)
{
	uint32		n = hnsw_max_edges(&s->ix->meta);
	Size		more = 0;

	if (s->limit == 0)
		return true;
	if (crowds_seen(s, n))
		more += larger_seen_bytes(s);
	if (s->going_on)
		more += frontier_growth(s, n, s->frontier.nnear + 1, s->frontier.nfar + 1);
	if (s->nfound == s->found_room)
		more += sizeof(HnswFound) * s->found_room;
	return more == 0 || fits(s, more);
}

/* ---- the pool ---- */

/* The pool has room for twice as many candidates as are kept, and some more, before it is cut. */
#define POOL_ROOM(kept) (2 * (kept) + 64)

/* Empty the pool, and make room for what ef may become. */
static void
pool_reset(HnswSearch *s, int ef, int kept)
{
	int			room = POOL_ROOM(kept);

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
	s->kept = kept;
	s->pool.n = 0;
	s->pool.limit = INFINITY;
	s->best.n = 0;
}

/* Move a candidate in the pool, and tell its node where it is. */
static inline void
pool_move(HnswSearch *s, int to, int from)
{
	s->pool.keys[to] = s->pool.keys[from];
	s->pool.seen[to] = s->pool.seen[from];
	s->seen[s->pool.seen[to]].place = to;
}

/* Exchange two candidates of the pool. */
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

/* Keep the best candidates, by Hoare's selection, and from now on let in only better ones. */
static pg_noinline void
pool_cut(HnswSearch *s)
{
	int			low = 0,
				high = s->pool.n - 1;
	int			k = s->kept - 1;
	float	   *keys = s->pool.keys;

	Assert(s->kept > 0 && s->kept < s->pool.n);
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
	for (int i = s->kept; i < s->pool.n; i++)
		s->seen[s->pool.seen[i]].state = SEEN_OUTSIDE;
	s->pool.n = s->kept;
	s->pool.limit = keys[k];
}

/* Add a node to the pool, if it is better than what was cut. */
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

/* Remove a candidate from the pool. */
static inline void
pool_remove(HnswSearch *s, int place)
{
	Assert(place >= 0 && place < s->pool.n);
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
	if (low == s->kept)
		return;
	Assert(s->best.n <= s->kept && s->kept <= s->pool.room);
	if (s->best.n < s->kept)
		s->best.n++;
	memmove(distances + low + 1, distances + low, sizeof(float) * (s->best.n - 1 - low));
	distances[low] = distance;
	if (s->best.n == s->kept)
		s->pool.limit = Min(s->pool.limit, distances[s->kept - 1]);
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
		e->state = SEEN_OUTSIDE;
		s->nseen++;
		if (unlikely(s->going_on))
		{
			frontier_note(s, i, estimate, true);
			return;
		}
	}
	else
	{
		if (e->state >= SEEN_VISITED || e->count == PG_UINT16_MAX)
			return;
		e->sum += estimate;
		e->count++;
		estimate = mean_of(e);
		if (unlikely(s->going_on))
		{
			frontier_note(s, i, estimate, false);
			return;
		}
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

/* Make more room for what is found. */
static pg_noinline void
grow_found(HnswSearch *s)
{
	Assert(s->nfound == s->found_room);
	s->found_room *= 2;
	s->found = repalloc_huge(s->found, sizeof(HnswFound) * s->found_room);
}

/* Copy a vector that was found. */
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
	Assert(v->bytes <= bytes && s->nvectors < s->vectors_room);
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
	f->down = hnsw_down(s->ix, node);
	f->base = hnsw_base(s->ix, node);
	f->dead = (node->flags & HNSW_DEAD) != 0;
	f->ntids = node->ntids;
	f->stored = *v;
	/* a vector that was put together is overwritten by the next such one */
	if (s->keep_vectors && !f->dead && (!s->ix->store->stays || v->data == s->ix->assembled))
		f->stored.data = keep_vector(s, v);
	s->nfound++;
}

/* Hand a visited node to whoever wants it.  Its page is locked. */
static inline void
hand_over(HnswSearch *s, uint32 slot, const HnswNode *node, const NvStored *v, float distance)
{
	if (s->visitor == NULL || s->level > 0)
		add_found(s, slot, node, v, distance);
	else if (!s->visitor(s->visitor_arg, node, distance))
		s->stopped = true;
}

/*
 * Hash a vector in words of 8 bytes, four at a time, each multiplied as by FNV-1a: where
 * distances are the same, this is done for each node visited.
 */
static uint64
hash_look(const NvStored *v)
{
	const char *data = v->data;
	Size		bytes = Min(v->bytes, LOOK_BYTES);
	uint64		hashes[4] = {1, 2, 3, 4};
	uint64		words[4];

	for (; bytes > 0; data += Min(bytes, sizeof(words)), bytes -= Min(bytes, sizeof(words)))
	{
		if (bytes < sizeof(words))
			memset(words, 0, sizeof(words));
		memcpy(words, data, Min(bytes, sizeof(words)));
		for (int i = 0; i < 4; i++)
			hashes[i] = (hashes[i] ^ words[i]) * UINT64CONST(0x100000001b3);
	}
	return (hashes[0] ^ hashes[1] << 17) + (hashes[2] ^ hashes[3] << 29);
}

/*
 * Count a visited node if another one had its vector.  Vectors are looked at only from the
 * second of a distance on, so that the first two do not count.
 */
static inline void
note_look(HnswSearch *s, const NvStored *v, float distance)
{
	uint32		bits;
	Look	   *look;
	uint64		hash = 0;

	memcpy(&bits, &distance, sizeof(bits));
	look = &s->looks[(bits * 2654435769u) / (PG_UINT32_MAX / NLOOKS + 1)];
	if (unlikely(look->distance == distance))
	{
		hash = hash_look(v);
		s->ntwins += look->hash == hash;
	}
	look->distance = distance;
	look->hash = hash;
}

/* Whether a node passes the filter, if there is one.  Its page is locked. */
static inline bool
node_passes(HnswSearch *s, uint32 slot, const HnswNode *node)
{
	const char *image;
	bool		passes;

	if (likely(!is_filtered(s)))
		return true;
	if (!hnsw_may_pass(s->passing, slot))
		return false;
	image = HNSW_IMAGE(&s->ix->layout, node);
	if (!nv_attributes_valid(s->filter->attributes, image))
		hnsw_damaged(s->ix, slot, "has attributes that make no sense");
	passes = nv_filter_passes(s->filter, image);
	s->nmatches += passes;
	s->nrefused += !passes;
	return passes;
}

/*
 * On the way down a search must not stay in the wrong tight cluster.  Other nodes of that
 * cluster are estimated well, and are as far from the query as the first one; what is
 * behind a long edge is estimated badly, and all nodes of another cluster are wrong
 * alike.  So there each candidate counts as nearer than estimated, by this part of the
 * deviation of its estimate.  Where all edges are about as long, that changes little.
 */
#define HOPED_DEVIATIONS 0.75

/* What to add to the products of a step with codes, so that estimates become hopes. */
static float
hope_of(const HnswSearch *s)
{
	const HnswMeta *meta = &s->ix->meta;
	double		length2 = nv_kern.ip_f32(s->step, s->step, s->ix->space.length);
	/* n2 / l1 of normal coordinates, by which a product is multiplied, times |r| */
	double		times = sqrt(M_PI / 2 * meta->length) / meta->bits;

	/* distances of such a step are of no use either */
	if (!isfinite(length2))
		return 0;
	return (float) (HOPED_DEVIATIONS * hnsw_noise(meta) * sqrt(length2) / times);
}

/*
 * Measure a node's vector, and make the table for its neighbors' codes: of the
 * step to the query, or for the inner product of what is left of the query
 * beside its part along the vector, *weight.
 */
static float
measure_step(HnswSearch *s, const NvStored *v, float *weight)
{
	const NvSpace *space = &s->ix->space;
	float		distance;
	float		greatest;

	*weight = 1;
	if (!space->ip)
		distance = nv_space_step(space, s->query, v, 1, s->step, &greatest);
	else
	{
		float		norm2 = nv_stored_norm2(space, v);

		distance = nv_distance_from_query(space, s->query, v);
		*weight = norm2 > 0 ? -distance / norm2 : 0;
		nv_space_step(space, s->query, v, *weight, s->step, &greatest);
	}
	nv_step_table(s->step, s->ix->meta.bits, greatest, &s->table);
	if (s->descending)
		s->table.bias += hope_of(s);
	return distance;
}

/* Estimate the distances of the neighbors of a node, which measure_step() has measured. */
static void
estimate_neighbors(const HnswSearch *s, const HnswNode *node, float distance, float weight,
				   float *estimates)
{
	const HnswLayout *layout = &s->ix->layout;

	for (int start = 0; start < node->nedges; start += NV_FASTSCAN_BLOCK)
	{
		const char *add = HNSW_ADD(layout, node) + start * layout->add_bytes;
		const char *factor = HNSW_FACTOR(layout, node) + start * layout->factor_bytes;
		NvHalfFloat wide_add[NV_FASTSCAN_BLOCK];
		NvHalfFloat wide_factor[NV_FASTSCAN_BLOCK];
		const uint8 *codes = HNSW_CODES(layout, node) +
			start / NV_FASTSCAN_BLOCK * NV_CODE_BLOCK_BYTES(s->ix->meta.bits);

		if (s->ix->short_factors != NULL)
		{
			nv_short_factors_unpack(s->ix->short_factors, (const uint8 *) add,
									layout->factor_bytes > 0 ? (const int8 *) factor : NULL,
									wide_add, wide_factor);
			add = (const char *) wide_add;
			factor = (const char *) wide_factor;
		}
		nv_code_estimate(&s->table, s->ix->meta.bits, codes, (const NvHalfFloat *) add,
						 (const NvHalfFloat *) factor, weight, distance, INFINITY,
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
		s->nneighbors++;
		consider(s, neighbors[i], hash_slot(s, neighbors[i]), distance);
	}
}

/* Count the neighbors of a node, and those that may pass the filter. */
static void
count_passing(HnswSearch *s, const uint32 *neighbors, int n)
{
	s->ntested += n;
	for (int i = 0; i < n; i++)
		s->npassed += hnsw_may_pass(s->passing, neighbors[i]);
}

/*
 * Visit a node: returns its distance, and whether it passes the filter; or false if there
 * is none of this level any more.
 */
static bool
visit(HnswSearch *s, uint32 slot, float *distance, bool *passes)
{
	HnswIndex  *ix = s->ix;
	bool		codes = ix->meta.bits > 0;
	float		estimates[HNSW_MAX_SLOTS + NV_FASTSCAN_BLOCK];
	uint32		neighbors[HNSW_MAX_SLOTS];
	uint32		hashes[HNSW_MAX_SLOTS];
	float		weight = 1;
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
	*distance = codes ? measure_step(s, &v, &weight) :
		nv_distance_from_query(&ix->space, s->query, &v);
	*passes = node_passes(s, slot, ref.node);
	if (likely(*passes))
	{
		if (s->level == 0)
			note_look(s, &v, *distance);
		hand_over(s, slot, ref.node, &v, *distance);
	}
	n = ref.node->nedges;
	memcpy(neighbors, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * n);
	reserve(s, n);
	if (codes)
	{
		s->nneighbors += n;
		hash_neighbors(s, neighbors, n, hashes);
		estimate_neighbors(s, ref.node, *distance, weight, estimates);
	}
	hnsw_release(&ref);

	if (is_filtered(s))
		count_passing(s, neighbors, n);
	if (!codes)
		measure_neighbors(s, neighbors, n);
	else
	{
		for (int i = 0; i < n; i++)
			consider(s, neighbors[i], hashes[i], estimates[i]);
	}
	return true;
}

/* Take out the nearest candidate of the pool; NULL when ef visited nodes are nearer. */
static Seen *
pool_take(HnswSearch *s)
{
	int			place;
	Seen	   *e;

	if (s->pool.n == 0)
		return NULL;
	place = (int) nv_kern.argmin(s->pool.keys, s->pool.n);
	if (s->best.n >= s->ef && s->pool.keys[place] > s->best.distances[s->ef - 1])
		return NULL;
	e = &s->seen[s->pool.seen[place]];
	Assert(e->state == SEEN_POOLED && e->place == (uint32) place);
	pool_remove(s, place);
	return e;
}

/*
 * Where estimates are wrong by about as much as the distances of the nearest nodes
 * differ, many of these seem not to be near: vectors without structure, of many
 * dimensions, are nearly as far as one another.  So more candidates are kept, in
 * proportion to the error of estimates beside that difference, which is taken from
 * the farther half of the ef nearest, as the query itself may be among them.  The
 * ratio is about .2 to 2 for texts, 2 in tight clusters, 4 to 8 for random vectors.
 * It is not more than so many times, since visits cost; searches for neighbors, which
 * choose among many, need less.
 */
#define GOOD_RATIO 0.9
#define MOST_WIDENED 3

/* How many times as large as asked for ef may become. */
static double
most_widened(const HnswSearch *s)
{
	return s->visitor != NULL ? MOST_WIDENED : HNSW_MOST_WIDENED;
}

/*
 * What ef should have been, now that the ef nearest visited nodes are known, by the
 * difference of distances in the farther half of them.
 */
static int
wide_ef(const HnswSearch *s, double difference)
{
	double		error = sqrt(s->errors / s->nvisited);

	Assert(s->nvisited >= (uint32) s->ef);
	/* many of the same vector, or of no number */
	if (!(difference > 0) || !(error > GOOD_RATIO * difference))
		return s->ef;
	return (int) (s->ef * Min(error / (GOOD_RATIO * difference), most_widened(s)));
}

/*
 * Look again among all nodes seen for candidates: some that the pool had no room for
 * may be nearer than those that were visited in their place.
 */
static pg_noinline void
pool_refill(HnswSearch *s)
{
	s->pool.n = 0;
	s->pool.limit = s->best.n < s->kept ? INFINITY : s->best.distances[s->kept - 1];
	for (uint32 i = 0; i <= s->seen_mask; i++)
	{
		Seen	   *e = &s->seen[i];

		if (e->slot == HNSW_NO_SLOT || e->state >= SEEN_VISITED)
			continue;
		e->state = SEEN_OUTSIDE;
		if (mean_of(e) < s->pool.limit)
			pool_add(s, mean_of(e), i);
	}
}

/* Take out the nearest candidate, wherever it is; NULL when ef visited nodes are nearer. */
static Seen *
take_nearest(HnswSearch *s)
{
	Seen	   *e = pool_take(s);

	/* nodes that the pool had no room for are no nearer than its limit */
	if (e == NULL && !isinf(s->pool.limit) &&
		(s->best.n < s->ef || s->pool.limit < s->best.distances[s->ef - 1]))
	{
		pool_refill(s);
		e = pool_take(s);
	}
	return e;
}

/* The greatest of n numbers. */
static float
greatest_of(const float *x, int n)
{
	float		greatest = x[0];

	for (int i = 1; i < n; i++)
		greatest = Max(greatest, x[i]);
	return greatest;
}

/* The same with a filter, while ef may become larger. */
static Seen *
take_filtered(HnswSearch *s)
{
	Frontier   *f = &s->frontier;
	Seen	   *e = frontier_take(s);
	int			ef = s->ef;

	if (e != NULL)
		return e;
	if (f->nnear >= (uint32) ef)
	{
		float	   *distances = palloc(sizeof(float) * ef);

		memcpy(distances, f->near, sizeof(float) * ef);
		select_least(distances, ef, ef / 2 + 1);
		/* the nearest half of them comes first, and the last of these is in the middle */
		ef = wide_ef(s, f->near[0] - greatest_of(distances, ef / 2 + 1));
		pfree(distances);
	}
	s->kept = ef;
	if (ef == s->ef)
		return NULL;
	reserve_frontier(s, 0, Min((uint32) ef, f->nnear + f->nfar), f->nfar);
	frontier_widen(s, ef);
	return frontier_take(s);
}

/* Take out the next candidate to visit; NULL when the search is done. */
static Seen *
take_candidate(HnswSearch *s)
{
	Seen	   *e;

	if (is_filtered(s) && s->ef < s->kept)
		return take_filtered(s);
	if (s->going_on)
		return frontier_take(s);
	e = take_nearest(s);
	if (e != NULL || s->ef == s->kept)
		return e;
	if (s->best.n >= s->ef)
		s->ef = wide_ef(s, s->best.distances[s->ef - 1] - s->best.distances[s->ef / 2]);
	s->kept = s->ef;
	s->best.n = Min(s->best.n, s->kept);
	return take_nearest(s);
}

/*
 * Pick the nearest candidate as the next to visit, and have its node fetched;
 * false when ef visited ones are nearer.
 */
static bool
pick_next(HnswSearch *s)
{
	Seen	   *e = take_candidate(s);

	s->next = HNSW_NO_SLOT;
	if (e == NULL)
		return false;
	e->state = SEEN_VISITED;
	s->expected = mean_of(e);
	s->next = e->slot;
	hnsw_prefetch(s->ix, s->next);
	return true;
}

/* Take note of the distance of a visited node, which counts if it passes the filter. */
static inline void
note_visited(HnswSearch *s, uint32 slot, float distance, bool passes)
{
	s->nvisited++;
	/* nothing was known of the entry */
	if (s->nvisited > 1)
		s->errors += (double) (distance - s->expected) * (distance - s->expected);
	if (!passes)
		return;
	if (s->going_on)
		frontier_visited(s, distance);
	else
	{
		best_add(s, distance);
		/* for when the search goes on */
		s->seen[find_seen(s, slot)].sum = distance;
	}
}

/* Visit the node that was picked, and pick the next. */
bool
hnsw_search_step(HnswSearch *s)
{
	float		distance;
	bool		passes;

	CHECK_FOR_INTERRUPTS();
	if (s->next == HNSW_NO_SLOT || s->stopped || !may_visit(s))
		return false;
	if (visit(s, s->next, &distance, &passes))
		note_visited(s, s->next, clamp(distance), passes);
	else
		s->seen[find_seen(s, s->next)].state = SEEN_GONE;
	return pick_next(s);
}

/* Make the table of nodes seen one for a search with this ef; a much larger one is given back. */
static void
reset_seen(HnswSearch *s, int ef)
{
	uint32		size = FIRST_SEEN;

	while (size < (uint32) ef * SEEN_PER_EF)
		size *= 2;
	if (size > s->seen_room || s->seen_room > Max(size, KEPT_SEEN))
	{
		seen_free(s);
		s->seen = palloc_extended(sizeof(Seen) * size, MCXT_ALLOC_HUGE);
		s->seen_room = size;
	}
	seen_clear(s, size);
	s->nseen = 0;
}

/* Begin a search on a level. */
void
hnsw_search_start(HnswSearch *s, const NvQuery *query, uint32 entry, int level, int ef)
{
	Assert(entry != HNSW_NO_SLOT && level >= 0 && level <= HNSW_MAX_LEVEL && ef > 0);
	s->query = query;
	s->level = level;
	s->nfound = s->nvectors = 0;
	s->nvisited = 0;
	s->nneighbors = 0;
	s->errors = 0;
	s->ntwins = 0;
	memset(s->looks, 0xff, sizeof(s->looks));	/* NaN is no distance */
	s->limit = 0;
	s->stopped = false;
	s->frontier.candidates[MATCHES].n = s->frontier.candidates[BRIDGES].n = 0;
	s->frontier.nnear = s->frontier.nfar = 0;
	s->ntested = s->npassed = 0;
	s->nbridges = s->nmatches = s->nrefused = 0;
	/* matches and bridges have heaps of their own from the beginning */
	s->going_on = is_filtered(s);
	pool_reset(s, ef, level == 0 && s->ix->meta.bits > 0 ? (int) (ef * most_widened(s)) : ef);
	reset_seen(s, ef);
	if (s->going_on)
		reserve_frontier(s, 1, 0, 0);
	consider(s, entry, hash_slot(s, entry), 0);
	pick_next(s);
}

/* Search a level. */
void
hnsw_search_level(HnswSearch *s, const NvQuery *query, uint32 entry, int level, int ef)
{
	hnsw_search_start(s, query, entry, level, ef);
	while (hnsw_search_step(s))
		;
}

/* Move what pool and best know to the frontier.  Room is reserved. */
static void
begin_frontier(HnswSearch *s)
{
	Frontier   *f = &s->frontier;
	Candidates *candidates = &f->candidates[MATCHES];
	uint32		n = 0;

	for (uint32 i = 0; i <= s->seen_mask; i++)
	{
		const Seen *e = &s->seen[i];
		Candidate	c = {0, i};

		if (e->slot == HNSW_NO_SLOT || e->state == SEEN_GONE)
			continue;
		if (e->state == SEEN_VISITED)
		{
			f->near[n++] = e->sum;
			continue;
		}
		c.key = mean_of(e);
		candidates->heap[candidates->n++] = c;
	}
	Assert(n == s->nvisited);
	candidates_build(s, candidates->heap, candidates->n);
	f->nnear = Min(n, (uint32) s->ef);
	f->nfar = n - f->nnear;
	if (f->nfar > 0)
		select_least(f->near, (int) n, (int) f->nnear);
	memcpy(f->far, f->near + f->nnear, sizeof(float) * f->nfar);
	near_build(NULL, f->near, f->nnear);
	far_build(NULL, f->far, f->nfar);
	s->pool.n = 0;
	s->going_on = true;
}

/* Go on with a larger ef; what was visited is not visited again. */
bool
hnsw_search_more(HnswSearch *s, int ef, Size limit)
{
	Frontier   *f = &s->frontier;
	uint32		nvisited = s->nvisited;
	uint32		ncandidates = s->going_on ? 0 : s->nseen;
	uint32		nnear = s->going_on ? Min((uint32) ef, f->nnear + f->nfar) : nvisited;
	uint32		nfar = s->going_on ? 0 : nvisited;

	Assert(ef > s->ef && (s->going_on || s->kept == s->ef));
	s->limit = limit;
	if (s->stopped || !fits(s, frontier_growth(s, ncandidates, nnear, nfar)))
		return false;
	reserve_frontier(s, ncandidates, nnear, nfar);
	if (!s->going_on)
		begin_frontier(s);
	frontier_widen(s, ef);
	if (s->next == HNSW_NO_SLOT)
		pick_next(s);
	while (hnsw_search_step(s))
		;
	/* with a small ef, none of those left may have been near enough yet */
	return s->nvisited > nvisited || (f->candidates[MATCHES].n > 0 && may_visit(s));
}

/* Free an array, if there is one. */
static void
free_array(void *array)
{
	if (array != NULL)
		pfree(array);
}

/* Get ready to read the index as it lies on disk. */
static void
begin_rest(HnswSearch *s)
{
	s->nslots = hnsw_count_slots(s->ix);
	s->visited = nv_bitmap_alloc(s->nslots + 64);	/* read by words */
	s->next_slot = 0;
}

/* Begin with reading the index as it lies on disk. */
void
hnsw_search_skip_graph(HnswSearch *s, const NvQuery *query)
{
	s->query = query;
	s->level = 0;
	s->next = HNSW_NO_SLOT;
	s->stopped = false;
	s->going_on = true;
	s->nvisited = 0;
	begin_rest(s);
}

/* Keep a bit for each slot in place of all that is known of nodes seen. */
void
hnsw_search_leave_graph(HnswSearch *s)
{
	Assert(s->level == 0);
	/* what was picked to be visited next has not been */
	if (s->next != HNSW_NO_SLOT)
		s->seen[find_seen(s, s->next)].state = SEEN_OUTSIDE;
	s->next = HNSW_NO_SLOT;
	begin_rest(s);
	for (uint32 i = 0; i <= s->seen_mask; i++)
	{
		if (s->seen[i].slot < s->nslots && s->seen[i].state == SEEN_VISITED)
			nv_set_bit(s->visited, s->seen[i].slot);
	}
	free_array(s->frontier.candidates[MATCHES].heap);
	free_array(s->frontier.candidates[BRIDGES].heap);
	free_array(s->frontier.near);
	free_array(s->frontier.far);
	memset(&s->frontier, 0, sizeof(s->frontier));
	s->pool.n = 0;
	s->going_on = true;
	if (!uses_kept(s))
	{
		pfree(s->seen);
		s->seen = palloc(sizeof(Seen) * FIRST_SEEN);
		s->seen_room = FIRST_SEEN;
	}
	seen_clear(s, FIRST_SEEN);
	s->nseen = 0;
}

/* The next slot to read, from one on, that was not visited and may pass the filter. */
static uint32
next_of_rest(const HnswSearch *s, uint32 slot)
{
	uint32		nslots = s->filter == NULL ? s->nslots : Min(s->nslots, s->passing->nslots);

	while (slot < nslots)
	{
		uint32		first = slot - slot % 64;
		uint64		word = ~nv_bitmap_word(s->visited, first);

		if (s->filter != NULL)
			word &= nv_bitmap_word(s->passing->slots, first);
		word >>= slot % 64;
		if (word != 0)
			return Min(slot + pg_rightmost_one_pos64(word), s->nslots);
		slot = first + 64;
	}
	return s->nslots;
}

/* So many nodes are fetched into the caches at a time, and then looked at. */
#define REST_BATCH 8

/* List the next slots to read, and have what is needed of their nodes fetched. */
static int
fetch_rest(const HnswSearch *s, uint32 *batch)
{
	HnswIndex  *ix = s->ix;
	int			n = 0;

	for (uint32 slot = next_of_rest(s, s->next_slot); slot < s->nslots && n < REST_BATCH;
		 slot = next_of_rest(s, slot + 1))
	{
		BlockNumber block = hnsw_slot_block(&ix->meta, slot);
		Size		at = hnsw_slot_offset(&ix->meta, slot);

		nv_prefetch_page(ix->rel, block, at, sizeof(HnswNode));
		if (s->filter != NULL)
			nv_prefetch_page(ix->rel, block, at + ix->layout.tids,
							 ix->layout.add - ix->layout.tids);
		nv_prefetch_page(ix->rel, block, at + ix->layout.vector,
						 Min(ix->vector_bytes, ix->layout.vector_room));
		batch[n++] = slot;
	}
	return n;
}

/* Visit a node on the way through the index, if it is one of level 0 and passes the filter. */
static void
visit_of_rest(HnswSearch *s, uint32 slot)
{
	HnswIndex  *ix = s->ix;
	HnswRef		ref;

	if (!hnsw_read(ix, slot, &ref))
		return;
	if (ref.node->level == 0 && node_passes(s, slot, ref.node))
	{
		NvStored	v = hnsw_stored(ix, &ref);

		s->nvisited++;
		hand_over(s, slot, ref.node, &v, nv_distance_from_query(&ix->space, s->query, &v));
	}
	hnsw_release(&ref);
}

/* Visit nodes in the order of their slots, so that each page is read once, and in order. */
bool
hnsw_search_rest(HnswSearch *s)
{
	uint32		batch[REST_BATCH];
	int			n;

	Assert(s->visited != NULL && s->visitor != NULL);
	if (s->next_slot > 0)
		s->stopped = false;
	while (!s->stopped && (n = fetch_rest(s, batch)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < n && !s->stopped; i++)
		{
			visit_of_rest(s, batch[i]);
			s->next_slot = batch[i] + 1;
		}
	}
	return s->stopped;
}

/* Search each level from the nearest node of the one above. */
uint32
hnsw_descend(HnswSearch *s, const NvQuery *query, uint32 entry, int entry_level, int level)
{
	/* with codes, hopes are a second chance */
	const int	ef = s->ix->meta.bits > 0 ? 1 : 2;

	s->descending = true;
	for (int l = entry_level; l > level && entry != HNSW_NO_SLOT; l--)
	{
		const HnswFound *nearest;

		hnsw_search_level(s, query, entry, l, ef);
		nearest = hnsw_nearest(s);
		entry = nearest == NULL ? HNSW_NO_SLOT : nearest->down;
	}
	s->descending = false;
	return entry;
}
