/*-------------------------------------------------------------------------
 *
 * hnsw_plan.c
 *		What a new hnsw index will be: storage and layout, by a sample of rows.
 *
 * Storage.  Rounding is harmless where it is small beside the distances among
 * near neighbors.  So some rows, the probes, are measured against a sample of
 * the others, and the form with the fewest bytes whose rounding is no more than
 * a small part of the distance to the third nearest there is taken.  Without
 * rows to look at, 16 bits a dimension suit nearly everything.
 *
 * Layout.  In few dimensions a vector is no longer than its code would be, and
 * nodes have none: a step reads the neighbors themselves, of which a page holds
 * many.  Elsewhere codes are as long as the size of the index allows, which is
 * to be no larger than pgvector's by more than a little: what it takes for a row
 * follows from its page format.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_plan.h"

#include <math.h>

#include "am/am_build.h"
#include "am/am_custom.h"
#include "am/am_opclass.h"
#include "am/am_rowvectors.h"
#include "cluster/kmeans.h"
#include "quant/rotation.h"
#include "utils/memutils.h"

#define ROTATION_SEED UINT64CONST(0x6e616e6f76656331)

/* From so many dimensions on codes may be worth it; below so many, floats are kept without. */
#define FEW_DIMS 24
#define EXACT_DIMS 64

/*
 * An estimate by codes is wrong by this part of the product of two steps at most,
 * or else there are none: it would lead searches astray where dimensions are few
 * and clusters none.
 */
#define MOST_NOISE 0.125

/* By the inner product vectors of a common part are nearly as near as each other. */
#define MOST_NOISE_IP 0.06

/* A code of this many bits is worth more than a further node in the page. */
#define GOOD_BITS 320

/* Rows that are looked at first, by blocks, and rows that probes are measured against. */
#define FIRST_BLOCKS 300
#define FIRST_BLOCKS_MANY 10	/* where each row has many vectors */
#define MOST_BLOCKS 10000
#define MOST_ROWS 30000

#define PROBES 64
#define NEAREST 3

/* So few rows say nothing about those to come. */
#define FEW_ROWS 1000
#define FEW_ROWS_FOR_MEAN 100

/* Rounding is harmless up to this part of the distances among near neighbors. */
#define MOST_ROUNDING 0.05

/* The squares of lengths that are taken for one differ by this part at most. */
#define ONE_LENGTH 0.001

/* If more probes than this have a duplicate in the sample, rows are taken to share vectors. */
#define FEW_DUPLICATES (PROBES / 20)

/* How much larger than pgvector's an index may be, with and without a sample. */
#define MOST_SIZE 1.1
#define MOST_SIZE_UNSEEN 1.35

/* Sizes of sparse vectors to plan slots by. */
#define SPARSE_SIZES 1000

/* Without a sample, so many nodes of sparse vectors go to a page. */
#define SPARSE_SLOTS_PER_PAGE 4

/* One of the rows that others are measured against. */
typedef struct Probe
{
	ItemPointerData tid;
	float	   *elements;
	float		nearest[NEAREST];	/* distances other than 0, ascending */
	bool		duplicate;
} Probe;

typedef struct Sample
{
	NvSpace		space;			/* values as they are, but of unit length for cosine */
	NvQuery		query;
	MemoryContext scratch;
	bool		dense;
	bool		many;			/* vectors a row */
	uint64		seen;
	uint64		random;
	double	   *sum;			/* of elements */
	float		longest;		/* the square of the greatest length */
	Probe		probes[PROBES];
	int			nprobes;
	uint64		measured;		/* rows that probes were measured against */
	uint32	   *sizes;			/* of sparse vectors, bytes */
} Sample;

/* ---- sample ---- */

/* The distance of two rows of the sample: Euclidean, or by L1. */
static float
distance_of(const Sample *s, const float *a, const float *b)
{
	if (s->space.metric == NV_SPACE_L1)
		return nv_kern.l1_f32(a, b, s->space.dims);
	return sqrtf(nv_kern.l2sq_f32(a, b, s->space.dims));
}

/* The square of a length. */
static float
length2_of(const Sample *s, const float *elements)
{
	return nv_kern.ip_f32(elements, elements, s->space.dims);
}

/* Take a vector, s->query, in the first look. */
static void
look_at_vector(Sample *s, ItemPointer tid)
{
	size_t		place = nv_sample_place(s->dense ? PROBES : SPARSE_SIZES, &s->seen, &s->random);

	if (!s->dense)
	{
		if (place < SPARSE_SIZES)
			s->sizes[place] = s->query.raw.bytes;
		return;
	}
	for (int i = 0; i < s->space.dims; i++)
		s->sum[i] += s->query.elements[i];
	s->longest = Max(s->longest, length2_of(s, s->query.elements));
	if (place < PROBES)
	{
		Probe	   *probe = &s->probes[place];

		s->nprobes = Max(s->nprobes, (int) place + 1);
		probe->tid = *tid;
		memcpy(probe->elements, s->query.elements, sizeof(float) * s->space.dims);
	}
}

/* Take a row in the first look: it may become a probe, and counts for the mean and for sizes. */
static void
look_at_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Sample	   *s = arg;
	MemoryContext old;
	NvRow		row;
	NvRowVectors vectors;

	if (!nv_row_take(&row, values, isnull))
		return;
	old = MemoryContextSwitchTo(s->scratch);
	nv_row_vectors(&s->space, s->many, &row, &vectors);
	for (int i = 0; i < vectors.n; i++)
	{
		if (nv_query_set(&s->space, nv_row_vector(&vectors, i), &s->query))
			look_at_vector(s, tid);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(s->scratch);
}

/* Keep a distance, if it is one of the nearest of a probe. */
static void
note_distance(Probe *probe, float distance)
{
	if (!(distance > 0))
	{
		probe->duplicate = true;
		return;
	}
	for (int i = 0; i < NEAREST; i++)
	{
		if (distance < probe->nearest[i])
		{
			float		further = probe->nearest[i];

			probe->nearest[i] = distance;
			distance = further;
		}
	}
}

/*
 * Take a row in the second look, which measures it against the probes: but for those of
 * the row itself, since it does not matter which of a row's vectors is found.
 */
static void
measure_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Sample	   *s = arg;
	MemoryContext old;
	NvRow		row;
	NvRowVectors vectors;

	if (!nv_row_take(&row, values, isnull) || s->measured >= MOST_ROWS)
		return;
	old = MemoryContextSwitchTo(s->scratch);
	nv_row_vectors(&s->space, s->many, &row, &vectors);
	for (int v = 0; v < vectors.n; v++)
	{
		if (!nv_query_set(&s->space, nv_row_vector(&vectors, v), &s->query))
			continue;
		s->measured++;
		for (int i = 0; i < s->nprobes; i++)
		{
			if (!ItemPointerEquals(&s->probes[i].tid, tid))
				note_distance(&s->probes[i],
							  distance_of(s, s->probes[i].elements, s->query.elements));
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(s->scratch);
}

/* Where rows are wide, or few of them are for the index, more blocks have to be looked at. */
static void
forget_rows(Sample *s)
{
	s->seen = s->random = 0;
	s->nprobes = 0;
	s->longest = 0;
	if (s->dense)
		memset(s->sum, 0, sizeof(double) * s->space.dims);
}

/* Sample the table. */
static void
take_sample(Relation heap, Relation rel, IndexInfo *info, const HnswMeta *meta, Sample *s)
{
	const NvElementType *type = nv_element_type(meta->element);
	double		first;
	double		blocks;

	memset(s, 0, sizeof(*s));
	s->dense = type->dense != NULL;
	s->many = nv_opclass_many(rel);
	first = s->many ? FIRST_BLOCKS_MANY : FIRST_BLOCKS;
	nv_space_init(&s->space, meta->element, meta->metric,
				  s->dense ? NV_FORM_FLOAT4 : meta->form, meta->dims, meta->dims, NULL, NULL);
	if (heap == NULL || meta->form == NV_FORM_BITS)
		return;
	nv_query_alloc(&s->space, &s->query);
	s->scratch = AllocSetContextCreate(CurrentMemoryContext, "hnsw sample", ALLOCSET_DEFAULT_SIZES);
	if (s->dense)
	{
		s->sum = palloc0(sizeof(double) * meta->dims);
		for (int i = 0; i < PROBES; i++)
		{
			s->probes[i].elements = palloc(sizeof(float) * meta->dims);
			for (int k = 0; k < NEAREST; k++)
				s->probes[i].nearest[k] = INFINITY;
		}
	}
	else
		s->sizes = palloc(sizeof(uint32) * SPARSE_SIZES);
	for (blocks = first;; blocks *= 8)
	{
		forget_rows(s);
		nv_sample_blocks(heap, rel, info, (BlockNumber) Min(blocks, MOST_BLOCKS), look_at_row, s);
		if (s->seen >= FEW_ROWS || blocks >= MOST_BLOCKS ||
			blocks >= RelationGetNumberOfBlocks(heap))
			break;
	}
	/* whatever a function of the user's measures, all that it is given is exact */
	if (!s->dense || s->seen < FEW_ROWS || nv_space_is_custom(&s->space))
		return;
	blocks = ceil((double) MOST_ROWS / s->seen * Min(blocks, MOST_BLOCKS));
	nv_sample_blocks(heap, rel, info, (BlockNumber) Min(Max(blocks, first), MOST_BLOCKS),
					 measure_row, s);
}

/* ---- storage ---- */

/* The order of floats, for qsort(). */
static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/*
 * What a form's rounding loses, as a part of the distance of a probe to its
 * third nearest in the sample: no more than this for four of five probes.
 */
static float
rounding_of(const Sample *s, const HnswMeta *meta, NvForm form, const float *mean)
{
	NvSpaceSpec spec = hnsw_spec(meta);
	float	   *floats;
	NvSpace		space;
	NvStored	v;
	NvQuery		query;
	char	   *data;
	float		parts[PROBES];
	float	   *back;
	int			n = 0;

	spec.form = form;
	floats = palloc(Max(nv_spec_floats(&spec) * sizeof(float), 1));
	if (spec.has_mean)
		memcpy(floats, mean, sizeof(float) * meta->dims);
	nv_spec_rotation(&spec, floats);
	nv_spec_init(&spec, floats, &space);
	nv_query_alloc(&space, &query);
	data = palloc(nv_space_max_bytes(&space));
	back = palloc(sizeof(float) * space.length);
	for (int i = 0; i < s->nprobes; i++)
	{
		const Probe *probe = &s->probes[i];

		/* what has no other vector near it does not care */
		if (isinf(probe->nearest[NEAREST - 1]))
			continue;
		memset(query.elements, 0, sizeof(float) * space.length);
		memcpy(query.elements, probe->elements, sizeof(float) * meta->dims);
		nv_space_move(&space, query.elements);
		nv_query_store(&space, &query, data, &v);
		nv_stored_floats(&space, &v, back);
		parts[n++] = (meta->metric == NV_SPACE_L1 ?
					  nv_kern.l1_f32(back, query.elements, space.length) :
					  sqrtf(nv_kern.l2sq_f32(back, query.elements, space.length))) /
			probe->nearest[NEAREST - 1];
	}
	if (n == 0)
		return 0;
	qsort(parts, n, sizeof(float), compare_floats);
	return parts[n * 4 / 5];
}

/*
 * The form of few dimensions without codes.  What is a halfvec already loses nothing in
 * two bytes, and those of unit length, by the cosine, may well be as near.
 */
static NvForm
choose_exact_form(const Sample *s, HnswMeta *meta)
{
	if (meta->element != NV_ELEMENT_HALFVEC)
		return NV_FORM_FLOAT4;
	if (meta->metric != NV_SPACE_COSINE)
		return NV_FORM_FLOAT2;
	if (meta->sampled == 0)
		return NV_FORM_FLOAT4;
	meta->rounding = rounding_of(s, meta, NV_FORM_FLOAT2, NULL);
	return meta->rounding <= MOST_ROUNDING ? NV_FORM_FLOAT2 : NV_FORM_FLOAT4;
}

/* Choose the form of stored vectors. */
static NvForm
choose_form(const Sample *s, HnswMeta *meta, HnswStorage storage, const float *mean)
{
	static const NvForm forms[] = {NV_FORM_SQ8, NV_FORM_SQ16, NV_FORM_FLOAT4};
	static const NvForm asked[] = {
		[HNSW_STORAGE_FLOAT4] = NV_FORM_FLOAT4,
		[HNSW_STORAGE_FLOAT2] = NV_FORM_FLOAT2,
		[HNSW_STORAGE_SQ8] = NV_FORM_SQ8,
		[HNSW_STORAGE_SQ16] = NV_FORM_SQ16
	};

	if (storage != HNSW_STORAGE_AUTO)
	{
		if (meta->sampled > 0 && meta->metric != NV_SPACE_CUSTOM)
			meta->rounding = rounding_of(s, meta, asked[storage], mean);
		return asked[storage];
	}
	if (meta->metric == NV_SPACE_CUSTOM)
		return NV_FORM_FLOAT4;
	if (meta->length == 0 && meta->dims < EXACT_DIMS)
		return choose_exact_form(s, meta);
	if (meta->sampled == 0)
		return NV_FORM_SQ16;
	for (int i = 0; i < (int) lengthof(forms); i++)
	{
		meta->rounding = rounding_of(s, meta, forms[i], mean);
		if (meta->rounding <= MOST_ROUNDING)
			return forms[i];
	}
	return NV_FORM_FLOAT4;
}

/* ---- layout ---- */

/* Bytes of a page's slots, when there are n of them. */
static uint32
slot_room(int n)
{
	return (uint32) (NV_PAGE_ROOM / n) & ~7u;
}

/*
 * Rows to a page of pgvector's hnsw: an element tuple of 72 bytes and the value,
 * a tuple of 4 bytes and 6 for each of 2m neighbors, and their line pointers.
 */
static double
peer_rows_per_page(const HnswMeta *meta)
{
	double		value = 8 + (meta->element == NV_ELEMENT_HALFVEC ? sizeof(nv_f16) : sizeof(float)) *
		(double) meta->dims;
	double		element = MAXALIGN((Size) (72 + value)) + sizeof(ItemIdData);
	double		neighbors = MAXALIGN(4 + 12 * (Size) meta->m) + sizeof(ItemIdData);
	double		room = BLCKSZ - SizeOfPageHeaderData - 8;

	if (element + neighbors <= room)
		return floor(room / (element + neighbors));
	/* they go to different pages */
	return 1 / (1 / floor(Max(room / element, 1)) + 1 / floor(room / neighbors));
}

/*
 * The fewest nodes with codes to a page that keep an index within its size; upper
 * levels count too.
 */
static int
fewest_slots(const HnswMeta *meta)
{
	HnswMeta	coded = *meta;
	double		most = meta->sampled > 0 ? MOST_SIZE : MOST_SIZE_UNSEEN;
	double		nodes_per_row;

	coded.length = nv_rotation_padded(meta->dims);
	nodes_per_row = 1 + 1.0 / (hnsw_level_ratio(&coded) - 1);
	return (int) Max(ceil(peer_rows_per_page(meta) * nodes_per_row / most), 1);
}

/* The most bits that fit into a node of so many bytes, beside "rest" bytes of its vector. */
static int
bits_that_fit(const HnswMeta *meta, uint32 room, uint32 rest, int length)
{
	HnswMeta	coded = *meta;
	HnswLayout	layout;
	int64		bits;

	coded.bits = NV_CODE_STEP;
	hnsw_layout(&coded, &layout);
	bits = NV_CODE_STEP + ((int64) room - layout.vector - rest) * BITS_PER_BYTE /
		(NV_FASTSCAN_BLOCK * layout.blocks);
	bits = Min(bits, Min(length, NV_CODE_MAX_BITS));
	return (int) Max(bits, 0) / NV_CODE_STEP * NV_CODE_STEP;
}

/*
 * Codes as long as n nodes to a page have room for, in the most useful of some
 * ways: vectors padded or hardly, factors in four, two or one byte.  False when
 * none of them is useful.
 */
static bool
plan_codes_for(HnswMeta *meta, int n)
{
	int			lengths[] = {nv_rotation_padded(meta->dims),
		(int) TYPEALIGN(NV_ROTATION_STEP, meta->dims)};
	HnswMeta	best = {0};
	double		least = INFINITY;

	for (int i = 0; i < (int) lengthof(lengths); i++)
	{
		for (HnswFactors factors = HNSW_FACTORS_WIDE; factors <= HNSW_FACTORS_ONE; factors++)
		{
			HnswMeta	tried = *meta;
			double		noise;

			if (factors != HNSW_FACTORS_WIDE && meta->short_base == 0)
				break;
			tried.factors = factors;
			tried.length = lengths[i];
			tried.bits = bits_that_fit(&tried, slot_room(n),
									   nv_form_max_bytes(meta->form, meta->dims, lengths[i]),
									   lengths[i]);
			noise = tried.bits > 0 ? hnsw_noise(&tried) : INFINITY;
			if (noise < least)
			{
				least = noise;
				best = tried;
			}
		}
	}
	if (least > (meta->metric == NV_SPACE_IP ? MOST_NOISE_IP : MOST_NOISE))
		return false;
	*meta = best;
	return true;
}

/*
 * As many nodes to a page as leave a good code to each, or else as few as the
 * size of the index allows; where not even one fits a page, its vector continues
 * in other slots.  Returns nodes to a page, or 0: no codes are better codes.
 */
static int
plan_codes(HnswMeta *meta, HnswStorage storage, bool duplicates)
{
	int			length = nv_rotation_padded(meta->dims);
	uint32		max_bytes = nv_form_max_bytes(meta->form, meta->dims, length);
	/* who says how vectors are stored says how large they are */
	int			fewest = storage == HNSW_STORAGE_AUTO ? fewest_slots(meta) : 1;
	HnswMeta	wide = *meta;

	wide.factors = HNSW_FACTORS_WIDE;
	for (int n = NV_PAGE_ROOM / sizeof(HnswNode); n >= fewest; n--)
	{
		wide.bits = bits_that_fit(&wide, slot_room(n), max_bytes, length);
		if (wide.bits >= Min(length / NV_CODE_STEP * NV_CODE_STEP, GOOD_BITS))
		{
			*meta = wide;
			meta->length = length;
			return n;
		}
	}
	/* in place of rows with the same vector that there are not, longer codes */
	if (!duplicates)
		meta->node_tids = HNSW_FEWEST_TIDS;
	if (plan_codes_for(meta, fewest))
		return fewest;
	meta->node_tids = HNSW_NODE_TIDS;
	if (nv_form_max_bytes(meta->form, meta->dims, meta->dims) < slot_room(1) / 2)
		return 0;
	/* vectors of many dimensions, with many neighbors */
	meta->length = length;
	meta->bits = bits_that_fit(meta, slot_room(1), max_bytes, length);
	if (meta->bits == 0)
		meta->bits = bits_that_fit(meta, slot_room(1), 0, length);
	return 1;
}

/* Bytes of a slot by which sparse vectors like these take the fewest. */
static uint32
plan_sparse(const HnswMeta *meta, const Sample *s)
{
	uint32		best = slot_room(SPARSE_SLOTS_PER_PAGE);
	double		least = INFINITY;
	int			n = (int) Min(s->seen, SPARSE_SIZES);
	HnswLayout	layout;

	hnsw_layout(meta, &layout);
	for (int slots = 1; n > 0 && slot_room(slots) > layout.vector; slots++)
	{
		uint32		bytes = slot_room(slots);
		double		total = 0;

		for (int i = 0; i < n; i++)
		{
			uint32		rest = s->sizes[i] - Min(s->sizes[i], bytes - layout.vector);
			uint32		room = bytes - offsetof(HnswRest, data);

			total += bytes * (1.0 + (rest + room - 1) / room);
		}
		if (total < least)
		{
			least = total;
			best = bytes;
		}
	}
	return best;
}

/* Choose bits, nodes to a page and what follows from these; how vectors are stored is known. */
static void
plan_layout(HnswMeta *meta, HnswStorage storage, const Sample *s)
{
	bool		coded = meta->length > 0;
	HnswLayout	layout;
	NvSpaceSpec spec;
	int			slots = 1;
	int			duplicates = 0;

	meta->length = meta->bits = 0;
	for (int i = 0; i < s->nprobes; i++)
		duplicates += s->probes[i].duplicate;
	if (coded)
		slots = plan_codes(meta, storage, meta->sampled == 0 || duplicates > FEW_DUPLICATES);
	hnsw_layout(meta, &layout);
	spec = hnsw_spec(meta);
	if (meta->form == NV_FORM_SPARSE)
		meta->slot_bytes = plan_sparse(meta, s);
	else
		meta->slot_bytes = Min(MAXALIGN(layout.vector +
										nv_form_max_bytes(meta->form, meta->dims,
														  nv_spec_length(&spec))),
							   slot_room(Max(slots, 1)));
	meta->slots_per_page = NV_PAGE_ROOM / meta->slot_bytes;
}

/* ---- the plan ---- */

/* Fill in what the definition of the index says. */
static void
read_definition(Relation rel, HnswMeta *meta, HnswStorage *storage)
{
	HnswOptions options = hnsw_options_of(rel);
	const NvElementType *type;
	NvElementKind element;
	NvSpaceMetric metric;

	if (options.ef_construction < 2 * options.m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction must be greater than or equal to 2 * m")));
	nv_opclass_of(rel, &element, &metric);
	type = nv_element_type(element);
	*storage = options.storage;
	if (type->dense == NULL && *storage != HNSW_STORAGE_AUTO)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"storage\" does not apply to type %s", type->name)));
	if (metric == NV_SPACE_CUSTOM && *storage != HNSW_STORAGE_AUTO &&
		*storage != HNSW_STORAGE_FLOAT4)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"storage\" must be float4 for a distance function"),
				 errdetail("The function of the operator class is given vectors as they are.")));

	memset(meta, 0, sizeof(*meta));
	meta->version = HNSW_FORMAT_VERSION;
	meta->element = element;
	meta->metric = metric;
	meta->dims = nv_column_dims(rel, type);
	meta->m = options.m;
	meta->ef_construction = options.ef_construction;
	meta->seed = ROTATION_SEED;
	meta->node_tids = HNSW_NODE_TIDS;
	meta->entry = HNSW_NO_SLOT;
	if (type->dense == NULL)
		meta->form = element == NV_ELEMENT_BIT ? NV_FORM_BITS : NV_FORM_SPARSE;
}

/* Compute the mean of the sample. */
static float *
mean_of(const Sample *s)
{
	float	   *mean = palloc(sizeof(float) * s->space.dims);

	for (int i = 0; i < s->space.dims; i++)
		mean[i] = (float) (s->sum[i] / s->seen);
	return mean;
}

/* The median, over the probes, of the distance to the nearest row; 0 if it is not known. */
static float
near_distance(const Sample *s)
{
	float		distances[PROBES];
	int			n = 0;

	for (int i = 0; i < s->nprobes; i++)
	{
		if (!isinf(s->probes[i].nearest[NEAREST - 1]))
			distances[n++] = s->probes[i].nearest[NEAREST - 1];
	}
	if (n == 0)
		return 0;
	qsort(distances, n, sizeof(float), compare_floats);
	return distances[n / 2];
}

/* Whether the rows are of one length, but for a few that are shorter. */
static bool
are_of_one_length(const Sample *s)
{
	int			shorter = 0;

	for (int i = 0; i < s->nprobes; i++)
		shorter += length2_of(s, s->probes[i].elements) < s->longest * (1 - ONE_LENGTH);
	return s->longest > 0 && shorter <= s->nprobes / HNSW_FEW_SHORTER;
}

/* Choose how the index is laid out. */
void
hnsw_plan(Relation heap, Relation rel, IndexInfo *info, HnswMeta *meta, float **mean)
{
	HnswStorage storage;
	Sample		sample;
	bool		coded;
	float		near;
	NvAttributes attributes;

	read_definition(rel, meta, &storage);
	if (meta->metric == NV_SPACE_CUSTOM)
		nv_custom_check(heap, rel, info, meta->element, meta->dims);
	nv_attributes_of(rel, &attributes);
	meta->attribute_bytes = attributes.image_bytes;
	coded = nv_space_has_codes(meta->element, meta->metric) && meta->dims >= FEW_DIMS;
	take_sample(heap, rel, info, meta, &sample);
	if (sample.seen >= FEW_ROWS)
	{
		meta->sampled = (uint32) Max(sample.measured, 1);
		meta->one_length = meta->metric == NV_SPACE_IP && sample.dense &&
			are_of_one_length(&sample);
	}
	near = near_distance(&sample);
	if (meta->metric != NV_SPACE_IP && meta->sampled > 0 && near > 0)
		meta->short_base = nv_short_base(near * near);
	*mean = coded && meta->metric != NV_SPACE_IP && sample.seen >= FEW_ROWS_FOR_MEAN ?
		 mean_of(&sample) : NULL;
	for (int tries = 0; tries < 2; tries++)
	{
		meta->has_mean = coded && *mean != NULL;
		/* until the layout says how long: rounding depends on whether vectors are rotated */
		meta->length = coded ? nv_rotation_padded(meta->dims) : 0;
		if (nv_element_type(meta->element)->dense != NULL)
			meta->form = choose_form(&sample, meta, storage, *mean);
		plan_layout(meta, storage, &sample);
		/* without codes vectors stay where they are, which may want another form */
		if (!coded || meta->length > 0)
			break;
		coded = false;
	}
	if (!meta->has_mean)
		*mean = NULL;
	meta->mean_pages = meta->has_mean ? nv_mean_pages(meta->dims) : 0;
	if (attributes.n > 0)
	{
		HnswMapLayout map;

		hnsw_map_layout(&attributes, &map);
		meta->group_pages = (uint16) (map.entries / meta->slots_per_page);
		meta->bounds_pages = (uint16) attributes.n;
	}
	if (meta->factors == HNSW_FACTORS_WIDE)
		meta->short_base = 0;
}
