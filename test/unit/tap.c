/*-------------------------------------------------------------------------
 *
 * tap.c
 *		A small harness for test programs that report in TAP.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REASONS_SHOWN 5

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static int	tests_run = 0;
static int	tests_failed = 0;
static int	reasons = 0;		/* of the running test */
static char running[200] = "(no test)";

void
tap_begin(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vsnprintf(running, sizeof(running), fmt, args);
	va_end(args);
	reasons = 0;
}

void
tap_fail(const char *fmt,...)
{
	va_list		args;

	if (reasons++ >= REASONS_SHOWN)
		return;
	printf("# %s: ", running);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

void
tap_end(void)
{
	tests_run++;
	if (reasons > REASONS_SHOWN)
		printf("# %s: %d more\n", running, reasons - REASONS_SHOWN);
	if (reasons > 0)
		tests_failed++;
	printf("%s %d - %s\n", reasons > 0 ? "not ok" : "ok", tests_run, running);
	fflush(stdout);
}

void
tap_ok(bool condition, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vsnprintf(running, sizeof(running), fmt, args);
	va_end(args);
	reasons = condition ? 0 : 1;
	tap_end();
}

void
tap_comment(const char *fmt,...)
{
	va_list		args;

	fputs("# ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int
tap_done(void)
{
	printf("1..%d\n", tests_run);
	if (tests_failed > 0)
		printf("# %d of %d tests failed\n", tests_failed, tests_run);
	return tests_failed > 0 || tests_run == 0 ? 1 : 0;
}

static void
write_text(const char *s)
{
	/* nothing can be done here about a failing write */
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(1);
}

/* Only async-signal-safe calls from here on. */
static void
on_signal(int signo)
{
	write_text(signo == SIGILL ? "Bail out! SIGILL in " :
			   signo == SIGFPE ? "Bail out! SIGFPE in " :
			   signo == SIGBUS ? "Bail out! SIGBUS in " : "Bail out! SIGSEGV in ");
	write_text(running);
	write_text("\n");
	_exit(1);
}

void
tap_catch_signals(void)
{
	/* under the address sanitizer its own report says more */
#if !defined(__SANITIZE_ADDRESS__)
	signal(SIGSEGV, on_signal);
	signal(SIGBUS, on_signal);
	signal(SIGILL, on_signal);
	signal(SIGFPE, on_signal);
#else
	(void) on_signal;
#endif
}
