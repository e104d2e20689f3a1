/*-------------------------------------------------------------------------
 *
 * am_index.h
 *		Opening an index: its metapage, and what relcache keeps of it.
 *
 * What both index methods do alike when they open an index is here; what the
 * metapage of a method says beyond its common start is the method's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_INDEX_H
#define NV_AM_INDEX_H

#include "nv_compat.h"

#include "am/am_attribute.h"
#include "am/am_page.h"
#include "am/am_vector.h"

/* Every metapage begins with these. */
typedef struct NvMetaHead
{
	uint32		version;		/* of the format */
	uint8		element;		/* NvElementKind */
	uint8		metric;			/* NvSpaceMetric */
	uint8		form;			/* NvForm */
	uint8		has_mean;
	int32		dims;
} NvMetaHead;

/* For the file that defines a metapage: that it does begin with these. */
#define NV_META_HEAD_AGREES(type) \
	StaticAssertDecl(offsetof(type, version) == offsetof(NvMetaHead, version) && \
					 offsetof(type, element) == offsetof(NvMetaHead, element) && \
					 offsetof(type, metric) == offsetof(NvMetaHead, metric) && \
					 offsetof(type, form) == offsetof(NvMetaHead, form) && \
					 offsetof(type, has_mean) == offsetof(NvMetaHead, has_mean) && \
					 offsetof(type, dims) == offsetof(NvMetaHead, dims), \
					 #type " does not begin as NvMetaHead does")

/* How a method keeps its indexes on disk. */
typedef struct NvIndexFormat
{
	NvPageKind	meta_kind;		/* of the metapage */
	Size		meta_bytes;
	uint32		version;		/* that this code reads */

	/* Whether what a metapage says beyond its head, which is valid, makes sense. */
	bool		(*valid) (const void *meta);
	NvSpaceSpec (*spec) (const void *meta);
} NvIndexFormat;

/*
 * What an open index of any method has.  The open index of a method begins with
 * NV_INDEX_CORE, which lets its own code write ix->rel, and hand ix->core to code that
 * serves all methods.
 */
#define NV_INDEX_CORE_FIELDS \
	Relation	rel; \
	NvSpace		space; \
	NvAttributes attributes; \
	bool		many;			/* vectors a row: the column is an array */ \
	uint32		vector_bytes	/* of a stored vector; of sparse ones, the most */

typedef struct NvIndexCore
{
	NV_INDEX_CORE_FIELDS;
} NvIndexCore;

#define NV_INDEX_CORE \
	union \
	{ \
		NvIndexCore core; \
		struct \
		{ \
			NV_INDEX_CORE_FIELDS; \
		}; \
	}

/*
 * Open an index: fill in the core, and copy the metapage to meta[format->meta_bytes].
 * The index is read and checked once for as long as relcache keeps it; what the open
 * index needs of that is copied into memory of the current context.  ERROR
 * (INDEX_CORRUPTED; FEATURE_NOT_SUPPORTED for a format of another version;
 * OBJECT_NOT_IN_PREREQUISITE_STATE for an index of pgvector's).
 */
extern void nv_index_open(NvIndexCore *core, const NvIndexFormat *format, Relation index,
						  void *meta);

/*
 * Open an index that is being built, of which this is the metapage.  The mean, which
 * may be NULL when the space has none, is copied.
 */
extern void nv_index_open_new(NvIndexCore *core, const NvIndexFormat *format, Relation index,
							  const void *meta, const float *mean);

/* Copy the metapage alone; false where nv_index_open() would raise an error because of it. */
extern bool nv_index_peek(const NvIndexFormat *format, Relation index, void *meta);

#endif							/* NV_AM_INDEX_H */
