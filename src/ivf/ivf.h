/*-------------------------------------------------------------------------
 *
 * ivf.h
 *		What the files of the ivf index method share.  See README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IVF_H
#define IVF_H

#include "nv_compat.h"

#include <float.h>
#include <math.h>

#include "access/genam.h"
#include "am/am_insert.h"
#include "am/am_inspect.h"
#include "am/am_search.h"
#include "am/am_vector.h"
#include "am/am_wal.h"
#include "ivf/ivf_page.h"
#include "nodes/execnodes.h"
#include "nv_guc.h"

/* What entries of lists hold. */
typedef enum IvfQuantizer
{
	IVF_QUANTIZER_SQ8,
	IVF_QUANTIZER_NONE
} IvfQuantizer;

typedef struct IvfOptions
{
	int32		vl_len_;
	int			lists;			/* 0: chosen from the number of rows */
	int			quantizer;		/* IvfQuantizer */
} IvfOptions;

/* An open index. */
typedef struct IvfIndex
{
	NV_INDEX_CORE;
	IvfMeta		meta;
	IvfLayout	layout;
	const IvfSettings *settings;
	int			length;			/* floats of a centroid */
	BlockNumber group;			/* the group that was locked last, for messages */
	BufferAccessStrategy strategy;	/* vacuum's, for groups and records, or NULL */
	char	   *assembled;		/* room for a record longer than a page, or NULL */
	float	   *floats;			/* room for the elements of a vector */
	float	   *query_floats;	/* room for those of a query */
	float	   *step;			/* room for those of a step, up to a multiple of NV_CODE_ROOM */
	float	   *zero;			/* a vector of zeros */
	NvCodeTable table;			/* room for the table of a step, if there are codes */
} IvfIndex;

/* A list, and how far its centroid is from what is looked for. */
typedef struct IvfNearList
{
	float		distance;
	uint32		list;
} IvfNearList;

/* A distance that overflows, or is NaN since a page is damaged, counts as the largest. */
static inline float
ivf_finite(float distance)
{
	return distance < FLT_MAX ? distance : FLT_MAX;
}

/* ivf_page.c */

/*
 * Where things are; bits, lists, dims, form, element, metric, has_mean and attribute_bytes
 * are set.
 */
extern void ivf_plan_layout(const IvfMeta *meta, IvfLayout *layout);

/* Floats of a centroid, and elements of a stored vector. */
extern int	ivf_length(const IvfMeta *meta);

/* Bits of the codes of vectors of a form; 0: it has none. */
extern uint16 ivf_code_bits(NvForm form, int dims);

/* Open the index for the current memory context; errors of nv_index_open(). */
extern void ivf_open(IvfIndex *ix, Relation rel);

/*
 * Fill in meta, layout and settings, and nothing else: what the planner wants to
 * know.  False where ivf_open() would raise an error because of the metapage, unless
 * that is about attributes.
 */
extern bool ivf_peek(IvfIndex *ix, Relation rel);

/* Open an index that is being built, as nv_index_open_new() does. */
extern void ivf_open_new(IvfIndex *ix, Relation rel, const IvfMeta *meta, const float *mean);

/* Whether the centroids were found with few of the rows, so that more would find better ones. */
extern bool ivf_small_sample(const IvfMeta *meta);

/* The page that item i of an array is in, and its offset in the page's contents. */
static inline void
ivf_locate(const IvfShape *shape, uint32 i, uint32 *page, uint32 *offset)
{
	if (shape->per_page > 0)
	{
		*page = i / shape->per_page;
		*offset = i % shape->per_page * shape->bytes;
	}
	else
	{
		*page = i * shape->pages;
		*offset = 0;
	}
}

/*
 * Copy item i of an array, which lies in consecutive pages of a kind from block
 * "first" on, to out[shape->bytes].
 */
extern void ivf_read_item(IvfIndex *ix, NvPageKind kind, BlockNumber first,
						   const IvfShape *shape, uint32 i, void *out);

/* ERROR (INDEX_CORRUPTED): a block is not what it should be.  what is a predicate: "has ...". */
extern void ivf_damaged(IvfIndex *ix, BlockNumber block, const char *what)
			__attribute__((noreturn));

/* Lists that the build made. */
static inline uint32
ivf_built_lists(const IvfMeta *meta)
{
	Assert(meta->spares <= meta->lists);
	return meta->lists - meta->spares;
}

/*
 * A list to come has a centroid of NaN, which is farther than all others; it is
 * written once, last float last.
 */
static inline bool
ivf_to_come(const IvfIndex *ix, const float *centroid)
{
	return isnan(centroid[ix->length - 1]);
}

/* ivf_lists.c */

/* The directory's words on a list. */
extern IvfList ivf_read_list(IvfIndex *ix, uint32 list);

/* The centroid of a list, out[length]. */
extern void ivf_read_centroid(IvfIndex *ix, uint32 list, float *out);

/*
 * The nearest lists to a query, nearest first: the best "wanted" of them, less
 * where there are not so many, or where the rest is more than "ratio" times as
 * far as the nearest (distances as the index has them; INFINITY: however far).
 * Returns their number.  Some more lists that are likely the next follow, also in
 * order; *ranked is how many there are with them.  by_l2: as vectors are assigned,
 * whatever the metric.  near[] has room for all lists.  Overwrites ix->step and
 * ix->table.
 */
extern int	ivf_nearest_lists(IvfIndex *ix, const NvQuery *query, int wanted, float ratio,
							  bool by_l2, IvfNearList *near, int *ranked);

/* ivf_group.c */

/* The group in a page. */
static inline IvfGroup *
ivf_group_of(Page page)
{
	return (IvfGroup *) NV_PAGE_CONTENTS(page);
}

/*
 * Lock the code page of a group of a list (any list: IVF_MAX_LISTS).  ERROR
 * (INDEX_CORRUPTED) when it is none, or its header makes no sense.
 */
extern Buffer ivf_lock_group(IvfIndex *ix, BlockNumber block, uint32 list, int lock);

/*
 * Lock a page of records of the group that was locked last.  ERROR
 * (INDEX_CORRUPTED) when it is none.
 */
extern Buffer ivf_lock_records(IvfIndex *ix, BlockNumber block, int lock);

/*
 * Look at record i of a group, whose code page is locked.  It points into the
 * page of *buffer, which is pinned and share-locked, or into ix->assembled.
 * *buffer may be one from the call before, and is kept if it serves again;
 * ivf_release_page() in the end.
 */
extern const IvfRecord *ivf_read_record(IvfIndex *ix, const IvfGroup *group, uint32 i,
										Buffer *buffer);
extern void ivf_release_page(Buffer *buffer);

/*
 * Have the CPU fetch a record of a group, or what a search first looks at of a group that
 * has codes, if it is one: the images, and unless there is a filter, codes.
 */
extern void ivf_prefetch_record(const IvfIndex *ix, const IvfGroup *group, uint32 i);
extern void ivf_prefetch_group(const IvfIndex *ix, BlockNumber block, bool filtered);

/*
 * The vector of a record: where there are codes its step from the centroid of
 * its list, else itself.
 */
static inline NvStored
ivf_stored(const IvfIndex *ix, const IvfRecord *record)
{
	NvStored	v = {
		.data = (const char *) record + ix->layout.data,
		.bytes = ix->vector_bytes,
		.scale = 1
	};

	if (ix->layout.header == IVF_HEADER_MEASURES)
	{
		IvfMeasures m;

		memcpy(&m, record->rest, sizeof(m));
		v.scale = m.scale;
		v.offset = m.offset;
		v.error = m.error;
		v.sum = m.sum;
		v.square = m.square;
	}
	else if (ix->layout.header == IVF_HEADER_ERROR)
		memcpy(&v.error, record->rest, sizeof(float));
	return v;
}

/*
 * Write the record of a row, whose vector is a query as rows are set, in the list
 * of a centroid, which counts where there are codes.  Where it has an image, that is
 * zeros as yet: see ivf_write_image().
 */
extern void ivf_write_record(IvfIndex *ix, const NvQuery *query, const float *centroid,
							 const ItemPointerData *tid, IvfRecord *record);

/* Whether records are in the page of their group. */
static inline bool
ivf_inline(const IvfIndex *ix)
{
	return ix->layout.record_pages == 0;
}

/* Record i of a group that has records in its page. */
static inline IvfRecord *
ivf_inline_record(const IvfIndex *ix, const IvfGroup *group, uint32 i)
{
	Assert(i < ix->layout.entries);
	return (IvfRecord *) ((char *) group + ix->layout.codes + i * ix->layout.record.bytes);
}

/* Codes, add and factor of the block of 32 that entry i of a group is in. */
static inline uint8 *
ivf_code_block(const IvfIndex *ix, const IvfGroup *group, uint32 i)
{
	Assert(i < ix->layout.entries);
	return (uint8 *) group + ix->layout.codes + i / NV_FASTSCAN_BLOCK * ix->layout.code_block;
}

/* The image of the attributes of entry i of a group: attribute_bytes, in the group's page. */
static inline char *
ivf_image(const IvfIndex *ix, const IvfGroup *group, uint32 i)
{
	Assert(i < ix->layout.entries);
	return (char *) group + ix->layout.images + i * ix->layout.image_step;
}

#define IVF_ADD(ix, block) ((NvHalfFloat *) ((block) + NV_CODE_BLOCK_BYTES((ix)->meta.bits)))
#define IVF_FACTOR(ix, block) (IVF_ADD(ix, block) + NV_FASTSCAN_BLOCK)

/* Write the code of a centroid at a place of a block; one to come is far from everything. */
extern void ivf_code_centroid(const IvfIndex *ix, uint8 *block, uint32 place,
							  const float *centroid);

/* Write the code of entry i of a group, if there are any; its list has this centroid. */
extern void ivf_code_entry(IvfIndex *ix, Page page, uint32 i, const float *centroid,
						   const IvfRecord *record);

/* Write the image of entry i of a group, if there are attributes; its record is there. */
extern void ivf_write_image(const IvfIndex *ix, Page page, uint32 i, const char *image);

/* Make an empty group of a page's contents. */
extern void ivf_init_group(IvfIndex *ix, Page page, uint32 list);

/* ivf_insert.c */

/* Have inserts into a list begin to look for room at a group, from now on. */
extern void ivf_set_room(IvfIndex *ix, uint32 list, BlockNumber group);

extern const NvInsertMethod ivf_insert_method;

/* ivf_build.c */

/* Phases that pg_stat_progress_create_index shows, from 2 on (1 is "initializing"). */
typedef enum IvfPhase
{
	IVF_PHASE_SAMPLE = 2,
	IVF_PHASE_TRAIN,
	IVF_PHASE_ASSIGN,
	IVF_PHASE_WRITE
} IvfPhase;

extern IndexBuildResult *ivf_build(Relation heap, Relation rel, IndexInfo *info);
extern void ivf_build_empty(Relation rel);

/* ivf_scan.c */
extern const NvSearchMethod ivf_search_method;

/* A search with conditions goes on to more lists until it has seen so many rows that pass. */
#define IVF_LEAST_PASSING 96

/*
 * Of the entries that a search looks at, it returns one in so many before it looks at more; up
 * to a radius, where rows that are far count as much as near ones, one in more.
 */
#define IVF_OUT_PART 64
#define IVF_INSIDE_PART 128

/*
 * How many lists a search looks into when only this share of the rows passes its
 * conditions, and "wanted" of at most "probes" are what it would look into without.
 */
extern double ivf_lists_to_pass(double wanted, double probes, double share);

/* About how many rounds a search takes that returns so many rows, with so much memory. */
extern double ivf_rounds(double rows, Size memory);

/* How many lists a scan looks into: the setting, or what the build chose. */
static inline int
ivf_probes(const IvfIndex *ix)
{
	int			wanted = ix->settings->probes;

	return Min(wanted > 0 ? wanted : ix->meta.probes, (int) ix->meta.lists);
}

/* ivf_vacuum.c */
extern IndexBulkDeleteResult *ivf_bulk_delete(IndexVacuumInfo *info,
											  IndexBulkDeleteResult *stats,
											  IndexBulkDeleteCallback callback, void *state);

/* ivf_check.c: see NvMethod */
extern void ivf_check(Relation heap, Relation rel, NvReport *report);
extern void ivf_info(Relation rel, NvReport *report);

/* ivf_prewarm.c: see NvMethod */
extern int64 ivf_prewarm(Relation rel);

/* ivf_options.c */
extern void ivf_options_init(void);
extern bytea *ivf_parse_options(Datum reloptions, bool validate);
extern bytea *ivf_parse_flat_options(Datum reloptions, bool validate);
extern IvfOptions ivf_options_of(Relation rel);

/* Whether an index is one of ivfflat. */
extern bool ivf_is_flat(Relation rel);

/* ivf_am.c */
extern void ivf_init(void);

#endif							/* IVF_H */
