/*-------------------------------------------------------------------------
 *
 * am_filter.h
 *		Conditions of a search on the attributes of an index.
 *
 * A scan key becomes a condition on summaries (am_attribute.h).  A row that fails one
 * does not match.  One that passes may still not match where the filter is lossy.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_FILTER_H
#define NV_AM_FILTER_H

#include "nv_compat.h"

#include "access/skey.h"
#include "am/am_attribute.h"

typedef enum NvConditionKind
{
	NV_CONDITION_NULL,			/* it is NULL; by all others, it is not */
	NV_CONDITION_ANY,			/* it is not NULL */
	NV_CONDITION_RANGE,			/* low .. high, both included */
	NV_CONDITION_AMONG,			/* one of some words */
	NV_CONDITION_NOT,			/* any word but low */
	NV_CONDITION_OVERLAPS,		/* has one of some elements */
	NV_CONDITION_CONTAINS,		/* has all of them */
	NV_CONDITION_CONTAINED,		/* has no others */
	NV_CONDITION_SAME			/* has all of them and no others */
} NvConditionKind;

typedef struct NvCondition
{
	NvConditionKind kind;
	int			column;			/* number of the attribute, from 0 */
	uint64		low;
	uint64		high;
	uint64	   *words;			/* ascending, each once */
	int			nwords;
	NvElementHashes elements;
} NvCondition;

/* All conditions of a search; a row has to pass each of them. */
typedef struct NvFilter
{
	const NvAttributes *attributes;
	NvCondition *conditions;
	int			n;
	bool		never;			/* no row passes */
	bool		lossy;			/* a row that passes need not match */
} NvFilter;

/*
 * Make a filter of the scan keys of an index; NULL if all rows pass.  The filter is in
 * memory of the current context, and keeps the attributes, which stay the caller's.
 * Errors are those of types' own functions.
 */
extern NvFilter *nv_filter_make(const NvAttributes *attributes, const ScanKeyData *keys,
								int nkeys);

/* Whether the row of an image, which is valid, passes all conditions. */
extern bool nv_filter_passes(const NvFilter *filter, const char *image);

/* So many images nv_filter_passing() takes at once. */
#define NV_FILTER_IMAGES 32

/*
 * Which of n images pass all conditions, as bits: several times as quick as one after the
 * other.  They are "step" bytes apart, and come from a page as it is: *valid is false when
 * one of them cannot be an image, and the answer means nothing then.
 */
extern uint32 nv_filter_passing(const NvFilter *filter, const char *images, Size step, int n,
								bool *valid);

#endif							/* NV_AM_FILTER_H */
