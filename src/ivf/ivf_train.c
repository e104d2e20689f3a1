/*-------------------------------------------------------------------------
 *
 * ivf_train.c
 *		Finds the centroids of an ivf index: a sample of the table, and k-means.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf_build.h"

#include <float.h>
#include <math.h>

#include "am/am_build.h"
#include "am/am_row.h"
#include "am/am_select.h"
#include "cluster/kmeans.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

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

/* Take a row into the sample. */
static void
sample_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	IvfBuild   *build = arg;
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
			float	   *sampled = build->sample + place * build->length;

			build->nsample = Max(build->nsample, place + 1);
			nv_query_floats(&build->raw, &build->raw_query, sampled);
			/* what the rotation will fill */
			memset(sampled + build->meta.dims, 0,
				   sizeof(float) * (build->length - build->meta.dims));
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* Have the rows of so many blocks offered to the sample. */
static void
look_at_blocks(IvfBuild *build, BlockNumber n)
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
estimate_rows(IvfBuild *build)
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
lists_memory(const IvfBuild *build, uint32 lists)
{
	return (double) CENTROID_ARRAYS * sizeof(float) * build->length * lists;
}

/*
 * As many of these lists as memory has room for; ERROR when it was the user who
 * asked for so many.
 */
static uint32
fit_lists(const IvfBuild *build, uint32 lists)
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
start_team(IvfBuild *build, size_t room)
{
	double		memory = maintenance_work_mem * 1024.0;
	double		lists = lists_memory(build, build->meta.lists);
	double		left = memory - Min(memory / LISTS_MEMORY_PART, lists);
	double		fits = left / SAMPLE_MEMORY_PART / (sizeof(float) * build->length);

	build->room = (size_t) Max(1, Min(room, fits));
	build->team = nv_team_start(Max(build->room, (size_t) ivf_rows_at_once(build)), build->length,
								(int) build->meta.lists, nv_build_workers(build->heap, build->rel));
	build->sample = nv_team_rows(build->team);
}

/*
 * Sample the table and choose the number of lists.  Returns whether there are
 * rows enough for them.
 */
static bool
take_sample(IvfBuild *build)
{
	double		total = RelationGetNumberOfBlocks(build->heap);
	double		rows;
	double		most_rows;
	uint32		lists;
	size_t		wanted;

	build->random = IVF_SEED;
	rows = estimate_rows(build);
	most_rows = ceil(ROWS_MARGIN * rows) + 1;
	lists = ivf_plan_lists(build->rel, &build->meta, rows);
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
mean_of_sample(const IvfBuild *build)
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
move_sample(IvfBuild *build)
{
	if (build->meta.bits > 0 && build->meta.metric != NV_SPACE_IP && build->nsample > 0)
		build->mean = mean_of_sample(build);
	build->meta.has_mean = build->mean != NULL;
	ivf_open_new(&build->ix, build->rel, &build->meta, build->mean);
	if (build->meta.bits == 0)
		return;
	for (size_t i = 0; i < build->nsample; i++)
	{
		CHECK_FOR_INTERRUPTS();
		nv_space_move(&build->ix.space, build->sample + i * build->length);
	}
}

/* The order of floats, for selection. */
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
common_length(const IvfBuild *build)
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
draw_in(IvfBuild *build)
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
cluster_for_ip(IvfBuild *build, NvKmeansOptions *options)
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
void
ivf_train(IvfBuild *build)
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
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, IVF_PHASE_TRAIN);
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
	build->meta.probes = ivf_plan_probes(build->meta.lists);
	ivf_open_new(&build->ix, build->rel, &build->meta, build->mean);
}
