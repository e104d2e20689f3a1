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

#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#define NV_PAGE_MAGIC 0x6e763031	/* "nv01" */

/* Numbers are stored in pages. */
typedef enum NvPageKind
{
	NV_PAGE_META = 1,
	NV_PAGE_MEAN,				/* floats: the mean of a space */
	NV_PAGE_HNSW_SLOTS
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

/* ERROR (INDEX_CORRUPTED), with the block number, unless the page is of that kind. */
extern void nv_page_wrong(Relation index, Buffer buffer, NvPageKind kind);

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

/*
 * ReadBuffer(), quicker for pages that this backend read before: it remembers
 * which buffer they were in.
 */
extern Buffer nv_read_buffer(Relation index, BlockNumber block);

/* CPUs fetch cache lines in pairs, or at least do no worse for asking once. */
#define NV_PREFETCH_STEP 128

/*
 * Start fetching what nv_read_buffer() and a look at "bytes" bytes of the
 * page, from "offset" on, will need into the CPU's caches, if this backend
 * knows where the page is.  A guess that does no harm when it is wrong.
 */
extern void nv_prefetch_page(Relation index, BlockNumber block, Size offset, Size bytes);

/* Add a page.  Returns its buffer, exclusively locked; the page is all zero. */
extern Buffer nv_extend(Relation index);

#endif							/* NV_AM_PAGE_H */
