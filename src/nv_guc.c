/*-------------------------------------------------------------------------
 *
 * nv_guc.c
 *		Every setting, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <limits.h>

#include "nv_edition.h"
#include "nv_guc.h"
#include "utils/guc.h"

int			hnsw_ef_search;
int			hnsw_iterative_scan;
int			hnsw_max_scan_tuples;
double		hnsw_scan_mem_multiplier;
IvfSettings ivf_settings;
IvfSettings ivfflat_settings;

static const struct config_enum_entry iterative_scan_options[] = {
	{"off", NV_ITERATIVE_OFF, false},
	{"relaxed_order", NV_ITERATIVE_RELAXED, false},
	{"strict_order", NV_ITERATIVE_STRICT, false},
	{NULL, 0, false}
};

/* pgvector's */
static const struct config_enum_entry ivfflat_iterative_scan_options[] = {
	{"off", NV_ITERATIVE_OFF, false},
	{"relaxed_order", NV_ITERATIVE_RELAXED, false},
	{NULL, 0, false}
};

/* Has some library defined this setting?  A value in postgresql.conf does not. */
static bool
is_defined(const char *name)
{
	return GetConfigOption(name, true, false) != NULL &&
		(GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) == 0;
}

void
nv_guc_init(void)
{
	if (is_defined("hnsw.ef_search"))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("library \"%s\" cannot be loaded beside another one with the same settings",
						nv_edition.library),
				 errhint("A session can use one of pgvector, nanovec and nanovec under pgvector's name.")));

	DefineCustomIntVariable("hnsw.ef_search",
							"How many candidates an hnsw scan keeps while it searches.",
							"More find more of the true nearest neighbors and take longer.",
							&hnsw_ef_search, 40, HNSW_MIN_EF_SEARCH, HNSW_MAX_EF_SEARCH,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("hnsw.iterative_scan",
							 "Whether an hnsw scan goes on when the query wants more rows than it found.",
							 "A filter or a large LIMIT wants more. strict_order returns rows in order "
							 "of distance, relaxed_order slightly out of it but more of them, off stops.",
							 &hnsw_iterative_scan, nv_edition.hnsw_iterative_scan,
							 iterative_scan_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("hnsw.max_scan_tuples",
							"After how many rows an iterative hnsw scan stops.",
							NULL,
							&hnsw_max_scan_tuples, 20000, 1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomRealVariable("hnsw.scan_mem_multiplier",
							 "How many times work_mem an iterative hnsw scan may use.",
							 NULL,
							 &hnsw_scan_mem_multiplier, 1, 1, 1000,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("ivf.iterative_scan",
							 "Whether an ivf scan goes on when the query wants more rows than it found.",
							 "A filter or a large LIMIT wants more. strict_order returns rows in order "
							 "of distance, relaxed_order slightly out of it but more of them, off stops.",
							 &ivf_settings.iterative_scan, NV_ITERATIVE_STRICT,
							 iterative_scan_options, PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("ivf.max_probes",
							"How many lists an iterative ivf scan looks into at most.",
							NULL,
							&ivf_settings.max_probes, IVF_MAX_LISTS, 1, IVF_MAX_LISTS,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("ivf.probes",
							"How many lists an ivf scan looks into at most; 0 lets the index choose.",
							"More find more of the true nearest neighbors and take longer; all "
							"lists give the exact answer.  Lists much farther than the nearest "
							"are passed over.",
							&ivf_settings.probes, 0, 0, IVF_MAX_LISTS,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("ivfflat.iterative_scan",
							 "Whether an ivfflat scan goes on when the query wants more rows than it found.",
							 "A filter or a large LIMIT wants more. relaxed_order returns them slightly "
							 "out of order of distance, off stops.",
							 &ivfflat_settings.iterative_scan, NV_ITERATIVE_OFF,
							 ivfflat_iterative_scan_options, PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("ivfflat.max_probes",
							"How many lists an iterative ivfflat scan looks into at most.",
							NULL,
							&ivfflat_settings.max_probes, IVF_MAX_LISTS, 1, IVF_MAX_LISTS,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("ivfflat.probes",
							"How many lists an ivfflat scan looks into.",
							"More find more of the true nearest neighbors and take longer; all "
							"lists give the exact answer.",
							&ivfflat_settings.probes, 1, 1, IVF_MAX_LISTS,
							PGC_USERSET, 0, NULL, NULL, NULL);

	MarkGUCPrefixReserved("hnsw");
	MarkGUCPrefixReserved("ivf");
	MarkGUCPrefixReserved("ivfflat");
}
