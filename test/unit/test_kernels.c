/*-------------------------------------------------------------------------
 *
 * test_kernels.c
 *		Runs every kernel of every variant that this CPU has against plain
 *		references: one test for each kernel of each variant.
 *
 * Environment: NANOVEC_EXPECT_VARIANTS lists variants (separated by spaces)
 * that it is an error for this CPU to lack; NANOVEC_TEST_QUICK, set to
 * anything, runs fewer inputs.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "simd/cpu.h"
#include "tap.h"

static bool
variant_expected(const char *name)
{
	const char *list = getenv("NANOVEC_EXPECT_VARIANTS");
	size_t		len = strlen(name);

	while (list != NULL && *(list += strspn(list, " ")) != '\0')
	{
		size_t		item = strcspn(list, " ");

		if (item == len && strncmp(list, name, len) == 0)
			return true;
		list += item;
	}
	return false;
}

/* The names of the features in a set. */
static const char *
feature_list(uint32_t features)
{
	static char text[300];

	text[0] = '\0';
	for (int i = 0; i < 32; i++)
	{
		if ((features & (1u << i)) != 0)
		{
			const char *name = nv_cpu_feature_name(1u << i);
			size_t		used = strlen(text);

			snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "",
					 name != NULL ? name : "?");
		}
	}
	return text;
}

static void
check_variant(const NvVariant *v, uint32_t features)
{
	if ((v->needs & features) != v->needs)
	{
		const char *missing = feature_list(v->needs & ~features);

		if (variant_expected(v->name))
			tap_ok(false, "variant %s: not on this CPU (needs %s)", v->name, missing);
		else
			tap_comment("variant %s: not on this CPU (needs %s)", v->name, missing);
		return;
	}
	tap_comment("variant %s", v->name);
	check_dense(v);
	check_half(v);
	check_codes(v);
	check_matrix(v);
	check_panel(v);
	check_sparse(v);
}

/* A variant that NANOVEC_EXPECT_VARIANTS names but this binary does not contain. */
static void
check_expected_exist(void)
{
	char		list[300];
	const char *expected = getenv("NANOVEC_EXPECT_VARIANTS");

	snprintf(list, sizeof(list), "%s", expected != NULL ? expected : "");
	for (char *name = strtok(list, " "); name != NULL; name = strtok(NULL, " "))
	{
		bool		found = false;

		for (int i = 0; i < nv_simd_variant_count(); i++)
			found |= strcmp(nv_simd_variant(i)->name, name) == 0;
		if (!found)
			tap_ok(false, "variant %s: not in this binary", name);
	}
}

/* The variant that supplies kernel number i, according to its name; or NULL. */
static const NvKernels *
kernels_of(int i)
{
	const char *name = nv_simd_kernel_variant(i);

	for (int v = 0; name != NULL && v < nv_simd_variant_count(); v++)
	{
		if (strcmp(nv_simd_variant(v)->name, name) == 0)
			return nv_simd_variant(v)->kernels;
	}
	return NULL;
}

/* What the dispatcher chose is there, and comes from where it says. */
static void
check_choice(void)
{
	const char *bad;
	int			i = 0;

	unsetenv("NANOVEC_DISABLE_CPU");
	tap_ok(nv_simd_init(&bad) && bad[0] == '\0', "nv_simd_init without NANOVEC_DISABLE_CPU");

#define CHECK_CHOICE(ret, kernel, args) \
	tap_begin("chosen: " #kernel " of %s", \
			  nv_simd_kernel_variant(i) != NULL ? nv_simd_kernel_variant(i) : "(none)"); \
	if (nv_kern.kernel == NULL) \
		tap_fail("not there"); \
	if (strcmp(nv_simd_kernel_name(i), #kernel) != 0) \
		tap_fail("its name is %s", nv_simd_kernel_name(i)); \
	if (kernels_of(i) == NULL || kernels_of(i)->kernel != nv_kern.kernel) \
		tap_fail("not the kernel of that variant"); \
	if (nv_simd_variant(0)->kernels->kernel == NULL) \
		tap_fail("no scalar form"); \
	tap_end(); \
	i++;
	NV_KERNELS(CHECK_CHOICE)
#undef CHECK_CHOICE
	tap_ok(i == nv_simd_kernel_count(), "nv_simd_kernel_count");
}

int
main(void)
{
	uint32_t	features = nv_cpu_detect();

	tap_catch_signals();
	tap_comment("CPU features: %s", feature_list(features));
	check_half_inline();
	for (int i = 0; i < nv_simd_variant_count(); i++)
		check_variant(nv_simd_variant(i), features);
	check_expected_exist();
	check_choice();
	return tap_done();
}
