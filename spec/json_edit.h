/* spec/json_edit.h: changes single values in the text of a JSON document.
 *
 * Everything that isn't named stays byte for byte as it stood: blanks, order, escapes, unknown
 * members. So a bundle's config.json can be made into another one without a loss.
 */
#ifndef RF_SPEC_JSON_EDIT_H
#define RF_SPEC_JSON_EDIT_H

#include "spec/json.h"

struct json_edit {
	/* RFC 6901, with ~0 and ~1 (a control character in a member's name as json_pointer_key
	 * writes it); into the document as it was given, whatever the other edits do. */
	const char *pointer;
	const char *text; /* the new value, one JSON document; NULL: remove it */
	/* With text, where nothing is yet: a member that the object at the pointer's parent gets,
	 * or, as "/array/-", an element behind the array's last. Several come in their order. */
	bool create;
};

/* Appends the changed document to `out`.
 * What is to be removed may be absent, and be named twice; any other two edits must not touch the
 * same value, nor one a part of the other's. ERR_SPEC for a bad document, as json_parse has it
 * (`name` is the document's); -ENOENT: nothing to replace, no parent to create in; ERR_INTERNAL
 * for edits that can't be: pointer, text, contradiction, the root's removal. `out` is untouched
 * then. */
int json_edit(const char *text, size_t len, const char *name, const struct json_edit *edits,
	      size_t n, struct strbuf *out, struct err *e);

#endif
