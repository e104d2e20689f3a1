/*-------------------------------------------------------------------------
 *
 * hnsw_options.c
 *		Options of an hnsw index.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "access/reloptions.h"

static relopt_kind hnsw_relopts;

static relopt_enum_elt_def storage_values[] = {
	{"auto", HNSW_STORAGE_AUTO},
	{"float4", HNSW_STORAGE_FLOAT4},
	{"float2", HNSW_STORAGE_FLOAT2},
	{"sq8", HNSW_STORAGE_SQ8},
	{"sq16", HNSW_STORAGE_SQ16},
	{NULL, 0}
};

/* Declare the options. */
void
hnsw_options_init(void)
{
	hnsw_relopts = add_reloption_kind();
	add_int_reloption(hnsw_relopts, "m", "Neighbors that a new vector gets on each level; "
					  "it keeps at most twice as many", HNSW_DEFAULT_M, HNSW_MIN_M, HNSW_MAX_M,
					  AccessExclusiveLock);
	add_int_reloption(hnsw_relopts, "ef_construction",
					  "Candidates kept while a vector's neighbors are searched",
					  HNSW_DEFAULT_EF_CONSTRUCTION, HNSW_MIN_EF_CONSTRUCTION,
					  HNSW_MAX_EF_CONSTRUCTION, AccessExclusiveLock);
	add_enum_reloption(hnsw_relopts, "storage", "How vectors are stored in the index",
					   storage_values, HNSW_STORAGE_AUTO,
					   "Valid values are \"auto\", \"sq8\", \"sq16\", \"float2\" and \"float4\".",
					   AccessExclusiveLock);
}

/* Read the options of CREATE INDEX: amoptions. */
bytea *
hnsw_parse_options(Datum reloptions, bool validate)
{
#define OPTION(name, type) \
	{.optname = #name, .opttype = type, .offset = offsetof(HnswOptions, name)}
	static const relopt_parse_elt table[] = {
		OPTION(m, RELOPT_TYPE_INT),
		OPTION(ef_construction, RELOPT_TYPE_INT),
		OPTION(storage, RELOPT_TYPE_ENUM),
	};

	return (bytea *) build_reloptions(reloptions, validate, hnsw_relopts, sizeof(HnswOptions),
									  table, lengthof(table));
}

/* The options of an index, or their defaults. */
HnswOptions
hnsw_options_of(Relation rel)
{
	HnswOptions options = {
		.m = HNSW_DEFAULT_M,
		.ef_construction = HNSW_DEFAULT_EF_CONSTRUCTION,
		.storage = HNSW_STORAGE_AUTO
	};

	if (rel->rd_options != NULL)
		options = *(HnswOptions *) rel->rd_options;
	return options;
}
