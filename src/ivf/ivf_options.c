/*-------------------------------------------------------------------------
 *
 * ivf_options.c
 *		Options of ivf and ivfflat indexes.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include "access/reloptions.h"

#define IVFFLAT_DEFAULT_LISTS 100

static relopt_kind ivf_relopts;
static relopt_kind ivfflat_relopts;

static relopt_enum_elt_def quantizer_values[] = {
	{"sq8", IVF_QUANTIZER_SQ8},
	{"none", IVF_QUANTIZER_NONE},
	{NULL, 0}
};

/* Declare the options. */
void
ivf_options_init(void)
{
	ivf_relopts = add_reloption_kind();
	add_int_reloption(ivf_relopts, "lists", "Number of lists; 0 chooses it from the number of rows",
					  0, 0, IVF_MAX_LISTS, AccessExclusiveLock);
	add_enum_reloption(ivf_relopts, "quantizer", "How vectors are stored in the index",
					   quantizer_values, IVF_QUANTIZER_SQ8,
					   "Valid values are \"sq8\" and \"none\".", AccessExclusiveLock);
	ivfflat_relopts = add_reloption_kind();
	add_int_reloption(ivfflat_relopts, "lists", "Number of lists", IVFFLAT_DEFAULT_LISTS,
					  IVF_MIN_LISTS, IVF_MAX_LISTS, AccessExclusiveLock);
}

#define OPTION(name, type) \
	{.optname = #name, .opttype = type, .offset = offsetof(IvfOptions, name)}

/* Read the options of CREATE INDEX: amoptions of ivf. */
bytea *
ivf_parse_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		OPTION(lists, RELOPT_TYPE_INT),
		OPTION(quantizer, RELOPT_TYPE_ENUM),
	};

	return (bytea *) build_reloptions(reloptions, validate, ivf_relopts, sizeof(IvfOptions),
									  table, lengthof(table));
}

/* Read the options of CREATE INDEX: amoptions of ivfflat, and what tells its indexes. */
bytea *
ivf_parse_flat_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		OPTION(lists, RELOPT_TYPE_INT),
	};

	return (bytea *) build_reloptions(reloptions, validate, ivfflat_relopts, sizeof(IvfOptions),
									  table, lengthof(table));
}

/* Whether an index is one of ivfflat. */
bool
ivf_is_flat(Relation rel)
{
	return rel->rd_indam->amoptions == ivf_parse_flat_options;
}

/* The options of an index, or their defaults. */
IvfOptions
ivf_options_of(Relation rel)
{
	bool		flat = ivf_is_flat(rel);
	IvfOptions	options = {
		.lists = flat ? IVFFLAT_DEFAULT_LISTS : 0,
		.quantizer = IVF_QUANTIZER_SQ8
	};

	if (rel->rd_options != NULL)
		options = *(IvfOptions *) rel->rd_options;
	if (flat)
		options.quantizer = IVF_QUANTIZER_NONE;
	return options;
}
