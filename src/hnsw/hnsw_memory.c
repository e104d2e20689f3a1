/*-------------------------------------------------------------------------
 *
 * hnsw_memory.c
 *		The graph while it is built in memory: an array of slots, in chunks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_memory.h"

#include "hnsw/hnsw.h"
#include "hnsw/hnsw_nearest.h"
#include "nv_workers.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

/* ---- segments ---- */

/* Create a segment that stays until all who have mapped it let go of it. */
dsm_handle
hnsw_segment_create(Size bytes)
{
	dsm_segment *segment = dsm_create(bytes, 0);

	/* one that the server had ready may hold anything */
	memset(dsm_segment_address(segment), 0, bytes);
	return dsm_segment_handle(segment);
}

/* Map a segment into this process, unless it is mapped already. */
void *
hnsw_segment_address(dsm_handle handle)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	if (segment == NULL)
		segment = dsm_attach(handle);
	if (segment == NULL)
		elog(ERROR, "could not map dynamic shared memory segment");
	return dsm_segment_address(segment);
}

/* Let go of a segment. */
void
hnsw_segment_detach(dsm_handle handle)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	if (segment != NULL)
		dsm_detach(segment);
}

/* ---- slots ---- */

/* A vector of so many bytes begins in a cache line of its own. */
#define LINE 64

/* Whether all that is done with nodes in memory can do without codes. */
bool
hnsw_memory_differs(const HnswMeta *pages)
{
	return hnsw_matrix_serves(pages);
}

/* Leave codes out, and have vectors begin where kernels read them fastest. */
void
hnsw_memory_form(const HnswMeta *pages, HnswMeta *meta, HnswLayout *layout)
{
	NvSpaceSpec spec = hnsw_spec(pages);
	uint32		vector;
	uint32		align;

	*meta = *pages;
	hnsw_layout(meta, layout);
	if (!hnsw_memory_differs(pages))
		return;
	meta->bits = 0;
	hnsw_layout(meta, layout);
	vector = nv_form_max_bytes(meta->form, meta->dims, nv_spec_length(&spec));
	align = vector < LINE ? MAXIMUM_ALIGNOF : LINE;
	if (meta->form == NV_FORM_SQ8)
		layout->vector += sizeof(NvPanelVector);
	layout->vector = TYPEALIGN(align, layout->vector);
	meta->slot_bytes = TYPEALIGN(align, layout->vector + vector);
	layout->vector_room = meta->slot_bytes - layout->vector;
}

/* Choose how large chunks are. */
void
hnsw_memory_init(HnswMemoryShared *shared, uint32 slot_bytes, Size bytes, bool alone)
{
	Size		slots = Min(bytes / slot_bytes, HNSW_NO_SLOT - 1);
	/* little is lost when the last chunk does not fit */
	Size		chunk = Min(HNSW_CHUNK_BYTES, bytes / 32);
	int			shift = 0;

	Assert(slot_bytes > 0);
	while (((Size) slot_bytes << (shift + 1)) <= chunk)
		shift++;
	while (!alone && slots >> shift > HNSW_SHARED_CHUNKS)
		shift++;
	pg_atomic_init_u32(&shared->used, 0);
	LWLockInitialize(&shared->lock, nv_lock_tranche());
	Assert(alone || slots >> shift <= HNSW_SHARED_CHUNKS);
	shared->chunk_shift = shift;
	shared->limit = (uint32) (slots >> shift << shift);
	for (int i = 0; i < HNSW_SHARED_CHUNKS; i++)
		shared->chunks[i] = DSM_HANDLE_INVALID;
}

/* Open the memory in this process, with no chunk mapped yet. */
HnswMemory *
hnsw_memory_attach(HnswMemoryShared *shared, uint32 slot_bytes, bool alone)
{
	HnswMemory *memory = palloc0(sizeof(HnswMemory));

	memory->shared = shared;
	memory->alone = alone;
	memory->context = CurrentMemoryContext;
	memory->slot_bytes = slot_bytes;
	memory->chunk_shift = shared->chunk_shift;
	memory->max_chunks = (shared->limit >> memory->chunk_shift) + 1;
	memory->chunks = palloc_extended(sizeof(char *) * memory->max_chunks,
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return memory;
}

/* Find a chunk, or create it. */
char *
hnsw_memory_map(HnswMemory *memory, uint32 chunk)
{
	Size		bytes = (Size) memory->slot_bytes << memory->chunk_shift;
	dsm_handle *handle = &memory->shared->chunks[chunk];

	Assert(chunk < memory->max_chunks);
	Assert(memory->alone || chunk < HNSW_SHARED_CHUNKS);
	if (memory->alone)
	{
		memory->chunks[chunk] = MemoryContextAllocExtended(memory->context, bytes,
														   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		return memory->chunks[chunk];
	}
	LWLockAcquire(&memory->shared->lock, LW_EXCLUSIVE);
	if (*handle == DSM_HANDLE_INVALID)
		*handle = hnsw_segment_create(bytes);
	memory->chunks[chunk] = hnsw_segment_address(*handle);
	LWLockRelease(&memory->shared->lock);
	return memory->chunks[chunk];
}

/* Let go of all chunks. */
void
hnsw_memory_detach(HnswMemory *memory)
{
	for (uint32 chunk = 0; chunk < memory->max_chunks; chunk++)
	{
		if (memory->chunks[chunk] == NULL)
			continue;
		if (memory->alone)
			pfree(memory->chunks[chunk]);
		else
			hnsw_segment_detach(memory->shared->chunks[chunk]);
	}
	pfree(memory->chunks);
	pfree(memory);
}

/* Take slots from the end of what is used. */
uint32
hnsw_memory_take(HnswMemory *memory, uint32 n)
{
	uint32		first = pg_atomic_read_u32(&memory->shared->used);

	Assert(n > 0);
	do
	{
		if (n > memory->shared->limit || first > memory->shared->limit - n)
			return HNSW_NO_SLOT;
	} while (!pg_atomic_compare_exchange_u32(&memory->shared->used, &first, first + n));
	return first;
}

/* ---- the store ---- */

/* Find a node, which needs no lock: nobody changes it while others read it. */
static bool
memory_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	ref->buffer = InvalidBuffer;
	ref->node = (const HnswNode *) hnsw_memory_slot(ix->memory, slot);
	return ref->node->kind == HNSW_SLOT_NODE;
}

/* Prefetch all of a slot. */
static void
memory_prefetch(HnswIndex *ix, uint32 slot)
{
	const char *node = hnsw_memory_slot(ix->memory, slot);

	for (Size i = 0; i < ix->meta.slot_bytes; i += NV_PREFETCH_STEP)
		__builtin_prefetch(node + i);
}

/* Copy a part of a long vector. */
static uint32
memory_read_rest(HnswIndex *ix, uint32 slot, const HnswRef *ref, char *out, uint32 bytes)
{
	const HnswRest *rest = (const HnswRest *) hnsw_memory_slot(ix->memory, slot);

	memcpy(out, rest->data, bytes);
	return rest->next;
}

/* Find a node to change.  One process alone changes edges in this way: no version is asked for. */
static HnswNode *
memory_change_begin(HnswIndex *ix, uint32 slot, uint32 version, HnswNodeChange *change)
{
	return (HnswNode *) hnsw_memory_slot(ix->memory, slot);
}

/* There is nothing to write. */
static void
memory_change_finish(HnswNodeChange *change)
{
}

static const HnswStore memory_store = {
	.read = memory_read,
	.read_next = memory_read,
	.prefetch = memory_prefetch,
	.read_rest = memory_read_rest,
	.change_begin = memory_change_begin,
	.change_finish = memory_change_finish,
	.stays = true
};

/* Have the slots of an index in memory, or in pages. */
void
hnsw_use_memory(HnswIndex *ix, HnswMemory *memory)
{
	ix->memory = memory;
	ix->store = memory != NULL ? &memory_store : hnsw_disk_store(ix);
}
