/*-------------------------------------------------------------------------
 *
 * ivf_build.c
 *		Builds an ivf index.
 *
 * A sample of the table gives the mean and the centroids.  Then all rows are
 * put into a sort by list, and come out of it into groups, one list after the
 * other.  Nothing is logged before the end, when the index is logged as a
 * whole.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <float.h>
#include <math.h>

#include "am/am_build.h"
#include "am/am_opclass.h"
#include "am/am_select.h"
#include "catalog/index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "cluster/kmeans.h"
#include "cluster/team.h"
#include "commands/defrem.h"
#include "commands/progress.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/shmem.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#define IVF_SEED UINT64CONST(0x6e616e6f76656332)

/*
 * With fewer dimensions vectors are stored in full: codes of so few bits say
 * little, and records that are complete are as quick to read, exact, and no
 * larger than those of pgvector.
 */
#define LEAST_CODED_DIMS 48

/* Lists that the number of rows asks for: short ones, up to a million rows. */
#define ROWS_PER_LIST 150
#define MANY_ROWS 1e6

/*
 * Lists to come: an insert that is far from all centroids begins one of them,
 * with itself as the centroid.
 */
#define SPARE_LISTS 16
#define EMPTY_LISTS 128

/* Where records are small, pages that lists do not fill must not take too much of all. */
#define ROWS_PER_LIST_EXACT 256

/*
 * Lists that a search looks into by default: all of a few; in small tables
 * about as many as in large ones, since the nearest rows are as spread, but not
 * nearly all.
 */
#define FEW_LISTS 16
#define LEAST_PROBES 72
#define MOST_PROBES_PART 0.75

/*
 * The sample: blocks to learn how many rows there are, and more of them until
 * so many have some; then rows for each list.
 */
#define FIRST_BLOCKS 100
#define ENOUGH_BLOCKS 30
#define LOOK_GROWTH 4
#define SAMPLE_PER_LIST 40
#define LEAST_SAMPLE 20000
#define ITERATIONS 6

/* A search that looks into one list finds more with lists that are settled. */
#define FLAT_ITERATIONS 20

/* By how much the estimate of rows may be too low. */
#define ROWS_MARGIN 1.5

/* The sample takes this part of the rest: k-means needs about as much again for its groups. */
#define SAMPLE_MEMORY_PART 2
#define MEGABYTE (1024.0 * 1024.0)

/*
 * Arrays of centroids at a time: ours, the team's, and k-means' sums of double
 * precision and the ones before.  They may take such a part of memory.
 */
#define CENTROID_ARRAYS 5
#define LISTS_MEMORY_PART 2

/* Rows whose lists are found together, as far as a part of memory holds them. */
#define ASSIGN_ROWS 16384
#define ASSIGN_MEMORY_PART 8

typedef struct Build
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
	uint32	   *lists;			/* and what is found */
	float	   *distances;
	double		distance_sum;
	double		ntuples;
	Tuplesortstate *sort;
	TupleTableSlot *slot;
} Build;

/* Show the phase of a build to pg_stat_progress_create_index. */
static void
report_phase(IvfPhase phase)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
}

/* ---- what is built ---- */

/* Choose how vectors are stored. */
static NvForm
choose_form(const NvElementType *type, int dims, IvfQuantizer quantizer)
{
	if (type->kind == NV_ELEMENT_BIT)
		return NV_FORM_BITS;
	if (quantizer == IVF_QUANTIZER_SQ8 && dims >= LEAST_CODED_DIMS)
		return NV_FORM_SQ8;
	return type->kind == NV_ELEMENT_HALFVEC ? NV_FORM_FLOAT2 : NV_FORM_FLOAT4;
}

/* All but the number of lists and what depends on it. */
static void
plan_index(Relation rel, IvfMeta *meta)
{
	IvfOptions	options = ivf_options_of(rel);
	NvElementKind element;
	NvSpaceMetric metric;
	const NvElementType *type;

	nv_opclass_of(rel, &element, &metric);
	type = nv_element_type(element);
	if (!nv_space_has_codes(element, metric) && metric != NV_SPACE_HAMMING)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method %s does not support this metric of type %s",
						get_am_name(rel->rd_rel->relam), type->name)));
	memset(meta, 0, sizeof(*meta));
	meta->version = IVF_FORMAT_VERSION;
	meta->element = element;
	meta->metric = metric;
	meta->dims = nv_column_dims(rel, type);
	meta->form = choose_form(type, meta->dims, options.quantizer);
	meta->seed = IVF_SEED;
	meta->bits = ivf_code_bits(meta->form, meta->dims);
	meta->flat = ivf_is_flat(rel);
	meta->lists = meta->probes = 1;
}

/* Choose how many lists a search looks into by default. */
static uint16
choose_probes(uint32 lists)
{
	double		wanted = Max(LEAST_PROBES, ceil(2.5 * sqrt(lists)));
	double		most = Max(FEW_LISTS, ceil(MOST_PROBES_PART * lists));

	return (uint16) Min(lists, Min(wanted, most));
}

/*
 * Of an index on an empty table all lists are to come; of another one some.
 * ivfflat looks into as many lists as it is told, which is one, and so that has
 * to hold all rows.
 */
static void
plan_spares(Relation rel, IvfMeta *meta, bool empty)
{
	int			asked = ivf_options_of(rel).lists;

	if (empty)
	{
		meta->lists = meta->flat ? 1 : asked > 0 ? Min(asked, EMPTY_LISTS) : EMPTY_LISTS;
		meta->spares = meta->lists;
		meta->probes = choose_probes(meta->lists);
		return;
	}
	meta->spares = Min(SPARE_LISTS, IVF_MAX_LISTS - meta->lists);
	meta->lists += meta->spares;
}

/* Choose how many lists there are. */
static uint32
choose_lists(Relation rel, const IvfMeta *meta, double rows)
{
	IvfOptions	options = ivf_options_of(rel);
	double		lists = rows / (meta->bits > 0 ? ROWS_PER_LIST : ROWS_PER_LIST_EXACT);

	if (options.lists > 0)
		return options.lists;
	if (rows > MANY_ROWS)
		lists = MANY_ROWS / rows * lists * sqrt(rows / MANY_ROWS);
	return (uint32) Min(IVF_MAX_LISTS, Max(1, rint(lists)));
}

/* ---- the sample ---- */

/* Take a row into the sample. */
static void
sample_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Build	   *build = arg;
	MemoryContext old;
	NvRow		row;

	if (!nv_row_take(&row, values, isnull))
		return;
	if (ItemPointerGetBlockNumber(tid) != build->last_block)
	{
		build->last_block = ItemPointerGetBlockNumber(tid);
		build->blocks++;
	}
	old = MemoryContextSwitchTo(build->scratch);
	if (nv_query_set(&build->raw, row.vector, &build->raw_query))
	{
		size_t		place = nv_sample_place(build->room, &build->seen, &build->random);

		if (place < build->room)
		{
			float	   *row = build->sample + place * build->length;

			build->nsample = Max(build->nsample, place + 1);
			nv_query_floats(&build->raw, &build->raw_query, row);
			/* what the rotation will fill */
			memset(row + build->meta.dims, 0,
				   sizeof(float) * (build->length - build->meta.dims));
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* Rows that are assigned to lists together. */
static int
rows_at_once(const Build *build)
{
	Size		most = (Size) maintenance_work_mem * 1024 / ASSIGN_MEMORY_PART /
		(sizeof(float) * build->length);

	return (int) Min(ASSIGN_ROWS, Max(1, most));
}

/* Have the rows of so many blocks offered to the sample. */
static void
look_at_blocks(Build *build, BlockNumber n)
{
	build->nsample = 0;
	build->seen = 0;
	build->blocks = 0;
	build->last_block = InvalidBlockNumber;
	nv_sample_blocks(build->heap, build->rel, build->info, n, sample_row, build);
}

/*
 * About how many rows of the table are for the index.  Those of a partial index
 * may all be in a few places.
 */
static double
estimate_rows(Build *build)
{
	BlockNumber total = RelationGetNumberOfBlocks(build->heap);
	BlockNumber looked = Min(total, FIRST_BLOCKS);

	look_at_blocks(build, looked);
	while (looked < total && build->blocks < ENOUGH_BLOCKS)
	{
		looked = (BlockNumber) Min(total, (double) looked * LOOK_GROWTH);
		look_at_blocks(build, looked);
	}
	return looked == 0 ? 0 : (double) build->seen * total / looked;
}

/* Bytes; more than a size_t of 32 bits may say, before it is known to fit. */
static double
lists_memory(const Build *build, uint32 lists)
{
	return (double) CENTROID_ARRAYS * sizeof(float) * build->length * lists;
}

/*
 * As many of these lists as memory has room for; ERROR when it was the user who
 * asked for so many.
 */
static uint32
fit_lists(const Build *build, uint32 lists)
{
	double		memory = maintenance_work_mem * 1024.0 / LISTS_MEMORY_PART;
	uint32		fits = (uint32) Min(lists, Max(1, memory / lists_memory(build, 1)));
	double		megabytes = ceil(LISTS_MEMORY_PART * lists_memory(build, lists) / MEGABYTE);

	if (fits == lists)
		return lists;
	if (ivf_options_of(build->rel).lists > 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("maintenance_work_mem has no room for %u lists of index \"%s\"", lists,
						RelationGetRelationName(build->rel)),
				 errhint("Set it to %.0f MB, or choose at most %u lists.", megabytes, fits)));
	ereport(NOTICE,
			(errmsg("index \"%s\" has %u lists, since maintenance_work_mem has no room for %u",
					RelationGetRelationName(build->rel), fits, lists),
			 errhint("Set it to %.0f MB and rebuild the index with REINDEX.", megabytes)));
	return fits;
}

/* Start the team, with room for the sample. */
static void
start_team(Build *build, size_t room)
{
	double		memory = maintenance_work_mem * 1024.0;
	double		left = memory - Min(memory / LISTS_MEMORY_PART, lists_memory(build, build->meta.lists));
	double		fits = left / SAMPLE_MEMORY_PART / (sizeof(float) * build->length);

	build->room = (size_t) Max(1, Min(room, fits));
	build->team = nv_team_start(Max(build->room, (size_t) rows_at_once(build)), build->length,
								(int) build->meta.lists, nv_build_workers(build->heap, build->rel));
	build->sample = nv_team_rows(build->team);
}

/*
 * Sample the table and choose the number of lists.  Returns whether there are
 * rows enough for them.
 */
static bool
take_sample(Build *build)
{
	double		total = RelationGetNumberOfBlocks(build->heap);
	double		rows;
	double		most_rows;
	uint32		lists;
	size_t		wanted;

	build->random = IVF_SEED;
	rows = estimate_rows(build);
	most_rows = ceil(ROWS_MARGIN * rows) + 1;
	lists = choose_lists(build->rel, &build->meta, rows);
	build->meta.lists = fit_lists(build, (uint32) Min(lists, most_rows));
	wanted = Max(LEAST_SAMPLE, (size_t) build->meta.lists * SAMPLE_PER_LIST);
	start_team(build, (size_t) Min(wanted, most_rows));
	look_at_blocks(build, (BlockNumber) Min(total, ceil(1.1 * wanted * total / Max(1, rows))));
	build->meta.trained_rows = rows;
	build->meta.trained_sample = (uint32) build->nsample;
	if (ivf_small_sample(&build->meta))
		ereport(NOTICE,
				(errmsg("centroids of index \"%s\" are those of %zu rows",
						RelationGetRelationName(build->rel), build->nsample),
				 errdetail("maintenance_work_mem has no room for more."),
				 errhint("Set it to %.0f MB and rebuild the index with REINDEX.",
						 ceil((lists_memory(build, build->meta.lists) + SAMPLE_MEMORY_PART *
							   Min(wanted, most_rows) * sizeof(float) * build->length) /
							  MEGABYTE))));
	return lists <= most_rows;
}

/* The mean of the sample, which is not empty. */
static float *
mean_of_sample(const Build *build)
{
	int			dims = build->meta.dims;
	double	   *sum = palloc0(sizeof(double) * dims);
	float	   *mean = palloc(sizeof(float) * dims);

	for (size_t i = 0; i < build->nsample; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int d = 0; d < dims; d++)
			sum[d] += build->sample[i * build->length + d];
	}
	for (int d = 0; d < dims; d++)
		mean[d] = (float) (sum[d] / (double) build->nsample);
	pfree(sum);
	return mean;
}

/* Move and rotate the sample as the index will be. */
static void
move_sample(Build *build)
{
	if (build->meta.bits > 0 && build->meta.metric != NV_SPACE_IP && build->nsample > 0)
		build->mean = mean_of_sample(build);
	build->meta.has_mean = build->mean != NULL;
	ivf_open_with(&build->ix, build->rel, &build->meta, build->mean);
	if (build->meta.bits == 0)
		return;
	for (size_t i = 0; i < build->nsample; i++)
	{
		CHECK_FOR_INTERRUPTS();
		nv_space_move(&build->ix.space, build->sample + i * build->length);
	}
}

static inline bool
is_less(const float *a, const float *b)
{
	return *a < *b;
}

NV_DEFINE_SELECT(select_least, float, is_less)

/*
 * The length of the rows of the sample, if they have the same one, but for a hundredth
 * of how far they are from their mean; or else 0.
 */
static double
common_length(const Build *build)
{
	float	   *mean = mean_of_sample(build);
	double		sum = 0;
	double		squares = 0;
	double		steps = 0;
	double		length;
	double		variance;

	for (size_t i = 0; i < build->nsample; i++)
	{
		const float *row = build->sample + i * build->length;
		double		square = nv_kern.ip_f32(row, row, build->length);

		CHECK_FOR_INTERRUPTS();
		sum += sqrt(square);
		squares += square;
		steps += nv_kern.l2sq_f32(row, mean, build->length);
	}
	pfree(mean);
	length = sum / (double) build->nsample;
	variance = squares / (double) build->nsample - length * length;
	/* neither holds of sums that overflow */
	return variance <= 1e-4 * steps / (double) build->nsample && length <= FLT_MAX ? length : 0;
}

/* Give n rows this length; those without a direction stay as they are. */
static void
set_length(float *rows, size_t n, int dims, double length)
{
	for (size_t i = 0; i < n; i++)
	{
		float	   *row = rows + i * dims;
		double		square = nv_kern.ip_f32(row, row, dims);

		CHECK_FOR_INTERRUPTS();
		for (int d = 0; square > 0 && d < dims; d++)
			row[d] = (float) (row[d] * (length / sqrt(square)));
	}
}

/*
 * For the inner product, where one list is looked into: draw in the farther half of the
 * sample, to where its median is as seen from the mean.  Or else the centroids of rows
 * far out, of which a list has few, would be the best for nearly every query.
 */
static void
draw_in(Build *build)
{
	int			half = (int) (build->nsample + 1) / 2;
	float	   *mean = mean_of_sample(build);
	float	   *distances = palloc_extended(mul_size(sizeof(float), build->nsample * 2),
											MCXT_ALLOC_HUGE);
	float	   *least = distances + build->nsample;

	for (size_t i = 0; i < build->nsample; i++)
	{
		CHECK_FOR_INTERRUPTS();
		distances[i] = sqrtf(nv_kern.l2sq_f32(build->sample + i * build->length, mean,
											  build->length));
	}
	memcpy(least, distances, sizeof(float) * build->nsample);
	select_least(least, (int) build->nsample, half);
	for (size_t i = 0; i < build->nsample; i++)
	{
		float	   *row = build->sample + i * build->length;

		for (int d = 0; distances[i] > least[half - 1] && d < build->length; d++)
			row[d] = (float) (mean[d] + ((double) row[d] - mean[d]) *
							  (least[half - 1] / distances[i]));
	}
	pfree(distances);
	pfree(mean);
}

/*
 * The same, but rows of one length are ordered as by the cosine.  Their lists are by
 * direction, then, and centroids as long as they are.
 */
static int
cluster_for_ip(Build *build, NvKmeansOptions *options)
{
	double		length = common_length(build);
	int			k;

	if (length > 0)
	{
		options->spherical = true;
		set_length(build->sample, build->nsample, build->length, 1);
	}
	else
		draw_in(build);
	k = nv_kmeans(build->sample, build->nsample, build->length, options, build->centroids);
	if (length > 0)
		set_length(build->centroids, k, build->length, length);
	return k;
}

/* Sample the table, and find the centroids. */
static void
train(Build *build)
{
	bool		flat = build->meta.flat;
	NvKmeansOptions options = {
		.iterations = flat ? FLAT_ITERATIONS : ITERATIONS,
		.seed = IVF_SEED,
		.spherical = flat && build->meta.metric == NV_SPACE_COSINE,
		.bits = build->meta.form == NV_FORM_BITS
	};
	bool		enough_rows = take_sample(build);

	move_sample(build);
	report_phase(IVF_PHASE_TRAIN);
	build->centroids = palloc_extended(mul_size(sizeof(float) * build->length, build->meta.lists),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	options.k = (int) build->meta.lists;
	options.assign = nv_team_assign_to;
	options.arg = build->team;
	build->meta.lists = 1;
	if (build->nsample > 0 && flat && build->meta.metric == NV_SPACE_IP)
		build->meta.lists = cluster_for_ip(build, &options);
	else if (build->nsample > 0)
		build->meta.lists = nv_kmeans(build->sample, build->nsample, build->length, &options,
									  build->centroids);
	if (build->nsample == 0)
		ereport(NOTICE,
				(errmsg("index \"%s\" is made on a table without rows: the first ones to come "
						"will be the centroids of its lists",
						RelationGetRelationName(build->rel)),
				 errhint("Rebuild it with REINDEX when the table is filled.")));
	else if (!enough_rows || (int) build->meta.lists < options.k)
		ereport(NOTICE,
				(errmsg("index \"%s\" has %u %s, since its table has few different rows",
						RelationGetRelationName(build->rel), build->meta.lists,
						build->meta.lists == 1 ? "list" : "lists"),
				 errhint("Rebuild it with REINDEX when the table is filled.")));
	build->meta.probes = choose_probes(build->meta.lists);
	ivf_open_with(&build->ix, build->rel, &build->meta, build->mean);
}

/* ---- assigning rows to lists ---- */

/* Complete the record of a row that waits, whose list is known now. */
static void
store_waiting(Build *build, int i, IvfRecord *record)
{
	ItemPointerData tid = record->tid;
	NvQuery		row = {.elements = build->waiting + (size_t) i * build->length};

	row.norm = sqrtf(nv_kern.ip_f32(row.elements, row.elements, build->length));
	ivf_write_record(&build->ix, &row, build->centroids + (Size) build->lists[i] * build->length,
					 &tid, record);
}

/* Find the lists of the rows that wait, and put them into the sort. */
static void
assign_waiting(Build *build)
{
	Size		bytes = build->ix.layout.record.bytes;
	bytea	   *value = palloc(VARHDRSZ + bytes);

	Assert(build->nwaiting <= build->most_waiting);
	nv_team_assign(build->team, build->nwaiting, build->lists, build->distances);
	SET_VARSIZE(value, VARHDRSZ + bytes);
	for (int i = 0; i < build->nwaiting; i++)
	{
		IvfRecord  *record = (IvfRecord *) (build->records + i * bytes);

		if (build->meta.bits > 0)
			store_waiting(build, i, record);
		memcpy(VARDATA(value), record, bytes);
		ExecClearTuple(build->slot);
		build->slot->tts_values[0] = Int32GetDatum((int32) build->lists[i]);
		build->slot->tts_values[1] = PointerGetDatum(value);
		build->slot->tts_isnull[0] = build->slot->tts_isnull[1] = false;
		ExecStoreVirtualTuple(build->slot);
		tuplesort_puttupleslot(build->sort, build->slot);
		build->distance_sum += sqrt(build->distances[i]);
	}
	pfree(value);
	build->ntuples += build->nwaiting;
	build->nwaiting = 0;
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) build->ntuples);
}

/* Have a row of the table wait for its list. */
static void
add_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Build	   *build = arg;
	IvfIndex   *ix = &build->ix;
	MemoryContext old;
	NvRow		row;

	if (!nv_row_take(&row, values, isnull))
		return;
	old = MemoryContextSwitchTo(build->scratch);
	if (nv_query_set(&ix->space, row.vector, &build->query))
	{
		IvfRecord  *record = (IvfRecord *) (build->records +
											(Size) build->nwaiting * ix->layout.record.bytes);

		if (ix->meta.bits > 0)
			record->tid = *tid;
		else
			ivf_write_record(ix, &build->query, NULL, tid, record);
		nv_query_floats(&ix->space, &build->query,
						build->waiting + (size_t) build->nwaiting++ * build->length);
		if (build->nwaiting == build->most_waiting)
			assign_waiting(build);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* What the team and the rows that wait leave of memory, in kB. */
static int
sort_memory(const Build *build)
{
	Size		row = sizeof(float) * build->length;
	Size		team_rows = Max(build->room, (size_t) build->most_waiting);
	/* a row's place has a list and a distance; centroids are here and with the team */
	Size		used = team_rows * (row + sizeof(uint32) + sizeof(float)) +
		build->most_waiting * ((Size) build->ix.layout.record.bytes + sizeof(uint32) + sizeof(float)) +
		2 * row * build->meta.lists;

	return Max(maintenance_work_mem / 4, maintenance_work_mem - (int) Min(used / 1024, INT_MAX));
}

/* Scan the table, and sort its rows by their lists; returns how many it has. */
static double
assign_rows(Build *build)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	AttrNumber	column = 1;
	Oid			operator = Int4LessOperator;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;
	double		heap_tuples;

	TupleDescInitEntry(desc, 1, "list", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "record", BYTEAOID, -1, 0);
	build->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	build->most_waiting = rows_at_once(build);
	build->sort = tuplesort_begin_heap(desc, 1, &column, &operator, &collation, &nulls_first,
									   sort_memory(build), NULL, 0);
	nv_query_alloc(&build->ix.space, &build->query);
	nv_team_set_centroids(build->team, build->centroids, (int) build->meta.lists);
	build->waiting = nv_team_rows(build->team);
	build->records = palloc_extended((Size) build->ix.layout.record.bytes * build->most_waiting,
									 MCXT_ALLOC_HUGE);
	build->lists = palloc(sizeof(uint32) * build->most_waiting);
	build->distances = palloc(sizeof(float) * build->most_waiting);
	heap_tuples = table_index_build_scan(build->heap, build->rel, build->info, true, true, add_row,
										 build, NULL);
	if (build->nwaiting > 0)
		assign_waiting(build);
	nv_team_end(build->team);
	pfree(build->distances);
	pfree(build->lists);
	pfree(build->records);
	ExecDropSingleTupleTableSlot(build->slot);
	build->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return heap_tuples;
}

/* ---- writing ---- */

/* All centroids of an index: those n that there are, and those to come. */
static float *
all_centroids(const IvfIndex *ix, const float *centroids, uint32 n)
{
	size_t		bytes = mul_size(sizeof(float) * ix->length, ix->meta.lists);
	float	   *all = palloc_extended(bytes, MCXT_ALLOC_HUGE);

	if (n > 0)
		memcpy(all, centroids, sizeof(float) * ix->length * (size_t) n);
	for (size_t i = (size_t) n * ix->length; i < (size_t) ix->meta.lists * ix->length; i++)
		all[i] = get_float4_nan();
	return all;
}

/* Add the lists to come, whose number depends on whether there are rows. */
static void
add_spares(Build *build)
{
	bool		empty = build->ntuples == 0;
	float	   *trained = build->centroids;

	plan_spares(build->rel, &build->meta, empty);
	ivf_open_with(&build->ix, build->rel, &build->meta, build->mean);
	build->centroids = all_centroids(&build->ix, trained, ivf_built_lists(&build->meta));
	pfree(trained);
}

/* Write an array of items into pages of a kind, at the end of a fork. */
static void
append_items(Relation rel, ForkNumber fork, NvPageKind kind, const IvfShape *shape,
			  const char *items, uint32 n)
{
	if (shape->per_page > 0)
	{
		for (uint32 i = 0; i < n; i += shape->per_page)
		{
			CHECK_FOR_INTERRUPTS();
			nv_append_page(rel, fork, kind, items + (Size) i * shape->bytes,
						   Min(shape->per_page, n - i) * shape->bytes);
		}
		return;
	}
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 done = 0; done < shape->bytes; done += NV_PAGE_ROOM)
			nv_append_page(rel, fork, kind, items + (Size) i * shape->bytes + done,
						   Min(NV_PAGE_ROOM, shape->bytes - done));
	}
}

/* Codes of the centroids, relative to 0. */
static void
append_centroid_codes(IvfIndex *ix, ForkNumber fork, const float *centroids)
{
	uint32		nblocks = (ix->meta.lists + NV_FASTSCAN_BLOCK - 1) / NV_FASTSCAN_BLOCK;
	Size		bytes = ix->layout.code_block;
	char	   *blocks = palloc_extended(bytes * nblocks, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < ix->meta.lists; i++)
	{
		uint8	   *block = (uint8 *) blocks + i / NV_FASTSCAN_BLOCK * bytes;

		ivf_code_centroid(ix, block, i % NV_FASTSCAN_BLOCK, centroids + (Size) i * ix->length);
	}
	append_items(ix->rel, fork, NV_PAGE_IVF_CENTROID_CODES, &ix->layout.centroid_block, blocks,
				  nblocks);
	pfree(blocks);
}

/* Write everything that comes before the groups.  The lists are empty as yet. */
static void
write_head(IvfIndex *ix, ForkNumber fork, const float *mean, const float *centroids)
{
	IvfList    *lists = palloc(sizeof(IvfList) * ix->meta.lists);
	IvfShape	shape = {.bytes = sizeof(IvfList), .per_page = IVF_LISTS_PER_PAGE, .pages = 1};

	Assert((mean != NULL) == (ix->meta.has_mean != 0));
	for (uint32 i = 0; i < ix->meta.lists; i++)
		lists[i].first = lists[i].room = InvalidBlockNumber;
	nv_append_page(ix->rel, fork, NV_PAGE_IVF_META, &ix->meta, sizeof(IvfMeta));
	if (mean != NULL)
		nv_append_mean(ix->rel, fork, mean, ix->meta.dims);
	append_items(ix->rel, fork, NV_PAGE_IVF_DIRECTORY, &shape, (const char *) lists,
				  ix->meta.lists);
	append_items(ix->rel, fork, NV_PAGE_IVF_CENTROIDS, &ix->layout.centroid,
				  (const char *) centroids, ix->meta.lists);
	if (ix->meta.bits > 0)
		append_centroid_codes(ix, fork, centroids);
	/* everything is where the layout says */
	Assert(RelationGetNumberOfBlocksInFork(ix->rel, fork) == ix->layout.groups);
	pfree(lists);
}

/* The group being written: its records wait until they are all there. */
typedef struct GroupWriter
{
	uint32		list;
	uint32		n;
	char	   *records;
	Buffer		last;			/* group of this list before, locked, or InvalidBuffer */
} GroupWriter;

/* Write the record pages of a group, and their numbers into it. */
static void
write_records(Build *build, const GroupWriter *w, IvfGroup *group)
{
	const IvfShape *shape = &build->ix.layout.record;
	uint32		step = Max(shape->per_page, 1);
	uint32		page = 0;

	for (uint32 i = 0; i < w->n; i += step)
	{
		Size		bytes = (Size) Min(step, w->n - i) * shape->bytes;

		for (Size done = 0; done < bytes; done += NV_PAGE_ROOM)
		{
			Size		part = Min(NV_PAGE_ROOM, bytes - done);
			Buffer		buffer = nv_extend(build->rel);
			Page		p = BufferGetPage(buffer);

			nv_page_init(p, NV_PAGE_IVF_RECORDS);
			memcpy(NV_PAGE_CONTENTS(p), w->records + (Size) i * shape->bytes + done, part);
			nv_page_use_none(p);
			nv_page_use(p, NV_PAGE_CONTENTS(p) + part);
			Assert(page < build->ix.layout.record_pages);
			group->records[page++] = BufferGetBlockNumber(buffer);
			MarkBufferDirty(buffer);
			UnlockReleaseBuffer(buffer);
		}
	}
}

/* Say in the directory where a list begins, or where it has room. */
static void
update_list(Build *build, uint32 list, BlockNumber group)
{
	Buffer		buffer = ReadBuffer(build->rel, build->ix.layout.directory +
									list / IVF_LISTS_PER_PAGE);
	IvfList    *entry;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	entry = (IvfList *) NV_PAGE_CONTENTS(BufferGetPage(buffer)) + list % IVF_LISTS_PER_PAGE;
	if (entry->first == InvalidBlockNumber)
		entry->first = group;
	entry->room = group;
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/* Write the group that is complete, and link it to the one before. */
static void
write_group(Build *build, GroupWriter *w)
{
	IvfIndex   *ix = &build->ix;
	const float *centroid = build->centroids + (Size) w->list * build->length;
	Buffer		buffer = nv_extend(build->rel);
	Page		page = BufferGetPage(buffer);
	IvfGroup   *group = ivf_group_of(page);

	Assert(w->n > 0 && w->n <= ix->layout.entries);
	Assert(w->last == InvalidBuffer ||
		   BufferGetBlockNumber(buffer) > BufferGetBlockNumber(w->last));
	ivf_init_group(ix, page, w->list);
	if (ivf_inline(ix))
	{
		Size		bytes = (Size) w->n * ix->layout.record.bytes;

		memcpy(ivf_inline_record(ix, group, 0), w->records, bytes);
		nv_page_use(page, (const char *) ivf_inline_record(ix, group, 0) + bytes);
	}
	else
		write_records(build, w, group);
	for (uint32 i = 0; i < w->n; i++)
		ivf_code_entry(ix, page, i, centroid,
					   (const IvfRecord *) (w->records + (Size) i * ix->layout.record.bytes));
	group->n = w->n;
	MarkBufferDirty(buffer);
	if (w->last != InvalidBuffer)
	{
		ivf_group_of(BufferGetPage(w->last))->next = BufferGetBlockNumber(buffer);
		MarkBufferDirty(w->last);
		UnlockReleaseBuffer(w->last);
	}
	update_list(build, w->list, BufferGetBlockNumber(buffer));
	w->last = buffer;
	w->n = 0;
}

/* The list is complete: write what waits. */
static void
end_list(Build *build, GroupWriter *w)
{
	if (w->n > 0)
		write_group(build, w);
	if (w->last != InvalidBuffer)
		UnlockReleaseBuffer(w->last);
	w->last = InvalidBuffer;
}

/* Write the groups of all lists, as their rows come out of the sort. */
static void
write_groups(Build *build)
{
	Size		bytes = build->ix.layout.record.bytes;
	GroupWriter w = {
		.records = palloc_extended(bytes * build->ix.layout.entries, MCXT_ALLOC_HUGE),
		.last = InvalidBuffer
	};
	int64		done = 0;

	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, (int64) build->ntuples);
	tuplesort_performsort(build->sort);
	while (tuplesort_gettupleslot(build->sort, true, false, build->slot, NULL))
	{
		bool		isnull;
		uint32		list = (uint32) DatumGetInt32(slot_getattr(build->slot, 1, &isnull));
		bytea	   *record = DatumGetByteaPP(slot_getattr(build->slot, 2, &isnull));

		CHECK_FOR_INTERRUPTS();
		Assert(list >= w.list && list < build->meta.lists);
		if (list != w.list)
			end_list(build, &w);
		w.list = list;
		Assert(VARSIZE_ANY_EXHDR(record) == bytes);
		memcpy(w.records + w.n++ * bytes, VARDATA_ANY(record), bytes);
		if (w.n == build->ix.layout.entries)
			write_group(build, &w);
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, ++done);
	}
	end_list(build, &w);
	tuplesort_end(build->sort);
	ExecDropSingleTupleTableSlot(build->slot);
}

/* Complete the metapage with what is known only at the end. */
static void
finish_meta(Build *build)
{
	Buffer		buffer = ReadBuffer(build->rel, IVF_META_BLOCK);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	((IvfMeta *) NV_PAGE_CONTENTS(BufferGetPage(buffer)))->trained_distance =
		(float) (build->distance_sum / Max(build->ntuples, 1));
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/* Build an index: ambuild. */
IndexBuildResult *
ivf_build(Relation heap, Relation rel, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ivf build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Build	   *build = palloc0(sizeof(Build));

	if (RelationGetNumberOfBlocks(rel) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
	build->heap = heap;
	build->rel = rel;
	build->info = info;
	build->scratch = AllocSetContextCreate(context, "ivf build row", ALLOCSET_DEFAULT_SIZES);
	plan_index(rel, &build->meta);
	build->length = ivf_length(&build->meta);
	nv_space_init(&build->raw, build->meta.element, build->meta.metric,
				  build->meta.form == NV_FORM_BITS ? NV_FORM_BITS : NV_FORM_FLOAT4,
				  build->meta.dims, build->meta.dims, NULL, NULL);
	nv_query_alloc(&build->raw, &build->raw_query);

	report_phase(IVF_PHASE_SAMPLE);
	train(build);
	report_phase(IVF_PHASE_ASSIGN);
	result->heap_tuples = assign_rows(build);
	add_spares(build);
	write_head(&build->ix, MAIN_FORKNUM, build->mean, build->centroids);
	report_phase(IVF_PHASE_WRITE);
	write_groups(build);
	finish_meta(build);
	result->index_tuples = build->ntuples;
	nv_log_whole(rel, MAIN_FORKNUM);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/* Make the init fork of an unlogged index: ambuildempty. */
void
ivf_build_empty(Relation rel)
{
	IvfMeta		meta;
	IvfIndex	ix;

	plan_index(rel, &meta);
	plan_spares(rel, &meta, true);
	ivf_open_with(&ix, rel, &meta, NULL);
	write_head(&ix, INIT_FORKNUM, NULL, all_centroids(&ix, NULL, 0));
	nv_log_whole(rel, INIT_FORKNUM);
}
