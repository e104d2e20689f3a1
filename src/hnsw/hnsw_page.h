/*-------------------------------------------------------------------------
 *
 * hnsw_page.h
 *		What an hnsw index looks like on disk.
 *
 *	block 0				the metapage
 *	blocks 1..mean_pages	the mean of the vectors, if there is one
 *	bounds_pages		of attributes, if there are any: see hnsw_map.h
 *	the rest			slots; with attributes, pages of the map between them
 *
 * A slot page is an array of slots of one size, which is fixed for an index.
 * Slots are numbered through all slot pages, so that a slot's number tells
 * its block, and is all that an edge needs to hold.
 *
 * A slot is free, or holds a node, or the rest of a vector too long for its
 * node.  Every indexed vector has one node on level 0, and one on each level
 * up to its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_PAGE_H
#define HNSW_PAGE_H

#include "nv_compat.h"

#include "am/am_attribute.h"
#include "am/am_index.h"
#include "am/am_page.h"
#include "quant/residual_code.h"
#include "storage/itemptr.h"

#define HNSW_FORMAT_VERSION 2

#define HNSW_META_BLOCK 0

#define HNSW_MIN_M 2
#define HNSW_MAX_M 100
#define HNSW_MAX_SLOTS (2 * HNSW_MAX_M)
#define HNSW_MAX_LEVEL 31
#define HNSW_UNCODED_RATIO 16

/*
 * Rows with the same vector share a node, up to this many; where room is short
 * and rows differ, nodes have fewer places.
 */
#define HNSW_NODE_TIDS 10
#define HNSW_FEWEST_TIDS 2

#define HNSW_NO_SLOT PG_UINT32_MAX

/*
 * The metapage.  It begins as NvMetaHead does.  All but entry_level and entry stay
 * as the build wrote them.
 */
typedef struct HnswMeta
{
	uint32		version;		/* HNSW_FORMAT_VERSION */
	uint8		element;		/* NvElementKind */
	uint8		metric;			/* NvSpaceMetric */
	uint8		form;			/* NvForm */
	uint8		has_mean;
	int32		dims;
	uint16		m;
	uint16		ef_construction;
	uint64		seed;			/* of the rotation */
	uint16		attribute_bytes;	/* of the image in each node (am_attribute.h) */
	uint16		bits;			/* of a neighbor's code; 0: none */
	uint32		slot_bytes;
	uint16		slots_per_page;
	uint16		mean_pages;
	uint16		node_tids;		/* places for rows in a node */
	uint16		entry_level;
	uint32		entry;			/* node where searches begin, or HNSW_NO_SLOT */
	uint32		sampled;		/* rows by which all this was chosen; 0: there were none */
	float		rounding;		/* in these: what rounding loses, as a part of small distances */
	uint16		length;			/* elements of rotated vectors, padded; 0: they are not rotated */
	uint16		short_base;		/* of NvShortFactors */
	uint8		factors;		/* HnswFactors */
	uint8		one_length;		/* inner product: sampled rows are of one length, or shorter */
	uint8		unused[2];
	uint16		group_pages;	/* slot pages behind each page of the map; 0: no attributes */
	uint16		bounds_pages;
} HnswMeta;

/* How the numbers beside a neighbor's code are kept. */
typedef enum HnswFactors
{
	HNSW_FACTORS_WIDE,			/* add, factor: two NvHalfFloat */
	HNSW_FACTORS_SHORT,			/* a byte for each, by NvShortFactors */
	HNSW_FACTORS_ONE			/* only the first of these */
} HnswFactors;

typedef enum HnswSlotKind
{
	HNSW_SLOT_FREE = 0,
	HNSW_SLOT_NODE = 0xa5,
	HNSW_SLOT_REST = 0x5a		/* the rest of a vector */
} HnswSlotKind;

/* Of HnswNode.flags. */
#define HNSW_DEAD 1				/* no rows left: vacuum is about to free it */

/*
 * A node.  Behind this come, with n = 2m and n32 = n rounded up to 32:
 *
 *	uint32 neighbors[n]			slots of nodes of the same level
 *	ItemPointerData tids[node_tids]		level 0: the rows; above it HnswBelow
 *	the image of attributes		on level 0; above it zeros
 *	add[n]						if there are codes: 2 bytes or 1 each
 *	factor[n]					2 bytes, 1, or none
 *	codes of 32 neighbors each, n32 / 32 blocks
 *	the vector, or its beginning
 *
 * The first nedges neighbors count.  Kernels read add and factor of whole blocks,
 * and so, of the last, what lies behind them.
 */
typedef struct HnswNode
{
	uint8		kind;			/* HNSW_SLOT_NODE */
	uint8		level;
	uint8		flags;
	uint8		ntids;			/* 0 above level 0 */
	uint16		nedges;
	uint16		top_level;		/* level 0: the highest that this vector is on */
	uint32		version;		/* counts changes of the edges */
	uint32		rest;			/* slot with the rest of the vector, or none */
	uint32		vector_bytes;
	float		scale;			/* of the vector: see NvStored */
	float		offset;
	float		error;
	uint32		sum;
	union
	{
		uint32		square;
		float		norm2;
	};
} HnswNode;

/* What a node above level 0 has in place of rows. */
typedef struct HnswBelow
{
	uint32		down;			/* node of the same vector one level below */
	uint32		base;			/* and on level 0 */
} HnswBelow;

/* The rest of a vector: as many bytes as the slot holds, or are left. */
typedef struct HnswRest
{
	uint8		kind;			/* HNSW_SLOT_REST */
	uint8		unused[3];
	uint32		next;			/* slot, or HNSW_NO_SLOT */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} HnswRest;

StaticAssertDecl(sizeof(HnswMeta) <= NV_PAGE_ROOM, "metapage too large");
NV_META_HEAD_AGREES(HnswMeta);
StaticAssertDecl(sizeof(HnswMeta) == 64, "the size of HnswMeta is part of the format");
StaticAssertDecl(sizeof(HnswBelow) <= HNSW_FEWEST_TIDS * sizeof(ItemPointerData),
				 "there is no room for HnswBelow");
StaticAssertDecl(sizeof(HnswNode) == 40, "the size of HnswNode is part of the format");
StaticAssertDecl(offsetof(HnswRest, data) == 8, "HnswRest is part of the format");

/* Where the parts of a node are, in bytes from its start. */
typedef struct HnswLayout
{
	uint16		neighbors;		/* 2m */
	uint16		blocks;			/* of codes */
	uint8		add_bytes;		/* of each */
	uint8		factor_bytes;
	uint32		tids;
	uint32		image;
	uint32		add;
	uint32		factor;
	uint32		codes;
	uint32		vector;
	uint32		vector_room;	/* bytes of the vector that the node itself holds */
} HnswLayout;

#define HNSW_NEIGHBORS(node) ((uint32 *) ((char *) (node) + sizeof(HnswNode)))
#define HNSW_TIDS(layout, node) ((ItemPointerData *) ((char *) (node) + (layout)->tids))
#define HNSW_BELOW(layout, node) ((HnswBelow *) ((char *) (node) + (layout)->tids))
#define HNSW_IMAGE(layout, node) ((char *) (node) + (layout)->image)
#define HNSW_ADD(layout, node) ((char *) (node) + (layout)->add)
#define HNSW_FACTOR(layout, node) ((char *) (node) + (layout)->factor)
#define HNSW_CODES(layout, node) ((uint8 *) (node) + (layout)->codes)
#define HNSW_VECTOR(layout, node) ((char *) (node) + (layout)->vector)

/*
 * The bounds of an attribute, on a page of their own: bucket i, counted from 1, has the
 * words above bound i - 2, up to bound i - 1.  Attributes that are sets have none.
 */
#define HNSW_MOST_BOUNDS 1000

typedef struct HnswBounds
{
	uint32		learned;		/* whether they were; then those of all attributes were */
	uint32		n;
	uint64		words[HNSW_MOST_BOUNDS];	/* ascending, each once */
} HnswBounds;

StaticAssertDecl(sizeof(HnswBounds) <= NV_PAGE_ROOM, "bounds do not fit their page");

/* What a page of the map begins with.  Behind it come entries, in arrays. */
typedef struct HnswMapHeader
{
	uint32		learned;		/* whether entries are by bounds */
	uint32		unused;
} HnswMapHeader;

/* The most entries of one attribute in a page: a multiple of 64, as of any page. */
#define HNSW_MAP_ENTRIES \
	((NV_PAGE_ROOM - sizeof(HnswMapHeader)) / sizeof(uint16) / 64 * 64)

/* Where they are in a page. */
typedef struct HnswMapLayout
{
	uint32		entries;		/* of each attribute */
	uint16		columns[NV_MAX_ATTRIBUTES]; /* bytes from the start of a page's contents */
} HnswMapLayout;

/* Most edges of a node, on any level. */
static inline int
hnsw_max_edges(const HnswMeta *meta)
{
	return 2 * meta->m;
}

/*
 * Of the nodes on a level, one in so many is on the next one too.  With codes, 2m cost
 * no more than m, and a level less is fewer pages to read.  Without, a search does not
 * see beyond a tight cluster that holds ef rows, and gets into the right one from above:
 * of clusters of 50 rows one in 25 has no node there, where it would be one in 5.
 */
static inline int
hnsw_level_ratio(const HnswMeta *meta)
{
	/* bits are 0 in memory, too, while a build links by partitions */
	return meta->length > 0 ? 2 * meta->m : Min(2 * meta->m, HNSW_UNCODED_RATIO);
}

#endif							/* HNSW_PAGE_H */
