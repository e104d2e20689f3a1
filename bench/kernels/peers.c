/*-------------------------------------------------------------------------
 *
 * peers.c
 *		Finds numpy's dot product and SimSIMD's metrics in the shared
 *		objects that their Python packages install, so that they can be
 *		called from C exactly like the kernels of nanovec.
 *
 * numpy computes the dot product of floats with the BLAS that it brings: its
 * cblas_sdot, whose name has a prefix and a suffix that vary.  SimSIMD's own
 * functions are not exported, but the lookup is that hands out pointers to
 * them, for the instruction sets that one allows.
 *
 *-------------------------------------------------------------------------
 */
#include "bench.h"

#include <dlfcn.h>
#include <stdio.h>

/* Values of SimSIMD's C interface, version 6. */
#define SIMSIMD_F32 (1 << 11)
#define SIMSIMD_DOT 'i'
#define SIMSIMD_COS 'c'
#define SIMSIMD_L2SQ 'e'
#define SIMSIMD_HASWELL (1 << 10)	/* AVX2 */
#define SIMSIMD_SKYLAKE (1 << 11)	/* AVX-512 */

typedef void (*SimsimdFind) (int kind, int datatype, int supported, int allowed,
							 Function *kernel, int *capability);

static void *
open_library(const char *path)
{
	void	   *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL)
		printf("cannot load a peer: %s\n", dlerror());
	return lib;
}

/* The first of these names that the library exports. */
static Function
find_symbol(void *lib, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		Function	f;

		*(void **) &f = dlsym(lib, *names);
		if (f != NULL)
			return f;
	}
	return NULL;
}

/* SimSIMD's function for exactly this instruction set, or NULL. */
static Function
find_simsimd(SimsimdFind find, int supported, int kind, int capability)
{
	Function	f = NULL;
	int			found = 0;

	if ((supported & capability) == 0)
		return NULL;
	find(kind, SIMSIMD_F32, supported, capability, &f, &found);
	return found == capability ? f : NULL;
}

Peers
peers_load(const char *blas_path, const char *simsimd_path)
{
	static const char *const dot_names[] = {
		"scipy_cblas_sdot64_", "cblas_sdot64_", "scipy_cblas_sdot", "cblas_sdot", NULL
	};
	static const char *const core_names[] = {
		"scipy_openblas_get_corename64_", "openblas_get_corename64_",
		"scipy_openblas_get_corename", "openblas_get_corename", NULL
	};
	static const char *const find_names[] = {"simsimd_find_kernel_punned", NULL};
	static const char *const capability_names[] = {"simsimd_capabilities", NULL};
	Peers		p = {0};
	void	   *lib;

	if (blas_path != NULL && (lib = open_library(blas_path)) != NULL)
	{
		Function	core = find_symbol(lib, core_names);

		p.blas_dot = find_symbol(lib, dot_names);
		p.blas_core = core != NULL ? ((const char *(*) (void)) core) () : "?";
	}
	if (simsimd_path != NULL && (lib = open_library(simsimd_path)) != NULL)
	{
		SimsimdFind find = (SimsimdFind) find_symbol(lib, find_names);
		Function	capabilities = find_symbol(lib, capability_names);

		for (int i = 0; find != NULL && capabilities != NULL && i < 2; i++)
		{
			int			supported = ((int (*) (void)) capabilities) ();
			int			capability = i == 0 ? SIMSIMD_HASWELL : SIMSIMD_SKYLAKE;

			p.simsimd_l2sq[i] = find_simsimd(find, supported, SIMSIMD_L2SQ, capability);
			p.simsimd_dot[i] = find_simsimd(find, supported, SIMSIMD_DOT, capability);
			p.simsimd_cos[i] = find_simsimd(find, supported, SIMSIMD_COS, capability);
		}
	}
	return p;
}
