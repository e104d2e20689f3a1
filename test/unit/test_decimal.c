/*-------------------------------------------------------------------------
 *
 * test_decimal.c
 *		nv_read_decimal() against strtof(): the same to the bit, and as far.
 *
 * Environment: NANOVEC_DECIMALS is how many random numbers of each kind are
 * read; NANOVEC_TEST_QUICK, set to anything, makes them few.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tap.h"
#include "types/decimal.h"

#define TEXT_ROOM 200
#define LONG_TEXT 200000

/* Texts end where what follows cannot be read. */
static Region memory;

/* Read one text both ways; returns whether strtof() was not needed. */
static bool
compare(const char *original)
{
	size_t		size = strlen(original) + 1;
	const char *text = memcpy(memory.end - size, original, size);
	char	   *end = NULL;
	char	   *want_end;
	float		want = strtof(text, &want_end);
	float		got;

	if (!nv_read_decimal(text, &end, &got))
		return false;
	if (memcmp(&got, &want, sizeof(got)) != 0 || end != want_end)
		tap_fail("\"%s\": %a of %d characters, not %a of %d", text, (double) got,
				 (int) (end - text), (double) want, (int) (want_end - text));
	return true;
}

/* Digits, perhaps a point, perhaps an exponent: any number as people write it. */
static void
random_number(char *text)
{
	int			whole = random_int(0, 3) == 0 ? random_int(0, 30) : random_int(0, 2);
	int			fraction = random_int(0, 25);
	char	   *p = text;

	if (random_int(0, 1))
		*p++ = random_int(0, 3) ? '-' : '+';
	for (int i = 0; i < whole; i++)
		*p++ = (char) ('0' + random_int(0, 9));
	if (random_int(0, 3))
		*p++ = '.';
	for (int i = 0; i < fraction; i++)
		*p++ = (char) ('0' + (random_int(0, 9) ? random_int(0, 9) : 0));
	if (random_int(0, 2) == 0)
		p += sprintf(p, "%c%s%d", random_int(0, 1) ? 'e' : 'E',
					 random_int(0, 1) ? "" : random_int(0, 1) ? "+" : "-", random_int(-30, 30));
	*p++ = ",]} x"[random_int(0, 4)];
	*p = '\0';
}

/* A float as programs print it: shortest, of a double, or with some digits. */
static void
random_print(char *text)
{
	uint32_t	bits = (uint32_t) random_bits();
	float		x;

	if (random_int(0, 3))
		x = (float) (random_gaussian() * (random_int(0, 1) ? 0.05 : 1));
	else
		memcpy(&x, &bits, sizeof(x));
	sprintf(text, random_int(0, 1) ? "%.*g," : "%.*e,", random_int(1, 20),
			x * (random_int(0, 1) ? 1 : 1 + random_uniform() * 1e-7));
}

/* At, or very near, the middle between two floats. */
static void
random_middle(char *text)
{
	uint32_t	bits = (uint32_t) random_int(0x30000000, 0x60000000);
	float		x;
	double		middle;

	memcpy(&x, &bits, sizeof(x));
	middle = ((double) x + (double) nextafterf(x, INFINITY)) / 2;
	if (random_int(0, 1))
		middle = nextafter(middle, random_int(0, 1) ? 0 : INFINITY);
	if (random_int(0, 1))
		sprintf(text, "%.*g,", random_int(10, 40), middle);
	else
		sprintf(text, "%.*f%d,", random_int(0, 60), middle, random_int(0, 9));
}

/* Characters that numbers are made of, in no order. */
static void
random_text(char *text)
{
	int			n = random_int(0, 12);

	for (int i = 0; i < n; i++)
		text[i] = "0123456789.+-eExXinfa ,"[random_int(0, 22)];
	text[n] = '\0';
}

static void
check_random(const char *name, void (*make) (char *text), double least_share)
{
	const char *wanted = getenv("NANOVEC_DECIMALS");
	long		n = wanted != NULL ? atol(wanted) : quick_mode() ? 20000 : 1000000;
	long		fast = 0;
	char		text[TEXT_ROOM];

	tap_begin("%s", name);
	for (long i = 0; i < n; i++)
	{
		make(text);
		fast += compare(text);
	}
	if ((double) fast < least_share * (double) n)
		tap_fail("only %ld of %ld without strtof()", fast, n);
	tap_end();
}

static void
check_examples(void)
{
	static const char *const texts[] = {
		"0", "-0", "+0", "0e99999", "0.0", "1", "1.", ".5", "-.5e3", "1e", "1e+", "1e-", "1e5",
		"1E-5x", ".", "-", "+", "", "e5", "-e5", "0x10", "0x", "00x1", "1x", "inf", "-nan", " 1", "1 ",
		/* middles between floats, and beside them */
		"16777217", "16777217.0000000000000000001", "16777216.9999999999999999999",
		"33554434", "33554438", "1.000000059604644775390625", "1.0000000596046447753906250000001",
		"1.00000005960464477539062499999999", "9007199254740992", "9007199254740993",
		"9007199254740991.5", "90071992547409915e-1",
		/* the ends of the range */
		"3.4028235e38", "3.4028236e38", "1e39", "1e-45", "1e-46", "1.17549435e-38", "1e-22", "1e22",
		"1e23", "1e-23", "1e00000000000000000005", "1e2147483648", "1e-99999999999999999999",
		"123456789012345678901234567890", "0.00000000000000000000000000000123"
	};

	tap_begin("numbers to know");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		compare(texts[i]);
	tap_end();
}

/* An exponent that as many zeros undo. */
static void
check_long(void)
{
	static char text[LONG_TEXT];

	tap_begin("a hundred thousand zeros and an exponent");
	for (int zeros = 9990; zeros <= 123460; zeros += zeros < 10010 ? 1 : 113450)
	{
		static const char *const exponents[] = {"e9999", "e1234567", "e123456", "e10000"};

		memset(text, '0', sizeof(text));
		text[1] = '.';
		for (int i = 0; i < 4; i++)
		{
			sprintf(text + 2 + zeros, "5%s", exponents[i]);
			compare(text);
		}
	}
	tap_end();
}

int
main(void)
{
	tap_catch_signals();
	memory = region_create(LONG_TEXT);
	random_seed(2021);
	check_examples();
	check_long();
	check_random("numbers as people write them", random_number, 0.6);
	check_random("numbers as programs print them", random_print, 0.6);
	check_random("middles between floats", random_middle, 0);
	check_random("characters in no order", random_text, 0);
	return tap_done();
}
