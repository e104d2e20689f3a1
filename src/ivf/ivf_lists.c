/*-------------------------------------------------------------------------
 *
 * ivf_lists.c
 *		The lists of an ivf index: their centroids, and which are near.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include "am/am_select.h"
#include "miscadmin.h"

/* Of the best by estimate, so many more than wanted are measured exactly. */
#define MEASURE_BESIDE 24

/* Centroids are fetched so many ahead. */
#define PREFETCH 4

IvfList
ivf_read_list(IvfIndex *ix, uint32 list)
{
	BlockNumber block = ix->layout.directory + list / IVF_LISTS_PER_PAGE;
	Buffer		buffer = nv_read_buffer(ix->rel, block);
	IvfList		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_DIRECTORY);
	result = ((const IvfList *) NV_PAGE_CONTENTS(BufferGetPage(buffer)))[list % IVF_LISTS_PER_PAGE];
	UnlockReleaseBuffer(buffer);
	return result;
}

void
ivf_read_centroid(IvfIndex *ix, uint32 list, float *out)
{
	ivf_read_thing(ix, NV_PAGE_IVF_CENTROIDS, ix->layout.centroids, &ix->layout.centroid, list, out);
}

static inline bool
before(const IvfNearList *a, const IvfNearList *b)
{
	return a->distance < b->distance || (a->distance == b->distance && a->list < b->list);
}

NV_DEFINE_SELECT(select_lists, IvfNearList, before)

#define ST_SORT sort_lists
#define ST_ELEMENT_TYPE IvfNearList
#define ST_COMPARE(a, b) (before(a, b) ? -1 : before(b, a))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Distance of the query in ix->query_floats from the centroid of a list, by
 * the metric or by L2.
 */
static float
measure_list(IvfIndex *ix, uint32 list, bool by_l2)
{
	Buffer		buffer = InvalidBuffer;
	const float *centroid = ix->floats;
	float		distance;

	if (ix->layout.centroid.per_page > 0)
	{
		uint32		page;
		uint32		offset;

		ivf_locate(&ix->layout.centroid, list, &page, &offset);
		buffer = nv_read_buffer(ix->rel, ix->layout.centroids + page);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nv_page_check(ix->rel, buffer, NV_PAGE_IVF_CENTROIDS);
		centroid = (const float *) (NV_PAGE_CONTENTS(BufferGetPage(buffer)) + offset);
	}
	else
		ivf_read_centroid(ix, list, ix->floats);
	if (ix->space.metric == NV_SPACE_IP && !by_l2)
		distance = -nv_kern.ip_f32(ix->query_floats, centroid, ix->length);
	else
		distance = nv_kern.l2sq_f32(ix->query_floats, centroid, ix->length);
	if (buffer != InvalidBuffer)
		UnlockReleaseBuffer(buffer);
	return ivf_finite(distance);
}

/* Exact distances of lists, of which near[n] has the numbers. */
static void
measure_lists(IvfIndex *ix, bool by_l2, IvfNearList *near, int n)
{
	const IvfShape *shape = &ix->layout.centroid;

	for (int i = 0; i < n; i++)
	{
		if (i + PREFETCH < n)
		{
			uint32		page;
			uint32		offset;

			ivf_locate(shape, near[i + PREFETCH].list, &page, &offset);
			nv_prefetch_page(ix->rel, ix->layout.centroids + page, offset,
							 Min(shape->bytes, NV_PAGE_ROOM));
		}
		near[i].distance = measure_list(ix, near[i].list, by_l2);
	}
}

/*
 * Estimates for all lists, from the codes of their centroids.  Those are
 * relative to 0, so the distance that estimates start from is that to 0.
 */
static void
estimate_lists(IvfIndex *ix, const NvQuery *query, const NvCodeTable *table, IvfNearList *near)
{
	int			groups = ix->meta.bits / NV_FASTSCAN_GROUP;
	float		start = ix->space.metric == NV_SPACE_IP ? 0 : query->norm * query->norm;
	uint8	   *block = palloc(ix->layout.code_block);

	for (uint32 list = 0; list < ix->meta.lists; list += NV_FASTSCAN_BLOCK)
	{
		uint32		n = Min(NV_FASTSCAN_BLOCK, ix->meta.lists - list);
		uint16		sums[NV_FASTSCAN_BLOCK];

		ivf_read_thing(ix, NV_PAGE_IVF_CENTROID_CODES, ix->layout.centroid_codes,
					   &ix->layout.centroid_block, list / NV_FASTSCAN_BLOCK, block);
		nv_kern.fastscan(block, table->entries, groups, sums);
		for (uint32 i = 0; i < n; i++)
		{
			near[list + i].list = list + i;
			near[list + i].distance =
				ivf_finite(start + nv_half_float(IVF_ADD(ix, block)[i]) -
						   nv_half_float(IVF_FACTOR(ix, block)[i]) *
						   (table->scale * sums[i] + table->bias));
		}
	}
	pfree(block);
}

int
ivf_nearest_lists(IvfIndex *ix, const NvQuery *query, const NvCodeTable *table, int wanted,
				  bool by_l2, IvfNearList *near)
{
	int			lists = (int) ix->meta.lists;
	int			measured = lists;

	CHECK_FOR_INTERRUPTS();
	nv_query_floats(&ix->space, query, ix->query_floats);
	wanted = Min(wanted, lists);
	/* codes of an inner product say nothing about L2 */
	if (ix->meta.bits > 0 && !(by_l2 && ix->space.metric == NV_SPACE_IP) &&
		wanted + MEASURE_BESIDE < lists)
	{
		measured = wanted + MEASURE_BESIDE;
		estimate_lists(ix, query, table, near);
		select_lists(near, lists, measured);
	}
	else
	{
		for (int i = 0; i < lists; i++)
			near[i].list = i;
	}
	measure_lists(ix, by_l2, near, measured);
	if (wanted < measured)
		select_lists(near, measured, wanted);
	sort_lists(near, wanted);
	return wanted;
}
