/*-------------------------------------------------------------------------
 *
 * nanovec.c
 *		What happens when a backend loads the library.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "am/am_stats.h"
#include "hnsw/hnsw.h"
#include "ivf/ivf.h"
#include "nv_guc.h"
#include "nv_testpoint.h"
#include "nv_workers.h"
#include "simd/simd.h"

NV_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* Prepare everything when the library is loaded. */
void
_PG_init(void)
{
	const char *unknown;

	if (!nv_simd_init(&unknown))
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown CPU feature \"%s\" in NANOVEC_DISABLE_CPU", unknown)));
	nv_guc_init();
	nv_test_point_init();
	nv_workers_init();
	nv_stats_init();
	hnsw_init();
	ivf_init();
}
