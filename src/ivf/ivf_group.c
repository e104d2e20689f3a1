/*-------------------------------------------------------------------------
 *
 * ivf_group.c
 *		Groups of entries: reading their records, writing records and codes.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

/* Read a page of a group, by the ring of a vacuum if there is one. */
static Buffer
read_page(IvfIndex *ix, BlockNumber block)
{
	if (ix->strategy == NULL)
		return nv_read_buffer(ix->rel, block);
	return nv_read_buffer_ring(ix->rel, block, ix->strategy);
}

/* Lock the page of a group, and check its header. */
Buffer
ivf_lock_group(IvfIndex *ix, BlockNumber block, uint32 list, int lock)
{
	Buffer		buffer;
	const IvfGroup *group;

	if (block < ix->layout.groups)
		ivf_damaged(ix, block, "cannot be a group");
	buffer = read_page(ix, block);
	LockBuffer(buffer, lock);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_GROUP);
	group = ivf_group_of(BufferGetPage(buffer));
	if (group->n > ix->layout.entries || group->list >= ix->meta.lists ||
		(list != IVF_MAX_LISTS && group->list != list))
		ivf_damaged(ix, block, "has the header of a group that makes no sense");
	/* new ones are at the end of the file, so that a chain cannot be a ring */
	if (group->next <= block)
		ivf_damaged(ix, block, "says that the next group of its list comes before it");
	ix->group = block;
	return buffer;
}

/* Unlock and release a page, if there is one. */
void
ivf_release_page(Buffer *buffer)
{
	if (*buffer != InvalidBuffer)
		UnlockReleaseBuffer(*buffer);
	*buffer = InvalidBuffer;
}

/* Lock a page of records. */
Buffer
ivf_lock_records(IvfIndex *ix, BlockNumber block, int lock)
{
	Buffer		buffer;

	if (block < ix->layout.groups || block == InvalidBlockNumber)
		ivf_damaged(ix, ix->group, "says that its records are in a block where none can be");
	buffer = read_page(ix, block);
	LockBuffer(buffer, lock);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_RECORDS);
	return buffer;
}

/* Have *buffer be record page number "page" of a group, locked. */
static Page
lock_records(IvfIndex *ix, const IvfGroup *group, uint32 page, Buffer *buffer)
{
	BlockNumber block = group->records[page];

	Assert(page < ix->layout.record_pages);
	if (*buffer == InvalidBuffer || BufferGetBlockNumber(*buffer) != block)
	{
		ivf_release_page(buffer);
		*buffer = ivf_lock_records(ix, block, BUFFER_LOCK_SHARE);
	}
	return BufferGetPage(*buffer);
}

/* Find a record, in one page or in several. */
const IvfRecord *
ivf_read_record(IvfIndex *ix, const IvfGroup *group, uint32 i, Buffer *buffer)
{
	const IvfShape *shape = &ix->layout.record;
	uint32		page;
	uint32		offset;
	uint32		done = 0;

	Assert(i < ix->layout.entries);
	if (ivf_inline(ix))
		return ivf_inline_record(ix, group, i);
	ivf_locate(shape, i, &page, &offset);
	if (shape->per_page > 0)
		return (const IvfRecord *) (NV_PAGE_CONTENTS(lock_records(ix, group, page, buffer)) + offset);
	while (done < shape->bytes)
	{
		uint32		bytes = Min(shape->bytes - done, NV_PAGE_ROOM);

		memcpy(ix->assembled + done, NV_PAGE_CONTENTS(lock_records(ix, group, page++, buffer)),
			   bytes);
		done += bytes;
	}
	return (const IvfRecord *) ix->assembled;
}

/* Prefetch a record that has a page of its own kind. */
void
ivf_prefetch_record(const IvfIndex *ix, const IvfGroup *group, uint32 i)
{
	const IvfShape *shape = &ix->layout.record;
	uint32		page;
	uint32		offset;

	Assert(i < ix->layout.entries);
	if (ivf_inline(ix))
		return;
	ivf_locate(shape, i, &page, &offset);
	nv_prefetch_page(ix->rel, group->records[page], offset, Min(shape->bytes, NV_PAGE_ROOM));
}

/* Prefetch the head of a group, its images, and its first codes. */
void
ivf_prefetch_group(const IvfIndex *ix, BlockNumber block, bool filtered)
{
	/* the rest follows by itself, if there is one */
	if (block != InvalidBlockNumber)
		nv_prefetch_page(ix->rel, block, 0,
						 ix->layout.codes + (filtered ? 0 : ix->layout.code_block));
}

/*
 * Store a vector without codes.  Halves that came from halves are what they were,
 * and need no scale; sums of them that SQL computes may be rounded otherwise.
 */
static void
store_exact(IvfIndex *ix, const NvQuery *query, char *data, NvStored *v)
{
	if (ix->space.form == NV_FORM_FLOAT2 && ix->space.metric != NV_SPACE_COSINE)
	{
		nv_kern.f32_to_f16(query->elements, (nv_f16 *) data, ix->length);
		v->error = (float) (2 * NV_KERNEL_RELERR(ix->length) * query->norm);
		return;
	}
	nv_query_store(&ix->space, query, data, v);
	/* elements of unit length are all small enough, and one of them large enough */
	Assert(ix->space.form != NV_FORM_FLOAT2 || v->scale == 1);
}

/* Store the step from a centroid to a vector. */
static void
store_step(IvfIndex *ix, const NvQuery *query, const float *centroid, char *data, NvStored *v)
{
	float		greatest;
	NvQuery		step = *query;

	nv_kern.step_f32(query->elements, centroid, ix->length, ix->step, &greatest);
	step.elements = ix->step;
	/* rounding moves the step by a part of what it is the difference of */
	step.norm += sqrtf(nv_kern.ip_f32(centroid, centroid, ix->length));
	nv_query_store(&ix->space, &step, data, v);
}

/* Write the record of a row. */
void
ivf_write_record(IvfIndex *ix, const NvQuery *query, const float *centroid,
				 const ItemPointerData *tid, IvfRecord *record)
{
	char	   *data = (char *) record + ix->layout.data;
	NvStored	v;

	Assert(ix->meta.bits == 0 || centroid != NULL);
	/* what rounding up the size left */
	memset(record, 0, ix->layout.record.bytes);
	record->tid = *tid;
	if (ix->meta.bits > 0)
		store_step(ix, query, centroid, data, &v);
	else
		store_exact(ix, query, data, &v);
	if (ix->layout.header == IVF_HEADER_MEASURES)
	{
		IvfMeasures m = {v.scale, v.offset, v.error, v.sum, v.square};

		memcpy(record->rest, &m, sizeof(m));
	}
	else if (ix->layout.header == IVF_HEADER_ERROR)
		memcpy(record->rest, &v.error, sizeof(float));
}

/* Write the code of a step. */
static void
code_step(const IvfIndex *ix, uint8 *block, uint32 place, const float *step)
{
	nv_code_write(ix->zero, step, ix->length, ix->meta.bits, ix->space.ip, block, (int) place,
				  IVF_ADD(ix, block) + place, IVF_FACTOR(ix, block) + place);
}

/* Write the code of a centroid. */
void
ivf_code_centroid(const IvfIndex *ix, uint8 *block, uint32 place, const float *centroid)
{
	bool		to_come = ivf_to_come(ix, centroid);

	code_step(ix, block, place, to_come ? ix->zero : centroid);
	if (to_come)
		IVF_ADD(ix, block)[place] = nv_to_half_float(FLT_MAX);
}

/*
 * Records hold the step from the centroid.  Its code is written as that of one
 * from 0, so that nothing is lost; of the inner product of centroid and step,
 * which the add of the inner product is, that from 0 knows nothing.
 */
void
ivf_code_entry(IvfIndex *ix, Page page, uint32 i, const float *centroid, const IvfRecord *record)
{
	uint8	   *block = ivf_code_block(ix, ivf_group_of(page), i);
	uint32		place = i % NV_FASTSCAN_BLOCK;
	NvStored	v = ivf_stored(ix, record);

	if (ix->meta.bits == 0)
		return;
	nv_stored_floats(&ix->space, &v, ix->floats);
	code_step(ix, block, place, ix->floats);
	if (ix->space.metric == NV_SPACE_IP)
		IVF_ADD(ix, block)[place] =
			nv_to_half_float(-nv_kern.ip_f32(centroid, ix->floats, ix->length));
	nv_page_use(page, (const char *) block + ix->layout.code_block);
}

/* Write an image where the layout has it. */
void
ivf_write_image(const IvfIndex *ix, Page page, uint32 i, const char *image)
{
	char	   *place = ivf_image(ix, ivf_group_of(page), i);

	if (ix->meta.attribute_bytes == 0)
		return;
	memcpy(place, image, ix->meta.attribute_bytes);
	nv_page_use(page, place + ix->meta.attribute_bytes);
}

/* Make a page that of an empty group. */
void
ivf_init_group(IvfIndex *ix, Page page, uint32 list)
{
	IvfGroup   *group;

	Assert(list < ix->meta.lists);
	nv_page_init(page, NV_PAGE_IVF_GROUP);
	group = (IvfGroup *) NV_PAGE_CONTENTS(page);
	group->list = list;
	group->next = InvalidBlockNumber;
	for (uint32 i = 0; i < ix->layout.record_pages; i++)
		group->records[i] = InvalidBlockNumber;
	nv_page_use_none(page);
	nv_page_use(page, (const char *) group + ix->layout.codes);
}
