/*-------------------------------------------------------------------------
 *
 * tap.h
 *		A small harness for test programs that report in TAP, the Test
 *		Anything Protocol.
 *
 * One test is either one tap_ok(), or tap_begin() .. tap_end() around any
 * number of checks that call tap_fail() when they find something wrong.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

#define TAP_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))

/* Start a test; the name is that of the line that tap_end() prints. */
extern void tap_begin(const char *fmt,...) TAP_FORMAT(1, 2);

/*
 * The running test has failed.  The first few reasons of each test are
 * printed and the rest only counted, so that a broken kernel does not print
 * a line for each of its thousand inputs.
 */
extern void tap_fail(const char *fmt,...) TAP_FORMAT(1, 2);

/* Finish the test: print "ok" or "not ok". */
extern void tap_end(void);

/* A test of one condition. */
extern void tap_ok(bool condition, const char *fmt,...) TAP_FORMAT(2, 3);

/* A comment line. */
extern void tap_comment(const char *fmt,...) TAP_FORMAT(1, 2);

/* Print the plan; returns the exit status of the program. */
extern int	tap_done(void);

/* Report a signal that ends the program with the name of the running test. */
extern void tap_catch_signals(void);

#endif							/* TAP_H */
