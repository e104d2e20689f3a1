/*-------------------------------------------------------------------------
 *
 * hnsw_am.c
 *		The hnsw index access method: handler and costs.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <float.h>
#include <math.h>

#include "am/am_handler.h"
#include "commands/progress.h"
#include "nv_guc.h"
#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

static const NvMethod hnsw_method = {
	.build = hnsw_build,
	.insert = &hnsw_insert_method,
	.search = &hnsw_search_method,
	.check = hnsw_check,
	.info = hnsw_info,
	.prewarm = hnsw_prewarm
};

/* Register the method and its options. */
void
hnsw_init(void)
{
	nv_method_register(&hnsw_method);
	hnsw_options_init();
}

/* ---- costs ---- */

/*
 * A row more counts as a visit for each so many bytes of its node and of what there is
 * beside: the larger vectors are, the more has to come from memory, from the index and
 * from the table.  Measured, see docs/design-notes.md.
 */
#define BYTES_PER_VISIT 700
#define BYTES_BESIDE 300

/*
 * A search visits each candidate it keeps, and a few nodes on the way down; rows
 * beyond ef_search cost a visit each, or more where nodes are large.  The nearer the
 * visited pages come to being the whole index, the less their order matters, as in a
 * bitmap scan of a table; what was read then is at hand.
 */
static void
cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
			  Selectivity *selectivity, double *correlation, double *pages)
{
	NvCosts		out = {startup, total, selectivity, correlation, pages};
	GenericCosts costs;
	double		tuples = Max(path->indexinfo->tuples, 1);
	double		index_pages = Max(path->indexinfo->pages, 1);
	double		visits;
	double		read;			/* the part of the index that a search reads */
	double		random_cost;
	double		seq_cost;
	double		visit_cost;		/* without reading the page */
	double		row_visits;		/* that a row more counts as */
	Relation	index;
	int			m;

	if (nv_cost_without_order(path, &out))
		return;
	memset(&costs, 0, sizeof(costs));
	genericcostestimate(root, path, loop_count, &costs);
	index = index_open(path->indexinfo->indexoid, NoLock);
	m = hnsw_options_of(index).m;
	index_close(index, NoLock);

	visits = Min(hnsw_ef_search + 3 * log(tuples) / log(2 * m), tuples);
	read = Min(visits / index_pages, 1);
	get_tablespace_page_costs(path->indexinfo->reltablespace, &random_cost, &seq_cost);
	visit_cost = 2 * m * cpu_operator_cost + cpu_index_tuple_cost;
	row_visits = (Min(index_pages / tuples, 1) * BLCKSZ + BYTES_BESIDE) / BYTES_PER_VISIT;
	*startup = visits * visit_cost +
		read * index_pages * (random_cost - (random_cost - seq_cost) * sqrt(read));
	*total = *startup + Max(0, costs.numIndexTuples - hnsw_ef_search) *
		Max(1, row_visits) * (visit_cost + (1 - read) * random_cost);
	*selectivity = costs.indexSelectivity;
	*correlation = 0;
	*pages = Min(costs.numIndexPages, visits);
}

/* What pg_stat_progress_create_index calls a phase: ambuildphasename. */
static char *
phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case HNSW_PHASE_LOAD:
			return "loading vectors";
		case HNSW_PHASE_LINK:
			return "linking neighbors";
		case HNSW_PHASE_WRITE:
			return "writing pages";
		case HNSW_PHASE_INSERT:
			return "inserting beyond memory";
	}
	return NULL;
}

/* The handler of access method hnsw. */
NV_FUNCTION(hnswhandler)
{
	IndexAmRoutine *am = nv_make_handler(&hnsw_method);

	am->ambuildempty = hnsw_build_empty;
	am->ambulkdelete = hnsw_bulk_delete;
	am->amcostestimate = cost_estimate;
	am->amoptions = hnsw_parse_options;
	am->ambuildphasename = phase_name;
	PG_RETURN_POINTER(am);
}
