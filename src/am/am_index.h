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
 * Copy the metapage of an index to meta[format->meta_bytes]; returns the floats of
 * its space, palloc'd.  The index is read and checked once for as long as relcache
 * keeps it.  ERROR (INDEX_CORRUPTED; FEATURE_NOT_SUPPORTED for a format of another
 * version; OBJECT_NOT_IN_PREREQUISITE_STATE for an index of pgvector's).
 */
extern const float *nv_index_load(const NvIndexFormat *format, Relation index, void *meta);

/* Copy the metapage alone; false where nv_index_load() would raise an error because of it. */
extern bool nv_index_peek(const NvIndexFormat *format, Relation index, void *meta);

/* The floats of a space with this mean, which may be NULL when it has none; palloc'd. */
extern const float *nv_index_floats(const NvSpaceSpec *spec, const float *mean);

#endif							/* NV_AM_INDEX_H */
