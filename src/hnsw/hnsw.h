/*-------------------------------------------------------------------------
 *
 * hnsw.h
 *		What the files of the hnsw index method share.  See README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_H
#define HNSW_H

#include "nv_compat.h"

#include <math.h>

#include "access/genam.h"
#include "am/am_bitmap.h"
#include "am/am_insert.h"
#include "am/am_inspect.h"
#include "am/am_search.h"
#include "am/am_vector.h"
#include "am/am_wal.h"
#include "hnsw/hnsw_page.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"

/* Lock "pages", blocks that hold no slots: see README, "Locks". */
#define HNSW_UPDATE_LOCK 0

/* Storage option. */
typedef enum HnswStorage
{
	HNSW_STORAGE_AUTO,
	HNSW_STORAGE_FLOAT4,
	HNSW_STORAGE_FLOAT2,
	HNSW_STORAGE_SQ8,
	HNSW_STORAGE_SQ16
} HnswStorage;

typedef struct HnswOptions
{
	int32		vl_len_;
	int			m;
	int			ef_construction;
	int			storage;		/* HnswStorage */
} HnswOptions;

#define HNSW_DEFAULT_M 16
#define HNSW_DEFAULT_EF_CONSTRUCTION 64
#define HNSW_MIN_EF_CONSTRUCTION 4
#define HNSW_MAX_EF_CONSTRUCTION 1000

/* The graph while it is built in memory: chunks of slots.  hnsw_memory.c */
typedef struct HnswMemory HnswMemory;

/* A lock among the processes of a build.  hnsw_shared.c */
typedef struct HnswBuildLock HnswBuildLock;

/* Edges that vacuum has noted, to walk the graph without reading it again.  hnsw_notes.c */
typedef struct HnswNotes HnswNotes;

/*
 * Where slots are: in memory, while the first part of an index is built, or in pages; of
 * these they are copied before they are looked at, where looking means to call a function
 * of the user's.
 */
typedef struct HnswStore HnswStore;

/* An open index. */
typedef struct HnswIndex
{
	NV_INDEX_CORE;
	HnswMeta	meta;			/* its last fields may be out of date */
	HnswLayout	layout;
	uint32		max_bytes;		/* of a stored vector, if it is fine */
	bool		logged;			/* whether changes are logged */
	HnswBuildLock *build_lock;	/* among the processes of a build, in place of the update lock */
	HnswMapLayout map;			/* of attributes, if there are any */
	HnswBounds *bounds[NV_MAX_ATTRIBUTES];	/* of each, once they were needed */
	MemoryContext context;		/* that it was opened in */
	const HnswStore *store;
	HnswMemory *memory;			/* if that is where slots are, or NULL */
	HnswNotes  *notes;			/* or NULL */

	/*
	 * While a build links slots in memory, whose numbers depend on which process was
	 * faster, numbers that do not; or NULL.
	 */
	const uint32 *ranks;
	char	   *assembled;		/* room for one vector longer than a node holds, or NULL */
	char	   *copied;			/* room for a slot, in hnsw_copy_store; or NULL */
	float	   *edge_floats;	/* 2 * space.length, if there are codes */
	NvShortFactors *short_factors;	/* or NULL: they are wide */
} HnswIndex;

/* A node being looked at. */
typedef struct HnswRef
{
	const HnswNode *node;
	Buffer		buffer;			/* share-locked, or InvalidBuffer: in memory, or a copy */
} HnswRef;

/* A node being changed. */
typedef struct HnswNodeChange
{
	Buffer		buffer;			/* exclusively locked; in memory these are not used */
	NvChange	logged;
} HnswNodeChange;

/*
 * Copies so many bytes of the rest of a vector out of a slot; returns the next slot
 * of it.  ref is the node, whose page stays locked.
 */
typedef uint32 (*HnswReadRest) (HnswIndex *ix, uint32 slot, const HnswRef *ref, char *out,
								uint32 bytes);

/* What a store does; the first three are called by functions of the same name. */
struct HnswStore
{
	bool		(*read) (HnswIndex *ix, uint32 slot, HnswRef *ref);
	bool		(*read_next) (HnswIndex *ix, uint32 slot, HnswRef *ref);
	void		(*prefetch) (HnswIndex *ix, uint32 slot);
	HnswReadRest read_rest;		/* NULL: a node is read with the rest of its vector */

	/*
	 * Begin to change a node: locks its page, of which the caller holds none.  NULL, and
	 * nothing to finish, when the slot holds no live node of this version any more.
	 */
	HnswNode   *(*change_begin) (HnswIndex *ix, uint32 slot, uint32 version,
								 HnswNodeChange *change);
	void		(*change_finish) (HnswNodeChange *change);

	bool		stays;			/* whether vectors stay where they are when a node is released */
};

extern const HnswStore hnsw_page_store;
extern const HnswStore hnsw_copy_store;

/* The store for what is in pages. */
static inline const HnswStore *
hnsw_disk_store(const HnswIndex *ix)
{
	return nv_space_is_custom(&ix->space) ? &hnsw_copy_store : &hnsw_page_store;
}

/* hnsw_memory.c: have slots in this memory from now on, or if it is NULL in pages. */
extern void hnsw_use_memory(HnswIndex *ix, HnswMemory *memory);

/* hnsw_page.c: opening an index, slots */

/* Compute where things are in a node, from m, node_tids, bits and slot_bytes. */
extern void hnsw_layout(const HnswMeta *meta, HnswLayout *layout);

/*
 * The error of an estimate, as a part of the product of two steps, when codes
 * have so many bits of rotated vectors of "length" elements: what of the signs'
 * vector is not in the direction of the step, by what is.  (Those of RaBitQ, but
 * that codes may leave coordinates out.)  Without a factor of its own the part in
 * the direction is wrong too, by the deviation of the mean of |r_j|; half of it
 * counts, since steps are not all in the direction of the query.
 */
extern double hnsw_noise(const HnswMeta *meta);

/* The space of an index. */
extern NvSpaceSpec hnsw_spec(const HnswMeta *meta);

/* Open the index for the current memory context; errors of nv_index_open(). */
extern void hnsw_open(HnswIndex *ix, Relation rel);

/* Open an index that is being built, as nv_index_open_new() does. */
extern void hnsw_open_new(HnswIndex *ix, Relation rel, const HnswMeta *meta, const float *mean);

/* Read the entry point: its slot (or HNSW_NO_SLOT) and level. */
extern void hnsw_get_entry(HnswIndex *ix, uint32 *entry, int *level);

/* Make a node the entry point, or none.  The update lock is held exclusively. */
extern void hnsw_set_entry(HnswIndex *ix, uint32 slot, int level);

/* hnsw_store.c: reading nodes */

/* Whether a vector of an index can have so many bytes. */
extern bool hnsw_vector_bytes_valid(const HnswIndex *ix, uint32 bytes);

/* What every reader of a node relies on; ERROR (INDEX_CORRUPTED) when it is not so. */
extern void hnsw_check_node(HnswIndex *ix, uint32 slot, const HnswNode *node);

/*
 * Look at a node: share-locks its page; or copies the slot, and locks nothing, where the
 * store does so.  A copy is good until the next node is looked at.  False, and nothing to
 * release, when the slot holds none.  ERROR (INDEX_CORRUPTED) when there is no such slot, or
 * what it holds makes no sense.
 */
static inline bool
hnsw_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	return ix->store->read(ix, slot, ref);
}

/*
 * The same for who looks at many slots in their order: the page stays locked from
 * one to the next on it, whatever this returns, until hnsw_release().  At first the
 * buffer of ref is InvalidBuffer.  Interrupts are checked for between two pages.
 */
static inline bool
hnsw_read_next(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	return ix->store->read_next(ix, slot, ref);
}

/* Start fetching a node that will probably be read soon into the CPU's caches. */
static inline void
hnsw_prefetch(HnswIndex *ix, uint32 slot)
{
	ix->store->prefetch(ix, slot);
}

/* Let go of a node. */
static inline void
hnsw_release(HnswRef *ref)
{
	if (ref->buffer != InvalidBuffer)
		UnlockReleaseBuffer(ref->buffer);
}

/*
 * The vector of a node.  It points into the node, or into ix->assembled,
 * where the next such call overwrites it.  The node's page is locked.
 */
extern NvStored hnsw_stored(HnswIndex *ix, const HnswRef *ref);

/* A node as it was when it was looked at. */
typedef struct HnswNodeCopy
{
	uint32		version;
	int			level;
	bool		dead;
	int			nedges;
	uint32		edges[HNSW_MAX_SLOTS];
	NvStored	stored;			/* palloc'd */
} HnswNodeCopy;

/* Copy a node.  False when the slot holds none; errors of hnsw_read(). */
extern bool hnsw_copy_node(HnswIndex *ix, uint32 slot, HnswNodeCopy *copy);

/* Whether a node on level 0 has a row already: then an equal vector of that row adds nothing. */
static inline bool
hnsw_node_has_row(const HnswIndex *ix, const HnswNode *node, const ItemPointerData *tid)
{
	const ItemPointerData *tids = HNSW_TIDS(&ix->layout, node);

	for (int i = 0; i < node->ntids; i++)
	{
		if (memcmp(&tids[i], tid, sizeof(*tid)) == 0)
			return true;
	}
	return false;
}

/* The node below a node, of the same vector; none for those on level 0. */
static inline uint32
hnsw_down(const HnswIndex *ix, const HnswNode *node)
{
	return node->level > 0 ? HNSW_BELOW(&ix->layout, node)->down : HNSW_NO_SLOT;
}

/* The node of the same vector on level 0; none for those that are there. */
static inline uint32
hnsw_base(const HnswIndex *ix, const HnswNode *node)
{
	return node->level > 0 ? HNSW_BELOW(&ix->layout, node)->base : HNSW_NO_SLOT;
}

/* The first block that has slots, or the page of the map that is before them. */
static inline BlockNumber
hnsw_first_block(const HnswMeta *meta)
{
	return 1 + meta->mean_pages + meta->bounds_pages;
}

/* The block that a slot is in. */
static inline BlockNumber
hnsw_slot_block(const HnswMeta *meta, uint32 slot)
{
	uint32		page = slot / meta->slots_per_page;

	if (meta->group_pages > 0)
		page += page / meta->group_pages + 1;
	return hnsw_first_block(meta) + page;
}

/* Slots whose entries are in one page of the map; the index has attributes. */
static inline uint32
hnsw_group_slots(const HnswMeta *meta)
{
	Assert(meta->group_pages > 0);
	return (uint32) meta->group_pages * meta->slots_per_page;
}

/* The block of the map that has the entries of a slot; the index has attributes. */
static inline BlockNumber
hnsw_map_block(const HnswMeta *meta, uint32 slot)
{
	return hnsw_first_block(meta) +
		slot / hnsw_group_slots(meta) * ((BlockNumber) meta->group_pages + 1);
}

/* Whether a block, from the first on, is a page of the map. */
static inline bool
hnsw_is_map_block(const HnswMeta *meta, BlockNumber block)
{
	return meta->group_pages > 0 &&
		(block - hnsw_first_block(meta)) % ((BlockNumber) meta->group_pages + 1) == 0;
}

/* Where a slot begins in its page. */
static inline Size
hnsw_slot_offset(const HnswMeta *meta, uint32 slot)
{
	return MAXALIGN(SizeOfPageHeaderData) + (Size) (slot % meta->slots_per_page) * meta->slot_bytes;
}

/* A slot in its page. */
static inline char *
hnsw_slot_at(const HnswMeta *meta, Page page, uint32 slot)
{
	return (char *) page + hnsw_slot_offset(meta, slot);
}

/* Number of the first slot of a block, or of the one behind a page of the map. */
static inline uint32
hnsw_first_slot(const HnswMeta *meta, BlockNumber block)
{
	BlockNumber page = block - hnsw_first_block(meta);

	Assert(block >= hnsw_first_block(meta));
	if (meta->group_pages > 0)
		page -= (page + meta->group_pages) / ((BlockNumber) meta->group_pages + 1);
	return page * meta->slots_per_page;
}

/* How many slots there are: at least as many as nodes. */
extern uint32 hnsw_count_slots(const HnswIndex *ix);

/* Write the metapage, and the mean (dims floats) behind it, to an empty fork. */
extern void hnsw_write_head(Relation rel, ForkNumber fork, const HnswMeta *meta,
							const float *mean);

/* Where the entries of attributes are in a page of the map. */
extern void hnsw_map_layout(const NvAttributes *attributes, HnswMapLayout *layout);

/* ERROR (INDEX_CORRUPTED): a slot is not what it should be.  what is a predicate: "has ...". */
extern void hnsw_damaged(HnswIndex *ix, uint32 slot, const char *what) __attribute__((noreturn));

/* hnsw_search.c: searching the graph */

/* A node that was visited, with its distance. */
typedef struct HnswFound
{
	float		distance;
	float		error;
	uint32		slot;
	uint32		down;
	uint32		base;
	uint16		ntids;
	bool		dead;
	NvStored	stored;			/* a copy, if the search keeps vectors */
} HnswFound;

/* Which slots may hold a row that passes a filter. */
typedef struct HnswPassing
{
	uint8	   *slots;			/* a bitmap */
	uint32		nslots;			/* what comes behind does not pass */
	uint32		n;				/* how many do */
} HnswPassing;

/* Whether a slot may pass. */
static inline bool
hnsw_may_pass(const HnswPassing *passing, uint32 slot)
{
	return slot < passing->nslots && nv_bit(passing->slots, slot);
}

typedef struct HnswSearch HnswSearch;

/*
 * Prepare searches for a query, of which the search keeps the pointer.
 * keep_vectors: copy the vectors of what is found.  Memory is the current
 * context's and grows with ef and the nodes visited.
 */
extern HnswSearch *hnsw_search_begin(HnswIndex *ix, bool keep_vectors);

/*
 * Search one level from a node on it, until ef nodes have been visited that
 * are nearer than all candidates.  What was found is in hnsw_found(): the
 * visited nodes, dead ones included, in no order.
 */
extern void hnsw_search_level(HnswSearch *search, const NvQuery *query, uint32 entry, int level,
							  int ef);

/*
 * The same in steps of one visit each, false from the last; several searches
 * by turns hide the time that it takes to fetch nodes from memory.
 */
extern void hnsw_search_start(HnswSearch *search, const NvQuery *query, uint32 entry, int level,
							  int ef);
extern bool hnsw_search_step(HnswSearch *search);

/*
 * Go on as if ef had been this, larger than before; false when nothing is left,
 * or nothing more that fits into so many bytes of the search's memory context
 * (0: any).  What a step takes grows with the logarithm of the nodes seen.
 */
extern bool hnsw_search_more(HnswSearch *search, int ef, Size limit);

/*
 * Have the nodes visited on level 0 handed to a function, which takes what it
 * needs of them, in place of hnsw_found(), where each would take much memory.
 * Their pages are locked.  The search stops when it returns false.
 */
typedef bool (*HnswVisitor) (void *arg, const HnswNode *node, float distance);

extern void hnsw_search_visitor(HnswSearch *search, HnswVisitor visitor, void *arg);

/*
 * From now on, have only nodes of level 0 that pass a filter count for ef and be handed
 * to the visitor; others are visited on the way.  Keeps the pointers.
 */
extern void hnsw_search_filter(HnswSearch *search, const NvFilter *filter,
							   const HnswPassing *passing);

/* Which part of the neighbors of the nodes that were visited may pass the filter. */
extern double hnsw_search_passed(const HnswSearch *search);

/* Which part of the visited nodes that may pass, by the map, does. */
extern double hnsw_search_matched(const HnswSearch *search);

/* Begin a search without the graph, which will read the "rest" of the index: all of it. */
extern void hnsw_search_skip_graph(HnswSearch *search, const NvQuery *query);

/*
 * Free what only a search through the graph needs, and remember a bit for each slot that
 * was visited.  The search can't go on afterwards, but read the rest.
 */
extern void hnsw_search_leave_graph(HnswSearch *search);

/*
 * Visit all other nodes of level 0 that pass the filter, by reading the index as it lies
 * on disk; nothing comes twice.  Only for a search with a visitor, which has left the graph.
 * Returns whether the visitor stopped it; called again, it goes on from there.
 */
extern bool hnsw_search_rest(HnswSearch *search);

/* Memory of the search's context, and what else the search uses. */
extern Size hnsw_search_memory(const HnswSearch *search);

/* The ef of the search, which may have become larger than was asked for: see hnsw_search.c. */
extern int	hnsw_search_ef(const HnswSearch *search);

/*
 * Where many rows have one vector, such as that of an empty text, and it is among the ef
 * nearest, its nodes, the twins, take the places of candidates that lead on to others.  What
 * ef has to be, so that "wanted" nodes are found beside them; it may not be enough yet, so ask
 * again after going on.  The present ef where there are few twins, or nothing is left.  Counts
 * twins of level 0 that came near one another in the search, which are most.
 */
extern int	hnsw_ef_beside_twins(const HnswSearch *search, int wanted);

/* How many nodes the search has visited on this level. */
extern uint32 hnsw_nvisited(const HnswSearch *search);

/* Tell what the search did on this level: visited, estimated, passed and refused. */
extern void hnsw_search_count(const HnswSearch *search, NvSearchCounts *counts);

extern HnswFound *hnsw_found(HnswSearch *search, int *n);

/* The nearest of them, dead or not; NULL when there are none. */
extern const HnswFound *hnsw_nearest(const HnswSearch *search);

/*
 * The distance of the ef-th nearest visited node; infinite when the search ran
 * out of nodes.
 */
extern float hnsw_search_radius(const HnswSearch *search);

/*
 * Whether all that can be reached was visited, fewer than ef nodes, while nothing
 * kept the search from going on.
 */
extern bool hnsw_search_ran_out(const HnswSearch *search);

/*
 * Descend from the entry point to a level, to the nearest node there.
 * Returns HNSW_NO_SLOT when the index is empty.
 */
extern uint32 hnsw_descend(HnswSearch *search, const NvQuery *query, uint32 entry,
						   int entry_level, int level);

/* hnsw_choice.c: choosing neighbors */

/*
 * By this factor a chosen neighbor is to be nearer to another candidate than the node is,
 * to stand for it, when the first choice has left places free: alpha of Jayaram
 * Subramanya et al., "DiskANN", 2019.
 */
#define HNSW_MUCH_NEARER 1.1f

/* A candidate for an edge. */
typedef struct HnswCandidate
{
	float		distance;
	uint32		slot;
	float		norm2;			/* by the inner product, while neighbors are chosen */
	bool		dead;			/* if it comes from hnsw_load_candidate() */
	NvStored	stored;
} HnswCandidate;

/*
 * How far a neighbor is from a node.  By the inner product, too, nothing is nearer than
 * the same vector: who finds one of its nodes has to find the others, of which nobody
 * else may know, since longer vectors stand for them.
 */
static inline float
hnsw_edge_distance(const HnswIndex *ix, const NvStored *a, const NvStored *b)
{
	if (ix->space.metric == NV_SPACE_IP && nv_stored_equal(a, b))
		return -INFINITY;
	return nv_distance_between(&ix->space, a, b);
}

/*
 * Choose at most "limit" of n candidates as neighbors of one node, of which self is the
 * vector, by the heuristic of the HNSW paper (Malkov and Yashunin, 2018, algorithm 4): the
 * nearest first, and none that is nearer to one already chosen than to the node.  One with
 * the node's own vector does not count for that, except against others that have it.
 * By the inner product the longest stand for nearly all others; next come those that are
 * not nearer to a chosen one by the Euclidean distance and the product, in the same order.
 * With "fill", free places go to those of the rest that are not much nearer to a chosen
 * one; then to any, nearest first, but those that have the vector of a chosen one last.
 * Equally near ones come as in hnsw_sort_candidates().  The chosen ones are moved to the
 * front, in the order of their choice; returns their number.
 */
extern int	hnsw_choose(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates, int n,
						uint32 after, int limit, bool fill);

/*
 * The same when the first "kept" candidates, each of them once, are chosen already.
 * nstrict, unless it is NULL: how many of the next were chosen without "fill".
 */
extern int	hnsw_choose_beside(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates,
							   int kept, int n, uint32 after, int limit, bool fill,
							   int *nstrict);

/*
 * Sort candidates, nearest first; equally near ones by their slots (or ix->ranks), from
 * the one after a given one on, which is the node that they are for, and round again.  So
 * not all nodes have the same few of them, and nodes of one vector lead round in a ring.
 */
extern void hnsw_sort_candidates(const HnswIndex *ix, HnswCandidate *candidates, int n,
								 uint32 after);

/*
 * Which of n sorted neighbors of a node, of which self is the vector, is missed least:
 * one whose vector a nearer one has, else the farthest that a live nearer one (*stands)
 * stands for, else the last (*stands is -1).
 */
extern int	hnsw_find_spare(HnswIndex *ix, const NvStored *self, HnswCandidate *candidates,
							int n, int *stands);

/*
 * Give a node (of which self is the vector) these n neighbors.  Those that it
 * has already keep their places and codes.  The node's page is exclusively
 * locked, or nobody else sees it.
 */
extern void hnsw_set_edges(HnswIndex *ix, HnswNode *node, const NvStored *self,
						   const HnswCandidate *neighbors, int n);

/*
 * So many neighbors a node chooses at most.  By the inner product most vectors are
 * nobody's neighbors, since longer ones are nearer to all; those find a place to be
 * reached from where one was left free, see hnsw_find_room().
 */
static inline int
hnsw_chosen_edges(const HnswIndex *ix)
{
	int			most = hnsw_max_edges(&ix->meta);

	return ix->space.ip ? most - Max(most / 16, 1) : most;
}

/*
 * Candidates that are kept where neighbors are searched for on a level.  On upper
 * ones there are few nodes, and where clusters are tight no way leads from one to
 * another but their edges, so more of them are looked at.
 */
#define HNSW_UPPER_EF 4

/* Where estimates are poor, a search for neighbors keeps up to so many times the candidates. */
#define HNSW_MOST_WIDENED 1.75

/* How many candidates a search for neighbors keeps on a level. */
static inline int
hnsw_level_ef(const HnswIndex *ix, int level)
{
	return level > 0 ? HNSW_UPPER_EF * ix->meta.ef_construction : ix->meta.ef_construction;
}

/* hnsw_notes.c: notes of vacuum on the edges of nodes */

/*
 * Begin notes on the live nodes of nslots slots, in the current memory context.
 * When they would take more bytes than limit they are incomplete, and not used.
 */
extern HnswNotes *hnsw_notes_begin(uint32 nslots, Size limit);

/* Free notes. */
extern void hnsw_notes_end(HnswNotes *notes);

/* Note the edges of a live node.  A node without a note counts as dead. */
extern void hnsw_note(HnswNotes *notes, uint32 slot, const HnswNode *node);

/* Whether there are notes on all live nodes; there are none if notes is NULL. */
extern bool hnsw_notes_complete(const HnswNotes *notes);

/* Whether there are notes on a slot: notes are complete, and it was there when they began. */
extern bool hnsw_notes_cover(const HnswNotes *notes, uint32 slot);

/* A node as it was noted. */
typedef struct HnswNoted
{
	uint8		level;
	bool		stale;			/* its edges have changed since */
	uint16		nedges;
	uint32		edges[FLEXIBLE_ARRAY_MEMBER];
} HnswNoted;

/* The note on a slot, on which there are notes; NULL: it holds no live node. */
extern const HnswNoted *hnsw_noted(const HnswNotes *notes, uint32 slot);

/* The edges of a node are no longer as they were noted. */
extern void hnsw_note_change(HnswNotes *notes, uint32 slot);

/* Whether a node had an edge to a dead one.  The notes are complete. */
extern bool hnsw_noted_dead_end(const HnswNotes *notes, uint32 slot, const uint8 *dead);

/* hnsw_edges.c: adding edges */

/*
 * Make a candidate, at that distance from self, of a node on a level.  Its
 * vector is palloc'd.  False when there is no such node any more.
 */
extern bool hnsw_load_candidate(HnswIndex *ix, uint32 slot, int level, const NvStored *self,
								HnswCandidate *candidate);

/*
 * Give a node (of which self is the vector) these n neighbors, if it is still
 * at the version that they were chosen for.  Locks its page.  Returns whether.
 */
extern bool hnsw_replace_edges(HnswIndex *ix, uint32 slot, uint32 version, const NvStored *self,
							   const HnswCandidate *neighbors, int n);

/*
 * Add an edge from node "from" to a neighbor on the same level.  When the
 * node is full, the edge takes the place of one whose end can be reached
 * through another neighbor; "force" takes the place of the farthest when
 * there is none, and adds an edge to that from the neighbor.  Returns whether
 * the node has the edge now.
 */
extern bool hnsw_add_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor, bool force);

/*
 * Add an edge, as hnsw_add_edge() does, if the neighbor is not the one that a full
 * node would leave out.  Returns whether the node has the edge now.
 */
extern bool hnsw_offer_edge(HnswIndex *ix, uint32 from, const HnswCandidate *neighbor);

/* How much a full node has to do for a new neighbor. */
typedef enum HnswInsistence
{
	HNSW_IF_WORTH_IT,			/* take it if it is not the one to leave out */
	HNSW_IF_NONE_IS_LOST,		/* give up any whose end has another way to it */
	HNSW_ALWAYS					/* and if there is none, have the new one lead to it */
} HnswInsistence;

/*
 * What is known of the nodes around a place where several edges change: they have most
 * of their neighbors in common.
 */
typedef struct HnswSurroundings HnswSurroundings;

/* Begin with nothing known, in memory of the current context. */
extern HnswSurroundings *hnsw_surroundings_begin(HnswIndex *ix);

/*
 * Remember a node of a level that a search found.  Its vector is copied, or stays as
 * long as it is the search's.
 */
extern void hnsw_note_found(HnswSurroundings *around, const HnswFound *found, int level,
							bool copy);

/* Add an edge, as hnsw_add_edge() does, with what is known at hand. */
extern bool hnsw_add_edge_near(HnswSurroundings *around, uint32 from,
							   const HnswCandidate *neighbor, HnswInsistence insistence);

/*
 * Ask n nodes for an edge to a new one, that no edge leads to yet: the first all_of of them,
 * and then others until this is enough.  Who is full gives up a neighbor that can still be
 * reached, if need be through the new node, or declines.  Returns how many agreed.  The
 * update lock is held; no buffer is locked.
 */
extern int	hnsw_ask_for_edges(HnswSurroundings *around, const HnswCandidate *new,
							   const HnswCandidate *asked, int n, int all_of, int enough);

/* hnsw_slots.c: free slots, new nodes, and nodes of a kind */

/*
 * Write the header of a node and the beginning of its vector into a zeroed
 * slot.  rest is HNSW_NO_SLOT afterwards, and so is what is below.  image: of the row's
 * attributes.
 */
extern void hnsw_fill_node(HnswIndex *ix, HnswNode *node, const NvStored *v, int level,
						   int top_level, const ItemPointerData *tid, const char *image);

/* A node to be written. */
typedef struct HnswNewNode
{
	NvStored	stored;
	int			level;
	int			top_level;
	HnswBelow	below;			/* above level 0 */
	ItemPointerData tid;		/* on level 0 */
	const char *image;			/* of its attributes */
} HnswNewNode;

/*
 * Write a node with these n neighbors to a free slot, after the rest of a long vector;
 * returns its slot.  ERROR (PROGRAM_LIMIT_EXCEEDED) when the index is full.
 */
extern uint32 hnsw_write_node(HnswIndex *ix, const HnswNewNode *new,
							  const HnswCandidate *neighbors, int n);

/*
 * Some live node on a level that has a free place for an edge, other than this
 * one, or HNSW_NO_SLOT: none was met in a few tries.  among: only those of a
 * bitmap, or NULL.  Nobody holds locks.
 */
extern uint32 hnsw_find_room(HnswIndex *ix, int level, uint32 slot, const uint8 *among,
							 uint32 nslots);

/*
 * The first live node on a level, other than near, of nslots slots from near on and
 * then from 0, that is among these (a bitmap; NULL: any); or HNSW_NO_SLOT.
 */
extern uint32 hnsw_find_live(HnswIndex *ix, int level, uint32 near, const uint8 *among,
							 uint32 nslots);

/* hnsw_reach.c: nodes that no search can find */

/*
 * Mark all nodes that can be reached from the entry point in reached, a
 * bitmap of nslots bits, zeroed.  Nobody holds locks.
 */
extern void hnsw_mark_reachable(HnswIndex *ix, uint32 entry, uint8 *reached, uint32 nslots);

/*
 * Give every live node that cannot be reached through live ones an edge from
 * one that can, and those that lead to no live node an edge to the nearest.
 * dead: a bitmap of nslots bits, or NULL: none is.  Nobody holds locks.
 */
extern void hnsw_connect_all(HnswIndex *ix, uint32 entry, const uint8 *dead, uint32 nslots);

/* Where everything near is dead, searches go on to at most so many times ef_construction. */
#define HNSW_FAR_SEARCH 16

/* hnsw_insert.c */

extern const NvInsertMethod hnsw_insert_method;

/* A hash of the place of a row; salts give independent ones. */
extern uint64 hnsw_hash_row(const ItemPointerData *tid, uint64 salt);

/*
 * The highest level of a vector: P(level >= l) = (2m)^-l.  It follows from the
 * place of its row, so that a build gives the same graph every time; and where a row has
 * many, from its number there, since all of them on one level would make that one crowded
 * in some places and empty in others.
 */
extern int	hnsw_draw_level(const HnswMeta *meta, const ItemPointerData *tid, int ordinal);

/*
 * Place a vector; its value is set in query.  image: of the row's attributes.  ordinal: its
 * number among the row's vectors.  Takes the update lock.
 */
extern void hnsw_insert_query(HnswIndex *ix, NvQuery *query, const char *image,
							  ItemPointer tid, int ordinal);

/*
 * hnsw_shared.c: the update lock of a build.  Waits can be interrupted.  Who holds it may
 * not take it again.
 */
extern void hnsw_build_lock_init(HnswBuildLock *lock);
extern void hnsw_build_lock(HnswBuildLock *lock, bool exclusive);
extern void hnsw_build_unlock(HnswBuildLock *lock, bool exclusive);

/* hnsw_build.c */

/* Phases that pg_stat_progress_create_index shows, from 2 on (1 is "initializing"). */
typedef enum HnswPhase
{
	HNSW_PHASE_LOAD = 2,
	HNSW_PHASE_LINK,
	HNSW_PHASE_WRITE,
	HNSW_PHASE_INSERT
} HnswPhase;

extern IndexBuildResult *hnsw_build(Relation heap, Relation rel, IndexInfo *info);
extern void hnsw_build_empty(Relation rel);

/* hnsw_scan.c */

/*
 * With a filter there are two ways: through the graph, or to all nodes that may pass, as
 * they lie on disk.  Through the graph takes so many visits more, by the part of nodes that
 * pass.  Where the index is in memory, so many nodes are read in the time of a visit;
 * where it is not, both are a page.  See docs/design-notes.md.
 */
#define HNSW_VISITS_TO_PASS 12
#define HNSW_READS_PER_VISIT 12

/* Through the graph with a filter, so many nodes are visited for each of ef. */
#define HNSW_WALK_VISITS 1.5

/* So many nodes of an index of so many blocks are read in the time of a visit. */
static inline double
hnsw_reads_per_visit(double blocks)
{
	return blocks <= NBuffers ? HNSW_READS_PER_VISIT : 1;
}

/*
 * How many nodes, of so many in an index, are better read without the graph: as many as
 * take no more time than the visits through it.  With m of n nodes to read, r of which take
 * the time of a visit, that is m = r * (visits + to_pass * n / m).  The planner foretells by
 * it what a search will do.
 */
static inline double
hnsw_most_read(double blocks, double nodes, int ef)
{
	double		reads = hnsw_reads_per_visit(blocks);
	double		half = reads * HNSW_WALK_VISITS * ef / 2;

	return half + sqrt(half * half + reads * HNSW_VISITS_TO_PASS * nodes);
}

extern const NvSearchMethod hnsw_search_method;

/* hnsw_vacuum.c */
extern IndexBulkDeleteResult *hnsw_bulk_delete(IndexVacuumInfo *info,
											   IndexBulkDeleteResult *stats,
											   IndexBulkDeleteCallback callback, void *state);

/*
 * A parallel worker may not call every function of the user's, and then marks what is dead
 * and no more.  The leader does the rest at the end, whatever became of the rows meanwhile.
 */
extern void hnsw_vacuum_finish(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);

/* hnsw_check.c: see NvMethod; inserts wait while an index is checked */
extern void hnsw_check(Relation heap, Relation rel, NvReport *report);
extern void hnsw_info(Relation rel, NvReport *report);

/* hnsw_prewarm.c: see NvMethod */
extern int64 hnsw_prewarm(Relation rel);

/* hnsw_options.c */
extern void hnsw_options_init(void);
extern bytea *hnsw_parse_options(Datum reloptions, bool validate);
extern HnswOptions hnsw_options_of(Relation rel);

/* hnsw_am.c */
extern void hnsw_init(void);

#endif							/* HNSW_H */
