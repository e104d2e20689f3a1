/*-------------------------------------------------------------------------
 *
 * am_method.c
 *		The index methods that there are.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_method.h"

#include "utils/rel.h"

#define MOST_METHODS 8

static const NvMethod *methods[MOST_METHODS];
static int	nmethods;

/* Remember a method for as long as the backend lives. */
void
nv_method_register(const NvMethod *method)
{
	Assert(nmethods < MOST_METHODS);
	Assert(method->build != NULL && method->check != NULL && method->info != NULL);
	Assert(method->insert != NULL && method->search != NULL);
	methods[nmethods++] = method;
}

/* Find the method of an index by the function that builds it. */
const NvMethod *
nv_method_of(Relation index)
{
	for (int i = 0; i < nmethods; i++)
	{
		if (index->rd_indam != NULL && index->rd_indam->ambuild == methods[i]->build)
			return methods[i];
	}
	return NULL;
}
