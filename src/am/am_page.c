/*-------------------------------------------------------------------------
 *
 * am_page.c
 *		What all pages of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_page.h"

#include "miscadmin.h"
#include "nv_testpoint.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* What metapages of pgvector's hnsw and ivfflat begin with. */
#define PGVECTOR_HNSW_MAGIC 0xA953A953
#define PGVECTOR_IVFFLAT_MAGIC 0x014FF1A7

/*
 * Where this backend last found a page.  Looking a page up in the shared
 * table takes a quarter of a search; a remembered buffer is checked instead.
 * Pages that share an entry only lose the short cut.
 */
#define HINTS 65536

static Buffer hints[HINTS];

/* Make an empty page, all of which counts as in use. */
void
nv_page_init(Page page, NvPageKind kind)
{
	NvPageTail *tail;

	Assert(kind >= NV_PAGE_META && kind < NV_PAGE_KINDS);
	PageInit(page, BLCKSZ, sizeof(NvPageTail));
	((PageHeader) page)->pd_lower = ((PageHeader) page)->pd_upper;
	tail = (NvPageTail *) PageGetSpecialPointer(page);
	tail->kind = kind;
	tail->magic = NV_PAGE_MAGIC;
}

/* After an update from pgvector, where the database keeps its indexes as they are */
static bool
made_by_pgvector(Buffer metapage)
{
	uint32		magic;

	memcpy(&magic, PageGetContents(BufferGetPage(metapage)), sizeof(magic));
	return magic == PGVECTOR_HNSW_MAGIC || magic == PGVECTOR_IVFFLAT_MAGIC;
}

/* Raise the error of a damaged index. */
void
nv_index_damaged(Relation index, const char *format,...)
{
	char		text[256];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged: %s", RelationGetRelationName(index), text),
			 errhint("Rebuild it with REINDEX.")));
}

/* What messages call pages of a kind. */
static const char *const kind_names[] = {
	[NV_PAGE_META] = "the metapage of an hnsw index",
	[NV_PAGE_MEAN] = "a page of the mean",
	[NV_PAGE_HNSW_SLOTS] = "a page of slots",
	[NV_PAGE_IVF_META] = "the metapage of an ivf index",
	[NV_PAGE_IVF_DIRECTORY] = "a page of the directory",
	[NV_PAGE_IVF_CENTROIDS] = "a page of centroids",
	[NV_PAGE_IVF_CENTROID_CODES] = "a page of codes of centroids",
	[NV_PAGE_IVF_GROUP] = "a page of a group",
	[NV_PAGE_IVF_RECORDS] = "a page of records",
	[NV_PAGE_HNSW_BOUNDS] = "a page of bounds of attributes",
	[NV_PAGE_HNSW_MAP] = "a page of the map of attributes"
};

StaticAssertDecl(lengthof(kind_names) == NV_PAGE_KINDS, "a kind of page has no name");

/* Raise the error of a page that is not what it should be. */
void
nv_page_wrong(Relation index, Buffer buffer, NvPageKind kind)
{
	Assert(kind > 0 && kind < lengthof(kind_names));
	nv_index_damaged(index, "block %u is not %s", BufferGetBlockNumber(buffer), kind_names[kind]);
}

/* Copy the metapage; false when it is not of that kind.  *pgvector: whether it is pgvector's. */
static bool
copy_metapage(Buffer buffer, NvPageKind kind, void *meta, Size bytes, bool *pgvector)
{
	bool		good;

	Assert(bytes <= NV_PAGE_ROOM);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	good = nv_page_is(BufferGetPage(buffer), kind);
	memcpy(meta, NV_PAGE_CONTENTS(BufferGetPage(buffer)), bytes);
	*pgvector = !good && made_by_pgvector(buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return good;
}

/* Copy the metapage, or raise an error that says what is wrong with it. */
void
nv_read_metapage(Relation index, NvPageKind kind, void *meta, Size bytes)
{
	Buffer		buffer = ReadBuffer(index, 0);
	bool		pgvector;
	bool		good = copy_metapage(buffer, kind, meta, bytes, &pgvector);

	/* messages take names from catalogs, for which the page must not be locked */
	if (pgvector)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" was made by pgvector and has its format",
						RelationGetRelationName(index)),
				 errhint("Rebuild it with REINDEX INDEX %s.",
						 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(index)),
													RelationGetRelationName(index)))));
	if (!good)
		nv_page_wrong(index, buffer, kind);
	ReleaseBuffer(buffer);
}

/* Copy the metapage, or say that there is no good one. */
bool
nv_peek_metapage(Relation index, NvPageKind kind, void *meta, Size bytes)
{
	Buffer		buffer;
	bool		pgvector;
	bool		good;

	if (RelationGetNumberOfBlocks(index) == 0)
		return false;
	buffer = ReadBuffer(index, 0);
	good = copy_metapage(buffer, kind, meta, bytes, &pgvector);
	ReleaseBuffer(buffer);
	return good;
}

/* Refuse formats of other versions. */
void
nv_metapage_version(Relation index, uint32 version, uint32 expected)
{
	if (version != expected)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" has format version %u, and this nanovec reads version %u",
						RelationGetRelationName(index), version, expected),
				 errhint("Rebuild it with REINDEX.")));
}

/* Raise the error of a metapage that was checked and found wanting. */
void
nv_metapage_damaged(Relation index)
{
	nv_index_damaged(index, "block 0: the metapage makes no sense");
}

/* Pages close to each other in the file get different entries. */
static inline Buffer *
hint_of(Relation index, BlockNumber block)
{
	return &hints[(block + (uint32) NV_REL_NUMBER(index) * 40503) % HINTS];
}

/* ReadBuffer() takes InvalidBlockNumber for a new page, and would add one. */
static inline void
check_block(Relation index, BlockNumber block)
{
	if (unlikely(block == InvalidBlockNumber))
		nv_index_damaged(index, "it points to a block that cannot be");
}

/*
 * Whether the short cut serves.  ReadRecentBuffer() does not raise a shared
 * buffer's usage count, so that pages that are found by it alone would be the
 * first to be evicted; those whose count is the highest need no more.
 */
static inline bool
hint_serves(Buffer hint)
{
	return hint < 0 || (hint > 0 && NV_BUFFER_USAGE(hint) == BM_MAX_USAGE_COUNT);
}

/* Count a page as ReadBuffer() does one that it finds. */
static inline void
count_hit(Relation index)
{
	pgstat_count_buffer_read(index);
	pgstat_count_buffer_hit(index);
	NV_COUNT_IO_HIT(index);
	if (VacuumCostActive)
		VacuumCostBalance += VacuumCostPageHit;
}

/* Read a page, by the remembered buffer where that serves. */
Buffer
nv_read_buffer(Relation index, BlockNumber block)
{
	Buffer	   *hint = hint_of(index, block);

	check_block(index, block);
	if (hint_serves(*hint) &&
		ReadRecentBuffer(NV_REL_LOCATOR(index), MAIN_FORKNUM, block, *hint))
	{
		count_hit(index);
		return *hint;
	}
	*hint = ReadBuffer(index, block);
	return *hint;
}

/* Read a page into a ring of buffers. */
Buffer
nv_read_buffer_ring(Relation index, BlockNumber block, BufferAccessStrategy strategy)
{
	check_block(index, block);
	return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
}

/* Whether this process holds a shared buffer exclusively. */
bool
nv_locked_exclusively(Buffer buffer)
{
	return !BufferIsLocal(buffer) && NV_HOLDS_EXCLUSIVELY(buffer);
}

/* Whether this process may change what is in a buffer. */
bool
nv_may_change(Buffer buffer)
{
	return BufferIsLocal(buffer) || NV_HOLDS_EXCLUSIVELY(buffer) || !NV_KNOWS_CONTENT_LOCKS;
}

/* Prefetch from where the page was seen last. */
void
nv_prefetch_page(Relation index, BlockNumber block, Size offset, Size bytes)
{
	Buffer		buffer = *hint_of(index, block);
	const char *start;

	Assert(offset + bytes <= BLCKSZ);
	if (buffer <= 0)
		return;
	__builtin_prefetch(GetBufferDescriptor(buffer - 1), 1);
	start = (const char *) BufferGetPage(buffer) + offset;
	for (Size i = 0; i < bytes; i += NV_PREFETCH_STEP)
		__builtin_prefetch(start + i);
}

/* Add a page at the end of the file. */
Buffer
nv_extend(Relation index)
{
	Buffer		buffer;
	/* in a parallel build, others extend even an index that is new */
	bool		lock = !RelationUsesLocalBuffers(index);

	if (lock)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBuffer(index, P_NEW);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (lock)
		UnlockRelationForExtension(index, ExclusiveLock);
	Assert(PageIsNew(BufferGetPage(buffer)));
	/* a crash now leaves a page of zeros */
	NV_TEST_POINT("page_added");
	return buffer;
}

/* Write a page of a new index. */
void
nv_append_page(Relation index, ForkNumber fork, NvPageKind kind, const void *contents, Size bytes)
{
	Buffer		buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);
	Page		page;

	Assert(bytes <= NV_PAGE_ROOM);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	nv_page_init(page, kind);
	memcpy(NV_PAGE_CONTENTS(page), contents, bytes);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

#define MEAN_PER_PAGE ((int) (NV_PAGE_ROOM / sizeof(float)))

/* How many pages a mean takes. */
uint16
nv_mean_pages(int dims)
{
	return (dims + MEAN_PER_PAGE - 1) / MEAN_PER_PAGE;
}

/* Write the pages of a mean. */
void
nv_append_mean(Relation index, ForkNumber fork, const float *mean, int dims)
{
	for (int first = 0; first < dims; first += MEAN_PER_PAGE)
		nv_append_page(index, fork, NV_PAGE_MEAN, mean + first,
					   Min(MEAN_PER_PAGE, dims - first) * sizeof(float));
}

/* Read the pages of a mean. */
void
nv_read_mean(Relation index, BlockNumber first, int dims, float *mean)
{
	for (int i = 0; i < nv_mean_pages(dims); i++)
	{
		Buffer		buffer = ReadBuffer(index, first + i);
		int			start = i * MEAN_PER_PAGE;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nv_page_check(index, buffer, NV_PAGE_MEAN);
		memcpy(mean + start, NV_PAGE_CONTENTS(BufferGetPage(buffer)),
			   Min(MEAN_PER_PAGE, dims - start) * sizeof(float));
		UnlockReleaseBuffer(buffer);
	}
}
