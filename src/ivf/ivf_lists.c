/*-------------------------------------------------------------------------
 *
 * ivf_lists.c
 *		The lists of an ivf index: their centroids, and which are near.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

#include "am/am_select.h"
#include "miscadmin.h"

/*
 * Of the best by estimate, so many more than wanted are measured exactly; fewer
 * for the one list of a row that is inserted.
 */
#define MEASURE_BESIDE 24
#define MEASURE_BESIDE_ONE 8

/* Centroids are fetched so many ahead. */
#define PREFETCH 4

/* Lists between two looks for interrupts. */
#define LISTS_AT_ONCE 64

IvfList
ivf_read_list(IvfIndex *ix, uint32 list)
{
	BlockNumber block = ix->layout.directory + list / IVF_LISTS_PER_PAGE;
	Buffer		buffer = nv_read_buffer(ix->rel, block);
	IvfList		result;

	Assert(list < ix->meta.lists);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_DIRECTORY);
	result = ((const IvfList *) NV_PAGE_CONTENTS(BufferGetPage(buffer)))[list % IVF_LISTS_PER_PAGE];
	UnlockReleaseBuffer(buffer);
	return result;
}

void
ivf_read_centroid(IvfIndex *ix, uint32 list, float *out)
{
	Assert(list < ix->meta.lists);
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
 * Look at the centroid of a list.  It is in the page of *buffer, which is pinned
 * and share-locked, or in ix->floats.  *buffer may be one from the call before,
 * and is kept if it serves again.
 */
static const float *
look_at_centroid(IvfIndex *ix, uint32 list, Buffer *buffer)
{
	uint32		page;
	uint32		offset;

	if (ix->layout.centroid.per_page == 0)
	{
		ivf_read_centroid(ix, list, ix->floats);
		return ix->floats;
	}
	ivf_locate(&ix->layout.centroid, list, &page, &offset);
	if (*buffer == InvalidBuffer || BufferGetBlockNumber(*buffer) != ix->layout.centroids + page)
	{
		ivf_release_page(buffer);
		*buffer = nv_read_buffer(ix->rel, ix->layout.centroids + page);
		LockBuffer(*buffer, BUFFER_LOCK_SHARE);
		nv_page_check(ix->rel, *buffer, NV_PAGE_IVF_CENTROIDS);
	}
	return (const float *) (NV_PAGE_CONTENTS(BufferGetPage(*buffer)) + offset);
}

/*
 * Distance of the query in ix->query_floats from the centroid of a list, by
 * the metric or by L2.  *buffer as look_at_centroid() has it.
 */
static float
measure_list(IvfIndex *ix, uint32 list, bool by_l2, Buffer *buffer)
{
	const float *centroid = look_at_centroid(ix, list, buffer);
	float		distance;

	if (ix->space.metric == NV_SPACE_IP && !by_l2)
		distance = -nv_kern.ip_f32(ix->query_floats, centroid, ix->length);
	else
		distance = nv_kern.l2sq_f32(ix->query_floats, centroid, ix->length);
	return ivf_finite(distance);
}

/* Exact distances of lists, of which near[n] has the numbers. */
static void
measure_lists(IvfIndex *ix, bool by_l2, IvfNearList *near, int n)
{
	const IvfShape *shape = &ix->layout.centroid;
	Buffer		buffer = InvalidBuffer;

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
		near[i].distance = measure_list(ix, near[i].list, by_l2, &buffer);
		if (i % LISTS_AT_ONCE == 0)
		{
			/* nothing interrupts whoever holds the lock of a buffer */
			ivf_release_page(&buffer);
			CHECK_FOR_INTERRUPTS();
		}
	}
	ivf_release_page(&buffer);
}

/*
 * Estimates for all lists, from the codes of their centroids, with infinity
 * behind them.  Codes are of steps from 0, and the step from 0 to the query is
 * the query, in ix->query_floats.
 */
static void
estimate_lists(IvfIndex *ix, float *estimates)
{
	uint8	   *block = palloc(ix->layout.code_block);
	float		greatest;
	float		start = nv_kern.step_f32(ix->query_floats, ix->zero, ix->length, ix->step,
										 &greatest);

	if (ix->space.metric == NV_SPACE_IP)
		start = 0;
	nv_step_table(ix->step, ix->meta.bits, greatest, &ix->table);
	for (uint32 list = 0; list < ix->meta.lists; list += NV_FASTSCAN_BLOCK)
	{
		ivf_read_thing(ix, NV_PAGE_IVF_CENTROID_CODES, ix->layout.centroid_codes,
					   &ix->layout.centroid_block, list / NV_FASTSCAN_BLOCK, block);
		nv_code_estimate(&ix->table, ix->meta.bits, block, IVF_ADD(ix, block),
						 IVF_FACTOR(ix, block), 1, start, INFINITY, estimates + list);
		for (uint32 i = list; i < list + NV_FASTSCAN_BLOCK; i++)
			estimates[i] = i < ix->meta.lists ? ivf_finite(estimates[i]) : INFINITY;
	}
	pfree(block);
}

/*
 * The lists with the least of nblocks * 32 estimates: their numbers in near[n];
 * only "beside" of those beyond "ratio" times the least.  Returns how many
 * there are.
 */
static int
take_least(float *estimates, uint32 nblocks, int n, int beside, float ratio, IvfNearList *near)
{
	float		most = INFINITY;
	float	   *least = palloc(sizeof(float) * nblocks);

	for (uint32 b = 0; b < nblocks; b++)
	{
		const float *block = estimates + b * NV_FASTSCAN_BLOCK;

		least[b] = block[nv_kern.argmin(block, NV_FASTSCAN_BLOCK)];
	}
	for (int i = 0; i < n; i++)
	{
		size_t		b = nv_kern.argmin(least, nblocks);
		float	   *block = estimates + b * NV_FASTSCAN_BLOCK;
		size_t		place = nv_kern.argmin(block, NV_FASTSCAN_BLOCK);

		if (i == 0 && !isinf(ratio))
			most = Max(block[place], 0) * ratio;
		if (block[place] > most)
		{
			n = Min(n, i + beside);
			most = INFINITY;
		}
		near[i].list = (uint32) (b * NV_FASTSCAN_BLOCK + place);
		block[place] = INFINITY;
		least[b] = block[nv_kern.argmin(block, NV_FASTSCAN_BLOCK)];
	}
	pfree(least);
	return n;
}

int
ivf_nearest_lists(IvfIndex *ix, const NvQuery *query, int wanted, float ratio, bool by_l2,
				  IvfNearList *near, int *ranked)
{
	int			lists = (int) ix->meta.lists;
	int			measured = lists;
	int			beside = wanted == 1 ? MEASURE_BESIDE_ONE : MEASURE_BESIDE;

	Assert(wanted > 0);
	CHECK_FOR_INTERRUPTS();
	nv_query_floats(&ix->space, query, ix->query_floats);
	wanted = Min(wanted, lists);
	/* codes of an inner product say nothing about L2 */
	if (ix->meta.bits > 0 && !(by_l2 && ix->space.metric == NV_SPACE_IP) &&
		wanted + beside < lists)
	{
		uint32		nblocks = (ix->meta.lists + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK;
		float	   *estimates = palloc(sizeof(float) * nblocks * NV_FASTSCAN_BLOCK);

		estimate_lists(ix, estimates);
		measured = take_least(estimates, nblocks, wanted + beside, beside, ratio, near);
		wanted = Min(wanted, measured);
		pfree(estimates);
	}
	else
	{
		for (int i = 0; i < lists; i++)
			near[i].list = i;
	}
	measure_lists(ix, by_l2, near, measured);
	/* of all lists no more than are likely to be looked into are put in order */
	*ranked = Min(measured, wanted + beside);
	if (*ranked < measured)
		select_lists(near, measured, *ranked);
	Assert(wanted <= *ranked && *ranked <= lists);
	sort_lists(near, *ranked);
	while (!isinf(ratio) && wanted > 1 && near[wanted - 1].distance > near[0].distance * ratio)
		wanted--;
	return wanted;
}
