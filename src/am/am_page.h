/*-------------------------------------------------------------------------
 *
 * am_page.h
 *		What all pages of the index methods have in common.
 *
 * A page is a page header, contents, and a tail in the special space that
 * tells what the page is.  Contents are arrays of fixed-size things without
 * line pointers: pd_upper is where the tail begins, and pd_lower where what is
 * in use ends, if that is before.  Generic WAL leaves out what lies between.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_PAGE_H
#define NV_AM_PAGE_H

#include "nv_compat.h"

#include "access/genam.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#define NV_PAGE_MAGIC 0x6e763031	/* "nv01" */

/* Numbers are stored in pages. */
typedef enum NvPageKind
{
	NV_PAGE_META = 1,
	NV_PAGE_MEAN,				/* floats: the mean of a space */
	NV_PAGE_HNSW_SLOTS,
	NV_PAGE_IVF_META,
	NV_PAGE_IVF_DIRECTORY,
	NV_PAGE_IVF_CENTROIDS,
	NV_PAGE_IVF_CENTROID_CODES,
	NV_PAGE_IVF_GROUP,
	NV_PAGE_IVF_RECORDS,
	NV_PAGE_HNSW_BOUNDS,
	NV_PAGE_HNSW_MAP,
	NV_PAGE_KINDS				/* one more than the last */
} NvPageKind;

typedef struct NvPageTail
{
	uint16		kind;
	uint16		unused;
	uint32		magic;
} NvPageTail;

/* Bytes of contents, and where they begin. */
#define NV_PAGE_ROOM (BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - MAXALIGN(sizeof(NvPageTail)))
#define NV_PAGE_CONTENTS(page) ((char *) PageGetContents(page))

/* Make an empty page of a kind: contents are zero. */
extern void nv_page_init(Page page, NvPageKind kind);

/*
 * Say that nothing of a page's contents is in use, and that what lies before
 * "end" is.  What is not in use must be zero, and is not logged.
 */
static inline void
nv_page_use_none(Page page)
{
	((PageHeader) page)->pd_lower = (LocationIndex) (NV_PAGE_CONTENTS(page) - (char *) page);
	Assert(((PageHeader) page)->pd_lower <= ((PageHeader) page)->pd_upper);
}

static inline void
nv_page_use(Page page, const char *end)
{
	PageHeader	header = (PageHeader) page;

	Assert(end >= NV_PAGE_CONTENTS(page) && end <= (const char *) page + header->pd_upper);
	header->pd_lower = Max(header->pd_lower, (LocationIndex) (end - (const char *) page));
}

/*
 * ERROR (INDEX_CORRUPTED): the index is damaged, with a clause that says how, and
 * the advice to rebuild it.
 */
extern void nv_index_damaged(Relation index, const char *format,...)
			__attribute__((format(printf, 2, 3), noreturn));

/* The same for a page that is not of a kind. */
extern void nv_page_wrong(Relation index, Buffer buffer, NvPageKind kind)
			__attribute__((noreturn));

/*
 * Copy the metapage, block 0.  ERROR (INDEX_CORRUPTED) when it is none of that
 * kind, or (OBJECT_NOT_IN_PREREQUISITE_STATE) when it is pgvector's.
 */
extern void nv_read_metapage(Relation index, NvPageKind kind, void *meta, Size bytes);

/* Copy the metapage; false where nv_read_metapage() would raise an error. */
extern bool nv_peek_metapage(Relation index, NvPageKind kind, void *meta, Size bytes);

/*
 * ERROR (FEATURE_NOT_SUPPORTED) unless the format is of the version that we
 * read; ERROR (INDEX_CORRUPTED): what a metapage says makes no sense.
 */
extern void nv_metapage_version(Relation index, uint32 version, uint32 expected);
extern void nv_metapage_damaged(Relation index) __attribute__((noreturn));

static inline bool
nv_page_is(Page page, NvPageKind kind)
{
	const NvPageTail *tail = (const NvPageTail *) ((char *) page + BLCKSZ - sizeof(NvPageTail));

	return ((PageHeader) page)->pd_special == BLCKSZ - sizeof(NvPageTail) &&
		tail->magic == NV_PAGE_MAGIC && tail->kind == kind;
}

static inline void
nv_page_check(Relation index, Buffer buffer, NvPageKind kind)
{
	if (unlikely(!nv_page_is(BufferGetPage(buffer), kind)))
		nv_page_wrong(index, buffer, kind);
}

/* Whether a table can have a row there: what a damaged page says need not be a place. */
static inline bool
nv_row_possible(const ItemPointerData *tid)
{
	return ItemPointerGetOffsetNumberNoCheck(tid) != InvalidOffsetNumber &&
		ItemPointerGetBlockNumberNoCheck(tid) != InvalidBlockNumber;
}

/* What ambulkdelete's callback says of a row; one that cannot be is gone. */
static inline bool
nv_row_gone(IndexBulkDeleteCallback callback, void *state, ItemPointerData tid)
{
	return !nv_row_possible(&tid) || callback(&tid, state);
}

/*
 * For assertions, as far as it can be told: whether this process holds a page
 * exclusively; and whether it may change the page, as it may any local one.
 */
extern bool nv_locked_exclusively(Buffer buffer);
extern bool nv_may_change(Buffer buffer);

/*
 * ReadBuffer(), quicker for pages that this backend read before: it remembers
 * which buffer they were in.  ERROR (INDEX_CORRUPTED) for InvalidBlockNumber,
 * which damaged pages may say.
 */
extern Buffer nv_read_buffer(Relation index, BlockNumber block);

/* Read a page into the ring of buffers that vacuum has; nothing is remembered. */
extern Buffer nv_read_buffer_ring(Relation index, BlockNumber block,
								  BufferAccessStrategy strategy);

/* Bytes between two prefetches: most CPUs fetch cache lines in pairs. */
#define NV_PREFETCH_STEP 128

/*
 * Start fetching what nv_read_buffer() and a look at "bytes" bytes of the
 * page, from "offset" on, will need into the CPU's caches, if this backend
 * knows where the page is.  A guess that does no harm when it is wrong.
 */
extern void nv_prefetch_page(Relation index, BlockNumber block, Size offset, Size bytes);

/* Write one page of a new index, at the end of a fork. */
extern void nv_append_page(Relation index, ForkNumber fork, NvPageKind kind,
						   const void *contents, Size bytes);

/* The mean of a space, dims floats: how many pages, writing them, reading them. */
extern uint16 nv_mean_pages(int dims);
extern void nv_append_mean(Relation index, ForkNumber fork, const float *mean, int dims);
extern void nv_read_mean(Relation index, BlockNumber first, int dims, float *mean);

/* Add a page.  Returns its buffer, exclusively locked; the page is all zero. */
extern Buffer nv_extend(Relation index);

#endif							/* NV_AM_PAGE_H */
