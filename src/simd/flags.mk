#-------------------------------------------------------------------------
#
# flags.mk
#		Compiler flags for the kernels, included by every Makefile that
#		builds them: give $(NV_FLOAT_CFLAGS) to all objects, and
#		$(NV_KERNEL_CFLAGS) to those of kern_*.c.
#
# Compilers for 32-bit x86 compute in the x87 unit, which keeps more digits
# than a float or double has for as long as a number stays in its registers.
# Then what is computed twice can come out different: a distance is not equal
# to itself, a bound is above the distance.  SSE2, which CPUs have had since
# 2001, computes as every other machine does.
#
# Intel CPUs from Skylake to Cascade Lake run a loop from their slow decoder
# when a branch in it touches the end of a 32-byte line ("jump conditional
# code erratum", 2019), which costs kernels up to a fifth of their speed
# whenever the linker happens to place them so.  The flag, spelt as the
# compiler wants it, makes the assembler keep branches away from there; other
# machines have no such flag.
#
# Kernels use fused instructions where they say so, and nowhere else: some of
# their results are the same to the bit on every CPU.
#
#-------------------------------------------------------------------------

nv_comma = ,
NV_KERNEL_CFLAGS := -ffp-contract=off $(firstword $(foreach flag, \
	-mbranches-within-32B-boundaries -Wa$(nv_comma)-mbranches-within-32B-boundaries, \
	$(shell $(CC) $(flag) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(flag))))

NV_FLOAT_CFLAGS := $(if $(shell $(CC) -dM -E -x c /dev/null 2>/dev/null | grep -w __i386__), \
	-msse2 -mfpmath=sse)
