/* spec/resources_out.h: a resources object as JSON again, for another runtime to read
 * (config-linux.md#control-groups).
 */
#ifndef RF_SPEC_RESOURCES_OUT_H
#define RF_SPEC_RESOURCES_OUT_H

#include "spec/spec.h"

/* Appends the document; what is absent is left out. */
void spec_resources_out(const struct spec_resources *r, struct strbuf *out);

#endif
