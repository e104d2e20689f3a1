#-------------------------------------------------------------------------
#
# flags.mk
#		Compiler flags for the kernels, included by every Makefile that
#		builds them: give $(NV_KERNEL_CFLAGS) to the objects of kern_*.c.
#
# Intel CPUs from Skylake to Cascade Lake run a loop from their slow decoder
# when a branch in it touches the end of a 32-byte line ("jump conditional
# code erratum", 2019), which costs kernels up to a fifth of their speed
# whenever the linker happens to place them so.  The flag, spelt as the
# compiler wants it, makes the assembler keep branches away from there; other
# machines have no such flag.
#
#-------------------------------------------------------------------------

nv_comma = ,
NV_KERNEL_CFLAGS := $(firstword $(foreach flag, \
	-mbranches-within-32B-boundaries -Wa$(nv_comma)-mbranches-within-32B-boundaries, \
	$(shell $(CC) $(flag) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(flag))))
