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

#include "am/am_custom.h"
#include "am/am_handler.h"
#include "am/am_opclass.h"
#include "am/am_rowvectors.h"
#include "commands/progress.h"
#include "hnsw/hnsw_map.h"
#include "nodes/nodeFuncs.h"
#include "nv_guc.h"
#include "optimizer/cost.h"
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

/* With conditions: see hnsw_scan.c.  So many entries of the map take as long as an operator. */
#define ENTRIES_PER_OPERATOR 32

/* A search within a radius visits so many nodes for each row that it finds. */
#define SPHERE_VISITS 2

/* What the costs of an index depend on. */
typedef struct IndexCosts
{
	double		tuples;
	double		pages;
	Cost		random;			/* of a page */
	Cost		sequential;
	Cost		visit;			/* without reading the page */
} IndexCosts;

/*
 * The cost of reading so many pages of an index.  The nearer they come to being the whole
 * index, the less their order matters, as in a bitmap scan of a table.
 */
static Cost
pages_cost(const IndexCosts *index, double pages)
{
	double		part = Min(pages / index->pages, 1);

	return part * index->pages *
		(index->random - (index->random - index->sequential) * sqrt(part));
}

/*
 * The cost of a search with conditions that a part of all rows match: of the way through
 * the graph, or of reading what the map says may match, whichever the search will take; and
 * of the map.  A read is a part of a visit, page included.  *finds_all: it reads, and then
 * all rows are found.
 */
static Cost
filtered_cost(const IndexCosts *index, double visits, const NvPathConditions *conditions,
			  bool *finds_all)
{
	double		matches = conditions->share * index->tuples;
	double		looks = matches;
	double		reads = hnsw_reads_per_visit(index->pages);

	*finds_all = matches <= hnsw_most_read(index->pages, index->tuples, hnsw_ef_search);
	if (!*finds_all)
	{
		looks = Min(visits + HNSW_VISITS_TO_PASS / conditions->share, index->tuples);
		reads = 1;
	}
	return (looks * index->visit + pages_cost(index, looks)) / reads +
		index->tuples * conditions->nattributes * cpu_operator_cost / ENTRIES_PER_OPERATOR +
		index->tuples * sizeof(uint16) / BLCKSZ * index->sequential;
}

/* What it costs to measure a vector: of built-in metrics, an operator. */
static double
measure_cost(Relation index)
{
	return nv_opclass_is_custom(index) ? nv_custom_cost(index) : 1;
}

/*
 * Where rows have many vectors: how many a query has, if it does not tell; how many rows
 * are looked at first, for each of ef_search, and as many times as are returned.  See
 * am_multi.c.
 */
#define QUERY_VECTORS 32
#define FIRST_REFINED 3
#define REFINED_PER_ROW 4

/* How many vectors the query of an ordering by MaxSim has. */
static int
query_vectors(Node *order)
{
	Node	   *query = is_opclause(order) ? get_rightop((Expr *) order) : NULL;
	NvRow		row;

	if (query == NULL || !IsA(query, Const) || ((Const *) query)->constisnull)
		return QUERY_VECTORS;
	row.vector = ((Const *) query)->constvalue;
	return Max(nv_count_row_vectors(true, &row), 1);
}

/*
 * A search for rows of many vectors: one for each vector of the query, and distances of
 * some rows from the table.  search: the cost of one of these, without its pages.
 */
static void
cost_many(PlannerInfo *root, const IndexPath *path, const IndexCosts *index, Cost search,
		  double visits, double rows, Cost *startup, Cost *total)
{
	Node	   *order = linitial(path->indexorderbys);
	int			nqueries = query_vectors(order);
	double		first = Min(FIRST_REFINED * hnsw_ef_search, index->tuples);
	double		returned = Min(hnsw_ef_search / 2, rows);
	QualCost	distance;
	Cost		refine;

	cost_qual_eval_node(&distance, order, root);
	refine = distance.per_tuple + index->random;
	*startup = distance.startup + nqueries * search + pages_cost(index, nqueries * visits) +
		first * refine;
	*total = *startup + (rows - returned) * REFINED_PER_ROW * refine;
}

/*
 * A search visits each candidate it keeps, and a few nodes on the way down; rows
 * beyond ef_search cost a visit each, or more where nodes are large.  What was read then
 * is at hand.
 */
static void
cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
			  Selectivity *selectivity, double *correlation, double *pages)
{
	NvCosts		out = {startup, total, selectivity, correlation, pages};
	GenericCosts costs;
	IndexCosts	ic = {
		.tuples = Max(path->indexinfo->tuples, 1),
		.pages = Max(path->indexinfo->pages, 1)
	};
	double		visits;
	double		read;			/* the part of the index that a search reads */
	double		row_visits;		/* that a row more counts as */
	double		more;			/* rows that take another visit */
	double		measure;		/* the cost of a distance, in cpu_operator_cost */
	bool		finds_all = false;
	NvPathConditions conditions;
	Relation	index;
	bool		many;
	int			m;

	if (nv_cost_without_goal(path, &out))
		return;
	memset(&costs, 0, sizeof(costs));
	genericcostestimate(root, path, loop_count, &costs);
	index = index_open(path->indexinfo->indexoid, NoLock);
	m = hnsw_options_of(index).m;
	many = nv_opclass_many(index);
	measure = measure_cost(index);
	index_close(index, NoLock);

	visits = Min(hnsw_ef_search + 3 * log(ic.tuples) / log(2 * m), ic.tuples);
	read = Min(visits / ic.pages, 1);
	get_tablespace_page_costs(path->indexinfo->reltablespace, &ic.random, &ic.sequential);
	ic.visit = 2 * m * measure * cpu_operator_cost + cpu_index_tuple_cost;
	row_visits = (Min(ic.pages / ic.tuples, 1) * BLCKSZ + BYTES_BESIDE) / BYTES_PER_VISIT;
	conditions = nv_path_conditions(root, path);
	if (conditions.nattributes == 0)
		*startup = visits * ic.visit + pages_cost(&ic, visits);
	else
		*startup = filtered_cost(&ic, visits, &conditions, &finds_all);
	/* up to a radius, a search looks at twice as many candidates as there are rows within */
	more = (conditions.sphere ? SPHERE_VISITS : 1) * costs.numIndexTuples - hnsw_ef_search;
	/* those that are near another vector are anywhere */
	if (conditions.elsewhere)
		more = ic.tuples;
	more = Min(Max(0, more), ic.tuples);
	/* rows that are found already have to be put in order only, which takes as long as a visit */
	*total = *startup + (finds_all ? costs.numIndexTuples * ic.visit :
						 more * Max(1, row_visits) * (ic.visit + (1 - read) * ic.random));
	if (many)
		cost_many(root, path, &ic, conditions.nattributes == 0 ? visits * ic.visit : *startup,
				  visits, costs.numIndexTuples, startup, total);
	else if (hnsw_iterative_scan != NV_ITERATIVE_OFF)
		nv_cost_behind_radius(root, path, hnsw_max_scan_tuples / ic.tuples, &out);
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

/*
 * Learn about attributes what vacuum may, and do what a parallel worker had to leave; then as
 * any method: amvacuumcleanup.
 */
static IndexBulkDeleteResult *
vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (!info->analyze_only)
	{
		hnsw_map_improve(info->index);
		hnsw_vacuum_finish(info, stats);
	}
	return nv_vacuum_cleanup(info, stats);
}

/* The handler of access method hnsw. */
NV_FUNCTION(hnswhandler)
{
	IndexAmRoutine *am = nv_make_handler(&hnsw_method);

	am->ambuildempty = hnsw_build_empty;
	am->ambulkdelete = hnsw_bulk_delete;
	am->amvacuumcleanup = vacuum_cleanup;
	am->amcostestimate = cost_estimate;
	am->amoptions = hnsw_parse_options;
	am->ambuildphasename = phase_name;
	PG_RETURN_POINTER(am);
}
