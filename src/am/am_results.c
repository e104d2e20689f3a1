/*-------------------------------------------------------------------------
 *
 * am_results.c
 *		What a scan found, waiting to go out by its bound.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_results.h"

#include <math.h>

#include "am/am_select.h"
#include "utils/memutils.h"

#define FIRST_ROOM 64

void
nv_results_reset(NvResults *r)
{
	memset(r, 0, sizeof(*r));
	r->last.bound = -INFINITY;
}

/* Make room for one more; what went out makes room first. */
static void
make_room(NvResults *r)
{
	int			waiting = nv_results_waiting(r);

	if (r->next > waiting)
		memmove(r->results, r->results + r->next, sizeof(NvResult) * waiting);
	else if (r->results == NULL)
	{
		r->room = FIRST_ROOM;
		r->results = palloc(sizeof(NvResult) * r->room);
		return;
	}
	else
	{
		r->room *= 2;
		r->results = repalloc_huge(r->results, sizeof(NvResult) * r->room);
		return;
	}
	r->nready -= r->next;
	r->n = waiting;
	r->next = 0;
}

static inline bool
before(const NvResult *a, const NvResult *b)
{
	return a->bound < b->bound || (a->bound == b->bound && a->item < b->item);
}

void
nv_results_add(NvResults *r, double bound, uint64 item, bool strict)
{
	NvResult	result = {bound, item};

	if (strict && !before(&r->last, &result))
		return;
	if (r->n == r->room)
		make_room(r);
	r->results[r->n++] = result;
}

NV_DEFINE_SELECT(select_results, NvResult, before)

#define ST_SORT sort_results
#define ST_ELEMENT_TYPE NvResult
#define ST_COMPARE(a, b) (before(a, b) ? -1 : before(b, a))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Have the next n go out, which are the least. */
static void
make_ready(NvResults *r, int n)
{
	if (n > 0)
		sort_results(r->results + r->next, n);
	r->nready = r->next + n;
}

void
nv_results_ready(NvResults *r, double horizon)
{
	int			n = 0;

	for (int i = r->next; i < r->n; i++)
	{
		NvResult	result = r->results[i];

		if (result.bound > horizon)
			continue;
		r->results[i] = r->results[r->next + n];
		r->results[r->next + n++] = result;
	}
	make_ready(r, n);
}

void
nv_results_ready_least(NvResults *r, int n)
{
	int			waiting = nv_results_waiting(r);

	n = Min(n, waiting);
	if (n > 0 && n < waiting)
		select_results(r->results + r->next, waiting, n);
	make_ready(r, n);
}
