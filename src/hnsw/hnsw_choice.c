/*-------------------------------------------------------------------------
 *
 * hnsw_choice.c
 *		Chooses the neighbors of a node, and writes its edges.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

#include "miscadmin.h"

/* What equally near nodes are ordered by. */
static inline uint32
rank_of(const HnswIndex *ix, uint32 slot)
{
	return ix->ranks == NULL ? slot : ix->ranks[slot];
}

/* The order of candidates; ranks are counted from this one on, modulo 2^32. */
static inline bool
is_nearer(const HnswIndex *ix, const HnswCandidate *a, const HnswCandidate *b, uint32 after)
{
	return a->distance < b->distance ||
		(a->distance == b->distance &&
		 rank_of(ix, a->slot) - after < rank_of(ix, b->slot) - after);
}

/* Sort by a shell sort, which has the comparison inlined; n is a hundred or so. */
void
hnsw_sort_candidates(const HnswIndex *ix, HnswCandidate *candidates, int n, uint32 after)
{
	static const int gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};	/* Ciura, 2001 */
	uint32		from = rank_of(ix, after);

	for (int g = 0; g < (int) lengthof(gaps); g++)
	{
		int			gap = gaps[g];

		for (int i = gap; i < n; i++)
		{
			HnswCandidate c = candidates[i];
			int			j = i;

			for (; j >= gap && is_nearer(ix, &c, &candidates[j - gap], from); j -= gap)
				candidates[j] = candidates[j - gap];
			candidates[j] = c;
		}
	}
}

/* Drop candidates that come twice, which in a sorted array are neighbors. */
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

/* By which rule a chosen candidate stands for another one; the first are tried first. */
typedef enum Rule
{
	LONGER,						/* inner product only: it is better for it than the node is */
	NEARER,						/* it is nearer to it than the node is */
	MUCH_NEARER					/* by HNSW_MUCH_NEARER */
} Rule;

/* What a choice among the neighbors of one node goes by. */
typedef struct Choice
{
	HnswIndex  *ix;
	float		norm2;			/* of the node's vector, by the inner product */
} Choice;

/* The first rule that there is for a metric. */
static Rule
first_rule(const HnswIndex *ix)
{
	return ix->space.ip ? LONGER : NEARER;
}

/* Set the norms of candidates, from which the inner product makes Euclidean distances. */
static void
begin_choice(Choice *choice, HnswIndex *ix, const NvStored *self, HnswCandidate *candidates,
			 int n)
{
	choice->ix = ix;
	if (!ix->space.ip)
		return;
	choice->norm2 = nv_stored_norm2(&ix->space, self);
	for (int i = 0; i < n; i++)
		candidates[i].norm2 = nv_stored_norm2(&ix->space, &candidates[i].stored);
}

/*
 * Whether a chosen candidate stands for another one.  From one that has the
 * node's own vector everything is as far as from the node: that refuses only
 * what has this vector, too, or else the node would have no other neighbor.
 */
static bool
stands_for(const Choice *choice, const HnswCandidate *chosen, const HnswCandidate *c, Rule rule)
{
	HnswIndex  *ix = choice->ix;
	float		distance = hnsw_edge_distance(ix, &chosen->stored, &c->stored);
	float		own = c->distance;

	if (rule != LONGER && ix->space.ip)
	{
		/* a search has to get nearer by the product, too, on its way through the chosen one */
		if (distance > own)
			return false;
		/* |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b> */
		distance = chosen->norm2 + c->norm2 + 2 * distance;
		own = choice->norm2 + c->norm2 + 2 * own;
	}
	if (rule == MUCH_NEARER && HNSW_MUCH_NEARER * distance > own)
		return false;
	return distance < own || (distance == own && nv_stored_equal(&chosen->stored, &c->stored));
}

/*
 * Which of the candidates before number "place", as the heuristic chooses among
 * them, stands for it; -1 if none does.  left_out: what is known of them, or 0.
 */
static int
find_standing(const Choice *choice, const HnswCandidate *candidates, int place, Rule rule,
			  int8 *left_out)
{
	for (int i = 0; i < place; i++)
	{
		if (left_out[i] > 0 || candidates[i].dead ||
			!stands_for(choice, &candidates[i], &candidates[place], rule))
			continue;
		if (left_out[i] == 0)
			left_out[i] = find_standing(choice, candidates, i, rule, left_out) >= 0 ? 1 : -1;
		if (left_out[i] < 0)
			return i;
	}
	return -1;
}

/* Find the neighbor that is missed least. */
int
hnsw_find_spare(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates, int n,
				int *stands)
{
	Choice		choice;

	begin_choice(&choice, ix, self, candidates, n);
	/* equal vectors have the same distance to the bit */
	for (int i = n - 1; i > 0; i--)
	{
		*stands = i - 1;
		if (candidates[i].distance == candidates[i - 1].distance &&
			nv_stored_equal(&candidates[i].stored, &candidates[i - 1].stored))
			return i;
	}
	/* in many dimensions hardly one is much nearer to another */
	for (int rule = MUCH_NEARER; rule >= (int) first_rule(ix); rule--)
	{
		int8		left_out[HNSW_MAX_SLOTS + 1] = {0};

		for (int i = n - 1; i > 0; i--)
		{
			*stands = find_standing(&choice, candidates, i, (Rule) rule, left_out);
			if (*stands >= 0)
				return i;
		}
	}
	*stands = -1;
	return n - 1;
}

/* Candidates that were not chosen. */
typedef struct Refused
{
	HnswCandidate *candidates;
	bool	   *repeats;		/* because a chosen one has the same vector */
	int			n;
} Refused;

/* Add refused candidates to those chosen, as far as they repeat one of these, or do not. */
static int
fill_places(HnswCandidate *candidates, int chosen, int limit, const Refused *refused, bool repeat)
{
	for (int i = 0; i < refused->n && chosen < limit; i++)
	{
		if (refused->repeats[i] == repeat)
			candidates[chosen++] = refused->candidates[i];
	}
	return chosen;
}

/*
 * Add to the chosen candidates, up to a limit, those of n others, nearest first, that
 * none of them stands for.  The rest is refused, unless there is no room left for it
 * anyway; the others may be the refused ones of before.  Returns how many are chosen then.
 */
static int
choose_among(const Choice *choice, HnswCandidate *chosen, int nchosen, const HnswCandidate *from,
			 int n, int limit, Rule rule, Refused *refused)
{
	refused->n = 0;
	for (int i = 0; i < n && nchosen < limit; i++)
	{
		HnswCandidate c = from[i];
		int			k = 0;

		CHECK_FOR_INTERRUPTS();
		while (k < nchosen && !stands_for(choice, &chosen[k], &c, rule))
			k++;
		if (k == nchosen)
			chosen[nchosen++] = c;
		else
		{
			refused->repeats[refused->n] = nv_stored_equal(&chosen[k].stored, &c.stored);
			refused->candidates[refused->n++] = c;
		}
	}
	return nchosen;
}

/* Choose neighbors. */
int
hnsw_choose(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates, int n, uint32 after,
			int limit, bool fill)
{
	return hnsw_choose_beside(ix, self, candidates, 0, n, after, limit, fill, NULL);
}

/* Choose neighbors beside those that are chosen. */
int
hnsw_choose_beside(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates, int kept, int n,
				   uint32 after, int limit, bool fill, int *nstrict)
{
	Rule		rule = first_rule(ix);
	Refused		refused = {0};
	Choice		choice;
	int			chosen;

	Assert(kept <= n && limit <= hnsw_max_edges(&ix->meta));
	begin_choice(&choice, ix, self, candidates, n);
	hnsw_sort_candidates(ix, candidates + kept, n - kept, after);
	n = kept + unique_candidates(candidates + kept, n - kept);
	refused.candidates = palloc(sizeof(HnswCandidate) * Max(n, 1));
	refused.repeats = palloc(sizeof(bool) * Max(n, 1));
	chosen = choose_among(&choice, candidates, kept, candidates + kept, n - kept, limit, rule,
						  &refused);
	if (nstrict != NULL)
		*nstrict = chosen - kept;
	/* in this order, or in many dimensions near ones would leave no place to ways out of clusters */
	while (rule < (fill ? MUCH_NEARER : NEARER))
	{
		rule++;
		chosen = choose_among(&choice, candidates, chosen, refused.candidates, refused.n, limit,
							  rule, &refused);
	}
	if (fill)
	{
		chosen = fill_places(candidates, chosen, limit, &refused, false);
		chosen = fill_places(candidates, chosen, limit, &refused, true);
	}
	pfree(refused.repeats);
	pfree(refused.candidates);
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
	NvHalfFloat add;
	NvHalfFloat factor;
	int8		unused;

	HNSW_NEIGHBORS(node)[place] = neighbor->slot;
	if (bits == 0)
		return;
	nv_stored_floats(&ix->space, &neighbor->stored, o);
	nv_code_write(p, o, ix->space.length, bits, ix->space.ip,
				  HNSW_CODES(layout, node) + block * NV_CODE_BLOCK_BYTES(bits),
				  place % NV_FASTSCAN_BLOCK, &add, &factor);
	if (ix->short_factors == NULL)
	{
		((NvHalfFloat *) HNSW_ADD(layout, node))[place] = add;
		((NvHalfFloat *) HNSW_FACTOR(layout, node))[place] = factor;
	}
	else
		nv_short_factors_pack(ix->short_factors, add, factor,
							  (uint8 *) HNSW_ADD(layout, node) + place,
							  layout->factor_bytes == 0 ? &unused :
							  (int8 *) HNSW_FACTOR(layout, node) + place);
}

/* Set the edges of a node; those that stay are not written again. */
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
