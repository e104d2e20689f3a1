/*-------------------------------------------------------------------------
 *
 * nv_testpoint.h
 *		Places where a test can make a backend wait.
 *
 * In test builds (make TEST_POINTS=1), a backend that has set
 * nanovec.test_point to the name of a point waits there for the advisory lock
 * NV_TEST_POINT_KEY, which the test holds.  In other builds there is nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_TESTPOINT_H
#define NV_TESTPOINT_H

#define NV_TEST_POINT_KEY 4711

#ifdef NANOVEC_TEST_POINTS
extern void nv_test_point(const char *name);
extern void nv_test_point_init(void);

#define NV_TEST_POINT(name) nv_test_point(name)
#else
#define NV_TEST_POINT(name) ((void) 0)
#define nv_test_point_init() ((void) 0)
#endif

#endif							/* NV_TESTPOINT_H */
