/*-------------------------------------------------------------------------
 *
 * bm25_stats.h
 *		bm25stats: what BM25 has to know of a collection of documents.
 *
 * That is the number of documents, their length all together, and for each
 * lexeme in how many of them it is.  A document is a tsvector; its length is
 * the number of its positions, where a lexeme without any counts as one.
 *
 * Lexemes of only one document are not kept, which halves most vocabularies:
 * a lexeme that is looked up stands in the document that is being scored, so
 * one that is not known is in one document.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_BM25_STATS_H
#define NV_BM25_STATS_H

#include "nv_compat.h"

#include "tsearch/ts_type.h"

/*
 * A value of type bm25stats that is open for look-ups.  Where it is stored out
 * of line and not compressed, a look-up reads the few bytes that it needs.
 */
typedef struct NvBm25Stats
{
	struct varlena *value;		/* as it was given */
	const char *body;			/* all of its bytes, or NULL: they are fetched as needed */
	Size		bytes;			/* of the body */
	uint32		documents;
	uint64		length;			/* of all documents together */
	uint32		buckets;
} NvBm25Stats;

/*
 * Open a datum, which must stay where it is while the result is in use.  With
 * "whole" all of it is read at once, into the current memory context; so is what
 * is compressed.  ERROR (DATA_CORRUPTED) when the value is damaged.
 */
extern void nv_bm25_open(NvBm25Stats *stats, Datum value, bool whole);

/*
 * In how many documents a lexeme is, at least 1.  ERROR (DATA_CORRUPTED) when
 * the value is damaged.  What is fetched stays in the current memory context.
 */
extern uint32 nv_bm25_frequency(const NvBm25Stats *stats, const char *lexeme, int len);

/* A lexeme, and in how many documents it is; the bytes belong to somebody else. */
typedef struct NvBm25Term
{
	const char *lexeme;
	int			len;
	uint32		documents;
} NvBm25Term;

/*
 * A value of type bm25stats, palloc'd, from n terms in any order, each in 2 to
 * "documents" documents and of 1 to MAXSTRLEN bytes.  ERROR, or with an escontext
 * NULL, when a lexeme comes twice (DATA_EXCEPTION) or there is no room for all of
 * them (PROGRAM_LIMIT_EXCEEDED).
 */
extern struct varlena *nv_bm25_make(uint32 documents, uint64 length, const NvBm25Term *terms,
									uint32 n, struct Node *escontext);

/* How often the i-th entry of a tsvector stands in it. */
static inline int
nv_entry_count(TSVector document, int i)
{
	const WordEntry *entry = ARRPTR(document) + i;

	return entry->haspos ? POSDATALEN(document, entry) : 1;
}

#endif							/* NV_BM25_STATS_H */
