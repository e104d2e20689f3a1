/*-------------------------------------------------------------------------
 *
 * am_finder.h
 *		The nearest rows of a table by exact distances, whatever its index holds of a row.
 *
 * Functions that search by themselves do it with this: it drives a search for one
 * vector (am_search.h), or by MaxSim for an array of them (am_multi.h), and looks at
 * the rows that it finds.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_FINDER_H
#define NV_AM_FINDER_H

#include "nv_compat.h"

#include "am/am_nearest.h"

typedef struct NvFinder NvFinder;

/* Open a table, which stays the caller's, for searches one after another.  palloc'd. */
extern NvFinder *nv_finder_open(NvIndexedTable *table);

/*
 * Begin to search for the nearest rows to a value of table->type, which must stay where it
 * is, with the settings as they are; forget the search before.  ERROR (DATA_EXCEPTION): it
 * has other dimensions than the index; and errors of nv_vectors_open().
 */
extern void nv_finder_begin(NvFinder *finder, Datum query);

/* The effort of the search that was begun, and the most that it can be; and another one. */
extern int	nv_finder_effort(const NvFinder *finder);
extern int	nv_finder_most_effort(const NvFinder *finder);
extern void nv_finder_set_effort(NvFinder *finder, int effort);

/* Have the search that was begun end at a radius: see nv_search_within(). */
extern void nv_finder_within(NvFinder *finder, double radius);

/*
 * Do a part of what is to be done before the first row, or false if that is done, or
 * cannot be done by parts: several searches by turns hide the time that memory takes.
 */
extern bool nv_finder_step(NvFinder *finder);

/*
 * Take the next row that the search finds, in table->slot, and its distance from the query,
 * as SQL computes it; false when there is none, or those to come are certainly not nearer
 * than a limit.
 */
extern bool nv_finder_next(NvFinder *finder, double limit, double *distance);

/*
 * Search for the k nearest rows that are within a radius (INFINITY: any), as an index
 * scan with LIMIT k would.  Writes them to out[k], nearest first, and returns their number.
 * Distances that are NaN count as beyond any radius.
 */
extern int	nv_finder_nearest(NvFinder *finder, int k, double radius, NvNeighbor *out);

extern void nv_finder_close(NvFinder *finder);

#endif							/* NV_AM_FINDER_H */
