/*-------------------------------------------------------------------------
 *
 * hnsw_pick.c
 *		The choice of neighbors in a build by partitions, for one vector after the other.
 *
 * Of 8-bit codes, a candidate is measured against some of the picked ones at a time
 * (nv_kern.dots_u8).  What is measured while a candidate is looked at by one rule serves
 * the next.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_pick.h"

#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_nearest.h"
#include "miscadmin.h"

/* Picked ones that a candidate is measured against at a time. */
#define STEP NV_PANEL_ROWS

/* So many are sorted by comparing each with each. */
#define MOST_RANKED 512

/* Candidates that there is room for at first: more than the lists of most vectors have. */
#define FIRST_ROOM 256

StaticAssertDecl(NV_LINE_FLOATS % STEP == 0 && NV_LINE_FLOATS >= STEP,
				 "a step is measured with whole lines");

/* ---- memory ---- */

/* Bytes of a candidate. */
#define CANDIDATE_BYTES \
	(sizeof(NvStored) + sizeof(uint8 *) + sizeof(uint64) + 14 * sizeof(uint32) + sizeof(uint16))

/* Room for those picked: a step may begin at the last one. */
static int
picked_room(int most)
{
	return most + NV_LINE_FLOATS;
}

/* Bytes of a picker, for twice as many candidates as there is room for at first. */
Size
hnsw_picker_bytes(const HnswMeta *meta)
{
	return sizeof(HnswPicker) + 2 * FIRST_ROOM * CANDIDATE_BYTES +
		picked_room(hnsw_max_edges(meta)) * (sizeof(uint8 *) + 5 * sizeof(uint32));
}

/* Make an array of candidates larger. */
#define ENLARGE(array, room) \
	((array) = (array) == NULL ? palloc0(sizeof(*(array)) * (room)) : \
	 repalloc_huge(array, sizeof(*(array)) * (room)))

/* Make room for candidates. */
static void
make_room(HnswPicker *p, int room)
{
	p->room = room;
	ENLARGE(p->slots, room);
	ENLARGE(p->numbers, room);
	ENLARGE(p->stored, room);
	ENLARGE(p->data, room);
	ENLARGE(p->distances, room);
	ENLARGE(p->products, room);
	ENLARGE(p->dots, room);
	for (int i = 0; i < (int) lengthof(p->columns); i++)
		ENLARGE(p->columns[i], room);
	ENLARGE(p->sums, room);
	ENLARGE(p->order, room);
	ENLARGE(p->keys, room);
	ENLARGE(p->ranks, room);
	ENLARGE(p->nmeasured, room);
	ENLARGE(p->nearest, room);
	ENLARGE(p->best, room);
}

/* Make a picker. */
HnswPicker *
hnsw_picker_create(HnswIndex *ix)
{
	HnswPicker *p = palloc0(sizeof(HnswPicker));
	int			room;

	p->ix = ix;
	p->codes = ix->meta.form == NV_FORM_SQ8;
	p->by_product = ix->space.ip;
	p->most = hnsw_max_edges(&ix->meta);
	room = picked_room(p->most);
	make_room(p, FIRST_ROOM);
	p->picked = palloc0(sizeof(uint32) * room);
	p->picked_data = palloc0(sizeof(uint8 *) * room);
	for (int i = 0; i < (int) lengthof(p->picked_columns); i++)
		p->picked_columns[i] = palloc0(sizeof(float) * room);
	return p;
}

/* ---- candidates ---- */

/* The vector of a node. */
static NvStored
stored_of(HnswPicker *p, uint32 slot)
{
	HnswRef		ref = {.node = hnsw_memory_node(p->ix, slot), .buffer = InvalidBuffer};

	return hnsw_stored(p->ix, &ref);
}

/* Begin with a vector. */
void
hnsw_pick_begin(HnswPicker *p, uint32 number, uint32 slot)
{
	p->number = number;
	p->slot = slot;
	p->n = p->npicked = 0;
	hnsw_leaf_prefetch(p->ix, slot);
}

/* Add a candidate. */
void
hnsw_pick_add(HnswPicker *p, uint32 number, uint32 slot)
{
	/* kernels write whole lines */
	if (p->n + NV_LINE_FLOATS > p->room)
		make_room(p, 2 * p->room);
	p->slots[p->n] = slot;
	p->numbers[p->n++] = number;
	hnsw_leaf_prefetch(p->ix, slot);
}

/* The square of the distance of two vectors, from their squares and negative product. */
static inline float
distance_of(float norm2, float other, float product)
{
	float		distance = norm2 + other + 2 * product;

	return Max(distance, 0);
}

/* Measure all candidates. */
static void
measure(HnswPicker *p)
{
	const NvSpace *space = &p->ix->space;
	NvStored	self = stored_of(p, p->slot);
	float		norm2 = p->by_product ? nv_stored_norm2(space, &self) : 0;

	for (int i = 0; i < p->n; i++)
	{
		float		distance;

		p->stored[i] = stored_of(p, p->slots[i]);
		distance = nv_distance_between(space, &self, &p->stored[i]);
		if (p->by_product)
		{
			p->columns[3][i] = nv_stored_norm2(space, &p->stored[i]);
			p->products[i] = distance;
			distance = distance_of(norm2, p->columns[3][i], distance);
		}
		p->distances[i] = distance;
	}
}

/* The same of vectors of 8-bit codes. */
static void
measure_codes(HnswPicker *p)
{
	const HnswNode *self = hnsw_memory_node(p->ix, p->slot);
	const NvPanelVector *vector = hnsw_panel_vector(p->ix, self);
	const NvPanelColumns columns = {p->columns[0], p->columns[1], p->columns[2], p->columns[3]};
	Size		padded = TYPEALIGN(NV_LINE_FLOATS, p->n);

	for (int i = 0; i < p->n; i++)
	{
		const HnswNode *node = hnsw_memory_node(p->ix, p->slots[i]);
		const NvPanelVector *v = hnsw_panel_vector(p->ix, node);

		p->data[i] = (const uint8 *) HNSW_VECTOR(&p->ix->layout, node);
		p->columns[0][i] = v->scale;
		p->columns[1][i] = v->offset;
		p->columns[2][i] = v->tilt;
		p->columns[3][i] = v->norm2;
		p->sums[i] = v->sum;
	}
	nv_kern.dots_u8((const uint8 *) HNSW_VECTOR(&p->ix->layout, self), p->data, p->n,
					p->ix->space.length, p->dots);
	nv_kern.panel_l2sq(p->dots, vector, &columns, padded, p->distances);
	if (!p->by_product)
		return;
	nv_kern.panel_ip(p->dots, vector, &columns, padded, p->products);
	for (int i = 0; i < p->n; i++)
		p->products[i] = -p->products[i];
}

#define ST_SORT sort_by_keys
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE_ARG_TYPE const uint64
#define ST_COMPARE(a, b, keys) \
	((keys)[*(a)] < (keys)[*(b)] ? -1 : (keys)[*(a)] > (keys)[*(b)])
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Sort candidates from one on, nearest first, and drop those that come twice. */
static void
sort_unique(HnswPicker *p, int from)
{
	const float *x = p->by_product ? p->products : p->distances;
	int			n = p->n - from;
	int			kept = from;

	for (int i = from; i < p->n; i++)
		p->keys[i] = (uint64) hnsw_float_place(x[i]) << 32 | (p->numbers[i] - p->number);
	for (int i = 0; i < p->n; i++)
		p->order[i] = i;
	if (n > MOST_RANKED)
		sort_by_keys(p->order + from, n, p->keys);
	else
	{
		nv_kern.rank_u64(p->keys + from, n, p->ranks);
		for (int i = 0; i < n; i++)
			p->order[from + p->ranks[i]] = from + i;
	}
	for (int i = from; i < p->n; i++)
	{
		if (kept == from || p->numbers[p->order[kept - 1]] != p->numbers[p->order[i]])
			p->order[kept++] = p->order[i];
	}
	p->n = kept;
}

/* ---- picking ---- */

/* Pick a candidate. */
static void
add_picked(HnswPicker *p, uint32 c)
{
	int			place = p->npicked++;

	Assert(place < p->most);
	p->picked[place] = c;
	p->picked_data[place] = p->data[c];
	for (int i = 0; i < (int) lengthof(p->columns); i++)
		p->picked_columns[i][place] = p->columns[i][c];
}

/* Note the distance of a candidate from a picked one; and the negative product, if it counts. */
static inline void
note_picked(HnswPicker *p, uint32 c, float distance, float product)
{
	if (p->by_product)
	{
		p->best[c] = Min(p->best[c], product);
		/* a search has to get nearer by the product, too, on its way through the picked one */
		if (product > p->products[c])
			return;
	}
	p->nearest[c] = Min(p->nearest[c], distance);
}

/* Measure a candidate of codes against more of the picked ones. */
static void
measure_more_codes(HnswPicker *p, uint32 c)
{
	int			first = p->nmeasured[c];
	int			n = Min(STEP, p->npicked - first);
	float		distances[NV_LINE_FLOATS];
	float		products[NV_LINE_FLOATS] = {0};
	int32		dots[NV_LINE_FLOATS] = {0};
	const NvPanelColumns columns = {p->picked_columns[0] + first, p->picked_columns[1] + first,
	p->picked_columns[2] + first, p->picked_columns[3] + first};
	const NvPanelVector v = {p->columns[0][c], p->columns[1][c], p->columns[2][c],
	p->columns[3][c], p->sums[c]};

	nv_kern.dots_u8(p->data[c], p->picked_data + first, n, p->ix->space.length, dots);
	nv_kern.panel_l2sq(dots, &v, &columns, NV_LINE_FLOATS, distances);
	if (p->by_product)
		nv_kern.panel_ip(dots, &v, &columns, NV_LINE_FLOATS, products);
	for (int i = 0; i < n; i++)
		note_picked(p, c, distances[i], -products[i]);
	p->nmeasured[c] = (uint16) (first + n);
}

/* Measure a candidate against more of the picked ones. */
static void
measure_more(HnswPicker *p, uint32 c)
{
	uint32		picked = p->picked[p->nmeasured[c]];
	float		distance;

	Assert(p->nmeasured[c] < p->npicked);
	if (p->codes)
	{
		measure_more_codes(p, c);
		return;
	}
	distance = nv_distance_between(&p->ix->space, &p->stored[picked], &p->stored[c]);
	if (p->by_product)
		note_picked(p, c, distance_of(p->columns[3][picked], p->columns[3][c], distance), distance);
	else
		note_picked(p, c, distance, 0);
	p->nmeasured[c]++;
}

/* By which rule a picked one stands for a candidate; the first are tried first. */
typedef enum Rule
{
	LONGER,						/* inner product only: its product is greater than the vector's */
	NEARER,						/* it is nearer to it than the vector is */
	MUCH_NEARER					/* by HNSW_MUCH_NEARER */
} Rule;

/* Whether what is known of a candidate says that a picked one stands for it. */
static inline bool
known_to_stand(const HnswPicker *p, uint32 c, Rule rule)
{
	if (rule == LONGER)
		return p->best[c] < p->products[c];
	return p->nearest[c] < p->distances[c] &&
		(rule == NEARER || HNSW_MUCH_NEARER * p->nearest[c] <= p->distances[c]);
}

/* Whether a picked one stands for a candidate. */
static bool
is_stood_for(HnswPicker *p, uint32 c, Rule rule)
{
	for (;;)
	{
		if (known_to_stand(p, c, rule))
			return true;
		if (p->nmeasured[c] == p->npicked)
			return false;
		measure_more(p, c);
	}
}

/*
 * Pick those of n candidates that no picked one stands for.  Returns how many do not get a
 * place so; these come to the front.  What is behind a limit that was reached is left out.
 */
static int
pick_by(HnswPicker *p, uint32 *candidates, int n, int limit, Rule rule)
{
	int			refused = 0;

	for (int i = 0; i < n && p->npicked < limit; i++)
	{
		uint32		c = candidates[i];

		/* there may be very many, of a vector that is everybody's nearest */
		CHECK_FOR_INTERRUPTS();
		if (is_stood_for(p, c, rule))
			candidates[refused++] = c;
		else
			add_picked(p, c);
	}
	return refused;
}

/* Pick neighbors. */
void
hnsw_pick(HnswPicker *p, int kept, int limit)
{
	uint32	   *others = p->order + kept;
	bool		all = p->n <= limit;
	int			n;

	Assert(kept <= Min(p->n, limit) && limit <= p->most && p->npicked == 0);
	if (all)
	{
		memset(p->distances, 0, sizeof(float) * p->n);
		memset(p->products, 0, sizeof(float) * p->n);
	}
	else if (p->codes)
		measure_codes(p);
	else
		measure(p);
	sort_unique(p, kept);
	n = p->n - kept;
	if (!all)
	{
		for (int i = 0; i < p->n; i++)
		{
			p->nmeasured[p->order[i]] = 0;
			p->nearest[p->order[i]] = p->best[p->order[i]] = INFINITY;
		}
		for (int i = 0; i < kept; i++)
			add_picked(p, i);
		for (int rule = p->by_product ? LONGER : NEARER; rule <= MUCH_NEARER; rule++)
			n = pick_by(p, others, n, limit, (Rule) rule);
	}
	else
	{
		for (int i = 0; i < kept; i++)
			p->picked[p->npicked++] = i;
	}
	for (int i = 0; i < n && p->npicked < limit; i++)
		p->picked[p->npicked++] = others[i];
}
