/*-------------------------------------------------------------------------
 *
 * hnsw_page.c
 *		Opening an hnsw index, and reading its nodes.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "am/am_opclass.h"
#include "hnsw/hnsw_memory.h"

/* A code of this many bits is worth more than a further node in the page. */
#define GOOD_BITS 320

/* Room for the beginning of a sparse vector: 4 nodes to a page. */
#define SPARSE_SLOTS_PER_PAGE 4

/* What relcache keeps for us: this, then the floats of the space. */
typedef struct HnswCache
{
	HnswMeta	meta;
	HnswLayout	layout;
	float		floats[FLEXIBLE_ARRAY_MEMBER];
} HnswCache;

void
hnsw_damaged(HnswIndex *ix, uint32 slot, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged: slot %u in block %u: %s",
					RelationGetRelationName(ix->rel), slot, hnsw_slot_block(&ix->meta, slot), what),
			 errhint("Rebuild it with REINDEX.")));
}

static bool
has_codes(const HnswMeta *meta)
{
	return nv_space_has_codes(meta->element, meta->metric);
}

/* Bytes of a page's slots, when there are n of them. */
static uint32
slot_room(int n)
{
	return (uint32) (NV_PAGE_ROOM / n) & ~7u;
}

/* Fill in where things are in a node whose codes have so many bits. */
static void
place_parts(const HnswMeta *meta, HnswLayout *layout, int bits)
{
	uint32		block_slots;

	layout->neighbors = 2 * meta->m;
	layout->blocks = has_codes(meta) ?
		(layout->neighbors + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK : 0;
	block_slots = layout->blocks * NV_FASTSCAN_BLOCK;
	layout->add = sizeof(HnswNode) + meta->attribute_bytes + layout->neighbors * sizeof(uint32);
	layout->factor = layout->add + block_slots * sizeof(NvHalfFloat);
	layout->codes = layout->factor + block_slots * sizeof(NvHalfFloat);
	layout->vector = layout->codes + layout->blocks * NV_CODE_BLOCK_BYTES(bits);
}

/* The most bits that fit a node of so many bytes beside "rest" bytes. */
static int
bits_that_fit(const HnswLayout *layout, uint32 room, uint32 rest, int length)
{
	int64		bits = ((int64) room - layout->codes - rest) / (4 * layout->blocks);

	bits = Min(bits, Min(length, NV_CODE_MAX_BITS));
	return (int) Max(bits, 0) / NV_CODE_STEP * NV_CODE_STEP;
}

/*
 * As many nodes to a page as leave a good code to each; where not even one
 * does, the vector continues in other slots.
 */
static void
plan_with_codes(HnswMeta *meta, HnswLayout *layout, uint32 max_bytes, int length)
{
	int			n;

	for (n = NV_PAGE_ROOM / sizeof(HnswNode); n >= 1; n--)
	{
		meta->bits = bits_that_fit(layout, slot_room(n), max_bytes, length);
		if (meta->bits >= Min(length, GOOD_BITS))
			break;
	}
	if (n == 0)
		meta->bits = bits_that_fit(layout, slot_room(1), 0, length);
	place_parts(meta, layout, meta->bits);
}

void
hnsw_plan_layout(HnswMeta *meta, HnswLayout *layout)
{
	int			length = nv_space_length(meta->element, meta->metric, meta->dims);
	uint32		max_bytes = nv_form_max_bytes(meta->form, meta->dims, length);
	uint32		bytes;

	place_parts(meta, layout, 0);
	meta->bits = 0;
	if (layout->blocks > 0)
		plan_with_codes(meta, layout, max_bytes, length);

	if (meta->form == NV_FORM_SPARSE)
		bytes = slot_room(SPARSE_SLOTS_PER_PAGE);
	else
		bytes = Min(MAXALIGN(layout->vector + max_bytes), slot_room(1));
	meta->slot_bytes = bytes;
	meta->slots_per_page = NV_PAGE_ROOM / bytes;
	layout->vector_room = bytes - layout->vector;
}

static uint16
count_mean_pages(const HnswMeta *meta)
{
	return meta->has_mean ? nv_mean_pages(meta->dims) : 0;
}

/* Whether the form suits the type. */
static bool
form_valid(const HnswMeta *meta)
{
	if (meta->element == NV_ELEMENT_BIT)
		return meta->form == NV_FORM_BITS;
	if (meta->element == NV_ELEMENT_SPARSEVEC)
		return meta->form == NV_FORM_SPARSE;
	return meta->form >= NV_FORM_FLOAT4 && meta->form <= NV_FORM_SQ8;
}

/* Everything that later code takes from the metapage is checked here, once; gives the layout. */
static void
check_meta(Relation rel, const HnswMeta *meta, HnswLayout *layout)
{
	const NvElementType *type = nv_element_type(meta->element);
	HnswMeta	expected = *meta;

	nv_metapage_version(rel, meta->version, HNSW_FORMAT_VERSION);
	if (type != NULL && nv_column_agrees(rel, meta->element, meta->metric, meta->dims) &&
		form_valid(meta) && meta->dims >= 1 && meta->dims <= type->max_dims &&
		meta->m >= HNSW_MIN_M && meta->m <= HNSW_MAX_M && meta->attribute_bytes == 0 &&
		meta->has_mean <= 1)
	{
		hnsw_plan_layout(&expected, layout);
		expected.mean_pages = count_mean_pages(meta);
		if (expected.bits == meta->bits && expected.slot_bytes == meta->slot_bytes &&
			expected.slots_per_page == meta->slots_per_page &&
			expected.mean_pages == meta->mean_pages && meta->entry_level <= HNSW_MAX_LEVEL)
			return;
	}
	nv_metapage_damaged(rel);
}

void
hnsw_set_mean(HnswMeta *meta, bool has_mean)
{
	meta->has_mean = has_mean;
	meta->mean_pages = count_mean_pages(meta);
}

static NvSpaceSpec
spec_of(const HnswMeta *meta)
{
	NvSpaceSpec spec = {
		.kind = meta->element,
		.metric = meta->metric,
		.form = meta->form,
		.dims = meta->dims,
		.has_mean = meta->has_mean,
		.seed = meta->seed
	};

	return spec;
}

/* Read what stays the same, once for as long as relcache keeps it. */
static HnswCache *
load_cache(Relation rel)
{
	HnswCache  *cache;
	HnswMeta	meta;
	HnswLayout	layout;
	NvSpaceSpec spec;

	if (rel->rd_amcache != NULL)
		return rel->rd_amcache;

	nv_read_metapage(rel, NV_PAGE_META, &meta, sizeof(meta));
	check_meta(rel, &meta, &layout);
	spec = spec_of(&meta);
	cache = MemoryContextAlloc(rel->rd_indexcxt,
							   sizeof(HnswCache) + nv_spec_floats(&spec) * sizeof(float));
	cache->meta = meta;
	cache->layout = layout;
	if (meta.has_mean)
		nv_read_mean(rel, 1, meta.dims, cache->floats);
	nv_spec_rotation(&spec, cache->floats);
	rel->rd_amcache = cache;
	return cache;
}

/* floats: those of the space; kept. */
static void
open_with_floats(HnswIndex *ix, Relation rel, const HnswMeta *meta, const HnswLayout *layout,
				 const float *floats)
{
	NvSpaceSpec spec = spec_of(meta);

	memset(ix, 0, sizeof(*ix));
	ix->rel = rel;
	ix->meta = *meta;
	ix->logged = true;
	ix->layout = *layout;
	nv_spec_init(&spec, floats, &ix->space);
	ix->max_bytes = nv_space_max_bytes(&ix->space);
	if (has_codes(meta))
		ix->edge_floats = palloc(2 * sizeof(float) * ix->space.length);
	if (ix->max_bytes > ix->layout.vector_room)
		ix->assembled = palloc(ix->max_bytes);
}

void
hnsw_open(HnswIndex *ix, Relation rel)
{
	HnswCache  *cache = load_cache(rel);
	NvSpaceSpec spec = spec_of(&cache->meta);
	Size		size = nv_spec_floats(&spec) * sizeof(float);
	float	   *floats = palloc(Max(size, 1));

	/* a copy: an invalidation may free what relcache keeps at any time */
	memcpy(floats, cache->floats, size);
	open_with_floats(ix, rel, &cache->meta, &cache->layout, floats);
}

void
hnsw_open_with(HnswIndex *ix, Relation rel, const HnswMeta *meta, const float *mean)
{
	NvSpaceSpec spec = spec_of(meta);
	float	   *floats = palloc(Max(nv_spec_floats(&spec) * sizeof(float), 1));
	HnswMeta	planned = *meta;
	HnswLayout	layout;

	hnsw_plan_layout(&planned, &layout);
	if (meta->has_mean)
		memcpy(floats, mean, meta->dims * sizeof(float));
	nv_spec_rotation(&spec, floats);
	open_with_floats(ix, rel, meta, &layout, floats);
}

uint32
hnsw_count_slots(const HnswIndex *ix)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(ix->rel);

	return blocks <= hnsw_slot_block(&ix->meta, 0) ? 0 : hnsw_first_slot(&ix->meta, blocks);
}

void
hnsw_get_entry(HnswIndex *ix, uint32 *entry, int *level)
{
	Buffer		buffer = nv_read_buffer(ix->rel, HNSW_META_BLOCK);
	const HnswMeta *meta;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nv_page_check(ix->rel, buffer, NV_PAGE_META);
	meta = (const HnswMeta *) NV_PAGE_CONTENTS(BufferGetPage(buffer));
	*entry = meta->entry;
	*level = meta->entry_level;
	UnlockReleaseBuffer(buffer);
	if (*level > HNSW_MAX_LEVEL)
		nv_metapage_damaged(ix->rel);
}

void
hnsw_check_node(HnswIndex *ix, uint32 slot, const HnswNode *node)
{
	if (unlikely(node->level > HNSW_MAX_LEVEL || node->ntids > HNSW_NODE_TIDS ||
				 node->vector_bytes > ix->max_bytes ||
				 (node->vector_bytes != ix->max_bytes && ix->meta.form != NV_FORM_SPARSE) ||
				 node->nedges > hnsw_max_edges(&ix->meta)))
		hnsw_damaged(ix, slot, "the header of a node");
}

bool
hnsw_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	Buffer		buffer;
	const HnswNode *node;

	ref->buffer = InvalidBuffer;
	if (ix->memory != NULL)
	{
		ref->node = (const HnswNode *) hnsw_memory_slot(ix->memory, slot);
		return ref->node->kind == HNSW_SLOT_NODE;
	}

	buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	node = (const HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
	if (unlikely(node->kind != HNSW_SLOT_NODE))
	{
		/* a crash right after the file grew leaves a page of zeros */
		if (!PageIsNew(BufferGetPage(buffer)))
			nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
		UnlockReleaseBuffer(buffer);
		return false;
	}
	/* this finds pages of another kind too, without two more cache lines */
	hnsw_check_node(ix, slot, node);
	ref->node = node;
	ref->buffer = buffer;
	return true;
}

void
hnsw_prefetch(HnswIndex *ix, uint32 slot)
{
	Size		bytes = ix->meta.slot_bytes;

	if (ix->memory != NULL)
	{
		const char *node = hnsw_memory_slot(ix->memory, slot);

		for (Size i = 0; i < bytes; i += NV_PREFETCH_STEP)
			__builtin_prefetch(node + i);
	}
	else
		nv_prefetch_page(ix->rel, hnsw_slot_block(&ix->meta, slot),
						 hnsw_slot_offset(&ix->meta, slot), bytes);
}

/* Copy a part of a long vector; returns the next slot of it. */
static uint32
read_more(HnswIndex *ix, uint32 slot, const HnswRef *ref, char *out, uint32 *left)
{
	uint32		room = ix->meta.slot_bytes - offsetof(HnswMore, data);
	uint32		bytes = Min(room, *left);
	Buffer		buffer = InvalidBuffer;
	bool		same_page = false;
	const HnswMore *more;
	uint32		next;

	if (ix->memory != NULL)
		more = (const HnswMore *) hnsw_memory_slot(ix->memory, slot);
	else
	{
		buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
		same_page = buffer == ref->buffer;
		/* whoever wants two pages must not hold one that others wait for */
		Assert(!nv_locked_exclusively(ref->buffer));
		if (!same_page)
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
		more = (const HnswMore *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
		if (more->kind != HNSW_SLOT_MORE)
			hnsw_damaged(ix, slot, "expected the rest of a vector");
	}
	memcpy(out, more->data, bytes);
	*left -= bytes;
	next = more->next;
	if (buffer != InvalidBuffer)
	{
		if (same_page)
			ReleaseBuffer(buffer);
		else
			UnlockReleaseBuffer(buffer);
	}
	return next;
}

NvStored
hnsw_stored(HnswIndex *ix, const HnswRef *ref)
{
	const HnswNode *node = ref->node;
	NvStored	v = {
		.data = HNSW_VECTOR(&ix->layout, node),
		.bytes = node->vector_bytes,
		.scale = node->scale,
		.offset = node->offset,
		.error = node->error,
		.sum = node->sum,
		.square = node->square
	};
	uint32		left;
	uint32		slot = node->more;

	if (likely(v.bytes <= ix->layout.vector_room))
		return v;

	memcpy(ix->assembled, v.data, ix->layout.vector_room);
	left = v.bytes - ix->layout.vector_room;
	while (left > 0)
		slot = read_more(ix, slot, ref, ix->assembled + v.bytes - left, &left);
	v.data = ix->assembled;
	return v;
}

bool
hnsw_copy_node(HnswIndex *ix, uint32 slot, HnswNodeCopy *copy)
{
	HnswRef		ref;
	NvStored	v;

	if (!hnsw_read(ix, slot, &ref))
		return false;
	copy->version = ref.node->version;
	copy->level = ref.node->level;
	copy->dead = (ref.node->flags & HNSW_DEAD) != 0;
	copy->nedges = ref.node->nedges;
	memcpy(copy->edges, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * copy->nedges);
	v = hnsw_stored(ix, &ref);
	copy->stored = nv_stored_copy(&v);
	hnsw_release(&ref);
	return true;
}

void
hnsw_write_head(Relation rel, ForkNumber fork, const HnswMeta *meta, const float *mean)
{
	nv_append_page(rel, fork, NV_PAGE_META, meta, sizeof(*meta));
	if (meta->has_mean)
		nv_append_mean(rel, fork, mean, meta->dims);
}
