/*-------------------------------------------------------------------------
 *
 * ivf_page.c
 *		Opening an ivf index; where things are in it.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include "quant/rotation.h"

/* Where records have pages of their own, a group has at most this many entries. */
#define MOST_ENTRIES 256

/* With fewer sampled rows than this for each list, a larger sample would find better centroids. */
#define FEW_SAMPLED 20

/* Raise the error of a block that is not what it should be. */
void
ivf_damaged(IvfIndex *ix, BlockNumber block, const char *what)
{
	nv_index_damaged(ix->rel, "block %u %s", block, what);
}

/* Whether k-means saw few rows for each list, of many more. */
bool
ivf_small_sample(const IvfMeta *meta)
{
	return meta->trained_sample < ivf_built_lists(meta) * FEW_SAMPLED &&
		meta->trained_sample < meta->trained_rows / 2;
}

/* ---- layout ---- */

/* How items of so many bytes lie in pages. */
static IvfShape
shape_of(uint32 bytes)
{
	IvfShape	shape = {
		.bytes = bytes,
		.per_page = NV_PAGE_ROOM / bytes,
		.pages = (bytes + NV_PAGE_ROOM - 1) / NV_PAGE_ROOM
	};

	return shape;
}

/* How many pages n items of a shape take. */
static uint32
pages_for(const IvfShape *shape, uint32 n)
{
	if (shape->per_page == 0)
		return n * shape->pages;
	return (n + shape->per_page - 1) / shape->per_page;
}

/* Bytes of 32 codes with what belongs to them; none without bits. */
static uint32
code_block_bytes(int bits)
{
	return bits == 0 ? 0 : NV_CODE_BLOCK_BYTES(bits) + 2 * NV_FASTSCAN_BLOCK * sizeof(NvHalfFloat);
}

/* Whether a code page has room for so many entries; sets images, codes and record_pages. */
static bool
group_fits(IvfLayout *layout, uint32 entries)
{
	uint32		blocks = (entries + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK;

	layout->entries = entries;
	layout->record_pages = pages_for(&layout->record, entries);
	layout->images = MAXALIGN(offsetof(IvfGroup, records) +
							  layout->record_pages * sizeof(BlockNumber));
	layout->codes = MAXALIGN(layout->images + entries * layout->image_step);
	return layout->codes + blocks * layout->code_block <= NV_PAGE_ROOM;
}

/* Vectors of 8 bits have codes, and are rotated for both; others are stored as they are. */
static bool
has_codes(NvForm form)
{
	return form == NV_FORM_SQ8;
}

/* Where there are codes vectors are padded for the rotation. */
int
ivf_length(const IvfMeta *meta)
{
	return has_codes(meta->form) ? nv_rotation_padded(meta->dims) : meta->dims;
}

/* As many bits as elements, up to the most that kernels take. */
uint16
ivf_code_bits(NvForm form, int dims)
{
	return has_codes(form) ? Min(nv_rotation_padded(dims), NV_CODE_MAX_BITS) : 0;
}

/*
 * What a record says of its vector beside the data.  A vector as it was, or of
 * unit length in full precision, is as exact as a distance of it that SQL
 * computes.  So is a halfvec, but that the inner product of two of them need not
 * be added up in the order in which that of a float vector and one is.
 */
static IvfHeader
header_of(const IvfMeta *meta)
{
	if (has_codes(meta->form))
		return IVF_HEADER_MEASURES;
	if (meta->element == NV_ELEMENT_SQ8VEC ||
		(meta->form == NV_FORM_FLOAT2 && meta->metric != NV_SPACE_L2))
		return IVF_HEADER_ERROR;
	return IVF_HEADER_NONE;
}

static const uint32 header_bytes[] = {
	[IVF_HEADER_NONE] = 0,
	[IVF_HEADER_ERROR] = sizeof(float),
	[IVF_HEADER_MEASURES] = sizeof(IvfMeasures)
};

/*
 * Records in the pages of groups, or pages of their own.  Images of attributes are in the
 * pages of groups in any case, so that rows which do not match cost no other page.
 */
static void
plan_groups(const IvfMeta *meta, uint32 vector_bytes, IvfLayout *layout)
{
	const uint32 head = MAXALIGN(offsetof(IvfGroup, records));
	uint32		image = offsetof(IvfRecord, rest) + header_bytes[layout->header];
	uint32		bytes = SHORTALIGN(image + meta->attribute_bytes + vector_bytes);
	uint32		entries = MOST_ENTRIES;

	if (layout->code_block == 0 && head + bytes <= NV_PAGE_ROOM)
	{
		layout->record = shape_of(bytes);
		layout->data = image + meta->attribute_bytes;
		layout->codes = head;
		layout->images = head + image;
		layout->image_step = bytes;
		layout->entries = (NV_PAGE_ROOM - head) / bytes;
		return;
	}
	layout->data = image;
	layout->record = shape_of(SHORTALIGN(layout->data + vector_bytes));
	layout->image_step = meta->attribute_bytes;
	/* of long codes and many attributes, there may not be room for a whole block */
	while (!group_fits(layout, entries))
		entries -= entries > NV_FASTSCAN_BLOCK ? NV_FASTSCAN_BLOCK : 1;
}

/* Compute where everything is. */
void
ivf_plan_layout(const IvfMeta *meta, IvfLayout *layout)
{
	int			length = ivf_length(meta);

	memset(layout, 0, sizeof(*layout));
	layout->centroid = shape_of(length * sizeof(float));
	layout->header = header_of(meta);
	layout->code_block = code_block_bytes(meta->bits);
	plan_groups(meta, nv_form_max_bytes(meta->form, meta->dims, length), layout);
	Assert(layout->entries > 0);
	Assert(layout->data <= layout->record.bytes);

	layout->directory = 1 + (meta->has_mean ? nv_mean_pages(meta->dims) : 0);
	layout->centroids = layout->directory +
		(meta->lists + IVF_LISTS_PER_PAGE - 1) / IVF_LISTS_PER_PAGE;
	layout->centroid_codes = layout->centroids + pages_for(&layout->centroid, meta->lists);
	layout->groups = layout->centroid_codes;
	if (meta->bits > 0)
	{
		layout->centroid_block = shape_of(layout->code_block);
		layout->groups += pages_for(&layout->centroid_block,
									(meta->lists + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK);
	}
}

/* ---- opening ---- */

/* Whether a form suits the type and the metric. */
static bool
form_valid(const IvfMeta *meta)
{
	if (meta->element == NV_ELEMENT_BIT)
		return meta->form == NV_FORM_BITS && meta->metric == NV_SPACE_HAMMING;
	return meta->form >= NV_FORM_FLOAT4 && meta->form <= NV_FORM_SQ8 &&
		nv_space_has_codes(meta->element, meta->metric);
}

/* Check everything that later code takes from the metapage. */
static bool
meta_valid(const void *arg)
{
	const IvfMeta *meta = arg;

	return form_valid(meta) && meta->lists >= IVF_MIN_LISTS && meta->lists <= IVF_MAX_LISTS &&
		meta->spares <= meta->lists && meta->probes >= 1 && meta->probes <= meta->lists &&
		meta->attribute_bytes <= NV_MAX_IMAGE_BYTES && meta->attribute_bytes % 2 == 0 &&
		meta->flat <= 1 &&
		meta->bits == ivf_code_bits(meta->form, meta->dims) &&
		(has_codes(meta->form) || !meta->has_mean);
}

/* The space that a metapage describes. */
static NvSpaceSpec
spec_of(const void *arg)
{
	const IvfMeta *meta = arg;
	NvSpaceSpec spec = {
		.kind = meta->element,
		.metric = meta->metric,
		.form = meta->form,
		.dims = meta->dims,
		.has_mean = meta->has_mean,
		.length = has_codes(meta->form) ? nv_rotation_padded(meta->dims) : 0,
		.seed = meta->seed
	};

	return spec;
}

static const NvIndexFormat format = {
	.meta_kind = NV_PAGE_IVF_META,
	.meta_bytes = sizeof(IvfMeta),
	.version = IVF_FORMAT_VERSION,
	.valid = meta_valid,
	.spec = spec_of
};

/* The settings that a search goes by. */
static const IvfSettings *
settings_of(const IvfMeta *meta)
{
	return meta->flat ? &ivfflat_settings : &ivf_settings;
}

/* Set up what follows from the core and the metapage. */
static void
init_index(IvfIndex *ix)
{
	const IvfMeta *meta = &ix->meta;

	/* operator classes may have come to summarize in another way */
	if (meta->attribute_bytes != ix->attributes.image_bytes)
		nv_metapage_damaged(ix->rel);
	ix->settings = settings_of(meta);
	ivf_plan_layout(meta, &ix->layout);
	if (ix->layout.record.per_page == 0)
		ix->assembled = palloc(ix->layout.record.bytes);
	ix->length = ivf_length(meta);
	ix->floats = palloc(sizeof(float) * ix->length);
	ix->query_floats = palloc(sizeof(float) * ix->length);
	ix->step = palloc0(sizeof(float) * TYPEALIGN(NV_CODE_ROOM, ix->length));
	ix->zero = palloc0(sizeof(float) * ix->length);
	if (meta->bits > 0)
		ix->table.entries = palloc(NV_CODE_TABLE_BYTES(meta->bits));
}

/* Open an index as relcache or its metapage tells. */
void
ivf_open(IvfIndex *ix, Relation rel)
{
	memset(ix, 0, sizeof(*ix));
	nv_index_open(&ix->core, &format, rel, &ix->meta);
	init_index(ix);
}

/* Look at the metapage only, and raise nothing because of it. */
bool
ivf_peek(IvfIndex *ix, Relation rel)
{
	memset(ix, 0, sizeof(*ix));
	if (!nv_index_peek(&format, rel, &ix->meta))
		return false;
	ix->settings = settings_of(&ix->meta);
	ivf_plan_layout(&ix->meta, &ix->layout);
	return true;
}

/* Open an index that is being built. */
void
ivf_open_new(IvfIndex *ix, Relation rel, const IvfMeta *meta, const float *mean)
{
	memset(ix, 0, sizeof(*ix));
	nv_index_open_new(&ix->core, &format, rel, meta, mean);
	ix->meta = *meta;
	init_index(ix);
}

/* ---- reading ---- */

/* Copy an item, page by page if it is longer than one. */
void
ivf_read_item(IvfIndex *ix, NvPageKind kind, BlockNumber first, const IvfShape *shape, uint32 i,
			   void *out)
{
	uint32		page;
	uint32		offset;
	uint32		left = shape->bytes;

	ivf_locate(shape, i, &page, &offset);
	Assert(offset == 0 || offset + left <= NV_PAGE_ROOM);
	while (left > 0)
	{
		Buffer		buffer = nv_read_buffer(ix->rel, first + page++);
		uint32		bytes = Min(left, NV_PAGE_ROOM - offset);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nv_page_check(ix->rel, buffer, kind);
		memcpy((char *) out + shape->bytes - left,
			   NV_PAGE_CONTENTS(BufferGetPage(buffer)) + offset, bytes);
		UnlockReleaseBuffer(buffer);
		left -= bytes;
		offset = 0;
	}
}
