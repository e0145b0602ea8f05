/* microvm/aml.h: writes ACPI Machine Language (ACPI 6.4, chapter 20), as much of it as a
 * description of devices takes.
 *
 * Terms are written from the inside out: what lies in a package is a buffer of its own first, for
 * the package begins with its length. A strbuf that failed says so at the end.
 */
#ifndef RF_MICROVM_AML_H
#define RF_MICROVM_AML_H

#include "common/str.h"

/* The shortest form of a number (20.2.3). */
void vm_aml_integer(struct strbuf *b, uint64_t v);
void vm_aml_string(struct strbuf *b, const char *s);
/* A name of four characters (20.2.2); what follows is its value. */
void vm_aml_name(struct strbuf *b, const char name[static 4]);
/* A package's length counts itself, in one to four bytes (20.2.4). content: at most 256 MiB. */
void vm_aml_scope(struct strbuf *b, const char *path, const struct strbuf *content);
void vm_aml_device(struct strbuf *b, const char name[static 4], const struct strbuf *content);
void vm_aml_buffer(struct strbuf *b, const struct strbuf *bytes);

/* Resources (6.4), for a vm_aml_buffer; the end comes last. */
void vm_aml_memory32(struct strbuf *b, uint32_t base, uint32_t len);
/* An interrupt line of the device's own: edge, active high. */
void vm_aml_interrupt(struct strbuf *b, uint32_t line);
void vm_aml_resources_end(struct strbuf *b);

#endif
