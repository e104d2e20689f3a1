/*-------------------------------------------------------------------------
 *
 * ivf_vacuum.c
 *		Removes dead rows from an ivf index.  See README, "Vacuum".
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "utils/memutils.h"

/* An entry takes the place of a dead one. */
typedef struct Move
{
	uint32		from;
	uint32		to;
} Move;

typedef struct Vacuum
{
	IvfIndex	ix;
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	float	   *centroid;		/* of the list being vacuumed */
	bool	   *dead;			/* entries of the group being vacuumed */
	Move	   *moves;
	char	   *records;		/* room for those of a page */
} Vacuum;

/* Find the dead entries of a group, whose code page is locked; returns how many. */
static uint32
find_dead(Vacuum *v, const IvfGroup *group)
{
	Buffer		records = InvalidBuffer;
	uint32		ndead = 0;

	for (uint32 i = 0; i < group->n; i++)
	{
		v->dead[i] = nv_row_gone(v->callback, v->callback_state,
								 ivf_read_record(&v->ix, group, i, &records)->tid);
		ndead += v->dead[i];
	}
	ivf_release_page(&records);
	return ndead;
}

/*
 * Plan which entries of n take the places of dead ones: those from the end.
 * Returns how many move; *left is how many entries there will be.
 */
static uint32
plan_moves(Vacuum *v, uint32 n, uint32 *left)
{
	uint32		nmoves = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (!v->dead[i])
			continue;
		do
			n--;
		while (n > i && v->dead[n]);
		if (n > i)
			v->moves[nmoves++] = (Move) {n, i};
	}
	Assert(nmoves <= v->ix.layout.entries);
	*left = n;
	return nmoves;
}

/* Records in the page of their group move in it. */
static void
move_inline(Vacuum *v, Buffer buffer, uint32 nmoves, uint32 left)
{
	IvfIndex   *ix = &v->ix;
	NvChange	change;
	IvfGroup   *group;

	nv_change_begin(&change, ix->rel, true);
	group = ivf_group_of(nv_change_page(&change, buffer, false));
	Assert(left <= group->n);
	for (uint32 i = 0; i < nmoves; i++)
		memcpy(ivf_inline_record(ix, group, v->moves[i].to),
			   ivf_inline_record(ix, group, v->moves[i].from), ix->layout.record.bytes);
	group->n = left;
	group->version++;
	nv_change_finish(&change);
}

/* Records longer than a page stay where they are, and their pages change owners. */
static void
exchange_pages(Vacuum *v, Buffer buffer, uint32 nmoves, uint32 left)
{
	uint32		pages = v->ix.layout.record.pages;
	Buffer		records = InvalidBuffer;
	NvChange	change;
	Page		page;
	IvfGroup   *group;

	nv_change_begin(&change, v->ix.rel, true);
	page = nv_change_page(&change, buffer, false);
	group = ivf_group_of(page);
	for (uint32 i = 0; i < nmoves; i++)
	{
		const Move *m = &v->moves[i];

		Assert(m->to < left && m->from >= left);
		for (uint32 p = 0; p < pages; p++)
		{
			BlockNumber block = group->records[m->from * pages + p];

			group->records[m->from * pages + p] = group->records[m->to * pages + p];
			group->records[m->to * pages + p] = block;
		}
		ivf_code_entry(&v->ix, page, m->to, v->centroid,
					   ivf_read_record(&v->ix, group, m->to, &records));
		ivf_write_image(&v->ix, page, m->to, ivf_image(&v->ix, group, m->from));
	}
	ivf_release_page(&records);
	group->n = left;
	group->version++;
	nv_change_finish(&change);
}

/* Do n moves to one record page, after which so many entries are left. */
static void
move_to_page(Vacuum *v, Buffer buffer, const Move *moves, uint32 n, uint32 left)
{
	IvfIndex   *ix = &v->ix;
	Size		bytes = ix->layout.record.bytes;
	const IvfGroup *old = ivf_group_of(BufferGetPage(buffer));
	Buffer		source = InvalidBuffer;
	Buffer		target;
	NvChange	change;
	Page		page;
	Page		record_page;
	IvfGroup   *group;

	for (uint32 i = 0; i < n; i++)
		memcpy(v->records + i * bytes, ivf_read_record(ix, old, moves[i].from, &source), bytes);
	ivf_release_page(&source);

	/* a page keeps its order: what moves comes from behind all that stays */
	Assert(left < old->n);
	target = ivf_lock_records(ix, old->records[moves->to / ix->layout.record.per_page],
							  BUFFER_LOCK_EXCLUSIVE);
	nv_change_begin(&change, ix->rel, true);
	page = nv_change_page(&change, buffer, false);
	record_page = nv_change_page(&change, target, false);
	group = ivf_group_of(page);
	for (uint32 i = 0; i < n; i++)
	{
		uint32		number;
		uint32		offset;

		/* in ascending order of places, and towards the front */
		Assert(moves[i].to < moves[i].from);
		Assert(i == 0 || (moves[i].to > moves[i - 1].to && moves[i].from < moves[i - 1].from));
		ivf_locate(&ix->layout.record, moves[i].to, &number, &offset);
		Assert(number == moves->to / ix->layout.record.per_page);
		memcpy(NV_PAGE_CONTENTS(record_page) + offset, v->records + i * bytes, bytes);
		ivf_code_entry(ix, page, moves[i].to, v->centroid,
					   (const IvfRecord *) (v->records + i * bytes));
		ivf_write_image(ix, page, moves[i].to, ivf_image(ix, group, moves[i].from));
	}
	group->n = left;
	group->version++;
	nv_change_finish(&change);
	UnlockReleaseBuffer(target);
}

/* There is nothing to move: the dead are the last. */
static void
cut_off(Vacuum *v, Buffer buffer, uint32 left)
{
	NvChange	change;
	IvfGroup   *group;

	nv_change_begin(&change, v->ix.rel, true);
	group = ivf_group_of(nv_change_page(&change, buffer, false));
	Assert(left < group->n);
	group->n = left;
	group->version++;
	nv_change_finish(&change);
}

/* Remove the dead entries of a group, exclusively locked; v->dead tells which. */
static void
compact(Vacuum *v, Buffer buffer)
{
	uint32		per_page = v->ix.layout.record.per_page;
	uint32		left;
	uint32		nmoves = plan_moves(v, ivf_group_of(BufferGetPage(buffer))->n, &left);
	uint32		n;

	Assert(nv_may_change(buffer));
	if (nmoves > 0 && ivf_inline(&v->ix))
	{
		move_inline(v, buffer, nmoves, left);
		return;
	}
	if (nmoves > 0 && per_page == 0)
	{
		exchange_pages(v, buffer, nmoves, left);
		return;
	}
	/*
	 * After each step, the entries before the last that moved are all there
	 * are; dead ones among them go with a later step.
	 */
	for (uint32 i = 0; i < nmoves; i += n)
	{
		for (n = 1; i + n < nmoves &&
			 v->moves[i + n].to / per_page == v->moves[i].to / per_page; n++)
			;
		move_to_page(v, buffer, v->moves + i, n, v->moves[i + n - 1].from);
		NV_TEST_POINT("ivf_entries_moved");
	}
	if (ivf_group_of(BufferGetPage(buffer))->n != left)
		cut_off(v, buffer, left);
}

/* Vacuum a group; returns whether it has room. */
static bool
vacuum_group(Vacuum *v, BlockNumber block, uint32 list, BlockNumber *next)
{
	Buffer		buffer = ivf_lock_group(&v->ix, block, list, BUFFER_LOCK_SHARE);
	const IvfGroup *group = ivf_group_of(BufferGetPage(buffer));
	uint32		ndead = find_dead(v, group);
	bool		has_room;

	if (ndead > 0)
	{
		/* entries may be added between the locks, but only vacuum moves them */
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		ndead = find_dead(v, group);
		compact(v, buffer);
		v->stats->tuples_removed += ndead;
	}
	v->stats->num_index_tuples += group->n;
	*next = group->next;
	has_room = group->n < v->ix.layout.entries;
	UnlockReleaseBuffer(buffer);
	return has_room;
}

/* Vacuum the groups of a list, one after the other. */
static void
vacuum_list(Vacuum *v, uint32 list)
{
	IvfList		entry = ivf_read_list(&v->ix, list);
	double		removed = v->stats->tuples_removed;
	BlockNumber room = InvalidBlockNumber;
	BlockNumber next;

	ivf_read_centroid(&v->ix, list, v->centroid);
	for (BlockNumber block = entry.first; block != InvalidBlockNumber; block = next)
	{
		NV_VACUUM_DELAY_POINT();
		if (vacuum_group(v, block, list, &next) && room == InvalidBlockNumber)
			room = block;
	}
	if (v->stats->tuples_removed > removed && room != InvalidBlockNumber && room != entry.room)
		ivf_set_room(&v->ix, list, room);
}

/* Remove dead rows: ambulkdelete. */
IndexBulkDeleteResult *
ivf_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				IndexBulkDeleteCallback callback, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ivf vacuum",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Vacuum		v = {.callback = callback, .callback_state = state};

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = 0;
	stats->estimated_count = false;
	v.stats = stats;

	old = MemoryContextSwitchTo(context);
	ivf_open(&v.ix, info->index);
	v.ix.strategy = info->strategy;
	v.centroid = palloc(sizeof(float) * v.ix.length);
	v.dead = palloc(sizeof(bool) * v.ix.layout.entries);
	v.moves = palloc(sizeof(Move) * v.ix.layout.entries);
	v.records = palloc((Size) v.ix.layout.record.bytes * Max(v.ix.layout.record.per_page, 1));
	for (uint32 list = 0; list < v.ix.meta.lists; list++)
		vacuum_list(&v, list);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}
