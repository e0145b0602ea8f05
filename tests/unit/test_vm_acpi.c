/* tests/unit/test_vm_acpi.c: the encoder of ACPI's machine language, and the tables: lengths,
 * checksums, what they say; and what another reader of them (iasl, where it is installed) says. */
#include "microvm/acpi.h"
#include "microvm/aml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

#define HEADER 36u

/* --- terms --- */

static void expect(struct strbuf *b, const void *bytes, size_t len)
{
	assert_false(b->failed);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->s, bytes, len);
	strbuf_free(b);
	*b = (struct strbuf){0};
}
#define EXPECT(b, text) expect(b, text, sizeof(text) - 1)

static void numbers_take_their_shortest_form(void **state)
{
	struct strbuf b = {0};

	(void)state;
	vm_aml_integer(&b, 0);
	EXPECT(&b, "\x00");
	vm_aml_integer(&b, 1);
	EXPECT(&b, "\x01");
	vm_aml_integer(&b, 2);
	EXPECT(&b, "\x0a\x02");
	vm_aml_integer(&b, 0xff);
	EXPECT(&b, "\x0a\xff");
	vm_aml_integer(&b, 0x100);
	EXPECT(&b, "\x0b\x00\x01");
	vm_aml_integer(&b, 0x10000);
	EXPECT(&b, "\x0c\x00\x00\x01\x00");
	vm_aml_integer(&b, 0x100000000ull);
	EXPECT(&b, "\x0e\x00\x00\x00\x00\x01\x00\x00\x00");
	vm_aml_string(&b, "AB");
	EXPECT(&b, "\x0d"
		   "AB\0");
	vm_aml_name(&b, "_HID");
	EXPECT(&b, "\x08_HID");
}

/* The length that stands at p; *ret_bytes: in how many bytes. */
static size_t package_length(const char *p, size_t *ret_bytes)
{
	const uint8_t *u = (const uint8_t *)p;
	unsigned more = u[0] >> 6;
	size_t len = more ? u[0] & 0xf : u[0];

	for (unsigned i = 1; i <= more; i++)
		len |= (size_t)u[i] << (8 * i - 4);
	*ret_bytes = more + 1;
	return len;
}

static void a_package_counts_itself_at_every_size(void **state)
{
	/* name (4), length, and what is in it: around 63, 4095 and 1 MiB. */
	static const struct {
		size_t content, bytes;
	} sizes[] = {{0, 1},    {58, 1},   {59, 2},          {60, 2},          {4089, 2},
		     {4090, 3}, {4091, 3}, {1048576 - 8, 3}, {1048576 - 7, 4}, {2000000, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct strbuf b = {0}, content = {0};
		size_t bytes = 0;
		char *zero = calloc(1, sizes[i].content + 1);

		strbuf_add(&content, zero, sizes[i].content);
		vm_aml_device(&b, "V001", &content);
		assert_memory_equal(b.s, "\x5b\x82", 2);
		assert_int_equal(package_length(b.s + 2, &bytes), b.len - 2);
		assert_int_equal(bytes, sizes[i].bytes);
		assert_memory_equal(b.s + 2 + bytes, "V001", 4);
		assert_int_equal(b.len, 2 + bytes + 4 + sizes[i].content);
		free(zero);
		strbuf_free(&b);
		strbuf_free(&content);
	}
}

static void a_buffer_of_resources_byte_by_byte(void **state)
{
	struct strbuf b = {0}, r = {0};

	(void)state;
	vm_aml_memory32(&r, 0xd0001000, 0x1000);
	vm_aml_interrupt(&r, 6);
	vm_aml_resources_end(&r);
	vm_aml_buffer(&b, &r);
	EXPECT(&b, "\x11\x1a\x0a\x17"
		   "\x86\x09\x00\x01\x00\x10\x00\xd0\x00\x10\x00\x00"
		   "\x89\x06\x00\x03\x01\x06\x00\x00\x00"
		   "\x79\x00");
	strbuf_free(&r);
}

static void a_part_that_failed_fails_the_whole(void **state)
{
	struct strbuf b = {0}, bad = {.failed = true};

	(void)state;
	vm_aml_scope(&b, "\\_SB_", &bad);
	assert_true(b.failed);
	strbuf_free(&b);
}

/* --- tables --- */

static uint64_t number(const uint8_t *p, size_t at, size_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p + at, bytes);
	return v;
}

static void sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	assert_int_equal(sum, 0);
}

/* The table at that address, checked; *ret_len: its length. */
static const uint8_t *table(const struct vm_memory *m, uint64_t at, const char *signature,
			    size_t *ret_len)
{
	const uint8_t *p = vm_mem(m, at, HEADER);

	assert_non_null(p);
	assert_true(at >= VM_BOOT_ACPI && at < 0x100000);
	assert_memory_equal(p, signature, 4);
	*ret_len = number(p, 4, 4);
	assert_true(at + *ret_len <= 0x100000);
	sums_to_zero(p, *ret_len);
	return p;
}

struct tables {
	struct vm_memory m;
	const uint8_t *rsdp, *xsdt, *fadt, *madt, *dsdt;
	size_t fadt_len, madt_len, dsdt_len;
};

static void make(struct tables *t, unsigned vcpus, unsigned devices)
{
	struct err e;
	size_t len;

	assert_int_equal(vm_memory_make(&t->m, 2u << 20, &e), 0);
	assert_int_equal(vm_acpi_write(&t->m, vcpus, devices, &e), 0);
	t->rsdp = vm_mem(&t->m, VM_BOOT_ACPI, 36);
	t->xsdt = table(&t->m, number(t->rsdp, 24, 8), "XSDT", &len);
	assert_int_equal(len, HEADER + 16);
	t->fadt = table(&t->m, number(t->xsdt, HEADER, 8), "FACP", &t->fadt_len);
	t->madt = table(&t->m, number(t->xsdt, HEADER + 8, 8), "APIC", &t->madt_len);
	t->dsdt = table(&t->m, number(t->fadt, 140, 8), "DSDT", &t->dsdt_len);
}

static void the_first_table_leads_to_the_others(void **state)
{
	struct tables t;

	(void)state;
	make(&t, 2, 3);
	assert_memory_equal(t.rsdp, "RSD PTR ", 8);
	assert_int_equal(number(t.rsdp, 20, 4), 36);
	sums_to_zero(t.rsdp, 20);
	sums_to_zero(t.rsdp, 36);
	assert_int_equal(t.fadt_len, 276);
	/* Hardware-reduced, and both places of the DSDT's address agree. */
	assert_true(number(t.fadt, 112, 4) & (1u << 20));
	assert_int_equal(number(t.fadt, 40, 4), number(t.fadt, 140, 8));
	vm_memory_free(&t.m);
}

static void every_processor_and_the_interrupt_controller_are_there(void **state)
{
	struct tables t;

	(void)state;
	for (unsigned n = 1; n <= 32; n += 31) {
		make(&t, n, 1);
		const uint8_t *p = t.madt + HEADER + 8;
		for (unsigned i = 0; i < n; i++, p += 8) {
			const uint8_t want[] = {0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0};
			assert_memory_equal(p, want, sizeof(want));
		}
		assert_memory_equal(p, "\x01\x0c", 2);
		assert_int_equal(number(p, 4, 4), 0xfec00000);
		assert_ptr_equal(p + 12, t.madt + t.madt_len);
		vm_memory_free(&t.m);
	}
}

static unsigned count(const uint8_t *p, size_t len, const void *what, size_t n)
{
	unsigned found = 0;

	for (const uint8_t *at = p; (at = memmem(at, len - (size_t)(at - p), what, n)); at++)
		found++;
	return found;
}

static void every_device_has_its_window_and_line(void **state)
{
	struct tables t;
	size_t bytes;

	(void)state;
	make(&t, 1, 16);
	assert_int_equal(t.dsdt[HEADER], 0x10);
	assert_int_equal(package_length((const char *)t.dsdt + HEADER + 1, &bytes),
			 t.dsdt_len - HEADER - 1);
	assert_int_equal(count(t.dsdt, t.dsdt_len, "LNRO0005", 9), 16);
	for (uint32_t i = 0; i < 16; i++) {
		const uint32_t base = 0xd0000000 + i * 0x1000, line = 5 + i;
		uint8_t want[12 + 9] = {0x86, 9, 0, 1}, *irq = want + 12;

		memcpy(want + 4, &base, 4);
		want[9] = 0x10;
		memcpy(irq, "\x89\x06\x00\x03\x01", 5);
		memcpy(irq + 5, &line, 4);
		assert_int_equal(count(t.dsdt, t.dsdt_len, want, sizeof(want)), 1);
	}
	vm_memory_free(&t.m);
}

static void too_little_memory_is_said(void **state)
{
	struct vm_memory m;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, 0xe1000, &e), 0);
	assert_int_equal(vm_acpi_write(&m, 32, 200, &e), -ENOMEM);
	vm_memory_free(&m);
}

/* --- another reader --- */

static void write_table(const char *dir, const char *name, const uint8_t *p, size_t len)
{
	char path[PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

static char *disassemble(const char *dir, const char *name)
{
	char command[2 * PATH_MAX + 128], path[PATH_MAX + 32];

	snprintf(command, sizeof(command), "cd '%s' && iasl -d %s.aml >log 2>&1", dir, name);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/%s.dsl", dir, name);
	return scratch_slurp(path);
}

static void iasl_reads_the_same(void **state)
{
	char dir[PATH_MAX];
	struct tables t;

	(void)state;
	if (system("command -v iasl >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(scratch_make(dir), 0);
	make(&t, 2, 2);
	write_table(dir, "dsdt.aml", t.dsdt, t.dsdt_len);
	write_table(dir, "fadt.aml", t.fadt, t.fadt_len);
	write_table(dir, "madt.aml", t.madt, t.madt_len);
	vm_memory_free(&t.m);

	char *dsdt = disassemble(dir, "dsdt"), *fadt = disassemble(dir, "fadt"),
	     *madt = disassemble(dir, "madt");
	assert_non_null(strstr(dsdt, "Device (V001)"));
	assert_non_null(strstr(dsdt, "Name (_HID, \"LNRO0005\")"));
	assert_non_null(strstr(dsdt, "0xD0001000"));
	assert_non_null(strstr(dsdt, "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"));
	assert_null(strstr(dsdt, "Incorrect checksum"));
	assert_non_null(strstr(fadt, "Hardware Reduced (V5) : 1"));
	assert_non_null(strstr(madt, "[I/O APIC]"));
	free(dsdt);
	free(fadt);
	free(madt);
	assert_int_equal(scratch_remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_take_their_shortest_form),
		cmocka_unit_test(a_package_counts_itself_at_every_size),
		cmocka_unit_test(a_buffer_of_resources_byte_by_byte),
		cmocka_unit_test(a_part_that_failed_fails_the_whole),
		cmocka_unit_test(the_first_table_leads_to_the_others),
		cmocka_unit_test(every_processor_and_the_interrupt_controller_are_there),
		cmocka_unit_test(every_device_has_its_window_and_line),
		cmocka_unit_test(too_little_memory_is_said),
		cmocka_unit_test(iasl_reads_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
