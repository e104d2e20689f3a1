/*-------------------------------------------------------------------------
 *
 * am_rows.h
 *		The rows that an index leads to, for nanovec_index_check().
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ROWS_H
#define NV_AM_ROWS_H

#include "nv_compat.h"

#include "am/am_attribute.h"
#include "am/am_inspect.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

/* A row as the index has it. */
typedef struct NvRowEntry
{
	ItemPointerData tid;
	uint16		image[2];		/* a hash of the image of its attributes; 0 if there are none */
} NvRowEntry;

typedef struct NvRowList
{
	const NvAttributes *attributes;
	Snapshot	snapshot;
	bool		repeated;		/* a row may be there more than once: it has many vectors */
	NvRowEntry *entries;
	uint64		n;
	uint64		room;
} NvRowList;

/*
 * Begin a list.  The attributes of the index stay the caller's.  Takes a snapshot, which
 * has to be older than all entries that are read: what it sees in the place of a row is
 * then the row that the entry was made for, whatever becomes of the entry meanwhile
 * (README, "Which snapshots a scan may use").  The newest there is, so that versions of
 * rows from before the index, which it need not agree with, are not seen.
 */
extern void nv_rows_begin(NvRowList *rows, const NvAttributes *attributes);

/*
 * Add one, with the image of its attributes, of which there may be none.  Neither has to
 * be valid.  Memory of the context that is current at the first one.
 */
extern void nv_rows_add(NvRowList *rows, const ItemPointerData *tid, const char *image);

/*
 * Report rows that are there twice, unless they may, that the table has not and did not have
 * before vacuum came by, or that have other attributes in the table.  Rows that the snapshot does not
 * see are not looked at: those that are dead, and those of others that are not finished.
 * Reads each page of the table that an entry leads to once or twice, in their order.
 * Expressions are computed as the table's owner.  Ends the list.
 */
extern void nv_rows_check(NvRowList *rows, Relation heap, Relation index, NvReport *report);

#endif							/* NV_AM_ROWS_H */
