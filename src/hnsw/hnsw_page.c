/*-------------------------------------------------------------------------
 *
 * hnsw_page.c
 *		Opening an hnsw index, and reading its nodes.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

#include "hnsw/hnsw_memory.h"
#include "miscadmin.h"

/* Raise the error of a slot that is not what it should be. */
void
hnsw_damaged(HnswIndex *ix, uint32 slot, const char *what)
{
	nv_index_damaged(ix->rel, "slot %u in block %u %s", slot, hnsw_slot_block(&ix->meta, slot),
					 what);
}

/* Compute the layout of a node. */
void
hnsw_layout(const HnswMeta *meta, HnswLayout *layout)
{
	memset(layout, 0, sizeof(*layout));
	layout->neighbors = 2 * meta->m;
	layout->blocks = meta->bits > 0 ?
		(layout->neighbors + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK : 0;
	layout->tids = sizeof(HnswNode) + layout->neighbors * sizeof(uint32);
	layout->add = layout->tids + meta->node_tids * sizeof(ItemPointerData) + meta->attribute_bytes;
	layout->factor = layout->codes = layout->vector = layout->add;
	if (layout->blocks > 0)
	{
		layout->add_bytes = meta->factors == HNSW_FACTORS_WIDE ? sizeof(NvHalfFloat) : 1;
		layout->factor_bytes = meta->factors == HNSW_FACTORS_ONE ? 0 : layout->add_bytes;
		layout->factor += layout->neighbors * layout->add_bytes;
		layout->codes = layout->factor + layout->neighbors * layout->factor_bytes;
		layout->vector = layout->codes + layout->blocks * NV_CODE_BLOCK_BYTES(meta->bits);
	}
	Assert(layout->tids <= layout->add && layout->add <= layout->factor &&
		   layout->factor <= layout->codes && layout->codes <= layout->vector);
	layout->vector_room = Max(meta->slot_bytes, layout->vector) - layout->vector;
}

/* Compute the error of an estimate. */
double
hnsw_noise(const HnswMeta *meta)
{
	const double mean = sqrt(2 / M_PI);
	const double deviation = sqrt(1 - 2 / M_PI);
	double		bits = meta->bits;
	double		noise = sqrt((1 - mean * mean * bits / meta->length) / bits) / mean;

	if (meta->factors == HNSW_FACTORS_ONE)
		noise = hypot(noise, deviation / mean / sqrt(bits) / 2);
	return noise;
}

/* The space that a metapage describes. */
NvSpaceSpec
hnsw_spec(const HnswMeta *meta)
{
	NvSpaceSpec spec = {
		.kind = meta->element,
		.metric = meta->metric,
		.form = meta->form,
		.dims = meta->dims,
		.has_mean = meta->has_mean,
		.length = meta->length,
		.seed = meta->seed
	};

	return spec;
}

/* Whether the form suits the type. */
static bool
form_valid(const HnswMeta *meta)
{
	if (meta->element == NV_ELEMENT_BIT)
		return meta->form == NV_FORM_BITS;
	if (meta->element == NV_ELEMENT_SPARSEVEC)
		return meta->form == NV_FORM_SPARSE;
	return nv_form_is_dense(meta->form);
}

/* Whether slots of this size are what a build may have chosen, and nothing overlaps. */
static bool
layout_valid(const HnswMeta *meta, const HnswLayout *layout)
{
	NvSpaceSpec spec = hnsw_spec(meta);

	if (meta->bits > 0 && (!nv_space_has_codes(meta->element, meta->metric) ||
						   meta->bits % NV_CODE_STEP != 0 ||
						   meta->bits > Min(nv_spec_length(&spec), NV_CODE_MAX_BITS)))
		return false;
	if (meta->factors > HNSW_FACTORS_ONE ||
		(meta->factors != HNSW_FACTORS_WIDE && (meta->bits == 0 || meta->metric == NV_SPACE_IP ||
												!nv_short_base_valid(meta->short_base))))
		return false;
	/* the codes are of rotated vectors */
	if (meta->bits > 0 ? meta->length < meta->dims : meta->length != 0)
		return false;
	return meta->node_tids >= HNSW_FEWEST_TIDS && meta->node_tids <= HNSW_NODE_TIDS &&
		meta->node_tids % 2 == 0 && meta->slot_bytes % 8 == 0 &&
		meta->slot_bytes > offsetof(HnswMore, data) && meta->slot_bytes <= NV_PAGE_ROOM &&
		meta->slot_bytes >= layout->vector &&
		meta->slots_per_page == NV_PAGE_ROOM / meta->slot_bytes &&
		meta->mean_pages == (meta->has_mean ? nv_mean_pages(meta->dims) : 0);
}

/* Check everything that later code takes from the metapage. */
static bool
meta_valid(const void *arg)
{
	const HnswMeta *meta = arg;
	HnswLayout	layout;

	if (!form_valid(meta) || meta->m < HNSW_MIN_M || meta->m > HNSW_MAX_M ||
		meta->attribute_bytes != 0 || meta->entry_level > HNSW_MAX_LEVEL)
		return false;
	hnsw_layout(meta, &layout);
	return layout_valid(meta, &layout);
}

/* The space that a metapage describes. */
static NvSpaceSpec
meta_spec(const void *meta)
{
	return hnsw_spec(meta);
}

static const NvIndexFormat format = {
	.meta_kind = NV_PAGE_META,
	.meta_bytes = sizeof(HnswMeta),
	.version = HNSW_FORMAT_VERSION,
	.valid = meta_valid,
	.spec = meta_spec
};

/* Set up what follows from the core and the metapage. */
static void
init_index(HnswIndex *ix)
{
	const HnswMeta *meta = &ix->meta;

	ix->logged = true;
	hnsw_layout(meta, &ix->layout);
	Assert(meta->slot_bytes >= ix->layout.vector);
	Assert(meta->slots_per_page * meta->slot_bytes <= NV_PAGE_ROOM);
	ix->max_bytes = meta->form == NV_FORM_SQ8 ? 2 * ix->vector_bytes : ix->vector_bytes;
	if (meta->factors != HNSW_FACTORS_WIDE)
	{
		ix->short_factors = palloc(sizeof(NvShortFactors));
		nv_short_factors_init(ix->short_factors, meta->short_base, meta->bits, meta->length);
	}
	if (meta->bits > 0)
		ix->edge_floats = palloc(2 * sizeof(float) * ix->space.length);
	if (ix->max_bytes > ix->layout.vector_room)
		ix->assembled = palloc(ix->max_bytes);
}

/* Open an index as relcache or its metapage tells. */
void
hnsw_open(HnswIndex *ix, Relation rel)
{
	memset(ix, 0, sizeof(*ix));
	nv_index_open(&ix->core, &format, rel, &ix->meta);
	init_index(ix);
}

/* Open an index that is being built. */
void
hnsw_open_new(HnswIndex *ix, Relation rel, const HnswMeta *meta, const float *mean)
{
	memset(ix, 0, sizeof(*ix));
	nv_index_open_new(&ix->core, &format, rel, meta, mean);
	ix->meta = *meta;
	init_index(ix);
}

/* Count the slots by the size of the file. */
uint32
hnsw_count_slots(const HnswIndex *ix)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(ix->rel);

	return blocks <= hnsw_slot_block(&ix->meta, 0) ? 0 : hnsw_first_slot(&ix->meta, blocks);
}

/* Read the entry point from the metapage, since relcache does not keep it. */
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

/* Whether a vector of an index can have so many bytes. */
bool
hnsw_vector_bytes_valid(const HnswIndex *ix, uint32 bytes)
{
	if (ix->meta.form == NV_FORM_SPARSE)
		return bytes <= ix->max_bytes;
	return bytes == ix->vector_bytes || bytes == ix->max_bytes;
}

/* Check the header of a node. */
void
hnsw_check_node(HnswIndex *ix, uint32 slot, const HnswNode *node)
{
	if (unlikely(node->level > HNSW_MAX_LEVEL || node->ntids > ix->meta.node_tids ||
				 !hnsw_vector_bytes_valid(ix, node->vector_bytes) ||
				 node->nedges > hnsw_max_edges(&ix->meta)))
		hnsw_damaged(ix, slot, "has a header that makes no sense");
}

/* The node in a slot of a locked page, or NULL. */
static inline const HnswNode *
node_on_page(HnswIndex *ix, Buffer buffer, uint32 slot)
{
	const HnswNode *node =
		(const HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);

	if (unlikely(node->kind != HNSW_SLOT_NODE))
	{
		/* a crash right after the file grew leaves a page of zeros */
		if (!PageIsNew(BufferGetPage(buffer)))
			nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
		return NULL;
	}
	/* this finds pages of another kind too, without two more cache lines */
	hnsw_check_node(ix, slot, node);
	return node;
}

/* Find a node in memory. */
static inline bool
read_memory(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	ref->node = (const HnswNode *) hnsw_memory_slot(ix->memory, slot);
	return ref->node->kind == HNSW_SLOT_NODE;
}

/* Find a node in memory, or lock its page. */
bool
hnsw_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	ref->buffer = InvalidBuffer;
	if (ix->memory != NULL)
		return read_memory(ix, slot, ref);

	ref->buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	LockBuffer(ref->buffer, BUFFER_LOCK_SHARE);
	ref->node = node_on_page(ix, ref->buffer, slot);
	if (ref->node != NULL)
		return true;
	hnsw_release(ref);
	ref->buffer = InvalidBuffer;
	return false;
}

/* Find a node in memory or on the page that is locked, or lock another page. */
bool
hnsw_read_next(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	BlockNumber block = hnsw_slot_block(&ix->meta, slot);

	if (ix->memory != NULL)
		return read_memory(ix, slot, ref);

	if (ref->buffer == InvalidBuffer || BufferGetBlockNumber(ref->buffer) != block)
	{
		hnsw_release(ref);
		ref->buffer = InvalidBuffer;
		CHECK_FOR_INTERRUPTS();
		ref->buffer = nv_read_buffer(ix->rel, block);
		LockBuffer(ref->buffer, BUFFER_LOCK_SHARE);
	}
	ref->node = node_on_page(ix, ref->buffer, slot);
	return ref->node != NULL;
}

/* Prefetch all of a slot. */
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
			hnsw_damaged(ix, slot, "does not hold the rest of a vector");
	}
	Assert(bytes > 0);
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

/* Find the vector of a node, or put it together. */
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

	Assert(ix->assembled != NULL && v.bytes <= ix->max_bytes);
	memcpy(ix->assembled, v.data, ix->layout.vector_room);
	left = v.bytes - ix->layout.vector_room;
	while (left > 0)
		slot = read_more(ix, slot, ref, ix->assembled + v.bytes - left, &left);
	v.data = ix->assembled;
	return v;
}

/* Copy a node, so that its page can be released. */
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
	Assert(copy->nedges <= HNSW_MAX_SLOTS);
	memcpy(copy->edges, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * copy->nedges);
	v = hnsw_stored(ix, &ref);
	copy->stored = nv_stored_copy(&v);
	hnsw_release(&ref);
	return true;
}

/* Write what comes before the slots. */
void
hnsw_write_head(Relation rel, ForkNumber fork, const HnswMeta *meta, const float *mean)
{
	nv_append_page(rel, fork, NV_PAGE_META, meta, sizeof(*meta));
	if (meta->has_mean)
		nv_append_mean(rel, fork, mean, meta->dims);
}
