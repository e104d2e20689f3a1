/*-------------------------------------------------------------------------
 *
 * am_results.c
 *		What a scan found, waiting to go out by its bound.
 *
 * A scan that goes on and on adds results while many others wait, and takes
 * the least now and then: a heap makes each of these steps cheap.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_results.h"

#include <limits.h>
#include <math.h>

#include "am/am_heap.h"
#include "utils/memutils.h"

#define FIRST_ROOM 64

static inline bool
before(const NvResult *a, const NvResult *b)
{
	return a->bound < b->bound || (a->bound == b->bound && a->item < b->item);
}

NV_DEFINE_HEAP(heap, NvResult, before, NV_HEAP_PUT)

void
nv_results_reset(NvResults *r)
{
	memset(r, 0, sizeof(*r));
	r->last.bound = -INFINITY;
}

/* The room after making it larger: by a quarter, since memory may be short. */
static inline int
larger_room(const NvResults *r)
{
	return r->room + Max(r->room / 4, FIRST_ROOM);
}

Size
nv_results_growth(const NvResults *r, int n)
{
	Assert(n <= FIRST_ROOM);
	return r->n + n <= r->room ? 0 : sizeof(NvResult) * (larger_room(r) - r->room);
}

void
nv_results_reserve(NvResults *r, int n)
{
	Assert(r->n <= r->room);
	if (n <= r->room)
		return;
	r->room = n;
	r->results = r->results == NULL ?
		palloc_extended(sizeof(NvResult) * r->room, MCXT_ALLOC_HUGE) :
		repalloc_huge(r->results, sizeof(NvResult) * r->room);
}

void
nv_results_add(NvResults *r, double bound, uint64 item, bool strict)
{
	NvResult	result = {bound, item};

	/* NaN has no place in an order */
	Assert(!isnan(bound));
	if (strict && !before(&r->last, &result))
		return;
	if (r->n == r->room)
		nv_results_reserve(r, larger_room(r));
	Assert(r->n < r->room);
	r->results[r->n] = result;
	heap_up(NULL, r->results, r->n++);
}

void
nv_results_ready(NvResults *r, double horizon)
{
	Assert(!isnan(horizon));
	r->horizon = horizon;
	r->nready = INT_MAX;
}

void
nv_results_ready_least(NvResults *r, int n)
{
	Assert(n >= 0);
	r->horizon = INFINITY;
	r->nready = n;
}

void
nv_results_pop(NvResults *r)
{
	Assert(nv_results_peek(r) != NULL);
	r->last = r->results[0];
	r->nready--;
	r->results[0] = r->results[--r->n];
	if (r->n > 0)
		heap_down(NULL, r->results, r->n, 0);
}
