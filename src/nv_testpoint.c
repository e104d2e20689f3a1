/*-------------------------------------------------------------------------
 *
 * nv_testpoint.c
 *		Places where a test can make a backend wait; in test builds only.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "nv_testpoint.h"

#ifdef NANOVEC_TEST_POINTS

#include "utils/fmgrprotos.h"
#include "utils/guc.h"

static char *test_point;

/* Define the setting that says where to wait. */
void
nv_test_point_init(void)
{
	DefineCustomStringVariable("nanovec.test_point", "Where this backend waits for the test.",
							   NULL, &test_point, "", PGC_USERSET, 0, NULL, NULL, NULL);
}

/* Wait here, if the setting names this place. */
void
nv_test_point(const char *name)
{
	if (strcmp(test_point, name) != 0)
		return;
	DirectFunctionCall1(pg_advisory_lock_shared_int8, Int64GetDatum(NV_TEST_POINT_KEY));
	DirectFunctionCall1(pg_advisory_unlock_shared_int8, Int64GetDatum(NV_TEST_POINT_KEY));
}

#endif							/* NANOVEC_TEST_POINTS */
