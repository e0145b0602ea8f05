/* microvm/aml.c: terms of the ACPI Machine Language. */
#include "microvm/aml.h"

#include <endian.h>
#include <string.h>

enum {
	ZERO_OP = 0x00,
	ONE_OP = 0x01,
	NAME_OP = 0x08,
	BYTE_PREFIX = 0x0a,
	WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c,
	STRING_PREFIX = 0x0d,
	QWORD_PREFIX = 0x0e,
	SCOPE_OP = 0x10,
	BUFFER_OP = 0x11,
	EXT_PREFIX = 0x5b,
	DEVICE_OP = 0x82, /* behind EXT_PREFIX */
};

static void byte(struct strbuf *b, unsigned v)
{
	const uint8_t c = (uint8_t)v;

	strbuf_add(b, &c, 1);
}

static void number(struct strbuf *b, unsigned prefix, uint64_t v, size_t bytes)
{
	const uint64_t le = htole64(v);

	byte(b, prefix);
	strbuf_add(b, &le, bytes);
}

void vm_aml_integer(struct strbuf *b, uint64_t v)
{
	if (v <= 1)
		byte(b, v ? ONE_OP : ZERO_OP);
	else if (v <= UINT8_MAX)
		number(b, BYTE_PREFIX, v, 1);
	else if (v <= UINT16_MAX)
		number(b, WORD_PREFIX, v, 2);
	else if (v <= UINT32_MAX)
		number(b, DWORD_PREFIX, v, 4);
	else
		number(b, QWORD_PREFIX, v, 8);
}

void vm_aml_string(struct strbuf *b, const char *s)
{
	byte(b, STRING_PREFIX);
	strbuf_add(b, s, strlen(s) + 1);
}

void vm_aml_name(struct strbuf *b, const char name[static 4])
{
	byte(b, NAME_OP);
	strbuf_add(b, name, 4);
}

/* One byte holds a length below 64. Of more, the first has the lowest four bits, and in its highest
 * two how many follow. */
static void package_length(struct strbuf *b, size_t content)
{
	unsigned more = 0;

	while (content + more + 1 >= (more ? 1ull << (4 + 8 * more) : 64))
		more++;
	size_t len = content + more + 1;
	byte(b, more ? more << 6 | (len & 0xf) : (unsigned)len);
	for (unsigned i = 0; i < more; i++)
		byte(b, (unsigned)(len >> (4 + 8 * i)) & 0xff);
}

static void package(struct strbuf *b, const void *head, size_t head_len,
		    const struct strbuf *content)
{
	b->failed = b->failed || content->failed;
	package_length(b, head_len + content->len);
	strbuf_add(b, head, head_len);
	if (content->len)
		strbuf_add(b, content->s, content->len);
}

void vm_aml_scope(struct strbuf *b, const char *path, const struct strbuf *content)
{
	byte(b, SCOPE_OP);
	package(b, path, strlen(path), content);
}

void vm_aml_device(struct strbuf *b, const char name[static 4], const struct strbuf *content)
{
	byte(b, EXT_PREFIX);
	byte(b, DEVICE_OP);
	package(b, name, 4, content);
}

void vm_aml_buffer(struct strbuf *b, const struct strbuf *bytes)
{
	auto_strbuf size = {0};

	vm_aml_integer(&size, bytes->len);
	byte(b, BUFFER_OP);
	b->failed = b->failed || size.failed;
	package(b, size.s, size.len, bytes);
}

/* --- resources --- */

void vm_aml_memory32(struct strbuf *b, uint32_t base, uint32_t len)
{
	const struct { /* 6.4.3.4 */
		uint8_t tag;
		uint16_t length;
		uint8_t writable;
		uint32_t base, size;
	} __attribute__((packed)) r = {0x86, htole16(9), 1, htole32(base), htole32(len)};

	strbuf_add(b, &r, sizeof(r));
}

void vm_aml_interrupt(struct strbuf *b, uint32_t line)
{
	const uint8_t consumer = 1, edge = 2;
	const struct { /* 6.4.3.6 */
		uint8_t tag;
		uint16_t length;
		uint8_t flags, count;
		uint32_t line;
	} __attribute__((packed)) r = {0x89, htole16(6), consumer | edge, 1, htole32(line)};

	strbuf_add(b, &r, sizeof(r));
}

/* Its checksum of 0 means that there is none (6.4.2.9). */
void vm_aml_resources_end(struct strbuf *b)
{
	static const uint8_t end[] = {0x79, 0};

	strbuf_add(b, end, sizeof(end));
}
