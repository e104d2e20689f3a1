/*-------------------------------------------------------------------------
 *
 * hnsw_page.c
 *		Opening an hnsw index, and what stands before its slots.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

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
	layout->image = layout->tids + meta->node_tids * sizeof(ItemPointerData);
	layout->add = layout->image + meta->attribute_bytes;
	layout->factor = layout->codes = layout->vector = layout->add;
	if (layout->blocks > 0)
	{
		layout->add_bytes = meta->factors == HNSW_FACTORS_WIDE ? sizeof(NvHalfFloat) : 1;
		layout->factor_bytes = meta->factors == HNSW_FACTORS_ONE ? 0 : layout->add_bytes;
		layout->factor += layout->neighbors * layout->add_bytes;
		layout->codes = layout->factor + layout->neighbors * layout->factor_bytes;
		layout->vector = layout->codes + layout->blocks * NV_CODE_BLOCK_BYTES(meta->bits);
	}
	Assert(layout->tids <= layout->image && layout->image <= layout->add && layout->add <= layout->factor &&
		   layout->factor <= layout->codes && layout->codes <= layout->vector);
	layout->vector_room = Max(meta->slot_bytes, layout->vector) - layout->vector;
}

/* Compute the layout of a page of the map. */
void
hnsw_map_layout(const NvAttributes *attributes, HnswMapLayout *layout)
{
	uint32		bytes[NV_MAX_ATTRIBUTES];
	uint32		total = 0;
	uint32		at = sizeof(HnswMapHeader);

	for (int i = 0; i < attributes->n; i++)
	{
		bytes[i] = attributes->columns[i].type->kind == NV_ATTRIBUTE_SET ?
			sizeof(uint64) : sizeof(uint16);
		total += bytes[i];
	}
	layout->entries = (NV_PAGE_ROOM - sizeof(HnswMapHeader)) / total / 64 * 64;
	for (int i = 0; i < attributes->n; i++)
	{
		layout->columns[i] = (uint16) at;
		at += bytes[i] * layout->entries;
	}
	Assert(layout->entries > 0 && layout->entries <= HNSW_MAP_ENTRIES && at <= NV_PAGE_ROOM);
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
	if (meta->metric == NV_SPACE_CUSTOM)
		return meta->form == NV_FORM_FLOAT4;
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
		meta->slot_bytes > offsetof(HnswRest, data) && meta->slot_bytes <= NV_PAGE_ROOM &&
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
		meta->entry_level > HNSW_MAX_LEVEL ||
		(meta->group_pages > 0) != (meta->attribute_bytes > 0) ||
		(meta->bounds_pages > 0) != (meta->attribute_bytes > 0) ||
		meta->one_length > (meta->metric == NV_SPACE_IP))
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

	ix->store = hnsw_disk_store(ix);
	ix->logged = true;
	ix->context = CurrentMemoryContext;
	/* operator classes may have come to summarize in another way */
	if (meta->attribute_bytes != ix->attributes.image_bytes)
		nv_metapage_damaged(ix->rel);
	if (ix->attributes.n > 0)
	{
		hnsw_map_layout(&ix->attributes, &ix->map);
		if (hnsw_group_slots(meta) > ix->map.entries || meta->bounds_pages != ix->attributes.n)
			nv_metapage_damaged(ix->rel);
	}
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
	if (nv_space_is_custom(&ix->space))
		ix->copied = palloc(meta->slot_bytes);
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

	return blocks <= hnsw_first_block(&ix->meta) ? 0 : hnsw_first_slot(&ix->meta, blocks);
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

/* Change the entry point in the metapage. */
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

/* Write what comes before the slots. */
void
hnsw_write_head(Relation rel, ForkNumber fork, const HnswMeta *meta, const float *mean)
{
	nv_append_page(rel, fork, NV_PAGE_META, meta, sizeof(*meta));
	if (meta->has_mean)
		nv_append_mean(rel, fork, mean, meta->dims);
	for (int i = 0; i < meta->bounds_pages; i++)
	{
		HnswBounds	none = {0};

		nv_append_page(rel, fork, NV_PAGE_HNSW_BOUNDS, &none, sizeof(none));
	}
}
