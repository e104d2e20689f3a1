/*-------------------------------------------------------------------------
 *
 * ivf_build.h
 *		What the files share that build an ivf index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IVF_BUILD_H
#define IVF_BUILD_H

#include "ivf/ivf.h"

#include "cluster/team.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/tuplesort.h"

/* Of the rotation, and of all that is drawn at random. */
#define IVF_SEED UINT64CONST(0x6e616e6f76656332)

/* A build: its files fill in and use the parts one after another. */
typedef struct IvfBuild
{
	Relation	heap;
	Relation	rel;
	IndexInfo  *info;
	IvfMeta		meta;
	IvfIndex	ix;
	MemoryContext scratch;

	/* sampling: values as they come, neither moved nor rotated */
	NvSpace		raw;
	NvQuery		raw_query;
	int			length;			/* floats of a sampled row */
	NvTeam	   *team;
	float	   *sample;			/* the team's rows */
	size_t		nsample;
	size_t		room;
	uint64		seen;			/* rows offered to the sample */
	BlockNumber blocks;			/* in so many blocks */
	BlockNumber last_block;
	uint64		random;
	float	   *mean;

	/* centroids[lists][length] */
	float	   *centroids;

	/* assigning */
	NvQuery		query;
	int			nwaiting;
	int			most_waiting;
	float	   *waiting;		/* elements of so many rows: the team's */
	char	   *records;		/* their records; without vectors, where those depend on the list */
	char	   *images;			/* of their attributes */
	uint32	   *lists;			/* and what is found */
	float	   *distances;
	double		distance_sum;
	double		ntuples;
	Tuplesortstate *sort;
	TupleTableSlot *slot;
} IvfBuild;

/* ivf_plan.c */

/*
 * Fill in a metapage for an index, but for the number of lists and what depends on
 * it.  ERROR (FEATURE_NOT_SUPPORTED): ivf does not serve the metric.
 */
extern void ivf_plan_index(Relation rel, IvfMeta *meta);

/* How many lists there should be for so many rows: the option, or what suits them. */
extern uint32 ivf_plan_lists(Relation rel, const IvfMeta *meta, double rows);

/* How many lists a search looks into by default, of so many. */
extern uint16 ivf_plan_probes(uint32 lists);

/*
 * Add the lists to come to those that there are.  Of an index on an empty table all
 * lists are to come.
 */
extern void ivf_plan_spares(Relation rel, IvfMeta *meta, bool empty);

/* ivf_train.c */

/*
 * Sample the table, start the team, and find the centroids: sets meta, ix, team, mean
 * and centroids.  NOTICE where there are few rows or little memory.
 */
extern void ivf_train(IvfBuild *build);

/* ivf_assign.c */

/* What goes through the sort of a row, beside its list: the record, and behind it the image. */
static inline Size
ivf_sorted_bytes(const IvfIndex *ix)
{
	return (Size) ix->layout.record.bytes + ix->meta.attribute_bytes;
}

/* How many rows are assigned to lists together: the team has room for so many. */
extern int	ivf_rows_at_once(const IvfBuild *build);

/*
 * Scan the table, and put its rows into a sort by list: sets sort, slot, ntuples and
 * distance_sum, and ends the team.  Returns how many rows the table has.
 */
extern double ivf_assign_rows(IvfBuild *build);

/* ivf_write.c */

/*
 * Write everything that comes before the groups to an empty fork.  The lists are empty
 * as yet.  mean: dims floats, or NULL where there is none; centroids[lists][length].
 */
extern void ivf_write_head(IvfIndex *ix, ForkNumber fork, const float *mean,
						   const float *centroids);

/* Write the groups of all lists, as their rows come out of the sort, which ends. */
extern void ivf_write_groups(IvfBuild *build);

/* Complete the metapage with what is known only at the end. */
extern void ivf_finish_meta(IvfBuild *build);

#endif							/* IVF_BUILD_H */
