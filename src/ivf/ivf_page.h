/*-------------------------------------------------------------------------
 *
 * ivf_page.h
 *		What is in the pages of an ivf index.  See README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IVF_PAGE_H
#define IVF_PAGE_H

#include "nv_compat.h"

#include "am/am_index.h"
#include "am/am_page.h"
#include "quant/residual_code.h"
#include "storage/itemptr.h"

#define IVF_FORMAT_VERSION 2

#define IVF_META_BLOCK 0

/* The metapage.  It begins as NvMetaHead does, and stays as the build wrote it. */
typedef struct IvfMeta
{
	uint32		version;		/* IVF_FORMAT_VERSION */
	uint8		element;		/* NvElementKind */
	uint8		metric;			/* NvSpaceMetric */
	uint8		form;			/* NvForm */
	uint8		has_mean;
	int32		dims;
	uint32		lists;			/* including those that are to come */
	uint64		seed;			/* of the rotation */
	double		trained_rows;	/* in the table when it was built */
	float		trained_distance;	/* mean distance of a vector from its centroid, then */
	uint32		trained_sample; /* vectors that k-means saw */
	uint16		probes;			/* lists that a search looks into by default */
	uint16		bits;			/* of a code; 0: none */
	uint16		attribute_bytes;	/* of the image of a row's attributes; 0: there are none */
	uint16		flat;			/* whether it is an ivfflat index: 1 or 0 */
	uint32		spares;			/* of the lists, the last, which had no centroid when it was built */
	uint32		unused;
} IvfMeta;

/* A list in the directory. */
typedef struct IvfList
{
	BlockNumber first;			/* group, or InvalidBlockNumber */
	BlockNumber room;			/* group where inserts begin to look */
} IvfList;

/*
 * The head of a group's page.  Behind it come the records, where they have no
 * pages of their own (IvfLayout); else the numbers of their pages
 * (InvalidBlockNumber: none yet), the images of their attributes (see NvAttributes), one
 * behind the other, and the blocks of codes.
 */
typedef struct IvfGroup
{
	uint32		list;
	BlockNumber next;			/* group, or InvalidBlockNumber */
	uint32		version;		/* counts moves of entries */
	uint32		n;				/* entries */
	BlockNumber records[FLEXIBLE_ARRAY_MEMBER];
} IvfGroup;

/*
 * An entry's record: the row, what there is to say of the vector (see
 * IvfHeader), where records are in the page of their group the image of its attributes,
 * and its data.  Records lie as close as they can, so floats in them have any alignment.
 */
typedef struct IvfRecord
{
	ItemPointerData tid;
	char		rest[FLEXIBLE_ARRAY_MEMBER];
} IvfRecord;

/* What a record says of a vector of 8 bits: see NvStored. */
typedef struct IvfMeasures
{
	float		scale;
	float		offset;
	float		error;
	uint32		sum;
	uint32		square;
} IvfMeasures;

/* What stands before the data of a record; follows from the metapage. */
typedef enum IvfHeader
{
	IVF_HEADER_NONE,			/* the vector is exact */
	IVF_HEADER_ERROR,			/* a float: NvStored's error */
	IVF_HEADER_MEASURES			/* IvfMeasures */
} IvfHeader;

NV_META_HEAD_AGREES(IvfMeta);
StaticAssertDecl(sizeof(IvfMeta) == 56, "the size of IvfMeta is part of the format");
StaticAssertDecl(sizeof(IvfList) == 8, "the size of IvfList is part of the format");
StaticAssertDecl(offsetof(IvfGroup, records) == 16, "IvfGroup is part of the format");
StaticAssertDecl(offsetof(IvfRecord, rest) == 6, "IvfRecord is part of the format");
StaticAssertDecl(sizeof(IvfMeasures) == 20, "IvfMeasures is part of the format");

/* How an array of items of one size lies in consecutive pages. */
typedef struct IvfShape
{
	uint32		bytes;			/* of an item */
	uint32		per_page;		/* items in a page; 0: an item is longer than a page */
	uint32		pages;			/* that an item takes, if it is longer than a page; else 1 */
} IvfShape;

/* Where everything is; follows from the metapage. */
typedef struct IvfLayout
{
	IvfShape	centroid;		/* float4, "length" of a stored vector of them */
	IvfShape	centroid_block; /* of codes, for 32 centroids */
	IvfShape	record;
	BlockNumber directory;
	BlockNumber centroids;
	BlockNumber centroid_codes;
	BlockNumber groups;			/* first block that may be one */
	IvfHeader	header;			/* of a record */
	uint32		data;			/* offset of the vector's data in it */
	uint32		entries;		/* of a group, at most */
	uint32		record_pages;	/* of a group, at most; 0: records are in the group's page */
	uint32		codes;			/* in the contents of a group's page, where these or those begin */
	uint32		code_block;		/* bytes of a block of codes, with add and factor */
	uint32		images;			/* in the contents of a group's page, where the first image is */
	uint32		image_step;		/* from one to the next */
} IvfLayout;

#define IVF_LISTS_PER_PAGE ((int) (NV_PAGE_ROOM / sizeof(IvfList)))

#endif							/* IVF_PAGE_H */
