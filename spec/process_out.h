/* spec/process_out.h: a process object as JSON again, for another runtime to read
 * (config.md#process). */
#ifndef RF_SPEC_PROCESS_OUT_H
#define RF_SPEC_PROCESS_OUT_H

#include "spec/spec.h"

/* Appends the document; what is absent is left out. */
void spec_process_out(const struct spec_process *p, struct strbuf *out);

#endif
