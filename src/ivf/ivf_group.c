/*-------------------------------------------------------------------------
 *
 * ivf_group.c
 *		Groups of entries: reading their records, writing records and codes.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

static Buffer
read_page(IvfIndex *ix, BlockNumber block)
{
	if (ix->strategy == NULL)
		return nv_read_buffer(ix->rel, block);
	return nv_read_buffer_ring(ix->rel, block, ix->strategy);
}

Buffer
ivf_lock_group(IvfIndex *ix, BlockNumber block, uint32 list, int lock)
{
	Buffer		buffer;
	const IvfGroup *group;

	if (block < ix->layout.groups)
		ivf_damaged(ix, block, "it cannot be a group");
	buffer = read_page(ix, block);
	LockBuffer(buffer, lock);
	nv_page_check(ix->rel, buffer, NV_PAGE_IVF_GROUP);
	group = ivf_group_of(BufferGetPage(buffer));
	if (group->n > ix->layout.entries || group->list >= ix->meta.lists ||
		(list != IVF_MAX_LISTS && group->list != list))
		ivf_damaged(ix, block, "the header of a group");
	/* new ones are at the end of the file, so that a chain cannot be a ring */
	if (group->next <= block)
		ivf_damaged(ix, block, "the next group of the list comes before it");
	ix->group = block;
	return buffer;
}

void
ivf_release_record(Buffer *buffer)
{
	if (*buffer != InvalidBuffer)
		UnlockReleaseBuffer(*buffer);
	*buffer = InvalidBuffer;
}

Buffer
ivf_lock_records(IvfIndex *ix, BlockNumber block, int lock)
{
	Buffer		buffer;

	if (block < ix->layout.groups || block == InvalidBlockNumber)
		ivf_damaged(ix, ix->group, "where a group says its records are");
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

	if (*buffer == InvalidBuffer || BufferGetBlockNumber(*buffer) != block)
	{
		ivf_release_record(buffer);
		*buffer = ivf_lock_records(ix, block, BUFFER_LOCK_SHARE);
	}
	return BufferGetPage(*buffer);
}

const IvfRecord *
ivf_read_record(IvfIndex *ix, const IvfGroup *group, uint32 i, Buffer *buffer)
{
	const IvfShape *shape = &ix->layout.record;
	uint32		page;
	uint32		offset;
	uint32		done = 0;

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

void
ivf_prefetch_record(const IvfIndex *ix, const IvfGroup *group, uint32 i)
{
	const IvfShape *shape = &ix->layout.record;
	uint32		page;
	uint32		offset;

	ivf_locate(shape, i, &page, &offset);
	nv_prefetch_page(ix->rel, group->records[page], offset, Min(shape->bytes, NV_PAGE_ROOM));
}

void
ivf_prefetch_codes(const IvfIndex *ix, BlockNumber block)
{
	/* the rest follows by itself, if there is one */
	if (block != InvalidBlockNumber)
		nv_prefetch_page(ix->rel, block, 0, ix->layout.codes + ix->layout.code_block);
}

void
ivf_fill_record(const IvfIndex *ix, IvfRecord *record, const NvStored *v,
				const ItemPointerData *tid)
{
	record->tid = *tid;
	record->unused = 0;
	record->scale = v->scale;
	record->offset = v->offset;
	record->error = v->error;
	record->sum = v->sum;
	record->square = v->square;
	memcpy(record->data, v->data, v->bytes);
	/* what rounding up the size left */
	memset(record->data + v->bytes, 0,
		   ix->layout.record.bytes - offsetof(IvfRecord, data) - v->bytes);
}

void
ivf_write_code(const IvfIndex *ix, uint8 *block, uint32 place, const float *from, const float *x)
{
	nv_code_write(from, x, ix->length, ix->meta.bits, ix->space.metric == NV_SPACE_IP ? NV_CODE_OF_IP : NV_CODE_OF_ORIGIN,
				  block,
				  (int) place, IVF_ADD(ix, block) + place, IVF_FACTOR(ix, block) + place);
}

void
ivf_code_entry(IvfIndex *ix, Page page, uint32 i, const float *centroid, const NvStored *v)
{
	uint8	   *block = ivf_code_block(ix, ivf_group_of(page), i);

	if (ix->meta.bits == 0)
		return;
	nv_stored_floats(&ix->space, v, ix->floats);
	ivf_write_code(ix, block, i % NV_FASTSCAN_BLOCK, centroid, ix->floats);
	nv_page_use(page, (const char *) block + ix->layout.code_block);
}

void
ivf_init_group(IvfIndex *ix, Page page, uint32 list)
{
	IvfGroup   *group;

	nv_page_init(page, NV_PAGE_IVF_GROUP);
	group = (IvfGroup *) NV_PAGE_CONTENTS(page);
	group->list = list;
	group->next = InvalidBlockNumber;
	for (uint32 i = 0; i < ix->layout.record_pages; i++)
		group->records[i] = InvalidBlockNumber;
	nv_page_use_none(page);
	nv_page_use(page, (const char *) group + ix->layout.codes);
}
