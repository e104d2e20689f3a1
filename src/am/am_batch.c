/*-------------------------------------------------------------------------
 *
 * am_batch.c
 *		nanovec_search(): the nearest rows to each of many queries.
 *
 * It saves what a LATERAL join takes to start a plan for each query.  Several searches
 * run by turns, where a method can do that: while one works, what the others look at
 * next comes from memory.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <math.h>

#include "am/am_finder.h"
#include "am/am_inspect.h"
#include "am/am_queries.h"
#include "miscadmin.h"

/* So many searches run by turns. */
#define LANES 8

#define MOST_NEIGHBORS 1000000

/* A batch of queries being answered. */
typedef struct Batch
{
	NvIndexedTable table;
	NvQueries	queries;
	int			k;
	double		radius;
	NvFinder   *finders[LANES];
	NvNeighbor *found;			/* k */
	NvReport	report;
} Batch;

/* Begin to search for up to LANES queries, from number "first" on. */
static void
begin_lanes(Batch *batch, int first, int n)
{
	for (int i = 0; i < n; i++)
	{
		int			q = first + i;

		if (batch->queries.isnull[q])
			continue;
		if (batch->finders[i] == NULL)
			batch->finders[i] = nv_finder_open(&batch->table);
		nv_finder_begin(batch->finders[i], batch->queries.values[q]);
		/* those that are just as far count here */
		if (!isinf(batch->radius))
			nv_finder_within(batch->finders[i], nextafter(batch->radius, INFINITY));
	}
}

/* Find what each search finds first, by turns. */
static void
run_lanes(Batch *batch, int first, int n)
{
	bool		busy = true;

	while (busy)
	{
		CHECK_FOR_INTERRUPTS();
		busy = false;
		for (int i = 0; i < n; i++)
		{
			if (!batch->queries.isnull[first + i] && nv_finder_step(batch->finders[i]))
				busy = true;
		}
	}
}

/* Add the rows of an answer to the result. */
static void
put_answer(Batch *batch, int query, int n)
{
	for (int i = 0; i < n; i++)
	{
		Datum		values[3] = {
			Int32GetDatum(query),
			PointerGetDatum(&batch->found[i].tid),
			Float8GetDatum(batch->found[i].distance)
		};
		bool		nulls[3] = {false, false, false};

		tuplestore_putvalues(batch->report.rows, batch->report.desc, values, nulls);
	}
}

/* Answer all queries; NULL has no nearest rows. */
static void
answer(Batch *batch)
{
	/* where rows have many vectors, those of one query are searched for by turns */
	int			lanes = batch->table.many ? 1 : LANES;

	for (int first = 0; first < batch->queries.n; first += lanes)
	{
		int			n = Min(lanes, batch->queries.n - first);

		begin_lanes(batch, first, n);
		run_lanes(batch, first, n);
		for (int q = first; q < first + n; q++)
		{
			if (!batch->queries.isnull[q])
				put_answer(batch, q + 1,
						   nv_finder_nearest(batch->finders[q - first], batch->k, batch->radius,
											 batch->found));
		}
	}
}

/* Search for all queries of an array. */
NV_FUNCTION(nanovec_search)
{
	NvReport	report = nv_report_begin(fcinfo);
	Batch		batch = {.report = report, .radius = INFINITY};

	/* like a strict function, but for the radius */
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	batch.k = PG_GETARG_INT32(2);
	nv_check_number("k", batch.k, MOST_NEIGHBORS);
	nv_check_memory((double) sizeof(NvNeighbor) * batch.k, "neighbors");
	if (!PG_ARGISNULL(3))
		batch.radius = PG_GETARG_FLOAT8(3);
	if (isnan(batch.radius))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("radius must not be NaN")));
	nv_table_open(&batch.table, PG_GETARG_OID(0));
	nv_queries_of_array(&batch.queries, &batch.table, PG_GETARG_DATUM(1), true);
	batch.found = nv_palloc_many(batch.k, sizeof(NvNeighbor));
	answer(&batch);
	for (int i = 0; i < LANES; i++)
	{
		if (batch.finders[i] != NULL)
			nv_finder_close(batch.finders[i]);
	}
	nv_table_close(&batch.table);
	return (Datum) 0;
}
