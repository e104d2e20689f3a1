/*-------------------------------------------------------------------------
 *
 * am_index.c
 *		Opening an index: its metapage, and what relcache keeps of it.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_index.h"

#include "am/am_custom.h"
#include "am/am_opclass.h"

/* The mean of a space lies behind the metapage. */
#define MEAN_BLOCK 1

/* What relcache keeps for us is the metapage, and behind it the floats of the space. */
static inline float *
cached_floats(const NvIndexFormat *format, void *cache)
{
	return (float *) ((char *) cache + MAXALIGN(format->meta_bytes));
}

/* Whether a metapage of the right version makes sense, and agrees with the catalogs. */
static bool
meta_valid(const NvIndexFormat *format, Relation index, const void *meta)
{
	const NvMetaHead *head = meta;
	const NvElementType *type = nv_element_type(head->element);

	return type != NULL && nv_column_agrees(index, head->element, head->metric, head->dims) &&
		head->dims >= 1 && head->dims <= type->max_dims && head->has_mean <= 1 &&
		format->valid(meta);
}

/* Read and check what stays the same, unless relcache has it already; returns that. */
static void *
load_cache(const NvIndexFormat *format, Relation index)
{
	void	   *meta;
	void	   *cache;
	float	   *floats;
	NvSpaceSpec spec;

	Assert(format->meta_bytes >= sizeof(NvMetaHead) && format->meta_bytes <= NV_PAGE_ROOM);
	if (index->rd_amcache != NULL)
		return index->rd_amcache;

	meta = palloc(format->meta_bytes);
	nv_read_metapage(index, format->meta_kind, meta, format->meta_bytes);
	nv_metapage_version(index, ((const NvMetaHead *) meta)->version, format->version);
	if (!meta_valid(format, index, meta))
		nv_metapage_damaged(index);
	spec = format->spec(meta);
	Assert(spec.dims == ((const NvMetaHead *) meta)->dims);
	cache = MemoryContextAlloc(index->rd_indexcxt, MAXALIGN(format->meta_bytes) +
							   nv_spec_floats(&spec) * sizeof(float));
	memcpy(cache, meta, format->meta_bytes);
	pfree(meta);
	floats = cached_floats(format, cache);
	if (spec.has_mean)
		nv_read_mean(index, MEAN_BLOCK, spec.dims, floats);
	nv_spec_rotation(&spec, floats);
	index->rd_amcache = cache;
	return cache;
}

/* Set up the core.  It keeps the floats. */
static void
init_core(NvIndexCore *core, Relation index, const NvSpaceSpec *spec, const float *floats)
{
	memset(core, 0, sizeof(*core));
	core->rel = index;
	nv_attributes_of(index, &core->attributes);
	core->many = nv_opclass_many(index);
	nv_spec_init(spec, floats, &core->space);
	if (nv_space_is_custom(&core->space))
		nv_custom_open(&core->space, index);
	core->vector_bytes = nv_space_max_bytes(&core->space);
}

/* Room for the floats of a space. */
static float *
alloc_floats(const NvSpaceSpec *spec)
{
	return palloc(Max(nv_spec_floats(spec) * sizeof(float), 1));
}

/* Open an index as relcache or its metapage tells. */
void
nv_index_open(NvIndexCore *core, const NvIndexFormat *format, Relation index, void *meta)
{
	void	   *cache = load_cache(format, index);
	NvSpaceSpec spec = format->spec(cache);
	float	   *floats = alloc_floats(&spec);

	/* copies, since an invalidation may free what relcache keeps at any time */
	memcpy(meta, cache, format->meta_bytes);
	memcpy(floats, cached_floats(format, cache), nv_spec_floats(&spec) * sizeof(float));
	init_core(core, index, &spec, floats);
}

/* Open an index that is being built. */
void
nv_index_open_new(NvIndexCore *core, const NvIndexFormat *format, Relation index,
				  const void *meta, const float *mean)
{
	NvSpaceSpec spec = format->spec(meta);
	float	   *floats = alloc_floats(&spec);

	Assert(mean != NULL || !spec.has_mean);
	if (spec.has_mean)
		memcpy(floats, mean, spec.dims * sizeof(float));
	nv_spec_rotation(&spec, floats);
	init_core(core, index, &spec, floats);
}

/* Copy the metapage, or return false where there is no good one. */
bool
nv_index_peek(const NvIndexFormat *format, Relation index, void *meta)
{
	if (index->rd_amcache != NULL)
	{
		memcpy(meta, index->rd_amcache, format->meta_bytes);
		return true;
	}
	return nv_peek_metapage(index, format->meta_kind, meta, format->meta_bytes) &&
		((const NvMetaHead *) meta)->version == format->version && meta_valid(format, index, meta);
}
